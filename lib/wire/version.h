/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version.h - VERSION: who speaks what.
 *
 * The client proposes a version and capabilities, in JSON; the server answers with a version not
 * above it and with a subset of the capabilities. Specification: "VFIO_USER_VERSION"; the key
 * "migration" is no longer in it and still sent. Our own key is "vfiokit", an object of booleans,
 * which other peers ignore.
 *
 * max_msg_fds and max_data_xfer_size are what the sender of the JSON can take; each side sends at
 * most what the other said.
 *
 * Threads: any; the only functions of this room that allocate (inside libjson-c, freed before they
 * return).
 */
#ifndef VFKI_WIRE_VERSION_H
#define VFKI_WIRE_VERSION_H

#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which keys were there; beside max_msg_fds and max_data_xfer_size a server answers no key that was not sent. */
#define VFKI_WIRE_KEY_MAX_FDS	   (1u << 0)
#define VFKI_WIRE_KEY_MAX_XFER	   (1u << 1)
#define VFKI_WIRE_KEY_MAX_DMA_MAPS (1u << 2)
#define VFKI_WIRE_KEY_PGSIZES	   (1u << 3)
#define VFKI_WIRE_KEY_TWIN_SOCKET  (1u << 4)
#define VFKI_WIRE_KEY_WRITE_MULTI  (1u << 5)
#define VFKI_WIRE_KEY_MIGRATION	   (1u << 6)
#define VFKI_WIRE_KEY_VFIOKIT	   (1u << 7)
#define VFKI_WIRE_KEY_JSON	   (1u << 31) /* there was JSON at all */

/* What one side says of itself, defaults filled in. */
struct vfki_wire_caps {
	uint32_t keys;		     /* VFKI_WIRE_KEY_* */
	uint32_t max_msg_fds;	     /* descriptors that the sender takes in one message */
	uint64_t max_data_xfer_size; /* bytes of data that the sender takes in one message */
	uint64_t max_dma_maps;
	uint64_t pgsizes; /* bitmap */
	bool twin_socket;
	int32_t twin_fd_index; /* in a reply: its place among the descriptors; else -1 */
	bool write_multiple;
	uint64_t migration_pgsize;     /* 0: not said */
	uint64_t migration_max_bitmap; /* 0: not said */
	bool irq_count;	 /* ours: the SET_IRQS reply may say how many vectors can be had */
	bool sparse_fds; /* ours: SPARSE_MMAP_FDS is understood */
};

struct vfki_wire_hello {
	uint16_t major;
	uint16_t minor;
	struct vfki_wire_caps caps;
};

/* Defaults for everything; no keys. */
void vfki_wire_caps_default(struct vfki_wire_caps *caps);

/*
 * What we say: everything this library does, with the given limits (clamped to those of wire.h). A
 * server passes @twin_socket when it would set one up.
 */
void vfki_wire_caps_own(struct vfki_wire_caps *caps, uint64_t max_xfer, bool twin_socket);

/*
 * The payload of either direction: version and JSON with the keys that hello->caps.keys names, none
 * without VFKI_WIRE_KEY_JSON. @cap is the buffer's size, at most 4 + VFKI_WIRE_MAX_VERSION is used.
 * Returns its length; -ENOBUFS when it does not fit; -ENOMEM.
 */
int vfki_enc_version(void *buf, size_t cap, const struct vfki_wire_hello *hello);

/*
 * Decodes either direction. Unknown keys are ignored; so are the versions: they are for the two
 * functions below. Returns 0; -EPROTO when shorter than 4 bytes; -EINVAL when the JSON is not
 * NUL-terminated, has a NUL inside, is too long, too deep, no JSON, no object, or a known key has a
 * wrong type or an impossible value: the server answers the error and closes, the client closes;
 * -ENOMEM.
 */
int vfki_dec_version(const void *payload, size_t len, struct vfki_wire_hello *hello);

/* What both sides settled on, as one of them sees it. */
struct vfki_wire_agreed {
	uint16_t minor;
	uint32_t send_fds;  /* descriptors that we may put into one message */
	uint32_t recv_fds;  /* that the peer may */
	uint64_t send_xfer; /* data bytes of what we send, or ask the peer to send back */
	uint64_t recv_xfer; /* the same of what we receive */
	uint64_t max_dma_maps;
	uint64_t pgsizes;
	bool twin_socket;
	int32_t twin_fd_index; /* client: which descriptor of the reply; else -1 */
	bool write_multiple;
	uint64_t migration_pgsize;     /* 0: none */
	uint64_t migration_max_bitmap; /* 0: none */
	bool irq_count;
	bool sparse_fds;
};

/*
 * Server: from what it has and what the client proposed, the reply and the result. The reply's
 * twin_fd_index is 0 when twin_socket was agreed: the server makes the socket its only descriptor,
 * or clears both in reply and agreed. Returns 0; -EPROTONOSUPPORT for another major version (the
 * reply then is an error, and the connection ends); -EINVAL when the two have no page size in
 * common.
 */
int vfki_wire_negotiate_server(const struct vfki_wire_caps *own,
			       const struct vfki_wire_hello *client, struct vfki_wire_hello *reply,
			       struct vfki_wire_agreed *agreed);

/*
 * Client: from what it proposed and what the server answered with @nfds descriptors. Returns 0;
 * -EPROTONOSUPPORT for another major version; -EPROTO for a minor above ours, a twin socket that we
 * did not ask for, or one whose descriptor is not there, or descriptors without one; -EINVAL as
 * above.
 */
int vfki_wire_negotiate_client(const struct vfki_wire_hello *own,
			       const struct vfki_wire_hello *server, size_t nfds,
			       struct vfki_wire_agreed *agreed);

#endif
