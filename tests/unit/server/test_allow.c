/* SPDX-License-Identifier: BSD-3-Clause */
/* test_allow.c - who may be a client: by user, by group, and what becomes of the others. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY_HERE 4000000001u /* no user and no group of this process */

struct fixture {
	struct probe *probe;
	struct rig rig;
	char dir[64], path[96];
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	snprintf(f.dir, sizeof(f.dir), "/tmp/vfiokit-server-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
	f.probe = probe_open(false);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	probe_close(f->probe);
	assert_int_equal(rmdir(f->dir), 0);
	return 0;
}

static struct vfk_server_counts counts_of(struct rig *rig)
{
	struct vfk_server_counts counts = { .size = sizeof(counts) };

	assert_int_equal(vfk_server_get_counts(rig->server, &counts), 0);
	return counts;
}

static void expect_allowed(struct fixture *f, const struct vfk_server_opts *opts)
{
	rig_listen(&f->rig, f->probe->dev, f->path, opts);
	f->rig.fd = rig_connect(f->path);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	assert_int_equal(counts_of(&f->rig).clients, 1);
	assert_int_equal(counts_of(&f->rig).refused, 0);
	rig_close(&f->rig);
}

static void expect_refused(struct fixture *f, const struct vfk_server_opts *opts)
{
	char who[64];
	size_t fds;

	rig_listen(&f->rig, f->probe->dev, f->path, opts);
	fds = rig_count_fds();
	f->rig.fd = rig_connect(f->path);
	/* Something to read is there before the server looks. */
	rig_command(&f->rig, CMD_VERSION, 0, "\0\0\2\0", 4, NULL, 0);
	rig_pump(&f->rig, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
	snprintf(who, sizeof(who), "user %u, group %u, process %d", getuid(), getgid(), getpid());
	assert_non_null(strstr(f->rig.text, who));
	assert_int_equal(counts_of(&f->rig).clients, 0);
	assert_int_equal(counts_of(&f->rig).refused, 1);
	assert_int_equal(counts_of(&f->rig).not_allowed, 1);
	assert_false(vfk_server_has_client(f->rig.server));
	close(f->rig.fd);
	f->rig.fd = -1;
	assert_int_equal(rig_count_fds(), fds);
	rig_close(&f->rig);
}

static void by_user(void **state)
{
	uint32_t ids[] = { NOBODY_HERE, getuid() };
	struct vfk_server_opts opts = { .size = sizeof(opts), .allow_uids = ids };

	opts.num_allow_uids = 2;
	expect_allowed(*state, &opts);
	opts.num_allow_uids = 1;
	expect_refused(*state, &opts);
}

static void by_group(void **state)
{
	uint32_t ids[] = { NOBODY_HERE, getgid() };
	struct vfk_server_opts opts = { .size = sizeof(opts), .allow_gids = ids };

	opts.num_allow_gids = 2;
	expect_allowed(*state, &opts);
	opts.num_allow_gids = 1;
	expect_refused(*state, &opts);
}

/* One of either list is enough. */
static void by_either(void **state)
{
	uint32_t nobody = NOBODY_HERE, group = getgid();
	struct vfk_server_opts opts = { .size = sizeof(opts) };

	opts.allow_uids = &nobody;
	opts.num_allow_uids = 1;
	opts.allow_gids = &group;
	opts.num_allow_gids = 1;
	expect_allowed(*state, &opts);
	group = NOBODY_HERE;
	expect_refused(*state, &opts);
}

/* A group that is not the primary one; a process without such cannot show it. */
static void by_supplementary_group(void **state)
{
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	gid_t old[1024], more[] = { 54321 };
	uint32_t group = 54321;
	int n = getgroups(1024, old);

	assert_true(n >= 0);
	/* Only root may take one; others show it with one that they have. */
	if (setgroups(1, more))
		group = n && old[0] != getgid() ? old[0] : n > 1 ? old[1] : getgid();
	opts.allow_gids = &group;
	opts.num_allow_gids = 1;
	expect_allowed(*state, &opts);
	setgroups((size_t)n, old);
}

/* A second one that is allowed is told that there is a client; that is no matter of the lists. */
static void beside_a_client(void **state)
{
	struct fixture *f = *state;
	uint32_t user = getuid();
	struct vfk_server_opts opts = { .size = sizeof(opts), .allow_uids = &user };
	int fd;

	opts.num_allow_uids = 1;
	rig_listen(&f->rig, f->probe->dev, f->path, &opts);
	f->rig.fd = rig_connect(f->path);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	fd = rig_connect(f->path);
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.refused, 1);
	assert_string_equal(f->rig.text, "there is a client already");
	assert_int_equal(counts_of(&f->rig).refused, 1);
	assert_int_equal(counts_of(&f->rig).not_allowed, 0);
	close(fd);
	rig_close(&f->rig);
}

/* One that is connected already is checked, and stays the caller's. */
static void handed_in(void **state)
{
	struct fixture *f = *state;
	uint32_t user = NOBODY_HERE;
	struct vfk_server_opts opts = { .size = sizeof(opts), .allow_uids = &user };
	struct vfk_server *server = NULL;
	int ends[2];

	opts.num_allow_uids = 1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(vfk_server_on_fd(f->probe->dev, ends[0], &opts, &server), -EACCES);
	assert_null(server);
	user = getuid();
	assert_int_equal(vfk_server_on_fd(f->probe->dev, ends[0], &opts, &server), 0);
	vfk_server_close(server);
	close(ends[1]);
}

static void impossible(void **state)
{
	struct fixture *f = *state;
	uint32_t ids[1025] = { 0 };
	struct vfk_server_opts opts = { .size = sizeof(opts), .num_allow_uids = 1 };
	struct vfk_server_counts counts = { .size = sizeof(size_t) };
	struct vfk_server *server;

	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -EINVAL);
	opts.allow_uids = ids;
	opts.num_allow_gids = 1;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -EINVAL);
	opts.allow_gids = ids;
	opts.num_allow_gids = 1025;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.num_allow_gids = 1024;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), 0);
	assert_int_equal(vfk_server_get_counts(server, &counts), -EINVAL);
	vfk_server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_user, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_either, set_up, tear_down),
		cmocka_unit_test_setup_teardown(by_supplementary_group, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beside_a_client, set_up, tear_down),
		cmocka_unit_test_setup_teardown(handed_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(impossible, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("server/allow", tests, NULL, NULL);
}
