/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wirecat.c - the library's encoders and decoders on a line, for whoever wants to compare them with
 * his own.
 *
 * Reads lines "enc WHAT key=value..." and "dec WHAT hex=BYTES key=value...", answers each with one
 * line: the bytes in hexadecimal, or "RESULT key=value...". Numbers are decimal, byte strings
 * hexadecimal.
 */
#include "lib/base/error.h"
#include "lib/wire/device_info.h"
#include "lib/wire/dma_access.h"
#include "lib/wire/dma_map.h"
#include "lib/wire/feature.h"
#include "lib/wire/header.h"
#include "lib/wire/irq.h"
#include "lib/wire/migration.h"
#include "lib/wire/region_access.h"
#include "lib/wire/region_info.h"
#include "lib/wire/region_io_fds.h"
#include "lib/wire/version.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 8192
#define XFER 4096

static char line[4 * ROOM];
static uint8_t out[ROOM] __attribute__((aligned(8)));
static uint8_t in[ROOM] __attribute__((aligned(8)));
static size_t in_len;

/* The text behind "key=" on the line, or NULL. */
static const char *find(const char *key)
{
	size_t n = strlen(key);

	for (const char *p = strchr(line, ' '); p; p = strchr(p, ' ')) {
		p++;
		if (!strncmp(p, key, n) && p[n] == '=')
			return p + n + 1;
	}
	return NULL;
}

static uint64_t num(const char *key)
{
	const char *p = find(key);

	return p ? strtoull(p, NULL, 0) : 0;
}

static uint32_t num32(const char *key)
{
	return (uint32_t)num(key);
}

static size_t blob(const char *key, uint8_t *bytes)
{
	const char *p = find(key);
	size_t n = 0;
	unsigned int byte;

	for (; p && n < ROOM && sscanf(p, "%2x", &byte) == 1 && p[0] != ' '; p += 2)
		bytes[n++] = (uint8_t)byte;
	return n;
}

static void hex(const char *key, const void *bytes, size_t n)
{
	printf(" %s=", key);
	for (size_t i = 0; i < n; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
}

static void show(const char *key, uint64_t value)
{
	printf(" %s=%llu", key, (unsigned long long)value);
}

/* ---- encoding: the number of bytes in out, or -errno ---- */

static int append(size_t len, const char *key)
{
	return (int)(len + blob(key, out + len));
}

static int enc_command(void)
{
	return (int)vfki_enc_command(out, (uint16_t)num("id"), (uint16_t)num("command"),
				     num32("flags"), num("payload"));
}

static int enc_error(void)
{
	return (int)vfki_enc_error(out, (uint16_t)num("id"), (uint16_t)num("command"),
				   -(int)num("errno"));
}

static int enc_version(void)
{
	struct vfki_wire_hello hello = { .major = (uint16_t)num("major"),
					 .minor = (uint16_t)num("minor") };

	vfki_wire_caps_own(&hello.caps, num("xfer"), num("twin"));
	return vfki_enc_version(out, sizeof(out), &hello);
}

static int enc_device_info_request(void)
{
	return (int)vfki_enc_device_info_request(out, num32("argsz"));
}

static int enc_device_info_reply(void)
{
	struct vfio_device_info info = {
		.argsz = 16,
		.flags = num32("flags"),
		.num_regions = num32("num_regions"),
		.num_irqs = num32("num_irqs"),
	};

	return (int)vfki_enc_device_info_reply(out, sizeof(out), &info, num32("argsz"));
}

static int enc_region_info_request(void)
{
	return (int)vfki_enc_region_info_request(out, num32("index"), num32("argsz"));
}

static int enc_region_info_reply(void)
{
	struct vfk_region_fds fds = { .size = sizeof(fds),
				      .count = num32("fds"),
				      .flags = num32("fd_flags") };
	int send[VFK_REGION_MAX_FDS];
	size_t nfds;

	for (uint32_t i = 0; i < VFK_REGION_MAX_FDS; i++) {
		fds.fd[i] = (int)i + 100;
		fds.offset[i] = i * 0x100000ull;
	}
	blob("info", in);
	return vfki_enc_region_info_reply(out, sizeof(out), (void *)in, &fds, num32("argsz"), 16,
					  num("sparse_fds"), send, &nfds);
}

static int enc_region_io_fds_request(void)
{
	return (int)vfki_enc_region_io_fds_request(out, num32("index"), num32("argsz"));
}

static int enc_region_io_fds_reply(void)
{
	static struct vfki_wire_sub_region subs[ROOM / sizeof(struct vfki_wire_sub_region)];

	blob("subs", (uint8_t *)subs);
	return vfki_enc_region_io_fds_reply(out, sizeof(out), num32("index"), subs, num32("count"),
					    num32("entry_size"), num32("argsz"));
}

static int enc_irq_info_request(void)
{
	return (int)vfki_enc_irq_info_request(out, num32("index"));
}

static int enc_irq_info_reply(void)
{
	struct vfio_irq_info info = { .flags = num32("flags"),
				      .index = num32("index"),
				      .count = num32("count") };

	return (int)vfki_enc_irq_info_reply(out, &info);
}

static int enc_set_irqs_request(void)
{
	struct vfio_irq_set *set = (void *)in;
	struct vfki_wire_irq_part part;
	size_t len;
	int r;

	*set = (struct vfio_irq_set){
		.flags = num32("flags"),
		.index = num32("index"),
		.start = num32("start"),
		.count = num32("count"),
	};
	set->argsz = (uint32_t)(sizeof(*set) + blob("data", set->data));
	r = vfki_wire_irq_next(set, 0, 16, &part);
	if (r < 0)
		return r;
	len = vfki_enc_set_irqs_request(out, &part);
	if (part.bools)
		memcpy(out + len, part.bools, part.set.count);
	return (int)(len + (part.bools ? part.set.count : 0));
}

static int enc_set_irqs_reply(void)
{
	return (int)vfki_enc_set_irqs_reply(out, num32("granted"));
}

static int enc_region_access(void)
{
	return append(vfki_enc_region_access(out, num("offset"), num32("region"), num32("count")),
		      "data");
}

static int enc_write_multi_request(void)
{
	return append(vfki_enc_write_multi_request(out, num("count")), "writes");
}

static int enc_write_multi_reply(void)
{
	return (int)vfki_enc_write_multi_reply(out, num("count"));
}

static int enc_dma_map_request(void)
{
	return (int)vfki_enc_dma_map_request(out, num32("flags"), num("offset"), num("addr"),
					     num("size"));
}

static struct vfki_wire_unmap unmap_of_line(void)
{
	return (struct vfki_wire_unmap){
		.addr = num("addr"),
		.size = num("size"),
		.all = num("all"),
		.bitmap = num("bitmap"),
		.pgsize = num("pgsize"),
		.bitmap_size = num("bitmap_size"),
	};
}

static int enc_dma_unmap_request(void)
{
	struct vfki_wire_unmap unmap = unmap_of_line();

	return (int)vfki_enc_dma_unmap_request(out, &unmap);
}

static int enc_dma_unmap_reply(void)
{
	struct vfki_wire_unmap unmap = unmap_of_line();

	return append(vfki_enc_dma_unmap_reply(out, &unmap), "data");
}

static int enc_dma_access(void)
{
	return append(vfki_enc_dma_access(out, num("addr"), num("count")), "data");
}

static int enc_dma_write_request(void)
{
	size_t pad, len = vfki_enc_dma_write_request(out, (enum vfki_wire_dma_form)num("form"),
						     num("addr"), num("count"), &pad);

	len = (size_t)append(len, "data");
	memset(out + len, 0, pad);
	return (int)(len + pad);
}

/* A feature in the kernel's form: "data" is its structure, "tail" what its pointer points to. */
static struct vfio_device_feature *feature_of_line(struct vfki_feature_buf *f, uint8_t *tail)
{
	const struct vfki_feature *feature =
		vfki_feature_find(num32("flags") & VFIO_DEVICE_FEATURE_MASK);
	uint64_t pointer = (uintptr_t)tail;

	memset(f, 0, sizeof(*f));
	f->head.flags = num32("flags");
	f->head.argsz = sizeof(*f);
	blob("data", in);
	memcpy(f->data, in, sizeof(f->data));
	blob("tail", tail);
	if (feature && (feature->tail == VFKI_TAIL_RANGES || feature->tail == VFKI_TAIL_BITMAP))
		memcpy(f->data + feature->inline_size, &pointer, sizeof(pointer));
	return &f->head;
}

static int put_tail(int len, const struct vfki_wire_feature_tail *tail)
{
	if (tail->len)
		memcpy(out + len, tail->data, tail->len);
	return len + (int)tail->len;
}

static int enc_feature_request(void)
{
	static uint8_t memory[ROOM] __attribute__((aligned(8)));
	struct vfki_wire_feature_tail tail;
	struct vfki_feature_buf f;
	size_t reply_max;
	int r = vfki_enc_feature_request(out, feature_of_line(&f, memory), XFER, &tail, &reply_max);

	return r < 0 ? r : put_tail(r, &tail);
}

/* What a server answers to the request in "request" when its io leaves "data" and "tail". */
static int enc_feature_reply(void)
{
	static uint8_t memory[ROOM] __attribute__((aligned(8))),
		request[ROOM] __attribute__((aligned(8)));
	struct vfki_wire_feature_request req;
	struct vfki_wire_feature_tail tail;
	const int fds[1] = { 50 };
	int r = vfki_dec_feature_request(request, blob("request", request), fds, num("nfds"), XFER,
					 &req);

	if (r)
		return r;
	if (find("data") && blob("data", in))
		memcpy(req.kernel.data, in, req.feature->inline_size);
	if (req.bitmap_size) {
		blob("tail", memory);
		vfki_wire_feature_set_bitmap(&req, (uint64_t *)(void *)memory);
	}
	return put_tail((int)vfki_enc_feature_reply(out, &req, &tail), &tail);
}

static int enc_mig_read_request(void)
{
	return (int)vfki_enc_mig_read_request(out, num32("size"));
}

static int enc_mig_read_reply(void)
{
	return append(vfki_enc_mig_read_reply(out, num32("size")), "data");
}

static int enc_mig_write_request(void)
{
	return append(vfki_enc_mig_write_request(out, num32("size")), "data");
}

static int enc_mig_write_reply(void)
{
	return (int)vfki_enc_mig_write_reply(out, num32("size"));
}

static int enc_precopy_info_request(void)
{
	return (int)vfki_enc_precopy_info_request(out);
}

static int enc_precopy_info_reply(void)
{
	struct vfk_precopy_info info = {
		.flags = num32("flags"),
		.initial_bytes = num("initial_bytes"),
		.dirty_bytes = num("dirty_bytes"),
	};

	return (int)vfki_enc_precopy_info_reply(out, &info);
}

/* ---- decoding: prints the result and the fields ---- */

static void result(int r)
{
	printf("%d", r);
}

static void dec_header(void)
{
	struct vfki_wire_header h;
	int r = vfki_dec_header(in, num32("max"), &h);

	result(r);
	if (r)
		return;
	show("id", h.id);
	show("command", h.command);
	show("size", h.size);
	show("flags", h.flags);
	show("error", h.error);
}

static void dec_version(void)
{
	struct vfki_wire_hello h;
	int r = vfki_dec_version(in, in_len, &h);

	result(r);
	if (r)
		return;
	show("major", h.major);
	show("minor", h.minor);
	show("max_msg_fds", h.caps.max_msg_fds);
	show("max_data_xfer_size", h.caps.max_data_xfer_size);
	show("max_dma_maps", h.caps.max_dma_maps);
	show("pgsizes", h.caps.pgsizes);
	show("twin", h.caps.twin_socket);
	show("write_multiple", h.caps.write_multiple);
	show("migration_pgsize", h.caps.migration_pgsize);
	show("migration_max_bitmap", h.caps.migration_max_bitmap);
	show("irq_count", h.caps.irq_count);
	show("sparse_fds", h.caps.sparse_fds);
}

static void dec_device_info_request(void)
{
	uint32_t argsz = 0;

	result(vfki_dec_device_info_request(in, in_len, &argsz));
	show("argsz", argsz);
}

static void dec_device_info_reply(void)
{
	struct vfio_device_info info = { .argsz = 0 };

	result(vfki_dec_device_info_reply(in, in_len, &info, sizeof(info)));
	show("flags", info.flags);
	show("num_regions", info.num_regions);
	show("num_irqs", info.num_irqs);
}

static void dec_region_info_request(void)
{
	uint32_t index = 0, argsz = 0;

	result(vfki_dec_region_info_request(in, in_len, num32("num_regions"), &index, &argsz));
	show("index", index);
	show("argsz", argsz);
}

static void dec_region_info_reply(void)
{
	struct vfki_wire_region_maps maps = { .count = 0 };
	struct vfio_region_info *info = (void *)out;
	int r;

	memset(out, 0, sizeof(*info));
	r = vfki_dec_region_info_reply(in, in_len, num32("index"), num("nfds"), info, sizeof(out),
				       &maps);
	result(r);
	if (r)
		return;
	hex("info", info,
	    info->argsz <= sizeof(out) && info->argsz <= in_len ? info->argsz : sizeof(*info));
	show("maps", maps.count);
	show("per_area", maps.per_area);
	for (uint32_t i = 0; i < maps.count; i++) {
		show("fd", maps.index[i]);
		show("at", maps.offset[i]);
	}
}

static void dec_region_io_fds_reply(void)
{
	struct vfki_wire_sub_region subs[8];
	uint32_t count = 0, argsz = 0;

	result(vfki_dec_region_io_fds_reply(in, in_len, num32("index"), num("region_size"),
					    num("nfds"), subs, 8, &count, &argsz));
	show("argsz", argsz);
	hex("subs", subs, count * sizeof(subs[0]));
}

static void dec_irq_info_reply(void)
{
	struct vfio_irq_info info = { .argsz = 0 };

	result(vfki_dec_irq_info_reply(in, in_len, num32("index"), &info));
	show("flags", info.flags);
	show("index", info.index);
	show("count", info.count);
}

static void dec_set_irqs_request(void)
{
	static const uint32_t counts[] = { 1, 32, 2048, 1, 1 };
	static const int fds[64] = { 100, 101, 102, 103, 104, 105, 106, 107 };
	struct vfki_wire_irq_request req;
	int r = vfki_dec_set_irqs_request(in, in_len, num("nfds"), counts, 5, &req);

	result(r);
	if (r)
		return;
	vfki_wire_irq_to_kernel(&req, fds, (void *)out);
	hex("kernel", out, vfki_wire_irq_kernel_size(&req));
}

static void dec_set_irqs_reply(void)
{
	result(vfki_dec_set_irqs_reply(in, in_len, num("irq_count"), num32("count")));
}

static void dec_region_access(int (*dec)(const void *, size_t, uint64_t,
					 struct vfki_wire_region_access *))
{
	struct vfki_wire_region_access a = { .offset = 0 };

	result(dec(in, in_len, XFER, &a));
	show("offset", a.offset);
	show("region", a.region);
	show("count", a.count);
}

static void dec_region_read_request(void)
{
	dec_region_access(vfki_dec_region_read_request);
}

static void dec_region_write_request(void)
{
	dec_region_access(vfki_dec_region_write_request);
}

static struct vfki_wire_region_access asked_region(void)
{
	return (struct vfki_wire_region_access){ num("offset"), num32("region"), num32("count") };
}

static void dec_region_read_reply(void)
{
	struct vfki_wire_region_access asked = asked_region();

	result(vfki_dec_region_read_reply(in, in_len, &asked));
}

static void dec_region_write_reply(void)
{
	struct vfki_wire_region_access asked = asked_region();

	result(vfki_dec_region_write_reply(in, in_len, &asked));
}

static void dec_write_multi_request(void)
{
	const void *writes = NULL;
	uint32_t count = 0;

	result(vfki_dec_write_multi_request(in, in_len, &writes, &count));
	hex("writes", writes, count * sizeof(struct vfk_region_write));
}

static void dec_dma_map_request(void)
{
	struct vfki_wire_dma_map m = { .argsz = 0 };

	result(vfki_dec_dma_map_request(in, in_len, num("nfds"), &m));
	show("flags", m.flags);
	show("offset", m.offset);
	show("addr", m.addr);
	show("size", m.size);
}

static void dec_dma_unmap_request(void)
{
	struct vfki_wire_unmap u = { .addr = 0 };

	result(vfki_dec_dma_unmap_request(in, in_len, XFER, &u));
	show("addr", u.addr);
	show("size", u.size);
	show("all", u.all);
	show("bitmap", u.bitmap);
	show("pgsize", u.pgsize);
	show("bitmap_size", u.bitmap_size);
}

static void dec_dma_access(int (*dec)(const void *, size_t, uint64_t,
				      struct vfki_wire_dma_access *))
{
	struct vfki_wire_dma_access a = { .addr = 0 };

	result(dec(in, in_len, XFER, &a));
	show("addr", a.addr);
	show("count", a.count);
}

static void dec_dma_read_request(void)
{
	dec_dma_access(vfki_dec_dma_read_request);
}

static void dec_dma_write_request(void)
{
	dec_dma_access(vfki_dec_dma_write_request);
}

static void dec_dma_read_reply(void)
{
	struct vfki_wire_dma_access asked = { num("addr"), num("count") };
	enum vfki_wire_dma_form form = (enum vfki_wire_dma_form)num("form");
	const void *data = NULL;
	int r = vfki_dec_dma_read_reply(in, in_len, &asked, &form, &data);

	result(r);
	show("form", form);
	hex("data", data, r > 0 ? (size_t)r : 0);
}

static void dec_dma_write_reply(void)
{
	struct vfki_wire_dma_access asked = { num("addr"), num("count") };

	result(vfki_dec_dma_write_reply(in, in_len, &asked));
}

static void dec_feature_request(void)
{
	const int fds[1] = { 50 };
	struct vfki_wire_feature_request req;
	struct vfio_device_feature_dma_logging_control c;
	int r = vfki_dec_feature_request(in, in_len, fds, num("nfds"), XFER, &req);

	result(r);
	if (r)
		return;
	hex("data", req.kernel.data, vfki_feature_data_size(req.feature, req.flags));
	show("argsz", req.kernel.head.argsz);
	show("bitmap_size", req.bitmap_size);
	memcpy(&c, req.kernel.data, sizeof(c));
	if (req.feature->tail == VFKI_TAIL_RANGES && !(req.flags & VFIO_DEVICE_FEATURE_PROBE))
		hex("tail", (void *)(uintptr_t)c.ranges, 16ull * c.num_ranges);
}

static void dec_feature_reply(void)
{
	static uint8_t memory[ROOM] __attribute__((aligned(8))), reply[ROOM];
	struct vfki_feature_buf f;
	size_t len = in_len;

	memcpy(reply, in, len);
	feature_of_line(&f, memory);
	result(vfki_dec_feature_reply(reply, len, &f.head));
	hex("data", f.data, 8);
	hex("tail", memory, 16);
}

static void dec_mig(int (*dec)(const void *, size_t, uint64_t, uint32_t *))
{
	uint32_t size = 0;

	result(dec(in, in_len, XFER, &size));
	show("size", size);
}

static void dec_mig_read_request(void)
{
	dec_mig(vfki_dec_mig_read_request);
}

static void dec_mig_write_request(void)
{
	dec_mig(vfki_dec_mig_write_request);
}

static void dec_mig_read_reply(void)
{
	result(vfki_dec_mig_read_reply(in, in_len, num32("size")));
}

static void dec_mig_write_reply(void)
{
	result(vfki_dec_mig_write_reply(in, in_len, num32("size")));
}

static void dec_precopy_info_reply(void)
{
	struct vfk_precopy_info info = { .argsz = 0 };

	result(vfki_dec_precopy_info_reply(in, in_len, &info));
	show("flags", info.flags);
	show("initial_bytes", info.initial_bytes);
	show("dirty_bytes", info.dirty_bytes);
}

#define BOTH(f)                      \
	{                            \
#f, enc_##f, dec_##f \
	}
#define ENC(f)                    \
	{                         \
#f, enc_##f, NULL \
	}
#define DEC(f)                    \
	{                         \
#f, NULL, dec_##f \
	}

static const struct {
	const char *name;
	int (*enc)(void);
	void (*dec)(void);
} kinds[] = {
	ENC(command),
	ENC(error),
	DEC(header),
	BOTH(version),
	BOTH(device_info_request),
	BOTH(device_info_reply),
	BOTH(region_info_request),
	BOTH(region_info_reply),
	ENC(region_io_fds_request),
	BOTH(region_io_fds_reply),
	ENC(irq_info_request),
	BOTH(irq_info_reply),
	BOTH(set_irqs_request),
	BOTH(set_irqs_reply),
	ENC(region_access),
	DEC(region_read_request),
	DEC(region_write_request),
	DEC(region_read_reply),
	DEC(region_write_reply),
	BOTH(write_multi_request),
	ENC(write_multi_reply),
	BOTH(dma_map_request),
	BOTH(dma_unmap_request),
	ENC(dma_unmap_reply),
	ENC(dma_access),
	BOTH(dma_write_request),
	DEC(dma_read_request),
	DEC(dma_read_reply),
	DEC(dma_write_reply),
	BOTH(feature_request),
	BOTH(feature_reply),
	BOTH(mig_read_request),
	BOTH(mig_read_reply),
	BOTH(mig_write_request),
	BOTH(mig_write_reply),
	ENC(precopy_info_request),
	BOTH(precopy_info_reply),
};

static int answer(void)
{
	const char *name = line + 4;
	size_t n = strcspn(name, " ");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].name) != n || strncmp(kinds[i].name, name, n))
			continue;
		if (!strncmp(line, "enc ", 4) && kinds[i].enc) {
			int r = kinds[i].enc();

			printf("%d", r);
			hex("hex", out, r > 0 ? (size_t)r : 0);
			return 0;
		}
		if (!strncmp(line, "dec ", 4) && kinds[i].dec) {
			in_len = blob("hex", in);
			kinds[i].dec();
			return 0;
		}
	}
	return -1;
}

int main(void)
{
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) < 5 || answer()) {
			fprintf(stderr, "wirecat: cannot do: %s\n", line);
			return 2;
		}
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
