/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar.h - the BARs of a PCI device: what they are, what of them is mapped, and who is using the mappings.
 *
 * A typed access takes no lock. It counts itself in, takes the view of its BAR, and counts itself out when it is done
 * with the mapping. Whoever takes a view away does so first and then waits until nobody is counted in: an access that
 * came before has ended on a live mapping, one that comes after finds no view and goes by the vector.
 */
#ifndef VFKI_PCI_BAR_H
#define VFKI_PCI_BAR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/pci_bar.h>

struct vfk_pci;

/* What typed accesses go through; not changed once it is published. */
struct vfki_pci_view {
	int prot;
	uint32_t num;
	struct vfki_pci_piece {
		uint64_t off, len;
		char *addr;
	} pieces[]; /* sorted */
};

struct vfki_pci_bar {
	struct vfk_pci_bar_info info; /* constant */
	int error;	/* constant; not 0: why nothing is known of it, @text says more */
	char text[160]; /* constant; of @error, or of the oddity */
	struct vfki_pci_view *_Atomic view; /* NULL: by the vector */
	struct vfki_pci_view *mapped;	    /* pci->lock; owned; published unless it is held back */
};

/* MSI-X table and pending bits, where they are; of no length: there is none. */
struct vfki_pci_hole {
	unsigned int bar;
	uint64_t off, len;
};

/* Counters of several threads should not share a cache line. */
#define VFKI_PCI_STRIPES 8

struct vfki_pci_stripe {
	atomic_uint users;
	char apart[60];
};

struct vfki_pci_range;

struct vfki_pci_bars {
	struct vfki_pci_bar bar[VFK_PCI_NUM_BARS];
	struct vfki_pci_hole hole[2]; /* constant */
	struct vfki_pci_stripe stripe[VFKI_PCI_STRIPES];
	unsigned int held; /* pci->lock; how many want no mapped access */
	bool undecoded; /* pci->lock; the library turned memory decoding off, and is one of them */
	struct vfki_pci_range *ranges; /* pci->lock; what the caller mapped */
};

/* Reads what the BARs are. Returns 0, also for ones that contradict themselves; a transport error; -ENOMEM. */
int vfki_pci_bars_init(struct vfk_pci *pci);
void vfki_pci_bars_fini(struct vfk_pci *pci);

/*
 * With pci->lock held: typed access goes by the vector from here on, and none is under way through a mapping any more,
 * until it is released; nests.
 */
void vfki_pci_bars_hold(struct vfk_pci *pci);
void vfki_pci_bars_release(struct vfk_pci *pci);

/*
 * command.c, with pci->lock held: a write of config space that includes the command register; looks at the register after
 * something else may have turned decoding on, or, @off, off.
 */
int vfki_pci_decode_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width,
				 uint32_t value);
void vfki_pci_decode_note(struct vfk_pci *pci, bool off);

/* bar_access.c: waits until no access is under way that began before. False: one has not ended in time. */
bool vfki_pci_bars_wait(struct vfk_pci *pci);

/* A BAR that can be used, for any purpose; or NULL with @ret set and a text. */
const struct vfki_pci_bar *vfki_pci_bar_find(const struct vfk_pci *pci, unsigned int bar, int *ret);

#endif
