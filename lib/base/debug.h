/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug.h - what the library tells on standard error when the environment asks for it with VFK_DEBUG=1.
 *
 * One line each, "vfiokit: ..."; the devices' operations are the trace filter's (lib/io/open.c). Whoever has something to
 * tell asks once, when it is made, and remembers the answer: the environment is not read where it could matter.
 *
 * Threads: vfki_debug() any; vfki_debug_asked() as getenv(3).
 */
#ifndef VFKI_BASE_DEBUG_H
#define VFKI_BASE_DEBUG_H

#include <stdbool.h>

/* Never of a program that has more rights than its user. */
bool vfki_debug_asked(void);

/* This thread's error text stays. */
void vfki_debug(const char *fmt, ...) __attribute__((cold, format(printf, 1, 2)));

#endif
