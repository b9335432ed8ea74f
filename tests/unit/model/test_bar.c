/* SPDX-License-Identifier: BSD-3-Clause */
/* test_bar.c - BARs: sizes of accesses, splitting, memory that can be mapped, the MSI-X table and pending bits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define BAR_LEN 0x4000u

static int bar_fd = -1;
static const struct vfk_region_area areas[] = { { 0x2000, 0x1000 }, { 0x1000, 0x1000 } };
static const struct vfk_region_area page0 = { 0, 0x1000 };

static int add(struct vfk_model *m, uint32_t min, uint32_t max)
{
	const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = 4096,
		.min_access = min,
		.max_access = max,
		.fd = -1,
	};

	return vfk_model_add_bar(m, 0, &bar);
}

static int declare_4_to_8(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : add(m, 4, 8);
}

static int declare_up_to_8(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : add(m, 0, 8);
}

static int declare_up_to_2(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : add(m, 0, 2);
}

static void expect(unsigned int i, bool write, uint64_t off, size_t len)
{
	assert_true(i < probe.accesses);
	assert_int_equal(probe.log[i].write, write);
	assert_int_equal(probe.log[i].off, off);
	assert_int_equal(probe.log[i].len, len);
}

static void test_any_size(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	uint8_t buf[100];

	(void)state;
	assert_int_equal(rig_read(io, 0, 7, buf, 100), 100);
	assert_int_equal(rig_write(io, 0, 3, buf, 4), 4);
	assert_int_equal(rig_read(io, 0, 4095, buf, 1), 1);
	assert_int_equal(probe.accesses, 3);
	expect(0, false, 7, 100);
	expect(1, true, 3, 4);
	rig_close(io);
}

static void test_too_small(void **state)
{
	struct vfk_io *io = rig_probe(declare_4_to_8, 0);
	uint8_t buf[16];

	(void)state;
	assert_int_equal(rig_read(io, 0, 0, buf, 1), -EINVAL);
	assert_int_equal(rig_read(io, 0, 0, buf, 2), -EINVAL);
	assert_int_equal(rig_write(io, 0, 0, buf, 6), -EINVAL);
	assert_int_equal(rig_write(io, 0, 2, buf, 4), -EINVAL);
	assert_int_equal(probe.accesses, 0);
	rig_close(io);
}

static void test_split(void **state)
{
	struct vfk_io *io = rig_probe(declare_4_to_8, 0);
	uint8_t buf[28], back[28];

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i + 1);
	assert_int_equal(rig_write(io, 0, 4, buf, 28), 28);
	assert_int_equal(probe.accesses, 4);
	expect(0, true, 4, 4);
	expect(1, true, 8, 8);
	expect(3, true, 24, 8);
	assert_int_equal(rig_read(io, 0, 4, back, 28), 28);
	assert_memory_equal(buf, back, 28);
	probe.accesses = 0;
	assert_int_equal(rig_read(io, 0, 4, back, 8),
			 8); /* 8 fits: it is one access, aligned or not */
	assert_int_equal(probe.accesses, 1);
	rig_close(io);

	io = rig_probe(declare_up_to_2, 0);
	assert_int_equal(rig_read(io, 0, 1, back, 4), 4);
	assert_int_equal(probe.accesses, 3);
	expect(0, false, 1, 1);
	expect(1, false, 2, 2);
	expect(2, false, 4, 1);
	rig_close(io);

	/* Whoever names a largest size thinks of registers: 1, 2, 4, 8. */
	io = rig_probe(declare_up_to_8, 0);
	assert_int_equal(rig_read(io, 0, 8, back, 7), 7);
	assert_int_equal(probe.accesses, 3);
	expect(0, false, 8, 4);
	expect(1, false, 12, 2);
	expect(2, false, 14, 1);
	rig_close(io);
}

static void test_model_refuses(void **state)
{
	struct vfk_io *io = rig_probe(declare_4_to_8, 0);
	uint8_t buf[16];

	(void)state;
	probe.fail = -EIO;
	assert_int_equal(rig_read(io, 0, 0, buf, 4), -EIO);
	assert_int_equal(rig_write(io, 0, 0, buf, 16), -EIO);
	assert_int_equal(probe.accesses, 2); /* it stops where it fails */
	/* The door does not look behind these: what is no -errno ends here. */
	probe.fail = -ENOTTY;
	assert_int_equal(rig_read(io, 0, 0, buf, 4), -ENOTSUP);
	probe.fail = -4096;
	assert_int_equal(rig_read(io, 0, 0, buf, 4), -EPROTO);
	assert_non_null(strstr(vfk_error(), "returned -4096"));
	assert_int_equal(rig_write(io, 0, 8, buf, 4), -EPROTO);
	assert_non_null(strstr(vfk_error(), "write at 0x8"));
	rig_close(io);
}

static void test_no_functions(void **state)
{
	struct vfk_model_ops ops = probe_ops;
	struct vfk_io *io = NULL;
	uint32_t v;

	(void)state;
	ops.bar_read = NULL;
	ops.bar_write = NULL;
	probe_reset(NULL);
	assert_int_equal(rig_try("model:probe", &ops, 0, &io), 0);
	assert_int_equal(rig_read(io, 0, 0, &v, 4), -EIO);
	assert_int_equal(rig_write(io, 0, 0, &v, 4), -EIO);
	rig_close(io);
}

/* ---- declarations ---- */

static int try_bar(struct vfk_model *m, unsigned int index, struct vfk_model_bar bar)
{
	if (!bar.size)
		bar.size = sizeof(bar);
	return vfk_model_add_bar(m, index, &bar);
}

#define BAR(memory, ...) ((struct vfk_model_bar){ .fd = (memory), __VA_ARGS__ })

static int declare_badly(struct vfk_model *m)
{
	const struct vfk_region_area beyond = { 0x4000, 0x1000 }, odd = { 0x10, 0x1000 };
	const struct vfk_region_area twice[] = { { 0, 0x2000 }, { 0x1000, 0x1000 } };

	assert_int_equal(probe_identity(m), 0);
	assert_int_equal(try_bar(m, 0, BAR(-1, .size = 8, .length = 4096)), -EINVAL);
	assert_int_equal(try_bar(m, 6, BAR(-1, .length = 4096)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 4097)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 8)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 1ull << 32)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 512, .flags = VFK_BAR_IO)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 64, .flags = VFK_BAR_IO | VFK_BAR_64)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 64, .flags = 8)), -EINVAL);
	assert_int_equal(try_bar(m, 5, BAR(-1, .length = 64, .flags = VFK_BAR_64)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 64, .min_access = 3)), -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 64, .min_access = 8, .max_access = 4)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 0, BAR(bar_fd, .length = BAR_LEN, .fd_offset = 0x1000)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 0,
				 BAR(bar_fd, .length = BAR_LEN, .areas = &beyond, .num_areas = 1)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 0,
				 BAR(bar_fd, .length = BAR_LEN, .areas = &odd, .num_areas = 1)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 0,
				 BAR(bar_fd, .length = BAR_LEN, .areas = twice, .num_areas = 2)),
			 -EINVAL);
	assert_int_equal(try_bar(m, 1, BAR(-1, .length = 4096, .flags = VFK_BAR_64)), 0);
	assert_int_equal(try_bar(m, 2, BAR(-1, .length = 4096)), -EEXIST);
	assert_int_equal(try_bar(m, 1, BAR(-1, .length = 4096)), -EEXIST);
	assert_int_equal(try_bar(m, 0, BAR(-1, .length = 4096, .flags = VFK_BAR_64)), -EEXIST);
	assert_int_equal(try_bar(m, 3, BAR(-1, .length = 64, .flags = VFK_BAR_IO)), 0);
	assert_int_equal(
		try_bar(m, 4, BAR(bar_fd, .length = BAR_LEN, .areas = &page0, .num_areas = 1)), 0);
	assert_int_equal(vfk_model_add_msix(m, 0, 1, 0, 2048), -EINVAL);
	assert_int_equal(vfk_model_add_msix(m, 2049, 1, 0, 2048), -EINVAL);
	assert_int_equal(vfk_model_add_msix(m, 4, 0, 0, 2048), -EINVAL); /* no such BAR */
	assert_int_equal(vfk_model_add_msix(m, 4, 3, 0, 2048), -EINVAL); /* I/O */
	assert_int_equal(vfk_model_add_msix(m, 4, 1, 4, 2048), -EINVAL);
	assert_int_equal(vfk_model_add_msix(m, 4, 1, 4096 - 32, 2048), -EINVAL);
	assert_int_equal(vfk_model_add_msix(m, 4, 1, 0, 32), -EINVAL); /* one over the other */
	assert_int_equal(vfk_model_add_msix(m, 4, 4, 0xff0, 0x2000), -EINVAL); /* where users map */
	assert_int_equal(vfk_model_add_msix(m, 4, 1, 4096 - 64, 0), 0);
	assert_int_equal(vfk_model_add_msix(m, 4, 1, 4096 - 64, 0), -EEXIST);
	return 0;
}

static void test_bad_declarations(void **state)
{
	unsigned int fds = rig_count_fds();

	(void)state;
	rig_close(rig_probe(declare_badly, 0));
	assert_int_equal(rig_count_fds(), fds);
}

/* ---- memory ---- */

static int declare_memory(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : try_bar(m, 0, BAR(bar_fd, .length = BAR_LEN));
}

static int declare_sparse(struct vfk_model *m)
{
	return probe_identity(m) ?
		       -EIO :
		       try_bar(m, 0,
			       BAR(bar_fd, .length = BAR_LEN, .areas = areas, .num_areas = 2));
}

static void test_memory(void **state)
{
	struct vfk_io *io = rig_probe(declare_memory, 0);
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 0 };
	struct vfk_region_fds fds = { .size = sizeof(fds) };
	uint8_t *map, buf[64];

	(void)state;
	assert_int_equal(io->ops->get_region_info(io, &info, &fds), 0);
	assert_int_equal(info.argsz, sizeof(info));
	assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
					     VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(info.offset, 0);
	assert_int_equal(fds.count, 1);
	assert_int_equal(fds.flags, 0);
	map = mmap(NULL, BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[0], 0);
	assert_true(map != MAP_FAILED);
	close(fds.fd[0]);
	rig_put(io, 0, 0x3ff8, 8, 0x1122334455667788);
	assert_int_equal(map[0x3ff8], 0x88);
	memset(map + 0x1234, 0xa5, 64);
	assert_int_equal(rig_read(io, 0, 0x1234, buf, 64), 64);
	assert_memory_equal(buf, map + 0x1234, 64);
	rig_put(io, 0, 0x11, 2, 0x7788);
	assert_int_equal(rig_get(io, 0, 0x11, 2), 0x7788);
	assert_int_equal(rig_get(io, 0, 0x12, 1), 0x77);
	assert_int_equal(probe.accesses, 0);
	rig_command(io, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(rig_read(io, 0, 0, buf, 4), -EIO);
	munmap(map, BAR_LEN);
	rig_close(io);
}

/* An access over a border goes partly to the model, partly to the memory. */
static int declare_subpage(struct vfk_model *m)
{
	const struct vfk_model_bar bar = { .size = sizeof(bar), .length = 256, .fd = bar_fd };
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_bar(m, 0, &bar);
	return ret ? ret : probe_bar(m, 1, 16, 0);
}

/* A BAR below the size of a page can be mapped, and has its page for itself. */
static void test_subpage(void **state)
{
	struct vfk_region_fds fds = { .size = sizeof(fds) };
	struct vfio_region_info info = { .argsz = sizeof(info) };
	struct vfk_io *io;
	uint32_t word = 0x600df00d;
	uint64_t at0, at1;

	(void)state;
	io = rig_probe(declare_subpage, 0);
	assert_int_equal(io->ops->get_region_info(io, &info, &fds), 0);
	assert_int_equal(info.size, 256);
	assert_true(info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(pwrite(fds.fd[0], &word, 4, 252), 4);
	assert_int_equal(rig_get(io, 0, 252, 4), word);
	assert_int_equal(rig_read(io, 0, 252, &word, 8), -EINVAL);
	at0 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_0, 4);
	at1 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_1, 4);
	assert_int_equal(at0 & 0xfff, 0);
	assert_int_not_equal(at0, at1 & ~0xfffull);
	close(fds.fd[0]);
	rig_close(io);
}

static void test_sparse(void **state)
{
	struct vfk_io *io = rig_probe(declare_sparse, 0);
	uint8_t *map = mmap(NULL, BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, bar_fd, 0);
	uint8_t buf[0x4000];

	(void)state;
	assert_true(map != MAP_FAILED);
	memset(map, 0x11, BAR_LEN);
	memset(probe.memory, 0x22, sizeof(probe.memory));
	assert_int_equal(rig_read(io, 0, 0, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(probe.accesses, 2);
	expect(0, false, 0, 0x1000);
	expect(1, false, 0x3000, 0x1000);
	assert_int_equal(buf[0xfff], 0x22);
	assert_int_equal(buf[0x1000], 0x11);
	assert_int_equal(buf[0x2fff], 0x11);
	assert_int_equal(buf[0x3000], 0x22);
	rig_put(io, 0, 0xffc, 8, 0x8877665544332211);
	expect(2, true, 0xffc, 4);
	assert_int_equal(map[0x1000], 0x55);
	munmap(map, BAR_LEN);
	rig_close(io);
}

static void test_sparse_info(void **state)
{
	struct vfk_io *io = rig_probe(declare_sparse, 0);
	union {
		struct vfio_region_info info;
		uint8_t bytes[256];
	} u = { .info = { .argsz = sizeof(u.info), .index = 0 } };
	struct vfio_region_info_cap_sparse_mmap *cap;
	struct vfk_region_fds fds = { .size = sizeof(fds) };

	(void)state;
	assert_int_equal(io->ops->get_region_info(io, &u.info, &fds), 0);
	assert_int_equal(u.info.argsz, sizeof(u.info) + 16 + 2 * 16);
	assert_int_equal(u.info.cap_offset, 0);
	assert_int_equal(fds.count, 0); /* asked again with more room, not before */
	u.info.argsz = sizeof(u);
	assert_int_equal(io->ops->get_region_info(io, &u.info, &fds), 0);
	assert_true(u.info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(u.info.cap_offset, sizeof(u.info));
	cap = (struct vfio_region_info_cap_sparse_mmap *)(u.bytes + u.info.cap_offset);
	assert_int_equal(cap->header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(cap->header.next, 0);
	assert_int_equal(cap->nr_areas, 2);
	assert_int_equal(cap->areas[0].offset, 0x2000);
	assert_int_equal(cap->areas[1].size, 0x1000);
	assert_int_equal(fds.count, 1);
	close(fds.fd[0]);
	rig_close(io);
}

/* ---- MSI-X ---- */

static int declare_msix(struct vfk_model *m)
{
	assert_int_equal(probe_identity(m), 0);
	assert_int_equal(probe_bar(m, 0, BAR_LEN, 0), 0);
	return vfk_model_add_msix(m, 3, 0, 0x1000, 0x1800);
}

static void test_msix_table(void **state)
{
	struct vfk_io *io = rig_probe(declare_msix, 0);
	uint8_t buf[0x900];

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int entry = 0x1000 + 16 * i;

		assert_int_equal(rig_get(io, 0, entry + 12, 4),
				 1); /* masked, PCI 3.0 section 6.8.2.9 */
		rig_put(io, 0, entry, 8, 0xfedcba9876543217);
		rig_put(io, 0, entry + 8, 8, 0xffffffff0000abcd);
		assert_int_equal(rig_get(io, 0, entry, 8), 0xfedcba9876543214);
		assert_int_equal(rig_get(io, 0, entry + 8, 8), 0x000000010000abcd);
	}
	rig_put(io, 0, 0x1800, 8, UINT64_MAX);
	assert_int_equal(rig_get(io, 0, 0x1800, 8), 0);
	assert_int_equal(probe.accesses, 0);
	memset(probe.memory, 0x33, sizeof(probe.memory));
	assert_int_equal(rig_read(io, 0, 0xff0, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(buf[0xf], 0x33);
	assert_int_equal(buf[0x10], 0x14);
	assert_int_equal(buf[0x40], 0x33);
	assert_int_equal(buf[0x810], 0);
	assert_int_equal(buf[0x818], 0x33);
	assert_int_equal(probe.accesses, 3);
	rig_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_size),     cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_split),	     cmocka_unit_test(test_model_refuses),
		cmocka_unit_test(test_no_functions), cmocka_unit_test(test_bad_declarations),
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_subpage),
		cmocka_unit_test(test_sparse),	     cmocka_unit_test(test_sparse_info),
		cmocka_unit_test(test_msix_table),
	};
	int ret;

	bar_fd = memfd_create("bar", MFD_CLOEXEC);
	if (bar_fd < 0 || ftruncate(bar_fd, BAR_LEN))
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	close(bar_fd);
	return ret;
}
