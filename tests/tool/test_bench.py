# SPDX-License-Identifier: BSD-3-Clause
"""vfiokit bench: that it measures what it says; how fast anything is, no test asks."""

import json

import pytest
from conftest import vfiokit

CASES = ["read", "write", "posted", "batch", "mapped", "irq", "map", "maps-16", "maps-256", "maps-4096", "maps-65000",
         "lookup", "lookup-last", "lookup-held", "transfer"]
RATES = ("posted", "batch")


def measured(*words):
    return json.loads(vfiokit("bench", *words, "--json", "--time", "1", "--rounds", "3", timeout=240).done())


@pytest.mark.parametrize("where", [[], ["--serve"]], ids=["in-process", "served"])
def test_all_cases(where):
    shown = measured("model:edu", *where)
    assert shown["rounds"] == 3
    assert [case["name"] for case in shown["cases"]] == CASES
    for case in shown["cases"]:
        assert case["limit"] and case["help"]
        if case["name"] in ("mapped", "transfer"):  # edu has no memory
            assert case["not_measured"] and "ns" not in case
            continue
        assert case["ns"] > 0 and case["limit_ns"] > 0
        assert case["rate_ratio" if case["name"] in RATES else "time_ratio"] > 0


def test_spinning():
    (case,) = measured("model:edu", "read", "--serve", "--spin", "100")["cases"]
    assert case["time_ratio"] > 0


def test_cases_are_chosen():
    assert [case["name"] for case in measured("model:edu", "w*", "irq")["cases"]] == ["write", "irq"]


def test_what_a_device_does_not_have():
    cases = {case["name"]: case for case in measured("model:null")["cases"]}
    assert cases["read"]["ns"] > 0
    for name in ("write", "posted", "batch", "irq"):
        assert "not_measured" in cases[name], name


def test_a_register_that_is_said():
    shown = measured("model:edu", "write", "read", "--write", "bar0:4:4=5", "--read", "bar0:4")
    assert all(case["ns"] > 0 for case in shown["cases"])


def test_text():
    out = vfiokit("bench", "model:edu", "read", "mapped", "--time", "1", "--rounds", "1").done()
    assert "ratio" in out and "the bare access" in out and "not measured: no region" in out


def test_failures():
    vfiokit("bench", "model:edu", "write", "--json", "--time", "1", "--write",
            "bar0:0x100000:4=1").failed("model:edu", "region 0", "beyond")
    vfiokit("bench", "model:nothing", "--json").failed("model:nothing")


def test_wrong_usage():
    for words in (["model:edu", "reed"], ["model:edu", "--rounds", "0"], ["model:edu", "--cpus", "1"],
                  ["model:edu", "--read", "bar0"], ["model:edu", "--spin", "10"], []):
        vfiokit("bench", *words).misused()
