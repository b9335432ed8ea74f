/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power.c - D-states, by the power management capability.
 *
 * Any thread; internal functions with the lock held.
 */
#include "power.h"
#include "instance.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "reset.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <time.h>

/* PCI PM 1.2 section 5.6.1, table 5-6 */
#define D2_NS	 (200 * 1000ull)
#define D3HOT_NS (10 * VFKI_NS_PER_MS)

#define AWAIT_MS	 1000 /* PCIe 6.0 section 6.6.1 */
#define AWAIT_FIRST_NS	 VFKI_NS_PER_MS
#define AWAIT_LONGEST_NS (64 * VFKI_NS_PER_MS)

static void pause_ns(uint64_t ns)
{
	struct timespec left = vfki_timespec(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* ---- config space that is not there ---- */

/* vfio-pci makes some bits of them up, whatever the device says. */
#define MADE_UP (PCI_COMMAND_INTX_DISABLE | (uint32_t)PCI_STATUS_CAP_LIST << 16)

/*
 * Ones, or the vendor 0001 of a device that asks for patience (PCIe 6.0 section 2.3.2). Beside it command and status, which
 * have bits that are 0 in every device: vfio-pci makes the ids up.
 */
int vfki_pci_power_answers(struct vfk_pci *pci)
{
	uint32_t id = 0, command = 0;
	int ret = vfk_pci_config_read(pci, PCI_VENDOR_ID, 4, &id);

	if (!ret)
		ret = vfk_pci_config_read(pci, PCI_COMMAND, 4, &command);
	if (ret == -EIO)
		return 0;
	if (ret < 0)
		return ret;
	return id != UINT32_MAX && (id & 0xffff) != 1 && (command | MADE_UP) != UINT32_MAX;
}

int vfki_pci_power_await(struct vfk_pci *pci)
{
	uint64_t end = vfki_deadline_ns(AWAIT_MS), step = AWAIT_FIRST_NS;
	int ret;

	while (!(ret = vfki_pci_power_answers(pci)) && vfki_now_ns() < end) {
		pause_ns(step);
		if (step < AWAIT_LONGEST_NS)
			step *= 2;
	}
	if (ret < 0)
		return ret;
	return ret ? 0 :
		     vfki_err(-ENODEV, "%s: config space does not answer since %u ms",
			      vfki_pci_name(pci), AWAIT_MS);
}

/* ---- the capability ---- */

static int read_control(struct vfk_pci *pci, uint32_t *at, uint32_t *control)
{
	int ret = vfki_pci_cap_find_whole(pci, PCI_CAP_ID_PM, PCI_PM_CTRL + 2, at);

	if (ret == -ENOENT)
		return vfki_err(-ENOTSUP, "%s: no power management", vfki_pci_name(pci));
	return vfk_pci_config_read(pci, *at + PCI_PM_CTRL, 2, control);
}

static enum vfk_pci_power_state state_of(uint32_t control)
{
	return (enum vfk_pci_power_state)(control & PCI_PM_CTRL_STATE_MASK);
}

int vfki_pci_power_resets(struct vfk_pci *pci)
{
	uint32_t at, control = 0;
	int ret = read_control(pci, &at, &control);

	if (ret == -ENOTSUP || ret == -EIO)
		return 0;
	return ret < 0 ? ret : !(control & PCI_PM_CTRL_NO_SOFT_RESET);
}

static uint64_t transition_ns(enum vfk_pci_power_state from, enum vfk_pci_power_state to)
{
	if (from == VFK_PCI_D3HOT || to == VFK_PCI_D3HOT)
		return D3HOT_NS;
	return from == VFK_PCI_D2 || to == VFK_PCI_D2 ? D2_NS : 0;
}

int vfki_pci_power_write(struct vfk_pci *pci, enum vfk_pci_power_state state)
{
	uint32_t at, control, other = PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS;
	int ret = read_control(pci, &at, &control);

	if (ret == -ENOTSUP && state == VFK_PCI_D0)
		return 0;
	if (ret < 0 || state_of(control) == state)
		return ret;
	ret = vfki_pci_config_put(pci, at + PCI_PM_CTRL, 2, (control & ~other) | state);
	if (ret < 0)
		return ret;
	pause_ns(transition_ns(state_of(control), state));
	ret = vfki_pci_power_await(pci);
	if (!ret)
		ret = vfk_pci_config_read(pci, at + PCI_PM_CTRL, 2, &control);
	if (!ret && state_of(control) != state)
		ret = vfki_err(-EIO, "%s: it does not go to D%u, and stays in D%u",
			       vfki_pci_name(pci), (unsigned int)state,
			       (unsigned int)state_of(control));
	return ret;
}

/* ---- states ---- */

static int read_states(struct vfk_pci *pci, uint32_t *states)
{
	uint32_t at, pmc;
	int ret;

	*states = 1u << VFK_PCI_D0;
	if (vfki_pci_cap_find_whole(pci, PCI_CAP_ID_PM, PCI_PM_CTRL + 2, &at) < 0)
		return 0;
	ret = vfk_pci_config_read(pci, at + PCI_PM_PMC, 2, &pmc);
	if (ret < 0)
		return ret;
	*states |= 1u << VFK_PCI_D3HOT;
	if (pmc & PCI_PM_CAP_D1)
		*states |= 1u << VFK_PCI_D1;
	if (pmc & PCI_PM_CAP_D2)
		*states |= 1u << VFK_PCI_D2;
	return 0;
}

int vfk_pci_power_states(struct vfk_pci *pci, uint32_t *states)
{
	uint32_t found;
	int ret = read_states(pci, &found);

	if (!ret)
		*states = found;
	return ret;
}

int vfk_pci_get_power_state(struct vfk_pci *pci, enum vfk_pci_power_state *state)
{
	uint32_t at, control = 0;
	int ret = read_control(pci, &at, &control);

	if (ret == -ENOTSUP)
		control = ret = 0;
	if (!ret)
		*state = state_of(control);
	return ret;
}

/* Whether there is a way: PCI PM 1.2 section 5.4, figure 5-1. */
static int check_way(struct vfk_pci *pci, enum vfk_pci_power_state from,
		     enum vfk_pci_power_state to)
{
	uint32_t states;
	int ret = read_states(pci, &states);

	if (ret < 0)
		return ret;
	if (!(states >> to & 1))
		return vfki_err(-ENOTSUP, "%s: no power state D%u", vfki_pci_name(pci),
				(unsigned int)to);
	if (to != VFK_PCI_D0 && to < from)
		return vfki_err(-EINVAL, "%s: from D%u only D0 and deeper states are reached",
				vfki_pci_name(pci), (unsigned int)from);
	return 0;
}

/* From D3hot to D0 of a device that forgets everything on that way. */
static int wake_with_reset(struct vfk_pci *pci)
{
	struct vfki_pci_saved saved;
	int ret, restored;

	ret = vfki_pci_stop(pci, &saved);
	if (ret < 0)
		return ret;
	ret = vfki_pci_power_write(pci, VFK_PCI_D0);
	restored = vfki_pci_resume(pci, &saved, ret);
	return ret ? ret : restored;
}

static int change(struct vfk_pci *pci, enum vfk_pci_power_state from, enum vfk_pci_power_state to)
{
	int ret = to == VFK_PCI_D0 && from == VFK_PCI_D3HOT ? vfki_pci_power_resets(pci) : 0;

	if (ret < 0)
		return ret;
	return ret ? wake_with_reset(pci) : vfki_pci_power_write(pci, to);
}

/* Mapped access is held back exactly while it is asleep. */
static void set_asleep(struct vfk_pci *pci, bool asleep)
{
	if (asleep && !pci->power.asleep)
		vfki_pci_bars_hold(pci);
	if (!asleep && pci->power.asleep)
		vfki_pci_bars_release(pci);
	pci->power.asleep = asleep;
}

void vfki_pci_power_note(struct vfk_pci *pci)
{
	enum vfk_pci_power_state state;

	/* what nobody knows stays as it was */
	if (!vfk_pci_get_power_state(pci, &state))
		set_asleep(pci, state != VFK_PCI_D0);
}

/* The text of a failure stays. */
static void note_after(struct vfk_pci *pci, int ret)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	vfki_pci_power_note(pci);
	if (ret < 0)
		vfki_err(ret, "%s", text);
}

bool vfki_pci_power_is_at(const struct vfk_pci *pci, uint32_t off, unsigned int width)
{
	uint32_t at;

	return !vfki_pci_cap_find_whole(pci, PCI_CAP_ID_PM, PCI_PM_CTRL + 2, &at) &&
	       off <= at + PCI_PM_CTRL && at + PCI_PM_CTRL < off + width;
}

/* No mapped access is under way any more when it leaves D0. */
int vfki_pci_power_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width,
				uint32_t value)
{
	bool was = pci->power.asleep;
	uint32_t at;
	int ret;

	if (!vfki_pci_cap_find_whole(pci, PCI_CAP_ID_PM, PCI_PM_CTRL + 2, &at) &&
	    state_of(value >> 8 * (at + PCI_PM_CTRL - off)) != VFK_PCI_D0)
		set_asleep(pci, true);
	ret = vfki_pci_config_put(pci, off, width, value);
	if (ret < 0)
		set_asleep(pci, was);
	else
		vfki_pci_power_note(pci);
	return ret;
}

static int set_state(struct vfk_pci *pci, enum vfk_pci_power_state state)
{
	enum vfk_pci_power_state now;
	int ret = vfk_pci_get_power_state(pci, &now);

	if (!ret)
		ret = check_way(pci, now, state);
	if (ret < 0)
		return ret;
	if (state != VFK_PCI_D0)
		set_asleep(pci, true);
	if (now != state)
		ret = change(pci, now, state);
	note_after(pci, ret);
	return ret;
}

int vfk_pci_set_power_state(struct vfk_pci *pci, enum vfk_pci_power_state state)
{
	int ret;

	if ((unsigned int)state > VFK_PCI_D3HOT)
		return vfki_err(-EINVAL, "%s: power state %u", vfki_pci_name(pci),
				(unsigned int)state);
	vfki_pci_lock(pci);
	ret = set_state(pci, state);
	vfki_pci_unlock(pci);
	return ret;
}

/* One that is not there reads as in D3hot, and is not waited for. */
static bool is_elsewhere(struct vfk_pci *pci)
{
	enum vfk_pci_power_state state;

	return !vfk_pci_get_power_state(pci, &state) && state != VFK_PCI_D0 &&
	       vfki_pci_power_answers(pci) == 1;
}

/* Who closes after a failure has its text still to show. */
void vfki_pci_power_fini(struct vfk_pci *pci)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	if (is_elsewhere(pci))
		(void)vfk_pci_set_power_state(pci, VFK_PCI_D0);
	if (pci->power.low_power)
		(void)vfk_pci_low_power_exit(pci);
	vfki_err(0, "%s", text);
}
