/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.c - MIG_DATA_READ, MIG_DATA_WRITE, GET_PRECOPY_INFO. Pure functions.
 */
#include "lib/wire/migration.h"

#include "lib/base/error.h"
#include <string.h>

static size_t enc(void *buf, uint32_t argsz, uint32_t size)
{
	struct vfki_wire_mig_data w = { .argsz = argsz, .size = size };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

size_t vfki_enc_mig_read_request(void *buf, uint32_t size)
{
	return enc(buf, (uint32_t)sizeof(struct vfki_wire_mig_data) + size, size);
}

size_t vfki_enc_mig_read_reply(void *buf, uint32_t size)
{
	return enc(buf, (uint32_t)sizeof(struct vfki_wire_mig_data) + size, size);
}

size_t vfki_enc_mig_write_request(void *buf, uint32_t size)
{
	return enc(buf, (uint32_t)sizeof(struct vfki_wire_mig_data) + size, size);
}

size_t vfki_enc_mig_write_reply(void *buf, uint32_t size)
{
	return enc(buf, sizeof(struct vfki_wire_mig_data), size);
}

static int check_request(const char *what, const struct vfki_wire_mig_data *w, uint64_t max_xfer)
{
	if (w->argsz < sizeof(*w))
		return vfki_err(-EINVAL, "%s: argsz %u, need 8", what, w->argsz);
	if (!w->size || w->size > max_xfer)
		return vfki_err(-EINVAL, "%s: size %u, must be 1 to %llu", what, w->size,
				(unsigned long long)max_xfer);
	return 0;
}

int vfki_dec_mig_read_request(const void *payload, size_t len, uint64_t max_xfer, uint32_t *size)
{
	struct vfki_wire_mig_data w;
	int r;

	if (len != sizeof(w))
		return vfki_err(-EPROTO, "mig_data_read: %zu bytes of payload, must be 8", len);
	memcpy(&w, payload, sizeof(w));
	r = check_request("mig_data_read", &w, max_xfer);
	if (!r)
		*size = w.size;
	return r;
}

int vfki_dec_mig_read_reply(const void *payload, size_t len, uint32_t asked)
{
	struct vfki_wire_mig_data w;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "mig_data_read reply: %zu bytes of payload, need 8", len);
	memcpy(&w, payload, sizeof(w));
	if (w.size > asked || len - sizeof(w) != w.size)
		return vfki_err(-EPROTO,
				"mig_data_read reply: %zu bytes of data, size %u, asked for %u",
				len - sizeof(w), w.size, asked);
	return (int)w.size;
}

int vfki_dec_mig_write_request(const void *payload, size_t len, uint64_t max_xfer, uint32_t *size)
{
	struct vfki_wire_mig_data w;
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO,
				"mig_data_write: %zu bytes of payload, must be 8 and the data",
				len);
	memcpy(&w, payload, sizeof(w));
	if (len - sizeof(w) != w.size)
		return vfki_err(-EPROTO, "mig_data_write: %zu bytes of data, but size %u",
				len - sizeof(w), w.size);
	r = check_request("mig_data_write", &w, max_xfer);
	if (!r)
		*size = w.size;
	return r;
}

int vfki_dec_mig_write_reply(const void *payload, size_t len, uint32_t asked)
{
	struct vfki_wire_mig_data w;

	if (!len)
		return (int)asked;
	if (len != sizeof(w))
		return vfki_err(-EPROTO, "mig_data_write reply: %zu bytes of payload", len);
	memcpy(&w, payload, sizeof(w));
	if (w.size > asked)
		return vfki_err(-EPROTO, "mig_data_write reply: %u bytes taken of %u", w.size,
				asked);
	return (int)w.size;
}

size_t vfki_enc_precopy_info_request(void *buf)
{
	struct vfki_wire_precopy_info w = { .argsz = sizeof(w) };

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_precopy_info_request(const void *payload, size_t len)
{
	struct vfki_wire_precopy_info w = { .argsz = 0 };

	if (len < offsetof(struct vfki_wire_precopy_info, initial_bytes) || len > sizeof(w))
		return vfki_err(-EPROTO, "get_precopy_info: %zu bytes of payload, must be 8 or 24",
				len);
	memcpy(&w, payload, len);
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "get_precopy_info: argsz %u, need 24", w.argsz);
	return 0;
}

size_t vfki_enc_precopy_info_reply(void *buf, const struct vfk_precopy_info *info)
{
	struct vfki_wire_precopy_info w = {
		.argsz = sizeof(w),
		.flags = info->flags,
		.initial_bytes = info->initial_bytes,
		.dirty_bytes = info->dirty_bytes,
	};

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

int vfki_dec_precopy_info_reply(const void *payload, size_t len, struct vfk_precopy_info *info)
{
	struct vfki_wire_precopy_info w;

	if (len != sizeof(w))
		return vfki_err(-EPROTO, "get_precopy_info reply: %zu bytes of payload, must be 24",
				len);
	memcpy(&w, payload, sizeof(w));
	*info = (struct vfk_precopy_info){
		.argsz = sizeof(*info),
		.flags = w.flags,
		.initial_bytes = w.initial_bytes,
		.dirty_bytes = w.dirty_bytes,
	};
	return 0;
}
