/* SPDX-License-Identifier: BSD-3-Clause */
/* test_intx.c - the interrupt pin: level, automask, unmask, Interrupt Disable, the unmask eventfd; the notifiers. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

static int declare_intx(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : vfk_model_add_intx(m);
	return ret ? ret : vfk_model_add_msi(m, 2, false);
}

/* The deferred work makes a worker thread, which then watches the unmask eventfd too. */
static int declare_worker(struct vfk_model *m)
{
	int ret = declare_intx(m);

	return ret ? ret : vfk_model_use_deferred_work(m);
}

static int unmask(struct vfk_io *io)
{
	return rig_irqs(io, INTX, UNMASK | NO_DATA, 0, 1, NULL);
}

static bool status_shows(struct vfk_io *io)
{
	return rig_get(io, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT;
}

static void test_automask(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_signals(fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	assert_true(status_shows(io));
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 0);
	/* Still asserted: unmasking signals again, and masks again. */
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_signals(fd), 1);
	vfk_model_set_intx(probe.model, false);
	assert_false(status_shows(io));
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_signals(fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	/* A new edge while masked waits for the unmask. */
	vfk_model_set_intx(probe.model, false);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 0);
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

static void test_mask(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	const uint8_t no = 0, yes = 1;
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_irqs(io, INTX, MASK | NO_DATA, 0, 1, NULL), -EINVAL);
	assert_int_equal(unmask(io), -EINVAL);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_irqs(io, INTX, MASK | BOOLS, 0, 1, &no), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	vfk_model_set_intx(probe.model, false);
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_irqs(io, INTX, MASK | BOOLS, 0, 1, &yes), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | BOOLS, 0, 1, &no), 0);
	assert_int_equal(rig_signals(fd), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | BOOLS, 0, 1, &yes), 0);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(rig_irqs(io, INTX, MASK | EVENTFDS, 0, 1, &fd), -ENOTSUP);
	rig_close(io);
	close(fd);
}

/* Asserted before anybody listens: kept, and told to the first who does. */
static void test_level_is_kept(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	int fd = rig_eventfd(), none = -1;

	(void)state;
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &none), 0); /* enables, as vfio-pci does */
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(rig_disable(io, INTX), 0);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

static void test_disable_bit(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	int fd = rig_eventfd();

	(void)state;
	rig_command(io, PCI_COMMAND_INTX_DISABLE, 0);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_true(status_shows(io)); /* PCI 3.0 section 6.2.3: the bit does not hide the state */
	assert_int_equal(rig_signals(fd), 0);
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_signals(fd), 0);
	assert_int_equal(rig_irqs(io, INTX, TRIGGER | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fd), 0);
	rig_command(io, 0, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(rig_signals(fd), 1);
	/* As vfio-pci: clearing the bit unmasks what was masked by signalling. */
	rig_command(io, PCI_COMMAND_INTX_DISABLE, 0);
	rig_command(io, 0, PCI_COMMAND_INTX_DISABLE);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

static void test_rules_of_set_irqs(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	int fd = rig_eventfd(), two[2] = { fd, fd }, pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(rig_irqs(io, INTX, TRIGGER | NO_DATA, 0, 1, NULL),
			 -EINVAL); /* not enabled */
	assert_int_equal(rig_disable(io, INTX), 0);
	assert_int_equal(rig_arm(io, INTX, 0, 2, two), -EINVAL);
	assert_int_equal(rig_arm(io, INTX, 1, 1, two), -EINVAL);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &pipes[1]), -EINVAL);
	assert_int_equal(rig_arm(io, MSI, 0, 1, &fd), 0);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), -EINVAL); /* MSI is on */
	assert_int_equal(rig_disable(io, INTX), 0);
	assert_int_equal(rig_disable(io, MSI), 0);
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_irqs(io, INTX, TRIGGER | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(rig_arm(io, MSI, 0, 1, &fd), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	rig_close(io);
	close(fd);
}

static int declare_no_pin(struct vfk_model *m)
{
	return probe_identity(m);
}

static void test_no_pin(void **state)
{
	struct vfk_io *io = rig_probe(declare_no_pin, VFK_OPEN_DISPATCH);
	int fd = rig_eventfd();

	(void)state;
	vfk_model_set_intx(probe.model, true);
	assert_false(status_shows(io));
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), -EINVAL);
	assert_int_equal(io->ops->poll_fd(io), -ENOTSUP); /* nothing will ever be to do */
	rig_close(io);
	close(fd);
}

static void test_reset_keeps_eventfd(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(io->ops->reset(io), 0);
	assert_false(status_shows(io));
	assert_int_equal(unmask(io), 0);
	assert_int_equal(rig_signals(fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

/* While messages are on, the pin is silent; what it had to say is said after. */
static void test_messages_silence_it(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	unsigned int msi = rig_cap(io, PCI_CAP_ID_MSI);
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	rig_put(io, CONFIG, msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	assert_true(vfk_model_msi_enabled(probe.model));
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 0);
	rig_put(io, CONFIG, msi + PCI_MSI_FLAGS, 2, 0);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

/* An eventfd that stays readable, because it counts down: it must not keep anybody busy. */
static void unmask_by_semaphore(struct vfk_io *io, int *fd, int *unmask_fd)
{
	uint64_t many = 1u << 30;

	*fd = rig_eventfd();
	*unmask_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	assert_true(*unmask_fd >= 0);
	assert_int_equal(rig_arm(io, INTX, 0, 1, fd), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, unmask_fd), 0);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(*fd), 1);
	assert_int_equal(write(*unmask_fd, &many, sizeof(many)), sizeof(many));
}

static void test_semaphore(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, VFK_OPEN_DISPATCH);
	struct pollfd p = { .fd = io->ops->poll_fd(io), .events = POLLIN };
	uint64_t one = 1;
	int fd, unmask_fd;

	(void)state;
	unmask_by_semaphore(io, &fd, &unmask_fd);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(poll(&p, 1, 1000), 1);
		assert_int_equal(io->ops->dispatch(io), 1);
		assert_int_equal(rig_signals(fd), 1);
		assert_int_equal(poll(&p, 1, 0), 0);
		assert_int_equal(write(unmask_fd, &one, sizeof(one)), sizeof(one));
	}
	rig_close(io);
	close(unmask_fd);
	close(fd);
}

static void test_semaphore_with_worker(void **state)
{
	struct vfk_io *io = rig_probe(declare_worker, 0);
	struct timespec pause = { .tv_nsec = 200000000 }, used;
	int fd, unmask_fd;
	uint64_t began;

	(void)state;
	unmask_by_semaphore(io, &fd, &unmask_fd);
	assert_int_equal(rig_wait(NULL, fd, 1000), 1);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	began = (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	assert_in_range((uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000 - began, 0,
			50);
	rig_close(io);
	close(unmask_fd);
	close(fd);
}

static void resample(struct vfk_io *io, struct vfk_io *dispatched)
{
	int fd = rig_eventfd(), again = rig_eventfd(), none = -1;
	uint64_t one = 1;

	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &again),
			 -EINVAL); /* not enabled */
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &again), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &again), -EBUSY);
	vfk_model_set_intx(probe.model, true);
	assert_int_equal(rig_signals(fd), 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(again, &one, sizeof(one)), sizeof(one));
		assert_int_equal(rig_wait(dispatched, fd, 5000), 1);
	}
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &none), 0);
	assert_int_equal(write(again, &one, sizeof(one)), sizeof(one));
	assert_int_equal(rig_wait(dispatched, fd, 50), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &again),
			 0); /* signalled already */
	assert_int_equal(rig_wait(dispatched, fd, 5000), 1);
	assert_int_equal(rig_disable(io, INTX), 0); /* takes it away */
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | EVENTFDS, 0, 1, &again), 0);
	close(fd);
	close(again);
}

static void test_resample_by_dispatch(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, VFK_OPEN_DISPATCH);

	(void)state;
	resample(io, io);
	rig_close(io);
}

static void test_resample_by_worker(void **state)
{
	struct vfk_io *io = rig_probe(declare_worker, 0);

	(void)state;
	assert_int_equal(io->ops->poll_fd(io), -ENOTSUP);
	resample(io, NULL);
	rig_close(io);
}

/* The model asked for nobody; whoever wants the eventfd watched does. */
static void test_resample_asks_for_worker(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);

	(void)state;
	resample(io, NULL);
	rig_close(io);
}

static void test_notifiers(void **state)
{
	struct vfk_io *io = rig_probe(declare_intx, 0);
	const uint8_t no = 0, yes = 1;
	int fd = rig_eventfd();

	(void)state;
	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		assert_int_equal(rig_irqs(io, index, TRIGGER | NO_DATA, 0, 1, NULL), -EINVAL);
		assert_int_equal(rig_arm(io, index, 0, 1, &fd), 0);
		assert_int_equal(rig_irqs(io, index, TRIGGER | NO_DATA, 0, 1, NULL), 0);
		assert_int_equal(rig_irqs(io, index, TRIGGER | BOOLS, 0, 1, &no), 0);
		assert_int_equal(rig_irqs(io, index, TRIGGER | BOOLS, 0, 1, &yes), 0);
		assert_int_equal(rig_signals(fd), 2);
		assert_int_equal(rig_irqs(io, index, MASK | NO_DATA, 0, 1, NULL), -ENOTSUP);
		assert_int_equal(rig_disable(io, index), 0);
		assert_int_equal(rig_disable(io, index), 0);
		assert_int_equal(rig_irqs(io, index, TRIGGER | NO_DATA, 0, 1, NULL), -EINVAL);
	}
	rig_close(io);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_automask),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_level_is_kept),
		cmocka_unit_test(test_disable_bit),
		cmocka_unit_test(test_rules_of_set_irqs),
		cmocka_unit_test(test_no_pin),
		cmocka_unit_test(test_reset_keeps_eventfd),
		cmocka_unit_test(test_messages_silence_it),
		cmocka_unit_test(test_semaphore),
		cmocka_unit_test(test_semaphore_with_worker),
		cmocka_unit_test(test_resample_by_dispatch),
		cmocka_unit_test(test_resample_by_worker),
		cmocka_unit_test(test_resample_asks_for_worker),
		cmocka_unit_test(test_notifiers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
