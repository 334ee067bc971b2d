/* SPDX-License-Identifier: MIT */
/* Downloads in the DFU 1.1 form, and what follows them. */
#include "dfu_bench.h"

enum { S_IDLE = 2, S_WAIT_RESET = 8 };

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
	wanted(b, blocks(b, data, 2, 1), BF_OK);
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
	b->proto->ops->loader->abandon(b->proto);
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
		assert_string_equal(b->err.todo, row->next);
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
	b->proto->ops->loader->abandon(b->proto);
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
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_string_equal(fake_heard(b->peer.usb), "");
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
}

static void silence_during_manifestation_is_a_restart_tolerant_or_not(void **state)
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
		wanted(b, blocks(b, data, 10, 10), BF_OK);
		fake_on(b->peer.usb, "A103*", "timeout", 0);
		wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_OK);
		assert_true(bf_now(b->clock) <= BF_SEC(3));
	}
}

/* Many put the firmware in place only when they are asked. */
static void a_question_that_is_lost_after_the_end_is_asked_again(void **state)
{
	static const char *const losses[] = { "timeout", "00" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(losses); i++) {
		BENCH(false, true);
		uint8_t data[10] = { 0 };
		struct bf_flow flow;

		b->peer.attributes = 1 | BF_DFU_TOLERANT;
		peer_show(&b->peer);
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, begin(b, 0, 10, &flow), BF_OK);
		wanted(b, blocks(b, data, 10, 10), BF_OK);
		fake_once(b->peer.usb, "A103*", losses[i], 0);
		wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_OK);
		assert_int_equal(b->peer.state, S_IDLE);
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
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	wanted(b, b->proto->ops->await(b->proto, BF_SEC(10), &b->err), BF_OK);
	id = identify(b);
	assert_false(id.in_bootloader);
	assert_string_equal(id.version_text, "1.5.0");
}

static void a_device_that_never_comes_back_is_told(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.reset_leaves = true;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	fake_usb_leave(b->peer.usb, NULL, BF_NEVER);
	wanted(b, b->proto->ops->await(b->proto, BF_SEC(10), &b->err), BF_E_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(silence_during_manifestation_is_a_restart_tolerant_or_not),
		cmocka_unit_test(a_question_that_is_lost_after_the_end_is_asked_again),
		cmocka_unit_test(a_failed_manifestation_is_told),
		cmocka_unit_test(a_restart_resets_and_follows_the_device),
		cmocka_unit_test(a_device_that_never_comes_back_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
