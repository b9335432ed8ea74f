/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io_fds.c - DEVICE_GET_REGION_IO_FDS: the device's doorbells, for clients.
 *
 * Specification: "VFIO_USER_DEVICE_GET_REGION_IO_FDS". Entries have the 40 bytes of the text, or where one is a shadow
 * ioeventfd all have libvfio-user's 48. A client that takes fewer descriptors than there are doorbells gets the first ones; it
 * writes to the others by messages.
 *
 * Threads: the server's.
 */
#include "handlers.h"
#include "lib/base/error.h"
#include "lib/io/checked.h"
#include "lib/wire/region_io_fds.h"
#include <stdlib.h>

/* What is in the making: subs and the descriptors beside them. */
struct listing {
	struct vfk_region_io_fd from[VFK_REGION_MAX_IO_FDS];
	size_t num_from;
	struct vfki_wire_sub_region subs[VFKI_WIRE_MAX_SUB_REGIONS];
	uint32_t count;
	uint32_t entry_size;
};

static size_t need(const struct vfk_region_io_fd *f)
{
	return f->shadow_fd < 0 ? 1 : 2;
}

static void list(struct listing *l, struct vfki_answer *a, uint32_t max_fds)
{
	l->entry_size = VFKI_WIRE_SUB_REGION_SHORT;
	for (l->count = 0; l->count < l->num_from; l->count++) {
		const struct vfk_region_io_fd *f = &l->from[l->count];
		struct vfki_wire_sub_region *s = &l->subs[l->count];

		if (a->nfds + need(f) > max_fds)
			break;
		*s = (struct vfki_wire_sub_region){
			.offset = f->offset,
			.size = f->length,
			.fd_index = (uint32_t)a->nfds,
			.type = f->type,
			.flags = f->flags,
			.datamatch = f->datamatch,
			.shadow_offset = f->shadow_offset,
		};
		a->fds[a->nfds++] = f->fd;
		if (f->shadow_fd < 0)
			continue;
		l->entry_size = VFKI_WIRE_SUB_REGION_LONG;
		s->shadow_fd_index = (uint32_t)a->nfds;
		a->fds[a->nfds++] = f->shadow_fd;
	}
}

static int answer(struct vfki_session *s, struct vfki_answer *a, struct listing *l, uint32_t index,
		  uint32_t argsz)
{
	uint32_t max_fds = s->agreed.send_fds < VFKI_WIRE_MAX_FDS ? s->agreed.send_fds :
								    VFKI_WIRE_MAX_FDS;
	int len;

	list(l, a, max_fds);
	len = vfki_enc_region_io_fds_reply(s->buf, s->buf_size, index, l->subs, l->count,
					   l->entry_size, argsz);
	if (len < 0) {
		a->nfds = 0;
		vfki_io_fds_close(l->from, l->num_from);
		return len;
	}
	/* No room at the client's: it asks again. */
	if ((size_t)len == sizeof(struct vfki_wire_region_io_fds))
		a->nfds = 0;
	a->owns_fds = true;
	/* Those that are not sent. */
	for (size_t i = a->nfds ? l->count : 0; i < l->num_from; i++)
		vfki_io_fds_close(&l->from[i], 1);
	vfki_answer_data(a, s->buf, (size_t)len);
	return 0;
}

static int take(struct vfki_session *s, uint32_t index, struct listing *l)
{
	int ret =
		vfk_region_get_io_fds(s->dev, index, l->from, VFK_REGION_MAX_IO_FDS, &l->num_from);

	/* None, which is an answer. */
	if (ret == -ENOTSUP)
		l->num_from = 0;
	return ret == -ENOTSUP ? 0 : ret;
}

int vfki_handle_region_io_fds(struct vfki_session *s, struct vfki_command *cmd,
			      struct vfki_answer *a)
{
	struct listing *l;
	uint32_t index, argsz;
	int ret;

	ret = vfki_dec_region_io_fds_request(cmd->payload, cmd->len, s->shape.num_regions, &index,
					     &argsz);
	if (ret)
		return vfki_command_decoded(s, ret);
	l = malloc(sizeof(*l));
	if (!l)
		return vfki_err(-ENOMEM, "region io fds: no memory");
	ret = take(s, index, l);
	if (!ret && l->num_from)
		s->rang = true;
	if (!ret)
		ret = answer(s, a, l, index, argsz);
	free(l);
	return ret;
}

/* Who is gone rings no more, where the device can see to that. */
void vfki_io_fds_take_back(struct vfki_session *s)
{
	size_t count;
	int ret = 0;

	for (uint32_t i = 0; s->rang && ret != -ETIMEDOUT && i < s->shape.num_regions; i++)
		ret = vfk_region_get_io_fds(s->dev, i, NULL, 0, &count);
	s->rang = false;
}
