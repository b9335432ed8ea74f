/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked_access.c - checked accesses to regions; see checked.h.
 *
 * The usual access, inside a region whose limits are known, costs one acquire load and a few comparisons; everything
 * else goes the slow way, which finds out what is unusual. Any thread, no lock.
 */
#include "checked.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)

struct access {
	uint32_t region;
	uint32_t need; /* VFIO_REGION_INFO_FLAG_READ or _WRITE */
	uint64_t off;
	size_t len;
};

static const char *name_of(const struct access *a)
{
	return a->need == VFIO_REGION_INFO_FLAG_READ ? "read" : "write";
}

static int refused(const struct vfki_checked *c, const struct access *a, int err, const char *why)
{
	return vfki_err(err, "%s: region %" PRIu32 ": %s of %zu bytes at 0x%" PRIx64 ": %s",
			c->io->name, a->region, name_of(a), a->len, a->off, why);
}

/* Whether the access may be made; cuts a->len at the region's end. */
static int check_access(struct vfki_checked *c, struct access *a)
{
	uint32_t flags;
	uint64_t size, last;
	int ret = vfki_checked_region_limit(c, a->region, &size, &flags);

	if (ret < 0)
		return ret;
	if (a->off >= size)
		return refused(c, a, -EINVAL, size ? "beyond its end" : "it is empty");
	if (a->len && !vfki_range_last(a->off, a->len, &last))
		return refused(c, a, -EINVAL, "wraps");
	if (!(flags & a->need))
		return refused(c, a, -EACCES, "not permitted");
	a->len = (size_t)vfki_min_u64(a->len, size - a->off);
	return 0;
}

/* What came back from an op that was asked for @a. */
static ssize_t end_access(const struct vfki_checked *c, const struct access *a, ssize_t ret)
{
	if (ret > 0 && (size_t)ret <= a->len)
		return ret;
	if (ret >= 0)
		return vfki_checked_broken(c, name_of(a), "%zd of %zu bytes", ret, a->len);
	if (c->foreign && !*vfk_error())
		vfki_err_sys((int)ret, "%s: region %" PRIu32 ": %s of %zu bytes at 0x%" PRIx64,
			     c->io->name, a->region, name_of(a), a->len, a->off);
	return vfki_checked_end(c, name_of(a), ret);
}

static __attribute__((noinline, cold)) ssize_t slow_read(struct vfki_checked *c, struct access a,
							 void *buf)
{
	int ret = check_access(c, &a);

	if (ret < 0 || !a.len)
		return ret;
	vfki_checked_begin(c);
	return end_access(c, &a, c->region_read(c->io, a.region, a.off, buf, a.len));
}

static __attribute__((noinline, cold)) ssize_t slow_write(struct vfki_checked *c, struct access a,
							  const void *buf, unsigned int flags)
{
	int ret;

	if (flags & ~VFK_WRITE_POSTED)
		return refused(c, &a, -EINVAL, "unknown flags");
	ret = check_access(c, &a);
	if (ret < 0 || !a.len)
		return ret;
	vfki_checked_begin(c);
	return end_access(c, &a, c->region_write(c->io, a.region, a.off, buf, a.len, flags));
}

/*
 * Whether this is the usual access: to a region whose limits are known, inside of them, permitted. A length of 0 wraps
 * and is not; flags are 0 until the size is known; an io that may fail without a text has no usual ones.
 */
static inline bool is_usual(const struct vfki_checked *c, uint32_t region, uint32_t need,
			    uint64_t off, size_t len)
{
	const struct vfki_region_limit *r = &c->regions[region];

	return region < c->usual_regions &&
	       atomic_load_explicit(&r->flags, memory_order_acquire) & need && off < r->size &&
	       len - 1 < r->size - off;
}

/* 1 to @len, in one comparison: no region is larger than INT64_MAX, so a negative count is more than @len. */
static inline bool is_count(ssize_t ret, size_t len)
{
	return (size_t)ret - 1 < len;
}

/* A bundled io has put what was accessed into its text. */
static __attribute__((noinline, cold)) ssize_t odd_count(const struct vfki_checked *c,
							 uint32_t need, size_t len, ssize_t ret)
{
	return end_access(c, &(struct access){ .need = need, .len = len }, ret);
}

ssize_t vfki_checked_region_read(struct vfki_checked *c, uint32_t region, uint64_t off, void *buf,
				 size_t len)
{
	const uint32_t need = VFIO_REGION_INFO_FLAG_READ;
	ssize_t ret;

	if (!LIKELY(is_usual(c, region, need, off, len)))
		return slow_read(c, (struct access){ region, need, off, len }, buf);
	ret = c->region_read(c->io, region, off, buf, len);
	return LIKELY(is_count(ret, len)) ? ret : odd_count(c, need, len, ret);
}

ssize_t vfki_checked_region_write(struct vfki_checked *c, uint32_t region, uint64_t off,
				  const void *buf, size_t len, unsigned int flags)
{
	const uint32_t need = VFIO_REGION_INFO_FLAG_WRITE;
	ssize_t ret;

	if (!LIKELY(is_usual(c, region, need, off, len) && !(flags & ~VFK_WRITE_POSTED)))
		return slow_write(c, (struct access){ region, need, off, len }, buf, flags);
	ret = c->region_write(c->io, region, off, buf, len, flags);
	return LIKELY(is_count(ret, len)) ? ret : odd_count(c, need, len, ret);
}

static int check_one(struct vfki_checked *c, const struct vfk_region_write *w)
{
	struct access a = { w->region, VFIO_REGION_INFO_FLAG_WRITE, w->offset, w->len };
	int ret;

	if (w->len != 1 && w->len != 2 && w->len != 4 && w->len != 8)
		return refused(c, &a, -EINVAL, "not 1, 2, 4 or 8 bytes");
	ret = check_access(c, &a);
	if (!ret && a.len != w->len)
		ret = refused(c, &a, -EINVAL, "reaches beyond its end");
	return ret;
}

static int write_singly(struct vfki_checked *c, const struct vfk_region_write *writes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct vfk_region_write *w = &writes[i];
		ssize_t n = vfki_checked_region_write(c, w->region, w->offset, w->data, w->len, 0);

		if (n < 0)
			return (int)n;
		if ((size_t)n != w->len)
			return vfki_err(-EIO,
					"%s: region %" PRIu32 ": write at 0x%" PRIx64
					": %zd of %u bytes",
					c->io->name, w->region, w->offset, n, w->len);
	}
	return 0;
}

int vfki_checked_write_multi(struct vfki_checked *c, const struct vfk_region_write *writes,
			     size_t count)
{
	int (*op)(struct vfk_io *, const struct vfk_region_write *, size_t) =
		VFKI_OP(c->io->ops, write_multi);
	int ret = 0;

	if (count > VFKI_MAX_WRITES)
		return vfki_err(-EINVAL, "%s: %zu writes at once, at most %d", c->io->name, count,
				VFKI_MAX_WRITES);
	for (size_t i = 0; !ret && i < count; i++)
		ret = check_one(c, &writes[i]);
	if (ret < 0 || !count)
		return ret;
	if (!op)
		return write_singly(c, writes, count);
	vfki_checked_begin(c);
	return vfki_checked_end(c, "write", op(c->io, writes, count));
}

int vfki_checked_flush(struct vfki_checked *c)
{
	int (*op)(struct vfk_io *) = VFKI_OP(c->io->ops, flush);

	if (!op)
		return 0;
	vfki_checked_begin(c);
	return vfki_checked_end(c, "flush", op(c->io));
}
