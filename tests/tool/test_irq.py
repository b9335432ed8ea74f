# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts: armed, provoked, waited for."""

import json
import resource
import time

import pytest
from conftest import vfiokit

RAISE = "bar0:0x60:4=%d"  # QEMU, docs/specs/edu: raises an interrupt with this reason


@pytest.mark.parametrize("index", ["msi", "1", "intx", "0"])
def test_provoked_by_a_write(edu, index):
    name = {"1": "msi", "0": "intx"}.get(index, index)
    assert vfiokit("irq", edu, index, "--write", RAISE % 1).done() == "%s 0: 1\n" % name


@pytest.mark.parametrize("index", ["msi", "intx"])
def test_provoked_by_software(edu, index):
    assert vfiokit("irq", edu, index, "--trigger").done() == "%s 0: 1\n" % index


def test_json(edu):
    out = vfiokit("irq", edu, "msi", "--write", RAISE % 4, "--json").done()
    assert json.loads(out) == {"uri": edu, "index": 1, "name": "msi", "armed": 1,
                               "vectors": [{"vector": 0, "count": 1}]}


def test_masked_until_unmasked(edu):
    """A line that is high while it is masked comes when it is unmasked, and not before."""
    acknowledge = ("write", edu, "bar0", "0x64", "4", "0xffffffff")
    vfiokit(*acknowledge).done()
    vfiokit("irq", edu, "intx", "--mask", "0", "--write", RAISE % 1, "--timeout", "0.2").failed(edu, "0 of 1 signals")
    vfiokit(*acknowledge).done()
    out = vfiokit("irq", edu, "intx", "--mask", "0", "--unmask", "0", "--write", RAISE % 1).done()
    assert out == "intx 0: 1\n"


def test_mask_of_one_vector_of_several():
    """Vectors 1 and 3 are held back; of those only 3 is let go."""
    uri = "model:testdev,msix=4"
    writes = [word for vector in range(4) for word in ("--write", "bar0:0x20:4=%d" % vector)]
    words = ("irq", uri, "msix", "--mask", "1", "--mask", "3", *writes, "--count", "3", "--unmask", "3", "--json")
    shown = json.loads(vfiokit(*words).done())
    assert [entry["vector"] for entry in shown["vectors"]] == [0, 2, 3]


def test_mask_refusals(edu):
    vfiokit("irq", edu, "msi", "--mask", "0", "--trigger").failed(edu, "cannot be masked")
    vfiokit("irq", edu, "intx", "--mask", "1", "--trigger").failed(edu, "vector 1 is not armed, 1 are")
    vfiokit("irq", edu, "intx", "--unmask", "2048").misused("--unmask 2048")
    vfiokit("irq", edu, "intx", "--mask", "x").misused("--mask x")


def armed(*words):
    return json.loads(vfiokit("irq", *words, "--trigger", "--json").done())["armed"]


def test_fewer_vectors_do():
    """The device has eight, and grants five."""
    uri = "model:testdev,msix=8,vectors-limit=5"
    assert armed(uri, "msix") == 5
    assert armed(uri, "msix", "--min", "5") == 5
    assert armed(uri, "msix", "--vectors", "8", "--min", "2") == 5
    assert armed(uri, "msix", "--vectors", "3", "--min", "2") == 3
    vfiokit("irq", uri, "msix", "--min", "6", "--trigger").failed(uri, "only 5 vectors can be had")
    vfiokit("irq", uri, "msix", "--vectors", "8", "--trigger").failed(uri, "only 5 vectors can be had")
    vfiokit("irq", uri, "msix", "--min", "9", "--trigger").failed(uri, "has 8 vectors")
    vfiokit("irq", uri, "msix", "--vectors", "3", "--min", "4").misused("--min 4 of --vectors 3")
    vfiokit("irq", uri, "msix", "--min", "0").misused("--min 0")


def test_counts_several(edu):
    writes = [arg for n in range(3) for arg in ("--write", RAISE % (1 << n))]
    assert vfiokit("irq", edu, "msi", "--count", "3", *writes).done() == "msi 0: 3\n"


def test_intx_that_stays_asserted_fires_again(edu):
    """Nobody acknowledges it: each unmask finds the line high still."""
    assert vfiokit("irq", edu, "intx", "--count", "3", "--write", RAISE % 1).done() == "intx 0: 3\n"


def test_factorial_by_interrupt(edu):
    out = vfiokit("irq", edu, "msi", "--write", "bar0:0x20:4=0x80", "--write", "bar0:8:4=10").done()
    assert out == "msi 0: 1\n"


def test_late_interrupt():
    """The model's own worker raises it, a while after the write."""
    out = vfiokit("irq", "model:edu,latency=200", "msi", "--write", "bar0:0x20:4=0x80", "--write",
                  "bar0:8:4=5").done()
    assert out == "msi 0: 1\n"


def test_late_interrupt_from_a_server(serve):
    """The server's loop raises it."""
    uri = serve("model:edu,latency=200").uri
    out = vfiokit("irq", uri, "msi", "--write", "bar0:0x20:4=0x80", "--write", "bar0:8:4=5").done()
    assert out == "msi 0: 1\n"


def test_waits_no_longer_than_told(edu):
    start = time.monotonic()
    vfiokit("irq", edu, "msi", "--timeout", "0.3").failed(edu, "0 of 1 signals within 0.3 s")
    assert 0.25 < time.monotonic() - start < 10


def test_too_few_came(edu):
    vfiokit("irq", edu, "msi", "--timeout", "0.3", "--count", "2", "--write", RAISE % 1).failed(
        edu, "1 of 2 signals")


def test_a_bad_write_is_said(edu):
    vfiokit("irq", edu, "msi", "--write", "bar0:0x100000:4=1").failed(edu)


def few_files(soft, hard=None):
    """For preexec_fn: the limits of open files."""
    limits = soft, hard or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)


ALL = ("msix", "--trigger", "--count", "2048", "--json")


def test_2048_vectors_with_a_low_soft_limit():
    """The tool raises its soft limit to the hard one."""
    out = vfiokit("irq", "model:testdev", *ALL, preexec_fn=few_files(256)).done()
    assert [v["count"] for v in json.loads(out)["vectors"]] == [1] * 2048


def test_2048_vectors_over_the_socket_with_a_low_soft_limit(serve):
    uri = serve("model:testdev", preexec_fn=few_files(256)).uri
    out = vfiokit("irq", uri, *ALL, preexec_fn=few_files(256)).done()
    assert [v["count"] for v in json.loads(out)["vectors"]] == [1] * 2048


def test_the_suite_has_2048_vectors_with_a_low_soft_limit():
    out = vfiokit("test", "model:testdev", "pci_irq_all_vectors", preexec_fn=few_files(256)).done()
    assert "ok 1 - pci_irq_all_vectors\n" in out


def test_2048_vectors_with_a_low_hard_limit():
    vfiokit("irq", "model:testdev", *ALL, preexec_fn=few_files(256, 256)).failed(
        "model:testdev", "Too many open files", "RLIMIT_NOFILE.* 256")
