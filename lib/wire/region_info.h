/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region_info.h - DEVICE_GET_REGION_INFO: what a region is, its capabilities, and the descriptors
 * to map it by.
 *
 * Specification: "VFIO_USER_DEVICE_GET_REGION_INFO"; SPARSE_MMAP_FDS (id 16) is in its newest
 * draft. Three ways occur in which a peer says how areas belong to descriptors: one descriptor for
 * the region (QEMU, the specification); one for each area of SPARSE_MMAP, in order (libvfio-user,
 * SPDK); SPARSE_MMAP_FDS. The decoder makes one of them, the encoder uses the first, or the third
 * where the peer is known to understand it.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_REGION_INFO_H
#define VFKI_WIRE_REGION_INFO_H

#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFKI_WIRE_CAP_SPARSE_MMAP_FDS 16

/*
 * How a region is mapped through the descriptors of the message: as struct vfk_region_fds, with
 * places for them.
 */
struct vfki_wire_region_maps {
	uint32_t count; /* 0, 1, or the number of areas */
	bool per_area;	/* entry i is for area i of the SPARSE_MMAP capability */
	/* Of the descriptor, below the number received; entries may share one. */
	uint32_t index[VFK_REGION_MAX_FDS];
	uint64_t offset[VFK_REGION_MAX_FDS]; /* per_area: where in the descriptor the area begins */
};

/* 32 bytes. */
size_t vfki_enc_region_info_request(void *buf, uint32_t index, uint32_t argsz);

/* -EPROTO below 32 bytes; -EINVAL for an argsz below 32 or an index at or above @num_regions. */
int vfki_dec_region_info_request(const void *payload, size_t len, uint32_t num_regions,
				 uint32_t *index, uint32_t *argsz);

/*
 * @info is what the io gave: info->argsz bytes, capabilities included, checked. @fds are its
 * descriptors, NULL for none. Writes at most min(argsz, cap) bytes into @buf (@cap at least 32),
 * and into send_fds[0..*nfds) the descriptors that belong to the message, borrowed from @fds, at
 * most VFK_REGION_MAX_FDS and at most @max_fds. A chain for which argsz has no room is left out,
 * then without descriptors. Descriptors that the peer cannot take (more than @max_fds, or one an
 * area without @sparse_fds, the agreed capability) are left out, and so is the MMAP flag. Returns
 * the length; -EIO when the chain that the io gave is broken; -ENOBUFS when @cap is too small.
 */
int vfki_enc_region_info_reply(void *buf, size_t cap, const struct vfio_region_info *info,
			       const struct vfk_region_fds *fds, uint32_t argsz, uint32_t max_fds,
			       bool sparse_fds, int *send_fds, size_t *nfds);

/*
 * Into @info of @cap bytes, at least 32. After success info->argsz is the size needed: above @cap,
 * or above what arrived, the chain was left out, cap_offset is 0, and maps->count is 0. A
 * SPARSE_MMAP_FDS capability has become SPARSE_MMAP, with @maps beside it. Without descriptors, or
 * with areas that struct vfk_region_fds cannot express, the MMAP flag is gone. -EPROTO: shorter
 * than 32; another index than asked; a broken chain; areas that overlap or leave the region; a size
 * or offset that cannot be; descriptors for a region without MMAP, or a number of them that fits
 * none of the three ways.
 */
int vfki_dec_region_info_reply(const void *payload, size_t len, uint32_t index, size_t nfds,
			       struct vfio_region_info *info, size_t cap,
			       struct vfki_wire_region_maps *maps);

#endif
