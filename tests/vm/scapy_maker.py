#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""scapy_maker.py INTERFACE MODEL IMAGE: the virtual bootloader of a maker's specification, flashed step by step by scapy's UDS
layer over the kernel's ISO-TP, as bmsflash-maker(7) lists the steps. Nothing of bmsflash takes part."""
import struct
import sys
import time
import zlib

from scapy.contrib.automotive.uds import UDS, UDS_TD
from scapy.contrib.isotp import ISOTPNativeSocket

DRIVER = bytes((n * 11 + 3) & 0xFF for n in range(640))
# Identifiers of request and answer, session that is asked for first, how the version 1.3.0 is told.
MODELS = {
    "zhidou": (0x70A, 0x71A, 3, bytes([1, 3, 0])),
    "nxp": (0x784, 0x7F0, 3, b"1.3.0"),
    "vw": (0x7E0, 0x7E8, 3, b"SW1.3.0"),
    "volvo": (0x726, 0x72E, 1, b"1.3.0"),
    "tesla": (0x730, 0x738, 1, b"1.3.0"),
    "geehy": (0x7A0, 0x7A8, 3, b"1.3.0"),
}


def ask(sock, request, patience=20.0):
    """The answer, as bytes; waits while the pack says that it is pending."""
    sock.send(UDS(bytes(request)))
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not sock.select([sock], 0.5):
            continue
        answer = bytes(sock.recv())
        if answer[0] == 0x7F and answer[2] == 0x78:
            continue
        assert answer[0] == bytes(request)[0] + 0x40, (bytes(request)[:16].hex(), answer.hex())
        return answer
    raise TimeoutError(bytes(request)[:16].hex())


def hexed(sock, text):
    return ask(sock, bytes.fromhex(text))


def unlock(sock, level):
    seed = ask(sock, bytes([0x27, level]))[2:]
    ask(sock, bytes([0x27, level + 1]) + bytes(((b ^ 0xA5) + level) & 0xFF for b in seed))


def download(sock, address, data):
    grant = ask(sock, struct.pack(">BBBII", 0x34, 0, 0x44, address, len(data)))
    step = int.from_bytes(grant[2:2 + (grant[1] >> 4)], "big") - 2
    for number, at in enumerate(range(0, len(data), step), 1):
        ask(sock, bytes(UDS() / UDS_TD(blockSequenceCounter=number & 0xFF,
                                       transferRequestParameterRecord=data[at:at + step])))
    ask(sock, b"\x37")
    answer = ask(sock, b"\x31\x01\x02\x01" + struct.pack(">I", zlib.crc32(data)))
    assert answer[:5] == b"\x71\x01\x02\x01\x00", answer.hex()


def flash_zhidou(sock, image):
    for request in ("1003", "31010202", "8502", "280303", "1002"):
        hexed(sock, request)
    unlock(sock, 7)
    download(sock, 0x20000000, DRIVER)
    ask(sock, bytes.fromhex("2ef011261127") + b"SCAPY           ")
    ask(sock, struct.pack(">BBHBII", 0x31, 1, 0xFF00, 0x44, 0x10000, len(image)))
    download(sock, 0x10000, image)
    assert hexed(sock, "3101ff01")[4:] == b"\0"
    hexed(sock, "1101")
    for _ in range(40):
        time.sleep(0.3)
        try:
            if hexed(sock, "22f189")[3:6] == bytes([1, 5, 0]):
                return
        except (AssertionError, TimeoutError):
            pass
    raise AssertionError("1.5.0 did not start")


def main(interface, model, path):
    request, answer, session, version = MODELS[model]
    sock = ISOTPNativeSocket(interface, tx_id=request, rx_id=answer, padding=True, basecls=UDS)
    assert hexed(sock, "3e00") == b"\x7e\0"
    assert ask(sock, bytes([0x10, session]))[1] == session
    told = hexed(sock, "22f189")[3:]
    assert told.startswith(version), (model, told)
    assert hexed(sock, "22f18c")[3:].startswith(b"BX16-")
    if model == "zhidou":
        with open(path, "rb") as f:
            flash_zhidou(sock, f.read())


main(*sys.argv[1:])
