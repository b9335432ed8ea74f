/* SPDX-License-Identifier: BSD-3-Clause */
/* test_irq.c - interrupts over the wire: info, arming, masking, and what becomes of descriptors. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTFD_TRIGGER (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE_TRIGGER	(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define BOOL_TRIGGER	(VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER)

struct set {
	uint32_t argsz, flags, index, start, count;
	uint8_t data[64];
};

struct fixture {
	struct probe *probe;
	struct rig rig;
	int efd[PROBE_VECTORS + 2];
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_open(&f.rig, f.probe->dev, NULL);
	for (size_t i = 0; i < PROBE_VECTORS + 2; i++) {
		f.efd[i] = eventfd(0, EFD_CLOEXEC);
		assert_true(f.efd[i] >= 0);
	}
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	probe_close(f->probe);
	for (size_t i = 0; i < PROBE_VECTORS + 2; i++)
		close(f->efd[i]);
	return 0;
}

static int set_irqs(struct fixture *f, uint32_t flags, uint32_t index, uint32_t start,
		    uint32_t count, size_t data, const int *fds, size_t nfds)
{
	struct set s = { .argsz = (uint32_t)(20 + data),
			 .flags = flags,
			 .index = index,
			 .start = start,
			 .count = count };

	memset(s.data, 1, data);
	return rig_ask_fds(&f->rig, CMD_SET_IRQS, &s, 20 + data, fds, nfds);
}

/* Whether what the device has for a vector is our eventfd. */
static bool is_armed(struct fixture *f, uint32_t index, uint32_t vector, int efd)
{
	uint64_t one = 1, count = 0;
	int fd = f->probe->irq_fd[index][vector];

	if (fd < 0)
		return false;
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(efd, &count, sizeof(count)), sizeof(count));
	return count == 1;
}

static void info(void **state)
{
	struct fixture *f = *state;
	uint32_t in[4] = { 16, 0, 1, 0 }, out[4];

	assert_int_equal(rig_ask(&f->rig, CMD_IRQ_INFO, in, sizeof(in)), 0);
	assert_int_equal(f->rig.msg.len, 16);
	memcpy(out, f->rig.msg.payload, 16);
	assert_int_equal(out[0], 16);
	assert_int_equal(out[1], VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE);
	assert_int_equal(out[2], 1);
	assert_int_equal(out[3], PROBE_VECTORS);
	in[2] = 3;
	assert_int_equal(rig_ask(&f->rig, CMD_IRQ_INFO, in, sizeof(in)), EINVAL);
	in[2] = 0;
	in[0] = 8;
	assert_int_equal(rig_ask(&f->rig, CMD_IRQ_INFO, in, sizeof(in)), EINVAL);
}

static void arm_and_disarm(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 4, 0, f->efd, 4), 0);
	assert_int_equal(f->rig.msg.len, 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(is_armed(f, 1, i, f->efd[i]));
	assert_false(is_armed(f, 1, 4, f->efd[4]));
	/* No descriptors: taken away. */
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 1, 2, 0, NULL, 0), 0);
	assert_true(is_armed(f, 1, 0, f->efd[0]));
	assert_false(is_armed(f, 1, 1, f->efd[1]));
	assert_true(is_armed(f, 1, 3, f->efd[3]));
	assert_int_equal(set_irqs(f, NONE_TRIGGER, 1, 0, 0, 0, NULL, 0), 0);
	assert_false(is_armed(f, 1, 0, f->efd[0]));
}

static void mask_and_trigger(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 0, 0, 1, 0, f->efd, 1), 0);
	assert_int_equal(set_irqs(f, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 0, 1, 0,
				  NULL, 0),
			 0);
	assert_int_equal(f->probe->masks, 1);
	assert_int_equal(set_irqs(f, NONE_TRIGGER, 0, 0, 1, 0, NULL, 0), 0);
	assert_int_equal(set_irqs(f, BOOL_TRIGGER, 0, 0, 1, 1, NULL, 0), 0);
	assert_int_equal(f->probe->triggers, 2);
	assert_int_equal(set_irqs(f, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 1, 0, 1, 0,
				  NULL, 0),
			 ENOTSUP);
}

static void wrong_numbers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 3, 0, 1, 0, f->efd, 1), EINVAL);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 2, 0, 1, 0, f->efd, 1), EINVAL);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, PROBE_VECTORS, 1, 0, f->efd, 1), EINVAL);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 1, PROBE_VECTORS, 0, f->efd,
				  PROBE_VECTORS),
			 EINVAL);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, UINT32_MAX, 2, 0, f->efd, 2), EINVAL);
	assert_int_equal(set_irqs(f, VFIO_IRQ_SET_DATA_EVENTFD, 1, 0, 1, 0, f->efd, 1), EINVAL);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER | VFIO_IRQ_SET_ACTION_MASK, 1, 0, 1, 0, f->efd,
				  1),
			 EINVAL);
	assert_int_equal(set_irqs(f, NONE_TRIGGER | 0x40, 1, 0, 1, 0, NULL, 0), EINVAL);
	for (uint32_t i = 0; i < PROBE_VECTORS; i++)
		assert_int_equal(f->probe->irq_fd[1][i], -1);
}

static void descriptors_are_not_count(void **state)
{
	struct fixture *f = *state;
	struct set s = { .argsz = 20, .flags = EVENTFD_TRIGGER, .index = 1, .count = 3 };

	rig_command(&f->rig, CMD_SET_IRQS, 0, &s, 20, f->efd, 2);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->rig.disconnected, 1);
	assert_int_equal(f->probe->irq_fd[1][0], -1);
}

static void no_eventfds(void **state)
{
	struct fixture *f = *state;
	int fds[2] = { f->efd[0], -1 }, ends[2];

	fds[1] = f->probe->memfd;
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 2, 0, fds, 2), EINVAL);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[1] = ends[1];
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 2, 0, fds, 2), EINVAL);
	close(ends[0]);
	close(ends[1]);
	/* All or none. */
	assert_false(is_armed(f, 1, 0, f->efd[0]));
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
}

static void fewer_vectors(void **state)
{
	struct fixture *f = *state;

	f->probe->irq_result = 2;
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 4, 0, f->efd, 4), ENOSPC);
	rig_close(&f->rig);
	rig_pair(&f->rig, f->probe->dev, NULL);
	assert_int_equal(
		rig_version(
			&f->rig, 0, 2,
			"{\"capabilities\":{\"max_msg_fds\":16,\"vfiokit\":{\"irq_count\":true}}}"),
		0);
	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 4, 0, f->efd, 4), 0);
	assert_int_equal(f->rig.msg.len, 8);
	assert_int_equal(f->rig.msg.payload[4], 2);
}

static void nothing_leaks(void **state)
{
	struct fixture *f = *state;
	int fds[2] = { f->efd[0], f->probe->memfd };
	size_t before;

	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 8, 0, f->efd, 8), 0);
	before = rig_count_fds();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 8, 0, f->efd, 8), 0);
		assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 2, 0, fds, 2), EINVAL);
		assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 3, 0, 2, 0, f->efd, 2), EINVAL);
	}
	assert_int_equal(rig_count_fds(), before);
}

/* Posted, and wrong: no answer, no leak. */
static void silent_failure(void **state)
{
	struct fixture *f = *state;
	struct set s = { .argsz = 20, .flags = EVENTFD_TRIGGER, .index = 9, .count = 2 };
	size_t before = rig_count_fds();

	rig_command(&f->rig, CMD_SET_IRQS, FLAG_NO_REPLY, &s, 20, f->efd, 2);
	assert_true(rig_silent(&f->rig));
	assert_int_equal(rig_count_fds(), before);
}

static void gone_with_the_client(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(set_irqs(f, EVENTFD_TRIGGER, 1, 0, 8, 0, f->efd, 8), 0);
	close(f->rig.fd);
	f->rig.fd = -1;
	rig_pump(&f->rig, 0);
	assert_int_equal(f->rig.disconnected, 1);
	for (uint32_t i = 0; i < PROBE_VECTORS; i++)
		assert_int_equal(f->probe->irq_fd[1][i], -1);
	assert_int_equal(f->rig.result, -ENOTCONN);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(info),
		CASE(arm_and_disarm),
		CASE(mask_and_trigger),
		CASE(wrong_numbers),
		CASE(descriptors_are_not_count),
		CASE(no_eventfds),
		CASE(fewer_vectors),
		CASE(nothing_leaks),
		CASE(silent_failure),
		CASE(gone_with_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
