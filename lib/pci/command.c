/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c - bus mastering and decoding, by the command register.
 *
 * Any thread.
 */
#include "instance.h"
#include "lib/base/error.h"
#include <linux/pci_regs.h>
#include <vfiokit/pci_reset.h>

/* ---- what mappings must not be used without ---- */

/* Mapped access is held back exactly while it is off by a write through the library. */
static void set_undecoded(struct vfk_pci *pci, bool undecoded)
{
	if (undecoded && !pci->bars.undecoded)
		vfki_pci_bars_hold(pci);
	if (!undecoded && pci->bars.undecoded)
		vfki_pci_bars_release(pci);
	pci->bars.undecoded = undecoded;
}

static bool decodes(struct vfk_pci *pci)
{
	uint32_t command;

	return !vfk_pci_config_read(pci, PCI_COMMAND, 2, &command) && command & PCI_COMMAND_MEMORY;
}

/* What was off all along is not turned off: there are devices that never look at the bit. */
int vfki_pci_decode_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width,
				 uint32_t value)
{
	bool was = pci->bars.undecoded, on = value & PCI_COMMAND_MEMORY;
	int ret;

	if (!on && !was && decodes(pci))
		set_undecoded(pci, true);
	ret = vfki_pci_config_put(pci, off, width, value);
	if (ret < 0)
		set_undecoded(pci, was);
	else if (on)
		set_undecoded(pci, false);
	return ret;
}

void vfki_pci_decode_note(struct vfk_pci *pci, bool off)
{
	if (pci->bars.undecoded || off)
		set_undecoded(pci, !decodes(pci));
}

/* ---- bits ---- */

static const char *name_of(uint32_t bits)
{
	if (bits & PCI_COMMAND_MASTER)
		return "bus mastering";
	return bits & PCI_COMMAND_MEMORY ? "memory decoding" : "I/O decoding";
}

/* Bits that a device does not have are constant, 0 as a rule: PCI 3.0 section 6.2.2. */
static int set_bits(struct vfk_pci *pci, uint32_t bits, uint32_t want)
{
	uint32_t old, now;
	bool was;
	int ret;

	vfki_pci_lock(pci);
	was = pci->bars.undecoded;
	ret = vfki_pci_config_modify_locked(pci, PCI_COMMAND, 2, bits, want, &old);
	now = want;
	if (!ret && (old & bits) != want)
		ret = vfk_pci_config_read(pci, PCI_COMMAND, 2, &now);
	if (!ret && (now & bits) != want) {
		(void)vfki_pci_config_write_locked(pci, PCI_COMMAND, 2, old);
		set_undecoded(pci, was);
		now ^= want;
		ret = vfki_err(-ENOTSUP, "%s: %s cannot be turned %s: the bit is fixed",
			       vfki_pci_name(pci), name_of(now & bits),
			       now & bits & want ? "on" : "off");
	}
	vfki_pci_unlock(pci);
	return ret;
}

int vfk_pci_set_master(struct vfk_pci *pci, bool on)
{
	return set_bits(pci, PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
}

int vfk_pci_set_decode(struct vfk_pci *pci, bool memory, bool io)
{
	return set_bits(pci, PCI_COMMAND_MEMORY | PCI_COMMAND_IO,
			(memory ? PCI_COMMAND_MEMORY : 0u) | (io ? PCI_COMMAND_IO : 0u));
}
