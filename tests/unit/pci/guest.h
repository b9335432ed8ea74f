/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h - a guest of the puppet: its accesses, and what its monitor was told. Include it after puppet_pci.h.
 */
#ifndef UNIT_PCI_GUEST_H
#define UNIT_PCI_GUEST_H

#include "puppet_pci.h"

#define GUEST_LOG 4096

struct guest_event {
	char what; /* 'i' interrupt, 'v' vector, 'b' BAR, 'p' power */
	uint32_t index;
	uint64_t value;
};

struct guest {
	struct vfk_pci *pci;
	struct vfk_pci_virtual *v;
	size_t num_events;
	struct guest_event events[GUEST_LOG];
};

/* Opens the puppet and a virtual device over it, and resets that; @opts may be NULL, its ops and arg are set. */
void guest_begin(struct guest *g, struct puppet_pci *p, const struct vfk_pci_virtual_opts *opts);
/* The same, without the reset. */
void guest_create(struct guest *g, struct puppet_pci *p, const struct vfk_pci_virtual_opts *opts);
void guest_end(struct guest *g);

/* Accesses that have to succeed. */
uint32_t guest_get(struct guest *g, uint32_t off, unsigned int width);
void guest_put(struct guest *g, uint32_t off, unsigned int width, uint32_t value);
uint64_t guest_bar_get(struct guest *g, unsigned int bar, uint64_t off, unsigned int width);
void guest_bar_put(struct guest *g, unsigned int bar, uint64_t off, unsigned int width,
		   uint64_t value);

/* Forgets what the monitor and the puppet were told. */
void guest_forget(struct guest *g, struct puppet_pci *p);
/* Checks that the monitor was told this as the @n-th. */
void guest_told(const struct guest *g, size_t n, char what, uint32_t index, uint64_t value);

/* A device with everything: see guest.c. */
#define GUEST_PM   0x40
#define GUEST_MSI  0x50
#define GUEST_EXP  0x70
#define GUEST_MSIX 0xb0
void guest_device(struct puppet_pci *p);

#endif
