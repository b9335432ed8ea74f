/* SPDX-License-Identifier: BSD-3-Clause */
/* test_listen.c - the socket: made, replaced, left alone, removed; and descriptors that are handed in. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
	struct probe *probe;
	struct rig rig;
	char dir[64], path[96];
	size_t fds;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.fds = rig_count_fds();
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
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	assert_int_equal(rig_count_fds(), f->fds);
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

static void permissions(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .socket_mode = 0666 };
	mode_t old = umask(077);

	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	assert_int_equal(mode_of(f->path), 0600);
	rig_close(&f->rig);
	rig_listen(&f->rig, f->probe->dev, f->path, &opts);
	assert_int_equal(mode_of(f->path), 0666);
	rig_close(&f->rig);
	umask(0);
	opts.socket_mode = 0640;
	rig_listen(&f->rig, f->probe->dev, f->path, &opts);
	assert_int_equal(mode_of(f->path), 0640);
	assert_int_equal(umask(old), 0);
	rig_close(&f->rig);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void in_use(void **state)
{
	struct fixture *f = *state;
	struct probe *other = probe_open(false);
	struct vfk_server *server = NULL;

	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	assert_int_equal(vfk_server_listen(other->dev, f->path, NULL, &server), -EADDRINUSE);
	assert_null(server);
	assert_non_null(strstr(vfk_error(), f->path));
	mode_of(f->path);
	rig_pump(&f->rig, 0);
	f->rig.fd = rig_connect(f->path);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	rig_close(&f->rig);
	probe_close(other);
}

/* Left behind by a server that was killed. */
static void stale(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	f->rig.fd = rig_connect(f->path);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	rig_close(&f->rig);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void another_kind_of_file(void **state)
{
	struct fixture *f = *state;
	struct vfk_server *server;
	struct stat st;
	int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, NULL, &server), -EADDRINUSE);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 8);
	unlink(f->path);
	assert_int_equal(symlink("elsewhere", f->path), 0);
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, NULL, &server), -EADDRINUSE);
	assert_int_equal(lstat(f->path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* Somebody has put another socket in the place of ours: it is not ours to remove. */
static void replaced_by_somebody(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	assert_int_equal(unlink(f->path), 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	rig_close(&f->rig);
	assert_int_equal(access(f->path, F_OK), 0);
	close(fd);
}

/* The path is relative, and the program goes elsewhere. */
static void relative(void **state)
{
	struct fixture *f = *state;
	char *cwd = getcwd(NULL, 0);

	assert_non_null(cwd);
	assert_int_equal(chdir(f->dir), 0);
	rig_listen(&f->rig, f->probe->dev, "s", NULL);
	assert_int_equal(chdir("/"), 0);
	mode_of(f->path);
	rig_close(&f->rig);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
}

static void impossible_paths(void **state)
{
	struct fixture *f = *state;
	struct vfk_server *server;
	char path[200];

	assert_int_equal(vfk_server_listen(f->probe->dev, "", NULL, &server), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vfk_server_listen(f->probe->dev, path, NULL, &server), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/absent/s", f->dir);
	assert_int_equal(vfk_server_listen(f->probe->dev, path, NULL, &server), -ENOENT);
	snprintf(path, sizeof(path), "%s/", f->dir);
	assert_int_equal(vfk_server_listen(f->probe->dev, path, NULL, &server), -EINVAL);
	/* The device is as it was. */
	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	rig_close(&f->rig);
}

static void impossible_options(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	struct vfk_server *server;

	opts.timeout_ms = 3600001;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.timeout_ms = 0;
	opts.max_data_xfer_size = 4095;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.max_data_xfer_size = (16 << 20) + 1;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.max_data_xfer_size = 0;
	opts.max_dma_maps = 65536;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.max_dma_maps = 0;
	opts.socket_mode = 01777;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -ERANGE);
	opts.socket_mode = 0;
	opts.size = 0;
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, &opts, &server), -EINVAL);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void device_in_a_space(void **state)
{
	struct fixture *f = *state;
	struct vfk_dma_space *space;
	struct vfk_server *server;

	assert_int_equal(vfk_dma_space_create(&space), 0);
	assert_int_equal(vfk_device_attach_dma(f->probe->dev, space), 0);
	assert_int_equal(vfk_server_listen(f->probe->dev, f->path, NULL, &server), -EBUSY);
	assert_int_equal(vfk_device_detach_dma(f->probe->dev), 0);
	assert_int_equal(vfk_dma_space_destroy(space), 0);
	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	rig_close(&f->rig);
}

static void listening_descriptor(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	memset(&f->rig, 0, sizeof(f->rig));
	f->rig.dev = f->probe->dev;
	assert_int_equal(vfk_server_on_fd(f->probe->dev, fd, NULL, &f->rig.server), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		f->rig.fd = rig_connect(f->path);
		assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
		close(f->rig.fd);
		rig_pump(&f->rig, 0);
		assert_int_equal(f->rig.result, 0);
	}
	f->rig.fd = -1;
	rig_close(&f->rig);
	/* Its path is the caller's. */
	assert_int_equal(access(f->path, F_OK), 0);
}

static void impossible_descriptors(void **state)
{
	struct fixture *f = *state;
	struct vfk_server *server;
	int ends[2], fd;

	assert_int_equal(vfk_server_on_fd(f->probe->dev, -1, NULL, &server), -ENOTSOCK);
	assert_int_equal(vfk_server_on_fd(f->probe->dev, f->probe->memfd, NULL, &server),
			 -ENOTSOCK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(vfk_server_on_fd(f->probe->dev, ends[0], NULL, &server), -EINVAL);
	/* Untouched on failure. */
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(vfk_server_on_fd(f->probe->dev, fd, NULL, &server), -EINVAL);
	assert_int_equal(close(fd), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(vfk_server_on_fd(f->probe->dev, fd, NULL, &server), -EINVAL);
	assert_int_equal(close(fd), 0);
}

/* ---- what the kernel refuses ---- */

static int watches_left = -1; /* until one fails; -1: none does */

int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (op != EPOLL_CTL_ADD || watches_left < 0 || watches_left--)
		return __real_epoll_ctl(epfd, op, fd, event);
	errno = ENOSPC;
	return -1;
}

/* The user has no watches left (epoll(7), max_user_watches), at any moment of it: the socket stays the caller's, and open. */
static void connected_fd_stays(void **state)
{
	struct fixture *f = *state;
	struct vfk_server *server = NULL;
	int ends[2], ret = -1;
	size_t fds;
	char c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fds = rig_count_fds();
	for (int n = 0; ret; n++) {
		watches_left = n;
		ret = vfk_server_on_fd(f->probe->dev, ends[0], NULL, &server);
		watches_left = -1;
		assert_true(n < 10);
		assert_true(n || ret);
		if (!ret)
			break;
		assert_int_equal(rig_count_fds(), fds);
		assert_int_equal(write(ends[0], "x", 1), 1);
		assert_int_equal(read(ends[1], &c, 1), 1);
	}
	vfk_server_close(server);
	assert_int_equal(close(ends[0]), -1);
	close(ends[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(connected_fd_stays),
		CASE(permissions),
		CASE(in_use),
		CASE(stale),
		CASE(another_kind_of_file),
		CASE(replaced_by_somebody),
		CASE(relative),
		CASE(impossible_paths),
		CASE(impossible_options),
		CASE(device_in_a_space),
		CASE(listening_descriptor),
		CASE(impossible_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
