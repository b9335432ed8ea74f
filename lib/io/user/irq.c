/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - arming, masking and triggering interrupts.
 *
 * A message has at most as many descriptors as the server takes, so eventfds go in parts; taking away needs none, and is
 * one part however many vectors it is. The op is all or nothing: when a later part fails, the earlier ones are undone. An
 * index that was off before is off again; in one that was on, the vectors of those parts have no eventfd then (which one
 * they had before is not known here: to keep duplicates would take as many descriptors again), and all others have what they
 * had. The text says so, and also when the undoing fails.
 *
 * Any thread; calls on one index at once are the caller's to order.
 */
#include "lib/wire/irq.h"
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include <inttypes.h>
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
	r = vfki_user_ask(user, &rq);
	if (r)
		return r;
	r = vfki_dec_set_irqs_reply(&granted, rq.in_len, user->agreed.irq_count,
				    part->set.start + part->set.count);
	return vfki_user_decoded(user, r);
}

/* A request in parts, and how far it has got. */
struct sending {
	const struct vfio_irq_set *set;
	uint32_t max_fds; /* in a part */
	uint32_t done;	  /* vectors from the first on that are sent */
	uint32_t end;	  /* where they end: set->count, or what was sent ahead */
};

/*
 * The last part goes first where it is what switches the index on. A device that makes its vectors then and no more later
 * (NORESIZE) makes all of them, and one that has not so many says so before any was armed.
 */
static int send_ahead(struct vfki_user *user, struct sending *s)
{
	struct vfki_wire_irq_part part;
	uint32_t at = 0;
	int n, r;

	if (!is_arming(s->set) || is_armed(user, s->set->index))
		return 0;
	while ((n = vfki_wire_irq_next(s->set, at, s->max_fds, &part)) >= 0 &&
	       at + (uint32_t)n < s->set->count)
		at += (uint32_t)n;
	if (n < 0)
		return n;
	if (!at || !part.nfds)
		return 0;
	r = send_part(user, &part);
	if (!r)
		s->end = at;
	return r;
}

static int send_parts(struct vfki_user *user, struct sending *s)
{
	struct vfki_wire_irq_part part;
	int r = send_ahead(user, s);

	if (r)
		return r;
	do {
		int n = vfki_wire_irq_next(s->set, s->done, s->max_fds, &part);

		r = n < 0 ? n : send_part(user, &part);
		if (r)
			return r;
		s->done += (uint32_t)n;
	} while (s->done < s->end);
	return 0;
}

/* The text of the failure stays; behind it, what it has changed all the same. */
static void tell_undone(const struct sending *s, const char *text, bool was_on, int undone)
{
	uint32_t first = s->set->start, last = first + s->done - 1;

	if (undone)
		vfki_err(0,
			 "%s; and vectors %" PRIu32 " to %" PRIu32
			 " may have either eventfd or none, since taking them back failed: %s",
			 text, first, was_on ? last : first + s->set->count - 1, vfk_error());
	else if (was_on)
		vfki_err(0, "%s; vectors %" PRIu32 " to %" PRIu32 " have no eventfd now", text,
			 first, last);
	else
		vfki_err(0, "%s", text);
}

static void undo(struct vfki_user *user, const struct sending *s)
{
	struct vfki_wire_irq_part part = {
		.set = { .argsz = sizeof(part.set), .index = s->set->index },
	};
	bool on = !is_arming(s->set) || is_armed(user, s->set->index);
	char text[VFKI_ERROR_SIZE];

	if ((!s->done && s->end == s->set->count) || !(s->set->flags & VFIO_IRQ_SET_DATA_EVENTFD) ||
	    vfki_conn_ended(user->conn))
		return;
	if (on) {
		part.set.flags = s->set->flags;
		part.set.start = s->set->start;
		part.set.count = s->done;
	} else {
		part.set.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	}
	snprintf(text, sizeof(text), "%s", vfk_error());
	tell_undone(s, text, on, send_part(user, &part));
}

int vfki_user_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfki_user *user = vfki_user_of(io);
	struct sending s = {
		.set = set,
		.max_fds = user->agreed.send_fds,
		.end = set->count,
	};
	int r = send_parts(user, &s);

	if (r) {
		undo(user, &s);
		return r;
	}
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
