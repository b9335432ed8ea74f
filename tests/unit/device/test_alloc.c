/* SPDX-License-Identifier: BSD-3-Clause */
/* test_alloc.c - memory for every backend: sealed, zeroed, below masks, tried elsewhere when refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/io/puppet.h"

static struct puppet p;
static struct vfk_device *dev;
static struct vfk_dma_space *space;
static struct vfk_dma_buffer b;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	dev = puppet_open(&p);
	b = (struct vfk_dma_buffer){ .size = sizeof(b) };
	return vfk_dma_space_create(&space) || vfk_device_attach_dma(dev, space);
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	return vfk_dma_space_destroy(space);
}

static void test_memory(void **state)
{
	int seals, fd;
	uint8_t byte = 5;

	(void)state;
	assert_int_equal(vfk_dma_alloc(space, 5000, VFK_DMA_READ | VFK_DMA_WRITE, &b), 0);
	assert_int_equal(b.length, 8192);
	for (size_t i = 0; i < b.length; i++)
		assert_int_equal(((uint8_t *)b.vaddr)[i], 0);
	seals = fcntl(b.fd, F_GET_SEALS);
	assert_int_equal(seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(b.fd, 4096), -1);
	assert_int_equal(ftruncate(b.fd, 16384), -1);
	assert_true(fcntl(b.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(b.fd, &byte, 1, 7000), 1);
	assert_int_equal(((uint8_t *)b.vaddr)[7000], 5);
	assert_true(puppet_has_map(&p, b.iova, b.length));
	assert_int_equal(b.dev.addr, b.iova);
	assert_true(b.dev.contiguous >= b.length);
	fd = b.fd;
	assert_int_equal(vfk_dma_free(space, &b), 0);
	assert_int_equal(b.fd, -1);
	assert_null(b.vaddr);
	assert_int_equal(p.num_maps, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(vfk_dma_alloc(space, 0, 3, &b), -EINVAL);
	assert_int_equal(vfk_dma_alloc(space, UINT64_MAX, 3, &b), -EINVAL);
	assert_int_equal(vfk_dma_alloc(space, 4096, 0, &b), -EINVAL);
	assert_int_equal(vfk_dma_alloc(space, 4096, 8, &b), -EINVAL);
	assert_int_equal(vfk_dma_alloc(space, 1ull << 62, 3, &b), -ENOMEM);
	assert_null(b.vaddr);
	b.size--;
	assert_int_equal(vfk_dma_alloc(space, 4096, 3, &b), -EINVAL);
	assert_int_equal(p.num_maps, 0);
}

static void test_mask(void **state)
{
	struct vfk_dma_buffer fill = { .size = sizeof(fill) };
	struct puppet q;
	struct vfk_device *other;

	(void)state;
	assert_int_equal(vfk_device_set_dma_mask(dev, 11), -ERANGE);
	assert_int_equal(vfk_device_set_dma_mask(dev, 65), -ERANGE);
	assert_int_equal(vfk_device_set_dma_mask(dev, 64), 0);
	puppet_init(&q, "other");
	other = puppet_open(&q);
	assert_int_equal(vfk_device_attach_dma(other, space), 0);
	assert_int_equal(vfk_device_set_dma_mask(other, 16), 0);
	assert_int_equal(vfk_dma_alloc(space, 0xe000, 3, &fill), 0);
	assert_true(fill.iova + fill.length <= 0x10000);
	assert_int_equal(vfk_dma_alloc(space, 0x2000, 3, &b), -ENOSPC);
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), 0);
	assert_true(b.iova + b.length <= 0x10000);
	vfk_device_close(other);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	assert_int_equal(vfk_dma_alloc(space, 0x2000, 3, &b), 0);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	assert_int_equal(vfk_dma_free(space, &fill), 0);
}

static void test_tries_elsewhere(void **state)
{
	(void)state;
	p.refuse_below = 0x1234567;
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), 0);
	assert_true(b.iova >= 0x1234567);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	p.refuse_below = 0xf0000000ull;
	assert_int_equal(vfk_device_set_dma_mask(dev, 32), 0);
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), 0);
	assert_true(b.iova >= 0xf0000000);
	assert_true(b.iova <= 0xffffffff);
	assert_int_equal(vfk_dma_free(space, &b), 0);
}

static void test_tries_are_bounded(void **state)
{
	(void)state;
	puppet_force(&p, OP_MAP, -ERANGE);
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), -ENOSPC);
	assert_true(p.calls[OP_MAP] > 8);
	assert_true(p.calls[OP_MAP] <= 64);
	puppet_force(&p, OP_MAP, -ENOTCONN);
	p.calls[OP_MAP] = 0;
	p.after[OP_MAP] = 0;
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), -ENOTCONN);
	assert_int_equal(p.calls[OP_MAP], 1);
}

static void test_busy(void **state)
{
	void *vaddr;

	(void)state;
	assert_int_equal(vfk_dma_set_timeout(space, 0), 0);
	assert_int_equal(vfk_dma_alloc(space, 0x1000, 3, &b), 0);
	vaddr = b.vaddr;
	puppet_force(&p, OP_UNMAP, -EBUSY);
	assert_int_equal(vfk_dma_free(space, &b), -EBUSY);
	assert_ptr_equal(b.vaddr, vaddr);
	memset(vaddr, 1, b.length);
	puppet_release(&p, OP_UNMAP);
	assert_int_equal(vfk_dma_free(space, &b), 0);
}

static void test_larger_pages(void **state)
{
	struct puppet q;
	struct vfk_device *other;

	(void)state;
	puppet_init(&q, "other");
	q.limits.pgsizes = 0x10000 | 0x200000;
	other = puppet_open(&q);
	assert_int_equal(vfk_device_attach_dma(other, space), 0);
	assert_int_equal(vfk_dma_alloc(space, 100, 3, &b), 0);
	assert_int_equal(b.length, 0x10000);
	assert_int_equal(b.iova % 0x10000, 0);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	vfk_device_close(other);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_memory),	    TEST(test_refused),		  TEST(test_mask),
		TEST(test_tries_elsewhere), TEST(test_tries_are_bounded), TEST(test_busy),
		TEST(test_larger_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
