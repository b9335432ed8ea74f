/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_allocation.c - an access allocates nothing, from the device layer down to the model.
 *
 * The allocator is wrapped by the linker (--wrap) in the archive under test. Over the socket the server is in this process
 * too, on a thread of its own: its allocations are counted with the client's.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#include <cmocka.h>

#define ACCESSES 1000

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static atomic_ulong allocations;

void *__wrap_malloc(size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	atomic_fetch_add(&allocations, 1);
	return __real_realloc(p, size);
}

static void access_many(struct vfk_device *dev, int n)
{
	uint64_t value;

	for (int i = 0; i < n; i++) {
		assert_int_equal(vfk_region_get(dev, 0, 0, 4, &value), 0);
		assert_int_equal(value, 0x010000ed);
		assert_int_equal(vfk_region_put(dev, 0, 4, 4, (uint32_t)i), 0);
	}
}

/* What is asked once, and kept, is asked by the first access. */
static void expect_none(struct vfk_device *dev)
{
	unsigned long before;

	access_many(dev, 1);
	before = atomic_load(&allocations);
	assert_true(before > 0);
	access_many(dev, ACCESSES);
	assert_int_equal(atomic_load(&allocations) - before, 0);
}

static void in_process(void **state)
{
	struct vfk_device *dev = NULL;

	(void)state;
	assert_int_equal(vfk_device_open("model:edu", NULL, &dev), 0);
	expect_none(dev);
	vfk_device_close(dev);
}

static void *serve(void *arg)
{
	struct vfk_server *server = arg;
	struct pollfd p = { .fd = vfk_server_poll_fd(server), .events = POLLIN };

	do
		poll(&p, 1, -1);
	while (vfk_server_dispatch(server) >= 0);
	return NULL;
}

static void over_a_socket(void **state)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	struct vfk_device *model = NULL, *dev = NULL;
	struct vfk_server *server = NULL;
	pthread_t thread;
	char uri[32];
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(vfk_device_open("model:edu", &opts, &model), 0);
	assert_int_equal(vfk_server_on_fd(model, sv[0], NULL, &server), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, server), 0);
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d", sv[1]);
	assert_int_equal(vfk_device_open(uri, NULL, &dev), 0);
	close(sv[1]);
	expect_none(dev);
	vfk_device_close(dev);
	pthread_join(thread, NULL);
	vfk_server_close(server);
	vfk_device_close(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_process),
		cmocka_unit_test(over_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
