/* SPDX-License-Identifier: BSD-3-Clause */
/* test_clients.c - clients that come, go, come again, come too many, or are cut off at any byte. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
	struct probe *probe;
	struct rig rig;
	char dir[64], path[96];
	size_t fds; /* of the process, with a server and without a client */
};

static int set_up(void **state)
{
	static struct fixture f;

	snprintf(f.dir, sizeof(f.dir), "/tmp/vfiokit-server-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
	f.probe = probe_open(false);
	rig_listen(&f.rig, f.probe->dev, f.path, NULL);
	f.fds = rig_count_fds();
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	probe_close(f->probe);
	assert_int_equal(rmdir(f->dir), 0);
	return 0;
}

static void come(struct fixture *f)
{
	f->rig.fd = rig_connect(f->path);
	assert_int_equal(rig_version(&f->rig, 0, 2, "{\"capabilities\":{\"max_msg_fds\":16}}"), 0);
}

static void go(struct fixture *f)
{
	close(f->rig.fd);
	f->rig.fd = -1;
	rig_pump(&f->rig, 0);
}

/* Everything that a client can leave behind. */
static void leave_traces(struct fixture *f)
{
	uint8_t set[20], map[32];
	uint32_t s[5] = { 20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, 0, 1 };
	uint32_t m[2] = { 32, 3 };
	uint64_t at[3] = { 0, 0x1000, 0x1000 };
	int fd;

	memcpy(set, s, sizeof(s));
	fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(rig_ask_fds(&f->rig, CMD_SET_IRQS, set, sizeof(set), &fd, 1), 0);
	close(fd);
	memcpy(map, m, 8);
	memcpy(map + 8, at, 24);
	fd = memfd_create("client", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 0x1000), 0);
	assert_int_equal(rig_ask_fds(&f->rig, CMD_DMA_MAP, map, sizeof(map), &fd, 1), 0);
	close(fd);
	at[1] = 0x2000;
	memcpy(map + 8, at, 24);
	assert_int_equal(rig_ask(&f->rig, CMD_DMA_MAP, map, sizeof(map)), 0);
}

static void reconnect(void **state)
{
	struct fixture *f = *state;
	uint8_t write[24] = { 0 };

	for (int i = 1; i <= 5; i++) {
		come(f);
		assert_int_equal(f->rig.connected, i);
		leave_traces(f);
		assert_int_equal(probe_maps(f->probe), 2);
		/* The device's state is kept. */
		assert_int_equal(f->probe->memory[0], i - 1);
		write[12] = 1;
		write[16] = (uint8_t)i;
		assert_int_equal(rig_ask(&f->rig, CMD_REGION_WRITE, write, 17), 0);
		go(f);
		assert_int_equal(f->rig.disconnected, i);
		assert_int_equal(probe_maps(f->probe), 0);
		assert_int_equal(f->probe->irq_fd[1][0], -1);
		assert_int_equal(rig_count_fds(), f->fds);
	}
	assert_int_equal(f->probe->resets, 0);
	assert_int_equal(f->rig.result, 0);
	assert_int_equal(f->rig.refused, 0);
}

/* Told so in answer to its VERSION, and closed; the first one does not notice. */
static void second_client(void **state)
{
	struct fixture *f = *state;
	int first;

	come(f);
	first = f->rig.fd;
	for (int i = 1; i <= 20; i++) {
		f->rig.fd = rig_connect(f->path);
		rig_pump(&f->rig, 0);
		assert_int_equal(rig_version(&f->rig, 0, 2, NULL), EBUSY);
		assert_true(rig_closed(&f->rig));
		assert_int_equal(f->rig.refused, i);
		close(f->rig.fd);
	}
	f->rig.fd = first;
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	go(f);
	come(f);
	go(f);
	assert_int_equal(rig_count_fds(), f->fds);
}

static void second_client_with_everything(void **state)
{
	struct fixture *f = *state;
	static const char json[] = "{\"capabilities\":{\"max_msg_fds\":16}}";
	uint8_t bytes[16 + 4 + sizeof(json)];
	struct head h = { .id = 77, .command = CMD_VERSION, .size = sizeof(bytes) };
	int first, fds[3] = { 0, 1, 2 };

	come(f);
	first = f->rig.fd;
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + 20, json, sizeof(json));
	/* There before it is accepted, with descriptors. */
	f->rig.fd = rig_connect(f->path);
	rig_send(f->rig.fd, bytes, sizeof(bytes), fds, 3);
	rig_receive(&f->rig);
	assert_int_equal(f->rig.msg.head.id, 77);
	assert_int_equal(f->rig.msg.head.error, EBUSY);
	assert_int_equal(f->rig.msg.head.flags, FLAG_REPLY | FLAG_ERROR);
	assert_true(rig_closed(&f->rig));
	close(f->rig.fd);
	f->rig.fd = first;
	go(f);
	assert_int_equal(rig_count_fds(), f->fds);
}

/* They connect and say nothing: bounded in number and in time. */
static void many_silent_ones(void **state)
{
	struct fixture *f = *state;
	int fds[30];
	size_t with_client;

	come(f);
	with_client = rig_count_fds();
	for (size_t i = 0; i < 30; i++) {
		fds[i] = rig_connect(f->path);
		rig_pump(&f->rig, 0);
	}
	assert_in_range(rig_count_fds(), with_client + 30, with_client + 30 + 16);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	rig_pump(&f->rig, 1200);
	assert_int_equal(rig_count_fds(), with_client + 30);
	for (size_t i = 0; i < 30; i++) {
		char byte;

		assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), 0);
		close(fds[i]);
	}
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
	go(f);
}

/* The successor connects before the server has seen that the first one went. */
static void successor(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 50; i++) {
		int next;

		come(f);
		for (int n = 0; n < 150; n++)
			rig_command(&f->rig, CMD_RESET, FLAG_NO_REPLY, NULL, 0, NULL, 0);
		next = rig_connect(f->path);
		close(f->rig.fd);
		f->rig.fd = next;
		/* That one may be refused, since it came first; this one not. */
		rig_pump(&f->rig, 0);
		close(next);
		f->rig.fd = rig_connect(f->path);
		assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
		go(f);
	}
	assert_int_equal(f->probe->resets, 50 * 150);
	assert_int_equal(rig_count_fds(), f->fds);
}

/* A message with a descriptor, cut off after each of its bytes. */
static void death_at_any_byte(void **state)
{
	struct fixture *f = *state;
	struct head h = { .command = CMD_SET_IRQS, .size = 16 + 20 };
	uint32_t s[5] = { 20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, 0, 1 };
	int fd = eventfd(0, EFD_CLOEXEC);
	uint8_t bytes[36];

	memcpy(bytes, &h, 16);
	memcpy(bytes + 16, s, 20);
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		come(f);
		rig_send(f->rig.fd, bytes, len, &fd, 1);
		if (len & 1)
			rig_pump(&f->rig, 0);
		go(f);
		assert_int_equal(f->rig.disconnected, len);
		assert_int_equal(rig_count_fds(), f->fds + 1);
		assert_int_equal(f->probe->irq_fd[1][0], -1);
	}
	close(fd);
}

/* It asks and never reads: dropped after the bound, and the server lives. */
static void never_reads(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .timeout_ms = 50 };
	uint32_t read[4] = { 0, 0, 0, PROBE_SIZE };
	struct head h = { .command = CMD_REGION_READ, .size = 32 };
	uint8_t bytes[32];
	int sent = 0;

	rig_close(&f->rig);
	rig_listen(&f->rig, f->probe->dev, f->path, &opts);
	come(f);
	memcpy(bytes, &h, 16);
	memcpy(bytes + 16, read, 16);
	for (; sent < 100000 && !f->rig.disconnected; sent++) {
		if (send(f->rig.fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno == EPIPE)
			break;
		rig_pump(&f->rig, 0);
	}
	assert_in_range(sent, 1, 99999);
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.disconnected, 1);
	close(f->rig.fd);
	come(f);
	go(f);
}

/* The process has no descriptors left: the client waits, and the loop does not spin. */
static void no_descriptors_left(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = { .fd = vfk_server_poll_fd(f->rig.server), .events = POLLIN };
	struct rlimit old, few;
	int spare[64], n = 0, woken = 0;

	f->rig.fd = rig_connect(f->path);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)f->rig.fd + 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 64 && (spare[n] = dup(f->rig.fd)) >= 0)
		n++;
	assert_in_range(n, 1, 63);
	for (int i = 0; i < 50; i++) {
		if (poll(&p, 1, 1) > 0) {
			assert_true(vfk_server_dispatch(f->rig.server) >= 0);
			woken++;
		}
	}
	assert_in_range(woken, 1, 3);
	assert_int_equal(f->rig.refused, 0);
	while (n--)
		close(spare[n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	rig_pump(&f->rig, 150);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	go(f);
	assert_int_equal(rig_count_fds(), f->fds);
}

/* The connected one, and nobody listens. */
static void only_client(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	rig_pair(&f->rig, f->probe->dev, NULL);
	assert_int_equal(rig_version(&f->rig, 0, 2, NULL), 0);
	go(f);
	assert_int_equal(f->rig.result, -ENOTCONN);
	assert_int_equal(vfk_server_dispatch(f->rig.server), -ENOTCONN);
	assert_false(vfk_server_has_client(f->rig.server));
}

static void device_dies(void **state)
{
	struct fixture *f = *state;

	come(f);
	f->probe->dispatch_result = -ENODEV;
	probe_wake(f->probe);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.disconnected, 1);
	assert_int_equal(f->rig.result, -ENODEV);
	assert_int_equal(vfk_server_dispatch(f->rig.server), -ENODEV);
}

static void closed_by_the_server(void **state)
{
	struct fixture *f = *state;
	char byte;

	come(f);
	leave_traces(f);
	vfk_server_close(f->rig.server);
	assert_int_equal(f->rig.disconnected, 1);
	assert_int_equal(recv(f->rig.fd, &byte, 1, 0), 0);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(f->probe->irq_fd[1][0], -1);
	close(f->rig.fd);
	rig_listen(&f->rig, f->probe->dev, f->path, NULL);
	come(f);
	go(f);
}

/* With nothing to do, the poll descriptor says so. */
static void idle(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = { .fd = vfk_server_poll_fd(f->rig.server), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20), 0);
	assert_int_equal(vfk_server_dispatch(f->rig.server), 0);
	come(f);
	rig_pump(&f->rig, 0);
	assert_int_equal(poll(&p, 1, 20), 0);
	assert_int_equal(vfk_server_dispatch(f->rig.server), 0);
	go(f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reconnect),
		CASE(second_client),
		CASE(second_client_with_everything),
		CASE(many_silent_ones),
		CASE(successor),
		CASE(death_at_any_byte),
		CASE(never_reads),
		CASE(no_descriptors_left),
		CASE(only_client),
		CASE(device_dies),
		CASE(closed_by_the_server),
		CASE(idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
