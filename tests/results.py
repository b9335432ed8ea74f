# SPDX-License-Identifier: BSD-3-Clause
"""What the tests said: Meson's log of a run, read down to the single case.

Meson counts a program as one test. Here a TAP program counts each of its lines, a pytest or cmocka
run each of its cases, so that a skip or a failure inside of a program is seen and counted.
"""

import json
import re
from collections import namedtuple

PASS, FAIL, SKIP = "passed", "failed", "skipped"

Case = namedtuple("Case", "suite test name outcome reason")

_TAP_LINE = re.compile(
    r"(?P<not>not )?ok\b\s*(?P<number>\d+)?\s*(?:-\s*)?(?P<name>.*?)\s*"
    r"(?:(?<!\\)#\s*(?P<directive>skip\S*|todo)\b[:\s]*(?P<reason>.*))?$", re.I)
_TAP_PLAN = re.compile(r"1\.\.(?P<count>\d+)\s*(?:#\s*skip\S*\b[:\s]*(?P<reason>.*))?$", re.I)
_PYTEST_SUM = re.compile(r"^=* ?((?:\d+ \w+,? ?)+) in [\d.]+s.*$", re.M)
_PYTEST_PASS = re.compile(r"^PASSED (?:\S*/)?tests/(\S+?::\w+)", re.M)
_PYTEST_SKIP = re.compile(r"^SKIPPED \[(\d+)\] (\S+?):? (.*)$", re.M)
_CMOCKA_RAN = re.compile(r"^\[=+\] (?:\S+: )?(\d+) test\(s\) run\.", re.M)
_CMOCKA_PASS = re.compile(r"^\[       OK \] (\S+)$", re.M)
_CMOCKA_SKIP = re.compile(r"^\[  SKIPPED \] (?!\d+ test)(\S+)$", re.M)
_CMOCKA_FAIL = re.compile(r"^\[  FAILED  \] (?!\d+ test)(\S+)$", re.M)


def tap(text):
    """(name, outcome, reason) of each TAP line at the margin; indented ones belong to a sub-plan."""
    cases, planned = [], None
    for line in text.splitlines():
        plan = _TAP_PLAN.match(line)
        if plan:
            planned = int(plan["count"])
            if planned == 0:
                cases.append(("", SKIP, plan["reason"] or "no reason given"))
            continue
        if line.startswith("Bail out!"):
            cases.append(("", FAIL, line))
            continue
        hit = _TAP_LINE.match(line)
        if not hit:
            continue
        directive = (hit["directive"] or "").lower()
        name = hit["name"] or hit["number"] or "?"
        if directive.startswith("skip") and not hit["not"]:
            cases.append((name, SKIP, hit["reason"] or "no reason given"))
        elif hit["not"]:
            cases.append((name, FAIL, "not ok"))
        else:
            cases.append((name, PASS, ""))
    if planned is None:
        cases.append(("", FAIL, "no TAP plan"))
    elif planned and len([c for c in cases if c[0] or c[1] != FAIL]) != planned:
        cases.append(("", FAIL, "the TAP plan says %d, the lines are %d" % (planned, len(cases))))
    return cases


def pytest(text):
    """Cases of a pytest run from its closing line, or None when there is no such line. With -rp passed ones have names,
    FOLDER/FILE::TEST below tests."""
    sums = _PYTEST_SUM.findall(text)
    if not sums:
        return None
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", sums[-1])}
    names = _PYTEST_PASS.findall(text)
    cases = [(name, PASS, "") for name in names]
    cases += [("", PASS, "")] * (counts.get("passed", 0) - len(names))
    cases += [("", FAIL, "pytest")] * (counts.get("failed", 0) + counts.get("errors", 0)
                                       + counts.get("error", 0) + counts.get("xpassed", 0))
    skips = []
    for count, place, reason in _PYTEST_SKIP.findall(text):
        skips += [(place, SKIP, reason)] * int(count)
    lost = counts.get("skipped", 0) + counts.get("xfailed", 0) - len(skips)
    return cases + skips + [("", SKIP, "no reason shown (run pytest with -rs)")] * max(lost, 0)


def cmocka(text):
    """Cases of one or more cmocka groups, or None when the text has none."""
    ran = _CMOCKA_RAN.findall(text)
    if not ran:
        return None
    skips = sorted(set(_CMOCKA_SKIP.findall(text)))
    fails = sorted(set(_CMOCKA_FAIL.findall(text)))
    names = _CMOCKA_PASS.findall(text)
    passed = sum(map(int, ran)) - len(skips) - len(fails) - len(names)
    return ([(name, PASS, "") for name in names] + [("", PASS, "")] * passed + [(name, SKIP, "cmocka skip") for name in skips]
            + [(name, FAIL, "cmocka") for name in fails])


def program(entry, protocol):
    """Cases of one Meson test: its own lines, and what Meson thought of it as a whole."""
    out, verdict = entry.get("stdout") or "", entry["result"]
    text = out + "\n" + (entry.get("stderr") or "")
    if protocol == "tap":
        cases = tap(out)
    elif verdict == "SKIP":
        cases = [("", SKIP, (text.strip().splitlines() or ["no reason given"])[-1])]
    else:
        cases = pytest(text) or cmocka(text) or []
    good = verdict in ("OK", "EXPECTEDFAIL", "SKIP")
    if not good and not any(outcome == FAIL for _, outcome, _ in cases):
        cases.append(("", FAIL, "%s, exit status %s" % (verdict.lower(), entry.get("returncode"))))
    if good and not cases:
        cases.append(("", PASS, ""))
    return cases


def match(name, known):
    """Meson writes "project:suite+suite / name", or the name alone when there is but one suite."""
    front, _, bare = name.rpartition(" / ")
    suites = front.partition(":")[2]
    if (suites, bare) in known:
        return suites, bare
    alone = [key for key in known if key[1] == bare]
    return alone[0] if len(alone) == 1 else (suites, bare)


def read(log, tests):
    """All cases of one run: `log` is the path of testlog.json, `tests` Meson's list of what was asked for."""
    known, cases, seen = {}, [], set()
    for test in tests:
        suites = [s.split(":")[-1] for s in test["suite"]]
        known[("+".join(suites), test["name"])] = test["protocol"]
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            key = match(entry["name"], known)
            seen.add(key)
            for case, outcome, reason in program(entry, known.get(key, "exitcode")):
                cases.append(Case(*key, case, outcome, reason))
    for key in sorted(set(known) - seen):
        cases.append(Case(*key, "", FAIL, "was asked for and did not run"))
    return cases
