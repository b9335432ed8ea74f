/* SPDX-License-Identifier: BSD-3-Clause */
/* test_work.c - deferred work: at the end of the access, by dispatch, by the worker; cancelling, reset; interrupts from any thread. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define SLOTS 3

static struct vfk_model_work works[SLOTS];
static uint64_t delays[SLOTS];
static char order[32];
static _Atomic unsigned int ran;
static bool again;

static void run(struct vfk_model *model, void *self, struct vfk_model_work *work)
{
	unsigned int n = atomic_fetch_add(&ran, 1);

	(void)self;
	if (n < sizeof(order) - 1)
		order[n] = (char)('a' + (work - works));
	if (again) {
		again = false;
		vfk_model_defer(model, work, 0);
	}
	vfk_model_set_intx(model, true);
}

/* A write to register 4 * n queues work n; 0x100 queues all, 0x200 cancels work 1. */
static void queue(struct vfk_model *model, uint64_t off)
{
	if (off == 0x200)
		vfk_model_cancel(model, &works[1]);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (off == 4 * i || off == 0x100)
			vfk_model_defer(model, &works[i], delays[i]);
	}
	order[31] = (char)atomic_load(&ran); /* how many ran before the access ended */
}

static int declare_now(struct vfk_model *m)
{
	int ret = probe_identity(m);

	ret = ret ? ret : probe_bar(m, 0, 4096, 0);
	return ret ? ret : vfk_model_add_intx(m);
}

static int declare_later(struct vfk_model *m)
{
	int ret = declare_now(m);

	return ret ? ret : vfk_model_use_deferred_work(m);
}

static struct vfk_io *open_with(int (*declare)(struct vfk_model *), uint32_t flags)
{
	struct vfk_io *io = rig_probe(declare, flags);

	memset(works, 0, sizeof(works));
	memset(delays, 0, sizeof(delays));
	memset(order, 0, sizeof(order));
	atomic_store(&ran, 0);
	again = false;
	for (unsigned int i = 0; i < SLOTS; i++)
		works[i].fn = run;
	probe.on_write = queue;
	return io;
}

static void poke(struct vfk_io *io, uint64_t off)
{
	rig_put(io, 0, off, 4, 1);
}

static void test_at_the_end(void **state)
{
	struct vfk_io *io = open_with(declare_now, 0);

	(void)state;
	poke(io, 0x100);
	assert_int_equal(order[31], 0); /* not inside of it */
	assert_string_equal(order, "abc");
	again = true;
	poke(io, 4);
	assert_string_equal(order, "abcbb");
	/* Without deferred work a delay is none. */
	delays[2] = 1000000;
	poke(io, 8);
	assert_string_equal(order, "abcbbc");
	assert_int_equal(io->ops->dispatch(io), 0);
	assert_int_equal(io->ops->poll_fd(io), -ENOTSUP);
	rig_close(io);
}

static void dispatch_until(struct vfk_io *io, unsigned int count)
{
	struct pollfd p = { .fd = io->ops->poll_fd(io), .events = POLLIN };

	assert_true(p.fd >= 0);
	while (atomic_load(&ran) < count) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_true(io->ops->dispatch(io) >= 0);
	}
}

static void test_by_dispatch(void **state)
{
	struct vfk_io *io = open_with(declare_later, VFK_OPEN_DISPATCH);
	struct pollfd p = { .fd = io->ops->poll_fd(io), .events = POLLIN };

	(void)state;
	delays[0] = 60000;
	delays[1] = 30000;
	delays[2] = 0;
	poke(io, 0x100);
	assert_string_equal(order, "c");
	assert_int_equal(io->ops->dispatch(io), 0); /* nothing is due */
	usleep(40000);
	assert_string_equal(order, "c"); /* nobody but us runs it */
	dispatch_until(io, 3);
	assert_string_equal(order, "cba");
	assert_int_equal(poll(&p, 1, 0), 0);
	rig_close(io);
}

static void test_requeue_moves(void **state)
{
	struct vfk_io *io = open_with(declare_later, VFK_OPEN_DISPATCH);

	(void)state;
	delays[0] = 10000000;
	delays[1] = 20000;
	poke(io, 0);
	poke(io, 4);
	delays[0] = 1000;
	poke(io, 0); /* queued already: moved to the front */
	dispatch_until(io, 2);
	assert_string_equal(order, "ab");
	delays[0] = UINT64_MAX;
	poke(io, 0); /* as far as can be, not at once */
	assert_int_equal(io->ops->dispatch(io), 0);
	rig_close(io);
}

static void test_cancel_and_reset(void **state)
{
	struct vfk_io *io = open_with(declare_later, VFK_OPEN_DISPATCH);
	struct pollfd p = { .fd = io->ops->poll_fd(io), .events = POLLIN };

	(void)state;
	delays[0] = delays[1] = 5000;
	delays[2] = 10000;
	poke(io, 0x100);
	poke(io, 0x200);
	poke(io, 0x200); /* not queued: left alone */
	dispatch_until(io, 2);
	assert_string_equal(order, "ac");
	poke(io, 0x100);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(poll(&p, 1, 30), 0);
	assert_int_equal(io->ops->dispatch(io), 0);
	assert_string_equal(order, "ac");
	rig_close(io);
}

static void test_by_worker(void **state)
{
	struct vfk_io *io = open_with(declare_later, 0);
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(io->ops->poll_fd(io), -ENOTSUP);
	assert_int_equal(rig_arm(io, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, &fd), 0);
	for (unsigned int i = 1; i < 20; i++) {
		delays[0] = 500 * i;
		poke(io, 0);
		assert_int_equal(rig_wait(NULL, fd, 5000), 1);
		vfk_model_set_intx(probe.model, false);
		assert_int_equal(
			rig_irqs(io, VFIO_PCI_INTX_IRQ_INDEX, UNMASK | NO_DATA, 0, 1, NULL), 0);
		assert_int_equal(atomic_load(&ran), i);
	}
	delays[1] = 10000000;
	poke(io, 4); /* close does not wait for it */
	rig_close(io);
	close(fd);
}

static _Atomic bool stop;

static void *raise_and_send(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		vfk_model_set_intx(probe.model, i & 1);
		vfk_model_msi(probe.model, i & 3);
	}
	return NULL;
}

static int declare_messages(struct vfk_model *m)
{
	int ret = declare_now(m);

	return ret ? ret : vfk_model_add_msix(m, 4, 0, 0x800, 0xc00);
}

/* A model's own threads raise interrupts while the user arms, masks and resets. */
static void test_interrupts_from_threads(void **state)
{
	struct vfk_io *io = open_with(declare_messages, 0);
	int fds[4], none[4] = { -1, -1, -1, -1 };
	uint64_t total = 0;
	pthread_t threads[2];

	(void)state;
	probe.on_write = NULL;
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < 4; i++)
		fds[i] = rig_eventfd();
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, raise_and_send, NULL), 0);
	for (unsigned int i = 0; i < 100 || !total; i++) {
		assert_int_equal(rig_arm(io, MSIX, 0, 4, fds), 0);
		rig_put(io, 0, 0x80c, 4, 1);
		rig_put(io, 0, 0x80c, 4, 0);
		rig_get(io, 0, 0xc00, 8);
		assert_int_equal(rig_irqs(io, MSIX, MASK | NO_DATA, 1, 2, NULL), 0);
		assert_int_equal(rig_irqs(io, MSIX, UNMASK | NO_DATA, 1, 2, NULL), 0);
		assert_int_equal(rig_arm(io, MSIX, 0, 4, none), 0);
		assert_int_equal(rig_disable(io, MSIX), 0);
		assert_int_equal(rig_arm(io, INTX, 0, 1, fds), 0);
		assert_int_equal(rig_irqs(io, INTX, UNMASK | NO_DATA, 0, 1, NULL), 0);
		assert_int_equal(io->ops->reset(io), 0);
		assert_int_equal(rig_disable(io, INTX), 0);
		for (unsigned int k = 0; k < 4; k++)
			total += rig_signals(fds[k]);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	rig_close(io);
	for (unsigned int i = 0; i < 4; i++)
		close(fds[i]);
}

struct user {
	pthread_t thread;
	struct vfk_io *io;
};

static void *access_much(void *arg)
{
	struct user *user = arg;
	uint32_t v = 0;

	for (unsigned int i = 0; i < 5000; i++) {
		if (user->io->ops->region_write(user->io, 0, 0x40, &v, 4, 0) != 4)
			return user;
	}
	return NULL;
}

static unsigned int in_model;
static unsigned int written;
static unsigned int clashes;

static void count_alone(struct vfk_model *model, uint64_t off)
{
	(void)model;
	(void)off;
	/* Plain variables: two at once would be seen here, or by the thread sanitizer. */
	clashes += in_model++ != 0;
	written++;
	in_model--;
}

static void test_one_at_a_time(void **state)
{
	struct vfk_io *io = open_with(declare_now, 0);
	struct user users[4];
	void *result;

	(void)state;
	in_model = written = clashes = 0;
	probe.on_write = count_alone;
	for (unsigned int i = 0; i < 4; i++) {
		users[i].io = io;
		assert_int_equal(pthread_create(&users[i].thread, NULL, access_much, &users[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(users[i].thread, &result);
		assert_null(result);
	}
	assert_int_equal(written, 20000);
	assert_int_equal(clashes, 0);
	rig_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_the_end),
		cmocka_unit_test(test_by_dispatch),
		cmocka_unit_test(test_requeue_moves),
		cmocka_unit_test(test_cancel_and_reset),
		cmocka_unit_test(test_by_worker),
		cmocka_unit_test(test_interrupts_from_threads),
		cmocka_unit_test(test_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
