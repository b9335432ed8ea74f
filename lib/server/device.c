/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c - the device as a whole: what it is, and reset.
 *
 * Specification: "VFIO_USER_DEVICE_GET_INFO", "VFIO_USER_DEVICE_RESET".
 *
 * Threads: the server's.
 */
#include "lib/device/device.h"
#include "handlers.h"
#include "lib/wire/device_info.h"

int vfki_handle_device_info(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	uint32_t argsz;
	int ret;

	ret = vfki_dec_device_info_request(cmd->payload, cmd->len, &argsz);
	if (ret)
		return vfki_command_decoded(s, ret);
	vfki_answer_data(a, s->buf,
			 vfki_enc_device_info_reply(s->buf, s->buf_size, vfki_device_info(s->dev),
						    argsz));
	return 0;
}

int vfki_handle_reset(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	int ret = vfki_dec_empty(cmd->len, "device_reset");

	(void)a;
	if (ret)
		return vfki_command_decoded(s, ret);
	return vfk_device_reset(s->dev);
}
