/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_faults.c - a program on a device that fails a fifth of what it is asked, and worse: each failure reaches the program with
 * its code, nothing is left behind, nothing hangs.
 *
 * The program is the same each time; the seed decides what fails. EXDEV is no error of the library's own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include <vfiokit/vfiokit.h>

#define EDU_ID	      0x00
#define EDU_LIVENESS  0x04
#define EDU_FACTORIAL 0x08
#define EDU_RAISE     0x60
#define SEEDS	      40
#define TRIES	      1000 /* more than any run of failures at the highest rate */

static unsigned int failures, successes;

/* Success, or the failure that was ordered; nothing else. */
static bool worked(const char *what, long ret)
{
	if (ret >= 0) {
		successes++;
		return true;
	}
	failures++;
	if (ret != -EXDEV)
		fail_msg("%s: %ld (%s)", what, ret, vfk_error());
	if (!strstr(vfk_error(), "as it was told to"))
		fail_msg("%s: text \"%s\"", what, vfk_error());
	return false;
}

#define WORKED(call) worked(#call, call)

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void use_registers(struct vfk_device *dev)
{
	const struct vfk_region_write w = { .offset = EDU_LIVENESS, .len = 4, .data = { 1 } };
	uint64_t v;

	if (WORKED(vfk_region_get(dev, 0, EDU_ID, 4, &v)))
		assert_int_equal(v, 0x010000ed);
	if (WORKED(vfk_region_put(dev, 0, EDU_LIVENESS, 4, 0x12345678)) &&
	    WORKED(vfk_region_get(dev, 0, EDU_LIVENESS, 4, &v)))
		assert_int_equal(v, 0xedcba987);
	WORKED(vfk_region_write(dev, 0, EDU_FACTORIAL, &w.data, 4, VFK_WRITE_POSTED));
	WORKED(vfk_region_flush(dev));
	WORKED(vfk_region_write_multi(dev, &w, 1));
	WORKED(vfk_device_reset(dev));
}

static void use_interrupts(struct vfk_device *dev)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct vfk_irq_info info;
	uint64_t count;
	int ret;

	WORKED(vfk_irq_get_info(dev, VFIO_PCI_MSI_IRQ_INDEX, &info));
	if (WORKED(vfk_irq_set_eventfds(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd))) {
		if (WORKED(vfk_irq_trigger(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1)))
			assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
		if (WORKED(vfk_region_put(dev, 0, EDU_RAISE, 4, 1)))
			assert_true(!WORKED(ret = vfk_irq_wait(dev, &fd, 1, 5000, &count)) ||
				    ret == 1);
		WORKED(vfk_irq_disable(dev, VFIO_PCI_MSI_IRQ_INDEX));
	}
	close(fd);
}

static void free_buffer(struct vfk_dma_space *space, struct vfk_dma_buffer *buf)
{
	int n = 0;

	while (!WORKED(vfk_dma_free(space, buf)))
		assert_true(n++ < TRIES);
}

static void use_memory(struct vfk_device *dev, struct vfk_dma_space *space)
{
	struct vfk_dma_limits limits = { .size = sizeof(limits) };
	struct vfk_dma_buffer buf = { .size = sizeof(buf) };

	if (!WORKED(vfk_device_attach_dma(dev, space)))
		return;
	WORKED(vfk_dma_get_limits(space, &limits));
	for (int i = 0; i < 4; i++) {
		if (!WORKED(vfk_dma_alloc(space, 8192, VFK_DMA_READ | VFK_DMA_WRITE, &buf)))
			continue;
		memset(buf.vaddr, i, 8192);
		free_buffer(space, &buf);
	}
}

static void use_features(struct vfk_device *dev)
{
	uint32_t ops;

	for (uint32_t id = 1; id <= 3; id++)
		WORKED(vfk_feature_probe(dev, id, &ops));
}

static void one_life(const char *filter)
{
	struct vfk_open_opts o = { .size = sizeof(o), .filters = &filter, .num_filters = 1 };
	const struct vfk_region_info *info;
	struct vfk_dma_space *space;
	struct vfk_device *dev;

	assert_int_equal(vfk_dma_space_create(&space), 0);
	if (WORKED(vfk_device_open("model:edu", &o, &dev))) {
		for (uint32_t i = 0; i < vfk_device_num_regions(dev); i++)
			WORKED(vfk_region_get_info(dev, i, &info));
		use_registers(dev);
		use_interrupts(dev);
		use_memory(dev, space);
		use_features(dev);
		vfk_device_close(dev);
	}
	assert_int_equal(vfk_dma_space_destroy(space), 0);
}

static void live(const char *options)
{
	char filter[128];
	int before;

	one_life("fault,rate=0"); /* what is set up once is there then */
	before = count_fds();
	failures = successes = 0;
	for (int seed = 0; seed < SEEDS; seed++) {
		snprintf(filter, sizeof(filter), "fault,%s,seed=%d", options, seed);
		one_life(filter);
		assert_int_equal(count_fds(), before);
	}
}

static void test_rates(void **state)
{
	(void)state;
	live("errno=EXDEV,rate=0.01");
	assert_true(failures > 0 && successes > 10 * failures);
	live("errno=EXDEV,rate=0.2");
	assert_true(failures > 100 && successes > failures);
	live("errno=EXDEV,rate=0.7");
	assert_true(failures > 0);
	live("errno=EXDEV,rate=0");
	assert_int_equal(failures, 0);
}

static void test_after(void **state)
{
	(void)state;
	live("errno=EXDEV,rate=0.05,after=on,op=get_region_info+region_read+region_write+reset+dma_map");
	assert_true(failures > 0);
}

/* Each op alone, always: what cannot be had is said, and the rest works. */
static void test_each_op(void **state)
{
	static const char *const ops[] = {
		"open",	       "get_device_info", "get_region_info", "get_irq_info", "set_irqs",
		"region_read", "region_write",	  "device_feature",  "reset",	     "write_multi",
		"flush",       "dma_map",	  "dma_limits",
	};
	char filter[96];

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		failures = 0;
		snprintf(filter, sizeof(filter), "fault,errno=EXDEV,op=%s", ops[i]);
		one_life(filter);
		if (!failures)
			fail_msg("no failure of %s was seen", ops[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_each_op),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
