/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * binding.h - moving PCI functions to vfio-pci and back, through driver_override.
 *
 * What was moved is remembered in /run/vfiokit, a file a function, from before it is moved until it is
 * back. A step that fails is undone with all before it; what cannot be undone either is in the line
 * that tells of the failure.
 *
 * All return STATUS_OK, or print the failure and return STATUS_FAILED. They need root.
 */
#ifndef BINDING_H
#define BINDING_H

#include "bind_record.h"
#include "pci_slot.h"

/* What a function was before. */
struct binding {
	struct pci_slot slot;
	struct bind_record was;
	bool force; /* also a disk that is in use */
	bool moved; /* what was done is done, and can be undone */
};

/* The device is there, and this process is the only one that moves devices until it ends; waits for another. */
int binding_begin(const struct pci_slot *slot);

/* To vfio-pci; binding->slot is set. One that is with a VFIO driver already is left there: moved stays false. */
int binding_take(struct binding *binding);

/* Back to where it was remembered to come from. */
int binding_give_back(struct binding *binding);

/* Undoes a binding_take() or binding_give_back() that worked, since another one did not; silent if moved is false. */
void binding_undo_take(struct binding *binding);
void binding_undo_give_back(struct binding *binding);

/* Whether there is a record of the function. */
bool binding_is_remembered(const struct pci_slot *slot);

#endif
