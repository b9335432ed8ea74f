/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_open.c - a kernel device that cannot be opened after all, with files that are handed in: ioctl() is replaced.
 *
 * What a real kernel does is tested in the virtual machine. Here its calls fail one after the other, and what was done
 * before has to be undone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/kvm.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include "lib/io/kernel/iommufd_compat.h"
#include "lib/io/open.h"
#include <vfiokit/kernel.h>

static struct {
	unsigned long fails;   /* the request that does; 0: none */
	unsigned int succeeds; /* so often, before that */
	int told, attached, objects;
} k;

static int kvm(const struct kvm_device_attr *a)
{
	k.told += a->attr == KVM_DEV_VFIO_GROUP_ADD ? 1 : -1;
	return 0;
}

static int device_info(struct vfio_device_info *info)
{
	info->flags = VFIO_DEVICE_FLAGS_PCI;
	info->num_regions = 1;
	info->num_irqs = 1;
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_DEVICE_ATTR:
		return kvm(arg);
	case VFIO_DEVICE_GET_INFO:
		return device_info(arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return 0;
	case VFKI_IOMMU_IOAS_ALLOC:
		((struct vfki_ioas_alloc *)arg)->out_ioas_id = 7;
		k.objects++;
		return 0;
	case VFKI_IOMMU_DESTROY:
		k.objects--;
		return 0;
	case VFKI_DEVICE_ATTACH_IOMMUFD_PT:
		k.attached++;
		return 0;
	case VFKI_DEVICE_DETACH_IOMMUFD_PT:
		k.attached--;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

/* What takes something back does not fail. */
static bool undoes(unsigned long request, void *arg)
{
	return request == VFKI_IOMMU_DESTROY || request == VFKI_DEVICE_DETACH_IOMMUFD_PT ||
	       (request == KVM_SET_DEVICE_ATTR &&
		((struct kvm_device_attr *)arg)->attr == KVM_DEV_VFIO_GROUP_DEL);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	if (request == k.fails && !undoes(request, arg) && k.succeeds-- == 0) {
		errno = EIO;
		return -1;
	}
	return answer(request, arg);
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += dup2(fd, fd) == fd;
	return n;
}

/* A cdev that is bound already, its iommufd, and KVM. */
static void test_failures(void **state)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	static const struct {
		unsigned long request;
		unsigned int succeeds;
	} fails[] = {
		{ KVM_SET_DEVICE_ATTR, 0 },
		{ VFIO_DEVICE_GET_INFO, 0 }, /* it is not bound, and cannot be */
		{ VFKI_IOMMU_IOAS_ALLOC, 0 },
		{ VFKI_DEVICE_ATTACH_IOMMUFD_PT, 0 },
		{ VFIO_DEVICE_GET_INFO, 1 },
		{ VFIO_DEVICE_GET_REGION_INFO, 0 },
	};
	struct vfk_io *io;

	(void)state;
	opts.device_fd = memfd_create("device", MFD_CLOEXEC);
	opts.iommufd = memfd_create("iommufd", MFD_CLOEXEC);
	opts.kvm_fd = memfd_create("kvm", MFD_CLOEXEC);
	opts.dev_id = 1;
	for (size_t n = 0; n < sizeof(fails) / sizeof(fails[0]); n++) {
		unsigned int before = count_fds();

		memset(&k, 0, sizeof(k));
		k.fails = fails[n].request;
		k.succeeds = fails[n].succeeds;
		assert_true(vfki_io_open_kernel(&opts, NULL, NULL, &io) < 0);
		assert_int_equal(k.told, 0);
		assert_int_equal(k.attached, 0);
		assert_int_equal(k.objects, 0);
		assert_int_equal(count_fds(), before);
	}
	memset(&k, 0, sizeof(k));
	assert_int_equal(vfki_io_open_kernel(&opts, NULL, NULL, &io), 0);
	assert_int_equal(k.told, 1);
	vfki_io_close(io, NULL);
	assert_int_equal(k.attached, 0);
	assert_int_equal(k.objects, 0);
	close(opts.device_fd);
	close(opts.iommufd);
	close(opts.kvm_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
