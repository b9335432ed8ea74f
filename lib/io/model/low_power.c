/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * low_power.c - the low power features; see low_power.h. What they do in which state is what vfio_pci_core.c of Linux
 * does, where every call on the device but the entry itself keeps it awake while it runs.
 *
 * Threads: under the model's lock, but vfk_model_wake() and vfk_model_low_power(): any.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <string.h>

void vfki_low_power_init(struct vfk_model *m)
{
	m->low_power = (struct vfki_low_power){ .wakeup = -1 };
}

void vfki_low_power_fini(struct vfk_model *m)
{
	vfki_fd_close(m->low_power.wakeup);
	m->low_power.wakeup = -1;
}

/* Tells whoever waits for it; then the device stays awake. */
static void wake(struct vfk_model *m)
{
	struct vfki_low_power *p = &m->low_power;

	vfki_lock_take(&m->irqs.lock);
	if (atomic_load(&p->engaged) && p->wakeup >= 0) {
		vfki_irq_signal(m, p->wakeup);
		vfki_fd_close(p->wakeup);
		p->wakeup = -1;
		atomic_store(&p->engaged, false);
	}
	vfki_lock_drop(&m->irqs.lock);
}

static void watch(struct vfk_model *m, bool on)
{
	m->low_power.watched = on;
	vfki_bars_apply(m);
}

void vfki_low_power_wake(struct vfk_model *m)
{
	wake(m);
	if (!atomic_load(&m->low_power.engaged))
		watch(m, false);
}

void vfk_model_wake(struct vfk_model *m)
{
	wake(m);
}

bool vfk_model_low_power(const struct vfk_model *m)
{
	return atomic_load(&m->low_power.engaged);
}

/* Takes @wakeup in any case; -1: none. */
static int enter(struct vfk_model *m, int wakeup)
{
	struct vfki_low_power *p = &m->low_power;
	bool was;

	vfki_lock_take(&m->irqs.lock);
	was = atomic_load(&p->engaged);
	if (!was) {
		p->wakeup = wakeup;
		atomic_store(&p->engaged, true);
	}
	vfki_lock_drop(&m->irqs.lock);
	if (was) {
		vfki_fd_close(wakeup);
		return vfki_err(-EINVAL, "%s: low power was entered before", m->io.name);
	}
	watch(m, true);
	return 0;
}

static int enter_with_wakeup(struct vfk_model *m, const struct vfio_device_feature *feature)
{
	struct vfio_device_low_power_entry_with_wakeup entry;
	int fd;

	memcpy(&entry, feature->data, sizeof(entry));
	if (!vfki_fd_is_eventfd(entry.wakeup_eventfd))
		return vfki_err(-EINVAL, "%s: low power: file descriptor %d is no eventfd",
				m->io.name, entry.wakeup_eventfd);
	fd = vfki_fd_dup(entry.wakeup_eventfd);
	if (fd < 0)
		return vfki_err_sys(fd, "%s: low power: eventfd", m->io.name);
	return enter(m, fd);
}

static int leave(struct vfk_model *m)
{
	struct vfki_low_power *p = &m->low_power;

	vfki_lock_take(&m->irqs.lock);
	vfki_fd_close(p->wakeup);
	p->wakeup = -1;
	atomic_store(&p->engaged, false);
	vfki_lock_drop(&m->irqs.lock);
	watch(m, false);
	return 0;
}

int vfki_low_power_feature(struct vfk_model *m, const struct vfio_device_feature *feature)
{
	uint32_t id = feature->flags & VFIO_DEVICE_FEATURE_MASK;

	/* Without power management there is no state to go to. */
	if (!m->config.pm || id < VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY ||
	    id > VFIO_DEVICE_FEATURE_LOW_POWER_EXIT)
		return -ENOTSUP;
	if (feature->flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (id == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY)
		return enter(m, -1);
	if (id == VFIO_DEVICE_FEATURE_LOW_POWER_EXIT)
		return leave(m);
	return enter_with_wakeup(m, feature);
}
