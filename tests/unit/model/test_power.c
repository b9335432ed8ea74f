/* SPDX-License-Identifier: BSD-3-Clause */
/* test_power.c - power states, runtime low power, and hot reset. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/vfio_compat.h"
#include "rig.h"

static uint32_t pm_flags;

static int declare_pm(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : probe_bar(m, 0, 4096, 0);
	return ret ? ret : vfk_model_add_pm_states(m, pm_flags);
}

static struct vfk_io *open_pm(uint32_t flags)
{
	pm_flags = flags;
	return rig_probe(declare_pm, 0);
}

/* The state after writing @state. */
static unsigned int enter_state(struct vfk_io *io, unsigned int state)
{
	unsigned int ctrl = rig_cap(io, PCI_CAP_ID_PM) + PCI_PM_CTRL;

	rig_put(io, CONFIG, ctrl, 2, state);
	return (unsigned int)rig_get(io, CONFIG, ctrl, 2) & PCI_PM_CTRL_STATE_MASK;
}

static void test_states(void **state)
{
	static const uint32_t flags[] = { 0, VFK_PM_D1, VFK_PM_D2, VFK_PM_D1 | VFK_PM_D2 };
	struct vfk_io *io;
	uint8_t buf[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		io = open_pm(flags[i]);
		for (unsigned int d = 1; d <= 3; d++) {
			bool has = d == 3 || flags[i] & (d == 1 ? VFK_PM_D1 : VFK_PM_D2);

			assert_int_equal(enter_state(io, d), has ? d : 0);
			assert_int_equal(rig_read(io, 0, 0, buf, 4), has ? -EIO : 4);
			assert_int_equal(enter_state(io, 0), 0);
			assert_int_equal(rig_read(io, 0, 0, buf, 4), 4);
		}
		assert_int_equal(probe.resets, 0);
		rig_close(io);
	}
}

static void test_soft_reset(void **state)
{
	struct vfk_io *io = open_pm(VFK_PM_SOFT_RESET | VFK_PM_D1);
	unsigned int ctrl = rig_cap(io, PCI_CAP_ID_PM) + PCI_PM_CTRL;

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, ctrl, 2) & PCI_PM_CTRL_NO_SOFT_RESET, 0);
	enter_state(io, 3);
	rig_put(io, CONFIG, PCI_INTERRUPT_LINE, 1, 5); /* another write is no way back */
	assert_int_equal(probe.resets, 0);
	enter_state(io, 0);
	assert_int_equal(probe.resets, 1);
	enter_state(io, 0);
	enter_state(io, 1);
	enter_state(io, 0);
	assert_int_equal(probe.resets, 1);
	rig_close(io);
}

/* ---- low power ---- */

static int feature(struct vfk_io *io, uint32_t id, int fd)
{
	union {
		struct vfio_device_feature f;
		uint8_t room[16];
	} u = { .f = { .argsz = sizeof(u), .flags = VFIO_DEVICE_FEATURE_SET | id } };
	struct vfio_device_low_power_entry_with_wakeup entry = { .wakeup_eventfd = fd };

	memcpy(u.f.data, &entry, sizeof(entry));
	return io->ops->device_feature(io, &u.f);
}

static int probe_feature(struct vfk_io *io, uint32_t id)
{
	struct vfio_device_feature f = { .argsz = sizeof(f),
					 .flags = VFIO_DEVICE_FEATURE_PROBE |
						  VFIO_DEVICE_FEATURE_SET | id };

	return io->ops->device_feature(io, &f);
}

#define ENTRY	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
#define WAKEUP	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP
#define LP_EXIT VFIO_DEVICE_FEATURE_LOW_POWER_EXIT

static void test_low_power(void **state)
{
	struct vfk_io *io = open_pm(0);

	(void)state;
	for (uint32_t id = ENTRY; id <= LP_EXIT; id++)
		assert_int_equal(probe_feature(io, id), 0);
	assert_false(vfk_model_low_power(probe.model));
	assert_int_equal(feature(io, LP_EXIT, -1), 0);
	assert_int_equal(feature(io, ENTRY, -1), 0);
	assert_true(vfk_model_low_power(probe.model));
	assert_int_equal(feature(io, ENTRY, -1), -EINVAL);
	/* Accesses wake it for themselves only. */
	rig_put(io, 0, 0, 4, 0x1234);
	assert_int_equal(rig_get(io, 0, 0, 4), 0x1234);
	rig_get(io, CONFIG, 0, 4);
	vfk_model_wake(probe.model);
	assert_true(vfk_model_low_power(probe.model));
	assert_int_equal(feature(io, LP_EXIT, -1), 0);
	assert_false(vfk_model_low_power(probe.model));
	assert_int_equal(rig_get(io, 0, 0, 4), 0x1234);
	rig_close(io);

	io = rig_probe(NULL, 0); /* nothing to save power with */
	for (uint32_t id = ENTRY; id <= LP_EXIT; id++)
		assert_int_equal(probe_feature(io, id), -ENOTSUP);
	assert_int_equal(feature(io, ENTRY, -1), -ENOTSUP);
	rig_close(io);
}

static void by_bar(struct vfk_io *io)
{
	rig_get(io, 0, 0, 4);
}

static void by_config(struct vfk_io *io)
{
	rig_put(io, CONFIG, PCI_INTERRUPT_LINE, 1, 1);
}

static void by_irqs(struct vfk_io *io)
{
	assert_int_equal(rig_disable(io, INTX), 0);
}

static void by_reset(struct vfk_io *io)
{
	assert_int_equal(io->ops->reset(io), 0);
}

static void by_exit(struct vfk_io *io)
{
	assert_int_equal(feature(io, LP_EXIT, -1), 0);
}

static void *wake(void *arg)
{
	vfk_model_wake(arg);
	return NULL;
}

static void by_itself(struct vfk_io *io)
{
	pthread_t thread;

	(void)io;
	assert_int_equal(pthread_create(&thread, NULL, wake, probe.model), 0);
	pthread_join(thread, NULL);
}

/* Whatever wakes it tells so once, and it stays awake. */
static void test_wakeup(void **state)
{
	static void (*const ways[])(struct vfk_io *) = { by_bar,   by_config, by_irqs,
							 by_reset, by_exit,   by_itself };
	struct vfk_io *io = open_pm(0);
	unsigned int fds = rig_count_fds();
	int fd = rig_eventfd();

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		assert_int_equal(feature(io, WAKEUP, fd), 0);
		assert_true(vfk_model_low_power(probe.model));
		assert_int_equal(rig_signals(fd), 0);
		ways[i](io);
		assert_int_equal(rig_signals(fd), 1);
		assert_false(vfk_model_low_power(probe.model));
		ways[i](io);
		assert_int_equal(rig_signals(fd), 0);
	}
	/* Entering anew is an access, too. */
	assert_int_equal(feature(io, WAKEUP, fd), 0);
	assert_int_equal(feature(io, WAKEUP, fd), 0);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(feature(io, WAKEUP, STDIN_FILENO), -EINVAL);
	assert_int_equal(feature(io, WAKEUP, -1), -EINVAL);
	rig_signals(fd);
	assert_false(vfk_model_low_power(probe.model));
	assert_int_equal(feature(io, WAKEUP, fd), 0);
	close(fd);
	rig_get(io, 0, 0, 4);
	assert_int_equal(rig_count_fds(), fds);
	rig_close(io);
}

/* ---- hot reset ---- */

static struct vfk_model_function functions[9];
static size_t num_functions;

static int declare_slot(struct vfk_model *m)
{
	return probe_identity(m) ? -EIO : vfk_model_add_hot_reset(m, functions, num_functions);
}

static struct vfk_io *open_slot(bool owned)
{
	functions[0] = (struct vfk_model_function){ .bus = 3, .devfn = 0x10, .owned = true };
	functions[1] = (struct vfk_model_function){ .bus = 3, .devfn = 0x11, .owned = owned };
	num_functions = 2;
	return rig_probe(declare_slot, 0);
}

static int hot_reset(struct vfk_io *io, uint32_t groups)
{
	union {
		struct vfio_pci_hot_reset reset;
		uint8_t room[sizeof(struct vfio_pci_hot_reset) + sizeof(int32_t)];
	} r = { .reset = { .argsz = sizeof(r), .count = groups } };

	return io->ops->hot_reset(io, &r.reset);
}

static void test_hot_reset(void **state)
{
	union {
		struct vfio_pci_hot_reset_info info;
		uint8_t room[sizeof(struct vfio_pci_hot_reset_info) +
			     2 * sizeof(struct vfio_pci_dependent_device)];
	} r = { .info = { .argsz = sizeof(r.info) } };
	struct vfk_io *io = open_slot(true);

	(void)state;
	assert_int_equal(io->ops->hot_reset_info(io, &r.info), 0);
	assert_int_equal(r.info.argsz, sizeof(r));
	assert_int_equal(r.info.count, 0);
	assert_int_equal(io->ops->hot_reset_info(io, &r.info), 0);
	assert_int_equal(r.info.count, 2);
	assert_int_equal(r.info.flags,
			 VFKI_PCI_HOT_RESET_FLAG_DEV_ID | VFKI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED);
	assert_int_equal(r.info.devices[0].group_id, 1);
	assert_int_equal(r.info.devices[1].group_id, 2);
	assert_int_equal(r.info.devices[1].bus, 3);
	assert_int_equal(r.info.devices[1].devfn, 0x11);
	assert_int_equal(hot_reset(io, 1), -EINVAL);
	assert_int_equal(probe.resets, 0);
	assert_int_equal(hot_reset(io, 0), 0);
	assert_int_equal(probe.resets, 1);
	rig_close(io);

	io = open_slot(false);
	assert_int_equal(io->ops->hot_reset_info(io, &r.info), 0);
	assert_int_equal(r.info.flags, VFKI_PCI_HOT_RESET_FLAG_DEV_ID);
	assert_int_equal((int32_t)r.info.devices[1].group_id, VFKI_PCI_DEVID_NOT_OWNED);
	assert_int_equal(hot_reset(io, 0), -EINVAL);
	assert_non_null(strstr(vfk_error(), "0000:03:02.1"));
	assert_int_equal(probe.resets, 0);
	rig_close(io);

	io = rig_probe(NULL, 0);
	assert_int_equal(io->ops->hot_reset_info(io, &r.info), -ENOTSUP);
	assert_int_equal(hot_reset(io, 0), -ENOTSUP);
	rig_close(io);
}

static void test_hot_reset_refused(void **state)
{
	struct vfk_io *io;

	(void)state;
	memset(functions, 0, sizeof(functions));
	functions[0].owned = true;
	for (num_functions = 0; num_functions < 10; num_functions += 9) {
		probe_reset(declare_slot);
		assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
	}
	functions[0].owned = false;
	num_functions = 1;
	probe_reset(declare_slot);
	assert_int_equal(rig_try("model:probe", &probe_ops, 0, &io), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	  cmocka_unit_test(test_soft_reset),
		cmocka_unit_test(test_low_power), cmocka_unit_test(test_wakeup),
		cmocka_unit_test(test_hot_reset), cmocka_unit_test(test_hot_reset_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
