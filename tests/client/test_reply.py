# SPDX-License-Identifier: BSD-3-Clause
"""Replies that cannot be, to each command: one line, exit status 1, within the bound."""

import errno
import os
import struct
import time

import pytest
from scripted import (DMA_CLIENT, SLOW, TIMEOUT_MS, Device, Hangup, Scripted, each, either, fails,
                      fails_in_time, run, works)
from session import (ERROR, FEATURE, GET_INFO, GET_IRQ_INFO, GET_REGION_INFO, HEADER, NO_REPLY, REGION_READ,
                     REGION_WRITE, REPLY, RESET, SET_IRQS, VERSION, pack)

READ_ID = ("read", "bar0", "0", "4")
TRIGGER_MSI = ("irq", "msi", "--trigger", "--timeout=10")

# How the tool is made to send each command.
VICTIMS = {
    "version": (VERSION, READ_ID),
    "device_info": (GET_INFO, READ_ID),
    "region_info": (GET_REGION_INFO, READ_ID),
    "irq_info": (GET_IRQ_INFO, TRIGGER_MSI),
    "set_irqs": (SET_IRQS, TRIGGER_MSI),
    "region_read": (REGION_READ, READ_ID),
    "region_write": (REGION_WRITE, ("write", "bar0", "4", "4", "0x12345678")),
    "reset": (RESET, ("reset",)),
    "feature": (FEATURE, ("features",)),
}
# Those whose good reply has a payload.
BODIED = [name for name in VICTIMS if name not in ("set_irqs", "reset")]


def echo(peer, message):
    """A good reply to a feature's probe; the scripted device has no features otherwise."""
    peer.respond(message, message.payload)


def reply_of(peer, message):
    """The good reply's payload."""
    if message.command == FEATURE:
        return message.payload
    return peer.good(message)[0][HEADER.size:]


def event():
    return os.eventfd(0)


def with_fds(count):
    def tamper(peer, message):
        fd = event()
        try:
            peer.respond(message, reply_of(peer, message), [fd] * count)
        finally:
            os.close(fd)
    return tamper


def unasked(peer, message):
    peer.respond(message, reply_of(peer, message), id=message.id ^ 0x5555)
    peer.respond(message, reply_of(peer, message))


def silent(peer, message):
    peer.silence()


def chatter(peer, message):
    """Commands without end, each of them answered, and never the reply."""
    end = time.monotonic() + 8 * TIMEOUT_MS / 1000
    while time.monotonic() < end:
        peer.send(4711)
        peer.receive()


def trickle(peer, message):
    for byte in peer.good(message)[0] + bytes(64):
        time.sleep(TIMEOUT_MS / 5000)
        peer.raw(bytes([byte]))


def beyond(peer, message):
    """More than any such reply has, and than comes; no need to wait for it."""
    payload = reply_of(peer, message)
    more = 1 << 20 if message.command in (VERSION, GET_INFO, GET_REGION_INFO) else 64
    peer.respond(message, payload, size=HEADER.size + len(payload) + more)


# The reply does not come, or not to its end.
SLOW_ONES = {"silent": silent, "chatter": chatter, "trickle": trickle}

# What is wrong with a reply, to any command.
BAD = {
    "gone": lambda peer, message: (_ for _ in ()).throw(Hangup()),
    "another id": lambda peer, message: peer.respond(message, reply_of(peer, message), id=message.id ^ 1),
    "another command": lambda peer, message: peer.respond(message, reply_of(peer, message),
                                                          command=GET_INFO if message.command != GET_INFO else RESET),
    "an unknown command": lambda peer, message: peer.respond(message, reply_of(peer, message), command=99),
    "unasked": unasked,
    "longer by one": lambda peer, message: peer.respond(message, {
        VERSION: bytes(5), GET_INFO: reply_of(peer, message) + bytes(64),
        GET_REGION_INFO: reply_of(peer, message) + bytes(1 << 16)}.get(
        message.command, reply_of(peer, message) + b"\0")),
    "longer by a megabyte": lambda peer, message: peer.respond(message, reply_of(peer, message) + bytes(1 << 20)),
    "size 0": lambda peer, message: peer.respond(message, reply_of(peer, message), size=0),
    "size 15": lambda peer, message: peer.respond(message, reply_of(peer, message), size=15),
    "size too large": lambda peer, message: peer.respond(message, reply_of(peer, message), size=0xffffffff),
    "size of a gigabyte": lambda peer, message: peer.respond(message, reply_of(peer, message), size=1 << 30),
    "size beyond the data": beyond,
    "an unknown type": lambda peer, message: peer.respond(message, reply_of(peer, message), flags=2),
    "a reserved flag": lambda peer, message: peer.respond(message, reply_of(peer, message), flags=REPLY | 1 << 6),
    "the last flag": lambda peer, message: peer.respond(message, reply_of(peer, message), flags=REPLY | 1 << 31),
    "no_reply": lambda peer, message: peer.respond(message, reply_of(peer, message), flags=REPLY | NO_REPLY),
    "an error with a payload": lambda peer, message: peer.respond(message, b"12345678", flags=REPLY | ERROR, error=5),
    "errno 4096": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=4096),
    "errno 2^31": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=1 << 31),
    "errno 2^32-1": lambda peer, message: peer.respond(message, flags=REPLY | ERROR, error=(1 << 32) - 1),
    "17 descriptors": with_fds(17),
    "253 descriptors": with_fds(253),
}


def twice(peer, message):
    for _ in range(2):
        peer.respond(message, reply_of(peer, message))


# These may have been noticed too late to matter: nothing is asked afterwards. No crash, and one line or none.
LATE = {
    "twice": twice,
    "an unasked reply behind": lambda peer, message: (peer.respond(message, reply_of(peer, message)),
                                                      peer.respond(message, reply_of(peer, message), id=12345)),
    "garbage behind": lambda peer, message: (peer.respond(message, reply_of(peer, message)), peer.raw(b"\xff" * 64)),
    "gone behind": lambda peer, message: (peer.respond(message, reply_of(peer, message)),
                                          (_ for _ in ()).throw(Hangup())),
}


def victim(name, tamper):
    command, words = VICTIMS[name]
    return run(Scripted(tamper={command: tamper}), *words)


def victim_in_time(name, tamper):
    command, words = VICTIMS[name]
    fails_in_time(Scripted(tamper={command: tamper}), *words)


def test_good():
    """The scripted device is a good one: every way to drive it works."""
    for _, words in VICTIMS.values():
        works(run(Scripted(tamper={FEATURE: echo}), *words))
    works(run(Scripted(), *READ_ID), "0x010000ed\n")
    works(run(Scripted(Device(json=False)), *READ_ID), "0x010000ed\n")


@pytest.mark.parametrize("name", VICTIMS)
def test_bad(name):
    each(BAD.items(), lambda _, tamper: fails(victim(name, tamper)))


@pytest.mark.parametrize("name", VICTIMS)
def test_slow(name):
    each(SLOW_ONES.items(), lambda _, tamper: victim_in_time(name, tamper))


def test_a_command_in_place_of_the_reply():
    """It is one, and is refused; the reply is still due."""
    for command, words in VICTIMS.values():
        def ask(peer, message):
            id = peer.send(message.command, reply_of(peer, message), id=message.id)
            reply = peer.receive()
            assert reply.id == id and reply.flags == REPLY | ERROR
            peer.respond(message, reply_of(peer, message))
        works(run(Scripted(tamper={command: ask}), *words))


@pytest.mark.parametrize("name", BODIED)
def test_no_body(name):
    def bare(peer, message):
        peer.respond(message)
    fails(victim(name, bare))


@pytest.mark.parametrize("name", BODIED)
def test_every_shorter_body(name):
    """Told apart from a good one at any length; but a VERSION's JSON may be left out."""
    lengths = {"version": [0, 1, 2, 3] + list(range(5, 40)), "device_info": range(16), "region_info": range(32),
               "irq_info": range(16), "region_read": range(20), "region_write": range(16), "feature": range(8)}[name]

    def check(_, length):
        def cut(peer, message):
            peer.respond(message, reply_of(peer, message)[:length])
        fails(victim(name, cut))
    each([(length, length) for length in lengths], check)


@pytest.mark.parametrize("name", [name for name in VICTIMS if name != "feature"])
@pytest.mark.parametrize("error", (errno.EIO, errno.EBUSY, errno.ENODEV, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, 0,
                                   1, 133, 4095))
def test_error(name, error):
    """An errno that is none of this machine's, or none at all, is an error all the same."""
    def refuse(peer, message):
        peer.respond(message, flags=REPLY | ERROR, error=error)
    fails(victim(name, refuse))


def test_error_of_a_feature():
    """Not offered is an answer; anything else is a failure."""
    for error, check in ((errno.ENOTSUP, works), (errno.ENOSYS, works), (errno.ENOTTY, works)):
        def refuse(peer, message, error=error):
            peer.respond(message, flags=REPLY | ERROR, error=error)
        check(victim("feature", refuse))


@pytest.mark.parametrize("name", VICTIMS)
@pytest.mark.parametrize("late", LATE)
def test_trouble_behind_a_good_reply(name, late):
    either(victim(name, LATE[late]))


def test_a_duplicate_is_no_answer_to_the_next_request():
    """The second of two equal replies must not be taken for the next one's, whatever it says."""
    def lie(peer, message):
        good = peer.good(message)[0]
        peer.raw(good)
        peer.raw(good[:-4] + b"\xad\xde\xad\xde")
    result = run(Scripted(tamper={REGION_READ: lie}), *READ_ID, "--repeat=3")
    fails(result)
    assert "dead" not in result.out


def test_a_late_reply_is_not_the_next_ones():
    """After a timeout the first reply comes: it is dropped, and the stream stays in step."""
    held = []

    def hold(peer, message):
        if struct.unpack("=Q", message.payload[:8])[0] == 0 and not held:
            held.append(peer.good(message)[0][:-4] + b"\xad\xde\xad\xde")
            return
        peer.raw(held.pop() if held else b"")
        peer.raw(*peer.good(message))
    result = run(Scripted(tamper={REGION_READ: hold}), *READ_ID, "--repeat=3", timeout_ms=TIMEOUT_MS)
    fails(result)
    assert "dead" not in result.out


def test_a_late_reply_with_descriptors():
    """Dropped, and they are closed with it."""
    held = []

    def hold(peer, message):
        if not held:
            held.append(peer.good(message)[0])
            return
        peer.raw(held[0])
        peer.raw(*peer.good(message))
    works(run(Scripted(tamper={REGION_READ: hold}), "read-twice", program=DMA_CLIENT, timeout_ms=TIMEOUT_MS),
          "0x010000ed\n")
    held.clear()

    def hold_region(peer, message):
        if held:
            with_fds(1)(peer, held[0])
        held.append(message)
    fails(run(Scripted(tamper={GET_REGION_INFO: hold_region}), "read-twice", program=DMA_CLIENT,
              timeout_ms=TIMEOUT_MS))


@pytest.mark.parametrize("name", VICTIMS)
def test_death_at_every_byte(name):
    """Of the reply to each command, from before its first byte to before its last."""
    sizes = {"version": 160, "device_info": 32, "region_info": 48, "irq_info": 32, "set_irqs": 16,
             "region_read": 36, "region_write": 32, "reset": 16, "feature": 24}
    steps = range(0, sizes[name], 5 if SLOW else 2 if name == "version" else 1)

    def check(_, cut):
        def die(peer, message):
            whole = pack(message.command, reply_of(peer, message), REPLY, message.id)
            peer.raw(whole[:min(cut, len(whole) - 1)])
            raise Hangup
        fails(victim(name, die))
    each([(cut, cut) for cut in steps], check)


@pytest.mark.parametrize("name", VICTIMS)
def test_silence_at_some_bytes(name):
    """A reply that begins and never ends."""
    def check(_, cut):
        def stop(peer, message):
            whole = pack(message.command, reply_of(peer, message), REPLY, message.id)
            peer.raw(whole[:min(cut, len(whole) - 1)])
            peer.silence()
        victim_in_time(name, stop)
    each([(cut, cut) for cut in (1, 15, 16, 17, 31)], check)


@pytest.mark.parametrize("name", [name for name in VICTIMS if name != "region_info"])
@pytest.mark.parametrize("count", (1, 2, 16))
def test_descriptors_where_none_are_due(name, count):
    fails(victim(name, with_fds(count)))


def test_no_descriptor_is_left():
    """Those that came where none, or other ones, were due; counted by the program itself."""
    def check(_, case):
        command, count = case
        either(run(Scripted(tamper={command: with_fds(count)}), "read", program=DMA_CLIENT))
    each([((command, count), (command, count)) for command in (VERSION, GET_INFO, GET_REGION_INFO, REGION_READ)
          for count in (1, 2, 16, 17, 64, 65, 253)], check)


def test_no_descriptor_is_left_by_a_stranger():
    """With a reply that nobody asked for, with half a reply, and with a command."""
    def stray(peer, message, data):
        fd = event()
        try:
            peer.raw(data, [fd] * 5)
        finally:
            os.close(fd)
        raise Hangup

    def check(_, make):
        fails(run(Scripted(tamper={REGION_READ: lambda peer, message: stray(peer, message, make(message))}), "read",
                  program=DMA_CLIENT))
    each({"unasked": lambda message: pack(REGION_READ, message.payload + bytes(4), REPLY, message.id ^ 9),
          "half": lambda message: pack(REGION_READ, message.payload + bytes(4), REPLY, message.id)[:20],
          "a byte": lambda message: pack(REGION_READ, b"", REPLY, message.id)[:1],
          "a command": lambda message: pack(4711, bytes(10)),
          "half a command": lambda message: pack(4711, bytes(10))[:17],
          "garbage": lambda message: b"\xff" * 100}.items(), check)


def test_reply_by_pieces():
    """Slow is not wrong."""
    def pieces(peer, message):
        for byte in peer.good(message)[0]:
            peer.raw(bytes([byte]))
    tamper = {command: pieces for command in (VERSION, GET_INFO, GET_REGION_INFO, REGION_READ)}
    works(run(Scripted(tamper=tamper), *READ_ID), "0x010000ed\n")


def test_a_server_that_asks_for_strange_things():
    """Commands that a client does not serve are refused, and all goes on."""
    def ask(peer, message):
        for command in (0, VERSION, GET_INFO, REGION_READ, RESET, 20, 0xffff):
            for payload in (b"", bytes(16), bytes(5000)):
                reply = peer.command(command, payload)
                assert reply.flags & ERROR and reply.error, reply
        peer.send(4711, flags=NO_REPLY)
        peer.raw(*peer.good(message))
    tamper = {command: ask for command in (GET_INFO, GET_REGION_INFO, REGION_READ)}
    works(run(Scripted(tamper=tamper), *READ_ID), "0x010000ed\n")
