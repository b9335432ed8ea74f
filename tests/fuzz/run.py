#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs one libFuzzer target, as TAP: its seeds, the inputs that it once failed on, then new ones.

    tests/fuzz/run.py PROGRAM TARGET SECONDS [CORPUS]

The run of new inputs starts with the same seed each time. With CORPUS, a folder, what it finds of
interest is kept there for the next run, and the seed is another one each time. An input that fails
is shown in hexadecimal, and kept beside CORPUS if there is one; put it into regressions/TARGET, as
NAME.bin.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Seconds that one input may take; under load, with sanitizers.
PATIENCE = 20
LONGEST = 2048
# What libFuzzer and the sanitizers say last is what matters.
TAIL = 60


class Tap:
    """Numbered lines, and the plan at the end."""

    def __init__(self):
        self.number, self.failed = 0, False

    def line(self, good, name, remarks=()):
        self.number += 1
        self.failed = self.failed or not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.number, name))
        for remark in remarks:
            print("# " + remark)
        sys.stdout.flush()

    def end(self):
        print("1..%d" % self.number)
        return 1 if self.failed else 0


def run(program, *args):
    """(good, lines of what it said)"""
    argv = [program, "-timeout=%d" % PATIENCE, "-max_len=%d" % LONGEST] + list(args)
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout.decode(errors="replace").splitlines()


def hexdump(path):
    with open(path, "rb") as data:
        text = data.read().hex()
    return ["the input, in hexadecimal:"] + [text[n:n + 96] for n in range(0, len(text), 96)]


def replay(tap, program, name, folder):
    """Every kept input once; the last one that was begun is the one that fails."""
    files = sorted(glob.glob(os.path.join(folder, "*.bin")))
    if not files:
        return 0
    good, lines = run(program, *files)
    begun = [m[1] for m in (re.match(r"Running: (.*)", line) for line in lines) if m]
    good = good and begun == files
    remarks = []
    if not good:
        remarks = lines[-TAIL:]
        if begun:
            remarks += ["while at " + os.path.basename(begun[-1])] + hexdump(begun[-1])
    tap.line(good, "%s: %d inputs" % (name, len(files)), remarks)
    return len(files)


def search(tap, program, seconds, folders, kept):
    """New inputs, made from the old ones."""
    with tempfile.TemporaryDirectory() as work:
        corpus = kept or work
        os.makedirs(corpus, exist_ok=True)
        artifacts = os.path.join(work, "failed-")
        good, lines = run(program, "-max_total_time=%d" % seconds, "-seed=%d" % (0 if kept else 1),
                          "-print_final_stats=1", "-artifact_prefix=" + artifacts, corpus, *folders)
        ran = [line for line in lines if line.startswith("Done ")]
        good = good and bool(ran)
        remarks = ran if good else lines[-TAIL:]
        for path in sorted(glob.glob(glob.escape(artifacts) + "*")):
            good = False
            remarks = remarks + hexdump(path)
            if kept:
                os.makedirs(kept + "-failed", exist_ok=True)
                shutil.copy(path, kept + "-failed")
        tap.line(good, "new inputs for %d s" % seconds, remarks)


def main(program, target, seconds, kept=None):
    folders = [os.path.join(HERE, kind, target) for kind in ("seeds", "regressions")]
    tap = Tap()
    if not replay(tap, program, "seeds", folders[0]):
        tap.line(False, "seeds", ["there are none: tests/fuzz/seeds.py makes them"])
    replay(tap, program, "regressions", folders[1])
    search(tap, program, int(seconds), [f for f in folders if os.path.isdir(f)], kept)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
