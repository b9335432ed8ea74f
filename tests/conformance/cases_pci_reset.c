/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_pci_reset.c - what a reset by lib/pci gives back, by each method that the device has; power states; runtime low
 * power; the command register.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

#define DECODE (PCI_COMMAND_MEMORY | PCI_COMMAND_IO)
#define HEADER PCI_STD_HEADER_SIZEOF

static struct vfk_pci *open_pci(struct t *t)
{
	struct vfk_pci *pci = NULL;

	case_need_pci(t);
	CHECK_OK(t, vfk_pci_open(t->dev, &pci));
	return pci;
}

static uint32_t get(struct t *t, struct vfk_pci *pci, uint32_t off, unsigned int width)
{
	uint32_t v = 0;

	CHECK_OK(t, vfk_pci_config_read(pci, off, width, &v));
	return v;
}

/* ---- what must be the same after it ---- */

static void read_header(struct t *t, struct vfk_pci *pci, uint32_t *header)
{
	for (unsigned int off = 0; off < HEADER; off += 4)
		header[off / 4] = get(t, pci, off, 4);
	header[PCI_COMMAND / 4] &= 0xffff; /* the status register tells of errors */
}

static void check_header(struct t *t, struct vfk_pci *pci, const uint32_t *before)
{
	uint32_t after[HEADER / 4];

	read_header(t, pci, after);
	for (unsigned int i = 0; i < HEADER / 4; i++) {
		if (after[i] != before[i])
			FAIL(t, "config 0x%02x: 0x%08x before, 0x%08x after", 4 * i, before[i],
			     after[i]);
	}
}

/* Arms one vector of the best kind that there is; -1: none. */
static int arm(struct t *t, struct vfk_pci *pci, const int *fd)
{
	static const int kinds[] = { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
				     VFIO_PCI_INTX_IRQ_INDEX };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!case_irq(t, (uint32_t)kinds[i]).count)
			continue;
		CHECK_EQ(t, vfk_pci_irq_enable(pci, (uint32_t)kinds[i], 1, 1, fd), 1);
		return kinds[i];
	}
	return -1;
}

static void reset_by(struct t *t, struct vfk_pci *pci, enum vfk_pci_reset_method method)
{
	uint32_t before[HEADER / 4];
	int fd = case_eventfd(t), kind = arm(t, pci, &fd);

	read_header(t, pci, before);
	CHECK_OK(t, vfk_pci_reset(pci, method));
	check_header(t, pci, before);
	if (kind >= 0) {
		case_quiet(t, fd);
		CHECK_OK(t, vfk_irq_trigger(t->dev, (uint32_t)kind, 0, 1));
		case_wait(t, fd);
		CHECK_OK(t, vfk_pci_irq_disable(pci));
	}
	close(fd);
}

static void pci_reset_keeps_setup(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t methods = 0;

	CHECK_OK(t, vfk_pci_reset_methods(pci, &methods));
	if (!methods)
		case_skip("the device has no reset of its own");
	(void)vfk_pci_set_master(pci, true); /* one that cannot be a master keeps that, too */
	for (unsigned int m = VFK_PCI_RESET_AUTO; m <= VFK_PCI_RESET_HOT; m++) {
		if (methods >> m & 1)
			reset_by(t, pci, (enum vfk_pci_reset_method)m);
	}
	CHECK_OK(t, vfk_pci_set_decode(pci, false, false));
	reset_by(t, pci, VFK_PCI_RESET_AUTO);
	vfk_pci_close(pci);
}

static void pci_reset_lacking(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t before[HEADER / 4], methods = 0;

	CHECK_OK(t, vfk_pci_reset_methods(pci, &methods));
	read_header(t, pci, before);
	for (unsigned int m = VFK_PCI_RESET_AUTO; m <= VFK_PCI_RESET_HOT; m++) {
		if (!(methods >> m & 1))
			CHECK_EQ(t, vfk_pci_reset(pci, (enum vfk_pci_reset_method)m), -ENOTSUP);
	}
	CHECK_EQ(t, vfk_pci_reset(pci, (enum vfk_pci_reset_method)(VFK_PCI_RESET_HOT + 1)),
		 -EINVAL);
	check_header(t, pci, before);
	vfk_pci_close(pci);
}

/* ---- hot reset ---- */

static void pci_hot_reset_info(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_dependent list[256];
	size_t count = 0, same = 0;
	int ret = vfk_pci_hot_reset_info(pci, NULL, 0, list, 256, &count);

	if (ret == -ENOTSUP)
		case_skip("the device has no slot or bus");
	CHECK_OK(t, ret);
	CHECK(t, count >= 1 && count <= 256);
	for (size_t i = 0; i < count; i++) {
		CHECK(t, list[i].slot < 32);
		CHECK(t, list[i].function < 8);
		CHECK(t, list[i].owner <= VFK_PCI_OWNER_UNKNOWN);
	}
	CHECK_OK(t, vfk_pci_hot_reset_info(pci, NULL, 0, NULL, 0, &same));
	CHECK_EQ(t, same, (long long)count);
	CHECK_EQ(t, vfk_pci_hot_reset(pci, &pci, 1), -EINVAL);
	vfk_pci_close(pci);
}

/* ---- command register ---- */

static void pci_set_master(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	int ret = vfk_pci_set_master(pci, true);

	if (ret == -ENOTSUP)
		case_skip("the device can be no bus master");
	CHECK_OK(t, ret);
	CHECK(t, get(t, pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	CHECK_OK(t, vfk_pci_set_master(pci, false));
	CHECK(t, !(get(t, pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER));
	CHECK_OK(t, vfk_pci_set_master(pci, false));
	vfk_pci_close(pci);
}

static void pci_set_decode(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t has;
	int ret;

	CHECK_OK(t, vfk_pci_config_modify(pci, PCI_COMMAND, 2, 0, DECODE, NULL));
	has = get(t, pci, PCI_COMMAND, 2) & DECODE;
	ret = vfk_pci_set_decode(pci, false, false);
	if (ret == -ENOTSUP && get(t, pci, PCI_COMMAND, 2) & DECODE)
		case_skip("the device always decodes");
	CHECK_OK(t, ret);
	CHECK_EQ(t, get(t, pci, PCI_COMMAND, 2) & DECODE, 0);
	CHECK_EQ(t, vfk_pci_set_decode(pci, true, false), has & PCI_COMMAND_MEMORY ? 0 : -ENOTSUP);
	CHECK_EQ(t, get(t, pci, PCI_COMMAND, 2) & DECODE, has & PCI_COMMAND_MEMORY);
	CHECK_EQ(t, vfk_pci_set_decode(pci, false, true), has & PCI_COMMAND_IO ? 0 : -ENOTSUP);
	vfk_pci_close(pci);
}

/* ---- power ---- */

/* A BAR whose first register can be read, as far as this can be known; -1: none. */
static int readable_bar(struct t *t)
{
	uint64_t v;

	for (unsigned int i = 0; i < 6; i++) {
		if (case_region(t, i)->size >= 4 && !vfk_region_get(t->dev, i, 0, 4, &v))
			return (int)i;
	}
	return -1;
}

static void pci_power_d3hot(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	enum vfk_pci_power_state state = VFK_PCI_D1;
	uint32_t before[HEADER / 4], states = 0;
	uint64_t v;
	int bar;

	CHECK_OK(t, vfk_pci_power_states(pci, &states));
	if (!(states >> VFK_PCI_D3HOT & 1))
		case_skip("the device has no power management");
	bar = readable_bar(t);
	read_header(t, pci, before);
	CHECK_OK(t, vfk_pci_set_power_state(pci, VFK_PCI_D3HOT));
	CHECK_OK(t, vfk_pci_get_power_state(pci, &state));
	CHECK_EQ(t, state, VFK_PCI_D3HOT);
	check_header(t, pci, before);
	if (bar >= 0)
		CHECK_EQ(t, vfk_region_get(t->dev, (uint32_t)bar, 0, 4, &v), -EIO);
	CHECK_EQ(t, vfk_pci_set_power_state(pci, VFK_PCI_D1),
		 states >> VFK_PCI_D1 & 1 ? -EINVAL : -ENOTSUP);
	CHECK_OK(t, vfk_pci_set_power_state(pci, VFK_PCI_D0));
	CHECK_OK(t, vfk_pci_get_power_state(pci, &state));
	CHECK_EQ(t, state, VFK_PCI_D0);
	check_header(t, pci, before);
	if (bar >= 0)
		CHECK_OK(t, vfk_region_get(t->dev, (uint32_t)bar, 0, 4, &v));
	vfk_pci_close(pci);
}

static void pci_power_states(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t states = 0;

	CHECK_OK(t, vfk_pci_power_states(pci, &states));
	CHECK(t, states & 1u << VFK_PCI_D0);
	CHECK(t, !(states >> 4));
	for (unsigned int s = VFK_PCI_D0; s <= VFK_PCI_D3HOT; s++) {
		CHECK_EQ(t, vfk_pci_set_power_state(pci, (enum vfk_pci_power_state)s),
			 states >> s & 1 ? 0 : -ENOTSUP);
		CHECK_OK(t, vfk_pci_set_power_state(pci, VFK_PCI_D0));
	}
	CHECK_EQ(t, vfk_pci_set_power_state(pci, (enum vfk_pci_power_state)4), -EINVAL);
	vfk_pci_close(pci);
}

/* Closing brings it back to where a program expects it. */
static void pci_power_close_wakes(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	enum vfk_pci_power_state state = VFK_PCI_D1;
	uint32_t states = 0;

	CHECK_OK(t, vfk_pci_power_states(pci, &states));
	if (!(states >> VFK_PCI_D3HOT & 1))
		case_skip("the device has no power management");
	CHECK_OK(t, vfk_pci_set_power_state(pci, VFK_PCI_D3HOT));
	vfk_pci_close(pci);
	CHECK_OK(t, vfk_pci_open(t->dev, &pci));
	CHECK_OK(t, vfk_pci_get_power_state(pci, &state));
	CHECK_EQ(t, state, VFK_PCI_D0);
	vfk_pci_close(pci);
}

static void pci_low_power(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t before[HEADER / 4], ops = 0;
	int fd;

	CHECK_OK(t, vfk_feature_probe(t->dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, &ops));
	if (!ops) {
		CHECK_EQ(t, vfk_pci_low_power_enter(pci), -ENOTSUP);
		CHECK_EQ(t, vfk_pci_low_power_exit(pci), -ENOTSUP);
		case_skip("the device offers no runtime low power");
	}
	fd = case_eventfd(t);
	read_header(t, pci, before);
	CHECK_OK(t, vfk_pci_low_power_enter(pci));
	CHECK_EQ(t, vfk_pci_low_power_enter(pci), -EINVAL);
	check_header(t, pci, before);
	CHECK_OK(t, vfk_pci_low_power_exit(pci));
	CHECK_OK(t, vfk_pci_low_power_exit(pci));
	CHECK_EQ(t, vfk_pci_low_power_enter_with_wakeup(pci, -1), -EINVAL);
	CHECK_OK(t, vfk_pci_low_power_enter_with_wakeup(pci, fd));
	check_header(t, pci, before);
	CHECK_OK(t, vfk_pci_low_power_exit(pci));
	check_header(t, pci, before);
	vfk_pci_close(pci);
	close(fd);
}

const struct vfk_case vfk_cases_pci_reset[] = {
	{ "pci_reset_keeps_setup", pci_reset_keeps_setup },
	{ "pci_reset_lacking", pci_reset_lacking },
	{ "pci_hot_reset_info", pci_hot_reset_info },
	{ "pci_set_master", pci_set_master },
	{ "pci_set_decode", pci_set_decode },
	{ "pci_power_d3hot", pci_power_d3hot },
	{ "pci_power_states", pci_power_states },
	{ "pci_power_close_wakes", pci_power_close_wakes },
	{ "pci_low_power", pci_low_power },
	{ NULL, NULL },
};
