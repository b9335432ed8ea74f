/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dma_map.c - DMA_MAP and DMA_UNMAP. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/dma_map.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define MAX_BITMAP 4096

static void test_map(void **state)
{
	struct vfki_wire_dma_map m;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_dma_map_request(buf, 3, 0x1000, 0x10000, 0x2000), 32);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_dma_map_request(fence(buf, len), len, 1, &m),
				 len == 32 ? 0 : -EPROTO);
	assert_int_equal(m.flags, 3);
	assert_int_equal(m.offset, 0x1000);
	assert_int_equal(m.addr, 0x10000);
	assert_int_equal(m.size, 0x2000);
	assert_int_equal(vfki_dec_dma_map_request(buf, 32, 0, &m), 0);
	assert_int_equal(vfki_dec_dma_map_request(buf, 32, 2, &m), -EPROTO);
}

static void test_bad_map(void **state)
{
	static const struct {
		struct mutation m;
		size_t nfds;
	} cases[] = {
		{ { 0, 4, 31, -EINVAL }, 0 },
		{ { 0, 4, 64, 0 }, 0 },
		{ { 4, 4, 0, -EINVAL }, 0 },
		{ { 4, 4, 1, 0 }, 0 },
		{ { 4, 4, 2, 0 }, 0 },
		{ { 4, 4, 16, -EINVAL }, 0 },
		{ { 4, 4, 1u << 31 | 1, -EINVAL }, 0 },
		{ { 4, 4, 4, -EINVAL }, 1 }, /* an access mode without access */
		{ { 4, 4, 1 | 4, 0 }, 1 },
		{ { 4, 4, 1 | 8, 0 }, 1 },
		{ { 4, 4, 1 | 4 | 8, -EINVAL }, 1 },
		{ { 4, 4, 1 | 4, -EINVAL }, 0 }, /* a mode that needs a file, without one */
		{ { 4, 4, 1 | 8, -EINVAL }, 0 },
		{ { 24, 8, 0, -EINVAL }, 0 },
		{ { 16, 8, UINT64_MAX - 0x1fff, 0 }, 0 }, /* ends at 2^64 */
		{ { 16, 8, UINT64_MAX - 0x1ffe, -EINVAL }, 0 },
		{ { 24, 8, UINT64_MAX, -EINVAL }, 0 },
		{ { 8, 8, INT64_MAX - 0x2000, 0 }, 1 },
		{ { 8, 8, INT64_MAX, -EINVAL }, 1 },
		{ { 8, 8, UINT64_MAX, -EINVAL }, 1 },
		{ { 8, 8, UINT64_MAX, 0 }, 0 }, /* means nothing without a file */
	};
	struct vfki_wire_dma_map m;
	uint8_t buf[32];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_dma_map_request(buf, 3, 0, 0x10000, 0x2000);
		put_field(buf, cases[i].m.at, cases[i].m.width, cases[i].m.value);
		if (vfki_dec_dma_map_request(buf, 32, cases[i].nfds, &m) != cases[i].m.result)
			fail_msg("case %zu", i);
	}
}

static void test_unmap(void **state)
{
	const struct vfki_wire_unmap plain = { .addr = 0x1000, .size = 0x2000 },
				     all = { .all = true };
	struct vfki_wire_unmap u;
	const void *bitmap;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_dma_unmap_request(buf, &plain), 24);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_dma_unmap_request(fence(buf, len), len, MAX_BITMAP, &u),
				 len == 24 ? 0 : -EPROTO);
	assert_true(u.addr == 0x1000 && u.size == 0x2000 && !u.all && !u.bitmap);
	assert_int_equal(vfki_enc_dma_unmap_reply(buf, &u), 24);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_dma_unmap_reply(fence(buf, len), len, &plain, &bitmap),
				 len == 24 || !len ? 0 : -EPROTO);
	assert_null(bitmap);
	assert_int_equal(vfki_enc_dma_unmap_request(buf, &all), 24);
	assert_int_equal(vfki_dec_dma_unmap_request(buf, 24, MAX_BITMAP, &u), 0);
	assert_true(u.all);
}

static void test_unmap_with_bitmap(void **state)
{
	const struct vfki_wire_unmap ask = {
		.addr = 0x1000,
		.size = 65 * 0x1000,
		.bitmap = true,
		.pgsize = 0x1000,
		.bitmap_size = 16,
	};
	struct vfki_wire_unmap u;
	const void *bitmap = NULL;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_dma_unmap_request(buf, &ask), 40);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_dma_unmap_request(fence(buf, len), len, MAX_BITMAP, &u),
				 len == 40 ? 0 : -EPROTO);
	assert_true(u.bitmap && u.pgsize == 0x1000 && u.bitmap_size == 16);
	assert_int_equal(vfki_enc_dma_unmap_reply(buf, &u), 40);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_dma_unmap_reply(fence(buf, len), len, &ask, &bitmap),
				 len == 56 ? 0 : -EPROTO);
	assert_int_equal(vfki_dec_dma_unmap_reply(buf, 56, &ask, &bitmap), 0);
	assert_ptr_equal(bitmap, buf + 40);
}

static void test_bad_unmap(void **state)
{
	static const struct mutation plain[] = {
		{ 0, 4, 23, -EINVAL },
		{ 4, 4, 4, -EINVAL },
		{ 4, 4, 2, -EINVAL }, /* all, with a range */
		{ 16, 8, 0, -EINVAL },
		{ 16, 8, UINT64_MAX, -EINVAL },
		{ 8, 8, UINT64_MAX - 0x1fff, 0 },
		{ 4, 4, 1, -EPROTO }, /* a bitmap that is not there */
	};
	static const struct mutation with_bitmap[] = {
		{ 0, 4, 55, -EINVAL },	       { 4, 4, 3, -EINVAL },
		{ 4, 4, 0, -EPROTO },	       { 24, 8, 0, -EINVAL },
		{ 24, 8, 0x1001, -EINVAL },    { 32, 8, 8, -EINVAL },
		{ 32, 8, 17, -EINVAL },	       { 32, 8, MAX_BITMAP + 8, -E2BIG },
		{ 32, 8, UINT64_MAX, -E2BIG }, { 24, 8, 1, -E2BIG },
		{ 16, 8, 1ull << 40, -E2BIG },
	};
	const struct vfki_wire_unmap a = { .addr = 0x1000, .size = 0x2000 };
	const struct vfki_wire_unmap b = {
		.addr = 0x1000,
		.size = 65 * 0x1000,
		.bitmap = true,
		.pgsize = 0x1000,
		.bitmap_size = 16,
	};
	struct vfki_wire_unmap u;
	uint8_t buf[40];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		vfki_enc_dma_unmap_request(buf, &a);
		put_field(buf, plain[i].at, plain[i].width, plain[i].value);
		assert_int_equal(vfki_dec_dma_unmap_request(buf, 24, MAX_BITMAP, &u),
				 plain[i].result);
	}
	for (size_t i = 0; i < COUNT_OF(with_bitmap); i++) {
		vfki_enc_dma_unmap_request(buf, &b);
		put_field(buf, with_bitmap[i].at, with_bitmap[i].width, with_bitmap[i].value);
		if (vfki_dec_dma_unmap_request(buf, 40, MAX_BITMAP, &u) != with_bitmap[i].result)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),	  cmocka_unit_test(test_bad_map),
		cmocka_unit_test(test_unmap),	  cmocka_unit_test(test_unmap_with_bitmap),
		cmocka_unit_test(test_bad_unmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
