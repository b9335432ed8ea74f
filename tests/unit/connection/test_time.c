/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_time.c - every wait has its bound, and what comes after it does no harm: late, half late, never.
 */
#include "lib/base/clock.h"
#include "peer.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

static const struct vfki_conn_opts client = { 0 };
static const struct vfki_conn_opts hasty = { .timeout_ms = 100 };

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

static void never_answer(struct peer *p)
{
	WANT(p, peer_read(p));
	WANT(p, peer_sees_end(p));
}

static void test_silence(void **state)
{
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &hasty);
	peer_start(&p, never_answer);
	simple_read(&s, 0, 4);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	assert_true(vfki_now_ns() - began >= 99000000);
	assert_bounded(began, 1800);
	assert_int_equal(vfki_conn_ended(conn), 0);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

/* A bound of the request's own, below the connection's. */
static void test_own_bound(void **state)
{
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, never_answer);
	simple_read(&s, 0, 4);
	s.rq.timeout_ms = 50;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	assert_bounded(began, 1800);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

static void trickle(struct peer *p)
{
	uint8_t buf[4096];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 0);
	for (size_t i = 0; i < len; i++) {
		peer_sleep_ms(20);
		if (!peer_send(p, buf + i, 1))
			return;
	}
}

/* A byte every 20 ms never makes the wait longer; 116 bytes would take more than 2 seconds. */
static void test_trickle(void **state)
{
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &hasty);
	peer_start(&p, trickle);
	simple_read(&s, 0, 100);
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	assert_bounded(began, 1800);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

static void answer_late(struct peer *p)
{
	uint8_t first[4096], second[4096];
	size_t len, len2;
	uint16_t id;

	WANT(p, peer_read(p));
	id = p->head.id;
	len = peer_read_reply(p, first, 1);
	WANT(p, peer_read(p));
	WANT(p, p->head.id != id);
	len2 = peer_read_reply(p, second, 2);
	WANT(p, peer_send(p, first, len));
	WANT(p, peer_send(p, second, len2));
	answer_one(p);
}

/* The late reply belongs to nobody; the one behind it is found. */
static void test_late(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_late);
	simple_read(&s, 0, 32);
	s.rq.timeout_ms = 50;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 8, 2);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 8, 5);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void answer_half_late(struct peer *p)
{
	uint8_t buf[4096];
	size_t len;

	WANT(p, peer_read(p));
	len = peer_read_reply(p, buf, 1);
	WANT(p, peer_send(p, buf, len / 2));
	peer_sleep_ms(120);
	WANT(p, peer_send(p, buf + len / 2, len - len / 2));
	answer_one(p);
}

/* Given up on in the middle of its reply: the rest is passed over, the buffer is left alone. */
static void test_half_late(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_half_late);
	simple_read(&s, 0, 1000);
	s.rq.timeout_ms = 50;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	memset(s.in_data, 0xaa, sizeof(s.in_data));
	peer_sleep_ms(150);
	assert_int_equal(vfki_conn_dispatch(conn), 0);
	for (size_t i = 0; i < sizeof(s.in_data); i++)
		assert_int_equal(s.in_data[i], 0xaa);
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 8, 5);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

static void swallow(struct peer *p)
{
	for (int i = 0; i < 1000 && peer_read(p); i++)
		;
}

/* Ids of requests that were given up on stay taken; when all are, a new request waits for one, in vain. */
static void test_all_abandoned(void **state)
{
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, swallow);
	for (int i = 0; i < VFKI_CONN_MAX_REQUESTS + 2; i++) {
		simple_read(&s, 0, 4);
		s.rq.timeout_ms = 5;
		assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	}
	assert_bounded(began, 3000);
	assert_int_equal(vfki_conn_ended(conn), 0);
	vfki_conn_destroy(conn);
	peer_stop(&p);
}

static void answer_all_late(struct peer *p)
{
	uint8_t buf[VFKI_CONN_MAX_REQUESTS * 64];
	size_t len = 0;

	for (int i = 0; i < VFKI_CONN_MAX_REQUESTS; i++) {
		WANT(p, peer_read(p));
		len += peer_read_reply(p, buf + len, 0);
	}
	/* The next request waits for an id by now, or comes soon. */
	peer_sleep_ms(50);
	WANT(p, peer_send(p, buf, len));
	answer_one(p);
}

/* Whoever waits for an id reads the late replies that free one. */
static void test_abandoned_come_back(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_all_late);
	for (int i = 0; i < VFKI_CONN_MAX_REQUESTS; i++) {
		simple_read(&s, 0, 4);
		s.rq.timeout_ms = 1;
		assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	}
	simple_read(&s, 0, 8);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 8, 5);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* A peer that reads nothing at all: the socket fills, and each send has its bound. */
static void test_no_reader(void **state)
{
	uint64_t began = vfki_now_ns();
	void *big = calloc(1, MAX_XFER);
	struct vfki_conn *conn;
	struct iovec out[2];
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &hasty);
	simple_init(&s, VFKI_WIRE_REGION_WRITE, 16, 16);
	out[0] = s.out;
	out[1] = (struct iovec){ big, MAX_XFER };
	s.rq.out = out;
	s.rq.n_out = 2;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	assert_bounded(began, 1800);
	/* Half a message is on the way: nothing can follow it. */
	assert_int_equal(vfki_conn_ended(conn), -ETIMEDOUT);
	vfki_conn_destroy(conn);
	peer_stop(&p);
	free(big);
}

static void answer_slowly(struct peer *p)
{
	uint8_t buf[4096];

	WANT(p, peer_read(p));
	peer_sleep_ms(100);
	WANT(p, peer_send(p, buf, peer_read_reply(p, buf, 5)));
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void *alarm_often(void *arg)
{
	for (int i = 0; i < 20; i++) {
		peer_sleep_ms(4);
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	}
	return NULL;
}

/* Signals that arrive meanwhile neither end the wait nor make it longer. */
static void test_signals(void **state)
{
	struct sigaction act = { .sa_handler = on_alarm }, old;
	pthread_t self = pthread_self(), thread;
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	assert_return_code(sigaction(SIGUSR1, &act, &old), 0);
	conn = peer_connect(&p, &client);
	peer_start(&p, answer_slowly);
	assert_int_equal(pthread_create(&thread, NULL, alarm_often, &self), 0);
	simple_read(&s, 8, 100);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	pthread_join(thread, NULL);
	peer_stop(&p);
	vfki_conn_destroy(conn);
	sigaction(SIGUSR1, &old, NULL);
}

/* A socket that was handed over may be non-blocking. */
static void test_nonblocking_socket(void **state)
{
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	conn = peer_connect(&p, &client);
	assert_return_code(fcntl(vfki_conn_fd(conn), F_SETFL, O_NONBLOCK), 0);
	peer_start(&p, answer_slowly);
	simple_read(&s, 8, 100);
	assert_int_equal(vfki_conn_request(conn, &s.rq), 0);
	assert_pattern(s.in_data + 16, 100, 5);
	peer_stop(&p);
	vfki_conn_destroy(conn);
}

/* ---- a peer whose commands have no end ---- */

#define LARGE (MAX_XFER / 2)

static void answer_large(void *ctx, struct vfki_conn *conn, struct vfki_command *cmd)
{
	const struct iovec iov = { .iov_base = ctx, .iov_len = LARGE };

	vfki_conn_reply(conn, cmd, &iov, 1, NULL, 0);
}

static bool swallow_part(struct peer *p, size_t len)
{
	static uint8_t sink[LARGE];

	return recv(p->fd, sink, len, MSG_WAITALL) == (ssize_t)len;
}

static bool ask(struct peer *p, uint16_t id)
{
	uint8_t buf[64], access[16] = { 0 };

	return peer_send(p, buf,
			 peer_message(buf, id, VFKI_WIRE_DMA_READ, 0, access, sizeof(access)));
}

/* Asks for the next thing in the middle of each answer, so that the client always has one to handle; for 3 seconds. */
static void ask_on(struct peer *p)
{
	uint64_t end = vfki_now_ns() + 3 * VFKI_NS_PER_S;

	if (p->arg)
		WANT(p, peer_read(p));
	WANT(p, ask(p, 0) && ask(p, 1));
	atomic_store(&p->stage, 1);
	for (uint16_t id = 2; vfki_now_ns() < end; id++) {
		if (!swallow_part(p, LARGE / 2) || !ask(p, id))
			return;
		peer_sleep_ms(10);
		if (!swallow_part(p, sizeof(p->head) + LARGE / 2))
			return;
	}
}

static void test_commands_without_end(void **state)
{
	void *large = calloc(1, LARGE);
	const struct vfki_conn_opts opts = { .command = answer_large, .ctx = large };
	uint64_t began = vfki_now_ns();
	struct vfki_conn *conn;
	struct simple s;
	struct peer p;

	(void)state;
	assert_non_null(large);
	conn = peer_connect(&p, &opts);
	p.arg = conn;
	peer_start(&p, ask_on);
	simple_read(&s, 0, 4);
	s.rq.timeout_ms = 100;
	assert_int_equal(vfki_conn_request(conn, &s.rq), -ETIMEDOUT);
	assert_bounded(began, 1800);
	vfki_conn_destroy(conn);
	peer_stop(&p);
	free(large);
}

static void test_commands_without_end_dispatched(void **state)
{
	void *large = calloc(1, LARGE);
	const struct vfki_conn_opts opts = { .timeout_ms = 300,
					     .command = answer_large,
					     .ctx = large };
	struct vfki_conn *conn;
	uint64_t began;
	struct peer p;

	(void)state;
	assert_non_null(large);
	conn = peer_connect(&p, &opts);
	peer_start(&p, ask_on);
	while (!atomic_load(&p.stage))
		peer_sleep_ms(1);
	began = vfki_now_ns();
	vfki_conn_dispatch(conn);
	assert_bounded(began, 1800);
	vfki_conn_destroy(conn);
	peer_stop(&p);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_without_end),
		cmocka_unit_test(test_commands_without_end_dispatched),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_own_bound),
		cmocka_unit_test(test_trickle),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_half_late),
		cmocka_unit_test(test_all_abandoned),
		cmocka_unit_test(test_abandoned_come_back),
		cmocka_unit_test(test_no_reader),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_nonblocking_socket),
	};

	return cmocka_run_group_tests_name("connection: time", tests, NULL, NULL);
}
