/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_config.c - the virtual config space: whose bit is whose, what the device gets to see, what follows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"
#include "lib/pci/instance.h"

#define FREE 0x140 /* nothing of the device's is from here on */

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

static void refused(const struct vfk_pci_virtual_opts *opts, int want, const char *text)
{
	struct vfk_pci *pci = pp_open(&p);
	struct vfk_pci_virtual *v = (void *)&p;

	assert_int_equal(vfk_pci_virtual_create(pci, opts, &v), want);
	assert_ptr_equal(v, &p);
	if (!strstr(vfk_error(), text))
		fail_msg("%s: not in: %s", text, vfk_error());
	pp_close(pci);
}

static void test_create_refusals(void **state)
{
	struct vfk_pci_virtual_opts opts = { .size = sizeof(opts) };
	struct {
		struct vfk_pci_virtual_opts opts;
		uint32_t more;
	} later = { .opts.size = sizeof(later) };

	(void)state;
	refused(&(struct vfk_pci_virtual_opts){ .size = 0 }, -EINVAL, "options");
	later.more = 1;
	refused(&later.opts, -EINVAL, "options");
	opts.flags = 1u << 31;
	refused(&opts, -EINVAL, "flags 0x80000000");
	opts.flags = 0;
	opts.ids = 1u << 5;
	refused(&opts, -EINVAL, "ids 0x20");
	opts.ids = 0;
	opts.bus = VFK_PCI_BUS_PORT + 1;
	refused(&opts, -EINVAL, "bus 0x3");
	opts.bus = VFK_PCI_BUS_CONVENTIONAL;
	opts.msix = VFK_PCI_MSIX_BAR(6);
	refused(&opts, -EINVAL, "MSI-X table in 0x8");
	opts.msix = 0;
	opts.class_code = 1u << 24;
	refused(&opts, -EINVAL, "class");
	p.config[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	refused(NULL, -ENOTSUP, "bridge");
	p.config[PCI_HEADER_TYPE] = 0;
	pp_set16(&p, GUEST_EXP + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ROOT_PORT << 4);
	refused(NULL, -ENOTSUP, "no endpoint");
	pp_set16(&p, GUEST_EXP + PCI_EXP_FLAGS, 2);
	p.regions[0].size = 0x3000;
	refused(NULL, -EPROTO, "BAR 0");
}

/* Nothing reaches the device, and the monitor hears nothing, before the first reset. */
static void test_create_changes_nothing(void **state)
{
	size_t writes;

	(void)state;
	guest_create(&g, &p, NULL);
	writes = pp_count(&p, PP_WRITE);
	assert_int_equal(writes, 0);
	assert_int_equal(pp_count(&p, PP_SET_IRQS), 0);
	guest_end(&g);
}

static void test_ids(void **state)
{
	struct vfk_pci_virtual_opts opts = {
		.size = sizeof(opts),
		.flags = VFK_PCI_VIRTUAL_MULTIFUNCTION,
		.ids = VFK_PCI_VIRTUAL_VENDOR | VFK_PCI_VIRTUAL_SUBDEVICE | VFK_PCI_VIRTUAL_CLASS,
		.vendor = 0x8086,
		.device = 0x9999,
		.subdevice = 0x7777,
		.class_code = 0x020000,
	};

	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, PCI_VENDOR_ID, 4), 0x10f01af4);
	assert_int_equal(guest_get(&g, PCI_CLASS_REVISION, 4), 0xff000003);
	assert_int_equal(guest_get(&g, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x22221111);
	assert_int_equal(guest_get(&g, PCI_HEADER_TYPE, 1), 0);
	guest_end(&g);
	guest_begin(&g, &p, &opts);
	assert_int_equal(guest_get(&g, PCI_VENDOR_ID, 4), 0x10f08086);
	assert_int_equal(guest_get(&g, PCI_CLASS_REVISION, 4), 0x02000003);
	assert_int_equal(guest_get(&g, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x77771111);
	assert_int_equal(guest_get(&g, PCI_HEADER_TYPE, 1), 0x80);
	guest_put(&g, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(guest_get(&g, PCI_VENDOR_ID, 4), 0x10f08086);
	guest_end(&g);
	/* The bit of the device's own function says nothing of the guest's slot. */
	p.config[PCI_HEADER_TYPE] = 0x80;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, PCI_HEADER_TYPE, 1), 0);
	guest_end(&g);
}

static void test_bad_accesses(void **state)
{
	uint32_t v = 7;

	(void)state;
	p.config_size = 256;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, 0x40, 3, &v), -EINVAL);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, 0x41, 2, &v), -EINVAL);
	assert_int_equal(v, 0xffff);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, 4096, 1, &v), -EINVAL);
	assert_int_equal(v, 0xff);
	assert_int_equal(vfk_pci_virtual_config_write(g.v, 0x40, 1, 0x100), -EINVAL);
	assert_int_equal(vfk_pci_virtual_config_write(g.v, 0x42, 4, 0), -EINVAL);
	assert_int_equal(vfk_pci_virtual_emulate(g.v, 256, 1, 1, 0, 0), -EINVAL);
	assert_int_equal(vfk_pci_virtual_emulate(g.v, 0x40, 1, 0x100, 0, 0), -EINVAL);
	assert_int_equal(vfk_pci_virtual_emulate(g.v, 0x40, 1, 1, 2, 0), -EINVAL);
	assert_int_equal(vfk_pci_virtual_emulate(g.v, 0x40, 1, 1, 0, 2), -EINVAL);
	/* Behind the end a bus has nobody who answers. */
	assert_int_equal(guest_get(&g, 256, 4), UINT32_MAX);
	guest_put(&g, 256, 4, 0);
	assert_int_equal(p.num_calls, 0);
	guest_end(&g);
}

/* A device that fails reads as ones, and the monitor can tell. */
static void test_failing_device(void **state)
{
	uint32_t v = 7;

	(void)state;
	guest_begin(&g, &p, NULL);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, FREE, 4, &v), -EIO);
	assert_int_equal(v, UINT32_MAX);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, FREE, 1, &v), -EIO);
	assert_int_equal(v, 0xff);
	pp_fail(&p, PP_WRITE, 0, 1, -ENODEV);
	assert_int_equal(vfk_pci_virtual_config_write(g.v, PCI_COMMAND, 2, 6), -ENODEV);
	assert_int_equal(g.num_events, 0);
	/* What is the library's alone does not fail. */
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	assert_int_equal(guest_get(&g, PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(vfk_pci_virtual_config_read(g.v, FREE, 1, &v), -EIO);
	guest_end(&g);
}

/* ---- bits at random, against a model that is nothing but the definition ---- */

struct reference {
	uint8_t emulated[64], value[64], writable[64];
};

static uint32_t of(const uint8_t *bytes, uint32_t at, unsigned int width)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < width; i++)
		v |= (uint32_t)bytes[at + i] << 8 * i;
	return v;
}

static void check_read(struct reference *r, uint32_t at, unsigned int width)
{
	uint32_t emu = of(r->emulated, at, width), device = of(p.config + FREE, at, width);
	uint32_t all = UINT32_MAX >> (32 - 8 * width);

	pp_forget(&p);
	assert_int_equal(guest_get(&g, FREE + at, width),
			 (of(r->value, at, width) & emu) | (device & ~emu));
	assert_int_equal(pp_count(&p, PP_READ), emu != all);
}

/* Each byte with a bit of the device's is written once, with the guest's bits there; no other byte is. */
static void check_write(struct reference *r, uint32_t at, unsigned int width, uint32_t value)
{
	uint8_t before[64], times[64] = { 0 };
	const struct pp_call *c;

	memcpy(before, p.config + FREE, sizeof(before));
	pp_forget(&p);
	guest_put(&g, FREE + at, width, value);
	for (size_t n = 0; (c = pp_call(&p, PP_WRITE, n)); n++) {
		assert_true(c->off >= FREE + at && c->off + c->len <= FREE + at + width);
		assert_int_equal(c->off % c->len, 0);
		for (size_t i = 0; i < c->len; i++)
			times[c->off - FREE + i]++;
	}
	for (uint32_t i = at; i < at + width; i++) {
		uint8_t new = (uint8_t)(value >> 8 * (i - at)), emu = r->emulated[i];
		uint8_t mine = emu & r->writable[i];

		assert_int_equal(times[i], emu != 0xff);
		assert_int_equal(p.config[FREE + i], (before[i] & emu) | (new & ~emu));
		r->value[i] = (uint8_t)((r->value[i] & ~mine) | (new &mine));
	}
	/* All at once, where that touches nothing that it should not. */
	for (uint32_t i = at; i < at + width; i++) {
		if (r->emulated[i] == 0xff)
			return;
	}
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
}

static uint8_t some_mask(void)
{
	long n = random() % 4;

	return n == 0 ? 0 : n == 1 ? 0xff : (uint8_t)random();
}

static void emulate(struct reference *r, uint32_t at)
{
	uint8_t mask = some_mask(), value = (uint8_t)random() & mask;
	uint8_t writable = (uint8_t)random() & mask;

	assert_int_equal(vfk_pci_virtual_emulate(g.v, FREE + at, 1, mask, value, writable), 0);
	r->emulated[at] |= mask;
	r->value[at] = (uint8_t)((r->value[at] & ~mask) | value);
	r->writable[at] = (uint8_t)((r->writable[at] & ~mask) | writable);
}

static void test_bits(void **state)
{
	static const unsigned int widths[] = { 1, 2, 4 };

	(void)state;
	srandom(4711);
	for (int round = 0; round < 50; round++) {
		struct reference r;

		memset(&r, 0, sizeof(r));
		guest_begin(
			&g, &p,
			&(struct vfk_pci_virtual_opts){ .size = sizeof(struct vfk_pci_virtual_opts),
							.bus = VFK_PCI_BUS_PORT });
		memset(p.writable + FREE, 0xff, 64);
		for (uint32_t i = 0; i < 64; i++) {
			p.config[FREE + i] = (uint8_t)random();
			emulate(&r, i);
		}
		for (int n = 0; n < 200; n++) {
			unsigned int width = widths[random() % 3];
			uint32_t at = (uint32_t)random() % (64 / width) * width;

			check_read(&r, at, width);
			check_write(&r, at, width,
				    (uint32_t)random() & UINT32_MAX >> (32 - 8 * width));
		}
		guest_end(&g);
	}
}

/* Status bits that a written 1 clears are not touched by a write to the command register beside them. */
static void test_no_neighbours(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(vfk_pci_virtual_emulate(g.v, PCI_STATUS, 2, 0xffff, 0x8010, 0), 0);
	guest_put(&g, PCI_COMMAND, 4, 0xffff0002);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->len, 2);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->off, PCI_COMMAND);
	guest_end(&g);
}

/* ---- what follows ---- */

static void test_power(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe000000);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest_forget(&g, &p);
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(pp_get16(&p, GUEST_PM + PCI_PM_CTRL), 3);
	guest_told(&g, 0, 'p', 0, 3);
	guest_told(&g, 1, 'b', 0, VFK_PCI_UNMAPPED);
	assert_int_equal(g.num_events, 2);
	assert_int_equal(g.pci->bars.held, 1);
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 0);
	assert_int_equal(g.pci->bars.held, 0);
	guest_told(&g, 2, 'p', 0, 0);
	guest_told(&g, 3, 'b', 0, 0xfe000000);
	/* D1 is there, D2 is not: the device drops the request, so nothing happened. */
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 2);
	assert_int_equal(g.num_events, 4);
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 1);
	guest_told(&g, 4, 'p', 0, 1);
	/* A reset of the guest's machine wakes it. */
	guest_forget(&g, &p);
	assert_int_equal(vfk_pci_virtual_reset(g.v), 0);
	guest_told(&g, 0, 'p', 0, 0);
	assert_int_equal(pp_get16(&p, GUEST_PM + PCI_PM_CTRL), 0);
	assert_false(g.pci->power.asleep);
	/* So does the end of the monitor. */
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 3);
	guest_end(&g);
	assert_int_equal(pp_get16(&p, GUEST_PM + PCI_PM_CTRL), 0);
}

/* Registers that would be another capability's are no power management. */
static void test_power_without_room(void **state)
{
	(void)state;
	pp_cap(&p, GUEST_PM + 4, PCI_CAP_ID_VNDR);
	guest_begin(&g, &p, NULL);
	guest_put(&g, GUEST_PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(g.num_events, 0);
	guest_end(&g);
}

static void test_flr(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	memset(p.writable + GUEST_EXP + PCI_EXP_DEVCTL, 0xff, 2);
	guest_put(&g, PCI_BASE_ADDRESS_0, 4, 0xfe000000);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest_put(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	guest_forget(&g, &p);
	guest_put(&g, GUEST_EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR | 0x10);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->off, GUEST_EXP + PCI_EXP_DEVCTL);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value, PCI_EXP_DEVCTL_BCR_FLR | 0x10);
	guest_told(&g, 0, 'b', 0, VFK_PCI_UNMAPPED);
	guest_told(&g, 1, 'i', VFIO_PCI_MSIX_IRQ_INDEX, 0);
	guest_told(&g, 2, 'i', VFIO_PCI_INTX_IRQ_INDEX, 1);
	assert_int_equal(guest_get(&g, PCI_BASE_ADDRESS_0, 4), 0);
	assert_int_equal(guest_get(&g, PCI_COMMAND, 2), 0);
	assert_int_equal(guest_get(&g, GUEST_MSIX + PCI_MSIX_FLAGS, 2), 7);
	guest_end(&g);
	/* A device that does not have it drops the bit. */
	pp_set32(&p, GUEST_EXP + PCI_EXP_DEVCAP, 0);
	guest_begin(&g, &p, NULL);
	guest_put(&g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	guest_put(&g, GUEST_EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(guest_get(&g, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	guest_end(&g);
}

static void test_interrupt_registers(void **state)
{
	(void)state;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, PCI_INTERRUPT_PIN, 1), 1);
	guest_put(&g, PCI_INTERRUPT_LINE, 1, 11);
	assert_int_equal(guest_get(&g, PCI_INTERRUPT_LINE, 1), 11);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	guest_end(&g);
	p.irqs[VFIO_PCI_INTX_IRQ_INDEX].count = 0;
	guest_begin(&g, &p, NULL);
	assert_int_equal(guest_get(&g, PCI_INTERRUPT_PIN, 1), 0);
	guest_end(&g);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create_refusals),
		TEST(test_create_changes_nothing),
		TEST(test_ids),
		TEST(test_bad_accesses),
		TEST(test_failing_device),
		TEST(test_bits),
		TEST(test_no_neighbours),
		TEST(test_power),
		TEST(test_power_without_room),
		TEST(test_flr),
		TEST(test_interrupt_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
