/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opening.c - opening the device of a subcommand, and the SIGBUS handler that keeps the tool alive.
 *
 * The guard is the tool's one global: a signal handler reaches nothing else. It lives as long as the
 * process.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <vfiokit/guard.h>

#include "failure.h"
#include "opening.h"
#include "progress.h"
#include "subcommand.h"

#define GUARD_PLACES 65536 /* as many mappings as a server lets its client have */

static struct vfk_guard *guard;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (vfk_guard_handle(guard, info->si_addr) < 0)
		signal(sig, SIG_DFL); /* the access is repeated, and ends us */
}

struct vfk_guard *opening_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	if (!guard && vfk_guard_create(GUARD_PLACES, &guard) == 0)
		sigaction(SIGBUS, &action, NULL);
	return guard;
}

int opening_open(struct args *args, const char *uri, uint32_t flags, struct vfk_device **dev)
{
	struct progress progress;
	int r;

	args->open.flags = flags;
	args->open.guard = opening_guard();
	if (!args->open.guard)
		return fail(uri, -ENOMEM);
	progress_start(&progress, args->progress, uri, "opening", 0);
	r = vfk_device_open(uri, &args->open, dev);
	progress_stop(&progress);
	return r < 0 ? fail(uri, r) : STATUS_OK;
}
