/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - interrupts: what they are, arming and masking them.
 *
 * Specification: "VFIO_USER_DEVICE_GET_IRQ_INFO", "VFIO_USER_DEVICE_SET_IRQS". Descriptors are lent to the device, which
 * keeps duplicates of its own; the message's are closed with it.
 *
 * Threads: the server's.
 */
#include "lib/wire/irq.h"
#include "handlers.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <stdlib.h>

int vfki_handle_irq_info(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfio_irq_info wire = { .argsz = sizeof(wire) };
	struct vfk_irq_info info;
	uint32_t index;
	int ret;

	ret = vfki_dec_irq_info_request(cmd->payload, cmd->len, s->shape.num_irqs, &index);
	if (ret)
		return vfki_command_decoded(s, ret);
	ret = vfk_irq_get_info(s->dev, index, &info);
	if (ret)
		return ret;
	wire.index = index;
	wire.flags = info.flags;
	wire.count = info.count;
	vfki_answer_head(a, vfki_enc_irq_info_reply(a->head, &wire));
	return 0;
}

/* Whatever else a client sends might block whoever signals it. */
static int check_eventfds(const struct vfki_command *cmd)
{
	for (size_t i = 0; i < cmd->nfds; i++) {
		if (!vfki_fd_is_eventfd(cmd->fds[i]))
			return vfki_err(-EINVAL, "set_irqs: descriptor %zu is no eventfd", i);
	}
	return 0;
}

/* Only n vectors can be had: another vfiokit is told so, anybody else must guess (io.h, set_irqs). */
static int granted(const struct vfki_session *s, struct vfki_answer *a, int n)
{
	if (!s->agreed.irq_count)
		return vfki_err(-ENOSPC, "only %d vectors can be had", n);
	vfki_answer_head(a, vfki_enc_set_irqs_reply(a->head, (uint32_t)n));
	return 0;
}

int vfki_handle_set_irqs(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	struct vfki_wire_irq_request req;
	struct vfio_irq_set *set;
	int ret;

	ret = vfki_dec_set_irqs_request(cmd->payload, cmd->len, cmd->nfds, s->shape.irq_counts,
					s->shape.num_irqs, &req);
	if (ret)
		return vfki_command_decoded(s, ret);
	ret = check_eventfds(cmd);
	if (ret)
		return ret;
	set = malloc(vfki_wire_irq_kernel_size(&req));
	if (!set)
		return vfki_err(-ENOMEM, "set_irqs: no memory for %u vectors", req.set.count);
	vfki_wire_irq_to_kernel(&req, cmd->fds, set);
	ret = vfki_recall_set_irqs(&s->recall, set);
	free(set);
	return ret > 0 ? granted(s, a, ret) : ret;
}
