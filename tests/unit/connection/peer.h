/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h - the other end of a connection under test: a thread with a script, on a plain socketpair.
 *
 * It does not use the code under test: messages are put together by hand. A script runs in the peer's thread and may not
 * use cmocka's asserts: it records the first thing that went wrong by WANT(), and peer_stop() reports it.
 */
#ifndef TESTS_UNIT_CONNECTION_PEER_H
#define TESTS_UNIT_CONNECTION_PEER_H

#include "lib/connection/connection.h"
#include "lib/wire/header.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMEOUT_MS 2000
#define MAX_XFER   (1u << 20)

struct peer {
	int fd; /* the script's; -1 once it has hung up */
	pthread_t thread;
	void (*script)(struct peer *p);
	void *arg;
	const char *failed; /* the first WANT() that did not hold */
	int line;
	atomic_int stage; /* how far the script has come, for a test that must not go on before */
	/* the last command that was read */
	struct vfki_wire_header head;
	uint8_t payload[4096];
	int fds[16];
	size_t nfds;
};

/* For scripts: leaves it when the condition does not hold. */
#define WANT(p, cond)                                  \
	do {                                           \
		if (!(cond)) {                         \
			peer_fail(p, #cond, __LINE__); \
			return;                        \
		}                                      \
	} while (0)

void peer_fail(struct peer *p, const char *what, int line);

/* A connection of the given side, and the peer's end in p->fd; no thread yet. */
struct vfki_conn *peer_connect(struct peer *p, const struct vfki_conn_opts *opts);

void peer_start(struct peer *p, void (*script)(struct peer *p));

/* Waits for the script, hangs up, and fails the test if the script did. */
void peer_stop(struct peer *p);

/* Reads one message into head, payload, fds; false when none came in 5 seconds or the connection ended. */
bool peer_read(struct peer *p);

bool peer_send(struct peer *p, const void *buf, size_t len);
bool peer_send_fds(struct peer *p, const void *buf, size_t len, size_t nfds);

/* Puts a message together in @buf; returns its length. */
size_t peer_message(void *buf, uint16_t id, uint16_t command, uint32_t flags, const void *payload,
		    size_t len);

/* A reply to the last command read. */
bool peer_reply(struct peer *p, const void *payload, size_t len);

void peer_hang_up(struct peer *p);

/* True when the other side has ended the connection within 5 seconds. */
bool peer_sees_end(struct peer *p);

void peer_sleep_ms(unsigned int ms);

/* Descriptors that this process has open. */
size_t count_fds(void);

/* A request with one piece out and one in. */
struct simple {
	struct vfki_request rq;
	struct iovec out, in;
	uint8_t out_data[64];
	uint8_t in_data[4096];
};

void simple_init(struct simple *s, uint16_t command, size_t out_len, size_t in_len);

/* REGION_READ of @count bytes at @offset; the reply's data is at in_data + 16. */
void simple_read(struct simple *s, uint64_t offset, uint32_t count);

/* The REGION_READ reply to the last command: @count bytes that begin with @seed and count up. Returns its length. */
size_t peer_read_reply(struct peer *p, void *buf, uint8_t seed);

#endif
