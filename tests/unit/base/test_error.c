/* SPDX-License-Identifier: BSD-3-Clause */
/* test_error.c - the thread's error text. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/error.h"

static void test_returns_err_and_keeps_text(void **state)
{
	(void)state;
	assert_int_equal(vfki_err(-EPROTO, "%s: %d", "a", 5), -EPROTO);
	assert_string_equal(vfk_error(), "a: 5");
	assert_int_equal(vfki_err(7, "n"), 7);
	assert_string_equal(vfk_error(), "n");
	vfki_err_clear();
	assert_string_equal(vfk_error(), "");
}

static void test_prefix(void **state)
{
	(void)state;
	vfki_err_clear();
	assert_int_equal(vfki_err_prefix(-EIO, "alone"), -EIO);
	assert_string_equal(vfk_error(), "alone");
	vfki_err(-EIO, "inner");
	assert_int_equal(vfki_err_prefix(-EIO, "outer %d", 1), -EIO);
	assert_string_equal(vfk_error(), "outer 1: inner");
	vfki_err_prefix(-EIO, "model:edu");
	assert_string_equal(vfk_error(), "model:edu: outer 1: inner");
}

static void test_system_reason(void **state)
{
	(void)state;
	assert_int_equal(vfki_err_sys(-ENOENT, "open %s", "/x"), -ENOENT);
	assert_string_equal(vfk_error(), "open /x: No such file or directory");
	vfki_err_sys(-99999, "odd");
	assert_non_null(strstr(vfk_error(), "odd: "));
}

static void test_present_text_as_argument(void **state)
{
	(void)state;
	vfki_err(-EIO, "first");
	vfki_err(-EIO, "<%s>", vfk_error());
	assert_string_equal(vfk_error(), "<first>");
}

static void test_truncates(void **state)
{
	char big[3 * VFKI_ERROR_SIZE];

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	vfki_err(-EIO, "%s", big);
	assert_int_equal(strlen(vfk_error()), VFKI_ERROR_SIZE - 1);
	vfki_err_prefix(-EIO, "p");
	assert_int_equal(strlen(vfk_error()), VFKI_ERROR_SIZE - 1);
	assert_memory_equal(vfk_error(), "p: x", 4);
	vfki_err_prefix(-EIO, "%s", big);
	assert_int_equal(strlen(vfk_error()), VFKI_ERROR_SIZE - 1);
	for (size_t room = 0; room < 6; room++) {
		vfki_err(-EIO, "inner");
		vfki_err_prefix(-EIO, "%.*s", (int)(VFKI_ERROR_SIZE - 1 - room), big);
		assert_true(strlen(vfk_error()) <= VFKI_ERROR_SIZE - 1);
		assert_true(strlen(vfk_error()) >= VFKI_ERROR_SIZE - 1 - 2);
	}
}

static void test_does_not_cut_a_character(void **state)
{
	char big[VFKI_ERROR_SIZE + 8];

	(void)state;
	for (size_t at = VFKI_ERROR_SIZE - 5; at < VFKI_ERROR_SIZE; at++) {
		memset(big, 'x', sizeof(big));
		memcpy(big + at, "\xe2\x82\xac", 3);
		big[sizeof(big) - 1] = '\0';
		vfki_err(-EIO, "%s", big);
		assert_null(strchr(vfk_error(), '?'));
		if (at + 3 <= VFKI_ERROR_SIZE - 1)
			assert_non_null(strstr(vfk_error(), "\xe2\x82\xac"));
		else
			assert_int_equal(strlen(vfk_error()),
					 at < VFKI_ERROR_SIZE - 1 ? at : VFKI_ERROR_SIZE - 1);
	}
}

static void test_sanitizes(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain ~", "plain ~" },
		{ "\033[2J\n\t\x7f", "?[2J???" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc2\x9b", "??" }, /* C1: CSI */
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\xc0\xaf", "??" }, /* not minimal */
		{ "\xe0\x80\xaf", "???" },
		{ "\xf0\x80\x80\xaf", "????" },
		{ "\xff\xfe", "??" },
		{ "\x80", "?" },
		{ "\xe2\x82", "??" }, /* cut off */
		{ "\xf5\x80\x80\x80", "????" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vfki_err(-EIO, "%s", cases[i].in);
		assert_string_equal(vfk_error(), cases[i].out);
	}
}

static void *other_thread(void *arg)
{
	char *seen = arg;

	strncpy(seen, vfk_error(), 15);
	vfki_err(-EIO, "theirs");
	return NULL;
}

static void test_is_the_threads_own(void **state)
{
	char seen[16] = "";
	pthread_t thread;

	(void)state;
	vfki_err(-EIO, "ours");
	assert_int_equal(pthread_create(&thread, NULL, other_thread, seen), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(seen, "");
	assert_string_equal(vfk_error(), "ours");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_returns_err_and_keeps_text),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_system_reason),
		cmocka_unit_test(test_present_text_as_argument),
		cmocka_unit_test(test_truncates),
		cmocka_unit_test(test_does_not_cut_a_character),
		cmocka_unit_test(test_sanitizes),
		cmocka_unit_test(test_is_the_threads_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
