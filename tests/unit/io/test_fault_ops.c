/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fault_ops.c - each op of both vectors fails once, with each of many codes, in this process and behind a socket: whoever
 * called hears of it with its code, and the same call works the next time.
 *
 * The nth call of the op is what fails, from the first one on, until it is the case's own; those before it are of opening and
 * serving the device, which fail with the code then. So a failure that nobody is told of is found wherever it is, and the
 * exceptions are all in expected().
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/io/filter/call.h"
#include "puppet.h"

#define IOVA  0x10000
#define PAGE  0x1000
#define TRIES 64 /* more than an opening calls one op */

/* What the device is brought to before the call. */
enum stage {
	OPEN,
	ATTACHED,
	MAPPED,
	RECORDING,
};

/* Where the op is called. */
enum place {
	NOWHERE,
	BEFORE, /* while the device is opened or begun to be served */
	CALL,
};

struct scene {
	struct puppet p;
	struct vfk_device *dev;	   /* what the program uses */
	struct vfk_device *served; /* NULL: @dev is the puppet's */
	struct vfk_server *server;
	pthread_t thread;
	int stop;
	struct vfk_dma_space *space;
	int memory, event;
	void (*lost)(void *ctx, uint64_t epoch); /* set_lost's */
	void *lost_ctx;
	uint64_t epoch;
};

struct case_of_op {
	long (*call)(struct scene *s);
	enum stage stage;
	enum place here, served;
};

/* ---- ops that the puppet has not ---- */

static int op_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)io;
	(void)reset;
	return 0;
}

static int op_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	(void)io;
	info->argsz = sizeof(*info);
	info->count = 0;
	return 0;
}

static int op_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	(void)io;
	info->initial_bytes = 1;
	return 0;
}

static int op_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds, size_t max,
		     size_t *count)
{
	(void)io;
	(void)region;
	(void)fds;
	(void)max;
	*count = 0;
	return 0;
}

static int op_address(struct vfk_io *io, uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	(void)io;
	*addr = (struct vfk_dma_addr){ iova, length };
	return 0;
}

static int op_unmap_all(struct vfk_io *io, uint32_t timeout_ms)
{
	(void)timeout_ms;
	((struct puppet *)io)->num_maps = 0;
	return 0;
}

/* The puppet is a scene's first. */
static int op_set_lost(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx)
{
	struct scene *s = (struct scene *)io;

	s->lost = lost;
	s->lost_ctx = ctx;
	return 0;
}

static int op_reconnect(struct vfk_io *io, enum vfk_reconnect step)
{
	(void)io;
	(void)step;
	return 0;
}

/* ---- the calls ---- */

static long call_region_info(struct scene *s)
{
	const struct vfk_region_info *info;

	return vfk_region_get_info(s->dev, 1, &info);
}

static long call_irq_info(struct scene *s)
{
	struct vfk_irq_info info;

	return vfk_irq_get_info(s->dev, 1, &info);
}

static long call_set_irqs(struct scene *s)
{
	return vfk_irq_set_eventfds(s->dev, 1, 0, 1, &s->event);
}

static long call_read(struct scene *s)
{
	uint32_t v;

	return vfk_region_read(s->dev, 0, 0, &v, sizeof(v));
}

static long call_write(struct scene *s)
{
	const uint32_t v = 1;

	return vfk_region_write(s->dev, 0, 0, &v, sizeof(v), 0);
}

static long call_feature(struct scene *s)
{
	struct vfio_device_feature_migration m;

	return vfk_feature_get(s->dev, VFIO_DEVICE_FEATURE_MIGRATION, &m, sizeof(m));
}

static long call_reset(struct scene *s)
{
	return vfk_device_reset(s->dev);
}

static long call_write_multi(struct scene *s)
{
	const struct vfk_region_write w[2] = { { .len = 4 }, { .offset = 4, .len = 4 } };

	return vfk_region_write_multi(s->dev, w, 2);
}

static long call_flush(struct scene *s)
{
	const uint32_t v = 1;
	ssize_t n = vfk_region_write(s->dev, 0, 0, &v, sizeof(v), VFK_WRITE_POSTED);

	return n < 0 ? n : vfk_region_flush(s->dev);
}

static long call_mig_read(struct scene *s)
{
	uint8_t buf[16];

	return vfk_device_mig_read(s->dev, buf, sizeof(buf));
}

static long call_mig_write(struct scene *s)
{
	const uint8_t buf[16] = { 0 };

	return vfk_device_mig_write(s->dev, buf, sizeof(buf));
}

static long call_poll_fd(struct scene *s)
{
	return vfk_device_poll_fd(s->dev);
}

static long call_dispatch(struct scene *s)
{
	return vfk_device_dispatch(s->dev);
}

static long call_hot_reset_info(struct scene *s)
{
	struct vfio_pci_hot_reset_info info = { .argsz = sizeof(info) };

	return vfk_device_hot_reset_info(s->dev, &info);
}

static long call_hot_reset(struct scene *s)
{
	return vfk_device_hot_reset(s->dev, NULL, 0);
}

static long call_precopy_info(struct scene *s)
{
	struct vfk_precopy_info info = { .argsz = sizeof(info) };

	return vfk_device_precopy_info(s->dev, &info);
}

static long call_io_fds(struct scene *s)
{
	struct vfk_region_io_fd fds[1];
	size_t count;

	return vfk_region_get_io_fds(s->dev, 0, fds, 1, &count);
}

static long map_at(struct scene *s, uint64_t iova)
{
	const struct vfk_dma_mapping m = {
		.size = sizeof(m),
		.iova = iova,
		.length = PAGE,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = s->memory,
	};

	return vfk_dma_map(s->space, &m, NULL);
}

static long call_map(struct scene *s)
{
	return map_at(s, IOVA + PAGE);
}

static long call_unmap(struct scene *s)
{
	return vfk_dma_unmap(s->space, IOVA, PAGE);
}

static long call_attach(struct scene *s)
{
	return vfk_device_attach_dma(s->dev, s->space);
}

static long call_dirty_start(struct scene *s)
{
	return vfk_dma_dirty_start(s->space, PAGE);
}

static long call_dirty_stop(struct scene *s)
{
	return vfk_dma_dirty_stop(s->space);
}

static long call_dirty_report(struct scene *s)
{
	uint64_t bitmap;

	return vfk_dma_dirty_report(s->space, IOVA, PAGE, &bitmap, 1);
}

static long call_address(struct scene *s)
{
	struct vfk_dma_addr addr;

	return vfk_dma_address(s->space, IOVA, PAGE, &addr);
}

/* Two mappings, else it is not one step. */
static long call_unmap_all(struct scene *s)
{
	long ret = map_at(s, IOVA + PAGE);

	return ret ? ret : vfk_device_detach_dma(s->dev);
}

static long call_reconnect(struct scene *s)
{
	s->lost(s->lost_ctx, ++s->epoch);
	return vfk_device_reconnect(s->dev, s->epoch);
}

static const struct case_of_op cases[VFKI_CALL_END] = {
	[VFKI_CALL_OPEN] = { NULL, OPEN, BEFORE, BEFORE },
	[VFKI_CALL_GET_DEVICE_INFO] = { NULL, OPEN, BEFORE, BEFORE },
	[VFKI_CALL_GET_REGION_INFO] = { call_region_info, OPEN, CALL, CALL },
	/* a server needs all of them to check what its client says */
	[VFKI_CALL_GET_IRQ_INFO] = { call_irq_info, OPEN, CALL, BEFORE },
	[VFKI_CALL_SET_IRQS] = { call_set_irqs, OPEN, CALL, CALL },
	[VFKI_CALL_REGION_READ] = { call_read, OPEN, CALL, CALL },
	[VFKI_CALL_REGION_WRITE] = { call_write, OPEN, CALL, CALL },
	[VFKI_CALL_DEVICE_FEATURE] = { call_feature, OPEN, CALL, CALL },
	[VFKI_CALL_RESET] = { call_reset, OPEN, CALL, CALL },
	[VFKI_CALL_WRITE_MULTI] = { call_write_multi, OPEN, CALL, CALL },
	[VFKI_CALL_FLUSH] = { call_flush, OPEN, CALL, NOWHERE },
	[VFKI_CALL_MIG_READ] = { call_mig_read, OPEN, CALL, CALL },
	[VFKI_CALL_MIG_WRITE] = { call_mig_write, OPEN, CALL, CALL },
	[VFKI_CALL_POLL_FD] = { call_poll_fd, OPEN, CALL, BEFORE },
	/* one that fails is the end of a server */
	[VFKI_CALL_DISPATCH] = { call_dispatch, OPEN, CALL, NOWHERE },
	[VFKI_CALL_HOT_RESET_INFO] = { call_hot_reset_info, OPEN, CALL, NOWHERE },
	[VFKI_CALL_HOT_RESET] = { call_hot_reset, OPEN, CALL, NOWHERE },
	[VFKI_CALL_PRECOPY_INFO] = { call_precopy_info, OPEN, CALL, CALL },
	[VFKI_CALL_REGION_IO_FDS] = { call_io_fds, OPEN, CALL, CALL },
	/* a device that cannot come back has neither; the server's own client has its own connection to lose */
	[VFKI_CALL_SET_LOST] = { NULL, OPEN, BEFORE, NOWHERE },
	[VFKI_CALL_RECONNECT] = { call_reconnect, OPEN, CALL, NOWHERE },
	[VFKI_CALL_DMA_MAP] = { call_map, MAPPED, CALL, CALL },
	[VFKI_CALL_DMA_UNMAP] = { call_unmap, MAPPED, CALL, CALL },
	[VFKI_CALL_DMA_LIMITS] = { call_attach, OPEN, CALL, BEFORE },
	[VFKI_CALL_DIRTY_START] = { call_dirty_start, MAPPED, CALL, CALL },
	[VFKI_CALL_DIRTY_STOP] = { call_dirty_stop, RECORDING, CALL, CALL },
	[VFKI_CALL_DIRTY_REPORT] = { call_dirty_report, RECORDING, CALL, CALL },
	[VFKI_CALL_DMA_ADDRESS] = { call_address, MAPPED, CALL, NOWHERE },
	[VFKI_CALL_DMA_UNMAP_ALL] = { call_unmap_all, MAPPED, CALL, NOWHERE },
};

/* ---- what is to come of it ---- */

/* Codes by which a sink says that the memory is out of reach (dma.h, unmap): then it is taken back. */
static bool says_gone(int err)
{
	return err == ENOENT || err == ENODEV || err == ENOTCONN || err == ECONNRESET ||
	       err == EPROTO || err == ETIMEDOUT;
}

/* The result of the case's call when op fails with @err: that, but where the public headers promise something else. */
static long expected(enum vfki_call_op op, int err, bool served)
{
	bool lacking = err == ENOTSUP || err == ENOSYS || err == ENOTTY;

	if (op == VFKI_CALL_OPEN)
		return -err; /* no op of an open device */
	if (op == VFKI_CALL_DMA_UNMAP && (says_gone(err) || (served && err == EBUSY)))
		return 0; /* a server waits while memory is in use */
	if (op == VFKI_CALL_DMA_UNMAP_ALL)
		return 0; /* each is unmapped then */
	if (op == VFKI_CALL_DMA_MAP && served && err == ENOMEM)
		return 0; /* done without an address */
	if (served && lacking &&
	    (op == VFKI_CALL_REGION_IO_FDS || op == VFKI_CALL_POLL_FD ||
	     op == VFKI_CALL_DMA_LIMITS))
		return 0; /* there are none, which is an answer */
	return lacking ? -ENOTSUP : -err;
}

/* ---- the scene ---- */

static size_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Of files that nobody else has: the memory of a mapping. */
static size_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	size_t n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "memfd:fault-ops") != NULL;
	fclose(maps);
	return n;
}

static void *serve(void *arg)
{
	struct scene *s = arg;
	struct pollfd p[2] = { { .fd = vfk_server_poll_fd(s->server), .events = POLLIN },
			       { .fd = s->stop, .events = POLLIN } };

	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		if (vfk_server_dispatch(s->server) < 0)
			break;
	}
	return NULL;
}

static void ready_puppet(struct scene *s, enum vfki_call_op op)
{
	puppet_init(&s->p, "own");
	s->p.ops.hot_reset = op_hot_reset;
	s->p.ops.hot_reset_info = op_hot_reset_info;
	s->p.ops.precopy_info = op_precopy_info;
	s->p.ops.region_io_fds = op_io_fds;
	s->p.dma_ops.address = op_address;
	s->p.dma_ops.unmap_all = op_unmap_all;
	if (op == VFKI_CALL_POLL_FD)
		s->p.poll_fd = s->event;
	if (op == VFKI_CALL_SET_LOST || op == VFKI_CALL_RECONNECT) {
		/* of a PCI device the ids are read */
		s->p.info.flags &= ~VFIO_DEVICE_FLAGS_PCI;
		s->p.io.flags |= VFK_IO_RECONNECT;
		s->p.ops.set_lost = op_set_lost;
		s->p.ops.reconnect = op_reconnect;
	}
	/* else it is the device's own that records for a server, not its sink */
	if (op >= VFKI_CALL_DIRTY_START && op <= VFKI_CALL_DIRTY_REPORT)
		puppet_force(&s->p, OP_FEATURE, -ENOTSUP);
}

static int start_server(struct scene *s)
{
	char uri[48];
	int ends[2], ret;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ret = vfk_server_on_fd(s->served, ends[0], NULL, &s->server);
	if (ret) {
		close(ends[0]);
		close(ends[1]);
		return ret;
	}
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	snprintf(uri, sizeof(uri), "vfio-user:fd=%d", ends[1]);
	ret = vfk_device_open(uri, NULL, &s->dev);
	close(ends[1]);
	return ret;
}

static int bring_to(struct scene *s, enum stage stage)
{
	int ret = stage >= ATTACHED ? vfk_device_attach_dma(s->dev, s->space) : 0;

	if (!ret && stage >= MAPPED)
		ret = (int)map_at(s, IOVA);
	if (!ret && stage >= RECORDING)
		ret = vfk_dma_dirty_start(s->space, PAGE);
	return ret;
}

/* -errno of whatever failed; end() is to be called all the same. */
static int begin(struct scene *s, enum vfki_call_op op, bool served, const char *filter)
{
	const struct vfk_open_opts o = { .size = sizeof(o), .filters = &filter, .num_filters = 1 };
	int ret;

	*s = (struct scene){ .event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			     .stop = eventfd(0, EFD_CLOEXEC),
			     .memory = memfd_create("fault-ops", MFD_CLOEXEC) };
	assert_int_equal(ftruncate(s->memory, PAGE), 0);
	assert_int_equal(vfk_dma_space_create(&s->space), 0);
	ready_puppet(s, op);
	ret = vfk_device_open_io(&s->p.io, &o, served ? &s->served : &s->dev);
	if (!ret && served)
		ret = start_server(s);
	return ret ? ret : bring_to(s, cases[op].stage);
}

static void end(struct scene *s)
{
	vfk_device_close(s->dev);
	if (s->server) {
		assert_int_equal(eventfd_write(s->stop, 1), 0);
		pthread_join(s->thread, NULL);
	}
	vfk_server_close(s->server);
	vfk_device_close(s->served);
	assert_int_equal(s->p.num_maps, 0);
	assert_int_equal(vfk_dma_space_destroy(s->space), 0);
	pthread_mutex_destroy(&s->p.lock);
	close(s->event);
	close(s->stop);
	close(s->memory);
}

/* ---- one failure ---- */

struct trial {
	enum vfki_call_op op;
	int err;
	bool served;
	unsigned int nth;
};

static void wrong(const struct trial *t, const char *what, long ret)
{
	fail_msg("%s fails with %d%s, call %u: %s: %ld (%s)", vfki_call_name(t->op), t->err,
		 t->served ? " at a server" : "", t->nth, what, ret, vfk_error());
}

static void check_text(const struct trial *t, long ret)
{
	if (ret < 0 && !*vfk_error())
		wrong(t, "no text", ret);
	if (ret < 0 && !t->served && !strstr(vfk_error(), "as it was told to"))
		wrong(t, "another failure's text", ret);
}

/* What has been there before is there, with what came of the op: a mapping more or less. */
static void check_works(const struct trial *t, struct scene *s)
{
	uint32_t v;
	long ret = vfk_region_read(s->dev, 0, 8, &v, sizeof(v));

	if (ret != sizeof(v))
		wrong(t, "a read after it", ret);
	ret = vfk_device_reset(s->dev);
	if (ret)
		wrong(t, "a reset after it", ret);
}

/* A server has closed a request's descriptors when it answers the next one. */
static void let_go(const struct trial *t, struct scene *s)
{
	uint32_t v;

	if (t->served && t->op == VFKI_CALL_RESET)
		vfk_region_read(s->dev, 0, 8, &v, sizeof(v));
	else if (t->served)
		vfk_device_reset(s->dev);
}

/* Something that failed is not half done. */
static void check_undone(const struct trial *t, struct scene *s)
{
	if (cases[t->op].stage >= MAPPED && !puppet_has_map(&s->p, IOVA, PAGE))
		wrong(t, "the mapping has gone", 0);
	if (t->op == VFKI_CALL_DMA_MAP && puppet_has_map(&s->p, IOVA + PAGE, PAGE))
		wrong(t, "mapped all the same", 0);
}

/* Of a device that is as it is to be. Whether the op was the one that was to fail. */
static bool call_it(const struct trial *t, struct scene *s, long want)
{
	size_t fds, mappings;
	long ret;

	let_go(t, s);
	fds = count_fds();
	mappings = count_mappings();
	ret = cases[t->op].call(s);
	if (ret < 0 && ret != want)
		wrong(t, "the caller is told", ret);
	check_text(t, ret);
	let_go(t, s);
	if (ret < 0 && count_fds() != fds)
		wrong(t, "descriptors are left", (long)count_fds() - (long)fds);
	if (ret < 0 && count_mappings() != mappings)
		wrong(t, "mappings are left", (long)count_mappings() - (long)mappings);
	if (ret >= 0)
		return want == 0;
	check_undone(t, s);
	check_works(t, s);
	ret = cases[t->op].call(s);
	/* it has stopped */
	if (t->op == VFKI_CALL_DIRTY_STOP && ret == -EINVAL)
		ret = 0;
	if (ret < 0)
		wrong(t, "once more", ret);
	return true;
}

/* The opening fails with the code, or it is the case's call that does. Whether it was that. */
static bool try_nth(const struct trial *t, enum place place)
{
	long want = expected(t->op, t->err, t->served);
	char filter[96];
	struct scene s;
	bool done = true;
	long ret;

	snprintf(filter, sizeof(filter), "fault,op=%s,errno=%d,nth=%u,mmap=pass",
		 vfki_call_name(t->op), t->err, t->nth);
	ret = begin(&s, t->op, t->served, filter);
	if (ret < 0) {
		done = false;
		check_text(t, ret);
		if (ret != want)
			wrong(t, "whoever opens it is told", ret);
	} else if (place == BEFORE) {
		if (t->nth == 1 && want)
			wrong(t, "nobody was told", ret);
		check_works(t, &s);
	} else {
		done = call_it(t, &s, want);
		if (!done)
			wrong(t, "nobody was told", ret);
	}
	end(&s);
	return done;
}

static void try_op(enum vfki_call_op op, bool served, int err)
{
	enum place place = served ? cases[op].served : cases[op].here;
	struct trial t = { .op = op, .err = err, .served = served, .nth = 1 };
	size_t fds = count_fds(), mappings = count_mappings();

	if (place == NOWHERE)
		return;
	for (; !try_nth(&t, place); t.nth++) {
		if (t.nth == TRIES)
			wrong(&t, "there is no end of it", 0);
	}
	if (count_fds() != fds || count_mappings() != mappings)
		wrong(&t, "something is left at the end", (long)count_fds() - (long)fds);
}

static void try_all(bool served)
{
	/* one that nobody gives a meaning to; those that the library does; one without a name */
	static const int codes[] = {
		EXDEV,	ENOTSUP, EBUSY,	 ETIMEDOUT, ECONNRESET,	  ENOTCONN,	   EPROTO, ENODEV,
		ENOENT, EINVAL,	 ENOMEM, EAGAIN,    EINTR,	  ENOSPC,	   EPERM,  EACCES,
		EIO,	ERANGE,	 EEXIST, ENOSYS,    ECONNREFUSED, EPROTONOSUPPORT, 4095
	};

	for (unsigned int op = 0; op < VFKI_CALL_END; op++) {
		if (cases[op].here == NOWHERE && cases[op].served == NOWHERE)
			fail_msg("%s has no case", vfki_call_name(op));
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			try_op(op, served, codes[i]);
	}
}

static void test_in_this_process(void **state)
{
	(void)state;
	try_all(false);
}

static void test_behind_a_socket(void **state)
{
	(void)state;
	try_all(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_this_process),
		cmocka_unit_test(test_behind_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
