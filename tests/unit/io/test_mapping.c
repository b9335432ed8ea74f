/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mapping.c - one mapping of each kind, and the sorted table of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "lib/io/mappings.h"

static uint8_t memory[4 * 4096];

static struct vfk_dma_mapping by_address(uint64_t iova, uint64_t length)
{
	return (struct vfk_dma_mapping){ .size = sizeof(struct vfk_dma_mapping),
					 .iova = iova,
					 .length = length,
					 .prot = VFK_DMA_READ | VFK_DMA_WRITE,
					 .fd = -1,
					 .vaddr = memory };
}

static int refuse(const struct vfk_dma_mapping *src)
{
	struct vfki_mapping m;
	int ret = vfki_mapping_init(&m, src);

	if (!ret)
		vfki_mapping_fini(&m);
	return ret;
}

static void test_init_refuses(void **state)
{
	struct vfk_dma_mapping src = by_address(0x1000, 0x1000);

	(void)state;
	assert_int_equal(refuse(&src), 0);
	src.size--;
	assert_int_equal(refuse(&src), -EINVAL);
	src = by_address(0x1000, 0);
	assert_int_equal(refuse(&src), -EINVAL);
	src = by_address(UINT64_MAX - 0xffe, 0x1000);
	assert_int_equal(refuse(&src), -EINVAL);
	src = by_address(UINT64_MAX - 0xfff, 0x1000); /* ends at 2^64 */
	assert_int_equal(refuse(&src), 0);
	src.prot = 0;
	assert_int_equal(refuse(&src), -EINVAL);
	src.prot = 4;
	assert_int_equal(refuse(&src), -EINVAL);
	src = by_address(0, 0x1000);
	src.vaddr = NULL;
	assert_int_equal(refuse(&src), -EINVAL);
	src.vaddr = (void *)(UINTPTR_MAX - 0xfff);
	src.length = 0x2000;
	assert_int_equal(refuse(&src), -EINVAL);
	src = by_address(0, 0x1000);
	src.fd = 12345;
	assert_int_equal(refuse(&src), -EBADF);
}

static int read_cb(void *ctx, uint64_t iova, void *buf, size_t len)
{
	memset(buf, (int)iova, len);
	return *(int *)ctx;
}

static int write_cb(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)buf;
	(void)len;
	*(uint64_t *)ctx = iova;
	return 0;
}

static void test_callbacks(void **state)
{
	struct vfk_dma_callbacks cb = { .size = sizeof(cb), .read = read_cb };
	struct vfk_dma_mapping src = by_address(0x1000, 0x1000);
	int result = 0;
	struct vfki_mapping m;
	uint64_t where = 0;
	char buf[4];

	(void)state;
	src.callbacks = &cb;
	assert_int_equal(refuse(&src), -EINVAL); /* together with an address */
	src.vaddr = NULL;
	assert_int_equal(refuse(&src), -EINVAL); /* writable, and no write */
	src.prot = VFK_DMA_READ;
	src.ctx = &result;
	assert_int_equal(vfki_mapping_init(&m, &src), 0);
	assert_int_equal(vfki_mapping_read(&m, 0x1042, buf, 3), 0);
	assert_memory_equal(buf, "BBB", 3);
	result = -EPERM;
	assert_int_equal(vfki_mapping_read(&m, 0x1042, buf, 3), -EPERM);
	vfki_mapping_fini(&m);
	cb.write = write_cb;
	src.prot = VFK_DMA_WRITE;
	src.ctx = &where;
	assert_int_equal(vfki_mapping_init(&m, &src), 0);
	assert_int_equal(vfki_mapping_write(&m, 0x1abc, buf, 3), 0);
	assert_int_equal(where, 0x1abc);
	vfki_mapping_fini(&m);
	cb.size--;
	assert_int_equal(refuse(&src), -EINVAL);
}

static void test_file(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct vfk_dma_mapping src = by_address(0x1000, 0x2000), out;
	struct vfki_mapping m;
	char buf[8] = "";

	(void)state;
	src.vaddr = NULL;
	src.fd = fd;
	src.fd_offset = 0x1000;
	assert_int_equal(ftruncate(fd, 0x2fff), 0);
	assert_int_equal(refuse(&src), -EINVAL); /* a byte too short */
	assert_int_equal(ftruncate(fd, 0x3000), 0);
	src.fd_offset = UINT64_MAX - 0xfff;
	assert_int_equal(refuse(&src), -EINVAL);
	src.fd_offset = INT64_MAX - 0xfff;
	assert_int_equal(refuse(&src), -EINVAL);
	src.fd_offset = 0x1000;
	assert_int_equal(vfki_mapping_init(&m, &src), 0);
	assert_true(m.fd != fd);
	assert_int_equal(vfki_mapping_write(&m, 0x1ffe, "abcd", 4), 0);
	assert_int_equal(pread(fd, buf, 4, 0x1ffe), 4);
	assert_memory_equal(buf, "abcd", 4);
	memset(buf, 0, 8);
	assert_int_equal(vfki_mapping_read(&m, 0x1ffe, buf, 4), 0);
	assert_memory_equal(buf, "abcd", 4);
	vfki_mapping_export(&m, &out);
	assert_int_equal(out.iova, 0x1000);
	assert_int_equal(out.length, 0x2000);
	assert_int_equal(out.fd, m.fd);
	assert_int_equal(out.fd_offset, 0x1000);
	assert_int_equal(ftruncate(fd, 0x1000), 0); /* it shrinks */
	assert_int_equal(vfki_mapping_read(&m, 0x1000, buf, 4), -EIO);
	fd = m.fd;
	vfki_mapping_fini(&m);
	assert_int_equal(close(fd), -1);
	close(src.fd);
}

/* ---- the table ---- */

static struct vfki_mapping maps[3];
static struct vfki_mappings table;

static void insert(struct vfki_mapping *m, uint64_t iova, uint64_t length, uint32_t prot,
		   void *vaddr)
{
	*m = (struct vfki_mapping){
		.first = iova, .last = iova + length - 1, .prot = prot, .vaddr = vaddr, .fd = -1
	};
	assert_int_equal(vfki_mappings_insert(&table, m), 0);
}

static int setup(void **state)
{
	(void)state;
	table = (struct vfki_mappings){ 0 };
	/* the first two are neighbours, the last ends at 2^64 */
	insert(&maps[1], 0x2000, 0x1000, VFK_DMA_READ, memory + 4096);
	insert(&maps[2], UINT64_MAX - 0xfff, 0x1000, VFK_DMA_READ | VFK_DMA_WRITE,
	       memory + 2 * 4096);
	insert(&maps[0], 0x1000, 0x1000, VFK_DMA_READ | VFK_DMA_WRITE, memory);
	memset(memory, 0, sizeof(memory));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfki_mappings_fini(&table);
	return 0;
}

static void test_find(void **state)
{
	(void)state;
	assert_null(vfki_mappings_find(&table, 0xfff));
	assert_ptr_equal(vfki_mappings_find(&table, 0x1000), &maps[0]);
	assert_ptr_equal(vfki_mappings_find(&table, 0x1fff), &maps[0]);
	assert_ptr_equal(vfki_mappings_find(&table, 0x2000), &maps[1]);
	assert_null(vfki_mappings_find(&table, 0x3000));
	assert_ptr_equal(vfki_mappings_find(&table, UINT64_MAX), &maps[2]);
	assert_ptr_equal(vfki_mappings_exact(&table, 0x1000, 0x1000), &maps[0]);
	assert_null(vfki_mappings_exact(&table, 0x1000, 0x2000));
	assert_null(vfki_mappings_exact(&table, 0x1001, 0xfff));
	assert_null(vfki_mappings_exact(&table, 0x1000, 0));
	assert_ptr_equal(vfki_mappings_exact(&table, UINT64_MAX - 0xfff, 0x1000), &maps[2]);
	assert_ptr_equal(vfki_mappings_from(&table, 0), &maps[0]);
	assert_ptr_equal(vfki_mappings_from(&table, 0x2fff), &maps[1]);
	assert_ptr_equal(vfki_mappings_from(&table, 0x3000), &maps[2]);
	assert_ptr_equal(vfki_mappings_after(&table, &maps[1]), &maps[2]);
	assert_null(vfki_mappings_after(&table, &maps[2]));
}

static int overlap(uint64_t first, uint64_t last)
{
	struct vfki_mapping m = { .first = first, .last = last, .fd = -1 };
	int ret = vfki_mappings_insert(&table, &m);

	if (!ret)
		vfki_mappings_remove(&table, &m);
	return ret;
}

static void test_overlap(void **state)
{
	(void)state;
	assert_int_equal(overlap(0x1000, 0x1fff), -EEXIST);
	assert_int_equal(overlap(0, 0x1000), -EEXIST);
	assert_int_equal(overlap(0x2fff, 0x3fff), -EEXIST);
	assert_int_equal(overlap(0, UINT64_MAX), -EEXIST);
	assert_int_equal(overlap(0x1800, 0x27ff), -EEXIST);
	assert_int_equal(overlap(0x1400, 0x1500), -EEXIST);
	assert_int_equal(overlap(UINT64_MAX, UINT64_MAX), -EEXIST);
	assert_int_equal(overlap(0, 0xfff), 0);
	assert_int_equal(overlap(0x3000, UINT64_MAX - 0x1000), 0);
	assert_int_equal(table.count, 3);
}

/* By a walk from the beginning, and by a search for each. */
static void check_order(const struct vfki_mappings *t)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m = vfki_mappings_begin(t, 0, &walk), *before = NULL;
	size_t n = 0;

	for (; m; before = m, m = vfki_mappings_next(&walk), n++) {
		assert_true(!before || before->last < m->first);
		assert_ptr_equal(vfki_mappings_from(t, before ? before->last + 1 : 0), m);
	}
	assert_int_equal(n, t->count);
	assert_null(vfki_mappings_next(&walk));
}

static uint32_t next_random(uint32_t *seed)
{
	return *seed = *seed * 1664525 + 1013904223;
}

enum { PLACES = 2000 };

/* What the table must hold, in the simplest form. */
static struct vfki_mapping places[PLACES];
static bool present[PLACES];

static void check_places(const struct vfki_mappings *t)
{
	for (unsigned int i = 0; i < PLACES; i++)
		assert_ptr_equal(vfki_mappings_find(t, places[i].first),
				 present[i] ? &places[i] : NULL);
}

static void fill_places(void)
{
	for (unsigned int i = 0; i < PLACES; i++) {
		places[i] = (struct vfki_mapping){ .first = i * 0x1000ull,
						   .last = i * 0x1000ull + 0xfff,
						   .fd = -1 };
		present[i] = false;
	}
}

/* Grows and shrinks, in place: sequences that go up, down, and nowhere. */
static void test_in_place(void **state)
{
	struct vfki_mappings t = { 0 };
	uint32_t seed = 1;

	(void)state;
	fill_places();
	for (unsigned int round = 0; round < 12; round++) {
		for (unsigned int n = 0; n < 1500; n++) {
			unsigned int i = round % 3 == 0 ? n :
					 round % 3 == 1 ? PLACES - 1 - n :
							  next_random(&seed) % PLACES;

			if (round % 2 ? next_random(&seed) % 4 == 0 : next_random(&seed) % 4) {
				assert_int_equal(vfki_mappings_insert(&t, &places[i]),
						 present[i] ? -EEXIST : 0);
				present[i] = true;
			} else {
				vfki_mappings_remove(&t, &places[i]);
				present[i] = false;
			}
		}
		check_order(&t);
		check_places(&t);
	}
	vfki_mappings_fini(&t);
}

/* One change by copies, which is made or taken back; the other table is what it was meanwhile. */
static void change_by_copies(struct vfki_mappings *t, unsigned int i, bool make)
{
	const struct vfki_mappings old = *t;
	struct vfki_mappings_change change;
	struct vfki_mappings new;
	int ret = present[i] ? vfki_mappings_without(t, &places[i], &new, &change) :
			       vfki_mappings_with(t, &places[i], &new, &change);

	assert_int_equal(ret, 0);
	assert_memory_equal(t, &old, sizeof(old));
	assert_ptr_equal(vfki_mappings_find(t, places[i].first), present[i] ? &places[i] : NULL);
	assert_ptr_equal(vfki_mappings_find(&new, places[i].first), present[i] ? NULL : &places[i]);
	assert_int_equal(new.count, present[i] ? t->count - 1 : t->count + 1);
	vfki_mappings_free_nodes(make ? change.before : change.after);
	if (make) {
		present[i] = !present[i];
		*t = new;
	}
}

static void test_by_copies(void **state)
{
	struct vfki_mappings t = { 0 }, none;
	struct vfki_mappings_change change;
	uint32_t seed = 2;

	(void)state;
	fill_places();
	assert_int_equal(vfki_mappings_without(&t, &places[0], &none, &change), -ENOENT);
	for (unsigned int i = 0; i < PLACES; i++)
		change_by_copies(&t, i, true);
	assert_int_equal(vfki_mappings_with(&t, &places[7], &none, &change), -EEXIST);
	check_order(&t);
	for (unsigned int n = 0; n < 8000; n++) {
		unsigned int i = next_random(&seed) % PLACES;

		/* down to nothing in the second half */
		if (n > 4000 && !present[i])
			continue;
		change_by_copies(&t, i, next_random(&seed) % 3);
		if (n % 500 == 0) {
			check_order(&t);
			check_places(&t);
		}
	}
	for (unsigned int i = 0; i < PLACES; i++) {
		if (present[i])
			change_by_copies(&t, i, true);
	}
	assert_null(t.root);
	assert_int_equal(t.count, 0);
}

static void test_many(void **state)
{
	enum { N = 1000 };
	struct vfki_mapping *many = calloc(N, sizeof(*many));

	(void)state;
	for (unsigned int i = 0; i < N; i++)
		insert(&many[i], 0x10000 + (uint64_t)(i * 7919 % N) * 0x1000, 0x1000, VFK_DMA_READ,
		       memory);
	assert_int_equal(table.count, N + 3);
	check_order(&table);
	for (unsigned int i = 0; i < N; i++) {
		assert_ptr_equal(vfki_mappings_find(&table, many[i].first + 5), &many[i]);
		vfki_mappings_remove(&table, &many[i]);
		assert_null(vfki_mappings_find(&table, many[i].first));
	}
	vfki_mappings_remove(&table, &many[0]); /* one that is not there */
	assert_int_equal(table.count, 3);
	free(many);
}

static void test_access(void **state)
{
	uint8_t buf[0x2000];

	(void)state;
	memset(buf, 0x11, sizeof(buf));
	memory[4095] = 0xaa;
	memory[4096] = 0xbb;
	assert_int_equal(vfki_mappings_access(&table, 0x1fff, buf, 2, VFK_DMA_READ), 0);
	assert_int_equal(buf[0], 0xaa);
	assert_int_equal(buf[1], 0xbb);
	assert_int_equal(vfki_mappings_access(&table, 0x1000, buf, 0x2000, VFK_DMA_READ), 0);
	assert_int_equal(vfki_mappings_access(&table, 0x1000, buf, 0, VFK_DMA_READ), 0);
	/* the second is not writable: nothing may be written to the first either */
	memset(buf, 0x11, sizeof(buf));
	assert_int_equal(vfki_mappings_access(&table, 0x1000, buf, 0x1001, VFK_DMA_WRITE), -EFAULT);
	assert_int_equal(memory[0], 0);
	assert_int_equal(vfki_mappings_access(&table, 0x1000, buf, 0x2001, VFK_DMA_READ), -EFAULT);
	assert_int_equal(vfki_mappings_access(&table, 0xfff, buf, 2, VFK_DMA_READ), -EFAULT);
	assert_int_equal(vfki_mappings_access(&table, 0x3000, buf, 1, VFK_DMA_READ), -EFAULT);
	assert_int_equal(vfki_mappings_access(&table, UINT64_MAX - 1, buf, 2, VFK_DMA_WRITE), 0);
	assert_int_equal(memory[3 * 4096 - 1], 0x11);
	assert_int_equal(vfki_mappings_access(&table, UINT64_MAX, buf, 2, VFK_DMA_READ), -EFAULT);
	assert_int_equal(vfki_mappings_access(&table, UINT64_MAX, buf, SIZE_MAX, VFK_DMA_READ),
			 -EFAULT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refuses),
		cmocka_unit_test(test_callbacks),
		cmocka_unit_test(test_file),
		TEST(test_find),
		TEST(test_overlap),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_by_copies),
		TEST(test_many),
		TEST(test_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
