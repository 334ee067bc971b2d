#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SMP: the five commands on both virtual devices, and over a pty."""
import json
import subprocess
import tarfile
import unittest

import common

V14, V15 = common.image("app-1.4.0.signed.bin"), common.image("app-1.5.0.signed.bin")
WITHOUT = ("--allow", "no-hardware,single-bank")


class Smp(common.Case):
    def pack(self, model, *keys):
        return ",".join(["sim:link=rs485,protocol=smp", f"model={model}", f"state={self.path('pack.flash')}", *keys])

    def job(self, command, pack, *words):
        return self.run_json(command, "--if", pack, "--protocol", "smp", *words)

    def test_it_is_asked_when_it_is_named_alone(self):
        run = self.run_json("probe", "--if", self.pack("app"))
        self.expect(run, 12)
        self.assertIn("Not asked: smp", run.out)

    def test_the_application_is_flashed_verified_and_rolled_back(self):
        pack = self.pack("app", "slot1=none")
        run = self.job("probe", pack)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[0]["model"], "BMS-16S-R3")
        self.expect(self.job("flash", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("verify", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("verify", pack, "--key", common.KEY, V14), 40)
        run = self.job("flash", pack, "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertEqual(run.of("summary")[0]["bytes_sent"], 0)

    def test_what_it_tells_is_archived_and_nothing_can_be_restored(self):
        pack, archive = self.pack("app"), self.path("told.tar")
        run = self.job("backup", pack, "-o", archive)
        self.expect(run, 0)
        self.assertIn("cannot be read", run.result["sentence"])
        with tarfile.open(archive) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        self.assertEqual(manifest["regions"], [])
        self.assertEqual(manifest["slots"][0]["version"], "1.3.0")
        self.assertEqual(len(manifest["slots"][0]["digest"]), 64)
        self.expect(self.job("rollback", pack, "--key", common.KEY, "--from", archive), 20)

    def test_before_the_confirmation_a_rollback_is_a_restart(self):
        pack = self.pack("app", "slot1=1.4.0")
        run = self.job("rollback", pack)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[-1]["version"], "1.4.0")

    def test_a_counter_that_moved_leaves_nothing_to_go_back_to(self):
        pack = self.pack("app")
        self.expect(self.job("flash", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("rollback", pack), 41)  # the bootloader refuses it at the restart
        run = self.job("rollback", pack)
        self.expect(run, 33)
        self.assertIn("counter", " ".join(run.result["error"]["likely"]))

    def test_one_way_needs_a_permission(self):
        for mode in ("overwrite", "xip", "ram", "unknown"):
            with self.subTest(mode):
                pack = f"sim:link=rs485,protocol=smp,model=app,swap={mode}"
                self.expect(self.job("flash", pack, "--key", common.KEY, V15), 33)
                self.expect(self.job("flash", pack, "--key", common.KEY, V15, "--allow", "single-bank"), 0)

    def test_an_image_of_another_key_is_refused_by_the_device(self):
        image = common.image("app-1.5.0.otherkey.bin")
        run = self.job("flash", self.pack("recovery"), "--key", common.OTHER_KEY, image, *WITHOUT)
        self.expect(run, 42)  # over the only firmware
        self.assertIn("does not list it", run.result["error"]["cause"])
        self.expect(self.job("flash", "sim:link=rs485,protocol=smp,model=app", "--key", common.OTHER_KEY, image), 41)

    def test_recovery_takes_an_image_and_cannot_show_its_start(self):
        pack = self.pack("recovery")
        run = self.job("flash", pack, "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 44)

    def test_recovery_that_cannot_confirm_says_so(self):
        run = self.job("flash", self.pack("recovery", "smp=direct"), "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 44)
        self.assertIn("cannot confirm it", run.out)
        self.assertIn("on its test boot", " ".join(run.result["error"]["likely"]))

    def test_recovery_and_firmware_that_answers_end_well(self):
        run = self.job("flash", self.pack("both", "smp=direct"), "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 0)

    def test_habits_of_devices(self):
        for keys in ("framing=raw", "smp=noise", "smp=noparams", "quirk=quietreset", "quirk=slow", "duplex=full",
                     "image1=1.4.0", "erase=ahead", "buffers=2,bufsize=512"):
            with self.subTest(keys):
                self.expect(self.job("flash", f"sim:link=rs485,protocol=smp,model=app,{keys}", "--key", common.KEY, V15), 0)

    def test_a_slot_that_waits_for_its_test_boot_is_named(self):
        run = self.job("flash", "sim:link=rs485,protocol=smp,model=app,slot1=1.4.0,pending=test", "--key", common.KEY, V15)
        self.expect(run, 32)
        self.assertIn("waits for its test boot", " ".join(run.result["error"]["likely"]))

    def test_over_a_pty(self):
        pack = subprocess.Popen([common.SIM, "--pty", "link=rs485,protocol=smp,model=app,flash=instant,rate=1000000"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        self.addCleanup(pack.stdout.close)
        self.addCleanup(pack.wait)
        self.addCleanup(pack.terminate)
        port = pack.stdout.readline().decode().strip()
        run = self.job("flash", port, "--baud", "1000000", "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")


if __name__ == "__main__":
    unittest.main()
