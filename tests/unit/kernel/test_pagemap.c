/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pagemap.c - what an entry of pagemap says, and what is said when it says nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/io/kernel/pagemap.h"
#include <sys/mman.h>
#include <vfiokit/error.h>

static void test_entry(void **state)
{
	uint64_t frame;

	(void)state;
	assert_true(vfki_pagemap_frame(1ull << 63 | 0x1234, &frame));
	assert_int_equal(frame, 0x1234);
	/* soft-dirty, exclusive and file bits are none of the number */
	assert_true(vfki_pagemap_frame(0xe180000000000000 | 7, &frame));
	assert_int_equal(frame, 7);
	/* the rights to know are missing; the page is swapped out, or nowhere */
	assert_false(vfki_pagemap_frame(1ull << 63, &frame));
	assert_false(vfki_pagemap_frame(1ull << 62 | 0x1234, &frame));
	assert_false(vfki_pagemap_frame(0, &frame));
}

/* With the rights the address is one; without them that is said. A page that is not there is never one. */
static void test_own_memory(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfk_dma_addr addr = { 0 };
	int ret;

	(void)state;
	assert_ptr_not_equal(page, MAP_FAILED);
	page[0] = page[4096] = 1;
	ret = vfki_pagemap_address("test", page + 16, 4096, &addr);
	if (ret == -EPERM) {
		assert_non_null(strstr(vfk_error(), "CAP_SYS_ADMIN"));
	} else if (!ret) {
		assert_int_equal(addr.addr % 4096, 16);
		assert_true(addr.contiguous == 4080 || addr.contiguous == 4096);
		assert_int_equal(vfki_pagemap_check_huge("test", page, 8192), -ENOTSUP);
		assert_non_null(strstr(vfk_error(), "huge pages"));
	} else {
		/* a container, or a kernel without it */
		assert_int_equal(ret, -ENOENT);
	}
	assert_int_equal(munmap(page, 8192), 0);
	assert_int_not_equal(vfki_pagemap_address("test", page, 4096, &addr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_own_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
