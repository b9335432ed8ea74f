/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_late.c - replies to requests that were given up on: whenever they come, whatever was sent meanwhile, they are
 * nobody's, and what is kept for them is bounded.
 */
#include "peer.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <vfiokit/error.h>
#include <cmocka.h>

/* An id is a place and how often it was used: 1024 requests in one place have had all its ids. */
#define ROUND_AND_ROUND 5000
#define THOUSANDS	2000
#define BEHIND		40

static const struct vfki_conn_opts client = { 0 };

struct late {
	uint16_t id[VFKI_CONN_MAX_REQUESTS];
	uint8_t reply[VFKI_CONN_MAX_REQUESTS][64];
	size_t len[VFKI_CONN_MAX_REQUESTS];
	unsigned int count; /* that the client gives up on */
	size_t requests;    /* commands that were read */
};

static void give_up(struct vfki_conn *conn, uint32_t timeout_ms)
{
	struct simple s;

	simple_read(&s, 0, 8);
	s.rq.timeout_ms = timeout_ms;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
}

static void succeed(struct vfki_conn *conn, uint8_t seed)
{
	struct simple s;

	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(s.in_data[16 + i], (uint8_t)(seed + i));
}

static bool keep(struct peer *p, unsigned int at)
{
	struct late *late = p->arg;

	if (!peer_read(p))
		return false;
	late->id[at] = p->head.id;
	late->len[at] = peer_read_reply(p, late->reply[at], 0x80);
	return true;
}

static bool is_late(const struct late *late, uint16_t id)
{
	for (unsigned int i = 0; i < late->count; i++)
		if (late->id[i] == id)
			return true;
	return false;
}

static bool answer(struct peer *p, uint8_t seed)
{
	uint8_t buf[64];

	return peer_send(p, buf, peer_read_reply(p, buf, seed));
}

/* Requests in between use every id that can be had; none is one of those that are still to be answered. */
static void answer_after_the_wrap(struct peer *p)
{
	struct late *late = p->arg;
	bool round = false;
	uint16_t first = 0;

	for (unsigned int i = 0; i < late->count; i++)
		WANT(p, keep(p, i));
	for (unsigned int i = 0; i < ROUND_AND_ROUND; i++) {
		WANT(p, peer_read(p));
		WANT(p, !is_late(late, p->head.id));
		round = round || (i && p->head.id == first);
		first = i ? first : p->head.id;
		WANT(p, answer(p, (uint8_t)i));
	}
	WANT(p, round);
	WANT(p, peer_read(p));
	for (unsigned int i = 0; i < late->count; i++)
		WANT(p, peer_send(p, late->reply[i], late->len[i]));
	WANT(p, answer(p, 3));
	for (unsigned int i = 0; i < late->count; i++) {
		WANT(p, peer_read(p));
		WANT(p, !is_late(late, p->head.id));
		WANT(p, answer(p, 4));
	}
}

static void wrap_round(unsigned int count)
{
	struct late late = { .count = count };
	struct vfki_conn *conn;
	struct peer p;

	conn = peer_connect(&p, &client);
	p.arg = &late;
	peer_start(&p, answer_after_the_wrap);
	for (unsigned int i = 0; i < count; i++)
		give_up(conn, 1);
	for (unsigned int i = 0; i < ROUND_AND_ROUND; i++)
		succeed(conn, (uint8_t)i);
	succeed(conn, 3);
	for (unsigned int i = 0; i < count; i++)
		succeed(conn, 4);
	assert_int_equal(vfki_conn_ended(conn), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void test_ids_wrap_round(void **state)
{
	(void)state;
	wrap_round(1);
}

/* One place is left, and its ids go round and round beside all the others. */
static void test_ids_wrap_round_in_the_last_place(void **state)
{
	(void)state;
	wrap_round(VFKI_CONN_MAX_REQUESTS - 1);
}

/* Every reply comes when BEHIND requests more have been given up on. */
static void answer_far_behind(struct peer *p)
{
	struct late *late = p->arg;

	for (unsigned int i = 0; i < THOUSANDS; i++) {
		unsigned int at = i % BEHIND;

		if (i >= BEHIND)
			WANT(p, peer_send(p, late->reply[at], late->len[at]));
		WANT(p, keep(p, at));
		p->stage++;
	}
	WANT(p, peer_read(p));
	for (unsigned int i = 0; i < BEHIND; i++)
		WANT(p, peer_send(p, late->reply[i], late->len[i]));
	WANT(p, answer(p, 5));
}

/* A peer that gets no processor for a while would fall so far behind that all places are taken, and requests not sent. */
static void await_stage(struct peer *p, int stage)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 10000 && atomic_load(&p->stage) < stage; i++)
		nanosleep(&pause, NULL);
}

static void test_thousands(void **state)
{
	struct vfki_conn *conn;
	struct late late = { 0 };
	struct peer p;
	size_t before;

	(void)state;
	conn = peer_connect(&p, &client);
	p.arg = &late;
	peer_start(&p, answer_far_behind);
	give_up(conn, 1);
	before = mallinfo2().uordblks;
	for (unsigned int i = 1; i < THOUSANDS; i++) {
		await_stage(&p, (int)i - 8);
		give_up(conn, 1);
	}
	assert_true(mallinfo2().uordblks <= before);
	succeed(conn, 5);
	assert_int_equal(vfki_conn_ended(conn), 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void count_requests(struct peer *p)
{
	struct late *late = p->arg;

	for (; p->stage < VFKI_CONN_MAX_REQUESTS; p->stage++)
		WANT(p, keep(p, (unsigned int)p->stage));
	/* Whatever else the client is asked for, only a posted write comes through. */
	WANT(p, peer_read(p));
	WANT(p, p->head.command == VFKI_WIRE_REGION_WRITE && p->head.flags & VFKI_WIRE_NO_REPLY);
	for (unsigned int i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		WANT(p, peer_send(p, late->reply[i], late->len[i]));
	WANT(p, peer_read(p));
	WANT(p, answer(p, 6));
}

/* At the bound a request fails in its time and is not sent, and with the first late reply all is well again. */
static void test_bound(void **state)
{
	struct vfki_conn *conn;
	struct late late = { 0 };
	struct simple s;
	struct peer p;
	size_t before;

	(void)state;
	conn = peer_connect(&p, &client);
	p.arg = &late;
	peer_start(&p, count_requests);
	for (unsigned int i = 0; i < VFKI_CONN_MAX_REQUESTS; i++)
		give_up(conn, 1);
	before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < 100; i++) {
		give_up(conn, 1);
		assert_non_null(strstr(vfk_error(), "too many requests are unanswered"));
	}
	assert_true(mallinfo2().uordblks <= before);
	simple_init(&s, VFKI_WIRE_REGION_WRITE, 24, 0);
	assert_int_equal(vfki_conn_post(conn, &s.rq), 0);
	succeed(conn, 6);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* A late reply's descriptors are closed with it, and a late refusal is as good as any. */
static void answer_with_descriptors(struct peer *p)
{
	struct late *late = p->arg;
	uint8_t buf[64];
	size_t len;

	WANT(p, peer_read(p));
	WANT(p, p->head.command == VFKI_WIRE_DEVICE_GET_REGION_INFO);
	len = peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, p->payload, 32);
	WANT(p, keep(p, 1));
	WANT(p, peer_send_fds(p, buf, len, 5));
	WANT(p, peer_read(p));
	WANT(p, peer_send(p, buf,
			  peer_message(buf, late->id[1], VFKI_WIRE_REGION_READ,
				       VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 0)));
	WANT(p, answer(p, 7));
}

static void test_descriptors(void **state)
{
	struct vfki_conn *conn;
	struct late late = { 0 };
	struct simple s;
	struct peer p;
	size_t before;

	(void)state;
	conn = peer_connect(&p, &client);
	p.arg = &late;
	before = count_fds();
	peer_start(&p, answer_with_descriptors);
	simple_init(&s, VFKI_WIRE_DEVICE_GET_REGION_INFO, 32, 32);
	s.rq.timeout_ms = 1;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	give_up(conn, 20);
	succeed(conn, 7);
	assert_int_equal(count_fds(), before);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* Dropped once: a second one is a reply to nothing, and so is one to another command. */
static void answer_twice(struct peer *p)
{
	struct late *late = p->arg;

	WANT(p, keep(p, 0));
	WANT(p, peer_read(p));
	WANT(p, peer_send(p, late->reply[0], late->len[0]));
	WANT(p, peer_send(p, late->reply[0], late->len[0]));
	WANT(p, peer_sees_end(p));
}

static void answer_another_command(struct peer *p)
{
	struct late *late = p->arg;

	WANT(p, keep(p, 0));
	WANT(p, peer_read(p));
	late->reply[0][2] = VFKI_WIRE_DEVICE_RESET;
	WANT(p, peer_send(p, late->reply[0], late->len[0]));
	WANT(p, peer_sees_end(p));
}

static void ends_with(void (*script)(struct peer *p))
{
	struct vfki_conn *conn;
	struct late late = { 0 };
	struct simple s;
	struct peer p;

	conn = peer_connect(&p, &client);
	p.arg = &late;
	peer_start(&p, script);
	give_up(conn, 20);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -EPROTO);
	assert_int_equal(vfki_conn_ended(conn), -EPROTO);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

static void test_twice(void **state)
{
	(void)state;
	ends_with(answer_twice);
}

static void test_another_command(void **state)
{
	(void)state;
	ends_with(answer_another_command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_wrap_round),
		cmocka_unit_test(test_ids_wrap_round_in_the_last_place),
		cmocka_unit_test(test_thousands),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_another_command),
	};

	return cmocka_run_group_tests_name("connection: late replies", tests, NULL, NULL);
}
