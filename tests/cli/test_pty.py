#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The jobs in real time over a pseudo-terminal that bmsflash-sim serves: the driver for serial ports, both framings,
signals, the port held by another program, and a port that nobody answers on."""
import os
import signal
import subprocess
import time
import unittest

import common

V15 = common.image("app-1.5.0.signed.bin")


@unittest.skipUnless(common.SIM, "built without the virtual pack")
class Pty(common.OnPty):
    def profile(self, text):
        path = self.path("profile.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_probe_and_flash_in_both_framings(self):
        for framing in ("hdlc", "iso14230"):
            with self.subTest(framing):
                port = self.serve("--any-rate", "flash=instant")
                profile = self.profile(f"[rs485]\nframing = {framing}\n")
                run = self.run_json("probe", "--if", port, "--profile", profile)
                self.expect(run, 0)
                run = self.run_json("flash", "--if", port, "--profile", profile, "--key", common.KEY, V15)
                self.expect(run, 0)
                self.assertEqual(run.result["state"], "new-proven")
                run = self.run_json("probe", "--if", port)
                self.assertEqual(run.of("device")[0]["version"], "1.5.0")
                self.doCleanups()
                self.setUp()

    def test_a_signal_ends_the_run_with_50_and_the_old_firmware(self):
        port = self.serve("flash=instant")
        run = subprocess.Popen([common.BIN, "flash", "--if", port, "--key", common.KEY, V15, "--json",
                                "--baud", "115200"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=self.env)
        lines = []
        for line in run.stdout:
            lines.append(line)
            if b'"event":"progress"' in line:
                run.send_signal(signal.SIGINT)
                break
        lines += run.stdout.readlines()
        run.stdout.close()
        self.assertEqual(run.wait(60), 50, lines[-1])
        self.assertIn(b'"exit":"interrupted"', lines[-1])
        self.assertIn(b'"state":"old-running"', lines[-1])
        again = self.run_json("probe", "--if", port)
        self.assertEqual(again.of("device")[0]["version"], "1.3.0")

    def test_signals_at_once_are_one_and_the_run_is_taken_up(self):
        port = self.serve("flash=instant")
        words = ["flash", "--if", port, "--key", common.KEY, V15]
        run = subprocess.Popen([common.BIN, *words, "--json", "--baud", "115200"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        lines = []
        for line in run.stdout:
            lines.append(line)
            if b'"event":"progress"' in line and b'"phase":"writing"' in line:
                run.send_signal(signal.SIGINT)
                run.send_signal(signal.SIGTERM)
                run.send_signal(signal.SIGINT)
                break
        lines += run.stdout.readlines()
        run.stdout.close()
        self.assertEqual(run.wait(60), 50, lines[-1])
        self.assertIn(b'"state":"old-running"', lines[-1])
        again = self.run_json(*words)
        self.expect(again, 0)
        self.assertTrue([n for n in again.of("notice") if "taken up" in n["text"]])

    def test_a_port_in_use_is_busy_and_the_holder_is_named(self):
        port = self.serve()
        holder = subprocess.Popen([common.BIN, "flash", "--if", port, "--key", common.KEY, V15, "--json",
                                   "--baud", "115200"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=self.env)
        for line in holder.stdout:
            if b'"event":"device"' in line:
                break
        run = self.run_json("probe", "--if", port)
        holder.send_signal(signal.SIGTERM)
        holder.stdout.read()
        holder.stdout.close()
        holder.wait(60)
        self.expect(run, 11)
        self.assertIn(str(holder.pid), run.result["error"]["cause"] + str(run.result["error"]["likely"]))

    def test_12_nothing_answers(self):
        master, slave = os.openpty()
        try:
            run = self.run_json("probe", "--if", os.ttyname(slave), "--timeout", "60s")
        finally:
            os.close(master)
            os.close(slave)
        self.expect(run, 12)
        self.assertTrue(run.result["error"]["next"])


common.main()
