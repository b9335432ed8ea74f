/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_arm.c - bringing into the device what is remembered: at first, and again after it was off.
 *
 * With the lock held.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include <inttypes.h>
#include <stdio.h>

/* A device may say "only n" again and again, each time with one less; an honest one needs 12 halvings for 2048. */
#define MAX_TRIES 16

static bool device_masks(const struct vfki_pci_vectors *v)
{
	return v->info.flags & VFIO_IRQ_INFO_MASKABLE;
}

/* What the device is to have for a vector. */
static int fd_for_device(const struct vfki_pci_vectors *v, uint32_t i)
{
	const struct vfki_pci_vector *vec = &v->vector[i];

	if (vec->fd >= 0 && vec->masked && !device_masks(v))
		return vec->collector;
	return vec->fd;
}

/* Returns 0; n > 0: only n can be had; -errno. */
static int send(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t start, uint32_t count)
{
	int ret = vfk_irq_set_eventfds(pci->dev, v->info.index, start, count, v->fds);

	return ret == -EMFILE ? vfki_pci_descriptors_short(pci, v->num) : ret;
}

static int too_many(struct vfk_pci *pci, const struct vfki_pci_vectors *v, uint32_t had,
		    uint32_t need)
{
	if (!had)
		return vfki_err(-ENOSPC, "%s: %s: %" PRIu32 " vectors cannot be had",
				vfki_pci_name(pci), vfki_pci_irq_name(v->info.index), need);
	return vfki_err(-ENOSPC, "%s: %s: only %" PRIu32 " vectors can be had, need %" PRIu32,
			vfki_pci_name(pci), vfki_pci_irq_name(v->info.index), had, need);
}

int vfki_pci_vectors_put(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t start,
			 uint32_t count)
{
	int ret;

	for (uint32_t i = 0; i < count; i++)
		v->fds[i] = fd_for_device(v, start + i);
	ret = send(pci, v, start, count);
	return ret > 0 ? too_many(pci, v, (uint32_t)ret, start + count) : ret;
}

void vfki_pci_vector_again(struct vfk_pci *pci, uint32_t vector)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	char before[VFKI_ERROR_SIZE], why[VFKI_ERROR_SIZE];

	snprintf(before, sizeof(before), "%s", vfk_error());
	if (vfki_pci_vectors_put(pci, v, vector, 1) < 0) {
		snprintf(why, sizeof(why), "%s", vfk_error());
		vfki_err(0, "%s; and the vector may have lost its eventfd: %s", before, why);
		return;
	}
	if (v->forgets)
		vfki_pci_vector_owe(pci, &v->vector[vector]);
	vfki_err(0, "%s", before);
}

/* The next number to ask for after @ret; 0: none. */
static uint32_t next_number(uint32_t n, uint32_t min, int ret)
{
	if (ret > 0)
		return (uint32_t)ret < n && (uint32_t)ret >= min ? (uint32_t)ret : 0;
	if (ret != -ENOSPC || n <= min)
		return 0;
	return n / 2 > min ? n / 2 : min;
}

int vfki_pci_vectors_arm_most(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t min)
{
	/* without a vector: enabled by arming the first one with nothing */
	uint32_t n = v->num ? v->num : 1, next = n;
	int ret = 0;

	for (uint32_t i = 0; i < n; i++)
		v->fds[i] = v->vector[i].fd;
	for (int i = 0; i < MAX_TRIES && next; i++) {
		n = next;
		ret = send(pci, v, 0, n);
		if (!ret) {
			if (n < v->num)
				vfki_pci_vectors_shrink(v, n);
			return 0;
		}
		next = next_number(n, min, ret);
	}
	if (ret > 0 || ret == -ENOSPC)
		return too_many(pci, v, ret > 0 ? (uint32_t)ret : 0, min);
	return ret;
}

/* ---- after it was off ---- */

/* Of messages that the device masks nothing may come between arming and masking: they get their eventfd last. */
static int arm_held(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t start, uint32_t count)
{
	bool hold = device_masks(v) && v->info.index != VFIO_PCI_INTX_IRQ_INDEX;
	int ret;

	for (uint32_t i = 0; i < count; i++)
		v->fds[i] = hold && v->vector[start + i].masked ? -1 : fd_for_device(v, start + i);
	ret = send(pci, v, start, count);
	return ret > 0 ? too_many(pci, v, (uint32_t)ret, start + count) : ret;
}

static int arm(struct vfk_pci *pci, struct vfki_pci_vectors *v)
{
	int ret = arm_held(pci, v, 0, v->base ? v->base : 1);

	for (uint32_t i = v->base; i < v->num && !ret; i++) {
		if (v->vector[i].fd >= 0)
			ret = arm_held(pci, v, i, 1);
	}
	return ret;
}

static uint32_t run_of_masked(const struct vfki_pci_vectors *v, uint32_t start)
{
	uint32_t n = 0;

	while (start + n < v->num && v->vector[start + n].masked)
		n++;
	return n;
}

static int mask(struct vfk_pci *pci, struct vfki_pci_vectors *v)
{
	int ret = 0;

	if (!device_masks(v))
		return 0;
	for (uint32_t i = 0, n; i < v->num && !ret; i += n ? n : 1) {
		n = run_of_masked(v, i);
		if (!n)
			continue;
		ret = vfk_irq_mask(pci->dev, v->info.index, i, n);
		if (!ret && v->info.index != VFIO_PCI_INTX_IRQ_INDEX)
			ret = vfki_pci_vectors_put(pci, v, i, n);
	}
	return ret;
}

/* Rather nothing of it than a part. */
static int bring_back(struct vfk_pci *pci)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	char why[VFKI_ERROR_SIZE];
	int ret = arm(pci, v);

	if (!ret)
		ret = mask(pci, v);
	if (!ret && v->resample >= 0)
		ret = vfk_irq_set_unmask_eventfd(pci->dev, v->info.index, 0, v->resample);
	if (!ret)
		return 0;
	snprintf(why, sizeof(why), "%s", vfk_error());
	pci->irqs.unsure = vfk_irq_disable(pci->dev, v->info.index) < 0;
	if (pci->irqs.unsure)
		return vfki_err(ret, "%s; and some may be armed, since disabling failed: %s", why,
				vfk_error());
	return vfki_err(ret, "%s", why);
}

void vfki_pci_vector_owe(struct vfk_pci *pci, struct vfki_pci_vector *vec)
{
	if (vec->masked)
		vec->owed = true;
	else if (vec->fd >= 0)
		(void)vfki_signaller_signal(pci->irqs.signaller, vec->fd);
}

static void owe_first(struct vfk_pci *pci, uint32_t n)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;

	if (v->info.index == VFIO_PCI_INTX_IRQ_INDEX)
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (v->vector[i].fd >= 0)
			vfki_pci_vector_owe(pci, &v->vector[i]);
	}
}

void vfki_pci_irqs_bridge_gap(struct vfk_pci *pci)
{
	owe_first(pci, pci->irqs.now.num);
}

int vfki_pci_irqs_rearm(struct vfk_pci *pci, uint32_t before)
{
	int ret = bring_back(pci);

	if (!ret)
		owe_first(pci, before);
	return ret;
}

void vfki_pci_irqs_come_back(struct vfk_pci *pci)
{
	char before[VFKI_ERROR_SIZE], why[VFKI_ERROR_SIZE];

	snprintf(before, sizeof(before), "%s", vfk_error());
	if (!vfki_pci_irqs_rearm(pci, pci->irqs.now.num)) {
		vfki_err(0, "%s", before);
		return;
	}
	pci->irqs.quiesced = true;
	snprintf(why, sizeof(why), "%s", vfk_error());
	vfki_err(0, "%s; and what was enabled before could not be restored: %s", before, why);
}

int vfki_pci_irqs_quiesce(struct vfk_pci *pci)
{
	struct vfki_pci_irqs *irqs = &pci->irqs;
	int ret;

	if (irqs->now.info.index == VFK_PCI_IRQ_NONE || (irqs->quiesced && !irqs->unsure))
		return 0;
	ret = vfk_irq_disable(pci->dev, irqs->now.info.index);
	if (!ret) {
		irqs->quiesced = true;
		irqs->unsure = false;
	}
	return ret;
}

int vfki_pci_irqs_restore(struct vfk_pci *pci)
{
	struct vfki_pci_irqs *irqs = &pci->irqs;
	int ret;

	if (!irqs->quiesced)
		return 0;
	ret = irqs->unsure ? vfki_pci_irqs_quiesce(pci) : 0;
	if (!ret)
		ret = bring_back(pci);
	if (ret < 0)
		return vfki_err_prefix(ret, "interrupts are off, and cannot be restored");
	irqs->quiesced = false;
	return 0;
}
