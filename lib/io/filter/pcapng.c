/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng.c - a capture file; see pcapng.h.
 *
 * Blocks and options are padded to four bytes, in the host's byte order, which the first block tells; the tags before a
 * message are big-endian.
 */
#include "pcapng.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "output.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	LINKTYPE_UPPER_PDU = 252,
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_SECTION_PROGRAM = 4,
	OPT_INTERFACE_NAME = 2,
	OPT_INTERFACE_TSRESOL = 9,
	OPT_PACKET_FLAGS = 2,
	FLAGS_INBOUND = 1,
	FLAGS_OUTBOUND = 2,
};

/* Dissector name (tag 12) of 12 bytes, its padding included; end of tags. */
static const uint8_t tags[] = { 0,   12,  0,   12, 'v', 'f', 'i', 'o', '-', 'u',
				's', 'e', 'r', 0,  0,	0,   0,	  0,   0,   0 };

/* A block, or its end, that is being put together; what does not fit is left out. */
struct draft {
	size_t used;
	uint8_t bytes[512];
};

static void put(struct draft *d, const void *data, size_t len)
{
	if (!len || len > sizeof(d->bytes) - d->used)
		return;
	memcpy(d->bytes + d->used, data, len);
	d->used += len;
}

static void put_u32(struct draft *d, uint32_t v)
{
	put(d, &v, sizeof(v));
}

static void put_option(struct draft *d, uint16_t code, const void *data, uint16_t len)
{
	const uint16_t head[2] = { code, len };

	if (sizeof(head) + len + 3 > sizeof(d->bytes) - d->used)
		return;
	put(d, head, sizeof(head));
	put(d, data, len);
	put(d, "\0\0\0", -len & 3u);
}

static void put_text(struct draft *d, uint16_t code, const char *text)
{
	put_option(d, code, text, (uint16_t)vfki_min_u64(strlen(text), 255));
}

/* Type and length are filled in when all is there. */
static void begin_block(struct draft *d, uint32_t type)
{
	d->used = 0;
	put_u32(d, type);
	put_u32(d, 0);
}

static void end_block(struct draft *d)
{
	uint32_t len;

	put_option(d, OPT_END, NULL, 0);
	len = (uint32_t)d->used + sizeof(len);
	put_u32(d, len);
	memcpy(d->bytes + sizeof(uint32_t), &len, sizeof(len));
}

static int write_block(struct vfki_pcapng *p, struct draft *d)
{
	struct iovec iov = { .iov_base = d->bytes, .iov_len = d->used };

	return vfki_output_write(p->fd, &iov, 1, VFKI_OUTPUT_MS);
}

static int begin_section(struct vfki_pcapng *p, const char *device)
{
	const uint32_t versions = 1; /* 1.0: two numbers of 16 bits */
	const int64_t unknown_length = -1;
	const uint8_t nanoseconds = 9;
	struct draft d;
	int r;

	begin_block(&d, BLOCK_SECTION);
	put_u32(&d, 0x1a2b3c4d);
	put_u32(&d, versions);
	put(&d, &unknown_length, sizeof(unknown_length));
	put_text(&d, OPT_SECTION_PROGRAM, "vfiokit");
	end_block(&d);
	r = write_block(p, &d);
	if (r)
		return r;
	begin_block(&d, BLOCK_INTERFACE);
	put_u32(&d, LINKTYPE_UPPER_PDU);
	put_u32(&d, 0); /* no limit */
	put_text(&d, OPT_INTERFACE_NAME, device);
	put_option(&d, OPT_INTERFACE_TSRESOL, &nanoseconds, 1);
	end_block(&d);
	return write_block(p, &d);
}

/* Whether the file can have a section added. A pipe can. */
static int check_file(int fd, const char *path)
{
	uint32_t type = 0;
	uint64_t size;

	if (vfki_fd_size(fd, &size) || !size)
		return 0;
	if (pread(fd, &type, sizeof(type), 0) != sizeof(type) || type != BLOCK_SECTION)
		return vfki_err(-EINVAL, "trace: %s: there already, and no pcapng file", path);
	return 0;
}

int vfki_pcapng_open(struct vfki_pcapng *p, const char *path, const char *device)
{
	int r;

	p->fd = vfki_output_open(path, true);
	if (p->fd < 0)
		return p->fd;
	r = check_file(p->fd, path);
	if (!r) {
		r = begin_section(p, device);
		if (r)
			vfki_err_sys(r, "trace: %s", path);
	}
	if (r)
		vfki_pcapng_close(p);
	return r;
}

void vfki_pcapng_close(struct vfki_pcapng *p)
{
	vfki_fd_close(p->fd);
	p->fd = -1;
}

static uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * VFKI_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void put_packet_head(struct draft *d, uint32_t kept, uint32_t len)
{
	uint64_t now = wall_clock_ns();

	begin_block(d, BLOCK_PACKET);
	put_u32(d, 0); /* the interface */
	put_u32(d, (uint32_t)(now >> 32));
	put_u32(d, (uint32_t)now);
	put_u32(d, kept + (uint32_t)sizeof(tags));
	put_u32(d, len + (uint32_t)sizeof(tags));
	put(d, tags, sizeof(tags));
}

static void put_packet_end(struct draft *d, bool request, uint32_t kept, size_t nfds)
{
	uint32_t flags = request ? FLAGS_OUTBOUND : FLAGS_INBOUND;
	char comment[40];

	d->used = 0;
	put(d, "\0\0\0", -kept & 3u);
	if (nfds) {
		snprintf(comment, sizeof(comment), "descriptors: %zu", nfds);
		put_text(d, OPT_COMMENT, comment);
	}
	put_option(d, OPT_PACKET_FLAGS, &flags, sizeof(flags));
	put_option(d, OPT_END, NULL, 0);
}

/* Copies the pieces, cut to the bytes that are kept. Returns their number. */
static int cut_pieces(struct iovec *to, const struct iovec *pieces, size_t n, uint32_t kept)
{
	int used = 0;

	for (size_t i = 0; i < n && kept; i++) {
		size_t len = (size_t)vfki_min_u64(pieces[i].iov_len, kept);

		to[used++] = (struct iovec){ .iov_base = pieces[i].iov_base, .iov_len = len };
		kept -= (uint32_t)len;
	}
	return used;
}

void vfki_pcapng_message(struct vfki_pcapng *p, bool request, const struct iovec *pieces, size_t n,
			 size_t nfds)
{
	struct iovec iov[VFKI_PCAPNG_PIECES + 2];
	struct draft head, end;
	uint32_t kept, block;
	size_t len = 0;
	int used;

	if (p->fd < 0 || n > VFKI_PCAPNG_PIECES)
		return;
	for (size_t i = 0; i < n; i++)
		len += pieces[i].iov_len;
	kept = (uint32_t)vfki_min_u64(len, VFKI_PCAPNG_SNAPLEN);
	put_packet_head(&head, kept, (uint32_t)vfki_min_u64(len, UINT32_MAX - sizeof(tags)));
	put_packet_end(&end, request, kept, nfds);
	block = (uint32_t)(head.used + kept + end.used + sizeof(block));
	memcpy(head.bytes + sizeof(uint32_t), &block, sizeof(block));
	put_u32(&end, block);
	iov[0] = (struct iovec){ .iov_base = head.bytes, .iov_len = head.used };
	used = 1 + cut_pieces(iov + 1, pieces, n, kept);
	iov[used++] = (struct iovec){ .iov_base = end.bytes, .iov_len = end.used };
	if (vfki_output_write(p->fd, iov, used, VFKI_OUTPUT_MS))
		vfki_pcapng_close(p);
}
