/* SPDX-License-Identifier: BSD-3-Clause */
/* test_vga.c - the legacy VGA ranges. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "puppet_pci.h"

#define VGA VFIO_PCI_VGA_REGION_INDEX

static struct puppet_pci p;
static struct vfk_pci *pci;

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	p.regions[VGA].size = 0xc0000;
	p.regions[VGA].flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	pci = pp_open(&p);
	pp_forget(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_close(pci);
	pp_fini(&p);
	return 0;
}

static void test_ranges(void **state)
{
	static const struct {
		uint64_t addr;
		size_t len;
		bool good;
	} cases[] = {
		{ 0xa0000, 4, true },  { 0xa0000, 0x20000, true },
		{ 0xbffff, 1, true },  { 0xbfffe, 4, false },
		{ 0x9fffe, 4, false }, { 0xc0000, 1, false },
		{ 0x3b0, 12, true },   { 0x3bb, 1, true },
		{ 0x3ba, 4, false },   { 0x3bc, 1, false },
		{ 0x3bf, 1, false },   { 0x3af, 1, false },
		{ 0x3c0, 32, true },   { 0x3df, 1, true },
		{ 0x3df, 2, false },   { 0x3e0, 1, false },
		{ 0, 1, false },       { UINT64_MAX, 2, false },
	};
	static uint8_t buf[0x20000];

	(void)state;
	assert_int_equal(vfk_pci_vga_present(pci), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ssize_t want = cases[i].good ? (ssize_t)cases[i].len : -EINVAL;

		assert_int_equal(vfk_pci_vga_read(pci, cases[i].addr, buf, cases[i].len), want);
		assert_int_equal(vfk_pci_vga_write(pci, cases[i].addr, buf, cases[i].len), want);
	}
}

static void test_access(void **state)
{
	uint8_t v = 0x67;

	(void)state;
	assert_int_equal(vfk_pci_vga_write(pci, 0x3c2, &v, 1), 1);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->index, VGA);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->off, 0x3c2);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, 0x67);
	assert_int_equal(vfk_pci_vga_read(pci, 0x3da, &v, 1), 1);
	assert_int_equal(v, 0xda);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_vga_read(pci, 0x3da, &v, 1), -EIO);
}

static int (*region_info)(struct vfk_io *io, struct vfio_region_info *info,
			  struct vfk_region_fds *fds);

static int none(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	return info->index == VGA ? -EINVAL : region_info(io, info, fds);
}

static void test_absent(void **state)
{
	uint8_t v;

	(void)state;
	pp_close(pci);
	p.regions[VGA].size = 0;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_vga_present(pci), 0);
	assert_int_equal(vfk_pci_vga_read(pci, 0x3da, &v, 1), -ENOENT);
	assert_int_equal(vfk_pci_vga_write(pci, 0x3da, &v, 1), -ENOENT);
	pp_close(pci);
	/* vfio-pci refuses the info of what it does not have */
	region_info = p.ops.get_region_info;
	p.ops.get_region_info = none;
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_vga_present(pci), 0);
	assert_int_equal(vfk_pci_vga_read(pci, 0x3da, &v, 1), -ENOENT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ranges),
		TEST(test_access),
		TEST(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
