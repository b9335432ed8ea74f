/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * range.h - arithmetic on offsets, lengths and addresses that come from outside.
 *
 * Nothing here wraps: what cannot be expressed is refused. A range is a start and a length; one
 * that ends at exactly 2^64 is a range like any other, so ends are never computed, only last bytes.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_BASE_RANGE_H
#define VFKI_BASE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when the sum does not fit; *r is then not meaningful. */
static inline bool vfki_add_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_add_overflow(a, b, r);
}

static inline bool vfki_add_size(size_t a, size_t b, size_t *r)
{
	return !__builtin_add_overflow(a, b, r);
}

static inline bool vfki_mul_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_mul_overflow(a, b, r);
}

static inline bool vfki_mul_size(size_t a, size_t b, size_t *r)
{
	return !__builtin_mul_overflow(a, b, r);
}

/* head + n * each, the size of a structure with a tail; false when it does not fit. */
static inline bool vfki_tail_size(size_t head, size_t n, size_t each, size_t *r)
{
	size_t tail;

	return vfki_mul_size(n, each, &tail) && vfki_add_size(head, tail, r);
}

static inline uint64_t vfki_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline bool vfki_is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* For powers of two only, as are the two below. */
static inline bool vfki_is_aligned(uint64_t v, uint64_t align)
{
	return !(v & (align - 1));
}

static inline uint64_t vfki_align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/* False when the next multiple is 2^64 or above. */
static inline bool vfki_align_up(uint64_t v, uint64_t align, uint64_t *r)
{
	if (!vfki_add_u64(v, align - 1, r))
		return false;
	*r = vfki_align_down(*r, align);
	return true;
}

/*
 * Whether @len bytes at @off lie inside something of @limit bytes; an empty range may begin at the
 * very end.
 */
static inline bool vfki_range_ok(uint64_t off, uint64_t len, uint64_t limit)
{
	return off <= limit && len <= limit - off;
}

/* The last byte of a range; false when the range is empty or wraps. Ending at 2^64 is no wrap. */
static inline bool vfki_range_last(uint64_t start, uint64_t len, uint64_t *last)
{
	return len && vfki_add_u64(start, len - 1, last);
}

/* Whether two ranges share a byte; neither may wrap. An empty one overlaps nothing. */
static inline bool vfki_ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	if (!a_len || !b_len)
		return false;
	return a <= b ? b - a < a_len : a - b < b_len;
}

/* Whether the first range lies wholly inside the second; neither may wrap. */
static inline bool vfki_range_within(uint64_t in, uint64_t in_len, uint64_t out, uint64_t out_len)
{
	return in >= out && vfki_range_ok(in - out, in_len, out_len);
}

#endif
