/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioas.h - what an IOAS does for devices with and without an IOMMU alike.
 *
 * Threads: as iommu_kind.h.
 */
#ifndef VFKI_IO_KERNEL_IOAS_H
#define VFKI_IO_KERNEL_IOAS_H

#include "lib/io/kernel/iommu_kind.h"

/* As the members of struct vfki_iommu_kind. */
int vfki_ioas_map(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		  struct vfki_iommu_entry *e);
int vfki_ioas_unmap(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e);
int vfki_ioas_limits(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *limits);
int vfki_ioas_attach(struct vfki_iommu *i, struct vfki_kernel_dma *dma);
void vfki_ioas_detach(struct vfki_iommu *i, struct vfki_kernel_dma *dma);
void vfki_ioas_destroy(struct vfki_iommu *i);

/* noiommu.c: an IOAS whose devices see physical addresses. */
extern const struct vfki_iommu_kind vfki_noiommu_ioas_kind;

#endif
