/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - serves a device for tests:  rich serve DEVICE --socket-path=PATH [--timeout=MS]
 *
 * DEVICE is "rich" (rich.h) or "doorbell" (doorbell.c).
 *
 * The words are those of the tool's serve. Ends on SIGTERM, and removes the socket.
 */
#include "rich.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

static struct rich rich;

static int loop(struct vfk_server *server)
{
	struct pollfd p[2] = { { .fd = vfk_server_poll_fd(server), .events = POLLIN },
			       { .events = POLLIN } };
	sigset_t set;
	int ret = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	while (ret >= 0 && !p[1].revents) {
		if (poll(p, 2, -1) > 0)
			ret = vfk_server_dispatch(server);
	}
	return ret;
}

/* The eventfds of all vectors, twice, and what else there is. */
static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static const char *value_of(int argc, char **argv, const char *option)
{
	size_t len = strlen(option);

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], option, len))
			return argv[i] + len;
	return NULL;
}

static int open_device(const char *name, struct vfk_device **dev)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };

	if (!strcmp(name, "doorbell"))
		return vfk_device_open_model(&doorbell_ops, NULL, &opts, dev);
	rich_init(&rich);
	return vfk_device_open_io(&rich.io, &opts, dev);
}

int main(int argc, char **argv)
{
	const char *path = value_of(argc, argv, "--socket-path=");
	const char *timeout = value_of(argc, argv, "--timeout=");
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	struct vfk_server *server = NULL;
	struct vfk_device *dev = NULL;
	int ret;

	if (!path || argc < 3)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	allow_files();
	opts.timeout_ms = timeout ? (uint32_t)strtoul(timeout, NULL, 10) : 0;
	ret = open_device(argv[2], &dev);
	if (!ret)
		ret = vfk_server_listen(dev, path, &opts, &server);
	if (!ret)
		ret = loop(server);
	if (ret < 0)
		fprintf(stderr, "rich: %s\n", vfk_error());
	vfk_server_close(server);
	vfk_device_close(dev);
	return ret < 0;
}
