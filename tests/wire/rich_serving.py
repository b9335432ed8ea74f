# SPDX-License-Identifier: BSD-3-Clause
"""The device of tests/wire/rich, served: its registers, and the process under test."""

import os
import struct

from serving import Serving
from session import GET_REGION_IO_FDS

RICH = os.environ.get("VFIOKIT_RICH", "")

(SCRATCH, LOG_PUT, LOG_GET, POSTED, BROKEN, GRANTED, FAIL_AT, ARMED, UNMASKED, FIRE, ENABLED) = (
    0x04, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34)
STREAM_LEFT, STREAM_STEP, STREAM_TAKEN, STREAM_SUM, PRECOPY = 0x38, 0x3c, 0x40, 0x44, 0x48
VECTORS = 2048


class Rich(Serving):
    """It has no MSI."""

    def __init__(self, options=(), device="rich"):
        super().__init__(device, options, program=RICH)

    def warm_up(self):
        session = self.client()
        for fd in session.ask(GET_REGION_IO_FDS, struct.pack("=IIII", 4096, 0, 0, 0)).fds:
            os.close(fd)
        session.close()
        self.settle()
