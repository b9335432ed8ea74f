# SPDX-License-Identifier: BSD-3-Clause
"""A server's DMA_READ and DMA_WRITE to a client, while it waits for a reply or for an interrupt; and the
client's own DMA_MAP and DMA_UNMAP, when the server's replies cannot be."""

import errno
import os
import struct
import time

import pytest
from scripted import (DMA_CLIENT, STEPS, TIMEOUT_MS, Device, Hangup, Scripted, each, fails, fails_in_time, run, sound,
                      works)
from session import (DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE, ERROR, FEATURE, NO_REPLY, REGION_READ, REPLY, SET_IRQS,
                     UNMAP_ALL, pack)

PAGE = 4096
# dma_client's memory: read and write, read, write (these by messages), and one page that is shared
RW, RO, WO, SHARED = 0x10000, 0x11000, 0x12000, 0x20000
U64 = (1 << 64) - 1
ID = "0x010000ed\n"


def front(addr, count):
    return struct.pack("=QQ", addr, count)


@pytest.fixture
def memory(tmp_path):
    """The path of the client's memory; each page is filled with its number plus 1."""
    path = tmp_path / "memory"
    path.write_bytes(b"".join(bytes([n + 1]) * PAGE for n in range(4)))
    return str(path)


def contents(memory):
    with open(memory, "rb") as data:
        return data.read()


def before_reading(act):
    """Does this when the client asks for a register, before it is answered."""
    def tamper(peer, message):
        act(peer)
        peer.raw(*peer.good(message))
    return {REGION_READ: tamper}


def while_reading(act, memory):
    return run(Scripted(tamper=before_reading(act)), "read", memory, program=DMA_CLIENT)


def read(peer, addr, count):
    """What the client says to a DMA_READ: bytes, or an errno."""
    reply = peer.command(DMA_READ, front(addr, count))
    if reply.flags & ERROR:
        return reply.error
    assert reply.payload[:16] == front(addr, count) and len(reply.payload) == 16 + count
    return reply.payload[16:]


def write(peer, addr, data):
    """What the client says to a DMA_WRITE: 0, or an errno."""
    reply = peer.command(DMA_WRITE, front(addr, len(data)) + data)
    if not reply.flags & ERROR:
        assert reply.payload == front(addr, len(data))
    return reply.error


# ---- as it should be ----

def test_while_a_request_waits(memory):
    def act(peer):
        assert read(peer, RW, 4) == b"\1\1\1\1"
        assert read(peer, RW, PAGE) == b"\1" * PAGE
        assert read(peer, RO + PAGE - 1, 1) == b"\2"
        assert read(peer, SHARED, 16) == b"\4" * 16
        assert read(peer, RW + PAGE - 8, 16) == b"\1" * 8 + b"\2" * 8  # across two mappings
        assert write(peer, RW + 5, b"hello") == 0
        assert write(peer, WO, b"\xaa" * PAGE) == 0
        assert write(peer, SHARED + PAGE - 1, b"z") == 0
        assert read(peer, RW + 4, 7) == b"\1hello\1"
    works(while_reading(act, memory), ID)
    data = contents(memory)
    assert data[5:10] == b"hello" and data[2 * PAGE:3 * PAGE] == b"\xaa" * PAGE and data[-1:] == b"z"
    assert data[PAGE:2 * PAGE] == b"\2" * PAGE


def test_while_waiting_for_an_interrupt(memory):
    """No request is under way: the wait serves the server."""
    def arm(peer, message):
        peer.raw(*peer.good(message))
        if not peer.device.events or peer.device.signalled:
            return
        peer.device.signalled = True
        for n in range(20):
            assert read(peer, RW, 8) == (b"\1" * 8 if n == 0 else struct.pack("=Q", n - 1))
            assert write(peer, RW, struct.pack("=Q", n)) == 0
        peer.device.signal(1, 0)
    device = Device()
    device.signalled = False
    result = run(Scripted(device, {SET_IRQS: arm}), "wait", memory, program=DMA_CLIENT)
    works(result, "1 signals\n")
    assert contents(memory)[:8] == struct.pack("=Q", 19)


def test_several_under_way(memory):
    """Asked at once, answered each; in whatever order, nothing mixed up."""
    def act(peer):
        ids = {peer.send(DMA_READ, front(RW + n, 8)): n for n in range(50)}
        while ids:
            reply = peer.receive()
            assert reply.command == DMA_READ and reply.flags == REPLY
            assert reply.payload[:16] == front(RW + ids.pop(reply.id), 8)
    works(while_reading(act, memory), ID)


def test_before_anything_is_mapped():
    """In the middle of opening: there is no memory yet, and that is the answer."""
    def early(peer, message):
        for addr in (0, RW, U64):
            assert isinstance(read(peer, addr, 1), int) and write(peer, addr, b"x")
        peer.raw(*peer.good(message))
    works(run(Scripted(tamper={command: early for command in (4, 5, 9)}), "read", "bar0", "0", "4"), ID)


def test_nobody_wants_a_reply(memory):
    def act(peer):
        peer.send(DMA_WRITE, front(RW, 4) + b"abcd", flags=NO_REPLY)
        peer.send(DMA_READ, front(RW, 4), flags=NO_REPLY)
        peer.send(DMA_WRITE, front(RO, 4) + b"abcd", flags=NO_REPLY)
        assert read(peer, RW, 4) == b"abcd"
    works(while_reading(act, memory), ID)


def test_ids_are_the_servers_own(memory):
    """Those of its commands and those of the client's are two things: the same number twice is no confusion."""
    def tamper(peer, message):
        for id in (message.id, 0, 0xffff, message.id):
            reply = peer.command(DMA_READ, front(RW, 4), id=id)
            assert reply.payload[16:] == b"\1\1\1\1"
        peer.raw(*peer.good(message))
    works(run(Scripted(tamper={REGION_READ: tamper}), "read", memory, program=DMA_CLIENT), ID)


# ---- what the client must not do ----

OUTSIDE = [(0, 1), (RW - 1, 1), (RW - 1, 2), (RW - PAGE, PAGE), (WO + PAGE, 1), (SHARED + PAGE, 1),
           (SHARED + PAGE - 1, 2), (SHARED - 1, 2),
           (1 << 63, 8), (U64, 1), (U64, 2), (U64 - 7, 8), (U64 - 7, 16), (U64 - 4095, 8192)]


def test_outside_of_what_is_mapped(memory):
    """An error reply; nothing of it is read or written, and all goes on."""
    def act(peer):
        for addr, count in OUTSIDE:
            assert isinstance(read(peer, addr, count), int), (hex(addr), count)
            assert write(peer, addr, b"\xee" * count), (hex(addr), count)
        assert read(peer, RW, 4) == b"\1\1\1\1"
    works(while_reading(act, memory), ID)
    assert b"\xee" not in contents(memory)


def test_against_the_protection(memory):
    def act(peer):
        for addr, count in ((RO, 1), (RO + PAGE - 1, 1), (RO, PAGE), (RW + PAGE - 4, 8), (RO + PAGE - 4, 8),
                            (RW, 3 * PAGE)):
            assert write(peer, addr, b"\xee" * count), (hex(addr), count)
        for addr, count in ((WO, 1), (WO + PAGE - 1, 1), (WO, PAGE), (RO + PAGE - 4, 8), (RW, 3 * PAGE)):
            assert isinstance(read(peer, addr, count), int), (hex(addr), count)
    works(while_reading(act, memory), ID)
    assert b"\xee" not in contents(memory)


@pytest.mark.parametrize("count", (0, 1 << 21, 1 << 31, 1 << 32, (1 << 32) + 4, 1 << 63, U64 - 15, U64))
def test_counts_of_a_read(memory, count):
    """None, or more than a message can bring: refused, and nothing is allocated for it."""
    def act(peer):
        assert peer.command(DMA_READ, front(RW, count)).flags & ERROR
    works(while_reading(act, memory), ID)


@pytest.mark.parametrize("count, data", ((4, 3), (4, 5), (4, 0), (0, 4), (1 << 32 | 4, 4), (U64, 4), (U64 - 15, 4)))
def test_count_of_a_write_is_not_the_data(memory, count, data):
    def act(peer):
        peer.send(DMA_WRITE, front(RW, count) + b"\xee" * data)
        peer.silence()
    fails(while_reading(act, memory))
    assert b"\xee" not in contents(memory)


@pytest.mark.parametrize("command", (DMA_READ, DMA_WRITE))
def test_truncated(memory, command):
    def check(_, length):
        def act(peer):
            peer.send(command, front(RW, 4)[:length])
            peer.silence()
        fails(while_reading(act, memory))
    each([(length, length) for length in range(16)], check)


def test_oversized(memory):
    def act(peer):
        peer.send(DMA_READ, front(RW, 4) + bytes(1))
        peer.silence()
    fails(while_reading(act, memory))

    def huge(peer):
        peer.send(DMA_WRITE, front(RW, 4) + bytes(4), size=0xffffffff)
        peer.silence()
    fails(while_reading(huge, memory))


def test_descriptors(memory):
    for command, payload in ((DMA_READ, front(RW, 4)), (DMA_WRITE, front(RW, 4) + b"\xee" * 4)):
        def act(peer, command=command, payload=payload):
            fd = os.eventfd(0)
            peer.send(command, payload, fds=[fd])
            os.close(fd)
            peer.silence()
        fails(while_reading(act, memory))


def test_death_in_the_middle_of_a_command(memory):
    def check(_, cut):
        def act(peer):
            peer.raw(pack(DMA_WRITE, front(RW, 4) + b"\xee" * 4)[:cut])
            raise Hangup
        fails(while_reading(act, memory))
    each([(cut, cut) for cut in range(36)], check)


def test_a_server_that_never_stops_asking(memory):
    """Served all the while, and still the request's own bound holds."""
    def act(peer):
        end = time.monotonic() + 6 * TIMEOUT_MS / 1000
        while time.monotonic() < end:
            peer.send(DMA_READ, front(RW, 4))
            if peer.receive().flags & 0xf != REPLY:
                break  # it goes, and takes its mappings back
        raise Hangup
    fails_in_time(Scripted(tamper=before_reading(act)), "read", memory, program=DMA_CLIENT)


def test_a_server_that_asks_and_does_not_listen(memory):
    """Answers that nobody takes: the client does not wait for ever to give them."""
    def act(peer):
        peer.sock.settimeout(5 * TIMEOUT_MS / 1000)
        try:
            while True:
                peer.raw(b"".join(pack(DMA_READ, front(RW, PAGE)) for _ in range(100)))
        except TimeoutError:
            raise Hangup from None
    fails_in_time(Scripted(tamper=before_reading(act)), "read", memory, program=DMA_CLIENT)


# ---- the client's own DMA_MAP and DMA_UNMAP ----

def test_what_it_maps(memory):
    """Three mappings without a descriptor, one with; all taken back in the end."""
    result = run(Scripted(), "unmap", memory, program=DMA_CLIENT)
    works(result, "%d bytes\n" % (4 * PAGE))
    maps = [(struct.unpack("=IIQQQ", m.payload), len(m.fds)) for m in result.seen if m.command == DMA_MAP]
    assert [(m[1] & 3, m[3], m[4]) for m, _ in maps] == [(3, RW, PAGE), (1, RO, PAGE), (2, WO, PAGE), (3, SHARED, PAGE)]
    assert maps[3][0][2] == 3 * PAGE
    gone = sum(PAGE * 4 if m.payload[4] & UNMAP_ALL else struct.unpack("=Q", m.payload[16:24])[0]
               for m in result.seen if m.command == DMA_UNMAP)
    assert gone >= 4 * PAGE


# ---- all at once ----

def unmaps(result):
    """(flags, addr, size) of each DMA_UNMAP."""
    return [struct.unpack("=IQQ", m.payload[4:24]) for m in result.seen if m.command == DMA_UNMAP]


THREE = ("map=0x100000,1", "map=0x200000,2", "map=0x300000,1")
ALL = (UNMAP_ALL, 0, 0)
EACH = [(0, 0x100000, PAGE), (0, 0x200000, 2 * PAGE), (0, 0x300000, PAGE)]


def steps(*words, **tamper):
    result = run(Scripted(tamper={DMA_UNMAP: tamper["unmap"]} if tamper else None), *words, program=STEPS)
    sound(result)
    return result


def test_all_at_once():
    """One message, when it is detached and when it is closed."""
    result = steps(*THREE, "detach", "attach")
    assert result.out.splitlines()[-2:] == ["detach 0", "attach 0"], result
    assert unmaps(result) == [ALL, ALL]
    assert len([m for m in result.seen if m.command == DMA_MAP]) == 6


def test_one_of_one():
    assert unmaps(steps(THREE[0], "detach")) == EACH[:1]


def test_all_when_closed():
    assert unmaps(steps(*THREE)) == [ALL]


@pytest.mark.parametrize("error", (errno.EINVAL, errno.ENOTSUP, errno.ENOENT, errno.EPERM))
def test_all_refused(error):
    """By a server without the flag: one by one, and it is not asked again."""
    def tamper(peer, message):
        if message.payload[4] & UNMAP_ALL:
            peer.respond(message, flags=REPLY | ERROR, error=error)
        else:
            peer.raw(*peer.good(message))
    result = steps(*THREE, "detach", "attach", "detach", unmap=tamper)
    assert result.out.splitlines()[-3:] == ["detach 0", "attach 0", "detach 0"], result
    assert unmaps(result) == [ALL] + EACH + EACH


def test_all_in_use():
    """A server may have let go of some when it says so: each is asked for; what cannot go stays, and all others come back."""
    busy = {0, 0x200000}

    def tamper(peer, message):
        addr = struct.unpack("=Q", message.payload[8:16])[0]
        if addr in busy:
            busy.discard(addr)
            peer.respond(message, flags=REPLY | ERROR, error=errno.EBUSY)
        else:
            peer.raw(*peer.good(message))
    result = steps(*THREE, "detach", "detach", unmap=tamper)
    assert result.out.splitlines()[-2:] == ["detach %d" % -errno.EBUSY, "detach 0"], result
    assert unmaps(result) == [ALL] + EACH[:2] + [ALL], result
    maps = [struct.unpack("=Q", m.payload[16:24])[0] for m in result.seen if m.command == DMA_MAP]
    assert maps == [0x100000, 0x200000, 0x300000, 0x100000], maps


def test_all_without_an_answer():
    result = run(Scripted(tamper={DMA_UNMAP: lambda peer, message: peer.silence()}), *THREE, "detach", program=STEPS,
                 timeout_ms=TIMEOUT_MS)
    sound(result)
    assert unmaps(result) == [ALL]
    assert result.out.splitlines()[-1] == "detach 0", result


def test_what_was_written_is_asked_for_one_by_one():
    device = Device()
    device.on_echo = lambda message: (message.payload + bytes(8 if message.payload[4] & 1 else 0), [])
    result = run(Scripted(device, {FEATURE: lambda peer, message: peer.respond(message, message.payload)}), *THREE,
                 "dirty=1", "detach", program=STEPS)
    sound(result)
    assert ALL not in unmaps(result)


BAD_EMPTY = {
    "a payload": lambda peer, message: peer.respond(message, bytes(7)),
    "another id": lambda peer, message: peer.respond(message, id=message.id ^ 1),
    "another command": lambda peer, message: peer.respond(message, command=DMA_READ),
    "an error": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=errno.EEXIST),
    "not there": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=errno.ENOENT),
    "an error without a number": lambda peer, message: peer.respond(message, flags=REPLY | ERROR),
    "an errno that cannot be": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=1 << 20),
    "size 15": lambda peer, message: peer.respond(message, size=15),
}


@pytest.mark.parametrize("what", BAD_EMPTY)
def test_map(memory, what):
    fails(run(Scripted(tamper={DMA_MAP: BAD_EMPTY[what]}), "read", memory, program=DMA_CLIENT))


def test_map_and_unmap_without_an_answer(memory):
    """The server may reach the memory or not: it is not spoken to again."""
    def silent(peer, message):
        peer.silence()
    fails_in_time(Scripted(tamper={DMA_MAP: silent}), "read", memory, program=DMA_CLIENT)
    result = run(Scripted(tamper={DMA_UNMAP: silent}), "unmap", memory, program=DMA_CLIENT, timeout_ms=TIMEOUT_MS)
    sound(result)
    assert len([message for message in result.seen if message.command == DMA_UNMAP]) == 1


REFUSALS = {"an error", "an error without a number"}


@pytest.mark.parametrize("what", [what for what in BAD_EMPTY if what not in REFUSALS])
def test_unmap(memory, what):
    """Whatever the server says: afterwards nothing of the memory is given to it any more, and that is what was
    asked for. One that will not let go is not spoken to again."""
    gone = []

    def tamper(peer, message):
        if gone:
            # The one before has returned: its memory is the program's own again.
            reply = peer.command(DMA_READ, gone[-1] + struct.pack("=Q", 4))
            assert reply.flags & ERROR, "memory that was unmapped is read"
        gone.append(message.payload[8:16])
        BAD_EMPTY[what](peer, message)
    sound(run(Scripted(tamper={DMA_UNMAP: tamper}), "unmap", memory, program=DMA_CLIENT))


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EEXIST, errno.ETIMEDOUT, errno.ECONNRESET, errno.ENODEV, 0])
def test_unmap_refused(memory, error):
    """The server still has it, whatever its reason is: it stays, and the connection does."""
    def refuse(peer, message):
        peer.respond(message, flags=REPLY | ERROR, error=error)
    fails(run(Scripted(tamper={DMA_UNMAP: refuse}), "unmap", memory, program=DMA_CLIENT))


def test_map_death_at_every_byte(memory):
    def check(_, cut):
        def die(peer, message):
            peer.raw(peer.good(message)[0][:cut])
            raise Hangup
        fails(run(Scripted(tamper={DMA_MAP: die}), "read", memory, program=DMA_CLIENT))
    each([(cut, cut) for cut in range(16)], check)


def test_unmap_death_at_every_byte(memory):
    """With the server gone its reach is gone, so that the unmap has done what it should."""
    def check(_, cut):
        def die(peer, message):
            peer.raw(peer.good(message)[0][:cut])
            raise Hangup
        sound(run(Scripted(tamper={DMA_UNMAP: die}), "unmap", memory, program=DMA_CLIENT))
    each([(cut, cut) for cut in range(0, 40, 3)], check)


def test_dma_while_unmapping(memory):
    """Whether it is still there then is the client's choice; a crash is not."""
    def tamper(peer, message):
        for addr in (RW, RO, WO, SHARED):
            read(peer, addr, 8)
            write(peer, addr, b"\3" * 8)
        peer.raw(*peer.good(message))
    sound(run(Scripted(tamper={DMA_UNMAP: tamper}), "unmap", memory, program=DMA_CLIENT))
