/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * header.c - message headers, and the table of commands.
 *
 * One line a command: a new one is one more here and a file of its own for its payloads.
 */
#include "lib/wire/header.h"

#include "lib/base/error.h"
#include "lib/wire/region_io_fds.h"
#include <stdio.h>
#include <string.h>

#define COMMAND_FDS .request_fds = true
#define REPLY_FDS   .reply_fds = true

static const struct vfki_wire_shape shapes[VFKI_WIRE_COMMAND_END] = {
	[VFKI_WIRE_VERSION] = { "version", .request = { 4, 4, VFKI_WIRE_TAIL_VERSION },
				.reply = { 4, 4, VFKI_WIRE_TAIL_VERSION }, REPLY_FDS },
	[VFKI_WIRE_DMA_MAP] = { "dma_map", .request = { 32, 32 }, COMMAND_FDS },
	[VFKI_WIRE_DMA_UNMAP] = { "dma_unmap", .request = { 24, 40 },
				  .reply = { 0, 40, VFKI_WIRE_TAIL_DATA } },
	[VFKI_WIRE_DEVICE_GET_INFO] = { "device_get_info",
					.request = { 16, 16, VFKI_WIRE_TAIL_INFO },
					.reply = { 16, 16, VFKI_WIRE_TAIL_INFO } },
	[VFKI_WIRE_DEVICE_GET_REGION_INFO] = { "device_get_region_info",
					       .request = { 32, 32, VFKI_WIRE_TAIL_INFO },
					       .reply = { 32, 32, VFKI_WIRE_TAIL_INFO },
					       REPLY_FDS },
	[VFKI_WIRE_DEVICE_GET_REGION_IO_FDS] = { "device_get_region_io_fds",
						 .request = { 16, 16, VFKI_WIRE_TAIL_INFO },
						 .reply = { 16, 16, VFKI_WIRE_TAIL_FDS },
						 REPLY_FDS },
	[VFKI_WIRE_DEVICE_GET_IRQ_INFO] = { "device_get_irq_info",
					    .request = { 16, 16, VFKI_WIRE_TAIL_INFO },
					    .reply = { 16, 16 } },
	[VFKI_WIRE_DEVICE_SET_IRQS] = { "device_set_irqs",
					.request = { 20, 20, VFKI_WIRE_TAIL_BOOLS },
					.reply = { 0, 8 }, COMMAND_FDS },
	[VFKI_WIRE_REGION_READ] = { "region_read", .request = { 16, 16 },
				    .reply = { 16, 16, VFKI_WIRE_TAIL_DATA } },
	[VFKI_WIRE_REGION_WRITE] = { "region_write", .request = { 16, 16, VFKI_WIRE_TAIL_DATA },
				     .reply = { 16, 16 } },
	[VFKI_WIRE_DMA_READ] = { "dma_read", .from_server = true, .request = { 16, 16 },
				 .reply = { 12, 16, VFKI_WIRE_TAIL_DATA } },
	[VFKI_WIRE_DMA_WRITE] = { "dma_write", .from_server = true,
				  .request = { 16, 16, VFKI_WIRE_TAIL_DATA }, .reply = { 0, 16 } },
	[VFKI_WIRE_DEVICE_RESET] = { "device_reset" },
	[VFKI_WIRE_REGION_WRITE_MULTI] = { "region_write_multi",
					   .request = { 8, 8, VFKI_WIRE_TAIL_WRITES },
					   .reply = { 8, 8 } },
	[VFKI_WIRE_DEVICE_FEATURE] = { "device_feature", .request = { 8, 40, VFKI_WIRE_TAIL_DATA },
				       .reply = { 8, 40, VFKI_WIRE_TAIL_DATA }, COMMAND_FDS },
	[VFKI_WIRE_MIG_DATA_READ] = { "mig_data_read", .request = { 8, 8 },
				      .reply = { 8, 8, VFKI_WIRE_TAIL_DATA } },
	[VFKI_WIRE_MIG_DATA_WRITE] = { "mig_data_write", .request = { 8, 8, VFKI_WIRE_TAIL_DATA },
				       .reply = { 0, 8 } },
	[VFKI_WIRE_GET_PRECOPY_INFO] = { "get_precopy_info", .request = { 8, 24 },
					 .reply = { 24, 24 } },
};

const struct vfki_wire_shape *vfki_wire_shape(uint32_t command)
{
	if (command >= VFKI_WIRE_COMMAND_END || !shapes[command].name)
		return NULL;
	return &shapes[command];
}

const char *vfki_wire_command_name(uint32_t command)
{
	static _Thread_local char unknown[sizeof("command ") + 10];
	const struct vfki_wire_shape *shape = vfki_wire_shape(command);

	if (shape)
		return shape->name;
	snprintf(unknown, sizeof(unknown), "command %u", command);
	return unknown;
}

size_t vfki_enc_error(void *buf, uint16_t id, uint16_t command, int err)
{
	struct vfki_wire_header h = {
		.id = id,
		.command = command,
		.size = sizeof(h),
		.flags = VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR,
		.error = EIO,
	};

	if (err < 0 && err >= -(int)VFKI_WIRE_MAX_ERRNO)
		h.error = (uint32_t)-err;
	memcpy(buf, &h, sizeof(h));
	return sizeof(h);
}

static int check_flags(const struct vfki_wire_header *h)
{
	uint32_t type = h->flags & VFKI_WIRE_TYPE;

	if (type > VFKI_WIRE_TYPE_REPLY)
		return vfki_err(-EPROTO, "message header: unknown type %u", type);
	if (h->flags & ~(VFKI_WIRE_TYPE | VFKI_WIRE_NO_REPLY | VFKI_WIRE_ERROR))
		return vfki_err(-EPROTO, "message header: reserved flags in 0x%x", h->flags);
	if (type == VFKI_WIRE_TYPE_REPLY && h->flags & VFKI_WIRE_NO_REPLY)
		return vfki_err(-EPROTO, "message header: No_reply on a reply");
	if (type == VFKI_WIRE_TYPE_COMMAND && h->flags & VFKI_WIRE_ERROR)
		return vfki_err(-EPROTO, "message header: Error on a command");
	return 0;
}

int vfki_dec_header(const void *buf, uint32_t max_size, struct vfki_wire_header *h)
{
	struct vfki_wire_header in;
	int r;

	memcpy(&in, buf, sizeof(in));
	if (in.size < sizeof(in) || in.size > max_size)
		return vfki_err(-EPROTO, "message header: size %u, must be 16 to %u", in.size,
				max_size);
	r = check_flags(&in);
	if (r)
		return r;
	if (!(in.flags & VFKI_WIRE_ERROR))
		in.error = 0;
	else if (in.error > VFKI_WIRE_MAX_ERRNO)
		return vfki_err(-EPROTO, "error reply to %s: errno %u cannot be",
				vfki_wire_command_name(in.command), in.error);
	else if (in.size != sizeof(in))
		return vfki_err(-EPROTO, "error reply to %s has %zu bytes of payload",
				vfki_wire_command_name(in.command), vfki_wire_payload(&in));
	*h = in;
	return 0;
}

static uint64_t tail_max(enum vfki_wire_tail tail, uint64_t max_xfer)
{
	const uint64_t ranges =
		VFKI_WIRE_MAX_RANGES * sizeof(struct vfio_device_feature_dma_logging_range);

	switch (tail) {
	case VFKI_WIRE_TAIL_VERSION:
		return VFKI_WIRE_MAX_VERSION;
	case VFKI_WIRE_TAIL_INFO:
		return VFKI_WIRE_MAX_INFO;
	case VFKI_WIRE_TAIL_BOOLS:
		return VFKI_WIRE_MAX_VECTORS;
	case VFKI_WIRE_TAIL_WRITES:
		return VFKI_WIRE_MAX_WRITES * sizeof(struct vfk_region_write);
	case VFKI_WIRE_TAIL_FDS:
		return VFKI_WIRE_MAX_SUB_REGIONS * VFKI_WIRE_SUB_REGION_LONG;
	case VFKI_WIRE_TAIL_DATA:
		/* Ranges of a DMA_LOGGING_START are data too, whatever the transfer size is. */
		return max_xfer > ranges ? max_xfer : ranges;
	case VFKI_WIRE_TAIL_NONE:
		break;
	}
	return 0;
}

uint32_t vfki_wire_max_message(uint64_t max_xfer)
{
	uint64_t most = 0;

	if (max_xfer > VFKI_WIRE_MAX_XFER)
		max_xfer = VFKI_WIRE_MAX_XFER;
	for (int tail = VFKI_WIRE_TAIL_NONE; tail <= VFKI_WIRE_TAIL_FDS; tail++)
		if (tail_max(tail, max_xfer) > most)
			most = tail_max(tail, max_xfer);
	return (uint32_t)(sizeof(struct vfki_wire_header) + VFKI_WIRE_FIXED_MAX + most);
}

int vfki_wire_check_header(const struct vfki_wire_header *h, bool at_server, uint64_t max_xfer,
			   size_t nfds)
{
	const struct vfki_wire_shape *shape = vfki_wire_shape(h->command);
	const struct vfki_wire_part *part;
	bool reply = vfki_wire_is_reply(h), fds;
	const char *what = reply ? " reply" : "";
	size_t payload = vfki_wire_payload(h);

	if (reply && (!shape || shape->from_server != at_server))
		return vfki_err(-EPROTO, "%s reply, which is not for us",
				vfki_wire_command_name(h->command));
	if (!reply && (!shape || shape->from_server == at_server))
		return 0;
	part = reply ? &shape->reply : &shape->request;
	fds = reply ? shape->reply_fds && !(h->flags & VFKI_WIRE_ERROR) : shape->request_fds;
	if (nfds && !fds)
		return vfki_err(-EPROTO, "%s%s with %zu descriptors, which it cannot have",
				shape->name, what, nfds);
	if (h->flags & VFKI_WIRE_ERROR)
		return 0;
	if (payload < part->min || payload > part->max + tail_max(part->tail, max_xfer))
		return vfki_err(-EPROTO, "%s%s with %zu bytes of payload, which it cannot have",
				shape->name, what, payload);
	return 0;
}

int vfki_wire_errno(const struct vfki_wire_header *h)
{
	switch (h->error) {
	case 0:
		return -EIO;
	case ENOSYS:
	case ENOTTY:
		return -ENOTSUP;
	default:
		return -(int)h->error;
	}
}
