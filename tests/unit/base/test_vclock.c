/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "bmsflash/clock.h"

struct ticker {
	struct bf_vsource source;
	bf_time at[4];
	size_t next;
	bf_time seen;
};

static bf_time ticker_next(struct bf_vsource *s)
{
	struct ticker *t = BF_CONTAINER_OF(s, struct ticker, source);

	return t->next < 4 ? t->at[t->next] : BF_NEVER;
}

static void ticker_run(struct bf_vsource *s, bf_time now)
{
	struct ticker *t = BF_CONTAINER_OF(s, struct ticker, source);

	t->seen = now;
	t->next++;
}

static void waiting_jumps_to_the_earlier_of_event_and_deadline(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct ticker t = { .source = { ticker_next, ticker_run },
			    .at = { 10, 500, BF_NEVER, BF_NEVER } };

	(void)state;
	bf_vclock_attach(clock, &t.source);
	assert_int_equal(bf_clock_wait(clock, NULL, 0, 100), BF_WAIT_READY);
	assert_int_equal(bf_now(clock), 10);
	assert_int_equal(t.seen, 10);
	assert_int_equal(bf_clock_wait(clock, NULL, 0, 100), BF_WAIT_DEADLINE);
	assert_int_equal(bf_now(clock), 100);
	assert_true(bf_clock_until(clock, 600));
	assert_int_equal(t.seen, 500);
	assert_int_equal(bf_clock_wait(clock, NULL, 0, BF_NEVER), BF_WAIT_DEADLINE);
}

static void cancellation_comes_at_its_time_and_not_while_held(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();

	(void)state;
	bf_vclock_cancel_at(clock, 50);
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, 100));
	assert_true(clock->cancelled);
	bf_clock_release(clock);
	assert_false(bf_clock_until(clock, 200));
	assert_int_equal(bf_now(clock), 100);
}

static void a_request_at_the_users_clock_ends_a_wait_on_virtual_time(void **state)
{
	int fds[2];
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_clock *user;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	user = bf_clock_real_new(fds[0]);
	bf_vclock_heed(clock, user);
	assert_true(bf_clock_until(clock, 100));
	assert_int_equal(write(fds[1], "x", 1), 1);
	bf_clock_hold(clock);
	assert_true(bf_clock_until(clock, 200));
	bf_clock_release(clock);
	assert_false(bf_clock_until(clock, 300));
	assert_int_equal(bf_now(clock), 200);
	bf_clock_free(user);
	close(fds[0]);
	close(fds[1]);
}

static void the_real_clock_is_woken_by_its_cancel_descriptor(void **state)
{
	int p[2];
	struct bf_clock *clock;

	(void)state;
	assert_int_equal(pipe(p), 0);
	clock = bf_clock_real_new(p[0]);
	assert_int_equal(bf_clock_wait(clock, NULL, 0, bf_now(clock)), BF_WAIT_DEADLINE);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(bf_clock_wait(clock, NULL, 0, BF_NEVER), BF_WAIT_CANCELLED);
	bf_clock_free(clock);
	close(p[0]);
	close(p[1]);
}

static void the_real_clock_reports_ready_descriptors(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	int p[2];
	struct pollfd fd;

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	fd = (struct pollfd){ .fd = p[0], .events = POLLIN };
	assert_int_equal(bf_clock_wait(clock, &fd, 1, BF_NEVER), BF_WAIT_READY);
	assert_true(fd.revents & POLLIN);
	close(p[0]);
	close(p[1]);
}

/* Left to itself the kernel may be 50 us late, half of the error that a separation time may have. */
static void the_real_clock_wants_to_be_woken_on_time(void **state)
{
	BF_AUTO(bf_clock) *clock = NULL;

	(void)state;
	assert_int_equal(prctl(PR_SET_TIMERSLACK, 50000UL, 0UL, 0UL, 0UL), 0);
	clock = bf_clock_real_new(-1);
	assert_non_null(clock);
	assert_int_equal(prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_jumps_to_the_earlier_of_event_and_deadline),
		cmocka_unit_test(cancellation_comes_at_its_time_and_not_while_held),
		cmocka_unit_test(a_request_at_the_users_clock_ends_a_wait_on_virtual_time),
		cmocka_unit_test(the_real_clock_is_woken_by_its_cancel_descriptor),
		cmocka_unit_test(the_real_clock_reports_ready_descriptors),
		cmocka_unit_test(the_real_clock_wants_to_be_woken_on_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
