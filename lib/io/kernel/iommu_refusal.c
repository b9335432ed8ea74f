/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_refusal.c - why the kernel refused a mapping, and what to do about it.
 *
 * The kernel answers with one of a few numbers; what they mean is found out from the mapping, the limits and /proc. Only
 * failures come here, so it may take its time.
 *
 * Threads: any; under the iommu's lock.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/kernel/iommu_kind.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* "0x1000-0x2fff" behind the device's name. */
static int refuse(const char *name, const struct vfki_iommu_entry *e, int err, const char *why)
{
	return vfki_err(err, "%s: DMA map of 0x%" PRIx64 "-0x%" PRIx64 ": %s", name, e->m.first,
			e->m.last, why);
}

/* ---- locked memory ---- */

/* A line of /proc/self/status in KiB; 0 when it is not there. */
static unsigned long long status_kib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), ": %llu", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

void vfki_iommu_memlock(char *text, size_t size)
{
	/* containers count as locked, iommufds as pinned */
	unsigned long long locked = status_kib("VmLck"), pinned = status_kib("VmPin");
	struct rlimit limit;

	*text = '\0';
	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return;
	snprintf(
		text, size,
		"the limit on locked memory (RLIMIT_MEMLOCK) is %llu KiB, this process has locked %llu KiB",
		(unsigned long long)limit.rlim_cur / 1024, locked > pinned ? locked : pinned);
}

static int no_memory(const char *name, const struct vfki_iommu_entry *e)
{
	char limit[160], why[400];

	vfki_iommu_memlock(limit, sizeof(limit));
	if (!*limit)
		return refuse(name, e, -ENOMEM, "the kernel has no memory for it");
	snprintf(why, sizeof(why),
		 "what a device reaches is locked: %s, this needs %" PRIu64
		 " KiB more; raise it (ulimit -l, LimitMEMLOCK= of a unit), or give CAP_IPC_LOCK",
		 limit, vfki_iommu_entry_length(e) / 1024);
	return refuse(name, e, -ENOMEM, why);
}

/* ---- memory that is not there, or is no memory ---- */

/* What the process has at an address, as /proc/self/smaps tells it. */
struct area {
	bool known; /* smaps could be read */
	bool there; /* something is mapped there, from first to last */
	bool writable;
	bool registers; /* of a device */
	unsigned long long first, last;
};

/* "7f00-7f08 rw-p ..." begins an area; what follows belongs to it, its flags among it (proc_pid_smaps(5)). */
static void read_area_line(struct area *a, const char *line, unsigned long long at)
{
	unsigned long long first, end;
	char prot[5];

	if (sscanf(line, "%llx-%llx %4s", &first, &end, prot) == 3) {
		a->there = first <= at && at < end;
		if (!a->there)
			return;
		a->first = first;
		a->last = end - 1;
		a->writable = prot[1] == 'w';
	} else if (a->there && !strncmp(line, "VmFlags:", 8)) {
		a->registers = strstr(line, " io") || strstr(line, " pf");
	}
}

static struct area find_area(unsigned long long at)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	struct area a = { .known = f };
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		bool found = a.there;
		struct area before = a;

		read_area_line(&a, line, at);
		if (found && !a.there) {
			a = before;
			break;
		}
	}
	if (f)
		fclose(f);
	return a;
}

static int no_pages(const char *name, const struct vfki_iommu_entry *e)
{
	unsigned long long at = (uintptr_t)e->m.vaddr;
	unsigned long long last = at + vfki_iommu_entry_length(e) - 1;

	for (;;) {
		struct area a = find_area(at);

		if (!a.known)
			break;
		if (!a.there)
			return refuse(name, e, -EINVAL, "there is no memory at the address");
		if (a.registers)
			return refuse(
				name, e, -ENOTSUP,
				"it is no memory but registers, such as another device's BAR, "
				"which this IOMMU cannot map");
		if (e->m.prot & VFK_DMA_WRITE && !a.writable)
			return refuse(name, e, -EINVAL, "the memory may not be written");
		if (a.last >= last)
			break;
		at = a.last + 1;
	}
	return refuse(name, e, -EINVAL, "the memory is not of a kind that can be locked");
}

/* ---- where it was to be ---- */

static bool in_a_range(const struct vfk_dma_limits *l, const struct vfki_iommu_entry *e)
{
	for (uint32_t n = 0; n < l->num_ranges; n++) {
		if (e->m.first >= l->ranges[n].first && e->m.last <= l->ranges[n].last)
			return true;
	}
	return !l->num_ranges;
}

static void print_ranges(const struct vfk_dma_limits *l, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (uint32_t n = 0; n < l->num_ranges && used + 48 < size; n++)
		used += (size_t)snprintf(text + used, size - used, "%s0x%" PRIx64 "-0x%" PRIx64,
					 n ? ", " : "", l->ranges[n].first, l->ranges[n].last);
}

static int no_place(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e)
{
	struct vfk_dma_limits l = { .size = sizeof(l), .pgsizes = (uint64_t)sysconf(_SC_PAGESIZE) };
	uint64_t granule;
	char ranges[192], why[320];

	if (i->kind->limits(i, name, &l) < 0)
		return refuse(name, e, -EINVAL, "the IOMMU refuses it");
	granule = l.pgsizes & -l.pgsizes;
	if (!vfki_is_aligned(e->m.first, granule) || !vfki_is_aligned(e->m.last + 1, granule) ||
	    !vfki_is_aligned((uintptr_t)e->m.vaddr, granule)) {
		snprintf(why, sizeof(why),
			 "address, memory and length must be multiples of 0x%" PRIx64
			 " (page sizes 0x%" PRIx64 "), memory is at %p",
			 granule, l.pgsizes, e->m.vaddr);
		return refuse(name, e, -EINVAL, why);
	}
	if (!in_a_range(&l, e)) {
		print_ranges(&l, ranges, sizeof(ranges));
		snprintf(why, sizeof(why), "not in a range that the IOMMU can map: %s", ranges);
		return refuse(name, e, -ERANGE, why);
	}
	return refuse(name, e, -EINVAL, "the IOMMU refuses it");
}

int vfki_iommu_refusal(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e,
		       int err)
{
	switch (err) {
	case -ENOMEM:
		return no_memory(name, e);
	case -EFAULT:
		return no_pages(name, e);
	case -ENOSPC:
		return refuse(name, e, -ENOSPC,
			      "the container takes no more mappings (dma_entry_limit of the module "
			      "vfio_iommu_type1); map fewer and larger ones");
	case -EEXIST:
	case -EADDRINUSE:
		return refuse(name, e, -EEXIST, "it overlaps what is mapped there already");
	case -EINVAL:
	case -EOVERFLOW:
	case -ERANGE:
		return no_place(i, name, e);
	default:
		return vfki_err_sys(err, "%s: DMA map of 0x%" PRIx64 "-0x%" PRIx64, name,
				    e->m.first, e->m.last);
	}
}
