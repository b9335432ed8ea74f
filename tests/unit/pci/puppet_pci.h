/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * puppet_pci.h - a PCI device whose every answer a test decides: an io of a program's own, which remembers what was
 * asked of it, in order. It has no mapping and no DMA; for those there are models.
 *
 * It behaves well until told otherwise. Include it after <cmocka.h>.
 */
#ifndef UNIT_PCI_PUPPET_PCI_H
#define UNIT_PCI_PUPPET_PCI_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/vfiokit.h>

#define PP_REGIONS 12
#define PP_VECTORS 2048
#define PP_CONFIG  VFIO_PCI_CONFIG_REGION_INDEX
#define PP_LOG	   8192

enum pp_op {
	PP_READ,
	PP_WRITE,
	PP_SET_IRQS,
	PP_FEATURE,
	PP_RESET,
	PP_HOT_RESET_INFO,
	PP_HOT_RESET,
	PP_IRQ_INFO,
	PP_OPS,
};

/* One call: what it was given. */
struct pp_call {
	enum pp_op op;
	uint32_t index; /* region, interrupt, feature */
	uint64_t off;	/* of an access */
	size_t len;
	uint64_t value;		      /* of a write of up to 8 bytes, little-endian */
	uint32_t flags, start, count; /* of SET_IRQS; flags of a feature, too */
};

struct pp_region {
	uint64_t size; /* 0: not there */
	uint32_t flags;
	uint8_t *memory; /* what it reads; NULL: the offset's low byte each; writes to it are dropped then */
	uint64_t has; /* bytes that there are: reads end there; 0: all */
};

struct puppet_pci {
	struct vfk_io io;      /* first */
	struct vfk_io_ops ops; /* a copy that a test may take members out of */
	uint32_t device_flags;
	uint32_t num_regions, num_irqs; /* as many as there are; fewer */
	uint32_t config_size;
	uint8_t config[PCI_CFG_SPACE_EXP_SIZE];
	uint8_t writable[PCI_CFG_SPACE_EXP_SIZE]; /* bits of config space that can be written */
	uint32_t msix_mappable; /* bit n: region n has VFIO_REGION_INFO_CAP_MSIX_MAPPABLE */
	struct pp_region regions[PP_REGIONS]; /* that of config space is set up by itself */
	struct vfio_irq_info irqs[VFIO_PCI_NUM_IRQS];
	int32_t armed[VFIO_PCI_NUM_IRQS][PP_VECTORS]; /* duplicates; -1: not armed */
	uint32_t granted; /* arming more than these at once: this is the outcome; 0: all can be had */
	bool granted_unsaid;	       /* and the outcome is -ENOSPC */
	long result[PP_OPS];	       /* of the next calls of an op */
	unsigned int fail_for[PP_OPS]; /* how many fail so */
	unsigned int after[PP_OPS];    /* calls before that */
	uint32_t features;	       /* bit n: feature n is there */
	size_t num_calls;
	struct pp_call calls[PP_LOG];
};

/* A device 1af4:10f0 with a type-0 header, 4096 bytes of config space of which nothing can be written, no BAR, no irq. */
void pp_init(struct puppet_pci *p);
/* Closes what it still has. */
void pp_fini(struct puppet_pci *p);

/* Appends to the standard or the extended list; @off is the test's choice. Returns @off. */
uint32_t pp_cap(struct puppet_pci *p, uint32_t off, uint8_t id);
uint32_t pp_ext_cap(struct puppet_pci *p, uint32_t off, uint16_t id);

void pp_set16(struct puppet_pci *p, uint32_t off, uint16_t v);
void pp_set32(struct puppet_pci *p, uint32_t off, uint32_t v);
uint16_t pp_get16(const struct puppet_pci *p, uint32_t off);
uint32_t pp_get32(const struct puppet_pci *p, uint32_t off);

/* From the @after-th call on, @n calls of the op return @result and do nothing. */
void pp_fail(struct puppet_pci *p, enum pp_op op, unsigned int after, unsigned int n, long result);

/* How many calls of an op there were, and the n-th of them (NULL: none such). */
size_t pp_count(const struct puppet_pci *p, enum pp_op op);
const struct pp_call *pp_call(const struct puppet_pci *p, enum pp_op op, size_t n);
void pp_forget(struct puppet_pci *p);

/* How many vectors of an interrupt are armed. */
uint32_t pp_num_armed(const struct puppet_pci *p, uint32_t index);
/* Signals an armed vector; false when it is not. */
bool pp_signal(const struct puppet_pci *p, uint32_t index, uint32_t vector);

/* Opens the device, and the PCI device on it; they fail the test if that fails. */
struct vfk_device *pp_open_device(struct puppet_pci *p);
struct vfk_pci *pp_open(struct puppet_pci *p);
/* Closes both. */
void pp_close(struct vfk_pci *pci);

#endif
