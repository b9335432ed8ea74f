/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_rom.c - the ROM that a guest sees: its BAR, its bytes, the ids in it, a user's file. */
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

#define ROM VFK_PCI_VIRTUAL_ROM

static struct puppet_pci p;
static struct guest g;
static uint8_t rom[0x1800];

static void image(size_t at, uint8_t blocks, uint8_t code_type, bool last)
{
	uint8_t *i = rom + at, *pcir = i + 0x40, sum = 0;

	i[0] = 0x55, i[1] = 0xaa, i[2] = blocks;
	i[0x18] = 0x40;
	i[0x19] = 0;
	memset(pcir, 0, 0x18);
	memcpy(pcir, "PCIR", 4);
	pcir[4] = 0xf4, pcir[5] = 0x1a, pcir[6] = 0xf0, pcir[7] = 0x10;
	pcir[0x0a] = 0x18;
	pcir[0x10] = blocks;
	pcir[0x14] = code_type;
	pcir[0x15] = last ? 0x80 : 0;
	for (size_t n = 0; n < blocks * 512u; n++)
		sum = (uint8_t)(sum + i[n]);
	i[6] = (uint8_t)(i[6] - sum);
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	guest_device(&p);
	for (size_t i = 0; i < sizeof(rom); i++)
		rom[i] = (uint8_t)(i * 7);
	image(0, 4, 0, false);
	image(0x800, 8, 3, true);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = sizeof(rom);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].flags = VFIO_REGION_INFO_FLAG_READ;
	p.regions[VFIO_PCI_ROM_REGION_INDEX].memory = rom;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_fini(&p);
	return 0;
}

static void test_bar(void **state)
{
	struct vfk_pci_virtual_bar info;

	(void)state;
	guest_begin(&g, &p, NULL);
	/* A power of two that the ROM fits into. */
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, ROM, &info), 0);
	assert_int_equal(info.size, 0x2000);
	guest_put(&g, PCI_ROM_ADDRESS, 4, 0xfffff800);
	assert_int_equal(guest_get(&g, PCI_ROM_ADDRESS, 4), 0xffffe000);
	guest_put(&g, PCI_ROM_ADDRESS, 4, 0xfe000001);
	assert_int_equal(g.num_events, 0);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest_told(&g, 0, 'b', ROM, 0xfe000000);
	guest_put(&g, PCI_ROM_ADDRESS, 4, 0xfe000000);
	guest_told(&g, 1, 'b', ROM, VFK_PCI_UNMAPPED);
	guest_end(&g);
	/* The BAR may decode more than there is. */
	pp_set32(&p, PCI_ROM_ADDRESS, 0);
	p.writable[PCI_ROM_ADDRESS] = 0x01;
	p.writable[PCI_ROM_ADDRESS + 2] = 0xff;
	p.writable[PCI_ROM_ADDRESS + 3] = 0xff;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, ROM, &info), 0);
	assert_int_equal(info.size, 0x10000);
	guest_end(&g);
}

static void test_bytes(void **state)
{
	uint8_t buf[0x2000];

	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(pp_count(&p, PP_READ), 0);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, buf, sizeof(buf)), 0);
	assert_memory_equal(buf, rom, sizeof(rom));
	for (size_t i = sizeof(rom); i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
	/* Loaded once. */
	guest_forget(&g, &p);
	assert_int_equal(guest_bar_get(&g, ROM, 0, 2), 0xaa55);
	guest_bar_put(&g, ROM, 0, 2, 0);
	assert_int_equal(guest_bar_get(&g, ROM, 0, 2), 0xaa55);
	assert_int_equal(p.num_calls, 0);
	guest_end(&g);
}

static void test_failure(void **state)
{
	uint32_t v = 0;

	(void)state;
	guest_begin(&g, &p, NULL);
	pp_fail(&p, PP_READ, 0, 100, -EIO);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, &v, 4), -EIO);
	assert_int_equal(v, UINT32_MAX);
	guest_forget(&g, &p);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 4, &v, 4), -EIO);
	assert_int_equal(p.num_calls, 0);
	pp_fail(&p, PP_READ, 0, 0, 0);
	guest_end(&g);
}

static void test_ids(void **state)
{
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts),
						   .ids = VFK_PCI_VIRTUAL_DEVICE,
						   .device = 0xbeef };
	uint8_t buf[sizeof(rom)], sum = 0;

	(void)state;
	guest_begin(&g, &p, &opts);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, buf, sizeof(buf)), 0);
	assert_memory_equal(buf + 0x44, "\xf4\x1a\xef\xbe", 4);
	assert_memory_equal(buf + 0x844, "\xf4\x1a\xef\xbe", 4);
	for (size_t i = 0; i < 0x800; i++)
		sum = (uint8_t)(sum + buf[i]);
	assert_int_equal(sum, 0);
	/* There is nothing to sum up in the second one. */
	assert_int_equal(buf[0x806], rom[0x806]);
	guest_end(&g);
	/* Another vendor's image stays another vendor's. */
	rom[0x44] = 0x86;
	guest_begin(&g, &p, &opts);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, buf, sizeof(buf)), 0);
	assert_memory_equal(buf + 0x44, "\x86\x1a\xf0\x10", 4);
	guest_end(&g);
}

static void test_file(void **state)
{
	struct vfk_pci_virtual_opts opts = { .size = sizeof(opts),
					     .ids = VFK_PCI_VIRTUAL_DEVICE,
					     .device = 0xbeef };
	char path[] = "/tmp/vfiokit-rom-XXXXXX";
	struct vfk_pci_virtual_bar info;
	struct vfk_pci_virtual *v;
	uint8_t buf[0x1000];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, rom, 0x801), 0x801);
	close(fd);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = 0;
	opts.rom_file = path;
	guest_begin(&g, &p, &opts);
	unlink(path);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, ROM, &info), 0);
	assert_int_equal(info.size, 0x1000);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, buf, sizeof(buf)), 0);
	assert_memory_equal(buf, rom, 0x801);
	assert_int_equal(buf[0x801], 0xff);
	guest_end(&g);
	g.pci = pp_open(&p);
	assert_int_equal(vfk_pci_virtual_create(g.pci, &opts, &v), -ENOENT);
	pp_close(g.pci);
}

static void no_rom(uint32_t flags)
{
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts), .flags = flags };
	struct vfk_pci_virtual_bar info;
	uint8_t byte;

	guest_begin(&g, &p, &opts);
	assert_int_equal(vfk_pci_virtual_get_bar(g.v, ROM, &info), 0);
	assert_int_equal(info.size, 0);
	guest_put(&g, PCI_ROM_ADDRESS, 4, 0xffffffff);
	assert_int_equal(guest_get(&g, PCI_ROM_ADDRESS, 4), 0);
	assert_int_equal(vfk_pci_virtual_bar_read(g.v, ROM, 0, &byte, 1), -EINVAL);
	guest_end(&g);
}

static void test_none(void **state)
{
	(void)state;
	no_rom(VFK_PCI_VIRTUAL_NO_ROM);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = (16u << 20) + 1;
	no_rom(0);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = 1ull << 40;
	no_rom(0);
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = 0;
	no_rom(0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bar), TEST(test_bytes), TEST(test_failure),
		TEST(test_ids), TEST(test_file),  TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
