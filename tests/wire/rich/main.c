/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - serves the device of rich.h:  rich serve rich --socket-path=PATH [--timeout=MS]
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

int main(int argc, char **argv)
{
	const char *path = value_of(argc, argv, "--socket-path=");
	const char *timeout = value_of(argc, argv, "--timeout=");
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	struct vfk_server *server = NULL;
	struct vfk_device *dev = NULL;
	int ret;

	if (!path)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	allow_files();
	opts.timeout_ms = timeout ? (uint32_t)strtoul(timeout, NULL, 10) : 0;
	rich_init(&rich);
	ret = vfk_device_open_io(&rich.io, NULL, &dev);
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
