# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's monitor, by QMP: what happens to a test machine from outside, such as a device unplugged."""

import json
import socket


class MonitorError(Exception):
    """QEMU refused a command, or said nothing in time."""


class Monitor:
    """One connection to the socket that Machine.start() had QEMU listen on."""

    def __init__(self, path, seconds=10):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._next()
        self.command("qmp_capabilities")

    def _next(self):
        line = self._lines.readline()
        if not line:
            raise MonitorError("QEMU closed its monitor")
        return json.loads(line)

    def command(self, name, **arguments):
        """The command's answer; events that come before it are let go."""
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        while True:
            answer = self._next()
            if "error" in answer:
                raise MonitorError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self._lines.close()
        self._socket.close()
