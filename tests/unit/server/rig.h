/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - a server on one end of a socketpair or behind a path, and a client made of raw bytes on the other.
 *
 * Messages are laid out here by hand, not by lib/wire: what the server understands is compared with what is written
 * down twice. By default one thread does both ends in turn; rig_thread() gives the server a thread of its own, for a
 * server that waits for its client.
 */
#ifndef SERVER_RIG_H
#define SERVER_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/vfiokit.h>

#include <cmocka.h>

enum {
	CMD_VERSION = 1,
	CMD_DMA_MAP,
	CMD_DMA_UNMAP,
	CMD_GET_INFO,
	CMD_REGION_INFO,
	CMD_REGION_IO_FDS,
	CMD_IRQ_INFO,
	CMD_SET_IRQS,
	CMD_REGION_READ,
	CMD_REGION_WRITE,
	CMD_DMA_READ,
	CMD_DMA_WRITE,
	CMD_RESET,
	CMD_DIRTY_PAGES,
	CMD_WRITE_MULTI,
	CMD_FEATURE,
	CMD_MIG_READ,
	CMD_MIG_WRITE,
	CMD_PRECOPY,
};

#define FLAG_REPLY    1u
#define FLAG_NO_REPLY 16u
#define FLAG_ERROR    32u

/* The header as the specification has it. */
struct head {
	uint16_t id;
	uint16_t command;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

/* A message that came from the server. */
struct message {
	struct head head;
	uint8_t payload[70000];
	size_t len; /* of the payload */
	int fds[16];
	size_t nfds;
};

struct rig {
	struct vfk_device *dev;
	struct vfk_server *server;
	int fd; /* the client's end; -1: none */
	uint16_t next_id;
	atomic_int connected, disconnected, refused; /* events */
	char text[600];				     /* of the last event */
	atomic_int result; /* last of vfk_server_dispatch() that was an error; 0 */
	pthread_t thread;
	atomic_bool threaded, stop;
	struct message msg; /* the last one */
};

/* Exports @dev on a socketpair, and keeps the other end. */
void rig_pair(struct rig *rig, struct vfk_device *dev, const struct vfk_server_opts *opts);

/* The same, and negotiates 0.2 with the default capabilities. */
void rig_open(struct rig *rig, struct vfk_device *dev, const struct vfk_server_opts *opts);

/* Exports @dev at @path; no client yet. */
void rig_listen(struct rig *rig, struct vfk_device *dev, const char *path,
		const struct vfk_server_opts *opts);

/* A further connection to @path. */
int rig_connect(const char *path);

/* Closes everything but the device. */
void rig_close(struct rig *rig);

/* Gives the server a thread until rig_join() or rig_close(). */
void rig_thread(struct rig *rig);

/* Ends the server's thread, before the test looks at what it did. */
void rig_join(struct rig *rig);

/* Lets the server do what is to be done now, and for @ms more. */
void rig_pump(struct rig *rig, int ms);

/* Sends bytes and descriptors as they are. */
void rig_send(int fd, const void *bytes, size_t len, const int *fds, size_t nfds);

/* Sends a command; returns its id. */
uint16_t rig_command(struct rig *rig, uint16_t command, uint32_t flags, const void *payload,
		     size_t len, const int *fds, size_t nfds);

/* Receives one message from the server into rig->msg; fails the test when none comes within two seconds. */
void rig_receive(struct rig *rig);

/* Whether the server has closed the connection; waits for up to two seconds. */
bool rig_closed(struct rig *rig);

/* Whether nothing has come from the server, and the connection lives. */
bool rig_silent(struct rig *rig);

/* A command and its reply; 0, or the errno of an Error reply, whose form is checked. */
int rig_ask(struct rig *rig, uint16_t command, const void *payload, size_t len);
int rig_ask_fds(struct rig *rig, uint16_t command, const void *payload, size_t len, const int *fds,
		size_t nfds);

/* VERSION with this JSON, or none for NULL. */
int rig_version(struct rig *rig, uint16_t major, uint16_t minor, const char *json);

/* Closes the descriptors of the last message. */
void rig_drop_fds(struct rig *rig);

/* How many descriptors this process has. */
size_t rig_count_fds(void);

#endif
