/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - the regions of rich.h. Those that can be mapped:
 *
 *	1	areas at 0 and 0x2000, one file for the region, which begins at 0x1000 of it
 *	2	the same areas, a file each, the second's at 0x3000 of its
 *	3	areas at 0, 0x1000 and 0x3000; the first and the last have a file each, the middle one has none
 *
 * A page of file A is filled with 0xa0 and its number, one of B with 0xb0 and its number.
 */
#include "rich.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE  0x1000
#define PAGES 8

struct sparse {
	struct vfio_region_info info;
	struct vfio_info_cap_header cap;
	uint32_t nr_areas, reserved;
	struct vfio_region_sparse_mmap_area areas[3];
};

static int make_file(uint8_t first)
{
	int fd = memfd_create("rich", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t page[PAGE];

	for (int i = 0; fd >= 0 && i < PAGES; i++) {
		memset(page, first + i, sizeof(page));
		if (write(fd, page, sizeof(page)) != sizeof(page))
			return -EIO;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	return fd;
}

int rich_make_files(struct rich *r)
{
	r->files[0] = make_file(0xa0);
	r->files[1] = make_file(0xb0);
	return r->files[0] < 0 || r->files[1] < 0 ? -EIO : 0;
}

static void give(const struct rich *r, struct vfk_region_fds *fds, int file, uint64_t offset)
{
	fds->fd[fds->count] = file < 0 ? -1 : fcntl(r->files[file], F_DUPFD_CLOEXEC, 3);
	fds->offset[fds->count++] = offset;
}

static void give_files(const struct rich *r, uint32_t region, struct vfk_region_fds *fds)
{
	if (region == 1) {
		give(r, fds, 0, 0);
		return;
	}
	fds->flags = VFK_REGION_FD_PER_AREA;
	give(r, fds, 0, 0);
	if (region == 3)
		give(r, fds, -1, 0);
	give(r, fds, 1, 0x3000);
}

static void set_areas(struct sparse *s, uint32_t region)
{
	static const uint64_t two[] = { 0, 0x2000 }, three[] = { 0, 0x1000, 0x3000 };

	s->info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
	s->info.size = 0x4000;
	s->info.offset = region == 1 ? 0x1000 : 0;
	s->cap.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	s->cap.version = 1;
	s->nr_areas = region == 3 ? 3 : 2;
	for (uint32_t i = 0; i < s->nr_areas; i++) {
		s->areas[i].offset = region == 3 ? three[i] : two[i];
		s->areas[i].size = PAGE;
	}
	s->info.argsz = (uint32_t)(sizeof(*s) - (3 - s->nr_areas) * sizeof(s->areas[0]));
}

int rich_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			 struct vfk_region_fds *fds)
{
	struct sparse s = { .info = { .argsz = sizeof(s.info), .index = info->index } };
	uint32_t room = info->argsz;

	s.info.size = info->index == 0 ? RICH_REGISTERS : info->index == 7 ? 256 : 0;
	if (s.info.size || (info->index >= 1 && info->index <= 3))
		s.info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (fds)
		fds->count = fds->flags = 0;
	if (info->index >= 1 && info->index <= 3)
		set_areas(&s, info->index);
	if (s.info.argsz > room) {
		memcpy(info, &s.info, sizeof(s.info));
		return 0;
	}
	if (s.info.argsz > sizeof(s.info))
		s.info.cap_offset = sizeof(s.info);
	memcpy(info, &s, s.info.argsz);
	if (fds && s.info.cap_offset)
		give_files(rich_of(io), info->index, fds);
	return 0;
}
