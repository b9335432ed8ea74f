/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS. Pure functions.
 */
#include "lib/wire/irq.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

#define DISABLE_ALL (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

size_t vfki_enc_irq_info_request(void *buf, uint32_t index)
{
	struct vfio_irq_info w = { .argsz = sizeof(w), .index = index };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_irq_info_request(const void *payload, size_t len, uint32_t num_irqs, uint32_t *index)
{
	struct vfio_irq_info w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_get_irq_info: %zu bytes of payload, need 16", len);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "device_get_irq_info: argsz %u, need 16", w.argsz);
	if (w.index >= num_irqs)
		return vfki_err(-EINVAL, "device_get_irq_info: index %u, there are %u", w.index,
				num_irqs);
	*index = w.index;
	return 0;
}

size_t vfki_enc_irq_info_reply(void *buf, const struct vfio_irq_info *info)
{
	struct vfio_irq_info w = *info;

	w.argsz = sizeof(w);
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_irq_info_reply(const void *payload, size_t len, uint32_t index,
			    struct vfio_irq_info *info)
{
	struct vfio_irq_info w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "irq info reply: %zu bytes of payload, need 16", len);
	memcpy(&w, payload, sizeof(w));
	if (w.index != index)
		return vfki_err(-EPROTO, "irq info reply: index %u, asked for %u", w.index, index);
	if (w.count > VFKI_WIRE_MAX_VECTORS)
		return vfki_err(-EPROTO, "irq %u: %u vectors", index, w.count);
	w.argsz = sizeof(w);
	*info = w;
	return 0;
}

bool vfki_wire_irq_flags_ok(uint32_t flags)
{
	uint32_t data = flags & VFIO_IRQ_SET_DATA_TYPE_MASK,
		 action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

	return vfki_is_pow2(data) && vfki_is_pow2(action) && flags == (data | action);
}

/* How many of the descriptors from @fds on can share a message: those there, or those not there. */
static uint32_t run_length(const int32_t *fds, uint32_t n, uint32_t max_fds)
{
	bool there = fds[0] >= 0;
	uint32_t run = 1;

	if (there && n > max_fds)
		n = max_fds;
	while (run < n && (fds[run] >= 0) == there)
		run++;
	return run;
}

int vfki_wire_irq_next(const struct vfio_irq_set *set, uint32_t done, uint32_t max_fds,
		       struct vfki_wire_irq_part *part)
{
	const int32_t *fds = (const int32_t *)(const void *)set->data + done;
	uint32_t n = set->count - done;

	*part = (struct vfki_wire_irq_part){
		.set = { .flags = set->flags,
			 .index = set->index,
			 .start = set->start + done,
			 .count = n },
	};
	part->set.argsz = sizeof(part->set);
	if (set->flags & VFIO_IRQ_SET_DATA_BOOL) {
		part->bools = set->data + done;
		part->set.argsz += n;
	}
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD) || !n)
		return (int)n;
	if (fds[0] >= 0 && !max_fds)
		return vfki_err(-EMSGSIZE, "the peer takes no descriptors");
	part->set.count = run_length(fds, n, max_fds);
	if (fds[0] >= 0) {
		part->fds = fds;
		part->nfds = part->set.count;
	}
	return (int)part->set.count;
}

size_t vfki_enc_set_irqs_request(void *buf, const struct vfki_wire_irq_part *part)
{
	memcpy(buf, &part->set, sizeof(part->set));
	return sizeof(part->set);
}

static int check_set(const struct vfki_wire_irq_set *w, const uint32_t *counts, uint32_t num_irqs)
{
	if (w->argsz < sizeof(*w))
		return vfki_err(-EINVAL, "device_set_irqs: argsz %u, need 20", w->argsz);
	if (!vfki_wire_irq_flags_ok(w->flags))
		return vfki_err(
			-EINVAL,
			"device_set_irqs: flags 0x%x, must be one kind of data and one action",
			w->flags);
	if (w->index >= num_irqs)
		return vfki_err(-EINVAL, "device_set_irqs: index %u, there are %u", w->index,
				num_irqs);
	if (w->start >= counts[w->index] || w->count > counts[w->index] - w->start)
		return vfki_err(-EINVAL, "device_set_irqs: %u vectors from %u on, index %u has %u",
				w->count, w->start, w->index, counts[w->index]);
	if (!w->count && (w->flags != DISABLE_ALL || w->start))
		return vfki_err(-EINVAL, "device_set_irqs: no vectors");
	return 0;
}

static int check_bools(const uint8_t *bools, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (bools[i] > 1)
			return vfki_err(-EINVAL, "device_set_irqs: boolean %u is %u", i, bools[i]);
	return 0;
}

/* What must agree before any value is looked at: it is a lying message otherwise. */
static int check_lengths(const struct vfki_wire_irq_set *w, size_t data, size_t nfds)
{
	bool bools = w->flags & VFIO_IRQ_SET_DATA_BOOL,
	     eventfds = w->flags & VFIO_IRQ_SET_DATA_EVENTFD;

	if (data != (bools ? w->count : 0))
		return vfki_err(-EPROTO, "device_set_irqs: %zu bytes of data, flags 0x%x, count %u",
				data, w->flags, w->count);
	if (nfds && (!eventfds || nfds != w->count))
		return vfki_err(-EPROTO, "device_set_irqs: %zu descriptors, flags 0x%x, count %u",
				nfds, w->flags, w->count);
	return 0;
}

int vfki_dec_set_irqs_request(const void *payload, size_t len, size_t nfds, const uint32_t *counts,
			      uint32_t num_irqs, struct vfki_wire_irq_request *req)
{
	const uint8_t *data = (const uint8_t *)payload + sizeof(struct vfki_wire_irq_set);
	struct vfki_wire_irq_set w;
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_set_irqs: %zu bytes of payload, need 20", len);
	memcpy(&w, payload, sizeof(w));
	r = check_lengths(&w, len - sizeof(w), nfds);
	if (!r)
		r = check_set(&w, counts, num_irqs);
	if (!r && w.flags & VFIO_IRQ_SET_DATA_BOOL)
		r = check_bools(data, w.count);
	if (r)
		return r;
	req->set = w;
	req->bools = w.flags & VFIO_IRQ_SET_DATA_BOOL ? data : NULL;
	req->take_away = w.flags & VFIO_IRQ_SET_DATA_EVENTFD && !nfds;
	return 0;
}

size_t vfki_wire_irq_kernel_size(const struct vfki_wire_irq_request *req)
{
	size_t each = req->bools				 ? 1 :
		      req->set.flags & VFIO_IRQ_SET_DATA_EVENTFD ? sizeof(int32_t) :
								   0;

	return sizeof(struct vfio_irq_set) + req->set.count * each;
}

void vfki_wire_irq_to_kernel(const struct vfki_wire_irq_request *req, const int *fds,
			     struct vfio_irq_set *set)
{
	int32_t fd;

	set->argsz = (uint32_t)vfki_wire_irq_kernel_size(req);
	set->flags = req->set.flags;
	set->index = req->set.index;
	set->start = req->set.start;
	set->count = req->set.count;
	if (req->bools)
		memcpy(set->data, req->bools, set->count);
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return;
	for (uint32_t i = 0; i < set->count; i++) {
		fd = req->take_away ? -1 : fds[i];
		memcpy(set->data + i * sizeof(fd), &fd, sizeof(fd));
	}
}

size_t vfki_enc_set_irqs_reply(void *buf, uint32_t granted)
{
	struct vfki_wire_irq_granted w = { .argsz = sizeof(w), .count = granted };

	if (!granted)
		return 0;
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_set_irqs_reply(const void *payload, size_t len, bool irq_count, uint32_t count)
{
	struct vfki_wire_irq_granted w;

	if (!len)
		return 0;
	if (!irq_count || len != sizeof(w))
		return vfki_err(-EPROTO, "device_set_irqs reply: %zu bytes of payload", len);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz != sizeof(w) || !w.count || w.count >= count || w.count > VFKI_WIRE_MAX_VECTORS)
		return vfki_err(-EPROTO, "device_set_irqs reply: %u vectors of %u", w.count, count);
	return (int)w.count;
}
