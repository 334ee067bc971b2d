#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The computer while it writes: a lock of a mock of systemd-logind is held as long as firmware is written, and no longer."""
import os
import subprocess
import sys
import unittest

import common

V15 = common.image("app-1.5.0.signed.bin")
try:
    import dbus
    import dbusmock
except ImportError as missing:
    if os.environ.get("CI"):
        raise
    dbus = dbusmock = None
    print(f"# {missing}: nothing is tested here")

MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")


@unittest.skipUnless(common.SIM and dbusmock, "needs the virtual pack and python3-dbusmock")
class Awake(common.OnPty):
    def setUp(self):
        super().setUp()
        daemon = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.terminate)
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = daemon.stdout.readline().decode().strip()
        self.bus = dbus.bus.BusConnection(self.env["DBUS_SYSTEM_BUS_ADDRESS"])
        self.addCleanup(self.bus.close)

    def logind(self, template):
        env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.env["DBUS_SYSTEM_BUS_ADDRESS"])
        words = [sys.executable, "-m", "dbusmock", "--system"]
        words += ["--template", "logind"] if template else [*MANAGER]
        mock = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        self.addCleanup(mock.wait)
        self.addCleanup(mock.terminate)
        while not self.bus.name_has_owner(MANAGER[0]):
            if mock.poll() is not None:
                self.fail("the mock of logind ended")
        return dbus.Interface(self.bus.get_object(MANAGER[0], MANAGER[1]), MANAGER[2])

    def flash(self):
        port = self.serve("--any-rate", "flash=instant")
        return subprocess.Popen([common.BIN, "flash", "--if", port, "--key", common.KEY, V15, "--json"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)

    def test_a_lock_is_held_while_it_writes(self):
        manager = self.logind(True)
        run = self.flash()
        held = []
        for line in run.stdout:
            if b'"phase":"writing"' in line and b'"event":"progress"' in line and not held:
                held = manager.ListInhibitors()
        run.stdout.close()
        self.assertEqual(run.wait(60), 0)
        self.assertEqual(len(held), 1)
        self.assertIn("sleep", held[0][0])
        self.assertIn("shutdown", held[0][0])
        self.assertEqual(held[0][1], "bmsflash")
        self.assertEqual(held[0][3], "block")
        self.assertEqual(len(manager.ListInhibitors()), 0)

    def test_a_logind_that_refuses_is_a_notice_and_no_failure(self):
        self.logind(False)
        run = self.flash()
        out = run.stdout.read()
        run.stdout.close()
        self.assertEqual(run.wait(60), 0)
        self.assertIn(b"Nothing keeps this computer from going to sleep", out)

    def test_without_logind_nothing_is_said(self):
        run = self.flash()
        out = run.stdout.read()
        run.stdout.close()
        self.assertEqual(run.wait(60), 0)
        self.assertNotIn(b"going to sleep", out)


common.main()
