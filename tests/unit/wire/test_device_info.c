/* SPDX-License-Identifier: BSD-3-Clause */
/* test_device_info.c - DEVICE_GET_INFO. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/capchain.h"
#include "lib/wire/device_info.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

/* A device with a capability of 16 bytes behind its 24. */
struct with_chain {
	uint8_t bytes[40] __attribute__((aligned(8)));
};

static struct vfio_device_info *make_chain(struct with_chain *w)
{
	struct vfio_device_info *info = (void *)w->bytes;
	size_t used = 24, link = offsetof(struct vfio_device_info, cap_offset);

	memset(w, 0, sizeof(*w));
	info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_CAPS;
	info->num_regions = 9;
	info->num_irqs = 5;
	vfki_caps_add(w->bytes, sizeof(w->bytes), &used, &link, 5, 1, 16);
	info->argsz = (uint32_t)used;
	return info;
}

static void test_request(void **state)
{
	uint8_t buf[64] = { 0 };
	uint32_t argsz = 0;

	(void)state;
	assert_int_equal(vfki_enc_device_info_request(buf, 24), 16);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_device_info_request(fence(buf, len), len, &argsz),
				 len < 16 ? -EPROTO : 0);
	assert_int_equal(argsz, 24);
	vfki_enc_device_info_request(buf, 15);
	assert_int_equal(vfki_dec_device_info_request(buf, 16, &argsz), -EINVAL);
}

static void test_plain_reply(void **state)
{
	struct vfio_device_info info = {
		.argsz = sizeof(info), .flags = VFIO_DEVICE_FLAGS_PCI, .num_regions = 9, .num_irqs = 5,
	}, out;
	uint8_t buf[64];

	(void)state;
	assert_int_equal(vfki_enc_device_info_reply(buf, sizeof(buf), &info, 4096), 16);
	for (size_t len = 0; len <= 16; len++)
		assert_int_equal(vfki_dec_device_info_reply(fence(buf, len), len, &out,
							    sizeof(out)),
				 len < 16 ? -EPROTO : 0);
	assert_int_equal(out.argsz, 16);
	assert_int_equal(out.flags, VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(out.num_regions, 9);
	assert_int_equal(out.num_irqs, 5);
	assert_int_equal(out.cap_offset, 0);
	info.flags |= VFIO_DEVICE_FLAGS_CAPS;
	info.argsz = 48;
	assert_int_equal(vfki_enc_device_info_reply(buf, sizeof(buf), &info, 4096), 16);
	assert_int_equal(vfki_dec_device_info_reply(buf, 16, &out, sizeof(out)), 0);
	assert_false(out.flags & VFIO_DEVICE_FLAGS_CAPS);
}

static void test_chain(void **state)
{
	struct with_chain in, out;
	const struct vfio_device_info *info = make_chain(&in);
	struct vfio_device_info *got = (void *)out.bytes;
	uint8_t buf[64];

	(void)state;
	assert_int_equal(vfki_enc_device_info_reply(buf, sizeof(buf), info, 40), 40);
	assert_int_equal(vfki_dec_device_info_reply(fence(buf, 40), 40, got, sizeof(out)), 0);
	assert_memory_equal(&in, &out, 40);
	/* No room at the client, then none in our buffer. */
	assert_int_equal(vfki_enc_device_info_reply(buf, sizeof(buf), info, 39), 16);
	assert_int_equal(vfki_dec_device_info_reply(fence(buf, 16), 16, got, sizeof(out)), 0);
	assert_int_equal(got->argsz, 40);
	assert_int_equal(got->cap_offset, 0);
	assert_true(got->flags & VFIO_DEVICE_FLAGS_CAPS);
	vfki_enc_device_info_reply(buf, sizeof(buf), info, 40);
	for (size_t cap = 16; cap < 40; cap += 4) {
		uint8_t *small = fence(NULL, cap);

		assert_int_equal(vfki_dec_device_info_reply(buf, 40, (void *)small, cap), 0);
		assert_int_equal(*(uint32_t *)(void *)small, 40);
	}
}

static void test_bad_replies(void **state)
{
	static const struct mutation cases[] = {
		{ 8, 4, VFKI_WIRE_MAX_REGIONS + 1, -EPROTO },
		{ 8, 4, VFKI_WIRE_MAX_REGIONS, 0 },
		{ 12, 4, VFKI_WIRE_MAX_IRQS + 1, -EPROTO },
		{ 0, 4, VFKI_WIRE_MAX_INFO + 1, -EPROTO },
		{ 0, 4, UINT32_MAX, -EPROTO },
		{ 0, 4, 0, 0 },
		{ 0, 4, 17, -EPROTO },	/* CAPS, and no room for cap_offset */
		{ 16, 4, 12, -EPROTO }, /* chain below the structure */
		{ 16, 4, 36, -EPROTO }, /* cut off */
		{ 28, 4, 24, -EPROTO }, /* loop */
		{ 28, 4, 0xfffffff0, -EPROTO },
	};
	struct with_chain in;
	struct with_chain out;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		make_chain(&in);
		put_field(in.bytes, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(vfki_dec_device_info_reply(fence(in.bytes, 40), 40,
							    (void *)out.bytes, 40),
				 cases[i].result);
	}
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(vfki_dec_empty(0, "x"), 0);
	assert_int_equal(vfki_dec_empty(1, "x"), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_plain_reply),
		cmocka_unit_test(test_chain),	cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
