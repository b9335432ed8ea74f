/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c - opening and closing a device, and what it is as a whole.
 *
 * Open and close run alone; the rest in any thread.
 */
#include "device.h"
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/io/open.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <vfiokit/kernel.h>
#include <vfiokit/model.h>

/* As in lib/io/checked.c: what the oldest headers have of the structure. */
#define INFO_FIXED (offsetof(struct vfio_device_info, cap_offset) + sizeof(__u32))

/* The info with its chain, for which the io says how much room it needs; that may not grow for ever. */
static int fetch_chain(struct vfk_device *dev)
{
	uint32_t capacity = dev->io.info.argsz;

	for (int round = 0; round < VFKI_MAX_ROUNDS; round++) {
		struct vfio_device_info *info = calloc(1, capacity);
		int ret;

		if (!info)
			return vfki_err(-ENOMEM, "%s: no memory", dev->io.io->name);
		info->argsz = capacity;
		ret = vfki_checked_get_device_info(&dev->io, info);
		if (!ret && info->argsz <= capacity) {
			dev->info = info;
			return 0;
		}
		capacity = info->argsz;
		free(info);
		if (ret < 0)
			return ret;
	}
	return vfki_err(-EPROTO, "%s: device info: it needs more room each time", dev->io.io->name);
}

static int fetch_info(struct vfk_device *dev)
{
	if (dev->io.info.argsz > sizeof(*dev->info))
		return fetch_chain(dev);
	dev->info = malloc(sizeof(*dev->info));
	if (!dev->info)
		return vfki_err(-ENOMEM, "%s: no memory", dev->io.io->name);
	*dev->info = dev->io.info;
	return 0;
}

static int alloc_tables(struct vfk_device *dev)
{
	dev->regions = calloc((size_t)dev->io.num_regions + 1, sizeof(*dev->regions));
	dev->armed = calloc((size_t)dev->io.num_irqs + 1, sizeof(*dev->armed));
	if (!dev->regions || !dev->armed)
		return vfki_err(-ENOMEM, "%s: no memory", dev->io.io->name);
	return 0;
}

static void free_tables(struct vfk_device *dev)
{
	free(dev->armed);
	free(dev->regions);
	free(dev->info);
}

/* Makes a device of an open chain; on failure the chain is as it was. */
static int device_create(struct vfk_io *io, struct vfk_io *own, const struct vfk_open_opts *opts,
			 struct vfk_device **out)
{
	struct vfk_device *dev = calloc(1, sizeof(*dev));
	struct vfk_open_opts full;
	int ret;

	if (!dev)
		return vfki_err(-ENOMEM, "%s: no memory", io->name);
	ret = vfki_open_opts(opts, &full);
	if (!ret)
		ret = vfki_checked_init(&dev->io, io);
	if (ret < 0)
		goto free_dev;
	dev->own = own;
	dev->guard = full.guard;
	dev->free_regions = dev->guard ? 0 : dev->io.usual_regions;
	ret = fetch_info(dev);
	if (!ret)
		ret = alloc_tables(dev);
	if (ret < 0)
		goto free_tables;
	vfki_maps_init(&dev->maps);
	vfki_sink_init(&dev->sink, &dev->io);
	ret = vfki_loss_init(dev);
	if (ret < 0)
		goto fini_maps;
	*out = dev;
	return 0;
fini_maps:
	vfki_maps_fini(&dev->maps, dev->guard);
free_tables:
	free_tables(dev);
	vfki_checked_fini(&dev->io);
free_dev:
	free(dev);
	return ret;
}

int vfk_device_open(const char *uri, const struct vfk_open_opts *opts, struct vfk_device **dev)
{
	struct vfk_io *io;
	int ret = vfki_io_open(uri, opts, &io);

	if (ret < 0)
		return ret;
	ret = device_create(io, NULL, opts, dev);
	if (ret < 0)
		vfki_io_close(io, NULL);
	return ret;
}

int vfk_device_open_model(const struct vfk_model_ops *ops, const char *params,
			  const struct vfk_open_opts *opts, struct vfk_device **dev)
{
	struct vfk_io *io;
	int ret = vfki_io_open_model(ops, params, opts, &io);

	if (ret < 0)
		return ret;
	ret = device_create(io, NULL, opts, dev);
	if (ret < 0)
		vfki_io_close(io, NULL);
	return ret;
}

int vfk_kernel_open(const struct vfk_kernel_opts *kernel, const struct vfk_open_opts *opts,
		    struct vfk_device **dev)
{
	struct vfk_io *io, *share = NULL;
	int ret;

	if (kernel && kernel->size == sizeof(*kernel) && kernel->share)
		share = vfki_device_backend(kernel->share);
	ret = vfki_io_open_kernel(kernel, share, opts, &io);
	if (ret < 0)
		return ret;
	ret = device_create(io, NULL, opts, dev);
	if (ret < 0)
		vfki_io_close(io, NULL);
	return ret;
}

int vfk_device_open_io(struct vfk_io *own, const struct vfk_open_opts *opts,
		       struct vfk_device **dev)
{
	struct vfk_io *io;
	int ret = vfki_io_wrap(own, opts, &io);

	if (ret < 0)
		return ret;
	ret = device_create(io, own, opts, dev);
	if (ret < 0)
		vfki_io_unwrap(io, own);
	return ret;
}

static bool stop_master(struct vfk_device *dev)
{
	uint64_t command;

	return !vfk_region_get(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &command) &&
	       !vfk_region_put(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2,
			       command & ~(uint64_t)PCI_COMMAND_MASTER) &&
	       !vfk_region_get(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &command) &&
	       !(command & PCI_COMMAND_MASTER);
}

/*
 * Whether mappings can be taken back from here. Without an IOMMU only the device itself keeps it from memory that is given
 * back; where it cannot be told from here, as behind a filter that lets nothing be written, the backend does both when it
 * is closed. With one what still comes would be faults in the host's log, and to whoever reports errors of the bus.
 */
static bool stop_dma(struct vfk_device *dev)
{
	uint32_t flags = vfki_device_io_flags(dev);
	bool pci = vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI;

	if (!(flags & VFK_IO_NOIOMMU)) {
		if (flags & VFK_IO_HARDWARE && pci)
			(void)stop_master(dev);
		return true;
	}
	return pci ? stop_master(dev) : !vfk_device_reset(dev);
}

void vfk_device_close(struct vfk_device *dev)
{
	char text[VFKI_ERROR_SIZE];
	struct vfk_io *io;

	if (!dev)
		return;
	snprintf(text, sizeof(text), "%s", vfk_error());
	io = dev->io.io;
	vfki_irqs_disable_all(dev);
	vfki_maps_fini(&dev->maps, dev->guard);
	if (dev->space)
		vfki_space_drop(dev->space, &dev->sink, stop_dma(dev));
	vfki_loss_fini(dev);
	vfki_regions_free(dev);
	free_tables(dev);
	vfki_checked_fini(&dev->io);
	vfki_io_close(io, dev->own);
	free(dev);
	/* Who closes after a failure has its reason still to tell. */
	vfki_err(0, "%s", text);
}

struct vfk_io *vfki_device_backend(const struct vfk_device *dev)
{
	struct vfk_io *io = dev->io.io;

	while (io != dev->own && io->next)
		io = io->next;
	return io;
}

const char *vfk_device_name(const struct vfk_device *dev)
{
	return dev->io.io->name;
}

uint32_t vfk_device_flags(const struct vfk_device *dev)
{
	return dev->io.info.flags;
}

uint32_t vfk_device_num_regions(const struct vfk_device *dev)
{
	return dev->io.num_regions;
}

uint32_t vfk_device_num_irqs(const struct vfk_device *dev)
{
	return dev->io.num_irqs;
}

uint32_t vfki_device_io_flags(const struct vfk_device *dev)
{
	const struct vfk_io *io = dev->io.io;

	while (io != dev->own && io->next)
		io = io->next;
	return io->flags;
}

const struct vfio_device_info *vfki_device_info(const struct vfk_device *dev)
{
	return dev->info;
}

int vfk_device_cap(const struct vfk_device *dev, uint16_t id, const void **cap, size_t *len)
{
	const struct vfio_device_info *info = dev->info;
	uint32_t first = info->argsz >= INFO_FIXED ? info->cap_offset : 0;
	struct vfki_cap found;

	if (vfki_caps_find(info, info->argsz, INFO_FIXED, first, id, &found) != 1)
		return vfki_err(-ENOENT, "%s: no capability %u", vfk_device_name(dev), id);
	*cap = (const char *)info + found.offset;
	*len = found.room + sizeof(struct vfio_info_cap_header);
	return 0;
}

int vfk_device_reset(struct vfk_device *dev)
{
	return vfki_checked_reset(&dev->io);
}

int vfki_device_check_maps(struct vfk_device *dev)
{
	int ret = vfki_maps_check(&dev->maps, dev->guard, dev->io.io->name);

	return ret && dev->loss.offered ? vfki_loss_force(dev) : ret;
}

/* A mapping stays when its server goes; only the socket tells. */
static int check_server(struct vfk_device *dev)
{
	struct pollfd p = { .fd = vfk_device_poll_fd(dev), .events = POLLIN };
	int ret = vfki_loss_check(dev);

	if (!ret && poll(&p, 1, 0) > 0)
		ret = vfki_checked_dispatch(&dev->io);
	return ret < 0 ? ret : 0;
}

int vfk_device_check(struct vfk_device *dev)
{
	int ret = vfki_device_check(dev);

	return ret || !dev->loss.offered ? ret : check_server(dev);
}

int vfk_device_poll_fd(struct vfk_device *dev)
{
	return vfki_checked_poll_fd(&dev->io);
}

int vfk_device_dispatch(struct vfk_device *dev)
{
	int ret = vfki_device_check(dev);

	return ret ? ret : vfki_checked_dispatch(&dev->io);
}

int vfk_device_set_dma_mask(struct vfk_device *dev, unsigned int bits)
{
	if (bits < 12 || bits > 64)
		return vfki_err(-ERANGE, "%s: DMA mask of %u bits, need 12 to 64",
				vfk_device_name(dev), bits);
	atomic_store(&dev->sink.mask_bits, bits);
	return 0;
}

int vfk_device_attach_dma(struct vfk_device *dev, struct vfk_dma_space *space)
{
	bool kept = false;
	int ret;

	if (dev->space)
		return vfki_err(-EBUSY, "%s: already in a dma space", vfk_device_name(dev));
	ret = vfki_loss_check(dev);
	if (!ret)
		ret = vfki_space_attach(space, &dev->sink, &kept);
	if (kept)
		dev->space = space;
	return ret;
}

int vfk_device_detach_dma(struct vfk_device *dev)
{
	int ret = dev->space ? vfki_space_detach(dev->space, &dev->sink) : 0;

	if (!ret)
		dev->space = NULL;
	return ret;
}
