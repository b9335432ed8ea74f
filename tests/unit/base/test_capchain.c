/* SPDX-License-Identifier: BSD-3-Clause */
/* test_capchain.c - chains of capabilities, sound and broken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/capchain.h"
#include "tests/unit/fence.h"

#define FIXED 32
#define LINK  offsetof(struct vfio_region_info, cap_offset)

static void put_header(uint8_t *buf, uint32_t at, uint16_t id, uint32_t next)
{
	struct vfio_info_cap_header h = { .id = id, .version = 1, .next = next };

	memcpy(buf + at, &h, sizeof(h));
}

static void test_build_and_walk(void **state)
{
	uint8_t buf[128] = { 0 };
	size_t used = FIXED, link = LINK;
	struct vfki_caps caps;
	struct vfki_cap cap;
	uint32_t first;
	uint8_t *p;

	(void)state;
	p = vfki_caps_add(buf, sizeof(buf), &used, &link, 2, 1, 12);
	assert_ptr_equal(p, buf + 32);
	memset(p + 8, 0xaa, 4);
	assert_int_equal(used, 44);
	p = vfki_caps_add(buf, sizeof(buf), &used, &link, 3, 7, 8);
	assert_ptr_equal(p, buf + 48);
	assert_int_equal(used, 56);
	memcpy(&first, buf + LINK, sizeof(first));
	assert_int_equal(first, 32);
	assert_int_equal(vfki_caps_check(buf, used, FIXED, first), 0);

	vfki_caps_begin(&caps, buf, used, FIXED, first);
	assert_int_equal(vfki_caps_next(&caps, &cap), 1);
	assert_int_equal(cap.id, 2);
	assert_int_equal(cap.version, 1);
	assert_int_equal(cap.offset, 32);
	assert_ptr_equal(cap.data, buf + 40);
	assert_int_equal(cap.room, 8);
	assert_int_equal(vfki_caps_next(&caps, &cap), 1);
	assert_int_equal(cap.id, 3);
	assert_int_equal(cap.version, 7);
	assert_int_equal(cap.room, 0);
	assert_int_equal(vfki_caps_next(&caps, &cap), 0);

	assert_int_equal(vfki_caps_find(buf, used, FIXED, first, 3, &cap), 1);
	assert_int_equal(cap.offset, 48);
	assert_int_equal(vfki_caps_find(buf, used, FIXED, first, 9, &cap), 0);
	assert_int_equal(vfki_caps_find(buf, used, FIXED, 0, 3, &cap), 0);
}

static void test_build_without_room(void **state)
{
	uint8_t buf[64] = { 0 };
	size_t used = FIXED, link = LINK;

	(void)state;
	assert_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 33));
	assert_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 7));
	assert_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, SIZE_MAX));
	assert_int_equal(used, FIXED);
	assert_int_equal(link, LINK);
	assert_non_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 32));
	assert_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 8));
}

static void test_backward_chain(void **state)
{
	uint8_t buf[56] = { 0 };
	struct vfki_cap cap;

	(void)state;
	put_header(buf, 48, 1, 32);
	put_header(buf, 32, 2, 0);
	assert_int_equal(vfki_caps_check(buf, sizeof(buf), FIXED, 48), 0);
	assert_int_equal(vfki_caps_find(buf, sizeof(buf), FIXED, 48, 2, &cap), 1);
	assert_int_equal(cap.room, 16);
}

static void test_broken(void **state)
{
	static const struct {
		uint32_t first, next;
	} cases[] = {
		{ 4, 0 },				  /* inside the structure */
		{ 31, 0 }, { 34, 0 },			  /* not aligned */
		{ 52, 0 },				  /* header cut off by the end */
		{ 56, 0 }, { 0xfffffff8, 0 }, { 32, 32 }, /* itself */
		{ 32, 4 }, { 32, 52 },	      { 32, 0xffffffff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[56] = { 0 };

		put_header(buf, 32, 1, cases[i].next);
		assert_int_equal(vfki_caps_check(fence(buf, sizeof(buf)), sizeof(buf), FIXED,
						 cases[i].first),
				 -EPROTO);
	}
}

static void test_long_loop(void **state)
{
	uint8_t buf[48] = { 0 };
	struct vfki_cap cap;

	(void)state;
	put_header(buf, 32, 1, 40);
	put_header(buf, 40, 2, 32);
	assert_int_equal(vfki_caps_check(buf, sizeof(buf), FIXED, 32), -EPROTO);
	assert_int_equal(vfki_caps_find(buf, sizeof(buf), FIXED, 32, 5, &cap), -EPROTO);
	assert_int_equal(vfki_caps_find(buf, sizeof(buf), FIXED, 32, 2, &cap), 1);
}

static void test_longest_chain(void **state)
{
	uint8_t buf[FIXED + 8 * (VFKI_CAPS_MAX + 1)] = { 0 };
	size_t used = FIXED, link = LINK;

	(void)state;
	for (int i = 0; i < VFKI_CAPS_MAX; i++)
		assert_non_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 8));
	assert_int_equal(vfki_caps_check(buf, used, FIXED, FIXED), 0);
	assert_non_null(vfki_caps_add(buf, sizeof(buf), &used, &link, 1, 1, 8));
	assert_int_equal(vfki_caps_check(buf, used, FIXED, FIXED), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_and_walk), cmocka_unit_test(test_build_without_room),
		cmocka_unit_test(test_backward_chain), cmocka_unit_test(test_broken),
		cmocka_unit_test(test_long_loop),      cmocka_unit_test(test_longest_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
