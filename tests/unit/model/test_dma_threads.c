/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dma_threads.c - access to memory while it is mapped and unmapped.
 *
 * Each page is unmapped from the process as soon as the sink says that nobody uses it: a reader that is still there dies.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define RW	(VFK_DMA_READ | VFK_DMA_WRITE)
#define PAGE	4096u
#define IOVA	0x100000u
#define PAGES	8u
#define READERS 3
#define ROUNDS	400u

struct reader {
	pthread_t thread;
	unsigned int number;
	_Atomic unsigned int gets; /* that found their page */
	unsigned int bad;	   /* values that were not the page's */
};

static _Atomic bool stop;

/* Every word of a page holds its IOVA. */
static bool is_page(const uint8_t *p, uint64_t iova)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word == iova;
}

static void look(struct reader *r, uint64_t iova)
{
	struct vfk_dma_ref ref;
	uint8_t buf[8];

	if (!vfk_model_dma_get(probe.model, iova, 8, VFK_DMA_READ, &ref)) {
		r->gets++;
		r->bad += !is_page(ref.ptr, iova);
		vfk_model_dma_put(probe.model, &ref);
	}
	if (!vfk_model_dma_read(probe.model, iova, buf, 8))
		r->bad += !is_page(buf, iova);
}

static void *run_reader(void *arg)
{
	struct reader *r = arg;

	for (unsigned int i = r->number; !atomic_load(&stop); i++)
		look(r, IOVA + (uint64_t)(i % PAGES) * PAGE);
	return NULL;
}

static void map_page(struct vfk_io *io, uint64_t iova, uint8_t **page)
{
	uint8_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	memcpy(p, &iova, sizeof(iova));
	assert_int_equal(rig_map(io, iova, p, PAGE, RW), 0);
	*page = p;
}

static void unmap_page(struct vfk_io *io, uint64_t iova, uint8_t *page)
{
	assert_int_equal(rig_unmap(io, iova, PAGE, 5000), 0);
	assert_int_equal(munmap(page, PAGE), 0);
}

/* Where many tests run a thread may have to wait for its first turn longer than all rounds take. */
static bool have_all_got(struct reader *readers)
{
	for (unsigned int i = 0; i < READERS; i++) {
		if (!atomic_load(&readers[i].gets))
			return false;
	}
	return true;
}

static void test_get_while_unmapping(void **state)
{
	struct vfk_io *io = rig_probe(NULL, 0);
	struct reader readers[READERS] = { 0 };
	uint8_t *page[PAGES];

	(void)state;
	rig_command(io, PCI_COMMAND_MASTER, 0);
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < PAGES; i++)
		map_page(io, IOVA + i * PAGE, &page[i]);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].number = i;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]),
				 0);
	}
	for (unsigned int round = 0; round < ROUNDS || !have_all_got(readers); round++) {
		unsigned int i = round % PAGES;

		unmap_page(io, IOVA + i * PAGE, page[i]);
		map_page(io, IOVA + i * PAGE, &page[i]);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].bad, 0);
	}
	for (unsigned int i = 0; i < PAGES; i++)
		unmap_page(io, IOVA + i * PAGE, page[i]);
	rig_close(io);
}

static void *run_writer(void *arg)
{
	const uint64_t iova = IOVA;
	struct vfk_dma_ref ref;

	(void)arg;
	while (!atomic_load(&stop)) {
		vfk_model_dma_write(probe.model, iova, &iova, sizeof(iova));
		if (!vfk_model_dma_get(probe.model, iova + PAGE, 8, RW, &ref))
			vfk_model_dma_put(probe.model, &ref);
	}
	return NULL;
}

/* Recording begins and ends under the feet of those who mark. */
static void test_dirty_while_writing(void **state)
{
	static uint8_t memory[2 * PAGE] __attribute__((aligned(4096)));
	struct vfk_io *io = rig_probe(NULL, 0);
	uint64_t bitmap, seen = 0;
	pthread_t writer;

	(void)state;
	rig_command(io, PCI_COMMAND_MASTER, 0);
	atomic_store(&stop, false);
	assert_int_equal(rig_map(io, IOVA, memory, 2 * PAGE, RW), 0);
	assert_int_equal(pthread_create(&writer, NULL, run_writer, NULL), 0);
	for (unsigned int i = 0; i < ROUNDS || seen != 3; i++) {
		bitmap = 0;
		assert_int_equal(io->dma->dirty_start(io, PAGE), 0);
		usleep(10);
		assert_int_equal(io->dma->dirty_report(io, IOVA, 2 * PAGE, PAGE, &bitmap), 0);
		assert_int_equal(bitmap & ~3ull, 0);
		seen |= bitmap;
		assert_int_equal(io->dma->dirty_stop(io), 0);
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	rig_close(io);
}

static void *put_later(void *arg)
{
	usleep(50000);
	vfk_model_dma_put(probe.model, arg);
	return NULL;
}

static void test_unmap_waits(void **state)
{
	static uint8_t memory[PAGE] __attribute__((aligned(4096)));
	struct vfk_io *io = rig_probe(NULL, 0);
	struct vfk_dma_ref ref;
	pthread_t thread;

	(void)state;
	rig_command(io, PCI_COMMAND_MASTER, 0);
	assert_int_equal(rig_map(io, IOVA, memory, PAGE, RW), 0);
	assert_int_equal(vfk_model_dma_get(probe.model, IOVA, 8, RW, &ref), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_later, &ref), 0);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 5000), 0);
	pthread_join(thread, NULL);
	rig_close(io);
}

static _Atomic bool inside, leave;

static int blocking_read(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	memset(buf, 0, len);
	atomic_store(&inside, true);
	while (!atomic_load(&leave))
		usleep(100);
	return 0;
}

static void *run_blocked(void *arg)
{
	uint8_t buf[8];

	(void)arg;
	vfk_model_dma_read(probe.model, IOVA, buf, 8);
	return NULL;
}

/* A client that does not answer a DMA request holds up an unmap for as long as it was given, and maps not at all. */
static void test_bound_on_a_silent_client(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { .size = sizeof(callbacks),
							    .read = blocking_read };
	static uint8_t memory[PAGE] __attribute__((aligned(4096)));
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = IOVA,
		.length = PAGE,
		.prot = VFK_DMA_READ,
		.fd = -1,
		.callbacks = &callbacks,
	};
	struct vfk_io *io = rig_probe(NULL, 0);
	struct vfk_dma_addr addr;
	pthread_t thread;
	uint64_t began;

	(void)state;
	rig_command(io, PCI_COMMAND_MASTER, 0);
	assert_int_equal(io->dma->map(io, &m, &addr), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_blocked, NULL), 0);
	while (!atomic_load(&inside))
		usleep(100);
	began = rig_now_ms();
	assert_int_equal(rig_map(io, IOVA + PAGE, memory, PAGE, RW), 0);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 100), -EBUSY);
	assert_in_range(rig_now_ms() - began, 99, 3000);
	atomic_store(&leave, true);
	pthread_join(thread, NULL);
	assert_int_equal(rig_unmap(io, IOVA, PAGE, 0), 0);
	assert_int_equal(rig_unmap(io, IOVA + PAGE, PAGE, 0), 0);
	rig_close(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_while_unmapping),
		cmocka_unit_test(test_dirty_while_writing),
		cmocka_unit_test(test_unmap_waits),
		cmocka_unit_test(test_bound_on_a_silent_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
