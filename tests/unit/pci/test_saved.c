/* SPDX-License-Identifier: BSD-3-Clause */
/* test_saved.c - registers of capabilities that are there after a reset, in the order in which they are put back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "puppet_pci.h"

#define EXP 0x50

static struct puppet_pci p;
static struct vfk_pci *pci;
static uint8_t before[PCI_CFG_SPACE_EXP_SIZE];

/* Loses all that can be written. */
static int op_reset(struct vfk_io *io)
{
	(void)io;
	for (size_t i = 0; i < sizeof(p.config); i++)
		p.config[i] &= (uint8_t)~p.writable[i];
	return 0;
}

static void writable16(uint32_t off, uint16_t mask, uint16_t value)
{
	p.writable[off] = (uint8_t)mask;
	p.writable[off + 1] = (uint8_t)(mask >> 8);
	pp_set16(&p, off, value);
}

static void writable32(uint32_t off, uint32_t mask, uint32_t value)
{
	writable16(off, (uint16_t)mask, (uint16_t)value);
	writable16(off + 2, (uint16_t)(mask >> 16), (uint16_t)(value >> 16));
}

static int setup(void **state)
{
	(void)state;
	pp_init(&p);
	pp_cap(&p, EXP, PCI_CAP_ID_EXP);
	pp_set16(&p, EXP + PCI_EXP_FLAGS, 2);
	writable16(PCI_COMMAND, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
	p.ops.reset = op_reset;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pp_close(pci);
	pp_fini(&p);
	return 0;
}

static void open_pci(void)
{
	pci = pp_open(&p);
	memcpy(before, p.config, sizeof(before));
}

static void as_before(void)
{
	for (size_t i = 0; i < sizeof(before); i++) {
		if (p.config[i] != before[i])
			fail_msg("config 0x%zx: %02x, was %02x", i, p.config[i], before[i]);
	}
}

static void test_resizable_bars(void **state)
{
	const uint32_t at = 0x200, ctrl = at + PCI_REBAR_CTRL;

	(void)state;
	pp_ext_cap(&p, at, PCI_EXT_CAP_ID_REBAR);
	writable32(ctrl, 0x3f00, 2 << PCI_REBAR_CTRL_NBAR_SHIFT | 0x0c00);
	writable32(ctrl + 8, 0x3f00, 0x1200 | 5);
	writable32(ctrl + 16, 0x3f00, 0x0300);
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(pp_call(&p, PP_WRITE, 1)->off, ctrl);
	assert_int_equal(pp_call(&p, PP_WRITE, 2)->off, ctrl + 8);
	/* there are two */
	assert_int_equal(pp_get32(&p, ctrl + 16), 0);
	pp_set32(&p, ctrl + 16, 0x0300);
	as_before();
}

static size_t write_of(uint32_t off, size_t after)
{
	size_t n = pp_count(&p, PP_WRITE);

	while (after < n && pp_call(&p, PP_WRITE, after)->off != off)
		after++;
	assert_true(after < n);
	return after;
}

/* Times, then what they are for, then L1. */
static void test_l1_substates(void **state)
{
	const uint32_t at = 0x200;
	size_t times, enables, link;

	(void)state;
	pp_ext_cap(&p, at, PCI_EXT_CAP_ID_L1SS);
	writable32(at + PCI_L1SS_CTL1, UINT32_MAX, 0x4064000f);
	writable32(at + PCI_L1SS_CTL2, 0xff, 0x28);
	writable16(EXP + PCI_EXP_LNKCTL, 0xffcf, PCI_EXP_LNKCTL_ASPM_L1);
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	as_before();
	times = write_of(at + PCI_L1SS_CTL1, write_of(at + PCI_L1SS_CTL2, 0));
	assert_int_equal(pp_call(&p, PP_WRITE, times)->value, 0x40640000);
	enables = write_of(at + PCI_L1SS_CTL1, times + 1);
	assert_int_equal(pp_call(&p, PP_WRITE, enables)->value, 0x4064000f);
	link = write_of(EXP + PCI_EXP_LNKCTL, enables);
	assert_true(link > enables);
}

#define TPH	 0x300
#define TPH_CTRL (TPH + 8)

static void declare_tph(uint32_t location, uint32_t entries, uint32_t ctrl)
{
	pp_ext_cap(&p, TPH, PCI_EXT_CAP_ID_TPH);
	pp_set32(&p, TPH + PCI_TPH_CAP, location << 9 | (entries - 1) << PCI_TPH_CAP_ST_SHIFT);
	writable32(TPH_CTRL, 0x307, ctrl);
	for (uint32_t i = 0; i < 64; i++)
		writable16(TPH + 12 + 2 * i, 0xffff, (uint16_t)(0x101 + i));
}

static void test_tph(void **state)
{
	(void)state;
	declare_tph(1, 64, 0x101);
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	as_before();
	assert_true(write_of(TPH_CTRL, 0) > write_of(TPH + 12 + 2 * 63, 0));
}

/* Two entries, or a table that is elsewhere, or that nobody uses; a capability that the end cuts. */
static void test_tph_table(void **state)
{
	(void)state;
	declare_tph(1, 2, 0x101);
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(pp_get16(&p, TPH + 14), 0x102);
	assert_int_equal(pp_get16(&p, TPH + 16), 0);
	pp_set32(&p, TPH + PCI_TPH_CAP, 2 << 9 | 63 << PCI_TPH_CAP_ST_SHIFT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(pp_get16(&p, TPH + 14), 0);
	assert_int_equal(pp_get32(&p, TPH_CTRL), 0x101);
	pp_set32(&p, TPH + PCI_TPH_CAP, 1 << 9 | 63 << PCI_TPH_CAP_ST_SHIFT);
	pp_set32(&p, TPH_CTRL, 1);
	pp_set16(&p, TPH + 14, 0x102);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(pp_get16(&p, TPH + 14), 0);
	assert_int_equal(pp_get32(&p, TPH_CTRL), 1);
}

static void test_tph_at_the_end(void **state)
{
	(void)state;
	pp_ext_cap(&p, 0xff0, PCI_EXT_CAP_ID_TPH);
	pp_set32(&p, 0xff0 + PCI_TPH_CAP, 1 << 9 | 63 << PCI_TPH_CAP_ST_SHIFT);
	writable32(0xff8, 0x307, 0x101);
	writable32(0xffc, UINT32_MAX, 0x55aa1234);
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	as_before();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_resizable_bars), TEST(test_l1_substates),   TEST(test_tph),
		TEST(test_tph_table),	   TEST(test_tph_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
