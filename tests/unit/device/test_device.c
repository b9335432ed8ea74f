/* SPDX-License-Identifier: BSD-3-Clause */
/* test_device.c - opening and closing devices, and what they are as a whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>

#include "lib/device/device.h"
#include "tests/unit/io/puppet.h"

static struct puppet p;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	return 0;
}

static int open_fails(void)
{
	struct vfk_device *dev = (struct vfk_device *)&p;
	int ret = vfk_device_open_io(&p.io, NULL, &dev);

	assert_ptr_equal(dev, &p);
	return ret;
}

static void test_what_it_is(void **state)
{
	struct vfk_device *dev = puppet_open(&p);

	(void)state;
	assert_string_equal(vfk_device_name(dev), "own");
	assert_int_equal(vfk_device_flags(dev), VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(vfk_device_num_regions(dev), PUPPET_REGIONS);
	assert_int_equal(vfk_device_num_irqs(dev), PUPPET_IRQS);
	assert_int_equal(p.calls[OP_DEVICE_INFO], 1);
	assert_int_equal(vfki_device_info(dev)->num_regions, PUPPET_REGIONS);
	assert_int_equal(vfki_device_info(dev)->cap_offset, 0);
	vfk_device_close(dev);
	assert_int_equal(p.calls[OP_CLOSE], 1);
	vfk_device_close(NULL);
}

static void test_info_chain(void **state)
{
	struct vfio_info_cap_header *cap = (struct vfio_info_cap_header *)p.chain;
	const void *found;
	struct vfk_device *dev;
	size_t len;

	(void)state;
	cap[0] = (struct vfio_info_cap_header){ .id = 3,
						.next = sizeof(struct vfio_device_info) + 16 };
	memcpy(p.chain + 16, &(struct vfio_info_cap_header){ .id = 4, .version = 2 }, 8);
	memcpy(p.chain + 24, "payload", 8);
	p.chain_len = 32;
	p.info.flags |= VFIO_DEVICE_FLAGS_CAPS;
	dev = puppet_open(&p);
	assert_int_equal(p.calls[OP_DEVICE_INFO], 2);
	assert_int_equal(vfk_device_cap(dev, 4, &found, &len), 0);
	assert_int_equal(len, 16);
	assert_memory_equal((const char *)found + 8, "payload", 8);
	assert_int_equal(vfk_device_cap(dev, 3, &found, &len), 0);
	assert_int_equal(((const struct vfio_info_cap_header *)found)->id, 3);
	assert_refused(&p, vfk_device_cap(dev, 5, &found, &len), -ENOENT);
	assert_int_equal(vfki_device_info(dev)->argsz, sizeof(struct vfio_device_info) + 32);
	vfk_device_close(dev);
	cap[0].next = sizeof(struct vfio_device_info); /* a loop */
	assert_refused(&p, open_fails(), -EPROTO);
}

static void test_open_fails(void **state)
{
	(void)state;
	p.info_grows = true;
	assert_refused(&p, open_fails(), -EPROTO);
	assert_int_equal(p.calls[OP_DEVICE_INFO], 4); /* once to know, then three rounds */
	p.info_grows = false;
	puppet_force(&p, OP_DEVICE_INFO, -EIO);
	assert_refused(&p, open_fails(), -EIO);
	puppet_force(&p, OP_OPEN, -ENODEV);
	assert_refused(&p, open_fails(), -ENODEV);
	/* an open that was done is undone, one that failed is not */
	assert_int_equal(p.calls[OP_OPEN], 3);
	assert_int_equal(p.calls[OP_CLOSE], 2);
}

static void test_text_of_a_uri(void **state)
{
	struct vfk_device *dev;

	(void)state;
	assert_int_equal(vfk_device_open("bogus:x", NULL, &dev), -EINVAL);
	assert_string_equal(vfk_error(),
			    "bogus:x: unknown scheme bogus; known: kernel, model, vfio-user");
	assert_int_equal(vfk_device_open("model:absent", NULL, &dev), -ENOENT);
	assert_int_equal(vfk_device_open(NULL, NULL, &dev), -EINVAL);
	assert_int_equal(vfk_device_open("model:null", NULL, &dev), 0);
	assert_string_equal(vfk_device_name(dev), "model:null");
	vfk_device_close(dev);
}

static void test_reset(void **state)
{
	struct vfk_device *dev = puppet_open(&p);

	(void)state;
	assert_int_equal(vfk_device_reset(dev), 0);
	puppet_force(&p, OP_RESET, -EIO);
	assert_refused(&p, vfk_device_reset(dev), -EIO);
	vfk_device_close(dev);
	p.info.flags = VFIO_DEVICE_FLAGS_PCI;
	dev = puppet_open(&p);
	assert_refused(&p, vfk_device_reset(dev), -ENOTSUP);
	vfk_device_close(dev);
}

static unsigned int clock_tick, irqs_at, unmap_at, close_at;

static int note_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	(void)io;
	irqs_at = set->count ? 0 : ++clock_tick;
	return 0;
}

static int note_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	(void)io;
	(void)iova;
	(void)length;
	(void)timeout_ms;
	unmap_at = ++clock_tick;
	return 0;
}

static void note_close(struct vfk_io *io)
{
	(void)io;
	close_at = ++clock_tick;
}

/* Everything that was done through the device is undone, and the io closed last. */
static void test_close_order(void **state)
{
	static uint8_t memory[4096] __attribute__((aligned(4096)));
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x1000,
				     .length = 4096,
				     .prot = 3,
				     .fd = -1,
				     .vaddr = memory };
	struct vfk_dma_space *space;
	struct vfk_device *dev;
	int fd = 5;

	(void)state;
	p.ops.set_irqs = note_irqs;
	p.ops.close = note_close;
	p.dma_ops.unmap = note_unmap;
	dev = puppet_open(&p);
	assert_int_equal(vfk_dma_space_create(&space), 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_true(vfki_device_in_space(dev));
	assert_int_equal(vfk_dma_map(space, &m, NULL), 0);
	assert_int_equal(vfk_irq_set_eventfds(dev, 0, 0, 1, &fd), 0);
	vfk_device_close(dev);
	assert_int_equal(irqs_at, 1);
	assert_int_equal(unmap_at, 2);
	assert_int_equal(close_at, 3);
	assert_int_equal(vfk_dma_space_destroy(space), 0);
}

/* A whole device by its public functions alone, in process, with and without a filter. */
static void drive_edu(const char *const *filters, size_t n)
{
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = n };
	struct vfk_device *dev;
	uint64_t v, count;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_int_equal(vfk_device_open("model:edu", &o, &dev), 0);
	assert_int_equal(vfk_region_get(dev, VFIO_PCI_BAR0_REGION_INDEX, 0, 4, &v), 0);
	assert_true(v == 0x010000ed);
	assert_int_equal(vfk_irq_set_eventfds(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &fd), 0);
	assert_int_equal(vfk_region_put(dev, 0, 0x20, 4, 0x80), 0);
	assert_int_equal(vfk_region_put(dev, 0, 0x08, 4, 10), 0);
	assert_int_equal(vfk_irq_wait(dev, &fd, 1, 5000, &count), 1);
	assert_int_equal(vfk_region_get(dev, 0, 0x08, 4, &v), 0);
	assert_true(v == 3628800);
	vfk_device_close(dev);
	close(fd);
}

static void test_edu(void **state)
{
	static const char *const trace[] = { "trace,file=/dev/null",
					     "trace,file=/dev/null,mmap=pass" };

	(void)state;
	drive_edu(NULL, 0);
	drive_edu(trace, 2);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_it_is),	  TEST(test_info_chain), TEST(test_open_fails),
		TEST(test_text_of_a_uri), TEST(test_reset),	 TEST(test_close_order),
		TEST(test_edu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
