/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region_access.c - REGION_READ, REGION_WRITE, REGION_WRITE_MULTI. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/region_access.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define XFER 64

static void test_read_request(void **state)
{
	struct vfki_wire_region_access a;
	uint8_t buf[32];

	(void)state;
	assert_int_equal(vfki_enc_region_access(buf, 0x1122334455667788, 7, 8), 16);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_region_read_request(memset(fence(NULL, len), 0, len), len,
							      XFER, &a),
				 len == 16 ? -EINVAL : -EPROTO);
	assert_int_equal(vfki_dec_region_read_request(fence(buf, 16), 16, XFER, &a), 0);
	assert_true(a.offset == 0x1122334455667788 && a.region == 7 && a.count == 8);
	vfki_enc_region_access(buf, 0, 0, XFER);
	assert_int_equal(vfki_dec_region_read_request(buf, 16, XFER, &a), 0);
	vfki_enc_region_access(buf, 0, 0, XFER + 1);
	assert_int_equal(vfki_dec_region_read_request(buf, 16, XFER, &a), -EINVAL);
	vfki_enc_region_access(buf, 0, 0, UINT32_MAX);
	assert_int_equal(vfki_dec_region_read_request(buf, 16, XFER, &a), -EINVAL);
}

static void test_write_request(void **state)
{
	struct vfki_wire_region_access a;
	uint8_t buf[16 + 128] = { 0 };

	(void)state;
	vfki_enc_region_access(buf, 16, 2, 8);
	for (size_t len = 0; len <= sizeof(buf); len++)
		assert_int_equal(vfki_dec_region_write_request(fence(buf, len), len, XFER, &a),
				 len == 24 ? 0 : -EPROTO);
	assert_int_equal(a.count, 8);
	vfki_enc_region_access(buf, 16, 2, 0);
	assert_int_equal(vfki_dec_region_write_request(buf, 16, XFER, &a), -EINVAL);
	vfki_enc_region_access(buf, 16, 2, XFER + 1);
	assert_int_equal(vfki_dec_region_write_request(buf, 16 + XFER + 1, XFER, &a), -EINVAL);
	vfki_enc_region_access(buf, 16, 2, UINT32_MAX);
	assert_int_equal(vfki_dec_region_write_request(buf, 15 + 128, XFER, &a), -EPROTO);
}

static void test_read_reply(void **state)
{
	const struct vfki_wire_region_access asked = { .offset = 0x10, .region = 3, .count = 8 };
	static const struct mutation cases[] = {
		{ 0, 8, 0x11, -EPROTO }, { 8, 4, 2, -EPROTO },		 { 12, 4, 9, -EPROTO },
		{ 12, 4, 7, -EPROTO },	 { 12, 4, UINT32_MAX, -EPROTO },
	};
	uint8_t buf[32] = { 0 };

	(void)state;
	vfki_enc_region_access(buf, 0x10, 3, 8);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_region_read_reply(fence(buf, len), len, &asked),
				 len == 24 ? 8 : -EPROTO);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_region_access(buf, 0x10, 3, 8);
		put_field(buf, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(vfki_dec_region_read_reply(buf, 24, &asked), cases[i].result);
	}
	/* Short reads, down to nothing. */
	for (uint32_t count = 0; count <= 8; count++) {
		vfki_enc_region_access(buf, 0x10, 3, count);
		assert_int_equal(vfki_dec_region_read_reply(fence(buf, 16), 16 + count, &asked),
				 (int)count);
	}
}

static void test_write_reply(void **state)
{
	const struct vfki_wire_region_access asked = { .offset = 0x10, .region = 3, .count = 8 };
	static const struct mutation cases[] = {
		{ 0, 8, 0x11, -EPROTO }, { 8, 4, 2, -EPROTO }, { 12, 4, 9, -EPROTO },
		{ 12, 4, 7, 7 },	 { 12, 4, 0, 0 },
	};
	uint8_t buf[32] = { 0 };

	(void)state;
	vfki_enc_region_access(buf, 0x10, 3, 8);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_region_write_reply(fence(buf, len), len, &asked),
				 len == 16 ? 8 : -EPROTO);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_region_access(buf, 0x10, 3, 8);
		put_field(buf, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(vfki_dec_region_write_reply(buf, 16, &asked), cases[i].result);
	}
}

static void test_write_multi(void **state)
{
	static const struct vfk_region_write writes[] = {
		{ .offset = 8, .region = 0, .len = 4, .data = "abcd" },
		{ .offset = 16, .region = 1, .len = 8, .data = "abcdefgh" },
		{ .offset = 1, .region = 2, .len = 1, .data = "x" },
	};
	struct vfk_region_write w;
	const void *at = NULL;
	uint32_t count = 0;
	uint8_t buf[8 + sizeof(writes) + 24] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_write_multi_request(buf, 3), 8);
	memcpy(buf + 8, writes, sizeof(writes));
	for (size_t len = 0; len <= sizeof(buf); len++)
		assert_int_equal(vfki_dec_write_multi_request(fence(buf, len), len, &at, &count),
				 len == 8 + sizeof(writes) ? 0 : -EPROTO);
	assert_int_equal(vfki_dec_write_multi_request(fence(buf, 80), 80, &at, &count), 0);
	assert_int_equal(count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		vfki_wire_write_at(at, i, &w);
		assert_memory_equal(&w, &writes[i], sizeof(w));
	}
}

static void test_bad_write_multi(void **state)
{
	static const uint32_t lens[] = { 0, 3, 5, 6, 7, 9, UINT32_MAX };
	static uint8_t many[8 + (VFKI_WIRE_MAX_WRITES + 1) * 24];
	struct vfk_region_write w = { .len = 4 };
	const void *at;
	uint32_t count;
	uint8_t buf[8 + 24];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lens); i++) {
		w.len = lens[i];
		vfki_enc_write_multi_request(buf, 1);
		memcpy(buf + 8, &w, sizeof(w));
		assert_int_equal(vfki_dec_write_multi_request(buf, sizeof(buf), &at, &count),
				 -EINVAL);
	}
	vfki_enc_write_multi_request(buf, 0);
	assert_int_equal(vfki_dec_write_multi_request(buf, 8, &at, &count), -EINVAL);
	/* A count whose product wraps to what is there. */
	vfki_enc_write_multi_request(buf, 1 + (1ull << 61));
	assert_int_equal(vfki_dec_write_multi_request(buf, sizeof(buf), &at, &count), -EPROTO);
	w.len = 4;
	for (uint32_t i = 0; i <= VFKI_WIRE_MAX_WRITES; i++)
		memcpy(many + 8 + (size_t)i * 24, &w, sizeof(w));
	vfki_enc_write_multi_request(many, VFKI_WIRE_MAX_WRITES);
	assert_int_equal(vfki_dec_write_multi_request(many, sizeof(many) - 24, &at, &count), 0);
	vfki_enc_write_multi_request(many, VFKI_WIRE_MAX_WRITES + 1);
	assert_int_equal(vfki_dec_write_multi_request(many, sizeof(many), &at, &count), -EINVAL);
}

static void test_write_multi_reply(void **state)
{
	uint8_t buf[16] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_write_multi_reply(buf, 3), 8);
	for (size_t len = 0; len <= 16; len++)
		assert_int_equal(vfki_dec_write_multi_reply(fence(buf, len), len, 3),
				 len == 8 ? 3 : -EPROTO);
	assert_int_equal(vfki_dec_write_multi_reply(buf, 8, 2), -EPROTO);
	vfki_enc_write_multi_reply(buf, UINT64_MAX);
	assert_int_equal(vfki_dec_write_multi_reply(buf, 8, 3), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_request),	  cmocka_unit_test(test_write_request),
		cmocka_unit_test(test_read_reply),	  cmocka_unit_test(test_write_reply),
		cmocka_unit_test(test_write_multi),	  cmocka_unit_test(test_bad_write_multi),
		cmocka_unit_test(test_write_multi_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
