/* SPDX-License-Identifier: BSD-3-Clause */
/* test_threads.c - threads are inside every kind of call while the server is lost, again and again. */
#include "serve.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BAR0	   VFIO_PCI_BAR0_REGION_INDEX
#define MSIX	   VFIO_PCI_MSIX_IRQ_INDEX
#define BUFFER_BAR 2
#define ID	   0x01007e57u
#define TESTDEV	   "model:testdev,buffer=8192,msix=4"
#define PAGE	   4096u
#define ROUNDS	   12

struct all {
	struct vfk_device *dev;
	struct vfk_dma_space *space;
	atomic_bool stop;
	atomic_uint told;
	atomic_ullong good; /* calls that worked, of all threads */
};

struct worker {
	struct all *all;
	pthread_t thread;
	int (*step)(struct all *all);
	int bad; /* the first result that was neither 0 nor a loss */
	char text[256];
};

static void on_lost(void *ctx, uint64_t epoch)
{
	struct all *all = ctx;

	(void)epoch;
	atomic_fetch_add(&all->told, 1);
}

static int read_step(struct all *all)
{
	uint64_t v = 0;
	int ret = vfk_region_get(all->dev, BAR0, 0, 4, &v);

	return !ret && v != ID ? -EIO : ret;
}

static int post_step(struct all *all)
{
	uint32_t v = 1;
	ssize_t n = vfk_region_write(all->dev, BAR0, 0x0c, &v, 4, VFK_WRITE_POSTED);

	return n < 0 ? (int)n : vfk_region_flush(all->dev);
}

static int irq_step(struct all *all)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ret;

	ret = vfk_irq_set_eventfds(all->dev, MSIX, 0, 1, &fd);
	if (!ret)
		ret = vfk_irq_disable(all->dev, MSIX);
	close(fd);
	return ret;
}

/* For ever: a loss must end it, or the test hangs. */
static int wait_step(struct all *all)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ret;
	uint64_t count;

	ret = vfk_irq_wait(all->dev, &fd, 1, atomic_load(&all->stop) ? 0 : -1, &count);
	close(fd);
	return ret;
}

static int map_step(struct all *all)
{
	void *addr;
	int ret = vfk_region_map(all->dev, BUFFER_BAR, 0, PAGE, PROT_READ | PROT_WRITE, &addr);

	if (ret)
		return ret;
	*(volatile uint32_t *)addr = 1;
	return vfk_region_unmap(all->dev, addr);
}

static int dma_step(struct all *all)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	int ret = vfk_dma_alloc(all->space, PAGE, VFK_DMA_READ | VFK_DMA_WRITE, &b);

	return ret ? ret : vfk_dma_free(all->space, &b);
}

static int dispatch_step(struct all *all)
{
	int ret = vfk_device_dispatch(all->dev);

	sched_yield();
	return ret < 0 ? ret : vfk_device_check(all->dev);
}

static void *work(void *arg)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct worker *w = arg;

	while (!atomic_load(&w->all->stop) && !w->bad) {
		int ret = w->step(w->all);

		if (ret == -ECONNRESET) {
			nanosleep(&pause, NULL);
		} else if (ret) {
			w->bad = ret;
			snprintf(w->text, sizeof(w->text), "%s", vfk_error());
		} else {
			atomic_fetch_add(&w->all->good, 1);
		}
	}
	return NULL;
}

static void await(atomic_ullong *count, unsigned long long more)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned long long from = atomic_load(count);

	for (int i = 0; i < 30000 && atomic_load(count) < from + more; i++)
		nanosleep(&pause, NULL);
	assert_true(atomic_load(count) >= from + more);
}

static void lose_with(struct all *all, struct serve *serve, unsigned int round)
{
	uint64_t v;

	serve_kill(serve);
	/* every second time somebody else finds out first */
	if (round % 2)
		assert_int_equal(vfk_region_get(all->dev, BAR0, 0, 4, &v), -ECONNRESET);
	while (vfk_device_epoch(all->dev) <= round)
		sched_yield();
	assert_int_equal(vfk_device_epoch(all->dev), round + 1);
	serve_start(serve, TESTDEV);
	if (vfk_device_reconnect(all->dev, round + 1)) {
		print_error("%s\n", vfk_error());
		fail();
	}
}

static void run_with(const char *options)
{
	static int (*const steps[])(struct all *) = { read_step, post_step, irq_step,	  wait_step,
						      map_step,	 dma_step,  dispatch_step };
	enum { WORKERS = sizeof(steps) / sizeof(steps[0]) };
	struct worker workers[WORKERS];
	struct all all = { .told = 0 };
	size_t fds = count_fds(), mappings = count_mappings();
	struct serve serve;
	char uri[192];

	serve_set_up(&serve);
	serve_start(&serve, TESTDEV);
	snprintf(uri, sizeof(uri), "vfio-user:%s,reconnect=60%s", serve.path, options);
	assert_int_equal(vfk_device_open(uri, NULL, &all.dev), 0);
	assert_int_equal(vfk_device_set_lost(all.dev, on_lost, &all), 0);
	assert_int_equal(vfk_dma_space_create(&all.space), 0);
	assert_int_equal(vfk_device_attach_dma(all.dev, all.space), 0);
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .all = &all, .step = steps[i] };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		await(&all.good, 100);
		lose_with(&all, &serve, round);
		assert_int_equal(all.told, round + 1);
	}
	await(&all.good, 100);
	atomic_store(&all.stop, true);
	serve_kill(&serve);
	for (size_t i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].bad)
			print_error("worker %zu: %d: %s\n", i, workers[i].bad, workers[i].text);
		assert_int_equal(workers[i].bad, 0);
	}
	vfk_device_close(all.dev);
	assert_int_equal(vfk_dma_space_destroy(all.space), 0);
	serve_tear_down(&serve);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(count_mappings(), mappings);
}

static void plain(void **state)
{
	(void)state;
	run_with("");
}

static void with_threads_of_its_own(void **state)
{
	(void)state;
	run_with(",twin=on,batch=200");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(with_threads_of_its_own),
	};

	return cmocka_run_group_tests_name("reconnect-threads", tests, NULL, NULL);
}
