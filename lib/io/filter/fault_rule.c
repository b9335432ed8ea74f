/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault_rule.c - which calls the fault filter hits; see fault_rule.h.
 *
 * Any thread; the count of selected calls is all that changes.
 */
#include "fault_rule.h"
#include "lib/base/error.h"
#include <string.h>

#define CAN_BE_SHORT                                                                    \
	(VFKI_CALL_BIT(VFKI_CALL_REGION_READ) | VFKI_CALL_BIT(VFKI_CALL_REGION_WRITE) | \
	 VFKI_CALL_BIT(VFKI_CALL_MIG_READ) | VFKI_CALL_BIT(VFKI_CALL_MIG_WRITE))
#define LAST_ERRNO 4095 /* the kernel's MAX_ERRNO */

/* 0 to 1, with up to nine digits behind the point; strtod() would follow the locale. */
static int parse_rate(const char *text, uint32_t *rate)
{
	const char *at = text + (*text >= '0' && *text <= '1');
	uint64_t value = at > text && *text == '1' ? VFKI_FAULT_ALWAYS : 0;
	uint32_t digit = VFKI_FAULT_ALWAYS / 10;

	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9' && digit; at++, digit /= 10)
			value += digit * (uint32_t)(*at - '0');
	}
	if (*at || !strpbrk(text, "0123456789") || value > VFKI_FAULT_ALWAYS)
		return -EINVAL;
	*rate = (uint32_t)value;
	return 0;
}

static int read_rate(struct vfki_fault_rule *rule, const struct vfk_uri *uri)
{
	const char *text = vfk_uri_get(uri, "rate");

	rule->rate = VFKI_FAULT_ALWAYS;
	if (text && parse_rate(text, &rule->rate))
		return vfki_err(-EINVAL, "%s: rate=%s, need 0 to 1, as in 0.01", vfk_uri_text(uri),
				text);
	return 0;
}

static int errno_named(const char *name)
{
	for (int err = 1; err <= LAST_ERRNO; err++) {
		const char *known = strerrorname_np(err);

		if (known && !strcmp(known, name))
			return err;
	}
	return 0;
}

static int read_errno(struct vfki_fault_rule *rule, const struct vfk_uri *uri)
{
	const char *text = vfk_uri_get(uri, "errno");
	uint64_t number = text ? (uint64_t)errno_named(text) : 0;
	int ret = 0;

	if (text && !number)
		ret = vfk_uri_get_u64(uri, "errno", 1, LAST_ERRNO, &number);
	if (ret == -EINVAL)
		return vfki_err(-EINVAL, "%s: errno=%s is neither a name nor a number",
				vfk_uri_text(uri), text);
	rule->err = -(int)number;
	return ret;
}

static int read_switch(const struct vfk_uri *uri, const char *key, bool *on)
{
	const char *text = vfk_uri_get(uri, key);

	if (text && strcmp(text, "on") && strcmp(text, "off"))
		return vfki_err(-EINVAL, "%s: %s=%s, need on or off", vfk_uri_text(uri), key, text);
	*on = text && !strcmp(text, "on");
	return 0;
}

static int read_u64(const struct vfk_uri *uri, const char *key, uint64_t min, uint64_t max,
		    uint64_t *value, bool *there)
{
	int ret = vfk_uri_get_u64(uri, key, min, max, value);

	*there = ret != -ENOENT;
	return *there ? ret : 0;
}

static int read_place(struct vfki_fault_rule *rule, const struct vfk_uri *uri)
{
	uint64_t region = 0;
	int ret = read_u64(uri, "region", 0, UINT32_MAX, &region, &rule->has_region);

	rule->region = (uint32_t)region;
	if (!ret)
		ret = read_u64(uri, "offset", 0, UINT64_MAX, &rule->offset, &rule->has_offset);
	return ret;
}

static int read_numbers(struct vfki_fault_rule *rule, const struct vfk_uri *uri, uint32_t max_ms)
{
	uint64_t late = 0;
	bool there;
	int ret = read_u64(uri, "nth", 1, UINT64_MAX, &rule->nth, &there);

	if (!ret)
		ret = read_u64(uri, "seed", 0, UINT64_MAX, &rule->seed, &there);
	if (!ret)
		ret = read_u64(uri, "late", 1, max_ms, &late, &there);
	rule->late_ms = (uint32_t)late;
	return ret;
}

static int contradiction(const struct vfk_uri *uri, const char *what)
{
	return vfki_err(-EINVAL, "%s: %s", vfk_uri_text(uri), what);
}

/* Which ops, and what happens: an error unless something else was asked for. */
static int settle(struct vfki_fault_rule *rule, const struct vfk_uri *uri)
{
	int ret = vfki_call_ops(uri, "op", &rule->ops);

	if (ret == -ENOENT) {
		rule->ops = rule->shorten ? CAN_BE_SHORT : VFKI_CALL_ALL;
		ret = 0;
	}
	if (ret)
		return ret;
	if (rule->shorten && rule->err)
		return contradiction(uri, "a short result is no error: errno or short");
	if (rule->shorten && rule->ops & ~CAN_BE_SHORT)
		return contradiction(
			uri, "short is for region_read, region_write, mig_read and mig_write");
	if (rule->nth && vfk_uri_get(uri, "rate"))
		return contradiction(uri, "rate or nth");
	if (!rule->shorten && !rule->late_ms && !rule->err)
		rule->err = -EIO;
	if (rule->after && !rule->err)
		return contradiction(uri, "after needs an errno");
	return 0;
}

int vfki_fault_rule_read(struct vfki_fault_rule *rule, const struct vfk_uri *uri, uint32_t max_ms)
{
	int ret = read_rate(rule, uri);

	if (!ret)
		ret = read_errno(rule, uri);
	if (!ret)
		ret = read_switch(uri, "short", &rule->shorten);
	if (!ret)
		ret = read_switch(uri, "after", &rule->after);
	if (!ret)
		ret = read_place(rule, uri);
	if (!ret)
		ret = read_numbers(rule, uri, max_ms);
	return ret ? ret : settle(rule, uri);
}

static bool selects(const struct vfki_fault_rule *rule, const struct vfki_call *call)
{
	if (!(rule->ops & VFKI_CALL_BIT(call->op)))
		return false;
	if (rule->shorten && call->access.len < 2)
		return false;
	if (!rule->has_region && !rule->has_offset)
		return true;
	return vfki_call_touches(call, rule->has_region ? &rule->region : NULL,
				 rule->has_offset ? &rule->offset : NULL);
}

/* SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"): the nth number of a seed. */
static uint64_t draw(uint64_t seed, uint64_t nth)
{
	uint64_t z = seed + nth * 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

struct vfki_fault vfki_fault_decide(struct vfki_fault_rule *rule, const struct vfki_call *call)
{
	struct vfki_fault fault = { .hit = false };
	uint64_t nth;

	if (!selects(rule, call))
		return fault;
	nth = atomic_fetch_add_explicit(&rule->selected, 1, memory_order_relaxed) + 1;
	fault.draw = draw(rule->seed, nth);
	if (rule->nth)
		fault.hit = nth == rule->nth;
	else
		fault.hit = (fault.draw >> 32) * VFKI_FAULT_ALWAYS >> 32 < rule->rate;
	return fault;
}

size_t vfki_fault_length(const struct vfki_fault *fault, size_t len)
{
	return 1 + (size_t)((uint32_t)fault->draw % (len - 1));
}
