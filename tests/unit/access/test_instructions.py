#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
test_instructions.py - how many instructions lie between a program and the model whose register it reads.

    test_instructions.py READS BUILDTYPE

READS (reads.c) runs under callgrind. A count is not a time: it is the same on every run, and on a machine that is
busy. Each way is counted with two numbers of reads, so that only what one more read costs remains.
"""
import re
import subprocess
import sys

# More than a direct call: the lock of the model, and every check of the library's, included.
MOST = {"read": 60, "get": 105}
FEW, MANY = 1000, 3000


def count(program, way, reads):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         "--toggle-collect=counted_reads", program, way, str(reads)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    collected = re.search(r"Collected : (\d+)", run.stdout)
    if run.returncode or not collected:
        sys.exit(f"{way}: callgrind: status {run.returncode}\n{run.stdout}")
    return int(collected.group(1))


def one_read(program, way):
    more, rest = divmod(count(program, way, MANY) - count(program, way, FEW), MANY - FEW)
    if rest or not more:
        sys.exit(f"{way}: {more} instructions a read, and {rest} left over: not all alike")
    return more


def main():
    program, buildtype = sys.argv[1:]
    if buildtype not in ("release", "debugoptimized"):
        print("1..0 # SKIP counted in an optimised build only")
        return
    direct = one_read(program, "direct")
    print("1..2")
    for number, (way, most) in enumerate(MOST.items(), 1):
        more = one_read(program, way) - direct
        good = "ok" if more <= most else "not ok"
        print(f"{good} {number} - vfk_region_{way}: {more} instructions more than a direct call "
              f"({direct}), at most {most}", flush=True)


main()
