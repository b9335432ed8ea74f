# SPDX-License-Identifier: BSD-3-Clause
"""What is listed and shown, the same wherever the device lives."""

import json
import os
import re
import signal
import subprocess

import pytest
from conftest import TOOL, vfiokit

CONFIG, BAR0 = 7, 0


def info(uri):
    return json.loads(vfiokit("info", uri, "--json").done())


def test_list_names_what_there_is():
    shown = json.loads(vfiokit("list", "--json").done())
    assert {"model", "vfio-user"} <= {entry["name"] for entry in shown["backends"]}
    models = {entry["name"]: entry for entry in shown["models"]}
    assert {"edu", "null"} <= set(models)
    assert {"latency", "dma_mask"} <= set(models["edu"]["params"])
    assert isinstance(shown["filters"], list)
    out = vfiokit("list").done()
    for word in ("backends:", "filters:", "models:", "vfio-user", "edu", "null"):
        assert word in out


def test_list_names_the_machines_devices():
    """As sysfs has them, whatever this machine is; tests/vm looks at machines that are known."""
    shown = json.loads(vfiokit("list", "--json").done())
    folder = "/sys/bus/pci/devices"
    present = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    assert sorted(device["address"] for device in shown["pci"]) == present
    for device in shown["pci"]:
        path = os.path.join(folder, device["address"])
        assert device["uri"] == "kernel:" + device["address"]
        with open(os.path.join(path, "class"), encoding="ascii") as file:
            assert device["class"] == file.read().strip()
        driver = os.path.join(path, "driver")
        assert device["driver"] == (
            os.path.basename(os.readlink(driver)) if os.path.exists(driver) else None)
        group = os.path.join(path, "iommu_group")
        assert device["group"] == (
            int(os.path.basename(os.readlink(group))) if os.path.exists(group) else None)
        assert device["viable"] is ("reason" not in device)
        if device["group"] is None:
            assert not device["viable"]
    assert isinstance(shown["mdevs"], list) and isinstance(shown["cdevs"], list)
    out = vfiokit("list").done()
    for word in ["PCI devices:", "mediated devices:", "VFIO character devices:"] + present:
        assert word in out


def test_info_json(edu):
    shown = info(edu)
    assert shown["uri"] == edu and shown["type"] == "pci"
    assert {"reset", "pci"} <= set(shown["flags"])
    assert shown["pci"]["vendor"] == "0x1234" and shown["pci"]["device"] == "0x11e8"
    for key, digits in (("vendor", 4), ("device", 4), ("subvendor", 4), ("subdevice", 4),
                        ("class", 6), ("revision", 2)):
        assert re.fullmatch("0x[0-9a-f]{%d}" % digits, shown["pci"][key]), key
    assert shown["pci"]["class"] == "0x00ff00"
    assert isinstance(shown["features"], list)


def test_info_json_regions(edu):
    regions = info(edu)["regions"]
    assert [region["index"] for region in regions] == list(range(len(regions)))
    assert [region["name"] for region in regions[:9]] == [
        "bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "config", "vga"]
    assert regions[BAR0]["size"] == 1 << 20
    assert {"read", "write"} <= set(regions[BAR0]["flags"])
    assert regions[CONFIG]["size"] in (256, 4096)
    for region in regions:
        assert set(region) == {"index", "name", "size", "flags", "sparse"}
        assert isinstance(region["size"], int) and isinstance(region["sparse"], list)


def test_info_json_irqs(edu):
    irqs = info(edu)["irqs"]
    assert [irq["name"] for irq in irqs[:5]] == ["intx", "msi", "msix", "err", "req"]
    assert [irq["count"] for irq in irqs[:3]] == [1, 1, 0]
    assert {"eventfd", "maskable", "automasked"} <= set(irqs[0]["flags"])
    assert "eventfd" in irqs[1]["flags"]


def test_info_is_the_same_everywhere(edu):
    there, here = info(edu), info("model:edu")
    assert there.pop("uri") != "" and here.pop("uri") == "model:edu"
    # A server records itself what a model writes, for a client that has no dma space of the model's to ask.
    extra = set(there.pop("features")) - set(here.pop("features"))
    assert extra in (set(), {"dma_logging_start", "dma_logging_stop", "dma_logging_report"})
    assert there == here


def test_info_text(edu):
    out = vfiokit("info", edu).done()
    assert out.startswith(edu + "\n")
    for word in ("1234:11e8", "bar0", "1048576 bytes", "config", "intx", "msi", "automasked"):
        assert word in out
    assert "bar1" not in out


def test_null_has_no_interrupt():
    shown = info("model:null")
    assert shown["type"] == "pci" and all(irq["count"] == 0 for irq in shown["irqs"][:3])


def test_read(edu):
    assert vfiokit("read", edu, "bar0", "0", "4").done() == "0x010000ed\n"
    assert vfiokit("read", edu, "0", "0x0", "4").done() == "0x010000ed\n"
    assert vfiokit("read", edu, "config", "0", "2").done() == "0x1234\n"
    assert vfiokit("read", edu, "config", "0", "4").done() == "0x11e81234\n"
    assert vfiokit("read", edu, "config", "0", "1").done() == "0x34\n"
    assert vfiokit("read", edu, "bar0", "0x80", "8").done() == "0x0000000000000000\n"


def test_read_repeats(edu):
    assert vfiokit("read", edu, "bar0", "0", "4", "--repeat", "7").done() == "0x010000ed\n" * 7


def test_read_json(edu):
    shown = json.loads(vfiokit("read", edu, "config", "2", "2", "--repeat", "2", "--json").done())
    assert shown == {"uri": edu, "region": CONFIG, "offset": 2, "width": 2,
                     "values": ["0x11e8", "0x11e8"]}


def test_write_reaches_the_device(serve):
    uri = serve("model:edu").uri
    assert vfiokit("write", uri, "bar0", "4", "4", "0x12345678").done() == ""
    assert vfiokit("read", uri, "bar0", "4", "4").done() == "0xedcba987\n"
    assert vfiokit("write", uri, "bar0", "8", "4", "10").done() == ""
    assert vfiokit("read", uri, "bar0", "8", "4").done() == "0x%08x\n" % 3628800


def test_filters_are_put_before_the_device(edu, tmp_path):
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    out = vfiokit("read", edu, "bar0", "0", "4", "--filter", "trace,file=%s" % outer,
                  "--filter", "trace,file=%s" % inner).done()
    assert out == "0x010000ed\n"
    for path in (outer, inner):
        assert "region_read" in path.read_text()


def test_features(edu):
    shown = json.loads(vfiokit("features", edu, "--json").done())
    assert shown["uri"] == edu and shown["features"]
    names = [feature["name"] for feature in shown["features"]]
    assert "migration" in names and len(names) == len(set(names))
    offered = [feature["name"] for feature in shown["features"] if feature["ops"]]
    assert offered == info(edu)["features"]
    lines = vfiokit("features", edu).done().splitlines()
    assert len(lines) == len(names)
    assert all(line.endswith((" -", " get", " set")) for line in lines)


def test_lspci(edu):
    assert "1234:11e8" in vfiokit("lspci", edu, "-n").done()
    assert "00:00.0" in vfiokit("lspci", edu).done()
    detail = vfiokit("lspci", edu, "-vv", "-x").done()
    assert "MSI: Enable-" in detail and re.search(r"^00: 34 12 e8 11", detail, re.M)


def test_lspci_missing_is_said(tmp_path):
    env = dict(os.environ, PATH=str(tmp_path))
    vfiokit("lspci", "model:edu", env=env).failed("model:edu", "lspci is not installed", "pciutils")


def test_lspci_fails_with_lspci():
    vfiokit("lspci", "model:edu", "-s", "no:slot").failed("model:edu", "lspci ended with status 1: lspci: ")


def test_dump_shows_lines(edu):
    lines = vfiokit("dump", edu, "config").done().splitlines()
    assert len(lines) in (16, 256)
    assert re.fullmatch(r"00000000: 34 12 e8 11( [0-9a-f]{2}){12}  .{16}", lines[0])
    lines = vfiokit("dump", edu, "config", "--offset", "1", "--length", "19").done().splitlines()
    assert lines[0].startswith("00000001: 12 e8 11") and len(lines) == 2
    assert re.fullmatch(r"00000011:( [0-9a-f]{2}){3} {39}  .{3}", lines[1])


def test_dump_widths_agree(edu):
    whole = vfiokit("dump", edu, "config", "--length", "64").done()
    for width in ("1", "2", "4"):
        assert vfiokit("dump", edu, "config", "--length", "64", "--width", width).done() == whole


def test_dump_into_a_file(edu, tmp_path):
    path = tmp_path / "raw"
    assert vfiokit("dump", edu, "bar0", "--length", "8192", "--output", str(path)).done() == ""
    assert len(path.read_bytes()) == 8192 and path.read_bytes()[:4] == b"\xed\x00\x00\x01"
    assert vfiokit("dump", edu, "config", "--output", str(path)).done() == ""
    assert len(path.read_bytes()) in (256, 4096)
    assert path.read_bytes()[:4] == b"\x34\x12\xe8\x11"
    raw = subprocess.run([TOOL, "dump", edu, "config", "--output", "-"], stdout=subprocess.PIPE,
                         check=True).stdout
    assert raw == path.read_bytes()


PRINTS = [("--help",), ("--version",), ("list",), ("list", "--json"), ("info", "URI"), ("info", "URI", "--json"),
          ("lspci", "URI", "-v"), ("read", "URI", "bar0", "0", "4"), ("dump", "URI", "config"),
          ("irq", "URI", "msi", "--trigger"), ("irq", "URI", "msi", "--trigger", "--json"), ("features", "URI"),
          ("reset", "model:testdev", "--list"), ("bench", "URI", "read", "--time", "1", "--rounds", "1"),
          ("test", "URI", "config_*"), ("demo",)]


def failure(reason):
    return r"vfiokit: [^\n]*standard output: (%s[^\n]*|not all of it could be written)\n" % reason


def broken(words, edu, **output):
    words = [edu if word == "URI" else word for word in words]
    run = subprocess.run([TOOL, *words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120,
                         check=False, **output)
    return run.returncode, run.stderr


@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_full_disk_is_a_failure(edu, words):
    with open("/dev/full", "w", encoding="ascii") as full:
        status, said = broken(words, edu, stdout=full)
    assert status == 1 and re.fullmatch(failure("No space left"), said), (status, said)


@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_reader_that_went(edu, words):
    """The end that any program has: by the signal, without a word. Where that is ignored it is a failure as any."""
    for ignored in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        status, said = broken(words, edu, stdout=writer, restore_signals=not ignored)
        os.close(writer)
        if ignored or words[0] in ("demo", "test"):  # which have something to take down
            assert status == 1 and re.fullmatch(failure("Broken pipe"), said), (status, said)
        else:
            assert (status, said) == (-signal.SIGPIPE, ""), words


@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_no_output_at_all(edu, words):
    """Its number is given to nothing else: what is printed would go there."""
    status, said = broken(words, edu, preexec_fn=lambda: os.close(1))
    assert status == 1 and re.fullmatch(failure("Bad file descriptor"), said), (status, said)


def test_lspci_to_a_reader_of_one_line(edu):
    run = subprocess.run("%s lspci %s -vvv -xxxx | head -1; echo ${PIPESTATUS[0]}" % (TOOL, edu), shell=True,
                         executable="/bin/bash", capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("00:00.0 ") and lines[1] in ("0", "141") and run.stderr == "", run
