# SPDX-License-Identifier: BSD-3-Clause
"""The dissector on messages of every command, whole and mutilated, that the independent encoder wrote."""

import struct

import pytest

import encoder
from encoder import (COMMAND, ERROR, GET, NO_REPLY, PROBE, REPLY, SET, Encoder)
from pcapng import write

E = Encoder()


def requests():
    """A good message of every command, and of the forms that some of them have."""
    yield E.message(1, encoder.VERSION, E.version(caps={"max_msg_fds": 8, "twin_socket": {"supported": True}}))
    yield E.message(2, encoder.VERSION, E.version(minor=1))
    yield E.message(3, encoder.DMA_MAP, E.dma_map(0x1000, 0x2000, flags=5, offset=0x3000))
    yield E.message(4, encoder.DMA_UNMAP, E.dma_unmap(0x1000, 0x2000))
    yield E.message(5, encoder.DMA_UNMAP, E.dma_unmap_bitmap(0x1000, 0x2000, 0x1000, 8))
    yield E.message(6, encoder.DEVICE_GET_INFO, E.device_info())
    yield E.message(7, encoder.DEVICE_GET_REGION_INFO, E.region_info(index=2))
    yield E.message(8, encoder.DEVICE_GET_REGION_IO_FDS, E.region_io_fds(2, argsz=400))
    yield E.message(9, encoder.DEVICE_GET_IRQ_INFO, E.irq_info(2))
    yield E.message(10, encoder.DEVICE_SET_IRQS, E.irq_set(1, 0x22, start=3, count=2, data=b"\1\0"))
    yield E.message(11, encoder.REGION_READ, E.region_access(0x10, 0, 4))
    yield E.message(12, encoder.REGION_WRITE, E.region_access(0x10, 0, 4, b"abcd"), flags=NO_REPLY)
    yield E.message(13, encoder.DMA_READ, E.dma_access(0x1000, 16))
    yield E.message(14, encoder.DMA_WRITE, E.dma_access(0x1000, 4, b"wxyz"))
    yield E.message(15, encoder.DMA_WRITE, E.old_dma_access(0x1000, 4, b"wxyz"))
    yield E.message(16, encoder.DEVICE_RESET)
    yield E.message(17, encoder.REGION_WRITE_MULTI, E.write_multi([(0, 1, b"\7"), (8, 7, b"12345678")]))
    yield E.message(18, encoder.DEVICE_FEATURE, E.feature(1 | GET | PROBE))
    yield E.message(19, encoder.DEVICE_FEATURE, E.feature(2 | SET, struct.pack("=Ii", 3, -1)))
    yield E.message(20, encoder.DEVICE_FEATURE,
                    E.feature(6 | SET, E.logging_start(0x1000, [(0, 0x1000), (0x8000, 0x2000)])))
    yield E.message(21, encoder.DEVICE_FEATURE, E.feature(8 | GET, E.logging_report(0, 0x8000, 0x1000)))
    yield E.message(22, encoder.MIG_DATA_READ, E.mig_data(100))
    yield E.message(23, encoder.MIG_DATA_WRITE, E.mig_data(3, b"xyz"))
    yield E.message(24, encoder.GET_PRECOPY_INFO, E.precopy_info())
    yield E.message(25, encoder.REGION_WRITE, E.region_access(0x10, 0, 4, b"abcd"))


def reply(id, command, payload=b"", **more):
    return E.message(id, command, payload, flags=REPLY, **more)


def replies():
    """Good replies to them."""
    yield reply(1, encoder.VERSION, E.version(caps={"max_msg_fds": 4}))
    yield reply(3, encoder.DMA_MAP)
    yield reply(4, encoder.DMA_UNMAP, E.dma_unmap(0x1000, 0x2000))
    yield reply(5, encoder.DMA_UNMAP, E.dma_unmap_bitmap(0x1000, 0x2000, 0x1000, 8) + bytes(range(8)))
    yield reply(6, encoder.DEVICE_GET_INFO, E.device_info(flags=3, num_regions=9, num_irqs=5))
    yield reply(7, encoder.DEVICE_GET_REGION_INFO, E.region_info(index=2, flags=7, size=0x10000, caps=[
        (encoder.CAP_SPARSE_MMAP, E.sparse([(0, 0x1000), (0x4000, 0x2000)])),
        (encoder.CAP_TYPE, struct.pack("=II", 5, 6)),
        (encoder.CAP_MSIX_MAPPABLE, b""),
        (encoder.CAP_SPARSE_MMAP_FDS, E.sparse_fds([(0x8000, 0x5000, 0x1000, 1)])),
        (99, b"unknown!")]))
    yield reply(8, encoder.DEVICE_GET_REGION_IO_FDS, E.region_io_fds(
        2, [{"offset": 0x20, "size": 4, "datamatch": 7}, {"offset": 0x24, "size": 4, "type": 2}], entry_size=48))
    yield reply(9, encoder.DEVICE_GET_IRQ_INFO, E.irq_info(2, flags=9, count=33))
    yield reply(10, encoder.DEVICE_SET_IRQS, E.irq_granted(1))
    yield reply(11, encoder.REGION_READ, E.region_access(0x10, 0, 4, b"data"))
    yield reply(13, encoder.DMA_READ, E.dma_access(0x1000, 16, bytes(16)))
    yield reply(14, encoder.DMA_WRITE, E.dma_access(0x1000, 4))
    yield reply(15, encoder.DMA_WRITE)
    yield reply(16, encoder.DEVICE_RESET)
    yield reply(17, encoder.REGION_WRITE_MULTI, E.write_multi_reply(2))
    yield reply(18, encoder.DEVICE_FEATURE, E.feature(1 | GET | PROBE))
    yield reply(19, encoder.DEVICE_FEATURE, E.feature(2 | SET, struct.pack("=Ii", 3, -1)))
    yield reply(20, encoder.DEVICE_FEATURE, E.feature(6 | SET, E.logging_start(0x1000, [(0, 0x1000)])))
    yield reply(21, encoder.DEVICE_FEATURE, E.feature(8 | GET, E.logging_report(0, 0x8000, 0x1000, b"\5" + bytes(7))))
    yield reply(22, encoder.MIG_DATA_READ, E.mig_data(3, b"abc"))
    yield reply(23, encoder.MIG_DATA_WRITE, E.mig_data(3))
    yield reply(24, encoder.GET_PRECOPY_INFO, E.precopy_info(0, 100, 200))
    yield reply(25, encoder.REGION_WRITE, E.region_access(0x10, 0, 4))


@pytest.fixture
def show(tmp_path, shark):
    """show(messages): what tshark has of a capture of them."""
    def make(messages, kept=None):
        path = tmp_path / "x.pcapng"
        write(path, messages, kept)
        return shark(path)
    return make


@pytest.fixture
def good(show):
    return show(list(requests()) + list(replies()))


def test_every_command_has_its_name(good):
    rows = good.fields("_ws.col.Protocol", "vfio_user.msg_id", "vfio_user.malformed", "_ws.col.Info")
    assert [int(row[1]) for row in rows[:25]] == list(range(1, 26))
    assert {row[0] for row in rows} == {"vfio-user"} and not any(row[2] for row in rows), rows
    names = [name for name in dir(encoder) if isinstance(getattr(encoder, name), int)
             and name.split("_")[0] in ("VERSION", "DMA", "DEVICE", "REGION", "MIG", "GET") and name != "GET"]
    shown = " ".join(row[3] for row in rows)
    assert len(names) == 18
    for name in names:
        assert name + " request" in shown and name + " reply" in shown


def test_matching(good):
    rows = good.fields("vfio_user.request_in", "vfio_user.response_time", where="vfio_user.flags.type == 1")
    assert all(row[0] and float(row[1]) > 0 for row in rows)
    assert rows[0] == ["1", "0.025000000"]
    assert good.fields("vfio_user.unasked") == [[""]] * len(list(requests()) + list(replies()))


def only(seen, id, is_reply=0):
    tree, = seen.json("vfio_user.msg_id == %d && vfio_user.flags.type == %d" % (id, is_reply))
    return tree


def found(tree, name):
    """All values of a field, however deep."""
    values = []
    for key, value in tree.items():
        if key == name:
            values += value if isinstance(value, list) else [value]
        elif isinstance(value, dict):
            values += found(value, name)
    return values


def test_version(good):
    tree = only(good, 1)
    assert tree["vfio_user.version.minor"] == "2"
    assert '"max_msg_fds": 8' in tree["vfio_user.version.json"]
    assert good.fields("json.key", where="vfio_user.msg_id == 1 && vfio_user.flags.type == 1")[0][0] \
        .count("max_msg_fds") == 1


def test_dma(good):
    tree = only(good, 3)
    assert (tree["vfio_user.dma.addr"], tree["vfio_user.dma.size"], tree["vfio_user.dma.offset"]) == (
        "0x0000000000001000", "0x0000000000002000", "0x0000000000003000")
    flags = {key: value for key, value in good.json("vfio_user.msg_id == 3")[0].items() if "map_flags" in key}
    assert flags["vfio_user.dma.map_flags"] == "0x00000005"
    assert only(good, 5, 1)["vfio_user.dma.bitmap"] == "00:01:02:03:04:05:06:07"
    for id in (14, 15):
        assert only(good, id)["vfio_user.data"] == "77:78:79:7a"
    assert good.fields("_ws.col.Source", where="vfio_user.command == 11 || vfio_user.command == 12") == [
        ["server"]] * 3 + [["client"]] * 3


def test_region_info(good):
    tree = only(good, 7, 1)
    assert tree["vfio_user.region_info.size"] == "0x0000000000010000"
    row, = good.fields("vfio_user.cap.id", "vfio_user.sparse.offset", "vfio_user.sparse.size",
                       "vfio_user.sparse.fd_index", "vfio_user.cap.type", "vfio_user.cap.data",
                       where="vfio_user.msg_id == 7 && vfio_user.flags.type == 1")
    assert row[0] == "1,2,3,16,99"
    assert [int(v, 16) for v in row[1].split(",")] == [0, 0x4000, 0x8000]
    assert [int(v, 16) for v in row[2].split(",")] == [0x1000, 0x2000, 0x1000]
    assert row[3:] == ["1", "0x00000005", b"unknown!".hex()]
    subs, = good.fields("vfio_user.io_fds.offset", "vfio_user.io_fds.type", "vfio_user.io_fds.shadow_offset",
                        where="vfio_user.msg_id == 8 && vfio_user.flags.type == 1")
    assert subs[1] == "0,2" and len(subs[2].split(",")) == 2


def test_irqs_and_writes(good):
    tree = only(good, 10)
    assert (tree["vfio_user.irq.start"], tree["vfio_user.irq.count"], tree["vfio_user.irq.bools"]) == ("3", "2", "01:00")
    assert only(good, 10, 1)["vfio_user.irq.count"] == "1"
    assert only(good, 9, 1)["vfio_user.irq.count"] == "33"
    row, = good.fields("vfio_user.region", "vfio_user.write.length", "vfio_user.data",
                       where="vfio_user.msg_id == 17 && vfio_user.flags.type == 0")
    assert row == ["1,7", "1,8", "07," + b"12345678".hex()]


def test_features(good):
    row, = good.fields("vfio_user.feature.id", "vfio_user.feature.set", "vfio_user.feature.mig_state",
                       "vfio_user.feature.data_fd", where="vfio_user.msg_id == 19 && vfio_user.flags.type == 0")
    assert row == ["2", "1", "3", "-1"]
    row, = good.fields("vfio_user.feature.iova", "vfio_user.feature.num_ranges",
                       where="vfio_user.msg_id == 20 && vfio_user.flags.type == 0")
    assert [int(v, 16) for v in row[0].split(",")] == [0, 0x8000] and row[1] == "2"
    assert only(good, 21, 1)["vfio_user.feature.bitmap"] == "05:00:00:00:00:00:00:00"
    assert only(good, 24, 1)["vfio_user.mig.dirty_bytes"] == "200"
    text = good.run("-O", "vfio-user")
    for name in ("MIG_DEVICE_STATE", "DMA_LOGGING_START", "DMA_LOGGING_REPORT", "STOP_COPY"):
        assert name in text


def test_errors(show):
    seen = show([E.message(1, encoder.DEVICE_RESET), E.error(1, encoder.DEVICE_RESET, 95),
                 E.error(2, encoder.DEVICE_RESET, 5)])
    rows = seen.fields("_ws.col.Info", "vfio_user.error", "vfio_user.malformed", "vfio_user.unasked")
    assert rows[1] == ["DEVICE_RESET error: EOPNOTSUPP", "95", "", ""]
    assert rows[2][:3] == ["DEVICE_RESET error: EIO", "5", ""] and rows[2][3]


def test_the_other_byte_order(show):
    big = Encoder(">")
    seen = show([big.message(7, encoder.REGION_READ, big.region_access(0x10, 3, 4))])
    assert seen.fields("vfio_user.msg_id", "vfio_user.region", "vfio_user.offset", "vfio_user.malformed") == [
        ["7", "3", "0x0000000000000010", ""]]


LIES = [
    b"\1\0\5", E.message(1, encoder.REGION_READ, E.region_access(0, 0, 4), size=33),
    E.message(1, encoder.REGION_WRITE, E.region_access(0, 0, 5, b"four")),
    E.message(1, encoder.REGION_WRITE, E.region_access(0, 0, 3, b"four")),
    E.message(1, encoder.REGION_WRITE, E.region_access(0, 0, 0xFFFFFFFF, b"four")),
    E.message(1, encoder.VERSION, E.version(raw=b'{"a":1}')),
    E.message(1, encoder.VERSION, b"\0"),
    E.message(1, 77, b"what"), E.message(1, 0), E.message(1, encoder.REGION_READ, flags=2),
    E.message(1, encoder.DEVICE_RESET, b"more"), E.message(1, encoder.DEVICE_RESET, flags=COMMAND | ERROR),
    E.message(1, encoder.DEVICE_SET_IRQS, E.irq_set(0, 0x22, count=9, data=b"\1")),
    E.message(1, encoder.REGION_WRITE_MULTI, E.pack("write_multi", count=1 << 63)),
    E.message(1, encoder.REGION_WRITE_MULTI, E.pack("write_multi", count=1) + E.pack("write", len=9)),
    reply(1, encoder.DEVICE_GET_REGION_INFO, E.pack("region_info", argsz=48, flags=8, cap_offset=32)
          + E.pack("cap", id=9, version=1, next=32) + bytes(8)),
    reply(1, encoder.DEVICE_GET_REGION_INFO, E.pack("region_info", argsz=48, flags=8, cap_offset=1)
          + bytes(16)),
    reply(1, encoder.DEVICE_GET_REGION_INFO, E.pack("region_info", argsz=48, flags=8, cap_offset=0xFFFFFFF8)
          + bytes(16)),
    reply(1, encoder.DEVICE_GET_REGION_INFO, E.region_info(caps=[(1, struct.pack("=II", 0xFFFFFFFF, 0))])),
    reply(1, encoder.DEVICE_GET_REGION_IO_FDS, E.region_io_fds(0, [{}], argsz=99)),
    reply(1, encoder.DEVICE_GET_REGION_IO_FDS, E.region_io_fds(0, [{}], count=0xFFFFFFFF)),
    E.message(1, encoder.DEVICE_FEATURE, E.feature(6 | SET, E.pack("logging_control", num_ranges=0xFFFFFFFF))),
    E.message(1, encoder.DMA_WRITE, E.dma_access(0, 1 << 63, b"x")),
    reply(1, encoder.DMA_UNMAP, E.dma_unmap_bitmap(0, 0x1000, 0x1000, 1 << 62, argsz=40) + b"x"),
    E.message(1, encoder.MIG_DATA_WRITE, E.mig_data(1 << 31, b"x")),
]


def test_lies_are_marked(show):
    rows = show(LIES).fields("vfio_user.malformed", "_ws.col.Info")
    assert len(rows) == len(LIES)
    for lie, row in zip(LIES, rows):
        assert row[0], (lie, row)


def test_cut_at_every_byte(show):
    """With a header that says what is there: each is malformed, or a shorter form that is right; none is a fault."""
    messages = [message[:n] for message in list(requests()) + list(replies()) for n in range(len(message))]
    messages = [m if len(m) < 16 else m[:4] + struct.pack("=I", len(m)) + m[8:] for m in messages]
    rows = show(messages).fields("frame.len", "vfio_user.malformed")
    assert len(rows) == len(messages)
    short = [row for message, row in zip(messages, rows) if len(message) < 16]
    assert all(row[1] for row in short)
    assert sum(1 for row in rows if row[1]) > len(rows) * 3 // 4


def test_cut_by_the_capture(show):
    """What a snap length left out is no fault of the message."""
    whole = [m for m in list(requests()) + list(replies()) if len(m) > 40]
    rows = show(whole, kept=20 + 40).fields("vfio_user.malformed", "vfio_user.cut")
    assert rows and not any(row[0] for row in rows), rows
    assert [bool(row[1]) for row in rows] == [len(m) > 60 for m in whole]


def test_bits_flipped(show):
    """Every bit of every message: whatever it becomes, the dissector has no fault."""
    messages = []
    for message in list(requests()) + list(replies()):
        for bit in range(8 * min(len(message), 72)):
            flipped = bytearray(message)
            flipped[bit // 8] ^= 1 << bit % 8
            messages.append(bytes(flipped))
    seen = show(messages)
    assert len(seen.fields("frame.number", "vfio_user.command", "vfio_user.malformed")) == len(messages)
    seen.run("-V")  # the tree in full
