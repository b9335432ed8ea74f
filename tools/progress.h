/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.h - a line on stderr, once a second, while something takes more than one.
 *
 * Only where stderr is a terminal, or where the user asked for it: elsewhere stderr holds nothing but
 * the line of a failure. The line is written by a thread of its own, since what takes long is often a
 * single call; the thread is there only where progress is shown.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool running; /* the thread is there; the rest is valid only then */
	bool terminal;
	const char *device, *what;
	uint64_t total;	       /* 0: not known */
	_Atomic uint64_t done; /* out of total */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* under lock */
};

/* device and what are borrowed until progress_stop(). */
void progress_start(struct progress *progress, bool forced, const char *device, const char *what,
		    uint64_t total);
void progress_step(struct progress *progress, uint64_t done);

/* Once for each start; a terminal's line is clear again after it. */
void progress_stop(struct progress *progress);

#endif
