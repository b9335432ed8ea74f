/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space.h - the inside of a dma space: a table of mappings, and the sinks that each of them is made in.
 *
 *	space.c		the space, map
 *	space_sink.c	one mapping in all sinks or in none
 *	space_unmap.c	unmap
 *	space_attach.c	sinks coming and going
 *	space_limits.c	what all sinks together can map
 *	alloc.c, access.c, dirty.c	what programs do with a space
 *
 * Threads: any; one lock for everything, held across the sinks' ops. Below it come the locks of the ios. Functions that
 * end in _locked are called with it.
 */
#ifndef VFKI_DEVICE_SPACE_H
#define VFKI_DEVICE_SPACE_H

#include "lib/base/error.h"
#include "lib/io/checked.h"
#include "lib/io/mappings.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/dma.h>

/* How long an unmap waits for users, unless the program says otherwise. */
#define VFKI_UNMAP_TIMEOUT_MS 1000

/* What a device is for a space; lives in the device. */
struct vfki_sink {
	struct vfki_checked *io;
	atomic_uint mask_bits;	      /* 12 to 64: what the device's own DMA engine can address */
	struct vfk_dma_limits limits; /* since attach */
};

struct vfk_dma_space {
	pthread_mutex_t lock;	   /* all below */
	struct vfki_mappings maps; /* each is in every sink */
	struct vfki_sink **sinks;  /* in the order of their coming */
	size_t num_sinks;
	struct vfk_dma_limits limits; /* of all sinks together */
	uint64_t dirty_page;	      /* 0: nothing is recorded */
	uint32_t timeout_ms;
};

void vfki_sink_init(struct vfki_sink *sink, struct vfki_checked *io);

/*
 * As vfk_device_attach_dma() and vfk_device_detach_dma(). *kept: it is attached, after success, or because it has some of
 * the mappings and does not let go (-EBUSY).
 */
int vfki_space_attach(struct vfk_dma_space *space, struct vfki_sink *sink, bool *kept);
int vfki_space_detach(struct vfk_dma_space *space, struct vfki_sink *sink);

/*
 * A sink whose device forgot everything: makes dirty tracking and all mappings in it again, and then calls @then with what
 * came of that, 0 or -errno; @then's result is returned. All under the lock: so @then can see to it that a device that
 * was told half of it reaches nothing, before anybody believes a mapping to be gone.
 */
int vfki_space_restore(struct vfk_dma_space *space, struct vfki_sink *sink,
		       int (*then)(void *ctx, int ret), void *ctx);

/*
 * Detaches a sink whose io is about to be closed: what it does not give back, the close will take; and all, where the
 * mappings are left to it.
 */
void vfki_space_drop(struct vfk_dma_space *space, struct vfki_sink *sink, bool unmap);

/* When a wait that begins now and lasts @timeout_ms ends, on CLOCK_MONOTONIC; and what is left of it, 0 when over. */
uint64_t vfki_space_deadline(uint32_t timeout_ms);
uint32_t vfki_space_ms_left(uint64_t deadline);

/* space_limits.c: of no sink at all; and of @limits and one sink more: 0, or -ENOTSUP, -ERANGE when nothing is left. */
void vfki_limits_none(struct vfk_dma_limits *limits);
int vfki_limits_join(struct vfk_dma_limits *limits, const struct vfk_dma_limits *sink,
		     const char *name);

/* Whether @m can be mapped within @limits: 0; -EINVAL not aligned; -ERANGE. How many there are is not looked at. */
int vfki_limits_suit(const struct vfk_dma_limits *limits, const struct vfki_mapping *m);

/* The smallest page size that all sinks have. */
uint64_t vfki_limits_granule(const struct vfk_dma_limits *limits);

/*
 * space.c: checks @m and puts it into the table and all sinks. Returns as vfk_dma_map(). *kept tells whether the table
 * owns @m now: on success, and when a sink failed while another one would not give the mapping back (-EBUSY).
 */
int vfki_space_map_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
			  struct vfk_dma_addr *addr, bool *kept);

/* space_sink.c: makes a mapping in all sinks; on failure it is in none, unless *kept. */
int vfki_sinks_map_locked(struct vfk_dma_space *space, const struct vfki_mapping *m,
			  struct vfk_dma_addr *addr, bool *kept);

/* Takes it out of all sinks: 0, also when a sink's device is gone; -EBUSY: it is in all of them as before. */
int vfki_sinks_unmap_locked(struct vfk_dma_space *space, const struct vfki_mapping *m,
			    uint64_t deadline);

/* The same for one sink. */
int vfki_sink_map(struct vfki_sink *sink, const struct vfki_mapping *m, struct vfk_dma_addr *addr);
int vfki_sink_unmap(struct vfki_sink *sink, const struct vfki_mapping *m, uint64_t deadline);

/* The whole table out of one sink, at once: false when it is to be taken out one by one. */
bool vfki_sink_unmap_all(const struct vfk_dma_space *space, struct vfki_sink *sink,
			 uint64_t deadline);

/*
 * After a failure, whose text vfk_error() has: mappings that were taken out are made again. What a sink does not take
 * back, the first of it, is told behind that text.
 */
struct vfki_restoring {
	size_t lost;
	char text[VFKI_ERROR_SIZE];
};

void vfki_restoring_begin(struct vfki_restoring *r);
void vfki_sink_restore(struct vfki_sink *sink, const struct vfki_mapping *m,
		       struct vfki_restoring *r);
/* Returns @ret. */
int vfki_restoring_end(const struct vfki_restoring *r, int ret);

/* space_unmap.c: as vfk_dma_unmap(). */
int vfki_space_unmap_locked(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			    uint64_t deadline);

/* Frees a mapping that is in no table any more. */
void vfki_space_free_mapping(struct vfki_mapping *m);

#endif
