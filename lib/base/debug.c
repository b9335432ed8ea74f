/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug.c - lines on standard error; see debug.h.
 *
 * What cannot be written in time is lost: locks are held, and whoever reads the other end may have stopped.
 */
#include "debug.h"
#include "fd.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* An error text and a name before it; a pipe that has room at all takes it whole (pipe(7): PIPE_BUF). */
#define LINE_SIZE 1024
#define ROOM_MS	  1000

bool vfki_debug_asked(void)
{
	const char *value = secure_getenv("VFK_DEBUG");

	return value && !strcmp(value, "1");
}

void vfki_debug(const char *fmt, ...)
{
	static const char prefix[] = "vfiokit: ";
	char line[LINE_SIZE];
	size_t used = sizeof(prefix) - 1;
	struct iovec iov = { .iov_base = line };
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	va_list ap;
	int len;

	memcpy(line, prefix, sizeof(prefix));
	va_start(ap, fmt);
	len = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	used += (size_t)len;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	line[used] = '\n';
	iov.iov_len = used + 1;
	if (poll(&room, 1, ROOM_MS) > 0)
		(void)!vfki_fd_writev(STDERR_FILENO, &iov, 1);
}
