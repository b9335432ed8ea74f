# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors to map regions by: one for all areas, or SPARSE_MMAP_FDS for whoever says that it understands that."""

import os
import struct

import pytest
from encoder import CAP_SPARSE_MMAP, CAP_SPARSE_MMAP_FDS
from session import CAPS, ENCODER, GET_REGION_INFO

PAGE = 4096
READ, WRITE, MMAP, HAS_CAPS = 1, 2, 4, 8
KNOWS = dict(CAPS, vfiokit={"sparse_fds": True})


@pytest.fixture
def ask(keep):
    """ask(session, index, argsz): (info, {capability: areas}, descriptors, which are closed after the test)."""
    def asked(session, index, argsz=4096):
        reply = session.ask(GET_REGION_INFO, ENCODER.region_info(argsz, index=index))
        assert not reply.error
        for fd in reply.fds:
            keep(fd)
        info, areas = ENCODER.decode_region_info(reply.payload), {}
        for id, at in info["caps"]:
            count = struct.unpack_from("=I", reply.payload, at)[0]
            layout = struct.Struct("=QQ" if id == CAP_SPARSE_MMAP else "=QQQII")
            areas[id] = [layout.unpack_from(reply.payload, at + 8 + n * layout.size) for n in range(count)]
        return info, areas, reply.fds
    return asked


def first(fd, offset):
    return os.pread(fd, 1, offset)[0]


@pytest.mark.parametrize("caps", (CAPS, KNOWS))
def test_one_for_all_areas(rich, ask, caps):
    """Both kinds of clients; it begins at the region's offset."""
    info, areas, fds = ask(rich.client(caps=caps), 1)
    assert info["flags"] == READ | WRITE | MMAP | HAS_CAPS and info["offset"] == PAGE
    assert areas == {CAP_SPARSE_MMAP: [(0, PAGE), (2 * PAGE, PAGE)]} and len(fds) == 1
    assert [first(fds[0], info["offset"] + offset) for offset, _ in areas[CAP_SPARSE_MMAP]] == [0xa1, 0xa3]


def test_one_each(rich, ask):
    info, areas, fds = ask(rich.client(caps=KNOWS), 2)
    assert info["flags"] & MMAP and len(fds) == 2
    assert areas == {CAP_SPARSE_MMAP_FDS: [(0, 0, PAGE, 0, 0), (2 * PAGE, 3 * PAGE, PAGE, 1, 0)]}
    assert [first(fds[index], at) for _, at, _, index, _ in areas[CAP_SPARSE_MMAP_FDS]] == [0xa0, 0xb3]


def test_an_area_without(rich, ask):
    """It is left out: the client reaches it by messages."""
    _, areas, fds = ask(rich.client(caps=KNOWS), 3)
    assert areas == {CAP_SPARSE_MMAP_FDS: [(0, 0, PAGE, 0, 0), (3 * PAGE, 3 * PAGE, PAGE, 1, 0)]} and len(fds) == 2


@pytest.mark.parametrize("index", (2, 3))
@pytest.mark.parametrize("caps", (CAPS, dict(CAPS, vfiokit={"sparse_fds": False}), dict(KNOWS, max_msg_fds=1)))
def test_not_for_who_cannot_use_them(rich, ask, index, caps):
    """No descriptors, no areas, no flag: all by messages."""
    info, areas, fds = ask(rich.client(caps=caps), index)
    assert info["flags"] & ~HAS_CAPS == READ | WRITE and areas == {} and fds == []


def test_no_descriptors_at_all(rich, ask):
    client = rich.client(caps=dict(KNOWS, max_msg_fds=0))
    for index in (1, 2, 3):
        info, areas, fds = ask(client, index)
        assert not info["flags"] & MMAP and areas == {} and fds == []


@pytest.mark.parametrize("index", (1, 2, 3))
def test_no_room_for_the_areas(rich, ask, index):
    """Then nothing is handed out: the client asks again."""
    client = rich.client(caps=KNOWS)
    need = ask(client, index)[0]["argsz"]
    for argsz in (32, need - 1):
        reply = client.ask(GET_REGION_INFO, ENCODER.region_info(argsz, index=index))
        assert len(reply.payload) == 32 and not reply.fds
        assert struct.unpack("=I", reply.payload[:4])[0] == need
    assert ask(client, index, need)[2]
