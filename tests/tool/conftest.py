# SPDX-License-Identifier: BSD-3-Clause
"""The tool under test, run as a user runs it: by its path in $VFIOKIT."""

import os
import re
import signal
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True

TOOL = os.environ.get("VFIOKIT", "")
# The sanitizers' status for a report of theirs: never what a test expects.
REPORT_STATUS = 99


def pytest_configure(config):
    config.addinivalue_line("markers", "once: runs natively only")
    if not os.access(TOOL, os.X_OK):
        raise pytest.UsageError("VFIOKIT does not name the tool: %r" % TOOL)


class Result:
    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def __repr__(self):
        return "vfiokit %s: status %s\n--- stdout\n%s\n--- stderr\n%s" % (
            " ".join(self.args), self.status, self.out, self.err)

    def done(self):
        """It worked, and said nothing on stderr. Returns what it printed."""
        assert self.status == 0 and self.err == "", repr(self)
        return self.out

    def failed(self, device, *reasons):
        """It failed with one line, which names the device and each of the reasons."""
        assert self.status == 1 and self.out == "", repr(self)
        assert re.fullmatch(r"vfiokit: [^\n]+\n", self.err), repr(self)
        assert device in self.err, repr(self)
        for reason in reasons:
            assert re.search(reason, self.err.replace(device, "")), (reason, repr(self))
        return self.err

    def misused(self, *reasons):
        """Wrong usage: one line, nothing else."""
        assert self.status == 2 and self.out == "", repr(self)
        assert re.fullmatch(r"vfiokit[^\n]+\n", self.err), repr(self)
        for reason in reasons:
            assert re.search(reason, self.err), (reason, repr(self))


def vfiokit(*args, timeout=60, **more):
    run = subprocess.run([TOOL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, timeout=timeout, check=False, **more)
    return Result(args, run.returncode, run.stdout, run.stderr)


class Serve:
    """A running "vfiokit serve", from its first line on."""

    def __init__(self, device, *args, socket=None, **more):
        if socket:
            args += ("--socket-path=%s" % socket,)
        self.socket, self.uri = socket, "vfio-user:%s" % socket
        self.process = subprocess.Popen([TOOL, "serve", device, *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        **more)
        self.ready = self.process.stdout.readline()
        if not self.ready:
            err = self.process.communicate(timeout=30)[1]
            pytest.fail("vfiokit serve %s: status %s: %s" % (device, self.process.returncode, err))

    def wait(self):
        """Its status and the rest of its output, once it ended by itself."""
        out, err = self.process.communicate(timeout=30)
        return Result(("serve",), self.process.returncode, out, err)

    def stop(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        return self.wait()


@pytest.fixture
def serve(tmp_path):
    """serve(device, ...): serves on a socket of the test's own; everything ends with the test."""
    running = []

    def start(device, *args, **more):
        if "pass_fds" not in more:
            more.setdefault("socket", str(tmp_path / ("%d.sock" % len(running))))
        running.append(Serve(device, *args, **more))
        return running[-1]

    yield start
    statuses = []
    for server in reversed(running):
        if server.process.poll() is None:
            statuses.append(server.stop())
        else:
            server.process.communicate()
    for result in statuses:
        assert result.status == 0, repr(result)


@pytest.fixture(params=["in process", "one serve", "two serves"])
def edu(request, serve):
    """The URI of an edu: a model here, in another process, behind a proxy."""
    if request.param == "in process":
        return "model:edu"
    first = serve("model:edu")
    if request.param == "one serve":
        return first.uri
    return serve(first.uri).uri
