/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.h - setting the text that vfk_error() returns.
 *
 * The text lives in fixed-size storage of the calling thread: setting it never allocates and never
 * fails. What comes from a peer may be printed with %s: control characters and broken UTF-8 are
 * replaced by '?'.
 *
 *	return vfki_err(-EPROTO, "region info reply: %zu bytes, need %zu", len, need);
 *
 * Threads: any; each has its own text.
 */
#ifndef VFKI_BASE_ERROR_H
#define VFKI_BASE_ERROR_H

#include <errno.h>
#include <vfiokit/error.h>

/* Size of the text with its NUL; longer ones are cut off at a character's end. */
#define VFKI_ERROR_SIZE 512

/* Keeps failures out of the code that has none: the compiler puts what ends in such a call away from the rest. */
#define VFKI_COLD __attribute__((cold))

/* Replaces the text; returns @err. */
VFKI_COLD int vfki_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As vfki_err(), with ": " and the description of @err (a -errno) behind the text. */
VFKI_COLD int vfki_err_sys(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Puts the new text and ": " before the present one, which loses its end if there is no room;
 * returns @err.
 */
VFKI_COLD int vfki_err_prefix(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The compiler does not see that a function of another file returns its argument, and then has to think
 * that a failure may look like a success, with results that nobody has set.
 */
#define VFKI_ERR_CODE_OF(set, err, ...)       \
	({                                    \
		const int vfki_code_ = (err); \
		set(vfki_code_, __VA_ARGS__); \
		vfki_code_;                   \
	})
#define vfki_err(err, ...)	  VFKI_ERR_CODE_OF((vfki_err), err, __VA_ARGS__)
#define vfki_err_sys(err, ...)	  VFKI_ERR_CODE_OF((vfki_err_sys), err, __VA_ARGS__)
#define vfki_err_prefix(err, ...) VFKI_ERR_CODE_OF((vfki_err_prefix), err, __VA_ARGS__)

void vfki_err_clear(void);

#endif
