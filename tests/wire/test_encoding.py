# SPDX-License-Identifier: BSD-3-Clause
"""The library's encoders and decoders against the Python ones: what one writes, the other must read.

$WIRECAT is a program that has the library's on lines (wirecat.c). Numbers are random, from a fixed seed.
"""

import errno
import os
import random
import socket
import struct
import subprocess
import sys

import pytest

from encoder import (CAP_MSIX_MAPPABLE, CAP_SPARSE_MMAP, CAP_SPARSE_MMAP_FDS, CAP_TYPE, DATA_BOOL,
                     DATA_EVENTFD, DATA_NONE, DEVICE_RESET, DMA_MAP, ERROR, GET, MASK, NO_REPLY, PROBE, REPLY,
                     SET, TRIGGER, UNMASK, Client, Encoder)

E = Encoder()
ROUNDS = range(25)
R, W, M = 1, 2, 4  # region flags


class Wirecat:
    def __init__(self):
        self.process = subprocess.Popen([os.environ["WIRECAT"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def line(self, verb, what, **values):
        words = ["%s=%s" % (k, v.hex() if isinstance(v, bytes) else int(v)) for k, v in values.items()]
        self.process.stdin.write(" ".join([verb, what] + words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer, "wirecat ended"
        pairs = [word.split("=", 1) for word in answer[1:]]
        return int(answer[0]), dict(pairs), pairs

    def enc(self, what, **values):
        result, fields, _ = self.line("enc", what, **values)
        assert result >= 0, errno.errorcode[-result]
        return bytes.fromhex(fields["hex"])

    def dec(self, what, message, result=0, **values):
        """The decoded fields: numbers, and bytes where they are."""
        got, fields, _ = self.line("dec", what, hex=message, **values)
        assert got == result
        return {k: bytes.fromhex(v) if k in ("info", "kernel", "subs", "writes", "data", "tail") else int(v)
                for k, v in fields.items()}

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


@pytest.fixture(scope="module")
def cat():
    wirecat = Wirecat()
    yield wirecat
    wirecat.close()


@pytest.fixture
def rnd(request):
    return random.Random(request.node.name)


def u(rnd, bits):
    return rnd.choice((rnd.getrandbits(bits), rnd.getrandbits(8), (1 << bits) - 1))


def span(rnd, limit=1 << 64):
    """(start, length) that does not pass the limit."""
    start = rnd.randrange(limit - 1)
    return start, rnd.randint(1, limit - start)


def same(fields, **expected):
    assert {k: fields[k] for k in expected} == expected


def test_header(cat, rnd):
    for _ in ROUNDS:
        id, command, payload = u(rnd, 16), rnd.randint(1, 19), rnd.randrange(1 << 20)
        flags = rnd.choice((0, NO_REPLY))
        ours = E.message(id, command, bytes(payload), flags)[:16]
        assert cat.enc("command", id=id, command=command, flags=flags, payload=payload) == ours
        same(cat.dec("header", ours, max=1 << 21), id=id, command=command, size=16 + payload, flags=flags, error=0)
    for number in (1, errno.EINVAL, 4095):
        assert cat.enc("error", id=5, command=8, errno=number) == E.error(5, 8, number)
        same(cat.dec("header", E.error(5, 8, number), max=64), flags=REPLY | ERROR, error=number)
    cat.dec("header", E.message(1, 9, bytes(4), REPLY | ERROR, error=22), -errno.EPROTO, max=64)
    cat.dec("header", E.message(1, 9, bytes(4), size=99), -errno.EPROTO, max=64)


def test_version(cat):
    for twin in (False, True):
        got = E.decode_version(cat.enc("version", major=0, minor=2, xfer=1 << 20, twin=twin))
        assert (got["major"], got["minor"]) == (0, 2)
        caps = got["caps"]
        assert caps["max_data_xfer_size"] == 1 << 20 and caps["pgsizes"] == 0x7ffff000
        assert caps["write_multiple"] is True and caps["migration"]["pgsize"] == 4096
        assert caps["vfiokit"]["irq_count"] is True
        assert ("twin_socket" in caps) == twin
        assert not twin or caps["twin_socket"] == {"supported": True}
    caps = {"max_msg_fds": 5, "max_data_xfer_size": 8192, "max_dma_maps": 77, "pgsizes": 0x201000,
            "twin_socket": {"supported": True}, "write_multiple": True,
            "migration": {"pgsize": 4096, "max_bitmap_size": 4242}, "vfiokit": {"irq_count": True}, "new": [1]}
    same(cat.dec("version", E.version(0, 1, caps)), major=0, minor=1, max_msg_fds=5, max_data_xfer_size=8192,
         max_dma_maps=77, pgsizes=0x201000, twin=1, write_multiple=1, migration_pgsize=4096,
         migration_max_bitmap=4242, irq_count=1, sparse_fds=0)
    same(cat.dec("version", E.version(1, 9)), major=1, minor=9, max_msg_fds=1, max_data_xfer_size=1 << 20,
         max_dma_maps=65535, pgsizes=4096, twin=0, write_multiple=0, migration_pgsize=0)
    cat.dec("version", E.version(raw=b"{}"), -errno.EINVAL)
    cat.dec("version", E.version(caps={"max_msg_fds": "1"}), -errno.EINVAL)


def test_device_info(cat, rnd):
    for _ in ROUNDS:
        argsz, flags = rnd.randint(16, 1 << 32) - 1 | 16, rnd.choice((1, 2, 3, 16, 33))
        regions, irqs = rnd.randint(0, 1024), rnd.randint(0, 1024)
        assert cat.enc("device_info_request", argsz=argsz) == E.device_info(argsz)
        same(cat.dec("device_info_request", E.device_info(argsz)), argsz=argsz)
        reply = E.device_info(16, flags, regions, irqs)
        assert cat.enc("device_info_reply", argsz=argsz, flags=flags, num_regions=regions, num_irqs=irqs) == reply
        same(cat.dec("device_info_reply", reply), flags=flags, num_regions=regions, num_irqs=irqs)


def test_region_info(cat, rnd):
    for _ in ROUNDS:
        index, argsz, size = u(rnd, 31), rnd.randint(32, 65536), rnd.randrange(1 << 40)
        request = E.region_info(argsz, index=index)
        assert cat.enc("region_info_request", index=index, argsz=argsz) == request
        same(cat.dec("region_info_request", request, num_regions=index + 1), index=index, argsz=argsz)
        plain = E.region_info(flags=R | W | M, index=index, size=size, offset=4096)
        assert cat.enc("region_info_reply", info=plain, argsz=32, fds=1) == plain
        same(cat.dec("region_info_reply", plain, index=index, nfds=1), info=plain, maps=1, per_area=0, fd=0)
        assert cat.dec("region_info_reply", plain, index=index, nfds=0)["info"] == E.region_info(
            flags=R | W, index=index, size=size, offset=4096)


AREAS = [(0x4000, 0x1000), (0, 0x2000), (0x8000, 0x800)]
OTHERS = [(CAP_TYPE, struct.pack("=II", 0x80008086, 1)), (CAP_MSIX_MAPPABLE, b"")]


def test_region_capabilities(cat):
    caps = [OTHERS[0], (CAP_SPARSE_MMAP, E.sparse(AREAS)), OTHERS[1]]
    info = E.region_info(flags=R | W | M, index=2, size=0x10000, offset=0x7000, caps=caps)
    assert cat.enc("region_info_reply", info=info, argsz=4096, fds=1) == info
    same(cat.dec("region_info_reply", info, index=2, nfds=1), info=info, maps=1, per_area=0)
    got = cat.dec("region_info_reply", info, index=2, nfds=3)
    same(got, info=info, maps=3, per_area=1, fd=2, at=0x7000 + 0x8000)
    # No room at the client: the fixed part, and how much it would take.
    short = cat.enc("region_info_reply", info=info, argsz=len(info) - 1, fds=1)
    assert len(short) == 32 and E.unpack("region_info", short)["argsz"] == len(info)
    got = E.unpack("region_info", cat.dec("region_info_reply", short, index=2, nfds=0)["info"])
    assert got["argsz"] == len(info) and got["cap_offset"] == 0


def test_areas_with_descriptors(cat):
    per_area = 2  # VFK_REGION_FD_PER_AREA
    plain = E.region_info(flags=R | W | M, index=2, size=0x10000, caps=[(CAP_SPARSE_MMAP, E.sparse(AREAS)), OTHERS[1]])
    with_fds = [(o, n * 0x100000, s, n) for n, (o, s) in enumerate(AREAS)]
    sent = E.region_info(flags=R | W | M, index=2, size=0x10000,
                         caps=[(CAP_SPARSE_MMAP_FDS, E.sparse_fds(with_fds)), OTHERS[1]])
    assert cat.enc("region_info_reply", info=plain, argsz=4096, fds=3, fd_flags=per_area, sparse_fds=1) == sent
    hidden = cat.enc("region_info_reply", info=plain, argsz=4096, fds=3, fd_flags=per_area, sparse_fds=0)
    assert E.unpack("region_info", hidden)["flags"] & M == 0
    got = cat.dec("region_info_reply", sent, index=2, nfds=3)
    same(got, maps=3, per_area=1, fd=2, at=0x200000)
    seen = E.decode_region_info(got["info"])
    assert [id for id, _ in seen["caps"]] == [CAP_SPARSE_MMAP, CAP_MSIX_MAPPABLE]
    body = E.sparse(AREAS)
    at = seen["caps"][0][1]
    assert got["info"][at:at + len(body)] == body


def test_region_io_fds(cat, rnd):
    subs = [{"offset": 0x10, "size": 4, "fd_index": 1, "type": 0, "flags": 1, "datamatch": u(rnd, 64)},
            {"offset": 0x20, "size": 0, "fd_index": 0, "type": 1, "flags": 2, "datamatch": u(rnd, 64)}]
    packed = E.region_io_fds(3, subs, entry_size=48)[16:]  # the library's structure is the long entry
    assert cat.enc("region_io_fds_request", index=3, argsz=500) == E.region_io_fds(3, argsz=500)
    for entry_size in (40, 48):
        reply = E.region_io_fds(3, subs, entry_size=entry_size)
        assert cat.enc("region_io_fds_reply", index=3, subs=packed, count=2, entry_size=entry_size,
                       argsz=4096) == reply
        same(cat.dec("region_io_fds_reply", reply, index=3, region_size=4096, nfds=2), subs=packed, argsz=len(reply))
        short = E.region_io_fds(3, argsz=len(reply), count=2)
        assert cat.enc("region_io_fds_reply", index=3, subs=packed, count=2, entry_size=entry_size,
                       argsz=len(reply) - 1) == short
        same(cat.dec("region_io_fds_reply", short, index=3, region_size=4096, nfds=0), subs=b"", argsz=len(reply))


def test_irq_info(cat, rnd):
    for _ in ROUNDS:
        index, flags, count = u(rnd, 32), rnd.randrange(16), rnd.randrange(65537)
        assert cat.enc("irq_info_request", index=index) == E.irq_info(index)
        reply = E.irq_info(index, flags=flags, count=count)
        assert cat.enc("irq_info_reply", index=index, flags=flags, count=count) == reply
        same(cat.dec("irq_info_reply", reply, index=index), flags=flags, index=index, count=count)


@pytest.mark.parametrize("action", (MASK, UNMASK, TRIGGER))
def test_set_irqs(cat, rnd, action):
    for _ in ROUNDS:
        start, count = rnd.randrange(16), rnd.randint(1, 8)
        fds = struct.pack("=%di" % count, *range(100, 100 + count))
        away = struct.pack("=%di" % count, *[-1] * count)
        bools = bytes(rnd.randrange(2) for _ in range(count))
        for kind, data, sent, nfds in ((DATA_NONE, b"", b"", 0), (DATA_BOOL, bools, bools, 0),
                                       (DATA_EVENTFD, fds, b"", count), (DATA_EVENTFD, away, b"", 0)):
            message = E.irq_set(1, kind | action, start, count, sent)
            assert cat.enc("set_irqs_request", flags=kind | action, index=1, start=start, count=count,
                           data=data) == message
            same(cat.dec("set_irqs_request", message, nfds=nfds), kernel=E.irq_set(1, kind | action, start, count, data))


def test_set_irqs_reply(cat):
    assert cat.enc("set_irqs_reply", granted=0) == b""
    assert cat.enc("set_irqs_reply", granted=9) == E.irq_granted(9)
    cat.dec("set_irqs_reply", b"", 0, irq_count=0, count=12)
    cat.dec("set_irqs_reply", E.irq_granted(9), 9, irq_count=1, count=12)
    cat.dec("set_irqs_reply", E.irq_granted(9), -errno.EPROTO, irq_count=0, count=12)


def test_region_access(cat, rnd):
    for _ in ROUNDS:
        offset, region, data = u(rnd, 64), u(rnd, 32), rnd.randbytes(rnd.randint(1, 64))
        where = {"offset": offset, "region": region, "count": len(data)}
        front, whole = E.region_access(**where), E.region_access(**where, data=data)
        assert cat.enc("region_access", **where) == front
        assert cat.enc("region_access", **where, data=data) == whole
        same(cat.dec("region_read_request", front), **where)
        same(cat.dec("region_write_request", whole), **where)
        cat.dec("region_read_reply", whole, len(data), **where)
        cat.dec("region_write_reply", front, len(data), **where)
        cat.dec("region_write_request", whole + b"x", -errno.EPROTO)
        cat.dec("region_read_reply", whole[:-1], -errno.EPROTO, **where)


def test_write_multi(cat, rnd):
    for _ in ROUNDS:
        writes = [(u(rnd, 64), u(rnd, 32), rnd.randbytes(rnd.choice((1, 2, 4, 8)))) for _ in range(rnd.randint(1, 20))]
        message = E.write_multi(writes)
        assert cat.enc("write_multi_request", count=len(writes), writes=message[8:]) == message
        same(cat.dec("write_multi_request", message), writes=message[8:])
    assert cat.enc("write_multi_reply", count=7) == E.write_multi_reply(7)


def test_dma_map(cat, rnd):
    for _ in ROUNDS:
        addr, size = span(rnd)
        flags, nfds, offset = rnd.randint(1, 3), 0, 0
        if size < 1 << 62 and rnd.randrange(2):
            flags, nfds, offset = flags | rnd.choice((0, 4, 8)), 1, rnd.randrange(1 << 62)
        message = E.dma_map(addr, size, flags, offset)
        assert cat.enc("dma_map_request", addr=addr, size=size, flags=flags, offset=offset) == message
        same(cat.dec("dma_map_request", message, nfds=nfds), addr=addr, size=size, flags=flags, offset=offset)


def test_dma_unmap(cat, rnd):
    for _ in ROUNDS:
        addr, size = span(rnd)
        message = E.dma_unmap(addr, size)
        assert cat.enc("dma_unmap_request", addr=addr, size=size) == message
        assert cat.enc("dma_unmap_reply", addr=addr, size=size) == message
        same(cat.dec("dma_unmap_request", message), addr=addr, size=size, all=0, bitmap=0)
        pages = rnd.randint(1, 4096)
        need = (pages + 63) // 64 * 8
        where = {"addr": rnd.randrange(1 << 50) << 12, "size": pages << 12}
        message = E.dma_unmap_bitmap(**where, pgsize=4096, bitmap_size=need)
        assert cat.enc("dma_unmap_request", **where, bitmap=1, pgsize=4096, bitmap_size=need) == message
        same(cat.dec("dma_unmap_request", message), **where, bitmap=1, pgsize=4096, bitmap_size=need)
        bits = rnd.randbytes(need)
        assert cat.enc("dma_unmap_reply", **where, bitmap=1, pgsize=4096, bitmap_size=need,
                       data=bits) == message + bits
    assert cat.enc("dma_unmap_request", all=1) == E.dma_unmap(0, 0, 2)
    same(cat.dec("dma_unmap_request", E.dma_unmap(0, 0, 2)), all=1)


def test_dma_access(cat, rnd):
    for _ in ROUNDS:
        addr, data = rnd.randrange(1 << 63), bytes([1]) + rnd.randbytes(rnd.randint(8, 64)) + bytes([1])
        where = {"addr": addr, "count": len(data)}
        front, whole, old = E.dma_access(**where), E.dma_access(**where, data=data), E.old_dma_access(**where, data=data)
        assert cat.enc("dma_access", **where, data=data) == whole
        assert cat.enc("dma_write_request", **where, data=data, form=0) == whole
        assert cat.enc("dma_write_request", **where, data=data, form=2) == old
        same(cat.dec("dma_read_request", front), **where)
        same(cat.dec("dma_write_request", whole), **where)
        same(cat.dec("dma_read_reply", whole, len(data), **where), form=1, data=data)
        same(cat.dec("dma_read_reply", old, len(data), **where), form=2, data=data)
        for reply in (front, E.old_dma_access(**where)[:12], b""):
            cat.dec("dma_write_reply", reply, **where)


def test_features_without_a_tail(cat, rnd):
    fixed = {1: 8, 9: 8}
    for id, size in fixed.items():
        data = rnd.randbytes(size)
        request = E.feature(GET | id, argsz=8 + size)
        assert cat.enc("feature_request", flags=GET | id) == request
        same(cat.dec("feature_request", request), argsz=8 + size)
        reply = E.feature(GET | id, data)
        assert cat.enc("feature_reply", request=request, data=data) == reply
        same(cat.dec("feature_reply", reply, flags=GET | id), data=data)
    for id in (3, 5, 7, 12):
        request = E.feature(SET | id)
        assert cat.enc("feature_request", flags=SET | id) == request
        assert cat.enc("feature_reply", request=request) == request
        cat.dec("feature_request", request)
    for id in range(1, 11):
        assert cat.enc("feature_request", flags=PROBE | id) == E.feature(PROBE | id)
        assert cat.enc("feature_reply", request=E.feature(PROBE | id)) == E.feature(PROBE | id)


def test_feature_device_state(cat):
    for state in range(1, 8):
        kernel, sent = struct.pack("=Ii", state, 77), struct.pack("=Ii", state, -1)
        request = E.feature(SET | 2, sent)
        assert cat.enc("feature_request", flags=SET | 2, data=kernel) == request
        same(cat.dec("feature_request", E.feature(SET | 2, kernel)), data=sent)
        assert cat.enc("feature_reply", request=request, data=kernel) == request
        same(cat.dec("feature_reply", request, flags=SET | 2, data=kernel), data=sent)


def test_feature_logging_start(cat, rnd):
    for _ in ROUNDS:
        ranges = [span(rnd, 1 << 63) for _ in range(rnd.randint(0, 20))]
        data = E.logging_start(4096, ranges)
        request = E.feature(SET | 6, data)
        assert cat.enc("feature_request", flags=SET | 6, data=data[:16], tail=data[16:]) == request
        got = cat.dec("feature_request", request)
        assert got["data"][:16] == data[:16] and got["tail"] == data[16:] and got["argsz"] == 32
        assert cat.enc("feature_reply", request=request) == request
        bigger = E.feature(SET | 6, E.logging_start(65536, ranges))
        same(cat.dec("feature_reply", bigger, flags=SET | 6, data=data[:16]), data=struct.pack("=Q", 65536))


def test_feature_logging_report(cat, rnd):
    for _ in ROUNDS:
        pages = rnd.randint(65, 128)
        front = E.logging_report(rnd.randrange(1 << 50) << 12, pages << 12, 4096)
        request = E.feature(GET | 8, front, argsz=8 + 24 + 16)
        bits, had = rnd.randbytes(16), rnd.randbytes(16)
        assert cat.enc("feature_request", flags=GET | 8, data=front) == request
        got = cat.dec("feature_request", request)
        assert got["data"][:24] == front and got["bitmap_size"] == 16 and got["argsz"] == 40
        reply = E.feature(GET | 8, front + bits)
        assert cat.enc("feature_reply", request=request, tail=bits) == reply
        got = cat.dec("feature_reply", reply, flags=GET | 8, data=front, tail=had)
        assert got["tail"] == bytes(a | b for a, b in zip(bits, had))


def test_migration_data(cat, rnd):
    for _ in ROUNDS:
        data = rnd.randbytes(rnd.randint(1, 200))
        size = len(data)
        assert cat.enc("mig_read_request", size=size) == E.mig_data(size)
        same(cat.dec("mig_read_request", E.mig_data(size)), size=size)
        same(cat.dec("mig_read_request", E.mig_data(size, argsz=8)), size=size)
        assert cat.enc("mig_read_reply", size=size, data=data) == E.mig_data(size, data)
        cat.dec("mig_read_reply", E.mig_data(size, data), size, size=size + 9)
        assert cat.enc("mig_write_request", size=size, data=data) == E.mig_data(size, data)
        same(cat.dec("mig_write_request", E.mig_data(size, data)), size=size)
        assert cat.enc("mig_write_reply", size=size) == E.mig_data(size, argsz=8)
        cat.dec("mig_write_reply", E.mig_data(size, argsz=8), size, size=size)
        cat.dec("mig_write_reply", b"", size, size=size)


def test_precopy_info(cat, rnd):
    for _ in ROUNDS:
        values = {"flags": rnd.randrange(2), "initial_bytes": u(rnd, 64), "dirty_bytes": u(rnd, 64)}
        assert cat.enc("precopy_info_request") == E.precopy_info()
        assert cat.enc("precopy_info_reply", **values) == E.precopy_info(**values)
        same(cat.dec("precopy_info_reply", E.precopy_info(**values)), **values)


def test_client():
    """The Python end itself: whole messages, and descriptors that go with the first byte."""
    ours, theirs = (Client(end) for end in socket.socketpair())
    pipe = os.pipe()
    try:
        ours.send(7, DMA_MAP, E.dma_map(0, 4096), fds=pipe)
        ours.send(8, DEVICE_RESET)
        header, payload, fds = theirs.recv()
        assert (header["id"], header["command"], header["size"]) == (7, DMA_MAP, 48)
        assert payload == E.dma_map(0, 4096) and len(fds) == 2
        os.write(fds[1], b"x")
        assert os.read(pipe[0], 1) == b"x"
        assert theirs.recv()[0]["id"] == 8
        ours.close()
        with pytest.raises(ConnectionError):
            theirs.recv()
    finally:
        for fd in pipe + tuple(fds):
            os.close(fd)
        theirs.close()


def test_byte_orders():
    """The parameter does what it says, so that a test may send the other order."""
    little, big = Encoder("<"), Encoder(">")
    assert little.message(0x1234, 9)[:4] == b"\x34\x12\x09\x00"
    assert big.message(0x1234, 9)[:4] == b"\x12\x34\x00\x09"
    assert (little if sys.byteorder == "little" else big).dma_map(1 << 40, 4096) == E.dma_map(1 << 40, 4096)
    assert big.unpack("region_access", big.region_access(5, 6, 7)) == {"offset": 5, "region": 6, "count": 7}


def test_sizes():
    """The specification's sizes."""
    sizes = {"header": 16, "version": 4, "dma_map": 32, "dma_unmap": 24, "device_info": 16, "region_info": 32,
             "region_io_fds": 16, "sub_region": 40, "irq_info": 16, "irq_set": 20, "region_access": 16,
             "dma_access": 16, "write": 24, "feature": 8, "logging_control": 16, "logging_report": 24,
             "mig_data": 8, "precopy_info": 24, "fd_area": 32}
    assert {name: E.size(name) for name in sizes} == sizes
