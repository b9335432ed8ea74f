/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - register accesses: one pread or pwrite each, at the region's place in the device's file.
 *
 * Any thread.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/kernel/instance.h"
#include <inttypes.h>
#include <unistd.h>

static ssize_t failed(const char *what, uint32_t region, uint64_t off, size_t len, int err)
{
	return vfki_err_sys(err, "region %" PRIu32 ": %s of %zu bytes at 0x%" PRIx64, region, what,
			    len, off);
}

ssize_t vfki_kernel_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				size_t len)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	ssize_t n = pread(k->device, buf, len, (off_t)(k->regions[region].offset + off));

	if (__builtin_expect(n > 0, 1))
		return n;
	return failed("read", region, off, len, n < 0 ? -errno : -EIO);
}

ssize_t vfki_kernel_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				 size_t len, unsigned int flags)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	ssize_t n = pwrite(k->device, buf, len, (off_t)(k->regions[region].offset + off));

	(void)flags; /* the kernel's write is done when it returns */
	if (__builtin_expect(n > 0, 1))
		return n;
	return failed("write", region, off, len, n < 0 ? -errno : -EIO);
}
