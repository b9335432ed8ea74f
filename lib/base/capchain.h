/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capchain.h - the chain of capabilities behind a VFIO info structure.
 *
 * struct vfio_device_info and struct vfio_region_info may be followed by capabilities: each a
 * struct vfio_info_cap_header with id, version, and the offset of the next one from the beginning
 * of the info structure, 0 at the end (<linux/vfio.h>). Offsets may come from a peer: every step is
 * checked for bounds, alignment and loops.
 *
 * Threads: any; pure functions on the caller's memory. Failures are -EPROTO, with a text.
 */
#ifndef VFKI_BASE_CAPCHAIN_H
#define VFKI_BASE_CAPCHAIN_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer chain is taken for a loop. Linux has 5 kinds for regions and 5 for devices. */
#define VFKI_CAPS_MAX 64

/* One capability, found in a chain. */
struct vfki_cap {
	uint16_t id;
	uint16_t version;
	uint32_t offset;  /* of its header, from the info structure */
	const void *data; /* behind its header; not necessarily aligned */
	size_t room;	  /* bytes at data: up to the next capability behind it, or the end */
};

/* A walk along a chain; set up by vfki_caps_begin(). */
struct vfki_caps {
	const uint8_t *info;
	size_t len;	    /* bytes that are really there */
	size_t fixed;	    /* of the info structure; no capability lies below */
	uint32_t next;	    /* offset of the next capability, 0 at the end */
	unsigned int steps; /* made so far */
};

/*
 * @info points to @len bytes that begin with a structure of @fixed bytes; @cap_offset is its
 * member, 0 for none.
 */
void vfki_caps_begin(struct vfki_caps *caps, const void *info, size_t len, size_t fixed,
		     uint32_t cap_offset);

/* Returns 1 with @cap set, 0 at the end, -EPROTO. */
int vfki_caps_next(struct vfki_caps *caps, struct vfki_cap *cap);

/*
 * The same in one call each: whether the whole chain is sound (0 or -EPROTO); the first capability
 * with @id (1, 0, -EPROTO).
 */
int vfki_caps_check(const void *info, size_t len, size_t fixed, uint32_t cap_offset);
int vfki_caps_find(const void *info, size_t len, size_t fixed, uint32_t cap_offset, uint16_t id,
		   struct vfki_cap *cap);

/*
 * Appends a capability of @size bytes, its header included, to a chain that is being built in a
 * buffer of @cap bytes: @used counts the bytes taken (at first the info structure's size) and is
 * rounded up to 8 first; @link is the offset of the u32 that points to the next one: at first that
 * of the info structure's cap_offset, then updated. Writes the header, zeroes the rest, and returns
 * it; NULL when there is no room (nothing changed).
 */
void *vfki_caps_add(void *info, size_t cap, size_t *used, size_t *link, uint16_t id,
		    uint16_t version, size_t size);

#endif
