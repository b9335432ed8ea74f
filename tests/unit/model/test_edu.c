/* SPDX-License-Identifier: BSD-3-Clause */
/* test_edu.c - the edu model, register for register. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

#define RW     (VFK_DMA_READ | VFK_DMA_WRITE)
#define PAGE   4096u
#define IOVA   0x100000u
#define BUFFER 0x40000u

#define LIVENESS  0x04
#define FACTORIAL 0x08
#define STATUS	  0x20
#define IRQ	  0x24
#define RAISE	  0x60
#define ACK	  0x64
#define SRC	  0x80
#define DST	  0x88
#define COUNT	  0x90
#define CMD	  0x98

static uint8_t memory[2 * PAGE] __attribute__((aligned(4096)));

static uint64_t get(struct vfk_io *io, uint64_t reg)
{
	return rig_get(io, 0, reg, 4);
}

static void put(struct vfk_io *io, uint64_t reg, uint32_t value)
{
	rig_put(io, 0, reg, 4, value);
}

static void dma(struct vfk_io *io, uint64_t src, uint64_t dst, uint64_t count, uint64_t cmd)
{
	rig_put(io, 0, SRC, 8, src);
	rig_put(io, 0, DST, 8, dst);
	rig_put(io, 0, COUNT, 8, count);
	rig_put(io, 0, CMD, 8, cmd);
}

static struct vfk_io *open_edu(const char *uri)
{
	struct vfk_io *io = rig_open(uri, 0);

	rig_command(io, PCI_COMMAND_MASTER, 0);
	assert_int_equal(rig_map(io, IOVA, memory, sizeof(memory), RW), 0);
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(i * 31 + i / 256);
	return io;
}

static void test_identity(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	unsigned int msi = rig_cap(io, PCI_CAP_ID_MSI);

	(void)state;
	assert_int_equal(rig_get(io, CONFIG, PCI_VENDOR_ID, 4), 0x11e81234);
	assert_int_equal(rig_get(io, CONFIG, PCI_CLASS_REVISION, 4), 0x00ff0010);
	assert_int_equal(rig_get(io, CONFIG, PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(rig_get(io, CONFIG, msi + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT);
	assert_int_equal(get(io, 0), 0x010000ed);
	put(io, 0, 0xffffffff);
	assert_int_equal(get(io, 0), 0x010000ed);
	put(io, LIVENESS, 0x12345678);
	assert_int_equal(get(io, LIVENESS), 0xedcba987);
	rig_close(io);
}

static void test_sizes(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	uint8_t small[2], bulk[0x60];
	uint32_t id;

	(void)state;
	assert_int_equal(rig_read(io, 0, 0, small, 2), -EINVAL);
	assert_int_equal(rig_write(io, 0, LIVENESS, small, 1), -EINVAL);
	assert_int_equal(rig_get(io, 0, 0, 8), UINT64_MAX);
	rig_put(io, 0, 0, 8, 0);
	put(io, LIVENESS, 0x0f0f0f0f);
	rig_put(io, 0, LIVENESS - 4, 8, 0x1111111111111111);
	assert_int_equal(get(io, LIVENESS), 0xf0f0f0f0);
	rig_put(io, 0, SRC, 8, 0x1122334455667788);
	assert_int_equal(rig_get(io, 0, SRC, 8), 0x1122334455667788);
	assert_int_equal(get(io, SRC), 0x55667788);
	assert_int_equal(get(io, SRC + 4), 0xffffffff); /* no register */
	put(io, SRC, 1);
	assert_int_equal(rig_get(io, 0, SRC, 8), 1);
	assert_int_equal(get(io, 0x40), 0xffffffff);
	assert_int_equal(get(io, 0xffffc), 0xffffffff);
	/* A dump is a series of 4-byte accesses. */
	assert_int_equal(rig_read(io, 0, 0, bulk, sizeof(bulk)), sizeof(bulk));
	memcpy(&id, bulk, 4);
	assert_int_equal(id, 0x010000ed);
	memcpy(&id, bulk + LIVENESS, 4);
	assert_int_equal(id, 0xf0f0f0f0);
	rig_close(io);
}

static uint32_t factorial(uint32_t n)
{
	return n ? n * factorial(n - 1) : 1;
}

static void test_factorial(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	const uint32_t large[] = { 100, 0x80000000, 0xffffffff };

	(void)state;
	for (uint32_t n = 0; n < 40; n++) {
		put(io, FACTORIAL, n);
		assert_int_equal(get(io, STATUS), 0);
		assert_int_equal(get(io, FACTORIAL), factorial(n));
	}
	for (unsigned int i = 0; i < 3; i++) {
		put(io, FACTORIAL, large[i]);
		assert_int_equal(get(io, FACTORIAL), 0);
	}
	put(io, FACTORIAL, 10);
	assert_int_equal(get(io, FACTORIAL), 3628800);
	assert_int_equal(get(io, IRQ), 0);
	put(io, STATUS, 0xffffffff);
	assert_int_equal(get(io, STATUS), 0x80); /* bit 0 is read-only */
	rig_close(io);
}

static void test_intx(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	put(io, RAISE, 0x30);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(get(io, IRQ), 0x30);
	put(io, STATUS, 0x80);
	put(io, FACTORIAL, 5);
	assert_int_equal(get(io, IRQ), 0x31);
	assert_int_equal(rig_signals(fd), 0); /* asserted already, and masked */
	put(io, ACK, 0x30);
	assert_int_equal(get(io, IRQ), 1);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fd), 1); /* still asserted */
	put(io, ACK, 0xffffffff);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fd), 0);
	put(io, RAISE, 0);
	assert_int_equal(rig_signals(fd), 0);
	rig_close(io);
	close(fd);
}

static void test_msi(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, MSI, 0, 1, &fd), 0);
	put(io, RAISE, 1);
	put(io, RAISE, 2);
	assert_int_equal(rig_signals(fd), 2);
	assert_int_equal(get(io, IRQ), 3);
	put(io, STATUS, 0x80);
	put(io, FACTORIAL, 3);
	assert_int_equal(rig_signals(fd), 1);
	put(io, ACK, 3);
	assert_int_equal(rig_signals(fd), 0);
	rig_close(io);
	close(fd);
}

static void test_dma(void **state)
{
	struct vfk_io *io = open_edu("model:edu");

	(void)state;
	dma(io, IOVA, BUFFER, PAGE, 1);
	assert_int_equal(rig_get(io, 0, CMD, 8), 0);
	assert_memory_not_equal(memory, memory + PAGE, PAGE);
	dma(io, BUFFER, IOVA + PAGE, PAGE, 3);
	assert_int_equal(rig_get(io, 0, CMD, 8), 2);
	assert_memory_equal(memory, memory + PAGE, PAGE);
	assert_int_equal(get(io, IRQ), 0);
	/* Part of it, somewhere inside. */
	memset(memory + PAGE, 0, PAGE);
	dma(io, IOVA + 1, BUFFER + PAGE - 3, 3, 1);
	dma(io, BUFFER + PAGE - 3, IOVA + PAGE + 9, 3, 3 | 4);
	assert_memory_equal(memory + 1, memory + PAGE + 9, 3);
	assert_int_equal(memory[PAGE + 8], 0);
	assert_int_equal(memory[PAGE + 12], 0);
	assert_int_equal(get(io, IRQ), 0x100);
	/* A command without its start bit is none. */
	dma(io, BUFFER, IOVA, PAGE, 2);
	assert_int_equal(rig_get(io, 0, CMD, 8), 6);
	rig_close(io);
}

/* A transfer that cannot be made ends like every other, and moves nothing. */
static void test_bad_dma(void **state)
{
	static const struct {
		uint64_t own, other, count;
	} bad[] = {
		{ BUFFER, IOVA, PAGE + 1 },
		{ BUFFER + 1, IOVA, PAGE },
		{ BUFFER - 1, IOVA, 1 },
		{ BUFFER + PAGE, IOVA, 1 },
		{ BUFFER, IOVA, UINT64_MAX },
		{ UINT64_MAX, IOVA, 2 },
		{ BUFFER, IOVA + 2 * PAGE - 4, 8 },
		{ BUFFER, 0x4000, 8 },
		{ BUFFER + 16, UINT64_MAX, PAGE - 16 },
		{ BUFFER, IOVA, 0 },
	};
	uint8_t expected[2 * PAGE];
	struct vfk_io *io = open_edu("model:edu");

	(void)state;
	dma(io, IOVA, BUFFER, PAGE, 1);
	memcpy(expected, memory, PAGE);
	memset(memory, 0, sizeof(memory));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		dma(io, bad[i].other, bad[i].own, bad[i].count, 1 | 4);
		assert_int_equal(rig_get(io, 0, CMD, 8), 4);
		assert_int_equal(get(io, IRQ), 0x100);
		put(io, ACK, 0x100);
		dma(io, bad[i].own, bad[i].other, bad[i].count, 1 | 2 | 4);
		assert_int_equal(rig_get(io, 0, CMD, 8), 6);
		put(io, ACK, 0x100);
		for (size_t k = 0; k < sizeof(memory); k++)
			assert_int_equal(memory[k], 0);
	}
	rig_command(io, 0, PCI_COMMAND_MASTER);
	dma(io, BUFFER, IOVA, PAGE, 3);
	assert_int_equal(memory[5], 0);
	rig_command(io, PCI_COMMAND_MASTER, 0);
	dma(io, BUFFER, IOVA, PAGE, 3);
	assert_memory_equal(memory, expected, PAGE); /* the buffer is as it was */
	rig_close(io);
}

static void test_mask(void **state)
{
	struct vfk_io *io = open_edu("model:edu"); /* 28 bits */

	(void)state;
	dma(io, 0xabcd00000000 + 0xf0000000 + IOVA, BUFFER, 16, 1);
	dma(io, BUFFER, 0x10000000 + IOVA + PAGE, 16, 3);
	assert_memory_equal(memory, memory + PAGE, 16);
	rig_close(io);

	io = open_edu("model:edu,dma_mask=0xffffffffffffffff");
	memset(memory + PAGE, 0, 16);
	dma(io, IOVA, BUFFER, 16, 1);
	dma(io, BUFFER, 0x10000000 + IOVA + PAGE, 16, 3);
	assert_int_equal(memory[PAGE + 5], 0);
	assert_int_equal(rig_map(io, 0xffffffff00000000, memory + PAGE, PAGE, RW), 0);
	dma(io, BUFFER, 0xffffffff00000000, 16, 3);
	assert_memory_equal(memory, memory + PAGE, 16);
	rig_close(io);
}

static void test_reset(void **state)
{
	struct vfk_io *io = open_edu("model:edu");
	int fd = rig_eventfd();

	(void)state;
	assert_int_equal(rig_arm(io, INTX, 0, 1, &fd), 0);
	put(io, LIVENESS, 5);
	put(io, STATUS, 0x80);
	put(io, FACTORIAL, 4);
	dma(io, IOVA, BUFFER, PAGE, 1);
	assert_int_equal(rig_signals(fd), 1);
	assert_int_equal(io->ops->reset(io), 0);
	for (uint64_t reg = LIVENESS; reg <= CMD; reg += 4) {
		if (reg <= FACTORIAL || reg == STATUS || reg == IRQ || (reg >= SRC && !(reg % 8)))
			assert_int_equal(get(io, reg), 0);
	}
	dma(io, BUFFER, IOVA, PAGE,
	    3); /* bus mastering and the mapping stayed, the buffer did not */
	for (unsigned int i = 0; i < PAGE; i++)
		assert_int_equal(memory[i], 0);
	assert_int_equal(rig_irqs(io, INTX, UNMASK | NO_DATA, 0, 1, NULL), 0);
	assert_int_equal(rig_signals(fd), 0);
	put(io, RAISE, 1);
	assert_int_equal(rig_signals(fd), 1);
	rig_close(io);
	close(fd);
}

static void latency(uint32_t flags)
{
	struct vfk_io *io = rig_open("model:edu,latency=30", flags);
	struct vfk_io *dispatched = flags ? io : NULL;
	int fd = rig_eventfd();
	uint64_t began;

	rig_command(io, PCI_COMMAND_MASTER, 0);
	assert_int_equal(rig_map(io, IOVA, memory, sizeof(memory), RW), 0);
	assert_int_equal(rig_arm(io, MSI, 0, 1, &fd), 0);
	put(io, STATUS, 0x80);
	began = rig_now_ms();
	put(io, FACTORIAL, 10);
	assert_int_equal(get(io, STATUS), 0x81);
	put(io, FACTORIAL, 4); /* computing: not taken */
	assert_int_equal(rig_wait(dispatched, fd, 5000), 1);
	assert_true(rig_now_ms() - began >= 29);
	assert_int_equal(get(io, STATUS), 0x80);
	assert_int_equal(get(io, FACTORIAL), 3628800);
	memset(memory, 0x5a, PAGE);
	memset(memory + PAGE, 0, PAGE);
	dma(io, IOVA, BUFFER, PAGE, 1 | 4);
	rig_put(io, 0, COUNT, 8, 1); /* busy: not taken */
	assert_int_equal(rig_get(io, 0, COUNT, 8), PAGE);
	assert_int_equal(rig_get(io, 0, CMD, 8), 5);
	assert_int_equal(rig_wait(dispatched, fd, 5000), 1);
	dma(io, BUFFER, IOVA + PAGE, PAGE, 1 | 2 | 4);
	assert_int_equal(rig_wait(dispatched, fd, 5000), 1);
	assert_memory_equal(memory, memory + PAGE, PAGE);
	put(io, FACTORIAL, 3);
	assert_int_equal(io->ops->reset(io), 0);
	assert_int_equal(rig_wait(dispatched, fd, 60), 0);
	put(io, FACTORIAL, 3); /* under way at close */
	rig_close(io);
	close(fd);
}

static void test_latency_by_dispatch(void **state)
{
	(void)state;
	latency(VFK_OPEN_DISPATCH);
}

static void test_latency_by_worker(void **state)
{
	(void)state;
	latency(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_factorial),
		cmocka_unit_test(test_intx),
		cmocka_unit_test(test_msi),
		cmocka_unit_test(test_dma),
		cmocka_unit_test(test_bad_dma),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_latency_by_dispatch),
		cmocka_unit_test(test_latency_by_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
