/* SPDX-License-Identifier: BSD-3-Clause */
/* io_fds.c - region 0 of rich.h has an ioeventfd, and one with a shadow: what a toolkit's model cannot have. */
#include "rich.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

int rich_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds, size_t max,
		       size_t *count)
{
	struct vfk_region_io_fd two[2] = {
		{ .offset = 0x10, .length = 4, .shadow_fd = -1 },
		{ .offset = 0x800, .length = 0, .type = VFK_IO_FD_SHADOW, .shadow_offset = 64 },
	};

	(void)io;
	*count = region ? 0 : 2;
	if (*count > max || !*count)
		return 0;
	two[0].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	two[1].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	two[1].shadow_fd = memfd_create("shadow", MFD_CLOEXEC);
	if (ftruncate(two[1].shadow_fd, 4096))
		return -EIO;
	memcpy(fds, two, sizeof(two));
	return 0;
}
