# SPDX-License-Identifier: BSD-3-Clause
"""A socket before a server's, which passes on what QEMU and the server say to each other and keeps it."""

import array
import os
import socket
import sys
import threading
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "wire"))
from encoder import NO_REPLY, REGION_WRITE, REPLY, Encoder  # noqa: E402,F401  (needs the path above)

PATIENCE = 10
HEADER = 16
TYPE = 0xF
FDS = 253  # SCM_MAX_FD, which one message of a socket can have
ENCODER = Encoder()

Message = namedtuple("Message", "command flags payload")


class Stream:
    """One direction: bytes in, messages out. The peers are ours and QEMU: a size is believed."""

    def __init__(self):
        self.messages = []
        self._bytes = b""

    def feed(self, data):
        self._bytes += data
        while len(self._bytes) >= HEADER:
            head = ENCODER.header(self._bytes)
            if len(self._bytes) < head["size"]:
                return
            payload = self._bytes[HEADER:head["size"]]
            self.messages.append(Message(head["command"], head["flags"], payload))
            self._bytes = self._bytes[max(head["size"], HEADER):]


def pump(source, sink, stream):
    """Until one of them ends, and then both do. Descriptors stay with the bytes they came with."""
    try:
        while True:
            data, control, _, _ = source.recvmsg(1 << 20, socket.CMSG_SPACE(FDS * 4))
            if not data:
                break
            fds = array.array("i")
            for _, _, body in control:
                fds.frombytes(body)
            stream.feed(data)
            try:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
                sink.sendall(data[sink.sendmsg([data], rights):])
            finally:
                for fd in fds:
                    os.close(fd)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Relay:
    """Listens at PATH for one client of the server at SERVER."""

    def __init__(self, path, server):
        self.path = path
        self._server = server
        self._client, self._answers = Stream(), Stream()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def _pass_on(self):
        with socket.socket(socket.AF_UNIX) as server:
            try:
                client, _ = self._listener.accept()
                server.connect(self._server)
            except OSError:
                return
            with client:
                back = threading.Thread(target=pump, args=(server, client, self._answers),
                                        daemon=True)
                back.start()
                pump(client, server, self._client)
                back.join()

    def close(self):
        """What came can be told from then on; the client has ended, or none comes."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()

    def commands(self, command=None):
        """The client's, or those of one kind."""
        return [message for message in self._client.messages
                if message.flags & TYPE != REPLY and command in (None, message.command)]

    def replies(self):
        """The server's answers."""
        return [message for message in self._answers.messages if message.flags & TYPE == REPLY]


def posted(messages):
    return [message for message in messages if message.flags & NO_REPLY]


def region(access):
    """The index of the region that a REGION_READ or REGION_WRITE is about."""
    return ENCODER.unpack("region_access", access.payload)["region"]
