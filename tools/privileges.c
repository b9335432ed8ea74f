/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privileges.c - giving up rights.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failure.h"
#include "privileges.h"
#include "subcommand.h"

/*
 * VFIO counts pinned memory against RLIMIT_MEMLOCK, unless one has CAP_IPC_LOCK. Whoever had it, and gives it up, keeps
 * what it meant, as far as that can be had.
 */
static void keep_pinning(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

const struct passwd *privileges_find(const char *device, const char *user)
{
	const struct passwd *found;

	errno = 0;
	found = getpwnam(user);
	if (!found)
		failure_print_text(device, "--user %s: %s", user,
				   errno ? strerror(errno) : "no such user");
	return found;
}

int privileges_become(const char *device, const struct passwd *user)
{
	uid_t uid = user->pw_uid;
	gid_t gid = user->pw_gid;

	keep_pinning();
	if (initgroups(user->pw_name, gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return fail_text(device, "--user %s: %m", user->pw_name);
	return STATUS_OK;
}

static int set_no_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	return (int)syscall(SYS_capset, &head, none);
}

/* Of a thread; -1: the kernel does not tell. */
static int has_capabilities(const char *thread)
{
	char path[64], line[128];
	unsigned long long permitted;
	int result = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", thread);
	f = fopen(path, "re");
	while (f && result < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapPrm: %llx", &permitted) == 1)
			result = permitted != 0;
	if (f)
		fclose(f);
	return result;
}

/*
 * A device's own threads are older than this, and a thread's capabilities are its own to give up. A change of the user
 * takes them from all.
 */
static int check_threads(const char *device)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	int worst = dir ? 0 : -1;

	while (worst == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			worst = has_capabilities(entry->d_name);
	if (dir)
		closedir(dir);
	if (worst < 0)
		return fail_text(device, "/proc does not tell which capabilities are left");
	if (worst > 0)
		return fail_text(device, "a thread of a device's keeps its capabilities; --user "
					 "takes them away");
	return STATUS_OK;
}

int privileges_drop(const char *device)
{
	keep_pinning();
	/* Where that is not permitted there are no capabilities to speak of, and an exec gives none, see below. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (set_no_capabilities())
		return fail_text(device, "capabilities: %m");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail_text(device, "no new privileges: %m");
	return check_threads(device);
}
