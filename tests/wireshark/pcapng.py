# SPDX-License-Identifier: BSD-3-Clause
"""pcapng files with vfio-user messages: read strictly, and written.

draft-ietf-opsawg-pcapng; the tags before a message are those of Wireshark's "exported PDU".
"""

import struct

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
UPPER_PDU = 252
TAG_END, TAG_DISSECTOR = 0, 12
INBOUND, OUTBOUND = 1, 2


class Packet:
    def __init__(self, ns, message, length, options):
        self.ns, self.message, self.length = ns, message, length
        self.comment = options.get(1, b"").decode()
        self.direction = struct.unpack("=I", options[2])[0] & 3


def _options(data):
    out, at = {}, 0
    while at < len(data):
        code, length = struct.unpack_from("=HH", data, at)
        at += 4
        if code == 0:
            assert length == 0 and at == len(data)
            return out
        out[code] = data[at:at + length]
        assert data[at + length:at + length + -length % 4] == bytes(-length % 4)
        at += length + -length % 4
    raise AssertionError("options without an end")


def _message(data):
    """What follows the tags, of which one names the dissector."""
    at, name = 0, None
    while True:
        tag, length = struct.unpack_from(">HH", data, at)
        at += 4
        if tag == TAG_END:
            assert length == 0
            break
        assert length % 4 == 0
        if tag == TAG_DISSECTOR:
            name = data[at:at + length].rstrip(b"\0")
        at += length
    assert name == b"vfio-user"
    return data[at:], at


def _blocks(data):
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length % 4 == 0 and length >= 12 and at + length <= len(data)
        assert struct.unpack_from("=I", data, at + length - 4)[0] == length
        yield kind, data[at + 8:at + length - 4]
        at += length


def read(path):
    """The packets, and the names of the interfaces of all sections."""
    packets, names, interfaces = [], [], 0
    for kind, body in _blocks(path.read_bytes()):
        if kind == SECTION:
            assert struct.unpack_from("=IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
            interfaces = 0
        elif kind == INTERFACE:
            assert struct.unpack_from("=HHI", body) == (UPPER_PDU, 0, 0)
            options = _options(body[8:])
            assert options[9] == b"\x09"
            names.append(options[2].decode())
            interfaces += 1
        else:
            assert kind == PACKET
            interface, high, low, kept, length = struct.unpack_from("=IIIII", body)
            assert interface < interfaces
            message, front = _message(body[20:20 + kept])
            options = _options(body[20 + kept + -kept % 4:])
            packets.append(Packet(high << 32 | low, message, length - front, options))
    return packets, names


def _block(kind, body):
    body += bytes(-len(body) % 4)
    length = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + length + body + length


def write(path, messages, kept=None):
    """One section; each message a packet, a millisecond after the one before. kept: bytes of each that are there."""
    tags = struct.pack(">HH12sHH", TAG_DISSECTOR, 12, b"vfio-user", TAG_END, 0)
    out = _block(SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += _block(INTERFACE, struct.pack("=HHI", UPPER_PDU, 0, 0))
    for n, message in enumerate(messages):
        us = 1700000000000000 + 1000 * n
        data = tags + message[:kept]
        out += _block(PACKET, struct.pack("=IIIII", 0, us >> 32, us & 0xFFFFFFFF, len(data),
                                          len(tags) + len(message)) + data)
    path.write_bytes(out)
