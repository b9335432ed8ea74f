/* SPDX-License-Identifier: BSD-3-Clause */
/* descriptors.c - memfds, eventfds and pipes for a fuzzed peer; see descriptors.h. */
#include "descriptors.h"
#include "input.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 15

static int make_memory(off_t size, int seals)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	REQUIRE(fd >= 0 && !ftruncate(fd, size));
	if (seals)
		REQUIRE(!fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

void descriptors_make(struct descriptors *d)
{
	d->fd[0] = make_memory(DESCRIPTORS_MEMORY, 0);
	d->fd[1] = make_memory(DESCRIPTORS_MEMORY, F_SEAL_SHRINK | F_SEAL_GROW);
	d->fd[2] = make_memory(100, 0);
	d->fd[3] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	REQUIRE(d->fd[3] >= 0);
	REQUIRE(!pipe2(d->fd + 4, O_CLOEXEC | O_NONBLOCK));
	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, d->fd + 6));
}

void descriptors_close(struct descriptors *d)
{
	for (size_t i = 0; i < DESCRIPTORS_KINDS; i++)
		close(d->fd[i]);
}

bool descriptors_send(const struct descriptors *d, int sock, const void *bytes, size_t len,
		      uint8_t spec)
{
	union {
		char buf[CMSG_SPACE(MOST * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t count = spec % (MOST + 1), kind = spec / (MOST + 1);
	int fds[MOST];

	/* A message of no bytes carries none, and says nothing. */
	if (!len)
		return true;
	for (size_t i = 0; i < count; i++)
		fds[i] = d->fd[(kind < DESCRIPTORS_KINDS ? kind : i) % DESCRIPTORS_KINDS];
	if (count) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

void census_take(struct census *census)
{
	const nfds_t count = sizeof(census->open);
	struct pollfd p[sizeof(census->open)];

	for (nfds_t i = 0; i < count; i++)
		p[i] = (struct pollfd){ .fd = (int)i };
	REQUIRE(poll(p, count, 0) >= 0);
	for (nfds_t i = 0; i < count; i++)
		census->open[i] = !(p[i].revents & POLLNVAL);
}

void census_check(const struct census *before)
{
	struct census now;

	census_take(&now);
	REQUIRE(!memcmp(&now, before, sizeof(now)));
}
