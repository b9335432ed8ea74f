/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dirty.c - recording which pages devices write. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/io/puppet.h"

static struct puppet p, q;
static struct vfk_device *a, *b;
static struct vfk_dma_space *space;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "first");
	puppet_init(&q, "second");
	a = puppet_open(&p);
	b = puppet_open(&q);
	if (vfk_dma_space_create(&space))
		return -1;
	return vfk_device_attach_dma(a, space) || vfk_device_attach_dma(b, space);
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(a);
	vfk_device_close(b);
	return vfk_dma_space_destroy(space);
}

static void test_report(void **state)
{
	uint64_t bitmap[3] = { 99, 99, 99 };

	(void)state;
	assert_int_equal(vfk_dma_dirty_report(space, 0, 0x1000, bitmap, 3), -EINVAL);
	assert_int_equal(vfk_dma_dirty_stop(space), -EINVAL);
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), 0);
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), -EALREADY);
	p.dirty[0] = 1;
	q.dirty[0] = 0x8000000000000000;
	q.dirty[1] = 2;
	assert_int_equal(vfk_dma_dirty_report(space, 0, 66 * 0x1000, bitmap, 3), 0);
	assert_true(bitmap[0] == 0x8000000000000001);
	assert_true(bitmap[1] == 2);
	assert_true(bitmap[2] == 0);
	assert_int_equal(vfk_dma_dirty_report(space, 0, 66 * 0x1000, bitmap, 1), -EINVAL);
	assert_int_equal(vfk_dma_dirty_report(space, 0x800, 0x1000, bitmap, 3), -EINVAL);
	assert_int_equal(vfk_dma_dirty_report(space, 0, 0x1800, bitmap, 3), -EINVAL);
	assert_int_equal(vfk_dma_dirty_report(space, 0, 0, bitmap, 3), -EINVAL);
	assert_int_equal(vfk_dma_dirty_report(space, 0x1000, 0ull - 0x1000, bitmap, 3), -EINVAL);
	assert_int_equal(vfk_dma_dirty_stop(space), 0);
	assert_int_equal(p.calls[OP_DIRTY_STOP] + q.calls[OP_DIRTY_STOP], 2);
	assert_int_equal(vfk_dma_dirty_start(space, 0x800), -EINVAL);
	assert_int_equal(vfk_dma_dirty_start(space, 0x1800), -EINVAL);
}

/* Nothing may be missed: what is not known counts as written. */
static void test_report_fails(void **state)
{
	uint64_t bitmap[2] = { 0 };

	(void)state;
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), 0);
	puppet_force(&q, OP_DIRTY_REPORT, -ENOTCONN);
	assert_int_equal(vfk_dma_dirty_report(space, 0, 66 * 0x1000, bitmap, 2), -ENOTCONN);
	assert_true(bitmap[0] == UINT64_MAX);
	assert_true(bitmap[1] == UINT64_MAX);
}

/* All are told, and it has ended; the first failure is what the caller hears. */
static void test_stop_fails(void **state)
{
	(void)state;
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), 0);
	puppet_force(&p, OP_DIRTY_STOP, -EXDEV);
	puppet_force(&q, OP_DIRTY_STOP, -ENOTCONN);
	assert_refused(&p, vfk_dma_dirty_stop(space), -EXDEV);
	assert_int_equal(q.calls[OP_DIRTY_STOP], 1);
	assert_int_equal(vfk_dma_dirty_stop(space), -EINVAL);
}

static void test_one_cannot(void **state)
{
	(void)state;
	q.dma_ops.dirty_start = NULL;
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), -ENOTSUP);
	assert_int_equal(p.calls[OP_DIRTY_START], 1);
	assert_int_equal(p.calls[OP_DIRTY_STOP], 1);
	assert_int_equal(vfk_dma_dirty_stop(space), -EINVAL);
}

static void test_attach_meanwhile(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(vfk_dma_dirty_start(space, 0x1000), 0);
	puppet_init(&r, "third");
	dev = puppet_open(&r);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(r.calls[OP_DIRTY_START], 1);
	assert_int_equal(vfk_device_detach_dma(dev), 0);
	assert_int_equal(r.calls[OP_DIRTY_STOP], 1);
	r.dma_ops.dirty_start = NULL;
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	vfk_device_close(dev);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_report),     TEST(test_report_fails),	    TEST(test_stop_fails),
		TEST(test_one_cannot), TEST(test_attach_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
