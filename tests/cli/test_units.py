#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Units that people have, from outside: JK (Modbus and XMODEM) and VanMoof (Modbus), with their own profiles. All five commands."""
import os
import select
import shlex
import subprocess
import unittest

import common
import test_modbus

PROFILES = os.path.join(common.ROOT, "data", "profiles")
JK_DATA, VANMOOF_DATA = os.path.join(common.DATA, "jk"), os.path.join(common.DATA, "vanmoof")
JK, VANMOOF = os.path.join(JK_DATA, "firmware.bin"), os.path.join(VANMOOF_DATA, "firmware.bin")
WITHOUT = "single-bank,no-backup"
ARM = "011016260001"
CONTAINER_KEY = bytes(range(32))


class Units(common.Case):
    def pack(self, model, *keys):
        return ",".join([f"sim:model={model}", f"state={self.path('pack.flash')}", *keys])

    def trace(self):
        with open(self.path("trace"), encoding="utf-8") as f:
            return f.read()

    def job(self, command, pack, *words, profile="jk-pb.ini"):
        if os.path.exists(self.path("trace")):
            os.remove(self.path("trace"))
        return self.run_json(command, "--if", pack, "--profile", os.path.join(PROFILES, profile), "--trace", self.path("trace"),
                             *words)


@unittest.skipUnless({"modbus", "xmodem"} <= set(common.PROTOCOLS) and common.SIM, "built without Modbus, XMODEM or the virtual pack")
class Jk(Units):
    def flash(self, pack, *words, image=JK, allow=WITHOUT, **kwargs):
        return self.job("flash", pack, "--key", os.path.join(JK_DATA, "maker.pub"), "--allow", allow, *words, image, **kwargs)

    def refused(self, run, status, word):
        self.expect(run, status)
        self.assertIn(word, run.out)
        self.assertNotIn(ARM, self.trace(), "the unit was sent into its bootloader")

    def test_probe_tells_who_it_is(self):
        for model, banner in ("jk", "2.0.4"), ("jk202", "2.0.2"):
            run = self.job("probe", f"sim:model={model}")
            self.expect(run, 0)
            device = run.of("device")[0]
            self.assertEqual((device["model"], device["hardware"], device["version"]), ("JK_PB2A16S20P", "15A", "15.41.0"), banner)
            self.assertNotIn(ARM, self.trace())

    def test_what_cannot_be_done_is_refused_and_does_not_stop_the_firmware(self):
        pack = self.pack("jk")
        self.refused(self.job("backup", pack, "-o", self.path("a.tar")), 33, "cannot read back")
        self.refused(self.job("verify", pack, "--key", os.path.join(JK_DATA, "maker.pub"), JK), 33, "what it holds")
        self.refused(self.job("rollback", pack), 33, "no previous firmware")
        self.assertFalse(os.path.exists(self.path("a.tar")))

    def test_a_flash_without_a_way_back_is_asked_for(self):
        pack = self.pack("jk")
        self.refused(self.job("flash", pack, "--key", os.path.join(JK_DATA, "maker.pub"), JK), 33, "--allow single-bank")

    def test_a_flash_is_proven_by_modbus_and_the_same_version_is_asked_for(self):
        for model in "jk", "jk202":
            pack = f"sim:model={model},state={self.path(model)}"
            run = self.flash(pack)
            self.expect(run, 0)
            self.assertEqual(run.result["state"], "new-proven")
            self.assertIn(ARM, self.trace())
            warnings = " ".join(e["text"] for e in run.of("warning"))
            self.assertIn("checks nothing", warnings)
            self.assertIn("BOOT0", warnings)
            self.assertEqual(self.job("probe", pack).of("device")[0]["version"], "15.42.0")
            self.refused(self.flash(pack), 23, "above 15.42.0")
            self.expect(self.flash(pack, allow=WITHOUT + ",downgrade"), 0)

    def test_another_model_or_hardware_is_refused(self):
        self.refused(self.flash("sim:model=jk,class=JK_PB1A16S15P"), 22, "JK_PB1A16S15P")
        self.refused(self.flash("sim:model=jk,version=14.41"), 22, "14")

    def test_a_pack_that_is_not_idle_is_not_touched(self):
        for key in "current=5", "soc=10", "alarms=1":
            with self.subTest(key):
                self.refused(self.flash("sim:model=jk," + key), 30, "alarms" if "alarms" in key else "")
        self.expect(self.flash("sim:model=jk,alarms=0x10"), 0)  # only a hint

    def test_a_container_is_opened_with_a_key_that_its_owner_names(self):
        box = os.path.join(JK_DATA, "firmware.jkbms")
        self.refused_file(self.flash("sim:model=jk", image=box))
        for name, key in ("right", CONTAINER_KEY), ("wrong", CONTAINER_KEY[::-1]):
            with open(self.path(name), "wb") as f:
                f.write(key)
            with open(os.path.join(PROFILES, "jk-pb.ini"), encoding="utf-8") as f:
                text = f.read()
            with open(self.path(name + ".ini"), "w", encoding="utf-8") as f:
                f.write(text + f"\n[image]\ncontainer-key-file = {self.path(name)}\n")
        self.expect(self.flash("sim:model=jk", image=box, profile=self.path("right.ini")), 0)
        self.refused_file(self.flash("sim:model=jk", image=box, profile=self.path("wrong.ini")))

    def refused_file(self, run):
        self.expect(run, 20)
        self.assertFalse(run.of("device"))

    def test_one_that_was_cut_comes_back_into_its_bootloader_and_is_written_again(self):
        pack = self.pack("jk")
        run = self.flash(pack + ",cutop=700")
        self.expect(run, 42)
        self.assertIn("BOOT0", run.result["error"]["do"])
        run = self.job("probe", pack)
        self.expect(run, 0)
        self.assertTrue(run.of("device")[0]["in_bootloader"])
        self.expect(self.flash(pack), 22)  # it does not tell its model any more
        run = self.flash(pack, allow=WITHOUT + ",no-hardware")
        self.expect(run, 0)
        self.assertEqual(self.job("probe", pack).of("device")[0]["version"], "15.42.0")

    @unittest.skipUnless("stm32" in common.PROTOCOLS, "built without stm32")
    def test_a_dead_one_is_written_through_its_chip_by_the_command_that_is_printed(self):
        pack = self.pack("jk202")
        self.expect(self.flash(pack + ",cutop=700"), 42)
        for words in (), ("--rescue",):
            run = self.flash(pack, *words)
            self.expect(run, 12)
            self.assertIn("BOOT0", run.result["error"]["do"])
            words = shlex.split(run.result["error"]["next"])
            self.assertIn("--rescue", words)
        # Somebody holds BOOT0 and types it.
        words[words.index(pack)] = pack + ",boot0=hand"
        run = self.run_json(*words[1:])
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        self.assertEqual(self.job("probe", pack).of("device")[0]["version"], "15.42.0")


@unittest.skipUnless("vanmoof" in common.PROTOCOLS and common.SIM, "built without VanMoof or the virtual pack")
class VanMoof(Units):
    def vanmoof(self, command, pack, *words):
        return self.job(command, pack, *words, profile="vanmoof-s3.ini")

    def test_the_five_commands(self):
        pack, key = self.pack("vanmoof"), ("--key", os.path.join(VANMOOF_DATA, "maker.pub"))
        run = self.vanmoof("probe", pack)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[0]["model"], "VM13-147")
        for command, words, say in (("backup", ["-o", self.path("a.tar")], "cannot read back"),
                                    ("verify", [*key, VANMOOF], "what it holds"),
                                    ("rollback", [], "no previous firmware")):
            run = self.vanmoof(command, pack, *words)
            self.expect(run, 33)
            self.assertIn(say, run.out)
        run = self.vanmoof("flash", pack, *key, VANMOOF)
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        self.assertEqual(self.vanmoof("probe", pack).of("device")[0]["version"], "1.18.0")

    def test_the_old_firmware_runs_until_the_new_one_is_complete(self):
        pack, key = self.pack("vanmoof"), ("--key", os.path.join(VANMOOF_DATA, "maker.pub"))
        self.expect(self.vanmoof("flash", pack + ",cutop=300", *key, VANMOOF), 13)
        self.assertEqual(self.vanmoof("probe", pack).of("device")[0]["version"], "1.17.0")
        self.expect(self.vanmoof("flash", pack, *key, VANMOOF), 0)

    @unittest.skipUnless("stm32" in common.PROTOCOLS, "built without stm32")
    def test_one_without_firmware_is_written_by_the_command_that_is_printed(self):
        pack, key = self.pack("vanmoof", "version=none"), ("--key", os.path.join(VANMOOF_DATA, "maker.pub"))
        run = self.vanmoof("flash", pack, *key, "--allow", "single-bank,no-backup", VANMOOF)
        self.expect(run, 12)
        self.assertIn("PA10", run.result["error"]["do"])
        words = shlex.split(run.result["error"]["next"])
        self.assertIn("--rescue", words)
        # Of its version the last number is not told: nothing could show that it is this one.
        run = self.run_json(*words[1:])
        self.expect(run, 44)
        os.remove(self.path("pack.flash"))
        self.expect(self.run_json(*words[1:], "--allow", "no-proof"), 0)
        self.assertEqual(self.vanmoof("probe", self.pack("vanmoof")).of("device")[0]["version"], "1.18.0")


READER = """
import sys
from pymodbus.client import ModbusSerialClient
c = ModbusSerialClient(port=sys.argv[1], baudrate=115200, timeout=1, retries=10)
assert c.connect()
def ask(first, n):  # a busy computer tears frames apart, and a torn one gets no answer
    for _ in range(20):
        r = c.read_holding_registers(first, n, slave=1)
        if type(r).__name__ != "ModbusIOException":
            return r
    raise r
def text(first, n):
    raw = b"".join(r.to_bytes(2, "big") for r in ask(first, n).registers)
    return raw.split(b"\\0")[0].decode()
print(text(0x1400, 8), text(0x1410, 4), text(0x1418, 4), text(0x1450, 8), sep="|")
print(ask(0x1290, 2).registers[1] // 1000)
print(ask(0x3000, 1).exception_code)
"""


@unittest.skipUnless(test_modbus.PYTHON, "python3-pymodbus is not installed")
@unittest.skipUnless({"modbus", "xmodem"} <= set(common.PROTOCOLS) and common.SIM and "rs485" in common.TRANSPORTS,
                     "built without Modbus, XMODEM or serial lines")
class Judged(common.OnPty):
    def test_pymodbus_reads_the_registers_of_the_virtual_unit(self):
        port = self.serve("model=jk", "deaf=0", "--any-rate")  # pymodbus does not wait after an answer
        done = subprocess.run([test_modbus.PYTHON, "-c", READER, port], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = done.stdout.split("\n")
        self.assertEqual(told[0].split("|")[:3], ["JK_PB2A16S20P", "15A", "15.41"])
        self.assertEqual(told[1:3], ["52", "2"])

    def test_the_profile_reads_a_unit_that_pymodbus_serves(self):
        server = subprocess.Popen([test_modbus.PYTHON, test_modbus.SERVER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(lambda: (server.terminate(), server.wait(20), server.stdout.close()))
        self.assertTrue(select.select([server.stdout], [], [], 30)[0], "the server said nothing")
        port = server.stdout.readline().strip()
        run = self.run_json("probe", "--if", port, "--profile", os.path.join(PROFILES, "jk-pb.ini"), "--node", "7", "--wait", "10s")
        self.expect(run, 0)
        device = run.of("device")[0]
        self.assertEqual((device["model"], device["version"], device["serial"]), ("PACK-16S", "15.41.0", "SN 42"))


if __name__ == "__main__":
    common.main()
