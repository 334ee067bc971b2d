/* SPDX-License-Identifier: MIT */
/* Ways into a bootloader by lines of this computer: a chip that writes down what is done to it stands in the place of
 * libgpiod, which no kernel of the bench has a chip for. */
#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/entry.h"
#include "bmsflash/gpio.h"
#include "fake.h"

struct bf_gpio {
	bool open;
};

static struct bf_gpio chip;
static struct bf_clock *the_clock;
static char seen[512];
static int busy_at = -1; /* number of the line that another program holds */

static void note(const char *what, size_t line, int level)
{
	size_t at = strlen(seen);

	snprintf(seen + at, sizeof(seen) - at, "%s%zu=%d@%lld;", what, line, level,
		 (long long)(bf_now(the_clock) / 1000));
}

enum bf_rc bf_gpio_open(const char *name, const char *const *lines, size_t n, struct bf_gpio **ret,
			struct bf_err *err)
{
	size_t at = strlen(seen);

	*ret = NULL;
	if (strcmp(name, "gpiochip0") != 0)
		return bf_fail(err, BF_E_IFACE, "no chip '%s'", name);
	at += (size_t)snprintf(seen + at, sizeof(seen) - at, "open");
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(seen + at, sizeof(seen) - at, " %s", lines[i]);
	snprintf(seen + at, sizeof(seen) - at, ";");
	chip.open = true;
	*ret = &chip;
	return BF_OK;
}

enum bf_rc bf_gpio_set(struct bf_gpio *g, size_t line, bool high, struct bf_err *err)
{
	assert_ptr_equal(g, &chip);
	assert_true(chip.open);
	if ((int)line == busy_at)
		return bf_fail(err, BF_E_BUSY, "line %zu is held by another program", line);
	note("", line, high);
	return BF_OK;
}

struct bf_gpio *bf_gpio_close(struct bf_gpio *g)
{
	if (g) {
		chip.open = false;
		strcat(seen, "closed");
	}
	return NULL;
}

struct desk {
	struct bf_clock *clock;
	struct fake *wire;
	struct bf_profile profile;
	struct bf_proto_env env;
	struct bf_err err;
};

static struct desk *desk_new(const char *text)
{
	struct desk *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->clock = the_clock = bf_vclock_new();
	d->wire = fake_stream_new(d->clock);
	bf_profile_default(&d->profile);
	bf_err_init(&d->err);
	if (bf_profile_parse(text, strlen(text), "test", &d->profile, &d->err))
		fail_msg("%s", d->err.cause);
	d->env = (struct bf_proto_env){ .transport = fake_transport(d->wire),
					.profile = &d->profile,
					.node = -1 };
	seen[0] = '\0';
	busy_at = -1;
	return d;
}

static void desk_free(struct desk *d)
{
	fake_free(d->wire);
	bf_clock_free(d->clock);
	free(d);
}

#define PINS "[entry]\nhow = gpio\ngpio-chip = gpiochip0\ngpio-lines = boot=17 reset=RST\n"

static void lines_move_in_the_order_and_at_the_times_of_the_profile(void **state)
{
	struct desk *d = desk_new(PINS "gpio = boot=1 reset=0 wait=100ms reset=1 wait=20ms\n");
	bf_time begun = bf_now(d->clock);

	(void)state;
	assert_int_equal(bf_entry_step(BF_ENTER_GPIO, &d->env, &d->err), BF_OK);
	assert_string_equal(seen, "open 17 RST;0=1@0;1=0@0;1=1@100;closed");
	assert_int_equal(bf_now(d->clock) - begun, BF_MS(120));
	assert_string_equal(fake_heard(d->wire), "");
	desk_free(d);
}

static void the_way_out_has_a_pattern_of_its_own(void **state)
{
	struct desk *d = desk_new(PINS "gpio = boot=1 reset=0 wait=10ms reset=1\n"
				       "gpio-leave = boot=0 reset=0 wait=10ms reset=1\n");

	(void)state;
	assert_true(bf_entry_has_leave(&d->profile.entry));
	assert_int_equal(bf_entry_leave(&d->env, &d->err), BF_OK);
	assert_string_equal(seen, "open 17 RST;0=0@0;1=0@0;1=1@10;closed");
	desk_free(d);
}

static void a_line_that_is_held_by_another_program_ends_it_and_all_are_let_go(void **state)
{
	struct desk *d = desk_new(PINS "gpio = boot=1 reset=0 wait=100ms reset=1\n");

	(void)state;
	busy_at = 1;
	assert_int_equal(bf_entry_step(BF_ENTER_GPIO, &d->env, &d->err), BF_E_BUSY);
	assert_string_equal(seen, "open 17 RST;0=1@0;closed");
	assert_string_equal(d->err.trail[0], "moving lines of 'gpiochip0'");
	desk_free(d);
}

static void a_chip_that_is_not_there_moves_nothing(void **state)
{
	struct desk *d =
		desk_new("[entry]\nhow = gpio\ngpio-chip = gpiochip9\ngpio-lines = boot=1\n"
			 "gpio = boot=1\n");

	(void)state;
	assert_int_equal(bf_entry_step(BF_ENTER_GPIO, &d->env, &d->err), BF_E_IFACE);
	assert_string_equal(seen, "");
	desk_free(d);
}

static void a_signal_between_two_moves_lets_the_lines_go(void **state)
{
	struct desk *d = desk_new(PINS "gpio = boot=1 reset=0 wait=100ms reset=1\n");

	(void)state;
	d->clock->cancelled = true;
	assert_int_equal(bf_entry_step(BF_ENTER_GPIO, &d->env, &d->err), BF_E_INTERRUPTED);
	assert_string_equal(seen, "open 17 RST;0=1@0;1=0@0;closed");
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_move_in_the_order_and_at_the_times_of_the_profile),
		cmocka_unit_test(the_way_out_has_a_pattern_of_its_own),
		cmocka_unit_test(a_line_that_is_held_by_another_program_ends_it_and_all_are_let_go),
		cmocka_unit_test(a_chip_that_is_not_there_moves_nothing),
		cmocka_unit_test(a_signal_between_two_moves_lets_the_lines_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
