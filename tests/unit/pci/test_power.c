/* SPDX-License-Identifier: BSD-3-Clause */
/* test_power.c - power states by the power management capability, and runtime low power by features. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/pci/instance.h"
#include "puppet_pci.h"

#define PM   0x40
#define CTRL (PM + PCI_PM_CTRL)
#define BAR  0xfebf1000u

static struct puppet_pci p;
static struct vfk_pci *pci;
static bool loses;	  /* its state, on the way from D3hot to D0 */
static unsigned int held; /* who held mapped access back when the power state was written last */

static ssize_t (*plain_write)(struct vfk_io *, uint32_t, uint64_t, const void *, size_t,
			      unsigned int);

static ssize_t op_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			size_t len, unsigned int flags)
{
	uint16_t old = pp_get16(&p, CTRL), now;
	ssize_t n = plain_write(io, region, off, buf, len, flags);

	if (region == PP_CONFIG && off == CTRL)
		held = pci->bars.held;
	now = pp_get16(&p, CTRL);
	if (loses && (old & 3) == 3 && !(now & 3)) {
		pp_set32(&p, PCI_BASE_ADDRESS_0, 0);
		pp_set16(&p, PCI_COMMAND, 0);
	}
	return n;
}

static void writable(uint32_t off, uint32_t mask)
{
	for (int i = 0; i < 4; i++)
		p.writable[off + (uint32_t)i] |= (uint8_t)(mask >> 8 * i);
}

static int setup(void **state)
{
	(void)state;
	loses = false;
	pp_init(&p);
	plain_write = p.ops.region_write;
	p.ops.region_write = op_write;
	pp_cap(&p, PM, PCI_CAP_ID_PM);
	pp_set16(&p, PM + PCI_PM_PMC, 3 | PCI_PM_CAP_D1 | PCI_PM_CAP_D2);
	pp_set16(&p, CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	writable(CTRL, PCI_PM_CTRL_STATE_MASK);
	writable(PCI_BASE_ADDRESS_0, 0xfffff000);
	writable(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	pp_set32(&p, PCI_BASE_ADDRESS_0, BAR);
	pp_set16(&p, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return 0;
}

static void open_pci(void)
{
	pci = pp_open(&p);
}

static int teardown(void **state)
{
	(void)state;
	if (pci)
		pp_close(pci);
	pci = NULL;
	pp_fini(&p);
	return 0;
}

static void in(enum vfk_pci_power_state want)
{
	enum vfk_pci_power_state state = 99;

	assert_int_equal(vfk_pci_get_power_state(pci, &state), 0);
	assert_int_equal(state, want);
	assert_int_equal(pp_get16(&p, CTRL) & PCI_PM_CTRL_STATE_MASK, want);
	assert_int_equal(pci->bars.held, want != VFK_PCI_D0);
}

static void test_states(void **state)
{
	uint32_t bits;

	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_power_states(pci, &bits), 0);
	assert_int_equal(bits, 0xf);
	pp_set16(&p, PM + PCI_PM_PMC, 3);
	assert_int_equal(vfk_pci_power_states(pci, &bits), 0);
	assert_int_equal(bits, 0x9);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D1), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "no power state D1"));
	assert_int_equal(vfk_pci_set_power_state(pci, 4), -EINVAL);
	assert_int_equal(vfk_pci_set_power_state(pci, (enum vfk_pci_power_state) - 1), -EINVAL);
	in(VFK_PCI_D0);
	pp_fail(&p, PP_READ, 0, 1, -EIO);
	bits = 7;
	assert_int_equal(vfk_pci_power_states(pci, &bits), -EIO);
	assert_int_equal(bits, 7);
}

static void test_without_capability(void **state)
{
	enum vfk_pci_power_state now = VFK_PCI_D2;
	uint32_t bits;

	(void)state;
	p.config[PCI_STATUS] = 0;
	open_pci();
	assert_int_equal(vfk_pci_power_states(pci, &bits), 0);
	assert_int_equal(bits, 1);
	assert_int_equal(vfk_pci_get_power_state(pci, &now), 0);
	assert_int_equal(now, VFK_PCI_D0);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D0), 0);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D3HOT), -ENOTSUP);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t takes(enum vfk_pci_power_state state)
{
	uint64_t began = now_us();

	assert_int_equal(vfk_pci_set_power_state(pci, state), 0);
	in(state);
	return now_us() - began;
}

static void test_ways_and_delays(void **state)
{
	(void)state;
	open_pci();
	takes(VFK_PCI_D1);
	assert_true(takes(VFK_PCI_D2) >= 200);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D1), -EINVAL);
	in(VFK_PCI_D2);
	assert_true(takes(VFK_PCI_D3HOT) >= 10000);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D2), -EINVAL);
	pp_forget(&p);
	takes(VFK_PCI_D3HOT);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
	assert_true(takes(VFK_PCI_D0) >= 10000);
	takes(VFK_PCI_D2);
	assert_true(takes(VFK_PCI_D0) >= 200);
}

/* A written 1 clears PME_Status; other settings stay. */
static void test_other_bits(void **state)
{
	(void)state;
	pp_set16(&p, CTRL,
		 PCI_PM_CTRL_NO_SOFT_RESET | PCI_PM_CTRL_PME_STATUS | PCI_PM_CTRL_PME_ENABLE);
	open_pci();
	pp_forget(&p);
	takes(VFK_PCI_D3HOT);
	assert_int_equal(pp_call(&p, PP_WRITE, 0)->value,
			 PCI_PM_CTRL_NO_SOFT_RESET | PCI_PM_CTRL_PME_ENABLE | 3);
	assert_int_equal(pp_count(&p, PP_WRITE), 1);
}

static void test_soft_reset(void **state)
{
	(void)state;
	loses = true;
	pp_set16(&p, CTRL, 0);
	open_pci();
	takes(VFK_PCI_D3HOT);
	takes(VFK_PCI_D0);
	assert_int_equal(pp_get32(&p, PCI_BASE_ADDRESS_0), BAR);
	assert_int_equal(pp_get16(&p, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void test_stuck(void **state)
{
	(void)state;
	memset(&p.writable[CTRL], 0, 2);
	open_pci();
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D3HOT), -EIO);
	assert_non_null(strstr(vfk_error(), "stays in D0"));
	in(VFK_PCI_D0);
}

static void test_failures(void **state)
{
	(void)state;
	open_pci();
	for (unsigned int i = 0; i < 3; i++) {
		pp_fail(&p, PP_READ, i, 1, -EFAULT);
		assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D3HOT), -EFAULT);
		in(VFK_PCI_D0);
	}
	pp_fail(&p, PP_WRITE, 0, 1, -EFAULT);
	assert_int_equal(vfk_pci_set_power_state(pci, VFK_PCI_D3HOT), -EFAULT);
	in(VFK_PCI_D0);
}

static void test_close_wakes(void **state)
{
	(void)state;
	open_pci();
	takes(VFK_PCI_D3HOT);
	pp_close(pci);
	pci = NULL;
	assert_int_equal(pp_get16(&p, CTRL) & 3, 0);
}

/* ---- by config space ---- */

static void test_config_writes(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 2, 3), 0);
	in(VFK_PCI_D3HOT);
	assert_int_equal(held, 1);
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 1, 0), 0);
	in(VFK_PCI_D0);
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 4, 1), 0);
	in(VFK_PCI_D1);
	assert_int_equal(held, 1);
	assert_int_equal(vfk_pci_config_modify(pci, CTRL, 2, 0, 3, NULL), 0);
	in(VFK_PCI_D3HOT);
	assert_int_equal(vfk_pci_config_modify(pci, CTRL, 2, 3, 0, NULL), 0);
	in(VFK_PCI_D0);
	/* What is beside it says nothing of it. */
	pp_forget(&p);
	assert_int_equal(vfk_pci_config_write(pci, CTRL + 1, 1, 3), 0);
	assert_int_equal(vfk_pci_config_write(pci, PM + PCI_PM_PMC, 2, 3), 0);
	assert_int_equal(p.num_calls, 2);
	in(VFK_PCI_D0);
}

static void test_config_writes_that_do_nothing(void **state)
{
	(void)state;
	open_pci();
	pp_fail(&p, PP_WRITE, 0, 1, -EIO);
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 2, 3), -EIO);
	in(VFK_PCI_D0);
	memset(&p.writable[CTRL], 0, 2);
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 2, 3), 0);
	in(VFK_PCI_D0);
}

static void close_pci(void)
{
	pp_close(pci);
	pci = NULL;
}

static void test_close_wakes_what_others_sent_to_sleep(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_config_write(pci, CTRL, 2, 3), 0);
	close_pci();
	assert_int_equal(pp_get16(&p, CTRL) & 3, 0);
	pp_set16(&p, CTRL, 3);
	open_pci();
	close_pci();
	assert_int_equal(pp_get16(&p, CTRL) & 3, 0);
}

/* One that is not there any more reads as in D3hot: nobody waits for it. */
static void test_close_of_what_is_gone(void **state)
{
	uint64_t began;

	(void)state;
	open_pci();
	memset(p.config, 0xff, sizeof(p.config));
	pp_forget(&p);
	began = now_us();
	close_pci();
	assert_true(now_us() - began < 500000);
	assert_int_equal(pp_count(&p, PP_WRITE), 0);
}

/* ---- runtime low power ---- */

#define LOW_POWER                                                \
	(1u << VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY |             \
	 1u << VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP | \
	 1u << VFIO_DEVICE_FEATURE_LOW_POWER_EXIT)

/* How often a feature was set. */
static unsigned int sets(uint32_t id)
{
	unsigned int n = 0;

	for (size_t i = 0; i < pp_count(&p, PP_FEATURE); i++) {
		const struct pp_call *c = pp_call(&p, PP_FEATURE, i);

		n += c->index == id && !(c->flags & VFIO_DEVICE_FEATURE_PROBE);
	}
	return n;
}

static void test_low_power_lacking(void **state)
{
	(void)state;
	open_pci();
	assert_int_equal(vfk_pci_low_power_enter(pci), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "low_power_entry is not offered"));
	assert_int_equal(vfk_pci_low_power_enter_with_wakeup(pci, 0), -ENOTSUP);
	assert_int_equal(vfk_pci_low_power_exit(pci), -ENOTSUP);
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY), 0);
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 0);
}

static void test_low_power(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	p.features = LOW_POWER;
	open_pci();
	assert_int_equal(vfk_pci_low_power_enter(pci), 0);
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY), 1);
	assert_int_equal(pci->bars.held, 1);
	/* as after a wake-up: entered anew */
	assert_int_equal(vfk_pci_low_power_enter(pci), 0);
	assert_int_equal(pci->bars.held, 1);
	assert_int_equal(vfk_pci_low_power_exit(pci), 0);
	assert_int_equal(pci->bars.held, 0);
	assert_int_equal(vfk_pci_low_power_exit(pci), 0);
	assert_int_equal(pci->bars.held, 0);
	assert_int_equal(vfk_pci_low_power_enter_with_wakeup(pci, -1), -EINVAL);
	assert_int_equal(vfk_pci_low_power_enter_with_wakeup(pci, fd), 0);
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP), 1);
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 2);
	/* closing ends it */
	pp_close(pci);
	pci = NULL;
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 3);
	close(fd);
}

static void test_low_power_fails(void **state)
{
	(void)state;
	p.features = LOW_POWER;
	open_pci();
	pp_fail(&p, PP_FEATURE, 1, 1, -EINVAL); /* after the probe */
	assert_int_equal(vfk_pci_low_power_enter(pci), -EINVAL);
	assert_int_equal(pci->bars.held, 0);
	pp_close(pci);
	pci = NULL;
	assert_int_equal(sets(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 0);
}

static void test_close_keeps_the_text(void **state)
{
	uint32_t off;

	(void)state;
	p.config[PCI_STATUS] = 0;
	open_pci();
	assert_int_equal(vfk_pci_cap_find(pci, PCI_CAP_ID_EXP, &off), -ENOENT);
	pp_close(pci);
	pci = NULL;
	assert_non_null(strstr(vfk_error(), "no standard capability 0x10"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_states),
		TEST(test_without_capability),
		TEST(test_ways_and_delays),
		TEST(test_other_bits),
		TEST(test_soft_reset),
		TEST(test_stuck),
		TEST(test_failures),
		TEST(test_close_wakes),
		TEST(test_low_power_lacking),
		TEST(test_low_power),
		TEST(test_low_power_fails),
		TEST(test_config_writes),
		TEST(test_config_writes_that_do_nothing),
		TEST(test_close_wakes_what_others_sent_to_sleep),
		TEST(test_close_of_what_is_gone),
		TEST(test_close_keeps_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
