/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_compat.h - what <linux/vfio.h> of later kernels has, and that of Debian 12 (Linux 6.1)
 * lacks.
 *
 * Declared under names of our own, so that both headers compile; where the kernel's declaration is
 * present its layout is compared with ours. Source: include/uapi/linux/vfio.h of Linux 6.19 and the
 * series that follow it.
 */
#ifndef VFKI_BASE_VFIO_COMPAT_H
#define VFKI_BASE_VFIO_COMPAT_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stddef.h>

/* Linux 6.2: PRE_COPY */
#define VFKI_MIGRATION_PRE_COPY (1 << 2)
#ifdef VFIO_MIGRATION_PRE_COPY
_Static_assert(VFKI_MIGRATION_PRE_COPY == VFIO_MIGRATION_PRE_COPY, "kernel ABI");
#endif

enum {
	VFKI_DEVICE_STATE_PRE_COPY = 6,
	VFKI_DEVICE_STATE_PRE_COPY_P2P = 7,
	VFKI_DEVICE_STATE_NR = 8,
};

/* On the file of the migration data; its structure is struct vfk_precopy_info of <vfiokit/io.h>. */
#define VFKI_MIG_GET_PRECOPY_INFO _IO(VFIO_TYPE, VFIO_BASE + 21)
#ifdef VFIO_MIG_GET_PRECOPY_INFO
_Static_assert(VFKI_MIG_GET_PRECOPY_INFO == VFIO_MIG_GET_PRECOPY_INFO, "kernel ABI");
#endif

/* Linux 6.2: estimated size of the STOP_COPY data */
#define VFKI_FEATURE_MIG_DATA_SIZE 9
struct vfki_feature_mig_data_size {
	__aligned_u64 stop_copy_length;
};
#ifdef VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
_Static_assert(VFKI_FEATURE_MIG_DATA_SIZE == VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, "kernel ABI");
_Static_assert(sizeof(struct vfki_feature_mig_data_size) ==
		       sizeof(struct vfio_device_feature_mig_data_size),
	       "kernel ABI");
#endif

/* bus mastering of devices that have no register for it (CDX) */
#define VFKI_FEATURE_BUS_MASTER 10
struct vfki_feature_bus_master {
	__u32 op;
};
#ifdef VFIO_DEVICE_FEATURE_BUS_MASTER
_Static_assert(VFKI_FEATURE_BUS_MASTER == VFIO_DEVICE_FEATURE_BUS_MASTER, "kernel ABI");
_Static_assert(sizeof(struct vfki_feature_bus_master) ==
		       sizeof(struct vfio_device_feature_bus_master),
	       "kernel ABI");
#endif

/*
 * Linux 6.19: a dma-buf of parts of a region; the result is a file descriptor, returned by the
 * ioctl itself
 */
#define VFKI_FEATURE_DMA_BUF 11
struct vfki_region_dma_range {
	__u64 offset;
	__u64 length;
};
struct vfki_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfki_region_dma_range dma_ranges[];
};
#ifdef VFIO_DEVICE_FEATURE_DMA_BUF
_Static_assert(VFKI_FEATURE_DMA_BUF == VFIO_DEVICE_FEATURE_DMA_BUF, "kernel ABI");
_Static_assert(sizeof(struct vfki_feature_dma_buf) == sizeof(struct vfio_device_feature_dma_buf),
	       "kernel ABI");
#endif

/* the precopy info's flags are valid */
#define VFKI_FEATURE_MIG_PRECOPY_INFO_V2 12
#ifdef VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2
_Static_assert(VFKI_FEATURE_MIG_PRECOPY_INFO_V2 == VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2,
	       "kernel ABI");
#endif

/* Linux 6.5: devices of a hot reset by their ids in an iommufd, in place of group_id */
#define VFKI_PCI_HOT_RESET_FLAG_DEV_ID	     (1 << 0)
#define VFKI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED (1 << 1)
#define VFKI_PCI_DEVID_OWNED		     0
#define VFKI_PCI_DEVID_NOT_OWNED	     -1
#ifdef VFIO_PCI_HOT_RESET_FLAG_DEV_ID
_Static_assert(VFKI_PCI_HOT_RESET_FLAG_DEV_ID == VFIO_PCI_HOT_RESET_FLAG_DEV_ID &&
		       VFKI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED == VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED,
	       "kernel ABI");
_Static_assert(VFKI_PCI_DEVID_OWNED == VFIO_PCI_DEVID_OWNED &&
		       VFKI_PCI_DEVID_NOT_OWNED == VFIO_PCI_DEVID_NOT_OWNED,
	       "kernel ABI");
#endif

/* vfio-cdx */
#define VFKI_DEVICE_FLAGS_CDX (1 << 8)
#ifdef VFIO_DEVICE_FLAGS_CDX
_Static_assert(VFKI_DEVICE_FLAGS_CDX == VFIO_DEVICE_FLAGS_CDX, "kernel ABI");
#endif

/* The structure was padded to 24 bytes; what is in it did not move */
_Static_assert(offsetof(struct vfio_device_info, cap_offset) == 16, "kernel ABI");

#endif
