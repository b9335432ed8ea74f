/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_pci_irq.c - interrupts as a driver has them: kinds, vectors, masks, notifiers. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define INTX VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX

static struct vfk_pci *open_pci(struct t *t)
{
	struct vfk_pci *pci = NULL;

	case_need_pci(t);
	CHECK_OK(t, vfk_pci_open(t->dev, &pci));
	return pci;
}

static uint32_t count_of(struct t *t, uint32_t index)
{
	return index < vfk_device_num_irqs(t->dev) ? case_irq(t, index).count : 0;
}

static void need_some(struct t *t)
{
	if (!count_of(t, INTX) && !count_of(t, MSI) && !count_of(t, MSIX))
		case_skip("the device has no interrupt");
}

/* MSI-X or MSI, of which there must be @n vectors. */
static uint32_t messages(struct t *t, uint32_t n)
{
	for (uint32_t index = MSIX; index >= MSI; index--) {
		if (count_of(t, index) >= n)
			return index;
	}
	case_skip("no messages, or too few vectors");
}

/* The library's eventfd of a vector gets a signal that is made by software. */
static void arrives(struct t *t, struct vfk_pci *pci, uint32_t index, uint32_t vector)
{
	int fd = vfk_pci_irq_fd(pci, vector);

	CHECK(t, fd >= 0);
	(void)case_count(t, fd);
	CHECK_OK(t, vfk_irq_trigger(t->dev, index, vector, 1));
	case_wait(t, fd);
}

static void state_is(struct t *t, struct vfk_pci *pci, uint32_t index, uint32_t count)
{
	struct vfk_pci_irq_state state;

	vfk_pci_irq_get_state(pci, &state);
	CHECK_EQ(t, state.index, index);
	CHECK_EQ(t, state.count, count);
	CHECK(t, !state.quiesced);
}

/* ---- enabling ---- */

static void pci_irq_best(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_irq_state state;
	int n;

	need_some(t);
	state_is(t, pci, VFK_PCI_IRQ_NONE, 0);
	n = vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 4, NULL);
	CHECK(t, n >= 1);
	CHECK(t, n <= 4);
	vfk_pci_irq_get_state(pci, &state);
	CHECK_EQ(t, state.index, count_of(t, MSIX) ? MSIX : count_of(t, MSI) ? MSI : INTX);
	CHECK_EQ(t, state.count, n);
	for (int i = 0; i < n; i++)
		arrives(t, pci, state.index, (uint32_t)i);
	CHECK_OK(t, vfk_pci_irq_disable(pci));
	CHECK_EQ(t, vfk_irq_trigger(t->dev, state.index, 0, 1), -EINVAL);
	state_is(t, pci, VFK_PCI_IRQ_NONE, 0);
	vfk_pci_close(pci);
}

/* What is still enabled when the struct is closed is off after it. */
static void pci_irq_close_disables(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_irq_state state;

	need_some(t);
	CHECK(t, vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 1, NULL) == 1);
	vfk_pci_irq_get_state(pci, &state);
	vfk_pci_close(pci);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, state.index, 0, 1), -EINVAL);
}

/* Of @max vectors only @n can be had: who cannot do with fewer than all gets none, and keeps what there is. */
static void no_more_than(struct t *t, struct vfk_pci *pci, uint32_t index, uint32_t n, uint32_t max)
{
	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, max, max, NULL), -ENOSPC);
	state_is(t, pci, index, n);
	arrives(t, pci, index, n - 1);
	CHECK_OK(t, vfk_pci_irq_disable(pci));
	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, max, max, NULL), -ENOSPC);
	state_is(t, pci, VFK_PCI_IRQ_NONE, 0);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, index, 0, 1), -EINVAL);
	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, n, max, NULL), n);
}

static void vectors_of(struct t *t, struct vfk_pci *pci, uint32_t index)
{
	uint32_t max = count_of(t, index) < 32 ? count_of(t, index) : 32;
	int n = vfk_pci_irq_enable(pci, index, 1, max, NULL);

	CHECK(t, n >= 1);
	CHECK(t, (uint32_t)n <= max);
	if ((uint32_t)n < max)
		no_more_than(t, pci, index, (uint32_t)n, max);
	for (int i = 0; i < n; i++) {
		arrives(t, pci, index, (uint32_t)i);
		for (int k = 0; k < n; k++)
			CHECK_EQ(t, case_count(t, vfk_pci_irq_fd(pci, (uint32_t)k)), 0);
	}
	CHECK_EQ(t, vfk_pci_irq_fd(pci, (uint32_t)n), -EINVAL);
}

/* As many as can be had, each its own; and of "only so many" no caller sees anything. */
static void pci_irq_vectors(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);

	need_some(t);
	for (uint32_t index = INTX; index <= MSIX; index++) {
		if (count_of(t, index))
			vectors_of(t, pci, index);
	}
	vfk_pci_close(pci);
}

static void pci_irq_switch(struct t *t)
{
	static const uint32_t order[] = { INTX, MSI, MSIX, MSI, INTX, MSIX, INTX };
	struct vfk_pci *pci = open_pci(t);
	uint32_t last = VFK_PCI_IRQ_NONE;
	int kinds = 0;

	for (uint32_t index = INTX; index <= MSIX; index++)
		kinds += count_of(t, index) > 0;
	if (kinds < 2)
		case_skip("fewer than two kinds of interrupt");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!count_of(t, order[i]))
			continue;
		CHECK_EQ(t, vfk_pci_irq_enable(pci, order[i], 1, 1, NULL), 1);
		state_is(t, pci, order[i], 1);
		arrives(t, pci, order[i], 0);
		if (last != VFK_PCI_IRQ_NONE && last != order[i])
			CHECK_EQ(t, vfk_irq_trigger(t->dev, last, 0, 1), -EINVAL);
		last = order[i];
	}
	vfk_pci_close(pci);
}

/* What cannot be had leaves what there is. */
static void pci_irq_switch_fails(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	struct vfk_pci_irq_state state;
	int none = -2;

	need_some(t);
	CHECK(t, vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 1, NULL) == 1);
	vfk_pci_irq_get_state(pci, &state);
	for (uint32_t index = INTX; index <= MSIX; index++) {
		uint32_t n = count_of(t, index);

		CHECK_EQ(t, vfk_pci_irq_enable(pci, index, n + 1, n + 1, NULL),
			 n ? -ENOSPC : -ENOTSUP);
		state_is(t, pci, state.index, 1);
		arrives(t, pci, state.index, 0);
	}
	CHECK_EQ(t, vfk_pci_irq_enable(pci, VFIO_PCI_REQ_IRQ_INDEX, 1, 1, NULL), -EINVAL);
	CHECK_EQ(t, vfk_pci_irq_set_fd(pci, 0, none), -EINVAL);
	arrives(t, pci, state.index, 0);
	vfk_pci_close(pci);
}

static void pci_irq_no_vector(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	int fd;

	if (!count_of(t, MSIX))
		case_skip("no MSI-X");
	CHECK_EQ(t, vfk_pci_irq_enable(pci, MSIX, 0, 0, NULL), 0);
	state_is(t, pci, MSIX, 0);
	fd = case_eventfd(t);
	CHECK_OK(t, vfk_pci_irq_set_fd(pci, 0, fd));
	state_is(t, pci, MSIX, 1);
	arrives(t, pci, MSIX, 0);
	vfk_pci_close(pci);
	close(fd);
}

static void pci_irq_later(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t index = messages(t, 3);
	int fd = case_eventfd(t), ret;

	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, 1, 1, NULL), 1);
	ret = vfk_pci_irq_set_fd(pci, 2, fd);
	if (ret == -ENOSPC) {
		state_is(t, pci, index, 1);
		arrives(t, pci, index, 0);
		case_skip("fewer vectors can be had than there are");
	}
	CHECK_OK(t, ret);
	state_is(t, pci, index, 3);
	arrives(t, pci, index, 2);
	arrives(t, pci, index, 0);
	CHECK_EQ(t, vfk_pci_irq_fd(pci, 1), -ENOENT);
	CHECK_OK(t, vfk_pci_irq_set_fd(pci, 2, -1));
	CHECK_EQ(t, vfk_pci_irq_fd(pci, 2), -ENOENT);
	(void)case_count(t, fd);
	(void)vfk_irq_trigger(t->dev, index, 2, 1);
	case_quiet(t, fd);
	arrives(t, pci, index, 0);
	CHECK_EQ(t, vfk_pci_irq_set_fd(pci, count_of(t, index), fd), -EINVAL);
	vfk_pci_close(pci);
	close(fd);
}

/* ---- masks ---- */

/* The library's own mask holds software's signals, too: they go to what the device has. */
static void pci_irq_mask_of_the_library(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	bool pending = true;
	uint32_t index;
	int fd;

	for (index = MSIX; index > INTX; index--) {
		if (count_of(t, index) &&
		    vfk_pci_irq_masks_in(pci, index) == VFK_PCI_IRQ_MASK_LIBRARY)
			break;
	}
	if (index == INTX)
		case_skip("the device masks all that it has");
	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, 1, 1, NULL), 1);
	fd = vfk_pci_irq_fd(pci, 0);
	CHECK_OK(t, vfk_pci_irq_mask(pci, 0));
	CHECK_OK(t, vfk_pci_irq_pending(pci, 0, &pending));
	CHECK(t, !pending);
	CHECK_OK(t, vfk_irq_trigger(t->dev, index, 0, 1));
	CHECK_OK(t, vfk_irq_trigger(t->dev, index, 0, 1));
	case_quiet(t, fd);
	CHECK_OK(t, vfk_pci_irq_pending(pci, 0, &pending));
	CHECK(t, pending);
	CHECK_OK(t, vfk_pci_irq_unmask(pci, 0));
	CHECK_EQ(t, case_count(t, fd), 1);
	CHECK_OK(t, vfk_pci_irq_pending(pci, 0, &pending));
	CHECK(t, !pending);
	arrives(t, pci, index, 0);
	vfk_pci_close(pci);
}

/* With one vector, and with nothing to tell from the cases before. */
static int enable_idle(struct t *t, const struct engine *e, struct vfk_pci *pci, uint32_t index)
{
	int fd;

	e->ack(t);
	CHECK_EQ(t, vfk_pci_irq_enable(pci, index, 1, 1, NULL), 1);
	fd = vfk_pci_irq_fd(pci, 0);
	(void)case_count(t, fd);
	return fd;
}

/* Whoever masks, what the device raises meanwhile comes at the end, and nothing before. */
static void mask_holds(struct t *t, const struct engine *e, struct vfk_pci *pci, uint32_t index)
{
	bool pending = false;
	int fd = enable_idle(t, e, pci, index), ret;

	for (int i = 0; i < 3; i++) {
		CHECK_OK(t, vfk_pci_irq_mask(pci, 0));
		e->raise(t);
		case_quiet(t, fd);
		ret = vfk_pci_irq_pending(pci, 0, &pending);
		CHECK(t, ret == -ENOTSUP || (ret == 0 && pending));
		CHECK_OK(t, vfk_pci_irq_unmask(pci, 0));
		case_wait(t, fd);
		e->ack(t);
		(void)vfk_pci_irq_unmask(pci, 0); /* what masks itself */
	}
	case_quiet(t, fd);
	e->raise(t);
	case_wait(t, fd);
	e->ack(t);
}

static void pci_irq_mask_holds(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct engine_run run;
	struct vfk_pci *pci = open_pci(t);

	need_some(t);
	run = engine_begin(t, e, NULL);
	for (uint32_t index = INTX; index <= MSIX; index++) {
		if (count_of(t, index))
			mask_holds(t, e, pci, index);
	}
	vfk_pci_close(pci);
	engine_end(t, &run);
}

/* ---- INTx ---- */

static void pci_irq_intx_loop(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct engine_run run;
	struct vfk_pci *pci = open_pci(t);
	int fd;

	if (!count_of(t, INTX))
		case_skip("no INTx");
	run = engine_begin(t, e, NULL);
	fd = enable_idle(t, e, pci, INTX);
	e->raise(t);
	case_wait(t, fd);
	case_quiet(t, fd);
	CHECK_OK(t, vfk_pci_irq_unmask(pci, 0));
	case_wait(t, fd); /* still asserted */
	e->ack(t);
	CHECK_OK(t, vfk_pci_irq_unmask(pci, 0));
	case_quiet(t, fd);
	vfk_pci_close(pci);
	engine_end(t, &run);
}

static void pci_irq_intx_resample(struct t *t)
{
	const struct engine *e = engine_find(t);
	struct engine_run run;
	struct vfk_pci *pci = open_pci(t);
	int fd, resample = case_eventfd(t), ret;
	uint64_t one = 1;

	if (!count_of(t, INTX))
		case_skip("no INTx");
	run = engine_begin(t, e, NULL);
	fd = enable_idle(t, e, pci, INTX);
	ret = vfk_pci_irq_set_resample_fd(pci, resample);
	if (ret == -ENOTSUP)
		case_skip("no unmask eventfd");
	CHECK_OK(t, ret);
	CHECK_OK(t, vfk_pci_irq_set_resample_fd(pci, resample)); /* in the place of the first */
	e->raise(t);
	case_wait(t, fd);
	CHECK_EQ(t, write(resample, &one, 8), 8);
	case_wait(t, fd);
	e->ack(t);
	CHECK_EQ(t, write(resample, &one, 8), 8);
	case_quiet(t, fd);
	CHECK_OK(t, vfk_pci_irq_disable(pci));
	CHECK_EQ(t, vfk_pci_irq_set_resample_fd(pci, resample), -EINVAL);
	vfk_pci_close(pci);
	engine_end(t, &run);
	close(resample);
}

/* ---- notifiers ---- */

static void notifier(struct t *t, struct vfk_pci *pci, uint32_t index,
		     int (*set)(struct vfk_pci *pci, int fd))
{
	int fd = case_eventfd(t);

	if (!count_of(t, index)) {
		CHECK_EQ(t, set(pci, fd), -ENOTSUP);
		close(fd);
		return;
	}
	CHECK_OK(t, set(pci, fd));
	CHECK_OK(t, vfk_irq_trigger(t->dev, index, 0, 1));
	case_wait(t, fd);
	CHECK_OK(t, set(pci, -1));
	CHECK_OK(t, set(pci, -1));
	(void)vfk_irq_trigger(t->dev, index, 0, 1);
	case_quiet(t, fd);
	CHECK_OK(t, set(pci, fd)); /* for closing to take away */
	close(fd);
}

/* Beside whatever kind is enabled. */
static void pci_irq_notifiers(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);

	need_some(t);
	CHECK(t, vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 1, NULL) == 1);
	notifier(t, pci, VFIO_PCI_ERR_IRQ_INDEX, vfk_pci_set_err_fd);
	notifier(t, pci, VFIO_PCI_REQ_IRQ_INDEX, vfk_pci_set_req_fd);
	vfk_pci_close(pci);
	for (uint32_t index = VFIO_PCI_ERR_IRQ_INDEX; index <= VFIO_PCI_REQ_IRQ_INDEX; index++) {
		if (count_of(t, index))
			CHECK_EQ(t, vfk_irq_trigger(t->dev, index, 0, 1), -EINVAL);
	}
}

/* ---- all of them ---- */

static void need_descriptors(uint32_t vectors)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 2 * vectors + 128)
		case_skip("%u vectors need more open files than %llu", vectors,
			  (unsigned long long)limit.rlim_cur);
}

/* Each of @n eventfds has been signalled once. */
static void each_once(struct t *t, const int *fds, uint32_t n)
{
	uint64_t *counts = calloc(n, sizeof(*counts)), *sums = calloc(n, sizeof(*sums));
	uint64_t end = case_now_ms() + 20000;
	uint32_t seen = 0;

	CHECK(t, counts && sums);
	while (seen < n) {
		CHECK(t, case_now_ms() < end);
		CHECK(t, vfk_irq_wait(t->dev, fds, n, 5000, counts) > 0);
		for (uint32_t i = 0; i < n; i++) {
			seen += !sums[i] && counts[i];
			sums[i] += counts[i];
		}
	}
	CHECK_EQ(t, vfk_irq_wait(t->dev, fds, n, 30, counts), -ETIMEDOUT);
	for (uint32_t i = 0; i < n; i++)
		CHECK_EQ(t, sums[i], 1);
	free(counts);
	free(sums);
}

/* Every vector that can be had is armed at once; each is fired, by the device itself where it can be told to. */
static void pci_irq_all_vectors(struct t *t)
{
	struct vfk_pci *pci = open_pci(t);
	uint32_t index = messages(t, 1), max = count_of(t, index);
	const struct engine *e = engine_known(t) ? engine_find(t) : NULL;
	int n, *fds;

	need_descriptors(max);
	n = vfk_pci_irq_enable(pci, index, 1, max, NULL);
	CHECK(t, n >= 1);
	fds = calloc((size_t)n, sizeof(*fds));
	CHECK(t, fds != NULL);
	for (int i = 0; i < n; i++)
		fds[i] = vfk_pci_irq_fd(pci, (uint32_t)i);
	for (int i = 0; i < n; i++)
		(void)case_count(t, fds[i]); /* pending from the cases before */
	for (int i = 0; i < n; i++) {
		if (e && e->raise_vector)
			e->raise_vector(t, (uint32_t)i);
		else
			CHECK_OK(t, vfk_irq_trigger(t->dev, index, (uint32_t)i, 1));
	}
	each_once(t, fds, (uint32_t)n);
	free(fds);
	vfk_pci_close(pci);
}

const struct vfk_case vfk_cases_pci_irq[] = {
	{ "pci_irq_best", pci_irq_best },
	{ "pci_irq_close_disables", pci_irq_close_disables },
	{ "pci_irq_vectors", pci_irq_vectors },
	{ "pci_irq_switch", pci_irq_switch },
	{ "pci_irq_switch_fails", pci_irq_switch_fails },
	{ "pci_irq_no_vector", pci_irq_no_vector },
	{ "pci_irq_later", pci_irq_later },
	{ "pci_irq_mask_of_the_library", pci_irq_mask_of_the_library },
	{ "pci_irq_mask_holds", pci_irq_mask_holds },
	{ "pci_irq_intx_loop", pci_irq_intx_loop },
	{ "pci_irq_intx_resample", pci_irq_intx_resample },
	{ "pci_irq_notifiers", pci_irq_notifiers },
	{ "pci_irq_all_vectors", pci_irq_all_vectors },
	{ NULL, NULL },
};
