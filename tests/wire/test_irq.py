# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_GET_IRQ_INFO and DEVICE_SET_IRQS: eventfds, what comes in their place, and counts that lie."""

import errno
import os
import select
import socket
import struct
import tempfile

import pytest
from serving import wait_until
from session import (CONFIG, DATA_BOOL, DATA_EVENTFD, DATA_NONE, GET_IRQ_INFO, INTX, MASK, MSI, MSIX,
                     SET_IRQS, TRIGGER, UNMASK, Ended, irq_set, pack)

IRQS = 5
EVENTFD, MASKABLE, AUTOMASKED, NORESIZE = 1, 2, 4, 8
INFO = struct.Struct("=IIII")  # argsz, flags, index, count
U32 = (1 << 32) - 1
RAISE, ACK = 0x60, 0x64


def signals(fd):
    """The count of an eventfd, 0 if it was not signalled."""
    try:
        return os.eventfd_read(fd)
    except BlockingIOError:
        return 0


def interrupt(client):
    """The device raises, and is acknowledged; done when both are answered."""
    client.put(0, RAISE, 4, 1)
    client.put(0, ACK, 4, 1)


def irq_info(client, index):
    body = client.good(GET_IRQ_INFO, INFO.pack(16, 0, index, 0))
    argsz, flags, told, count = INFO.unpack(body)
    assert (argsz, told) == (16, index)
    return flags, count


# ---- info ----

def test_info(client):
    assert irq_info(client, INTX) == (EVENTFD | MASKABLE | AUTOMASKED, 1)
    flags, count = irq_info(client, MSI)
    assert flags & EVENTFD and not flags & AUTOMASKED and count == 1
    assert irq_info(client, MSIX)[1] == 0
    for index in range(IRQS):
        flags, count = irq_info(client, index)
        assert flags & ~15 == 0 and count <= 1


@pytest.mark.parametrize("index", (IRQS, 6, 255, 1 << 16, 1 << 31, U32))
def test_info_of_no_index(client, index):
    client.refused(GET_IRQ_INFO, INFO.pack(16, 0, index, 0))


def test_info_argsz(client):
    for argsz in range(16):
        client.refused(GET_IRQ_INFO, INFO.pack(argsz, 0, 0, 0))
    for argsz in (17, 4096, U32):
        client.good(GET_IRQ_INFO, INFO.pack(argsz, U32, 0, U32))


@pytest.mark.parametrize("length", range(16))
def test_info_truncated(server, length):
    server.client().killed(GET_IRQ_INFO, INFO.pack(16, 0, 0, 0)[:length])


def test_info_descriptors(server, event):
    server.client().killed(GET_IRQ_INFO, INFO.pack(16, 0, 0, 0), fds=[event])


# ---- arming ----

@pytest.mark.parametrize("index", (INTX, MSI))
def test_arm_and_disarm(client, event, index):
    interrupt(client)
    assert signals(event) == 0
    client.arm(index, [event])
    for _ in range(3):
        interrupt(client)
        assert signals(event) == 1
        if index == INTX:
            client.good(SET_IRQS, irq_set(INTX, DATA_NONE | UNMASK))
    client.good(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER))
    assert signals(event) == 1
    client.disarm(index)
    interrupt(client)
    assert signals(event) == 0
    client.disarm(index)
    client.refused(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER))


def test_intx_is_a_level(client, event):
    """Automasked once it fired; unmasked while it is still raised, it fires again."""
    client.arm(INTX, [event])
    client.put(0, RAISE, 4, 1)
    assert signals(event) == 1
    client.put(0, RAISE, 4, 2)
    assert signals(event) == 0
    client.good(SET_IRQS, irq_set(INTX, DATA_NONE | UNMASK))
    assert signals(event) == 1
    client.put(0, ACK, 4, 3)
    client.good(SET_IRQS, irq_set(INTX, DATA_NONE | UNMASK))
    assert signals(event) == 0
    client.good(SET_IRQS, irq_set(INTX, DATA_NONE | MASK))
    client.put(0, RAISE, 4, 1)
    assert signals(event) == 0
    client.good(SET_IRQS, irq_set(INTX, DATA_BOOL | UNMASK, 0, 1, b"\0"))
    assert signals(event) == 0
    client.good(SET_IRQS, irq_set(INTX, DATA_BOOL | UNMASK, 0, 1, b"\1"))
    assert signals(event) == 1
    client.put(0, ACK, 4, 1)


def test_unmask_eventfd(client, event, keep):
    resample = keep(os.eventfd(0, os.EFD_NONBLOCK))
    client.arm(INTX, [event])
    reply = client.ask(SET_IRQS, irq_set(INTX, DATA_EVENTFD | UNMASK), fds=[resample])
    assert reply.error in (0, errno.ENOTSUP, errno.EINVAL)
    if not reply.error:
        client.put(0, RAISE, 4, 1)
        assert signals(event) == 1
        os.eventfd_write(resample, 1)
        assert select.select([event], [], [], 10)[0]
        client.put(0, ACK, 4, 1)
        client.good(SET_IRQS, irq_set(INTX, DATA_EVENTFD | UNMASK))


def test_replaced(client, event, keep):
    other = keep(os.eventfd(0, os.EFD_NONBLOCK))
    client.arm(MSI, [event])
    client.arm(MSI, [other])
    interrupt(client)
    assert (signals(event), signals(other)) == (0, 1)


def test_taken_away_by_no_descriptor(client, event):
    client.arm(MSI, [event])
    client.good(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER))
    interrupt(client)
    assert signals(event) == 0


def test_one_kind_excludes_the_other(client, event):
    client.arm(MSI, [event])
    client.refused(SET_IRQS, irq_set(INTX, DATA_EVENTFD | TRIGGER), fds=[event])
    client.disarm(MSI)
    client.arm(INTX, [event])
    client.refused(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER), fds=[event])


def test_bools_trigger(client, event):
    client.arm(MSI, [event])
    client.good(SET_IRQS, irq_set(MSI, DATA_BOOL | TRIGGER, 0, 1, b"\1"))
    assert signals(event) == 1
    client.good(SET_IRQS, irq_set(MSI, DATA_BOOL | TRIGGER, 0, 1, b"\0"))
    assert signals(event) == 0
    for value in (b"\2", b"\xff"):
        client.refused(SET_IRQS, irq_set(MSI, DATA_BOOL | TRIGGER, 0, 1, value))


def test_gone_with_its_client(server, event):
    """Who comes next hears nothing, nor does who went."""
    for index in (INTX, MSI):
        session = server.client()
        session.arm(index, [event])
        session.close()
        session = server.client()
        interrupt(session)
        assert signals(event) == 0
        session.refused(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER))
        session.close()


def test_client_closes_its_eventfd(client):
    """The server's is a duplicate; it goes on with it."""
    fd = os.eventfd(0)
    client.arm(MSI, [fd])
    os.close(fd)
    interrupt(client)
    client.in_step()


# ---- what is not an eventfd, and one that is full ----

def strangers(keep):
    """Descriptors that are no eventfds."""
    reading, writing = os.pipe()
    one, other = socket.socketpair()
    with tempfile.TemporaryFile() as regular, select.epoll() as epoll:
        kinds = {"pipe, reading": reading, "pipe, writing": writing, "socket": one.detach(),
                 "another socket": other.detach(), "file": os.dup(regular.fileno()),
                 "epoll": os.dup(epoll.fileno()), "null": os.open("/dev/null", os.O_RDWR),
                 "zero": os.open("/dev/zero", os.O_RDWR), "folder": os.open("/", os.O_RDONLY),
                 "memfd": os.memfd_create("x")}
    for fd in kinds.values():
        keep(fd)
    return kinds


def test_no_eventfd(client, keep, event):
    for name, fd in strangers(keep).items():
        for index in (INTX, MSI):
            message = client.ask(SET_IRQS, irq_set(index, DATA_EVENTFD | TRIGGER), fds=[fd])
            assert message.error == errno.EINVAL, name
        client.in_step()
    # nothing of it stuck
    client.arm(MSI, [event])
    interrupt(client)
    assert signals(event) == 1


@pytest.mark.parametrize("index", (INTX, MSI))
@pytest.mark.parametrize("blocking", (True, False))
def test_full_eventfd(client, keep, index, blocking):
    """Signalling it blocks nobody: every request is answered."""
    fd = keep(os.eventfd(0, 0 if blocking else os.EFD_NONBLOCK))
    os.eventfd_write(fd, (1 << 64) - 2)
    client.arm(index, [fd])
    for _ in range(3):
        interrupt(client)
        client.good(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER))
        if index == INTX:
            client.good(SET_IRQS, irq_set(INTX, DATA_NONE | UNMASK))
    client.in_step()
    assert os.eventfd_read(fd) >= (1 << 64) - 2
    client.put(0, RAISE, 4, 1)
    wait_until(lambda: select.select([fd], [], [], 0)[0], "no signal after it was emptied")
    client.put(0, ACK, 4, 1)


def test_semaphore(client, keep):
    fd = keep(os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK))
    client.arm(MSI, [fd])
    interrupt(client)
    assert signals(fd) == 1


# ---- what cannot be asked ----

def test_flags(server):
    """One kind of data and one action; nothing else, and neither none nor two. Where the kind of data is not clear
    its length may be wrong as well, and that is the end."""
    right = [data | action for data in (DATA_NONE, DATA_BOOL, DATA_EVENTFD)
             for action in (MASK, UNMASK, TRIGGER)]
    wrong = [flags for flags in range(64) if flags not in right]
    wrong += [DATA_NONE | TRIGGER | 1 << bit for bit in range(6, 32)] + [1 << 31, U32]
    session = server.client()
    for flags in wrong:
        if not flags & DATA_BOOL:
            session.refused(SET_IRQS, irq_set(INTX, flags))
            continue
        try:
            assert session.ask(SET_IRQS, irq_set(INTX, flags)).error == errno.EINVAL
            session.in_step()
        except Ended:
            session.close()
            session = server.client()


@pytest.mark.parametrize("index", (IRQS, 6, 255, 1 << 16, 1 << 31, U32))
def test_no_index(client, index):
    for start, count in ((0, 1), (0, 0), (U32, U32)):
        client.refused(SET_IRQS, irq_set(index, DATA_NONE | TRIGGER, start, count))


@pytest.mark.parametrize("start, count", ((0, 2), (1, 1), (1, U32), (U32, 1), (U32, 2), (0, U32), (2, 0),
                                          (1 << 31, 1 << 31), (U32, U32), (0, 65537)))
def test_range(client, event, start, count):
    client.arm(MSI, [event])
    for action in (MASK, UNMASK, TRIGGER):
        client.refused(SET_IRQS, irq_set(MSI, DATA_NONE | action, start, count), (errno.EINVAL, errno.ENOTSUP))


def test_index_without_vectors(client, event):
    client.refused(SET_IRQS, irq_set(MSIX, DATA_NONE | TRIGGER))
    client.refused(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER), fds=[event])


def test_argsz(client):
    for argsz in range(20):
        client.refused(SET_IRQS, irq_set(INTX, DATA_NONE | TRIGGER, 0, 0, argsz=argsz))


@pytest.mark.parametrize("length", range(20))
def test_truncated(server, length):
    server.client().killed(SET_IRQS, irq_set(INTX, DATA_NONE | TRIGGER, 0, 0)[:length])


def test_bools_of_another_length(server):
    for count, data in ((1, b""), (1, b"\1\1"), (2, b"\1"), (0, b"\1"), (U32, b"\1"), (1 << 31, bytes(100))):
        server.client().killed(SET_IRQS, irq_set(MSI, DATA_BOOL | TRIGGER, 0, count, data))
    server.client().killed(SET_IRQS, irq_set(MSI, DATA_NONE | TRIGGER, 0, 1, b"\1"))
    server.client().killed(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER, 0, 1, b"\1\0\0\0"))


def test_descriptors_of_another_number(server, event):
    for count, fds in ((1, 2), (2, 1), (3, 2), (0, 1), (U32, 1), (1, 8)):
        server.client().killed(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER, 0, count), fds=[event] * fds)


def test_descriptors_where_there_can_be_none(server, event):
    for request in (irq_set(INTX, DATA_NONE | TRIGGER, 0, 0), irq_set(INTX, DATA_NONE | UNMASK),
                    irq_set(INTX, DATA_BOOL | UNMASK, 0, 1, b"\1")):
        server.client().killed(SET_IRQS, request, fds=[event])


def test_more_descriptors_than_were_allowed(server, event):
    """One more than the server said, refused or the end; far more, the end. None of them is kept."""
    session = server.connect()
    _, caps = session.hello()
    count = caps["max_msg_fds"] + 1
    session.send(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER, 0, count), fds=[event] * count)
    try:
        assert session.receive().error == errno.EINVAL
    except Ended:
        pass
    session.close()
    for count in (65, 253):
        server.client().killed(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER, 0, count), fds=[event] * count)


def test_descriptors_in_the_middle_of_a_message(server, event):
    """They belong to the first byte; elsewhere they may end the connection, and are closed in any case."""
    message = pack(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER))
    for cut in (1, 15, 16, 17, len(message) - 1):
        session = server.client()
        try:
            session.raw(message[:cut])
            session.raw(message[cut:], [event])
            session.close()
        except (BrokenPipeError, ConnectionResetError):
            session.close()


def test_descriptors_with_every_byte(server, event):
    session = server.client()
    try:
        for byte in pack(SET_IRQS, irq_set(MSI, DATA_EVENTFD | TRIGGER)) * 8:
            session.raw(bytes([byte]), [event] * 8)
    except (BrokenPipeError, ConnectionResetError):
        pass
    session.close()


def test_state_of_config_space_follows(client, event):
    """SET_IRQS switches MSI on and off, as vfio-pci does."""
    cap = client.get(CONFIG, 0x34, 1)
    while cap and client.get(CONFIG, cap, 1) != 5:
        cap = client.get(CONFIG, cap + 1, 1)
    assert cap, "no MSI capability"
    assert client.get(CONFIG, cap + 2, 2) & 1 == 0
    client.arm(MSI, [event])
    assert client.get(CONFIG, cap + 2, 2) & 1 == 1
    client.disarm(MSI)
    assert client.get(CONFIG, cap + 2, 2) & 1 == 0
