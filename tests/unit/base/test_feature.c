/* SPDX-License-Identifier: BSD-3-Clause */
/* test_feature.c - the table of device features. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/feature.h"

#define GET   VFIO_DEVICE_FEATURE_GET
#define SET   VFIO_DEVICE_FEATURE_SET
#define PROBE VFIO_DEVICE_FEATURE_PROBE

/* The kernel's numbers, sizes and names, written down a second time. */
static const struct {
	const char *name;
	uint32_t methods;
	unsigned int id, get, set, sent;
	bool exported;
} expected[] = {
	{ "pci_vf_token", SET, 0, 0, 16, 16, false },
	{ "migration", GET, 1, 8, 0, 8, true },
	{ "mig_device_state", GET | SET, 2, 8, 8, 8, true },
	{ "low_power_entry", SET, 3, 0, 0, 0, true },
	{ "low_power_entry_with_wakeup", SET, 4, 0, 8, 8, true },
	{ "low_power_exit", SET, 5, 0, 0, 0, true },
	{ "dma_logging_start", SET, 6, 0, 24, 16, true },
	{ "dma_logging_stop", SET, 7, 0, 0, 0, true },
	{ "dma_logging_report", GET, 8, 32, 0, 24, true },
	{ "mig_data_size", GET, 9, 8, 0, 8, true },
	{ "bus_master", SET, 10, 0, 4, 4, true },
	{ "dma_buf", GET, 11, 16, 0, 16, false },
	{ "mig_precopy_infov2", SET, 12, 0, 0, 0, true },
};

#define COUNT (sizeof(expected) / sizeof(expected[0]))

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		const struct vfki_feature *f = vfki_feature_find(expected[i].id);

		assert_non_null(f);
		assert_ptr_equal(f, vfki_feature_at(i));
		assert_ptr_equal(f, vfki_feature_by_name(expected[i].name));
		assert_int_equal(f->id, expected[i].id);
		assert_int_equal(f->methods, expected[i].methods);
		assert_int_equal(f->get_size, expected[i].get);
		assert_int_equal(f->set_size, expected[i].set);
		assert_int_equal(f->inline_size, expected[i].sent);
		assert_int_equal(f->exported, expected[i].exported);
		assert_true(f->get_size <= VFKI_FEATURE_DATA_MAX &&
			    f->set_size <= VFKI_FEATURE_DATA_MAX);
		assert_true(f->get_input <= f->inline_size);
	}
	assert_null(vfki_feature_at(COUNT));
	assert_null(vfki_feature_find(COUNT));
	assert_null(vfki_feature_find(0x10001));
	assert_null(vfki_feature_by_name("nothing"));
}

static void test_pointers_and_descriptors(void **state)
{
	(void)state;
	assert_int_equal(vfki_feature_find(6)->tail, VFKI_TAIL_RANGES);
	assert_int_equal(vfki_feature_find(8)->tail, VFKI_TAIL_BITMAP);
	assert_int_equal(vfki_feature_find(8)->get_input, 24);
	assert_int_equal(vfki_feature_find(11)->tail, VFKI_TAIL_DMA_RANGES);
	assert_int_equal(vfki_feature_find(2)->fd, VFKI_FD_OUT);
	assert_int_equal(vfki_feature_find(2)->fd_offset, 4);
	assert_int_equal(vfki_feature_find(4)->fd, VFKI_FD_IN);
	assert_int_equal(vfki_feature_find(4)->fd_offset, 0);
	assert_int_equal(vfki_feature_find(11)->fd, VFKI_FD_RESULT);
}

static void test_flags(void **state)
{
	static const struct {
		uint32_t flags;
		int result;
	} cases[] = {
		{ 1 | GET, 0 },
		{ 1 | PROBE, 0 },
		{ 1 | PROBE | GET, 0 },
		{ 2 | PROBE | GET | SET, 0 },
		{ 2 | GET | SET, -EINVAL },
		{ 2, -EINVAL },
		{ 1 | SET, -ENOTSUP },
		{ 1 | PROBE | SET, -ENOTSUP },
		{ 8 | SET, -ENOTSUP },
		{ 7 | GET, -ENOTSUP },
		{ 1 | GET | 1u << 19, -EINVAL },
		{ 1 | GET | 1u << 31, -EINVAL },
		{ 13 | GET, -ENOTSUP },
		{ 0xffff | PROBE, -ENOTSUP },
	};
	const struct vfki_feature *f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(vfki_feature_check_flags(cases[i].flags, &f), cases[i].result);
}

static void test_argsz(void **state)
{
	struct vfki_feature_buf buf = { .head = { .flags = 8 | GET } };
	const struct vfki_feature *f = NULL;

	(void)state;
	for (uint32_t argsz = 0; argsz < 64; argsz++) {
		buf.head.argsz = argsz;
		assert_int_equal(vfki_feature_check(&buf.head, &f), argsz < 40 ? -EINVAL : 0);
	}
	assert_int_equal(f->id, 8);
	buf.head.argsz = 8;
	buf.head.flags = 8 | GET | PROBE;
	assert_int_equal(vfki_feature_check(&buf.head, &f), 0);
	assert_int_equal(vfki_feature_data_size(f, buf.head.flags), 0);
	assert_int_equal(vfki_feature_data_size(f, 8 | GET), 32);
}

static void test_dma_buf_ranges(void **state)
{
	struct vfki_feature_buf buf = { .head = { .flags = 11 | GET, .argsz = 8 + 16 + 16 } };
	struct vfki_feature_dma_buf d = { .nr_ranges = 1 };
	const struct vfki_feature *f;

	(void)state;
	memcpy(buf.data, &d, 16);
	assert_int_equal(vfki_feature_check(&buf.head, &f), 0);
	d.nr_ranges = 2;
	memcpy(buf.data, &d, 16);
	assert_int_equal(vfki_feature_check(&buf.head, &f), -EINVAL);
	d.nr_ranges = UINT32_MAX;
	memcpy(buf.data, &d, 16);
	assert_int_equal(vfki_feature_check(&buf.head, &f), -EINVAL);
}

static void test_bitmap_size(void **state)
{
	uint64_t size = 0;

	(void)state;
	assert_int_equal(vfki_feature_bitmap_size(0, 1, 4096, &size), 0);
	assert_int_equal(size, 8);
	assert_int_equal(vfki_feature_bitmap_size(0, 64 * 4096, 4096, &size), 0);
	assert_int_equal(size, 8);
	assert_int_equal(vfki_feature_bitmap_size(0, 64 * 4096 + 1, 4096, &size), 0);
	assert_int_equal(size, 16);
	assert_int_equal(vfki_feature_bitmap_size(UINT64_MAX, 1, 1, &size), 0);
	assert_int_equal(vfki_feature_bitmap_size(0, UINT64_MAX, 1, &size), 0);
	assert_true(size == 1ull << 61);
	assert_int_equal(vfki_feature_bitmap_size(0, 0, 4096, &size), -EINVAL);
	assert_int_equal(vfki_feature_bitmap_size(1, UINT64_MAX, 4096, &size), 0);
	assert_int_equal(vfki_feature_bitmap_size(2, UINT64_MAX, 4096, &size), -EINVAL);
	assert_int_equal(vfki_feature_bitmap_size(0, 1, 0, &size), -EINVAL);
	assert_int_equal(vfki_feature_bitmap_size(0, 1, 4095, &size), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_pointers_and_descriptors),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_argsz),
		cmocka_unit_test(test_dma_buf_ranges),
		cmocka_unit_test(test_bitmap_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
