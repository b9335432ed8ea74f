/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_line.c - one line of a trace; see trace_line.h.
 *
 * Nothing here allocates or waits: a trace must not change what it looks at more than it has to.
 */
#include "trace_line.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Room for the time, which is never cut. */
#define TAIL 40

static void put(struct vfki_trace_line *l, size_t room, const char *fmt, va_list ap)
{
	int n = vsnprintf(l->text + l->used, room - l->used, fmt, ap);

	if (n < 0)
		return;
	l->used += (size_t)n;
	if (l->used >= room) {
		l->used = room - 1;
		memcpy(l->text + l->used - 3, "...", 3);
	}
}

void vfki_trace_add(struct vfki_trace_line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->used >= VFKI_TRACE_LINE - TAIL - 1)
		return;
	va_start(ap, fmt);
	put(l, VFKI_TRACE_LINE - TAIL, fmt, ap);
	va_end(ap);
}

void vfki_trace_data(struct vfki_trace_line *l, const void *data, size_t len)
{
	const uint8_t *byte = data;
	size_t shown = len < VFKI_TRACE_DATA ? len : VFKI_TRACE_DATA;

	vfki_trace_add(l, " data=");
	for (size_t i = 0; i < shown; i++)
		vfki_trace_add(l, "%02x", byte[i]);
	if (shown < len)
		vfki_trace_add(l, "...");
}

void vfki_trace_flags(struct vfki_trace_line *l, const char *name, uint32_t flags,
		      const struct vfki_trace_flag *known)
{
	const char *mark = "=";

	vfki_trace_add(l, "%s%s", name, flags ? "" : "=none");
	for (; known->name; known++) {
		if (!(flags & known->bit))
			continue;
		vfki_trace_add(l, "%s%s", mark, known->name);
		flags &= ~known->bit;
		mark = "|";
	}
	if (flags)
		vfki_trace_add(l, "%s0x%" PRIx32, mark, flags);
}

static const char *data_name(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		return "none";
	case VFIO_IRQ_SET_DATA_BOOL:
		return "bool";
	default:
		return "eventfd";
	}
}

static const char *action_name(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
		return "mask";
	case VFIO_IRQ_SET_ACTION_UNMASK:
		return "unmask";
	default:
		return "trigger";
	}
}

void vfki_trace_irq_set(struct vfki_trace_line *l, const struct vfio_irq_set *set)
{
	uint32_t shown = set->count < 8 ? set->count : 8;

	vfki_trace_add(l, ", action=%s, start=%" PRIu32 ", count=%" PRIu32 ", data=%s",
		       action_name(set->flags), set->start, set->count, data_name(set->flags));
	for (uint32_t i = 0; i < shown; i++) {
		int32_t fd;

		if (set->flags & VFIO_IRQ_SET_DATA_BOOL)
			vfki_trace_add(l, "%c%u", i ? ' ' : ':', set->data[i]);
		memcpy(&fd, set->data + i * sizeof(fd),
		       set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? sizeof(fd) : 0);
		if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD)
			vfki_trace_add(l, "%c%" PRId32, i ? ' ' : ':', fd);
	}
	if (shown < set->count && !(set->flags & VFIO_IRQ_SET_DATA_NONE))
		vfki_trace_add(l, " ...");
}

void vfki_trace_begin(struct vfki_trace_line *l, const char *fmt, ...)
{
	va_list ap;

	l->used = 0;
	va_start(ap, fmt);
	put(l, VFKI_TRACE_LINE - TAIL, fmt, ap);
	va_end(ap);
	vfki_trace_start(l);
}

void vfki_trace_start(struct vfki_trace_line *l)
{
	l->ns = vfki_now_ns();
}

void vfki_trace_result(struct vfki_trace_line *l, ssize_t ret)
{
	const char *name = ret < 0 ? strerrorname_np((int)-ret) : NULL;

	l->ns = vfki_now_ns() - l->ns;
	if (name)
		vfki_trace_add(l, ") = -%s (%s)", name, vfk_error());
	else
		vfki_trace_add(l, ") = %zd", ret);
}

void vfki_trace_end(struct vfki_trace_line *l)
{
	uint64_t tenths = l->ns / 100;
	int n = snprintf(l->text + l->used, VFKI_TRACE_LINE - l->used,
			 " [%" PRIu64 ".%" PRIu64 " us]\n", tenths / 10, tenths % 10);

	if (n > 0)
		l->used += (size_t)n;
}
