# SPDX-License-Identifier: BSD-3-Clause
"""Pages that a device wrote, when their memory goes: servers that tell with the unmap, that cannot, and that lie."""

import errno
import struct

import pytest
from scripted import STEPS, Device, Scripted, run, sound
from session import DMA_UNMAP, ERROR, FEATURE, GET, REPLY, UNMAP_BITMAP

PAGE, HERE = 4096, 0x100000
REPORT = 8


def feature(peer, message):
    """All that is asked for; nothing was written."""
    if struct.unpack("=I", message.payload[4:8])[0] == GET | REPORT:
        argsz = struct.unpack("=I", message.payload[:4])[0]
        peer.respond(message, message.payload + bytes(argsz - len(message.payload)))
    else:
        peer.respond(message, message.payload)


def unmapping(answer):
    """answer(flags, addr, size): a bitmap's bits, an errno, or bytes in place of the reply."""
    def tamper(peer, message):
        _, flags, addr, size = struct.unpack("=IIQQ", message.payload[:24])
        bits = answer(flags, addr, size) if flags else 0
        if isinstance(bits, bytes):
            peer.respond(message, bits)
        elif bits < 0:
            peer.respond(message, flags=REPLY | ERROR, error=-bits)
        elif flags & UNMAP_BITMAP:
            room = struct.unpack("=Q", message.payload[32:40])[0]
            peer.respond(message, message.payload + bits.to_bytes(room, "little"))
        else:
            peer.respond(message, message.payload)
    return tamper


def steps(answer, *words):
    result = run(Scripted(Device(), {FEATURE: feature, DMA_UNMAP: unmapping(answer)}), *words, program=STEPS)
    sound(result)
    result.seen[:] = [message for message in result.seen if message.command == DMA_UNMAP]
    return result


def told(result):
    return [int(line.split()[1]) for line in result.out.splitlines() if line.startswith("report")]


GO = ("map=0x100000,16", "dirty=1", "unmap=0x100000,16")


def test_kept_until_it_is_reported():
    result = steps(lambda *_: 0b101, *GO, "report=0x100000,1", "report=0x100000,16", "report=0x100000,16")
    assert told(result) == [1, 0b100, 0], result
    assert struct.unpack("=IIQQQQ", result.seen[0].payload) == (48, UNMAP_BITMAP, HERE, 16 * PAGE, PAGE, 8)


def test_part_of_it_is_reported():
    """From the middle, across its end, and beside it."""
    result = steps(lambda *_: 0b1000000000000110, *GO, "report=0x101000,1", "report=0x102000,4", "report=0x10f000,9",
                   "report=0x10e000,9", "report=0xff000,1", "report=0x110000,1")
    assert told(result) == [1, 1, 1, 0, 0, 0], result


def test_mapped_and_unmapped_again():
    result = steps(lambda *_: 2, *GO, "map=0x100000,4", "unmap=0x100000,4", "report=0x100000,16")
    assert told(result) == [2], result


@pytest.mark.parametrize("error", (errno.EINVAL, errno.ENOTSUP, errno.E2BIG))
def test_server_that_cannot(error):
    """It unmaps without; then all of it counts as written, once."""
    result = steps(lambda flags, *_: -error if flags & UNMAP_BITMAP else 0, *GO, "report=0x100000,16",
                   "report=0x100000,16")
    assert told(result) == [0xffff, 0], result
    assert [message.payload[4:8] for message in result.seen] == [b"\1\0\0\0", bytes(4)]


def test_not_asked_when_nothing_is_recorded():
    result = steps(lambda *_: 0, *GO[:2], "dirty=0", GO[2], "map=0x100000,16", "unmap=0x100000,16")
    assert [message.payload[4:8] for message in result.seen] == [bytes(4)] * 2, result


def test_stopped_and_started():
    """What was recorded before is forgotten."""
    assert told(steps(lambda *_: 1, *GO, "dirty=0", "dirty=1", "report=0x100000,16")) == [0]


@pytest.mark.parametrize("reply", (b"", bytes(24), bytes(40), bytes(47), bytes(49)))
def test_lying_reply(reply):
    result = steps(lambda *_: reply, *GO)
    assert result.out.splitlines()[-1] in ("unmap 0", "unmap %d" % -errno.EPROTO), result


def test_refused_for_another_reason():
    result = steps(lambda *_: -errno.EBUSY, *GO)
    assert result.out.splitlines()[-1] == "unmap %d" % -errno.EBUSY, result
