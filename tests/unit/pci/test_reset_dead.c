/* SPDX-License-Identifier: BSD-3-Clause */
/* test_reset_dead.c - reset of a device that does not answer: one that is dead, that cannot be read, whose server hangs. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/pci/instance.h"
#include "puppet_pci.h"

#define PM  0x40
#define EXP 0x50
#define AER 0x100

#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)
#define BAR	0xfebf1000u

static struct puppet_pci p;
static struct vfk_pci *pci;
static uint8_t reset_values[PCI_CFG_SPACE_EXP_SIZE];
static unsigned int resets, held_in_reset;
static uint64_t unreadable;	/* the register, before the reset; all of them: ALL */
static unsigned int dies_after; /* so many reads; 0: it does not */
static ssize_t (*plain_read)(struct vfk_io *, uint32_t, uint64_t, void *, size_t);

static ssize_t (*plain_write)(struct vfk_io *, uint32_t, uint64_t, const void *, size_t,
			      unsigned int);
static int (*plain_set_irqs)(struct vfk_io *, const struct vfio_irq_set *);
static bool hanging, hangs, hangs_at_d3; /* now; as the answer to a reset; from the way to D3 on */
static unsigned int answers_for;	 /* accesses until it hangs, after a reset */
static unsigned int timeouts;

#define NONE (UINT64_MAX - 1)
#define ALL  UINT64_MAX

/* Whether this access is not answered any more. */
static bool times_out(void)
{
	if (!hanging || (answers_for && answers_for--))
		return false;
	timeouts++;
	return true;
}

static ssize_t op_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	if (times_out())
		return -ETIMEDOUT;
	if (!resets && (off == unreadable || unreadable == ALL))
		return -EIO;
	if (dies_after && !--dies_after)
		memset(p.config, 0xff, sizeof(p.config));
	return plain_read(io, region, off, buf, len);
}

static int revive(struct vfk_io *io)
{
	(void)io;
	resets++;
	held_in_reset = pci->bars.held;
	memcpy(p.config, reset_values, sizeof(p.config));
	hanging = answers_for != UINT_MAX;
	timeouts += hangs;
	return hangs ? -ETIMEDOUT : 0;
}

static ssize_t op_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			size_t len, unsigned int flags)
{
	if (hangs_at_d3 && off == PM + PCI_PM_CTRL)
		hanging = true;
	return times_out() ? -ETIMEDOUT : plain_write(io, region, off, buf, len, flags);
}

static int op_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return times_out() ? -ETIMEDOUT : plain_set_irqs(io, set);
}

static void writable(uint32_t off, uint16_t mask)
{
	p.writable[off] = (uint8_t)mask;
	p.writable[off + 1] = (uint8_t)(mask >> 8);
}

static int setup(void **state)
{
	(void)state;
	resets = dies_after = timeouts = 0;
	hanging = hangs = hangs_at_d3 = false;
	answers_for = UINT_MAX;
	unreadable = NONE;
	pp_init(&p);
	plain_read = p.ops.region_read;
	p.ops.region_read = op_read;
	plain_write = p.ops.region_write;
	p.ops.region_write = op_write;
	plain_set_irqs = p.ops.set_irqs;
	p.ops.set_irqs = op_set_irqs;
	pp_cap(&p, PM, PCI_CAP_ID_PM);
	pp_cap(&p, EXP, PCI_CAP_ID_EXP);
	pp_ext_cap(&p, AER, PCI_EXT_CAP_ID_ERR);
	pp_set16(&p, EXP + PCI_EXP_FLAGS, 2);
	writable(PCI_COMMAND, COMMAND);
	writable(PCI_BASE_ADDRESS_0, 0xf000);
	writable(PCI_BASE_ADDRESS_0 + 2, 0xffff);
	writable(PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
	writable(EXP + PCI_EXP_DEVCTL, 0x7fff);
	writable(EXP + PCI_EXP_DEVCTL2, 0xffff);
	memset(p.writable + AER + PCI_ERR_UNCOR_MASK, 0xff, 4);
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD, .count = 4 };
	p.ops.reset = revive;
	memcpy(reset_values, p.config, sizeof(reset_values));
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pp_set32(&p, PCI_BASE_ADDRESS_0, BAR);
	pp_set16(&p, EXP + PCI_EXP_DEVCTL, 0x2810);
	pci = pp_open(&p);
	assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSIX_IRQ_INDEX, 2, 2, NULL), 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hanging = false;
	pp_close(pci);
	pp_fini(&p);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(vfk_error(), text))
		fail_msg("\"%s\" is not in: %s", text, vfk_error());
}

static void as_after_reset(void)
{
	assert_memory_equal(p.config, reset_values, sizeof(reset_values));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- dead ---- */

static void die(void)
{
	memset(p.config, 0xff, sizeof(p.config));
}

/* As vfio-pci shows it: the ids, the BARs, one bit of the command register, and where the list begins are made up. */
static void die_behind_vfio_pci(void)
{
	static const struct {
		uint32_t off, len;
	} made_up[] = { { PCI_VENDOR_ID, 4 },
			{ PCI_BASE_ADDRESS_0, 24 },
			{ PCI_ROM_ADDRESS, 4 },
			{ PCI_CAPABILITY_LIST, 1 },
			{ PCI_INTERRUPT_LINE, 2 } };
	uint8_t was[PCI_CFG_SPACE_EXP_SIZE];

	memcpy(was, p.config, sizeof(was));
	die();
	for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++)
		memcpy(p.config + made_up[i].off, was + made_up[i].off, made_up[i].len);
	pp_set16(&p, PCI_COMMAND, (uint16_t)~PCI_COMMAND_INTX_DISABLE);
}

static void reset_of_dead(enum vfk_pci_reset_method method)
{
	uint64_t began = now_ms();

	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, method), -ENODATA);
	says("after the reset: nothing is restored");
	says("did not answer before");
	assert_true(now_ms() - began < 500);
	assert_int_equal(resets, 1);
	as_after_reset();
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
	assert_true(held_in_reset);
	/* nothing is decoded */
	assert_int_equal(pci->bars.held, 1);
	assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
	assert_int_equal(pci->bars.held, 0);
	/* and alive again */
	assert_int_equal(vfk_pci_reset(pci, method), 0);
	assert_int_equal(resets, 2);
}

static void test_dead(void **state)
{
	(void)state;
	die();
	reset_of_dead(VFK_PCI_RESET_FUNCTION);
}

static void test_dead_by_any_method(void **state)
{
	(void)state;
	die();
	reset_of_dead(VFK_PCI_RESET_AUTO);
}

static void test_dead_behind_vfio_pci(void **state)
{
	(void)state;
	die_behind_vfio_pci();
	reset_of_dead(VFK_PCI_RESET_FUNCTION);
}

/* Of vfio-pci the ids say nothing: it is waited for all the same. */
static void test_stays_dead(void **state)
{
	(void)state;
	memset(reset_values, 0xff, sizeof(reset_values));
	die_behind_vfio_pci();
	memcpy(reset_values, p.config, sizeof(reset_values));
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -ENODEV);
	says("does not answer");
	assert_int_equal(resets, 1);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
}

static void test_dies_while_it_is_saved(void **state)
{
	(void)state;
	dies_after = 12;
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -ENODATA);
	assert_int_equal(resets, 1);
	as_after_reset();
}

/* ---- not to be read ---- */

static void reset_without(uint64_t off, int result)
{
	unreadable = off;
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), result);
	assert_int_equal(resets, 1);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
}

static void test_unreadable(void **state)
{
	(void)state;
	reset_without(ALL, -ENODATA);
	says("nothing is restored");
	as_after_reset();
}

/* The others are restored, and nothing is decoded where nobody expects it. */
static void test_one_is_unreadable(void **state)
{
	(void)state;
	reset_without(PCI_BASE_ADDRESS_0, -ENODATA);
	says("1 registers are not restored");
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0), 0);
	assert_int_equal(pp_get16(&p, EXP + PCI_EXP_DEVCTL), 0x2810);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), 0);
	assert_int_equal(pci->bars.held, 1);
}

/* What only makes the choice of a method better, and the power state. */
static void test_capabilities_are_unreadable(void **state)
{
	(void)state;
	reset_without(EXP + PCI_EXP_DEVCAP, 0);
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0), BAR);
}

static void test_power_is_unreadable(void **state)
{
	(void)state;
	reset_without(PM + PCI_PM_CTRL, -ENODATA);
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0), BAR);
}

/* ---- a server that hangs ---- */

/* After the reset, and @after accesses that it answers. */
static void reset_hangs(unsigned int after, enum vfk_pci_reset_method method)
{
	answers_for = after;
	pp_set16(&p, PM + PCI_PM_CTRL, 0);
	assert_int_equal(vfk_pci_reset(pci, method), -ETIMEDOUT);
	says("after");
	says("interrupts stay off");
	assert_true(pci->irqs.quiesced);
	assert_int_equal(pci->bars.held, 1);
	answers_for = UINT_MAX;
	hanging = false;
}

static void test_hangs(void **state)
{
	(void)state;
	/* in vain for an answer, and in the midst of the registers */
	for (unsigned int i = 0; i < 10; i++) {
		timeouts = resets = 0;
		reset_hangs(i, VFK_PCI_RESET_FUNCTION);
		assert_int_equal(resets, 1);
		assert_int_equal(timeouts, 1);
		/* it is back */
		pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY);
		assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
		assert_false(pci->irqs.quiesced);
		assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
		assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
		assert_int_equal(pci->bars.held, 0);
	}
}

/* No other method is tried, and it is asked once more what has become of it. */
static void test_hangs_in_the_reset(void **state)
{
	(void)state;
	hangs = true;
	reset_hangs(0, VFK_PCI_RESET_AUTO);
	assert_int_equal(resets, 1);
	assert_int_equal(timeouts, 2);
}

static void test_hangs_on_the_way_to_d3(void **state)
{
	(void)state;
	hangs_at_d3 = true;
	reset_hangs(0, VFK_PCI_RESET_PM);
	assert_int_equal(resets, 0);
	assert_in_range(timeouts, 2, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dead),
		TEST(test_dead_by_any_method),
		TEST(test_dead_behind_vfio_pci),
		TEST(test_stays_dead),
		TEST(test_dies_while_it_is_saved),
		TEST(test_unreadable),
		TEST(test_one_is_unreadable),
		TEST(test_capabilities_are_unreadable),
		TEST(test_power_is_unreadable),
		TEST(test_hangs),
		TEST(test_hangs_in_the_reset),
		TEST(test_hangs_on_the_way_to_d3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
