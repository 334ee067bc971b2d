#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bmsflash-signing(7), typed line by line: from a build to files that are verified and flashed."""
import os
import re
import shutil
import subprocess
import sys
import unittest

import common

TOOLS = ("minisign", "openssl", "objcopy")


def lines_of_the_page():
    with open(os.path.join(common.ROOT, "man", "bmsflash-signing.7.scd"), encoding="utf-8") as f:
        text = f.read()
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", text, re.S | re.M))
    # scdoc wants each backslash twice.
    rows = re.sub(r"\\\n\s*", "", blocks.replace("\\\\", "\\"))
    return [row.strip() for row in rows.splitlines()]


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
@unittest.skipUnless(all(shutil.which(tool) for tool in TOOLS), f"needs {', '.join(TOOLS)}")
class Signing(common.Case):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(common.FIRMWARE, "app-1.5.0.elf"), self.dir)
        os.mkdir(self.path("bin"))
        os.symlink(common.BIN, self.path("bin/bmsflash"))
        if not shutil.which("imgtool"):
            with open(self.path("bin/imgtool"), "w", encoding="utf-8") as f:
                f.write(f'#!/bin/sh\nexec {sys.executable} {os.path.dirname(os.path.abspath(__file__))}/imgtool.py "$@"\n')
            os.chmod(self.path("bin/imgtool"), 0o755)
        self.env["PATH"] = self.path("bin") + ":" + self.env["PATH"]
        self.env["XDG_CONFIG_HOME"] = self.path(".config")

    def type(self, line):
        """minisign asks for its password, twice when a key is made."""
        done = subprocess.run(["sh", "-c", line], input=b"correct horse\ncorrect horse\n", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.env, cwd=self.dir, timeout=120, check=False)
        return common.Run(done)

    def test_every_command_of_the_page_does_what_it_says(self):
        rows, seen = lines_of_the_page(), {}
        self.assertGreater(len(rows), 12)
        for line in rows:
            run = self.type(line)
            self.expect(run, 0)
            seen[line.split()[1] if line.startswith("bmsflash") else line.split()[0]] = run
        self.assertEqual({"verify", "flash", "imgtool", "minisign", "objcopy", "install"} - set(seen), set())
        self.assertIn("DONE       Pack BX16-000001 runs 1.5.0, verified by the pack", seen["flash"].out)

    def test_a_private_key_is_readable_by_its_owner_alone(self):
        for line in lines_of_the_page()[:3]:
            self.expect(self.type(line), 0)
        for name in ("release.pem", "release.key"):
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o077, 0, name)


common.main()
