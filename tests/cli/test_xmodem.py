# SPDX-License-Identifier: MIT
"""What bmsflash sends by XMODEM is received by programs of others, byte for byte: rx of lrzsz, and python3-xmodem. And a bootloader
that a text on a console starts."""
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
        self.name = common.untroubled(os.ttyname(slave))
        self.slave = slave

    def close(self):
        os.close(self.peer)
        os.close(self.slave)


class OnALine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.line = Line()
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.line.close)

    def profile(self, text):
        path = os.path.join(self.folder, "x.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[pack]\nname = x\nloader = xmodem\nrestart-ms = 1000\n[entry]\nhow = there\n[telemetry]\nsource = none\n"
                    "[xmodem]\nlisten-ms = 1000\npad = 0xFF\n" + text)
        return path

    def flash(self, profile, then=lambda: None):
        """`then` is called once bmsflash has the line and listens: what came before is lost, and many say it again only after
        ten seconds."""
        run = subprocess.Popen([common.BIN, "flash", "--if", self.line.name, "--profile", profile, "--key", KEY,
                                "--addr", "0x08010200", "--allow", ALLOW, "--json", FILE], stdout=subprocess.PIPE,
                               env=dict(os.environ, XDG_STATE_HOME=self.folder, HOME=self.folder))
        limit = threading.Timer(240, run.kill)
        limit.start()
        with run.stdout as events:
            for event in events:
                if b'"event":"alive"' in event:
                    then()
                    break
            rest = events.read()
        run.wait()
        limit.cancel()
        self.assertEqual(run.returncode, 0, rest.decode()[-2000:])

    def compare(self, got, block):
        with open(FILE, "rb") as f:
            want = f.read()
        self.assertEqual(got[:len(want)], want)
        self.assertEqual(len(got), (len(want) + block - 1) // block * block)
        self.assertEqual(set(got[len(want):]) - {0xFF}, set())


class Judges(OnALine):
    def pass_on(self, receiver):
        """Between the line and the receiver's pipes; the line stays when the receiver has gone."""
        peer, out = self.line.peer, receiver.stdout.fileno()
        while True:
            for fd in select.select([peer, out], [], [])[0]:
                data = os.read(fd, 4096)
                if not data:
                    return
                os.write(peer if fd == out else receiver.stdin.fileno(), data)

    def lrzsz(self, options, block, keys):
        if not shutil.which("rx"):
            self.skipTest(missing("rx"))
        target = os.path.join(self.folder, "got")
        started = []

        def start():
            receiver = subprocess.Popen(["rx", "-b", *options, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
            thread = threading.Thread(target=self.pass_on, args=(receiver,))
            thread.start()
            started.extend((receiver, thread))

        try:
            self.flash(self.profile(keys), start)
        finally:
            for receiver in started[:1]:
                receiver.kill()
                receiver.wait()
            for thread in started[1:]:
                thread.join(10)
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
        self.flash(self.profile("check = %s\nready = %s\n" % (("crc", "c") if crc else ("sum", "nak"))), thread.start)
        thread.join(60)
        self.assertTrue(result and result[0])
        self.compare(sink.data, 128)

    def test_python_xmodem_takes_blocks_with_a_sum(self):
        self.python_xmodem(0)

    def test_python_xmodem_takes_blocks_with_a_crc(self):
        self.python_xmodem(1)


class Console(threading.Thread):
    """A pack of nobody in particular: its firmware has a console, and a word there starts an XMODEM bootloader."""

    def __init__(self, peer, crc, typed=b"upgrade\r\n"):
        super().__init__(daemon=True)
        self.peer, self.crc, self.typed = peer, crc, typed
        self.image, self.before, self.ended = b"", b"", False

    def get(self, n, timeout):
        got = b""
        while len(got) < n and select.select([self.peer], [], [], timeout)[0]:
            got += os.read(self.peer, n - len(got))
        return got

    def check(self, data):
        if not self.crc:
            return bytes([sum(data) & 0xFF])
        value = 0
        for byte in data:
            value ^= byte << 8
            for _ in range(8):
                value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
        return value.to_bytes(2, "big")

    def run(self):
        while not self.before.endswith(self.typed):
            self.before += self.get(1, 60)
        os.write(self.peer, b"ok, restarting\r\nLoader 3.1\r\n")
        first = b""
        while not first:
            os.write(self.peer, b"C" if self.crc else b"\x15")
            first = self.get(1, 1)
        number, refused = 1, False
        while first == b"\x01":
            head, data = self.get(2, 5), self.get(128, 5)
            good = head == bytes([number & 0xFF, ~number & 0xFF]) and self.get(2 if self.crc else 1, 5) == self.check(data)
            # one block is refused although it is good: it comes again
            if good and number == 7 and not refused:
                good, refused = False, True
            if good:
                self.image += data
                number += 1
            os.write(self.peer, b"\x06" if good else b"\x15")
            first = self.get(1, 5)
        # the first end is not believed, as many receivers do
        if first == b"\x04":
            os.write(self.peer, b"\x15")
            self.ended = self.get(1, 5) == b"\x04"
            os.write(self.peer, b"\x06\r\nProgramming done\r\n")


class ByText(OnALine):
    def entered_by_a_text(self, crc):
        console = Console(self.line.peer, crc)
        console.start()
        path = os.path.join(self.folder, "x.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[pack]\nname = x\nloader = xmodem\nrestart-ms = 1000\n[entry]\nhow = text\ntext = upgrade\\r\\n\n"
                    "[telemetry]\nsource = none\n[xmodem]\nlisten-ms = 1000\npad = 0xFF\nbanner = Loader 3\n"
                    "done = Programming done\ncheck = %s\nready = %s\n" % (("crc", "c") if crc else ("sum", "nak")))
        self.flash(path)
        console.join(60)
        self.assertTrue(console.ended)
        self.compare(console.image, 128)
        self.assertEqual(console.before, b"upgrade\r\n", "more than the word was typed")

    def test_a_bootloader_that_a_text_starts_takes_blocks_with_a_crc(self):
        self.entered_by_a_text(True)

    def test_a_bootloader_that_a_text_starts_takes_blocks_with_a_sum(self):
        self.entered_by_a_text(False)


if __name__ == "__main__":
    unittest.main()
