/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h - a server of ours at one end of a socketpair, and a hostile client's hand at the other.
 *
 * One thread: who sends lets the server have its turn, and then reads what it said.
 */
#ifndef TESTS_FUZZ_HOST_H
#define TESTS_FUZZ_HOST_H

#include "descriptors.h"
#include "input.h"
#include "lib/wire/wire.h"
#include <vfiokit/vfiokit.h>

#define HOST_MAX_XFER 4096 /* that the server takes */

struct host {
	struct vfk_server *server;
	int fd;	   /* the client's end */
	bool over; /* the server has ended the session */
	uint16_t next_id;
	struct descriptors d;
	/* the last reply */
	struct vfki_wire_header head;
	uint8_t payload[8192];
	size_t nfds; /* closed by now */
};

/* @dev is borrowed until host_end(). */
void host_begin(struct host *h, struct vfk_device *dev);
void host_end(struct host *h);

/* Sends a command; the descriptors are those of descriptors.h. */
void host_send(struct host *h, uint16_t command, const void *payload, size_t len, uint8_t spec);

/* The same, then the server's turn, then its reply into head, payload, nfds. False where there is none. */
bool host_ask(struct host *h, uint16_t command, const void *payload, size_t len, uint8_t spec);

/* Whether the last reply is no refusal. */
bool host_granted(const struct host *h);

#endif
