/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_refused.c - a map that the server refuses while the memory is in use.
 */
#include "lib/io/user/user.h"
#include "lib/wire/dma_access.h"
#include "lib/wire/dma_map.h"
#include "peer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static const struct vfk_io_ops *const ops = &vfki_user_io_ops;

/* The device, whose server runs @script: that begins with a greeting. */
static struct vfk_io *open_device(struct peer *p, void (*script)(struct peer *p), void *arg,
				  const char *options)
{
	struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = TIMEOUT_MS };
	struct vfk_io *io = calloc(1, ops->instance_size);
	struct vfk_uri *uri;
	char text[64];
	int fds[2];

	assert_non_null(io);
	memset(p, 0, sizeof(*p));
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p->fd = fds[1];
	p->arg = arg;
	peer_start(p, script);
	snprintf(text, sizeof(text), "vfio-user:fd=%d%s", fds[0], options);
	assert_int_equal(vfk_uri_parse(text, &uri), 0);
	io->ops = ops;
	io->name = "test";
	assert_int_equal(ops->open(io, uri, &opts), 0);
	close(fds[0]);
	vfk_uri_free(uri);
	return io;
}

static void close_device(struct peer *p, struct vfk_io *io)
{
	ops->close(io);
	free(io);
	peer_stop(p);
}

#define TWIN "{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}"

enum { ASKED = 1, DONE };

struct refused_map {
	int twin[2]; /* the script's end, and the client's */
	atomic_int stage;
};

static bool greet_twin(struct peer *p, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	uint8_t buf[512], payload[256] = { 0, 0, 2 };
	struct iovec iov = { .iov_base = buf };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (!peer_read(p) || p->head.command != VFKI_WIRE_VERSION)
		return false;
	memcpy(payload + 4, TWIN, sizeof(TWIN));
	iov.iov_len = peer_message(buf, p->head.id, VFKI_WIRE_VERSION, VFKI_WIRE_TYPE_REPLY,
				   payload, 4 + sizeof(TWIN));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(p->fd, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

/* Reads the memory as soon as it knows of it, and refuses it when it is being read. */
static void read_and_refuse(struct peer *p)
{
	struct vfki_wire_dma_access a = { .addr = 0x10000, .count = 8 };
	struct refused_map *t = p->arg;
	struct vfki_wire_dma_map map;
	uint8_t buf[64];
	size_t len;

	WANT(p, greet_twin(p, t->twin[1]));
	close(t->twin[1]);
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_DMA_MAP);
	memcpy(&map, p->payload, sizeof(map));
	WANT(p, map.addr == a.addr);
	len = peer_message(buf, 1, VFKI_WIRE_DMA_READ, 0, &a, sizeof(a));
	WANT(p, send(t->twin[0], buf, len, MSG_NOSIGNAL) == (ssize_t)len);
	while (atomic_load(&t->stage) != ASKED)
		peer_sleep_ms(1);
	len = peer_message(buf, p->head.id, VFKI_WIRE_DMA_MAP,
			   VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL, 0);
	WANT(p, peer_send(p, buf, len));
	WANT(p, peer_sees_end(p));
}

static int slow_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct refused_map *t = ctx;

	(void)iova;
	atomic_store(&t->stage, ASKED);
	while (atomic_load(&t->stage) != DONE)
		peer_sleep_ms(1);
	memset(buf, 0, len);
	return 0;
}

static int no_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	(void)buf;
	(void)len;
	return -EIO;
}

/* Its memory cannot be taken from an access that does not return, so the connection is: nothing else reaches it. */
static void test_map_refused_while_in_use(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), slow_read,
							    no_write };
	struct refused_map t = { .stage = 0 };
	const struct vfk_dma_mapping m = { .size = sizeof(m),
					   .iova = 0x10000,
					   .length = 4096,
					   .prot = VFK_DMA_READ,
					   .fd = -1,
					   .callbacks = &callbacks,
					   .ctx = &t };
	struct vfk_dma_addr addr;
	struct vfk_io *io;
	uint32_t value;
	struct peer p;

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.twin), 0);
	io = open_device(&p, read_and_refuse, &t, ",twin=on");
	assert_int_equal(io->dma->map(io, &m, &addr), -EINVAL);
	assert_int_equal(ops->region_read(io, 0, 0, &value, 4), -ENOTCONN);
	atomic_store(&t.stage, DONE);
	close_device(&p, io);
	close(t.twin[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map_refused_while_in_use),
	};

	return cmocka_run_group_tests_name("connection: refused", tests, NULL, NULL);
}
