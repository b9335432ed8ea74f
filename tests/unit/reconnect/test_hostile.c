/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hostile.c - what comes back is late, silent, another device, smaller, or dies again at any byte. */
#include "serve.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BAR0	   VFIO_PCI_BAR0_REGION_INDEX
#define CONFIG	   VFIO_PCI_CONFIG_REGION_INDEX
#define INTX	   VFIO_PCI_INTX_IRQ_INDEX
#define MSIX	   VFIO_PCI_MSIX_IRQ_INDEX
#define BUFFER_BAR 2
#define ID	   0x01007e57u
#define TESTDEV	   "model:testdev,buffer=8192,msix=4"
#define PAGE	   4096u

struct fixture {
	struct serve serve;
	struct vfk_device *dev;
	struct vfk_dma_space *space;
	struct vfk_dma_buffer buffer[3];
	int irq[4];
	volatile uint32_t *map;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	serve_set_up(&f.serve);
	for (size_t i = 0; i < 4; i++)
		f.irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vfk_device_close(f->dev);
	for (size_t i = 0; i < 3; i++)
		if (f->buffer[i].vaddr)
			assert_int_equal(vfk_dma_free(f->space, &f->buffer[i]), 0);
	if (f->space)
		assert_int_equal(vfk_dma_space_destroy(f->space), 0);
	for (size_t i = 0; i < 4; i++)
		close(f->irq[i]);
	serve_tear_down(&f->serve);
	return 0;
}

static void open_at(struct fixture *f, const char *path, const char *options)
{
	char uri[192];

	snprintf(uri, sizeof(uri), "vfio-user:%s%s", path, options);
	if (vfk_device_open(uri, NULL, &f->dev)) {
		print_error("%s\n", vfk_error());
		fail();
	}
}

static void open_device(struct fixture *f, const char *server, const char *options)
{
	serve_start(&f->serve, server);
	open_at(f, f->serve.path, options);
}

/* Mappings, dirty tracking, interrupts and a mapped BAR. */
static void use_everything(struct fixture *f)
{
	void *addr;

	assert_int_equal(vfk_dma_space_create(&f->space), 0);
	assert_int_equal(vfk_device_attach_dma(f->dev, f->space), 0);
	for (size_t i = 0; i < 3; i++) {
		f->buffer[i].size = sizeof(f->buffer[i]);
		assert_int_equal(vfk_dma_alloc(f->space, PAGE, VFK_DMA_READ | VFK_DMA_WRITE,
					       &f->buffer[i]),
				 0);
	}
	assert_int_equal(vfk_dma_dirty_start(f->space, PAGE), 0);
	assert_int_equal(vfk_irq_set_eventfds(f->dev, MSIX, 0, 4, f->irq), 0);
	assert_int_equal(vfk_region_map(f->dev, BUFFER_BAR, 0, PAGE, PROT_READ | PROT_WRITE, &addr),
			 0);
	f->map = addr;
}

static uint64_t signals(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void put(struct fixture *f, uint32_t region, uint64_t off, unsigned int width, uint64_t v)
{
	int ret = vfk_region_put(f->dev, region, off, width, v);

	if (ret)
		print_error("%s\n", vfk_error());
	assert_int_equal(ret, 0);
}

/* All that was restored does its work; the buffer's content comes by way of the mapped BAR. */
static void check_everything(struct fixture *f, uint32_t value)
{
	uint64_t id, pending;

	assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &id), 0);
	assert_int_equal(id, ID);
	put(f, CONFIG, 4, 2, 6);
	f->map[0] = value;
	for (size_t i = 0; i < 3; i++) {
		memset(f->buffer[i].vaddr, 0, 4);
		put(f, BAR0, 0x40, 8, 0);
		put(f, BAR0, 0x48, 8, f->buffer[i].dev.addr);
		put(f, BAR0, 0x50, 4, 4);
		put(f, BAR0, 0x54, 4, 1 | 2);
		assert_int_equal(*(uint32_t *)f->buffer[i].vaddr, value);
	}
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(vfk_irq_trigger(f->dev, MSIX, i, 1), 0);
		assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &pending), 0);
		assert_int_equal(signals(f->irq[i]), 1);
	}
}

static void lose(struct fixture *f)
{
	uint64_t v;

	serve_kill(&f->serve);
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
}

static int again(struct fixture *f)
{
	return vfk_device_reconnect(f->dev, vfk_device_epoch(f->dev));
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- dies again ---- */

/* From the first byte of VERSION's reply to the last of the last thing said again. */
static void dies_at_any_byte(void **state)
{
	struct fixture *f = *state;
	size_t fds, mappings;
	char path[128];
	struct cutter *c;
	uint64_t v;
	long total;

	serve_start(&f->serve, TESTDEV);
	c = cutter_start(&f->serve, path, sizeof(path));
	open_at(f, path, ",reconnect=20");
	use_everything(f);
	cutter_cut(c);
	while (!vfk_region_get(f->dev, BAR0, 0, 4, &v))
		;
	cutter_passed(c);
	assert_int_equal(again(f), 0);
	total = cutter_passed(c);
	assert_true(total > 500);
	check_everything(f, 1);
	fds = count_fds();
	mappings = count_mappings();
	/* a prime, so that every residue comes by; each of the first bytes */
	for (long cut = 1; cut < total; cut += cut < 20 ? 1 : 7) {
		uint64_t epoch = vfk_device_epoch(f->dev);
		int ret;

		cutter_cut(c);
		while (!vfk_region_get(f->dev, BAR0, 0, 4, &v))
			;
		assert_int_equal(vfk_device_epoch(f->dev), epoch + 1);
		cutter_budget(c, cut);
		ret = again(f);
		assert_true(ret == 0 || ret == -ECONNRESET);
		/* it failed as a whole: the same loss is acknowledged again */
		if (ret) {
			assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
			assert_int_equal(vfk_device_epoch(f->dev), epoch + 1);
			assert_int_equal(again(f), 0);
		}
		check_everything(f, (uint32_t)cut);
		assert_int_equal(count_mappings(), mappings);
	}
	assert_int_equal(count_fds(), fds);
	vfk_device_close(f->dev);
	f->dev = NULL;
	cutter_stop(c);
}

/* ---- comes late, or not ---- */

static void later_than_the_bound(void **state)
{
	struct fixture *f = *state;
	double begin;

	open_device(f, TESTDEV, ",reconnect=1");
	use_everything(f);
	lose(f);
	begin = now();
	assert_int_equal(again(f), -ETIMEDOUT);
	assert_true(now() - begin >= 1 && now() - begin < 5);
	assert_non_null(strstr(vfk_error(), "onnect"));
	unlink(f->serve.path);
	assert_int_equal(again(f), -ETIMEDOUT);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	check_everything(f, 5);
}

static void *reconnect_in_thread(void *arg)
{
	return (void *)(intptr_t)again(arg);
}

static void waited_for(void **state)
{
	struct fixture *f = *state;
	const struct timespec ts = { .tv_nsec = 300000000 };
	pthread_t thread;
	uint64_t v;
	void *ret;

	open_device(f, TESTDEV, ",reconnect=30");
	use_everything(f);
	lose(f);
	pthread_create(&thread, NULL, reconnect_in_thread, f);
	nanosleep(&ts, NULL);
	/* nobody else waits with it */
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
	assert_int_equal(again(f), -EBUSY);
	serve_start(&f->serve, TESTDEV);
	pthread_join(thread, &ret);
	assert_ptr_equal(ret, NULL);
	check_everything(f, 6);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void says_nothing(void **state)
{
	struct fixture *f = *state;
	double begin;
	int fd;

	open_device(f, TESTDEV, ",reconnect=1,timeout=200");
	lose(f);
	fd = listen_at(f->serve.path, SOCK_STREAM);
	begin = now();
	assert_int_equal(again(f), -ETIMEDOUT);
	assert_true(now() - begin >= 1 && now() - begin < 5);
	close(fd);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
}

static void waiting_does_not_mend(void **state)
{
	struct fixture *f = *state;
	double begin;
	int fd;

	open_device(f, TESTDEV, ",reconnect=20");
	lose(f);
	fd = listen_at(f->serve.path, SOCK_SEQPACKET);
	begin = now();
	assert_int_equal(again(f), -EPROTOTYPE);
	assert_true(now() - begin < 10);
	close(fd);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
}

static void *answer_garbage(void *arg)
{
	uint8_t bytes[256];
	int fd = accept(*(int *)arg, NULL, NULL);

	(void)!read(fd, bytes, sizeof(bytes));
	memset(bytes, 0xff, sizeof(bytes));
	(void)!write(fd, bytes, sizeof(bytes));
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
	return NULL;
}

static void speaks_garbage(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	int fd;

	open_device(f, TESTDEV, ",reconnect=20");
	lose(f);
	fd = listen_at(f->serve.path, SOCK_STREAM);
	pthread_create(&thread, NULL, answer_garbage, &fd);
	assert_int_equal(again(f), -EPROTO);
	pthread_join(thread, NULL);
	close(fd);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
}

static void *leave_later(void *arg)
{
	const struct timespec ts = { .tv_nsec = 300000000 };

	nanosleep(&ts, NULL);
	vfk_device_close(arg);
	return NULL;
}

static void has_a_client_already(void **state)
{
	struct fixture *f = *state;
	struct vfk_device *other;
	pthread_t thread;
	char uri[160];

	open_device(f, TESTDEV, ",reconnect=20");
	lose(f);
	serve_start(&f->serve, TESTDEV);
	snprintf(uri, sizeof(uri), "vfio-user:%s", f->serve.path);
	assert_int_equal(vfk_device_open(uri, NULL, &other), 0);
	pthread_create(&thread, NULL, leave_later, other);
	assert_int_equal(again(f), 0);
	pthread_join(thread, NULL);
}

/* ---- another one ---- */

static void another_device(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *uri, *text;
	} others[] = {
		{ "model:null", "then" },
		{ "model:edu", "then" },
		{ "model:testdev,buffer=16384,msix=4", "region 2" },
		{ "model:testdev,buffer=8192,msix=8", "irq 2" },
		{ "model:testdev,buffer=8192,msix=4,sparse=off", "region 4" },
		{ "model:testdev,buffer=8192,msix=4,noresize=on", "irq 2" },
	};
	const struct vfk_region_info *info;
	size_t fds;
	uint64_t v;

	open_device(f, TESTDEV, ",reconnect=20");
	use_everything(f);
	for (uint32_t i = 0; i < vfk_device_num_regions(f->dev); i++)
		assert_int_equal(vfk_region_get_info(f->dev, i, &info), 0);
	fds = count_fds();
	lose(f);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		serve_start(&f->serve, others[i].uri);
		if (again(f) != -ENODEV || !strstr(vfk_error(), others[i].text)) {
			print_error("%s: %s\n", others[i].uri, vfk_error());
			fail();
		}
		assert_non_null(strstr(vfk_error(), "another device"));
		assert_int_equal(vfk_region_get(f->dev, BAR0, 0, 4, &v), -ECONNRESET);
		assert_int_equal(vfk_device_epoch(f->dev), 1);
		serve_kill(&f->serve);
	}
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	check_everything(f, 7);
	assert_int_equal(count_fds(), fds);
}

/* A server in this process, whose limits can be chosen. */
struct small {
	struct vfk_device *model;
	struct vfk_server *server;
	pthread_t thread;
	atomic_bool stop;
};

static void *run_small(void *arg)
{
	struct small *s = arg;
	struct pollfd p = { .fd = vfk_server_poll_fd(s->server), .events = POLLIN };

	while (!atomic_load(&s->stop)) {
		poll(&p, 1, 20);
		if (vfk_server_dispatch(s->server) < 0)
			break;
	}
	return NULL;
}

static void start_small(struct small *s, const char *path, uint32_t max_maps)
{
	struct vfk_server_opts opts = { .size = sizeof(opts),
					.max_dma_maps = max_maps,
					.max_data_xfer_size = 4096 };

	unlink(path);
	assert_int_equal(vfk_device_open(TESTDEV, NULL, &s->model), 0);
	assert_int_equal(vfk_server_listen(s->model, path, &opts, &s->server), 0);
	atomic_store(&s->stop, false);
	assert_int_equal(pthread_create(&s->thread, NULL, run_small, s), 0);
}

static void stop_small(struct small *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	vfk_server_close(s->server);
	vfk_device_close(s->model);
}

static void smaller_limits(void **state)
{
	struct fixture *f = *state;
	static uint8_t page[3 * PAGE];
	struct vfk_dma_limits limits = { .size = sizeof(limits) };
	struct small s;

	open_device(f, TESTDEV, ",reconnect=20");
	use_everything(f);
	lose(f);
	start_small(&s, f->serve.path, 2);
	assert_int_equal(again(f), -ENOSPC);
	stop_small(&s);
	assert_int_equal(vfk_dma_get_limits(f->space, &limits), 0);
	assert_true(limits.max_maps > 3);
	start_small(&s, f->serve.path, 3);
	assert_int_equal(again(f), 0);
	assert_int_equal(vfk_dma_get_limits(f->space, &limits), 0);
	assert_int_equal(limits.max_maps, 3);
	check_everything(f, 8);
	/* more than a message may have now */
	assert_int_equal(vfk_region_read(f->dev, BUFFER_BAR, 0, page, 2 * PAGE), 2 * PAGE);
	vfk_device_close(f->dev);
	f->dev = NULL;
	stop_small(&s);
}

/* ---- what nobody can know counts as the worst ---- */

static void pages_count_as_written(void **state)
{
	struct fixture *f = *state;
	uint64_t bits;

	open_device(f, TESTDEV, ",reconnect=20");
	use_everything(f);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vfk_dma_dirty_report(f->space, f->buffer[i].iova, PAGE, &bits, 1),
				 0);
		assert_int_equal(bits, 0);
	}
	lose(f);
	assert_int_equal(vfk_dma_dirty_report(f->space, f->buffer[0].iova, PAGE, &bits, 1),
			 -ECONNRESET);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vfk_dma_dirty_report(f->space, f->buffer[i].iova, PAGE, &bits, 1),
				 0);
		assert_int_equal(bits, 1);
		assert_int_equal(vfk_dma_dirty_report(f->space, f->buffer[i].iova, PAGE, &bits, 1),
				 0);
		assert_int_equal(bits, 0);
	}
}

static void posted_writes_are_dropped(void **state)
{
	struct fixture *f = *state;
	uint32_t v = 0x1234;
	uint64_t is;

	open_device(f, TESTDEV, ",reconnect=20,batch=1000000");
	assert_int_equal(vfk_region_write(f->dev, BAR0, 0x0c, &v, 4, VFK_WRITE_POSTED), 4);
	serve_kill(&f->serve);
	assert_int_equal(vfk_region_flush(f->dev), -ECONNRESET);
	assert_int_equal(vfk_region_flush(f->dev), -ECONNRESET);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	assert_int_equal(vfk_region_flush(f->dev), 0);
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0x0c, 4, &is), 0);
	assert_int_equal(is, 0);
	assert_int_equal(vfk_region_write(f->dev, BAR0, 0x0c, &v, 4, VFK_WRITE_POSTED), 4);
	assert_int_equal(vfk_region_flush(f->dev), 0);
	assert_int_equal(vfk_region_get(f->dev, BAR0, 0x0c, 4, &is), 0);
	assert_int_equal(is, v);
}

/* The mask and the eventfd that takes it away outlive the server. */
static void masks_are_restored(void **state)
{
	struct fixture *f = *state;
	const uint64_t one = 1;
	uint64_t count;

	open_device(f, TESTDEV, ",reconnect=20");
	assert_int_equal(vfk_irq_set_eventfds(f->dev, INTX, 0, 1, f->irq), 0);
	assert_int_equal(vfk_irq_mask(f->dev, INTX, 0, 1), 0);
	lose(f);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	put(f, CONFIG, 4, 2, 6);
	put(f, BAR0, 0x24, 4, 1);
	assert_int_equal(signals(f->irq[0]), 0);
	assert_int_equal(vfk_irq_unmask(f->dev, INTX, 0, 1), 0);
	assert_int_equal(signals(f->irq[0]), 1);
	/* automasked now; asserted again by the new server's device */
	assert_int_equal(vfk_irq_set_unmask_eventfd(f->dev, INTX, 0, f->irq[1]), 0);
	lose(f);
	serve_start(&f->serve, TESTDEV);
	assert_int_equal(again(f), 0);
	put(f, CONFIG, 4, 2, 6);
	put(f, BAR0, 0x24, 4, 1);
	assert_int_equal(vfk_irq_wait(f->dev, f->irq, 1, 10000, &count), 1);
	assert_int_equal(write(f->irq[1], &one, sizeof(one)), sizeof(one));
	assert_int_equal(vfk_irq_wait(f->dev, f->irq, 1, 10000, &count), 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dies_at_any_byte),
		CASE(later_than_the_bound),
		CASE(waited_for),
		CASE(says_nothing),
		CASE(waiting_does_not_mend),
		CASE(speaks_garbage),
		CASE(has_a_client_already),
		CASE(another_device),
		CASE(smaller_limits),
		CASE(pages_count_as_written),
		CASE(posted_writes_are_dropped),
		CASE(masks_are_restored),
	};

	return cmocka_run_group_tests_name("reconnect-hostile", tests, NULL, NULL);
}
