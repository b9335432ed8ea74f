/* SPDX-License-Identifier: BSD-3-Clause */
/* migration.c - the migration data of rich.h: bytes that count from 0, the last first. */
#include "rich.h"
#include <errno.h>

static size_t step(const struct rich *r, size_t len)
{
	uint32_t most = r->registers[RICH_STREAM_STEP / 4];

	return most && most < len ? most : len;
}

ssize_t rich_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct rich *r = rich_of(io);
	uint32_t *left = &r->registers[RICH_STREAM_LEFT / 4];
	uint8_t *bytes = buf;
	size_t n = step(r, len) < *left ? step(r, len) : *left;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)-- * left;
	return (ssize_t)n;
}

ssize_t rich_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct rich *r = rich_of(io);
	const uint8_t *bytes = buf;
	size_t n = step(r, len);

	for (size_t i = 0; i < n; i++)
		r->registers[RICH_STREAM_SUM / 4] += bytes[i];
	r->registers[RICH_STREAM_TAKEN / 4] += (uint32_t)n;
	return (ssize_t)n;
}

int rich_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	uint32_t value = rich_of(io)->registers[RICH_PRECOPY / 4];

	if (!value)
		return -EINVAL;
	info->flags = 1;
	info->initial_bytes = value;
	info->dirty_bytes = (uint64_t)(value + 1) << 32;
	return 0;
}
