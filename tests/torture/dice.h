/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dice.h - numbers that are made up, and the same again from the same seed (splitmix64).
 */
#ifndef TESTS_TORTURE_DICE_H
#define TESTS_TORTURE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_roll(struct dice *d)
{
	uint64_t z = (d->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Below @n, which is not 0. */
static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
	return (uint32_t)(dice_roll(d) % n);
}

/* Once in @n. */
static inline bool dice_once_in(struct dice *d, uint32_t n)
{
	return !dice_below(d, n);
}

#endif
