/* SPDX-License-Identifier: BSD-3-Clause */
/* reconnect.c - a driver whose device may die under it: an edu computes on, whatever happens to its server. */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <vfiokit/vfiokit.h>
#define BAR0   VFIO_PCI_BAR0_REGION_INDEX
#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define MSI    VFIO_PCI_MSI_IRQ_INDEX

/* The device's own state, which has to be set up anew each time. */
static int initialise(struct vfk_device *dev)
{
	int ret = vfk_region_put(dev, CONFIG, 4, 2, 6); /* memory decoding, bus mastering */

	return ret ? ret :
		     vfk_region_put(dev, BAR0, 0x20, 4, 0x80); /* interrupt with each result */
}

static int compute(struct vfk_device *dev, int irq, uint64_t n)
{
	uint64_t result, count;
	int ret = vfk_region_put(dev, BAR0, 8, 4, n);

	if (ret == 0)
		ret = vfk_irq_wait(dev, &irq, 1, 5000, &count);
	if (ret == 1)
		ret = vfk_region_put(dev, BAR0, 0x64, 4, 1); /* acknowledge */
	if (ret == 0)
		ret = vfk_region_get(dev, BAR0, 8, 4, &result);
	if (ret == 0) {
		printf("%u! = %u\n", (unsigned)n, (unsigned)result);
		fflush(stdout);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct vfk_device *dev = NULL;
	int irq = eventfd(0, EFD_CLOEXEC), ret = -EINVAL, key = 0;

	if (argc == 2)
		ret = vfk_device_open(argv[1], NULL, &dev);
	if (ret == 0)
		ret = vfk_irq_set_eventfds(dev, MSI, 0, 1, &irq); /* once: it outlives the server */
	if (ret == 0)
		ret = initialise(dev);
	for (uint64_t n = 1; ret == 0 && n <= 12 && key != EOF; n += ret == 0) {
		key = getchar(); /* a line for each */
		ret = compute(dev, irq, n);
		/* lost: it is known now, so wait for the server, and begin anew */
		while (ret == -ECONNRESET) {
			ret = vfk_device_reconnect(dev, vfk_device_epoch(dev));
			if (ret == 0)
				ret = initialise(dev);
			if (ret == 0)
				ret = compute(dev, irq, n);
		}
	}
	if (ret)
		fprintf(stderr, "%s\n", argc == 2 ? vfk_error() : "usage: reconnect URI");
	vfk_device_close(dev);
	return ret != 0;
}
