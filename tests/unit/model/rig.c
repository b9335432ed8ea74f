/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.c - a model behind its vector, and the probe model; see rig.h. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io/model/model_io.h"
#include "rig.h"

/* ---- the probe ---- */

struct probe probe;

int probe_identity(struct vfk_model *model)
{
	static const struct vfk_model_identity identity = {
		.vendor = 0x1af4,
		.device = 0x4242,
		.subvendor = 0x1111,
		.subdevice = 0x2222,
		.class_code = 0x088000,
		.revision = 7,
	};

	return vfk_model_set_identity(model, &identity);
}

int probe_bar(struct vfk_model *model, unsigned int index, uint64_t length, uint32_t flags)
{
	const struct vfk_model_bar bar = {
		.size = sizeof(bar),
		.length = length,
		.flags = flags,
		.fd = -1,
	};

	return vfk_model_add_bar(model, index, &bar);
}

static int declare_default(struct vfk_model *model)
{
	int ret = probe_identity(model);

	return ret ? ret : probe_bar(model, 0, 4096, 0);
}

void probe_reset(int (*declare)(struct vfk_model *model))
{
	memset(&probe, 0, sizeof(probe));
	probe.declare = declare ? declare : declare_default;
}

static int probe_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	(void)self;
	(void)uri;
	probe.model = model;
	return probe.declare(model);
}

static void probe_fini(struct vfk_model *model, void *self)
{
	(void)model;
	(void)self;
	probe.finis++;
}

static void note(bool write, uint64_t off, size_t len)
{
	if (probe.accesses < PROBE_LOG) {
		probe.log[probe.accesses].write = write;
		probe.log[probe.accesses].off = off;
		probe.log[probe.accesses].len = len;
	}
	probe.accesses++;
}

static int probe_read(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
		      void *buf, size_t len)
{
	uint8_t *byte = buf;

	(void)model;
	(void)self;
	(void)bar;
	note(false, off, len);
	for (size_t i = 0; i < len; i++)
		byte[i] = probe.memory[(off + i) % sizeof(probe.memory)];
	return probe.fail;
}

static int probe_write(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
		       const void *buf, size_t len)
{
	const uint8_t *byte = buf;

	(void)self;
	(void)bar;
	note(true, off, len);
	for (size_t i = 0; i < len; i++)
		probe.memory[(off + i) % sizeof(probe.memory)] = byte[i];
	if (probe.on_write)
		probe.on_write(model, off);
	return probe.fail;
}

static ssize_t probe_region_read(struct vfk_model *model, void *self, unsigned int region,
				 uint64_t off, void *buf, size_t len)
{
	int ret;

	if (probe.region_limit && len > probe.region_limit)
		len = probe.region_limit;
	ret = probe_read(model, self, region, off, buf, len);
	return ret ? ret : (ssize_t)len;
}

static ssize_t probe_region_write(struct vfk_model *model, void *self, unsigned int region,
				  uint64_t off, const void *buf, size_t len)
{
	int ret = probe_write(model, self, region, off, buf, len);

	return ret ? ret : (ssize_t)len;
}

static void probe_was_reset(struct vfk_model *model, void *self)
{
	(void)model;
	(void)self;
	probe.resets++;
}

static void probe_config_write(struct vfk_model *model, void *self, unsigned int off, size_t len)
{
	(void)model;
	(void)self;
	(void)off;
	(void)len;
	probe.config_writes++;
}

static void probe_map(struct vfk_model *model, void *self, uint64_t iova, uint64_t length,
		      uint32_t prot)
{
	(void)model;
	(void)self;
	(void)iova;
	(void)length;
	(void)prot;
	probe.maps++;
}

static void probe_unmap(struct vfk_model *model, void *self, uint64_t iova, uint64_t length)
{
	(void)self;
	(void)length;
	probe.unmaps++;
	if (probe.on_unmap)
		probe.on_unmap(model, iova);
}

const struct vfk_model_ops probe_ops = {
	.size = sizeof(struct vfk_model_ops),
	.name = "probe",
	.help = "for tests",
	.init = probe_init,
	.fini = probe_fini,
	.bar_read = probe_read,
	.bar_write = probe_write,
	.reset = probe_was_reset,
	.config_write = probe_config_write,
	.dma_map = probe_map,
	.dma_unmap = probe_unmap,
	.region_read = probe_region_read,
	.region_write = probe_region_write,
};

/* ---- opening ---- */

struct vfk_guard *rig_guard;

int rig_try(const char *uri, const struct vfk_model_ops *ops, uint32_t flags, struct vfk_io **out)
{
	const struct vfk_open_opts opts = {
		.size = sizeof(opts), .flags = flags, .timeout_ms = 5000, .guard = rig_guard
	};
	struct vfk_io *io = calloc(1, vfki_model_io_ops.instance_size);
	struct vfk_uri *parsed;
	int ret;

	assert_non_null(io);
	assert_int_equal(vfk_uri_parse(uri, &parsed), 0);
	io->ops = &vfki_model_io_ops;
	io->name = "model:under-test";
	if (ops)
		vfki_model_io_set_ops(io, ops);
	ret = io->ops->open(io, parsed, &opts);
	vfk_uri_free(parsed);
	if (ret)
		free(io);
	else
		*out = io;
	return ret;
}

struct vfk_io *rig_open(const char *uri, uint32_t flags)
{
	struct vfk_io *io = NULL;

	assert_int_equal(rig_try(uri, NULL, flags, &io), 0);
	return io;
}

struct vfk_io *rig_probe(int (*declare)(struct vfk_model *model), uint32_t flags)
{
	struct vfk_io *io = NULL;

	probe_reset(declare);
	assert_int_equal(rig_try("model:probe", &probe_ops, flags, &io), 0);
	return io;
}

void rig_close(struct vfk_io *io)
{
	io->ops->close(io);
	free(io);
	probe.model = NULL;
}

/* ---- access ---- */

ssize_t rig_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	return io->ops->region_read(io, region, off, buf, len);
}

ssize_t rig_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf, size_t len)
{
	return io->ops->region_write(io, region, off, buf, len, 0);
}

uint64_t rig_get(struct vfk_io *io, uint32_t region, uint64_t off, size_t width)
{
	uint8_t b[8] = { 0 };
	uint64_t value = 0;

	assert_int_equal(rig_read(io, region, off, b, width), width);
	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)b[i] << 8 * i;
	return value;
}

void rig_put(struct vfk_io *io, uint32_t region, uint64_t off, size_t width, uint64_t value)
{
	uint8_t b[8];

	for (size_t i = 0; i < width; i++)
		b[i] = (uint8_t)(value >> 8 * i);
	assert_int_equal(rig_write(io, region, off, b, width), width);
}

unsigned int rig_cap(struct vfk_io *io, uint8_t id)
{
	unsigned int at = (unsigned int)rig_get(io, CONFIG, PCI_CAPABILITY_LIST, 1);

	for (int i = 0; at && i < 48; i++) {
		assert_true(at >= 64 && at % 4 == 0);
		if (rig_get(io, CONFIG, at, 1) == id)
			return at;
		at = (unsigned int)rig_get(io, CONFIG, at + 1, 1);
	}
	return 0;
}

void rig_command(struct vfk_io *io, uint16_t set, uint16_t clear)
{
	uint64_t command = rig_get(io, CONFIG, PCI_COMMAND, 2);

	rig_put(io, CONFIG, PCI_COMMAND, 2, (command | set) & ~(uint64_t)clear);
}

/* ---- interrupts ---- */

int rig_irqs(struct vfk_io *io, uint32_t index, uint32_t flags, uint32_t start, uint32_t count,
	     const void *data)
{
	size_t each = flags & BOOLS ? 1 : flags & EVENTFDS ? sizeof(int32_t) : 0;
	size_t size = sizeof(struct vfio_irq_set) + count * each;
	struct vfio_irq_set *set = calloc(1, size);
	int ret;

	assert_non_null(set);
	set->argsz = (uint32_t)size;
	set->flags = flags;
	set->index = index;
	set->start = start;
	set->count = count;
	if (each)
		memcpy(set->data, data, count * each);
	ret = io->ops->set_irqs(io, set);
	free(set);
	return ret;
}

int rig_arm(struct vfk_io *io, uint32_t index, uint32_t start, uint32_t count, const int *fds)
{
	return rig_irqs(io, index, TRIGGER | EVENTFDS, start, count, fds);
}

int rig_disable(struct vfk_io *io, uint32_t index)
{
	return rig_irqs(io, index, TRIGGER | NO_DATA, 0, 0, NULL);
}

int rig_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

uint64_t rig_signals(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

uint64_t rig_wait(struct vfk_io *io, int fd, int ms)
{
	uint64_t end = rig_now_ms() + (uint64_t)ms;
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

	if (io)
		p[1].fd = io->ops->poll_fd(io);
	while (rig_now_ms() < end) {
		assert_true(poll(p, 2, ms) >= 0);
		if (p[1].revents)
			assert_true(io->ops->dispatch(io) >= 0);
		if (p[0].revents)
			return rig_signals(fd);
	}
	return 0;
}

/* ---- DMA ---- */

int rig_map(struct vfk_io *io, uint64_t iova, void *vaddr, uint64_t len, uint32_t prot)
{
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = iova,
		.length = len,
		.prot = prot,
		.fd = -1,
		.vaddr = vaddr,
	};
	struct vfk_dma_addr addr = { 0 };
	int ret = io->dma->map(io, &m, &addr);

	if (!ret) {
		assert_int_equal(addr.addr, iova);
		assert_int_equal(addr.contiguous, len);
	}
	return ret;
}

int rig_unmap(struct vfk_io *io, uint64_t iova, uint64_t len, uint32_t timeout_ms)
{
	return io->dma->unmap(io, iova, len, timeout_ms);
}

/* ---- the process ---- */

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

unsigned int rig_count_fds(void)
{
	return count_entries("/proc/self/fd");
}

unsigned int rig_count_threads(void)
{
	return count_entries("/proc/self/task");
}

uint64_t rig_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
