#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/fuzz/seeds: good messages of the independent encoder, framed as each target wants them.

    tests/fuzz/seeds.py

The files are checked in, so that a build needs no run of it. The framing is described at the head of
each target.
"""

import os
import struct
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "wire"))
import encoder as e  # noqa: E402  (needs the path above)

E = e.Encoder()
CAPS = {"max_msg_fds": 8, "max_data_xfer_size": 65536, "max_dma_maps": 100, "pgsizes": 4096,
        "twin_socket": {"supported": True, "fd_index": 0}, "write_multiple": True,
        "migration": {"pgsize": 4096, "max_bitmap_size": 4096},
        "vfiokit": {"irq_count": True, "sparse_fds": True}}
AREAS = [(0, 4096), (8192, 4096)]
FD_AREAS = [(0, 0, 4096, 0), (8192, 4096, 4096, 1)]
MEMORY = 0x100000           # MAPPED of server_session.c
UNSHARED = MEMORY + 0x10000
BAR0, CONFIG = 0, 7

MEMFD, SEALED, SHORT, EVENTFD, PIPE, _, SOCKET = range(7)


def fds(kind, count):
    """The byte of descriptors.h."""
    return (kind * 16 + count) & 0xff


# ---- wire.c: decoder, extra, payload ----

(W_VERSION, W_DEVICE_INFO, W_REGION_INFO, W_REGION_IO_FDS, W_IRQ_INFO, W_SET_IRQS, W_REGION_ACCESS,
 W_DMA_ACCESS, W_DMA_MAP, W_DMA_UNMAP, W_MIGRATION, W_FEATURE, W_FEATURE_REPLY, W_HEADER) = range(14)


def region_chain(flags=15):
    return E.region_info(flags=flags, size=65536, caps=[
        (e.CAP_SPARSE_MMAP, E.sparse(AREAS)), (e.CAP_TYPE, bytes(8)), (e.CAP_MSIX_MAPPABLE, b"")])


def wire():
    sub = {"offset": 16, "size": 4, "fd_index": 1, "datamatch": 5}
    yield "version", W_VERSION, 1, E.version(caps=CAPS)
    yield "version-many-fds", W_VERSION, 1, E.version(caps={"max_msg_fds": 800})
    yield "version-bare", W_VERSION, 0, E.version()
    yield "version-empty", W_VERSION, 0, E.version(raw=b'{"capabilities":{}}\0')
    yield "device-info", W_DEVICE_INFO, 0, E.device_info(16, 3, 9, 5)
    yield "device-info-chain", W_DEVICE_INFO, 64, struct.pack("=6IHHI", 32, 11, 9, 5, 24, 0, 9, 1, 0)
    yield "region-info", W_REGION_INFO, 0, E.region_info(flags=3, size=4096)
    yield "region-info-sparse", W_REGION_INFO, 1, region_chain()
    yield "region-info-per-area", W_REGION_INFO, 2, region_chain()
    yield "region-info-fd-areas", W_REGION_INFO, 2, E.region_info(
        flags=15, size=65536, caps=[(e.CAP_SPARSE_MMAP_FDS, E.sparse_fds(FD_AREAS))])
    yield "region-io-fds", W_REGION_IO_FDS, 2, E.region_io_fds(0, [sub])
    yield "region-io-fds-long", W_REGION_IO_FDS, 2, E.region_io_fds(0, [sub, sub], entry_size=48)
    yield "irq-info", W_IRQ_INFO, 0, E.irq_info(0, flags=1, count=3)
    yield "irqs-eventfd", W_SET_IRQS, 5, E.irq_set(2, e.DATA_EVENTFD | e.TRIGGER, 3, 5)
    yield "irqs-bool", W_SET_IRQS, 0, E.irq_set(1, e.DATA_BOOL | e.MASK, 2, 4, b"\1\0\1\1")
    yield "irqs-disable", W_SET_IRQS, 0, E.irq_set(1, e.DATA_NONE | e.TRIGGER, 0, 0)
    yield "irqs-granted", W_SET_IRQS, 1, E.irq_granted(5)
    yield "region-read", W_REGION_ACCESS, 0, E.region_access(0, 0, 8, bytes(8))
    yield "write-multi", W_REGION_ACCESS, 0, E.write_multi([(0, 0, bytes(4)), (8, 1, bytes(8))])
    yield "dma-read", W_DMA_ACCESS, 7, E.dma_access(0, 8, bytes(8))
    yield "dma-read-old", W_DMA_ACCESS, 7, E.old_dma_access(0, 8, bytes(8))
    yield "dma-map", W_DMA_MAP, 1, E.dma_map(4096, 8192)
    yield "dma-unmap", W_DMA_UNMAP, 0, E.dma_unmap(4096, 8192)
    yield "dma-unmap-bitmap", W_DMA_UNMAP, 1, E.dma_unmap_bitmap(0, 4096, 4096, 8) + bytes(8)
    yield "migration", W_MIGRATION, 0, E.mig_data(8, bytes(8))
    yield "precopy-info", W_MIGRATION, 0, E.precopy_info()
    yield "logging-start", W_FEATURE, 0, E.feature(e.SET | 6, E.logging_start(4096, [(0, 8192)]))
    yield "logging-report", W_FEATURE, 0, E.feature(e.GET | 8, E.logging_report(0, 1 << 20, 4096), 64)
    yield "low-power", W_FEATURE, 1, E.feature(e.SET | 4, struct.pack("=iI", -1, 0))
    yield "migration-flags", W_FEATURE_REPLY, 0, E.feature(e.GET | 1, bytes(8))
    yield "logging-report-reply", W_FEATURE_REPLY, 4, E.feature(
        e.GET | 8, E.logging_report(0, 1 << 20, 4096, bytes(32)))
    yield "header", W_HEADER, 0, E.message(1, e.REGION_READ, E.region_access(0, 0, 4))
    yield "header-error", W_HEADER, 1, E.error(1, e.DMA_MAP, 22)


# ---- server_session.c: flags, records ----

VERSION, PLAIN, TURNS, MASTER, MAPPED, NULL = (1 << n for n in range(6))
S_COMMAND, _, S_REPLY, S_LIE, S_RAW, S_TURN, S_POKE, S_ANSWER = range(8)
READY = VERSION | MASTER | MAPPED


def part(payload):
    return struct.pack("=H", len(payload)) + payload


def command(number, payload=b"", spec=0, flags=0):
    return bytes([S_COMMAND, spec, number, flags]) + part(payload)


def reply(number, payload=b"", errno=0):
    return bytes([S_REPLY, 0, number, errno]) + part(payload)


def poke(off, value):
    return bytes([S_POKE, 0]) + struct.pack("=IQ", off, value)


def transfer(source, destination, count, how):
    """The edu device's DMA engine (QEMU, docs/specs/edu.rst)."""
    return poke(0x80, source) + poke(0x88, destination) + poke(0x90, count) + poke(0x98, how)


def server_session():
    region = lambda number, payload: command(number, payload)  # noqa: E731
    yield "infos", VERSION, b"".join(
        [command(e.DEVICE_GET_INFO, E.device_info())] +
        [command(e.DEVICE_GET_REGION_INFO, E.region_info(4096, index=i)) for i in (0, 7, 8)] +
        [command(e.DEVICE_GET_IRQ_INFO, E.irq_info(i)) for i in range(3)] +
        [command(e.DEVICE_GET_REGION_IO_FDS, E.region_io_fds(0, argsz=4096))])
    yield "greeting", 0, command(e.VERSION, E.version(caps=CAPS)) + command(e.DEVICE_RESET)
    yield "greeting-twice", VERSION | PLAIN, command(e.VERSION, E.version())
    yield "regions", VERSION | MASTER, b"".join([
        region(e.REGION_READ, E.region_access(0, CONFIG, 256)),
        region(e.REGION_WRITE, E.region_access(4, BAR0, 4, b"abcd")),
        region(e.REGION_READ, E.region_access(4, BAR0, 4)),
        region(e.REGION_READ, E.region_access(0, 6, 64)),
        region(e.REGION_WRITE_MULTI, E.write_multi([(4, BAR0, bytes(4)), (8, BAR0, b"\5\0\0\0")])),
        command(e.REGION_WRITE, E.region_access(0x60, BAR0, 4, b"\1\0\0\0"), flags=e.NO_REPLY),
        command(e.DEVICE_RESET)])
    yield "config", VERSION, b"".join(
        [region(e.REGION_WRITE, E.region_access(at, CONFIG, 4, b"\xff" * 4)) for at in range(0, 0x60, 4)] +
        [region(e.REGION_READ, E.region_access(0, CONFIG, 128))])
    yield "intx", VERSION | MASTER, b"".join([
        command(e.DEVICE_SET_IRQS, E.irq_set(0, e.DATA_EVENTFD | e.TRIGGER), fds(EVENTFD, 1)),
        command(e.DEVICE_SET_IRQS, E.irq_set(0, e.DATA_EVENTFD | e.UNMASK), fds(EVENTFD, 1)),
        poke(0x60, 1), command(e.DEVICE_SET_IRQS, E.irq_set(0, e.DATA_NONE | e.MASK)),
        command(e.DEVICE_SET_IRQS, E.irq_set(0, e.DATA_BOOL | e.UNMASK, data=b"\1")), poke(0x64, 1),
        command(e.DEVICE_SET_IRQS, E.irq_set(0, e.DATA_NONE | e.TRIGGER, count=0))])
    yield "msi", VERSION | MASTER, b"".join([
        command(e.DEVICE_SET_IRQS, E.irq_set(1, e.DATA_EVENTFD | e.TRIGGER), fds(EVENTFD, 1)),
        poke(0x20, 0x80), poke(0x08, 5), poke(0x60, 3),
        command(e.DEVICE_SET_IRQS, E.irq_set(1, e.DATA_NONE | e.TRIGGER)),
        command(e.DEVICE_SET_IRQS, E.irq_set(1, e.DATA_EVENTFD | e.TRIGGER))])
    yield "dma-shared", READY, b"".join([
        transfer(MEMORY, 0x40000, 4096, 1), transfer(0x40000, MEMORY + 4096, 4096, 3),
        command(e.DMA_UNMAP, E.dma_unmap(MEMORY, 0x10000))])
    yield "dma-messages", READY, b"".join([
        transfer(UNSHARED, 0x40000, 64, 1), reply(e.DMA_READ, E.dma_access(UNSHARED, 64, bytes(64))),
        transfer(0x40000, UNSHARED + 64, 32, 7), reply(e.DMA_WRITE, E.dma_access(UNSHARED + 64, 32))])
    yield "dma-messages-old", READY, b"".join([
        transfer(UNSHARED, 0x40000, 64, 1), reply(e.DMA_READ, E.old_dma_access(UNSHARED, 64, bytes(64))),
        transfer(0x40000, UNSHARED, 32, 3), reply(e.DMA_WRITE)])
    yield "dma-question", READY, b"".join([
        transfer(0x40000, UNSHARED, 32, 3), reply(e.DMA_READ, errno=22), reply(e.DMA_WRITE, E.dma_access(UNSHARED, 32)),
        transfer(0x40000, UNSHARED, 32, 3), reply(e.DMA_WRITE)])
    yield "dma-question-old", READY, b"".join([
        transfer(0x40000, UNSHARED, 32, 3), reply(e.DMA_READ, E.old_dma_access(UNSHARED, 8, bytes(8))),
        reply(e.DMA_WRITE)])
    yield "dma-answered", READY, b"".join(
        transfer(*how) + bytes([S_ANSWER, 0]) for how in (
            (UNSHARED, 0x40000, 4096, 1), (0x40000, UNSHARED, 4096, 7), (UNSHARED, 0x40000, 8, 1)))
    yield "dma-refused", READY, transfer(UNSHARED, 0x40000, 64, 1) + reply(e.DMA_READ, errno=14)
    yield "dma-queued", READY, b"".join([
        transfer(UNSHARED, 0x40000, 64, 1), command(e.DEVICE_GET_INFO, E.device_info()),
        command(e.DMA_UNMAP, E.dma_unmap(UNSHARED, 0x10000)),
        reply(e.DMA_READ, E.dma_access(UNSHARED, 64, bytes(64)))])
    yield "maps", VERSION, b"".join(
        [command(e.DMA_MAP, E.dma_map(MEMORY + n * 0x20000, 0x10000, 3), fds(kind, 1))
         for n, kind in enumerate((MEMFD, SEALED, SHORT, EVENTFD, PIPE))] +
        [command(e.DMA_MAP, E.dma_map(1 << 40, 4096, 1 | 4), fds(MEMFD, 1)),
         command(e.DMA_MAP, E.dma_map(2 << 40, 4096, 1 | 8, 4096), fds(MEMFD, 1)),
         command(e.DMA_UNMAP, E.dma_unmap(0, 0, 2))])
    yield "dirty", READY, b"".join([
        command(e.DEVICE_FEATURE, E.feature(e.SET | 6, E.logging_start(4096, [(MEMORY, 0x10000)]))),
        transfer(0x40000, MEMORY + 4096, 4096, 3),
        command(e.DEVICE_FEATURE, E.feature(e.GET | 8, E.logging_report(MEMORY, 0x10000, 4096), 40)),
        command(e.DMA_UNMAP, E.dma_unmap_bitmap(MEMORY, 0x10000, 4096, 8)),
        command(e.DEVICE_FEATURE, E.feature(e.SET | 7))])
    yield "features", VERSION, b"".join(
        [command(e.DEVICE_FEATURE, E.feature(e.PROBE | n)) for n in range(12)] +
        [command(e.DEVICE_FEATURE, E.feature(e.GET | 1, argsz=16)),
         command(e.DEVICE_FEATURE, E.feature(e.SET | 4, struct.pack("=iI", -1, 0)), fds(EVENTFD, 1))])
    yield "migration", VERSION, b"".join([
        command(e.MIG_DATA_READ, E.mig_data(64)), command(e.MIG_DATA_WRITE, E.mig_data(4, b"abcd")),
        command(e.GET_PRECOPY_INFO, E.precopy_info())])
    yield "posted", VERSION | MASTER, b"".join(
        [command(e.REGION_WRITE, E.region_access(4, BAR0, 4, b"abcd"), flags=e.NO_REPLY)] * 3 +
        [command(e.REGION_WRITE_MULTI, E.write_multi([(4, BAR0, bytes(4)), (1 << 40, BAR0, bytes(8))]),
                 flags=e.NO_REPLY), region(e.REGION_READ, E.region_access(4, BAR0, 4))])
    yield "turns", READY | TURNS, b"".join([
        command(e.DEVICE_GET_INFO, E.device_info()), transfer(MEMORY, 0x40000, 16, 1),
        command(20), command(e.DIRTY_PAGES), command(e.DMA_READ, E.dma_access(0, 4))])
    yield "raw", VERSION, bytes([S_RAW, 0]) + part(E.message(9, e.DEVICE_RESET) * 2 + b"\1\0\r") + \
        bytes([S_TURN, 0]) + bytes([S_RAW, 0]) + part(E.message(1, e.DEVICE_RESET)[3:])
    yield "lie", VERSION, bytes([S_LIE, 0, e.DEVICE_GET_INFO, 0]) + struct.pack("=I", 64) + \
        part(E.device_info())
    yield "null", VERSION | NULL, command(e.DEVICE_GET_INFO, E.device_info()) + \
        command(e.DEVICE_GET_REGION_INFO, E.region_info(64))


# ---- client_reply.c: flags, parts, records ----

GOOD_OPEN, GO_ON = 1, 2
INFO, MAP, REGION, IRQ, FEATURE, DMA, DIRTY, RESET = (1 << n for n in range(8))
P_GOOD, P_REPLY, P_PATCHED, P_ERROR, P_COMMAND, P_RAW, P_STRAY, P_END, P_SILENT = range(9)


def answer(payload=b"", spec=0):
    return bytes([P_REPLY, spec]) + part(payload)


def asks(number, payload, flags=0):
    return bytes([P_COMMAND, 0, number, flags]) + part(payload)


def client_reply():
    good = bytes([P_GOOD])
    yield "version", 0, 0xff, answer(E.version(caps=CAPS)) + answer(E.device_info(16, 3, 9, 5))
    yield "version-bare", GO_ON, INFO | RESET, answer(E.version(minor=1)) + good * 3
    yield "device-info", GO_ON, INFO, good + answer(struct.pack("=6IHHI", 32, 11, 2, 2, 24, 0, 1, 1, 0))
    for name, bit in (("infos", INFO), ("maps", MAP), ("regions", REGION), ("irqs", IRQ), ("features", FEATURE),
                      ("dma", DMA), ("dirty", DMA | DIRTY), ("reset", RESET)):
        yield name, GOOD_OPEN | GO_ON, bit, b""
        yield name + "-refused", GOOD_OPEN | GO_ON, bit, good + bytes([P_ERROR, 0]) + struct.pack("=I", 22)
    yield "everything", GOOD_OPEN | GO_ON, 0xff, b""
    yield "map-one", GOOD_OPEN | GO_ON, MAP, answer(
        E.region_info(flags=7, size=0x8000), fds(MEMFD, 1)) * 2
    yield "map-short", GOOD_OPEN | GO_ON, MAP, answer(E.region_info(flags=7, size=0x8000), fds(SHORT, 1)) * 2
    yield "map-sparse", GOOD_OPEN | GO_ON, MAP, answer(region_chain(7), fds(SEALED, 2)) * 2 + \
        answer(E.region_info(flags=15, index=1, size=65536, caps=[
            (e.CAP_SPARSE_MMAP_FDS, E.sparse_fds(FD_AREAS))]), fds(SEALED, 2)) * 2
    yield "chain-again", GOOD_OPEN | GO_ON, INFO, answer(E.region_info(argsz=4096, flags=11, size=4096)) + \
        answer(region_chain(7))
    sub = {"offset": 16, "size": 4}
    yield "io-fds", GOOD_OPEN | GO_ON, REGION, good * 6 + answer(
        E.region_io_fds(0, [sub, dict(sub, offset=32, fd_index=1)]), fds(EVENTFD, 2)) * 3
    yield "io-fds-long", GOOD_OPEN | GO_ON, REGION, good * 6 + answer(
        E.region_io_fds(0, [sub, dict(sub, offset=32, type=2)], entry_size=48), fds(EVENTFD, 1)) * 3
    yield "precopy-info", GOOD_OPEN | GO_ON, FEATURE, good * 5 + answer(E.precopy_info(1, 5, 6)) * 3
    yield "dirty-unmap", GOOD_OPEN | GO_ON, DMA | DIRTY, good * 5 + answer(
        E.dma_unmap_bitmap(0x10000000, 0x1000, 4096, 8) + b"\1" + bytes(7)) * 4
    yield "irqs-granted", GOOD_OPEN | GO_ON, IRQ, good * 2 + answer(E.irq_granted(2))
    iova = 0x10000000
    yield "dma-asked", GOOD_OPEN | GO_ON, DMA, good * 2 + \
        asks(e.DMA_READ, E.dma_access(iova, 64)) + asks(e.DMA_WRITE, E.dma_access(iova, 4, b"abcd")) + \
        asks(e.DMA_READ, E.dma_access(0, 64)) + asks(e.DEVICE_RESET, b"") + good
    yield "silent", GOOD_OPEN | GO_ON, REGION, bytes([P_SILENT, 0]) + good
    yield "stray", GOOD_OPEN | GO_ON, REGION, bytes([P_STRAY, 0]) + struct.pack("=HBI", 64, 9, 20) + part(b"abcd")
    yield "raw", GOOD_OPEN, REGION, bytes([P_RAW, 0]) + part(b"\x40\0\t\0") + bytes([P_END, 0])
    yield "patched", GOOD_OPEN | GO_ON, INFO, bytes([P_PATCHED, 0, 16]) + struct.pack("=Q", 1 << 63)


# ---- version.c: flags, descriptors, payload ----

CLIENT, TWIN = 1, 2


def version():
    twin = dict(CAPS, twin_socket={"supported": True, "fd_index": 0})
    several = dict(CAPS, twin_socket={"supported": True, "fd_index": 1})
    offered = dict(CAPS, twin_socket={"supported": True})
    payloads = {
        "caps": E.version(caps=CAPS), "bare": E.version(), "older": E.version(minor=0),
        "newer": E.version(minor=3, caps=CAPS), "other": E.version(major=1), "offered": E.version(caps=offered),
        "one-fd": E.version(caps={"max_msg_fds": 1}), "no-fd": E.version(caps={"max_msg_fds": 0}),
        "short": E.version(caps={"max_data_xfer_size": 8}), "few": E.version(caps={"max_dma_maps": 1}),
        "pages": E.version(caps={"pgsizes": 65536}), "false": E.version(caps={"write_multiple": False}),
        "text": E.version(raw=b'{"capabilities":{"max_msg_fds":"8"}}\0'), "cut": E.version(raw=b'{"capab'),
        "deep": E.version(raw=b'{"a":[[[[{}]]]],"capabilities":{"b":null}}\0')}
    for name, payload in payloads.items():
        yield "server-" + name, 0, 0, payload
        yield "client-" + name, CLIENT, 0, payload
    yield "client-twin", CLIENT | TWIN, fds(SOCKET, 1), E.version(caps=twin)
    yield "client-twin-second", CLIENT | TWIN, fds(SOCKET, 2), E.version(caps=several)
    yield "client-twin-memory", CLIENT | TWIN, fds(MEMFD, 1), E.version(caps=twin)
    yield "client-twin-not-asked", CLIENT, fds(SOCKET, 1), E.version(caps=twin)


def write(target, name, data):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name + ".bin"), "wb") as out:
        out.write(data)


def main():
    for name, decoder, extra, payload in wire():
        write("wire", name, bytes([decoder, extra]) + payload)
    for name, flags, records in server_session():
        write("server_session", name, bytes([flags]) + records)
    for name, flags, spec, payload in version():
        write("version", name, bytes([flags, spec]) + payload)
    for name, flags, parts, records in client_reply():
        write("client_reply", name, bytes([flags, parts]) + records)


if __name__ == "__main__":
    main()
