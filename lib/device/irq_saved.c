/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_saved.c - saving how interrupts were set, and setting them again; see irq_saved.h.
 *
 * Eventfds are duplicated: the program may close its own once they were given.
 */
#include "irq_saved.h"
#include "device.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD	offsetof(struct vfio_irq_set, data)
#define ACTIONS 3

/* One a vector. */
struct vector {
	int fd[ACTIONS]; /* by action_of(); -1: none */
	bool masked;
};

struct vfki_irq_saved {
	uint32_t count; /* vectors that there is room for */
	struct vector *vectors;
};

static const uint32_t action_flags[ACTIONS] = {
	VFIO_IRQ_SET_ACTION_TRIGGER,
	VFIO_IRQ_SET_ACTION_MASK,
	VFIO_IRQ_SET_ACTION_UNMASK,
};

static unsigned int action_of(const struct vfio_irq_set *set)
{
	unsigned int a = 0;

	while (a < ACTIONS - 1 && !(set->flags & action_flags[a]))
		a++;
	return a;
}

int vfki_irqs_saved_init(struct vfk_device *dev)
{
	dev->loss.irqs = calloc((size_t)dev->io.num_irqs + 1, sizeof(*dev->loss.irqs));
	return dev->loss.irqs ? 0 : vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
}

static void clear(struct vfki_irq_saved *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		vfki_fd_close_all(s->vectors[i].fd, ACTIONS);
	free(s->vectors);
	*s = (struct vfki_irq_saved){ .count = 0 };
}

void vfki_irqs_saved_fini(struct vfk_device *dev)
{
	for (uint32_t i = 0; i < dev->io.num_irqs; i++)
		clear(&dev->loss.irqs[i]);
	free(dev->loss.irqs);
}

static int grow(struct vfki_irq_saved *s, uint32_t count)
{
	struct vector *v;

	if (count <= s->count)
		return 0;
	v = reallocarray(s->vectors, count, sizeof(*v));
	if (!v)
		return vfki_err(-ENOMEM, "set irqs: no memory");
	for (uint32_t i = s->count; i < count; i++)
		v[i] = (struct vector){ .fd = { -1, -1, -1 } };
	s->vectors = v;
	s->count = count;
	return 0;
}

/* Whether the call is one that the door will let through, as far as its size is concerned. */
static bool fits(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	size_t each = set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? sizeof(int32_t) :
		      set->flags & VFIO_IRQ_SET_DATA_BOOL    ? 1 :
							       0;
	uint32_t count, flags;
	size_t need;

	return !vfki_checked_irq_limit(&dev->io, set->index, &count, &flags) &&
	       vfki_range_ok(set->start, set->count, count) &&
	       vfki_tail_size(HEAD, set->count, each, &need) && set->argsz >= need;
}

/* @fds has set->count places; on failure none is filled. */
static int duplicate(const struct vfio_irq_set *set, int *fds)
{
	for (uint32_t i = 0; i < set->count; i++) {
		int32_t fd;

		memcpy(&fd, set->data + i * sizeof(fd), sizeof(fd));
		fds[i] = fd < 0 ? -1 : vfki_fd_dup(fd);
		if (fd >= 0 && fds[i] < 0) {
			int ret = fds[i];

			vfki_fd_close_all(fds, i);
			return vfki_err_sys(ret == -EBADF ? -EINVAL : ret, "eventfd %d", (int)fd);
		}
	}
	return 0;
}

/* @lost: only what takes away. Takes the descriptors that it keeps. */
static void save_fds(struct vfki_irq_saved *s, const struct vfio_irq_set *set, int *fds, bool lost)
{
	unsigned int action = action_of(set);

	for (uint32_t i = 0; i < set->count; i++) {
		int *at = &s->vectors[set->start + i].fd[action];

		if (lost && fds[i] >= 0)
			continue;
		vfki_fd_close(*at);
		*at = fds[i];
		fds[i] = -1;
	}
}

static void save_masked(struct vfki_irq_saved *s, const struct vfio_irq_set *set)
{
	bool bools = set->flags & VFIO_IRQ_SET_DATA_BOOL;

	for (uint32_t i = 0; i < set->count; i++) {
		if (!bools || set->data[i])
			s->vectors[set->start + i].masked = set->flags & VFIO_IRQ_SET_ACTION_MASK;
	}
}

static int set_fds(struct vfk_device *dev, struct vfki_irq_saved *s, const struct vfio_irq_set *set)
{
	int *fds = calloc((size_t)set->count + 1, sizeof(*fds));
	int ret = fds ? duplicate(set, fds) : vfki_err(-ENOMEM, "set irqs: no memory");

	if (ret < 0) {
		free(fds);
		return vfki_err_prefix(ret, "%s", vfk_device_name(dev));
	}
	ret = vfki_checked_set_irqs(&dev->io, set);
	if (!ret || ret == -ECONNRESET)
		save_fds(s, set, fds, ret);
	vfki_fd_close_all(fds, set->count);
	free(fds);
	return ret;
}

static int set_other(struct vfk_device *dev, struct vfki_irq_saved *s,
		     const struct vfio_irq_set *set)
{
	int ret = vfki_checked_set_irqs(&dev->io, set);

	if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) {
		if (!set->count && (!ret || ret == -ECONNRESET))
			clear(s);
	} else if (!ret) {
		save_masked(s, set);
	}
	return ret;
}

static int set_locked(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	struct vfki_irq_saved *s;
	int ret;

	if (!fits(dev, set))
		return vfki_checked_set_irqs(&dev->io, set);
	s = &dev->loss.irqs[set->index];
	ret = grow(s, set->start + set->count);
	if (ret)
		return ret;
	return set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? set_fds(dev, s, set) :
							set_other(dev, s, set);
}

int vfki_irqs_saved_set(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	int ret;

	pthread_mutex_lock(&dev->loss.irq_lock);
	ret = set_locked(dev, set);
	pthread_mutex_unlock(&dev->loss.irq_lock);
	return ret;
}

/* ---- setting them again ---- */

/* Vectors up to the last that has a trigger: the index is enabled with so many, whatever steps it came by. */
static uint32_t enabled(const struct vfki_irq_saved *s)
{
	uint32_t n = s->count;

	while (n && s->vectors[n - 1].fd[0] < 0)
		n--;
	return n;
}

static int send(struct vfk_device *dev, const struct vfio_irq_set *set)
{
	int ret = vfki_checked_set_irqs(&dev->io, set);

	if (ret > 0)
		return vfki_err(-ENODEV, "%s: irq %" PRIu32 ": %d vectors can be had of %" PRIu32,
				vfk_device_name(dev), set->index, ret, set->count);
	return ret;
}

/* One vector at a time: INTx is where there are such. */
static int send_one(struct vfk_device *dev, struct vfio_irq_set *set, unsigned int action,
		    uint32_t vector, int32_t fd)
{
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | action_flags[action];
	set->start = vector;
	set->count = 1;
	memcpy(set->data, &fd, sizeof(fd));
	return send(dev, set);
}

static int send_masked(struct vfk_device *dev, struct vfio_irq_set *set, uint32_t vector)
{
	set->flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK;
	set->start = vector;
	set->count = 1;
	return send(dev, set);
}

static int restore_rest(struct vfk_device *dev, const struct vfki_irq_saved *s, uint32_t n,
			struct vfio_irq_set *set)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < n; i++) {
		for (unsigned int a = 1; !ret && a < ACTIONS; a++) {
			if (s->vectors[i].fd[a] >= 0)
				ret = send_one(dev, set, a, i, s->vectors[i].fd[a]);
		}
		if (!ret && s->vectors[i].masked)
			ret = send_masked(dev, set, i);
	}
	return ret;
}

static int restore(struct vfk_device *dev, uint32_t index)
{
	const struct vfki_irq_saved *s = &dev->loss.irqs[index];
	uint32_t n = enabled(s);
	struct vfio_irq_set *set;
	int ret;

	if (!n)
		return 0;
	set = calloc(1, HEAD + n * sizeof(int32_t));
	if (!set)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	set->argsz = (uint32_t)(HEAD + n * sizeof(int32_t));
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->count = n;
	for (uint32_t i = 0; i < n; i++) {
		int32_t fd = s->vectors[i].fd[0];

		memcpy(set->data + i * sizeof(fd), &fd, sizeof(fd));
	}
	ret = send(dev, set);
	if (!ret)
		ret = restore_rest(dev, s, n, set);
	free(set);
	return ret;
}

int vfki_irqs_saved_restore(struct vfk_device *dev)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < dev->io.num_irqs; i++)
		ret = restore(dev, i);
	return ret;
}
