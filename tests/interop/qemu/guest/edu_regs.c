/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access to the edu device's registers, see edu_regs.h.
 */
#include "edu_regs.h"
#include "vfio.h"

#include <endian.h>
#include <unistd.h>

#define WAIT_MS 5000
#define STEP_MS 200

uint32_t edu_get(struct vfio *vfio, unsigned reg)
{
	return vfio_read32(vfio, VFIO_PCI_BAR0_REGION_INDEX, reg);
}

void edu_set(struct vfio *vfio, unsigned reg, uint32_t value)
{
	vfio_write32(vfio, VFIO_PCI_BAR0_REGION_INDEX, reg, value);
}

uint32_t edu_mapped_get(struct vfio *vfio, unsigned reg)
{
	return le32toh(*(volatile uint32_t *)((char *)vfio->bar0 + reg));
}

void edu_mapped_set64(struct vfio *vfio, unsigned reg, uint64_t value)
{
	*(volatile uint64_t *)((char *)vfio->bar0 + reg) = htole64(value);
}

/*
 * Sleeps before it looks. QEMU answers a device's DMA messages only when no processor of the guest is
 * inside an access to the device: one that looks too early keeps its own DMA from being done, and the
 * server gives that transfer up. Nothing can tell the guest when QEMU has come so far, and on a machine
 * with much else to do that takes more than a few milliseconds.
 */
bool edu_wait_clear(struct vfio *vfio, unsigned reg, uint32_t bits)
{
	unsigned waited;

	for (waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		usleep(STEP_MS * 1000);
		if (!(edu_get(vfio, reg) & bits))
			return true;
	}
	return false;
}
