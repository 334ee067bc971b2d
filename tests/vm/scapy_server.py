#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""scapy_server.py INTERFACE: scapy's answering machine as a pack that knows little more than the standard's own
identifiers, over the kernel's ISO-TP."""
import sys
import threading

from scapy.contrib.automotive.ecu import EcuAnsweringMachine, EcuResponse, EcuState
from scapy.contrib.automotive.uds import UDS, UDS_DSCPR, UDS_RDBIPR, UDS_TPPR
from scapy.contrib.isotp import ISOTPNativeSocket
from scapy.packet import Raw

IDENTITY = {
    0xF187: b"ANSWER-1",
    0xF189: b"4.2.1",
    0xF18A: b"scapy.example",
    0xF18C: b"SCAPY-0042",
    0xF191: b"R1",
}


def anywhere():
    return EcuState(session=range(1, 4))


def main(interface):
    answers = [EcuResponse(anywhere(), responses=UDS() / UDS_DSCPR(diagnosticSessionType=n) / Raw(b"\0\x32\x01\xf4"))
               for n in (1, 2, 3)]
    answers += [EcuResponse(anywhere(), responses=UDS() / UDS_RDBIPR(dataIdentifier=did) / Raw(text))
                for did, text in IDENTITY.items()]
    answers.append(EcuResponse(anywhere(), responses=UDS() / UDS_TPPR()))
    sock = ISOTPNativeSocket(interface, tx_id=0x7E8, rx_id=0x7E0, padding=True, basecls=UDS)
    machine = EcuAnsweringMachine(supported_responses=answers, main_socket=sock, basecls=UDS, timeout=60)
    threading.Timer(0.2, lambda: print("ready", flush=True)).start()
    machine()


main(*sys.argv[1:])
