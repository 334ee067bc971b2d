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


common.main()
