/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h - a hostile server in the client's own thread, which answers out of an input.
 *
 * The program is linked so that what the library sends comes here: what the client sent is read from the other end at
 * once, and each command that wants an answer gets the next records of the input as its answer. So ids and commands of
 * replies can be right, no wait lasts, and the same input does the same again.
 */
#ifndef TESTS_FUZZ_PEER_H
#define TESTS_FUZZ_PEER_H

#include "descriptors.h"
#include "input.h"
#include "lib/wire/wire.h"
#include <sys/socket.h>

/* A record's kind, modulo the number of them. But for COMMAND and RAW it ends the peer's turn. */
enum peer_kind {
	PEER_GOOD,    /* what a well-behaved server could say; without a descriptor byte */
	PEER_REPLY,   /* part: with id and command as they should be */
	PEER_PATCHED, /* offset 8, value 64: a good reply, 8 bytes and the descriptors replaced */
	PEER_ERROR,   /* errno 32 */
	PEER_COMMAND, /* command 8, flags 8, part: a request of the server's own */
	PEER_RAW,     /* part */
	PEER_STRAY,   /* id 16, command 8, size 32, part: a reply that is wrong throughout */
	PEER_END,     /* the peer goes */
	PEER_SILENT,  /* no answer; once in an input, since it takes the client's patience */
	PEER_KINDS,
};

#define PEER_BIGGEST UINT16_MAX

struct peer {
	struct input in;
	struct descriptors d;
	int client, fd; /* both ends */
	bool go_on;	/* good answers when the input is used up; else the peer goes */
	/* what a well-behaved server says, and what sees each message of the client's; NULL: peer_good(), nobody */
	size_t (*good)(struct peer *peer, uint8_t *payload, uint8_t *spec);
	void (*sent)(const struct msghdr *m);
	bool was_silent;
	uint16_t next_id;
	/* the message that is being read */
	struct vfki_wire_header head;
	uint8_t payload[64]; /* its beginning */
	size_t got;	     /* bytes of it, header included */
};

/* Makes the sockets; the one of @peer->client is for the library. */
void peer_begin(struct peer *peer, const uint8_t *data, size_t size);
/* Closes the peer's own end. */
void peer_end(struct peer *peer);

/* What the linker calls in the place of sendmsg() and send(), and those themselves. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);

/* good.c: the payload of an answer to what @peer has read, and the byte for its descriptors. Returns its length. */
size_t peer_good(const struct peer *peer, uint8_t *payload, uint8_t *spec);

#endif
