/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fence.h - memory that ends where nothing can be read, for tests of decoders.
 *
 * A byte read behind the end is a crash, with or without a sanitizer. Each call takes the place of
 * the one before.
 */
#ifndef TESTS_UNIT_FENCE_H
#define TESTS_UNIT_FENCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FENCE_ROOM (1u << 20)

/* @len bytes, a copy of @bytes unless that is NULL, with the fence right behind them. */
static inline void *fence(const void *bytes, size_t len)
{
	static uint8_t *room;

	if (len > FENCE_ROOM)
		abort();
	if (!room) {
		room = mmap(NULL, FENCE_ROOM + 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
		if (room == MAP_FAILED || mprotect(room, FENCE_ROOM, PROT_READ | PROT_WRITE))
			abort();
	}
	if (bytes)
		memcpy(room + FENCE_ROOM - len, bytes, len);
	return room + FENCE_ROOM - len;
}

#endif
