/* SPDX-License-Identifier: BSD-3-Clause */
/* test_physical.c - devices without an IOMMU: no IOVA is chosen, addresses are told, in pieces, below the masks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "tests/unit/io/puppet.h"

#define PAGE 4096ull
#define LOW  (1ull << 52)

static struct puppet p;
static struct vfk_device *dev;
static struct vfk_dma_space *space;
static char memory[4 * 4096] __attribute__((aligned(4096)));

static uint64_t
	where[4]; /* the physical address that the n-th map is at; the last serves for all after it */
static unsigned int asked;
static uint64_t piece; /* what is contiguous; the next piece is at twice the distance */

static uint64_t physical_of(uint64_t at, uint64_t off)
{
	return at + off / piece * 2 * piece + off % piece;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	assert_ptr_equal(io, &p.io);
	assert_true(m->iova >= LOW);
	assert_true(p.num_maps < 64);
	p.maps[p.num_maps++] = (struct puppet_map){ m->iova, m->length };
	addr->addr = where[asked < 3 ? asked : 3];
	addr->contiguous = least(piece, m->length);
	asked++;
	return 0;
}

static int address(struct vfk_io *io, uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	uint64_t off = iova - p.maps[0].iova;

	(void)io;
	addr->addr = physical_of(where[asked <= 4 ? asked - 1 : 3], off);
	addr->contiguous = least(piece - off % piece, length);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	p.limits.flags = VFK_DMA_PHYSICAL;
	p.limits.num_ranges = 1;
	p.limits.ranges[0] = (struct vfk_iova_range){ LOW, 2 * LOW };
	p.dma_ops.map = map;
	p.dma_ops.address = address;
	asked = 0;
	piece = PAGE;
	for (int i = 0; i < 4; i++)
		where[i] = 0xabc000;
	dev = puppet_open(&p);
	return vfk_dma_space_create(&space);
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	return vfk_dma_space_destroy(space);
}

static struct vfk_dma_mapping mapping(uint64_t iova)
{
	return (struct vfk_dma_mapping){
		.size = sizeof(struct vfk_dma_mapping),
		.iova = iova,
		.length = sizeof(memory),
		.prot = VFK_DMA_READ,
		.fd = -1,
		.vaddr = memory,
	};
}

static void test_nothing_is_chosen(void **state)
{
	struct vfk_dma_mapping m = mapping(0x100000);
	struct vfk_dma_addr addr = { 1, 1 };
	uint64_t iova = 1;

	(void)state;
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_dma_map(space, &m, &addr), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "without an IOMMU"));
	m.iova = LOW;
	assert_int_equal(vfk_dma_map(space, &m, &addr), -ENOTSUP);
	assert_int_equal(addr.addr, 1);
	assert_int_equal(p.num_maps, 0);
	m.iova = 1; /* not looked at */
	assert_int_equal(vfk_dma_map_any(space, &m, &iova, &addr), 0);
	assert_int_equal(iova, LOW);
	assert_int_equal(addr.addr, 0xabc000);
	assert_int_equal(addr.contiguous, PAGE);
	assert_int_equal(vfk_dma_address(space, iova + PAGE + 8, 2 * PAGE, &addr), 0);
	assert_int_equal(addr.addr, 0xabc000 + 2 * PAGE + 8);
	assert_int_equal(addr.contiguous, PAGE - 8);
	assert_int_equal(vfk_dma_address(space, iova + PAGE, 4 * PAGE, &addr), -ENOENT);
	assert_int_equal(vfk_dma_address(space, iova - 1, 1, &addr), -ENOENT);
	assert_int_equal(vfk_dma_address(space, iova, 0, &addr), -EINVAL);
	assert_int_equal(vfk_dma_unmap(space, iova, sizeof(memory)), 0);
	m.size--;
	assert_int_equal(vfk_dma_map_any(space, &m, &iova, &addr), -EINVAL);
}

/* Where nobody minds, an address is chosen and is the IOVA. */
static void test_any_with_an_iommu(void **state)
{
	struct vfk_dma_mapping m = mapping(0);
	struct vfk_dma_addr addr;
	uint64_t iova, second;

	(void)state;
	assert_int_equal(vfk_dma_map_any(space, &m, &iova, &addr), 0);
	assert_true(iova > 0);
	assert_int_equal(addr.addr, iova);
	assert_int_equal(vfk_dma_map_any(space, &m, &second, &addr), 0);
	assert_true(second >= iova + sizeof(memory));
	assert_int_equal(vfk_dma_address(space, second + 5, 6, &addr), 0);
	assert_int_equal(addr.addr, second + 5);
	assert_int_equal(addr.contiguous, 6);
	assert_int_equal(vfk_dma_unmap(space, iova, sizeof(memory)), 0);
	/* nobody was told where the second is, physically */
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "before mapping"));
	assert_int_equal(vfk_dma_unmap(space, second, sizeof(memory)), 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
}

static void test_no_mixing(void **state)
{
	struct vfk_device *other;
	struct puppet q;

	(void)state;
	puppet_init(&q, "other");
	other = puppet_open(&q);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_device_attach_dma(other, space), -ENOTSUP);
	assert_int_equal(vfk_device_detach_dma(dev), 0);
	assert_int_equal(vfk_device_attach_dma(other, space), 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), -ENOTSUP);
	vfk_device_close(other);
}

static void test_masks(void **state)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	struct vfk_dma_mapping m = mapping(0);
	struct vfk_dma_addr addr;
	uint64_t iova;

	(void)state;
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_device_set_dma_mask(dev, 28), 0);
	where[0] = 1ull << 28;
	where[1] = (1ull << 28) - PAGE / 2;
	where[2] = where[3] = (1ull << 28) - PAGE;
	/* two lie too high, wholly or in part, and are given back */
	assert_int_equal(vfk_dma_alloc(space, PAGE, VFK_DMA_READ, &b), 0);
	assert_int_equal(b.dev.addr, (1ull << 28) - PAGE);
	assert_int_equal(asked, 3);
	assert_int_equal(p.num_maps, 1);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	/* the first piece would do, the second is above */
	assert_int_equal(vfk_dma_map_any(space, &m, &iova, &addr), -ERANGE);
	assert_int_equal(p.num_maps, 0);
	where[3] = 1ull << 28;
	assert_int_equal(vfk_dma_alloc(space, PAGE, VFK_DMA_READ, &b), -ENOSPC);
	assert_int_equal(p.num_maps, 0);
	asked = 0;
	assert_int_equal(vfk_dma_alloc(space, 1ull << 29, VFK_DMA_READ, &b), -ENOSPC);
	assert_int_equal(asked, 0);
	assert_null(b.vaddr);
}

/* Whether this machine has huge pages is not known; without them it must be said, and never be other pages. */
static void test_huge_pages(void **state)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	int ret;

	(void)state;
	vfk_device_close(dev);
	p.limits.flags |= VFK_DMA_HUGE_PAGES;
	dev = puppet_open(&p);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	ret = vfk_dma_alloc(space, PAGE, VFK_DMA_READ, &b);
	if (ret == -ENOMEM) {
		assert_non_null(strstr(vfk_error(), "huge pages"));
		assert_int_equal(asked, 0);
		return;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(b.length, PAGE);
	assert_int_equal((uintptr_t)b.vaddr % (2 << 20), 0);
	assert_int_equal(vfk_dma_free(space, &b), 0);
}

/* A sink that tells nonsense is not believed. */
static int nonsense(struct vfk_io *io, uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	(void)io, (void)iova;
	*addr = (struct vfk_dma_addr){ 0x1000, length + 1 };
	return 0;
}

static void test_nonsense(void **state)
{
	struct vfk_dma_mapping m = mapping(0);
	struct vfk_dma_addr addr;
	uint64_t iova;

	(void)state;
	vfk_device_close(dev);
	p.dma_ops.address = nonsense;
	dev = puppet_open(&p);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_dma_map_any(space, &m, &iova, &addr), -EPROTO);
	assert_int_equal(p.num_maps, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_chosen), TEST(test_any_with_an_iommu),
		TEST(test_no_mixing),	      TEST(test_masks),
		TEST(test_huge_pages),	      TEST(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
