#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the field brings: packs that do not boot, computers that stand in the way, two programs on one port."""
import base64
import os
import select
import shlex
import subprocess
import time
import unittest

import common

V15 = common.image("app-1.5.0.signed.bin")


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Secrets(common.Case):
    """What opens a pack is in no file and on no screen."""
    KEY = os.path.join(common.DATA, "auth", "technician.pem")
    ANSWER = "A5" * 64

    def program(self):
        path = self.path("seedkey")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nread -r question\n"
                    f"cat /proc/$PPID/limits > {self.path('limits')}\nulimit -c > {self.path('own')}\n"
                    f"tr '\\0' ' ' < /proc/$PPID/cmdline > {self.path('cmdline')}\necho {self.ANSWER}\n")
        os.chmod(path, 0o755)
        with open(self.path("p.ini"), "w", encoding="utf-8") as f:
            f.write(f"[uds]\nauth = program\nauth-program = {path}\n")
        return path

    def everything(self, run):
        text = run.out + run.err
        for name in ("t.log", "r.rec"):
            with open(self.path(name), encoding="utf-8") as f:
                text += f.read()
        return text.upper()

    def words(self, pack):
        return ["flash", "--if", pack, "--key", common.KEY, V15, "-vv", "--trace", self.path("t.log"),
                "--record", self.path("r.rec")]

    def test_the_answer_of_a_program_is_nowhere(self):
        self.program()
        for pack in ("sim:auth=1", "sim:auth=1,link=canfd", "sim:auth=1,link=rs485"):
            with self.subTest(pack):
                run = self.run_it(*self.words(pack), "--profile", self.path("p.ini"))
                self.expect(run, 31)
                self.assertNotIn("A5A5A5A5", self.everything(run))
                self.assertIn("**", self.everything(run))
        with open(self.path("limits"), encoding="utf-8") as f:
            core = [line for line in f if line.startswith("Max core file size")]
        self.assertEqual(core[0].split()[4], "0")
        with open(self.path("own"), encoding="utf-8") as f:
            self.assertEqual(f.read().strip(), "0")
        with open(self.path("cmdline"), encoding="utf-8") as f:
            self.assertNotIn(self.ANSWER, f.read())

    def test_the_key_file_s_bytes_and_its_signature_are_nowhere(self):
        with open(self.KEY, encoding="utf-8") as f:
            secret = "".join(line.strip() for line in f if "---" not in line)
        run = self.run_it(*self.words("sim:auth=1"), "--auth-key", self.KEY)
        self.expect(run, 0)
        text = self.everything(run)
        self.assertNotIn(secret.upper(), text)
        self.assertNotIn(base64.b64decode(secret)[-32:].hex().upper(), text)
        # 27 02 and the 64 bytes behind it: first frame with a length of 66, then ten more
        frames = [line.split("#")[1] for line in text.splitlines() if " 7E0#" in line]
        at = [i for i, data in enumerate(frames) if data.startswith("1042") or data.startswith("****")]
        self.assertTrue(at)
        for data in frames[at[0]:at[0] + 10]:
            self.assertIn("**", data)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Patterns(common.Case):
    def flash(self, iface, *words):
        return self.run_json("flash", "--if", iface, "--key", common.KEY, V15, *words)

    def check(self, run, status, pattern, title):
        self.expect(run, status)
        self.assertEqual(run.result["error"].get("pattern"), pattern)
        text = self.run_it("flash", "-v", *self.words)
        self.assertIn(title + "\n", text.err)

    def test_a_wrong_key_is_authentication_rejected(self):
        key = self.path("wrong.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True,
                       stderr=subprocess.DEVNULL)
        self.words = ["--if", "sim:auth=1", "--key", common.KEY, V15, "--auth-key", key]
        self.check(self.flash("sim:auth=1", "--auth-key", key), 31, "authentication-rejected",
                   "authentication rejected")

    def test_firmware_that_crashes_is_a_restart_loop(self):
        self.words = ["--if", "sim:crash=trial", "--key", common.KEY, V15]
        self.check(self.flash("sim:crash=trial"), 41, "restart-loop", "restart loop after an update")

    def test_a_line_that_falls_silent_is_a_transfer_time_out(self):
        self.words = ["--if", "sim:cutmsg=80", "--key", common.KEY, V15]
        self.check(self.flash("sim:cutmsg=80"), 13, "transfer-timeout", "transfer time-out")


class Doctor(common.Case):
    def test_it_works_without_an_interface_and_without_a_pack(self):
        run = self.run_json("probe", "--doctor")
        self.assertIn(run.status, (0, 10))
        # The virtual pack asks nothing of a computer.
        self.assertEqual(bool(run.of("finding")), set(common.TRANSPORTS) - {"sim", ""} != set())

    def test_what_is_absent_is_a_problem_with_exit_10(self):
        absent = {"can": "can77", "rs485": "/dev/ttyUSB77", "usb": "usb:ffff:ffff"}
        for driver, iface in absent.items():
            if driver not in common.TRANSPORTS:
                continue
            with self.subTest(iface):
                run = self.run_json("probe", "--doctor", "--if", iface)
                self.expect(run, 10)
                self.assertTrue([f for f in run.of("finding") if f["severity"] == "problem"])

    def test_a_wire_that_was_left_out_of_the_build_is_no_interface(self):
        for driver, iface in {"can": "can77", "rs485": "/dev/ttyUSB77", "usb": "usb"}.items():
            if driver in common.TRANSPORTS:
                continue
            with self.subTest(iface):
                run = self.run_json("probe", "--doctor", "--if", iface)
                self.assertIn(run.status, (10, 33))
                self.assertIn(iface if common.TRANSPORTS != [""] else "without any wire",
                              run.result["error"]["cause"])

    def test_an_interface_that_no_wire_takes_tells_what_they_take(self):
        run = self.run_json("probe", "--doctor", "--if", "nothing-of-the-kind")
        self.assertIn(run.status, (10, 33))
        if "sim" in common.TRANSPORTS:
            self.assertIn("sim:key=value", " ".join(run.result["error"]["likely"]))
            self.assertIn("bmsflash probe", run.result["error"]["next"])

    @unittest.skipUnless("can" in common.TRANSPORTS, "built without CAN")
    def test_a_missing_vcan_comes_with_the_command(self):
        run = self.run_json("probe", "--doctor", "--if", "vcan77")
        mends = [f["mend"] for f in run.of("finding") if f["subject"] == "vcan77"]
        self.assertIn("type vcan", mends[0])

    @unittest.skipUnless("sim" in common.TRANSPORTS, "built without the virtual pack")
    def test_the_virtual_pack_needs_nothing(self):
        self.expect(self.run_json("probe", "--doctor", "--if", "sim"), 0)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Rescue(common.Case):
    def test_it_says_when_to_switch_and_what_was_heard(self):
        run = self.run_it("flash", "--rescue", "--if", "sim:poweron=5000,window=60", "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertIn("switch the pack off, then on now", run.err)
        self.assertIn("nothing heard", run.err)
        self.assertIn("caught the bootloader", run.err)

    def test_exit_12_at_the_deadline_with_counts(self):
        run = self.run_json("flash", "--rescue", "--wait", "2s", "--if", "sim:poweron=600000", "--key",
                            common.KEY, V15)
        self.expect(run, 12)
        self.assertRegex(run.result["error"]["cause"], r"in 2 s: \d+ requests, nothing heard")


@unittest.skipUnless(common.VIRTUAL_UDS and "rs485" in common.TRANSPORTS, "built without serial lines")
class Port(common.Case):
    """A virtual pack on a pty: real time, two real processes."""

    def setUp(self):
        super().setUp()
        self.pack = subprocess.Popen([common.SIM, "--pty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     env=self.env)
        self.addCleanup(self.pack.stdout.close)
        self.addCleanup(self.pack.wait)
        self.addCleanup(self.pack.terminate)
        self.port = common.untroubled(self.pack.stdout.readline().decode().strip())

    def test_a_window_after_power_on_is_caught_in_real_time(self):
        pack = subprocess.Popen([common.SIM, "--pty", "--any-rate", "poweron=1500", "window=250", "flash=instant"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        self.addCleanup(pack.stdout.close)
        self.addCleanup(pack.wait)
        self.addCleanup(pack.terminate)
        port = common.untroubled(pack.stdout.readline().decode().strip())
        run = self.run_json("flash", "--rescue", "--wait", "20s", "--baud", "115200", "--if", port, "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertTrue(run.of("device")[0]["in_bootloader"])

    def start(self, *words):
        job = subprocess.Popen([common.BIN, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=self.env)
        self.addCleanup(job.stdout.close)
        self.addCleanup(job.wait)
        self.addCleanup(job.terminate)
        return job

    def wait_for(self, job, word, seconds=100):
        text = ""
        until = time.monotonic() + seconds
        while word not in text and time.monotonic() < until:
            if select.select([job.stdout], [], [], 0.1)[0]:
                piece = os.read(job.stdout.fileno(), 4096).decode()
                if not piece:
                    break
                text += piece
        self.assertIn(word, text)

    def test_a_second_run_on_a_port_names_the_first(self):
        first = self.start("backup", "--if", self.port, "-o", self.path("a.tar"), "--baud", "115200", "-v")
        self.wait_for(first, "backing up")
        run = self.run_json("probe", "--if", self.port)
        self.expect(run, 11)
        self.assertEqual(run.result["exit"], "busy")
        self.assertIn("bmsflash backup", run.result["error"]["cause"])
        self.assertIn(str(first.pid), run.result["error"]["cause"])
        first.terminate()
        first.wait()
        self.expect(self.run_json("probe", "--if", self.port), 0)

    def test_wait_waits_for_a_run_that_has_the_port(self):
        first = self.start("backup", "--if", self.port, "-o", self.path("a.tar"), "--baud", "115200", "-v")
        self.wait_for(first, "backing up")
        busy = self.run_json("probe", "--if", self.port, "--wait", "10ms")
        self.expect(busy, 11)
        words = shlex.split(busy.result["error"]["next"])
        self.assertEqual(words[-2:], ["--wait", "300s"])
        self.expect(self.run_json(*words[1:]), 0)
        self.assertEqual(first.wait(), 0)

    def test_a_signal_ends_the_wait_for_a_run_that_has_the_port(self):
        first = self.start("backup", "--if", self.port, "-o", self.path("a.tar"), "--baud", "115200", "-v")
        self.wait_for(first, "backing up")
        second = self.start("probe", "--if", self.port, "--wait", "60s", "-v")
        self.wait_for(second, "locking the interface")
        second.terminate()
        self.assertEqual(second.wait(20), 50)
        self.assertEqual(first.wait(60), 0)

    def test_the_lock_goes_with_the_process_however_it_ends(self):
        first = self.start("backup", "--if", self.port, "-o", self.path("a.tar"), "--baud", "115200", "-v")
        self.wait_for(first, "backing up")
        first.kill()
        first.wait()
        self.expect(self.run_json("probe", "--if", self.port, "--wait", "8s"), 0)

    def test_another_name_of_the_port_meets_the_same_lock(self):
        link = self.path("port")
        os.symlink(self.port, link)
        first = self.start("backup", "--if", self.port, "-o", self.path("a.tar"), "--baud", "115200", "-v")
        self.wait_for(first, "backing up")
        run = self.run_json("probe", "--if", link)
        self.expect(run, 11)
        self.assertIn(str(first.pid), run.result["error"]["cause"])

    def test_an_unexpected_serial_number_is_refused(self):
        run = self.run_json("probe", "--if", self.port, "--expect-serial", "BX16-000042")
        self.expect(run, 22)
        self.assertIn("BX16-000001", run.result["error"]["cause"])
        self.expect(self.run_json("probe", "--if", self.port, "--expect-serial", "BX16-000001"), 0)


common.main()
