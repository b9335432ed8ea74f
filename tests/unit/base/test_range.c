/* SPDX-License-Identifier: BSD-3-Clause */
/* test_range.c - arithmetic that does not wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/range.h"

#define MAX UINT64_MAX

static void test_add_and_mul(void **state)
{
	uint64_t r;
	size_t s;

	(void)state;
	assert_true(vfki_add_u64(MAX - 1, 1, &r));
	assert_true(r == MAX);
	assert_false(vfki_add_u64(MAX, 1, &r));
	assert_true(vfki_mul_u64(1ull << 32, (1ull << 32) - 1, &r));
	assert_false(vfki_mul_u64(1ull << 32, 1ull << 32, &r));
	assert_true(vfki_add_size(SIZE_MAX, 0, &s));
	assert_false(vfki_add_size(SIZE_MAX, 1, &s));
	assert_true(vfki_mul_size(SIZE_MAX, 1, &s));
	assert_false(vfki_mul_size(SIZE_MAX, 2, &s));
}

static void test_tail_size(void **state)
{
	size_t s;

	(void)state;
	assert_true(vfki_tail_size(16, 3, 24, &s));
	assert_int_equal(s, 88);
	assert_true(vfki_tail_size(16, 0, 24, &s));
	assert_int_equal(s, 16);
	assert_false(vfki_tail_size(16, SIZE_MAX / 24 + 1, 24, &s));
	assert_false(vfki_tail_size(16, SIZE_MAX / 8, 8, &s));
}

static void test_powers_and_alignment(void **state)
{
	uint64_t r;

	(void)state;
	assert_false(vfki_is_pow2(0));
	assert_true(vfki_is_pow2(1));
	assert_true(vfki_is_pow2(1ull << 63));
	assert_false(vfki_is_pow2(3));
	assert_true(vfki_is_aligned(0, 8));
	assert_false(vfki_is_aligned(12, 8));
	assert_true(vfki_align_down(4097, 4096) == 4096);
	assert_true(vfki_align_up(0, 4096, &r) && r == 0);
	assert_true(vfki_align_up(1, 4096, &r) && r == 4096);
	assert_true(vfki_align_up(4096, 4096, &r) && r == 4096);
	assert_true(vfki_align_up(MAX - 4095, 4096, &r) && r == MAX - 4095);
	assert_false(vfki_align_up(MAX - 4094, 4096, &r));
	assert_true(vfki_min_u64(3, 5) == 3 && vfki_min_u64(5, 3) == 3);
}

static void test_range_ok(void **state)
{
	(void)state;
	assert_true(vfki_range_ok(0, 0, 0));
	assert_true(vfki_range_ok(8, 0, 8));
	assert_false(vfki_range_ok(9, 0, 8));
	assert_true(vfki_range_ok(4, 4, 8));
	assert_false(vfki_range_ok(4, 5, 8));
	assert_false(vfki_range_ok(MAX, 2, 8));
	assert_false(vfki_range_ok(4, MAX, 8));
	assert_true(vfki_range_ok(0, MAX, MAX));
}

static void test_range_last(void **state)
{
	uint64_t last;

	(void)state;
	assert_false(vfki_range_last(0, 0, &last));
	assert_true(vfki_range_last(0, 1, &last) && last == 0);
	assert_true(vfki_range_last(MAX, 1, &last) && last == MAX);
	assert_true(vfki_range_last(MAX - 4095, 4096, &last) && last == MAX);
	assert_false(vfki_range_last(MAX - 4095, 4097, &last));
}

static void test_overlap(void **state)
{
	(void)state;
	assert_true(vfki_ranges_overlap(0, 8, 7, 1));
	assert_false(vfki_ranges_overlap(0, 8, 8, 1));
	assert_true(vfki_ranges_overlap(7, 1, 0, 8));
	assert_false(vfki_ranges_overlap(8, 1, 0, 8));
	assert_false(vfki_ranges_overlap(4, 0, 0, 8));
	assert_false(vfki_ranges_overlap(0, 8, 4, 0));
	assert_true(vfki_ranges_overlap(MAX - 7, 8, MAX, 1));
	assert_false(vfki_ranges_overlap(MAX - 7, 8, 0, MAX - 7));
	assert_true(vfki_ranges_overlap(0, MAX, MAX - 1, 1));
}

static void test_within(void **state)
{
	(void)state;
	assert_true(vfki_range_within(0, 8, 0, 8));
	assert_true(vfki_range_within(4, 4, 0, 8));
	assert_false(vfki_range_within(4, 5, 0, 8));
	assert_false(vfki_range_within(3, 1, 4, 8));
	assert_false(vfki_range_within(0, MAX, 4, 8));
	assert_true(vfki_range_within(MAX, 1, MAX - 7, 8));
	assert_false(vfki_range_within(MAX - 8, 1, MAX - 7, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_mul),
		cmocka_unit_test(test_tail_size),
		cmocka_unit_test(test_powers_and_alignment),
		cmocka_unit_test(test_range_ok),
		cmocka_unit_test(test_range_last),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
