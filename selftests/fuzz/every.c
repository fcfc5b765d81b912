// SPDX-License-Identifier: BSD-3-Clause
/*
 * Every byte of the metadata of small pools set to 00, FF, ^1 and ^80, and every word to 0, ~0 and
 * to either neighbour's value; once as it is, and in records with a checksum once more with the
 * checksum made right. Each image is recovered and checked (judge.c), and then opened and used for
 * a moment (use.c). Prints TAP.
 */
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "libpmemobj.h"
#include "selftests/fuzz/image.h"
#include "selftests/fuzz/judge.h"
#include "selftests/fuzz/use.h"

#define BY_PATH		256U
#define HANG_SECONDS	10

static u8 base[HOUSE_BYTES], changed[HOUSE_BYTES];
static u64 base_bytes;
static struct pobj_geom geom;

/* The case at hand: what stands where in which image. */
struct now {
	const char *image;
	u64 off;
	u64 value;
	bool sealed;
};

static struct now now_at;

static u64 pools, cases, same, plain, by_path, judged[JUDGE_CNT], used[USE_CNT];

/* ---- what it was, when it ends badly ----------------------------------------------------- */

static void tell(void)
{
	printf("# in image \"%s\": at 0x%llx stood 0x%llx%s\nBail out!\n", now_at.image,
	       (unsigned long long)now_at.off, (unsigned long long)now_at.value,
	       now_at.sealed ? ", with a right checksum" : "");
	fflush(stdout);
}

static void on_signal(int sig)
{
	static u64 last = ~0ULL;
	static int ticks;

	if (sig == SIGALRM) {
		ticks++;
		if (last != cases)
			ticks = 0;
		last = cases;
		if (ticks < HANG_SECONDS)
			return;
		printf("# it does not end\n");
	}
	tell();
	_exit(1);
}

static void watch(void)
{
	const struct itimerval second = { { 1, 0 }, { 1, 0 } };

	__sanitizer_set_death_callback(tell);
	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	setitimer(ITIMER_REAL, &second, NULL);
}

/* ---- one image --------------------------------------------------------------------------- */

static void one_image(void)
{
	static const u8 reap_all[] = { USE_REAP };
	u8 script[USE_BYTES];

	cases++;
	memcpy(house_image, changed, base_bytes);
	judged[judge(cases % 8 == 0)]++;
	memcpy(script, use_all, sizeof(script));
	if (cases % 4 == 0)
		script[0] = reap_all[0];
	memcpy(house_image, changed, base_bytes);
	used[use(script)]++;
	if (cases % BY_PATH)
		return;
	by_path++;
	memcpy(house_image, changed, base_bytes);
	use_by_path(script);
}

static bool in_lanes(u64 off)
{
	return off >= geom.lane_off &&
	       off < geom.lane_off + geom.lane_cnt * pobj_geom_lane_bytes(&geom);
}

static u32 kind_of(u64 page)
{
	return image_word(base, pobj_geom_line(&geom, page)) & 0xf;
}

/* Make the checksum of the record with the byte at @off right. False: it has none. */
static bool seal(u64 off)
{
	const u64 line = off / POBJ_M_LINE * POBJ_M_LINE;
	const u64 super = off / POBJ_M_SUPER_OFF1 * POBJ_M_SUPER_OFF1;

	if (off < POBJ_M_ROOT_OFF) {
		image_seal_super(changed, super);
		return true;
	}
	/* Heads of lanes and chunks have no checksum. */
	if (in_lanes(off) ? (off - geom.lane_off) % pobj_geom_lane_bytes(&geom) < POBJ_M_LINE :
	    !pobj_geom_in_data(&geom, off) ||
	    (off - geom.data_off) % pobj_geom_page_bytes(&geom) < POBJ_M_LINE)
		return false;
	image_seal_line(changed, line);
	return true;
}

static void one_change(u64 off, u64 value, u64 bytes)
{
	const __le64 raw = cpu_to_le64(value);

	now_at.off = off;
	now_at.value = value;
	now_at.sealed = false;
	if (!memcmp(base + off, &raw, bytes)) {
		same++;
		return;
	}
	memcpy(changed, base, base_bytes);
	memcpy(changed + off, &raw, bytes);
	one_image();
	memcpy(changed, base, base_bytes);
	memcpy(changed + off, &raw, bytes);
	now_at.sealed = seal(off);
	if (now_at.sealed && memcmp(changed, base, base_bytes))
		one_image();
}

/* Is the byte at @off one of the metadata? Of superblocks only if @supers. */
static bool is_metadata(u64 off, bool supers)
{
	const u64 super = sizeof(struct pobj_m_super);

	if (off < super || (off >= POBJ_M_SUPER_OFF1 && off < POBJ_M_SUPER_OFF1 + super))
		return supers;
	if (off >= POBJ_M_ROOT_OFF && off < POBJ_M_HEADER_END)
		return true;
	if (in_lanes(off))
		return true;
	if (off >= geom.line_off && off < geom.line_off + geom.page_cnt * POBJ_M_LINE)
		return true;
	return pobj_geom_in_data(&geom, off) &&
	       kind_of(pobj_geom_page_of(&geom, off)) == POBJ_M_LOG;
}

static void every_byte(bool supers)
{
	u64 off, word;

	for (off = 0; off < base_bytes; off++) {
		if (!is_metadata(off, supers))
			continue;
		one_change(off, 0, 1);
		one_change(off, 0xff, 1);
		one_change(off, base[off] ^ 1, 1);
		one_change(off, base[off] ^ 0x80, 1);
	}
	for (off = 0; off + sizeof(word) <= base_bytes; off += sizeof(word)) {
		if (!is_metadata(off, supers))
			continue;
		one_change(off, 0, sizeof(word));
		one_change(off, ~0ULL, sizeof(word));
		if (off)
			one_change(off, image_word(base, off - sizeof(word)), sizeof(word));
		if (off + 2 * sizeof(word) <= base_bytes)
			one_change(off, image_word(base, off + sizeof(word)), sizeof(word));
	}
}

static u64 sum(const u64 *v, u32 cnt)
{
	u64 s = 0;

	while (cnt--)
		s += v[cnt];
	return s;
}

/* Kinds of lines and live entries that the images have, so that none is forgotten. */
static void census(u64 lines[16], u64 live[4])
{
	struct pobj_lane_view v;
	u32 lane;
	u64 seq, page;

	for (page = 0; page < geom.page_cnt; page++) {
		const u64 header = image_word(base, pobj_geom_line(&geom, page));

		lines[header & 0xf]++;
		lines[8 + (header >> POBJ_M_HDR_FLAG_SHIFT & 7)]++;
	}
	for (lane = 0; lane < geom.lane_cnt; lane++) {
		if (pobj_lane_read(house_media(false), &geom, lane, &v, NULL))
			continue;
		for (seq = v.newest; seq > v.retired; seq--) {
			const struct pobj_entry *e = &v.entry[seq % POBJ_M_SLOT_CNT];

			live[e->cnt > POBJ_M_PAIRS ? 0 : e->kind & 3]++;
		}
	}
}

/* ---- behind the last line ---------------------------------------------------------------- */

#define FAKES	64U

/*
 * In a sound pool: objects that look like lines of empty slabs stand behind the last line, where
 * the last group of pages would have more lines if the pool had more pages. Out of room everything
 * that looks like an empty slab is dissolved.
 */
static bool fakes_stay(void)
{
	const __le64 fake[8] = {
		cpu_to_le64(pobj_line_header(POBJ_M_SLAB, 0, 4, 64)), cpu_to_le64(2),
	};
	PMEMoid oid[FAKES], more, last = OID_NULL;
	struct pobj_geom g;
	PMEMobjpool *pop;
	bool ok;
	u32 n, i;

	now_at.image = image_make(0);
	image_geom(house_image, HOUSE_BYTES, &g);
	pop = house_open(false);
	for (n = 0; n < FAKES && !pmemobj_alloc(pop, &oid[n], sizeof(fake), 1, NULL, NULL); n++)
		memcpy(pmemobj_direct(oid[n]), fake, sizeof(fake));
	while (!pmemobj_alloc(pop, &more, 100, 3, NULL, NULL))
		last = more;
	house_close(pop);
	/* The last group has a slab with room: it is looked through. */
	pop = house_open(false);
	pmemobj_free(&last);
	while (!pmemobj_alloc(pop, &more, sizeof(fake), 2, NULL, NULL))
		;
	/* Is there an object where there would be a line? */
	ok = oid[0].off < pobj_geom_line(&g, pobj_side_group_cnt(&g) * POBJ_GROUP_PAGES);
	for (i = 0; i < n; i++)
		ok &= !memcmp(pmemobj_direct(oid[i]), fake, sizeof(fake));
	house_close(pop);
	return ok && n == FAKES;
}

#define LLU(x)	((unsigned long long)(x))

static void all_images(u64 lines[16], u64 live[4])
{
	u32 nr;

	for (nr = 0; (now_at.image = image_make(nr)); nr++) {
		base_bytes = house_media(false)->size;
		memcpy(base, house_image, base_bytes);
		image_geom(base, base_bytes, &geom);
		census(lines, live);
		now_at.off = 0;
		memcpy(changed, base, base_bytes);
		one_image();
		/* The bytes of superblocks are the same in all. */
		if (image_is_base(nr))
			every_byte(nr == 1);
		else
			plain++;
	}
	pools = nr;
}

static bool tell_images(const u64 lines[16], const u64 live[4])
{
	bool all = lines[POBJ_M_CONT] && lines[8 + POBJ_M_F_MIXED] && lines[8 + POBJ_M_F_ROOT];
	u32 i;

	printf("# %llu pools, %llu of them only as they are\n", LLU(pools), LLU(plain));
	printf("# lines: %llu free, %llu slab (%llu mixed), %llu large (%llu root), %llu log",
	       LLU(lines[POBJ_M_FREE]), LLU(lines[POBJ_M_SLAB]), LLU(lines[8 + POBJ_M_F_MIXED]),
	       LLU(lines[POBJ_M_LARGE]), LLU(lines[8 + POBJ_M_F_ROOT]), LLU(lines[POBJ_M_LOG]));
	printf(", %llu cont\n", LLU(lines[POBJ_M_CONT]));
	printf("# live entries: %llu nop, %llu undo, %llu undo with more lines, %llu free\n",
	       LLU(live[1]), LLU(live[2]), LLU(live[0]), LLU(live[3]));
	for (i = 0; i < 4; i++)
		all &= live[i] && lines[i];
	return all;
}

static bool tell_verdicts(double seconds)
{
	bool often = use_done > cases && by_path > cases / BY_PATH / 2;
	u32 i;

	printf("# %llu images in %.0f s of CPU; %llu changes left out: the value stood there\n",
	       LLU(cases), seconds, LLU(same));
	printf("# recovery: %llu refused, %llu done with problems for the check, %llu clean\n",
	       LLU(judged[JUDGE_REFUSED]), LLU(judged[JUDGE_PROBLEMS]), LLU(judged[JUDGE_CLEAN]));
	printf("# use: %llu refused, %llu with problems, %llu clean; %llu by path",
	       LLU(used[USE_REFUSED]), LLU(used[USE_PROBLEMS]), LLU(used[USE_CLEAN]),
	       LLU(by_path));
	printf("; %llu operations done\n", LLU(use_done));
	for (i = 0; i < JUDGE_CNT; i++)
		often &= judged[i] > cases / 100 && used[i] > cases / 100;
	return often;
}

static int failed;

static void point(bool ok, const char *what)
{
	static int nr;

	printf("%s %d %s\n", ok ? "ok" : "not ok", ++nr, what);
	failed |= !ok;
}

int main(void)
{
	u64 lines[16] = { 0 }, live[4] = { 0 };
	bool often;

	setvbuf(stdout, NULL, _IOLBF, 0);
	watch();
	printf("TAP version 13\n1..4\n");
	point(fakes_stay(), "objects behind the last line are not taken for lines");
	all_images(lines, live);
	point(tell_images(lines, live), "the pools have lines and live entries of each kind");
	often = tell_verdicts((double)clock() / CLOCKS_PER_SEC);
	point(sum(judged, JUDGE_CNT) == cases && sum(used, USE_CNT) == cases,
	      "each ends in a clean error or a consistent pool");
	point(often, "each verdict was met often");
	return failed;
}
