/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dma_access.c - DMA_READ and DMA_WRITE, in the specified form and in that of older QEMUs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/dma_access.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define XFER 64
#define ADDR 0x1122334455667000ull

static const struct vfki_wire_dma_access asked = { .addr = ADDR, .count = 8 };

static void test_requests(void **state)
{
	static const struct mutation cases[] = {
		{ 8, 8, 0, -EINVAL },
		{ 8, 8, XFER, 0 },
		{ 8, 8, XFER + 1, -EINVAL },
		{ 8, 8, UINT64_MAX, -EINVAL },
		{ 0, 8, UINT64_MAX - 7, 0 },
		{ 0, 8, UINT64_MAX - 6, -EINVAL },
		{ 8, 8, (1ull << 32) + 8, -EINVAL },
	};
	struct vfki_wire_dma_access a;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_dma_access(buf, ADDR, 8), 16);
	for (size_t len = 0; len <= 64; len++) {
		assert_int_equal(vfki_dec_dma_read_request(fence(buf, len), len, XFER, &a),
				 len == 16 ? 0 : -EPROTO);
		assert_int_equal(vfki_dec_dma_write_request(fence(buf, len), len, XFER, &a),
				 len == 24 ? 0 : -EPROTO);
	}
	assert_true(a.addr == ADDR && a.count == 8);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		vfki_enc_dma_access(buf, ADDR, 8);
		put_field(buf, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(vfki_dec_dma_read_request(buf, 16, XFER, &a), cases[i].result);
	}
	vfki_enc_dma_access(buf, ADDR, 0);
	assert_int_equal(vfki_dec_dma_write_request(buf, 16, XFER, &a), -EINVAL);
}

static void test_read_reply(void **state)
{
	enum vfki_wire_dma_form form = VFKI_WIRE_DMA_UNKNOWN;
	const void *data = NULL;
	uint8_t buf[32] = { 0 };

	(void)state;
	vfki_enc_dma_access(buf, ADDR, 8);
	memcpy(buf + 16, "abcdefgh", 8);
	for (size_t len = 0; len <= 32; len++) {
		form = VFKI_WIRE_DMA_64;
		assert_int_equal(vfki_dec_dma_read_reply(fence(buf, len), len, &asked, &form,
							 &data),
				 len == 24 ? 8 : -EPROTO);
	}
	form = VFKI_WIRE_DMA_UNKNOWN;
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), 8);
	assert_ptr_equal(data, buf + 16);
	assert_int_equal(form, VFKI_WIRE_DMA_64);
	buf[0] ^= 1;
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), -EPROTO);
	vfki_enc_dma_access(buf, ADDR, 9);
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), -EPROTO);
	assert_int_equal(vfki_dec_dma_read_reply(buf, 25, &asked, &form, &data), -EPROTO);
	for (uint64_t count = 0; count < 8; count++) {
		vfki_enc_dma_access(buf, ADDR, count);
		assert_int_equal(vfki_dec_dma_read_reply(buf, 16 + count, &asked, &form, &data),
				 -EIO);
	}
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/*
 * A reply as QEMU up to 10.2 makes it: the count in 32 bits, the data at 12, four bytes of nothing.
 */
static size_t put_old(uint8_t *buf, const char *data)
{
	uint32_t count = 8;

	memset(buf, 0, 24);
	memcpy(buf, &(uint64_t){ ADDR }, 8);
	memcpy(buf + 8, &count, 4);
	memcpy(buf + 12, data, 8);
	return 24;
}

static void test_old_form(void **state)
{
	enum vfki_wire_dma_form form = VFKI_WIRE_DMA_UNKNOWN;
	const void *data = NULL;
	uint8_t buf[32] = { 0 };

	(void)state;
	/* Data that tells the two apart. */
	put_old(buf, "abcdefgh");
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), 8);
	assert_ptr_equal(data, buf + 12);
	assert_int_equal(form, VFKI_WIRE_DMA_32);
	/* From then on, data that does not. */
	put_old(buf, "\0\0\0\0efgh");
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), 8);
	assert_ptr_equal(data, buf + 12);
	/* Without the padding. */
	put_old(buf, "abcdefgh");
	assert_int_equal(vfki_dec_dma_read_reply(fence(buf, 20), 20, &asked, &form, &data), 8);
	/* Not known yet: the specified form is assumed, and nothing concluded. */
	form = VFKI_WIRE_DMA_UNKNOWN;
	put_old(buf, "\0\0\0\0efgh");
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), 8);
	assert_ptr_equal(data, buf + 16);
	assert_int_equal(form, VFKI_WIRE_DMA_UNKNOWN);
	/* A client does not change its mind. */
	form = VFKI_WIRE_DMA_64;
	put_old(buf, "abcdefgh");
	assert_int_equal(vfki_dec_dma_read_reply(buf, 24, &asked, &form, &data), -EPROTO);
	assert_int_equal(form, VFKI_WIRE_DMA_64);
}
#endif

static void test_write_requests_for_both(void **state)
{
	uint64_t addr;
	uint32_t count;
	uint8_t buf[16];
	size_t pad = 9;

	(void)state;
	assert_int_equal(vfki_enc_dma_write_request(buf, VFKI_WIRE_DMA_UNKNOWN, ADDR, 8, &pad), 16);
	assert_int_equal(pad, 0);
	assert_int_equal(vfki_enc_dma_write_request(buf, VFKI_WIRE_DMA_64, ADDR, 8, &pad), 16);
	assert_int_equal(
		vfki_enc_dma_write_request(fence(NULL, 12), VFKI_WIRE_DMA_32, ADDR, 8, &pad), 12);
	assert_int_equal(pad, 4);
	memcpy(&addr, fence(NULL, 12), 8);
	memcpy(&count, (uint8_t *)fence(NULL, 12) + 8, 4);
	assert_true(addr == ADDR && count == 8);
}

static void test_write_reply(void **state)
{
	uint8_t buf[32] = { 0 };

	(void)state;
	vfki_enc_dma_access(buf, ADDR, 8);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_dma_write_reply(fence(buf, len), len, &asked),
				 !len || len == 16 ||
						 (len == 12 &&
						  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) ?
					 0 :
				 len == 12 ? -EIO :
					     -EPROTO);
	vfki_enc_dma_access(buf, ADDR, 7);
	assert_int_equal(vfki_dec_dma_write_reply(buf, 16, &asked), -EIO);
	vfki_enc_dma_access(buf, ADDR, 9);
	assert_int_equal(vfki_dec_dma_write_reply(buf, 16, &asked), -EPROTO);
	vfki_enc_dma_access(buf, ADDR + 1, 8);
	assert_int_equal(vfki_dec_dma_write_reply(buf, 16, &asked), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_read_reply),
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		cmocka_unit_test(test_old_form),
#endif
		cmocka_unit_test(test_write_requests_for_both),
		cmocka_unit_test(test_write_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
