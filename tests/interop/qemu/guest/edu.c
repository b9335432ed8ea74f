/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What VFIO tells of the edu device, its registers, interrupts and reset, see edu.h. DMA is in
 * edu_dma.c.
 */
#include "edu.h"
#include "edu_regs.h"
#include "tap.h"
#include "vfio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TEN_FACTORIAL 3628800u
/* Long enough for an emulated machine under load, and as short as "nothing comes" can be told. */
#define COMES_MS      5000
#define QUIET_MS      200

static void check_region(struct vfio *vfio, unsigned index, uint64_t size, const char *name)
{
	const struct vfio_region_info *region = &vfio->regions[index];
	uint32_t access = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

	tap_equal(region->size, size, "%s: size", name);
	if (size)
		tap_equal(region->flags & access, access, "%s: read and write", name);
}

static void check_irq(struct vfio *vfio, unsigned index, uint32_t flags, const char *name)
{
	const struct vfio_irq_info *irq = &vfio->irqs[index];

	tap_equal(irq->count, 1, "%s: one vector", name);
	tap_equal(irq->flags, flags, "%s: flags", name);
}

void edu_test_infos(struct vfio *vfio)
{
	uint64_t config = vfio->regions[VFIO_PCI_CONFIG_REGION_INDEX].size;
	unsigned i;

	tap_check(vfio->info.flags & VFIO_DEVICE_FLAGS_PCI, "device info: a PCI device");
	tap_check(vfio->info.num_regions >= VFIO_PCI_NUM_REGIONS, "device info: all regions");
	tap_check(vfio->info.num_irqs >= VFIO_PCI_NUM_IRQS, "device info: all interrupts");
	check_region(vfio, VFIO_PCI_BAR0_REGION_INDEX, EDU_BAR_SIZE, "BAR 0");
	for (i = VFIO_PCI_BAR1_REGION_INDEX; i <= VFIO_PCI_BAR5_REGION_INDEX; i++)
		tap_equal(vfio->regions[i].size, 0, "BAR %u: absent", i);
	tap_check(config == 256 || config == 4096, "config space: size");
	check_irq(vfio, VFIO_PCI_INTX_IRQ_INDEX,
		  VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED,
		  "INTx");
	check_irq(vfio, VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
		  "MSI");
	tap_equal(vfio->irqs[VFIO_PCI_MSIX_IRQ_INDEX].count, 0, "MSI-X: absent");
}

void edu_test_config(struct vfio *vfio)
{
	uint8_t pin = 0;

	tap_equal(vfio_config16(vfio, PCI_VENDOR_ID), EDU_VENDOR, "config space: vendor");
	tap_equal(vfio_config16(vfio, PCI_DEVICE_ID), EDU_DEVICE, "config space: device");
	tap_equal(vfio_config16(vfio, PCI_CLASS_DEVICE), EDU_CLASS, "config space: class");
	vfio_read(vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_INTERRUPT_PIN, &pin, 1);
	tap_equal(pin, 1, "config space: interrupt pin");
	tap_check(vfio_capability(vfio, PCI_CAP_ID_MSI), "config space: MSI capability");
	vfio_command(vfio, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, true);
	tap_check(vfio_config16(vfio, PCI_COMMAND) & PCI_COMMAND_MASTER,
		  "config space: bus master can be switched on");
}

void edu_test_registers(struct vfio *vfio)
{
	uint32_t value = 0x12345678;

	tap_equal(edu_get(vfio, EDU_ID), EDU_ID_VALUE, "identification register");
	edu_set(vfio, EDU_LIVE, value);
	tap_equal(edu_get(vfio, EDU_LIVE), ~value, "liveness: what was written, inverted");
	if (!tap_check(vfio->bar0, "BAR 0 is mapped"))
		return;
	tap_equal(edu_mapped_get(vfio, EDU_ID), EDU_ID_VALUE,
		  "identification register, through the mapping");
	tap_equal(edu_mapped_get(vfio, EDU_LIVE), ~value, "liveness, through the mapping");
}

void edu_test_factorial(struct vfio *vfio)
{
	edu_set(vfio, EDU_STATUS, 0);
	edu_set(vfio, EDU_FACTORIAL, 10);
	tap_check(edu_wait_clear(vfio, EDU_STATUS, EDU_STATUS_BUSY), "10! by polling: done");
	tap_equal(edu_get(vfio, EDU_FACTORIAL), TEN_FACTORIAL, "10! by polling: value");
	tap_equal(edu_get(vfio, EDU_IRQ_STATUS), 0, "10! by polling: no interrupt status");
}

static void start_factorial(struct vfio *vfio)
{
	edu_set(vfio, EDU_STATUS, EDU_STATUS_IRQ);
	edu_set(vfio, EDU_FACTORIAL, 10);
}

/* The interrupt has come: its reason, and the value; left unacknowledged. */
static void check_factorial(struct vfio *vfio, const char *how)
{
	tap_equal(edu_get(vfio, EDU_IRQ_STATUS), EDU_IRQ_FACTORIAL, "10! by %s: reason", how);
	tap_equal(edu_get(vfio, EDU_STATUS) & EDU_STATUS_BUSY, 0, "10! by %s: not busy", how);
	tap_equal(edu_get(vfio, EDU_FACTORIAL), TEN_FACTORIAL, "10! by %s: value", how);
}

/* Level triggered: masked when it fires, and again after an unmask for as long as the line is high. */
static void check_level(struct vfio *vfio, int fd)
{
	tap_check(vfio_config16(vfio, PCI_STATUS) & PCI_STATUS_INTERRUPT,
		  "INTx: the status register shows the line");
	tap_equal(vfio_irq_wait(fd, QUIET_MS), 0, "INTx: masked when it has fired");
	tap_equal((uint64_t)-vfio_irq_unmask(vfio, VFIO_PCI_INTX_IRQ_INDEX), 0, "INTx: unmask");
	tap_equal(vfio_irq_wait(fd, COMES_MS), 1, "INTx: fires again, the line is still high");
	edu_set(vfio, EDU_IRQ_ACK, EDU_IRQ_FACTORIAL);
	tap_equal(edu_get(vfio, EDU_IRQ_STATUS), 0, "INTx: acknowledged");
	tap_check(!(vfio_config16(vfio, PCI_STATUS) & PCI_STATUS_INTERRUPT),
		  "INTx: the status register shows the line low");
	vfio_irq_unmask(vfio, VFIO_PCI_INTX_IRQ_INDEX);
	tap_equal(vfio_irq_wait(fd, QUIET_MS), 0, "INTx: quiet when acknowledged");
}

static void check_raise(struct vfio *vfio, int fd, unsigned bits, const char *how)
{
	edu_set(vfio, EDU_IRQ_RAISE, bits);
	tap_equal(vfio_irq_wait(fd, COMES_MS), 1, "raise register, %s: interrupt", how);
	tap_equal(edu_get(vfio, EDU_IRQ_STATUS), bits, "raise register, %s: its bits", how);
	edu_set(vfio, EDU_IRQ_ACK, bits);
	tap_equal(edu_get(vfio, EDU_IRQ_STATUS), 0, "raise register, %s: acknowledged", how);
}

void edu_test_intx(struct vfio *vfio)
{
	int fd, err = vfio_irq_enable(vfio, VFIO_PCI_INTX_IRQ_INDEX, &fd);

	if (!tap_check(!err, "INTx: enable")) {
		tap_note("%s", strerror(-err));
		return;
	}
	start_factorial(vfio);
	tap_equal(vfio_irq_wait(fd, COMES_MS), 1, "10! by INTx: one interrupt");
	check_factorial(vfio, "INTx");
	check_level(vfio, fd);
	check_raise(vfio, fd, 0x40, "INTx");
	tap_equal((uint64_t)-vfio_irq_disable(vfio, VFIO_PCI_INTX_IRQ_INDEX), 0, "INTx: disable");
	close(fd);
}

void edu_test_msi(struct vfio *vfio)
{
	int fd, err = vfio_irq_enable(vfio, VFIO_PCI_MSI_IRQ_INDEX, &fd);

	if (!tap_check(!err, "MSI: enable")) {
		tap_note("%s", strerror(-err));
		return;
	}
	start_factorial(vfio);
	tap_equal(vfio_irq_wait(fd, COMES_MS), 1, "10! by MSI: one interrupt");
	check_factorial(vfio, "MSI");
	edu_set(vfio, EDU_IRQ_ACK, EDU_IRQ_FACTORIAL);
	tap_equal(vfio_irq_wait(fd, QUIET_MS), 0, "10! by MSI: no other interrupt");
	check_raise(vfio, fd, 0x80, "MSI");
	edu_set(vfio, EDU_STATUS, 0);
	tap_equal((uint64_t)-vfio_irq_disable(vfio, VFIO_PCI_MSI_IRQ_INDEX), 0, "MSI: disable");
	close(fd);
}

void edu_test_reset(struct vfio *vfio)
{
	uint32_t value = 0xcafe;

	if (!(vfio->info.flags & VFIO_DEVICE_FLAGS_RESET)) {
		tap_skip("reset",
			 "the guest's kernel knows no way to reset a device in this place");
		return;
	}
	if (!tap_check(ioctl(vfio->device, VFIO_DEVICE_RESET) == 0, "reset")) {
		tap_note("%s", strerror(errno));
		return;
	}
	vfio_command(vfio, PCI_COMMAND_MEMORY, true);
	tap_equal(edu_get(vfio, EDU_ID), EDU_ID_VALUE, "after reset: identification");
	edu_set(vfio, EDU_LIVE, value);
	tap_equal(edu_get(vfio, EDU_LIVE), ~value, "after reset: liveness");
}
