/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_call.c - a call as the line of a trace; see trace_call.h.
 *
 * Any thread; nothing is kept.
 */
#include "trace_call.h"
#include "lib/base/feature.h"
#include <inttypes.h>
#include <string.h>

#define MANY 4 /* parts of a list that are shown */

static const struct vfki_trace_flag device_flags[] = {
	{ VFIO_DEVICE_FLAGS_RESET, "reset" },
	{ VFIO_DEVICE_FLAGS_PCI, "pci" },
	{ VFIO_DEVICE_FLAGS_PLATFORM, "platform" },
	{ VFIO_DEVICE_FLAGS_AMBA, "amba" },
	{ VFIO_DEVICE_FLAGS_CCW, "ccw" },
	{ VFIO_DEVICE_FLAGS_AP, "ap" },
	{ VFIO_DEVICE_FLAGS_FSL_MC, "fsl_mc" },
	{ VFIO_DEVICE_FLAGS_CAPS, "caps" },
	{ 0, NULL },
};

static const struct vfki_trace_flag region_flags[] = {
	{ VFIO_REGION_INFO_FLAG_READ, "read" },
	{ VFIO_REGION_INFO_FLAG_WRITE, "write" },
	{ VFIO_REGION_INFO_FLAG_MMAP, "mmap" },
	{ VFIO_REGION_INFO_FLAG_CAPS, "caps" },
	{ 0, NULL },
};

static const struct vfki_trace_flag irq_flags[] = {
	{ VFIO_IRQ_INFO_EVENTFD, "eventfd" },
	{ VFIO_IRQ_INFO_MASKABLE, "maskable" },
	{ VFIO_IRQ_INFO_AUTOMASKED, "automasked" },
	{ VFIO_IRQ_INFO_NORESIZE, "noresize" },
	{ 0, NULL },
};

static const struct vfki_trace_flag dma_flags[] = {
	{ VFK_DMA_READ, "read" },
	{ VFK_DMA_WRITE, "write" },
	{ 0, NULL },
};

static const struct vfki_trace_flag limit_flags[] = {
	{ VFK_DMA_PHYSICAL, "physical" },
	{ VFK_DMA_HUGE_PAGES, "huge_pages" },
	{ 0, NULL },
};

static const char *const pci_regions[] = { "bar0", "bar1", "bar2",   "bar3", "bar4",
					   "bar5", "rom",  "config", "vga" };
static const char *const pci_irqs[] = { "intx", "msi", "msix", "err", "req" };
static const char *const mig_states[] = { "error",    "stop",	     "running",	 "stop_copy",
					  "resuming", "running_p2p", "pre_copy", "pre_copy_p2p" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* "=7 (config)" */
static void add_named(struct vfki_trace_line *l, uint32_t n, const char *const *names, size_t count)
{
	vfki_trace_add(l, "=%" PRIu32, n);
	if (n < count)
		vfki_trace_add(l, " (%s)", names[n]);
}

static void add_region(struct vfki_trace_line *l, uint32_t region, bool pci)
{
	vfki_trace_add(l, "region");
	add_named(l, region, pci_regions, pci ? COUNT(pci_regions) : 0);
}

static void add_irq(struct vfki_trace_line *l, uint32_t index, bool pci)
{
	vfki_trace_add(l, "index");
	add_named(l, index, pci_irqs, pci ? COUNT(pci_irqs) : 0);
}

static void add_access(struct vfki_trace_line *l, const struct vfki_call *call, bool pci)
{
	const struct vfki_call_access *a = &call->access;

	add_region(l, a->region, pci);
	vfki_trace_add(l, ", offset=0x%" PRIx64 ", length=%zu%s", a->offset, a->len,
		       a->flags & VFK_WRITE_POSTED ? ", posted" : "");
	if (call->op == VFKI_CALL_REGION_WRITE) {
		vfki_trace_add(l, ",");
		vfki_trace_data(l, a->data, a->len);
	}
}

static void add_irq_set(struct vfki_trace_line *l, const struct vfio_irq_set *set, bool pci)
{
	add_irq(l, set->index, pci);
	vfki_trace_irq_set(l, set);
}

static void add_writes(struct vfki_trace_line *l, const struct vfki_call *call, bool pci)
{
	vfki_trace_add(l, "count=%zu", call->writes.count);
	for (size_t i = 0; i < call->writes.count && i < MANY; i++) {
		const struct vfk_region_write *w = &call->writes.at[i];

		vfki_trace_add(l, ", ");
		add_region(l, w->region, pci);
		vfki_trace_add(l, " offset=0x%" PRIx64, w->offset);
		vfki_trace_data(l, w->data, w->len);
	}
	vfki_trace_add(l, call->writes.count > MANY ? ", ..." : "");
}

/* What the caller sets, or what the device said: the state by its name, other structures as bytes. */
static void add_feature_data(struct vfki_trace_line *l, const char *mark,
			     const struct vfio_device_feature *f)
{
	const struct vfki_feature *known = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK);
	size_t len = known ? vfki_feature_data_size(known, f->flags) : 0;
	struct vfio_device_feature_mig_state state;

	if (!len || f->argsz < sizeof(*f) + len || known->id == VFIO_DEVICE_FEATURE_PCI_VF_TOKEN)
		return;
	vfki_trace_add(l, "%s", mark);
	if (known->id != VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE) {
		vfki_trace_data(l, f->data, len);
		return;
	}
	memcpy(&state, f->data, sizeof(state));
	vfki_trace_add(l, " state");
	add_named(l, state.device_state, mig_states, COUNT(mig_states));
}

static void add_feature(struct vfki_trace_line *l, const struct vfio_device_feature *f)
{
	const struct vfki_feature *known = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK);

	vfki_trace_add(l, "%s%s%s%s, argsz=%" PRIu32, known ? known->name : "unknown",
		       f->flags & VFIO_DEVICE_FEATURE_PROBE ? ", probe" : "",
		       f->flags & VFIO_DEVICE_FEATURE_GET ? ", get" : "",
		       f->flags & VFIO_DEVICE_FEATURE_SET ? ", set" : "", f->argsz);
	if (f->flags & VFIO_DEVICE_FEATURE_SET)
		add_feature_data(l, ",", f);
}

static void add_mapping(struct vfki_trace_line *l, const struct vfk_dma_mapping *m)
{
	vfki_trace_add(l, "iova=0x%" PRIx64 ", length=0x%" PRIx64 ", ", m->iova, m->length);
	vfki_trace_flags(l, "prot", m->prot, dma_flags);
	if (m->vaddr)
		vfki_trace_add(l, ", address");
	if (m->fd >= 0)
		vfki_trace_add(l, ", file=%d, file_offset=0x%" PRIx64, m->fd, m->fd_offset);
	if (m->callbacks)
		vfki_trace_add(l, ", callbacks");
}

static void add_range(struct vfki_trace_line *l, const struct vfki_call *call)
{
	const struct vfki_call_range *r = &call->range;

	if (r->length)
		vfki_trace_add(l, "iova=0x%" PRIx64 ", length=0x%" PRIx64, r->iova, r->length);
	if (r->page_size)
		vfki_trace_add(l, "%spage_size=0x%" PRIx64, r->length ? ", " : "", r->page_size);
	if (call->op == VFKI_CALL_DMA_UNMAP)
		vfki_trace_add(l, ", timeout=%" PRIu32 " ms", r->timeout_ms);
}

static void add_arguments(struct vfki_trace_line *l, const struct vfki_call *call, bool pci)
{
	switch (call->op) {
	case VFKI_CALL_GET_DEVICE_INFO:
		vfki_trace_add(l, "argsz=%" PRIu32, call->device_info->argsz);
		break;
	case VFKI_CALL_GET_REGION_INFO:
		add_region(l, call->region.info->index, pci);
		vfki_trace_add(l, ", argsz=%" PRIu32, call->region.info->argsz);
		break;
	case VFKI_CALL_GET_IRQ_INFO:
		add_irq(l, call->irq_info->index, pci);
		break;
	case VFKI_CALL_SET_IRQS:
		add_irq_set(l, call->irq_set, pci);
		break;
	case VFKI_CALL_REGION_READ:
	case VFKI_CALL_REGION_WRITE:
		add_access(l, call, pci);
		break;
	case VFKI_CALL_REGION_IO_FDS:
		vfki_trace_add(l, "region=%" PRIu32 " max=%zu", call->io_fds.region,
			       call->io_fds.max);
		break;
	case VFKI_CALL_MIG_READ:
	case VFKI_CALL_MIG_WRITE:
		vfki_trace_add(l, "length=%zu", call->access.len);
		break;
	case VFKI_CALL_DEVICE_FEATURE:
		add_feature(l, call->feature);
		break;
	case VFKI_CALL_WRITE_MULTI:
		add_writes(l, call, pci);
		break;
	case VFKI_CALL_HOT_RESET_INFO:
		vfki_trace_add(l, "argsz=%" PRIu32, call->hot_reset_info->argsz);
		break;
	case VFKI_CALL_HOT_RESET:
		vfki_trace_add(l, "groups=%" PRIu32, call->hot_reset->count);
		break;
	case VFKI_CALL_DMA_MAP:
		add_mapping(l, call->map.mapping);
		break;
	case VFKI_CALL_DMA_UNMAP_ALL:
		vfki_trace_add(l, "timeout=%" PRIu32 " ms", call->range.timeout_ms);
		break;
	case VFKI_CALL_DMA_UNMAP:
	case VFKI_CALL_DMA_ADDRESS:
	case VFKI_CALL_DIRTY_START:
	case VFKI_CALL_DIRTY_REPORT:
		add_range(l, call);
		break;
	case VFKI_CALL_RECONNECT:
		vfki_trace_add(l, "%s",
			       call->reconnect == VFK_RECONNECT_BEGIN ? "begin" :
			       call->reconnect == VFK_RECONNECT_DONE  ? "done" :
									"abandon");
		break;
	default:
		break;
	}
}

void vfki_trace_call(struct vfki_trace_line *l, const struct vfki_call *call, bool pci)
{
	vfki_trace_begin(l, "%s(", vfki_call_name(call->op));
	add_arguments(l, call, pci);
	vfki_trace_start(l);
}

static void add_address(struct vfki_trace_line *l, const struct vfk_dma_addr *addr)
{
	vfki_trace_add(l, " addr=0x%" PRIx64 " contiguous=0x%" PRIx64, addr->addr,
		       addr->contiguous);
}

static void add_device_info(struct vfki_trace_line *l, const struct vfio_device_info *info)
{
	vfki_trace_add(l, " argsz=%" PRIu32 " ", info->argsz);
	vfki_trace_flags(l, "flags", info->flags, device_flags);
	vfki_trace_add(l, " regions=%" PRIu32 " irqs=%" PRIu32, info->num_regions, info->num_irqs);
}

static void add_region_info(struct vfki_trace_line *l, const struct vfki_call *call)
{
	const struct vfio_region_info *info = call->region.info;

	vfki_trace_add(l, " argsz=%" PRIu32 " ", info->argsz);
	vfki_trace_flags(l, "flags", info->flags, region_flags);
	vfki_trace_add(l, " size=0x%" PRIx64 " files=%" PRIu32, (uint64_t)info->size,
		       call->region.fds ? call->region.fds->count : 0);
}

static void add_limits(struct vfki_trace_line *l, const struct vfk_dma_limits *limits)
{
	vfki_trace_add(l, " pgsizes=0x%" PRIx64 " max_maps=%" PRIu64 " ", limits->pgsizes,
		       limits->max_maps);
	vfki_trace_flags(l, "flags", limits->flags, limit_flags);
	vfki_trace_add(l, " ranges=%" PRIu32, limits->num_ranges);
	for (uint32_t i = 0; i < limits->num_ranges && i < MANY; i++)
		vfki_trace_add(l, "%c0x%" PRIx64 "-0x%" PRIx64, i ? ' ' : ':',
			       limits->ranges[i].first, limits->ranges[i].last);
}

static void add_outputs(struct vfki_trace_line *l, const struct vfki_call *call, ssize_t ret)
{
	switch (call->op) {
	case VFKI_CALL_GET_DEVICE_INFO:
		add_device_info(l, call->device_info);
		break;
	case VFKI_CALL_GET_REGION_INFO:
		add_region_info(l, call);
		break;
	case VFKI_CALL_GET_IRQ_INFO:
		vfki_trace_add(l, " ");
		vfki_trace_flags(l, "flags", call->irq_info->flags, irq_flags);
		vfki_trace_add(l, " count=%" PRIu32, call->irq_info->count);
		break;
	case VFKI_CALL_REGION_READ:
		vfki_trace_data(l, call->access.buf, (size_t)ret);
		break;
	case VFKI_CALL_DEVICE_FEATURE:
		if (call->feature->flags & VFIO_DEVICE_FEATURE_GET)
			add_feature_data(l, "", call->feature);
		break;
	case VFKI_CALL_HOT_RESET_INFO:
		vfki_trace_add(l, " devices=%" PRIu32, call->hot_reset_info->count);
		break;
	case VFKI_CALL_DMA_MAP:
		if (call->map.addr->addr != call->map.mapping->iova)
			add_address(l, call->map.addr);
		break;
	case VFKI_CALL_DMA_ADDRESS:
		add_address(l, call->range.addr);
		break;
	case VFKI_CALL_DMA_LIMITS:
		add_limits(l, call->limits);
		break;
	case VFKI_CALL_REGION_IO_FDS:
		vfki_trace_add(l, " count=%zu", *call->io_fds.count);
		break;
	case VFKI_CALL_PRECOPY_INFO:
		vfki_trace_add(l,
			       " flags=0x%" PRIx32 " initial_bytes=%" PRIu64
			       " dirty_bytes=%" PRIu64,
			       call->precopy->flags, call->precopy->initial_bytes,
			       call->precopy->dirty_bytes);
		break;
	default:
		break;
	}
}

void vfki_trace_outcome(struct vfki_trace_line *l, const struct vfki_call *call, ssize_t ret)
{
	vfki_trace_result(l, ret);
	if (ret >= 0)
		add_outputs(l, call, ret);
}
