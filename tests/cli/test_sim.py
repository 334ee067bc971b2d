#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The five jobs on the built-in virtual pack: what happens, what is said, and every exit code that can be provoked."""
import datetime
import fcntl
import json
import os
import re
import shutil
import signal
import tarfile
import unittest

import common

V13 = common.image("app-1.3.0.signed.bin")
V14 = common.image("app-1.4.0.signed.bin")
TECHNICIAN = os.path.join(common.DATA, "auth", "technician.pem")
V15 = common.image("app-1.5.0.signed.bin")
NEEDS_DFU = unittest.skipUnless("dfu" in common.PROTOCOLS, "built without DFU")


class Jobs(common.Case):
    def pack(self, *keys):
        return "sim:" + ",".join([f"state={self.path('pack.flash')}", *keys])

    def flash(self, image, *words, pack=None):
        return self.run_json("flash", "--if", pack or self.pack(), "--key", common.KEY, image, *words)

    def running(self, pack=None):
        run = self.run_json("probe", "--if", pack or self.pack())
        self.expect(run, 0)
        return run.of("device")[0]

    def test_flash_ends_with_the_pack_reporting_the_new_version_confirmed(self):
        run = self.flash(V15)
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        self.assertIn("1.5.0", run.result["sentence"])
        device = self.running()
        self.assertEqual(device["version"], "1.5.0")
        active = [s for s in device["slots"] if "active" in s["flags"]]
        self.assertEqual(len(active), 1)
        self.assertIn("confirmed", active[0]["flags"])
        self.assertEqual(device["security_counter"], 5)

    def test_probe_changes_nothing(self):
        first = self.running()
        self.assertEqual(first["version"], "1.3.0")
        self.assertEqual(first["slots"], self.running()["slots"])

    @unittest.skipUnless("stm32" in common.PROTOCOLS, "built without STM32")
    def test_a_pack_of_two_families_is_entered_by_modem_lines_and_left_in_its_firmware(self):
        profile = self.path("two.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[pack]\napplication = uds\nloader = stm32\n[entry]\nhow = lines, there\n"
                    "lines = rts=1 dtr=0 wait=50ms rts=0 dtr=1 wait=50ms rts=0 dtr=0\n"
                    "lines-leave = rts=1 dtr=0 wait=50ms rts=0\n")
        port = "sim:link=rs485,protocol=stm32,model=f103,boot0=low,lines=cross,state=" + self.path("chip.flash")
        run = self.run_json("probe", "--if", port, "--profile", profile)
        self.expect(run, 0)
        self.assertEqual(run.of("device")[0]["version"], "1.3.0")
        text = self.run_it("probe", "-v", "--if", port, "--profile", profile)
        for role in ("application: uds", "bootloader: stm32"):
            self.assertRegex(text.out + text.err, f"(?m)^{role}, 115200 baud, 8 data bits, parity ., 1 stop bit$")
        run = self.run_json("backup", "--if", port, "--profile", profile, "-o", self.path("two.tar"))
        self.expect(run, 0)
        self.assertTrue(os.path.getsize(self.path("two.tar")) > 100000)

    def test_probe_begins_with_the_whole_line_format_of_the_profile(self):
        profile = self.path("line.ini")
        for parity in ("none", "even", "odd"):
            with open(profile, "w", encoding="utf-8") as f:
                f.write(f"[rs485]\nparity = {parity}\n")
            run = self.run_json("probe", "--if", f"sim:link=rs485,parity={parity}", "--profile", profile)
            self.expect(run, 0)
            self.assertEqual(run.of("tried"), [])

    def test_flash_over_every_link_of_the_virtual_pack(self):
        for link in ("can", "canfd", "rs485"):
            with self.subTest(link):
                run = self.flash(V15, pack=f"sim:link={link}")
                self.expect(run, 0)
                self.assertEqual(run.result["state"], "new-proven")

    def test_no_wire_carries_more_than_it_can_compressed_or_not(self):
        for link in ("can", "canfd", "rs485"):
            with self.subTest(link):
                run = self.flash(V15, pack=f"sim:link={link}")
                shares = [e["wire_share"] for e in run.of("progress") if "wire_share" in e]
                self.assertGreater(max(shares), 0.2)
                self.assertLessEqual(max(shares), 1.0)

    def rate_used(self, pack, *words):
        run = self.flash(V15, *words, pack=pack)
        self.expect(run, 0)
        return run.of("summary")[0]["line_rate"], " ".join(e["text"] for e in run.of("notice"))

    def test_the_bit_rate_of_a_bus_with_other_nodes_stays_as_it_is(self):
        self.assertEqual(self.rate_used("sim")[0], 1000000)
        rate, said = self.rate_used("sim:others=1")
        self.assertEqual(rate, 500000)
        self.assertIn("other nodes talk", said)

    def test_a_profile_says_whether_the_bit_rate_may_change(self):
        for word, pack, want in (("never", "sim", 500000), ("always", "sim:broadcast=1", 1000000)):
            with self.subTest(word):
                with open(self.path("p.ini"), "w", encoding="utf-8") as f:
                    f.write(f"[can]\nchange-rate = {word}\n")
                self.assertEqual(self.rate_used(pack, "-P", self.path("p.ini"))[0], want)

    def test_a_node_that_keeps_its_rate_is_survived(self):
        with open(self.path("p.ini"), "w", encoding="utf-8") as f:
            f.write("[can]\nchange-rate = always\n")
        rate, said = self.rate_used("sim:others=1", "-P", self.path("p.ini"))
        self.assertEqual(rate, 500000)
        self.assertIn("does not work", said)

    def test_conditions_from_broadcasts_with_the_limits_that_come_with_them(self):
        profile = self.path("broadcast.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[telemetry]\nsource = can-broadcast\n")
        run = self.run_json("probe", "--if", self.pack("broadcast=1", "soc=61"), "--profile", profile)
        self.expect(run, 0)
        measure = run.of("measure")[0]
        self.assertEqual(measure["state_of_charge_percent"], 61)
        self.assertEqual(measure["charge_current_limit_a"], 25)
        self.assertEqual(measure["cell_voltages_v"], [])
        run = self.flash(V15, "--profile", profile, pack=self.pack("broadcast=1", "temp=45.1"))
        self.expect(run, 30)
        self.assertIn("--allow hot", run.result["error"]["do"])
        run = self.flash(V15, "--profile", profile, pack=self.pack("broadcast=1"))
        self.expect(run, 0)

    def test_writing_pauses_while_conditions_are_outside_their_limits(self):
        profile = self.path("slow.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[telemetry]\nwatch-s = 1\npause-max-s = 30\n[rs485]\nbaud = 9600\n")
        slow = ("link=rs485", "rate=9600", "quirk=noread")
        words = ("--profile", profile, "--baud", "9600", "--allow", "no-backup")
        run = self.flash(V15, *words, pack=self.pack(*slow, "temp@20s=50"))
        self.expect(run, 30)
        self.assertEqual(run.result["state"], "old-running")
        self.assertEqual([c["name"] for c in run.of("check") if c["verdict"] == "fail"], ["temperature-highest"])
        self.expect(self.flash(V15, *words, pack=self.pack(*slow, "temp@10s=50", "temp@20s=25")), 0)

    def test_both_framings_of_rs485(self):
        for framing in ("iso14230", "hdlc"):
            with self.subTest(framing):
                profile = self.path(framing + ".ini")
                with open(profile, "w", encoding="utf-8") as f:
                    f.write(f"[rs485]\nframing = {framing}\n")
                run = self.flash(V15, "--profile", profile, pack="sim:link=rs485")
                self.expect(run, 0)

    def test_backup_is_a_tar_with_the_manifest_first(self):
        out = self.path("pack.tar")
        run = self.run_json("backup", "--if", self.pack(), "-o", out)
        self.expect(run, 0)
        with tarfile.open(out) as tar:
            names = tar.getnames()
        self.assertEqual(names[0], "manifest.json")
        self.assertGreater(len(names), 2)

    def test_a_folder_with_a_very_long_path_gets_the_archive(self):
        folder = self.path("/".join("x" * 200 for _ in range(4)))
        os.makedirs(folder)
        self.env["XDG_STATE_HOME"] = folder
        run = self.run_json("backup", "--if", "sim")
        self.expect(run, 0)
        self.assertTrue(run.result["backup"].startswith(folder + "/bmsflash/"), run.result["backup"])
        self.assertTrue(os.path.isfile(run.result["backup"]))

    def test_rollback_from_a_backup_brings_the_old_firmware_back(self):
        out = self.path("pack.tar")
        self.expect(self.run_it("backup", "--if", self.pack("counter=0"), "-o", out), 0)
        run = self.run_json("rollback", "--if", self.pack(), "--from", out, "--key", common.KEY)
        self.expect(run, 0)
        self.assertEqual(self.running()["version"], "1.3.0")

    def test_a_default_rate_that_link_control_has_no_number_for(self):
        for words in ((), ("--bitrate", "20000")):
            with self.subTest(words):
                self.expect(self.flash(V15, *words, pack="sim:rate=20000"), 0)
        self.expect(self.flash(V15, "--auth-key", TECHNICIAN, pack="sim:rate=20000,auth=1"), 0)

    def test_a_pack_that_restarts_before_it_is_changed_is_met_again(self):
        for message in (5, 10, 20, 30, 45):
            with self.subTest(message):
                run = self.flash(V15, pack=f"sim:cutmsg={message},repower=500")
                self.expect(run, 0)
        run = self.flash(V15, pack="sim:cutmsg=20")
        self.expect(run, 13)
        self.assertIn("stopped responding", run.result["error"]["likely"][0])

    def test_the_summary_tells_the_line(self):
        line = self.flash(V15, pack="sim").of("summary")[0]["line"]
        self.assertEqual((line["tests"], line["lost"], line["rate_steps"]), (16, 0, 0))
        self.assertEqual((line["bus_state"], line["tx_errors"]), ("error-active", 0))
        self.assertGreater(line["answer_mean_s"], 0)
        line = self.flash(V15, pack="sim:link=rs485,echo=1").of("summary")[0]["line"]
        self.assertTrue(line["echo"])
        self.assertRegex(self.run_it("flash", "-v", "--if", "sim", "--key", common.KEY, V15).err,
                         r"line: 1000000 bit/s, 16 test messages, none lost, answers take \d")

    def test_a_backup_of_one_bank_reads_what_is_not_blank(self):
        run = self.run_json("backup", "--if", "sim:quirk=singlebank", "-o", self.path("x.tar"))
        self.expect(run, 0)
        self.assertLess(run.of("summary")[0]["wire"]["rx_bytes"], 160000)

    @NEEDS_DFU
    def test_dfuse_with_the_profile_that_we_ship(self):
        profile = os.path.join(common.ROOT, "data", "profiles", "dfuse-16s.ini")
        words = ("--profile", profile, "--allow", "no-hardware")
        run = self.flash(V15, *words, pack=self.pack("protocol=dfuse", "counter=0"))
        self.expect(run, 0)
        self.assertEqual([r["name"] for r in run.of("region")], ["app", "calibration"])
        self.assertIn("configuration", [c["name"] for c in run.of("self-test")])

    @NEEDS_DFU
    def test_dfu_proves_a_build_number_that_usb_cannot_tell(self):
        profile = os.path.join(common.ROOT, "data", "profiles", "dfuse-16s.ini")
        for _ in range(2):
            run = self.flash(common.image("gw-2.1.0.signed.bin"), "--profile", profile, "--allow", "no-hardware",
                             pack=self.pack("protocol=dfuse", "class=BMS-GW-R1"))
            self.expect(run, 0)
            self.assertIn("2.1.0+42 is proven", run.result["sentence"])

    @NEEDS_DFU
    def test_dfu_with_a_profile_that_says_what_has_the_numbers(self):
        profile = self.path("maker.ini")
        numbers = "vid = 0x1209\npid = 0x0001\nloader-pid = 0x0002\n"
        with open(profile, "w", encoding="utf-8") as f:
            f.write(f"[usb]\n{numbers}vendor = bms.example\nclass = BMS-16S-R3\n")
        self.expect(self.flash(V15, pack="sim:protocol=dfu"), 22)
        self.expect(self.flash(V15, "--profile", profile, pack="sim:protocol=dfu"), 0)
        other = common.image("app-1.5.0.othercid.bin")
        self.expect(self.flash(other, "--profile", profile, pack="sim:protocol=dfu"), 22)
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[usb]\nvid = 0x0483\npid = 0x5740\nloader-pid = 0xDF11\n"
                    "vendor = bms.example\nclass = BMS-16S-R3\n")
        run = self.flash(V15, "--profile", profile, pack="sim:protocol=dfuse")
        self.expect(run, 22)
        self.assertIn("not told by the pack", run.result["error"]["cause"])

    def regions(self, run):
        return [r["result"] for r in run.of("region") if r["name"] == "config"]

    def test_configuration_that_new_firmware_wipes_is_put_back(self):
        for wipe in ("blank", "defaults"):
            for quirk in ("", "quirk=singlebank", "quirk=nohash"):
                with self.subTest(wipe=wipe, quirk=quirk):
                    run = self.flash(V15, pack=f"sim:wipe={wipe}" + (quirk and "," + quirk))
                    self.expect(run, 0)
                    self.assertEqual(self.regions(run), ["saved", "restored"])
                    self.assertEqual(run.of("summary")[0]["regions_restored"], 1)
                    verdicts = [c["verdict"] for c in run.of("self-test") if c["name"] == "configuration"]
                    self.assertEqual(verdicts, ["pass", "pass"])

    def test_configuration_that_cannot_be_put_back_is_never_a_success(self):
        run = self.flash(V15, pack="sim:wipe=blank,quirk=fixedconfig")
        self.expect(run, 42)
        self.assertIn("without its configuration", run.result["sentence"])
        self.assertIn("tar -xf", run.result["error"]["next"])
        for quirk in ("", ",quirk=singlebank"):
            run = self.flash(V15, pack="sim:wipe=always" + quirk)
            self.expect(run, 40)
            self.assertEqual(run.result["state"], "new-proven")
            self.assertIn("not with the configuration of before", run.result["sentence"])
            self.expect(self.flash(V15, "--allow", "new-configuration", pack="sim:wipe=always" + quirk), 0)

    def test_one_bank_whose_counter_rose_keeps_firmware_that_runs(self):
        run = self.flash(V15, pack=self.pack("quirk=singlebank", "wipe=blank", "quirk=fixedconfig"))
        self.expect(run, 40)
        self.assertEqual(run.result["state"], "unproven")
        self.assertEqual(self.running()["version"], "1.5.0")
        self.assertRegex(run.result["error"]["next"], "^bmsflash flash ")

    def test_firmware_whose_start_was_not_seen_is_proven_by_the_same_command_without_writing(self):
        words = ["--alt", "image_1", "--allow", "no-hardware,single-bank,no-backup"]
        pack = self.pack("model=zephyr")
        run = self.flash(V15, *words, pack=pack)
        if "no protocol fits" in (run.result.get("error") or {}).get("cause", ""):
            self.skipTest("built without DFU")
        self.expect(run, 44)
        self.assertEqual(run.result["state"], "unproven")
        self.assertRegex(run.result["error"]["next"], "^bmsflash flash ")
        run = self.flash(V15, *words, pack=pack)  # switched off and on meanwhile
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "new-proven")
        summary = run.of("summary")
        self.assertTrue(not summary or summary[0]["bytes_sent"] == 0)

    def cut_while_writing(self, words, state):
        """Ends a run by its time limit halfway through what it writes, on a pack that begins anew each time."""
        whole = self.run_json(*words)
        self.expect(whole, 0)
        os.unlink(state)
        times = [datetime.datetime.fromisoformat(e["t"].rstrip("Z")) for e in whole.events
                 if e["event"] == "start" or e["event"] == "progress" and e["phase"] == "writing"]
        half = (times[0:1] + times[len(times) // 2:])[1] - times[0]
        cut = self.run_json(*words, "--timeout", f"{int(half.total_seconds() * 1000)}ms")
        self.expect(cut, 50)
        folder = self.path("state/bmsflash/journal")
        with open(os.path.join(folder, os.listdir(folder)[0]), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["reached"], "writing")
        return whole

    def test_a_journal_is_no_proof_of_what_a_pack_holds(self):
        """A run is cut short, and in place of its pack stands another with the same serial number: all of it is written."""
        for keys, allow in (("link=can", "hot"), ("link=can,quirk=singlebank", "single-bank"), ("link=can,quirk=nohash", "hot"),
                            ("link=can,quirk=noread", "no-backup"), ("link=can,quirk=nocompress", "hot")):
            with self.subTest(keys):
                state = self.path("pack.flash")
                pack = f"sim:{keys},state={state}"
                words = ("flash", "--if", pack, "--key", common.KEY, "--allow", allow, V15)
                whole = self.cut_while_writing(words, state)
                os.unlink(state)
                run = self.run_json(*words)
                self.expect(run, 0)
                self.assertTrue([n for n in run.of("notice") if "taken up" in n["text"]])
                plan = run.of("plan")[-1]
                self.assertEqual((plan["bytes"], plan.get("skip_bytes", 0)), (whole.of("plan")[-1]["bytes"], 0))
                self.assertEqual(run.result["state"], "new-proven")
                self.assertEqual(self.run_json("probe", "--if", pack).of("device")[0]["version"], "1.5.0")
                shutil.rmtree(self.path("state"))
                os.unlink(state)

    def test_flashing_what_is_already_there_sends_nothing(self):
        self.expect(self.flash(V15), 0)
        run = self.flash(V15)
        self.expect(run, 0)
        summary = run.of("summary")
        self.assertTrue(not summary or summary[0]["bytes_sent"] == 0)

    def test_a_dry_run_does_every_check_and_writes_nothing(self):
        run = self.flash(V15, "--dry-run")
        self.expect(run, 0)
        self.assertEqual(run.result["state"], "old-running")
        self.assertTrue(run.of("check"))
        self.assertEqual(self.running()["version"], "1.3.0")

    def test_two_runs_are_identical_to_the_byte(self):
        a = self.run_it("flash", "--if", "sim", "--key", common.KEY, V15, "--json")
        b = self.run_it("flash", "--if", "sim", "--key", common.KEY, V15, "--json")
        # No archive is replaced: the second has a name of its own. No two runs have one identifier.
        strip = [re.sub(r'"run":"\w+"', "", re.sub(r"Z(-\d+)?\.tar", "Z.tar", run.out)).splitlines() for run in (a, b)]
        self.assertEqual(strip[0], strip[1])

    def test_human_output_keeps_results_and_notes_apart(self):
        run = self.run_it("flash", "--if", "sim", "--key", common.KEY, V15)
        self.expect(run, 0)
        self.assertNotIn("\r", run.err + run.out)
        self.assertNotIn("\033", run.err + run.out)
        self.assertIn("1.5.0", run.out.splitlines()[-1])
        self.assertIn("%", run.err)

    def test_verify_with_a_pack_compares(self):
        self.expect(self.run_json("verify", "--if", self.pack(), "--key", common.KEY, V13), 0)
        run = self.run_json("verify", "--if", self.pack(), "--key", common.KEY, V15)
        self.expect(run, 40)
        self.assertEqual(run.result["exit"], "mismatch")

    def test_the_record_grows_by_one_line_a_run(self):
        record = self.path("line.rec")
        for _ in range(2):
            self.expect(self.flash(V15, "--record", record, pack="sim"), 0)
        with open(record, encoding="utf-8") as f:
            self.assertEqual(len(f.read().splitlines()), 2)

    def test_a_full_disk_under_the_trace_is_told_and_stops_nothing(self):
        run = self.run_it("flash", "--if", "sim", "--key", common.KEY, "--trace", "/dev/full", V15)
        self.expect(run, 0)
        self.assertIn("trace", run.err)
        self.assertIn("No space left on device", run.err)

    def test_a_pack_that_another_run_has_is_busy_and_its_holder_is_named(self):
        path = self.path("pack.flash")
        with open(path + ".lock", "w", encoding="ascii") as lock:
            lock.write("process 4711")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = self.run_json("probe", "--if", f"sim:state={path}")
        self.expect(run, 11)
        self.assertIn("process 4711", run.result["error"]["cause"])
        self.expect(self.run_json("probe", "--if", f"sim:state={path}"), 0)
        self.assertFalse(os.path.exists(path + ".lock"))

    def test_a_trace_is_written_in_candump_log_format(self):
        trace = self.path("t.log")
        self.expect(self.run_it("probe", "--if", "sim", "--trace", trace), 0)
        with open(trace, encoding="utf-8") as f:
            lines = [line for line in f.read().splitlines() if not line.startswith("#")]
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^\(\d+\.\d{6}\) \S+ [0-9A-F]{3,8}#(#\d)?[0-9A-F]*( [RT])?$")


class ExitCodes(common.Case):
    """One way to each code that can be provoked on this machine."""

    def flash(self, pack, image=V15, *words):
        return self.run_json("flash", "--if", pack, "--key", common.KEY, image, *words)

    def check(self, run, status, name, state=None):
        self.expect(run, status)
        self.assertEqual(run.result["exit"], name)
        error = run.result["error"]
        self.assertTrue(error["cause"])
        if state:
            self.assertEqual(run.result["state"], state)
        return error

    def test_10_interface_absent(self):
        for iface in ("/dev/ttyUSB99", "can99", "nonsense:1", "usb:ffff:ffff", "/dev/null"):
            with self.subTest(iface):
                self.check(self.run_json("probe", "--if", iface), 10, "interface", "untouched")

    def test_13_the_wire_is_cut_and_stays_cut(self):
        run = self.flash("fault:seed=1,cut=900:sim")
        error = self.check(run, 13, "link")
        self.assertTrue(error["next"] or error["do"])

    def test_20_image(self):
        self.check(self.flash("sim", common.image("bad-magic.bin")), 20, "image", "untouched")

    def test_21_signature(self):
        self.check(self.flash("sim", common.image("bad-payload-bit.bin")), 21, "signature", "untouched")

    def test_22_incompatible(self):
        error = self.check(self.flash("sim", common.image("app-1.5.0.othercid.bin")), 22, "incompatible", "old-running")
        self.assertIn("class", error["cause"])

    def test_22_an_image_that_names_no_hardware(self):
        error = self.check(self.flash("sim", common.image("app-1.5.0.noids.bin")), 22, "incompatible", "old-running")
        self.assertIn("no-hardware", str(error))

    def test_23_security_counter(self):
        error = self.check(self.flash("sim:version=1.5.0,counter=5", V14), 23, "rollback-refused", "old-running")
        self.assertIn("5", error["cause"])

    def test_30_preflight_names_value_limit_and_permission(self):
        rows = (("soc=5", "low-soc"), ("soc=95", "high-soc"), ("temp=-4", "cold"), ("temp=60", "hot"),
                ("current=12", "current"))
        for key, allow in rows:
            with self.subTest(key):
                error = self.check(self.flash("sim:" + key), 30, "preflight", "old-running")
                self.assertIn(allow, str(error["do"]) + error["cause"])
                self.expect(self.flash("sim:" + key, V15, "--allow", allow), 0)

    def test_50_a_signal_is_heard_on_virtual_time(self):
        def pending():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            os.kill(os.getpid(), signal.SIGTERM)  # waits for the program from its first moment on

        run = self.run_json("flash", "--if", "sim", "--key", common.KEY, V15, preexec_fn=pending)
        self.expect(run, 50)
        self.assertEqual(run.result["state"], "untouched")


    def test_50_time_is_up(self):
        error = self.check(self.flash("sim", V15, "--timeout", "1500ms"), 50, "interrupted", "old-running")
        self.assertIn("--timeout", error["cause"] + error["next"])

    def test_31_auth(self):
        self.check(self.flash("sim:auth=1"), 31, "auth")

    def test_31_a_technicians_key_opens_it(self):
        key = os.path.join(common.DATA, "auth", "technician.pem")
        self.expect(self.flash("sim:auth=1", V15, "--auth-key", key), 0)

    def test_31_the_same_by_service_29(self):
        profile = self.path("acr.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[uds]\nauth-service = authentication\n")
        for link in ("can", "canfd", "rs485"):
            with self.subTest(link):
                pack = f"sim:auth=29,link={link}"
                self.expect(self.flash(pack, V15, "--profile", profile, "--auth-key", TECHNICIAN), 0)
        self.check(self.flash("sim:auth=29", V15, "--profile", profile), 31, "auth", "old-running")
        wrong = self.path("wrong.key")
        with open(wrong, "w", encoding="utf-8") as f:
            f.write("5a" * 32)
        error = self.check(self.flash("sim:auth=29", V15, "--profile", profile, "--auth-key", wrong), 31, "auth")
        self.assertEqual((error["device_code"], error["device_code_name"]), (0x58, "ownershipVerificationFailed"))
        # A pack that wants the one is not opened by the other.
        self.check(self.flash("sim:auth=29", V15, "--auth-key", TECHNICIAN), 31, "auth")
        self.check(self.flash("sim:auth=27", V15, "--profile", profile, "--auth-key", TECHNICIAN), 33, "unsupported")

    def test_21_the_pack_does_not_trust_the_key_that_we_trust(self):
        run = self.run_json("flash", "--if", "sim", "--key", common.OTHER_KEY, common.image("app-1.5.0.otherkey.bin"))
        error = self.check(run, 21, "signature", "old-running")
        self.assertEqual(error["device_code"], 1)

    def test_32_a_refusal_is_named_with_the_packs_own_code(self):
        profile = self.path("wrong.ini")
        with open(profile, "w", encoding="utf-8") as f:
            f.write("[routines]\nerase = 0x0301\n")
        error = self.check(self.flash("sim", V15, "--profile", profile), 32, "refused", "old-running")
        self.assertEqual((error["device_code"], error["device_code_name"]), (0x31, "requestOutOfRange"))

    def test_33_no_previous_firmware_to_go_back_to(self):
        self.check(self.run_json("rollback", "--if", "sim"), 33, "unsupported", "old-running")

    def test_42_one_bank_and_the_power_gone_while_writing(self):
        error = self.check(self.flash("sim:quirk=singlebank,cutop=60"), 42, "needs-recovery", "needs-recovery")
        self.assertRegex(error["next"], r"^bmsflash (rollback|flash) --if ")

    def test_33_unsupported(self):
        run = self.run_json("backup", "--if", "sim:quirk=noread", "-o", self.path("x.tar"))
        self.check(run, 33, "unsupported", "untouched")
        self.assertFalse(os.path.exists(self.path("x.tar")))

    def test_40_mismatch(self):
        run = self.run_json("verify", "--if", "sim", "--key", common.KEY, V15)
        self.check(run, 40, "mismatch", "untouched")

    def test_41_a_failed_self_test_goes_back_by_itself(self):
        pack = f"sim:selftest=fail,state={self.path('p')}"
        self.check(self.flash(pack), 41, "restored", "old-running")
        run = self.run_json("probe", "--if", pack)
        self.assertEqual(run.of("device")[0]["version"], "1.3.0")

    def test_an_unknown_key_of_sim_sends_to_the_list(self):
        run = self.run_json("probe", "--if", "sim:nonsense=1")
        self.check(run, 2, "usage", "untouched")
        self.assertIn("nonsense", run.result["error"]["cause"])
        self.assertIn("bmsflash-sim --help", run.result["error"]["next"])

    def test_an_unwritable_place_for_the_archive_is_said_before_reading(self):
        run = self.run_json("backup", "--if", "sim", "-o", "/nonexistent/x.tar")
        self.assertNotEqual(run.status, 0)
        self.assertIn("/nonexistent", run.result["error"]["cause"])


common.main()
