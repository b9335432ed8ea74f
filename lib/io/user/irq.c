/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - arming, masking and triggering interrupts.
 *
 * A server that takes few descriptors a message is armed in parts. The op is all or nothing: when a later part fails, the
 * earlier ones are undone: an index that was off before is off again, vectors of one that was on are disarmed (what
 * they signalled before is not known here).
 *
 * Any thread; calls on one index at once are the caller's to order.
 */
#include "lib/wire/irq.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include <stdio.h>

static bool is_arming(const struct vfio_irq_set *set)
{
	return set->flags == (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
}

static bool is_disabling(const struct vfio_irq_set *set)
{
	return set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER) && !set->count;
}

static bool is_armed(struct vfki_user *user, uint32_t index)
{
	return atomic_load(&user->armed[index / 32]) & 1u << index % 32;
}

static void note_armed(struct vfki_user *user, const struct vfio_irq_set *set)
{
	if (is_arming(set))
		atomic_fetch_or(&user->armed[set->index / 32], 1u << set->index % 32);
	else if (is_disabling(set))
		atomic_fetch_and(&user->armed[set->index / 32], ~(1u << set->index % 32));
}

/* Returns 0; n: only n vectors of the index can be had; -errno. */
static int send_part(struct vfki_user *user, const struct vfki_wire_irq_part *part)
{
	uint8_t request[sizeof(struct vfki_wire_irq_set)];
	struct vfki_wire_irq_granted granted;
	const struct iovec out[] = { { .iov_base = request, .iov_len = sizeof(request) },
				     { .iov_base = (void *)part->bools,
				       .iov_len = part->set.count } };
	const struct iovec in = { .iov_base = &granted, .iov_len = sizeof(granted) };
	struct vfki_request rq = {
		.command = VFKI_WIRE_DEVICE_SET_IRQS,
		.out = out,
		.n_out = part->bools ? 2 : 1,
		.out_fds = part->fds,
		.n_out_fds = part->nfds,
		.in = &in,
		.n_in = user->agreed.irq_count ? 1 : 0,
	};
	int r;

	vfki_enc_set_irqs_request(request, part);
	r = vfki_conn_request(user->conn, &rq);
	if (r)
		return r;
	r = vfki_dec_set_irqs_reply(&granted, rq.in_len, user->agreed.irq_count,
				    part->set.start + part->set.count);
	return vfki_user_decoded(user, r);
}

/* Keeps the text of the failure that it is called for. */
static void undo(struct vfki_user *user, const struct vfio_irq_set *set, uint32_t done)
{
	struct vfki_wire_irq_part part = {
		.set = { .argsz = sizeof(part.set), .index = set->index },
	};
	char text[VFKI_ERROR_SIZE];

	if (!done || !is_arming(set))
		return;
	if (is_armed(user, set->index)) {
		part.set.flags = set->flags;
		part.set.start = set->start;
		part.set.count = done;
	} else {
		part.set.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	}
	snprintf(text, sizeof(text), "%s", vfk_error());
	send_part(user, &part);
	vfki_err(0, "%s", text);
}

int vfki_user_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfki_user *user = vfki_user_of(io);
	uint32_t max_fds = user->agreed.send_fds, done = 0;
	struct vfki_wire_irq_part part;
	int r;

	if (max_fds > VFKI_TRANSPORT_MAX_FDS)
		max_fds = VFKI_TRANSPORT_MAX_FDS;
	do {
		int n = vfki_wire_irq_next(set, done, max_fds, &part);

		r = n < 0 ? n : send_part(user, &part);
		if (r) {
			undo(user, set, done);
			return r;
		}
		done += (uint32_t)n;
	} while (done < set->count);
	note_armed(user, set);
	return 0;
}

void vfki_user_disarm_all(struct vfki_user *user)
{
	struct vfki_wire_irq_part part = {
		.set = { .argsz = sizeof(part.set),
			 .flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER },
	};

	for (uint32_t i = 0; i < VFKI_USER_MAX_INDEXES && !vfki_conn_ended(user->conn); i++) {
		part.set.index = i;
		/* A server that is silent now is not asked again. */
		if (is_armed(user, i) && send_part(user, &part) == -ETIMEDOUT)
			vfki_conn_fail(user->conn, -ETIMEDOUT);
	}
}
