#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No file and no pack makes bmsflash take memory because it says so: everything hostile that the tests have, and files that
announce gigabytes, are read with little more address space than the program needs for a good file."""
import os
import resource
import struct
import subprocess
import tempfile
import unittest

from common import BIN, DATA, KEY, PROTOCOLS, SANITIZED, VIRTUAL_UDS, image

CORPUS = os.path.join(os.path.dirname(DATA), "fuzz", "corpus")
MIB = 1 << 20
ROOM = 64 * MIB  # one image, archive or object
ENDS = {0, 2, 20, 21, 22, 23, 40}
NAMES = {"ihex": ".hex", "srec": ".srec", "elf": ".elf", "dfu": ".dfu", "vbf": ".vbf", "mcuboot": ".bin", "maker": ".bin",
         "archive": ".tar", "minisign": ".minisig", "profile": ".ini", "record": ".ndjson", "key": ".pem"}


def run(words, limit, home):
    def confine():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    env = {**os.environ, "HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
    return subprocess.run([BIN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                          preexec_fn=confine, timeout=120, check=False)


def hex_line(kind, addr, data):
    body = bytes([len(data), addr >> 8, addr & 0xFF, kind]) + data
    return b":" + (body + bytes([-sum(body) & 0xFF])).hex().upper().encode() + b"\n"


def srec_line(addr, data):
    body = bytes([len(data) + 5]) + struct.pack(">I", addr) + data
    return b"S3" + (body + bytes([~sum(body) & 0xFF])).hex().upper().encode() + b"\n"


def elf(filesz, memsz):
    head = b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    return head + struct.pack("<8I", 1, 84, 0, 0x08000000, filesz, memsz, 5, 4) + bytes(16)


def announced():
    """Files of some bytes that say they are of gigabytes."""
    yield "far.hex", b"".join(hex_line(4, 0, struct.pack(">H", a)) + hex_line(0, 0, b"12345678") for a in range(0, 65536, 97)) + \
        hex_line(1, 0, b"")
    yield "near.hex", b"".join(hex_line(4, 0, struct.pack(">H", a)) + b"".join(hex_line(0, o, b"1") for o in range(0, 65536, 4000))
                               for a in range(0, 4096)) + hex_line(1, 0, b"")
    yield "far.srec", b"".join(srec_line(a, b"1234") for a in range(0, 1 << 32, 1 << 22))
    yield "file.elf", elf(0xFFFFFF00, 0xFFFFFF00)
    yield "memory.elf", elf(16, 0xFFFFFFFF)
    yield "image.bin", struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, 32, 0xFFFF, 0xFFFFFFC0, 0, 1, 5, 0, 0, 0) + bytes(64)
    yield "targets.dfu", b"DfuSe\1" + struct.pack("<IB", 0xFFFFFFF0, 255) + bytes(400)
    yield "member.tar", b"manifest.json".ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"77777777777\0" + \
        b"00000000000\0" + b"        0".ljust(9) + bytes(355)
    yield "zeros.bin", bytes(MIB)


@unittest.skipIf(SANITIZED, "the sanitizers' shadow needs all address space that there is")
class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        good = image("app-1.5.0.signed.bin")
        cls.base = next(n * MIB for n in range(8, 512, 4)
                        if run(["verify", "--key", KEY, good], n * MIB, cls.tmp.name).returncode == 0)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def ends_well(self, words, ends=frozenset(ENDS)):
        done = run(words, self.base + ROOM, self.tmp.name)
        text = done.stdout.decode("utf-8", "replace")
        self.assertIn(done.returncode, ends, f"{words}: {text[-500:]}")
        self.assertNotIn("no memory", text, words)

    def test_images_of_the_tests(self):
        for name in sorted(os.listdir(os.path.join(DATA, "mcuboot"))):
            if name.endswith(".bin"):
                self.ends_well(["verify", "--key", KEY, image(name)])

    def test_the_corpus(self):
        for kind, end in NAMES.items():
            folder = os.path.join(CORPUS, kind)
            for name in sorted(os.listdir(folder))[::max(1, len(os.listdir(folder)) // 8)] if os.path.isdir(folder) else []:
                path = os.path.join(self.tmp.name, "input" + end)
                with open(os.path.join(folder, name), "rb") as f, open(path, "wb") as to:
                    to.write(f.read())
                self.ends_well(["verify", "--key", KEY, path])

    def test_files_that_announce_gigabytes(self):
        for name, content in announced():
            path = os.path.join(self.tmp.name, name)
            with open(path, "wb") as f:
                f.write(content)
            self.ends_well(["verify", "--key", KEY, path])

    @unittest.skipUnless(VIRTUAL_UDS and "dfu" in PROTOCOLS, "built without the virtual pack")
    def test_packs_that_say_too_much(self):
        everything = frozenset({0, 10, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 40, 41, 42, 44, 50})
        for model in ("hostile", "standard", "zhidou", "nxp", "vw", "volvo", "tesla", "geehy"):
            for words in (["probe"], ["backup"], ["flash", "--key", KEY, image("app-1.5.0.signed.bin")]):
                self.ends_well([words[0], "--if", f"sim:model={model}", *words[1:]], everything)


if __name__ == "__main__":
    unittest.main()
