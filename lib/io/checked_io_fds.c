/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked_io_fds.c - the checked region_io_fds; see checked.h.
 *
 * Any thread; nothing is kept.
 */
#include "checked.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>

void vfki_io_fds_close(const struct vfk_region_io_fd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		vfki_fd_close(fds[i].fd);
		vfki_fd_close(fds[i].shadow_fd);
	}
}

static bool sound(const struct vfk_region_io_fd *f, uint64_t region_size)
{
	return f->offset < region_size && vfki_range_ok(f->offset, f->length, region_size) &&
	       f->type <= VFK_IO_FD_SHADOW && f->fd >= 0 &&
	       (f->shadow_fd >= 0) == (f->type == VFK_IO_FD_SHADOW);
}

int vfki_checked_region_io_fds(struct vfki_checked *c, uint32_t region,
			       struct vfk_region_io_fd *fds, size_t max, size_t *count)
{
	int (*op)(struct vfk_io *, uint32_t, struct vfk_region_io_fd *, size_t, size_t *) =
		VFKI_OP(c->io->ops, region_io_fds);
	uint64_t size;
	uint32_t flags;
	size_t n = 0;
	int ret;

	if (!op)
		return vfki_checked_lacks(c, "region io fds");
	ret = vfki_checked_region_limit(c, region, &size, &flags);
	if (ret < 0)
		return ret;
	vfki_checked_begin(c);
	ret = vfki_checked_end(c, "region io fds", op(c->io, region, fds, max, &n));
	if (ret)
		return ret;
	if (n > VFK_REGION_MAX_IO_FDS) /* not even these are believed to be descriptors */
		return vfki_checked_broken(c, "region io fds", "%zu of them", n);
	for (size_t i = 0; n <= max && i < n; i++) {
		if (sound(&fds[i], size))
			continue;
		vfki_io_fds_close(fds, n);
		return vfki_checked_broken(c, "region io fds", "region %" PRIu32 ": entry %zu",
					   region, i);
	}
	*count = n;
	return 0;
}
