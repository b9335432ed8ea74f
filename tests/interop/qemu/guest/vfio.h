/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's VFIO by bare ioctls (linux/vfio.h): container, group, device, regions, interrupts. Not
 * a line of vfiokit, on purpose: this is the independent witness of what a guest's kernel sees.
 * Whatever cannot fail on a sound kernel bails out of the program. One thread.
 */
#ifndef GUEST_VFIO_H
#define GUEST_VFIO_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pci_device;

struct vfio {
	bool noiommu;
	int container, group, device;
	struct vfio_device_info info;
	struct vfio_region_info regions[VFIO_PCI_NUM_REGIONS];
	struct vfio_irq_info irqs[VFIO_PCI_NUM_IRQS];
	void *bar0; /* mapped, or NULL where the region has no MMAP flag */
};

void vfio_open(struct vfio *vfio, const struct pci_device *device, bool noiommu);
void vfio_close(struct vfio *vfio);

/* len bytes of the region, little-endian; -errno when it is not all there. */
int vfio_read(struct vfio *vfio, unsigned region, uint64_t offset, void *buf, size_t len);
int vfio_write(struct vfio *vfio, unsigned region, uint64_t offset, const void *buf, size_t len);

uint32_t vfio_read32(struct vfio *vfio, unsigned region, uint64_t offset);
void vfio_write32(struct vfio *vfio, unsigned region, uint64_t offset, uint32_t value);
uint16_t vfio_config16(struct vfio *vfio, unsigned offset);

/* Sets the bits of the PCI command register, or clears them. */
void vfio_command(struct vfio *vfio, uint16_t bits, bool set);

/* The offset of a capability in config space, 0 when there is none. */
unsigned vfio_capability(struct vfio *vfio, uint8_t id);

/* An eventfd that the first interrupt of the index signals. 0 or -errno. */
int vfio_irq_enable(struct vfio *vfio, unsigned index, int *eventfd);
int vfio_irq_disable(struct vfio *vfio, unsigned index);
int vfio_irq_unmask(struct vfio *vfio, unsigned index);

/* How often it was signalled: waits for the first within the bound, 0 when none came. */
uint64_t vfio_irq_wait(int eventfd, int milliseconds);

#endif
