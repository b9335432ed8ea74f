/* SPDX-License-Identifier: BSD-3-Clause */
/* test_notify.c - the error and request notifiers, limits on vectors, and what the infos of messages say. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define ERR   VFIO_PCI_ERR_IRQ_INDEX
#define REQ   VFIO_PCI_REQ_IRQ_INDEX
#define COUNT 8u

static uint32_t msi_flags, msix_flags;

static int declare(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : probe_bar(m, 0, 4096, 0);
	ret = ret ? ret : vfk_model_add_msi(m, COUNT, true);
	ret = ret ? ret : vfk_model_add_msix(m, COUNT, 0, 0, 0x800);
	ret = ret ? ret : vfk_model_set_irq_flags(m, MSI, msi_flags);
	return ret ? ret : vfk_model_set_irq_flags(m, MSIX, msix_flags);
}

static struct vfk_io *open_with(uint32_t msi, uint32_t msix)
{
	msi_flags = msi;
	msix_flags = msix;
	return rig_probe(declare, 0);
}

static void make(int *fds)
{
	for (unsigned int i = 0; i < COUNT; i++)
		fds[i] = rig_eventfd();
}

static void drop(const int *fds)
{
	for (unsigned int i = 0; i < COUNT; i++)
		close(fds[i]);
}

static void test_notifiers(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	int err = rig_eventfd(), req = rig_eventfd();

	(void)state;
	vfk_model_error(probe.model); /* nobody listens */
	vfk_model_request(probe.model);
	assert_int_equal(rig_arm(io, ERR, 0, 1, &err), 0);
	assert_int_equal(rig_arm(io, REQ, 0, 1, &req), 0);
	assert_int_equal(rig_signals(err) + rig_signals(req), 0);
	vfk_model_error(probe.model);
	assert_int_equal(rig_signals(err), 1);
	assert_int_equal(rig_signals(req), 0);
	vfk_model_request(probe.model);
	assert_int_equal(rig_signals(err), 0);
	assert_int_equal(rig_signals(req), 1);
	assert_int_equal(rig_disable(io, ERR), 0);
	vfk_model_error(probe.model);
	assert_int_equal(rig_signals(err), 0);
	close(err);
	close(req);
	rig_close(io);
}

static void *raise_often(void *arg)
{
	for (int i = 0; i < 2000; i++)
		vfk_model_request(arg);
	return NULL;
}

/* From a thread of the model's own, while the user arms and disarms. */
static void test_notify_threads(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	int fd = rig_eventfd();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, raise_often, probe.model), 0);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(rig_arm(io, REQ, 0, 1, &fd), 0);
		assert_int_equal(rig_disable(io, REQ), 0);
	}
	pthread_join(thread, NULL);
	close(fd);
	rig_close(io);
}

static void test_limit(void **state)
{
	static const uint32_t index[] = { MSI, MSIX };
	struct vfk_io *io = open_with(VFIO_IRQ_INFO_NORESIZE, 0);
	int fds[COUNT];

	(void)state;
	make(fds);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vfk_model_limit_vectors(probe.model, index[i], 3), 0);
		assert_int_equal(rig_arm(io, index[i], 0, COUNT, fds), 3);
		assert_int_equal(rig_arm(io, index[i], 2, 2, fds), 3);
		/* Nothing was armed, nothing is in the way. */
		assert_false(vfk_model_msi_enabled(probe.model));
		assert_int_equal(rig_irqs(io, index[i], TRIGGER | NO_DATA, 0, 1, NULL), -EINVAL);
		assert_int_equal(rig_arm(io, index[i], 0, 3, fds), 0);
		assert_int_equal(vfk_model_msi(probe.model, 2), 0);
		assert_int_equal(rig_signals(fds[2]), 1);
		assert_int_equal(rig_disable(io, index[i]), 0);
		assert_int_equal(vfk_model_limit_vectors(probe.model, index[i], 0), 0);
		assert_int_equal(rig_arm(io, index[i], 0, 1, fds), -ENOSPC);
		assert_int_equal(vfk_model_limit_vectors(probe.model, index[i], COUNT), 0);
		assert_int_equal(rig_arm(io, index[i], 0, COUNT, fds), 0);
		assert_int_equal(rig_disable(io, index[i]), 0);
	}
	assert_int_equal(vfk_model_limit_vectors(probe.model, MSI, COUNT + 1), -EINVAL);
	assert_int_equal(vfk_model_limit_vectors(probe.model, INTX, 0), -EINVAL);
	drop(fds);
	rig_close(io);
}

static void test_noresize(void **state)
{
	struct vfk_io *io = open_with(VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_INFO_NORESIZE);
	int fds[COUNT];

	(void)state;
	make(fds);
	assert_int_equal(rig_arm(io, MSIX, 0, 4, fds), 0);
	assert_int_equal(rig_arm(io, MSIX, 4, 1, fds), -EINVAL);
	assert_int_equal(rig_arm(io, MSIX, 3, 1, fds), 0);
	assert_int_equal(rig_disable(io, MSIX), 0);
	assert_int_equal(rig_arm(io, MSIX, 0, COUNT, fds), 0);
	assert_int_equal(rig_disable(io, MSIX), 0);
	rig_close(io);

	io = open_with(VFIO_IRQ_INFO_NORESIZE, 0);
	assert_int_equal(rig_arm(io, MSIX, 0, 4, fds), 0);
	assert_int_equal(rig_arm(io, MSIX, 4, 1, &fds[4]), 0);
	assert_int_equal(vfk_model_msi(probe.model, 4), 0);
	assert_int_equal(rig_signals(fds[4]), 1);
	assert_int_equal(vfk_model_limit_vectors(probe.model, MSIX, 5), 0);
	assert_int_equal(rig_arm(io, MSIX, 5, 1, &fds[5]), -ENOSPC);
	drop(fds);
	rig_close(io);
}

static uint32_t info_flags(struct vfk_io *io, uint32_t index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(io->ops->get_irq_info(io, &info), 0);
	return info.flags;
}

static void test_flags(void **state)
{
	struct vfk_io *io = open_with(VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_INFO_NORESIZE);
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(info_flags(io, MSI), VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE);
	assert_int_equal(info_flags(io, MSIX), VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE);
	assert_int_equal(rig_arm(io, MSIX, 0, 1, &fd), 0);
	assert_int_equal(rig_irqs(io, MSIX, MASK | NO_DATA, 0, 1, NULL), -ENOTSUP);
	/* The mask bit of the table is the device's, and is there all the same. */
	rig_put(io, 0, 12, 4, 1);
	assert_int_equal(vfk_model_msi(probe.model, 0), 0);
	assert_int_equal(rig_signals(fd), 0);
	rig_put(io, 0, 12, 4, 0);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
	io = open_with(VFIO_IRQ_INFO_NORESIZE | VFIO_IRQ_INFO_MASKABLE, VFIO_IRQ_INFO_MASKABLE);
	assert_int_equal(info_flags(io, MSI),
			 VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE | VFIO_IRQ_INFO_MASKABLE);
	assert_int_equal(info_flags(io, MSIX), VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE);
	rig_close(io);
}

static void refuse(uint32_t msi, uint32_t msix)
{
	struct vfk_io *io;

	msi_flags = msi;
	msix_flags = msix;
	probe_reset(declare);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
}

static int declare_unmasked(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_msi(m, 1, false);
	return ret ? ret :
		     vfk_model_set_irq_flags(m, MSI,
					     VFIO_IRQ_INFO_NORESIZE | VFIO_IRQ_INFO_MASKABLE);
}

static void test_flags_refused(void **state)
{
	struct vfk_io *io;

	(void)state;
	refuse(0, 0); /* MSI cannot be resized */
	refuse(VFIO_IRQ_INFO_NORESIZE, VFIO_IRQ_INFO_AUTOMASKED);
	probe_reset(declare_unmasked);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notifiers), cmocka_unit_test(test_notify_threads),
		cmocka_unit_test(test_limit),	  cmocka_unit_test(test_noresize),
		cmocka_unit_test(test_flags),	  cmocka_unit_test(test_flags_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
