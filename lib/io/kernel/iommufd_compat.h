/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommufd_compat.h - what the kernel's iommufd takes, and VFIO's part in it. Debian 12's headers (Linux 6.1) have neither.
 *
 * Declared under names of our own; where the kernel's declarations are present their layout is compared with ours. Source:
 * include/uapi/linux/iommufd.h and vfio.h of Linux 7.3. A structure's first member is its size: an older kernel takes a
 * shorter one, and refuses only what it does not know and is not zero.
 */
#ifndef VFKI_IO_KERNEL_IOMMUFD_COMPAT_H
#define VFKI_IO_KERNEL_IOMMUFD_COMPAT_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <stddef.h>
#if __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#endif

/* ---- iommufd ---- */

#define VFKI_IOMMUFD_IO(nr) _IO(';', nr)

#define VFKI_IOMMU_DESTROY		   VFKI_IOMMUFD_IO(0x80)
#define VFKI_IOMMU_IOAS_ALLOC		   VFKI_IOMMUFD_IO(0x81)
#define VFKI_IOMMU_IOAS_IOVA_RANGES	   VFKI_IOMMUFD_IO(0x84)
#define VFKI_IOMMU_IOAS_MAP		   VFKI_IOMMUFD_IO(0x85)
#define VFKI_IOMMU_IOAS_UNMAP		   VFKI_IOMMUFD_IO(0x86)
#define VFKI_IOMMU_HWPT_ALLOC		   VFKI_IOMMUFD_IO(0x89)
#define VFKI_IOMMU_HWPT_SET_DIRTY_TRACKING VFKI_IOMMUFD_IO(0x8b)
#define VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP   VFKI_IOMMUFD_IO(0x8c)
#define VFKI_IOMMU_IOAS_MAP_FILE	   VFKI_IOMMUFD_IO(0x8f)
#define VFKI_IOMMU_IOAS_NOIOMMU_GET_PA	   VFKI_IOMMUFD_IO(0x95)

struct vfki_iommu_destroy {
	__u32 size;
	__u32 id;
};

struct vfki_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

struct vfki_ioas_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

struct vfki_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas; /* in: places; out: ranges, with EMSGSIZE when they are more */
	__u32 reserved;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
};

#define VFKI_IOAS_MAP_FIXED_IOVA (1 << 0)
#define VFKI_IOAS_MAP_WRITEABLE	 (1 << 1)
#define VFKI_IOAS_MAP_READABLE	 (1 << 2)

struct vfki_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};

/* Linux 6.14 */
struct vfki_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};

struct vfki_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length; /* out: bytes unmapped */
};

/* Linux 7.3 */
struct vfki_ioas_noiommu_get_pa {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 iova;
	__aligned_u64 length; /* in: bound, not 0; out: contiguous bytes */
	__aligned_u64 out_phys;
};

#define VFKI_HWPT_ALLOC_DIRTY_TRACKING (1 << 1)

/* Linux 6.7, as are the next two; what 6.11 appended is not used */
struct vfki_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
};

#define VFKI_HWPT_DIRTY_TRACKING_ENABLE 1

struct vfki_hwpt_set_dirty_tracking {
	__u32 size;
	__u32 flags;
	__u32 hwpt_id;
	__u32 reserved;
};

struct vfki_hwpt_get_dirty_bitmap {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};

#if __has_include(<linux/iommufd.h>)
_Static_assert(VFKI_IOMMU_DESTROY == IOMMU_DESTROY, "kernel ABI");
_Static_assert(VFKI_IOMMU_IOAS_ALLOC == IOMMU_IOAS_ALLOC, "kernel ABI");
_Static_assert(VFKI_IOMMU_IOAS_IOVA_RANGES == IOMMU_IOAS_IOVA_RANGES, "kernel ABI");
_Static_assert(VFKI_IOMMU_IOAS_MAP == IOMMU_IOAS_MAP, "kernel ABI");
_Static_assert(VFKI_IOMMU_IOAS_UNMAP == IOMMU_IOAS_UNMAP, "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_alloc) == sizeof(struct iommu_ioas_alloc), "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_iova_ranges) == sizeof(struct iommu_ioas_iova_ranges),
	       "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_map) == sizeof(struct iommu_ioas_map), "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_unmap) == sizeof(struct iommu_ioas_unmap), "kernel ABI");
#ifdef IOMMU_HWPT_GET_DIRTY_BITMAP
_Static_assert(VFKI_IOMMU_HWPT_ALLOC == IOMMU_HWPT_ALLOC, "kernel ABI");
_Static_assert(VFKI_IOMMU_HWPT_SET_DIRTY_TRACKING == IOMMU_HWPT_SET_DIRTY_TRACKING, "kernel ABI");
_Static_assert(VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP == IOMMU_HWPT_GET_DIRTY_BITMAP, "kernel ABI");
_Static_assert(sizeof(struct vfki_hwpt_alloc) <= sizeof(struct iommu_hwpt_alloc), "kernel ABI");
_Static_assert(sizeof(struct vfki_hwpt_get_dirty_bitmap) ==
		       sizeof(struct iommu_hwpt_get_dirty_bitmap),
	       "kernel ABI");
#endif
#ifdef IOMMU_IOAS_MAP_FILE
_Static_assert(VFKI_IOMMU_IOAS_MAP_FILE == IOMMU_IOAS_MAP_FILE, "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_map_file) == sizeof(struct iommu_ioas_map_file),
	       "kernel ABI");
#endif
#ifdef IOMMU_IOAS_NOIOMMU_GET_PA
_Static_assert(VFKI_IOMMU_IOAS_NOIOMMU_GET_PA == IOMMU_IOAS_NOIOMMU_GET_PA, "kernel ABI");
_Static_assert(sizeof(struct vfki_ioas_noiommu_get_pa) == sizeof(struct iommu_ioas_noiommu_get_pa),
	       "kernel ABI");
#endif
#endif

/* ---- VFIO device cdevs, Linux 6.6 ---- */

#define VFKI_DEVICE_BIND_IOMMUFD      _IO(VFIO_TYPE, VFIO_BASE + 18)
#define VFKI_DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#define VFKI_DEVICE_DETACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 20)

/* Linux 6.18: token_uuid_ptr counts */
#define VFKI_DEVICE_BIND_FLAG_TOKEN (1 << 0)

struct vfki_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
	__aligned_u64 token_uuid_ptr;
};

/* without the pasid, which needs a flag that is not used */
struct vfki_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id; /* out: the page table that it is attached to */
};

struct vfki_device_detach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
};

#ifdef VFIO_DEVICE_BIND_IOMMUFD
_Static_assert(VFKI_DEVICE_BIND_IOMMUFD == VFIO_DEVICE_BIND_IOMMUFD, "kernel ABI");
_Static_assert(VFKI_DEVICE_ATTACH_IOMMUFD_PT == VFIO_DEVICE_ATTACH_IOMMUFD_PT, "kernel ABI");
_Static_assert(VFKI_DEVICE_DETACH_IOMMUFD_PT == VFIO_DEVICE_DETACH_IOMMUFD_PT, "kernel ABI");
_Static_assert(offsetof(struct vfki_device_bind_iommufd, out_devid) ==
		       offsetof(struct vfio_device_bind_iommufd, out_devid),
	       "kernel ABI");
_Static_assert(offsetof(struct vfki_device_attach_iommufd_pt, pt_id) ==
		       offsetof(struct vfio_device_attach_iommufd_pt, pt_id),
	       "kernel ABI");
#endif

#endif
