/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.c - calls the library step by step, for tests that watch what comes out at the other end of the socket.
 *
 *	steps URI TIMEOUT_MS STEP[=NUMBER[,NUMBER]]...
 *
 * Each step prints a line: its name and what the call returned, and what it got. The names are in the table below.
 * Interrupts are of index 2, accesses of 4 bytes in region 0. Exits with 1 if the device cannot be opened or the library left
 * a descriptor open. One thread.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#define IRQ	2
#define VECTORS 2048
#define PAGE	4096
#define MEMORY	(1024 * PAGE)

static struct vfk_device *dev;
static int events[VECTORS];
static struct vfk_dma_space *space; /* NULL until it is needed */
static int memory = -1;
static uint8_t own[16 * PAGE] __attribute__((aligned(PAGE)));

struct step {
	const char *name;
	long (*call)(uint64_t a, uint64_t b);
};

/* ---- interrupts: first vector, number ---- */

static long eventfds(uint32_t action, uint64_t start, uint64_t count, bool take)
{
	static union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + VECTORS * sizeof(int32_t)];
	} all;

	all.set.argsz = (uint32_t)(sizeof(all.set) + count * sizeof(int32_t));
	all.set.flags = VFIO_IRQ_SET_DATA_EVENTFD | action;
	all.set.index = IRQ;
	all.set.start = (uint32_t)start;
	all.set.count = (uint32_t)count;
	for (uint64_t i = 0; i < count && i < VECTORS; i++) {
		int32_t fd = take ? -1 : events[(start + i) % VECTORS];

		memcpy(all.room + sizeof(all.set) + i * sizeof(fd), &fd, sizeof(fd));
	}
	return vfk_device_set_irqs(dev, &all.set);
}

static long arm(uint64_t start, uint64_t count)
{
	return eventfds(VFIO_IRQ_SET_ACTION_TRIGGER, start, count, false);
}

static long disarm(uint64_t start, uint64_t count)
{
	return eventfds(VFIO_IRQ_SET_ACTION_TRIGGER, start, count, true);
}

static long unmask(uint64_t start, uint64_t count)
{
	return eventfds(VFIO_IRQ_SET_ACTION_UNMASK, start, count, false);
}

static long disable(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_irq_disable(dev, IRQ);
}

/* How many of the eventfds were signalled once. */
static long signalled(uint64_t a, uint64_t b)
{
	uint64_t count;
	long n = 0;

	(void)a;
	(void)b;
	for (size_t i = 0; i < VECTORS; i++)
		n += read(events[i], &count, sizeof(count)) == sizeof(count) && count == 1;
	return n;
}

/* ---- registers: offset, value ---- */

static long read_register(uint64_t off, uint64_t b)
{
	uint64_t value = 0;
	long ret = vfk_region_get(dev, 0, off, 4, &value);

	(void)b;
	return ret ? ret : (long)value;
}

static long write_register(uint64_t off, uint64_t value)
{
	return vfk_region_put(dev, 0, off, 4, value);
}

static long post_register(uint64_t off, uint64_t value)
{
	uint32_t data = (uint32_t)value;

	return vfk_region_write(dev, 0, off, &data, sizeof(data), VFK_WRITE_POSTED);
}

/* The values 0 to @count - 1, posted; the first failure. */
static long post_many(uint64_t off, uint64_t count)
{
	long ret = 0;

	for (uint64_t i = 0; ret >= 0 && i < count; i++)
		ret = post_register(off, i);
	return ret < 0 ? ret : 0;
}

/* A posted write of @len bytes. */
static long post_long(uint64_t len, uint64_t b)
{
	static const uint8_t zeros[4096];

	(void)b;
	return vfk_region_write(dev, 0, 0, zeros, len, VFK_WRITE_POSTED);
}

/* The values 0 to @count - 1, in one call. */
static long write_multi(uint64_t off, uint64_t count)
{
	static struct vfk_region_write writes[4096];

	for (uint32_t i = 0; i < count; i++) {
		writes[i] = (struct vfk_region_write){ .offset = off, .len = sizeof(i) };
		memcpy(writes[i].data, &i, sizeof(i));
	}
	return vfk_region_write_multi(dev, writes, count);
}

static long flush(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_region_flush(dev);
}

/* @len bytes in one call. */
static long read_long(uint64_t len, uint64_t b)
{
	static uint8_t data[4096];

	(void)b;
	return vfk_region_read(dev, 0, 0, data, len);
}

static long write_long(uint64_t len, uint64_t b)
{
	static const uint8_t zeros[4096];

	(void)b;
	return vfk_region_write(dev, 0, 0, zeros, len, 0);
}

static long write_config(uint64_t off, uint64_t value)
{
	return vfk_region_put(dev, 7, off, 2, value);
}

static long write_wide(uint64_t off, uint64_t value)
{
	return vfk_region_put(dev, 0, off, 8, value);
}

/* The byte at @off of a region, by mapping its page. */
static long peek_mapped(uint64_t region, uint64_t off)
{
	void *addr;
	long ret = vfk_region_map(dev, (uint32_t)region, off & ~(uint64_t)(PAGE - 1), PAGE,
				  PROT_READ, &addr);

	if (ret)
		return ret;
	ret = ((const uint8_t *)addr)[off % PAGE];
	vfk_region_unmap(dev, addr);
	return ret;
}

/* ---- the device ---- */

static long mig_read(uint64_t len, uint64_t b)
{
	static uint8_t data[4096];

	(void)b;
	return vfk_device_mig_read(dev, data, len);
}

/* initial_bytes plus dirty_bytes, or an errno. */
static long precopy(uint64_t a, uint64_t b)
{
	struct vfk_precopy_info info = { .argsz = sizeof(info) };
	long ret = vfk_device_precopy_info(dev, &info);

	(void)a;
	(void)b;
	return ret ? ret : (long)(info.initial_bytes + info.dirty_bytes);
}

static long mig_write(uint64_t len, uint64_t b)
{
	static const uint8_t zeros[4096];

	(void)b;
	return vfk_device_mig_write(dev, zeros, len);
}

static long reset(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_device_reset(dev);
}

static long dispatch(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_device_dispatch(dev);
}

static long sleep_ms(uint64_t ms, uint64_t b)
{
	(void)b;
	return usleep((useconds_t)ms * 1000);
}

/* ---- doorbells: region, room ---- */

static char said[16384]; /* behind the result */

static long get_io_fds(uint64_t region, uint64_t room)
{
	static struct vfk_region_io_fd fds[VFK_REGION_MAX_IO_FDS];
	size_t count = 0, used = 0, max = room ? (size_t)room : VFK_REGION_MAX_IO_FDS;
	long ret = vfk_region_get_io_fds(dev, (uint32_t)region, fds, max, &count);

	for (size_t i = 0; !ret && count <= max && i < count; i++) {
		const struct vfk_region_io_fd *f = &fds[i];

		used += (size_t)snprintf(said + used, sizeof(said) - used,
					 " %llx:%llx:%x:%x:%llx:%llx",
					 (unsigned long long)f->offset,
					 (unsigned long long)f->length, f->type, f->flags,
					 (unsigned long long)f->datamatch,
					 (unsigned long long)f->shadow_offset);
		close(f->fd);
		if (f->shadow_fd >= 0)
			close(f->shadow_fd);
	}
	return ret ? ret : (long)count;
}

/* Signals the eventfd at this place of region 0's. */
static long ring(uint64_t place, uint64_t b)
{
	struct vfk_region_io_fd fds[16];
	const uint64_t one = 1;
	size_t count = 0;
	long ret = vfk_region_get_io_fds(dev, 0, fds, 16, &count);

	(void)b;
	for (size_t i = 0; !ret && i < count; i++) {
		if (i == place && write(fds[i].fd, &one, sizeof(one)) < 0)
			ret = -1;
		close(fds[i].fd);
	}
	return ret;
}

/* Until the register has the value, within ten seconds. */
static long await_register(uint64_t off, uint64_t value)
{
	for (int i = 0; i < 10000; i++) {
		if ((uint64_t)read_register(off, 0) == value)
			return 0;
		usleep(1000);
	}
	return -1;
}

/* The text of the last failure. */
static long why(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	snprintf(said, sizeof(said), " %s", vfk_error());
	return 0;
}

/* ---- memory: IOVA, number of pages; of a file that is shared ---- */

static int attach(void)
{
	int ret;

	if (space)
		return 0;
	memory = memfd_create("steps", MFD_CLOEXEC);
	ret = memory < 0 || ftruncate(memory, MEMORY) ? -1 : vfk_dma_space_create(&space);
	return ret ? ret : vfk_device_attach_dma(dev, space);
}

static long map(uint64_t iova, uint64_t pages)
{
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = iova,
				     .length = pages * PAGE,
				     .prot = VFK_DMA_READ | VFK_DMA_WRITE };
	int ret = attach();

	m.fd = memory;
	return ret ? ret : vfk_dma_map(space, &m, NULL);
}

/* Of memory that has only an address: the device's process asks for it by messages. Its bytes count from 1. */
static long map_private(uint64_t iova, uint64_t pages)
{
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = iova,
				     .length = pages * PAGE,
				     .prot = VFK_DMA_READ | VFK_DMA_WRITE,
				     .fd = -1,
				     .vaddr = own };
	int ret = attach();

	for (size_t i = 0; i < sizeof(own); i++)
		own[i] = (uint8_t)(i + 1);
	return ret ? ret : vfk_dma_map(space, &m, NULL);
}

static long peek(uint64_t off, uint64_t b)
{
	(void)b;
	return own[off % sizeof(own)];
}

static long detach(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_device_detach_dma(dev);
}

static long attach_again(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	return vfk_device_attach_dma(dev, space);
}

static long unmap(uint64_t iova, uint64_t pages)
{
	return vfk_dma_unmap(space, iova, pages * PAGE);
}

static long dirty(uint64_t on, uint64_t b)
{
	int ret = attach();

	(void)b;
	if (ret)
		return ret;
	return on ? vfk_dma_dirty_start(space, PAGE) : vfk_dma_dirty_stop(space);
}

/* The first 32 bits of the bitmap, or an errno. */
static long report(uint64_t iova, uint64_t pages)
{
	static uint64_t bitmap[MEMORY / PAGE / 64];
	long ret = vfk_dma_dirty_report(space, iova, pages * PAGE, bitmap, sizeof(bitmap) / 8);

	return ret ? ret : (long)(bitmap[0] & 0xffffffff);
}

static const struct step steps[] = {
	{ "readlong", read_long },
	{ "writelong", write_long },
	{ "migread", mig_read },
	{ "migwrite", mig_write },
	{ "mapprivate", map_private },
	{ "peek", peek },
	{ "peekmapped", peek_mapped },
	{ "config", write_config },
	{ "wide", write_wide },
	{ "iofds", get_io_fds },
	{ "ring", ring },
	{ "await", await_register },
	{ "precopy", precopy },
	{ "map", map },
	{ "unmap", unmap },
	{ "detach", detach },
	{ "attach", attach_again },
	{ "dirty", dirty },
	{ "report", report },
	{ "arm", arm },
	{ "disarm", disarm },
	{ "unmask", unmask },
	{ "disable", disable },
	{ "signalled", signalled },
	{ "read", read_register },
	{ "write", write_register },
	{ "post", post_register },
	{ "posts", post_many },
	{ "long", post_long },
	{ "multi", write_multi },
	{ "flush", flush },
	{ "reset", reset },
	{ "dispatch", dispatch },
	{ "sleep", sleep_ms },
	{ "why", why },
};

static int run(const char *word)
{
	size_t len = strcspn(word, "=");
	uint64_t a = 0, b = 0;
	char *end;
	long ret;

	if (word[len]) {
		a = strtoull(word + len + 1, &end, 0);
		b = *end ? strtoull(end + 1, NULL, 0) : 0;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strlen(steps[i].name) != len || strncmp(steps[i].name, word, len))
			continue;
		said[0] = 0;
		ret = steps[i].call(a, b);
		printf("%.*s %ld%s\n", (int)len, word, ret, said);
		fflush(stdout);
		return 0;
	}
	fprintf(stderr, "no step %s\n", word);
	return 1;
}

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* Twice the eventfds of all vectors, where the device is in this process. */
static void make_events(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	for (size_t i = 0; i < VECTORS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	struct vfk_open_opts opts = { .size = sizeof(opts) };
	size_t before;
	int ret;

	if (argc < 3)
		return 2;
	opts.timeout_ms = (uint32_t)strtoul(argv[2], NULL, 10);
	make_events();
	before = count_fds();
	ret = vfk_device_open(argv[1], &opts, &dev);
	if (ret) {
		fprintf(stderr, "vfiokit: %s\n", vfk_error());
		return 1;
	}
	for (int i = 3; !ret && i < argc; i++)
		ret = run(argv[i]);
	vfk_device_close(dev);
	vfk_dma_space_destroy(space);
	if (memory >= 0)
		close(memory);
	if (count_fds() != before) {
		fprintf(stderr, "a descriptor was left open\n");
		return 1;
	}
	return ret;
}
