# SPDX-License-Identifier: BSD-3-Clause
"""The three ways in which servers say which descriptor is for which area, and those that contradict themselves."""

import errno
import os

import pytest
from encoder import CAP_SPARSE_MMAP, CAP_SPARSE_MMAP_FDS
from rich_serving import Rich
from scripted import CAPS, MMAP, READ, STEPS, WRITE, Device, Scripted, run, sound
from session import ENCODER

PAGE, SIZE = 4096, 4 * 4096
AREAS = [(0, PAGE), (2 * PAGE, PAGE)]
ALL = ("peekmapped=0,0", "peekmapped=0,0x2000", "peekmapped=0,0x1000")


@pytest.fixture
def files():
    """Two files: pages of one are filled with 0xa0 and their number, of the other with 0xb0 and theirs."""
    fds = []
    for kind in (0xa0, 0xb0):
        fds.append(os.memfd_create("file"))
        os.write(fds[-1], b"".join(bytes([kind + n]) * PAGE for n in range(8)))
    yield fds
    for fd in fds:
        os.close(fd)


def peek(caps, fds, *words, flags=READ | WRITE | MMAP):
    """What is found in the areas by mapping them."""
    chain = ENCODER.region_info(caps=caps)[32:]
    result = run(Scripted(Device(regions={0: (SIZE, flags | (CAPS if caps else 0), chain, fds)})), *(words or ALL),
                 program=STEPS)
    sound(result)
    return [int(line.split()[1]) for line in result.out.splitlines()]


def sparse(areas=AREAS):
    return [(CAP_SPARSE_MMAP, ENCODER.sparse(areas))]


def with_fds(*areas):
    return [(CAP_SPARSE_MMAP_FDS, ENCODER.sparse_fds(areas))]


def test_one_for_the_region(files):
    assert peek([], files[:1]) == [0xa0, 0xa2, 0xa1]


def test_one_for_all_areas(files):
    assert peek(sparse(), files[:1]) == [0xa0, 0xa2, -errno.ENOTSUP]


def test_one_each(files):
    """As libvfio-user has it: each begins where the area does."""
    assert peek(sparse(), files) == [0xa0, 0xb2, -errno.ENOTSUP]


def test_sparse_fds(files):
    assert peek(with_fds((0, PAGE, PAGE, 1), (2 * PAGE, 5 * PAGE, PAGE, 0)), files) == [0xb1, 0xa5, -errno.ENOTSUP]
    # both in one file, at places of their own, and at a fixed distance
    assert peek(with_fds((0, 3 * PAGE, PAGE, 0), (2 * PAGE, 0, PAGE, 0)), files[:1]) == [0xa3, 0xa0, -errno.ENOTSUP]
    assert peek(with_fds((0, PAGE, PAGE, 0), (2 * PAGE, 3 * PAGE, PAGE, 0)), files[:1]) == [0xa1, 0xa3, -errno.ENOTSUP]


def test_sparse_fds_beside_sparse(files):
    """The newer one holds: a server may keep the older for older clients."""
    both = sparse([(PAGE, PAGE)]) + with_fds((0, 0, PAGE, 0), (2 * PAGE, PAGE, PAGE, 1))
    assert peek(both, files) == [0xa0, 0xb1, -errno.ENOTSUP]


def test_without_descriptors():
    for caps in ([], sparse(), with_fds((0, 0, PAGE, 0))):
        assert peek(caps, []) == [-errno.ENOTSUP] * 3


BAD = {
    "two for three areas": (sparse([(0, PAGE), (PAGE, PAGE), (2 * PAGE, PAGE)]), 2),
    "two without areas": ([], 2),
    "an index beyond them": (with_fds((0, 0, PAGE, 2)), 2),
    "areas that overlap": (with_fds((0, 0, 2 * PAGE, 0), (PAGE, 0, PAGE, 1)), 2),
    "an area outside": (with_fds((SIZE, 0, PAGE, 0)), 1),
    "an area that wraps": (with_fds((0, 0, (1 << 64) - 1, 0)), 1),
    "an offset that cannot be": (with_fds((0, (1 << 63) - 1, PAGE, 0)), 1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name, files):
    caps, count = BAD[name]
    assert peek(caps, files[:count], "peekmapped=0,0", "read=0") == [-errno.EPROTO, -errno.ENOTCONN]


def test_file_too_short(files):
    """A file that does not reach as far as the server says."""
    os.ftruncate(files[1], PAGE)
    assert peek(with_fds((0, 0, PAGE, 0), (2 * PAGE, PAGE, PAGE, 1)), files) == [0xa0, -errno.EPROTO, -errno.ENOTSUP]


def test_our_own_server():
    serving = Rich()
    try:
        serving.close_all()
        made = type("There", (), {"path": serving.path, "seen": (), "close": lambda self: None})()
        result = run(made, "peekmapped=1,0", "peekmapped=1,0x2000", "peekmapped=1,0x1000", "peekmapped=2,0",
                     "peekmapped=2,0x2000", "peekmapped=3,0", "peekmapped=3,0x1000", "peekmapped=3,0x3000", program=STEPS)
        sound(result)
        none = -errno.ENOTSUP
        assert [int(line.split()[1]) for line in result.out.splitlines()] == [
            0xa1, 0xa3, none, 0xa0, 0xb3, 0xa0, none, 0xb3]
        serving.check()
    finally:
        serving.stop()
