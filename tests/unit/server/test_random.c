/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_random.c - clients that send nearly right messages, made from a seed: the server lives, and keeps nothing of them.
 *
 * What is asked is the same for every seed: no crash (the sanitizers look as well), no descriptor and no mapping left, and
 * the next well-behaved client is served. SERVER_RANDOM_SEED and SERVER_RANDOM_ROUNDS in the environment choose others.
 */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS	 1500
#define MESSAGES 12

static uint64_t seed;

/* xorshift64 (Marsaglia 2003) */
static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static uint64_t draw_number(void)
{
	static const uint64_t edges[] = {
		0,	   1,	   2,	   4,	       8,	    16,
		4095,	   4096,   8192,   0x7fffffff, 0x80000000u, UINT32_MAX,
		INT64_MAX, 0x1000, 0x2000, 0x10000,    UINT64_MAX,  UINT64_MAX - 4095
	};

	if (draw(3))
		return edges[draw(sizeof(edges) / sizeof(edges[0]))];
	return draw(64);
}

/* A payload whose words are now and then plausible. */
static size_t make_payload(uint16_t command, uint8_t *p)
{
	static const uint16_t lengths[20] = { 0,  4 + 40, 32, 24, 16, 32, 16, 16, 20, 16,
					      24, 16,	  24, 0,  8,  32, 16, 8,  24, 8 };
	size_t len = command < 20 ? lengths[command] : 8;

	for (size_t i = 0; i < 64; i += 4) {
		uint32_t word = (uint32_t)draw_number();

		memcpy(p + i, &word, 4);
	}
	/* argsz, flags: where most decoders look first. */
	if (draw(2)) {
		uint32_t argsz = (uint32_t)len, flags = (uint32_t)(1u << draw(20) | 1u << draw(6));

		memcpy(p, &argsz, 4);
		memcpy(p + 4, &flags, 4);
	}
	if (!draw(8))
		len = draw(64);
	return len;
}

static void send_some(struct rig *rig, const uint8_t *bytes, size_t len, const int *fds,
		      size_t nfds)
{
	union {
		char buf[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	/* The server may have closed the connection; that is one of the things it does. */
	(void)!sendmsg(rig->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_random(struct rig *rig, const int *fds)
{
	uint8_t bytes[16 + 64];
	struct head h = { .id = (uint16_t)draw(65536), .command = (uint16_t)draw(21) };
	size_t len = make_payload(h.command, bytes + 16), cut;
	bool carries = h.command == CMD_DMA_MAP || h.command == CMD_SET_IRQS || !draw(10);

	h.size = (uint32_t)(16 + len);
	h.flags = draw(6) ? 0 : FLAG_NO_REPLY;
	if (!draw(30))
		h.flags = (uint32_t)draw(64);
	if (!draw(30))
		h.size = (uint32_t)draw_number();
	memcpy(bytes, &h, 16);
	cut = draw(40) ? 16 + len : draw(16 + len + 1);
	if (cut)
		send_some(rig, bytes, cut, fds, carries ? draw(5) : 0);
}

static void swallow(struct rig *rig)
{
	uint8_t bytes[4096];

	while (recv(rig->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void one_client(struct rig *rig, const char *path, const int *fds)
{
	rig->fd = rig_connect(path);
	if (draw(20))
		assert_int_equal(rig_version(rig, 0, 2,
					     draw(2) ? NULL :
						       "{\"capabilities\":{\"max_msg_fds\":8}}"),
				 0);
	for (uint64_t n = draw(MESSAGES); n; n--) {
		send_random(rig, fds);
		if (draw(2))
			rig_pump(rig, 0);
		swallow(rig);
	}
	close(rig->fd);
	rig->fd = -1;
	rig_pump(rig, 0);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void random_clients(void **state)
{
	struct vfk_server_opts opts = { .size = sizeof(opts), .timeout_ms = 2 };
	uint64_t rounds = from_environment("SERVER_RANDOM_ROUNDS", ROUNDS);
	char dir[] = "/tmp/vfiokit-server-XXXXXX", path[64];
	struct probe *probe = probe_open(false);
	struct rig rig;
	int fds[4];
	size_t before;

	(void)state;
	seed = from_environment("SERVER_RANDOM_SEED", 0x2545f4914f6cdd1d);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[1] = memfd_create("client", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fds[1], 0x20000), 0);
	fds[2] = fds[0];
	fds[3] = fds[1];
	rig_listen(&rig, probe->dev, path, &opts);
	before = rig_count_fds();
	for (uint64_t i = 0; i < rounds; i++) {
		one_client(&rig, path, fds);
		assert_int_equal(probe_maps(probe), 0);
		assert_int_equal(rig.result, 0);
	}
	assert_int_equal(rig_count_fds(), before);
	rig.fd = rig_connect(path);
	assert_int_equal(rig_version(&rig, 0, 2, NULL), 0);
	assert_int_equal(rig_ask(&rig, CMD_RESET, NULL, 0), 0);
	rig_close(&rig);
	probe_close(probe);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
