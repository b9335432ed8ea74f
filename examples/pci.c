/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.c - a PCI driver: registers and interrupts of model:testdev, by the functions of <vfiokit/pci*.h>.
 *
 * The device's documentation is at the head of models/testdev_regs.c. Where it is makes no difference: the same program
 * drives it in this process, behind a socket, or in a guest that has it from vfio-pci.
 */
#include <linux/pci_regs.h>
#include <stdio.h>
#include <vfiokit/vfiokit.h>

#define BAR	0
#define SCRATCH 0x0c
#define RAISE	0x20

/* Arms what the device has, up to four vectors, and has it raise each of them. */
static int interrupts(struct vfk_device *dev, struct vfk_pci *pci)
{
	int n = vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 4, NULL), ret = n;
	uint64_t count;

	for (int i = 0; i < n && ret >= 0; i++) {
		int fd = vfk_pci_irq_fd(pci, (uint32_t)i);

		ret = vfk_pci_write32(pci, BAR, RAISE, (uint32_t)i);
		if (!ret)
			ret = vfk_irq_wait(dev, &fd, 1, 5000, &count);
	}
	vfk_pci_irq_disable(pci);
	return ret < 0 ? ret : n;
}

static int drive(struct vfk_device *dev, struct vfk_pci *pci)
{
	struct vfk_pci_identity id;
	uint32_t value, off;
	int n;

	vfk_pci_get_identity(pci, &id);
	if (vfk_pci_set_decode(pci, true, true) < 0 || vfk_pci_set_master(pci, true) < 0 ||
	    vfk_pci_bar_map(pci, BAR) < 0 || vfk_pci_write32(pci, BAR, SCRATCH, 42) < 0 ||
	    vfk_pci_read32(pci, BAR, SCRATCH, &value) < 0)
		return -1;
	n = interrupts(dev, pci);
	if (n < 0 || vfk_pci_reset(pci, VFK_PCI_RESET_AUTO) < 0)
		return -1;
	printf("%04x:%04x, %s Express capability, scratch %u, %d interrupts\n", id.vendor,
	       id.device, vfk_pci_cap_find(pci, PCI_CAP_ID_EXP, &off) ? "no" : "an",
	       (unsigned)value, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct vfk_device *dev = NULL;
	struct vfk_pci *pci = NULL;
	int ret = -1;

	if (argc == 2 && !vfk_device_open(argv[1], NULL, &dev) && !vfk_pci_open(dev, &pci))
		ret = drive(dev, pci);
	if (ret < 0)
		fprintf(stderr, "%s\n", argc == 2 ? vfk_error() : "usage: pci URI");
	vfk_pci_close(pci);
	vfk_device_close(dev);
	return ret < 0;
}
