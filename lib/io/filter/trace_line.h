/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_line.h - one line of a trace, put together piece by piece in a buffer of fixed size.
 *
 * Threads: each line belongs to the thread that writes it.
 */
#ifndef VFKI_IO_FILTER_TRACE_LINE_H
#define VFKI_IO_FILTER_TRACE_LINE_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VFKI_TRACE_LINE 512
/* Data of an access is shown up to this many bytes. */
#define VFKI_TRACE_DATA 32

struct vfki_trace_line {
	uint64_t ns; /* when the call began; after the result, how long it took */
	size_t used;
	char text[VFKI_TRACE_LINE]; /* longer lines are cut, and end in "..." */
};

/* The operation and its arguments, without the closing parenthesis; the clock starts. */
void vfki_trace_begin(struct vfki_trace_line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Starts the clock again, when arguments were added after begin. */
void vfki_trace_start(struct vfki_trace_line *l);

void vfki_trace_add(struct vfki_trace_line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* " data=0123..." */
void vfki_trace_data(struct vfki_trace_line *l, const void *data, size_t len);

/* A bit of a word of flags; a list of them ends with one without a name. */
struct vfki_trace_flag {
	uint32_t bit;
	const char *name;
};

/* "flags=read|write", "flags=none"; bits without a name as a number. */
void vfki_trace_flags(struct vfki_trace_line *l, const char *name, uint32_t flags,
		      const struct vfki_trace_flag *known);

/* ") = 4", or ") = -EIO (the text)"; the clock stops. */
void vfki_trace_result(struct vfki_trace_line *l, ssize_t ret);

/* What follows the index of a set_irqs, with names for the flags. */
void vfki_trace_irq_set(struct vfki_trace_line *l, const struct vfio_irq_set *set);

/* The time, and a newline; the line is whole then. */
void vfki_trace_end(struct vfki_trace_line *l);

#endif
