#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Modbus RTU server of somebody else (pymodbus) on a pseudo-terminal: registers of a pack. Prints the port, then each
write as `write REGISTER VALUE...`."""
import asyncio
import os
import pty
import sys
import tty

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartAsyncSerialServer
from pymodbus.transaction import ModbusRtuFramer


class Registers(ModbusSequentialDataBlock):
    def setValues(self, address, values):
        # 1 is added by the library
        print("write", address - 1, *values, flush=True)
        super().setValues(address, values)


def text(registers, at, words, value):
    raw = value.encode().ljust(2 * words, b"\0")
    for i in range(words):
        registers[at + i] = raw[2 * i] << 8 | raw[2 * i + 1]


def pack():
    registers = [0] * 0x1700
    text(registers, 0x1400, 8, "PACK-16S")
    text(registers, 0x1410, 4, "15A")
    text(registers, 0x1418, 4, "15.41")
    text(registers, 0x1450, 8, "SN 42")
    for cell in range(16):
        registers[0x1200 + cell] = 3300 + cell
    registers[0x1290:0x1292] = [0, 52800]
    registers[0x1298:0x129A] = [0xFFFF, 0xFE0C]
    registers[0x12A6] = 0x0137
    registers[0x1000] = 0x0205
    registers[0x1010:0x1012] = [0x0207, 0x0199]
    if len(sys.argv) > 1:
        registers[0x12A0:0x12A2] = [0, int(sys.argv[1], 0)]
    return registers


async def main():
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    server, client = pty.openpty()
    tty.setraw(server)
    tty.setraw(client)

    def carry(one, other):
        os.write(other, os.read(one, 4096))

    loop = asyncio.get_running_loop()
    loop.add_reader(ours, carry, ours, server)
    loop.add_reader(server, carry, server, ours)
    print(os.ttyname(theirs), flush=True)
    slave = ModbusSlaveContext(hr=Registers(1, pack()), ir=Registers(1, pack()))
    await StartAsyncSerialServer(ModbusServerContext(slaves={7: slave}, single=False), framer=ModbusRtuFramer,
                                 port=os.ttyname(client), baudrate=115200)


asyncio.run(main())
