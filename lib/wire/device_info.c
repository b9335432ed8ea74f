/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device_info.c - DEVICE_GET_INFO and DEVICE_RESET. Pure functions.
 */
#include "lib/wire/device_info.h"

#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include <stdbool.h>
#include <string.h>

#define FIXED sizeof(struct vfki_wire_device_info)

/* With its cap_offset; later kernels pad the structure to 24. */
#define WITH_CHAIN (offsetof(struct vfio_device_info, cap_offset) + sizeof(uint32_t))

size_t vfki_enc_device_info_request(void *buf, uint32_t argsz)
{
	struct vfki_wire_device_info w = { .argsz = argsz };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_device_info_request(const void *payload, size_t len, uint32_t *argsz)
{
	struct vfki_wire_device_info w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_get_info: %zu bytes of payload, need 16", len);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "device_get_info: argsz %u, need 16", w.argsz);
	*argsz = w.argsz;
	return 0;
}

size_t vfki_enc_device_info_reply(void *buf, size_t cap, const struct vfio_device_info *info,
				  uint32_t argsz)
{
	bool chain = info->flags & VFIO_DEVICE_FLAGS_CAPS && info->argsz >= WITH_CHAIN &&
		     info->cap_offset;
	struct vfki_wire_device_info w = {
		.argsz = chain ? info->argsz : FIXED,
		.flags = chain ? info->flags : info->flags & ~(uint32_t)VFIO_DEVICE_FLAGS_CAPS,
		.num_regions = info->num_regions,
		.num_irqs = info->num_irqs,
	};

	memcpy(buf, &w, sizeof(w));
	if (!chain || argsz < info->argsz || cap < info->argsz)
		return sizeof(w);
	memcpy((uint8_t *)buf + FIXED, (const uint8_t *)info + FIXED, info->argsz - FIXED);
	return info->argsz;
}

static int check_chain(const void *payload, size_t len)
{
	uint32_t cap_offset;

	if (len < WITH_CHAIN)
		return vfki_err(-EPROTO,
				"device_get_info reply: %zu bytes have no room for capabilities",
				len);
	memcpy(&cap_offset, (const uint8_t *)payload + FIXED, sizeof(cap_offset));
	return vfki_caps_check(payload, len, WITH_CHAIN, cap_offset);
}

int vfki_dec_device_info_reply(const void *payload, size_t len, struct vfio_device_info *info,
			       size_t cap)
{
	struct vfki_wire_device_info w;
	size_t front = cap < sizeof(*info) ? cap : sizeof(*info);
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "device_get_info reply: %zu bytes of payload, need 16",
				len);
	memcpy(&w, payload, sizeof(w));
	if (w.num_regions > VFKI_WIRE_MAX_REGIONS || w.num_irqs > VFKI_WIRE_MAX_IRQS)
		return vfki_err(-EPROTO, "device_get_info reply: %u regions and %u interrupts",
				w.num_regions, w.num_irqs);
	if (w.argsz > VFKI_WIRE_MAX_INFO)
		return vfki_err(-EPROTO, "device_get_info reply: wants %u bytes", w.argsz);
	if (!(w.flags & VFIO_DEVICE_FLAGS_CAPS) || w.argsz < FIXED)
		w.argsz = FIXED;
	if (w.argsz > FIXED && w.argsz <= len) {
		r = check_chain(payload, w.argsz);
		if (r)
			return r;
	}
	memset(info, 0, front);
	memcpy(info, &w, sizeof(w));
	if (w.argsz > FIXED && w.argsz <= len && w.argsz <= cap)
		memcpy((uint8_t *)info + FIXED, (const uint8_t *)payload + FIXED, w.argsz - FIXED);
	return 0;
}

int vfki_dec_empty(size_t len, const char *what)
{
	if (len)
		return vfki_err(-EPROTO, "%s: %zu bytes of payload, must be none", what, len);
	return 0;
}
