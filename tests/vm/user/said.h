/* SPDX-License-Identifier: BSD-3-Clause */
/* said.h - results in the lines that the machine's main script numbers. */
#ifndef VFK_SAID_H
#define VFK_SAID_H

#include <stdio.h>
#include <vfiokit/vfiokit.h>

/* One result; a failed one shows the value and the library's text. */
static inline void said(long got, long want, const char *text)
{
	if (got == want)
		printf("ok - %s\n", text);
	else
		printf("not ok - %s\ngot %ld, want %ld; %s\n", text, got, want, vfk_error());
	fflush(stdout);
}

/* For a call that this kernel may not have: both outcomes are right, and it is shown which. */
static inline void said_or(long got, long want, long or, const char *text)
{
	said(got == or ? want : got, want, text);
	printf("that was %ld\n", got);
	fflush(stdout);
}

#endif
