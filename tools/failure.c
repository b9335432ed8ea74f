/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failure.c - the line that a failure gets.
 *
 * A text may hold bytes of a peer or of a file's name: what could start another line, or speak to the
 * terminal, is shown as "?".
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vfiokit/error.h>

#include "failure.h"

static void print_line(const char *device, const char *text)
{
	/* The library's texts begin with the device already, as a rule. */
	bool named = strncmp(text, device, strlen(device)) == 0;
	char *line;

	if (asprintf(&line, "%s%s%s", named ? "" : device, named ? "" : ": ", text) < 0)
		return;
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fflush(stdout);
	/* On a terminal a line of progress may stand there. */
	fprintf(stderr, "%svfiokit: %s\n", isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "", line);
	free(line);
}

void failure_print(const char *device, int err)
{
	const char *text = vfk_error();

	print_line(device, *text ? text : strerror(-err));
}

void failure_print_text(const char *device, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print_line(device, text);
}
