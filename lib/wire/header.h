/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * header.h - the 16 bytes before every payload, and what each command's payload may be.
 *
 * Specification: "Header", "Commands".
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_HEADER_H
#define VFKI_WIRE_HEADER_H

#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may stand behind a payload's fixed part. */
enum vfki_wire_tail {
	VFKI_WIRE_TAIL_NONE,
	VFKI_WIRE_TAIL_VERSION, /* JSON */
	VFKI_WIRE_TAIL_INFO,	/* capabilities; in a request, room for the reply */
	VFKI_WIRE_TAIL_DATA,	/* up to the negotiated transfer size */
	VFKI_WIRE_TAIL_BOOLS,	/* SET_IRQS */
	VFKI_WIRE_TAIL_WRITES,	/* REGION_WRITE_MULTI */
	VFKI_WIRE_TAIL_FDS,	/* sub-regions of GET_REGION_IO_FDS */
};

/* What a payload's length may be. */
struct vfki_wire_part {
	uint16_t min; /* less is no such message */
	uint16_t max; /* of its fixed part; at most VFKI_WIRE_FIXED_MAX */
	enum vfki_wire_tail tail;
};

#define VFKI_WIRE_FIXED_MAX 40

/* One command: for checking headers, and for whoever shows messages. */
struct vfki_wire_shape {
	const char *name; /* "region_read" */
	bool from_server; /* the server sends the command, the client replies */
	bool request_fds; /* the command may carry descriptors */
	bool reply_fds;
	struct vfki_wire_part request;
	struct vfki_wire_part reply;
};

/* NULL for a command that nobody knows (or DIRTY_PAGES). */
const struct vfki_wire_shape *vfki_wire_shape(uint32_t command);

/*
 * "region_read", or "command N" for an unknown one (in storage of this thread's, until the next
 * call).
 */
const char *vfki_wire_command_name(uint32_t command);

static inline bool vfki_wire_is_reply(const struct vfki_wire_header *h)
{
	return (h->flags & VFKI_WIRE_TYPE) == VFKI_WIRE_TYPE_REPLY;
}

static inline size_t vfki_wire_payload(const struct vfki_wire_header *h)
{
	return h->size - sizeof(*h);
}

/*
 * Writes the 16 bytes of a command; @flags is 0 or VFKI_WIRE_NO_REPLY. @payload is all that
 * follows, data included; the caller keeps it below 4 GiB - 16 (every limit of wire.h does).
 */
static inline size_t vfki_enc_command(void *buf, uint16_t id, uint16_t command, uint32_t flags,
				      size_t payload)
{
	struct vfki_wire_header h = {
		.id = id,
		.command = command,
		.size = (uint32_t)(sizeof(h) + payload),
		.flags = flags,
	};

	__builtin_memcpy(buf, &h, sizeof(h));
	return sizeof(h);
}

/* Writes the 16 bytes of a reply that is no error. */
static inline size_t vfki_enc_reply(void *buf, uint16_t id, uint16_t command, size_t payload)
{
	return vfki_enc_command(buf, id, command, VFKI_WIRE_TYPE_REPLY, payload);
}

/* A whole error reply; @err is the -errno to report. An err that is no -errno travels as EIO. */
size_t vfki_enc_error(void *buf, uint16_t id, uint16_t command, int err);

/*
 * Decodes 16 bytes. Returns 0; -EPROTO for an unknown type, a reserved bit, No_reply on a reply,
 * Error on a command, a size below 16 or above @max_size, an error reply that has a payload, an
 * errno out of range.
 */
int vfki_dec_header(const void *buf, uint32_t max_size, struct vfki_wire_header *h);

/*
 * Whether the payload's length and the number of descriptors are possible for the command, before
 * the payload is read. @max_xfer is the receiver's own limit on data; @at_server says where we are.
 * Commands that are unknown, or for the other side, pass: they are read, and answered with an
 * error. Returns 0 or -EPROTO; that also for a reply to a command that this side does not send.
 */
int vfki_wire_check_header(const struct vfki_wire_header *h, bool at_server, uint64_t max_xfer,
			   size_t nfds);

/*
 * The largest message that passes the check for a receiver with this limit: the size of a receive
 * buffer.
 */
uint32_t vfki_wire_max_message(uint64_t max_xfer);

/*
 * The -errno of an error reply as the vector has it: 0 (the peer did not say) becomes -EIO, ENOSYS
 * and ENOTTY, with which peers refuse what they do not know, -ENOTSUP.
 */
int vfki_wire_errno(const struct vfki_wire_header *h);

#endif
