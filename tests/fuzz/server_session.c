/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_session.c - a hostile client's whole session with a server of model:edu, from an input.
 *
 * Input: a byte of flags, then records until the end. A record is a byte of its kind (below), a byte for the
 * descriptors that go with it (descriptors.h), and what its kind wants; a part is 16 bits of length and the bytes.
 *
 * Records are sent before the server sees any of them, or, with FLAG_TURNS, one by one. When the server asks something of
 * its client, the records from there on up to a reply are what it hears; the program is linked so that what
 * the library sends comes here. At the end the client hangs up, so that no wait lasts. Device and server are new for each input.
 * One thread.
 */
#include "descriptors.h"
#include "input.h"
#include "lib/wire/header.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#define FLAG_VERSION 0x01 /* a good VERSION first */
#define FLAG_PLAIN   0x02 /* without JSON */
#define FLAG_TURNS   0x04 /* the server has its turn after each record */
#define FLAG_MASTER  0x08 /* the device decodes and is bus master */
#define FLAG_MAPPED  0x10 /* memory by descriptor at MAPPED, and without one behind it */
#define FLAG_NULL    0x20 /* model:null instead */

/* A record's kind, modulo the number of them. */
enum kind {
	KIND_COMMAND, /* command 8, flags 8, part */
	KIND_AGAIN,   /* the same; commands shall be what there is most of */
	KIND_REPLY,  /* command 8 (0: the right one), errno 8, part: to the server's last request */
	KIND_LIE,    /* command 8, flags 8, size 32, part */
	KIND_RAW,    /* part */
	KIND_TURN,   /* the server's turn */
	KIND_POKE,   /* offset 32, value 64: 8 bytes into BAR 0 */
	KIND_ANSWER, /* as a good client replies */
	KIND_END,
};

#define TIMEOUT_MS 5
#define MAPPED	   0x100000
/* Turns after which a server that always has something to do is broken. */
#define MOST_TURNS 10000

static const char good_json[] =
	"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":65536,\"write_multiple\":true,"
	"\"migration\":{\"pgsize\":4096},\"vfiokit\":{\"irq_count\":true,\"sparse_fds\":true}}}";

struct session {
	struct vfk_server *server;
	int fd; /* the client's end */
	bool over;
	uint16_t next_id;
	struct input in;
	bool in_turn; /* the server is at work */
	bool asked;   /* and waits for a reply to: */
	struct vfki_wire_header question;
	uint8_t payload[32]; /* its beginning */
	struct descriptors d;
};

/* The one that what is sent is for. */
static struct session *running;

/* What the linker calls in the place of sendmsg() and send(), and those themselves. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);

static void drain(struct session *s)
{
	uint8_t bytes[65536];

	while (recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void turn(struct session *s)
{
	struct pollfd p = { .fd = vfk_server_poll_fd(s->server), .events = POLLIN };
	int turns = 0;

	if (s->in_turn)
		return;
	s->in_turn = true;
	while (!s->over && poll(&p, 1, 0) > 0) {
		REQUIRE(++turns < MOST_TURNS);
		s->over = vfk_server_dispatch(s->server) < 0;
		drain(s);
	}
	s->in_turn = false;
}

static void send_message(struct session *s, struct vfki_wire_header h, struct input part,
			 uint8_t spec)
{
	uint8_t bytes[sizeof(h) + UINT16_MAX];

	memcpy(bytes, &h, sizeof(h));
	if (part.len)
		memcpy(bytes + sizeof(h), part.bytes, part.len);
	descriptors_send(&s->d, s->fd, bytes, sizeof(h) + part.len, spec);
}

static void send_command(struct session *s, uint16_t command, uint32_t flags, const void *payload,
			 size_t len, uint8_t spec)
{
	struct vfki_wire_header h = {
		.id = s->next_id++,
		.command = command,
		.size = (uint32_t)(sizeof(h) + len),
		.flags = flags,
	};

	send_message(s, h, (struct input){ payload, len }, spec);
}

static void send_reply(struct session *s, uint8_t spec)
{
	struct vfki_wire_header h = { .id = s->question.id, .flags = VFKI_WIRE_TYPE_REPLY };
	uint8_t command = take8(&s->in);
	struct input part;

	h.command = command ? command : s->question.command;
	h.error = take8(&s->in);
	if (h.error)
		h.flags |= VFKI_WIRE_ERROR;
	part = take_part(&s->in);
	h.size = (uint32_t)(sizeof(h) + part.len);
	send_message(s, h, part, spec);
	s->asked = false;
}

static void send_answer(struct session *s)
{
	struct vfki_wire_header h = { .id = s->question.id, .flags = VFKI_WIRE_TYPE_REPLY };
	uint8_t payload[sizeof(struct vfki_wire_dma_access) + 4096] = { 0 };
	struct vfki_wire_dma_access a;
	size_t len = sizeof(a);

	memcpy(&a, s->payload, sizeof(a));
	memcpy(payload, &a, sizeof(a));
	if (s->question.command == VFKI_WIRE_DMA_READ && a.count <= 4096)
		len += a.count;
	h.command = s->question.command;
	h.size = (uint32_t)(sizeof(h) + len);
	send_message(s, h, (struct input){ payload, len }, 0);
	s->asked = false;
}

static void send_lie(struct session *s, uint8_t spec)
{
	struct input *in = &s->in;
	struct vfki_wire_header h = { .id = s->next_id++ };

	h.command = take8(in);
	h.flags = take8(in);
	h.size = take32(in);
	send_message(s, h, take_part(in), spec);
}

static void write_region(struct session *s, uint32_t region, uint64_t off, uint64_t value,
			 uint32_t width)
{
	struct {
		struct vfki_wire_region_access a;
		uint64_t value;
	} payload = { { .offset = off, .region = region, .count = width }, value };

	send_command(s, VFKI_WIRE_REGION_WRITE, 0, &payload, sizeof(payload.a) + width, 0);
}

static void record_command(struct session *s, uint8_t spec)
{
	uint8_t command = take8(&s->in), flags = take8(&s->in);
	struct input part = take_part(&s->in);

	send_command(s, command, flags, part.bytes, part.len, spec);
}

static void record(struct session *s)
{
	uint8_t kind = take8(&s->in) % KIND_END, spec = take8(&s->in);
	struct input part;
	uint32_t off;

	switch (kind) {
	case KIND_COMMAND:
	case KIND_AGAIN:
		record_command(s, spec);
		break;
	case KIND_REPLY:
		send_reply(s, spec);
		break;
	case KIND_ANSWER:
		send_answer(s);
		break;
	case KIND_LIE:
		send_lie(s, spec);
		break;
	case KIND_RAW:
		part = take_part(&s->in);
		descriptors_send(&s->d, s->fd, part.bytes, part.len, spec);
		break;
	case KIND_POKE:
		off = take32(&s->in);
		write_region(s, VFIO_PCI_BAR0_REGION_INDEX, off, take_number(&s->in, 8), 8);
		break;
	default:
		turn(s);
	}
}

/* Whether the next record is for a request of the server's. */
static bool replies_next(const struct session *s)
{
	uint8_t kind = s->in.len ? s->in.bytes[0] % KIND_END : KIND_END;

	return kind == KIND_REPLY || kind == KIND_ANSWER;
}

/* The server has sent a message: @bytes are its beginning. */
static void hear(struct session *s, const uint8_t *bytes, size_t len)
{
	REQUIRE(len >= sizeof(s->question));
	memcpy(&s->question, bytes, sizeof(s->question));
	if (vfki_wire_is_reply(&s->question))
		return;
	len -= sizeof(s->question);
	if (len > sizeof(s->payload))
		len = sizeof(s->payload);
	memset(s->payload, 0, sizeof(s->payload));
	memcpy(s->payload, bytes + sizeof(s->question), len);
	s->asked = true;
	while (s->asked && s->in.len)
		record(s);
	if (s->asked)
		shutdown(s->fd, SHUT_WR);
	drain(s);
}

/* What the client itself sends comes by here too. */
static bool is_servers(int fd, ssize_t n)
{
	return running && running->in_turn && fd != running->fd && n > 0;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n = __real_sendmsg(fd, m, flags);
	uint8_t bytes[sizeof(running->question) + sizeof(running->payload)];
	size_t len = 0;
	int error = errno;

	for (size_t i = 0; i < m->msg_iovlen && len < sizeof(bytes); i++) {
		size_t piece = m->msg_iov[i].iov_len;

		if (piece > sizeof(bytes) - len)
			piece = sizeof(bytes) - len;
		memcpy(bytes + len, m->msg_iov[i].iov_base, piece);
		len += piece;
	}
	if (is_servers(fd, n))
		hear(running, bytes, len);
	errno = error;
	return n;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	ssize_t n = __real_send(fd, bytes, len, flags);
	int error = errno;

	if (is_servers(fd, n))
		hear(running, bytes, len);
	errno = error;
	return n;
}

static void greet(struct session *s, bool plain)
{
	uint8_t payload[sizeof(struct vfki_wire_version) + sizeof(good_json)];
	const struct vfki_wire_version v = { .minor = VFKI_WIRE_MINOR };
	size_t len = sizeof(v) + (plain ? 0 : sizeof(good_json));

	memcpy(payload, &v, sizeof(v));
	memcpy(payload + sizeof(v), good_json, sizeof(good_json));
	send_command(s, VFKI_WIRE_VERSION, 0, payload, len, 0);
}

static void map_memory(struct session *s)
{
	struct vfki_wire_dma_map m = { .argsz = sizeof(m), .flags = 3, .size = DESCRIPTORS_MEMORY };

	m.addr = MAPPED;
	send_command(s, VFKI_WIRE_DMA_MAP, 0, &m, sizeof(m), 1);
	m.addr = MAPPED + DESCRIPTORS_MEMORY;
	send_command(s, VFKI_WIRE_DMA_MAP, 0, &m, sizeof(m), 0);
}

static void prepare(struct session *s, uint8_t flags)
{
	if (flags & FLAG_VERSION)
		greet(s, flags & FLAG_PLAIN);
	if (flags & FLAG_MASTER)
		write_region(s, VFIO_PCI_CONFIG_REGION_INDEX, 4, 6, 2);
	if (flags & FLAG_MAPPED)
		map_memory(s);
}

static void converse(struct session *s)
{
	uint8_t flags = take8(&s->in);

	prepare(s, flags);
	while (s->in.len && !s->over) {
		if (replies_next(s))
			turn(s);
		record(s);
		if (flags & FLAG_TURNS)
			turn(s);
	}
	turn(s);
	shutdown(s->fd, SHUT_WR);
	turn(s);
}

static void open_server(struct session *s, struct vfk_device *dev)
{
	/* A small transfer size, so that a burst of replies has room in the socket. */
	const struct vfk_server_opts opts = {
		.size = sizeof(opts),
		.timeout_ms = TIMEOUT_MS,
		.max_dma_maps = 8,
		.max_data_xfer_size = 4096,
	};
	int ends[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	REQUIRE(!vfk_server_on_fd(dev, ends[0], &opts, &s->server));
	s->fd = ends[1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct session s = { .in = { data, size } };
	struct vfk_device *dev;
	struct census before;

	census_take(&before);
	descriptors_make(&s.d);
	REQUIRE(!vfk_device_open(size && data[0] & FLAG_NULL ? "model:null" : "model:edu", &opts,
				 &dev));
	open_server(&s, dev);
	running = &s;
	converse(&s);
	vfk_server_close(s.server);
	running = NULL;
	close(s.fd);
	/* The device outlives its client, and takes the next one. */
	REQUIRE(!vfk_device_reset(dev));
	vfk_device_close(dev);
	descriptors_close(&s.d);
	census_check(&before);
	return 0;
}
