/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_engine_dma.c - the device moves bytes: by shared memory, by messages, where it may and where not. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

#define PAGE 4096u
#define BASE 0x200000ull

struct bench {
	const struct engine *e;
	struct engine_run run;
	struct vfk_dma_space *space;
	uint8_t *mem;		/* two pages: what goes in, where it comes out */
	int fd;			/* their file, which is shown only to those who insist */
	uint32_t reads, writes; /* calls of the callbacks */
};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) + 7);
}

/* What came out is what went in. The source is no witness: a transfer that misses both ends leaves them alike. */
static void check_copied(struct t *t, const uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		CHECK_EQ(t, out[i], pattern(i));
}

static void begin(struct t *t, struct bench *b)
{
	int ret;

	memset(b, 0, sizeof(*b));
	b->e = engine_find(t);
	CHECK_OK(t, vfk_dma_space_create(&b->space));
	ret = vfk_device_attach_dma(t->dev, b->space);
	CHECK_OK(t, ret);
	b->run = engine_begin(t, b->e, b->space);
	b->fd = memfd_create("conformance", MFD_CLOEXEC);
	CHECK(t, b->fd >= 0);
	CHECK_OK(t, ftruncate(b->fd, 2 * PAGE));
	b->mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	CHECK(t, b->mem != MAP_FAILED);
	for (size_t i = 0; i < PAGE; i++)
		b->mem[i] = pattern(i);
}

static void end(struct t *t, struct bench *b)
{
	engine_end(t, &b->run);
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_dma_space_destroy(b->space));
	munmap(b->mem, 2 * PAGE);
	close(b->fd);
}

static int map_once(struct bench *b, struct vfk_dma_mapping m)
{
	m.size = sizeof(m);
	m.iova = BASE;
	m.length = 2 * PAGE;
	if (!m.prot)
		m.prot = VFK_DMA_READ | VFK_DMA_WRITE;
	return vfk_dma_map(b->space, &m, NULL);
}

/*
 * Without an IOMMU a device sees physical addresses, and nobody can choose where something is mapped. A device that is
 * really another process's may insist on memory with a file.
 */
static int map(struct bench *b, struct vfk_dma_mapping m)
{
	struct vfk_dma_limits limits = { .size = sizeof(limits) };
	int ret = map_once(b, m);

	if (ret == -ENOTSUP && m.vaddr && m.fd < 0) {
		m.fd = b->fd;
		ret = map_once(b, m);
	}
	if (ret == -ENOTSUP && !m.callbacks && !vfk_dma_get_limits(b->space, &limits) &&
	    limits.flags & VFK_DMA_PHYSICAL)
		case_skip("addresses cannot be chosen");
	return ret;
}

/* First page to the device and from there to the second, in parts of what the device can hold. */
static void round_trip(struct t *t, struct bench *b, uint64_t iova)
{
	for (size_t off = 0; off < PAGE; off += b->e->max_copy) {
		engine_in(t, b->e, iova + off, b->e->max_copy);
		engine_out(t, b->e, iova + PAGE + off, b->e->max_copy);
	}
}

static void engine_dma_alloc(struct t *t)
{
	struct vfk_dma_buffer buf = { .size = sizeof(buf) };
	struct bench b;

	begin(t, &b);
	CHECK_OK(t, vfk_dma_alloc(b.space, 3 * PAGE, VFK_DMA_READ | VFK_DMA_WRITE, &buf));
	memcpy(buf.vaddr, b.mem, PAGE);
	round_trip(t, &b, buf.dev.addr);
	check_copied(t, (uint8_t *)buf.vaddr + PAGE, PAGE);
	for (size_t i = 2 * PAGE; i < 3 * PAGE; i++)
		CHECK_EQ(t, ((uint8_t *)buf.vaddr)[i], 0);
	CHECK_OK(t, vfk_dma_free(b.space, &buf));
	end(t, &b);
}

/* Memory without a file: another process can reach it by messages only. */
static void engine_dma_private_memory(struct t *t)
{
	struct bench b;
	int ret;

	begin(t, &b);
	ret = map_once(&b, (struct vfk_dma_mapping){ .fd = -1, .vaddr = b.mem });
	if (ret == -ENOTSUP)
		case_skip("the device reaches only memory with a file, or of its own choice");
	CHECK_OK(t, ret);
	round_trip(t, &b, BASE);
	check_copied(t, b.mem + PAGE, PAGE);
	end(t, &b);
}

static void engine_dma_file_only(struct t *t)
{
	int fd = memfd_create("conformance", MFD_CLOEXEC);
	struct bench b;

	begin(t, &b);
	CHECK(t, fd >= 0);
	CHECK_EQ(t, pwrite(fd, b.mem, 2 * PAGE, PAGE), 2 * PAGE);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = fd, .fd_offset = PAGE }));
	close(fd); /* the space has its own */
	round_trip(t, &b, BASE);
	CHECK_OK(t, vfk_dma_access(b.space, BASE + PAGE, b.mem + PAGE, PAGE, VFK_DMA_READ));
	check_copied(t, b.mem + PAGE, PAGE);
	end(t, &b);
}

static void dma_file_too_short(struct t *t)
{
	int fd = memfd_create("conformance", MFD_CLOEXEC);
	struct bench b;

	begin(t, &b);
	CHECK(t, fd >= 0);
	CHECK_OK(t, ftruncate(fd, 2 * PAGE - 1));
	CHECK_EQ(t, map(&b, (struct vfk_dma_mapping){ .fd = fd }), -EINVAL);
	CHECK_OK(t, ftruncate(fd, 2 * PAGE));
	CHECK_EQ(t, map(&b, (struct vfk_dma_mapping){ .fd = fd, .fd_offset = PAGE }), -EINVAL);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = fd }));
	close(fd);
	end(t, &b);
}

static int cb_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct bench *b = ctx;

	if (iova < BASE || iova - BASE + len > 2 * PAGE)
		return -EFAULT;
	memcpy(buf, b->mem + (iova - BASE), len);
	b->reads++;
	return 0;
}

static int cb_write(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct bench *b = ctx;

	if (iova < BASE || iova - BASE + len > 2 * PAGE)
		return -EFAULT;
	memcpy(b->mem + (iova - BASE), buf, len);
	b->writes++;
	return 0;
}

static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), cb_read, cb_write };

static void engine_dma_callbacks(struct t *t)
{
	struct bench b;
	int ret;

	begin(t, &b);
	ret = map(&b, (struct vfk_dma_mapping){ .fd = -1, .callbacks = &callbacks, .ctx = &b });
	if (ret == -ENOTSUP)
		case_skip("the device reaches real memory only");
	CHECK_OK(t, ret);
	round_trip(t, &b, BASE);
	CHECK(t, b.reads > 0 && b.writes > 0);
	check_copied(t, b.mem + PAGE, PAGE);
	end(t, &b);
}

/* The program does nothing but wait for the interrupt; the DMA must be served in there. */
static void engine_dma_while_waiting(struct t *t)
{
	int fd = case_eventfd(t);
	struct bench b;
	uint32_t irq;
	int ret;

	begin(t, &b);
	ret = map(&b, (struct vfk_dma_mapping){ .fd = -1, .callbacks = &callbacks, .ctx = &b });
	if (ret == -ENOTSUP)
		case_skip("the device reaches real memory only");
	CHECK_OK(t, ret);
	irq = engine_message_irq(t);
	CHECK_OK(t, vfk_irq_set_eventfds(t->dev, irq, 0, 1, &fd));
	b.e->start_in(t, BASE, b.e->max_copy);
	case_wait(t, fd);
	b.e->ack(t);
	b.e->start_out(t, BASE + PAGE, b.e->max_copy);
	case_wait(t, fd);
	b.e->ack(t);
	check_copied(t, b.mem + PAGE, b.e->max_copy);
	CHECK_OK(t, vfk_irq_disable(t->dev, irq));
	end(t, &b);
	close(fd);
}

static void engine_dma_needs_bus_master(struct t *t)
{
	struct bench b;

	begin(t, &b);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = -1, .vaddr = b.mem }));
	engine_in(t, b.e, BASE, b.e->max_copy);
	case_command(t, PCI_COMMAND_MASTER, 0);
	engine_out(t, b.e, BASE + PAGE, b.e->max_copy);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(t, b.mem[PAGE + i], 0);
	case_command(t, 0, PCI_COMMAND_MASTER);
	/* what could not fetch its commands has failed, and may have forgotten */
	engine_in(t, b.e, BASE, b.e->max_copy);
	engine_out(t, b.e, BASE + PAGE, b.e->max_copy);
	check_copied(t, b.mem + PAGE, b.e->max_copy);
	end(t, &b);
}

static void engine_dma_not_mapped(struct t *t)
{
	struct bench b;

	begin(t, &b);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = -1, .vaddr = b.mem }));
	engine_in(t, b.e, BASE, b.e->max_copy);
	engine_out(t, b.e, BASE + 64 * PAGE, b.e->max_copy);
	CHECK_OK(t, vfk_dma_unmap(b.space, BASE, 2 * PAGE));
	engine_out(t, b.e, BASE + PAGE, b.e->max_copy);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(t, b.mem[PAGE + i], 0);
	end(t, &b);
}

static void engine_dma_protection(struct t *t)
{
	struct bench b;

	begin(t, &b);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){
				    .fd = -1, .vaddr = b.mem, .prot = VFK_DMA_READ }));
	engine_in(t, b.e, BASE, b.e->max_copy);
	engine_out(t, b.e, BASE + PAGE, b.e->max_copy);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(t, b.mem[PAGE + i], 0);
	end(t, &b);
}

/* A mapping made before the attach is as good as one made after it. */
static void engine_dma_attach_replays(struct t *t)
{
	struct bench b;

	begin(t, &b);
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = -1, .vaddr = b.mem }));
	CHECK_OK(t, vfk_device_detach_dma(t->dev));
	CHECK_OK(t, vfk_device_attach_dma(t->dev, b.space));
	round_trip(t, &b, BASE);
	check_copied(t, b.mem + PAGE, PAGE);
	end(t, &b);
}

static void engine_dma_survives_reset(struct t *t)
{
	struct bench b;

	begin(t, &b);
	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET))
		case_skip("the device has no reset");
	CHECK_OK(t, map(&b, (struct vfk_dma_mapping){ .fd = -1, .vaddr = b.mem }));
	CHECK_OK(t, vfk_device_reset(t->dev));
	round_trip(t, &b, BASE);
	check_copied(t, b.mem + PAGE, PAGE);
	end(t, &b);
}

const struct vfk_case vfk_cases_engine_dma[] = {
	{ "engine_dma_alloc", engine_dma_alloc },
	{ "engine_dma_private_memory", engine_dma_private_memory },
	{ "engine_dma_file_only", engine_dma_file_only },
	{ "dma_file_too_short", dma_file_too_short },
	{ "engine_dma_callbacks", engine_dma_callbacks },
	{ "engine_dma_while_waiting", engine_dma_while_waiting },
	{ "engine_dma_needs_bus_master", engine_dma_needs_bus_master },
	{ "engine_dma_not_mapped", engine_dma_not_mapped },
	{ "engine_dma_protection", engine_dma_protection },
	{ "engine_dma_attach_replays", engine_dma_attach_replays },
	{ "engine_dma_survives_reset", engine_dma_survives_reset },
	{ NULL, NULL },
};
