/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irq.c - how interrupts are put into the kernel's structure, and waiting for them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>

#include "tests/unit/io/puppet.h"

static struct puppet p;
static struct vfk_device *dev;
static const struct vfio_irq_set *last;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	last = (const struct vfio_irq_set *)p.irq_set;
	dev = puppet_open(&p);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfk_device_close(dev);
	return 0;
}

static void assert_set(uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
		       const void *data, size_t len)
{
	assert_int_equal(last->argsz, offsetof(struct vfio_irq_set, data) + len);
	assert_int_equal(last->flags, flags);
	assert_int_equal(last->index, index);
	assert_int_equal(last->start, start);
	assert_int_equal(last->count, count);
	if (len)
		assert_memory_equal(last->data, data, len);
}

static void test_encodings(void **state)
{
	static const int fds[3] = { 5, -1, 7 };
	static const uint8_t bools[3] = { 1, 0, 1 };
	const int fd = 9, none = -1;

	(void)state;
	assert_int_equal(vfk_irq_set_eventfds(dev, 1, 1, 3, fds), 0);
	assert_set(1, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, 3, fds, 12);
	assert_int_equal(vfk_irq_mask(dev, 0, 0, 1), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL, 0);
	assert_int_equal(vfk_irq_unmask(dev, 0, 0, 1), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL, 0);
	assert_int_equal(vfk_irq_trigger(dev, 1, 2, 2), 0);
	assert_set(1, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 2, NULL, 0);
	assert_int_equal(vfk_irq_set_bools(dev, 1, VFK_IRQ_TRIGGER, 0, 3, bools), 0);
	assert_set(1, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 3, bools, 3);
	assert_int_equal(vfk_irq_set_bools(dev, 0, VFK_IRQ_MASK, 0, 1, bools), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_MASK, 0, 1, bools, 1);
	assert_int_equal(vfk_irq_set_bools(dev, 0, VFK_IRQ_UNMASK, 0, 1, bools), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, bools, 1);
	assert_int_equal(vfk_irq_set_unmask_eventfd(dev, 0, 0, 9), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &fd, 4);
	assert_int_equal(vfk_irq_set_unmask_eventfd(dev, 0, 0, -1), 0);
	assert_set(0, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &none, 4);
	assert_int_equal(vfk_irq_disable(dev, 1), 0);
	assert_set(1, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL, 0);
}

static void test_refused(void **state)
{
	static const int fds[1] = { 5 };
	uint8_t bools[1] = { 1 };

	(void)state;
	assert_refused(&p, vfk_irq_trigger(dev, 1, 0, 0), -EINVAL); /* would disable it */
	assert_refused(&p, vfk_irq_set_eventfds(dev, 1, 0, 0, fds), -EINVAL);
	assert_refused(&p, vfk_irq_set_eventfds(dev, 1, 0, UINT32_MAX, fds), -EINVAL);
	assert_refused(&p, vfk_irq_set_eventfds(dev, 3, 0, 1, fds), -EINVAL);
	assert_refused(&p, vfk_irq_mask(dev, 1, 0, 1), -ENOTSUP);
	assert_refused(&p, vfk_irq_set_bools(dev, 0, (enum vfk_irq_action)3, 0, 1, bools), -EINVAL);
	assert_refused(&p, vfk_irq_disable(dev, 3), -EINVAL);
	assert_refused(&p, vfk_irq_disable(dev, 2), -EINVAL); /* has no vectors */
	assert_int_equal(p.calls[OP_SET_IRQS], 0);
	puppet_force(&p, OP_SET_IRQS, 2);
	assert_int_equal(vfk_irq_set_eventfds(dev, 1, 0, 4, (const int[]){ 5, 6, 7, 8 }), 2);
}

static void test_info(void **state)
{
	struct vfk_irq_info info;

	(void)state;
	assert_int_equal(vfk_irq_get_info(dev, 1, &info), 0);
	assert_int_equal(info.index, 1);
	assert_int_equal(info.count, 4);
	assert_int_equal(info.flags, VFIO_IRQ_INFO_EVENTFD);
	assert_int_equal(vfk_irq_get_info(dev, 2, &info), 0);
	assert_int_equal(info.count, 0);
	assert_refused(&p, vfk_irq_get_info(dev, 3, &info), -EINVAL);
}

/* Linux refuses to disable what is not enabled. */
static void test_disable_twice(void **state)
{
	(void)state;
	puppet_force(&p, OP_SET_IRQS, -EINVAL);
	assert_int_equal(vfk_irq_disable(dev, 1), 0);
	puppet_force(&p, OP_SET_IRQS, -ENOTCONN);
	assert_refused(&p, vfk_irq_disable(dev, 1), -ENOTCONN);
}

/* What was armed through the device is disarmed at its end, and only that. */
static void test_close_disarms(void **state)
{
	const int fd = 5;

	(void)state;
	assert_int_equal(vfk_irq_set_eventfds(dev, 0, 0, 1, &fd), 0);
	assert_int_equal(vfk_irq_set_eventfds(dev, 1, 0, 1, &fd), 0);
	assert_int_equal(vfk_irq_disable(dev, 1), 0);
	assert_int_equal(p.calls[OP_SET_IRQS], 3);
	vfk_device_close(dev);
	assert_int_equal(p.calls[OP_SET_IRQS], 4);
	assert_set(0, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL, 0);
	dev = puppet_open(&p);
}

/* ---- waiting ---- */

static void signal_fd(int fd, uint64_t n)
{
	assert_int_equal(write(fd, &n, 8), 8);
}

static void test_wait(void **state)
{
	int fds[3] = { eventfd(0, 0), eventfd(0, EFD_NONBLOCK), eventfd(0, 0) };
	uint64_t counts[3];

	(void)state;
	signal_fd(fds[0], 2);
	signal_fd(fds[2], 1);
	assert_int_equal(vfk_irq_wait(dev, fds, 3, 1000, counts), 2);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 0);
	assert_int_equal(counts[2], 1);
	memset(counts, 0xff, sizeof(counts));
	assert_refused(&p, vfk_irq_wait(dev, fds, 3, 0, counts), -ETIMEDOUT);
	assert_int_equal(counts[0], 0);
	assert_refused(&p, vfk_irq_wait(dev, fds, 3, 20, counts), -ETIMEDOUT);
	signal_fd(fds[1], 3);
	assert_int_equal(vfk_irq_wait(dev, fds, 3, -1, counts), 1);
	assert_int_equal(counts[1], 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_wait_refused(void **state)
{
	int fds[2] = { eventfd(0, 0), -1 };
	uint64_t counts[2];

	(void)state;
	assert_refused(&p, vfk_irq_wait(dev, fds, 0, 0, counts), -EINVAL);
	assert_refused(&p, vfk_irq_wait(dev, fds, 2049, 0, counts), -EINVAL);
	assert_refused(&p, vfk_irq_wait(dev, fds, 2, 0, counts), -EINVAL);
	assert_refused(&p, vfk_irq_wait(dev, fds, 1, -2, counts), -EINVAL);
	fds[1] = fds[0];
	close(fds[0]);
	assert_refused(&p, vfk_irq_wait(dev, fds, 1, 0, counts), -EINVAL);
}

static unsigned int polls;

int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask);

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask)
{
	polls++;
	return __real_ppoll(fds, n, ts, mask);
}

/* One alone is read before anything is polled, whoever may wait in its read. */
static void test_wait_for_one(void **state)
{
	const int flags[] = { 0, EFD_NONBLOCK };

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = eventfd(0, flags[i]);
		uint64_t count = 7;

		assert_refused(&p, vfk_irq_wait(dev, &fd, 1, 0, &count), -ETIMEDOUT);
		assert_int_equal(count, 0);
		signal_fd(fd, 5);
		polls = 0;
		assert_int_equal(vfk_irq_wait(dev, &fd, 1, 0, &count), 1);
		assert_int_equal(count, 5);
		assert_int_equal(polls, 0);
		assert_refused(&p, vfk_irq_wait(dev, &fd, 1, 20, &count), -ETIMEDOUT);
		close(fd);
	}
}

static void test_wait_for_many(void **state)
{
	int fds[300];
	uint64_t counts[300];

	(void)state;
	for (int i = 0; i < 300; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		assert_true(fds[i] >= 0);
	}
	signal_fd(fds[299], 1);
	assert_int_equal(vfk_irq_wait(dev, fds, 300, 1000, counts), 1);
	assert_int_equal(counts[299], 1);
	for (int i = 0; i < 300; i++)
		close(fds[i]);
}

static int event, work;

/* A device whose work signals the interrupt: it only gets done when somebody dispatches. */
static int do_work(struct vfk_io *io)
{
	uint64_t n;

	(void)io;
	if (read(work, &n, 8) == 8)
		signal_fd(event, 1);
	return 1;
}

static void test_wait_serves(void **state)
{
	uint64_t count;

	(void)state;
	event = eventfd(0, EFD_NONBLOCK);
	work = eventfd(1, EFD_NONBLOCK);
	p.poll_fd = work;
	p.ops.dispatch = do_work;
	assert_int_equal(vfk_irq_wait(dev, &event, 1, 5000, &count), 1);
	assert_int_equal(count, 1);
	assert_refused(&p, vfk_irq_wait(dev, &event, 1, 10, &count), -ETIMEDOUT);
	/* what the work signals is seen even by somebody who does not wait */
	signal_fd(work, 1);
	assert_int_equal(vfk_irq_wait(dev, &event, 1, 0, &count), 1);
	close(event);
	close(work);
}

static void test_wait_peer_gone(void **state)
{
	uint64_t count;

	(void)state;
	event = eventfd(0, EFD_NONBLOCK);
	work = eventfd(1, EFD_NONBLOCK);
	p.poll_fd = work;
	puppet_force(&p, OP_DISPATCH, -ENOTCONN);
	assert_refused(&p, vfk_irq_wait(dev, &event, 1, -1, &count), -ENOTCONN);
	/* an interrupt that came before is not lost */
	signal_fd(event, 4);
	assert_int_equal(vfk_irq_wait(dev, &event, 1, -1, &count), 1);
	assert_int_equal(count, 4);
	close(event);
	close(work);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_wait_interrupted(void **state)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	struct itimerval soon = { .it_value.tv_usec = 30000, .it_interval.tv_usec = 30000 },
			 never = { 0 };
	uint64_t count;

	(void)state;
	event = eventfd(0, EFD_NONBLOCK);
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_refused(&p, vfk_irq_wait(dev, &event, 1, 10000, &count), -EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	close(event);
}

static void test_events(void **state)
{
	(void)state;
	assert_refused(&p, vfk_device_poll_fd(dev), -ENOTSUP);
	puppet_force(&p, OP_DISPATCH, 3);
	assert_int_equal(vfk_device_dispatch(dev), 3);
	p.poll_fd = 8;
	assert_int_equal(vfk_device_poll_fd(dev), 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_encodings),	  TEST(test_refused),	     TEST(test_info),
		TEST(test_disable_twice), TEST(test_close_disarms),  TEST(test_wait),
		TEST(test_wait_refused),  TEST(test_wait_for_one),   TEST(test_wait_for_many),
		TEST(test_wait_serves),	  TEST(test_wait_peer_gone), TEST(test_wait_interrupted),
		TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
