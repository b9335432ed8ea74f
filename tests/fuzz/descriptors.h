/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptors.h - the descriptors that a fuzzed peer sends, and what became of them.
 *
 * They are made anew for each input, so that none carries over what an earlier one wrote.
 */
#ifndef TESTS_FUZZ_DESCRIPTORS_H
#define TESTS_FUZZ_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DESCRIPTORS_KINDS 8

struct descriptors {
	int fd[DESCRIPTORS_KINDS]; /* memfd, sealed memfd, short memfd, eventfd, both ends of a pipe, of a socketpair */
};

/* Bytes in the two memfds that are not short. */
#define DESCRIPTORS_MEMORY 0x10000

void descriptors_make(struct descriptors *d);
void descriptors_close(struct descriptors *d);

/*
 * Sends bytes on a socket. The lower half of @spec is how many descriptors go with them, the upper which: above the
 * kinds, one of each in turn. False when they did not all go: the other end is full, or closed.
 */
bool descriptors_send(const struct descriptors *d, int sock, const void *bytes, size_t len,
		      uint8_t spec);

/* Which descriptors are open, for comparison: the lowest 256. */
struct census {
	uint8_t open[256];
};

void census_take(struct census *census);

/* Traps when other descriptors are open now. */
void census_check(const struct census *before);

#endif
