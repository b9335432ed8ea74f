/* SPDX-License-Identifier: BSD-3-Clause */
/* test_config.c - config space: write masks, write-1-to-clear, BAR sizing, capabilities, what a write brings about. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

static unsigned int vendor_at;

/* One of everything. */
static int declare_all(struct vfk_model *m)
{
	static const uint8_t data[] = { 0x11, 0x22, 0x33 }, writable[] = { 0x0f, 0x00, 0xff };
	int ret = probe_identity(m);

	ret = ret ? ret : probe_bar(m, 0, 0x10000, 0);
	ret = ret ? ret : probe_bar(m, 1, 32, VFK_BAR_IO);
	ret = ret ? ret : probe_bar(m, 2, 1ull << 33, VFK_BAR_64 | VFK_BAR_PREFETCH);
	ret = ret ? ret : probe_bar(m, 4, 0x4000, VFK_BAR_64);
	ret = ret ? ret : vfk_model_add_intx(m);
	ret = ret ? ret : vfk_model_add_pm(m);
	ret = ret ? ret : vfk_model_add_msi(m, 4, true);
	ret = ret ? ret : vfk_model_add_msix(m, 65, 4, 0x1000, 0x2000);
	ret = ret ? ret : vfk_model_add_vendor_cap(m, data, writable, sizeof(data), &vendor_at);
	return ret ? ret : vfk_model_add_pcie(m);
}

static void test_identity(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(rig_get(io, CONFIG, PCI_VENDOR_ID, 4), 0x42421af4);
		assert_int_equal(rig_get(io, CONFIG, PCI_CLASS_REVISION, 4), 0x08800007);
		assert_int_equal(rig_get(io, CONFIG, PCI_HEADER_TYPE, 1), 0);
		assert_int_equal(rig_get(io, CONFIG, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x22221111);
		assert_int_equal(rig_get(io, CONFIG, PCI_ROM_ADDRESS, 4), 0);
		assert_int_equal(rig_get(io, CONFIG, PCI_INTERRUPT_PIN, 1), 1);
		/* Ones into all of it change none of this. */
		for (unsigned int off = 0; off < 64; off += 4) {
			if (off != PCI_COMMAND)
				rig_put(io, CONFIG, off, 4, 0xffffffff);
		}
	}
	assert_int_equal(rig_get(io, CONFIG, PCI_INTERRUPT_LINE, 1), 0xff);
	assert_int_equal(rig_get(io, CONFIG, PCI_CACHE_LINE_SIZE, 1), 0xff);
	rig_close(io);
}

static void test_command(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, PCI_COMMAND, 2), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	rig_put(io, CONFIG, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(rig_get(io, CONFIG, PCI_COMMAND, 2), 0x547);
	rig_put(io, CONFIG, PCI_COMMAND, 1, 0); /* a byte leaves its neighbour alone */
	assert_int_equal(rig_get(io, CONFIG, PCI_COMMAND, 2), 0x500);
	rig_close(io);

	io = rig_probe(NULL, 0); /* no I/O BAR: nothing to decode */
	rig_put(io, CONFIG, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(rig_get(io, CONFIG, PCI_COMMAND, 2), 0x546);
	rig_close(io);
}

static void test_status_clears(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(vfk_model_config_set(probe.model, PCI_STATUS, 2, 0xf910), 0);
	rig_put(io, CONFIG, PCI_STATUS, 2, 0);
	assert_int_equal(rig_get(io, CONFIG, PCI_STATUS, 2), 0xf910);
	rig_put(io, CONFIG, PCI_STATUS, 2, 0x8000);
	assert_int_equal(rig_get(io, CONFIG, PCI_STATUS, 2), 0x7910);
	/* A dword write to the command register clears the status bits in it as well. */
	rig_put(io, CONFIG, PCI_COMMAND, 4, 0xffff0003);
	assert_int_equal(rig_get(io, CONFIG, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(rig_get(io, CONFIG, PCI_COMMAND, 2), 3);
	rig_close(io);
}

static uint64_t size_of_bar(struct vfk_io *io, unsigned int bar)
{
	unsigned int at = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint64_t was = rig_get(io, CONFIG, at, 4), mask;

	rig_put(io, CONFIG, at, 4, 0xffffffff);
	mask = rig_get(io, CONFIG, at, 4);
	rig_put(io, CONFIG, at, 4, was);
	assert_int_equal(rig_get(io, CONFIG, at, 4), was);
	return mask;
}

static void test_bar_sizing(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);

	(void)state;
	assert_int_equal(size_of_bar(io, 0), 0xffff0000);
	assert_int_equal(size_of_bar(io, 1), 0xffffffe1);
	assert_int_equal(size_of_bar(io, 2), 0x0000000c);
	assert_int_equal(size_of_bar(io, 3), 0xfffffffe);
	assert_int_equal(size_of_bar(io, 4), 0xffffc004);
	assert_int_equal(size_of_bar(io, 5), 0xffffffff);
	rig_put(io, CONFIG, PCI_BASE_ADDRESS_0, 4, 0xfeed1234);
	assert_int_equal(rig_get(io, CONFIG, PCI_BASE_ADDRESS_0, 4), 0xfeed0000);
	rig_close(io);
}

/* As firmware leaves them: aligned, none over another. */
static void test_bar_addresses(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	uint64_t bar0 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_0, 4);
	uint64_t bar1 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_1, 4);
	uint64_t bar2 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_2, 8);
	uint64_t bar4 = rig_get(io, CONFIG, PCI_BASE_ADDRESS_4, 8);

	(void)state;
	assert_true(bar0 && !(bar0 & 0xffff));
	assert_true(bar1 > 1 && (bar1 & 0x1f) == 1);
	assert_true(bar2 >> 33 && (bar2 & 0x1ffffffff) == 0xc);
	assert_true(bar4 > 4 && (bar4 & 0x3fff) == 4);
	bar4 &= ~0xfull;
	assert_true(bar4 + 0x4000 <= bar0 || bar0 + 0x10000 <= bar4);
	rig_close(io);
}

static void test_chain(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	unsigned int pm = rig_cap(io, PCI_CAP_ID_PM), msi = rig_cap(io, PCI_CAP_ID_MSI);
	unsigned int msix = rig_cap(io, PCI_CAP_ID_MSIX), vendor = rig_cap(io, PCI_CAP_ID_VNDR);
	unsigned int exp = rig_cap(io, PCI_CAP_ID_EXP);
	struct vfio_region_info r = { .argsz = sizeof(r), .index = CONFIG };

	(void)state;
	assert_true(pm && msi && msix && vendor && exp);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_FLAGS, 2), 0x184);
	assert_int_equal(rig_get(io, CONFIG, msix + PCI_MSIX_FLAGS, 2), 64);
	assert_int_equal(rig_get(io, CONFIG, msix + PCI_MSIX_TABLE, 4), 0x1004);
	assert_int_equal(rig_get(io, CONFIG, msix + PCI_MSIX_PBA, 4), 0x2004);
	assert_int_equal(rig_get(io, CONFIG, exp + PCI_EXP_FLAGS, 2), 2);
	assert_int_equal(vendor, vendor_at);
	assert_int_equal(rig_get(io, CONFIG, vendor + 2, 4), 0x33221106);
	rig_put(io, CONFIG, vendor + 2, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, vendor + 2, 4), 0xff221f06);
	assert_int_equal(io->ops->get_region_info(io, &r, NULL), 0);
	assert_int_equal(r.size, 4096);
	assert_int_equal(rig_get(io, CONFIG, 0x100, 4), 0); /* no extended capability */
	assert_int_equal(rig_get(io, CONFIG, 0xffc, 4), 0);
	rig_close(io);
}

static int declare_too_much(struct vfk_model *m)
{
	static const uint8_t data[128];
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_vendor_cap(m, data, NULL, sizeof(data), NULL);
	return ret ? ret : vfk_model_add_vendor_cap(m, data, NULL, sizeof(data), NULL);
}

static int declare_twice(struct vfk_model *m)
{
	assert_int_equal(probe_identity(m), 0);
	assert_int_equal(vfk_model_add_pm(m), 0);
	assert_int_equal(vfk_model_add_pm(m), -EEXIST);
	assert_int_equal(vfk_model_add_msi(m, 3, false), -EINVAL);
	assert_int_equal(vfk_model_add_msi(m, 64, false), -EINVAL);
	assert_int_equal(vfk_model_add_msi(m, 2, false), 0);
	assert_int_equal(vfk_model_add_msi(m, 2, false), -EEXIST);
	assert_int_equal(vfk_model_add_intx(m), 0);
	assert_int_equal(vfk_model_add_intx(m), -EEXIST);
	assert_int_equal(vfk_model_add_vendor_cap(m, "", NULL, 241, NULL), -EINVAL);
	return 0;
}

static void test_bad_declarations(void **state)
{
	struct vfk_io *io;

	(void)state;
	probe_reset(declare_too_much);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "vendor-specific"));
	rig_close(rig_probe(declare_twice, 0));
}

static void test_straddling_access(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	uint8_t whole[256], part[7];

	(void)state;
	assert_int_equal(rig_read(io, CONFIG, 0, whole, sizeof(whole)), sizeof(whole));
	assert_int_equal(rig_read(io, CONFIG, 5, part, sizeof(part)), sizeof(part));
	assert_memory_equal(part, whole + 5, sizeof(part));
	/* Cache line size, latency timer and what is read-only between header type and BAR 0. */
	memset(part, 0x5a, sizeof(part));
	assert_int_equal(rig_write(io, CONFIG, PCI_CACHE_LINE_SIZE, part, 4), 4);
	assert_int_equal(rig_get(io, CONFIG, PCI_CACHE_LINE_SIZE, 4), 0x00005a5a);
	assert_int_equal(probe.config_writes, 1);
	rig_close(io);
}

static void test_decoding(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	uint32_t v = 0;

	(void)state;
	assert_int_equal(rig_read(io, 0, 0, &v, 4), 4);
	assert_int_equal(rig_read(io, 1, 0, &v, 4), 4);
	rig_command(io, 0, PCI_COMMAND_MEMORY);
	assert_int_equal(rig_read(io, 0, 0, &v, 4), -EIO);
	assert_non_null(strstr(vfk_error(), "decoding"));
	assert_int_equal(rig_write(io, 2, 0, &v, 4), -EIO);
	assert_int_equal(rig_read(io, 4, 0x1000, &v, 4), -EIO);
	assert_int_equal(rig_read(io, 1, 0, &v, 4), 4);
	rig_command(io, PCI_COMMAND_MEMORY, PCI_COMMAND_IO);
	assert_int_equal(rig_read(io, 0, 0, &v, 4), 4);
	assert_int_equal(rig_read(io, 1, 0, &v, 4), -EIO);
	assert_int_equal(io->ops->reset(io), 0); /* keeps config space */
	assert_int_equal(rig_read(io, 1, 0, &v, 4), -EIO);
	rig_close(io);
}

static void test_power_states(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	unsigned int ctrl = rig_cap(io, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	uint32_t v;

	(void)state;
	rig_put(io, CONFIG, ctrl, 2, 2); /* D2, which is not there */
	assert_int_equal(rig_get(io, CONFIG, ctrl, 2) & 3, 0);
	rig_put(io, CONFIG, ctrl, 2, 3);
	assert_int_equal(rig_get(io, CONFIG, ctrl, 2) & 3, 3);
	assert_int_equal(rig_read(io, 0, 0, &v, 4), -EIO);
	rig_put(io, CONFIG, ctrl, 2, 1);
	assert_int_equal(rig_get(io, CONFIG, ctrl, 2) & 3, 3);
	rig_put(io, CONFIG, ctrl, 2, 0);
	assert_int_equal(rig_read(io, 0, 0, &v, 4), 4);
	assert_int_equal(probe.resets, 0); /* No_Soft_Reset */
	rig_close(io);
}

static void test_function_level_reset(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	unsigned int ctl = rig_cap(io, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	(void)state;
	rig_put(io, CONFIG, ctl, 2, PCI_EXP_DEVCTL_CERE);
	assert_int_equal(probe.resets, 0);
	rig_put(io, CONFIG, ctl, 2, PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(probe.resets, 1);
	assert_int_equal(rig_get(io, CONFIG, ctl, 2), PCI_EXP_DEVCTL_CERE);
	rig_put(io, CONFIG, ctl + 1, 1, PCI_EXP_DEVCTL_BCR_FLR >> 8);
	assert_int_equal(probe.resets, 2);
	rig_close(io);
}

static void test_msi_fields(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);
	unsigned int msi = rig_cap(io, PCI_CAP_ID_MSI);

	(void)state;
	rig_put(io, CONFIG, msi + PCI_MSI_FLAGS, 2, 0xffff);
	/* 4 vectors: Multiple Message Enable is cut to what the function is capable of. */
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_FLAGS, 2), 0x1a5);
	rig_put(io, CONFIG, msi + PCI_MSI_ADDRESS_LO, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_ADDRESS_LO, 4), 0xfffffffc);
	rig_put(io, CONFIG, msi + PCI_MSI_MASK_64, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_MASK_64, 4), 0xf);
	rig_put(io, CONFIG, msi + PCI_MSI_PENDING_64, 4, 0xffffffff);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_PENDING_64, 4), 0);
	rig_close(io);
}

static void test_device_side(void **state)
{
	struct vfk_io *io = rig_probe(declare_all, 0);

	(void)state;
	assert_int_equal(vfk_model_config_get(probe.model, PCI_DEVICE_ID, 2), 0x4242);
	assert_int_equal(vfk_model_config_get(probe.model, 4096, 1), 0);
	assert_int_equal(vfk_model_config_get(probe.model, 4094, 4), 0);
	assert_int_equal(vfk_model_config_get(probe.model, 0, 3), 0);
	assert_int_equal(vfk_model_config_set(probe.model, 4096, 1, 0), -EINVAL);
	assert_int_equal(vfk_model_config_set(probe.model, 4094, 4, 0), -EINVAL);
	assert_int_equal(vfk_model_config_set(probe.model, PCI_REVISION_ID, 1, 9), 0);
	assert_int_equal(rig_get(io, CONFIG, PCI_REVISION_ID, 1), 9);
	vfk_model_set_intx(probe.model, true);
	assert_true(vfk_model_config_get(probe.model, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	rig_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_status_clears),
		cmocka_unit_test(test_bar_sizing),
		cmocka_unit_test(test_bar_addresses),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_bad_declarations),
		cmocka_unit_test(test_straddling_access),
		cmocka_unit_test(test_decoding),
		cmocka_unit_test(test_power_states),
		cmocka_unit_test(test_function_level_reset),
		cmocka_unit_test(test_msi_fields),
		cmocka_unit_test(test_device_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
