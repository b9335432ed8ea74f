/* SPDX-License-Identifier: BSD-3-Clause */
/* test_proxy.c - a server whose device is another server's: that one dies, and the proxy goes on with the next client. */
#include "serve.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAR0   VFIO_PCI_BAR0_REGION_INDEX
#define EDU_ID 0x010000ed

struct fixture {
	struct serve origin, proxy;
	char uri[160]; /* of the proxy */
};

static int set_up(void **state)
{
	static struct fixture f;

	serve_set_up(&f.origin);
	serve_set_up(&f.proxy);
	snprintf(f.uri, sizeof(f.uri), "vfio-user:%s", f.proxy.path);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	serve_tear_down(&f->proxy);
	serve_tear_down(&f->origin);
	return 0;
}

static void start(struct fixture *f, unsigned int seconds)
{
	char uri[160];

	serve_start(&f->origin, "model:edu");
	snprintf(uri, sizeof(uri), "vfio-user:%s,reconnect=%u", f->origin.path, seconds);
	serve_start(&f->proxy, uri);
}

static void check_client(const struct fixture *f)
{
	struct vfk_device *dev;
	uint64_t v;

	assert_int_equal(vfk_device_open(f->uri, NULL, &dev), 0);
	assert_int_equal(vfk_region_get(dev, BAR0, 0, 4, &v), 0);
	assert_int_equal(v, EDU_ID);
	vfk_device_close(dev);
}

/* Its client is told by the end of the connection, as it would be by the server itself. */
static void await_end(struct vfk_device *dev)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t v;
	int ret = 0;

	for (int i = 0; i < 20000 && ret != -ENOTCONN; i++) {
		ret = vfk_region_get(dev, BAR0, 0, 4, &v);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(ret, -ENOTCONN);
}

static void next_client(void **state)
{
	struct fixture *f = *state;
	struct vfk_device *dev;

	start(f, 20);
	check_client(f);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vfk_device_open(f->uri, NULL, &dev), 0);
		serve_kill(&f->origin);
		await_end(dev);
		vfk_device_close(dev);
		serve_start(&f->origin, "model:edu");
		check_client(f);
		check_client(f);
	}
	/* nobody is there who could notice */
	serve_kill(&f->origin);
	serve_start(&f->origin, "model:edu");
	check_client(f);
}

/* The proxy's client can come back, too: one kill, and both find the way. */
static void both_come_back(void **state)
{
	struct fixture *f = *state;
	struct vfk_device *dev;
	char uri[192];
	uint64_t v;

	start(f, 20);
	snprintf(uri, sizeof(uri), "%s,reconnect=20,timeout=20000", f->uri);
	assert_int_equal(vfk_device_open(uri, NULL, &dev), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		serve_kill(&f->origin);
		while (!vfk_device_epoch(dev) || vfk_device_epoch(dev) < i)
			assert_true(vfk_region_get(dev, BAR0, 0, 4, &v) < 0);
		serve_start(&f->origin, "model:edu");
		assert_int_equal(vfk_device_reconnect(dev, i), 0);
		assert_int_equal(vfk_region_get(dev, BAR0, 0, 4, &v), 0);
		assert_int_equal(v, EDU_ID);
	}
	vfk_device_close(dev);
}

static void *try_open(void *uri)
{
	struct vfk_device *dev;

	return (void *)(intptr_t)vfk_device_open(uri, NULL, &dev);
}

static void gives_up(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	int status;
	void *ret;

	start(f, 1);
	check_client(f);
	serve_kill(&f->origin);
	pthread_create(&thread, NULL, try_open, f->uri);
	assert_int_equal(waitpid(f->proxy.pid, &status, 0), f->proxy.pid);
	f->proxy.pid = 0;
	pthread_join(thread, &ret);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true((intptr_t)ret < 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(next_client),
		CASE(both_come_back),
		CASE(gives_up),
	};

	return cmocka_run_group_tests_name("reconnect-proxy", tests, NULL, NULL);
}
