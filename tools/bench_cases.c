/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_cases.c - what is measured, and against what.
 *
 * The bare messages have the sizes of the vfio-user messages that they stand for: a header of 16 bytes, then the
 * command's own (vfio-user specification, a section each). A kernel's device is held against the bare system calls, a
 * device in this process against memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "failure.h"

#define HEADER	    16u
#define ACCESS	    (HEADER + 16u) /* REGION_READ and _WRITE without data */
#define DMA_MAP	    (HEADER + 32u)
#define DMA_UNMAP   (HEADER + 24u)
#define BATCH	    64u
#define WRITE_MULTI (HEADER + 8u + BATCH * 24u)
#define PAGE	    4096u
#define WAIT_MS	    5000

/* ---- register accesses ---- */

static int device_read(struct bench *b, uint64_t n)
{
	uint32_t value;
	ssize_t ret;

	while (n--) {
		ret = vfk_region_read(b->dev, b->read.region, b->read.offset, &value, 4);
		if (ret != 4)
			return ret < 0 ? (int)ret : -EIO;
	}
	return 0;
}

/* What a read in this process costs at the least: an access to memory. */
static int memory_reads(uint64_t n)
{
	static volatile uint32_t memory;

	while (n--)
		(void)memory;
	return 0;
}

static int ask_each(struct bench *b, uint64_t n, uint32_t size, uint32_t reply)
{
	int ret = 0;

	while (n-- && !ret)
		ret = bench_peer_ask(&b->peer, PEER_NOTHING, size, reply, -1);
	return ret;
}

/* The system calls alone, where the kernel has the device. */
static int kernel_each(struct bench *b, uint64_t n, const struct access *a, bool write)
{
	const struct vfk_region_info *info;
	int ret = vfk_region_get_info(b->dev, a->region, &info);
	uint64_t value = a->value;
	ssize_t done = a->width;
	off_t at;

	if (ret < 0)
		return ret;
	at = (off_t)(info->offset + a->offset);
	while (n-- && done == (ssize_t)a->width)
		done = write ? pwrite(b->kernel_fd, &value, a->width, at) :
			       pread(b->kernel_fd, &value, a->width, at);
	return done == (ssize_t)a->width ? 0 : -EIO;
}

static int bare_read(struct bench *b, uint64_t n)
{
	if (b->kernel_fd >= 0)
		return kernel_each(b, n, &b->read, false);
	return b->socket ? ask_each(b, n, ACCESS, ACCESS + 4) : memory_reads(n);
}

static int needs_write(struct bench *b, const char **why)
{
	if (!b->can_write)
		*why = "no register is known that may be written: --write says one";
	return STATUS_OK;
}

static int write_each(struct bench *b, uint64_t n, unsigned int flags)
{
	ssize_t ret = 0;

	while (n-- && ret >= 0)
		ret = vfk_region_write(b->dev, b->write.region, b->write.offset, &b->write.value,
				       b->write.width, flags);
	return ret < 0 ? (int)ret : 0;
}

static int device_write(struct bench *b, uint64_t n)
{
	return write_each(b, n, 0);
}

static int bare_write(struct bench *b, uint64_t n)
{
	if (b->kernel_fd >= 0)
		return kernel_each(b, n, &b->write, true);
	return b->socket ? ask_each(b, n, ACCESS + b->write.width, ACCESS) : memory_reads(n);
}

static int device_posted(struct bench *b, uint64_t n)
{
	int ret = write_each(b, n, VFK_WRITE_POSTED);

	return ret ? ret : vfk_region_flush(b->dev);
}

/* n writes, in requests of BATCH. */
static int device_batch(struct bench *b, uint64_t n)
{
	struct vfk_region_write writes[BATCH];
	int ret = 0;

	for (unsigned int i = 0; i < BATCH; i++) {
		writes[i] = (struct vfk_region_write){ .offset = b->write.offset,
						       .region = b->write.region,
						       .len = b->write.width };
		memcpy(writes[i].data, &b->write.value, b->write.width);
	}
	for (uint64_t done = 0; done < n && !ret; done += BATCH)
		ret = vfk_region_write_multi(b->dev, writes,
					     n - done < BATCH ? (size_t)(n - done) : BATCH);
	return ret;
}

/* ---- mapped memory ---- */

/* The first page of any region that can be mapped for reading. */
static int prepare_mapped(struct bench *b, const char **why)
{
	const struct vfk_region_info *info;
	void *addr;

	for (uint32_t i = 0; i < vfk_device_num_regions(b->dev); i++) {
		if (vfk_region_get_info(b->dev, i, &info) || !info->num_areas)
			continue;
		if (vfk_region_map(b->dev, i, info->areas[0].offset,
				   info->areas[0].length < PAGE ? info->areas[0].length : PAGE,
				   PROT_READ, &addr))
			continue;
		b->mapped = addr;
		return STATUS_OK;
	}
	*why = "no region can be mapped";
	return STATUS_OK;
}

static int device_mapped(struct bench *b, uint64_t n)
{
	while (n--)
		(void)*b->mapped;
	return 0;
}

static int bare_memory(struct bench *b, uint64_t n)
{
	(void)b;
	return memory_reads(n);
}

static void finish_mapped(struct bench *b)
{
	if (b->mapped)
		vfk_region_unmap(b->dev, (void *)(uintptr_t)b->mapped);
	b->mapped = NULL;
}

/* ---- interrupts ---- */

static int prepare_irq(struct bench *b, const char **why)
{
	int ret;

	if (!b->can_raise) {
		*why = "no register is known that raises the interrupt: --raise says one";
		return STATUS_OK;
	}
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->bare_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd < 0 || b->bare_fd < 0)
		return fail_text(vfk_device_name(b->dev), "eventfd: %m");
	ret = vfk_irq_set_eventfds(b->dev, b->irq, 0, 1, &b->fd);
	if (ret)
		return fail(vfk_device_name(b->dev), ret < 0 ? ret : -ENOSPC);
	if (b->socket)
		ret = bench_peer_ask(&b->peer, PEER_SIGNALS, ACCESS, ACCESS, b->bare_fd);
	if (ret < 0)
		return fail_text("bench", "peer: %s", strerror(-ret));
	return STATUS_OK;
}

static int device_irq(struct bench *b, uint64_t n)
{
	uint64_t count;
	int ret = 0;

	while (n-- && ret >= 0) {
		ret = (int)vfk_region_write(b->dev, b->raise.region, b->raise.offset,
					    &b->raise.value, b->raise.width, 0);
		if (ret >= 0)
			ret = vfk_irq_wait(b->dev, &b->fd, 1, WAIT_MS, &count);
	}
	return ret < 0 ? ret : 0;
}

static int wait_bare(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t count;
	int ret = poll(&poll_fd, 1, WAIT_MS);

	if (ret <= 0)
		return ret ? -errno : -ETIMEDOUT;
	return read(fd, &count, sizeof(count)) < 0 ? -errno : 0;
}

/* The same without a device: a message whose receiver signals, or in this process the signal alone. */
static int bare_irq(struct bench *b, uint64_t n)
{
	uint64_t one = 1;
	int ret = 0;

	while (n-- && !ret) {
		if (b->socket)
			ret = bench_peer_ask(&b->peer, PEER_SIGNALS, ACCESS + b->raise.width,
					     ACCESS, -1);
		else if (write(b->bare_fd, &one, sizeof(one)) < 0)
			ret = -errno;
		if (!ret)
			ret = wait_bare(b->bare_fd);
	}
	return ret;
}

static void finish_irq(struct bench *b)
{
	if (b->fd >= 0)
		vfk_irq_disable(b->dev, b->irq);
	if (b->fd >= 0)
		close(b->fd);
	if (b->bare_fd >= 0)
		close(b->bare_fd);
	b->fd = b->bare_fd = -1;
}

/* ---- DMA mappings ---- */

int bench_prepare_map(struct bench *b, const char **why)
{
	struct vfk_dma_limits limits = { .size = sizeof(limits) };

	if (!b->space) {
		*why = "the device takes no mappings";
		return STATUS_OK;
	}
	if (vfk_dma_get_limits(b->space, &limits) || limits.flags & VFK_DMA_PHYSICAL) {
		*why = "there is no IOMMU: mappings are only made of memory that is chosen by it";
		return STATUS_OK;
	}
	b->at = limits.num_ranges ? (limits.ranges[0].first + PAGE - 1) & ~(PAGE - 1ull) : 0;
	b->fd = memfd_create("bench", MFD_CLOEXEC);
	if (b->fd < 0 || ftruncate(b->fd, PAGE) < 0)
		return fail_text("bench", "memfd: %m");
	b->memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (b->memory == MAP_FAILED) {
		b->memory = NULL;
		return fail_text("bench", "mmap: %m");
	}
	return STATUS_OK;
}

static int device_map(struct bench *b, uint64_t n)
{
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = b->at,
				     .length = PAGE,
				     .prot = VFK_DMA_READ | VFK_DMA_WRITE,
				     .vaddr = b->memory,
				     .fd = b->fd };
	int ret = 0;

	while (n-- && !ret) {
		ret = vfk_dma_map(b->space, &m, NULL);
		if (!ret)
			ret = vfk_dma_unmap(b->space, b->at, PAGE);
	}
	return ret;
}

static int bare_map(struct bench *b, uint64_t n)
{
	int ret = 0;

	while (n-- && !ret) {
		if (!b->socket) {
			void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);

			ret = p == MAP_FAILED || munmap(p, PAGE) < 0 ? -errno : 0;
			continue;
		}
		ret = bench_peer_ask(&b->peer, PEER_MAPS, DMA_MAP, HEADER, b->fd);
		if (!ret)
			ret = bench_peer_ask(&b->peer, PEER_NOTHING, DMA_UNMAP, DMA_UNMAP, -1);
	}
	return ret;
}

void bench_finish_map(struct bench *b)
{
	if (b->memory)
		munmap(b->memory, PAGE);
	if (b->fd >= 0)
		close(b->fd);
	b->memory = NULL;
	b->fd = -1;
}

/* ---- large transfers ---- */

/* Only what is memory is read whole: registers may mind. */
static int prepare_transfer(struct bench *b, const char **why)
{
	const struct vfk_region_info *info;

	for (uint32_t i = 0; i < vfk_device_num_regions(b->dev); i++) {
		if (vfk_region_get_info(b->dev, i, &info) || !info->num_areas ||
		    info->areas[0].length < BENCH_LARGE ||
		    !(info->flags & VFIO_REGION_INFO_FLAG_READ))
			continue;
		b->region = i;
		b->at = info->areas[0].offset;
		b->memory = malloc(BENCH_LARGE);
		return b->memory ? STATUS_OK : fail_text("bench", "no memory");
	}
	*why = "no region has 1 MiB of memory";
	return STATUS_OK;
}

static int device_transfer(struct bench *b, uint64_t n)
{
	ssize_t ret = BENCH_LARGE;

	while (n-- && ret == BENCH_LARGE)
		ret = vfk_region_read(b->dev, b->region, b->at, b->memory, BENCH_LARGE);
	return ret == BENCH_LARGE ? 0 : ret < 0 ? (int)ret : -EIO;
}

static int bare_transfer(struct bench *b, uint64_t n)
{
	char *from;

	if (b->socket)
		return ask_each(b, n, ACCESS, ACCESS + BENCH_LARGE);
	from = calloc(1, BENCH_LARGE);
	if (!from)
		return -ENOMEM;
	while (n--) {
		memcpy(b->memory, from, BENCH_LARGE);
		from[n % BENCH_LARGE]++;
	}
	free(from);
	return 0;
}

static void finish_transfer(struct bench *b)
{
	free(b->memory);
	b->memory = NULL;
}

const struct bench_case bench_cases[] = {
	{ .name = "read",
	  .help = "a register of 4 bytes is read",
	  .limit = "the bare access",
	  .socket = "the same bytes, bare",
	  .device = device_read,
	  .bare = bare_read },
	{ .name = "write",
	  .help = "a register is written",
	  .limit = "the bare access",
	  .socket = "the same bytes, bare",
	  .prepare = needs_write,
	  .device = device_write,
	  .bare = bare_write },
	{ .name = "posted",
	  .help = "a register is written, posted",
	  .limit = "the same, acknowledged",
	  .rate = true,
	  .prepare = needs_write,
	  .device = device_posted,
	  .bare = device_write },
	{ .name = "batch",
	  .help = "a register is written, 64 times a request",
	  .limit = "the same, each acknowledged",
	  .rate = true,
	  .prepare = needs_write,
	  .device = device_batch,
	  .bare = device_write },
	{ .name = "mapped",
	  .help = "4 bytes of a mapped region are read",
	  .limit = "memory of this process",
	  .prepare = prepare_mapped,
	  .device = device_mapped,
	  .bare = bare_memory,
	  .finish = finish_mapped },
	{ .name = "irq",
	  .help = "a register is written that raises an interrupt, which is waited for",
	  .limit = "an eventfd's round",
	  .socket = "the same bytes and an eventfd, bare",
	  .prepare = prepare_irq,
	  .device = device_irq,
	  .bare = bare_irq,
	  .finish = finish_irq },
	{ .name = "map",
	  .help = "a page is mapped for DMA, and unmapped",
	  .limit = "mmap and munmap of it",
	  .socket = "the same bytes, mmap and munmap, bare",
	  .prepare = bench_prepare_map,
	  .device = device_map,
	  .bare = bare_map,
	  .finish = bench_finish_map },
	{ .name = "maps-16",
	  .help = "the same, while 16 pages are mapped",
	  .limit = "mmap and munmap of it",
	  .socket = "the same bytes, mmap and munmap, bare",
	  .prepare = bench_prepare_16,
	  .device = device_map,
	  .bare = bare_map,
	  .finish = bench_finish_maps },
	{ .name = "maps-256",
	  .help = "the same, while 256 pages are mapped",
	  .limit = "mmap and munmap of it",
	  .socket = "the same bytes, mmap and munmap, bare",
	  .prepare = bench_prepare_256,
	  .device = device_map,
	  .bare = bare_map,
	  .finish = bench_finish_maps },
	{ .name = "maps-4096",
	  .help = "the same, while 4096 pages are mapped",
	  .limit = "mmap and munmap of it",
	  .socket = "the same bytes, mmap and munmap, bare",
	  .prepare = bench_prepare_4096,
	  .device = device_map,
	  .bare = bare_map,
	  .finish = bench_finish_maps },
	{ .name = "maps-65000",
	  .help = "the same, while 65000 pages are mapped",
	  .limit = "mmap and munmap of it",
	  .socket = "the same bytes, mmap and munmap, bare",
	  .prepare = bench_prepare_65000,
	  .device = device_map,
	  .bare = bare_map,
	  .finish = bench_finish_maps },
	{ .name = "lookup",
	  .help = "a model finds a page among 65535, at random",
	  .limit = "a binary search",
	  .prepare = bench_prepare_lookup,
	  .device = bench_device_lookup,
	  .bare = bench_bare_lookup,
	  .finish = bench_finish_lookup },
	{ .name = "lookup-last",
	  .help = "a model takes what it found last, and gives it back",
	  .limit = "a comparison of bounds and an atomic exchange",
	  .prepare = bench_prepare_lookup,
	  .device = bench_device_last,
	  .bare = bench_bare_last,
	  .finish = bench_finish_lookup },
	{ .name = "lookup-held",
	  .help = "a model finds what it holds",
	  .limit = "a comparison of bounds",
	  .prepare = bench_prepare_lookup,
	  .device = bench_device_held,
	  .bare = bench_bare_held,
	  .finish = bench_finish_lookup },
	{ .name = "transfer",
	  .help = "1 MiB of a region is read",
	  .limit = "memcpy",
	  .socket = "the same bytes, bare",
	  .prepare = prepare_transfer,
	  .device = device_transfer,
	  .bare = bare_transfer,
	  .finish = finish_transfer,
	  .bytes = BENCH_LARGE },
	{ NULL },
};
