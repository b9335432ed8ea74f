/* SPDX-License-Identifier: BSD-3-Clause */
/* peer.c - the hostile server's sockets and records; see peer.h. */
#include "peer.h"
#include "lib/wire/header.h"
#include <errno.h>
#include <unistd.h>

/* The one that what is sent is for; there is one thread. */
static struct peer *listening;

void peer_begin(struct peer *peer, const uint8_t *data, size_t size)
{
	int ends[2];

	*peer = (struct peer){ .in = { data, size }, .next_id = 1 };
	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	peer->client = ends[0];
	peer->fd = ends[1];
	descriptors_make(&peer->d);
	listening = peer;
}

void peer_end(struct peer *peer)
{
	listening = NULL;
	close(peer->fd);
	descriptors_close(&peer->d);
}

/* ---- what it says ---- */

static void hang_up(struct peer *peer)
{
	shutdown(peer->fd, SHUT_RDWR);
}

static void say(struct peer *peer, struct vfki_wire_header h, const uint8_t *payload, size_t len,
		uint8_t spec)
{
	uint8_t bytes[sizeof(h) + PEER_BIGGEST];

	memcpy(bytes, &h, sizeof(h));
	if (len)
		memcpy(bytes + sizeof(h), payload, len);
	/* A client that does not read is not waited for. */
	if (!descriptors_send(&peer->d, peer->fd, bytes, sizeof(h) + len, spec))
		hang_up(peer);
}

static void reply(struct peer *peer, const uint8_t *payload, size_t len, uint8_t spec)
{
	struct vfki_wire_header h;

	vfki_enc_reply(&h, peer->head.id, peer->head.command, len);
	say(peer, h, payload, len, spec);
}

static size_t good(struct peer *peer, uint8_t *payload, uint8_t *spec)
{
	return peer->good ? peer->good(peer, payload, spec) : peer_good(peer, payload, spec);
}

static void reply_good(struct peer *peer)
{
	uint8_t payload[PEER_BIGGEST], spec;
	size_t len = good(peer, payload, &spec);

	reply(peer, payload, len, spec);
}

static void reply_patched(struct peer *peer, uint8_t spec)
{
	uint8_t payload[PEER_BIGGEST], dropped;
	size_t len = good(peer, payload, &dropped), at = take8(&peer->in);
	uint64_t value = take_number(&peer->in, 8);

	for (size_t i = 0; i < sizeof(value) && at + i < len; i++)
		payload[at + i] = (uint8_t)(value >> 8 * i);
	reply(peer, payload, len, spec);
}

static void reply_error(struct peer *peer, uint8_t spec)
{
	struct vfki_wire_header h;

	vfki_enc_reply(&h, peer->head.id, peer->head.command, 0);
	h.flags |= VFKI_WIRE_ERROR;
	h.error = take32(&peer->in);
	say(peer, h, NULL, 0, spec);
}

static void say_command(struct peer *peer, uint8_t spec)
{
	struct vfki_wire_header h = { .id = peer->next_id++ };
	struct input part;

	h.command = take8(&peer->in);
	h.flags = take8(&peer->in);
	part = take_part(&peer->in);
	h.size = (uint32_t)(sizeof(h) + part.len);
	say(peer, h, part.bytes, part.len, spec);
}

static void say_stray(struct peer *peer, uint8_t spec)
{
	struct vfki_wire_header h = { .flags = VFKI_WIRE_TYPE_REPLY };
	struct input part;

	h.id = take16(&peer->in);
	h.command = take8(&peer->in);
	h.size = take32(&peer->in);
	part = take_part(&peer->in);
	say(peer, h, part.bytes, part.len, spec);
}

/* One record. False when the turn is over. */
static bool record(struct peer *peer)
{
	enum peer_kind kind = take8(&peer->in) % PEER_KINDS;
	uint8_t spec = kind == PEER_GOOD ? 0 : take8(&peer->in);
	struct input part;

	switch (kind) {
	case PEER_REPLY:
		part = take_part(&peer->in);
		reply(peer, part.bytes, part.len, spec);
		return false;
	case PEER_PATCHED:
		reply_patched(peer, spec);
		return false;
	case PEER_ERROR:
		reply_error(peer, spec);
		return false;
	case PEER_COMMAND:
		say_command(peer, spec);
		return true;
	case PEER_RAW:
		part = take_part(&peer->in);
		descriptors_send(&peer->d, peer->fd, part.bytes, part.len, spec);
		return true;
	case PEER_STRAY:
		say_stray(peer, spec);
		return false;
	case PEER_END:
		hang_up(peer);
		return false;
	case PEER_SILENT:
		if (!peer->was_silent) {
			peer->was_silent = true;
			return false;
		}
		/* fallthrough */
	default:
		reply_good(peer);
		return false;
	}
}

static void answer(struct peer *peer)
{
	if (vfki_wire_is_reply(&peer->head) || peer->head.flags & VFKI_WIRE_NO_REPLY)
		return;
	do {
		if (!peer->in.len) {
			if (peer->go_on)
				reply_good(peer);
			else
				hang_up(peer);
			return;
		}
	} while (record(peer));
}

/* ---- what it hears ---- */

/* Bytes of the stream, of any number of messages. */
static void hear(struct peer *peer, const uint8_t *bytes, size_t len)
{
	while (len--) {
		size_t at = peer->got++;

		if (at < sizeof(peer->head))
			((uint8_t *)&peer->head)[at] = *bytes;
		else if (at < sizeof(peer->head) + sizeof(peer->payload))
			peer->payload[at - sizeof(peer->head)] = *bytes;
		bytes++;
		if (peer->got < sizeof(peer->head) || peer->got < peer->head.size)
			continue;
		/* Our client is no liar. */
		REQUIRE(peer->head.size == peer->got);
		peer->got = 0;
		answer(peer);
		memset(peer->payload, 0, sizeof(peer->payload));
	}
}

static void listen_to(struct peer *peer)
{
	uint8_t bytes[65536];
	ssize_t n;

	while ((n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		hear(peer, bytes, (size_t)n);
}

static void was_sent(int fd, const struct msghdr *m, ssize_t n)
{
	struct peer *peer = listening;
	int error = errno;

	if (peer && fd != peer->fd && n > 0 && peer->sent)
		peer->sent(m);
	if (peer && fd != peer->fd && n > 0)
		listen_to(peer);
	errno = error;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = __real_sendmsg(fd, m, flags);

	was_sent(fd, m, n);
	return n;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	const struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = __real_send(fd, bytes, len, flags);

	was_sent(fd, &m, n);
	return n;
}
