# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_GET_REGION_IO_FDS: eventfds that ring a model's doorbells, and a device with a shadow ioeventfd."""

import errno
import os
import select
import struct

import pytest
from serving import wait_until
from session import CAPS, CONFIG, ERROR, GET_REGION_IO_FDS

HEAD = struct.Struct("=IIII")  # argsz, flags, index, count
ENTRY = struct.Struct("=QQIIIIQ")  # offset, size, fd_index, type, flags, shadow_fd_index, datamatch
LONG = struct.Struct("=QQIIIIQQ")  # and shadow_offset
RINGS, OFFSET, VALUE, BAR = 0x10, 0x14, 0x18, 0x1c
MATCH = 1
U32 = (1 << 32) - 1


@pytest.fixture
def ask(keep):
    """ask(session, index, argsz): (head, entries, descriptors, which are closed after the test)."""
    def asked(session, index, argsz=4096, layout=ENTRY):
        reply = session.ask(GET_REGION_IO_FDS, HEAD.pack(argsz, 0, index, 0))
        assert not reply.flags & ERROR, reply
        for fd in reply.fds:
            keep(fd)
        body = reply.payload[HEAD.size:]
        return HEAD.unpack(reply.payload[:HEAD.size]), [
            layout.unpack_from(body, at) for at in range(0, len(body), layout.size)], reply.fds
    return asked


def rings(session):
    return [session.get(0, register, 4) for register in (RINGS, OFFSET, VALUE, BAR)]


def test_entries(doorbells, ask):
    head, entries, fds = ask(doorbells.client(), 0)
    assert head == (16 + 4 * 40, 0, 0, 4) and len(fds) == 4
    assert entries == [(0x100, 4, 0, 0, 0, 0, 0), (0x108, 8, 1, 0, MATCH, 0, 7), (0x108, 8, 2, 0, MATCH, 0, 9),
                       (0x110, 2, 3, 0, 0, 0, 0)]


def test_they_ring(doorbells, ask):
    client = doorbells.client()
    _, _, fds = ask(client, 0)
    count = client.get(0, RINGS, 4)
    for fd, offset, value in zip(fds, (0x100, 0x108, 0x108, 0x110), (0, 7, 9, 0x1234)):
        os.eventfd_write(fd, 1)
        count += 1
        wait_until(lambda: rings(client) == [count, offset, value, 0], lambda: "not rung: %r" % rings(client))
    # by a message as ever, with any value
    client.put(0, 0x108, 8, 1234)
    assert rings(client) == [count + 1, 0x108, 1234, 0]


def test_several_signals_are_one_write(doorbells, ask):
    client = doorbells.client()
    _, _, fds = ask(client, 0)
    count = client.get(0, RINGS, 4)
    os.eventfd_write(fds[0], 1000)
    wait_until(lambda: rings(client)[0] > count, "not rung")
    client.in_step()
    assert rings(client)[0] == count + 1


def test_none_while_decoding_is_off(doorbells, ask):
    client = doorbells.client()
    _, _, fds = ask(client, 0)
    count = client.get(0, RINGS, 4)
    command = client.get(CONFIG, 4, 2)
    client.put(CONFIG, 4, 2, command & ~2)
    os.eventfd_write(fds[0], 1)
    wait_until(lambda: not readable(fds[0]), "it was not taken")
    client.put(CONFIG, 4, 2, command)
    assert rings(client)[0] == count


def readable(fd):
    """Whether there is a count; it stays."""
    return bool(select.select([fd], [], [], 0)[0])


def test_asking_again_takes_them_back(doorbells, ask):
    client = doorbells.client()
    _, _, old = ask(client, 0)
    _, _, new = ask(client, 0)
    count = client.get(0, RINGS, 4)
    os.eventfd_write(old[0], 1)
    os.eventfd_write(new[3], 1)
    wait_until(lambda: rings(client)[0] == count + 1, "not rung")
    client.in_step()
    assert rings(client) == [count + 1, 0x110, 0x1234, 0] and readable(old[0])


def test_gone_with_its_client(doorbells, ask):
    client = doorbells.client()
    _, _, fds = ask(client, 0)
    client.close()
    client = doorbells.client()
    count = rings(client)[0]
    os.eventfd_write(fds[0], 1)
    client.in_step()
    assert rings(client)[0] == count and readable(fds[0])


@pytest.mark.parametrize("room", (1, 16, 64, 1000))
def test_as_many_as_the_client_takes(doorbells, ask, room):
    """The first ones; the others are written by messages."""
    client = doorbells.client(caps=dict(CAPS, max_msg_fds=room))
    head, entries, fds = ask(client, 1, 8192)
    assert len(fds) == len(entries) == head[3] == min(room, 64)
    assert [entry[0] for entry in entries] == [4 * n for n in range(len(entries))]
    os.eventfd_write(fds[-1], 1)
    wait_until(lambda: rings(client)[1:] == [entries[-1][0], len(fds) - 1, 1], "not rung")


def test_no_descriptors_at_all(doorbells, ask):
    client = doorbells.client(caps=dict(CAPS, max_msg_fds=0))
    assert ask(client, 0) == ((16, 0, 0, 0), [], [])


@pytest.mark.parametrize("argsz", (16, 17, 16 + 4 * 40 - 1))
def test_no_room(doorbells, ask, argsz):
    """How much is needed, and nothing handed out."""
    client = doorbells.client()
    assert ask(client, 0, argsz) == ((16 + 4 * 40, 0, 0, 4), [], [])
    assert len(ask(client, 0, 16 + 4 * 40)[2]) == 4


def test_regions_without(doorbells, rich, ask):
    for session in (doorbells.client(), rich.client()):
        for index in (2, CONFIG, 8):
            assert ask(session, index) == ((16, 0, index, 0), [], [])
        session.close()


def test_shadow(rich, ask):
    """libvfio-user's form, of 48 bytes each; the second has two descriptors."""
    client = rich.client()
    head, entries, fds = ask(client, 0, layout=LONG)
    assert head == (16 + 2 * 48, 0, 0, 2) and len(fds) == 3
    assert entries == [(0x10, 4, 0, 0, 0, 0, 0, 0), (0x800, 0, 1, 2, 0, 2, 0, 64)]
    assert os.fstat(fds[2]).st_size == 4096
    client.close()
    client = rich.client(caps=dict(CAPS, max_msg_fds=2))
    head, entries, fds = ask(client, 0)
    assert head == (16 + 40, 0, 0, 1) and len(fds) == 1


def test_what_cannot_be_asked(doorbells):
    client = doorbells.client()
    for request in (HEAD.pack(15, 0, 0, 0), HEAD.pack(0, 0, 0, 0), HEAD.pack(4096, 1, 0, 0), HEAD.pack(4096, 0, 0, 1),
                    HEAD.pack(4096, 0, 9, 0), HEAD.pack(4096, 0, U32, 0), HEAD.pack(4096, U32, 0, U32)):
        client.refused(GET_REGION_IO_FDS, request, (errno.EINVAL,))
    assert len(client.ask(GET_REGION_IO_FDS, HEAD.pack(U32, 0, CONFIG, 0)).payload) == 16


@pytest.mark.parametrize("length", range(16))
def test_truncated(doorbells, length):
    doorbells.client().killed(GET_REGION_IO_FDS, HEAD.pack(4096, 0, 0, 0)[:length])


def test_descriptors(doorbells, event):
    doorbells.client().killed(GET_REGION_IO_FDS, HEAD.pack(4096, 0, 0, 0), fds=[event])
