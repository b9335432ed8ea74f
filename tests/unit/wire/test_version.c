/* SPDX-License-Identifier: BSD-3-Clause */
/* test_version.c - VERSION: its JSON, and what two ends agree on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/error.h"
#include "lib/wire/version.h"
#include "tests/unit/fence.h"
#include "tests/unit/mutate.h"

/* What QEMU 10.1 sends (hw/vfio-user/proxy.c), and what it takes in a reply. */
#define QEMU_JSON                                                                                       \
	"{\"capabilities\": {\"pgsizes\": 4096, \"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, " \
	"\"migration\": {\"max_bitmap_size\": 268435456, \"pgsize\": 4096}, \"max_dma_maps\": 65535, "  \
	"\"write_multiple\": true}}"

/* A message of 0.2 with @json, its NUL included, right before a fence. */
static int decode(const char *json, size_t len, struct vfki_wire_hello *hello)
{
	uint8_t buf[4 + 8192] = { 0, 0, 2, 0 };

	if (len)
		memcpy(buf + 4, json, len);
	return vfki_dec_version(fence(buf, 4 + len), 4 + len, hello);
}

static int decode_text(const char *json, struct vfki_wire_hello *hello)
{
	return decode(json, strlen(json) + 1, hello);
}

static void assert_defaults(const struct vfki_wire_caps *caps)
{
	assert_int_equal(caps->max_msg_fds, 1);
	assert_int_equal(caps->max_data_xfer_size, 1 << 20);
	assert_int_equal(caps->max_dma_maps, 65535);
	assert_int_equal(caps->pgsizes, 4096);
	assert_false(caps->twin_socket);
	assert_int_equal(caps->twin_fd_index, -1);
	assert_false(caps->write_multiple);
	assert_int_equal(caps->migration_pgsize, 0);
	assert_false(caps->irq_count);
	assert_false(caps->sparse_fds);
}

static void test_defaults(void **state)
{
	struct vfki_wire_hello hello;

	(void)state;
	assert_int_equal(decode(NULL, 0, &hello), 0);
	assert_int_equal(hello.major, 0);
	assert_int_equal(hello.minor, 2);
	assert_int_equal(hello.caps.keys, 0);
	assert_defaults(&hello.caps);
	assert_int_equal(decode_text("{}", &hello), 0);
	assert_int_equal(hello.caps.keys, VFKI_WIRE_KEY_JSON);
	assert_defaults(&hello.caps);
	assert_int_equal(decode_text("{\"capabilities\":{}}\n ", &hello), 0);
	assert_defaults(&hello.caps);
	assert_int_equal(
		decode_text("{\"capabilities\":{\"unknown\":[1,{\"x\":null}]},\"other\":5}",
			    &hello),
		0);
	assert_defaults(&hello.caps);
	assert_int_equal(
		decode_text("{\"capabilities\":{\"twin_socket\":{},\"vfiokit\":{\"new\":7}}}",
			    &hello),
		0);
	assert_defaults(&hello.caps);
}

static void test_qemu(void **state)
{
	struct vfki_wire_hello hello;

	(void)state;
	assert_int_equal(decode_text(QEMU_JSON, &hello), 0);
	assert_int_equal(hello.caps.max_msg_fds, 16);
	assert_int_equal(hello.caps.max_data_xfer_size, 1 << 20);
	assert_int_equal(hello.caps.migration_pgsize, 4096);
	assert_int_equal(hello.caps.migration_max_bitmap, 256 << 20);
	assert_true(hello.caps.write_multiple);
	assert_false(hello.caps.keys & VFKI_WIRE_KEY_TWIN_SOCKET);
}

static void test_clamps(void **state)
{
	struct vfki_wire_hello hello;

	(void)state;
	assert_int_equal(
		decode_text("{\"capabilities\":{\"max_msg_fds\":18446744073709551615,"
			    "\"max_data_xfer_size\":99999999999,\"max_dma_maps\":1000000,"
			    "\"pgsizes\":18446744073709551615,"
			    "\"migration\":{\"pgsize\":2101248,\"max_bitmap_size\":99999999999}}}",
			    &hello),
		0);
	assert_int_equal(hello.caps.max_msg_fds, VFKI_WIRE_SCM_MAX_FDS);
	assert_int_equal(hello.caps.max_data_xfer_size, VFKI_WIRE_MAX_XFER);
	assert_int_equal(hello.caps.max_dma_maps, VFKI_WIRE_MAX_DMA_MAPS);
	assert_true(hello.caps.pgsizes == ~0xfffull);
	assert_int_equal(hello.caps.migration_pgsize, 2101248);
	assert_int_equal(hello.caps.migration_max_bitmap, VFKI_WIRE_MAX_BITMAP);
	assert_int_equal(decode_text("{\"capabilities\":{\"max_msg_fds\":0}}", &hello), 0);
	assert_int_equal(hello.caps.max_msg_fds, 0);
}

static void test_bad_json(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"nothing",
		"null",
		"5",
		"[]",
		"\"x\"",
		"{}x",
		"{}{}",
		"{\"a\":}",
		"{\"capabilities\":5}",
		"{\"capabilities\":[]}",
		"{\"capabilities\":null}",
		"{\"capabilities\":{\"max_msg_fds\":\"1\"}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":1.5}}",
		"{\"capabilities\":{\"max_msg_fds\":1e3}}",
		"{\"capabilities\":{\"max_msg_fds\":null}}",
		"{\"capabilities\":{\"max_msg_fds\":true}}",
		"{\"capabilities\":{\"max_msg_fds\":NaN}}",
		"{\"capabilities\":{\"max_data_xfer_size\":7}}",
		"{\"capabilities\":{\"max_data_xfer_size\":0}}",
		"{\"capabilities\":{\"max_dma_maps\":0}}",
		"{\"capabilities\":{\"max_dma_maps\":{}}}",
		"{\"capabilities\":{\"pgsizes\":0}}",
		"{\"capabilities\":{\"pgsizes\":2048}}",
		"{\"capabilities\":{\"pgsizes\":[4096]}}",
		"{\"capabilities\":{\"twin_socket\":true}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":-1}}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":\"0\"}}}",
		"{\"capabilities\":{\"write_multiple\":1}}",
		"{\"capabilities\":{\"migration\":4096}}",
		"{\"capabilities\":{\"migration\":{\"pgsize\":0}}}",
		"{\"capabilities\":{\"migration\":{\"max_bitmap_size\":-5}}}",
		"{\"capabilities\":{\"vfiokit\":true}}",
		"{\"capabilities\":{\"vfiokit\":{\"irq_count\":1}}}",
		"{\"capabilities\":{\"vfiokit\":{\"sparse_fds\":\"yes\"}}}",
		"{\"a\":[[[[[[[[[[1]]]]]]]]]]}",
		"{\"a\":\"\xff\"}",
		"/* c */ {}",
	};
	struct vfki_wire_hello hello = { .major = 99 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (decode_text(bad[i], &hello) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	}
	assert_int_equal(hello.major, 99);
}

static void test_bad_strings(void **state)
{
	struct vfki_wire_hello hello;
	char big[8192];
	int n;

	(void)state;
	assert_int_equal(decode("{}", 2, &hello), -EINVAL);
	assert_int_equal(decode("{}\0\0", 4, &hello), -EINVAL);
	assert_int_equal(decode("{\0}", 4, &hello), -EINVAL);
	n = snprintf(big, sizeof(big), "{\"x\":\"%*s\"}", 4000, "");
	assert_int_equal(decode(big, (size_t)n + 1, &hello), 0);
	n = snprintf(big, sizeof(big), "{\"x\":\"%*s\"}", 4096, "");
	assert_int_equal(decode(big, (size_t)n + 1, &hello), -EINVAL);
}

static void test_every_length(void **state)
{
	uint8_t buf[4 + sizeof(QEMU_JSON)] = { 0, 0, 2, 0 };
	struct vfki_wire_hello hello;

	(void)state;
	memcpy(buf + 4, QEMU_JSON, sizeof(QEMU_JSON));
	for (size_t len = 0; len <= sizeof(buf); len++) {
		int want = len < 4 ? -EPROTO : len == 4 || len == sizeof(buf) ? 0 : -EINVAL;

		assert_int_equal(vfki_dec_version(fence(buf, len), len, &hello), want);
		if (len > 4) {
			uint8_t cut[sizeof(buf)];

			memcpy(cut, buf, len);
			cut[len - 1] = '\0';
			assert_int_equal(vfki_dec_version(fence(cut, len), len, &hello),
					 len == sizeof(buf) ? 0 : -EINVAL);
		}
	}
}

static void assert_same_caps(const struct vfki_wire_caps *a, const struct vfki_wire_caps *b)
{
	assert_int_equal(a->keys, b->keys);
	assert_int_equal(a->max_msg_fds, b->max_msg_fds);
	assert_int_equal(a->max_data_xfer_size, b->max_data_xfer_size);
	assert_int_equal(a->max_dma_maps, b->max_dma_maps);
	assert_int_equal(a->pgsizes, b->pgsizes);
	assert_int_equal(a->twin_socket, b->twin_socket);
	assert_int_equal(a->twin_fd_index, b->twin_fd_index);
	assert_int_equal(a->write_multiple, b->write_multiple);
	assert_int_equal(a->migration_pgsize, b->migration_pgsize);
	assert_int_equal(a->migration_max_bitmap, b->migration_max_bitmap);
	assert_int_equal(a->irq_count, b->irq_count);
	assert_int_equal(a->sparse_fds, b->sparse_fds);
}

static void test_round_trip(void **state)
{
	struct vfki_wire_hello hello = { .major = 0, .minor = 2 }, back;
	uint8_t buf[1024];
	int len;

	(void)state;
	vfki_wire_caps_own(&hello.caps, 1 << 20, true);
	hello.caps.twin_fd_index = 3;
	len = vfki_enc_version(buf, sizeof(buf), &hello);
	assert_true(len > 4);
	assert_int_equal(buf[len - 1], 0);
	assert_int_equal(vfki_dec_version(fence(buf, (size_t)len), (size_t)len, &back), 0);
	assert_int_equal(back.minor, 2);
	assert_same_caps(&hello.caps, &back.caps);
	for (size_t cap = 0; cap < (size_t)len; cap++)
		assert_int_equal(vfki_enc_version(fence(NULL, cap), cap, &hello), -ENOBUFS);
	assert_int_equal(vfki_enc_version(fence(NULL, (size_t)len), (size_t)len, &hello), len);
	hello.caps.keys = 0;
	assert_int_equal(vfki_enc_version(buf, 4, &hello), 4);
}

static void test_own_limits(void **state)
{
	struct vfki_wire_caps caps;

	(void)state;
	vfki_wire_caps_own(&caps, UINT64_MAX, false);
	assert_int_equal(caps.max_data_xfer_size, VFKI_WIRE_MAX_XFER);
	vfki_wire_caps_own(&caps, 0, false);
	assert_int_equal(caps.max_data_xfer_size, VFKI_WIRE_MIN_XFER);
	assert_false(caps.keys & VFKI_WIRE_KEY_TWIN_SOCKET);
}

/* Client and server of this library, end to end through bytes. */
static void test_two_of_us(void **state)
{
	struct vfki_wire_hello client = { .minor = 2 }, reply, got;
	struct vfki_wire_agreed at_server, at_client;
	struct vfki_wire_caps own;
	uint8_t buf[1024];
	int len;

	(void)state;
	vfki_wire_caps_own(&client.caps, 1 << 20, true);
	vfki_wire_caps_own(&own, 4 << 20, true);
	assert_int_equal(vfki_wire_negotiate_server(&own, &client, &reply, &at_server), 0);
	assert_int_equal(reply.caps.twin_fd_index, 0);
	len = vfki_enc_version(buf, sizeof(buf), &reply);
	assert_int_equal(vfki_dec_version(buf, (size_t)len, &got), 0);
	assert_int_equal(vfki_wire_negotiate_client(&client, &got, 1, &at_client), 0);
	assert_int_equal(at_client.minor, 2);
	assert_int_equal(at_server.minor, 2);
	assert_int_equal(at_client.send_fds, VFKI_WIRE_MAX_FDS);
	assert_int_equal(at_client.recv_fds, VFKI_WIRE_MAX_FDS);
	assert_int_equal(at_server.send_fds, VFKI_WIRE_MAX_FDS);
	assert_int_equal(at_server.recv_fds, VFKI_WIRE_MAX_FDS);
	assert_int_equal(at_client.send_xfer, 1 << 20);
	assert_int_equal(at_server.recv_xfer, 1 << 20);
	assert_int_equal(at_server.send_xfer, 1 << 20);
	assert_true(at_client.twin_socket && at_server.twin_socket);
	assert_int_equal(at_client.twin_fd_index, 0);
	assert_true(at_client.irq_count && at_server.irq_count);
	assert_true(at_client.sparse_fds && at_server.sparse_fds);
	assert_true(at_client.write_multiple && at_server.write_multiple);
	assert_int_equal(at_client.migration_pgsize, 4096);
	assert_int_equal(at_client.migration_max_bitmap, 1 << 20);
}

/* QEMU reads a reply into the request's space, and refuses values above its own. */
static void test_reply_that_qemu_takes(void **state)
{
	struct vfki_wire_hello client, reply, seen;
	struct vfki_wire_agreed agreed;
	struct vfki_wire_caps own;
	uint8_t buf[1024];
	int len;

	(void)state;
	assert_int_equal(decode_text(QEMU_JSON, &client), 0);
	client.minor = 0;
	vfki_wire_caps_own(&own, 64 << 20, true);
	assert_int_equal(vfki_wire_negotiate_server(&own, &client, &reply, &agreed), 0);
	len = vfki_enc_version(buf, sizeof(buf), &reply);
	assert_true(len > 4 && (size_t)len <= 4 + sizeof(QEMU_JSON));
	assert_int_equal(vfki_dec_version(buf, (size_t)len, &seen), 0);
	assert_int_equal(seen.minor, 0);
	assert_int_equal(seen.caps.keys, client.caps.keys);
	assert_true(seen.caps.max_msg_fds <= 16);
	assert_true(seen.caps.max_data_xfer_size <= 64 << 20);
	assert_true(seen.caps.max_dma_maps <= 65535);
	assert_int_equal(seen.caps.pgsizes & 4095, 0);
	assert_true(seen.caps.migration_max_bitmap <= 256 << 20);
	assert_int_equal(agreed.send_fds, 16);
	assert_int_equal(agreed.recv_fds, 16);
	assert_false(agreed.irq_count || agreed.sparse_fds || agreed.twin_socket);
	assert_true(agreed.write_multiple);
}

/* SPDK: 0.1, four bytes. */
static void test_client_without_json(void **state)
{
	struct vfki_wire_hello client = { .minor = 1 }, reply;
	struct vfki_wire_agreed agreed;
	struct vfki_wire_caps own;
	uint8_t buf[64];

	(void)state;
	vfki_wire_caps_default(&client.caps);
	vfki_wire_caps_own(&own, 4 << 20, true);
	assert_int_equal(vfki_wire_negotiate_server(&own, &client, &reply, &agreed), 0);
	assert_int_equal(vfki_enc_version(buf, sizeof(buf), &reply), 4);
	assert_int_equal(agreed.minor, 1);
	assert_int_equal(agreed.send_fds, 1);
	assert_int_equal(agreed.send_xfer, 1 << 20);
	assert_int_equal(agreed.migration_pgsize, 0);
}

static void test_refusals(void **state)
{
	struct vfki_wire_hello us = { .minor = 2 }, them = { .minor = 2 }, reply;
	struct vfki_wire_agreed agreed;
	struct vfki_wire_caps own;

	(void)state;
	vfki_wire_caps_own(&own, 1 << 20, false);
	vfki_wire_caps_own(&us.caps, 1 << 20, false);
	vfki_wire_caps_default(&them.caps);

	them.major = 1;
	assert_int_equal(vfki_wire_negotiate_server(&own, &them, &reply, &agreed),
			 -EPROTONOSUPPORT);
	assert_non_null(strstr(vfk_error(), "1.2"));
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), -EPROTONOSUPPORT);
	them.major = 0;
	them.minor = 3;
	assert_int_equal(vfki_wire_negotiate_server(&own, &them, &reply, &agreed), 0);
	assert_int_equal(reply.minor, 2);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), -EPROTO);
	them.minor = 0;
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), 0);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 1, &agreed), -EPROTO);
	them.caps.pgsizes = 1ull << 40;
	assert_int_equal(vfki_wire_negotiate_server(&own, &them, &reply, &agreed), -EINVAL);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), -EINVAL);
}

static void test_twin_socket_replies(void **state)
{
	struct vfki_wire_hello us = { .minor = 2 }, them = { .minor = 2 };
	struct vfki_wire_agreed agreed;

	(void)state;
	vfki_wire_caps_own(&us.caps, 1 << 20, true);
	vfki_wire_caps_default(&them.caps);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), 0);
	assert_false(agreed.twin_socket);
	them.caps.twin_socket = true;
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 1, &agreed), -EPROTO);
	them.caps.twin_fd_index = 0;
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 0, &agreed), -EPROTO);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 2, &agreed), -EPROTO);
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 1, &agreed), 0);
	assert_true(agreed.twin_socket);
	them.caps.twin_fd_index = 1;
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 1, &agreed), -EPROTO);
	vfki_wire_caps_own(&us.caps, 1 << 20, false);
	them.caps.twin_fd_index = 0;
	assert_int_equal(vfki_wire_negotiate_client(&us, &them, 1, &agreed), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_qemu),
		cmocka_unit_test(test_clamps),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_bad_strings),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_own_limits),
		cmocka_unit_test(test_two_of_us),
		cmocka_unit_test(test_reply_that_qemu_takes),
		cmocka_unit_test(test_client_without_json),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_twin_socket_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
