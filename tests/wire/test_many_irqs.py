# SPDX-License-Identifier: BSD-3-Clause
"""DEVICE_SET_IRQS for 2048 vectors, which no message can carry: in parts of every size that is agreed on."""

import errno
import os

import pytest
from rich_serving import ARMED, ENABLED, FAIL_AT, FIRE, GRANTED, UNMASKED, VECTORS
from session import CAPS, DATA_EVENTFD, DATA_NONE, MSIX, SET_IRQS, TRIGGER, UNMASK, irq_set


@pytest.fixture(scope="module")
def events():
    fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(VECTORS)]
    yield fds
    for fd in fds:
        os.close(fd)


def send(client, action, events, part, start=0):
    for at in range(start, len(events), part):
        fds = events[at:at + part]
        client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | action, at, len(fds)), fds=fds)


@pytest.mark.parametrize("part", (1, 16, 64))
def test_all_vectors(rich, events, part):
    client = rich.client(caps=dict(CAPS, max_msg_fds=part))
    client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, VECTORS - 1, 1), fds=events[-1:])
    send(client, TRIGGER, events, part)
    assert (client.get(0, ARMED, 4), client.get(0, ENABLED, 4)) == (VECTORS, VECTORS)
    client.good(SET_IRQS, irq_set(MSIX, DATA_NONE | TRIGGER, 0, VECTORS - 1))
    client.put(0, FIRE, 4, VECTORS - 1)
    assert [os.eventfd_read(fd) for fd in events] == [1] * VECTORS
    # taken away by one message without descriptors
    client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, 5, VECTORS - 5))
    assert client.get(0, ARMED, 4) == 5
    client.disarm(MSIX)
    assert (client.get(0, ARMED, 4), client.get(0, ENABLED, 4)) == (0, 0)


@pytest.mark.parametrize("part", (1, 16, 64))
def test_unmask_eventfds(rich, events, part):
    client = rich.client(caps=dict(CAPS, max_msg_fds=part))
    client.arm(MSIX, events[:1])
    few = events[:part * 32]
    send(client, UNMASK, few, part)
    assert client.get(0, UNMASKED, 4) == len(few)
    client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | UNMASK, 0, VECTORS))
    assert client.get(0, UNMASKED, 4) == 0


def test_a_failing_part_changes_nothing(rich, events):
    """What came before it is there still: which parts belong together only the client knows."""
    client = rich.client()
    client.put(0, FAIL_AT, 4, 40)
    client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, 100, 0x3bc))
    send(client, TRIGGER, events[:32], 16)
    client.refused(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, 32, 16), (errno.EMFILE,), fds=events[32:48])
    assert client.get(0, ARMED, 4) == 32


def test_only_so_many(rich, events):
    """Who says irq_count is told how many; others get ENOSPC. Either way none is armed."""
    client = rich.client()
    client.put(0, GRANTED, 4, 5)
    client.refused(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, 2047, 1), (errno.ENOSPC,), fds=events[-1:])
    client.close()
    client = rich.client(caps=dict(CAPS, vfiokit={"irq_count": True}))
    reply = client.good(SET_IRQS, irq_set(MSIX, DATA_EVENTFD | TRIGGER, 2047, 1), fds=events[-1:])
    assert reply == b"\x08\0\0\0\x05\0\0\0"
    assert client.get(0, ARMED, 4) == 0


def test_gone_with_its_client(rich, events):
    client = rich.client()
    client.arm(MSIX, events[:64])
    client.close()
    client = rich.client()
    assert client.get(0, ARMED, 4) == 0
    client.good(SET_IRQS, irq_set(MSIX, DATA_NONE | TRIGGER, 0, 0))
