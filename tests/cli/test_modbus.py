#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The family `modbus` against a Modbus server of somebody else (python3-pymodbus), over a pseudo-terminal."""
import os
import select
import subprocess
import sys
import unittest

import common

SERVER = os.path.join(common.TESTS, "cli", "modbus_server.py")


def python_with_pymodbus():
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and subprocess.run(
                [python, "-c", "import pymodbus.server, serial_asyncio"], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    return None


PYTHON = python_with_pymodbus()

PROFILE = """
[pack]
protocol = modbus
[telemetry]
source = application
[modbus]
node = 7
table = holding
turnaround-ms = 5
turnaround-max-ms = 40
attempts = 4
model = 0x1400 text 15
hardware = 0x1410 text 8
version = 0x1418 text 8
serial = 0x1450 text 16
[quantity pack-voltage]
register = 0x1290
[quantity current]
register = 0x1298
[quantity soc]
register = 0x12A6
offset = 1
width = 1
scale = 1
[quantity cell-voltage]
register = 0x1200
count = 16
[quantity temperature]
did = 0
[quantity balancing]
did = 0
"""


@unittest.skipUnless(PYTHON, "python3-pymodbus is not installed")
@unittest.skipUnless("modbus" in common.PROTOCOLS and "rs485" in common.TRANSPORTS, "built without Modbus")
class Modbus(common.Case):
    def serve(self, *words):
        server = subprocess.Popen([PYTHON, SERVER, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(self.stop, server)
        ready, _, _ = select.select([server.stdout], [], [], 30)
        self.assertTrue(ready, "the server said nothing")
        self.server = server
        return common.untroubled(server.stdout.readline().strip())

    def stop(self, server):
        server.terminate()
        server.wait(20)
        server.stdout.close()

    def profile(self, more=""):
        path = self.path("profile.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(PROFILE + more)
        return path

    def probe(self, port, profile, *words):
        return self.run_json("probe", "--if", port, "--profile", profile, "--wait", "10s", *words)

    def test_the_pack_says_who_it_is_and_what_it_measures(self):
        port = self.serve()
        run = self.probe(port, self.profile())
        self.expect(run, 0)
        device = run.of("device")[0]
        self.assertEqual(device["model"], "PACK-16S")
        self.assertEqual(device["serial"], "SN 42")
        self.assertEqual(device["version"], "15.41.0")
        measure = run.of("measure")[0]
        self.assertEqual(measure["state_of_charge_percent"], 55)
        self.assertAlmostEqual(measure["pack_voltage_v"], 52.8)
        self.assertAlmostEqual(measure["current_a"], -0.5)
        self.assertAlmostEqual(measure["cell_voltages_v"][15], 3.315)

    def test_versions_in_numbers_are_versions(self):
        port = self.serve()
        for where, version in (("0x1000 u16", "2.5.0"), ("0x1010 bcd 3", "2.7.1"), ("0x1010 binary 2", "2.7.0"),
                               ("0x12A6 number 2", "311.0.0")):
            with self.subTest(where):
                text = PROFILE.replace("version = 0x1418 text 8", "version = " + where)
                with open(self.path("v.ini"), "w", encoding="utf-8") as f:
                    f.write(text)
                run = self.probe(port, self.path("v.ini"))
                self.expect(run, 0)
                told = run.of("device")[0].get("version")
                # a part of more than a byte is no version
                self.assertEqual(told, None if version.startswith("311") else version)

    def test_a_pack_that_only_speaks_modbus_is_not_written(self):
        port = self.serve()
        run = self.run_json("flash", "--if", port, "--profile", self.profile(), "--key", common.KEY,
                            common.image("app-1.5.0.signed.bin"), "--allow", "no-hardware")
        self.assertEqual(run.status, 33, run.result)
        self.assertIn("no 'loader'", run.result["error"]["cause"])

    def test_another_node_is_nobody(self):
        port = self.serve()
        run = self.run_json("probe", "--if", port, "--profile", self.profile(), "--node", "9")
        self.assertEqual(run.status, 12)


if __name__ == "__main__":
    common.main()
