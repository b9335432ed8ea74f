# SPDX-License-Identifier: BSD-3-Clause
"""A vfio-user client that sends what a test says, however wrong, and checks what comes."""

import array
import errno
import json
import os
import select
import socket
import struct
import time
from collections import namedtuple

from encoder import (  # noqa: F401 (passed on to the tests, some under shorter names)
    COMMAND, DATA_BOOL, DATA_EVENTFD, DATA_NONE, DEVICE_FEATURE as FEATURE, DEVICE_GET_INFO as GET_INFO,
    DEVICE_GET_IRQ_INFO as GET_IRQ_INFO, DEVICE_GET_REGION_INFO as GET_REGION_INFO,
    DEVICE_GET_REGION_IO_FDS as GET_REGION_IO_FDS, DEVICE_RESET as RESET, DEVICE_SET_IRQS as SET_IRQS,
    DIRTY_PAGES, DMA_MAP, DMA_READ, DMA_UNMAP, DMA_WRITE, ERROR, GET, GET_PRECOPY_INFO as PRECOPY_INFO, MASK,
    MIG_DATA_READ as MIG_READ, MIG_DATA_WRITE as MIG_WRITE, NO_REPLY, PROBE, REGION_READ, REGION_WRITE,
    REGION_WRITE_MULTI as WRITE_MULTI, REPLY, SET, TRIGGER, UNMASK, VERSION, Encoder)

ENCODER = Encoder()
HEADER = struct.Struct("=HHIII")  # id, command, size, flags, error

CONFIG = 7  # VFIO_PCI_CONFIG_REGION_INDEX
INTX, MSI, MSIX = 0, 1, 2
MAP_READ, MAP_WRITE = 1, 2
UNMAP_BITMAP, UNMAP_ALL = 1, 2

# The capabilities of a client that can do everything.
CAPS = {"max_msg_fds": 16, "max_data_xfer_size": 1 << 20, "max_dma_maps": 65535, "pgsizes": 4096,
        "write_multiple": True}

# How long something that must come may take; what must not come is known by what comes after it.
PATIENCE = 20

Message = namedtuple("Message", "id command flags error payload fds")


class Ended(Exception):
    """The peer closed the connection."""


def proposal(major=0, minor=2, caps=CAPS):
    """A VERSION payload; caps None: no JSON."""
    return ENCODER.version(major, minor, caps)


def pack(command, payload=b"", flags=COMMAND, id=0, size=None, error=0):
    """A whole message; size may lie."""
    return ENCODER.message(id, command, payload, flags, error, size)


access, dma_map, dma_unmap, irq_set = (ENCODER.region_access, ENCODER.dma_map, ENCODER.dma_unmap,
                                       ENCODER.irq_set)


class Session:
    """One connection to a server."""

    def __init__(self, sock):
        self.sock = sock
        self.next_id = 1
        self.buffer = b""
        self.fds = []

    def close(self):
        self.sock.close()
        self.drop_fds()

    def drop_fds(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    # ---- sending ----

    def raw(self, data, fds=()):
        """Sends bytes; the descriptors go with the first of them."""
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            data = data[self.sock.sendmsg([data], rights):]
        if data:
            self.sock.sendall(data)

    def send(self, command, payload=b"", flags=0, fds=(), id=None, size=None, error=0):
        if id is None:
            id = self.next_id
            self.next_id = (self.next_id + 1) & 0xffff
        self.raw(pack(command, payload, flags, id, size, error), fds)
        return id

    # ---- receiving ----

    def _fill(self, count, end):
        while len(self.buffer) < count:
            left = end - time.monotonic()
            assert left > 0, "nothing came"
            waiting = select.poll()  # select.select() knows no descriptor above 1023
            waiting.register(self.sock, select.POLLIN)
            if not waiting.poll(left * 1000):
                continue
            try:
                data, control, flags, _ = self.sock.recvmsg(1 << 20, socket.CMSG_SPACE(253 * 4))
            except ConnectionResetError:
                data, control, flags = b"", [], 0
            assert not flags & socket.MSG_CTRUNC
            for level, kind, body in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.fds += array.array("i", body[:len(body) // 4 * 4])
            if not data:
                raise Ended("the server closed the connection")
            self.buffer += data

    def receive(self, patience=PATIENCE):
        """The next message, whole and with a sound header."""
        end = time.monotonic() + patience
        self._fill(HEADER.size, end)
        id, command, size, flags, error = HEADER.unpack(self.buffer[:HEADER.size])
        assert size >= HEADER.size, "size %d in the server's header" % size
        assert flags & ~(0xf | NO_REPLY | ERROR) == 0 and flags & 0xf in (COMMAND, REPLY), hex(flags)
        assert not (flags & ERROR and size != HEADER.size), "an error reply with a payload"
        assert flags & ERROR or not error
        self._fill(size, end)
        payload, self.buffer = self.buffer[HEADER.size:size], self.buffer[size:]
        fds, self.fds = self.fds, []
        return Message(id, command, flags, error, payload, fds)

    def reply(self, id, command):
        """The next message, which must be the reply to this."""
        message = self.receive()
        assert (message.id, message.command, message.flags & 0xf) == (id, command, REPLY), \
            "expected the reply to command %d, id %d, got %r" % (command, id, message)
        return message

    def ask(self, command, payload=b"", **more):
        return self.reply(self.send(command, payload, **more), command)

    def good(self, command, payload=b"", **more):
        """The payload of a reply that must not be an error."""
        message = self.ask(command, payload, **more)
        assert not message.flags & ERROR, "command %d, %s: error %s" % (
            command, payload[:40].hex(" "), errno.errorcode.get(message.error, message.error))
        assert not message.fds
        return message.payload

    def refused(self, command, payload=b"", errs=(errno.EINVAL,), **more):
        """An error reply with one of these errnos, and the stream still in step behind it."""
        message = self.ask(command, payload, **more)
        assert message.flags & ERROR, "command %d, %s was accepted" % (command, payload[:40].hex(" "))
        assert message.error in errs, "command %d, %s: error %s" % (
            command, payload[:40].hex(" "), errno.errorcode.get(message.error, message.error))
        self.in_step()

    def ends(self, patience=PATIENCE):
        """The server closes; at most it says why first, in one error reply."""
        try:
            message = self.receive(patience)
            assert message.flags & ERROR, "the server goes on: %r" % (message,)
            message = self.receive(patience)
        except Ended:
            assert not self.buffer, "closed in the middle of a message"
            self.close()
            return
        raise AssertionError("the server goes on: %r" % (message,))

    def killed(self, command, payload=b"", **more):
        """A message that ends the connection."""
        try:
            self.send(command, payload, **more)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it closed before it had read all, as it may
        self.ends()

    # ---- what tests ask for often ----

    def hello(self, major=0, minor=2, caps=CAPS):
        """Negotiates; the server's (minor, capabilities), capabilities None without JSON."""
        body = self.good(VERSION, proposal(major, minor, caps))
        theirs = struct.unpack("=HH", body[:4])
        assert theirs[0] == 0 and theirs[1] <= minor
        if len(body) == 4:
            return theirs[1], None
        assert body[-1] == 0 and 0 not in body[4:-1]
        return theirs[1], json.loads(body[4:-1].decode())["capabilities"]

    def in_step(self):
        """The next request gets the next reply, and the right one: the device is an edu."""
        assert self.read(0, 0, 4) == b"\xed\x00\x00\x01"

    def read(self, region, offset, count):
        front = access(offset, region, count)
        body = self.good(REGION_READ, front)
        assert body[:12] == front[:12]
        assert struct.unpack("=I", body[12:16])[0] == len(body) - 16 <= count
        return body[16:]

    def write(self, region, offset, data):
        front = access(offset, region, len(data))
        assert self.good(REGION_WRITE, front + data) == front

    def put(self, region, offset, width, value):
        self.write(region, offset, value.to_bytes(width, "little"))

    def get(self, region, offset, width):
        return int.from_bytes(self.read(region, offset, width), "little")

    def map(self, addr, size, flags=MAP_READ | MAP_WRITE, offset=0, fd=None):
        assert self.good(DMA_MAP, dma_map(addr, size, flags, offset),
                         fds=[] if fd is None else [fd]) == b""

    def unmap(self, addr, size, flags=0):
        request = dma_unmap(addr, size, flags)
        assert self.good(DMA_UNMAP, request) == request

    def arm(self, index, fds, start=0):
        assert self.good(SET_IRQS, irq_set(index, DATA_EVENTFD | TRIGGER, start, len(fds)), fds=fds) == b""

    def disarm(self, index):
        assert self.good(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER, 0, 0)) == b""
