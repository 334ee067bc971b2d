/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "pack.h"

#define RULES static const struct pack_rule rules[]

static void a_server_is_recognised_by_any_answer(void **state)
{
	static const char *const answers[] = { "7e00", "7f3e7f", "7f3e11" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(answers); i++) {
		const struct pack_rule rules[] = { { "3e00", answers[i], 0 }, { NULL } };

		for (int over = PACK_HDLC; over <= PACK_CAN; over++) {
			BF_AUTO(pack) *k = pack_new((enum pack_over)over, rules);

			pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(2), &k->err), BF_OK);
			assert_string_equal(k->log, "3e00 ");
		}
	}
}

static void silence_is_no_device_and_says_what_was_asked(void **state)
{
	RULES = { { NULL } };
	BF_AUTO(pack) *bus = pack_new(PACK_CAN, rules);
	BF_AUTO(pack) *line = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(bus, bus->p->ops->recognise(bus->p, BF_SEC(2), &bus->err), BF_E_NODEV);
	assert_non_null(strstr(bus->err.cause, "7E0"));
	pack_expect(line, line->p->ops->recognise(line->p, BF_SEC(2), &line->err), BF_E_NODEV);
	assert_non_null(strstr(line->err.cause, "115200 baud"));
	assert_true(line->err.n_likely > 0);
	assert_true(pack_now(line) < BF_SEC(1));
}

static void silence_at_the_identifiers_of_the_bootloader_too_is_no_device(void **state)
{
	RULES = { { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	k->profile.loader_tx = 0x7E1;
	k->profile.loader_rx = 0x7E9;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(2), &k->err), BF_E_NODEV);
}

static void a_framing_that_the_profile_names_is_the_only_one_tried(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_KLINE, rules);

	(void)state;
	k->profile.framing = BF_FRAMING_HDLC;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(2), &k->err), BF_E_NODEV);
	assert_int_equal(k->heard, 0);
	k->profile.framing = BF_FRAMING_ISO14230;
	pack_expect(k, k->p->ops->recognise(k->p, bf_in(k->w->t.clock, BF_SEC(2)), &k->err), BF_OK);
}

static void looking_opens_no_more_than_the_extended_session(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "500300320032" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_READ, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1003 1003 ");
}

static void writing_goes_through_extended_to_programming(void **state)
{
	RULES = {
		{ "3e00", "7e00" },   { "1003", "500300320032" }, { "8502", "7f8511" },
		{ "280301", "6803" }, { "1002", "500200320032" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1003 8502 280301 1002 ");
}

static void a_refused_programming_session_says_why(void **state)
{
	RULES = {
		{ "3e00", "7e00" },     { "1003", "7f1012" }, { "8502", "c502" },
		{ "280301", "7f2822" }, { "1002", "7f1022" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_E_NAK);
	assert_string_equal(k->err.dev_name, "conditionsNotCorrect");
}

static void a_single_bank_pack_is_followed_into_its_loader(void **state)
{
	RULES = {
		{ "3e00", "7e00" },       { "1003", "500300320032" }, { "8502", "c502" },
		{ "280301", "6803" },     { "1002", "-", 1 },         { "22f186", "-", 7 },
		{ "22f186", "62f18601" }, { "1002", "500200320032" }, { NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_true(k->alive >= 7);
	assert_non_null(strstr(k->log, "22f186 1003 1002 "));
}

/* P2 400 ms, P2* 10 s in the answer: both are believed. */
static void the_servers_own_times_are_used(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "5003019003e8" },
		{ "3101f0b3", "@380:7f3178 @9000:7101f0b300" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	assert_int_equal(k->retry.timeouts, 0);
}

static void times_below_the_profiles_floor_are_not(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "500300010001" },
		{ "3101f0b3", "@45:7f3178 @4000:7101f0b300" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_named_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->boot->revert(k->p, &k->err), BF_OK);
	assert_int_equal(k->retry.timeouts, 0);
}

static void an_idle_session_is_kept_open_every_two_seconds(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "500300320032" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->keepalive(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard, 0);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	for (int i = 0; i < 55; i++) {
		pack_expect(k, k->p->ops->keepalive(k->p, &k->err), BF_OK);
		bf_clock_until(k->w->t.clock, bf_in(k->w->t.clock, BF_MS(100)));
	}
	assert_string_equal(k->log, "3e00 1003 3e80 3e80 ");
}

/* Reads a measurement every 50 ms for so long, and lets the session be kept. */
static void stay_and_measure(struct pack *k, bf_time how_long)
{
	bf_time end = bf_in(k->w->t.clock, how_long);

	while (bf_now(k->w->t.clock) < end) {
		struct bf_measure m;

		pack_expect(k, k->p->ops->app->measure(k->p, &m, &k->err), BF_OK);
		pack_expect(k, k->p->ops->keepalive(k->p, &k->err), BF_OK);
		bf_clock_until(k->w->t.clock, bf_in(k->w->t.clock, BF_MS(50)));
	}
}

#define OUR_FD01 "62fd01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void other_requests_do_not_keep_a_session(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "22fd10", "62fd1000005000" },
		  { "22*", "7f2231" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	stay_and_measure(k, BF_MS(5500));
	assert_int_equal(k->present, 2);
}

static void any_request_keeps_the_session_of_a_server_of_our_page(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "22fd01", OUR_FD01 },
		  { "22fd10", "62fd1000005000" },
		  { "22*", "7f2231" },
		  { "31*", "7f3131" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	k->present = 0;
	stay_and_measure(k, BF_MS(5500));
	assert_int_equal(k->present, 0);
}

static void a_server_that_lost_a_session_between_requests_is_shown_more(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "5003" },
		  { "22fd01", OUR_FD01 },
		  { "22fd10", "62fd1000005000", 1 },
		  { "22fd10", "7f227f", 1 },
		  { "22f186", "62f18601" },
		  { "22fd10", "62fd1000005000" },
		  { "22*", "7f2231" },
		  { "31*", "7f3131" },
		  { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_ident id;

	(void)state;
	pack_expect(k, k->p->ops->identify(k->p, &id, &k->err), BF_OK);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	k->present = 0;
	stay_and_measure(k, BF_MS(5500));
	assert_int_equal(k->present, 2);
}

/* A server with one buffer drops what comes before it has taken the request that it does not answer. */
static void after_a_request_without_answer_it_waits_as_long_as_the_pack_needs(void **state)
{
	static const struct {
		const char *answer;
		int answers, gap_from_ms, gap_to_ms;
	} rows[] = {
		{ "@1:7e00", 3, 10, 10 }, /* too few answers to know */
		{ "@0:7e00", 12, 1, 3 },
		{ "@3:7e00", 12, 6, 9 },
		{ "@30:7e00", 12, 10, 10 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct pack_rule rules[] = { { "3e80", "-", 0 },
						   { "3e00", rows[i].answer, 0 },
						   { "1003", "5003003201f4", 0 },
						   { NULL, NULL, 0 } };
		BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);
		bf_time before;

		pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
		while (k->heard < (unsigned)rows[i].answers)
			pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_OK);
		bf_clock_until(k->w->t.clock, bf_in(k->w->t.clock, BF_SEC(3)));
		before = bf_now(k->w->t.clock);
		pack_expect(k, k->p->ops->keepalive(k->p, &k->err), BF_OK);
		assert_in_range(bf_now(k->w->t.clock) - before, BF_MS(rows[i].gap_from_ms),
				BF_MS(rows[i].gap_to_ms) + 999);
	}
}

static void what_the_profile_sends_to_all_nodes_goes_there_and_needs_no_answer(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "5003003201f4" }, { "8502", "-" },
		  { "280301", "-" },  { "1002", "5002003201f4" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	pack_keys(k)->functional = BF_FUNCTIONAL_SESSION | BF_FUNCTIONAL_PRESENT |
				   BF_FUNCTIONAL_DTC | BF_FUNCTIONAL_MESSAGES;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1003 8502 280301 1002 ");
	for (int i = 0; i < 5; i++)
		assert_int_equal(k->heard_id[i], i >= 1 && i <= 3 ? 0x7DF : 0x7E0);
	bf_clock_until(k->w->t.clock, bf_in(k->w->t.clock, BF_SEC(3)));
	pack_expect(k, k->p->ops->keepalive(k->p, &k->err), BF_OK);
	assert_int_equal(k->heard_id[5], 0x7DF);
	assert_int_equal(k->retry.timeouts, 0);
}

static void nothing_goes_to_all_nodes_unless_a_profile_says_so(void **state)
{
	RULES = { { "3e00", "7e00" },  { "1003", "5003" }, { "85*", "7f8511" },
		  { "28*", "7f2811" }, { "1002", "5002" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_WRITE, &k->err), BF_OK);
	for (unsigned i = 0; i < k->heard; i++)
		assert_int_equal(k->heard_id[i], 0x7E0);
}

static enum bf_rc open_node(struct pack *k, int node)
{
	k->p = bf_proto_close(k->p);
	k->env.node = node;
	return bf_proto_by_name("uds")->open(&k->env, &k->p, &k->err);
}

static void a_node_on_can_is_obeyed_or_refused(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_CAN, rules);

	(void)state;
	pack_expect(k, open_node(k, 0x33), BF_E_USAGE);
	assert_non_null(strstr(k->err.todo, "name the identifiers in a profile"));
	assert_null(k->p);
	/* Of 29 bits, and one of the two has no place for a node. */
	k->profile.can_ext = true;
	k->profile.can_tx = 0x18DC11F1;
	k->profile.can_rx = 0x18DAF111;
	pack_expect(k, open_node(k, 0x33), BF_E_USAGE);
	k->profile.can_tx = 0x18DA11F1;
	k->profile.can_rx = 0x18DCF111;
	pack_expect(k, open_node(k, 0x33), BF_E_USAGE);
	k->profile.can_ext = true;
	k->profile.can_tx = 0x18DA11F1;
	k->profile.can_rx = 0x18DAF111;
	k->profile.can_func = 0x18DBFFF1;
	k->answer_id = 0x18DAF133;
	pack_expect(k, open_node(k, 0x33), BF_OK);
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	assert_int_equal(k->heard_id[0], 0x18DA33F1);
	pack_expect(k, open_node(k, 0x133), BF_E_USAGE);
}

static void a_node_on_a_serial_line_is_never_cut(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, open_node(k, 0x111), BF_E_USAGE); /* not node 11 */
	pack_expect(k, open_node(k, 0x11), BF_OK);
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
}

static void the_reset_is_the_one_of_the_profile(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1103", "5103" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	strcpy(pack_keys(k)->reset, "11 03");
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1103 ");
}

static void a_reset_without_an_answer_is_a_reset(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1101", "-" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	assert_string_equal(k->log, "3e00 1101 ");
}

static void a_refused_reset_is_not(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1101", "7f1122" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_E_NAK);
}

/* The old application may answer a few more questions before it really goes. */
static void await_is_not_fooled_by_the_old_application(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "500300320032" },
		{ "1101", "5101" },
		{ "22f186", "62f18603", 3 },
		{ "22f186", "-", 5 },
		{ "22f186", "62f18601" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->await(k->p, bf_in(k->w->t.clock, BF_SEC(30)), &k->err), BF_OK);
	assert_int_equal(k->heard, 3 + 3 + 5 + 1);
}

static void a_pack_without_f186_is_back_when_it_answers_after_silence(void **state)
{
	RULES = {
		{ "3e00", "7e00" },
		{ "1003", "500300320032" },
		{ "1101", "5101" },
		{ "22f186", "7f2231", 2 },
		{ "22f186", "-", 5 },
		{ "22f186", "7f2231" },
		{ NULL },
	};
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	pack_expect(k, k->p->ops->await(k->p, bf_in(k->w->t.clock, BF_SEC(30)), &k->err), BF_OK);
	assert_int_equal(k->heard, 3 + 2 + 5 + 1);
}

static void a_pack_that_stays_away_is_no_device(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1101", "5101" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	bf_time deadline;

	(void)state;
	pack_expect(k, k->p->ops->loader->restart(k->p, &k->err), BF_OK);
	deadline = bf_in(k->w->t.clock, BF_SEC(10));
	pack_expect(k, k->p->ops->await(k->p, deadline, &k->err), BF_E_NODEV);
	assert_true(pack_now(k) >= deadline && pack_now(k) < deadline + BF_MS(300));
	assert_true(k->alive > 20);
}

static void leaving_closes_the_session_once(void **state)
{
	RULES = { { "3e00", "7e00" }, { "1003", "500300320032" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	k->p->ops->leave(k->p);
	assert_int_equal(k->heard, 0);
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	k->p->ops->leave(k->p);
	k->p->ops->leave(k->p);
	assert_string_equal(k->log, "3e00 1003 1001 ");
}

static void leaving_ends_an_open_transfer(void **state)
{
	RULES = { { "3e00", "7e00" },
		  { "1003", "500300320032" },
		  { "34*", "74200080" },
		  { "37", "77" },
		  { NULL } };
	static const uint8_t data[9];
	const struct bf_segment seg = { .addr = 0x1000, .data = data, .len = 9 };
	const struct bf_target target = { .segment = &seg, .addr = 0x1000, .len = 9 };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);
	struct bf_flow flow;

	(void)state;
	pack_expect(k, k->p->ops->connect(k->p, BF_ENTRY_LOOK, &k->err), BF_OK);
	pack_expect(k, k->p->ops->loader->begin(k->p, &target, &flow, &k->err), BF_OK);
	k->p->ops->leave(k->p);
	assert_non_null(strstr(k->log, " 37 1001 "));
}

static void a_ping_is_asked_once(void **state)
{
	RULES = { { "3e00", "7e00", 1 }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_OK);
	pack_expect(k, k->p->ops->ping(k->p, &k->err), BF_E_TIMEOUT);
	assert_int_equal(k->heard, 2);
}

static void the_node_of_the_command_line_wins(void **state)
{
	RULES = { { "3e00", "7e00" }, { NULL } };
	BF_AUTO(pack) *k = pack_new(PACK_HDLC, rules);

	(void)state;
	k->p->env.node = 0x22;
	pack_expect(k, k->p->ops->recognise(k->p, BF_SEC(1), &k->err), BF_E_NODEV);
	assert_non_null(strstr(k->err.cause, "node 22"));
	assert_int_equal(k->heard, 0);
}

static void usb_is_not_a_wire_for_it(void **state)
{
	static const struct bf_transport_ops usb = { .name = "usb", .wire = BF_WIRE_USB };
	struct bf_transport t = { .ops = &usb, .name = "usb" };
	struct bf_profile profile;
	const struct bf_proto_env env = { .transport = &t, .profile = &profile };
	struct bf_proto *p = NULL;
	struct bf_err err;

	(void)state;
	bf_profile_default(&profile);
	assert_int_equal(bf_proto_by_name("uds")->open(&env, &p, &err), BF_E_UNSUPPORTED);
	assert_null(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_is_recognised_by_any_answer),
		cmocka_unit_test(silence_is_no_device_and_says_what_was_asked),
		cmocka_unit_test(silence_at_the_identifiers_of_the_bootloader_too_is_no_device),
		cmocka_unit_test(a_framing_that_the_profile_names_is_the_only_one_tried),
		cmocka_unit_test(looking_opens_no_more_than_the_extended_session),
		cmocka_unit_test(writing_goes_through_extended_to_programming),
		cmocka_unit_test(a_refused_programming_session_says_why),
		cmocka_unit_test(a_single_bank_pack_is_followed_into_its_loader),
		cmocka_unit_test(the_servers_own_times_are_used),
		cmocka_unit_test(times_below_the_profiles_floor_are_not),
		cmocka_unit_test(an_idle_session_is_kept_open_every_two_seconds),
		cmocka_unit_test(other_requests_do_not_keep_a_session),
		cmocka_unit_test(any_request_keeps_the_session_of_a_server_of_our_page),
		cmocka_unit_test(a_server_that_lost_a_session_between_requests_is_shown_more),
		cmocka_unit_test(after_a_request_without_answer_it_waits_as_long_as_the_pack_needs),
		cmocka_unit_test(
			what_the_profile_sends_to_all_nodes_goes_there_and_needs_no_answer),
		cmocka_unit_test(nothing_goes_to_all_nodes_unless_a_profile_says_so),
		cmocka_unit_test(a_node_on_can_is_obeyed_or_refused),
		cmocka_unit_test(a_node_on_a_serial_line_is_never_cut),
		cmocka_unit_test(the_reset_is_the_one_of_the_profile),
		cmocka_unit_test(a_reset_without_an_answer_is_a_reset),
		cmocka_unit_test(a_refused_reset_is_not),
		cmocka_unit_test(await_is_not_fooled_by_the_old_application),
		cmocka_unit_test(a_pack_without_f186_is_back_when_it_answers_after_silence),
		cmocka_unit_test(a_pack_that_stays_away_is_no_device),
		cmocka_unit_test(leaving_closes_the_session_once),
		cmocka_unit_test(leaving_ends_an_open_transfer),
		cmocka_unit_test(a_ping_is_asked_once),
		cmocka_unit_test(the_node_of_the_command_line_wins),
		cmocka_unit_test(usb_is_not_a_wire_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
