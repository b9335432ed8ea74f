/* SPDX-License-Identifier: BSD-3-Clause */
/* test_guard.c - surviving a file that shrinks: real signals, in a child that dies when the guard fails. */
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
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/base/guard.h"

#define PAGE 4096

static struct vfk_guard *guard;

static void on_sigbus(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	if (vfk_guard_handle(guard, si->si_addr) < 0)
		signal(sig, SIG_DFL);
}

static int make_file(size_t pages)
{
	int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(pages * PAGE)), 0);
	return fd;
}

/* Runs @body in a child with the handler installed. Returns its wait status. */
static int in_child(void (*body)(void))
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		sigaction(SIGBUS, &sa, NULL);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* In the child cmocka's asserts would go on with the other tests. */
#define must(x)                                    \
	do {                                       \
		if (!(x))                          \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static void shrink_and_touch(void)
{
	struct vfki_guarded mem, other;
	int fd = make_file(4), fd2 = make_file(2);
	volatile char *p;

	must(!vfk_guard_create(4, &guard));
	must(!vfki_guarded_map(guard, fd, 0, 4 * PAGE, PROT_READ | PROT_WRITE, &mem));
	must(!vfki_guarded_map(guard, fd2, PAGE, PAGE, PROT_READ, &other));
	p = mem.addr;
	p[0] = 1;
	p[3 * PAGE] = 1;
	must(!ftruncate(fd, 2 * PAGE));
	must(!vfki_guarded_hit(&mem) && !vfki_guard_hits(guard));
	errno = EXDEV;
	must(p[3 * PAGE + 5] == 0);
	must(errno == EXDEV);
	must(vfki_guarded_hit(&mem) && !vfki_guarded_hit(&other));
	must(vfki_guard_hits(guard) == 1);
	must(p[0] == 1);
	p[2 * PAGE] = 7; /* another page of it, by a write */
	must(p[2 * PAGE] == 7);
	must(vfki_guard_hits(guard) == 2);
	p[3 * PAGE] = 9; /* replaced already */
	must(vfki_guard_hits(guard) == 2);
	vfki_guarded_unmap(guard, &mem);
	vfki_guarded_unmap(guard, &other);
	vfk_guard_destroy(guard);
}

static void test_survives(void **state)
{
	(void)state;
	assert_int_equal(in_child(shrink_and_touch), 0);
}

static void touch_unguarded(void)
{
	struct vfki_guarded mem;
	int fd = make_file(2);

	must(!vfk_guard_create(4, &guard));
	must(!vfki_guarded_map(NULL, fd, 0, 2 * PAGE, PROT_READ, &mem));
	must(!ftruncate(fd, 0));
	must(*(volatile char *)mem.addr == 0);
}

static void test_others_die_as_ever(void **state)
{
	int status = in_child(touch_unguarded);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void touch_after_remove(void)
{
	struct vfki_guarded mem;
	int fd = make_file(2);

	must(!vfk_guard_create(4, &guard));
	must(!vfki_guarded_map(guard, fd, 0, 2 * PAGE, PROT_READ, &mem));
	vfki_guard_remove(guard, mem.slot);
	must(!ftruncate(fd, 0));
	must(*(volatile char *)mem.addr == 0);
}

static void test_removed_is_not_guarded(void **state)
{
	int status = in_child(touch_after_remove);

	(void)state;
	assert_true(WIFSIGNALED(status));
}

static atomic_bool stop;

/* Slots come and go while the handler reads them. */
static void *churn(void *arg)
{
	struct vfki_guard_slot *slot;

	while (!atomic_load(&stop)) {
		must(!vfki_guard_add(guard, (void *)0x10000, 0x7fffffff0000, &slot));
		vfki_guard_remove(guard, slot);
		must(!vfki_guard_add(guard, (void *)0x7f0000000000, PAGE, &slot));
		vfki_guard_remove(guard, slot);
	}
	return arg;
}

static void hit_while_churning(void)
{
	pthread_t t;

	must(!vfk_guard_create(4, &guard));
	must(!pthread_create(&t, NULL, churn, NULL));
	for (int i = 0; i < 500; i++) {
		struct vfki_guarded mem;
		int fd = make_file(1);

		must(!vfki_guarded_map(guard, fd, 0, PAGE, PROT_READ | PROT_WRITE, &mem));
		must(!ftruncate(fd, 0));
		*(volatile char *)mem.addr = 1;
		vfki_guarded_unmap(guard, &mem);
		close(fd);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	vfk_guard_destroy(guard);
}

static void test_changes_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(in_child(hit_while_churning), 0);
}

static void test_places(void **state)
{
	struct vfki_guard_slot *slots[3];
	char *mem = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(vfk_guard_create(0, &guard), -EINVAL);
	assert_int_equal(vfk_guard_create(1048577, &guard), -EINVAL);
	assert_int_equal(vfk_guard_create(2, &guard), 0);
	assert_int_equal(vfki_guard_add(guard, mem, PAGE, &slots[0]), 0);
	assert_int_equal(vfki_guard_add(guard, mem + PAGE, PAGE, &slots[1]), 0);
	assert_int_equal(vfki_guard_add(guard, mem + 2 * PAGE, PAGE, &slots[2]), -ENOSPC);
	assert_int_equal(vfk_guard_handle(guard, mem + 2 * PAGE), -ENOENT);
	assert_int_equal(vfk_guard_handle(guard, mem - 1), -ENOENT);
	assert_int_equal(vfk_guard_handle(guard, NULL), -ENOENT);
	assert_int_equal(vfk_guard_handle(NULL, mem), -ENOENT);
	assert_int_equal(vfk_guard_handle(guard, mem + 2 * PAGE - 1), 0);
	assert_true(vfki_guard_hit(slots[1]));
	assert_false(vfki_guard_hit(slots[0]));
	vfki_guard_remove(guard, slots[1]);
	assert_int_equal(vfki_guard_add(guard, mem + PAGE, PAGE, &slots[2]), 0);
	assert_false(vfki_guard_hit(slots[2])); /* a place that is used again */
	vfki_guard_remove(guard, slots[0]);
	vfki_guard_remove(guard, slots[2]);
	vfki_guard_remove(guard, NULL);
	assert_false(vfki_guard_hit(NULL));
	assert_int_equal(vfki_guard_hits(NULL), 0);
	vfk_guard_destroy(guard);
	vfk_guard_destroy(NULL);
	munmap(mem, 4 * PAGE);
}

/* Memory that nobody can put a page at. */
static void test_no_page(void **state)
{
	void *kernels = (void *)(UINTPTR_MAX - 0xffff);
	struct vfki_guard_slot *slot;

	(void)state;
	assert_int_equal(vfk_guard_create(1, &guard), 0);
	assert_int_equal(vfki_guard_add(guard, kernels, PAGE, &slot), 0);
	errno = EXDEV;
	assert_int_equal(vfk_guard_handle(guard, kernels), -ENOMEM);
	assert_int_equal(errno, EXDEV);
	vfki_guard_remove(guard, slot);
	vfk_guard_destroy(guard);
}

static void test_map(void **state)
{
	struct vfki_guarded mem = { 0 };
	int fd = make_file(2), pipes[2];

	(void)state;
	assert_int_equal(vfki_guarded_map(NULL, fd, 0, 2 * PAGE + 1, PROT_READ, &mem), -ENODATA);
	assert_int_equal(vfki_guarded_map(NULL, fd, PAGE, PAGE + 1, PROT_READ, &mem), -ENODATA);
	assert_int_equal(vfki_guarded_map(NULL, fd, 1, PAGE, PROT_READ, &mem), -EINVAL);
	assert_int_equal(vfki_guarded_map(NULL, fd, 0, 0, PROT_READ, &mem), -EINVAL);
	assert_int_equal(vfki_guarded_map(NULL, fd, UINT64_MAX - PAGE + 1, PAGE, PROT_READ, &mem),
			 -EINVAL);
	assert_int_equal(vfki_guarded_map(NULL, fd, PAGE, UINT64_MAX, PROT_READ, &mem), -EINVAL);
	assert_int_equal(vfki_guarded_map(NULL, -1, 0, PAGE, PROT_READ, &mem), -EBADF);
	assert_int_equal(pipe(pipes), 0);
	assert_true(vfki_guarded_map(NULL, pipes[0], 0, PAGE, PROT_READ, &mem) < 0);
	assert_null(mem.addr);
	vfki_guarded_unmap(NULL, &mem);
	/* the last part of a page */
	assert_int_equal(vfki_guarded_map(NULL, fd, PAGE, 10, PROT_READ, &mem), 0);
	assert_int_equal(mem.len, 10);
	vfki_guarded_unmap(NULL, &mem);
	assert_null(mem.addr);
	/* what cannot shrink takes no place */
	assert_int_equal(vfk_guard_create(1, &guard), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(vfki_guarded_map(guard, fd, 0, PAGE, PROT_READ, &mem), 0);
	assert_null(mem.slot);
	vfki_guarded_unmap(guard, &mem);
	vfk_guard_destroy(guard);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

static void move_over(void)
{
	struct vfki_guarded mem, from;
	int old = make_file(2), new = make_file(2);
	volatile uint8_t *at;

	must(!vfk_guard_create(2, &guard));
	must(!vfki_guarded_map(guard, old, 0, 2 * PAGE, PROT_READ | PROT_WRITE, &mem));
	at = mem.addr;
	at[PAGE] = 1;
	must(!ftruncate(old, 0));
	must(!at[PAGE] && vfki_guarded_hit(&mem));
	must(!vfki_guarded_map(guard, new, 0, 2 * PAGE, PROT_READ | PROT_WRITE, &from));
	*((volatile uint8_t *)from.addr + PAGE) = 2;
	must(!vfki_guarded_move(guard, &from, &mem));
	/* the address is the old one, the memory the new one, and what the old one did is forgotten */
	must(!from.addr && mem.addr == at && at[PAGE] == 2 && !vfki_guarded_hit(&mem));
	/* watched there */
	must(!ftruncate(new, PAGE));
	must(!at[PAGE] && vfki_guarded_hit(&mem));
	/* one place is free again, and after this both */
	must(!vfki_guarded_map(guard, new, 0, PAGE, PROT_READ, &from));
	vfki_guarded_unmap(guard, &from);
	vfki_guarded_unmap(guard, &mem);
	must(!vfki_guarded_map(guard, new, 0, PAGE, PROT_READ, &mem));
	must(!vfki_guarded_map(guard, new, 0, PAGE, PROT_READ, &from));
	vfki_guarded_unmap(guard, &mem);
	vfki_guarded_unmap(guard, &from);
	vfk_guard_destroy(guard);
}

static void test_move(void **state)
{
	(void)state;
	assert_int_equal(in_child(move_over), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives),
		cmocka_unit_test(test_others_die_as_ever),
		cmocka_unit_test(test_removed_is_not_guarded),
		cmocka_unit_test(test_changes_meanwhile),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_no_page),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
