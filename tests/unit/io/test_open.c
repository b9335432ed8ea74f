/* SPDX-License-Identifier: BSD-3-Clause */
/* test_open.c - opening chains of ios, their options, and the unwinding. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/io/open.h"
#include "lib/io/table.h"
#include "puppet.h"

static struct puppet p;

static int setup(void **state)
{
	(void)state;
	puppet_init(&p, "own");
	return 0;
}

static void test_table(void **state)
{
	const struct vfk_io_ops *ops;
	size_t n = 0;

	(void)state;
	for (; (ops = vfk_io_backend(n)); n++) {
		assert_non_null(ops->name);
		assert_non_null(ops->help);
		assert_true(ops->instance_size >= sizeof(struct vfk_io));
		assert_ptr_equal(vfki_io_find_backend(ops->name), ops);
		assert_true(vfki_io_is_bundled(ops));
	}
	assert_true(n >= 2);
	for (n = 0; (ops = vfk_io_filter(n)); n++) {
		assert_ptr_equal(vfki_io_find_filter(ops->name), ops);
		assert_true(vfki_io_is_bundled(ops));
	}
	assert_true(n >= 1);
	assert_false(vfki_io_is_bundled(&p.ops));
	assert_null(vfki_io_find_backend("nothing"));
	assert_string_equal(vfk_error(), "unknown scheme nothing; known: kernel, model, vfio-user");
	assert_null(vfki_io_find_filter("nothing"));
	assert_non_null(strstr(vfk_error(), "trace"));
}

static int options(struct vfk_open_opts *opts)
{
	struct vfk_open_opts full;

	return vfki_open_opts(opts, &full);
}

static void test_options(void **state)
{
	struct {
		struct vfk_open_opts known;
		uint64_t later;
	} newer = { .known.size = sizeof(newer) };
	struct vfk_open_opts o = { .size = sizeof(o) }, full;

	(void)state;
	assert_int_equal(vfki_open_opts(NULL, &full), 0);
	assert_int_equal(full.timeout_ms, 5000);
	assert_int_equal(full.size, sizeof(full));
	o.timeout_ms = 3600000;
	assert_int_equal(vfki_open_opts(&o, &full), 0);
	assert_int_equal(full.timeout_ms, 3600000);
	o.timeout_ms++;
	assert_int_equal(options(&o), -ERANGE);
	o.timeout_ms = 0;
	o.flags = 2;
	assert_int_equal(options(&o), -EINVAL);
	o.flags = VFK_OPEN_DISPATCH;
	assert_int_equal(options(&o), 0);
	o.num_filters = 1;
	assert_int_equal(options(&o), -EINVAL);
	o.filters = (const char *const[]){ "trace" };
	assert_int_equal(options(&o), 0);
	o.num_filters = 17;
	assert_int_equal(options(&o), -EINVAL);
	/* a program that knew less: what it did not know is not read */
	o.size = offsetof(struct vfk_open_opts, num_filters);
	assert_int_equal(options(&o), 0);
	o.size = 3;
	assert_int_equal(options(&o), -EINVAL);
	/* and one that knows more */
	assert_int_equal(options(&newer.known), 0);
	newer.later = 1;
	assert_int_equal(options(&newer.known), -EINVAL);
}

static int open_fails(const char *uri, const char *filter)
{
	struct vfk_open_opts o = { .size = sizeof(o),
				   .filters = &filter,
				   .num_filters = filter ? 1 : 0 };
	struct vfk_io *io = &p.io;
	int ret = vfki_io_open(uri, &o, &io);

	assert_ptr_equal(io, &p.io);
	assert_ptr_equal(strstr(vfk_error(), uri), vfk_error());
	return ret;
}

static void test_failures(void **state)
{
	(void)state;
	assert_int_equal(open_fails("nothing:x", NULL), -EINVAL);
	assert_non_null(strstr(vfk_error(), "known: kernel, model, vfio-user"));
	assert_int_equal(open_fails("model:nothing", NULL), -ENOENT);
	assert_int_equal(open_fails("vfio-user:/nonexistent/socket", NULL), -ENOENT);
	assert_int_equal(open_fails("model:null", "nothing"), -EINVAL);
	assert_non_null(strstr(vfk_error(), "unknown filter nothing"));
	assert_int_equal(open_fails("model:null", "trace,bogus=1"), -EINVAL);
	assert_int_equal(open_fails("model:null", "trace,"), -EINVAL);
	assert_int_equal(open_fails("model:null", "trace,mmap=maybe"), -EINVAL);
	assert_int_equal(open_fails("model:null", "trace,file=/nonexistent/folder/x"), -ENOENT);
}

static void test_chain(void **state)
{
	const char *filters[] = { "trace,file=/dev/null", "trace,file=/dev/null,mmap=pass" };
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = 2 };
	struct vfk_io *io;

	(void)state;
	assert_int_equal(vfki_io_open("model:null", &o, &io), 0);
	assert_string_equal(io->ops->name, "trace");
	assert_string_equal(io->next->ops->name, "trace");
	assert_string_equal(io->next->next->ops->name, "model");
	assert_null(io->next->next->next);
	assert_string_equal(io->name, "model:null");
	vfki_io_close(io, NULL);
}

static void test_own(void **state)
{
	const char *filters[] = { "trace,file=/dev/null", "trace,bogus" };
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = 1 };
	struct vfk_io *io = NULL;

	(void)state;
	assert_int_equal(vfki_io_wrap(&p.io, &o, &io), 0);
	assert_ptr_equal(io->next, &p.io);
	assert_int_equal(p.calls[OP_OPEN], 1);
	vfki_io_close(io, &p.io);
	assert_int_equal(p.calls[OP_CLOSE], 1);

	/* an open that was called is undone, one that failed or is not there is not */
	o.num_filters = 2;
	assert_refused(&p, vfki_io_wrap(&p.io, &o, &io), -EINVAL);
	assert_int_equal(p.calls[OP_CLOSE], 2);
	puppet_force(&p, OP_OPEN, -ENODEV);
	assert_refused(&p, vfki_io_wrap(&p.io, &o, &io), -ENODEV);
	assert_int_equal(p.calls[OP_CLOSE], 2);
	puppet_force(&p, OP_OPEN, 1);
	assert_refused(&p, vfki_io_wrap(&p.io, &o, &io), -EPROTO);
	p.ops.open = NULL;
	assert_refused(&p, vfki_io_wrap(&p.io, &o, &io), -EINVAL);
	assert_int_equal(p.calls[OP_CLOSE], 2);
	assert_int_equal(vfki_io_wrap(NULL, NULL, &io), -EINVAL);
	assert_int_equal(vfki_io_wrap(&(struct vfk_io){ 0 }, NULL, &io), -EINVAL);
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The filter next to the io is open when the one before it fails. */
static void test_filters_are_closed(void **state)
{
	const char *filters[] = { "trace,bogus", "trace,file=/dev/null" };
	struct vfk_open_opts o = { .size = sizeof(o), .filters = filters, .num_filters = 2 };
	unsigned int before = count_fds();
	struct vfk_io *io;

	(void)state;
	assert_refused(&p, vfki_io_wrap(&p.io, &o, &io), -EINVAL);
	assert_int_equal(vfki_io_open("model:null", &o, &io), -EINVAL);
	assert_int_equal(count_fds(), before);
}

/* A program's io may itself have a next; that is none of ours. */
static void test_own_next_is_its_own(void **state)
{
	struct puppet other;
	struct vfk_io *io;

	(void)state;
	puppet_init(&other, "other");
	p.io.next = &other.io;
	assert_int_equal(vfki_io_wrap(&p.io, NULL, &io), 0);
	assert_ptr_equal(io, &p.io);
	vfki_io_close(io, &p.io);
	assert_int_equal(p.calls[OP_CLOSE], 1);
	assert_int_equal(other.calls[OP_CLOSE], 0);
}

static int fail_init(struct vfk_model *model, void *self, const struct vfk_uri *uri)
{
	(void)model;
	(void)self;
	assert_string_equal(vfk_uri_scheme(uri), "model");
	return !strcmp(vfk_uri_get(uri, "a"), "1,2") ? -EXDEV : -EPERM;
}

static void test_own_model(void **state)
{
	static const char *const params[] = { "a", NULL };
	struct vfk_model_ops ops = {
		.size = sizeof(ops), .name = "mine", .params = params, .init = fail_init
	};
	struct vfk_io *io;
	char longest[5000];

	(void)state;
	assert_int_equal(vfki_io_open_model(&ops, "a=1,,2", NULL, &io), -EXDEV);
	assert_ptr_equal(strstr(vfk_error(), "model:mine,a=1,,2"), vfk_error());
	assert_int_equal(vfki_io_open_model(&ops, "b=1", NULL, &io), -EINVAL);
	assert_int_equal(vfki_io_open_model(&ops, "a=1,", NULL, &io), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(vfki_io_open_model(&ops, longest, NULL, &io), -ENAMETOOLONG);
	assert_int_equal(vfki_io_open_model(NULL, NULL, NULL, &io), -EINVAL);
	ops.name = "a,b";
	assert_int_equal(vfki_io_open_model(&ops, NULL, NULL, &io), -EINVAL);
	ops.name = "";
	assert_int_equal(vfki_io_open_model(&ops, NULL, NULL, &io), -EINVAL);
	ops.size = 4;
	assert_int_equal(vfki_io_open_model(&ops, NULL, NULL, &io), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table),     TEST(test_options),
		TEST(test_failures),  TEST(test_chain),
		TEST(test_own),	      TEST(test_own_next_is_its_own),
		TEST(test_own_model), TEST(test_filters_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
