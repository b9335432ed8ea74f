/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doorbell.c - registers of a model that an eventfd stands for; see doorbell.h.
 */
#include "doorbell.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* As many as a vfio-user reply tells of. */
#define MAX_DOORBELLS 256

/* Served in one go; the rest is found readable again. */
#define BURST 16

void vfki_doorbells_init(struct vfk_model *m)
{
	m->doorbells = (struct vfki_doorbells){ .epoll = -1 };
}

void vfki_doorbells_fini(struct vfk_model *m)
{
	for (uint32_t i = 0; i < m->doorbells.count; i++)
		vfki_fd_close(m->doorbells.at[i].fd);
	vfki_fd_close(m->doorbells.epoll);
	free(m->doorbells.at);
	vfki_doorbells_init(m);
}

/* ---- declaring ---- */

static int refuse(const struct vfk_model *m, const struct vfki_doorbell *d, int err,
		  const char *why)
{
	return vfki_err(err, "%s: doorbell of %u bytes at 0x%" PRIx64 " of BAR %u: %s", m->io.name,
			d->width, d->off, d->bar, why);
}

static int check(const struct vfk_model *m, const struct vfki_doorbell *d)
{
	if (d->bar >= VFKI_BARS || !m->bars[d->bar].length)
		return refuse(m, d, -EINVAL, "no such BAR was declared");
	if (d->width > 8 || !vfki_is_pow2(d->width) || !vfki_is_aligned(d->off, d->width) ||
	    !vfki_range_ok(d->off, d->width, m->bars[d->bar].length))
		return refuse(m, d, -EINVAL, "not aligned, or beyond its end");
	if (d->width < 8 && d->value >> (8 * d->width))
		return refuse(m, d, -EINVAL, "the value does not fit");
	for (uint32_t i = 0; i < m->doorbells.count; i++) {
		const struct vfki_doorbell *other = &m->doorbells.at[i];

		/* One write rings one doorbell. */
		if (other->bar == d->bar &&
		    vfki_ranges_overlap(other->off, other->width, d->off, d->width) &&
		    !(other->match && d->match && other->off == d->off &&
		      other->width == d->width && other->value != d->value))
			return refuse(m, d, -EEXIST, "there is one");
	}
	return 0;
}

int vfk_model_add_doorbell(struct vfk_model *m, unsigned int bar, uint64_t off, unsigned int width,
			   uint32_t flags, uint64_t value)
{
	const struct vfki_doorbell d = {
		.bar = bar,
		.width = width,
		.off = off,
		.value = value,
		.match = flags & VFK_DOORBELL_MATCH,
		.fd = -1,
	};
	struct vfki_doorbells *all = &m->doorbells;
	struct vfki_doorbell *more;
	int ret = vfki_model_declaring(m, "a doorbell");

	if (!ret && flags & ~VFK_DOORBELL_MATCH)
		ret = refuse(m, &d, -EINVAL, "unknown flags");
	if (!ret)
		ret = check(m, &d);
	if (!ret && all->count == MAX_DOORBELLS)
		ret = refuse(m, &d, -ENOSPC, "too many");
	if (ret)
		return ret;
	more = realloc(all->at, (all->count + 1) * sizeof(*more));
	if (!more)
		return vfki_err(-ENOMEM, "%s: no memory", m->io.name);
	all->at = more;
	all->at[all->count++] = d;
	return 0;
}

/* ---- handing out ---- */

static int open_epoll(struct vfk_model *m)
{
	int fd, ret;

	if (m->doorbells.epoll >= 0)
		return 0;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return vfki_err_sys(-errno, "%s: doorbells", m->io.name);
	ret = vfki_work_watch(m, fd);
	if (ret)
		vfki_fd_close(fd);
	else
		m->doorbells.epoll = fd;
	return ret;
}

/* An eventfd that rings doorbell @i, for the caller and for us. */
static int make(struct vfk_model *m, uint32_t i, struct vfk_region_io_fd *out, int *ours)
{
	const struct vfki_doorbell *d = &m->doorbells.at[i];
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };
	int fd = vfki_eventfd_create(), copy;

	if (fd < 0)
		return fd;
	copy = vfki_fd_dup(fd);
	if (copy < 0 || epoll_ctl(m->doorbells.epoll, EPOLL_CTL_ADD, fd, &ev)) {
		int ret = copy < 0 ? copy : -errno;

		vfki_fd_close(copy);
		vfki_fd_close(fd);
		return ret;
	}
	*out = (struct vfk_region_io_fd){
		.offset = d->off,
		.length = d->width,
		.type = VFK_IO_FD_IOEVENTFD,
		.flags = d->match ? VFK_IO_FD_DATAMATCH : 0,
		.datamatch = d->match ? d->value : 0,
		.fd = copy,
		.shadow_fd = -1,
	};
	*ours = fd;
	return 0;
}

/* The caller's duplicate keeps it in the epoll, beyond our close. */
static void drop(struct vfk_model *m, int fd)
{
	if (fd >= 0)
		epoll_ctl(m->doorbells.epoll, EPOLL_CTL_DEL, fd, NULL);
	vfki_fd_close(fd);
}

static int make_all(struct vfk_model *m, uint32_t region, struct vfk_region_io_fd *fds, int *ours)
{
	size_t n = 0;
	int ret = 0;

	for (uint32_t i = 0; !ret && i < m->doorbells.count; i++)
		if (m->doorbells.at[i].bar == region) {
			ret = make(m, i, &fds[n], &ours[n]);
			n += !ret;
		}
	if (!ret)
		return 0;
	while (n-- > 0) {
		vfki_fd_close(fds[n].fd);
		drop(m, ours[n]);
	}
	return vfki_err_sys(ret, "%s: doorbells", m->io.name);
}

static void take_over(struct vfk_model *m, uint32_t region, const int *ours)
{
	for (uint32_t i = 0; i < m->doorbells.count; i++)
		if (m->doorbells.at[i].bar == region) {
			drop(m, m->doorbells.at[i].fd);
			m->doorbells.at[i].fd = *ours++;
		}
}

static int hand_out(struct vfk_model *m, uint32_t region, struct vfk_region_io_fd *fds)
{
	int ours[MAX_DOORBELLS];
	int ret = open_epoll(m);

	if (!ret)
		ret = make_all(m, region, fds, ours);
	if (!ret)
		take_over(m, region, ours);
	return ret;
}

static void take_back(struct vfk_model *m, uint32_t region)
{
	for (uint32_t i = 0; i < m->doorbells.count; i++)
		if (m->doorbells.at[i].bar == region) {
			drop(m, m->doorbells.at[i].fd);
			m->doorbells.at[i].fd = -1;
		}
}

int vfki_doorbells_hand_out(struct vfk_model *m, uint32_t region, struct vfk_region_io_fd *fds,
			    size_t max, size_t *count)
{
	size_t n = 0;
	int ret = 0;

	for (uint32_t i = 0; i < m->doorbells.count; i++)
		n += m->doorbells.at[i].bar == region;
	vfki_lock_take(&m->lock);
	if (!max)
		take_back(m, region);
	else if (n && n <= max)
		ret = hand_out(m, region, fds);
	vfki_lock_drop(&m->lock);
	if (!ret)
		*count = n;
	return ret;
}

/* ---- ringing ---- */

/* Whether doorbell @i was rung since it was last looked at. One that was taken back meanwhile was not. */
static bool rung(struct vfk_model *m, uint32_t i)
{
	uint64_t times;
	bool r;

	vfki_lock_take(&m->lock);
	r = m->doorbells.at[i].fd >= 0 && !vfki_eventfd_drain(m->doorbells.at[i].fd, &times);
	vfki_lock_drop(&m->lock);
	return r;
}

static void ring(struct vfk_model *m, const struct vfki_doorbell *d)
{
	uint8_t data[8];

	for (unsigned int i = 0; i < d->width; i++)
		data[i] = (uint8_t)(d->value >> 8 * i);
	/* There is nobody to be told of a failure, as for a posted write. */
	vfki_bar_write(m, d->bar, d->off, data, d->width);
}

int vfki_doorbells_serve(struct vfk_model *m)
{
	struct epoll_event ev[BURST];
	int done = 0, n;

	if (!m->doorbells.count || m->doorbells.epoll < 0)
		return 0;
	do {
		n = epoll_wait(m->doorbells.epoll, ev, BURST, 0);
		for (int i = 0; i < n; i++)
			if (rung(m, ev[i].data.u32)) {
				ring(m, &m->doorbells.at[ev[i].data.u32]);
				done++;
			}
	} while (n == BURST && done < MAX_DOORBELLS);
	return done;
}
