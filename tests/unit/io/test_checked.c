/* SPDX-License-Identifier: BSD-3-Clause */
/* test_checked.c - what the door lets through of an io's descriptions, features, reset and the rest. */
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

#include "lib/base/feature.h"
#include "lib/io/checked.h"
#include "puppet.h"

static struct puppet p;
static struct vfki_checked c;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	return vfki_checked_init(&c, &p.io);
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	return 0;
}

/* ---- the vectors ---- */

static void test_missing_ops(void **state)
{
	static const struct {
		size_t offset;
		const char *name;
	} ops[] = {
		{ offsetof(struct vfk_io_ops, close), "close" },
		{ offsetof(struct vfk_io_ops, get_device_info), "get_device_info" },
		{ offsetof(struct vfk_io_ops, get_region_info), "get_region_info" },
		{ offsetof(struct vfk_io_ops, get_irq_info), "get_irq_info" },
		{ offsetof(struct vfk_io_ops, set_irqs), "set_irqs" },
		{ offsetof(struct vfk_io_ops, region_read), "region_read" },
		{ offsetof(struct vfk_io_ops, region_write), "region_write" },
		{ offsetof(struct vfk_io_ops, device_feature), "device_feature" },
		{ offsetof(struct vfk_io_ops, reset), "reset" },
	};
	struct vfk_io io;

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		puppet_init(&p, "own");
		memset((char *)&p.ops + ops[i].offset, 0, sizeof(void *));
		assert_int_equal(vfk_io_init(&io, &p.ops, "x"), -EINVAL);
		assert_non_null(strstr(vfk_error(), ops[i].name));
	}
	puppet_init(&p, "own");
	p.ops.size = offsetof(struct vfk_io_ops, reset);
	assert_int_equal(vfk_io_init(&io, &p.ops, "x"), -EINVAL);
	p.ops.size = offsetof(struct vfk_io_ops, write_multi);
	assert_int_equal(vfk_io_init(&io, &p.ops, "x"), 0);
	assert_int_equal(vfk_io_init(&io, NULL, "x"), -EINVAL);
	assert_int_equal(vfk_io_init(NULL, &p.ops, "x"), -EINVAL);
	assert_int_equal(vfk_io_init(&io, &p.ops, NULL), -EINVAL);
}

static void test_missing_dma_ops(void **state)
{
	struct vfki_checked other;

	(void)state;
	p.dma_ops.unmap = NULL;
	assert_refused(&p, vfki_checked_init(&other, &p.io), -EINVAL);
	assert_non_null(strstr(vfk_error(), "unmap"));
	p.dma_ops.size = offsetof(struct vfk_dma_ops, limits);
	assert_refused(&p, vfki_checked_init(&other, &p.io), -EINVAL);
	p.io.dma = NULL;
	assert_int_equal(vfki_checked_init(&other, &p.io), 0);
	vfki_checked_fini(&other);
}

/* ---- device info ---- */

static int init_again(void)
{
	struct vfki_checked other;
	int ret = vfki_checked_init(&other, &p.io);

	if (!ret)
		vfki_checked_fini(&other);
	return ret;
}

static void test_device_info_promises(void **state)
{
	(void)state;
	assert_int_equal(c.num_regions, PUPPET_REGIONS);
	assert_int_equal(c.info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	p.info.num_regions = 513;
	assert_refused(&p, init_again(), -EPROTO);
	p.info.num_regions = 512;
	assert_int_equal(init_again(), 0);
	p.info.num_irqs = UINT32_MAX;
	assert_refused(&p, init_again(), -EPROTO);
	p.info.num_irqs = 3;
	p.info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_CCW;
	assert_refused(&p, init_again(), -EPROTO);
	p.info.flags = 0;
	assert_int_equal(init_again(), 0);
	puppet_force(&p, OP_DEVICE_INFO, 1);
	assert_refused(&p, init_again(), -EPROTO);
	puppet_force(&p, OP_DEVICE_INFO, -ENODEV);
	assert_refused(&p, init_again(), -ENODEV);
}

static void test_device_info_changes(void **state)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	(void)state;
	assert_int_equal(vfki_checked_get_device_info(&c, &info), 0);
	info.argsz = 15;
	assert_refused(&p, vfki_checked_get_device_info(&c, &info), -EINVAL);
	info.argsz = sizeof(info);
	p.info.num_irqs++;
	assert_refused(&p, vfki_checked_get_device_info(&c, &info), -EPROTO);
	p.chain_len = 2 * 1024 * 1024;
	assert_refused(&p, vfki_checked_get_device_info(&c, &info), -EPROTO);
}

/* ---- region info ---- */

static int region_info(uint32_t index, struct vfk_region_fds *fds)
{
	struct {
		struct vfio_region_info info;
		uint8_t chain[PUPPET_CHAIN];
	} r = { .info = { .argsz = sizeof(r), .index = index } };

	return vfki_checked_get_region_info(&c, &r.info, fds);
}

static void test_region_info_promises(void **state)
{
	struct vfio_region_info small = { .argsz = sizeof(small) - 1 };

	(void)state;
	assert_refused(&p, region_info(PUPPET_REGIONS, NULL), -EINVAL);
	assert_refused(&p, vfki_checked_get_region_info(&c, &small, NULL), -EINVAL);
	p.regions[0].index_lie = 1;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	p.regions[0].index_lie = 0;
	p.regions[0].argsz_lie = 31;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	p.regions[0].argsz_lie = UINT32_MAX;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	p.regions[0].argsz_lie = 0;
	p.regions[0].info.size = 1ull << 63;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	p.regions[2].info.flags = VFIO_REGION_INFO_FLAG_MMAP;
	assert_refused(&p, region_info(2, NULL), -EPROTO);
	p.regions[4].info.offset = UINT64_MAX - 100;
	assert_refused(&p, region_info(4, NULL), -EPROTO);
	puppet_force(&p, OP_REGION_INFO, 4);
	assert_refused(&p, region_info(1, NULL), -EPROTO);
	assert_int_equal(atomic_load(&c.regions[0].flags), 0);
}

static void test_region_info_changes(void **state)
{
	(void)state;
	assert_int_equal(region_info(0, NULL), 0);
	assert_int_equal(region_info(0, NULL), 0);
	p.regions[0].info.size++;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	p.regions[0].info.size--;
	p.regions[0].info.flags ^= VFIO_REGION_INFO_FLAG_WRITE;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
}

static void test_region_chain(void **state)
{
	struct vfio_info_cap_header *cap = (struct vfio_info_cap_header *)p.regions[0].chain;

	(void)state;
	puppet_add_cap(&p, 0, 7, "data", 4);
	assert_int_equal(region_info(0, NULL), 0);
	cap->next = sizeof(struct vfio_region_info); /* a loop */
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	cap->next = 4096;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	cap->next = 4;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	cap->next = 0;
	p.regions[0].first_cap = 8;
	assert_refused(&p, region_info(0, NULL), -EPROTO);
	/* without the flag there is no chain */
	p.regions[0].info.flags &= ~VFIO_REGION_INFO_FLAG_CAPS;
	assert_int_equal(region_info(0, NULL), 0);
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_region_fds(void **state)
{
	struct vfk_region_fds *mine = &p.regions[4].fds, got = { .size = sizeof(got) };
	unsigned int before = count_fds();

	(void)state;
	mine->count = 1;
	mine->fd[0] = 0;
	assert_int_equal(region_info(4, &got), 0);
	assert_int_equal(got.count, 1);
	assert_true(got.fd[0] > 0);
	close(got.fd[0]);

	got = (struct vfk_region_fds){ .size = sizeof(got), .count = 99 };
	mine->count = 2; /* not one an area, so only one makes sense */
	assert_refused(&p, region_info(4, &got), -EPROTO);
	assert_int_equal(got.count, 99);
	mine->flags = VFK_REGION_FD_PER_AREA | VFK_REGION_FD_DEVICE;
	assert_refused(&p, region_info(4, &got), -EPROTO);
	mine->flags = 1u << 7;
	assert_refused(&p, region_info(4, &got), -EPROTO);
	mine->flags = 0;
	mine->count = 1;
	mine->fd[0] = -1;
	assert_refused(&p, region_info(4, &got), -EPROTO);
	mine->count = 17;
	assert_refused(&p, region_info(4, &got), -EPROTO);
	mine->count = 0;
	got.size--;
	assert_refused(&p, region_info(4, &got), -EINVAL);
	/* nothing that was handed out with a bad answer stays open, but for the sixteen that are not believed in */
	assert_true(count_fds() <= before + VFK_REGION_MAX_FDS);
}

static void test_no_fds_with_half_an_answer(void **state)
{
	struct vfio_region_info small = { .argsz = sizeof(small), .index = 4 };
	struct vfk_region_fds got = { .size = sizeof(got) };

	(void)state;
	puppet_add_cap(&p, 4, 7, "data", 4);
	p.regions[4].fds.count = 1;
	assert_int_equal(vfki_checked_get_region_info(&c, &small, &got), 0);
	assert_true(small.argsz > sizeof(small));
	assert_int_equal(small.cap_offset, 0);
	assert_int_equal(got.count, 0);
}

/* ---- irq info ---- */

static void test_irq_info(void **state)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = 1 };

	(void)state;
	assert_int_equal(vfki_checked_get_irq_info(&c, &info), 0);
	assert_int_equal(info.count, 4);
	assert_int_equal(info.flags, VFIO_IRQ_INFO_EVENTFD);
	/* each time: a device that came back may be another one */
	assert_int_equal(vfki_checked_get_irq_info(&c, &info), 0);
	assert_int_equal(p.calls[OP_IRQ_INFO], 2);
	p.irqs[1].count++;
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EPROTO);
	p.irqs[1].count--;
	info.index = PUPPET_IRQS;
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EINVAL);
	info.argsz--;
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EINVAL);
}

static void test_irq_info_promises(void **state)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = 1 };

	(void)state;
	p.irq_index_lie = -1;
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EPROTO);
	p.irq_index_lie = 0;
	p.irqs[1].count = 65537;
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EPROTO);
	puppet_force(&p, OP_IRQ_INFO, 1);
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -EPROTO);
	puppet_force(&p, OP_IRQ_INFO, -ENOSYS);
	assert_refused(&p, vfki_checked_get_irq_info(&c, &info), -ENOTSUP);
}

/* ---- features ---- */

static int feature(uint32_t flags, uint32_t len)
{
	struct vfki_feature_buf f = { .head = { .argsz = (uint32_t)sizeof(f.head) + len,
						.flags = flags } };

	return vfki_checked_device_feature(&c, &f.head);
}

static void test_feature(void **state)
{
	const uint32_t get = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION;

	(void)state;
	assert_int_equal(feature(get, 8), 0);
	assert_refused(&p, feature(get, 7), -EINVAL);
	assert_refused(&p, feature(VFIO_DEVICE_FEATURE_MIGRATION, 8), -EINVAL);
	assert_refused(&p, feature(get | VFIO_DEVICE_FEATURE_SET, 8), -EINVAL);
	assert_refused(&p, feature(VFIO_DEVICE_FEATURE_GET | 999, 8), -ENOTSUP);
	assert_int_equal(p.calls[OP_FEATURE], 1);
	p.feature_lie = true;
	assert_refused(&p, feature(get, 8), -EPROTO);
	p.feature_lie = false;
	puppet_force(&p, OP_FEATURE, 5);
	assert_refused(&p, feature(get, 8), -EPROTO);
	puppet_force(&p, OP_FEATURE, -ENOTTY);
	assert_refused(&p, feature(get, 8), -ENOTSUP);
	/* the one whose result is a descriptor */
	puppet_force(&p, OP_FEATURE, 5);
	assert_int_equal(feature(VFIO_DEVICE_FEATURE_GET | VFKI_FEATURE_DMA_BUF, 16), 5);
	assert_refused(&p,
		       feature(VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
				       VFKI_FEATURE_DMA_BUF,
			       0),
		       -EPROTO);
}

/* ---- the rest ---- */

static void test_reset(void **state)
{
	(void)state;
	assert_int_equal(vfki_checked_reset(&c), 0);
	puppet_force(&p, OP_RESET, 3);
	assert_refused(&p, vfki_checked_reset(&c), -EPROTO);
	c.info.flags &= ~VFIO_DEVICE_FLAGS_RESET;
	assert_refused(&p, vfki_checked_reset(&c), -ENOTSUP);
	assert_int_equal(p.calls[OP_RESET], 2);
}

static void test_migration_data(void **state)
{
	uint8_t buf[8];

	(void)state;
	assert_int_equal(vfki_checked_mig_read(&c, buf, 8), 8);
	assert_int_equal(vfki_checked_mig_write(&c, buf, 8), 8);
	assert_int_equal(vfki_checked_mig_read(&c, buf, 0), 0);
	assert_int_equal(vfki_checked_mig_write(&c, buf, 0), 0);
	puppet_force(&p, OP_MIG_READ, 0);
	puppet_force(&p, OP_MIG_WRITE, 0);
	assert_int_equal(vfki_checked_mig_read(&c, buf, 8), 0);
	assert_refused(&p, vfki_checked_mig_write(&c, buf, 8), -EPROTO);
	puppet_force(&p, OP_MIG_READ, 9);
	assert_refused(&p, vfki_checked_mig_read(&c, buf, 8), -EPROTO);
	p.ops.mig_read = NULL;
	p.ops.size = offsetof(struct vfk_io_ops, mig_write);
	assert_refused(&p, vfki_checked_mig_read(&c, buf, 8), -ENOTSUP);
	assert_refused(&p, vfki_checked_mig_write(&c, buf, 8), -ENOTSUP);
}

static void test_events(void **state)
{
	(void)state;
	assert_refused(&p, vfki_checked_poll_fd(&c), -ENOTSUP);
	p.poll_fd = 9;
	assert_int_equal(vfki_checked_poll_fd(&c), 9);
	puppet_force(&p, OP_DISPATCH, 3);
	assert_int_equal(vfki_checked_dispatch(&c), 3);
	puppet_force(&p, OP_DISPATCH, -ENOTCONN);
	assert_refused(&p, vfki_checked_dispatch(&c), -ENOTCONN);
	p.ops.poll_fd = NULL;
	p.ops.dispatch = NULL;
	assert_refused(&p, vfki_checked_poll_fd(&c), -ENOTSUP);
	assert_refused(&p, vfki_checked_dispatch(&c), -ENOTSUP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_missing_ops),
		TEST(test_missing_dma_ops),
		TEST(test_device_info_promises),
		TEST(test_device_info_changes),
		TEST(test_region_info_promises),
		TEST(test_region_info_changes),
		TEST(test_region_chain),
		TEST(test_region_fds),
		TEST(test_no_fds_with_half_an_answer),
		TEST(test_irq_info),
		TEST(test_irq_info_promises),
		TEST(test_feature),
		TEST(test_reset),
		TEST(test_migration_data),
		TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
