/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads.c - several threads on one connection: each gets its own reply, whoever reads it, and all wake at the end.
 */
#include "lib/base/clock.h"
#include "lib/wire/dma_access.h"
#include "peer.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define THREADS 6
#define ROUNDS	400

/* One thread's part; asserts are made after it was joined. */
struct worker {
	pthread_t thread;
	struct vfki_conn *conn;
	unsigned int number;
	uint32_t timeout_ms;
	uint16_t command;
	int rounds;
	int result; /* of the last request */
	int wrong;  /* replies with another's data */
	int late;   /* that timed out */
	uint64_t took_ns;
};

static void request(struct worker *w, int round)
{
	uint64_t offset = (uint64_t)w->number << 16 | (unsigned int)round;
	uint32_t count = 1 + (w->number * 37 + (unsigned int)round) % 300;
	struct simple s;

	simple_read(&s, offset, count);
	s.rq.timeout_ms = w->timeout_ms;
	s.rq.command = w->command;
	w->result = vfki_conn_request(w->conn, &s.rq);
	if (w->result == -ETIMEDOUT)
		w->late++;
	if (w->result)
		return;
	/* The reply repeats the request and counts on from its number. */
	if (memcmp(s.in_data, s.out_data, 16) || s.rq.in_len != 16 + count)
		w->wrong++;
	for (uint32_t i = 0; i < count; i++)
		w->wrong += s.in_data[16 + i] != (uint8_t)(offset + i);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t began = vfki_now_ns();

	for (int i = 0; i < w->rounds; i++)
		request(w, i);
	w->took_ns = vfki_now_ns() - began;
	return NULL;
}

static void start(struct worker *w, size_t n, struct vfki_conn *conn, int rounds)
{
	for (size_t i = 0; i < n; i++) {
		w[i].conn = conn;
		w[i].number = (unsigned int)i;
		w[i].rounds = rounds;
		if (!w[i].command)
			w[i].command = VFKI_WIRE_REGION_READ;
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
}

static void join(struct worker *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].wrong, 0);
	}
}

/* ---- a peer that keeps up to MAX_KEPT requests and answers them in any order ---- */

#define MAX_KEPT 4

struct kept {
	size_t len;
	uint8_t buf[512];
};

static bool input_waits(struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static size_t seeded_reply(struct peer *p, void *buf)
{
	uint64_t offset;

	memcpy(&offset, p->payload, sizeof(offset));
	return peer_read_reply(p, buf, (uint8_t)offset);
}

static bool send_any(struct peer *p, struct kept *kept, size_t *n, unsigned int *random)
{
	size_t i = (size_t)rand_r(random) % *n;
	bool ok = peer_send(p, kept[i].buf, kept[i].len);

	kept[i] = kept[--*n];
	return ok;
}

static void shuffle(struct peer *p)
{
	struct kept kept[MAX_KEPT];
	unsigned int random = 1;
	size_t n = 0;

	for (int left = THREADS * ROUNDS; left || n;) {
		if (left && (!n || (n < MAX_KEPT && input_waits(p)))) {
			WANT(p, peer_read(p));
			kept[n].len = seeded_reply(p, kept[n].buf);
			n++;
			left--;
		} else {
			WANT(p, send_any(p, kept, &n, &random));
		}
	}
}

static void test_shuffled(void **state)
{
	const struct vfki_conn_opts client = { 0 };
	struct worker w[THREADS] = { { 0 } };
	struct vfki_conn *conn;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, shuffle);
	start(w, THREADS, conn, ROUNDS);
	join(w, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(w[i].result, 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void reverse(struct peer *p)
{
	uint8_t buf[4][512], all[4 * 512];
	size_t len[4], total = 0;

	for (size_t i = 0; i < 4; i++) {
		WANT(p, peer_read(p));
		len[i] = seeded_reply(p, buf[i]);
	}
	for (size_t i = 4; i-- > 0;) {
		memcpy(all + total, buf[i], len[i]);
		total += len[i];
	}
	WANT(p, peer_send(p, all, total));
}

/* All in one segment, the last asked first. */
static void test_reversed(void **state)
{
	const struct vfki_conn_opts client = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct worker w[4] = { { 0 } };
		struct vfki_conn *conn;
		struct peer p;

		conn = peer_connect(&p, &client);
		peer_start(&p, reverse);
		start(w, 4, conn, 1);
		join(w, 4);
		for (size_t k = 0; k < 4; k++)
			assert_int_equal(w[k].result, 0);
		peer_stop(&p);
		vfki_conn_destroy(conn);
	}
}

/* ---- time ---- */

static void slow_then_all(struct peer *p)
{
	uint8_t buf[2][512];
	size_t len[2];

	for (size_t i = 0; i < 2; i++) {
		WANT(p, peer_read(p));
		len[i] = seeded_reply(p, buf[i]);
	}
	peer_sleep_ms(1000);
	/* Half of one, then the rest: whoever still waits gets its own. */
	WANT(p, peer_send(p, buf[0], len[0] / 2));
	peer_sleep_ms(20);
	WANT(p, peer_send(p, buf[0] + len[0] / 2, len[0] - len[0] / 2));
	WANT(p, peer_send(p, buf[1], len[1]));
}

/* One has 100 ms and the other two seconds, whichever of them is the reader. */
static void test_one_gives_up(void **state)
{
	const struct vfki_conn_opts client = { 0 };

	(void)state;
	for (size_t hasty = 0; hasty < 2; hasty++) {
		struct worker w[2] = { { 0 } };
		struct vfki_conn *conn;
		struct peer p;

		conn = peer_connect(&p, &client);
		peer_start(&p, slow_then_all);
		w[hasty].timeout_ms = 100;
		start(w, 1, conn, 1);
		peer_sleep_ms(10);
		w[1].conn = conn;
		w[1].number = 1;
		w[1].rounds = 1;
		w[1].command = VFKI_WIRE_REGION_READ;
		assert_int_equal(pthread_create(&w[1].thread, NULL, work, &w[1]), 0);
		join(w, 2);
		assert_int_equal(w[hasty].result, -ETIMEDOUT);
		assert_true(w[hasty].took_ns < 900000000);
		assert_int_equal(w[!hasty].result, 0);
		peer_stop(&p);
		vfki_conn_destroy(conn);
	}
}

static void dawdle(struct peer *p)
{
	unsigned int random = 7;
	uint8_t buf[512];

	while (peer_read(p)) {
		size_t len = seeded_reply(p, buf), cut;

		if (rand_r(&random) % 4 == 0)
			peer_sleep_ms(1 + (unsigned int)rand_r(&random) % 4);
		cut = (size_t)rand_r(&random) % len;
		if (!peer_send(p, buf, cut))
			return;
		if (rand_r(&random) % 4 == 0)
			peer_sleep_ms(2);
		if (!peer_send(p, buf + cut, len - cut))
			return;
	}
}

/* Bounds about as long as the answers take: late ones all the time, and nobody ever gets another's. */
static void test_hasty_threads(void **state)
{
	const struct vfki_conn_opts client = { 0 };
	struct worker w[THREADS] = { { 0 } };
	struct vfki_conn *conn;
	struct peer p;
	int late = 0;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, dawdle);
	for (size_t i = 0; i < THREADS; i++)
		w[i].timeout_ms = i == 0 ? TIMEOUT_MS : 3;
	start(w, THREADS, conn, 150);
	join(w, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		assert_true(w[i].result == 0 || w[i].result == -ETIMEDOUT);
		late += w[i].late;
	}
	assert_true(late > 0);
	assert_int_equal(w[0].late, 0);
	assert_int_equal(vfki_conn_ended(conn), 0);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

/* ---- the end ---- */

static void then_garbage(struct peer *p)
{
	uint8_t buf[32];

	for (size_t i = 0; i < THREADS; i++)
		WANT(p, peer_read(p));
	memset(buf, 0xff, sizeof(buf));
	WANT(p, peer_send(p, buf, sizeof(buf)));
	WANT(p, peer_sees_end(p));
}

static void then_gone(struct peer *p)
{
	for (size_t i = 0; i < THREADS; i++)
		WANT(p, peer_read(p));
	peer_hang_up(p);
}

static void everybody_wakes(void (*script)(struct peer *p), int result)
{
	const struct vfki_conn_opts client = { 0 };
	struct worker w[THREADS] = { { 0 } };
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct peer p;

	conn = peer_connect(&p, &client);
	peer_start(&p, script);
	start(w, THREADS, conn, 1);
	join(w, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(w[i].result, result);
	assert_true(vfki_now_ns() - began < 1800000000);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void test_end_wakes_all(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		everybody_wakes(then_garbage, -EPROTO);
		everybody_wakes(then_gone, -ECONNRESET);
	}
}

/* Failed by a thread that neither reads nor waits. */
static void test_failed_elsewhere(void **state)
{
	const struct vfki_conn_opts client = { 0 };
	struct worker w[2] = { { 0 } };
	struct vfki_conn *conn;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	start(w, 2, conn, 1);
	assert_true(peer_read(&p));
	assert_true(peer_read(&p));
	assert_int_equal(vfki_conn_fail(conn, -EPROTO), -EPROTO);
	join(w, 2);
	assert_int_equal(w[0].result, -EPROTO);
	assert_int_equal(w[1].result, -EPROTO);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- a server's threads ---- */

#define COMMANDS 300

static void busy_client(struct peer *p)
{
	struct vfki_wire_region_access a = { .count = 4 };
	int commands = 0, requests = 0, answers = 0;
	uint8_t buf[512];

	while (requests < 2 * ROUNDS || answers < COMMANDS) {
		if (commands < COMMANDS && commands - answers < 8) {
			commands++;
			WANT(p, peer_send(p, buf,
					  peer_message(buf, (uint16_t)commands,
						       VFKI_WIRE_REGION_READ, 0, &a, sizeof(a))));
			if (!input_waits(p))
				continue;
		}
		WANT(p, peer_read(p));
		if (p->head.flags & VFKI_WIRE_TYPE_REPLY) {
			WANT(p, p->head.id == ++answers);
			continue;
		}
		requests++;
		WANT(p, peer_send(p, buf, seeded_reply(p, buf)));
	}
}

/* Two worker threads do DMA while the loop takes commands one by one, polling as a server's loop does. */
static void test_server_threads(void **state)
{
	const struct vfki_conn_opts server = { .server = true };
	struct worker w[2] = { { 0 } };
	struct vfki_conn *conn;
	uint16_t last = 0;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &server);
	peer_start(&p, busy_client);
	w[0].command = w[1].command = VFKI_WIRE_DMA_READ;
	start(w, 2, conn, ROUNDS);
	while (last < COMMANDS) {
		struct pollfd pfd[] = { { .fd = vfki_conn_fd(conn), .events = POLLIN },
					{ .fd = vfki_conn_wake_fd(conn), .events = POLLIN } };
		struct vfki_command *cmd;

		assert_true(poll(pfd, 2, TIMEOUT_MS) > 0);
		while (vfki_conn_next(conn, &cmd) == 1) {
			assert_int_equal(cmd->id, last + 1);
			last = cmd->id;
			assert_int_equal(vfki_conn_reply_error(conn, cmd, -EIO), 0);
		}
	}
	join(w, 2);
	assert_int_equal(w[0].result, 0);
	assert_int_equal(w[1].result, 0);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- a client that polls while others wait ---- */

struct poller {
	struct vfki_conn *conn;
	atomic_bool stop;
};

static void *dispatch(void *arg)
{
	struct poller *o = arg;

	while (!atomic_load(&o->stop)) {
		struct pollfd pfd = { .fd = vfki_conn_fd(o->conn), .events = POLLIN };

		if (poll(&pfd, 1, 10) > 0 && vfki_conn_dispatch(o->conn) < 0)
			break;
	}
	return NULL;
}

static void test_dispatch_beside(void **state)
{
	const struct vfki_conn_opts client = { 0 };
	struct worker w[THREADS] = { { 0 } };
	struct poller o = { 0 };
	pthread_t thread;
	struct peer p;

	(void)state;
	o.conn = peer_connect(&p, &client);
	peer_start(&p, shuffle);
	assert_int_equal(pthread_create(&thread, NULL, dispatch, &o), 0);
	start(w, THREADS, o.conn, ROUNDS);
	join(w, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(w[i].result, 0);
	atomic_store(&o.stop, true);
	pthread_join(thread, NULL);
	peer_stop(&p);
	vfki_conn_destroy(o.conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shuffled),       cmocka_unit_test(test_reversed),
		cmocka_unit_test(test_one_gives_up),   cmocka_unit_test(test_hasty_threads),
		cmocka_unit_test(test_end_wakes_all),  cmocka_unit_test(test_failed_elsewhere),
		cmocka_unit_test(test_server_threads), cmocka_unit_test(test_dispatch_beside),
	};

	return cmocka_run_group_tests_name("connection: threads", tests, NULL, NULL);
}
