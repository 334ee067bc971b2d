# SPDX-License-Identifier: MIT
"""Every example profile of a maker's bootloader against the virtual bootloader of its name: flashed, cut in the middle and
brought to a proven end by the printed command, and rolled back."""
import os
import shlex
import shutil
import subprocess
import unittest

import common
from common import ROOT, VIRTUAL_UDS, image

V14 = image("app-1.4.0.signed.bin")
V15 = image("app-1.5.0.signed.bin")
ALLOW = ("--allow", "no-hardware,no-backup,single-bank")
PROFILES = os.path.join(ROOT, "data", "profiles")
DRIVERS = os.path.join(common.DATA, "maker")  # signed by the key in acme.pub, as a maker's are
CHECKED = "New firmware 1.5.0 is proven running."
UNCHECKED = "New firmware 1.5.0 is proven running; contents not checked."

# What a flash ends with; how many spoilt downloads make it go back to the fallback, 0: nothing of it notices.
MAKERS = {
    "zhidou": (CHECKED, 3),
    "nxp": (CHECKED, 1),
    "vw": (CHECKED, 3),
    "volvo": (CHECKED, 0),
    "tesla": (CHECKED, 3),
    "geehy": (UNCHECKED, 0),
    "kline": (CHECKED, 3),
}


READABLE = ("tesla",)

# All that a server needs which has 10, 22 F189, 27, 31 FF00, 34, 36, 37 and 11 alone.
TEN_LINES = """[pack]
protocol = uds
[can]
request-id = 0x7E0
response-id = 0x7E8
[region app]
address = 0x08010000
size = 0x40000
access = erase, write
"""


@unittest.skipUnless(VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Makers(common.Case):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(common.DATA, "auth", "seed-to-key"), self.dir)
        for name in os.listdir(DRIVERS):
            shutil.copy(os.path.join(DRIVERS, name), self.dir)
        for name in MAKERS:
            shutil.copy(os.path.join(PROFILES, f"maker-{name}.ini"), self.dir)

    def test_every_example_is_here(self):
        there = {n[len("maker-"):-len(".ini")] for n in os.listdir(PROFILES) if n.startswith("maker-")}
        self.assertEqual(there, set(MAKERS))

    def pack(self, name, *keys):
        """Its address; its flash outlives the run."""
        link = [] if name == "kline" else ["link=can"]
        return "sim:" + ",".join([f"state={self.path('pack-' + name)}", f"model={name}", *link, *keys])

    def words(self, name):
        return ("--profile", self.path(f"maker-{name}.ini"), "--key", common.KEY, "--key", self.path("acme.pub"))

    def flash(self, name, *keys, words=()):
        return self.run_json("flash", "--if", self.pack(name, *keys), *self.words(name), *ALLOW, *words, V15)

    def typed(self, name, command):
        """Types what was printed, at a pack that keeps its power."""
        words = shlex.split(command)
        self.assertEqual(words[0], "bmsflash")
        words[words.index("--if") + 1] = self.pack(name)
        return self.run_json(*words[1:])

    def test_flash(self):
        for name, (sentence, _) in MAKERS.items():
            with self.subTest(name):
                run = self.flash(name)
                self.expect(run, 0)
                self.assertEqual(run.result["sentence"], sentence)
                self.assertIsNone(run.result["backup"])

    def test_a_cut_in_the_middle_ends_proven_by_what_is_printed(self):
        for name, (sentence, _) in MAKERS.items():
            for cut in ("cutop=2000", "cutop=2000,repower=300"):
                with self.subTest(name, cut=cut):
                    state = self.path("pack-" + name)
                    if os.path.exists(state):
                        os.remove(state)
                    run = self.flash(name, cut)
                    if run.status or "repower" not in cut:  # power that came back in time lets the same run end
                        self.assertIn(run.status, (13, 42), run.out)
                        self.assertNotEqual(run.result["state"], "new-proven")
                        command = run.result["error"]["next"]
                        if shlex.split(command)[1] == "probe":
                            again = self.typed(name, command)
                            command = again.result.get("error", {}).get("next")
                            self.assertTrue(command, again.out)
                        run = self.typed(name, command)
                    self.expect(run, 0)
                    self.assertEqual(run.result["sentence"], sentence)

    def test_without_a_backup_the_fallback_brings_it_back(self):
        for name, (_, spoilt) in MAKERS.items():
            if not spoilt:
                continue
            with self.subTest(name):
                run = self.flash(name, "quirk=flip", f"flips={spoilt}", words=("--fallback", V14))
                self.expect(run, 41)
                self.assertEqual(run.result["sentence"], "The fallback 1.4.0 is running.")
                self.assertEqual(run.result["state"], "old-running")
                probe = self.run_json("probe", "--if", self.pack(name), *self.words(name)[:2])
                self.assertEqual(probe.of("device")[0]["version"], "1.4.0")

    def test_rollback_says_what_these_packs_cannot(self):
        for name in MAKERS:
            with self.subTest(name):
                self.expect(self.flash(name), 0)
                run = self.run_json("rollback", "--if", self.pack(name), *self.words(name), *ALLOW)
                self.expect(run, 33)
                self.assertEqual(run.result["sentence"], "Old firmware 1.5.0 is still running.")
                self.assertIn("no previous firmware to go back to", run.result["error"]["cause"])
                self.assertIn("rollback --from" if name in READABLE else "--allow downgrade", run.result["error"]["do"])
                # ... and what it advises does it.
                run = self.run_json("flash", "--if", self.pack(name), *self.words(name),
                                    "--allow", "no-hardware,no-backup,single-bank,downgrade", V14)
                self.expect(run, 0)

    def test_a_pack_that_can_be_read_gets_its_own_firmware_back(self):
        for name in READABLE:
            with self.subTest(name):
                run = self.run_json("flash", "--if", self.pack(name), *self.words(name), "--allow", "no-hardware", V15)
                self.expect(run, 0)
                archive = run.result["backup"]
                run = self.run_json("rollback", "--if", self.pack(name), *self.words(name), "--from", archive,
                                    "--allow", "no-hardware,downgrade")
                self.expect(run, 0)
                self.assertEqual(run.result["version"], "1.3.0")

    def test_a_plain_server_is_flashed_with_ten_lines(self):
        self.assertLessEqual(TEN_LINES.count("\n"), 10)
        with open(self.path("plain.ini"), "w", encoding="utf-8") as f:
            f.write(TEN_LINES)
        for habit in ("", ",quirk=mute,quirk=onedid,quirk=nojump", ",quirk=no3e,quirk=jump", ",block=0"):
            with self.subTest(habit):
                run = self.run_json("flash", "--if", "sim:model=standard,link=can,check=none,auth=27" + habit, "--profile",
                                    self.path("plain.ini"), "--key", common.KEY, "--auth-key",
                                    os.path.join(common.DATA, "auth", "technician.pem"), *ALLOW, V15)
                self.expect(run, 0)
                self.assertEqual(run.result["sentence"], UNCHECKED)

    @unittest.skipUnless("stm32" in common.PROTOCOLS, "built without the family stm32")
    def test_a_uds_application_leads_into_a_bootloader_in_rom(self):
        """10 02 of the application starts the chip's own loader; after the restart only the application is asked."""
        with open(self.path("joined.ini"), "w", encoding="utf-8") as f:
            f.write("[pack]\napplication = uds\nloader = stm32\n[rs485]\nframing = hdlc\n[entry]\nhow = request\n"
                    "[region app]\naddress = 0x08010000\nsize = 0x10000\n")
        pack = f"sim:state={self.path('rom')},link=rs485,protocol=stm32,model=f103,boot0=low"
        words = ("--profile", self.path("joined.ini"))
        trace = self.path("trace.log")
        run = self.run_json("flash", "--if", pack, *words, "--key", common.KEY, "--trace", trace, V15)
        self.expect(run, 0)
        self.assertEqual(run.result["sentence"], CHECKED)
        self.assertEqual({c["verdict"] for c in run.of("self-test")}, {"pass"})
        self.assertFalse(run.of("device")[-1]["in_bootloader"])
        with open(trace, encoding="utf-8") as f:
            lines = f.read().splitlines()
        parity = [line.rsplit(" ", 1)[1] for line in lines if " line 115200 " in line]
        self.assertEqual((parity[0], parity[-1]), ("8N1", "8N1"))
        self.assertEqual([p for a, p in zip(parity, parity[1:]) if a != p], ["8E1", "8N1"])  # there once, and back
        probe = self.run_json("probe", "--if", pack, *words)
        self.assertEqual(probe.of("device")[0]["version"], "1.5.0")

    @unittest.skipUnless(shutil.which("minisign"), "no minisign")
    def test_every_command_of_the_manual_for_makers_can_be_typed(self):
        """In their order, at a plain server. Its firmware has no header, so the virtual pack tells no version: 44."""
        with open(os.path.join(ROOT, "man", "bmsflash-maker.7.scd"), encoding="utf-8") as f:
            text = f.read()
        os.remove(self.path("acme.pub"))  # of the drivers
        profile = text.split("```\n")[1].replace("0x700", "0x7E0").replace("0x708", "0x7E8")
        with open(self.path("acme-16s.ini"), "w", encoding="utf-8") as f:
            f.write(profile)
        for name, version in (("app.hex", "1.5.0"), ("app-1.4.0.hex", "1.4.0")):
            with open(os.path.join(common.FIRMWARE, f"app-{version}.bin"), "rb") as f:
                write_hex(self.path(name), 0x08010000, f.read()[:20000])
        wanted = {"probe": [0], "verify": [0], "--dry-run": [0], "--trace": [44], "--fallback": [44]}
        pack = "sim:model=standard,link=can,class=ACME-16S,check=none"
        typed = []
        for line in text.splitlines():
            if not line.startswith(("\tbmsflash ", "\tminisign ")):
                continue
            words = shlex.split(line.replace("can0", pack))
            if words[0] == "minisign":  # without a password, which takes it seconds each time
                names = ["app.hex", "app-1.4.0.hex"] if "-S" in words else [None]
                for name in names:
                    again = [name if w == "app.hex" else w.replace("1.5.0", name[4:9] if name[3] == "-" else "1.5.0")
                             for w in words] if name else [*words, "-W"]
                    done = subprocess.run(again, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.STDOUT, env=self.env, timeout=60, check=False)
                    self.assertEqual(done.returncode, 0, done.stdout)
                continue
            what = next(k for k in reversed(wanted) if k in words)
            with self.subTest(line.strip()):
                run = self.run_it(*words[1:], cwd=self.dir)
                self.assertIn(run.status, wanted[what], run.out + run.err)
            typed.append(what)
        self.assertEqual(typed, list(wanted))
        self.assertGreater(os.path.getsize(self.path("first.log")), 10000)


def write_hex(path, base, data):
    def record(kind, addr, part):
        body = bytes([len(part), addr >> 8 & 255, addr & 255, kind]) + part
        return ":" + (body + bytes([-sum(body) & 255])).hex().upper() + "\n"

    with open(path, "w", encoding="ascii") as f:
        for at in range(0, len(data), 16):
            if at == 0 or (base + at) & 0xFFFF == 0:
                f.write(record(4, 0, (base + at >> 16).to_bytes(2, "big")))
            f.write(record(0, base + at & 0xFFFF, data[at:at + 16]))
        f.write(record(1, 0, b""))


if __name__ == "__main__":
    common.main()
