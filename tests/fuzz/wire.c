/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.c - every decoder of lib/wire on an input.
 *
 * Input: a byte that chooses the decoder, a byte that it uses as it likes (a number of descriptors, a request), the
 * payload. The payload is copied to memory of its own length, so that the address sanitizer sees a byte read behind it.
 * What a decoder lets pass is what its header promises: that is required here.
 */
#include "input.h"
#include "lib/base/capchain.h"
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
#include <errno.h>
#include <stdlib.h>

#define MAX_XFER   4096
#define MAX_BITMAP 4096
#define ROOM	   512

static const uint32_t counts[] = { 1, 32, 2048 };

#define NCOUNTS (sizeof(counts) / sizeof(counts[0]))

/* ---- VERSION ---- */

#define SAME(a, b, key, member) (!((b).caps.keys & (key)) || (a).caps.member == (b).caps.member)

/* What was understood and is said again is understood the same. */
static void say_again(const struct vfki_wire_hello *hello)
{
	uint8_t bytes[sizeof(struct vfki_wire_version) + VFKI_WIRE_MAX_VERSION];
	struct vfki_wire_hello again;
	int len = vfki_enc_version(bytes, sizeof(bytes), hello);

	REQUIRE(len >= (int)sizeof(struct vfki_wire_version));
	REQUIRE(!vfki_dec_version(bytes, (size_t)len, &again));
	REQUIRE(again.major == hello->major && again.minor == hello->minor);
	REQUIRE(again.caps.keys == hello->caps.keys);
	/* A key that is not named is not said. */
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_MAX_FDS, max_msg_fds));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_MAX_XFER, max_data_xfer_size));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_MAX_DMA_MAPS, max_dma_maps));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_PGSIZES, pgsizes));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_TWIN_SOCKET, twin_socket));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_WRITE_MULTI, write_multiple));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_MIGRATION, migration_pgsize));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_MIGRATION, migration_max_bitmap));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_VFIOKIT, irq_count));
	REQUIRE(SAME(again, *hello, VFKI_WIRE_KEY_VFIOKIT, sparse_fds));
}

static void in_version(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_hello hello, reply, own = { .minor = VFKI_WIRE_MINOR };
	struct vfki_wire_agreed agreed;

	if (vfki_dec_version(p, len, &hello))
		return;
	REQUIRE(hello.caps.max_msg_fds <= VFKI_WIRE_SCM_MAX_FDS);
	REQUIRE(hello.caps.max_data_xfer_size <= VFKI_WIRE_MAX_XFER);
	REQUIRE(hello.caps.max_dma_maps <= VFKI_WIRE_MAX_DMA_MAPS);
	say_again(&hello);
	vfki_wire_caps_own(&own.caps, MAX_XFER, extra & 1);
	if (!vfki_wire_negotiate_server(&own.caps, &hello, &reply, &agreed)) {
		REQUIRE(agreed.recv_xfer <= MAX_XFER && agreed.send_fds <= VFKI_WIRE_SCM_MAX_FDS);
		say_again(&reply);
	}
	if (!vfki_wire_negotiate_client(&own, &hello, extra % 4, &agreed))
		REQUIRE(agreed.twin_fd_index < extra % 4);
}

/* ---- infos ---- */

static void in_device_info(const void *p, size_t len, uint8_t extra)
{
	size_t cap = sizeof(struct vfki_wire_device_info) + extra;
	struct vfio_device_info *info = calloc(1, ROOM);
	uint8_t bytes[ROOM];
	uint32_t argsz;

	if (!vfki_dec_device_info_request(p, len, &argsz))
		REQUIRE(argsz >= sizeof(struct vfki_wire_device_info));
	if (!vfki_dec_device_info_reply(p, len, info, cap)) {
		REQUIRE(info->num_regions <= VFKI_WIRE_MAX_REGIONS);
		REQUIRE(info->num_irqs <= VFKI_WIRE_MAX_IRQS);
		if (info->argsz <= cap)
			REQUIRE(vfki_enc_device_info_reply(bytes, sizeof(bytes), info,
							   sizeof(bytes)) <= sizeof(bytes));
	}
	free(info);
}

static void check_maps(const struct vfki_wire_region_maps *maps, size_t nfds)
{
	REQUIRE(maps->count <= VFK_REGION_MAX_FDS);
	for (uint32_t i = 0; i < maps->count; i++)
		REQUIRE(maps->index[i] < nfds);
}

/* As a proxy does: what was understood of one server is sent to a client, which understands it too. */
static void pass_on(const struct vfio_region_info *info, const struct vfki_wire_region_maps *maps)
{
	struct vfk_region_fds fds = { .size = sizeof(fds), .count = maps->count };
	uint8_t bytes[4 * ROOM], again[4 * ROOM] __attribute__((aligned(8)));
	struct vfki_wire_region_maps understood;
	int out[VFK_REGION_MAX_FDS], len;
	size_t nout;

	REQUIRE(!vfki_caps_check(info, info->argsz, sizeof(*info), info->cap_offset));
	fds.flags = maps->per_area ? VFK_REGION_FD_PER_AREA : 0;
	for (uint32_t i = 0; i < maps->count; i++) {
		fds.fd[i] = (int)maps->index[i];
		fds.offset[i] = maps->per_area ? maps->offset[i] : 0;
	}
	len = vfki_enc_region_info_reply(bytes, sizeof(bytes), info, &fds, sizeof(bytes), 8, true,
					 out, &nout);
	/* A chain with two lists of areas, or capabilities that overlap, need not be passed on. */
	if (len == -EIO || len == -ENOBUFS)
		return;
	REQUIRE(len >= (int)sizeof(*info) && len <= (int)sizeof(bytes));
	REQUIRE(!vfki_dec_region_info_reply(bytes, (size_t)len, info->index, nout, (void *)again,
					    sizeof(again), &understood));
	REQUIRE(understood.count == maps->count);
}

static void in_region_info(const void *p, size_t len, uint8_t extra)
{
	size_t cap = extra & 0x80 ? sizeof(struct vfio_region_info) : ROOM, nfds = extra % 8;
	struct vfio_region_info *info = calloc(1, cap);
	struct vfki_wire_region_maps maps;
	uint32_t index, argsz;

	if (!vfki_dec_region_info_request(p, len, 9, &index, &argsz))
		REQUIRE(index < 9 && argsz >= sizeof(*info));
	if (!vfki_dec_region_info_reply(p, len, 0, nfds, info, cap, &maps)) {
		REQUIRE(info->index == 0);
		check_maps(&maps, nfds);
		if (info->argsz <= cap)
			pass_on(info, &maps);
	}
	free(info);
}

static void in_region_io_fds(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_sub_region subs[4];
	uint32_t index, argsz, n;

	if (!vfki_dec_region_io_fds_request(p, len, 9, &index, &argsz))
		REQUIRE(index < 9);
	if (vfki_dec_region_io_fds_reply(p, len, 0, 4096, extra % 4, subs, 4, &n, &argsz))
		return;
	REQUIRE(n <= 4);
	for (uint32_t i = 0; i < n; i++)
		REQUIRE(subs[i].fd_index < extra % 4u && subs[i].offset < 4096 &&
			subs[i].size <= 4096 - subs[i].offset);
}

static void in_irq_info(const void *p, size_t len, uint8_t extra)
{
	struct vfio_irq_info info;
	uint32_t index;

	(void)extra;
	if (!vfki_dec_irq_info_request(p, len, 5, &index))
		REQUIRE(index < 5);
	if (!vfki_dec_irq_info_reply(p, len, 0, &info))
		REQUIRE(info.index == 0 && info.count <= VFKI_WIRE_MAX_VECTORS);
}

/* ---- interrupts ---- */

/* The parts into which a client would cut it cover it once. */
static void cut(const struct vfio_irq_set *set, uint32_t max_fds)
{
	struct vfki_wire_irq_part part;
	uint32_t done = 0;
	uint8_t bytes[32];
	int n;

	do {
		n = vfki_wire_irq_next(set, done, max_fds, &part);
		REQUIRE(n >= 0 && part.nfds <= max_fds);
		REQUIRE(n > 0 || set->count == 0);
		REQUIRE(vfki_enc_set_irqs_request(bytes, &part) == 20);
		done += (uint32_t)n;
		REQUIRE(done <= set->count);
	} while (done < set->count);
}

static void in_set_irqs(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_irq_request req;
	int fds[256] = { 0 };
	struct vfio_irq_set *set;
	size_t size;

	REQUIRE(vfki_dec_set_irqs_reply(p, len, extra & 1, 64) < 64);
	if (vfki_dec_set_irqs_request(p, len, extra, counts, NCOUNTS, &req))
		return;
	REQUIRE(vfki_wire_irq_flags_ok(req.set.flags));
	REQUIRE(req.set.index < NCOUNTS);
	REQUIRE(req.set.start <= counts[req.set.index]);
	REQUIRE(req.set.count <= counts[req.set.index] - req.set.start);
	size = vfki_wire_irq_kernel_size(&req);
	set = calloc(1, size);
	vfki_wire_irq_to_kernel(&req, fds, set);
	REQUIRE(set->argsz == size);
	cut(set, 1 + extra % 16);
	free(set);
}

/* ---- accesses ---- */

static void in_region_access(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_region_access a = { .region = 0, .count = 64 }, asked = a;
	struct vfk_region_write w;
	const void *writes;
	uint32_t n;

	(void)extra;
	if (!vfki_dec_region_read_request(p, len, MAX_XFER, &a))
		REQUIRE(a.count && a.count <= MAX_XFER);
	if (!vfki_dec_region_write_request(p, len, MAX_XFER, &a))
		REQUIRE(a.count == len - 16);
	REQUIRE(vfki_dec_region_read_reply(p, len, &asked) <= 64);
	REQUIRE(vfki_dec_region_write_reply(p, len, &asked) <= 64);
	REQUIRE(vfki_dec_write_multi_reply(p, len, 64) <= 64);
	if (vfki_dec_write_multi_request(p, len, &writes, &n))
		return;
	REQUIRE(n && n <= VFKI_WIRE_MAX_WRITES);
	for (uint32_t i = 0; i < n; i++) {
		vfki_wire_write_at(writes, i, &w);
		REQUIRE(w.len == 1 || w.len == 2 || w.len == 4 || w.len == 8);
	}
}

static void in_dma_access(const void *p, size_t len, uint8_t extra)
{
	const struct vfki_wire_dma_access asked = { .count = 1 + extra % 64 };
	enum vfki_wire_dma_form form = extra / 64 % 3;
	struct vfki_wire_dma_access a;
	const void *data;
	uint8_t bytes[64];
	int n;

	if (!vfki_dec_dma_read_request(p, len, MAX_XFER, &a))
		REQUIRE(a.count && a.count <= MAX_XFER && a.addr + (a.count - 1) >= a.addr);
	if (!vfki_dec_dma_write_request(p, len, MAX_XFER, &a))
		REQUIRE(a.count == len - 16);
	n = vfki_dec_dma_read_reply(p, len, &asked, &form, &data);
	REQUIRE(n < 0 || n == (int)asked.count);
	if (n > 0)
		memcpy(bytes, data, (size_t)n);
	REQUIRE(vfki_dec_dma_write_reply(p, len, &asked) <= 0);
	if (!vfki_dec_dma_question_reply(p, len, &asked))
		memcpy(bytes, vfki_wire_dma_data(p, VFKI_WIRE_DMA_32), asked.count);
}

static void in_dma_map(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_dma_map m;

	if (vfki_dec_dma_map_request(p, len, extra % 3, &m))
		return;
	REQUIRE(m.size && m.addr + (m.size - 1) >= m.addr);
	REQUIRE(extra % 3 == 0 || m.offset + (m.size - 1) >= m.offset);
}

static void in_dma_unmap(const void *p, size_t len, uint8_t extra)
{
	struct vfki_wire_unmap u, asked = { .size = 4096 };
	const void *bitmap = NULL;
	uint8_t bytes[MAX_BITMAP];

	if (!vfki_dec_dma_unmap_request(p, len, MAX_BITMAP, &u)) {
		REQUIRE(u.all || (u.size && u.addr + (u.size - 1) >= u.addr));
		REQUIRE(!u.bitmap || u.bitmap_size <= MAX_BITMAP);
		REQUIRE(vfki_enc_dma_unmap_reply(bytes, &u) <= VFKI_WIRE_UNMAP_MAX);
	}
	if (extra & 1) {
		asked.bitmap = true;
		asked.pgsize = 4096;
		asked.bitmap_size = 8 * (1 + extra / 2u % 16);
	}
	if (!vfki_dec_dma_unmap_reply(p, len, &asked, &bitmap) && bitmap)
		memcpy(bytes, bitmap, asked.bitmap_size);
}

static void in_migration(const void *p, size_t len, uint8_t extra)
{
	struct vfk_precopy_info info;
	uint32_t size;

	(void)extra;
	if (!vfki_dec_mig_read_request(p, len, MAX_XFER, &size))
		REQUIRE(size && size <= MAX_XFER);
	if (!vfki_dec_mig_write_request(p, len, MAX_XFER, &size))
		REQUIRE(size == len - 8);
	REQUIRE(vfki_dec_mig_read_reply(p, len, 64) <= 64);
	REQUIRE(vfki_dec_mig_write_reply(p, len, 64) <= 64);
	vfki_dec_precopy_info_request(p, len);
	vfki_dec_precopy_info_reply(p, len, &info);
}

/* ---- features ---- */

/* What the server would hand to its device passes the device layer's check, and can be answered. */
static void in_feature_request(const void *p, size_t len, uint8_t extra)
{
	uint64_t bitmap[MAX_BITMAP / 8] = { 0 };
	uint8_t reply[VFKI_WIRE_FEATURE_MAX];
	struct vfki_wire_feature_request req;
	struct vfki_wire_feature_tail tail;
	const struct vfki_feature *feature;
	const int fds[2] = { 0, 0 };

	if (vfki_dec_feature_request(p, len, fds, extra % 3, MAX_BITMAP, &req))
		return;
	REQUIRE(req.bitmap_size <= MAX_BITMAP);
	if (req.bitmap_size)
		vfki_wire_feature_set_bitmap(&req, bitmap);
	REQUIRE(!vfki_feature_check(&req.kernel.head, &feature) && feature == req.feature);
	REQUIRE(vfki_enc_feature_reply(reply, &req, &tail) <= sizeof(reply));
}

static void in_feature_reply(const void *p, size_t len, uint8_t extra)
{
	static const struct {
		uint32_t flags, size;
	} asked[] = {
		{ VFIO_DEVICE_FEATURE_GET | 1, 8 },  { VFIO_DEVICE_FEATURE_GET | 2, 8 },
		{ VFIO_DEVICE_FEATURE_SET | 2, 8 },  { VFIO_DEVICE_FEATURE_SET | 6, 24 },
		{ VFIO_DEVICE_FEATURE_GET | 8, 32 }, { VFIO_DEVICE_FEATURE_GET | 9, 8 },
		{ VFIO_DEVICE_FEATURE_SET | 3, 0 },  { VFIO_DEVICE_FEATURE_PROBE | 2, 0 },
	};
	uint64_t bitmap[16] = { 0 };
	struct vfio_device_feature_dma_logging_report report = { .length = 0x100000,
								 .page_size = 4096,
								 .bitmap = (uintptr_t)bitmap };
	const struct vfio_device_feature_dma_logging_control control = { .page_size = 4096 };
	struct vfki_feature_buf f = { .head = { .argsz = 8 + asked[extra % 8].size,
						.flags = asked[extra % 8].flags } };

	if (extra % 8 == 4)
		memcpy(f.data, &report, sizeof(report));
	else if (extra % 8 == 3)
		memcpy(f.data, &control, sizeof(control));
	vfki_dec_feature_reply(p, len, &f.head);
}

/* ---- headers ---- */

static void in_header(const void *p, size_t len, uint8_t extra)
{
	const uint32_t most = vfki_wire_max_message(MAX_XFER);
	struct vfki_wire_header h;

	if (len < sizeof(h) || vfki_dec_header(p, most, &h))
		return;
	REQUIRE(vfki_wire_payload(&h) <= most - sizeof(h));
	REQUIRE(vfki_wire_errno(&h) < 0);
	if (!vfki_wire_check_header(&h, extra & 1, MAX_XFER, extra / 2) && vfki_wire_is_reply(&h))
		REQUIRE(vfki_wire_shape(h.command));
}

static void (*const decoders[])(const void *p, size_t len, uint8_t extra) = {
	in_version,   in_device_info,	  in_region_info,   in_region_io_fds, in_irq_info,
	in_set_irqs,  in_region_access,	  in_dma_access,    in_dma_map,	      in_dma_unmap,
	in_migration, in_feature_request, in_feature_reply, in_header,
};

#define DECODERS (sizeof(decoders) / sizeof(decoders[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t which = take8(&in), extra = take8(&in);
	uint8_t *copy = malloc(in.len);

	if (in.len)
		memcpy(copy, in.bytes, in.len);
	decoders[which % DECODERS](copy, in.len, extra);
	free(copy);
	return 0;
}
