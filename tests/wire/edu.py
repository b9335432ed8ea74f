# SPDX-License-Identifier: BSD-3-Clause
"""Driving the edu device through a session (QEMU's docs/specs/edu.rst, "MMIO area spec")."""

import struct

from session import CONFIG, REGION_WRITE, access

SOURCE, DESTINATION, COUNT, START = 0x80, 0x88, 0x90, 0x98
BUFFER, SIZE = 0x40000, 4096
TO_BUFFER, TO_MEMORY = 1, 1 | 2

PAGE = 4096


def bus_master(session, on=True):
    command = session.get(CONFIG, 4, 2)
    session.put(CONFIG, 4, 2, command | 4 if on else command & ~4)


def prepare(session, direction, iova, count=SIZE, buffer=BUFFER):
    """All registers but the one that starts."""
    bus_master(session)
    source, destination = (iova, buffer) if direction == TO_BUFFER else (buffer, iova)
    session.put(0, SOURCE, 8, source)
    session.put(0, DESTINATION, 8, destination)
    session.put(0, COUNT, 8, count)


def start(session, direction):
    """Sends the write that starts; its id. The answer may be an error, and come after the device's own requests."""
    return session.send(REGION_WRITE, access(START, 0, 8, struct.pack("=Q", direction)))


def copy(session, direction, iova, count=SIZE, buffer=BUFFER):
    """A transfer through shared memory; the error number of the answer."""
    prepare(session, direction, iova, count, buffer)
    return session.reply(start(session, direction), REGION_WRITE).error
