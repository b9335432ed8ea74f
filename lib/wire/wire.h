/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - vfio-user: the numbers and the structures as they travel.
 *
 * Source: docs/interop/vfio-user.rst of QEMU ("the specification"), for what its newest draft adds
 * the same file of the vfio maintainer's tree, and for what it leaves out the layouts of
 * <linux/vfio.h>, which it follows. All numbers are in the host's byte order. Payloads are not
 * aligned for the reader: decoders copy the fixed part out.
 *
 * Everything in this room is a pure function from bytes to structures and back: no I/O, no
 * allocation (but for the JSON of VERSION), no state. It alone validates a peer's bytes. Names:
 * vfki_enc_X_request() and vfki_dec_X_request() for a command, vfki_enc_X_reply() and
 * vfki_dec_X_reply() for its reply. They deal with payloads; the header is header.h's. An encoder
 * writes a fixed part into the caller's buffer, of the size that its comment names, and returns the
 * bytes written; data behind it (a region's bytes, a bitmap) travels as a further iovec of the
 * caller's.
 *
 * Results of decoders: -EPROTO: this is no such message, or a lying one: the connection must end.
 * Anything else: the message is sound and the value in it is not: an Error reply with that errno is
 * right, and the stream goes on. The text (vfk_error()) says what. Outputs are written on success
 * only.
 *
 * Threads: any.
 */
#ifndef VFKI_WIRE_WIRE_H
#define VFKI_WIRE_WIRE_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/io.h>

/* The version that we propose; every minor below it is spoken too. */
#define VFKI_WIRE_MAJOR 0
#define VFKI_WIRE_MINOR 2

enum vfki_wire_command {
	VFKI_WIRE_VERSION = 1,
	VFKI_WIRE_DMA_MAP = 2,
	VFKI_WIRE_DMA_UNMAP = 3,
	VFKI_WIRE_DEVICE_GET_INFO = 4,
	VFKI_WIRE_DEVICE_GET_REGION_INFO = 5,
	VFKI_WIRE_DEVICE_GET_REGION_IO_FDS = 6,
	VFKI_WIRE_DEVICE_GET_IRQ_INFO = 7,
	VFKI_WIRE_DEVICE_SET_IRQS = 8,
	VFKI_WIRE_REGION_READ = 9,
	VFKI_WIRE_REGION_WRITE = 10,
	VFKI_WIRE_DMA_READ = 11,  /* server to client */
	VFKI_WIRE_DMA_WRITE = 12, /* server to client */
	VFKI_WIRE_DEVICE_RESET = 13,
	VFKI_WIRE_DIRTY_PAGES = 14, /* removed from the specification; nobody answers it */
	VFKI_WIRE_REGION_WRITE_MULTI = 15,
	VFKI_WIRE_DEVICE_FEATURE = 16,
	VFKI_WIRE_MIG_DATA_READ = 17,
	VFKI_WIRE_MIG_DATA_WRITE = 18,
	VFKI_WIRE_GET_PRECOPY_INFO = 19,
	VFKI_WIRE_COMMAND_END,
};

/* header.flags */
#define VFKI_WIRE_TYPE	       0xfu
#define VFKI_WIRE_TYPE_COMMAND 0u
#define VFKI_WIRE_TYPE_REPLY   1u
#define VFKI_WIRE_NO_REPLY     (1u << 4)
#define VFKI_WIRE_ERROR	       (1u << 5)

/* Limits against a hostile peer; what a peer may say is held below them whatever it says. */
#define VFKI_WIRE_MAX_ERRNO	  4095u /* the kernel's MAX_ERRNO */
#define VFKI_WIRE_MAX_VERSION	  4096u /* bytes of JSON, its NUL included */
#define VFKI_WIRE_MAX_JSON_DEPTH  8
#define VFKI_WIRE_MAX_FDS	  64u  /* descriptors that we take in one message */
#define VFKI_WIRE_SCM_MAX_FDS	  253u /* that the kernel passes in one message (SCM_MAX_FD) */
#define VFKI_WIRE_MAX_XFER	  (64u << 20)  /* QEMU refuses a larger max_data_xfer_size */
#define VFKI_WIRE_MIN_XFER	  8u	       /* less could not carry the widest access */
#define VFKI_WIRE_MAX_DMA_MAPS	  65535u       /* QEMU refuses more */
#define VFKI_WIRE_MAX_BITMAP	  (256u << 20) /* QEMU refuses more */
#define VFKI_WIRE_MAX_REGIONS	  1024u
#define VFKI_WIRE_MAX_IRQS	  1024u	 /* indexes */
#define VFKI_WIRE_MAX_VECTORS	  65536u /* in one index */
#define VFKI_WIRE_MAX_INFO	  65536u /* an info structure with its capabilities */
#define VFKI_WIRE_MAX_WRITES	  1024u	 /* in a REGION_WRITE_MULTI; QEMU sends up to 200 */
#define VFKI_WIRE_MAX_SUB_REGIONS 256u	 /* in a GET_REGION_IO_FDS reply */
#define VFKI_WIRE_MAX_RANGES	  4096u	 /* in a DMA_LOGGING_START */

/* What holds when the VERSION capabilities do not say (specification, "VFIO_USER_VERSION"). */
#define VFKI_WIRE_DEFAULT_FDS	   1u
#define VFKI_WIRE_DEFAULT_XFER	   (1u << 20)
#define VFKI_WIRE_DEFAULT_DMA_MAPS 65535u
#define VFKI_WIRE_DEFAULT_PGSIZES  4096u

/* Page sizes that we can keep to: 4 KiB to 1 GiB. The peer's smallest one is what mappings are made of. */
#define VFKI_WIRE_OWN_PGSIZES 0x7ffff000u

struct vfki_wire_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the whole message, these 16 bytes included */
	uint32_t flags;
	uint32_t error; /* a positive errno; 0 is allowed beside the Error flag */
};

struct vfki_wire_version {
	uint16_t major;
	uint16_t minor;
};

struct vfki_wire_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the file */
	uint64_t addr;
	uint64_t size;
};

struct vfki_wire_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};

struct vfki_wire_bitmap {
	uint64_t pgsize;
	uint64_t size; /* bytes */
};

struct vfki_wire_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

struct vfki_wire_sparse_fd_area {
	uint64_t offset;
	uint64_t fd_offset;
	uint64_t size;
	uint32_t fd_index;
	uint32_t pad;
};

struct vfki_wire_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

struct vfki_wire_sub_region {
	uint64_t offset;
	uint64_t size;
	uint32_t fd_index;
	uint32_t type;
	uint32_t flags;
	uint32_t shadow_fd_index; /* type 2, in 48-byte entries; else padding */
	uint64_t datamatch;	  /* user_data for type 1 */
	uint64_t shadow_offset;	  /* only in 48-byte entries */
};

struct vfki_wire_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/* Ours, in the SET_IRQS reply when both ends said "irq_count". */
struct vfki_wire_irq_granted {
	uint32_t argsz;
	uint32_t count;
};

struct vfki_wire_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

struct vfki_wire_dma_access {
	uint64_t addr;
	uint64_t count;
};

struct vfki_wire_write_multi {
	uint64_t count;
};

struct vfki_wire_feature {
	uint32_t argsz;
	uint32_t flags;
};

struct vfki_wire_mig_data {
	uint32_t argsz;
	uint32_t size;
};

struct vfki_wire_precopy_info {
	uint32_t argsz;
	uint32_t flags;
	uint64_t initial_bytes;
	uint64_t dirty_bytes;
};

_Static_assert(sizeof(struct vfki_wire_header) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_version) == 4, "wire");
_Static_assert(sizeof(struct vfki_wire_dma_map) == 32, "wire");
_Static_assert(sizeof(struct vfki_wire_dma_unmap) == 24, "wire");
_Static_assert(sizeof(struct vfki_wire_bitmap) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_device_info) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_sparse_fd_area) == 32, "wire");
_Static_assert(sizeof(struct vfki_wire_region_io_fds) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_sub_region) == 48, "wire");
_Static_assert(offsetof(struct vfki_wire_sub_region, shadow_offset) == 40, "wire");
_Static_assert(sizeof(struct vfki_wire_irq_set) == 20, "wire");
_Static_assert(sizeof(struct vfki_wire_irq_granted) == 8, "wire");
_Static_assert(sizeof(struct vfki_wire_region_access) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_dma_access) == 16, "wire");
_Static_assert(sizeof(struct vfki_wire_write_multi) == 8, "wire");
_Static_assert(sizeof(struct vfki_wire_feature) == 8, "wire");
_Static_assert(sizeof(struct vfki_wire_mig_data) == 8, "wire");
_Static_assert(sizeof(struct vfki_wire_precopy_info) == 24, "wire");

/* Structures of the vector that travel as they are. */
_Static_assert(sizeof(struct vfio_region_info) == 32, "wire");
_Static_assert(sizeof(struct vfio_irq_info) == 16, "wire");
_Static_assert(sizeof(struct vfio_irq_set) == 20, "wire");
_Static_assert(sizeof(struct vfio_device_feature) == 8, "wire");
_Static_assert(sizeof(struct vfk_region_write) == 24, "wire");
_Static_assert(offsetof(struct vfk_region_write, data) == 16, "wire");

#endif
