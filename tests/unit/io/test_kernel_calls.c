/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kernel_calls.c - the checked calls that only a kernel device answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/io/checked.h"
#include "puppet.h"

static struct puppet p;
static struct vfki_checked c;
static struct vfk_device *dev;
static struct {
	long result;
	unsigned int calls;
	uint32_t members; /* that hot_reset_info tells of */
	uint32_t argsz_lie;
	uint32_t count_lie;
	uint32_t count; /* of groups that hot_reset was given */
	int32_t groups[4];
	struct vfk_kernel_fds fds;
} kernel;

static int op_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	uint32_t need = (uint32_t)(sizeof(*info) + kernel.members * sizeof(info->devices[0]));

	(void)io;
	kernel.calls++;
	info->count = info->argsz >= need ? kernel.members : 0;
	info->argsz = need;
	if (kernel.argsz_lie)
		info->argsz = kernel.argsz_lie;
	if (kernel.count_lie)
		info->count = kernel.count_lie;
	return (int)kernel.result;
}

static int op_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)io;
	kernel.calls++;
	kernel.count = reset->count;
	memcpy(kernel.groups, reset->group_fds,
	       reset->count < 4 ? reset->count * 4 : sizeof(kernel.groups));
	return (int)kernel.result;
}

static int op_ioeventfd(struct vfk_io *io, uint32_t region, uint64_t off, unsigned int width,
			uint64_t value, int fd)
{
	(void)io;
	kernel.calls++;
	assert_int_equal(region, 0);
	assert_true(off + width <= PUPPET_SIZE);
	assert_true(width == 8 || value < 1ull << (8 * width));
	assert_true(fd >= -1);
	return (int)kernel.result;
}

static int op_kernel_fds(struct vfk_io *io, struct vfk_kernel_fds *fds)
{
	(void)io;
	kernel.calls++;
	*fds = kernel.fds;
	fds->size = sizeof(*fds);
	return (int)kernel.result;
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.members = 2;
	kernel.fds = (struct vfk_kernel_fds){
		.device = 7, .group = 8, .container = 9, .iommufd = -1, .group_id = 12
	};
	puppet_init(&p, "own");
	p.ops.hot_reset_info = op_hot_reset_info;
	p.ops.hot_reset = op_hot_reset;
	p.ops.ioeventfd = op_ioeventfd;
	p.ops.kernel_fds = op_kernel_fds;
	dev = puppet_open(&p);
	return vfki_checked_init(&c, &p.io);
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	vfk_device_close(dev);
	return 0;
}

static void test_lacking(void **state)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };
	struct vfio_pci_hot_reset_info info = { .argsz = sizeof(info) };

	(void)state;
	/* as an io that was built before there were these members */
	p.ops.size = offsetof(struct vfk_io_ops, hot_reset_info);
	assert_refused(&p, vfk_kernel_get_fds(dev, &fds), -ENOTSUP);
	assert_refused(&p, vfk_device_hot_reset_info(dev, &info), -ENOTSUP);
	assert_refused(&p, vfk_device_hot_reset(dev, NULL, 0), -ENOTSUP);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 4, 1, -1), -ENOTSUP);
	assert_refused(&p, vfk_kernel_attach_kvm(dev, -1), -ENOTSUP);
	assert_refused(&p, vfk_kernel_detach_kvm(dev, -1), -ENOTSUP);
	assert_int_equal(kernel.calls, 0);
}

static void test_group(void **state)
{
	uint32_t group = 5;

	(void)state;
	assert_int_equal(vfk_device_group(dev, &group), 0);
	assert_int_equal(group, 12);
	kernel.fds.group_id = -1;
	assert_refused(&p, vfk_device_group(dev, &group), -ENOTSUP);
	p.ops.kernel_fds = NULL;
	assert_refused(&p, vfk_device_group(dev, &group), -ENOTSUP);
	assert_int_equal(group, 12);
}

static void test_fds(void **state)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };

	(void)state;
	assert_int_equal(vfk_kernel_get_fds(dev, &fds), 0);
	assert_int_equal(fds.device, 7);
	assert_int_equal(fds.group, 8);
	assert_int_equal(fds.container, 9);
	assert_int_equal(fds.iommufd, -1);
	assert_int_equal(fds.group_id, 12);
	fds.size--;
	assert_refused(&p, vfk_kernel_get_fds(dev, &fds), -EINVAL);
	/* a file that is no KVM device, if it is one at all */
	assert_true(vfk_kernel_attach_kvm(dev, -1) < 0);
	assert_ptr_equal(strstr(vfk_error(), "own"), vfk_error());
}

static void test_hot_reset_info(void **state)
{
	union {
		struct vfio_pci_hot_reset_info info;
		uint8_t bytes[64];
	} room = { .info = { .argsz = sizeof(room) } };
	const uint32_t need = 12 + 2 * 8;

	(void)state;
	assert_int_equal(vfk_device_hot_reset_info(dev, &room.info), 0);
	assert_int_equal(room.info.count, 2);
	assert_int_equal(room.info.argsz, need);
	room.info.argsz = need - 1;
	assert_int_equal(vfk_device_hot_reset_info(dev, &room.info), 0);
	assert_int_equal(room.info.count, 0);
	assert_int_equal(room.info.argsz, need);
	room.info.argsz = 11;
	assert_refused(&p, vfk_device_hot_reset_info(dev, &room.info), -EINVAL);
	room.info.argsz = sizeof(room);
	kernel.count_lie = 7; /* more than there is room for */
	assert_refused(&p, vfk_device_hot_reset_info(dev, &room.info), -EPROTO);
	room.info.argsz = sizeof(room);
	kernel.count_lie = UINT32_MAX;
	assert_refused(&p, vfk_device_hot_reset_info(dev, &room.info), -EPROTO);
	kernel.count_lie = 0;
	room.info.argsz = sizeof(room);
	kernel.argsz_lie = 3;
	assert_refused(&p, vfk_device_hot_reset_info(dev, &room.info), -EPROTO);
}

/* Each group proves itself once; by cdev there are none. */
static void test_hot_reset(void **state)
{
	struct vfk_device *others[65] = { dev, dev };
	struct vfk_device *none[] = { NULL };

	(void)state;
	assert_int_equal(vfk_device_hot_reset(dev, others, 2), 0);
	assert_int_equal(kernel.count, 1);
	assert_int_equal(kernel.groups[0], 8);
	kernel.fds.group = -1;
	assert_int_equal(vfk_device_hot_reset(dev, NULL, 0), 0);
	assert_int_equal(kernel.count, 0);
	assert_refused(&p, vfk_device_hot_reset(dev, NULL, 1), -EINVAL);
	assert_refused(&p, vfk_device_hot_reset(dev, others, 65), -EINVAL);
	assert_int_equal(vfk_device_hot_reset(dev, none, 1), -EINVAL);
	kernel.result = -EPERM;
	assert_refused(&p, vfk_device_hot_reset(dev, NULL, 0), -EPERM);
	/* a device that is not the kernel's has no group to prove anything with */
	kernel.result = 0;
	p.ops.kernel_fds = NULL;
	assert_int_equal(vfk_device_hot_reset(dev, NULL, 0), 0);
	assert_int_equal(kernel.count, 0);
}

static void test_hot_reset_shape(void **state)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	(void)state;
	assert_int_equal(vfki_checked_hot_reset(&c, &reset), 0);
	reset.count = 1;
	assert_refused(&p, vfki_checked_hot_reset(&c, &reset), -EINVAL);
	reset.count = UINT32_MAX;
	assert_refused(&p, vfki_checked_hot_reset(&c, &reset), -EINVAL);
	reset = (struct vfio_pci_hot_reset){ .argsz = sizeof(reset), .flags = 1 };
	assert_refused(&p, vfki_checked_hot_reset(&c, &reset), -EINVAL);
	reset = (struct vfio_pci_hot_reset){ .argsz = sizeof(reset) - 1 };
	assert_refused(&p, vfki_checked_hot_reset(&c, &reset), -EINVAL);
}

static void test_ioeventfd(void **state)
{
	(void)state;
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0, 4, UINT32_MAX, 5), 0);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, PUPPET_SIZE - 8, 8, UINT64_MAX, -1), 0);
	assert_int_equal(kernel.calls, 2);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 4, 1ull << 32, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 3, 1, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 0, 0, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 16, 1, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 2, 4, 1, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, PUPPET_SIZE, 4, 1, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, UINT64_MAX - 3, 4, 1, 5), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 4, 1, -2), -EINVAL);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 1, 0, 4, 1, 5), -EACCES);
	assert_refused(&p, vfk_kernel_ioeventfd(dev, PUPPET_REGIONS, 0, 4, 1, 5), -EINVAL);
	assert_int_equal(kernel.calls, 2);
	kernel.result = 1;
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 4, 1, 5), -EPROTO);
	kernel.result = -ENOTTY;
	assert_refused(&p, vfk_kernel_ioeventfd(dev, 0, 0, 4, 1, 5), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lacking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hot_reset_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hot_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hot_reset_shape, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ioeventfd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
