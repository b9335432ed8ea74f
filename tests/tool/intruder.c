/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intruder.c - what somebody tries who has taken over a server.
 *
 * Loaded before the C library (LD_PRELOAD), it stands in the place of accept4(), which a server first calls when it has been
 * set up and a client comes. $INTRUSION names what is tried then, by the system call itself; what came of it is written to
 * standard error: "intruder: NAME: done", or the errno. A call that ends the process says nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KVM_GET_API_VERSION 0xae00ul

static char page[65536] __attribute__((aligned(65536)));

static long copy_ourselves(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long pair_of(int type)
{
	int fds[2];
	long r = syscall(SYS_socketpair, AF_UNIX, type, 0, fds);

	if (!r) {
		close(fds[0]);
		close(fds[1]);
	}
	return r;
}

static long attempt(const char *what)
{
	char *const argv[] = { (char *)"true", NULL };

	if (!strcmp(what, "nothing"))
		return 0;
	if (!strcmp(what, "openat"))
		return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (!strcmp(what, "creat"))
		return syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
	if (!strcmp(what, "openat2"))
		return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", page, 24);
	if (!strcmp(what, "execve"))
		return syscall(SYS_execve, "/bin/true", argv, NULL);
	if (!strcmp(what, "fork"))
		return copy_ourselves();
	if (!strcmp(what, "socket"))
		return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	if (!strcmp(what, "connect"))
		return syscall(SYS_connect, 0, page, 2);
	if (!strcmp(what, "ptrace"))
		return syscall(SYS_ptrace, 16, getppid(), NULL, NULL);
	if (!strcmp(what, "kill"))
		return syscall(SYS_kill, getppid(), 0);
	if (!strcmp(what, "tgkill"))
		return syscall(SYS_tgkill, getppid(), getppid(), 0);
	if (!strcmp(what, "setuid"))
		return syscall(SYS_setuid, 0);
	if (!strcmp(what, "mmap"))
		return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L) == -1 ?
			       -1 :
			       0;
	if (!strcmp(what, "mprotect"))
		return syscall(SYS_mprotect, page, sizeof(page), PROT_READ | PROT_EXEC);
	if (!strcmp(what, "ioctl"))
		return syscall(SYS_ioctl, 0, TIOCSTI, "x");
	if (!strcmp(what, "kvm"))
		return syscall(SYS_ioctl, 0, KVM_GET_API_VERSION, 0);
	if (!strcmp(what, "vfio"))
		return syscall(SYS_ioctl, 0, 0x3b64ul, 0);
	if (!strcmp(what, "winsize"))
		return syscall(SYS_ioctl, 0, TIOCGWINSZ, page);
	if (!strcmp(what, "pair"))
		return pair_of(SOCK_STREAM | SOCK_CLOEXEC);
	if (!strcmp(what, "datagrams"))
		return pair_of(SOCK_DGRAM);
	if (!strcmp(what, "raw"))
		return pair_of(SOCK_RAW);
	if (!strcmp(what, "setown"))
		return syscall(SYS_fcntl, 0, F_SETOWN, getppid());
	if (!strcmp(what, "setsig"))
		return syscall(SYS_fcntl, 0, F_SETSIG, SIGKILL);
	if (!strcmp(what, "setlease"))
		return syscall(SYS_fcntl, 0, F_SETLEASE, F_UNLCK);
	if (!strcmp(what, "async"))
		return syscall(SYS_fcntl, 0, F_SETFL, (long)(O_ASYNC | O_NONBLOCK));
	if (!strcmp(what, "setfl"))
		return syscall(SYS_fcntl, 0, F_SETFL, (long)O_NONBLOCK);
	if (!strcmp(what, "readlinkat"))
		return syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/fd/0", page, sizeof(page));
	if (!strcmp(what, "faccessat2"))
		return syscall(SYS_faccessat2, AT_FDCWD, "/etc/passwd", R_OK, 0);
	if (!strcmp(what, "prlimit"))
		return syscall(SYS_prlimit64, 0, RLIMIT_CORE, page, NULL);
	errno = ENOTRECOVERABLE; /* the test asks for what is not here */
	return -1;
}

int accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict len, int flags)
{
	const char *what = getenv("INTRUSION");
	char text[128];

	if (what) {
		errno = 0;
		int n = snprintf(text, sizeof(text), "intruder: %s: %s\n", what,
				 attempt(what) >= 0 ? "done" : strerrorname_np(errno));

		(void)!write(STDERR_FILENO, text, (size_t)n);
		unsetenv("INTRUSION");
	}
	return (int)syscall(SYS_accept4, fd, addr, len, flags);
}
