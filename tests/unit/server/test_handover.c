/* SPDX-License-Identifier: BSD-3-Clause */
/* test_handover.c - what becomes of hardware when its client goes: here an edu that says it is hardware. */
#include "lib/device/device.h"
#include "rig.h"
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define BAR0   VFIO_PCI_BAR0_REGION_INDEX

/* edu's registers (QEMU, docs/specs/edu) */
#define FACTORIAL 0x08

struct fixture {
	struct vfk_device *dev;
	struct rig rig;
	char dir[64], path[96], trace[96];
	struct vfk_io_ops ops; /* the filter's, for a test to change */
};

static struct vfk_io *backend(struct fixture *f)
{
	return f->dev->io.io->next;
}

static int set_up(void **state)
{
	static struct fixture f;
	struct vfk_open_opts opts = { .size = sizeof(opts), .flags = VFK_OPEN_DISPATCH };
	char filter[128];
	const char *filters[] = { filter };

	snprintf(f.dir, sizeof(f.dir), "/tmp/vfiokit-server-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
	snprintf(f.trace, sizeof(f.trace), "%s/trace", f.dir);
	snprintf(filter, sizeof(filter), "trace,file=%s", f.trace);
	opts.filters = filters;
	opts.num_filters = 1;
	assert_int_equal(vfk_device_open("model:edu", &opts, &f.dev), 0);
	backend(&f)->flags = VFK_IO_HARDWARE;
	f.ops = *f.dev->io.io->ops;
	f.dev->io.io->ops = &f.ops;
	f.rig.server = NULL;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->rig.server)
		rig_close(&f->rig);
	vfk_device_close(f->dev);
	assert_int_equal(unlink(f->trace), 0);
	assert_int_equal(rmdir(f->dir), 0);
	return 0;
}

static void serve(struct fixture *f, uint32_t flags)
{
	struct vfk_server_opts opts = { .size = sizeof(opts), .flags = flags };

	rig_listen(&f->rig, f->dev, f->path, &opts);
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

static uint64_t get(struct fixture *f, uint32_t region, uint64_t off, unsigned int width)
{
	uint64_t value = 0;

	assert_int_equal(vfk_region_get(f->dev, region, off, width, &value), 0);
	return value;
}

static bool is_master(struct fixture *f)
{
	return get(f, CONFIG, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

static void put(struct fixture *f, uint32_t region, uint64_t off, uint32_t width, uint32_t value)
{
	uint8_t write[20];

	memcpy(write, &off, 8);
	memcpy(write + 8, &region, 4);
	memcpy(write + 12, &width, 4);
	memcpy(write + 16, &value, 4);
	assert_int_equal(rig_ask(&f->rig, CMD_REGION_WRITE, write, 16 + width), 0);
}

/* Bus mastering, a mapping, an interrupt, a register that a reset changes. */
static void use(struct fixture *f)
{
	uint32_t set[5] = { 20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			    VFIO_PCI_MSI_IRQ_INDEX, 0, 1 };
	uint64_t map[4] = { 32 | UINT64_C(3) << 32, 0, 0x1000, 0x1000 };
	int fd;

	put(f, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(rig_ask_fds(&f->rig, CMD_SET_IRQS, set, sizeof(set), &fd, 1), 0);
	close(fd);
	fd = memfd_create("client", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 0x1000), 0);
	assert_int_equal(rig_ask_fds(&f->rig, CMD_DMA_MAP, map, sizeof(map), &fd, 1), 0);
	close(fd);
	put(f, BAR0, FACTORIAL, 4, 5);
	assert_int_equal(get(f, BAR0, FACTORIAL, 4), 120);
	assert_true(is_master(f));
}

static bool was_reset(struct fixture *f)
{
	/* Decoding was kept, with all of config space. */
	return get(f, BAR0, FACTORIAL, 4) != 120;
}

/* The line of the trace, from 1 on, that has both words and comes last; 0 if there is none. */
static int line_with(struct fixture *f, const char *word, const char *other)
{
	FILE *file = fopen(f->trace, "r");
	int found = 0, number = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		number++;
		if (strstr(line, word) && strstr(line, other))
			found = number;
	}
	fclose(file);
	return found;
}

static void quiet_then_reset_then_unmapped(void **state)
{
	struct fixture *f = *state;
	int quiet, disarmed, reset, unmapped;

	serve(f, 0);
	for (int i = 1; i <= 3; i++) {
		come(f);
		use(f);
		go(f);
		assert_int_equal(f->rig.disconnected, i);
		assert_false(is_master(f));
		assert_true(was_reset(f));
	}
	quiet = line_with(f, "region_write(", "region=7");
	disarmed = line_with(f, "set_irqs(", "count=0");
	reset = line_with(f, "reset(", "");
	unmapped = line_with(f, "dma_unmap", "");
	assert_true(quiet > 0);
	assert_true(disarmed > quiet);
	assert_true(reset > disarmed);
	assert_true(unmapped > reset);
	assert_int_equal(f->rig.result, 0);
}

/* One that only connects has changed nothing. */
static void not_for_a_passer_by(void **state)
{
	struct fixture *f = *state;

	serve(f, 0);
	for (int i = 0; i < 3; i++) {
		f->rig.fd = rig_connect(f->path);
		rig_pump(&f->rig, 0);
		go(f);
	}
	assert_int_equal(f->rig.refused, 3);
	assert_int_equal(line_with(f, "reset(", ""), 0);
}

static void kept_when_told(void **state)
{
	struct fixture *f = *state;

	serve(f, VFK_SERVER_KEEP);
	come(f);
	use(f);
	go(f);
	assert_true(is_master(f));
	assert_false(was_reset(f));
	assert_int_equal(line_with(f, "reset(", ""), 0);
	assert_true(line_with(f, "dma_unmap", "") > 0);
	come(f);
	go(f);
}

static void a_model_is_kept(void **state)
{
	struct fixture *f = *state;

	backend(f)->flags = 0;
	serve(f, 0);
	come(f);
	use(f);
	go(f);
	assert_true(is_master(f));
	assert_false(was_reset(f));
}

/* The next one is not even accepted, and the program is told. */
static void no_next_one(struct fixture *f, int err)
{
	int early = rig_connect(f->path);

	go(f);
	assert_int_equal(f->rig.result, err);
	assert_int_equal(vfk_server_dispatch(f->rig.server), err);
	assert_false(vfk_server_has_client(f->rig.server));
	f->rig.fd = early;
	assert_true(rig_silent(&f->rig));
	assert_int_equal(f->rig.connected, 1);
}

static void without_a_reset(void **state)
{
	struct fixture *f = *state;

	f->dev->io.info.flags &= ~(uint32_t)VFIO_DEVICE_FLAGS_RESET;
	serve(f, 0);
	come(f);
	use(f);
	no_next_one(f, -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "reset"));
	assert_false(is_master(f));
	assert_true(line_with(f, "dma_unmap", "") > 0);
}

static void without_a_reset_when_told(void **state)
{
	struct fixture *f = *state;

	f->dev->io.info.flags &= ~(uint32_t)VFIO_DEVICE_FLAGS_RESET;
	serve(f, VFK_SERVER_WITHOUT_RESET);
	for (int i = 0; i < 2; i++) {
		come(f);
		use(f);
		go(f);
		assert_false(is_master(f));
		assert_false(was_reset(f));
	}
	assert_int_equal(f->rig.result, 0);
}

static int fails(struct vfk_io *io)
{
	(void)io;
	return -EIO;
}

/* Can be reset, but is not: that is no device without a reset. */
static void with_a_reset_that_fails(void **state)
{
	struct fixture *f = *state;

	f->ops.reset = fails;
	serve(f, VFK_SERVER_WITHOUT_RESET);
	come(f);
	use(f);
	no_next_one(f, -EIO);
}

static ssize_t cannot_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	(void)io, (void)region, (void)off, (void)buf, (void)len, (void)flags;
	return -EIO;
}

/* Resetting it would bring bus mastering back. */
static void that_cannot_be_made_quiet(void **state)
{
	struct fixture *f = *state;

	serve(f, VFK_SERVER_WITHOUT_RESET);
	come(f);
	use(f);
	f->dev->io.region_write = cannot_write;
	no_next_one(f, -EIO);
}

/* With its only client it ends as ever. */
static void only_client(void **state)
{
	struct fixture *f = *state;

	f->dev->io.info.flags &= ~(uint32_t)VFIO_DEVICE_FLAGS_RESET;
	rig_pair(&f->rig, f->dev, NULL);
	assert_int_equal(rig_version(&f->rig, 0, 2, "{\"capabilities\":{\"max_msg_fds\":16}}"), 0);
	use(f);
	go(f);
	assert_int_equal(f->rig.result, -ENOTCONN);
	assert_false(is_master(f));
}

static void closing_the_server(void **state)
{
	struct fixture *f = *state;

	serve(f, 0);
	come(f);
	use(f);
	vfk_server_close(f->rig.server);
	f->rig.server = NULL;
	close(f->rig.fd);
	assert_false(is_master(f));
	assert_true(was_reset(f));
}

static void without_an_iommu(void **state)
{
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	struct vfk_server *server = NULL;
	struct fixture *f = *state;

	backend(f)->flags |= VFK_IO_NOIOMMU;
	assert_int_equal(vfk_server_listen(f->dev, f->path, &opts, &server), -EPERM);
	assert_null(server);
	serve(f, VFK_SERVER_WITHOUT_IOMMU);
	come(f);
	go(f);
}

static void unknown_flags(void **state)
{
	struct vfk_server_opts opts = { .size = sizeof(opts), .flags = 1u << 31 };
	struct vfk_server *server = NULL;
	struct fixture *f = *state;

	assert_int_equal(vfk_server_listen(f->dev, f->path, &opts, &server), -EINVAL);
	assert_null(server);
	/* The trace is made with the first line, which a refused server does not cause. */
	get(f, CONFIG, PCI_COMMAND, 2);
}

#define REQUEST VFIO_PCI_REQ_IRQ_INDEX

/* As the kernel does. */
static int ask_for_it(struct fixture *f)
{
	return vfk_irq_trigger(f->dev, REQUEST, 0, 1);
}

/* Arms it for the client, with @fd; -1 disarms it. Returns as rig_ask(). */
static int listen_to_requests(struct fixture *f, int fd)
{
	uint32_t set[5] = { 20, VFIO_IRQ_SET_ACTION_TRIGGER, REQUEST, 0, fd >= 0 };

	set[1] |= fd >= 0 ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE;
	return rig_ask_fds(&f->rig, CMD_SET_IRQS, set, sizeof(set), &fd, fd >= 0);
}

static void recalled(struct fixture *f)
{
	assert_int_equal(ask_for_it(f), 0);
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.result, -ENODEV);
	assert_int_equal(vfk_server_dispatch(f->rig.server), -ENODEV);
}

static void recalled_without_a_client(void **state)
{
	struct fixture *f = *state;

	serve(f, 0);
	recalled(f);
}

static void recalled_from_a_client_that_does_not_listen(void **state)
{
	struct fixture *f = *state;

	serve(f, 0);
	come(f);
	use(f);
	recalled(f);
	assert_int_equal(f->rig.disconnected, 1);
	assert_non_null(strstr(f->rig.text, "asks for the device back"));
	assert_false(is_master(f));
	assert_true(rig_closed(&f->rig));
}

/* It is the client's then to let go; after that, the server's. */
static void recalled_from_a_client_that_listens(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct fixture *f = *state;
	uint64_t count = 0;

	serve(f, 0);
	come(f);
	assert_int_equal(listen_to_requests(f, fd), 0);
	assert_int_equal(ask_for_it(f), 0);
	rig_pump(&f->rig, 0);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(f->rig.result, 0);
	assert_true(vfk_server_has_client(f->rig.server));
	go(f);
	recalled(f);
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	close(fd);
}

static void recalled_from_a_client_that_listens_no_more(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct fixture *f = *state;

	serve(f, 0);
	come(f);
	assert_int_equal(listen_to_requests(f, fd), 0);
	assert_int_equal(listen_to_requests(f, -1), 0);
	recalled(f);
	close(fd);
}

/* What the server listens with is not the client's to signal, or to take away. */
static void a_client_cannot_recall(void **state)
{
	uint32_t set[5] = { 20, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, REQUEST, 0,
			    1 };
	struct fixture *f = *state;

	serve(f, 0);
	come(f);
	assert_int_equal(rig_ask(&f->rig, CMD_SET_IRQS, set, sizeof(set)), EINVAL);
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.result, 0);
	(void)listen_to_requests(f, -1);
	recalled(f);
}

static void a_model_is_not_asked_for(void **state)
{
	struct fixture *f = *state;

	backend(f)->flags = 0;
	serve(f, 0);
	assert_int_equal(ask_for_it(f), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(quiet_then_reset_then_unmapped),
		CASE(not_for_a_passer_by),
		CASE(kept_when_told),
		CASE(a_model_is_kept),
		CASE(without_a_reset),
		CASE(without_a_reset_when_told),
		CASE(with_a_reset_that_fails),
		CASE(that_cannot_be_made_quiet),
		CASE(only_client),
		CASE(closing_the_server),
		CASE(without_an_iommu),
		CASE(unknown_flags),
		CASE(recalled_without_a_client),
		CASE(recalled_from_a_client_that_does_not_listen),
		CASE(recalled_from_a_client_that_listens),
		CASE(recalled_from_a_client_that_listens_no_more),
		CASE(a_client_cannot_recall),
		CASE(a_model_is_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
