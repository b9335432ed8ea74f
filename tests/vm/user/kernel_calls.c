/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_calls.c - kernel-calls WAY EDU TWIN TWIN2: what only kernel devices have, by WAY, type1 or iommufd.
 *
 * EDU is an edu device; TWIN and TWIN2 are the two functions of another, one IOMMU group. Prints results.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vfiokit/kernel.h>

#include "edu.h"
#include "said.h"

#define REG_RAISE 0x60
#define REG_ACK	  0x64
#define BASE	  0x400000ull
#define PAGE	  4096ull

static const char *way;

static struct vfk_device *open_device(const char *bdf, struct vfk_device *share)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev = NULL;

	opts.device = bdf;
	opts.iommu = way;
	opts.share = share;
	if (vfk_kernel_open(&opts, NULL, &dev) != 0)
		die("open of %s", bdf);
	return dev;
}

static struct vfk_kernel_fds fds_of(struct vfk_device *dev)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };

	if (vfk_kernel_get_fds(dev, &fds) != 0)
		die("files of %s", vfk_device_name(dev));
	return fds;
}

static bool is_cdev(void)
{
	return strcmp(way, "iommufd") == 0;
}

/* ---- files ---- */

static void files_out(const char *bdf)
{
	struct vfk_device *dev = open_device(bdf, NULL);
	struct vfk_kernel_fds fds = fds_of(dev);

	said(fds.device >= 0, 1, "the device's file is handed out");
	said(fds.container >= 0, !is_cdev(), "the container's is, by group");
	said(fds.group >= 0, !is_cdev(), "the group's is, by group");
	said(fds.iommufd >= 0, is_cdev(), "the iommufd's is, by cdev");
	said(fds.ioas_id != 0, is_cdev(), "and the id of an IOAS");
	vfk_device_close(dev);
}

/* The second device knows nothing but files that the first opened. */
static void files_in(const char *bdf)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev = open_device(bdf, NULL), *second = NULL;
	struct vfk_kernel_fds fds = fds_of(dev);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t ids = 0;

	opts.device_fd = dup(fds.device);
	opts.group_fd = fds.group >= 0 ? dup(fds.group) : -1;
	opts.container_fd = fds.container >= 0 ? dup(fds.container) : -1;
	opts.iommufd = fds.iommufd >= 0 ? dup(fds.iommufd) : -1;
	opts.dev_id = fds.dev_id;
	opts.iommu = way;
	said(vfk_kernel_open(&opts, NULL, &second), 0, "files of the caller's are taken");
	said(vfk_kernel_ioeventfd(dev, 0, REG_RAISE, 4, 1, fd), 0, "an ioeventfd of the opener's");
	vfk_device_close(dev);
	if (second) {
		said(vfk_kernel_ioeventfd(second, 0, REG_RAISE, 4, 1, fd), 0,
		     "has gone with it: there is room for another's");
		said(vfk_region_get(second, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4, &ids), 0,
		     "and serve when whoever opened them has gone");
		said((long)ids, 0x11e81234, "as the device that they are");
		vfk_device_close(second);
	}
	close(fd);
	close(opts.device_fd);
	if (opts.group_fd >= 0)
		close(opts.group_fd);
	if (opts.container_fd >= 0)
		close(opts.container_fd);
	if (opts.iommufd >= 0)
		close(opts.iommufd);
}

/* ---- several devices ---- */

static void shared_space(const char *bdf, const char *twin)
{
	struct vfk_device *a = open_device(bdf, NULL), *b = open_device(twin, a);
	struct vfk_dma_buffer buffer = { .size = sizeof(buffer) };
	struct vfk_dma_space *space;
	struct vfk_kernel_fds fa = fds_of(a), fb = fds_of(b);

	said(vfk_dma_space_create(&space), 0, "a space of two devices");
	said(vfk_device_attach_dma(a, space), 0, "takes the first");
	said(vfk_device_attach_dma(b, space), 0, "and the second");
	if (is_cdev())
		said(fa.ioas_id == fb.ioas_id, 1, "they share an IOAS");
	else
		said(fa.container >= 0 && fb.container >= 0, 1, "they have containers");
	said(vfk_dma_alloc(space, PAGE, VFK_DMA_READ | VFK_DMA_WRITE, &buffer), 0,
	     "memory for both");
	said(vfk_dma_free(space, &buffer), 0, "given back");
	said(vfk_device_detach_dma(a), 0, "the first leaves");
	said(vfk_dma_alloc(space, PAGE, VFK_DMA_READ | VFK_DMA_WRITE, &buffer), 0,
	     "the second has memory still");
	said(vfk_dma_free(space, &buffer), 0, "given back, too");
	said(vfk_device_detach_dma(b), 0, "the second leaves");
	said(vfk_dma_space_destroy(space), 0, "the space ends");
	vfk_device_close(b);
	vfk_device_close(a);
}

/* ---- hot reset ---- */

static void hot_reset(const char *twin, const char *twin2)
{
	char room[256] = "";
	struct vfio_pci_hot_reset_info *info = (void *)room;
	struct vfk_device *a = open_device(twin, NULL), *b = open_device(twin2, a);

	info->argsz = sizeof(room);
	said(vfk_device_hot_reset_info(a, info), 0, "hot reset of one function");
	said(info->count, 2, "resets two");
	said(vfk_device_hot_reset(a, &b, 1), 0, "both are ours: done");
	vfk_device_close(b);
	vfk_device_close(a);
}

/* ---- interrupts and registers ---- */

static void ioeventfd(struct edu *edu)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t one = 1, count = 0;

	said(vfk_kernel_ioeventfd(edu->dev, 0, REG_RAISE, 4, 1, fd), 0, "an ioeventfd is taken");
	said(vfk_kernel_ioeventfd(edu->dev, 0, REG_RAISE, 4, 1, fd), -EEXIST, "but once");
	said(write(fd, &one, 8), 8, "it is signalled");
	said(vfk_irq_wait(edu->dev, &edu->irq, 1, 5000, &count), 1,
	     "and the register is written: the interrupt comes");
	said(vfk_region_put(edu->dev, 0, REG_ACK, 4, 1), 0, "acknowledged");
	said(vfk_kernel_ioeventfd(edu->dev, 0, REG_RAISE, 4, 1, -1), 0, "it is taken away");
	said(vfk_kernel_ioeventfd(edu->dev, 0, REG_RAISE, 4, 1, -1), -ENODEV, "but once");
	said(vfk_kernel_ioeventfd(edu->dev, 0, 1ull << 40, 4, 1, fd), -EINVAL,
	     "none outside of the region");
	close(fd);
}

static void kvm(struct edu *edu)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	said(vm >= 0 && ioctl(vm, KVM_CREATE_DEVICE, &create) == 0, 1, "KVM has a vfio device");
	said(vfk_kernel_attach_kvm(edu->dev, (int)create.fd), 0, "it is told of ours");
	said(vfk_kernel_attach_kvm(edu->dev, (int)create.fd), -EEXIST, "but once");
	said(vfk_kernel_detach_kvm(edu->dev, (int)create.fd), 0, "and that it is no more");
	said(vfk_kernel_detach_kvm(edu->dev, (int)create.fd), -ENOENT, "but once");
	close((int)create.fd);
	close(vm);
	close(kvm);
}

/* ---- memory ---- */

static int map(struct vfk_dma_space *space, uint64_t iova, uint64_t length, void *vaddr)
{
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = iova,
		.length = length,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = -1,
		.vaddr = vaddr,
	};

	return vfk_dma_map(space, &m, NULL);
}

static void dirty(struct edu *edu)
{
	uint64_t bits = 0;
	int ret = vfk_dma_dirty_start(edu->space, PAGE);

	if (is_cdev()) {
		said_or(ret, 0, -ENOTSUP, "dirty pages can be told, or are not supported");
	} else {
		said(ret, 0, "dirty pages can be told");
	}
	if (ret != 0)
		return;
	edu_round_trip(edu);
	said(vfk_dma_dirty_report(edu->space, edu->buffer.iova, PAGE, &bits, 1), 0, "a report");
	said(bits & 1, 1, "tells the page that the device wrote");
	said(vfk_dma_dirty_stop(edu->space), 0, "and ends");
}

/* VT-d keeps 0xfee00000 to 0xfeefffff for interrupts. */
static void ranges(struct edu *edu)
{
	struct vfk_dma_limits l = { .size = sizeof(l) };
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool hole = false;

	said(vfk_dma_get_limits(edu->space, &l), 0, "limits are told");
	for (uint32_t i = 0; i < l.num_ranges; i++)
		hole |= l.ranges[i].last == 0xfedfffff;
	said(l.num_ranges >= 2 && hole, 1, "with the hole of the interrupts' addresses");
	said(map(edu->space, 0xfee00000, PAGE, p) < 0, 1, "nothing is mapped there");
	printf("says: %s\n", vfk_error());
	munmap(p, PAGE);
}

static void other_bar(struct edu *edu, const char *twin)
{
	struct vfk_device *other = open_device(twin, edu->dev);
	void *bar = NULL;
	int ret;

	if (vfk_region_map(other, 0, 0, PAGE, PROT_READ | PROT_WRITE, &bar) != 0)
		die("BAR of %s", twin);
	ret = map(edu->space, BASE, PAGE, bar);
	said_or(ret, 0, -ENOTSUP, "another device's BAR is mapped, or not supported");
	if (ret == 0)
		said(vfk_dma_unmap(edu->space, BASE, PAGE), 0, "and unmapped");
	else
		printf("says: %s\n", vfk_error());
	said(vfk_region_unmap(other, bar), 0, "the BAR is given back");
	vfk_device_close(other);
}

int main(int argc, char **argv)
{
	struct edu edu;
	char uri[256];

	if (argc != 5) {
		fprintf(stderr, "usage: kernel-calls type1|iommufd EDU TWIN TWIN2\n");
		return 2;
	}
	alarm(60);
	way = argv[1];
	files_out(argv[2]);
	files_in(argv[2]);
	shared_space(argv[2], argv[3]);
	hot_reset(argv[3], argv[4]);
	snprintf(uri, sizeof(uri), "kernel:%s,iommu=%s", argv[2], way);
	edu_open(&edu, uri);
	ioeventfd(&edu);
	kvm(&edu);
	dirty(&edu);
	ranges(&edu);
	other_bar(&edu, argv[3]);
	edu_round_trip(&edu);
	edu_close(&edu);
	return 0;
}
