/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_peer.c - the other end of a bare socket.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "failure.h"

#define LARGEST (2u << 20) /* a message */
#define PAGE	4096

/* What a message begins with; the rest is padding to the size of the message that it stands for. */
struct head {
	uint32_t size, reply_size;
	uint32_t what;
	uint32_t zero;
};

union control {
	char space[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static ssize_t send_with_fd(int socket, const void *data, size_t size, int fd)
{
	union control control = { { 0 } };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_NOSIGNAL);
}

/* All of it. send() takes less than sendmsg(). Returns 0 or -errno. */
static int send_all(int socket, const char *data, size_t size, int fd)
{
	while (size) {
		ssize_t n = fd >= 0 ? send_with_fd(socket, data, size, fd) :
				      send(socket, data, size, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
		fd = -1;
	}
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* As recvmsg(), which for so long is asked again and again. Then it sleeps: the processor is the server's, too. */
static ssize_t receive(int socket, struct msghdr *msg, uint64_t spin_us)
{
	uint64_t end = spin_us ? now_us() + spin_us : 0;
	ssize_t n;

	while (spin_us) {
		n = recvmsg(socket, msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0 || errno != EAGAIN)
			return n;
		if (now_us() >= end)
			break;
	}
	return recvmsg(socket, msg, MSG_CMSG_CLOEXEC);
}

/* All of @size bytes. Returns 0 or -errno. */
static int receive_all(int socket, char *data, size_t size, uint64_t spin_us)
{
	while (size) {
		struct iovec iov = { .iov_base = data, .iov_len = size };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = receive(socket, &msg, spin_us);

		if (n <= 0)
			return n ? -errno : -ENOTCONN;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static void map_and_unmap(int fd)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p != MAP_FAILED)
		munmap(p, PAGE);
	close(fd);
}

/* Does one message, whose head is there. */
static int answer(int socket, char *buffer, const struct head *head, int fd, int *eventfd)
{
	uint64_t one = 1;

	if (head->what == PEER_MAPS && fd >= 0)
		map_and_unmap(fd);
	if (head->what == PEER_SIGNALS && fd >= 0) {
		if (*eventfd >= 0)
			close(*eventfd);
		*eventfd = fd;
	}
	if (head->what == PEER_SIGNALS && write(*eventfd, &one, sizeof(one)) < 0)
		return -errno;
	return head->reply_size ? send_all(socket, buffer, head->reply_size, -1) : 0;
}

/* What was received and not yet used. */
struct stream {
	int socket;
	uint64_t spin_us;
	int fd; /* that came last; -1: none */
	char *data;
	size_t at, end;
};

/* At least @size bytes at data + at, in as few receives as may be. Returns 0 or -errno. */
static int need(struct stream *in, size_t size)
{
	union control control;

	if (in->end - in->at >= size)
		return 0;
	memmove(in->data, in->data + in->at, in->end - in->at);
	in->end -= in->at;
	in->at = 0;
	while (in->end < size) {
		struct iovec iov = { .iov_base = in->data + in->end, .iov_len = LARGEST - in->end };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = receive(in->socket, &msg, in->spin_us);

		if (n <= 0)
			return n ? -errno : -ENOTCONN;
		if (CMSG_FIRSTHDR(&msg))
			memcpy(&in->fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(in->fd));
		in->end += (size_t)n;
	}
	return 0;
}

/* Answers until the other end is closed, or says what it cannot. */
static int serve(struct stream *in)
{
	int eventfd = -1, ret;
	struct head head;

	do {
		ret = need(in, sizeof(head));
		if (ret < 0)
			return ret;
		memcpy(&head, in->data + in->at, sizeof(head));
		if (head.size < sizeof(head) || head.size > LARGEST || head.reply_size > LARGEST)
			return -EPROTO;
		ret = need(in, head.size);
		if (ret < 0)
			return ret;
		ret = answer(in->socket, in->data + in->at, &head, in->fd, &eventfd);
		in->fd = -1;
		in->at += head.size;
	} while (!ret);
	return ret;
}

static void __attribute__((noreturn)) child(int socket, int cpu, uint64_t spin_us)
{
	struct stream in = {
		.socket = socket, .spin_us = spin_us, .fd = -1, .data = calloc(1, 2 * LARGEST)
	};
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET((unsigned int)cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	if (in.data)
		serve(&in);
	_exit(0);
}

int bench_peer_start(struct bench_peer *peer, int cpu, uint64_t spin_us)
{
	int pair[2];

	*peer = (struct bench_peer){ .fd = -1, .spin_us = spin_us };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_text("bench", "socketpair: %m");
	peer->pid = fork();
	if (peer->pid < 0) {
		close(pair[0]);
		close(pair[1]);
		peer->pid = 0;
		return fail_text("bench", "fork: %m");
	}
	if (!peer->pid) {
		close(pair[0]);
		child(pair[1], cpu, spin_us);
	}
	close(pair[1]);
	peer->fd = pair[0];
	return STATUS_OK;
}

void bench_peer_stop(struct bench_peer *peer)
{
	if (!peer->pid)
		return;
	close(peer->fd);
	while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*peer = (struct bench_peer){ .fd = -1 };
}

int bench_peer_ask(struct bench_peer *peer, enum bench_peer_does what, uint32_t size,
		   uint32_t reply_size, int fd)
{
	static char buffer[LARGEST];
	struct head *head = (struct head *)(void *)buffer;
	int ret;

	*head = (struct head){ .size = size, .reply_size = reply_size, .what = what };
	ret = send_all(peer->fd, buffer, size, fd);
	if (!ret && reply_size)
		ret = receive_all(peer->fd, buffer, reply_size, peer->spin_us);
	return ret;
}
