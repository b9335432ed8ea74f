/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * census.h - what a process holds: whoever survives a round must hold what it held before.
 */
#ifndef TESTS_TORTURE_CENSUS_H
#define TESTS_TORTURE_CENSUS_H

#include <stddef.h>
#include <stdint.h>

struct census {
	uint64_t fds;	 /* descriptors */
	uint64_t shared; /* mappings of files that are shared */
	uint64_t maps;	 /* all mappings */
	uint64_t heap;	 /* bytes allocated; 0 where the allocator does not say */
};

/* Of this process. No file stays open and no memory allocated for it. */
void census_take(struct census *census);

/* Writes what there is more of than before to @text, and returns its length: 0 when there is nothing. */
size_t census_compare(const struct census *before, const struct census *now, char *text,
		      size_t size);

#endif
