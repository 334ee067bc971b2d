#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands for MCUboot's imgtool where that is not installed: "sign" for Ed25519, written from the image format. It takes no
option that imgtool does not have."""
import argparse
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import uuid


def bytes_of(path):
    with open(path, "rb") as f:
        data = f.read()
    if not data.startswith(b":"):
        return data
    memory, base = {}, 0
    for row in data.split():
        raw = bytes.fromhex(row[1:].decode())
        count, at, kind = raw[0], raw[1] << 8 | raw[2], raw[3]
        if kind == 0:
            memory.update({base + at + i: raw[4 + i] for i in range(count)})
        elif kind in (2, 4):
            base = int.from_bytes(raw[4:6], "big") << (4 if kind == 2 else 16)
    low, high = min(memory), max(memory)
    return bytes(memory.get(at, 0xFF) for at in range(low, high + 1))


def tlv(kind, value):
    return struct.pack("<HH", kind, len(value)) + value


def openssl(*words, **kwargs):
    return subprocess.run(["openssl", *words], check=True, stdout=subprocess.PIPE, **kwargs).stdout


def main():
    number = lambda text: int(text, 0)  # noqa: E731
    parser = argparse.ArgumentParser()
    sign = parser.add_subparsers(required=True).add_parser("sign")
    sign.add_argument("-k", "--key", required=True)
    sign.add_argument("-H", "--header-size", type=number, required=True)
    sign.add_argument("--pad-header", action="store_true", required=True)
    sign.add_argument("--align", type=number, choices=(1, 2, 4, 8, 16, 32))
    sign.add_argument("-S", "--slot-size", type=number, required=True)
    sign.add_argument("-v", "--version", required=True)
    sign.add_argument("-s", "--security-counter", type=number)
    sign.add_argument("--vid")
    sign.add_argument("--cid")
    sign.add_argument("infile")
    sign.add_argument("outfile")
    o = parser.parse_args()
    payload = bytes_of(o.infile)
    vid = uuid.uuid5(uuid.NAMESPACE_DNS, o.vid)
    rows = tlv(0x50, struct.pack("<I", o.security_counter)) + tlv(0x74, vid.bytes) + tlv(0x75, uuid.uuid5(vid, o.cid).bytes)
    protected = struct.pack("<HH", 0x6908, 4 + len(rows)) + rows
    numbers, build = o.version.split("+")
    major, minor, patch = (int(n) for n in numbers.split("."))
    header = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, o.header_size, len(protected), len(payload), 0, major, minor, patch,
                         int(build), 0).ljust(o.header_size, b"\0")
    signed = header + payload + protected
    digest = hashlib.sha256(signed).digest()
    public = openssl("pkey", "-in", o.key, "-pubout", "-outform", "DER")
    with tempfile.NamedTemporaryFile() as f:
        f.write(digest)
        f.flush()
        signature = openssl("pkeyutl", "-sign", "-inkey", o.key, "-rawin", "-in", f.name)
    rows = tlv(0x10, digest) + tlv(0x01, hashlib.sha256(public).digest()) + tlv(0x24, signature)
    image = signed + struct.pack("<HH", 0x6907, 4 + len(rows)) + rows
    if len(image) > o.slot_size:
        sys.exit("image is larger than the slot")
    with open(o.outfile, "wb") as f:
        f.write(image)


if __name__ == "__main__":
    os.umask(0o022)
    main()
