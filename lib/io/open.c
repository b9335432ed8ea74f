/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.c - opening and closing a chain of ios; see open.h.
 *
 * An instance and its name are one allocation. Runs in the opening thread alone.
 */
#include "open.h"
#include "checked.h"
#include "lib/base/debug.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "table.h"
#include "uri.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vfiokit/kernel.h>
#include <vfiokit/model.h>

/* As strict as an io's name must be to stand in a URI as it is. */
static int check_model_name(const char *name)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (!name || !*name || name[strspn(name, good)])
		return vfki_err(-EINVAL, "model: \"%s\" is not a name", name ? name : "");
	return 0;
}

int vfk_io_init(struct vfk_io *io, const struct vfk_io_ops *ops, const char *name)
{
	int ret;

	if (!io || !ops || !name)
		return vfki_err(-EINVAL, "io: no %s", !io ? "instance" : !ops ? "ops" : "name");
	ret = vfki_io_check_ops(ops, name);
	if (ret < 0)
		return ret;
	*io = (struct vfk_io){ .ops = ops, .name = name };
	return 0;
}

/* A program built against a later header may say only what this library knows, too. */
static int check_tail(const struct vfk_open_opts *opts)
{
	const unsigned char *byte = (const unsigned char *)opts;

	for (size_t i = sizeof(*opts); i < opts->size; i++) {
		if (byte[i])
			return vfki_err(-EINVAL, "open: options that this library does not know");
	}
	return 0;
}

int vfki_open_opts(const struct vfk_open_opts *opts, struct vfk_open_opts *full)
{
	int ret;

	*full = (struct vfk_open_opts){ .size = sizeof(*full) };
	if (opts) {
		if (opts->size < sizeof(opts->size))
			return vfki_err(-EINVAL, "open: options: size %zu", opts->size);
		ret = check_tail(opts);
		if (ret < 0)
			return ret;
		memcpy(full, opts, (size_t)vfki_min_u64(opts->size, sizeof(*full)));
		full->size = sizeof(*full);
	}
	if (full->flags & ~VFK_OPEN_DISPATCH)
		return vfki_err(-EINVAL, "open: flags 0x%" PRIx32, full->flags);
	if (full->num_filters > VFKI_MAX_FILTERS || (full->num_filters && !full->filters))
		return vfki_err(-EINVAL, "open: %zu filters", full->num_filters);
	if (full->timeout_ms > VFKI_MAX_TIMEOUT_MS)
		return vfki_err(-ERANGE, "open: timeout of %" PRIu32 " ms, at most %d",
				full->timeout_ms, VFKI_MAX_TIMEOUT_MS);
	if (!full->timeout_ms)
		full->timeout_ms = VFKI_DEFAULT_TIMEOUT_MS;
	return 0;
}

static int io_create(const struct vfk_io_ops *ops, const char *name, struct vfk_io **out)
{
	size_t len = strlen(name) + 1, size;
	struct vfk_io *io = NULL;

	if (vfki_add_size(ops->instance_size, len, &size))
		io = calloc(1, size);
	if (!io)
		return vfki_err(-ENOMEM, "%s: no memory", name);
	io->ops = ops;
	io->name = memcpy((char *)io + ops->instance_size, name, len);
	*out = io;
	return 0;
}

/* An open op that fails may have said why without saying of what. */
static int name_failure(int ret, const char *name)
{
	if (strncmp(vfk_error(), name, strlen(name)))
		return vfki_err_prefix(ret, "%s", name);
	return ret;
}

static int call_open(struct vfk_io *io, const struct vfk_uri *uri, const struct vfk_open_opts *opts)
{
	int ret;

	vfki_err_clear();
	ret = io->ops->open(io, uri, opts);
	if (ret > 0)
		ret = vfki_err(-EPROTO, "%s: open: returned %d", io->name, ret);
	else if (ret < 0 && !*vfk_error())
		ret = vfki_err_sys(ret, "%s: open", io->name);
	else if (ret < 0)
		ret = name_failure(ret, io->name);
	if (ret < 0 && vfki_debug_asked())
		vfki_debug("cannot be opened: %s", vfk_error());
	return ret;
}

/* Puts one filter before @next. */
static int open_filter(const char *text, struct vfk_io *next, const struct vfk_open_opts *opts,
		       struct vfk_io **out)
{
	const struct vfk_io_ops *ops;
	struct vfk_uri *uri;
	struct vfk_io *io;
	int ret = vfk_uri_parse_filter(text, &uri);

	if (ret < 0)
		return ret;
	ops = vfki_io_find_filter(vfk_uri_scheme(uri));
	ret = ops ? io_create(ops, next->name, &io) : -EINVAL;
	if (ret < 0)
		goto free_uri;
	io->next = next;
	ret = call_open(io, uri, opts);
	if (ret < 0)
		free(io);
	else
		*out = io;
free_uri:
	vfk_uri_free(uri);
	return ret;
}

/* A close fails nobody, and often follows a failure: its reason is still to be told. */
static void close_one(struct vfk_io *io)
{
	char text[VFKI_ERROR_SIZE];

	snprintf(text, sizeof(text), "%s", vfk_error());
	io->ops->close(io);
	vfki_err(0, "%s", text);
}

static void close_until(struct vfk_io *io, const struct vfk_io *base)
{
	while (io != base) {
		struct vfk_io *next = io->next;

		close_one(io);
		free(io);
		io = next;
	}
}

/* The last in the list stands next to the backend. On failure all is closed but for @base. */
static int open_filters(struct vfk_io *base, const struct vfk_open_opts *opts, struct vfk_io **out)
{
	struct vfk_io *io = base;
	int ret;

	for (size_t i = opts->num_filters; i-- > 0;) {
		ret = opts->filters[i] ? open_filter(opts->filters[i], io, opts, &io) :
					 vfki_err(-EINVAL, "open: filter %zu is NULL", i);

		if (ret < 0)
			goto failed;
	}
	/* Where it sees what the program asks for, and takes nothing away that can be mapped. */
	if (vfki_debug_asked()) {
		ret = open_filter("trace,mmap=pass", io, opts, &io);
		if (ret < 0)
			goto failed;
	}
	*out = io;
	return 0;
failed:
	close_until(io, base);
	return name_failure(ret, base->name);
}

/* Takes @io, which is not open yet: on failure it is freed. */
static int open_chain(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts, struct vfk_io **out)
{
	int ret = call_open(io, uri, opts);

	if (ret < 0)
		goto free_io;
	ret = open_filters(io, opts, out);
	if (ret < 0)
		goto close_io;
	return 0;
close_io:
	close_one(io);
free_io:
	free(io);
	return ret;
}

int vfki_io_open(const char *text, const struct vfk_open_opts *opts, struct vfk_io **out)
{
	const struct vfk_io_ops *ops;
	struct vfk_open_opts full;
	struct vfk_uri *uri;
	struct vfk_io *io;
	int ret = vfki_open_opts(opts, &full);

	if (ret < 0)
		return ret;
	ret = vfk_uri_parse(text, &uri);
	if (ret < 0)
		return ret;
	ops = vfki_io_find_backend(vfk_uri_scheme(uri));
	ret = ops ? io_create(ops, text, &io) : vfki_err_prefix(-EINVAL, "%s", text);
	if (!ret)
		ret = open_chain(io, uri, &full, out);
	vfk_uri_free(uri);
	return ret;
}

static int model_uri(const struct vfk_model_ops *ops, const char *params, struct vfk_uri **uri)
{
	char text[VFKI_URI_MAX + 1];
	int ret = check_model_name(ops->name), len;

	if (ret < 0)
		return ret;
	len = snprintf(text, sizeof(text), "model:%s%s%s", ops->name, params && *params ? "," : "",
		       params ? params : "");
	if (len < 0 || (size_t)len >= sizeof(text))
		return vfki_err(-ENAMETOOLONG, "model:%.40s: parameters are too long", ops->name);
	return vfk_uri_parse(text, uri);
}

int vfki_io_open_model(const struct vfk_model_ops *ops, const char *params,
		       const struct vfk_open_opts *opts, struct vfk_io **out)
{
	struct vfk_open_opts full;
	struct vfk_uri *uri;
	struct vfk_io *io;
	int ret = vfki_open_opts(opts, &full);

	if (ret < 0)
		return ret;
	if (!ops || ops->size < offsetof(struct vfk_model_ops, help))
		return vfki_err(-EINVAL, "model: no ops, or their size is too small");
	ret = model_uri(ops, params, &uri);
	if (ret < 0)
		return ret;
	ret = io_create(vfki_io_model_backend(), vfk_uri_text(uri), &io);
	if (!ret) {
		vfki_io_set_model(io, ops);
		ret = open_chain(io, uri, &full, out);
	}
	vfk_uri_free(uri);
	return ret;
}

static int check_kernel_opts(const struct vfk_kernel_opts *kernel, const struct vfk_io *share)
{
	if (!kernel || kernel->size != sizeof(*kernel))
		return vfki_err(-EINVAL, "kernel: no options, or their size is not this library's");
	if (share && share->ops != vfki_io_kernel_backend())
		return vfki_err(-EINVAL, "kernel: %s is no device of the kernel's to share with",
				share->name);
	return 0;
}

/* What the options name stands for the URI in texts; it is not taken apart. */
static int kernel_uri(const struct vfk_kernel_opts *kernel, struct vfk_uri **uri)
{
	char text[VFKI_URI_MAX + 1];
	int len;

	if (kernel->device)
		len = snprintf(text, sizeof(text), "kernel:%s", kernel->device);
	else
		len = snprintf(text, sizeof(text), "kernel:fd=%d", kernel->device_fd);
	if (len < 0 || (size_t)len >= sizeof(text))
		return vfki_err(-ENAMETOOLONG, "kernel:%.40s: too long", kernel->device);
	return vfk_uri_parse(text, uri);
}

int vfki_io_open_kernel(const struct vfk_kernel_opts *kernel, struct vfk_io *share,
			const struct vfk_open_opts *opts, struct vfk_io **out)
{
	struct vfk_open_opts full;
	struct vfk_uri *uri;
	struct vfk_io *io;
	int ret = vfki_open_opts(opts, &full);

	if (!ret)
		ret = check_kernel_opts(kernel, share);
	if (!ret)
		ret = kernel_uri(kernel, &uri);
	if (ret < 0)
		return ret;
	ret = io_create(vfki_io_kernel_backend(), vfk_uri_text(uri), &io);
	if (!ret) {
		vfki_io_set_kernel(io, kernel, share);
		ret = open_chain(io, uri, &full, out);
	}
	vfk_uri_free(uri);
	return ret;
}

/* A program's own io has no URI; its open op, if it has one, gets one that says nothing. */
static int open_own(struct vfk_io *own, const struct vfk_open_opts *opts)
{
	struct vfk_uri *uri;
	int ret;

	if (!own->ops->open)
		return 0;
	ret = vfk_uri_parse("io:", &uri);
	if (ret < 0)
		return ret;
	ret = call_open(own, uri, opts);
	vfk_uri_free(uri);
	return ret;
}

int vfki_io_wrap(struct vfk_io *own, const struct vfk_open_opts *opts, struct vfk_io **out)
{
	struct vfk_open_opts full;
	int ret = vfki_open_opts(opts, &full);

	if (ret < 0)
		return ret;
	if (!own || !own->ops || !own->name)
		return vfki_err(-EINVAL, "io: not set up with vfk_io_init()");
	ret = vfki_io_check_ops(own->ops, own->name);
	if (!ret)
		ret = open_own(own, &full);
	if (ret < 0)
		return ret;
	ret = open_filters(own, &full, out);
	if (ret < 0 && own->ops->open)
		close_one(own);
	return ret;
}

void vfki_io_unwrap(struct vfk_io *io, struct vfk_io *own)
{
	close_until(io, own);
	if (own->ops->open)
		close_one(own);
}

void vfki_io_close(struct vfk_io *io, const struct vfk_io *own)
{
	while (io) {
		struct vfk_io *next = io == own ? NULL : io->next;

		close_one(io);
		if (io != own)
			free(io);
		io = next;
	}
}
