/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_command.c - the peer's commands: handled by a client inside its own waits, taken one by one by a server.
 */
#include "lib/base/clock.h"
#include "lib/wire/dma_access.h"
#include "peer.h"
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* ---- client ---- */

/* Answers with as many bytes as were asked for; counts. */
static void serve(void *ctx, struct vfki_conn *conn, struct vfki_command *cmd)
{
	static uint8_t data[MAX_XFER];
	struct vfki_wire_dma_access a;
	struct iovec iov[] = { { &a, sizeof(a) }, { data, 0 } };
	int *count = ctx;

	(*count)++;
	if (cmd->command != VFKI_WIRE_DMA_READ && cmd->command != VFKI_WIRE_DMA_WRITE) {
		vfki_conn_reply_error(conn, cmd, -ENOTSUP);
		return;
	}
	memcpy(&a, cmd->payload, sizeof(a));
	if (cmd->command == VFKI_WIRE_DMA_READ)
		iov[1].iov_len = a.count;
	vfki_conn_reply(conn, cmd, iov, 2, NULL, 0);
}

static size_t dma_read(void *buf, uint16_t id, uint64_t count)
{
	struct vfki_wire_dma_access a = { .addr = 0x1000, .count = count };

	return peer_message(buf, id, VFKI_WIRE_DMA_READ, 0, &a, sizeof(a));
}

/* Reads the answer to a dma_read() of @count bytes. */
static bool answered(struct peer *p, uint16_t id, uint64_t count)
{
	return peer_read(p) && p->head.id == id && p->head.command == VFKI_WIRE_DMA_READ &&
	       p->head.flags == VFKI_WIRE_TYPE_REPLY && p->head.size == 32 + count;
}

static void ask_then_answer(struct peer *p)
{
	struct vfki_wire_header asked;
	uint8_t buf[256], reply[256];
	size_t len;

	WANT(p, peer_read(p));
	asked = p->head;
	len = peer_read_reply(p, reply, 3);
	WANT(p, peer_send(p, buf, dma_read(buf, asked.id, 64)));
	WANT(p, answered(p, asked.id, 64));
	/* Another one, and the reply behind it in the same segment. */
	memcpy(buf + dma_read(buf, 7, 8), reply, len);
	WANT(p, peer_send(p, buf, 32 + len));
	WANT(p, answered(p, 7, 8));
}

static void test_while_waiting(void **state)
{
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, ask_then_answer);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(s.in_data[16], 3);
	peer_stop(&p);
	assert_int_equal(count, 2);
	vfki_conn_destroy(conn);
}

static void answer_and_ask(struct peer *p)
{
	uint8_t buf[256];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 3);
	/* Two commands behind the reply, in the same segment: no poll would show them. */
	len += dma_read(buf + len, 8, 8);
	len += dma_read(buf + len, 9, 8);
	WANT(p, peer_send(p, buf, len));
	WANT(p, answered(p, 8, 8));
	WANT(p, answered(p, 9, 8));
}

static void test_behind_the_reply(void **state)
{
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_and_ask);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(count, 2);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void test_dispatch(void **state)
{
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	uint8_t buf[256];
	size_t len;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	assert_int_equal(vfki_conn_dispatch(conn), 0);
	len = dma_read(buf, 1, 8);
	assert_true(peer_send(&p, buf, len - 1));
	assert_true(is_readable(vfki_conn_fd(conn)));
	assert_int_equal(vfki_conn_dispatch(conn), 0);
	assert_false(is_readable(vfki_conn_fd(conn)));
	assert_true(peer_send(&p, buf + len - 1, 1));
	assert_int_equal(vfki_conn_dispatch(conn), 1);
	assert_true(answered(&p, 1, 8));
	/* One that is unknown, one that is not for a client. */
	assert_true(peer_send(&p, buf, peer_message(buf, 2, 99, 0, buf, 8)));
	assert_true(peer_send(&p, buf, peer_message(buf, 3, VFKI_WIRE_DEVICE_RESET, 0, NULL, 0)));
	assert_int_equal(vfki_conn_dispatch(conn), 2);
	assert_true(peer_read(&p) && p.head.id == 2 && p.head.error == ENOTSUP);
	assert_true(peer_read(&p) && p.head.id == 3 && p.head.error == ENOTSUP);
	/* One that wants no answer gets none. */
	len = dma_read(buf, 4, 8);
	((struct vfki_wire_header *)buf)->flags = VFKI_WIRE_NO_REPLY;
	assert_true(peer_send(&p, buf, len));
	assert_int_equal(vfki_conn_dispatch(conn), 1);
	assert_false(is_readable(p.fd));
	peer_hang_up(&p);
	assert_int_equal(vfki_conn_dispatch(conn), -ENOTCONN);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void write_while_written_to(struct peer *p)
{
	const size_t len = 32 + MAX_XFER;
	struct vfki_wire_dma_access a = { .count = MAX_XFER };
	uint8_t *buf = calloc(1, len);

	WANT(p, buf);
	/* A peer that sends a megabyte before it reads any: neither side may wait for the other to begin. */
	peer_message(buf, 5, VFKI_WIRE_DMA_WRITE, 0, NULL, len - 16);
	memcpy(buf + 16, &a, sizeof(a));
	WANT(p, peer_send(p, buf, len));
	free(buf);
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
	memset(p->payload, 0, 16);
	WANT(p, peer_reply(p, p->payload, 16));
	WANT(p, peer_read(p) && p->head.id == 5 && p->head.flags == VFKI_WIRE_TYPE_REPLY);
}

static void test_both_send(void **state)
{
	void *big = calloc(1, MAX_XFER);
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	struct iovec out[2];
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, write_while_written_to);
	simple_init(&s, VFKI_WIRE_REGION_WRITE, 16, 16);
	out[0] = s.out;
	out[1] = (struct iovec){ big, MAX_XFER };
	s.rq.out = out;
	s.rq.n_out = 2;
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	peer_stop(&p);
	assert_int_equal(count, 1);
	vfki_conn_destroy(conn);
	free(big);
}

/* Answers whoever reads, and only then begins to send a megabyte before it reads any. */
static void write_when_the_reader_has_left(struct peer *p)
{
	const size_t len = 32 + MAX_XFER;
	struct vfki_wire_dma_access a = { .count = MAX_XFER };
	uint8_t *buf = calloc(1, len), reply[64];

	WANT(p, buf);
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_READ);
	atomic_store(&p->stage, 1);
	peer_sleep_ms(200);
	WANT(p, peer_send(p, reply, peer_read_reply(p, reply, 0)));
	peer_sleep_ms(100);
	peer_message(buf, 5, VFKI_WIRE_DMA_WRITE, 0, NULL, len - 16);
	memcpy(buf + 16, &a, sizeof(a));
	WANT(p, peer_send(p, buf, len));
	free(buf);
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
	memset(p->payload, 0, 16);
	WANT(p, peer_reply(p, p->payload, 16));
	WANT(p, peer_read(p) && p->head.id == 5 && p->head.flags == VFKI_WIRE_TYPE_REPLY);
}

static void *read_once(void *conn)
{
	struct simple s;

	simple_read(&s, 0, 4);
	return vfki_conn_request(conn, &s.rq) ? conn : NULL;
}

static void test_reader_leaves_a_sender(void **state)
{
	void *big = calloc(1, MAX_XFER), *failed;
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	struct iovec out[2];
	pthread_t thread;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, write_when_the_reader_has_left);
	assert_int_equal(pthread_create(&thread, NULL, read_once, conn), 0);
	while (!atomic_load(&p.stage))
		sched_yield();
	simple_init(&s, VFKI_WIRE_REGION_WRITE, 16, 16);
	out[0] = s.out;
	out[1] = (struct iovec){ big, MAX_XFER };
	s.rq.out = out;
	s.rq.n_out = 2;
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	peer_stop(&p);
	assert_int_equal(count, 1);
	vfki_conn_destroy(conn);
	free(big);
}

#define POSTS 200

static void wants_an_answer_between_posts(struct peer *p)
{
	uint8_t buf[64];
	int posts = 0;

	WANT(p, peer_send(p, buf, dma_read(buf, 9, 8)));
	atomic_store(&p->stage, 1);
	for (;;) {
		WANT(p, peer_read(p));
		if (p->head.flags & VFKI_WIRE_TYPE_REPLY)
			break;
		posts++;
	}
	WANT(p, p->head.id == 9 && posts < POSTS / 2);
	while (posts++ < POSTS)
		WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
}

static void test_while_posting(void **state)
{
	struct vfki_conn *conn;
	int count = 0;
	const struct vfki_conn_opts client = { .command = serve, .ctx = &count };
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, wants_an_answer_between_posts);
	while (!atomic_load(&p.stage))
		sched_yield();
	simple_init(&s, VFKI_WIRE_REGION_WRITE, 20, 0);
	for (int i = 0; i < POSTS; i++)
		assert_int_equal(vfki_conn_post(conn, &s.rq), 0);
	assert_int_equal(count, 1);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- server ---- */

static const struct vfki_conn_opts server = { .server = true };

static size_t region_read(void *buf, uint16_t id)
{
	struct vfki_wire_region_access a = { .count = 4 };

	return peer_message(buf, id, VFKI_WIRE_REGION_READ, 0, &a, sizeof(a));
}

static void want_next(struct vfki_conn *conn, uint16_t id)
{
	struct vfki_command *cmd;

	assert_int_equal(vfki_conn_next(conn, &cmd), 1);
	assert_int_equal(cmd->id, id);
	assert_int_equal(cmd->command, VFKI_WIRE_REGION_READ);
	assert_int_equal(cmd->len, 16);
}

static void test_next(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[256];
	size_t len;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	assert_int_equal(vfki_conn_next(conn, &cmd), 0);
	len = region_read(buf, 1);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(vfki_conn_next(conn, &cmd), 0);
		assert_true(peer_send(&p, buf + i, 1));
	}
	want_next(conn, 1);
	assert_int_equal(vfki_conn_next(conn, &cmd), 0);
	len += region_read(buf + len, 2);
	assert_true(peer_send(&p, buf, len));
	assert_false(vfki_conn_release(conn));
	want_next(conn, 1);
	assert_true(vfki_conn_release(conn));
	want_next(conn, 2);
	assert_false(vfki_conn_release(conn));
	assert_int_equal(vfki_conn_next(conn, &cmd), 0);
	peer_stop(&p);
	assert_int_equal(vfki_conn_next(conn, &cmd), -ENOTCONN);
	vfki_conn_destroy(conn);
}

static void test_reply(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[256], data[20] = { 1, 2, 3 };
	struct iovec iov = { data, sizeof(data) };
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	assert_true(peer_send(&p, buf, region_read(buf, 1)));
	assert_int_equal(vfki_conn_next(conn, &cmd), 1);
	assert_int_equal(vfki_conn_reply(conn, cmd, &iov, 1, &p.fd, 1), 0);
	assert_true(peer_read(&p) && p.head.id == 1 && p.head.flags == VFKI_WIRE_TYPE_REPLY);
	assert_int_equal(p.head.size, 36);
	assert_memory_equal(p.payload, data, 20);
	assert_int_equal(p.nfds, 1);
	close(p.fds[0]);
	assert_int_equal(vfki_conn_reply_error(conn, cmd, -EACCES), 0);
	assert_true(peer_read(&p) && p.head.size == 16 && p.head.error == EACCES);
	assert_int_equal(p.head.flags, VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR);
	assert_int_equal(vfki_conn_reply(conn, cmd, &iov, VFKI_CONN_MAX_IOV + 1, NULL, 0), -E2BIG);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* Posted writes that were sent before a hang-up count. */
static void test_last_words(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[256];
	size_t len;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	len = region_read(buf, 1);
	len += region_read(buf + len, 2);
	assert_true(peer_send(&p, buf, len + 5));
	peer_hang_up(&p);
	want_next(conn, 1);
	want_next(conn, 2);
	assert_int_equal(vfki_conn_next(conn, &cmd), -ENOTCONN);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void simple_dma(struct simple *s, uint32_t count)
{
	struct vfki_wire_dma_access a = { .addr = 0x1000, .count = count };

	simple_init(s, VFKI_WIRE_DMA_READ, sizeof(a), sizeof(a) + count);
	memcpy(s->out_data, &a, sizeof(a));
}

static void busy_client(struct peer *p)
{
	uint8_t buf[256], payload[24] = { 0 };

	for (uint16_t id = 1; id < 4; id++)
		WANT(p, peer_send(p, buf, region_read(buf, id)));
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_DMA_READ);
	WANT(p, peer_send(p, buf, region_read(buf, 4)));
	WANT(p, peer_reply(p, payload, sizeof(payload)));
}

/* A server that waits for its own request: the client's commands are kept, in order, and the present one stays. */
static void test_nested(void **state)
{
	struct vfki_command *cmd, *next;
	struct vfki_conn *conn;
	uint8_t payload[16];
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	peer_start(&p, busy_client);
	while (vfki_conn_next(conn, &cmd) == 0)
		sched_yield();
	assert_int_equal(cmd->id, 1);
	memcpy(payload, cmd->payload, sizeof(payload));
	simple_dma(&s, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(cmd->id, 1);
	assert_memory_equal(cmd->payload, payload, sizeof(payload));
	/* They were received: only the other descriptor shows them. */
	assert_true(is_readable(vfki_conn_wake_fd(conn)));
	want_next(conn, 2);
	assert_false(is_readable(vfki_conn_wake_fd(conn)));
	want_next(conn, 3);
	vfki_conn_wake(conn);
	assert_true(is_readable(vfki_conn_wake_fd(conn)));
	want_next(conn, 4);
	assert_int_equal(vfki_conn_next(conn, &next), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

struct flood {
	size_t count;
	size_t nfds;
};

static void flood(struct peer *p)
{
	const struct flood *f = p->arg;
	uint8_t buf[256] = { 0 };

	WANT(p, peer_read(p));
	for (size_t i = 0; i < f->count; i++) {
		size_t len = f->nfds ? peer_message(buf, 1, VFKI_WIRE_DMA_MAP, 0, NULL, 32) :
				       region_read(buf, 1);

		if (f->nfds ? !peer_send_fds(p, buf, len, f->nfds) : !peer_send(p, buf, len))
			return;
	}
	WANT(p, peer_sees_end(p));
}

/* More than is kept: by number, by bytes, by descriptors. */
static void test_flood(void **state)
{
	const struct flood floods[] = { { 10, 0 }, { 10, 0 }, { 6, 8 } };
	const struct vfki_conn_opts limits[] = {
		{ .server = true, .queue_commands = 8 },
		{ .server = true, .queue_bytes = 2048 },
		{ .server = true, .queue_fds = 40 },
	};
	size_t before = count_fds();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct vfki_conn *conn;
		struct simple s;
		struct peer p;

		conn = peer_connect(&p, &limits[i]);
		p.arg = (void *)&floods[i];
		peer_start(&p, flood);
		simple_dma(&s, 8);
		assert_int_equal(vfki_conn_request(conn, &s.rq), -EPROTO);
		assert_int_equal(vfki_conn_ended(conn), -EPROTO);
		peer_stop(&p);
		vfki_conn_destroy(conn);
		assert_int_equal(count_fds(), before);
	}
}

/* A client that takes no answers is dropped, within the bound. */
static void test_deaf_client(void **state)
{
	const struct vfki_conn_opts hasty = { .server = true, .timeout_ms = 100 };
	uint64_t began = vfki_now_ns();
	void *big = calloc(1, MAX_XFER);
	struct iovec iov = { big, MAX_XFER };
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[64];
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &hasty);
	assert_true(peer_send(&p, buf, region_read(buf, 1)));
	assert_int_equal(vfki_conn_next(conn, &cmd), 1);
	assert_int_equal(vfki_conn_reply(conn, cmd, &iov, 1, NULL, 0), -ETIMEDOUT);
	assert_true(vfki_now_ns() - began < 1800000000);
	assert_int_equal(vfki_conn_reply(conn, cmd, &iov, 1, NULL, 0), -ENOTCONN);
	assert_int_equal(vfki_conn_next(conn, &cmd), -ETIMEDOUT);
	peer_stop(&p);
	vfki_conn_destroy(conn);
	free(big);
}

/* Garbage at any place of the stream. */
static void test_garbage(void **state)
{
	(void)state;
	for (size_t at = 0; at < 40; at++) {
		struct vfki_command *cmd;
		struct vfki_conn *conn;
		uint8_t buf[256];
		struct peer p;
		int r;

		conn = peer_connect(&p, &server);
		memset(buf, 0xff, sizeof(buf));
		region_read(buf, 1);
		if (at < 32)
			memset(buf + at, 0xff, 32 - at);
		assert_true(peer_send(&p, buf, sizeof(buf)));
		do
			r = vfki_conn_next(conn, &cmd);
		while (r == 1);
		assert_int_equal(r, -EPROTO);
		assert_true(peer_sees_end(&p));
		peer_stop(&p);
		vfki_conn_destroy(conn);
	}
}

/* A server is asked nothing by a reply: it has sent no command. */
static void test_reply_to_server(void **state)
{
	struct vfki_command *cmd;
	struct vfki_conn *conn;
	uint8_t buf[64] = { 0 };
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	assert_true(peer_send(&p, buf,
			      peer_message(buf, 64, VFKI_WIRE_DMA_READ, VFKI_WIRE_TYPE_REPLY, NULL,
					   16)));
	assert_int_equal(vfki_conn_next(conn, &cmd), -EPROTO);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_while_waiting),
		cmocka_unit_test(test_behind_the_reply),
		cmocka_unit_test(test_dispatch),
		cmocka_unit_test(test_both_send),
		cmocka_unit_test(test_reader_leaves_a_sender),
		cmocka_unit_test(test_while_posting),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_deaf_client),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_reply_to_server),
	};

	return cmocka_run_group_tests_name("connection: commands", tests, NULL, NULL);
}
