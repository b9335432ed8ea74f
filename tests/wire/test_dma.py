# SPDX-License-Identifier: BSD-3-Clause
"""DMA_MAP and DMA_UNMAP with shared memory: what the device reaches, and files that cannot be trusted."""

import errno
import fcntl
import os
import select
import socket
import struct

import pytest
from edu import PAGE, TO_BUFFER, TO_MEMORY, bus_master, copy
from serving import SLOW
from session import (DMA_MAP, DMA_UNMAP, MAP_READ, MAP_WRITE, NO_REPLY, UNMAP_ALL, UNMAP_BITMAP,
                     dma_map, dma_unmap)

BOTH = MAP_READ | MAP_WRITE
MODE_MMAP, MODE_FILE = 4, 8
TOP = 1 << 64
U32, U64 = (1 << 32) - 1, (1 << 64) - 1
HERE, THERE = 0x100000, 0x800000
CANNOT_BE = (errno.EINVAL, errno.EACCES, errno.ENOTSUP, errno.ENODEV)


def memory(keep, pages=4, seed=1):
    """A memfd with different bytes in each page."""
    fd = keep(os.memfd_create("memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    os.write(fd, bytes((at * 7 + at // PAGE + seed) & 0xff for at in range(pages * PAGE)))
    return fd


def page(fd, number):
    return os.pread(fd, PAGE, number * PAGE)


def moves(session, fd, iova, number=0):
    """Whether the device reads and writes page `number` of the file at this iova."""
    before, scratch = page(fd, number), os.memfd_create("scratch")
    try:
        os.ftruncate(scratch, PAGE)
        session.map(0xff00000, PAGE, fd=scratch)
        copy(session, TO_BUFFER, iova)
        copy(session, TO_MEMORY, 0xff00000)
        session.unmap(0xff00000, PAGE)
        return page(scratch, 0) == before
    finally:
        os.close(scratch)


# ---- what the device reaches ----

def test_there_and_back(client, keep):
    fd = memory(keep)
    client.map(HERE, 3 * PAGE, fd=fd, offset=PAGE)
    first, others = page(fd, 1), [page(fd, n) for n in (0, 2)]
    assert copy(client, TO_BUFFER, HERE) == 0
    assert copy(client, TO_MEMORY, HERE + 2 * PAGE) == 0
    assert page(fd, 3) == first
    assert [page(fd, n) for n in (0, 2)] == others
    client.unmap(HERE, 3 * PAGE)


def test_across_adjacent_mappings(client, keep):
    low, high = memory(keep, 1, 1), memory(keep, 1, 2)
    client.map(HERE, PAGE, fd=low)
    client.map(HERE + PAGE, PAGE, fd=high)
    expected = page(low, 0)[-100:] + page(high, 0)[:200]
    assert copy(client, TO_BUFFER, HERE + PAGE - 100, 300) == 0
    assert copy(client, TO_MEMORY, HERE + PAGE - 150, 300) == 0
    assert (page(low, 0)[-150:] + page(high, 0)[:150]) == expected


def test_nothing_without_bus_master(client, keep):
    fd = memory(keep)
    client.map(HERE, PAGE, fd=fd)
    before = page(fd, 0)
    assert copy(client, TO_BUFFER, HERE) == 0
    client.put(0, 0x80, 8, 0x40000)
    client.put(0, 0x88, 8, HERE)
    client.put(0, 0x90, 8, 64)
    os.pwrite(fd, bytes(PAGE), 0)
    bus_master(client, False)
    client.ask(10, struct.pack("=QIIQ", 0x98, 0, 8, 3))
    assert page(fd, 0) == bytes(PAGE) != before


@pytest.mark.parametrize("mode", (0, MODE_MMAP, MODE_FILE))
def test_protection(client, keep, mode):
    fd = memory(keep)
    first, third = page(fd, 0), page(fd, 2)
    client.map(HERE, PAGE, MAP_READ | mode, fd=fd)
    client.map(HERE + PAGE, PAGE, MAP_WRITE | mode, PAGE, fd)
    client.map(HERE + 2 * PAGE, PAGE, BOTH | mode, 2 * PAGE, fd)
    assert copy(client, TO_BUFFER, HERE) == 0
    copy(client, TO_MEMORY, HERE)
    assert page(fd, 0) == first
    copy(client, TO_BUFFER, HERE + PAGE)  # not permitted: the buffer stays
    assert copy(client, TO_MEMORY, HERE + 2 * PAGE) == 0
    assert page(fd, 2) == first != third
    assert copy(client, TO_MEMORY, HERE + PAGE) == 0
    assert page(fd, 1) == first


def test_a_file_opened_for_less(client, keep, tmp_path):
    path = str(tmp_path / "file")
    with open(path, "wb") as out:
        out.write(bytes(PAGE))
    reading, writing = keep(os.open(path, os.O_RDONLY)), keep(os.open(path, os.O_WRONLY))
    errs = (errno.EACCES, errno.EINVAL)
    for mode in (0, MODE_MMAP, MODE_FILE):
        for fd, flags in ((reading, MAP_WRITE), (reading, BOTH), (writing, MAP_READ), (writing, BOTH)):
            client.refused(DMA_MAP, dma_map(HERE, PAGE, flags | mode), errs, fds=[fd])
        client.map(HERE, PAGE, MAP_READ | mode, fd=reading)
        client.unmap(HERE, PAGE)


def test_a_sealed_file(client, keep):
    fd = memory(keep)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    client.map(HERE, PAGE, fd=fd)
    assert moves(client, fd, HERE)
    frozen = memory(keep)
    fcntl.fcntl(frozen, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    reply = client.ask(DMA_MAP, dma_map(THERE, PAGE), fds=[frozen])
    before = page(frozen, 0)
    copy(client, TO_MEMORY, THERE)
    assert reply.error and page(frozen, 0) == before
    client.in_step()


def test_the_clients_descriptor_may_go(client, keep):
    fd = memory(keep)
    twin = os.dup(fd)
    client.map(HERE, PAGE, fd=twin)
    os.close(twin)
    assert moves(client, fd, HERE)


# ---- what is not mapped ----

@pytest.mark.parametrize("length", range(32))
def test_truncated(server, length):
    server.client().killed(DMA_MAP, dma_map(HERE, PAGE)[:length])


@pytest.mark.parametrize("pad", (1, 8, 4096, 1 << 20))
def test_oversized(server, pad):
    server.client().killed(DMA_MAP, dma_map(HERE, PAGE) + bytes(pad))
    server.client().killed(DMA_UNMAP, dma_unmap(HERE, PAGE) + bytes(16 + pad))


def test_too_many_descriptors(server, keep):
    fd = memory(keep)
    for count in (2, 3, 8, 100, 253):
        server.client().killed(DMA_MAP, dma_map(HERE, PAGE), fds=[fd] * count)
    server.client().killed(DMA_UNMAP, dma_unmap(HERE, PAGE), fds=[fd])


def test_arguments(client, keep):
    fd = memory(keep)
    for shared in ([fd], []):
        for argsz in range(32):
            client.refused(DMA_MAP, dma_map(HERE, PAGE, argsz=argsz), fds=shared)
        for flags in [0, 16, BOTH | 16, MODE_MMAP, MODE_FILE, BOTH | MODE_MMAP | MODE_FILE, U32,
                      BOTH | 1 << 31]:
            client.refused(DMA_MAP, dma_map(HERE, PAGE, flags), fds=shared)
        for addr, size in ((HERE, 0), (0, 0), (U64, 0), (HERE, U64), (PAGE, TOP - PAGE + 1),
                           (TOP - PAGE, 2 * PAGE), (TOP - PAGE, PAGE + 1), (U64, 2), (U64 - 1, 3),
                           (1 << 63, (1 << 63) + PAGE), (HERE + 1, PAGE), (HERE, PAGE - 1), (HERE, PAGE + 1),
                           (HERE + 8, PAGE - 8)):
            client.refused(DMA_MAP, dma_map(addr, size), fds=shared)
    for flags in (BOTH | MODE_MMAP, BOTH | MODE_FILE):
        client.refused(DMA_MAP, dma_map(HERE, PAGE, flags))
    client.refused(DMA_MAP, dma_map(HERE, PAGE, BOTH, 1), fds=[fd])
    # nothing of it is there
    client.map(HERE, PAGE, fd=fd)


def test_file_too_short(client, keep):
    fd = memory(keep, 2)
    for mode in (0, MODE_MMAP, MODE_FILE):
        for offset, size in ((0, 3 * PAGE), (PAGE, 2 * PAGE), (2 * PAGE, PAGE), (1 << 40, PAGE), (1 << 63, PAGE),
                             (TOP - PAGE, PAGE), (0, 1 << 40), (0, 1 << 62), (TOP - 2 * PAGE, PAGE)):
            client.refused(DMA_MAP, dma_map(HERE, size, BOTH | mode, offset), fds=[fd])
    empty = keep(os.memfd_create("empty"))
    client.refused(DMA_MAP, dma_map(HERE, PAGE), fds=[empty])
    client.map(HERE, 2 * PAGE, fd=fd)


def test_not_memory(client, keep):
    reading, writing = os.pipe()
    one, other = socket.socketpair()
    with select.epoll() as epoll:
        kinds = [reading, writing, one.detach(), other.detach(), os.dup(epoll.fileno()), os.eventfd(0),
                 os.open("/", os.O_RDONLY), os.open("/dev/null", os.O_RDWR),
                 os.open("/proc/self/maps", os.O_RDONLY), os.open("/", os.O_PATH)]
    for fd in kinds:
        keep(fd)
        for mode in (0, MODE_MMAP, MODE_FILE):
            client.refused(DMA_MAP, dma_map(HERE, PAGE, BOTH | mode), CANNOT_BE + (errno.EBADF,), fds=[fd])


def test_overlap(client, keep):
    fd = memory(keep)
    client.map(HERE, 2 * PAGE, fd=fd)
    for addr, size in ((HERE, 2 * PAGE), (HERE, PAGE), (HERE + PAGE, PAGE), (HERE + PAGE, 2 * PAGE),
                       (HERE - PAGE, 2 * PAGE), (HERE - PAGE, 4 * PAGE)):
        for shared in ([fd], []):
            client.refused(DMA_MAP, dma_map(addr, size), (errno.EEXIST,), fds=shared)
    client.refused(DMA_MAP, dma_map(0, TOP - PAGE), (errno.EEXIST,))
    client.map(HERE - PAGE, PAGE, fd=fd)
    client.map(HERE + 2 * PAGE, PAGE, fd=fd)
    assert moves(client, fd, HERE)


# ---- unmapping ----

@pytest.mark.parametrize("length", range(24))
def test_unmap_truncated(server, length):
    server.client().killed(DMA_UNMAP, dma_unmap(HERE, PAGE)[:length])


def test_unmap_exactly(client, keep):
    fd = memory(keep)
    client.map(HERE, PAGE, fd=fd)
    assert moves(client, fd, HERE)
    client.unmap(HERE, PAGE)
    before = page(fd, 0)
    copy(client, TO_MEMORY, HERE)
    assert page(fd, 0) == before
    client.map(HERE, PAGE, fd=fd)
    assert moves(client, fd, HERE)


def test_unmap_by_range(client, keep):
    """As QEMU asks: many mappings, or none."""
    fd = memory(keep)
    for n in range(4):
        client.map(HERE + 2 * n * PAGE, PAGE, fd=fd, offset=n * PAGE)
    client.unmap(HERE + PAGE, PAGE)  # a hole
    client.unmap(HERE - 8 * PAGE, 8 * PAGE)
    client.unmap(0, HERE)
    client.unmap(HERE + 7 * PAGE, 1 << 40)
    assert all(moves(client, fd, HERE + 2 * n * PAGE, n) for n in range(4))
    client.unmap(HERE + PAGE, 4 * PAGE)  # the second and the third
    before = [page(fd, n) for n in range(4)]
    for n in (1, 2):
        copy(client, TO_MEMORY, HERE + 2 * n * PAGE)
    assert [page(fd, n) for n in range(4)] == before
    assert moves(client, fd, HERE) and moves(client, fd, HERE + 6 * PAGE, 3)
    client.unmap(0, TOP - PAGE)
    client.map(HERE, 8 * PAGE)


def test_unmap_straddles(client, keep):
    """All or nothing: a mapping that reaches over an end stays, and so does what lies inside."""
    fd = memory(keep)
    client.map(HERE, 2 * PAGE, fd=fd)
    client.map(HERE + 4 * PAGE, 2 * PAGE, fd=fd, offset=2 * PAGE)
    for addr, size in ((HERE, PAGE), (HERE + PAGE, PAGE), (HERE + PAGE, 5 * PAGE), (HERE, 5 * PAGE),
                       (HERE - PAGE, 2 * PAGE), (HERE + 5 * PAGE, PAGE), (0, HERE + PAGE)):
        client.refused(DMA_UNMAP, dma_unmap(addr, size))
    assert moves(client, fd, HERE) and moves(client, fd, HERE + 4 * PAGE, 2)


def test_unmap_all(client, keep):
    fd = memory(keep)
    client.unmap(0, 0, UNMAP_ALL)
    for n in range(20):
        client.map(HERE + 2 * n * PAGE, PAGE, fd=fd)
    client.unmap(0, 0, UNMAP_ALL)
    before = page(fd, 0)
    for n in range(20):
        copy(client, TO_MEMORY, HERE + 2 * n * PAGE)
    assert page(fd, 0) == before
    client.map(HERE, 40 * PAGE)
    client.unmap(0, 0, UNMAP_ALL)


def test_unmap_arguments(client, keep):
    fd = memory(keep)
    client.map(HERE, PAGE, fd=fd)
    for argsz in range(24):
        client.refused(DMA_UNMAP, dma_unmap(HERE, PAGE, argsz=argsz))
    for flags in (4, 8, UNMAP_ALL | 4, 1 << 31, U32 - 1):
        client.refused(DMA_UNMAP, dma_unmap(HERE, PAGE, flags))
    for addr, size in ((HERE, 0), (HERE, U64), (TOP - PAGE, 2 * PAGE), (U64, 2), (PAGE, TOP - 1)):
        client.refused(DMA_UNMAP, dma_unmap(addr, size))
    for addr, size in ((HERE, PAGE), (0, PAGE), (HERE, 0), (0, U64)):
        client.refused(DMA_UNMAP, dma_unmap(addr, size, UNMAP_ALL))
    assert moves(client, fd, HERE)


def test_unmap_with_a_bitmap(client, keep):
    """Nothing is recorded; refused whatever it says. What it gives when something is: test_dirty.py."""
    fd = memory(keep)
    client.map(HERE, PAGE, fd=fd)
    errs = (errno.EINVAL, errno.ENOTSUP, errno.E2BIG)
    for argsz in (40, 48, U32):
        for pgsize, size in ((PAGE, 8), (PAGE, 0), (0, 8), (3, 8), (1, 8), (PAGE, U64), (U64, 8), (1 << 63, 8)):
            client.refused(DMA_UNMAP, dma_unmap(HERE, PAGE, UNMAP_BITMAP, argsz) + struct.pack("=QQ", pgsize, size),
                           errs)
    assert moves(client, fd, HERE)


def test_unmap_bitmap_truncated(server):
    whole = dma_unmap(HERE, PAGE, UNMAP_BITMAP, 40) + struct.pack("=QQ", PAGE, 8)
    for length in range(24, 40):
        server.client().killed(DMA_UNMAP, whole[:length])


def test_the_top_of_the_address_space(client):
    """iova + length may be 2^64: the last page can be had, and taken back."""
    reply = client.ask(DMA_MAP, dma_map(TOP - PAGE, PAGE))
    assert reply.error in (0, errno.ERANGE)
    client.unmap(TOP - PAGE, PAGE)
    client.unmap(0, 0, UNMAP_ALL)


# ---- how many ----

def test_as_many_as_there_may_be(server):
    """And one more; the limit is what VERSION agreed."""
    session = server.connect()
    most = session.hello()[1]["max_dma_maps"]
    assert most == 65535
    if SLOW:  # the sanitizers' run makes do with a limit of the client's own
        session.close()
        session = server.connect()
        most = session.hello(caps={"max_dma_maps": 2000})[1]["max_dma_maps"]
    for n in range(most):
        session.send(DMA_MAP, dma_map(n * 2 * PAGE, PAGE), flags=NO_REPLY)
    session.refused(DMA_MAP, dma_map(1 << 40, PAGE), (errno.ENOSPC,))
    session.unmap(2 * PAGE, PAGE)
    session.map(1 << 40, PAGE)
    session.refused(DMA_MAP, dma_map(1 << 41, PAGE), (errno.ENOSPC,))
    session.unmap(0, 0, UNMAP_ALL)


def test_more_files_than_fit(server, keep):
    """Mappings of files, pipelined and never taken back: all of it goes with the client."""
    fd = memory(keep, 1)
    session = server.client()
    for n in range(300):
        session.send(DMA_MAP, dma_map(n * PAGE, PAGE), fds=[fd], flags=NO_REPLY)
    session.in_step()
    session.close()


# ---- a file that shrinks ----

@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
@pytest.mark.parametrize("mode", (0, MODE_MMAP))
def test_file_cut_off(server, keep, direction, mode):
    """The access faults, the process lives, and who did it is dropped."""
    fd = memory(keep)
    session = server.client()
    session.map(HERE, 4 * PAGE, BOTH | mode, fd=fd)
    assert copy(session, direction, HERE + 3 * PAGE) == 0
    os.ftruncate(fd, PAGE)
    assert copy(session, direction, HERE) == 0
    copy(session, direction, HERE + 3 * PAGE)
    session.ends()
    other = server.client()
    other.map(HERE, PAGE, fd=fd)
    assert moves(other, fd, HERE)


@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
def test_file_cut_off_and_reached_by_reading(server, keep, direction):
    """Without a mapping of it there is no fault: the transfer fails, or grows the file; nobody dies."""
    fd = memory(keep)
    session = server.client()
    session.map(HERE, 4 * PAGE, BOTH | MODE_FILE, fd=fd)
    os.ftruncate(fd, PAGE)
    copy(session, direction, HERE + 3 * PAGE)
    session.in_step()


def test_file_cut_off_and_grown_again(server, keep):
    """What was replaced after a fault stays the server's own: the client must not go on as if nothing was."""
    fd = memory(keep)
    session = server.client()
    session.map(HERE, 4 * PAGE, fd=fd)
    os.ftruncate(fd, 0)
    os.ftruncate(fd, 4 * PAGE)
    assert copy(session, TO_MEMORY, HERE + 2 * PAGE) == 0
    session.in_step()


def test_many_files_cut_off(server, keep):
    """Each one's end is found, not only the first's."""
    for _ in range(5):
        session = server.client()
        fds = [memory(keep) for _ in range(4)]
        for n, fd in enumerate(fds):
            session.map(HERE + 16 * n * PAGE, 4 * PAGE, fd=fd)
            os.ftruncate(fd, 0)
        copy(session, TO_BUFFER, HERE + 48 * PAGE)
        session.ends()
