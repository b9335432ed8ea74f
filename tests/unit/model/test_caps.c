/* SPDX-License-Identifier: BSD-3-Clause */
/* test_caps.c - capabilities of any kind, extended ones, and the MSI-X table in awkward places. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

static unsigned int at[3];

static int declare_ext(struct vfk_model *m)
{
	static const uint8_t data[] = { 0x11, 0x22, 0x33, 0x44, 0x55 };
	static const uint8_t writable[] = { 0xff, 0, 0, 0, 0x0f };
	static const uint8_t clears[] = { 0, 0xf0, 0, 0, 0 };
	const struct vfk_model_cap cap = {
		.size = sizeof(cap),
		.id = PCI_EXT_CAP_ID_ERR,
		.version = 2,
		.data = data,
		.writable = writable,
		.clears = clears,
		.len = sizeof(data),
	};
	const struct vfk_model_cap zeros = {
		.size = sizeof(zeros), .id = PCI_EXT_CAP_ID_DSN, .version = 1, .len = 8
	};
	struct vfk_model_cap standard = cap;
	int ret = probe_identity(m);

	standard.id = PCI_CAP_ID_VPD;
	ret = ret ? ret : vfk_model_add_pcie(m);
	ret = ret ? ret : vfk_model_add_ext_cap(m, &cap, &at[0]);
	ret = ret ? ret : vfk_model_add_ext_cap(m, &zeros, &at[1]);
	return ret ? ret : vfk_model_add_cap(m, &standard, &at[2]);
}

static void test_declared(void **state)
{
	struct vfk_io *io = rig_probe(declare_ext, 0);

	(void)state;
	assert_int_equal(at[0], 0x100);
	assert_int_equal(at[1], 0x10c); /* 4 + 5 bytes, and to the next doubleword */
	assert_int_equal(rig_get(io, CONFIG, 0x100, 4), 0x10c20001);
	assert_int_equal(rig_get(io, CONFIG, 0x10c, 4), 0x00010003);
	assert_int_equal(rig_get(io, CONFIG, 0x104, 4), 0x44332211);
	assert_int_equal(rig_get(io, CONFIG, 0x110, 8), 0);
	rig_put(io, CONFIG, 0x104, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, 0x104, 4), 0x443302ff);
	rig_put(io, CONFIG, 0x108, 1, 0xff);
	assert_int_equal(rig_get(io, CONFIG, 0x108, 1), 0x5f);
	/* Headers are read-only. */
	rig_put(io, CONFIG, 0x100, 4, 0);
	assert_int_equal(rig_get(io, CONFIG, 0x100, 4), 0x10c20001);
	assert_int_equal(rig_cap(io, PCI_CAP_ID_VPD), at[2]);
	assert_int_equal(rig_get(io, CONFIG, at[2] + 2, 4), 0x44332211);
	rig_put(io, CONFIG, at[2] + 2, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, at[2] + 2, 4), 0x443302ff);
	rig_close(io);
}

static struct vfk_model_cap bad;
static bool extended, express;

static int declare_bad(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret || !express ? ret : vfk_model_add_pcie(m);
	if (ret)
		return ret;
	return extended ? vfk_model_add_ext_cap(m, &bad, NULL) : vfk_model_add_cap(m, &bad, NULL);
}

static int try(bool ext, bool exp, struct vfk_model_cap cap)
{
	struct vfk_io *io;
	int ret;

	bad = cap;
	bad.size = bad.size ? bad.size : sizeof(bad);
	extended = ext;
	express = exp;
	probe_reset(declare_bad);
	ret = rig_try("model:probe", &probe_ops, 0, &io);
	if (!ret)
		rig_close(io);
	return ret;
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = 0x100 }), -EINVAL);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = 9, .size = 8 }), -EINVAL);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = 9, .len = 190 }), 0);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = 9, .len = 191 }), -EINVAL);
	assert_int_equal(try(false, true, (struct vfk_model_cap){ .id = 9, .len = 190 }), -ENOSPC);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = PCI_CAP_ID_MSI }),
			 -EINVAL);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = PCI_CAP_ID_PM }), -EINVAL);
	assert_int_equal(try(false, false, (struct vfk_model_cap){ .id = PCI_CAP_ID_EXP }),
			 -EINVAL);
	assert_int_equal(try(true, false, (struct vfk_model_cap){ .id = 3 }), -EINVAL);
	assert_int_equal(try(true, true, (struct vfk_model_cap){ .id = 3, .version = 16 }),
			 -EINVAL);
	assert_int_equal(try(true, true, (struct vfk_model_cap){ .id = 3, .len = 3836 }), 0);
	assert_int_equal(try(true, true, (struct vfk_model_cap){ .id = 3, .len = 3837 }), -EINVAL);
}

/* ---- MSI-X ---- */

static int bar_fd = -1;
static struct vfk_model_msix msix;

/* BAR 0 can be mapped from 0x1000 on, BAR 1 not. */
static int declare_msix(struct vfk_model *m)
{
	static const struct vfk_region_area area = { 0x1000, 0x3000 };
	const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = 0x4000,
		.fd = bar_fd,
		.areas = &area,
		.num_areas = 1,
	};
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_bar(m, 0, &bar);
	ret = ret ? ret : probe_bar(m, 1, 4096, 0);
	return ret ? ret : vfk_model_add_msix_split(m, &msix);
}

static int try_msix(struct vfk_model_msix m, struct vfk_io **io)
{
	msix = m;
	msix.size = msix.size ? msix.size : sizeof(msix);
	probe_reset(declare_msix);
	return rig_try("model:probe", &probe_ops, 0, io);
}

static void test_msix_apart(void **state)
{
	struct vfk_io *io;
	unsigned int cap;

	(void)state;
	bar_fd = memfd_create("bar", MFD_CLOEXEC);
	assert_int_equal(ftruncate(bar_fd, 0x4000), 0);
	assert_int_equal(try_msix((struct vfk_model_msix){ .vectors = 4,
							   .table_bar = 0,
							   .table = 0x100,
							   .pba_bar = 1,
							   .pba = 0x100 },
				  &io),
			 0);
	cap = rig_cap(io, PCI_CAP_ID_MSIX);
	assert_int_equal(rig_get(io, CONFIG, cap + PCI_MSIX_TABLE, 4), 0x100);
	assert_int_equal(rig_get(io, CONFIG, cap + PCI_MSIX_PBA, 4), 0x101);
	rig_put(io, 0, 0x100, 4, 0xfee00000);
	assert_int_equal(rig_get(io, 0, 0x100, 4), 0xfee00000);
	rig_put(io, 1, 0x100, 8, UINT64_MAX); /* pending bits are read-only */
	assert_int_equal(rig_get(io, 1, 0x100, 8), 0);
	assert_int_equal(probe.accesses, 0);
	rig_put(io, 1, 0x108, 4, 5);
	assert_int_equal(probe.accesses, 1);
	rig_close(io);
	close(bar_fd);
}

/* Inside of what can be mapped the toolkit's table answers by message, and the memory around it as ever. */
static void test_msix_mappable(void **state)
{
	union {
		struct vfio_region_info info;
		uint8_t room[256];
	} u = { .info = { .argsz = sizeof(u) } };
	struct vfk_model_msix m = {
		.vectors = 4, .table = 0x2008, .pba = 0x2080, .flags = VFK_MSIX_MAPPABLE
	};
	bool mappable = false;
	struct vfk_io *io;
	uint32_t word = 0, both[2];

	(void)state;
	bar_fd = memfd_create("bar", MFD_CLOEXEC);
	assert_int_equal(ftruncate(bar_fd, 0x4000), 0);
	assert_int_equal(try_msix(m, &io), 0);
	assert_int_equal(io->ops->get_region_info(io, &u.info, NULL), 0);
	for (uint32_t off = u.info.cap_offset; off;) {
		const struct vfio_info_cap_header *h = (const void *)(u.room + off);

		mappable = mappable || h->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE;
		off = h->next;
	}
	assert_true(mappable);
	for (uint64_t off = 0x2000; off < 0x20a0; off += 4)
		rig_put(io, 0, off, 4, 0x11110000 | off);
	for (uint64_t off = 0x2000; off < 0x20a0; off += 4) {
		bool ours = (off >= 0x2008 && off < 0x2048) || (off >= 0x2080 && off < 0x2088);

		assert_int_equal(pread(bar_fd, &word, 4, (off_t)off), 4);
		assert_int_equal(word, ours ? 0 : 0x11110000 | off);
	}
	assert_int_equal(rig_get(io, 0, 0x2008, 4), 0x11112008);
	assert_int_equal(rig_get(io, 0, 0x2080, 8), 0);
	assert_int_equal(rig_get(io, 0, 0x2000, 8), 0x1111200411112000);
	/* One access over the edge between memory and table sees both. */
	assert_int_equal(rig_read(io, 0, 0x2004, both, 8), 8);
	assert_int_equal(both[0], 0x11112004);
	assert_int_equal(both[1], 0x11112008);
	assert_int_equal(probe.accesses, 0);
	rig_close(io);
	m.flags = 0;
	assert_int_equal(try_msix(m, &io), -EINVAL);
	assert_non_null(strstr(vfk_error(), "map the BAR"));
	close(bar_fd);
}

static void test_msix_refused(void **state)
{
	struct vfk_io *io;

	(void)state;
	bar_fd = memfd_create("bar", MFD_CLOEXEC);
	assert_int_equal(ftruncate(bar_fd, 0x4000), 0);
	/* The same offset is an overlap in one BAR only. */
	assert_int_equal(try_msix((struct vfk_model_msix){ .vectors = 1 }, &io), -EINVAL);
	assert_int_equal(try_msix((struct vfk_model_msix){ .vectors = 1, .pba_bar = 2 }, &io),
			 -EINVAL);
	assert_int_equal(
		try_msix((struct vfk_model_msix){ .vectors = 1, .pba_bar = 1, .pba = 4096 }, &io),
		-EINVAL);
	assert_int_equal(try_msix((struct vfk_model_msix){ .vectors = 1, .pba_bar = 1, .flags = 2 },
				  &io),
			 -EINVAL);
	assert_int_equal(try_msix((struct vfk_model_msix){ .vectors = 1, .pba_bar = 1, .size = 4 },
				  &io),
			 -EINVAL);
	close(bar_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_declared),     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_msix_apart),   cmocka_unit_test(test_msix_mappable),
		cmocka_unit_test(test_msix_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
