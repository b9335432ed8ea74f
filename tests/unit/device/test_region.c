/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region.c - what regions are: bounded questions, chains, areas; registers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>

#include "lib/device/device.h"
#include "tests/unit/io/puppet.h"

static struct puppet p;
static struct vfk_device *dev;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	dev = puppet_open(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	return 0;
}

static void test_plain(void **state)
{
	const struct vfk_region_info *info, *again;

	(void)state;
	assert_int_equal(vfk_region_get_info(dev, 0, &info), 0);
	assert_int_equal(info->index, 0);
	assert_int_equal(info->size, PUPPET_SIZE);
	assert_int_equal(info->flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	assert_int_equal(info->num_areas, 0);
	assert_null(info->caps);
	assert_int_equal(vfk_region_get_info(dev, 0, &again), 0);
	assert_ptr_equal(info, again);
	assert_int_equal(p.calls[OP_REGION_INFO], 1);
	assert_refused(&p, vfk_region_get_info(dev, PUPPET_REGIONS, &info), -EINVAL);
	assert_int_equal(vfk_region_get_info(dev, 4, &info), 0);
	assert_int_equal(info->num_areas, 1);
	assert_int_equal(info->areas[0].offset, 0);
	assert_int_equal(info->areas[0].length, 0x10000);
}

static void test_areas_are_sorted(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = {
		{ .offset = 0x8000, .size = 0x1000 }, { .offset = 0x3000, .size = 0 },
		{ .offset = 0x1000, .size = 0x2000 }, { .offset = 0xf000, .size = 0x1000 },
		{ .offset = 0x3000, .size = 0x1000 },
	};
	static const uint64_t sorted[] = { 0x1000, 0x3000, 0x8000, 0xf000 };
	const struct vfk_region_info *info;

	(void)state;
	puppet_add_sparse(&p, 5, areas, 5);
	assert_int_equal(vfk_region_get_info(dev, 5, &info), 0);
	assert_int_equal(info->num_areas, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(info->areas[i].offset, sorted[i]);
	assert_int_equal(info->areas[0].length, 0x2000);
	/* the first question had no room for the chain */
	assert_int_equal(p.calls[OP_REGION_INFO], 2);
}

static void refuse_areas(const struct vfio_region_sparse_mmap_area *areas, unsigned int n)
{
	const struct vfk_region_info *info;

	puppet_add_sparse(&p, 5, areas, n);
	assert_refused(&p, vfk_region_get_info(dev, 5, &info), -EPROTO);
	assert_refused(&p, vfk_region_get_info(dev, 5, &info), -EPROTO);
}

static void test_area_beyond_the_end(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = { { .offset = 0xf000,
								       .size = 0x1001 } };

	(void)state;
	refuse_areas(areas, 1);
}

static void test_area_wraps(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = { { .offset = 0x1000,
								       .size = UINT64_MAX } };

	(void)state;
	refuse_areas(areas, 1);
}

static void test_areas_overlap(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = {
		{ .offset = 0x2000, .size = 0x1000 }, { .offset = 0x1000, .size = 0x1001 }
	};

	(void)state;
	refuse_areas(areas, 2);
}

static void test_lying_count_of_areas(void **state)
{
	const struct vfk_region_info *info;
	uint32_t data[2] = { 1000000, 0 };

	(void)state;
	puppet_add_cap(&p, 4, VFIO_REGION_INFO_CAP_SPARSE_MMAP, data, sizeof(data));
	assert_refused(&p, vfk_region_get_info(dev, 4, &info), -EPROTO);
}

static void test_no_areas(void **state)
{
	const struct vfk_region_info *info;

	(void)state;
	puppet_add_sparse(&p, 5, NULL, 0);
	assert_int_equal(vfk_region_get_info(dev, 5, &info), 0);
	assert_int_equal(info->num_areas, 0);
}

static void test_caps(void **state)
{
	const struct vfk_region_info *info;
	const struct vfio_info_cap_header *cap;
	const void *found;
	size_t len;

	(void)state;
	puppet_add_cap(&p, 1, VFIO_REGION_INFO_CAP_TYPE, "typetype", 8);
	puppet_add_cap(&p, 1, 77, "seventy7", 8);
	assert_int_equal(vfk_region_get_info(dev, 1, &info), 0);
	assert_int_equal(vfk_region_cap(info, 77, &found, &len), 0);
	cap = found;
	assert_int_equal(cap->id, 77);
	assert_int_equal(len, 16);
	assert_memory_equal(cap + 1, "seventy7", 8);
	assert_int_equal(vfk_region_cap(info, VFIO_REGION_INFO_CAP_TYPE, &found, &len), 0);
	assert_ptr_equal(found, info->caps);
	assert_int_equal(((const struct vfio_info_cap_header *)found)->next - info->caps_offset,
			 16);
	assert_int_equal(vfk_region_cap(info, 78, &found, &len), -ENOENT);
	assert_int_equal(vfk_region_get_info(dev, 0, &info), 0);
	assert_int_equal(vfk_region_cap(info, 77, &found, &len), -ENOENT);
}

static void test_chain_runs_backwards(void **state)
{
	struct vfio_info_cap_header *first = (struct vfio_info_cap_header *)p.regions[1].chain,
				    *second;
	const struct vfk_region_info *info;

	(void)state;
	puppet_add_cap(&p, 1, 1, "", 0);
	puppet_add_cap(&p, 1, 2, "", 0);
	second = first + 1;
	first->next = 0;
	second->next = sizeof(struct vfio_region_info);
	p.regions[1].first_cap = sizeof(struct vfio_region_info) + sizeof(*first);
	assert_refused(&p, vfk_region_get_info(dev, 1, &info), -EPROTO);
}

/* An io that wants more room each time is asked three times, and not for a gigabyte. */
static void test_argsz_is_bounded(void **state)
{
	const struct vfk_region_info *info;

	(void)state;
	p.regions[0].grows = true;
	assert_refused(&p, vfk_region_get_info(dev, 0, &info), -EPROTO);
	assert_int_equal(p.calls[OP_REGION_INFO], 3);
	p.regions[1].argsz_lie = 1 << 30;
	assert_refused(&p, vfk_region_get_info(dev, 1, &info), -EPROTO);
	assert_int_equal(p.calls[OP_REGION_INFO], 4);
}

static void test_server_view(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = {
		{ .offset = 0x1000, .size = 0x1000 }, { .offset = 0x3000, .size = 0x1000 }
	};
	struct vfio_region_info *info;
	struct vfk_region_fds fds;

	(void)state;
	puppet_add_sparse(&p, 4, areas, 2);
	p.regions[4].fds.flags = VFK_REGION_FD_PER_AREA;
	p.regions[4].fds.count = 2;
	p.regions[4].fds.fd[1] = -1;
	assert_int_equal(vfki_device_region_info(dev, 4, &info, &fds), 0);
	assert_int_equal(info->argsz, sizeof(*info) + p.regions[4].chain_len);
	assert_int_equal(info->cap_offset, sizeof(*info));
	assert_int_equal(fds.count, 2);
	assert_true(fcntl(fds.fd[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fds.fd[1], -1);
	close(fds.fd[0]);
	free(info);
	assert_int_equal(vfki_device_region_info(dev, 4, &info, NULL), 0);
	free(info);
	p.regions[4].fds.count = 1;
	assert_refused(&p, vfki_device_region_info(dev, 4, &info, &fds), -EPROTO);
	assert_refused(&p, vfki_device_region_info(dev, PUPPET_REGIONS, &info, &fds), -EINVAL);
}

static void test_registers(void **state)
{
	static const uint8_t bytes[8] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	uint64_t v = 1;

	(void)state;
	memcpy(p.memory + 8, bytes, 8);
	assert_int_equal(vfk_region_get(dev, 0, 8, 1, &v), 0);
	assert_true(v == 0x11);
	assert_int_equal(vfk_region_get(dev, 0, 8, 2, &v), 0);
	assert_true(v == 0x2211);
	assert_int_equal(vfk_region_get(dev, 0, 8, 4, &v), 0);
	assert_true(v == 0x44332211);
	assert_int_equal(p.access_len, 4);
	assert_int_equal(vfk_region_get(dev, 0, 8, 8, &v), 0);
	assert_true(v == 0x8877665544332211);
	assert_int_equal(vfk_region_put(dev, 0, 16, 4, 0xa1b2c3d4), 0);
	assert_memory_equal(p.memory + 16, "\xd4\xc3\xb2\xa1\0\0\0\0", 8);
	assert_int_equal(vfk_region_put(dev, 0, 24, 8, UINT64_MAX), 0);
	assert_refused(&p, vfk_region_put(dev, 0, 16, 4, 0x100000000), -EINVAL);
	assert_refused(&p, vfk_region_put(dev, 0, 16, 1, 0x100), -EINVAL);
	assert_refused(&p, vfk_region_put(dev, 0, 16, 3, 0), -EINVAL);
	assert_refused(&p, vfk_region_get(dev, 0, 16, 0, &v), -EINVAL);
	assert_refused(&p, vfk_region_get(dev, 0, PUPPET_SIZE - 2, 4, &v), -EIO);
	assert_refused(&p, vfk_region_get(dev, 0, PUPPET_SIZE, 4, &v), -EINVAL);
	assert_true(v == 0x8877665544332211);
	puppet_force(&p, OP_READ, 1);
	assert_refused(&p, vfk_region_get(dev, 0, 8, 4, &v), -EIO);
}

static void test_posted(void **state)
{
	uint32_t v = 5;

	(void)state;
	assert_int_equal(vfk_region_write(dev, 0, 4, &v, 4, VFK_WRITE_POSTED), 4);
	assert_int_equal(p.access_flags, VFK_WRITE_POSTED);
	assert_int_equal(vfk_region_flush(dev), 0);
	assert_int_equal(p.calls[OP_FLUSH], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_find_by_type(void **state)
{
	const uint32_t igd[2] = { VFIO_REGION_TYPE_PCI_VENDOR_TYPE | 0x8086, 1 };
	const uint32_t gfx[2] = { VFIO_REGION_TYPE_GFX, VFIO_REGION_SUBTYPE_GFX_EDID };
	const struct vfk_region_info *info = NULL;

	(void)state;
	puppet_add_cap(&p, 1, VFIO_REGION_INFO_CAP_TYPE, igd, 4); /* cut off */
	puppet_add_cap(&p, 3, VFIO_REGION_INFO_CAP_TYPE, igd, sizeof(igd));
	puppet_add_cap(&p, 4, VFIO_REGION_INFO_CAP_TYPE, gfx, sizeof(gfx));
	p.regions[0].grows = true; /* passed over */
	assert_int_equal(vfk_region_find(dev, gfx[0], gfx[1], &info), 0);
	assert_int_equal(info->index, 4);
	assert_int_equal(vfk_region_find(dev, igd[0], igd[1], &info), 0);
	assert_int_equal(info->index, 3);
	assert_refused(&p, vfk_region_find(dev, igd[0], 2, &info), -ENOENT);
	assert_int_equal(info->index, 3);
}

static void test_find_without_a_peer(void **state)
{
	const struct vfk_region_info *info = NULL;

	(void)state;
	puppet_force(&p, OP_REGION_INFO, -ENOTCONN);
	assert_refused(&p, vfk_region_find(dev, 1, 2, &info), -ENOTCONN);
	assert_int_equal(p.calls[OP_REGION_INFO], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_areas_are_sorted),
		TEST(test_area_beyond_the_end),
		TEST(test_area_wraps),
		TEST(test_areas_overlap),
		TEST(test_lying_count_of_areas),
		TEST(test_no_areas),
		TEST(test_caps),
		TEST(test_find_by_type),
		TEST(test_find_without_a_peer),
		TEST(test_chain_runs_backwards),
		TEST(test_argsz_is_bounded),
		TEST(test_server_view),
		TEST(test_registers),
		TEST(test_posted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
