// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * "General ioctl format" of pobj.h, for every ioctl: short and long structs, bad pointers, unknown
 * flags, reserved fields, the wrong file. One table says what there is; a refused call must leave
 * no trace.
 */
#include "kmod.h"

#define MAX_STRUCT	2048

FIXTURE(ioctl)
{
	struct t_pool p;
	int bdev;
	int files;
	struct pobj_region regions[4];
	struct pobj_region before[4];
	int before_cnt;
};

/* Which state an ioctl needs to succeed. */
enum state { FREE, CLAIMED, ATTACHED };

/**
 * struct _fixture_variant_ioctl - one ioctl
 * @cmd: number
 * @size: of its struct
 * @in_end: end of what it takes in; a struct that ends before is too short
 * @ctl: on the control file, else on a region file
 * @outs: it stores results, so the struct must be writable
 * @state: what it needs to succeed
 * @flags: flags it knows
 * @reserved: offset of its reserved field, 0 if there is none
 */
FIXTURE_VARIANT(ioctl)
{
	unsigned long cmd;
	size_t size;
	size_t in_end;
	bool ctl;
	bool outs;
	enum state state;
	__u32 flags;
	size_t reserved;
};

FIXTURE_VARIANT_ADD(ioctl, claim)
{
	.cmd = POBJ_IOC_CLAIM,
	.size = sizeof(struct pobj_ioc_claim),
	.in_end = offsetof(struct pobj_ioc_claim, out_id),
	.ctl = true,
	.outs = true,
	.state = FREE,
	.reserved = offsetof(struct pobj_ioc_claim, __reserved),
};

FIXTURE_VARIANT_ADD(ioctl, release)
{
	.cmd = POBJ_IOC_RELEASE,
	.size = sizeof(struct pobj_ioc_release),
	.in_end = sizeof(struct pobj_ioc_release),
	.ctl = true,
	.state = CLAIMED,
};

FIXTURE_VARIANT_ADD(ioctl, list)
{
	.cmd = POBJ_IOC_LIST,
	.size = sizeof(struct pobj_ioc_list),
	.in_end = offsetof(struct pobj_ioc_list, out_cnt),
	.ctl = true,
	.outs = true,
	.state = CLAIMED,
	.reserved = offsetof(struct pobj_ioc_list, __reserved),
};

FIXTURE_VARIANT_ADD(ioctl, attach)
{
	.cmd = POBJ_IOC_ATTACH,
	.size = sizeof(struct pobj_ioc_attach),
	.in_end = offsetof(struct pobj_ioc_attach, out_fd),
	.ctl = true,
	.outs = true,
	.state = CLAIMED,
	.flags = POBJ_ATTACH_RDONLY,
	.reserved = offsetof(struct pobj_ioc_attach, __reserved),
};

FIXTURE_VARIANT_ADD(ioctl, detach)
{
	.cmd = POBJ_IOC_DETACH,
	.size = sizeof(struct pobj_ioc_detach),
	.in_end = sizeof(struct pobj_ioc_detach),
	.state = ATTACHED,
};

FIXTURE_VARIANT_ADD(ioctl, info)
{
	.cmd = POBJ_IOC_INFO,
	.size = sizeof(struct pobj_ioc_info),
	.in_end = offsetof(struct pobj_ioc_info, out_region),
	.outs = true,
	.state = ATTACHED,
};

FIXTURE_VARIANT_ADD(ioctl, recover)
{
	.cmd = POBJ_IOC_RECOVER,
	.size = sizeof(struct pobj_ioc_recover),
	.in_end = offsetof(struct pobj_ioc_recover, out_flags),
	.outs = true,
	.state = ATTACHED,
};

FIXTURE_VARIANT_ADD(ioctl, format)
{
	.cmd = POBJ_IOC_FORMAT,
	.size = sizeof(struct pobj_ioc_format),
	.in_end = offsetof(struct pobj_ioc_format, out_diag),
	.outs = true,
	.state = ATTACHED,
	.flags = POBJ_FORMAT_FORCE,
};

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int cnt = 0;

	while (dir && readdir(dir))
		cnt++;
	closedir(dir);
	return cnt;
}

FIXTURE_SETUP(ioctl)
{
	T_POOL_MAKE(&self->p, 0);
	self->bdev = open(self->p.dev.path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->bdev);
	if (variant->state == ATTACHED)
		return;
	close(self->p.fd);
	self->p.fd = -1;
	if (variant->state == FREE)
		ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
}

FIXTURE_TEARDOWN(ioctl)
{
	close(self->bdev);
	t_pool_drop(&self->p);
}

static int the_file(struct _test_data_ioctl *self, const struct _fixture_variant_ioctl *v)
{
	return v->ctl ? self->p.ctl : self->p.fd;
}

/* What the ioctl needs to succeed. Output fields hold garbage: the kernel must not mind. */
static void fill(struct _test_data_ioctl *self, const struct _fixture_variant_ioctl *v, void *arg)
{
	struct pobj_ioc_claim *c = arg;
	struct pobj_ioc_release *r = arg;
	struct pobj_ioc_list *l = arg;
	struct pobj_ioc_attach *a = arg;
	struct pobj_ioc_recover *rec = arg;
	struct pobj_ioc_info *info = arg;
	struct pobj_ioc_format *f = arg;

	memset(arg, 0, v->size);
	switch (v->cmd) {
	case POBJ_IOC_CLAIM:
		c->fd = self->bdev;
		c->out_id = ~0ULL;
		break;
	case POBJ_IOC_RELEASE:
		r->id = self->p.id;
		break;
	case POBJ_IOC_LIST:
		l->regions = (uintptr_t)self->regions;
		l->region_bytes = sizeof(self->regions[0]);
		l->cnt = ARRAY_SIZE(self->regions);
		l->out_cnt = 77;
		break;
	case POBJ_IOC_ATTACH:
		a->id = self->p.id;
		a->out_fd = -1;
		a->out_session = ~0ULL;
		break;
	case POBJ_IOC_INFO:
		memset(&info->out_region, 0xee, v->size - v->in_end);
		break;
	case POBJ_IOC_RECOVER:
		memset(&rec->out_flags, 0xee, v->size - v->in_end);
		break;
	case POBJ_IOC_FORMAT:
		t_uuid(self->p.uuid);
		t_format_init(f, self->p.uuid, POBJ_FORMAT_FORCE);
		f->out_diag = 99;
		break;
	}
	*(__u32 *)arg = v->size;
}

/* After a success: the state that the ioctl needs once more. */
static int again(struct _test_data_ioctl *self, const struct _fixture_variant_ioctl *v)
{
	switch (v->cmd) {
	case POBJ_IOC_CLAIM:
		return t_release_all(self->p.ctl);
	case POBJ_IOC_RELEASE:
		return t_claim(self->p.ctl, &self->p.dev, &self->p.id);
	case POBJ_IOC_ATTACH:
		/* Also the file of a call whose struct was too short to tell its number. */
		close_range(self->p.ctl + 1, self->bdev - 1, 0);
		close_range(self->bdev + 1, ~0U, 0);
		return 0;
	case POBJ_IOC_DETACH:
		close(self->p.fd);
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		return self->p.fd < 0 ? self->p.fd : 0;
	}
	return 0;
}

static void remember(struct _test_data_ioctl *self)
{
	memset(self->before, 0, sizeof(self->before));
	self->before_cnt = t_list(self->p.ctl, self->before, ARRAY_SIZE(self->before));
	self->files = open_files();
}

/* A call that failed has changed nothing. */
static bool unchanged(struct _test_data_ioctl *self)
{
	struct pobj_region now[4] = { 0 };
	int cnt = t_list(self->p.ctl, now, ARRAY_SIZE(now));

	return cnt == self->before_cnt && !memcmp(now, self->before, sizeof(now)) &&
	       open_files() == self->files;
}

TEST_F(ioctl, works)
{
	__u8 arg[MAX_STRUCT];
	int i;

	for (i = 0; i < 3; i++) {
		fill(self, variant, arg);
		EXPECT_EQ(0, t_ioctl(the_file(self, variant), variant->cmd, arg));
		EXPECT_EQ(variant->size, *(__u32 *)arg);
		ASSERT_EQ(0, again(self, variant));
	}
}

/*
 * Too short is EINVAL. Where only results are cut off, the kernel may take the call, but must not
 * store beyond the end.
 */
TEST_F(ioctl, short_struct)
{
	__u8 arg[MAX_STRUCT], canary[MAX_STRUCT];
	size_t n, bad = 0;
	int ret;

	memset(canary, 0xc5, sizeof(canary));
	remember(self);
	for (n = 0; n < variant->size; n++) {
		/* The layout name may end anywhere; its first and last bytes will do. */
		if (n > 64 && n < variant->size - 16 && variant->cmd == POBJ_IOC_FORMAT)
			continue;
		fill(self, variant, arg);
		memcpy(arg + n, canary, sizeof(arg) - n);
		if (n >= 4)
			*(__u32 *)arg = n;
		else
			memset(arg, 0, 4);
		ret = t_ioctl(the_file(self, variant), variant->cmd, arg);
		if (ret != -EINVAL && (ret || n < variant->in_end)) {
			TH_LOG("struct of %zu bytes: %d", n, ret);
			bad++;
		}
		if (n >= 4 && memcmp(arg + n, canary, sizeof(arg) - n)) {
			TH_LOG("struct of %zu bytes: stored beyond its end", n);
			bad++;
		}
		if (!ret) {
			ASSERT_EQ(0, again(self, variant));
			remember(self);
		}
	}
	EXPECT_EQ(0, bad);
	EXPECT_TRUE(unchanged(self));
}

TEST_F(ioctl, long_struct_zero_tail)
{
	static const size_t more[] = { 1, 4, 8, 100, 4096, 65536 };
	__u8 *arg = calloc(1, 2 * 65536);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		fill(self, variant, arg);
		*(__u32 *)arg = variant->size + more[i];
		EXPECT_EQ(0, t_ioctl(the_file(self, variant), variant->cmd, arg))
			TH_LOG("%zu bytes more", more[i]);
		ASSERT_EQ(0, again(self, variant));
	}
	free(arg);
}

TEST_F(ioctl, long_struct_nonzero_tail)
{
	static const size_t more[] = { 1, 8, 100, 4096, 65536 };
	__u8 *arg = calloc(1, 2 * 65536);
	size_t i;

	remember(self);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		fill(self, variant, arg);
		*(__u32 *)arg = variant->size + more[i];
		arg[variant->size + more[i] - 1] = 1;
		EXPECT_EQ(-E2BIG, t_ioctl(the_file(self, variant), variant->cmd, arg))
			TH_LOG("%zu bytes more", more[i]);
		arg[variant->size + more[i] - 1] = 0;
	}
	/* What lies behind the struct is nobody's business. */
	fill(self, variant, arg);
	arg[variant->size] = 1;
	EXPECT_TRUE(unchanged(self));
	EXPECT_EQ(0, t_ioctl(the_file(self, variant), variant->cmd, arg));
	ASSERT_EQ(0, again(self, variant));
	free(arg);
}

TEST_F(ioctl, bad_pointer)
{
	__u8 *map = mmap(NULL, 3 * T_PAGE, T_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = the_file(self, variant), ret;
	__u8 arg[MAX_STRUCT];
	size_t head;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + 2 * T_PAGE, T_PAGE, PROT_NONE));
	remember(self);
	EXPECT_EQ(-EFAULT, t_ioctl(fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, t_ioctl(fd, variant->cmd, (void *)-4096L));
	EXPECT_EQ(-EFAULT, t_ioctl(fd, variant->cmd, (void *)(1UL << 63)));
	EXPECT_EQ(-EFAULT, t_ioctl(fd, variant->cmd, map + 2 * T_PAGE));

	/* The struct, or the zeros behind it, run into a hole. */
	fill(self, variant, arg);
	for (head = 2; head < variant->in_end; head += 2) {
		memcpy(map + 2 * T_PAGE - head, arg, head);
		ret = t_ioctl(fd, variant->cmd, map + 2 * T_PAGE - head);
		EXPECT_EQ(-EFAULT, ret)
			TH_LOG("only %zu bytes are there", head);
		if (head > 64)
			head += 98;
	}
	memset(map, 0, 2 * T_PAGE);
	memcpy(map + T_PAGE, arg, variant->size);
	*(__u32 *)(map + T_PAGE) = T_PAGE + 8;
	EXPECT_EQ(-EFAULT, t_ioctl(fd, variant->cmd, map + T_PAGE));
	*(__u32 *)(map + T_PAGE) = 0xffffffff;
	ret = t_ioctl(fd, variant->cmd, map + T_PAGE);
	EXPECT_TRUE(ret == -EFAULT || ret == -E2BIG);
	EXPECT_TRUE(unchanged(self));

	/* Results do not fit into memory that can only be read. */
	fill(self, variant, map);
	ASSERT_EQ(0, mprotect(map, T_PAGE, PROT_READ));
	ret = t_ioctl(fd, variant->cmd, map);
	if (!variant->outs) {
		EXPECT_EQ(0, ret);
		ASSERT_EQ(0, again(self, variant));
	} else if (variant->cmd == POBJ_IOC_FORMAT) {
		/* out_diag only tells of errors; by then there may be a pool. */
		EXPECT_TRUE(!ret || ret == -EFAULT);
	} else {
		EXPECT_EQ(-EFAULT, ret);
		/* No claim and no file whose number the caller never learns. */
		EXPECT_TRUE(unchanged(self));
	}
	munmap(map, 3 * T_PAGE);
}

TEST_F(ioctl, unknown_flags)
{
	__u8 arg[MAX_STRUCT];
	int bit;

	remember(self);
	for (bit = 0; bit < 32; bit++) {
		if (variant->flags & 1U << bit)
			continue;
		fill(self, variant, arg);
		((__u32 *)arg)[1] |= 1U << bit;
		EXPECT_EQ(-EOPNOTSUPP, t_ioctl(the_file(self, variant), variant->cmd, arg))
			TH_LOG("flag %d", bit);
	}
	EXPECT_TRUE(unchanged(self));
}

TEST_F(ioctl, reserved_field)
{
	__u8 arg[MAX_STRUCT];
	int bit;

	remember(self);
	for (bit = 0; variant->reserved && bit < 32; bit += 31) {
		fill(self, variant, arg);
		*(__u32 *)(arg + variant->reserved) = 1U << bit;
		EXPECT_EQ(-EINVAL, t_ioctl(the_file(self, variant), variant->cmd, arg));
	}
	EXPECT_TRUE(unchanged(self));
}

TEST_F(ioctl, wrong_file)
{
	int fd = self->p.ctl, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	__u8 arg[MAX_STRUCT];

	if (variant->ctl) {
		if (variant->state == FREE)
			ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, fd);
	}
	remember(self);
	fill(self, variant, arg);
	EXPECT_EQ(-ENOTTY, t_ioctl(fd, variant->cmd, arg));
	EXPECT_EQ(-ENOTTY, t_ioctl(fd, variant->cmd, NULL));
	EXPECT_EQ(-ENOTTY, t_ioctl(null, variant->cmd, arg));
	EXPECT_TRUE(unchanged(self));
	close(null);
	if (fd != self->p.ctl)
		close(fd);
}

/* The size that is encoded in the number does not count: structs may grow. */
TEST_F(ioctl, encoded_size)
{
	static const size_t sizes[] = { 0, 4, 8, 4096, _IOC_SIZEMASK };
	__u8 arg[MAX_STRUCT];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(self, variant, arg);
		EXPECT_EQ(0, t_ioctl(the_file(self, variant),
				     _IOC(_IOC_READ | _IOC_WRITE, POBJ_IOC_TYPE,
					  _IOC_NR(variant->cmd), sizes[i]), arg));
		ASSERT_EQ(0, again(self, variant));
	}
}

FIXTURE(numbers)
{
	struct t_pool p;
};

FIXTURE_SETUP(numbers)
{
	T_POOL_MAKE(&self->p, 0);
}

FIXTURE_TEARDOWN(numbers)
{
	t_pool_drop(&self->p);
}

TEST_F(numbers, unknown)
{
	__u64 arg[256] = { 8 };
	unsigned long cmd;
	int nr;

	for (nr = 0; nr < 256; nr++) {
		cmd = _IOWR(POBJ_IOC_TYPE, nr, __u64);
		if (nr > 0x03)
			EXPECT_EQ(-ENOTTY, t_ioctl(self->p.ctl, cmd, arg))
				TH_LOG("%#x", nr);
		if (nr < 0x10 || nr > 0x13)
			EXPECT_EQ(-ENOTTY, t_ioctl(self->p.fd, cmd, arg))
				TH_LOG("%#x", nr);
		/* Ours, but for another driver's type. */
		EXPECT_EQ(-ENOTTY, t_ioctl(self->p.ctl, _IOWR(0xB6, nr, __u64), arg));
		EXPECT_EQ(-ENOTTY, t_ioctl(self->p.fd, _IOWR(0xB6, nr, __u64), arg));
	}
}

/* Regions are mapped, not read: no other way to the contents. */
TEST_F(numbers, no_read_write)
{
	char buf[16] = "";

	EXPECT_GT(0, read(self->p.fd, buf, sizeof(buf)));
	EXPECT_GT(0, write(self->p.fd, buf, sizeof(buf)));
	EXPECT_GT(0, pread(self->p.fd, buf, sizeof(buf), 0));
	EXPECT_GT(0, read(self->p.ctl, buf, sizeof(buf)));
	EXPECT_GT(0, write(self->p.ctl, buf, sizeof(buf)));
	EXPECT_GT(0, ftruncate(self->p.fd, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, T_PAGE, PROT_READ, MAP_SHARED, self->p.ctl, 0));
}

TEST_HARNESS_MAIN
