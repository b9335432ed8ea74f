/* SPDX-License-Identifier: BSD-3-Clause */
/* test_trace.c - the trace filter: its lines, that it passes everything on, and that it hides mappings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/io/checked.h"
#include "lib/io/open.h"
#include "puppet.h"

static struct puppet p;
static struct vfk_io *io;
static struct vfki_checked c;
static char path[] = "trace-XXXXXX";
static char text[256 * 1024];

static int start(const char *more)
{
	char filter[64];
	const char *filters[] = { filter };
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = 1 };
	int fd, ret;

	puppet_init(&p, "own");
	memcpy(path, "trace-XXXXXX", sizeof(path));
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	snprintf(filter, sizeof(filter), "trace,file=%s%s", path, more);
	ret = vfki_io_wrap(&p.io, &o, &io);
	return ret ? ret : vfki_checked_init(&c, io);
}

static int setup(void **state)
{
	(void)state;
	return start("");
}

static int setup_pass(void **state)
{
	(void)state;
	return start(",mmap=pass");
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	vfki_io_close(io, &p.io);
	unlink(path);
	return 0;
}

/* What was written so far. */
static const char *lines(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

#define assert_line(what)                                          \
	do {                                                       \
		if (!strstr(lines(), what))                        \
			fail_msg("no \"%s\" in:\n%s", what, text); \
	} while (0)

static void test_accesses(void **state)
{
	uint8_t buf[64] = { 0xde, 0xad };

	(void)state;
	assert_int_equal(vfki_checked_region_write(&c, 0, 0x10, buf, 2, VFK_WRITE_POSTED), 2);
	assert_int_equal(p.access_flags, VFK_WRITE_POSTED);
	assert_line(
		"\nregion_write(region=0 (bar0), offset=0x10, length=2, posted, data=dead) = 2 [");
	assert_int_equal(vfki_checked_region_read(&c, 0, 0x10, buf, 2), 2);
	assert_line("\nregion_read(region=0 (bar0), offset=0x10, length=2) = 2 data=dead [");
	assert_line(" us]\n");
	assert_int_equal(vfki_checked_region_read(&c, 0, 0x100, buf, 64), 64);
	assert_line(
		"length=64) = 64 data=0000000000000000000000000000000000000000000000000000000000000000... [");
	puppet_force(&p, OP_READ, -EIO);
	assert_refused(&p, vfki_checked_region_read(&c, 0, 0x10, buf, 2), -EIO);
	assert_line(") = -EIO (own: region 0");
}

static void test_irqs(void **state)
{
	static const int32_t fds[2] = { 7, -1 };
	union {
		struct vfio_irq_set head;
		uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(fds)];
	} set = { .head = { .argsz = sizeof(set),
			    .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			    .index = 1,
			    .start = 1,
			    .count = 2 } };

	(void)state;
	memcpy(set.bytes + sizeof(set.head), fds, sizeof(fds));
	assert_int_equal(vfki_checked_set_irqs(&c, &set.head), 0);
	assert_memory_equal(p.irq_set, &set, sizeof(set));
	assert_line(
		"set_irqs(index=1 (msi), action=trigger, start=1, count=2, data=eventfd:7 -1) = 0 [");
	puppet_force(&p, OP_SET_IRQS, 2);
	assert_int_equal(vfki_checked_set_irqs(&c, &set.head), 2);
	assert_line(") = 2 [");
	set.head.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	puppet_release(&p, OP_SET_IRQS);
	assert_int_equal(vfki_checked_set_irqs(&c, &set.head), 0);
	assert_line("count=2, data=none) = 0 [");
}

static void test_the_rest(void **state)
{
	struct vfk_region_write w = { .offset = 4, .len = 1, .data = { 0x7f } };
	struct vfio_device_feature *f = calloc(1, 16);
	uint8_t buf[8] = { 0 };

	(void)state;
	*f = (struct vfio_device_feature){
		.argsz = 16, .flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION
	};
	assert_int_equal(vfki_checked_device_feature(&c, f), 0);
	assert_line("device_feature(migration, get, argsz=16) = 0");
	assert_int_equal(vfki_checked_reset(&c), 0);
	assert_line("reset() = 0");
	assert_int_equal(vfki_checked_write_multi(&c, &w, 1), 0);
	assert_int_equal(p.calls[OP_WRITE_MULTI], 1);
	assert_line("write_multi(count=1, region=0 (bar0) offset=0x4 data=7f) = 0");
	assert_int_equal(vfki_checked_flush(&c), 0);
	assert_line("flush() = 0");
	assert_int_equal(vfki_checked_mig_read(&c, buf, 8), 8);
	assert_line("mig_read(length=8) = 8");
	assert_int_equal(vfki_checked_mig_write(&c, buf, 8), 8);
	assert_line("mig_write(length=8) = 8");
	assert_int_equal(vfki_checked_dispatch(&c), 0);
	assert_null(strstr(lines(), "dispatch"));
	puppet_force(&p, OP_DISPATCH, 2);
	assert_int_equal(vfki_checked_dispatch(&c), 2);
	assert_line("dispatch() = 2");
	p.poll_fd = 5;
	assert_int_equal(vfki_checked_poll_fd(&c), 5);
	p.ops.mig_read = NULL;
	assert_refused(&p, vfki_checked_mig_read(&c, buf, 8), -ENOTSUP);
	free(f);
}

/* What has names is shown with them, and what has none as a number. */
static void test_names(void **state)
{
	struct vfio_device_feature *f = calloc(1, 16);
	struct vfio_device_feature_mig_state state_data = { .device_state = 2, .data_fd = -1 };
	struct vfio_region_info region = { .argsz = sizeof(region), .index = 4 };

	(void)state;
	assert_line("get_device_info(argsz=20) = 0 argsz=20 flags=reset|pci regions=6 irqs=3 [");
	p.regions[4].info.flags |= 1u << 17;
	assert_int_equal(vfki_checked_get_region_info(&c, &region, NULL), 0);
	assert_line(
		"get_region_info(region=4 (bar4), argsz=32) = 0 argsz=32 flags=read|write|0x20000");
	*f = (struct vfio_device_feature){
		.argsz = 16, .flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
	};
	memcpy(f->data, &state_data, sizeof(state_data));
	assert_int_equal(vfki_checked_device_feature(&c, f), 0);
	assert_line("device_feature(mig_device_state, set, argsz=16, state=2 (running)) = 0 [");
	free(f);
}

static void test_dma(void **state)
{
	struct vfk_dma_mapping m = {
		.size = sizeof(m), .iova = 0x1000, .length = 0x1000, .prot = 1, .fd = -1
	};
	struct vfk_dma_limits limits;
	struct vfk_dma_addr addr;
	uint64_t bitmap = 0;

	(void)state;
	m.vaddr = text;
	assert_int_equal(vfki_checked_dma_map(&c, &m, &addr), 0);
	assert_true(puppet_has_map(&p, 0x1000, 0x1000));
	assert_line("dma_map(iova=0x1000, length=0x1000, prot=read, address) = 0 [");
	assert_int_equal(vfki_checked_dma_unmap(&c, 0x1000, 0x1000, 9), 0);
	assert_line("dma_unmap(iova=0x1000, length=0x1000, timeout=9 ms) = 0 [");
	assert_int_equal(vfki_checked_dma_limits(&c, &limits), 0);
	assert_line(
		"dma_limits() = 0 pgsizes=0xfffffffffffff000 max_maps=64 flags=none ranges=0 [");
	assert_int_equal(vfki_checked_dirty_start(&c, 4096), 0);
	assert_int_equal(vfki_checked_dirty_report(&c, 0, 0x1000, 4096, &bitmap), 0);
	assert_int_equal(vfki_checked_dirty_stop(&c), 0);
	assert_line("dirty_start(page_size=0x1000) = 0");
	assert_line("dirty_report(iova=0x0, length=0x1000, page_size=0x1000) = 0");
	assert_line("dirty_stop() = 0");
	m.iova = 0x5000;
	p.addr = (struct vfk_dma_addr){ 0xabc000, 0x1000 };
	assert_int_equal(vfki_checked_dma_map(&c, &m, &addr), 0);
	assert_line(" addr=0xabc000 contiguous=0x1000 [");
}

static void region_4(struct vfio_region_info *info, size_t size, struct vfk_region_fds *fds)
{
	memset(info, 0, size);
	info->argsz = (uint32_t)size;
	info->index = 4;
	*fds = (struct vfk_region_fds){ .size = sizeof(*fds) };
	assert_int_equal(vfki_checked_get_region_info(&c, info, fds), 0);
}

static void mappable(void)
{
	static const struct vfio_region_sparse_mmap_area area = { .size = 0x1000 };

	puppet_add_cap(&p, 4, 50, "first", 5);
	puppet_add_sparse(&p, 4, &area, 1);
	puppet_add_cap(&p, 4, 51, "last", 4);
	p.regions[4].fds.count = 1;
}

static void test_hides_mappings(void **state)
{
	struct {
		struct vfio_region_info info;
		uint8_t chain[PUPPET_CHAIN];
	} r;
	struct vfio_info_cap_header *cap;
	struct vfk_region_fds fds;

	(void)state;
	mappable();
	region_4(&r.info, sizeof(r), &fds);
	assert_int_equal(fds.count, 0);
	assert_int_equal(r.info.flags & VFIO_REGION_INFO_FLAG_MMAP, 0);
	assert_int_equal(r.info.flags & VFIO_REGION_INFO_FLAG_CAPS, VFIO_REGION_INFO_FLAG_CAPS);
	cap = (struct vfio_info_cap_header *)((char *)&r.info + r.info.cap_offset);
	assert_int_equal(cap->id, 50);
	cap = (struct vfio_info_cap_header *)((char *)&r.info + cap->next);
	assert_int_equal(cap->id, 51);
	assert_int_equal(cap->next, 0);
}

static void test_hides_the_only_capability(void **state)
{
	static const struct vfio_region_sparse_mmap_area area = { .size = 0x1000 };
	struct {
		struct vfio_region_info info;
		uint8_t chain[PUPPET_CHAIN];
	} r;
	struct vfk_region_fds fds;

	(void)state;
	puppet_add_sparse(&p, 4, &area, 1);
	region_4(&r.info, sizeof(r), &fds);
	assert_int_equal(r.info.cap_offset, 0);
	assert_int_equal(r.info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
}

static void test_passes_mappings(void **state)
{
	struct {
		struct vfio_region_info info;
		uint8_t chain[PUPPET_CHAIN];
	} r;
	struct vfk_region_fds fds;

	(void)state;
	mappable();
	region_4(&r.info, sizeof(r), &fds);
	assert_int_equal(fds.count, 1);
	assert_int_equal(r.info.flags & VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_MMAP);
	close(fds.fd[0]);
}

static void *reader(void *arg)
{
	uint8_t buf[32];

	for (int i = 0; i < 100; i++)
		(void)vfki_checked_region_read(arg, 0, 0, buf, 32);
	return NULL;
}

/* Every line is whole, whoever writes at the same time. */
static void test_threads(void **state)
{
	const char *at;
	pthread_t t[4];
	int n = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, &c), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (at = lines(); *at; at = strchr(at, '\n') + 1) {
		if (strncmp(at, "region_read(", 12))
			continue;
		assert_int_equal(
			strncmp(at,
				"region_read(region=0 (bar0), offset=0x0, length=32) = 32 data=00",
				63),
			0);
		n++;
	}
	assert_int_equal(n, 400);
}

/* Without mappings behind it there is nothing to attach to. */
static void test_no_dma(void **state)
{
	struct puppet none;
	const char *filter = "trace,file=/dev/null";
	struct vfk_open_opts o = { .size = sizeof(o), .filters = &filter, .num_filters = 1 };
	struct vfk_io *chain;

	(void)state;
	puppet_init(&none, "none");
	none.io.dma = NULL;
	assert_int_equal(vfki_io_wrap(&none.io, &o, &chain), 0);
	assert_null(chain->dma);
	vfki_io_close(chain, &none.io);
}

/* ---- a pipe whose reader sleeps ---- */

static char pipe_path[] = "trace-pipe";

/* Opens the filter on a pipe that is open for reading at @fd; -1: by nobody. */
static int start_pipe(const char *format, int *fd)
{
	char filter[64];
	const char *filters[] = { filter };
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = 1 };
	int ret;

	puppet_init(&p, "own");
	unlink(pipe_path);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	if (fd)
		*fd = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	snprintf(filter, sizeof(filter), "trace,file=%s,format=%s", pipe_path, format);
	ret = vfki_io_wrap(&p.io, &o, &io);
	return ret ? ret : vfki_checked_init(&c, io);
}

static void end_pipe(int fd)
{
	vfki_checked_fini(&c);
	vfki_io_close(io, &p.io);
	close(fd);
	unlink(pipe_path);
}

/* More than a pipe holds; as if nobody listened. */
static void fill_pipe(void)
{
	uint64_t begin = vfki_now_ns();
	uint8_t buf[64];

	for (int i = 0; i < 2000; i++)
		assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 64), 64);
	assert_in_range((vfki_now_ns() - begin) / VFKI_NS_PER_MS, 900, 20000);
}

static ssize_t drain(int fd)
{
	ssize_t n, all = 0;

	while ((n = read(fd, text, sizeof(text))) > 0)
		all += n;
	assert_true(all > 0);
	return n;
}

static void test_lines_to_a_sleeping_reader(void **state)
{
	uint8_t buf[64];
	ssize_t n;
	int fd;

	(void)state;
	assert_int_equal(start_pipe("text", &fd), 0);
	fill_pipe();
	assert_int_equal(drain(fd), -1);
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 64), 64);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, " lines are lost)\nregion_read(region=0"));
	assert_int_equal(vfki_checked_region_read(&c, 0, 0, buf, 64), 64);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_int_equal(strncmp(text, "region_read", 11), 0);
	end_pipe(fd);
}

/* The capture has an end. */
static void test_capture_to_a_sleeping_reader(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(start_pipe("pcapng", &fd), 0);
	fill_pipe();
	assert_int_equal(drain(fd), 0);
	end_pipe(fd);
}

static void test_pipe_without_a_reader(void **state)
{
	(void)state;
	assert_int_equal(start_pipe("pcapng", NULL), -ENXIO);
	assert_non_null(strstr(vfk_error(), "nobody reads the pipe"));
	assert_int_equal(start_pipe("text", NULL), -ENXIO);
	unlink(pipe_path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_accesses),
		TEST(test_irqs),
		TEST(test_the_rest),
		TEST(test_names),
		TEST(test_dma),
		TEST(test_hides_mappings),
		TEST(test_hides_the_only_capability),
		cmocka_unit_test_setup_teardown(test_passes_mappings, setup_pass, teardown),
		TEST(test_threads),
		cmocka_unit_test(test_no_dma),
		cmocka_unit_test(test_lines_to_a_sleeping_reader),
		cmocka_unit_test(test_capture_to_a_sleeping_reader),
		cmocka_unit_test(test_pipe_without_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
