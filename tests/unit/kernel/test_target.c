/* SPDX-License-Identifier: BSD-3-Clause */
/* test_target.c - how kernel devices are named, and what options of theirs are refused before the kernel is asked. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io/kernel/target.h"
#include <vfiokit/vfiokit.h>

static struct vfki_target t;

static void assert_names(const char *text, int want, const char *says)
{
	assert_int_equal(vfki_target_find(text, &t), want);
	assert_non_null(strstr(vfk_error(), says));
}

/* No machine has a PCI domain ffff, or this mediated device. */
static void test_names(void **state)
{
	(void)state;
	assert_names("ffff:00:1f.7", -ENODEV, "/sys/bus/pci/devices/ffff:00:1f.7");
	assert_names("FFFF:00:1F.7", -ENODEV, "/sys/bus/pci/devices/ffff:00:1f.7");
	assert_names("ff:1f.7", -ENODEV, "/sys/bus/pci/devices/0000:ff:1f.7");
	assert_names("00000000-0000-0000-0000-00000000000f", -ENODEV,
		     "/sys/bus/mdev/devices/00000000-0000-0000-0000-00000000000f");
	assert_names("/sys/devices/nothing", -ENODEV, "/sys/devices/nothing");
	assert_names("/dev/vfio/devices/vfio65535", -ENODEV, "/dev/vfio/devices/vfio65535");
}

static void test_no_names(void **state)
{
	(void)state;
	assert_names("", -EINVAL, "neither a PCI address");
	assert_names("nothing", -EINVAL, "neither a PCI address");
	assert_names("0000:00:00", -EINVAL, "neither a PCI address");
	assert_names("0000:00:00.0.0", -EINVAL, "neither a PCI address");
	assert_names("0000:0g:00.0", -EINVAL, "neither a PCI address");
	assert_names("00000000-0000-0000-0000-0000000000000", -EINVAL, "neither a PCI address");
	assert_names("/dev/null", -EINVAL, "not the cdev");
	assert_names("/etc/passwd", -EINVAL, "not a device's folder");
	assert_names("/sys/devices", -EINVAL, "not a device's folder");
	assert_names("/sys/kernel", -EINVAL, "not a device's folder");
}

/* A file of which it is not certain what it is says nothing. */
static void test_files(void **state)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	vfki_target_of_fd(fd, &t);
	assert_string_equal(t.sysfs, "");
	assert_string_equal(t.name, "");
	assert_int_equal(t.group, -1);
	assert_int_equal(vfki_target_check(&t), 0);
	close(fd);
	vfki_target_of_fd(-1, &t);
	assert_string_equal(t.sysfs, "");
}

static void test_group(void **state)
{
	char path[64], text[16] = "before";

	(void)state;
	t = (struct vfki_target){ .group = 7 };
	vfki_target_group_path(&t, path, sizeof(path));
	assert_string_equal(path, "/dev/vfio/7");
	t.noiommu = true;
	vfki_target_group_path(&t, path, sizeof(path));
	assert_string_equal(path, "/dev/vfio/noiommu-7");
	t.group = -1;
	assert_int_equal(vfki_target_obstacles(&t, text, sizeof(text)), 0);
	t.group = 2147483647; /* no machine has that many */
	assert_int_equal(vfki_target_obstacles(&t, text, sizeof(text)), 0);
	assert_string_equal(text, "before");
}

static void test_drivers(void **state)
{
	(void)state;
	t = (struct vfki_target){ .sysfs = "/sys/devices/x", .name = "0000:00:01.0", .pci = true };
	assert_int_equal(vfki_target_check(&t), -ENODEV);
	assert_non_null(strstr(vfk_error(), "vfiokit bind 0000:00:01.0"));
	strcpy(t.driver, "nvme");
	assert_int_equal(vfki_target_check(&t), -EBUSY);
	assert_non_null(strstr(vfk_error(), "nvme"));
	t.pci = false;
	assert_int_equal(vfki_target_check(&t), -EBUSY);
	assert_null(strstr(vfk_error(), "vfiokit bind"));
	t.vfio = true;
	assert_int_equal(vfki_target_check(&t), 0);
}

static void assert_open(const char *uri, int want, const char *says)
{
	struct vfk_device *dev;

	assert_int_equal(vfk_device_open(uri, NULL, &dev), want);
	assert_non_null(strstr(vfk_error(), says));
	assert_ptr_equal(strstr(vfk_error(), uri), vfk_error());
}

static void test_uris(void **state)
{
	(void)state;
	assert_open("kernel:ffff:00:1f.7", -ENODEV, "no such device");
	assert_open("kernel:ffff:00:1f.7,iommu=type1", -ENODEV, "no such device");
	assert_open("kernel:", -EINVAL, "neither a PCI address");
	assert_open("kernel:ffff:00:1f.7,nonsense=1", -EINVAL, "iommu, vf_token");
}

static void test_options(void **state)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev = NULL, *model;

	(void)state;
	assert_int_equal(vfk_kernel_open(NULL, NULL, &dev), -EINVAL);
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -EINVAL);
	assert_non_null(strstr(vfk_error(), "neither"));
	opts.size--;
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -EINVAL);
	opts.size++;
	opts.device = "ffff:00:1f.7";
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -ENODEV);
	assert_int_equal(vfk_device_open("model:null", NULL, &model), 0);
	opts.share = model;
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -EINVAL);
	assert_non_null(strstr(vfk_error(), "model:null"));
	vfk_device_close(model);
	assert_null(dev);
}

/* A file that is none of VFIO's is refused, and stays the caller's. */
static void test_files_handed_in(void **state)
{
	struct vfk_kernel_opts opts = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	opts.device_fd = fd;
	assert_true(vfk_kernel_open(&opts, NULL, &dev) < 0);
	opts.container_fd = fd;
	assert_true(vfk_kernel_open(&opts, NULL, &dev) < 0);
	opts.group_fd = fd;
	assert_true(vfk_kernel_open(&opts, NULL, &dev) < 0);
	opts = (struct vfk_kernel_opts)VFK_KERNEL_OPTS_INIT;
	opts.device_fd = fd;
	opts.iommufd = fd;
	assert_true(vfk_kernel_open(&opts, NULL, &dev) < 0);
	opts.iommufd = -1;
	opts.iommu = "nonsense";
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -EINVAL);
	assert_non_null(strstr(vfk_error(), "auto, type1, iommufd, noiommu"));
	opts.iommu = NULL;
	opts.device_fd = 1000000; /* is not open */
	assert_int_equal(vfk_kernel_open(&opts, NULL, &dev), -EBADF);
	assert_int_equal(close(fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_files),	cmocka_unit_test(test_group),
		cmocka_unit_test(test_drivers), cmocka_unit_test(test_uris),
		cmocka_unit_test(test_options), cmocka_unit_test(test_files_handed_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
