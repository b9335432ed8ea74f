/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_access.c - accesses to regions that go wrong: results, bytes, posted and multiple writes, mapped memory. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wrapper.h"

static ssize_t read_positive_errno(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				   size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	return ret < 0 ? -ret : ret;
}

static ssize_t read_minus_one(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	return ret < 0 ? -1 : ret;
}

static ssize_t read_too_much(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	return right.region_read(io, region, off, buf, len) + 4;
}

static ssize_t read_nothing(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	right.region_read(io, region, off, buf, len);
	return 0;
}

static ssize_t read_short(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	return right.region_read(io, region, off, buf, len > 2 ? 2 : len);
}

static ssize_t read_in_pieces(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	return right.region_read(io, region, off, buf, len > 64 ? 64 : len);
}

static ssize_t read_swapped(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);
	uint8_t *b = buf, first = b[0];

	if (ret == 2) {
		b[0] = b[1];
		b[1] = first;
	}
	return ret;
}

static ssize_t read_other_byte(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			       size_t len)
{
	return right.region_read(io, region, len == 1 ? off & ~3ull : off, buf, len);
}

static ssize_t write_positive_errno(struct vfk_io *io, uint32_t region, uint64_t off,
				    const void *buf, size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);

	return ret < 0 ? -ret : ret;
}

static ssize_t write_returns_0(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			       size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);

	return ret < 0 ? ret : 0;
}

static ssize_t write_short(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			   size_t len, unsigned int flags)
{
	return right.region_write(io, region, off, buf, len > 1 ? len / 2 : len, flags);
}

static ssize_t lose_posted(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			   size_t len, unsigned int flags)
{
	if (flags & VFK_WRITE_POSTED)
		return (ssize_t)len;
	return right.region_write(io, region, off, buf, len, flags);
}

/* A posted write waits until the next one comes. */
static ssize_t delay_posted(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	struct wrapper *w = wrapper(io);

	if (!(flags & VFK_WRITE_POSTED) || len != 4)
		return right.region_write(io, region, off, buf, len, flags);
	if (w->calls++)
		right.region_write(io, region, off, &w->shadow, 4, 0);
	memcpy(&w->shadow, buf, 4);
	return (ssize_t)len;
}

static int multi_stops(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	return right.write_multi(io, writes, count - 1);
}

static int multi_backwards(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	int ret = 0;

	while (!ret && count--)
		ret = right.write_multi(io, &writes[count], 1);
	return ret;
}

static int multi_counts(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	int ret = right.write_multi(io, writes, count);

	return ret ? ret : (int)count;
}

static int flush_counts(struct vfk_io *io)
{
	(void)io;
	return 1;
}

static uint64_t elsewhere(uint32_t region, uint64_t off)
{
	return region == REGION_MEMORY ? off ^ 0x2000 : off;
}

static ssize_t read_elsewhere(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	return right.region_read(io, region, elsewhere(region, off), buf, len);
}

static ssize_t write_elsewhere(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			       size_t len, unsigned int flags)
{
	return right.region_write(io, region, elsewhere(region, off), buf, len, flags);
}

static int short_file(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (ret == 0 && fds && fds->count) {
		close(fds->fd[0]);
		fds->fd[0] = memfd_create("short", MFD_CLOEXEC);
	}
	return ret;
}

static int no_file(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	(void)fds;
	return right.get_region_info(io, info, NULL);
}

const struct flaw flaws_access[] = {
	{ .name = "a read that fails returns +errno",
	  .fails = "config_memory_decoding",
	  .says = "got -71 (0xffffffffffffffb9), want -EIO",
	  .rule = "seed 2: -errno is the control channel",
	  .ops = { .region_read = read_positive_errno } },
	{ .name = "a read that fails returns -1",
	  .fails = "config_memory_decoding",
	  .says = "got -1 (0xffffffffffffffff), want -EIO",
	  .rule = "seed 10: the errno is the device's",
	  .ops = { .region_read = read_minus_one } },
	{ .name = "a read returns more than was asked for",
	  .fails = "region_access_before_info",
	  .says = "got -71",
	  .rule = "region_read: 1 to len",
	  .ops = { .region_read = read_too_much } },
	{ .name = "a read returns 0",
	  .fails = "region_access_before_info",
	  .says = "got -71",
	  .rule = "region_read: 1 to len",
	  .ops = { .region_read = read_nothing } },
	{ .name = "a read of a register is short",
	  .fails = "region_widths_agree",
	  .says = "got -5",
	  .rule = "region_read: short only where the device has no more",
	  .ops = { .region_read = read_short } },
	{ .name = "a long read stops after 64 bytes",
	  .fails = "region_whole_config",
	  .says = "got 64 (0x40)",
	  .rule = "region_read: short only where the device has no more",
	  .ops = { .region_read = read_in_pieces } },
	{ .name = "two bytes are read in the other order",
	  .fails = "region_widths_agree",
	  .says = "words: got",
	  .rule = "region_read: bytes as the device has them",
	  .ops = { .region_read = read_swapped } },
	{ .name = "a byte is read from the start of its dword",
	  .fails = "region_widths_agree",
	  .says = "bytes: got",
	  .rule = "region_read: an access reaches the device as it is",
	  .ops = { .region_read = read_other_byte } },
	{ .name = "a write that fails returns +errno",
	  .fails = "config_memory_decoding",
	  .says = "got -71 (0xffffffffffffffb9), want -EIO",
	  .rule = "seed 2: -errno is the control channel",
	  .ops = { .region_write = write_positive_errno } },
	{ .name = "a write returns 0",
	  .fails = "config_command_bits",
	  .says = "got -71",
	  .rule = "region_write: 1 to len",
	  .ops = { .region_write = write_returns_0 } },
	{ .name = "a write takes half of the register",
	  .fails = "config_command_bits",
	  .says = "got -5",
	  .rule = "region_write: an access of 1, 2, 4 or 8 bytes is one access",
	  .ops = { .region_write = write_short } },
	{ .name = "a posted write is lost",
	  .fails = "region_posted_write",
	  .says = "scratch_reads(v)",
	  .rule = "VFK_WRITE_POSTED: later calls are executed after it",
	  .ops = { .region_write = lose_posted } },
	{ .name = "a posted write is overtaken by a read",
	  .fails = "region_posted_write",
	  .says = "scratch_reads(v)",
	  .rule = "VFK_WRITE_POSTED: later calls are executed after it",
	  .ops = { .region_write = delay_posted } },
	{ .name = "several writes stop before the last without an error",
	  .fails = "region_write_multi",
	  .says = "scratch_reads(2)",
	  .rule = "write_multi: 0, all were done",
	  .ops = { .write_multi = multi_stops } },
	{ .name = "several writes are done backwards",
	  .fails = "region_write_multi",
	  .says = "scratch_reads(2)",
	  .rule = "write_multi: in order",
	  .ops = { .write_multi = multi_backwards } },
	{ .name = "several writes return their number",
	  .fails = "region_write_multi",
	  .says = "got -71",
	  .rule = "write_multi: 0 or -errno",
	  .ops = { .write_multi = multi_counts } },
	{ .name = "a flush returns a number",
	  .fails = "region_posted_write",
	  .says = "vfk_region_flush(t->dev): got -71",
	  .rule = "flush: 0 or a transport error",
	  .ops = { .flush = flush_counts } },
	{ .name = "messages reach other memory than mappings",
	  .fails = "map_agrees_with_access",
	  .says = "want want",
	  .rule = "a region is one memory",
	  .ops = { .region_read = read_elsewhere, .region_write = write_elsewhere } },
	{ .name = "a region's file is shorter than the region",
	  .fails = "map_agrees_with_access",
	  .says = "got -71",
	  .rule = "vfk_region_map: -EPROTO, not a SIGBUS later",
	  .ops = { .get_region_info = short_file } },
	{ .name = "a region that can be mapped comes without a file",
	  .fails = "map_agrees_with_access",
	  .says = "vfk_region_map",
	  .rule = "get_region_info: the files by which it can be mapped",
	  .ops = { .get_region_info = no_file } },
	{ .name = NULL },
};
