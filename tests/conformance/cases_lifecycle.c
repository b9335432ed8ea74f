/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_lifecycle.c - opening, closing with everything alive, several threads. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

/* Who closes after a failure can still tell its reason. */
static void close_keeps_the_error(struct t *t)
{
	struct vfk_irq_info info = { 0 };
	char text[512];

	CHECK_EQ(t, vfk_irq_get_info(t->dev, UINT32_MAX, &info), -EINVAL);
	snprintf(text, sizeof(text), "%s", vfk_error());
	CHECK(t, text[0] != '\0');
	vfk_device_close(t->dev);
	t->dev = NULL;
	CHECK(t, !strcmp(vfk_error(), text));
	CHECK_OK(t, case_open(t));
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

/* Nothing was asked of the device: there is nothing to do, and nothing to wait for. */
static void dispatch_idle(struct t *t)
{
	for (int i = 0; i < 3; i++) {
		uint64_t start = case_now_ms();
		int ret = vfk_device_dispatch(t->dev);

		CHECK(t, ret == 0 || ret == -ENOTSUP);
		CHECK(t, case_now_ms() - start < 1000);
	}
}

/* How many descriptors a program would inherit that is run now. */
static int inherited(void)
{
	int n = 0;

	for (int fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);

		n += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	return n;
}

/* Maps the first area that there is, if any; closing the device takes it back. */
static void map_something(struct t *t)
{
	for (uint32_t i = 0; i < vfk_device_num_regions(t->dev); i++) {
		const struct vfk_region_info *info = case_region(t, i);
		void *addr;

		if (!info->num_areas || !(info->flags & VFIO_REGION_INFO_FLAG_READ))
			continue;
		CHECK_OK(t, vfk_region_map(t->dev, i, info->areas[0].offset, info->areas[0].length,
					   PROT_READ, &addr));
		return;
	}
}

static void descriptors_close_on_exec(struct t *t)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	struct vfk_dma_space *s = NULL;
	int before, fd = case_eventfd(t);

	vfk_device_close(t->dev);
	t->dev = NULL;
	before = inherited();
	CHECK_OK(t, case_open(t));
	CHECK_OK(t, vfk_dma_space_create(&s));
	if (vfk_device_attach_dma(t->dev, s) == 0)
		CHECK_OK(t, vfk_dma_alloc(s, 4096, VFK_DMA_READ, &b));
	for (uint32_t i = vfk_device_num_irqs(t->dev); i-- > 0;) {
		if (!case_irq(t, i).count)
			continue;
		CHECK_OK(t, vfk_irq_set_eventfds(t->dev, i, 0, 1, &fd));
		break;
	}
	map_something(t);
	(void)vfk_device_poll_fd(t->dev);
	if (inherited() != before)
		FAIL(t, "%d descriptors do not close on exec", inherited() - before);
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
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
	struct engine_run run = engine_begin(t, e, NULL);
	pthread_t thread;

	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, engine_message_irq(t), 0, 1, &w.fd));
	CHECK_OK(t, pthread_create(&thread, NULL, wait_for_irq, &w));
	for (int i = 0; i < ROUNDS; i++)
		(void)case_get(t, e->bar, e->scratch, 4);
	e->raise(t);
	pthread_join(thread, NULL);
	CHECK_EQ(t, w.got, 1);
	e->ack(t);
	engine_end(t, &run);
	close(w.fd);
}

/* Nothing was lost: there is nothing to acknowledge, whether or not the device could come back. */
static void reconnect_without_loss(struct t *t)
{
	struct vfk_irq_info info;
	int ret;

	CHECK_EQ(t, vfk_device_epoch(t->dev), 0);
	ret = vfk_device_reconnect(t->dev, 0);
	CHECK(t, ret == -ENOTSUP || ret == -EALREADY);
	CHECK(t, vfk_error()[0] != '\0');
	CHECK_EQ(t, vfk_device_reconnect(t->dev, 1), ret == -ENOTSUP ? -ENOTSUP : -ESTALE);
	CHECK_EQ(t, vfk_device_set_lost(t->dev, NULL, NULL), ret == -ENOTSUP ? -ENOTSUP : 0);
	/* it is in use as before */
	CHECK_OK(t, vfk_device_check(t->dev));
	if (vfk_device_num_irqs(t->dev))
		CHECK_OK(t, vfk_irq_get_info(t->dev, 0, &info));
	CHECK_EQ(t, vfk_device_epoch(t->dev), 0);
}

const struct vfk_case vfk_cases_lifecycle[] = {
	{ "open_bad_options", open_bad_options },
	{ "close_keeps_the_error", close_keeps_the_error },
	{ "reopen_many_times", reopen_many_times },
	{ "close_with_everything_alive", close_with_everything_alive },
	{ "dispatch_idle", dispatch_idle },
	{ "reconnect_without_loss", reconnect_without_loss },
	{ "descriptors_close_on_exec", descriptors_close_on_exec },
	{ "threads_share_a_device", threads_share_a_device },
	{ "threads_wait_and_access", threads_wait_and_access },
	{ NULL, NULL },
};
