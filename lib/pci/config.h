/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - config space as the device has it: its size and its capabilities, which are constant, and access to it.
 *
 * The capabilities are listed once, at open: a device behind a socket could tell another chain each time, and what was
 * checked once has to hold.
 */
#ifndef VFKI_PCI_CONFIG_H
#define VFKI_PCI_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <vfiokit/pci.h>

struct vfk_pci;

struct vfki_pci_config {
	uint32_t size;
	uint32_t num_caps;
	struct vfk_pci_cap *caps; /* standard ones first, in the device's order; owned */
	char broken[96];	  /* what is wrong with a list; empty: nothing */
};

/* Sets the size, and reads the lists. Returns 0; -EPROTO no config space that a header fits into; -ENOMEM. */
int vfki_pci_config_init(struct vfk_pci *pci);
void vfki_pci_config_fini(struct vfk_pci *pci);

/* caps.c: appends what the lists hold. Returns 0, also for a broken list; a transport error; -ENOMEM. */
int vfki_pci_caps_read(struct vfk_pci *pci);

/*
 * caps.c: a standard capability that has so many bytes before the end of its part of config space; one that has not is
 * as good as none. What follows belongs to another, or to nobody. Returns 0; -ENOENT.
 */
int vfki_pci_cap_find_whole(const struct vfk_pci *pci, uint8_t id, uint32_t size, uint32_t *off);

/* A write, and nothing else: whoever has changed the power state by it, or decoding, says so. */
int vfki_pci_config_put(struct vfk_pci *pci, uint32_t off, unsigned int width, uint32_t value);

/* The public ones, for callers that hold the lock. */
int vfki_pci_config_write_locked(struct vfk_pci *pci, uint32_t off, unsigned int width,
				 uint32_t value);
int vfki_pci_config_modify_locked(struct vfk_pci *pci, uint32_t off, unsigned int width,
				  uint32_t clear, uint32_t set, uint32_t *old);

#endif
