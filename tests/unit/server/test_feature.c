/* SPDX-License-Identifier: BSD-3-Clause */
/* test_feature.c - DEVICE_FEATURE and migration data over the wire. */
#include "probe.h"
#include "rig.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define GET   VFIO_DEVICE_FEATURE_GET
#define SET   VFIO_DEVICE_FEATURE_SET
#define PROBE VFIO_DEVICE_FEATURE_PROBE

struct feature {
	uint32_t argsz, flags;
	uint32_t data[8];
};

struct fixture {
	struct probe *probe;
	struct rig rig;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.probe = probe_open(false);
	rig_open(&f.rig, f.probe->dev, NULL);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rig_close(&f->rig);
	probe_close(f->probe);
	return 0;
}

/* @data: bytes behind the 8 of the header in the request. */
static int feature(struct fixture *f, uint32_t argsz, uint32_t flags, uint32_t value, size_t data)
{
	struct feature in = { .argsz = argsz, .flags = flags, .data = { value } };

	return rig_ask(&f->rig, CMD_FEATURE, &in, 8 + data);
}

static void get_migration(void **state)
{
	struct fixture *f = *state;
	struct feature out;

	assert_int_equal(feature(f, 16, GET | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), 0);
	assert_int_equal(f->rig.msg.len, 16);
	memcpy(&out, f->rig.msg.payload, 16);
	assert_int_equal(out.argsz, 16);
	assert_int_equal(out.flags, GET | VFIO_DEVICE_FEATURE_MIGRATION);
	assert_int_equal(out.data[0], VFIO_MIGRATION_STOP_COPY);
	assert_int_equal(out.data[1], 0);
}

static void probing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feature(f, 8, PROBE | GET | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), 0);
	assert_int_equal(f->rig.msg.len, 8);
	assert_int_equal(feature(f, 8, PROBE | SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, 0, 0),
			 ENOTSUP);
}

static void state_without_descriptor(void **state)
{
	struct fixture *f = *state;
	struct feature out;

	assert_int_equal(feature(f, 16, SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
				 VFIO_DEVICE_STATE_STOP, 8),
			 0);
	assert_int_equal(f->probe->mig_state, VFIO_DEVICE_STATE_STOP);
	assert_int_equal(feature(f, 16, GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, 0, 0), 0);
	memcpy(&out, f->rig.msg.payload, 16);
	assert_int_equal(out.data[0], VFIO_DEVICE_STATE_STOP);
	assert_int_equal((int32_t)out.data[1], -1);
	assert_int_equal(f->rig.msg.nfds, 0);
}

static void unknown_features(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feature(f, 40, GET | 0xffff, 0, 0), ENOTSUP);
	assert_int_equal(feature(f, 40, GET | 0x100, 0, 0), ENOTSUP);
	/* Known to the library, and not for peers. */
	assert_int_equal(feature(f, 24, SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, 0, 16), ENOTSUP);
}

static void wrong_flags(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(feature(f, 16, VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), EINVAL);
	assert_int_equal(feature(f, 16, GET | SET | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), EINVAL);
	assert_int_equal(feature(f, 16, GET | 1u << 19 | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0),
			 EINVAL);
	assert_int_equal(feature(f, 8, GET | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), EINVAL);
	assert_int_equal(feature(f, 0, GET | VFIO_DEVICE_FEATURE_MIGRATION, 0, 0), EINVAL);
}

static void data_of_wrong_length(void **state)
{
	struct fixture *f = *state;
	struct feature in = { 16, SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, { 1 } };

	rig_command(&f->rig, CMD_FEATURE, 0, &in, 8 + 4, NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->mig_state, 0);
}

/* Pointers of the kernel's form are made here, from what stands inline in the message. */
static void logging_start(void **state)
{
	struct fixture *f = *state;
	uint64_t in[7] = { 0, 4096, 2, 0x1000, 0x2000, 0x100000, 0x4000 };
	uint32_t head[2] = { sizeof(in), SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START };

	memcpy(in, head, sizeof(head));
	assert_int_equal(rig_ask(&f->rig, CMD_FEATURE, in, sizeof(in)), 0);
	assert_int_equal(f->probe->num_logged, 2);
	assert_int_equal(f->probe->logged[0].iova, 0x1000);
	assert_int_equal(f->probe->logged[0].length, 0x2000);
	assert_int_equal(f->probe->logged[1].iova, 0x100000);
	assert_int_equal(f->probe->logged[1].length, 0x4000);
	assert_int_equal(f->rig.msg.len, sizeof(in));
	/* A range that wraps. */
	in[5] = UINT64_MAX - 4095;
	in[6] = 8192;
	assert_int_equal(rig_ask(&f->rig, CMD_FEATURE, in, sizeof(in)), EINVAL);
	assert_int_equal(f->probe->logged[1].iova, 0x100000);
}

static void logging_start_lies(void **state)
{
	struct fixture *f = *state;
	uint64_t in[5] = { 0, 4096, 1000, 0x1000, 0x2000 };
	uint32_t head[2] = { sizeof(in), SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START };

	memcpy(in, head, sizeof(head));
	rig_command(&f->rig, CMD_FEATURE, 0, in, sizeof(in), NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->num_logged, 0);
}

static void logging_report(void **state)
{
	struct fixture *f = *state;
	uint64_t in[4] = { 0, 0x10000, 100 * 4096, 4096 };
	uint32_t head[2] = { 8 + 24 + 16, GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT };
	uint64_t bitmap[2];

	memcpy(in, head, sizeof(head));
	assert_int_equal(rig_ask(&f->rig, CMD_FEATURE, in, sizeof(in)), 0);
	assert_int_equal(f->rig.msg.len, 8 + 24 + 16);
	memcpy(bitmap, f->rig.msg.payload + 32, sizeof(bitmap));
	for (unsigned int page = 0; page < 128; page++)
		assert_int_equal(bitmap[page / 64] >> page % 64 & 1, page < 100 && page % 3 == 0);
	/* No room for the bitmap. */
	in[0]--;
	assert_int_equal(rig_ask(&f->rig, CMD_FEATURE, in, sizeof(in)), EINVAL);
}

/* A bitmap is the client's to ask for, and ours to bound. */
static void logging_report_of_everything(void **state)
{
	struct fixture *f = *state;
	uint64_t in[4] = { 0, 0, UINT64_MAX & ~4095ull, 4096 };
	uint32_t head[2] = { UINT32_MAX, GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT };

	memcpy(in, head, sizeof(head));
	assert_int_equal(rig_ask(&f->rig, CMD_FEATURE, in, sizeof(in)), E2BIG);
	assert_int_equal(rig_ask(&f->rig, CMD_RESET, NULL, 0), 0);
}

static void migration_data(void **state)
{
	struct fixture *f = *state;
	uint32_t head[2] = { 8 + 25, 25 };
	uint8_t p[8 + 25], data[25];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(200 + i);
	memcpy(p, head, 8);
	memcpy(p + 8, data, sizeof(data));
	assert_int_equal(rig_ask(&f->rig, CMD_MIG_WRITE, p, sizeof(p)), 0);
	assert_int_equal(f->probe->stream_len, 25);
	assert_memory_equal(f->probe->stream, data, sizeof(data));
	head[0] = 8 + 20;
	head[1] = 20;
	assert_int_equal(rig_ask(&f->rig, CMD_MIG_READ, head, 8), 0);
	assert_int_equal(f->rig.msg.len, 8 + 20);
	assert_memory_equal(f->rig.msg.payload + 8, data, 20);
	/* Short: the end. */
	assert_int_equal(rig_ask(&f->rig, CMD_MIG_READ, head, 8), 0);
	assert_int_equal(f->rig.msg.len, 8 + 5);
	memcpy(head, f->rig.msg.payload, 8);
	assert_int_equal(head[1], 5);
	assert_memory_equal(f->rig.msg.payload + 8, data + 20, 5);
}

static void migration_data_limits(void **state)
{
	struct fixture *f = *state;
	uint32_t head[2] = { 8, 0 };

	assert_int_equal(rig_ask(&f->rig, CMD_MIG_READ, head, 8), EINVAL);
	head[1] = UINT32_MAX;
	assert_int_equal(rig_ask(&f->rig, CMD_MIG_READ, head, 8), EINVAL);
	head[1] = 5;
	rig_command(&f->rig, CMD_MIG_WRITE, 0, head, 8, NULL, 0);
	assert_true(rig_closed(&f->rig));
	assert_int_equal(f->probe->stream_len, 0);
}

static void precopy_info(void **state)
{
	struct fixture *f = *state;
	uint32_t in[2] = { 24, 0 };

	assert_int_equal(rig_ask(&f->rig, CMD_PRECOPY, in, 8), ENOTSUP);
	in[0] = 8;
	assert_int_equal(rig_ask(&f->rig, CMD_PRECOPY, in, 8), EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(get_migration),
		CASE(probing),
		CASE(state_without_descriptor),
		CASE(unknown_features),
		CASE(wrong_flags),
		CASE(data_of_wrong_length),
		CASE(logging_start),
		CASE(logging_start_lies),
		CASE(logging_report),
		CASE(logging_report_of_everything),
		CASE(migration_data),
		CASE(migration_data_limits),
		CASE(precopy_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
