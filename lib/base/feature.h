/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.h - the table of VFIO device features.
 *
 * VFIO_DEVICE_FEATURE carries a structure that depends on the feature, and some of them hold
 * pointers or descriptors. This table says for each feature what its structure is in the kernel's
 * form and what it is inline, as it is sent and stored: there a pointer's memory follows the
 * structure in place of the pointer. Wire, server, device layer, trace and recorder all use it; a
 * feature that is not here is -ENOTSUP everywhere.
 *
 * Threads: any; constant data and pure functions.
 */
#ifndef VFKI_BASE_FEATURE_H
#define VFKI_BASE_FEATURE_H

#include "lib/base/vfio_compat.h"
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFKI_FEATURE_METHODS \
	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE)

/* Largest fixed structure, in either form, of those in the table. */
#define VFKI_FEATURE_DATA_MAX 32

/*
 * What a structure's pointer points to; inline it stands behind the structure, in place of the
 * pointer.
 */
enum vfki_feature_tail {
	VFKI_TAIL_NONE,
	VFKI_TAIL_RANGES,     /* input: num_ranges x struct vfio_device_feature_dma_logging_range */
	VFKI_TAIL_BITMAP,     /* output: a bit a page, 64-bit words */
	VFKI_TAIL_DMA_RANGES, /* input, inline in the kernel's form too */
};

/* What a descriptor in the structure is; inline, the member is -1. */
enum vfki_feature_fd {
	VFKI_FD_NONE,
	VFKI_FD_IN, /* an eventfd that the caller gives; over a socket it goes beside the message */
	VFKI_FD_OUT,	/* the migration data stream; never leaves the kernel backend */
	VFKI_FD_RESULT, /* not in the structure: the call's result */
};

struct vfki_feature {
	uint16_t id;
	uint16_t get_size;    /* kernel's form, GET: bytes behind the header, without a tail */
	uint16_t set_size;    /* the same for SET */
	uint16_t inline_size; /* of either when it is sent: the structure without its pointer */
	uint16_t get_input;   /* GET: of the inline form, bytes that the caller fills in */
	uint16_t fd_offset;   /* of the s32, when fd is IN or OUT */
	uint32_t methods;     /* VFIO_DEVICE_FEATURE_GET, _SET or both */
	enum vfki_feature_tail tail;
	enum vfki_feature_fd fd;
	bool exported;	  /* may be used by a peer over a socket */
	const char *name; /* the kernel's, in lower case */
};

/*
 * A feature in the kernel's form, as the vector takes it, with room for any fixed structure of the
 * table.
 */
struct vfki_feature_buf {
	union {
		struct vfio_device_feature head;
		struct {
			__u32 same_as_head[2];
			uint8_t data[VFKI_FEATURE_DATA_MAX]; /* head.data, with a size */
		};
	};
} __attribute__((aligned(8)));
_Static_assert(offsetof(struct vfki_feature_buf, data) == sizeof(struct vfio_device_feature),
	       "one structure");

/* NULL when there is none. */
const struct vfki_feature *vfki_feature_find(uint32_t id);
const struct vfki_feature *vfki_feature_by_name(const char *name);

/* The table's entries one by one; NULL past the last. */
const struct vfki_feature *vfki_feature_at(size_t i);

/*
 * Whether @flags is one that VFIO_DEVICE_FEATURE takes: a known feature, exactly one of GET and SET
 * unless PROBE, no other bits. Returns 0; -ENOTSUP for a feature that is not in the table, or a
 * method that it does not have; -EINVAL.
 */
int vfki_feature_check_flags(uint32_t flags, const struct vfki_feature **feature);

/*
 * Whether @f, in the kernel's form and of @f->argsz bytes, is one that an io may be given: as
 * above, and argsz covers the structure. Pointers are not looked at. Returns 0, -ENOTSUP, -EINVAL.
 */
int vfki_feature_check(const struct vfio_device_feature *f, const struct vfki_feature **feature);

/*
 * Bytes of data behind the header for this method in the kernel's form, without a tail; 0 for a
 * probe.
 */
size_t vfki_feature_data_size(const struct vfki_feature *feature, uint32_t flags);

/*
 * Bytes of the bitmap for a DMA_LOGGING_REPORT over @length bytes in pages of @page_size: whole
 * 64-bit words. Returns 0; -EINVAL when the page size is no power of two, the length 0, or the
 * range wraps.
 */
int vfki_feature_bitmap_size(uint64_t iova, uint64_t length, uint64_t page_size, uint64_t *size);

#endif
