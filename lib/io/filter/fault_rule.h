/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault_rule.h - which calls the fault filter hits, and what it does to them.
 *
 * Threads: any; what is drawn for a call depends on the seed and on how many calls the rule selected before, so one
 * thread's calls always meet the same faults.
 */
#ifndef VFKI_IO_FILTER_FAULT_RULE_H
#define VFKI_IO_FILTER_FAULT_RULE_H

#include "call.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A rate is in parts of this. */
#define VFKI_FAULT_ALWAYS 1000000000u

struct vfki_fault_rule {
	uint32_t ops; /* VFKI_CALL_BIT() of those selected */
	bool has_region, has_offset;
	uint32_t region;
	uint64_t offset;
	uint64_t nth; /* of the calls selected, only this one, from 1 on; 0: by rate */
	uint32_t rate;
	uint64_t seed;
	int err;    /* -errno; 0: the call does not fail */
	bool after; /* the call is made, then it fails */
	bool shorten;
	uint32_t late_ms;
	atomic_uint_fast64_t selected; /* so far */
};

/*
 * Reads the options of @uri. @max_ms bounds late. Returns 0; -EINVAL for a value that is none or options that contradict
 * each other; -ERANGE.
 */
int vfki_fault_rule_read(struct vfki_fault_rule *rule, const struct vfk_uri *uri, uint32_t max_ms);

/* What is to be done to one call. */
struct vfki_fault {
	bool hit;
	uint64_t draw; /* for what is to be chosen of the hit */
};

struct vfki_fault vfki_fault_decide(struct vfki_fault_rule *rule, const struct vfki_call *call);

/* How many of @len bytes (at least 2) a shortened access has: 1 to @len - 1. */
size_t vfki_fault_length(const struct vfki_fault *fault, size_t len);

#endif
