#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Brings defects back, one at a time, and sees that a test fails on each.  run.py SOURCE FOLDER

Each tests/mutants/NAME.patch puts one defect into the library, and says in the lines before the patch
which test must notice it, and by which text:

    Defect: what is wrong with it, for people
    Test: the test's name in Meson, as "meson test" takes it
    Says: a piece of what the test prints when it fails; of each line that begins so there may be more

A copy of the sources is built in FOLDER, without optimisation, and kept there for the next time. On it
each named test passes; then, patched, it must fail and say so. A patch that does not apply any more, a
defect that does not compile, and one that nobody notices are failures. TAP.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

COPIED = ("LICENSE", "README.md", "examples", "include", "lib", "meson.build", "meson_options.txt", "models", "tests",
          "tools")
SECONDS = 120
HEAD = re.compile(r"^(Defect|Test|Says): *(.*\S)\s*$", re.M)


class Mutant:
    """A patch with what stands before it."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8") as text:
            head = text.read().split("\n--- ", 1)[0]
        fields = HEAD.findall(head)
        self.says = [value for key, value in fields if key == "Says"]
        self.test = dict(fields).get("Test")
        self.defect = dict(fields).get("Defect")

    def complete(self):
        return bool(self.says and self.test and self.defect)


class Tree:
    """The copy, and its build."""

    def __init__(self, source, folder):
        self.source = source
        self.copy = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        self._exes = {}

    def sync(self):
        """Makes the copy equal to the sources; what is equal already keeps its time, so that little is built."""
        wanted = set()
        for top in COPIED:
            at = os.path.join(self.source, top)
            files = [at] if os.path.isfile(at) else \
                [os.path.join(folder, name) for folder, _, names in os.walk(at) for name in names]
            wanted.update(os.path.relpath(path, self.source) for path in files if "__pycache__" not in path)
        for folder, _, names in os.walk(self.copy):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.copy) not in wanted:
                    os.unlink(path)
        for path in wanted:
            self.restore(path)

    def restore(self, path):
        """One file as the sources have it."""
        here, there = os.path.join(self.copy, path), os.path.join(self.source, path)
        if os.path.exists(here) and read(here) == read(there):
            return
        os.makedirs(os.path.dirname(here), exist_ok=True)
        shutil.copyfile(there, here)
        shutil.copymode(there, here)

    def setup(self):
        fresh = not os.path.exists(os.path.join(self.build, "build.ninja"))
        return run(["meson", "setup", self.build, self.copy, "--buildtype=plain", "-Dunit=enabled"] +
                   ([] if fresh else ["--reconfigure"]))

    def look(self):
        """Which programs each test needs, and how it is run."""
        def ask(what):
            out = subprocess.run(["meson", "introspect", what, self.build], stdout=subprocess.PIPE, check=True)
            return json.loads(out.stdout)
        files = {t["id"]: t["filename"] for t in ask("--targets")}
        for test in ask("--tests"):
            needs = [name for target in test["depends"] for name in files[target]]
            self._exes[test["name"]] = (needs, test["cmd"], dict(os.environ, **test["env"]), test["workdir"])

    def has(self, test):
        return test in self._exes

    def compile(self, test):
        needs = [os.path.relpath(path, self.build) for path in self._exes[test][0]]
        return run(["ninja", "-C", self.build] + needs)

    def try_test(self, test):
        _, cmd, env, workdir = self._exes[test]
        return run(cmd, env=env, cwd=workdir or self.build)

    def patch(self, mutant):
        return run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-r", "-", "-i", mutant.path], cwd=self.copy)

    def heal(self, mutant):
        """Takes the defect out again; the times go on, so that what was built with it is built anew."""
        with open(mutant.path, encoding="utf-8") as text:
            for path in re.findall(r"^\+\+\+ b/(\S+)", text.read(), re.M):
                self.restore(path)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def run(argv, **more):
    """(exit status, output); a bound of time is a status as well."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SECONDS, **more)
    except subprocess.TimeoutExpired as late:
        return -1, (late.output or b"").decode(errors="replace") + "\nafter %d s" % SECONDS
    return done.returncode, done.stdout.decode(errors="replace")


def healthy(tree, mutants):
    """The problems of the tests on the unpatched copy, by test."""
    problems = {}
    for test in sorted({m.test for m in mutants if m.complete()}):
        if not tree.has(test):
            problems[test] = "there is no test %s" % test
            continue
        status, text = tree.compile(test)
        if not status:
            status, text = tree.try_test(test)
        if status:
            problems[test] = "without the defect %s fails:\n%s" % (test, text)
    return problems


def judge(tree, mutant):
    """None, or what is wrong with the mutant."""
    status, text = tree.patch(mutant)
    if status:
        return "the patch does not apply:\n" + text
    status, text = tree.compile(mutant.test)
    if status:
        return "it does not compile:\n" + text
    status, text = tree.try_test(mutant.test)
    if not status:
        return "nobody notices it"
    missing = [says for says in mutant.says if says not in text]
    return "it fails without saying %r:\n%s" % (missing[0], text) if missing else None


def main():
    source, folder = map(os.path.abspath, sys.argv[1:3])
    mutants = [Mutant(path) for path in sorted(glob.glob(os.path.join(source, "tests", "mutants", "*.patch")))]
    print("TAP version 13\n1..%d" % max(len(mutants), 1), flush=True)
    tree = Tree(source, folder)
    tree.sync()
    status, text = tree.setup()
    if status or not mutants:
        print("not ok 1 - the copy can be set up\n# " + text.replace("\n", "\n# "))
        return 1
    tree.look()
    problems, failed = healthy(tree, mutants), 0
    for number, mutant in enumerate(mutants, 1):
        wrong = "it lacks Defect, Test or Says" if not mutant.complete() else problems.get(mutant.test)
        if not wrong:
            wrong = judge(tree, mutant)
            tree.heal(mutant)
        failed += bool(wrong)
        print("%sok %d - %s: %s" % ("not " if wrong else "", number, mutant.name, mutant.defect), flush=True)
        if wrong:
            print("# " + wrong.replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
