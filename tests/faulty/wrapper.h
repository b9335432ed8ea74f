/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wrapper.h - an io that does everything right, by way of a model device, and the flaws that are put into it.
 *
 * The wrapper is a PCI device with three regions more than its model, so that every case of the suite has something to
 * look at: memory that can be mapped in two areas, memory that is read-only, memory that is write-only. A flaw
 * is a few ops that take the place of the right ones; each calls those for what it does not spoil.
 *
 * Threads: the right ops, any number at once; a flaw may do without, it is what is wrong with it.
 */
#ifndef FAULTY_WRAPPER_H
#define FAULTY_WRAPPER_H

#include <stdbool.h>
#include <vfiokit/vfiokit.h>

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define INTX   VFIO_PCI_INTX_IRQ_INDEX
#define MSI    VFIO_PCI_MSI_IRQ_INDEX

enum {
	REGION_MEMORY = VFIO_PCI_NUM_REGIONS,
	REGION_READ_ONLY,
	REGION_WRITE_ONLY,
	NUM_REGIONS,
};

#define MEMORY_SIZE 0x4000u
#define OTHER_SIZE  0x1000u

/* What is wrapped. */
enum base {
	BASE_EDU,     /* model:edu */
	BASE_LATENCY, /* model:edu,latency=5; its user dispatches */
	BASE_MAPPED,  /* the suite's own model, with many vectors */
	BASE_TESTDEV, /* model:testdev, a PCI device with everything */
	NUM_BASES,
};

struct wrapper {
	struct vfk_io io; /* first */
	struct vfk_device *inner;
	struct vfk_dma_space *space; /* with inner in it */
	int fd;			     /* what is behind the three regions, one after the other */

	/* For flaws; zero when the process starts, kept when the device is opened again. */
	uint32_t calls;	 /* how often something happened */
	uint64_t shadow; /* what the caller is made to believe */
	uint32_t vectors;
	int32_t eventfds[8]; /* @vectors of them */
	struct vfk_dma_callbacks theirs;
	void *ctx;
};

/* One thing wrong. Of the ops, those that are not NULL take the place of the right ones. */
struct flaw {
	const char *name;   /* what is wrong */
	const char *fails;  /* the case that must fail on it ... */
	const char *says;   /* ... with this in what it prints, so that it fails for this reason */
	const char *passes; /* or: the case that must pass, since the library makes up for it */
	const char *
		rule; /* what is broken; "seed N": a defect of the patch that the vector comes from */
	enum base base;
	struct vfk_io_ops ops;
	struct vfk_dma_ops dma;
};

/* The groups of flaws; each ends with one that has no name. */
extern const struct flaw flaws_access[];
extern const struct flaw flaws_config[];
extern const struct flaw flaws_info[];
extern const struct flaw flaws_chain[];
extern const struct flaw flaws_intx[];
extern const struct flaw flaws_irq[];
extern const struct flaw flaws_reset[];
extern const struct flaw flaws_feature[];
extern const struct flaw flaws_dma[];
extern const struct flaw flaws_lifecycle[];
extern const struct flaw flaws_pci[];
extern const struct flaw flaws_pci_irq[];
extern const struct flaw flaws_pci_reset[];

extern const struct vfk_io_ops right;
extern const struct vfk_dma_ops right_dma;

struct wrapper *wrapper(struct vfk_io *io);

/* Where the device inside has a standard capability; 0: nowhere. */
uint64_t wrapper_cap(struct vfk_io *io, uint8_t id);

/* What wrapper_open() puts into the next device, in this process and those that it forks; borrowed. */
void wrapper_spoil(const struct flaw *flaw);

/* Opens a device on the wrapper; as open_device of the suite. */
int wrapper_open(const struct vfk_open_opts *opts, struct vfk_device **dev);

#endif
