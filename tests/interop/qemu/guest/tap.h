/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The results of the guest program, as TAP on its standard output. A check that fails says what was
 * expected; bail() is for what leaves nothing to go on with. One thread.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include <stdbool.h>
#include <stdint.h>

bool tap_check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool tap_equal(uint64_t actual, uint64_t expected, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void tap_skip(const char *name, const char *reason);
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The plan; returns the program's exit status. */
int tap_done(void);

#endif
