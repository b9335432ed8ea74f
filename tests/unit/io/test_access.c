/* SPDX-License-Identifier: BSD-3-Clause */
/* test_access.c - checked accesses to regions: what is refused, and what an io must not answer. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/error.h"
#include "lib/io/checked.h"
#include "puppet.h"

static struct puppet p;
static struct vfki_checked c;
static uint8_t buf[PUPPET_SIZE + 16];

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	return vfki_checked_init(&c, &p.io);
}

/* As for an io of the library's own, where accesses to known regions go the short way. */
static int setup_usual(void **state)
{
	int ret = setup(state);

	c.foreign = false;
	c.usual_regions = c.num_regions;
	return ret;
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	return 0;
}

#define assert_read(want, region, off, len) \
	assert_refused(&p, vfki_checked_region_read(&c, region, off, buf, len), want)
#define assert_write(want, region, off, len) \
	assert_refused(&p, vfki_checked_region_write(&c, region, off, buf, len, 0), want)

/* Once before the region's limits are known, once after. */
static void test_range(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_read(-EINVAL, 0, PUPPET_SIZE, 1);
		assert_read(-EINVAL, 0, PUPPET_SIZE, 0);
		assert_read(-EINVAL, 0, UINT64_MAX, 4);
		assert_read(-EINVAL, 0, 4, SIZE_MAX);
		assert_write(-EINVAL, 0, PUPPET_SIZE, 1);
		assert_write(-EINVAL, 0, 2, UINT64_MAX);
		assert_read(-EINVAL, 2, 0, 1);
		assert_read(-EINVAL, PUPPET_REGIONS, 0, 4);
		assert_read(-EINVAL, UINT32_MAX, 0, 4);
		assert_write(-EINVAL, PUPPET_REGIONS, 0, 4);
	}
	assert_int_equal(p.calls[OP_READ] + p.calls[OP_WRITE], 0);
}

static void test_permission(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_write(-EACCES, 1, 0, 4);
		assert_read(-EACCES, 3, 0, 4);
	}
	assert_int_equal(p.calls[OP_READ] + p.calls[OP_WRITE], 0);
	assert_int_equal(vfki_checked_region_read(&c, 1, 0, buf, 4), 4);
	assert_int_equal(vfki_checked_region_write(&c, 3, 0, buf, 4, 0), 4);
}

static void test_cut_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(vfki_checked_region_read(&c, 0, PUPPET_SIZE - 6, buf, 100), 6);
	assert_int_equal(p.access_off, PUPPET_SIZE - 6);
	assert_int_equal(p.access_len, 6);
	assert_int_equal(vfki_checked_region_write(&c, 0, PUPPET_SIZE - 1, buf, 8, 0), 1);
	assert_int_equal(p.access_len, 1);
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, PUPPET_SIZE), PUPPET_SIZE);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 0), 0);
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 0, 0), 0);
	assert_int_equal(p.calls[OP_READ] + p.calls[OP_WRITE], 0);
}

static void test_passes_on(void **state)
{
	(void)state;
	memcpy(buf, "abcdefgh", 8);
	assert_int_equal(vfki_checked_region_write(&c, 0, 0x100, buf, 8, VFK_WRITE_POSTED), 8);
	assert_int_equal(p.access_flags, VFK_WRITE_POSTED);
	assert_int_equal(p.access_region, 0);
	memset(buf, 0, 8);
	assert_int_equal(vfki_checked_region_read(&c, 0, 0x102, buf, 4), 4);
	assert_memory_equal(buf, "cdef", 4);
	/* a short one is the device's to give */
	puppet_force(&p, OP_READ, 3);
	assert_int_equal(vfki_checked_region_read(&c, 0, 0x102, buf, 4), 3);
	assert_refused(&p, vfki_checked_region_write(&c, 0, 0, buf, 4, 2), -EINVAL);
}

static void test_asks_once(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 4), 4);
	assert_int_equal(p.calls[OP_REGION_INFO], 1);
}

static void test_broken_counts(void **state)
{
	static const long bad[] = { 0, 5, LONG_MAX, -5000, LONG_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		puppet_force(&p, OP_READ, bad[i]);
		puppet_force(&p, OP_WRITE, bad[i]);
		assert_read(-EPROTO, 0, 0, 4);
		assert_write(-EPROTO, 0, 0, 4);
	}
	/* as much as was asked for, not as there was room for */
	puppet_force(&p, OP_READ, 7);
	assert_read(-EPROTO, 0, PUPPET_SIZE - 6, 100);
}

static void test_errors_pass(void **state)
{
	(void)state;
	puppet_force(&p, OP_READ, -EIO);
	vfki_err(-1, "a text of long ago");
	assert_read(-EIO, 0, 0x10, 4);
	assert_null(strstr(vfk_error(), "long ago"));
	assert_non_null(strstr(vfk_error(), "region 0"));
	assert_non_null(strstr(vfk_error(), "0x10"));
	puppet_force(&p, OP_READ, -ENOTTY);
	assert_read(-ENOTSUP, 0, 0, 4);
	puppet_force(&p, OP_REGION_INFO, -ENODEV);
	assert_read(-ENODEV, 1, 0, 4);
}

static void test_write_multi(void **state)
{
	struct vfk_region_write w[2] = { { .offset = 8, .len = 4, .data = "abcd" },
					 { .offset = 16, .len = 2, .data = "ef" } };

	(void)state;
	assert_int_equal(vfki_checked_write_multi(&c, w, 2), 0);
	assert_int_equal(p.calls[OP_WRITE_MULTI], 1);
	assert_memory_equal(p.memory + 8, "abcd", 4);
	p.ops.write_multi = NULL;
	memset(p.memory, 0, sizeof(p.memory));
	assert_int_equal(vfki_checked_write_multi(&c, w, 2), 0);
	assert_int_equal(p.calls[OP_WRITE], 2);
	assert_memory_equal(p.memory + 16, "ef", 2);
	assert_int_equal(vfki_checked_write_multi(&c, w, 0), 0);
	puppet_force_after(&p, OP_WRITE, 1, 1);
	assert_refused(&p, vfki_checked_write_multi(&c, w, 2), -EIO);
}

static void test_write_multi_refused(void **state)
{
	struct vfk_region_write w[2] = { { .offset = 8, .len = 4 }, { .offset = 16, .len = 2 } };
	struct vfk_region_write bad[] = { { .len = 3 },
					  { .len = 0 },
					  { .len = 16 },
					  { .offset = PUPPET_SIZE, .len = 4 },
					  { .offset = PUPPET_SIZE - 2, .len = 4 },
					  { .offset = UINT64_MAX, .len = 8 },
					  { .region = PUPPET_REGIONS, .len = 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		w[1] = bad[i];
		assert_refused(&p, vfki_checked_write_multi(&c, w, 2), -EINVAL);
	}
	w[1] = (struct vfk_region_write){ .region = 1, .len = 4 };
	assert_refused(&p, vfki_checked_write_multi(&c, w, 2), -EACCES);
	assert_refused(&p, vfki_checked_write_multi(&c, w, 4097), -EINVAL);
	assert_int_equal(p.calls[OP_WRITE_MULTI] + p.calls[OP_WRITE], 0);
	puppet_force(&p, OP_WRITE_MULTI, 1);
	assert_refused(&p, vfki_checked_write_multi(&c, w, 1), -EPROTO);
}

static void test_flush(void **state)
{
	(void)state;
	assert_int_equal(vfki_checked_flush(&c), 0);
	puppet_force(&p, OP_FLUSH, -ENOTCONN);
	assert_refused(&p, vfki_checked_flush(&c), -ENOTCONN);
	p.ops.flush = NULL;
	assert_int_equal(vfki_checked_flush(&c), 0);
	/* an author who knew nothing of it: the member lies behind what he has */
	p.ops.flush = (void *)test_flush;
	p.ops.size = offsetof(struct vfk_io_ops, flush);
	assert_int_equal(vfki_checked_flush(&c), 0);
}

#define TEST(f)                                              \
	cmocka_unit_test_setup_teardown(f, setup, teardown), \
		cmocka_unit_test_setup_teardown(f, setup_usual, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_range),
		TEST(test_permission),
		TEST(test_cut_at_the_end),
		TEST(test_nothing),
		TEST(test_passes_on),
		TEST(test_asks_once),
		TEST(test_broken_counts),
		TEST(test_write_multi),
		TEST(test_write_multi_refused),
		TEST(test_flush),
		cmocka_unit_test_setup_teardown(test_errors_pass, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
