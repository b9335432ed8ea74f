/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.c - the trace filter; see trace.h.
 *
 * Each call puts its line together in its own frame and writes it whole under the filter's lock, which is held for
 * nothing else. Any thread. What cannot be written is lost: a full disk does not fail the device.
 */
#include "trace.h"
#include "filter.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "trace_call.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

struct trace {
	struct vfki_filter filter; /* first */
	pthread_mutex_t lock;	   /* writing a line */
	int fd;			   /* -1: standard error */
};

static void emit(struct trace *t, struct vfki_trace_line *l)
{
	size_t done = 0;

	vfki_trace_end(l);
	pthread_mutex_lock(&t->lock);
	while (done < l->used) {
		ssize_t n =
			write(t->fd < 0 ? STDERR_FILENO : t->fd, l->text + done, l->used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
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

static int open_output(struct trace *t, const char *path)
{
	t->fd = -1;
	if (path) {
		t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (t->fd < 0) {
			int r = -errno;

			return vfki_err_sys(r, "trace: %s", path);
		}
	}
	pthread_mutex_init(&t->lock, NULL);
	return 0;
}

static void close_output(struct trace *t)
{
	pthread_mutex_destroy(&t->lock);
	vfki_fd_close(t->fd);
}

static int trace_open(struct vfk_io *io, const struct vfk_uri *uri,
		      const struct vfk_open_opts *opts)
{
	static const char *const known[] = { "file", "mmap", NULL };
	struct trace *t = (struct trace *)io;
	const char *path = vfk_uri_get(uri, "file");
	int ret = vfk_uri_only(uri, known);

	(void)opts;
	if (!ret)
		ret = open_output(t, path);
	if (ret < 0)
		return ret;
	ret = vfki_filter_init(&t->filter, uri, show_line);
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
	.help = "one line for each operation; options: file=PATH (standard error), mmap=pass",
	.instance_size = sizeof(struct trace),
	.open = trace_open,
	.close = trace_close,
};
