# SPDX-License-Identifier: MIT
"""USB devices of others, as the models of the virtual pack have them: each model, three kinds of file, all commands."""
import datetime
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import unittest
import zlib

import common

APP, SLOT = 0x08010000, 0x80000
PAGE, BASE = 2048, 0x08000000
COMMENT = "version=1.5.0 security-counter=5 hw=BMS-16S-R3"
OWN_LOADER = 0x200  # of an MCUboot header, behind which the raw demonstration firmware is linked


def read(*parts):
    with open(os.path.join(common.DATA, *parts), "rb") as f:
        return f.read()


RAW, SIGNED = read("firmware", "app-1.5.0.bin"), read("mcuboot", "app-1.5.0.signed.bin")


# ---- the files ----

def record(kind, addr, data):
    r = bytes([len(data)]) + struct.pack(">HB", addr, kind) + data
    return ":" + (r + bytes([-sum(r) & 255])).hex().upper()


def ihex(segments):
    lines = []
    for addr, data in segments:
        upper = None
        for i in range(0, len(data), 16):
            if (addr + i) >> 16 != upper:
                upper = (addr + i) >> 16
                lines.append(record(4, 0, struct.pack(">H", upper)))
            lines.append(record(0, addr + i & 0xFFFF, data[i:i + 16]))
    return ("\n".join([*lines, record(1, 0, b"")]) + "\n").encode()


def with_suffix(body, vid, pid, form):
    body += struct.pack("<HHHH", 0xFFFF, pid, vid, form) + b"UFD\x10"
    return body + struct.pack("<I", zlib.crc32(body) ^ 0xFFFFFFFF)


def dfu(body):
    return with_suffix(body, 0xFFFF, 0xFFFF, 0x0100)


def dfuse(alt, vid, pid):
    element = struct.pack("<II", APP + OWN_LOADER, len(RAW)) + RAW
    target = b"Target" + struct.pack("<BI255sII", alt, 1, b"firmware", len(element), 1) + element
    return with_suffix(b"DfuSe\x01" + struct.pack("<IB", 11 + len(target), 1) + target, vid, pid, 0x011A)


def two(body, start, gap):
    """Firmware, and something behind it."""
    end = start + len(body) + 15 & ~15
    return ihex([(start, body), (end + gap, b"defaults of 1.5.0 " * 9)])


FILES = {
    "signed.bin": SIGNED,
    "raw.dfu": dfu(RAW),
    "signed.dfu": dfu(SIGNED),
    "st.dfu": dfuse(0, 0x0483, 0xDF11),
    "alt1.dfu": dfuse(1, 0x0483, 0xDF11),
    "any.dfu": dfuse(0, 0xFFFF, 0xFFFF),
    "other.dfu": dfuse(0, 0x1234, 0x5678),
    "two.hex": two(RAW, APP + OWN_LOADER, 0x400),
    "far.hex": two(RAW, APP + OWN_LOADER, 0x10000),  # farther than a stream is joined over
    "signed.hex": two(SIGNED, APP, 0x400),
}
SIGNATURE_OF_ITS_OWN = "signed.bin"

# ---- the models ----

STREAM, MEMORY, SLOTS = "stream", "memory", "slots"
# form, erase unit, files of three kinds, options of flash, readable, exit code of flash, of a HEX file whose second
# segment is far away
MODELS = {
    "stm32app": (MEMORY, 2048, ["signed.bin", "st.dfu", "two.hex"], [], True, 0, 0),
    "st-rom": (MEMORY, 2048, ["signed.bin", "alt1.dfu", "two.hex"], [], True, 0, 0),
    "stm32f4": (MEMORY, 0x10000, ["signed.bin", "st.dfu", "two.hex"], [], True, 0, 0),
    # its pages are half as many as the map says: nothing is behind 0x08020000
    "gd32": (MEMORY, 1024, ["signed.bin", "any.dfu", "two.hex"], [], True, 0, 22),
    # nothing can be read, so nobody knows where an MCUboot image lies
    "opencm3": (MEMORY, 1024, ["signed.bin", "any.dfu", "two.hex"],
                ["--allow", "no-backup,single-bank"], False, 0, 0),
    "tinyusb": (STREAM, 0, ["signed.bin", "raw.dfu", "two.hex"], [], True, 0, 20),
    "dapboot": (STREAM, 0, ["signed.bin", "raw.dfu", "two.hex"], [], True, 0, 20),
    "maple": (STREAM, 0, ["signed.bin", "raw.dfu", "two.hex"], ["--alt", "1"], True, 0, 20),
    "cherryusb": (STREAM, 0, ["signed.bin", "raw.dfu", "two.hex"],
                  ["--allow", "no-backup,single-bank"], False, 0, 20),
    # MCUboot starts what is signed; only power starts it on the first
    "zephyr": (SLOTS, 0, ["signed.bin", "signed.dfu", "signed.hex"],
               ["--alt", "image_1", "--allow", "no-backup,single-bank"], True, 44, 20),
    "zephyr-next": (SLOTS, 0, ["signed.bin", "signed.dfu", "signed.hex"],
                    ["--alt", "image_1", "--allow", "no-backup,single-bank"], True, 0, 20),
    "mcuboot": (SLOTS, 0, ["signed.bin", "signed.dfu", "signed.hex"],
                ["--alt", "image_1", "--allow", "no-backup,single-bank"], True, 0, 20),
}


class Pack(common.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("minisign"):
            if os.environ.get("CI"):
                self.fail("minisign is not installed")
            self.skipTest("minisign is not installed")

    def sign(self, name):
        path = self.path(name)
        if os.path.exists(path):
            return path
        with open(path, "wb") as f:
            f.write(FILES[name])
        if name != SIGNATURE_OF_ITS_OWN:
            key = self.path("m.key")
            if not os.path.exists(key):
                subprocess.run(["minisign", "-G", "-W", "-p", self.path("m.pub"), "-s", key], check=True,
                               stdout=subprocess.DEVNULL)
            subprocess.run(["minisign", "-S", "-s", key, "-m", path, "-t", COMMENT], check=True,
                           stdout=subprocess.DEVNULL)
        return path

    def keys(self):
        mine = self.path("m.pub")
        return ["--key", common.KEY] + (["--key", mine] if os.path.exists(mine) else [])

    def flash_of(self, model):
        """All of the flash of the pack with this state, as its file has it."""
        with open(self.path(model + ".state"), "rb") as f:
            raw = f.read()
        self.assertEqual(raw[:8], b"BMSPACK1")
        at, pages = 23 + (4 if raw[22] & 2 else 0), {}
        while True:
            number, = struct.unpack_from("<H", raw, at)
            if number == 0xFFFF:
                return pages
            pages[BASE + number * PAGE] = raw[at + 2:at + 2 + PAGE]
            at += 2 + PAGE

    def outside(self, before, after, touched):
        """No byte differs but in the ranges [from, to)."""
        blank = b"\xff" * PAGE
        for page in sorted(set(before) | set(after)):
            a, b = before.get(page, blank), after.get(page, blank)
            for at in range(PAGE) if a != b else ():
                inside = any(low <= page + at < high for low, high in touched)
                self.assertTrue(a[at] == b[at] or inside, f"changed beside the image: 0x{page + at:08X}")

    def touched(self, form, unit, name):
        if form == STREAM:
            return [(APP, APP + SLOT)]
        if form == SLOTS:
            return [(APP, APP + 2 * SLOT + 0x2000)]
        begin, length = (APP, len(SIGNED)) if "signed" in name else (APP + OWN_LOADER, len(RAW))
        ends = [(begin, begin + length)]
        if name.endswith(".hex"):
            ends.append((begin + length + 15 & ~15, (begin + length + 15 & ~15) + 0x400 + 162))
        return [(low // unit * unit, -(-high // unit) * unit) for low, high in ends]

    def commands(self, model, name):
        form, unit, _, options, readable, status, _ = MODELS[model]
        state = self.path(model + ".state")
        pack = ["--if", f"sim:model={model},state={state}"]
        allow = [o.replace("no-backup", "no-hardware,no-backup") for o in options]
        allow += [] if "--allow" in options else ["--allow", "no-hardware"]
        if model == "opencm3" and name == SIGNATURE_OF_ITS_OWN:
            allow += ["--addr", f"0x{APP:08X}"]
        alt = [o for o in options if options[0] == "--alt"][:2]
        path, archive = self.sign(name), self.path("b.tar")
        if os.path.exists(state):
            os.unlink(state)
        if os.path.exists(archive):
            os.unlink(archive)

        self.expect(self.run_json("probe", *pack), 0)
        before = self.flash_of(model)
        self.expect(self.run_json("backup", *pack, *alt, "-o", archive), 0 if readable else 33)
        self.assertEqual(self.flash_of(model), before)

        # Another version runs. What does not say which of two images runs, or what it runs at all, is not compared.
        checked = self.run_json("verify", *pack, *alt, *self.keys(), path)
        tells = not alt and model != "opencm3"
        self.assertIn(checked.status, (40,) if tells else (33, 22), checked.out)
        self.assertEqual(self.flash_of(model), before)

        run = self.run_json("flash", *pack, *self.keys(), *allow, path)
        self.expect(run, status)
        self.outside(before, self.flash_of(model), self.touched(form, unit, name))
        if status == 44:  # switched off and on by closing: now it is proven, and nothing is written
            self.assertIn("switch the pack off and on", run.result["sentence"])
            again = self.run_json("flash", *pack, *self.keys(), *allow, path)
            self.expect(again, 0)
            self.assertEqual(again.of("summary")[-1]["bytes_sent"], 0)
        self.assertIn("1.5.0", self.run_json("probe", *pack).of("device")[-1]["version"])

        checked = self.run_json("verify", *pack, *alt, *self.keys(), path)
        self.assertIn(checked.status, (0,) if tells else (33, 22), checked.out)
        now = self.flash_of(model)

        # One bank has no firmware to go back to: nothing is done, and the pack runs on.
        self.expect(self.run_json("rollback", *pack, *alt), 33)
        self.assertEqual(self.flash_of(model), now)
        if not readable:
            return
        restored = self.run_json("rollback", *pack, *alt, *self.keys(), "--from", archive, "--allow", "no-hardware" if
                                 form != SLOTS else "no-hardware,no-backup,single-bank")
        if form == SLOTS:  # MCUboot does not start what has a lower security counter, and says so by what runs
            self.assertIn(restored.status, (41, 44), restored.out)
            return
        self.expect(restored, 0)
        self.assertIn("1.3.0", self.run_json("probe", *pack).of("device")[-1]["version"])
        # An archive holds the old firmware as far as it went: what the new one had behind it stays.
        behind = self.touched(form, unit, name)
        self.outside(before, self.flash_of(model), behind[1:] if form == MEMORY else behind)

    def refused(self, model, name, status):
        """Refused, nothing is changed, and the firmware runs on, by itself or when the power is back."""
        options = MODELS[model][3]
        state = self.path(model + ".state")
        pack = ["--if", f"sim:model={model},state={state}"]
        if os.path.exists(state):
            os.unlink(state)
        self.expect(self.run_json("probe", *pack), 0)
        before = self.flash_of(model)
        allow = [o for o in options if options[0] == "--alt"][:2] + ["--allow", "no-hardware,no-backup,single-bank"]
        path = self.sign(name)
        self.expect(self.run_json("flash", *pack, *self.keys(), *allow, path), status)
        self.assertEqual(self.flash_of(model), before)
        probe = self.run_json("probe", *pack)
        self.assertIn("1.3.0", probe.of("device")[-1]["version"])


class Models(Pack):
    """One test for each model, made of the table."""


def of_model(model):
    def test(self):
        for name in MODELS[model][2]:
            with self.subTest(file=name):
                self.commands(model, name)

    return test


def far_of(model):
    def test(self):
        if MODELS[model][6]:
            self.refused(model, "far.hex", MODELS[model][6])

    return test


for _model in MODELS:
    _name = _model.replace("-", "_")
    setattr(Models, f"test_{_name}_by_all_commands", of_model(_model))
    setattr(Models, f"test_{_name}_takes_no_segment_where_it_has_no_place", far_of(_model))


class Whose(Pack):
    """An archive and the bootloader in ROM, which tells the chip's serial number and not the pack's."""

    def lost(self, model):
        """An archive, and then a flash that loses the pack's power: its ROM waits."""
        state = self.path(model + ".state")
        pack = f"sim:model={model},state={state}"
        archive, path = self.path("w.tar"), self.sign(SIGNATURE_OF_ITS_OWN)
        self.expect(self.run_json("backup", "--if", pack, "-o", archive), 0)
        run = self.run_json("flash", "--if", pack + ",cutop=300", *self.keys(), "--allow", "no-hardware", path)
        self.assertIn(run.status, (13, 42), run.out)
        return ["rollback", "--if", pack, "--from", archive, *self.keys(), "--allow"]

    def test_an_archive_comes_back_into_a_pack_that_waits_in_its_rom(self):
        self.expect(self.run_json(*self.lost("stm32app"), "no-hardware"), 0)

    def test_an_mcuboot_image_goes_back_to_where_it_was_read(self):
        """The header that would show the place has been erased by firmware that has none."""
        state = self.path("d.state")
        for name in ("st.dfu", SIGNATURE_OF_ITS_OWN):
            with self.subTest(file=name):
                pack, archive = ["--if", f"sim:protocol=dfuse,state={state}"], self.path(name + ".tar")
                self.expect(self.run_json("backup", *pack, "-o", archive), 0)
                self.expect(self.run_json("flash", *pack, "--key", common.KEY, "--allow", "no-hardware",
                                          self.sign(name), *self.keys()), 0)
                run = self.run_json("rollback", *pack, "--from", archive, *self.keys(), "--allow", "no-hardware")
                self.expect(run, 0)
                self.assertIn("1.3.0", self.run_json("probe", *pack).of("device")[-1]["version"])

    def test_a_number_that_many_roms_tell_proves_nothing(self):
        words = self.lost("st-rom")
        run = self.run_json(*words, "no-hardware")
        self.expect(run, 22)
        self.assertIn("foreign-archive", run.result["error"]["next"])
        self.expect(self.run_json(*words, "no-hardware,foreign-archive"), 0)

    def test_an_mcuboot_image_for_memory_that_cannot_be_read_is_told_an_address(self):
        state = self.path("o.state")
        words = ["flash", "--if", f"sim:model=opencm3,state={state}", *self.keys(), "--allow",
                 "no-hardware,no-backup,single-bank", self.sign(SIGNATURE_OF_ITS_OWN)]
        run = self.run_json(*words)
        self.expect(run, 22)
        told = re.search(r"--addr (0x[0-9a-fA-F]+)", run.result["error"]["do"])
        self.assertTrue(told, run.result["error"])
        self.assertEqual(int(told[1], 16), APP)
        self.expect(self.run_json(*words, *told[0].split()), 0)

    def test_memory_that_cannot_be_read_is_not_given_up_unasked(self):
        """That it can be read was expected, and the bootloader says that it cannot: before anything is erased."""
        pack = f"sim:model=opencm3,state={self.path('o.state')}"
        words = ["flash", "--if", pack, *self.keys(), "--addr", f"0x{APP:08X}", self.sign(SIGNATURE_OF_ITS_OWN), "--allow"]
        run = self.run_json(*words, "no-hardware")
        self.expect(run, 33)
        self.assertIn("single-bank", run.result["error"]["next"])
        self.assertIn("1.3.0", self.run_json("probe", "--if", pack).of("device")[-1]["version"])
        self.expect(self.run_json(*words, "no-hardware,no-backup,single-bank"), 0)

    def test_a_dfuse_file_goes_into_no_other_alternate_setting(self):
        self.refused("st-rom", "st.dfu", 22)


class Starts(Pack):
    """Two slots and a bootloader that cannot confirm: who started what was written, and does it stay."""

    def flash(self, options, *more, name="s.state"):
        allow = "no-hardware,no-backup,single-bank"
        pack = f"sim:{options},state={self.path(name)}"
        return self.run_json("flash", "--if", pack, "--alt", "image_1", "--key", common.KEY, "--allow", allow, *more,
                             self.sign(SIGNATURE_OF_ITS_OWN))

    def runs(self, model, name="s.state"):
        probe = self.run_json("probe", "--if", f"sim:model={model},state={self.path(name)}")
        return probe.of("device")[-1]["version"]

    def test_firmware_on_a_test_boot_is_watched_until_it_stays(self):
        for model in ("zephyr-next", "mcuboot"):
            with self.subTest(model=model):
                run = self.flash(f"model={model}", name=model)
                self.expect(run, 0)
                self.assertEqual([t["name"] for t in run.of("self-test")], ["stays-running"])
                self.assertIn("4 s", run.of("self-test")[0]["limit"])
                self.assertIn("1.5.0", self.runs(model, model))

    def test_firmware_that_gives_up_on_its_test_boot_went_back(self):
        for model in ("zephyr-next", "mcuboot"):
            for how in ("selftest=fail", "crash=trial"):
                with self.subTest(model=model, how=how):
                    name = model + how[:5]
                    run = self.flash(f"model={model},{how}", name=name)
                    self.expect(run, 41)
                    self.assertEqual(run.result["state"], "old-running")
                    self.assertIn("1.3.0 is again running", run.result["sentence"])
                    self.assertIn("stays-running", run.result["error"]["cause"])
                    self.assertIn("1.3.0", self.runs(model, name))

    def test_firmware_that_power_started_while_it_was_read_back_is_not_stopped_on_its_test_boot(self):
        run = self.flash("model=zephyr,cutreply=1300,repower=500")
        self.assertIn("left its bootloader while it was read back", run.out)
        self.expect(run, 0)
        self.assertIn("1.5.0", self.runs("zephyr"))

    def test_a_dead_pack_that_only_power_starts_is_proven_by_the_same_command(self):
        self.expect(self.flash("model=zephyr,version=none,poweron=1000", "--rescue"), 44)
        again = self.flash("model=zephyr,version=none", "--rescue")
        self.expect(again, 0)
        self.assertEqual(again.of("summary")[-1]["bytes_sent"], 0)


class Next(Pack):
    """What is printed is typed, and leads on."""

    def typed(self, run, pack):
        """The printed command, on a pack that is not cut again."""
        words = shlex.split(run.result["error"]["next"], comments=True)
        self.assertEqual(words[0], "bmsflash")
        at = words.index("--if") + 1
        self.assertTrue(words[at].startswith(pack), words)
        words[at] = pack
        return self.run_json(*words[1:])

    def test_a_refusal_prints_what_flashes(self):
        for model, words, refusals in (("stm32app", [], [22]), ("tinyusb", [], [22]), ("dapboot", [], [22]),
                                       ("cherryusb", [], [22, 33]), ("maple", ["--alt", "1"], [22]),
                                       ("opencm3", ["--addr", f"0x{APP:08X}"], [22, 33]),
                                       ("tinyusb,quirk=noread", [], [22, 33])):
            with self.subTest(model=model):
                pack = f"sim:model={model},state={self.path(model.split(',')[0] + str(len(refusals)))}"
                run = self.run_json("flash", "--if", pack, *self.keys(), *words, self.sign(SIGNATURE_OF_ITS_OWN))
                before = self.run_json("probe", "--if", pack)
                for status in refusals:
                    self.expect(run, status)
                    self.assertIn("1.3.0", before.of("device")[-1]["version"])
                    run = self.typed(run, pack)
                self.expect(run, 0)
                self.assertIn("1.5.0", self.run_json("probe", "--if", pack).of("device")[-1]["version"])

    def test_after_a_cut_the_bootloader_in_rom_is_told_where_the_image_goes(self):
        """No profile draws its memory, and the header that showed the place is erased."""
        for model in ("stm32app", "st-rom", "stm32f4", "gd32"):
            with self.subTest(model=model):
                pack = f"sim:model={model},state={self.path(model)}"
                path = self.sign(SIGNATURE_OF_ITS_OWN)
                run = self.run_json("flash", "--if", pack + ",cutop=300", *self.keys(), "--allow", "no-hardware", path)
                self.expect(run, 42)
                self.expect(self.typed(run, pack), 0)
                self.assertIn("1.5.0", self.run_json("probe", "--if", pack).of("device")[-1]["version"])

    def test_a_second_image_is_the_way_back_where_nothing_can_be_read(self):
        fallback = ["--fallback", os.path.join(common.MCUBOOT, "app-1.3.0.signed.bin")]
        for model, options in (("cherryusb", []), ("opencm3", ["--addr", f"0x{APP:08X}"]),
                               ("dapboot,quirk=noread", [])):
            with self.subTest(model=model):
                pack = f"sim:model={model},state={self.path(model.split(',')[0])}"
                words = ["flash", "--if", pack, *self.keys(), "--allow", "no-hardware", *options]
                self.expect(self.run_json(*words, self.sign(SIGNATURE_OF_ITS_OWN)), 33)
                self.expect(self.run_json(*words, *fallback, self.sign(SIGNATURE_OF_ITS_OWN)), 0)
        # The bootloader says that firmware for another class is bad.
        pack = f"sim:model=dapboot,quirk=noread,state={self.path('bad')}"
        run = self.run_json("flash", "--if", pack, *self.keys(), "--allow", "no-hardware", *fallback,
                            common.image("app-1.5.0.othercid.bin"))
        self.expect(run, 41)
        self.assertIn("1.3.0", run.result["sentence"])
        self.assertIn("1.3.0", self.run_json("probe", "--if", pack).of("device")[-1]["version"])


class Journals(Pack):
    """Numbers of a bootloader in ROM are the chip's, and some are many chips'."""

    def said(self, run):
        return [e["text"] for e in run.events if "interrupted" in e.get("text", "")]

    def archives(self):
        folder = os.path.join(self.dir, "state", "bmsflash", "backup")
        return set(os.listdir(folder)) if os.path.isdir(folder) else set()

    def dead(self, model, *more):
        """A pack that waits in its ROM."""
        return ",".join([f"sim:model={model},version=none,state={self.path(model + '-'.join(more))}", *more])

    def flash(self, pack):
        return self.run_json("flash", "--if", pack, *self.keys(), "--allow", "no-hardware", "--addr", f"0x{APP:08X}",
                             self.sign(SIGNATURE_OF_ITS_OWN))

    def test_a_rom_goes_on_where_it_was_cut(self):
        self.expect(self.flash(self.dead("stm32app") + ",cutop=60"), 42)
        made = self.archives()
        run = self.flash(self.dead("stm32app"))
        self.expect(run, 0)
        self.assertIn("it is taken up", "".join(self.said(run)))
        self.assertEqual(self.archives(), made)

    def test_a_journal_counts_for_no_rom_with_another_serial_number(self):
        self.expect(self.flash(self.dead("stm32app") + ",cutop=60"), 42)
        made = self.archives()
        run = self.flash(self.dead("stm32f4"))
        self.expect(run, 0)
        self.assertEqual(self.said(run), [])
        self.assertEqual(len(self.archives()), len(made) + 1)

    def test_a_journal_counts_for_no_rom_with_a_number_that_many_have(self):
        self.expect(self.flash(self.dead("st-rom") + ",cutop=60"), 42)
        made = self.archives()
        run = self.flash(self.dead("st-rom", "calib=7"))
        self.expect(run, 0)
        self.assertIn("it is not taken up", "".join(self.said(run)))
        self.assertEqual(len(self.archives()), len(made) + 1)


class Habits(Pack):
    """What a device does beside its model's ways, whoever has it."""

    SLOW = 60  # seconds of virtual time, for 43 kB

    def flash(self, model, *more, allow="", backup=False):
        allow = "no-hardware" + ("" if backup else ",no-backup,single-bank") + allow
        words = ["--alt", "image_1"] if model.split(",")[0] in ("zephyr", "zephyr-next", "mcuboot") else []
        words += ["--alt", "1"] if model.startswith("maple") else []
        dead = MODELS[model.split(",")[0]][0] == MEMORY and "version=none" in model  # no header shows the place
        words += ["--addr", f"0x{APP:08X}"] if model.startswith("opencm3") or dead else []
        return self.run_json("flash", "--if", f"sim:model={model},state={self.path('h.state')}", *words, *self.keys(),
                             "--allow", allow, *more, self.sign(SIGNATURE_OF_ITS_OWN))

    def another(self):
        """Another pack, and nothing is known of any."""
        if os.path.exists(self.path("h.state")):
            os.unlink(self.path("h.state"))
        shutil.rmtree(os.path.join(self.dir, "state"), ignore_errors=True)

    def seconds(self, run):
        first, last = (datetime.datetime.fromisoformat(run.events[i]["t"][:-1]) for i in (0, -1))
        return (last - first).total_seconds()

    def each(self, habits, models, status=0, slow=SLOW):
        for model in models.split():
            for habit in habits.split():
                with self.subTest(model=model, habit=habit):
                    self.another()
                    run = self.flash(f"{model},habit={habit}")
                    self.expect(run, status)
                    self.assertLess(self.seconds(run), slow)

    def test_what_descriptors_say_wrongly_stops_nothing(self):
        self.each("dfu11 shortdesc protocol0 shortstring size0 sizeffff size32 noproduct", "stm32app gd32 tinyusb mcuboot")

    def test_ways_in_and_out_that_are_in_no_standard(self):
        self.each("stalldetach detach0 deaf manifests endless", "stm32app stm32f4 tinyusb maple zephyr-next")

    def test_an_erasure_that_stays_busy_ends_on_an_st_rom_alone(self):
        self.each("stuck", "st-rom stm32f4", slow=300)  # 10 s a sector
        self.each("stuck", "gd32 opencm3", 42, slow=700)  # the limit that no pack moves is 600 s

    def test_a_device_without_downloads_is_left_in_its_application(self):
        for model in ("stm32app", "tinyusb", "zephyr"):
            self.another()
            run = self.flash(f"{model},habit=nodownload", allow=",no-proof")
            self.expect(run, 33)
            self.assertEqual(run.result["state"], "old-running")
            self.assertIn("bitCanDnload", run.result["error"]["cause"])

    def test_an_application_without_dfu_is_told_how_its_bootloader_is_caught(self):
        run = self.flash("stm32app,habit=noruntime")
        self.expect(run, 12)
        self.assertIn("--wait", json.dumps(run.result["error"]))

    def test_read_protection_is_named_and_not_removed(self):
        for model in ("stm32app", "st-rom", "stm32f4", "gd32", "opencm3"):
            with self.subTest(model=model):
                self.another()
                run = self.flash(f"{model},habit=protected")
                self.expect(run, 32)
                self.assertIn("read protection", run.result["error"]["likely"][0])
                self.assertIn("does not remove", run.result["error"]["do"])
                probe = self.run_json("probe", "--if", f"sim:model={model},state={self.path('h.state')}")
                self.assertIn("1.3.0", probe.of("device")[-1]["version"])

    def test_what_is_written_and_not_started_or_late_is_not_overwritten(self):
        for model, lost in (("stm32app,habit=stays", "does not start it"), ("tinyusb,habit=stays", "does not start it"),
                            ("stm32f4,show=60000", "does not answer"), ("tinyusb,show=60000", "its start was not seen"),
                            ("stm32app,habit=hidden", "does not answer"), ("dapboot,habit=stays", "does not start it")):
            with self.subTest(model=model):
                self.another()
                run = self.flash(model, backup=True)
                self.expect(run, 44)
                self.assertIn(lost, run.result["sentence"])
                self.assertIn("off and on", run.result["sentence"])
                again = self.flash(model.split(",")[0], backup=True)
                self.expect(again, 0)
                self.assertEqual(again.of("summary")[-1]["bytes_sent"], 0)

    def test_firmware_that_needs_its_time_has_it_in_the_profile(self):
        with open(self.path("late.ini"), "w", encoding="utf-8") as f:
            f.write("[pack]\nrestart-ms = 60000\n")
        for model in ("tinyusb", "stm32app", "zephyr-next"):
            self.another()
            self.expect(self.flash(f"{model},show=35000", "--profile", self.path("late.ini")), 0)

    def test_unread_firmware_that_nobody_hears_is_not_called_lost(self):
        for how in ("habit=hidden", "show=60000"):
            self.another()
            run = self.flash(f"opencm3,{how}")
            self.expect(run, 13)
            self.assertEqual(run.result["state"], "unknown")
            self.assertIn("1.5.0", self.run_json("probe", "--if", f"sim:model=opencm3,state={self.path('h.state')}")
                          .of("device")[-1]["version"])

    def test_leave_to_prove_nothing_covers_silence(self):
        for model in ("stm32f4", "tinyusb", "opencm3"):
            for state in ("1.3.0", "none"):  # told before, and found in its bootloader
                with self.subTest(model=model, runs=state):
                    self.another()
                    run = self.flash(f"{model},habit=hidden,version={state}", allow=",no-proof")
                    self.expect(run, 0)
                    self.assertEqual(run.result["state"], "unproven")

    def test_a_release_without_its_build_is_not_the_old_firmware(self):
        for protocol in ("protocol=dfu", "model=tinyusb"):
            run = self.run_json("flash", "--if", f"sim:{protocol},version=none", *self.keys(), "--allow",
                                "no-hardware,no-backup,single-bank", common.image("gw-2.1.0.signed.bin"))
            self.expect(run, 44)
            self.assertEqual(run.result["state"], "unproven")
            self.assertNotIn("old firmware", run.result["sentence"].lower())

    def test_a_file_for_other_usb_numbers_stops_no_application(self):
        for name, status in (("other.dfu", 22), ("st.dfu", 0)):
            path, pack = self.sign(name), f"sim:model=stm32app,state={self.path('n.state')}"
            run = self.run_json("flash", "--if", pack, *self.keys(), "--allow", "no-hardware", path)
            self.expect(run, status)
            if status:
                self.assertIn("1234:5678", json.dumps(run.result["error"]))
                self.assertEqual(run.result["state"], "old-running")


if __name__ == "__main__":
    common.main()
