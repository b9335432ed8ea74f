/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_dma.c - the dma space: mapping and unmapping, with the device attached as a sink. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"

#define PAGE 4096ull
#define BASE 0x100000ull

static struct vfk_dma_space *attach(struct t *t)
{
	struct vfk_dma_space *s = NULL;
	int ret;

	CHECK_OK(t, vfk_dma_space_create(&s));
	ret = vfk_device_attach_dma(t->dev, s);
	if (ret == -ENOTSUP)
		case_skip("the device takes no DMA mappings");
	CHECK_OK(t, ret);
	return s;
}

static void detach(struct t *t, struct vfk_dma_space *s)
{
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_dma_space_destroy(s));
}

/* Memory of the case, which is a process of its own. It has a file, which is shown only to those who insist. */
static struct {
	int fd;
	bool shown;
	char *base;
	uint64_t length;
} file = { .fd = -1 };

static int map(struct vfk_dma_space *s, uint64_t iova, uint64_t length, void *vaddr)
{
	struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = iova,
		.length = length,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = -1,
		.vaddr = vaddr,
	};

	if (file.shown && vaddr) {
		m.fd = file.fd;
		m.fd_offset = (uint64_t)((char *)vaddr - file.base);
	}
	return vfk_dma_map(s, &m, NULL);
}

static void *memory(struct t *t, uint64_t len)
{
	file.fd = memfd_create("conformance", MFD_CLOEXEC);
	CHECK(t, file.fd >= 0);
	CHECK_OK(t, ftruncate(file.fd, (off_t)len));
	file.base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	CHECK(t, file.base != MAP_FAILED);
	file.length = len;
	return file.base;
}

static void forget_memory(void)
{
	munmap(file.base, file.length);
	close(file.fd);
	file.fd = -1;
}

/*
 * Without an IOMMU a device sees physical addresses, and nobody can choose where something is mapped. A device that is
 * really another process's may insist on memory with a file.
 */
static struct vfk_dma_space *attach_chosen(struct t *t)
{
	struct vfk_dma_space *s = attach(t);
	char *p = memory(t, PAGE);
	int ret = map(s, BASE, PAGE, p);

	if (ret == -ENOTSUP) {
		file.shown = true;
		ret = map(s, BASE, PAGE, p);
	}
	if (ret == -ENOTSUP)
		case_skip("addresses cannot be chosen");
	CHECK_OK(t, ret);
	CHECK_OK(t, vfk_dma_unmap(s, BASE, PAGE));
	forget_memory();
	return s;
}

static void dma_map_unmap(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 2 * PAGE);

	CHECK_OK(t, map(s, BASE, PAGE, p));
	CHECK_OK(t, map(s, BASE + PAGE, PAGE, p + PAGE));
	CHECK_OK(t, vfk_dma_unmap(s, BASE, PAGE));
	CHECK_OK(t, vfk_dma_unmap(s, BASE + PAGE, PAGE));
	CHECK_OK(t, map(s, BASE, 2 * PAGE, p));
	CHECK_OK(t, vfk_dma_unmap(s, BASE, 2 * PAGE));
	detach(t, s);
	forget_memory();
}

static void dma_map_overlap(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 4 * PAGE);

	CHECK_OK(t, map(s, BASE + PAGE, 2 * PAGE, p));
	CHECK_EQ(t, map(s, BASE + PAGE, 2 * PAGE, p), -EEXIST);
	CHECK_EQ(t, map(s, BASE, 2 * PAGE, p), -EEXIST);
	CHECK_EQ(t, map(s, BASE + 2 * PAGE, PAGE, p), -EEXIST);
	CHECK_EQ(t, map(s, BASE, 4 * PAGE, p), -EEXIST);
	CHECK_OK(t, map(s, BASE, PAGE, p)); /* what failed left nothing behind */
	CHECK_OK(t, map(s, BASE + 3 * PAGE, PAGE, p));
	detach(t, s);
	forget_memory();
}

static void dma_map_bad_arguments(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, PAGE);

	CHECK_EQ(t, map(s, BASE + 1, PAGE, p), -EINVAL);
	CHECK_EQ(t, map(s, BASE, PAGE - 1, p), -EINVAL);
	CHECK_EQ(t, map(s, BASE, 0, p), -EINVAL);
	CHECK_EQ(t, map(s, BASE, PAGE, NULL), -EINVAL);
	CHECK_EQ(t, map(s, UINT64_MAX - PAGE + 1, 2 * PAGE, p), -EINVAL);
	CHECK_OK(t, map(s, BASE, PAGE, p));
	detach(t, s);
	forget_memory();
}

static void dma_unmap_not_exact(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 4 * PAGE);

	CHECK_EQ(t, vfk_dma_unmap(s, BASE, PAGE), -ENOENT);
	CHECK_OK(t, map(s, BASE, 4 * PAGE, p));
	CHECK_EQ(t, vfk_dma_unmap(s, BASE, PAGE), -EINVAL);
	CHECK_EQ(t, vfk_dma_unmap(s, BASE, 8 * PAGE), -EINVAL);
	CHECK_EQ(t, vfk_dma_unmap(s, BASE + PAGE, PAGE), -EINVAL);
	CHECK_OK(t, vfk_dma_unmap(s, BASE, 4 * PAGE));
	CHECK_EQ(t, vfk_dma_unmap(s, BASE, 4 * PAGE), -ENOENT);
	detach(t, s);
	forget_memory();
}

static void dma_unmap_range(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 4 * PAGE);
	uint64_t n = 7;

	for (uint64_t i = 0; i < 4; i++)
		CHECK_OK(t, map(s, BASE + 2 * i * PAGE, PAGE, p + i * PAGE));
	CHECK_OK(t, vfk_dma_unmap_range(s, BASE + PAGE, PAGE, &n));
	CHECK_EQ(t, n, 0);
	CHECK_OK(t, vfk_dma_unmap_range(s, BASE + PAGE, 4 * PAGE, &n));
	CHECK_EQ(t, n, 2 * PAGE);
	CHECK_EQ(t, vfk_dma_unmap(s, BASE + 2 * PAGE, PAGE), -ENOENT);
	CHECK_OK(t, vfk_dma_unmap(s, BASE, PAGE));
	CHECK_OK(t, vfk_dma_unmap_range(s, 0, UINT64_MAX, &n));
	CHECK_EQ(t, n, PAGE);
	CHECK_EQ(t, vfk_dma_unmap_range(s, UINT64_MAX, 2, &n), -EINVAL);
	CHECK_EQ(t, vfk_dma_unmap_range(s, 0, 0, &n), -EINVAL);
	detach(t, s);
	forget_memory();
}

static void dma_unmap_straddle(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 4 * PAGE);
	uint64_t n = 0;

	CHECK_OK(t, map(s, BASE, PAGE, p));
	CHECK_OK(t, map(s, BASE + PAGE, 2 * PAGE, p + PAGE));
	CHECK_EQ(t, vfk_dma_unmap_range(s, BASE, 2 * PAGE, &n), -EINVAL);
	CHECK_EQ(t, vfk_dma_unmap_range(s, BASE + 2 * PAGE, 8 * PAGE, &n), -EINVAL);
	CHECK_OK(t, vfk_dma_unmap(s, BASE, PAGE)); /* nothing was unmapped */
	CHECK_OK(t, vfk_dma_unmap(s, BASE + PAGE, 2 * PAGE));
	detach(t, s);
	forget_memory();
}

static void dma_unmap_all(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 4 * PAGE);
	uint64_t n = 7;

	CHECK_OK(t, vfk_dma_unmap_all(s, &n));
	CHECK_EQ(t, n, 0);
	for (uint64_t i = 0; i < 4; i++)
		CHECK_OK(t, map(s, BASE + i * PAGE, PAGE, p + i * PAGE));
	CHECK_OK(t, vfk_dma_unmap_all(s, &n));
	CHECK_EQ(t, n, 4 * PAGE);
	detach(t, s);
	forget_memory();
}

static void dma_attach_replays(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, PAGE);

	CHECK_OK(t, map(s, BASE, PAGE, p));
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_device_attach_dma(t->dev, s));
	CHECK_EQ(t, vfk_device_attach_dma(t->dev, s), -EBUSY);
	CHECK_EQ(t, vfk_dma_space_destroy(s), -EBUSY);
	CHECK_OK(t, vfk_dma_unmap(s, BASE, PAGE));
	detach(t, s);
	forget_memory();
}

static void dma_alloc_under_mask(struct t *t)
{
	struct vfk_dma_space *s = attach(t);
	struct vfk_dma_buffer b[8];

	CHECK_EQ(t, vfk_device_set_dma_mask(t->dev, 11), -ERANGE);
	CHECK_EQ(t, vfk_device_set_dma_mask(t->dev, 65), -ERANGE);
	CHECK_OK(t, vfk_device_set_dma_mask(t->dev, 28));
	for (size_t i = 0; i < 8; i++) {
		b[i].size = sizeof(b[i]);
		CHECK_OK(t, vfk_dma_alloc(s, 5000, VFK_DMA_READ | VFK_DMA_WRITE, &b[i]));
		CHECK_EQ(t, b[i].length, 2 * PAGE);
		CHECK(t, b[i].dev.addr + b[i].length <= 1ull << 28);
		CHECK(t, b[i].dev.contiguous >= PAGE);
		CHECK_EQ(t, ((char *)b[i].vaddr)[0] | ((char *)b[i].vaddr)[8191], 0);
		((char *)b[i].vaddr)[8191] = 1;
	}
	for (size_t i = 0; i < 8; i++) {
		CHECK_OK(t, vfk_dma_free(s, &b[i]));
		CHECK(t, b[i].vaddr == NULL && b[i].fd == -1);
	}
	CHECK_EQ(t, vfk_dma_alloc(s, 1ull << 29, VFK_DMA_READ, &b[0]), -ENOSPC);
	CHECK_EQ(t, vfk_dma_alloc(s, 0, VFK_DMA_READ, &b[0]), -EINVAL);
	detach(t, s);
}

static void dma_access(struct t *t)
{
	struct vfk_dma_space *s = attach_chosen(t);
	char *p = memory(t, 2 * PAGE), b[8] = "12345678";

	CHECK_OK(t, map(s, BASE, PAGE, p));
	CHECK_OK(t, map(s, BASE + PAGE, PAGE, p + PAGE));
	CHECK_OK(t, vfk_dma_access(s, BASE + PAGE - 4, b, 8, VFK_DMA_WRITE));
	CHECK_EQ(t, memcmp(p + PAGE - 4, "12345678", 8), 0);
	memset(b, 0, 8);
	CHECK_OK(t, vfk_dma_access(s, BASE + PAGE - 4, b, 8, VFK_DMA_READ));
	CHECK_EQ(t, memcmp(b, "12345678", 8), 0);
	CHECK_EQ(t, vfk_dma_access(s, BASE + 2 * PAGE - 4, b, 8, VFK_DMA_READ), -EFAULT);
	CHECK_EQ(t, vfk_dma_access(s, UINT64_MAX - 3, b, 8, VFK_DMA_READ), -EFAULT);
	detach(t, s);
	forget_memory();
}

static void dma_limits(struct t *t)
{
	struct vfk_dma_space *s = attach(t);
	struct vfk_dma_limits l = { .size = sizeof(l) };

	CHECK_OK(t, vfk_dma_get_limits(s, &l));
	CHECK(t, l.pgsizes != 0);
	CHECK(t, l.max_maps > 0);
	for (uint32_t i = 0; i < l.num_ranges; i++)
		CHECK(t, l.ranges[i].first <= l.ranges[i].last);
	detach(t, s);
}

const struct vfk_case vfk_cases_dma[] = {
	{ "dma_map_unmap", dma_map_unmap },
	{ "dma_map_overlap", dma_map_overlap },
	{ "dma_map_bad_arguments", dma_map_bad_arguments },
	{ "dma_unmap_not_exact", dma_unmap_not_exact },
	{ "dma_unmap_range", dma_unmap_range },
	{ "dma_unmap_straddle", dma_unmap_straddle },
	{ "dma_unmap_all", dma_unmap_all },
	{ "dma_attach_replays", dma_attach_replays },
	{ "dma_alloc_under_mask", dma_alloc_under_mask },
	{ "dma_access", dma_access },
	{ "dma_limits", dma_limits },
	{ NULL, NULL },
};
