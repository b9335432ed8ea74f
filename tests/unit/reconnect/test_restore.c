/* SPDX-License-Identifier: BSD-3-Clause */
/* test_restore.c - a server is killed and started again: the client is told, acknowledges, and goes on. */
#include "serve.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR0	   VFIO_PCI_BAR0_REGION_INDEX
#define CONFIG	   VFIO_PCI_CONFIG_REGION_INDEX
#define MSI	   VFIO_PCI_MSI_IRQ_INDEX
#define EDU_ID	   0x010000ed
#define EDU_BUFFER 0x40000u
#define BUFFER_BAR 2 /* the test device's memory */

struct fixture {
	struct serve serve;
	struct vfk_device *dev;
	atomic_uint told;
	atomic_ullong told_epoch;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	serve_set_up(&f.serve);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vfk_device_close(f->dev);
	serve_tear_down(&f->serve);
	return 0;
}

static void on_lost(void *ctx, uint64_t epoch)
{
	struct fixture *f = ctx;

	atomic_fetch_add(&f->told, 1);
	atomic_store(&f->told_epoch, epoch);
}

static void open_device(struct fixture *f, const char *server, const char *options)
{
	char uri[192];

	serve_start(&f->serve, server);
	snprintf(uri, sizeof(uri), "vfio-user:%s%s", f->serve.path, options);
	assert_return_code(vfk_device_open(uri, NULL, &f->dev), 0);
	if (vfk_device_set_lost(f->dev, on_lost, f))
		assert_null(strstr(options, "reconnect"));
}

static uint64_t get(struct fixture *f, uint32_t region, uint64_t off, unsigned int width)
{
	uint64_t v = 0;
	int ret = vfk_region_get(f->dev, region, off, width, &v);

	if (ret)
		print_error("%s\n", vfk_error());
	assert_int_equal(ret, 0);
	return v;
}

static void put(struct fixture *f, uint32_t region, uint64_t off, unsigned int width, uint64_t v)
{
	assert_int_equal(vfk_region_put(f->dev, region, off, width, v), 0);
}

/* Finds out by a read, as a driver does. */
static void lose(struct fixture *f)
{
	uint64_t v;

	serve_kill(&f->serve);
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
}

static void reconnect(struct fixture *f)
{
	int ret = vfk_device_reconnect(f->dev, vfk_device_epoch(f->dev));

	if (ret)
		print_error("%s\n", vfk_error());
	assert_int_equal(ret, 0);
}

/* ---- being told ---- */

static void told_once(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	open_device(f, "model:edu", ",reconnect=20");
	assert_int_equal(vfk_device_epoch(f->dev), 0);
	assert_int_equal(vfk_device_reconnect(f->dev, 0), -EALREADY);
	put(f, BAR0, 4, 4, 0x1234);
	assert_int_equal(get(f, BAR0, 4, 4), (uint32_t)~0x1234);
	for (unsigned int n = 1; n <= 3; n++) {
		lose(f);
		assert_int_equal(vfk_region_put(f->dev, BAR0, 4, 4, 1), -ECONNRESET);
		assert_int_equal(vfk_device_dispatch(f->dev), -ECONNRESET);
		assert_int_equal(vfk_device_check(f->dev), -ECONNRESET);
		assert_int_equal(f->told, n);
		assert_int_equal(f->told_epoch, n);
		assert_int_equal(vfk_device_epoch(f->dev), n);
		serve_start(&f->serve, "model:edu");
		/* the server is there, and calls fail all the same: nobody said that the loss is known */
		assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
		assert_int_equal(vfk_device_reconnect(f->dev, n - 1), -ESTALE);
		assert_int_equal(vfk_device_reconnect(f->dev, n + 1), -ESTALE);
		reconnect(f);
		assert_int_equal(vfk_device_check(f->dev), 0);
		assert_int_equal(vfk_device_reconnect(f->dev, n), -EALREADY);
		assert_int_equal(get(f, BAR0, 0, 4), EDU_ID);
		/* its state is gone */
		assert_int_equal(get(f, BAR0, 4, 4), 0);
		put(f, BAR0, 4, 4, n);
	}
}

static void poll_tells(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = { .events = POLLIN };

	open_device(f, "model:edu", ",reconnect=20");
	p.fd = vfk_device_poll_fd(f->dev);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	serve_kill(&f->serve);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(vfk_device_check(f->dev), -ECONNRESET);
	assert_int_equal(f->told, 1);
	serve_start(&f->serve, "model:edu");
	reconnect(f);
	assert_int_equal(vfk_device_poll_fd(f->dev), p.fd);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(get(f, BAR0, 0, 4), EDU_ID);
}

static void not_asked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	open_device(f, "model:edu", "");
	assert_int_equal(vfk_device_set_lost(f->dev, on_lost, f), -ENOTSUP);
	assert_int_equal(vfk_device_reconnect(f->dev, 0), -ENOTSUP);
	serve_kill(&f->serve);
	assert_true(vfk_region_get(f->dev, BAR0, 0, 4, &v) < 0);
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ENOTCONN);
	assert_int_equal(vfk_device_epoch(f->dev), 0);
	assert_int_equal(vfk_device_reconnect(f->dev, 0), -ENOTSUP);
}

static void bad_options(void **state)
{
	struct vfk_device *dev = NULL;

	(void)state;
	assert_int_equal(vfk_device_open("vfio-user:/x,reconnect=0", NULL, &dev), -ERANGE);
	assert_int_equal(vfk_device_open("vfio-user:/x,reconnect=3601", NULL, &dev), -ERANGE);
	assert_int_equal(vfk_device_open("vfio-user:fd=0,reconnect=5", NULL, &dev), -EINVAL);
	assert_null(dev);
}

/* ---- what is restored ---- */

static void edu_start(struct fixture *f, uint64_t src, uint64_t dst, uint64_t len, uint32_t cmd)
{
	put(f, BAR0, 0x80, 8, src);
	put(f, BAR0, 0x88, 8, dst);
	put(f, BAR0, 0x90, 8, len);
	put(f, BAR0, 0x98, 8, cmd);
}

static void await_irq(struct fixture *f, int fd)
{
	uint64_t count = 0;

	assert_int_equal(vfk_irq_wait(f->dev, &fd, 1, 10000, &count), 1);
	put(f, BAR0, 0x64, 4, 0xffffffff);
}

/* A round through the device's buffer, with an interrupt at each end. */
static void round_trip(struct fixture *f, struct vfk_dma_buffer *b, int irq, const char *text)
{
	uint64_t len = strlen(text) + 1;

	put(f, CONFIG, 4, 2, 6);
	snprintf(b->vaddr, 4096, "%s", text);
	memset((char *)b->vaddr + 4096, 0, 4096);
	edu_start(f, b->dev.addr, EDU_BUFFER, len, 1 | 4);
	await_irq(f, irq);
	edu_start(f, EDU_BUFFER, b->dev.addr + 4096, len, 1 | 2 | 4);
	await_irq(f, irq);
	assert_string_equal((char *)b->vaddr + 4096, text);
}

static void dma_and_irqs_with(struct fixture *f, const char *options)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	struct vfk_dma_space *space;
	int given = eventfd(0, EFD_CLOEXEC), irq = dup(given);
	size_t fds;

	open_device(f, "model:edu", options);
	assert_int_equal(vfk_dma_space_create(&space), 0);
	assert_int_equal(vfk_device_attach_dma(f->dev, space), 0);
	assert_int_equal(vfk_dma_alloc(space, 8192, VFK_DMA_READ | VFK_DMA_WRITE, &b), 0);
	assert_int_equal(vfk_irq_set_eventfds(f->dev, MSI, 0, 1, &given), 0);
	close(given);
	round_trip(f, &b, irq, "before");
	fds = count_fds();
	for (int i = 0; i < 3; i++) {
		lose(f);
		serve_start(&f->serve, "model:edu");
		reconnect(f);
		round_trip(f, &b, irq, i ? "after" : "once more");
		assert_int_equal(count_fds(), fds);
	}
	vfk_device_close(f->dev);
	f->dev = NULL;
	assert_int_equal(vfk_dma_free(space, &b), 0);
	assert_int_equal(vfk_dma_space_destroy(space), 0);
	close(irq);
}

static void dma_and_irqs(void **state)
{
	dma_and_irqs_with(*state, ",reconnect=20");
}

static void dma_and_irqs_twin(void **state)
{
	dma_and_irqs_with(*state, ",reconnect=20,twin=on,batch=100");
}

static void maps_stay(void **state)
{
	struct fixture *f = *state;
	size_t fds, mappings;
	volatile uint32_t *at;
	void *addr;

	open_device(f, "model:testdev,buffer=8192", ",reconnect=20");
	assert_int_equal(
		vfk_region_map(f->dev, BUFFER_BAR, 4096, 4096, PROT_READ | PROT_WRITE, &addr), 0);
	at = addr;
	at[0] = 0x11111111;
	put(f, CONFIG, 4, 2, 6);
	assert_int_equal(get(f, BUFFER_BAR, 4096, 4), 0x11111111);
	fds = count_fds();
	mappings = count_mappings();
	for (uint32_t i = 0; i < 3; i++) {
		lose(f);
		assert_int_equal(vfk_device_check(f->dev), -ECONNRESET);
		at[0] = 0x22222222; /* nobody is behind it, and it does no harm */
		serve_start(&f->serve, "model:testdev,buffer=8192");
		reconnect(f);
		put(f, CONFIG, 4, 2, 6);
		assert_int_equal(at[0], 0);
		at[0] = 0x33333333 + i;
		assert_int_equal(get(f, BUFFER_BAR, 4096, 4), 0x33333333 + i);
		put(f, BUFFER_BAR, 4100, 4, 0x44444444 + i);
		assert_int_equal(at[1], 0x44444444 + i);
		assert_int_equal(count_fds(), fds);
		assert_int_equal(count_mappings(), mappings);
	}
	assert_int_equal(vfk_region_unmap(f->dev, addr), 0);
	assert_int_equal(count_mappings(), mappings - 1);
}

/* What takes away has its effect on a lost device. */
static void taken_away_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct vfk_dma_buffer b = { .size = sizeof(b) };
	struct vfk_dma_buffer c[2] = { { .size = sizeof(b) }, { .size = sizeof(b) } };
	struct vfk_dma_space *space;
	int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	size_t fds = count_fds();
	uint64_t count;

	open_device(f, "model:edu", ",reconnect=20");
	assert_int_equal(vfk_dma_space_create(&space), 0);
	assert_int_equal(vfk_device_attach_dma(f->dev, space), 0);
	assert_int_equal(vfk_dma_alloc(space, 4096, VFK_DMA_READ | VFK_DMA_WRITE, &b), 0);
	assert_int_equal(vfk_dma_alloc(space, 4096, VFK_DMA_READ | VFK_DMA_WRITE, &c[0]), 0);
	assert_int_equal(vfk_dma_alloc(space, 4096, VFK_DMA_READ | VFK_DMA_WRITE, &c[1]), 0);
	assert_int_equal(vfk_irq_set_eventfds(f->dev, MSI, 0, 1, &irq), 0);
	lose(f);
	assert_int_equal(vfk_dma_free(space, &b), 0);
	assert_int_equal(vfk_dma_alloc(space, 4096, VFK_DMA_READ, &b), -ECONNRESET);
	/* all at once, too; and there is nothing to attach */
	assert_int_equal(vfk_device_detach_dma(f->dev), 0);
	assert_int_equal(vfk_dma_free(space, &c[0]), 0);
	assert_int_equal(vfk_dma_free(space, &c[1]), 0);
	assert_int_equal(vfk_device_attach_dma(f->dev, space), -ECONNRESET);
	assert_int_equal(vfk_irq_disable(f->dev, MSI), -ECONNRESET);
	assert_int_equal(vfk_irq_set_eventfds(f->dev, MSI, 0, 1, &irq), -ECONNRESET);
	serve_start(&f->serve, "model:edu");
	reconnect(f);
	assert_int_equal(vfk_irq_trigger(f->dev, MSI, 0, 1), -EINVAL);
	assert_int_equal(read(irq, &count, sizeof(count)), -1);
	vfk_device_close(f->dev);
	f->dev = NULL;
	assert_int_equal(vfk_dma_space_destroy(space), 0);
	assert_int_equal(count_fds(), fds);
	close(irq);
}

/* Those of the old server ring nothing; the new one hands out its own. */
static void doorbells_are_offered_again(void **state)
{
	struct fixture *f = *state;
	struct vfk_region_io_fd bells[8];
	const uint64_t one = 1;
	size_t fds = count_fds(), count;

	open_device(f, "doorbell", ",reconnect=20");
	for (int i = 0; i < 3; i++) {
		put(f, CONFIG, 4, 2, 6);
		assert_int_equal(vfk_region_get_io_fds(f->dev, BAR0, bells, 8, &count), 0);
		assert_int_equal(count, 4);
		assert_int_equal(write(bells[0].fd, &one, sizeof(one)), sizeof(one));
		while (!get(f, BAR0, 0x10, 4))
			;
		lose(f);
		assert_int_equal(vfk_region_get_io_fds(f->dev, BAR0, bells, 8, &count),
				 -ECONNRESET);
		serve_start(&f->serve, "doorbell");
		reconnect(f);
		assert_int_equal(write(bells[0].fd, &one, sizeof(one)), sizeof(one));
		assert_int_equal(get(f, BAR0, 0x10, 4), 0);
		for (size_t b = 0; b < 4; b++)
			close(bells[b].fd);
	}
	vfk_device_close(f->dev);
	f->dev = NULL;
	assert_int_equal(count_fds(), fds);
}

static void through_filters(void **state)
{
	struct fixture *f = *state;
	static const char *const filters[] = { "delay,us=1", "trace,file=/dev/null" };
	struct vfk_open_opts opts = { .size = sizeof(opts), .filters = filters, .num_filters = 2 };
	char uri[160];

	serve_start(&f->serve, "model:edu");
	snprintf(uri, sizeof(uri), "vfio-user:%s,reconnect=20", f->serve.path);
	assert_int_equal(vfk_device_open(uri, &opts, &f->dev), 0);
	assert_int_equal(vfk_device_set_lost(f->dev, on_lost, f), 0);
	lose(f);
	assert_int_equal(f->told, 1);
	serve_start(&f->serve, "model:edu");
	reconnect(f);
	assert_int_equal(get(f, BAR0, 0, 4), EDU_ID);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(told_once),
		CASE(poll_tells),
		CASE(not_asked_for),
		CASE(bad_options),
		CASE(dma_and_irqs),
		CASE(dma_and_irqs_twin),
		CASE(maps_stay),
		CASE(taken_away_meanwhile),
		CASE(doorbells_are_offered_again),
		CASE(through_filters),
	};

	return cmocka_run_group_tests_name("reconnect-restore", tests, NULL, NULL);
}
