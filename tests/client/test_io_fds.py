# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_GET_REGION_IO_FDS of the client: entries of both sizes, and answers that cannot be."""

import errno
import os
import struct

import pytest
from rich_serving import Rich
from scripted import STEPS, TIMEOUT_MS, Scripted, run, sound
from session import ERROR, GET_REGION_IO_FDS as IO_FDS, REPLY

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
SIZE = 1 << 20  # of the scripted device's region 0


def entry(offset=0, size=4, fd=0, type=0, flags=0, shadow=0, match=0, shadow_offset=None):
    body = struct.pack("=QQIIIIQ", offset, size, fd, type, flags, shadow, match)
    return body if shadow_offset is None else body + struct.pack("=Q", shadow_offset)


def reply(*entries, argsz=None, count=None, index=0, flags=0):
    body = b"".join(entries)
    return struct.pack("=IIII", 16 + len(body) if argsz is None else argsz, flags, index,
                       len(entries) if count is None else count) + body


def ask(payload, fds=1, step="iofds=0", error=None):
    """What the call says to this answer, with as many eventfds (or with these descriptors)."""
    events = [os.eventfd(0) for _ in range(fds)] if isinstance(fds, int) else fds

    def tamper(peer, message):
        assert message.payload[4:] == struct.pack("=III", 0, 0, 0)
        if error is None:
            peer.respond(message, payload, events)
        else:
            peer.respond(message, flags=REPLY | ERROR, error=error)
    result = run(Scripted(tamper={IO_FDS: tamper}), step, program=STEPS)
    for fd in events:
        os.close(fd)
    sound(result)
    return result.out.split()[1:]


def said(*entries):
    """steps' words for these (offset, length, type, flags, match, shadow offset)."""
    return [str(len(entries))] + [":".join("%x" % field for field in one) for one in entries]


def test_short_entries():
    assert ask(reply(entry(16), entry(32, 8, 1, 0, 1, 0, 77)), 2) == said((16, 4, 0, 0, 0, 0), (32, 8, 0, 1, 77, 0))


def test_long_entries():
    """The shadow's place is looked at where there is one."""
    assert ask(reply(entry(16, shadow_offset=99), entry(32, 0, 1, 2, 0, 2, 5, 64)), 3) == said(
        (16, 4, 0, 0, 0, 0), (32, 0, 2, 0, 5, 64))


def test_one_descriptor_for_several():
    assert ask(reply(entry(16), entry(32), entry(48)), 1) == said(*[(at, 4, 0, 0, 0, 0) for at in (16, 32, 48)])


def test_more_descriptors_than_are_used():
    assert ask(reply(entry(16)), 16) == said((16, 4, 0, 0, 0, 0))


def test_none():
    assert ask(reply(), 0) == ["0"]
    assert ask(reply(), 3) == ["0"]


def test_most():
    assert ask(reply(*[entry(4 * n, fd=n % 16) for n in range(256)]), 16)[0] == "256"


def test_more_than_there_is_room_for():
    """The caller is told how many, and gets none."""
    assert ask(reply(entry(16), entry(32)), 1, "iofds=0,1") == ["2"]


BAD = {
    "no payload": b"",
    "a short head": bytes(15),
    "another region": reply(entry(), index=1),
    "flags": reply(entry(), flags=1),
    "entries of 41 bytes": reply(entry() + b"\0"),
    "entries of 47 bytes": reply(entry() + bytes(7)),
    "entries of 56 bytes": reply(entry() + bytes(16)),
    "a count too low": reply(entry(), entry(), count=1),
    "a count too high": reply(entry(), count=2),
    "a count of 2^32-1": reply(entry(), count=U32),
    "a count without entries": reply(count=1),
    "argsz below": reply(entry(), argsz=16),
    "argsz above": reply(entry(), argsz=57),
    "argsz beyond everything": reply(argsz=U32, count=U32),
    "a descriptor that was not sent": reply(entry(fd=1)),
    "descriptor 2^32-1": reply(entry(fd=U32)),
    "a shadow that was not sent": reply(entry(type=2, shadow=1, shadow_offset=0)),
    "a shadow in a short entry": reply(entry(type=2)),
    "an unknown type": reply(entry(type=3)),
    "beyond the region": reply(entry(SIZE - 2, 4)),
    "at its end": reply(entry(SIZE, 0)),
    "wraps": reply(entry(U64 - 3, 8)),
    "a size of 2^64-1": reply(entry(0, U64)),
    "too many": reply(*[entry()] * 257),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name):
    assert ask(BAD[name]) == [str(-errno.EPROTO)]


def test_no_eventfd():
    assert ask(reply(entry()), [os.open("/dev/null", os.O_RDWR)]) == [str(-errno.EPROTO)]
    # what an ioregionfd is only its user knows
    assert ask(reply(entry(type=1)), [os.open("/dev/null", os.O_RDWR)])[0] == "1"


@pytest.mark.parametrize("error, told", ((errno.ENOTSUP, errno.ENOTSUP), (errno.ENOSYS, errno.ENOTSUP),
                                         (errno.EINVAL, errno.EINVAL), (0, errno.EIO)))
def test_refused(error, told):
    assert ask(b"", 0, error=error) == [str(-told)]


def test_silence():
    def silent(peer, message):
        peer.silence()
    result = run(Scripted(tamper={IO_FDS: silent}), "iofds=0", program=STEPS, timeout_ms=TIMEOUT_MS)
    assert result.out == "iofds %d\n" % -errno.ETIMEDOUT


def there(device):
    serving = Rich(device=device)
    serving.close_all()
    return serving, type("There", (), {"path": serving.path, "seen": (), "close": lambda self: None})()


def test_our_own_server():
    serving, made = there("doorbell")
    try:
        result = run(made, "iofds=0", "iofds=1", "iofds=2", "iofds=99", "ring=3", "await=0x10,1", "read=0x18", program=STEPS)
        sound(result)
        lines = result.out.splitlines()
        assert lines[0] == "iofds " + " ".join(said((0x100, 4, 0, 0, 0, 0), (0x108, 8, 0, 1, 7, 0), (0x108, 8, 0, 1, 9, 0),
                                                    (0x110, 2, 0, 0, 0, 0)))
        assert lines[1].startswith("iofds 64 ") and lines[2] == "iofds 0"
        assert lines[3] == "iofds %d" % -errno.EINVAL
        assert lines[4:] == ["ring 0", "await 0", "read %d" % 0x1234]
        serving.check()
    finally:
        serving.stop()


def test_our_own_server_with_a_shadow():
    serving, made = there("rich")
    try:
        assert run(made, "iofds=0", program=STEPS).out.split()[1:] == said((0x10, 4, 0, 0, 0, 0), (0x800, 0, 2, 0, 0, 64))
        serving.check()
    finally:
        serving.stop()
