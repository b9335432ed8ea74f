/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual.h - a PCI device as a guest sees it: the parts that the virtual*.c files keep, each a struct of its own.
 *
 * All of them work the same way: a guest's write changes registers, then vfki_virtual_settle() compares what the registers
 * ask for with what is, makes it so, and notes what the monitor has to be told. So there is one place for each
 * consequence, whichever of its causes came about.
 *
 * Threads: @lock guards everything that is not said to be constant; it comes before pci->lock. A function that has
 * "events" is called with it held.
 */
#ifndef VFKI_PCI_VIRTUAL_H
#define VFKI_PCI_VIRTUAL_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <vfiokit/pci_virtual.h>

#define VFKI_MSIX_BYTES 16 /* of an entry: PCI 3.0 section 6.8.2 */
#define VFKI_NUM_BARS	VFK_PCI_VIRTUAL_BARS

struct vfk_pci_virtual;

/* ---- what the monitor is to be told, when the lock is released ---- */

struct vfki_virtual_events {
	uint32_t bars; /* bit n: BAR n has another address */
	uint64_t address[VFKI_NUM_BARS];
	unsigned int num_irqs;
	struct {
		uint32_t index, vectors;
	} irqs[4];		    /* off and on, and back where that failed */
	uint32_t index, first, end; /* vectors that changed; none: end is 0 */
	bool power_changed;
	unsigned int power;
};

void vfki_virtual_note_vectors(struct vfki_virtual_events *ev, uint32_t index, uint32_t first,
			       uint32_t end);

/* ---- config space (virtual_config.c) ---- */

/*
 * For each bit: whether it is the library's, what it is, whether the guest can change it, and whether its writes are the
 * device's, too. The value of a bit that is the device's is what the guest last wrote.
 */
struct vfki_virtual_config {
	uint32_t size; /* constant; a multiple of 4 */
	uint8_t emulated[PCI_CFG_SPACE_EXP_SIZE];
	uint8_t value[PCI_CFG_SPACE_EXP_SIZE];
	uint8_t writable[PCI_CFG_SPACE_EXP_SIZE];
	uint8_t passed[PCI_CFG_SPACE_EXP_SIZE];
};

/* @off and @width are the caller's to check. */
void vfki_virtual_set(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t mask,
		      uint32_t value, uint32_t writable);
/* Bits of a register whose writes reach the device although they are emulated. */
void vfki_virtual_pass(struct vfk_pci_virtual *v, uint32_t off, unsigned int width, uint32_t bits);
/* What the guest last wrote to a register of the device's. */
void vfki_virtual_know(struct vfk_pci_virtual *v, uint32_t off, uint16_t value);
/* What the library has of a register. */
uint32_t vfki_virtual_get(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width);

/* ---- capabilities (virtual_cap.c) ---- */

struct vfki_virtual_cap {
	uint16_t offset, id;
	uint16_t len; /* 0: unknown */
	uint8_t version;
	bool extended, hidden, added;
};

struct vfki_virtual_caps {
	struct vfki_virtual_cap *
		cap; /* in the device's order, standard ones first; added ones at the end of those; owned */
	uint32_t num;
};

int vfki_virtual_caps_init(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts);
void vfki_virtual_caps_fini(struct vfk_pci_virtual *v);
/* The first one that is not hidden; NULL: none. */
struct vfki_virtual_cap *vfki_virtual_cap(const struct vfk_pci_virtual *v, bool extended,
					  uint16_t id);
/* Where a list's part of config space ends. */
uint32_t vfki_virtual_caps_end(const struct vfk_pci_virtual *v, bool extended);
/* Puts one at a place in the table. Returns 0; -ENOMEM. */
int vfki_virtual_caps_insert(struct vfk_pci_virtual *v, const struct vfki_virtual_cap *cap,
			     uint32_t at);
/* Makes both lists anew of what is shown. */
void vfki_virtual_caps_link(struct vfk_pci_virtual *v);
bool vfki_virtual_cap_is_shown(const struct vfk_pci_virtual *v, uint32_t off);
/* Its registers read as 0 from now on; the list is made anew. */
void vfki_virtual_cap_hide(struct vfk_pci_virtual *v, struct vfki_virtual_cap *cap);
/* virtual_cap_length.c: bytes of a capability of the device's, header included; 0 where only its own registers could tell. */
int vfki_virtual_cap_length(struct vfk_pci_virtual *v, const struct vfk_pci_cap *cap,
			    uint16_t *len);
/* Bytes that are certainly its own: what follows one of unknown length is. */
uint32_t vfki_virtual_cap_room(const struct vfk_pci_virtual *v, const struct vfki_virtual_cap *cap);
/* virtual_pcie.c: type and link as @bus wants them, hidden where it cannot be. Returns 0 or -errno. */
int vfki_virtual_pcie_init(struct vfk_pci_virtual *v, enum vfk_pci_virtual_bus bus);
/* virtual_pcie.c: whether this write of the guest's begins a function-level reset. */
bool vfki_virtual_is_flr(const struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
			 uint32_t value);

/* ---- BARs (virtual_bar.c) ---- */

struct vfki_virtual_bar {
	uint64_t size;	      /* constant, as is the rest but address */
	uint64_t region_size; /* of it the device's; 0: it has none */
	uint32_t flags;	      /* VFK_BAR_* */
	uint64_t address;     /* what the monitor knows */
};

int vfki_virtual_bars_init(struct vfk_pci_virtual *v);
void vfki_virtual_bars_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
void vfki_virtual_bars_reset(struct vfk_pci_virtual *v);
/* The registers; when the sizes are known. */
void vfki_virtual_bars_show(struct vfk_pci_virtual *v);

/* ---- the ROM (virtual_rom.c) ---- */

struct vfki_virtual_rom {
	pthread_mutex_t lock; /* guards loading; after the virtual device's own */
	uint8_t *image;	      /* the bytes there are; owned; NULL: not loaded */
	size_t len;
	bool loaded;
	int error; /* of loading */
	bool fix;  /* constant, as are the next two: the ids of its images become these */
	uint16_t vendor, device;
};

/* Gives the ROM its size, and takes the user's file. */
int vfki_virtual_rom_init(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts);
void vfki_virtual_rom_fini(struct vfk_pci_virtual *v);
/* @buf is filled with ones already; without the lock. */
int vfki_virtual_rom_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len);

/* ---- messages (virtual_msi.c, virtual_msix.c, virtual_relocate.c) ---- */

/* Constant but for the last three, which are what the monitor and the device know. */
struct vfki_virtual_msi {
	uint32_t cap;	  /* 0: none */
	uint32_t vectors; /* that can be asked for */
	bool wide, maskable;
	uint32_t masked; /* a bit a vector */
	uint64_t address;
	uint32_t data;
};

/* Constant but for table, state and stale. */
struct vfki_virtual_msix {
	uint32_t cap;		   /* 0: none */
	uint32_t vectors;	   /* that the guest has */
	unsigned int bar, pba_bar; /* where it sees them */
	uint64_t table_off, pba_off;
	uint8_t *table;	 /* owned */
	uint8_t *state;	 /* of a vector: what the device and the monitor know; owned */
	bool stale;	 /* the state of all vectors has to be looked at */
	bool all_masked; /* the function's mask, as looked at last */
};

int vfki_virtual_msi_init(struct vfk_pci_virtual *v);
int vfki_virtual_msix_init(struct vfk_pci_virtual *v);
/* Moves the table; before the BARs' registers are set up. */
/* virtual_relocate.c */
int vfki_virtual_msix_relocate(struct vfk_pci_virtual *v, uint32_t where);
/* The capability's registers; when it is known where the table is. */
void vfki_virtual_msix_show(struct vfk_pci_virtual *v);
void vfki_virtual_msix_fini(struct vfk_pci_virtual *v);
void vfki_virtual_msix_reset(struct vfk_pci_virtual *v);
void vfki_virtual_msi_reset(struct vfk_pci_virtual *v);
void vfki_virtual_msi_vector(struct vfk_pci_virtual *v, uint32_t vector,
			     struct vfk_pci_virtual_vector *info);
void vfki_virtual_msix_vector(struct vfk_pci_virtual *v, uint32_t vector,
			      struct vfk_pci_virtual_vector *info);
/* What is enabled anew has no vector masked, and of MSI-X none armed. */
void vfki_virtual_msi_begin(struct vfk_pci_virtual *v);
void vfki_virtual_msix_begin(struct vfk_pci_virtual *v);
/* Masks and messages that the registers ask for, while the kind is enabled. */
int vfki_virtual_msi_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
int vfki_virtual_msix_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
/* The pending bits are asked for, if the register has them. */
void vfki_virtual_msi_refresh(struct vfk_pci_virtual *v, uint32_t off, unsigned int width);
/* @off counts in the table, in the PBA. */
int vfki_virtual_table_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len);
int vfki_virtual_table_write(struct vfk_pci_virtual *v, uint64_t off, const uint8_t *buf,
			     size_t len);
int vfki_virtual_pba_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len);
uint64_t vfki_virtual_table_size(const struct vfki_virtual_msix *x);
uint64_t vfki_virtual_pba_size(const struct vfki_virtual_msix *x);

/* ---- interrupts (virtual_irq.c) ---- */

#define VFKI_NO_IRQ UINT32_MAX

struct vfki_virtual_irqs {
	uint32_t index;	  /* what is enabled: VFIO_PCI_*_IRQ_INDEX, VFKI_NO_IRQ */
	uint32_t vectors; /* that the guest has */
	uint32_t granted; /* of MSI: that the device has for it */
	bool begun;	  /* by the first reset; INTx is off before */
	bool intx;	  /* constant: the device has it */
};

int vfki_virtual_irqs_init(struct vfk_pci_virtual *v);
/* Enables the kind that the registers ask for. */
int vfki_virtual_irqs_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
int vfki_virtual_irqs_off(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
/* A vector of what is enabled: arms one of MSI-X, masks it or not, asks whether it is pending. */
int vfki_virtual_irq_arm(struct vfk_pci_virtual *v, uint32_t vector);
int vfki_virtual_irq_mask(struct vfk_pci_virtual *v, uint32_t vector, bool mask);
bool vfki_virtual_irq_pending(struct vfk_pci_virtual *v, uint32_t vector);

/* ---- all of it ---- */

struct vfk_pci_virtual {
	struct vfk_pci *pci;		       /* borrowed */
	const struct vfk_pci_virtual_ops *ops; /* constant */
	void *arg;
	pthread_mutex_t lock;
	struct vfki_virtual_config config;
	struct vfki_virtual_caps caps;
	struct vfki_virtual_bar bars[VFKI_NUM_BARS];
	struct vfki_virtual_rom rom;
	struct vfki_virtual_msi msi;
	struct vfki_virtual_msix msix;
	struct vfki_virtual_irqs irqs;
	uint32_t pm;	  /* constant: the capability; 0: none */
	uint32_t pm_caps; /* constant: PCI_PM_PMC */
	unsigned int power;
	bool can_flr,
		can_af_flr; /* constant: the device says so in its PCI Express and Advanced Features capabilities */
};

/* Makes true what the registers say. On failure what could be done is done. */
int vfki_virtual_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
int vfki_virtual_reset_locked(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev);
/* Releases the lock, and tells. */
void vfki_virtual_unlock(struct vfk_pci_virtual *v, const struct vfki_virtual_events *ev);

#endif
