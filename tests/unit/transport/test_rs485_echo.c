/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "transport/rs485_echo.h"

static const uint8_t request[] = { 0x80, 0x10, 0xF1, 0x02, 0x3E, 0x00, 0xC1 };
static const uint8_t reply[] = { 0x80, 0xF1, 0x10, 0x01, 0x7E, 0x00 };

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bf_echo));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	bf_echo_done(*state);
	free(*state);
	return 0;
}

static bool feed(struct bf_echo *e, const uint8_t *p, size_t len)
{
	return bf_echo_feed(e, p, len);
}

static void assert_foreign(struct bf_echo *e, const uint8_t *p, size_t len)
{
	uint8_t got[256];

	assert_int_equal(bf_echo_take(e, got, sizeof(got)), len);
	assert_memory_equal(got, p, len);
}

static void make_present(struct bf_echo *e)
{
	bf_echo_sent(e, request, sizeof(request));
	assert_true(feed(e, request, sizeof(request)));
	assert_true(feed(e, reply, sizeof(reply)));
	assert_foreign(e, reply, sizeof(reply));
	assert_int_equal(e->mode, BF_ECHO_PRESENT);
}

static void an_echo_is_learned_from_the_first_exchange(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	assert_int_equal(e->removed, sizeof(request));
	assert_int_equal(e->damaged, 0);
	assert_true(e->own_heard);
}

static void bytes_may_come_one_by_one(void **state)
{
	struct bf_echo *e = *state;

	for (int round = 0; round < 3; round++) {
		bf_echo_sent(e, request, sizeof(request));
		for (size_t i = 0; i < sizeof(request); i++)
			assert_true(feed(e, &request[i], 1));
		for (size_t i = 0; i < sizeof(reply); i++)
			assert_true(feed(e, &reply[i], 1));
		assert_foreign(e, reply, sizeof(reply));
	}
	assert_int_equal(e->removed, 3 * sizeof(request));
}

static void without_echo_the_reply_passes_at_its_first_differing_byte(void **state)
{
	struct bf_echo *e = *state;

	bf_echo_sent(e, request, sizeof(request));
	assert_true(feed(e, reply, 1));
	assert_foreign(e, NULL, 0); /* 80: might still be the echo */
	assert_true(feed(e, reply + 1, 1));
	assert_foreign(e, reply, 2);
	assert_int_equal(e->mode, BF_ECHO_ABSENT);
	assert_true(feed(e, reply + 2, 1));
	assert_foreign(e, reply + 2, 1);
	assert_int_equal(e->damaged, 0);
}

static void silence_after_the_first_message_means_no_echo(void **state)
{
	struct bf_echo *e = *state;

	bf_echo_sent(e, request, sizeof(request));
	bf_echo_expire(e);
	assert_int_equal(e->mode, BF_ECHO_ABSENT);
	assert_int_equal(e->damaged, 0);
}

static void a_short_answer_that_looks_like_the_request_is_handed_on_in_the_end(void **state)
{
	struct bf_echo *e = *state;

	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, 2);
	assert_foreign(e, NULL, 0);
	bf_echo_expire(e);
	assert_foreign(e, request, 2);
}

static void an_echo_without_reply_stays_in_doubt_but_is_reported(void **state)
{
	struct bf_echo *e = *state;

	for (int i = 0; i < 3; i++) {
		bf_echo_sent(e, request, sizeof(request));
		assert_true(feed(e, request, sizeof(request)));
		bf_echo_expire(e);
		assert_foreign(e, NULL, 0);
	}
	assert_true(e->own_heard);
	assert_int_equal(e->mode, BF_ECHO_UNKNOWN);
	feed(e, reply, sizeof(reply));
	assert_foreign(e, reply, sizeof(reply));
	assert_int_equal(e->mode, BF_ECHO_PRESENT);
}

static void a_reply_that_repeats_the_request_settles_nothing(void **state)
{
	struct bf_echo *e = *state;

	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, sizeof(request));
	bf_echo_sent(e, request, sizeof(request));
	feed(e, reply, 2);
	assert_int_equal(e->mode, BF_ECHO_ABSENT);
	assert_foreign(e, reply, 2);
}

static void a_flipped_bit_in_the_echo_is_damage_and_nothing_passes(void **state)
{
	struct bf_echo *e = *state;
	uint8_t damaged[sizeof(request)];

	make_present(e);
	memcpy(damaged, request, sizeof(request));
	damaged[2] ^= 0x10;
	bf_echo_sent(e, request, sizeof(request));
	assert_false(feed(e, damaged, sizeof(damaged)));
	assert_foreign(e, NULL, 0);
	assert_int_equal(e->damaged, 1);
	bf_echo_sent(e, request, sizeof(request));
	assert_true(feed(e, request, sizeof(request)));
	assert_true(feed(e, reply, sizeof(reply)));
	assert_foreign(e, reply, sizeof(reply));
}

static void an_echo_cut_at_its_end_lets_the_reply_pass(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, 3);
	feed(e, reply, sizeof(reply));
	assert_foreign(e, reply, sizeof(reply));
	assert_int_equal(e->damaged, 1);
}

static void an_echo_that_lost_its_beginning_is_recognised_further_on(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	bf_echo_sent(e, request, sizeof(request));
	assert_true(feed(e, request + 2, sizeof(request) - 2));
	assert_true(feed(e, reply, sizeof(reply)));
	assert_foreign(e, reply, sizeof(reply));
	assert_int_equal(e->damaged, 1);
}

static void an_echo_that_stops_coming_is_given_up(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	for (int i = 0; i < 3; i++) {
		bf_echo_sent(e, request, sizeof(request));
		bf_echo_expire(e);
	}
	assert_int_equal(e->mode, BF_ECHO_ABSENT);
	assert_int_equal(e->damaged, 3);
}

static void a_damaged_first_echo_does_not_hide_the_next(void **state)
{
	struct bf_echo *e = *state;
	uint8_t damaged[sizeof(request)];
	uint8_t drop[64];

	memcpy(damaged, request, sizeof(request));
	damaged[1] ^= 1;
	bf_echo_sent(e, request, sizeof(request));
	feed(e, damaged, sizeof(damaged));
	assert_int_equal(e->mode, BF_ECHO_ABSENT);
	bf_echo_discard(e);
	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, sizeof(request));
	feed(e, reply, sizeof(reply));
	assert_int_equal(e->mode, BF_ECHO_PRESENT);
	bf_echo_take(e, drop, sizeof(drop));
	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, sizeof(request));
	feed(e, reply, sizeof(reply));
	assert_foreign(e, reply, sizeof(reply));
}

static void discarding_keeps_the_expectation_of_echo_under_way(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	bf_echo_sent(e, request, sizeof(request));
	feed(e, request, 3);
	bf_echo_discard(e);
	feed(e, request + 3, sizeof(request) - 3);
	feed(e, reply, sizeof(reply));
	assert_foreign(e, reply, sizeof(reply));
	assert_int_equal(e->damaged, 0);
}

static void two_writes_before_a_read_are_one_echo(void **state)
{
	struct bf_echo *e = *state;

	make_present(e);
	bf_echo_sent(e, request, 3);
	bf_echo_sent(e, request + 3, sizeof(request) - 3);
	feed(e, request, sizeof(request));
	feed(e, reply, sizeof(reply));
	assert_foreign(e, reply, sizeof(reply));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_echo_is_learned_from_the_first_exchange),
		T(bytes_may_come_one_by_one),
		T(without_echo_the_reply_passes_at_its_first_differing_byte),
		T(silence_after_the_first_message_means_no_echo),
		T(a_short_answer_that_looks_like_the_request_is_handed_on_in_the_end),
		T(an_echo_without_reply_stays_in_doubt_but_is_reported),
		T(a_reply_that_repeats_the_request_settles_nothing),
		T(a_flipped_bit_in_the_echo_is_damage_and_nothing_passes),
		T(an_echo_cut_at_its_end_lets_the_reply_pass),
		T(an_echo_that_lost_its_beginning_is_recognised_further_on),
		T(an_echo_that_stops_coming_is_given_up),
		T(a_damaged_first_echo_does_not_hide_the_next),
		T(discarding_keeps_the_expectation_of_echo_under_way),
		T(two_writes_before_a_read_are_one_echo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
