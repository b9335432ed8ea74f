/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.c - the names of ops, and which bytes a call touches; see call.h.
 *
 * Any thread; constant data and pure functions.
 */
#include "call.h"
#include "lib/base/error.h"
#include <string.h>

static const char *const names[VFKI_CALL_END] = {
	[VFKI_CALL_OPEN] = "open",
	[VFKI_CALL_GET_DEVICE_INFO] = "get_device_info",
	[VFKI_CALL_GET_REGION_INFO] = "get_region_info",
	[VFKI_CALL_GET_IRQ_INFO] = "get_irq_info",
	[VFKI_CALL_SET_IRQS] = "set_irqs",
	[VFKI_CALL_REGION_READ] = "region_read",
	[VFKI_CALL_REGION_WRITE] = "region_write",
	[VFKI_CALL_DEVICE_FEATURE] = "device_feature",
	[VFKI_CALL_RESET] = "reset",
	[VFKI_CALL_WRITE_MULTI] = "write_multi",
	[VFKI_CALL_FLUSH] = "flush",
	[VFKI_CALL_MIG_READ] = "mig_read",
	[VFKI_CALL_MIG_WRITE] = "mig_write",
	[VFKI_CALL_POLL_FD] = "poll_fd",
	[VFKI_CALL_DISPATCH] = "dispatch",
	[VFKI_CALL_HOT_RESET_INFO] = "hot_reset_info",
	[VFKI_CALL_HOT_RESET] = "hot_reset",
	[VFKI_CALL_PRECOPY_INFO] = "precopy_info",
	[VFKI_CALL_REGION_IO_FDS] = "region_io_fds",
	[VFKI_CALL_SET_LOST] = "set_lost",
	[VFKI_CALL_RECONNECT] = "reconnect",
	[VFKI_CALL_DMA_MAP] = "dma_map",
	[VFKI_CALL_DMA_UNMAP] = "dma_unmap",
	[VFKI_CALL_DMA_LIMITS] = "dma_limits",
	[VFKI_CALL_DIRTY_START] = "dirty_start",
	[VFKI_CALL_DIRTY_STOP] = "dirty_stop",
	[VFKI_CALL_DIRTY_REPORT] = "dirty_report",
	[VFKI_CALL_DMA_ADDRESS] = "dma_address",
	[VFKI_CALL_DMA_UNMAP_ALL] = "dma_unmap_all",
};

const char *vfki_call_name(enum vfki_call_op op)
{
	return names[op];
}

static uint32_t op_named(const char *name, size_t len)
{
	for (unsigned int op = 0; op < VFKI_CALL_END; op++) {
		if (strlen(names[op]) == len && !memcmp(names[op], name, len))
			return VFKI_CALL_BIT(op);
	}
	return 0;
}

int vfki_call_ops(const struct vfk_uri *uri, const char *key, uint32_t *ops)
{
	const char *at = vfk_uri_get(uri, key);
	uint32_t set = 0;

	if (!at)
		return -ENOENT;
	for (;; at++) {
		size_t len = strcspn(at, "+");
		uint32_t op = op_named(at, len);

		if (!op)
			return vfki_err(-EINVAL, "%s: %s: \"%.*s\" is no operation",
					vfk_uri_text(uri), key, (int)len, at);
		set |= op;
		at += len;
		if (!*at)
			break;
	}
	*ops = set;
	return 0;
}

static bool covers(uint32_t region, uint64_t off, size_t len, const uint32_t *want,
		   const uint64_t *at)
{
	return (!want || *want == region) && (!at || (*at >= off && *at - off < len));
}

bool vfki_call_touches(const struct vfki_call *call, const uint32_t *region, const uint64_t *offset)
{
	const struct vfk_region_write *w = call->writes.at;

	switch (call->op) {
	case VFKI_CALL_REGION_READ:
	case VFKI_CALL_REGION_WRITE:
		return covers(call->access.region, call->access.offset, call->access.len, region,
			      offset);
	case VFKI_CALL_WRITE_MULTI:
		for (size_t i = 0; i < call->writes.count; i++) {
			if (covers(w[i].region, w[i].offset, w[i].len, region, offset))
				return true;
		}
		return false;
	case VFKI_CALL_GET_REGION_INFO:
		return !offset && covers(call->region.info->index, 0, 0, region, NULL);
	default:
		return false;
	}
}
