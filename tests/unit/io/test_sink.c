/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sink.c - the checked sink vector. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io/checked.h"
#include "puppet.h"

static struct puppet p;
static struct vfki_checked c;
static struct vfk_dma_mapping m;
static struct vfk_dma_addr addr;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	m = (struct vfk_dma_mapping){
		.size = sizeof(m), .iova = 0x1000, .length = 0x1000, .prot = 3, .fd = -1
	};
	addr = (struct vfk_dma_addr){ 77, 77 };
	return vfki_checked_init(&c, &p.io);
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	return 0;
}

static void test_map(void **state)
{
	(void)state;
	assert_int_equal(vfki_checked_dma_map(&c, &m, &addr), 0);
	assert_int_equal(addr.addr, 0x1000);
	assert_int_equal(vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 5), 0);
	assert_int_equal(p.unmap_timeout, 5);
	assert_refused(&p, vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 5), -ENOENT);
	assert_refused(&p, vfki_checked_dma_unmap(&c, 0x1000, 0, 5), -EINVAL);
	m.length = 0;
	assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -EINVAL);
	m.length = UINT64_MAX;
	assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -EINVAL);
}

static void test_map_promises(void **state)
{
	static const struct vfk_dma_addr bad[] = { { UINT64_MAX, 2 }, { 2, UINT64_MAX } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		p.addr = bad[i];
		assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -EPROTO);
		assert_int_equal(p.num_maps, 0);
	}
	puppet_force(&p, OP_MAP, 0); /* success, and no address */
	assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -EPROTO);
	puppet_force(&p, OP_MAP, 1);
	assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -EPROTO);
	assert_int_equal(addr.addr, 77);
	puppet_force(&p, OP_UNMAP, 1);
	assert_refused(&p, vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 0), -EPROTO);
}

static void test_limits(void **state)
{
	struct vfk_dma_limits limits;

	(void)state;
	assert_int_equal(vfki_checked_dma_limits(&c, &limits), 0);
	assert_int_equal(limits.max_maps, 64);
	p.limits.num_ranges = 2;
	p.limits.ranges[0] = (struct vfk_iova_range){ 0, 9 };
	p.limits.ranges[1] = (struct vfk_iova_range){ 9, 20 };
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -EPROTO);
	p.limits.ranges[1].first = 10;
	assert_int_equal(vfki_checked_dma_limits(&c, &limits), 0);
	p.limits.ranges[1].last = 8;
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -EPROTO);
	p.limits.num_ranges = 65;
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -EPROTO);
	p.limits.num_ranges = 0;
	p.limits.pgsizes = 0;
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -EPROTO);
	p.limits.pgsizes = 4096;
	p.limits.max_maps = 0;
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -EPROTO);
}

static void test_dirty(void **state)
{
	uint64_t bitmap = 1;

	(void)state;
	assert_int_equal(vfki_checked_dirty_start(&c, 4096), 0);
	p.dirty[0] = 6;
	assert_int_equal(vfki_checked_dirty_report(&c, 0, 0x10000, 4096, &bitmap), 0);
	assert_int_equal(bitmap, 7);
	assert_int_equal(vfki_checked_dirty_stop(&c), 0);
	assert_refused(&p, vfki_checked_dirty_start(&c, 4097), -EINVAL);
	assert_refused(&p, vfki_checked_dirty_report(&c, 1, 0, 4096, &bitmap), -EINVAL);
	p.dma_ops.size = offsetof(struct vfk_dma_ops, dirty_start);
	assert_refused(&p, vfki_checked_dirty_start(&c, 4096), -ENOTSUP);
	assert_refused(&p, vfki_checked_dirty_stop(&c), -ENOTSUP);
	assert_refused(&p, vfki_checked_dirty_report(&c, 0, 0x10000, 4096, &bitmap), -ENOTSUP);
}

static void test_none(void **state)
{
	struct vfk_dma_limits limits;

	(void)state;
	p.io.dma = NULL;
	assert_refused(&p, vfki_checked_dma_map(&c, &m, &addr), -ENOTSUP);
	assert_refused(&p, vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 0), -ENOTSUP);
	assert_refused(&p, vfki_checked_dma_limits(&c, &limits), -ENOTSUP);
	assert_refused(&p, vfki_checked_dirty_start(&c, 4096), -ENOTSUP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map),	  TEST(test_map_promises), TEST(test_limits),
		TEST(test_dirty), TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
