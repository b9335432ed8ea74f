# SPDX-License-Identifier: BSD-3-Clause
"""Memory that the client did not share: the device's accesses come as DMA_READ and DMA_WRITE."""

import errno
import signal
import struct
import time

import edu
import pytest
from edu import PAGE, TO_BUFFER, TO_MEMORY
from serving import SLOW, TIMEOUT_MS, Serving, wait_until
from session import (CAPS, DATA_EVENTFD, DMA_READ, DMA_WRITE, ERROR, GET_INFO, MAP_READ, MAP_WRITE, MSI, NO_REPLY,
                     REGION_READ, REGION_WRITE, REPLY, RESET, SET_IRQS, TRIGGER, VERSION, Ended, access,
                     irq_set, pack, proposal)

BASE, PAGES = 0x200000, 4
FRONT = struct.Struct("=QQ")  # address, count


def is_question(message):
    """The server wants to know how wide the client's counts are: it asks for more than 2^32 bytes."""
    return message.command == DMA_READ and FRONT.unpack(message.payload)[1] > 1 << 32


def refuse(session, message, error=errno.EINVAL):
    session.raw(pack(message.command, b"", REPLY | ERROR, message.id, error=error))


class Memory:
    """The client's, at BASE."""

    def __init__(self):
        self.data = bytearray((at * 13 + at // PAGE) & 0xff for at in range(PAGES * PAGE))
        self.requests = []

    def answer(self, session, message):
        """One DMA_READ or DMA_WRITE, as the specification says."""
        assert message.flags & 0xf == 0 and not message.fds
        if is_question(message):
            refuse(session, message)
            return
        addr, count = FRONT.unpack(message.payload[:16])
        at = addr - BASE
        assert 0 <= at <= len(self.data) - count and count > 0
        self.requests.append((message.command, addr, count))
        if message.command == DMA_READ:
            assert len(message.payload) == 16
            reply = message.payload + bytes(self.data[at:at + count])
        else:
            assert message.command == DMA_WRITE and len(message.payload) == 16 + count
            self.data[at:at + count] = message.payload[16:]
            reply = message.payload[:16]
        session.raw(pack(message.command, reply, REPLY, message.id))

    def finish(self, session, id):
        """Answers what comes until the reply to id does."""
        while True:
            message = session.receive()
            if message.flags & 0xf == REPLY:
                assert (message.id, message.command) == (id, REGION_WRITE)
                return message.error
            self.answer(session, message)

    def copy(self, session, direction, iova, count=PAGE):
        edu.prepare(session, direction, iova, count)
        return self.finish(session, edu.start(session, direction))


@pytest.fixture
def mapped(server):
    """A client whose memory is mapped and not shared."""
    session = server.client()
    session.map(BASE, PAGES * PAGE)
    return session


@pytest.fixture
def hurried(impatient):
    """The same at a server that waits for no answer for long."""
    session = impatient.client()
    session.map(BASE, PAGES * PAGE)
    return session


def first_request(session, direction=TO_BUFFER, iova=BASE, count=PAGE):
    """Starts a transfer; the id of the write that did, and the device's first request."""
    edu.prepare(session, direction, iova, count)
    id = edu.start(session, direction)
    message = session.receive()
    if direction == TO_MEMORY and is_question(message):
        refuse(session, message)
        message = session.receive()
    assert message.command == (DMA_READ if direction == TO_BUFFER else DMA_WRITE)
    assert message.flags & 0xf == 0
    return id, message


def sound(message):
    """The payload that a good reply has; the data are zeros."""
    _, count = FRONT.unpack(message.payload[:16])
    return message.payload[:16] + (bytes(count) if message.command == DMA_READ else b"")


def over(session, id):
    """The write is answered, with or without an error, and the stream goes on."""
    while True:
        message = session.receive()
        if message.flags & 0xf == REPLY:
            assert (message.id, message.command) == (id, REGION_WRITE)
            return message
        session.raw(pack(message.command, b"", REPLY | ERROR, message.id, error=errno.EIO))


# ---- as it should be ----

def test_there_and_back(mapped):
    memory = Memory()
    expected = bytes(memory.data[:PAGE])
    assert memory.copy(mapped, TO_BUFFER, BASE) == 0
    assert memory.copy(mapped, TO_MEMORY, BASE + 2 * PAGE) == 0
    assert bytes(memory.data[2 * PAGE:3 * PAGE]) == expected
    assert {command for command, _, _ in memory.requests} == {DMA_READ, DMA_WRITE}
    mapped.in_step()


def test_odd_ranges(mapped):
    memory = Memory()
    for at, count in ((1, 1), (4095, 2), (7, 4000), (PAGE * PAGES - 1, 1), (123, 4096)):
        expected = bytes(memory.data[at:at + count])
        assert memory.copy(mapped, TO_BUFFER, BASE + at, count) == 0
        assert memory.copy(mapped, TO_MEMORY, BASE, count) == 0
        assert bytes(memory.data[:count]) == expected


def test_across_the_end_of_what_is_mapped(mapped):
    """Nothing outside is asked for, and nothing is moved."""
    memory = Memory()
    edu.prepare(mapped, TO_MEMORY, BASE + PAGES * PAGE - 8, 16)
    before = bytes(memory.data)
    memory.finish(mapped, edu.start(mapped, TO_MEMORY))
    assert bytes(memory.data[:-8]) == before[:-8]
    mapped.in_step()


def test_protection(server):
    """What is mapped for one direction is never asked for in the other."""
    session, memory = server.client(), Memory()
    session.map(BASE, PAGE, MAP_READ)
    session.map(BASE + PAGE, PAGE, MAP_WRITE)
    memory.copy(session, TO_MEMORY, BASE)
    memory.copy(session, TO_BUFFER, BASE + PAGE)
    assert memory.requests == []
    assert memory.copy(session, TO_BUFFER, BASE) == 0
    assert memory.copy(session, TO_MEMORY, BASE + PAGE) == 0
    assert memory.data[PAGE:2 * PAGE] == memory.data[:PAGE]


@pytest.mark.parametrize("most", (8, 512, 1000, 4096))
def test_the_clients_transfer_size_holds(server, most):
    """No message has more data than the client said it takes."""
    session, memory = server.connect(), Memory()
    session.hello(caps=dict(CAPS, max_data_xfer_size=most))
    session.map(BASE, PAGES * PAGE)
    size = min(PAGE, 64 * most)  # what a busy machine does within the bound of an access
    expected = bytes(memory.data[:size])
    assert memory.copy(session, TO_BUFFER, BASE, size) == 0
    assert memory.copy(session, TO_MEMORY, BASE + PAGE, size) == 0
    assert bytes(memory.data[PAGE:PAGE + size]) == expected
    assert all(count <= most for _, _, count in memory.requests)


def test_the_older_form_of_qemu(mapped):
    """Its client has a 32-bit count, so that the data stands at 12; and it answers a DMA_WRITE with nothing."""
    data = bytes(range(1, 65))
    id, message = first_request(mapped, count=64)
    addr, count = FRONT.unpack(message.payload)
    mapped.raw(pack(DMA_READ, struct.pack("=QI", addr, count) + data + bytes(4), REPLY, message.id))
    assert over(mapped, id).error == 0
    id, message = first_request(mapped, TO_MEMORY, count=64)
    assert message.payload[8:12] == struct.pack("=I", 64) and message.payload[12:76] == data
    mapped.raw(pack(DMA_WRITE, b"", REPLY, message.id))
    assert over(mapped, id).error == 0


# ---- commands meanwhile ----

class OldMemory(Memory):
    """QEMU's client up to 10.2: counts of 32 bits, data at 12, four bytes of nothing at the end."""

    def answer(self, session, message):
        addr, count = struct.unpack("=QI", message.payload[:12])
        at = addr - BASE
        self.requests.append((message.command, addr, count))
        if message.command == DMA_READ:
            reply = struct.pack("=QI", addr, count) + bytes(self.data[at:at + count]) + bytes(4)
        else:
            assert len(message.payload) == 16 + count
            self.data[at:at + count] = message.payload[12:12 + count]
            reply = b""
        session.raw(pack(message.command, reply, REPLY, message.id))


@pytest.mark.parametrize("kind", (Memory, OldMemory))
def test_either_form_from_the_first_write_on(mapped, kind):
    """No DMA_READ has told yet, nor would one of zeros: the server asks, once."""
    memory = kind()
    memory.data[:] = bytes(len(memory.data))
    for n in range(3):
        assert memory.copy(mapped, TO_MEMORY, BASE + n * PAGE, 64) == 0
    assert memory.data[:64] == memory.data[PAGE:PAGE + 64] == memory.data[2 * PAGE:2 * PAGE + 64]
    memory.data[PAGE:2 * PAGE] = bytes((n * 3 + 1) & 0xff for n in range(PAGE))
    assert memory.copy(mapped, TO_BUFFER, BASE + PAGE) == 0
    assert memory.copy(mapped, TO_MEMORY, BASE + 3 * PAGE) == 0
    assert memory.data[3 * PAGE:] == memory.data[PAGE:2 * PAGE]


@pytest.mark.parametrize("kind", (Memory, OldMemory))
@pytest.mark.parametrize("data", (bytes(4) + b"abcdefgh" + bytes(4), bytes(8) + b"abcd" + bytes(4), bytes(16), b"abcd" * 4))
def test_either_form_of_data_that_looks_like_the_other(mapped, kind, data):
    memory = kind()
    memory.data[:16] = data
    assert memory.copy(mapped, TO_BUFFER, BASE, 16) == 0
    memory.data[PAGE:PAGE + 16] = b"?" * 16
    assert memory.copy(mapped, TO_MEMORY, BASE + PAGE, 16) == 0
    assert bytes(memory.data[PAGE:PAGE + 16]) == data


@pytest.mark.parametrize("answer", (b"", bytes(24), FRONT.pack(BASE, 8) + bytes(9), FRONT.pack(BASE + 1, 8) + bytes(8)))
def test_an_answer_to_the_question_that_cannot_be(server, mapped, answer):
    edu.prepare(mapped, TO_MEMORY, BASE)
    edu.start(mapped, TO_MEMORY)
    message = mapped.receive()
    assert is_question(message)
    mapped.raw(pack(message.command, answer, REPLY, message.id))
    mapped.ends()


def test_not_asked_who_says_enough(server):
    """Our own clients, and those with a twin socket, are none of the old ones."""
    session = server.client(caps=dict(CAPS, vfiokit={}))
    session.map(BASE, PAGES * PAGE)
    memory = Memory()
    edu.prepare(session, TO_MEMORY, BASE)
    id = edu.start(session, TO_MEMORY)
    message = session.receive()
    assert message.command == DMA_WRITE
    memory.answer(session, message)
    assert memory.finish(session, id) == 0


def test_commands_meanwhile_wait_their_turn(mapped):
    """Nothing is done or answered before the access that is under way; then all, in order."""
    memory = Memory()
    id, message = first_request(mapped)
    ids = [mapped.send(REGION_WRITE, access(4, 0, 4, struct.pack("=I", n))) for n in range(20)]
    reads = [mapped.send(REGION_READ, access(4, 0, 4)) for _ in range(3)]
    reset = mapped.send(RESET)
    info = mapped.send(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0))
    memory.answer(mapped, message)
    assert memory.finish(mapped, id) == 0
    for one in ids:
        assert mapped.reply(one, REGION_WRITE).error == 0
    for one in reads:
        assert struct.unpack("=I", mapped.reply(one, REGION_READ).payload[16:])[0] == 19 ^ 0xffffffff
    assert mapped.reply(reset, RESET).error == 0
    assert mapped.reply(info, GET_INFO).error == 0
    mapped.in_step()


def test_another_start_meanwhile(mapped):
    """Two transfers asked for at once are done one after the other."""
    memory = Memory()
    id, message = first_request(mapped)
    again = edu.start(mapped, TO_BUFFER)
    memory.answer(mapped, message)
    assert memory.finish(mapped, id) == 0
    memory.finish(mapped, again)
    mapped.in_step()


def test_unanswered_commands_meanwhile(mapped):
    memory = Memory()
    id, message = first_request(mapped)
    for n in range(100):
        mapped.send(REGION_WRITE, access(4, 0, 4, struct.pack("=I", n)), flags=NO_REPLY)
    memory.answer(mapped, message)
    assert memory.finish(mapped, id) == 0
    assert mapped.get(0, 4, 4) == 99 ^ 0xffffffff


def test_a_flood_meanwhile_is_bounded(impatient, hurried):
    """What a client may leave waiting has a limit; the server is not its memory."""
    first_request(hurried)
    block = pack(REGION_WRITE, access(4, 0, 65536, bytes(65536)), NO_REPLY)
    hurried.sock.settimeout(3 * TIMEOUT_MS / 1000)
    try:
        for _ in range(2000):
            hurried.raw(block)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        pass
    hurried.close()
    impatient.client().in_step()
    if not SLOW:  # whose own bookkeeping is larger than that
        assert impatient.peak_kib() < 64 << 10


def test_unmap_meanwhile(mapped):
    """It is answered when the device does not use the memory any more."""
    memory = Memory()
    id, message = first_request(mapped)
    request = struct.pack("=IIQQ", 24, 0, BASE, PAGES * PAGE)
    unmap = mapped.send(3, request)
    memory.answer(mapped, message)
    assert memory.finish(mapped, id) == 0
    assert mapped.reply(unmap, 3).payload == request
    edu.prepare(mapped, TO_MEMORY, BASE)
    mapped.reply(edu.start(mapped, TO_MEMORY), REGION_WRITE)


# ---- refusals ----

@pytest.mark.parametrize("error", (errno.EFAULT, errno.EINVAL, errno.EIO, 0, 1, 4095))
@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
def test_refused_by_the_client(mapped, direction, error):
    id, message = first_request(mapped, direction)
    mapped.raw(pack(message.command, b"", REPLY | ERROR, message.id, error=error))
    over(mapped, id)
    mapped.in_step()
    assert Memory().copy(mapped, TO_BUFFER, BASE) == 0


# (what is wrong with the reply, which makes it from the server's request)
BAD = {
    "no payload": lambda m: pack(m.command, b"", REPLY, m.id) if m.command == DMA_READ
    else pack(m.command, bytes(3), REPLY, m.id),
    "short front": lambda m: pack(m.command, sound(m)[:11], REPLY, m.id),
    "too much": lambda m: pack(m.command, sound(m) + bytes(64), REPLY, m.id),
    "far too much": lambda m: pack(m.command, sound(m) + bytes(1 << 20), REPLY, m.id),
    "another address": lambda m: pack(m.command, struct.pack("=Q", BASE + PAGE) + sound(m)[8:], REPLY, m.id),
    "another count": lambda m: pack(m.command, sound(m)[:8] + struct.pack("=Q", 1 << 40) + sound(m)[16:], REPLY, m.id),
    "a count that wraps": lambda m: pack(m.command, sound(m)[:8] + b"\xff" * 8 + sound(m)[16:], REPLY, m.id),
    "another command": lambda m: pack(DMA_READ + DMA_WRITE - m.command, sound(m), REPLY, m.id),
    "a command of ours": lambda m: pack(REGION_READ, sound(m), REPLY, m.id),
    "another id": lambda m: pack(m.command, sound(m), REPLY, m.id ^ 0x8001),
    "no_reply": lambda m: pack(m.command, sound(m), REPLY | NO_REPLY, m.id),
    "a reserved flag": lambda m: pack(m.command, sound(m), REPLY | 64, m.id),
    "an unknown type": lambda m: pack(m.command, sound(m), 2, m.id),
    "an error with a payload": lambda m: pack(m.command, sound(m), REPLY | ERROR, m.id, error=5),
    "an errno that cannot be": lambda m: pack(m.command, b"", REPLY | ERROR, m.id, error=4096),
    "the largest errno": lambda m: pack(m.command, b"", REPLY | ERROR, m.id, error=0xffffffff),
    "size below a header": lambda m: pack(m.command, sound(m), REPLY, m.id, size=15),
    "size above all limits": lambda m: pack(m.command, sound(m), REPLY, m.id, size=0xffffffff),
}


@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
@pytest.mark.parametrize("what", BAD)
def test_reply_that_cannot_be(server, mapped, direction, what):
    id, message = first_request(mapped, direction)
    try:
        mapped.raw(BAD[what](message))
    except (BrokenPipeError, ConnectionResetError):
        pass
    mapped.ends()


def test_reply_with_a_descriptor(server, mapped, event):
    _, message = first_request(mapped)
    mapped.raw(pack(DMA_READ, sound(message), REPLY, message.id), [event])
    mapped.ends()


@pytest.mark.parametrize("count", (0, 1, PAGE - 1))
def test_short_read(mapped, count):
    """A part is no success; it is an error of the access, or the end."""
    id, message = first_request(mapped)
    mapped.raw(pack(DMA_READ, FRONT.pack(BASE, count) + b"\xaa" * count, REPLY, message.id))
    try:
        over(mapped, id)
        mapped.in_step()
    except Ended:
        mapped.close()


def test_duplicate(mapped):
    """The second reply is one that nobody asked for."""
    id, message = first_request(mapped, count=8)
    reply = pack(DMA_READ, sound(message), REPLY, message.id)
    mapped.raw(reply)
    assert over(mapped, id).error == 0
    mapped.raw(reply)
    mapped.ends()


# ---- silence and death ----

@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
def test_no_answer(hurried, direction):
    """The access fails within the bound; the answer that comes too late hurts nobody."""
    id, message = first_request(hurried, direction)
    begin = time.monotonic()
    reply = hurried.receive()
    while reply.flags & 0xf != REPLY:  # a device may go on with the next piece
        reply = hurried.receive()
    took = time.monotonic() - begin
    assert (reply.id, reply.command) == (id, REGION_WRITE)
    assert TIMEOUT_MS / 2000 < took < 10
    hurried.raw(pack(message.command, sound(message), REPLY, message.id))
    hurried.in_step()
    assert Memory().copy(hurried, TO_BUFFER, BASE) == 0


# What a busy machine may add to one bound; without it these clients would hold the server for minutes.
SOON = 6 + TIMEOUT_MS / 1000


@pytest.mark.parametrize("direction", (TO_BUFFER, TO_MEMORY))
def test_many_small_answers(impatient, direction):
    """The bound is for the access: a client that takes 8 bytes a message has no more time than others."""
    session = impatient.client(caps=dict(CAPS, max_data_xfer_size=8, vfiokit={}))
    session.map(BASE, PAGES * PAGE)
    edu.prepare(session, direction, BASE)
    begin = time.monotonic()
    id = edu.start(session, direction)
    while True:
        message = session.receive()
        if message.flags & 0xf == REPLY:
            break
        time.sleep(0.05)
        session.raw(pack(message.command, sound(message), REPLY, message.id))
    assert (message.id, message.command) == (id, REGION_WRITE)
    assert time.monotonic() - begin < SOON


def start_many(session):
    """Transfers that are never answered, more than are handled before others have their turn."""
    edu.prepare(session, TO_BUFFER, BASE)
    session.raw(pack(REGION_WRITE, access(edu.START, 0, 8, struct.pack("=Q", TO_BUFFER)), NO_REPLY) * 70)
    assert session.receive().command == DMA_READ


def test_no_answer_to_many(impatient, hurried):
    """Each is bounded, and others have their turn in between."""
    start_many(hurried)
    begin = time.monotonic()
    other = impatient.connect()
    id = other.send(VERSION, proposal())
    assert other.reply(id, VERSION).error == errno.EBUSY
    assert time.monotonic() - begin < SOON


@pytest.mark.parametrize("options", ((), ("--threads",)), ids=("loop", "threads"))
def test_a_silent_client_does_not_keep_a_server(options):
    serving = Serving(options=("--timeout=%d" % TIMEOUT_MS, *options))
    session = serving.client()
    session.map(BASE, PAGES * PAGE)
    start_many(session)
    begin = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    serving.wait()
    assert time.monotonic() - begin < SOON


def test_half_an_answer(impatient, hurried):
    """The rest never comes: bounded as well, and the next client is served."""
    _, message = first_request(hurried)
    hurried.raw(pack(DMA_READ, sound(message), REPLY, message.id)[:500])
    time.sleep(1.5 * TIMEOUT_MS / 1000)
    hurried.close()
    impatient.client().in_step()


@pytest.mark.parametrize("cut", (0, 1, 15, 16, 17, 31, 32, 33, 500, 16 + 16 + PAGE - 1))
def test_death_in_the_middle(server, mapped, cut):
    _, message = first_request(mapped)
    mapped.raw(pack(DMA_READ, sound(message), REPLY, message.id)[:cut])
    mapped.close()
    other, memory = server.client(), Memory()
    other.map(BASE, PAGES * PAGE)
    assert memory.copy(other, TO_BUFFER, BASE) == 0


def test_death_with_commands_waiting(server, mapped):
    first_request(mapped)
    for _ in range(50):
        mapped.send(REGION_READ, access(0, 0, 4))
    mapped.close()
    server.client().in_step()


def test_death_with_descriptors_waiting(server, mapped, event):
    """Those of commands whose turn never comes are closed all the same: see what is counted after each test."""
    first_request(mapped)
    for _ in range(20):
        mapped.send(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER), fds=[event])
        mapped.send(4711, fds=[event] * 3)
    mapped.raw(pack(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER))[:20], [event] * 2)
    mapped.close()
    server.client().in_step()


def test_more_descriptors_waiting_than_there_may_be(server, mapped, event):
    """Descriptors are dearer than bytes: who leaves too many waiting is dropped."""
    first_request(mapped)
    try:
        for _ in range(200):
            mapped.send(4711, fds=[event] * 16)
    except (BrokenPipeError, ConnectionResetError):
        pass
    wait_until(lambda: server.count_fds() < server.baseline + 600, "they are kept")
    mapped.close()
    server.client().in_step()


def test_version_meanwhile(server, mapped):
    """Queued as everything else, and wrong when its turn comes."""
    memory = Memory()
    id, message = first_request(mapped)
    mapped.send(VERSION, proposal())
    memory.answer(mapped, message)
    assert memory.finish(mapped, id) == 0
    reply = mapped.receive()
    assert reply.command == VERSION and reply.flags & ERROR


# ---- a device that works later ----

@pytest.fixture(scope="module")
def late():
    serving = Serving("model:edu,latency=50")
    yield serving
    serving.stop()


def test_the_servers_own_time(late):
    """The access that starts is answered first; the transfer comes when the device gets to it."""
    session, memory = late.client(), Memory()
    session.map(BASE, PAGES * PAGE)
    edu.prepare(session, TO_BUFFER, BASE)
    id = edu.start(session, TO_BUFFER)
    assert session.reply(id, REGION_WRITE).error == 0
    assert session.get(0, edu.START, 8) & 1
    message = session.receive()
    assert message.command == DMA_READ
    reading = session.send(REGION_READ, access(0, 0, 4))
    memory.answer(session, message)
    while True:
        message = session.receive()
        if message.flags & 0xf == REPLY:
            break
        memory.answer(session, message)
    assert message.id == reading
    session.close()
    late.check()


@pytest.mark.parametrize("wait", (0, 0.02, 0.1))
def test_gone_before_its_device_was_done(late, wait):
    """The device's state is kept, its work too; whom it asks then answers or refuses, and all goes on."""
    session = late.client()
    session.map(BASE, PAGES * PAGE)
    edu.prepare(session, TO_MEMORY, BASE)
    session.reply(edu.start(session, TO_MEMORY), REGION_WRITE)
    time.sleep(wait)
    session.close()
    other, memory = late.client(), Memory()
    other.map(BASE, PAGES * PAGE)
    time.sleep(0.1)
    reading = other.send(REGION_READ, access(0, 0, 4))
    while True:
        message = other.receive()
        if message.flags & 0xf == REPLY:
            break
        memory.answer(other, message)
    assert message.id == reading
    other.close()
    late.check()
