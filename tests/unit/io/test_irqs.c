/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irqs.c - the rules of set_irqs, which are Linux's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io/checked.h"
#include "puppet.h"

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define BOOL	VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD VFIO_IRQ_SET_DATA_EVENTFD
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER

static struct puppet p;
static struct vfki_checked c;
static int32_t fds[8];

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	p.irqs[2] = (struct vfio_irq_info){ .count = 4, .flags = VFIO_IRQ_INFO_MASKABLE };
	memset(fds, 0, sizeof(fds));
	return vfki_checked_init(&c, &p.io);
}

static int teardown(void **state)
{
	(void)state;
	vfki_checked_fini(&c);
	return 0;
}

/* argsz is what the data takes, and @more. */
static int set(uint32_t index, uint32_t flags, uint32_t start, uint32_t count, int more)
{
	union {
		struct vfio_irq_set head;
		uint8_t bytes[sizeof(struct vfio_irq_set) + sizeof(fds) + 128];
	} s = { .head = { .flags = flags, .index = index, .start = start, .count = count } };
	uint32_t each = flags & EVENTFD ? 4 : flags & BOOL ? 1 : 0;

	memcpy(s.bytes + sizeof(s.head), fds, sizeof(fds));
	s.head.argsz = (uint32_t)((int)(sizeof(s.head) + each * count) + more);
	return vfki_checked_set_irqs(&c, &s.head);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(set(0, EVENTFD | TRIGGER, 0, 1, 0), 0);
	assert_int_equal(set(1, EVENTFD | TRIGGER, 0, 4, 0), 0);
	assert_int_equal(set(1, EVENTFD | TRIGGER, 3, 1, 0), 0);
	assert_int_equal(set(1, EVENTFD | TRIGGER, 0, 4, 100), 0);
	assert_int_equal(set(1, BOOL | TRIGGER, 1, 3, 0), 0);
	assert_int_equal(set(1, NONE | TRIGGER, 1, 3, 0), 0);
	assert_int_equal(set(1, NONE | TRIGGER, 0, 0, 0), 0);
	assert_int_equal(set(0, NONE | MASK, 0, 1, 0), 0);
	assert_int_equal(set(0, NONE | UNMASK, 0, 1, 0), 0);
	assert_int_equal(set(0, EVENTFD | UNMASK, 0, 1, 0), 0);
	assert_int_equal(set(2, BOOL | MASK, 0, 4, 0), 0);
	fds[0] = -1;
	assert_int_equal(set(0, EVENTFD | TRIGGER, 0, 1, 0), 0);
	assert_int_equal(p.calls[OP_SET_IRQS], 12);
}

static void test_shape(void **state)
{
	(void)state;
	assert_refused(&p, set(0, 0, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(0, NONE, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(0, TRIGGER, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(0, NONE | BOOL | TRIGGER, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(0, BOOL | EVENTFD | TRIGGER, 0, 1, 8), -EINVAL);
	assert_refused(&p, set(0, NONE | TRIGGER | MASK, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(0, NONE | TRIGGER | 1u << 10, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(1, EVENTFD | TRIGGER, 0, 4, -1), -EINVAL);
	assert_refused(&p, set(1, BOOL | TRIGGER, 0, 4, -1), -EINVAL);
	assert_refused(&p, set(0, NONE | TRIGGER, 0, 1, -1), -EINVAL);
	fds[0] = -2;
	assert_refused(&p, set(0, EVENTFD | TRIGGER, 0, 1, 0), -EINVAL);
	assert_int_equal(p.calls[OP_SET_IRQS], 0);
}

static void test_vectors(void **state)
{
	(void)state;
	assert_refused(&p, set(PUPPET_IRQS, NONE | TRIGGER, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(UINT32_MAX, NONE | TRIGGER, 0, 1, 0), -EINVAL);
	assert_refused(&p, set(1, NONE | TRIGGER, 4, 1, 0), -EINVAL);
	assert_refused(&p, set(1, NONE | TRIGGER, 4, 0, 0), -EINVAL);
	assert_refused(&p, set(1, NONE | TRIGGER, 1, 4, 0), -EINVAL);
	assert_refused(&p, set(1, NONE | TRIGGER, UINT32_MAX, 1, 0), -EINVAL);
	assert_refused(&p, set(1, NONE | TRIGGER, 1, UINT32_MAX, 0), -EINVAL);
	assert_refused(&p, set(1, EVENTFD | TRIGGER, 0, 0x40000001, 0), -EINVAL);
	p.irqs[2].count = 0;
	assert_refused(&p, set(2, NONE | TRIGGER, 0, 0, 0), -EINVAL);
	assert_refused(&p, set(1, EVENTFD | TRIGGER, 0, 0, 0), -EINVAL);
	assert_refused(&p, set(0, NONE | MASK, 0, 0, 0), -EINVAL);
	assert_int_equal(p.calls[OP_SET_IRQS], 0);
}

static void test_not_offered(void **state)
{
	(void)state;
	assert_refused(&p, set(1, NONE | MASK, 0, 1, 0), -ENOTSUP);
	assert_refused(&p, set(1, BOOL | UNMASK, 0, 1, 0), -ENOTSUP);
	assert_refused(&p, set(2, EVENTFD | TRIGGER, 0, 1, 0), -ENOTSUP);
	assert_int_equal(p.calls[OP_SET_IRQS], 0);
}

static void test_fewer_vectors(void **state)
{
	(void)state;
	puppet_force(&p, OP_SET_IRQS, 3);
	assert_int_equal(set(1, EVENTFD | TRIGGER, 0, 4, 0), 3);
	assert_int_equal(set(1, EVENTFD | TRIGGER, 2, 2, 0), 3);
	puppet_force(&p, OP_SET_IRQS, 4);
	assert_refused(&p, set(1, EVENTFD | TRIGGER, 0, 4, 0), -EPROTO);
	puppet_force(&p, OP_SET_IRQS, 1);
	assert_refused(&p, set(1, NONE | TRIGGER, 0, 4, 0), -EPROTO);
	assert_refused(&p, set(1, BOOL | TRIGGER, 0, 4, 0), -EPROTO);
	assert_refused(&p, set(0, NONE | MASK, 0, 1, 0), -EPROTO);
	assert_refused(&p, set(0, EVENTFD | UNMASK, 0, 1, 0), -EPROTO);
	puppet_force(&p, OP_SET_IRQS, -ENOSPC);
	assert_refused(&p, set(1, EVENTFD | TRIGGER, 0, 4, 0), -ENOSPC);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Whatever errno was before: an op returns -errno and sets none. */
static void test_text_is_of_the_result(void **state)
{
	(void)state;
	puppet_force(&p, OP_SET_IRQS, -ENOSPC);
	errno = ENOENT;
	assert_refused(&p, set(1, NONE | TRIGGER, 0, 1, 0), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "No space left on device"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),	TEST(test_shape),	  TEST(test_vectors),
		TEST(test_not_offered), TEST(test_fewer_vectors), TEST(test_text_is_of_the_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
