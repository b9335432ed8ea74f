/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edu device's registers in BAR 0 (QEMU's docs/specs/edu.rst) and how they are reached: by read
 * and write on the device's fd, or through the mapped BAR, and the waiting for them. One thread.
 */
#ifndef GUEST_EDU_REGS_H
#define GUEST_EDU_REGS_H

#include <stdbool.h>
#include <stdint.h>

/* Accesses below 0x80 are of 4 bytes, those from there on of 4 or 8. */
enum {
	EDU_ID = 0x00,
	EDU_LIVE = 0x04,
	EDU_FACTORIAL = 0x08,
	EDU_STATUS = 0x20,
	EDU_IRQ_STATUS = 0x24,
	EDU_IRQ_RAISE = 0x60,
	EDU_IRQ_ACK = 0x64,
	EDU_DMA_SRC = 0x80,
	EDU_DMA_DST = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_CMD = 0x98,
	EDU_DMA_BUFFER = 0x40000,
};

#define EDU_BAR_SIZE	    0x100000
#define EDU_ID_VALUE	    0x010000edu
#define EDU_STATUS_BUSY	    0x01
#define EDU_STATUS_IRQ	    0x80
#define EDU_IRQ_FACTORIAL   0x001
#define EDU_IRQ_DMA	    0x100
#define EDU_DMA_START	    0x1
#define EDU_DMA_TO_RAM	    0x2
#define EDU_DMA_IRQ	    0x4
#define EDU_DMA_BUFFER_SIZE 4096

struct vfio;

uint32_t edu_get(struct vfio *vfio, unsigned reg);
void edu_set(struct vfio *vfio, unsigned reg, uint32_t value);

/* A single access through the mapped BAR; it must be mapped. */
uint32_t edu_mapped_get(struct vfio *vfio, unsigned reg);
void edu_mapped_set64(struct vfio *vfio, unsigned reg, uint64_t value);

/* Until none of the bits is set, within a bound. */
bool edu_wait_clear(struct vfio *vfio, unsigned reg, uint32_t bits);

#endif
