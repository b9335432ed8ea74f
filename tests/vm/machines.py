# SPDX-License-Identifier: BSD-3-Clause
"""The machines that the tests of VFIO devices run on.

A device is known in the guest by a variable, dev_NAME=BDF: each sits behind a root port of its own,
so its bus number is its place in the list. The ports have x-speed=5, for from that speed on the kernel
resets what is below a port, and most of these devices have no reset of their own. QEMU's edu directly
on the root bus has none at all: that one is called "lone".
"""

import hashlib
import json
import os

from machine import Machine

NVME_BYTES = 4 << 20
LONE = "0000:00:03.0"


class Builder:
    """Adds devices to a machine, one root port each."""

    def __init__(self, machine):
        self.machine = machine
        self._ports = 0

    def tell(self, name, bdf):
        self.machine.parameters.append(f"dev_{name}={bdf}")

    def port(self, *devices):
        """The devices' bus; each of DEVICES is QEMU's text without bus."""
        self._ports += 1
        n = self._ports
        self.machine.devices.append(
            f"pcie-root-port,x-speed=5,id=port{n},chassis={n},slot={n},addr={n + 3:#x}")
        for device in devices:
            self.machine.devices.append(f"{device},bus=port{n}")
        return f"0000:{n:02x}"

    def add(self, name, device):
        self.tell(name, f"{self.port(f'{device},id={name}')}:00.0")

    def lone(self):
        self.machine.devices.append("edu,addr=3,dma_mask=0xffffffffffffffff")
        self.tell("lone", LONE)

    def twin(self):
        """One device of two functions: one IOMMU group."""
        bus = self.port("edu,addr=0.0,multifunction=on", "edu,addr=0.1")
        self.tell("twin", f"{bus}:00.0")
        self.tell("twin2", f"{bus}:00.1")

    def pair(self):
        """The same with a group for each function: Linux knows that igb's are isolated.

        A device with ARI tells where its next function is, and QEMU's say that there is none.
        """
        bus = self.port("igb,id=pair,addr=0.0,multifunction=on,x-pcie-ari-nextfn-1=on",
                        "igb,id=pair2,addr=0.1")
        self.tell("pair", f"{bus}:00.0")
        self.tell("pair2", f"{bus}:00.1")

    def mixed(self):
        """A group of two devices, one of which has a driver of the kernel's."""
        bus = self.port("nvme,serial=mixed,addr=0.0,multifunction=on", "edu,addr=0.1")
        self.tell("mixed", f"{bus}:00.0")
        self.tell("mixed2", f"{bus}:00.1")

    def serve(self, name, uri):
        """A device of a server on this machine, which QEMU is a client of."""
        self.machine.served[name] = uri
        bus = self.port()
        self.machine.devices.append(json.dumps({
            "driver": "vfio-user-pci", "bus": f"port{self._ports}", "id": name,
            "socket": {"type": "unix", "path": self.machine.path(f"{name}.sock")}}))
        self.tell(name, f"{bus}:00.0")

    def nvme(self):
        image = self.machine.path("nvme.img")
        content = os.urandom(NVME_BYTES)
        with open(image, "wb") as file:
            file.write(content)
        self.machine.parameters.append(f"disk_sha256={hashlib.sha256(content).hexdigest()}")
        self.machine.drives.append(f"file={image},format=raw,if=none,id=disk")
        self.add("nvme", "nvme,serial=test,drive=disk")


def _edu(mask="0xffffffffffffffff"):
    return f"edu,dma_mask={mask}"


def with_iommu(machine):
    """What the small kernel has an IOMMU and both interfaces for."""
    machine.iommu = True
    machine.memory = 512
    builder = Builder(machine)
    builder.add("edu", _edu())
    builder.nvme()
    builder.twin()
    builder.mixed()
    builder.add("igb", "igb")
    builder.add("e1000e", "e1000e")
    builder.pair()
    builder.lone()
    machine.parameters.append("vfio_pci.enable_sriov=1")


def cards(machine):
    """The devices of several makes that the whole suite is run on; the suites take their time."""
    machine.iommu = True
    machine.memory = 512
    builder = Builder(machine)
    builder.add("edu", _edu())
    builder.nvme()
    builder.add("igb", "igb")
    builder.add("e1000e", "e1000e")


def without_iommu(machine):
    """No IOMMU, so no interrupt remapping either: one vector of multiple-message MSI is granted.

    All of its memory is below the 28 bits that the tests ask for.
    """
    machine.memory = 256
    builder = Builder(machine)
    builder.add("edu", _edu())
    builder.nvme()
    builder.add("xhci", "nec-usb-xhci,msi=on,msix=off")
    machine.parameters.append("vfio.enable_unsafe_noiommu_mode=1")


def broker(machine):
    """Devices that are served, unplugged, killed and reset under their users."""
    machine.iommu = True
    machine.memory = 512
    builder = Builder(machine)
    for name in ("edu", "gone", "kept"):
        builder.add(name, _edu())


def stock(machine):
    """Debian's own kernel: group and type1 only."""
    machine.iommu = True
    machine.memory = 512
    machine.parameters.append("intel_iommu=on")
    builder = Builder(machine)
    builder.add("edu", _edu())
    builder.nvme()


# What QEMU and its guest can have of it. QEMU arms the vectors of MSI from the first on, 16 with a message, and none can
# be added to those that are armed; the guest's processor has some 200 vectors for all of its devices.
SERVED = "model:testdev,msi=16,msix=64"


def client(machine):
    """QEMU shows the guest a device of ours, which the guest gives to a program of its own."""
    machine.iommu = True
    machine.memory = 512
    machine.shared_memory = True
    Builder(machine).serve("testdev", SERVED)


def client_without_iommu(machine):
    machine.memory = 256
    machine.shared_memory = True
    Builder(machine).serve("testdev", SERVED)
    machine.parameters.append("vfio.enable_unsafe_noiommu_mode=1")


MACHINES = {"iommu": with_iommu, "cards": cards, "noiommu": without_iommu, "broker": broker,
            "client": client, "client-noiommu": client_without_iommu, "stock": stock}


def make(name, folder, kernel, qemu):
    machine = Machine(folder, kernel, qemu)
    machine.share_root = True
    MACHINES[name](machine)
    return machine
