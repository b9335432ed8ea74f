# SPDX-License-Identifier: BSD-3-Clause
"""twin=on: our client's second socket, with servers that are scripts, and with our own."""

import errno
import json
import os
import socket
import struct

import pytest
from scripted import STEPS, Device, Hangup, Scripted, fails, run, sound, works
from serving import Serving
from session import (CAPS, DMA_READ, DMA_WRITE, ERROR, GET_INFO, REGION_READ, REPLY, VERSION, Session, proposal)

BASE, PAGE = 0x10000, 4096
OFFER = dict(CAPS, twin_socket={"supported": True, "fd_index": 0})
READ_ID = ("read", "bar0", "0", "4")


def front(addr, count):
    return struct.pack("=QQ", addr, count)


class Twin(Scripted):
    """A server that has one; `act` is done with it while the client waits for a register."""

    options = ",twin=on"

    def __init__(self, act=None, offer=OFFER, fds=None):
        self.act, self.offer, self.fds, self.proposed = act, offer, fds, None
        self.ours, self.theirs = socket.socketpair()
        super().__init__(Device(), {VERSION: self.greet_twin, REGION_READ: self.meanwhile})

    def greet_twin(self, peer, message):
        self.proposed = json.loads(message.payload[4:-1])["capabilities"]
        peer.respond(message, proposal(caps=self.offer), [self.theirs.fileno()] if self.fds is None else self.fds)
        self.theirs.close()

    def meanwhile(self, peer, message):
        if self.act:
            self.act(peer, Session(self.ours))
        peer.raw(*peer.good(message))

    def close(self):
        self.ours.close()
        self.theirs.close()
        super().close()


def steps(script, *words, **more):
    result = run(script, *words, program=STEPS, **more)
    sound(result)
    return result


def ask(twin, command, payload):
    """What the client says on the second socket: bytes, or an errno."""
    reply = twin.ask(command, payload)
    return reply.error if reply.flags & ERROR else reply.payload


def test_asked_for_only_then():
    for options, there in (("", False), (",twin=off", False), (",twin=on", True)):
        script = Twin(offer=CAPS, fds=[])
        script.options = options
        works(run(script, *READ_ID))
        assert ("twin_socket" in script.proposed) == there
        assert not there or script.proposed["twin_socket"]["supported"] is True


def test_commands_come_on_it():
    def act(peer, twin):
        assert ask(twin, DMA_READ, front(BASE, 4)) == front(BASE, 4) + b"\1\2\3\4"
        assert ask(twin, DMA_WRITE, front(BASE + 8, 4) + b"abcd") == front(BASE + 8, 4)
        assert ask(twin, DMA_READ, front(BASE + PAGE - 1, 2)) == errno.EFAULT
        assert ask(twin, DMA_READ, front(BASE, 0)) == errno.EINVAL
        assert ask(twin, GET_INFO, bytes(16)) == errno.ENOTSUP
    result = steps(Twin(act), "mapprivate=0x10000,1", "read=0", "peek=8", "peek=11")
    assert result.out.splitlines()[1:] == ["read %d" % 0x010000ed, "peek 97", "peek 100"], result


def test_while_nobody_waits():
    """Its thread answers, whatever the program does."""
    def after(peer, message):
        peer.raw(*peer.good(message))
        assert ask(Session(script.ours), DMA_WRITE, front(BASE, 1) + b"z") == front(BASE, 1)
    script = Twin()
    script.tamper[REGION_READ] = after
    assert steps(script, "mapprivate=0x10000,1", "read=0", "sleep=500", "peek=0").out.splitlines()[-1] == "peek 122"


def test_refused_on_the_first_socket():
    """And the connection goes on."""
    def act(peer, twin):
        reply = peer.command(DMA_READ, front(BASE, 4))
        assert reply.error == errno.EINVAL
        assert ask(twin, DMA_READ, front(BASE, 1)) == front(BASE, 1) + b"\1"
    assert steps(Twin(act), "mapprivate=0x10000,1", "read=0").out.endswith("read %d\n" % 0x010000ed)


def test_not_offered():
    """A server that does not know it: all on the one socket, as ever."""
    def act(peer, _):
        assert peer.command(DMA_READ, front(BASE, 1)).payload == front(BASE, 1) + b"\1"
    for offer in (CAPS, dict(CAPS, twin_socket={"supported": False})):
        assert steps(Twin(act, offer, []), "mapprivate=0x10000,1", "read=0").out.endswith("%d\n" % 0x010000ed)


LIES = {
    "no descriptor": (OFFER, 0),
    "two descriptors": (OFFER, 2),
    "a descriptor without the capability": (CAPS, 1),
    "another index": (dict(CAPS, twin_socket={"supported": True, "fd_index": 1}), 1),
    "no index": (dict(CAPS, twin_socket={"supported": True}), 1),
}


@pytest.mark.parametrize("name", LIES)
def test_lies(name):
    offer, count = LIES[name]
    one, other = socket.socketpair()
    with one, other:
        fails(run(Twin(None, offer, [other.fileno()] * count), *READ_ID))


def test_offered_to_who_did_not_ask():
    script = Twin()
    script.options = ""
    fails(run(script, *READ_ID))


def test_no_socket():
    for make in (lambda: os.open("/dev/null", os.O_RDWR), lambda: os.eventfd(0), lambda: os.memfd_create("x"),
                 lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(),
                 lambda: socket.socket(socket.AF_INET).detach()):
        fd = make()
        fails(run(Twin(None, OFFER, [fd]), *READ_ID))
        os.close(fd)


BAD = {
    "gone": lambda twin: twin.close(),
    "garbage": lambda twin: twin.raw(b"\xff" * 64),
    "a reply": lambda twin: twin.raw(struct.pack("=HHIII", 1, GET_INFO, 16, REPLY, 0)),
    "a lying command": lambda twin: twin.send(DMA_WRITE, front(BASE, 5) + b"abcd"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name):
    """The end of the other socket too: what follows fails."""
    def act(peer, twin):
        BAD[name](twin)
        peer.sock.settimeout(10)
        try:
            while peer.sock.recv(4096):
                pass
        finally:
            raise Hangup
    result = steps(Twin(act), "read=0", "read=0")
    errors = [int(line.split()[1]) for line in result.out.splitlines()]
    assert errors[0] in (-errno.ECONNRESET, -errno.EPROTO, -errno.ENOTCONN) and errors[1] == -errno.ENOTCONN, result


# ---- our own server: an edu, whose driver's memory is its own ----

def transfer(source, destination, count, how):
    return ("wide=0x80,%d" % source, "wide=0x88,%d" % destination, "wide=0x90,%d" % count, "wide=0x98,%d" % how)


@pytest.mark.parametrize("options", (",twin=on", ""))
def test_our_own_server(options):
    serving = Serving()
    try:
        serving.close_all()
        made = type("There", (), {"path": serving.path, "options": options, "seen": (), "close": lambda self: None})()
        result = steps(made, "config=4,6", "mapprivate=0x10000,4", *transfer(0x10000, 0x40000, 4096, 1),
                       *transfer(0x40000, 0x12005, 4000, 3), "peek=8197", "peek=8198", "peek=12196")
        values = [int(line.split()[1]) for line in result.out.splitlines()]
        assert values == [0] * 10 + [1, 2, 4000 & 0xff], result
        serving.check()
    finally:
        serving.stop()
