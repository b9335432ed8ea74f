/* SPDX-License-Identifier: BSD-3-Clause */
/* test_bar.c - what BARs are, and what a device can say of them that is not so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "puppet_pci.h"

static struct puppet_pci p;
static struct vfk_pci *pci;

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (pci)
		pp_close(pci);
	pci = NULL;
	pp_fini(&p);
	return 0;
}

static void bar(unsigned int i, uint32_t reg, uint64_t size)
{
	pp_set32(&p, PCI_BASE_ADDRESS_0 + 4 * i, reg);
	p.regions[i].size = size;
	p.regions[i].flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
}

static void reopen(void)
{
	if (pci)
		pp_close(pci);
	pci = pp_open(&p);
}

/* @oddity NULL: there is none. */
static void is(unsigned int i, uint32_t flags, uint64_t size, bool upper, const char *oddity)
{
	struct vfk_pci_bar_info info;

	assert_int_equal(vfk_pci_bar_get_info(pci, i, &info), 0);
	assert_int_equal(info.flags, flags);
	assert_int_equal(info.size, size);
	assert_int_equal(info.upper, upper);
	if (!oddity)
		assert_null(info.oddity);
	else
		assert_non_null(strstr(info.oddity ? info.oddity : "no oddity", oddity));
}

static void test_kinds(void **state)
{
	struct vfk_pci_bar_info info = { .size = 7 };

	(void)state;
	bar(0, 0xfe000000, 0x1000);
	bar(1, 0x0000e001, 32);
	bar(2, 0xf000000c, 1ull << 40);
	bar(4, 0xfd000008, 16);
	bar(5, 0, 0);
	reopen();
	is(0, 0, 0x1000, false, NULL);
	is(1, VFK_BAR_IO, 32, false, NULL);
	is(2, VFK_BAR_64 | VFK_BAR_PREFETCH, 1ull << 40, false, NULL);
	is(3, 0, 0, true, NULL);
	is(4, VFK_BAR_PREFETCH, 16, false, NULL);
	is(5, 0, 0, false, NULL);
	assert_int_equal(vfk_pci_bar_get_info(pci, 6, &info), -EINVAL);
	assert_int_equal(vfk_pci_bar_get_info(pci, UINT32_MAX, &info), -EINVAL);
	assert_int_equal(info.size, 7);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

/* A virtual function's registers read as zeroes where nobody made them up. */
static void test_register_of_zeroes(void **state)
{
	(void)state;
	bar(0, 0, 0x4000);
	bar(2, 0xc, 0); /* nothing is there, so it has no upper half either */
	bar(3, 0, 0x1000);
	reopen();
	is(0, 0, 0x4000, false, NULL);
	is(2, 0, 0, false, NULL);
	is(3, 0, 0x1000, false, NULL);
}

static void test_contradictions(void **state)
{
	(void)state;
	bar(0, 0x4, 0x1000); /* 64 bits, and the upper half has a size */
	bar(1, 0x4, 0x2000);
	bar(2, 0x6, 0x1000); /* reserved type */
	bar(3, 0x0, 0x3000);
	bar(4, 0x1, 2);
	bar(5, 0x4, 0x1000); /* 64 bits in the last place */
	reopen();
	is(0, VFK_BAR_64, 0x1000, false, "upper half has a size of its own, 0x2000");
	is(1, 0, 0, true, NULL);
	is(2, 0, 0x1000, false, "reserved");
	is(3, 0, 0x3000, false, "0x3000 is no power of two");
	is(4, VFK_BAR_IO, 2, false, "too small");
	is(5, 0, 0x1000, false, "no place for the upper half");
	bar(5, 0, 1ull << 32);
	bar(4, 0, 8);
	bar(3, 0, 1u << 31);
	bar(2, 0, INT64_MAX);
	reopen();
	is(5, 0, 1ull << 32, false, "beyond a register of 32 bits");
	is(4, 0, 8, false, "too small");
	is(3, 0, 1u << 31, false, NULL);
	is(2, 0, INT64_MAX, false, "no power of two");
}

static void test_headers(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		bar(i, 0, 0x1000);
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	pp_set32(&p, PCI_BASE_ADDRESS_1, 4);
	reopen();
	is(0, 0, 0x1000, false, NULL);
	is(1, 0, 0x1000, false, "no place");
	is(2, 0, 0, false, NULL);
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_CARDBUS;
	reopen();
	is(0, 0, 0x1000, false, NULL);
	is(1, 0, 0, false, NULL);
}

static int (*region_info)(struct vfk_io *io, struct vfio_region_info *info,
			  struct vfk_region_fds *fds);
static int bar2_result;

static int refuse_bar2(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	return info->index == 2 ? bar2_result : region_info(io, info, fds);
}

/* What the device does not tell is that BAR's affair; a device that is gone is everybody's. */
static void test_info_refused(void **state)
{
	struct vfk_pci_bar_info info;
	struct vfk_pci *none = NULL;
	struct vfk_device *dev;
	uint32_t v;

	(void)state;
	bar(1, 0, 0x1000);
	bar(2, 0, 0x1000);
	region_info = p.ops.get_region_info;
	p.ops.get_region_info = refuse_bar2;
	bar2_result = -EIO;
	reopen();
	is(1, 0, 0x1000, false, NULL);
	assert_int_equal(vfk_pci_bar_get_info(pci, 2, &info), -EIO);
	assert_int_equal(vfk_pci_read32(pci, 2, 0, &v), -EIO);
	assert_int_equal(vfk_pci_bar_map(pci, 2), -EIO);
	assert_int_equal(vfk_pci_read32(pci, 1, 0, &v), 0);
	p.ops.get_region_info = region_info;
	p.regions[2].size = UINT64_MAX; /* no file offset reaches it */
	reopen();
	assert_int_equal(vfk_pci_bar_get_info(pci, 2, &info), -EPROTO);
	p.ops.get_region_info = refuse_bar2;
	bar2_result = -ENOTCONN;
	dev = pp_open_device(&p);
	assert_int_equal(vfk_pci_open(dev, &none), -ENOTCONN);
	vfk_device_close(dev);
}

static void test_config_read_fails(void **state)
{
	struct vfk_device *dev;
	size_t reads;

	(void)state;
	bar(0, 0, 0x1000);
	bar(5, 0, 0x1000);
	pp_set16(&p, pp_cap(&p, 0x40, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 3);
	reopen();
	reads = pp_count(&p, PP_READ);
	assert_true(reads > 5);
	for (unsigned int i = 0; i < reads; i++) {
		struct vfk_pci *none = NULL;

		dev = pp_open_device(&p);
		pp_fail(&p, PP_READ, i, 1, -EIO);
		assert_int_equal(vfk_pci_open(dev, &none), -EIO);
		assert_null(none);
		vfk_device_close(dev);
	}
}

static void test_vector_access(void **state)
{
	uint8_t memory[16] = { 1, 2, 3, 4, 5, 6, 7, 8 }, v8 = 0;
	uint16_t v16 = 0;
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	(void)state;
	bar(0, 1, sizeof(memory));
	p.regions[0].memory = memory;
	reopen();
	assert_int_equal(vfk_pci_read8(pci, 0, 1, &v8), 0);
	assert_int_equal(v8, 2);
	assert_int_equal(vfk_pci_read16(pci, 0, 2, &v16), 0);
	assert_int_equal(v16, 0x0403);
	assert_int_equal(vfk_pci_read32(pci, 0, 4, &v32), 0);
	assert_int_equal(v32, 0x08070605);
	assert_int_equal(vfk_pci_read64(pci, 0, 0, &v64), 0);
	assert_int_equal(v64, 0x0807060504030201);
	pp_forget(&p);
	assert_int_equal(vfk_pci_write8(pci, 0, 1, 0xf1), 0);
	assert_int_equal(vfk_pci_write16(pci, 0, 3, 0xf2f3),
			 0); /* not aligned: the device's affair */
	assert_int_equal(vfk_pci_write32(pci, 0, 8, 0xf4f5f6f7), 0);
	assert_int_equal(vfk_pci_write64(pci, 0, 8, 0x1122334455667788), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 4);
	assert_int_equal(pp_call(&p, PP_WRITE, 1)->len, 2);
	assert_int_equal(pp_call(&p, PP_WRITE, 1)->off, 3);
	assert_int_equal(pp_call(&p, PP_WRITE, 3)->len, 8);
	assert_int_equal(memory[8], 0x88);
	assert_int_equal(memory[15], 0x11);
}

static void test_bounds(void **state)
{
	uint64_t v64 = 7;
	uint32_t v = 7;
	uint8_t v8 = 7;

	(void)state;
	bar(0, 4, 0x1000);
	bar(2, 0, 0x1000);
	p.regions[2].flags = VFIO_REGION_INFO_FLAG_READ;
	reopen();
	pp_forget(&p);
	assert_int_equal(vfk_pci_read32(pci, 0, 0xffd, &v), -EINVAL);
	assert_int_equal(vfk_pci_read8(pci, 0, 0x1000, &v8), -EINVAL);
	assert_int_equal(vfk_pci_read64(pci, 0, UINT64_MAX, &v64), -EINVAL);
	assert_int_equal(vfk_pci_read64(pci, 0, UINT64_MAX - 7, &v64), -EINVAL);
	assert_int_equal(vfk_pci_write64(pci, 0, 0xff9, 0), -EINVAL);
	assert_int_equal(vfk_pci_read32(pci, 6, 0, &v), -EINVAL);
	assert_int_equal(vfk_pci_write32(pci, UINT32_MAX, 0, 0), -EINVAL);
	assert_int_equal(vfk_pci_read32(pci, 1, 0, &v), -EINVAL);
	assert_non_null(strstr(vfk_error(), "upper half of BAR 0"));
	assert_int_equal(vfk_pci_read32(pci, 3, 0, &v), -EINVAL);
	assert_int_equal(p.num_calls, 0);
	assert_int_equal(vfk_pci_write32(pci, 2, 0, 0), -EACCES);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_read32(pci, 0, 0, &v), -EIO);
	assert_int_equal(v, 7);
	assert_int_equal(v8, 7);
	assert_int_equal(v64, 7);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds),	   TEST(test_register_of_zeroes),
		TEST(test_contradictions), TEST(test_headers),
		TEST(test_info_refused),   TEST(test_config_read_fails),
		TEST(test_vector_access),  TEST(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
