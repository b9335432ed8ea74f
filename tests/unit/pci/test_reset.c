/* SPDX-License-Identifier: BSD-3-Clause */
/* test_reset.c - the command register; reset of a device: the method, what comes before and after, what fails. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/pci/instance.h"
#include "puppet_pci.h"

#define PM  0x40
#define EXP 0x50
#define AF  0x90
#define AER 0x100

#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)

static struct puppet_pci p;
static struct vfk_pci *pci;
static uint8_t before[PCI_CFG_SPACE_EXP_SIZE];
static uint16_t command_in_reset;
static unsigned int held_in_reset, armed_in_reset;
static unsigned int ones_for; /* accesses of the vendor's id after a reset that read as ones */
static unsigned int resets;
static int reset_result;

/* ---- a device that loses everything ---- */

static void lose(void)
{
	for (size_t i = 0; i < sizeof(p.config); i++)
		p.config[i] &= (uint8_t)~p.writable[i];
}

static int op_reset(struct vfk_io *io)
{
	(void)io;
	resets++;
	command_in_reset = pp_get16(&p, PCI_COMMAND);
	held_in_reset = pci->bars.held;
	armed_in_reset = pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX);
	lose();
	return reset_result;
}

static ssize_t (*plain_read)(struct vfk_io *, uint32_t, uint64_t, void *, size_t);
static ssize_t (*plain_write)(struct vfk_io *, uint32_t, uint64_t, const void *, size_t,
			      unsigned int);

static ssize_t read_ones(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t n = plain_read(io, region, off, buf, len);

	if (resets && ones_for && off == PCI_VENDOR_ID) {
		ones_for--;
		memset(buf, 0xff, len);
	}
	return n;
}

/* D3hot to D0 resets it. */
static ssize_t write_soft(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			  size_t len, unsigned int flags)
{
	uint16_t old = pp_get16(&p, PM + PCI_PM_CTRL);
	ssize_t n = plain_write(io, region, off, buf, len, flags);

	if (off == PM + PCI_PM_CTRL && (old & 3) == 3 && !(pp_get16(&p, PM + PCI_PM_CTRL) & 3))
		op_reset(io);
	return n;
}

static int hot_info_alone(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	size_t need = sizeof(*info) + sizeof(info->devices[0]);

	(void)io;
	info->count = info->argsz >= need;
	if (info->count)
		info->devices[0] = (struct vfio_pci_dependent_device){ .group_id = 7 };
	info->argsz = (uint32_t)need;
	return 0;
}

static int op_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)reset;
	return op_reset(io);
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
	resets = ones_for = 0;
	reset_result = 0;
	pp_init(&p);
	pp_cap(&p, PM, PCI_CAP_ID_PM);
	pp_cap(&p, EXP, PCI_CAP_ID_EXP);
	pp_ext_cap(&p, AER, PCI_EXT_CAP_ID_ERR);
	pp_set16(&p, EXP + PCI_EXP_FLAGS, 2);
	writable16(PCI_COMMAND, COMMAND, COMMAND);
	writable32(PCI_BASE_ADDRESS_0, 0xfffff000, 0xfebf1000);
	writable32(PCI_BASE_ADDRESS_0 + 20, 0xfffff000, 0xfebf2000);
	writable32(PCI_ROM_ADDRESS, 0xfffff801, 0xfebe0000);
	writable16(PCI_CACHE_LINE_SIZE, 0xffff, 0x4010);
	writable16(PCI_INTERRUPT_LINE, 0xff, 11);
	writable16(PM + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_ENABLE,
		   PCI_PM_CTRL_PME_ENABLE);
	writable16(EXP + PCI_EXP_DEVCTL, 0x7fff, 0x2810);
	writable16(EXP + PCI_EXP_DEVCTL2, 0xffff, 0x0010);
	writable32(AER + PCI_ERR_UNCOR_MASK, UINT32_MAX, 0x00400000);
	p.ops.reset = op_reset;
	p.ops.hot_reset = op_hot_reset;
	p.ops.hot_reset_info = NULL;
	plain_read = p.ops.region_read;
	plain_write = p.ops.region_write;
	p.ops.region_read = read_ones;
	return 0;
}

static void open_pci(void)
{
	pci = pp_open(&p);
	memcpy(before, p.config, sizeof(before));
}

static int teardown(void **state)
{
	(void)state;
	pp_close(pci);
	pp_fini(&p);
	return 0;
}

static void says(const char *text)
{
	if (!strstr(vfk_error(), text))
		fail_msg("\"%s\" is not in: %s", text, vfk_error());
}

static void as_before(void)
{
	for (size_t i = 0; i < sizeof(before); i++) {
		if (p.config[i] != before[i])
			fail_msg("config 0x%zx: %02x, was %02x", i, p.config[i], before[i]);
	}
}

/* ---- command register ---- */

static void test_command(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_set_master(pci, false), 0);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), COMMAND & ~PCI_COMMAND_MASTER);
	assert_int_equal(vfk_pci_set_decode(pci, false, false), 0);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
	assert_int_equal(vfk_pci_set_master(pci, true), 0);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), COMMAND);
	pp_forget(&p);
	assert_int_equal(vfk_pci_set_master(pci, true), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

static void test_command_lacking(void **state)
{
	(void)state;
	writable16(PCI_COMMAND, PCI_COMMAND_MEMORY, 0);
	open_pci();
	assert_int_equal(vfk_pci_set_master(pci, true), -ENOTSUP);
	says("bus mastering");
	assert_int_equal(vfk_pci_set_decode(pci, true, true), -ENOTSUP);
	says("I/O decoding cannot be turned on");
	as_before();
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_set_decode(pci, true, false), -EIO);
	assert_int_equal(vfk_pci_set_decode(pci, true, false), 0);
	/* on, and stays so */
	writable16(PCI_COMMAND, PCI_COMMAND_MEMORY, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(vfk_pci_set_decode(pci, false, false), -ENOTSUP);
	says("I/O decoding cannot be turned off");
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
}

/* ---- methods ---- */

static uint32_t methods(void)
{
	uint32_t bits = 0;

	assert_int_equal(vfk_pci_reset_methods(pci, &bits), 0);
	return bits;
}

#define BIT(m)	 (1u << VFK_PCI_RESET_##m)
#define CTRL_NSR (PM + PCI_PM_CTRL)

static void test_methods(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(methods(), BIT(AUTO) | BIT(FUNCTION) | BIT(PM));
	pp_set16(&p, CTRL_NSR, PCI_PM_CTRL_NO_SOFT_RESET);
	assert_int_equal(methods(), BIT(AUTO) | BIT(FUNCTION));
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_PM), -ENOTSUP);
	says("D3hot");
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_HOT), -ENOTSUP);
	says("alone");
	assert_int_equal(vfk_pci_reset(pci, 4), -EINVAL);
	assert_int_equal(vfk_pci_reset(pci, (enum vfk_pci_reset_method) - 1), -EINVAL);
	p.ops.hot_reset_info = hot_info_alone;
	assert_int_equal(methods(), BIT(AUTO) | BIT(FUNCTION) | BIT(HOT));
	assert_int_equal(resets, 0);
}

static void test_no_method(void **state)
{
	(void)state;
	p.device_flags = VFIO_DEVICE_FLAGS_PCI;
	pp_set16(&p, CTRL_NSR, PCI_PM_CTRL_NO_SOFT_RESET);
	open_pci();
	assert_int_equal(methods(), 0);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), -ENOTSUP);
	says("none of its own");
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

/* Which op AUTO calls first, and that the next one is called where it fails. */
static unsigned int calls_of_function;

static int function_fails(struct vfk_io *io)
{
	(void)io;
	calls_of_function++;
	assert_int_equal(resets, 0);
	return -EIO;
}

static void test_auto_prefers_flr(void **state)
{
	(void)state;
	calls_of_function = 0;
	pp_set32(&p, EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
	p.ops.reset = function_fails;
	p.ops.hot_reset_info = hot_info_alone;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), 0);
	assert_int_equal(calls_of_function, 1);
	assert_int_equal(resets, 1); /* the hot reset, after that */
	as_before();
}

static void test_auto_prefers_af_flr(void **state)
{
	(void)state;
	calls_of_function = 0;
	pp_cap(&p, AF, PCI_CAP_ID_AF);
	p.config[AF + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
	p.ops.reset = function_fails;
	p.ops.hot_reset_info = hot_info_alone;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), 0);
	assert_int_equal(calls_of_function, 1);
}

static void test_auto_prefers_bus_to_pm(void **state)
{
	(void)state;
	calls_of_function = 0;
	p.ops.reset = function_fails;
	p.ops.hot_reset_info = hot_info_alone;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), 0);
	assert_int_equal(calls_of_function, 0);
	assert_int_equal(resets, 1);
	as_before();
}

/* ---- before and after ---- */

static void test_reset(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(resets, 1);
	assert_int_equal(command_in_reset, 0);
	as_before();
}

static void test_mapped_access_is_held(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(held_in_reset, 2); /* by the reset, and by decoding */
	assert_int_equal(pci->bars.held, 0);
	reset_result = -EIO;
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EIO);
	assert_int_equal(pci->bars.held, 0);
	pp_fail(&p, PP_READ, 5, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	assert_int_equal(pci->bars.held, 0);
}

/* Asleep before, awake after it. */
static void test_held_until_d0(void **state)
{
	(void)state;
	writable16(CTRL_NSR, PCI_PM_CTRL_STATE_MASK, PCI_PM_CTRL_NO_SOFT_RESET);
	open_pci();
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D3HOT), 0);
	assert_int_equal(pci->bars.held, 1);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(held_in_reset, 3);
	assert_int_equal(pci->bars.held, 0);
}

static void arm_two(void)
{
	p.irqs[VFIO_PCI_MSIX_IRQ_INDEX] =
		(struct vfio_irq_info){ .flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
					.count = 4 };
	open_pci();
	assert_int_equal(vfk_pci_irq_enable(pci, VFIO_PCI_MSIX_IRQ_INDEX, 2, 2, NULL), 2);
	memcpy(before, p.config, sizeof(before));
}

static void test_interrupts(void **state)
{
	(void)state;
	arm_two();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(armed_in_reset, 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
	reset_result = -EIO;
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EIO);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
	as_before();
}

static uint64_t signals(uint32_t vector)
{
	uint64_t n = 0;
	int fd = vfk_pci_irq_fd(pci, vector);

	assert_true(fd >= 0);
	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* A message that came while they were off is told of, unless the reset has made it void. */
static void test_interrupts_of_a_failed_reset(void **state)
{
	(void)state;
	arm_two();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(signals(0), 0);
	/* the reset fails */
	assert_int_equal(vfk_pci_irq_mask(pci, 1), 0);
	reset_result = -EIO;
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EIO);
	assert_int_equal(signals(0), 1);
	assert_int_equal(signals(1), 0);
	assert_int_equal(vfk_pci_irq_unmask(pci, 1), 0);
	assert_int_equal(signals(1), 1);
	/* stopping fails, after they were off and before */
	pp_fail(&p, PP_WRITE, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	assert_int_equal(signals(0), 1);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	assert_int_equal(signals(0), 0);
}

static void test_interrupts_cannot_be_stopped(void **state)
{
	(void)state;
	arm_two();
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	assert_int_equal(resets, 0);
	assert_int_equal(pci->bars.held, 0);
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 2);
	as_before();
}

/* Config space is, and they stay off. */
static void test_interrupts_are_not_restored(void **state)
{
	(void)state;
	arm_two();
	pp_fail(&p, PP_SET_IRQS, 1, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	says("after the reset: interrupts are off");
	assert_int_equal(pp_num_armed(&p, VFIO_PCI_MSIX_IRQ_INDEX), 0);
	as_before();
	/* all that went wrong is told */
	reset_result = -EBUSY;
	pp_fail(&p, PP_WRITE, 1, 1, -EFAULT);
	pp_fail(&p, PP_SET_IRQS, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EBUSY);
	says("reset: Device or resource busy; and after it: register 0x00c is not restored");
	says("; and after it: interrupts are off");
}

/* The command register is the last that is written. */
static void test_order(void **state)
{
	size_t n;

	(void)state;
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	n = pp_count(&p, PP_WRITE);
	assert_true(n > 8);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->off, PCI_COMMAND);
	assert_int_equal(pp_call(&p, PP_WRITE, n - 1)->off, PCI_COMMAND);
	assert_int_equal(pp_call(&p, PP_WRITE, n - 1)->value, COMMAND);
}

/* A written 1 would clear it. */
static void test_pme_status_is_kept(void **state)
{
	unsigned int written = 0;

	(void)state;
	pp_set16(&p, CTRL_NSR, PCI_PM_CTRL_PME_STATUS | PCI_PM_CTRL_PME_ENABLE);
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	for (size_t i = 0; i < pp_count(&p, PP_WRITE); i++) {
		const struct pp_call *c = pp_call(&p, PP_WRITE, i);

		written += c->off == CTRL_NSR;
		if (c->off == CTRL_NSR)
			assert_int_equal(c->value, PCI_PM_CTRL_PME_ENABLE);
	}
	assert_int_equal(written, 1);
}

/* What did not change is not written. */
static int keeps(struct vfk_io *io)
{
	(void)io;
	return 0;
}

static void test_kept_registers(void **state)
{
	(void)state;
	p.ops.reset = keeps;
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(pp_count(&p, PP_WRITE), 2);
	as_before();
}

static void test_reset_from_d3(void **state)
{
	(void)state;
	writable16(CTRL_NSR, PCI_PM_CTRL_STATE_MASK,
		   PCI_PM_CTRL_NO_SOFT_RESET | PCI_PM_CTRL_PME_STATUS | 3);
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	before[CTRL_NSR] &= (uint8_t)~3;
	as_before();
}

static void test_reset_by_pm(void **state)
{
	(void)state;
	p.ops.region_write = write_soft;
	p.device_flags = VFIO_DEVICE_FLAGS_PCI;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), 0);
	assert_int_equal(resets, 1);
	assert_int_equal(command_in_reset, 0);
	as_before();
}

static void test_pm_stuck(void **state)
{
	(void)state;
	writable16(CTRL_NSR, 0, 0);
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_PM), -EIO);
	says("stays in D0");
	as_before();
}

/* ---- D3hot and back, with accesses that fail ---- */

static unsigned int control_writes, bad_first, bad_last; /* counted from 1 */
static bool bad_takes_effect;

static ssize_t write_badly(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			   size_t len, unsigned int flags)
{
	bool bad = off == CTRL_NSR && ++control_writes >= bad_first && control_writes <= bad_last;

	if (!bad || bad_takes_effect)
		write_soft(io, region, off, buf, len, flags);
	return bad ? -EIO : (ssize_t)len;
}

/* The outcome where the writes @first to @last of the control register fail. */
static int pm_reset_with(unsigned int first, unsigned int last, bool takes_effect)
{
	p.ops.region_write = write_badly;
	control_writes = 0;
	bad_first = first;
	bad_last = last;
	bad_takes_effect = takes_effect;
	open_pci();
	return vfk_pci_reset(pci, VFK_PCI_RESET_PM);
}

static void test_pm_way_there_fails(void **state)
{
	(void)state;
	assert_int_equal(pm_reset_with(1, 1, false), -EIO);
	says("write");
	assert_int_equal(resets, 0);
	as_before();
	assert_int_equal(pci->bars.held, 0);
}

/* The write arrived, and its reply did not. */
static void test_pm_way_there_is_told_wrong(void **state)
{
	(void)state;
	assert_int_equal(pm_reset_with(1, 1, true), -EIO);
	says("write");
	assert_null(strstr(vfk_error(), "D3hot"));
	assert_int_equal(resets, 1);
	as_before();
	assert_int_equal(pci->bars.held, 0);
}

static void test_pm_way_back_fails_at_first(void **state)
{
	(void)state;
	assert_int_equal(pm_reset_with(2, 3, false), 0);
	assert_int_equal(control_writes, 5); /* the last restores it */
	assert_int_equal(resets, 1);
	as_before();
	assert_int_equal(pci->bars.held, 0);
}

static void test_pm_way_back_fails(void **state)
{
	(void)state;
	assert_int_equal(pm_reset_with(2, 4, false), -EIO);
	says("it may be left in D3hot");
	assert_int_equal(resets, 0);
	assert_int_equal(pci->bars.held, 1);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D0), 0);
	assert_int_equal(pci->bars.held, 0);
}

static void test_config_comes_late(void **state)
{
	(void)state;
	ones_for = 4;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	assert_int_equal(ones_for, 0);
	as_before();
}

static void test_config_stays_ones(void **state)
{
	(void)state;
	ones_for = UINT32_MAX;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -ENODEV);
	says("does not answer");
	says("after the reset");
	assert_int_equal(resets, 1);
	ones_for = 0;
}

/* ---- failures ---- */

static void test_reset_fails(void **state)
{
	(void)state;
	reset_result = -EIO;
	p.ops.region_write = write_soft;
	open_pci();
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EIO);
	says("reset");
	as_before();
}

/* The reset's own code and text win, and what could not be restored is added. */
static void test_reset_and_restore_fail(void **state)
{
	(void)state;
	reset_result = -EBUSY;
	open_pci();
	pp_fail(&p, PP_WRITE, 1, 1, -EFAULT); /* after that of the command register */
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EBUSY);
	says("; and after it: register 0x00c is not restored");
	/* the others are, and nothing is decoded */
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0), 0xfebf1000);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), 0);
}

static void test_restore_fails(void **state)
{
	(void)state;
	open_pci();
	pp_fail(&p, PP_WRITE, 4, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	says("after the reset: register 0x010 is not restored");
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0 + 20), 0xfebf2000);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), 0);
}

/* Wherever reading or writing fails before the reset, there is none, and everything is as it was. */
static void test_stop_fails(void **state)
{
	size_t reads;

	(void)state;
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	reads = pp_count(&p, PP_READ) / 2;
	resets = 0;
	assert_true(reads > 20);
	for (unsigned int i = 0; i < 20; i++) {
		pp_fail(&p, PP_READ, i, 1, -EFAULT);
		assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
		assert_int_equal(resets, 0);
		as_before();
	}
	pp_fail(&p, PP_READ, 0, 0, 0);
	pp_fail(&p, PP_WRITE, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), -EFAULT);
	assert_int_equal(resets, 0);
	as_before();
}

/* Capabilities that lie so that their registers would be another's, or beyond the end. */
static void test_broken_capabilities(void **state)
{
	(void)state;
	pp_cap(&p, 0xf8, PCI_CAP_ID_PCIX);
	pp_cap(&p, 0xfc, PCI_CAP_ID_AF);
	pp_ext_cap(&p, 0xffc, PCI_EXT_CAP_ID_ATS);
	pp_ext_cap(&p, 0xff8, PCI_EXT_CAP_ID_REBAR);
	pp_set16(&p, EXP + PCI_EXP_FLAGS, 1);
	open_pci();
	pp_forget(&p);
	assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_FUNCTION), 0);
	for (size_t i = 0; i < pp_count(&p, PP_READ); i++)
		assert_int_not_equal(pp_call(&p, PP_READ, i)->off, EXP + PCI_EXP_DEVCTL2);
	/* which is no register then */
	assert_int_equal(pp_get16(&p, EXP + PCI_EXP_DEVCTL2), 0);
}

/* With and without extended config space behind it, where it would be a header that is written. */
static void test_capabilities_at_the_end(void **state)
{
	uint32_t methods = 0, states = 0;

	(void)state;
	p.config[PCI_CAPABILITY_LIST] = 0;
	pp_cap(&p, 0xf8, PCI_CAP_ID_EXP);
	pp_cap(&p, 0xfc, PCI_CAP_ID_PM);
	for (p.config_size = PCI_CFG_SPACE_SIZE;; p.config_size = PCI_CFG_SPACE_EXP_SIZE) {
		open_pci();
		assert_int_equal(vfk_pci_power_states(pci, &states), 0);
		assert_int_equal(states, 1u << VFK_PCI_D0);
		assert_int_equal(vfk_pci_reset_methods(pci, &methods), 0);
		assert_int_equal(methods, 1u << VFK_PCI_RESET_AUTO | 1u << VFK_PCI_RESET_FUNCTION);
		pp_forget(&p);
		assert_int_equal(vfk_pci_reset(pci, VFK_PCI_RESET_AUTO), 0);
		for (size_t i = 0; i < pp_count(&p, PP_WRITE); i++)
			assert_int_equal(pp_call(&p, PP_WRITE, i)->off / 16 == 0xf, 0);
		if (p.config_size == PCI_CFG_SPACE_EXP_SIZE)
			return;
		pp_close(pci);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_command),
		TEST(test_command_lacking),
		TEST(test_methods),
		TEST(test_no_method),
		TEST(test_auto_prefers_flr),
		TEST(test_auto_prefers_af_flr),
		TEST(test_auto_prefers_bus_to_pm),
		TEST(test_reset),
		TEST(test_mapped_access_is_held),
		TEST(test_held_until_d0),
		TEST(test_interrupts),
		TEST(test_interrupts_of_a_failed_reset),
		TEST(test_interrupts_cannot_be_stopped),
		TEST(test_interrupts_are_not_restored),
		TEST(test_order),
		TEST(test_kept_registers),
		TEST(test_pme_status_is_kept),
		TEST(test_reset_from_d3),
		TEST(test_reset_by_pm),
		TEST(test_pm_stuck),
		TEST(test_pm_way_there_fails),
		TEST(test_pm_way_there_is_told_wrong),
		TEST(test_pm_way_back_fails_at_first),
		TEST(test_pm_way_back_fails),
		TEST(test_config_comes_late),
		TEST(test_config_stays_ones),
		TEST(test_reset_fails),
		TEST(test_reset_and_restore_fail),
		TEST(test_restore_fails),
		TEST(test_stop_fails),
		TEST(test_broken_capabilities),
		TEST(test_capabilities_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
