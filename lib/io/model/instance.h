/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - one model that is open: the toolkit's side of it.
 *
 * struct vfk_model is the io that the table of backends makes, and what a model's author gets as a handle.
 *
 * Threads: the lock is held around every function of the author's, so that those never run twice at once; what each
 * part says of its own threads stands in its header. While a function of the author's does DMA on a mapping that is
 * reached by callbacks (a client without shared memory), the lock stays held until the callback returns.
 */
#ifndef VFKI_MODEL_INSTANCE_H
#define VFKI_MODEL_INSTANCE_H

#include "bar.h"
#include "config.h"
#include "dma.h"
#include "doorbell.h"
#include "hot_reset.h"
#include "irq.h"
#include "lock.h"
#include "low_power.h"
#include "region.h"
#include "work.h"
#include <linux/pci_regs.h>
#include <stdbool.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

struct vfk_model {
	struct vfk_io io;	  /* first */
	struct vfk_model_ops ops; /* a copy: members beyond the author's size are NULL */
	void *self;		  /* the author's instance */
	struct vfki_lock lock;
	struct {
		uint32_t bar;
		uint64_t off;
		size_t len;
	} access;	 /* to a BAR, that holds the lock */
	uint32_t decode; /* PCI_COMMAND_MEMORY and _IO, as far as BARs answer now */
	struct vfki_bar_direct direct;
	struct vfki_bar bars[VFKI_BARS];
	struct vfki_work work;
	struct vfki_config config;
	struct vfki_model_regions regions;
	struct vfki_low_power low_power;
	struct vfki_slot slot;
	struct vfki_irqs irqs;
	struct vfki_dma dma;
	struct vfki_doorbells doorbells;
	const struct vfk_model_ops *given; /* the caller's own model; NULL: a bundled one */
	bool declaring;			   /* inside init */
	bool identified;
};

/* Whether a function that declares may be called now: 0, or -EINVAL with a text that names @what. */
int vfki_model_declaring(const struct vfk_model *m, const char *what);

/* Resets the device; under the lock. */
void vfki_model_reset(struct vfk_model *m);

/*
 * Leaves a function of the author's: runs what it put off, then drops the lock. One atomic operation where nothing was put
 * off and nobody waits, since who puts off marks the lock.
 */
void vfki_model_leave_slowly(struct vfk_model *m);

static inline void vfki_model_leave(struct vfk_model *m)
{
	if (__builtin_expect(!vfki_lock_try_drop(&m->lock), 0))
		vfki_model_leave_slowly(m);
}

#endif
