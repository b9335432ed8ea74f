/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serve.h - real servers, to be killed and started again, and a middleman that cuts a server's bytes off where a test wants.
 */
#ifndef RECONNECT_SERVE_H
#define RECONNECT_SERVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/vfiokit.h>

#include <cmocka.h>

struct serve {
	char dir[64], path[96]; /* of the server's socket */
	pid_t pid;		/* 0: none runs */
};

/* Makes the folder; no server yet. */
void serve_set_up(struct serve *s);
void serve_tear_down(struct serve *s);

/* Runs "vfiokit serve URI" until it listens; a URI without a scheme is a device of the wire tests' server. */
void serve_start(struct serve *s, const char *uri);
/* SIGKILL, as a crash: its socket stays behind. Nothing if none runs. */
void serve_kill(struct serve *s);

/* A middleman on PATH.cut: passes on to the server's socket what comes, until @budget bytes of the server's have passed. */
struct cutter;
struct cutter *cutter_start(const struct serve *s, char *path, size_t size);
void cutter_stop(struct cutter *c);
/*
 * The present or next connection gets so many bytes, and is closed at both ends when they have passed; those after it get all.
 */
void cutter_budget(struct cutter *c, long bytes);
/* Ends the present connection, as a server that dies does. */
void cutter_cut(struct cutter *c);
/* Bytes of the server's that have passed since the last call. */
long cutter_passed(struct cutter *c);

/* Of this process. */
size_t count_fds(void);
size_t count_mappings(void);

#endif
