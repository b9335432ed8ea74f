/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay.c - the delay filter; see delay.h.
 *
 * Any thread; constant once open returned.
 */
#include "delay.h"
#include "filter.h"
#include "lib/base/error.h"

#define DEFAULT_OPS \
	(VFKI_CALL_ALL & ~(VFKI_CALL_BIT(VFKI_CALL_POLL_FD) | VFKI_CALL_BIT(VFKI_CALL_DISPATCH)))

struct delay {
	struct vfki_filter filter; /* first */
	uint64_t us;
	uint32_t ops;
};

static ssize_t around(struct vfk_io *io, struct vfki_call *call)
{
	const struct delay *d = (struct delay *)io;

	if (d->us && d->ops & VFKI_CALL_BIT(call->op))
		vfki_filter_sleep(d->us * 1000);
	return vfki_filter_pass(io, call);
}

static int delay_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "us", "op", "mmap", NULL };
	struct delay *d = (struct delay *)io;
	int ret = vfk_uri_only(uri, known);

	if (!ret)
		ret = vfk_uri_get_u64(uri, "us", 0, opts->timeout_ms * 1000ull, &d->us);
	if (ret == -ENOENT)
		return vfki_err(-EINVAL, "%s: how long? us=MICROSECONDS", vfk_uri_text(uri));
	if (ret < 0)
		return ret;
	ret = vfki_call_ops(uri, "op", &d->ops);
	if (ret == -ENOENT) {
		d->ops = DEFAULT_OPS;
		ret = 0;
	}
	return ret ? ret : vfki_filter_init(&d->filter, uri, around);
}

const struct vfk_io_ops vfki_delay_io_ops = {
	VFKI_FILTER_OPS,
	.name = "delay",
	.help = "makes operations wait before they begin; options: us=MICROSECONDS, op=NAME[+NAME...] (all requests), mmap=pass",
	.instance_size = sizeof(struct delay),
	.open = delay_open,
	.close = vfki_filter_close,
};
