/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - the thread's error text.
 *
 * A text is put together in a local buffer and then copied, so that the present text may be one of
 * its arguments. Threads: any; the storage is thread-local.
 */
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[VFKI_ERROR_SIZE];

/* Length of the UTF-8 sequence at @p; 0 unless it is whole, minimal, and no C1 control character. */
static size_t utf8_len(const unsigned char *p)
{
	static const struct {
		unsigned char mask, lead, second_min;
		size_t len;
	} forms[] = {
		{ 0xe0, 0xc0, 0x80, 2 },
		{ 0xf0, 0xe0, 0x80, 3 },
		{ 0xf8, 0xf0, 0x80, 4 },
	};

	for (size_t f = 0; f < 3; f++) {
		if ((p[0] & forms[f].mask) != forms[f].lead)
			continue;
		for (size_t i = 1; i < forms[f].len; i++)
			if ((p[i] & 0xc0) != 0x80)
				return 0;
		if (p[0] < 0xc2 || p[0] > 0xf4 || (p[0] == 0xc2 && p[1] < 0xa0) ||
		    (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90))
			return 0;
		return forms[f].len;
	}
	return 0;
}

/* A peer's bytes must not drive the terminal that they are printed on. */
static void sanitize(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		size_t len = 1;

		if (*p >= 0x80)
			len = utf8_len(p);
		else if (*p < 0x20 || *p == 0x7f)
			len = 0;
		if (!len) {
			*p = '?';
			len = 1;
		}
		p += len;
	}
}

/* Drops the beginning of a character that was cut in two at the end of a full buffer. */
static void trim_cut(char *s)
{
	size_t len = strlen(s), tail = 0;

	if (len < VFKI_ERROR_SIZE - 1)
		return;
	while (tail < 3 && ((unsigned char)s[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if ((unsigned char)s[len - 1 - tail] >= 0xc0 &&
	    !utf8_len((unsigned char *)s + len - 1 - tail))
		s[len - 1 - tail] = '\0';
}

static void publish(char *s)
{
	trim_cut(s);
	sanitize(s);
	memcpy(text, s, strlen(s) + 1);
}

int(vfki_err)(int err, const char *fmt, ...)
{
	char buf[VFKI_ERROR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(buf, sizeof(buf), fmt, ap) < 0)
		buf[0] = '\0';
	va_end(ap);
	publish(buf);
	return err;
}

static void append(char *buf, const char *more)
{
	size_t len = strlen(buf), room = VFKI_ERROR_SIZE - 1 - len;

	if (room < 2)
		return;
	memcpy(buf + len, ": ", 2);
	room -= 2;
	if (!memccpy(buf + len + 2, more, '\0', room))
		buf[VFKI_ERROR_SIZE - 1] = '\0';
}

int(vfki_err_sys)(int err, const char *fmt, ...)
{
	char buf[VFKI_ERROR_SIZE], reason[128];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(buf, sizeof(buf), fmt, ap) < 0)
		buf[0] = '\0';
	va_end(ap);
	append(buf, strerror_r(-err, reason, sizeof(reason)));
	publish(buf);
	return err;
}

int(vfki_err_prefix)(int err, const char *fmt, ...)
{
	char buf[VFKI_ERROR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(buf, sizeof(buf), fmt, ap) < 0)
		buf[0] = '\0';
	va_end(ap);
	if (text[0])
		append(buf, text);
	publish(buf);
	return err;
}

void vfki_err_clear(void)
{
	text[0] = '\0';
}

const char *vfk_error(void)
{
	return text;
}
