/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_random.c - every decoder on random bytes, and on good messages with a few random bytes.
 *
 * Whatever they say, they return, read nothing behind the end, and return 0 or a negative errno, or
 * a count within what was asked. Seeded, so that a failure can be had again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/capchain.h"
#include "lib/base/sparse.h"
#include "lib/wire/device_info.h"
#include "lib/wire/dma_access.h"
#include "lib/wire/dma_map.h"
#include "lib/wire/feature.h"
#include "lib/wire/header.h"
#include "lib/wire/irq.h"
#include "lib/wire/migration.h"
#include "lib/wire/region_access.h"
#include "lib/wire/region_info.h"
#include "lib/wire/region_io_fds.h"
#include "lib/wire/version.h"
#include "tests/unit/fence.h"

#define ROUNDS 20000
#define MOST   256

static const uint32_t counts[] = { 1, 32, 2048 };

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static int in_version(const void *p, size_t len)
{
	struct vfki_wire_hello hello, reply;
	struct vfki_wire_agreed agreed;
	struct vfki_wire_caps own;
	int r = vfki_dec_version(p, len, &hello);

	if (r)
		return r;
	vfki_wire_caps_own(&own, 1 << 20, true);
	vfki_wire_negotiate_server(&own, &hello, &reply, &agreed);
	return 0;
}

static int in_region_info(const void *p, size_t len)
{
	uint8_t bytes[MOST] __attribute__((aligned(8)));
	struct vfio_region_info *info = (void *)bytes;
	struct vfki_wire_region_maps maps;
	int r = vfki_dec_region_info_reply(p, len, 0, len % 4, info, sizeof(bytes), &maps);

	if (r)
		return r;
	assert_true(maps.count <= VFK_REGION_MAX_FDS);
	for (uint32_t i = 0; i < maps.count; i++)
		assert_true(maps.index[i] < len % 4);
	if (info->argsz <= sizeof(bytes))
		assert_int_equal(
			vfki_caps_check(bytes, info->argsz, sizeof(*info), info->cap_offset), 0);
	return 0;
}

static int in_set_irqs(const void *p, size_t len)
{
	struct vfki_wire_irq_request req;
	int r = vfki_dec_set_irqs_request(p, len, 0, counts, 3, &req);

	if (r)
		return r;
	assert_true(req.set.index < 3 && req.set.start < counts[req.set.index]);
	assert_true(req.set.count <= counts[req.set.index] - req.set.start);
	return 0;
}

static int in_feature(const void *p, size_t len)
{
	uint8_t copy[MOST] __attribute__((aligned(8)));
	struct vfki_wire_feature_request req;
	const struct vfki_feature *feature;
	int r;

	memcpy(copy, p, len);
	r = vfki_dec_feature_request(copy, len, NULL, 0, 4096, &req);
	if (r)
		return r;
	assert_true(req.bitmap_size <= 4096);
	assert_int_equal(vfki_feature_check(&req.kernel.head, &feature), 0);
	return 0;
}

static int in_feature_reply(const void *p, size_t len)
{
	static const uint32_t flags[] = { VFIO_DEVICE_FEATURE_GET | 1, VFIO_DEVICE_FEATURE_SET | 2,
					  VFIO_DEVICE_FEATURE_SET | 6,
					  VFIO_DEVICE_FEATURE_GET | 9 };
	int r = 0;

	for (size_t i = 0; i < 4; i++) {
		struct vfki_feature_buf f = { .head = { .argsz = 40, .flags = flags[i] } };

		r = vfki_dec_feature_reply(p, len, &f.head);
		assert_true(r == 0 || r == -EPROTO);
	}
	return r;
}

static int in_device_info(const void *p, size_t len)
{
	uint8_t bytes[64] __attribute__((aligned(8)));
	uint32_t argsz;

	vfki_dec_device_info_request(p, len, &argsz);
	return vfki_dec_device_info_reply(p, len, (void *)bytes, sizeof(bytes));
}

static int in_requests(const void *p, size_t len)
{
	struct vfki_wire_region_access a = { .count = 0 };
	struct vfki_wire_dma_access d = { .count = 0 };
	struct vfki_wire_dma_map m;
	struct vfki_wire_unmap u;
	uint32_t x, y;

	vfki_dec_region_info_request(p, len, 9, &x, &y);
	vfki_dec_region_io_fds_request(p, len, 9, &x, &y);
	vfki_dec_irq_info_request(p, len, 5, &x);
	if (!vfki_dec_region_read_request(p, len, 4096, &a))
		assert_true(a.count && a.count <= 4096);
	if (!vfki_dec_region_write_request(p, len, 4096, &a))
		assert_true(a.count == len - 16);
	if (!vfki_dec_dma_map_request(p, len, 1, &m))
		assert_true(m.size && m.addr + (m.size - 1) >= m.addr);
	if (!vfki_dec_dma_unmap_request(p, len, 4096, &u))
		assert_true(u.all || u.size);
	vfki_dec_dma_read_request(p, len, 4096, &d);
	if (!vfki_dec_dma_write_request(p, len, 4096, &d))
		assert_true(d.count == len - 16);
	vfki_dec_mig_read_request(p, len, 4096, &x);
	vfki_dec_mig_write_request(p, len, 4096, &x);
	vfki_dec_precopy_info_request(p, len);
	return 0;
}

static int in_replies(const void *p, size_t len)
{
	const struct vfki_wire_region_access ra = { .count = 64 };
	const struct vfki_wire_dma_access da = { .count = 64 };
	const struct vfki_wire_unmap u = { .size = 1, .bitmap = true, .bitmap_size = 8 };
	enum vfki_wire_dma_form form = VFKI_WIRE_DMA_UNKNOWN;
	struct vfki_wire_sub_region subs[4];
	struct vfk_precopy_info precopy;
	struct vfio_irq_info irq;
	const void *data;
	uint32_t x, y;

	assert_true(vfki_dec_region_read_reply(p, len, &ra) <= 64);
	assert_true(vfki_dec_region_write_reply(p, len, &ra) <= 64);
	assert_true(vfki_dec_dma_read_reply(p, len, &da, &form, &data) <= 64);
	assert_true(vfki_dec_dma_write_reply(p, len, &da) <= 0);
	assert_true(vfki_dec_mig_read_reply(p, len, 64) <= 64);
	assert_true(vfki_dec_mig_write_reply(p, len, 64) <= 64);
	assert_true(vfki_dec_set_irqs_reply(p, len, true, 64) < 64);
	assert_true(vfki_dec_write_multi_reply(p, len, 64) <= 64);
	vfki_dec_dma_unmap_reply(p, len, &u, &data);
	vfki_dec_irq_info_reply(p, len, 0, &irq);
	vfki_dec_precopy_info_reply(p, len, &precopy);
	vfki_dec_region_io_fds_reply(p, len, 0, 4096, 2, subs, 4, &x, &y);
	return 0;
}

static int in_write_multi(const void *p, size_t len)
{
	const void *writes;
	uint32_t n;
	int r = vfki_dec_write_multi_request(p, len, &writes, &n);

	if (!r)
		assert_true(8 + (size_t)n * 24 == len);
	return r;
}

static int in_header(const void *p, size_t len)
{
	struct vfki_wire_header h;
	int r;

	if (len < sizeof(h))
		return 0;
	r = vfki_dec_header(p, 1 << 20, &h);
	if (r)
		return r;
	assert_true(vfki_wire_payload(&h) <= (1 << 20) - 16);
	assert_true(vfki_wire_errno(&h) < 0);
	return vfki_wire_check_header(&h, true, 4096, 0);
}

static int (*const decoders[])(const void *p, size_t len) = {
	in_version,	in_region_info, in_set_irqs, in_feature,     in_feature_reply,
	in_device_info, in_requests,	in_replies,  in_write_multi, in_header,
};

#define DECODERS (sizeof(decoders) / sizeof(decoders[0]))

static void feed(const void *bytes, size_t len)
{
	const void *p = fence(bytes, len);

	for (size_t d = 0; d < DECODERS; d++)
		assert_true(decoders[d](p, len) <= 0);
}

static void test_noise(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	uint8_t bytes[MOST];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		size_t len = next(&seed) % (MOST + 1);

		for (size_t i = 0; i < MOST; i++)
			bytes[i] = next(&seed) & 3 ? 0 : (uint8_t)next(&seed);
		feed(bytes, len);
	}
}

static size_t good_region_info(uint8_t *bytes)
{
	static const struct vfio_region_sparse_mmap_area areas[] = { { 0, 4096 }, { 8192, 4096 } };
	struct vfio_region_info info = { .flags = 15, .size = 65536, .offset = 4096 };
	size_t used = sizeof(info), link = offsetof(struct vfio_region_info, cap_offset);
	uint32_t argsz;

	memset(bytes, 0, MOST);
	memcpy(bytes, &info, sizeof(info));
	vfki_sparse_encode(vfki_caps_add(bytes, MOST, &used, &link, 1, 1, vfki_sparse_size(2)),
			   areas, 2);
	vfki_caps_add(bytes, MOST, &used, &link, VFKI_WIRE_CAP_SPARSE_MMAP_FDS, 1, 16 + 64);
	vfki_caps_add(bytes, MOST, &used, &link, 2, 1, 16);
	argsz = (uint32_t)used;
	memcpy(bytes, &argsz, sizeof(argsz));
	return used;
}

static size_t good_version(uint8_t *bytes)
{
	struct vfki_wire_hello hello = { .minor = 2 };
	int len;

	vfki_wire_caps_own(&hello.caps, 1 << 20, true);
	hello.caps.keys &= ~VFKI_WIRE_KEY_MIGRATION;
	memset(bytes, 0, MOST);
	len = vfki_enc_version(bytes, MOST, &hello);
	assert_true(len > 0);
	return (size_t)len;
}

static size_t good_logging_start(uint8_t *bytes)
{
	static const uint64_t words[] = {
		(6ull | VFIO_DEVICE_FEATURE_SET) << 32 | 56, 4096, 2, 0, 4096, 8192, 4096
	};

	memset(bytes, 0, MOST);
	memcpy(bytes, words, sizeof(words));
	return sizeof(words);
}

static void test_damaged(void **state)
{
	static size_t (*const good[])(uint8_t * bytes) = { good_region_info, good_version,
							   good_logging_start };
	uint64_t seed = 42;
	uint8_t bytes[MOST];

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		size_t len = good[round % 3](bytes);
		size_t damage = 1 + next(&seed) % 4;

		while (damage--)
			bytes[next(&seed) % len] = next(&seed) & 1 ? 0xff : (uint8_t)next(&seed);
		if (!(round % 7))
			len = next(&seed) % len;
		feed(bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
