/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rom_image.c - the images in a ROM, good ones and every way to be broken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/pci/rom.h"
#include "puppet_pci.h"

#define ROM  VFIO_PCI_ROM_REGION_INDEX
#define SIZE 8192
#define PCIR 0x20

static struct puppet_pci p;
static struct vfk_pci *pci;
static uint8_t rom[SIZE];

static void put16(size_t off, uint16_t v)
{
	rom[off] = (uint8_t)v;
	rom[off + 1] = (uint8_t)(v >> 8);
}

/* An image of the puppet's vendor and device. */
static void image(size_t off, uint8_t units, uint8_t type, bool last)
{
	rom[off] = 0x55;
	rom[off + 1] = 0xaa;
	put16(off + 0x18, PCIR);
	off += PCIR;
	memcpy(rom + off, "PCIR", 4);
	put16(off + 4, 0x1af4);
	put16(off + 6, 0x10f0);
	put16(off + 0xa, 0x1c);
	rom[off + 0xd] = 0x01, rom[off + 0xe] = 0x02, rom[off + 0xf] = 0x03;
	put16(off + 0x10, units);
	put16(off + 0x12, 0x1234);
	rom[off + 0x14] = type;
	rom[off + 0x15] = last ? 0x80 : 0;
}

/* Makes the bytes of an x86 image of @units add up to 0. */
static void add_sum(size_t off, uint8_t units)
{
	uint8_t sum = 0;

	rom[off + 2] = units;
	for (size_t i = 0; i < units * 512u; i++)
		sum = (uint8_t)(sum + rom[off + i]);
	rom[off + 6] = (uint8_t)(rom[off + 6] - sum);
}

static void reopen(void)
{
	if (pci)
		pp_close(pci);
	pci = pp_open(&p);
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	memset(rom, 0, sizeof(rom));
	p.regions[ROM].size = SIZE;
	p.regions[ROM].flags = VFIO_REGION_INFO_FLAG_READ;
	p.regions[ROM].memory = rom;
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

static void test_two(void **state)
{
	struct vfk_pci_rom_image i = { 0 };

	(void)state;
	image(0, 4, VFK_PCI_ROM_X86, false);
	add_sum(0, 3);
	image(2048, 12, VFK_PCI_ROM_EFI, true);
	reopen();
	assert_int_equal(vfk_pci_rom_next_image(pci, &i), 1);
	assert_int_equal(i.offset, 0);
	assert_int_equal(i.length, 2048);
	assert_memory_equal(i.data, rom, 2048);
	assert_int_equal(i.vendor, 0x1af4);
	assert_int_equal(i.device, 0x10f0);
	assert_int_equal(i.class_code, 0x030201);
	assert_int_equal(i.revision, 0x1234);
	assert_int_equal(i.structure, 0);
	assert_int_equal(i.code_type, VFK_PCI_ROM_X86);
	assert_false(i.last);
	assert_true(i.matches);
	assert_true(i.checksum);
	assert_int_equal(vfk_pci_rom_next_image(pci, &i), 1);
	assert_int_equal(i.offset, 2048);
	assert_int_equal(i.length, 6144);
	assert_memory_equal(i.data, rom + 2048, 6144);
	assert_int_equal(i.code_type, VFK_PCI_ROM_EFI);
	assert_true(i.last);
	assert_true(i.checksum);
	assert_int_equal(vfk_pci_rom_next_image(pci, &i), 0);
	assert_int_equal(i.offset, 2048);
}

static struct vfk_pci_rom_image first(void)
{
	struct vfk_pci_rom_image i = { 0 };

	reopen();
	assert_int_equal(vfk_pci_rom_next_image(pci, &i), 1);
	return i;
}

static void test_checksum(void **state)
{
	(void)state;
	image(0, 4, VFK_PCI_ROM_X86, true);
	add_sum(0, 4);
	assert_true(first().checksum);
	rom[2047]++;
	assert_false(first().checksum);
	add_sum(0, 3);
	assert_true(first().checksum); /* the last unit is not summed up */
	rom[2] = 5;
	assert_false(first().checksum); /* beyond the image */
	rom[2] = 0;
	assert_false(first().checksum);
}

static void test_whose(void **state)
{
	(void)state;
	image(0, 16, VFK_PCI_ROM_EFI, true);
	assert_true(first().matches);
	put16(PCIR + 6, 0x10f1);
	assert_false(first().matches);
	/* a list of devices, which revision 3 has */
	put16(PCIR + 8, 0x1c);
	put16(PCIR + 0x1c, 0x10f2);
	put16(PCIR + 0x1e, 0x10f0);
	assert_false(first().matches);
	rom[PCIR + 0xc] = 3;
	assert_true(first().matches);
	put16(PCIR + 0x1c, 0);
	assert_false(first().matches);
	/* one that leads to the end, or beyond */
	memset(rom + SIZE - 64, 1, 64);
	put16(PCIR + 8, SIZE - 3 - PCIR);
	assert_false(first().matches);
	put16(PCIR + 8, 0xffff);
	assert_false(first().matches);
	put16(PCIR + 6, 0x10f0);
	put16(PCIR + 4, 0x1af5);
	assert_false(first().matches);
}

static void breaks(const char *text)
{
	struct vfk_pci_rom_image i = { 0 };
	int ret, n = 0;

	reopen();
	while ((ret = vfk_pci_rom_next_image(pci, &i)) == 1)
		assert_true(++n <= SIZE / 512);
	assert_int_equal(ret, -EPROTO);
	assert_non_null(strstr(vfk_error(), text));
	assert_non_null(strstr(vfk_error(), "puppet"));
}

static void fresh(void)
{
	memset(rom, 0, sizeof(rom));
	image(0, 4, VFK_PCI_ROM_EFI, true);
}

static void test_broken(void **state)
{
	(void)state;
	breaks("image at 0x0: no signature");
	memset(rom, 0xff, sizeof(rom));
	breaks("no signature");
	fresh();
	put16(0x18, SIZE - 0x17);
	breaks("structure is beyond the ROM");
	put16(0x18, 0xffff);
	breaks("structure is beyond the ROM");
	put16(0x18, SIZE - 0x18);
	breaks("no data structure");
	memcpy(rom + SIZE - 0x18, rom + PCIR, 0x18);
	breaks("structure is beyond its end");
	fresh();
	rom[PCIR] = 'p';
	breaks("no data structure");
	fresh();
	put16(PCIR + 0xa, 0x17);
	breaks("structure is too short");
	fresh();
	put16(PCIR + 0x10, 0);
	breaks("no length");
	put16(PCIR + 0x10, SIZE / 512 + 1);
	breaks("longer than the ROM");
	put16(PCIR + 0x10, 0xffff);
	breaks("longer than the ROM");
}

/* The last one does not say so. */
static void test_no_last(void **state)
{
	(void)state;
	image(0, 4, VFK_PCI_ROM_EFI, false);
	breaks("image at 0x800: no signature");
	image(0, 16, VFK_PCI_ROM_EFI, false);
	breaks("image at 0x2000: the ROM ends before it");
	for (size_t off = 0; off < SIZE; off += 512)
		image(off, 1, 0x77, false);
	breaks("image at 0x2000: the ROM ends before it");
}

/* A caller's struct that was never set here leads nowhere. */
static void test_walk_from_nowhere(void **state)
{
	struct vfk_pci_rom_image i = { .data = rom, .offset = UINT32_MAX, .length = UINT32_MAX };

	(void)state;
	fresh();
	reopen();
	assert_int_equal(vfk_pci_rom_next_image(pci, &i), -EPROTO);
}

/* Every length, in memory of just that size, so that a byte too many is found. */
static void test_every_length(void **state)
{
	struct vfk_pci_rom_image i;

	(void)state;
	fresh();
	for (size_t len = 1; len <= 2049; len++) {
		uint8_t *copy = malloc(len);

		assert_non_null(copy);
		memcpy(copy, rom, len);
		assert_int_equal(vfki_pci_rom_parse(copy, len, 0, &i), len < 2048 ? -EPROTO : 0);
		free(copy);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_two),		 TEST(test_checksum), TEST(test_whose),
		TEST(test_broken),	 TEST(test_no_last),  TEST(test_walk_from_nowhere),
		TEST(test_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
