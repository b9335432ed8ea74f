# SPDX-License-Identifier: BSD-3-Clause
"""vfiokit serve, in the foreground of a process of its own, for QEMU to be its client."""

import os
import signal
import subprocess
import time

from machine import die_with_parent

SERVER_SECONDS = 10


class Server:
    """Serves URI at FOLDER/NAME.sock; what it says goes to FOLDER/NAME-server."""

    def __init__(self, tool, folder, name, uri):
        self.socket = os.path.join(folder, f"{name}.sock")
        self.log = os.path.join(folder, f"{name}-server")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [tool, "serve", uri, f"--socket-path={self.socket}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent)

    def listens(self):
        """Asks the kernel: to connect would be to be the one client."""
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
            for line in table:
                fields = line.split()
                if fields[-1] == self.socket and fields[3] == "00010000":
                    return True
        return False

    def wait(self):
        end = time.monotonic() + SERVER_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if self.listens():
                return True
            time.sleep(0.02)
        return False

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def terminate(self):
        """Its exit status after SIGTERM, or None when it did not end in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(SERVER_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def check(self, tap):
        """That it outlived its client; and ends it."""
        alive = self.process.poll() is None
        status = self.terminate() if alive else self.process.returncode
        tap.check(alive and status == 0, "the server outlived its client and ended on SIGTERM",
                  f"exit status {status}\n{self.said()}")
        tap.check(not os.path.exists(self.socket), "the server removed its socket")
        if self.said():
            tap.note("the server said:\n" + self.said())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
