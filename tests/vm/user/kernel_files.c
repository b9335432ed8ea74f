/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_files.c - kernel-files EDU CDEV GROUP: a device that is opened with files of the caller's, in every state that
 * these can be in; and a virtual machine that is told of it. Prints results.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vfiokit/kernel.h>

#include "said.h"

#define PAGE	4096u
#define EDU_IDS 0x11e81234

static const char *edu, *cdev, *group;

static int do_dma(struct vfk_device *dev)
{
	struct vfk_dma_buffer buffer = { .size = sizeof(buffer) };
	struct vfk_dma_space *space;
	int ret = vfk_dma_space_create(&space);

	if (ret < 0)
		return ret;
	ret = vfk_device_attach_dma(dev, space);
	if (!ret)
		ret = vfk_dma_alloc(space, PAGE, VFK_DMA_READ | VFK_DMA_WRITE, &buffer);
	if (!ret)
		ret = vfk_dma_free(space, &buffer);
	vfk_device_detach_dma(dev);
	vfk_dma_space_destroy(space);
	return ret;
}

/* Opens, reads the ids, maps a page and closes; @dma is what comes of the mapping. */
static void works(const struct vfk_kernel_opts *opts, int dma, const char *text)
{
	struct vfk_device *dev = NULL;
	uint64_t ids = 0;
	int ret = vfk_kernel_open(opts, NULL, &dev);

	said(ret, 0, text);
	if (ret < 0)
		return;
	vfk_region_get(dev, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4, &ids);
	said((long)ids, EDU_IDS, "  it is the device");
	said(do_dma(dev), dma, dma ? "  it cannot do DMA" : "  it can do DMA");
	vfk_device_close(dev);
}

static void by_cdev(void)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;

	opts.device_fd = open(cdev, O_RDWR | O_CLOEXEC);
	works(&opts, 0, "a cdev");
	close(opts.device_fd);
	opts.device_fd = open(cdev, O_RDWR | O_CLOEXEC);
	opts.device = edu;
	works(&opts, 0, "a cdev with its name");
	close(opts.device_fd);
	opts.device = NULL;
	opts.device_fd = open(cdev, O_RDWR | O_CLOEXEC);
	opts.iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	works(&opts, 0, "a cdev and an iommufd");
	works(&opts, 0, "a cdev that is bound, and its iommufd");
	opts.device = edu;
	works(&opts, 0, "with its name");
	close(opts.iommufd);
	opts.iommufd = -1;
	works(&opts, -ENOTSUP, "a cdev that is bound, alone");
	close(opts.device_fd);
}

static void by_group(void)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	int container;

	opts.device = edu;
	opts.group_fd = open(group, O_RDWR | O_CLOEXEC);
	works(&opts, 0, "a group");
	works(&opts, 0, "a group, which is as it was");
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	opts.container_fd = container;
	works(&opts, 0, "a group and a container");
	said(ioctl(opts.group_fd, VFIO_GROUP_SET_CONTAINER, &container), 0,
	     "the group enters the container");
	works(&opts, 0, "a group in a container");
	said(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0, 1,
	     "which keeps the IOMMU that it was given");
	works(&opts, 0, "a group in a container with its IOMMU");
	opts.device_fd = ioctl(opts.group_fd, VFIO_GROUP_GET_DEVICE_FD, edu);
	works(&opts, 0, "all three");
	opts.device = NULL;
	opts.group_fd = -1; /* stays open until this program ends */
	works(&opts, 0, "a device and its container");
	opts.container_fd = -1;
	works(&opts, -ENOTSUP, "a device alone");
	close(opts.device_fd);
	close(container);
}

static int create_kvm_device(void)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	return vm < 0 || ioctl(vm, KVM_CREATE_DEVICE, &create) < 0 ? -1 : (int)create.fd;
}

static void kvm_first(const char *way, int kvm)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev;
	int ret;

	opts.device = edu;
	opts.iommu = way;
	opts.kvm_fd = kvm;
	ret = vfk_kernel_open(&opts, NULL, &dev);
	said(ret, 0, "KVM is told of a device before it is open");
	if (ret < 0)
		return;
	said(vfk_kernel_attach_kvm(dev, kvm), -EEXIST, "  and knows");
	said(vfk_kernel_detach_kvm(dev, kvm), 0, "  until it is told otherwise");
	vfk_device_close(dev);
	opts.kvm_fd = 0; /* /dev/null */
	said(vfk_kernel_open(&opts, NULL, &dev) < 0, 1, "what is no KVM device is refused");
}

static void twice(const char *way)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev, *second;
	int ret;

	opts.device = edu;
	opts.iommu = way;
	ret = vfk_kernel_open(&opts, NULL, &dev);
	said(ret, 0, "a device is open");
	if (ret < 0)
		return;
	said(vfk_kernel_open(&opts, NULL, &second), -EBUSY, "  and cannot be opened twice");
	vfk_device_close(dev);
}

int main(int argc, char **argv)
{
	int kvm;

	if (argc != 4) {
		fprintf(stderr, "usage: kernel-files EDU CDEV GROUP\n");
		return 2;
	}
	alarm(60);
	edu = argv[1];
	cdev = argv[2];
	group = argv[3];
	kvm = create_kvm_device();
	said(kvm >= 0, 1, "KVM has a vfio device");
	kvm_first("type1", kvm);
	kvm_first("iommufd", kvm);
	twice("type1");
	twice("iommufd");
	by_cdev();
	by_group();
	return 0;
}
