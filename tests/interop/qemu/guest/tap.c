/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TAP output, see tap.h. Every line is flushed at once: a guest that dies has said what it knew.
 */
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned ran, failed;

static void result(bool ok, const char *fmt, va_list args)
{
	ran++;
	failed += !ok;
	printf("%sok %u - ", ok ? "" : "not ", ran);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
}

bool tap_check(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(ok, fmt, args);
	va_end(args);
	return ok;
}

bool tap_equal(uint64_t actual, uint64_t expected, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(actual == expected, fmt, args);
	va_end(args);
	if (actual != expected)
		tap_note("got 0x%llx, expected 0x%llx", (unsigned long long)actual,
			 (unsigned long long)expected);
	return actual == expected;
}

void tap_skip(const char *name, const char *reason)
{
	ran++;
	printf("ok %u - %s # SKIP %s\n", ran, name, reason);
	fflush(stdout);
}

void tap_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
}

void tap_bail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("Bail out! ");
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
	exit(1);
}

int tap_done(void)
{
	printf("1..%u\n", ran);
	fflush(stdout);
	return failed ? 1 : 0;
}
