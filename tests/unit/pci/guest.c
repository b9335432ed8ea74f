/* SPDX-License-Identifier: BSD-3-Clause */
/* guest.c - see guest.h. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "guest.h"

static void note(struct guest *g, char what, uint32_t index, uint64_t value)
{
	assert_true(g->num_events < GUEST_LOG);
	g->events[g->num_events++] = (struct guest_event){ what, index, value };
}

static void irq_changed(void *arg, uint32_t index, uint32_t num_vectors)
{
	note(arg, 'i', index, num_vectors);
}

static void vector_changed(void *arg, uint32_t index, uint32_t vector)
{
	struct guest *g = arg;
	struct vfk_pci_virtual_vector info;

	/* No lock is held: it can be asked for here. */
	assert_int_equal(vfk_pci_virtual_get_vector(g->v, index, vector, &info), 0);
	note(g, 'v', index, vector);
}

static void bar_changed(void *arg, unsigned int bar, uint64_t address)
{
	struct guest *g = arg;
	struct vfk_pci_virtual_bar info;

	assert_int_equal(vfk_pci_virtual_get_bar(g->v, bar, &info), 0);
	assert_int_equal(info.address, address);
	note(g, 'b', bar, address);
}

static void power_changed(void *arg, unsigned int state)
{
	note(arg, 'p', 0, state);
}

static const struct vfk_pci_virtual_ops ops = {
	.size = sizeof(ops),
	.irq_changed = irq_changed,
	.vector_changed = vector_changed,
	.bar_changed = bar_changed,
	.power_changed = power_changed,
};

void guest_create(struct guest *g, struct puppet_pci *p, const struct vfk_pci_virtual_opts *opts)
{
	struct vfk_pci_virtual_opts full = { .size = sizeof(full) };

	memset(g, 0, sizeof(*g));
	if (opts)
		full = *opts;
	full.ops = &ops;
	full.arg = g;
	g->pci = pp_open(p);
	assert_int_equal(vfk_pci_virtual_create(g->pci, &full, &g->v), 0);
	assert_int_equal(g->num_events, 0);
}

void guest_begin(struct guest *g, struct puppet_pci *p, const struct vfk_pci_virtual_opts *opts)
{
	guest_create(g, p, opts);
	assert_int_equal(vfk_pci_virtual_reset(g->v), 0);
	guest_forget(g, p);
}

void guest_end(struct guest *g)
{
	size_t told = g->num_events;

	vfk_pci_virtual_destroy(g->v);
	assert_int_equal(g->num_events, told);
	pp_close(g->pci);
}

uint32_t guest_get(struct guest *g, uint32_t off, unsigned int width)
{
	uint32_t value = 0;

	assert_int_equal(vfk_pci_virtual_config_read(g->v, off, width, &value), 0);
	return value;
}

void guest_put(struct guest *g, uint32_t off, unsigned int width, uint32_t value)
{
	assert_int_equal(vfk_pci_virtual_config_write(g->v, off, width, value), 0);
}

uint64_t guest_bar_get(struct guest *g, unsigned int bar, uint64_t off, unsigned int width)
{
	uint64_t le = 0;

	assert_int_equal(vfk_pci_virtual_bar_read(g->v, bar, off, &le, width), 0);
	return le64toh(le);
}

void guest_bar_put(struct guest *g, unsigned int bar, uint64_t off, unsigned int width,
		   uint64_t value)
{
	uint64_t le = htole64(value);

	assert_int_equal(vfk_pci_virtual_bar_write(g->v, bar, off, &le, width), 0);
}

void guest_forget(struct guest *g, struct puppet_pci *p)
{
	g->num_events = 0;
	pp_forget(p);
}

void guest_told(const struct guest *g, size_t n, char what, uint32_t index, uint64_t value)
{
	assert_true(n < g->num_events);
	assert_int_equal(g->events[n].what, what);
	assert_int_equal(g->events[n].index, index);
	assert_int_equal(g->events[n].value, value);
}

static void bar(struct puppet_pci *p, unsigned int n, uint64_t size, uint32_t type)
{
	p->regions[n].size = size;
	p->regions[n].flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	pp_set32(p, PCI_BASE_ADDRESS_0 + 4 * n, type);
}

/*
 * BAR0 64 KiB; BAR1 256 bytes of I/O; BAR2 1 MiB, 64 bits, prefetchable, with an MSI-X table of 8 entries at 0x2000 and its
 * PBA at 0x3000; MSI with 4 vectors, 64 bits and masks; power management with D1; a PCI Express endpoint with FLR; INTx.
 */
void guest_device(struct puppet_pci *p)
{
	bar(p, 0, 0x10000, 0);
	bar(p, 1, 0x100, PCI_BASE_ADDRESS_SPACE_IO);
	bar(p, 2, 0x100000, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	p->config[PCI_INTERRUPT_PIN] = 1;
	memset(p->writable + PCI_COMMAND, 0xff, 2);
	pp_cap(p, GUEST_PM, PCI_CAP_ID_PM);
	pp_set16(p, GUEST_PM + PCI_PM_PMC, 3 | PCI_PM_CAP_D1);
	p->writable[GUEST_PM + PCI_PM_CTRL] = PCI_PM_CTRL_STATE_MASK;
	pp_cap(p, GUEST_MSI, PCI_CAP_ID_MSI);
	pp_set16(p, GUEST_MSI + PCI_MSI_FLAGS,
		 2 << 1 | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT);
	pp_cap(p, GUEST_EXP, PCI_CAP_ID_EXP);
	pp_set16(p, GUEST_EXP + PCI_EXP_FLAGS, 2);
	pp_set32(p, GUEST_EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
	pp_set32(p, GUEST_EXP + PCI_EXP_LNKCAP, 0x00000143);
	pp_set16(p, GUEST_EXP + PCI_EXP_LNKSTA, 0x0043);
	pp_cap(p, GUEST_MSIX, PCI_CAP_ID_MSIX);
	pp_set16(p, GUEST_MSIX + PCI_MSIX_FLAGS, 7);
	pp_set32(p, GUEST_MSIX + PCI_MSIX_TABLE, 0x2000 | 2);
	pp_set32(p, GUEST_MSIX + PCI_MSIX_PBA, 0x3000 | 2);
	p->irqs[VFIO_PCI_INTX_IRQ_INDEX].count = 1;
	p->irqs[VFIO_PCI_INTX_IRQ_INDEX].flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
						 VFIO_IRQ_INFO_AUTOMASKED;
	p->irqs[VFIO_PCI_MSI_IRQ_INDEX].count = 4;
	p->irqs[VFIO_PCI_MSI_IRQ_INDEX].flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	p->irqs[VFIO_PCI_MSIX_IRQ_INDEX].count = 8;
	p->irqs[VFIO_PCI_MSIX_IRQ_INDEX].flags = VFIO_IRQ_INFO_EVENTFD;
}
