/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu_driver.h - a driver of QEMU's edu device (1234:11e8), wherever it is.
 *
 * Only what the device documents is relied on (QEMU's docs/specs/edu): a factorial with an interrupt,
 * and DMA between memory and its buffer of 4096 bytes. All functions print a failure and return
 * STATUS_FAILED, or return STATUS_OK; each wait has a bound.
 */
#ifndef EDU_DRIVER_H
#define EDU_DRIVER_H

#include <vfiokit/device.h>

#define EDU_PAGE 4096
#define EDU_HALF 2048

struct edu {
	struct vfk_device *dev;	      /* borrowed */
	struct vfk_dma_space *space;  /* NULL: not attached */
	struct vfk_dma_buffer source; /* a page that the device reads; fd -1: not there */
	struct vfk_dma_buffer sink;   /* a page that it writes; fd -1: not there */
	uint64_t command;	      /* PCI command register, as it was */
	uint32_t irq_index;	      /* MSI, or INTx where there is none */
	int irq_fd;		      /* -1: not armed */
	unsigned int interrupts;      /* that came so far */
};

/*
 * Makes dev ready: it is an edu, its memory decoding and bus mastering are on, its pages are mapped below
 * 28 bits of address, its interrupt is armed. On success edu_detach() undoes it.
 */
int edu_attach(struct edu *edu, struct vfk_device *dev);
int edu_detach(struct edu *edu);

int edu_identification(struct edu *edu, uint32_t *id);

/* Writes value to the liveness register and reads back what the device made of it. */
int edu_liveness(struct edu *edu, uint32_t value, uint32_t *answer);

/* Has the device compute n!, and sleeps until its interrupt says that it is done. */
int edu_factorial(struct edu *edu, uint32_t n, uint32_t *result);

/* Moves the source page through the device's buffer into the sink page, each half in and out. */
int edu_move_page(struct edu *edu);

#endif
