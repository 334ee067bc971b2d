/* SPDX-License-Identifier: MIT */
/*
 * Every operation of a flash as the last one: the pack loses power, the line dies, the user stops, the
 * computer loses power. After each the pack must run firmware or be brought back by the same command, and
 * the last line must have told the truth.
 */
#include "pack.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void begin(struct bench *b, enum pack_kind kind)
{
	bench_init(b, kind, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b->pack.high_rate = 0; /* a plain line: the figures below are of the sequence alone */
}

/* Operations that an undisturbed flash takes. */
static unsigned length_of(enum pack_kind kind)
{
	struct bench b;
	unsigned n;

	begin(&b, kind);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	n = b.pack.ops;
	bench_done(&b);
	return n;
}

/* With power back the pack's own boot loader decides; two banks always run something. */
static void assert_runs_firmware(struct bench *b, unsigned k)
{
	pack_power_up(&b->pack);
	if (b->flash.in_loader)
		fail_msg("cut at operation %u left two banks without firmware", k);
}

static void assert_same_command_mends(struct bench *b, unsigned k)
{
	bench_again(b);
	if (b->out.rc || b->out.state != BF_STATE_NEW_PROVEN)
		fail_msg("after a cut at operation %u: %s '%s'", k, bf_rc_info(b->out.rc)->name,
			 b->out.err.cause);
}

/* What the last line claimed must hold for a pack whose power stays on. */
static void assert_truth(const struct bench *b, unsigned k)
{
	const struct pack_known *runs = pack_in_slot(&b->pack, b->flash.active);

	switch (b->out.state) {
	case BF_STATE_NEW_PROVEN:
		if (runs != &b->pack.known[1] || b->flash.trial)
			fail_msg("operation %u: claims proven new firmware", k);
		break;
	case BF_STATE_OLD:
		if (runs != &b->pack.known[0] || b->flash.in_loader)
			fail_msg("operation %u: claims old firmware", k);
		break;
	case BF_STATE_RECOVERY:
		if (!strstr(b->out.err.next, "bmsflash "))
			fail_msg("operation %u: names no command", k);
		break;
	case BF_STATE_UNTOUCHED:
		if (pack_calls(&b->pack, "erase") || pack_calls(&b->pack, "activate"))
			fail_msg("operation %u: claims that nothing was changed", k);
		break;
	case BF_STATE_UNPROVEN:
		if (pack_in_slot(&b->pack, b->flash.in_loader ? 0 : b->flash.active) !=
		    &b->pack.known[1])
			fail_msg("operation %u: claims that the new firmware is written", k);
		break;
	case BF_STATE_UNKNOWN:
		if (!b->pack.silent && !b->pack.dead)
			fail_msg(
				"operation %u: claims that nothing is known of a pack that answers",
				k);
	}
}

static void pack_loses_power_at_every_operation(void **state)
{
	unsigned n = length_of(PACK_DUAL);

	(void)state;
	for (unsigned k = 1; k <= n; k++) {
		struct bench b;

		begin(&b, PACK_DUAL);
		b.pack.die_at = k;
		bench_run(&b);
		/* After the confirmation nothing can take the new firmware away. */
		assert_true(b.out.rc != BF_OK || b.out.state == BF_STATE_NEW_PROVEN);
		assert_int_not_equal(b.out.rc, BF_E_INTERNAL);
		assert_runs_firmware(&b, k);
		assert_same_command_mends(&b, k);
		bench_done(&b);
	}
}

static void single_bank_loses_power_at_every_operation(void **state)
{
	unsigned n = length_of(PACK_SINGLE);

	(void)state;
	for (unsigned k = 1; k <= n; k++) {
		struct bench b;

		begin(&b, PACK_SINGLE);
		b.pack.die_at = k;
		bench_run(&b);
		assert_int_not_equal(b.out.rc, BF_OK);
		assert_truth(&b, k);
		pack_power_up(&b.pack);
		assert_same_command_mends(&b, k);
		bench_done(&b);
	}
}

static void takes_blocks_and_answers_none(struct pack *pack, const char *op)
{
	pack->silent = strcmp(op, "finish_block") == 0;
}

/* What was sent may be in flash. */
static void blocks_without_an_answer_are_not_called_nothing(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, PACK_SINK);
	b.job.allow[BF_ALLOW_SINGLE_BANK] = true;
	b.pack.at_op = takes_blocks_and_answers_none;
	bench_run(&b);
	assert_ended(&b, BF_E_RECOVERY, BF_STATE_RECOVERY);
	bench_done(&b);
}

static void user_stops_at_every_operation(void **state)
{
	unsigned n = length_of(PACK_DUAL);

	(void)state;
	for (unsigned k = 1; k <= n; k++) {
		struct bench b;

		begin(&b, PACK_DUAL);
		b.pack.cancel_at = k;
		bench_run(&b);
		/* Between activation and confirmation the run goes on to its end. */
		if (b.out.rc && b.out.rc != BF_E_INTERRUPTED)
			fail_msg("stopped at operation %u: %s '%s'", k, bf_rc_info(b.out.rc)->name,
				 b.out.err.cause);
		assert_truth(&b, k);
		if (b.out.rc)
			assert_same_command_mends(&b, k);
		bench_done(&b);
	}
}

static void single_bank_user_stops_at_every_operation(void **state)
{
	unsigned n = length_of(PACK_SINGLE);

	(void)state;
	for (unsigned k = 1; k <= n; k++) {
		struct bench b;

		begin(&b, PACK_SINGLE);
		b.pack.cancel_at = k;
		bench_run(&b);
		assert_truth(&b, k);
		if (b.out.rc) {
			assert_int_equal(b.out.rc, BF_E_INTERRUPTED);
			assert_same_command_mends(&b, k);
		}
		bench_done(&b);
	}
}

static void answer_is_lost_at_every_operation(void **state)
{
	static const char *const ops[] = { "connect",      "erase",     "begin",  "start",
					   "finish_block", "finish",    "check",  "activate",
					   "restart",      "await",     "state",  "confirm",
					   "measure",      "self_test", "balance" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(ops); i++) {
		struct bench b;

		begin(&b, PACK_DUAL);
		b.pack.faults[0] = (struct pack_fault){ ops[i], 1, BF_E_TIMEOUT, .after = true };
		bench_run(&b);
		assert_truth(&b, (unsigned)i);
		if (b.out.rc)
			assert_same_command_mends(&b, (unsigned)i);
		bench_done(&b);
	}
}

/* The computer's power: the process is gone between two operations, nothing is tidied up. */
struct shared {
	struct pack_flash flash;
	unsigned die_at;
};

static void vanish(struct pack *pack, const char *op)
{
	const struct shared *s = (const struct shared *)(const void *)pack->flash;

	(void)op;
	if (pack->ops == s->die_at)
		_exit(0);
}

static void run_until_gone(struct bench *b, unsigned k)
{
	struct shared *s = (struct shared *)(void *)b->pack.flash;
	pid_t pid;
	int status;

	s->die_at = k;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		b->pack.at_op = vanish;
		bench_run(b);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	s->die_at = 0;
}

static void computer_loses_power_at_every_operation(enum pack_kind kind, unsigned step)
{
	unsigned n = length_of(kind);
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(s, MAP_FAILED);
	for (unsigned k = 1; k <= n; k += step) {
		struct bench b;

		begin(&b, kind);
		s->flash = b.flash;
		b.pack.flash = &s->flash;
		run_until_gone(&b, k);
		bench_run(&b); /* the pack's power stayed on */
		if (b.out.rc || b.out.state != BF_STATE_NEW_PROVEN)
			fail_msg("computer gone at operation %u: %s '%s'", k,
				 bf_rc_info(b.out.rc)->name, b.out.err.cause);
		assert_false(s->flash.trial);
		bench_done(&b);
	}
	munmap(s, sizeof(*s));
}

/* A sample by default; BF_EXHAUSTIVE=1 for each. */
static unsigned step(void)
{
	return getenv("BF_EXHAUSTIVE") ? 1 : 5;
}

static void computer_of_two_banks_loses_power(void **state)
{
	(void)state;
	computer_loses_power_at_every_operation(PACK_DUAL, step());
}

static void computer_of_a_single_bank_loses_power(void **state)
{
	(void)state;
	computer_loses_power_at_every_operation(PACK_SINGLE, step());
}

static void an_interface_that_comes_back_is_used_again(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		begin(&b, kind ? PACK_SINGLE : PACK_DUAL);
		b.pack.faults[0] = (struct pack_fault){ "start", 30, BF_E_GONE };
		bench_run(&b);
		assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		bench_done(&b);
	}
}

static void dies_at_block_30(struct pack *pack, const char *op)
{
	pack->dead = pack->dead || (strcmp(op, "start") == 0 && pack_calls(pack, "start") == 30);
}

static void second_run_after_a_cut_sends_only_what_is_missing(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, PACK_DUAL);
	b.pack.at_op = dies_at_block_30;
	bench_run(&b);
	assert_ended(&b, BF_E_LINK, BF_STATE_UNKNOWN);
	assert_non_null(strstr(b.out.sentence, "The old firmware was not overwritten"));
	b.pack.at_op = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	/* 29000 bytes were confirmed: seven whole units of 4096 */
	assert_int_equal(b.summary.bytes_sent, 43000 - 7 * PACK_UNIT);
	assert_non_null(strstr(b.notices, "it is taken up"));
	bench_done(&b);
}

static void second_run_keeps_the_backup_of_the_first(void **state)
{
	struct bench b;
	char first[512];

	(void)state;
	begin(&b, PACK_SINGLE);
	b.pack.at_op = dies_at_block_30;
	bench_run(&b);
	assert_ended(&b, BF_E_RECOVERY, BF_STATE_RECOVERY);
	memcpy(first, b.file, sizeof(first));
	assert_non_null(strstr(b.out.err.next, "bmsflash flash "));
	b.pack.at_op = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_equal(b.events[BF_EV_FILE], 0);
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pack_loses_power_at_every_operation),
		cmocka_unit_test(single_bank_loses_power_at_every_operation),
		cmocka_unit_test(blocks_without_an_answer_are_not_called_nothing),
		cmocka_unit_test(user_stops_at_every_operation),
		cmocka_unit_test(single_bank_user_stops_at_every_operation),
		cmocka_unit_test(answer_is_lost_at_every_operation),
		cmocka_unit_test(computer_of_two_banks_loses_power),
		cmocka_unit_test(computer_of_a_single_bank_loses_power),
		cmocka_unit_test(an_interface_that_comes_back_is_used_again),
		cmocka_unit_test(second_run_after_a_cut_sends_only_what_is_missing),
		cmocka_unit_test(second_run_keeps_the_backup_of_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
