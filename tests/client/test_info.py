# SPDX-License-Identifier: BSD-3-Clause
"""What a server says of its device, when it cannot be: counts, sizes, capability chains, areas, descriptors."""

import json
import os
import struct

import pytest
from scripted import (CAPS, DMA_CLIENT, INFO, MMAP, READ, REGION, WRITE, Device, Scripted, each, either,
                      fails, run, works)
from session import GET_INFO, GET_IRQ_INFO, GET_REGION_INFO

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
READ_ID = ("read", "bar0", "0", "4")
SPARSE, TYPE, SPARSE_FDS = 1, 2, 16
SIZE = 1 << 20
RW = READ | WRITE


def cap(id, next, body=b"", version=1):
    """A capability; `next` counts from the beginning of the structure, whose fixed part is 32 bytes."""
    return struct.pack("=HHI", id, version, next) + body


def areas(*each_area, count=None):
    """SPARSE_MMAP's body."""
    return struct.pack("=II", len(each_area) if count is None else count, 0) + b"".join(
        struct.pack("=QQ", offset, size) for offset, size in each_area)


def sparse(*each_area, count=None, next=0):
    return cap(SPARSE, next, areas(*each_area, count=count))


def bar(chain, size=SIZE, flags=RW | MMAP | CAPS, fds=()):
    return Device(regions={0: (size, flags, chain, list(fds))})


def raw_region(make):
    """A reply to GET_REGION_INFO made from the request's argsz and index."""
    def tamper(peer, message):
        asked, _, index = struct.unpack("=III", message.payload[:12])
        peer.respond(message, make(asked, index))
    return {GET_REGION_INFO: tamper}


# ---- the device ----

@pytest.mark.parametrize("regions, irqs", ((U32, 5), (1 << 31, 5), (1 << 16, 5), (9, U32), (9, 1 << 31), (9, 1 << 16),
                                           (U32, U32), (100000, 100000)))
def test_counts_beyond_all_limits(regions, irqs):
    fails(run(Scripted(Device(regions, irqs)), *READ_ID))


@pytest.mark.parametrize("regions, irqs", ((512, 512), (513, 5), (1024, 5), (9, 1024)))
def test_counts_at_the_limits(regions, irqs):
    either(run(Scripted(Device(regions, irqs)), "info", "--json"))


def test_nothing_there():
    fails(run(Scripted(Device(0, 0)), *READ_ID))
    fails(run(Scripted(Device(0, 0)), "irq", "msi", "--timeout=1"))
    fails(run(Scripted(Device(9, 1)), "irq", "msi", "--timeout=1"))
    works(run(Scripted(Device(0, 0, 0)), "info", "--json"))


@pytest.mark.parametrize("device", (Device(1), Device(7), Device(8), Device(9), Device(9, regions={7: (0, 0, b"", [])})))
def test_what_may_come_back_has_no_config_space(device):
    """With reconnect= a device is remembered by its ids; one that has none has regions and interrupts."""
    script = Scripted(device)
    script.options = ",reconnect=1"
    works(run(script, *READ_ID))


def test_no_reset():
    fails(run(Scripted(Device(flags=2)), "reset"))


def test_unknown_flags():
    either(run(Scripted(Device(flags=U32)), *READ_ID))


@pytest.mark.parametrize("argsz", (0, 15, 17, 4096, 1 << 20, U32))
def test_device_argsz(argsz):
    """A structure smaller than itself, or one that claims to be longer than any."""
    def tamper(peer, message):
        peer.respond(message, INFO.pack(argsz, 3, 9, 5))
    either(run(Scripted(tamper={GET_INFO: tamper}), *READ_ID))


# ---- regions ----

CHAINS = {
    "points at itself": cap(SPARSE, 32, areas((0, 4096))),
    "points back": sparse((0, 4096), next=64) + cap(TYPE, 32, bytes(8)),
    "points into the fixed part": sparse((0, 4096), next=8),
    "points at the first byte": sparse((0, 4096), next=1),
    "points behind the end": sparse((0, 4096), next=4096),
    "points at the end": sparse((0, 4096), next=32 + 32),
    "points far away": sparse((0, 4096), next=U32),
    "points at an odd place": sparse((0, 4096), next=61) + cap(TYPE, 0, bytes(8)),
    "a header cut short": cap(SPARSE, 0)[:4],
    "a capability cut short": cap(SPARSE, 0, b"\1\0\0\0"),
    "areas that are not there": sparse((0, 4096), count=2),
    "areas without end": sparse((0, 4096), count=U32),
    "areas whose size wraps": sparse((0, 4096), count=(1 << 28) + 1),
    "outside": sparse((SIZE, 4096)),
    "across the end": sparse((SIZE - 4096, 8192)),
    "beyond everything": sparse((1 << 60, 4096)),
    "wraps": sparse((U64 - 4095, 8192)),
    "wraps to nothing": sparse((U64 - 4095, 4096)),
    "as large as can be": sparse((0, U64)),
    "overlap": sparse((0, 8192), (4096, 8192)),
    "the same twice": sparse((0, 4096), (0, 4096)),
    "overlap, in disorder": sparse((8192, 4096), (0, 12288)),
}


@pytest.mark.parametrize("what", CHAINS)
def test_chains_and_areas(what):
    """A capability chain or an area that contradicts itself is the end of the connection."""
    memory = os.memfd_create("bar")
    os.ftruncate(memory, SIZE)
    try:
        fails(run(Scripted(bar(CHAINS[what], fds=[memory])), "info"))
    finally:
        os.close(memory)


def test_a_chain_of_many():
    """Longer than any needs to be: ended or walked, never for ever."""
    count = 4000
    chain = b"".join(cap(TYPE, 32 + 16 * (n + 1) if n < count - 1 else 0, bytes(8)) for n in range(count))
    either(run(Scripted(bar(chain, flags=RW | CAPS)), *READ_ID))


@pytest.mark.parametrize("offset", (1, 8, 31, 33, 63, 64, 4096, 1 << 31, U32 - 7, U32))
def test_cap_offset(offset):
    """Inside the fixed part, in the middle, at the end, and far behind it."""
    def make(asked, index):
        if index:
            return REGION.pack(32, 0, index, 0, 0, 0)
        return REGION.pack(64, RW | CAPS, 0, offset, SIZE, 0) + cap(TYPE, 0, bytes(24))
    fails(run(Scripted(tamper=raw_region(make)), *READ_ID))


def test_cap_offset_without_the_flag():
    """Nothing to look at, then."""
    def make(asked, index):
        return REGION.pack(32, RW, index, U32, SIZE, 0)
    works(run(Scripted(tamper=raw_region(make)), *READ_ID))


def test_argsz_that_grows_for_ever():
    """Asked again with more room a bounded number of times."""
    def make(asked, index):
        return REGION.pack(min(asked + 64, U32), RW | CAPS, index, 0, SIZE, 0)
    for words in (READ_ID, ("info",)):
        result = run(Scripted(tamper=raw_region(make)), *words)
        either(result)
        assert len(result.seen) < 200
    fails(result)


def test_the_flag_without_a_chain():
    """No room is needed for it, and none is there: a region without capabilities."""
    works(run(Scripted(bar(b"", flags=RW | CAPS)), "info"))


@pytest.mark.parametrize("argsz", (0, 8, 31, 1 << 20, 1 << 30, U32))
def test_region_argsz(argsz):
    def make(asked, index):
        return REGION.pack(argsz, RW, index, 0, SIZE, 0)
    either(run(Scripted(tamper=raw_region(make)), *READ_ID))


def test_another_index_than_asked():
    for other in (1, 5, U32):
        def make(asked, index, other=other):
            return REGION.pack(32, RW, index ^ other, 0, SIZE, 0)
        fails(run(Scripted(tamper=raw_region(make)), *READ_ID))


def test_a_region_of_all_there_is():
    """No file offset reaches further than 2^63 - 1; below that a region is as large as it says."""
    for size in (U64, U64 - 1, 1 << 63):
        fails(run(Scripted(bar(b"", size, RW)), *READ_ID))
        fails(run(Scripted(bar(b"", size, RW)), "info"))
    size = (1 << 63) - 1
    works(run(Scripted(bar(b"", size, RW)), *READ_ID), "0x010000ed\n")
    works(run(Scripted(bar(b"", size, RW)), "read", "bar0", str(size - 8), "8"), "0x%016x\n" % 0)
    for offset in (size, U64 - 3, U64):
        fails(run(Scripted(bar(b"", size, RW)), "read", "bar0", str(offset), "4"))
    result = run(Scripted(bar(b"", size, RW)), "info", "--json")
    works(result)
    assert [region["size"] for region in json.loads(result.out)["regions"] if region["index"] == 0] == [size]


def test_region_flags():
    for flags, check in ((U32 & ~(MMAP | CAPS), either), (0, fails), (WRITE, fails), (READ, works)):
        check(run(Scripted(bar(b"", SIZE, flags)), *READ_ID))


# ---- descriptors of regions ----

def memory_of(size):
    fd = os.memfd_create("bar")
    os.ftruncate(fd, size)
    return fd


def with_memory(size, check):
    fd = memory_of(size)
    try:
        check(fd)
    finally:
        os.close(fd)


def test_descriptors_that_fit_no_way_of_mapping():
    """For a region that is not mapped; too many; neither one nor one an area; more than a message may have."""
    def check(fd):
        for flags, chain, count in ((RW, b"", 1), (RW | MMAP, b"", 2), (RW | MMAP, b"", 16), (RW | MMAP, b"", 100),
                                    (RW | MMAP | CAPS, sparse((0, 4096), (8192, 4096)), 3),
                                    (RW | MMAP | CAPS, sparse((0, 4096), (8192, 4096)), 16)):
            fails(run(Scripted(bar(chain, SIZE, flags, [fd] * count)), "info"))
    with_memory(SIZE, check)


def test_mapping_without_a_descriptor():
    """MMAP that cannot be done: the region is read by messages."""
    result = run(Scripted(bar(b"", SIZE, RW | MMAP)), *READ_ID)
    works(result, "0x010000ed\n")


def test_mapped():
    """The good case of what follows: the bytes are the file's."""
    def check(fd):
        os.pwrite(fd, b"\x42", 0)
        os.pwrite(fd, b"\x43", SIZE - 1)
        works(run(Scripted(bar(b"", SIZE, RW | MMAP, [fd])), "map", program=DMA_CLIENT), "0x42 0x43\n")
    with_memory(SIZE, check)


@pytest.mark.parametrize("size", (0, 1, 4096, SIZE // 2, SIZE - 4096))
def test_file_shorter_than_its_region(size):
    """Seen before it is touched."""
    with_memory(size, lambda fd: fails(run(Scripted(bar(b"", SIZE, RW | MMAP, [fd])), "map", program=DMA_CLIENT)))


def test_file_cut_off_under_its_mapping():
    """The access reads something, the process lives, and the connection is over."""
    def check(fd):
        def cut(peer, message):
            os.ftruncate(fd, 0)
            peer.raw(*peer.good(message))
        result = run(Scripted(bar(b"", SIZE, RW | MMAP, [fd]), tamper={9: cut}), "map-then-read", program=DMA_CLIENT)
        fails(result)
    with_memory(SIZE, check)


def test_no_memory_behind_a_region():
    """A pipe, a socket, a folder in place of a file: refused, not crashed on."""
    reading, writing = os.pipe()
    folder, event = os.open("/", os.O_RDONLY), os.eventfd(0)
    try:
        for fd in (reading, writing, folder, event):
            fails(run(Scripted(bar(b"", SIZE, RW | MMAP, [fd])), "map", program=DMA_CLIENT))
            works(run(Scripted(bar(b"", SIZE, RW | MMAP, [fd])), *READ_ID), "0x010000ed\n")
    finally:
        for fd in (reading, writing, folder, event):
            os.close(fd)


# ---- interrupts ----

@pytest.mark.parametrize("count", (U32, 1 << 31, 1 << 20, 65537))
def test_more_vectors_than_can_be(count):
    def one(words):
        fails(run(Scripted(Device(irqs={1: (1, count)})), "irq", *words))
    one(("msi", "--trigger", "--timeout=10"))
    fails(run(Scripted(Device(irqs={1: (1, count)})), "info"))


def test_no_vectors():
    fails(run(Scripted(Device(irqs={1: (1, 0)})), "irq", "msi", "--trigger", "--timeout=10"))


def test_another_interrupt_than_asked():
    def other(peer, message):
        index = struct.unpack("=I", message.payload[8:12])[0]
        peer.respond(message, INFO.pack(16, 1, index + 1, 1))
    fails(run(Scripted(tamper={GET_IRQ_INFO: other}), "irq", "msi", "--trigger", "--timeout=10"))


def test_interrupts_that_never_come():
    """Armed, and nothing happens: the tool's own bound."""
    result = run(Scripted(), "irq", "msi", "--timeout=0.4")
    fails(result, "0 of 1")
    assert result.took > 0.3


def test_many_vectors():
    """More than fit in a message: armed in parts, each with no more descriptors than the server takes."""
    device = Device(irqs={1: (1, 40)})
    result = run(Scripted(device), "irq", "msi", "--trigger", "--count=40", "--timeout=10")
    works(result)
    assert len(result.out.splitlines()) == 40
    default = Device(irqs={1: (1, 5)}, json=False)
    works(run(Scripted(default), "irq", "msi", "--trigger", "--count=5", "--timeout=10"))


def test_all_of_it_at_once():
    """Random-looking structures from every info command: one line or a listing, never more."""
    def noise(seed):
        def tamper(peer, message):
            size = {GET_INFO: 16, GET_REGION_INFO: 32, GET_IRQ_INFO: 16}[message.command]
            body = bytearray((seed * 31 + at * seed * 7 + (at * at)) & 0xff for at in range(size))
            if message.command != GET_INFO:
                body[8:12] = message.payload[8:12]
            else:
                body[4:16] = INFO.pack(0, 3, 9, 5)[4:]
            peer.respond(message, bytes(body))
        return tamper

    def check(_, seed):
        tamper = dict.fromkeys((GET_INFO, GET_REGION_INFO, GET_IRQ_INFO), noise(seed))
        either(run(Scripted(tamper=tamper), "info", "--json"))
    each([(seed, seed) for seed in range(1, 60)], check)
