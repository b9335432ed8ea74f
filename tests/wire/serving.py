# SPDX-License-Identifier: BSD-3-Clause
"""A `vfiokit serve` process under test: started, connected to, and watched for what it leaves behind.

The tool's path is in $VFIOKIT. Under a sanitizer ($VFIOKIT_SANITIZER) everything is slower, so that
loops may take fewer steps; `some` chooses them.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from session import DATA_EVENTFD, DATA_NONE, INTX, MSI, PATIENCE, SET_IRQS, TRIGGER, UNMASK, Session, irq_set

TOOL = os.environ.get("VFIOKIT", "vfiokit")
SLOW = bool(os.environ.get("VFIOKIT_SANITIZER"))
# Of a server that waits for nobody for long.
TIMEOUT_MS = 400
MARKS = ("Sanitizer", "runtime error:", "Assertion", "assertion")


def some(steps, most):
    """All steps; when it is slow, `most` of them, with the first and the last."""
    steps = list(steps)
    if not SLOW or len(steps) <= most:
        return steps
    return [steps[n * (len(steps) - 1) // (most - 1)] for n in range(most)]


def wait_until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.005)


class Serving:
    """The process; on a socket's path, or on one end of a socketpair (`fd`)."""

    def __init__(self, uri="model:edu", options=(), fd=False, program=TOOL):
        self.folder = tempfile.mkdtemp(prefix="vfiokit-wire-")
        self.path = os.path.join(self.folder, "s")
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.sessions = []
        ours, passed = None, []
        if fd:
            ours, theirs = socket.socketpair()
            passed = [theirs.fileno()]
        where = "--fd=%d" % passed[0] if fd else "--socket-path=" + self.path
        self.process = subprocess.Popen([program, "serve", uri, where, *options], pass_fds=passed,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if fd:
            theirs.close()
            self.sessions.append(Session(ours))
        else:
            wait_until(self._listens, lambda: "it does not listen: " + self.said())
            self.close_all()
            self.warm_up()
            self.baseline = self.served_fds()

    # ---- connecting ----

    def _listens(self):
        assert self.process.poll() is None, "it ended: " + self.said()
        try:
            self.connect().hello()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def connect(self):
        """A new connection, without VERSION."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise
        self.sessions.append(Session(sock))
        return self.sessions[-1]

    def client(self, **more):
        """A new connection that has negotiated."""
        session = self.connect()
        session.hello(**more)
        return session

    def close_all(self):
        for session in self.sessions:
            session.close()
        self.sessions = []

    # ---- watching ----

    def said(self):
        self.log.flush()
        with open(self.log.name, "rb") as text:
            return text.read().decode("utf-8", "replace")

    def count_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def peak_kib(self):
        """The most memory that it had."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

    def show_fds(self):
        folder, shown = "/proc/%d/fd" % self.process.pid, []
        for name in os.listdir(folder):
            try:
                shown.append("%s: %s" % (name, os.readlink(os.path.join(folder, name))))
            except FileNotFoundError:
                pass
        return "\n".join(shown)

    def settle(self):
        """The client that went is gone for the server too: a next one is served."""
        session = self.client()
        session.in_step()
        session.close()

    def warm_up(self):
        """What a device opens once, when it is first needed, is no leak."""
        session, event = self.client(), os.eventfd(0)
        session.arm(MSI, [event])
        os.close(event)
        session.good(SET_IRQS, irq_set(MSI, DATA_NONE | TRIGGER))
        session.close()
        self.settle()
        # A thread, for who unmasks without the server.
        session, event = self.client(), os.eventfd(0)
        session.arm(INTX, [event])
        session.ask(SET_IRQS, irq_set(INTX, DATA_EVENTFD | UNMASK), fds=[event])
        os.close(event)
        session.close()
        self.settle()

    def served_fds(self):
        """How many descriptors it has with one client: who is served knows that those before are gone, however slow it is."""
        session = self.client()
        session.in_step()
        count = self.count_fds()
        session.close()
        return count

    def check(self):
        """After each test: it lives, takes a client, and has no more descriptors than at first."""
        self.close_all()
        assert self.process.poll() is None, "it ended: " + self.said()
        expected, counts = self.baseline, []

        def as_at_first():
            counts.append(self.served_fds())
            return counts[-1] == expected

        try:
            wait_until(as_at_first, lambda: "%d descriptors, there were %d:\n%s"
                       % (counts[-1], expected, self.show_fds()), 5)
        finally:
            self.baseline = counts[-1]  # one leak is told once
        self.check_log()

    def check_log(self):
        text = self.said()
        assert not any(mark in text for mark in MARKS), text

    def stop(self, status=0):
        """SIGTERM, and out with this status; the socket is gone."""
        self.close_all()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.wait(status)

    def wait(self, status=0):
        try:
            ended = self.process.wait(PATIENCE)
            assert ended == status, "exit status %d: %s" % (ended, self.said())
            self.check_log()
            assert not os.path.exists(self.path), "its socket is still there"
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
            shutil.rmtree(self.folder)
