/* SPDX-License-Identifier: BSD-3-Clause */
/* test_iova.c - finding addresses between mappings, in usable ranges, below a mask. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/device/iova.h"

#define PAGE 0x1000ull

static struct vfki_mappings maps;
static struct vfki_mapping store[64];
static struct vfk_dma_limits limits;
static struct vfki_iova_search s;

static int setup(void **state)
{
	(void)state;
	maps = (struct vfki_mappings){ 0 };
	limits = (struct vfk_dma_limits){ .size = sizeof(limits) };
	s = (struct vfki_iova_search){ .maps = &maps,
				       .limits = &limits,
				       .granule = PAGE,
				       .mask = UINT64_MAX,
				       .length = PAGE };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfki_mappings_fini(&maps);
	return 0;
}

static void used(uint64_t first, uint64_t last)
{
	struct vfki_mapping *m = &store[maps.count];

	*m = (struct vfki_mapping){ .first = first, .last = last, .fd = -1 };
	assert_int_equal(vfki_mappings_insert(&maps, m), 0);
}

static void range(uint64_t first, uint64_t last)
{
	limits.ranges[limits.num_ranges++] = (struct vfk_iova_range){ first, last };
}

#define assert_found(from, want)                                       \
	do {                                                           \
		uint64_t iova_ = 0;                                    \
		assert_int_equal(vfki_iova_find(&s, from, &iova_), 0); \
		assert_true(iova_ == (want));                          \
	} while (0)

#define assert_none(from)                                                    \
	do {                                                                 \
		uint64_t iova_;                                              \
		assert_int_equal(vfki_iova_find(&s, from, &iova_), -ENOSPC); \
	} while (0)

static void test_empty(void **state)
{
	(void)state;
	assert_found(0, PAGE); /* 0 is never given */
	assert_found(0x12345, 0x13000);
	assert_found(UINT64_MAX - PAGE + 1, UINT64_MAX - PAGE + 1);
	assert_none(UINT64_MAX - PAGE + 2);
	s.length = 0ull - PAGE;
	assert_found(0, PAGE); /* up to 2^64 */
	s.length += PAGE / 2;
	assert_none(0);
}

static void test_gaps(void **state)
{
	(void)state;
	used(0x1000, 0x1fff);
	used(0x3000, 0x3fff);
	used(0x6000, 0x6fff);
	assert_found(0, 0x2000);
	s.length = 2 * PAGE;
	assert_found(0, 0x4000);
	s.length = 3 * PAGE;
	assert_found(0, 0x7000);
	s.length = PAGE;
	assert_found(0x1800, 0x2000);
	assert_found(0x3000, 0x4000);
}

static void test_full_to_the_end(void **state)
{
	(void)state;
	used(0x1000, UINT64_MAX);
	assert_none(0);
	assert_none(0x5000);
}

static void test_mask(void **state)
{
	(void)state;
	s.mask = 0xffff;
	s.length = 0xf000;
	assert_found(0, PAGE);
	s.length = 0x10000;
	assert_none(0);
	s.length = PAGE;
	used(0x1000, 0xefff);
	assert_found(0, 0xf000);
	assert_none(0x10000);
	used(0xf000, 0xffff);
	assert_none(0);
}

static void test_ranges(void **state)
{
	(void)state;
	range(0x10000, 0x10fff);
	range(0x20800, 0x22fff); /* begins within a page */
	range(0xfee00000, 0xffffffff);
	assert_found(0, 0x10000);
	assert_found(0x11000, 0x21000);
	s.length = 2 * PAGE;
	assert_found(0, 0x21000);
	s.length = 3 * PAGE;
	assert_found(0, 0xfee00000);
	s.mask = 0xffffff;
	assert_none(0);
	s.length = PAGE;
	used(0x10000, 0x10fff);
	used(0x21000, 0x21fff);
	assert_found(0, 0x22000);
	s.granule = 0x2000;
	s.length = 0x2000;
	s.mask = UINT64_MAX;
	assert_found(0, 0xfee00000);
}

static void test_starts(void **state)
{
	unsigned int above = 0;

	(void)state;
	s.mask = (1ull << 28) - 1;
	assert_true(vfki_iova_start(&s, 0) == 0);
	assert_true(vfki_iova_start(&s, 1) == 1 << 20);
	assert_true(vfki_iova_start(&s, 2) == 2 << 20);
	for (unsigned int n = 1; n < VFKI_IOVA_TRIES; n++) {
		assert_true(vfki_iova_start(&s, n) <= s.mask);
		above += vfki_iova_start(&s, n) > s.mask / 2;
	}
	assert_true(above > 8); /* it does not stay at the bottom */
	s.length = 1ull << 62;
	s.mask = UINT64_MAX;
	for (unsigned int n = 1; n < VFKI_IOVA_TRIES; n++)
		assert_true(vfki_iova_start(&s, n) > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty), TEST(test_gaps),   TEST(test_full_to_the_end),
		TEST(test_mask),  TEST(test_ranges), TEST(test_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
