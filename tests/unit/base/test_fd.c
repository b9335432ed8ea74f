/* SPDX-License-Identifier: BSD-3-Clause */
/* test_fd.c - descriptors: closing, duplicating, telling kinds apart. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"

static void test_close_keeps_errno(void **state)
{
	int fd = dup(0);

	(void)state;
	assert_true(fd >= 0);
	errno = ENOTTY;
	vfki_fd_close(fd);
	vfki_fd_close(fd);
	vfki_fd_close(-1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* A TCP connection with data that nobody takes, and the wish to wait for that at the end. */
static int lingering_socket(int *peer)
{
	const struct linger linger = { 1, 10 };
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static const char data[65536];
	socklen_t len = sizeof(addr);

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
	*peer = accept(listener, NULL, NULL);
	assert_true(*peer >= 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(listener);
	return fd;
}

static void test_close_does_not_linger(void **state)
{
	struct timespec begin, end;
	int peer, fd = lingering_socket(&peer);

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	vfki_fd_close(fd);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(end.tv_sec - begin.tv_sec, 0, 3);
	close(peer);
}

static void test_close_all(void **state)
{
	int fds[3] = { dup(0), -1, dup(0) }, was[3] = { fds[0], -1, fds[2] };

	(void)state;
	vfki_fd_close_all(fds, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fds[i], -1);
	assert_int_equal(fcntl(was[0], F_GETFD), -1);
	assert_int_equal(fcntl(was[2], F_GETFD), -1);
}

static void test_dup(void **state)
{
	int fd = vfki_fd_dup(0);

	(void)state;
	assert_true(fd > 2);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(vfki_fd_dup(fd), -EBADF);
}

static void test_flags(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vfki_fd_set_cloexec(fds[0]), 0);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(vfki_fd_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(vfki_fd_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	vfki_fd_close_all(fds, 2);
	assert_int_equal(vfki_fd_set_cloexec(-1), -EBADF);
	assert_int_equal(vfki_fd_set_nonblock(-1, true), -EBADF);
}

static void test_kinds(void **state)
{
	int event = eventfd(0, 0), epoll = epoll_create1(0), mem = memfd_create("x", 0),
	    null = open("/dev/null", O_RDWR);
	int pipes[2], sockets[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_true(vfki_fd_is_anon(event));
	assert_true(vfki_fd_is_eventfd(event));
	assert_true(vfki_fd_is_anon(epoll));
	assert_false(vfki_fd_is_eventfd(epoll));
	assert_false(vfki_fd_is_anon(mem));
	assert_false(vfki_fd_is_eventfd(mem));
	assert_false(vfki_fd_is_anon(null));
	assert_false(vfki_fd_is_anon(pipes[0]));
	assert_false(vfki_fd_is_anon(pipes[1]));
	assert_false(vfki_fd_is_anon(sockets[0]));
	assert_false(vfki_fd_is_eventfd(-1));
	close(event);
	close(epoll);
	close(mem);
	close(null);
	vfki_fd_close_all(pipes, 2);
	vfki_fd_close_all(sockets, 2);
}

static void test_seals_and_size(void **state)
{
	int mem = memfd_create("x", MFD_ALLOW_SEALING), pipes[2];
	uint64_t size = 1;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ftruncate(mem, 8192), 0);
	assert_int_equal(vfki_fd_size(mem, &size), 0);
	assert_int_equal(size, 8192);
	assert_int_equal(vfki_fd_seals(mem), 0);
	assert_int_equal(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(vfki_fd_seals(mem), F_SEAL_SHRINK);
	assert_int_equal(vfki_fd_size(pipes[0], &size), -ENOTSUP);
	assert_int_equal(size, 8192);
	assert_int_equal(vfki_fd_size(-1, &size), -EBADF);
	assert_int_equal(vfki_fd_seals(pipes[0]), -EINVAL);
	close(mem);
	vfki_fd_close_all(pipes, 2);
}

/* SIGPIPE is as a program has it that does not know of any pipe: it would end this one. */
static void test_writev_to_nobody(void **state)
{
	struct iovec iov[2] = { { .iov_base = (char *)"a", .iov_len = 1 },
				{ .iov_base = (char *)"bc", .iov_len = 2 } };
	sigset_t pending;
	int pipes[2];
	char got[4];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(vfki_fd_writev(pipes[1], iov, 2), 3);
	assert_int_equal(read(pipes[0], got, sizeof(got)), 3);
	assert_memory_equal(got, "abc", 3);
	close(pipes[0]);
	assert_int_equal(vfki_fd_writev(pipes[1], iov, 2), -EPIPE);
	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, SIGPIPE));
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_keeps_errno),
		cmocka_unit_test(test_close_does_not_linger),
		cmocka_unit_test(test_close_all),
		cmocka_unit_test(test_dup),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_seals_and_size),
		cmocka_unit_test(test_writev_to_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
