# SPDX-License-Identifier: BSD-3-Clause
"""MIG_DATA_READ, MIG_DATA_WRITE and GET_PRECOPY_INFO of the client: both replies to a write, and those that lie."""

import errno
import struct

import pytest
from rich_serving import PRECOPY, STREAM_LEFT, STREAM_TAKEN, Rich
from scripted import STEPS, TIMEOUT_MS, Scripted, run, sound
from session import ERROR, MIG_READ, MIG_WRITE, PRECOPY_INFO, REPLY

U32, U64 = (1 << 32) - 1, (1 << 64) - 1


def data(size, body=b"", argsz=8):
    return struct.pack("=II", argsz, size) + body


def precopy(initial=0, dirty=0, flags=0, argsz=24):
    return struct.pack("=IIQQ", argsz, flags, initial, dirty)


def step(command, reply, word):
    """What the call returns when the server answers with these bytes, or this errno."""
    asked = []

    def tamper(peer, message):
        asked.append(message.payload)
        if isinstance(reply, int):
            peer.respond(message, flags=REPLY | ERROR, error=reply)
        else:
            peer.respond(message, reply)
    result = run(Scripted(tamper={command: tamper}), word, program=STEPS)
    sound(result)
    return int(result.out.split()[1]), asked


def test_read():
    result, asked = step(MIG_READ, data(5, b"abcde", 13), "migread=10")
    assert (result, asked) == (5, [data(10, b"", 18)])
    assert step(MIG_READ, data(0), "migread=10")[0] == 0
    # argsz means several things in the texts: nothing is concluded from it
    for argsz in (0, 8, 13, U32):
        assert step(MIG_READ, data(5, b"abcde", argsz), "migread=10")[0] == 5


@pytest.mark.parametrize("reply", (b"", bytes(7), data(5, b"abcd"), data(4, b"abcde"), data(11, bytes(11)), data(U32),
                                   data(1)))
def test_read_that_lies(reply):
    assert step(MIG_READ, reply, "migread=10")[0] == -errno.EPROTO


def test_write():
    """The newer reply says how much was taken; the older one, an empty one, that it was all."""
    result, asked = step(MIG_WRITE, data(10), "migwrite=10")
    assert (result, asked) == (10, [data(10, bytes(10), 18)])
    assert step(MIG_WRITE, data(3), "migwrite=10")[0] == 3
    assert step(MIG_WRITE, b"", "migwrite=10")[0] == 10


@pytest.mark.parametrize("reply, error", ((bytes(4), errno.EPROTO), (bytes(9), errno.EPROTO), (data(11), errno.EPROTO),
                                          (data(U32), errno.EPROTO), (data(0), errno.EIO)))
def test_write_that_lies(reply, error):
    assert step(MIG_WRITE, reply, "migwrite=10")[0] == -error


def test_precopy_info():
    result, asked = step(PRECOPY_INFO, precopy(7, 1 << 40), "precopy")
    assert (result, asked) == ((1 << 40) + 7, [precopy()])
    assert step(PRECOPY_INFO, precopy(7, 5, U32, U32), "precopy")[0] == 12


@pytest.mark.parametrize("reply", (b"", bytes(8), bytes(23), bytes(25)))
def test_precopy_info_that_lies(reply):
    assert step(PRECOPY_INFO, reply, "precopy")[0] == -errno.EPROTO


@pytest.mark.parametrize("command, word", ((MIG_READ, "migread=10"), (MIG_WRITE, "migwrite=10"), (PRECOPY_INFO, "precopy")))
@pytest.mark.parametrize("error, told", ((errno.EINVAL, errno.EINVAL), (errno.ENOSYS, errno.ENOTSUP), (0, errno.EIO)))
def test_refused(command, word, error, told):
    assert step(command, error, word)[0] == -told


@pytest.mark.parametrize("command, word", ((MIG_READ, "migread=10"), (MIG_WRITE, "migwrite=10"), (PRECOPY_INFO, "precopy")))
def test_silence(command, word):
    def silent(peer, message):
        peer.silence()
    result = run(Scripted(tamper={command: silent}), word, program=STEPS, timeout_ms=TIMEOUT_MS)
    assert result.out.split()[1] == str(-errno.ETIMEDOUT), result


def test_our_own_server():
    serving = Rich()
    try:
        serving.close_all()
        made = type("There", (), {"path": serving.path, "seen": (), "close": lambda self: None})()
        result = run(made, "reset", "precopy", "write=%d,9" % PRECOPY, "precopy", "write=%d,6000" % STREAM_LEFT,
                     "migread=4000", "migread=4000", "migread=4000", "migwrite=1234", "read=%d" % STREAM_TAKEN,
                     program=STEPS)
        sound(result)
        assert [int(line.split()[1]) for line in result.out.splitlines()] == [
            0, -errno.EINVAL, 0, 9 + (10 << 32), 0, 4000, 2000, 0, 1234, 1234]
    finally:
        serving.stop()
