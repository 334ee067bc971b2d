#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The completions, asked of the real shells."""
import json
import os
import shutil
import subprocess
import unittest

import common

COMPLETIONS = os.environ["BMSFLASH_COMPLETIONS"]
TABLE = json.loads(subprocess.run([os.environ["BMSFLASH_GEN_CLI"], "json"], check=True,
                                  stdout=subprocess.PIPE).stdout)


class Bash(common.Case):
    def complete(self, *words):
        script = f"""
source {COMPLETIONS}/bmsflash
COMP_WORDS=({' '.join("'" + w + "'" for w in words)})
COMP_CWORD={len(words) - 1}
_bmsflash
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        done = subprocess.run(["bash", "--norc", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        return done.stdout.decode().split()

    def test_commands_are_offered_first(self):
        self.assertEqual(sorted(self.complete("bmsflash", "")), sorted(TABLE["commands"]))
        self.assertEqual(self.complete("bmsflash", "fl"), ["flash"])

    def test_every_option_of_every_command_is_offered(self):
        for command in TABLE["commands"]:
            offered = self.complete("bmsflash", command, "--")
            wanted = ["--" + o["name"] for o in TABLE["options"] if command in o["commands"]]
            self.assertEqual(sorted(offered), sorted(wanted), command)

    def test_values_are_offered_where_they_are_known(self):
        self.assertIn("single-bank", self.complete("bmsflash", "flash", "--allow", "s"))
        self.assertIn("sim", self.complete("bmsflash", "probe", "--if", "s"))
        self.assertEqual(self.complete("bmsflash", "probe", "--progress", "pl"), ["plain"])


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(common.Case):
    def complete(self, line):
        script = f"source {COMPLETIONS}/bmsflash.fish; complete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.env, check=False)
        return [row.split("\t")[0] for row in done.stdout.decode().splitlines()]

    def test_every_option_of_every_command_is_offered(self):
        for command in TABLE["commands"]:
            offered = self.complete(f"bmsflash {command} --")
            for option in TABLE["options"]:
                if command in option["commands"]:
                    self.assertTrue([o for o in offered if o.rstrip("=") == "--" + option["name"]],
                                    (command, option["name"], offered))


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(common.Case):
    def test_every_option_is_in_the_arguments_of_its_command(self):
        with open(os.path.join(COMPLETIONS, "_bmsflash"), encoding="utf-8") as f:
            text = f.read().replace('_bmsflash "$@"', "")
        script = "local_test() {\n" + text + "\n_bmsflash_options $1; print -l -- $_bmsflash_args }\nlocal_test $1"
        for command in TABLE["commands"]:
            done = subprocess.run(["zsh", "-f", "-c", script, "zsh", command], stdout=subprocess.PIPE, check=True)
            rows = done.stdout.decode()
            for option in TABLE["options"]:
                if command in option["commands"]:
                    self.assertIn("--" + option["name"], rows)


common.main()
