/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region.c - regions beside BARs: expansion ROM, VGA, a model's own; and what their infos say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define ROM VFIO_PCI_ROM_REGION_INDEX
#define VGA VFIO_PCI_VGA_REGION_INDEX
#define OWN VFIO_PCI_NUM_REGIONS

/* VFIO_REGION_TYPE_PCI_VENDOR_TYPE, which <linux/vfio.h> gets by shifting into the sign. */
#define PCI_VENDOR_TYPE (1u << 31)

static const uint8_t image[3000] = { [0] = 0x55, [1] = 0xaa, [2999] = 0x77 };
static struct vfk_model_rom rom;
static int own_fd = -1;

static int declare_rom(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : probe_bar(m, 0, 4096, 0);
	return ret ? ret : vfk_model_add_rom(m, &rom);
}

static struct vfk_io *open_rom(const void *data, size_t len, uint64_t length, uint32_t flags)
{
	rom = (struct vfk_model_rom){
		.size = sizeof(rom), .data = data, .len = len, .length = length, .flags = flags
	};
	return rig_probe(declare_rom, 0);
}

static struct vfio_region_info info_of(struct vfk_io *io, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(io->ops->get_region_info(io, &info, NULL), 0);
	return info;
}

static void test_rom_info(void **state)
{
	struct vfk_io *io = open_rom(image, sizeof(image), 0, 0);

	(void)state;
	assert_int_equal(info_of(io, ROM).size, 4096);
	assert_int_equal(info_of(io, ROM).flags, VFIO_REGION_INFO_FLAG_READ);
	rig_close(io);
	io = open_rom(image, 1, 0, 0); /* address bits below 11 are no part of the BAR */
	assert_int_equal(info_of(io, ROM).size, 2048);
	rig_close(io);
	io = open_rom(image, 1, 0x10000, 0);
	assert_int_equal(info_of(io, ROM).size, 0x10000);
	rig_close(io);
	io = rig_probe(NULL, 0);
	assert_int_equal(info_of(io, ROM).size, 0);
	assert_int_equal(info_of(io, ROM).flags, 0);
	rig_close(io);
}

static void test_rom_bar(void **state)
{
	struct vfk_io *io = open_rom(image, sizeof(image), 0, 0);
	uint64_t was = rig_get(io, CONFIG, PCI_ROM_ADDRESS, 4);

	(void)state;
	assert_true(was && !(was & 0xfff));
	rig_put(io, CONFIG, PCI_ROM_ADDRESS, 4, 0xfffff800);
	assert_int_equal(rig_get(io, CONFIG, PCI_ROM_ADDRESS, 4), 0xfffff000);
	rig_put(io, CONFIG, PCI_ROM_ADDRESS, 4, was | 0x7ff);
	assert_int_equal(rig_get(io, CONFIG, PCI_ROM_ADDRESS, 4), was | PCI_ROM_ADDRESS_ENABLE);
	rig_close(io);
}

static void test_rom_read(void **state)
{
	struct vfk_io *io = open_rom(image, sizeof(image), 0, 0);
	uint8_t buf[4096];

	(void)state;
	assert_int_equal(rig_read(io, ROM, 0, buf, sizeof(buf)), sizeof(buf));
	assert_memory_equal(buf, image, sizeof(image));
	for (size_t i = sizeof(image); i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xff);
	assert_int_equal(rig_get(io, ROM, 2998, 4), 0xffff7700);
	assert_int_equal(rig_get(io, ROM, 4092, 4), 0xffffffff);
	assert_int_equal(rig_read(io, ROM, 4092, buf, 5), -EINVAL);
	assert_int_equal(rig_write(io, ROM, 0, buf, 4), -EACCES);
	rig_command(io, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(rig_read(io, ROM, 0, buf, 4), -EIO);
	rig_close(io);
}

static void test_rom_short(void **state)
{
	struct vfk_io *io = open_rom(image, sizeof(image), 0, VFK_ROM_SHORT);
	uint8_t buf[4096];

	(void)state;
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(rig_read(io, ROM, 0, buf, sizeof(buf)), sizeof(image));
	assert_int_equal(buf[sizeof(image)], 0x5a);
	assert_int_equal(rig_read(io, ROM, 2999, buf, 4), 1);
	assert_int_equal(rig_read(io, ROM, 3000, buf, 4), -EIO);
	rig_close(io);
}

/* Without data the model answers, as it likes. */
static void test_rom_of_model(void **state)
{
	struct vfk_io *io = open_rom(NULL, 0, 0, 0);
	uint8_t buf[16];

	(void)state;
	assert_int_equal(info_of(io, ROM).size, 2048);
	memcpy(probe.memory, "\x55\xaa", 2);
	assert_int_equal(rig_get(io, ROM, 0, 2), 0xaa55);
	probe.region_limit = 3;
	assert_int_equal(rig_read(io, ROM, 0, buf, 16), 3);
	probe.fail = -EAGAIN;
	assert_int_equal(rig_read(io, ROM, 0, buf, 16), -EAGAIN);
	rig_close(io);
}

static void refuse_rom(const void *data, size_t len, uint64_t length, uint32_t flags)
{
	struct vfk_io *io;

	rom = (struct vfk_model_rom){
		.size = sizeof(rom), .data = data, .len = len, .length = length, .flags = flags
	};
	probe_reset(declare_rom);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
	assert_non_null(strstr(vfk_error(), "ROM"));
}

static int declare_rom_twice(struct vfk_model *m)
{
	int ret = declare_rom(m);

	return ret ? ret : vfk_model_add_rom(m, &rom);
}

static void test_rom_refused(void **state)
{
	struct vfk_io *io;

	(void)state;
	refuse_rom(image, 0, 0, 0);
	refuse_rom(NULL, 5, 0, 0);
	refuse_rom(image, 5, 1024, 0);
	refuse_rom(image, 5, 3000, 0);
	refuse_rom(image, 3000, 2048, 0);
	refuse_rom(image, 5, 1ull << 32, 0);
	refuse_rom(image, 5, 0, 0x80);
	rom = (struct vfk_model_rom){ .size = sizeof(rom), .data = image, .len = 5 };
	probe_reset(declare_rom_twice);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EEXIST);
}

/* ---- VGA ---- */

static int declare_vga(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : vfk_model_add_vga(m);
}

static void test_vga(void **state)
{
	struct vfk_io *io = rig_probe(declare_vga, 0);
	uint8_t buf[0x20] = { 0 };

	(void)state;
	assert_int_equal(info_of(io, VGA).size, 0xc0000);
	assert_int_equal(info_of(io, VGA).flags,
			 VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	rig_put(io, VGA, 0xa0000, 4, 0x12345678);
	assert_int_equal(rig_get(io, VGA, 0xa0000, 4), 0x12345678);
	assert_int_equal(probe.log[0].off, 0xa0000);
	/* An access ends with its range. */
	assert_int_equal(rig_write(io, VGA, 0x3b8, buf, 8), 4);
	assert_int_equal(rig_read(io, VGA, 0x3c0, buf, 0x20), 0x20);
	assert_int_equal(rig_read(io, VGA, 0xbffff, buf, 1), 1);
	assert_int_equal(rig_read(io, VGA, 0, buf, 4), -EINVAL);
	assert_int_equal(rig_read(io, VGA, 0x3bc, buf, 4), -EINVAL);
	assert_int_equal(rig_read(io, VGA, 0x3e0, buf, 4), -EINVAL);
	assert_int_equal(rig_read(io, VGA, 0x9fffc, buf, 4), -EINVAL);
	assert_int_equal(rig_read(io, VGA, 0xbffff, buf, 2), -EINVAL);
	probe.fail = -EIO;
	assert_int_equal(rig_read(io, VGA, 0xa0000, buf, 4), -EIO);
	rig_close(io);
	io = rig_probe(NULL, 0);
	assert_int_equal(info_of(io, VGA).size, 0);
	assert_int_equal(rig_read(io, VGA, 0xa0000, buf, 4), -EINVAL);
	rig_close(io);
}

/* ---- a model's own ---- */

static const struct vfk_region_area area = { 0x1000, 0x1000 };

static int declare_own(struct vfk_model *m)
{
	const struct vfk_model_region first = {
		.size = sizeof(first),
		.length = 100,
		.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
		.type = PCI_VENDOR_TYPE | 0x1af4,
		.subtype = 7,
		.fd = -1,
	};
	const struct vfk_model_region second = {
		.size = sizeof(second),
		.length = 0x3000,
		.flags = VFIO_REGION_INFO_FLAG_READ,
		.type = VFIO_REGION_TYPE_GFX,
		.fd = own_fd,
		.areas = &area,
		.num_areas = 1,
	};
	unsigned int index = 0;
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_region(m, &first, &index);
	assert_int_equal(index, OWN);
	ret = ret ? ret : vfk_model_add_region(m, &second, &index);
	assert_int_equal(index, OWN + 1);
	return ret;
}

static const struct vfio_info_cap_header *cap_of(const struct vfio_region_info *info, uint16_t id)
{
	uint32_t at = info->cap_offset;

	while (at) {
		const struct vfio_info_cap_header *h = (const void *)((const char *)info + at);

		assert_true(at + sizeof(*h) <= info->argsz);
		if (h->id == id)
			return h;
		at = h->next;
	}
	return NULL;
}

static void test_own(void **state)
{
	struct vfio_device_info dev = { .argsz = sizeof(dev) };
	union {
		struct vfio_region_info info;
		uint8_t room[256];
	} u = { .info = { .argsz = sizeof(u), .index = OWN } };
	const struct vfio_region_info_cap_type *type;
	struct vfk_io *io;
	uint8_t buf[8];

	(void)state;
	own_fd = memfd_create("own", MFD_CLOEXEC);
	assert_int_equal(ftruncate(own_fd, 0x3000), 0);
	io = rig_probe(declare_own, 0);
	assert_int_equal(io->ops->get_device_info(io, &dev), 0);
	assert_int_equal(dev.num_regions, OWN + 2);
	assert_int_equal(io->ops->get_region_info(io, &u.info, NULL), 0);
	assert_int_equal(u.info.size, 100);
	type = (const void *)cap_of(&u.info, VFIO_REGION_INFO_CAP_TYPE);
	assert_non_null(type);
	assert_int_equal(type->type, PCI_VENDOR_TYPE | 0x1af4);
	assert_int_equal(type->subtype, 7);
	rig_put(io, OWN, 96, 4, 0xcafe);
	assert_int_equal(rig_get(io, OWN, 96, 4), 0xcafe);
	assert_int_equal(probe.accesses, 2);
	assert_int_equal(rig_read(io, OWN, 96, buf, 5), -EINVAL);
	assert_int_equal(rig_read(io, OWN + 2, 0, buf, 4), -EINVAL);
	rig_close(io);
	close(own_fd);
}

/* Memory that can be mapped is answered from; sparse areas and type stand in one chain. */
static void test_own_memory(void **state)
{
	union {
		struct vfio_region_info info;
		uint8_t room[256];
	} u = { .info = { .argsz = sizeof(u.info), .index = OWN + 1 } };
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	struct vfk_region_fds fds = { .size = sizeof(fds) };
	struct vfk_io *io;
	uint32_t word = 0x600df00d;

	(void)state;
	own_fd = memfd_create("own", MFD_CLOEXEC);
	assert_int_equal(ftruncate(own_fd, 0x3000), 0);
	io = rig_probe(declare_own, 0);
	/* No room for the chain: its size, no file. */
	assert_int_equal(io->ops->get_region_info(io, &u.info, &fds), 0);
	assert_true(u.info.argsz > sizeof(u.info));
	assert_int_equal(u.info.cap_offset, 0);
	assert_int_equal(fds.count, 0);
	assert_int_equal(io->ops->get_region_info(io, &u.info, &fds), 0);
	assert_int_equal(u.info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP |
					       VFIO_REGION_INFO_FLAG_CAPS);
	sparse = (const void *)cap_of(&u.info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_non_null(sparse);
	assert_int_equal(sparse->nr_areas, 1);
	assert_int_equal(sparse->areas[0].offset, 0x1000);
	assert_non_null(cap_of(&u.info, VFIO_REGION_INFO_CAP_TYPE));
	assert_int_equal(fds.count, 1);
	assert_int_equal(pwrite(fds.fd[0], &word, 4, 0x2ffc), 4);
	assert_int_equal(rig_get(io, OWN + 1, 0x2ffc, 4), word);
	assert_int_equal(probe.accesses, 0);
	close(fds.fd[0]);
	rig_close(io);
	close(own_fd);
}

static struct vfk_model_region bad;

static int declare_bad(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : vfk_model_add_region(m, &bad, NULL);
}

static int declare_many(struct vfk_model *m)
{
	int ret = 0;

	bad = (struct vfk_model_region){ .size = sizeof(bad), .length = 1, .flags = 1, .fd = -1 };
	for (int i = 0; i < 17 && !ret; i++)
		ret = vfk_model_add_region(m, &bad, NULL);
	return ret;
}

static void refuse(struct vfk_model_region region, int (*declare)(struct vfk_model *), int want)
{
	struct vfk_io *io;

	bad = region;
	probe_reset(declare);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), want);
}

static void test_own_refused(void **state)
{
	const struct vfk_model_region ok = {
		.size = sizeof(ok), .length = 16, .flags = VFIO_REGION_INFO_FLAG_READ, .fd = -1
	};
	struct vfk_model_region r = ok;

	(void)state;
	r.size = 8;
	refuse(r, declare_bad, -EINVAL);
	r = ok;
	r.length = 0;
	refuse(r, declare_bad, -EINVAL);
	r = ok;
	r.flags = VFIO_REGION_INFO_FLAG_MMAP;
	refuse(r, declare_bad, -EINVAL);
	r.flags = 0;
	refuse(r, declare_bad, -EINVAL);
	refuse(ok, declare_many, -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rom_info),     cmocka_unit_test(test_rom_bar),
		cmocka_unit_test(test_rom_read),     cmocka_unit_test(test_rom_short),
		cmocka_unit_test(test_rom_of_model), cmocka_unit_test(test_rom_refused),
		cmocka_unit_test(test_vga),	     cmocka_unit_test(test_own),
		cmocka_unit_test(test_own_memory),   cmocka_unit_test(test_own_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
