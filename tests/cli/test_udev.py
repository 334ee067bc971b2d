#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The udev rules, read as udev reads them (udev(7)): what they do with each device that the program and its profiles name."""
import configparser
import fnmatch
import glob
import os
import re
import unittest

import common

RULES = "60-bmsflash.rules"
BRAILLE = "90-bmsflash-brltty.rules"
MATCH = ("==", "!=")
ASSIGN = ("=", "+=", "-=", ":=")
# Every key that udev knows and these files may use. Programs (RUN, PROGRAM, IMPORT) are none of them.
KEYS = {"ACTION": MATCH, "SUBSYSTEM": MATCH, "DRIVER": MATCH, "KERNEL": MATCH, "TEST": MATCH, "ENV{}": MATCH + ASSIGN,
        "ATTR{}": MATCH + ("=",), "ATTRS{}": MATCH, "MODE": ("=",), "GROUP": ("=",), "TAG": MATCH + ASSIGN, "GOTO": ("=",),
        "LABEL": ("=",)}
PART = re.compile(r'\s*([A-Z]+)(\{[^{}"\s]+\})?\s*(==|!=|\+=|-=|:=|=)\s*"([^"\\]*)"\s*(?:,|$)')


def read(name):
    with open(os.path.join(common.ROOT, name), encoding="utf-8") as f:
        return f.read()


def rules(name):
    """Each rule: its parts (key, name in braces, operator, value)."""
    for line in re.sub(r"\\\n", "", read("data/" + name)).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        parts, at = [], 0
        while at < len(line.rstrip()):
            part = PART.match(line, at)
            if not part:
                raise AssertionError(f"{name}: not read by udev: {line[at:]}")
            parts.append((part[1], (part[2] or "")[1:-1], part[3], part[4]))
            at = part.end()
        yield parts


def is_like(value, pattern):
    return any(fnmatch.fnmatchcase(value, one) for one in pattern.split("|"))


class Device:
    """A device as the kernel reports it. `rule_by_rule` changes what rules assign, as udev does."""

    def __init__(self, subsystem="usb", action="add", attr=None, env=None, driver=""):
        self.env, self.attr, self.tags = dict(env or {}), dict(attr or {}), set()
        self.plain = {"ACTION": action, "SUBSYSTEM": subsystem, "DRIVER": driver, "KERNEL": "1-2"}
        self.mode = self.group = None
        self.written = {}

    def has(self, key, name, value):
        if key == "TEST":
            return value in self.attr
        if key == "TAG":
            return any(is_like(tag, value) for tag in self.tags)
        if key == "ATTR" and name not in self.attr:
            return None  # matches nothing, not even by !=
        return is_like({"ENV": self.env, "ATTR": self.attr}.get(key, self.plain).get(name or key, ""), value)

    def assign(self, key, name, value):
        if key == "ENV":
            self.env[name] = value
        elif key == "ATTR":
            self.attr[name] = self.written[name] = value
        elif key == "TAG":
            self.tags.add(value)
        elif key == "MODE":
            self.mode = int(value, 8)
        elif key == "GROUP":
            self.group = value

    def rule_by_rule(self, name):
        label = None
        for parts in rules(name):
            if label and ("LABEL", "", "=", label) not in parts:
                continue
            label = None
            if all(self.has(key, sub, value) is (op == "==") for key, sub, op, value in parts if op in MATCH):
                for key, sub, op, value in parts:
                    if op not in MATCH:
                        self.assign(key, sub, value)
                    if key == "GOTO":
                        label = value
        return self


def usb(vid, pid, interfaces, **more):
    return Device(attr={"idVendor": vid, "idProduct": pid, "power/control": "auto"},
                  env={"DEVTYPE": "usb_device", "ID_USB_INTERFACES": interfaces}, **more)


def dfu_devices():
    """Numbers of every USB device with a DFU interface that the program or a profile names."""
    # vendor, first product, last product, releases, habits
    for vid, first, last in re.findall(r"^\t\{ 0x(\w{4}), 0x(\w{4}), 0x(\w{4}), \w+, \w+, BF_DFU", read("src/family/dfu/dfu_habit.c"),
                                       re.M):
        yield from {(vid.lower(), first.lower()), (vid.lower(), last.lower())}
    for vid, pid in re.findall(r"\{ 0x(\w{4}), 0x(\w{4}) \}", read("src/image/dfu.c")):
        yield vid.lower(), pid.lower()
    for path in glob.glob(os.path.join(common.ROOT, "data/profiles/*.ini*")):
        profile = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=("#", ";"))
        profile.read_string(re.sub(r"^@.*", "", read(os.path.relpath(path, common.ROOT)), flags=re.M))
        for of in "", "loader-":
            numbers = [int(profile.get("usb", of + key, fallback="0"), 0) for key in ("vid", "pid")]
            if all(numbers):
                yield tuple(f"{number:04x}" for number in numbers)


def adapters():
    """Serial adapters that probe --doctor knows: vendor, product, module, whether brltty claims it."""
    return [(vid, pid, module, braille == "true") for vid, pid, module, braille in
            re.findall(r'\{ "(\w{4})", "(\w{4})", "[^"]+", "(\w+)", (true|false) \}', read("src/transport/rs485_diag.c"))]


class Form(unittest.TestCase):
    def test_every_line_has_keys_that_udev_knows_and_runs_no_program(self):
        for name in RULES, BRAILLE:
            for parts in rules(name):
                for key, sub, op, _ in parts:
                    self.assertIn(op, KEYS.get(key + ("{}" if sub else ""), ()), f"{name}: {key} {op}")

    def test_every_jump_goes_forward_to_a_label(self):
        for name in RULES, BRAILLE:
            waiting = set()
            for parts in rules(name):
                waiting -= {value for key, _, _, value in parts if key == "LABEL"}
                waiting |= {value for key, _, _, value in parts if key == "GOTO"}
            self.assertEqual(waiting, set(), name)

    def test_nothing_is_open_to_everybody(self):
        for name in RULES, BRAILLE:
            for parts in rules(name):
                modes = [value for key, _, _, value in parts if key == "MODE"]
                for mode in modes:
                    self.assertEqual(int(mode, 8) & ~0o660, 0, f"{name}: {mode}")
                    self.assertIn("GROUP", [key for key, _, _, _ in parts])
        self.assertNotIn("0666", read("data/" + RULES) + read("data/" + BRAILLE))

    def test_access_is_granted_before_udev_reads_the_tag_and_braille_is_undone_after_its_rules(self):
        self.assertLess(RULES, "73-seat-late.rules")
        self.assertGreater(BRAILLE, "85-brltty.rules")


class Dfu(unittest.TestCase):
    def test_every_device_that_is_named_belongs_to_the_user_at_the_seat(self):
        named = set(dfu_devices())
        self.assertLessEqual({("0483", "df11"), ("0483", "5740"), ("28e9", "0189"), ("1d50", "5117"), ("1d50", "5126")}, named)
        for vid, pid in named:
            for interfaces in ":fe0102:", ":fe0101:", ":020201:0a0000:fe0101:":
                with self.subTest(vid=vid, pid=pid, interfaces=interfaces):
                    device = usb(vid, pid, interfaces).rule_by_rule(RULES)
                    self.assertEqual((device.mode, device.group, device.tags), (0o660, "plugdev", {"uaccess"}))
                    self.assertEqual(device.env["ID_MM_DEVICE_IGNORE"], "1")

    def test_other_devices_stay_as_they_are(self):
        # a keyboard, a smart card reader, a USB to IrDA bridge (class FE, subclass 02), and an interface of a DFU device
        for interfaces in ":030101:", ":0b0000:", ":fe0200:":
            device = usb("046d", "c31c", interfaces).rule_by_rule(RULES)
            self.assertEqual((device.mode, device.group, device.tags, device.written), (None, None, set(), {}))
            self.assertNotIn("ID_MM_DEVICE_IGNORE", device.env)
        device = Device(attr={"bInterfaceClass": "fe"}, env={"DEVTYPE": "usb_interface", "ID_USB_INTERFACES": ":fe0101:"}).rule_by_rule(RULES)
        self.assertEqual((device.mode, device.written), (None, {}))


class Adapters(unittest.TestCase):
    def test_every_adapter_of_the_doctor_is_kept_from_modemmanager_and_awake(self):
        self.assertGreaterEqual(len(adapters()), 11)
        for vid, pid, _, _ in adapters():
            with self.subTest(vid=vid, pid=pid):
                device = usb(vid, pid, ":ff0000:").rule_by_rule(RULES)
                self.assertEqual(device.env.get("ID_MM_DEVICE_IGNORE"), "1")
                self.assertEqual(device.written, {"power/control": "on"})
                self.assertEqual((device.mode, device.tags), (None, set()))

    def test_nothing_is_done_with_a_device_that_leaves(self):
        device = usb("0403", "6001", ":ff0000:fe0101:", action="remove").rule_by_rule(RULES).rule_by_rule(BRAILLE)
        self.assertEqual((device.mode, device.tags, device.written), (None, set(), {}))

    def test_ftdi_chips_alone_get_another_latency(self):
        for driver, written in ("ftdi_sio", {"latency_timer": "1"}), ("cp210x", {}):
            device = Device("usb-serial", attr={"latency_timer": "16"}, driver=driver).rule_by_rule(RULES)
            self.assertEqual(device.written, written)

    def test_brltty_lets_go_of_the_adapters_that_the_doctor_says_it_takes(self):
        for vid, pid, _, braille in adapters():
            with self.subTest(vid=vid, pid=pid):
                device = usb(vid, pid, ":ff0000:")
                device.env.update(BRLTTY_BRAILLE_DRIVER="bm", SYSTEMD_WANTS="brltty.service")
                device.rule_by_rule(BRAILLE)
                self.assertEqual(device.env["SYSTEMD_WANTS"], "" if braille else "brltty.service")


common.main()
