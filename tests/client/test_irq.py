# SPDX-License-Identifier: BSD-3-Clause
"""2048 vectors through servers that take one descriptor a message, or more than the kernel passes: parts, their order,
and what is left when one of them fails."""

import errno
import os
import struct

import pytest
from rich_serving import ARMED, ENABLED, FAIL_AT, GRANTED, UNMASKED, VECTORS, Rich
from scripted import STEPS, Device, Hangup, Scripted, run, sound, works
from session import CAPS, DATA_EVENTFD, DATA_NONE, ERROR, REPLY, SET_IRQS, TRIGGER, UNMASK, proposal

# The kernel's limit (SCM_MAX_FD).
MOST = 253
EVENTFD = 3  # with MASKABLE


def device(max_fds, **more):
    """A server that takes this many descriptors a message."""
    made = Device(irqs={2: (EVENTFD, VECTORS)})
    made.version = proposal(caps=dict(CAPS, max_msg_fds=max_fds, **more))
    return made


def steps(script, *words):
    result = run(script, *words, program=STEPS)
    sound(result)
    return result


class Counted:
    """A message, and how many descriptors it had before the script took them."""

    def __init__(self, message):
        self.command, self.payload, self.count = message.command, message.payload, len(message.fds)


class Watched(Scripted):
    """Remembers the number of descriptors; `refuse` says of a SET_IRQS whether it fails."""

    def __init__(self, device, refuse=lambda flags, start, count: 0):
        self.messages = []
        super().__init__(device, {SET_IRQS: self.answer})
        self.refuse = refuse

    def answer(self, peer, message):
        counted = Counted(message)
        self.messages.append(counted)
        flags, _, start, count = struct.unpack("=IIII", message.payload[4:20])
        error = self.refuse(flags, start, count)
        if error == "gone":
            raise Hangup
        if error:
            peer.respond(message, flags=REPLY | ERROR, error=error)
        else:
            peer.raw(*peer.good(message))

    def sets(self):
        return [struct.unpack("=I", m.payload[4:8]) + struct.unpack("=II", m.payload[12:20]) + (m.count,)
                for m in self.messages]


ARM = DATA_EVENTFD | TRIGGER
OFF = (DATA_NONE | TRIGGER, 0, 0, 0)


def parts(flags, start, count, size):
    return [(flags, at, min(size, start + count - at), min(size, start + count - at))
            for at in range(start, start + count, size)]


@pytest.mark.parametrize("max_fds, size", ((1, 1), (16, 16), (64, 64), (253, MOST), (254, MOST), (100000, MOST)))
def test_armed_in_parts(max_fds, size):
    """The last part goes first: it is what tells how many vectors are wanted. Then the others, in order."""
    script = Watched(device(max_fds))
    result = steps(script, "arm=0,2048", "unmask=0,2048", "disarm=0,2048", "disable")
    assert result.out == "arm 0\nunmask 0\ndisarm 0\ndisable 0\n", result
    all_parts = parts(ARM, 0, VECTORS, size)
    assert script.sets() == all_parts[-1:] + all_parts[:-1] + parts(DATA_EVENTFD | UNMASK, 0, VECTORS, size) + [
        (ARM, 0, VECTORS, 0), OFF]


def test_every_vector_fires():
    script = Watched(device(1))
    works(run(script, "irq", "msix", "--trigger", "--count=2048", "--timeout=10"))


def test_no_descriptors_are_taken():
    script = Watched(device(0))
    assert steps(script, "arm=0,8").out == "arm %d\n" % -errno.EMSGSIZE
    assert script.sets() == []


def at(vector):
    return lambda flags, start, count: errno.EMFILE if flags & DATA_EVENTFD and start == vector else 0


def test_first_part_fails():
    """Nothing was done, so nothing is undone."""
    script = Watched(device(16), at(VECTORS - 16))
    assert steps(script, "arm=0,2048").out == "arm %d\n" % -errno.EMFILE
    assert script.sets() == parts(ARM, VECTORS - 16, 16, 16)


@pytest.mark.parametrize("max_fds", (1, 16))
def test_a_later_part_fails(max_fds):
    """The index was off before, and is off again."""
    script = Watched(device(max_fds), at(32))
    assert steps(script, "arm=0,64").out == "arm %d\n" % -errno.EMFILE
    assert script.sets()[-1] == OFF
    assert len(script.sets()) == 1 + 32 // max_fds + 1 + 1


def test_a_later_part_fails_of_an_index_that_is_on():
    """Those of the parts that were sent have none; all others keep theirs. It is not switched off."""
    script = Watched(device(16), at(132))
    result = steps(script, "arm=0,16", "arm=100,64", "arm=0,16")
    assert result.out == "arm 0\narm %d\narm 0\n" % -errno.EMFILE
    assert script.sets() == parts(ARM, 0, 16, 16) + parts(ARM, 100, 48, 16) + [(ARM, 100, 32, 0)] + parts(
        ARM, 0, 16, 16) + [OFF]


def test_what_was_lost_is_told():
    """Which vectors have no eventfd any more; and nothing of that where the index is simply off again."""
    script = Watched(device(16), at(132))
    lines = steps(script, "arm=0,16", "arm=100,64", "why", "arm=132,1", "why").out.splitlines()
    assert lines[2].endswith("; vectors 100 to 131 have no eventfd now"), lines
    assert "eventfd now" not in lines[4], lines
    script = Watched(device(16), at(32))
    assert "no eventfd" not in steps(script, "arm=0,64", "why").out


def test_what_cannot_be_undone_is_told():
    script = Watched(device(16), lambda flags, start, count:
                     errno.EMFILE if start == 132 else errno.EIO if count == 32 else 0)
    lines = steps(script, "arm=0,16", "arm=100,64", "why").out.splitlines()
    assert "; and vectors 100 to 131 may have either eventfd or none, since taking them back failed: " in lines[2], lines


def test_a_later_unmask_fails():
    script = Watched(device(16), lambda flags, start, count: errno.EMFILE if flags & UNMASK and start == 32 else 0)
    assert steps(script, "arm=0,1", "unmask=0,64").out == "arm 0\nunmask %d\n" % -errno.EMFILE
    flags = DATA_EVENTFD | UNMASK
    assert script.sets() == [(ARM, 0, 1, 1)] + parts(flags, 0, 48, 16) + [(flags, 0, 32, 0), OFF]


def test_server_goes_between_parts():
    script = Watched(device(16), lambda flags, start, count: "gone" if start == 32 else 0)
    assert steps(script, "arm=0,64", "arm=0,16").out == "arm %d\narm %d\n" % (-errno.ECONNRESET, -errno.ENOTCONN)


def test_only_so_many():
    """ENOSPC from a server that cannot say how many; it comes before any is armed."""
    script = Watched(device(1), lambda flags, start, count: errno.ENOSPC if start + count > 5 else 0)
    assert steps(script, "arm=0,64", "arm=0,5").out == "arm %d\narm 0\n" % -errno.ENOSPC
    assert script.sets() == [(ARM, 63, 1, 1)] + [(ARM, 4, 1, 1)] + parts(ARM, 0, 4, 1) + [OFF]


# ---- both ends ours ----

@pytest.fixture(scope="module")
def rich():
    serving = Rich()
    yield serving
    serving.check()
    serving.stop()


class There:
    """A server that is no script, in a script's place."""

    seen = ()

    def __init__(self, serving):
        serving.close_all()
        self.path = serving.path

    def close(self):
        pass


def test_our_own_server(rich):
    result = steps(There(rich), "arm=0,2048", "read=%d" % ARMED, "read=%d" % ENABLED, "unmask=0,2048",
                   "read=%d" % UNMASKED, "disarm=100,1948", "read=%d" % ARMED, "disable", "read=%d" % ARMED)
    assert result.out.split() == ["arm", "0", "read", "2048", "read", "2048", "unmask", "0", "read", "2048",
                                  "disarm", "0", "read", "100", "disable", "0", "read", "0"]


def test_our_own_server_fails(rich):
    result = steps(There(rich), "arm=0,100", "write=%d,150" % FAIL_AT, "arm=0,2048", "disable", "arm=0,2048",
                   "read=%d" % ARMED, "read=%d" % ENABLED, "write=%d,5000" % FAIL_AT, "write=%d,5" % GRANTED,
                   "arm=0,2048", "read=%d" % ENABLED, "write=%d,2048" % GRANTED)
    assert result.out.splitlines() == [
        "arm 0", "write 0", "arm %d" % -errno.EINVAL, "disable 0", "arm %d" % -errno.EMFILE, "read 0", "read 0",
        "write 0", "write 0", "arm 5", "read 0", "write 0"]
