/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sparse.c - the areas of a region that can be mapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/sparse.h"
#include "tests/unit/fence.h"

typedef struct vfio_region_sparse_mmap_area area_t;

/* The capability of @n areas, right before a fence. */
static struct vfki_cap make(const area_t *areas, size_t n)
{
	size_t size = vfki_sparse_size(n);
	uint8_t *bytes = fence(NULL, size);

	memset(bytes, 0, size);
	vfki_sparse_encode(bytes, areas, n);
	return (struct vfki_cap){ .id = 1, .version = 1, .data = bytes + 8, .room = size - 8 };
}

static void test_round_trip(void **state)
{
	static const area_t areas[] = { { 0x2000, 0x1000 }, { 0, 0x1000 }, { 0x1800, 0 } };
	struct vfki_cap cap = make(areas, 3);
	area_t out[3];
	size_t n = 0;

	(void)state;
	assert_int_equal(vfki_sparse_size(3), 64);
	assert_int_equal(vfki_sparse_decode(&cap, 0x3000, NULL, 0, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(vfki_sparse_decode(&cap, 0x3000, out, 3, &n), 0);
	assert_memory_equal(out, areas, sizeof(areas));
	assert_int_equal(vfki_sparse_decode(&cap, 0x3000, out, 2, &n), -E2BIG);
}

static void test_bad_areas(void **state)
{
	static const area_t cases[][2] = {
		{ { 0, 0x1000 }, { 0xfff, 0x10 } }, /* overlap */
		{ { 0x800, 0x10 }, { 0, 0x1000 } },
		{ { 0, 0x1000 }, { 0x2000, 0x1001 } }, /* outside */
		{ { 0, 0x1000 }, { 0x3001, 0 } },
		{ { 0, 0x1000 }, { UINT64_MAX, 2 } },
		{ { 0, 0x1000 }, { 2, UINT64_MAX } },
	};
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vfki_cap cap = make(cases[i], 2);

		assert_int_equal(vfki_sparse_decode(&cap, 0x3000, NULL, 0, &n), -EPROTO);
	}
}

static void test_counts_that_lie(void **state)
{
	static const uint32_t counts[] = { 3, 4, 1024, 1025, 0x10000000, UINT32_MAX };
	area_t areas[2] = { { 0, 1 }, { 1, 1 } };
	struct vfki_cap cap = make(areas, 2);
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		memcpy((void *)(uintptr_t)cap.data, &counts[i], 4);
		assert_int_equal(vfki_sparse_decode(&cap, 0x3000, NULL, 0, &n), -EPROTO);
	}
}

static void test_cut_off(void **state)
{
	area_t areas[2] = { { 0, 1 }, { 1, 1 } };
	struct vfki_cap whole = make(areas, 2);
	uint8_t bytes[64];
	size_t n;

	(void)state;
	memcpy(bytes, whole.data, whole.room);
	for (size_t room = 0; room < whole.room; room++) {
		struct vfki_cap cap = { .data = fence(bytes, room), .room = room };

		assert_int_equal(vfki_sparse_decode(&cap, 0x3000, NULL, 0, &n), -EPROTO);
	}
}

static void test_no_areas(void **state)
{
	struct vfki_cap cap = make(NULL, 0);
	size_t n = 9;

	(void)state;
	assert_int_equal(vfki_sparse_decode(&cap, 0x1000, NULL, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(vfki_sparse_size(1025), 0);
	assert_int_equal(vfki_sparse_size(SIZE_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_bad_areas),
		cmocka_unit_test(test_counts_that_lie), cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_no_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
