/* SPDX-License-Identifier: MIT */
/* The USB transport over a bus on virtual time. */
#include "fake_usb.h"

#include <stdio.h>

struct rig {
	struct bf_clock *clock;
	struct fake_usb *bus;
	struct bf_transport *t;
	const struct bf_usb_ops *usb;
	struct bf_err err;
	bool freed;
};

static const struct bf_usb_seen app = { .vid = 0x1234,
					.pid = 0x0001,
					.bus = 1,
					.address = 5,
					.path = "1-2.4",
					.serial = "PACK7",
					.product = "BMS",
					.dfu = BF_USB_DFU_RUNTIME };

static struct bf_usb_seen loader_at(const char *path, uint8_t address)
{
	struct bf_usb_seen s = app;

	s.pid = 0x0002;
	s.address = address;
	s.dfu = BF_USB_DFU_MODE;
	snprintf(s.path, sizeof(s.path), "%s", path);
	return s;
}

static void add_scene(struct fake_usb *f, bf_time from, size_t n, struct bf_usb_seen a,
		      struct bf_usb_seen b)
{
	f->scenes[f->n_scenes++] = (struct fake_scene){ from, n, { a, b } };
}

static void add_answer(struct rig *r, struct fake_answer a)
{
	r->bus->answers[r->bus->n_answers++] = a;
}

static int rig_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct bf_open_env env = { 0 };

	assert_non_null(r);
	r->clock = bf_vclock_new();
	r->bus = fake_usb_new(r->clock, &r->freed);
	add_scene(r->bus, 0, 1, app, app);
	env.clock = r->clock;
	assert_int_equal(bf_usb_open(&r->bus->host, &env, "usb", &r->t, &r->err), BF_OK);
	r->usb = r->t->ops->usb;
	*state = r;
	return 0;
}

static int rig_down(void **state)
{
	struct rig *r = *state;

	bf_transport_close(r->t);
	assert_true(r->freed);
	bf_clock_free(r->clock);
	free(r);
	return 0;
}

static void the_open_device_is_named_by_its_port(void **state)
{
	struct rig *r = *state;
	struct bf_usb_device d;

	assert_string_equal(r->t->name, "usb@1-2.4");
	assert_int_equal(r->usb->device(r->t, &d, &r->err), BF_OK);
	assert_int_equal(d.vid, 0x1234);
	assert_int_equal(d.address, 5);
	assert_string_equal(d.serial, "PACK7");
	assert_string_equal(d.port_path, "1-2.4");
	assert_int_equal(d.config_len, 9);
	assert_int_equal(d.config[1], 2);
}

static void a_failed_open_frees_the_host(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct bf_open_env env = { .clock = clock };
	static const char *const addresses[] = { "usb:zz", "usb:ffff:ffff", "usb" };
	struct bf_transport *t;
	struct bf_err err;
	bool freed;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(addresses); i++) {
		struct fake_usb *f = fake_usb_new(clock, &freed);

		add_scene(f, 0, 1, app, app);
		f->denied_until = BF_NEVER;
		assert_int_not_equal(bf_usb_open(&f->host, &env, addresses[i], &t, &err), BF_OK);
		assert_true(freed);
	}
	/* The last one was there, and not ours to open. */
	assert_int_equal(err.rc, BF_E_IFACE);
	assert_non_null(strstr(err.cause, "/dev/bus/usb/001/005"));
	assert_non_null(strstr(err.next, "ATTR{idVendor}==\"1234\""));
	assert_non_null(strstr(err.next, "sudo udevadm trigger"));
}

static void a_control_request_out_carries_setup_and_data(void **state)
{
	static const uint8_t expected[] = { 0x21, 1, 2, 0, 3, 0, 4, 0, 'a', 'b', 'c', 'd' };
	const struct bf_usb_setup setup = { 0x21, 1, 2, 3 };
	struct rig *r = *state;
	uint8_t data[] = "abcd";
	size_t len;

	add_answer(r, (struct fake_answer){ .after = BF_MS(2), .moved = 4 });
	assert_int_equal(r->usb->control(r->t, &setup, data, 4, &len, BF_SEC(1), &r->err), BF_OK);
	assert_int_equal(len, 4);
	assert_int_equal(r->bus->endpoint, 0);
	assert_int_equal(r->bus->sent_len, sizeof(expected));
	assert_memory_equal(r->bus->sent, expected, sizeof(expected));
	assert_int_equal(bf_now(r->clock), BF_MS(2));
	assert_int_equal(r->t->stats.tx_bytes, 4);
	assert_int_equal(r->t->stats.waited_us, BF_MS(2));
}

static void a_control_request_in_may_be_short(void **state)
{
	const struct bf_usb_setup setup = { 0xA1, 3, 0, 0 };
	struct rig *r = *state;
	uint8_t data[6];
	size_t len;

	add_answer(r, (struct fake_answer){ .moved = 3, .data = { 7, 8, 9 } });
	assert_int_equal(r->usb->control(r->t, &setup, data, 6, &len, BF_SEC(1), &r->err), BF_OK);
	assert_int_equal(len, 3);
	assert_memory_equal(data, "\x07\x08\x09", 3);
	assert_int_equal(r->t->stats.rx_bytes, 3);
}

static void each_end_has_its_code_and_words(void **state)
{
	static const struct {
		enum bf_usb_end end;
		enum bf_rc rc;
		const char *words;
	} rows[] = {
		{ BF_USB_STALL, BF_E_NAK, "stalled control request 0x03" },
		{ BF_USB_GONE, BF_E_GONE, "disappeared during control request 0x03" },
		{ BF_USB_OVERFLOW, BF_E_LINK, "more than was asked for" },
		{ BF_USB_DAMAGED, BF_E_LINK, "failed on the wire" },
	};
	const struct bf_usb_setup setup = { 0xA1, 3, 0, 0 };
	struct rig *r = *state;
	uint8_t data[6];
	size_t len = 99;

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		add_answer(r, (struct fake_answer){ .end = rows[i].end });
		assert_int_equal(r->usb->control(r->t, &setup, data, 6, &len, BF_SEC(1), &r->err),
				 rows[i].rc);
		assert_non_null(strstr(r->err.cause, rows[i].words));
		assert_int_equal(len, 99);
	}
	assert_int_equal(r->t->stats.line_errors, 2);
}

static void a_stall_is_the_devices_own_answer(void **state)
{
	const struct bf_usb_setup setup = { 0x21, 1, 0, 0 };
	struct rig *r = *state;
	size_t len;

	add_answer(r, (struct fake_answer){ .end = BF_USB_STALL });
	r->usb->control(r->t, &setup, NULL, 0, &len, BF_SEC(1), &r->err);
	assert_true(r->err.dev_refused);
	assert_string_equal(r->err.dev_name, "stall");
}

static void a_transfer_is_taken_back_at_the_deadline(void **state)
{
	struct rig *r = *state;
	uint8_t data[8];
	size_t len;

	add_answer(r, (struct fake_answer){ .after = BF_SEC(9) });
	assert_int_equal(r->usb->bulk(r->t, 0x81, data, 8, &len, BF_MS(300), &r->err),
			 BF_E_TIMEOUT);
	assert_int_equal(bf_now(r->clock), BF_MS(300));
	assert_int_equal(r->bus->leaked, 0);
}

static void what_was_carried_out_while_being_taken_back_counts(void **state)
{
	struct rig *r = *state;
	uint8_t data[8];
	size_t len;

	add_answer(r, (struct fake_answer){ .after = BF_SEC(9),
					    .moved = 2,
					    .data = "hi",
					    .ends_on_cancel_as_done = true });
	assert_int_equal(r->usb->bulk(r->t, 0x81, data, 8, &len, BF_MS(300), &r->err), BF_OK);
	assert_int_equal(len, 2);
	assert_memory_equal(data, "hi", 2);
}

static void a_transfer_that_cannot_be_taken_back_is_left_behind(void **state)
{
	struct rig *r = *state;
	uint8_t data[8];
	size_t len;

	add_answer(r, (struct fake_answer){ .never = true });
	assert_int_equal(r->usb->bulk(r->t, 0x81, data, 8, &len, BF_MS(300), &r->err),
			 BF_E_TIMEOUT);
	assert_int_equal(bf_now(r->clock), BF_MS(1300));
	assert_int_equal(r->bus->leaked, 1);
	r->bus->job = NULL;
}

static void the_user_can_stop_a_transfer(void **state)
{
	struct rig *r = *state;
	uint8_t data[8];
	size_t len;

	add_answer(r, (struct fake_answer){ .after = BF_SEC(9) });
	bf_vclock_cancel_at(r->clock, BF_MS(40));
	assert_int_equal(r->usb->bulk(r->t, 0x02, data, 8, &len, BF_SEC(5), &r->err),
			 BF_E_INTERRUPTED);
	assert_int_equal(r->bus->leaked, 0);
	assert_int_equal(r->clock->held, 0);
}

static void claiming_names_what_is_missing(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->usb->claim(r->t, 2, 1, &r->err), BF_OK);
	assert_int_equal(r->bus->claimed[0], 2);
	assert_int_equal(r->bus->claimed[1], 1);
	r->bus->claim_end = BF_USB_ABSENT;
	assert_int_equal(r->usb->claim(r->t, 2, 1, &r->err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(r->err.cause, "interface 2, alternate setting 1"));
	r->bus->claim_end = BF_USB_BUSY;
	assert_int_equal(r->usb->claim(r->t, 2, 1, &r->err), BF_E_BUSY);
}

static void a_string_is_asked_for_in_the_devices_first_language(void **state)
{
	struct rig *r = *state;
	char text[16];

	add_answer(r, (struct fake_answer){ .moved = 4, .data = { 4, 3, 0x07, 0x04 } });
	add_answer(r, (struct fake_answer){ .moved = 6, .data = { 6, 3, 'B', 0, 0xFC, 0 } });
	assert_int_equal(r->usb->string(r->t, 5, text, sizeof(text), BF_SEC(1), &r->err), BF_OK);
	assert_string_equal(text, "B\xC3\xBC");
	assert_memory_equal(r->bus->sent, "\x80\x06\x05\x03\x07\x04\xff\x00", 8);
	assert_int_equal(r->usb->string(r->t, 0, text, sizeof(text), BF_SEC(1), &r->err), BF_OK);
	assert_string_equal(text, "");
}

static void a_device_without_a_language_list_is_asked_in_english(void **state)
{
	struct rig *r = *state;
	char text[16];

	add_answer(r, (struct fake_answer){ .end = BF_USB_STALL });
	add_answer(r, (struct fake_answer){ .moved = 3, .data = { 4, 3, 'x' } });
	assert_int_equal(r->usb->string(r->t, 5, text, sizeof(text), BF_SEC(1), &r->err), BF_OK);
	assert_string_equal(text, ""); /* shorter than it says: whole characters count */
	assert_memory_equal(r->bus->sent + 4, "\x09\x04", 2);
}

/* ---- going and coming back ---- */

static void a_device_that_comes_back_on_its_port_is_followed(void **state)
{
	struct rig *r = *state;
	struct bf_usb_device d;

	add_scene(r->bus, BF_MS(90), 0, app, app);
	add_scene(r->bus, BF_MS(700), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_in_range(bf_now(r->clock), BF_MS(700), BF_MS(720));
	assert_int_equal(r->usb->device(r->t, &d, &r->err), BF_OK);
	assert_int_equal(d.pid, 2);
	assert_int_equal(d.address, 6);
	assert_int_equal(r->t->stats.reopened, 1);
	assert_int_equal(r->bus->shuts, 1);
}

/* The kernel shows it first and configures it later: without interfaces it would look like a device that has no
 * boot loader. */
static void a_device_is_not_back_before_it_is_configured(void **state)
{
	struct bf_usb_seen bare = loader_at("1-2.4", 6);
	struct rig *r = *state;

	bare.bare = true;
	add_scene(r->bus, BF_MS(90), 0, app, app);
	add_scene(r->bus, BF_MS(400), 1, bare, app);
	add_scene(r->bus, BF_MS(600), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_in_range(bf_now(r->clock), BF_MS(600), BF_MS(620));
}

static void a_device_that_came_back_between_two_looks_is_followed(void **state)
{
	struct rig *r = *state;

	add_scene(r->bus, BF_MS(1), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_int_equal(r->bus->opened.address, 6);
}

static void a_device_on_another_port_is_known_by_its_serial_number(void **state)
{
	struct rig *r = *state;

	add_scene(r->bus, BF_MS(50), 0, app, app);
	add_scene(r->bus, BF_MS(300), 1, loader_at("1-3", 9), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_string_equal(r->t->name, "usb@1-3");
}

static void another_pack_does_not_stand_in(void **state)
{
	struct bf_usb_seen other = loader_at("1-3", 9);
	struct rig *r = *state;

	snprintf(other.serial, sizeof(other.serial), "PACK8");
	add_scene(r->bus, BF_MS(50), 1, other, app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(2), &r->err), BF_E_TIMEOUT);
	assert_int_equal(bf_now(r->clock), BF_SEC(2));
	assert_non_null(strstr(r->err.cause, "did not come back"));
	assert_int_equal(r->err.n_trail, 1);
}

static void a_device_that_never_leaves_is_a_timeout(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->usb->reopen(r->t, BF_SEC(2), &r->err), BF_E_TIMEOUT);
	assert_non_null(strstr(r->err.cause, "leaving the bus"));
}

static void a_reset_that_changes_nothing_is_a_return(void **state)
{
	struct rig *r = *state;

	assert_int_equal(r->usb->reset(r->t, BF_SEC(1), &r->err), BF_OK);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_in_range(bf_now(r->clock), BF_MS(500), BF_MS(520));
	assert_int_equal(r->bus->opens, 2);
}

static void a_reset_of_a_device_that_left_is_done(void **state)
{
	struct rig *r = *state;

	r->bus->reset_end = BF_USB_GONE;
	assert_int_equal(r->usb->reset(r->t, BF_SEC(1), &r->err), BF_OK);
	r->bus->reset_end = BF_USB_DENIED;
	assert_int_equal(r->usb->reset(r->t, BF_SEC(1), &r->err), BF_E_IFACE);
}

static void a_refused_reset_of_a_device_that_is_just_leaving_is_done(void **state)
{
	struct rig *r = *state;

	r->bus->reset_end = BF_USB_FAILED;
	assert_int_equal(r->usb->reset(r->t, BF_SEC(5), &r->err), BF_E_LINK);
	assert_in_range(bf_now(r->clock), BF_MS(500), BF_MS(520));
	add_scene(r->bus, BF_MS(600), 0, app, app);
	assert_int_equal(r->usb->reset(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_in_range(bf_now(r->clock), BF_MS(600), BF_MS(620));
}

static void a_node_that_udev_has_not_opened_yet_is_tried_again(void **state)
{
	struct rig *r = *state;

	r->bus->denied_until = BF_MS(400);
	add_scene(r->bus, BF_MS(50), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(5), &r->err), BF_OK);
	assert_in_range(bf_now(r->clock), BF_MS(400), BF_MS(420));
}

static void a_node_that_stays_denied_is_explained(void **state)
{
	struct rig *r = *state;

	r->bus->denied_until = BF_NEVER;
	add_scene(r->bus, BF_MS(50), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(1), &r->err), BF_E_IFACE);
	assert_non_null(strstr(r->err.next, "ATTR{idProduct}==\"0002\""));
}

static void a_closed_device_takes_no_transfer(void **state)
{
	struct rig *r = *state;
	struct bf_usb_device d;
	uint8_t data[8];
	size_t len;

	add_scene(r->bus, BF_MS(50), 0, app, app);
	assert_int_equal(r->usb->reopen(r->t, BF_SEC(1), &r->err), BF_E_TIMEOUT);
	assert_int_equal(r->usb->bulk(r->t, 0x81, data, 8, &len, BF_SEC(3), &r->err), BF_E_GONE);
	assert_int_equal(r->usb->claim(r->t, 0, 0, &r->err), BF_E_GONE);
	assert_int_equal(r->usb->device(r->t, &d, &r->err), BF_E_GONE);
}

/* ---- a device that is not there yet ---- */

static enum bf_rc open_waiting(struct rig *r, bf_time wait)
{
	const struct bf_open_env env = { .clock = r->clock, .wait = wait };

	r->clock->cancelled = false;
	return bf_usb_open(&r->bus->host, &env, "usb", &r->t, &r->err);
}

static void before_it_appears(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->clock = bf_vclock_new();
	r->bus = fake_usb_new(r->clock, &r->freed);
	add_scene(r->bus, 0, 0, app, app);
}

static void put_away(struct rig *r)
{
	r->t = bf_transport_close(r->t);
	assert_true(r->freed);
	r->clock = bf_clock_free(r->clock);
}

static void a_device_is_opened_as_soon_as_it_appears(void **state)
{
	struct rig r;

	(void)state;
	before_it_appears(&r);
	add_scene(r.bus, BF_SEC(7), 1, loader_at("1-2.4", 6), app);
	assert_int_equal(open_waiting(&r, BF_SEC(60)), BF_OK);
	assert_true(bf_now(r.clock) < BF_SEC(7) + BF_MS(25));
	put_away(&r);
}

static void the_moment_that_udev_needs_is_waited_for(void **state)
{
	struct rig r;

	(void)state;
	before_it_appears(&r);
	add_scene(r.bus, BF_SEC(1), 1, loader_at("1-2.4", 6), app);
	r.bus->denied_until = BF_MS(1300);
	assert_int_equal(open_waiting(&r, BF_SEC(60)), BF_OK);
	assert_true(bf_now(r.clock) >= BF_MS(1300) && bf_now(r.clock) < BF_MS(1325));
	put_away(&r);
}

static void a_device_that_never_appears_is_no_device(void **state)
{
	struct rig r;

	(void)state;
	before_it_appears(&r);
	assert_int_equal(open_waiting(&r, BF_SEC(5)), BF_E_NODEV);
	assert_true(bf_now(r.clock) >= BF_SEC(5) && bf_now(r.clock) < BF_MS(5050));
	assert_non_null(strstr(r.err.trail[0], "5 s"));
	put_away(&r);
}

static void without_a_wait_absence_is_said_at_once(void **state)
{
	struct rig r;

	(void)state;
	before_it_appears(&r);
	assert_int_equal(open_waiting(&r, 0), BF_E_IFACE);
	assert_int_equal(bf_now(r.clock), 0);
	put_away(&r);
}

#define RIG(f) cmocka_unit_test_setup_teardown(f, rig_up, rig_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(the_open_device_is_named_by_its_port),
		cmocka_unit_test(a_device_is_opened_as_soon_as_it_appears),
		cmocka_unit_test(the_moment_that_udev_needs_is_waited_for),
		cmocka_unit_test(a_device_that_never_appears_is_no_device),
		cmocka_unit_test(without_a_wait_absence_is_said_at_once),
		cmocka_unit_test(a_failed_open_frees_the_host),
		RIG(a_control_request_out_carries_setup_and_data),
		RIG(a_control_request_in_may_be_short),
		RIG(each_end_has_its_code_and_words),
		RIG(a_stall_is_the_devices_own_answer),
		RIG(a_transfer_is_taken_back_at_the_deadline),
		RIG(what_was_carried_out_while_being_taken_back_counts),
		RIG(a_transfer_that_cannot_be_taken_back_is_left_behind),
		RIG(the_user_can_stop_a_transfer),
		RIG(claiming_names_what_is_missing),
		RIG(a_string_is_asked_for_in_the_devices_first_language),
		RIG(a_device_without_a_language_list_is_asked_in_english),
		RIG(a_device_that_comes_back_on_its_port_is_followed),
		RIG(a_device_is_not_back_before_it_is_configured),
		RIG(a_device_that_came_back_between_two_looks_is_followed),
		RIG(a_device_on_another_port_is_known_by_its_serial_number),
		RIG(another_pack_does_not_stand_in),
		RIG(a_device_that_never_leaves_is_a_timeout),
		RIG(a_reset_that_changes_nothing_is_a_return),
		RIG(a_reset_of_a_device_that_left_is_done),
		RIG(a_refused_reset_of_a_device_that_is_just_leaving_is_done),
		RIG(a_node_that_udev_has_not_opened_yet_is_tried_again),
		RIG(a_node_that_stays_denied_is_explained),
		RIG(a_closed_device_takes_no_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
