#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the style checks over the tree, as TAP. Each check is first seen to find what it is for.

    tests/style/run.py ROOT
"""

import functools
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import calls      # noqa: E402  (needs the path above)
import layout     # noqa: E402
import prefixes   # noqa: E402
import protocol   # noqa: E402
import rooms      # noqa: E402
import size       # noqa: E402
import source     # noqa: E402
import text       # noqa: E402


def checks(root):
    """(name, check, bad samples, good samples, needed tool)"""
    yield "includes follow the rooms", rooms.check, rooms.BAD, rooms.GOOD, None
    yield "files and functions are short", size.check, size.BAD, size.GOOD, None
    yield "the protocol's table names tests that are there", protocol.check, protocol.BAD, protocol.GOOD, None
    yield ("a test that the protocol's table names and that did not pass is seen", protocol.check_unproven,
           protocol.BAD_UNPROVEN, protocol.GOOD_UNPROVEN, None)
    yield "the library makes no banned call", calls.check, calls.BAD, calls.GOOD, None
    for name, check in (("no unfinished marks", text.marks), ("no paths of one machine", text.places),
                        ("names say what is inside", text.names), ("licence lines", text.spdx),
                        ("white space", text.whitespace)):
        yield name, check, text.BAD[check], text.GOOD[check], None
    yield ("layout is clang-format's", functools.partial(layout.check, root=root),
           layout.BAD, layout.GOOD, layout.TOOL)
    yield ("public headers define only vfk_ and VFK_", prefixes.check,
           prefixes.BAD, prefixes.GOOD, prefixes.TOOL)


def samples(check, bad, good):
    """What the check missed among the bad samples, or saw in the good ones."""
    problems = ["finds nothing in %r" % (sample,) for sample in bad if not check(sample)]
    for sample in good:
        problems += ["good sample: " + problem for problem in check(sample)]
    return problems


def main(root):
    tree, number, failed = source.load(root), 0, False
    for name, check, bad, good, tool in checks(root):
        for what, look in (("finds its samples", lambda: samples(check, bad, good)),
                           ("tree", lambda: check(tree))):
            number += 1
            label = "%d - %s: %s" % (number, name, what)
            if tool and not shutil.which(tool):
                print("ok %s # SKIP %s is not installed" % (label, tool))
                continue
            problems = look()
            failed = failed or bool(problems)
            print("%s %s" % ("not ok" if problems else "ok", label))
            for problem in problems:
                print("# " + problem.replace("\n", "\n# "), flush=True)
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
