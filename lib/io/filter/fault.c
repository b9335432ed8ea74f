/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault.c - the fault filter; see fault.h.
 *
 * Any thread; the rule's counter is all that changes.
 */
#include "fault.h"
#include "fault_rule.h"
#include "filter.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"

struct fault {
	struct vfki_filter filter; /* first */
	struct vfki_fault_rule rule;
};

static int fail(const struct fault *f, const struct vfki_call *call)
{
	return vfki_err(f->rule.err, "%s fails, as it was told to", vfki_call_name(call->op));
}

/* What dma.h says of an unmap that failed: whether the mapping is gone all the same. */
static bool says_gone(int err)
{
	switch (err) {
	case -ENOENT:
	case -ENODEV:
	case -ENOTCONN:
	case -ECONNRESET:
	case -EPROTO:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static ssize_t take_back(struct vfk_io *io, const struct vfk_dma_mapping *m)
{
	const struct vfki_call unmap = {
		.op = VFKI_CALL_DMA_UNMAP,
		.range = { .iova = m->iova, .length = m->length },
	};

	return vfki_filter_pass(io, &unmap);
}

/* The call is made, and its success not told. */
static ssize_t fail_after(struct vfk_io *io, const struct vfki_call *call)
{
	ssize_t ret = vfki_filter_pass(io, call);

	if (ret < 0)
		return ret;
	if (call->op == VFKI_CALL_DMA_MAP && take_back(io, call->map.mapping))
		return ret; /* somebody uses it already */
	if (call->op == VFKI_CALL_GET_REGION_INFO && call->region.fds) {
		vfki_fd_close_all(call->region.fds->fd, call->region.fds->count);
		call->region.fds->count = 0;
	}
	/* the one feature with such a result gives the caller a descriptor */
	if (call->op == VFKI_CALL_DEVICE_FEATURE && ret > 0)
		vfki_fd_close((int)ret);
	return fail((struct fault *)io, call);
}

static bool has_to_be_done(const struct fault *f, const struct vfki_call *call)
{
	bool unmap = call->op == VFKI_CALL_DMA_UNMAP || call->op == VFKI_CALL_DMA_UNMAP_ALL;

	return f->rule.after || (unmap && says_gone(f->rule.err));
}

static ssize_t disturb(struct vfk_io *io, struct vfki_call *call, const struct vfki_fault *fault)
{
	struct fault *f = (struct fault *)io;

	if (f->rule.shorten)
		call->access.len = vfki_fault_length(fault, call->access.len);
	if (!f->rule.err)
		return vfki_filter_pass(io, call);
	return has_to_be_done(f, call) ? fail_after(io, call) : fail(f, call);
}

/* The wait comes last, so that its result is what is late; a failure's text outlives it. */
static ssize_t around(struct vfk_io *io, struct vfki_call *call)
{
	struct fault *f = (struct fault *)io;
	struct vfki_fault fault = vfki_fault_decide(&f->rule, call);
	ssize_t ret;

	if (!fault.hit)
		return vfki_filter_pass(io, call);
	ret = disturb(io, call, &fault);
	if (f->rule.late_ms)
		vfki_filter_sleep(f->rule.late_ms * VFKI_NS_PER_MS);
	return ret;
}

static int fault_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "op",    "region", "offset", "nth",   "rate", "seed",
					     "errno", "short",	"late",	  "after", "mmap", NULL };
	struct fault *f = (struct fault *)io;
	struct vfki_call call = { .op = VFKI_CALL_OPEN };
	int ret = vfk_uri_only(uri, known);

	if (!ret)
		ret = vfki_fault_rule_read(&f->rule, uri, opts->timeout_ms);
	if (!ret)
		ret = vfki_filter_init(&f->filter, uri, around);
	if (ret < 0)
		return ret;
	ret = (int)around(io, &call);
	if (ret < 0)
		vfki_filter_close(io);
	return ret;
}

const struct vfk_io_ops vfki_fault_io_ops = {
	VFKI_FILTER_OPS,
	.name = "fault",
	.help = "makes operations fail; options: op=NAME[+NAME...], region=N, offset=N, rate=0..1 (1), seed=N, nth=N, "
		"errno=NAME (EIO), after=on, short=on, late=MS, mmap=pass",
	.instance_size = sizeof(struct fault),
	.open = fault_open,
	.close = vfki_filter_close,
};
