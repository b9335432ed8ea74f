# SPDX-License-Identifier: BSD-3-Clause
"""Posted writes as they leave the client: one by one, or held back and sent together; what never waits behind them; and
servers that answer what nobody wants answered."""

import errno
import struct
import time

import pytest
from rich_serving import LOG_GET, LOG_PUT, POSTED, Rich
from scripted import STEPS, TIMEOUT_MS, Device, Hangup, Scripted, run, sound
from session import (CAPS, ERROR, GET_INFO, NO_REPLY, REGION_READ, REGION_WRITE, REPLY, RESET, WRITE_MULTI, Ended,
                     proposal)

LONG = ",batch=1000000"


def multiple(**caps):
    device = Device()
    device.version = proposal(caps=dict(CAPS, **caps))
    return device


def silent(peer, message):
    """What has no reply gets none."""
    if not message.flags & NO_REPLY:
        peer.raw(*peer.good(message))


def done(peer, message):
    """A server that knows WRITE_MULTI."""
    if not message.flags & NO_REPLY:
        peer.respond(message, message.payload[:8])


def script(options=LONG, device=None, **tamper):
    made = Scripted(device or multiple(), {REGION_WRITE: tamper.get("write", silent),
                                           WRITE_MULTI: tamper.get("multi", done)})
    made.options = options
    return made


def steps(made, *words, **more):
    result = run(made, *words, program=STEPS, **more)
    sound(result)
    return result


def accesses(result):
    """What came, from the first access on: ("post", offset, value), ("write", ...), ("multi", flags, ((offset, value), ...)),
    or the command's number."""
    told = []
    for message in result.seen:
        posted = bool(message.flags & NO_REPLY)
        if message.command == REGION_WRITE:
            offset, _, _, value = struct.unpack("=QIII", message.payload)
            told.append(("post" if posted else "write", offset, value))
        elif message.command == WRITE_MULTI:
            count = struct.unpack("=Q", message.payload[:8])[0]
            assert len(message.payload) == 8 + 24 * count
            writes = [struct.unpack("=QIII", message.payload[8 + 24 * n:28 + 24 * n]) for n in range(count)]
            assert all((region, length) == (0, 4) for _, region, length, _ in writes)
            told.append(("multi" if posted else "asked", [(offset, value) for offset, _, _, value in writes]))
        elif told or message.command == REGION_READ:
            told.append(message.command)
    # A device that was posted to is flushed when it is closed.
    if told[-1] == GET_INFO:
        told.pop()
    return told


def posts(count, offset=0x10):
    return ["post=%d,%d" % (offset, n) for n in range(count)]


def pairs(values, offset=0x10):
    return [(offset, n) for n in values]


def test_at_once():
    """Without the option each is on its way when the call returns."""
    result = steps(script(""), *posts(3), "read=4")
    assert accesses(result) == [("post", 0x10, 0), ("post", 0x10, 1), ("post", 0x10, 2), REGION_READ]


@pytest.mark.parametrize("device", (Device(json=False), multiple(write_multiple=False),
                                    multiple(max_data_xfer_size=24)))
def test_off_where_it_was_not_offered(device):
    result = steps(script(LONG, device), *posts(2), "read=4")
    assert accesses(result) == [("post", 0x10, 0), ("post", 0x10, 1), REGION_READ]


@pytest.mark.parametrize("word, command", (("read=4", REGION_READ), ("reset", RESET), ("flush", None),
                                           ("write=8,9", ("write", 8, 9)), ("multi=8,2", ("asked", [(8, 0), (8, 1)]))))
def test_sent_before_anything_else(word, command):
    result = steps(script(), *posts(3), word)
    assert accesses(result) == [("multi", pairs(range(3)))] + ([command] if command else [])


def test_one_alone():
    assert accesses(steps(script(), *posts(1), "read=4")) == [("post", 0x10, 0), REGION_READ]


def test_full():
    """200 at a time, and the rest with the next request."""
    result = steps(script(), "posts=0x10,450", "read=4")
    assert accesses(result) == [("multi", pairs(range(0, 200))), ("multi", pairs(range(200, 400))),
                                ("multi", pairs(range(400, 450))), REGION_READ]


def test_no_larger_than_the_server_takes():
    result = steps(script(device=multiple(max_data_xfer_size=100)), *posts(5), "read=4")
    assert accesses(result) == [("multi", pairs(range(4))), ("post", 0x10, 4), REGION_READ]


def test_long_ones_do_not_overtake():
    """A posted write of more than 8 bytes goes by itself, in its place."""
    result = steps(script(), *posts(2), "long=16", *posts(1), "read=4")
    assert [message.command for message in result.seen[-5:-1]] == [WRITE_MULTI, REGION_WRITE, REGION_WRITE, REGION_READ]
    assert len(result.seen[-4].payload) == 32


def test_within_the_bound():
    """Nothing is asked any more: they are sent when the first has waited so long."""
    arrived = []
    made = script(",batch=50000", multi=lambda peer, message: arrived.append(time.monotonic()))
    result = steps(made, *posts(3), "sleep=1500")
    ended = time.monotonic()
    assert accesses(result) == [("multi", pairs(range(3)))] and ended - arrived[0] > 0.5, result


def test_dispatch_sends_them():
    arrived = []
    made = script(multi=lambda peer, message: arrived.append(time.monotonic()))
    steps(made, *posts(3), "dispatch", "sleep=700")
    assert time.monotonic() - arrived[0] > 0.5


def test_sent_at_the_end():
    assert accesses(steps(script(), *posts(3)))[0] == ("multi", pairs(range(3)))


def test_write_multi_where_it_is_not_offered():
    result = steps(script("", multiple(write_multiple=False)), "multi=8,3")
    assert accesses(result) == [("write", 8, n) for n in range(3)]


def test_write_multi_done_in_part():
    def part(peer, message):
        peer.respond(message, struct.pack("=Q", 1))
    assert steps(script("", multi=part), "multi=8,3").out == "multi %d\n" % -errno.EIO
    assert steps(script("", multi=lambda peer, message: peer.respond(message, struct.pack("=Q", 4))),
                 "multi=8,3", "read=4").out == "multi %d\nread %d\n" % (-errno.EPROTO, -errno.ENOTCONN)


@pytest.mark.parametrize("body", (b"", bytes(7), bytes(16)))
def test_write_multi_bad_reply(body):
    made = script("", multi=lambda peer, message: peer.respond(message, body))
    assert steps(made, "multi=8,3").out == "multi %d\n" % -errno.EPROTO


@pytest.mark.parametrize("flags, error", ((REPLY, 0), (REPLY | ERROR, 5), (REPLY | ERROR, 0)))
def test_answers_that_nobody_wants(flags, error):
    """A server that does not know No_reply: as many are passed over as were posted, not one more."""
    def answer(peer, message):
        peer.respond(message, b"" if error or flags & ERROR else message.payload[:16], flags=flags, error=error)
    result = steps(script("", write=answer), *posts(3), "read=0")
    assert result.out == "post 4\n" * 3 + "read %d\n" % 0x010000ed

    def again(peer, message):
        answer(peer, message)
        answer(peer, message)
    result = steps(script("", write=again), *posts(3), "read=0", "read=0")
    assert result.out.endswith("read %d\n" % -errno.ENOTCONN), result


def test_server_that_goes():
    def gone(peer, message):
        raise Hangup
    result = steps(script(multi=gone), *posts(3), "read=0", *posts(3), "flush")
    assert result.out.splitlines()[3] in ("read %d" % -errno.ECONNRESET, "read %d" % -errno.ENOTCONN)


def test_server_that_does_not_read():
    """The writes wait, then the program is told."""
    def stuck(peer, message):
        time.sleep(4 * TIMEOUT_MS / 1000)
        raise Ended
    result = steps(script(write=stuck, multi=stuck), "posts=0x10,40000", timeout_ms=TIMEOUT_MS)
    assert result.out in ("posts %d\n" % error for error in (-errno.ETIMEDOUT, -errno.ENOTCONN)), result


@pytest.mark.parametrize("options", ("", ",batch=100", LONG))
def test_our_own_server(options):
    serving = Rich()
    try:
        serving.close_all()
        made = type("There", (), {"path": serving.path, "options": options, "seen": (), "close": lambda self: None})()
        result = steps(made, "reset", "posts=%d,1000" % LOG_PUT, "read=%d" % LOG_PUT, "read=%d" % POSTED,
                       *["read=%d" % LOG_GET] * 300)
        assert result.out.splitlines() == ["reset 0", "posts 0", "read 1000", "read 1000"] + [
            "read %d" % n for n in range(300)]
        serving.check()
    finally:
        serving.stop()
