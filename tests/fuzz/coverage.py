#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How many lines of a folder the seeds, the kept inputs and a short run of each target reach, as TAP.

    tests/fuzz/coverage.py PERCENT FOLDER PROGRAM...

Fails below PERCENT. The short runs begin with the same seed and have a number of inputs, no time, so that the figure is
nearly the same each time.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
# Inputs of a short run, by how fast a target is.
RUNS = {"wire": 20000}
FEW_RUNS = 200
# Debian has the tools with and without their version.
VERSIONS = ("", "-14")


def tool(name):
    for version in VERSIONS:
        for folder in os.environ["PATH"].split(":"):
            if os.access(os.path.join(folder, name + version), os.X_OK):
                return name + version
    return None


def target_of(program):
    return os.path.basename(program)[len("fuzz-"):]


def run(program, folder):
    """One target over all that is kept for it, and a little more; where its counts are."""
    name = target_of(program)
    profile = os.path.join(folder, name + ".profraw")
    kept = [path for path in (os.path.join(HERE, kind, name) for kind in ("seeds", "regressions"))
            if os.path.isdir(path)]
    # An artifact would be written to where we are.
    argv = [program, "-seed=1", "-runs=%d" % RUNS.get(name, FEW_RUNS), "-max_len=2048",
            "-artifact_prefix=" + os.path.join(folder, "failed-")]
    with tempfile.TemporaryDirectory(dir=folder) as corpus:
        done = subprocess.run(argv + [corpus] + kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, LLVM_PROFILE_FILE=profile))
    if done.returncode:
        return None, done.stdout.decode(errors="replace").splitlines()[-20:]
    return profile, []


def measure(programs, profiles, folder):
    merged = os.path.join(folder, "all.profdata")
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", merged] + profiles, check=True)
    objects = [word for program in programs[1:] for word in ("-object", program)]
    export = subprocess.run([tool("llvm-cov"), "export", programs[0], "-instr-profile=" + merged] + objects,
                            check=True, stdout=subprocess.PIPE).stdout
    return json.loads(export)


def main(percent, where, *programs):
    if not tool("llvm-cov") or not tool("llvm-profdata"):
        print("1..0 # SKIP llvm-cov is not installed")
        return 0
    print("1..1")
    with tempfile.TemporaryDirectory() as folder:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda program: run(program, folder), programs))
        for program, (profile, said) in zip(programs, runs):
            if not profile:
                print("not ok 1 - %s ends\n# %s" % (target_of(program), "\n# ".join(said)))
                return 1
        export = measure(list(programs), [profile for profile, _ in runs], folder)
    files = [file for file in export["data"][0]["files"] if where in file["filename"] and file["filename"].endswith(".c")]
    count = sum(file["summary"]["lines"]["count"] for file in files)
    reached = sum(file["summary"]["lines"]["covered"] for file in files)
    share = 100 * reached / count if count else 0
    good = share >= float(percent)
    print("%s 1 - inputs reach %.1f %% of the lines of %s (%d of %d), at least %s %%" % (
        "ok" if good else "not ok", share, where, reached, count, percent))
    for file in files:
        summary = file["summary"]["lines"]
        print("# %5.1f %%  %s" % (summary["percent"], file["filename"][file["filename"].index(where):]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
