#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""scapy_client.py INTERFACE IMAGE: a whole update of the virtual pack by scapy's UDS layer and the kernel's
ISO-TP, as bmsflash-uds(7) describes it. Nothing of bmsflash takes part."""
import struct
import sys
import time

from scapy.contrib.automotive.uds import (UDS, UDS_DSC, UDS_ER, UDS_RC, UDS_RD, UDS_RDBI, UDS_RTE, UDS_TD,
                                          UDS_TP)
from scapy.contrib.isotp import ISOTPNativeSocket
from scapy.packet import Raw

PENDING = 0x78
ERASE, CHECK, ACTIVATE, CONFIRM = 0xFF00, 0xFF01, 0xF0B1, 0xF0B2
assert UDS_RTE


class Refused(Exception):
    pass


def ask(sock, request, patience=5.0):
    """The answer to a request; waits while the pack says that it is pending."""
    sock.send(request)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not sock.select([sock], 0.5):
            continue
        answer = sock.recv()
        if answer.service != 0x7F:
            assert answer.service == request.service + 0x40, answer.summary()
            return answer
        if answer.negativeResponseCode != PENDING:
            raise Refused(f"{request.summary()}: {answer.sprintf('%UDS_NR.negativeResponseCode%')}")
    raise Refused(f"{request.summary()}: no answer in {patience} s")


def read(sock, did):
    payload = bytes(ask(sock, UDS() / UDS_RDBI(identifiers=[did])))
    assert payload[:3] == struct.pack(">BH", 0x62, did), payload
    return payload[3:]


def routine(sock, rid, option=b""):
    answer = bytes(ask(sock, UDS() / UDS_RC(routineControlType=1, routineIdentifier=rid) / Raw(option), 20))
    assert answer[:4] == struct.pack(">BBH", 0x71, 1, rid) and answer[4] == 0, answer.hex()


def session(sock, number):
    assert ask(sock, UDS() / UDS_DSC(diagnosticSessionType=number)).diagnosticSessionType == number


def spare_slot(sock):
    """Address and erase unit of slot 1, from the memory map (DID FD03)."""
    regions = struct.iter_unpack(">BBBIIIH8s", read(sock, 0xFD03)[1:])
    return next((address, unit) for kind, slot, _, address, _, unit, _, _ in regions if (kind, slot) == (0, 1))


def download(sock, address, image):
    grant = ask(sock, UDS() / UDS_RD(dataFormatIdentifier=0, memoryAddressLen=4, memorySizeLen=4,
                                     memoryAddress4=address, memorySize4=len(image)))
    step = int.from_bytes(grant.maxNumberOfBlockLength, "big") - 2
    for number, at in enumerate(range(0, len(image), step), 1):
        counter = number & 0xFF
        block = UDS_TD(blockSequenceCounter=counter, transferRequestParameterRecord=image[at:at + step])
        assert ask(sock, UDS() / block).blockSequenceCounter == counter
    ask(sock, UDS(service=0x37))


def main(interface, path):
    with open(path, "rb") as f:
        image = f.read()
    sock = ISOTPNativeSocket(interface, tx_id=0x7E0, rx_id=0x7E8, padding=True, basecls=UDS)
    assert read(sock, 0xF189) == b"1.3.0"
    ask(sock, UDS() / UDS_TP())
    session(sock, 3)
    address, unit = spare_slot(sock)
    session(sock, 2)
    size = -(-len(image) // unit) * unit
    routine(sock, ERASE, struct.pack(">BII", 0x44, address, size))
    download(sock, address, image)
    routine(sock, CHECK)
    routine(sock, ACTIVATE, b"\x01")
    ask(sock, UDS() / UDS_ER(resetType=1))
    for _ in range(20):
        time.sleep(0.3)
        try:
            if read(sock, 0xF189) == b"1.5.0":
                break
        except Refused:
            pass
    session(sock, 3)
    session(sock, 2)
    routine(sock, CONFIRM)


main(*sys.argv[1:])
