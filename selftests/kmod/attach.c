// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* POBJ_IOC_ATTACH, DETACH and INFO: permissions, sessions, the life of the sidecar. */
#include "child.h"

#include <sys/resource.h>

FIXTURE(attach)
{
	struct t_pool p;
};

FIXTURE_VARIANT(attach)
{
	int node;
};

FIXTURE_VARIANT_ADD(attach, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(attach, node1)
{
	.node = 1,
};

FIXTURE_SETUP(attach)
{
	T_POOL_MAKE(&self->p, variant->node);
	ASSERT_EQ(0, chmod("/dev/pobj", 0666));
}

FIXTURE_TEARDOWN(attach)
{
	t_kill_all();
	chmod("/dev/pobj", 0660);
	t_pool_drop(&self->p);
}

TEST_F(attach, by_id)
{
	struct pobj_ioc_info i;
	__u64 session = 0;
	int fd;

	fd = t_attach(self->p.ctl, self->p.id, 0, &session);
	ASSERT_LE(0, fd);
	EXPECT_NE(0, session);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_EQ(self->p.id, i.out_region.id);
	EXPECT_EQ(session, i.out_session);
	EXPECT_EQ(0, i.out_region.flags & POBJ_REGION_RDONLY);
	close(fd);
}

TEST_F(attach, by_uuid)
{
	__u8 uuid[16] = { 0 };
	struct pobj_ioc_info i;
	int fd = t_attach_uuid(self->p.ctl, self->p.uuid, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_EQ(self->p.id, i.out_region.id);
	EXPECT_EQ(0, memcmp(i.out_region.uuid, self->p.uuid, 16));
	close(fd);

	/* All bytes count, and no UUID is that of no pool. */
	fd = t_attach_uuid(self->p.ctl, uuid, 0);
	EXPECT_TRUE(fd == -ENOENT || fd == -EINVAL);
	memcpy(uuid, self->p.uuid, 16);
	uuid[15] ^= 1;
	EXPECT_EQ(-ENOENT, t_attach_uuid(self->p.ctl, uuid, 0));
	EXPECT_EQ(-ENOENT, t_attach(self->p.ctl, self->p.id + 1000, 0, NULL));
}

TEST_F(attach, info)
{
	struct pobj_region r;
	struct pobj_ioc_info i;

	ASSERT_EQ(0, t_info(self->p.fd, &i));
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
	EXPECT_EQ(0, memcmp(&i.out_region, &r, sizeof(r)));
	EXPECT_EQ(self->p.dev.rdev, r.dev);
	EXPECT_EQ(self->p.dev.bytes, r.bytes);
	EXPECT_EQ(variant->node, r.node);
	EXPECT_EQ(1, r.sessions);
	EXPECT_EQ(0, r.uid);
	EXPECT_EQ(0, r.gid);
	EXPECT_EQ(0600, r.mode);
	EXPECT_TRUE(r.flags & POBJ_REGION_POOL);
	EXPECT_TRUE(r.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(self->p.session, i.out_session);
	EXPECT_LT(0, i.out_sidecar_bytes);
	EXPECT_EQ(0, i.out_sidecar_bytes % T_PAGE);
	EXPECT_NE(0, i.out_sidecar_id);
	EXPECT_EQ(0, i.out_bad_cnt);
	EXPECT_EQ(0, i.out_bad_bytes);
}

TEST_F(attach, too_many_files)
{
	struct rlimit few = { .rlim_cur = 64, .rlim_max = 64 };
	int fd[64], i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	for (i = 0; i < 64; i++) {
		fd[i] = t_attach(self->p.ctl, self->p.id, 0, NULL);
		if (fd[i] < 0)
			break;
	}
	ASSERT_LT(i, 64);
	EXPECT_EQ(-EMFILE, fd[i]);
	while (i--)
		close(fd[i]);
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
}

/* ---- permissions -------------------------------------------------------------------------- */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t group;
	__u64 id;
	__u32 flags;
	const __u8 *uuid;
};

static int child_attaches(int sock, void *arg)
{
	struct user *u = arg;
	int ctl, fd;

	T_CHILD(!t_become(u->uid, u->gid, &u->group, u->group ? 1 : 0));
	ctl = t_ctl();
	T_CHILD(ctl >= 0);
	fd = u->uuid ? t_attach_uuid(ctl, u->uuid, u->flags) : t_attach(ctl, u->id, u->flags, NULL);
	return fd < 0 ? -fd : 0;
}

/* The control file is root's, the caller is not: the caller counts. */
static int child_attaches_by_roots_file(int sock, void *arg)
{
	struct user *u = arg;
	int ctl = t_ctl(), fd;

	T_CHILD(!t_become(u->uid, u->gid, &u->group, u->group ? 1 : 0));
	fd = t_attach(ctl, u->id, u->flags, NULL);
	return fd < 0 ? -fd : 0;
}

struct format_as {
	struct t_dev *dev;
	__u64 id;
	__u32 mode;
};

/* Alice, in the group of pobj, makes a pool of her own. */
static int child_formats(int sock, void *arg)
{
	struct format_as *how = arg;
	struct pobj_ioc_format f;
	__u8 uuid[16];
	int ctl, fd;

	T_CHILD(!t_become(T_ALICE, T_GROUP, NULL, 0));
	ctl = t_ctl();
	T_CHILD(ctl >= 0);
	fd = t_attach(ctl, how->id, 0, NULL);
	T_CHILD(fd >= 0);
	t_uuid(uuid);
	t_format_init(&f, uuid, POBJ_FORMAT_FORCE);
	f.mode = how->mode;
	return -t_ioctl(fd, POBJ_IOC_FORMAT, &f);
}

static int make_pool_of_alice(struct t_pool *p, __u32 mode)
{
	struct format_as how = { &p->dev, p->id, mode };
	struct pobj_ioc_format f;
	int ret;

	/* Open to all for the moment, so that Alice may take it over. */
	t_uuid(p->uuid);
	t_format_init(&f, p->uuid, POBJ_FORMAT_FORCE);
	f.mode = 0666;
	ret = t_ioctl(p->fd, POBJ_IOC_FORMAT, &f);
	if (ret)
		return ret;
	close(p->fd);
	p->fd = -1;
	return t_call(child_formats, &how);
}

TEST_F_TIMEOUT(attach, mode, 120)
{
	static const struct {
		__u32 mode;
		int owner[2], group[2], other[2];	/* for reading and writing, for reading */
	} modes[] = {
		{ 0600, { 0, 0 }, { EACCES, EACCES }, { EACCES, EACCES } },
		{ 0640, { 0, 0 }, { EACCES, 0 }, { EACCES, EACCES } },
		{ 0660, { 0, 0 }, { 0, 0 }, { EACCES, EACCES } },
		{ 0644, { 0, 0 }, { EACCES, 0 }, { EACCES, 0 } },
		{ 0666, { 0, 0 }, { 0, 0 }, { 0, 0 } },
		{ 0400, { EACCES, 0 }, { EACCES, EACCES }, { EACCES, EACCES } },
		{ 0200, { EACCES, EACCES }, { EACCES, EACCES }, { EACCES, EACCES } },
		{ 0000, { EACCES, EACCES }, { EACCES, EACCES }, { EACCES, EACCES } },
		/* The owner's bits rule for the owner, the group's for the group. */
		{ 0066, { EACCES, EACCES }, { 0, 0 }, { 0, 0 } },
		{ 0606, { 0, 0 }, { EACCES, EACCES }, { 0, 0 } },
	};
	struct pobj_region r;
	unsigned int i;
	int ro, fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, make_pool_of_alice(&self->p, modes[i].mode));
		ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
		EXPECT_EQ(T_ALICE, r.uid);
		EXPECT_EQ(T_GROUP, r.gid);
		EXPECT_EQ(modes[i].mode, r.mode);
		for (ro = 0; ro < 2; ro++) {
			struct user alice = { T_ALICE, T_ALICE, 0, self->p.id, ro, NULL };
			struct user bob = { T_BOB, T_BOB, 0, self->p.id, ro, NULL };
			struct user member = { T_BOB, T_GROUP, 0, self->p.id, ro, NULL };
			struct user fellow = { T_BOB, T_BOB, T_GROUP, self->p.id, ro, NULL };

			EXPECT_EQ(modes[i].owner[ro], t_call(child_attaches, &alice))
				TH_LOG("owner, mode %o, ro %d", modes[i].mode, ro);
			EXPECT_EQ(modes[i].group[ro], t_call(child_attaches, &member))
				TH_LOG("group, mode %o, ro %d", modes[i].mode, ro);
			EXPECT_EQ(modes[i].group[ro], t_call(child_attaches, &fellow))
				TH_LOG("second group, mode %o, ro %d", modes[i].mode, ro);
			EXPECT_EQ(modes[i].other[ro], t_call(child_attaches, &bob))
				TH_LOG("other, mode %o, ro %d", modes[i].mode, ro);
			EXPECT_EQ(modes[i].other[ro], t_call(child_attaches_by_roots_file, &bob))
				TH_LOG("other, root's file, mode %o, ro %d", modes[i].mode, ro);
			bob.uuid = r.uuid;
			EXPECT_EQ(modes[i].other[ro], t_call(child_attaches, &bob))
				TH_LOG("other, by uuid, mode %o, ro %d", modes[i].mode, ro);
		}
		/* Root may always. */
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
	}

	/* Owner and mode are the pool's: they come back with the next claim. */
	ASSERT_EQ(0, make_pool_of_alice(&self->p, 0640));
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
	EXPECT_EQ(T_ALICE, r.uid);
	EXPECT_EQ(T_GROUP, r.gid);
	EXPECT_EQ(0640, r.mode);
	fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(attach, read_only)
{
	struct pobj_ioc_info i;
	__u8 uuid[16];
	int fd;

	close(self->p.fd);
	fd = t_attach(self->p.ctl, self->p.id, POBJ_ATTACH_RDONLY, NULL);
	self->p.fd = fd;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_TRUE(i.out_region.flags & POBJ_REGION_RDONLY);
	/* A property of this file, not of the region. */
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &i.out_region));
	EXPECT_FALSE(i.out_region.flags & POBJ_REGION_RDONLY);
	EXPECT_EQ(-EACCES, t_recover(fd, NULL));
	t_uuid(uuid);
	EXPECT_EQ(-EACCES, t_format(fd, uuid, POBJ_FORMAT_FORCE));
	EXPECT_EQ(0, t_detach(fd));
}

/* ---- sessions ----------------------------------------------------------------------------- */

/* Attach, map, tell the session; then do as told: 0 detach, 1 exit, else wait to be killed. */
static int child_session(int sock, void *arg)
{
	int ctl = t_ctl(), fd;
	__u64 session, what, *p;

	fd = t_attach(ctl, *(__u64 *)arg, 0, &session);
	T_CHILD(fd >= 0);
	p = t_map(fd, T_PAGE, POBJ_MMAP_SIDECAR);
	T_CHILD(p != MAP_FAILED);
	T_CHILD(!t_put(sock, session));
	if (t_get(sock, &what))
		return 1;
	if (!what) {
		T_CHILD(t_detach(fd) == -EBUSY);
		t_unmap_all();
		T_CHILD(!t_detach(fd));
		T_CHILD(t_detach(fd) == -ENOENT);
		T_CHILD(!t_put(sock, 0));
		t_get(sock, NULL);
	}
	return 0;
}

TEST_F(attach, many_processes)
{
	struct t_child c[16];
	__u64 session[16];
	int i, j;

	for (i = 0; i < 16; i++) {
		ASSERT_EQ(0, t_spawn(&c[i], child_session, &self->p.id));
		ASSERT_EQ(0, t_get(c[i].sock, &session[i]));
		EXPECT_NE(0, session[i]);
		EXPECT_NE(self->p.session, session[i]);
		for (j = 0; j < i; j++)
			EXPECT_NE(session[i], session[j]);
	}
	EXPECT_EQ(17, t_sessions(self->p.ctl, self->p.id, 17));
	EXPECT_EQ(-EBUSY, t_release(self->p.ctl, self->p.id));
	for (i = 0; i < 16; i++) {
		t_put(c[i].sock, 1);
		EXPECT_EQ(0, t_join(&c[i]));
	}
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
}

TEST_F(attach, many_files_of_one_process)
{
	struct pobj_ioc_info i;
	__u64 session;
	int fd[64], k;

	for (k = 0; k < 64; k++) {
		fd[k] = t_attach(self->p.ctl, self->p.id, k & 1 ? POBJ_ATTACH_RDONLY : 0, &session);
		ASSERT_LE(0, fd[k]);
		EXPECT_NE(0, session);
		ASSERT_EQ(0, t_info(fd[k], &i));
		EXPECT_EQ(session, i.out_session);
		EXPECT_EQ(k & 1, !!(i.out_region.flags & POBJ_REGION_RDONLY));
	}
	/* "attached address spaces": this is one. */
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_region.sessions);
	EXPECT_EQ(self->p.session, i.out_session);
	for (k = 0; k < 64; k++)
		close(fd[k]);
	/* Those were not all: the session goes on. */
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_region.sessions);
	EXPECT_EQ(self->p.session, i.out_session);
	EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
}

/* "Who attaches a region twice has one session, which lasts until both are detached or closed." */
TEST_F(attach, two_files_of_one_process)
{
	struct pobj_ioc_info i;
	__u64 session;
	int fd, way;
	void *p;

	for (way = 0; way < 4; way++) {
		fd = t_attach(self->p.ctl, self->p.id, 0, &session);
		ASSERT_LE(0, fd);
		EXPECT_EQ(self->p.session, session);
		/* What is mapped by one file keeps that one, and not the other. */
		p = t_map(self->p.fd, T_PAGE, self->p.free);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
		EXPECT_EQ(0, t_detach(fd));
		EXPECT_EQ(-ENOENT, t_detach(fd));
		t_unmap_all();
		close(fd);

		/* The first goes first. */
		fd = t_attach(self->p.ctl, self->p.id, 0, &session);
		ASSERT_LE(0, fd);
		if (way & 1)
			EXPECT_EQ(0, t_detach(self->p.fd));
		close(self->p.fd);
		self->p.fd = fd;
		EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
		ASSERT_EQ(0, t_info(fd, &i));
		EXPECT_EQ(self->p.session, i.out_session);
		EXPECT_EQ(self->p.info.out_sidecar_id, i.out_sidecar_id);
		EXPECT_EQ(0, t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, 0));
	}
	EXPECT_EQ(0, t_detach(self->p.fd));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
}

TEST_F_TIMEOUT(attach, session_is_never_reused, 60)
{
	__u64 seen[64];
	int i, j;

	for (i = 0; i < 64; i++) {
		/* By DETACH, by close, with a new claim now and then. */
		if (i & 1)
			ASSERT_EQ(0, t_detach(self->p.fd));
		close(self->p.fd);
		if (i % 8 == 7) {
			ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
			ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		}
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, &seen[i]);
		ASSERT_LE(0, self->p.fd);
		EXPECT_NE(self->p.session, seen[i]);
		for (j = 0; j < i; j++)
			EXPECT_NE(seen[i], seen[j]);
	}
}

TEST_F(attach, detach)
{
	struct pobj_ioc_info i;
	struct t_child c;
	__u64 session;
	char *p, *q;

	p = t_map(self->p.fd, 4 * T_PAGE, 0);
	ASSERT_NE(MAP_FAILED, p);
	q = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	munmap(q, T_PAGE);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	/* A piece of a mapping is a mapping. */
	munmap(p + T_PAGE, T_PAGE);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	munmap(p, T_PAGE);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	munmap(p + 2 * T_PAGE, 2 * T_PAGE);
	EXPECT_EQ(0, t_detach(self->p.fd));
	EXPECT_EQ(-ENOENT, t_detach(self->p.fd));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(0, i.out_session);

	ASSERT_EQ(0, t_spawn(&c, child_session, &self->p.id));
	ASSERT_EQ(0, t_get(c.sock, &session));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	t_put(c.sock, 0);
	ASSERT_EQ(0, t_get(c.sock, NULL));
	/* It lives on, with the file open, and is no session. */
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	t_put(c.sock, 0);
	EXPECT_EQ(0, t_join(&c));
}

TEST_F(attach, close_while_mapped)
{
	char *p = t_map(self->p.fd, T_PAGE, self->p.free);

	ASSERT_NE(MAP_FAILED, p);
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	EXPECT_EQ(-EBUSY, t_release(self->p.ctl, self->p.id));
	p[5] = 5;
	EXPECT_EQ(5, p[5]);
	t_unmap_all();
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

/* The same for the sidecar. */
TEST_F(attach, close_while_the_sidecar_is_mapped)
{
	__u64 *p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR), session;

	ASSERT_NE(MAP_FAILED, p);
	p[3] = 33;
	close(self->p.fd);
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	EXPECT_EQ(-EBUSY, t_release(self->p.ctl, self->p.id));
	/* It is the session of this address space, and its sidecar. */
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, &session);
	ASSERT_LE(0, self->p.fd);
	EXPECT_EQ(self->p.session, session);
	p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(33, p[3]);
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(-EBUSY, t_release(self->p.ctl, self->p.id));
	t_unmap_all();
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

static int child_hands_over(int sock, void *arg)
{
	int ctl = t_ctl(), fd;
	__u64 session;

	fd = t_attach(ctl, *(__u64 *)arg, 0, &session);
	T_CHILD(fd >= 0);
	T_CHILD(!t_put_fd(sock, fd));
	T_CHILD(!t_put(sock, session));
	t_get(sock, NULL);
	return 0;
}

/* The session is the address space, not the file: it ends though somebody still holds the file. */
TEST_F(attach, killed_while_a_peer_holds_the_file)
{
	struct pobj_ioc_info i;
	struct t_child c;
	__u64 session;
	int fd;

	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	ASSERT_EQ(0, t_spawn(&c, child_hands_over, &self->p.id));
	fd = t_get_fd(c.sock);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_get(c.sock, &session));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_EQ(0, i.out_session);
	EXPECT_EQ(-ENOENT, t_detach(fd));
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));

	/* The file is still good: its first mmap here begins a session here. */
	t_recover(fd, NULL);
	ASSERT_NE(MAP_FAILED, t_map(fd, T_PAGE, 0));
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_NE(0, i.out_session);
	EXPECT_NE(session, i.out_session);
	EXPECT_EQ(1, i.out_region.sessions);
	EXPECT_EQ(-EBUSY, t_detach(fd));
	t_unmap_all();
	EXPECT_EQ(0, t_detach(fd));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	close(fd);
}

TEST_F(attach, file_passed_over)
{
	struct pobj_ioc_info i;
	struct t_child c;
	__u64 session;
	int fd;

	ASSERT_EQ(0, t_spawn(&c, child_hands_over, &self->p.id));
	fd = t_get_fd(c.sock);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_get(c.sock, &session));
	close(self->p.fd);
	self->p.fd = fd;
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	ASSERT_NE(MAP_FAILED, t_map(fd, T_PAGE, 0));
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_EQ(2, i.out_region.sessions);
	EXPECT_NE(session, i.out_session);
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	/* The end of the other is nothing to this mapping. */
	ASSERT_EQ(0, t_info(fd, &i));
	EXPECT_EQ(1, i.out_region.sessions);
	EXPECT_TRUE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(0, t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, 0));
}

TEST_F(attach, forked_child_has_no_session)
{
	struct pobj_ioc_info i;
	pid_t pid = t_fork();

	if (!pid) {
		T_CHILD(!t_info(self->p.fd, &i));
		T_CHILD(!i.out_session);
		T_CHILD(i.out_region.sessions == 1);
		T_CHILD(t_detach(self->p.fd) == -ENOENT);
		/* It begins its own. */
		T_CHILD(mmap(NULL, T_PAGE, T_RW, MAP_SHARED, self->p.fd, 0) != MAP_FAILED);
		T_CHILD(!t_info(self->p.fd, &i));
		T_CHILD(i.out_session && i.out_session != self->p.session);
		T_CHILD(i.out_region.sessions == 2);
		_exit(0);
	}
	EXPECT_EQ(0, t_wait(pid));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(self->p.session, i.out_session);
}

/* vfork and threads share the address space, so they share the session. */
TEST_F(attach, exec_ends_the_session)
{
	struct t_child c;
	pid_t pid;
	int p[2];

	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, pipe(p));
	pid = t_fork();
	if (!pid) {
		int fd = t_attach(t_ctl(), self->p.id, 0, NULL);

		T_CHILD(fd >= 0);
		T_CHILD(mmap(NULL, T_PAGE, T_RW, MAP_SHARED, fd, POBJ_MMAP_SIDECAR) != MAP_FAILED);
		/* Even if it keeps the file. */
		fcntl(fd, F_SETFD, 0);
		dup2(p[0], 0);
		execl("/bin/sh", "sh", "-c", "read x", NULL);
		_exit(1);
	}
	c.pid = pid;
	t_sleep_ms(300);
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	kill(c.pid, SIGKILL);
	t_wait(c.pid);
	close(p[0]);
	close(p[1]);
}

static int child_exits(int sock, void *arg)
{
	int i, ctl = t_ctl(), fd;

	for (i = 0; i < 20; i++) {
		fd = t_attach(ctl, *(__u64 *)arg, 0, NULL);
		T_CHILD(fd >= 0);
		T_CHILD(t_map(fd, T_PAGE, POBJ_MMAP_SIDECAR) != MAP_FAILED);
		if (i == 19)
			break;
		t_unmap_all();
		close(fd);
	}
	return 0;
}

/* Attaching, mapping and dying at once, on all CPUs. */
TEST_F_TIMEOUT(attach, storm, 90)
{
	struct pobj_ioc_info i;
	struct t_child c[8];
	int round, k;

	for (round = 0; round < 6; round++) {
		for (k = 0; k < 8; k++)
			ASSERT_EQ(0, t_spawn(&c[k], child_exits, &self->p.id));
		for (k = 1; k < 8; k += 2)
			t_kill(&c[k]);
		for (k = 0; k < 8; k += 2)
			EXPECT_EQ(0, t_join(&c[k]));
	}
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(self->p.session, i.out_session);
}

/* ---- sidecar ------------------------------------------------------------------------------ */

TEST_F(attach, sidecar_lives_with_the_sessions)
{
	struct pobj_ioc_info i;
	struct t_child c;
	__u64 *p, session, last, first = self->p.info.out_sidecar_id;
	int k;

	p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[7]);
	p[7] = 77;
	ASSERT_EQ(0, t_spawn(&c, child_session, &self->p.id));
	ASSERT_EQ(0, t_get(c.sock, &session));
	t_unmap_all();
	close(self->p.fd);

	/* One session was always there: the same sidecar, with what is in it. */
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(first, i.out_sidecar_id);
	p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(77, p[7]);
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_join(&c));
	EXPECT_EQ(77, p[7]);
	t_unmap_all();

	/* Nobody attached: gone, and the next one is another. */
	for (last = first, k = 0; k < 4; k++) {
		close(self->p.fd);
		EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		ASSERT_EQ(0, t_info(self->p.fd, &i));
		EXPECT_NE(0, i.out_sidecar_id);
		EXPECT_NE(first, i.out_sidecar_id);
		EXPECT_NE(last, i.out_sidecar_id);
		last = i.out_sidecar_id;
		p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(0, p[7]);
		p[7] = k;
		t_unmap_all();
	}
	/* Not even after a new claim does an id come back. */
	ASSERT_EQ(0, t_pool_cycle(&self->p));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_NE(first, i.out_sidecar_id);
	EXPECT_NE(last, i.out_sidecar_id);
}

TEST_HARNESS_MAIN
