/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar.c - declaring BARs, and dispatching accesses to them; see bar.h.
 *
 * Threads: declaring inside the model's init; accesses from any thread, under the model's lock.
 */
#include "bar.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <string.h>

/* Largest -errno that Linux has. */
#define MAX_ERRNO 4095

void vfki_bars_init(struct vfk_model *m)
{
	for (unsigned int i = 0; i < VFKI_BARS; i++)
		m->bars[i] = (struct vfki_bar){ .memory = { .fd = -1 } };
}

void vfki_bars_fini(struct vfk_model *m)
{
	for (unsigned int i = 0; i < VFKI_BARS; i++)
		vfki_memory_fini(&m->bars[i].memory);
}

/* ---- declaring ---- */

static int check_access(uint32_t min, uint32_t max)
{
	if (min && (!vfki_is_pow2(min) || min > 8))
		return -EINVAL;
	if (max && (!vfki_is_pow2(max) || max < min))
		return -EINVAL;
	return 0;
}

static int check_length(const struct vfk_model_bar *bar)
{
	uint64_t max = bar->flags & VFK_BAR_64 ? 1ull << 63 : 1ull << 31;

	if (!vfki_is_pow2(bar->length))
		return -EINVAL;
	/* PCI 3.0, section 6.2.5.1: the low bits of a BAR say what it is; I/O takes 256 bytes at most. */
	if (bar->flags & VFK_BAR_IO)
		return bar->length < 4 || bar->length > 256 ? -EINVAL : 0;
	return bar->length < 16 || bar->length > max ? -EINVAL : 0;
}

static int check_bar(const struct vfk_model *m, unsigned int index, const struct vfk_model_bar *bar)
{
	const uint32_t known = VFK_BAR_IO | VFK_BAR_64 | VFK_BAR_PREFETCH;
	bool wide = bar->flags & VFK_BAR_64;

	if (bar->size < sizeof(*bar))
		return vfki_err(-EINVAL, "%s: BAR %u: size %zu, need %zu", m->io.name, index,
				bar->size, sizeof(*bar));
	if (index + wide >= VFKI_BARS)
		return vfki_err(-EINVAL, "%s: BAR %u: there are %d, and a 64-bit one takes two",
				m->io.name, index, VFKI_BARS);
	if (bar->flags & ~known || (bar->flags & VFK_BAR_IO && bar->flags != VFK_BAR_IO))
		return vfki_err(-EINVAL, "%s: BAR %u: flags 0x%x", m->io.name, index, bar->flags);
	if (check_length(bar) < 0)
		return vfki_err(-EINVAL, "%s: BAR %u: length 0x%" PRIx64, m->io.name, index,
				bar->length);
	if (check_access(bar->min_access, bar->max_access) < 0)
		return vfki_err(-EINVAL, "%s: BAR %u: accesses of %u to %u bytes", m->io.name,
				index, bar->min_access, bar->max_access);
	if (m->bars[index].length || m->bars[index].upper ||
	    (wide && (m->bars[index + 1].length || m->bars[index + 1].upper)))
		return vfki_err(-EEXIST, "%s: BAR %u: the place is taken", m->io.name, index);
	return 0;
}

static int take_memory(const struct vfk_model *m, unsigned int index,
		       const struct vfk_model_bar *bar, struct vfki_bar *b)
{
	const struct vfki_memory_decl decl = {
		.region = "BAR",
		.index = index,
		.length = bar->length,
		.fd = bar->fd,
		.fd_offset = bar->fd_offset,
		.areas = bar->areas,
		.num_areas = bar->num_areas,
	};

	if (b->flags & VFK_BAR_IO)
		return vfki_err(-EINVAL, "%s: BAR %u: I/O space cannot be mapped", m->io.name,
				index);
	b->plain = false;
	return vfki_memory_take(m, &decl, &b->memory);
}

/* The bits that say what the BAR is, and those that can be written: the ones above its length. */
static void fill_register(struct vfk_model *m, unsigned int index)
{
	const struct vfki_bar *b = &m->bars[index];
	size_t at = PCI_BASE_ADDRESS_0 + 4 * index;
	uint64_t mask = ~(b->length - 1);

	if (b->flags & VFK_BAR_IO) {
		vfki_put_le32(&m->config.bytes[at], PCI_BASE_ADDRESS_SPACE_IO);
		vfki_put_le32(&m->config.writable[at], (uint32_t)mask);
		return;
	}
	vfki_put_le32(&m->config.bytes[at],
		      (b->flags & VFK_BAR_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0) |
			      (b->flags & VFK_BAR_PREFETCH ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
	vfki_put_le32(&m->config.writable[at], (uint32_t)mask);
	if (b->flags & VFK_BAR_64)
		vfki_put_le32(&m->config.writable[at + 4], (uint32_t)(mask >> 32));
}

int vfk_model_add_bar(struct vfk_model *m, unsigned int index, const struct vfk_model_bar *bar)
{
	struct vfki_bar b = { .memory = { .fd = -1 }, .plain = true };
	int ret = vfki_model_declaring(m, "BAR");

	if (ret < 0)
		return ret;
	ret = index < VFKI_BARS ?
		      check_bar(m, index, bar) :
		      vfki_err(-EINVAL, "%s: BAR %u: there are %d", m->io.name, index, VFKI_BARS);
	if (ret < 0)
		return ret;
	b.length = bar->length;
	b.flags = bar->flags;
	b.decode = bar->flags & VFK_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	b.min = bar->min_access ? bar->min_access : 1;
	b.max = bar->max_access ? bar->max_access : UINT32_MAX;
	if (bar->fd >= 0) {
		ret = take_memory(m, index, bar, &b);
		if (ret < 0)
			return ret;
	}
	m->bars[index] = b;
	if (b.flags & VFK_BAR_64)
		m->bars[index + 1].upper = true;
	fill_register(m, index);
	return 0;
}

/* ---- who answers ---- */

enum part_kind {
	PART_MODEL,
	PART_MEMORY,
	PART_TABLE,
	PART_PBA,
};

/* The part of a BAR that an offset lies in. */
struct part {
	enum part_kind kind;
	uint64_t first;
	uint64_t end; /* where the next one begins */
};

/* Narrows @p to [first, first + len) if @off is in there, else to what is outside of it around @off. */
static bool narrow(struct part *p, uint64_t off, uint64_t first, uint64_t len, enum part_kind kind)
{
	if (off < first) {
		p->end = vfki_min_u64(p->end, first);
		return false;
	}
	if (off - first >= len)
		return false;
	*p = (struct part){ kind, first, vfki_min_u64(p->end, first + len) };
	return true;
}

static struct part find_part(const struct vfk_model *m, uint32_t bar, uint64_t off)
{
	const struct vfki_bar *b = &m->bars[bar];
	const struct vfki_irqs *irqs = &m->irqs;
	struct part p = { PART_MODEL, 0, b->length };

	if (b->memory.fd >= 0 && !b->memory.num_areas)
		p.kind = PART_MEMORY;
	/* Before the areas: table and pending bits may lie in one. */
	if (irqs->msix.count && irqs->msix_bar == bar &&
	    narrow(&p, off, irqs->msix_table, vfki_msix_table_size(irqs), PART_TABLE))
		return p;
	if (irqs->msix.count && irqs->msix_pba_bar == bar &&
	    narrow(&p, off, irqs->msix_pba, vfki_msix_pba_size(irqs), PART_PBA))
		return p;
	for (uint32_t i = 0; i < b->memory.num_areas; i++) {
		const struct vfio_region_sparse_mmap_area *a = &b->memory.areas[i];

		if (narrow(&p, off, a->offset, a->size, PART_MEMORY))
			return p;
	}
	return p;
}

/* ---- access ---- */

struct access {
	struct vfk_model *m;
	uint32_t bar;
	bool write;
};

/* Which sizes the model takes: those up to max; of a model that named a max, powers of two only, as on the bus. */
static bool fits(const struct vfki_bar *b, size_t len)
{
	return len <= b->max && (b->max == UINT32_MAX || !(len & (len - 1)));
}

void vfki_bars_apply(struct vfk_model *m)
{
	for (unsigned int i = 0; i < VFKI_BARS; i++) {
		struct vfki_bar *b = &m->bars[i];
		uint64_t sizes = 0;

		for (unsigned int len = b->min; len && b->plain && len < 64; len += b->min)
			sizes |= (uint64_t)fits(b, len) << len;
		/* While the device sleeps, each access has to wake it. */
		if (!(m->decode & b->decode) || m->low_power.watched)
			sizes = 0;
		for (unsigned int at = 0; at < 8; at++)
			atomic_store_explicit(&m->direct.sizes[at][i],
					      b->min && at % b->min == 0 ? sizes : 0,
					      memory_order_relaxed);
	}
}

int vfki_bar_failed(const struct vfk_model *m, uint32_t bar, uint64_t off, size_t len, bool write,
		    int ret)
{
	/* As the door has it for every op (checked.c), which does not look behind a BAR's. */
	if (ret < -MAX_ERRNO)
		return vfki_err(-EPROTO, "%s: BAR %u: %s at 0x%" PRIx64 ": the model returned %d",
				m->io.name, bar, write ? "write" : "read", off, ret);
	if (ret == -ENOTTY || ret == -ENOSYS)
		ret = -ENOTSUP;
	return vfki_err_sys(ret, "%s: BAR %u: %s of %zu bytes at 0x%" PRIx64, m->io.name, bar,
			    write ? "write" : "read", len, off);
}

static int call_model(const struct access *a, uint64_t off, uint8_t *buf, size_t len)
{
	struct vfk_model *m = a->m;
	int ret = a->write ? m->ops.bar_write(m, m->self, a->bar, off, buf, len) :
			     m->ops.bar_read(m, m->self, a->bar, off, buf, len);

	return ret < 0 ? vfki_bar_failed(m, a->bar, off, len, a->write, ret) : 0;
}

/* Splits at max, aligned. @off and @len are multiples of min, which divides max: no piece is below min. */
static int split_model(const struct access *a, uint64_t off, uint8_t *buf, size_t len)
{
	const struct vfki_bar *b = &a->m->bars[a->bar];
	int ret = 0;

	if (fits(b, len))
		return call_model(a, off, buf, len);
	while (len && !ret) {
		size_t n = b->max;

		while (n > len || off & (n - 1))
			n >>= 1;
		ret = call_model(a, off, buf, n);
		off += n;
		buf += n;
		len -= n;
	}
	return ret;
}

static int access_part(const struct access *a, const struct part *p, uint64_t off, uint8_t *buf,
		       size_t len)
{
	struct vfk_model *m = a->m;
	const struct vfki_memory *mem = &m->bars[a->bar].memory;

	switch (p->kind) {
	case PART_MEMORY:
		if (a->write)
			vfki_memory_write(mem, off, buf, len);
		else
			vfki_memory_read(mem, off, buf, len);
		return 0;
	case PART_TABLE:
		if (a->write)
			vfki_msix_table_write(m, off - p->first, buf, len);
		else
			vfki_msix_table_read(m, off - p->first, buf, len);
		return 0;
	case PART_PBA: /* PCI 3.0, section 6.8.2.10: read-only */
		if (!a->write)
			vfki_msix_pba_read(m, off - p->first, buf, len);
		return 0;
	case PART_MODEL:
		break;
	}
	return split_model(a, off, buf, len);
}

static int access_parts(const struct access *a, uint64_t off, uint8_t *buf, size_t len)
{
	int ret = 0;

	while (len && !ret) {
		struct part p = find_part(a->m, a->bar, off);
		size_t n = (size_t)vfki_min_u64(len, p.end - off);

		ret = access_part(a, &p, off, buf, n);
		off += n;
		buf += n;
		len -= n;
	}
	return ret;
}

static int not_decoded(const struct vfk_model *m, uint32_t bar)
{
	return vfki_err(-EIO, "%s: BAR %u: %s decoding is off", m->io.name, bar,
			m->bars[bar].decode == PCI_COMMAND_IO ? "I/O" : "memory");
}

static ssize_t access_bar(const struct access *a, uint64_t off, uint8_t *buf, size_t len)
{
	struct vfk_model *m = a->m;
	const struct vfki_bar *b = &m->bars[a->bar];
	int ret;

	if (!vfki_range_ok(off, len, b->length))
		return vfki_err(-EINVAL, "%s: BAR %u: %zu bytes at 0x%" PRIx64 ": beyond its end",
				m->io.name, a->bar, len, off);
	if ((off | len) & (b->min - 1))
		return vfki_err(-EINVAL,
				"%s: BAR %u: %zu bytes at 0x%" PRIx64 ": accesses are multiples of "
				"%u bytes",
				m->io.name, a->bar, len, off, b->min);
	vfki_lock_take(&m->lock);
	vfki_low_power_access(m);
	ret = m->decode & b->decode ? access_parts(a, off, buf, len) : not_decoded(m, a->bar);
	vfki_model_leave(m);
	return ret < 0 ? ret : (ssize_t)len;
}

ssize_t vfki_bar_read(struct vfk_model *m, uint32_t bar, uint64_t off, void *buf, size_t len)
{
	return access_bar(&(struct access){ m, bar, false }, off, buf, len);
}

ssize_t vfki_bar_write(struct vfk_model *m, uint32_t bar, uint64_t off, const void *buf, size_t len)
{
	/* A write only reads it. */
	return access_bar(&(struct access){ m, bar, true }, off, (uint8_t *)(uintptr_t)buf, len);
}

/* ---- info ---- */

int vfki_bar_info(struct vfk_model *m, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	const struct vfki_bar *b = &m->bars[info->index];

	info->size = b->length;
	if (b->length)
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	return vfki_model_region_answer(
		m, info, fds,
		&(struct vfki_model_region_caps){ .memory = &b->memory,
						  .msix_mappable = b->msix_mappable });
}
