/* SPDX-License-Identifier: BSD-3-Clause */
/* case.c - what the cases share: checks that end the process, and a device's everyday accesses. */
#include "case.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

void case_fail(struct t *t, const char *file, int line, const char *fmt, ...)
{
	const char *slash = strrchr(file, '/');
	va_list ap;

	fprintf(stderr, "%s:%d: ", slash ? slash + 1 : file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\ndevice %s, last error: %s\n", t->uri, vfk_error());
	fflush(stderr);
	_exit(1);
}

void case_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	fflush(stderr);
	_exit(77);
}

int case_open(struct t *t)
{
	if (t->open_device)
		return t->open_device(t->open, &t->dev);
	return vfk_device_open(t->uri, t->open, &t->dev);
}

void case_reopen(struct t *t)
{
	vfk_device_close(t->dev);
	t->dev = NULL;
	CHECK_OK(t, case_open(t));
}

const struct vfk_region_info *case_region(struct t *t, uint32_t index)
{
	const struct vfk_region_info *info = NULL;

	CHECK_OK(t, vfk_region_get_info(t->dev, index, &info));
	return info;
}

struct vfk_irq_info case_irq(struct t *t, uint32_t index)
{
	struct vfk_irq_info info = { 0 };

	CHECK_OK(t, vfk_irq_get_info(t->dev, index, &info));
	return info;
}

uint64_t case_get(struct t *t, uint32_t region, uint64_t off, unsigned int width)
{
	uint64_t value = 0;

	CHECK_OK(t, vfk_region_get(t->dev, region, off, width, &value));
	return value;
}

void case_put(struct t *t, uint32_t region, uint64_t off, unsigned int width, uint64_t value)
{
	CHECK_OK(t, vfk_region_put(t->dev, region, off, width, value));
}

void case_command(struct t *t, uint16_t clear, uint16_t set)
{
	uint64_t cmd = case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2);

	case_put(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, (cmd & ~(uint64_t)clear) | set);
}

void case_need_pci(struct t *t)
{
	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_PCI))
		case_skip("not a PCI device");
}

int case_eventfd(struct t *t)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	CHECK(t, fd >= 0);
	return fd;
}

uint64_t case_count(struct t *t, int fd)
{
	uint64_t count = 0;
	ssize_t n = read(fd, &count, sizeof(count));

	CHECK(t, n == sizeof(count) || (n < 0 && errno == EAGAIN));
	return count;
}

void case_wait(struct t *t, int fd)
{
	uint64_t count = 0;

	CHECK_EQ(t, vfk_irq_wait(t->dev, &fd, 1, 5000, &count), 1);
	CHECK(t, count >= 1);
}

void case_quiet(struct t *t, int fd)
{
	uint64_t count = 0;

	CHECK_EQ(t, vfk_irq_wait(t->dev, &fd, 1, 30, &count), -ETIMEDOUT);
	CHECK_EQ(t, count, 0);
}

uint64_t case_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
