/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c - the system calls that a server's loop needs.
 *
 * Any other one ends the process: a server that makes it does not do what this program was written to do, and going on
 * would only give whoever made it do so another try. The kernel then takes back what it lent: a device's DMA mappings
 * and interrupts end with their descriptors. Opening files and sockets is the exception, it fails with EPERM: the C library
 * opens some by itself (for texts, for time zones, to the log), and does without when it cannot; and a proxy whose device is
 * gone may look for it, and ends in order when it cannot.
 *
 * What stays possible works on descriptors that are open: there is no way to name a file but to remove one, which the
 * server needs for its socket; no way to make an address executable, to start a program, a thread or a process, to
 * connect anywhere, or to look at another process. ioctl() is for VFIO and iommufd, which share a number.
 */
#include "sandbox.h"
#include "failure.h"
#include "subcommand.h"

/* On s390 the arguments of mmap() are in memory, where no filter can see what may be executed. */
#if defined(WITH_SECCOMP) && !defined(__s390__)
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define VFIO_IOCTLS 0x3b00u /* ';', linux/vfio.h and linux/iommufd.h */
#define IOCTL_TYPE  0xff00u

#define SOCKET_TYPE 0xfu /* SOCK_CLOEXEC and SOCK_NONBLOCK are above it */

/* clang-format off */
static const int allowed[] = {
	/* descriptors that are there; fcntl() below */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(fstatfs), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(dup), SCMP_SYS(close), SCMP_SYS(flock), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(io_setup), SCMP_SYS(io_submit), SCMP_SYS(io_getevents), SCMP_SYS(io_destroy),
	/* the client; its second socket is one of a pair */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	/* new ones that lead nowhere */
	SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1), SCMP_SYS(memfd_create), SCMP_SYS(timerfd_create),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(timerfd_settime), SCMP_SYS(futex), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
	/* memory; mmap and mprotect below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* ourselves */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrandom), SCMP_SYS(getrlimit), SCMP_SYS(sysinfo),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	/* a write to a pipe that nobody reads, and its SIGPIPE */
	SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigtimedwait_time64),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* the end: our socket, its folder */
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
};

static const int refused[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(access), SCMP_SYS(faccessat),
			       SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
			       SCMP_SYS(socket) };

/* Not those that have the kernel send signals, to whichever process: F_SETOWN, F_SETSIG, leases. */
static const unsigned int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GET_SEALS, F_ADD_SEALS };
/* clang-format on */

static int add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && !r; i++)
		r = seccomp_rule_add(ctx, action, calls[i], 0);
	return r;
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int allow_if_both(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp one,
			 struct scmp_arg_cmp other)
{
	const struct scmp_arg_cmp conditions[] = { one, other };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 2, conditions);
}

static int add_fcntls(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(fcntls) / sizeof(*fcntls) && !r; i++)
		r = allow_if(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, fcntls[i]));
	return r ? r :
		   allow_if_both(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL),
				 SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
}

static int add_ioctls(scmp_filter_ctx ctx)
{
	int r;

	r = allow_if(ctx, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, IOCTL_TYPE, VFIO_IOCTLS));
	if (!r) /* isatty() of standard error, before a failure is printed; musl's is the second */
		r = allow_if(ctx, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS));
	if (!r)
		r = allow_if(ctx, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ));
	return r;
}

static int add_conditions(scmp_filter_ctx ctx)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();
	int r;

	r = allow_if(ctx, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!r)
		r = allow_if(ctx, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!r)
		r = add_fcntls(ctx);
	if (!r)
		r = add_ioctls(ctx);
	if (!r) /* a datagram socket, even one of a pair, reaches whatever socket it names */
		r = allow_if_both(ctx, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
				  SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_STREAM));
	if (!r) /* read, not set */
		r = allow_if(ctx, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
	if (!r) /* abort() */
		r = allow_if(ctx, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self));
	return r;
}

static int add_command(scmp_filter_ctx ctx, pid_t command)
{
	int r;

	if (!command)
		return 0;
	r = allow_if(ctx, SCMP_SYS(kill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)command));
	return r ? r : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(wait4), 0);
}

static int load(scmp_filter_ctx ctx, pid_t command)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (!r)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!r) /* a tree: the list is long, and a busy server's every call goes through it */
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!r)
		r = add_all(ctx, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
	if (!r)
		r = add_all(ctx, SCMP_ACT_ERRNO(EPERM), refused,
			    sizeof(refused) / sizeof(*refused));
	if (!r)
		r = add_conditions(ctx);
	if (!r)
		r = add_command(ctx, command);
	return r ? r : seccomp_load(ctx);
}

bool sandbox_is_built_in(void)
{
	return true;
}

int sandbox_enter(const char *device, pid_t command)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? load(ctx, command) : -ENOMEM;

	seccomp_release(ctx);
	return r ? fail_text(device, "sandbox: %s", strerror(-r)) : STATUS_OK;
}

#else

bool sandbox_is_built_in(void)
{
	return false;
}

int sandbox_enter(const char *device, pid_t command)
{
	(void)command;
	return fail_text(device, "sandbox: this build has none (libseccomp)");
}

#endif
