/* SPDX-License-Identifier: BSD-3-Clause */
/* test_open.c - opening and closing a model, and what it says of itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

static void test_unknown_model(void **state)
{
	struct vfk_io *io;

	(void)state;
	assert_int_equal(rig_try("model:nosuch", NULL, 0, &io), -ENOENT);
	assert_non_null(strstr(vfk_error(), "nosuch"));
	assert_non_null(strstr(vfk_error(), "edu"));
	assert_non_null(strstr(vfk_error(), "null"));
}

static void test_unknown_parameter(void **state)
{
	struct vfk_io *io;

	(void)state;
	assert_int_equal(rig_try("model:edu,latncy=3", NULL, 0, &io), -EINVAL);
	assert_non_null(strstr(vfk_error(), "latncy"));
	assert_int_equal(rig_try("model:null,latency=3", NULL, 0, &io), -EINVAL);
	assert_int_equal(rig_try("model:edu,latency=x", NULL, 0, &io), -EINVAL);
	assert_int_equal(rig_try("model:edu,latency=60001", NULL, 0, &io), -ERANGE);
}

static int declare_nothing(struct vfk_model *model)
{
	(void)model;
	return 0;
}

static int declare_and_fail(struct vfk_model *model)
{
	int ret = probe_identity(model);

	return ret ? ret : vfk_model_use_deferred_work(model) ? -EIO : -EDOM;
}

static void test_init_fails(void **state)
{
	unsigned int fds = rig_count_fds();
	struct vfk_io *io;

	(void)state;
	probe_reset(declare_nothing);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
	assert_non_null(strstr(vfk_error(), "identity"));
	assert_int_equal(probe.finis, 1); /* init had succeeded */
	probe_reset(declare_and_fail);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EDOM);
	assert_int_equal(probe.finis, 0);
	assert_int_equal(rig_count_fds(), fds);
}

/* An old model's ops end before members that it never heard of. */
static void test_short_ops(void **state)
{
	struct vfk_model_ops old = probe_ops;
	struct vfk_io *io = NULL;

	(void)state;
	old.size = offsetof(struct vfk_model_ops, reset);
	probe_reset(NULL);
	assert_int_equal(rig_try("model:probe", &old, 0, &io), 0);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(probe.resets, 0);
	rig_close(io);
	old.size = offsetof(struct vfk_model_ops, init);
	assert_int_equal(rig_try("model:probe", &old, 0, &io), -EINVAL);
	old.size = sizeof(old);
	old.init = NULL;
	assert_int_equal(rig_try("model:probe", &old, 0, &io), -EINVAL);
}

static void test_declaring_late(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	struct vfk_model *m = probe.model;

	(void)state;
	assert_int_equal(probe_identity(m), -EINVAL);
	assert_int_equal(probe_bar(m, 1, 4096, 0), -EINVAL);
	assert_int_equal(vfk_model_add_intx(m), -EINVAL);
	assert_int_equal(vfk_model_add_msi(m, 1, false), -EINVAL);
	assert_int_equal(vfk_model_add_msix(m, 1, 0, 0, 16), -EINVAL);
	assert_int_equal(vfk_model_add_pm(m), -EINVAL);
	assert_int_equal(vfk_model_add_pcie(m), -EINVAL);
	assert_int_equal(vfk_model_add_vendor_cap(m, "a", NULL, 1, NULL), -EINVAL);
	assert_int_equal(vfk_model_use_deferred_work(m), -EINVAL);
	rig_close(io);
}

static void test_info(void **state)
{
	struct vfk_io *io = rig_open("model:edu", 0);
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info r = { .argsz = sizeof(r) };
	struct vfio_irq_info irq = { .argsz = sizeof(irq) };
	const uint32_t counts[] = { 1, 1, 0, 1, 1 };
	const uint32_t flags[] = {
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED,
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE,
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
		VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE,
	};

	(void)state;
	assert_int_equal(io->ops->get_device_info(io, &info), 0);
	assert_int_equal(info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	for (r.index = 0; r.index < 9; r.index++) {
		uint64_t size = r.index == 0 ? 1 << 20 : r.index == CONFIG ? 256 : 0;

		r.argsz = sizeof(r);
		assert_int_equal(io->ops->get_region_info(io, &r, NULL), 0);
		assert_int_equal(r.size, size);
		assert_int_equal(r.flags,
				 size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE :
					0);
	}
	for (irq.index = 0; irq.index < 5; irq.index++) {
		assert_int_equal(io->ops->get_irq_info(io, &irq), 0);
		assert_int_equal(irq.count, counts[irq.index]);
		assert_int_equal(irq.flags, flags[irq.index]);
	}
	rig_close(io);
}

static void test_null(void **state)
{
	struct vfk_io *io = rig_open("model:null", 0);
	uint8_t four[4];

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, PCI_VENDOR_ID, 4), 0x00011234);
	assert_int_equal(rig_get(io, 0, 0x10, 4), 0);
	rig_put(io, 0, 0x10, 4, 0x12345678);
	rig_put(io, 0, 0x10, 8, 0x12345678); /* two of four */
	assert_int_equal(rig_get(io, 0, 0x10, 4), 0);
	assert_int_equal(rig_get(io, 0, 0, 4), 3);
	assert_int_equal(rig_read(io, 0, 2, four, 2), -EINVAL);
	assert_int_equal(rig_read(io, 0, 2, four, 4), -EINVAL);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(rig_get(io, 0, 0, 4), 0);
	rig_close(io);
}

static void test_feature_is_absent(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	struct vfio_device_feature f = { .argsz = sizeof(f),
					 .flags = VFIO_DEVICE_FEATURE_PROBE | 1 };

	(void)state;
	assert_int_equal(io->ops->device_feature(io, &f), -ENOTSUP);
	rig_close(io);
}

/* Everything that can be live is live at close. */
static void test_close_leaks_nothing(void **state)
{
	static const char *const uris[] = { "model:edu", "model:edu,latency=1000", "model:null" };
	static const uint32_t flags[] = { 0, VFK_OPEN_DISPATCH };
	unsigned int fds = rig_count_fds(), threads = rig_count_threads();
	static uint8_t page[4096] __attribute__((aligned(4096)));

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		struct vfk_io *io = rig_open(uris[i / 2], flags[i % 2]);
		int fd = rig_eventfd();

		assert_int_equal(
			rig_map(io, 0x10000, page, sizeof(page), VFK_DMA_READ | VFK_DMA_WRITE), 0);
		if (i < 4) {
			assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
			assert_int_equal(rig_arm(io, VFIO_PCI_REQ_IRQ_INDEX, 0, 1, &fd), 0);
			rig_put(io, 0, 8, 4, 5);
		}
		assert_int_equal(io->dma->dirty_start(io, 4096), 0);
		/* One thread for deferred work, and only where nobody dispatches. */
		assert_int_equal(rig_count_threads(), threads + (i == 2));
		rig_close(io);
		close(fd);
		/* A joined thread may stand in /proc for a moment yet. */
		for (int k = 0; k < 1000 && rig_count_threads() != threads; k++)
			usleep(1000);
		assert_int_equal(rig_count_threads(), threads);
	}
	assert_int_equal(rig_count_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_model),
		cmocka_unit_test(test_unknown_parameter),
		cmocka_unit_test(test_init_fails),
		cmocka_unit_test(test_short_ops),
		cmocka_unit_test(test_declaring_late),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_feature_is_absent),
		cmocka_unit_test(test_close_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
