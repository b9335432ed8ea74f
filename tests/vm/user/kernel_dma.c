/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_dma.c - kernel-dma mapped|pinned|pages URI: which memory an edu device reaches, and what is said of other.
 *
 * mapped: there is an IOMMU. pinned: none, but the kernel keeps memory where it is and tells where (a noiommu cdev).
 * pages: neither (a noiommu group), so that only huge pages serve. With $MAPS the container takes that many mappings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "edu.h"
#include "said.h"

#define PAGE 4096ull
#define BASE 0x400000ull
#define SIZE (16 * PAGE)

enum way { MAPPED, PINNED, PAGES };

static enum way way;
static struct edu edu;
static int file; /* a memfd of SIZE */
static char *memory, *shared;

static struct vfk_dma_mapping mapping(void *vaddr, int fd)
{
	return (struct vfk_dma_mapping){
		.size = sizeof(struct vfk_dma_mapping),
		.iova = BASE,
		.length = SIZE,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = fd,
		.vaddr = vaddr,
	};
}

static void says(const char *what)
{
	said(strstr(vfk_error(), what) != NULL, 1, "and the text says why");
	printf("says: %s\n", vfk_error());
}

/* Into and out of memory that is at @addr for the device and at @vaddr for us; ends the process if bytes are lost. */
static void transfer(uint64_t addr, void *vaddr)
{
	struct vfk_dma_buffer own = edu.buffer;

	edu.buffer.dev.addr = addr;
	edu.buffer.vaddr = vaddr;
	edu_round_trip(&edu);
	edu.buffer = own;
}

/* ---- with an IOMMU ---- */

static void at_chosen_addresses(void)
{
	struct vfk_dma_mapping m = mapping(NULL, file);
	struct vfk_dma_addr addr = { 0 };

	said(vfk_dma_map(edu.space, &m, &addr), 0, "a file alone is mapped");
	said((long)addr.addr, (long)BASE, "where it was asked for");
	transfer(BASE + PAGE, shared + PAGE);
	said(vfk_dma_unmap(edu.space, BASE, SIZE), 0, "and unmapped");
	m = mapping(memory, -1);
	said(vfk_dma_map(edu.space, &m, NULL), 0, "memory without a file is mapped");
	transfer(BASE + 15 * PAGE, memory + 15 * PAGE);
	said(vfk_dma_unmap(edu.space, BASE, SIZE), 0, "and unmapped");
}

static void not_where_it_is(void)
{
	struct vfk_dma_mapping m = mapping(memory + 8, -1);

	said(vfk_dma_map(edu.space, &m, NULL), -EINVAL, "memory that is not at a page is refused");
	says("0x1000");
	m.vaddr = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	said(vfk_dma_map(edu.space, &m, NULL), -EINVAL,
	     "memory that may not be written is refused");
	says("written");
	munmap(m.vaddr, SIZE);
	said(vfk_dma_map(edu.space, &m, NULL), -EINVAL, "memory that is not there is refused");
	says("no memory");
	m.vaddr = memory;
	m.iova = 0xfee00000;
	said(vfk_dma_map(edu.space, &m, NULL), -ERANGE, "an address of the interrupts' is refused");
	says("0xfedfffff");
}

static void as_many_as_there_may_be(void)
{
	const char *maps = getenv("MAPS");
	struct vfk_dma_limits l = { .size = sizeof(l) };
	struct vfk_dma_mapping m = mapping(memory, -1);
	uint64_t unmapped = 0;
	long made = 0;
	int ret = 0;

	if (!maps)
		return;
	said(vfk_dma_get_limits(edu.space, &l), 0, "limits are told");
	said((long)l.max_maps, atol(maps), "with the number of mappings");
	m.length = PAGE;
	while (!ret && made <= atol(maps)) {
		m.iova = BASE + PAGE * (uint64_t)made;
		ret = vfk_dma_map(edu.space, &m, NULL);
		made += !ret;
	}
	said(ret, -ENOSPC, "there can be no more");
	said(made, atol(maps) - 1, "beside the one that was there"); /* the buffer */
	says("no more");
	said(vfk_dma_unmap_range(edu.space, BASE, PAGE * (uint64_t)made, &unmapped), 0,
	     "all are taken back");
	said((long)unmapped, (long)PAGE * made, "every one of them");
}

/* ---- without ---- */

/* Each piece is asked for; together they are the whole, and each is where the device finds it. */
static void in_pieces(uint64_t iova, uint64_t length, char *vaddr)
{
	struct vfk_dma_addr addr = { 0 };
	uint64_t done = 0;
	long whole = 0;

	while (done < length && !vfk_dma_address(edu.space, iova + done, length - done, &addr)) {
		whole += addr.contiguous % PAGE == 0;
		transfer(addr.addr, vaddr + done);
		done += addr.contiguous;
	}
	said((long)done, (long)length,
	     "every part of it has an address, where the device finds it");
	said(whole > 0, 1, "in whole pages");
	said(vfk_dma_address(edu.space, iova + PAGE, length, &addr), -ENOENT,
	     "what lies beyond has none");
}

static void nothing_is_chosen(void)
{
	struct vfk_dma_limits l = { .size = sizeof(l) };
	struct vfk_dma_mapping m = mapping(memory, -1);
	uint32_t want = VFK_DMA_PHYSICAL | (way == PAGES ? VFK_DMA_HUGE_PAGES : 0);

	said(vfk_dma_map(edu.space, &m, NULL), -ENOTSUP, "an address cannot be chosen");
	says("without an IOMMU");
	said(vfk_dma_get_limits(edu.space, &l), 0, "limits are told");
	said(l.flags, want, "and that addresses are physical");
	said(vfk_dma_dirty_start(edu.space, PAGE), -ENOTSUP, "nobody knows what is written");
}

static long locked_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmLck: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static void own_memory(void)
{
	struct vfk_dma_mapping m = mapping(memory, -1);
	struct vfk_dma_addr addr;
	uint64_t iova;
	int ret = vfk_dma_map_any(edu.space, &m, &iova, &addr);

	if (way == PAGES) {
		said(ret, -ENOTSUP, "memory that the kernel may move is refused");
		says("huge pages");
		said(mlock(memory, SIZE), 0, "it is locked");
		said(vfk_dma_map_any(edu.space, &m, &iova, &addr), -ENOTSUP, "is refused, too");
		said(locked_kib(), (long)(SIZE / 1024), "and is locked as before");
		said(munlock(memory, SIZE), 0, "until it is unlocked");
		return;
	}
	said(ret, 0, "ordinary memory is pinned");
	in_pieces(iova, SIZE, memory);
	said(vfk_dma_unmap(edu.space, iova, SIZE), 0, "and unpinned");
	m = mapping(NULL, file);
	said(vfk_dma_map_any(edu.space, &m, &iova, &addr), 0, "so is a file's");
	in_pieces(iova, SIZE, shared);
	said(vfk_dma_unmap(edu.space, iova, SIZE), 0, "and unpinned");
}

static void allocated(void)
{
	struct vfk_dma_buffer b = { .size = sizeof(b) };

	said(vfk_dma_alloc(edu.space, SIZE, VFK_DMA_READ | VFK_DMA_WRITE, &b), 0,
	     "memory is allocated in huge pages");
	said((long)b.dev.contiguous, (long)SIZE, "and contiguous");
	said(b.dev.addr + b.length <= 1ull << 28, 1, "below the device's mask");
	in_pieces(b.iova, SIZE, b.vaddr);
	said(vfk_dma_free(edu.space, &b), 0, "given back");
	said(vfk_device_set_dma_mask(edu.dev, 12), 0, "a mask below which is no memory of ours");
	said(vfk_dma_alloc(edu.space, PAGE, VFK_DMA_READ, &b), -ENOSPC, "gets none");
	says("reach");
	said(vfk_device_set_dma_mask(edu.dev, 28), 0, "the mask is put back");
}

/* ---- any ---- */

static int nothing(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx, (void)iova, (void)buf, (void)len;
	return -EIO;
}

static void by_messages(void)
{
	static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), nothing, NULL };
	struct vfk_dma_mapping m = mapping(NULL, -1);
	struct vfk_dma_addr addr;
	uint64_t iova;

	m.prot = VFK_DMA_READ;
	m.callbacks = &callbacks;
	said(vfk_dma_map_any(edu.space, &m, &iova, &addr), -ENOTSUP,
	     "memory that is reached by calls is refused");
	says("share the memory");
}

static void *map_or_die(int flags, int fd)
{
	void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: kernel-dma mapped|pinned|pages URI\n");
		return 2;
	}
	alarm(60);
	way = !strcmp(argv[1], "mapped") ? MAPPED : !strcmp(argv[1], "pinned") ? PINNED : PAGES;
	file = memfd_create("kernel-dma", MFD_CLOEXEC);
	if (file < 0 || ftruncate(file, (off_t)SIZE) != 0)
		die("memfd");
	memory = map_or_die(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	shared = map_or_die(MAP_SHARED, file);
	edu_open(&edu, argv[2]);
	if (way == MAPPED) {
		at_chosen_addresses();
		not_where_it_is();
		as_many_as_there_may_be();
	} else {
		nothing_is_chosen();
		own_memory();
		allocated();
	}
	by_messages();
	edu_round_trip(&edu);
	said(0, 0, "the device works as before");
	edu_close(&edu);
	return 0;
}
