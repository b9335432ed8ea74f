/* SPDX-License-Identifier: BSD-3-Clause */
/* test_filters.c - fault, delay and readonly over an io whose every answer is known. */
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
#include <stdio.h>
#include <sys/mman.h>

#include "lib/base/clock.h"
#include "lib/base/vfio_compat.h"
#include "lib/io/checked.h"
#include "lib/io/open.h"
#include "puppet.h"

static struct puppet p;
static struct vfk_io *io;
static struct vfki_checked c;
static unsigned int resets;

static int op_hot_reset(struct vfk_io *own, const struct vfio_pci_hot_reset *reset)
{
	(void)own;
	(void)reset;
	resets++;
	return 0;
}

static int op_hot_reset_info(struct vfk_io *own, struct vfio_pci_hot_reset_info *info)
{
	(void)own;
	info->count = 0;
	return 0;
}

static int try(const char *filter)
{
	struct vfk_open_opts o = { .size = sizeof(o), .filters = &filter, .num_filters = 1 };

	puppet_init(&p, "own");
	p.ops.hot_reset = op_hot_reset;
	p.ops.hot_reset_info = op_hot_reset_info;
	return vfki_io_wrap(&p.io, &o, &io);
}

static void start(const char *filter)
{
	assert_int_equal(try(filter), 0);
	assert_int_equal(vfki_checked_init(&c, io), 0);
	resets = 0;
}

static void end(void)
{
	vfki_checked_fini(&c);
	vfki_io_close(io, &p.io);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_fault_keeps_away(void **state)
{
	uint8_t buf[8] = { 0 };

	(void)state;
	start("fault,op=region_read+region_write+reset,errno=EXDEV");
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 4), -EXDEV);
	assert_non_null(strstr(vfk_error(), "region_read"));
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 4, 0), -EXDEV);
	assert_int_equal(vfki_checked_reset(&c), -EXDEV);
	assert_int_equal(p.calls[OP_READ] + p.calls[OP_WRITE] + p.calls[OP_RESET], 0);
	assert_int_equal(vfki_checked_flush(&c), 0);
	end();
}

static void test_fault_after(void **state)
{
	uint8_t buf[8] = { 0 };

	(void)state;
	start("fault,op=region_write,errno=EXDEV,after=on");
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 4, 0), -EXDEV);
	assert_int_equal(p.calls[OP_WRITE], 1);
	puppet_force(&p, OP_WRITE, -EBUSY);
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 4, 0), -EBUSY);
	end();
}

/* What get_region_info handed out before it failed has nobody to close it. */
static void test_fault_after_files(void **state)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = 4 };
	struct vfk_region_fds fds = { .size = sizeof(fds) };
	int before;

	(void)state;
	start("fault,op=get_region_info,after=on,mmap=pass");
	p.regions[4].info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
	p.regions[4].fds.count = 1;
	before = count_fds();
	assert_int_equal(vfki_checked_get_region_info(&c, &info, &fds), -EIO);
	assert_int_equal(p.calls[OP_REGION_INFO], 1);
	assert_int_equal(count_fds(), before);
	end();
}

static int gives_a_descriptor(struct vfk_io *own, struct vfio_device_feature *feature)
{
	(void)own;
	return feature->flags & VFIO_DEVICE_FEATURE_PROBE ? 0 : fcntl(1, F_DUPFD_CLOEXEC, 3);
}

/* So has the descriptor that is a feature's result. */
static void test_fault_after_feature(void **state)
{
	/* header, then struct vfki_feature_dma_buf with one range */
	uint64_t room[8] = { 0 };
	struct vfio_device_feature *f = (void *)room;
	struct vfki_feature_dma_buf *buf = (void *)f->data;
	int before;

	(void)state;
	start("fault,op=device_feature,errno=EXDEV,after=on");
	p.ops.device_feature = gives_a_descriptor;
	f->argsz = (uint32_t)(sizeof(*f) + sizeof(*buf) + sizeof(buf->dma_ranges[0]));
	f->flags = VFIO_DEVICE_FEATURE_GET | VFKI_FEATURE_DMA_BUF;
	buf->nr_ranges = 1;
	buf->dma_ranges[0].length = 4096;
	before = count_fds();
	assert_int_equal(vfki_checked_device_feature(&c, f), -EXDEV);
	assert_int_equal(count_fds(), before);
	end();
}

static int map_one(void)
{
	static char memory[4096];
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x1000,
				     .length = 0x1000,
				     .prot = VFK_DMA_READ,
				     .fd = -1,
				     .vaddr = memory };
	struct vfk_dma_addr addr;

	return vfki_checked_dma_map(&c, &m, &addr);
}

/* The caller may free the memory after these, so the device must not have it. */
static void test_fault_never_leaves_memory(void **state)
{
	static const char *const gone[] = { "ENOENT",	  "ENODEV", "ENOTCONN",
					    "ECONNRESET", "EPROTO", "ETIMEDOUT" };
	char filter[64];

	(void)state;
	start("fault,op=dma_map,errno=EXDEV,after=on");
	assert_int_equal(map_one(), -EXDEV);
	assert_false(puppet_has_map(&p, 0x1000, 0x1000));
	puppet_force(&p, OP_UNMAP, -EBUSY);
	assert_int_equal(map_one(), 0);
	end();
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		snprintf(filter, sizeof(filter), "fault,op=dma_unmap,errno=%s", gone[i]);
		start(filter);
		assert_int_equal(map_one(), 0);
		assert_true(vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 0) < 0);
		assert_false(puppet_has_map(&p, 0x1000, 0x1000));
		end();
	}
	start("fault,op=dma_unmap,errno=EXDEV");
	assert_int_equal(map_one(), 0);
	assert_int_equal(vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 0), -EXDEV);
	assert_true(puppet_has_map(&p, 0x1000, 0x1000));
	end();
}

static void test_fault_short(void **state)
{
	uint8_t buf[8];

	(void)state;
	start("fault,short=on,seed=3");
	for (int i = 0; i < 50; i++) {
		ssize_t n = vfki_checked_region_read(&c, 0, 0, buf, 8);

		assert_in_range(n, 1, 7);
		assert_int_equal(p.access_len, n);
		assert_in_range(vfki_checked_region_write(&c, 0, 0, buf, 2, 0), 1, 1);
	}
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 1), 1);
	assert_int_equal(vfki_checked_reset(&c), 0);
	end();
}

static void test_fault_late(void **state)
{
	uint64_t began;

	(void)state;
	start("fault,op=reset,late=20");
	began = vfki_now_ns();
	assert_int_equal(vfki_checked_reset(&c), 0);
	assert_true(vfki_now_ns() - began >= 20 * VFKI_NS_PER_MS);
	assert_int_equal(p.calls[OP_RESET], 1);
	end();
	start("fault,op=reset,late=20,errno=EXDEV");
	began = vfki_now_ns();
	assert_int_equal(vfki_checked_reset(&c), -EXDEV);
	assert_true(vfki_now_ns() - began >= 20 * VFKI_NS_PER_MS);
	assert_int_equal(p.calls[OP_RESET], 0);
	end();
}

static void test_fault_of_open(void **state)
{
	(void)state;
	assert_int_equal(try("fault,op=open,errno=EXDEV"), -EXDEV);
	assert_int_equal(p.calls[OP_CLOSE], p.calls[OP_OPEN]);
	assert_int_equal(try("fault,rate=0"), 0);
	vfki_io_close(io, &p.io);
}

static void test_delay(void **state)
{
	uint64_t began;
	uint8_t buf[4];

	(void)state;
	start("delay,us=20000,op=reset+dma_map");
	began = vfki_now_ns();
	assert_int_equal(vfki_checked_reset(&c), 0);
	assert_true(vfki_now_ns() - began >= 20 * VFKI_NS_PER_MS);
	began = vfki_now_ns();
	assert_int_equal(map_one(), 0);
	assert_true(vfki_now_ns() - began >= 20 * VFKI_NS_PER_MS);
	end();
	start("delay,us=4000000,op=reset");
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 4),
			 4); /* the test's bound is shorter */
	end();
	start("delay,us=2000");
	began = vfki_now_ns();
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 4), 4);
	assert_true(vfki_now_ns() - began >= 2 * VFKI_NS_PER_MS);
	end();
}

static void test_options(void **state)
{
	static const struct {
		const char *filter;
		int want;
	} bad[] = {
		{ "delay", -EINVAL },
		{ "delay,us=x", -EINVAL },
		{ "delay,us=5000001", -ERANGE },
		{ "delay,us=1,op=what", -EINVAL },
		{ "delay,us=1,ms=1", -EINVAL },
		{ "delay,us=1,mmap=on", -EINVAL },
		{ "fault,what=1", -EINVAL },
		{ "fault,late=5001", -ERANGE },
		{ "fault,rate=7", -EINVAL },
		{ "readonly,what=1", -EINVAL },
		{ "readonly,mmap=on", -EINVAL },
		{ "trace,what=1", -EINVAL },
		{ "trace,format=what", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = try(bad[i].filter);

		if (ret != bad[i].want)
			fail_msg("%s: %d, want %d", bad[i].filter, ret, bad[i].want);
	}
}

static void refuse_irqs(uint32_t flags, uint32_t count)
{
	union {
		struct vfio_irq_set head;
		uint8_t bytes[sizeof(struct vfio_irq_set) + 4];
	} set = { .head = { .argsz = sizeof(set), .flags = flags, .index = 1, .count = count } };

	assert_int_equal(vfki_checked_set_irqs(&c, &set.head), -EACCES);
	assert_int_equal(p.calls[OP_SET_IRQS], 0);
}

static void test_readonly_refuses(void **state)
{
	struct vfio_pci_hot_reset hot = { .argsz = sizeof(hot) };
	struct vfk_region_write w = { .len = 1 };
	uint64_t bitmap = 0;
	uint8_t buf[8] = { 0 };

	(void)state;
	start("readonly");
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 4, 0), -EACCES);
	assert_int_equal(vfki_checked_region_write(&c, 0, 0, buf, 4, VFK_WRITE_POSTED), -EACCES);
	assert_int_equal(vfki_checked_write_multi(&c, &w, 1), -EACCES);
	assert_int_equal(vfki_checked_reset(&c), -EACCES);
	assert_int_equal(vfki_checked_hot_reset(&c, &hot), -EACCES);
	assert_int_equal(vfki_checked_mig_write(&c, buf, 8), -EACCES);
	assert_int_equal(map_one(), -EACCES);
	assert_int_equal(vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 0), -EACCES);
	assert_int_equal(vfki_checked_dirty_start(&c, 4096), -EACCES);
	assert_int_equal(vfki_checked_dirty_report(&c, 0, 0x1000, 4096, &bitmap), -EACCES);
	assert_int_equal(vfki_checked_dirty_stop(&c), -EACCES);
	assert_int_equal(p.calls[OP_WRITE] + p.calls[OP_WRITE_MULTI] + p.calls[OP_RESET] +
				 p.calls[OP_MIG_WRITE] + p.calls[OP_MAP] + p.calls[OP_UNMAP] +
				 p.calls[OP_DIRTY_START] + p.calls[OP_DIRTY_REPORT] + resets,
			 0);
	refuse_irqs(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1);
	refuse_irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 1);
	refuse_irqs(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0);
	end();
}

static int feature(uint32_t flags)
{
	union {
		struct vfio_device_feature head;
		uint64_t words[2];
	} f = { .words = { 0 } };

	f.head.argsz = sizeof(f);
	f.head.flags = flags;
	return vfki_checked_device_feature(&c, &f.head);
}

static void test_readonly_shows(void **state)
{
	struct vfio_pci_hot_reset_info hot = { .argsz = sizeof(hot) };
	struct vfio_region_info info = { .argsz = sizeof(info) };
	uint8_t buf[8];

	(void)state;
	start("readonly");
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 4), 4);
	assert_int_equal(vfki_checked_get_region_info(&c, &info, NULL), 0);
	assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ);
	assert_int_equal(feature(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION), 0);
	assert_int_equal(feature(VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
				 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE),
			 0);
	assert_int_equal(p.calls[OP_FEATURE], 2);
	assert_int_equal(feature(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE),
			 -EACCES);
	assert_int_equal(p.calls[OP_FEATURE], 2);
	assert_int_equal(vfki_checked_hot_reset_info(&c, &hot), 0);
	end();
}

static void info_of_4(struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	*info = (struct vfio_region_info){ .argsz = sizeof(*info), .index = 4 };
	*fds = (struct vfk_region_fds){ .size = sizeof(*fds) };
	if (vfki_checked_get_region_info(&c, info, fds))
		fail_msg("%s", vfk_error());
}

static void test_readonly_mappings(void **state)
{
	int memory = memfd_create("region", MFD_CLOEXEC), before;
	struct vfio_region_info info;
	struct vfk_region_fds fds;
	uint64_t size;
	void *at;

	(void)state;
	start("readonly,mmap=pass");
	size = p.regions[4].info.size;
	assert_int_equal(ftruncate(memory, (off_t)size), 0);
	p.regions[4].info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
	p.regions[4].fds.count = 1;
	p.regions[4].fds.fd[0] = memory;
	before = count_fds();
	info_of_4(&info, &fds);
	assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(fds.count, 1);
	assert_int_equal(fcntl(fds.fd[0], F_GETFD), FD_CLOEXEC);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds.fd[0], 0);
	assert_true(at == MAP_FAILED && errno == EACCES);
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds.fd[0], 0);
	assert_true(at != MAP_FAILED);
	assert_int_equal(mprotect(at, 4096, PROT_READ | PROT_WRITE), -1);
	munmap(at, 4096);
	close(fds.fd[0]);
	/* The device's own file is never handed out. */
	p.regions[4].fds.flags = VFK_REGION_FD_DEVICE;
	info_of_4(&info, &fds);
	assert_int_equal(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(fds.count, 0);
	assert_int_equal(count_fds(), before);
	close(memory);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_keeps_away),
		cmocka_unit_test(test_fault_after),
		cmocka_unit_test(test_fault_after_files),
		cmocka_unit_test(test_fault_after_feature),
		cmocka_unit_test(test_fault_never_leaves_memory),
		cmocka_unit_test(test_fault_short),
		cmocka_unit_test(test_fault_late),
		cmocka_unit_test(test_fault_of_open),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_readonly_refuses),
		cmocka_unit_test(test_readonly_shows),
		cmocka_unit_test(test_readonly_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
