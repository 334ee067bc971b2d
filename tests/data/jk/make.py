#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the files of this folder: an image with JK's header, its container (openssl, zlib) and one whose time is over; what is
inside is signed (minisign) with a key that is forgotten at once."""
import os
import shutil
import struct
import subprocess
import zlib

KEY = bytes(range(32)).hex()
image = bytearray((i * 31 + (i >> 8) * 7) & 0xFF for i in range(9000))
image[0:8] = struct.pack("<II", 0x20005000, 0x08002145)
image[0x200:0x264] = bytes(0x64)
for at, text in (0x200, b"15.42"), (0x210, b"2025-03-14"), (0x230, b"10:11:12"), (0x250, b"JK_PB2A16S20P"):
    image[at:at + len(text)] = text
image[0x260:0x264] = b"\xff" * 4
open("firmware.bin", "wb").write(image)
for name, hours in ("firmware.jkbms", 0), ("limited.jkbms", 24):
    plain = bytes(image) + struct.pack("<qi", 1500000000000, hours)
    box = struct.pack("<I", len(plain)) + zlib.compress(plain)
    subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", KEY, "-iv", "0" * 32, "-out", name], input=box, check=True)

subprocess.run(["minisign", "-G", "-W", "-f", "-p", "maker.pub", "-s", "maker.sec"], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["minisign", "-S", "-W", "-s", "maker.sec", "-m", "firmware.bin", "-t", "of a maker"], check=True)
os.remove("maker.sec")
shutil.copy("firmware.bin.minisig", "firmware.jkbms.minisig")
