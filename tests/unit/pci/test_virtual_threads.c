/* SPDX-License-Identifier: BSD-3-Clause */
/* test_virtual_threads.c - the processors of a guest all at once on one virtual device. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/pci_regs.h>
#include <vfiokit/vfiokit.h>

#define ROUNDS 200

static struct vfk_pci_virtual *v;
static uint32_t cap, table;
static unsigned int bar;
static atomic_uint told, failed;

static void expect(int ret)
{
	if (ret < 0)
		atomic_fetch_add(&failed, 1);
}

/* The callbacks of one thread ask while others change. */
static void irq_changed(void *arg, uint32_t index, uint32_t num_vectors)
{
	struct vfk_pci_virtual_vector info;

	(void)arg;
	(void)num_vectors;
	(void)vfk_pci_virtual_get_vector(v, index, 0, &info);
	atomic_fetch_add(&told, 1);
}

static void vector_changed(void *arg, uint32_t index, uint32_t vector)
{
	irq_changed(arg, index, vector);
}

static const struct vfk_pci_virtual_ops ops = { .size = sizeof(ops),
						.irq_changed = irq_changed,
						.vector_changed = vector_changed };

static void *enables(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		expect(vfk_pci_virtual_config_write(v, cap + PCI_MSIX_FLAGS, 2,
						    i % 2 ? 0 : PCI_MSIX_FLAGS_ENABLE));
		expect(vfk_pci_virtual_config_write(v, PCI_COMMAND, 2, PCI_COMMAND_MEMORY));
	}
	return arg;
}

static void *masks(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		const uint8_t ctrl[4] = { (uint8_t)(i % 2) };

		expect(vfk_pci_virtual_bar_write(v, bar, table + PCI_MSIX_ENTRY_VECTOR_CTRL, ctrl,
						 sizeof(ctrl)));
	}
	return arg;
}

static void *reads(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t value;
		uint8_t entry[16];

		expect(vfk_pci_virtual_config_read(v, (uint32_t)i % 64 * 4, 4, &value));
		expect(vfk_pci_virtual_bar_read(v, bar, table, entry, sizeof(entry)));
	}
	return arg;
}

static void test_threads(void **state)
{
	static void *(*const fns[])(void *) = { enables, masks, reads };
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts), .ops = &ops };
	struct vfk_device *dev = NULL;
	struct vfk_pci *pci = NULL;
	pthread_t threads[3];
	uint32_t where;

	(void)state;
	assert_int_equal(vfk_device_open("model:testdev", NULL, &dev), 0);
	assert_int_equal(vfk_pci_open(dev, &pci), 0);
	assert_int_equal(vfk_pci_virtual_create(pci, &opts, &v), 0);
	assert_int_equal(vfk_pci_virtual_reset(v), 0);
	assert_int_equal(vfk_pci_virtual_find_cap(v, false, PCI_CAP_ID_MSIX, &cap), 0);
	assert_int_equal(vfk_pci_virtual_config_read(v, cap + PCI_MSIX_TABLE, 4, &where), 0);
	bar = where & PCI_MSIX_TABLE_BIR;
	table = where & PCI_MSIX_TABLE_OFFSET;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fns[i], NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failed, 0);
	assert_true(told >= ROUNDS);
	vfk_pci_virtual_destroy(v);
	vfk_pci_close(pci);
	vfk_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
