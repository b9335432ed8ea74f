/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rich.h - a device that uses all of the protocol, for tests on both ends of a socket.
 *
 * An io of its own, which looks like a PCI device. Region 0 has the registers below. Interrupt index 0 has 1 vector,
 * index 2 has RICH_VECTORS. Its ops trust their caller as io.h allows.
 *
 * Threads: one, the server's.
 */
#ifndef TESTS_WIRE_RICH_H
#define TESTS_WIRE_RICH_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/vfiokit.h>

#define RICH_VECTORS 2048
#define RICH_LOG     8192

/* Registers of four bytes. */
enum rich_register {
	RICH_ID = 0x00,	     /* 0x010000ed, as QEMU's edu has */
	RICH_SCRATCH = 0x04, /* reads as the complement of what was written */
	RICH_LOG_PUT = 0x10, /* a write is logged; reads as the number of entries */
	RICH_LOG_GET = 0x14, /* reads as the oldest entry, which goes */
	RICH_POSTED = 0x18,  /* writes that came with VFK_WRITE_POSTED */
	RICH_BROKEN = 0x1c,  /* a write fails with EIO; reads as the number of those */
	RICH_GRANTED = 0x20, /* vectors of index 2 that can be had */
	RICH_FAIL_AT = 0x24, /* eventfds of vectors from this one on fail with EMFILE */
	RICH_ARMED =
		0x28, /* vectors of index 2 with an eventfd; RICH_UNMASKED: with one that unmasks */
	RICH_UNMASKED = 0x2c,
	RICH_FIRE = 0x30,	  /* a write signals this vector of index 2 */
	RICH_ENABLED = 0x34,	  /* vectors that index 2 was switched on with; 0: it is off */
	RICH_STREAM_LEFT = 0x38,  /* bytes that mig_read still gives */
	RICH_STREAM_STEP = 0x3c,  /* at most so many in one call; 0: any */
	RICH_STREAM_TAKEN = 0x40, /* bytes that mig_write took */
	RICH_STREAM_SUM = 0x44,	  /* of those bytes */
	RICH_PRECOPY =
		0x48, /* not 0: precopy_info gives this, and it plus 1 in the upper half of dirty_bytes */
	RICH_REGISTERS = 0x1000,
};

struct rich {
	struct vfk_io io; /* first */
	uint32_t registers[RICH_REGISTERS / 4];
	uint32_t log[RICH_LOG];
	uint32_t log_begin, log_end;
	uint32_t enabled;
	int intx;
	int armed[RICH_VECTORS];    /* duplicates; -1 */
	int unmasked[RICH_VECTORS]; /* the same */
	int files[2];
};

extern const struct vfk_io_ops rich_ops;
extern const struct vfk_model_ops doorbell_ops;

void rich_init(struct rich *r);

/* migration.c */
ssize_t rich_mig_read(struct vfk_io *io, void *buf, size_t len);
ssize_t rich_mig_write(struct vfk_io *io, const void *buf, size_t len);
int rich_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info);

/* region.c */
int rich_make_files(struct rich *r);
int rich_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			 struct vfk_region_fds *fds);

/* io_fds.c */
int rich_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds, size_t max,
		       size_t *count);

/* irq.c */
int rich_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info);
int rich_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set);
void rich_fire(const struct rich *r, uint32_t vector);
uint32_t rich_count(const int *fds);

static inline struct rich *rich_of(struct vfk_io *io)
{
	return (struct rich *)io;
}

#endif
