/* SPDX-License-Identifier: BSD-3-Clause */
/* test_region.c - regions over the wire: info, reads, writes, descriptors; and commands that nobody knows. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	uint8_t data[4096];
};

struct info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
	uint8_t rest[4096];
};

struct fixture {
	struct probe *probe;
	struct rig rig;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_open(&f.rig, f.probe->dev, NULL);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rig_drop_fds(&f->rig);
	rig_close(&f->rig);
	probe_close(f->probe);
	return 0;
}

static int read_region(struct fixture *f, uint32_t region, uint64_t off, uint32_t count)
{
	struct access a = { .offset = off, .region = region, .count = count };

	return rig_ask(&f->rig, CMD_REGION_READ, &a, 16);
}

static int write_region(struct fixture *f, uint32_t region, uint64_t off, const void *data,
			uint32_t count)
{
	struct access a = { .offset = off, .region = region, .count = count };

	memcpy(a.data, data, count);
	return rig_ask(&f->rig, CMD_REGION_WRITE, &a, 16 + count);
}

static void read_and_write(void **state)
{
	struct fixture *f = *state;
	struct access a;

	assert_int_equal(write_region(f, 0, 8, "\x11\x22\x33\x44", 4), 0);
	assert_int_equal(f->rig.msg.len, 16);
	memcpy(&a, f->rig.msg.payload, 16);
	assert_int_equal(a.offset, 8);
	assert_int_equal(a.region, 0);
	assert_int_equal(a.count, 4);
	assert_memory_equal(f->probe->memory + 8, "\x11\x22\x33\x44", 4);
	assert_int_equal(read_region(f, 0, 9, 2), 0);
	assert_int_equal(f->rig.msg.len, 18);
	memcpy(&a, f->rig.msg.payload, 18);
	assert_int_equal(a.offset, 9);
	assert_int_equal(a.count, 2);
	assert_memory_equal(a.data, "\x22\x33", 2);
	assert_int_equal(f->probe->accesses, 2);
}

static void large(void **state)
{
	struct fixture *f = *state;
	uint8_t data[4096];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(write_region(f, 0, 0, data, sizeof(data)), 0);
	assert_int_equal(read_region(f, 0, 0, sizeof(data)), 0);
	assert_memory_equal(f->rig.msg.payload + 16, data, sizeof(data));
	assert_int_equal(f->probe->accesses, 2);
}

static void short_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct access a;

	assert_int_equal(read_region(f, 1, 60, 8), 0);
	memcpy(&a, f->rig.msg.payload, 16);
	assert_int_equal(a.count, 4);
	assert_int_equal(f->rig.msg.len, 20);
}

static void outside(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_region(f, 3, 0, 4), EINVAL);
	assert_int_equal(read_region(f, UINT32_MAX, 0, 4), EINVAL);
	assert_int_equal(read_region(f, 0, PROBE_SIZE, 4), EINVAL);
	assert_int_equal(read_region(f, 0, UINT64_MAX - 1, 4), EINVAL);
	assert_int_equal(read_region(f, 0, 0, 0), EINVAL);
	assert_int_equal(write_region(f, 0, PROBE_SIZE, "abcd", 4), EINVAL);
	assert_int_equal(write_region(f, 7, 0, "abcd", 4), EINVAL);
	assert_int_equal(write_region(f, 1, 0, "abcd", 4), EACCES);
	assert_int_equal(f->probe->accesses, 0);
	assert_int_equal(read_region(f, 0, 0, 4), 0);
}

static void more_than_the_limit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_region(f, 0, 0, (1u << 20) + 1), EINVAL);
	assert_int_equal(read_region(f, 0, 0, UINT32_MAX), EINVAL);
	assert_int_equal(read_region(f, 0, 0, 1u << 20), 0);
	assert_int_equal(f->rig.msg.len, 16 + PROBE_SIZE);
}

static void data_is_not_count(void **state)
{
	struct fixture *f = *state;
	struct access a = { .count = 8 };

	rig_command(&f->rig, CMD_REGION_WRITE, 0, &a, 16 + 4, NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->accesses, 0);
	assert_int_equal(f->rig.disconnected, 1);
}

static void posted_writes(void **state)
{
	struct fixture *f = *state;
	struct access a = { .offset = 16, .count = 4, .data = "wxyz" };
	struct access bad = { .offset = PROBE_SIZE, .count = 4 };

	rig_command(&f->rig, CMD_REGION_WRITE, FLAG_NO_REPLY, &a, 20, NULL, 0);
	rig_command(&f->rig, CMD_REGION_WRITE, FLAG_NO_REPLY, &bad, 20, NULL, 0);
	assert_int_equal(read_region(f, 0, 16, 4), 0);
	assert_memory_equal(f->rig.msg.payload + 16, "wxyz", 4);
	assert_int_equal(f->probe->posted, 1);
	assert_true(rig_silent(&f->rig));
}

/* What is answered from here is not answered before what was posted is done. */
static void answers_wait_for_posted_writes(void **state)
{
	struct fixture *f = *state;
	struct access a = { .offset = 16, .count = 4, .data = "wxyz" };
	const uint32_t ask[4] = { sizeof(ask) };

	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, ask, sizeof(ask)), 0);
	assert_int_equal(f->probe->flushes, 0);
	rig_command(&f->rig, CMD_REGION_WRITE, FLAG_NO_REPLY, &a, 20, NULL, 0);
	assert_int_equal(read_region(f, 0, 16, 4), 0);
	assert_int_equal(write_region(f, 0, 16, "abcd", 4), 0);
	assert_int_equal(f->probe->flushes, 0);
	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, ask, sizeof(ask)), 0);
	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, ask, sizeof(ask)), 0);
	assert_int_equal(f->probe->flushes, 1);
	f->probe->flush_result = -ECONNRESET;
	rig_command(&f->rig, CMD_REGION_WRITE, FLAG_NO_REPLY, &a, 20, NULL, 0);
	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, ask, sizeof(ask)), ECONNRESET);
	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, ask, sizeof(ask)), 0);
	assert_int_equal(f->probe->flushes, 2);
}

/* Many at once (a socket buffer holds some 270 messages), answered in order, none lost. */
static void pipelined(void **state)
{
	struct fixture *f = *state;
	struct access a = { .region = 0, .count = 4 };
	uint16_t first = f->rig.next_id;

	for (int i = 0; i < 150; i++) {
		a.offset = (uint64_t)i * 4;
		rig_command(&f->rig, CMD_REGION_READ, 0, &a, 16, NULL, 0);
	}
	for (int i = 0; i < 150; i++) {
		rig_receive(&f->rig);
		assert_int_equal(f->rig.msg.head.id, (uint16_t)(first + i));
		memcpy(&a, f->rig.msg.payload, 16);
		assert_int_equal(a.offset, i * 4);
	}
}

struct multi {
	uint64_t count;
	struct {
		uint64_t offset;
		uint32_t region, count;
		uint8_t data[8];
	} w[3];
};

static void write_multi(void **state)
{
	struct fixture *f = *state;
	struct multi m = { 3, { { 0, 0, 1, "a" }, { 100, 0, 8, "bcdefgh" }, { 200, 0, 2, "ij" } } };
	uint64_t done;

	assert_int_equal(rig_ask(&f->rig, CMD_WRITE_MULTI, &m, sizeof(m)), 0);
	assert_int_equal(f->rig.msg.len, 8);
	memcpy(&done, f->rig.msg.payload, 8);
	assert_int_equal(done, 3);
	assert_int_equal(f->probe->memory[0], 'a');
	assert_memory_equal(f->probe->memory + 100, "bcdefgh", 8);
	assert_memory_equal(f->probe->memory + 200, "ij", 2);
	m.w[1].region = 1;
	m.w[1].offset = 0;
	assert_int_equal(rig_ask(&f->rig, CMD_WRITE_MULTI, &m, sizeof(m)), EACCES);
	m.w[1].region = 9;
	assert_int_equal(rig_ask(&f->rig, CMD_WRITE_MULTI, &m, sizeof(m)), EINVAL);
	m.w[1].region = 0;
	m.w[1].count = 9;
	assert_int_equal(rig_ask(&f->rig, CMD_WRITE_MULTI, &m, sizeof(m)), EINVAL);
}

static void write_multi_lies(void **state)
{
	struct fixture *f = *state;
	struct multi m = { 4, { { 0, 0, 1, "a" } } };

	rig_command(&f->rig, CMD_WRITE_MULTI, 0, &m, sizeof(m), NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->accesses, 0);
}

static int region_info(struct fixture *f, uint32_t index, uint32_t argsz, struct info *out)
{
	struct info in = { .argsz = argsz, .index = index };
	int ret = rig_ask(&f->rig, CMD_REGION_INFO, &in, 32);

	memset(out, 0, sizeof(*out));
	memcpy(out, f->rig.msg.payload, f->rig.msg.len);
	return ret;
}

static void info(void **state)
{
	struct fixture *f = *state;
	struct info i;

	assert_int_equal(region_info(f, 0, 32, &i), 0);
	assert_int_equal(i.argsz, 32);
	assert_int_equal(i.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	assert_int_equal(i.index, 0);
	assert_int_equal(i.size, PROBE_SIZE);
	assert_int_equal(f->rig.msg.nfds, 0);
	assert_int_equal(region_info(f, 1, 4096, &i), 0);
	assert_int_equal(i.flags, VFIO_REGION_INFO_FLAG_READ);
	assert_int_equal(region_info(f, 2, 32, &i), 0);
	assert_int_equal(i.size, 0);
	assert_int_equal(region_info(f, 3, 32, &i), EINVAL);
	assert_int_equal(region_info(f, 0, 31, &i), EINVAL);
}

static void info_with_file(void **state)
{
	struct fixture *f = *state;
	struct stat a, b;
	struct info i;

	f->probe->files = PROBE_FILE;
	assert_int_equal(region_info(f, 0, 4096, &i), 0);
	assert_true(i.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_true(i.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_true(i.cap_offset >= 32);
	assert_int_equal(i.argsz, f->rig.msg.len);
	assert_int_equal(f->rig.msg.nfds, 1);
	assert_int_equal(fstat(f->rig.msg.fds[0], &a), 0);
	assert_int_equal(fstat(f->probe->memfd, &b), 0);
	assert_true(a.st_ino == b.st_ino);
}

/* As in the kernel: what does not fit is left out, and argsz says what is needed. */
static void info_with_little_room(void **state)
{
	struct fixture *f = *state;
	struct info i;

	f->probe->files = PROBE_FILE;
	assert_int_equal(region_info(f, 0, 32, &i), 0);
	assert_true(i.argsz > 32);
	assert_int_equal(f->rig.msg.len, 32);
	assert_int_equal(f->rig.msg.nfds, 0);
}

static void whole_device_stays_here(void **state)
{
	struct fixture *f = *state;
	struct info i;

	f->probe->files = PROBE_WHOLE_DEVICE;
	assert_int_equal(region_info(f, 0, 4096, &i), 0);
	assert_false(i.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(f->rig.msg.nfds, 0);
	for (uint32_t at = i.cap_offset; at;) {
		struct vfio_info_cap_header cap;

		memcpy(&cap, f->rig.msg.payload + at, sizeof(cap));
		assert_int_not_equal(cap.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
		at = cap.next;
	}
}

/* The descriptor is what is asked for then; the offset in it is the device's. */
static void whole_device_when_told(void **state)
{
	struct vfk_server_opts opts = { .size = sizeof(opts), .flags = VFK_SERVER_SHARE_BARS };
	struct fixture *f = *state;
	struct info i;

	rig_close(&f->rig);
	rig_open(&f->rig, f->probe->dev, &opts);
	f->probe->files = PROBE_WHOLE_DEVICE;
	assert_int_equal(region_info(f, 0, 4096, &i), 0);
	assert_true(i.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(f->rig.msg.nfds, 1);
	rig_drop_fds(&f->rig);
}

static void no_leak_of_files(void **state)
{
	struct fixture *f = *state;
	struct info i;
	size_t before;

	f->probe->files = PROBE_FILE;
	assert_int_equal(region_info(f, 0, 32, &i), 0);
	before = rig_count_fds();
	for (int n = 0; n < 20; n++) {
		assert_int_equal(region_info(f, 0, n & 1 ? 32 : 4096, &i), 0);
		rig_drop_fds(&f->rig);
	}
	assert_int_equal(rig_count_fds(), before);
}

static void io_fds(void **state)
{
	struct fixture *f = *state;
	uint32_t in[4] = { 16, 0, 0, 0 }, out[4];

	assert_int_equal(rig_ask(&f->rig, CMD_REGION_IO_FDS, in, sizeof(in)), 0);
	assert_int_equal(f->rig.msg.len, 16);
	memcpy(out, f->rig.msg.payload, 16);
	assert_int_equal(out[0], 16);
	assert_int_equal(out[3], 0);
	in[2] = 3;
	assert_int_equal(rig_ask(&f->rig, CMD_REGION_IO_FDS, in, sizeof(in)), EINVAL);
	in[2] = 0;
	in[0] = 15;
	assert_int_equal(rig_ask(&f->rig, CMD_REGION_IO_FDS, in, sizeof(in)), EINVAL);
}

static void device_info(void **state)
{
	struct fixture *f = *state;
	uint32_t in[4] = { 16, 0, 0, 0 }, out[4];

	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, in, sizeof(in)), 0);
	assert_int_equal(f->rig.msg.len, 16);
	memcpy(out, f->rig.msg.payload, 16);
	assert_int_equal(out[0], 16);
	assert_int_equal(out[1], VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
	assert_int_equal(out[2], 3);
	assert_int_equal(out[3], 3);
	in[0] = 15;
	assert_int_equal(rig_ask(&f->rig, CMD_GET_INFO, in, sizeof(in)), EINVAL);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	assert_int_equal(f->rig.msg.len, 0);
	assert_int_equal(f->probe->resets, 1);
}

static void reset_with_payload(void **state)
{
	struct fixture *f = *state;

	rig_command(&f->rig, CMD_RESET, 0, "x", 1, NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->resets, 0);
}

static void unknown_commands(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_ask(&f->rig, 0, NULL, 0), ENOTSUP);
	assert_int_equal(rig_ask(&f->rig, CMD_DIRTY_PAGES, "12345678", 8), ENOTSUP);
	assert_int_equal(rig_ask(&f->rig, 20, NULL, 0), ENOTSUP);
	assert_int_equal(rig_ask(&f->rig, 65535, "some bytes", 10), ENOTSUP);
	assert_int_equal(rig_ask(&f->rig, CMD_DMA_READ, "0123456789abcdef", 16), EINVAL);
	assert_int_equal(rig_ask(&f->rig, CMD_DMA_WRITE, "0123456789abcdef", 16), EINVAL);
	rig_command(&f->rig, 20, FLAG_NO_REPLY, NULL, 0, NULL, 0);
	rig_command(&f->rig, CMD_DMA_READ, FLAG_NO_REPLY, "0123456789abcdef", 16, NULL, 0);
	assert_true(rig_silent(&f->rig));
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
}

/* Descriptors beside a command that takes none. */
static void unwanted_descriptors(void **state)
{
	struct fixture *f = *state;
	size_t before = rig_count_fds();
	int fds[2] = { f->probe->memfd, f->probe->memfd };

	rig_command(&f->rig, CMD_RESET, 0, NULL, 0, fds, 2);
	assert_true(rig_closed(&f->rig));
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.disconnected, 1);
	/* The server's end, and its wake descriptor, went too. */
	assert_true(rig_count_fds() <= before);
}

static void bad_headers(void **state)
{
	static const struct head bad[] = {
		{ .command = CMD_RESET, .size = 15 },
		{ .command = CMD_RESET, .size = 0 },
		{ .command = CMD_RESET, .size = UINT32_MAX },
		{ .command = CMD_RESET, .size = 16, .flags = 2 },
		{ .command = CMD_RESET, .size = 16, .flags = 64 },
		{ .command = CMD_RESET, .size = 16, .flags = FLAG_ERROR },
		{ .command = CMD_RESET, .size = 16, .flags = FLAG_REPLY },
		{ .command = CMD_DMA_READ, .size = 16, .flags = FLAG_REPLY },
		{ .command = CMD_REGION_READ, .size = 16 + (2u << 20) },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_send(f->rig.fd, &bad[i], sizeof(bad[i]), NULL, 0);
		assert_true(rig_closed(&f->rig));
		assert_int_equal(f->rig.disconnected, 1);
		rig_close(&f->rig);
		rig_open(&f->rig, f->probe->dev, NULL);
	}
	assert_int_equal(f->probe->resets, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(read_and_write),
		CASE(large),
		CASE(short_at_the_end),
		CASE(outside),
		CASE(more_than_the_limit),
		CASE(data_is_not_count),
		CASE(posted_writes),
		CASE(answers_wait_for_posted_writes),
		CASE(pipelined),
		CASE(write_multi),
		CASE(write_multi_lies),
		CASE(info),
		CASE(info_with_file),
		CASE(info_with_little_room),
		CASE(whole_device_stays_here),
		CASE(whole_device_when_told),
		CASE(no_leak_of_files),
		CASE(io_fds),
		CASE(device_info),
		CASE(reset_with_payload),
		CASE(unknown_commands),
		CASE(unwanted_descriptors),
		CASE(bad_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
