/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doorbell.c - doorbells of a model in this process: what can be declared, and who rings with nobody polling.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <vfiokit/vfiokit.h>
#include <cmocka.h>

static atomic_uint rings, last;
static int declared[9];

static int init(struct vfk_model *m, void *self, const struct vfk_uri *uri)
{
	static const struct vfk_model_identity id = { .vendor = 0x1234, .device = 1 };
	static const struct vfk_model_bar bar = { .size = sizeof(bar), .length = 256, .fd = -1 };

	(void)self;
	(void)uri;
	vfk_model_set_identity(m, &id);
	vfk_model_add_bar(m, 2, &bar);
	declared[0] = vfk_model_add_doorbell(m, 2, 16, 4, 0, 0xabcd);
	declared[1] = vfk_model_add_doorbell(m, 2, 32, 8, VFK_DOORBELL_MATCH, 1);
	declared[2] = vfk_model_add_doorbell(m, 2, 32, 8, VFK_DOORBELL_MATCH, 2);
	declared[3] = vfk_model_add_doorbell(m, 2, 32, 8, VFK_DOORBELL_MATCH, 2);
	declared[4] = vfk_model_add_doorbell(m, 2, 18, 2, 0, 0);
	declared[5] = vfk_model_add_doorbell(m, 1, 0, 4, 0, 0);
	declared[6] = vfk_model_add_doorbell(m, 2, 256, 4, 0, 0);
	declared[7] = vfk_model_add_doorbell(m, 2, 2, 4, 0, 0);
	declared[8] = vfk_model_add_doorbell(m, 2, 0, 2, 0, 0x10000);
	return 0;
}

static int bar_write(struct vfk_model *m, void *self, unsigned int bar, uint64_t off,
		     const void *buf, size_t len)
{
	uint32_t value = 0;

	(void)m;
	(void)self;
	(void)bar;
	(void)off;
	memcpy(&value, buf, len < 4 ? len : 4);
	atomic_store(&last, value);
	atomic_fetch_add(&rings, 1);
	return 0;
}

static const struct vfk_model_ops ops = {
	.size = sizeof(ops),
	.name = "bells",
	.help = "",
	.init = init,
	.bar_write = bar_write,
};

static void test_declaring(void **state)
{
	static const int expected[] = { 0,	 0,	  0,	   -EEXIST, -EEXIST,
					-EINVAL, -EINVAL, -EINVAL, -EINVAL };
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(vfk_device_open_model(&ops, NULL, NULL, &dev), 0);
	assert_memory_equal(declared, expected, sizeof(expected));
	vfk_device_close(dev);
}

static bool comes(atomic_uint *what, unsigned int value)
{
	for (int i = 0; i < 10000 && atomic_load(what) != value; i++)
		usleep(1000);
	return atomic_load(what) == value;
}

static void ring(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

/* By the worker thread, which is started for it. */
static void test_ringing(void **state)
{
	struct vfk_region_io_fd fds[4], again[4];
	struct vfk_device *dev;
	size_t count = 0;

	(void)state;
	atomic_store(&rings, 0);
	assert_int_equal(vfk_device_open_model(&ops, NULL, NULL, &dev), 0);
	assert_int_equal(vfk_region_get_io_fds(dev, 0, fds, 4, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(vfk_region_get_io_fds(dev, 2, fds, 2, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(vfk_region_get_io_fds(dev, 2, fds, 4, &count), 0);
	assert_int_equal(count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		ring(fds[i].fd);
		assert_true(comes(&rings, i + 1));
		assert_int_equal(atomic_load(&last), i == 0 ? 0xabcd : i);
	}
	/* Others take their place, then none is any good. */
	assert_int_equal(vfk_region_get_io_fds(dev, 2, again, 4, &count), 0);
	ring(fds[1].fd);
	ring(again[2].fd);
	assert_true(comes(&rings, 4));
	assert_int_equal(atomic_load(&last), 2);
	assert_int_equal(vfk_region_get_io_fds(dev, 2, NULL, 0, &count), 0);
	ring(again[1].fd);
	assert_int_equal(vfk_region_put(dev, 2, 16, 4, 77), 0);
	assert_int_equal(atomic_load(&rings), 5);
	vfk_device_close(dev);
	for (int i = 0; i < 3; i++) {
		close(fds[i].fd);
		close(again[i].fd);
	}
	assert_int_equal(atomic_load(&rings), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_declaring),
		cmocka_unit_test(test_ringing),
	};

	return cmocka_run_group_tests_name("model: doorbells", tests, NULL, NULL);
}
