/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]

#define UUID_A "000102030405060708090a0b0c0d0e0f"
#define UUID_B "101112131415161718191a1b1c1d1e1f"
#define SHA    UUID_A UUID_B
#define SLOT0      \
	"03"       \
	"01"       \
	"03"       \
	"0000"     \
	"00000007" \
	"00000003" \
	"20" SHA
#define SLOT1      \
	"00"       \
	"00"       \
	"00"       \
	"0000"     \
	"00000000" \
	"00000000" \
	"00"
#define MAP                \
	"02"               \
	"00"               \
	"00"               \
	"07"               \
	"00020000"         \
	"00040000"         \
	"00001000"         \
	"0008"             \
	"736c6f7430000000" \
	"04"               \
	"00"               \
	"01"               \
	"00000000"         \
	"00020000"         \
	"00001000"         \
	"0008"             \
	"626f6f7400000000"

static void a_pack_that_tells_everything_is_known(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "22f180", "62f180"
			    "6c6f616465722031" },
		{ "22f189", "62f189"
			    "312e332e302b37" },
		{ "22f191", "62f191"
			    "5233" },
		{ "22f18c", "62f18c"
			    "534e2d3432202000" },
		{ "22f187", "62f187"
			    "424d532d313653" },
		{ "22f18a", "62f18a"
			    "41636d65" },
		{ "22fd01", "62fd01" UUID_A UUID_B },
		{ "22fd02", "62fd02"
			    "00000003" },
		{ "22fd03", "62fd03" MAP },
		{ "22fd04", "62fd04"
			    "020005" },
		{ "22fd06", "62fd06"
			    "01400010" },
		{ "3101f0b0", "7101f0b000"
			      "02" SLOT0 SLOT1 },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_string_equal(id.protocol, "uds");
	assert_string_equal(id.loader, "loader 1");
	assert_string_equal(id.serial, "SN-42");
	assert_string_equal(id.hw_rev, "R3");
	assert_string_equal(id.model, "BMS-16S");
	assert_string_equal(id.manufacturer, "Acme");
	assert_true(id.has_version && !id.in_bootloader);
	assert_int_equal(id.version.minor, 3);
	assert_int_equal(id.version.build, 7);
	assert_true(id.has_vid && id.has_cid);
	assert_int_equal(id.cid[0], 0x10);
	assert_int_equal(id.counter, 3);
	assert_int_equal(id.reset_reason, 2);
	assert_int_equal(id.boot_count, 5);
	assert_int_equal(id.n_regions, 2);
	assert_string_equal(id.regions[0].name, "slot0");
	assert_int_equal(id.regions[0].addr, 0x20000);
	assert_int_equal(id.regions[0].size, 0x40000);
	assert_int_equal(id.regions[0].erase_unit, 0x1000);
	assert_int_equal(id.regions[0].write_unit, 8);
	assert_int_equal(id.regions[1].kind, BF_REGION_BOOT);
	assert_int_equal(id.n_slots, 2);
	assert_int_equal(id.slots[0].flags, BF_SLOT_ACTIVE | BF_SLOT_CONFIRMED);
	assert_int_equal(id.slots[0].digest_len, 32);
	assert_true(id.slots[0].has_version && !id.slots[1].has_version);
	assert_int_equal(id.in_flight, 1);
	assert_int_equal(id.caps & (BF_CAP_DUAL_BANK | BF_CAP_TRIAL | BF_CAP_READ | BF_CAP_MCUBOOT |
				    BF_CAP_COUNTER | BF_CAP_MEASURE | BF_CAP_CONFIRM),
			 BF_CAP_DUAL_BANK | BF_CAP_TRIAL | BF_CAP_READ | BF_CAP_MCUBOOT |
				 BF_CAP_COUNTER | BF_CAP_MEASURE | BF_CAP_CONFIRM);
	assert_true(id.caps & BF_CAP_COMPRESS);
	assert_true(id.caps & BF_CAP_ERASE_AHEAD);
	assert_false(id.caps & BF_CAP_RATES); /* this bus may not be changed */
}

static void what_a_pack_does_not_tell_stays_unknown(void **state)
{
	RULES = { { "3e00", "7e00" }, { "22*", "7f2231" }, { "31*", "7f3111" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_false(id.has_version || id.has_vid || id.has_cid || id.in_bootloader);
	assert_int_equal(id.n_slots + id.n_regions, 0);
	assert_false(id.caps & (BF_CAP_COUNTER | BF_CAP_DUAL_BANK | BF_CAP_TRIAL | BF_CAP_READ));
	assert_int_equal(id.talks, BF_TALKS_UNKNOWN);
	/* Nobody said that it can change its rate. */
	assert_false(id.caps & BF_CAP_RATES);
	assert_int_equal(id.rates[0], 0);
}

static void who_answers_is_told_or_unknown(void **state)
{
	static const struct {
		const char *version, *session;
		bool ours;
		enum bf_talks want;
	} rows[] = {
		{ "62f189312e342e30", "7f2231", false, BF_TALKS_APPLICATION },
		{ "62f189312e342e30", "62f18601", false, BF_TALKS_APPLICATION },
		{ "62f189312e342e30", "62f18602", false, BF_TALKS_LOADER },
		{ "62f189302e302e30", "7f2231", false, BF_TALKS_UNKNOWN }, /* 0.0.0 */
		{ "62f189", "62f18601", false, BF_TALKS_UNKNOWN },
		{ "62f189ffffff", "62f18601", false, BF_TALKS_UNKNOWN },
		{ "62f189424f4f54", "62f18601", false, BF_TALKS_UNKNOWN }, /* BOOT */
		{ "7f2231", "7f2231", false, BF_TALKS_UNKNOWN },
		{ "7f2231", "62f18602", false, BF_TALKS_LOADER },
		{ "62f189", "62f18601", true, BF_TALKS_LOADER },
		{ "62f189312e342e30", "62f18603", true, BF_TALKS_APPLICATION },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "22f189", rows[i].version, 0 },
						   { "22f186", rows[i].session, 0 },
						   { "22*", "7f2231", 0 },
						   { "31*", "7f3131", 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		struct bf_ident id;

		if (rows[i].ours)
			pack_is_ours(k);
		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.talks, rows[i].want);
		assert_int_equal(id.in_bootloader, rows[i].want == BF_TALKS_LOADER);
	}
}

/* It was the application a moment ago, and tells no version any more: its bootloader is there now. */
static void an_application_that_stops_to_tell_its_version_is_not_there_any_more(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "22f189",
		    "62f189"
		    "312e342e30",
		    1 },
		  { "22*", "7f2231" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_APPLICATION);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.talks, BF_TALKS_LOADER);
}

static void what_cannot_be_compared_is_told_as_such(void **state)
{
	static const struct {
		const char *version, *counter;
		bool bad_version, bad_counter;
	} rows[] = {
		{ "62f189312e342e30", "62fd0200000003", false, false },
		{ "62f18956392e39", "62fd02000003", true, true }, /* V9.9 */
		{ "7f2231", "7f2231", false, false },
		{ "62f189", "62fd02", false, true },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "22f189", rows[i].version, 0 },
						   { "22fd02", rows[i].counter, 0 },
						   { "22*", "7f2231", 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		struct bf_ident id;

		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.version_unreadable, rows[i].bad_version);
		assert_int_equal(id.counter_unreadable, rows[i].bad_counter);
	}
}

static void an_empty_version_means_no_application_runs(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "22f189", "62f189" },
		{ "22*", "7f2231" },
		{ "31*", "7f3131" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_is_ours(k);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_true(id.in_bootloader && !id.has_version);
}

static void a_pack_without_banks_shows_its_running_digest(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "22fd05", "62fd05" SHA },
		{ "22*", "7f2231" },
		{ "31*", "7f3131" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.n_slots, 1);
	assert_int_equal(id.slots[0].digest_len, 32);
	assert_int_equal(id.slots[0].digest[31], 0x1F);
	assert_false(id.caps & BF_CAP_DUAL_BANK);
}

static void a_map_that_cannot_be_true_is_not_used(void **state)
{
	static const char *const bad[] = {
		"62fd0302000007",
		"62fd03ff",
		"62fd03",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++) {
		const struct pack_rule rules[] = { { "3e00", "7e00", 0 },
						   { "22fd03", bad[i], 0 },
						   { "22*", "7f2231", 0 },
						   { NULL } };
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
		struct bf_ident id;

		/* Asking once more would bring the same. */
		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.n_regions, 0);
		assert_false(id.caps & BF_CAP_ANY_ORDER);
		assert_null(strstr(strstr(k->log, "22fd03") + 1, "22fd03"));
	}
}

static void a_pack_without_hashes_is_not_said_to_have_them(void **state)
{
	RULES = {
		{ "3e00", "7e00" },        { "22fd03", "62fd03" MAP }, { "22*", "7f2231" },
		{ "3101f0b4*", "7f3131" }, { "31*", "7f3131" },        { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_true(id.caps & BF_CAP_READ);
	assert_false(id.caps & (BF_CAP_HASH | BF_CAP_RESUME));
	assert_non_null(strstr(k->log, "3101f0b4000200000000001000000000"));
}

static void regions_of_the_profile_win(void **state)
{
	RULES = { { "3e00", "7e00" }, { "22*", "7f2231" }, { "31*", "7f3131" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	k->profile.n_regions = 1;
	k->profile.regions[0] = (struct bf_region){ .name = "app", .size = 16 };
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_string_equal(id.regions[0].name, "app");
	assert_null(strstr(k->log, "22fd03"));
}

static void a_pack_that_is_silent_to_what_it_does_not_know_is_identified(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "22f189", "62f189"
			      "312e342e30" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	assert_int_equal(id.version.minor, 4);
	assert_true(pack_now(k) < BF_SEC(8));
	/* and is found again after a restart, though it never tells its session */
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->await(k->p, pack_now(k) + BF_SEC(5), &k->err), BF_OK);
}

static void a_pack_that_falls_silent_while_it_is_identified_is_a_failure(void **state)
{
	RULES = { { "3e00", "7e00", 1 }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_E_TIMEOUT);
}

static void silence_of_a_pack_that_is_known_is_the_lines_fault(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_is_ours(k);
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_E_TIMEOUT);
}

static void telemetry_scales_as_the_profile_says(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "22fd10", "62fd10"
			    "0000d2f0" },
		{ "22fd11", "62fd11"
			    "fffffc18" },
		{ "22fd12", "62fd12"
			    "0226" },
		{ "22fd13", "62fd13"
			    "00faff9c" },
		{ "22fd14", "62fd14"
			    "0ce40ce50ce6" },
		{ "22fd15", "62fd15"
			    "80000001" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_measure m;

	(void)state;
	pack_expect(k, k->p->ops->app->measure(k->p, &m, &k->err), BF_OK);
	assert_true(m.has_pack && m.has_current && m.has_soc && m.has_balancing);
	assert_float_equal(m.pack_v, 54.0, 1e-6);
	assert_float_equal(m.current_a, -1.0, 1e-6);
	assert_float_equal(m.soc, 55.0, 1e-6);
	assert_int_equal(m.n_temps, 2);
	assert_float_equal(m.temp_c[0], 25.0, 1e-6);
	assert_float_equal(m.temp_c[1], -10.0, 1e-6);
	assert_int_equal(m.n_cells, 3);
	assert_float_equal(m.cell_v[2], 3.302, 1e-6);
	assert_int_equal(m.balancing, 0x80000001);
}

static void quantities_that_a_pack_lacks_are_unknown(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "22fd10", "62fd1000" },
		{ "22*", "7f2231" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_measure m;

	(void)state;
	pack_expect(k, k->p->ops->app->measure(k->p, &m, &k->err), BF_OK);
	assert_false(m.has_pack || m.has_current || m.has_soc || m.has_balancing);
	assert_int_equal(m.n_cells + m.n_temps, 0);
}

/* The identifiers of the built-in profile are a guess: of a stranger one of them has to answer. */
static void a_stranger_measures_where_one_value_answers(void **state)
{
	static const struct pack_rule with[] = {
		{ "3e00", "7e00" }, { "22fd12", "62fd120226" }, { "22*", "7f2231" }, { NULL }
	};
	static const struct pack_rule without[] = { { "3e00", "7e00" },
						    { "22*", "7f2231" },
						    { NULL } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		BF_AUTO(pack) *k = pack_new(PACK_HDLC, i ? with : without);
		struct bf_ident id;

		pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
		assert_int_equal(id.caps & BF_CAP_MEASURE, i ? BF_CAP_MEASURE : 0);
	}
}

static void values_that_share_a_record_share_the_request(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "22a000", "62a000"
			      "0102" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_measure m;

	(void)state;
	k->profile.n_quantities = 2;
	k->profile.quantities[0] = (struct bf_quantity_map){
		.kind = BF_Q_SOC, .did = 0xA000, .width = 1, .count = 1, .scale = 1
	};
	k->profile.quantities[1] = (struct bf_quantity_map){
		.kind = BF_Q_CURRENT, .did = 0xA000, .offset = 1, .width = 1, .count = 1, .scale = 1
	};
	pack_expect(k, k->p->ops->app->measure(k->p, &m, &k->err), BF_OK);
	assert_float_equal(m.soc, 1, 0);
	assert_float_equal(m.current_a, 2, 0);
	assert_string_equal(k->log, "3e00 22a000 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_that_tells_everything_is_known),
		cmocka_unit_test(what_a_pack_does_not_tell_stays_unknown),
		cmocka_unit_test(an_empty_version_means_no_application_runs),
		cmocka_unit_test(a_pack_without_banks_shows_its_running_digest),
		cmocka_unit_test(a_map_that_cannot_be_true_is_not_used),
		cmocka_unit_test(who_answers_is_told_or_unknown),
		cmocka_unit_test(
			an_application_that_stops_to_tell_its_version_is_not_there_any_more),
		cmocka_unit_test(what_cannot_be_compared_is_told_as_such),
		cmocka_unit_test(a_pack_without_hashes_is_not_said_to_have_them),
		cmocka_unit_test(regions_of_the_profile_win),
		cmocka_unit_test(a_pack_that_is_silent_to_what_it_does_not_know_is_identified),
		cmocka_unit_test(a_pack_that_falls_silent_while_it_is_identified_is_a_failure),
		cmocka_unit_test(silence_of_a_pack_that_is_known_is_the_lines_fault),
		cmocka_unit_test(telemetry_scales_as_the_profile_says),
		cmocka_unit_test(quantities_that_a_pack_lacks_are_unknown),
		cmocka_unit_test(a_stranger_measures_where_one_value_answers),
		cmocka_unit_test(values_that_share_a_record_share_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
