/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_bar.c - virtual BARs: sizing, addresses, accesses, relocation of the MSI-X table, what can be mapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest.h"

static struct puppet_pci p;
static struct guest g;

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	guest_device(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_fini(&p);
	return 0;
}

static void begin_with_table_in(uint32_t msix)
{
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts), .msix = msix };

	guest_begin(&g, &p, &opts);
}

static uint32_t sized(unsigned int bar)
{
	guest_put(&g, PCI_BASE_ADDRESS_0 + 4 * bar, 4, 0xffffffff);
	return guest_get(&g, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
}

static void test_sizing(void **state)
{
	struct vfk_pci_virtual_bar info;

	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(sized(0), 0xffff0000);
	assert_int_equal(sized(1), 0xffffff01);
	assert_int_equal(sized(2), 0xfff0000c);
	assert_int_equal(sized(3), 0xffffffff);
	assert_int_equal(sized(4), 0);
	assert_int_equal(sized(5), 0);
	/* Bytes and halves, too. */
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0);
	guest_put(&g, PCI_BASE_ADDRESS_0 + 3, 1, 0xfe);
	guest_put(&g, PCI_BASE_ADDRESS_0, 2, 0xffff);
	assert_int_equal(guest_get(&g, PCI_BASE_ADDRESS_0, 4), 0xfe000000);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	assert_int_equal(g.num_events, 0);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 2, &info), 0);
	assert_int_equal(info.size, 0x100000);
	assert_int_equal(info.flags, VFK_BAR_64 | VFK_BAR_PREFETCH);
	assert_int_equal(info.address, VFK_PCI_UNMAPPED);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 3, &info), 0);
	assert_int_equal(info.size, 0);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 7, &info), -EINVAL);
	guest_end(&g);
}

static void test_addresses(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe010000);
	guest_put(&g, PCI_BASE_ADDRESS_1, 4, 0xc000);
	guest_put(&g, PCI_BASE_ADDRESS_2, 4, 0x00100000);
	guest_put(&g, PCI_BASE_ADDRESS_3, 4, 0x00000080);
	assert_int_equal(g.num_events, 0);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest_told(&g, 0, 'b', 0, 0xfe010000);
	guest_told(&g, 1, 'b', 2, 0x8000100000);
	assert_int_equal(g.num_events, 2);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	guest_told(&g, 2, 'b', 1, 0xc000);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	/* Sizing with decoding on is no place to be. */
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xffffffff);
	guest_told(&g, 3, 'b', 0, VFK_PCI_UNMAPPED);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0);
	assert_int_equal(g.num_events, 4);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe010000);
	guest_told(&g, 4, 'b', 0, 0xfe010000);
	/* 64 bits move half by half. */
	guest_put(&g, PCI_BASE_ADDRESS_3, 4, 0x81);
	guest_told(&g, 5, 'b', 2, 0x8100100000);
	guest_put(&g, PCI_COMMAND, 2, 0);
	assert_int_equal(g.num_events, 9);
	guest_end(&g);
}

/* A guest that found decoding on would not turn it on; one without such a BAR cannot. */
static void test_decoding_is_the_guests(void **state)
{
	(void)state;
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	p.writable[PCI_COMMAND] = 0;
	p.regions[1].size = 0;
	pp_set32(&p, PCI_BASE_ADDRESS_1, 0);
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, PCI_COMMAND, 2), 0);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe010000);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(guest_get(&g, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	guest_told(&g, 0, 'b', 0, 0xfe010000);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	guest_end(&g);
}

static void test_reset_takes_addresses(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe010000);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	guest_forget(&g, &p);
	assert_int_equal(vfk_pci_virtual_reset(g.v), 0);
	guest_told(&g, 0, 'b', 0, VFK_PCI_UNMAPPED);
	assert_int_equal(g.num_events, 1);
	assert_int_equal(guest_get(&g, PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(guest_get(&g, PCI_COMMAND, 2), 0);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), 0);
	guest_end(&g);
}

/* ---- accesses ---- */

static void test_access(void **state)
{
	uint8_t memory[0x100] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };

	(void)state;
	p.regions[0].memory = memory;
	p.regions[0].size = sizeof(memory);
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_bar_get(&g, 0, 0, 8), 0x8877665544332211);
	assert_int_equal(guest_bar_get(&g, 0, 2, 2), 0x4433);
	guest_bar_put(&g, 0, 4, 4, 0xaabbccdd);
	assert_int_equal(memory[4], 0xdd);
	/* One access of the guest's is one of the device's. */
	assert_int_equal(pp_count(&p, PP_READ), 2);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->len, 4);
	guest_end(&g);
}

static void test_failing_access(void **state)
{
	uint32_t v = 7;

	(void)state;
	guest_begin(&g, &p, NULL);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 0, 0, &v, 4), -EIO);
	assert_int_equal(v, UINT32_MAX);
	p.regions[0].has = 2;
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 0, 0, &v, 4), -EIO);
	assert_int_equal(v, UINT32_MAX);
	v = 7;
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 0, 0xfffe, &v, 4), -EINVAL);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 0, UINT64_MAX, &v, 4), -EINVAL);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 3, 0, &v, 4), -EINVAL);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 7, 0, &v, 4), -EINVAL);
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 0, 0xfffe, &v, 4), -EINVAL);
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 0, 0, &v, 4), -EIO);
	guest_end(&g);
}

/* The table is not the device's, wherever an access begins. */
static void test_table_in_between(void **state)
{
	uint8_t buf[0x100];

	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, 2, 0x1fc0, buf, sizeof(buf)), 0);
	assert_int_equal(pp_count(&p, PP_READ), 2);
	assert_int_equal(pp_call(&p, PP_READ, 0)->len, 0x40);
	assert_int_equal(pp_call(&p, PP_READ, 1)->off, 0x2080);
	assert_int_equal(pp_call(&p, PP_READ, 1)->len, 0x40);
	assert_int_equal(buf[0x3f], 0xff); /* what the puppet says: the offset's low byte */
	assert_int_equal(buf[0x40], 0);
	assert_int_equal(buf[0x4c], 1); /* masked */
	assert_int_equal(buf[0xc0], 0x80);
	guest_forget(&g, &p);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(vfk_pci_virtual_bar_write(g.v, 2, 0x1ffc, buf, 8), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->len, 4);
	assert_int_equal(guest_bar_get(&g, 2, 0x2000, 4), 0xfffffffc);
	/* Nor are the pending bits, which cannot be written. */
	guest_forget(&g, &p);
	guest_bar_put(&g, 2, 0x3000, 8, UINT64_MAX);
	assert_int_equal(guest_bar_get(&g, 2, 0x3000, 8), 0);
	assert_int_equal(p.num_calls, 0);
	guest_end(&g);
}

/* ---- the table elsewhere ---- */

static void table_is(unsigned int bar, uint32_t table, uint32_t pba)
{
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_TABLE, 4), table | bar);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_PBA, 4), pba | bar);
	assert_int_equal(guest_bar_get(&g, bar, table + 12, 4), 1);
	guest_bar_put(&g, bar, table, 4, 0x12340000);
	assert_int_equal(guest_bar_get(&g, bar, table, 4), 0x12340000);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	/* Behind them there is nothing. */
	assert_int_equal(guest_bar_get(&g, bar, pba + 8, 4), 0xffffffff);
}

static void test_table_in_a_new_bar(void **state)
{
	struct vfk_pci_virtual_bar info;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	(void)state;
	begin_with_table_in(VFK_PCI_MSIX_BAR(4));
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 4, &info), 0);
	assert_int_equal(info.size, page);
	/* BAR 5 is unused, too. */
	assert_int_equal(info.flags, VFK_BAR_64);
	assert_int_equal(sized(4), (uint32_t) ~(page - 1) | PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(sized(5), UINT32_MAX);
	table_is(4, 0, 0x80);
	/* Where it was the device's registers are. */
	guest_forget(&g, &p);
	guest_bar_get(&g, 2, 0x2000, 4);
	assert_int_equal(pp_count(&p, PP_READ), 1);
	guest_end(&g);
}

/* The last BAR has no place for an upper half; nor has one whose next is in use. */
static void test_table_in_a_new_bar_of_32_bits(void **state)
{
	struct vfk_pci_virtual_bar info;

	(void)state;
	begin_with_table_in(VFK_PCI_MSIX_BAR(5));
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 5, &info), 0);
	assert_int_equal(info.flags, 0);
	table_is(5, 0, 0x80);
	guest_end(&g);
	p.regions[5] = p.regions[0];
	begin_with_table_in(VFK_PCI_MSIX_BAR(4));
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 4, &info), 0);
	assert_int_equal(info.flags, 0);
	assert_int_equal(sized(4) & 0xf, 0);
	assert_int_equal(sized(5), 0xffff0000);
	table_is(4, 0, 0x80);
	guest_end(&g);
}

static void test_table_in_a_doubled_bar(void **state)
{
	struct vfk_pci_virtual_bar info;

	(void)state;
	begin_with_table_in(VFK_PCI_MSIX_BAR(0));
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 0, &info), 0);
	assert_int_equal(info.size, 0x20000);
	table_is(0, 0x10000, 0x10080);
	guest_end(&g);
	begin_with_table_in(VFK_PCI_MSIX_BAR(2));
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, 2, &info), 0);
	assert_int_equal(info.size, 0x200000);
	assert_int_equal(sized(2), 0xffe0000c);
	table_is(2, 0x100000, 0x100080);
	guest_end(&g);
}

static void no_table_in(unsigned int bar, const char *text)
{
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts),
						   .msix = VFK_PCI_MSIX_BAR(bar) };
	struct vfk_pci *pci = pp_open(&p);
	struct vfk_pci_virtual *v;

	assert_int_equal(vfk_pci_virtual_create(pci, &opts, &v), -EINVAL);
	assert_non_null(strstr(vfk_error(), text));
	pp_close(pci);
}

static void test_table_refusals(void **state)
{
	(void)state;
	no_table_in(1, "I/O");
	no_table_in(3, "upper half");
	p.regions[0].size = 1ull << 31;
	no_table_in(0, "twice as large");
	p.regions[0].size = 1ull << 30;
	begin_with_table_in(VFK_PCI_MSIX_BAR(0));
	table_is(0, 1u << 30, (1u << 30) + 0x80);
	guest_end(&g);
	/* The capability's offsets have 32 bits. */
	p.regions[2].size = 1ull << 31;
	begin_with_table_in(VFK_PCI_MSIX_BAR(2));
	table_is(2, 1u << 31, (1u << 31) + 0x80);
	guest_end(&g);
	p.regions[2].size = 1ull << 32;
	no_table_in(2, "offset of 32 bits");
	p.regions[2].size = 1ull << 61;
	no_table_in(2, "offset of 32 bits");
}

/* It moves where that makes something mappable, and stays where not. */
static void test_table_auto(void **state)
{
	(void)state;
	begin_with_table_in(VFK_PCI_MSIX_AUTO);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_TABLE, 4), 0x2002);
	guest_end(&g);
	p.regions[2].flags |= VFIO_REGION_INFO_FLAG_MMAP;
	/* Without MSIX_MAPPABLE its page is lost wherever the guest has the table. */
	begin_with_table_in(VFK_PCI_MSIX_AUTO);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_TABLE, 4), 0x2002);
	guest_end(&g);
	p.msix_mappable = 1u << 2;
	begin_with_table_in(VFK_PCI_MSIX_AUTO);
	table_is(4, 0, 0x80);
	guest_end(&g);
	/* A BAR that is too large is passed over, and nothing else is left here. */
	p.regions[0].size = p.regions[4].size = p.regions[5].size = 1ull << 31;
	p.regions[2].size = 1ull << 32;
	begin_with_table_in(VFK_PCI_MSIX_AUTO);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_TABLE, 4), 0x2002);
	guest_end(&g);
	p.regions[4].size = p.regions[5].size = 0;
	/* Table and PBA that fill their page take it from nobody. */
	if (sysconf(_SC_PAGESIZE) != 4096)
		return;
	pp_set16(&p, GUEST_MSIX + PCI_MSIX_FLAGS, 253);
	pp_set32(&p, GUEST_MSIX + PCI_MSIX_PBA, 0x2fe0 | 2);
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX].count = 254;
	begin_with_table_in(VFK_PCI_MSIX_AUTO);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_TABLE, 4), 0x2002);
	guest_end(&g);
}

/* ---- what can be mapped ---- */

static void areas_are(unsigned int bar, uint64_t address, const struct vfk_region_area *want,
		      size_t num)
{
	struct vfk_region_area got[8];
	size_t n = 8;

	assert_int_equal(vfk_pci_virtual_bar_areas(g.v, bar, address, got, &n), 0);
	assert_int_equal(n, num);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got[i].offset, want[i].offset);
		assert_int_equal(got[i].length, want[i].length);
	}
}

static void test_areas(void **state)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	/* Table at 0x2000 and PBA at 0x3000: one page, or two. */
	const uint64_t begin = 0x2000 / page * page, end = (0x3000 / page + 1) * page;
	const struct vfk_region_area around[] = { { 0, begin }, { end, 0x100000 - end } };
	const struct vfk_region_area all[] = { { 0, 0x100000 } };
	size_t n = 0;

	(void)state;
	guest_begin(&g, &p, NULL);
	areas_are(2, 0xfe000000, NULL, 0);
	guest_end(&g);
	p.regions[2].flags |= VFIO_REGION_INFO_FLAG_MMAP;
	p.msix_mappable = 1u << 2;
	guest_begin(&g, &p, NULL);
	areas_are(2, 0xfe000000, begin ? around : around + 1, begin ? 2 : 1);
	areas_are(0, 0xfe000000, NULL, 0);
	assert_int_equal(vfk_pci_virtual_bar_areas(g.v, 2, 0, NULL, &n), 0);
	assert_int_equal(n, begin ? 2 : 1);
	assert_int_equal(vfk_pci_virtual_bar_areas(g.v, 6, 0, NULL, &n), -EINVAL);
	/* None of a device that sleeps. */
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 3);
	areas_are(2, 0xfe000000, NULL, 0);
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 0);
	areas_are(2, 0xfe000000, begin ? around : around + 1, begin ? 2 : 1);
	guest_end(&g);
	begin_with_table_in(VFK_PCI_MSIX_BAR(0));
	areas_are(2, 0xfe000000, all, 1);
	guest_end(&g);
}

static void test_areas_below_a_page(void **state)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct vfk_region_area one = { 0, page };

	(void)state;
	p.regions[0].size = 0x100;
	p.regions[0].flags |= VFIO_REGION_INFO_FLAG_MMAP;
	guest_begin(&g, &p, NULL);
	areas_are(0, 0xfe000000, &one, 1);
	areas_are(0, 0xfe000100, NULL, 0);
	guest_end(&g);
	/* In a doubled BAR it begins at a page wherever that is. */
	begin_with_table_in(VFK_PCI_MSIX_BAR(0));
	areas_are(0, 0xfe000000, &one, 1);
	guest_end(&g);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sizing),
		TEST(test_addresses),
		TEST(test_decoding_is_the_guests),
		TEST(test_reset_takes_addresses),
		TEST(test_access),
		TEST(test_failing_access),
		TEST(test_table_in_between),
		TEST(test_table_in_a_new_bar),
		TEST(test_table_in_a_new_bar_of_32_bits),
		TEST(test_table_in_a_doubled_bar),
		TEST(test_table_refusals),
		TEST(test_table_auto),
		TEST(test_areas),
		TEST(test_areas_below_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
