#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verify, offline: the verdicts that independent tools' files must get, and what it costs."""
import json
import os
import shutil
import subprocess
import unittest

import common


class Verify(common.Case):
    def test_every_vector_gets_its_verdict(self):
        with open(common.image("expect.json"), encoding="utf-8") as f:
            vectors = json.load(f)
        for name, want in vectors.items():
            with self.subTest(name):
                run = self.run_json("verify", "--key", common.KEY, common.image(name))
                self.assertEqual(run.result["exit"], want["expect"], run.result)
                if want["expect"] != "ok":
                    continue
                image = run.of("image")[0]
                self.assertEqual(image["version"], want["version"])
                self.assertEqual(image["security_counter"], want.get("security_counter"))

    def test_without_a_trusted_key_nothing_is_valid(self):
        run = self.run_json("verify", common.image("app-1.5.0.signed.bin"))
        self.expect(run, 21)
        self.assertIn("--key", run.result["error"]["do"] + run.result["error"]["cause"])

    def test_keys_are_found_in_the_users_folder(self):
        os.makedirs(self.path("config/bmsflash/keys"))
        shutil.copy(common.KEY, self.path("config/bmsflash/keys/release.pem"))
        self.expect(self.run_it("verify", common.image("app-1.5.0.signed.bin")), 0)

    def test_one_bad_file_among_good_ones_fails_the_run_and_is_named(self):
        run = self.run_json("verify", "--key", common.KEY, common.image("app-1.5.0.signed.bin"),
                            common.image("bad-magic.bin"), common.image("app-1.4.0.signed.bin"))
        self.expect(run, 20)
        self.assertIn("bad-magic.bin", json.dumps(run.result["error"]))

    def test_a_file_that_is_not_there_is_an_image_error(self):
        run = self.run_json("verify", "--key", common.KEY, "/nonexistent.bin")
        self.expect(run, 20)
        self.assertIn("there is no file nonexistent.bin in /", run.result["error"]["cause"])

    def test_an_image_from_a_pipe_is_read_to_its_end(self):
        with open(common.image("app-1.5.0.signed.bin"), "rb") as f:
            run = subprocess.run([common.BIN, "verify", "--key", common.KEY, "/dev/stdin"], input=f.read(),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_pipe_that_never_ends_is_left_when_the_time_is_up(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.expect(self.run_it("verify", "--timeout", "1s", "--key", common.KEY, fifo), 50)

    def test_a_key_that_others_can_write_is_refused_with_the_command_that_ends_it(self):
        key = self.path("my release.pem")
        shutil.copy(common.KEY, key)
        os.chmod(key, 0o666)
        run = self.run_json("verify", "--key", key, common.image("app-1.5.0.signed.bin"))
        self.expect(run, 21)
        self.assertEqual(run.result["error"]["next"], f"chmod go-w '{key}'")
        os.chmod(key, 0o644)
        self.expect(self.run_it("verify", "--key", key, common.image("app-1.5.0.signed.bin")), 0)

    @unittest.skipIf(common.SANITIZED, "figures of a sanitized build say nothing")
    def test_a_512_kib_image_costs_under_16_mib(self):
        time = shutil.which("time") or "/usr/bin/time"
        if not os.path.exists(time):
            self.skipTest("no time(1) to read the peak memory")
        done = subprocess.run([time, "-f", "%M", common.BIN, "verify", "--key", common.KEY,
                               common.image("app-1.5.0.padded-test.bin")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=self.env, check=True)
        self.assertLess(int(done.stderr.decode().split()[-1]), 16 * 1024)

    @staticmethod
    def not_built(run):
        error = run.result.get("error")
        return bool(error) and "there is no protocol" in error["cause"]

    def test_a_profile_is_checked_and_its_requests_are_shown_in_order(self):
        profiles = os.path.join(common.ROOT, "data", "profiles")
        for name in sorted(os.listdir(profiles)):
            if name.endswith(".ini"):
                with self.subTest(name):
                    run = self.run_json("verify", os.path.join(profiles, name))
                    if self.not_built(run):
                        continue
                    self.expect(run, 0)
        run = self.run_json("verify", os.path.join(profiles, "maker-zhidou.ini"))
        if self.not_built(run):
            self.skipTest("built without UDS")
        lines = [" ".join(e["text"].split()) for e in run.of("request")]
        wanted = ["3E 00", "31 01 02 02 step 'precondition'", "10 02 programming session", "27 07 seed",
                  "2E F0 11", "31 01 FF 00 44 {addr:4} {size:4} erase", "34 00 44", "31 01 02 01 {crc32} check of this",
                  "31 01 FF 01", "11 01 restart", "14 FF FF FF step 'clear-faults'"]
        for want in wanted:
            found = [i for i, line in enumerate(lines) if line.startswith(want)]
            self.assertTrue(found, (want, lines))
            lines = lines[found[0] + 1:]

    def test_a_profile_that_is_wrong_is_named_with_its_line(self):
        path = self.path("bad.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[routines]\nerase-option = {place:4}\n")
        run = self.run_json("verify", path)
        self.expect(run, 20)
        self.assertIn("line 2", run.result["error"]["cause"])
        with open(path, "w", encoding="utf-8") as f:
            f.write("[pack]\nprotocol = udp\n")
        run = self.run_json("verify", path)
        self.expect(run, 20)
        self.assertIn("'udp'", run.result["error"]["cause"])

    def test_the_chain_of_a_record_is_checked(self):
        record = self.path("packs.rec")
        for _ in range(3):
            self.run_it("verify", "--key", common.KEY, "--record", record, common.image("app-1.5.0.signed.bin"))
        self.expect(self.run_it("verify", "--record", record), 0)
        with open(record, encoding="utf-8") as f:
            lines = f.readlines()
        self.assertEqual(len(lines), 3)
        with open(record, "w", encoding="utf-8") as f:
            f.writelines([lines[0], lines[2]])
        run = self.run_json("verify", "--record", record)
        self.expect(run, 20)
        self.assertIn("line 2", run.result["error"]["cause"])


class Minisign(common.Case):
    """Files of other formats, signed by the minisign program itself."""

    def setUp(self):
        super().setUp()
        if not shutil.which("minisign"):
            self.skipTest("minisign is not installed")
        subprocess.run(["minisign", "-G", "-W", "-p", self.path("m.pub"), "-s", self.path("m.key")],
                       check=True, stdout=subprocess.DEVNULL)

    def signed(self, name, comment="version=1.5.0 security-counter=5 hw=BMS-16S-R3"):
        path = self.path(name)
        shutil.copy(os.path.join(common.FIRMWARE, name), path)
        os.chmod(path, 0o644)
        subprocess.run(["minisign", "-S", "-s", self.path("m.key"), "-m", path, "-t", comment],
                       check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return path

    def verify(self, path):
        addr = ["--addr", "0x08010200"] if path.endswith(".bin") else []
        return self.run_json("verify", "--key", self.path("m.pub"), path, *addr)

    def flip(self, path, where):
        with open(path, "r+b") as f:
            f.seek(where)
            byte = f.read(1)[0]
            f.seek(where)
            f.write(bytes([byte ^ 1]))

    def test_every_format_verifies_and_one_byte_changed_anywhere_does_not(self):
        for name in ("app-1.5.0.bin", "app-1.5.0.hex", "app-1.5.0.srec", "app-1.5.0.elf"):
            with self.subTest(name):
                path = self.signed(name)
                run = self.verify(path)
                self.expect(run, 0)
                self.assertEqual(run.of("image")[0]["version"], "1.5.0")
                self.assertEqual(run.of("image")[0]["hardware"], "BMS-16S-R3")
                sig = path + ".minisig"
                with open(sig, "rb") as f:
                    lines = f.read().split(b"\n")
                comment_at = len(lines[0]) + 1 + len(lines[1]) + 1 + len(b"trusted comment: version=")
                for what, file, where in (("file", path, os.path.getsize(path) // 2),
                                          ("signature", sig, len(lines[0]) + 1 + 40),
                                          ("trusted comment", sig, comment_at)):
                    self.flip(file, where)
                    self.assertIn(self.verify(path).status, (20, 21), what)
                    self.flip(file, where)
                self.expect(self.verify(path), 0)

    def test_the_legacy_form_is_named(self):
        image = os.path.join(common.FIRMWARE, "app-1.5.0.hex")
        run = self.run_json("verify", "--key", os.path.join(common.DATA, "minisign", "release.pub"), image, "--sig",
                            os.path.join(common.DATA, "minisign", "app-1.5.0.hex.legacy.minisig"))
        self.expect(run, 0)
        self.assertIs(run.of("image")[0]["legacy"], True)

    def test_text_around_the_records_gets_one_note(self):
        path = self.path("noted.hex")
        with open(os.path.join(common.FIRMWARE, "app-1.5.0.hex"), encoding="ascii") as f:
            text = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write("\ufeff; firmware\n" + text + "\x1a")
        subprocess.run(["minisign", "-S", "-s", self.path("m.key"), "-m", path, "-t", "version=1.5.0"], check=True,
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        run = self.run_json("verify", "--key", self.path("m.pub"), path)
        self.expect(run, 0)
        notes = [e for e in run.events if "passed over" in json.dumps(e)]
        self.assertEqual(len(notes), 1)

    def test_a_file_without_its_signature_is_refused(self):
        path = self.path("app.hex")
        shutil.copy(os.path.join(common.FIRMWARE, "app-1.5.0.hex"), path)
        run = self.verify(path)
        self.expect(run, 21)
        self.assertIn("minisig", run.result["error"]["cause"] + str(run.result["error"]["next"]))



class Explained(common.Case):
    """What a file is, before anybody is asked whether to trust it."""

    def test_an_image_is_explained_without_a_key(self):
        run = self.run_it("verify", common.image("app-1.5.0.signed.bin"))
        self.expect(run, 21)
        for line in (r"^Format     MCUboot, 4\d kB$", r"^Firmware   1\.5\.0, security counter 5, class [0-9a-f]{32}$",
                     r"^Digest     3a1439cb", r"^Key        [0-9a-f]{16}$", r"^REFUSED    Signer unknown: no trusted key is installed"):
            self.assertRegex(run.out, "(?m)" + line)

    def test_a_signer_that_is_not_trusted_is_named(self):
        run = self.run_it("verify", "--key", common.OTHER_KEY, common.image("app-1.5.0.signed.bin"))
        self.expect(run, 21)
        key = run.out.split("Key        ")[1].split()[0]
        self.assertIn(f"is signed by key {key}", run.out.split("REFUSED")[1])

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_an_archive_is_sound_or_broken(self):
        path = self.path("pack.tar")
        self.expect(self.run_it("backup", "--if", "sim", "-o", path), 0)
        run = self.run_it("verify", path)
        self.expect(run, 0)
        self.assertRegex(run.out, r"(?m)^Backup     of BMS-16S-R3, serial BX16-000001, sealed on this computer$")
        self.assertRegex(run.out, r"(?m)^DONE       The archive is sound\.$")
        with open(path, "r+b") as f:
            data = f.read()
            at = data.rfind(b"slot0") if data.rfind(b"slot0") > 0 else len(data) // 2
            f.seek(at + 700)
            byte = f.read(1)
            f.seek(at + 700)
            f.write(bytes([byte[0] ^ 1]))
        run = self.run_json("verify", path)
        self.expect(run, 20)
        self.assertEqual(run.result["exit"], "image")

    @unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
    def test_a_journal_is_sound_or_broken(self):
        image = common.image("app-1.5.0.signed.bin")
        self.assertNotEqual(self.run_it("flash", "--if", "sim:quirk=singlebank,cutmsg=120", "--allow", "single-bank", "--key",
                                        common.KEY, image).status, 0)
        folder = self.path("state/bmsflash/journal")
        path = os.path.join(folder, os.listdir(folder)[0])
        run = self.run_it("verify", path)
        self.expect(run, 0)
        for line in (r"^Journal    .*BX16-000001", r"^Reached    writing; the pack ran 1\.3\.0 before$", r"^Image      .*app-1\.5\.0",
                     r"^DONE       "):
            self.assertRegex(run.out, "(?m)" + line)
        with open(path, "r+b") as f:
            f.seek(40)
            byte = f.read(1)
            f.seek(40)
            f.write(bytes([byte[0] ^ 1]))
        run = self.run_it("verify", path)
        self.expect(run, 20)
        self.assertRegex(run.out, "(?m)^REFUSED    ")

    def test_addresses_of_an_image_that_has_them_are_named(self):
        run = self.run_it("verify", os.path.join(common.FIRMWARE, "app-1.5.0.hex"))
        self.expect(run, 21)
        self.assertRegex(run.out, r"(?m)^Addresses  0x08010200 to 0x0801\w{4}")


common.main()
