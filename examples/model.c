/* SPDX-License-Identifier: BSD-3-Clause */
/* model.c - a device of one's own: what is written to BAR 0 is added up; at 1000 it sends MSI 0. */
#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <vfiokit/vfiokit.h>

static int init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	struct vfk_model_identity id = { 0x1234, 0xc0de, 0, 0, .class_code = 0xff0000 };
	struct vfk_model_bar bar = { .size = sizeof(bar), .length = 16, .fd = -1 };
	int r = vfk_model_set_identity(model, &id);

	(void)self, (void)uri;
	bar.min_access = bar.max_access = 4; /* as the functions below want it */
	r = r < 0 ? r : vfk_model_add_bar(model, 0, &bar);
	return r < 0 ? r : vfk_model_add_msi(model, 1, false);
}

static int bar_read(struct vfk_model *m, void *self, unsigned bar, uint64_t at, void *buf, size_t n)
{
	uint32_t value = htole32(*(uint32_t *)self);

	(void)m, (void)bar, (void)at;
	memcpy(buf, &value, n);
	return 0;
}

static int bar_write(struct vfk_model *m, void *self, unsigned bar, uint64_t at, const void *buf,
		     size_t n)
{
	uint32_t *total = self, value;

	(void)bar, (void)at;
	memcpy(&value, buf, n);
	if ((*total += le32toh(value)) < 1000)
		return 0;
	*total = 0;
	vfk_model_msi(m, 0); /* where nobody armed it, nothing is sent */
	return 0;
}

static const struct vfk_model_ops counter = { .size = sizeof(counter),
					      .name = "counter",
					      .instance_size = sizeof(uint32_t),
					      .init = init,
					      .bar_read = bar_read,
					      .bar_write = bar_write };

/* In this process: count to 1000, sleep until the interrupt. */
static int drive(struct vfk_device *dev)
{
	int irq = eventfd(0, EFD_CLOEXEC);
	uint64_t count;

	if (vfk_irq_set_eventfds(dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &irq) != 0 ||
	    vfk_region_put(dev, 0, 0, 4, 999) < 0 || vfk_region_put(dev, 0, 0, 4, 1) < 0 ||
	    vfk_irq_wait(dev, &irq, 1, 5000, &count) < 0)
		return -1;
	printf("counted to 1000, %d interrupt\n", (int)count);
	return 0;
}

/* For other processes, until SIGTERM: vfiokit info vfio-user:PATH */
static int serve(struct vfk_device *dev, const char *path)
{
	struct vfk_server *server;
	sigset_t term;
	int r = vfk_server_listen(dev, path, NULL, &server);

	if (r < 0)
		return r;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	struct pollfd fds[] = { { vfk_server_poll_fd(server), POLLIN, 0 },
				{ signalfd(-1, &term, SFD_CLOEXEC), POLLIN, 0 } };
	while (r >= 0 && !fds[1].revents && poll(fds, 2, -1) > 0)
		r = vfk_server_dispatch(server);
	vfk_server_close(server);
	return r;
}

int main(int argc, char **argv)
{
	struct vfk_device *dev = NULL;
	int r = vfk_device_open_model(&counter, NULL, NULL, &dev);

	if (r == 0) /* model, or model served PATH */
		r = argc == 3 ? serve(dev, argv[2]) : drive(dev);
	if (r < 0)
		fprintf(stderr, "%s\n", vfk_error());
	vfk_device_close(dev);
	return r < 0;
}
