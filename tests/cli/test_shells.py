#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The completions, asked of the real shells."""
import json
import os
import shutil
import subprocess
import unittest

import common
import terminal

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
        self.assertEqual(sorted(self.complete("bmsflash", "")), sorted([*TABLE["commands"], "help"]))
        self.assertEqual(self.complete("bmsflash", "fl"), ["flash"])
        self.assertEqual(sorted(self.complete("bmsflash", "help", "")), sorted(TABLE["commands"]))
        self.assertEqual(sorted(self.complete("bmsflash", "-")), ["--help", "--version", "-V", "-h"])

    def test_every_option_of_every_command_is_offered(self):
        for command in TABLE["commands"]:
            offered = self.complete("bmsflash", command, "--")
            wanted = ["--" + o["name"] for o in TABLE["options"] if command in o["commands"]]
            self.assertEqual(sorted(offered), sorted(wanted), command)

    def test_values_are_offered_where_they_are_known(self):
        self.assertIn("single-bank", self.complete("bmsflash", "flash", "--allow", "s"))
        self.assertIn("sim", self.complete("bmsflash", "probe", "--if", "s"))
        for option in TABLE["options"]:
            for value in option["choices"]:
                self.assertIn(value, self.complete("bmsflash", option["commands"][0], "--" + option["name"], value[:1]))


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

    def test_commands_and_values_are_offered(self):
        self.assertEqual(sorted(self.complete("bmsflash ")), sorted([*TABLE["commands"], "help"]))
        self.assertEqual(sorted(self.complete("bmsflash help ")), sorted(TABLE["commands"]))
        for option in TABLE["options"]:
            for value in option["choices"]:
                self.assertIn(value, self.complete(f"bmsflash {option['commands'][0]} --{option['name']} "))


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
                    for value in option["choices"]:
                        self.assertRegex(rows, f"--{option['name']}[^\n]*\\b{value}\\b")

    def missing(self, line, words):
        """Those that a shell on a terminal does not list after a tab."""
        term = terminal.Terminal(self, ["-f"], 160, program=["zsh"], PS1="> ", ZDOTDIR=self.dir)
        for command in (f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit && compinit -u -d {self.dir}/dump; clear; "
                        "echo re''ady\n", line + "\t"):
            self.assertTrue(term.pump("> "), term.text())
            term.type(command)
            self.assertTrue(term.pump("ready"), term.text())
        return [word for word in words if not term.pump(word, 20)]

    @unittest.skipUnless(terminal.pyte, terminal.NEEDS_PYTE)
    def test_commands_are_offered(self):
        self.assertEqual(self.missing("bmsflash ", [*TABLE["commands"], "help"]), [])
        self.assertEqual(self.missing("bmsflash help ", TABLE["commands"]), [])


common.main()
