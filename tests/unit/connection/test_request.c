/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_request.c - one thread's requests against a peer that answers in every wrong and odd way.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "peer.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct vfki_conn_opts client = { 0 };

static void assert_pattern(const uint8_t *data, size_t len, uint8_t seed)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)(seed + i));
}

static void assert_bounded(uint64_t began, unsigned int ms)
{
	assert_true((vfki_now_ns() - began) / 1000000 < ms);
}

static void answer_one(struct peer *p)
{
	uint8_t buf[4096];

	WANT(p, peer_read(p));
	WANT(p, p->head.size == 32 && p->head.command == VFKI_WIRE_REGION_READ && !p->head.flags);
	WANT(p, peer_send(p, buf, peer_read_reply(p, buf, 5)));
}

static void test_plain(void **state)
{
	size_t before = count_fds();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_one);
	simple_read(&s, 8, 100);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(s.rq.in_len, 116);
	assert_pattern(s.in_data + 16, 100, 5);
	peer_stop(&p);
	vfki_conn_destroy(conn);
	assert_int_equal(count_fds(), before);
}

static void answer_bytewise(struct peer *p)
{
	uint8_t buf[4096];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 9);
	for (size_t i = 0; i < len; i++) {
		WANT(p, peer_send(p, buf + i, 1));
		sched_yield();
	}
}

static void test_pieces(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_bytewise);
	simple_read(&s, 8, 64);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 64, 9);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void answer_large(struct peer *p)
{
	const size_t count = MAX_XFER;
	uint8_t *buf = malloc(32 + count);

	WANT(p, buf);
	WANT(p, peer_read(p));
	peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, NULL, 16 + count);
	memcpy(buf + 16, p->payload, 16);
	for (size_t i = 0; i < count; i++)
		buf[32 + i] = (uint8_t)(i * 7);
	WANT(p, peer_send(p, buf, 32 + count));
	free(buf);
}

/* Far above what the stage holds, into several pieces of the caller's. */
static void test_large(void **state)
{
	uint8_t *data = malloc(MAX_XFER);
	struct vfki_conn *conn;
	struct iovec in[3];
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_large);
	simple_read(&s, 0, 0);
	in[0] = (struct iovec){ s.in_data, 16 };
	in[1] = (struct iovec){ data, 10001 };
	in[2] = (struct iovec){ data + 10001, MAX_XFER - 10001 };
	s.rq.in = in;
	s.rq.n_in = 3;
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(s.rq.in_len, 16 + MAX_XFER);
	for (size_t i = 0; i < MAX_XFER; i++)
		assert_int_equal(data[i], (uint8_t)(i * 7));
	peer_stop(&p);
	vfki_conn_destroy(conn);
	free(data);
}

static void answer_error(struct peer *p)
{
	uint8_t buf[64];

	WANT(p, peer_read(p));
	WANT(p, peer_send(p, buf,
			  peer_message(buf, p->head.id, p->head.command,
				       VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 0)));
	answer_one(p);
}

static void test_error_reply(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_error);
	simple_read(&s, 0, 4);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -EINVAL);
	assert_non_null(strstr(vfk_error(), "region_read"));
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* Each of these ends the connection: the request gets -EPROTO, the next one -ENOTCONN, the peer sees the end. */
struct wrong {
	const char *name;
	size_t (*make)(struct peer *p, uint8_t *buf);
	size_t fds;
};

static size_t unasked_id(struct peer *p, uint8_t *buf)
{
	p->head.id ^= 0x8000;
	return peer_read_reply(p, buf, 0);
}

static size_t other_slot(struct peer *p, uint8_t *buf)
{
	p->head.id ^= 1;
	return peer_read_reply(p, buf, 0);
}

static size_t posted_id(struct peer *p, uint8_t *buf)
{
	return peer_message(buf, p->head.id | 63, p->head.command,
			    VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 0);
}

static size_t other_command(struct peer *p, uint8_t *buf)
{
	p->head.command = VFKI_WIRE_MIG_DATA_READ;
	return peer_read_reply(p, buf, 0);
}

static size_t longer(struct peer *p, uint8_t *buf)
{
	return peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, NULL, 21);
}

static size_t below_header(struct peer *p, uint8_t *buf)
{
	size_t len = peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, NULL, 0);

	((struct vfki_wire_header *)buf)->size = 15;
	return len;
}

static size_t gigantic(struct peer *p, uint8_t *buf)
{
	size_t len = peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, NULL, 0);

	((struct vfki_wire_header *)buf)->size = 0xffffffff;
	return len;
}

static size_t strange_type(struct peer *p, uint8_t *buf)
{
	return peer_message(buf, p->head.id, p->head.command, 2, NULL, 0);
}

static size_t garbage(struct peer *p, uint8_t *buf)
{
	(void)p;
	memset(buf, 0xff, 64);
	return 64;
}

static size_t error_with_payload(struct peer *p, uint8_t *buf)
{
	return peer_message(buf, p->head.id, p->head.command,
			    VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 8);
}

static size_t right(struct peer *p, uint8_t *buf)
{
	return peer_read_reply(p, buf, 0);
}

static const struct wrong wrongs[] = {
	{ "an id that was never sent", unasked_id, 0 },
	{ "the id of a free place", other_slot, 0 },
	{ "an error for a posted command that was not sent", posted_id, 0 },
	{ "the reply to another command", other_command, 0 },
	{ "a reply longer than asked for", longer, 0 },
	{ "a size below the header", below_header, 0 },
	{ "a gigantic size", gigantic, 0 },
	{ "an unknown type", strange_type, 0 },
	{ "garbage", garbage, 0 },
	{ "an error reply with a payload", error_with_payload, 0 },
	{ "a descriptor that the reply cannot have", right, 1 },
	{ "more descriptors than are taken", right, 9 },
	{ "as many descriptors as the kernel passes", right, 253 },
};

static void answer_wrong(struct peer *p)
{
	const struct wrong *w = p->arg;
	uint8_t buf[4096] = { 0 };
	size_t len;

	WANT(p, peer_read(p));
	len = w->make(p, buf);
	WANT(p, w->fds ? peer_send_fds(p, buf, len, w->fds) : peer_send(p, buf, len));
	WANT(p, peer_sees_end(p));
}

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		size_t before = count_fds();
		struct vfki_conn *conn;
		struct simple s;
		struct peer p;

		conn = peer_connect(&p, &client);
		p.arg = (void *)&wrongs[i];
		peer_start(&p, answer_wrong);
		simple_read(&s, 0, 4);
		if (vfki_conn_request(conn, &s.rq) != -EPROTO)
			fail_msg("%s: %s", wrongs[i].name, vfk_error());
		assert_int_equal(vfki_conn_ended(conn), -EPROTO);
		assert_true(vfki_conn_reason(conn)[0]);
		assert_int_equal(vfki_conn_request(conn, &s.rq), -ENOTCONN);
		assert_int_equal(vfki_conn_post(conn, &s.rq), -ENOTCONN);
		assert_int_equal(vfki_conn_dispatch(conn), -EPROTO);
		peer_stop(&p);
		vfki_conn_destroy(conn);
		assert_int_equal(count_fds(), before);
	}
}

static void answer_twice(struct peer *p)
{
	uint8_t buf[4096];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 0);
	WANT(p, peer_send(p, buf, len));
	WANT(p, peer_read(p));
	/* The first one's reply again: the second request must not take it for its own. */
	WANT(p, peer_send(p, buf, len));
	WANT(p, peer_sees_end(p));
}

static void test_duplicate(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_twice);
	simple_read(&s, 0, 4);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -EPROTO);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void answer_and_more(struct peer *p)
{
	uint8_t buf[4096];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 0);
	memcpy(buf + len, buf, len);
	WANT(p, peer_send(p, buf, 2 * len));
	WANT(p, peer_sees_end(p));
}

/* Both in one segment: the reply counts, what is behind it ends the connection. */
static void test_duplicate_at_once(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;
	int r;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_and_more);
	simple_read(&s, 0, 4);
	r = vfki_conn_request(conn, &s.rq);
	assert_true(r == 0 || r == -EPROTO);
	assert_true(vfki_conn_dispatch(conn) == -EPROTO);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- death ---- */

static void die_after(struct peer *p)
{
	size_t n = *(size_t *)p->arg, len;
	uint8_t buf[4096];

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 0);
	WANT(p, peer_send(p, buf, n < len ? n : len));
	peer_hang_up(p);
}

static void test_death_at_every_byte(void **state)
{
	size_t before = count_fds();

	(void)state;
	for (size_t n = 0; n <= 16 + 16 + 8; n++) {
		uint64_t began = vfki_now_ns();
		struct vfki_conn *conn;
		struct simple s;
		struct peer p;

		conn = peer_connect(&p, &client);
		p.arg = &n;
		peer_start(&p, die_after);
		simple_read(&s, 0, 8);
		assert_int_equal(vfki_conn_request(conn, &s.rq), n < 40 ? -ECONNRESET : 0);
		peer_stop(&p);
		assert_int_equal(vfki_conn_request(conn, &s.rq), -ENOTCONN);
		assert_int_equal(vfki_conn_dispatch(conn), -ENOTCONN);
		assert_bounded(began, 1800);
		vfki_conn_destroy(conn);
	}
	assert_int_equal(count_fds(), before);
}

static void test_dead_before(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_hang_up(&p);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ENOTCONN);
	assert_int_equal(vfki_conn_post(conn, &s.rq), -ENOTCONN);
	vfki_conn_destroy(conn);
}

static void test_failed_by_caller(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_one);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_int_equal(vfki_conn_fail(conn, vfki_err(-EPROTO, "it lies")), -EPROTO);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ENOTCONN);
	assert_non_null(strstr(vfk_error(), "it lies"));
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- posted ---- */

static void posted_then_read(struct peer *p)
{
	uint8_t buf[64];

	WANT(p, peer_read(p));
	WANT(p, p->head.flags == VFKI_WIRE_NO_REPLY);
	/* Not allowed, and done by some peers all the same. */
	WANT(p, peer_send(p, buf,
			  peer_message(buf, p->head.id, p->head.command,
				       VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 0)));
	answer_one(p);
}

static void test_posted(void **state)
{
	struct vfki_conn *conn;
	struct simple s, w;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, posted_then_read);
	simple_init(&w, VFKI_WIRE_REGION_WRITE, 20, 0);
	assert_int_equal(vfki_conn_post(conn, &w.rq), 0);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void test_too_many_pieces(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	simple_read(&s, 0, 8);
	s.rq.n_out = VFKI_CONN_MAX_IOV + 1;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -E2BIG);
	assert_int_equal(vfki_conn_ended(conn), 0);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_error_reply),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_duplicate_at_once),
		cmocka_unit_test(test_death_at_every_byte),
		cmocka_unit_test(test_dead_before),
		cmocka_unit_test(test_failed_by_caller),
		cmocka_unit_test(test_posted),
		cmocka_unit_test(test_too_many_pieces),
	};

	return cmocka_run_group_tests_name("connection: requests", tests, NULL, NULL);
}
