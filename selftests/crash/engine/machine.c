// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The machine that loses power: see machine.h. */
#include <stdio.h>
#include <stdlib.h>

#include "selftests/crash/engine/machine.h"

void power_die(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

void *power_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		power_die("out of memory");
	return p;
}

void machine_make(struct machine *k, u64 size)
{
	k->size = size;
	k->mem = aligned_alloc(4096, POWER_FRONT + (size + 4095) / 4096 * 4096);
	if (!k->mem)
		power_die("out of memory");
	k->mem += POWER_FRONT;
	k->dirty = power_alloc(size / LINE * sizeof(*k->dirty));
	k->list = power_alloc(size / LINE * sizeof(*k->list));
	k->list_cnt = 0;
	k->changed = power_alloc(size / LINE * sizeof(*k->changed));
	k->change = power_alloc(size / LINE * sizeof(*k->change));
	k->change_cnt = 0;
	k->line = power_alloc(size / LINE * sizeof(*k->line));
	k->sum = (struct power_digest){ 0, 0 };
}

/* Records come and go by the million: those not in use are kept. */
static struct dirty *spare[256];
static u32 spare_cnt;

static struct dirty *dirty_make(void)
{
	struct dirty *d = spare_cnt ? spare[--spare_cnt] : malloc(sizeof(*d));

	if (!d)
		power_die("out of memory");
	return d;
}

static void dirty_free(struct dirty *d)
{
	if (spare_cnt < ARRAY_SIZE(spare))
		spare[spare_cnt++] = d;
	else
		free(d);
}

static struct power_digest line_digest(const struct machine *k, u32 line)
{
	return digest_words(line, k->mem + (u64)line * LINE, LINE / 8);
}

void machine_digest(struct machine *k)
{
	struct power_digest d;
	u32 i, line;

	for (i = 0; i < k->change_cnt; i++) {
		line = k->change[i];
		d = line_digest(k, line);
		digest_sub(&k->sum, k->line[line]);
		digest_add(&k->sum, d);
		k->line[line] = d;
	}
}

void machine_digest_all(struct machine *k)
{
	u32 line;

	k->sum = (struct power_digest){ 0, 0 };
	for (line = 0; line < k->size / LINE; line++) {
		k->line[line] = line_digest(k, line);
		digest_add(&k->sum, k->line[line]);
	}
}

void machine_change(struct machine *k, u32 line)
{
	if (k->changed[line])
		return;
	k->changed[line] = true;
	k->change[k->change_cnt++] = line;
}

void machine_clean(struct machine *k)
{
	u32 i;

	for (i = 0; i < k->list_cnt; i++) {
		dirty_free(k->dirty[k->list[i]]);
		k->dirty[k->list[i]] = NULL;
	}
	k->list_cnt = 0;
}

void machine_free(struct machine *k)
{
	machine_clean(k);
	if (k->mem)
		free(k->mem - POWER_FRONT);
	free(k->dirty);
	free(k->list);
	free(k->changed);
	free(k->change);
	free(k->line);
	memset(k, 0, sizeof(*k));
}

static struct dirty *machine_dirty(struct machine *k, u32 line)
{
	struct dirty *d = k->dirty[line];

	machine_change(k, line);
	if (d)
		return d;
	d = dirty_make();
	d->line = line;
	d->cnt = 1;
	memset(d->flushed, 0, sizeof(d->flushed));
	memcpy(d->content[0], k->mem + (u64)line * LINE, LINE);
	k->dirty[line] = d;
	k->list[k->list_cnt++] = line;
	return d;
}

void machine_add(struct machine *to, const struct dirty *d)
{
	struct dirty *copy = dirty_make();

	memcpy(copy, d, offsetof(struct dirty, content) + d->cnt * LINE);
	to->dirty[d->line] = copy;
	to->list[to->list_cnt++] = d->line;
}

/* Few lines differ mostly, and digests tell which. */
void machine_copy_memory(struct machine *to, const struct machine *from)
{
	u32 i;

	machine_clean(to);
	for (i = 0; i < to->change_cnt; i++) {
		to->line[to->change[i]] = (struct power_digest){ 0, 0 };	/* unknown */
		to->changed[to->change[i]] = false;
	}
	to->change_cnt = 0;
	for (i = 0; i < from->size / LINE; i++) {
		if (to->line[i].a == from->line[i].a && to->line[i].b == from->line[i].b)
			continue;
		memcpy(to->mem + (u64)i * LINE, from->mem + (u64)i * LINE, LINE);
		to->line[i] = from->line[i];
	}
	to->sum = from->sum;
}

void machine_copy(struct machine *to, const struct machine *from)
{
	u32 i;

	machine_copy_memory(to, from);
	for (i = 0; i < from->list_cnt; i++)
		machine_add(to, from->dirty[from->list[i]]);
}

/*
 * A further content that the medium may hold; repetitions are left out. Of what no thread has
 * flushed only the last one has a place: the next flush covers all of it.
 */
static void dirty_add(struct dirty *d, const u8 *content)
{
	u32 i, sure = 0;

	if (!memcmp(d->content[d->cnt - 1], content, LINE))
		return;
	for (i = 0; i < POWER_THREADS; i++)
		sure = d->flushed[i] > sure ? d->flushed[i] : sure;
	for (i = sure + 1; i < d->cnt && memcmp(d->content[i], content, LINE); i++)
		;
	if (i < d->cnt) {
		d->cnt--;
		memmove(d->content[i], d->content[i + 1], (size_t)(d->cnt - i) * LINE);
	}
	if (d->cnt == CONTENTS_MAX)
		power_die("a line has more contents than CONTENTS_MAX: raise it");
	memcpy(d->content[d->cnt++], content, LINE);
}

void machine_store_word(struct machine *k, u64 off, const void *src)
{
	struct dirty *d = machine_dirty(k, (u32)(off / LINE));

	memcpy(k->mem + off, src, 8);
	dirty_add(d, k->mem + off / LINE * LINE);
}

/* Prefixes and suffixes of the words. */
void machine_store_bulk_line(struct machine *k, u64 off, const u8 *src, u64 len)
{
	struct dirty *d = machine_dirty(k, (u32)(off / LINE));
	u8 before[LINE], content[LINE];
	u64 base = off / LINE * LINE, at = off - base, n;

	memcpy(before, k->mem + base, LINE);
	memcpy(content, before, LINE);
	for (n = 8 - at % 8; n < len; n += 8) {		/* suffixes: the last words first */
		memcpy(content, before, LINE);
		memcpy(content + at + n, src + n, len - n);
		dirty_add(d, content);
	}
	memcpy(content, before, LINE);
	for (n = 8 - at % 8; n < len; n += 8) {
		memcpy(content + at, src, n);
		dirty_add(d, content);
	}
	memcpy(k->mem + off, src, len);
	dirty_add(d, k->mem + base);
}

void machine_flush(struct machine *k, u64 off, u64 len, u32 thread)
{
	u64 line, last;

	if (!len)
		return;
	last = (off + len - 1) / LINE;
	for (line = off / LINE; line <= last; line++) {
		if (k->dirty[line])
			k->dirty[line]->flushed[thread] = k->dirty[line]->cnt - 1;
	}
}

/* What the thread flushed becomes certain; what others flushed is still on its way. */
static void dirty_fence(struct dirty *d, u32 thread)
{
	const u32 sure = d->flushed[thread];
	u32 i;

	if (!sure)
		return;
	memmove(d->content[0], d->content[sure], (size_t)(d->cnt - sure) * LINE);
	d->cnt -= sure;
	for (i = 0; i < POWER_THREADS; i++)
		d->flushed[i] = d->flushed[i] > sure ? d->flushed[i] - sure : 0;
}

void machine_fence(struct machine *k, u32 thread)
{
	struct dirty *d;
	u32 i, kept = 0, line;

	for (i = 0; i < k->list_cnt; i++) {
		line = k->list[i];
		d = k->dirty[line];
		dirty_fence(d, thread);
		if (d->cnt == 1 && !memcmp(d->content[0], k->mem + (u64)line * LINE, LINE)) {
			dirty_free(d);
			k->dirty[line] = NULL;
		} else {
			k->list[kept++] = line;
		}
	}
	k->list_cnt = kept;
}

struct power_digest machine_sum(struct machine *k, bool flushed)
{
	struct power_digest sum;
	const struct dirty *d;
	u64 salt;
	u32 i, t;

	machine_digest(k);
	sum = k->sum;
	for (i = 0; i < k->list_cnt; i++) {
		d = k->dirty[k->list[i]];
		salt = ~(u64)d->line;
		for (t = 0; flushed && t < POWER_THREADS; t++)
			salt = digest_mix(salt, d->flushed[t] + 1 + ((u64)t << 32));
		digest_add(&sum, digest_words(salt, d->content, d->cnt * (LINE / 8)));
	}
	return sum;
}
