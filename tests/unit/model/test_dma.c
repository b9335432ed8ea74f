/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dma.c - the model's sink and its access to memory: spans, references, unmapping, files, dirty pages. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define RW   (VFK_DMA_READ | VFK_DMA_WRITE)
#define PAGE 4096u
#define IOVA 0x100000u

static uint8_t memory[4 * PAGE] __attribute__((aligned(4096)));

static struct vfk_io *master(void)
{
	struct vfk_io *io = rig_probe(NULL, 0);

	rig_command(io, PCI_COMMAND_MASTER, 0);
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(i * 7 + (i >> 12));
	return io;
}

static void test_bus_master(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	struct vfk_dma_ref ref;
	uint8_t buf[16];

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 16), -EPERM);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA, buf, 16), -EPERM);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 16, VFK_DMA_READ, &ref), -EPERM);
	rig_command(io, PCI_COMMAND_MASTER, 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 16), 0);
	rig_command(io, 0, PCI_COMMAND_MASTER);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 16), -EPERM);
	rig_close(io);
}

static void test_copy(void **state)
{
	struct vfk_io *io = master();
	uint8_t buf[2 * PAGE], same[2 * PAGE];

	(void)state;
	/* Adjacent, mapped in no order, none over another. */
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + 2 * PAGE, PAGE, VFK_DMA_READ), 0);
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory, PAGE, RW), -EEXIST);
	assert_int_equal(probe.maps, 2);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + PAGE - 100, buf, 200), 0);
	assert_memory_equal(buf, memory + PAGE - 100, 100);
	assert_memory_equal(buf + 100, memory + 2 * PAGE, 100);
	/* Not permitted, or not mapped, at the end: nothing moves. */
	memcpy(same, memory, PAGE);
	memset(buf, 0x77, sizeof(buf));
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + PAGE - 100, buf, 200), -EFAULT);
	assert_memory_equal(memory, same, PAGE);
	memset(same, 0x77, sizeof(same));
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + PAGE, buf, PAGE + 1), -EFAULT);
	assert_memory_equal(buf, same, sizeof(buf));
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA - 1, buf, 2), -EFAULT);
	assert_int_equal(vfk_model_dma_read(probe.model, UINT64_MAX, buf, 2), -EFAULT);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + 5, buf, 3), 0);
	assert_int_equal(memory[7], 0x77);
	assert_int_equal(vfk_model_dma_read(probe.model, 0, NULL, 0), 0);
	rig_close(io);
}

/* The last page that there is. */
static void test_top_of_address_space(void **state)
{
	const uint64_t top = UINT64_MAX - PAGE + 1;
	struct vfk_io *io = master();
	struct vfk_dma_ref ref;
	uint8_t buf[8];

	(void)state;
	assert_int_equal(rig_map(io, top, memory, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, UINT64_MAX - 7, buf, 8), 0);
	assert_memory_equal(buf, memory + PAGE - 8, 8);
	assert_int_equal(vfk_model_dma_read(probe.model, UINT64_MAX - 6, buf, 8), -EFAULT);
	assert_int_equal(vfk_model_dma_get(probe.model, UINT64_MAX, 1, RW, &ref), 0);
	vfk_model_dma_put(probe.model, &ref);
	assert_int_equal(vfk_model_dma_get(probe.model, UINT64_MAX, 2, RW, &ref), -EFAULT);
	assert_int_equal(rig_unmap(io, top, PAGE, 0), 0);
	rig_close(io);
}

/* What was hit last is found no longer than it is there, and not in its neighbour's place. */
static void test_hit_last(void **state)
{
	struct vfk_io *io = master();
	struct vfk_dma_ref ref;

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + 2 * PAGE, PAGE, RW), 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(vfk_model_dma_get(probe.model, IOVA + i % 2 * PAGE, 4, RW, &ref),
				 0);
		assert_ptr_equal(ref.ptr, memory + i % 2 * 2 * PAGE);
		vfk_model_dma_put(probe.model, &ref);
	}
	assert_int_equal(rig_unmap(io, IOVA + PAGE, PAGE, 0), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + PAGE, 4, RW, &ref), -EFAULT);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + PAGE, 4, RW, &ref), 0);
	assert_ptr_equal(ref.ptr, memory + PAGE);
	vfk_model_dma_put(probe.model, &ref);
	rig_close(io);
}

static void test_get(void **state)
{
	struct vfk_io *io = master();
	struct vfk_dma_ref ref;

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, VFK_DMA_READ), 0);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + 8, 16, VFK_DMA_READ, &ref), 0);
	assert_ptr_equal(ref.ptr, memory + 8);
	assert_int_equal(ref.len, 16);
	assert_ptr_equal(vfk_dma_ref_at(&ref, IOVA + 8, 16), memory + 8);
	assert_ptr_equal(vfk_dma_ref_at(&ref, IOVA + 23, 1), memory + 23);
	assert_null(vfk_dma_ref_at(&ref, IOVA + 7, 1));
	assert_null(vfk_dma_ref_at(&ref, IOVA + 24, 1));
	assert_null(vfk_dma_ref_at(&ref, IOVA + 23, 2));
	assert_null(vfk_dma_ref_at(&ref, IOVA + 9, SIZE_MAX));
	assert_null(vfk_dma_ref_at(&ref, UINT64_MAX, 1));
	vfk_model_dma_put(probe.model, &ref);
	assert_null(vfk_dma_ref_at(&ref, IOVA + 8, 1));
	assert_null(vfk_dma_ref_at(&ref, 0, 1));
	vfk_model_dma_put(probe.model, &ref); /* put already: nothing happens */
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 16, VFK_DMA_WRITE, &ref), -EFAULT);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 0, VFK_DMA_READ, &ref), -EFAULT);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + PAGE - 1, 2, VFK_DMA_READ, &ref),
			 -EFAULT);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + 2 * PAGE, 1, VFK_DMA_READ, &ref),
			 -EFAULT);
	rig_close(io);
}

static void test_unmap(void **state)
{
	struct vfk_io *io = master();
	uint8_t buf[4];

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), -ENOENT);
	assert_int_equal(rig_unmap(io, IOVA + PAGE, PAGE, 0), -ENOENT);
	assert_int_equal(rig_unmap(io, 0, PAGE, 0), -ENOENT);
	assert_int_equal(rig_unmap(io, IOVA, 2 * PAGE, 0), 0);
	assert_int_equal(rig_unmap(io, IOVA, 2 * PAGE, 0), -ENOENT);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 4), -EFAULT);
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	rig_close(io);
}

static void test_unmap_busy(void **state)
{
	struct vfk_io *io = master();
	struct vfk_dma_ref ref;
	uint64_t began, took;
	uint8_t buf[4];

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 4, VFK_DMA_READ, &ref), 0);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), -EBUSY);
	began = rig_now_ms();
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 100), -EBUSY);
	took = rig_now_ms() - began;
	assert_in_range(took, 99, 3000);
	/* Intact: and told to the model, which was told that it goes. */
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 4), 0);
	assert_int_equal(probe.unmaps, 2);
	assert_int_equal(probe.maps, 4);
	/* A reference holds up its own mapping only. */
	assert_int_equal(rig_unmap(io, IOVA + PAGE, PAGE, 0), 0);
	vfk_model_dma_put(probe.model, &ref);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
	rig_close(io);
}

enum { MANY = 40 };

static void get_many(struct vfk_dma_ref *refs, uint64_t iova)
{
	for (unsigned int i = 0; i < MANY; i++) {
		assert_int_equal(vfk_model_dma_get(probe.model, iova, 4, RW, &refs[i]), 0);
		assert_ptr_equal(refs[i].ptr, memory + (iova - IOVA));
	}
}

/* More references than slots that one reader tries: each of them holds up its own mapping's unmap, whichever is put last. */
static void test_many_refs(void **state)
{
	struct vfk_io *io = master();
	/* taken through one address, so that all come to the same slots */
	struct vfk_dma_ref refs[MANY], others[MANY], one;

	(void)state;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(rig_map(io, IOVA + PAGE, memory + PAGE, PAGE, RW), 0);
	for (unsigned int i = 0; i < MANY; i++) {
		assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 4, RW, &one), 0);
		refs[i] = one;
	}
	for (unsigned int last = 0; last < MANY; last++) {
		for (unsigned int i = 0; i < MANY; i++) {
			if (i != last)
				vfk_model_dma_put(probe.model, &refs[i]);
		}
		assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), -EBUSY);
		get_many(others, IOVA + PAGE);
		vfk_model_dma_put(probe.model, &refs[last]);
		assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
		for (unsigned int i = 0; i < MANY; i++)
			vfk_model_dma_put(probe.model, &others[i]);
		assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
		for (unsigned int i = 0; i < MANY; i++) {
			assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 4, RW, &one), 0);
			refs[i] = one;
		}
	}
	for (unsigned int i = 0; i < MANY; i++)
		vfk_model_dma_put(probe.model, &refs[i]);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
	assert_int_equal(rig_unmap(io, IOVA + PAGE, PAGE, 0), 0);
	rig_close(io);
}

static struct vfk_dma_ref kept;

static void put_kept(struct vfk_model *model, uint64_t iova)
{
	if (iova == IOVA)
		vfk_model_dma_put(model, &kept);
}

/* A model that keeps memory over many accesses gives it back when it is told. */
static void test_put_when_told(void **state)
{
	struct vfk_io *io = master();

	(void)state;
	probe.on_unmap = put_kept;
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 64, RW, &kept), 0);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
	/* At close too, before fini. */
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 64, RW, &kept), 0);
	rig_close(io);
	assert_null(kept.priv);
}

/* ---- files and callbacks ---- */

static int map_fd(struct vfk_io *io, int fd, uint64_t offset, uint64_t len, uint32_t prot)
{
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = IOVA,
		.length = len,
		.prot = prot,
		.fd = fd,
		.fd_offset = offset,
	};
	struct vfk_dma_addr addr;

	return io->dma->map(io, &m, &addr);
}

static void test_file(void **state)
{
	unsigned int before = rig_count_fds();
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct vfk_io *io = master();
	struct vfk_dma_ref ref;
	char buf[8];

	(void)state;
	assert_int_equal(ftruncate(fd, 3 * PAGE), 0);
	assert_int_equal(pwrite(fd, "edutest", 8, 2 * PAGE + 16), 8);
	assert_int_equal(map_fd(io, fd, 2 * PAGE, 2 * PAGE, RW), -EINVAL); /* shorter than that */
	assert_int_equal(map_fd(io, fd, 2 * PAGE, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + 16, buf, 8), 0);
	assert_string_equal(buf, "edutest");
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + 16, 8, RW, &ref), 0);
	memcpy(ref.ptr, "written", 8);
	vfk_model_dma_put(probe.model, &ref);
	assert_int_equal(pread(fd, buf, 8, 2 * PAGE + 16), 8);
	assert_string_equal(buf, "written");
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
	rig_close(io);
	close(fd);
	assert_int_equal(rig_count_fds(), before);
}

static void test_file_is_read_only(void **state)
{
	char path[] = "/proc/self/fd/0000000000";
	int fd = memfd_create("memory", MFD_CLOEXEC), ro;
	struct vfk_io *io = master();

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(ro >= 0);
	assert_int_equal(map_fd(io, ro, 0, PAGE, RW), -EACCES);
	assert_int_equal(map_fd(io, ro, 0, PAGE, VFK_DMA_READ), 0);
	rig_close(io);
	close(ro);
	close(fd);
}

static struct vfk_guard *guard;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (vfk_guard_handle(guard, info->si_addr))
		signal(sig, SIG_DFL);
}

/* A peer that shrinks its file under the mapping: no death, and the transfer is known to be worth nothing. */
static void test_file_shrinks(void **state)
{
	const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct sigaction old;
	struct vfk_dma_ref ref;
	struct vfk_io *io;
	uint8_t buf[16];

	(void)state;
	assert_int_equal(vfk_guard_create(4, &guard), 0);
	assert_int_equal(sigaction(SIGBUS, &action, &old), 0);
	rig_guard = guard;
	io = master();
	rig_guard = NULL;
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(map_fd(io, fd, 0, 2 * PAGE, RW), 0);
	assert_int_equal(rig_map(io, IOVA + 2 * PAGE, memory, PAGE, RW), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 16), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + 2 * PAGE - 8, buf, 16), -EIO);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + 2 * PAGE, buf, 16), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + PAGE, buf, 16), -EIO);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 4, RW, &ref), -EFAULT);
	assert_int_equal(rig_unmap(io, IOVA, 2 * PAGE, 0), 0);
	rig_close(io);
	sigaction(SIGBUS, &old, NULL);
	vfk_guard_destroy(guard);
	close(fd);
}

struct remote {
	uint8_t bytes[2 * PAGE];
	int fail;
	unsigned int calls;
};

static int remote_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct remote *r = ctx;

	r->calls++;
	memcpy(buf, r->bytes + (iova - IOVA), len);
	return r->fail;
}

static int remote_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct remote *r = ctx;

	r->calls++;
	memcpy(r->bytes + (iova - IOVA), buf, len);
	return r->fail;
}

static void test_callbacks(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), remote_read,
							    remote_write };
	static struct remote remote;
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = IOVA,
		.length = 2 * PAGE,
		.prot = RW,
		.fd = -1,
		.callbacks = &callbacks,
		.ctx = &remote,
	};
	struct vfk_io *io = master();
	struct vfk_dma_addr addr;
	struct vfk_dma_ref ref;
	char buf[8] = "message";

	(void)state;
	assert_int_equal(io->dma->map(io, &m, &addr), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + PAGE - 4, buf, 8), 0);
	assert_string_equal((char *)remote.bytes + PAGE - 4, "message");
	memset(buf, 0, sizeof(buf));
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA + PAGE - 4, buf, 8), 0);
	assert_string_equal(buf, "message");
	assert_int_equal(remote.calls, 2);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 8, VFK_DMA_READ, &ref), -ENOTSUP);
	remote.fail = -ECONNRESET;
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, 8), -ECONNRESET);
	assert_int_equal(rig_unmap(io, IOVA, 2 * PAGE, 0), 0);
	rig_close(io);
}

static void test_limits(void **state)
{
	struct vfk_io *io = master();
	struct vfk_dma_limits limits = { .size = sizeof(limits) };

	(void)state;
	assert_int_equal(io->dma->limits(io, &limits), 0);
	assert_int_equal(limits.pgsizes, 4096);
	assert_int_equal(limits.max_maps, 65535);
	assert_int_equal(limits.num_ranges, 1);
	assert_int_equal(limits.ranges[0].first, 0);
	assert_int_equal(limits.ranges[0].last, UINT64_MAX);
	limits.size = 8;
	assert_int_equal(io->dma->limits(io, &limits), -EINVAL);
	rig_close(io);
}

/* ---- dirty pages ---- */

static uint64_t report(struct vfk_io *io, uint64_t iova, unsigned int pages)
{
	uint64_t bitmap = 0;

	assert_int_equal(io->dma->dirty_report(io, iova, (uint64_t)pages * PAGE, PAGE, &bitmap), 0);
	return bitmap;
}

static void test_dirty(void **state)
{
	struct vfk_io *io = master();
	uint64_t bitmap = 0x8000;
	struct vfk_dma_ref ref;
	uint8_t buf[PAGE];

	(void)state;
	memset(buf, 1, sizeof(buf));
	assert_int_equal(rig_map(io, IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA, buf, 1), 0);
	assert_int_equal(io->dma->dirty_report(io, IOVA, PAGE, PAGE, &bitmap), -EINVAL);
	assert_int_equal(io->dma->dirty_start(io, 5000), -EINVAL);
	assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
	assert_int_equal(io->dma->dirty_start(io, PAGE), -EALREADY);
	assert_int_equal(rig_map(io, IOVA + 2 * PAGE, memory + 2 * PAGE, 2 * PAGE, RW), 0);
	assert_int_equal(report(io, IOVA, 4), 0);
	assert_int_equal(vfk_model_dma_read(probe.model, IOVA, buf, PAGE), 0);
	assert_int_equal(report(io, IOVA, 4), 0);
	/* Over the border between the two mappings. */
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + 2 * PAGE - 1, buf, 2), 0);
	assert_int_equal(report(io, IOVA, 2), 2); /* clears what it reports, no more */
	assert_int_equal(report(io, IOVA, 4), 4);
	assert_int_equal(report(io, IOVA, 4), 0);
	/* Bits outside of the range stay, on either side. */
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + PAGE - 1, buf, 2), 0);
	assert_int_equal(report(io, IOVA + PAGE, 1), 1);
	assert_int_equal(report(io, IOVA, 2), 1);
	/* Direct access counts when it ends. */
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA + 3 * PAGE, 8, RW, &ref), 0);
	assert_int_equal(report(io, IOVA, 4), 0);
	vfk_model_dma_put(probe.model, &ref);
	assert_int_equal(report(io, IOVA + 2 * PAGE, 2), 2);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 8, VFK_DMA_READ, &ref), 0);
	vfk_model_dma_put(probe.model, &ref);
	/* Bits that are there stay. */
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA, buf, 2), 0);
	assert_int_equal(io->dma->dirty_report(io, IOVA, 4 * PAGE, PAGE, &bitmap), 0);
	assert_int_equal(bitmap, 0x8001);
	assert_int_equal(io->dma->dirty_report(io, IOVA, PAGE, 2 * PAGE, &bitmap), -EINVAL);
	assert_int_equal(io->dma->dirty_report(io, IOVA + 1, PAGE, PAGE, &bitmap), -EINVAL);
	assert_int_equal(io->dma->dirty_stop(io), 0);
	assert_int_equal(io->dma->dirty_report(io, IOVA, PAGE, PAGE, &bitmap), -EINVAL);
	rig_close(io);
}

/* What was written is reported, though the mapping is gone, or another one is in its place. */
static void test_dirty_after_unmap(void **state)
{
	struct vfk_io *io = master();

	(void)state;
	assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(rig_map(io, IOVA + i * PAGE, memory + i * PAGE, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + PAGE, memory, 1), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + 3 * PAGE, memory, 1), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(rig_unmap(io, IOVA + i * PAGE, PAGE, 0), 0);
	assert_int_equal(rig_map(io, IOVA, memory, 4 * PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA, memory, 1), 0);
	assert_int_equal(vfk_model_dma_write(probe.model, IOVA + 2 * PAGE, memory, 1), 0);
	assert_int_equal(report(io, IOVA, 2), 3);
	assert_int_equal(report(io, IOVA, 4), 0xc);
	assert_int_equal(report(io, IOVA, 4), 0);
	rig_close(io);
}

#define HALF (1ull << 43) /* of what a device has records for */

static int nothing_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	memset(buf, 0, len);
	return 0;
}

static int nothing_written(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	(void)buf;
	(void)len;
	return 0;
}

static int map_large(struct vfk_io *io, uint64_t iova, uint64_t length)
{
	static const struct vfk_dma_callbacks none = { sizeof(none), nothing_read,
						       nothing_written };
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = iova,
				     .length = length,
				     .prot = RW,
				     .fd = -1,
				     .callbacks = &none };
	struct vfk_dma_addr addr;

	return io->dma->map(io, &m, &addr);
}

/* The number of pages is limited for all mappings together; it comes back with them, and with the end of recording. */
static void test_dirty_limit(void **state)
{
	struct vfk_io *io = master();

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
		assert_int_equal(map_large(io, 0, HALF), 0);
		assert_int_equal(map_large(io, HALF, HALF - PAGE), 0);
		assert_int_equal(map_large(io, 2 * HALF, 2 * PAGE), -ENOMEM);
		assert_int_equal(map_large(io, 2 * HALF, PAGE), 0);
		assert_int_equal(map_large(io, 4 * HALF, PAGE), -ENOMEM);
		assert_int_equal(rig_unmap(io, 0, HALF, 0), 0);
		assert_int_equal(map_large(io, 0, HALF), 0);
		assert_int_equal(io->dma->dirty_stop(io), 0);
		assert_int_equal(map_large(io, 4 * HALF, PAGE), 0);
		assert_int_equal(io->dma->dirty_start(io, PAGE), -ENOMEM);
		assert_int_equal(rig_unmap(io, 4 * HALF, PAGE, 0), 0);
		assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
		assert_int_equal(io->dma->dirty_stop(io), 0);
		assert_int_equal(rig_unmap(io, 0, HALF, 0), 0);
		assert_int_equal(rig_unmap(io, HALF, HALF - PAGE, 0), 0);
		assert_int_equal(rig_unmap(io, 2 * HALF, PAGE, 0), 0);
	}
	rig_close(io);
}

static size_t resident_pages(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	size_t size, resident = 0;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%zu %zu", &size, &resident), 2);
	fclose(statm);
	return resident;
}

/* Asking makes no memory of a record that nothing was written to, nor does its end. */
static void test_dirty_report_is_cheap(void **state)
{
	const uint64_t words = HALF / PAGE / 64;
	struct vfk_io *io = master();
	uint64_t *bitmap = calloc(words, sizeof(*bitmap));
	size_t before;

	(void)state;
	assert_non_null(bitmap);
	assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
	assert_int_equal(map_large(io, 0, HALF), 0);
	vfk_model_dma_write(probe.model, HALF / 2, memory, 1);
	before = resident_pages();
	assert_int_equal(io->dma->dirty_report(io, 0, HALF, PAGE, bitmap), 0);
	assert_int_equal(bitmap[words / 2], 1);
	assert_int_equal(io->dma->dirty_report(io, 0, HALF, PAGE, bitmap), 0);
	assert_true(resident_pages() - before < words * sizeof(*bitmap) / PAGE / 4);
	assert_int_equal(rig_unmap(io, 0, HALF, 0), 0);
	free(bitmap);
	rig_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bus_master),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_top_of_address_space),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_hit_last),
		cmocka_unit_test(test_unmap),
		cmocka_unit_test(test_unmap_busy),
		cmocka_unit_test(test_many_refs),
		cmocka_unit_test(test_put_when_told),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_is_read_only),
		cmocka_unit_test(test_file_shrinks),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_dirty_after_unmap),
		cmocka_unit_test(test_dirty_limit),
		cmocka_unit_test(test_dirty_report_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
