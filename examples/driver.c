/* SPDX-License-Identifier: BSD-3-Clause */
/* driver.c - a driver in thirty lines: identify an edu device, wherever it is, and have it compute 10! */
#include <stdio.h>
#include <sys/eventfd.h>
#include <vfiokit/vfiokit.h>
#define BAR0   VFIO_PCI_BAR0_REGION_INDEX
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define MSI    VFIO_PCI_MSI_IRQ_INDEX

int main(int argc, char **argv)
{
	struct vfk_device *dev = NULL;
	uint64_t id, result, count;
	int irq = eventfd(0, EFD_CLOEXEC);

	if (argc != 2 || vfk_device_open(argv[1], NULL, &dev) < 0 ||
	    vfk_region_put(dev, CONFIG, 4, 2, 6) < 0 ||	       /* memory decoding, bus mastering */
	    vfk_region_get(dev, BAR0, 0, 4, &id) < 0 ||	       /* identification register */
	    vfk_irq_set_eventfds(dev, MSI, 0, 1, &irq) != 0 || /* arm before anything can happen */
	    vfk_region_put(dev, BAR0, 0x20, 4, 0x80) < 0 || /* interrupt when the result is there */
	    vfk_region_put(dev, BAR0, 8, 4, 10) < 0 ||	    /* compute 10! */
	    vfk_irq_wait(dev, &irq, 1, 5000, &count) < 0 ||
	    vfk_region_get(dev, BAR0, 8, 4, &result) < 0) {
		fprintf(stderr, "%s\n", argc == 2 ? vfk_error() : "usage: driver URI");
		return 1;
	}
	printf("id 0x%08x, 10! = %u, by interrupt\n", (unsigned)id, (unsigned)result);
	vfk_device_close(dev);
	return 0;
}
