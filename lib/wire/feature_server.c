/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feature_server.c - DEVICE_FEATURE: the server's half. Nothing that a client sent reaches the
 * vector unchecked.
 *
 * Pure functions.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/wire/feature.h"
#include <string.h>

#define HEADER sizeof(struct vfki_wire_feature)
#define PROBE  VFIO_DEVICE_FEATURE_PROBE
#define GET    VFIO_DEVICE_FEATURE_GET

/* What is known of a request's bytes beside the request itself. */
struct input {
	const uint8_t *data;
	size_t len;
	uint64_t max_bitmap;
};

static int check_ranges(const struct input *in, struct vfki_wire_feature_request *req)
{
	struct vfio_device_feature_dma_logging_control c = { .page_size = 0 };
	struct vfio_device_feature_dma_logging_range range;
	size_t front = req->feature->inline_size, need;
	uint64_t last;

	memcpy(&c, in->data, front);
	if (!vfki_tail_size(front, c.num_ranges, sizeof(range), &need) || need != in->len)
		return vfki_err(-EPROTO, "dma_logging_start: %zu bytes of data for %u ranges",
				in->len, c.num_ranges);
	if (c.num_ranges > VFKI_WIRE_MAX_RANGES)
		return vfki_err(-E2BIG, "dma_logging_start: %u ranges, at most %u", c.num_ranges,
				VFKI_WIRE_MAX_RANGES);
	if (!vfki_is_pow2(c.page_size) || c.__reserved)
		return vfki_err(-EINVAL, "dma_logging_start: page size 0x%llx, reserved 0x%x",
				(unsigned long long)c.page_size, c.__reserved);
	for (uint32_t i = 0; i < c.num_ranges; i++) {
		memcpy(&range, in->data + front + i * sizeof(range), sizeof(range));
		if (!vfki_range_last(range.iova, range.length, &last))
			return vfki_err(-EINVAL, "dma_logging_start: range %u is empty or wraps",
					i);
	}
	if (c.num_ranges)
		c.ranges = (uintptr_t)(in->data + front);
	memcpy(req->kernel.data, &c, sizeof(c));
	return 0;
}

static int check_report(const struct input *in, struct vfki_wire_feature_request *req)
{
	struct vfio_device_feature_dma_logging_report d = { .bitmap = 0 };
	int r;

	memcpy(&d, in->data, req->feature->inline_size);
	r = vfki_feature_bitmap_size(d.iova, d.length, d.page_size, &req->bitmap_size);
	if (r)
		return vfki_err_prefix(r, "dma_logging_report");
	if (req->bitmap_size > in->max_bitmap)
		return vfki_err(-E2BIG, "dma_logging_report: %llu bytes of bitmap, at most %llu",
				(unsigned long long)req->bitmap_size,
				(unsigned long long)in->max_bitmap);
	memcpy(req->kernel.data, &d, sizeof(d));
	return 0;
}

/* Values in structures without a tail. */
static int check_values(const struct vfki_wire_feature_request *req)
{
	uint32_t first, second;

	memcpy(&first, req->kernel.data, sizeof(first));
	memcpy(&second, req->kernel.data + sizeof(first), sizeof(second));
	switch (req->feature->id) {
	case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE:
		if (first == VFIO_DEVICE_STATE_ERROR || first >= VFKI_DEVICE_STATE_NR)
			return vfki_err(-EINVAL, "mig_device_state: %u cannot be set", first);
		return 0;
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP:
		if (second)
			return vfki_err(-EINVAL, "low_power_entry_with_wakeup: reserved 0x%x",
					second);
		return 0;
	case VFKI_FEATURE_BUS_MASTER:
		if (first > 1)
			return vfki_err(-EINVAL, "bus_master: %u is neither set nor clear", first);
		return 0;
	default:
		return 0;
	}
}

static int dec_set(const struct input *in, struct vfki_wire_feature_request *req)
{
	const struct vfki_feature *feature = req->feature;

	if (in->len < feature->inline_size)
		return vfki_err(-EPROTO, "device feature %s: %zu bytes of data, need %u",
				feature->name, in->len, feature->inline_size);
	if (feature->tail == VFKI_TAIL_RANGES)
		return check_ranges(in, req);
	if (in->len != feature->inline_size)
		return vfki_err(-EPROTO, "device feature %s: %zu bytes of data, must be %u",
				feature->name, in->len, feature->inline_size);
	memcpy(req->kernel.data, in->data, in->len);
	return check_values(req);
}

/* Some clients send room for the answer with the question: nobody looks behind the input. */
static int dec_get(const struct input *in, struct vfki_wire_feature_request *req)
{
	const struct vfki_feature *feature = req->feature;
	int r = 0;

	if (in->len < feature->get_input)
		return vfki_err(-EPROTO, "device feature %s: %zu bytes of data, need %u",
				feature->name, in->len, feature->get_input);
	if (feature->tail == VFKI_TAIL_BITMAP)
		r = check_report(in, req);
	if (!r && req->argsz < HEADER + feature->inline_size + req->bitmap_size)
		r = vfki_err(-EINVAL, "device feature %s: argsz %u has no room for the answer",
			     feature->name, req->argsz);
	return r;
}

static int take_fd(const int *fds, size_t nfds, struct vfki_wire_feature_request *req)
{
	bool wants = req->feature->fd == VFKI_FD_IN && !(req->flags & (PROBE | GET));
	int32_t fd = -1;

	if (nfds > (wants ? 1u : 0u))
		return vfki_err(-EPROTO, "device feature %s with %zu descriptors",
				req->feature->name, nfds);
	if (wants && !nfds)
		return vfki_err(-EINVAL, "device feature %s without its eventfd",
				req->feature->name);
	if (wants)
		fd = fds[0];
	if (req->feature->fd == VFKI_FD_IN || req->feature->fd == VFKI_FD_OUT)
		memcpy(req->kernel.data + req->feature->fd_offset, &fd, sizeof(fd));
	return 0;
}

static int check_header(const struct vfki_wire_feature *w, const struct vfki_feature **feature)
{
	int r = vfki_feature_check_flags(w->flags, feature);

	if (r)
		return r;
	if (!(*feature)->exported)
		return vfki_err(-ENOTSUP, "device feature %s is not for clients", (*feature)->name);
	if (w->argsz < sizeof(*w))
		return vfki_err(-EINVAL, "device feature %s: argsz %u, need 8", (*feature)->name,
				w->argsz);
	return 0;
}

int vfki_dec_feature_request(const void *payload, size_t len, const int *fds, size_t nfds,
			     uint64_t max_bitmap, struct vfki_wire_feature_request *req)
{
	struct input in = { .data = (const uint8_t *)payload + HEADER, .max_bitmap = max_bitmap };
	struct vfki_wire_feature_request out = { .bitmap_size = 0 };
	struct vfki_wire_feature w;
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_feature: %zu bytes of payload, need 8", len);
	in.len = len - sizeof(w);
	memcpy(&w, payload, sizeof(w));
	r = check_header(&w, &out.feature);
	if (r)
		return r;
	out.flags = w.flags;
	out.argsz = w.argsz;
	if (w.flags & PROBE)
		r = 0;
	else
		r = w.flags & GET ? dec_get(&in, &out) : dec_set(&in, &out);
	if (!r)
		r = take_fd(fds, nfds, &out);
	if (r)
		return r;
	out.kernel.head.flags = w.flags;
	out.kernel.head.argsz =
		(uint32_t)(sizeof(out.kernel.head) + vfki_feature_data_size(out.feature, w.flags));
	*req = out;
	return 0;
}

void vfki_wire_feature_set_bitmap(struct vfki_wire_feature_request *req, uint64_t *bitmap)
{
	__aligned_u64 pointer = (uintptr_t)bitmap;

	memcpy(req->kernel.data + offsetof(struct vfio_device_feature_dma_logging_report, bitmap),
	       &pointer, sizeof(pointer));
}

size_t vfki_enc_feature_reply(void *buf, const struct vfki_wire_feature_request *req,
			      struct vfki_wire_feature_tail *tail)
{
	size_t size = req->flags & PROBE ? 0 : req->feature->inline_size;

	*tail = (struct vfki_wire_feature_tail){ .fd = -1 };
	if (size && req->feature->tail == VFKI_TAIL_RANGES) {
		struct vfio_device_feature_dma_logging_control c;

		memcpy(&c, req->kernel.data, sizeof(c));
		tail->data = (const void *)(uintptr_t)c.ranges;
		tail->len = c.num_ranges * sizeof(struct vfio_device_feature_dma_logging_range);
	} else if (size && req->feature->tail == VFKI_TAIL_BITMAP) {
		struct vfio_device_feature_dma_logging_report d;

		memcpy(&d, req->kernel.data, sizeof(d));
		tail->data = (const void *)(uintptr_t)d.bitmap;
		tail->len = req->bitmap_size;
	}
	return vfki_wire_feature_put(buf, req->feature, req->flags, req->kernel.data, size,
				     tail->len);
}
