/* SPDX-License-Identifier: BSD-3-Clause */
/* test_dma.c - DMA_MAP and DMA_UNMAP: files of every kind, ranges, limits, memory that is in use. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define READABLE  1u
#define WRITEABLE 2u
#define MODE_MMAP 4u
#define MODE_FILE 8u
#define RW	  (READABLE | WRITEABLE)

#define UNMAP_BITMAP 1u
#define UNMAP_ALL    2u

#define FILE_SIZE 0x10000

struct fixture {
	struct probe *probe;
	struct rig rig;
	int memfd; /* FILE_SIZE bytes */
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_open(&f.rig, f.probe->dev, NULL);
	f.memfd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(f.memfd >= 0);
	assert_int_equal(ftruncate(f.memfd, FILE_SIZE), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	f->probe->busy = false;
	rig_close(&f->rig);
	probe_close(f->probe);
	close(f->memfd);
	return 0;
}

static void map_payload(uint8_t *p, uint32_t flags, uint64_t offset, uint64_t addr, uint64_t size)
{
	uint32_t argsz = 32;

	memcpy(p, &argsz, 4);
	memcpy(p + 4, &flags, 4);
	memcpy(p + 8, &offset, 8);
	memcpy(p + 16, &addr, 8);
	memcpy(p + 24, &size, 8);
}

/* @fd of -1: no descriptor. */
static int map(struct fixture *f, int fd, uint32_t flags, uint64_t offset, uint64_t addr,
	       uint64_t size)
{
	uint8_t p[32];

	map_payload(p, flags, offset, addr, size);
	return rig_ask_fds(&f->rig, CMD_DMA_MAP, p, sizeof(p), &fd, fd >= 0);
}

static int unmap(struct fixture *f, uint32_t flags, uint64_t addr, uint64_t size)
{
	uint32_t head[2] = { 24, flags };
	uint8_t p[24];

	memcpy(p, head, 8);
	memcpy(p + 8, &addr, 8);
	memcpy(p + 16, &size, 8);
	return rig_ask(&f->rig, CMD_DMA_UNMAP, p, sizeof(p));
}

static void map_and_unmap(void **state)
{
	struct fixture *f = *state;
	const struct vfk_dma_mapping *m;
	size_t before = rig_count_fds();
	uint64_t addr;

	assert_int_equal(pwrite(f->memfd, "guest memory", 12, 0x2004), 12);
	assert_int_equal(map(f, f->memfd, RW, 0x2000, 0x100000, 0x4000), 0);
	assert_int_equal(f->rig.msg.len, 0);
	m = probe_map_at(f->probe, 0x100000);
	assert_non_null(m);
	assert_int_equal(m->length, 0x4000);
	assert_int_equal(m->prot, VFK_DMA_READ | VFK_DMA_WRITE);
	assert_memory_equal((char *)m->vaddr + 4, "guest memory", 12);
	assert_int_equal(unmap(f, 0, 0x100000, 0x4000), 0);
	assert_int_equal(f->rig.msg.len, 24);
	memcpy(&addr, f->rig.msg.payload + 8, 8);
	assert_int_equal(addr, 0x100000);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(rig_count_fds(), before);
}

static void protection(void **state)
{
	struct fixture *f = *state;
	char path[64];
	int ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->memfd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(ro >= 0);
	assert_int_equal(map(f, ro, RW, 0, 0, 4096), EACCES);
	assert_int_equal(map(f, ro, WRITEABLE, 0, 0, 4096), EACCES);
	assert_int_equal(map(f, ro, READABLE, 0, 0, 4096), 0);
	assert_int_equal(map(f, ro, READABLE | MODE_FILE, 0, 0x1000, 4096), 0);
	assert_int_equal(probe_map_at(f->probe, 0)->prot, VFK_DMA_READ);
	close(ro);
}

static void impossible_maps(void **state)
{
	struct fixture *f = *state;
	size_t before = rig_count_fds();
	int ends[2];

	assert_int_equal(map(f, f->memfd, 0, 0, 0, 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW | 16, 0, 0, 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 0, 0, 0), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x800, 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 0, 0, 4095), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 1, 0, 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 0, 0, FILE_SIZE + 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, FILE_SIZE, 0, 4096), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, 0, UINT64_MAX - 4095, 8192), EINVAL);
	assert_int_equal(map(f, f->memfd, RW, UINT64_MAX - 4095, 0, 8192), EINVAL);
	assert_int_equal(map(f, f->memfd, RW | MODE_FILE, 0, 0, FILE_SIZE + 4096), EINVAL);
	assert_int_equal(map(f, -1, RW | MODE_MMAP, 0, 0, 4096), EINVAL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(map(f, ends[0], READABLE, 0, 0, 4096), EINVAL);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(rig_count_fds(), before);
}

static void overlap(void **state)
{
	struct fixture *f = *state;
	size_t before;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x4000, 0x4000), 0);
	before = rig_count_fds();
	assert_int_equal(map(f, f->memfd, RW, 0, 0x4000, 0x4000), EEXIST);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x7000, 0x2000), EEXIST);
	assert_int_equal(map(f, -1, RW, 0, 0x3000, 0x2000), EEXIST);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x8000, 0x1000), 0);
	assert_int_equal(probe_maps(f->probe), 2);
	assert_int_equal(unmap(f, 0, 0x8000, 0x1000), 0);
	assert_int_equal(rig_count_fds(), before);
}

/* A file that is reached by reading and writing: no address. */
static void file_mode(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, f->memfd, RW | MODE_FILE, 0, 0, 0x1000), 0);
	assert_null(probe_map_at(f->probe, 0)->vaddr);
	assert_true(f->probe->had_fd[0]);
	assert_int_equal(map(f, f->memfd, RW | MODE_MMAP, 0, 0x1000, 0x1000), 0);
	assert_non_null(probe_map_at(f->probe, 0x1000)->vaddr);
}

static void too_many(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts), .max_dma_maps = 3 };

	rig_close(&f->rig);
	rig_open(&f->rig, f->probe->dev, &opts);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(map(f, f->memfd, RW, 0, i << 12, 4096), 0);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x100000, 4096), ENOSPC);
	assert_int_equal(unmap(f, 0, 0, 4096), 0);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x100000, 4096), 0);
}

/* What QEMU with an IOMMU in its guest sends: ranges over many mappings, or over none. */
static void unmap_by_range(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(map(f, f->memfd, RW, 0, 0x10000 + i * 0x2000, 0x1000), 0);
	assert_int_equal(unmap(f, 0, 0, 0x10000), 0);
	assert_int_equal(probe_maps(f->probe), 8);
	assert_int_equal(unmap(f, 0, 0x11000, 0x4000), 0);
	assert_int_equal(probe_maps(f->probe), 6);
	assert_null(probe_map_at(f->probe, 0x12000));
	assert_non_null(probe_map_at(f->probe, 0x10000));
	assert_int_equal(unmap(f, 0, 0, UINT64_MAX & ~4095ull), 0);
	assert_int_equal(probe_maps(f->probe), 0);
}

static void straddlers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x10000, 0x4000), 0);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x20000, 0x4000), 0);
	assert_int_equal(unmap(f, 0, 0x10000, 0x2000), EINVAL);
	assert_int_equal(unmap(f, 0, 0x12000, 0x2000), EINVAL);
	assert_int_equal(unmap(f, 0, 0x11000, 0x1000), EINVAL);
	assert_int_equal(unmap(f, 0, 0x10000, 0x11000), EINVAL);
	assert_int_equal(unmap(f, 0, 0x12000, 0x20000), EINVAL);
	assert_int_equal(probe_maps(f->probe), 2);
	assert_int_equal(unmap(f, 0, 0x10000, 0x14000), 0);
	assert_int_equal(probe_maps(f->probe), 0);
}

static void unmap_flags(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, f->memfd, RW, 0, 0, 0x1000), 0);
	assert_int_equal(map(f, f->memfd, RW, 0, UINT64_MAX - 0xfff, 0x1000), 0);
	assert_int_equal(unmap(f, UNMAP_ALL, 0x1000, 0), EINVAL);
	assert_int_equal(unmap(f, UNMAP_ALL, 0, 0x1000), EINVAL);
	assert_int_equal(unmap(f, 4, 0, 0x1000), EINVAL);
	assert_int_equal(unmap(f, 0, 0, 0), EINVAL);
	assert_int_equal(unmap(f, 0, UINT64_MAX - 0xfff, 0x2000), EINVAL);
	assert_int_equal(probe_maps(f->probe), 2);
	assert_int_equal(unmap(f, UNMAP_ALL, 0, 0), 0);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(unmap(f, UNMAP_ALL, 0, 0), 0);
}

static void unmap_with_bitmap(void **state)
{
	struct fixture *f = *state;
	uint64_t p[5] = { 24 + 16 + 8 + ((uint64_t)UNMAP_BITMAP << 32), 0, 0x1000, 4096, 8 };

	assert_int_equal(map(f, f->memfd, RW, 0, 0, 0x1000), 0);
	assert_int_equal(rig_ask(&f->rig, CMD_DMA_UNMAP, p, sizeof(p)), EINVAL);
	assert_int_equal(probe_maps(f->probe), 1);
}

/* A transfer still uses the memory: the command waits, later ones behind it, and the device goes on. */
static void unmap_waits(void **state)
{
	struct fixture *f = *state;
	uint64_t p[3] = { 24, 0x1000, 0x1000 };
	uint16_t first;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	f->probe->busy = true;
	first = rig_command(&f->rig, CMD_DMA_UNMAP, 0, p, sizeof(p), NULL, 0);
	rig_command(&f->rig, CMD_RESET, 0, NULL, 0, NULL, 0);
	rig_pump(&f->rig, 10);
	rig_command(&f->rig, CMD_RESET, 0, NULL, 0, NULL, 0);
	assert_true(rig_silent(&f->rig));
	assert_int_equal(f->probe->resets, 0);
	probe_wake(f->probe);
	rig_pump(&f->rig, 0);
	assert_int_equal(f->probe->dispatched, 1);
	f->probe->busy = false;
	for (uint16_t i = 0; i < 3; i++) {
		rig_receive(&f->rig);
		assert_int_equal(f->rig.msg.head.id, (uint16_t)(first + i));
		assert_int_equal(f->rig.msg.head.flags, FLAG_REPLY);
	}
	assert_int_equal(f->probe->resets, 2);
	assert_int_equal(probe_maps(f->probe), 0);
}

/* While it waits, the loop does not spin: a poll finds it ready for its timer only. */
static void unmap_does_not_spin(void **state)
{
	struct fixture *f = *state;
	uint64_t p[3] = { 24, 0x1000, 0x1000 };
	int ready = 0;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	f->probe->busy = true;
	rig_command(&f->rig, CMD_DMA_UNMAP, 0, p, sizeof(p), NULL, 0);
	rig_command(&f->rig, CMD_RESET, 0, NULL, 0, NULL, 0);
	rig_pump(&f->rig, 5);
	for (int i = 0; i < 1000; i++) {
		int n = vfk_server_dispatch(f->rig.server);

		assert_true(n >= 0);
		ready += n;
	}
	assert_int_equal(ready, 0);
	f->probe->busy = false;
	rig_receive(&f->rig);
	assert_int_equal(f->rig.msg.head.flags, FLAG_REPLY);
}

static void unmap_is_late(void **state)
{
	struct fixture *f = *state;
	uint64_t p[3] = { 24, 0x1000, 0x1000 };

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	f->probe->busy = true;
	rig_command(&f->rig, CMD_DMA_UNMAP, 0, p, sizeof(p), NULL, 0);
	rig_receive(&f->rig);
	assert_int_equal(f->rig.msg.head.flags, FLAG_REPLY | FLAG_ERROR);
	assert_int_equal(f->rig.msg.head.error, EBUSY);
	assert_int_equal(probe_maps(f->probe), 1);
	assert_non_null(probe_map_at(f->probe, 0x1000)->vaddr);
	f->probe->busy = false;
	assert_int_equal(unmap(f, 0, 0x1000, 0x1000), 0);
}

/* The client goes while its unmap waits, and while its memory is in use. */
static void gone_while_waiting(void **state)
{
	struct fixture *f = *state;
	uint64_t p[3] = { 24, 0x1000, 0x1000 };
	const struct vfk_dma_mapping *m;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	f->probe->busy = true;
	rig_command(&f->rig, CMD_DMA_UNMAP, 0, p, sizeof(p), NULL, 0);
	rig_pump(&f->rig, 5);
	close(f->rig.fd);
	f->rig.fd = -1;
	rig_pump(&f->rig, 20);
	assert_int_equal(f->rig.disconnected, 1);
	m = probe_map_at(f->probe, 0x1000);
	assert_non_null(m);
	/* The device may still write there. */
	memset(m->vaddr, 0xa5, 0x1000);
	assert_int_equal(f->rig.result, 0);
	f->probe->busy = false;
	rig_pump(&f->rig, 20);
	assert_int_equal(probe_maps(f->probe), 0);
	assert_int_equal(f->rig.result, -ENOTCONN);
}

/* The server is closed while a transfer goes on, which the device's own work ends. */
/* A device that keeps memory for whatever reason can go on using it. */
static void kept_by_the_device(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 0x5a;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	assert_int_equal(pwrite(f->memfd, &byte, 1, 0), 1);
	f->probe->unmap_result = -ENOMEM;
	assert_int_equal(unmap(f, 0, 0x1000, 0x1000), ENOMEM);
	assert_int_equal(probe_maps(f->probe), 1);
	assert_int_equal(*(const uint8_t *)f->probe->maps[0].vaddr, 0x5a);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), EEXIST);
	f->probe->unmap_result = 0;
	assert_int_equal(unmap(f, 0, 0x1000, 0x1000), 0);
	assert_int_equal(probe_maps(f->probe), 0);
}

static void closed_while_busy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	f->probe->busy = true;
	f->probe->lets_go = true;
	probe_wake(f->probe);
	vfk_server_close(f->rig.server);
	assert_int_equal(f->probe->dispatched, 1);
	assert_int_equal(probe_maps(f->probe), 0);
	close(f->rig.fd);
	rig_open(&f->rig, f->probe->dev, NULL);
}

static void without_a_sink(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	probe_close(f->probe);
	f->probe = probe_open(true);
	rig_open(&f->rig, f->probe->dev, NULL);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), 0);
	assert_int_equal(map(f, -1, RW, 0, 0x2000, 0x1000), 0);
	assert_int_equal(map(f, f->memfd, RW, 0, 0x1000, 0x1000), EEXIST);
	assert_int_equal(unmap(f, 0, 0x1000, 0x2000), 0);
}

static struct vfk_guard *guard;

static void on_sigbus(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	if (vfk_guard_handle(guard, si->si_addr))
		signal(sig, SIG_DFL);
}

/* The client cuts its file off under the mapping: the access goes on, the client does not. */
static void shrinking_file(void **state)
{
	struct fixture *f = *state;
	struct vfk_server_opts opts = { .size = sizeof(opts) };
	struct sigaction act = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO }, old;
	uint64_t access[2] = { PROBE_START_READ, (uint64_t)4 << 32 };
	uint8_t p[32];

	assert_int_equal(vfk_guard_create(16, &guard), 0);
	assert_int_equal(sigaction(SIGBUS, &act, &old), 0);
	opts.guard = guard;
	rig_close(&f->rig);
	rig_open(&f->rig, f->probe->dev, &opts);
	assert_int_equal(map(f, f->memfd, RW, 0, 0, 0x1000), 0);
	assert_int_equal(ftruncate(f->memfd, 0), 0);
	memcpy(p, access, sizeof(access));
	memset(p + 16, 0, 4);
	rig_command(&f->rig, CMD_REGION_WRITE, 0, p, 20, NULL, 0);
	/* Its answer may come, and then the end. */
	rig_pump(&f->rig, 5);
	assert_int_equal(f->rig.disconnected, 1);
	assert_int_equal(probe_maps(f->probe), 0);
	rig_close(&f->rig);
	vfk_guard_destroy(guard);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	rig_open(&f->rig, f->probe->dev, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(map_and_unmap),	 CASE(protection),
		CASE(impossible_maps),	 CASE(overlap),
		CASE(file_mode),	 CASE(too_many),
		CASE(unmap_by_range),	 CASE(straddlers),
		CASE(unmap_flags),	 CASE(unmap_with_bitmap),
		CASE(unmap_waits),	 CASE(unmap_does_not_spin),
		CASE(unmap_is_late),	 CASE(gone_while_waiting),
		CASE(closed_while_busy), CASE(kept_by_the_device),
		CASE(without_a_sink),	 CASE(shrinking_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
