# SPDX-License-Identifier: BSD-3-Clause
"""From one client to the next: who is served, what is kept, what is dropped, and how the server ends."""

import errno
import os
import socket
import stat
import struct
import subprocess
import time

import pytest
from edu import PAGE, TO_MEMORY, copy
from serving import TIMEOUT_MS, TOOL, Serving, some, wait_until
from session import (CONFIG, DATA_EVENTFD, DMA_MAP, ERROR, GET_INFO, INTX, MSI, PATIENCE, REGION_READ,
                     REGION_WRITE, SET_IRQS, TRIGGER, VERSION, Ended, Session, access, dma_map, irq_set,
                     pack, proposal)


def sequence(fd):
    """A client's first requests: (message, with a descriptor)."""
    return [(pack(VERSION, proposal(), id=1), []),
            (pack(GET_INFO, struct.pack("=IIII", 16, 0, 0, 0), id=2), []),
            (pack(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER), id=3), [fd]),
            (pack(DMA_MAP, dma_map(0x10000, PAGE), id=4), []),
            (pack(REGION_WRITE, access(4, 0, 4, b"abcd"), id=5), []),
            (pack(REGION_READ, access(4, 0, 4), id=6), [])]


# ---- one at a time ----

def test_second_client_is_told(server):
    """EBUSY to its VERSION, and closed; the first goes on."""
    first = server.client()
    for _ in range(5):
        second = server.connect()
        second.send(VERSION, proposal(), id=77)
        message = second.receive()
        assert (message.id, message.command, message.flags, message.error) == (77, VERSION, 1 | ERROR, errno.EBUSY)
        with pytest.raises(Ended):
            second.receive()
        first.in_step()
        second.close()
    first.close()
    server.client().in_step()


def test_second_client_by_pieces(server):
    first = server.client()
    second = server.connect()
    for byte in pack(VERSION, proposal())[:16]:
        second.raw(bytes([byte]))
        first.in_step()
    assert second.receive().error == errno.EBUSY


def test_second_client_says_nothing(server):
    """Nobody waits for it, and its place is not for ever."""
    first = server.client()
    silent = [server.connect() for _ in range(20)]
    for _ in range(20):
        first.in_step()
    for session in silent:
        with pytest.raises(Ended):
            session.receive()


def test_second_client_goes_before_it_is_told(server):
    first = server.client()
    for _ in range(50):
        second = server.connect()
        second.send(VERSION, proposal())
        second.close()
    first.in_step()


def test_while_the_first_negotiates(impatient):
    """A place is taken by connecting, and lost by silence."""
    impatient.connect().raw(b"\x01\x00")
    second = impatient.connect()
    second.send(VERSION, proposal())
    reply = second.receive()
    assert reply.error == errno.EBUSY
    begin = time.monotonic()
    wait_until(lambda: served(impatient), "a silent client keeps its place")
    assert time.monotonic() - begin < 10


def served(server):
    session = server.connect()
    try:
        session.send(VERSION, proposal())
        return not session.receive().error
    except (Ended, BrokenPipeError, ConnectionResetError):
        return False
    finally:
        session.close()


def test_silence_before_version_is_bounded(impatient):
    session = impatient.connect()
    session.ends(10)


def test_silence_after_version_is_not(impatient):
    """A client that has nothing to say is a client."""
    session = impatient.client()
    time.sleep(2.5 * TIMEOUT_MS / 1000)
    session.in_step()


# ---- one after the other ----

def test_next_client_at_once(server):
    """No race between the end of one and the beginning of the next, as in two commands of a script."""
    for _ in some(range(300), 50):
        session = server.client()
        session.in_step()
        session.close()


def test_next_client_at_once_while_requests_wait(server):
    for _ in some(range(100), 25):
        session = server.client()
        for _ in range(20):
            session.send(REGION_READ, access(0, 0, 4))
        session.close()


def test_state_is_kept(server, event):
    """Registers and config space stay; mappings and interrupts go."""
    fd = os.memfd_create("memory")
    os.ftruncate(fd, PAGE)
    session = server.client()
    session.put(0, 4, 4, 0x11223344)
    session.put(CONFIG, 0x3c, 1, 0x77)
    session.arm(INTX, [event])
    session.map(0x10000, PAGE, fd=fd)
    assert copy(session, TO_MEMORY, 0x10000) == 0
    session.close()
    session = server.client()
    assert session.get(0, 4, 4) == 0x11223344 ^ 0xffffffff
    assert session.get(CONFIG, 0x3c, 1) == 0x77
    os.ftruncate(fd, 0)
    os.ftruncate(fd, PAGE)
    os.pwrite(fd, b"\x5a" * PAGE, 0)
    copy(session, TO_MEMORY, 0x10000)
    assert os.pread(fd, PAGE, 0) == b"\x5a" * PAGE
    session.put(0, 0x60, 4, 1)
    session.put(0, 0x64, 4, 1)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(event)
    session.map(0x10000, PAGE)
    session.arm(MSI, [event])
    os.close(fd)


def test_death_at_every_byte(server, event):
    """Whatever of a sequence arrived, the next client begins anew."""
    steps = sequence(event)
    for last, (message, fds) in enumerate(steps):
        for cut in some(range(len(message) + 1), 12):
            session = server.connect()
            for whole, more in steps[:last]:
                session.raw(whole, more)
            if cut:
                session.raw(message[:cut], fds)
            session.close()
    server.client().in_step()


def test_death_without_reading(server):
    """The answers have nowhere to go."""
    for _ in some(range(20), 5):
        session = server.client()
        for _ in range(200):
            session.send(REGION_READ, access(0, CONFIG, 256))
        session.sock.shutdown(socket.SHUT_RD)
        session.close()


def test_half_closed(server):
    """A client that sends no more still hears the answers to what it sent, or the end."""
    session = server.client()
    id = session.send(REGION_READ, access(0, 0, 4))
    session.sock.shutdown(socket.SHUT_WR)
    try:
        assert session.receive().id == id
        session.receive()
    except Ended:
        pass
    session.close()


# ---- how it speaks ----

def test_byte_by_byte(server, event):
    """Slow is not wrong, and the server waits for nobody."""
    session = server.connect()
    for number, (message, fds) in enumerate(sequence(event), 1):
        for at in range(len(message)):
            session.raw(message[at:at + 1], fds if at == 0 else [])
        reply = session.receive()
        assert reply.id == number and not reply.error
    session.in_step()


def test_all_at_once(server, event):
    """The whole sequence in one go, answered in order."""
    session = server.connect()
    steps = sequence(event)
    session.raw(b"".join(message for message, _ in steps[:2]))
    session.raw(*steps[2])
    session.raw(b"".join(message for message, _ in steps[3:]))
    for number in range(1, 7):
        reply = session.receive()
        assert reply.id == number and not reply.error
    assert reply.payload[16:] == bytes(byte ^ 0xff for byte in b"abcd")


def test_pipelined(server):
    session = server.client()
    for begin in range(0, 3000, 300):
        session.raw(b"".join(pack(REGION_WRITE, access(4, 0, 4, struct.pack("=I", n)), id=2 * n & 0xffff)
                             + pack(REGION_READ, access(4, 0, 4), id=2 * n + 1) for n in range(begin, begin + 300)))
        for n in range(begin, begin + 300):
            assert session.reply(2 * n, REGION_WRITE).error == 0
            assert struct.unpack("=I", session.reply(2 * n + 1, REGION_READ).payload[16:])[0] == n ^ 0xffffffff


def test_answers_not_read_for_a_while(server):
    """More answers than a socket holds: nothing is lost when they are read within the bound."""
    session, count = server.client(), 3000
    session.sock.setblocking(False)
    stream = b"".join(pack(REGION_READ, access(0, CONFIG, 256), id=n) for n in range(count))
    sent, end = 0, time.monotonic() + 0.1
    while sent < len(stream) and time.monotonic() < end:
        try:
            sent += session.sock.send(stream[sent:])
        except BlockingIOError:
            time.sleep(0.005)
    session.sock.setblocking(True)
    whole, rest = divmod(sent, 32)
    assert whole > 100
    for n in range(whole):
        assert len(session.reply(n, REGION_READ).payload) == 16 + 256
    session.raw(stream[sent:sent + (32 - rest if rest else 0)])
    if rest:
        session.reply(whole, REGION_READ)
    session.in_step()


def test_answers_never_read(impatient):
    """Who takes no answers loses the connection within the bound; the next one is served."""
    session = impatient.client()
    session.sock.settimeout(10)
    block = b"".join(pack(REGION_READ, access(0, CONFIG, 256)) for _ in range(1000))
    begin = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while True:
            session.raw(block)
    assert time.monotonic() - begin < 10
    session.close()
    impatient.client().in_step()


# ---- the process ----

def test_on_a_descriptor():
    """One end of a socketpair: served, and the end of its client is its end."""
    for leave in ("close", "nothing said"):
        serving = Serving(fd=True)
        session = serving.sessions[0]
        if leave == "close":
            session.hello()
            session.in_step()
        session.close()
        serving.wait()


def test_on_a_descriptor_that_breaks_the_protocol():
    serving = Serving(fd=True)
    session = serving.sessions[0]
    session.hello()
    session.killed(GET_INFO, b"", size=3)
    assert serving.process.wait(PATIENCE) in (0, 1), serving.said()
    serving.wait(serving.process.returncode)


def test_on_a_descriptor_ended_by_signal():
    serving = Serving(fd=True)
    serving.sessions[0].hello()
    serving.process.terminate()
    serving.wait()


@pytest.mark.parametrize("number", ("99", "-1", "x", "", "0x", "99999999999999999999"))
def test_descriptor_that_is_none(number):
    ended = subprocess.run([TOOL, "serve", "model:edu", "--fd=" + number], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert ended.returncode in (1, 2) and len(ended.stderr.splitlines()) == 1, ended


def test_descriptor_that_is_no_socket(tmp_path):
    with open(tmp_path / "file", "w+b") as regular, socket.socketpair(type=socket.SOCK_DGRAM)[0] as datagrams, \
            socket.socket() as internet:
        for file in (regular, datagrams, internet):
            ended = subprocess.run([TOOL, "serve", "model:edu", "--fd=%d" % file.fileno()],
                                   pass_fds=[file.fileno()], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
            assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1, ended


def test_a_listening_descriptor(tmp_path):
    """Handed in as socket activation does: clients one after the other, and the path is not its own."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(4)
        process = subprocess.Popen([TOOL, "serve", "model:edu", "--fd=%d" % listening.fileno()],
                                   pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            for _ in range(3):
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(path)
                session = Session(sock)
                session.hello()
                session.in_step()
                session.close()
            process.terminate()
            assert process.wait(PATIENCE) == 0
            assert os.path.exists(path)
        finally:
            process.kill()
            process.wait()


def test_socket_is_its_owners(server):
    assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600


def test_ended_by_signal_with_a_client():
    """The socket is removed, and the client sees the end."""
    serving = Serving()
    session = serving.client()
    session.map(0x10000, PAGE)
    serving.process.terminate()
    with pytest.raises(Ended):
        session.receive()
    serving.wait()


def test_a_path_in_use(server, tmp_path):
    """Neither another server's socket nor a file of any other kind is replaced; a stale socket is."""
    def serve(path):
        return subprocess.run([TOOL, "serve", "model:edu", "--socket-path=" + path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    plain = str(tmp_path / "plain")
    with open(plain, "w", encoding="ascii") as out:
        out.write("precious")
    for path in (server.path, plain, str(tmp_path), str(tmp_path / "absent" / "s"), str(tmp_path / ("s" * 120)), ""):
        ended = serve(path)
        assert ended.returncode in (1, 2) and len(ended.stderr.splitlines()) == 1, (path, ended)
    with open(plain, encoding="ascii") as left:
        assert left.read() == "precious"
    server.client().in_step()


def test_a_stale_socket(tmp_path):
    stale = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(stale)
    process = subprocess.Popen([TOOL, "serve", "model:edu", "--socket-path=" + stale], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    try:
        def connects():
            with socket.socket(socket.AF_UNIX) as sock:
                return not sock.connect_ex(stale)
        wait_until(connects, "a stale socket was not replaced")
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert not os.path.exists(stale)
    finally:
        process.kill()
        process.wait()


def test_an_inherited_descriptor_is_not_leaked(tmp_path):
    """--run's command has what it had anyway, and neither the server's socket nor the device's files."""
    listing = str(tmp_path / "fds")
    ended = subprocess.run([TOOL, "serve", "model:edu", "--socket-path=" + str(tmp_path / "s"), "--run",
                            "ls -l /proc/self/fd > %s" % listing], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert ended.returncode == 0, ended
    with open(listing, encoding="utf-8") as text:
        assert "socket:" not in text.read()
