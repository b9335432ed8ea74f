/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * number.c - numbers on the command line. Pure functions.
 */
#include <string.h>

#include "number.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Takes digits off text; the number of digits, 0 also when they do not fit. */
static size_t take_digits(const char *text, unsigned int base, uint64_t *value)
{
	uint64_t sum = 0;
	size_t n;

	for (n = 0; (unsigned int)digit(text[n]) < base; n++)
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)digit(text[n]), &sum))
			return 0;
	*value = sum;
	return n;
}

bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t number;
	size_t n;

	if (hex)
		text += 2;
	n = take_digits(text, hex ? 16 : 10, &number);
	if (n == 0 || text[n] || number < min || number > max)
		return false;
	*value = number;
	return true;
}

bool number_parse_seconds(const char *text, uint64_t max_ms, uint64_t *ms)
{
	uint64_t whole, part = 0;
	size_t n = take_digits(text, 10, &whole);

	if (n == 0 || whole > max_ms / 1000)
		return false;
	text += n;
	if (*text == '.') {
		n = take_digits(++text, 10, &part);
		if (n == 0 || n > 3)
			return false;
		text += n;
		for (; n < 3; n++)
			part *= 10;
	}
	if (*text || whole * 1000 + part > max_ms)
		return false;
	*ms = whole * 1000 + part;
	return true;
}
