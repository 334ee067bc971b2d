#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The messages that technicians meet most: the word, what happened, what to do, and a command that can be typed."""
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import common
import terminal

V15 = common.image("app-1.5.0.signed.bin")
OTHER = common.image("app-1.5.0.otherkey.bin")
HEX = os.path.join(common.FIRMWARE, "app-1.5.0.hex")
MINISIGN = os.path.join(common.DATA, "minisign", "release.pub")
FLASH = ("flash", "--yes", "--if", "sim", "--key", common.KEY)


class Messages(common.Case):
    fresh = True  # each run finds the files as the first did

    def has(self, text, texts):
        """Each of them is in the text, in this order. A terminal that is narrow breaks words as well as lines."""
        text, at = "".join(text.split()), 0
        for want in texts:
            found = re.compile(want) if isinstance(want, re.Pattern) else re.compile(re.escape("".join(want.split())))
            found = found.search(text, at)
            self.assertTrue(found, f"'{want}' is not in: {text}")
            at = found.end()

    def on(self, columns, words, status, texts, command, **kwargs):
        """The same on a terminal that keeps its screen."""
        term = terminal.Terminal(self, words, columns, lines=200, **kwargs)
        self.assertEqual(term.end(), status, term.text())
        self.has(term.prose(), texts)
        self.assertEqual(term.command(), command, term.text())
        self.assertIsNone(term.wrong_colour(), term.text())
        for line in term.written():  # a command is whole, for the mouse; all else is broken by the program, between words
            if len(line) > columns and not re.match("Next |  bmsflash ", line):
                self.fail(f"at {columns} columns the terminal broke: {line}")

    def shown(self, words, status, *texts, **kwargs):
        """Each text is on the screen, in this order; white space does not count: without a terminal, and on one of 40, 80 and
        160 columns. Returns the command."""
        saved = self.dir + ".saved"
        if self.fresh:
            shutil.copytree(self.dir, saved, symlinks=True)
            self.addCleanup(shutil.rmtree, saved, True)
        run = self.run_it(*words, **kwargs)
        self.expect(run, status)
        self.has(run.err + run.out, texts)
        rows = [row[len("Next"):].strip() for row in run.out.splitlines() + run.err.splitlines() if row.startswith("Next ")]
        self.assertLessEqual(len(rows), 1)
        command = rows[0] if rows else None
        if command:
            self.assertIsNone(common.wrong_command(command), command)
        for columns in terminal.WIDTHS if terminal.pyte else ():
            if self.fresh:
                for name in os.listdir(self.dir):
                    path = self.path(name)
                    (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
                shutil.copytree(saved, self.dir, symlinks=True, dirs_exist_ok=True)
            with self.subTest(columns):
                self.on(columns, words, status, texts, command, **kwargs)
        if self.fresh:
            shutil.rmtree(saved)
        return command

    def backup(self, name, **env):
        self.env.update(env)
        path = self.path(name)
        self.expect(self.run_it("backup", "--if", "sim", "-o", path), 0)
        return path


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class OfTheCommandLine(Messages):
    def test_nothing_typed_is_answered_with_help_and_what_is_connected(self):
        self.assertTrue(self.shown((), 0, "Usage: bmsflash COMMAND", "Connected").startswith("bmsflash probe --if "))

    def test_a_missing_interface_is_a_question(self):
        self.shown(("flash", V15), 2, "NOT DONE Which port is the pack on?")

    def test_no_trusted_key_says_where_the_key_comes_from_and_installs_it(self):
        command = self.shown(("flash", "--if", "sim", V15), 21, "No trusted key is installed on this computer.",
                             "Do Ask the maker for the public key (*.pub.pem)")
        self.assertEqual(command, "sudo install -D -m644 maker.pub.pem /etc/bmsflash/keys/maker.pub.pem")

    def test_verify_explains_an_image_whose_signer_is_unknown(self):
        self.shown(("verify", V15), 21, "Firmware 1.5.0", "Key ba9d7879", "REFUSED Signer unknown",
                   "on this computer")

    def test_a_key_that_is_not_trusted_is_named_beside_those_that_are(self):
        self.shown((*FLASH, OTHER), 21, "REFUSED", "is signed by key 770f3b10", "which this computer does not trust; "
                   "trusted: release.pub.pem (ba9d7879", "Do Often this is a development build: get the release file.")

    def test_a_file_that_is_not_there_is_told_with_those_that_are(self):
        shutil.copy(V15, self.dir)
        command = self.shown((*FLASH, "nofile.bin"), 20, f"REFUSED There is no file nofile.bin in {self.dir}.",
                             "Do Firmware files here: app-1.5.0.signed.bin.", cwd=self.dir)
        self.assertEqual(command, f"ls -l {self.dir}")

    def test_a_file_that_is_no_firmware_is_told_which_formats_there_are(self):
        self.shown((*FLASH, "/etc/passwd"), 20, "'/etc/passwd' is not a firmware file that bmsflash knows (MCUboot, HEX, "
                   "S-record, ELF, DFU)", "Do If it is a raw binary, its maker names the address: --addr.")

    def test_a_build_before_signing_is_called_so(self):
        self.shown(("flash", "--if", "sim", "--key", MINISIGN, HEX), 22, "REFUSED This pack takes signed MCUboot images "
                   "(*.signed.bin); app-1.5.0.hex is the build before signing.")

    @unittest.skipUnless("rs485" in common.TRANSPORTS, "built without serial ports")
    def test_a_windows_name_is_called_so(self):
        command = self.shown(("probe", "--if", "COM3"), 10, "NOT DONE 'COM3' is a Windows name of a serial port.")
        self.assertTrue(command.startswith("bmsflash probe"))


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class OfThePack(Messages):
    def test_other_hardware_is_refused_and_nothing_was_written(self):
        words = (*FLASH, common.image("app-1.5.0.othercid.bin"))
        self.shown(words, 22, "REFUSED This file is for hardware of class ba587dff; the pack is a BMS-16S-R3.",
                   "Nothing was written.")
        # A class that a backup on this computer has is told by its name.
        self.expect(self.run_it("backup", "--if", "sim:class=BMS-8S-R1,serial=BX08-000001"), 0)
        self.shown(words, 22, "REFUSED This file is for BMS-8S-R1; the pack is a BMS-16S-R3.", "Nothing was written.")

    def test_a_silent_pack_is_looked_for_in_an_order_and_then_at_every_address(self):
        command = self.shown(("probe", "--if", "sim:link=rs485", "--node", "0x22"), 12, "NO ANSWER No answer from a pack",
                             "25 line settings", "Do In this order: is the pack awake? A and B swapped? ground connected?")
        self.assertEqual(command, "bmsflash probe --if sim:link=rs485 --scan")
        run = self.run_it(*command.split()[1:])
        self.expect(run, 0)
        self.assertRegex(run.out, r"(?m)^0x11 +BMS-16S-R3, serial BX16-000001, runs 1\.3\.0 +ready$")
        self.assertIn("Next       bmsflash probe --if sim:link=rs485 --node 0x11", run.out)
        command = self.shown(("flash", "--if", "sim:link=rs485", "--node", "0x22", "--key", common.KEY, V15), 12,
                             "NO ANSWER")
        self.assertIn("--rescue", command)

    def test_a_rate_that_was_pinned_is_said_to_be_the_only_one_tried(self):
        words = ("probe", "--if", "sim:link=rs485", "--node", "0x22", "--baud", "9600")
        self.assertIn("only 9600 baud was tried, as --baud says", self.run_it(*words, "-v").err)
        self.assertNotIn("--baud", self.shown(words, 12, "NO ANSWER"))

    def test_a_low_charge_is_to_be_charged(self):
        self.shown(("flash", "--if", "sim:soc=5", "--key", common.KEY, V15), 30,
                   "NOT DONE Charge is 5.0 %; 20 to 80 % are wanted to update.", "Do Charge it, then run the same command:")

    def test_three_conditions_come_in_one_sentence(self):
        self.shown(("flash", "--if", "sim:soc=10,temp=-5,current=12", "--key", common.KEY, V15), 30,
                   "NOT DONE 3 things first: charge it (10.0 %", "warm it up", "disconnect charger and load")

    def test_a_counter_that_is_too_low_is_told_with_both_numbers(self):
        state = "sim:state=" + self.path("pack.flash")
        self.expect(self.run_it("flash", "--yes", "--if", state, "--key", common.KEY, V15), 0)
        self.shown(("flash", "--if", state, "--key", common.KEY, common.image("app-1.3.0.signed.bin")), 23,
                   "REFUSED This pack cannot go back below security counter 5 (it runs 1.5.0); the file has 3.")

    def test_a_signer_that_the_pack_does_not_trust_leaves_the_old_firmware(self):
        self.shown(("flash", "--yes", "--if", "sim", "--key", common.OTHER_KEY, OTHER), 21,
                   "REFUSED The pack does not trust the signer of this file.", "Its old firmware 1.3.0 was not touched.")
        self.shown(("flash", "--yes", "--if", "sim:quirk=singlebank", "--allow", "single-bank", "--key", common.OTHER_KEY, OTHER),
                   41, "WENT BACK The pack does not trust the signer of this file.",
                   "Its old firmware 1.3.0 was put back and runs.")

    def test_an_archive_of_another_computer_is_taken_by_leave(self):
        path = self.backup("pack-0042.tar", XDG_STATE_HOME=self.path("elsewhere"))
        self.env["XDG_STATE_HOME"] = self.path("state")
        command = self.shown(("rollback", "--if", "sim", "--from", path), 21,
                             "REFUSED This backup was made on another computer, or by another user:",
                             "Do If you know where it is from:")
        self.assertEqual(command, f"bmsflash rollback --if sim --from {path} --allow foreign-archive")

    def test_a_pack_without_previous_firmware_gets_its_newest_backup(self):
        self.expect(self.run_it("backup", "--if", "sim"), 0)
        command = self.shown(("rollback", "--if", "sim"), 33, "the other slot holds none that can start",
                             "Do The newest backup of this pack is of ")
        self.assertRegex(command, r"^bmsflash rollback --if sim --from \S+/backup/BX16-000001-\S+\.tar$")

    def test_a_locked_pack_wants_the_technician_s_key(self):
        command = self.shown(("flash", "--yes", "--if", "sim:auth=27", "--key", common.KEY, V15), 31,
                             "NOT DONE This pack is locked", "Do You need your technician's key (a private key, *.pem, "
                             "from the maker):")
        self.assertIn("--auth-key technician.pem", command)

    def test_the_public_half_of_a_key_is_called_so(self):
        self.shown(("flash", "--yes", "--if", "sim:auth=27", "--key", common.KEY, "--auth-key", common.KEY, V15), 31,
                   "is the public half of a key; --auth-key wants the private one.",
                   "Do Give the private key that the maker of the pack gave you")

    def test_a_failed_test_goes_back_and_names_what_failed(self):
        self.shown(("flash", "--yes", "--if", "sim:selftest=fail", "--key", common.KEY, V15), 41,
                   "WENT BACK 1.5.0 did not pass its test (cell monitor 2 of 2 does not answer).",
                   "The pack runs 1.3.0 again and may be used.")

    def test_a_pack_that_stops_answering_goes_on_from_there(self):
        self.shown(("flash", "--yes", "--if", "sim:cutmsg=90", "--key", common.KEY, V15), 13,
                   "NOT DONE The pack stopped answering at", "power or cable.", "Nothing was written.",
                   "Do Check power and cable. The same command goes on at")

    def unplugged(self, after, *texts):
        """A flash whose adapter goes away for good after so many messages."""
        return self.shown(("flash", "--yes", "--if", f"fault:unplug={after}:900s:sim:link=rs485", "--key", common.KEY, V15), 13,
                          *texts)

    def test_an_adapter_unplugged_while_writing_is_plugged_in_and_the_same_command_goes_on(self):
        command = self.unplugged(950, "NOT DONE The adapter sim:link=rs485 was unplugged at", re.compile(
            r"(\d+)%\.Itsoldfirmware1\.3\.0wasnottouched\.DoPlugitin\.Thesamecommandgoesonat\1%:"))
        self.assertTrue(command.startswith("bmsflash flash --if "), command)

    def test_an_adapter_unplugged_at_the_restart_leaves_the_state_unknown(self):
        command = self.unplugged(1050, "UNKNOWN The adapter went away while the pack restarted; the pack may be fine. Do Plug it "
                                 "in, then look at the pack:")
        self.assertTrue(command.startswith("bmsflash probe --if "), command)


@unittest.skipUnless(common.SIM and common.VIRTUAL_UDS and "rs485" in common.TRANSPORTS, "built without serial lines")
class OfTheLine(common.OnPty, Messages):
    fresh = False  # another program is at work on them

    def begin(self, *keys):
        """A flash under way on a port: until it says so."""
        self.port = self.serve("flash=instant", *keys)
        words = [common.BIN, "flash", "--yes", "--if", self.port, "--baud", "115200", "--key", common.KEY, "--json", V15]
        run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=self.env)
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def until(self, run, word):
        for line in run.stdout:
            if word in line.decode():
                return
        self.fail(f"the run never said {word}: {line.decode()}")

    def test_another_bmsflash_on_the_port_is_waited_for(self):
        run = self.begin()
        self.until(run, '"activity":"backup"')
        command = self.shown(("probe", "--if", self.port), 11, "NOT DONE Another bmsflash is at work on",
                             f"process {run.pid}", "Do Wait for it:")
        self.assertEqual(command, f"bmsflash probe --if {self.port} --wait 300s")


common.main()
