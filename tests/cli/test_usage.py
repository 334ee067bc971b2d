#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Help, version, and command lines that make no sense."""
import os
import re
import unittest

import common


class Usage(common.Case):
    def test_help_names_every_command(self):
        run = self.run_it("--help")
        self.expect(run, 0)
        for name in ("probe", "backup", "verify", "flash", "rollback"):
            self.assertIn(name, run.out)

    def test_help_of_a_command_shows_its_options_alone(self):
        run = self.run_it("backup", "--help")
        self.expect(run, 0)
        self.assertIn("--output", run.out)
        self.assertNotIn("--allow", run.out)

    def test_help_fits_79_columns_grouped_with_examples_and_exit_codes(self):
        commands = ("probe", "backup", "verify", "flash", "rollback")
        pages = [(), ("help",), ("--help",)] + [w for c in commands for w in (("help", c), (c, "--help"), (c, "-h"))]
        for words in pages:
            with self.subTest(words):
                run = self.run_it(*words)
                self.expect(run, 0)
                self.assertLessEqual(max(len(line) for line in run.out.splitlines()), 79)
                if not set(words) & set(commands):
                    continue
                examples = re.findall(r"(?m)^  (bmsflash .*)", run.out)
                if any(common.TRANSPORTS):  # a build without wires has less to show
                    self.assertEqual(len(examples), 2)
                for line in examples:
                    self.assertIsNone(common.wrong_command(line.strip()), line)
                for group in ("Pack:", "Files and keys:", "Screen:", "Exit status:"):
                    self.assertIn("\n" + group + "\n", run.out)
                self.assertNotIn("\nOther:\n", run.out)
                self.assertRegex(run.out, r"(?m)^ +42  needs-recovery")

    def test_help_names_the_wires_that_are_built_in_and_no_others(self):
        text = " ".join(self.run_it("help", "flash").out.split())
        for wire, word in (("rs485", "ttyUSB0"), ("can", "can0"), ("usb", "usb[:VID"), ("sim", " sim ")):
            self.assertEqual(word in text, wire in common.TRANSPORTS, (wire, word))
        virtual = "sim" in common.TRANSPORTS
        for option, wire in (("--baud", "rs485"), ("--bitrate", "can"), ("--alt", "usb")):
            self.assertEqual(option + " " in text, virtual or wire in common.TRANSPORTS, option)
        self.assertEqual("--if sim" in self.run_it("--help").out, virtual)

    def test_no_arguments_say_what_is_connected_and_what_to_type(self):
        run = self.run_it()
        self.expect(run, 0)
        self.assertRegex(run.out, r"(?m)^Connected  ")
        command = run.out.split("Next")[1].strip()
        self.assertIsNone(common.wrong_command(command), command)

    def config(self, text):
        os.makedirs(self.path("config/bmsflash"), exist_ok=True)
        with open(self.path("config/bmsflash/config.ini"), "w", encoding="utf-8") as f:
            f.write(text)

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_defaults_come_from_the_environment_and_the_config_file(self):
        image = common.image("app-1.5.0.signed.bin")
        self.config(f"# mine\nif = sim\nkey = {common.KEY}\n")
        self.assertTrue(self.run_json("probe").of("device"))
        self.expect(self.run_json("flash", image), 2)  # an interface of the file is not written to
        self.expect(self.run_json("flash", "--if", "sim", image), 0)
        self.env["BMSFLASH_IF"] = "sim"
        self.expect(self.run_json("flash", image), 0)
        self.env["BMSFLASH_KEY"] = common.OTHER_KEY
        self.expect(self.run_json("flash", image), 21)

    def test_a_setting_that_is_none_is_told_with_its_line(self):
        for name in ("allow", "addr", "iff"):
            self.config(f"\n{name} = x\n")
            run = self.run_json("probe")
            self.expect(run, 2)
            self.assertIn(f"line 2: unknown setting '{name}'", run.result["error"]["cause"])

    def test_version_is_one_line(self):
        self.assertEqual(self.run_it("-V").out, self.run_it("--version").out)
        run = self.run_it("--version")
        self.expect(run, 0)
        self.assertRegex(run.out, r"^bmsflash \d+\.\d+\.\d+\n$")

    def test_a_bad_option_is_a_usage_error_with_the_nearest_name(self):
        run = self.run_it("probe", "--iff", "can0")
        self.expect(run, 2)
        self.assertIn("did you mean '--if'", run.err)
        self.assertIn("Next       bmsflash", run.err)

    def test_a_bad_command_line_still_ends_in_a_json_result(self):
        run = self.run_json("flash")
        self.expect(run, 2)
        self.assertEqual(run.result["exit"], "usage")
        self.assertEqual(run.result["state"], "untouched")

    def test_a_writing_command_needs_an_interface(self):
        run = self.run_json("flash", common.image("app-1.5.0.signed.bin"))
        self.expect(run, 2)
        self.assertIn("--if", run.result["error"]["cause"])


common.main()
