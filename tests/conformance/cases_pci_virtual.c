/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_pci_virtual.c - the device as a guest sees it: true to the device where it should be, and sane in any case. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "engine.h"

struct guest {
	struct vfk_pci *pci;
	struct vfk_pci_virtual *v;
};

static void begin(struct t *t, struct guest *g, const struct vfk_pci_virtual_opts *opts)
{
	case_need_pci(t);
	CHECK_OK(t, vfk_pci_open(t->dev, &g->pci));
	CHECK_OK(t, vfk_pci_virtual_create(g->pci, opts, &g->v));
	CHECK_OK(t, vfk_pci_virtual_reset(g->v));
}

static void end(struct guest *g)
{
	vfk_pci_virtual_destroy(g->v);
	vfk_pci_close(g->pci);
}

static uint32_t get(struct t *t, struct guest *g, uint32_t off, unsigned int width)
{
	uint32_t value = 0;

	CHECK_OK(t, vfk_pci_virtual_config_read(g->v, off, width, &value));
	return value;
}

static void put(struct t *t, struct guest *g, uint32_t off, unsigned int width, uint32_t value)
{
	CHECK_OK(t, vfk_pci_virtual_config_write(g->v, off, width, value));
}

/* ---- config space ---- */

static void virtual_ids(struct t *t)
{
	struct guest g;

	begin(t, &g, NULL);
	CHECK_EQ(t, get(t, &g, PCI_VENDOR_ID, 4),
		 (long long)case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_VENDOR_ID, 4));
	CHECK_EQ(t, get(t, &g, PCI_CLASS_REVISION, 4),
		 (long long)case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_CLASS_REVISION, 4));
	CHECK_EQ(t, get(t, &g, PCI_SUBSYSTEM_VENDOR_ID, 4),
		 (long long)case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_SUBSYSTEM_VENDOR_ID, 4));
	end(&g);
}

/* Each capability that the guest finds is the device's, of that id, at that place. */
static void is_devices(struct t *t, struct guest *g, bool extended, uint16_t id, uint32_t at)
{
	struct vfk_pci_cap cap = { .offset = 0 };

	while (vfk_pci_cap_next(g->pci, &cap) == 1) {
		if (cap.offset == at && cap.id == id && cap.extended == extended)
			return;
	}
	FAIL(t, "the guest finds capability 0x%x at 0x%x, which is none of the device's", id, at);
}

static void walk_standard(struct t *t, struct guest *g)
{
	uint32_t at = 0, n = 0;

	if (get(t, g, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST)
		at = get(t, g, PCI_CAPABILITY_LIST, 1);
	for (; at; at = get(t, g, at + PCI_CAP_LIST_NEXT, 1)) {
		CHECK(t, at >= PCI_STD_HEADER_SIZEOF && at % 4 == 0);
		CHECK(t, ++n <= 48);
		is_devices(t, g, false, (uint16_t)get(t, g, at, 1), at);
	}
}

static void walk_extended(struct t *t, struct guest *g)
{
	uint32_t at = PCI_CFG_SPACE_SIZE, n = 0, header;

	if (vfk_pci_config_size(g->pci) <= PCI_CFG_SPACE_SIZE)
		return;
	for (; at; at = PCI_EXT_CAP_NEXT(header)) {
		CHECK(t, at >= PCI_CFG_SPACE_SIZE && at % 4 == 0);
		CHECK(t, at < vfk_pci_config_size(g->pci));
		CHECK(t, ++n <= 960);
		header = get(t, g, at, 4);
		if (PCI_EXT_CAP_ID(header)) /* 0 is none, or a Null capability: PCIe 6.0, 7.9.28 */
			is_devices(t, g, true, PCI_EXT_CAP_ID(header), at);
	}
}

static void virtual_capability_lists(struct t *t)
{
	struct vfk_pci_virtual_opts opts = { .size = sizeof(opts) };
	struct guest g;

	for (int bus = VFK_PCI_BUS_CONVENTIONAL; bus <= VFK_PCI_BUS_PORT; bus++) {
		opts.bus = (enum vfk_pci_virtual_bus)bus;
		for (opts.flags = 0; opts.flags <= VFK_PCI_VIRTUAL_KEEP_CAPS; opts.flags++) {
			begin(t, &g, &opts);
			walk_standard(t, &g);
			walk_extended(t, &g);
			end(&g);
		}
	}
}

static void virtual_capabilities_hidden(struct t *t)
{
	static const uint16_t hidden[] = { PCI_EXT_CAP_ID_SRIOV, PCI_EXT_CAP_ID_ARI,
					   PCI_EXT_CAP_ID_REBAR, PCI_EXT_CAP_ID_ATS,
					   PCI_EXT_CAP_ID_PASID, PCI_EXT_CAP_ID_L1SS };
	const struct vfk_pci_virtual_opts opts = { .size = sizeof(opts), .bus = VFK_PCI_BUS_PORT };
	struct vfk_pci_cap cap = { .offset = 0 };
	struct guest g;

	begin(t, &g, &opts);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		CHECK_EQ(t, vfk_pci_virtual_find_cap(g.v, true, hidden[i], NULL), -ENOENT);
	while (vfk_pci_cap_next(g.pci, &cap) == 1) {
		(void)vfk_pci_virtual_hide_cap(g.v, cap.extended, cap.id);
		CHECK_EQ(t, vfk_pci_virtual_find_cap(g.v, cap.extended, cap.id, NULL), -ENOENT);
	}
	CHECK_EQ(t, get(t, &g, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, 0);
	CHECK_EQ(t, get(t, &g, PCI_CAPABILITY_LIST, 1), 0);
	end(&g);
}

/* ---- BARs ---- */

static uint64_t sized(struct t *t, struct guest *g, unsigned int bar)
{
	uint32_t reg = PCI_BASE_ADDRESS_0 + 4 * bar;
	struct vfk_pci_virtual_bar info;
	uint64_t mask;

	CHECK_OK(t, vfk_pci_virtual_get_bar(g->v, bar, &info));
	put(t, g, reg, 4, UINT32_MAX);
	mask = get(t, g, reg, 4);
	mask &= mask & PCI_BASE_ADDRESS_SPACE_IO ? ~(uint64_t)3 : ~(uint64_t)15;
	if (info.flags & VFK_BAR_64) {
		put(t, g, reg + 4, 4, UINT32_MAX);
		mask |= (uint64_t)get(t, g, reg + 4, 4) << 32;
	} else if (mask) {
		mask |= (uint64_t)UINT32_MAX << 32;
	}
	return ~mask + 1;
}

static void virtual_bar_sizing(struct t *t)
{
	struct guest g;
	bool seen = false;

	begin(t, &g, NULL);
	for (unsigned int i = 0; i < 6; i++) {
		uint32_t reg = PCI_BASE_ADDRESS_0 + 4 * i;
		uint64_t before = case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, reg, 4);
		uint64_t size = case_region(t, i)->size;

		if (!size)
			continue;
		seen = true;
		CHECK_EQ(t, sized(t, &g, i), (long long)size);
		/* The type is the device's, the address the guest's alone. */
		CHECK_EQ(t, get(t, &g, reg, 4) & 7, (long long)(before & 7));
		CHECK_EQ(t, case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, reg, 4), (long long)before);
	}
	end(&g);
	if (!seen)
		case_skip("no BAR");
}

static void virtual_bar_access(struct t *t)
{
	const struct engine *e = engine_find(t);
	uint32_t written = 0x5a0ff0a5, value = 0;
	struct guest g;

	begin(t, &g, NULL);
	put(t, &g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_OK(t, vfk_pci_virtual_bar_write(g.v, e->bar, e->scratch, &written, 4));
	CHECK_EQ(t, case_get(t, e->bar, e->scratch, 4), e->scratch_reads(written));
	CHECK_OK(t, vfk_pci_virtual_bar_read(g.v, e->bar, e->scratch, &value, 4));
	CHECK_EQ(t, value, e->scratch_reads(written));
	/* Without decoding there is nobody: ones. */
	put(t, &g, PCI_COMMAND, 2, 0);
	CHECK_EQ(t, vfk_pci_virtual_bar_read(g.v, e->bar, e->scratch, &value, 4), -EIO);
	CHECK_EQ(t, value, UINT32_MAX);
	end(&g);
}

/* What is offered for mapping can be mapped, and has none of the MSI-X table. */
static void map_areas(struct t *t, struct guest *g, unsigned int bar, unsigned int *mapped)
{
	const struct vfk_region_info *info = case_region(t, bar);
	struct vfk_pci_msix_info msix = { .table_bar = 6 };
	struct vfk_region_area areas[64];
	size_t num = 64;
	void *addr;

	(void)vfk_pci_msix_get_info(g->pci, &msix);
	CHECK_OK(t, vfk_pci_virtual_bar_areas(g->v, bar, 0, areas, &num));
	CHECK(t, num <= 64);
	for (size_t i = 0; i < num; i++) {
		uint64_t len = info->size - areas[i].offset;

		if (areas[i].length < len)
			len = areas[i].length;
		CHECK(t, areas[i].offset < info->size);
		CHECK(t, msix.table_bar != bar ||
				 areas[i].offset >= msix.table_offset + msix.table_size ||
				 areas[i].offset + len <= msix.table_offset);
		CHECK_OK(t, vfk_region_map(t->dev, bar, areas[i].offset, len, PROT_READ, &addr));
		CHECK_OK(t, vfk_region_unmap(t->dev, addr));
		(*mapped)++;
	}
}

static void virtual_bar_areas(struct t *t)
{
	unsigned int mapped = 0;
	struct guest g;

	begin(t, &g, NULL);
	put(t, &g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	for (unsigned int i = 0; i < 6; i++)
		map_areas(t, &g, i, &mapped);
	end(&g);
	if (!mapped)
		case_skip("no BAR can be mapped");
}

/* ---- interrupts ---- */

static int fd_of(struct t *t, struct guest *g, uint32_t index)
{
	struct vfk_pci_virtual_vector info;

	CHECK_OK(t, vfk_pci_virtual_get_vector(g->v, index, 0, &info));
	CHECK(t, info.eventfd >= 0);
	return info.eventfd;
}

static void fires(struct t *t, struct guest *g, uint32_t index)
{
	CHECK_OK(t, vfk_irq_trigger(t->dev, index, 0, 1));
	case_wait(t, fd_of(t, g, index));
}

static void is_off(struct t *t, struct guest *g, uint32_t index)
{
	struct vfk_pci_virtual_vector info;

	CHECK_EQ(t, vfk_pci_virtual_get_vector(g->v, index, 0, &info), -EINVAL);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, index, 0, 1), -EINVAL);
}

static void virtual_intx(struct t *t)
{
	struct guest g;

	case_need_pci(t);
	if (vfk_device_num_irqs(t->dev) <= VFIO_PCI_INTX_IRQ_INDEX ||
	    !case_irq(t, VFIO_PCI_INTX_IRQ_INDEX).count)
		case_skip("no INTx");
	begin(t, &g, NULL);
	CHECK(t, get(t, &g, PCI_INTERRUPT_PIN, 1) != 0);
	fires(t, &g, VFIO_PCI_INTX_IRQ_INDEX);
	end(&g);
	CHECK_EQ(t, vfk_irq_trigger(t->dev, VFIO_PCI_INTX_IRQ_INDEX, 0, 1), -EINVAL);
}

static void virtual_msi(struct t *t)
{
	struct guest g;
	uint32_t cap, flags;

	begin(t, &g, NULL);
	if (vfk_pci_virtual_find_cap(g.v, false, PCI_CAP_ID_MSI, &cap) < 0) {
		end(&g);
		case_skip("no MSI");
	}
	flags = get(t, &g, cap + PCI_MSI_FLAGS, 2);
	CHECK_EQ(t, flags & PCI_MSI_FLAGS_ENABLE, 0);
	put(t, &g, cap + PCI_MSI_FLAGS, 2, flags | PCI_MSI_FLAGS_ENABLE);
	fires(t, &g, VFIO_PCI_MSI_IRQ_INDEX);
	fires(t, &g, VFIO_PCI_MSI_IRQ_INDEX);
	put(t, &g, cap + PCI_MSI_FLAGS, 2, flags);
	is_off(t, &g, VFIO_PCI_MSI_IRQ_INDEX);
	end(&g);
}

struct table {
	uint32_t cap, bar, off;
};

/* Where the guest finds the table, and with what the capability is enabled. */
static struct table find_table(struct t *t, struct guest *g)
{
	struct table table = { 0 };
	uint32_t where;

	if (vfk_pci_virtual_find_cap(g->v, false, PCI_CAP_ID_MSIX, &table.cap) < 0) {
		end(g);
		case_skip("no MSI-X");
	}
	where = get(t, g, table.cap + PCI_MSIX_TABLE, 4);
	table.bar = where & PCI_MSIX_TABLE_BIR;
	table.off = where & PCI_MSIX_TABLE_OFFSET;
	return table;
}

static void put_control(struct t *t, struct guest *g, const struct table *table, uint8_t mask)
{
	const uint8_t le[4] = { mask };

	CHECK_OK(t, vfk_pci_virtual_bar_write(g->v, table->bar,
					      table->off + PCI_MSIX_ENTRY_VECTOR_CTRL, le, 4));
}

static void virtual_msix(struct t *t)
{
	struct guest g;
	struct table table;

	begin(t, &g, NULL);
	table = find_table(t, &g);
	put(t, &g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	put(t, &g, table.cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	put_control(t, &g, &table, 0);
	fires(t, &g, VFIO_PCI_MSIX_IRQ_INDEX);
	put_control(t, &g, &table, 1);
	put_control(t, &g, &table, 0);
	fires(t, &g, VFIO_PCI_MSIX_IRQ_INDEX);
	put(t, &g, table.cap + PCI_MSIX_FLAGS, 2, 0);
	is_off(t, &g, VFIO_PCI_MSIX_IRQ_INDEX);
	end(&g);
}

/* Wherever the guest has the table, it works. */
static void virtual_msix_relocated(struct t *t)
{
	struct vfk_pci_virtual_opts opts = { .size = sizeof(opts) };
	struct table before, table;
	unsigned int moved = 0;
	struct guest g;

	begin(t, &g, NULL);
	before = find_table(t, &g);
	end(&g);
	CHECK_OK(t, vfk_pci_open(t->dev, &g.pci));
	for (unsigned int bar = 0; bar < 6; bar++) {
		opts.msix = VFK_PCI_MSIX_BAR(bar);
		if (vfk_pci_virtual_create(g.pci, &opts, &g.v) < 0)
			continue;
		moved++;
		CHECK_OK(t, vfk_pci_virtual_reset(g.v));
		table = find_table(t, &g);
		CHECK_EQ(t, table.bar, bar);
		CHECK(t, table.off != before.off || table.bar != before.bar);
		put(t, &g, table.cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
		put_control(t, &g, &table, 0);
		fires(t, &g, VFIO_PCI_MSIX_IRQ_INDEX);
		vfk_pci_virtual_destroy(g.v);
	}
	CHECK(t, moved > 0);
	vfk_pci_close(g.pci);
}

/* After a reset of its machine a guest finds the device as the first one did. */
static void virtual_reset(struct t *t)
{
	struct guest g;
	uint32_t bar;

	begin(t, &g, NULL);
	put(t, &g, PCI_BASE_ADDRESS_0, 4, 0xfffff000);
	put(t, &g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK_OK(t, vfk_pci_virtual_reset(g.v));
	bar = get(t, &g, PCI_BASE_ADDRESS_0, 4);
	CHECK_EQ(t, bar & ~15u, 0);
	CHECK_EQ(t, get(t, &g, PCI_COMMAND, 2) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER), 0);
	/* Decoding some devices cannot turn off. */
	CHECK_EQ(t, case_get(t, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2) & PCI_COMMAND_MASTER,
		 0);
	end(&g);
}

const struct vfk_case vfk_cases_pci_virtual[] = {
	{ "virtual_ids", virtual_ids },
	{ "virtual_capability_lists", virtual_capability_lists },
	{ "virtual_capabilities_hidden", virtual_capabilities_hidden },
	{ "virtual_bar_sizing", virtual_bar_sizing },
	{ "virtual_bar_access", virtual_bar_access },
	{ "virtual_bar_areas", virtual_bar_areas },
	{ "virtual_intx", virtual_intx },
	{ "virtual_msi", virtual_msi },
	{ "virtual_msix", virtual_msix },
	{ "virtual_msix_relocated", virtual_msix_relocated },
	{ "virtual_reset", virtual_reset },
	{ NULL, NULL },
};
