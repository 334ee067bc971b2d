#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the two images of this folder, which depend on each other, and their public key: make.py FOLDER.

The key is made of a text that everybody may read: packs trust it in tests alone. Needs python3-cryptography."""
import base64
import hashlib
import os
import struct
import sys
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY = Ed25519PrivateKey.from_private_bytes(b"the key of a pair, no secret ...")
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
HEADER, BODY = 512, 6000


def tlv(kind, data):
    return struct.pack("<HH", kind, len(data)) + data


def make(number, other, version):
    vid = uuid.uuid5(uuid.NAMESPACE_DNS, "bms.example")
    text = f"bms-16s demo application {'.'.join(map(str, version))}"
    body = struct.pack("<II", 0x20010000, 0x08010000 + HEADER + 0x101) + text.encode() + b"\0"
    noise = hashlib.shake_256(f"image {number}".encode()).digest(BODY - len(body))
    need = struct.pack("<B3xBBHI", other, *version, 0)
    protected = (tlv(0x50, struct.pack("<I", 5)) + tlv(0x74, vid.bytes) +
                 tlv(0x75, uuid.uuid5(vid, "BMS-16S-R3").bytes) + tlv(0x40, need))
    protected = struct.pack("<HH", 0x6908, len(protected) + 4) + protected
    head = struct.pack("<IIHHIIBBHI", 0x96F3B83D, 0, HEADER, len(protected), BODY, 0, *version, 0)
    signed = head.ljust(HEADER, b"\0") + body + noise + protected
    digest = hashlib.sha256(signed).digest()
    rest = tlv(0x10, digest) + tlv(0x01, hashlib.sha256(SPKI).digest()) + tlv(0x24, KEY.sign(digest))
    return signed + struct.pack("<HH", 0x6907, len(rest) + 4) + rest


folder = sys.argv[1]
for number, other in ((0, 1), (1, 0)):
    with open(os.path.join(folder, f"image-{number}.bin"), "wb") as f:
        f.write(make(number, other, (1, 5, 0)))
with open(os.path.join(folder, "pair.pub.pem"), "w", encoding="ascii") as f:
    f.write(f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(SPKI).decode()}\n-----END PUBLIC KEY-----\n")
print("trust =", SPKI[12:].hex())
