/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edu device, driven as its specification says (QEMU's docs/specs/edu.rst): registers, interrupts
 * and DMA, each function a few TAP results. One thread.
 */
#ifndef GUEST_EDU_H
#define GUEST_EDU_H

#include <stdint.h>

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_CLASS  0x00ff

struct vfio;

/* What VFIO tells of the device, before it is driven. */
void edu_test_infos(struct vfio *vfio);
void edu_test_config(struct vfio *vfio);

void edu_test_registers(struct vfio *vfio);
void edu_test_factorial(struct vfio *vfio);
void edu_test_intx(struct vfio *vfio);
void edu_test_msi(struct vfio *vfio);
void edu_test_dma(struct vfio *vfio);
void edu_test_reset(struct vfio *vfio);

#endif
