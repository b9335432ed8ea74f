/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_chain.c - region infos whose capability chain, areas or files contradict themselves. */
#include <errno.h>
#include <fcntl.h>

#include "wrapper.h"

static struct vfio_region_info_cap_sparse_mmap *sparse(struct vfio_region_info *info)
{
	return (void *)(info + 1);
}

/* The right info; returns whether it has the chain, to be spoilt. */
static bool get(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds,
		int *ret)
{
	info->cap_offset = 0;
	*ret = right.get_region_info(io, info, fds);
	return *ret == 0 && info->cap_offset != 0;
}

static int loop(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->header.next = info->cap_offset;
	return ret;
}

static int next_beyond(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->header.next = info->argsz - 4;
	return ret;
}

static int first_beyond(struct vfk_io *io, struct vfio_region_info *info,
			struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		info->cap_offset = info->argsz;
	return ret;
}

static int first_inside(struct vfk_io *io, struct vfio_region_info *info,
			struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		info->cap_offset = 8;
	return ret;
}

static int areas_overlap(struct vfk_io *io, struct vfio_region_info *info,
			 struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->areas[0].size = 0x3000;
	return ret;
}

static int area_beyond(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->areas[1].size = 0x2000;
	return ret;
}

static int area_wraps(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->areas[1].size = UINT64_MAX - 0x1fff;
	return ret;
}

static int many_areas(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret;

	if (get(io, info, fds, &ret))
		sparse(info)->nr_areas = 0x10000002;
	return ret;
}

static int never_enough(struct vfk_io *io, struct vfio_region_info *info,
			struct vfk_region_fds *fds)
{
	uint32_t capacity = info->argsz;
	int ret;

	if (get(io, info, NULL, &ret)) {
		info->argsz = capacity + 16;
		info->cap_offset = 0;
	}
	if (fds)
		fds->count = 0;
	return ret;
}

static int tiny_argsz(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	info->argsz = 4;
	return ret;
}

static int many_files(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (fds && fds->count)
		fds->count = 1000;
	return ret;
}

static int odd_files(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (fds && fds->count)
		fds->flags = VFK_REGION_FD_DEVICE | VFK_REGION_FD_PER_AREA;
	return ret;
}

static int empty_mmap(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (!info->size)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return ret;
}

static int leaky_file(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (ret == 0 && fds && fds->count)
		fcntl(wrapper(io)->fd, F_DUPFD_CLOEXEC, 0);
	return ret;
}

static int kept_file(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (ret == 0 && fds && fds->count)
		fcntl(fds->fd[0], F_SETFD, 0);
	return ret;
}

#define CHAIN_FLAW(what, text, op)                                          \
	{                                                                   \
		.name = what, .fails = "info_regions_stable", .says = text, \
		.rule = "io.h: -EPROTO, the peer broke the protocol",       \
		.ops = {.get_region_info = op }                             \
	}

const struct flaw flaws_chain[] = {
	CHAIN_FLAW("a capability chain with a loop", "got -71", loop),
	CHAIN_FLAW("a capability at the very end", "got -71", next_beyond),
	CHAIN_FLAW("a chain that begins beyond the end", "got -71", first_beyond),
	CHAIN_FLAW("a chain that begins in the info itself", "got -71", first_inside),
	CHAIN_FLAW("areas that overlap", "got -71", areas_overlap),
	CHAIN_FLAW("an area that passes the region's end", "got -71", area_beyond),
	CHAIN_FLAW("an area that wraps", "got -71", area_wraps),
	CHAIN_FLAW("more areas than the chain has room for", "got -71", many_areas),
	CHAIN_FLAW("an info that is never large enough", "got -71", never_enough),
	CHAIN_FLAW("an info smaller than its fixed part", "got -71", tiny_argsz),
	CHAIN_FLAW("an empty region that can be mapped", "got -71", empty_mmap),
	{ .name = "the region info leaves a descriptor behind",
	  .fails = "map_agrees_with_access",
	  .says = "descriptors before",
	  .rule = "fds handed out are the receiver's, all others the io's to close",
	  .ops = { .get_region_info = leaky_file } },
	{ .name = "a thousand files",
	  .fails = "map_agrees_with_access",
	  .says = "1000 files",
	  .rule = "get_region_info: at most VFK_REGION_MAX_FDS",
	  .ops = { .get_region_info = many_files } },
	{ .name = "files of two kinds at once",
	  .fails = "map_agrees_with_access",
	  .says = "1 files, flags 0x3",
	  .rule = "io.h: a file of an area is not the whole device",
	  .ops = { .get_region_info = odd_files } },
	{ .name = "a region's file would stay open in programs that are run",
	  .passes = "descriptors_close_on_exec",
	  .rule = "the library maps the file and closes it at once",
	  .ops = { .get_region_info = kept_file } },
	{ .name = NULL },
};
