/* SPDX-License-Identifier: BSD-3-Clause */
/* relay.c - passes bytes and descriptors on, and cuts; see relay.h. */
#include "relay.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PIECE	   65536
#define MOST_FDS   253
/* A side that takes nothing for so long is gone. */
#define PATIENCE_S 10

struct piece {
	char bytes[PIECE];
	size_t len;
	char control[CMSG_SPACE(MOST_FDS * sizeof(int))] __attribute__((aligned(8)));
	size_t control_len;
};

static void close_fds(const struct piece *p)
{
	const struct cmsghdr *head = (const void *)p->control;
	size_t n = p->control_len ? (head->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	int fd;

	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
		close(fd);
	}
}

static bool receive(int fd, struct piece *p, size_t most)
{
	struct iovec iov = { p->bytes, most < PIECE ? most : PIECE };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = p->control,
			    .msg_controllen = sizeof(p->control) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	p->control_len = n > 0 ? m.msg_controllen : 0;
	p->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool pass_on(int fd, const struct piece *p, bool without_fds)
{
	size_t done = 0;

	while (done < p->len) {
		struct iovec iov = { (char *)p->bytes + done, p->len - done };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (!done && p->control_len && !without_fds) {
			m.msg_control = (void *)p->control;
			m.msg_controllen = p->control_len;
		}
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* One piece from side @from to the other. False at the end, or when the byte has come. */
static bool pass(struct relay *r, int from, struct piece *p)
{
	bool counted = r->plan.to_client == (from == 1), good;

	if (!receive(r->end[from], p, counted ? r->plan.at : PIECE))
		return false;
	good = pass_on(r->end[!from], p, r->plan.without_fds);
	close_fds(p);
	if (!counted)
		return good;
	r->plan.at -= p->len;
	r->has_cut = !r->plan.at;
	return good && r->plan.at;
}

static void pass_all(struct relay *r, struct piece *p)
{
	struct pollfd side[2] = { { .fd = r->end[0], .events = POLLIN },
				  { .fd = r->end[1], .events = POLLIN } };

	r->has_cut = !r->plan.at;
	while (!r->has_cut && poll(side, 2, -1) > 0)
		for (int from = 0; from < 2; from++)
			if (side[from].revents && !pass(r, from, p))
				return;
}

static void keep_silent(struct relay *r)
{
	struct pollfd side[2] = { { .fd = r->end[0], .events = POLLRDHUP },
				  { .fd = r->end[1], .events = POLLRDHUP } };

	poll(side, 2, -1);
}

static void *run(void *ctx)
{
	struct relay *r = ctx;
	struct piece *p = malloc(sizeof(*p));

	if (p)
		pass_all(r, p);
	free(p);
	if (r->has_cut && r->plan.cut == RELAY_KILL)
		kill(r->plan.victim, SIGKILL);
	if (r->has_cut && r->plan.cut == RELAY_SILENCE)
		keep_silent(r);
	for (int i = 0; i < 2; i++)
		shutdown(r->end[i], SHUT_RDWR);
	return NULL;
}

void relay_start(struct relay *relay, const struct relay_plan *plan, int client, int server)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };

	*relay = (struct relay){ .plan = *plan, .end = { client, server } };
	for (int i = 0; i < 2; i++)
		setsockopt(relay->end[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (pthread_create(&relay->thread, NULL, run, relay)) {
		perror("a thread for the relay");
		exit(1);
	}
}

void relay_stop(struct relay *relay)
{
	for (int i = 0; i < 2; i++)
		shutdown(relay->end[i], SHUT_RDWR);
	pthread_join(relay->thread, NULL);
	for (int i = 0; i < 2; i++)
		close(relay->end[i]);
}
