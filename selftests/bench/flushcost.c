// SPDX-License-Identifier: BSD-3-Clause
/*
 * flushcost - what this machine asks for a flush and a fence, in different combinations.
 *
 * usage: flushcost [FILE]	default /dev/shm/flushcost: created with 64 MiB, mapped, unlinked
 *
 * Each row is the best of RUNS runs of N iterations, in ns per iteration. "seq" walks 64 KiB line
 * by line, "random" the whole 64 MiB. Read it first on a new machine: what counts is how many
 * fences wait, not how many lines they wait for. Exit status 4 without CLWB, CLFLUSHOPT, AVX-512F.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RUNS	5
#define N	400000
#define SIZE	(64UL << 20)

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* One row: the body sees the number of the iteration as i. */
#define ROW(name, ...)								\
	do {									\
		double best = 1e18;						\
										\
		for (int run = 0; run < RUNS; run++) {				\
			double t = now_ns();					\
										\
			for (uint64_t i = 0; i < N; i++) {			\
				__VA_ARGS__;					\
			}							\
			t = (now_ns() - t) / N;					\
			if (t < best)						\
				best = t;					\
		}								\
		printf("%-46s %7.1f ns\n", name, best);				\
	} while (0)

#define SEQ(k)		(m + ((k) & 1023) * 64)
#define RANDOM(k)	(m + (((k) * 2654435761U) & 0xfffff) * 64)
#define STORE(p)	(*(volatile uint64_t *)(p) = i)
#define FENCE()		_mm_sfence()
#define WRITE(k)	do { STORE(SEQ(k)); _mm_clwb(SEQ(k)); } while (0)
#define NT64(p)		_mm512_stream_si512((void *)(p), _mm512_set1_epi64(i))

__attribute__((target("clwb,clflushopt,avx512f"))) static void measure(char *m)
{
	ROW("sfence", FENCE());
	ROW("store, sfence; no flush; seq", STORE(SEQ(i)); FENCE());
	ROW("store, clwb, sfence; same line", STORE(m); _mm_clwb(m); FENCE());
	ROW("store, clwb, sfence; seq", STORE(SEQ(i)); _mm_clwb(SEQ(i)); FENCE());
	ROW("store, clwb, sfence; random", STORE(RANDOM(i)); _mm_clwb(RANDOM(i)); FENCE());
	ROW("store, clflushopt, sfence; seq", STORE(SEQ(i)); _mm_clflushopt(SEQ(i)); FENCE());
	ROW("2 x (store, clwb), sfence; seq", WRITE(2 * i); WRITE(2 * i + 1); FENCE());
	ROW("4 x (store, clwb), sfence; seq",
	    WRITE(4 * i); WRITE(4 * i + 1); WRITE(4 * i + 2); WRITE(4 * i + 3); FENCE());
	ROW("2 x (store, clwb, sfence); seq",
	    WRITE(2 * i); FENCE(); WRITE(2 * i + 1); FENCE());
	ROW("movnti, sfence; seq", _mm_stream_si64((void *)SEQ(i), i); FENCE());
	ROW("movntdq of 64 bytes, sfence; seq", NT64(SEQ(i)); FENCE());
	ROW("2 x movntdq of 64 bytes, sfence; seq",
	    NT64(SEQ(2 * i)); NT64(SEQ(2 * i + 1)); FENCE());
	ROW("clwb of a clean line, sfence; seq", _mm_clwb(SEQ(i)); FENCE());
	ROW("store, clwb; no fence; seq", STORE(SEQ(i)); _mm_clwb(SEQ(i)));
	ROW("atomic add; seq", __sync_fetch_and_add((uint64_t *)SEQ(i), 1));
	ROW("store, clwb, atomic add for a fence", STORE(SEQ(i)); _mm_clwb(SEQ(i));
	    __sync_fetch_and_add((uint64_t *)(m + (1 << 20)), 1));
}

/* CPUID leaf 7: EBX bit 23 is CLFLUSHOPT, bit 24 is CLWB. */
static int cpu_fits(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 23 & 1) && (b >> 24 & 1) &&
	       __builtin_cpu_supports("avx512f");
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/shm/flushcost";
	char *m;
	int fd;

	if (!cpu_fits()) {
		fprintf(stderr, "flushcost: needs CLWB, CLFLUSHOPT and AVX-512F\n");
		return 4;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, SIZE)) {
		perror(path);
		return 1;
	}
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	unlink(path);
	if (m == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	memset(m, 1, SIZE);
	measure(m);
	return 0;
}
