/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "bmsflash/profile.h"
#include "family/modbus/modbus_profile.h"
#include "family/uds/uds_profile.h"

static const struct bf_uds_profile *uds_of(const struct bf_profile *p)
{
	return bf_profile_family(p, "uds");
}

static enum bf_rc parse(const char *text, struct bf_profile *p, struct bf_err *err)
{
	bf_profile_default(p);
	return bf_profile_parse(text, strlen(text), "t.ini", p, err);
}

static void refused(const char *text, const char *because)
{
	struct bf_profile p, was;
	struct bf_err err;

	bf_profile_default(&was);
	bf_err_init(&err);
	assert_int_equal(parse(text, &p, &err), BF_E_USAGE);
	if (!strstr(err.cause, because))
		fail_msg("'%s' does not say '%s'", err.cause, because);
	assert_non_null(strstr(err.cause, "profile 't.ini'"));
	assert_memory_equal(&p, &was, sizeof(p));
}

static void the_default_is_the_contract_of_the_manual(void **state)
{
	struct bf_profile p;

	(void)state;
	bf_profile_default(&p);
	assert_int_equal(p.can_tx, 0x7E0);
	assert_int_equal(p.can_rx, 0x7E8);
	assert_int_equal(p.can_func, 0x7DF);
	assert_int_equal(p.can_pad, 0xCC);
	assert_int_equal(p.node, 0x11);
	assert_int_equal(p.tester, 0xF1);
	assert_int_equal(uds_of(&p)->rid_erase, 0xFF00);
	/* Not started on a pack that does not say it is one of those. */
	assert_int_equal(uds_of(&p)->rid_hash, BF_AUTO_U16);
	assert_int_equal(uds_of(&p)->did_map, 0xFD03);
	assert_int_equal(p.serial_rates[0], 3000000);
	assert_int_equal(p.serial_rates[6], 115200);
	assert_int_equal(p.can_rates[3], 125000);
	assert_int_equal(p.parity, 'N');
	assert_int_equal(uds_of(&p)->auth, BF_AUTH_ED25519);
	assert_int_equal(p.n_quantities, 6);
	assert_int_equal(p.n_regions, 0);
	assert_true(p.limits.temp_below > 44.9 && p.limits.temp_below < 45.1);
}

static void the_example_file_is_the_default_written_out(void **state)
{
	static const char *const folders[] = { "/nonexistent", BF_MADE_DIR, NULL };
	struct bf_profile def, p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&def);
	assert_int_equal(bf_profile_load("default", folders, &p, &err), BF_OK);
	assert_int_equal(strlen(p.sha256), 64);
	assert_non_null(strstr(p.path, "default.ini"));
	memset(p.sha256, 0, sizeof(p.sha256));
	memset(p.path, 0, sizeof(p.path));
	assert_memory_equal(&p, &def, sizeof(p));
}

static void the_example_file_names_every_key(void **state)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	struct bf_profile_key k;
	struct bf_err err;
	size_t len;

	(void)state;
	assert_int_equal(bf_file_read(BF_MADE_DIR "/default.ini", 65536, &text, &len, &err), 0);
	for (size_t i = 0; bf_profile_key(i, &k); i++) {
		static const char often[] = "region step periodic quantity";
		char line[80];

		if (strstr(often, k.section))
			continue;

		snprintf(line, sizeof(line), "\n%s =", k.key);
		assert_non_null(strstr((const char *)text, line));
	}
}

static void the_drop_in_example_keeps_the_boot_loader_away(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_profile_load(BF_PROFILES_DIR "/dfuse-16s.ini", NULL, &p, &err), BF_OK);
	assert_string_equal(p.protocol, "dfu");
	assert_int_equal(p.usb_vid, 0x0483);
	assert_int_equal(p.usb_loader_pid, 0xDF11);
	assert_int_equal(p.n_regions, 3);
	assert_string_equal(p.regions[0].name, "boot");
	assert_int_equal(p.regions[0].kind, BF_REGION_BOOT);
	assert_int_equal(p.regions[0].access, BF_ACCESS_READ);
	assert_int_equal(p.regions[1].addr, 0x08010000);
	assert_int_equal(p.regions[2].alt, 1);
	assert_int_equal(p.regions[2].kind, BF_REGION_CALIBRATION);
}

static void keys_lie_over_what_was_there(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(parse("\xEF\xBB\xBF; words\r\n[can]\r\n  request-id = 0x700 ; inline\r\n"
			       "\tresponse-id=0x708\n# more\n[pack]\nname = a b\n[rs485]\nnode=18",
			       &p, &err),
			 BF_OK);
	assert_int_equal(p.can_tx, 0x700);
	assert_int_equal(p.can_rx, 0x708);
	assert_int_equal(p.can_func, 0x7DF);
	assert_int_equal(p.node, 18);
	assert_string_equal(p.name, "a b");
}

static void unknown_things_are_named_with_their_line(void **state)
{
	(void)state;
	refused("[can]\n\n; x\nspeed = 5\n", "line 4: unknown key 'speed' in section [can]");
	refused("[cam]\nrate = 5\n", "line 2: unknown section [cam]");
	refused("node = 5\n", "line 1: key 'node' stands before any [section]");
	refused("[can]\nrequest-id 5\n", "line 2: neither");
	refused("[can\n[pack]\nname = x\n", "line 1: neither");
	refused("[regional app]\nsize = 5\n", "unknown section [regional app]");
}

static void bad_values_are_named_with_what_is_allowed(void **state)
{
	(void)state;
	refused("[rs485]\nnode = 300\n",
		"line 2: '300' is not a value for 'node' in [rs485] (allowed: 0x0 to 0xFF)");
	refused("[rs485]\nframing = slip\n", "allowed: auto, iso14230 or hdlc");
	refused("[can]\nfd = true\n", "allowed: yes or no");
	refused("[limits]\nsoc-min =\n", "allowed: 0 to 100");
	refused("[pack]\nprotocol = UDS\n", "lower-case");
}

static void a_key_given_twice_names_the_first_line(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	refused("[can]\nfd = no\n[pack]\nname=x\n[can]\nfd = no\n",
		"line 6: key 'fd' in [can] was given on line 2");
	refused("[region a]\nsize=4\nsize=8\n", "line 3: key 'size' in [region a] was given on");
	assert_int_equal(parse("[region a]\nsize=4\n[region b]\naddress=4\nsize=4\n", &p, &err), 0);
}

static void lines_that_would_be_cut_are_refused(void **state)
{
	char text[400];

	(void)state;
	snprintf(text, sizeof(text), "[pack]\ndescription = %0*d\n", 250, 1);
	refused(text, "line 2: the line is too long");
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[can]\nfd = \0yes\n";
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&p);
	assert_int_equal(bf_profile_parse(text, sizeof(text) - 1, "t.ini", &p, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "line 2: the line holds a NUL byte"));
}

static void regions_must_fit_and_not_overlap(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	refused("[region a]\naddress = 0x1000\n", "region 'a' at 0x00001000 has no size");
	refused("[region a]\naddress = 0xFFFFFFF0\nsize = 17\n", "end beyond");
	refused("[region a]\nsize = 16\n[region b]\naddress = 15\nsize = 1\n",
		"'a' and 'b' overlap");
	refused("[region]\nsize = 16\n", "needs a name");
	refused("[region abcdefghijklmnopqrstuvwxyz]\nsize = 16\n", "needs a name of 1 to 23");
	assert_int_equal(parse("[region a]\nsize=16\n[region b]\nsize=16\nalt=1\n", &p, &err), 0);
	assert_int_equal(parse("[region a]\naddress=0xFFFFFFF0\nsize=16\n", &p, &err), 0);
}

static void at_most_sixteen_regions(void **state)
{
	char text[1024] = "";
	size_t at = 0;

	(void)state;
	for (int i = 0; i <= BF_PROFILE_REGIONS; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "[region r%d]\naddress=%d\nsize=1\n", i, i);
	refused(text, "one more than the 16");
}

static void quantities_change_go_away_and_come_in_parts(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(parse("[quantity cell-voltage]\ndid=0x2101\ncount=16\nrequired=yes\n"
			       "[quantity cell-voltage 2]\ndid=0x2102\nscale=0.001\n"
			       "[quantity balancing]\ndid=0\n",
			       &p, &err),
			 BF_OK);
	assert_int_equal(p.n_quantities, 6);
	assert_int_equal(p.quantities[4].kind, BF_Q_CELL_VOLTAGE);
	assert_int_equal(p.quantities[4].did, 0x2101);
	assert_int_equal(p.quantities[4].count, 16);
	assert_true(p.quantities[4].required);
	assert_int_equal(p.quantities[5].kind, BF_Q_CELL_VOLTAGE);
	assert_int_equal(p.quantities[5].did, 0x2102);
	assert_int_equal(p.quantities[5].width, 2);
	refused("[quantity cell-voltage 3]\ndid=1\n", "comes before part 2");
	refused("[quantity cell-voltage 1]\ndid=1\n", "unknown quantity");
	refused("[quantity power]\ndid=1\n", "allowed: pack-voltage");
	refused("[quantity]\ndid=1\n", "unknown quantity ''");
}

static void telemetry_may_come_from_registers(void **state)
{
	const struct bf_modbus_profile *registers;
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	bf_profile_default(&p);
	registers = bf_profile_family(&p, "modbus");
	assert_int_equal(p.telemetry, BF_TELEMETRY_APPLICATION);
	assert_int_equal(p.watch_s, 10);
	assert_int_equal(p.pause_max_s, 600);
	assert_int_equal(p.quantities[0].modbus_register, -1);
	assert_int_equal(parse("[telemetry]\nsource = modbus\nwatch-s = 5\npause-max-s = 60\n"
			       "[modbus]\nnode = 3\ntable = holding\ntimeout-ms = 250\n"
			       "low-first = yes\n"
			       "[quantity soc]\ndid = 0\nregister = 0\nscale = 1\n"
			       "[quantity current]\ndid = 0\n",
			       &p, &err),
			 BF_OK);
	assert_int_equal(p.telemetry, BF_TELEMETRY_MODBUS);
	assert_int_equal(p.watch_s, 5);
	assert_int_equal(p.pause_max_s, 60);
	assert_int_equal(registers->node, 3);
	assert_int_equal(registers->table, BF_MODBUS_HOLDING);
	assert_int_equal(registers->timeout_ms, 250);
	assert_true(registers->low_first);
	/* soc keeps its place without an identifier, current has neither */
	assert_int_equal(p.n_quantities, 5);
	assert_int_equal(p.quantities[1].kind, BF_Q_SOC);
	assert_int_equal(p.quantities[1].modbus_register, 0);
}

static void registers_have_sixteen_bits_and_a_count(void **state)
{
	(void)state;
	refused("[quantity soc]\nregister = 5\nwidth = 3\n", "[quantity soc] at register 5");
	refused("[quantity soc]\nregister = 5\nwidth = 3\n", "width of 1, 2 or 4");
	refused("[quantity soc]\nregister = 5\noffset = 1\n", "even offset");
	refused("[quantity temperature]\nregister = 5\n", "and a count");
	refused("[quantity cell-voltage]\nregister = 5\ncount = 126\n", "125 registers");
	refused("[quantity soc]\nregister = 65536\n", "allowed: 0 to 65535, or none");
	refused("[telemetry]\nsource = bluetooth\n",
		"allowed: application, uds, modbus, can-broadcast or none");
	refused("[modbus]\nnode = 248\n", "allowed: 1 to 247");
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
	(void)state;
	refused("[can]\nrequest-id = 0x800\n", "above 0x7FF");
	refused("[can]\nrequest-id = 0x7E8\n", "both 0x7E8");
	refused("[can]\nbit-rate-switch = yes\n", "needs 'fd = yes'");
	refused("[limits]\nsoc-min = 90\n", "leave nothing between 90 and 80");
	refused("[limits]\ntemp-below = -1\n", "temp-above and temp-below");
	refused("[self-test]\ntemp-min = 80\n", "[self-test]");
	refused("[uds]\nsecurity-level = 2\n", "even");
	refused("[uds]\nauth = program\n", "need each other");
	refused("[rs485]\nnode = 0xF1\n", "both 0xF1");
}

static void a_profile_that_is_nowhere_names_the_folders(void **state)
{
	static const char *const folders[] = { "/nonexistent/a", "/nonexistent/b", NULL };
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_profile_load("bms16", folders, &p, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "/nonexistent/a, /nonexistent/b"));
	assert_int_equal(bf_profile_load("bms16", NULL, &p, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "nowhere"));
	assert_int_equal(bf_profile_load("/nonexistent/x.ini", folders, &p, &err), BF_E_USAGE);
	assert_int_not_equal(err.os, 0);
	assert_int_equal(bf_profile_load("default", folders, &p, &err), BF_OK);
}

static void a_file_without_a_name_is_named_by_its_path(void **state)
{
	char path[] = "/tmp/bf-profile-XXXXXX.ini";
	BF_AUTO_FD int fd = mkstemps(path, 4);
	struct bf_profile p;
	struct bf_err err;
	enum bf_rc rc;

	(void)state;
	assert_true(fd >= 0);
	rc = bf_profile_load(path, NULL, &p, &err);
	unlink(path);
	assert_int_equal(rc, BF_OK);
	assert_int_equal(strlen(p.name), strlen("bf-profile-XXXXXX"));
	assert_string_equal(p.description, "");
}

static void wider_limits_and_programs_are_notes(void **state)
{
	struct bf_profile p;
	struct bf_err err;
	char text[512];

	(void)state;
	bf_profile_default(&p);
	assert_false(bf_profile_note(&p, 0, text, sizeof(text)));
	assert_int_equal(parse("[limits]\nsoc-min = 25\nsoc-max = 100\n[uds]\nauth = program\n"
			       "auth-program = /opt/key\n",
			       &p, &err),
			 BF_OK);
	assert_true(bf_profile_note(&p, 0, text, sizeof(text)));
	assert_non_null(strstr(text, "soc-max to 100"));
	assert_true(bf_profile_note(&p, 1, text, sizeof(text)));
	assert_non_null(strstr(text, "runs the program '/opt/key'"));
	assert_false(bf_profile_note(&p, 2, text, sizeof(text)));
}

static void a_program_lies_beside_the_profile_and_not_where_the_user_stands(void **state)
{
	static const char text[] = "[uds]\nauth = program\nauth-program = bin/key\n";
	char folder[] = "/tmp/bmsflash-profile-XXXXXX", path[64], want[64];
	struct bf_profile p;
	struct bf_err err;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.ini", folder);
	snprintf(want, sizeof(want), "%s/bin/key", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(bf_profile_load(path, NULL, &p, &err), BF_OK);
	assert_string_equal(uds_of(&p)->auth_program, want);
	unlink(path);
	rmdir(folder);
}

static void the_examples_of_makers_are_whole(void **state)
{
	static const char *const names[] = { "zhidou", "nxp",   "vw",   "volvo",
					     "tesla",  "geehy", "kline" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(names); i++) {
		char path[256];
		struct bf_profile p;
		struct bf_err err;

		bf_err_init(&err);
		snprintf(path, sizeof(path), BF_PROFILES_DIR "/maker-%s.ini", names[i]);
		if (bf_profile_load(path, NULL, &p, &err))
			fail_msg("%s", err.cause);
		assert_string_equal(p.protocol, "uds");
		assert_int_equal(p.n_regions, 1);
	}
}

static void steps_and_frames_are_sections_of_their_own(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	assert_int_equal(
		parse("[step precheck]\nsend = 31 01 02 03\nexpect = 71 01 02 03 00\n"
		      "to = functional\noptional = yes\n[step clear]\nwhen = after-restart\n"
		      "send = 14 FF FF FF\n[periodic nm]\nid = 0x400\ndata = 01 02\n",
		      &p, &err),
		BF_OK);
	assert_int_equal(p.n_steps, 2);
	assert_int_equal(p.steps[0].when, BF_STEP_BEFORE_PROGRAMMING);
	assert_int_equal(p.steps[0].to, BF_STEP_FUNCTIONAL);
	assert_true(p.steps[0].optional && !p.steps[1].optional);
	assert_string_equal(p.steps[1].name, "clear");
	assert_int_equal(p.n_periodics, 1);
	assert_int_equal(p.periodics[0].period_ms, 1000);
	refused("[step a]\nsend = 31 0\n", "line 2: '31 0' is not a value for 'send'");
	refused("[step a]\nwhen = unlocked\n", "[step a] sends nothing");
	refused("[step]\nsend = 3E 00\n", "needs a name");
	refused("[periodic nm]\ndata = 00\n", "needs an identifier");
}

/* A step may not stand in for what bmsflash does under its own checks. */
static void a_step_writes_no_memory_and_opens_no_lock(void **state)
{
	static const char *const sids[] = { "34", "36", "37", "3D", "27 01", "29 05", "35", "38" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(sids); i++) {
		char text[64];

		snprintf(text, sizeof(text), "[step a]\nsend = %s\n", sids[i]);
		refused(text, "which only bmsflash itself may send");
	}
}

static void an_address_format_has_one_to_four_bytes_each(void **state)
{
	struct bf_profile p;
	struct bf_err err;

	(void)state;
	refused("[uds]\nchunk = 1\n", "chunk");
	refused("[uds]\nchunk = 2\n", "chunk");
	refused("[uds]\naddress-format = 0x15\n", "address-format");
	refused("[uds]\naddress-format = 0x40\n", "address-format");
	assert_int_equal(parse("[uds]\naddress-format = 0x24\n", &p, &err), BF_OK);
	assert_int_equal(uds_of(&p)->address_format, 0x24);
}

static void memory_has_bounds_whatever_a_profile_says(void **state)
{
	(void)state;
	refused("[region a]\nsize = 0x04000001\n", "allowed: 1 to 67108864");
	refused("[region a]\nerase-unit = 0x100001\n", "allowed: 0 to 1048576");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_the_contract_of_the_manual),
		cmocka_unit_test(the_example_file_is_the_default_written_out),
		cmocka_unit_test(the_example_file_names_every_key),
		cmocka_unit_test(the_drop_in_example_keeps_the_boot_loader_away),
		cmocka_unit_test(keys_lie_over_what_was_there),
		cmocka_unit_test(unknown_things_are_named_with_their_line),
		cmocka_unit_test(bad_values_are_named_with_what_is_allowed),
		cmocka_unit_test(a_key_given_twice_names_the_first_line),
		cmocka_unit_test(lines_that_would_be_cut_are_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(regions_must_fit_and_not_overlap),
		cmocka_unit_test(at_most_sixteen_regions),
		cmocka_unit_test(quantities_change_go_away_and_come_in_parts),
		cmocka_unit_test(telemetry_may_come_from_registers),
		cmocka_unit_test(registers_have_sixteen_bits_and_a_count),
		cmocka_unit_test(keys_that_contradict_each_other_are_refused),
		cmocka_unit_test(a_profile_that_is_nowhere_names_the_folders),
		cmocka_unit_test(a_file_without_a_name_is_named_by_its_path),
		cmocka_unit_test(wider_limits_and_programs_are_notes),
		cmocka_unit_test(a_program_lies_beside_the_profile_and_not_where_the_user_stands),
		cmocka_unit_test(the_examples_of_makers_are_whole),
		cmocka_unit_test(steps_and_frames_are_sections_of_their_own),
		cmocka_unit_test(a_step_writes_no_memory_and_opens_no_lock),
		cmocka_unit_test(an_address_format_has_one_to_four_bytes_each),
		cmocka_unit_test(memory_has_bounds_whatever_a_profile_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
