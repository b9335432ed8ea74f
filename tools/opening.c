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
#include <string.h>
#include <vfiokit/guard.h>
#include <vfiokit/kernel.h>
#include <vfiokit/uri.h>

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

/* A "kernel:" URI with share, which no URI can say; the rest is the URI's. */
static int open_kernel(struct args *args, const struct vfk_uri *uri, struct vfk_device *first,
		       struct vfk_device **dev)
{
	static const char *const keys[] = { "iommu", "vf_token", NULL };
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	int r = vfk_uri_only(uri, keys);

	if (r < 0)
		return r;
	opts.device = vfk_uri_target(uri);
	opts.iommu = vfk_uri_get(uri, "iommu");
	opts.vf_token = vfk_uri_get(uri, "vf_token");
	opts.share = first;
	return vfk_kernel_open(&opts, &args->open, dev);
}

static bool is_kernel_device(struct vfk_device *dev)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };

	return vfk_kernel_get_fds(dev, &fds) == 0;
}

int opening_share(struct args *args, const char *uri, struct vfk_device *first,
		  struct vfk_device **dev)
{
	struct vfk_uri *parsed;
	int r = vfk_uri_parse(uri, &parsed);

	if (r < 0)
		return fail(uri, r);
	if (strcmp(vfk_uri_scheme(parsed), "kernel") || !is_kernel_device(first)) {
		vfk_uri_free(parsed);
		return opening_open(args, uri, 0, dev);
	}
	r = open_kernel(args, parsed, first, dev);
	vfk_uri_free(parsed);
	return r < 0 ? fail(uri, r) : STATUS_OK;
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
