/* SPDX-License-Identifier: MIT */
/* Modes and the DFU 1.1 form; test_dfuse.c has the other. */
#include "dfu_bench.h"

enum { S_IDLE = 2, S_BUSY = 4, S_DNLOAD_IDLE = 5, S_MANIFEST = 7, S_WAIT_RESET = 8, S_ERROR = 10 };

/* ---- looking ---- */

static void descriptors_are_enough_to_recognise(void **state)
{
	BENCH(false, false);

	(void)state;
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_OK);
	connect_for(b, BF_ENTRY_LOOK);
	(void)identify(b);
	assert_string_equal(fake_heard(b->peer.usb), "");
}

static void a_device_of_another_profile_is_not_recognised(void **state)
{
	BENCH(false, false);

	(void)state;
	b->profile.usb_vid = 0x0483;
	b->profile.usb_pid = 0xDF11;
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_E_NODEV);
	assert_non_null(strstr(b->err.cause, "0483:5740"));
}

static void a_device_without_dfu_is_not_recognised(void **state)
{
	BENCH(false, false);
	struct bf_usb_device d = b->peer.device;

	(void)state;
	d.config_len = 9;
	fake_usb_set_device(b->peer.usb, &d);
	wanted(b, b->proto->ops->recognise(b->proto, 0, &b->err), BF_E_NODEV);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_UNSUPPORTED);
	assert_true(b->err.next[0]);
	assert_int_equal(identify(b).caps, 0);
}

static void the_running_version_is_the_device_release(void **state)
{
	BENCH(false, false);
	struct bf_ident id = identify(b);

	(void)state;
	assert_string_equal(id.version_text, "1.5.0");
	assert_true(id.has_version && !id.in_bootloader);
	assert_string_equal(id.serial, "SN123");
	assert_string_equal(id.model, "Pack 16S");
	assert_string_equal(id.hw_rev, "0483:5740");
	assert_false(id.has_vid || id.has_cid); /* strings prove no hardware */
	assert_int_equal(id.caps, BF_CAP_SINK | BF_CAP_READ);
}

static void release_digits_are_decimal(void **state)
{
	struct bf_version v;

	(void)state;
	assert_true(bf_dfu_bcd_version(0x1203, &v));
	assert_int_equal(v.major, 12);
	assert_int_equal(v.minor, 0);
	assert_int_equal(v.revision, 3);
	assert_false(bf_dfu_bcd_version(0x01A0, &v));
	assert_false(bf_dfu_bcd_version(0xF000, &v));
}

static void a_loader_does_not_say_what_the_application_is(void **state)
{
	BENCH(false, true);
	struct bf_ident id = identify(b);

	(void)state;
	assert_true(id.in_bootloader);
	assert_false(id.has_version);
	assert_string_equal(id.loader, "DFU 1.1, release 22.00");
	assert_int_equal(id.piece_max, 1024);
	assert_int_equal(id.n_regions, 2);
	assert_string_equal(id.regions[0].name, "Firmware");
}

static void slots_of_the_profile_are_told_as_capabilities(void **state)
{
	BENCH(false, true);

	(void)state;
	b->profile.n_regions = 2;
	b->profile.regions[0] = (struct bf_region){ .kind = BF_REGION_SLOT, .size = 4096 };
	b->profile.regions[1] = (struct bf_region){ .kind = BF_REGION_SLOT, .size = 4096 };
	assert_int_equal(identify(b).caps,
			 BF_CAP_SINK | BF_CAP_READ | BF_CAP_MCUBOOT | BF_CAP_DUAL_BANK);
}

/* ---- entering ---- */

static void a_device_that_detaches_by_itself_is_waited_for(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes |= BF_DFU_WILL_DETACH;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_non_null(strstr(fake_heard(b->peer.usb), "210000FF0000:\n"));
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
	assert_int_equal(bf_now(b->clock), BF_MS(300));
	assert_true(identify(b).in_bootloader);
}

static void a_device_that_does_not_is_reset(void **state)
{
	BENCH(false, false);

	(void)state;
	connect_for(b, BF_ENTRY_READ);
	assert_int_equal(fake_usb_resets(b->peer.usb), 1);
	assert_true(identify(b).in_bootloader);
}

static void a_detach_that_is_not_acted_upon_is_told(void **state)
{
	BENCH(false, false);

	(void)state;
	fake_on(b->peer.usb, "2100*", "", 0);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_LINK);
	assert_non_null(strstr(b->err.cause, "not in its boot loader"));
}

static void an_error_left_from_before_is_cleared(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_ERROR;
	b->peer.status = 0x0A;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_clears, 1);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_download_left_half_way_is_aborted(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_DNLOAD_IDLE;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_aborts, 1);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_device_that_waits_for_a_reset_gets_it(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.state = S_WAIT_RESET;
	fake_once(b->peer.usb, "A103*", "00 000000 08 00", 0);
	b->peer.state = S_IDLE;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(fake_usb_resets(b->peer.usb), 1);
}

static void a_stuck_device_is_told_with_its_state(void **state)
{
	BENCH(false, true);

	(void)state;
	fake_on(b->peer.usb, "A103*", "00 000000 05 00", 0);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_LINK);
	assert_non_null(strstr(b->err.cause, "dfuDNLOAD-IDLE"));
	assert_true(b->err.next[0]);
}

/* ---- downloading ---- */

static void a_download_arrives_block_by_block(void **state)
{
	BENCH(false, true);
	uint8_t data[3000];

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_blocks, 3);
	assert_int_equal(b->peer.len, sizeof(data));
	assert_memory_equal(b->peer.mem, data, sizeof(data));
	assert_non_null(strstr(fake_heard(b->peer.usb), "210100030000:\n"));
	assert_int_equal(b->peer.state, S_IDLE);
	/* Three blocks and the manifestation were busy once each. */
	assert_int_equal(bf_now(b->clock), BF_MS(4 * 7));
	assert_int_equal(b->peer.impatient, 0);
}

static void a_second_download_begins_with_block_zero_again(void **state)
{
	BENCH(false, true);
	uint8_t data[2048];

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.len, sizeof(data));
}

static void block_numbers_wrap_to_zero(void **state)
{
	BENCH(false, true);
	uint8_t data[3];
	struct bf_flow flow;

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, 0, sizeof(data), &flow), BF_OK);
	bf_dfu_of(b->proto)->write.block = 0xFFFF;
	fake_once(b->peer.usb, "2101 FFFF*", "", 0);
	fake_once(b->peer.usb, "2101 0000*", "", 0);
	fake_on(b->peer.usb, "A103*", "00 000000 05 00", 0);
	wanted(b, pieces(b, data, 2, 1), BF_OK);
	assert_int_equal(fake_unused(b->peer.usb), 0);
}

static void a_long_wait_shows_signs_of_life(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.poll_ms = 0x010000; /* all 24 bits count: 65.5 s */
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(bf_now(b->clock), 2 * BF_MS(65536));
	assert_true(b->alive >= 2 * 65);
}

static void a_lost_status_is_asked_for_again(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 1 };

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	fake_once(b->peer.usb, "A103*", "timeout", 0);
	fake_once(b->peer.usb, "A103*", "stall", 0);
	fake_once(b->peer.usb, "A103*", "00 00", 0);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(fake_unused(b->peer.usb), 0);
	assert_int_equal(b->retry.repeats[BF_RETRY_IDEMPOTENT], 3);
	assert_int_equal(b->peer.n_blocks, 1);
}

static void a_block_whose_answer_was_lost_is_not_sent_twice(void **state)
{
	BENCH(false, true);
	uint8_t data[2500];

	(void)state;
	pattern(data, sizeof(data));
	b->peer.lose_answer_at = 2;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_blocks, 3);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void a_block_that_was_lost_restarts_the_stream(void **state)
{
	BENCH(false, true);
	uint8_t data[2500];

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	fake_once(b->peer.usb, "2101 0001*", "timeout", 0);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_RESTART);
	b->proto->ops->abandon(b->proto);
	assert_int_equal(b->peer.state, S_IDLE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void a_transfer_that_the_device_dropped_restarts(void **state)
{
	BENCH(false, true);
	uint8_t data[2500] = { 0 };

	(void)state;
	b->peer.drop_at = 2;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_RESTART);
	assert_non_null(strstr(b->err.cause, "dfuIDLE"));
}

static void every_status_is_named_with_what_to_do(void **state)
{
	(void)state;
	for (uint8_t code = 1; code <= 0x0F; code++) {
		BENCH(false, true);
		uint8_t data[1500] = { 0 };
		const struct bf_refusal *row = bf_refusal_find(b->proto->ops, code);

		assert_non_null(row);
		assert_true(row->text[0] && row->next[0]);
		b->peer.fail_at = 2;
		b->peer.fail_status = code;
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
		assert_true(b->err.dev_refused);
		assert_int_equal(b->err.dev_code, code);
		assert_string_equal(b->err.dev_name, row->name);
		assert_string_equal(b->err.next, row->next);
		assert_int_equal(b->peer.state, S_IDLE);
	}
}

static void the_device_may_explain_itself_in_its_own_words(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.fail_at = 1;
	b->peer.fail_status = 0x0B;
	b->peer.string = 3;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
	assert_non_null(strstr(b->err.cause, "battery too low"));
}

static void an_unknown_status_is_told_as_a_number(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.fail_at = 1;
	b->peer.fail_status = 0x77;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
	assert_non_null(strstr(b->err.cause, "0x77"));
}

static void cancelling_while_the_device_is_busy_leaves_it_idle(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.poll_ms = 3000;
	connect_for(b, BF_ENTRY_WRITE);
	bf_vclock_cancel_at(b->clock, BF_MS(1000));
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_INTERRUPTED);
	b->proto->ops->abandon(b->proto);
	assert_int_equal(b->peer.state, S_IDLE);
}

/* ---- manifestation and after ---- */

static void a_device_that_goes_during_manifestation_is_a_success(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	b->peer.gone_in_manifest = true;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	fake_forget(b->peer.usb);
	wanted(b, b->proto->ops->restart(b->proto, &b->err), BF_OK);
	assert_string_equal(fake_heard(b->peer.usb), "");
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
}

static void silence_during_manifestation_is_a_success_unless_tolerant(void **state)
{
	(void)state;
	for (unsigned tolerant = 0; tolerant <= BF_DFU_TOLERANT; tolerant += BF_DFU_TOLERANT) {
		BENCH(false, true);
		uint8_t data[10] = { 0 };
		struct bf_flow flow;

		b->peer.attributes = (uint8_t)(1 | tolerant);
		peer_show(&b->peer);
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, begin(b, 0, 10, &flow), BF_OK);
		wanted(b, pieces(b, data, 10, 10), BF_OK);
		fake_on(b->peer.usb, "A103*", "timeout", 0);
		wanted(b, b->proto->ops->finish(b->proto, &b->err),
		       tolerant ? BF_E_TIMEOUT : BF_OK);
	}
}

static void a_failed_manifestation_is_told(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.fail_manifest = 0x07;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
	assert_string_equal(b->err.dev_name, "errVERIFY");
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_restart_resets_and_follows_the_device(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };
	struct bf_ident id;

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.state, S_WAIT_RESET);
	b->peer.loader = false;
	peer_show(&b->peer);
	fake_usb_leave(b->peer.usb, &b->peer.device, BF_SEC(2));
	fake_gone_at(b->peer.usb, BF_NEVER);
	wanted(b, b->proto->ops->restart(b->proto, &b->err), BF_OK);
	wanted(b, b->proto->ops->await(b->proto, BF_SEC(10), &b->err), BF_OK);
	id = identify(b);
	assert_false(id.in_bootloader);
	assert_string_equal(id.version_text, "1.5.0");
}

static void a_device_that_never_comes_back_is_told(void **state)
{
	BENCH(false, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->restart(b->proto, &b->err), BF_OK);
	fake_usb_leave(b->peer.usb, NULL, BF_NEVER);
	wanted(b, b->proto->ops->await(b->proto, BF_SEC(10), &b->err), BF_E_TIMEOUT);
}

/* ---- uploading ---- */

static void the_size_of_the_firmware_is_found_by_reading_it(void **state)
{
	BENCH(false, true);
	struct bf_ident id;
	uint8_t got[1500];

	(void)state;
	b->peer.len = 2500;
	pattern(b->peer.mem, 2500);
	assert_int_equal(identify(b).regions[0].size, 0);
	connect_for(b, BF_ENTRY_READ);
	id = identify(b);
	assert_int_equal(id.regions[0].size, 2500);
	connect_for(b, BF_ENTRY_READ);
	wanted(b, b->proto->ops->read(b->proto, &id.regions[0], 1000, got, 1500, &b->err), BF_OK);
	assert_memory_equal(got, b->peer.mem + 1000, 1500);
	wanted(b, b->proto->ops->read(b->proto, &id.regions[0], 1001, got, 1500, &b->err),
	       BF_E_UNSUPPORTED);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void an_upload_of_whole_blocks_ends_with_an_empty_one(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.len = 2048;
	connect_for(b, BF_ENTRY_READ);
	assert_int_equal(identify(b).regions[0].size, 2048);
}

static void a_lost_upload_block_begins_the_stream_anew(void **state)
{
	BENCH(false, true);
	uint8_t got[2500];
	const struct bf_region r = { .size = 2500 };

	(void)state;
	b->peer.len = 2500;
	pattern(b->peer.mem, 2500);
	connect_for(b, BF_ENTRY_READ);
	fake_once(b->peer.usb, "A102 0001*", "timeout", 0);
	wanted(b, b->proto->ops->read(b->proto, &r, 0, got, 2500, &b->err), BF_OK);
	assert_memory_equal(got, b->peer.mem, 2500);
}

static void what_was_read_before_a_download_is_not_believed_after(void **state)
{
	BENCH(false, true);
	uint8_t data[100], got[100];
	const struct bf_region r = { .size = 100 };

	(void)state;
	pattern(data, sizeof(data));
	b->peer.len = 100;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->read(b->proto, &r, 0, got, 100, &b->err), BF_OK);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	wanted(b, b->proto->ops->read(b->proto, &r, 0, got, 100, &b->err), BF_OK);
	assert_memory_equal(got, data, 100);
}

static void a_download_ends_an_upload_that_is_half_way(void **state)
{
	BENCH(false, true);
	uint8_t data[100], got[10];
	const struct bf_region r = { .size = 2500 };

	(void)state;
	pattern(data, sizeof(data));
	b->peer.len = 2500;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->read(b->proto, &r, 0, got, 10, &b->err), BF_OK);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void reading_needs_the_attribute(void **state)
{
	BENCH(false, true);
	const struct bf_region r = { .size = 100 };
	uint8_t got[10];

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(identify(b).caps, BF_CAP_SINK);
	assert_int_equal(identify(b).regions[0].access, BF_ACCESS_WRITE);
	wanted(b, b->proto->ops->read(b->proto, &r, 0, got, 10, &b->err), BF_E_UNSUPPORTED);
}

/* ---- leaving ---- */

static void an_application_that_was_sent_away_is_brought_back(void **state)
{
	BENCH(false, false);

	(void)state;
	connect_for(b, BF_ENTRY_READ);
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 2); /* in, and out again */
}

static void a_loader_that_was_found_is_left_there_in_idle(void **state)
{
	BENCH(false, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	b->peer.state = S_DNLOAD_IDLE;
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
	assert_int_equal(b->peer.state, S_IDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_enough_to_recognise),
		cmocka_unit_test(a_device_of_another_profile_is_not_recognised),
		cmocka_unit_test(a_device_without_dfu_is_not_recognised),
		cmocka_unit_test(the_running_version_is_the_device_release),
		cmocka_unit_test(release_digits_are_decimal),
		cmocka_unit_test(a_loader_does_not_say_what_the_application_is),
		cmocka_unit_test(slots_of_the_profile_are_told_as_capabilities),
		cmocka_unit_test(a_device_that_detaches_by_itself_is_waited_for),
		cmocka_unit_test(a_device_that_does_not_is_reset),
		cmocka_unit_test(a_detach_that_is_not_acted_upon_is_told),
		cmocka_unit_test(an_error_left_from_before_is_cleared),
		cmocka_unit_test(a_download_left_half_way_is_aborted),
		cmocka_unit_test(a_device_that_waits_for_a_reset_gets_it),
		cmocka_unit_test(a_stuck_device_is_told_with_its_state),
		cmocka_unit_test(a_download_arrives_block_by_block),
		cmocka_unit_test(a_second_download_begins_with_block_zero_again),
		cmocka_unit_test(block_numbers_wrap_to_zero),
		cmocka_unit_test(a_long_wait_shows_signs_of_life),
		cmocka_unit_test(a_lost_status_is_asked_for_again),
		cmocka_unit_test(a_block_whose_answer_was_lost_is_not_sent_twice),
		cmocka_unit_test(a_block_that_was_lost_restarts_the_stream),
		cmocka_unit_test(a_transfer_that_the_device_dropped_restarts),
		cmocka_unit_test(every_status_is_named_with_what_to_do),
		cmocka_unit_test(the_device_may_explain_itself_in_its_own_words),
		cmocka_unit_test(an_unknown_status_is_told_as_a_number),
		cmocka_unit_test(cancelling_while_the_device_is_busy_leaves_it_idle),
		cmocka_unit_test(a_device_that_goes_during_manifestation_is_a_success),
		cmocka_unit_test(silence_during_manifestation_is_a_success_unless_tolerant),
		cmocka_unit_test(a_failed_manifestation_is_told),
		cmocka_unit_test(a_restart_resets_and_follows_the_device),
		cmocka_unit_test(a_device_that_never_comes_back_is_told),
		cmocka_unit_test(the_size_of_the_firmware_is_found_by_reading_it),
		cmocka_unit_test(an_upload_of_whole_blocks_ends_with_an_empty_one),
		cmocka_unit_test(a_lost_upload_block_begins_the_stream_anew),
		cmocka_unit_test(what_was_read_before_a_download_is_not_believed_after),
		cmocka_unit_test(a_download_ends_an_upload_that_is_half_way),
		cmocka_unit_test(reading_needs_the_attribute),
		cmocka_unit_test(an_application_that_was_sent_away_is_brought_back),
		cmocka_unit_test(a_loader_that_was_found_is_left_there_in_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
