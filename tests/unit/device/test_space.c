/* SPDX-License-Identifier: BSD-3-Clause */
/* test_space.c - dma spaces: in all sinks or in none, and the table is what they have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/mman.h>

#include "lib/device/dma.h"
#include "tests/unit/io/puppet.h"

static struct puppet p, q;
static struct vfk_device *a, *b;
static struct vfk_dma_space *space;
static uint8_t memory[0x10000] __attribute__((aligned(4096)));

/* Two devices in a space. */
static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "first");
	puppet_init(&q, "second");
	a = puppet_open(&p);
	b = puppet_open(&q);
	if (vfk_dma_space_create(&space) || vfk_dma_set_timeout(space, 0))
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

static int map(uint64_t iova, uint64_t length)
{
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = iova,
				     .length = length,
				     .prot = VFK_DMA_READ | VFK_DMA_WRITE,
				     .fd = -1,
				     .vaddr = memory };

	return vfk_dma_map(space, &m, NULL);
}

/* Both sinks have just this many mappings. */
static void assert_both(unsigned int n)
{
	assert_int_equal(p.num_maps, n);
	assert_int_equal(q.num_maps, n);
}

static void assert_both_have(uint64_t iova, uint64_t length)
{
	assert_true(puppet_has_map(&p, iova, length));
	assert_true(puppet_has_map(&q, iova, length));
}

static void test_map_and_unmap(void **state)
{
	struct vfk_dma_mapping m = {
		.size = sizeof(m), .length = 0x1000, .prot = 1, .fd = -1, .vaddr = memory
	};
	struct vfk_dma_addr addr;

	(void)state;
	m.iova = 0x5000;
	assert_int_equal(vfk_dma_map(space, &m, &addr), 0);
	assert_int_equal(addr.addr, 0x5000);
	assert_int_equal(addr.contiguous, 0x1000);
	assert_both_have(0x5000, 0x1000);
	assert_int_equal(map(0x5000, 0x1000), -EEXIST);
	assert_int_equal(map(0x4000, 0x2000), -EEXIST);
	assert_int_equal(vfk_dma_unmap(space, 0x5000, 0x2000), -EINVAL);
	assert_int_equal(vfk_dma_unmap(space, 0x4000, 0x1000), -ENOENT);
	assert_int_equal(vfk_dma_unmap(space, 0x5000, 0x1000), 0);
	assert_int_equal(vfk_dma_unmap(space, 0x5000, 0x1000), -ENOENT);
	assert_both(0);
	assert_int_equal(map(UINT64_MAX - 0xfff, 0x1000), 0);
	assert_both_have(UINT64_MAX - 0xfff, 0x1000);
	assert_int_equal(vfk_dma_unmap(space, UINT64_MAX - 0xfff, 0x1000), 0);
	assert_int_equal(map(UINT64_MAX - 0xfff, 0x2000), -EINVAL);
	assert_int_equal(map(0x1000, 0), -EINVAL);
	assert_int_equal(map(0x1001, 0x1000), -EINVAL);
	assert_int_equal(map(0x1000, 0x1001), -EINVAL);
}

static void test_inside_of_one(void **state)
{
	(void)state;
	assert_int_equal(map(0x4000, 0x4000), 0);
	assert_int_equal(vfk_dma_unmap(space, 0x5000, 0x1000), -EINVAL);
	assert_both(1);
}

static void test_second_refuses(void **state)
{
	(void)state;
	puppet_force(&q, OP_MAP, -ENOSPC);
	assert_int_equal(map(0x1000, 0x1000), -ENOSPC);
	assert_ptr_equal(strstr(vfk_error(), "second"), vfk_error());
	assert_both(0);
	puppet_release(&q, OP_MAP);
	assert_int_equal(map(0x1000, 0x1000), 0); /* not in the table either */
}

static void test_first_refuses(void **state)
{
	(void)state;
	puppet_force(&p, OP_MAP, -ERANGE);
	assert_int_equal(map(0x1000, 0x1000), -ERANGE);
	assert_both(0);
	assert_int_equal(q.calls[OP_MAP], 0);
}

static void test_refused_and_kept(void **state)
{
	(void)state;
	puppet_force(&q, OP_MAP, -ENOSPC);
	puppet_force(&p, OP_UNMAP, -EBUSY);
	assert_int_equal(map(0x1000, 0x1000), -EBUSY);
	assert_non_null(strstr(vfk_error(), "stays"));
	/* the first device still reaches the memory, so the table still has it */
	assert_int_equal(map(0x1000, 0x1000), -EEXIST);
	puppet_release(&p, OP_UNMAP);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	assert_both(0);
}

static void test_second_is_busy(void **state)
{
	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	puppet_force(&q, OP_UNMAP, -EBUSY);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), -EBUSY);
	assert_non_null(strstr(vfk_error(), "second"));
	assert_both_have(0x1000, 0x1000);
	assert_int_equal(p.calls[OP_UNMAP], 1);
	assert_int_equal(p.calls[OP_MAP], 2);
	puppet_release(&q, OP_UNMAP);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	assert_both(0);
}

/* A device whose peer is gone has no mappings any more; the space must get rid of them. */
static void test_gone(void **state)
{
	static const int gone[] = { -ENOTCONN, -ECONNRESET, -EPROTO, -ENODEV, -ETIMEDOUT };

	(void)state;
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		assert_int_equal(map(0x1000, 0x1000), 0);
		puppet_force(&p, OP_UNMAP, gone[i]);
		assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
		assert_int_equal(q.num_maps, 0);
		puppet_release(&p, OP_UNMAP);
		p.num_maps = 0;
	}
}

static void test_range(void **state)
{
	uint64_t n = 77;

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(map(i * 0x10000, 0x8000), 0);
	assert_int_equal(map(UINT64_MAX - 0xfff, 0x1000), 0);
	assert_int_equal(vfk_dma_unmap_range(space, 0x28000, 0x8000, &n), 0); /* nothing there */
	assert_int_equal(n, 0);
	assert_int_equal(vfk_dma_unmap_range(space, 0x20000, 0x18000, &n), 0); /* two */
	assert_int_equal(n, 0x10000);
	assert_both(4);
	assert_int_equal(vfk_dma_unmap_range(space, 0x20000, 0x18000, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(vfk_dma_unmap_range(space, 0x50000, 0ull - 0x50000, &n), 0); /* to 2^64 */
	assert_int_equal(n, 0x9000);
	assert_both(2);
	assert_both_have(0x10000, 0x8000);
	assert_both_have(0x40000, 0x8000);
	assert_int_equal(vfk_dma_unmap_range(space, 0x1000, 0, &n), -EINVAL);
	assert_int_equal(vfk_dma_unmap_range(space, 0x1000, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(vfk_dma_unmap_range(space, 0, UINT64_MAX, NULL), 0);
	assert_both(0);
}

static void test_straddle(void **state)
{
	uint64_t n = 77;

	(void)state;
	assert_int_equal(map(0x10000, 0x8000), 0);
	assert_int_equal(map(0x20000, 0x8000), 0);
	assert_int_equal(map(0x30000, 0x8000), 0);
	assert_int_equal(vfk_dma_unmap_range(space, 0x11000, 0x20000, &n), -EINVAL); /* both ends */
	assert_int_equal(vfk_dma_unmap_range(space, 0x11000, 0x17000, &n), -EINVAL);
	assert_int_equal(vfk_dma_unmap_range(space, 0x20000, 0x10001, &n), -EINVAL);
	assert_int_equal(vfk_dma_unmap_range(space, 0x22000, 0x1000, &n), -EINVAL); /* inside one */
	assert_int_equal(n, 0);
	assert_both(3);
}

static void test_range_is_busy(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		assert_int_equal(map(i * 0x10000, 0x8000), 0);
	puppet_force_after(&q, OP_UNMAP, 2, -EBUSY);
	assert_int_equal(vfki_dma_unmap_range_try(space, 0, 1ull << 40, 0, &n), -EBUSY);
	assert_int_equal(n, 0x10000);
	assert_both(2);
	assert_both_have(0x30000, 0x8000);
	assert_both_have(0x40000, 0x8000);
	puppet_release(&q, OP_UNMAP);
	assert_int_equal(vfki_dma_unmap_range_try(space, 0, 1ull << 40, 0, &n), 0);
	assert_int_equal(n, 0x10000);
	assert_both(0);
}

static void test_timeout(void **state)
{
	(void)state;
	assert_int_equal(vfk_dma_set_timeout(space, 3600001), -ERANGE);
	assert_int_equal(vfk_dma_set_timeout(space, 60000), 0);
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	assert_true(p.unmap_timeout > 50000 && p.unmap_timeout <= 60000);
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(vfki_dma_unmap_range_try(space, 0x1000, 0x1000, 0, NULL), 0);
	assert_int_equal(p.unmap_timeout, 0);
}

static void test_all(void **state)
{
	uint64_t n;

	(void)state;
	for (uint64_t i = 0; i < 50; i++)
		assert_int_equal(map(i * 0x10000, 0x1000), 0);
	assert_both(50);
	assert_int_equal(vfk_dma_unmap_all(space, &n), 0);
	assert_int_equal(n, 50 * 0x1000);
	assert_both(0);
	assert_int_equal(vfk_dma_unmap_all(space, NULL), 0);
}

static void test_attach_replays(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_init(&r, "third");
	dev = puppet_open(&r);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), -EBUSY);
	assert_true(puppet_has_map(&r, 0x1000, 0x1000));
	assert_true(puppet_has_map(&r, 0x8000, 0x2000));
	assert_int_equal(vfk_dma_space_destroy(space), -EBUSY);
	assert_int_equal(vfk_device_detach_dma(dev), 0);
	assert_int_equal(vfk_device_detach_dma(dev), 0);
	assert_int_equal(r.num_maps, 0);
	assert_both(2);
	vfk_device_close(dev);
}

static void test_attach_fails_halfway(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_init(&r, "third");
	dev = puppet_open(&r);
	puppet_force_after(&r, OP_MAP, 1, -ENOTSUP);
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	assert_ptr_equal(strstr(vfk_error(), "third"), vfk_error());
	assert_int_equal(r.num_maps, 0);
	assert_int_equal(map(0x20000, 0x1000), 0);
	assert_int_equal(r.num_maps, 0);
	vfk_device_close(dev);
}

/* It uses the first mapping already: the space goes on to know of it. */
static void test_attach_fails_and_is_kept(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_init(&r, "third");
	dev = puppet_open(&r);
	puppet_force_after(&r, OP_MAP, 1, -ENOTSUP);
	puppet_force(&r, OP_UNMAP, -EBUSY);
	assert_int_equal(vfk_device_attach_dma(dev, space), -EBUSY);
	assert_non_null(strstr(vfk_error(), "third: dma attach: it stays attached"));
	/* the memory stays mapped as long as the device has it */
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), -EBUSY);
	assert_both(2);
	assert_int_equal(vfk_device_attach_dma(dev, space), -EBUSY);
	assert_int_equal(vfk_device_detach_dma(dev), -EBUSY);
	puppet_release(&r, OP_UNMAP);
	puppet_release(&r, OP_MAP);
	assert_int_equal(vfk_device_detach_dma(dev), 0);
	assert_int_equal(r.num_maps, 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(r.num_maps, 2);
	vfk_device_close(dev);
}

/* Closing takes it out as well. */
static void test_close_of_what_was_kept(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_init(&r, "third");
	dev = puppet_open(&r);
	puppet_force_after(&r, OP_MAP, 1, -ENOTSUP);
	puppet_force(&r, OP_UNMAP, -EBUSY);
	assert_int_equal(vfk_device_attach_dma(dev, space), -EBUSY);
	vfk_device_close(dev);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	assert_int_equal(vfk_dma_unmap(space, 0x8000, 0x2000), 0);
	assert_both(0);
}

static void test_attach_does_not_suit(void **state)
{
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_init(&r, "third");
	r.limits.max_maps = 1;
	dev = puppet_open(&r);
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOSPC);
	r.limits.max_maps = 2;
	r.limits.num_ranges = 1;
	r.limits.ranges[0] = (struct vfk_iova_range){ 0x1000, 0x8fff };
	assert_int_equal(vfk_device_attach_dma(dev, space), -ERANGE);
	r.limits.num_ranges = 0;
	r.limits.pgsizes = 0x2000;
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	r.limits.pgsizes = 0x800;
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	puppet_force(&r, OP_LIMITS, -ENODEV);
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENODEV);
	r.io.dma = NULL;
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	assert_int_equal(r.calls[OP_MAP], 0);
	assert_int_equal(map(0x10000, 0x1000), 0); /* nothing of its limits stayed */
	vfk_device_close(dev);
}

static void test_detach_is_busy(void **state)
{
	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_force_after(&p, OP_UNMAP, 1, -EBUSY);
	assert_int_equal(vfk_device_detach_dma(a), -EBUSY);
	assert_both(2);
	puppet_release(&p, OP_UNMAP);
	assert_int_equal(map(0x20000, 0x1000), 0);
	assert_both(3);
	assert_int_equal(vfk_device_detach_dma(a), 0);
	assert_int_equal(p.num_maps, 0);
	assert_int_equal(q.num_maps, 3);
}

/* It let go of the first, sticks to the second, and does not want the first back. */
static void test_detach_is_busy_and_spoilt(void **state)
{
	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0x8000, 0x2000), 0);
	puppet_force_after(&p, OP_UNMAP, 1, -EBUSY);
	puppet_force(&p, OP_MAP, -ENOMEM);
	assert_int_equal(vfk_device_detach_dma(a), -EBUSY);
	assert_non_null(strstr(vfk_error(), "; and 0x1000-0x1fff is not restored in first: "));
	puppet_release(&p, OP_UNMAP);
	puppet_release(&p, OP_MAP);
	assert_int_equal(vfk_device_detach_dma(a), 0);
	assert_int_equal(p.num_maps, 0);
	assert_int_equal(q.num_maps, 2);
}

static void test_unmap_is_busy_and_spoilt(void **state)
{
	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	puppet_force(&q, OP_UNMAP, -EBUSY);
	puppet_force(&p, OP_MAP, -ENOMEM);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), -EBUSY);
	assert_non_null(strstr(vfk_error(), "; and 0x1000-0x1fff is not restored in first: "));
	puppet_release(&q, OP_UNMAP);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	assert_both(0);
}

/* Closing a device that does not let go: its close takes what it has. */
static void test_close_while_busy(void **state)
{
	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	puppet_force(&p, OP_UNMAP, -EBUSY);
	vfk_device_close(a);
	assert_int_equal(p.calls[OP_CLOSE], 1);
	assert_int_equal(vfk_dma_unmap(space, 0x1000, 0x1000), 0);
	puppet_init(&p, "first");
	a = puppet_open(&p);
}

static void test_limits(void **state)
{
	struct vfk_dma_limits l = { .size = sizeof(l) };
	struct puppet r;
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(vfk_dma_get_limits(space, &l), 0);
	assert_int_equal(l.num_ranges, 0);
	assert_int_equal(l.max_maps, 64);
	vfk_device_detach_dma(a);
	vfk_device_detach_dma(b);
	p.limits.num_ranges = 2;
	p.limits.ranges[0] = (struct vfk_iova_range){ 0, 0xfedfffff };
	p.limits.ranges[1] = (struct vfk_iova_range){ 0xfef00000, UINT64_MAX };
	q.limits.num_ranges = 2;
	q.limits.ranges[0] = (struct vfk_iova_range){ 0x1000, 0x1fff };
	q.limits.ranges[1] = (struct vfk_iova_range){ 0xfe000000, 0xffffffff };
	q.limits.max_maps = 3;
	q.limits.pgsizes = 0x1000 | 0x200000;
	assert_int_equal(vfk_device_attach_dma(a, space), 0);
	assert_int_equal(vfk_device_attach_dma(b, space), 0);
	assert_int_equal(vfk_dma_get_limits(space, &l), 0);
	assert_int_equal(l.num_ranges, 3);
	assert_true(l.ranges[0].first == 0x1000 && l.ranges[0].last == 0x1fff);
	assert_true(l.ranges[1].first == 0xfe000000 && l.ranges[1].last == 0xfedfffff);
	assert_true(l.ranges[2].first == 0xfef00000 && l.ranges[2].last == 0xffffffff);
	assert_int_equal(l.max_maps, 3);
	assert_int_equal(l.pgsizes, 0x1000 | 0x200000);
	assert_int_equal(map(0x2000, 0x1000), -ERANGE);
	assert_int_equal(map(0xfedff000, 0x2000), -ERANGE);
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(map(0xfe000000, 0x1000), 0);
	assert_int_equal(map(0xfef00000, 0x1000), 0);
	assert_int_equal(map(0xfef01000, 0x1000), -ENOSPC);
	/* nothing in common */
	puppet_init(&r, "third");
	r.limits.num_ranges = 1;
	r.limits.ranges[0] = (struct vfk_iova_range){ 0x100000, 0x1fffff };
	dev = puppet_open(&r);
	assert_int_equal(vfk_device_attach_dma(dev, space), -ERANGE);
	vfk_device_close(dev);
	vfk_device_detach_dma(b);
	assert_int_equal(vfk_dma_get_limits(space, &l), 0);
	assert_int_equal(l.num_ranges, 2);
	l.size--;
	assert_int_equal(vfk_dma_get_limits(space, &l), -EINVAL);
}

static void test_addresses_differ(void **state)
{
	(void)state;
	q.addr = (struct vfk_dma_addr){ 0xabc000, 0x1000 };
	assert_int_equal(map(0x1000, 0x1000), -ENOTSUP);
	assert_both(0);
}

static void test_access(void **state)
{
	uint8_t buf[16] = "hello";

	(void)state;
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_int_equal(vfk_dma_access(space, 0x1010, buf, 5, VFK_DMA_WRITE), 0);
	assert_memory_equal(memory + 0x10, "hello", 5);
	memory[0x10] = 'j';
	assert_int_equal(vfk_dma_access(space, 0x1010, buf, 5, VFK_DMA_READ), 0);
	assert_memory_equal(buf, "jello", 5);
	assert_int_equal(vfk_dma_access(space, 0x1ffe, buf, 5, VFK_DMA_READ), -EFAULT);
	assert_int_equal(vfk_dma_access(space, 0x1010, buf, 5, 3), -EINVAL);
	assert_int_equal(vfk_dma_access(space, 0x1010, buf, 5, 0), -EINVAL);
	assert_int_equal(vfk_dma_access(space, 0x1010, buf, 0, VFK_DMA_READ), 0);
}

static void test_files(void **state)
{
	int fd = memfd_create("dma", MFD_CLOEXEC);
	struct vfk_dma_mapping m = {
		.size = sizeof(m), .iova = 0x1000, .length = 0x1000, .prot = 1, .fd = fd
	};

	(void)state;
	assert_int_equal(ftruncate(fd, 0x2000), 0);
	m.fd_offset = 0x1800;
	assert_int_equal(vfk_dma_map(space, &m, NULL), -EINVAL); /* too short */
	m.fd_offset = 0x800;
	assert_int_equal(vfk_dma_map(space, &m, NULL), -EINVAL); /* not at a page */
	m.fd_offset = 0x1000;
	assert_int_equal(vfk_dma_map(space, &m, NULL), 0);
	assert_both(1);
	close(fd);
}

/* Returns the number of failures, since an assert works in the test's own thread only. */
static void *worker(void *arg)
{
	uint64_t base = (uint64_t)(uintptr_t)arg;
	uintptr_t failed = 0;

	for (int i = 0; i < 200; i++) {
		failed += map(base, 0x1000) != 0;
		failed += vfk_dma_unmap(space, base, 0x1000) != 0;
	}
	return (void *)failed;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	void *failed;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)((i + 1) * 0x10000)),
				 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &failed);
		assert_null(failed);
	}
	assert_both(0);
}

static void test_empty_space(void **state)
{
	struct vfk_dma_limits l = { .size = sizeof(l) };

	(void)state;
	assert_int_equal(vfk_dma_space_destroy(NULL), 0);
	vfk_device_detach_dma(a);
	vfk_device_detach_dma(b);
	assert_int_equal(vfk_dma_get_limits(space, &l), 0);
	assert_int_equal(l.num_ranges, 0);
	assert_int_equal(map(0x1000, 0x1000), 0);
	assert_both(0);
	assert_int_equal(vfk_device_attach_dma(a, space), 0);
	assert_true(puppet_has_map(&p, 0x1000, 0x1000));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map_and_unmap),
		TEST(test_inside_of_one),
		TEST(test_second_refuses),
		TEST(test_first_refuses),
		TEST(test_refused_and_kept),
		TEST(test_second_is_busy),
		TEST(test_gone),
		TEST(test_range),
		TEST(test_straddle),
		TEST(test_range_is_busy),
		TEST(test_timeout),
		TEST(test_all),
		TEST(test_attach_replays),
		TEST(test_attach_fails_halfway),
		TEST(test_attach_does_not_suit),
		TEST(test_attach_fails_and_is_kept),
		TEST(test_close_of_what_was_kept),
		TEST(test_detach_is_busy_and_spoilt),
		TEST(test_unmap_is_busy_and_spoilt),
		TEST(test_detach_is_busy),
		TEST(test_close_while_busy),
		TEST(test_limits),
		TEST(test_addresses_differ),
		TEST(test_access),
		TEST(test_files),
		TEST(test_threads),
		TEST(test_empty_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
