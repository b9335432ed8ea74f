/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c - the trace filter; see trace.h.
 *
 * Each call puts its line together in its own frame and writes it whole under the filter's lock, which is held for
 * nothing else. Any thread. What cannot be written is lost: a full disk does not fail the device, and a reader that
 * sleeps holds it up once.
 */
#include "trace.h"
#include "filter.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "messages.h"
#include "output.h"
#include "trace_call.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct trace {
	struct vfki_filter filter; /* first */
	pthread_mutex_t lock;	   /* writing a line */
	int fd;			   /* -1: standard error */
	unsigned int lost;	   /* lines, since one was written */
	bool capture;
	struct vfki_messages messages; /* when capture */
};

static void write_line(struct trace *t, const struct vfki_trace_line *l)
{
	char gap[48] = "";
	struct iovec iov[] = { { .iov_base = gap },
			       { .iov_base = (void *)l->text, .iov_len = l->used } };
	int ret;

	if (t->lost)
		iov[0].iov_len =
			(size_t)snprintf(gap, sizeof(gap), "(%u lines are lost)\n", t->lost);
	/* who has been waited for in vain is not waited for again */
	ret = vfki_output_write(t->fd < 0 ? STDERR_FILENO : t->fd, iov, 2,
				t->lost ? 0 : VFKI_OUTPUT_MS);
	if (ret == -ETIMEDOUT)
		t->lost++;
	else
		t->lost = 0;
}

static void emit(struct trace *t, struct vfki_trace_line *l)
{
	vfki_trace_end(l);
	pthread_mutex_lock(&t->lock);
	write_line(t, l);
	pthread_mutex_unlock(&t->lock);
}

/* A program that polls asks again and again; only what was done is worth a line. */
static bool is_idle(const struct vfki_call *call, ssize_t ret)
{
	return call->op == VFKI_CALL_POLL_FD || (call->op == VFKI_CALL_DISPATCH && !ret);
}

static ssize_t show_line(struct vfk_io *io, struct vfki_call *call)
{
	struct trace *t = (struct trace *)io;
	struct vfki_trace_line l;
	ssize_t ret;

	vfki_trace_call(&l, call, t->filter.next.info.flags & VFIO_DEVICE_FLAGS_PCI);
	ret = vfki_filter_pass(io, call);
	vfki_trace_outcome(&l, call, ret);
	if (!is_idle(call, ret))
		emit(t, &l);
	return ret;
}

static ssize_t show_messages(struct vfk_io *io, struct vfki_call *call)
{
	struct vfki_messages *m = &((struct trace *)io)->messages;
	struct vfki_exchange x;
	ssize_t ret;

	vfki_messages_request(m, call, &x);
	ret = vfki_filter_pass(io, call);
	vfki_messages_reply(m, call, &x, ret);
	return ret;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && !strcmp(s + len - n, end);
}

static int choose_format(struct trace *t, const struct vfk_uri *uri, const char *path)
{
	const char *format = vfk_uri_get(uri, "format");

	if (format && strcmp(format, "text") && strcmp(format, "pcapng"))
		return vfki_err(-EINVAL, "%s: format=%s, need text or pcapng", vfk_uri_text(uri),
				format);
	t->capture = format ? !strcmp(format, "pcapng") : path && ends_with(path, ".pcapng");
	if (t->capture && !path)
		return vfki_err(-EINVAL, "%s: format=pcapng needs file=PATH", vfk_uri_text(uri));
	return 0;
}

static int open_output(struct trace *t, const char *path)
{
	t->fd = -1;
	if (t->capture)
		return vfki_messages_open(&t->messages, path, t->filter.io.next->name);
	if (path) {
		t->fd = vfki_output_open(path, false);
		if (t->fd < 0)
			return t->fd;
	}
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

static void close_output(struct trace *t)
{
	if (t->capture) {
		vfki_messages_close(&t->messages);
		return;
	}
	pthread_mutex_destroy(&t->lock);
	vfki_fd_close(t->fd);
}

static int trace_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "file", "format", "mmap", NULL };
	struct trace *t = (struct trace *)io;
	const char *path = vfk_uri_get(uri, "file");
	int ret = vfk_uri_only(uri, known);

	(void)opts;
	if (!ret)
		ret = choose_format(t, uri, path);
	if (!ret)
		ret = open_output(t, path);
	if (ret < 0)
		return ret;
	ret = vfki_filter_init(&t->filter, uri, t->capture ? show_messages : show_line);
	if (ret < 0)
		close_output(t);
	return ret;
}

static void trace_close(struct vfk_io *io)
{
	vfki_filter_close(io);
	close_output((struct trace *)io);
}

const struct vfk_io_ops vfki_trace_io_ops = {
	VFKI_FILTER_OPS,
	.name = "trace",
	.help = "shows each operation; options: file=PATH (standard error), format=text|pcapng (by the file's name), mmap=pass",
	.instance_size = sizeof(struct trace),
	.open = trace_open,
	.close = trace_close,
};
