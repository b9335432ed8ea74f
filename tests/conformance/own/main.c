/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - runs the suite on devices of a program's own:  own BACKEND SKIPS
 *
 * BACKEND: "mapped-model", a model, or "own-io", an io, in process; "mapped-user", "own-user": the same through a server
 * in a child process.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#include "io.h"
#include "model.h"
#include "tests/conformance/suite.h"

static int open_model(const struct vfk_open_opts *opts, struct vfk_device **dev)
{
	return vfk_device_open_model(&mapped_model, NULL, opts, dev);
}

static const struct backend {
	const char *name;
	int (*open)(const struct vfk_open_opts *opts, struct vfk_device **dev);
	bool served;
} backends[] = {
	{ "mapped-model", open_model, false },
	{ "mapped-user", open_model, true },
	{ "own-io", own_io_open, false },
	{ "own-user", own_io_open, true },
};

/* Serves until it is killed; writes a byte to @ready when the socket is there. */
static int serve(const struct backend *b, const char *path, int ready)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct vfk_server *server = NULL;
	struct vfk_device *dev = NULL;
	struct pollfd p = { .events = POLLIN };
	int ret = b->open(&opts, &dev);

	ret = ret ? ret : vfk_server_listen(dev, path, NULL, &server);
	if (ret < 0) {
		fprintf(stderr, "serve: %s\n", vfk_error());
		return 1;
	}
	p.fd = vfk_server_poll_fd(server);
	ret = write(ready, "r", 1) == 1 ? 0 : -errno;
	while (ret >= 0) {
		poll(&p, 1, -1);
		ret = vfk_server_dispatch(server);
	}
	return 1;
}

static int run_served(const struct backend *b, struct vfk_suite_opts *opts)
{
	char dir[] = "/tmp/vfiokit-XXXXXX", path[64], uri[80], byte;
	int p[2], ret;
	pid_t pid;

	if (!mkdtemp(dir) || pipe(p) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(uri, sizeof(uri), "vfio-user:%s", path);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(serve(b, path, p[1]));
	}
	close(p[1]);
	ret = read(p[0], &byte, 1) == 1 ? 0 : -EIO;
	close(p[0]);
	opts->uri = uri;
	ret = ret ? ret : vfk_suite_run(opts);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(path);
	rmdir(dir);
	return ret;
}

static const struct backend *find(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct vfk_open_opts open = { .size = sizeof(open) };
	struct vfk_suite_opts opts = { .open = &open, .tap = stdout };
	const struct backend *b = argc == 3 ? find(argv[1]) : NULL;
	int ret;

	if (!b)
		return 2;
	opts.backend = opts.uri = b->name;
	opts.expected_skips = argv[2];
	if (b->served) {
		ret = run_served(b, &opts);
	} else {
		opts.open_device = b->open;
		ret = vfk_suite_run(&opts);
	}
	if (ret < 0)
		fprintf(stderr, "%s: %s\n", b->name, strerror(-ret));
	return ret != 0;
}
