#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes that people make: each is told with its exit code, what was wrong, why it may be, and what to type."""
import json
import os
import re
import signal
import subprocess
import unittest

import common

V15 = common.image("app-1.5.0.signed.bin")
HEX = os.path.join(common.FIRMWARE, "app-1.5.0.hex")
MINISIGN = os.path.join(common.DATA, "minisign", "release.pub")
SIM = ("flash", "--if", "sim", "--key", common.KEY)


class Told(common.Case):
    def told(self, words, status, cause, likely, then):
        with self.subTest(" ".join(words)):
            run = self.run_json(*words)
            self.expect(run, status)
            error = run.result["error"]
            self.assertIn(cause, error["cause"])
            self.assertIn(likely, " / ".join(error["likely"]))
            self.assertIn(then, f"{error['do'] or ''} / {error['next'] or ''}")

    def profile(self, text):
        path = self.path("mine.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_words_of_the_command_line(self):
        self.told(["flsh"], 2, "did you mean 'flash'", "", "bmsflash --help")
        self.told(["flash", "--iff", "can0", V15], 2, "did you mean '--if'", "", "bmsflash flash --help")
        self.told(["flash", "--force", V15], 2, "there is no --force", "", "bmsflash flash --help")
        self.told(["flash", "--allow", "risk", V15], 2, "knows no check 'risk'; the help", "", "bmsflash flash --help")
        self.told(["flash", "--allow", "hott", V15], 2, "did you mean 'hot'", "", "bmsflash flash --help")
        self.told(["probe", "--timeout", "soon"], 2, "a duration such as", "", "bmsflash probe --help")
        self.told(["probe", "--baud", "12"], 2, "outside 300 to", "", "bmsflash probe --help")

    def test_files_that_are_not_there(self):
        gone = self.path("gone")
        look = f"ls -l {self.dir}"
        self.told(["verify", "--key", common.KEY, gone], 20, "there is no file gone in " + self.dir, "misspelt", look)
        self.told(["verify", "--key", gone, V15], 21, "cannot open the key", "misspelt", look)
        self.told(["verify", "--record", gone], 20, "cannot open", "misspelt", look)

    def test_keys(self):
        self.told(["verify", V15], 21, "no trusted key", "/etc/bmsflash/keys", "--key FILE")
        self.told(["verify", "--key", self.dir, V15], 21, "no trusted key", self.dir, "--key FILE")
        self.told(["verify", "--key", V15, V15], 21, "is no key file: it has 43000 bytes", "given the image",
                  "public key")
        self.told(["verify", "--key", common.OTHER_KEY, V15], 21, "does not trust", "development key", "release file")

    @unittest.skipIf(os.getuid() == 0, "root may read everything")
    def test_files_of_somebody_else(self):
        path = self.path("secret.bin")
        with open(path, "wb"):
            os.chmod(path, 0)
        self.told(["verify", "--key", common.KEY, path], 20, "Permission denied", "another user", "ls -ld")

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_places_to_write_to(self):
        gone = self.path("gone/file")
        look = f"ls -l {self.dir}/gone"
        self.told(["probe", "--if", "sim", "--trace", gone], 2, "cannot write the trace", "another folder", look)
        self.told([*SIM, V15, "--record", gone], 20, "cannot open the record", "another folder", look)
        self.told(["backup", "--if", "sim", "-o", gone], 20, "cannot create", "another folder", look)

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_a_run_that_could_not_be_recorded_does_not_begin(self):
        run = self.run_json(*SIM, V15, "--record", self.path("gone/file"))
        self.assertEqual(run.result["state"], "untouched")
        self.assertFalse(run.of("phase"))

    def test_profiles(self):
        for text, cause, then in (
                ("[pack]\nnmae = x\n", "line 2: unknown key 'nmae'", "correct that line"),
                ("[pakc]\nname = x\n", "line 2: unknown section [pakc]", "correct that line"),
                ("[limits]\nsoc-min = many\n", "line 2: 'many' is not a value", "correct that line"),
                ("[limits]\nsoc-min = 90\n", "leave nothing between 90 and 80", "give both")):
            self.told(["verify", "--key", common.KEY, "--profile", self.profile(text), V15], 2, cause, "", then)
        self.told(["verify", "--key", common.KEY, "--profile", "nosuch", V15], 2, "no profile 'nosuch'", "misspelt",
                  "--profile ./nosuch.ini")

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_packs_that_are_not_the_ones_that_were_meant(self):
        self.told(["probe", "--if", "sim", "--expect-serial", "XX"], 22, "serial number is 'BX16-000001'",
                  "another pack is connected", "--expect-serial 'BX16-000001'")
        self.told([*SIM, common.image("app-1.5.0.othercid.bin")], 22, "other hardware", "wrong file",
                  "made for 'BMS-16S-R3'")
        self.told([*SIM, common.image("app-1.5.0.noids.bin")], 22, "names no hardware", "without vendor and class",
                  "--allow no-hardware")
        self.told(["flash", "--if", "sim", "--key", MINISIGN, HEX], 22, "allowed is 'mcuboot'", "before imgtool",
                  "MCUboot image")

    @unittest.skipUnless(common.VIRTUAL_UDS and "dfu" in common.PROTOCOLS, common.NEEDS_VIRTUAL_UDS)
    def test_protocols_that_do_not_fit(self):
        self.told(["probe", "--if", "sim", "-p", "dfu"], 2, "does not run over a CAN bus", "without --protocol",
                  "bmsflash probe")
        self.told(["flash", "--if", "sim:protocol=dfu,link=usb", "--key", common.KEY, V15], 22,
                  "not told by the pack", "USB device has no way", "--allow no-hardware")

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_ways_back_that_are_none(self):
        self.told(["rollback", "--if", "sim"], 33, "the other slot holds none", "not updated yet", "--from")
        self.told(["rollback", "--if", "sim", "--from", V15], 20, "is not a tar archive", "is an image", "--from BACKUP")

    @unittest.skipUnless("sim" in common.TRANSPORTS, "built without the virtual pack")
    def test_keys_of_the_virtual_pack(self):
        self.told(["probe", "--if", "sim:foo=1"], 2, "has no key 'foo'", "misspelt", "bmsflash-sim --help")
        listed = subprocess.run([common.SIM, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
        table = json.loads(subprocess.run([os.environ["BMSFLASH_GEN_CLI"], "json"], check=True,
                                          stdout=subprocess.PIPE).stdout)
        for name in table["sim"]:
            self.assertIn(f"\n  {name}=", listed)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Streams(common.Case):
    """Standard descriptors that are closed or full, signals that were ignored at the start, no home."""

    def shell(self, line):
        done = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(self.env, BIN=common.BIN), timeout=120, check=False)
        return common.Run(done)

    def test_a_result_that_cannot_be_written_is_said_and_is_no_success(self):
        for words in ("probe --if sim", "--help"):
            run = self.shell(f'"$BIN" {words} >/dev/full')
            self.assertEqual(run.status, 20)
            self.assertIn("could not be written to standard output", run.err)

    def test_text_for_a_closed_descriptor_lands_in_no_file(self):
        trace = self.path("t.log")
        run = self.shell(f'"$BIN" probe --if sim --trace {trace} 0<&- 1>&- 2>&-')
        self.assertNotEqual(run.status, 0)
        with open(trace, encoding="utf-8") as f:
            text = f.read()
        self.assertNotIn("BMS", text)
        self.assertNotIn("looking for the pack", text)

    @unittest.skipUnless("rs485" in common.TRANSPORTS, "built without serial ports")
    def test_a_signal_that_was_ignored_at_the_start_stays_ignored(self):
        words = [common.BIN, "probe", "--if", "/dev/ttyUSB77", "--wait", "60s"]
        with subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
            blocked = 0
            while run.poll() is None and not blocked & 1 << (signal.SIGTERM - 1):
                with open(f"/proc/{run.pid}/status", encoding="utf-8") as f:
                    blocked = int(re.search(r"^SigBlk:\s*(\w+)", f.read(), re.M).group(1), 16)
            self.assertIsNone(run.poll())
            self.assertFalse(blocked & 1 << (signal.SIGHUP - 1))
            run.terminate()
            self.assertEqual(run.wait(60), 50)

    def test_the_home_of_the_password_entry_stands_in_for_home(self):
        run = self.shell('unset HOME; "$BIN" probe --if sim')
        self.assertEqual(run.status, 0)

    def test_a_user_without_a_home_is_told_which_variable_helps(self):
        run = self.shell('unset HOME XDG_STATE_HOME; exec setpriv --reuid=4242 --clear-groups "$BIN" probe --if sim')
        if run.status in (126, 127) or run.err.startswith("setpriv"):
            self.skipTest("cannot become another user here")
        self.assertEqual(run.status, 2)
        self.assertIn("XDG_STATE_HOME", run.err)


common.main()
