#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the program costs, in instructions: the same on a quiet computer and on a busy one."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))
import common  # noqa: E402

VALGRIND = shutil.which("valgrind")


@unittest.skipIf(common.SANITIZED, "figures of a sanitized build say nothing")
@unittest.skipUnless(VALGRIND, "valgrind counts the instructions")
class Cost(common.Case):
    def instructions(self, *words, status=0, options=()):
        run = subprocess.run([VALGRIND, "--tool=callgrind", "--callgrind-out-file=/dev/null", *options, common.BIN, *words],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
                             check=False)
        err = run.stderr.decode()
        self.assertIn(run.returncode, status if isinstance(status, tuple) else (status,), err)
        return int(re.search(r"Collected : (\d+)", err).group(1))

    def test_starting(self):
        """The dynamic linker has nearly all of it: libraries of libraries. Ours is what main() does."""
        self.assertLess(self.instructions("--version"), 20_000_000)
        self.assertLess(self.instructions("--version", options=["--toggle-collect=main"]), 300_000)
        self.assertLess(self.instructions("probe", "--help", options=["--toggle-collect=main"]), 1_000_000)

    def test_verifying_an_image_of_512_kib(self):
        count = self.instructions("verify", "--key", common.KEY, common.image("app-1.5.0.padded-test.bin"))
        self.assertLess(count, 50_000_000)

    @unittest.skipUnless("rs485" in common.TRANSPORTS and "uds" in common.PROTOCOLS, "built without serial ports or UDS")
    def test_waiting_for_an_answer(self):
        master, slave = os.openpty()
        try:
            count = self.instructions("probe", "--if", os.ttyname(slave), "--baud", "115200", "--timeout", "3s",
                                      status=(12, 13, 50))
        finally:
            os.close(master)
            os.close(slave)
        # A loop that asks the clock again and again would need more than a thousand million.
        self.assertLess(count, 20_000_000)


unittest.main()
