/* SPDX-License-Identifier: MIT */
/* What is refused before anything is changed, with which code, and by which name it may be allowed. */
#include "pack.h"

#include "engine/report.h"

#include <stdio.h>
#include <sys/stat.h>

static void start(struct bench *b)
{
	bench_init(b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
}

/* Refused with rc, nothing written; with the permission it runs to the end. */
static void refused_then_allowed(struct bench *b, enum bf_rc rc, const char *check,
				 enum bf_allow allow)
{
	bench_run(b);
	assert_ended(b, rc, BF_STATE_OLD);
	assert_string_equal(b->failed_check, check);
	assert_int_equal(pack_calls(&b->pack, "erase"), 0);
	assert_true(strstr(b->out.err.todo, bf_allow_info(allow)->name) ||
		    strstr(b->out.err.next, bf_allow_info(allow)->name));
	b->job.allow[allow] = true;
	bench_again(b);
	assert_ended(b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_string_equal(b->allowed_check, check);
	bench_done(b);
}

static void low_charge(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.soc = 15;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "state-of-charge", BF_ALLOW_LOW_SOC);
}

static void high_charge(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.soc = 85;
	bench_run(&b);
	assert_non_null(strstr(b.out.err.cause, "85.0 %"));
	assert_non_null(strstr(b.out.err.cause, "20 to 80 %"));
	pack_power_up(&b.pack);
	refused_then_allowed(&b, BF_E_PREFLIGHT, "state-of-charge", BF_ALLOW_HIGH_SOC);
}

static void permission_for_one_side_is_none_for_the_other(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.soc = 85;
	b.job.allow[BF_ALLOW_LOW_SOC] = true;
	bench_run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	bench_done(&b);
}

static void cold(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.temp_c[2] = 0;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "temperature-lowest", BF_ALLOW_COLD);
}

static void hot(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.temp_c[1] = 45;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "temperature-highest", BF_ALLOW_HOT);
}

static void current_flows(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.current_a = -12;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "current", BF_ALLOW_CURRENT);
}

static void cells_move_between_two_readings(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.drifts = true;
	bench_run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "cell-voltages-steady");
	assert_non_null(strstr(b.out.err.cause, "cell 4"));
	assert_non_null(strstr(b.out.err.todo, "unsteady"));
	bench_done(&b);
}

/* ---- when the two readings are taken ---- */

static struct {
	unsigned at_entry; /* readings before access or the first data was asked for */
	bf_time last_read, erase;
} order;

static void reads_slowly(struct pack *pack, const char *op)
{
	if ((strcmp(op, "authenticate") == 0 || strcmp(op, "read") == 0) && !order.at_entry)
		order.at_entry = pack_calls(pack, "measure");
	if (strcmp(op, "read") == 0) {
		(void)bf_clock_until(pack->clock, bf_in(pack->clock, BF_MS(400)));
		order.last_read = bf_now(pack->clock);
	}
	if (strcmp(op, "erase") == 0 && !order.erase)
		order.erase = bf_now(pack->clock);
}

static void the_second_reading_waits_for_the_backup_and_not_a_second_longer(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	memset(&order, 0, sizeof(order));
	b.pack.at_op = reads_slowly;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(order.at_entry, 1);
	assert_in_range(order.erase - order.last_read, 0, BF_MS(50));
	bench_done(&b);
}

static void a_pack_that_leaves_its_firmware_is_read_twice_before(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.caps |= BF_CAP_MEASURE;
	memset(&order, 0, sizeof(order));
	b.pack.at_op = reads_slowly;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(order.at_entry, 2);
	bench_done(&b);
}

static void empties(struct pack *pack, const char *op)
{
	if (strcmp(op, "read") == 0)
		pack->measure.soc = 12;
}

static void what_goes_outside_during_the_backup_is_refused_before_writing(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.at_op = empties;
	bench_run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "state-of-charge");
	assert_int_equal(b.events[BF_EV_FILE], 1);
	assert_int_equal(pack_calls(&b.pack, "erase"), 0);
	bench_done(&b);
}

static void a_dry_run_takes_both_readings(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.dry_run = true;
	b.pack.drifts = true;
	bench_run(&b);
	assert_string_equal(b.failed_check, "cell-voltages-steady");
	bench_done(&b);
}

static void cells_lie_apart(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.cell_v[7] = b.pack.after.cell_v[7] = 3.05;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "cell-spread", BF_ALLOW_CELL_SPREAD);
}

static void all_that_is_outside_is_shown_and_all_permissions_named(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.soc = 5;
	b.pack.measure.temp_c[0] = 60;
	b.pack.measure.current_a = 3;
	b.job.allow[BF_ALLOW_CURRENT] = true;
	bench_run(&b);
	assert_ended(&b, BF_E_PREFLIGHT, BF_STATE_OLD);
	assert_int_equal(bf_rc_info(b.out.rc)->exit_status, 30);
	assert_non_null(
		strstr(b.out.err.cause, "state-of-charge: '5.0 %', allowed is '20 to 80 %'"));
	assert_string_equal(b.out.err.todo, "charge the pack to at least 20 %, or accept the risk: "
					    "--allow low-soc --allow hot");
	assert_string_equal(b.failed_check, "temperature-highest"); /* the last that was shown */
	assert_string_equal(b.allowed_check, "current");
	bench_done(&b);
}

static void slow_blocks_and_a_charge_that_comes_and_goes(struct pack *pack, const char *op)
{
	if (strcmp(op, "finish_block") == 0)
		(void)bf_clock_until(pack->clock, bf_in(pack->clock, BF_MS(200)));
	if (strcmp(op, "measure") != 0 || !pack_calls(pack, "start") || pack->flash->trial)
		return;
	assert_int_equal(pack->n_queued, 0); /* asked only when nothing is on its way */
	pack->measure.soc = pack_calls(pack, "measure") % 2 ? 5 : 50;
}

static void writing_with_blocks_in_flight_pauses_too(void **state)
{
	struct bench b;
	char path[128];
	FILE *f;

	(void)state;
	start(&b);
	snprintf(path, sizeof(path), "%s/watch.ini", b.folder);
	f = fopen(path, "w");
	fputs("[telemetry]\nwatch-s = 1\n", f);
	fclose(f);
	b.job.profile = path;
	b.pack.window = 4;
	b.pack.at_op = slow_blocks_and_a_charge_that_comes_and_goes;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.pack.in_flight_seen, 4);
	assert_non_null(strstr(b.notices, "writing goes on after a pause of 1 s"));
	bench_done(&b);
}

static void value_that_is_not_required_may_be_unknown(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.measure.has_current = false;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void required_value_may_not_be_unknown(void **state)
{
	struct bench b;
	char path[128];
	FILE *f;

	(void)state;
	start(&b);
	snprintf(path, sizeof(path), "%s/strict.ini", b.folder);
	f = fopen(path, "w");
	fputs("[quantity current]\nrequired = yes\n", f);
	fclose(f);
	b.job.profile = path;
	b.pack.measure.has_current = false;
	refused_then_allowed(&b, BF_E_PREFLIGHT, "current", BF_ALLOW_UNKNOWN);
}

static void other_hardware_is_refused_with_both_sides(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.othercid.bin");
	b.job.allow[BF_ALLOW_NO_HARDWARE] = true; /* no permission for the wrong hardware */
	bench_run(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "class");
	assert_non_null(strstr(b.out.err.cause, "of the image"));
	assert_non_null(strstr(b.out.err.cause, "of the pack"));
	bench_done(&b);
}

static void image_without_hardware_and_counter(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.noids.bin");
	bench_run(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.next, "no-hardware"));
	b.job.allow[BF_ALLOW_NO_HARDWARE] = true;
	bench_again(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.next, "no-counter"));
	b.job.allow[BF_ALLOW_NO_COUNTER] = true;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void image_too_large_for_the_slot(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", NULL);
	b.images[0] = data_path(b.image_path, "gw-2.0.0.signed.bin");
	bench_run(&b);
	assert_int_not_equal(b.out.rc, BF_OK);
	assert_int_equal(b.out.state, BF_STATE_OLD);
	assert_true(b.out.rc == BF_E_IMAGE || b.out.rc == BF_E_INCOMPATIBLE);
	bench_done(&b);
}

static void lower_counter_cannot_be_allowed(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.5.0.signed.bin", "app-1.3.0.signed.bin");
	b.flash.counter = 5;
	memset(b.job.allow, 1, sizeof(b.job.allow));
	bench_run(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD);
	bench_done(&b);
}

static void lower_version_with_good_counter(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.5.0.signed.bin", "app-1.4.0.signed.bin");
	refused_then_allowed(&b, BF_E_ROLLBACK, "version", BF_ALLOW_DOWNGRADE);
}

static void wrong_label_on_the_pack(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.expect_serial = "SN-0043";
	bench_run(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	bench_done(&b);
}

static void damaged_image_is_refused_before_the_interface_is_opened(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.images[0] = data_path(b.image_path, "bad-payload-bit.bin");
	bench_run(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	b.images[0] = data_path(b.image_path, "truncated-payload.bin");
	bench_again(&b);
	assert_ended(&b, BF_E_IMAGE, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void without_a_trusted_key_nothing_is_flashed(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.keys = NULL;
	bench_run(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.todo, "--key"));
	bench_done(&b);
}

static void pack_that_refuses_the_key(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.refuses_key = true;
	bench_run(&b);
	assert_ended(&b, BF_E_AUTH, BF_STATE_OLD);
	assert_int_equal(b.out.err.dev_code, 0x35);
	assert_non_null(strstr(b.out.err.next, "--auth-key"));
	bench_done(&b);
}

static void silence_names_what_was_tried(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.silent = true;
	bench_run(&b);
	assert_ended(&b, BF_E_NODEV, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "fake"));
	assert_non_null(strstr(b.out.err.cause, "25 line settings"));
	assert_int_equal(b.events[BF_EV_TRIED], 1);
	bench_done(&b);
}

static void wake_up(struct pack *pack, const char *op)
{
	(void)op;
	if (bf_now(pack->clock) > BF_SEC(20))
		pack->silent = false;
}

static void pack_is_waited_for(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.pack.silent = true;
	b.pack.at_op = wake_up;
	b.job.wait = BF_SEC(60);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(b.events[BF_EV_ALIVE] > 5);
	bench_done(&b);
}

static void absent_interface(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.iface = "absent";
	bench_run(&b);
	assert_ended(&b, BF_E_IFACE, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void unknown_protocol_lists_the_known(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.protocol = "telepathy";
	bench_run(&b);
	assert_ended(&b, BF_E_USAGE, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.todo, "fake"));
	bench_done(&b);
}

static void job_that_takes_too_long_stops_at_a_safe_place(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.timeout = BF_MS(900);
	bench_run(&b);
	assert_ended(&b, BF_E_INTERRUPTED, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.next, "--timeout 2s"));
	bench_done(&b);
}

static void chatter(struct pack *pack, const char *op)
{
	if (strcmp(op, "recognise") == 0)
		pack->transport.stats.rx_bytes += 5;
}

static void rescue_tells_replies_that_are_no_answers_from_silence(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	b.job.rescue = true;
	b.job.wait = BF_SEC(2);
	b.pack.silent = true;
	bench_run(&b);
	assert_ended(&b, BF_E_NODEV, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "nothing heard"));
	assert_non_null(strstr(b.out.err.next, "bmsflash flash"));
	b.pack.at_op = chatter;
	bench_again(&b);
	b.pack.silent = true;
	bench_run(&b);
	assert_ended(&b, BF_E_NODEV, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "bytes heard, none of them a well-formed reply"));
	assert_non_null(strstr(b.out.err.likely[0], "framing"));
	bench_done(&b);
}

static void firmware_that_cannot_be_read_needs_permission_to_be_lost(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.pack.caps &= ~(unsigned)BF_CAP_READ;
	bench_run(&b);
	assert_ended(&b, BF_E_UNSUPPORTED, BF_STATE_OLD);
	assert_int_equal(pack_calls(&b.pack, "begin") + pack_calls(&b.pack, "erase"), 0);
	assert_non_null(strstr(b.out.err.next, "--allow single-bank"));
	bench_done(&b);
}

/* Each address is asked, and silence at all of them is no pack. */
static void a_scan_finds_those_who_answer(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned silent = 0; silent < 2; silent++) {
		bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", NULL);
		b.job.kind = BF_JOB_PROBE;
		b.job.scan = true;
		b.pack.silent = silent;
		bench_run(&b);
		assert_ended(&b, silent ? BF_E_NODEV : BF_OK, BF_STATE_UNTOUCHED);
		assert_true(pack_calls(&b.pack, "recognise") > 100);
		bench_done(&b);
	}
}

static void where_a_cause_is_known_none_is_guessed(void **state)
{
	static const struct {
		enum bf_rc rc;
		bool known;
		unsigned causes;
	} rows[] = {
		{ BF_E_NAK, false, 1 },
		{ BF_E_NAK, true, 1 },
		{ BF_E_IMAGE, false, 0 },
		{ BF_E_IMAGE, true, 1 },
	};
	struct bf_job job = { .node = -1 };
	struct bf_run run = { .job = &job };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_err err;

		bf_err_init(&err);
		bf_fail(&err, rows[i].rc, "a failure");
		if (rows[i].known)
			bf_likely(&err, "its cause");
		bf_do(&err, "a step");
		bf_advise(&run, &err);
		assert_int_equal(err.n_likely, rows[i].causes);
	}
}

static void held_interface_names_its_holder(void **state)
{
	struct bench b;
	/* It took the node from the profile, this one from the command line. */
	struct bf_run other = { .given.profile.node = 0x11 };
	struct bf_job theirs;
	char spoilt[64];
	struct bf_err err;

	(void)state;
	start(&b);
	b.job.runtime_folder = b.folder;
	theirs = b.job;
	b.job.node = 0x11;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	/* The same files that a second process would meet, even one that injects faults. */
	snprintf(spoilt, sizeof(spoilt), "fault:drop=1%%,delay=1%%:5ms:%s", theirs.iface);
	theirs.iface = spoilt;
	other.job = &theirs;
	other.ports = &(const struct bf_ports){ .drivers = bf_drivers };
	bf_err_init(&err);
	assert_int_equal(bf_ph_lock(&other, &err), BF_OK);
	bench_again(&b);
	assert_ended(&b, BF_E_BUSY, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "bmsflash flash, process"));
	bf_ph_unlock(&other);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	bench_done(&b);
}

static void an_option_that_has_no_meaning_on_this_wire_is_refused_before_anything_is_sent(
	void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.bitrate = 500000;
	bench_run(&b);
	assert_ended(&b, BF_E_USAGE, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "--bitrate"));
	assert_int_equal(b.pack.ops, 0);
	bench_done(&b);
}

static unsigned strangers_asked;

static enum bf_rc open_stranger(const struct bf_proto_env *env, struct bf_proto **ret,
				struct bf_err *err)
{
	(void)env, (void)ret;
	strangers_asked++;
	return bf_fail(err, BF_E_NODEV, "nobody of that kind");
}

static void a_risky_question_is_asked_only_by_name(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.kind = BF_JOB_PROBE;
	bench_stranger = (struct bf_proto_ops){ .name = "stranger",
						.app = &bf_no_app,
						.loader = &bf_no_loader,
						.boot = &bf_no_boot,
						.wires = BF_WIRE_STREAM,
						.probe_risk = "it may reset the device",
						.open = open_stranger };
	strangers_asked = 0;
	bench_run(&b);
	assert_int_equal(strangers_asked, 0);
	assert_non_null(strstr(b.notices, "Not asked: stranger (it may reset the device)"));
	b.job.protocol = "stranger";
	bench_again(&b);
	assert_true(strangers_asked > 0);
	/* Without a risk it is asked in the order of the ranks: not before the pack answers. */
	bench_stranger.probe_risk = NULL;
	bench_stranger.probe_rank = 1000;
	b.job.protocol = NULL;
	strangers_asked = 0;
	bench_again(&b);
	assert_int_equal(strangers_asked, 0);
	bench_stranger = (struct bf_proto_ops){ 0 };
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(low_charge),
		cmocka_unit_test(high_charge),
		cmocka_unit_test(permission_for_one_side_is_none_for_the_other),
		cmocka_unit_test(cold),
		cmocka_unit_test(hot),
		cmocka_unit_test(current_flows),
		cmocka_unit_test(cells_move_between_two_readings),
		cmocka_unit_test(the_second_reading_waits_for_the_backup_and_not_a_second_longer),
		cmocka_unit_test(a_pack_that_leaves_its_firmware_is_read_twice_before),
		cmocka_unit_test(what_goes_outside_during_the_backup_is_refused_before_writing),
		cmocka_unit_test(a_dry_run_takes_both_readings),
		cmocka_unit_test(cells_lie_apart),
		cmocka_unit_test(all_that_is_outside_is_shown_and_all_permissions_named),
		cmocka_unit_test(writing_with_blocks_in_flight_pauses_too),
		cmocka_unit_test(value_that_is_not_required_may_be_unknown),
		cmocka_unit_test(required_value_may_not_be_unknown),
		cmocka_unit_test(other_hardware_is_refused_with_both_sides),
		cmocka_unit_test(image_without_hardware_and_counter),
		cmocka_unit_test(image_too_large_for_the_slot),
		cmocka_unit_test(lower_counter_cannot_be_allowed),
		cmocka_unit_test(lower_version_with_good_counter),
		cmocka_unit_test(wrong_label_on_the_pack),
		cmocka_unit_test(damaged_image_is_refused_before_the_interface_is_opened),
		cmocka_unit_test(without_a_trusted_key_nothing_is_flashed),
		cmocka_unit_test(pack_that_refuses_the_key),
		cmocka_unit_test(silence_names_what_was_tried),
		cmocka_unit_test(pack_is_waited_for),
		cmocka_unit_test(absent_interface),
		cmocka_unit_test(unknown_protocol_lists_the_known),
		cmocka_unit_test(job_that_takes_too_long_stops_at_a_safe_place),
		cmocka_unit_test(rescue_tells_replies_that_are_no_answers_from_silence),
		cmocka_unit_test(firmware_that_cannot_be_read_needs_permission_to_be_lost),
		cmocka_unit_test(a_scan_finds_those_who_answer),
		cmocka_unit_test(where_a_cause_is_known_none_is_guessed),
		cmocka_unit_test(held_interface_names_its_holder),
		cmocka_unit_test(
			an_option_that_has_no_meaning_on_this_wire_is_refused_before_anything_is_sent),
		cmocka_unit_test(a_risky_question_is_asked_only_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
