#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Records real sessions, and makes seeds of what was said in them: tests/fuzz/seeds/TARGET/recorded-*.bin.

    tests/fuzz/record.py BUILD

BUILD is a tree of the project: its programs are the clients and the servers. Each session goes through a relay, which
keeps every message with its direction and the kinds of its descriptors. Of messages that look alike (command, direction,
length, flags) the first is kept, and of sessions with the same commands: so the files are few, and the same again but for
what a session makes up, or what its threads do in another order.

The files are checked in, so that a build needs no run of it. The framing is that of seeds.py, and of each target's head.
"""

import array
import glob
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import seeds as s  # noqa: E402  (needs the path above)
from seeds import e  # noqa: E402

HEADER = struct.Struct("=HHIII")
PATIENCE = 60
# run.py gives no longer input than this.
LONGEST = 2048
EDU = "model:edu"
TESTDEV = "model:testdev"

Message = namedtuple("Message", "from_client id command flags error payload fds")


# ---- sessions ----

def kind_of(fd):
    """The kind in descriptors.h that is most like this descriptor."""
    link = os.readlink("/proc/self/fd/%d" % fd)
    if link == "anon_inode:[eventfd]":
        return s.EVENTFD
    if stat.S_ISSOCK(os.fstat(fd).st_mode):
        return s.SOCKET
    return s.SEALED


class Stream:
    """One direction: bytes and descriptors in, messages out."""

    def __init__(self, from_client, messages):
        self.from_client, self.messages, self.bytes, self.kinds = from_client, messages, b"", []

    def feed(self, data, kinds):
        self.bytes += data
        self.kinds += kinds
        while len(self.bytes) >= HEADER.size:
            number, command, size, flags, error = HEADER.unpack(self.bytes[:HEADER.size])
            if len(self.bytes) < size:
                return
            self.messages.append(Message(self.from_client, number, command, flags, error,
                                         self.bytes[HEADER.size:size], tuple(self.kinds)))
            self.bytes, self.kinds = self.bytes[size:], []


def pump(source, sink, stream):
    """Passes everything on, and keeps it."""
    while True:
        try:
            data, control, _, _ = source.recvmsg(1 << 20, socket.CMSG_SPACE(253 * 4))
        except OSError:
            data, control = b"", []
        if not data:
            break
        fds = array.array("i")
        for _, _, body in control:
            fds.frombytes(body[:len(body) // 4 * 4])
        stream.feed(data, [kind_of(fd) for fd in fds])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
        try:
            sink.sendall(data[sink.sendmsg([data], rights):])
        except OSError:
            pass
        for fd in fds:
            os.close(fd)
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Recorder:
    """A served device, and a socket in front of it on which everything is kept: a list of messages a connection."""

    def __init__(self, argv, folder):
        self.path, self.server_path = os.path.join(folder, "front"), os.path.join(folder, "back")
        self.sessions = []
        self.process = subprocess.Popen(argv + ["--socket-path=" + self.server_path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not os.path.exists(self.server_path):
            assert time.monotonic() < end and self.process.poll() is None, "it does not listen"
            time.sleep(0.01)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.connect(self.server_path)
            self.sessions.append([])
            for source, sink, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=pump, args=(source, sink, Stream(from_client, self.sessions[-1])),
                                 daemon=True).start()

    def close(self):
        self.listener.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        return self.sessions


def run(argv):
    """A client; it may fail at what the device does not have."""
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=PATIENCE, check=False)


# Steps of tests/client/steps.c: what no other client does.
RICH_STEPS = ["write=56,500", "write=72,7", "arm=0,70", "unmask=0,2", "post=4,8", "posts=3", "multi=3", "flush", "migread=64",
              "migwrite=64", "precopy", "map=0,4", "dirty=1", "report=0,4", "dirty=0", "unmap=0,4", "disarm=0,4", "disable", "reset"]
DOORBELL_STEPS = ["iofds=0", "ring=0", "read=0", "iofds=0", "reset"]


# Of config spaces: models/testdev.c.
BROKEN_CHAINS = "loop self short header ext-loop ext-self ext-short ext-low".split()


def record(tool, rich, steps):
    """All sessions of all clients with all servers."""
    sessions = []
    for server, clients in [
            ([tool, "serve", TESTDEV + ",chain=" + how], (["dump", "@", "7"],)) for how in BROKEN_CHAINS] + [
            ([tool, "serve", EDU], (["test", "@"], ["info", "@"], ["test", "@,batch=100"])),
            ([tool, "serve", TESTDEV], (["test", "@"], ["info", "@"], ["dump", "@", "7"])),
            ([rich, "serve", "rich"], (["test", "@", "info_*"], ["test", "@", "region_*"], ["features", "@"],
                                          [steps, "@", "5000"] + RICH_STEPS)),
            ([rich, "serve", "doorbell"], (["test", "@", "region_*"], ["info", "@"],
                                              [steps, "@", "5000"] + DOORBELL_STEPS))]:
        folder = tempfile.mkdtemp(prefix="vfiokit-record-")
        recorder = Recorder(server, folder)
        for client in clients:
            program = [] if client[0] == steps else [tool]
            run(program + [word.replace("@", "vfio-user:" + recorder.path) for word in client])
        sessions += recorder.close()
        shutil.rmtree(folder)
    return [session for session in sessions if session]


# ---- seeds ----

# Which decoder of wire.c a command's payload is for.
DECODERS = {
    e.VERSION: s.W_VERSION, e.DMA_MAP: s.W_DMA_MAP, e.DMA_UNMAP: s.W_DMA_UNMAP, e.DEVICE_GET_INFO: s.W_DEVICE_INFO,
    e.DEVICE_GET_REGION_INFO: s.W_REGION_INFO, e.DEVICE_GET_REGION_IO_FDS: s.W_REGION_IO_FDS,
    e.DEVICE_GET_IRQ_INFO: s.W_IRQ_INFO, e.DEVICE_SET_IRQS: s.W_SET_IRQS, e.REGION_READ: s.W_REGION_ACCESS,
    e.REGION_WRITE: s.W_REGION_ACCESS, e.REGION_WRITE_MULTI: s.W_REGION_ACCESS, e.DMA_READ: s.W_DMA_ACCESS,
    e.DMA_WRITE: s.W_DMA_ACCESS, e.DEVICE_FEATURE: s.W_FEATURE, e.MIG_DATA_READ: s.W_MIGRATION,
    e.MIG_DATA_WRITE: s.W_MIGRATION, e.GET_PRECOPY_INFO: s.W_MIGRATION}


def spec(message):
    """The byte of descriptors.h for a message's descriptors."""
    return s.fds(message.fds[0], min(len(message.fds), 15)) if message.fds else 0


def looks(message):
    """What makes two messages alike."""
    head = message.payload[4:8] if message.command in (e.DEVICE_FEATURE, e.DEVICE_SET_IRQS) else b""
    return (message.command, message.from_client, message.flags & ~0xf0, bool(message.error),
            len(message.payload) if len(message.payload) < 128 else len(message.payload).bit_length(), head,
            len(message.fds))


def different(messages):
    """The first of each that look alike."""
    seen = {}
    for message in messages:
        if len(message.payload) < LONGEST - 64:
            seen.setdefault(looks(message), message)
    return list(seen.values())


def various(sessions):
    """The first session of each set of commands."""
    seen = {}
    for session in sessions:
        seen.setdefault(frozenset((m.command, m.from_client, bool(m.error), bool(m.fds)) for m in session), session)
    return list(seen.values())


def wire(messages):
    for message in messages:
        if message.command not in DECODERS or message.error or not message.payload:
            continue
        decoder = DECODERS[message.command]
        if decoder == s.W_FEATURE and not message.from_client:
            decoder = s.W_FEATURE_REPLY
        yield bytes([decoder, len(message.fds) % 8]) + message.payload


def version(messages):
    for message in messages:
        if message.command == e.VERSION:
            yield bytes([0 if message.from_client else s.CLIENT, spec(message)]) + message.payload


def feature(sessions):
    """What a client asked of features in one connection, and what it was told."""
    for session in sessions:
        for from_client, flags in ((True, 0), (True, 2), (False, 1)):
            parts = [bytes([spec(m)]) + s.part(m.payload) for m in session
                     if m.command == e.DEVICE_FEATURE and m.from_client == from_client and not m.error]
            if parts:
                yield bytes([flags]) + b"".join(parts)


def server_session(sessions):
    """What a client said in one connection, behind its VERSION."""
    for session in sessions:
        records = b""
        for m in session:
            if m.command == e.VERSION or len(records) + len(m.payload) > LONGEST - 64:
                continue
            if m.from_client and not m.flags & e.REPLY:
                records += s.command(m.command, m.payload, spec(m), m.flags)
            elif m.from_client:
                records += s.reply(m.command, m.payload, m.error)
        if records:
            yield bytes([s.VERSION]) + records


def client_reply(sessions):
    """What a server said in one connection."""
    for session in sessions:
        records = b""
        for m in session:
            if m.from_client or len(records) + len(m.payload) > LONGEST - 64:
                continue
            if not m.flags & e.REPLY:
                records += s.asks(m.command, m.payload)
            elif m.error:
                records += bytes([s.P_ERROR, 0]) + struct.pack("=I", m.error)
            else:
                records += s.answer(m.payload, spec(m))
        if records:
            yield bytes([s.GO_ON, 0xff]) + records


def config_of(sessions):
    """A device's config space, as it was read whole by who changed nothing."""
    for session in sessions:
        if any(m.command in (e.REGION_WRITE, e.REGION_WRITE_MULTI, e.DEVICE_RESET) for m in session):
            continue
        whole = {}
        for m in session:
            if m.from_client or m.command != e.REGION_READ or m.error or len(m.payload) < 16:
                continue
            offset, region, count = struct.unpack("=QII", m.payload[:16])
            if region == s.CONFIG:
                whole.update((offset + i, byte) for i, byte in enumerate(m.payload[16:16 + count]))
        if len(whole) >= 256:
            yield whole


def chain(sessions, messages):
    """The chains of infos, and config spaces: as they are, and 256 bytes of them."""
    empty = s.part(b"")
    for m in messages:
        if m.from_client or m.error:
            continue
        if m.command == e.DEVICE_GET_INFO and len(m.payload) > 24:
            yield b"\0" + s.part(m.payload[24:]) + empty
        if m.command == e.DEVICE_GET_REGION_INFO and len(m.payload) > 32:
            yield b"\0" + empty + s.part(m.payload[32:])
    for whole in config_of(sessions):
        for flags, size in ((0, 4096), (4, 256), (8, 4096)):
            yield bytes([flags]) + empty + empty + patches(whole, size)


def patches(whole, size):
    """Config space as chain.c wants it: pieces that are not zero."""
    out = b""
    for at in range(0, size, 32):
        piece = bytes(whole.get(at + i, 0) for i in range(32))
        if any(piece):
            out += struct.pack("=HB", at, len(piece)) + piece
    return out


def write(target, made):
    """The different ones."""
    for old in glob.glob(os.path.join(HERE, "seeds", target, "recorded-*.bin")):
        os.unlink(old)
    inputs = list(dict.fromkeys(data for data in made if len(data) <= LONGEST))
    for number, data in enumerate(inputs):
        s.write(target, "recorded-%02d" % number, data)
    print("%s: %d" % (target, len(inputs)))


def main(build):
    sessions = record(*(os.path.join(build, *path) for path in (
        ("tools", "vfiokit"), ("tests", "wire", "rich"), ("tests", "client", "steps"))))
    messages = different(m for session in sessions for m in session)
    print("%d sessions, %d messages, %d of them different" % (
        len(sessions), sum(map(len, sessions)), len(messages)))
    write("wire", wire(messages))
    write("version", version(messages))
    write("feature", feature(sessions))
    write("chain", chain(sessions, messages))
    write("server_session", server_session(various(sessions)))
    write("client_reply", client_reply(various(sessions)))


if __name__ == "__main__":
    main(*sys.argv[1:])
