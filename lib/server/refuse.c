/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refuse.c - clients that connect while another one is there.
 *
 * Whatever happens here happens without blocking: the one client that is served must not notice the others.
 *
 * Threads: the server's.
 */
#include "refuse.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/wire/header.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_NS 1000000000u
/* What is read and thrown away before closing: unread bytes would turn the close into a reset, and lose the reply. */
#define DRAIN_MAX   65536u

void vfki_refusals_init(struct vfki_refusals *r)
{
	memset(r, 0, sizeof(*r));
	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++)
		r->at[i].fd = -1;
}

static void drop(struct vfki_refusal *who)
{
	vfki_fd_close(who->fd);
	who->fd = -1;
}

/* Descriptors beside the bytes are never asked for, so the kernel closes them. */
static void drain(int fd)
{
	uint8_t waste[4096];
	ssize_t n;

	for (size_t total = 0; total < DRAIN_MAX; total += (size_t)n) {
		n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n <= 0)
			return;
	}
}

static void answer(const struct vfki_refusal *who)
{
	struct vfki_wire_header head;
	uint8_t reply[sizeof(head)];
	size_t len;

	if (vfki_dec_header(who->head, UINT32_MAX, &head) || vfki_wire_is_reply(&head) ||
	    (head.flags & VFKI_WIRE_NO_REPLY))
		return;
	len = vfki_enc_error(reply, head.id, head.command, -EBUSY);
	/* If there is no room in a socket that nothing was sent on, it is the client's fault. */
	(void)!send(who->fd, reply, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(who->fd, SHUT_WR);
}

/* True when there is nothing more to wait for. */
static bool hear(struct vfki_refusal *who)
{
	ssize_t n;

	n = recv(who->fd, who->head + who->have, sizeof(who->head) - who->have, MSG_DONTWAIT);
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (!n)
		return true;
	who->have += (size_t)n;
	if (who->have < sizeof(who->head))
		return false;
	drain(who->fd);
	answer(who);
	drain(who->fd);
	return true;
}

int vfki_refusals_add(struct vfki_refusals *r, int fd, uint64_t now)
{
	struct vfki_refusal who = { .fd = fd, .deadline = now + PATIENCE_NS };

	if (hear(&who)) {
		vfki_fd_close(fd);
		return -EBUSY;
	}
	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++) {
		if (r->at[i].fd >= 0)
			continue;
		r->at[i] = who;
		return (int)i;
	}
	vfki_fd_close(fd);
	return -EBUSY;
}

bool vfki_refusals_ready(struct vfki_refusals *r, size_t place)
{
	struct vfki_refusal *who = &r->at[place];

	if (who->fd >= 0 && !hear(who))
		return false;
	drop(who);
	return true;
}

void vfki_refusals_drop(struct vfki_refusals *r, size_t place)
{
	drop(&r->at[place]);
}

void vfki_refusals_expire(struct vfki_refusals *r, uint64_t now)
{
	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++) {
		if (r->at[i].fd >= 0 && r->at[i].deadline <= now)
			drop(&r->at[i]);
	}
}

uint64_t vfki_refusals_deadline(const struct vfki_refusals *r)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++) {
		if (r->at[i].fd >= 0 && r->at[i].deadline < first)
			first = r->at[i].deadline;
	}
	return first;
}

void vfki_refusals_close(struct vfki_refusals *r)
{
	for (size_t i = 0; i < VFKI_REFUSALS_MAX; i++)
		drop(&r->at[i]);
}
