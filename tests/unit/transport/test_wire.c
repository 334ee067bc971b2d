/* SPDX-License-Identifier: MIT */
/* What a kind of wire can carry at the best. */
#include "../unit.h"

#include "bmsflash/wire.h"
#include "fake.h"

static double limit_of(const struct bf_bus_report *report, uint32_t rate)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct fake *bus = fake_bus_new(clock);
	double limit;

	fake_bus_set_report(bus, report);
	limit = bf_wire_limit(fake_transport(bus), rate);
	fake_free(bus);
	return limit;
}

static void a_bus_carries_seven_bytes_a_frame_or_sixty_three_at_two_rates(void **state)
{
	struct bf_bus_report r = { .bitrate = 500000 };
	double classic = limit_of(&r, 0), fd;

	(void)state;
	assert_true(classic > 29000 && classic < 33000);
	assert_true(limit_of(&r, 1000000) > 1.9 * classic);
	r.dbitrate = 2000000; /* known of the controller, and not used */
	assert_true(limit_of(&r, 0) == classic);
	r.fd = true;
	fd = limit_of(&r, 0);
	assert_true(fd > 150000 && fd < 200000);
	r.dbitrate = 0;
	assert_true(limit_of(&r, 0) == classic);
	r = (struct bf_bus_report){ 0 };
	assert_true(limit_of(&r, 0) == 0);
}

static void a_line_has_ten_bits_a_byte_and_usb_no_limit_of_ours(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct fake *line = fake_stream_new(clock);

	(void)state;
	assert_true(bf_wire_limit(fake_transport(line), 115200) == 11520);
	assert_true(bf_wire_limit(NULL, 115200) == 0);
	fake_free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bus_carries_seven_bytes_a_frame_or_sixty_three_at_two_rates),
		cmocka_unit_test(a_line_has_ten_bits_a_byte_and_usb_no_limit_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
