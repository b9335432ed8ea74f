/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_io_fds.h - DEVICE_GET_REGION_IO_FDS: eventfds that stand for writes to parts of a region.
 *
 * Specification: "VFIO_USER_DEVICE_GET_REGION_IO_FDS". Entries are 40 bytes there and 48 in
 * libvfio-user, which adds the shadow ioeventfd; the size of an entry follows from argsz and count,
 * and is one of the two.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_REGION_IO_FDS_H
#define VFKI_WIRE_REGION_IO_FDS_H

#include "lib/wire/wire.h"
#include <stddef.h>
#include <stdint.h>

enum {
	VFKI_WIRE_IOEVENTFD = 0,
	VFKI_WIRE_IOREGIONFD = 1,
	VFKI_WIRE_IOEVENTFD_SHADOW = 2, /* libvfio-user */
};

#define VFKI_WIRE_SUB_REGION_SHORT 40u
#define VFKI_WIRE_SUB_REGION_LONG  48u

/* 16 bytes. */
size_t vfki_enc_region_io_fds_request(void *buf, uint32_t index, uint32_t argsz);

/*
 * -EPROTO below 16 bytes; -EINVAL: argsz below 16, flags or count not 0, an index at or above
 * @num_regions.
 */
int vfki_dec_region_io_fds_request(const void *payload, size_t len, uint32_t num_regions,
				   uint32_t *index, uint32_t *argsz);

/*
 * Writes the header and @count entries of @entry_size bytes (one of the two above), or, when @argsz
 * has no room for them, the header alone with argsz saying what is needed. Returns the length;
 * -ENOBUFS; -EINVAL for a count above VFKI_WIRE_MAX_SUB_REGIONS.
 */
int vfki_enc_region_io_fds_reply(void *buf, size_t cap, uint32_t index,
				 const struct vfki_wire_sub_region *subs, uint32_t count,
				 uint32_t entry_size, uint32_t argsz);

/*
 * Entries into subs[0..max), *count to their number; *argsz to the size the peer needs: above the
 * payload's, there are no entries in it and *count is 0. @region_size bounds each. -EPROTO: any
 * other size than 16 + count * 40 or 48, or than argsz, another index, a descriptor index at or
 * above @nfds, an entry outside the region, an unknown type, more than @max.
 */
int vfki_dec_region_io_fds_reply(const void *payload, size_t len, uint32_t index,
				 uint64_t region_size, size_t nfds,
				 struct vfki_wire_sub_region *subs, size_t max, uint32_t *count,
				 uint32_t *argsz);

#endif
