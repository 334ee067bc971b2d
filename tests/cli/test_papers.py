#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is written about bmsflash against what it is: names, members, and every command that a reader may type."""
import html
import json
import os
import re
import shlex
import subprocess
import sys
import unittest

import common
import terminal

TABLE = json.loads(subprocess.run([os.environ["BMSFLASH_GEN_CLI"], "json"], check=True,
                                  stdout=subprocess.PIPE).stdout)
PAGES = ("man/bmsflash.1.scd.in", "man/bmsflash-sim.1.scd.in", "man/bmsflash-json.5.scd",
         "man/bmsflash-profile.5.scd.in", "man/bmsflash-uds.7.scd", "man/bmsflash-dfu.7.scd",
         "man/bmsflash-smp.7.scd")
TEXTS = PAGES + ("man/bmsflash-stm32.7.scd", "man/bmsflash-signing.7.scd", "README.md", "HACKING.md", "docs/SEQUENCE.md", "docs/BENCHMARKS.md")


def read(name):
    with open(os.path.join(common.ROOT, name), encoding="utf-8") as f:
        return f.read()


def generated(mode):
    return subprocess.run([os.environ["BMSFLASH_GEN_CLI"], mode], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


def shell_commands(name):
    """Each command line of a text's literal blocks that begins with a program of ours."""
    text = read(name)
    blocks = re.findall(r"^```\n(.*?)^```", text, re.S | re.M) + re.findall(r"(?:^(?: {4}|\t).*\n)+", text, re.M)
    # A line that ends in a backslash goes on in the next one; scdoc wants two of them.
    for line in re.sub(r"\\+\n\s*", "", "".join(blocks)).splitlines():
        for part in re.split(r"\s*(?:&&|;|\||\s&$|>\w)\s*", line.strip()):
            part = re.sub(r"^(sudo|\$) ", "", part)
            if re.match(r"(\./|build/src/cli/)?bmsflash [a-z]", part):
                yield part


class Manual(unittest.TestCase):
    def test_the_pages_take_their_tables_from_the_program(self):
        page = read("man/bmsflash.1.scd.in")
        for mode in ("man-commands", "man-options", "man-allow", "man-exit"):
            self.assertIn(f"\n@@{mode}@@\n", page)
        self.assertIn("\n@@man-sim@@\n", read("man/bmsflash-sim.1.scd.in"))
        self.assertIn("\n@KEYS@\n", read("man/bmsflash-profile.5.scd.in"))

    def test_every_option_code_check_and_key_is_in_a_table(self):
        for option in TABLE["options"]:
            self.assertIn(f"*--{option['name']}*", generated("man-options"))
        for name in TABLE["exits"]:
            self.assertIn(f":  {name}\n", generated("man-exit"))
        for name in TABLE["allow"]:
            self.assertIn(f"*{name}*\n", generated("man-allow"))
        for name in TABLE["sim"]:
            self.assertIn(f"*{name}=*", generated("man-sim"))

    def test_keys_of_the_virtual_pack_that_are_named_exist(self):
        words = re.search(r"[Kk]eys of \*sim\*:.*?\n\n", read("man/bmsflash.1.scd.in"), re.S).group(0)
        for name in re.findall(r"\*(\w+)=\*", words):
            self.assertIn(name, TABLE["sim"])


class Commands(unittest.TestCase):
    """No text names an option that its command has not."""

    def words_of(self, name):
        for line in shell_commands(name):
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                self.fail(f"{name}: {line}")
            yield line, words[1], words[2:]

    def check(self, name, line, command, words):
        self.assertIn(command, TABLE["commands"], f"{name}: {line}")
        known = set()
        for option in TABLE["options"]:
            if command in option["commands"]:
                known |= {"--" + option["name"], "-" + str(option.get("brief"))}
        for word in words:
            if word.startswith("-") and word != "-":
                self.assertIn(word.split("=")[0], known, f"{name}: {line}")

    def test_every_command_in_the_papers_has_the_options_it_is_given(self):
        seen = 0
        for name in TEXTS:
            for line, command, words in self.words_of(name):
                self.check(name, line, command, words)
                seen += 1
        self.assertGreater(seen, 15)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Examples(common.Case):
    """What the papers let a reader type works when it is typed, with the virtual pack in the place of his."""

    def stand_in(self, word):
        if word in ("can0", "vcan0", "usb", "/dev/ttyUSB0", "/tmp/pack", "sim"):
            return self.pack
        if word.endswith("release.pub.pem"):
            return common.KEY
        if word.endswith(".bin"):
            return common.image("app-1.5.0.signed.bin")
        return {"pack-0042.tar": self.path("backup.tar"), "pack.tar": self.path("new.tar"), "$LABEL": "BX16-000001",
                "/var/log/packs.rec": self.path("packs.rec")}.get(word, word)

    def check(self, name, line):
        state = self.path("pack.state")
        if os.path.exists(state):
            os.unlink(state)
        self.pack = "sim:slot1=1.4.0,state=" + state
        for name in ("backup.tar", "new.tar"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        if "--from" in line:
            self.expect(self.run_it("backup", "--if", self.pack, "-o", self.path("backup.tar")), 0)
        words = [self.stand_in(word) for word in shlex.split(line, comments=True)[1:]]
        run = self.run_it(*words)
        wanted = (0, 10) if "--doctor" in words else (41,) if "sim:crash=trial" in words else (0,)
        self.assertIn(run.status, wanted, f"{name}: {line}\n{run.err}")

    def test_every_example_does_what_it_says(self):
        lines = [(name, line) for name in PAGES + ("README.md",) for line in shell_commands(name)]
        self.assertGreater(len(lines), 15)
        for name, line in lines:
            asked = re.search(r"(?:-p|--protocol) (\w+)", line)
            if asked and asked.group(1) not in common.PROTOCOLS:
                continue  # built without it
            if "model=tinyusb" in line and "dfu" not in common.PROTOCOLS:
                continue
            with self.subTest(line):
                self.check(name, line)


class Events(unittest.TestCase):
    """bmsflash-json(5), the schema and the program name the same events and members."""

    def setUp(self):
        self.schema = json.loads(read("data/bmsflash-events.schema.json"))["definitions"]
        text = read("man/bmsflash-json.5.scd").split("# EVENTS\n")[1].split("\n# EXAMPLE")[0]
        self.paragraphs = {}
        for heads, body in re.findall(r"^((?:\*[a-z-]+\*(?:, )?)+)\n((?:\t.*\n)+)", text, re.M):
            for head in re.findall(r"\*([a-z-]+)\*", heads):
                self.paragraphs[head] = body
        self.members = {}
        for definition in self.schema.values():
            properties = definition.get("properties", {})
            event = properties.get("event", {})
            for name in event.get("enum", [event["const"]] if "const" in event else []):
                self.members[name] = definition

    def test_every_event_is_told_and_no_other(self):
        self.assertEqual(sorted(self.paragraphs), sorted(TABLE["events"] + ["result"]))
        self.assertEqual(sorted(self.members), sorted(TABLE["events"] + ["result"]))

    def names_in(self, schema):
        for name, value in schema.get("properties", {}).items():
            if value is True or name == "event":
                continue
            yield name
            yield from self.names_in(value)
            yield from self.names_in(value.get("items", {}))

    def test_every_member_is_told_and_no_other(self):
        for event, definition in self.members.items():
            told = {m.replace("\\", "") for m in re.findall(r"_((?:[a-z]|\\_)+)_", self.paragraphs[event])}
            with self.subTest(event):
                if event == "self-test":
                    self.assertIn("as in *check*", self.paragraphs[event])
                    continue
                self.assertEqual(told, set(self.names_in(definition)))

    def test_every_exit_name_is_in_the_schema(self):
        self.assertEqual(sorted(self.schema["result"]["properties"]["exit"]["enum"]), sorted(set(TABLE["exits"])))


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
@unittest.skipUnless(terminal.pyte, terminal.NEEDS_PYTE)
class Picture(unittest.TestCase):
    def test_the_picture_and_the_recording_are_of_a_real_run(self):
        drawn = subprocess.run([sys.executable, os.path.join(common.ROOT, "tools", "picture"), common.BIN], check=True,
                               stdout=subprocess.PIPE, timeout=120).stdout.decode()
        self.assertEqual(drawn, read("docs/screen.svg"), "tools/picture BMSFLASH > docs/screen.svg draws it again")
        shown = html.unescape(re.sub("<[^>]*>", "", drawn)).splitlines()
        recording = re.search(r"```\n(Image .*?)```", read("README.md"), re.S).group(1).splitlines()
        live = [row for row in recording if row.startswith(("Writing", "Go on?"))]
        self.assertEqual(len(live), 2)
        self.assertEqual([row for row in recording if row not in [*shown, *live]], [])


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Sequence(common.Case):
    def test_every_step_that_changes_something_is_drawn_in_order(self):
        run = self.run_json("flash", "--if", "sim", "--key", common.KEY, common.image("app-1.5.0.signed.bin"))
        text, at = read("docs/SEQUENCE.md"), 0
        names = [phase["name"] for phase in run.of("phase")]
        for name in names[names.index("backing up"):]:
            found = text.find(name, at)
            self.assertNotEqual(found, -1, f"'{name}' is not in docs/SEQUENCE.md after character {at}")
            at = found


common.main()
