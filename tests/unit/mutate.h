/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mutate.h - one field of a good message made bad, for tests of decoders.
 *
 * A table of these says what each decoder must say to each bad value; the message itself stays
 * good.
 */
#ifndef TESTS_UNIT_MUTATE_H
#define TESTS_UNIT_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mutation {
	size_t at;    /* offset of the field */
	size_t width; /* 1, 2, 4 or 8 */
	uint64_t value;
	int result; /* what the decoder must return */
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* Puts the value there; the old one is returned, to be put back. */
static inline uint64_t put_field(uint8_t *bytes, size_t at, size_t width, uint64_t value)
{
	uint64_t old = 0;
	uint8_t v8 = (uint8_t)value;
	uint16_t v16 = (uint16_t)value;
	uint32_t v32 = (uint32_t)value;
	const void *from = width == 1 ? (void *)&v8 :
			   width == 2 ? (void *)&v16 :
			   width == 4 ? (void *)&v32 :
					&value;

	if (width == 8)
		memcpy(&old, bytes + at, 8);
	memcpy(bytes + at, from, width);
	return old;
}

#endif
