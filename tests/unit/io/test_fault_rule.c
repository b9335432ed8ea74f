/* SPDX-License-Identifier: BSD-3-Clause */
/* test_fault_rule.c - the options of the fault filter, and which calls they select. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/io/filter/fault_rule.h"

static int read_rule(const char *options, struct vfki_fault_rule *rule)
{
	struct vfk_uri *uri;
	char text[256];
	int ret;

	snprintf(text, sizeof(text), "fault%s%s", *options ? "," : "", options);
	assert_int_equal(vfk_uri_parse_filter(text, &uri), 0);
	*rule = (struct vfki_fault_rule){ .nth = 0 };
	ret = vfki_fault_rule_read(rule, uri, 5000);
	vfk_uri_free(uri);
	return ret;
}

static void test_defaults(void **state)
{
	struct vfki_fault_rule r;

	(void)state;
	assert_int_equal(read_rule("", &r), 0);
	assert_int_equal(r.ops, VFKI_CALL_ALL);
	assert_int_equal(r.rate, VFKI_FAULT_ALWAYS);
	assert_int_equal(r.err, -EIO);
	assert_false(r.has_region || r.has_offset || r.shorten || r.after);
	assert_int_equal(r.late_ms, 0);
}

static void test_values(void **state)
{
	struct vfki_fault_rule r;

	(void)state;
	assert_int_equal(
		read_rule(
			"op=region_read+dma_map,region=7,offset=0x40,nth=3,errno=ENODEV,after=on,late=9",
			&r),
		0);
	assert_int_equal(r.ops,
			 VFKI_CALL_BIT(VFKI_CALL_REGION_READ) | VFKI_CALL_BIT(VFKI_CALL_DMA_MAP));
	assert_true(r.has_region && r.region == 7 && r.has_offset && r.offset == 0x40);
	assert_int_equal(r.nth, 3);
	assert_int_equal(r.err, -ENODEV);
	assert_true(r.after && r.late_ms == 9);
	assert_int_equal(read_rule("errno=110", &r), 0);
	assert_int_equal(r.err, -ETIMEDOUT);
	assert_int_equal(read_rule("late=5", &r), 0);
	assert_int_equal(r.err, 0);
	assert_int_equal(read_rule("short=on,seed=0xffffffffffffffff", &r), 0);
	assert_int_equal(r.err, 0);
	assert_true(r.shorten && r.seed == UINT64_MAX);
	assert_false(r.ops & VFKI_CALL_BIT(VFKI_CALL_RESET));
}

static void test_rates(void **state)
{
	static const struct {
		const char *option;
		uint32_t rate;
	} good[] = {
		{ "rate=0", 0 },	   { "rate=1", 1000000000 },  { "rate=1.0", 1000000000 },
		{ "rate=0.5", 500000000 }, { "rate=.25", 250000000 }, { "rate=0.01", 10000000 },
		{ "rate=0.000000001", 1 }, { "rate=0.", 0 },
	};
	static const char *const bad[] = {
		"rate",	    "rate=2",	 "rate=1.1",	      "rate=-1",	  "rate=.",
		"rate=0,5", "rate=0.5x", "rate=0.0000000001", "rate=1.000000001", "rate=00"
	};
	struct vfki_fault_rule r;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(read_rule(good[i].option, &r), 0);
		assert_int_equal(r.rate, good[i].rate);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!strchr(bad[i], ','))
			assert_int_equal(read_rule(bad[i], &r), -EINVAL);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *options;
		int want;
	} bad[] = {
		{ "op=close", -EINVAL },
		{ "op=", -EINVAL },
		{ "op=reset+", -EINVAL },
		{ "errno=EWHAT", -EINVAL },
		{ "errno=", -EINVAL },
		{ "errno=0", -ERANGE },
		{ "errno=4096", -ERANGE },
		{ "errno=-5", -EINVAL },
		{ "nth=0", -ERANGE },
		{ "late=0", -ERANGE },
		{ "late=5001", -ERANGE },
		{ "short=yes", -EINVAL },
		{ "after=1", -EINVAL },
		{ "region=x", -EINVAL },
		{ "region=0x100000000", -ERANGE },
		{ "short=on,errno=EIO", -EINVAL },
		{ "short=on,op=reset", -EINVAL },
		{ "nth=1,rate=0.5", -EINVAL },
		{ "after=on,late=5", -EINVAL },
		{ "after=on,short=on", -EINVAL },
	};
	struct vfki_fault_rule r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = read_rule(bad[i].options, &r);

		if (ret != bad[i].want)
			fail_msg("%s: %d, want %d", bad[i].options, ret, bad[i].want);
	}
}

static struct vfki_call access_of(enum vfki_call_op op, uint32_t region, uint64_t off, size_t len)
{
	return (struct vfki_call){ .op = op,
				   .access = { .region = region, .offset = off, .len = len } };
}

static bool hits(const char *options, struct vfki_call call)
{
	struct vfki_fault_rule r;

	assert_int_equal(read_rule(options, &r), 0);
	return vfki_fault_decide(&r, &call).hit;
}

static void test_places(void **state)
{
	static const struct vfk_region_write writes[] = { { .region = 2, .offset = 8, .len = 4 },
							  { .region = 3, .offset = 0, .len = 1 } };
	const struct vfki_call read = access_of(VFKI_CALL_REGION_READ, 1, 0x10, 4);
	const struct vfki_call reset = { .op = VFKI_CALL_RESET };
	const struct vfki_call multi = { .op = VFKI_CALL_WRITE_MULTI, .writes = { writes, 2 } };

	(void)state;
	assert_true(hits("", reset));
	assert_true(hits("op=region_read", read));
	assert_false(hits("op=region_write", read));
	assert_true(hits("region=1", read));
	assert_false(hits("region=0", read));
	assert_false(hits("region=0", reset));
	assert_true(hits("offset=0x10", read));
	assert_true(hits("region=1,offset=0x13", read));
	assert_false(hits("region=1,offset=0x14", read));
	assert_false(hits("region=1,offset=0xf", read));
	assert_true(hits("region=3", multi));
	assert_true(hits("region=2,offset=11", multi));
	assert_false(hits("region=3,offset=8", multi));
	assert_true(hits("short=on", read));
	assert_false(hits("short=on", access_of(VFKI_CALL_REGION_READ, 0, 0, 1)));
	assert_true(hits("offset=0xffffffffffffffff",
			 access_of(VFKI_CALL_REGION_READ, 0, UINT64_MAX, 1)));
}

static void test_nth(void **state)
{
	struct vfki_call call = access_of(VFKI_CALL_REGION_READ, 0, 0, 4);
	struct vfki_call other = { .op = VFKI_CALL_RESET };
	struct vfki_fault_rule r;

	(void)state;
	assert_int_equal(read_rule("op=region_read,nth=3", &r), 0);
	for (int i = 1; i <= 10; i++) {
		assert_false(vfki_fault_decide(&r, &other).hit);
		assert_int_equal(vfki_fault_decide(&r, &call).hit, i == 3);
	}
}

/* The same seed, the same faults; their number is near what the rate says. */
static void test_seeds(void **state)
{
	struct vfki_call call = { .op = VFKI_CALL_RESET };
	struct vfki_fault_rule a, b, c;
	int hit = 0, differ = 0;

	(void)state;
	assert_int_equal(read_rule("rate=0.2,seed=7", &a), 0);
	assert_int_equal(read_rule("rate=0.2,seed=7", &b), 0);
	assert_int_equal(read_rule("rate=0.2,seed=8", &c), 0);
	for (int i = 0; i < 10000; i++) {
		bool one = vfki_fault_decide(&a, &call).hit;

		assert_int_equal(one, vfki_fault_decide(&b, &call).hit);
		differ += one != vfki_fault_decide(&c, &call).hit;
		hit += one;
	}
	assert_in_range(hit, 1800, 2200);
	assert_in_range(differ, 2800, 3600);
	assert_int_equal(read_rule("rate=0", &a), 0);
	assert_int_equal(read_rule("rate=1", &b), 0);
	for (int i = 0; i < 10000; i++) {
		assert_false(vfki_fault_decide(&a, &call).hit);
		assert_true(vfki_fault_decide(&b, &call).hit);
	}
}

static void test_lengths(void **state)
{
	struct vfki_call call = access_of(VFKI_CALL_REGION_READ, 0, 0, 8);
	unsigned int seen = 0;
	struct vfki_fault_rule r;

	(void)state;
	assert_int_equal(read_rule("short=on", &r), 0);
	for (int i = 0; i < 1000; i++) {
		struct vfki_fault fault = vfki_fault_decide(&r, &call);
		size_t len = vfki_fault_length(&fault, 8);

		assert_in_range(len, 1, 7);
		seen |= 1u << len;
		assert_int_equal(vfki_fault_length(&fault, 2), 1);
	}
	assert_int_equal(seen, 0xfe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_rates),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_places),	 cmocka_unit_test(test_nth),
		cmocka_unit_test(test_seeds),	 cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
