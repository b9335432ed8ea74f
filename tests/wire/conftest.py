# SPDX-License-Identifier: BSD-3-Clause
"""One server process a test file, watched after each test."""

import contextlib
import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rich_serving import Rich  # noqa: E402  (needs the path above)
from serving import TIMEOUT_MS, Serving  # noqa: E402
from session import RESET  # noqa: E402


@pytest.fixture(scope="module")
def process():
    """The file's server, with the tool's defaults."""
    serving = Serving()
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def impatient_process():
    serving = Serving(options=("--timeout=%d" % TIMEOUT_MS,))
    yield serving
    serving.stop()


@pytest.fixture
def server(process):
    yield process
    process.check()


@pytest.fixture
def impatient(impatient_process):
    """A server that waits for its client no longer than TIMEOUT_MS."""
    yield impatient_process
    impatient_process.check()


@pytest.fixture(scope="module")
def rich_process():
    serving = Rich()
    yield serving
    serving.stop()


@pytest.fixture
def rich(rich_process):
    """A server of the device that uses all of the protocol, as after power-on."""
    session = rich_process.client()
    session.good(RESET)
    session.close()
    yield rich_process
    rich_process.check()


@pytest.fixture(scope="module")
def doorbell_process():
    serving = Rich(device="doorbell")
    yield serving
    serving.stop()


@pytest.fixture
def doorbells(doorbell_process):
    """A server of a model with doorbells."""
    yield doorbell_process
    doorbell_process.check()


@pytest.fixture
def client(server):
    """A client of it that has negotiated."""
    return server.client()


@pytest.fixture
def keep():
    """keep(fd): closed after the test."""
    with contextlib.ExitStack() as stack:
        def kept(fd):
            stack.callback(os.close, fd)
            return fd
        yield kept


@pytest.fixture
def event(keep):
    """A non-blocking eventfd."""
    return keep(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
