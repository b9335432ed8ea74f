/* SPDX-License-Identifier: BSD-3-Clause */
/* host.c - a server of ours that is asked one thing after the other; see host.h. */
#include "host.h"
#include "lib/wire/header.h"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 5
#define MOST_FDS   253
/* Turns after which a server that always has something to do is broken. */
#define MOST_TURNS 1000

void host_begin(struct host *h, struct vfk_device *dev)
{
	const struct vfk_server_opts opts = { .size = sizeof(opts),
					      .timeout_ms = TIMEOUT_MS,
					      .max_dma_maps = 8,
					      .max_data_xfer_size = HOST_MAX_XFER };
	int ends[2];

	memset(h, 0, sizeof(*h));
	descriptors_make(&h->d);
	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	REQUIRE(!vfk_server_on_fd(dev, ends[0], &opts, &h->server));
	h->fd = ends[1];
}

void host_end(struct host *h)
{
	vfk_server_close(h->server);
	close(h->fd);
	descriptors_close(&h->d);
}

static void turn(struct host *h)
{
	struct pollfd p = { .fd = vfk_server_poll_fd(h->server), .events = POLLIN };
	int turns = 0;

	while (!h->over && poll(&p, 1, 0) > 0) {
		REQUIRE(++turns < MOST_TURNS);
		h->over = vfk_server_dispatch(h->server) < 0;
	}
}

/* Closes what came, and returns how many that were. */
static size_t drop_fds(struct msghdr *m)
{
	size_t count = 0;
	int fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
		count += n;
	}
	return count;
}

/* @len bytes that must be there, since a server of ours sends whole messages. */
static bool hear(struct host *h, void *buf, size_t len)
{
	char control[CMSG_SPACE(MOST_FDS * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { buf, len };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(h->fd, &m, MSG_DONTWAIT);

	if (n <= 0)
		return false;
	REQUIRE(n == (ssize_t)len && !(m.msg_flags & MSG_CTRUNC));
	h->nfds += drop_fds(&m);
	return true;
}

static bool hear_reply(struct host *h)
{
	size_t len;

	h->nfds = 0;
	if (!hear(h, &h->head, sizeof(h->head)))
		return false;
	REQUIRE(h->head.size >= sizeof(h->head));
	len = h->head.size - sizeof(h->head);
	REQUIRE(len <= sizeof(h->payload));
	memset(h->payload, 0, sizeof(h->payload));
	return !len || hear(h, h->payload, len);
}

void host_send(struct host *h, uint16_t command, const void *payload, size_t len, uint8_t spec)
{
	uint8_t bytes[sizeof(h->head) + UINT16_MAX];

	vfki_enc_command((void *)bytes, h->next_id++, command, 0, len);
	if (len)
		memcpy(bytes + sizeof(h->head), payload, len);
	descriptors_send(&h->d, h->fd, bytes, sizeof(h->head) + len, spec);
}

bool host_ask(struct host *h, uint16_t command, const void *payload, size_t len, uint8_t spec)
{
	host_send(h, command, payload, len, spec);
	turn(h);
	if (!hear_reply(h))
		return false;
	/* It answers what was asked, once. */
	REQUIRE(vfki_wire_is_reply(&h->head) && h->head.command == command);
	REQUIRE(h->head.id == (uint16_t)(h->next_id - 1));
	REQUIRE(host_granted(h) || h->head.size == sizeof(h->head));
	return true;
}

bool host_granted(const struct host *h)
{
	return !(h->head.flags & VFKI_WIRE_ERROR);
}
