/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_eventfd.c - signalling eventfds that a hostile peer shares.
 *
 * The tests of what must not block run under an alarm: a signaller that waits is killed, not waited
 * for.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/eventfd.h"
#include "lib/base/fd.h"

#define FULL (UINT64_MAX - 1)

/* Each test runs in both modes; *state says which. */
static int setup_async(void **state)
{
	struct vfki_signaller *s;

	if (vfki_signaller_create(&s))
		return -1;
	*state = s;
	alarm(20);
	return 0;
}

static int setup_write(void **state)
{
	int r = setup_async(state);

	if (!r)
		vfki_signaller_force_write(*state);
	return r;
}

static int teardown(void **state)
{
	alarm(0);
	vfki_signaller_destroy(*state);
	return 0;
}

static void test_counts_arrive(void **state)
{
	uint64_t count = 0;
	int fd = vfki_eventfd_create();

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(vfki_eventfd_drain(fd, &count), -EAGAIN);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(vfki_signaller_signal(*state, fd), 0);
	assert_int_equal(vfki_eventfd_drain(fd, &count), 0);
	assert_int_equal(count, 1000);
	assert_int_equal(vfki_eventfd_drain(fd, &count), -EAGAIN);
	close(fd);
}

static void test_full_and_blocking(void **state)
{
	struct pollfd p = { .events = POLLOUT };
	uint64_t fill = FULL, count = 0;
	int fd = eventfd(0, 0);

	assert_int_equal(write(fd, &fill, sizeof(fill)), sizeof(fill));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(vfki_signaller_signal(*state, fd), 0);
	p.fd = fd;
	poll(&p, 1, 0);
	assert_false(p.revents & POLLOUT);
	assert_int_equal(vfki_eventfd_drain(fd, &count), 0);
	assert_true(count >= FULL);
	assert_int_equal(vfki_signaller_signal(*state, fd), 0);
	assert_int_equal(vfki_eventfd_drain(fd, &count), 0);
	assert_int_equal(count, 1);
	close(fd);
}

static void test_wakes_a_poller(void **state)
{
	struct pollfd p = { .events = POLLIN };
	int fd = eventfd(0, 0);

	p.fd = fd;
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(vfki_signaller_signal(*state, fd), 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	close(fd);
}

static void test_refuses_what_is_no_eventfd(void **state)
{
	int pipes[2], sockets[2], null = open("/dev/null", O_RDWR), epoll = epoll_create1(0);
	char c;

	assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	assert_int_equal(vfki_signaller_signal(*state, pipes[1]), -EINVAL);
	assert_int_equal(vfki_signaller_signal(*state, pipes[0]), -EINVAL);
	assert_int_equal(vfki_signaller_signal(*state, sockets[0]), -EINVAL);
	assert_int_equal(vfki_signaller_signal(*state, null), -EINVAL);
	assert_int_equal(vfki_signaller_signal(*state, epoll), -EINVAL);
	assert_int_equal(read(pipes[0], &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(read(sockets[1], &c, 1), -1);
	close(null);
	close(epoll);
	vfki_fd_close_all(pipes, 2);
	vfki_fd_close_all(sockets, 2);
	assert_int_equal(vfki_signaller_signal(*state, null), -EBADF);
	assert_int_equal(vfki_signaller_signal(*state, -1), -EBADF);
}

/* The context belongs to the process that made it; a child must reach eventfds all the same. */
static void test_after_fork(void **state)
{
	uint64_t count = 0;
	int fd = eventfd(0, EFD_NONBLOCK), status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(vfki_signaller_signal(*state, fd) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(vfki_eventfd_drain(fd, &count), 0);
	assert_int_equal(count, 1);
	close(fd);
}

#define THREADS 4
#define SIGNALS 5000

struct crowd {
	struct vfki_signaller *s;
	int fd;
	atomic_int failed;
};

static void *signal_many(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < SIGNALS; i++)
		if (vfki_signaller_signal(crowd->s, crowd->fd))
			crowd->failed++;
	return NULL;
}

static void test_many_threads(void **state)
{
	struct crowd crowd = { .s = *state, .fd = vfki_eventfd_create() };
	pthread_t threads[THREADS];
	uint64_t count = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, signal_many, &crowd), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.failed, 0);
	assert_int_equal(vfki_eventfd_drain(crowd.fd, &count), 0);
	assert_int_equal(count, THREADS * SIGNALS);
	close(crowd.fd);
}

struct villain {
	int fd;
	atomic_bool stop;
};

/* A peer that fills the eventfd and makes it blocking, over and over. */
static void *torment(void *arg)
{
	struct villain *v = arg;
	uint64_t fill = FULL, count;

	while (!v->stop) {
		vfki_fd_set_nonblock(v->fd, true);
		if (write(v->fd, &fill, sizeof(fill)) < 0)
			vfki_eventfd_drain(v->fd, &count);
		vfki_fd_set_nonblock(v->fd, false);
	}
	return NULL;
}

/* Only the asynchronous way holds against a peer who changes the eventfd meanwhile. */
static void test_tormented(void **state)
{
	struct villain v = { .fd = eventfd(0, 0) };
	pthread_t thread;

	assert_true(vfki_signaller_is_async(*state));
	assert_int_equal(pthread_create(&thread, NULL, torment, &v), 0);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(vfki_signaller_signal(*state, v.fd), 0);
	v.stop = true;
	pthread_join(thread, NULL);
	close(v.fd);
}

static void test_modes(void **state)
{
	assert_true(vfki_signaller_is_async(*state));
	vfki_signaller_force_write(*state);
	assert_false(vfki_signaller_is_async(*state));
	vfki_signaller_destroy(NULL);
}

static void test_drain_never_waits(void **state)
{
	int fd = eventfd(0, 0), pipes[2];
	uint64_t count = 7;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(vfki_eventfd_drain(fd, &count), -EAGAIN);
	assert_int_equal(vfki_eventfd_drain(pipes[0], &count), -EAGAIN);
	assert_int_equal(write(pipes[1], "abc", 3), 3);
	assert_int_equal(vfki_eventfd_drain(pipes[0], &count), -EINVAL);
	assert_int_equal(vfki_eventfd_drain(-1, &count), -EBADF);
	close(fd);
	vfki_fd_close_all(pipes, 2);
}

#define both(f)                                                    \
	cmocka_unit_test_setup_teardown(f, setup_async, teardown), \
		cmocka_unit_test_setup_teardown(f, setup_write, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		both(test_counts_arrive),
		both(test_full_and_blocking),
		both(test_wakes_a_poller),
		both(test_refuses_what_is_no_eventfd),
		both(test_after_fork),
		both(test_many_threads),
		cmocka_unit_test_setup_teardown(test_tormented, setup_async, teardown),
		cmocka_unit_test_setup_teardown(test_modes, setup_async, teardown),
		cmocka_unit_test_setup_teardown(test_drain_never_waits, setup_async, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
