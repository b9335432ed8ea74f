/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_maps.c - mapping and unmapping while many mappings are held, and finding one of them.
 *
 * The look-ups are those of a model, which is the one that finds memory by IOVA: one of this tool's own, in this process,
 * whatever device is measured otherwise.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vfiokit/model.h>

#include "bench.h"
#include "failure.h"

#define PAGE	4096u
#define LOOKUPS 65535u
#define FIRST	0x100000u

/* ---- mapping beside others ---- */

static struct vfk_dma_mapping page_at(const struct bench *b, uint64_t iova)
{
	return (struct vfk_dma_mapping){ .size = sizeof(struct vfk_dma_mapping),
					 .iova = iova,
					 .length = PAGE,
					 .prot = VFK_DMA_READ | VFK_DMA_WRITE,
					 .vaddr = b->memory,
					 .fd = -1 };
}

/* Each with a page's gap behind it, so that nobody can make one of two. */
static int prepare(struct bench *b, uint32_t count, const char **why)
{
	int status = bench_prepare_map(b, why), ret = 0;

	if (status != STATUS_OK || *why)
		return status;
	for (b->held = 0; b->held < count && !ret; b->held += !ret) {
		const struct vfk_dma_mapping m = page_at(b, b->at + b->held * 2ull * PAGE);

		ret = vfk_dma_map(b->space, &m, NULL);
	}
	if (ret)
		*why = "the device does not take so many";
	/* The gap in the middle is for those that are measured. */
	b->first = b->at;
	b->at += (b->held / 2 * 2ull + 1) * PAGE;
	return STATUS_OK;
}

int bench_prepare_16(struct bench *b, const char **why)
{
	return prepare(b, 16, why);
}

int bench_prepare_256(struct bench *b, const char **why)
{
	return prepare(b, 256, why);
}

int bench_prepare_4096(struct bench *b, const char **why)
{
	return prepare(b, 4096, why);
}

int bench_prepare_65000(struct bench *b, const char **why)
{
	return prepare(b, 65000, why);
}

void bench_finish_maps(struct bench *b)
{
	while (b->held)
		vfk_dma_unmap(b->space, b->first + --b->held * 2ull * PAGE, PAGE);
	bench_finish_map(b);
}

/* ---- finding ---- */

struct range {
	uint64_t first, last;
	char *memory;
};

struct bench_lookup {
	struct vfk_device *dev;
	struct vfk_dma_space *space;
	struct vfk_model *model;
	struct vfk_dma_ref held;
	struct range ranges[LOOKUPS]; /* what is mapped, sorted */
	uint32_t random;
	volatile uint64_t sum; /* of what was found, for the sake of the compiler */
};

/* Whoever opens it gets its handle from here: a program has no other way to one. */
static struct vfk_model *opened;

static int seeker_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	static const struct vfk_model_identity identity = { .vendor = 0x1af4, .device = 0x4242 };

	(void)self;
	(void)uri;
	opened = model;
	return vfk_model_set_identity(model, &identity);
}

static const struct vfk_model_ops seeker = {
	.size = sizeof(seeker),
	.name = "seeker",
	.init = seeker_init,
};

static int map_all(struct bench_lookup *l, void *memory)
{
	int ret = 0;

	for (uint32_t i = 0; i < LOOKUPS && !ret; i++) {
		const struct vfk_dma_mapping m = { .size = sizeof(m),
						   .iova = FIRST + i * 2ull * PAGE,
						   .length = PAGE,
						   .prot = VFK_DMA_READ | VFK_DMA_WRITE,
						   .vaddr = memory,
						   .fd = -1 };

		l->ranges[i] = (struct range){ m.iova, m.iova + PAGE - 1, memory };
		ret = vfk_dma_map(l->space, &m, NULL);
	}
	return ret;
}

static int open_seeker(struct bench *b, struct bench_lookup *l)
{
	int ret = vfk_device_open_model(&seeker, NULL, NULL, &l->dev);

	l->model = opened;
	if (!ret)
		ret = vfk_region_put(l->dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2,
				     PCI_COMMAND_MASTER);
	if (!ret)
		ret = vfk_dma_space_create(&l->space);
	if (!ret)
		ret = vfk_device_attach_dma(l->dev, l->space);
	if (!ret)
		ret = map_all(l, b->memory);
	if (!ret)
		ret = vfk_model_dma_get(l->model, l->ranges[LOOKUPS / 2].first, PAGE, VFK_DMA_READ,
					&l->held);
	return ret;
}

int bench_prepare_lookup(struct bench *b, const char **why)
{
	int ret;

	(void)why;
	b->memory = aligned_alloc(PAGE, PAGE);
	b->lookup = calloc(1, sizeof(*b->lookup));
	if (!b->memory || !b->lookup)
		return fail_text("bench", "no memory");
	ret = open_seeker(b, b->lookup);
	return ret ? fail("bench", ret) : STATUS_OK;
}

void bench_finish_lookup(struct bench *b)
{
	struct bench_lookup *l = b->lookup;

	if (l && l->dev) {
		vfk_model_dma_put(l->model, &l->held);
		vfk_device_close(l->dev);
	}
	if (l && l->space)
		vfk_dma_space_destroy(l->space);
	free(l);
	free(b->memory);
	b->lookup = NULL;
	b->memory = NULL;
}

/* Somewhere in one of the ranges (Numerical Recipes' congruential generator). */
static uint64_t next_iova(struct bench_lookup *l)
{
	l->random = l->random * 1664525u + 1013904223u;
	return FIRST + (l->random >> 8) % LOOKUPS * 2ull * PAGE + (l->random >> 24) * 4;
}

int bench_device_lookup(struct bench *b, uint64_t n)
{
	struct bench_lookup *l = b->lookup;
	struct vfk_dma_ref ref;
	int ret = 0;

	while (n-- && !ret) {
		ret = vfk_model_dma_get(l->model, next_iova(l), 4, VFK_DMA_READ, &ref);
		l->sum += (uintptr_t)ref.ptr;
		if (!ret)
			vfk_model_dma_put(l->model, &ref);
	}
	return ret;
}

static const struct range *search(const struct bench_lookup *l, uint64_t iova)
{
	uint32_t low = 0, high = LOOKUPS;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (l->ranges[mid].last < iova)
			low = mid + 1;
		else
			high = mid;
	}
	return low < LOOKUPS && l->ranges[low].first <= iova ? &l->ranges[low] : NULL;
}

int bench_bare_lookup(struct bench *b, uint64_t n)
{
	struct bench_lookup *l = b->lookup;

	while (n--) {
		uint64_t iova = next_iova(l);
		const struct range *r = search(l, iova);

		if (!r)
			return -EFAULT;
		l->sum += (uintptr_t)(r->memory + (iova - r->first));
	}
	return 0;
}

int bench_device_last(struct bench *b, uint64_t n)
{
	struct bench_lookup *l = b->lookup;
	struct vfk_dma_ref ref;
	int ret = 0;

	while (n-- && !ret) {
		ret = vfk_model_dma_get(l->model, l->held.iova + (n & 1023), 4, VFK_DMA_READ, &ref);
		l->sum += (uintptr_t)ref.ptr;
		if (!ret)
			vfk_model_dma_put(l->model, &ref);
	}
	return ret;
}

int bench_device_held(struct bench *b, uint64_t n)
{
	struct bench_lookup *l = b->lookup;

	while (n--) {
		char *p = vfk_dma_ref_at(&l->held, l->held.iova + (n & 1023), 4);

		if (!p)
			return -EFAULT;
		l->sum += (uintptr_t)p;
	}
	return 0;
}

/* What getting and putting costs whoever announces itself without a lock, and finds in no time. */
int bench_bare_last(struct bench *b, uint64_t n)
{
	static _Atomic uint64_t slot;
	struct bench_lookup *l = b->lookup;
	const struct range *r = &l->ranges[LOOKUPS / 2];

	while (n--) {
		uint64_t iova = r->first + (n & 1023), is_free = 0;

		if (!atomic_compare_exchange_strong(&slot, &is_free, 1) || iova < r->first ||
		    iova + 3 > r->last)
			return -EFAULT;
		atomic_store_explicit(&slot, (uintptr_t)r, memory_order_release);
		l->sum += (uintptr_t)(r->memory + (iova - r->first));
		atomic_store_explicit(&slot, 0, memory_order_release);
	}
	return 0;
}

int bench_bare_held(struct bench *b, uint64_t n)
{
	struct bench_lookup *l = b->lookup;
	const struct range *r = &l->ranges[LOOKUPS / 2];

	while (n--) {
		uint64_t iova = r->first + (n & 1023);

		if (iova < r->first || iova + 3 > r->last)
			return -EFAULT;
		l->sum += (uintptr_t)(r->memory + (iova - r->first));
	}
	return 0;
}
