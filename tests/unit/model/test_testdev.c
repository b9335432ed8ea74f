/* SPDX-License-Identifier: BSD-3-Clause */
/* test_testdev.c - the test device: its registers, and that each parameter does what its file says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define ROM VFIO_PCI_ROM_REGION_INDEX
#define OWN VFIO_PCI_NUM_REGIONS

#define RAISE  0x20
#define INTX_  0x24
#define RESETS 0x30
#define SRC    0x40
#define DST    0x48
#define COUNT  0x50
#define CMD    0x54
#define STATUS 0x58
#define SLOW   0x80
#define FAIL   0x88

static struct vfk_io *open_with(const char *params)
{
	char uri[512];

	snprintf(uri, sizeof(uri), "model:testdev%s%s", *params ? "," : "", params);
	return rig_open(uri, 0);
}

static void test_registers(void **state)
{
	static const struct {
		uint64_t off;
		size_t width;
	} scratch[] = {
		{ 0x08, 1 }, { 0x0a, 2 }, { 0x0c, 4 }, { 0x10, 8 }, { 0x80, 8 }, { 0x88, 8 }
	};
	struct vfk_io *io = open_with("");
	uint8_t all[0x4000];

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, 0, 4), 0x11e91234);
	for (size_t i = 0; i < sizeof(scratch) / sizeof(scratch[0]); i++)
		rig_put(io, 0, scratch[i].off, scratch[i].width, 0x1122334455667788ull >> i);
	for (size_t i = 0; i < sizeof(scratch) / sizeof(scratch[0]); i++) {
		uint64_t mask = UINT64_MAX >> (64 - 8 * scratch[i].width);

		assert_true(rig_get(io, 0, scratch[i].off, scratch[i].width) ==
			    ((0x1122334455667788ull >> i) & mask));
	}
	/* Parts of one, and several at once. */
	rig_put(io, 0, 0x13, 1, 0xaa);
	assert_true(rig_get(io, 0, 0x10, 8) ==
		    (((0x1122334455667788ull >> 3) & ~0xff000000ull) | 0xaa000000));
	rig_put(io, 0, 0x08, 8, 0x1111111122223344);
	assert_int_equal(rig_get(io, 0, 0x08, 8), 0x1111111122220044);
	rig_put(io, 0, 0, 4, 7); /* read-only */
	assert_int_equal(rig_get(io, 0, 0, 4), 0x01007e57);
	assert_int_equal(rig_read(io, 0, 0, all, sizeof(all)), sizeof(all));
	assert_int_equal(all[0x0b], 0x22);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(rig_get(io, 0, 0x10, 8), 0);
	assert_int_equal(rig_get(io, 0, RESETS, 4), 1);
	rig_close(io);
}

static void dma(struct vfk_io *io, uint64_t src, uint64_t dst, uint32_t count, uint32_t cmd)
{
	rig_put(io, 0, SRC, 8, src);
	rig_put(io, 0, DST, 8, dst);
	rig_put(io, 0, COUNT, 4, count);
	rig_put(io, 0, CMD, 4, cmd | 1);
}

/* Its buffer is BAR 2, and is there even without it. */
static void test_dma(void **state)
{
	uint8_t *mem = aligned_alloc(4096, 0x20000), *back = mem + 0x10000;
	struct vfk_io *io = open_with("");

	(void)state;
	assert_non_null(mem);
	for (size_t i = 0; i < 0x10000; i++)
		mem[i] = (uint8_t)(i * 7 + (i >> 8));
	memset(back, 0, 0x10000);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(rig_map(io, 0x10000, mem, 0x20000, VFK_DMA_READ | VFK_DMA_WRITE),
				 0);
		rig_command(io, PCI_COMMAND_MASTER, 0);
		dma(io, 0x10000, 0x20, 0xff00, 0);
		assert_int_equal(rig_get(io, 0, STATUS, 4), 0);
		dma(io, 0x20, 0x20000, 0xff00, 2);
		assert_int_equal(rig_get(io, 0, STATUS, 4), 0);
		assert_memory_equal(back, mem, 0xff00);
		if (!round)
			assert_int_equal(rig_get(io, 2, 0x21, 1), mem[1]);
		/* What cannot be done says why. */
		dma(io, 0x100000, 0, 16, 0);
		assert_int_equal(rig_get(io, 0, STATUS, 4), EFAULT);
		dma(io, 0x10000, round ? 0xfff8 : 0xffff8, 16, 0);
		assert_int_equal(rig_get(io, 0, STATUS, 4), EINVAL);
		dma(io, 0x10000, UINT64_MAX - 7, 16, 0);
		assert_int_equal(rig_get(io, 0, STATUS, 4), EINVAL);
		rig_command(io, 0, PCI_COMMAND_MASTER);
		dma(io, 0x10000, 0, 16, 0);
		assert_int_equal(rig_get(io, 0, STATUS, 4), EPERM);
		rig_close(io);
		memset(back, 0, 0x10000);
		io = open_with("buffer=0");
	}
	rig_close(io);
	free(mem);
}

static void test_interrupts(void **state)
{
	struct vfk_io *io = open_with("");
	int fds[32];

	(void)state;
	for (int i = 0; i < 32; i++)
		fds[i] = rig_eventfd();
	assert_int_equal(rig_arm(io, INTX, 0, 1, fds), 0);
	rig_put(io, 0, RAISE, 4, 5);
	assert_int_equal(rig_get(io, 0, INTX_, 4), 1);
	assert_int_equal(rig_signals(fds[0]), 1);
	rig_put(io, 0, INTX_, 4, 0);
	assert_int_equal(rig_disable(io, INTX), 0);
	assert_int_equal(rig_arm(io, MSI, 0, 32, fds), 0);
	rig_put(io, 0, RAISE, 4, 31);
	assert_int_equal(rig_signals(fds[31]), 1);
	assert_int_equal(rig_get(io, 0, INTX_, 4), 0);
	dma(io, 0, 0, 0, 4 | 3 << 16);
	assert_int_equal(rig_signals(fds[3]), 1);
	assert_int_equal(rig_disable(io, MSI), 0);
	for (int i = 0; i < 32; i++)
		close(fds[i]);
	rig_close(io);
}

/* Two descriptors a vector, and some for everything else. */
static void test_all_vectors(void **state)
{
	struct rlimit was, more;
	struct vfk_io *io;
	static int fds[2048];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	more = was;
	more.rlim_cur = was.rlim_cur > 5000 ? was.rlim_cur : 5000;
	if (more.rlim_cur > was.rlim_max || setrlimit(RLIMIT_NOFILE, &more) < 0) {
		print_message("open files: the hard limit is below 5000\n");
		skip();
	}
	io = open_with("");
	for (int i = 0; i < 2048; i++)
		fds[i] = rig_eventfd();
	assert_int_equal(rig_arm(io, MSIX, 0, 2048, fds), 0);
	for (uint32_t i = 0; i < 2048; i++)
		rig_put(io, 0, RAISE, 4, i);
	for (int i = 0; i < 2048; i++) {
		assert_int_equal(rig_signals(fds[i]), 1);
		close(fds[i]);
	}
	rig_close(io);
	setrlimit(RLIMIT_NOFILE, &was);
}

static void test_slow_and_fail(void **state)
{
	static const char *const fails[] = { "fail=none", "fail=read", "fail=write", "fail=both" };
	struct vfk_io *io = open_with("slow=30");
	uint64_t start = rig_now_ms();
	uint8_t buf[8] = { 0 };

	(void)state;
	rig_put(io, 0, SLOW, 8, 5);
	assert_int_equal(rig_get(io, 0, SLOW, 8), 5);
	assert_true(rig_now_ms() - start >= 59);
	rig_close(io);
	for (int i = 0; i < 4; i++) {
		io = open_with(fails[i]);
		assert_int_equal(rig_read(io, 0, FAIL, buf, 8), i & 1 ? -EIO : 8);
		assert_int_equal(rig_write(io, 0, FAIL, buf, 8), i & 2 ? -EIO : 8);
		assert_int_equal(rig_read(io, 0, FAIL - 8, buf, 8), 8);
		rig_close(io);
	}
}

/* ---- config space ---- */

/* How many capabilities a walk sees that gives up after 64; *next: what it would have looked at then, or that ended it. */
static unsigned int walk(struct vfk_io *io, unsigned int *next)
{
	unsigned int n = 0, at = (unsigned int)rig_get(io, CONFIG, PCI_CAPABILITY_LIST, 1);

	while (at >= 64 && at != 0xfc && n < 64) {
		n++;
		at = (unsigned int)rig_get(io, CONFIG, at + 1, 1);
	}
	*next = at;
	return n;
}

static unsigned int walk_ext(struct vfk_io *io, unsigned int *next)
{
	unsigned int n = 0, at = 0x100;

	while (at >= 0x100 && at != 0xffc && n < 64) {
		n++;
		at = PCI_EXT_CAP_NEXT(rig_get(io, CONFIG, at, 4));
	}
	*next = at;
	return n;
}

static void test_chains(void **state)
{
	static const struct {
		const char *params;
		unsigned int caps, end, ext_caps, ext_end;
	} sets[] = {
		{ "", 5, 0, 14, 0 },
		{ "caps=min", 4, 0, 1, 0 },
		{ "caps=all,pm=off,msi=0,buffer=0x1000", 3, 0, 13, 0 },
		{ "chain=loop", 64, 0, 14, 0 },
		{ "chain=self", 64, 0, 14, 0 },
		{ "chain=short", 5, 0xfc, 14, 0 },
		{ "chain=header", 5, 0x10, 14, 0 },
		{ "chain=ext-loop", 5, 0, 64, 0 },
		{ "chain=ext-self", 5, 0, 64, 0 },
		{ "chain=ext-short", 5, 0, 14, 0xffc },
		{ "chain=ext-low", 5, 0, 14, 0x40 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct vfk_io *io = open_with(sets[i].params);
		unsigned int end;

		assert_int_equal(walk(io, &end), sets[i].caps);
		if (sets[i].caps < 64)
			assert_int_equal(end, sets[i].end);
		assert_int_equal(walk_ext(io, &end), sets[i].ext_caps);
		if (sets[i].ext_caps < 64)
			assert_int_equal(end, sets[i].ext_end);
		rig_close(io);
	}
}

static unsigned int region_size(struct vfk_io *io, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(io->ops->get_region_info(io, &info, NULL), 0);
	return (unsigned int)info.size;
}

static void test_nothing(void **state)
{
	struct vfk_io *io = open_with("caps=none,msi=0,msix=0,intx=off,rom=off,io=off,subpage=off,"
				      "sparse=off,buffer=0,type-region=off");
	struct vfio_device_info info = { .argsz = sizeof(info) };

	(void)state;
	assert_int_equal(io->ops->get_device_info(io, &info), 0);
	assert_int_equal(info.num_regions, OWN);
	assert_int_equal(region_size(io, CONFIG), 256);
	assert_int_equal(region_size(io, 1), 0);
	assert_int_equal(region_size(io, 2), 0);
	assert_int_equal(region_size(io, 5), 0);
	assert_int_equal(region_size(io, ROM), 0);
	assert_int_equal(rig_get(io, CONFIG, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
	assert_int_equal(rig_get(io, CONFIG, PCI_INTERRUPT_PIN, 1), 0);
	rig_close(io);
}

static void test_msix_places(void **state)
{
	static const struct {
		const char *params;
		uint32_t table, pba;
	} sets[] = {
		{ "", 0x8104, 0x10804 },
		{ "msix-table=own", 0x8004, 0x10004 },
		{ "pba=apart", 0x8104, 0x3000 },
		{ "msix-table=mappable,pba=apart", 0x8104, 0x3000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct vfk_io *io = open_with(sets[i].params);
		unsigned int cap = rig_cap(io, PCI_CAP_ID_MSIX);

		assert_int_equal(rig_get(io, CONFIG, cap + PCI_MSIX_TABLE, 4), sets[i].table);
		assert_int_equal(rig_get(io, CONFIG, cap + PCI_MSIX_PBA, 4), sets[i].pba);
		assert_int_equal(rig_get(io, 4, (sets[i].table & ~7u) + 12, 4), 1);
		/* What shares a page with the table is memory. */
		rig_put(io, 4, 0x10200, 4, 0xcafe);
		assert_int_equal(rig_get(io, 4, 0x10200, 4), 0xcafe);
		rig_close(io);
	}
}

/* ---- regions ---- */

static void test_rom(void **state)
{
	struct vfk_io *io = open_with("");
	uint8_t buf[0x10000], sum = 0;

	(void)state;
	assert_int_equal(region_size(io, ROM), sizeof(buf));
	assert_int_equal(rig_read(io, ROM, 0, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < 4096; i++)
		sum = (uint8_t)(sum + buf[i]);
	assert_int_equal(sum, 0);
	for (size_t at = 0; at < 8192; at += 4096) {
		assert_int_equal(buf[at] | buf[at + 1] << 8, 0xaa55);
		assert_memory_equal(&buf[at + buf[at + 0x18]], "PCIR\x34\x12\xe9\x11", 8);
		assert_int_equal(buf[at + 0x20 + 0x10], 8);
		assert_int_equal(buf[at + 0x20 + 0x15], at ? 0x80 : 0);
	}
	assert_int_equal(buf[8192], 0xff);
	rig_close(io);

	io = open_with("rom=broken,rom-size=0x800");
	assert_int_equal(rig_get(io, ROM, 0, 2), 0xaa00);
	assert_int_equal(rig_get(io, ROM, 1024, 2), 0xaa00);
	rig_close(io);
	io = open_with("rom=empty");
	assert_int_equal(rig_get(io, ROM, 0, 4), 0xffffffff);
	rig_close(io);
	io = open_with("rom=short");
	assert_int_equal(rig_read(io, ROM, 0, buf, sizeof(buf)), 8192);
	rig_close(io);
	io = open_with("rom=fail");
	assert_int_equal(rig_read(io, ROM, 0, buf, 4), -EIO);
	rig_close(io);
	io = open_with("rom=again");
	assert_int_equal(rig_read(io, ROM, 0, buf, 4), -EAGAIN);
	rig_close(io);
	io = open_with("rom=loop");
	assert_int_equal(rig_get(io, ROM, 0x30, 2), 0);
	rig_close(io);
	io = open_with("rom=too-long");
	assert_int_equal(rig_get(io, ROM, 0x30, 2), 0xffff);
	rig_close(io);
}

static void test_vga(void **state)
{
	struct vfk_io *io = open_with("vga=on");

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, PCI_CLASS_REVISION, 4) >> 24, 3);
	rig_put(io, VFIO_PCI_VGA_REGION_INDEX, 0xbfffc, 4, 0x1234);
	assert_int_equal(rig_get(io, VFIO_PCI_VGA_REGION_INDEX, 0xbfffc, 4), 0x1234);
	rig_put(io, VFIO_PCI_VGA_REGION_INDEX, 0x3df, 1, 0x42);
	assert_int_equal(rig_get(io, VFIO_PCI_VGA_REGION_INDEX, 0x3df, 1), 0x42);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(rig_get(io, VFIO_PCI_VGA_REGION_INDEX, 0xbfffc, 4), 0);
	rig_close(io);
}

/* Reset clears memory for those who have mapped it as well; a huge buffer costs nothing. */
static void test_memory(void **state)
{
	struct vfk_io *io = open_with("buffer=0x4000000000");
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 2 };
	struct vfk_region_fds fds = { .size = sizeof(fds) };
	uint32_t *word;

	(void)state;
	assert_int_equal(io->ops->get_region_info(io, &info, &fds), 0);
	assert_true(info.size == 1ull << 38);
	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[0],
		    (off_t)(info.offset + (1ull << 37)));
	assert_true(word != MAP_FAILED);
	*word = 0x600df00d;
	assert_int_equal(rig_get(io, 2, 1ull << 37, 4), 0x600df00d);
	rig_put(io, 1, 0, 4, 1);
	rig_put(io, 5, 0, 4, 2);
	rig_put(io, OWN, 0, 4, 3);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(*word, 0);
	assert_int_equal(rig_get(io, 1, 0, 4) | rig_get(io, 5, 0, 4) | rig_get(io, OWN, 0, 4), 0);
	munmap(word, 4096);
	close(fds.fd[0]);
	rig_close(io);
}

static void test_slot(void **state)
{
	const struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };
	struct vfk_io *io = open_with("functions=2");

	(void)state;
	assert_int_equal(io->ops->hot_reset(io, &reset), 0);
	assert_int_equal(rig_get(io, 0, RESETS, 4), 1);
	rig_close(io);
	io = open_with("functions=2,sibling=foreign");
	assert_int_equal(io->ops->hot_reset(io, &reset), -EINVAL);
	assert_int_equal(rig_get(io, 0, RESETS, 4), 0);
	rig_close(io);
}

static void refuse(const char *params, int want, const char *text)
{
	unsigned int fds = rig_count_fds();
	struct vfk_io *io;
	char uri[256];

	snprintf(uri, sizeof(uri), "model:testdev,%s", params);
	assert_int_equal(rig_try(uri, NULL, 0, &io), want);
	assert_non_null(strstr(vfk_error(), text));
	assert_int_equal(rig_count_fds(), fds);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("io=maybe", -EINVAL, "io=maybe is none of: off, on");
	refuse("rom=", -EINVAL, "none of: ok, off, broken");
	refuse("chain=knot", -EINVAL, "none of: ok, loop");
	refuse("msi=33", -ERANGE, "0 to 32");
	refuse("msi=3", -EINVAL, "MSI: 3 vectors");
	refuse("msix=2049", -ERANGE, "0 to 2048");
	refuse("msix=x", -EINVAL, "not a number");
	refuse("buffer=0x3000", -EINVAL, "BAR 2");
	refuse("rom-size=5000", -EINVAL, "ROM");
	refuse("functions=3", -ERANGE, "1 to 2");
	refuse("slow=10001", -ERANGE, "10000");
	refuse("caps=none,msi=0,msix=0,chain=loop", -EINVAL, "init");
	refuse("caps=min,chain=ext-loop", -EINVAL, "init");
	refuse("colour=red", -EINVAL, "colour");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),     cmocka_unit_test(test_dma),
		cmocka_unit_test(test_interrupts),    cmocka_unit_test(test_all_vectors),
		cmocka_unit_test(test_slow_and_fail), cmocka_unit_test(test_chains),
		cmocka_unit_test(test_nothing),	      cmocka_unit_test(test_msix_places),
		cmocka_unit_test(test_rom),	      cmocka_unit_test(test_vga),
		cmocka_unit_test(test_memory),	      cmocka_unit_test(test_slot),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
