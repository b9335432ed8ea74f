/* SPDX-License-Identifier: BSD-3-Clause */
/* test_migration.c - MIG_DATA_READ, MIG_DATA_WRITE, GET_PRECOPY_INFO. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/migration.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define XFER 64

static void test_read(void **state)
{
	uint32_t size = 0;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_mig_read_request(buf, 32), 8);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_mig_read_request(fence(buf, len), len, XFER, &size),
				 len == 8 ? 0 : -EPROTO);
	assert_int_equal(size, 32);
	for (uint32_t n = 0; n < 8; n++) {
		put_field(buf, 0, 4, n);
		assert_int_equal(vfki_dec_mig_read_request(buf, 8, XFER, &size), -EINVAL);
	}
	put_field(buf, 0, 4, 8); /* argsz as the newest draft has it */
	assert_int_equal(vfki_dec_mig_read_request(buf, 8, XFER, &size), 0);
	vfki_enc_mig_read_request(buf, 0);
	assert_int_equal(vfki_dec_mig_read_request(buf, 8, XFER, &size), -EINVAL);
	vfki_enc_mig_read_request(buf, XFER + 1);
	assert_int_equal(vfki_dec_mig_read_request(buf, 8, XFER, &size), -EINVAL);

	assert_int_equal(vfki_enc_mig_read_reply(buf, 32), 8);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_mig_read_reply(fence(buf, len), len, 32),
				 len == 40 ? 32 : -EPROTO);
	assert_int_equal(vfki_dec_mig_read_reply(buf, 40, 31), -EPROTO);
	assert_int_equal(vfki_dec_mig_read_reply(buf, 40, 64), 32);
	vfki_enc_mig_read_reply(buf, 0);
	assert_int_equal(vfki_dec_mig_read_reply(buf, 8, 64), 0);
}

static void test_write(void **state)
{
	uint32_t size = 0;
	uint8_t buf[64 + 8] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_mig_write_request(buf, 32), 8);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_mig_write_request(fence(buf, len), len, XFER, &size),
				 len == 40 ? 0 : -EPROTO);
	assert_int_equal(size, 32);
	put_field(buf, 0, 4, 7);
	assert_int_equal(vfki_dec_mig_write_request(buf, 40, XFER, &size), -EINVAL);
	vfki_enc_mig_write_request(buf, 0);
	assert_int_equal(vfki_dec_mig_write_request(buf, 8, XFER, &size), -EINVAL);
	vfki_enc_mig_write_request(buf, 64);
	assert_int_equal(vfki_dec_mig_write_request(buf, 72, 63, &size), -EINVAL);

	assert_int_equal(vfki_enc_mig_write_reply(buf, 32), 8);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_mig_write_reply(fence(buf, len), len, 48),
				 !len	  ? 48 :
				 len == 8 ? 32 :
					    -EPROTO);
	assert_int_equal(vfki_dec_mig_write_reply(buf, 8, 31), -EPROTO);
}

static void test_precopy_info(void **state)
{
	struct vfk_precopy_info info = { .flags = 1,
					 .initial_bytes = 1ull << 40,
					 .dirty_bytes = 7 },
				out;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_precopy_info_request(buf), 24);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_precopy_info_request(fence(buf, len), len),
				 len >= 8 && len <= 24 ? 0 : -EPROTO);
	put_field(buf, 0, 4, 23);
	assert_int_equal(vfki_dec_precopy_info_request(buf, 24), -EINVAL);
	assert_int_equal(vfki_enc_precopy_info_reply(buf, &info), 24);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_precopy_info_reply(fence(buf, len), len, &out),
				 len == 24 ? 0 : -EPROTO);
	assert_int_equal(out.argsz, sizeof(out));
	assert_int_equal(out.flags, 1);
	assert_true(out.initial_bytes == 1ull << 40 && out.dirty_bytes == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_precopy_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
