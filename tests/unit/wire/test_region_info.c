/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region_info.c - DEVICE_GET_REGION_INFO: capabilities, and the descriptors to map by. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/capchain.h"
#include "lib/base/sparse.h"
#include "lib/wire/region_info.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

#define INDEX 2
#define SIZE  0x10000
#define MMAP  VFIO_REGION_INFO_FLAG_MMAP
#define CAPS  VFIO_REGION_INFO_FLAG_CAPS

typedef struct vfio_region_sparse_mmap_area area_t;

static const area_t two_areas[] = { { 0x8000, 0x1000 }, { 0, 0x1000 } };

/* A region info with room for capabilities behind it. */
struct region {
	uint8_t bytes[1024] __attribute__((aligned(8)));
	size_t used;
	size_t link;
};

static struct vfio_region_info *start(struct region *r)
{
	struct vfio_region_info *info = (void *)r->bytes;

	memset(r, 0, sizeof(*r));
	r->used = sizeof(*info);
	r->link = offsetof(struct vfio_region_info, cap_offset);
	info->argsz = sizeof(*info);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | MMAP;
	info->index = INDEX;
	info->size = SIZE;
	info->offset = 0x20000;
	return info;
}

static uint8_t *add(struct region *r, uint16_t id, size_t size)
{
	struct vfio_region_info *info = (void *)r->bytes;
	uint8_t *cap = vfki_caps_add(r->bytes, sizeof(r->bytes), &r->used, &r->link, id, 1, size);

	assert_non_null(cap);
	info->flags |= CAPS;
	info->argsz = (uint32_t)r->used;
	return cap;
}

static void add_sparse(struct region *r, const area_t *areas, size_t n)
{
	vfki_sparse_encode(add(r, VFIO_REGION_INFO_CAP_SPARSE_MMAP, vfki_sparse_size(n)), areas, n);
}

static void add_fd_areas(struct region *r, const struct vfki_wire_sparse_fd_area *areas, uint32_t n)
{
	uint8_t *cap = add(r, VFKI_WIRE_CAP_SPARSE_MMAP_FDS, 16 + n * sizeof(*areas));

	memcpy(cap + 8, &n, sizeof(n));
	memcpy(cap + 16, areas, n * sizeof(*areas));
}

/* What the decoder makes of it, from right before a fence. */
static int decode(const struct region *r, size_t nfds, struct region *out,
		  struct vfki_wire_region_maps *maps)
{
	return vfki_dec_region_info_reply(fence(r->bytes, r->used), r->used, INDEX, nfds,
					  (void *)out->bytes, sizeof(out->bytes), maps);
}

static void test_request(void **state)
{
	uint32_t index = 0, argsz = 0;
	uint8_t buf[64] = { 0 };

	(void)state;
	assert_int_equal(vfki_enc_region_info_request(buf, 3, 100), 32);
	for (size_t len = 0; len <= 64; len++)
		assert_int_equal(vfki_dec_region_info_request(fence(buf, len), len, 4, &index,
							      &argsz),
				 len < 32 ? -EPROTO : 0);
	assert_int_equal(index, 3);
	assert_int_equal(argsz, 100);
	assert_int_equal(vfki_dec_region_info_request(buf, 32, 3, &index, &argsz), -EINVAL);
	vfki_enc_region_info_request(buf, 0, 31);
	assert_int_equal(vfki_dec_region_info_request(buf, 32, 4, &index, &argsz), -EINVAL);
	vfki_enc_region_info_request(buf, UINT32_MAX, 32);
	assert_int_equal(vfki_dec_region_info_request(buf, 32, 4, &index, &argsz), -EINVAL);
}

static void test_one_descriptor(void **state)
{
	struct vfk_region_fds fds = { .size = sizeof(fds), .count = 1, .fd = { 7 } };
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r), *got = (void *)out.bytes;
	int send[VFK_REGION_MAX_FDS] = { -1 };
	uint8_t buf[256];
	size_t nfds = 0;
	int len;

	(void)state;
	len = vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 32, 1, false, send, &nfds);
	assert_int_equal(len, 32);
	assert_int_equal(nfds, 1);
	assert_int_equal(send[0], 7);
	assert_int_equal(vfki_dec_region_info_reply(fence(buf, 32), 32, INDEX, 1, got,
						    sizeof(out.bytes), &maps),
			 0);
	assert_memory_equal(got, info, 32);
	assert_int_equal(maps.count, 1);
	assert_false(maps.per_area);
	assert_int_equal(maps.index[0], 0);
	for (size_t cut = 0; cut < 32; cut++)
		assert_int_equal(vfki_dec_region_info_reply(fence(buf, cut), cut, INDEX, 1, got, 32,
							    &maps),
				 -EPROTO);
}

static void test_no_descriptor_no_mmap(void **state)
{
	struct vfk_region_fds fds = { .size = sizeof(fds), .count = 1, .fd = { 7 } };
	struct vfki_wire_region_maps maps = { .count = 9 };
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r), *got = (void *)out.bytes;
	int send[VFK_REGION_MAX_FDS];
	size_t nfds = 9;

	(void)state;
	assert_int_equal(decode(&r, 0, &out, &maps), 0);
	assert_int_equal(got->flags & MMAP, 0);
	assert_int_equal(maps.count, 0);
	assert_int_equal(vfki_enc_region_info_reply(got, 64, info, NULL, 32, 8, false, send, &nfds),
			 32);
	assert_int_equal(got->flags & MMAP, 0);
	assert_int_equal(nfds, 0);
	assert_int_equal(vfki_enc_region_info_reply(got, 64, info, &fds, 32, 0, false, send, &nfds),
			 32);
	assert_int_equal(got->flags & MMAP, 0);
	info->flags &= ~(uint32_t)MMAP;
	assert_int_equal(vfki_enc_region_info_reply(got, 64, info, &fds, 32, 8, false, send, &nfds),
			 32);
	assert_int_equal(nfds, 0);
	assert_int_equal(decode(&r, 0, &out, &maps), 0);
	assert_int_equal(decode(&r, 1, &out, &maps), -EPROTO);
}

static void test_chain_travels(void **state)
{
	struct vfk_region_fds fds = { .size = sizeof(fds), .count = 1, .fd = { 7 } };
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r), *got = (void *)out.bytes;
	int send[VFK_REGION_MAX_FDS];
	uint8_t buf[256];
	size_t nfds;
	int len;

	(void)state;
	memset(add(&r, VFIO_REGION_INFO_CAP_TYPE, 16) + 8, 0x5a, 8);
	add_sparse(&r, two_areas, 2);
	add(&r, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 8);
	len = vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 1, false, send, &nfds);
	assert_int_equal(len, (int)r.used);
	assert_memory_equal(buf, r.bytes, r.used);
	assert_int_equal(nfds, 1);
	assert_int_equal(vfki_dec_region_info_reply(fence(buf, r.used), r.used, INDEX, 1, got,
						    sizeof(out.bytes), &maps),
			 0);
	assert_memory_equal(out.bytes, r.bytes, r.used);
	assert_int_equal(maps.count, 1);
	assert_false(maps.per_area);
	assert_int_equal(vfki_enc_region_info_reply(buf, r.used - 1, info, &fds, 4096, 1, false,
						    send, &nfds),
			 -ENOBUFS);
}

static void test_chain_without_room(void **state)
{
	struct vfk_region_fds fds = { .size = sizeof(fds), .count = 1, .fd = { 7 } };
	struct vfki_wire_region_maps maps = { .count = 9 };
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r), *got = (void *)out.bytes, w;
	int send[VFK_REGION_MAX_FDS];
	uint8_t buf[256];
	size_t nfds = 9;

	(void)state;
	add_sparse(&r, two_areas, 2);
	assert_int_equal(vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 32, 1, false,
						    send, &nfds),
			 32);
	assert_int_equal(nfds, 0);
	memcpy(&w, buf, sizeof(w));
	assert_int_equal(w.argsz, r.used);
	/* QEMU: cap_offset must lie between 32 and argsz whenever CAPS is set. */
	assert_true(w.flags & CAPS && w.cap_offset >= 32 && w.cap_offset <= w.argsz);
	assert_int_equal(vfki_dec_region_info_reply(fence(buf, 32), 32, INDEX, 0, got,
						    sizeof(out.bytes), &maps),
			 0);
	assert_int_equal(got->argsz, r.used);
	assert_int_equal(got->cap_offset, 0);
	assert_true(got->flags & MMAP);
	assert_int_equal(maps.count, 0);
	/* All arrived, and the caller has no room. */
	for (size_t cap = 32; cap < r.used; cap += 8) {
		struct vfio_region_info *small = fence(NULL, cap);

		assert_int_equal(vfki_dec_region_info_reply(r.bytes, r.used, INDEX, 1, small, cap,
							    &maps),
				 0);
		assert_int_equal(small->argsz, r.used);
		assert_int_equal(small->cap_offset, 0);
		assert_int_equal(maps.count, 0);
	}
}

/* libvfio-user and SPDK: a descriptor an area, in the order of the areas. */
static void test_descriptor_per_area(void **state)
{
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };

	(void)state;
	start(&r);
	add_sparse(&r, two_areas, 2);
	assert_int_equal(decode(&r, 2, &out, &maps), 0);
	assert_int_equal(maps.count, 2);
	assert_true(maps.per_area);
	assert_int_equal(maps.index[1], 1);
	assert_int_equal(maps.offset[0], 0x28000);
	assert_int_equal(maps.offset[1], 0x20000);
	assert_int_equal(decode(&r, 3, &out, &maps), -EPROTO);
	start(&r);
	assert_int_equal(decode(&r, 2, &out, &maps), -EPROTO);
}

static void test_sparse_fds_round_trip(void **state)
{
	struct vfk_region_fds fds = {
		.size = sizeof(fds),
		.count = 2,
		.flags = VFK_REGION_FD_PER_AREA,
		.fd = { 7, 9 },
		.offset = { 0x3000, 0 },
	};
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r), *got = (void *)out.bytes;
	int send[VFK_REGION_MAX_FDS];
	struct vfki_cap cap;
	area_t areas[4];
	uint8_t buf[512];
	size_t nfds, n;
	int len;

	(void)state;
	add_sparse(&r, two_areas, 2);
	add(&r, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, 8);
	len = vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 8, true, send, &nfds);
	assert_true(len > 0);
	assert_int_equal(nfds, 2);
	assert_int_equal(send[0], 7);
	assert_int_equal(send[1], 9);
	assert_int_equal(vfki_dec_region_info_reply(fence(buf, (size_t)len), (size_t)len, INDEX, 2,
						    got, sizeof(out.bytes), &maps),
			 0);
	assert_int_equal(maps.count, 2);
	assert_true(maps.per_area);
	assert_int_equal(maps.index[0], 0);
	assert_int_equal(maps.index[1], 1);
	assert_int_equal(maps.offset[0], 0x3000);
	assert_int_equal(maps.offset[1], 0);
	assert_int_equal(vfki_caps_find(out.bytes, got->argsz, 32, got->cap_offset, 1, &cap), 1);
	assert_int_equal(vfki_sparse_decode(&cap, SIZE, areas, 4, &n), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(areas, two_areas, sizeof(two_areas));
	assert_int_equal(vfki_caps_find(out.bytes, got->argsz, 32, got->cap_offset, 16, &cap), 0);
	assert_int_equal(vfki_caps_find(out.bytes, got->argsz, 32, got->cap_offset, 3, &cap), 1);

	/* A peer without the capability, or that takes fewer descriptors, cannot map. */
	vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 8, false, send, &nfds);
	assert_int_equal(nfds, 0);
	assert_false(((struct vfio_region_info *)(void *)buf)->flags & MMAP);
	vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 1, true, send, &nfds);
	assert_int_equal(nfds, 0);
}

static void test_areas_share_a_descriptor(void **state)
{
	struct vfk_region_fds fds = {
		.size = sizeof(fds),
		.count = 3,
		.flags = VFK_REGION_FD_PER_AREA,
		.fd = { 7, -1, 7 },
		.offset = { 0x5000, 0, 0 },
	};
	static const area_t areas[] = { { 0x8000, 0x1000 }, { 0, 0x1000 }, { 0x2000, 0x1000 } };
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	struct vfio_region_info *info = start(&r);
	int send[VFK_REGION_MAX_FDS];
	uint8_t buf[512];
	size_t nfds;
	int len;

	(void)state;
	add_sparse(&r, areas, 3);
	len = vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 1, true, send, &nfds);
	assert_true(len > 0);
	assert_int_equal(nfds, 1);
	assert_int_equal(vfki_dec_region_info_reply(buf, (size_t)len, INDEX, 1, (void *)out.bytes,
						    sizeof(out.bytes), &maps),
			 0);
	assert_int_equal(maps.count, 2);
	assert_int_equal(maps.index[0], 0);
	assert_int_equal(maps.index[1], 0);
	assert_int_equal(maps.offset[0], 0x5000);
	assert_int_equal(maps.offset[1], 0);
}

/* SPARSE_MMAP_FDS that says no more than one descriptor for the region does. */
static void test_fd_areas_in_one_file(void **state)
{
	static const struct vfki_wire_sparse_fd_area areas[] = {
		{ 0x8000, 0x108000, 0x1000, 1, 0 },
		{ 0, 0x100000, 0x1000, 1, 0 },
	};
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	struct vfio_region_info *got = (void *)out.bytes;
	struct vfki_cap cap;
	size_t n;

	(void)state;
	start(&r);
	add_sparse(&r, two_areas, 1);
	add_fd_areas(&r, areas, 2);
	assert_int_equal(decode(&r, 2, &out, &maps), 0);
	assert_int_equal(maps.count, 1);
	assert_false(maps.per_area);
	assert_int_equal(maps.index[0], 1);
	assert_int_equal(got->offset, 0x100000);
	/* The other list, of one area, is no capability any more. */
	assert_int_equal(vfki_caps_find(out.bytes, got->argsz, 32, got->cap_offset, 1, &cap), 1);
	assert_int_equal(vfki_sparse_decode(&cap, SIZE, NULL, 0, &n), 0);
	assert_int_equal(n, 2);
}

static void test_more_areas_than_can_be_told(void **state)
{
	struct vfki_wire_sparse_fd_area areas[VFK_REGION_MAX_FDS + 1];
	struct vfki_wire_region_maps maps = { .count = 9 };
	area_t plain[VFK_REGION_MAX_FDS + 1];
	struct region r, out = { .used = 0 };
	struct vfio_region_info *got = (void *)out.bytes;

	(void)state;
	for (uint32_t i = 0; i <= VFK_REGION_MAX_FDS; i++) {
		areas[i] = (struct vfki_wire_sparse_fd_area){ i * 16u, 4096 * i, 16, i & 1, 0 };
		plain[i] = (area_t){ i * 16u, 16 };
	}
	start(&r);
	add_fd_areas(&r, areas, VFK_REGION_MAX_FDS + 1);
	assert_int_equal(decode(&r, 2, &out, &maps), 0);
	assert_int_equal(maps.count, 0);
	assert_false(got->flags & MMAP);
	start(&r);
	add_sparse(&r, plain, VFK_REGION_MAX_FDS + 1);
	assert_int_equal(decode(&r, VFK_REGION_MAX_FDS + 1, &out, &maps), 0);
	assert_int_equal(maps.count, 0);
	assert_int_equal(decode(&r, 1, &out, &maps), 0);
	assert_int_equal(maps.count, 1);
}

static void test_bad_fixed_part(void **state)
{
	static const struct mutation cases[] = {
		{ 8, 4, INDEX + 1, -EPROTO },
		{ 0, 4, VFKI_WIRE_MAX_INFO + 1, -EPROTO },
		{ 0, 4, 0, 0 },
		{ 16, 8, 1ull << 63, -EPROTO },
		{ 24, 8, 1ull << 63, -EPROTO },
		{ 24, 8, INT64_MAX - SIZE, 0 },
		{ 24, 8, INT64_MAX - SIZE + 1, -EPROTO },
		{ 24, 8, UINT64_MAX, -EPROTO },
	};
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		start(&r);
		put_field(r.bytes, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(decode(&r, 1, &out, &maps), cases[i].result);
	}
}

static void test_bad_chain(void **state)
{
	/*
	 * The chain: SPARSE_MMAP with two areas at 32, its areas at 48 and 64, then a TYPE at 80.
	 */
	static const struct mutation cases[] = {
		{ 12, 4, 8, -EPROTO },		{ 12, 4, 34, -EPROTO },
		{ 12, 4, 1000, -EPROTO },	{ 36, 4, 32, -EPROTO },
		{ 36, 4, 96, -EPROTO },		{ 36, 4, 81, -EPROTO },
		{ 40, 4, 3, -EPROTO },		{ 40, 4, UINT32_MAX, -EPROTO },
		{ 48, 8, SIZE, -EPROTO },	{ 56, 8, 0x8001, -EPROTO },
		{ 48, 8, UINT64_MAX, -EPROTO }, { 64, 8, 0x8fff, -EPROTO },
		{ 72, 8, UINT64_MAX, -EPROTO }, { 72, 8, 0, 0 },
		{ 0, 4, 40, -EPROTO },		{ 0, 4, 33, -EPROTO },
	};
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		start(&r);
		add_sparse(&r, two_areas, 2);
		add(&r, VFIO_REGION_INFO_CAP_TYPE, 16);
		assert_int_equal(decode(&r, 1, &out, &maps), 0);
		put_field(r.bytes, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(decode(&r, 1, &out, &maps), cases[i].result);
	}
}

static void test_bad_fd_areas(void **state)
{
	/* SPARSE_MMAP_FDS at 32, its two areas at 48 and 80. */
	static const struct mutation cases[] = {
		{ 40, 4, 3, -EPROTO },
		{ 40, 4, UINT32_MAX, -EPROTO },
		{ 48, 8, SIZE, -EPROTO },
		{ 48, 8, 0, -EPROTO },
		{ 56, 8, INT64_MAX, -EPROTO },
		{ 64, 8, SIZE, -EPROTO },
		{ 64, 8, UINT64_MAX, -EPROTO },
		{ 72, 4, 2, -EPROTO },
		{ 104, 4, UINT32_MAX, -EPROTO },
		{ 56, 8, INT64_MAX - 0x1000, 0 },
		{ 40, 4, 0, 0 },
		{ 56, 8, 1ull << 62, 0 },
	};
	static const struct vfki_wire_sparse_fd_area areas[] = {
		{ 0x8000, 0x3000, 0x1000, 0, 0 },
		{ 0, 0, 0x1000, 1, 0 },
	};
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		start(&r);
		add_fd_areas(&r, areas, 2);
		assert_int_equal(decode(&r, 2, &out, &maps), 0);
		put_field(r.bytes, cases[i].at, cases[i].width, cases[i].value);
		assert_int_equal(decode(&r, 2, &out, &maps), cases[i].result);
	}
}

/* A capability that begins inside the list of areas, reached from behind. */
static void test_overlapping_capabilities(void **state)
{
	static const struct vfki_wire_sparse_fd_area areas[] = { { 0x8000, 0, 0x1000, 0, 0 },
								 { 0, 0, 0x1000, 1, 0 } };
	const struct vfio_info_cap_header inside = { .id = 2, .version = 1, .next = 0 };
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };
	uint32_t at = 56; /* fd_offset of the first area */

	(void)state;
	start(&r);
	add_fd_areas(&r, areas, 2);
	add(&r, VFIO_REGION_INFO_CAP_TYPE, 16);
	assert_int_equal(decode(&r, 2, &out, &maps), 0);
	memcpy(r.bytes + at, &inside, sizeof(inside));
	memcpy(r.bytes + r.link, &at, sizeof(at));
	assert_int_equal(vfki_caps_check(r.bytes, r.used, 32, 32), 0);
	assert_int_equal(decode(&r, 2, &out, &maps), -EPROTO);
}

/* Cut off at every byte: 32 are a reply that leaves the chain out, less are none. */
static void test_every_length(void **state)
{
	struct vfki_wire_region_maps maps;
	struct region r, out = { .used = 0 };

	(void)state;
	start(&r);
	add_sparse(&r, two_areas, 2);
	for (size_t len = 0; len < r.used; len++) {
		int want = len < 32 ? -EPROTO : 0;

		assert_int_equal(vfki_dec_region_info_reply(fence(r.bytes, len), len, INDEX, 1,
							    (void *)out.bytes, sizeof(out.bytes),
							    &maps),
				 want);
		if (!want)
			assert_int_equal(maps.count, 0);
	}
}

static void test_an_io_that_lies(void **state)
{
	struct vfk_region_fds fds = {
		.size = sizeof(fds), .count = 1, .flags = VFK_REGION_FD_PER_AREA, .fd = { 7 }
	};
	struct region r;
	struct vfio_region_info *info = start(&r);
	int send[VFK_REGION_MAX_FDS];
	uint8_t buf[512];
	size_t nfds;

	(void)state;
	add_sparse(&r, two_areas, 2);
	assert_int_equal(vfki_enc_region_info_reply(buf, sizeof(buf), info, &fds, 4096, 8, true,
						    send, &nfds),
			 -EIO);
	info->cap_offset = 8;
	assert_int_equal(vfki_enc_region_info_reply(buf, sizeof(buf), info, NULL, 4096, 8, true,
						    send, &nfds),
			 -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_one_descriptor),
		cmocka_unit_test(test_no_descriptor_no_mmap),
		cmocka_unit_test(test_chain_travels),
		cmocka_unit_test(test_chain_without_room),
		cmocka_unit_test(test_descriptor_per_area),
		cmocka_unit_test(test_sparse_fds_round_trip),
		cmocka_unit_test(test_areas_share_a_descriptor),
		cmocka_unit_test(test_fd_areas_in_one_file),
		cmocka_unit_test(test_more_areas_than_can_be_told),
		cmocka_unit_test(test_bad_fixed_part),
		cmocka_unit_test(test_bad_chain),
		cmocka_unit_test(test_bad_fd_areas),
		cmocka_unit_test(test_overlapping_capabilities),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_an_io_that_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
