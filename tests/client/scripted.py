# SPDX-License-Identifier: BSD-3-Clause
"""A vfio-user server made of a script, for one run of a program that is its client.

It answers as a good server of a small PCI device would, but where the script says otherwise: `tamper`
maps a command to a function that sends whatever it wants in place of the reply, and may raise Hangup.
The first connection alone is served; whatever the client does, the script ends with it.
"""

import errno
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from session import (DMA_MAP, DMA_UNMAP, ERROR, GET_INFO, GET_IRQ_INFO,
                     GET_REGION_INFO, REGION_READ, REGION_WRITE, REPLY, RESET, SET_IRQS, VERSION, Ended,
                     Session, pack, proposal)

TOOL = os.environ.get("VFIOKIT", "vfiokit")
DMA_CLIENT = os.environ.get("VFIOKIT_DMA_CLIENT", "")
STEPS = os.environ.get("VFIOKIT_STEPS", "")
SLOW = bool(os.environ.get("VFIOKIT_SANITIZER"))
MARKS = ("Sanitizer", "runtime error:", "Assertion", "assertion")

# The client's own bound on each wait, where it is to be seen at work; elsewhere one that a busy machine cannot reach.
TIMEOUT_MS = 300
PATIENCE_MS = 10000
# What a run may take in which the bound is at work, a few times over; and how long a script waits for anything.
BOUND = 10 if SLOW else 5
PATIENCE = 2 * PATIENCE_MS / 1000

READ, WRITE, MMAP, CAPS = 1, 2, 4, 8
REGION = struct.Struct("=IIIIQQ")  # argsz, flags, index, cap_offset, size, offset
INFO = struct.Struct("=IIII")
ID = 0x010000ed


class Result(namedtuple("Result", "status out err took uri seen")):
    """Of one run."""

    def __repr__(self):
        return "status %d, stdout %r, stderr %r, %.2f s, commands %s" % (
            self.status, self.out, self.err, self.took, [message.command for message in self.seen])


class Hangup(Exception):
    """Raised by a script: close the connection now."""


class Device:
    """What a good server of this device says: a PCI device with a BAR of registers, and one MSI vector."""

    def __init__(self, num_regions=9, num_irqs=5, flags=3, regions=None, irqs=None, json=True):
        self.info = INFO.pack(16, flags, num_regions, num_irqs)
        # index: (size, flags, what stands behind the structure, descriptors)
        self.regions = {0: (1 << 20, READ | WRITE, b"", []), 7: (256, READ | WRITE, b"", [])}
        self.regions.update(regions or {})
        self.irqs = {0: (7, 1), 1: (1, 1)}  # index: (flags, count)
        self.irqs.update(irqs or {})
        self.version = proposal() if json else proposal(caps=None)
        self.registers = {(0, 0): ID, (7, 0): 0x11e81234}
        self.events = {}

    def answer(self, message):
        """(payload, descriptors) or an errno."""
        method = {VERSION: self.on_version, GET_INFO: self.on_info, GET_REGION_INFO: self.on_region,
                  GET_IRQ_INFO: self.on_irq, SET_IRQS: self.on_set_irqs, REGION_READ: self.on_read,
                  REGION_WRITE: self.on_write, RESET: self.on_nothing, DMA_MAP: self.on_nothing,
                  DMA_UNMAP: self.on_echo}.get(message.command)
        return method(message) if method else errno.ENOTSUP

    def on_version(self, _):
        return self.version, []

    def on_info(self, _):
        return self.info, []

    def on_region(self, message):
        asked, _, index = struct.unpack("=III", message.payload[:12])
        size, flags, caps, fds = self.regions.get(index, (0, 0, b"", []))
        need = 32 + len(caps)
        if asked < need:
            return REGION.pack(need, flags, index, 0, size, 0), []
        return REGION.pack(need, flags, index, 32 if caps else 0, size, 0) + caps, fds

    def on_irq(self, message):
        index = struct.unpack("=I", message.payload[8:12])[0]
        flags, count = self.irqs.get(index, (0, 0))
        return INFO.pack(16, flags, index, count), []

    def on_set_irqs(self, message):
        _, flags, index, start, count = struct.unpack("=IIIII", message.payload[:20])
        if flags & 4:
            for n, fd in enumerate(message.fds):
                self.events[index, start + n] = fd
            message.fds.clear()
        elif flags & 32:
            for n in range(start, start + count):
                self.signal(index, n)
        return b"", []

    def signal(self, index, vector):
        if (index, vector) in self.events:
            os.eventfd_write(self.events[index, vector], 1)

    def on_read(self, message):
        offset, region, count = struct.unpack("=QII", message.payload)
        value = self.registers.get((region, offset), 0)
        return message.payload + value.to_bytes(max(count, 8), "little")[:count], []

    def on_write(self, message):
        return message.payload[:16], []

    def on_nothing(self, _):
        return b"", []

    def on_echo(self, message):
        return message.payload[:24], []

    def close(self):
        for fd in self.events.values():
            os.close(fd)


class Peer(Session):
    """The server's end of the connection."""

    def __init__(self, sock, device):
        super().__init__(sock)
        self.device = device

    def respond(self, message, payload=b"", fds=(), flags=REPLY, **more):
        """A reply; what is wrong with it is in the arguments."""
        self.raw(pack(more.pop("command", message.command), payload, flags, more.pop("id", message.id), **more), fds)

    def good(self, message):
        """The reply that a good server gives: (bytes, descriptors)."""
        answer = self.device.answer(message)
        if isinstance(answer, int):
            return pack(message.command, b"", REPLY | ERROR, message.id, error=answer), []
        return pack(message.command, answer[0], REPLY, message.id), answer[1]

    def silence(self):
        """Says nothing more, until the client goes."""
        try:
            while self.sock.recv(1 << 16):
                pass
        finally:
            raise Hangup

    def command(self, command, payload=b"", **more):
        """A command of the server's own, and the client's reply to it."""
        id = self.send(command, payload, **more)
        message = self.receive()
        assert (message.id, message.command, message.flags & 0xf) == (id, command, REPLY), message
        return message


class Scripted:
    """The listening socket and the thread behind it."""

    def __init__(self, device=None, tamper=None, greet=None):
        self.folder = tempfile.mkdtemp(prefix="vfiokit-client-")
        self.path = os.path.join(self.folder, "s")
        self.device, self.tamper, self.greet = device or Device(), tamper or {}, greet
        self.seen, self.problem = [], None
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen(1)
        self.listening.settimeout(PATIENCE)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            sock = self.listening.accept()[0]
        except OSError:
            return  # the client never came
        sock.settimeout(PATIENCE)
        peer = Peer(sock, self.device)
        try:
            if self.greet:
                self.greet(peer)
            self._serve(peer)
        except (Hangup, Ended, BrokenPipeError, ConnectionResetError):
            pass
        except Exception as problem:  # noqa: B902 (shown by whoever waits for the thread)
            self.problem = problem
        finally:
            peer.close()

    def _serve(self, peer):
        while True:
            message = peer.receive()
            self.seen.append(message)
            tamper = self.tamper.get(message.command)
            try:
                if tamper:
                    tamper(peer, message)
                else:
                    peer.raw(*peer.good(message))
            finally:
                for fd in message.fds:
                    os.close(fd)

    def close(self):
        self.thread.join(2 * PATIENCE)
        assert not self.thread.is_alive(), "the script did not end"
        self.listening.close()
        self.device.close()
        shutil.rmtree(self.folder)
        if self.problem:
            raise self.problem


def run(script, *words, program=None, timeout_ms=PATIENCE_MS):
    """One run of the tool on a scripted server: words[0] is the subcommand, URI comes after it."""
    uri = "vfio-user:" + script.path + getattr(script, "options", "")
    if program:
        argv = [program, uri, str(timeout_ms), *words]
    elif words[0] == "irq":  # its --timeout is another one
        uri += ",timeout=%d" % timeout_ms
        argv = [TOOL, words[0], uri, *words[1:]]
    else:
        argv = [TOOL, words[0], uri, *words[1:], "--timeout=%d" % timeout_ms]
    begin = time.monotonic()
    try:
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=3 * PATIENCE)
        took = time.monotonic() - begin
    finally:
        script.close()
    return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode(errors="replace"), took, uri,
                  script.seen)


def sound(result):
    """Neither a crash nor a report."""
    assert result.status in (0, 1), result
    assert not any(mark in result.err for mark in MARKS), result.err


def fails(result, *words):
    """Exit status 1, and one line that names the device and the reason. It does not wait for what cannot come."""
    sound(result)
    assert result.status == 1, result
    lines = result.err.splitlines()
    assert len(lines) == 1 and result.err.endswith("\n"), result
    front = "vfiokit: %s: " % result.uri
    assert lines[0].startswith(front) and len(lines[0]) > len(front) + 3, result
    for word in words:
        assert word in lines[0], (word, result)
    assert result.took < PATIENCE_MS / 1000, result


def fails_in_time(script, *words, **more):
    """The same for a server that keeps the client waiting, within a few times the client's bound."""
    result = run(script, *words, timeout_ms=TIMEOUT_MS, **more)
    fails(result)
    assert TIMEOUT_MS / 1000 <= result.took < BOUND, result


def either(result):
    """Good or bad news, but one of them."""
    if result.status:
        fails(result)
    else:
        works(result)


def works(result, out=None):
    sound(result)
    assert result.status == 0 and result.err == "", result
    if out is not None:
        assert result.out == out, result


def each(cases, check):
    """check(name, case) for every case, several at once since most of the time they wait; all failures together."""
    problems = []

    def one(item):
        try:
            check(*item)
        except Exception as problem:  # noqa: B902 (collected, with the case's name)
            problems.append("%s: %s: %s" % (item[0], type(problem).__name__, problem))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, list(cases)))
    assert not problems, "\n".join(problems)
