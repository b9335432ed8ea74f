/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * puppet.h - an io of a program's own whose every answer a test decides, and which remembers what it was asked.
 *
 * It behaves well until told otherwise. Include it after <cmocka.h>.
 */
#ifndef UNIT_IO_PUPPET_H
#define UNIT_IO_PUPPET_H

#include <linux/vfio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/vfiokit.h>

#define PUPPET_REGIONS 6
#define PUPPET_IRQS    3
#define PUPPET_SIZE    0x2000 /* of region 0 */
#define PUPPET_CHAIN   2048

enum puppet_op {
	OP_OPEN,
	OP_CLOSE,
	OP_DEVICE_INFO,
	OP_REGION_INFO,
	OP_IRQ_INFO,
	OP_SET_IRQS,
	OP_READ,
	OP_WRITE,
	OP_FEATURE,
	OP_RESET,
	OP_WRITE_MULTI,
	OP_FLUSH,
	OP_MIG_READ,
	OP_MIG_WRITE,
	OP_POLL_FD,
	OP_DISPATCH,
	OP_MAP,
	OP_UNMAP,
	OP_LIMITS,
	OP_DIRTY_START,
	OP_DIRTY_STOP,
	OP_DIRTY_REPORT,
	OP_COUNT,
};

struct puppet_region {
	struct vfio_region_info info; /* as it is answered, but for argsz, cap_offset and index */
	uint8_t chain[PUPPET_CHAIN];  /* what stands behind the info */
	uint32_t chain_len;	      /* 0: none */
	uint32_t first_cap;	      /* cap_offset; 0: that of the chain's beginning */
	int32_t index_lie;	      /* added to the index in the answer */
	uint32_t argsz_lie;	      /* answered in place of the right one, unless 0 */
	bool grows;		      /* needs eight bytes more than it is given each time */
	struct vfk_region_fds fds;    /* handed out as duplicates */
};

struct puppet_map {
	uint64_t iova, length;
};

struct puppet {
	struct vfk_io io;      /* first */
	struct vfk_io_ops ops; /* a copy that a test may take members out of */
	struct vfk_dma_ops dma_ops;
	struct vfio_device_info info;
	uint8_t chain[PUPPET_CHAIN]; /* of the device info */
	uint32_t chain_len;
	bool info_grows;
	struct puppet_region regions[PUPPET_REGIONS];
	struct vfio_irq_info irqs[PUPPET_IRQS];
	int32_t irq_index_lie;
	uint8_t memory[PUPPET_SIZE]; /* behind every region */

	pthread_mutex_t lock; /* what is counted and remembered of accesses, and maps */
	bool forced[OP_COUNT];
	long result[OP_COUNT];	      /* of an op that is forced; nothing else is done then */
	unsigned int after[OP_COUNT]; /* calls before it is forced */
	unsigned int calls[OP_COUNT];

	uint32_t access_region; /* the last access */
	uint64_t access_off;
	size_t access_len;
	unsigned int access_flags;
	uint8_t irq_set[4096]; /* the last set_irqs, whole */
	struct {
		uint32_t argsz, flags;
	} feature;					    /* the last one's head */
	uint8_t feature_in[32] __attribute__((aligned(8))); /* and its data */
	uint8_t feature_out[32];			    /* what a get fills in */
	bool feature_lie;				    /* changes the question */

	struct puppet_map maps[64]; /* what it holds */
	unsigned int num_maps;
	uint32_t unmap_timeout;	  /* of the last unmap */
	struct vfk_dma_addr addr; /* answered in place of the IOVA, when contiguous is not 0 */
	struct vfk_dma_limits limits;
	uint64_t refuse_below; /* a map whose IOVA is below is -ERANGE */
	uint64_t dirty[4];     /* ored into a report */
	int poll_fd;
};

/* One with region 0 (read, write, PUPPET_SIZE), 1 (read only, 16), 2 (empty), 3 (write only, 16), and irqs of 1, 4, 0. */
void puppet_init(struct puppet *p, const char *name);

/* From the @after-th call on (0: at once) the op does nothing but return @result. */
void puppet_force_after(struct puppet *p, enum puppet_op op, unsigned int after, long result);
void puppet_force(struct puppet *p, enum puppet_op op, long result);
void puppet_release(struct puppet *p, enum puppet_op op);

/* Appends a SPARSE_MMAP capability with these areas to a region's chain, and sets its flags. */
void puppet_add_sparse(struct puppet *p, unsigned int region,
		       const struct vfio_region_sparse_mmap_area *areas, unsigned int n);
/* A capability of @id with @len bytes of data. */
void puppet_add_cap(struct puppet *p, unsigned int region, uint16_t id, const void *data,
		    uint32_t len);

bool puppet_has_map(struct puppet *p, uint64_t iova, uint64_t length);

/* Opens a device on it; fails the test if that fails. */
struct vfk_device *puppet_open(struct puppet *p);

/* @call returns @want, and its text begins with the puppet's name. */
#define assert_refused(p, call, want)                                             \
	do {                                                                      \
		assert_int_equal(call, want);                                     \
		assert_ptr_equal(strstr(vfk_error(), (p)->io.name), vfk_error()); \
	} while (0)

#endif
