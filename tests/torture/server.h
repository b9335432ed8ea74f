/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h - the serving end: a process of its own on a socket's path, or a thread on one end of a socketpair.
 */
#ifndef TESTS_TORTURE_SERVER_H
#define TESTS_TORTURE_SERVER_H

#include "census.h"
#include "workload.h"
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <vfiokit/vfiokit.h>

/* Bound of a server's waits for its client. */
#define SERVER_TIMEOUT_MS 1000

struct server_process {
	pid_t pid; /* 0: none */
	int control;
	char path[100];
	enum workload_device which;
};

/* Forks; path and which are set. False, with text on stderr, when it does not come up. There must be one thread. */
bool server_process_start(struct server_process *s);
/* Asks it to count; false when it is gone. */
bool server_process_census(struct server_process *s, struct census *census);
/* It ends by itself; false when it fails, a leak that a sanitizer found among the reasons. */
bool server_process_stop(struct server_process *s);
/* After it was killed. */
void server_process_reap(struct server_process *s);
/* A connection to it; exits on failure. */
int server_process_connect(const struct server_process *s);

struct server_thread {
	struct vfk_server *server;
	int stop;
	pthread_t thread;
};

/* Serves on @fd, which it takes, until the client is gone or it is stopped. Exits on failure. */
void server_thread_start(struct server_thread *s, struct vfk_device *dev, int fd);
void server_thread_stop(struct server_thread *s);

#endif
