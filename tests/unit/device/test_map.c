/* SPDX-License-Identifier: BSD-3-Clause */
/* test_map.c - mapping regions through the files that an io hands out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "lib/device/device.h"
#include "tests/unit/io/puppet.h"

#define RW (PROT_READ | PROT_WRITE)

static struct puppet p;
static struct vfk_device *dev;
static struct vfk_guard *guard;
static int file;

static int open_with(struct vfk_guard *g)
{
	struct vfk_open_opts o = { .size = sizeof(o), .guard = g };

	return vfk_device_open_io(&p.io, &o, &dev);
}

/* Region 4 is 64 KiB, served by one file of 128 KiB, at 64 KiB in it. */
static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	file = memfd_create("bar", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, 0x20000) < 0)
		return -1;
	p.regions[4].info.offset = 0x10000;
	p.regions[4].fds.count = 1;
	p.regions[4].fds.fd[0] = file;
	return open_with(NULL);
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	vfk_guard_destroy(guard);
	guard = NULL;
	close(file);
	return 0;
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_one_file(void **state)
{
	unsigned int before = count_fds();
	void *addr, *other;
	char c = 0;

	(void)state;
	assert_int_equal(vfk_region_map(dev, 4, 0x2000, 0x1000, RW, &addr), 0);
	memcpy(addr, "x", 1);
	assert_int_equal(pread(file, &c, 1, 0x12000), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(vfk_region_map(dev, 4, 0x2000, 0x1000, PROT_READ, &other), 0);
	assert_int_equal(*(char *)other, 'x');
	assert_int_equal(count_fds(), before);
	assert_int_equal(vfk_region_unmap(dev, addr), 0);
	assert_refused(&p, vfk_region_unmap(dev, addr), -ENOENT);
	assert_int_equal(msync(addr, 0x1000, MS_ASYNC), -1);
	vfk_device_close(dev);
	assert_int_equal(msync(other, 0x1000, MS_ASYNC), -1);
	dev = puppet_open(&p);
}

static void test_requests(void **state)
{
	void *addr = &addr;

	(void)state;
	assert_refused(&p, vfk_region_map(dev, PUPPET_REGIONS, 0, 0x1000, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 0, 0, 0x1000, RW, &addr), -ENOTSUP);
	assert_refused(&p, vfk_region_map(dev, 4, 0x800, 0x1000, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x10001, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0x10000, 0x1000, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0x1000, UINT64_MAX, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x1000, 0, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x1000, RW | PROT_EXEC, &addr), -EINVAL);
	assert_ptr_equal(addr, &addr);
}

static void test_read_only(void **state)
{
	void *addr;

	(void)state;
	p.regions[5].info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
	p.regions[5].fds = p.regions[4].fds;
	assert_refused(&p, vfk_region_map(dev, 5, 0, 0x1000, RW, &addr), -EACCES);
	assert_int_equal(vfk_region_map(dev, 5, 0, 0x1000, PROT_READ, &addr), 0);
}

static void test_no_file(void **state)
{
	void *addr;

	(void)state;
	p.regions[4].fds.count = 0;
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x1000, RW, &addr), -ENOTSUP);
}

/* Areas in no order, a file each; the file of one cannot be had. */
static void test_file_per_area(void **state)
{
	static const struct vfio_region_sparse_mmap_area areas[] = {
		{ .offset = 0x8000, .size = 0x2000 },
		{ .offset = 0x4000, .size = 0 },
		{ .offset = 0x1000, .size = 0x1000 },
		{ .offset = 0xc000, .size = 0x1000 }
	};
	struct vfk_region_fds *fds = &p.regions[4].fds;
	void *addr;

	(void)state;
	puppet_add_sparse(&p, 4, areas, 4);
	*fds = (struct vfk_region_fds){ .size = sizeof(*fds),
					.count = 4,
					.flags = VFK_REGION_FD_PER_AREA };
	fds->fd[0] = fds->fd[2] = file;
	fds->fd[1] = fds->fd[3] = -1;
	fds->offset[0] = 0x5000;
	fds->offset[2] = 0x3000;
	assert_int_equal(pwrite(file, "big", 3, 0x6000), 3);
	assert_int_equal(pwrite(file, "low", 3, 0x3000), 3);
	assert_int_equal(vfk_region_map(dev, 4, 0x9000, 0x1000, RW, &addr), 0);
	assert_memory_equal(addr, "big", 3);
	assert_int_equal(vfk_region_map(dev, 4, 0x1000, 0x1000, RW, &addr), 0);
	assert_memory_equal(addr, "low", 3);
	assert_refused(&p, vfk_region_map(dev, 4, 0xc000, 0x1000, RW, &addr), -ENOTSUP);
	assert_refused(&p, vfk_region_map(dev, 4, 0x4000, 0x1000, RW, &addr), -ENOTSUP);
	assert_refused(&p, vfk_region_map(dev, 4, 0x0000, 0x2000, RW, &addr), -EINVAL);
	assert_refused(&p, vfk_region_map(dev, 4, 0x9000, 0x2000, RW, &addr), -EINVAL);
	fds->count = 3;
	assert_refused(&p, vfk_region_map(dev, 4, 0x9000, 0x1000, RW, &addr), -EPROTO);
	fds->count = 4;
	fds->offset[0] = UINT64_MAX - 0xfff;
	assert_refused(&p, vfk_region_map(dev, 4, 0x9000, 0x1000, RW, &addr), -EPROTO);
}

static void test_file_too_short(void **state)
{
	unsigned int before = count_fds();
	void *addr;

	(void)state;
	assert_int_equal(ftruncate(file, 0x1ffff), 0);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x10000, RW, &addr), -EPROTO);
	assert_int_equal(vfk_region_map(dev, 4, 0, 0xf000, RW, &addr), 0);
	assert_int_equal(count_fds(), before);
}

static void test_guard_full(void **state)
{
	void *addr;

	(void)state;
	vfk_device_close(dev);
	assert_int_equal(vfk_guard_create(1, &guard), 0);
	assert_int_equal(open_with(guard), 0);
	assert_int_equal(vfk_region_map(dev, 4, 0, 0x1000, RW, &addr), 0);
	assert_refused(&p, vfk_region_map(dev, 4, 0, 0x1000, RW, &addr), -ENOSPC);
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), -1); /* not made for sealing */
	close(file);
	file = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(file, 0x20000), 0);
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	p.regions[4].fds.fd[0] = file;
	assert_int_equal(vfk_region_map(dev, 4, 0, 0x1000, RW, &addr), 0);
}

/* What a SIGBUS handler would do; after it the device answers nothing any more. */
static void test_hit_ends_the_device(void **state)
{
	uint8_t buf[4];
	void *addr;

	(void)state;
	vfk_device_close(dev);
	assert_int_equal(vfk_guard_create(4, &guard), 0);
	assert_int_equal(open_with(guard), 0);
	assert_int_equal(vfk_region_map(dev, 4, 0, 0x2000, RW, &addr), 0);
	assert_int_equal(vfk_region_read(dev, 0, 0, buf, 4), 4);
	assert_int_equal(vfk_device_check(dev), 0);
	assert_int_equal(vfk_guard_handle(guard, (char *)addr + 0x1234), 0);
	assert_refused(&p, vfk_device_check(dev), -EPROTO);
	assert_refused(&p, vfk_region_read(dev, 0, 0, buf, 4), -EPROTO);
	assert_refused(&p, vfk_region_write(dev, 0, 0, buf, 4, 0), -EPROTO);
	assert_refused(&p, vfk_device_dispatch(dev), -EPROTO);
	assert_int_equal(vfk_region_unmap(dev, addr), 0);
	assert_refused(&p, vfk_region_read(dev, 0, 0, buf, 4), -EPROTO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_file),	  TEST(test_requests),
		TEST(test_read_only),	  TEST(test_no_file),
		TEST(test_file_per_area), TEST(test_file_too_short),
		TEST(test_guard_full),	  TEST(test_hit_ends_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
