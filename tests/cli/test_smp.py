#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SMP: the five commands on both virtual devices, and over a pty."""
import base64
import binascii
import hashlib
import json
import os
import select
import shlex
import struct
import subprocess
import tarfile
import time
import tty
import unittest

import common

try:
    import cbor2
except ImportError:
    cbor2 = None

V14, V15 = common.image("app-1.4.0.signed.bin"), common.image("app-1.5.0.signed.bin")
WITHOUT = ("--allow", "no-hardware,single-bank")


class Smp(common.Case):
    """Words that the tests of this file share."""

    def pack(self, model, *keys):
        return ",".join(["sim:link=rs485,protocol=smp", f"model={model}", f"state={self.path('pack.flash')}", *keys])

    def job(self, command, pack, *words):
        return self.run_json(command, "--if", pack, "--protocol", "smp", *words)


class InTheVirtualPack(Smp):
    def test_it_is_asked_when_it_is_named_alone(self):
        run = self.run_json("probe", "--if", self.pack("app"))
        self.expect(run, 12)
        self.assertIn("Not asked: smp", run.out)

    def test_the_application_is_flashed_verified_and_rolled_back(self):
        pack = self.pack("app", "slot1=none")
        run = self.job("probe", pack)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[0]["model"], "BMS-16S-R3")
        self.expect(self.job("flash", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("verify", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("verify", pack, "--key", common.KEY, V14), 40)
        run = self.job("flash", pack, "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertEqual(run.of("summary")[0]["bytes_sent"], 0)

    def test_what_it_tells_is_archived_and_nothing_can_be_restored(self):
        pack, archive = self.pack("app"), self.path("told.tar")
        run = self.job("backup", pack, "-o", archive)
        self.expect(run, 0)
        self.assertIn("cannot be read", run.result["sentence"])
        with tarfile.open(archive) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        self.assertEqual(manifest["regions"], [])
        self.assertEqual(manifest["slots"][0]["version"], "1.3.0")
        self.assertEqual(len(manifest["slots"][0]["digest"]), 64)
        self.expect(self.job("rollback", pack, "--key", common.KEY, "--from", archive), 20)

    def test_before_the_confirmation_a_rollback_is_a_restart(self):
        pack = self.pack("app", "slot1=1.4.0")
        run = self.job("rollback", pack)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[-1]["version"], "1.4.0")

    def test_a_counter_that_moved_leaves_nothing_to_go_back_to(self):
        pack = self.pack("app")
        self.expect(self.job("flash", pack, "--key", common.KEY, V15), 0)
        self.expect(self.job("rollback", pack), 41)  # the bootloader refuses it at the restart
        run = self.job("rollback", pack)
        self.expect(run, 33)
        self.assertIn("counter", " ".join(run.result["error"]["likely"]))

    def test_one_way_needs_a_permission(self):
        for mode in ("overwrite", "xip", "ram", "unknown"):
            with self.subTest(mode):
                pack = f"sim:link=rs485,protocol=smp,model=app,swap={mode}"
                self.expect(self.job("flash", pack, "--key", common.KEY, V15), 33)
                self.expect(self.job("flash", pack, "--key", common.KEY, V15, "--allow", "single-bank"), 0)

    def with_profile(self, pack, text, *words):
        path = self.path("pack.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"[pack]\nprotocol = smp\n{text}")
        return self.run_json("flash", "--if", pack, "--profile", path, "--key", common.KEY, V15, *words)

    def test_the_mode_of_the_profile_stands_where_the_pack_tells_none(self):
        pack = "sim:link=rs485,protocol=smp,model=app,swap=unknown"
        self.expect(self.with_profile(pack, "[smp]\nmode = swap-move\n"), 0)
        for mode in ("overwrite", "direct-xip", "ram-load"):
            with self.subTest(mode):
                self.expect(self.with_profile(pack, f"[smp]\nmode = {mode}\n"), 33)

    def test_the_board_of_the_profile_proves_the_hardware(self):
        pack = "sim:link=rs485,protocol=smp,model=recovery"
        self.expect(self.with_profile(pack, "[smp]\nboard = BMS-16S-R3\n", "--allow", "single-bank"), 44)
        run = self.with_profile(pack, "[smp]\nboard = BMS-16S-R4\n", "--allow", "single-bank")
        self.expect(run, 22)
        self.expect(self.with_profile(pack, "", "--allow", "single-bank"), 22)

    def test_an_image_that_leaves_no_room_for_the_trailer_is_refused(self):
        for size, status in (("51200", 0), ("51100", 20)):  # 43000 bytes and a trailer of 8192
            with self.subTest(size):
                self.expect(self.with_profile("sim:link=rs485,protocol=smp,model=app", f"[smp]\nslot-size = {size}\n"),
                            status)

    def test_conditions_and_self_test_by_registers_beside_it(self):
        telemetry = """[telemetry]
source = modbus
[modbus]
node = 1
[quantity soc]
register = 0
scale = 0.1
required = yes
[quantity temperature]
register = 3
scale = 0.1
count = 1
[quantity cell-voltage]
register = 16
count = 16
scale = 0.001
"""
        pack = "sim:link=rs485,protocol=smp,model=app,app=modbus"
        run = self.with_profile(pack, telemetry)
        self.expect(run, 0)
        passed = {e["name"] for e in run.of("self-test") if e["verdict"] == "pass"}
        self.assertLessEqual({"cell-voltages", "temperature-sensors"}, passed)
        self.expect(self.with_profile(f"{pack},soc=5", telemetry), 30)

    def test_an_image_of_another_key_is_refused_by_the_device(self):
        image = common.image("app-1.5.0.otherkey.bin")
        run = self.job("flash", self.pack("recovery"), "--key", common.OTHER_KEY, image, *WITHOUT)
        self.expect(run, 42)  # over the only firmware
        self.assertIn("does not list it", run.result["error"]["cause"])
        self.expect(self.job("flash", "sim:link=rs485,protocol=smp,model=app", "--key", common.OTHER_KEY, image), 41)

    def test_recovery_takes_an_image_and_cannot_show_its_start(self):
        pack = self.pack("recovery")
        run = self.job("flash", pack, "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 44)

    def test_recovery_that_cannot_confirm_says_so(self):
        run = self.job("flash", self.pack("recovery", "smp=direct"), "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 44)
        self.assertIn("cannot confirm it", run.out)
        self.assertIn("goes back to its old firmware, unless", run.result["sentence"])
        self.assertIn("bmsflash probe", run.result["error"]["next"])

    def test_recovery_and_firmware_that_answers_end_well(self):
        run = self.job("flash", self.pack("both", "smp=direct"), "--key", common.KEY, V15, *WITHOUT)
        self.expect(run, 0)

    def test_habits_of_devices(self):
        for keys in ("framing=raw", "smp=noise", "smp=noparams", "quirk=quietreset", "quirk=slow", "duplex=full",
                     "image1=1.4.0", "erase=ahead", "buffers=2,bufsize=512"):
            with self.subTest(keys):
                self.expect(self.job("flash", f"sim:link=rs485,protocol=smp,model=app,{keys}", "--key", common.KEY, V15), 0)

    def test_a_slot_that_waits_for_its_test_boot_is_named(self):
        run = self.job("flash", "sim:link=rs485,protocol=smp,model=app,slot1=1.4.0,pending=test", "--key", common.KEY, V15)
        self.expect(run, 32)
        self.assertIn("waits for its test boot", run.result["error"]["cause"])



class Pair(Smp):
    """Two images that depend on each other: both are written, then the pack restarts once."""
    FOLDER = os.path.join(common.DATA, "smp", "pair")
    FILES = (os.path.join(FOLDER, "image-0.bin"), os.path.join(FOLDER, "image-1.bin"))
    KEY = ("--key", os.path.join(FOLDER, "pair.pub.pem"))
    TRUST = "trust=4106c80953668ecb02a72767f52b7849cc786dd004bee75b8f075f3b3c90d97c"

    def pair(self, *keys, model="app"):
        return self.pack(model, "image1=1.4.0", "slot1=none", self.TRUST, *keys)

    def flash(self, pack, *words):
        return self.job("flash", pack, *self.KEY, *self.FILES, *words)

    def profile(self, **keys):
        path = self.path(f"{'-'.join(keys)}.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[pack]\nprotocol = smp\n[telemetry]\nsource = none\n[smp]\n")
            f.writelines(f"{k} = {v}\n" for k, v in keys.items())
        return "--profile", path

    def runs(self, pack, *versions):
        """What each image runs, asked by number."""
        for number, version in enumerate(versions):
            run = self.run_json("probe", "--if", pack, *self.profile(image=number))
            self.expect(run, 0)
            active = [s for s in run.of("device")[0]["slots"] if "active" in s["flags"]]
            self.assertEqual([(s["version"], "confirmed" in s["flags"]) for s in active], [(version, True)], number)

    def test_both_are_written_and_the_pack_restarts_once(self):
        pack, trace = self.pair(), self.path("trace")
        run = self.flash(pack, "--trace", trace, "--record", self.path("record"))
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        self.assertEqual(sum(1 for e in run.of("phase") if e["name"] == "restarting the pack"), 1)
        self.runs(pack, "1.5.0", "1.5.0")
        with open(self.path("record"), encoding="utf-8") as f:
            record = json.loads(f.readline())
        self.assertEqual(record["image"]["path"], self.FILES[0])
        self.assertEqual([i["path"] for i in record["more_images"]], [self.FILES[1]])
        run = self.flash(pack)
        self.expect(run, 0)
        self.assertEqual(run.of("summary")[0]["bytes_sent"], 0)

    def test_over_recovery_too(self):
        for keys in ((), ("smp=direct",)):
            with self.subTest(keys):
                pack = self.pair("entry=once", *keys, model="both")
                self.expect(self.flash(pack, *WITHOUT), 0)
                os.remove(self.path("pack.flash"))

    def test_the_files_are_compared_before_the_interface_is_opened(self):
        nowhere = "/dev/does-not-exist"
        run = self.job("flash", nowhere, *self.KEY, *reversed(self.FILES))
        self.expect(run, 22)
        self.assertIn("order of their image numbers", run.result["error"]["do"])
        run = self.job("flash", nowhere, *self.KEY, "--key", common.KEY, self.FILES[0], V14)
        self.expect(run, 22)
        self.assertIn("depends on image 1 in version 1.5.0 or higher", run.result["error"]["cause"])
        self.expect(self.job("flash", nowhere, *self.KEY, self.FILES[0], self.FILES[0]), 2)
        self.expect(self.job("flash", nowhere, *self.KEY, *self.FILES, "--fallback", V14), 2)
        self.expect(self.job("flash", nowhere, "--key", common.KEY, *self.FILES), 21)

    def test_packs_and_protocols_with_one_image_refuse_two(self):
        run = self.job("flash", self.pack("app", "slot1=none", self.TRUST), *self.KEY, *self.FILES)
        self.expect(run, 22)
        self.assertIn("no image with number 1", run.result["error"]["cause"])
        if common.VIRTUAL_UDS:
            run = self.run_json("flash", "--if", "sim", *self.KEY, *self.FILES)
            self.expect(run, 22)
            self.assertIn("takes one in a run", run.result["error"]["cause"])

    def test_one_alone_is_refused_and_named(self):
        run = self.job("flash", self.pair(), *self.KEY, self.FILES[0])
        self.expect(run, 22)
        self.assertIn("written together", run.result["error"]["do"])

    def test_a_pack_that_takes_neither_goes_back_with_both(self):
        pack = self.pack("app", "image1=1.4.0", "slot1=none")  # it does not trust their key
        self.expect(self.flash(pack), 41)
        self.runs(pack, "1.3.0", "1.4.0")

    def test_firmware_that_does_not_start_goes_back_with_both(self):
        pack = self.pair("crash=trial")
        run = self.flash(pack)
        self.expect(run, 41)
        self.runs(pack, "1.3.0", "1.4.0")

    def test_wherever_the_power_goes_the_same_command_ends_well(self):
        for cut in ([f"cutmsg={n}" for n in range(3, 60, 9)] + [f"cutop={n}" for n in range(1, 5000, 997)]):
            with self.subTest(cut):
                pack = self.pair()
                run = self.flash(f"{pack},{cut}")
                if run.status:
                    self.expect(self.flash(pack), 0)
                self.runs(pack, "1.5.0", "1.5.0")
                os.remove(self.path("pack.flash"))

    def test_a_rollback_takes_both_where_the_profile_says_so(self):
        pack = self.pack("app", "slot1=1.4.0", "image1=1.4.0", self.TRUST)
        run = self.run_json("rollback", "--if", pack, *self.profile(together=2))
        self.expect(run, 33)  # image 1 has no firmware of before
        self.runs(pack, "1.3.0", "1.4.0")


class Client:
    """SMP by another hand: console lines, CBOR, one request at a time. Standard library alone."""

    def __init__(self, port):
        self.fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.seq, self.heard = 0, b""

    def close(self):
        os.close(self.fd)

    @staticmethod
    def head(kind, n):
        for more, form in ((23, None), (0xFF, "B"), (0xFFFF, "H"), (0xFFFFFFFF, "I")):
            if n <= more:
                return bytes([kind << 5 | (n if form is None else 24 + "BHI".index(form))]) + (
                    b"" if form is None else struct.pack(">" + form, n))
        raise ValueError(n)

    @classmethod
    def encode(cls, v):
        if isinstance(v, bool):
            return b"\xf5" if v else b"\xf4"
        if isinstance(v, int):
            return cls.head(0, v)
        if isinstance(v, bytes):
            return cls.head(2, len(v)) + v
        if isinstance(v, str):
            return cls.head(3, len(v.encode())) + v.encode()
        return cls.head(5, len(v)) + b"".join(cls.encode(k) + cls.encode(x) for k, x in v.items())

    @classmethod
    def decode(cls, b, at=0):
        """The value at an offset, and where the next one begins; None for the end of an open list or map."""
        kind, n = b[at] >> 5, b[at] & 31
        at += 1
        if kind == 7:
            return {20: False, 21: True, 31: None}[n], at
        if 24 <= n <= 27:
            size = 1 << n - 24
            n, at = int.from_bytes(b[at:at + size], "big"), at + size
        elif n == 31:
            n = None
        if kind == 0:
            return n, at
        if kind in (2, 3):
            part = b[at:at + n]
            return (part if kind == 2 else part.decode()), at + n
        items = []
        while n is None or len(items) < (2 * n if kind == 5 else n):
            item, at = cls.decode(b, at)
            if n is None and item is None:
                break
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if kind == 5 else items), at

    def send(self, op, group, command, body):
        self.seq = (self.seq + 1) & 0xFF
        data = self.encode(body)
        packet = struct.pack(">BBHHBB", 1 << 3 | op, 0, len(data), group, self.seq, command) + data
        raw = struct.pack(">H", len(packet) + 2) + packet + struct.pack(">H", binascii.crc_hqx(packet, 0))
        text = base64.b64encode(raw)
        lines = [text[i:i + 124] for i in range(0, len(text), 124)]
        os.write(self.fd, b"\n" + b"".join((b"\x04\x14" if i else b"\x06\x09") + line + b"\n"
                                           for i, line in enumerate(lines)))

    def line(self, until):
        while b"\n" not in self.heard:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            self.heard += os.read(self.fd, 4096)
        line, self.heard = self.heard.split(b"\n", 1)
        return line

    def receive(self, timeout):
        until, text = time.monotonic() + timeout, b""
        while (line := self.line(until)) is not None:
            if b"\x06\x09" in line:
                text = line[line.index(b"\x06\x09") + 2:]
            elif b"\x04\x14" in line:
                text += line[line.index(b"\x04\x14") + 2:]
            else:
                continue
            raw = base64.b64decode(text)
            size = struct.unpack(">H", raw[:2])[0]
            if len(raw) < size + 2:
                continue
            packet, crc = raw[2:size], struct.unpack(">H", raw[size:size + 2])[0]
            assert binascii.crc_hqx(packet, 0) == crc
            if packet[6] != self.seq:
                continue
            body = self.decode(packet[8:])[0]
            if cbor2:
                assert cbor2.loads(packet[8:]) == body
            return body
        return None

    def ask(self, op, group, command, body=None, timeout=5.0, tries=4):
        for _ in range(tries):
            self.send(op, group, command, body or {})
            answer = self.receive(timeout)
            if answer is not None:
                return answer
        raise AssertionError(f"no answer to {op} {group}/{command}")

    def images(self):
        return self.ask(0, 1, 0)["images"]

    def upload(self, data, image=0):
        at = 0
        while at < len(data):
            body = {"data": data[at:at + 512], "off": at}
            if not at:
                body.update(len=len(data), image=image, sha=hashlib.sha256(data).digest())
            answer = self.ask(2, 1, 1, body)
            assert not answer.get("rc") and "err" not in answer, answer
            assert answer["off"] > at, answer
            at = answer["off"]

    def mark(self, digest, confirm=False):
        return self.ask(2, 1, 0, {"hash": digest, "confirm": confirm} if digest else {"confirm": confirm})

    def restart(self):
        self.ask(2, 0, 5)
        time.sleep(0.6)
        return self.ask(0, 1, 0, timeout=0.5, tries=60)["images"]


class OverAPty(Smp):
    """The same in real time, and beside a client that shares no code with it."""

    def start(self, model, *keys):
        pack = subprocess.Popen([common.SIM, "--pty", ",".join(["link=rs485,protocol=smp,flash=instant,rate=1000000",
                                                                f"model={model}", *keys])],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        self.addCleanup(pack.stdout.close)
        self.addCleanup(pack.wait)
        self.addCleanup(pack.terminate)
        return common.untroubled(pack.stdout.readline().decode().strip())

    def job(self, command, pack, *words):
        return super().job(command, pack, "--baud", "1000000", *words)

    def client(self, port):
        client = Client(port)
        self.addCleanup(client.close)
        return client

    def slots(self, client):
        return {i["slot"]: (i["version"], i.get("active", False), i.get("confirmed", False), i.get("pending", False))
                for i in client.images()}

    def on_its_test_boot(self, port, restart=True):
        client = self.client(port)
        with open(V14, "rb") as f:
            client.upload(f.read())
        client.mark(next(i["hash"] for i in client.images() if i["slot"] == 1))
        if restart:
            client.restart()
        return client

    def test_another_client_updates_it(self):
        client = self.on_its_test_boot(self.start("app", "slot1=none"))
        self.assertEqual(self.slots(client)[0], ("1.4.0", True, False, False))
        client.mark(None, confirm=True)
        self.assertEqual(self.slots(client)[0], ("1.4.0", True, True, False))
        self.assertEqual(client.restart()[0]["version"], "1.4.0")

    def test_another_client_updates_it_in_recovery(self):
        client = self.client(self.start("both", "entry=once"))
        with open(V14, "rb") as f:
            client.upload(f.read())
        self.assertEqual([i["version"] for i in client.images()], ["1.4.0"])
        self.assertEqual(client.restart()[0]["version"], "1.4.0")

    def test_all_five_commands_on_the_application(self):
        port = self.start("app", "slot1=none")
        self.expect(self.job("probe", port), 0)
        self.expect(self.job("backup", port, "-o", self.path("told.tar")), 0)
        run = self.job("flash", port, "--key", common.KEY, V14)
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        self.expect(self.job("verify", port, "--key", common.KEY, V14), 0)
        self.expect(self.job("rollback", port), 41)  # the counter moved: its bootloader refuses, 1.4.0 stays
        self.expect(self.job("verify", port, "--key", common.KEY, V14), 0)

    def test_all_five_commands_in_recovery(self):
        port = self.start("recovery", "entry=always")
        self.expect(self.job("probe", port), 0)
        self.expect(self.job("backup", port, "-o", self.path("told.tar")), 0)
        self.expect(self.job("flash", port, "--key", common.KEY, V14, *WITHOUT), 44)
        self.expect(self.job("rollback", port), 33)

    def test_a_test_boot_is_rolled_back_by_a_restart(self):
        port = self.start("app", "slot1=none")
        client = self.on_its_test_boot(port)
        self.expect(self.job("rollback", port), 0)
        self.assertEqual(self.slots(client)[0], ("1.3.0", True, True, False))

    def test_a_test_boot_is_ended_well_by_its_image(self):
        port = self.start("app", "slot1=none")
        client = self.on_its_test_boot(port)
        run = self.job("flash", port, "--key", common.KEY, V14)
        self.expect(run, 0)
        self.assertEqual(run.of("summary")[0]["bytes_sent"], 0)
        self.assertEqual(self.slots(client)[0], ("1.4.0", True, True, False))

    def test_another_image_waits_for_the_end_of_a_test_boot(self):
        for restart in (True, False):
            with self.subTest(restart=restart):
                port = self.start("app", "slot1=none")
                client = self.on_its_test_boot(port, restart)
                run = self.job("flash", port, "--key", common.KEY, V15)
                self.expect(run, 32)
                self.assertIn("its test boot", run.result["error"]["cause"])
                command = shlex.split(run.result["error"]["next"])
                self.assertEqual(command[:2], ["bmsflash", "rollback"])
                self.expect(self.job("rollback", port), 0)
                self.assertEqual(self.slots(client)[0], ("1.3.0", True, True, False))
                self.expect(self.job("flash", port, "--key", common.KEY, V15), 0)

    def running(self, client):
        return [(i.get("image", 0), i["version"], i.get("confirmed", False)) for i in client.images() if i.get("active")]

    def test_two_images_on_their_test_boot_are_rolled_back_by_one_restart(self):
        port = self.start("app", "slot1=none", "image1=1.4.0", Pair.TRUST)
        client = self.client(port)
        for number, path in enumerate(Pair.FILES):
            with open(path, "rb") as f:
                client.upload(f.read(), number)
        for image in [i for i in client.images() if i["slot"] == 1]:
            client.mark(image["hash"])
        client.restart()
        self.assertEqual(self.running(client), [(0, "1.5.0", False), (1, "1.5.0", False)])
        self.expect(self.job("rollback", port), 0)
        self.assertEqual(self.running(client), [(0, "1.3.0", True), (1, "1.4.0", True)])

    def test_two_images_on_their_test_boot_are_confirmed_by_their_command(self):
        port = self.start("app", "slot1=none", "image1=1.4.0", Pair.TRUST)
        client = self.client(port)
        for number, path in enumerate(Pair.FILES):
            with open(path, "rb") as f:
                client.upload(f.read(), number)
        for image in [i for i in client.images() if i["slot"] == 1]:
            client.mark(image["hash"])
        client.restart()
        run = self.job("flash", port, *Pair.KEY, *Pair.FILES)
        self.expect(run, 0)
        self.assertEqual(run.of("summary")[0]["bytes_sent"], 0)
        self.assertEqual(self.running(client), [(0, "1.5.0", True), (1, "1.5.0", True)])

    def test_a_rollback_takes_both_images_where_the_profile_says_so(self):
        port = self.start("app", "slot1=1.4.0", "image1=1.3.0")
        client = self.client(port)
        with open(V15, "rb") as f:
            client.upload(f.read(), 1)
        profile = self.path("together.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[pack]\nprotocol = smp\n[smp]\ntogether = 2\n")
        self.expect(self.run_json("rollback", "--if", port, "--baud", "1000000", "--profile", profile), 0)
        self.assertEqual(self.running(client), [(0, "1.4.0", True), (1, "1.5.0", True)])


if __name__ == "__main__":
    unittest.main()
