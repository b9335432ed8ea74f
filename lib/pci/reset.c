/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset.c - reset of the device: which method, and what comes before and after it.
 *
 * Any thread; internal functions with the lock held.
 */
#include "reset.h"
#include "instance.h"
#include "lib/base/error.h"
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <vfiokit/pci_reset.h>

#define BIT(method) (1u << (method))
#define WAKE_TRIES  3

/* ---- before and after ---- */

/* One that is stuck in another state, or answers no more, is no failure: that is what resets are for. */
static bool may_help(int ret)
{
	return ret == -EIO || ret == -ENODEV;
}

static int quieten(struct vfk_pci *pci, bool dead)
{
	int ret = vfki_pci_irqs_quiesce(pci);

	if (ret < 0 || dead)
		return ret;
	ret = vfki_pci_power_write(pci, VFK_PCI_D0);
	if (ret < 0 && !may_help(ret))
		return ret;
	ret = vfki_pci_config_modify_locked(pci, PCI_COMMAND, 2,
					    PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
						    PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE,
					    0, NULL);
	return may_help(ret) ? 0 : ret;
}

/* What it answers when it does not would be written into it afterwards. */
static int save(struct vfk_pci *pci, struct vfki_pci_saved *saved)
{
	int ret = vfki_pci_power_answers(pci);

	if (ret > 0)
		ret = vfki_pci_saved_take(pci, saved);
	else if (!ret)
		*saved = (struct vfki_pci_saved){ .dead = true };
	if (ret < 0 || saved->dead)
		return ret;
	/* it may have gone meanwhile */
	ret = vfki_pci_power_answers(pci);
	if (!ret)
		*saved = (struct vfki_pci_saved){ .dead = true };
	return ret < 0 ? ret : 0;
}

int vfki_pci_stop(struct vfk_pci *pci, struct vfki_pci_saved *saved)
{
	int ret;

	vfki_pci_bars_hold(pci);
	ret = save(pci, saved);
	if (ret < 0) {
		vfki_pci_bars_release(pci);
		return ret;
	}
	ret = quieten(pci, saved->dead);
	if (ret < 0)
		(void)vfki_pci_resume(pci, saved, ret);
	return ret;
}

/* Adds what vfk_error() says of @ret to the text of the failures before it. */
static void add_failure(struct vfk_pci *pci, char *text, size_t size, int ret)
{
	size_t used = strlen(text);

	if (ret >= 0)
		return;
	if (used)
		snprintf(text + used, size - used, "; and after it: %s", vfk_error());
	else
		snprintf(text, size, "%s: after the reset: %s", vfki_pci_name(pci), vfk_error());
}

/* One whose server did not answer for its registers is not waited for again. */
static int resume_irqs(struct vfk_pci *pci, int registers)
{
	if (!vfki_pci_is_cut_off(registers))
		return vfki_pci_irqs_restore(pci);
	return pci->irqs.quiesced ? vfki_err(registers, "interrupts stay off") : 0;
}

/* Registers first: messages are sent by a device that is a bus master. */
int vfki_pci_resume(struct vfk_pci *pci, const struct vfki_pci_saved *saved, int why)
{
	char text[VFKI_ERROR_SIZE] = "";
	bool quiet = pci->irqs.quiesced;
	int registers, irqs;

	if (why < 0)
		snprintf(text, sizeof(text), "%s", vfk_error());
	registers = vfki_pci_power_await(pci);
	if (!registers)
		registers = vfki_pci_saved_put_back(pci, saved);
	add_failure(pci, text, sizeof(text), registers);
	irqs = resume_irqs(pci, registers);
	add_failure(pci, text, sizeof(text), irqs);
	if (!vfki_pci_is_cut_off(registers) && !vfki_pci_is_cut_off(irqs)) {
		vfki_pci_power_note(pci);
		vfki_pci_decode_note(pci, saved->dead || saved->lost);
	}
	vfki_pci_bars_release(pci);
	/* of a device that was not reset its driver waits for what came meanwhile */
	if (why < 0 && quiet && !irqs)
		vfki_pci_irqs_bridge_gap(pci);
	if (*text)
		vfki_err(why, "%s", text);
	return registers ? registers : irqs;
}

/* ---- methods ---- */

/* PCIe 6.0 section 7.5.3.3, or Advanced Features (PCI-SIG ECN of 2006): 1, 0, -errno. */
static int read_flr(struct vfk_pci *pci)
{
	uint32_t at, bits = 0;
	int ret = 0;

	if (!vfki_pci_cap_find_whole(pci, PCI_CAP_ID_EXP, PCI_EXP_DEVCAP + 4, &at)) {
		ret = vfk_pci_config_read(pci, at + PCI_EXP_DEVCAP, 4, &bits);
		if (ret < 0 || bits & PCI_EXP_DEVCAP_FLR)
			return ret < 0 ? ret : 1;
	}
	if (vfki_pci_cap_find_whole(pci, PCI_CAP_ID_AF, PCI_AF_CAP + 1, &at) < 0)
		return 0;
	ret = vfk_pci_config_read(pci, at + PCI_AF_CAP, 1, &bits);
	return ret < 0 ? ret : (bits & PCI_AF_CAP_TP && bits & PCI_AF_CAP_FLR);
}

/* It only makes the order better. */
static int has_flr(struct vfk_pci *pci)
{
	int ret = read_flr(pci);

	return ret == -EIO ? 0 : ret;
}

static int find_methods(struct vfk_pci *pci, uint32_t *methods)
{
	int alone = vfki_pci_is_alone(pci), pm = alone < 0 ? alone : vfki_pci_power_resets(pci);
	uint32_t found = 0;

	if (pm < 0)
		return pm;
	if (vfk_device_flags(pci->dev) & VFIO_DEVICE_FLAGS_RESET)
		found |= BIT(VFK_PCI_RESET_FUNCTION);
	if (alone)
		found |= BIT(VFK_PCI_RESET_HOT);
	if (pm)
		found |= BIT(VFK_PCI_RESET_PM);
	*methods = found ? found | BIT(VFK_PCI_RESET_AUTO) : 0;
	return 0;
}

int vfk_pci_reset_methods(struct vfk_pci *pci, uint32_t *methods)
{
	int ret;

	vfki_pci_lock(pci);
	ret = find_methods(pci, methods);
	vfki_pci_unlock(pci);
	return ret;
}

/* Nobody else takes it out of D3hot: a write or a read that is lost on the way is made again. */
static int wake(struct vfk_pci *pci)
{
	int ret = vfki_pci_power_write(pci, VFK_PCI_D0);

	for (int i = 1; ret < 0 && !vfki_pci_is_cut_off(ret) && i < WAKE_TRIES; i++)
		ret = vfki_pci_power_write(pci, VFK_PCI_D0);
	return ret < 0 ? vfki_err_prefix(ret, "it may be left in D3hot") : 0;
}

/* After a failure, too, it may be in D3hot: the device takes a write whose reply does not come. */
static int by_power(struct vfk_pci *pci)
{
	char text[VFKI_ERROR_SIZE];
	int ret = vfki_pci_power_write(pci, VFK_PCI_D3HOT);

	if (!ret)
		return wake(pci);
	snprintf(text, sizeof(text), "%s", vfk_error());
	if (wake(pci) < 0)
		return vfki_err(ret, "%s; and %s", text, vfk_error());
	return vfki_err(ret, "%s", text);
}

static int run(struct vfk_pci *pci, enum vfk_pci_reset_method method)
{
	if (method == VFK_PCI_RESET_FUNCTION)
		return vfk_device_reset(pci->dev);
	return method == VFK_PCI_RESET_HOT ? vfki_pci_hot_reset_alone(pci) : by_power(pci);
}

/* The order of QEMU's vfio_pci_reset(): a function reset that would be by PM is worse than that of the bus. */
static size_t order(const uint32_t methods, bool flr, enum vfk_pci_reset_method *list)
{
	static const enum vfk_pci_reset_method function_first[] = { VFK_PCI_RESET_FUNCTION,
								    VFK_PCI_RESET_HOT,
								    VFK_PCI_RESET_PM };
	static const enum vfk_pci_reset_method hot_first[] = { VFK_PCI_RESET_HOT,
							       VFK_PCI_RESET_FUNCTION,
							       VFK_PCI_RESET_PM };
	bool pm = methods & BIT(VFK_PCI_RESET_PM);
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		enum vfk_pci_reset_method m = flr || !pm ? function_first[i] : hot_first[i];

		if (methods & BIT(m))
			list[n++] = m;
	}
	return n;
}

static const char *const lacking[] = {
	[VFK_PCI_RESET_AUTO] = "the device has none of its own",
	[VFK_PCI_RESET_FUNCTION] = "the device has no function reset",
	[VFK_PCI_RESET_PM] = "the way from D3hot to D0 is no reset of this device",
	[VFK_PCI_RESET_HOT] =
		"the device has no slot or bus that can be reset, or is not alone on it",
};

static int choose(struct vfk_pci *pci, enum vfk_pci_reset_method method,
		  enum vfk_pci_reset_method *list, size_t *count)
{
	uint32_t methods = 0;
	int flr, ret = find_methods(pci, &methods);

	if (ret < 0)
		return ret;
	flr = has_flr(pci);
	if (flr < 0)
		return flr;
	if (!(methods & BIT(method)))
		return vfki_err(-ENOTSUP, "%s: reset: %s", vfki_pci_name(pci), lacking[method]);
	*count = 1;
	list[0] = method;
	if (method == VFK_PCI_RESET_AUTO)
		*count = order(methods, flr, list);
	return 0;
}

static int reset(struct vfk_pci *pci, enum vfk_pci_reset_method method)
{
	enum vfk_pci_reset_method list[3];
	struct vfki_pci_saved saved;
	int restored, ret;
	size_t n = 0;

	ret = choose(pci, method, list, &n);
	if (!ret)
		ret = vfki_pci_stop(pci, &saved);
	if (ret < 0)
		return ret;
	ret = run(pci, list[0]);
	for (size_t i = 1; ret < 0 && !vfki_pci_is_cut_off(ret) && i < n; i++)
		ret = run(pci, list[i]);
	restored = vfki_pci_resume(pci, &saved, ret);
	return ret ? ret : restored;
}

int vfk_pci_reset(struct vfk_pci *pci, enum vfk_pci_reset_method method)
{
	int ret;

	if ((unsigned int)method > VFK_PCI_RESET_HOT)
		return vfki_err(-EINVAL, "%s: reset method %u", vfki_pci_name(pci),
				(unsigned int)method);
	vfki_pci_lock(pci);
	ret = reset(pci, method);
	vfki_pci_unlock(pci);
	return ret;
}
