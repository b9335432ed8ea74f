/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature.c - DEVICE_FEATURE: the client's half, and what both halves share.
 *
 * Pure functions. The server's half is feature_server.c.
 */
#include "lib/wire/feature.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

#define HEADER sizeof(struct vfki_wire_feature)
#define PROBE  VFIO_DEVICE_FEATURE_PROBE
#define GET    VFIO_DEVICE_FEATURE_GET

static void set_fd(void *data, const struct vfki_feature *feature, int32_t fd)
{
	memcpy((uint8_t *)data + feature->fd_offset, &fd, sizeof(fd));
}

static bool fd_in_structure(const struct vfki_feature *feature)
{
	return feature->fd == VFKI_FD_IN || feature->fd == VFKI_FD_OUT;
}

size_t vfki_wire_feature_put(void *buf, const struct vfki_feature *feature, uint32_t flags,
			     const void *data, size_t size, size_t tail)
{
	struct vfki_wire_feature w = { .argsz = (uint32_t)(HEADER + size + tail), .flags = flags };

	memcpy(buf, &w, sizeof(w));
	memcpy((uint8_t *)buf + HEADER, data, size);
	if (fd_in_structure(feature) && size >= feature->fd_offset + sizeof(int32_t))
		set_fd((uint8_t *)buf + HEADER, feature, -1);
	return HEADER + size;
}

static void set_argsz(void *buf, size_t argsz)
{
	uint32_t n = (uint32_t)argsz;

	memcpy(buf, &n, sizeof(n));
}

static int ranges_of(const struct vfio_device_feature *f, struct vfki_wire_feature_tail *tail)
{
	struct vfio_device_feature_dma_logging_control c;

	memcpy(&c, f->data, sizeof(c));
	if (c.num_ranges > VFKI_WIRE_MAX_RANGES)
		return vfki_err(-E2BIG, "dma logging of %u ranges, at most %u", c.num_ranges,
				VFKI_WIRE_MAX_RANGES);
	if (c.num_ranges && !c.ranges)
		return vfki_err(-EINVAL, "dma logging of %u ranges, which are not given",
				c.num_ranges);
	tail->data = (const void *)(uintptr_t)c.ranges;
	tail->len = c.num_ranges * sizeof(struct vfio_device_feature_dma_logging_range);
	return 0;
}

static int bitmap_of(const struct vfio_device_feature *f, uint64_t max_bitmap, uint64_t *size)
{
	struct vfio_device_feature_dma_logging_report d;
	int r;

	memcpy(&d, f->data, sizeof(d));
	if (!d.bitmap)
		return vfki_err(-EINVAL, "dma logging report without a bitmap");
	r = vfki_feature_bitmap_size(d.iova, d.length, d.page_size, size);
	if (!r && *size > max_bitmap)
		r = vfki_err(-E2BIG, "dma logging report of %llu bytes, at most %llu",
			     (unsigned long long)*size, (unsigned long long)max_bitmap);
	return r;
}

static int enc_get(void *buf, const struct vfki_feature *feature,
		   const struct vfio_device_feature *f, uint64_t max_bitmap, size_t *reply_max)
{
	uint64_t bitmap = 0;
	size_t n;
	int r = 0;

	if (feature->tail == VFKI_TAIL_BITMAP)
		r = bitmap_of(f, max_bitmap, &bitmap);
	if (r)
		return r;
	n = vfki_wire_feature_put(buf, feature, f->flags, f->data, feature->get_input, 0);
	*reply_max = HEADER + feature->inline_size + bitmap;
	set_argsz(buf, *reply_max);
	return (int)n;
}

static int enc_set(void *buf, const struct vfki_feature *feature,
		   const struct vfio_device_feature *f, struct vfki_wire_feature_tail *tail,
		   size_t *reply_max)
{
	int32_t fd;
	size_t n;
	int r = 0;

	if (feature->tail == VFKI_TAIL_RANGES)
		r = ranges_of(f, tail);
	if (r)
		return r;
	if (feature->fd == VFKI_FD_IN) {
		memcpy(&fd, f->data + feature->fd_offset, sizeof(fd));
		if (fd < 0)
			return vfki_err(-EINVAL, "device feature %s without its eventfd",
					feature->name);
		tail->fd = fd;
	}
	n = vfki_wire_feature_put(buf, feature, f->flags, f->data, feature->inline_size, tail->len);
	*reply_max = n + tail->len;
	return (int)n;
}

int vfki_enc_feature_request(void *buf, const struct vfio_device_feature *f, uint64_t max_bitmap,
			     struct vfki_wire_feature_tail *tail, size_t *reply_max)
{
	const struct vfki_feature *feature = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK);

	if (!feature || !feature->exported)
		return vfki_err(-ENOTSUP, "device feature %u is not for sockets",
				f->flags & VFIO_DEVICE_FEATURE_MASK);
	*tail = (struct vfki_wire_feature_tail){ .fd = -1 };
	if (f->flags & PROBE) {
		*reply_max = HEADER;
		return (int)vfki_wire_feature_put(buf, feature, f->flags, f->data, 0, 0);
	}
	if (f->flags & GET)
		return enc_get(buf, feature, f, max_bitmap, reply_max);
	return enc_set(buf, feature, f, tail, reply_max);
}

static int take_bitmap(const uint8_t *bitmap, size_t len, const struct vfio_device_feature *f)
{
	struct vfio_device_feature_dma_logging_report d;
	uint64_t size, from, *words;

	memcpy(&d, f->data, sizeof(d));
	if (vfki_feature_bitmap_size(d.iova, d.length, d.page_size, &size) || len != size)
		return vfki_err(-EPROTO, "dma logging report reply: %zu bytes of bitmap", len);
	words = (uint64_t *)(uintptr_t)d.bitmap;
	for (size_t i = 0; i < size / sizeof(from); i++) {
		memcpy(&from, bitmap + i * sizeof(from), sizeof(from));
		words[i] |= from;
	}
	return 0;
}

static int dec_get(const struct vfki_feature *feature, const uint8_t *data, size_t len,
		   struct vfio_device_feature *f)
{
	if (len < feature->inline_size)
		return vfki_err(-EPROTO, "device feature %s reply: %zu bytes of data, need %u",
				feature->name, len, feature->inline_size);
	if (feature->tail == VFKI_TAIL_BITMAP)
		return take_bitmap(data + feature->inline_size, len - feature->inline_size, f);
	if (len != feature->inline_size)
		return vfki_err(-EPROTO, "device feature %s reply: %zu bytes of data, must be %u",
				feature->name, len, feature->inline_size);
	memcpy(f->data, data, feature->inline_size);
	if (feature->fd == VFKI_FD_OUT)
		set_fd(f->data, feature, -1);
	return 0;
}

static int dec_set(const struct vfki_feature *feature, const uint8_t *data, size_t len,
		   struct vfio_device_feature *f)
{
	uint64_t page_size;
	uint32_t state;

	/* Some servers answer a SET with the header alone. */
	if (len && len < feature->inline_size)
		return vfki_err(-EPROTO, "device feature %s reply: %zu bytes of data, must be %u",
				feature->name, len, feature->inline_size);
	if (feature->fd == VFKI_FD_OUT)
		set_fd(f->data, feature, -1);
	if (!len)
		return 0;
	if (feature->id == VFIO_DEVICE_FEATURE_DMA_LOGGING_START) {
		memcpy(&page_size, data, sizeof(page_size));
		if (!vfki_is_pow2(page_size))
			return vfki_err(-EPROTO, "dma logging start reply: page size 0x%llx",
					(unsigned long long)page_size);
		memcpy(f->data, &page_size, sizeof(page_size));
	}
	if (feature->id == VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE) {
		memcpy(&state, data, sizeof(state));
		if (state >= VFKI_DEVICE_STATE_NR)
			return vfki_err(-EPROTO, "device state reply: %u", state);
		memcpy(f->data, &state, sizeof(state));
	}
	return 0;
}

int vfki_dec_feature_reply(const void *payload, size_t len, struct vfio_device_feature *f)
{
	const struct vfki_feature *feature = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK);
	const uint8_t *data = (const uint8_t *)payload + HEADER;
	struct vfki_wire_feature w;

	if (len < sizeof(w) || !feature)
		return vfki_err(-EPROTO, "device feature reply: %zu bytes of payload, need 8", len);
	memcpy(&w, payload, sizeof(w));
	if (w.flags != f->flags)
		return vfki_err(-EPROTO, "device feature %s reply: flags 0x%x, asked with 0x%x",
				feature->name, w.flags, f->flags);
	if (f->flags & PROBE)
		return 0;
	return f->flags & GET ? dec_get(feature, data, len - HEADER, f) :
				dec_set(feature, data, len - HEADER, f);
}
