#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files of this folder: an image with the header of a VanMoof battery, version 1.18.1, signed (minisign) with a key that is
forgotten at once."""
import os
import struct
import subprocess

LENGTH = 8192


def crc(words):
    value = 0xFFFFFFFF
    for word in words:
        value ^= word
        for _ in range(32):
            value = ((value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


image = bytearray((i * 7 + (i >> 8)) & 0xFF for i in range(LENGTH))
image[0:16] = struct.pack("<IIII", 0xAA55AA55, 0x011801B1, 0xFFFFFFFF, 0xFFFFFFFF)
image[16:40] = b"2026-07-01".ljust(12, b"\0") + b"12:00:00".ljust(12, b"\0")
image[40:48] = struct.pack("<II", 0x20005000, 0x08005101)
image[8:16] = struct.pack("<II", crc(struct.unpack("<%dI" % (LENGTH // 4), image)), LENGTH)
open("firmware.bin", "wb").write(image)
subprocess.run(["minisign", "-G", "-W", "-f", "-p", "maker.pub", "-s", "maker.sec"], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["minisign", "-S", "-W", "-s", "maker.sec", "-m", "firmware.bin", "-t", "of a maker"], check=True)
os.remove("maker.sec")
