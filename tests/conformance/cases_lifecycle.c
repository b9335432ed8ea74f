/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_lifecycle.c - opening, closing with everything alive, several threads. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define CONFIG	VFIO_PCI_CONFIG_REGION_INDEX
#define THREADS 4
#define ROUNDS	500

static void open_bad_options(struct t *t)
{
	struct vfk_open_opts opts = { .size = sizeof(opts), .flags = 1u << 31 };
	struct vfk_device *dev = NULL;

	CHECK_EQ(t, vfk_device_open("model:null", &opts, &dev), -EINVAL);
	opts.flags = 0;
	opts.timeout_ms = UINT32_MAX;
	CHECK_EQ(t, vfk_device_open("model:null", &opts, &dev), -ERANGE);
	CHECK_EQ(t, vfk_device_open("nonsense", NULL, &dev), -EINVAL);
	CHECK_EQ(t, vfk_device_open("nonsense:x", NULL, &dev), -EINVAL);
	CHECK_EQ(t, vfk_device_open("", NULL, &dev), -EINVAL);
	CHECK(t, dev == NULL);
	CHECK(t, vfk_error()[0] != '\0');
}

static void reopen_many_times(struct t *t)
{
	for (int i = 0; i < 25; i++)
		case_reopen(t);
}

/* The library undoes what the program left: interrupts, mappings, a space. */
static void close_with_everything_alive(struct t *t)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	struct vfk_dma_space *s = NULL;
	int fd = case_eventfd(t);

	case_need_pci(t);
	CHECK_OK(t, vfk_dma_space_create(&s));
	if (vfk_device_attach_dma(t->dev, s) == 0)
		CHECK_OK(t, vfk_dma_alloc(s, 65536, VFK_DMA_READ | VFK_DMA_WRITE, &b));
	if (case_irq(t, VFIO_PCI_MSI_IRQ_INDEX).count)
		CHECK_OK(t, vfk_irq_set_eventfds(t->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd));
	case_reopen(t);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1), -EINVAL);
	CHECK_EQ(t, case_count(t, fd), 0);
	if (b.vaddr)
		CHECK_OK(t, vfk_dma_free(s, &b));
	CHECK_OK(t, vfk_dma_space_destroy(s));
	close(fd);
}

struct worker {
	struct t *t;
	pthread_t thread;
	unsigned int id;
	uint32_t ids; /* what vendor and device read as */
	long bad;
};

static void *read_and_write(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t v = 0;

		if (vfk_region_get(w->t->dev, CONFIG, PCI_VENDOR_ID, 4, &v) != 0 || v != w->ids)
			w->bad++;
		if (vfk_region_put(w->t->dev, CONFIG, PCI_CACHE_LINE_SIZE, 1, w->id) != 0)
			w->bad++;
		if (vfk_region_get(w->t->dev, CONFIG, PCI_CLASS_REVISION, 4, &v) != 0)
			w->bad++;
	}
	return NULL;
}

static void threads_share_a_device(struct t *t)
{
	struct worker w[THREADS];

	case_need_pci(t);
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .t = t, .id = i };
		w[i].ids = (uint32_t)case_get(t, CONFIG, PCI_VENDOR_ID, 4);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK_OK(t, pthread_create(&w[i].thread, NULL, read_and_write, &w[i]));
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		CHECK_EQ(t, w[i].bad, 0);
	}
}

struct waiter {
	struct t *t;
	int fd;
	int got;
};

static void *wait_for_irq(void *arg)
{
	struct waiter *w = arg;
	uint64_t count;

	w->got = vfk_irq_wait(w->t->dev, &w->fd, 1, 5000, &count);
	return NULL;
}

/* One thread waits for the interrupt that another provokes; both need the device's connection. */
static void threads_wait_and_access(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct waiter w = { .t = t, .fd = case_eventfd(t) };
	pthread_t thread;

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &w.fd));
	CHECK_OK(t, pthread_create(&thread, NULL, wait_for_irq, &w));
	for (int i = 0; i < ROUNDS; i++)
		(void)case_get(t, e->bar, e->scratch, 4);
	e->raise(t);
	pthread_join(thread, NULL);
	CHECK_EQ(t, w.got, 1);
	e->ack(t);
	close(w.fd);
}

const struct vfk_case vfk_cases_lifecycle[] = {
	{ "open_bad_options", open_bad_options },
	{ "reopen_many_times", reopen_many_times },
	{ "close_with_everything_alive", close_with_everything_alive },
	{ "threads_share_a_device", threads_share_a_device },
	{ "threads_wait_and_access", threads_wait_and_access },
	{ NULL, NULL },
};
