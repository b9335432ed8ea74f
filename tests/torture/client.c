/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c - opens, attaches, and gives everything back; see client.h. */
#include "client.h"
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EDU_BUFFER 0x40000u
#define DMA_BITS   28
/* PCI 3.0 section 6.2.2: memory decoding and bus mastering */
#define COMMAND	   0x04
#define COMMAND_ON 0x06

void client_want(struct client *c, bool good, const char *what)
{
	if (good || c->wrong)
		return;
	snprintf(c->text, sizeof(c->text), "%s: %s", what, vfk_error());
	c->wrong = c->text;
}

static int read_memory(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct client *c = ctx;

	memcpy(buf, c->called + (iova - CLIENT_CALLED), len);
	return 0;
}

static int write_memory(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct client *c = ctx;

	memcpy(c->called + (iova - CLIENT_CALLED), buf, len);
	return 0;
}

static const struct vfk_dma_callbacks callbacks = { .size = sizeof(callbacks),
						    .read = read_memory,
						    .write = write_memory };

int client_open(struct client *c, int fd, enum workload_device which, const char *options,
		uint32_t timeout_ms)
{
	const struct vfk_open_opts opts = { .size = sizeof(opts), .timeout_ms = timeout_ms };
	char uri[80];
	int r;

	memset(c, 0, sizeof(*c));
	c->identity = which == WORKLOAD_EDU ? 0x11e81234 : 0x11e91234;
	for (int i = 0; i < CLIENT_EVENTS; i++)
		c->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < CLIENT_BUFFERS; i++)
		c->buffer[i] = (struct vfk_dma_buffer){ .size = sizeof(c->buffer[i]), .fd = -1 };
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d%s", fd, options);
	r = vfk_device_open(uri, &opts, &c->dev);
	close(fd);
	if (r)
		c->dev = NULL;
	return r;
}

void client_attach(struct client *c)
{
	const struct vfk_dma_mapping called = {
		.size = sizeof(called),
		.iova = CLIENT_CALLED,
		.length = CLIENT_CALLED_SIZE,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = -1,
		.callbacks = &callbacks,
		.ctx = c,
	};

	vfk_region_put(c->dev, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, 2, COMMAND_ON);
	vfk_device_set_dma_mask(c->dev, DMA_BITS);
	if (vfk_dma_space_create(&c->space)) {
		c->space = NULL;
		return;
	}
	c->attached = !vfk_device_attach_dma(c->dev, c->space) &&
		      !vfk_dma_map(c->space, &called, NULL);
}

static const char *give_back(struct client *c)
{
	/* Whatever became of the server, nobody holds the memory. */
	if (c->dev && vfk_device_detach_dma(c->dev))
		client_want(c, !c->attached, "the device cannot be detached");
	for (int i = 0; i < CLIENT_BUFFERS; i++)
		if (c->buffer[i].fd >= 0)
			client_want(c, !vfk_dma_free(c->space, &c->buffer[i]),
				    "memory is not given back");
	client_want(c, !vfk_dma_space_destroy(c->space), "the space cannot be destroyed");
	vfk_device_close(c->dev);
	for (int i = 0; i < CLIENT_EVENTS; i++)
		close(c->event[i]);
	return c->wrong;
}

const char *client_close(struct client *c)
{
	static char text[sizeof(c->text)];

	if (!give_back(c))
		return NULL;
	memcpy(text, c->text, sizeof(text));
	return text;
}

static int put(struct client *c, uint64_t reg, uint64_t value)
{
	return vfk_region_put(c->dev, VFIO_PCI_BAR0_REGION_INDEX, reg, 8, value);
}

int client_transfer(struct client *c, uint64_t iova, uint32_t count, bool to_memory)
{
	int r = put(c, 0x80, to_memory ? EDU_BUFFER : iova);

	if (!r)
		r = put(c, 0x88, to_memory ? iova : EDU_BUFFER);
	if (!r)
		r = put(c, 0x90, count);
	return r ? r : put(c, 0x98, to_memory ? 3 : 1);
}
