/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export_threads.c - a thread for each exported device.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "export_threads.h"
#include "failure.h"
#include "subcommand.h"

struct start {
	struct export_threads *all;
	struct export *export;
};

/* Waits for one of two; whether it was @fd alone. */
static bool wait_for(int fd, int stop)
{
	struct pollfd polls[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = stop, .events = POLLIN },
	};

	while (poll(polls, 2, -1) < 0 && errno == EINTR)
		;
	return !polls[1].revents;
}

static void raise_event(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void *serve_one(void *arg)
{
	struct start start = *(struct start *)arg;
	struct export *export = start.export;
	int poll_fd = vfk_server_poll_fd(export->server);

	free(arg);
	if (!wait_for(start.all->go, start.all->stop))
		return NULL;
	while (!export->ended && wait_for(poll_fd, start.all->stop))
		export_dispatch(export);
	if (!export->ended)
		return NULL;
	/* The client and the kernel wait for this, while other devices go on. */
	export_close(export);
	atomic_fetch_sub(&start.all->running, 1);
	raise_event(start.all->ended);
	return NULL;
}

static int start_one(struct export_threads *threads, struct export *export)
{
	struct start *start = malloc(sizeof(*start));
	int r = ENOMEM;

	if (start) {
		*start = (struct start){ threads, export };
		r = pthread_create(&threads->threads[threads->started], NULL, serve_one, start);
	}
	if (r) {
		free(start);
		return fail_text(export->uri, "no thread for it: %s", strerror(r));
	}
	threads->started++;
	return STATUS_OK;
}

int export_threads_start(struct export_threads *threads)
{
	int status = STATUS_OK;

	threads->threads = calloc(threads->count, sizeof(*threads->threads));
	threads->go = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	threads->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	threads->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	threads->running = threads->count;
	if (!threads->threads || threads->go < 0 || threads->stop < 0 || threads->ended < 0)
		status = fail_text(threads->exports[0].uri, "threads: %m");
	for (size_t i = 0; i < threads->count && status == STATUS_OK; i++)
		status = start_one(threads, &threads->exports[i]);
	if (status != STATUS_OK)
		export_threads_stop(threads);
	return status;
}

void export_threads_go(struct export_threads *threads)
{
	raise_event(threads->go);
}

void export_threads_stop(struct export_threads *threads)
{
	int *fds[] = { &threads->go, &threads->stop, &threads->ended };

	if (!threads->threads)
		return;
	raise_event(threads->stop);
	for (size_t i = 0; i < threads->started; i++)
		pthread_join(threads->threads[i], NULL);
	threads->started = 0;
	free(threads->threads);
	threads->threads = NULL;
	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
