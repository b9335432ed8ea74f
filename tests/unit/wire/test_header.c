/* SPDX-License-Identifier: BSD-3-Clause */
/* test_header.c - message headers and the table of commands. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/header.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define XFER (1u << 20)

static void test_round_trip(void **state)
{
	uint8_t buf[16];
	struct vfki_wire_header h;

	(void)state;
	assert_int_equal(
		vfki_enc_command(buf, 0x1234, VFKI_WIRE_REGION_READ, VFKI_WIRE_NO_REPLY, 16), 16);
	assert_int_equal(vfki_dec_header(fence(buf, 16), 4096, &h), 0);
	assert_int_equal(h.id, 0x1234);
	assert_int_equal(h.command, 9);
	assert_int_equal(h.size, 32);
	assert_int_equal(h.flags, VFKI_WIRE_NO_REPLY);
	assert_int_equal(vfki_wire_payload(&h), 16);
	assert_false(vfki_wire_is_reply(&h));

	vfki_enc_reply(buf, 7, VFKI_WIRE_DMA_MAP, 0);
	assert_int_equal(vfki_dec_header(buf, 16, &h), 0);
	assert_true(vfki_wire_is_reply(&h));
	assert_int_equal(h.error, 0);
}

static void test_error_replies(void **state)
{
	static const struct {
		int err;
		uint32_t sent;
		int got;
	} cases[] = {
		{ -EINVAL, EINVAL, -EINVAL },
		{ -ENOTSUP, EOPNOTSUPP, -ENOTSUP },
		{ -4095, 4095, -4095 },
		{ -4096, EIO, -EIO },
		{ 0, EIO, -EIO },
		{ 5, EIO, -EIO },
		{ -ENOSYS, ENOSYS, -ENOTSUP },
		{ -ENOTTY, ENOTTY, -ENOTSUP },
	};
	struct vfki_wire_header h;
	uint8_t buf[16];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(vfki_enc_error(buf, 3, 8, cases[i].err), 16);
		assert_int_equal(vfki_dec_header(buf, 4096, &h), 0);
		assert_int_equal(h.error, cases[i].sent);
		assert_int_equal(vfki_wire_errno(&h), cases[i].got);
	}
	h.error = 0;
	assert_int_equal(vfki_wire_errno(&h), -EIO);
}

static void test_bad_headers(void **state)
{
	static const struct vfki_wire_header bad[] = {
		{ 1, 9, 15, 0, 0 }, /* size below the header */
		{ 1, 9, 0, 0, 0 },
		{ 1, 9, 4097, 0, 0 }, /* above the limit */
		{ 1, 9, UINT32_MAX, 0, 0 },
		{ 1, 9, 32, 2, 0 }, /* unknown types */
		{ 1, 9, 32, 0xf, 0 },
		{ 1, 9, 32, 1u << 6, 0 }, /* reserved bits */
		{ 1, 9, 32, 1u << 31 | 1, 0 },
		{ 1, 9, 32, 1 | 1u << 4, 0 },	   /* No_reply on a reply */
		{ 1, 9, 16, 1u << 5, EINVAL },	   /* Error on a command */
		{ 1, 9, 32, 1 | 1u << 5, EINVAL }, /* an error with a payload */
		{ 1, 9, 16, 1 | 1u << 5, 4096 },   /* no errno */
		{ 1, 9, 16, 1 | 1u << 5, UINT32_MAX },
	};
	struct vfki_wire_header h = { .id = 42 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(vfki_dec_header(&bad[i], 4096, &h), -EPROTO);
	assert_int_equal(h.id, 42);
}

static void test_error_field_means_nothing_without_the_flag(void **state)
{
	struct vfki_wire_header in = { 1, 9, 32, 0, 99 }, h;

	(void)state;
	assert_int_equal(vfki_dec_header(&in, 4096, &h), 0);
	assert_int_equal(h.error, 0);
}

/* The specification's table, written down a second time. */
static const struct {
	uint16_t command;
	bool from_server;
	size_t request_min, reply_min;
	const char *name;
} expected[] = {
	{ 1, false, 4, 4, "version" },
	{ 2, false, 32, 0, "dma_map" },
	{ 3, false, 24, 0, "dma_unmap" },
	{ 4, false, 16, 16, "device_get_info" },
	{ 5, false, 32, 32, "device_get_region_info" },
	{ 6, false, 16, 16, "device_get_region_io_fds" },
	{ 7, false, 16, 16, "device_get_irq_info" },
	{ 8, false, 20, 0, "device_set_irqs" },
	{ 9, false, 16, 16, "region_read" },
	{ 10, false, 16, 16, "region_write" },
	{ 11, true, 16, 12, "dma_read" },
	{ 12, true, 16, 0, "dma_write" },
	{ 13, false, 0, 0, "device_reset" },
	{ 15, false, 8, 8, "region_write_multi" },
	{ 16, false, 8, 8, "device_feature" },
	{ 17, false, 8, 8, "mig_data_read" },
	{ 18, false, 8, 0, "mig_data_write" },
	{ 19, false, 8, 24, "get_precopy_info" },
};

static struct vfki_wire_header header(uint16_t command, bool reply, size_t payload)
{
	return (struct vfki_wire_header){ 1, command, (uint32_t)(16 + payload), reply, 0 };
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		const struct vfki_wire_shape *shape = vfki_wire_shape(expected[i].command);

		assert_non_null(shape);
		assert_string_equal(shape->name, expected[i].name);
		assert_string_equal(vfki_wire_command_name(expected[i].command), expected[i].name);
		assert_int_equal(shape->from_server, expected[i].from_server);
		assert_int_equal(shape->request.min, expected[i].request_min);
		assert_int_equal(shape->reply.min, expected[i].reply_min);
		assert_true(shape->request.max <= VFKI_WIRE_FIXED_MAX &&
			    shape->reply.max <= VFKI_WIRE_FIXED_MAX);
		assert_true(shape->request.max >= shape->request.min &&
			    shape->reply.max >= shape->reply.min);
	}
	assert_null(vfki_wire_shape(0));
	assert_null(vfki_wire_shape(14));
	assert_null(vfki_wire_shape(20));
	assert_null(vfki_wire_shape(0xffff));
	assert_string_equal(vfki_wire_command_name(14), "command 14");
	assert_string_equal(vfki_wire_command_name(UINT32_MAX), "command 4294967295");
}

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		bool there = !expected[i].from_server; /* whether the server receives the command */
		struct vfki_wire_header h;

		for (size_t n = 0; n < expected[i].request_min; n++) {
			h = header(expected[i].command, false, n);
			assert_int_equal(vfki_wire_check_header(&h, there, XFER, 0), -EPROTO);
		}
		for (size_t n = 0; n < expected[i].reply_min; n++) {
			h = header(expected[i].command, true, n);
			assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 0), -EPROTO);
		}
		h = header(expected[i].command, false, expected[i].request_min);
		assert_int_equal(vfki_wire_check_header(&h, there, XFER, 0), 0);
		h = header(expected[i].command, true, expected[i].reply_min);
		assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 0), 0);
		assert_int_equal(vfki_wire_check_header(&h, there, XFER, 0), -EPROTO);
		h.size = vfki_wire_max_message(XFER) + 1;
		assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 0), -EPROTO);
	}
}

static void test_data_is_bounded(void **state)
{
	struct vfki_wire_header h = header(VFKI_WIRE_REGION_WRITE, false, 16 + XFER);

	(void)state;
	assert_int_equal(vfki_wire_check_header(&h, true, XFER, 0), 0);
	h.size++;
	assert_int_equal(vfki_wire_check_header(&h, true, XFER, 0), -EPROTO);
	h = header(VFKI_WIRE_DMA_MAP, false, 33);
	assert_int_equal(vfki_wire_check_header(&h, true, XFER, 0), -EPROTO);
	assert_true(vfki_wire_max_message(XFER) >= 32 + XFER);
	assert_true(vfki_wire_max_message(UINT64_MAX) <= 128 + VFKI_WIRE_MAX_XFER);
	assert_true(vfki_wire_max_message(8) >= 16 + 32 + VFKI_WIRE_MAX_INFO);
}

static void test_unknown_commands_pass(void **state)
{
	struct vfki_wire_header h = header(99, false, 1000);

	(void)state;
	assert_int_equal(vfki_wire_check_header(&h, true, XFER, 3), 0);
	h = header(VFKI_WIRE_DMA_READ, false, 3);
	assert_int_equal(vfki_wire_check_header(&h, true, XFER, 0), 0);
	h = header(99, true, 0);
	assert_int_equal(vfki_wire_check_header(&h, false, XFER, 0), -EPROTO);
}

static void test_descriptors(void **state)
{
	struct vfki_wire_header h;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		uint16_t c = expected[i].command;
		bool there = !expected[i].from_server;

		h = header(c, false, expected[i].request_min);
		assert_int_equal(vfki_wire_check_header(&h, there, XFER, 1),
				 c == 2 || c == 8 || c == 16 ? 0 : -EPROTO);
		h = header(c, true, expected[i].reply_min);
		assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 1),
				 c == 1 || c == 5 || c == 6 ? 0 : -EPROTO);
		h = header(c, true, 0);
		h.flags |= VFKI_WIRE_ERROR;
		assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 0), 0);
		assert_int_equal(vfki_wire_check_header(&h, !there, XFER, 1), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_error_replies),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_error_field_means_nothing_without_the_flag),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_data_is_bounded),
		cmocka_unit_test(test_unknown_commands_pass),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
