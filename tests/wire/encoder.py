# SPDX-License-Identifier: BSD-3-Clause
"""vfio-user messages, written from the specification and not from the library: the second opinion.

docs/interop/vfio-user.rst of QEMU, and <linux/vfio.h> for what it takes from there. Every payload has an
encoder, which returns bytes, and a decoder, which returns a dict. The byte order is a parameter: the
protocol has the host's ("="), and a test may want the other one.
"""

import array
import json
import socket
import struct

(VERSION, DMA_MAP, DMA_UNMAP, DEVICE_GET_INFO, DEVICE_GET_REGION_INFO, DEVICE_GET_REGION_IO_FDS,
 DEVICE_GET_IRQ_INFO, DEVICE_SET_IRQS, REGION_READ, REGION_WRITE, DMA_READ, DMA_WRITE, DEVICE_RESET,
 DIRTY_PAGES, REGION_WRITE_MULTI, DEVICE_FEATURE, MIG_DATA_READ, MIG_DATA_WRITE,
 GET_PRECOPY_INFO) = range(1, 20)

COMMAND, REPLY, NO_REPLY, ERROR = 0, 1, 1 << 4, 1 << 5

DATA_NONE, DATA_BOOL, DATA_EVENTFD, MASK, UNMASK, TRIGGER = (1 << n for n in range(6))
GET, SET, PROBE = 1 << 16, 1 << 17, 1 << 18
CAP_SPARSE_MMAP, CAP_TYPE, CAP_MSIX_MAPPABLE, CAP_SPARSE_MMAP_FDS = 1, 2, 3, 16

# Each structure: its format, and the names of its fields.
STRUCTURES = {
    "header": ("HHIII", "id command size flags error"),
    "version": ("HH", "major minor"),
    "dma_map": ("IIQQQ", "argsz flags offset addr size"),
    "dma_unmap": ("IIQQ", "argsz flags addr size"),
    "bitmap": ("QQ", "pgsize size"),
    "device_info": ("IIII", "argsz flags num_regions num_irqs"),
    "region_info": ("IIIIQQ", "argsz flags index cap_offset size offset"),
    "cap": ("HHI", "id version next"),
    "area": ("QQ", "offset size"),
    "fd_area": ("QQQII", "offset fd_offset size fd_index pad"),
    "region_io_fds": ("IIII", "argsz flags index count"),
    "sub_region": ("QQIIIIQ", "offset size fd_index type flags shadow_fd_index datamatch"),
    "irq_info": ("IIII", "argsz flags index count"),
    "irq_set": ("IIIII", "argsz flags index start count"),
    "irq_granted": ("II", "argsz count"),
    "region_access": ("QII", "offset region count"),
    "dma_access": ("QQ", "addr count"),
    "old_dma_access": ("QI", "addr count"),
    "write": ("QII8s", "offset region len data"),
    "write_multi": ("Q", "count"),
    "feature": ("II", "argsz flags"),
    "logging_control": ("QII", "page_size num_ranges reserved"),
    "logging_range": ("QQ", "iova length"),
    "logging_report": ("QQQ", "iova length page_size"),
    "mig_data": ("II", "argsz size"),
    "precopy_info": ("IIQQ", "argsz flags initial_bytes dirty_bytes"),
}


class Encoder:
    """Payloads and headers in one byte order."""

    def __init__(self, order="="):
        self.layouts = {name: (struct.Struct(("=" if order == "=" else order) + fmt), fields.split())
                        for name, (fmt, fields) in STRUCTURES.items()}

    # ---- structures ----

    def size(self, name):
        return self.layouts[name][0].size

    def pack(self, name, **values):
        layout, fields = self.layouts[name]
        unknown = set(values) - set(fields)
        assert not unknown, unknown
        empty = {"data": b""}
        return layout.pack(*(values.get(f, empty.get(f, 0)) for f in fields))

    def unpack(self, name, data, at=0):
        layout, fields = self.layouts[name]
        return dict(zip(fields, layout.unpack_from(data, at)))

    # ---- messages ----

    def message(self, id, command, payload=b"", flags=COMMAND, error=0, size=None):
        """A whole message; size may be made to lie."""
        size = self.size("header") + len(payload) if size is None else size
        return self.pack("header", id=id, command=command, size=size, flags=flags, error=error) + payload

    def error(self, id, command, errno):
        return self.message(id, command, flags=REPLY | ERROR, error=errno)

    def header(self, data):
        return self.unpack("header", data)

    # ---- payloads ----

    def version(self, major=0, minor=2, caps=None, raw=None):
        """caps: the dict of capabilities, None for no JSON; raw: bytes in its place."""
        if raw is None:
            raw = b"" if caps is None else json.dumps({"capabilities": caps}).encode() + b"\0"
        return self.pack("version", major=major, minor=minor) + raw

    def decode_version(self, data):
        out = self.unpack("version", data)
        text = data[self.size("version"):]
        assert not text or text.endswith(b"\0") and b"\0" not in text[:-1]
        out["caps"] = json.loads(text[:-1].decode())["capabilities"] if text else None
        return out

    def dma_map(self, addr, size, flags=3, offset=0, argsz=32):
        return self.pack("dma_map", argsz=argsz, flags=flags, offset=offset, addr=addr, size=size)

    def dma_unmap(self, addr, size, flags=0, argsz=24):
        return self.pack("dma_unmap", argsz=argsz, flags=flags, addr=addr, size=size)

    def dma_unmap_bitmap(self, addr, size, pgsize, bitmap_size, argsz=None):
        argsz = 40 + bitmap_size if argsz is None else argsz
        return self.dma_unmap(addr, size, 1, argsz) + self.pack("bitmap", pgsize=pgsize, size=bitmap_size)

    def device_info(self, argsz=16, flags=0, num_regions=0, num_irqs=0):
        return self.pack("device_info", argsz=argsz, flags=flags, num_regions=num_regions, num_irqs=num_irqs)

    def region_info(self, argsz=None, flags=0, index=0, size=0, offset=0, caps=()):
        """caps: (id, body) each; they are chained in this order, each at a multiple of 8."""
        at, chain = self.size("region_info"), b""
        for n, (id, body) in enumerate(caps):
            length = self.size("cap") + len(body)
            end = at + len(chain) + length
            pad = -end % 8 if n + 1 < len(caps) else 0
            chain += self.pack("cap", id=id, version=1, next=end + pad if n + 1 < len(caps) else 0) + body
            chain += bytes(pad)
        argsz = at + len(chain) if argsz is None else argsz
        return self.pack("region_info", argsz=argsz, flags=flags | (8 if caps else 0), index=index,
                         cap_offset=at if caps else 0, size=size, offset=offset) + chain

    def decode_region_info(self, data):
        out = self.unpack("region_info", data)
        out["caps"], at = [], out["cap_offset"]
        while at:
            cap = self.unpack("cap", data, at)
            out["caps"].append((cap["id"], at + self.size("cap")))
            at = cap["next"]
        return out

    def sparse(self, areas):
        """The body of SPARSE_MMAP; areas: (offset, size)."""
        body = self.pack("feature", argsz=len(areas))  # nr_areas, reserved: two u32
        return body + b"".join(self.pack("area", offset=o, size=s) for o, s in areas)

    def sparse_fds(self, areas):
        """The body of SPARSE_MMAP_FDS; areas: (offset, fd_offset, size, fd_index)."""
        body = self.pack("feature", argsz=len(areas))
        return body + b"".join(self.pack("fd_area", offset=o, fd_offset=f, size=s, fd_index=i)
                               for o, f, s, i in areas)

    def region_io_fds(self, index, subs=(), count=None, argsz=None, entry_size=40):
        body = b""
        for sub in subs:
            entry = self.pack("sub_region", **sub)
            body += entry + bytes(entry_size - len(entry))
        argsz = 16 + len(body) if argsz is None else argsz
        count = len(subs) if count is None else count
        return self.pack("region_io_fds", argsz=argsz, index=index, count=count) + body

    def irq_info(self, index, argsz=16, flags=0, count=0):
        return self.pack("irq_info", argsz=argsz, flags=flags, index=index, count=count)

    def irq_set(self, index, flags, start=0, count=1, data=b"", argsz=None):
        argsz = 20 + len(data) if argsz is None else argsz
        return self.pack("irq_set", argsz=argsz, flags=flags, index=index, start=start, count=count) + data

    def irq_granted(self, count):
        return self.pack("irq_granted", argsz=8, count=count)

    def region_access(self, offset, region, count, data=b""):
        return self.pack("region_access", offset=offset, region=region, count=count) + data

    def dma_access(self, addr, count, data=b""):
        return self.pack("dma_access", addr=addr, count=count) + data

    def old_dma_access(self, addr, count, data=b""):
        """As QEMU's client had it up to 10.2: the count in 32 bits, and four bytes of padding at the end."""
        return self.pack("old_dma_access", addr=addr, count=count) + data + bytes(4)

    def write_multi(self, writes):
        """writes: (offset, region, data) each."""
        return self.pack("write_multi", count=len(writes)) + b"".join(
            self.pack("write", offset=o, region=r, len=len(d), data=d) for o, r, d in writes)

    def write_multi_reply(self, count):
        return self.pack("write_multi", count=count)

    def feature(self, flags, data=b"", argsz=None):
        return self.pack("feature", argsz=8 + len(data) if argsz is None else argsz, flags=flags) + data

    def logging_start(self, page_size, ranges):
        return self.pack("logging_control", page_size=page_size, num_ranges=len(ranges)) + b"".join(
            self.pack("logging_range", iova=i, length=n) for i, n in ranges)

    def logging_report(self, iova, length, page_size, bitmap=b""):
        return self.pack("logging_report", iova=iova, length=length, page_size=page_size) + bitmap

    def mig_data(self, size, data=b"", argsz=None):
        return self.pack("mig_data", argsz=8 + size if argsz is None else argsz, size=size) + data

    def precopy_info(self, flags=0, initial_bytes=0, dirty_bytes=0, argsz=24):
        return self.pack("precopy_info", argsz=argsz, flags=flags, initial_bytes=initial_bytes,
                         dirty_bytes=dirty_bytes)


class Client:
    """One end of a connection: whole messages, descriptors included."""

    def __init__(self, sock, encoder=None):
        self.sock = sock
        self.encoder = encoder or Encoder()

    @classmethod
    def connect(cls, path, timeout=10, encoder=None):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return cls(sock, encoder)

    def close(self):
        self.sock.close()

    def send_bytes(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.sock.sendmsg([data], rights)
        self.sock.sendall(data[sent:])

    def send(self, id, command, payload=b"", flags=COMMAND, fds=(), **lies):
        self.send_bytes(self.encoder.message(id, command, payload, flags, **lies), fds)

    def _exactly(self, count, fds):
        data = b""
        while len(data) < count:
            part, control, _, _ = self.sock.recvmsg(count - len(data), socket.CMSG_SPACE(253 * 4))
            for level, kind, body in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds += array.array("i", body[:len(body) // 4 * 4])
            if not part:
                raise ConnectionError("closed after %d of %d bytes" % (len(data), count))
            data += part
        return data

    def recv(self):
        """(header as a dict, payload, descriptors, which the caller owns)."""
        fds = []
        header = self.encoder.header(self._exactly(self.encoder.size("header"), fds))
        payload = self._exactly(header["size"] - self.encoder.size("header"), fds)
        return header, payload, fds

    def ask(self, id, command, payload=b"", fds=()):
        self.send(id, command, payload, fds=fds)
        return self.recv()
