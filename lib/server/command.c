/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.c - the table of commands, and what becomes of each one's result.
 *
 * Specification: "Commands". Every command gets exactly one reply, or none at all if it says No_reply. One that nobody
 * handles is answered with ENOTSUP.
 *
 * Threads: the server's.
 */
#include "handlers.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/wire/header.h"
#include <stdlib.h>
#include <vfiokit/device.h>

struct entry {
	vfki_handler *handler; /* NULL: not supported */
	bool early;	       /* allowed before VERSION */
};

static const struct entry table[VFKI_WIRE_COMMAND_END] = {
	[VFKI_WIRE_VERSION] = { vfki_handle_version, .early = true },
	[VFKI_WIRE_DMA_MAP] = { vfki_handle_dma_map },
	[VFKI_WIRE_DMA_UNMAP] = { vfki_handle_dma_unmap },
	[VFKI_WIRE_DEVICE_GET_INFO] = { vfki_handle_device_info },
	[VFKI_WIRE_DEVICE_GET_REGION_INFO] = { vfki_handle_region_info },
	[VFKI_WIRE_DEVICE_GET_REGION_IO_FDS] = { vfki_handle_region_io_fds },
	[VFKI_WIRE_DEVICE_GET_IRQ_INFO] = { vfki_handle_irq_info },
	[VFKI_WIRE_DEVICE_SET_IRQS] = { vfki_handle_set_irqs },
	[VFKI_WIRE_REGION_READ] = { vfki_handle_region_read },
	[VFKI_WIRE_REGION_WRITE] = { vfki_handle_region_write },
	[VFKI_WIRE_DEVICE_RESET] = { vfki_handle_reset },
	[VFKI_WIRE_REGION_WRITE_MULTI] = { vfki_handle_write_multi },
	[VFKI_WIRE_DEVICE_FEATURE] = { vfki_handle_feature },
	[VFKI_WIRE_MIG_DATA_READ] = { vfki_handle_mig_read },
	[VFKI_WIRE_MIG_DATA_WRITE] = { vfki_handle_mig_write },
	[VFKI_WIRE_GET_PRECOPY_INFO] = { vfki_handle_precopy_info },
};

static void give_back(struct vfki_answer *a)
{
	if (a->owns_fds)
		vfki_fd_close_all(a->fds, a->nfds);
	a->owns_fds = false;
	vfki_fd_close_all(a->files.fd, a->files.count);
	a->files.count = 0;
	free(a->memory);
	a->memory = NULL;
}

/* A command from the side that must not send it is known, and wrong; another is not known. */
static int refuse(const struct vfki_command *cmd)
{
	const struct vfki_wire_shape *shape = vfki_wire_shape(cmd->command);

	if (shape && shape->from_server)
		return vfki_err(-EINVAL, "%s is the server's to send", shape->name);
	return vfki_err(-ENOTSUP, "%s is not supported", vfki_wire_command_name(cmd->command));
}

/* What reaches the device behind what was posted. */
static bool is_access(const struct vfki_command *cmd)
{
	return cmd->command == VFKI_WIRE_REGION_READ || cmd->command == VFKI_WIRE_REGION_WRITE ||
	       cmd->command == VFKI_WIRE_REGION_WRITE_MULTI;
}

/*
 * A reply says that all before it is done. One that this server knows by itself would say so too early, where the device
 * is another server's and has writes under way.
 */
static int flush(struct vfki_session *s)
{
	s->posted = false;
	return vfk_region_flush(s->dev);
}

static int run_handler(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a)
{
	const struct entry *e = cmd->command < VFKI_WIRE_COMMAND_END ? &table[cmd->command] : NULL;
	int ret = 0;

	if (s->phase == VFKI_SESSION_GREETING && !(e && e->early)) {
		s->verdict = VFKI_VERDICT_ANSWER_AND_END;
		return vfki_err(-EINVAL, "%s came before version",
				vfki_wire_command_name(cmd->command));
	}
	if (s->posted && !is_access(cmd))
		ret = flush(s);
	if (ret)
		return ret;
	return e && e->handler ? e->handler(s, cmd, a) : refuse(cmd);
}

int vfki_command_finish(struct vfki_session *s, struct vfki_command *cmd, struct vfki_answer *a,
			int result)
{
	int ret;

	if (s->verdict == VFKI_VERDICT_END) {
		ret = result;
		goto out;
	}
	if (result && s->limits.debug_name)
		vfki_debug("%s: its client's %s is refused: %s", s->limits.debug_name,
			   vfki_wire_command_name(cmd->command), vfk_error());
	if (result)
		ret = vfki_conn_reply_error(s->conn, cmd, result);
	else
		ret = vfki_conn_reply(s->conn, cmd, a->iov, a->n, a->fds, a->nfds);
	if (!ret && s->verdict == VFKI_VERDICT_ANSWER_AND_END)
		ret = result;
out:
	give_back(a);
	return ret;
}

int vfki_command_run(struct vfki_session *s, struct vfki_command *cmd)
{
	struct vfki_answer a;
	int ret;

	/* The head is written before it is sent; clearing it would cost more than the rest. */
	a.n = 0;
	a.nfds = 0;
	a.owns_fds = false;
	a.files.count = 0;
	a.memory = NULL;
	s->verdict = VFKI_VERDICT_GO_ON;
	ret = run_handler(s, cmd, &a);
	if (ret == VFKI_LATER)
		return 0;
	return vfki_command_finish(s, cmd, &a, ret);
}
