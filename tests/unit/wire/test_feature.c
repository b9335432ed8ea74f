/* SPDX-License-Identifier: BSD-3-Clause */
/* test_feature.c - DEVICE_FEATURE: between the kernel's form and the wire's, in both directions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/wire/feature.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define GET	   VFIO_DEVICE_FEATURE_GET
#define SET	   VFIO_DEVICE_FEATURE_SET
#define PROBE	   VFIO_DEVICE_FEATURE_PROBE
#define MAX_BITMAP 4096

typedef struct vfio_device_feature_dma_logging_range range_t;

/* A whole payload, as it would be put together from the fixed part and what follows. */
struct message {
	uint8_t bytes[512] __attribute__((aligned(8)));
	size_t len;
	struct vfki_wire_feature_tail tail;
	size_t reply_max;
};

static int send_request(struct message *m, struct vfio_device_feature *f)
{
	int r = vfki_enc_feature_request(m->bytes, f, MAX_BITMAP, &m->tail, &m->reply_max);

	if (r < 0)
		return r;
	m->len = (size_t)r;
	if (m->tail.len)
		memcpy(m->bytes + m->len, m->tail.data, m->tail.len);
	m->len += m->tail.len;
	return 0;
}

static void send_reply(struct message *m, const struct vfki_wire_feature_request *req)
{
	m->len = vfki_enc_feature_reply(m->bytes, req, &m->tail);
	if (m->tail.len)
		memcpy(m->bytes + m->len, m->tail.data, m->tail.len);
	m->len += m->tail.len;
}

static int receive(const struct message *m, size_t nfds, struct vfki_wire_feature_request *req)
{
	static const int fds[] = { 40, 41 };

	return vfki_dec_feature_request(m->bytes, m->len, fds, nfds, MAX_BITMAP, req);
}

static uint32_t argsz_of(const struct message *m)
{
	uint32_t argsz;

	memcpy(&argsz, m->bytes, sizeof(argsz));
	return argsz;
}

static void test_probe(void **state)
{
	struct vfki_feature_buf f = { .head = { .argsz = 8, .flags = PROBE | SET | 6 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.len, 8);
	assert_int_equal(m.reply_max, 8);
	assert_int_equal(receive(&m, 0, &req), 0);
	assert_int_equal(req.kernel.head.flags, PROBE | SET | 6);
	assert_int_equal(req.kernel.head.argsz, 8);
	send_reply(&m, &req);
	assert_int_equal(m.len, 8);
	assert_int_equal(vfki_dec_feature_reply(fence(m.bytes, 8), 8, &f.head), 0);
	assert_int_equal(receive(&m, 1, &req), -EPROTO);
}

static void test_get_migration(void **state)
{
	struct vfki_feature_buf f = { .head = { .argsz = 16, .flags = GET | 1 } };
	struct vfki_wire_feature_request req;
	struct message m;
	uint64_t flags = 5;

	(void)state;
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.len, 8);
	assert_int_equal(argsz_of(&m), 16);
	assert_int_equal(m.reply_max, 16);
	assert_int_equal(receive(&m, 0, &req), 0);
	assert_int_equal(req.kernel.head.argsz, 16);
	memcpy(req.kernel.data, &flags, 8);
	send_reply(&m, &req);
	for (size_t len = 0; len <= 24; len++)
		assert_int_equal(vfki_dec_feature_reply(fence(m.bytes, len), len, &f.head),
				 len == 16 ? 0 : -EPROTO);
	assert_int_equal(f.data[0], 5);
	/* Room for the answer sent along with the question, and none for it. */
	send_request(&m, &f.head);
	m.len = 16;
	assert_int_equal(receive(&m, 0, &req), 0);
	put_field(m.bytes, 0, 4, 15);
	assert_int_equal(receive(&m, 0, &req), -EINVAL);
}

static void test_device_state(void **state)
{
	struct vfio_device_feature_mig_state s = { .device_state = VFIO_DEVICE_STATE_STOP_COPY,
						   .data_fd = 33 };
	struct vfki_feature_buf f = { .head = { .argsz = 16, .flags = SET | 2 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	memcpy(f.data, &s, sizeof(s));
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.len, 16);
	assert_int_equal(m.tail.fd, -1);
	memcpy(&s, m.bytes + 8, sizeof(s));
	assert_int_equal(s.data_fd, -1);
	put_field(m.bytes, 12, 4, 99); /* a descriptor number of the client's reaches nobody */
	assert_int_equal(receive(&m, 0, &req), 0);
	memcpy(&s, req.kernel.data, sizeof(s));
	assert_int_equal(s.device_state, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(s.data_fd, -1);
	s.data_fd = 77; /* what a kernel would put there */
	memcpy(req.kernel.data, &s, sizeof(s));
	send_reply(&m, &req);
	assert_int_equal(m.len, 16);
	memcpy(&s, m.bytes + 8, sizeof(s));
	assert_int_equal(s.data_fd, -1);
	assert_int_equal(vfki_dec_feature_reply(m.bytes, 16, &f.head), 0);
	memcpy(&s, f.data, sizeof(s));
	assert_int_equal(s.device_state, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(s.data_fd, -1);
	put_field(m.bytes, 8, 4, 8);
	assert_int_equal(vfki_dec_feature_reply(m.bytes, 16, &f.head), -EPROTO);
	assert_int_equal(vfki_dec_feature_reply(m.bytes, 8, &f.head), 0);
	assert_int_equal(vfki_dec_feature_reply(m.bytes, 12, &f.head), -EPROTO);
}

static void test_device_states(void **state)
{
	struct vfki_feature_buf f = { .head = { .argsz = 16, .flags = SET | 2 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	for (uint32_t s = 0; s < 12; s++) {
		memcpy(f.data, &s, sizeof(s));
		send_request(&m, &f.head);
		assert_int_equal(receive(&m, 0, &req), s >= 1 && s <= 7 ? 0 : -EINVAL);
	}
}

static void test_logging_start(void **state)
{
	const range_t ranges[] = { { 0x1000, 0x1000 }, { UINT64_MAX - 0xfff, 0x1000 } };
	struct vfio_device_feature_dma_logging_control c = {
		.page_size = 4096, .num_ranges = 2, .ranges = (uintptr_t)ranges,
	}, got;
	struct vfki_feature_buf f = { .head = { .argsz = 32, .flags = SET | 6 } };
	struct vfki_wire_feature_request req;
	struct message m, reply;

	(void)state;
	memcpy(f.data, &c, sizeof(c));
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.len, 8 + 16 + 32);
	assert_int_equal(argsz_of(&m), m.len);
	assert_int_equal(m.reply_max, m.len);
	assert_int_equal(receive(&m, 0, &req), 0);
	assert_int_equal(req.kernel.head.argsz, 32);
	memcpy(&got, req.kernel.data, sizeof(got));
	assert_int_equal(got.num_ranges, 2);
	assert_ptr_equal((void *)(uintptr_t)got.ranges, m.bytes + 24);
	assert_memory_equal((void *)(uintptr_t)got.ranges, ranges, sizeof(ranges));
	got.page_size = 65536;
	memcpy(req.kernel.data, &got, sizeof(got));
	send_reply(&reply, &req);
	assert_int_equal(reply.len, m.len);
	assert_memory_equal(reply.bytes + 24, ranges, sizeof(ranges));
	assert_int_equal(vfki_dec_feature_reply(fence(reply.bytes, reply.len), reply.len, &f.head),
			 0);
	memcpy(&got, f.data, sizeof(got));
	assert_int_equal(got.page_size, 65536);
	assert_ptr_equal((void *)(uintptr_t)got.ranges, ranges);
	put_field(reply.bytes, 8, 8, 3);
	assert_int_equal(vfki_dec_feature_reply(reply.bytes, reply.len, &f.head), -EPROTO);
}

static void test_bad_logging_start(void **state)
{
	/* page_size at 8, num_ranges at 16, reserved at 20, one range at 24. */
	static const struct mutation cases[] = {
		{ 8, 8, 0, -EINVAL },		{ 8, 8, 4097, -EINVAL },
		{ 20, 4, 1, -EINVAL },		{ 16, 4, 0, -EPROTO },
		{ 16, 4, 2, -EPROTO },		{ 16, 4, UINT32_MAX, -EPROTO },
		{ 16, 4, 0x10000001, -EPROTO }, { 32, 8, 0, -EINVAL },
		{ 32, 8, UINT64_MAX, -EINVAL }, { 24, 8, UINT64_MAX, -EINVAL },
		{ 0, 4, 7, -EINVAL },
	};
	const range_t range = { 0x1000, 0x1000 };
	struct vfio_device_feature_dma_logging_control c = {
		.page_size = 4096,
		.num_ranges = 1,
		.ranges = (uintptr_t)&range,
	};
	struct vfki_feature_buf f = { .head = { .argsz = 32, .flags = SET | 6 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	memcpy(f.data, &c, sizeof(c));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		send_request(&m, &f.head);
		put_field(m.bytes, cases[i].at, cases[i].width, cases[i].value);
		if (receive(&m, 0, &req) != cases[i].result)
			fail_msg("case %zu", i);
	}
	send_request(&m, &f.head);
	for (size_t len = 0; len < m.len; len++) {
		uint8_t *p = fence(m.bytes, len);

		assert_int_equal(vfki_dec_feature_request(p, len, NULL, 0, MAX_BITMAP, &req),
				 -EPROTO);
	}
	c.num_ranges = VFKI_WIRE_MAX_RANGES + 1;
	memcpy(f.data, &c, sizeof(c));
	assert_int_equal(send_request(&m, &f.head), -E2BIG);
	c.num_ranges = 1;
	c.ranges = 0;
	memcpy(f.data, &c, sizeof(c));
	assert_int_equal(send_request(&m, &f.head), -EINVAL);
}

static void test_too_many_ranges(void **state)
{
	static uint8_t big[8 + 16 + (VFKI_WIRE_MAX_RANGES + 1) * sizeof(range_t)]
		__attribute__((aligned(8)));
	struct vfio_device_feature_dma_logging_control c = {
		.page_size = 4096, .num_ranges = VFKI_WIRE_MAX_RANGES + 1
	};
	struct vfki_wire_feature w = { .argsz = sizeof(big), .flags = SET | 6 };
	struct vfki_wire_feature_request req;

	(void)state;
	memcpy(big, &w, 8);
	memcpy(big + 8, &c, 16);
	assert_int_equal(vfki_dec_feature_request(big, sizeof(big), NULL, 0, MAX_BITMAP, &req),
			 -E2BIG);
}

static void test_report(void **state)
{
	uint64_t theirs[2] = { 0x8000000000000001, 2 }, ours[2] = { 4, 1 };
	struct vfio_device_feature_dma_logging_report d = {
		.iova = 0x1000, .length = 65 * 0x1000, .page_size = 0x1000, .bitmap = (uintptr_t)ours,
	}, got;
	struct vfki_feature_buf f = { .head = { .argsz = 40, .flags = GET | 8 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	memcpy(f.data, &d, sizeof(d));
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.len, 8 + 24);
	assert_int_equal(argsz_of(&m), 8 + 24 + 16);
	assert_int_equal(m.reply_max, 8 + 24 + 16);
	assert_int_equal(receive(&m, 0, &req), 0);
	assert_int_equal(req.bitmap_size, 16);
	assert_int_equal(req.kernel.head.argsz, 40);
	memcpy(&got, req.kernel.data, sizeof(got));
	assert_true(!got.bitmap && got.iova == 0x1000 && got.length == 65 * 0x1000 &&
		    got.page_size == 0x1000);
	vfki_wire_feature_set_bitmap(&req, theirs);
	send_reply(&m, &req);
	assert_int_equal(m.len, 8 + 24 + 16);
	assert_memory_equal(m.bytes + 32, theirs, 16);
	for (size_t len = 0; len <= m.len + 8; len++) {
		ours[0] = 4;
		ours[1] = 1;
		assert_int_equal(vfki_dec_feature_reply(fence(m.bytes, len), len, &f.head),
				 len == m.len ? 0 : -EPROTO);
		if (len == m.len)
			assert_true(ours[0] == 0x8000000000000005 && ours[1] == 3);
		else
			assert_true(ours[0] == 4 && ours[1] == 1);
	}
}

static void test_bad_report(void **state)
{
	static const struct mutation cases[] = {
		{ 16, 8, 0, -EINVAL }, { 16, 8, UINT64_MAX, -EINVAL },
		{ 24, 8, 0, -EINVAL }, { 24, 8, 3, -EINVAL },
		{ 24, 8, 1, -E2BIG },  { 16, 8, 1ull << 50, -E2BIG },
		{ 0, 4, 47, -EINVAL }, { 0, 4, 7, -EINVAL },
		{ 0, 4, 4096, 0 },
	};
	uint64_t ours[2] = { 0, 0 };
	struct vfio_device_feature_dma_logging_report d = {
		.iova = 0x1000,
		.length = 65 * 0x1000,
		.page_size = 0x1000,
		.bitmap = (uintptr_t)ours,
	};
	struct vfki_feature_buf f = { .head = { .argsz = 40, .flags = GET | 8 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	memcpy(f.data, &d, sizeof(d));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		send_request(&m, &f.head);
		put_field(m.bytes, cases[i].at, cases[i].width, cases[i].value);
		if (receive(&m, 0, &req) != cases[i].result)
			fail_msg("case %zu", i);
	}
	send_request(&m, &f.head);
	for (size_t len = 0; len < m.len; len++)
		assert_int_equal(vfki_dec_feature_request(fence(m.bytes, len), len, NULL, 0,
							  MAX_BITMAP, &req),
				 -EPROTO);
	d.page_size = 1;
	memcpy(f.data, &d, sizeof(d));
	assert_int_equal(send_request(&m, &f.head), -E2BIG);
	d.page_size = 4096;
	d.bitmap = 0;
	memcpy(f.data, &d, sizeof(d));
	assert_int_equal(send_request(&m, &f.head), -EINVAL);
}

static void test_wakeup_eventfd(void **state)
{
	struct vfio_device_low_power_entry_with_wakeup w = { .wakeup_eventfd = 12 };
	struct vfki_feature_buf f = { .head = { .argsz = 16, .flags = SET | 4 } };
	struct vfki_wire_feature_request req;
	struct message m;

	(void)state;
	memcpy(f.data, &w, sizeof(w));
	assert_int_equal(send_request(&m, &f.head), 0);
	assert_int_equal(m.tail.fd, 12);
	memcpy(&w, m.bytes + 8, sizeof(w));
	assert_int_equal(w.wakeup_eventfd, -1);
	put_field(m.bytes, 8, 4,
		  12); /* a number of the client's, which must not be taken for one of ours */
	assert_int_equal(receive(&m, 0, &req), -EINVAL);
	assert_int_equal(receive(&m, 2, &req), -EPROTO);
	assert_int_equal(receive(&m, 1, &req), 0);
	memcpy(&w, req.kernel.data, sizeof(w));
	assert_int_equal(w.wakeup_eventfd, 40);
	send_reply(&m, &req);
	memcpy(&w, m.bytes + 8, sizeof(w));
	assert_int_equal(w.wakeup_eventfd, -1);
	assert_int_equal(vfki_dec_feature_reply(m.bytes, m.len, &f.head), 0);
	put_field(m.bytes, 12, 4, 1);
	assert_int_equal(receive(&m, 1, &req), -EINVAL);
	w.wakeup_eventfd = -1;
	memcpy(f.data, &w, sizeof(w));
	assert_int_equal(send_request(&m, &f.head), -EINVAL);
}

static void test_what_is_not_for_peers(void **state)
{
	static const uint32_t flags[] = { SET | 0,    GET | 11, PROBE | 0,
					  PROBE | 11, SET | 13, PROBE | 0xffff };
	struct vfki_wire_feature_request req;
	struct message m = { .len = 40 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		struct vfki_feature_buf f = { .head = { .argsz = 40, .flags = flags[i] } };

		assert_int_equal(send_request(&m, &f.head), -ENOTSUP);
		put_field(m.bytes, 0, 4, 40);
		put_field(m.bytes, 4, 4, flags[i]);
		assert_int_equal(receive(&m, 0, &req), -ENOTSUP);
	}
}

static void test_bad_flags(void **state)
{
	static const struct {
		uint32_t flags;
		int result;
	} cases[] = {
		{ 1, -EINVAL },	       { GET | SET | 2, -EINVAL }, { GET | 1 | 1u << 19, -EINVAL },
		{ SET | 1, -ENOTSUP }, { GET | 7, -ENOTSUP },
	};
	struct vfki_wire_feature_request req;
	struct message m = { .len = 16 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		put_field(m.bytes, 0, 4, 64);
		put_field(m.bytes, 4, 4, cases[i].flags);
		assert_int_equal(receive(&m, 0, &req), cases[i].result);
	}
}

/* SETs without anything in them, and one with four bytes. */
static void test_small_sets(void **state)
{
	static const uint32_t empty[] = { 3, 5, 7, 12 };
	struct vfki_wire_feature_request req;
	struct message m;
	uint32_t op;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(empty); i++) {
		struct vfki_feature_buf f = { .head = { .argsz = 8, .flags = SET | empty[i] } };

		assert_int_equal(send_request(&m, &f.head), 0);
		assert_int_equal(m.len, 8);
		assert_int_equal(receive(&m, 0, &req), 0);
		assert_int_equal(req.kernel.head.argsz, 8);
		send_reply(&m, &req);
		assert_int_equal(m.len, 8);
		assert_int_equal(vfki_dec_feature_reply(m.bytes, 8, &f.head), 0);
		m.len = 9;
		assert_int_equal(receive(&m, 0, &req), -EPROTO);
	}
	for (op = 0; op < 3; op++) {
		struct vfki_feature_buf f = { .head = { .argsz = 12, .flags = SET | 10 } };

		memcpy(f.data, &op, 4);
		assert_int_equal(send_request(&m, &f.head), 0);
		assert_int_equal(m.len, 12);
		assert_int_equal(receive(&m, 0, &req), op < 2 ? 0 : -EINVAL);
	}
}

static void test_replies_to_something_else(void **state)
{
	struct vfki_feature_buf f = { .head = { .argsz = 16, .flags = GET | 1 } };
	uint8_t buf[16] = { 0 };

	(void)state;
	put_field(buf, 4, 4, GET | 2);
	assert_int_equal(vfki_dec_feature_reply(buf, 16, &f.head), -EPROTO);
	put_field(buf, 4, 4, SET | 1);
	assert_int_equal(vfki_dec_feature_reply(buf, 16, &f.head), -EPROTO);
	put_field(buf, 4, 4, GET | 1);
	assert_int_equal(vfki_dec_feature_reply(buf, 16, &f.head), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_get_migration),
		cmocka_unit_test(test_device_state),
		cmocka_unit_test(test_device_states),
		cmocka_unit_test(test_logging_start),
		cmocka_unit_test(test_bad_logging_start),
		cmocka_unit_test(test_too_many_ranges),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_bad_report),
		cmocka_unit_test(test_wakeup_eventfd),
		cmocka_unit_test(test_what_is_not_for_peers),
		cmocka_unit_test(test_bad_flags),
		cmocka_unit_test(test_small_sets),
		cmocka_unit_test(test_replies_to_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
