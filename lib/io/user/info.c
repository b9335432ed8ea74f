/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info.c - what the device and its interrupts are, and its reset.
 *
 * Any thread; nothing is kept, the device layer asks once.
 */
#include "lib/base/error.h"
#include "lib/io/user/client.h"
#include "lib/wire/device_info.h"
#include "lib/wire/irq.h"
#include <stdlib.h>

static int check_counts(const struct vfio_device_info *info)
{
	if (info->num_regions > VFKI_USER_MAX_INDEXES || info->num_irqs > VFKI_USER_MAX_INDEXES)
		return vfki_err(-EPROTO, "device info: %u regions and %u interrupts, at most %u",
				info->num_regions, info->num_irqs, VFKI_USER_MAX_INDEXES);
	return 0;
}

int vfki_user_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	struct vfki_user *user = vfki_user_of(io);
	size_t cap = info->argsz < VFKI_WIRE_MAX_INFO ? info->argsz : VFKI_WIRE_MAX_INFO;
	uint8_t request[sizeof(struct vfki_wire_device_info)];
	void *reply = malloc(cap);
	ssize_t r;

	if (!reply)
		return vfki_err(-ENOMEM, "device info: no memory");
	vfki_enc_device_info_request(request, (uint32_t)cap);
	r = vfki_user_request(user, VFKI_WIRE_DEVICE_GET_INFO, request, sizeof(request), reply,
			      cap);
	if (r >= 0)
		r = vfki_user_decoded(user,
				      vfki_dec_device_info_reply(reply, (size_t)r, info, cap));
	if (!r)
		r = vfki_user_decoded(user, check_counts(info));
	free(reply);
	return (int)r;
}

int vfki_user_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	struct vfki_user *user = vfki_user_of(io);
	uint8_t request[sizeof(*info)], reply[sizeof(*info)];
	ssize_t r;

	vfki_enc_irq_info_request(request, info->index);
	r = vfki_user_request(user, VFKI_WIRE_DEVICE_GET_IRQ_INFO, request, sizeof(request), reply,
			      sizeof(reply));
	if (r >= 0)
		r = vfki_user_decoded(user,
				      vfki_dec_irq_info_reply(reply, (size_t)r, info->index, info));
	return (int)r;
}

int vfki_user_reset(struct vfk_io *io)
{
	struct vfki_user *user = vfki_user_of(io);
	ssize_t r = vfki_user_request(user, VFKI_WIRE_DEVICE_RESET, NULL, 0, NULL, 0);

	return (int)r;
}
