# SPDX-License-Identifier: BSD-3-Clause
"""A test machine: the small kernel and the newer QEMU of the cache, booted under TCG.

tests/vm/init runs the command that start() is given: a program that was added to the initrd or, with
share_root, any of this machine's, whose root it sees read-only. The guest's console goes to one file
and the command's output, TAP, to another, so that no kernel message lands in the middle of a result.
"""

import ctypes
import os
import re
import shlex
import signal
import subprocess
import time

from monitor import Monitor, MonitorError

HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_PDEATHSIG = 1
SKIP = 77
SHARE = "host"
COMMAND_LINE = 2048

# What a kernel says when something is wrong with it, as opposed to with a device.
TROUBLE = re.compile(
    r"BUG:|WARNING:|Oops|Kernel panic|Call Trace|nobody cared|general protection|"
    r"DMAR: .*fault|refcount_t|possible recursive|blocked for more than"
)


class Unavailable(Exception):
    """The machine cannot be had here; the text says why."""


def build(what):
    """Runs tests/vm/WHAT/build, whose last line names what it made."""
    script = os.path.join(HERE, what, "build")
    with subprocess.Popen([script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True, preexec_fn=die_with_parent) as process:
        said = ""
        try:
            for line in process.stderr:
                said = line.strip()
                print(f"# {said}", flush=True)
            path = process.stdout.read().strip()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode == SKIP:
        raise Unavailable(said)
    if process.returncode != 0:
        raise RuntimeError(f"{script} failed: {said}")
    return path.splitlines()[-1]


def die_with_parent():
    """A run that is killed leaves no machine behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def quoted(word):
    """A word of the kernel's command line, which knows no way to quote a quote."""
    if '"' in word:
        raise ValueError(f"cannot be handed to the guest: {word}")
    return f'"{word}"' if " " in word else word


class Machine:
    """One boot. FOLDER receives the console, the results and QEMU's own messages.

    Set before start(): memory (MiB), iommu (one in the guest, Intel's), shared_memory (a memfd, which a
    vfio-user server can map), share_root, devices (QEMU's -device, in order), drives (QEMU's -drive),
    parameters (the kernel's), served (by name the URIs of devices that servers must have before it
    starts), by_hand (the console is this process's own). What the guest's results ask for with "@monitor COMMAND NAME=VALUE..." is done to the machine by QEMU's monitor.
    $VFIOKIT_QEMU_PRELOAD names a library to be loaded into QEMU (keep_memory.c: without it all is slower).
    """

    def __init__(self, folder, kernel, qemu):
        self.folder = folder
        self.kernel = kernel
        self.qemu = qemu
        self.memory = 256
        self.iommu = False
        self.shared_memory = False
        self.share_root = False
        self.devices = []
        self.drives = []
        self.parameters = []
        self.served = {}
        self.by_hand = False
        self._process = None
        self._monitor = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def _arguments(self, initrd, command):
        machine = "q35,kernel-irqchip=split"
        memory = []
        if self.shared_memory:
            machine += ",memory-backend=mem"
            memory = ["-object", f"memory-backend-memfd,id=mem,size={self.memory}M,share=on"]
        # Under emulation on a loaded machine the kernel's check of its timer can fail, and it panics.
        parameters = ["console=ttyS0", "panic=-1", "oops=panic", "loglevel=5", "no_timer_check", "results=ttyS1"]
        console = f"file:{self.path('console')}"
        if self.by_hand:
            parameters[-1] = "results=console"
            console = "mon:stdio"
        if self.share_root:
            parameters.append(f"share={SHARE}")
        append = " ".join([*parameters, *self.parameters, "--", *map(quoted, command)])
        if len(append) >= COMMAND_LINE:
            raise ValueError(f"the kernel takes {COMMAND_LINE} characters, not {len(append)}")
        arguments = [
            self.qemu, "-accel", "tcg", "-machine", machine, "-cpu", "max", "-smp", "1",
            "-m", f"{self.memory}M", *memory, "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", console, "-serial", f"file:{self.path('results')}",
            "-qmp", f"unix:{self.path('monitor')},server=on,wait=off",
            "-kernel", self.kernel, "-initrd", initrd,
            "-append", append,
        ]
        if self.iommu:
            # before the devices: those made earlier are not behind it
            arguments += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
        for drive in self.drives:
            arguments += ["-drive", drive]
        for device in self.devices:
            arguments += ["-device", device]
        if self.share_root:
            arguments += ["-virtfs",
                          f"local,path=/,mount_tag={SHARE},security_model=none,readonly=on"]
        return arguments

    def start(self, initrd, command):
        env = dict(os.environ, LD_PRELOAD=os.environ.get("VFIOKIT_QEMU_PRELOAD", ""))
        if self.by_hand:
            self._process = subprocess.Popen(self._arguments(initrd, command), env=env,
                                             preexec_fn=die_with_parent)
            return
        with open(self.path("qemu"), "wb") as messages:
            self._process = subprocess.Popen(
                self._arguments(initrd, command), env=env, stdin=subprocess.DEVNULL, stdout=messages,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_with_parent)

    def results(self, seconds):
        """Yields the lines of the results as they come, until the machine is off."""
        end = time.monotonic() + seconds
        seen = 0
        running = True
        while running:
            running = self._process.poll() is None
            lines = self.read("results").split("\n")[:-1]
            yield from lines[seen:]
            seen = len(lines)
            if running and time.monotonic() > end:
                raise TimeoutError(f"the machine was not done in {seconds} s")
            time.sleep(0.05 if running else 0)

    def _obey(self, words, tap):
        """A command that is refused is told by the test that waits for what it does."""
        try:
            if self._monitor is None:
                self._monitor = Monitor(self.path("monitor"))
            self._monitor.command(words[0], **dict(word.split("=", 1) for word in words[1:]))
        except (MonitorError, OSError) as error:
            tap.note(f"monitor: {error}")

    def wait(self):
        """Until the machine is off; its exit status."""
        return self._process.wait()

    def status(self):
        return self._process.returncode

    def stop(self):
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def relay(self, tap, seconds):
        """Passes the guest's results on to TAP, and adds one that tells whether they are complete."""
        planned = status = None
        before = tap.count
        for line in self.results(seconds):
            result = re.match(r"(not )?ok \d+ - (.*)", line)
            if result:
                tap.result(not result[1], result[2])
            elif re.match(r"1\.\.\d+$", line):
                planned = int(line[3:])
            elif re.match(r"exit \d+$", line):
                status = int(line[5:])
            elif line.startswith("@monitor "):
                self._obey(shlex.split(line)[1:], tap)
            elif line:
                tap.note(line.removeprefix("# "))
        came = tap.count - before
        tap.check(planned == came and came > 0 and status is not None, "the guest came to its end",
                  f"plan {planned}, results {came}, status {status}; the end of its console:\n"
                  + "\n".join(self.read("console").splitlines()[-30:]))

    def trouble(self, expected=None):
        """The lines of the console that tell of trouble and do not match EXPECTED."""
        return [line for line in self.read("console").splitlines()
                if TROUBLE.search(line) and not (expected and re.search(expected, line))]
