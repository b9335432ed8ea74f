/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.c - the socket that clients connect to.
 *
 * A socket's file is never open to more than was asked for: bind() takes the permissions from the socket's own inode,
 * which is restricted before, since the umask is the whole process's and not ours to change. Between looking for a stale
 * socket and listening on the new one, a lock on the folder keeps other servers of this library out.
 *
 * Threads: the server's.
 */
#include "listen.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG	      16
/* How often and how long another server's turn in the same folder is waited for: a second in all. */
#define LOCK_TRIES    100
#define LOCK_PAUSE_NS 10000000

void vfki_listener_init(struct vfki_listener *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
	l->dir = -1;
}

static int set_address(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	if (!len)
		return vfki_err(-EINVAL, "the socket's path is empty");
	if (len >= sizeof(addr->sun_path))
		return vfki_err(-ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
				sizeof(addr->sun_path) - 1);
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, len);
	return 0;
}

/* Splits @path: its folder is opened, its last part copied. */
static int open_folder(struct vfki_listener *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	size_t len = (size_t)(name - path);

	if (!*name)
		return vfki_err(-EINVAL, "%s: is a folder", path);
	memcpy(folder, len ? path : ".", len ? len : 1);
	folder[len ? len : 1] = '\0';
	l->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder that may be entered but not listed: no lock then, all else goes. */
	if (l->dir < 0 && errno == EACCES)
		l->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->dir < 0)
		return vfki_err_sys(-errno, "%s: its folder", path);
	l->name = strdup(name);
	if (!l->name) {
		vfki_fd_close(l->dir);
		l->dir = -1;
		return vfki_err(-ENOMEM, "%s: no memory", path);
	}
	return 0;
}

static void close_folder(struct vfki_listener *l)
{
	free(l->name);
	l->name = NULL;
	vfki_fd_close(l->dir);
	l->dir = -1;
}

/* 0 also where the file system has no locks, or the folder cannot be read. */
static int lock_folder(const struct vfki_listener *l, const char *path)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(l->dir, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
			return 0;
		nanosleep(&pause, NULL);
	}
	return vfki_err(-EADDRINUSE, "%s: somebody else holds a lock on its folder", path);
}

/* Removes what is at the address if it is a socket that nobody listens on. */
static int remove_stale(const struct vfki_listener *l, const struct sockaddr_un *addr)
{
	const char *path = addr->sun_path;
	struct stat st;
	int fd, ret;

	if (fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : vfki_err_sys(-errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return vfki_err(-EADDRINUSE, "%s: is there, and is no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vfki_err_sys(-errno, "socket");
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	vfki_fd_close(fd);
	/* EPROTOTYPE: not ours, a datagram socket. EAGAIN: listens, with a full queue. */
	if (ret != -ECONNREFUSED)
		return vfki_err(-EADDRINUSE, "%s: somebody listens there", path);
	if (unlinkat(l->dir, l->name, 0) && errno != ENOENT)
		return vfki_err_sys(-errno, "%s: a stale socket", path);
	return 0;
}

/* Gives back what the umask took away, and remembers which inode is ours. */
static int settle_mode(struct vfki_listener *l, const char *path, uint32_t mode)
{
	struct stat st;

	if (fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW))
		return vfki_err_sys(-errno, "%s", path);
	if ((st.st_mode & 07777) != mode && fchmodat(l->dir, l->name, mode, AT_SYMLINK_NOFOLLOW))
		return vfki_err_sys(-errno, "%s: permissions %o", path, mode);
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return 0;
}

static int bind_and_listen(struct vfki_listener *l, const struct sockaddr_un *addr, uint32_t mode)
{
	const char *path = addr->sun_path;
	int fd, ret;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vfki_err_sys(-errno, "socket");
	if (fchmod(fd, mode) || bind(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
		ret = vfki_err_sys(-errno, "%s", path);
		goto close_socket;
	}
	ret = settle_mode(l, path, mode);
	if (ret)
		goto remove_file;
	if (listen(fd, BACKLOG)) {
		ret = vfki_err_sys(-errno, "%s: listen", path);
		goto remove_file;
	}
	l->fd = fd;
	return 0;

remove_file:
	unlinkat(l->dir, l->name, 0);
close_socket:
	vfki_fd_close(fd);
	return ret;
}

int vfki_listener_open(struct vfki_listener *l, const char *path, uint32_t mode)
{
	struct sockaddr_un addr;
	int ret;

	ret = set_address(&addr, path);
	if (ret)
		return ret;
	ret = open_folder(l, path);
	if (ret)
		return ret;
	ret = lock_folder(l, path);
	if (ret)
		goto close_dir;
	ret = remove_stale(l, &addr);
	if (!ret)
		ret = bind_and_listen(l, &addr, mode);
	flock(l->dir, LOCK_UN);
	if (ret)
		goto close_dir;
	return 0;

close_dir:
	close_folder(l);
	return ret;
}

void vfki_listener_adopt(struct vfki_listener *l, int fd)
{
	l->fd = fd;
}

int vfki_listener_accept(struct vfki_listener *l)
{
	/* Blocking, so that waiting for an answer of the client's is one receive; no other call on it waits. */
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* Gone again before we looked, or not there at all: both mean that there is nothing. */
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return -EAGAIN;
	return vfki_err_sys(-errno, "accept");
}

void vfki_listener_close(struct vfki_listener *l)
{
	struct stat st;

	if (l->name && !fstatat(l->dir, l->name, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == l->device && st.st_ino == l->inode)
		unlinkat(l->dir, l->name, 0);
	close_folder(l);
	vfki_fd_close(l->fd);
	l->fd = -1;
}

static int socket_option(int fd, int option, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, option, value, &len) ? -errno : 0;
}

int vfki_socket_check(int fd, bool *listens)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);
	int domain, type, accepts;
	int ret;

	ret = socket_option(fd, SO_DOMAIN, &domain);
	if (ret == -ENOTSOCK || ret == -EBADF)
		return vfki_err(-ENOTSOCK, "descriptor %d is no socket", fd);
	if (ret || socket_option(fd, SO_TYPE, &type) || socket_option(fd, SO_ACCEPTCONN, &accepts))
		return vfki_err(-EINVAL, "descriptor %d tells nothing of itself", fd);
	if (domain != AF_UNIX || type != SOCK_STREAM)
		return vfki_err(-EINVAL, "descriptor %d is no UNIX stream socket", fd);
	if (!accepts && getpeername(fd, (struct sockaddr *)&peer, &len))
		return vfki_err(-EINVAL, "descriptor %d neither listens nor is connected", fd);
	*listens = accepts;
	return 0;
}
