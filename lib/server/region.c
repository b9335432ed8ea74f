/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - regions: what they are, reading and writing them.
 *
 * An access is passed to the device as it came, never split and never joined; its data goes from the message to the
 * device and from the device into the reply without a copy. Nothing is allocated for one.
 *
 * Threads: the server's.
 */
#include "handlers.h"
#include "lib/base/error.h"
#include "lib/device/device.h"
#include "lib/wire/region_access.h"
#include "lib/wire/region_info.h"
#include <vfiokit/server.h>

int vfki_handle_region_read(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_region_access access;
	ssize_t got;
	int ret;

	ret = vfki_dec_region_read_request(cmd->payload, cmd->len, s->limits.max_xfer, &access);
	if (ret)
		return vfki_command_decoded(s, ret);
	got = vfk_region_read(s->dev, access.region, access.offset, s->buf, access.count);
	if (got < 0)
		return (int)got;
	vfki_answer_head(a, vfki_enc_region_access(a->head, access.offset, access.region,
						   (uint32_t)got));
	vfki_answer_data(a, s->buf, (size_t)got);
	return 0;
}

int vfki_handle_region_write(struct vfki_session *s, struct vfki_command *cmd,
			     struct vfki_answer *a)
{
	const uint8_t *data =
		(const uint8_t *)cmd->payload + sizeof(struct vfki_wire_region_access);
	struct vfki_wire_region_access access;
	ssize_t done;
	int ret;

	ret = vfki_dec_region_write_request(cmd->payload, cmd->len, s->limits.max_xfer, &access);
	if (ret)
		return vfki_command_decoded(s, ret);
	s->posted |= cmd->no_reply;
	done = vfk_region_write(s->dev, access.region, access.offset, data, access.count,
				cmd->no_reply ? VFK_WRITE_POSTED : 0);
	if (done < 0)
		return (int)done;
	vfki_answer_head(a, vfki_enc_region_access(a->head, access.offset, access.region,
						   (uint32_t)done));
	return 0;
}

/* Each as if it had come by itself: one that fails stops none behind it, and nobody is told. */
static void write_posted(struct vfki_session *s, const void *writes, uint32_t count)
{
	struct vfk_region_write w;

	s->posted = true;
	for (uint32_t i = 0; i < count; i++) {
		vfki_wire_write_at(writes, i, &w);
		vfk_region_write(s->dev, w.region, w.offset, w.data, w.len, VFK_WRITE_POSTED);
	}
}

int vfki_handle_write_multi(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	const void *writes;
	uint32_t count;
	int ret;

	ret = vfki_dec_write_multi_request(cmd->payload, cmd->len, &writes, &count);
	if (ret)
		return vfki_command_decoded(s, ret);
	if (cmd->no_reply) {
		write_posted(s, writes, count);
		return 0;
	}
	/* The payload is aligned (connection.h), and so is the array at 8 in it. */
	ret = vfk_region_write_multi(s->dev, writes, count);
	if (ret)
		return ret;
	vfki_answer_head(a, vfki_enc_write_multi_reply(a->head, count));
	return 0;
}

/* Which of the device's files for a region a client may have; the others are closed with the answer. */
static const struct vfk_region_fds *files_for_client(const struct vfki_session *s,
						     const struct vfki_answer *a)
{
	/* Whoever has the whole device's descriptor can do everything with it. */
	if (a->files.flags & VFK_REGION_FD_DEVICE && !(s->limits.flags & VFK_SERVER_SHARE_BARS))
		return NULL;
	return &a->files;
}

int vfki_handle_region_info(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfio_region_info *info;
	uint32_t index, argsz;
	int ret;

	ret = vfki_dec_region_info_request(cmd->payload, cmd->len, s->shape.num_regions, &index,
					   &argsz);
	if (ret)
		return vfki_command_decoded(s, ret);
	ret = vfki_device_region_info(s->dev, index, &info, &a->files);
	if (ret)
		return ret;
	a->memory = info;
	ret = vfki_enc_region_info_reply(s->buf, s->buf_size, info, files_for_client(s, a), argsz,
					 s->agreed.send_fds, s->agreed.sparse_fds, a->fds,
					 &a->nfds);
	if (ret < 0)
		return ret;
	vfki_answer_data(a, s->buf, (size_t)ret);
	return 0;
}
