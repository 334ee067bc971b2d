/* SPDX-License-Identifier: MIT */
/* What ends a wait before its time, on the real clock and on the virtual one. */
#include "../unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "bmsflash/clock.h"

static void ask(const int fds[2])
{
	assert_int_equal(write(fds[1], "x", 1), 1);
}

static void a_second_request_ends_a_held_wait(void **state)
{
	int fds[2];
	struct bf_clock *clock;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	clock = bf_clock_real_new(fds[0]);
	bf_clock_hold(clock);
	ask(fds);
	assert_true(bf_clock_until(clock, bf_now(clock))); /* remembered */
	assert_true(clock->cancelled);
	assert_false(bf_clock_stopped(clock));
	do /* what comes at once after the first is the same request */
		ask(fds);
	while (bf_clock_until(clock, bf_in(clock, BF_MS(20))));
	assert_true(clock->ended);
	assert_false(bf_clock_until(clock, bf_in(clock, BF_SEC(60))));
	bf_clock_free(clock);
	close(fds[0]);
	close(fds[1]);
}

static void two_requests_at_once_are_one(void **state)
{
	int fds[2];
	struct bf_clock *clock;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	clock = bf_clock_real_new(fds[0]);
	bf_clock_hold(clock);
	ask(fds);
	ask(fds);
	assert_true(bf_clock_until(clock, bf_in(clock, BF_MS(1))));
	assert_false(clock->ended);
	assert_true(clock->cancelled);
	bf_clock_free(clock);
	close(fds[0]);
	close(fds[1]);
}

static void one_who_can_no_longer_ask_has_asked_once(void **state)
{
	int fds[2];
	struct bf_clock *clock;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	clock = bf_clock_real_new(fds[0]);
	close(fds[1]);
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, bf_in(clock, BF_MS(5))));
	assert_true(clock->cancelled);
	assert_false(clock->ended);
	bf_clock_free(clock);
	close(fds[0]);
}

static void on_virtual_time_a_second_request_comes_when_it_was_set(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	(void)state;
	bf_vclock_cancel_at(clock, BF_SEC(1));
	bf_vclock_end_at(clock, BF_SEC(3));
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, BF_SEC(2)));
	assert_false(bf_clock_until(clock, BF_SEC(10)));
	assert_int_equal(bf_now(clock), BF_SEC(3));
}

static void the_limit_of_a_run_asks_once_and_later_twice(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	(void)state;
	bf_clock_limit(clock, BF_SEC(5), BF_SEC(8));
	assert_true(bf_clock_until(clock, BF_SEC(4)));
	assert_false(bf_clock_until(clock, BF_SEC(6)));
	assert_int_equal(bf_now(clock), BF_SEC(5));
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, BF_SEC(7)));
	assert_int_equal(bf_now(clock), BF_SEC(7));
	assert_false(bf_clock_until(clock, BF_NEVER));
	assert_int_equal(bf_now(clock), BF_SEC(8));
	bf_clock_release(clock);
	assert_false(bf_clock_until(clock, BF_SEC(9)));
	assert_int_equal(bf_now(clock), BF_SEC(8));
}

static void without_a_limit_a_wait_has_its_own_deadline(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	(void)state;
	bf_clock_limit(clock, BF_SEC(1), BF_SEC(2));
	bf_clock_limit(clock, BF_NEVER, BF_NEVER);
	assert_true(bf_clock_until(clock, BF_SEC(4)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_request_ends_a_held_wait),
		cmocka_unit_test(two_requests_at_once_are_one),
		cmocka_unit_test(one_who_can_no_longer_ask_has_asked_once),
		cmocka_unit_test(on_virtual_time_a_second_request_comes_when_it_was_set),
		cmocka_unit_test(the_limit_of_a_run_asks_once_and_later_twice),
		cmocka_unit_test(without_a_limit_a_wait_has_its_own_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
