/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - a model behind its vector, without the layers above, and a model whose declarations a test chooses.
 *
 * Include it after <cmocka.h>: what fails in here fails the test.
 */
#ifndef UNIT_MODEL_RIG_H
#define UNIT_MODEL_RIG_H

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/error.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define INTX   VFIO_PCI_INTX_IRQ_INDEX
#define MSI    VFIO_PCI_MSI_IRQ_INDEX
#define MSIX   VFIO_PCI_MSIX_IRQ_INDEX

#define TRIGGER	 VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK	 VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	 VFIO_IRQ_SET_ACTION_UNMASK
#define NO_DATA	 VFIO_IRQ_SET_DATA_NONE
#define BOOLS	 VFIO_IRQ_SET_DATA_BOOL
#define EVENTFDS VFIO_IRQ_SET_DATA_EVENTFD

#define PROBE_LOG 64

/* The probe: a model that declares what the test wants, and records what it is asked. */
struct probe {
	int (*declare)(struct vfk_model *model); /* set before open */
	void (*on_write)(struct vfk_model *model, uint64_t off);
	void (*on_unmap)(struct vfk_model *model, uint64_t iova);
	int fail;	     /* what bar_read, bar_write and their like return instead of success */
	size_t region_limit; /* most that region_read moves; 0: any */
	struct vfk_model *model; /* while it is open */
	struct {
		bool write;
		uint64_t off;
		size_t len;
	} log[PROBE_LOG];
	unsigned int accesses;
	unsigned int resets;
	unsigned int config_writes;
	unsigned int maps;
	unsigned int unmaps;
	unsigned int finis;
	uint8_t memory[4096]; /* what they move, modulo its size */
};
extern struct probe probe;
extern const struct vfk_model_ops probe_ops;

/* Forgets everything, and declares an identity and a plain BAR 0 of 4096 bytes unless @declare says otherwise. */
void probe_reset(int (*declare)(struct vfk_model *model));
int probe_identity(struct vfk_model *model);
int probe_bar(struct vfk_model *model, unsigned int index, uint64_t length, uint32_t flags);

/* @ops NULL: the bundled model that @uri names. rig_try() returns open's result, 0 with *io set. */
extern struct vfk_guard *rig_guard; /* for the devices opened from now on */
int rig_try(const char *uri, const struct vfk_model_ops *ops, uint32_t flags, struct vfk_io **io);
struct vfk_io *rig_open(const char *uri, uint32_t flags);
struct vfk_io *rig_probe(int (*declare)(struct vfk_model *model), uint32_t flags);
void rig_close(struct vfk_io *io);

ssize_t rig_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len);
ssize_t rig_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf, size_t len);
uint64_t rig_get(struct vfk_io *io, uint32_t region, uint64_t off, size_t width);
void rig_put(struct vfk_io *io, uint32_t region, uint64_t off, size_t width, uint64_t value);
/* Offset of the capability, walking the chain; 0 if there is none. */
unsigned int rig_cap(struct vfk_io *io, uint8_t id);
/* Sets and clears bits of the command register. */
void rig_command(struct vfk_io *io, uint16_t set, uint16_t clear);

int rig_irqs(struct vfk_io *io, uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
	     const void *data);
int rig_arm(struct vfk_io *io, uint32_t index, uint32_t start, uint32_t count, const int *fds);
int rig_disable(struct vfk_io *io, uint32_t index);
/* An eventfd; how often it was signalled since the last look; closes it. */
int rig_eventfd(void);
uint64_t rig_signals(int fd);
/* Waits up to @ms for a signal, running dispatch if @io is given. */
uint64_t rig_wait(struct vfk_io *io, int fd, int ms);

int rig_map(struct vfk_io *io, uint64_t iova, void *vaddr, uint64_t len, uint32_t prot);
int rig_unmap(struct vfk_io *io, uint64_t iova, uint64_t len, uint32_t timeout_ms);

/* Open descriptors and threads of this process. */
unsigned int rig_count_fds(void);
unsigned int rig_count_threads(void);
uint64_t rig_now_ms(void);

#endif
