/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - CLOCK_MONOTONIC in nanoseconds, and deadlines in it.
 *
 * Every wait for a peer, a device's user or a model has a deadline; a deadline is a time of this clock.
 *
 * Threads: any; no system call where the kernel has a vDSO.
 */
#ifndef VFKI_BASE_CLOCK_H
#define VFKI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define VFKI_NS_PER_S  1000000000ull
#define VFKI_NS_PER_MS 1000000ull

static inline uint64_t vfki_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * VFKI_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* @timeout_ms from now. */
static inline uint64_t vfki_deadline_ns(uint32_t timeout_ms)
{
	return vfki_now_ns() + timeout_ms * VFKI_NS_PER_MS;
}

static inline struct timespec vfki_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / VFKI_NS_PER_S),
		.tv_nsec = (long)(ns % VFKI_NS_PER_S),
	};
}

#endif
