/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rom.c - the expansion ROM: its sizes, reading it, a file in its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "puppet_pci.h"

#define ROM VFIO_PCI_ROM_REGION_INDEX

static struct puppet_pci p;
static struct vfk_pci *pci;

static void rom(uint64_t size)
{
	p.regions[ROM].size = size;
	p.regions[ROM].flags = VFIO_REGION_INFO_FLAG_READ;
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	memset(p.writable + PCI_COMMAND, 0xff, 2);
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY);
	return 0;
}

static void open_it(void)
{
	pci = pp_open(&p);
	pp_forget(&p);
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

static void load_fails(int want, const char *text)
{
	const void *data = &data;
	size_t len = 7;

	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), want);
	assert_ptr_equal(data, &data);
	assert_int_equal(len, 7);
	if (!strstr(vfk_error(), text))
		fail_msg("\"%s\" is not in \"%s\"", text, vfk_error());
}

static void test_none(void **state)
{
	uint64_t size = 7;
	char c;

	(void)state;
	open_it();
	assert_int_equal(vfk_pci_rom_get_size(pci, &size), -ENOENT);
	assert_int_equal(size, 7);
	assert_int_equal(vfk_pci_rom_read(pci, 0, &c, 1), -ENOENT);
	load_fails(-ENOENT, "no ROM");
	assert_int_equal(vfk_pci_rom_next_image(pci, &(struct vfk_pci_rom_image){ 0 }), -ENOENT);
	assert_int_equal(p.num_calls, 0);
}

/* A region is there, and nothing in it. */
static void test_empty(void **state)
{
	(void)state;
	rom(0x10000);
	open_it();
	pp_fail(&p, PP_READ, 1, 1, -EINVAL);
	load_fails(-EINVAL, "ROM at 0x0");
	pp_fail(&p, PP_READ, 1, 1, 0);
	load_fails(-EPROTO, "ROM at 0x0");
}

static void test_load(void **state)
{
	const void *data = NULL, *again = NULL;
	uint64_t size = 0;
	size_t len = 0, reads;
	uint8_t buf[4];

	(void)state;
	rom(0x28000);
	open_it();
	assert_int_equal(pp_count(&p, PP_READ), 0);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x28000);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)data)[i], (uint8_t)i);
	reads = pp_count(&p, PP_READ);
	assert_true(reads > 2); /* in parts */
	assert_int_equal(vfk_pci_rom_load(pci, &again, &len), 0);
	assert_ptr_equal(again, data);
	assert_int_equal(vfk_pci_rom_get_size(pci, &size), 0);
	assert_int_equal(size, 0x28000);
	assert_int_equal(vfk_pci_rom_read(pci, 0x27ffe, buf, 4), 2);
	assert_int_equal(buf[1], 0xff);
	assert_int_equal(vfk_pci_rom_read(pci, 0x28000, buf, 4), 0);
	assert_int_equal(vfk_pci_rom_read(pci, UINT64_MAX, buf, 4), 0);
	assert_int_equal(pp_count(&p, PP_READ), reads);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

/* It says 256 KiB, and there is less: what there is is the ROM. */
static void test_short(void **state)
{
	const void *data;
	uint64_t size = 0;
	size_t len = 0;

	(void)state;
	rom(0x40000);
	p.regions[ROM].has = 0x10000 + 100;
	open_it();
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x10000 + 100);
	assert_int_equal(pp_count(&p, PP_READ), 1 + 2); /* command, two parts */
	assert_int_equal(vfk_pci_rom_get_size(pci, &size), 0);
	assert_int_equal(size, len);
	/* the end of a part is the end of it all: the next one is refused */
	pp_close(pci);
	p.regions[ROM].has = 0;
	open_it();
	pp_fail(&p, PP_READ, 2, 1, -EINVAL);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x10000);
	pp_close(pci);
	open_it();
	pp_fail(&p, PP_READ, 1, 1, -EINVAL);
	assert_int_equal(vfk_pci_rom_read(pci, 0x10000, &size, 8), 0);
	assert_int_equal(vfk_pci_rom_read(pci, 0, &size, 8), 8);
}

/* The size has 64 bits: 4 GiB and 64 KiB are not 64 KiB. */
static void test_beyond_4g(void **state)
{
	const uint64_t big = (4ull << 30) + (64 << 10);
	uint64_t size = 0;
	uint8_t buf[8];

	(void)state;
	rom(big);
	open_it();
	assert_int_equal(vfk_pci_rom_get_size(pci, &size), 0);
	assert_true(size == big);
	load_fails(-EFBIG, "4295032832 bytes");
	assert_int_equal(p.num_calls, 0);
	assert_int_equal(vfk_pci_rom_read(pci, big - 4, buf, 8), 4);
	assert_true(pp_call(&p, PP_READ, 1)->off == big - 4);
	assert_int_equal(pp_call(&p, PP_READ, 1)->len, 4);
	assert_int_equal(vfk_pci_rom_read(pci, 4ull << 30, buf, 8), 8);
	assert_true(pp_call(&p, PP_READ, 3)->off == 4ull << 30);
	assert_int_equal(vfk_pci_rom_next_image(pci, &(struct vfk_pci_rom_image){ 0 }), -EFBIG);
}

static void test_largest(void **state)
{
	const void *data;
	size_t len = 0;

	(void)state;
	rom(VFK_PCI_ROM_MAX);
	open_it();
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, VFK_PCI_ROM_MAX);
	pp_close(pci);
	rom(VFK_PCI_ROM_MAX + 1);
	open_it();
	load_fails(-EFBIG, "16777217 bytes");
}

static void test_again(void **state)
{
	const void *data;
	size_t len = 0;

	(void)state;
	rom(0x1000);
	open_it();
	pp_fail(&p, PP_READ, 1, 20, -EAGAIN);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x1000);
	assert_int_equal(pp_count(&p, PP_READ), 1 + 21);
}

static void test_endless_again(void **state)
{
	const void *data;
	size_t len;
	char c;

	(void)state;
	rom(0x1000);
	open_it();
	pp_fail(&p, PP_READ, 1, 1000000, -EAGAIN);
	load_fails(-EAGAIN, "again");
	assert_in_range(pp_count(&p, PP_READ), 2, 200);
	pp_fail(&p, PP_READ, 1, 1000000, -EAGAIN);
	assert_int_equal(vfk_pci_rom_read(pci, 0, &c, 1), -EAGAIN);
	/* and it can be had later */
	pp_fail(&p, PP_READ, 0, 0, 0);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
}

static void test_fails_half_way(void **state)
{
	const void *data;
	size_t len = 0;

	(void)state;
	rom(0x40000);
	open_it();
	pp_fail(&p, PP_READ, 2, 1, -EIO);
	load_fails(-EIO, "ROM at 0x10000");
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x40000);
}

/* Where memory decoding is off, it is on for the reads, and off afterwards, whatever they do. */
static void test_decoding(void **state)
{
	const void *data;
	size_t len;

	(void)state;
	rom(0x20000);
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MASTER);
	open_it();
	pp_fail(&p, PP_READ, 2, 1, -EIO);
	load_fails(-EIO, "ROM");
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_MASTER);
	pp_forget(&p);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 2);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_MASTER);
	pp_close(pci);
	open_it();
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	load_fails(-EIO, "");
	assert_int_equal(pp_count(&p, PP_READ), 1);
	pp_fail(&p, PP_WRITE, 1, 1, -EIO);
	load_fails(-EIO, "is on now");
}

static void test_probe(void **state)
{
	uint32_t size = 7;

	(void)state;
	open_it();
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -ENOENT);
	pp_set32(&p, PCI_ROM_ADDRESS, 0xfe000001);
	p.writable[PCI_ROM_ADDRESS] = 1;
	p.writable[PCI_ROM_ADDRESS + 2] = 0xfe;
	p.writable[PCI_ROM_ADDRESS + 3] = 0xff;
	pp_forget(&p);
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), 0);
	assert_int_equal(size, 0x20000);
	assert_int_equal(pp_get32(&p, PCI_ROM_ADDRESS), 0xfe000001);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, 0xfffffffe);
	size = 7;
	/* each of its accesses fails, and the register is as it was */
	for (unsigned int i = 0; i < 2; i++) {
		pp_fail(&p, PP_READ, i, 1, -EIO);
		assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -EIO);
		assert_int_equal(pp_get32(&p, PCI_ROM_ADDRESS), 0xfe000001);
	}
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -EIO);
	assert_int_equal(pp_get32(&p, PCI_ROM_ADDRESS), 0xfe000001);
	pp_fail(&p, PP_WRITE, 1, 1, -EIO);
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -EIO);
	assert_non_null(strstr(vfk_error(), "was 0xfe000001, and is not restored"));
	pp_set32(&p, PCI_ROM_ADDRESS, 0xfe000000);
	p.writable[PCI_ROM_ADDRESS + 3] = 0x0f; /* a mask with a gap */
	pp_set32(&p, PCI_ROM_ADDRESS, 0);
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -EPROTO);
	assert_int_equal(size, 7);
}

static void test_probe_elsewhere(void **state)
{
	uint32_t size = 7;

	(void)state;
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	memset(p.writable + PCI_ROM_ADDRESS1, 0xff, 4);
	p.writable[PCI_ROM_ADDRESS1 + 1] = 0xf8;
	p.writable[PCI_ROM_ADDRESS1] = 1;
	open_it();
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), 0);
	assert_int_equal(size, 2048);
	pp_close(pci);
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_CARDBUS;
	open_it();
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -ENOENT);
	assert_int_equal(p.num_calls, 0);
	pp_close(pci);
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_NORMAL;
	memset(p.config + PCI_ROM_ADDRESS, 0xff, 4);
	open_it();
	assert_int_equal(vfk_pci_rom_probe_bar(pci, &size), -ENODEV);
}

static char path[] = "/tmp/vfiokit-rom-XXXXXX";

static void make_file(const void *data, off_t len)
{
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	if (data)
		assert_int_equal(write(fd, data, (size_t)len), len);
	else
		assert_int_equal(ftruncate(fd, len), 0);
	close(fd);
}

static void test_file(void **state)
{
	const void *data = NULL;
	uint64_t size = 0;
	size_t len = 0;
	char c = 0;

	(void)state;
	rom(0x1000);
	open_it();
	make_file("hello", 5);
	assert_int_equal(vfk_pci_rom_set_file(pci, path), 0);
	unlink(path);
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(vfk_pci_rom_get_size(pci, &size), 0);
	assert_int_equal(size, 5);
	assert_int_equal(vfk_pci_rom_read(pci, 4, &c, 1), 1);
	assert_int_equal(c, 'o');
	assert_int_equal(p.num_calls, 0);
	make_file("other", 5);
	assert_int_equal(vfk_pci_rom_set_file(pci, path), -EBUSY);
	unlink(path);
}

static void file_refused(int want, const char *text)
{
	assert_int_equal(vfk_pci_rom_set_file(pci, path), want);
	assert_non_null(strstr(vfk_error(), text));
	unlink(path);
}

static void test_file_refused(void **state)
{
	const void *data;
	size_t len = 0;

	(void)state;
	rom(0x1000);
	open_it();
	make_file(NULL, 0);
	file_refused(-EINVAL, "empty");
	file_refused(-ENOENT, path);
	make_file(NULL, VFK_PCI_ROM_MAX + 1);
	file_refused(-EFBIG, "16777217");
	make_file(NULL, (4ll << 30) + 512);
	file_refused(-EFBIG, "4294967808");
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(path));
	assert_int_equal(vfk_pci_rom_set_file(pci, path), -EINVAL);
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0); /* which nobody writes to */
	file_refused(-EINVAL, "regular");
	/* the device's own is still there */
	assert_int_equal(vfk_pci_rom_load(pci, &data, &len), 0);
	assert_int_equal(len, 0x1000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),     TEST(test_empty),	       TEST(test_load),
		TEST(test_short),    TEST(test_beyond_4g),     TEST(test_largest),
		TEST(test_again),    TEST(test_endless_again), TEST(test_fails_half_way),
		TEST(test_decoding), TEST(test_probe),	       TEST(test_probe_elsewhere),
		TEST(test_file),     TEST(test_file_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
