#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does "make check" count right? Made-up logs of Meson go through tests/results.py, as TAP."""

import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import results  # noqa: E402  (needs the path above)
from results import FAIL, PASS, SKIP  # noqa: E402

# (name, protocol, entry of testlog.json, expected (outcome, text that the reason holds))
PROGRAMS = [
    ("a TAP line is a case", "tap", {"stdout": "1..2\nok 1 - a\nok 2 - b\n", "result": "OK"},
     [(PASS, ""), (PASS, "")]),
    ("a plan may come last", "tap", {"stdout": "ok 1 - a\n1..1\n", "result": "OK"}, [(PASS, "")]),
    ("a TAP skip keeps its reason", "tap", {"stdout": "1..1\nok 1 - a # SKIP no qemu\n", "result": "SKIP"},
     [(SKIP, "no qemu")]),
    ("a program skips as a whole", "tap", {"stdout": "1..0 # SKIP no kernel\n", "result": "SKIP"},
     [(SKIP, "no kernel")]),
    ("a TAP failure is one", "tap", {"stdout": "1..2\nok 1\nnot ok 2 - b\n", "result": "FAIL"},
     [(PASS, ""), (FAIL, "")]),
    ("a failure to be done later is one", "tap",
     {"stdout": "1..1\nnot ok 1 - b # TO" "DO later\n", "result": "OK"}, [(FAIL, "")]),
    ("lines that the plan lacks", "tap", {"stdout": "1..3\nok 1\nok 2\n", "result": "ERROR"},
     [(PASS, ""), (PASS, ""), (FAIL, "plan")]),
    ("no plan at all", "tap", {"stdout": "ok 1 - a\n", "result": "OK"}, [(PASS, ""), (FAIL, "no TAP plan")]),
    ("nothing printed", "tap", {"stdout": "", "result": "OK"}, [(FAIL, "no TAP plan")]),
    ("bail out", "tap", {"stdout": "1..1\nBail out! dead\n", "result": "ERROR"},
     [(FAIL, "dead"), (FAIL, "plan")]),
    ("a crash after good lines", "tap", {"stdout": "1..1\nok 1\n", "result": "ERROR", "returncode": -11},
     [(PASS, ""), (FAIL, "-11")]),
    ("indented lines are not ours", "tap", {"stdout": "1..1\n    not ok 1 - sub\nok 1 - a\n", "result": "OK"},
     [(PASS, "")]),
    ("exit status 0", "exitcode", {"stdout": "hello\n", "result": "OK"}, [(PASS, "")]),
    ("exit status 1", "exitcode", {"stdout": "", "result": "FAIL", "returncode": 1}, [(FAIL, "1")]),
    ("exit status 77", "exitcode", {"stdout": "no tool\n", "result": "SKIP"}, [(SKIP, "no tool")]),
    ("out of time", "exitcode", {"stdout": "", "result": "TIMEOUT", "returncode": -9}, [(FAIL, "timeout")]),
    ("pytest's cases", "exitcode", {"stdout": "==== 2 passed in 0.10s ====\n", "result": "OK"},
     [(PASS, ""), (PASS, "")]),
    ("pytest's hidden skip", "exitcode",
     {"stdout": "SKIPPED [1] t.py:3: no lspci\n1 passed, 1 skipped in 0.10s\n", "result": "OK"},
     [(PASS, ""), (SKIP, "no lspci")]),
    ("pytest's skip without reason", "exitcode", {"stdout": "1 skipped in 0.10s\n", "result": "OK"},
     [(SKIP, "-rs")]),
    ("pytest's failure", "exitcode",
     {"stdout": "=== 1 failed, 1 passed, 2 warnings in 1.20s ===\n", "result": "FAIL", "returncode": 1},
     [(PASS, ""), (FAIL, "")]),
    ("cmocka's cases", "exitcode",
     {"stderr": "[==========] Running 3 test(s).\n[  SKIPPED ] test_b\n[==========] 3 test(s) run.\n"
                "[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] test_b\n",
      "result": "OK"}, [(PASS, ""), (PASS, ""), (SKIP, "")]),
    ("cmocka's failure", "exitcode",
     {"stderr": "[==========] 1 test(s) run.\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_a\n",
      "result": "FAIL", "returncode": 1}, [(FAIL, "")]),
]


def same(cases, expected):
    return (len(cases) == len(expected)
            and all(outcome == want and text in reason
                    for (_, outcome, reason), (want, text) in zip(cases, expected)))


def whole_log():
    """A log of two tests of one name, and one test that is missing from it."""
    tests = [{"name": "a", "suite": ["p:unit"], "protocol": "exitcode"},
             {"name": "a", "suite": ["p:client", "p:threads"], "protocol": "tap"},
             {"name": "lost", "suite": ["p:unit"], "protocol": "exitcode"}]
    entries = [{"name": "p:unit / a", "result": "OK", "stdout": ""},
               {"name": "p:client+threads / a", "result": "OK", "stdout": "1..1\nok 1 - x\n"}]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
        log.write("".join(json.dumps(entry) + "\n" for entry in entries))
        log.flush()
        cases = results.read(log.name, tests)
    return [(c.suite, c.test, c.name, c.outcome) for c in cases] == [
        ("unit", "a", "", PASS), ("client+threads", "a", "x", PASS), ("unit", "lost", "", FAIL)]


def main():
    failed = False
    for number, (name, protocol, entry, expected) in enumerate(PROGRAMS, 1):
        cases = results.program(entry, protocol)
        good = same(cases, expected)
        failed = failed or not good
        print("%s %d - %s" % ("ok" if good else "not ok", number, name))
        if not good:
            print("# got %r" % (cases,))
    good = whole_log()
    print("%s %d - a whole log" % ("ok" if good else "not ok", len(PROGRAMS) + 1))
    print("1..%d" % (len(PROGRAMS) + 1))
    return 1 if failed or not good else 0


if __name__ == "__main__":
    sys.exit(main())
