/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_message.c - DMA to memory that the client did not share: DMA_READ and DMA_WRITE, good answers and bad.
 *
 * The server waits for the answer inside a register access, so it has a thread of its own here.
 */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GUEST 0x40000

struct access {
	uint64_t addr, count;
};

struct fixture {
	struct probe *probe;
	struct rig rig;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_pair(&f.rig, f.probe->dev, NULL);
	rig_thread(&f.rig);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	probe_close(f->probe);
	return 0;
}

static void map_private(struct rig *rig, uint64_t addr, uint64_t size)
{
	uint32_t head[2] = { 32, 3 };
	uint64_t rest[3] = { 0, addr, size };
	uint8_t p[32];

	memcpy(p, head, 8);
	memcpy(p + 8, rest, 24);
	assert_int_equal(rig_ask(rig, CMD_DMA_MAP, p, sizeof(p)), 0);
}

static void begin(struct fixture *f, const char *json)
{
	uint64_t addr = GUEST;

	assert_int_equal(rig_version(&f->rig, 0, 2, json), 0);
	map_private(&f->rig, GUEST, 0x1000);
	memcpy(f->probe->memory + PROBE_DMA_ADDRESS, &addr, 8);
}

/* Writes a register without waiting for the answer; returns its id. */
static uint16_t kick(struct rig *rig, uint64_t off, uint64_t value, uint32_t width)
{
	uint8_t p[24] = { 0 };

	memcpy(p, &off, 8);
	memcpy(p + 12, &width, 4);
	memcpy(p + 16, &value, width);
	return rig_command(rig, CMD_REGION_WRITE, 0, p, 16 + width, NULL, 0);
}

/* Answers the last message with @len bytes. */
static void answer(struct rig *rig, const void *payload, size_t len)
{
	uint8_t bytes[sizeof(struct head) + 8192];
	struct head h = rig->msg.head;

	assert_true(len <= sizeof(bytes) - sizeof(h));
	h.flags = FLAG_REPLY;
	h.size = (uint32_t)(sizeof(h) + len);
	memcpy(bytes, &h, sizeof(h));
	if (len)
		memcpy(bytes + sizeof(h), payload, len);
	rig_send(rig->fd, bytes, sizeof(h) + len, NULL, 0);
}

static void answer_error(struct rig *rig, uint32_t err)
{
	struct head h = rig->msg.head;

	h.flags = FLAG_REPLY | FLAG_ERROR;
	h.error = err;
	h.size = sizeof(h);
	rig_send(rig->fd, &h, sizeof(h), NULL, 0);
}

/* The next message; a question for the width of our counts is refused, as by all whose counts have 64 bits. */
static void receive(struct rig *rig)
{
	struct access a;

	for (;;) {
		rig_receive(rig);
		if (rig->msg.head.command != CMD_DMA_READ || rig->msg.head.flags ||
		    rig->msg.len != sizeof(a))
			return;
		memcpy(&a, rig->msg.payload, sizeof(a));
		if (a.count < 1ull << 32)
			return;
		answer_error(rig, EINVAL);
	}
}

/* The server's request, of this command; returns its payload's first 16 bytes. */
static struct access expect(struct rig *rig, uint16_t command)
{
	struct access a;

	receive(rig);
	assert_int_equal(rig->msg.head.command, command);
	assert_int_equal(rig->msg.head.flags, 0);
	assert_true(rig->msg.len >= sizeof(a));
	memcpy(&a, rig->msg.payload, sizeof(a));
	return a;
}

static void answer_read(struct rig *rig, struct access a, const void *data)
{
	uint8_t p[16 + 4096];

	assert_true(a.count <= 4096);
	memcpy(p, &a, 16);
	memcpy(p + 16, data, a.count);
	answer(rig, p, 16 + a.count);
}

/* The answer to the register write; 0 or its errno. */
static int finish(struct rig *rig, uint16_t id)
{
	rig_receive(rig);
	assert_int_equal(rig->msg.head.id, id);
	assert_int_equal(rig->msg.head.command, CMD_REGION_WRITE);
	assert_true(rig->msg.head.flags & FLAG_REPLY);
	return (int)rig->msg.head.error;
}

static void reading(void **state)
{
	struct fixture *f = *state;
	struct access a;
	uint16_t id;

	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	a = expect(&f->rig, CMD_DMA_READ);
	assert_int_equal(f->rig.msg.len, 16);
	assert_int_equal(a.addr, GUEST);
	assert_int_equal(a.count, PROBE_DATA_SIZE);
	answer_read(&f->rig, a, "from the client!");
	assert_int_equal(finish(&f->rig, id), 0);
	assert_memory_equal(f->probe->memory + PROBE_DATA, "from the client!", 16);
}

static void writing(void **state)
{
	struct fixture *f = *state;
	struct access a;
	uint16_t id;

	begin(f, NULL);
	memcpy(f->probe->memory + PROBE_DATA, "from the device!", 16);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	a = expect(&f->rig, CMD_DMA_WRITE);
	assert_int_equal(f->rig.msg.len, 16 + PROBE_DATA_SIZE);
	assert_int_equal(a.addr, GUEST);
	assert_int_equal(a.count, PROBE_DATA_SIZE);
	assert_memory_equal(f->rig.msg.payload + 16, "from the device!", 16);
	answer(&f->rig, &a, sizeof(a));
	assert_int_equal(finish(&f->rig, id), 0);
}

/* 12 bytes in the older text, none from QEMU. */
static void short_forms_of_the_answer(void **state)
{
	struct fixture *f = *state;
	struct access a;
	uint16_t id;

	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	a = expect(&f->rig, CMD_DMA_WRITE);
	answer(&f->rig, &a, 12);
	assert_int_equal(finish(&f->rig, id), 0);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	expect(&f->rig, CMD_DMA_WRITE);
	answer(&f->rig, NULL, 0);
	assert_int_equal(finish(&f->rig, id), 0);
}

/* A client whose count is 32 bits wide gives itself away in a read, and is written to in its own form. */
static void narrow_count(void **state)
{
	struct fixture *f = *state;
	uint8_t p[32] = { 0 };
	uint32_t count = PROBE_DATA_SIZE;
	struct access a;
	uint16_t id;

	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	a = expect(&f->rig, CMD_DMA_READ);
	memcpy(p, &a.addr, 8);
	memcpy(p + 8, &count, 4);
	memcpy(p + 12, "data at twelve..", 16);
	answer(&f->rig, p, sizeof(p));
	assert_int_equal(finish(&f->rig, id), 0);
	assert_memory_equal(f->probe->memory + PROBE_DATA, "data at twelve..", 16);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	expect(&f->rig, CMD_DMA_WRITE);
	assert_int_equal(f->rig.msg.len, 32);
	assert_memory_equal(f->rig.msg.payload + 12, "data at twelve..", 16);
	answer(&f->rig, NULL, 0);
	assert_int_equal(finish(&f->rig, id), 0);
}

static void chunks(void **state)
{
	struct fixture *f = *state;
	struct access a;
	uint16_t id;

	begin(f, "{\"capabilities\":{\"max_data_xfer_size\":8}}");
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	for (uint64_t i = 0; i < 2; i++) {
		a = expect(&f->rig, CMD_DMA_READ);
		assert_int_equal(a.addr, GUEST + i * 8);
		assert_int_equal(a.count, 8);
		answer_read(&f->rig, a, i ? "89abcdef" : "01234567");
	}
	assert_int_equal(finish(&f->rig, id), 0);
	assert_memory_equal(f->probe->memory + PROBE_DATA, "0123456789abcdef", 16);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	for (uint64_t i = 0; i < 2; i++) {
		a = expect(&f->rig, CMD_DMA_WRITE);
		assert_int_equal(a.addr, GUEST + i * 8);
		assert_memory_equal(f->rig.msg.payload + 16, i ? "89abcdef" : "01234567", 8);
		answer(&f->rig, &a, sizeof(a));
	}
	assert_int_equal(finish(&f->rig, id), 0);
}

static void refused_by_the_client(void **state)
{
	struct fixture *f = *state;
	uint16_t id;

	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	expect(&f->rig, CMD_DMA_READ);
	answer_error(&f->rig, EFAULT);
	assert_int_equal(finish(&f->rig, id), EFAULT);
	id = kick(&f->rig, PROBE_START_WRITE, 1, 4);
	expect(&f->rig, CMD_DMA_WRITE);
	answer_error(&f->rig, EPERM);
	assert_int_equal(finish(&f->rig, id), EPERM);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
}

/* Commands that come while the server waits are done afterwards, in order, and not inside of the access. */
static void commands_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct access a;
	uint16_t id;

	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	a = expect(&f->rig, CMD_DMA_READ);
	for (int i = 0; i < 10; i++)
		rig_command(&f->rig, CMD_RESET, i & 1 ? FLAG_NO_REPLY : 0, NULL, 0, NULL, 0);
	usleep(20000);
	assert_int_equal(f->probe->resets, 0);
	f->rig.msg.head.command = CMD_DMA_READ;
	answer_read(&f->rig, a, "0123456789abcdef");
	assert_int_equal(finish(&f->rig, id), 0);
	for (uint16_t i = 0; i < 10; i += 2) {
		rig_receive(&f->rig);
		assert_int_equal(f->rig.msg.head.id, (uint16_t)(id + 1 + i));
		assert_int_equal(f->rig.msg.head.command, CMD_RESET);
	}
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	rig_join(&f->rig);
	assert_int_equal(f->probe->resets, 11);
}

static void bad_answer(struct fixture *f, uint64_t addr, uint64_t count, size_t data)
{
	uint8_t p[16 + 64] = { 0 };

	begin(f, NULL);
	kick(&f->rig, PROBE_START_READ, 1, 4);
	expect(&f->rig, CMD_DMA_READ);
	memcpy(p, &addr, 8);
	memcpy(p + 8, &count, 8);
	answer(&f->rig, p, 16 + data);
	/* The access fails, and then it is over; its answer may or may not come out. */
	while (!rig_closed(&f->rig))
		;
	rig_pump(&f->rig, 10);
	rig_join(&f->rig);
	assert_int_equal(f->rig.disconnected, 1);
	assert_int_equal(probe_maps(f->probe), 0);
}

static void answer_for_another_address(void **state)
{
	bad_answer(*state, GUEST + 16, PROBE_DATA_SIZE, PROBE_DATA_SIZE);
}

static void answer_too_long(void **state)
{
	bad_answer(*state, GUEST, PROBE_DATA_SIZE + 16, PROBE_DATA_SIZE + 16);
}

static void answer_lies(void **state)
{
	bad_answer(*state, GUEST, PROBE_DATA_SIZE, 4);
}

/* The server gives up, and its stream stays in step when the answer comes after all. */
static void late_answer(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .timeout_ms = 100 };
	struct access a;
	uint16_t id;

	rig_close(&f->rig);
	rig_pair(&f->rig, f->probe->dev, &opts);
	rig_thread(&f->rig);
	begin(f, NULL);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	a = expect(&f->rig, CMD_DMA_READ);
	usleep(150000);
	answer_read(&f->rig, a, "0123456789abcdef");
	assert_int_equal(finish(&f->rig, id), ETIMEDOUT);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	id = kick(&f->rig, PROBE_START_READ, 1, 4);
	a = expect(&f->rig, CMD_DMA_READ);
	answer_read(&f->rig, a, "fedcba9876543210");
	assert_int_equal(finish(&f->rig, id), 0);
	assert_memory_equal(f->probe->memory + PROBE_DATA, "fedcba9876543210", 16);
}

static void client_dies_meanwhile(void **state)
{
	struct fixture *f = *state;

	begin(f, NULL);
	kick(&f->rig, PROBE_START_READ, 1, 4);
	expect(&f->rig, CMD_DMA_READ);
	close(f->rig.fd);
	f->rig.fd = -1;
	for (int i = 0; i < 200 && !f->rig.disconnected; i++)
		usleep(10000);
	assert_int_equal(f->rig.disconnected, 1);
	rig_pump(&f->rig, 10);
	rig_join(&f->rig);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(f->rig.result, -ENOTCONN);
}

/* ---- the bundled model ---- */

#define EDU_SRC	    0x80
#define EDU_DST	    0x88
#define EDU_COUNT   0x90
#define EDU_COMMAND 0x98
#define EDU_BUFFER  0x40000
#define EDU_RUN	    1
#define EDU_TO_RAM  2

static void edu_put(struct rig *rig, uint64_t off, uint64_t value)
{
	assert_int_equal(finish(rig, kick(rig, off, value, 8)), 0);
}

/* Answers the server's requests from @ram, which is at GUEST, until the register write is answered. */
static void serve_ram(struct rig *rig, uint8_t *ram, uint16_t id)
{
	struct access a;

	for (;;) {
		rig_receive(rig);
		if (rig->msg.head.flags & FLAG_REPLY) {
			assert_int_equal(rig->msg.head.id, id);
			assert_int_equal(rig->msg.head.error, 0);
			return;
		}
		memcpy(&a, rig->msg.payload, sizeof(a));
		assert_in_range(a.addr, GUEST, GUEST + 4095);
		assert_true(a.count <= GUEST + 4096 - a.addr);
		if (rig->msg.head.command == CMD_DMA_READ) {
			answer_read(rig, a, ram + (a.addr - GUEST));
		} else {
			assert_int_equal(rig->msg.head.command, CMD_DMA_WRITE);
			memcpy(ram + (a.addr - GUEST), rig->msg.payload + 16, a.count);
			answer(rig, &a, sizeof(a));
		}
	}
}

static void edu_round_trip(void **state)
{
	struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	uint8_t ram[4096], master[18] = { 4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 6, 0 };
	struct vfk_device *dev;
	struct rig rig;

	(void)state;
	assert_int_equal(vfk_device_open("model:edu", &opts, &dev), 0);
	rig_pair(&rig, dev, NULL);
	rig_thread(&rig);
	assert_int_equal(rig_version(&rig, 0, 2, NULL), 0);
	map_private(&rig, GUEST, 0x1000);
	/* Memory decoding and bus master, in config space (region 7). */
	assert_int_equal(rig_ask(&rig, CMD_REGION_WRITE, master, sizeof(master)), 0);
	for (size_t i = 0; i < sizeof(ram); i++)
		ram[i] = i < 2048 ? (uint8_t)(i * 31) : 0;
	edu_put(&rig, EDU_SRC, GUEST);
	edu_put(&rig, EDU_DST, EDU_BUFFER);
	edu_put(&rig, EDU_COUNT, 2048);
	serve_ram(&rig, ram, kick(&rig, EDU_COMMAND, EDU_RUN, 8));
	edu_put(&rig, EDU_SRC, EDU_BUFFER);
	edu_put(&rig, EDU_DST, GUEST + 2048);
	serve_ram(&rig, ram, kick(&rig, EDU_COMMAND, EDU_RUN | EDU_TO_RAM, 8));
	assert_memory_equal(ram, ram + 2048, 2048);
	assert_int_equal(ram[2049], 31);
	rig_close(&rig);
	vfk_device_close(dev);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reading),
		CASE(writing),
		CASE(short_forms_of_the_answer),
		CASE(narrow_count),
		CASE(chunks),
		CASE(refused_by_the_client),
		CASE(commands_meanwhile),
		CASE(answer_for_another_address),
		CASE(answer_too_long),
		CASE(answer_lies),
		CASE(late_answer),
		CASE(client_dies_meanwhile),
		cmocka_unit_test(edu_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
