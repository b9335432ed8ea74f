/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.c - the thread that shows progress. It makes no library call.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

static void show(const struct progress *progress, unsigned int seconds)
{
	const char *start = progress->terminal ? "\r\033[K" : "";
	const char *end = progress->terminal ? "" : "\n";
	uint64_t done = atomic_load(&progress->done);

	if (progress->total)
		fprintf(stderr, "%svfiokit: %s: %s: %" PRIu64 " of %" PRIu64 ", %u s%s", start,
			progress->device, progress->what, done, progress->total, seconds, end);
	else
		fprintf(stderr, "%svfiokit: %s: %s: %u s%s", start, progress->device,
			progress->what, seconds, end);
}

static void *run(void *arg)
{
	struct progress *progress = arg;
	unsigned int seconds = 0;
	struct timespec due;

	clock_gettime(CLOCK_MONOTONIC, &due);
	pthread_mutex_lock(&progress->lock);
	while (!progress->stop) {
		due.tv_sec++;
		while (!progress->stop &&
		       pthread_cond_timedwait(&progress->wake, &progress->lock, &due) != ETIMEDOUT)
			;
		if (!progress->stop)
			show(progress, ++seconds);
	}
	if (seconds && progress->terminal)
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&progress->lock);
	return NULL;
}

static int start_thread(struct progress *progress)
{
	pthread_condattr_t attr;
	sigset_t all, before;
	int r;

	pthread_mutex_init(&progress->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&progress->wake, &attr);
	pthread_condattr_destroy(&attr);

	/* Signals are the main thread's, whose waits they end. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&progress->thread, NULL, run, progress);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

void progress_start(struct progress *progress, bool forced, const char *device, const char *what,
		    uint64_t total)
{
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1,
		.device = device,
		.what = what,
		.total = total,
	};
	if (progress->terminal || forced)
		progress->running = start_thread(progress) == 0;
}

void progress_step(struct progress *progress, uint64_t done)
{
	atomic_store_explicit(&progress->done, done, memory_order_relaxed);
}

void progress_stop(struct progress *progress)
{
	if (!progress->running)
		return;
	pthread_mutex_lock(&progress->lock);
	progress->stop = true;
	pthread_cond_signal(&progress->wake);
	pthread_mutex_unlock(&progress->lock);
	pthread_join(progress->thread, NULL);
	pthread_cond_destroy(&progress->wake);
	pthread_mutex_destroy(&progress->lock);
	progress->running = false;
}
