/* SPDX-License-Identifier: BSD-3-Clause */
/* test_bar_map.c - BARs that are mapped: what of them, what typed accesses do then, and holding them back. */
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

#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "lib/pci/bar.h"
#include "lib/pci/instance.h"
#include "puppet_pci.h"

#define RW	(PROT_READ | PROT_WRITE)
#define RW_INFO (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)
#define SIZE	0x10000u
#define MSIX	0x40

static struct puppet_pci p;
static struct vfk_pci *pci;
static struct vfk_guard *guard;

/* What BAR 0 says of itself beside what the puppet says. */
static struct {
	int fd;
	uint32_t flags;
	bool mappable;
	uint32_t num_areas;
	struct vfio_region_sparse_mmap_area areas[8];
	int (*info)(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds);
} bar;

/* Bytes behind the info, with the chain that is asked for. */
static size_t chain(char *out)
{
	struct vfio_region_info_cap_sparse_mmap sparse = {
		.header = { .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1 },
		.nr_areas = bar.num_areas,
	};
	struct vfio_info_cap_header last = { .id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
					     .version = 1 };
	size_t len = 0;

	if (bar.num_areas) {
		len = sizeof(sparse) + bar.num_areas * sizeof(bar.areas[0]);
		if (bar.mappable)
			sparse.header.next = (uint32_t)(sizeof(struct vfio_region_info) + len);
		memcpy(out, &sparse, sizeof(sparse));
		memcpy(out + sizeof(sparse), bar.areas, len - sizeof(sparse));
	}
	if (bar.mappable) {
		memcpy(out + len, &last, sizeof(last));
		len += sizeof(last);
	}
	return len;
}

static int region_info(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	uint32_t room = info->argsz;
	char caps[512];
	size_t len;
	int ret = bar.info(io, info, fds);

	if (ret || info->index)
		return ret;
	len = chain(caps);
	info->offset = 0;
	info->flags = bar.flags | (len ? VFIO_REGION_INFO_FLAG_CAPS : 0);
	info->argsz = (uint32_t)(sizeof(*info) + len);
	if (len && room >= info->argsz) {
		info->cap_offset = sizeof(*info);
		memcpy(info + 1, caps, len);
	}
	if (fds && bar.fd >= 0) {
		fds->fd[0] = fcntl(bar.fd, F_DUPFD_CLOEXEC, 3);
		fds->count = 1;
	}
	return 0;
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	memset(&bar, 0, sizeof(bar));
	bar.fd = memfd_create("bar", MFD_CLOEXEC);
	if (bar.fd < 0 || ftruncate(bar.fd, SIZE) < 0)
		return -1;
	bar.flags = RW_INFO | VFIO_REGION_INFO_FLAG_MMAP;
	bar.info = p.ops.get_region_info;
	p.ops.get_region_info = region_info;
	p.regions[0].size = SIZE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (pci)
		pp_close(pci);
	pci = NULL;
	vfk_guard_destroy(guard);
	guard = NULL;
	close(bar.fd);
	pp_fini(&p);
	return 0;
}

static void reopen(void)
{
	if (pci)
		pp_close(pci);
	pci = pp_open(&p);
}

/* Table and pending bits of BAR 0, or of another one. */
static void msix(uint32_t vectors, uint32_t table, uint32_t pba)
{
	if (!p.config[PCI_CAPABILITY_LIST])
		pp_cap(&p, MSIX, PCI_CAP_ID_MSIX);
	pp_set16(&p, MSIX + PCI_MSIX_FLAGS, (uint16_t)(vectors - 1));
	pp_set32(&p, MSIX + PCI_MSIX_TABLE, table);
	pp_set32(&p, MSIX + PCI_MSIX_PBA, pba);
}

/* The areas are these; {0, 0} ends them. */
static void areas(const struct vfk_region_area *want)
{
	struct vfk_region_area area = { 0 };

	reopen();
	for (; want->length; want++) {
		assert_int_equal(vfk_pci_bar_next_area(pci, 0, &area), 1);
		assert_int_equal(area.offset, want->offset);
		assert_int_equal(area.length, want->length);
	}
	assert_int_equal(vfk_pci_bar_next_area(pci, 0, &area), 0);
}

#define AREAS(...) areas((const struct vfk_region_area[]){ __VA_ARGS__, { 0, 0 } })
#define NO_AREAS() areas((const struct vfk_region_area[]){ { 0, 0 } })

static void test_areas(void **state)
{
	(void)state;
	AREAS({ 0, SIZE });
	bar.flags = RW_INFO;
	NO_AREAS();
	bar.flags |= VFIO_REGION_INFO_FLAG_MMAP;
	bar.num_areas = 3;
	bar.areas[0] = (struct vfio_region_sparse_mmap_area){ 0x4000, 0x1000 };
	bar.areas[1] = (struct vfio_region_sparse_mmap_area){ 0x1000, 0x2000 };
	bar.areas[2] = (struct vfio_region_sparse_mmap_area){ 0x5800, 0x1900 }; /* half pages */
	AREAS({ 0x1000, 0x2000 }, { 0x4000, 0x1000 }, { 0x6000, 0x1100 });
}

static void test_msix_pages_left_out(void **state)
{
	(void)state;
	msix(4, 0x2000, 0x3000);
	AREAS({ 0, 0x2000 }, { 0x4000, SIZE - 0x4000 });
	msix(4, 0x2ff0, 0x8ff8); /* on pages shared with other things; over their ends */
	AREAS({ 0, 0x2000 }, { 0x4000, 0x4000 }, { 0x9000, SIZE - 0x9000 });
	msix(2048, 0x0, 0xf000);
	AREAS({ 0x8000, 0x7000 });
	msix(4, 0x3000, 0x2000); /* the other way round */
	AREAS({ 0, 0x2000 }, { 0x4000, SIZE - 0x4000 });
	msix(4, 0x2000, 0x2800);
	AREAS({ 0, 0x2000 }, { 0x3000, SIZE - 0x3000 });
	msix(4, 0x2000 | 1, 0xfffffff8 | 0); /* another BAR; beyond the end */
	AREAS({ 0, SIZE });
	msix(4, 0x2000, 0x3000);
	bar.mappable = true;
	AREAS({ 0, SIZE });
	bar.mappable = false;
	bar.num_areas = 2;
	bar.areas[0] = (struct vfio_region_sparse_mmap_area){ 0x1000, 0x1800 };
	bar.areas[1] = (struct vfio_region_sparse_mmap_area){ 0x2800, 0x2000 };
	AREAS({ 0x1000, 0x1000 }, { 0x4000, 0x800 });
	bar.num_areas = 1;
	bar.areas[0] = (struct vfio_region_sparse_mmap_area){ 0x2000, 0x2000 };
	NO_AREAS();
}

/* Whether an access of the width at @off goes by the vector. */
static bool by_vector(uint64_t off, unsigned int width)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;
	uint8_t v8;
	int ret;

	pp_forget(&p);
	if (width == 1)
		ret = vfk_pci_read8(pci, 0, off, &v8);
	else if (width == 2)
		ret = vfk_pci_read16(pci, 0, off, &v16);
	else if (width == 4)
		ret = vfk_pci_read32(pci, 0, off, &v32);
	else
		ret = vfk_pci_read64(pci, 0, off, &v64);
	assert_int_equal(ret, 0);
	return pp_count(&p, PP_READ) == 1;
}

static void test_access(void **state)
{
	static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t v8 = 0, out[8];
	uint16_t v16 = 0;
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	(void)state;
	reopen();
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	pp_forget(&p);
	assert_int_equal(pwrite(bar.fd, bytes, 8, 0x1000), 8);
	assert_int_equal(vfk_pci_read8(pci, 0, 0x1001, &v8), 0);
	assert_int_equal(v8, 2);
	assert_int_equal(vfk_pci_read16(pci, 0, 0x1002, &v16), 0);
	assert_int_equal(v16, 0x0403);
	assert_int_equal(vfk_pci_read32(pci, 0, 0x1004, &v32), 0);
	assert_int_equal(v32, 0x08070605);
	assert_int_equal(vfk_pci_read64(pci, 0, 0x1000, &v64), 0);
	assert_int_equal(v64, 0x0807060504030201);
	assert_int_equal(vfk_pci_write8(pci, 0, 0, 0xf1), 0);
	assert_int_equal(vfk_pci_write16(pci, 0, 2, 0xf2f3), 0);
	assert_int_equal(vfk_pci_write32(pci, 0, 4, 0xf4f5f6f7), 0);
	assert_int_equal(pread(bar.fd, out, 8, 0), 8);
	assert_memory_equal(out, ((uint8_t[]){ 0xf1, 0, 0xf3, 0xf2, 0xf7, 0xf6, 0xf5, 0xf4 }), 8);
	assert_int_equal(vfk_pci_write64(pci, 0, 8, 0x1122334455667788), 0);
	assert_int_equal(pread(bar.fd, out, 8, 8), 8);
	assert_int_equal(out[0], 0x88);
	assert_int_equal(out[7], 0x11);
	assert_int_equal(p.num_calls, 0);
	/* bounds first */
	assert_int_equal(vfk_pci_read32(pci, 0, SIZE - 2, &v32), -EINVAL);
	assert_int_equal(vfk_pci_write64(pci, 0, SIZE, 0), -EINVAL);
	assert_int_equal(p.num_calls, 0);
	/* not one access */
	assert_true(by_vector(1, 2));
	assert_true(by_vector(2, 4));
	assert_true(by_vector(4, 8));
	assert_false(by_vector(SIZE - 1, 1));
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
}

static void test_access_between_areas(void **state)
{
	(void)state;
	msix(4, 0x2000, 0x3000);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_false(by_vector(0x1ffc, 4));
	assert_true(by_vector(0x2000, 4));
	assert_true(by_vector(0x3ffc, 4));
	assert_false(by_vector(0x4000, 4));
	assert_false(by_vector(SIZE - 8, 8));
}

/* Without memory decoding the mapping is not used, whoever turned that off. */
static void test_decoding(void **state)
{
	const void *rom;
	size_t len;

	(void)state;
	p.writable[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	p.regions[VFIO_PCI_ROM_REGION_INDEX].size = 0x800;
	p.regions[VFIO_PCI_ROM_REGION_INDEX].flags = VFIO_REGION_INFO_FLAG_READ;
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(vfk_pci_set_decode(pci, false, false), 0);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_set_decode(pci, false, true), 0);
	assert_true(by_vector(0, 4));
	/* as before a ROM was read */
	assert_int_equal(vfk_pci_rom_load(pci, &rom, &len), 0);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_IO);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(vfk_pci_config_write(pci, PCI_COMMAND, 2, 0), 0);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_config_write(pci, PCI_COMMAND, 4, PCI_COMMAND_MEMORY), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(vfk_pci_config_modify(pci, PCI_COMMAND, 2, 0xffff, 0, NULL), 0);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_config_write(pci, PCI_COMMAND, 1, PCI_COMMAND_MEMORY), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(pci->bars.held, 0);
}

/* Nor is it off because it could not be turned off, or was so all along. */
static void test_decoding_stays(void **state)
{
	(void)state;
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(vfk_pci_set_decode(pci, false, false), -ENOTSUP);
	assert_false(by_vector(0, 4));
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_config_write(pci, PCI_COMMAND, 2, 0), -EIO);
	assert_false(by_vector(0, 4));
	pp_set16(&p, PCI_COMMAND, 0);
	assert_int_equal(vfk_pci_set_decode(pci, true, false), -ENOTSUP);
	assert_false(by_vector(0, 4));
	assert_int_equal(vfk_pci_config_write(pci, PCI_COMMAND, 2, 0), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(pci->bars.held, 0);
}

/* A device that has its command register back after a reset, whoever wrote it, is mapped again; another is not. */
static void test_decoding_after_reset(void **state)
{
	(void)state;
	p.writable[PCI_COMMAND] = PCI_COMMAND_MEMORY;
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_false(by_vector(0, 4));
	/* the write that turns it on again is the second */
	pp_fail(&p, PP_WRITE, 1, 1, -EIO);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EIO);
	assert_true(by_vector(0, 4));
	assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
	assert_false(by_vector(0, 4));
}

/* How many mappings of the BAR's file this process has. */
static unsigned int num_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:bar") != NULL;
	fclose(f);
	return n;
}

static void test_map_once(void **state)
{
	(void)state;
	reopen();
	assert_int_equal(num_maps(), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(num_maps(), 1);
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	assert_int_equal(num_maps(), 0);
	msix(4, 0x2000, 0x3000);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(num_maps(), 2);
	/* close of the PCI device is enough */
	vfk_device_check(vfk_pci_device(pci));
	{
		struct vfk_device *dev = vfk_pci_device(pci);

		vfk_pci_close(pci);
		pci = NULL;
		assert_int_equal(num_maps(), 0);
		vfk_device_close(dev);
	}
}

static void test_nothing_to_map(void **state)
{
	(void)state;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 1), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 6), -EINVAL);
	assert_int_equal(vfk_pci_bar_unmap(pci, 6), -EINVAL);
	bar.flags = RW_INFO;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_true(by_vector(0, 4));
	/* it says that it can be mapped, and has no file */
	bar.flags = RW_INFO | VFIO_REGION_INFO_FLAG_MMAP;
	close(bar.fd);
	bar.fd = -1;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_true(by_vector(0, 4));
}

/* A failure at the second piece takes the first one back. */
static void test_map_fails_whole(void **state)
{
	(void)state;
	msix(4, 0x2000, 0x3000);
	assert_int_equal(ftruncate(bar.fd, 0x8000), 0);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), -EPROTO);
	assert_int_equal(num_maps(), 0);
	assert_true(by_vector(0, 4));
	assert_int_equal(ftruncate(bar.fd, SIZE), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_false(by_vector(0, 4));
}

static void test_sub_page(void **state)
{
	uint32_t v = 0;

	(void)state;
	p.regions[0].size = 0x80;
	assert_int_equal(ftruncate(bar.fd, 0x80), 0);
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_false(by_vector(0x7c, 4));
	assert_int_equal(vfk_pci_read32(pci, 0, 0x80, &v), -EINVAL);
	AREAS({ 0, 0x80 });
}

static void test_one_direction(void **state)
{
	uint32_t v;

	(void)state;
	bar.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_false(by_vector(0, 4));
	assert_int_equal(vfk_pci_write32(pci, 0, 0, 1), -EACCES);
	bar.flags = VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	pp_forget(&p);
	assert_int_equal(vfk_pci_write32(pci, 0, 0, 1), 0);
	assert_int_equal(p.num_calls, 0);
	assert_int_equal(vfk_pci_read32(pci, 0, 0, &v), -EACCES);
}

static void test_range(void **state)
{
	uint32_t *reg;
	void *addr = &addr, *other;

	(void)state;
	msix(4, 0x2000, 0x3000);
	reopen();
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0x1008, 8, RW, &addr), 0);
	assert_int_equal((uintptr_t)addr & 0xfff, 8);
	reg = addr;
	*(volatile uint32_t *)reg = 0x12345678;
	assert_int_equal(pread(bar.fd, &(uint32_t){ 0 }, 4, 0x1008), 4);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	{
		uint32_t v = 0;

		assert_int_equal(vfk_pci_read32(pci, 0, 0x1008, &v), 0);
		assert_int_equal(v, le32toh(0x12345678));
	}
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0x1000, 0x1000, PROT_READ, &other), 0);
	assert_int_equal(num_maps(), 4);
	assert_int_equal(vfk_pci_bar_unmap_range(pci, (char *)addr - 8), -ENOENT);
	assert_int_equal(vfk_pci_bar_unmap_range(pci, addr), 0);
	assert_int_equal(vfk_pci_bar_unmap_range(pci, addr), -ENOENT);
	assert_int_equal(num_maps(), 3);
	reopen(); /* takes back the other one */
	assert_int_equal(num_maps(), 0);
}

static void test_range_refused(void **state)
{
	void *addr = &addr;

	(void)state;
	msix(4, 0x2000, 0x3000);
	bar.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP;
	reopen();
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0, 0, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, SIZE, 1, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 1, UINT64_MAX, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0x1000, 0x1001, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0x2010, 4, PROT_READ, &addr), -ENOTSUP);
	assert_int_equal(vfk_pci_bar_map_range(pci, 1, 0, 4, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 6, 0, 4, PROT_READ, &addr), -EINVAL);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0, 4, RW, &addr), -EACCES);
	assert_int_equal(vfk_pci_bar_map_range(pci, 0, 0, 4, 0, &addr), -EINVAL);
	assert_ptr_equal(addr, &addr);
	assert_int_equal(num_maps(), 0);
}

static void hold(void)
{
	vfki_pci_lock(pci);
	vfki_pci_bars_hold(pci);
	vfki_pci_unlock(pci);
}

static void release(void)
{
	vfki_pci_lock(pci);
	vfki_pci_bars_release(pci);
	vfki_pci_unlock(pci);
}

static void test_hold(void **state)
{
	(void)state;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	hold();
	assert_true(by_vector(0, 4));
	hold();
	release();
	assert_true(by_vector(0, 4));
	release();
	assert_false(by_vector(0, 4));
	/* what is mapped meanwhile waits; what is unmapped is not there again */
	hold();
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_true(by_vector(0, 4));
	release();
	assert_false(by_vector(0, 4));
	hold();
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	release();
	assert_true(by_vector(0, 4));
}

static atomic_bool stop;
static atomic_uint rounds;

static void *access_all_the_time(void *arg)
{
	uint32_t v;

	while (!atomic_load(&stop)) {
		if (vfk_pci_read32(pci, 0, 0x100, &v) || vfk_pci_write32(pci, 0, 0x104, v))
			return arg;
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

static ssize_t quiet_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	(void)io, (void)region, (void)off;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static ssize_t quiet_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			   size_t len, unsigned int flags)
{
	(void)io, (void)region, (void)off, (void)buf, (void)flags;
	return (ssize_t)len;
}

/* Unmapped under the feet of two threads: neither dies, and both go on. */
static void test_racing(void **state)
{
	pthread_t thread[2];
	void *failed;

	(void)state;
	p.ops.region_read = quiet_read; /* the puppet's log is not for threads */
	p.ops.region_write = quiet_write;
	reopen();
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, access_all_the_time, &stop), 0);
	for (int i = 0; i < 1500; i++) {
		unsigned int before = atomic_load(&rounds);

		assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
		while (i % 10 == 0 && atomic_load(&rounds) == before)
			sched_yield();
		hold();
		release();
		assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
}

/* Somebody who never left is waited for, not for ever, and the mapping is still there for him. */
static void test_access_that_does_not_end(void **state)
{
	(void)state;
	reopen();
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	atomic_fetch_add(&pci->bars.stripe[3].users, 1);
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), -EBUSY);
	assert_int_equal(num_maps(), 1);
	assert_false(by_vector(0, 4));
	atomic_fetch_sub(&pci->bars.stripe[3].users, 1);
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
}

/* What a SIGBUS handler would do; the access that it happened in says so already. */
static void test_guard(void **state)
{
	struct vfk_open_opts o = { .size = sizeof(o) };
	struct vfk_device *dev = NULL;
	uint32_t v = 7;

	(void)state;
	assert_int_equal(vfk_guard_create(4, &guard), 0);
	o.guard = guard;
	assert_int_equal(vfk_io_init(&p.io, &p.ops, "puppet"), 0);
	assert_int_equal(vfk_device_open_io(&p.io, &o, &dev), 0);
	assert_int_equal(vfk_pci_open(dev, &pci), 0);
	assert_int_equal(vfk_pci_bar_map(pci, 0), 0);
	assert_int_equal(vfk_pci_read32(pci, 0, 0, &v), 0);
	assert_int_equal(vfk_device_check(dev), 0);
	assert_int_equal(vfk_guard_handle(guard, pci->bars.bar[0].mapped->pieces[0].addr), 0);
	v = 7;
	assert_int_equal(vfk_pci_read32(pci, 0, 0, &v), -EPROTO);
	assert_int_equal(v, 7);
	assert_int_equal(vfk_pci_write32(pci, 0, 0, 1), -EPROTO);
	assert_int_equal(vfk_device_check(dev), -EPROTO);
	assert_int_equal(vfk_pci_bar_unmap(pci, 0), 0);
	assert_int_equal(vfk_pci_read32(pci, 0, 0, &v), -EPROTO);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_areas),
		TEST(test_msix_pages_left_out),
		TEST(test_access),
		TEST(test_decoding),
		TEST(test_decoding_stays),
		TEST(test_decoding_after_reset),
		TEST(test_access_between_areas),
		TEST(test_map_once),
		TEST(test_nothing_to_map),
		TEST(test_map_fails_whole),
		TEST(test_sub_page),
		TEST(test_one_direction),
		TEST(test_range),
		TEST(test_range_refused),
		TEST(test_hold),
		TEST(test_racing),
		TEST(test_access_that_does_not_end),
		TEST(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
