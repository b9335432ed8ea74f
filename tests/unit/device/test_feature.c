/* SPDX-License-Identifier: BSD-3-Clause */
/* test_feature.c - features through the table: probe, get, set, sizes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/feature.h"
#include "tests/unit/io/puppet.h"

#define GET VFIO_DEVICE_FEATURE_GET
#define SET VFIO_DEVICE_FEATURE_SET

static struct puppet p;
static struct vfk_device *dev;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	dev = puppet_open(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	return 0;
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vfk_feature_name(VFIO_DEVICE_FEATURE_MIGRATION), "migration");
	assert_string_equal(vfk_feature_name(VFIO_DEVICE_FEATURE_DMA_LOGGING_START),
			    "dma_logging_start");
	assert_null(vfk_feature_name(0xffff));
	assert_null(vfk_feature_name(UINT32_MAX));
	assert_null(vfk_feature_name(VFIO_DEVICE_FEATURE_MIGRATION | GET));
}

static void test_probe(void **state)
{
	uint32_t ops = 9;

	(void)state;
	assert_int_equal(vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &ops), 0);
	assert_int_equal(ops, GET | SET);
	assert_int_equal(p.feature.flags,
			 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | VFIO_DEVICE_FEATURE_PROBE | SET);
	assert_int_equal(vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops), 0);
	assert_int_equal(ops, GET);
	assert_int_equal(p.calls[OP_FEATURE], 3);
	puppet_force(&p, OP_FEATURE, -ENOTSUP);
	assert_int_equal(vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops), 0);
	assert_int_equal(ops, 0);
	puppet_force(&p, OP_FEATURE, -EINVAL);
	assert_int_equal(vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops), 0);
	assert_int_equal(ops, 0);
	ops = 9;
	puppet_force(&p, OP_FEATURE, -ENOTCONN);
	assert_refused(&p, vfk_feature_probe(dev, VFIO_DEVICE_FEATURE_MIGRATION, &ops), -ENOTCONN);
	assert_int_equal(ops, 9);
	assert_int_equal(vfk_feature_probe(dev, 0xffff, &ops), 0);
	assert_int_equal(ops, 0);
}

static void test_get(void **state)
{
	struct vfio_device_feature_dma_logging_report report = { .iova = 0x1000,
								 .length = 0x2000,
								 .page_size = 0x1000 };
	struct vfio_device_feature_migration mig = { 0 };

	(void)state;
	p.feature_out[0] = VFIO_MIGRATION_STOP_COPY;
	assert_int_equal(vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, sizeof(mig)), 0);
	assert_int_equal(mig.flags, VFIO_MIGRATION_STOP_COPY);
	assert_int_equal(p.feature.argsz, 16);
	assert_int_equal(p.feature.flags, VFIO_DEVICE_FEATURE_MIGRATION | GET);
	/* input too */
	assert_int_equal(vfk_feature_get(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &report,
					 sizeof(report)),
			 0);
	assert_int_equal(((struct vfio_device_feature_dma_logging_report *)p.feature_in)->length,
			 0x2000);
	assert_refused(&p, vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, 7), -EINVAL);
	assert_refused(&p, vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, 9), -EINVAL);
	assert_refused(&p, vfk_feature_get(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0),
		       -ENOTSUP);
	assert_refused(&p, vfk_feature_get(dev, 0xffff, &mig, sizeof(mig)), -ENOTSUP);
	mig.flags = 77;
	puppet_force(&p, OP_FEATURE, -EIO);
	assert_refused(&p, vfk_feature_get(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, sizeof(mig)),
		       -EIO);
	assert_int_equal(mig.flags, 77);
}

static void test_set(void **state)
{
	struct vfio_device_feature_mig_state mig = { .device_state = 2, .data_fd = -1 };

	(void)state;
	assert_int_equal(
		vfk_feature_set(dev, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &mig, sizeof(mig)), 0);
	assert_memory_equal(p.feature_in, &mig, sizeof(mig));
	assert_int_equal(p.feature.flags, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE | SET);
	assert_int_equal(vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0), 0);
	assert_int_equal(p.feature.argsz, 8);
	assert_refused(&p, vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, &mig, 4),
		       -EINVAL);
	assert_refused(&p, vfk_feature_set(dev, VFIO_DEVICE_FEATURE_MIGRATION, &mig, 8), -ENOTSUP);
	assert_refused(&p, vfk_feature_set(dev, 0xffff, &mig, 8), -ENOTSUP);
}

/* The structure that ends in a list, in the kernel's form too. */
static void test_inline_tail(void **state)
{
	static const struct vfki_region_dma_range range = { 0x1000, 0x2000 };
	union {
		struct vfki_feature_dma_buf head;
		uint8_t bytes[sizeof(struct vfki_feature_dma_buf) + sizeof(range)];
	} buf = { .head.nr_ranges = 1 };

	(void)state;
	memcpy(buf.bytes + sizeof(buf.head), &range, sizeof(range));
	puppet_force(&p, OP_FEATURE, 9);
	assert_int_equal(vfk_feature_get(dev, VFKI_FEATURE_DMA_BUF, &buf, sizeof(buf)), 9);
	assert_int_equal(p.feature.argsz, 8 + sizeof(buf));
	assert_memory_equal(p.feature_in, &buf, sizeof(buf));
	assert_refused(&p, vfk_feature_get(dev, VFKI_FEATURE_DMA_BUF, &buf, 15), -EINVAL);
}

static void test_as_it_is(void **state)
{
	struct vfio_device_feature f = { .argsz = 7, .flags = GET | VFIO_DEVICE_FEATURE_MIGRATION };

	(void)state;
	assert_refused(&p, vfk_device_feature(dev, &f), -EINVAL);
	f.argsz = 8;
	assert_refused(&p, vfk_device_feature(dev, &f), -EINVAL);
	f.flags |= VFIO_DEVICE_FEATURE_PROBE;
	assert_int_equal(vfk_device_feature(dev, &f), 0);
}

static void test_migration_data(void **state)
{
	uint8_t buf[8];

	(void)state;
	assert_int_equal(vfk_device_mig_read(dev, buf, 8), 8);
	assert_int_equal(buf[7], 0x5a);
	assert_int_equal(vfk_device_mig_write(dev, buf, 8), 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_probe),
		TEST(test_get),
		TEST(test_set),
		TEST(test_inline_tail),
		TEST(test_as_it_is),
		TEST(test_migration_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
