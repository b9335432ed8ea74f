/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export_threads.h - a thread for each exported device, so that a slow one holds up no other.
 *
 * All zero but for exports and count: none started.
 */
#ifndef EXPORT_THREADS_H
#define EXPORT_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "export.h"

struct export_threads {
	struct export *exports; /* the caller's, and each its thread's between start and stop */
	size_t count;
	pthread_t *threads;
	size_t started;
	atomic_size_t running; /* devices that are served still */
	int go;		       /* eventfd: readable from export_threads_go() on */
	int stop;	       /* eventfd: readable when all are to end */
	int ended; /* eventfd, for the caller to poll: a device has ended; read it, then look at running */
};

/* Makes the threads, which wait. STATUS_OK, or the failure printed, and there are none. */
int export_threads_start(struct export_threads *threads);

/* They begin to serve. */
void export_threads_go(struct export_threads *threads);

/* Ends them, and waits until they have; the exports are the caller's again. Any state is right. */
void export_threads_stop(struct export_threads *threads);

#endif
