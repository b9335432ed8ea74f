/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bare VFIO, see vfio.h. The calls and their order: the kernel's Documentation/driver-api/vfio.rst.
 */
#include "vfio.h"
#include "pci.h"
#include "tap.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static void attach(struct vfio *vfio, const struct pci_device *device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int type = vfio->noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU;
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%s%s", vfio->noiommu ? "noiommu-" : "",
		 device->group);
	vfio->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (vfio->container < 0)
		tap_bail("/dev/vfio/vfio: %s", strerror(errno));
	vfio->group = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->group < 0)
		tap_bail("%s: %s", path, strerror(errno));
	if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		tap_bail("%s: status: %s", path, strerror(errno));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		tap_bail("%s: not viable", path);
	if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container) < 0)
		tap_bail("%s: container: %s", path, strerror(errno));
	if (ioctl(vfio->container, VFIO_SET_IOMMU, type) < 0)
		tap_bail("%s: IOMMU of type %d: %s", path, type, strerror(errno));
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, device->address);
	if (vfio->device < 0)
		tap_bail("%s: %s: %s", path, device->address, strerror(errno));
}

static void get_infos(struct vfio *vfio)
{
	unsigned i;

	vfio->info.argsz = sizeof(vfio->info);
	if (ioctl(vfio->device, VFIO_DEVICE_GET_INFO, &vfio->info) < 0)
		tap_bail("device info: %s", strerror(errno));
	for (i = 0; i < VFIO_PCI_NUM_REGIONS && i < vfio->info.num_regions; i++) {
		vfio->regions[i].argsz = sizeof(vfio->regions[i]);
		vfio->regions[i].index = i;
		/* the VGA region is refused where the device has none */
		if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &vfio->regions[i]) < 0 &&
		    i != VFIO_PCI_VGA_REGION_INDEX)
			tap_bail("info of region %u: %s", i, strerror(errno));
	}
	for (i = 0; i < VFIO_PCI_NUM_IRQS && i < vfio->info.num_irqs; i++) {
		vfio->irqs[i].argsz = sizeof(vfio->irqs[i]);
		vfio->irqs[i].index = i;
		/* the error interrupt is refused where the device is not PCI Express */
		if (ioctl(vfio->device, VFIO_DEVICE_GET_IRQ_INFO, &vfio->irqs[i]) < 0 &&
		    i != VFIO_PCI_ERR_IRQ_INDEX)
			tap_bail("info of interrupt %u: %s", i, strerror(errno));
	}
}

static void map_bar0(struct vfio *vfio)
{
	const struct vfio_region_info *bar = &vfio->regions[VFIO_PCI_BAR0_REGION_INDEX];

	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	vfio->bar0 = mmap(NULL, bar->size, PROT_READ | PROT_WRITE, MAP_SHARED, vfio->device,
			  (off_t)bar->offset);
	if (vfio->bar0 == MAP_FAILED)
		tap_bail("mapping of BAR 0: %s", strerror(errno));
}

void vfio_open(struct vfio *vfio, const struct pci_device *device, bool noiommu)
{
	memset(vfio, 0, sizeof(*vfio));
	vfio->noiommu = noiommu;
	attach(vfio, device);
	get_infos(vfio);
	map_bar0(vfio);
}

void vfio_close(struct vfio *vfio)
{
	if (vfio->bar0)
		munmap(vfio->bar0, vfio->regions[VFIO_PCI_BAR0_REGION_INDEX].size);
	close(vfio->device);
	close(vfio->group);
	close(vfio->container);
}

static int result(ssize_t done, size_t len)
{
	if (done < 0)
		return -errno;
	return (size_t)done == len ? 0 : -EIO;
}

int vfio_read(struct vfio *vfio, unsigned region, uint64_t offset, void *buf, size_t len)
{
	off_t at = (off_t)(vfio->regions[region].offset + offset);

	return result(pread(vfio->device, buf, len, at), len);
}

int vfio_write(struct vfio *vfio, unsigned region, uint64_t offset, const void *buf, size_t len)
{
	off_t at = (off_t)(vfio->regions[region].offset + offset);

	return result(pwrite(vfio->device, buf, len, at), len);
}

uint32_t vfio_read32(struct vfio *vfio, unsigned region, uint64_t offset)
{
	uint32_t value = 0;
	int err = vfio_read(vfio, region, offset, &value, sizeof(value));

	if (err)
		tap_bail("read of region %u at 0x%llx: %s", region, (unsigned long long)offset,
			 strerror(-err));
	return le32toh(value);
}

void vfio_write32(struct vfio *vfio, unsigned region, uint64_t offset, uint32_t value)
{
	int err;

	value = htole32(value);
	err = vfio_write(vfio, region, offset, &value, sizeof(value));
	if (err)
		tap_bail("write to region %u at 0x%llx: %s", region, (unsigned long long)offset,
			 strerror(-err));
}

uint16_t vfio_config16(struct vfio *vfio, unsigned offset)
{
	uint16_t value = 0;
	int err = vfio_read(vfio, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, sizeof(value));

	if (err)
		tap_bail("read of config space at 0x%x: %s", offset, strerror(-err));
	return le16toh(value);
}

void vfio_command(struct vfio *vfio, uint16_t bits, bool set)
{
	uint16_t value = vfio_config16(vfio, PCI_COMMAND);
	int err;

	value = htole16(set ? value | bits : value & ~bits);
	err = vfio_write(vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &value, sizeof(value));
	if (err)
		tap_bail("write to the command register: %s", strerror(-err));
}

unsigned vfio_capability(struct vfio *vfio, uint8_t id)
{
	unsigned at, hops;
	uint8_t byte = 0;

	if (!(vfio_config16(vfio, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	if (vfio_read(vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_CAPABILITY_LIST, &byte, 1))
		return 0;
	at = byte & ~3u;
	/* 48 is as many as fit: a list that goes round ends here */
	for (hops = 0; at && hops < 48; hops++) {
		uint16_t head = vfio_config16(vfio, at);

		if ((head & 0xff) == id)
			return at;
		at = (head >> 8) & ~3u;
	}
	return 0;
}

static int set_irqs(struct vfio *vfio, unsigned index, uint32_t flags, uint32_t count, int *fd)
{
	union {
		struct vfio_irq_set set;
		char room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} u = { .set = { .argsz = sizeof(struct vfio_irq_set), .index = index } };

	u.set.flags = flags;
	u.set.count = count;
	if (fd) {
		u.set.argsz += sizeof(*fd);
		memcpy(u.set.data, fd, sizeof(*fd));
	}
	return ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &u.set) < 0 ? -errno : 0;
}

int vfio_irq_enable(struct vfio *vfio, unsigned index, int *fd)
{
	int err;

	*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*fd < 0)
		return -errno;
	err = set_irqs(vfio, index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, fd);
	if (err)
		close(*fd);
	return err;
}

int vfio_irq_disable(struct vfio *vfio, unsigned index)
{
	return set_irqs(vfio, index, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, NULL);
}

int vfio_irq_unmask(struct vfio *vfio, unsigned index)
{
	return set_irqs(vfio, index, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 1, NULL);
}

uint64_t vfio_irq_wait(int fd, int milliseconds)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	uint64_t count = 0;

	if (poll(&poller, 1, milliseconds) != 1)
		return 0;
	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}
