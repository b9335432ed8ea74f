/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irq.c - DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/irq.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define BOOL	VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD VFIO_IRQ_SET_DATA_EVENTFD
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER

/* INTx, MSI, MSI-X, ERR, REQ; the device has no ERR. */
static const uint32_t counts[] = { 1, 32, 2048, 0, 1 };

/* A set as the vector takes it. */
struct set {
	union {
		struct vfio_irq_set head;
		struct {
			uint32_t same_as_head[5];
			int32_t fds[64]; /* head.data, with a size */
		};
	};
};

static void test_info_request(void **state)
{
	uint32_t index = 0;
	uint8_t buf[32] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_irq_info_request(buf, 2), 16);
	for (size_t len = 0; len <= 32; len++)
		assert_int_equal(vfki_dec_irq_info_request(fence(buf, len), len, 5, &index),
				 len < 16 ? -EPROTO : 0);
	assert_int_equal(index, 2);
	assert_int_equal(vfki_dec_irq_info_request(buf, 16, 2, &index), -EINVAL);
	put_field(buf, 0, 4, 15);
	assert_int_equal(vfki_dec_irq_info_request(buf, 16, 5, &index), -EINVAL);
}

static void test_info_reply(void **state)
{
	struct vfio_irq_info info = { .argsz = 99,
				      .flags = VFIO_IRQ_INFO_EVENTFD,
				      .index = 2,
				      .count = 2048 },
			     out;
	uint8_t buf[16];

	(void)state;
	assert_int_equal(vfki_enc_irq_info_reply(buf, &info), 16);
	for (size_t len = 0; len <= 16; len++)
		assert_int_equal(vfki_dec_irq_info_reply(fence(buf, len), len, 2, &out),
				 len < 16 ? -EPROTO : 0);
	assert_int_equal(out.argsz, 16);
	assert_int_equal(out.flags, VFIO_IRQ_INFO_EVENTFD);
	assert_int_equal(out.count, 2048);
	assert_int_equal(vfki_dec_irq_info_reply(buf, 16, 1, &out), -EPROTO);
	put_field(buf, 12, 4, VFKI_WIRE_MAX_VECTORS + 1);
	assert_int_equal(vfki_dec_irq_info_reply(buf, 16, 2, &out), -EPROTO);
}

static void test_flags(void **state)
{
	static const uint32_t data[] = { NONE, BOOL, EVENTFD },
			      action[] = { MASK, UNMASK, TRIGGER };

	(void)state;
	for (uint32_t flags = 0; flags < 256; flags++) {
		int found = 0;

		for (int d = 0; d < 3; d++)
			for (int a = 0; a < 3; a++)
				found |= flags == (data[d] | action[a]);
		assert_int_equal(vfki_wire_irq_flags_ok(flags), found);
	}
	assert_false(vfki_wire_irq_flags_ok(NONE | TRIGGER | 1u << 31));
}

/*
 * Every kind of data with every action: out through the client's encoder, in through the server's
 * decoder.
 */
static void test_all_combinations(void **state)
{
	static const uint32_t data[] = { NONE, BOOL, EVENTFD },
			      action[] = { MASK, UNMASK, TRIGGER };
	struct set set = { .fds = { 10, 11, 12 } }, kernel;
	struct vfki_wire_irq_part part;
	struct vfki_wire_irq_request req;
	uint8_t buf[64];

	(void)state;
	for (int i = 0; i < 9; i++) {
		uint32_t flags = data[i / 3] | action[i % 3];
		size_t extra = flags & BOOL ? 3 : flags & EVENTFD ? 12 : 0, len;

		set.head = (struct vfio_irq_set){ .argsz = 20 + (uint32_t)extra,
						  .flags = flags,
						  .index = 1,
						  .start = 4,
						  .count = 3 };
		if (flags & BOOL)
			memcpy(set.head.data, "\1\0\1", 3);
		else
			memcpy(set.head.data, (int32_t[]){ 10, 11, 12 }, 12);
		assert_int_equal(vfki_wire_irq_next(&set.head, 0, 16, &part), 3);
		len = vfki_enc_set_irqs_request(buf, &part);
		assert_int_equal(len, 20);
		if (part.bools) {
			memcpy(buf + len, part.bools, part.set.count);
			len += part.set.count;
		}
		assert_int_equal(part.nfds, flags & EVENTFD ? 3 : 0);
		assert_int_equal(vfki_dec_set_irqs_request(fence(buf, len), len, part.nfds, counts,
							   5, &req),
				 0);
		assert_int_equal(req.set.argsz, len);
		assert_false(req.take_away);
		assert_int_equal(vfki_wire_irq_kernel_size(&req), 20 + extra);
		memset(&kernel, 0xee, sizeof(kernel));
		vfki_wire_irq_to_kernel(&req, part.fds, &kernel.head);
		assert_memory_equal(&kernel, &set, 20 + extra);
		assert_int_equal(((uint8_t *)&kernel)[20 + extra], 0xee);
	}
}

static void test_disable_all(void **state)
{
	struct vfio_irq_set set = { .argsz = 20, .flags = NONE | TRIGGER, .index = 1 }, out;
	struct vfki_wire_irq_part part;
	struct vfki_wire_irq_request req;
	uint8_t buf[20];

	(void)state;
	assert_int_equal(vfki_wire_irq_next(&set, 0, 0, &part), 0);
	vfki_enc_set_irqs_request(buf, &part);
	assert_int_equal(vfki_dec_set_irqs_request(fence(buf, 20), 20, 0, counts, 5, &req), 0);
	vfki_wire_irq_to_kernel(&req, NULL, &out);
	assert_memory_equal(&out, &set, sizeof(set));
}

static void test_taking_away(void **state)
{
	struct set set = { .head = { .argsz = 28,
				     .flags = EVENTFD | TRIGGER,
				     .index = 1,
				     .start = 2,
				     .count = 2 } },
		   out;
	struct vfki_wire_irq_part part;
	struct vfki_wire_irq_request req;
	uint8_t buf[20];

	(void)state;
	memset(set.head.data, 0xff, 8);
	assert_int_equal(vfki_wire_irq_next(&set.head, 0, 0, &part), 2);
	assert_int_equal(part.nfds, 0);
	vfki_enc_set_irqs_request(buf, &part);
	assert_int_equal(vfki_dec_set_irqs_request(fence(buf, 20), 20, 0, counts, 5, &req), 0);
	assert_true(req.take_away);
	assert_int_equal(vfki_wire_irq_kernel_size(&req), 28);
	vfki_wire_irq_to_kernel(&req, NULL, &out.head);
	assert_memory_equal(&out, &set, 28);
}

/*
 * Descriptors and their absence do not mix in a message, and no message has more than the peer
 * takes.
 */
static void test_parts(void **state)
{
	static const int32_t fds[] = { 5, 6, 7, 8, 9, -1, -1, -1, 10, -1, 11, 12 };
	static const struct {
		uint32_t start, count;
		size_t nfds;
	} expected[] = { { 3, 4, 4 },  { 7, 1, 1 },  { 8, 3, 0 },
			 { 11, 1, 1 }, { 12, 1, 0 }, { 13, 2, 2 } };
	struct set set = { .head = { .argsz = 68,
				     .flags = EVENTFD | TRIGGER,
				     .index = 1,
				     .start = 3,
				     .count = 12 } };
	struct vfki_wire_irq_part part;
	uint32_t done = 0;

	(void)state;
	memcpy(set.head.data, fds, sizeof(fds));
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		assert_int_equal(vfki_wire_irq_next(&set.head, done, 4, &part),
				 (int)expected[i].count);
		assert_int_equal(part.set.start, expected[i].start);
		assert_int_equal(part.set.count, expected[i].count);
		assert_int_equal(part.set.argsz, 20);
		assert_int_equal(part.nfds, expected[i].nfds);
		if (part.nfds)
			assert_int_equal(part.fds[0], fds[done]);
		done += expected[i].count;
	}
	assert_int_equal(done, 12);
	assert_int_equal(vfki_wire_irq_next(&set.head, 0, 0, &part), -EMSGSIZE);
}

static void put_request(uint8_t *buf, uint32_t argsz, uint32_t flags, uint32_t index,
			uint32_t start, uint32_t count)
{
	uint32_t w[5] = { argsz, flags, index, start, count };

	memcpy(buf, w, sizeof(w));
}

static void test_bad_requests(void **state)
{
	static const struct {
		uint32_t argsz, flags, index, start, count;
		size_t data, nfds;
		int result;
	} cases[] = {
		{ 20, NONE | TRIGGER, 0, 0, 1, 0, 0, 0 },
		{ 19, NONE | TRIGGER, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, 0, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, TRIGGER, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE | MASK | TRIGGER, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE | EVENTFD | TRIGGER, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER | 64, 0, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 5, 0, 1, 0, 0, -EINVAL }, /* no such index */
		{ 20, NONE | TRIGGER, UINT32_MAX, 0, 1, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 3, 0, 1, 0, 0, -EINVAL }, /* an index without vectors */
		{ 20, NONE | TRIGGER, 3, 0, 0, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 1, 31, 1, 0, 0, 0 },
		{ 20, NONE | TRIGGER, 1, 31, 2, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 1, 32, 1, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 1, UINT32_MAX, 2, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 1, 2, UINT32_MAX, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 1, 0, 0, 0, 0, 0 },
		{ 20, NONE | TRIGGER, 1, 1, 0, 0, 0, -EINVAL },
		{ 20, NONE | MASK, 1, 0, 0, 0, 0, -EINVAL },
		{ 20, EVENTFD | TRIGGER, 1, 0, 0, 0, 0, -EINVAL },
		{ 20, BOOL | TRIGGER, 1, 0, 0, 0, 0, -EINVAL },
		{ 20, NONE | TRIGGER, 0, 0, 1, 1, 0, -EPROTO }, /* data that does not belong */
		{ 20, EVENTFD | TRIGGER, 1, 0, 2, 8, 2, -EPROTO },
		{ 22, BOOL | TRIGGER, 1, 0, 2, 2, 0, 0 },
		{ 22, BOOL | TRIGGER, 1, 0, 2, 1, 0, -EPROTO },
		{ 22, BOOL | TRIGGER, 1, 0, 2, 3, 0, -EPROTO },
		{ 22, BOOL | TRIGGER, 1, 0, UINT32_MAX, 2, 0, -EPROTO },
		{ 20, NONE | TRIGGER, 1, 0, 1, 0, 1, -EPROTO }, /* descriptors that do not belong */
		{ 22, BOOL | TRIGGER, 1, 0, 2, 2, 2, -EPROTO },
		{ 20, EVENTFD | TRIGGER, 1, 0, 2, 0, 2, 0 },
		{ 20, EVENTFD | TRIGGER, 1, 0, 2, 0, 1, -EPROTO },
		{ 20, EVENTFD | TRIGGER, 1, 0, 2, 0, 3, -EPROTO },
		{ 20, EVENTFD | TRIGGER, 1, 0, 2, 0, 0, 0 },
		{ 20, EVENTFD | UNMASK, 0, 0, 1, 0, 1, 0 },
	};
	struct vfki_wire_irq_request req;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t buf[64] = { 0 };
		size_t len = 20 + cases[i].data;

		put_request(buf, cases[i].argsz, cases[i].flags, cases[i].index, cases[i].start,
			    cases[i].count);
		if (vfki_dec_set_irqs_request(fence(buf, len), len, cases[i].nfds, counts, 5,
					      &req) != cases[i].result)
			fail_msg("case %zu", i);
	}
}

static void test_bools(void **state)
{
	struct vfki_wire_irq_request req;
	uint8_t buf[24];

	(void)state;
	put_request(buf, 24, BOOL | TRIGGER, 1, 0, 4);
	memcpy(buf + 20, "\0\1\0\1", 4);
	assert_int_equal(vfki_dec_set_irqs_request(buf, 24, 0, counts, 5, &req), 0);
	assert_ptr_equal(req.bools, buf + 20);
	buf[23] = 2;
	assert_int_equal(vfki_dec_set_irqs_request(buf, 24, 0, counts, 5, &req), -EINVAL);
	for (size_t len = 0; len < 24; len++)
		assert_int_equal(vfki_dec_set_irqs_request(fence(buf, len), len, 0, counts, 5,
							   &req),
				 -EPROTO);
}

static void test_reply(void **state)
{
	uint8_t buf[16] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_set_irqs_reply(buf, 0), 0);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 0, false, 8), 0);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 0, true, 8), 0);
	assert_int_equal(vfki_enc_set_irqs_reply(buf, 5), 8);
	assert_int_equal(vfki_dec_set_irqs_reply(fence(buf, 8), 8, true, 8), 5);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 8, false, 8), -EPROTO);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 8, true, 5), -EPROTO);
	for (size_t len = 1; len < 16; len++)
		assert_int_equal(vfki_dec_set_irqs_reply(fence(buf, len), len, true, 8),
				 len == 8 ? 5 : -EPROTO);
	put_field(buf, 4, 4, 0);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 8, true, 8), -EPROTO);
	put_field(buf, 4, 4, UINT32_MAX);
	assert_int_equal(vfki_dec_set_irqs_reply(buf, 8, true, UINT32_MAX), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info_request), cmocka_unit_test(test_info_reply),
		cmocka_unit_test(test_flags),	     cmocka_unit_test(test_all_combinations),
		cmocka_unit_test(test_disable_all),  cmocka_unit_test(test_taking_away),
		cmocka_unit_test(test_parts),	     cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bools),	     cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
