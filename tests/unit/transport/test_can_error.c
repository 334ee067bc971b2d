/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "transport/can_priv.h"

#include <linux/can.h>
#include <linux/can/error.h>

static struct can_frame error_frame(canid_t classes, uint8_t at, uint8_t value)
{
	struct can_frame f = { .can_id = CAN_ERR_FLAG | classes, .len = 8 };

	f.data[at] = value;
	return f;
}

static enum bf_can_event note(struct bf_can_health *h, canid_t classes, uint8_t at, uint8_t value,
			      bf_time now)
{
	struct can_frame f = error_frame(classes, at, value);

	return bf_can_health_note(h, &f, now);
}

static void controller_states_follow_the_error_frames(void **state)
{
	struct bf_can_health h = { .state = BF_BUS_ACTIVE };

	(void)state;
	assert_int_equal(note(&h, CAN_ERR_CRTL, 1, CAN_ERR_CRTL_TX_WARNING, 0), BF_CAN_NOTED);
	assert_int_equal(h.state, BF_BUS_WARNING);
	note(&h, CAN_ERR_CRTL, 1, CAN_ERR_CRTL_RX_PASSIVE, 0);
	assert_int_equal(h.state, BF_BUS_PASSIVE);
	note(&h, CAN_ERR_CRTL, 1, CAN_ERR_CRTL_ACTIVE, 0);
	assert_int_equal(h.state, BF_BUS_ACTIVE);
	assert_int_equal(note(&h, CAN_ERR_BUSOFF, 0, 0, 0), BF_CAN_BUS_OFF);
	assert_int_equal(h.state, BF_BUS_OFF);
	assert_int_equal(note(&h, CAN_ERR_RESTARTED, 0, 0, 0), BF_CAN_RESTARTED);
	assert_int_equal(h.state, BF_BUS_ACTIVE);
}

static void missing_acknowledgements_count_when_they_last_100_ms(void **state)
{
	struct bf_can_health h = { 0 };

	(void)state;
	assert_int_equal(note(&h, CAN_ERR_ACK, 0, 0, 0), BF_CAN_NOTED);
	assert_int_equal(note(&h, CAN_ERR_ACK, 0, 0, BF_MS(99)), BF_CAN_NOTED);
	assert_int_equal(note(&h, CAN_ERR_PROT, 3, CAN_ERR_PROT_LOC_ACK, BF_MS(100)),
			 BF_CAN_NO_ACK);
	/* A long pause in between: the frame got through, a new run begins. */
	assert_int_equal(note(&h, CAN_ERR_ACK, 0, 0, BF_SEC(5)), BF_CAN_NOTED);
	assert_int_equal(h.no_ack, 1);
}

static void a_good_frame_clears_the_suspicion(void **state)
{
	struct bf_can_health h = { 0 };
	struct bf_err err;

	(void)state;
	note(&h, CAN_ERR_ACK, 0, 0, 0);
	note(&h, CAN_ERR_PROT, 2, CAN_ERR_PROT_STUFF, 0);
	assert_int_equal(bf_can_health_explain(&h, "can0", 0, 0, &err), BF_E_LINK);
	bf_can_health_heard(&h);
	bf_err_init(&err);
	assert_int_equal(bf_can_health_explain(&h, "can0", 0, 0, &err), BF_OK);
	assert_string_equal(err.cause, "");
}

static void an_old_missing_acknowledgement_does_not_explain_silence(void **state)
{
	struct bf_can_health h = { 0 };
	struct bf_err err;

	(void)state;
	note(&h, CAN_ERR_ACK, 0, 0, 0);
	assert_int_equal(bf_can_health_explain(&h, "can0", 0, BF_SEC(2), &err), BF_OK);
}

static void each_trouble_has_its_own_words(void **state)
{
	static const struct {
		canid_t classes;
		uint8_t at, value;
		const char *words;
	} rows[] = {
		{ CAN_ERR_BUSOFF, 0, 0, "bus-off" },
		{ CAN_ERR_ACK, 0, 0, "no acknowledgement from any node on 'can0' (1 attempt)" },
		{ CAN_ERR_CRTL, 1, CAN_ERR_CRTL_TX_PASSIVE, "error-passive" },
		{ CAN_ERR_TX_TIMEOUT, 0, 0, "no acknowledgement" },
		{ CAN_ERR_PROT, 2, CAN_ERR_PROT_STUFF, "bit stuffing" },
		{ CAN_ERR_TRX, 4, CAN_ERR_TRX_CANL_SHORT_TO_CANH, "CAN_L is shorted to CAN_H" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_can_health h = { 0 };
		struct bf_err err;

		note(&h, rows[i].classes, rows[i].at, rows[i].value, 0);
		assert_int_equal(bf_can_health_explain(&h, "can0", 250000, 0, &err), BF_E_LINK);
		assert_non_null(strstr(err.cause, rows[i].words));
		assert_true(err.next[0]);
	}
}

static void lost_arbitration_and_warnings_are_no_reason_to_stop(void **state)
{
	struct bf_can_health h = { 0 };
	struct bf_err err;

	(void)state;
	note(&h, CAN_ERR_LOSTARB, 0, 12, 0);
	note(&h, CAN_ERR_CRTL, 1, CAN_ERR_CRTL_RX_WARNING, 0);
	assert_int_equal(h.lost_arbitration, 1);
	assert_int_equal(bf_can_health_explain(&h, "can0", 0, 0, &err), BF_OK);
}

static void counters_are_taken_where_the_controller_sends_them(void **state)
{
	struct bf_can_health h = { 0 };
	struct can_frame f = error_frame(CAN_ERR_CNT | CAN_ERR_CRTL, 6, 96);

	(void)state;
	f.data[7] = 7;
	bf_can_health_note(&h, &f, 0);
	assert_true(h.counted);
	assert_int_equal(h.tx_errors, 96);
	assert_int_equal(h.rx_errors, 7);
}

static void an_error_frame_reads_as_words_in_the_log(void **state)
{
	struct can_frame f = error_frame(CAN_ERR_PROT | CAN_ERR_BUSERROR, 2,
					 CAN_ERR_PROT_BIT0 | CAN_ERR_PROT_TX);
	char text[128], small[12];

	(void)state;
	assert_string_equal(bf_can_error_text(text, sizeof(text), &f),
			    "protocol violation, bus error: dominant bit not seen, while sending");
	assert_string_equal(bf_can_error_text(small, sizeof(small), &f), "protocol vi");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controller_states_follow_the_error_frames),
		cmocka_unit_test(missing_acknowledgements_count_when_they_last_100_ms),
		cmocka_unit_test(a_good_frame_clears_the_suspicion),
		cmocka_unit_test(an_old_missing_acknowledgement_does_not_explain_silence),
		cmocka_unit_test(each_trouble_has_its_own_words),
		cmocka_unit_test(lost_arbitration_and_warnings_are_no_reason_to_stop),
		cmocka_unit_test(counters_are_taken_where_the_controller_sends_them),
		cmocka_unit_test(an_error_frame_reads_as_words_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
