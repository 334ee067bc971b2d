#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Help, version, and command lines that make no sense."""
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

    def test_version_is_one_line(self):
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
