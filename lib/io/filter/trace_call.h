/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_call.h - a call as the line of a trace: its arguments, and what came back, with names for numbers.
 *
 * Threads: each line belongs to the thread that writes it.
 */
#ifndef VFKI_IO_FILTER_TRACE_CALL_H
#define VFKI_IO_FILTER_TRACE_CALL_H

#include "call.h"
#include "trace_line.h"
#include <stdbool.h>
#include <sys/types.h>

/* The op and its arguments; the clock runs then. @pci: regions and interrupts have the names that they have in PCI. */
void vfki_trace_call(struct vfki_trace_line *l, const struct vfki_call *call, bool pci);

/* The result, and what the op put out. */
void vfki_trace_outcome(struct vfki_trace_line *l, const struct vfki_call *call, ssize_t ret);

#endif
