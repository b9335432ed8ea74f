/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the one place that names concrete backends and filters: a new one is one line here.
 *
 * Any thread; constant data.
 */
#include "table.h"
#include "lib/base/error.h"
#include "lib/io/filter/delay.h"
#include "lib/io/filter/fault.h"
#include "lib/io/filter/readonly.h"
#include "lib/io/filter/trace.h"
#include "lib/io/kernel/kernel.h"
#include "lib/io/model/model_io.h"
#include "lib/io/user/user.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct vfk_io_ops *const backends[] = {
	&vfki_kernel_io_ops,
	&vfki_model_io_ops,
	&vfki_user_io_ops,
};

static const struct vfk_io_ops *const filters[] = {
	&vfki_delay_io_ops,
	&vfki_fault_io_ops,
	&vfki_readonly_io_ops,
	&vfki_trace_io_ops,
};

const struct vfk_io_ops *vfk_io_backend(size_t i)
{
	return i < COUNT(backends) ? backends[i] : NULL;
}

const struct vfk_io_ops *vfk_io_filter(size_t i)
{
	return i < COUNT(filters) ? filters[i] : NULL;
}

static const struct vfk_io_ops *find(const struct vfk_io_ops *const *table, size_t n,
				     const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(table[i]->name, name))
			return table[i];
	}
	return NULL;
}

static void unknown(const char *kind, const struct vfk_io_ops *const *table, size_t n,
		    const char *name)
{
	char known[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(known); i++) {
		int len = snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
				   table[i]->name);

		used += len > 0 ? (size_t)len : 0;
	}
	vfki_err(-EINVAL, "unknown %s %s; known: %s", kind, name, known);
}

const struct vfk_io_ops *vfki_io_find_backend(const char *scheme)
{
	const struct vfk_io_ops *ops = find(backends, COUNT(backends), scheme);

	if (!ops)
		unknown("scheme", backends, COUNT(backends), scheme);
	return ops;
}

const struct vfk_io_ops *vfki_io_find_filter(const char *name)
{
	const struct vfk_io_ops *ops = find(filters, COUNT(filters), name);

	if (!ops)
		unknown("filter", filters, COUNT(filters), name);
	return ops;
}

bool vfki_io_is_bundled(const struct vfk_io_ops *ops)
{
	if (ops == &vfki_user_gated_io_ops)
		return true;
	for (size_t i = 0; i < COUNT(backends); i++) {
		if (backends[i] == ops)
			return true;
	}
	for (size_t i = 0; i < COUNT(filters); i++) {
		if (filters[i] == ops)
			return true;
	}
	return false;
}

bool vfki_io_is_whole(const struct vfk_io_ops *ops, uint32_t region)
{
	return ops == &vfki_model_io_ops && vfki_model_io_is_whole(region);
}

const struct vfk_io_ops *vfki_io_model_backend(void)
{
	return &vfki_model_io_ops;
}

void vfki_io_set_model(struct vfk_io *io, const struct vfk_model_ops *ops)
{
	vfki_model_io_set_ops(io, ops);
}

const struct vfk_io_ops *vfki_io_kernel_backend(void)
{
	return &vfki_kernel_io_ops;
}

void vfki_io_set_kernel(struct vfk_io *io, const struct vfk_kernel_opts *opts, struct vfk_io *share)
{
	vfki_kernel_set_opts(io, opts, share);
}
