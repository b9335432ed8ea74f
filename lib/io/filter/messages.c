/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * messages.c - calls as vfio-user messages; see messages.h.
 *
 * A message is put together in the call's frame, data in place; only info replies, whose chains have no bound, are
 * allocated.
 */
#include "messages.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include "lib/wire/device_info.h"
#include "lib/wire/dma_map.h"
#include "lib/wire/feature.h"
#include "lib/wire/header.h"
#include "lib/wire/irq.h"
#include "lib/wire/migration.h"
#include "lib/wire/region_access.h"
#include "lib/wire/region_info.h"
#include <stdlib.h>
#include <string.h>

/* Descriptors that one message of a real connection has at most. */
#define MAX_FDS	  VFKI_WIRE_MAX_FDS
/* What a server may add to a region's capabilities: which descriptor is for which area. */
#define MORE_INFO 4096

struct message {
	uint16_t command;
	uint32_t flags;
	size_t nfds;
	const void *tail; /* behind the fixed part */
	size_t tail_len;
	size_t len;
	uint8_t fixed[VFKI_WIRE_FEATURE_MAX > VFKI_WIRE_UNMAP_MAX ? VFKI_WIRE_FEATURE_MAX :
								    VFKI_WIRE_UNMAP_MAX];
};

int vfki_messages_open(struct vfki_messages *m, const char *path, const char *device)
{
	int r = vfki_pcapng_open(&m->file, path, device);

	if (!r)
		pthread_mutex_init(&m->lock, NULL);
	return r;
}

void vfki_messages_close(struct vfki_messages *m)
{
	pthread_mutex_destroy(&m->lock);
	vfki_pcapng_close(&m->file);
}

static void write_message(struct vfki_messages *m, uint16_t id, const struct message *msg)
{
	bool request = (msg->flags & VFKI_WIRE_TYPE) != VFKI_WIRE_TYPE_REPLY;
	uint8_t header[sizeof(struct vfki_wire_header)];
	const struct iovec iov[] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)msg->fixed, .iov_len = msg->len },
		{ .iov_base = (void *)msg->tail, .iov_len = msg->tail_len },
	};

	vfki_enc_command(header, id, msg->command, msg->flags, msg->len + msg->tail_len);
	pthread_mutex_lock(&m->lock);
	vfki_pcapng_message(&m->file, request, iov, 3, msg->nfds);
	pthread_mutex_unlock(&m->lock);
}

static void write_error(struct vfki_messages *m, uint16_t id, uint16_t command, int err)
{
	uint8_t header[sizeof(struct vfki_wire_header)];
	const struct iovec iov = { .iov_base = header,
				   .iov_len = vfki_enc_error(header, id, command, err) };

	pthread_mutex_lock(&m->lock);
	vfki_pcapng_message(&m->file, false, &iov, 1, 0);
	pthread_mutex_unlock(&m->lock);
}

static void put_access(struct message *msg, uint16_t command, const struct vfki_call_access *a,
		       size_t count)
{
	msg->command = command;
	msg->len = vfki_enc_region_access(msg->fixed, a->offset, a->region, (uint32_t)count);
}

static void request_write(struct message *msg, const struct vfki_call_access *a)
{
	put_access(msg, VFKI_WIRE_REGION_WRITE, a, a->len);
	msg->flags = a->flags & VFK_WRITE_POSTED ? VFKI_WIRE_NO_REPLY : 0;
	msg->tail = a->data;
	msg->tail_len = a->len;
}

static bool request_irqs(struct message *msg, const struct vfio_irq_set *set, uint32_t done,
			 uint32_t *next)
{
	struct vfki_wire_irq_part part;
	int n = vfki_wire_irq_next(set, done, MAX_FDS, &part);

	if (n < 0)
		return false;
	msg->command = VFKI_WIRE_DEVICE_SET_IRQS;
	msg->len = vfki_enc_set_irqs_request(msg->fixed, &part);
	msg->tail = part.bools;
	msg->tail_len = part.bools ? part.set.count : 0;
	msg->nfds = part.nfds;
	*next = done + (uint32_t)n;
	return true;
}

static uint32_t writes_at_once(const struct vfki_call *call, uint32_t done)
{
	return (uint32_t)vfki_min_u64(call->writes.count - done, VFKI_WIRE_MAX_WRITES);
}

static void request_writes(struct message *msg, const struct vfki_call *call, uint32_t done,
			   uint32_t *next)
{
	uint32_t n = writes_at_once(call, done);

	msg->command = VFKI_WIRE_REGION_WRITE_MULTI;
	msg->len = vfki_enc_write_multi_request(msg->fixed, n);
	msg->tail = call->writes.at + done;
	msg->tail_len = n * sizeof(*call->writes.at);
	*next = done + n;
}

static bool request_feature(struct message *msg, const struct vfio_device_feature *f)
{
	struct vfki_wire_feature_tail tail;
	size_t reply_max;
	int r = vfki_enc_feature_request(msg->fixed, f, UINT64_MAX, &tail, &reply_max);

	if (r < 0)
		return false;
	msg->command = VFKI_WIRE_DEVICE_FEATURE;
	msg->len = (size_t)r;
	msg->tail = tail.data;
	msg->tail_len = tail.len;
	msg->nfds = tail.fd >= 0;
	return true;
}

/* From the kernel's form after the call; false for what has no message. */
static bool reply_feature(struct message *msg, const struct vfio_device_feature *f)
{
	struct vfki_wire_feature_request rq = {
		.feature = vfki_feature_find(f->flags & VFIO_DEVICE_FEATURE_MASK),
		.flags = f->flags,
		.argsz = f->argsz,
	};
	struct vfio_device_feature_dma_logging_report report;
	struct vfki_wire_feature_tail tail;

	if (!rq.feature || !rq.feature->exported)
		return false;
	rq.kernel.head = *f;
	memcpy(rq.kernel.data, f->data, vfki_feature_data_size(rq.feature, f->flags));
	if (rq.feature->tail == VFKI_TAIL_BITMAP && !(f->flags & VFIO_DEVICE_FEATURE_PROBE)) {
		memcpy(&report, f->data, sizeof(report));
		vfki_feature_bitmap_size(report.iova, report.length, report.page_size,
					 &rq.bitmap_size);
	}
	msg->command = VFKI_WIRE_DEVICE_FEATURE;
	msg->len = vfki_enc_feature_reply(msg->fixed, &rq, &tail);
	msg->tail = tail.data;
	msg->tail_len = tail.len;
	return true;
}

/* The feature that a dirty_* call is on a connection. */
struct logging {
	struct vfio_device_feature_dma_logging_range all;
	struct vfki_feature_buf f;
};

static void put_data(struct vfki_feature_buf *f, uint32_t flags, const void *data, size_t len)
{
	f->head.argsz = (uint32_t)(sizeof(f->head) + len);
	f->head.flags = flags;
	if (len)
		memcpy(f->data, data, len);
}

static const struct vfio_device_feature *as_logging(struct logging *l, const struct vfki_call *call)
{
	const struct vfki_call_range *r = &call->range;
	struct vfio_device_feature_dma_logging_control control = { .page_size = r->page_size,
								   .num_ranges = 1,
								   .ranges = (uintptr_t)&l->all };
	struct vfio_device_feature_dma_logging_report report = { .iova = r->iova,
								 .length = r->length,
								 .page_size = r->page_size,
								 .bitmap = (uintptr_t)r->bitmap };

	/* The last page would make the length 2^64. */
	*l = (struct logging){ .all.length = 0 - r->page_size };
	if (call->op == VFKI_CALL_DIRTY_START)
		put_data(&l->f, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
			 &control, sizeof(control));
	else if (call->op == VFKI_CALL_DIRTY_STOP)
		put_data(&l->f, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
			 NULL, 0);
	else
		put_data(&l->f, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
			 &report, sizeof(report));
	return &l->f.head;
}

static void request_map(struct message *msg, const struct vfk_dma_mapping *m)
{
	msg->command = VFKI_WIRE_DMA_MAP;
	msg->len = vfki_enc_dma_map_request(msg->fixed, m->prot, m->fd >= 0 ? m->fd_offset : 0,
					    m->iova, m->length);
	msg->nfds = m->fd >= 0;
}

static void put_unmap(struct message *msg, const struct vfki_call *call,
		      size_t (*enc)(void *, const struct vfki_wire_unmap *))
{
	const struct vfki_wire_unmap unmap = { .addr = call->range.iova,
					       .size = call->range.length,
					       .all = call->op == VFKI_CALL_DMA_UNMAP_ALL };

	msg->command = VFKI_WIRE_DMA_UNMAP;
	msg->len = enc(msg->fixed, &unmap);
}

static void request_info(struct message *msg, const struct vfki_call *call, uint32_t *argsz)
{
	if (call->op == VFKI_CALL_GET_DEVICE_INFO) {
		*argsz = call->device_info->argsz;
		msg->command = VFKI_WIRE_DEVICE_GET_INFO;
		msg->len = vfki_enc_device_info_request(msg->fixed, *argsz);
	} else if (call->op == VFKI_CALL_GET_REGION_INFO) {
		*argsz = call->region.info->argsz;
		msg->command = VFKI_WIRE_DEVICE_GET_REGION_INFO;
		msg->len =
			vfki_enc_region_info_request(msg->fixed, call->region.info->index, *argsz);
	} else {
		msg->command = VFKI_WIRE_DEVICE_GET_IRQ_INFO;
		msg->len = vfki_enc_irq_info_request(msg->fixed, call->irq_info->index);
	}
}

/*
 * The message that begins after @done of the call's vectors or writes. *next is where the one after it does, @done for
 * none. False for a call without a message.
 */
static bool make_request(const struct vfki_call *call, uint32_t done, struct message *msg,
			 uint32_t *next, uint32_t *argsz)
{
	struct logging logging;

	*next = done;
	switch (call->op) {
	case VFKI_CALL_GET_DEVICE_INFO:
	case VFKI_CALL_GET_REGION_INFO:
	case VFKI_CALL_GET_IRQ_INFO:
		request_info(msg, call, argsz);
		return true;
	case VFKI_CALL_SET_IRQS:
		return request_irqs(msg, call->irq_set, done, next);
	case VFKI_CALL_REGION_READ:
		put_access(msg, VFKI_WIRE_REGION_READ, &call->access, call->access.len);
		return true;
	case VFKI_CALL_REGION_WRITE:
		request_write(msg, &call->access);
		return true;
	case VFKI_CALL_DEVICE_FEATURE:
		return request_feature(msg, call->feature);
	case VFKI_CALL_RESET:
		msg->command = VFKI_WIRE_DEVICE_RESET;
		return true;
	case VFKI_CALL_WRITE_MULTI:
		request_writes(msg, call, done, next);
		return true;
	case VFKI_CALL_MIG_READ:
		msg->command = VFKI_WIRE_MIG_DATA_READ;
		msg->len = vfki_enc_mig_read_request(msg->fixed, (uint32_t)call->access.len);
		return true;
	case VFKI_CALL_MIG_WRITE:
		msg->command = VFKI_WIRE_MIG_DATA_WRITE;
		msg->len = vfki_enc_mig_write_request(msg->fixed, (uint32_t)call->access.len);
		msg->tail = call->access.data;
		msg->tail_len = call->access.len;
		return true;
	case VFKI_CALL_PRECOPY_INFO:
		msg->command = VFKI_WIRE_GET_PRECOPY_INFO;
		msg->len = vfki_enc_precopy_info_request(msg->fixed);
		return true;
	case VFKI_CALL_DMA_MAP:
		request_map(msg, call->map.mapping);
		return true;
	case VFKI_CALL_DMA_UNMAP:
	case VFKI_CALL_DMA_UNMAP_ALL:
		put_unmap(msg, call, vfki_enc_dma_unmap_request);
		return true;
	case VFKI_CALL_DIRTY_START:
	case VFKI_CALL_DIRTY_STOP:
	case VFKI_CALL_DIRTY_REPORT:
		return request_feature(msg, as_logging(&logging, call));
	default:
		return false;
	}
}

static uint32_t parts_of(const struct vfki_call *call)
{
	if (call->op == VFKI_CALL_SET_IRQS)
		return call->irq_set->count;
	return call->op == VFKI_CALL_WRITE_MULTI ? (uint32_t)call->writes.count : 0;
}

/* The number of messages that a call is; their ids follow each other. */
static uint32_t count_messages(const struct vfki_call *call)
{
	uint32_t all = parts_of(call), done = 0, next, argsz, n = 0;

	do {
		struct message msg = { .flags = 0 };

		if (!make_request(call, done, &msg, &next, &argsz))
			return 0;
		n++;
		done = next;
	} while (done < all);
	return n;
}

void vfki_messages_request(struct vfki_messages *m, const struct vfki_call *call,
			   struct vfki_exchange *x)
{
	uint32_t done = 0, next;

	x->count = count_messages(call);
	pthread_mutex_lock(&m->lock);
	x->first_id = m->next_id;
	m->next_id = (uint16_t)(m->next_id + x->count);
	pthread_mutex_unlock(&m->lock);
	for (uint32_t i = 0; i < x->count; i++, done = next) {
		struct message msg = { .flags = VFKI_WIRE_TYPE_COMMAND };

		make_request(call, done, &msg, &next, &x->argsz);
		write_message(m, (uint16_t)(x->first_id + i), &msg);
	}
}

/* Info replies have chains, so they are made in memory of their own, which is returned; NULL: there is none. */
static void *reply_info(struct message *msg, const struct vfki_call *call, uint32_t argsz)
{
	size_t cap = (size_t)argsz + MORE_INFO;
	int fds[VFK_REGION_MAX_FDS], r;
	void *buf = malloc(cap);

	if (!buf)
		return NULL;
	if (call->op == VFKI_CALL_GET_DEVICE_INFO) {
		r = (int)vfki_enc_device_info_reply(buf, cap, call->device_info, argsz);
	} else {
		r = vfki_enc_region_info_reply(buf, cap, call->region.info, call->region.fds,
					       argsz + MORE_INFO, VFK_REGION_MAX_FDS, true, fds,
					       &msg->nfds);
	}
	msg->tail = buf;
	msg->tail_len = r > 0 ? (size_t)r : 0;
	return buf;
}

static void reply_access(struct message *msg, const struct vfki_call *call, ssize_t ret)
{
	const struct vfki_call_access *a = &call->access;

	switch (call->op) {
	case VFKI_CALL_REGION_READ:
	case VFKI_CALL_REGION_WRITE:
		put_access(msg, msg->command, a, (size_t)ret);
		break;
	case VFKI_CALL_MIG_READ:
		msg->len = vfki_enc_mig_read_reply(msg->fixed, (uint32_t)ret);
		break;
	default:
		msg->len = vfki_enc_mig_write_reply(msg->fixed, (uint32_t)ret);
		break;
	}
	msg->tail = a->buf;
	msg->tail_len = a->buf ? (size_t)ret : 0;
}

/* What the reply carries, for a call that succeeded. */
static void fill_reply(struct message *msg, const struct vfki_call *call, uint32_t done,
		       ssize_t ret)
{
	struct logging logging;

	switch (call->op) {
	case VFKI_CALL_GET_IRQ_INFO:
		msg->len = vfki_enc_irq_info_reply(msg->fixed, call->irq_info);
		break;
	case VFKI_CALL_SET_IRQS:
		msg->len = vfki_enc_set_irqs_reply(msg->fixed, (uint32_t)ret);
		break;
	case VFKI_CALL_REGION_READ:
	case VFKI_CALL_REGION_WRITE:
	case VFKI_CALL_MIG_READ:
	case VFKI_CALL_MIG_WRITE:
		reply_access(msg, call, ret);
		break;
	case VFKI_CALL_DEVICE_FEATURE:
		reply_feature(msg, call->feature);
		break;
	case VFKI_CALL_WRITE_MULTI:
		msg->len = vfki_enc_write_multi_reply(msg->fixed, writes_at_once(call, done));
		break;
	case VFKI_CALL_PRECOPY_INFO:
		msg->len = vfki_enc_precopy_info_reply(msg->fixed, call->precopy);
		break;
	case VFKI_CALL_DMA_UNMAP:
	case VFKI_CALL_DMA_UNMAP_ALL:
		put_unmap(msg, call, vfki_enc_dma_unmap_reply);
		break;
	case VFKI_CALL_DIRTY_START:
	case VFKI_CALL_DIRTY_STOP:
	case VFKI_CALL_DIRTY_REPORT:
		reply_feature(msg, as_logging(&logging, call));
		break;
	default:
		break;
	}
}

static void write_reply(struct vfki_messages *m, const struct vfki_call *call, uint16_t id,
			uint16_t command, uint32_t done, uint32_t argsz, ssize_t ret)
{
	struct message msg = { .command = command, .flags = VFKI_WIRE_TYPE_REPLY };
	void *info = NULL;

	if (call->op == VFKI_CALL_GET_DEVICE_INFO || call->op == VFKI_CALL_GET_REGION_INFO) {
		info = reply_info(&msg, call, argsz);
		if (!info)
			return;
	} else {
		fill_reply(&msg, call, done, ret);
	}
	write_message(m, id, &msg);
	free(info);
}

void vfki_messages_reply(struct vfki_messages *m, const struct vfki_call *call,
			 const struct vfki_exchange *x, ssize_t ret)
{
	uint32_t done = 0, next, argsz;

	for (uint32_t i = 0; i < x->count; i++, done = next) {
		struct message asked = { .flags = VFKI_WIRE_TYPE_COMMAND };
		uint16_t id = (uint16_t)(x->first_id + i);

		make_request(call, done, &asked, &next, &argsz);
		if (asked.flags & VFKI_WIRE_NO_REPLY)
			continue;
		if (ret < 0)
			write_error(m, id, asked.command, (int)ret);
		else
			write_reply(m, call, id, asked.command, done, x->argsz, ret);
	}
}
