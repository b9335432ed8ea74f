/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migration.c - the migration data stream.
 *
 * Specification: "VFIO_USER_MIG_DATA_READ", "VFIO_USER_MIG_DATA_WRITE".
 *
 * Threads: the server's.
 */
#include "lib/wire/migration.h"
#include "handlers.h"
#include "lib/base/error.h"

int vfki_handle_mig_read(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	uint32_t size, got = 0;
	ssize_t n = 1;
	int ret;

	ret = vfki_dec_mig_read_request(cmd->payload, cmd->len, s->limits.max_xfer, &size);
	if (ret)
		return vfki_command_decoded(s, ret);
	/* A short reply means the end of the stream, a short read of the device's need not. */
	for (; n && got < size; got += (uint32_t)n) {
		n = vfk_device_mig_read(s->dev, s->buf + got, size - got);
		if (n < 0)
			return (int)n;
	}
	vfki_answer_head(a, vfki_enc_mig_read_reply(a->head, got));
	vfki_answer_data(a, s->buf, got);
	return 0;
}

int vfki_handle_mig_write(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	const uint8_t *data = (const uint8_t *)cmd->payload + sizeof(struct vfki_wire_mig_data);
	uint32_t size, done = 0;
	ssize_t n;
	int ret;

	ret = vfki_dec_mig_write_request(cmd->payload, cmd->len, s->limits.max_xfer, &size);
	if (ret)
		return vfki_command_decoded(s, ret);
	/* Older clients cannot be told of a part: all of it, or an error. */
	while (done < size) {
		n = vfk_device_mig_write(s->dev, data + done, size - done);
		if (n <= 0)
			return n ? (int)n :
				   vfki_err(-EIO, "the device takes no more migration data");
		done += (uint32_t)n;
	}
	vfki_answer_head(a, vfki_enc_mig_write_reply(a->head, size));
	return 0;
}

int vfki_handle_precopy_info(struct vfki_session *s, struct vfki_command *cmd,
			     struct vfki_answer *a)
{
	struct vfk_precopy_info info = { .argsz = sizeof(info) };
	int ret = vfki_dec_precopy_info_request(cmd->payload, cmd->len);

	if (ret)
		return vfki_command_decoded(s, ret);
	ret = vfk_device_precopy_info(s->dev, &info);
	if (ret)
		return ret;
	vfki_answer_head(a, vfki_enc_precopy_info_reply(a->head, &info));
	return 0;
}
