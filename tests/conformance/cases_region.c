/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_region.c - reading and writing regions: bounds, widths, permissions. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

/* A region that can be read: config space on PCI, else the first of those there are. */
static uint32_t readable(struct t *t)
{
	if (vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_PCI)
		return CONFIG;
	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *info = case_region(t, i);

		if (info->size && (info->flags & VFIO_REGION_INFO_FLAG_READ))
			return i;
	}
	case_skip("no region can be read");
}

static void region_index_at_count(struct t *t)
{
	uint32_t n = vfk_device_num_regions(t->dev);
	char b[4] = "";

	CHECK_EQ(t, vfk_region_read(t->dev, n, 0, b, 4), -EINVAL);
	CHECK_EQ(t, vfk_region_write(t->dev, n, 0, b, 4, 0), -EINVAL);
	CHECK_EQ(t, vfk_region_read(t->dev, UINT32_MAX, 0, b, 4), -EINVAL);
}

static void region_unused_index(struct t *t)
{
	char b[4] = "";

	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		if (case_region(t, i)->size == 0) {
			CHECK_EQ(t, vfk_region_read(t->dev, i, 0, b, 4), -EINVAL);
			CHECK_EQ(t, vfk_region_write(t->dev, i, 0, b, 4, 0), -EINVAL);
			return;
		}
	}
	case_skip("every region index is used");
}

static void region_offset_at_size(struct t *t)
{
	char b[8] = "";

	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		uint64_t size = case_region(t, i)->size;

		if (!size)
			continue;
		CHECK_EQ(t, vfk_region_read(t->dev, i, size, b, 1), -EINVAL);
		CHECK_EQ(t, vfk_region_write(t->dev, i, size, b, 1, 0), -EINVAL);
		CHECK_EQ(t, vfk_region_read(t->dev, i, UINT64_MAX, b, 1), -EINVAL);
	}
}

static void region_wrapping_range(struct t *t)
{
	char b[8] = "";
	uint32_t r = readable(t);

	CHECK_EQ(t, vfk_region_read(t->dev, r, UINT64_MAX - 3, b, 8), -EINVAL);
	CHECK_EQ(t, vfk_region_write(t->dev, r, UINT64_MAX - 3, b, 8, 0), -EINVAL);
	CHECK_EQ(t, vfk_region_read(t->dev, r, 4, b, SIZE_MAX - 2), -EINVAL);
}

/*
 * The region's info was never asked for: the library must do that itself (the seed's ops used a NULL there). What the
 * access was checked against is what the info says afterwards.
 */
static void region_access_before_info(struct t *t)
{
	char b[4];

	case_need_pci(t);
	CHECK_EQ(t, vfk_region_read(t->dev, CONFIG, 0, b, 4), 4);
	CHECK(t, case_region(t, CONFIG)->size >= 4);
}

static void region_len_zero(struct t *t)
{
	char b[1] = { 'x' };
	uint32_t r = readable(t);

	CHECK_EQ(t, vfk_region_read(t->dev, r, 0, b, 0), 0);
	CHECK_EQ(t, vfk_region_write(t->dev, r, 0, b, 0, 0), 0);
	CHECK_EQ(t, b[0], 'x');
}

static void region_short_at_end(struct t *t)
{
	uint8_t b[16], end[4];
	uint64_t size;

	case_need_pci(t);
	size = case_region(t, CONFIG)->size;
	memset(b, 0x5a, sizeof(b));
	CHECK_EQ(t, vfk_region_read(t->dev, CONFIG, size - 4, b, 16), 4);
	CHECK_EQ(t, vfk_region_read(t->dev, CONFIG, size - 4, end, 4), 4);
	CHECK_EQ(t, memcmp(b, end, 4), 0);
	CHECK_EQ(t, b[4], 0x5a);
}

static void region_widths_agree(struct t *t)
{
	uint64_t dword, words = 0, bytes = 0;

	case_need_pci(t);
	dword = case_get(t, CONFIG, PCI_VENDOR_ID, 4);
	for (unsigned int i = 0; i < 2; i++)
		words |= case_get(t, CONFIG, 2 * i, 2) << (16 * i);
	for (unsigned int i = 0; i < 4; i++)
		bytes |= case_get(t, CONFIG, i, 1) << (8 * i);
	CHECK_EQ(t, words, dword);
	CHECK_EQ(t, bytes, dword);
	CHECK(t, dword != 0 && dword != 0xffffffff);
}

static void region_bad_width(struct t *t)
{
	uint64_t v = 7;

	case_need_pci(t);
	CHECK_EQ(t, vfk_region_get(t->dev, CONFIG, 0, 3, &v), -EINVAL);
	CHECK_EQ(t, vfk_region_get(t->dev, CONFIG, 0, 0, &v), -EINVAL);
	CHECK_EQ(t, vfk_region_get(t->dev, CONFIG, 0, 16, &v), -EINVAL);
	CHECK_EQ(t, vfk_region_put(t->dev, CONFIG, PCI_COMMAND, 1, 0x100), -EINVAL);
	CHECK_EQ(t, v, 7);
}

static void region_whole_config(struct t *t)
{
	uint8_t all[4096] = { 0 };
	uint64_t size;

	case_need_pci(t);
	size = case_region(t, CONFIG)->size;
	CHECK(t, size <= sizeof(all));
	CHECK_EQ(t, vfk_region_read(t->dev, CONFIG, 0, all, (size_t)size), (long long)size);
	CHECK_EQ(t, all[0] | all[1] << 8, (long long)case_get(t, CONFIG, PCI_VENDOR_ID, 2));
	CHECK_EQ(t, all[PCI_HEADER_TYPE] & 0x7f, PCI_HEADER_TYPE_NORMAL);
}

static void region_permissions(struct t *t)
{
	bool seen = false;
	char b[4] = "";

	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *info = case_region(t, i);

		if (!info->size)
			continue;
		if (!(info->flags & VFIO_REGION_INFO_FLAG_WRITE)) {
			CHECK_EQ(t, vfk_region_write(t->dev, i, 0, b, 4, 0), -EACCES);
			seen = true;
		}
		if (!(info->flags & VFIO_REGION_INFO_FLAG_READ)) {
			CHECK_EQ(t, vfk_region_read(t->dev, i, 0, b, 4), -EACCES);
			seen = true;
		}
	}
	if (!seen)
		case_skip("every region can be read and written");
}

static void region_posted_write(struct t *t)
{
	const struct engine *e = engine_find(t);

	for (uint32_t i = 0; i < 20; i++) {
		uint32_t v = 0x01010101u * i;

		CHECK_EQ(t, vfk_region_write(t->dev, e->bar, e->scratch, &v, 4, VFK_WRITE_POSTED),
			 4);
		CHECK_EQ(t, case_get(t, e->bar, e->scratch, 4), (long long)e->scratch_reads(v));
	}
	CHECK_OK(t, vfk_region_flush(t->dev));
}

static void region_bad_write_flags(struct t *t)
{
	const struct engine *e = engine_find(t);
	uint32_t v = 0;

	CHECK_EQ(t, vfk_region_write(t->dev, e->bar, e->scratch, &v, 4, 0x80), -EINVAL);
}

static void region_write_multi(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct vfk_region_write w[3] = { 0 };

	for (uint8_t i = 0; i < 3; i++) {
		w[i].region = e->bar;
		w[i].offset = e->scratch;
		w[i].len = 4;
		w[i].data[0] = i;
	}
	CHECK_OK(t, vfk_region_write_multi(t->dev, w, 3));
	CHECK_EQ(t, case_get(t, e->bar, e->scratch, 4), (long long)e->scratch_reads(2));
	w[1].offset = case_region(t, e->bar)->size;
	CHECK_EQ(t, vfk_region_write_multi(t->dev, w, 3), -EINVAL);
	w[1].offset = e->scratch;
	w[1].len = 3;
	CHECK_EQ(t, vfk_region_write_multi(t->dev, w, 3), -EINVAL);
	CHECK_OK(t, vfk_region_write_multi(t->dev, w, 0));
}

/* Whatever doorbells a region has are parts of it, and files of their own; a device may have nothing of the kind. */
static void region_doorbells(struct t *t)
{
	static struct vfk_region_io_fd fds[VFK_REGION_MAX_IO_FDS];
	uint32_t regions = vfk_device_num_regions(t->dev);
	size_t count = 0;
	int ret;

	for (uint32_t i = 0; i < regions; i++) {
		ret = vfk_region_get_io_fds(t->dev, i, fds, VFK_REGION_MAX_IO_FDS, &count);
		if (ret == -ENOTSUP)
			continue;
		CHECK_OK(t, ret);
		CHECK(t, count <= VFK_REGION_MAX_IO_FDS);
		for (size_t n = 0; n < count; n++) {
			CHECK(t, fds[n].offset < case_region(t, i)->size);
			CHECK(t, fcntl(fds[n].fd, F_GETFD) & FD_CLOEXEC);
			close(fds[n].fd);
			if (fds[n].shadow_fd >= 0)
				close(fds[n].shadow_fd);
		}
		CHECK_OK(t, vfk_region_get_io_fds(t->dev, i, NULL, 0, &count));
	}
	ret = vfk_region_get_io_fds(t->dev, regions, fds, VFK_REGION_MAX_IO_FDS, &count);
	CHECK(t, ret == -EINVAL || ret == -ENOTSUP);
}

const struct vfk_case vfk_cases_region[] = {
	{ "region_index_at_count", region_index_at_count },
	{ "region_unused_index", region_unused_index },
	{ "region_offset_at_size", region_offset_at_size },
	{ "region_wrapping_range", region_wrapping_range },
	{ "region_access_before_info", region_access_before_info },
	{ "region_len_zero", region_len_zero },
	{ "region_short_at_end", region_short_at_end },
	{ "region_widths_agree", region_widths_agree },
	{ "region_bad_width", region_bad_width },
	{ "region_whole_config", region_whole_config },
	{ "region_permissions", region_permissions },
	{ "region_posted_write", region_posted_write },
	{ "region_bad_write_flags", region_bad_write_flags },
	{ "region_write_multi", region_write_multi },
	{ "region_doorbells", region_doorbells },
	{ NULL, NULL },
};
