#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What stands on a real terminal: a pseudo-terminal with a terminal emulator behind it keeps the screen, at 40, 80 and
160 columns. Colours, wrapping, the live line and questions are judged by what a person would see."""
import concurrent.futures
import grp
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import common
from terminal import NEEDS_PYTE, WIDTHS, Terminal, pyte

V15 = common.image("app-1.5.0.signed.bin")


@unittest.skipUnless(pyte, NEEDS_PYTE)
@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Screen(common.Case):
    def on(self, columns, *words, **env):
        term = Terminal(self, words, columns, **dict({"lines": 100}, **env))
        status = term.end()
        return status, term

    def rows(self, term):
        return [row for row in term.lines() if row]

    def test_a_good_flash_is_seven_lines_at_every_width(self):
        for columns in WIDTHS:
            with self.subTest(columns):
                status, term = self.on(columns, "flash", "--yes", "--if", "sim", "--key", common.KEY, V15)
                self.assertEqual(status, 0, term.text())
                starts = [row.split()[0] for row in self.rows(term) if not row.startswith(" ")]
                starts = [word for word in starts if word != "WARNING"]
                self.assertEqual(starts, ["Image", "Pack", "Backup", "Write", "Restart", "Test", "DONE"])
                self.assertEqual(term.colour("DONE"), "green")
                self.assertEqual(term.colour("Image"), "default")
                self.assertEqual(term.colour("WARNING"), "brown")
                self.assertTrue(all(len(row) <= columns for row in term.lines()))
                if columns >= 80:
                    self.assertRegex(term.text(), r"(?m)^Write      43 kB in \d+ s +ok$")
                    self.assertRegex(term.text(), r"(?m)^DONE       Pack BX16-000001 runs 1.5.0, verified by the "
                                                  r"pack \(\d+ s\)\.$")

    def test_the_live_line_is_one_line_that_goes_to_a_hundred(self):
        for columns in WIDTHS:
            with self.subTest(columns):
                _, term = self.on(columns, "flash", "--yes", "--if", "sim", "--key", common.KEY, V15)
                bars = [row for row in term.live if row.startswith(("Writing", "Restarting", "Testing", "Saving"))]
                self.assertTrue(bars)
                for bar in bars:
                    self.assertLess(len(bar), columns)
                    self.assertIn(" %", bar)
                percents = [int(bar.split(" %")[0].split()[-1]) for bar in bars]
                self.assertEqual(percents, sorted(percents))
                self.assertTrue([row for row in term.live if "100 %" in row])
                self.assertNotIn(" %  ", term.text().split("DONE")[0].split("Write")[0].split("Pack")[0])
                self.assertFalse([row for row in term.lines() if row.startswith("Writing")])

    def test_a_restart_shows_its_seconds_and_their_limit(self):
        for columns in WIDTHS:
            _, term = self.on(columns, "flash", "--yes", "--if", "sim", "--key", common.KEY, V15)
            words = r" %  \d+ s of up to 30 s$" if columns > 60 else r" % \d+/30 s$"
            self.assertTrue([row for row in term.live if row.startswith("Restarting") and re.search(words, row)], term.live)

    @unittest.skipUnless("rs485" in common.TRANSPORTS, "built without serial lines")
    def test_waiting_for_a_pack_that_is_silent_shows_its_seconds_at_every_width(self):
        for columns in WIDTHS:
            _, term = self.on(columns, "probe", "--if", "sim:link=rs485", "--node", "0x22")
            waits = [row for row in term.live if row.startswith("Wait")]
            self.assertTrue([row for row in waits if re.search(r": [2-9] s$", row)], waits)
            self.assertLess(max(len(row) for row in waits), columns)

    def test_a_bar_is_drawn_with_blocks_in_a_utf8_locale_alone(self):
        for locale, cell in (("C.UTF-8", "\u2588"), ("C", "#")):
            _, term = self.on(80, "flash", "--yes", "--if", "sim", "--key", common.KEY, V15, LC_ALL=locale)
            self.assertTrue([row for row in term.live if row.startswith("Writing") and cell in row], locale)

    def test_colour_is_asked_for_or_forbidden(self):
        words = ("probe", "--if", "sim")
        self.assertEqual(self.on(80, *words)[1].colour("READY"), "green")
        self.assertEqual(self.on(80, *words, NO_COLOR="1")[1].colour("READY"), "default")
        self.assertEqual(self.on(80, *words, "--color", "never")[1].colour("READY"), "default")
        self.assertEqual(self.on(80, *words, "--color", "always", NO_COLOR="1")[1].colour("READY"), "green")
        self.assertNotIn(b"\033", self.on(80, *words, term="dumb")[1].raw)

    def test_probe_gives_a_verdict_and_the_next_command(self):
        rows = (("sim", "READY", "green", "it keeps running while it is written"),
                ("sim:soc=5", "NOT READY", "brown", "Charge is 5.0 %; 20 to 80 % are wanted to update."))
        for columns in WIDTHS:
            for iface, word, colour, text in rows:
                with self.subTest((columns, iface)):
                    status, term = self.on(columns, "probe", "--if", iface)
                    self.assertEqual(status, 0)
                    self.assertEqual(term.colour(word), colour)
                    self.assertIn(text, " ".join(term.text().split()))
                    self.assertEqual("Next" in term.text(), word == "READY")
        self.assertIn("Pack       BMS-16S-R3, hardware R3, serial BX16-000001 (bms.example)", term.text())

    def test_a_pack_without_firmware_is_broken(self):
        for columns in WIDTHS:
            status, term = self.on(columns, "probe", "--if", "sim:version=none")
            self.assertEqual(status, 0)
            self.assertEqual(term.colour("BROKEN"), "red")
            self.assertIn("The pack has no firmware; its bootloader answers.", " ".join(term.text().split()))
            self.assertIn("Next       bmsflash flash --if sim:versi", term.text())

    def test_an_adapter_that_cannot_be_used_is_listed_with_the_reason(self):
        run = self.run_it("probe")
        self.expect(run, 0)
        self.assertRegex(run.out, r"(?m)^sim +practice pack, no hardware needed$")
        command = run.out.split("Next")[1].strip()
        self.assertTrue(command.startswith("bmsflash probe --if "), command)
        for row in run.out.split("\n\n")[0].splitlines():
            self.assertRegex(row, r"^\S+ +\S.*$")

    def test_what_bmsflash_knows_is_listed(self):
        run = self.run_json("probe", "--list")
        self.expect(run, 0)
        known = {(e["kind"], e["name"]) for e in run.of("known")}
        for name in common.PROTOCOLS:
            self.assertIn(("protocol", name), known)
        self.assertIn(("profile", "default"), known)
        if "stm32" in common.PROTOCOLS:
            self.assertIn(("chip", "STM32F405, F407, F415, F417"), known)
        self.assertRegex(self.run_it("probe", "--list").out, r"(?m)^protocol   uds: UDS \(ISO 14229\)")

    def test_a_scan_names_each_pack_with_its_address(self):
        run = self.run_json("probe", "--scan", "--if", "sim:link=rs485")
        self.expect(run, 0)
        found = run.of("candidate")
        self.assertEqual([(e["address"], e["what"]) for e in found],
                         [("0x11", "BMS-16S-R3, serial BX16-000001, runs 1.3.0")])
        self.expect(self.run_it("probe", "--if", "sim:link=rs485", "--node", "0x11"), 0)
        self.expect(self.run_it("probe", "--scan", "--if", "sim"), 2)
        self.expect(self.run_it("probe", "--scan"), 2)
        self.expect(self.run_it("probe", "--scan", "--if", "sim:link=rs485", "--baud", "9600"), 12)

    def type_what_is_printed(self, command, env):
        """A shell in a folder with what a newcomer was given: the firmware and the maker's public key."""
        folder = self.path("newcomer")
        if not os.path.exists(folder):
            os.mkdir(folder)
            shutil.copy(V15, os.path.join(folder, "FIRMWARE.bin"))
            shutil.copy(common.KEY, os.path.join(folder, "maker.pub.pem"))
        function = f'bmsflash() {{ "{common.BIN}" "$@"; }}; '
        done = subprocess.run(["sh", "-c", function + command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return common.Run(done)

    def newcomer(self, env):
        """Types what is printed, from "bmsflash probe" to the first good flash: commands, and words to read before it."""
        command, commands, words = "bmsflash probe", 0, 0
        while commands < 10:
            run = self.type_what_is_printed(command, env)
            commands += 1
            self.expect(run, 0)
            if "DONE  " in run.out:
                return commands, words
            words += len((run.out + run.err).split())
            command = run.out.split("Next")[1].splitlines()[0].strip()
        return self.fail(f"no good flash after {commands} commands")

    def test_a_newcomer_s_first_good_flash_takes_three_commands_and_sixty_words(self):
        commands, words = self.newcomer(dict(self.env, BMSFLASH_IF="sim"))  # one adapter: it is what is probed
        print(f"newcomer: {commands} commands, {words} words")
        self.assertLessEqual(commands, 3)
        self.assertLessEqual(words, 60)
        if not [row for row in self.run_it("probe").out.splitlines() if row.endswith(" ready")]:
            commands, _ = self.newcomer(self.env)  # none: the practice pack
            self.assertLessEqual(commands, 3)

    def test_a_failure_says_what_happened_the_state_and_one_command(self):
        for columns in WIDTHS:
            with self.subTest(columns):
                status, term = self.on(columns, "flash", "--yes", "--if", f"sim:cutmsg=90,serial=S-{columns}", "--key", common.KEY, V15)
                self.assertEqual(status, 13, term.text())
                self.assertEqual(term.colour("NOT DONE"), "brown")
                self.assertRegex(term.prose(), r"NOT DONE The pack stopped answering at \d+ %: power or cable\. .* "
                                               r"Do Check power and cable\. The same command goes on at \d+ %: Next bmsflash flash ")
                self.assertIsNone(common.wrong_command(term.command()), term.command())
                self.assertIsNone(term.wrong_colour())

    def test_a_pause_shows_what_it_waits_for(self):
        for columns in WIDTHS:
            status, term = self.on(columns, "flash", "--yes", "--if", f"sim:link=rs485,rate=9600,temp@60s=46,serial=S-{columns}",
                                   "--baud", "9600", "--key", common.KEY, V15)
            self.assertNotEqual(status, 0)
            paused = [row for row in term.live if row.startswith("Paused ")]
            self.assertTrue(paused)
            self.assertRegex(paused[0], r" % 46\.\d C$" if columns < 60 else r" %  46(\.\d)? C, waiting for below 45 C$")

    def test_a_pack_left_without_firmware_is_recovery(self):
        for columns in WIDTHS:
            with self.subTest(columns):
                status, term = self.on(columns, "flash", "--yes", "--if", f"sim:quirk=singlebank,cutmsg=120,serial=S-{columns}",
                                       "--allow", "single-bank", "--key", common.KEY, V15)
                self.assertEqual(status, 42, term.text())
                self.assertEqual(term.colour("RECOVERY"), "red")
                self.assertIn("Do Give it power, then run:", term.prose())
                self.assertRegex(term.command(), "^bmsflash (flash|rollback) --if ")
                self.assertIsNone(common.wrong_command(term.command()), term.command())
                self.assertIn("WARNING The pack has no firmware until this is done: keep power and cable.", term.prose())

    def test_three_conditions_are_three_things_to_do(self):
        run = self.run_it("flash", "--if", "sim:soc=10,temp=-5,current=12", "--key", common.KEY, V15)
        self.expect(run, 30)
        self.assertIn("NOT DONE   3 things first: charge it (10.0 %, wanted 20 to 80 %); warm it up", run.out)
        self.assertIn("disconnect charger and load", run.out)

    def broken(self, term):
        """Lines that the terminal had to break and that are no command."""
        return [line for line in term.written() if len(line) > term.screen.columns and not re.match("Next |  bmsflash ", line)]

    def test_help_and_tables_are_broken_between_words_at_every_width(self):
        pages = [(), ("help",), ("help", "flash"), ("help", "probe"), ("probe",), ("probe", "--list"), ("probe", "--doctor"),
                 ("probe", "--if", "sim:packs=8", "--node", "6-8"), ("verify", V15), ("verify", "--key", common.KEY, V15)]
        pages += [("probe", "--scan", "--if", "sim:link=rs485")] if "rs485" in common.TRANSPORTS else []
        for columns in WIDTHS:
            for words in pages:
                with self.subTest((columns, words)):
                    _, term = self.on(columns, *words, lines=300)
                    self.assertTrue(self.rows(term))
                    if "help" in words or not words:
                        self.assertEqual([line for line in self.broken(term) if not line.startswith("Usage:")], [])
                    else:
                        self.assertEqual(self.broken(term), [])

    def test_adapters_and_packs_are_named_at_every_width(self):
        for columns in WIDTHS:
            _, term = self.on(columns, "probe")
            self.assertIn("sim practice pack, no hardware needed", term.prose())
            self.assertRegex(term.command(), "^bmsflash probe --if ")
            if "rs485" in common.TRANSPORTS:
                _, term = self.on(columns, "probe", "--scan", "--if", "sim:link=rs485")
                self.assertRegex(term.prose(), "^0x11 BMS-16S-R3, serial BX16-000001, runs 1.3.0:? ready Next ")
                self.assertEqual(term.command(), "bmsflash probe --if sim:link=rs485 --node 0x11")

    @unittest.skipUnless("rs485" in common.TRANSPORTS and (os.getuid() or shutil.which("setpriv")), "cannot become another user")
    def test_a_port_that_the_user_may_not_use_comes_with_the_command(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        os.chmod(self.dir, 0o777)
        os.chmod(self.path("run"), 0o777)
        becoming = [] if os.getuid() else ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"]
        rows = [(0, "sudo chmod a+rw " + os.ttyname(slave))]
        if not os.getuid():
            os.chown(os.ttyname(slave), 0, 20)
            rows.append((0o660, f'sudo usermod -aG {grp.getgrgid(20).gr_name} "$USER" # then log out and in again'))
        for mode, command in rows:
            os.chmod(os.ttyname(slave), mode)
            for columns in WIDTHS:
                with self.subTest((mode, columns)):
                    term = Terminal(self, ("probe", "--if", os.ttyname(slave)), columns, program=[*becoming, common.BIN])
                    self.assertEqual(term.end(), 10, term.text())
                    self.assertIn("NOT DONE You may not use ", term.prose())
                    self.assertEqual(term.command(), command)

    def test_an_update_that_failed_went_back(self):
        run = self.run_it("flash", "--if", "sim:crash=trial", "--key", common.KEY, V15)
        self.expect(run, 41)
        self.assertRegex(run.out, r"(?m)^WENT BACK  ")
        self.assertIn("The pack runs 1.3.0 again and may be used.", run.out)

    def test_the_question_before_the_point_of_no_return_is_the_user_s(self):
        for columns in WIDTHS:
            for answer, status, word in (("y\n", 0, "DONE"), ("n\n", 50, "NOT DONE"), ("\n", 50, "NOT DONE")):
                with self.subTest((columns, answer)):
                    term = Terminal(self, ("flash", "--if", "sim", "--key", common.KEY, V15), columns)
                    self.assertTrue(term.pump("Go on? [y/N]"), term.text())
                    self.assertIn("WARNING After this update the pack cannot go back to 1.3.0. Go on? [y/N]", term.prose())
                    term.type(answer)
                    self.assertEqual(term.end(), status, term.text())
                    self.assertTrue([row for row in term.lines() if row.startswith(word)], term.text())

    @unittest.skipUnless("stm32" in common.PROTOCOLS and "rs485" in common.TRANSPORTS, "built without the ROM loader")
    def test_clearing_readout_protection_says_what_it_destroys_and_is_asked_for(self):
        words = ("flash", "--if", "sim:link=rs485,protocol=stm32,model=f103,rdp=1,boot0=high", "--protocol", "stm32",
                 "--addr", "0x08010000", "--key", common.KEY, "--allow",
                 "no-hardware,no-backup,single-bank,no-proof,readout-unprotect", V15)
        warning = "WARNING    Clearing readout protection erases all of the flash: also the maker's own bootloader"
        for columns, answer, status, word in ((40, "n\n", 50, "NOT DONE"), (80, "y\n", 0, "DONE"), (160, "n\n", 50, "NOT DONE")):
            with self.subTest((columns, answer)):
                term = Terminal(self, words, columns)
                self.assertTrue(term.pump("Go on? [y/N]"), term.text())
                self.assertIn(" ".join(warning.split()), term.prose())
                term.type(answer)
                self.assertEqual(term.end(), status, term.text())
                self.assertTrue([row for row in term.lines() if row.startswith(word)], term.text())
        status, term = self.on(160, *words, "--yes")
        self.assertEqual(status, 0, term.text())
        self.assertNotIn("Go on?", term.text())
        run = self.run_it(*words)
        self.expect(run, 0)
        self.assertIn(warning, run.err)

    def test_the_result_in_json_has_the_word_of_the_screen_and_all_to_file_it(self):
        result = self.run_json("flash", "--if", "sim", "--key", common.KEY, V15).result
        self.assertEqual((result["word"], result["serial"], result["from_version"], result["version"], result["key"]),
                         ("DONE", "BX16-000001", "1.3.0", "1.5.0", "release"))
        self.assertRegex(result["image_digest"], "^3a1439cb")
        self.assertTrue(os.path.exists(result["backup"]))
        percents = [e["percent"] for e in self.run_json("flash", "--if", "sim", "--key", common.KEY, V15).of("progress")]
        self.assertEqual(percents, sorted(percents))

    def test_a_scanned_label_is_read_from_standard_input(self):
        for label, status in ((" BX16-000001\r\n", 0), ("BX16-000002\n", 22), ("", 2)):
            done = subprocess.run([common.BIN, "probe", "--if", "sim", "--expect-serial", "-"], input=label.encode(),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env, check=False)
            self.assertEqual(done.returncode, status, done.stdout)

    def test_a_rollback_without_a_previous_firmware_names_the_newest_backup(self):
        state = "sim:state=" + self.path("pack.flash")
        self.assertNotIn("--from /", self.run_it("rollback", "--if", state).out)
        for _ in range(2):
            self.expect(self.run_it("backup", "--if", state), 0)
        run = self.run_it("rollback", "--if", state)
        self.expect(run, 33)
        command = run.out.split("Next")[1].splitlines()[0].strip()
        self.assertIsNone(common.wrong_command(command), command)
        self.assertRegex(command, r"--from \S+/backup/BX16-000001-\S+\.tar$")

    def test_quiet_is_one_line(self):
        run = self.run_it("flash", "-q", "--if", "sim", "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertEqual(len(run.out.splitlines()), 1)
        self.assertRegex(run.out, "^DONE ")

    def test_without_a_terminal_there_is_a_line_for_each_ten_percent(self):
        run = self.run_it("flash", "--if", "sim", "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertNotIn("\r", run.out + run.err)
        self.assertNotIn("\033", run.out + run.err)
        self.assertRegex(run.err, r"(?m)^Writing \d0 %$")
        print(f"good flash: {len(run.out.splitlines())} lines, {len(run.out.split())} words")
        self.assertLessEqual(len(run.out.split()), 65)
        self.assertLessEqual(len(run.out.splitlines()), 8)


@unittest.skipUnless(pyte and common.SIM, "python3-pyte is not installed, or built without the virtual pack")
@unittest.skipUnless(common.VIRTUAL_UDS and "rs485" in common.TRANSPORTS, "built without serial lines")
class Live(common.Case):
    """A virtual pack in real time, behind a port."""

    def serve(self, *keys):
        pack = subprocess.Popen([common.SIM, "--pty", *keys], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                env=self.env)
        self.addCleanup(pack.stdout.close)
        self.addCleanup(pack.wait)
        self.addCleanup(pack.terminate)
        return common.untroubled(pack.stdout.readline().decode().strip())

    def test_ctrl_c_is_answered_at_once_with_what_happens_next(self):
        port = self.serve()
        term = Terminal(self, ("flash", "--yes", "--if", port, "--baud", "115200", "--key", common.KEY, V15), 80)
        self.assertTrue(term.pump("Writing"), term.text())
        term.type("noise that is not shown")
        began = time.monotonic()
        os.kill(term.pid, signal.SIGINT)
        self.assertTrue(term.pump("WARNING    Stopping."), term.text())
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(term.end(), 50, term.text())
        self.assertNotIn("noise", term.text())
        self.assertTrue([row for row in term.lines() if row.startswith("NOT DONE")], term.text())

    def begin(self, port):
        """A flash without a terminal, in the background."""
        run = subprocess.Popen([common.BIN, "flash", "--yes", "--if", port, "--baud", "115200", "--key", common.KEY, V15],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env)
        self.addCleanup(run.stderr.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def test_firmware_on_test_is_named_with_what_a_restart_goes_back_to(self):
        port = self.serve("flash=instant", "--state", self.path("pack.flash"))
        run = self.begin(port)
        for line in run.stderr:
            if line.startswith(b"Testing"):
                break
        run.kill()
        run.wait()
        for columns in WIDTHS:
            term = Terminal(self, ("probe", "--if", port), columns)
            self.assertEqual(term.end(), 0, term.text())
            self.assertEqual(term.colour("ON TEST"), "brown")
            self.assertIn("ON TEST 1.5.0 runs but is not confirmed; a restart goes back to 1.3.0.", term.prose())
            self.assertRegex(term.command(), "^bmsflash flash --if ")

    def test_without_a_terminal_no_second_and_a_half_passes_without_a_sign_of_life(self):
        run = self.begin(self.serve())
        times = [time.monotonic()]
        for _ in run.stderr:
            times.append(time.monotonic())
        self.assertEqual(run.wait(60), 0)
        self.assertGreater(len(times), 10)
        # A second, and what a busy computer adds.
        self.assertLess(sorted(b - a for a, b in zip(times, times[1:]))[-3], 1.5)

    def side_by_side(self, keys, act):
        """A flash on a terminal of each width, each with a pack of its own."""
        ports = [self.serve("flash=instant", *keys) for _ in WIDTHS]
        terms = [Terminal(self, ("flash", "--yes", "--if", port, "--baud", "115200", "--key", common.KEY, V15), columns)
                 for port, columns in zip(ports, WIDTHS)]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(act, terms))

    def test_a_pack_that_falls_silent_is_seen_to_be_silent(self):
        def act(term):
            words = "no answer, " if term.screen.columns > 60 else "silent "
            self.assertTrue(term.pump(words, 100), "\n".join(term.live[-9:]))
            term.pump("no such words", 3)
            os.kill(term.pid, signal.SIGINT)
            term.end()
            silent = [row for row in term.live if words in row]
            self.assertRegex(silent[0], f"^Writing .* %  ?{words}\\d+ s( \\(try \\d of \\d\\))?$")
            self.assertGreater(len(set(silent)), 1)  # the seconds go on
            self.assertLess(len(silent[0]), term.screen.columns)

        self.side_by_side(["cutop=2000"], act)

    def test_a_pack_that_changes_its_firmware_is_not_left_at_ctrl_c(self):
        def act(term):
            self.assertTrue(term.pump("Restarting"), term.text())
            os.kill(term.pid, signal.SIGINT)
            term.end()
            self.assertRegex(term.prose(), r"WARNING Not now: the pack is changing firmware\. Stopping in about \d+ s\.")
            self.assertRegex(term.prose(), "(NOT DONE|DONE|UNKNOWN) ")

        self.side_by_side([], act)


common.main()
