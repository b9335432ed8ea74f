# SPDX-License-Identifier: BSD-3-Clause
"""The first root of a test machine: busybox, tests/vm/init and what a test adds.

It is written as a "newc" archive (Documentation/driver-api/early-userspace/buffer-format.rst of the
kernel) here and not by cpio, since that could not put in the console's device node without root.
"""

import gzip
import os
import shutil
import stat
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class MissingProgram(Exception):
    """Something that goes into the archive is not installed."""


class Initrd:
    """Collects files; write() makes the archive."""

    def __init__(self):
        self._entries = {}
        self.add_node("dev/console", stat.S_IFCHR | 0o600, 5, 1)
        self.add_node("dev/null", stat.S_IFCHR | 0o666, 1, 3)
        self.add_file("bin/busybox", static_busybox())
        self.add_file("init", os.path.join(HERE, "init"))

    def _add(self, name, mode, data=b"", major=0, minor=0):
        parent = os.path.dirname(name)
        if parent and parent not in self._entries:
            self._add(parent, stat.S_IFDIR | 0o755)
        self._entries[name] = (mode, data, major, minor)

    def add_node(self, name, mode, major, minor):
        self._add(name, mode, b"", major, minor)

    def add_file(self, name, source):
        """The file SOURCE of this machine becomes the program NAME of the other."""
        with open(source, "rb") as file:
            self._add(name.lstrip("/"), stat.S_IFREG | 0o755, file.read())

    def add_modules(self, folder):
        """The kernel modules of FOLDER, which the first program inserts in the order that is there."""
        for name in sorted(os.listdir(folder)):
            self.add_file(f"modules/{name}", os.path.join(folder, name))

    def write(self, path):
        with gzip.open(path, "wb", compresslevel=1) as archive:
            for number, (name, entry) in enumerate(self._entries.items(), 1):
                archive.write(_newc(number, name, *entry))
            archive.write(_newc(0, "TRAILER!!!", 0, b"", 0, 0))


def _newc(number, name, mode, data, major, minor):
    name = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(data)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def static_busybox():
    path = shutil.which("busybox")
    if path is None:
        raise MissingProgram("busybox is not installed (package busybox-static)")
    # ldd fails on what needs no loader
    linked = subprocess.run(["ldd", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if linked.returncode == 0:
        raise MissingProgram(f"{path} is not static (package busybox-static)")
    return path
