# SPDX-License-Identifier: BSD-3-Clause
"""Which pages the device wrote: DMA_LOGGING, and DMA_UNMAP with a bitmap. The device is an edu, whose server records."""

import errno
import os
import struct

import pytest
from edu import PAGE, TO_BUFFER, TO_MEMORY, copy
from session import CAPS, DMA_UNMAP, FEATURE, GET, PROBE, SET, UNMAP_ALL, UNMAP_BITMAP, dma_unmap

START, STOP, REPORT = 6, 7, 8
HERE, PAGES = 0x100000, 16
U64 = (1 << 64) - 1


def feature(flags, data=b"", argsz=None):
    return struct.pack("=II", 8 + len(data) if argsz is None else argsz, flags) + data


def start(session, page=PAGE, ranges=((HERE, PAGES * PAGE),)):
    body = struct.pack("=QII", page, len(ranges), 0) + b"".join(struct.pack("=QQ", *one) for one in ranges)
    session.good(FEATURE, feature(SET | START, body))


def stop(session):
    session.good(FEATURE, feature(SET | STOP))


def report(session, iova=HERE, pages=PAGES, page=PAGE):
    words = (pages + 63) // 64
    asked = struct.pack("=QQQ", iova, pages * page, page)
    reply = session.good(FEATURE, feature(GET | REPORT, asked, 8 + 24 + 8 * words))
    assert reply[8:32] == asked and len(reply) == 32 + 8 * words
    return int.from_bytes(reply[32:], "little")


def with_bitmap(iova=HERE, pages=PAGES, pgsize=PAGE, size=None, argsz=None):
    size = (pages * PAGE // pgsize + 63) // 64 * 8 if size is None else size
    return dma_unmap(iova, pages * PAGE, UNMAP_BITMAP, 40 + size if argsz is None else argsz) + struct.pack(
        "=QQ", pgsize, size)


def unmap(session, **more):
    request = with_bitmap(**more)
    reply = session.good(DMA_UNMAP, request)
    assert reply[:40] == request and len(reply) == 40 + struct.unpack("=Q", request[-8:])[0]
    return int.from_bytes(reply[40:], "little")


@pytest.fixture
def mapped(client, keep):
    fd = keep(os.memfd_create("memory"))
    os.ftruncate(fd, PAGES * PAGE)
    client.map(HERE, PAGES * PAGE, fd=fd)
    return client


def test_probe(client):
    for flags in (SET | START, SET | STOP, GET | REPORT):
        client.good(FEATURE, feature(PROBE | flags))
    client.refused(FEATURE, feature(GET | REPORT, struct.pack("=QQQ", HERE, PAGE, PAGE), 40))
    client.refused(FEATURE, feature(SET | STOP))


def test_report(mapped):
    start(mapped)
    assert report(mapped) == 0
    copy(mapped, TO_MEMORY, HERE + 3 * PAGE - 1, 2)
    copy(mapped, TO_BUFFER, HERE + 8 * PAGE, 64)
    assert report(mapped) == 0b1100
    assert report(mapped) == 0
    copy(mapped, TO_MEMORY, HERE + 15 * PAGE, 64)
    assert report(mapped, HERE + 15 * PAGE, 1) == 1
    mapped.good(FEATURE, feature(PROBE | SET | START))
    stop(mapped)
    mapped.refused(FEATURE, feature(GET | REPORT, struct.pack("=QQQ", HERE, PAGE, PAGE), 40))


def test_started_twice(mapped):
    start(mapped)
    mapped.refused(FEATURE, feature(SET | START, struct.pack("=QIIQQ", PAGE, 1, 0, HERE, PAGE)))
    mapped.refused(FEATURE, feature(GET | REPORT, struct.pack("=QQQ", HERE, PAGE * 2, PAGE * 2), 40))
    stop(mapped)


def test_unmap_tells(mapped):
    start(mapped)
    copy(mapped, TO_MEMORY, HERE + PAGE, 8)
    copy(mapped, TO_MEMORY, HERE + 9 * PAGE, 8)
    assert unmap(mapped) == 1 << 1 | 1 << 9
    assert report(mapped) == 0
    assert mapped.ask(DMA_UNMAP, dma_unmap(HERE, PAGES * PAGE)).error == 0
    stop(mapped)


def test_unmap_of_several(client, keep):
    """The bitmap is of the range, whatever lies in it."""
    fd = keep(os.memfd_create("memory"))
    os.ftruncate(fd, PAGES * PAGE)
    for n in (0, 2, 100):
        client.map(HERE + n * PAGE, PAGE, fd=fd)
    start(client)
    for n in (0, 2, 100):
        copy(client, TO_MEMORY, HERE + n * PAGE, 8)
    assert unmap(client, pages=64) == 0b101
    assert unmap(client, pages=128, size=32) == 1 << 100
    stop(client)


def test_unmap_without_keeps_the_record(mapped):
    """Who did not ask with the unmap can ask afterwards."""
    start(mapped)
    copy(mapped, TO_MEMORY, HERE, 8)
    mapped.unmap(HERE, PAGES * PAGE)
    assert report(mapped) == 1
    stop(mapped)


def test_unmap_of_nothing(client):
    start(client)
    assert unmap(client, iova=0x900000) == 0
    stop(client)


def test_unmap_refused(mapped):
    """And the memory is there still, with its record."""
    mapped.refused(DMA_UNMAP, with_bitmap())
    start(mapped)
    copy(mapped, TO_MEMORY, HERE, 8)
    for request in (with_bitmap(pgsize=2 * PAGE), with_bitmap(size=0), with_bitmap(size=12), with_bitmap(argsz=47),
                    with_bitmap(argsz=24), with_bitmap(pages=8), with_bitmap(iova=HERE + 8 * PAGE),
                    with_bitmap(pgsize=0, size=8), with_bitmap(pgsize=3, size=8)):
        mapped.refused(DMA_UNMAP, request)
    mapped.refused(DMA_UNMAP, with_bitmap(size=1 << 40, argsz=(1 << 32) - 1), (errno.E2BIG,))
    mapped.refused(DMA_UNMAP, dma_unmap(0, 0, UNMAP_ALL | UNMAP_BITMAP, 48) + struct.pack("=QQ", PAGE, 8))
    assert unmap(mapped) == 1
    stop(mapped)


def test_a_bitmap_beyond_what_was_agreed(server):
    client = server.client(caps=dict(CAPS, migration={"pgsize": 4096, "max_bitmap_size": 64}))
    start(client)
    client.refused(DMA_UNMAP, with_bitmap(pages=64 * 9), (errno.E2BIG,))
    assert unmap(client, pages=64 * 8) == 0
    stop(client)


def test_gone_with_its_client(server, keep):
    """The next one finds nothing started."""
    client = server.client()
    start(client)
    client.close()
    client = server.client()
    client.refused(FEATURE, feature(SET | STOP))
    start(client)
