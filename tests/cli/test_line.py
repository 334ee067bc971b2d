#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a production line relies on: events that say whose they are, results that can be filed alone, many packs in one
call, reports, labels, programs that are told, backups that are kept."""
import hashlib
import json
import os
import unittest

import common

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


common.main()
