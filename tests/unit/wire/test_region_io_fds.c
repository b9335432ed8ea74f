/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region_io_fds.c - DEVICE_GET_REGION_IO_FDS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/region_io_fds.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define SIZE 0x1000

static const struct vfki_wire_sub_region subs[] = {
	{ .offset = 0x10, .size = 4, .fd_index = 1, .type = 0, .flags = 1, .datamatch = 7 },
	{ .offset = 0x20,
	  .size = 0,
	  .fd_index = 0,
	  .type = 2,
	  .shadow_fd_index = 1,
	  .shadow_offset = 64 },
};

static int decode(const void *bytes, size_t len, size_t nfds, struct vfki_wire_sub_region *out,
		  uint32_t *count, uint32_t *argsz)
{
	return vfki_dec_region_io_fds_reply(fence(bytes, len), len, 3, SIZE, nfds, out, 4, count,
					    argsz);
}

static void test_request(void **state)
{
	static const struct mutation cases[] = {
		{ 0, 4, 15, -EINVAL }, { 4, 4, 1, -EINVAL }, { 8, 4, 4, -EINVAL },
		{ 12, 4, 1, -EINVAL }, { 8, 4, 0, 0 },
	};
	uint32_t index = 0, argsz = 0;
	uint8_t buf[32] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_region_io_fds_request(buf, 3, 200), 16);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_region_io_fds_request(fence(buf, len), len, 4, &index,
								&argsz),
				 len < 16 ? -EPROTO : 0);
	assert_int_equal(index, 3);
	assert_int_equal(argsz, 200);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_region_io_fds_request(buf, 3, 200);
		put_field(buf, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(vfki_dec_region_io_fds_request(buf, 16, 4, &index, &argsz),
				 cases[i].result);
	}
}

static void test_round_trips(void **state)
{
	struct vfki_wire_sub_region out[4];
	uint32_t count = 9, argsz = 0;
	uint8_t buf[256];
	int len;

	(void)state;
	len = vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, VFKI_WIRE_SUB_REGION_LONG,
					   4096);
	assert_int_equal(len, 16 + 96);
	assert_int_equal(decode(buf, (size_t)len, 2, out, &count, &argsz), 0);
	assert_int_equal(count, 2);
	assert_int_equal(argsz, len);
	assert_memory_equal(out, subs, sizeof(subs));
	len = vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 1, VFKI_WIRE_SUB_REGION_SHORT,
					   4096);
	assert_int_equal(len, 16 + 40);
	assert_int_equal(decode(buf, (size_t)len, 2, out, &count, &argsz), 0);
	assert_int_equal(count, 1);
	assert_memory_equal(out, subs, sizeof(subs[0]));
	len = vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, NULL, 0, VFKI_WIRE_SUB_REGION_SHORT,
					   16);
	assert_int_equal(len, 16);
	assert_int_equal(decode(buf, 16, 0, out, &count, &argsz), 0);
	assert_int_equal(count, 0);
	assert_int_equal(argsz, 16);
}

static void test_without_room(void **state)
{
	struct vfki_wire_sub_region out[4];
	uint32_t count = 9, argsz = 0;
	uint8_t buf[256];

	(void)state;
	assert_int_equal(vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 40, 95), 16);
	assert_int_equal(decode(buf, 16, 0, out, &count, &argsz), 0);
	assert_int_equal(count, 0);
	assert_int_equal(argsz, 96);
	assert_int_equal(vfki_enc_region_io_fds_reply(buf, 95, 3, subs, 2, 40, 96), -ENOBUFS);
	assert_int_equal(vfki_enc_region_io_fds_reply(buf, 15, 3, subs, 2, 40, 16), -ENOBUFS);
	assert_int_equal(vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 41, 4096),
			 -EINVAL);
	assert_int_equal(vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 257, 40, 4096),
			 -EINVAL);
}

static void test_bad_replies(void **state)
{
	/* Entries of 48 bytes at 16 and 64. */
	static const struct mutation cases[] = {
		{ 4, 4, 1, -EPROTO },
		{ 8, 4, 2, -EPROTO },
		{ 12, 4, 1, -EPROTO },
		{ 12, 4, 3, -EPROTO },
		{ 12, 4, UINT32_MAX, -EPROTO },
		{ 16, 8, SIZE, -EPROTO },
		{ 16, 8, UINT64_MAX, -EPROTO },
		{ 24, 8, SIZE, -EPROTO },
		{ 32, 4, 2, -EPROTO },
		{ 36, 4, 3, -EPROTO },
		{ 36, 4, 1, 0 },
		{ 92, 4, 2, -EPROTO },
		{ 84, 4, UINT32_MAX, -EPROTO },
		{ 0, 4, 16, -EPROTO },
		{ 0, 4, 111, -EPROTO },
		{ 0, 4, 113, -EPROTO },
	};
	struct vfki_wire_sub_region out[4];
	uint32_t count, argsz;
	uint8_t buf[112];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 48, 4096);
		put_field(buf, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(decode(buf, sizeof(buf), 2, out, &count, &argsz), cases[i].result);
	}
	vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 48, 4096);
	for (size_t len = 0; len < sizeof(buf); len++)
		assert_int_equal(decode(buf, len, 2, out, &count, &argsz), len == 16 ? 0 : -EPROTO);
	/* A shadow cannot be told in a short entry. */
	vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 40, 4096);
	assert_int_equal(decode(buf, 96, 2, out, &count, &argsz), -EPROTO);
	vfki_enc_region_io_fds_reply(buf, sizeof(buf), 3, subs, 2, 48, 4096);
	assert_int_equal(vfki_dec_region_io_fds_reply(buf, 112, 3, SIZE, 2, out, 1, &count, &argsz),
			 -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_without_room),
		cmocka_unit_test(test_bad_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
