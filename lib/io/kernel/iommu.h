/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu.h - what does the DMA of kernel devices: a container, an IOAS, or nothing but physical addresses.
 *
 * An iommu is one container (type1, noiommu) or one IOAS. It is counted, since several devices may share it: each device
 * has a handle, struct vfki_kernel_dma, which is what the sink vector works on. A mapping that devices of one iommu make
 * in turn, as a dma space does, is made once and counted; one that differs is -EEXIST. So devices that share an iommu
 * belong into one dma space.
 *
 * The device side makes the iommu when it has a container or an iommufd, and the handle when it has the device's fd.
 *
 * Threads: get and put from any; init, fini alone on their handle; the sink's ops of handles that share an iommu are
 * serialised by the iommu's lock.
 */
#ifndef VFKI_IO_KERNEL_IOMMU_H
#define VFKI_IO_KERNEL_IOMMU_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/dma.h>
#include <vfiokit/io.h>

struct vfki_iommu;

/* A device's part in an iommu; embedded in the kernel backend's instance. Zero-initialised it is none. */
struct vfki_kernel_dma {
	struct vfki_iommu *iommu; /* one count is the handle's */
	const char *name;	  /* for texts; outlives the handle */
	int device_fd;		  /* borrowed */
	uint32_t dev_id;	  /* iommufd's, from VFIO_DEVICE_BIND_IOMMUFD; 0 with a container */
	uint32_t hwpt_id; /* the page table that it is attached to, if that tells written pages; 0 */
	uint64_t bit;	  /* its own among the devices of the iommu */
};

/*
 * All three: @name for texts during the call; @fd is duplicated, the caller keeps its own. Return 0 with one count, to be
 * put; -errno with a text, and nothing is left behind.
 *
 * type1: @container has at least one group and VFIO_SET_IOMMU was done, to VFIO_TYPE1_IOMMU or VFIO_TYPE1v2_IOMMU.
 * noiommu: @container likewise, with VFIO_NOIOMMU_IOMMU. @fd may be -1: nothing is asked of it.
 * ioas: allocates an IOAS of @iommufd. @noiommu: its devices are noiommu cdevs.
 */
int vfki_iommu_type1(const char *name, int container, struct vfki_iommu **iommu);
int vfki_iommu_noiommu(const char *name, int container, struct vfki_iommu **iommu);
int vfki_iommu_ioas(const char *name, int iommufd, bool noiommu, struct vfki_iommu **iommu);

/* One count more, and one less: with the last everything is unmapped, and the duplicate closed. NULL is allowed. */
struct vfki_iommu *vfki_iommu_get(struct vfki_iommu *iommu);
void vfki_iommu_put(struct vfki_iommu *iommu);

/* The iommu's own duplicate of the container or iommufd, borrowed; -1 where it has none. */
int vfki_iommu_fd(const struct vfki_iommu *iommu);

/* The IOAS's id for those who hand it out; 0 with a container. */
uint32_t vfki_iommu_ioas_id(const struct vfki_iommu *iommu);

/*
 * Makes the handle; takes its own count of @iommu. With an IOAS the device is attached to it, so it must be bound, and
 * @dev_id is what the bind gave. Returns 0; -errno with a text, and @dma is none.
 */
int vfki_kernel_dma_init(struct vfki_kernel_dma *dma, const char *name, struct vfki_iommu *iommu,
			 int device_fd, uint32_t dev_id);

/* Detaches the device, gives back what it mapped, and puts the iommu. Before the device's fd is closed. */
void vfki_kernel_dma_fini(struct vfki_kernel_dma *dma);

/* Set io->dma to this; it finds the handle by the function below, which the device side defines. */
extern const struct vfk_dma_ops vfki_kernel_dma_ops;
struct vfki_kernel_dma *vfki_kernel_dma_of(struct vfk_io *io);

#endif
