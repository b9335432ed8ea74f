/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.c - see serve.h. The middleman has a thread; the rest is the test's own. */
#include "serve.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- servers ---- */

void serve_set_up(struct serve *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/vfiokit-reconnect-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	s->pid = 0;
}

void serve_tear_down(struct serve *s)
{
	serve_kill(s);
	unlink(s->path);
	assert_int_equal(rmdir(s->dir), 0);
}

/* The first line comes when clients can connect. */
static void await_line(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c = 0;

	while (c != '\n') {
		assert_int_equal(poll(&p, 1, 30000), 1);
		assert_int_equal(read(fd, &c, 1), 1);
	}
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

/* For a server that says nothing. */
static void await_socket(const char *path)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct sockaddr_un a = address(path);
	int ret = -1;

	for (int i = 0; i < 30000 && ret; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ret = connect(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(ret, 0);
}

void serve_start(struct serve *s, const char *uri)
{
	const char *tool = getenv(strchr(uri, ':') ? "VFIOKIT" : "VFIOKIT_RICH");
	posix_spawn_file_actions_t actions;
	char socket_path[128];
	const char *argv[] = { tool, "serve", uri, socket_path, "--exit-with-parent", NULL };
	int out[2];

	assert_non_null(tool);
	snprintf(socket_path, sizeof(socket_path), "--socket-path=%s", s->path);
	unlink(s->path);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	assert_int_equal(posix_spawn(&s->pid, tool, &actions, NULL, (char **)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	if (strchr(uri, ':'))
		await_line(out[0]);
	else
		await_socket(s->path);
	close(out[0]);
}

void serve_kill(struct serve *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
	s->pid = 0;
}

/* ---- the middleman ---- */

struct cutter {
	char path[104], upstream[96];
	pthread_t thread;
	int listener, order; /* order: an eventfd, 1: cut, 16: stop */
	atomic_long budget, passed;
};

/* One receive's worth; with its descriptors. False: the end. */
static bool pass(struct cutter *c, int from, int to, bool limited)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(64 * sizeof(int))];
	} control;
	char buf[4096];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	long left = atomic_load(&c->budget);
	bool go_on = true;
	ssize_t n;

	if (limited && left >= 0 && (size_t)left < sizeof(buf))
		iov.iov_len = (size_t)left;
	n = iov.iov_len ? recvmsg(from, &mh, MSG_CMSG_CLOEXEC) : 0;
	if (n > 0) {
		iov.iov_len = (size_t)n;
		go_on = sendmsg(to, &mh, MSG_NOSIGNAL) == n;
	}
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&mh); n > 0 && h; h = CMSG_NXTHDR(&mh, h)) {
		const int *fds = (const int *)(const void *)CMSG_DATA(h);

		for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			close(fds[i]);
	}
	if (n <= 0)
		return false;
	if (limited) {
		atomic_fetch_add(&c->passed, n);
		if (left >= 0)
			go_on = atomic_fetch_sub(&c->budget, n) > n && go_on;
	}
	return go_on;
}

/* Returns what was ordered; 0: the connection ended by itself. */
static uint64_t relay(struct cutter *c, int client, int server)
{
	struct pollfd p[3] = { { .fd = c->order, .events = POLLIN },
			       { .fd = client, .events = POLLIN },
			       { .fd = server, .events = POLLIN } };
	uint64_t order;

	for (;;) {
		poll(p, 3, -1);
		if (p[0].revents && read(c->order, &order, sizeof(order)) == sizeof(order))
			return order;
		if (p[1].revents && !pass(c, client, server, false))
			return 0;
		if (p[2].revents && !pass(c, server, client, true))
			return 0;
	}
}

static void *run(void *arg)
{
	struct cutter *c = arg;
	struct pollfd p[2] = { { .fd = c->order, .events = POLLIN },
			       { .fd = c->listener, .events = POLLIN } };
	struct sockaddr_un up = address(c->upstream);
	uint64_t order = 0;

	while (order < 16) {
		int client, server;

		poll(p, 2, -1);
		if (p[0].revents && read(c->order, &order, sizeof(order)) == sizeof(order))
			continue;
		client = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
		server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(server, (struct sockaddr *)&up, sizeof(up)))
			order = relay(c, client, server);
		atomic_store(&c->budget, -1);
		close(server);
		close(client);
	}
	return NULL;
}

struct cutter *cutter_start(const struct serve *s, char *path, size_t size)
{
	struct cutter *c = calloc(1, sizeof(*c));
	struct sockaddr_un a;

	assert_non_null(c);
	snprintf(c->upstream, sizeof(c->upstream), "%s", s->path);
	snprintf(c->path, sizeof(c->path), "%s.cut", s->path);
	snprintf(path, size, "%s", c->path);
	a = address(c->path);
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(c->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(c->listener, 8), 0);
	c->order = eventfd(0, EFD_CLOEXEC);
	atomic_init(&c->budget, -1);
	assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
	return c;
}

static void order(struct cutter *c, uint64_t what)
{
	assert_int_equal(write(c->order, &what, sizeof(what)), sizeof(what));
}

void cutter_stop(struct cutter *c)
{
	order(c, 16);
	pthread_join(c->thread, NULL);
	close(c->listener);
	close(c->order);
	unlink(c->path);
	free(c);
}

void cutter_budget(struct cutter *c, long bytes)
{
	atomic_store(&c->budget, bytes);
}

void cutter_cut(struct cutter *c)
{
	order(c, 1);
}

long cutter_passed(struct cutter *c)
{
	return atomic_exchange(&c->passed, 0);
}

/* ---- counts ---- */

size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

size_t count_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	size_t n = 0;

	/* Memory that the allocator takes is not what is meant: those of files are. */
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:") != NULL;
	fclose(f);
	return n;
}
