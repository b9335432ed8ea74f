/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_nvidia.c - NVIDIA's GPUDirect P2P approval capability: a capability that no device has and a guest's driver reads.
 *
 * NVIDIA has published two notes on it, one for GPUs up to Volta (at 0xc8), one for Turing and later (at 0xd4):
 *
 *	https://lists.gnu.org/archive/html/qemu-devel/2017-08/pdfUda5iEpgOS.pdf
 *	https://lists.gnu.org/archive/html/qemu-devel/2023-06/pdf142OR4O4c2.pdf
 *
 * The layout below is what QEMU (hw/vfio/pci-quirks.c: at 0xc8, at 0xd4 where the device has a capability at the first)
 * and Cloud Hypervisor (pci/src/vfio.rs: at 0xd4) show to their guests: 0x50080009, and the clique in bits 19 to 22 of
 * the second word, whose lower half is 0x5032. A vendor-specific capability of 8 bytes:
 *
 *	0	0x09, the id		4	'2'
 *	1	next			5	'P'
 *	2	8, the length		6	bits 0 to 2: version, 0; 3 to 6: the clique; 7: 0
 *	3	'P'			7	0
 */
#include "instance.h"
#include "lib/base/error.h"
#include "virtual.h"

#define VENDOR_NVIDIA 0x10de
#define CLASS_DISPLAY 0x03 /* PCI Code and ID Assignment 1.11 section 1.4 */
#define MAX_CLIQUE    15

static const uint32_t places[] = { 0xc8, 0xd4 };

static bool is_added(struct vfk_pci_virtual *v)
{
	bool added = false;

	pthread_mutex_lock(&v->lock);
	for (uint32_t i = 0; i < v->caps.num && !added; i++) {
		const struct vfki_virtual_cap *c = &v->caps.cap[i];

		added = c->added && !c->hidden && c->id == PCI_CAP_ID_VNDR && c->len == 8 &&
			vfki_virtual_get(v, c->offset + 3u, 1) == 'P' &&
			vfki_virtual_get(v, c->offset + 4u, 2) == ('2' | 'P' << 8);
	}
	pthread_mutex_unlock(&v->lock);
	return added;
}

int vfk_pci_virtual_add_gpudirect_clique(struct vfk_pci_virtual *v, unsigned int clique)
{
	const struct vfk_pci_identity *id = &v->pci->identity;
	const uint8_t data[] = { 8, 'P', '2', 'P', (uint8_t)(clique << 3), 0 };
	int ret = -EEXIST;

	if (clique > MAX_CLIQUE)
		return vfki_err(-ERANGE, "%s: GPUDirect clique %u, at most %d",
				vfki_pci_name(v->pci), clique, MAX_CLIQUE);
	if (id->vendor != VENDOR_NVIDIA || id->class_code >> 16 != CLASS_DISPLAY)
		return vfki_err(-ENOTSUP, "%s: GPUDirect clique: %04x:%04x is no GPU of NVIDIA's",
				vfki_pci_name(v->pci), id->vendor, id->device);
	if (is_added(v))
		return vfki_err(-EEXIST, "%s: it is in a GPUDirect clique already",
				vfki_pci_name(v->pci));
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && ret == -EEXIST; i++) {
		uint32_t off = places[i];

		ret = vfk_pci_virtual_add_cap(v, PCI_CAP_ID_VNDR, data, sizeof(data), NULL, &off);
	}
	return ret;
}
