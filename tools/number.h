/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * number.h - numbers on the command line: decimal, or hexadecimal after 0x; nothing else.
 *
 * No sign, no space, no leading 0 that means octal, no trailing text: what does not parse as a whole
 * is wrong usage, never a guess.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether text is a number from min to max; value is written only then. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* The same for seconds with up to three decimals ("2", "0.25"), as milliseconds. */
bool number_parse_seconds(const char *text, uint64_t max_ms, uint64_t *ms);

#endif
