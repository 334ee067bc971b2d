#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a production line relies on: events that say whose they are, results that can be filed alone, many packs in one
call, reports, labels, programs that are told, backups that are kept."""
import csv
import fcntl
import hashlib
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import termios
import time
import unittest
import xml.etree.ElementTree

import common

try:
    import pyte
except ImportError:
    pyte = None

V15 = common.image("app-1.5.0.signed.bin")
FLASH = ("flash", "--key", common.KEY)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Events(common.Case):
    def test_every_event_says_of_which_run_interface_and_node_it_is(self):
        run = self.run_json("probe", "--if", "sim:link=rs485", "--node", "17")
        self.expect(run, 0)
        self.assertEqual({e["interface"] for e in run.events}, {"sim:link=rs485"})
        self.assertEqual({e["node"] for e in run.events}, {17})
        self.assertEqual(len({e["run"] for e in run.events}), 1)
        self.assertNotEqual(run.result["run"], self.run_json("probe", "--if", "sim").result["run"])

    def test_without_an_interface_the_events_name_the_run_alone(self):
        for words in (("verify", "--key", common.KEY, V15), ("flash",)):
            run = self.run_json(*words)
            self.assertTrue(all("run" in e and "interface" not in e and "node" not in e for e in run.events))

    def test_a_result_can_be_filed_alone(self):
        record = self.path("packs.rec")
        run = self.run_json(*FLASH, "--if", "sim", "--record", record, V15)
        self.expect(run, 0)
        result = run.result
        self.assertEqual((result["serial"], result["from_version"], result["version"], result["image_version"]),
                         ("BX16-000001", "1.3.0", "1.5.0", "1.5.0"))
        self.assertEqual(result["image_digest"], run.of("image")[0]["digest"])
        self.assertEqual((result["key"], result["key_id"]), ("release", "ba9d7879eb954cd5"))
        self.assertGreater(result["seconds"], 1)
        self.assertTrue(os.path.exists(result["backup"]))
        self.assertEqual(result["warnings"], [e["text"] for e in run.of("warning")])
        with open(record, "rb") as f:
            line = f.read().rstrip(b"\n")
        self.assertEqual(result["record_digest"], hashlib.sha256(line).hexdigest())
        self.assertEqual(json.loads(line)["run"], result["run"])

    def test_warnings_of_a_run_are_in_its_result(self):
        run = self.run_json(*FLASH, "--if", "sim:soc=5", "--allow", "low-soc", V15)
        self.expect(run, 0)
        self.assertEqual(run.result["warnings"], [e["text"] for e in run.of("warning")])


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class String(common.Case):
    """sim:packs=16: a string of virtual packs on one wire."""

    def test_each_pack_of_a_string_has_its_own_serial_number_and_one_of_two_versions(self):
        found = {}
        for node in (1, 2, 3, 16):
            run = self.run_json("probe", "--if", "sim:packs=16", "--node", str(node))
            self.expect(run, 0)
            found[node] = (run.result["serial"], run.result["version"])
        self.assertEqual(found, {1: ("BX16-000001", "1.3.0"), 2: ("BX16-000002", "1.3.0"),
                                 3: ("BX16-000003", "1.4.0"), 16: ("BX16-000016", "1.3.0")})

    def test_one_of_a_string_is_dead_and_one_refuses(self):
        self.expect(self.run_json("probe", "--if", "sim:packs=16", "--node", "7"), 12)
        self.expect(self.run_json(*FLASH, "--if", "sim:packs=16", "--node", "12", V15), 31)
        self.expect(self.run_json(*FLASH, "--if", "sim:packs=16,locked=3", "--node", "12", V15), 0)
        self.expect(self.run_json("probe", "--if", "sim:packs=16", "--node", "17"), 12)

    def test_each_keeps_its_own_flash(self):
        wire = "sim:packs=2,state=" + self.path("flash")
        self.expect(self.run_json(*FLASH, "--if", wire, "--node", "2", V15), 0)
        versions = [self.run_json("probe", "--if", wire, "--node", n).result["version"] for n in "12"]
        self.assertEqual(versions, ["1.3.0", "1.5.0"])

    def test_a_string_is_one_of_nodes_on_a_serial_line(self):
        self.expect(self.run_json("probe", "--if", "sim:packs=4,protocol=dfu"), 2)


class ManyCase(common.Case):
    def many(self, *words, stdin=b"", **kwargs):
        """Runs it with --json; every line is held against the schema, and each pack has one result before the last."""
        done = subprocess.run([common.BIN, *words, "--json"], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.env, timeout=120, check=False, **kwargs)
        run = common.Run(done)
        self.assertTrue(run.events, run.err)
        self.assertEqual(run.result["event"], "result")
        self.assertEqual(run.result["status"], run.status)
        if common.VALIDATOR:
            for event in run.events:
                problems = list(common.VALIDATOR.iter_errors(event))
                self.assertFalse(problems, f"{event}: {problems[:1]}")
        self.assertEqual(len({e["run"] for e in run.events}), 1)
        run.packs = {(e.get("interface"), e.get("node")): e for e in run.of("result")[:-1]}
        self.assertEqual(len(run.packs), len(run.of("result")) - 1)
        return run


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Many(ManyCase):
    def test_a_string_is_flashed_pack_by_pack_and_the_same_command_skips_what_is_done(self):
        wire = "sim:packs=16,state=" + self.path("flash")
        words = (*FLASH, "--if", wire, "--node", "1-16", "--record", self.path("%i.rec"), V15)
        run = self.many(*words)
        self.expect(run, 12)
        self.assertEqual([run.packs[wire, n]["status"] for n in range(1, 17)], [0] * 6 + [12] + [0] * 4 + [31] + [0] * 4)
        self.assertEqual([p["node"] for p in run.result["packs"]], list(range(1, 17)))
        self.assertGreater(min(p["seconds"] for p in run.packs.values()), 0.1)  # of the dead one, too
        self.assertEqual({p["version"] for p in run.result["packs"] if p["exit"] == "ok"}, {"1.5.0"})
        backups = {p["backup"] for p in run.packs.values() if p["backup"]}
        self.assertEqual(len(backups), 15)
        self.assertTrue(all(os.path.exists(b) for b in backups))
        records = [name for name in os.listdir(self.dir) if name.endswith(".rec")]
        self.assertEqual(len(records), 1)
        self.expect(self.run_json("verify", "--record", self.path(records[0])), 0)
        again = self.many(*words)
        self.expect(again, 12)
        self.assertEqual([e["bytes"] - e["skip_bytes"] for e in again.of("plan")
                          if again.packs[wire, e["node"]]["status"] == 0], [0] * 14)

    def test_one_answer_of_all_packs_is_the_gravest(self):
        for wires, status in (((":soc=5", ":selftest=fail"), 41), ((":", ":soc=5"), 30), ((":seed=1", ":seed=2"), 0)):
            words = [w for wire in wires for w in ("--if", "sim" + wire)]
            run = self.many(*FLASH, *words, V15)
            self.expect(run, status)
            self.assertEqual(len(run.packs), 2)
            self.assertEqual(run.result.get("error", {}).get("code"), None if not status else run.result["exit"])

    def test_after_too_many_failures_no_further_pack_is_begun(self):
        wire = "sim:packs=16"
        run = self.many(*FLASH, "--if", wire, "--node", "1,7,2-4", "--max-failures", "1", V15)
        self.expect(run, 12)
        self.assertEqual([run.packs[wire, n]["status"] for n in (1, 7, 2, 3, 4)], [0, 12, 50, 50, 50])
        self.assertEqual({e["node"] for e in run.of("start")}, {1, 7})

    def test_sixteen_packs_on_four_interfaces_take_as_long_as_the_slowest(self):
        wires = [f"sim:packs=4,seed={n},serial=L{n}-1" for n in range(1, 5)]
        alone = max(self.many("backup", "--if", w, "--node", "1-4").result["seconds"] for w in wires)
        run = self.many("backup", *[x for w in wires for x in ("--if", w)], "--node", "1-4")
        self.expect(run, 0)
        self.assertEqual(len(run.packs), 16)
        self.assertLessEqual(run.result["seconds"], alone * 1.05)

    def test_what_several_packs_cannot_share_is_refused_before_anything_is_done(self):
        two = ("--if", "sim:seed=1", "--if", "sim:seed=2")
        nodes = ("--if", "sim:packs=2", "--node", "1-2")
        for words in (("probe", "--if", "sim", "--if", "sim"), ("probe", "--if", "ttyUSB7", "--if", "/dev/ttyUSB7"),
                      ("probe", "--if", "sim:packs=4", "--node", "1-3,2"), ("probe", "--if", "sim", "--node", "3-1"),
                      ("probe", "--if", "sim", "--node", "1-"), ("probe", "--if", "sim", "--node", "1,,2"),
                      ("probe", "--if", "sim", "--node", "0-300"),
                      ("backup", *two, "-o", self.path("x.tar")), ("backup", *nodes, "-o", self.path("%i.tar")),
                      ("probe", *nodes, "--trace", self.path("%s.log")), ("probe", *two, "--trace", self.path("x.log")),
                      ("probe", *two, "--record", self.path("x.rec")), ("probe", *two, "--expect-serial", "X"),
                      ("rollback", *two, "--from", self.path("x.tar")), ("probe", *two, "--doctor")):
            with self.subTest(words):
                run = self.run_it(*words, "--json")
                self.expect(run, 2)
                self.assertEqual([e["event"] for e in run.events], ["result"])
        self.assertEqual([n for n in os.listdir(self.dir) if n[0] == "x"], [])

    def test_files_of_several_packs_are_named_by_interface_node_and_serial_number(self):
        self.expect(self.many("backup", "--if", "sim:packs=2", "--node", "1,2", "-o", self.path("b-%s.tar"), "--trace",
                              self.path("t-%n.log"), "--record", self.path("r-%i-%s.rec")), 0)
        self.assertEqual(sorted(n for n in os.listdir(self.dir) if n[:2] in ("b-", "t-", "r-")),
                         ["b-BX16-000001.tar", "b-BX16-000002.tar", "r-sim_packs_2-BX16-000001.rec",
                          "r-sim_packs_2-BX16-000002.rec", "t-1.log", "t-2.log"])

    def test_each_scanned_label_is_of_one_pack(self):
        words = ("probe", "--if", "sim:packs=2", "--node", "1-2", "--expect-serial", "-")
        self.expect(self.many(*words, stdin=b"  BX16-000001 \r\n\nBX16-000002\n"), 0)
        run = self.many(*words, stdin=b"BX16-000002\nBX16-000001\n")
        self.assertNotIn(0, [p["status"] for p in run.packs.values()])
        for labels in (b"", b"BX16-000001\n", b"BX16-000001\nBX16-000001\n"):
            self.assertEqual(self.many(*words, stdin=labels).status, 2)

    @unittest.skipUnless("rs485" in common.TRANSPORTS, "built without serial ports")
    def test_a_signal_reaches_every_pack_once(self):
        words = ["probe", "--if", "ttyNONE1", "--if", "ttyNONE2", "--wait", "90s", "--json"]
        for which in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen([common.BIN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=self.env)
            self.addCleanup(p.stdout.close)
            self.addCleanup(p.stderr.close)
            seen = [json.loads(p.stdout.readline())["interface"]]
            while len(set(seen)) < 2:
                seen.append(json.loads(p.stdout.readline())["interface"])
            p.send_signal(which)
            events = [json.loads(line) for line in p.stdout]
            self.assertEqual(p.wait(20), 50)
            self.assertEqual([e["status"] for e in events if e["event"] == "result"], [50, 50, 50])

    @unittest.skipUnless("rs485" in common.TRANSPORTS, "built without serial ports")
    def test_a_pack_whose_process_is_killed_has_a_result_and_the_others_go_on(self):
        p = subprocess.Popen([common.BIN, "probe", "--if", "ttyNONE1", "--if", "sim", "--wait", "90s", "--json"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        self.addCleanup(p.stdout.close)
        results = 0
        while not results:
            results += json.loads(p.stdout.readline())["event"] == "result"
        children = []
        while not children:
            with open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="ascii") as f:
                children = f.read().split()
            time.sleep(0.05)
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                pass  # the one that has said its result
        events = [json.loads(line) for line in p.stdout]
        self.assertEqual(p.wait(20), 1)
        self.assertEqual([(e.get("interface"), e["status"]) for e in events if e["event"] == "result"],
                         [("ttyNONE1", 1), (None, 1)])
        self.assertEqual([x["status"] for x in events[-1]["packs"]], [1, 0])

    def test_the_printed_commands_are_of_one_pack_and_work(self):
        run = self.many(*FLASH, "--if", "sim:packs=16", "--node", "6-8,12", "--record", self.path("%i-%s.rec"), V15)
        lines = [p["error"]["next"] for p in run.packs.values() if "error" in p and p["error"]["next"]]
        text = self.run_it(*FLASH, "--if", "sim:packs=16", "--node", "6-8", V15).out
        lines += [line.split(None, 1)[1] for line in text.splitlines() if line.startswith("Next")]
        lines.append(run.result["error"]["next"])
        self.assertGreaterEqual(len(lines), 3)
        for line in lines:
            self.assertIsNone(common.wrong_command(line), line)
            words = shlex.split(line, comments=True)
            self.assertEqual(words[0], "bmsflash")
            typed = self.run_it(*words[1:], "--json")
            self.assertEqual(typed.status, 12, f"{line}: {typed.out}")  # it is about the dead one
            self.assertEqual(len(typed.of("result")), 1)

    def test_the_table_has_a_line_for_each_pack_and_the_last_line_a_word_for_all(self):
        run = self.run_it(*FLASH, "--if", "sim:packs=16", "--node", "6-8", V15)
        self.expect(run, 12)
        lines = [line for line in run.out.splitlines() if line]
        self.assertEqual([line.split()[0] for line in lines[1:4]], ["DONE", "NO", "DONE"])
        self.assertRegex(lines[3], r"^DONE +8 +BX16-000008 +1\.3\.0 +1\.5\.0 +\d+ s$")
        self.assertRegex(lines[-1], r"^NO ANSWER  2 of 3 packs are done, 1 not\.")
        self.assertEqual(self.run_it("probe", "--if", "sim:packs=2", "--node", "1-2", "-q").out.count("\n"), 1)

    def test_warnings_are_shown_as_whole_lines_when_it_is_quiet_too(self):
        run = self.run_it("probe", "-q", "--if", "sim:packs=2", "--node", "1-2", "--on-result", "/bin/false")
        self.expect(run, 0)
        lines = run.err.splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^WARNING    node [12]: .+$")


@unittest.skipUnless(pyte, "python3-pyte is not installed")
@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Big(common.Case):
    """What is seen from two metres."""

    def on(self, columns, lines, *words):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(common.BIN, [common.BIN, *words], dict(self.env, TERM="xterm", LC_ALL="C"))
        screen = pyte.Screen(columns, 200)
        stream = pyte.ByteStream(screen)
        while True:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            stream.feed(data)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        return status, screen

    def letters(self, screen):
        """Rows of the big word: those that are made of # and blanks alone."""
        return [(y, row.rstrip()) for y, row in enumerate(screen.display) if row.strip() and not row.strip(" #")]

    def test_pass_and_fail_are_as_large_as_the_terminal_allows(self):
        for columns, lines, height in ((40, 24, 5), (80, 24, 10), (160, 50, 15)):
            for nodes, good in (("1-2", True), ("7-8", False)):
                with self.subTest((columns, nodes)):
                    status, screen = self.on(columns, lines, "probe", "--if", "sim:packs=16", "--node", nodes)
                    self.assertEqual(status == 0, good)
                    rows = self.letters(screen)
                    self.assertEqual(len(rows), height, "\n".join(screen.display))
                    self.assertGreaterEqual(max(len(row) for _, row in rows), columns / 2)
                    self.assertEqual(screen.buffer[rows[0][0]][0].fg, "green" if good else "red")
                    # F has its bar on top to the end, P rounds it off.
                    wide = len(rows[0][1]) // 24 + 1
                    self.assertEqual(rows[0][1][4 * wide:5 * wide].strip() != "", not good, rows[0][1])
                    self.assertTrue(all(len(row.rstrip()) <= columns for row in screen.display))

    def test_elsewhere_than_on_a_terminal_it_is_one_plain_word(self):
        self.assertTrue(self.run_it("probe", "--if", "sim", "--big").out.endswith("\nPASS\n"))
        self.assertTrue(self.run_it(*FLASH, "--if", "sim:soc=5", "--big", V15).out.endswith("\nFAIL\n"))
        self.assertNotIn("PASS", self.run_it("probe", "--if", "sim").out)
        self.assertNotIn("PASS", self.run_it("probe", "--if", "sim", "--big", "--json").out)


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Backups(ManyCase):
    def make(self, pack, times=1, *words):
        return [self.run_json("backup", "--if", "sim:" + pack, *words).result["backup"] for _ in range(times)]

    def listed(self, *words):
        run = self.run_json("backup", "--list", *words)
        self.expect(run, 0)
        return [(e["what"], e["serial"], e["path"]) for e in run.of("file")]

    def test_no_backup_yet_is_no_failure(self):
        self.assertEqual(self.listed(), [])

    def test_backups_are_listed_by_pack_and_found_by_serial_number(self):
        a, b = self.make("serial=A-1", 2), self.make("serial=B-2,version=1.4.0")
        self.assertEqual(self.listed(), [("backup", "A-1", a[0]), ("backup", "A-1", a[1]), ("backup", "B-2", b[0])])
        self.assertEqual(self.listed("--expect-serial", "B-2"), [("backup", "B-2", b[0])])
        run = self.run_it("backup", "--list")
        self.assertIn("\nDONE       3 backups of 2 packs.\n", run.out)
        self.assertIn("1.4.0", run.out)
        event = self.run_json("backup", "--list").of("file")[0]
        self.assertTrue(event["sound"] and event["sealed"] and not event["needed"])
        self.assertEqual(event["size"], os.path.getsize(a[0]))

    def test_keep_leaves_the_newest_of_each_pack(self):
        a, b = self.make("serial=A-1", 12), self.make("serial=B-2")
        run = self.run_json("backup", "--keep", "2")
        self.expect(run, 0)
        self.assertEqual([p for what, _, p in self.listed()], a[-2:] + b)
        self.assertEqual([e["path"] for e in run.of("file") if e["what"] == "removed"], a[:-2])

    def test_keep_goes_with_a_backup_too(self):
        self.make("serial=A-1", 3)
        last = self.make("serial=A-1", 1, "--keep", "1")
        self.assertEqual([p for _, _, p in self.listed()], last)
        self.make("packs=2,serial=S-1", 0)
        for _ in range(2):
            self.expect(self.many("backup", "--if", "sim:packs=2,serial=S-1", "--node", "1-2", "--keep", "1"), 0)
        self.assertEqual(len(self.listed()), 3)

    def test_what_was_not_made_here_or_is_damaged_stays_and_does_not_count(self):
        a = self.make("serial=A-1", 3)
        foreign = a[0].replace("A-1", "A-1-foreign")
        env, self.env = self.env, dict(self.env, XDG_STATE_HOME=self.dir + "/other")
        os.rename(self.make("serial=A-1")[0], foreign)
        self.env = env
        with open(a[2], "r+b") as f:
            f.truncate(os.path.getsize(a[2]) // 2)
        self.expect(self.run_json("backup", "--keep", "1"), 0)
        self.assertEqual([os.path.exists(p) for p in (*a, foreign)], [False, True, True, True])

    def test_packs_that_share_a_serial_number_keep_their_own(self):
        one, two = self.make("serial=A-1,calib=1"), self.make("serial=A-1,calib=2")
        nameless = self.make("serial=,calib=1", 2)
        self.expect(self.run_json("backup", "--keep", "1"), 0)
        self.assertTrue(all(os.path.exists(p) for p in one + two + nameless))

    def test_what_an_interrupted_run_needs_stays(self):
        wire = "sim:quirk=singlebank,link=rs485,state=" + self.path("flash")
        run = self.run_json(*FLASH, "--if", wire + ",cutmsg=150", V15)
        self.assertNotEqual(run.status, 0)
        journal = os.path.join(self.env["XDG_STATE_HOME"], "bmsflash", "journal")
        names = os.listdir(journal)
        self.assertEqual(len(names), 1)
        with open(os.path.join(journal, names[0]), encoding="utf-8") as f:
            needed = json.load(f)["backup"]
        self.make("quirk=singlebank", 3)
        self.expect(self.run_json("backup", "--keep", "1"), 0)
        self.assertTrue(os.path.exists(needed))
        self.assertEqual(len(self.listed()), 2)
        with open(os.path.join(journal, names[0]), "w", encoding="utf-8") as f:
            f.write("{")
        self.make("quirk=singlebank", 2)
        self.assertNotEqual(self.run_json("backup", "--keep", "1").status, 0)
        self.assertEqual(len(self.listed()), 4)

    def test_a_folder_for_backups_can_be_named(self):
        folder = self.path("shelf")
        made = self.make("serial=A-1", 1, "--backup-dir", folder)
        self.assertEqual(os.path.dirname(made[0]), folder)
        self.assertEqual(self.listed("--backup-dir", folder), [("backup", "A-1", made[0])])
        self.assertEqual(self.listed(), [])
        run = self.run_json(*FLASH, "--if", "sim:serial=A-1", "--backup-dir", folder, V15)
        self.assertEqual(os.path.dirname(run.result["backup"]), folder)
        self.assertEqual(len(os.listdir(folder)), 2)

    def test_a_list_is_of_files_and_not_of_a_pack(self):
        self.expect(self.run_json("backup", "--list", "--if", "sim"), 2)
        self.env["BMSFLASH_IF"] = "sim"
        self.assertEqual(self.listed(), [])


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Report(ManyCase):
    def test_a_report_as_csv_has_a_row_for_each_pack_and_no_formula(self):
        name = self.path("shift.csv")
        run = self.many("probe", "--if", "sim:serial==1+1", "--if", "sim:serial=B-7", "--report", name)
        self.expect(run, 0)
        with open(name, newline="", encoding="utf-8") as f:
            rows = list(csv.DictReader(f))
        self.assertEqual([(r["serial"], r["status"], r["word"]) for r in rows],
                         [("'=1+1", "0", "READY"), ("B-7", "0", "READY")])
        self.assertTrue(all(cell[:1] not in tuple("=+-@\t\r") for r in rows for cell in r.values() if cell))

    def test_a_report_as_junit_is_xml_that_names_each_failure(self):
        name = self.path("shift.xml")
        self.many(*FLASH, "--if", "sim:packs=16", "--node", "6-8", "--report", name, V15)
        suite = xml.etree.ElementTree.parse(name).getroot()
        self.assertEqual((suite.tag, suite.get("tests"), suite.get("failures")), ("testsuite", "3", "1"))
        cases = suite.findall("testcase")
        self.assertEqual([c.find("failure") is not None for c in cases], [False, True, False])
        self.assertEqual(cases[1].find("failure").get("type"), "no-device")
        self.assertEqual(cases[0].get("classname"), "BX16-000006")
        properties = {p.get("name"): p.get("value") for p in cases[0].find("properties")}
        self.assertEqual((properties["version"], properties["key_id"]), ("1.5.0", "ba9d7879eb954cd5"))

    def test_what_a_pack_says_cannot_break_the_xml(self):
        name = self.path("one.xml")
        self.expect(self.run_json("probe", "--if", 'sim:serial=<&">]]>', "--report", name), 0)
        case = xml.etree.ElementTree.parse(name).getroot().find("testcase")
        self.assertEqual(case.get("classname"), '<&">]]>')

    def test_a_report_that_cannot_be_written_is_found_before_anything_is_done(self):
        for name in (self.path("none/x.csv"), self.path("x.txt")):
            run = self.run_json("probe", "--if", "sim", "--report", name)
            self.assertNotEqual(run.status, 0)
            self.assertEqual(len(run.events), 1)

    def test_a_report_replaces_an_earlier_one_as_a_whole(self):
        name = self.path("x.csv")
        for _ in range(2):
            self.expect(self.run_json("probe", "--if", "sim", "--report", name), 0)
        with open(name, encoding="utf-8") as f:
            self.assertEqual(len(f.read().splitlines()), 2)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("x.csv")], ["x.csv"])


@unittest.skipUnless(common.VIRTUAL_UDS, common.NEEDS_VIRTUAL_UDS)
class Told(ManyCase):
    def program(self, text):
        name = self.path("told")
        with open(name, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(name, 0o755)
        return name

    def test_a_program_gets_the_result_of_each_pack(self):
        program = self.program(f"cat >>{self.path('log')}; echo >>{self.path('log')}; echo noise\n")
        run = self.many("probe", "--if", "sim:packs=3", "--node", "1-3", "--on-result", program)
        self.expect(run, 0)
        with open(self.path("log"), encoding="utf-8") as f:
            told = [json.loads(line) for line in f if line.strip()]
        self.assertEqual([t["serial"] for t in told], ["BX16-000001", "BX16-000002", "BX16-000003"])
        self.assertEqual({t["run"] for t in told}, {run.result["run"]})

    def test_a_program_cannot_gain_privileges(self):
        program = self.program(f"grep NoNewPrivs /proc/self/status >{self.path('log')}; cat >/dev/null\n")
        self.expect(self.run_json("probe", "--if", "sim", "--on-result", program), 0)
        with open(self.path("log"), encoding="ascii") as f:
            self.assertEqual(f.read().split(), ["NoNewPrivs:", "1"])

    def test_its_failure_is_a_warning_and_changes_no_exit_status(self):
        for text, what in (("exit 3\n", "exit status 3"), ("kill -9 $$\n", "signal 9"), ("exec 0<&-; exit 1\n", "status 1")):
            run = self.run_json("probe", "--if", "sim", "--on-result", self.program(text))
            self.expect(run, 0)
            self.assertIn(what, run.result["warnings"][-1])
            self.assertEqual(run.of("warning")[-1]["text"], run.result["warnings"][-1])
        run = self.run_it("probe", "--if", "sim", "--on-result", self.program("exit 3\n"))
        self.expect(run, 0)
        self.assertIn("exit status 3", run.err)

    def test_a_program_needs_an_absolute_path_and_has_to_be_there(self):
        for name in ("told", "/nonexistent/told"):
            self.expect(self.run_json("probe", "--if", "sim", "--on-result", name), 2)


common.main()
