/* SPDX-License-Identifier: BSD-3-Clause */
/* descriptors.c - see descriptors.h. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptors.h"

void descriptors_allow_all(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void descriptors_keep_from_children(void)
{
	unsigned long long limit = descriptors_limit();

	if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
	/* Before Linux 5.11 there is no other way than one after the other. */
	for (int fd = 3; (unsigned long long)fd < limit; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

unsigned long long descriptors_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}
