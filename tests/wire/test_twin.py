# SPDX-License-Identifier: BSD-3-Clause
"""twin_socket: the server's own commands on a second socket, which comes with the reply to VERSION. Raw bytes of the
independent encoder, in the place of a client that asks for it."""

import errno
import json
import socket
import struct

import edu
import pytest
from edu import PAGE, TO_BUFFER, TO_MEMORY
from session import (CAPS, DMA_READ, DMA_WRITE, ERROR, GET_INFO, REGION_WRITE, REPLY, VERSION, Ended, Session, pack,
                     proposal)
from test_dma_messages import BASE, FRONT, PAGES, Memory

ASKING = dict(CAPS, twin_socket={"supported": True})


def hello(session, caps=ASKING):
    """Negotiates; the server's twin_socket, and its descriptors."""
    reply = session.ask(VERSION, proposal(caps=caps))
    assert not reply.flags & ERROR
    return json.loads(reply.payload[4:-1])["capabilities"].get("twin_socket"), reply.fds


def connect(server):
    """(session, twin), with memory that is not shared."""
    session = server.connect()
    offer, fds = hello(session)
    assert offer == {"supported": True, "fd_index": 0} and len(fds) == 1
    twin = Session(socket.socket(fileno=fds[0]))
    server.sessions.append(twin)
    session.map(BASE, PAGES * PAGE)
    return session, twin


def copy(session, twin, memory, direction, iova=BASE, count=PAGE):
    """A transfer that is answered on the second socket; the first has nothing but the reply."""
    edu.prepare(session, direction, iova, count)
    id = edu.start(session, direction)
    done = 0
    while done < count:
        message = twin.receive()
        done += FRONT.unpack(message.payload[:16])[1]
        memory.answer(twin, message)
    return session.reply(id, REGION_WRITE).error


def test_it_is_a_stream_socket(server):
    session = server.connect()
    _, fds = hello(session)
    with socket.socket(fileno=fds[0]) as twin:
        assert (twin.family, twin.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
    session.in_step()


@pytest.mark.parametrize("caps, offer", (
    (CAPS, None), (dict(CAPS, twin_socket={"supported": False}), {"supported": False}),
    (dict(CAPS, twin_socket={}), {"supported": False}), (dict(ASKING, max_msg_fds=0), {"supported": False})))
def test_not_where_it_was_not_asked_for(server, caps, offer):
    """Nor where its descriptor cannot be passed."""
    session = server.connect()
    assert hello(session, caps) == (offer, [])
    session.map(BASE, PAGES * PAGE)
    assert Memory().copy(session, TO_BUFFER, BASE) == 0


@pytest.mark.parametrize("twin", (5, [], "yes", {"supported": 1}, {"supported": True, "fd_index": -1},
                                  {"supported": True, "fd_index": "0"}))
def test_what_cannot_be_asked(server, twin):
    session = server.connect()
    reply = session.ask(VERSION, proposal(caps=dict(CAPS, twin_socket=twin)))
    assert reply.error == errno.EINVAL and not reply.fds
    session.ends()


def test_there_and_back(server):
    session, twin = connect(server)
    memory = Memory()
    before = bytes(memory.data[:PAGE])
    assert copy(session, twin, memory, TO_BUFFER) == 0
    assert copy(session, twin, memory, TO_MEMORY, BASE + 2 * PAGE) == 0
    assert bytes(memory.data[2 * PAGE:3 * PAGE]) == before
    assert {command for command, _, _ in memory.requests} == {DMA_READ, DMA_WRITE}


def test_commands_meanwhile(server):
    """The first socket is not touched until the transfer is done; then its commands are answered in order."""
    session, twin = connect(server)
    edu.prepare(session, TO_BUFFER, BASE)
    id = edu.start(session, TO_BUFFER)
    request = twin.receive()
    more = [session.send(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0)) for _ in range(20)]
    Memory().answer(twin, request)
    assert session.reply(id, REGION_WRITE).error == 0
    for other in more:
        session.reply(other, GET_INFO)


def test_refused(server):
    session, twin = connect(server)
    edu.prepare(session, TO_BUFFER, BASE)
    id = edu.start(session, TO_BUFFER)
    message = twin.receive()
    twin.raw(pack(message.command, b"", REPLY | ERROR, message.id, error=errno.EFAULT))
    session.reply(id, REGION_WRITE)
    session.in_step()
    assert copy(session, twin, Memory(), TO_BUFFER) == 0


BAD = {
    "on the first socket": lambda session, twin, m: session.raw(pack(m.command, m.payload + bytes(PAGE), REPLY, m.id)),
    "gone": lambda session, twin, m: twin.close(),
    "another id": lambda session, twin, m: twin.raw(pack(m.command, m.payload + bytes(PAGE), REPLY, m.id + 1)),
    "no payload": lambda session, twin, m: twin.raw(pack(m.command, b"", REPLY, m.id)),
    "garbage": lambda session, twin, m: twin.raw(b"\xff" * 64),
    "commands": lambda session, twin, m: twin.raw(pack(GET_INFO, bytes(16)) * 100),
    "a descriptor": lambda session, twin, m: twin.raw(pack(m.command, m.payload + bytes(PAGE), REPLY, m.id),
                                                      [twin.sock.fileno()]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(impatient, name):
    """The end, of both."""
    session, twin = connect(impatient)
    edu.prepare(session, TO_BUFFER, BASE)
    edu.start(session, TO_BUFFER)
    message = twin.receive()
    BAD[name](session, twin, message)
    with pytest.raises((Ended, BrokenPipeError, ConnectionResetError, AssertionError, OSError)):
        session.receive()
        session.in_step()
        assert not copy(session, twin, Memory(), TO_BUFFER)


def test_silence(impatient):
    """The transfer is given up; its late answer is passed over."""
    session, twin = connect(impatient)
    edu.prepare(session, TO_BUFFER, BASE)
    id = edu.start(session, TO_BUFFER)
    message = twin.receive()
    session.reply(id, REGION_WRITE)
    Memory().answer(twin, message)
    assert copy(session, twin, Memory(), TO_BUFFER) == 0


def test_gone_with_its_client(server):
    """Who closes the first loses the second."""
    session, twin = connect(server)
    session.sock.close()
    with pytest.raises(Ended):
        twin.receive()
    server.sessions.remove(session)
