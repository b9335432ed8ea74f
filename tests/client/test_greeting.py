# SPDX-License-Identifier: BSD-3-Clause
"""The beginning: nobody there, nobody who speaks, or somebody who speaks otherwise."""

import errno
import os
import socket
import struct

import pytest
from scripted import Device, Hangup, Scripted, each, either, fails, fails_in_time, run, works
from session import CAPS, ERROR, REPLY, VERSION, proposal

READ = ("read", "bar0", "0", "4")


class Nobody:
    """A path without a script behind it."""

    seen = ()

    def __init__(self, path):
        self.path = str(path)

    def close(self):
        pass


def answer(payload):
    def tamper(peer, message):
        peer.respond(message, payload)
    return {VERSION: tamper}


def json(text):
    return struct.pack("=HH", 0, 2) + text


# ---- before a word is said ----

def test_absent(tmp_path):
    fails(run(Nobody(tmp_path / "s"), *READ), os.strerror(errno.ENOENT))


def test_no_socket(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    fails(run(Nobody(tmp_path / "file"), *READ), os.strerror(errno.ECONNREFUSED))
    fails(run(Nobody(tmp_path), *READ))


def test_nobody_listens(tmp_path):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "s"))
    fails(run(Nobody(tmp_path / "s"), *READ), os.strerror(errno.ECONNREFUSED))


def test_another_kind_of_socket(tmp_path):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        path = tmp_path / str(int(kind))
        with socket.socket(socket.AF_UNIX, kind) as other:
            other.bind(str(path))
            if kind == socket.SOCK_SEQPACKET:
                other.listen(1)
            fails(run(Nobody(path), *READ))


def test_path_too_long(tmp_path):
    fails(run(Nobody(tmp_path / ("s" * 200)), *READ))


def test_listens_and_never_accepts(tmp_path):
    """Silence after connect, and a queue that is full."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(0)
        fails_in_time(Nobody(path), *READ)
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            for sock in (one, two):
                sock.setblocking(False)
                sock.connect_ex(str(path))
            fails_in_time(Nobody(path), *READ)


def test_silent_after_connect():
    def silent(peer):
        peer.silence()
    fails_in_time(Scripted(greet=silent), *READ)


def test_silent_after_version():
    def silent(peer, message):
        peer.raw(*peer.good(message))
        peer.silence()
    fails_in_time(Scripted(tamper={VERSION: silent}), *READ)


def test_gone_at_once():
    def gone(peer):
        raise Hangup
    fails(run(Scripted(greet=gone), *READ))


def test_speaks_first():
    """A server has nothing to say before VERSION: garbage, a reply, a command."""
    def say(data):
        def greet(peer):
            peer.raw(data)
        return greet
    for data in (b"\xff" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("=HHIII", 0, 1, 16, REPLY, 0)):
        fails(run(Scripted(greet=say(data)), *READ))


# ---- versions ----

@pytest.mark.parametrize("major", (1, 2, 0xff, 0xffff))
def test_another_major(major):
    for minor in (0, 2):
        fails(run(Scripted(tamper=answer(proposal(major, minor))), *READ), "version")


@pytest.mark.parametrize("minor", (3, 7, 0xffff))
def test_minor_above_ours(minor):
    fails(run(Scripted(tamper=answer(proposal(0, minor))), *READ), "version")


@pytest.mark.parametrize("minor", (0, 1, 2))
def test_minors_that_are_spoken(minor):
    for caps in (CAPS, {}, None):
        works(run(Scripted(tamper=answer(proposal(0, minor, caps))), *READ), "0x010000ed\n")


def test_busy():
    def busy(peer, message):
        peer.respond(message, flags=REPLY | ERROR, error=errno.EBUSY)
        raise Hangup
    fails(run(Scripted(tamper={VERSION: busy}), *READ))


def test_proposes_what_it_should():
    """0.2, JSON that ends with a NUL, no descriptors, and an id."""
    result = run(Scripted(), *READ)
    works(result)
    first = result.seen[0]
    assert first.command == VERSION and not first.flags and not first.fds
    assert first.payload[:4] == struct.pack("=HH", 0, 2)
    assert first.payload[-1] == 0 and first.payload.count(b"\0", 4) == 1


# ---- capabilities ----

BAD_JSON = [
    b"{}", b"{\0", b"\0", b"[]\0", b"7\0", b"null\0", b"{}\0{}\0", b"{}\0\0", b"\xff\xff\0",
    b'{"capabilities": 5}\0', b'{"capabilities": []}\0', b"[" * 1000 + b"\0", b'{"a":' * 500 + b"\0",
    b'{"capabilities": {"max_msg_fds": "8"}}\0', b'{"capabilities": {"max_msg_fds": -1}}\0',
    b'{"capabilities": {"max_data_xfer_size": 0}}\0', b'{"capabilities": {"max_data_xfer_size": []}}\0',
    b'{"capabilities": {"max_data_xfer_size": -1}}\0', b'{"capabilities": {"pgsizes": 0}}\0',
    b'{"capabilities": {"write_multiple": "yes"}}\0', b'{"capabilities": {"twin_socket": 1}}\0',
    b'{"capabilities": {"twin_socket": {"supported": true, "fd_index": 0}}}\0',
    b'{"capabilities": {"twin_socket": {"supported": true, "fd_index": -1}}}\0',
    b'{"capabilities": {"twin_socket": {"supported": true, "fd_index": 99}}}\0',
    b"{" + b" " * 5000 + b"}\0", b"x" * 100000, b" " * (2 << 20),
]


def test_bad_json():
    each([(text[:40], text) for text in BAD_JSON],
         lambda _, text: fails(run(Scripted(tamper=answer(json(text))), *READ)))


def test_unknown_keys_are_passed_over():
    text = b'{"other": [1, {"x": null}], "capabilities": {"future": {"a": 1}, "max_msg_fdz": -7}}\0'
    works(run(Scripted(tamper=answer(json(text))), *READ), "0x010000ed\n")


def test_small_transfer_size():
    """A server that takes and gives little: larger things come by pieces, registers in one."""
    device = Device()
    device.version = proposal(caps={"max_data_xfer_size": 8})
    result = run(Scripted(device), "dump", "config")
    works(result)
    counts = [struct.unpack("=I", m.payload[12:16])[0] for m in result.seen if m.command == 9]
    assert counts and max(counts) <= 8 and sum(counts) >= 256


@pytest.mark.parametrize("value", (1 << 31, 1 << 32, (1 << 63) - 1))
def test_large_values(value):
    """A server's large numbers are held below our own limits, or refused; nothing is allocated by them."""
    for key in ("max_msg_fds", "max_data_xfer_size", "max_dma_maps"):
        result = run(Scripted(tamper=answer(proposal(caps={key: value}))), *READ)
        either(result)


def test_twin_socket_that_nobody_asked_for():
    text = b'{"capabilities": {"twin_socket": {"supported": true, "fd_index": 0}}}\0'

    def twin(peer, message):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            peer.respond(message, json(text), [theirs.fileno()])
    fails(run(Scripted(tamper={VERSION: twin}), *READ))
