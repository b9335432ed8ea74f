/* SPDX-License-Identifier: BSD-3-Clause */
/* test_version.c - VERSION: who is let in, and what is said. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What QEMU 10.1 sends, keys and order. */
#define QEMU_JSON                                                                                      \
	"{\"capabilities\": {\"pgsizes\": 4096, \"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576, " \
	"\"max_dma_maps\": 65535, \"write_multiple\": true}}"

struct fixture {
	struct probe *probe;
	struct rig rig;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_pair(&f.rig, f.probe->dev, NULL);
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

static uint16_t reply_minor(const struct rig *rig)
{
	uint16_t v[2];

	assert_true(rig->msg.len >= 4);
	memcpy(v, rig->msg.payload, 4);
	assert_int_equal(v[0], 0);
	return v[1];
}

static void check_minor(struct fixture *f, uint16_t asked, uint16_t answered)
{
	assert_false(vfk_server_has_client(f->rig.server));
	assert_int_equal(rig_version(&f->rig, 0, asked, QEMU_JSON), 0);
	assert_int_equal(reply_minor(&f->rig), answered);
	assert_true(vfk_server_has_client(f->rig.server));
	assert_int_equal(f->rig.connected, 1);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
}

static void minor_0(void **state)
{
	check_minor(*state, 0, 0);
	assert_string_equal(((struct fixture *)*state)->rig.text, "0.0");
}

static void minor_1(void **state)
{
	check_minor(*state, 1, 1);
}

static void minor_2(void **state)
{
	check_minor(*state, 2, 2);
	assert_string_equal(((struct fixture *)*state)->rig.text, "0.2");
}

static void later_minor_falls_back(void **state)
{
	check_minor(*state, 9, 2);
}

static void no_json(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 0, 1, NULL), 0);
	assert_int_equal(f->rig.msg.len, 4);
	assert_int_equal(reply_minor(&f->rig), 1);
}

static void other_major(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 1, 0, QEMU_JSON), EPROTONOSUPPORT);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
	assert_int_equal(f->rig.connected, 0);
	assert_int_equal(f->rig.disconnected, 0);
	assert_int_equal(f->rig.result, -ENOTCONN);
}

static void bad_json(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 0, 2, "{\"capabilities\":"), EINVAL);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
}

static void impossible_capability(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 0, 2,
				     "{\"capabilities\":{\"max_msg_fds\":\"many\"}}"),
			 EINVAL);
	assert_true(rig_closed(&f->rig));
}

/* QEMU's client has no more room for the reply than its request had. */
static void reply_fits_into_request(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 0, 0, QEMU_JSON), 0);
	assert_true(f->rig.msg.len <= 4 + sizeof(QEMU_JSON));
	assert_int_equal(f->rig.msg.payload[f->rig.msg.len - 1], 0);
	assert_non_null(strstr((char *)f->rig.msg.payload + 4, "\"capabilities\""));
	assert_non_null(strstr((char *)f->rig.msg.payload + 4, "\"write_multiple\""));
	assert_null(strstr((char *)f->rig.msg.payload + 4, "vfiokit"));
}

static void another_command_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), EINVAL);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->resets, 0);
	assert_int_equal(f->rig.refused, 1);
}

static void unknown_command_first(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_ask(&f->rig, 4711, NULL, 0), EINVAL);
	assert_true(rig_closed(&f->rig));
}

static void no_reply_first(void **state)
{
	struct fixture *f = *state;
	uint16_t v[2] = { 0, 2 };

	rig_command(&f->rig, CMD_VERSION, FLAG_NO_REPLY, v, sizeof(v), NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.connected, 0);
}

static void second_version(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rig_version(&f->rig, 0, 2, QEMU_JSON), 0);
	assert_int_equal(rig_version(&f->rig, 0, 2, QEMU_JSON), EINVAL);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	assert_int_equal(f->rig.connected, 1);
}

static void too_short(void **state)
{
	struct fixture *f = *state;
	uint16_t v = 0;

	rig_command(&f->rig, CMD_VERSION, 0, &v, sizeof(v), NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
}

/* A byte at a time: however the stream is cut, it is the same message. */
static void byte_by_byte(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[20] = { 0x34, 0x12, 1, 0, 20, 0, 0, 0 };

	bytes[18] = 1;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		rig_send(f->rig.fd, bytes + i, 1, NULL, 0);
		rig_pump(&f->rig, 0);
	}
	rig_receive(&f->rig);
	assert_int_equal(f->rig.msg.head.id, 0x1234);
	assert_int_equal(reply_minor(&f->rig), 1);
}

static void silent_client_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .timeout_ms = 30 };

	rig_close(&f->rig);
	rig_pair(&f->rig, f->probe->dev, &opts);
	rig_pump(&f->rig, 60);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
	assert_non_null(strstr(f->rig.text, "30 ms"));
}

static void half_a_header_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .timeout_ms = 30 };

	rig_close(&f->rig);
	rig_pair(&f->rig, f->probe->dev, &opts);
	rig_send(f->rig.fd, "\x01\x00\x01", 3, NULL, 0);
	rig_pump(&f->rig, 60);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.refused, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(minor_0),
		CASE(minor_1),
		CASE(minor_2),
		CASE(later_minor_falls_back),
		CASE(no_json),
		CASE(other_major),
		CASE(bad_json),
		CASE(impossible_capability),
		CASE(reply_fits_into_request),
		CASE(another_command_first),
		CASE(unknown_command_first),
		CASE(no_reply_first),
		CASE(second_version),
		CASE(too_short),
		CASE(byte_by_byte),
		CASE(silent_client_is_dropped),
		CASE(half_a_header_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
