/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fds.c - descriptors find the message that they belong to, arrive close-on-exec, and none is left behind.
 */
#include "peer.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct vfki_conn_opts client = { 0 };
static const struct vfki_conn_opts server = { .server = true };

static size_t before;

static int setup(void **state)
{
	(void)state;
	before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return count_fds() == before ? 0 : -1;
}

/* A DEVICE_GET_REGION_INFO reply may carry descriptors. */
static size_t info_reply(struct peer *p, void *buf)
{
	uint8_t payload[32] = { 0 };

	return peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, payload,
			    sizeof(payload));
}

static void info_request(struct simple *s, int *fds, size_t max)
{
	simple_init(s, VFKI_WIRE_DEVICE_GET_REGION_INFO, 32, 32);
	s->rq.in_fds = fds;
	s->rq.max_in_fds = max;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		close(fds[i]);
	}
}

static void reply_with_fds(struct peer *p)
{
	size_t n = *(size_t *)p->arg;
	uint8_t buf[64];
	size_t len;

	WANT(p, peer_read(p));
	len = info_reply(p, buf);
	WANT(p, peer_send_fds(p, buf, len, n));
}

static void test_received(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;
	size_t n = 3;
	int fds[8];

	(void)state;
	conn = peer_connect(&p, &client);
	p.arg = &n;
	peer_start(&p, reply_with_fds);
	info_request(&s, fds, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(s.rq.n_in_fds, 3);
	close_all(fds, 3);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* More than the request has places for, and more than a message may have. */
static void test_too_many(void **state)
{
	static const size_t counts[] = { 3, 8, 9, 64, 253 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct vfki_conn *conn;
		size_t n = counts[i];
		struct simple s;
		struct peer p;
		int fds[2];

		conn = peer_connect(&p, &client);
		p.arg = &n;
		peer_start(&p, reply_with_fds);
		info_request(&s, fds, 2);
		assert_int_equal(vfki_conn_request(conn, &s.rq), -EPROTO);
		assert_int_equal(s.rq.n_in_fds, 0);
		peer_stop(&p);
		vfki_conn_destroy(conn);
		assert_int_equal(count_fds(), before);
	}
}

static void reply_cut_at(struct peer *p)
{
	size_t cut = *(size_t *)p->arg, len;
	uint8_t buf[64];

	WANT(p, peer_read(p));
	len = info_reply(p, buf);
	WANT(p, peer_send_fds(p, buf, cut, 1));
	peer_sleep_ms(2);
	WANT(p, peer_send_fds(p, buf + cut, len - cut, 1));
}

/* The message in two sends, each with a descriptor, cut at every place. */
static void test_split(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 48; cut++) {
		struct vfki_conn *conn;
		struct simple s;
		struct peer p;
		int fds[2];

		conn = peer_connect(&p, &client);
		p.arg = &cut;
		peer_start(&p, reply_cut_at);
		info_request(&s, fds, 2);
		assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
		assert_int_equal(s.rq.n_in_fds, 2);
		close_all(fds, 2);
		peer_stop(&p);
		vfki_conn_destroy(conn);
	}
}

/* Commands for a server, in one stream: which of them gets the descriptors of which send. */
static size_t dma_map(void *buf, uint16_t id)
{
	uint8_t payload[32] = { 0 };

	return peer_message(buf, id, VFKI_WIRE_DMA_MAP, 0, payload, sizeof(payload));
}

static size_t reset(void *buf, uint16_t id)
{
	return peer_message(buf, id, VFKI_WIRE_DEVICE_RESET, 0, NULL, 0);
}

static void want_command(struct vfki_conn *conn, uint16_t id, size_t nfds)
{
	struct vfki_command *cmd;

	assert_int_equal(vfki_conn_next(conn, &cmd), 1);
	assert_int_equal(cmd->id, id);
	assert_int_equal(cmd->nfds, nfds);
}

/* Whole messages behind one another; the kernel ends a receive behind the send that had descriptors. */
static void test_owner_whole(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[256];
	size_t len;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	assert_true(peer_send(&p, buf, reset(buf, 1)));
	assert_true(peer_send_fds(&p, buf, dma_map(buf, 2), 1));
	assert_true(peer_send(&p, buf, reset(buf, 3)));
	len = reset(buf, 4);
	len += dma_map(buf + len, 5);
	/* In one send: the descriptors come with the first byte, the last message begun is meant. */
	assert_true(peer_send_fds(&p, buf, len, 2));
	assert_true(peer_send(&p, buf, reset(buf, 6)));
	want_command(conn, 1, 0);
	want_command(conn, 2, 1);
	want_command(conn, 3, 0);
	want_command(conn, 4, 0);
	want_command(conn, 5, 2);
	want_command(conn, 6, 0);
	assert_int_equal(vfki_conn_next(conn, &cmd), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/*
 * The first bytes of a message come with the end of the one before; its descriptors with the rest, or with the first
 * bytes, and the next one's descriptors come in the same receive as its own end.
 */
static void test_owner_partial(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 48; cut++) {
		struct vfki_command *cmd;
		struct vfki_conn *conn;
		uint8_t a[64], b[64];
		size_t a_len = dma_map(a, 1), b_len = dma_map(b, 2);
		struct peer p;

		conn = peer_connect(&p, &server);
		assert_true(peer_send_fds(&p, a, cut, 2));
		assert_int_equal(vfki_conn_next(conn, &cmd), 0);
		assert_true(peer_send(&p, a + cut, a_len - cut));
		assert_true(peer_send_fds(&p, b, b_len, 1));
		want_command(conn, 1, 2);
		want_command(conn, 2, 1);
		assert_int_equal(vfki_conn_next(conn, &cmd), 0);
		peer_stop(&p);
		vfki_conn_destroy(conn);
	}
}

/* Who keeps a descriptor puts -1 in its place; the others are closed with the command. */
static void test_kept(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[64];
	struct peer p;
	int kept;

	(void)state;
	conn = peer_connect(&p, &server);
	assert_true(peer_send_fds(&p, buf, dma_map(buf, 1), 3));
	assert_int_equal(vfki_conn_next(conn, &cmd), 1);
	assert_int_equal(cmd->nfds, 3);
	kept = cmd->fds[1];
	cmd->fds[1] = -1;
	assert_int_equal(count_fds(), before + 3 + 3);
	vfki_conn_release(conn);
	assert_int_equal(count_fds(), before + 3 + 1);
	assert_true(fcntl(kept, F_GETFD) >= 0);
	close(kept);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* The end comes while descriptors are queued, half received, and held by a command. */
static void test_end_with_fds(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[64];
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	for (uint16_t id = 1; id < 4; id++)
		assert_true(peer_send_fds(&p, buf, dma_map(buf, id), 2));
	assert_true(peer_send_fds(&p, buf, 20, 2));
	want_command(conn, 1, 2);
	want_command(conn, 2, 2);
	want_command(conn, 3, 2);
	assert_int_equal(vfki_conn_next(conn, &cmd), 0);
	assert_int_equal(count_fds(), before + 3 + 2);
	peer_hang_up(&p);
	assert_int_equal(vfki_conn_next(conn, &cmd), -ENOTCONN);
	assert_int_equal(count_fds(), before + 2);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_received, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_split, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_partial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_with_fds, setup, teardown),
	};

	return cmocka_run_group_tests_name("connection: descriptors", tests, NULL, NULL);
}
