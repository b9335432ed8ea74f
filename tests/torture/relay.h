/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * relay.h - a thread between a client and a server, which passes on what they send until a byte that was chosen before.
 *
 * Everything before that byte has been sent on when it cuts, nothing behind it ever is.
 */
#ifndef TESTS_TORTURE_RELAY_H
#define TESTS_TORTURE_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum relay_cut {
	RELAY_HANG_UP, /* both ends see the end */
	RELAY_KILL,    /* SIGKILL to the victim first, then the other sees the end */
	RELAY_SILENCE, /* nothing more comes, in either direction, until one of them goes */
};

struct relay_plan {
	enum relay_cut cut;
	bool to_client;	  /* the direction whose bytes are counted */
	uint64_t at;	  /* bytes that still go through */
	bool without_fds; /* the message is passed on, its descriptors are not */
	pid_t victim;
};

struct relay {
	struct relay_plan plan;
	int end[2]; /* client's side, server's side */
	pthread_t thread;
	bool has_cut; /* valid when it has stopped */
};

/* Takes both sockets. Exits on failure, as what it needs is a thread. */
void relay_start(struct relay *relay, const struct relay_plan *plan, int client, int server);

/* Hangs up on both, waits for the thread, closes both. */
void relay_stop(struct relay *relay);

#endif
