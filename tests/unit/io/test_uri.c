/* SPDX-License-Identifier: BSD-3-Clause */
/* test_uri.c - device URIs and filter descriptions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vfiokit/error.h>
#include <vfiokit/uri.h>

/* Parses @text; "scheme|target|key=value|..." is what it must be. */
static void check(const char *text, const char *scheme, const char *target, const char *key,
		  const char *value)
{
	struct vfk_uri *uri = NULL;

	assert_int_equal(vfk_uri_parse(text, &uri), 0);
	assert_string_equal(vfk_uri_text(uri), text);
	assert_string_equal(vfk_uri_scheme(uri), scheme);
	assert_string_equal(vfk_uri_target(uri), target);
	if (key) {
		assert_non_null(vfk_uri_get(uri, key));
		assert_string_equal(vfk_uri_get(uri, key), value);
	}
	assert_null(vfk_uri_get(uri, "absent"));
	vfk_uri_free(uri);
}

static void test_parts(void **state)
{
	(void)state;
	check("model:edu", "model", "edu", NULL, NULL);
	check("model:edu,latency=100", "model", "edu", "latency", "100");
	check("model:edu,latency=100,dma_mask=40", "model", "edu", "dma_mask", "40");
	check("vfio-user:/run/x.sock", "vfio-user", "/run/x.sock", NULL, NULL);
	check("vfio-user:fd=5", "vfio-user", "", "fd", "5");
	check("vfio-user:fd=5,timeout=9", "vfio-user", "", "timeout", "9");
	check("kernel:0000:03:00.0", "kernel", "0000:03:00.0", NULL, NULL);
	check("model:edu,flag", "model", "edu", "flag", "");
	check("model:edu,a=b=c", "model", "edu", "a", "b=c");
	check("model:", "model", "", NULL, NULL);
	check("model:,a=1", "model", "", "a", "1");
	/* a path may hold '=' */
	check("vfio-user:/run/a=b", "vfio-user", "/run/a=b", NULL, NULL);
	check("vfio-user:./a=b,x=y", "vfio-user", "./a=b", "x", "y");
}

static void test_doubled_commas(void **state)
{
	(void)state;
	check("vfio-user:/run/a,,b", "vfio-user", "/run/a,b", NULL, NULL);
	check("vfio-user:/run/a,,,x=1,,2", "vfio-user", "/run/a,", "x", "1,2");
	check("vfio-user:/run/a,,,,b", "vfio-user", "/run/a,,b", NULL, NULL);
	check("vfio-user:/run/a,x=1,,", "vfio-user", "/run/a", "x", "1,");
}

static void refuse(const char *text, int err, const char *why)
{
	struct vfk_uri *uri = (struct vfk_uri *)&uri;

	assert_int_equal(vfk_uri_parse(text, &uri), err);
	assert_ptr_equal(uri, &uri);
	assert_non_null(strstr(vfk_error(), why));
}

static void test_refused(void **state)
{
	char *longest = calloc(1, 4098);

	(void)state;
	refuse(NULL, -EINVAL, "no URI");
	refuse("", -EINVAL, "no colon");
	refuse("edu", -EINVAL, "no colon");
	refuse(":edu", -EINVAL, "scheme");
	refuse("mo del:edu", -EINVAL, "scheme");
	refuse("model:edu,", -EINVAL, "option");
	refuse("model:edu,=5", -EINVAL, "option");
	refuse("model:edu,a=1,a=2", -EINVAL, "twice");
	refuse("model:a=1,a=2", -EINVAL, "twice");
	refuse("model:edu,a b=1", -EINVAL, "option");
	memset(longest, 'a', 4097);
	memcpy(longest, "model:", 6);
	refuse(longest, -ENAMETOOLONG, "4096");
	longest[4096] = '\0';
	check(longest, "model", longest + 6, NULL, NULL);
	free(longest);
}

static void test_filter(void **state)
{
	struct vfk_uri *uri;

	(void)state;
	assert_int_equal(vfk_uri_parse_filter("trace,file=a,,b:c,mmap=pass", &uri), 0);
	assert_string_equal(vfk_uri_scheme(uri), "trace");
	assert_string_equal(vfk_uri_target(uri), "");
	assert_string_equal(vfk_uri_get(uri, "file"), "a,b:c");
	assert_string_equal(vfk_uri_get(uri, "mmap"), "pass");
	vfk_uri_free(uri);
	assert_int_equal(vfk_uri_parse_filter("", &uri), -EINVAL);
	assert_int_equal(vfk_uri_parse_filter("file=x", &uri), -EINVAL);
	assert_int_equal(vfk_uri_parse_filter("trace,", &uri), -EINVAL);
	assert_int_equal(vfk_uri_parse_filter("trace:x", &uri), -EINVAL);
}

static void number(const char *value, int want, uint64_t result)
{
	char text[64] = "m:x,n=";
	struct vfk_uri *uri;
	uint64_t v = 77;

	strcat(text, value);
	assert_int_equal(vfk_uri_parse(text, &uri), 0);
	assert_int_equal(vfk_uri_get_u64(uri, "n", 2, UINT64_MAX, &v), want);
	assert_true(v == (want ? 77 : result));
	vfk_uri_free(uri);
}

static void choice(const char *value, int want, unsigned int result)
{
	static const char *const words[] = { "off", "on", "", "onward", NULL };
	char text[64] = "m:x,n=";
	struct vfk_uri *uri;
	unsigned int v = 77;

	strcat(text, value);
	assert_int_equal(vfk_uri_parse(text, &uri), 0);
	assert_int_equal(vfk_uri_get_choice(uri, "m", words, &v), -ENOENT);
	assert_int_equal(v, 77);
	assert_int_equal(vfk_uri_get_choice(uri, "n", words, &v), want);
	assert_int_equal(v, want ? 77 : result);
	vfk_uri_free(uri);
}

static void test_choices(void **state)
{
	(void)state;
	choice("off", 0, 0);
	choice("on", 0, 1);
	choice("", 0, 2);
	choice("onward", 0, 3);
	choice("of", -EINVAL, 0);
	choice("On", -EINVAL, 0);
	assert_non_null(strstr(vfk_error(), "n=On is none of: off, on, , onward"));
}

static void test_numbers(void **state)
{
	struct vfk_uri *uri;
	uint64_t v = 5;

	(void)state;
	number("2", 0, 2);
	number("1000", 0, 1000);
	number("0x10", 0, 16);
	number("0XfF", 0, 255);
	number("010", 0, 10);
	number("18446744073709551615", 0, UINT64_MAX);
	number("0xffffffffffffffff", 0, UINT64_MAX);
	number("18446744073709551616", -ERANGE, 0);
	number("0x10000000000000000", -ERANGE, 0);
	number("1", -ERANGE, 0);
	number("", -EINVAL, 0);
	number("0x", -EINVAL, 0);
	number("-3", -EINVAL, 0);
	number("+3", -EINVAL, 0);
	number(" 3", -EINVAL, 0);
	number("3k", -EINVAL, 0);
	number("a", -EINVAL, 0);
	assert_int_equal(vfk_uri_parse("m:x,n=9", &uri), 0);
	assert_int_equal(vfk_uri_get_u64(uri, "n", 0, 8, &v), -ERANGE);
	assert_int_equal(vfk_uri_get_u64(uri, "k", 0, 8, &v), -ENOENT);
	assert_int_equal(v, 5);
	vfk_uri_free(uri);
}

static void test_only(void **state)
{
	static const char *const known[] = { "a", "long", NULL };
	static const char *const none[] = { NULL };
	struct vfk_uri *uri;

	(void)state;
	assert_int_equal(vfk_uri_parse("m:x,a=1,long", &uri), 0);
	assert_int_equal(vfk_uri_only(uri, known), 0);
	assert_int_equal(vfk_uri_only(uri, none), -EINVAL);
	assert_non_null(strstr(vfk_error(), "unknown option a"));
	vfk_uri_free(uri);
	assert_int_equal(vfk_uri_parse("m:x,a=1,lon=2", &uri), 0);
	assert_int_equal(vfk_uri_only(uri, known), -EINVAL);
	assert_string_equal(vfk_error(), "m:x,a=1,lon=2: unknown option lon; known: a, long");
	vfk_uri_free(uri);
	vfk_uri_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),	cmocka_unit_test(test_doubled_commas),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_filter),
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_choices),
		cmocka_unit_test(test_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
