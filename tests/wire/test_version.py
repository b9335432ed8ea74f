# SPDX-License-Identifier: BSD-3-Clause
"""VERSION: what the two ends settle on, and with whom there is nothing to settle."""

import errno
import json
import os
import struct

import pytest
from session import (CAPS, GET_INFO, NO_REPLY, REGION_READ, RESET, VERSION, WRITE_MULTI, access, pack, proposal)

FRONT = struct.pack("=HH", 0, 2)

# (what stands behind the numbers, why it is wrong)
BAD_JSON = [
    (b"{}", "no NUL"),
    (b"{", "no NUL, and broken"),
    (b"\0", "empty"),
    (b" \0", "blank"),
    (b"{\0", "not closed"),
    (b"}\0", "not opened"),
    (b"{}}\0", "closed twice"),
    (b"{}{}\0", "two"),
    (b"{}\0{}\0", "NUL inside"),
    (b"{}\0\0", "two NULs"),
    (b"[]\0", "an array"),
    (b"null\0", "null"),
    (b"7\0", "a number"),
    (b'"x"\0', "a string"),
    (b'{"capabilities": {}\0', "not closed"),
    (b'{"capabilities": }\0', "no value"),
    (b'{"capabilities": 5}\0', "a number for an object"),
    (b'{"capabilities": []}\0', "an array for an object"),
    (b'{"capabilities": "x"}\0', "a string for an object"),
    (b'{"capabilities": ' * 2000 + b"\0", "too long and never closed"),
    (b"[" * 1000 + b"]" * 1000 + b"\0", "deep"),
    (b'{"a":' * 400 + b"1" + b"}" * 400 + b"\0", "deep objects"),
    (b"\xff\xfe\xfd\0", "no text"),
    (b'{"capabilities": {"max_msg_fds": "8"}}\0', "a string for a number"),
    (b'{"capabilities": {"max_msg_fds": -1}}\0', "negative"),
    (b'{"capabilities": {"max_msg_fds": [1]}}\0', "an array for a number"),
    (b'{"capabilities": {"max_data_xfer_size": {}}}\0', "an object for a number"),
    (b'{"capabilities": {"max_data_xfer_size": 0}}\0', "nothing can be sent"),
    (b'{"capabilities": {"max_data_xfer_size": -4096}}\0', "negative"),
    (b'{"capabilities": {"max_dma_maps": true}}\0', "a boolean for a number"),
    (b'{"capabilities": {"pgsizes": 0}}\0', "no page size"),
    (b'{"capabilities": {"pgsizes": "4096"}}\0', "a string for a number"),
    (b'{"capabilities": {"write_multiple": 3}}\0', "a number for a boolean"),
    (b'{"capabilities": {"twin_socket": 1}}\0', "a number for an object"),
    (b'{"capabilities": {"twin_socket": {"supported": "yes"}}}\0', "a string for a boolean"),
    (b'{"capabilities": {"migration": 1}}\0', "a number for an object"),
]


def wide(count):
    """Sound JSON of `count` bytes with its NUL."""
    text = json.dumps({"capabilities": {"max_msg_fds": 8}, "pad": ""}).encode()
    return text[:-2] + b"x" * (count - len(text) - 1) + b'"}\0'


def turned_away(server, message, errs=None):
    """One error reply at most, then the end; the next client is served."""
    session = server.connect()
    session.raw(message)
    if errs:
        reply = session.receive()
        assert reply.command == VERSION and reply.error in errs, reply
    session.ends()


@pytest.mark.parametrize("minor, answer", ((0, 0), (1, 1), (2, 2), (3, 2), (7, 2), (0xffff, 2)))
def test_minor(server, minor, answer):
    for caps in (None, {}, CAPS):
        session = server.connect()
        assert session.hello(minor=minor, caps=caps)[0] == answer
        session.in_step()
        session.close()


@pytest.mark.parametrize("major", (1, 2, 256, 0xffff))
def test_another_major(server, major):
    for minor in (0, 2, 0xffff):
        turned_away(server, pack(VERSION, proposal(major, minor)),
                    (errno.EPROTONOSUPPORT, errno.ENOTSUP, errno.EINVAL))


def test_no_json(server):
    """Then nothing but the defaults holds, and none comes back."""
    session = server.connect()
    assert session.hello(caps=None) == (2, None)
    session.in_step()


@pytest.mark.parametrize("text, why", BAD_JSON, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_json(server, text, why):
    long = len(text) > 4096
    turned_away(server, pack(VERSION, FRONT + text), None if long else (errno.EINVAL,))


def test_long_json(server):
    for count in (200, 1000, 4095, 4096):
        session = server.connect()
        session.good(VERSION, FRONT + wide(count))
        session.in_step()
        session.close()
    for count in (4097, 5000, 100000, 2 << 20):
        session = server.connect()
        try:
            session.send(VERSION, FRONT + wide(count))
        except (BrokenPipeError, ConnectionResetError):
            pass
        session.ends()


def test_truncated(server):
    whole = proposal()
    for length in range(4):
        turned_away(server, pack(VERSION, whole[:length]))
    for length in range(5, len(whole)):
        turned_away(server, pack(VERSION, whole[:length]), (errno.EINVAL,))


def test_unknown_keys_are_passed_over(server):
    extra = dict(CAPS, future={"deep": [1, 2, {"a": None}]}, max_msg_fdz=-1, x=1e300, y="\u2603")
    text = json.dumps({"capabilities": extra, "other": [True], "": 0}).encode() + b"\0"
    session = server.connect()
    session.good(VERSION, FRONT + text)
    session.in_step()


def test_a_key_twice(server):
    """Not forbidden by JSON; whatever it comes to mean, the server lives."""
    session = server.connect()
    session.send(VERSION, FRONT + b'{"capabilities": {"max_msg_fds": 1, "max_msg_fds": 3}}\0')
    session.receive()


def test_answer_is_a_subset(server):
    """No key that was not asked for, but how much the server itself takes; each value within what was asked for."""
    own = {"max_msg_fds", "max_data_xfer_size"}
    some_keys = [{}, {"max_msg_fds": 3}, {"max_data_xfer_size": 65536}, {"pgsizes": 4096 | 1 << 21},
                 {"max_dma_maps": 12}, {"write_multiple": True}, {"write_multiple": False}, CAPS,
                 {"twin_socket": {"supported": False}}, {"migration": {"pgsize": 4096}},
                 {"unheard_of": 1}]
    for asked in some_keys:
        session = server.connect()
        _, caps = session.hello(caps=asked)
        assert set(caps) <= set(asked) | own, (asked, caps)
        if asked is CAPS:
            assert caps["max_msg_fds"] >= 1 and caps["max_data_xfer_size"] >= 4096
            assert caps["pgsizes"] & 4096 and caps["max_dma_maps"] <= 65535
        if "write_multiple" in caps:
            assert asked["write_multiple"] or not caps["write_multiple"]
        session.in_step()
        session.close()


def test_no_page_size_in_common(server):
    turned_away(server, pack(VERSION, proposal(caps={"pgsizes": 1 << 62})), (errno.EINVAL,))


def test_twin_socket_is_answered_as_the_specification_says(server):
    """Either not taken up, or with a descriptor at the index that it names."""
    session = server.connect()
    reply = session.ask(VERSION, proposal(caps=dict(CAPS, twin_socket={"supported": True})))
    assert not reply.error
    twin = json.loads(reply.payload[4:-1])["capabilities"].get("twin_socket", {"supported": False})
    if twin["supported"]:
        assert len(reply.fds) > twin["fd_index"]
    else:
        assert not reply.fds
    for fd in reply.fds:
        os.close(fd)


@pytest.mark.parametrize("command, payload", ((GET_INFO, bytes(16)), (REGION_READ, access(0, 0, 4)),
                                              (RESET, b""), (77, b"")))
def test_missing(server, command, payload):
    """Nothing is done before VERSION."""
    turned_away(server, pack(command, payload))
    turned_away(server, pack(command, payload, flags=NO_REPLY))


def test_twice(server):
    """There is no second negotiation, and what the first one settled holds."""
    session = server.client()
    for _ in range(3):
        session.refused(VERSION, proposal(0, 0, None))
    session.good(WRITE_MULTI, struct.pack("=QQII8s", 1, 4, 0, 4, b"abcd"))


def test_under_no_reply(server):
    """A client that does not want to know cannot go on."""
    session = server.connect()
    session.send(VERSION, proposal(), flags=NO_REPLY)
    session.ends()


def test_with_descriptors(server, keep):
    session = server.connect()
    session.send(VERSION, proposal(), fds=[keep(os.eventfd(0))])
    session.ends()
