/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What runs in the guest: drives the edu device that it finds there through the guest's own vfio-pci.
 *
 *	guest type1	through the guest's IOMMU
 *	guest noiommu	without one (vfio.enable_unsafe_noiommu_mode=1)
 *
 * It uses nothing of vfiokit. TAP on stdout; exits 0 only if every result was ok.
 */
#include "edu.h"
#include "pci.h"
#include "tap.h"
#include "vfio.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct pci_device pci;
	struct vfio vfio;
	bool noiommu;
	int err;

	if (argc != 2 || (strcmp(argv[1], "type1") && strcmp(argv[1], "noiommu"))) {
		fprintf(stderr, "usage: %s type1|noiommu\n", argv[0]);
		return 2;
	}
	noiommu = !strcmp(argv[1], "noiommu");
	err = pci_find(EDU_VENDOR, EDU_DEVICE, &pci);
	if (err)
		tap_bail("no device %04x:%04x: %s", EDU_VENDOR, EDU_DEVICE, strerror(-err));
	err = pci_bind_vfio(&pci);
	if (err)
		tap_bail("%s: cannot be bound to vfio-pci: %s", pci.address, strerror(-err));
	tap_check(true, "the device is on the bus and bound to vfio-pci");
	vfio_open(&vfio, &pci, noiommu);
	tap_check(true, "opened by group and container, %s", argv[1]);
	edu_test_infos(&vfio);
	edu_test_config(&vfio);
	edu_test_registers(&vfio);
	edu_test_factorial(&vfio);
	edu_test_intx(&vfio);
	edu_test_msi(&vfio);
	edu_test_dma(&vfio);
	edu_test_reset(&vfio);
	vfio_close(&vfio);
	return tap_done();
}
