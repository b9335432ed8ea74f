/* SPDX-License-Identifier: BSD-3-Clause */
/* server.c - a server in a process or in a thread; see server.h. */
#include "server.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct vfk_server_opts server_opts = { .size = sizeof(server_opts),
						    .timeout_ms = SERVER_TIMEOUT_MS };
static const struct vfk_open_opts open_opts = { .size = sizeof(open_opts),
						.flags = VFK_OPEN_DISPATCH };

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, vfk_error());
	exit(1);
}

/* ---- a process ---- */

/* One letter of the parent's: c count, q end. False at the end. */
static bool obey(int control)
{
	struct census census;
	char letter;

	if (read(control, &letter, 1) != 1 || letter == 'q')
		return false;
	census_take(&census);
	return write(control, &census, sizeof(census)) == sizeof(census);
}

static int serve(const struct server_process *s, int control)
{
	struct vfk_server *server;
	struct vfk_device *dev;
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = control, .events = POLLIN } };
	int r = 0;

	if (vfk_device_open(workload_uris[s->which], &open_opts, &dev) ||
	    vfk_server_listen(dev, s->path, &server_opts, &server))
		die(s->path);
	p[0].fd = vfk_server_poll_fd(server);
	if (write(control, "r", 1) != 1)
		return 1;
	while (r >= 0) {
		poll(p, 2, -1);
		if (p[0].revents)
			r = vfk_server_dispatch(server);
		else if (p[1].revents && !obey(control))
			break;
	}
	if (r < 0)
		die("dispatch");
	vfk_server_close(server);
	vfk_device_close(dev);
	return 0;
}

/* An answer, or the end, comes within the bound. */
static bool hear(int control, void *buf, size_t len)
{
	struct pollfd p = { .fd = control, .events = POLLIN };

	return poll(&p, 1, 30000) == 1 && recv(control, buf, len, MSG_WAITALL) == (ssize_t)len;
}

bool server_process_start(struct server_process *s)
{
	int ends[2];
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return false;
	fflush(NULL);
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		exit(serve(s, ends[1]));
	}
	close(ends[1]);
	s->control = ends[0];
	return s->pid > 0 && hear(s->control, &ready, 1);
}

bool server_process_census(struct server_process *s, struct census *census)
{
	return send(s->control, "c", 1, MSG_NOSIGNAL) == 1 &&
	       hear(s->control, census, sizeof(*census));
}

void server_process_reap(struct server_process *s)
{
	waitpid(s->pid, NULL, 0);
	close(s->control);
	s->pid = 0;
}

bool server_process_stop(struct server_process *s)
{
	int status = 1;

	send(s->control, "q", 1, MSG_NOSIGNAL);
	waitpid(s->pid, &status, 0);
	close(s->control);
	s->pid = 0;
	return !status;
}

int server_process_connect(const struct server_process *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* ---- a thread ---- */

static void *dispatch(void *ctx)
{
	struct server_thread *s = ctx;
	struct pollfd p[2] = { { .fd = vfk_server_poll_fd(s->server), .events = POLLIN },
			       { .fd = s->stop, .events = POLLIN } };
	int r = 0;

	while (r >= 0 && !p[1].revents) {
		poll(p, 2, -1);
		if (p[0].revents)
			r = vfk_server_dispatch(s->server);
	}
	/* The client sees the end now, not when the round is over. */
	vfk_server_close(s->server);
	return NULL;
}

void server_thread_start(struct server_thread *s, struct vfk_device *dev, int fd)
{
	s->stop = eventfd(0, EFD_CLOEXEC);
	if (vfk_server_on_fd(dev, fd, &server_opts, &s->server))
		die("a server on a socketpair");
	if (s->stop < 0 || pthread_create(&s->thread, NULL, dispatch, s))
		die("a server's thread");
}

void server_thread_stop(struct server_thread *s)
{
	eventfd_write(s->stop, 1);
	pthread_join(s->thread, NULL);
	close(s->stop);
}
