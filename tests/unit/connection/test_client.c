/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_client.c - the vfio-user backend's own logic against a scripted server: transfers and interrupts in pieces, posted
 * writes, and the server's access to memory. What a server can do wrong in its replies is for tests/client.
 */
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/user/user.h"
#include "lib/wire/dma_access.h"
#include "lib/wire/dma_map.h"
#include "lib/wire/version.h"
#include "peer.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static const struct vfk_io_ops *const ops = &vfki_user_io_ops;

/* ---- opening ---- */

struct greeting {
	uint16_t minor;
	const char *json;
};

static bool greet(struct peer *p, const struct greeting *g)
{
	struct vfki_wire_version v = { .major = 0, .minor = g->minor };
	uint8_t payload[512];
	size_t len = g->json ? strlen(g->json) + 1 : 0;

	memcpy(payload, &v, sizeof(v));
	if (len)
		memcpy(payload + sizeof(v), g->json, len);
	return peer_read(p) && p->head.command == VFKI_WIRE_VERSION &&
	       peer_reply(p, payload, sizeof(v) + len);
}

/* The device, whose server runs @script: that begins with a greeting. */
static struct vfk_io *open_device(struct peer *p, void (*script)(struct peer *p), void *arg)
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
	snprintf(text, sizeof(text), "vfio-user:fd=%d", fds[0]);
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

static const struct greeting plain = { .minor = 2 };

/* ---- regions ---- */

static const struct greeting tiny = { .minor = 1,
				      .json = "{\"capabilities\":{\"max_data_xfer_size\":20}}" };

static void tiny_reads(struct peer *p)
{
	static const uint32_t counts[] = { 16, 16, 8, 16, 5 };
	struct vfki_wire_region_access a;
	uint64_t off = 100;
	uint8_t buf[64];

	WANT(p, greet(p, &tiny));
	for (int i = 0; i < 5; i++) {
		WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_READ);
		memcpy(&a, p->payload, sizeof(a));
		off = i == 3 ? 0 : off;
		WANT(p, a.offset == off && a.count == counts[i] && a.region == 3);
		if (i == 4) {
			/* The device has no more. */
			a.count = 2;
			memcpy(p->payload, &a, sizeof(a));
		}
		WANT(p, peer_send(p, buf, peer_read_reply(p, buf, (uint8_t)off)));
		off += a.count;
	}
}

static void test_read_in_pieces(void **state)
{
	struct vfk_io *io;
	uint8_t data[40];
	struct peer p;

	(void)state;
	io = open_device(&p, tiny_reads, NULL);
	assert_int_equal(ops->region_read(io, 3, 100, data, 40), 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(data[i], 100 + i);
	assert_int_equal(ops->region_read(io, 3, 0, data, 21), 18);
	close_device(&p, io);
}

static void tiny_writes(struct peer *p)
{
	struct vfki_wire_region_access a;
	static const uint32_t counts[] = { 16, 16, 3 };
	uint64_t off = 8;

	WANT(p, greet(p, &tiny));
	for (int i = 0; i < 3; i++) {
		WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
		memcpy(&a, p->payload, sizeof(a));
		WANT(p, a.offset == off && a.count == counts[i]);
		WANT(p, p->payload[16] == (uint8_t)(off - 8));
		WANT(p, peer_reply(p, &a, sizeof(a)));
		off += a.count;
	}
}

static void test_write_in_pieces(void **state)
{
	struct vfk_io *io;
	uint8_t data[35];
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	io = open_device(&p, tiny_writes, NULL);
	assert_int_equal(ops->region_write(io, 0, 8, data, sizeof(data), 0), sizeof(data));
	close_device(&p, io);
}

static void posted_then_flushed(struct peer *p)
{
	uint8_t info[16] = { 16 };

	WANT(p, greet(p, &plain));
	for (int i = 0; i < 2; i++) {
		WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
		WANT(p, p->head.flags == VFKI_WIRE_NO_REPLY);
	}
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_DEVICE_GET_INFO);
	WANT(p, peer_reply(p, info, sizeof(info)));
	/* Nothing was posted since: the next message is the end. */
	WANT(p, peer_sees_end(p));
}

static void test_posted(void **state)
{
	struct vfk_io *io;
	uint32_t value = 1;
	struct peer p;

	(void)state;
	io = open_device(&p, posted_then_flushed, NULL);
	assert_int_equal(ops->flush(io), 0);
	assert_int_equal(ops->region_write(io, 0, 0, &value, 4, VFK_WRITE_POSTED), 4);
	assert_int_equal(ops->region_write(io, 0, 4, &value, 4, VFK_WRITE_POSTED), 4);
	assert_int_equal(ops->flush(io), 0);
	assert_int_equal(ops->flush(io), 0);
	close_device(&p, io);
}

static const struct vfk_region_write writes[] = {
	{ .offset = 0, .region = 0, .len = 4, .data = { 1 } },
	{ .offset = 8, .region = 2, .len = 8, .data = { 2 } },
	{ .offset = 1, .region = 0, .len = 1, .data = { 3 } },
};

static void takes_multi(struct peer *p)
{
	static const struct greeting g = { .minor = 2,
					   .json = "{\"capabilities\":{\"write_multiple\":true}}" };
	uint64_t done = 3;

	WANT(p, greet(p, &g));
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE_MULTI);
	WANT(p, p->head.size == 16 + 8 + sizeof(writes));
	WANT(p, !memcmp(p->payload, &done, 8) && !memcmp(p->payload + 8, writes, sizeof(writes)));
	WANT(p, peer_reply(p, &done, sizeof(done)));
	/* And one of which it does only two. */
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE_MULTI);
	done = 2;
	WANT(p, peer_reply(p, &done, sizeof(done)));
}

static void knows_no_multi(struct peer *p)
{
	WANT(p, greet(p, &plain));
	for (int i = 0; i < 3; i++) {
		struct vfki_wire_region_access a;

		WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_REGION_WRITE);
		memcpy(&a, p->payload, sizeof(a));
		WANT(p, a.offset == writes[i].offset && a.count == writes[i].len &&
				a.region == writes[i].region &&
				p->payload[16] == writes[i].data[0]);
		WANT(p, peer_reply(p, &a, sizeof(a)));
	}
}

static void test_write_multi(void **state)
{
	struct vfk_io *io;
	struct peer p;

	(void)state;
	io = open_device(&p, takes_multi, NULL);
	assert_int_equal(ops->write_multi(io, writes, 3), 0);
	assert_int_equal(ops->write_multi(io, writes, 3), -EIO);
	close_device(&p, io);
	io = open_device(&p, knows_no_multi, NULL);
	assert_int_equal(ops->write_multi(io, writes, 3), 0);
	close_device(&p, io);
}

/* ---- interrupts ---- */

#define VECTORS 5

union irq_set {
	struct vfio_irq_set head;
	uint8_t bytes[sizeof(struct vfio_irq_set) + VECTORS * sizeof(int32_t)];
};

static void set_fd(union irq_set *set, int i, int32_t fd)
{
	memcpy(set->head.data + (size_t)i * sizeof(fd), &fd, sizeof(fd));
}

static void arm_set(union irq_set *set, int fd)
{
	memset(set, 0, sizeof(*set));
	set->head.argsz = sizeof(*set);
	set->head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->head.index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->head.count = VECTORS;
	for (int i = 0; i < VECTORS; i++)
		set_fd(set, i, fd);
}

/* What one SET_IRQS must be, and what is answered: an errno, or 0. */
struct irq_step {
	uint32_t flags;
	uint32_t start;
	uint32_t count;
	size_t nfds;
	uint32_t error;
};

#define ARM	(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define DISABLE (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

static bool play_irqs(struct peer *p, const struct irq_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct vfki_wire_irq_set set;
		struct vfki_wire_header h;

		if (!peer_read(p) || p->head.command != VFKI_WIRE_DEVICE_SET_IRQS)
			return false;
		memcpy(&set, p->payload, sizeof(set));
		for (size_t k = 0; k < p->nfds; k++)
			close(p->fds[k]);
		if (set.flags != steps[i].flags || set.start != steps[i].start ||
		    set.count != steps[i].count || p->nfds != steps[i].nfds ||
		    set.index != VFIO_PCI_MSIX_IRQ_INDEX)
			return false;
		peer_message(&h, p->head.id, p->head.command,
			     VFKI_WIRE_TYPE_REPLY | (steps[i].error ? VFKI_WIRE_ERROR : 0), NULL,
			     0);
		h.error = steps[i].error;
		if (!peer_send(p, &h, sizeof(h)))
			return false;
	}
	return true;
}

static const struct greeting two_fds = { .minor = 2,
					 .json = "{\"capabilities\":{\"max_msg_fds\":2}}" };

static void arms_in_parts(struct peer *p)
{
	static const struct irq_step steps[] = {
		/* The last part switches it on. Refused behind it: off again. */
		{ ARM, 4, 1, 1, 0 },
		{ ARM, 0, 2, 2, 0 },
		{ ARM, 2, 2, 2, ENOSPC },
		{ DISABLE, 0, 0, 0, 0 },
		/* Armed. */
		{ ARM, 4, 1, 1, 0 },
		{ ARM, 0, 2, 2, 0 },
		{ ARM, 2, 2, 2, 0 },
		/* Refused in the third part, while it was on: what was done is taken back. */
		{ ARM, 0, 2, 2, 0 },
		{ ARM, 2, 2, 2, 0 },
		{ ARM, 4, 1, 1, EINVAL },
		{ ARM, 0, 4, 0, 0 },
		/* Close switches it off. */
		{ DISABLE, 0, 0, 0, 0 },
	};

	WANT(p, greet(p, &two_fds));
	WANT(p, play_irqs(p, steps, sizeof(steps) / sizeof(steps[0])));
}

static void test_irqs_in_parts(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	union irq_set set;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	arm_set(&set, fd);
	io = open_device(&p, arms_in_parts, NULL);
	assert_int_equal(ops->set_irqs(io, &set.head), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "set_irqs"));
	assert_int_equal(ops->set_irqs(io, &set.head), 0);
	assert_int_equal(ops->set_irqs(io, &set.head), -EINVAL);
	close_device(&p, io);
	close(fd);
}

/* -1 beside eventfds: a message has descriptors for all its vectors, or for none. */
static void arms_with_holes(struct peer *p)
{
	static const struct irq_step steps[] = {
		{ ARM, 3, 2, 2, 0 },
		{ ARM, 0, 1, 1, 0 },
		{ ARM, 1, 2, 0, 0 },
		{ DISABLE, 0, 0, 0, 0 },
	};

	WANT(p, greet(p, &two_fds));
	WANT(p, play_irqs(p, steps, sizeof(steps) / sizeof(steps[0])));
}

static void test_irqs_with_holes(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	union irq_set set;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	arm_set(&set, fd);
	set_fd(&set, 1, -1);
	set_fd(&set, 2, -1);
	io = open_device(&p, arms_with_holes, NULL);
	assert_int_equal(ops->set_irqs(io, &set.head), 0);
	close_device(&p, io);
	close(fd);
}

static void grants_three(struct peer *p)
{
	static const struct greeting g = {
		.minor = 2,
		.json = "{\"capabilities\":{\"max_msg_fds\":16,\"vfiokit\":{\"irq_count\":true}}}"
	};
	struct vfki_wire_irq_granted granted = { .argsz = sizeof(granted), .count = 3 };

	WANT(p, greet(p, &g));
	WANT(p, peer_read(p) && p->nfds == VECTORS);
	for (size_t k = 0; k < p->nfds; k++)
		close(p->fds[k]);
	WANT(p, peer_reply(p, &granted, sizeof(granted)));
}

static void test_irqs_granted(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	union irq_set set;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	arm_set(&set, fd);
	io = open_device(&p, grants_three, NULL);
	assert_int_equal(ops->set_irqs(io, &set.head), 3);
	close_device(&p, io);
	close(fd);
}

/* ---- memory ---- */

#define PAGE 4096u

static bool answer_map(struct peer *p, uint16_t command, size_t nfds)
{
	bool ok = peer_read(p) && p->head.command == command && p->nfds == nfds;

	for (size_t k = 0; k < p->nfds; k++)
		close(p->fds[k]);
	return ok && peer_reply(p, p->payload, command == VFKI_WIRE_DMA_UNMAP ? 24 : 0);
}

/* Reads or writes by message; returns the errno of the answer, or -1. The data is what @fill repeats. */
static int access_memory(struct peer *p, uint16_t command, uint64_t addr, uint64_t count,
			 uint8_t fill)
{
	struct vfki_wire_dma_access a = { .addr = addr, .count = count };
	uint8_t payload[3 * PAGE], buf[3 * PAGE];
	size_t len = sizeof(a);

	memcpy(payload, &a, sizeof(a));
	if (command == VFKI_WIRE_DMA_WRITE) {
		memset(payload + len, fill, count);
		len += count;
	}
	if (!peer_send(p, buf, peer_message(buf, 1, command, 0, payload, len)) || !peer_read(p))
		return -1;
	if (p->head.flags & VFKI_WIRE_ERROR)
		return (int)p->head.error;
	if (memcmp(p->payload, &a, sizeof(a)))
		return -1;
	for (size_t i = 0; command == VFKI_WIRE_DMA_READ && i < count && i + 16 < 4096; i++)
		if (p->payload[16 + i] != fill)
			return -1;
	return 0;
}

/* Three pages in a row: by address, by file, by callbacks; the last for reading only. */
static void works_in_memory(struct peer *p)
{
	WANT(p, greet(p, &plain));
	WANT(p, answer_map(p, VFKI_WIRE_DMA_MAP, 0));
	WANT(p, answer_map(p, VFKI_WIRE_DMA_MAP, 1));
	WANT(p, answer_map(p, VFKI_WIRE_DMA_MAP, 0));
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000, 64, 0xa1) == 0);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_WRITE, 0x10000 + PAGE - 32, 64, 0xb2) == 0);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 + PAGE - 32, 64, 0xb2) == 0);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 + 2 * PAGE, 16, 0xc3) == 0);
	/* Beyond either end, into what may only be read, and a callback that fails. */
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 - 1, 2, 0) == EFAULT);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 + 3 * PAGE - 1, 2, 0) == EFAULT);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_WRITE, 0x10000 + 2 * PAGE - 1, 2, 0) == EFAULT);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 + 2 * PAGE + 64, 2, 0) == EREMOTEIO);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, UINT64_MAX, 2, 0) == EINVAL);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000, 0, 0) == EINVAL);
	atomic_store(&p->stage, 1);
	WANT(p, answer_map(p, VFKI_WIRE_DMA_UNMAP, 0));
	/* A server may reach the memory until the client has seen the answer. */
	peer_sleep_ms(50);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000 + PAGE, 2, 0) == EFAULT);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000, 64, 0xa1) == 0);
	atomic_store(&p->stage, 2);
	/* Close takes back what is left, at once. */
	WANT(p, answer_map(p, VFKI_WIRE_DMA_UNMAP, 0));
	WANT(p, p->payload[4] == VFKI_WIRE_UNMAP_ALL);
}

static int read_callback(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx;
	if (iova != 0x10000 + 2 * PAGE)
		return -EREMOTEIO;
	memset(buf, 0xc3, len);
	return 0;
}

static int write_callback(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)iova;
	(void)buf;
	(void)len;
	*(int *)ctx = 1;
	return 0;
}

/* Answers the server until the script has come so far, or has failed. */
static void serve_until(struct vfk_io *io, struct peer *p, int stage)
{
	while (atomic_load(&p->stage) < stage && ops->dispatch(io) >= 0)
		sched_yield();
}

static void test_memory(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), read_callback,
							    write_callback };
	const uint32_t both = VFK_DMA_READ | VFK_DMA_WRITE;
	int written = 0, file = memfd_create("test", MFD_CLOEXEC);
	uint8_t page[PAGE], byte;
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x10000,
				     .length = PAGE,
				     .prot = both,
				     .fd = -1,
				     .vaddr = page };
	struct vfk_dma_addr addr;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	memset(page, 0xa1, sizeof(page));
	assert_return_code(ftruncate(file, PAGE), 0);
	io = open_device(&p, works_in_memory, NULL);
	assert_int_equal(io->dma->map(io, &m, &addr), 0);
	assert_int_equal(addr.addr, 0x10000);
	assert_int_equal(addr.contiguous, PAGE);
	assert_int_equal(io->dma->map(io, &m, &addr), -EEXIST);
	m.iova += PAGE;
	m.vaddr = NULL;
	m.fd = file;
	assert_int_equal(io->dma->map(io, &m, &addr), 0);
	m.iova += PAGE;
	m.fd = -1;
	m.prot = VFK_DMA_READ;
	m.callbacks = &callbacks;
	m.ctx = &written;
	assert_int_equal(io->dma->map(io, &m, &addr), 0);
	serve_until(io, &p, 1);
	assert_int_equal(io->dma->unmap(io, 0x10000 + PAGE, PAGE / 2, 100), -ENOENT);
	assert_int_equal(io->dma->unmap(io, 0x10000 + PAGE, PAGE, 100), 0);
	serve_until(io, &p, 2);
	assert_int_equal(page[PAGE - 33], 0xa1);
	assert_int_equal(page[PAGE - 32], 0xb2);
	assert_int_equal(pread(file, &byte, 1, 31), 1);
	assert_int_equal(byte, 0xb2);
	assert_int_equal(pread(file, &byte, 1, 32), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(written, 0);
	close_device(&p, io);
	close(file);
}

/* The last command, without a number. */
static bool refuse(struct peer *p)
{
	struct vfki_wire_header h;

	peer_message(&h, p->head.id, p->head.command, VFKI_WIRE_TYPE_REPLY | VFKI_WIRE_ERROR, NULL,
		     0);
	return peer_send(p, &h, sizeof(h));
}

static void refuses_map(struct peer *p)
{
	WANT(p, greet(p, &plain));
	WANT(p, peer_read(p) && p->head.command == VFKI_WIRE_DMA_MAP);
	WANT(p, refuse(p));
	/* What was refused is not there, once the client has seen that. */
	peer_sleep_ms(50);
	WANT(p, access_memory(p, VFKI_WIRE_DMA_READ, 0x10000, 16, 0) == EFAULT);
	atomic_store(&p->stage, 1);
	WANT(p, peer_sees_end(p));
}

static void test_map_refused(void **state)
{
	uint8_t page[PAGE];
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x10000,
				     .length = PAGE,
				     .prot = VFK_DMA_READ,
				     .fd = -1,
				     .vaddr = page };
	struct vfk_dma_addr addr;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	io = open_device(&p, refuses_map, NULL);
	assert_int_equal(io->dma->map(io, &m, &addr), -EINVAL);
	serve_until(io, &p, 1);
	close_device(&p, io);
}

/* ---- a server that goes while it writes ---- */

struct slow {
	atomic_bool inside, left;
	struct vfk_io *io;
};

static int slow_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct slow *slow = ctx;

	(void)iova;
	(void)buf;
	(void)len;
	atomic_store(&slow->inside, true);
	peer_sleep_ms(300);
	atomic_store(&slow->left, true);
	return 0;
}

static void *dispatches(void *arg)
{
	struct slow *slow = arg;

	while (ops->dispatch(slow->io) >= 0)
		sched_yield();
	return NULL;
}

static void writes_and_goes(struct peer *p)
{
	struct vfki_wire_dma_access a = { .addr = 0x10000, .count = 16 };
	uint8_t payload[32] = { 0 }, buf[64];

	WANT(p, greet(p, &plain));
	WANT(p, answer_map(p, VFKI_WIRE_DMA_MAP, 0));
	memcpy(payload, &a, sizeof(a));
	/* Not before the client has seen the answer, else it is its own thread that writes. */
	peer_sleep_ms(100);
	WANT(p, peer_send(p, buf,
			  peer_message(buf, 1, VFKI_WIRE_DMA_WRITE, 0, payload, sizeof(payload))));
	peer_sleep_ms(50);
	peer_hang_up(p);
	atomic_store(&p->stage, 1);
}

/* Memory is the program's again when unmap returns, however the connection fared. */
static void test_unmap_after_the_end(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { .size = sizeof(callbacks),
							    .write = slow_write };
	struct slow slow = { .io = NULL };
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x10000,
				     .length = PAGE,
				     .prot = VFK_DMA_WRITE,
				     .fd = -1,
				     .callbacks = &callbacks,
				     .ctx = &slow };
	struct vfk_dma_addr addr;
	pthread_t thread;
	struct peer p;

	(void)state;
	slow.io = open_device(&p, writes_and_goes, NULL);
	assert_int_equal(slow.io->dma->map(slow.io, &m, &addr), 0);
	assert_int_equal(pthread_create(&thread, NULL, dispatches, &slow), 0);
	while (!atomic_load(&slow.inside) || !atomic_load(&p.stage))
		sched_yield();
	assert_int_equal(slow.io->dma->unmap(slow.io, m.iova, m.length, 100), -ENOTCONN);
	assert_true(atomic_load(&slow.left));
	assert_int_equal(slow.io->dma->unmap(slow.io, m.iova, m.length, 100), -ENOENT);
	pthread_join(thread, NULL);
	close_device(&p, slow.io);
}

/* ---- a server that is slow to let go ---- */

#define SLOW_MAPS 8

static void is_slow(struct peer *p)
{
	WANT(p, greet(p, &plain));
	for (int i = 0; i < SLOW_MAPS; i++)
		WANT(p, answer_map(p, VFKI_WIRE_DMA_MAP, 0));
	while (peer_read(p)) {
		WANT(p, p->head.command == VFKI_WIRE_DMA_UNMAP);
		peer_sleep_ms(400);
		/* it takes them one by one */
		if (p->payload[4] == VFKI_WIRE_UNMAP_ALL) {
			WANT(p, refuse(p));
			continue;
		}
		if (!peer_reply(p, p->payload, 24))
			break;
	}
}

/* The bound is one for all of what close asks, not for each. */
static void test_close_is_bounded(void **state)
{
	uint8_t page[PAGE];
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x10000,
				     .length = PAGE,
				     .prot = VFK_DMA_READ,
				     .fd = -1,
				     .vaddr = page };
	struct vfk_dma_addr addr;
	uint64_t begin_ns;
	struct vfk_io *io;
	struct peer p;

	(void)state;
	io = open_device(&p, is_slow, NULL);
	for (int i = 0; i < SLOW_MAPS; i++, m.iova += PAGE)
		assert_int_equal(io->dma->map(io, &m, &addr), 0);
	begin_ns = vfki_now_ns();
	close_device(&p, io);
	assert_in_range((vfki_now_ns() - begin_ns) / 1000000, TIMEOUT_MS, TIMEOUT_MS + 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_in_pieces),	 cmocka_unit_test(test_write_in_pieces),
		cmocka_unit_test(test_posted),		 cmocka_unit_test(test_write_multi),
		cmocka_unit_test(test_irqs_in_parts),	 cmocka_unit_test(test_irqs_with_holes),
		cmocka_unit_test(test_irqs_granted),	 cmocka_unit_test(test_memory),
		cmocka_unit_test(test_map_refused),	 cmocka_unit_test(test_unmap_after_the_end),
		cmocka_unit_test(test_close_is_bounded),
	};

	return cmocka_run_group_tests_name("connection: client", tests, NULL, NULL);
}
