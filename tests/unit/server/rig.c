/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.c - a server and a client made of raw bytes. */
#include "rig.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 2000

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void on_event(void *ctx, enum vfk_server_event event, const char *text)
{
	struct rig *rig = ctx;

	snprintf(rig->text, sizeof(rig->text), "%s", text);
	if (event == VFK_SERVER_CONNECTED)
		rig->connected++;
	else if (event == VFK_SERVER_DISCONNECTED)
		rig->disconnected++;
	else
		rig->refused++;
}

static struct vfk_server_opts with_events(struct rig *rig, const struct vfk_server_opts *opts)
{
	struct vfk_server_opts o = { .size = sizeof(o) };

	if (opts)
		o = *opts;
	o.event = on_event;
	o.ctx = rig;
	return o;
}

void rig_pair(struct rig *rig, struct vfk_device *dev, const struct vfk_server_opts *opts)
{
	struct vfk_server_opts o;
	int ends[2];

	memset(rig, 0, sizeof(*rig));
	rig->dev = dev;
	o = with_events(rig, opts);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(vfk_server_on_fd(dev, ends[0], &o, &rig->server), 0);
	rig->fd = ends[1];
}

void rig_open(struct rig *rig, struct vfk_device *dev, const struct vfk_server_opts *opts)
{
	rig_pair(rig, dev, opts);
	assert_int_equal(rig_version(rig, 0, 2, "{\"capabilities\":{\"max_msg_fds\":16}}"), 0);
}

void rig_listen(struct rig *rig, struct vfk_device *dev, const char *path,
		const struct vfk_server_opts *opts)
{
	struct vfk_server_opts o;

	memset(rig, 0, sizeof(*rig));
	rig->dev = dev;
	rig->fd = -1;
	o = with_events(rig, opts);
	assert_int_equal(vfk_server_listen(dev, path, &o, &rig->server), 0);
}

int rig_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

void rig_join(struct rig *rig)
{
	if (!rig->threaded)
		return;
	rig->stop = true;
	pthread_join(rig->thread, NULL);
	rig->threaded = false;
}

void rig_close(struct rig *rig)
{
	rig_join(rig);
	vfk_server_close(rig->server);
	rig->server = NULL;
	if (rig->fd >= 0)
		close(rig->fd);
	rig->fd = -1;
}

static int step(struct rig *rig, int wait_ms)
{
	struct pollfd p = { .fd = vfk_server_poll_fd(rig->server), .events = POLLIN };
	int ret = poll(&p, 1, wait_ms);

	if (ret <= 0)
		return 0;
	ret = vfk_server_dispatch(rig->server);
	if (ret < 0) {
		rig->result = ret;
		return 0;
	}
	return 1;
}

static void *serve(void *arg)
{
	struct rig *rig = arg;

	while (!rig->stop && !rig->result)
		step(rig, 5);
	return NULL;
}

void rig_thread(struct rig *rig)
{
	rig->threaded = true;
	assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
}

void rig_pump(struct rig *rig, int ms)
{
	int64_t end = now_ms() + ms;

	if (rig->threaded) {
		usleep((useconds_t)ms * 1000 + 20000);
		return;
	}
	do {
		while (step(rig, 0))
			;
		if (now_ms() < end)
			step(rig, 1);
	} while (now_ms() < end);
}

void rig_send(int fd, const void *bytes, size_t len, const int *fds, size_t nfds)
{
	union {
		char buf[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), len);
}

uint16_t rig_command(struct rig *rig, uint16_t command, uint32_t flags, const void *payload,
		     size_t len, const int *fds, size_t nfds)
{
	uint8_t bytes[sizeof(struct head) + 70000];
	struct head h = {
		.id = rig->next_id++,
		.command = command,
		.size = (uint32_t)(sizeof(h) + len),
		.flags = flags,
	};

	assert_true(sizeof(h) + len <= sizeof(bytes));
	memcpy(bytes, &h, sizeof(h));
	if (len)
		memcpy(bytes + sizeof(h), payload, len);
	rig_send(rig->fd, bytes, sizeof(h) + len, fds, nfds);
	return h.id;
}

/* 0 at the end of the stream. */
static size_t receive_some(struct rig *rig, void *buf, size_t len)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { buf, len };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int64_t end = now_ms() + PATIENCE_MS;
	ssize_t n;

	while ((n = recvmsg(rig->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		if (errno != EAGAIN)
			return 0;
		if (now_ms() >= end)
			fail_msg("the server says nothing");
		if (rig->threaded)
			usleep(200);
		else
			step(rig, 1);
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		rig->msg.nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(rig->msg.fds, CMSG_DATA(c), rig->msg.nfds * sizeof(int));
	}
	return (size_t)n;
}

static bool receive_all(struct rig *rig, void *buf, size_t len)
{
	size_t n;

	for (size_t have = 0; have < len; have += n) {
		n = receive_some(rig, (uint8_t *)buf + have, len - have);
		if (!n)
			return false;
	}
	return true;
}

void rig_receive(struct rig *rig)
{
	struct message *m = &rig->msg;

	rig_drop_fds(rig);
	if (!receive_all(rig, &m->head, sizeof(m->head)))
		fail_msg("the server closed the connection: %s", rig->text);
	assert_in_range(m->head.size, sizeof(m->head), sizeof(m->head) + sizeof(m->payload));
	m->len = m->head.size - sizeof(m->head);
	assert_true(receive_all(rig, m->payload, m->len));
}

bool rig_closed(struct rig *rig)
{
	uint8_t byte;
	size_t n = receive_some(rig, &byte, 1);

	rig_pump(rig, 0);
	return n == 0;
}

bool rig_silent(struct rig *rig)
{
	uint8_t byte;

	rig_pump(rig, 5);
	return recv(rig->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int rig_ask_fds(struct rig *rig, uint16_t command, const void *payload, size_t len, const int *fds,
		size_t nfds)
{
	uint16_t id = rig_command(rig, command, 0, payload, len, fds, nfds);
	const struct head *h = &rig->msg.head;

	rig_receive(rig);
	assert_int_equal(h->id, id);
	assert_int_equal(h->command, command);
	if (!(h->flags & FLAG_ERROR)) {
		assert_int_equal(h->flags, FLAG_REPLY);
		assert_int_equal(h->error, 0);
		return 0;
	}
	assert_int_equal(h->flags, FLAG_REPLY | FLAG_ERROR);
	assert_int_equal(rig->msg.len, 0);
	assert_int_equal(rig->msg.nfds, 0);
	assert_true(h->error > 0);
	return (int)h->error;
}

int rig_ask(struct rig *rig, uint16_t command, const void *payload, size_t len)
{
	return rig_ask_fds(rig, command, payload, len, NULL, 0);
}

int rig_version(struct rig *rig, uint16_t major, uint16_t minor, const char *json)
{
	uint8_t payload[4 + 5000];
	size_t len = json ? strlen(json) + 1 : 0;

	assert_true(len <= sizeof(payload) - 4);
	memcpy(payload, &major, 2);
	memcpy(payload + 2, &minor, 2);
	if (len)
		memcpy(payload + 4, json, len);
	return rig_ask(rig, CMD_VERSION, payload, 4 + len);
}

void rig_drop_fds(struct rig *rig)
{
	for (size_t i = 0; i < rig->msg.nfds; i++)
		close(rig->msg.fds[i]);
	rig->msg.nfds = 0;
}

size_t rig_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
