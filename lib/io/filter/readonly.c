/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readonly.c - the readonly filter; see readonly.h.
 *
 * Any thread; nothing is kept.
 */
#include "readonly.h"
#include "filter.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <fcntl.h>
#include <stdio.h>

static bool changes_the_device(const struct vfki_call *call)
{
	switch (call->op) {
	case VFKI_CALL_SET_IRQS:
	case VFKI_CALL_REGION_WRITE:
	case VFKI_CALL_WRITE_MULTI:
	case VFKI_CALL_RESET:
	case VFKI_CALL_HOT_RESET:
	case VFKI_CALL_MIG_WRITE:
	case VFKI_CALL_REGION_IO_FDS:
	case VFKI_CALL_DMA_MAP:
	case VFKI_CALL_DMA_UNMAP:
	case VFKI_CALL_DMA_UNMAP_ALL:
	case VFKI_CALL_DIRTY_START:
	case VFKI_CALL_DIRTY_STOP:
	case VFKI_CALL_DIRTY_REPORT:
		return true;
	case VFKI_CALL_DEVICE_FEATURE:
		return call->feature->flags & VFIO_DEVICE_FEATURE_SET &&
		       !(call->feature->flags & VFIO_DEVICE_FEATURE_PROBE);
	default:
		return false;
	}
}

/* The same file for reading only: a duplicate would have the original's mode. -errno where /proc cannot do it. */
static int reopen(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return again < 0 ? -errno : again;
}

static bool reopen_all(struct vfk_region_fds *fds)
{
	/* To open a device again is to use it again, and with its file all that it can do. */
	if (fds->flags & VFK_REGION_FD_DEVICE)
		return false;
	for (uint32_t i = 0; i < fds->count; i++) {
		int again;

		if (fds->fd[i] < 0)
			continue;
		again = reopen(fds->fd[i]);
		if (again < 0)
			return false;
		vfki_fd_close(fds->fd[i]);
		fds->fd[i] = again;
	}
	return true;
}

static void show_readable(struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	info->flags &= ~VFIO_REGION_INFO_FLAG_WRITE;
	if (!fds || !fds->count || reopen_all(fds))
		return;
	vfki_fd_close_all(fds->fd, fds->count);
	fds->count = 0;
	fds->flags = 0;
}

static ssize_t around(struct vfk_io *io, struct vfki_call *call)
{
	ssize_t ret;

	if (changes_the_device(call))
		return vfki_err(-EACCES, "%s: not by a reader", vfki_call_name(call->op));
	ret = vfki_filter_pass(io, call);
	if (!ret && call->op == VFKI_CALL_GET_REGION_INFO)
		show_readable(call->region.info, call->region.fds);
	return ret;
}

static int readonly_open(struct vfk_io *io, const struct vfk_uri *uri,
			 const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "mmap", NULL };
	int ret = vfk_uri_only(uri, known);

	(void)opts;
	return ret ? ret : vfki_filter_init(vfki_filter(io), uri, around);
}

const struct vfk_io_ops vfki_readonly_io_ops = {
	VFKI_FILTER_OPS,
	.name = "readonly",
	.help = "refuses what would change the device; options: mmap=pass (mappings for reading)",
	.instance_size = sizeof(struct vfki_filter),
	.open = readonly_open,
	.close = vfki_filter_close,
};
