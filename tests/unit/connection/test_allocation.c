/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_allocation.c - requests, replies and commands of the usual kind allocate nothing, and cost one send and one
 * receive each.
 *
 * The allocator and the two system calls are wrapped by the linker (--wrap) in the archive under test; the peer's
 * script counts its own calls too, so the counters are the calling thread's.
 */
#include "peer.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#define ROUNDS 1000

static _Thread_local unsigned int allocations, sends, receives;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
ssize_t __real_sendmsg(int fd, const struct msghdr *mh, int flags);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *mh, int flags);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *mh, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *mh, int flags);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *mh, int flags)
{
	sends++;
	return __real_sendmsg(fd, mh, flags);
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	sends++;
	return __real_send(fd, buf, len, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *mh, int flags)
{
	receives++;
	return __real_recvmsg(fd, mh, flags);
}

static void reset_counts(void)
{
	allocations = sends = receives = 0;
}

static void answer_all(struct peer *p)
{
	uint8_t buf[4096];

	for (int i = 0; i < ROUNDS; i++) {
		WANT(p, peer_read(p));
		WANT(p, peer_send(p, buf, peer_read_reply(p, buf, 0)));
	}
}

static void test_client(void **state)
{
	static const struct vfki_conn_opts client = { 0 };
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	reset_counts();
	conn = peer_connect(&p, &client);
	/* The wrapping works at all. */
	assert_true(allocations > 0);
	peer_start(&p, answer_all);
	simple_read(&s, 0, 4);
	reset_counts();
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(allocations, 0);
	assert_int_equal(sends, ROUNDS);
	assert_int_equal(receives, ROUNDS);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void ask_all(struct peer *p)
{
	struct vfki_wire_region_access a = { .count = 4 };
	uint8_t buf[64];

	for (int i = 0; i < ROUNDS; i++) {
		WANT(p, peer_send(p, buf,
				  peer_message(buf, 1, VFKI_WIRE_REGION_READ, 0, &a, sizeof(a))));
		WANT(p, peer_read(p));
	}
}

static void test_server(void **state)
{
	static const struct vfki_conn_opts server = { .server = true };
	struct vfki_conn *conn;
	uint8_t data[20] = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	peer_start(&p, ask_all);
	reset_counts();
	for (int i = 0; i < ROUNDS; i++) {
		struct pollfd input = { .fd = vfki_conn_fd(conn), .events = POLLIN };
		struct vfki_command *cmd;

		assert_int_equal(poll(&input, 1, 5000), 1);
		assert_int_equal(vfki_conn_next(conn, &cmd), 1);
		assert_int_equal(vfki_conn_reply(conn, cmd, &iov, 1, NULL, 0), 0);
		assert_false(vfki_conn_release(conn));
	}
	assert_int_equal(allocations, 0);
	assert_int_equal(sends, ROUNDS);
	assert_int_equal(receives, ROUNDS);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_server),
	};

	return cmocka_run_group_tests_name("connection: cost", tests, NULL, NULL);
}
