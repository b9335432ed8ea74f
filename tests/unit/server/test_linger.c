/* SPDX-License-Identifier: BSD-3-Clause */
/* test_linger.c - a server that waits for its client in the receive, and what it must not forget meanwhile. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATE_MS 2000 /* nothing takes so long, however busy the machine */

struct region_access {
	uint64_t offset;
	uint32_t region, count;
};

static const struct region_access id_register = { .offset = 0, .region = 0, .count = 4 };

static struct vfk_device *model(void)
{
	struct vfk_device *dev = NULL;

	assert_int_equal(vfk_device_open("model:edu", NULL, &dev), 0);
	return dev;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

static void ask_id(struct rig *rig)
{
	rig_command(rig, CMD_REGION_READ, 0, &id_register, sizeof(id_register), NULL, 0);
}

static void test_serves(void **state)
{
	const struct vfk_server_opts opts = { .size = sizeof(opts),
					      .spin_us = *(uint32_t *)*state };
	struct vfk_device *dev = model();
	struct rig rig;

	rig_open(&rig, dev, &opts);
	for (int i = 0; i < 3; i++)
		ask_id(&rig);
	assert_int_equal(vfk_server_linger(rig.server, 1), 3);
	for (int i = 0; i < 3; i++) {
		rig_receive(&rig);
		assert_int_equal(rig.msg.head.flags, FLAG_REPLY);
		assert_memory_equal(rig.msg.payload + sizeof(id_register), "\xed\x00\x00\x01", 4);
	}
	/* Nothing comes: it gives up by itself. */
	assert_int_equal(vfk_server_linger(rig.server, 1000), 0);
	rig_close(&rig);
	vfk_device_close(dev);
}

struct talker {
	struct rig *rig;
	atomic_bool stop;
	atomic_uint answers;
};

static void *talk(void *arg)
{
	struct talker *t = arg;
	char reply[64];

	while (!t->stop) {
		ask_id(t->rig);
		if (recv(t->rig->fd, reply, sizeof(reply), 0) <= 0)
			break;
		t->answers++;
	}
	return NULL;
}

static void test_time_is_over(void **state)
{
	struct vfk_device *dev = model();
	struct rig rig;
	struct talker t = { .rig = &rig };
	pthread_t thread;
	int64_t start;

	(void)state;
	rig_open(&rig, dev, NULL);
	assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
	start = now_ms();
	while (t.answers < 2 && now_ms() - start < LATE_MS)
		vfk_server_linger(rig.server, 100);
	assert_true(t.answers >= 2);
	start = now_ms();
	vfk_server_linger(rig.server, 20);
	assert_in_range(now_ms() - start, 0, LATE_MS);
	t.stop = true;
	shutdown(rig.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	rig_close(&rig);
	vfk_device_close(dev);
}

static void test_second_client(void **state)
{
	char dir[] = "/tmp/vfiokit-linger-XXXXXX", path[64];
	struct vfk_device *dev = model();
	struct rig rig, second;
	struct talker t = { .rig = &rig };
	pthread_t thread;
	int64_t start;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	rig_listen(&rig, dev, path, NULL);
	rig.fd = rig_connect(path);
	assert_int_equal(rig_version(&rig, 0, 2, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
	second = (struct rig){ .fd = rig_connect(path) };
	rig_command(&second, CMD_VERSION, 0, "\0\0\2\0", 4, NULL, 0);
	start = now_ms();
	while (!readable(second.fd, 0) && now_ms() - start < LATE_MS) {
		if (readable(vfk_server_poll_fd(rig.server), 100) &&
		    vfk_server_dispatch(rig.server) > 0)
			vfk_server_linger(rig.server, 100);
	}
	rig_receive(&second);
	assert_int_equal(second.msg.head.error, EBUSY);
	close(second.fd);
	t.stop = true;
	shutdown(rig.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	assert_true(t.answers > 0);
	rig_close(&rig);
	assert_int_equal(rmdir(dir), 0);
	vfk_device_close(dev);
}

static void test_client_goes(void **state)
{
	struct vfk_device *dev = model();
	struct rig rig;
	int ret = 0;

	(void)state;
	rig_open(&rig, dev, NULL);
	close(rig.fd);
	rig.fd = -1;
	assert_int_equal(vfk_server_linger(rig.server, 1000), 1);
	assert_int_equal(rig.disconnected, 1);
	/* Whoever polls hears of it, though the socket is gone from the set. */
	while (ret >= 0 && readable(vfk_server_poll_fd(rig.server), LATE_MS))
		ret = vfk_server_dispatch(rig.server);
	assert_int_equal(ret, -ENOTCONN);
	rig_close(&rig);
	vfk_device_close(dev);
}

static void test_not_alone(void **state)
{
	struct probe *probe = probe_open(false);
	struct rig rig;

	(void)state;
	rig_open(&rig, probe->dev, NULL);
	ask_id(&rig);
	assert_int_equal(vfk_server_linger(rig.server, 1000), 0);
	assert_false(readable(rig.fd, 0));
	assert_int_equal(vfk_server_linger(rig.server, 1001), -ERANGE);
	rig_close(&rig);
	probe_close(probe);
}

static void test_options(void **state)
{
	const struct vfk_server_opts opts = { .size = sizeof(opts), .spin_us = 1000001 };
	struct vfk_device *dev = model();
	struct vfk_server *server = NULL;

	(void)state;
	assert_int_equal(vfk_server_listen(dev, "s", &opts, &server), -ERANGE);
	vfk_device_close(dev);
}

int main(void)
{
	static uint32_t sleeps, spins = 10000;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_serves, &sleeps),
		{ "test_serves_spinning", test_serves, NULL, NULL, &spins },
		cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_second_client),
		cmocka_unit_test(test_client_goes),
		cmocka_unit_test(test_not_alone),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
