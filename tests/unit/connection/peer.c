/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.c - the scripted peer; see peer.h.
 */
#include "peer.h"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

void peer_fail(struct peer *p, const char *what, int line)
{
	if (p->failed)
		return;
	fprintf(stderr, "the script at line %d: %s\n", line, what);
	p->failed = what;
	p->line = line;
}

struct vfki_conn *peer_connect(struct peer *p, const struct vfki_conn_opts *opts)
{
	struct vfki_conn_opts o = *opts;
	struct vfki_transport t;
	struct vfki_conn *conn;
	int fds[2];

	memset(p, 0, sizeof(*p));
	if (!o.timeout_ms)
		o.timeout_ms = TIMEOUT_MS;
	if (!o.max_xfer)
		o.max_xfer = MAX_XFER;
	if (!o.max_fds)
		o.max_fds = 8;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(vfki_unix_transport(fds[0], o.timeout_ms, &t), 0);
	assert_int_equal(vfki_conn_create(&t, &o, &conn), 0);
	p->fd = fds[1];
	return conn;
}

static void *run(void *arg)
{
	struct peer *p = arg;

	p->script(p);
	/* Who waits for what the script did not come to must not wait for ever. */
	if (p->failed)
		shutdown(p->fd, SHUT_RDWR);
	return NULL;
}

void peer_start(struct peer *p, void (*script)(struct peer *p))
{
	p->script = script;
	assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

void peer_stop(struct peer *p)
{
	if (p->script)
		pthread_join(p->thread, NULL);
	peer_hang_up(p);
	if (p->failed)
		fail_msg("the script at line %d: %s", p->line, p->failed);
}

static bool ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 5000) == 1;
}

static void take_fds(struct peer *p, struct msghdr *mh)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(p->fds + p->nfds, CMSG_DATA(c), n * sizeof(int));
		p->nfds += n;
	}
}

static bool read_all(struct peer *p, void *buf, size_t len)
{
	while (len) {
		char control[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(8)));
		struct iovec iov = { .iov_base = buf, .iov_len = len };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control) };
		ssize_t r;

		if (!ready(p->fd, POLLIN))
			return false;
		r = recvmsg(p->fd, &mh, 0);
		if (r <= 0)
			return false;
		take_fds(p, &mh);
		buf = (char *)buf + r;
		len -= (size_t)r;
	}
	return true;
}

bool peer_read(struct peer *p)
{
	size_t left;

	p->nfds = 0;
	if (!read_all(p, &p->head, sizeof(p->head)))
		return false;
	left = p->head.size - sizeof(p->head);
	while (left) {
		size_t len = left < sizeof(p->payload) ? left : sizeof(p->payload);

		if (!read_all(p, p->payload, len))
			return false;
		left -= len;
	}
	return true;
}

bool peer_send(struct peer *p, const void *buf, size_t len)
{
	while (len) {
		ssize_t r;

		if (!ready(p->fd, POLLOUT))
			return false;
		r = send(p->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r <= 0)
			return false;
		buf = (const char *)buf + r;
		len -= (size_t)r;
	}
	return true;
}

bool peer_send_fds(struct peer *p, const void *buf, size_t len, size_t nfds)
{
	char control[CMSG_SPACE(VFKI_TRANSPORT_MAX_FDS * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(nfds * sizeof(int)) };
	struct cmsghdr *c = (struct cmsghdr *)control;

	memset(control, 0, sizeof(control));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	/* Not the socket itself: it would never come to its end. */
	for (size_t i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
	return sendmsg(p->fd, &mh, MSG_NOSIGNAL) == (ssize_t)len;
}

size_t peer_message(void *buf, uint16_t id, uint16_t command, uint32_t flags, const void *payload,
		    size_t len)
{
	struct vfki_wire_header h = {
		.id = id, .command = command, .flags = flags, .size = (uint32_t)(sizeof(h) + len)
	};

	if (flags & VFKI_WIRE_ERROR)
		h.error = EINVAL;
	memcpy(buf, &h, sizeof(h));
	if (len && payload)
		memcpy((char *)buf + sizeof(h), payload, len);
	return sizeof(h) + len;
}

bool peer_reply(struct peer *p, const void *payload, size_t len)
{
	uint8_t buf[4096 + 16];

	return peer_send(p, buf,
			 peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY,
				      payload, len));
}

void peer_hang_up(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

bool peer_sees_end(struct peer *p)
{
	char sink[4096];
	ssize_t r;

	do {
		if (!ready(p->fd, POLLIN))
			return false;
		r = recv(p->fd, sink, sizeof(sink), 0);
	} while (r > 0);
	return true;
}

void peer_sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	nanosleep(&ts, NULL);
}

size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

void simple_init(struct simple *s, uint16_t command, size_t out_len, size_t in_len)
{
	memset(s, 0, sizeof(*s));
	s->out.iov_base = s->out_data;
	s->out.iov_len = out_len;
	s->in.iov_base = s->in_data;
	s->in.iov_len = in_len;
	s->rq.command = command;
	s->rq.out = &s->out;
	s->rq.n_out = 1;
	s->rq.in = &s->in;
	s->rq.n_in = 1;
}

void simple_read(struct simple *s, uint64_t offset, uint32_t count)
{
	struct vfki_wire_region_access a = { .offset = offset, .region = 0, .count = count };

	simple_init(s, VFKI_WIRE_REGION_READ, sizeof(a), sizeof(a) + count);
	memcpy(s->out_data, &a, sizeof(a));
}

size_t peer_read_reply(struct peer *p, void *buf, uint8_t seed)
{
	struct vfki_wire_region_access a;
	uint8_t payload[4096];

	memcpy(&a, p->payload, sizeof(a));
	memcpy(payload, &a, sizeof(a));
	for (uint32_t i = 0; i < a.count; i++)
		payload[sizeof(a) + i] = (uint8_t)(seed + i);
	return peer_message(buf, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY, payload,
			    sizeof(a) + a.count);
}
