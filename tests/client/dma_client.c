/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_client.c - a program with memory that its device reaches by messages, for the tests of this folder.
 *
 *	dma_client URI TIMEOUT_MS MODE [FILE]
 *
 * The file's first pages are the memory; only their address is given to the library, so that the device's process
 * cannot map them: page 0 can be read and written at 0x10000, page 1 read at 0x11000, page 2 written at 0x12000. The
 * fourth is shared, at 0x20000. What the device did to them is in the file afterwards. Exits with 3 when the library
 * left a descriptor open. One thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vfiokit/vfiokit.h>

#define PAGE  4096
#define PAGES 4

static struct vfk_guard *guard;

struct client {
	const char *uri;
	struct vfk_device *dev;
	struct vfk_dma_space *space; /* NULL: no file was given */
	uint8_t *memory;	     /* PAGES pages; NULL without a file */
	int fd;			     /* of the file; -1 without one */
};

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (vfk_guard_handle(guard, info->si_addr) < 0)
		signal(sig, SIG_DFL);
}

/* One line, as the tool has it. */
static int fail(const struct client *c, int err)
{
	const char *text = vfk_error();

	if (strncmp(text, c->uri, strlen(c->uri)) == 0)
		fprintf(stderr, "vfiokit: %s\n", text);
	else
		fprintf(stderr, "vfiokit: %s: %s\n", c->uri, *text ? text : strerror(-err));
	return 1;
}

/* ---- memory ---- */

static int map_page(struct client *c, unsigned int page, uint64_t iova, uint32_t prot, int fd)
{
	struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = iova,
		.length = PAGE,
		.prot = prot,
		.fd = fd,
		.fd_offset = fd < 0 ? 0 : (uint64_t)page * PAGE,
		.vaddr = c->memory + (size_t)page * PAGE,
	};

	return vfk_dma_map(c->space, &m, NULL);
}

static int map_all(struct client *c)
{
	int r = map_page(c, 0, 0x10000, VFK_DMA_READ | VFK_DMA_WRITE, -1);

	if (r == 0)
		r = map_page(c, 1, 0x11000, VFK_DMA_READ, -1);
	if (r == 0)
		r = map_page(c, 2, 0x12000, VFK_DMA_WRITE, -1);
	if (r == 0)
		r = map_page(c, 3, 0x20000, VFK_DMA_READ | VFK_DMA_WRITE, c->fd);
	return r;
}

static int take_file(struct client *c, const char *path)
{
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	c->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->memory == MAP_FAILED) {
		c->memory = NULL;
		return -errno;
	}
	return vfk_dma_space_create(&c->space);
}

static void give_file(struct client *c)
{
	vfk_dma_space_destroy(c->space);
	munmap(c->memory, PAGES * PAGE);
	close(c->fd);
}

/* ---- modes ---- */

static int print_register(struct client *c)
{
	uint64_t value;
	int r = vfk_region_get(c->dev, 0, 0, 4, &value);

	if (r < 0)
		return fail(c, r);
	printf("0x%08llx\n", (unsigned long long)value);
	return 0;
}

/* The first answer may come too late, the second not. */
static int print_second(struct client *c)
{
	uint64_t value;

	if (vfk_region_get(c->dev, 0, 0, 4, &value) == 0)
		return 2;
	return print_register(c);
}

/* Asks for nothing: what arrives meanwhile is the device's doing. */
static int wait_for_interrupt(struct client *c)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), r;
	uint64_t count;

	r = vfk_irq_set_eventfds(c->dev, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &event);
	if (r == 0)
		r = vfk_irq_wait(c->dev, &event, 1, 3000, &count);
	close(event);
	if (r < 0)
		return fail(c, r);
	printf("%llu signals\n", (unsigned long long)count);
	return 0;
}

static int unmap_all(struct client *c)
{
	uint64_t bytes;
	int r = vfk_dma_unmap_all(c->space, &bytes);

	if (r < 0)
		return fail(c, r);
	printf("%llu bytes\n", (unsigned long long)bytes);
	return 0;
}

/* Reads the first and the last byte of region 0 without the library; between them maybe a register with it. */
static int map_region(struct client *c, bool ask)
{
	const struct vfk_region_info *info;
	const volatile uint8_t *bytes;
	uint64_t value;
	uint8_t first, last;
	void *addr;
	int r = vfk_region_get_info(c->dev, 0, &info);

	if (r == 0)
		r = vfk_region_map(c->dev, 0, 0, info->size, PROT_READ, &addr);
	if (r == 0 && ask)
		r = vfk_region_get(c->dev, 0, 0, 4, &value);
	if (r < 0)
		return fail(c, r);
	bytes = addr;
	first = bytes[0];
	last = bytes[info->size - 1];
	/* A page of the file that is gone was replaced: the next request tells. */
	r = ask ? vfk_region_get(c->dev, 0, 0, 4, &value) : 0;
	if (r < 0)
		return fail(c, r);
	printf("0x%02x 0x%02x\n", first, last);
	r = vfk_region_unmap(c->dev, addr);
	return r < 0 ? fail(c, r) : 0;
}

static int run(struct client *c, const char *mode)
{
	if (strcmp(mode, "read") == 0)
		return print_register(c);
	if (strcmp(mode, "read-twice") == 0)
		return print_second(c);
	if (strcmp(mode, "wait") == 0)
		return wait_for_interrupt(c);
	if (strcmp(mode, "unmap") == 0)
		return unmap_all(c);
	if (strcmp(mode, "map") == 0)
		return map_region(c, false);
	if (strcmp(mode, "map-then-read") == 0)
		return map_region(c, true);
	fprintf(stderr, "no mode \"%s\"\n", mode);
	return 2;
}

static int run_with_memory(struct client *c, const char *mode)
{
	int r = c->space ? vfk_device_attach_dma(c->dev, c->space) : 0;

	if (r == 0 && c->space)
		r = map_all(c);
	return r < 0 ? fail(c, r) : run(c, mode);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int open_and_run(struct client *c, const struct vfk_open_opts *opts, char **argv)
{
	int before, status, r;

	if (argv[4] && take_file(c, argv[4]) < 0)
		return 2;
	before = count_fds();
	r = vfk_device_open(c->uri, opts, &c->dev);
	status = r < 0 ? fail(c, r) : run_with_memory(c, argv[3]);
	vfk_device_close(c->dev);
	if (c->space)
		vfk_dma_unmap_all(c->space, NULL);
	if (count_fds() != before) {
		fprintf(stderr, "%d descriptors, %d before\n", count_fds(), before);
		status = 3;
	}
	if (c->space)
		give_file(c);
	return status;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	struct vfk_open_opts opts = { .size = sizeof(opts) };
	struct client c = { .fd = -1 };
	int status;

	if (argc < 4 || argc > 5 || vfk_guard_create(64, &guard) < 0)
		return 2;
	sigaction(SIGBUS, &action, NULL);
	c.uri = argv[1];
	opts.timeout_ms = (uint32_t)strtoul(argv[2], NULL, 10);
	opts.guard = guard;
	status = open_and_run(&c, &opts, argv);
	vfk_guard_destroy(guard);
	return status;
}
