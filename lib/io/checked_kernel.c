/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked_kernel.c - the checked calls that only a kernel device answers; see checked.h.
 *
 * Any thread.
 */
#include "checked.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <vfiokit/kernel.h>

#define INFO_HEAD  offsetof(struct vfio_pci_hot_reset_info, devices)
#define RESET_HEAD offsetof(struct vfio_pci_hot_reset, group_fds)

static int check_members(const struct vfki_checked *c, const struct vfio_pci_hot_reset_info *info,
			 uint32_t capacity)
{
	size_t need;

	if (info->argsz < INFO_HEAD || info->argsz > VFKI_MAX_INFO)
		return vfki_checked_broken(c, "hot reset info", "argsz %" PRIu32, info->argsz);
	if (!vfki_tail_size(INFO_HEAD, info->count, sizeof(info->devices[0]), &need) ||
	    need > capacity)
		return vfki_checked_broken(c, "hot reset info", "%" PRIu32 " devices", info->count);
	return 0;
}

int vfki_checked_hot_reset_info(struct vfki_checked *c, struct vfio_pci_hot_reset_info *info)
{
	int (*op)(struct vfk_io *, struct vfio_pci_hot_reset_info *) =
		VFKI_OP(c->io->ops, hot_reset_info);
	uint32_t capacity = info->argsz;
	int ret;

	if (!op)
		return vfki_checked_lacks(c, "hot reset");
	if (capacity < sizeof(*info))
		return vfki_err(-EINVAL, "%s: hot reset info: argsz %" PRIu32, c->io->name,
				capacity);
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "hot reset info", op(c->io, info));
	return ret ? ret : check_members(c, info, capacity);
}

int vfki_checked_hot_reset(struct vfki_checked *c, const struct vfio_pci_hot_reset *reset)
{
	int (*op)(struct vfk_io *, const struct vfio_pci_hot_reset *) =
		VFKI_OP(c->io->ops, hot_reset);
	size_t need;

	if (!op)
		return vfki_checked_lacks(c, "hot reset");
	if (reset->argsz < RESET_HEAD || reset->flags ||
	    !vfki_tail_size(RESET_HEAD, reset->count, sizeof(reset->group_fds[0]), &need) ||
	    reset->argsz < need)
		return vfki_err(-EINVAL, "%s: hot reset: argsz %" PRIu32 ", flags 0x%" PRIx32,
				c->io->name, reset->argsz, reset->flags);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "hot reset", op(c->io, reset));
}

static int refuse(const struct vfki_checked *c, uint32_t region, uint64_t off, int err,
		  const char *why)
{
	return vfki_err(err, "%s: region %" PRIu32 ": ioeventfd at 0x%" PRIx64 ": %s", c->io->name,
			region, off, why);
}

int vfki_checked_ioeventfd(struct vfki_checked *c, uint32_t region, uint64_t off,
			   unsigned int width, uint64_t value, int fd)
{
	int (*op)(struct vfk_io *, uint32_t, uint64_t, unsigned int, uint64_t, int) =
		VFKI_OP(c->io->ops, ioeventfd);
	uint64_t size;
	uint32_t flags;
	int ret;

	if (!op)
		return vfki_checked_lacks(c, "ioeventfd");
	ret = vfki_checked_region_limit(c, region, &size, &flags);
	if (ret < 0)
		return ret;
	if (width > 8 || !vfki_is_pow2(width) || fd < -1 || (width < 8 && value >> (8 * width)))
		return refuse(c, region, off, -EINVAL, "width, value or file");
	if (!vfki_range_ok(off, width, size) || off % width)
		return refuse(c, region, off, -EINVAL, "beyond its end, or not aligned");
	if (!(flags & VFIO_REGION_INFO_FLAG_WRITE))
		return refuse(c, region, off, -EACCES, "not writable");
	vfki_checked_begin(c);
	return vfki_checked_end(c, "ioeventfd", op(c->io, region, off, width, value, fd));
}

int vfki_checked_kernel_fds(struct vfki_checked *c, struct vfk_kernel_fds *fds)
{
	int (*op)(struct vfk_io *, struct vfk_kernel_fds *) = VFKI_OP(c->io->ops, kernel_fds);
	size_t size = fds->size;

	if (!op)
		return vfki_checked_lacks(c, "the kernel's files");
	if (size != sizeof(*fds))
		return vfki_err(-EINVAL, "%s: kernel fds: size %zu", c->io->name, size);
	*fds = (struct vfk_kernel_fds){ .size = size,
					.device = -1,
					.group = -1,
					.container = -1,
					.iommufd = -1,
					.group_id = -1 };
	vfki_checked_begin(c);
	return vfki_checked_end(c, "the kernel's files", op(c->io, fds));
}
