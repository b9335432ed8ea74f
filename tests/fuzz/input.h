/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.h - taking a fuzzer's input apart, front to back.
 *
 * What is not there reads as zero, so that every input means something and the same one means the same again.
 */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *bytes;
	size_t len; /* what is left */
};

/* libFuzzer's entry; every target defines it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is. */
#define REQUIRE(what) ((what) ? (void)0 : __builtin_trap())

static inline const uint8_t *take(struct input *in, size_t len)
{
	const uint8_t *at = in->bytes;

	in->bytes += len;
	in->len -= len;
	return at;
}

static inline uint64_t take_number(struct input *in, size_t width)
{
	uint64_t value = 0;
	size_t have = width < in->len ? width : in->len;

	if (have)
		memcpy(&value, take(in, have), have);
	return value;
}

static inline uint8_t take8(struct input *in)
{
	return (uint8_t)take_number(in, 1);
}

static inline uint16_t take16(struct input *in)
{
	return (uint16_t)take_number(in, 2);
}

static inline uint32_t take32(struct input *in)
{
	return (uint32_t)take_number(in, 4);
}

/* A length of 16 bits and as many bytes, or those that are left. */
static inline struct input take_part(struct input *in)
{
	size_t len = take16(in);

	if (len > in->len)
		len = in->len;
	return (struct input){ take(in, len), len };
}

#endif
