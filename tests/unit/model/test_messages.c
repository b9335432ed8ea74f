/* SPDX-License-Identifier: BSD-3-Clause */
/* test_messages.c - MSI and MSI-X: enabling both ways, masks and pending bits, all or nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define TABLE 0x1000u
#define PBA   0x1800u
#define COUNT 70u /* pending bits in two quadwords */

static int declare_msi(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : vfk_model_add_msi(m, 4, false);
}

static int declare_masked_msi(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : vfk_model_add_msi(m, 32, true);
}

static int declare_both(struct vfk_model *m)
{
	if (probe_identity(m) || probe_bar(m, 0, 0x4000, 0) || vfk_model_add_msi(m, 4, false))
		return -EIO;
	return vfk_model_add_msix(m, COUNT, 0, TABLE, PBA);
}

static uint64_t msi_flags(struct vfk_io *io)
{
	return rig_get(io, CONFIG, rig_cap(io, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS, 2);
}

static uint64_t msix_flags(struct vfk_io *io)
{
	return rig_get(io, CONFIG, rig_cap(io, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2);
}

static void set_msix_flags(struct vfk_io *io, uint16_t flags)
{
	rig_put(io, CONFIG, rig_cap(io, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2, flags);
}

static void set_table_mask(struct vfk_io *io, unsigned int vector, bool masked)
{
	rig_put(io, 0, TABLE + 16 * vector + 12, 4, masked);
}

static uint64_t pending(struct vfk_io *io, unsigned int quadword)
{
	return rig_get(io, 0, PBA + 8 * quadword, 8);
}

static void make(int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fds[i] = rig_eventfd();
}

static void drop(const int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
}

static void test_msi_by_set_irqs(void **state)
{
	struct vfk_io *io = rig_probe(declare_msi, 0);
	int fds[4];

	(void)state;
	make(fds, 4);
	assert_int_equal(vfk_model_msi(probe.model, 0), -ENOTSUP);
	assert_int_equal(rig_arm(io, MSI, 0, 3, fds), 0);
	assert_true(vfk_model_msi_enabled(probe.model));
	/* Three vectors need Multiple Message Enable of two bits. */
	assert_int_equal(msi_flags(io),
			 PCI_MSI_FLAGS_64BIT | 2 << 1 | 2 << 4 | PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(vfk_model_msi(probe.model, 2), 0);
	assert_int_equal(vfk_model_msi(probe.model, 2), 0);
	assert_int_equal(rig_signals(fds[2]), 2);
	assert_int_equal(vfk_model_msi(probe.model, 4), -EINVAL);
	assert_int_equal(rig_disable(io, MSI), 0);
	assert_false(msi_flags(io) & PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(vfk_model_msi(probe.model, 0), -ENOTSUP);
	assert_int_equal(rig_disable(io, MSI), 0);
	rig_close(io);
	drop(fds, 4);
}

static void test_msi_by_config(void **state)
{
	struct vfk_io *io = rig_probe(declare_msi, 0);
	unsigned int at = rig_cap(io, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;
	int fds[2];

	(void)state;
	make(fds, 2);
	rig_put(io, CONFIG, at, 2, PCI_MSI_FLAGS_ENABLE | 1 << 4);
	assert_true(vfk_model_msi_enabled(probe.model));
	assert_int_equal(vfk_model_msi(probe.model, 1),
			 0); /* nobody receives it: lost, there is no mask bit */
	assert_int_equal(rig_arm(io, MSI, 0, 2, fds), 0);
	assert_int_equal(rig_signals(fds[1]), 0);
	rig_put(io, CONFIG, at, 2, 1 << 4);
	assert_false(vfk_model_msi_enabled(probe.model));
	assert_int_equal(vfk_model_msi(probe.model, 1), -ENOTSUP);
	rig_put(io, CONFIG, at, 2, PCI_MSI_FLAGS_ENABLE | 1 << 4);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0); /* the eventfds stayed */
	assert_int_equal(rig_signals(fds[1]), 1);
	rig_close(io);
	drop(fds, 2);
}

/* A function that got fewer vectors than it has folds its events onto those. */
static void test_msi_folds(void **state)
{
	struct vfk_io *io = rig_probe(declare_msi, 0);
	int fds[2];

	(void)state;
	make(fds, 2);
	assert_int_equal(rig_arm(io, MSI, 0, 1, fds), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vfk_model_msi(probe.model, i), 0);
	assert_int_equal(rig_signals(fds[0]), 4);
	assert_int_equal(rig_arm(io, MSI, 1, 1, fds + 1), -EINVAL); /* NORESIZE */
	assert_int_equal(rig_disable(io, MSI), 0);
	assert_int_equal(rig_arm(io, MSI, 0, 2, fds), 0);
	assert_int_equal(vfk_model_msi(probe.model, 3), 0);
	assert_int_equal(rig_signals(fds[1]), 1);
	rig_close(io);
	drop(fds, 2);
}

static void test_msi_mask_bits(void **state)
{
	struct vfk_io *io = rig_probe(declare_masked_msi, 0);
	unsigned int msi = rig_cap(io, PCI_CAP_ID_MSI);
	int fds[32];

	(void)state;
	make(fds, 32);
	assert_int_equal(rig_arm(io, MSI, 0, 32, fds), 0);
	rig_put(io, CONFIG, msi + PCI_MSI_MASK_64, 4, 0x80000001);
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(vfk_model_msi(probe.model, i), 0);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_PENDING_64, 4), 0x80000001);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_PENDING_64 + 3, 1), 0x80);
	assert_int_equal(rig_signals(fds[31]), 0);
	assert_int_equal(rig_signals(fds[30]), 1);
	rig_put(io, CONFIG, msi + PCI_MSI_MASK_64, 4, 1);
	assert_int_equal(rig_signals(fds[31]), 1);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_PENDING_64, 4), 1);
	assert_int_equal(io->ops->reset(io),
			 0); /* drops what is pending; config space and eventfds stay */
	rig_put(io, CONFIG, msi + PCI_MSI_MASK_64, 4, 0);
	assert_int_equal(rig_signals(fds[0]), 0);
	assert_int_equal(vfk_model_msi(probe.model, 0), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	rig_close(io);
	drop(fds, 32);
}

/* A vector that nobody asked for is held back, where there are mask bits to do so. */
static void test_msi_disarmed_is_pending(void **state)
{
	struct vfk_io *io = rig_probe(declare_masked_msi, 0);
	unsigned int msi = rig_cap(io, PCI_CAP_ID_MSI);
	int fds[2], none = -1;

	(void)state;
	make(fds, 2);
	assert_int_equal(rig_arm(io, MSI, 0, 2, fds), 0);
	assert_int_equal(rig_arm(io, MSI, 1, 1, &none), 0);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_PENDING_64, 4), 2);
	assert_int_equal(rig_arm(io, MSI, 1, 1, &fds[1]), 0);
	assert_int_equal(rig_signals(fds[1]), 1);
	rig_close(io);
	drop(fds, 2);
}

static void test_masks_of_set_irqs(void **state)
{
	struct vfk_io *io = rig_probe(declare_masked_msi, 0);
	const uint8_t odd[] = { 0, 1, 0, 1 };
	int fds[4];

	(void)state;
	make(fds, 4);
	assert_int_equal(rig_irqs(io, MSI, MASK | NO_DATA, 0, 4, NULL), -EINVAL); /* not enabled */
	assert_int_equal(rig_arm(io, MSI, 0, 4, fds), 0);
	assert_int_equal(rig_irqs(io, MSI, MASK | NO_DATA, 1, 4, NULL), -EINVAL);
	assert_int_equal(rig_irqs(io, MSI, MASK | NO_DATA, 0, 4, NULL), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vfk_model_msi(probe.model, i), 0);
	assert_int_equal(rig_irqs(io, MSI, UNMASK | BOOLS, 0, 4, odd), 0);
	assert_int_equal(rig_signals(fds[0]), 0);
	assert_int_equal(rig_signals(fds[1]), 1);
	assert_int_equal(rig_irqs(io, MSI, UNMASK | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	assert_int_equal(rig_signals(fds[2]), 0);
	rig_close(io);
	drop(fds, 4);

	io = rig_probe(declare_msi, 0);
	assert_int_equal(rig_irqs(io, MSI, MASK | NO_DATA, 0, 1, NULL), -ENOTSUP);
	rig_close(io);
}

static void test_msix_by_set_irqs(void **state)
{
	struct vfk_io *io = rig_probe(declare_both, 0);
	int fds[COUNT];

	(void)state;
	make(fds, COUNT);
	assert_int_equal(rig_arm(io, MSIX, 0, 2, fds), 0);
	assert_int_equal(msix_flags(io), PCI_MSIX_FLAGS_ENABLE | (COUNT - 1));
	/* As a kernel: arming a vector unmasks its entry. */
	assert_int_equal(rig_get(io, 0, TABLE + 12, 4), 0);
	assert_int_equal(rig_get(io, 0, TABLE + 2 * 16 + 12, 4), 1);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	assert_int_equal(rig_signals(fds[1]), 1);
	/* Vectors can be added while it is enabled. One that nobody asked for is held back. */
	assert_int_equal(vfk_model_msi(probe.model, 69), 0);
	assert_int_equal(pending(io, 0), 0);
	assert_int_equal(pending(io, 1), 1ull << 5);
	assert_int_equal(rig_arm(io, MSIX, 2, COUNT - 2, fds + 2), 0);
	assert_int_equal(rig_signals(fds[69]), 1);
	assert_int_equal(pending(io, 1), 0);
	assert_int_equal(rig_arm(io, MSI, 0, 1, fds), -EINVAL);
	assert_int_equal(vfk_model_msi(probe.model, COUNT), -EINVAL);
	assert_int_equal(rig_disable(io, MSIX), 0);
	assert_int_equal(msix_flags(io), COUNT - 1);
	assert_int_equal(rig_get(io, 0, TABLE + 12, 4), 1);
	assert_int_equal(rig_arm(io, MSI, 0, 1, fds), 0);
	rig_close(io);
	drop(fds, COUNT);
}

static void test_msix_masks(void **state)
{
	struct vfk_io *io = rig_probe(declare_both, 0);
	int fds[3];

	(void)state;
	make(fds, 3);
	assert_int_equal(rig_arm(io, MSIX, 0, 3, fds), 0);
	set_table_mask(io, 1, true);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	assert_int_equal(rig_signals(fds[1]), 0);
	assert_int_equal(pending(io, 0), 2);
	set_table_mask(io, 1, false);
	assert_int_equal(rig_signals(fds[1]), 1);
	set_table_mask(io, 1, true);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	set_msix_flags(io, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(vfk_model_msi(probe.model, 0), 0);
	set_table_mask(io, 1, false);
	assert_int_equal(pending(io, 0), 3);
	assert_int_equal(rig_signals(fds[0]), 0);
	assert_int_equal(rig_irqs(io, MSIX, MASK | NO_DATA, 0, 1, NULL), 0);
	set_msix_flags(io, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(rig_signals(fds[1]), 1);
	assert_int_equal(rig_signals(fds[0]), 0); /* masked by SET_IRQS still */
	assert_int_equal(pending(io, 0), 1);
	assert_int_equal(rig_irqs(io, MSIX, UNMASK | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	assert_int_equal(pending(io, 0), 0);
	rig_close(io);
	drop(fds, 3);
}

/* What a monitor does: the guest's writes come first, eventfds follow; then the guest turns it off. */
static void test_msix_by_config(void **state)
{
	struct vfk_io *io = rig_probe(declare_both, 0);
	int fds[2], none = -1;

	(void)state;
	make(fds, 2);
	set_msix_flags(io, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_true(vfk_model_msi_enabled(probe.model));
	assert_int_equal(rig_arm(io, MSIX, 0, 1, &none), 0); /* enables, arms nothing */
	assert_int_equal(rig_arm(io, MSIX, 0, 2, fds), 0);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	assert_int_equal(rig_signals(fds[1]), 0);
	set_msix_flags(io, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(rig_signals(fds[1]), 1);
	set_msix_flags(io, 0);
	assert_int_equal(vfk_model_msi(probe.model, 1), -ENOTSUP);
	assert_int_equal(rig_disable(io, MSIX), 0);
	rig_close(io);
	drop(fds, 2);
}

static void test_disarm_one(void **state)
{
	struct vfk_io *io = rig_probe(declare_both, 0);
	int fds[2], none = -1;

	(void)state;
	make(fds, 2);
	assert_int_equal(rig_arm(io, MSIX, 0, 2, fds), 0);
	assert_int_equal(rig_arm(io, MSIX, 1, 1, &none), 0);
	assert_int_equal(vfk_model_msi(probe.model, 1), 0);
	assert_int_equal(rig_signals(fds[1]), 0);
	assert_int_equal(vfk_model_msi(probe.model, 0), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	rig_close(io);
	drop(fds, 2);
}

static void test_all_or_nothing(void **state)
{
	unsigned int before = rig_count_fds();
	struct vfk_io *io = rig_probe(declare_both, 0);
	int fds[4], pipes[2], bad[4];

	(void)state;
	make(fds, 4);
	assert_int_equal(pipe(pipes), 0);
	memcpy(bad, fds, sizeof(bad));
	bad[3] = pipes[1];
	assert_int_equal(rig_arm(io, MSIX, 0, 4, bad), -EINVAL);
	assert_int_equal(msix_flags(io), COUNT - 1); /* not enabled */
	assert_int_equal(rig_arm(io, MSIX, 0, 4, fds), 0);
	bad[0] = fds[1];
	bad[2] = 1 << 20; /* not open */
	assert_int_equal(rig_arm(io, MSIX, 0, 4, bad), -EINVAL);
	assert_int_equal(vfk_model_msi(probe.model, 0), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	assert_int_equal(rig_arm(io, MSIX, COUNT - 1, 2, fds), -EINVAL);
	assert_int_equal(rig_arm(io, MSIX, UINT32_MAX, 2, fds), -EINVAL);
	drop(fds, 4);
	drop(pipes, 2);
	rig_close(io);
	assert_int_equal(rig_count_fds(), before);
}

/* A loopback test signals whatever the masks say. */
static void test_software_trigger(void **state)
{
	struct vfk_io *io = rig_probe(declare_both, 0);
	const uint8_t second[] = { 0, 1 };
	int fds[2];

	(void)state;
	make(fds, 2);
	assert_int_equal(rig_irqs(io, MSIX, TRIGGER | NO_DATA, 0, 2, NULL), -EINVAL);
	assert_int_equal(rig_arm(io, MSIX, 0, 2, fds), 0);
	set_table_mask(io, 0, true);
	assert_int_equal(rig_irqs(io, MSIX, TRIGGER | NO_DATA, 0, 2, NULL), 0);
	assert_int_equal(rig_irqs(io, MSIX, TRIGGER | BOOLS, 0, 2, second), 0);
	assert_int_equal(rig_signals(fds[0]), 1);
	assert_int_equal(rig_signals(fds[1]), 2);
	assert_int_equal(rig_irqs(io, MSI, TRIGGER | NO_DATA, 0, 1, NULL), -EINVAL);
	rig_close(io);
	drop(fds, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msi_by_set_irqs),
		cmocka_unit_test(test_msi_by_config),
		cmocka_unit_test(test_msi_folds),
		cmocka_unit_test(test_msi_mask_bits),
		cmocka_unit_test(test_msi_disarmed_is_pending),
		cmocka_unit_test(test_masks_of_set_irqs),
		cmocka_unit_test(test_msix_by_set_irqs),
		cmocka_unit_test(test_msix_masks),
		cmocka_unit_test(test_msix_by_config),
		cmocka_unit_test(test_disarm_one),
		cmocka_unit_test(test_all_or_nothing),
		cmocka_unit_test(test_software_trigger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
