# SPDX-License-Identifier: MIT
"""What bmsflash sends by XMODEM is received by programs of others, byte for byte: rx of lrzsz, and python3-xmodem."""
import os
import pty
import select
import shutil
import subprocess
import tempfile
import threading
import tty
import unittest

import common

FILE = os.path.join(common.FIRMWARE, "app-1.5.0.bin")
KEY = os.path.join(common.DATA, "minisign", "release.pub")
ALLOW = "single-bank,no-backup,no-hardware,no-proof"

try:
    import xmodem
except ImportError:
    xmodem = None


def missing(what):
    """A reason to skip for a user; where all tools must be there (CI) the test fails."""
    if os.environ.get("CI"):
        raise AssertionError(what + " is not installed")
    return what + " is not installed"


class Line:
    """A pseudo terminal; its other end belongs to the receiver."""

    def __init__(self):
        self.peer, slave = pty.openpty()
        tty.setraw(self.peer)
        tty.setraw(slave)
        self.name = os.ttyname(slave)
        self.slave = slave

    def close(self):
        os.close(self.peer)
        os.close(self.slave)


class Judges(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.line = Line()
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.line.close)

    def profile(self, text):
        path = os.path.join(self.folder, "x.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[pack]\nname = x\nprotocol = xmodem\nrestart-ms = 1000\n[telemetry]\nsource = none\n[xmodem]\nlisten-ms = 15000\n"
                    "pad = 0xFF\n" + text)
        return path

    def flash(self, profile, statuses=(0, 44)):
        done = subprocess.run([common.BIN, "flash", "--if", self.line.name, "--profile", profile, "--key", KEY,
                               "--addr", "0x08010200", "--allow", ALLOW, FILE],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240, check=False,
                              env=dict(os.environ, XDG_STATE_HOME=self.folder, HOME=self.folder))
        self.assertIn(done.returncode, statuses, done.stderr.decode())

    def compare(self, got, block):
        with open(FILE, "rb") as f:
            want = f.read()
        self.assertEqual(got[:len(want)], want)
        self.assertEqual(len(got), (len(want) + block - 1) // block * block)
        self.assertEqual(set(got[len(want):]) - {0xFF}, set())

    def lrzsz(self, options, block, keys):
        for tool in "rx", "socat":
            if not shutil.which(tool):
                self.skipTest(missing(tool))
        target = os.path.join(self.folder, "got")
        link = os.path.join(self.folder, "line")
        receiver = subprocess.Popen(["socat", "PTY,raw,echo=0,link=" + link,
                                     "EXEC:rx -b %s %s,pipes" % (" ".join(options), target)],
                                    stderr=subprocess.DEVNULL)
        while not os.path.exists(link):
            self.assertIsNone(receiver.poll())
        self.line.name = link
        try:
            # the line goes with rx, which has all by then
            self.flash(self.profile(keys), (0, 13, 44))
            receiver.wait(timeout=30)
        finally:
            receiver.kill()
            receiver.wait()
        with open(target, "rb") as f:
            self.compare(f.read(), block)

    def test_rx_takes_blocks_with_a_sum(self):
        self.lrzsz([], 128, "check = sum\nready = nak\n")

    def test_rx_takes_blocks_with_a_crc(self):
        self.lrzsz(["-c"], 128, "check = crc\nready = c\n")

    def test_rx_takes_blocks_of_1024_bytes(self):
        self.lrzsz(["-c"], 1024, "check = auto\nready = any\nblock = 1024\n")

    def python_xmodem(self, crc):
        if not xmodem:
            self.skipTest(missing("python3-xmodem"))
        peer = self.line.peer

        def getc(size, timeout=1):
            got = b""
            while len(got) < size:
                if not select.select([peer], [], [], timeout)[0]:
                    break
                got += os.read(peer, size - len(got))
            return got or None

        def putc(data, timeout=1):
            del timeout
            return os.write(peer, data)

        class Sink:
            data = b""

            def write(self, data):
                self.data += data

        sink = Sink()
        result = []
        thread = threading.Thread(target=lambda: result.append(
            xmodem.XMODEM(getc, putc).recv(sink, crc_mode=crc, retry=60, timeout=1, delay=0.1)))
        thread.start()
        self.flash(self.profile("check = %s\nready = %s\n" % (("crc", "c") if crc else ("sum", "nak"))))
        thread.join(60)
        self.assertTrue(result and result[0])
        self.compare(sink.data, 128)

    def test_python_xmodem_takes_blocks_with_a_sum(self):
        self.python_xmodem(0)

    def test_python_xmodem_takes_blocks_with_a_crc(self):
        self.python_xmodem(1)


if __name__ == "__main__":
    unittest.main()
