/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - the inside of a vfio-user io, for the files of this room only.
 *
 * What VERSION settled is written in open, before any other thread has the io, and again when a lost server is back, while
 * the gate lets nobody else in. The table of mappings has a lock of
 * its own, which is held across no request and no callback of the program's; the connection's lock is below it.
 */
#ifndef VFKI_IO_USER_CLIENT_H
#define VFKI_IO_USER_CLIENT_H

#include "lib/connection/connection.h"
#include "lib/io/mappings.h"
#include "lib/io/user/gate.h"
#include "lib/io/user/posted.h"
#include "lib/io/user/twin.h"
#include "lib/wire/version.h"
#include <pthread.h>
#include <stdatomic.h>
#include <vfiokit/io.h>

/* Regions and interrupt indexes that a server may claim to have. */
#define VFKI_USER_MAX_INDEXES 512

/* Memory that the server may reach. */
struct vfki_user_memory {
	pthread_mutex_t lock;
	pthread_cond_t let_go;	    /* a mapping's users fell to 0 */
	struct vfki_mappings table; /* of struct vfki_user_mapping */
	/* For a DMA_READ that cannot be sent from where it is; the role of who reads commands guards it. */
	void *bounce;
};

/* Pages written in memory that is not mapped any more, and not reported yet. */
struct vfki_user_gone;

/* The dma space changes it, one call at a time. */
struct vfki_user_dirty {
	uint64_t page_size; /* 0: nothing is recorded */
	uint64_t gone_page; /* of gone, once the server was lost */
	struct vfki_user_gone *gone;
	size_t num_gone;
	bool lost; /* there were more than are kept: everything counts as written */
};

/* What the URI asked for; constant. */
struct vfki_user_options {
	uint32_t timeout_ms;
	uint64_t hold_us; /* of posted writes */
	uint64_t spin_us;
	uint64_t reconnect_s; /* 0: a server that is lost stays lost */
	bool twin;
};

struct vfki_user {
	struct vfk_io io; /* first: the library allocates the whole */
	struct vfki_conn *conn;
	uint32_t timeout_ms;
	const char *debug_name; /* NULL: silent (lib/base/debug.h) */
	struct vfki_user_options options;
	char *path; /* with reconnect_s: the socket's; owned */
	struct vfki_user_gate gate;
	struct vfki_wire_agreed agreed;
	size_t max_read; /* data bytes of one request, a multiple of 8 */
	size_t max_write;
	atomic_bool unflushed; /* there were posted writes since the last flush */
	struct vfki_user_posted posted;
	/* indexes that were armed and not disabled since: bit i of word i / 32; set_irqs undoes by it */
	atomic_uint armed[VFKI_USER_MAX_INDEXES / 32];
	struct vfki_user_memory memory;
	struct vfki_user_dirty dirty;
	bool one_by_one; /* the server refused DMA_UNMAP of all; changed as dirty is */
	struct vfki_user_twin twin;
};

static inline struct vfki_user *vfki_user_of(struct vfk_io *io)
{
	return (struct vfki_user *)io;
}

/* A request, behind the posted writes that came before it. As vfki_conn_request(). */
static inline int vfki_user_ask(struct vfki_user *user, struct vfki_request *rq)
{
	int r = 0;

	if (__builtin_expect(atomic_load_explicit(&user->posted.count, memory_order_acquire) != 0,
			     0))
		r = vfki_user_posted_send(user);
	return r ? r : vfki_conn_request(user->conn, rq);
}

/* user.c: a request without descriptors, one piece each way. Returns the reply's length, or -errno with a text. */
ssize_t vfki_user_request(struct vfki_user *user, uint16_t command, const void *out, size_t out_len,
			  void *in, size_t in_len);

/*
 * user.c: with a connection that nothing was said on: VERSION within @timeout_ms, and what follows from it: sizes, the
 * second socket, the thread for posted writes. On failure there is none of these.
 */
int vfki_user_greet(struct vfki_user *user, uint32_t timeout_ms);

/* What a decoder said of a reply: a broken one ends the connection. Returns @r. */
static inline int vfki_user_decoded(struct vfki_user *user, int r)
{
	return __builtin_expect(r == -EPROTO, 0) ? vfki_conn_fail(user->conn, r) : r;
}

/* info.c, region_info.c */
int vfki_user_get_device_info(struct vfk_io *io, struct vfio_device_info *info);
int vfki_user_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
			      struct vfk_region_fds *fds);
int vfki_user_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info);
int vfki_user_reset(struct vfk_io *io);

/* io_fds.c */
int vfki_user_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			    size_t max, size_t *count);

/* irq.c */
int vfki_user_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set);
/* Switches off all indexes that are armed, in vain if the server is gone. */
void vfki_user_disarm_all(struct vfki_user *user);

/* region.c */
ssize_t vfki_user_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len);
ssize_t vfki_user_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			       size_t len, unsigned int flags);
int vfki_user_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count);
int vfki_user_flush(struct vfk_io *io);

/* feature.c, migration.c */
int vfki_user_device_feature(struct vfk_io *io, struct vfio_device_feature *feature);
ssize_t vfki_user_mig_read(struct vfk_io *io, void *buf, size_t len);
ssize_t vfki_user_mig_write(struct vfk_io *io, const void *buf, size_t len);
int vfki_user_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info);

/* memory.c: the table, and the server's access to what is in it */
int vfki_user_memory_init(struct vfki_user_memory *mem);
/* Nobody may be using it: the connection is gone. */
void vfki_user_memory_fini(struct vfki_user_memory *mem);
/* Takes all away; the connection has ended, and nobody is in a call. With dirty tracking on, all counts as written. */
void vfki_user_memory_clear(struct vfki_user *user);
/* The connection's callback; ctx is the struct vfki_user. */
void vfki_user_command(void *ctx, struct vfki_conn *conn, struct vfki_command *cmd);
/* From now on the server reaches it. The fd is duplicated; *fd is set to the duplicate, or -1. As the map op. */
int vfki_user_memory_add(struct vfki_user_memory *mem, const struct vfk_dma_mapping *m, int *fd);
/* Whether there is exactly this mapping: 0 or -ENOENT with a text. */
int vfki_user_memory_check(struct vfki_user_memory *mem, uint64_t iova, uint64_t length);
/* Takes it away, when its users have let go. Returns 0; -ENOENT; -EBUSY: it is still there. */
int vfki_user_memory_remove(struct vfki_user_memory *mem, uint64_t iova, uint64_t length,
			    uint32_t timeout_ms);

/* dirty.c: bytes of a mapping's bitmap in a DMA_UNMAP; 0: none is to be asked for */
uint64_t vfki_user_dirty_size(const struct vfki_user *user, uint64_t iova, uint64_t length);
/* A mapping went; @bitmap says which of its pages were written, NULL: nobody knows. */
void vfki_user_dirty_unmapped(struct vfki_user *user, uint64_t iova, uint64_t length,
			      const uint64_t *bitmap);
void vfki_user_dirty_forget(struct vfki_user *user);
/* and members of the sink vector */
int vfki_user_dirty_start(struct vfk_io *io, uint64_t page_size);
int vfki_user_dirty_stop(struct vfk_io *io);
int vfki_user_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			   uint64_t *bitmap);

/* dma.c */
extern const struct vfk_dma_ops vfki_user_dma_ops;
/* Takes all mappings back from the server, in vain if it is gone. */
void vfki_user_unmap_all(struct vfki_user *user);

#endif
