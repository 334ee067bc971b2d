/* SPDX-License-Identifier: MIT */
/* The CAN driver speaking on one end of a socket pair; the test is the kernel on the other. */
#include "fake_can.h"

#include <sys/socket.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/error.h>

struct rig {
	struct bf_vsource source; /* reads one message from the peer's end at `read_at` */
	struct bf_clock *clock;
	struct bf_transport *t;
	int peer;
	bf_time read_at;
	unsigned to_read;
	struct bf_err err;
};

static bf_time rig_next(struct bf_vsource *s)
{
	struct rig *r = BF_CONTAINER_OF(s, struct rig, source);

	return r->to_read ? r->read_at : BF_NEVER;
}

static void rig_run(struct bf_vsource *s, bf_time now)
{
	struct rig *r = BF_CONTAINER_OF(s, struct rig, source);
	uint8_t sink[CANFD_MTU];

	(void)now;
	while (r->to_read && read(r->peer, sink, sizeof(sink)) > 0)
		r->to_read--;
	r->to_read = 0;
}

static struct rig *rig_new(bool fd)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct bf_open_env env = { 0 };
	int pair[2];

	fake_can_reset();
	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	r->source = (struct bf_vsource){ rig_next, rig_run };
	r->clock = bf_vclock_new();
	bf_vclock_attach(r->clock, &r->source);
	env.clock = r->clock;
	r->t = bf_can_raw_new(pair[0], fd, "can0", &env, &fake_can_link);
	r->peer = pair[1];
	return r;
}

static void rig_free(struct rig *r)
{
	bf_transport_close(r->t);
	bf_clock_free(r->clock);
	if (r->peer >= 0)
		close(r->peer);
	free(r);
}

static void peer_says(struct rig *r, canid_t id, const void *data, uint8_t len)
{
	struct can_frame f = { .can_id = id, .len = len };

	memcpy(f.data, data, len);
	assert_int_equal(write(r->peer, &f, sizeof(f)), sizeof(f));
}

static void peer_errs(struct rig *r, canid_t classes, uint8_t controller, uint8_t protocol)
{
	uint8_t data[8] = { 0, controller, protocol };

	peer_says(r, CAN_ERR_FLAG | classes, data, 8);
}

static enum bf_rc say(struct rig *r, struct bf_frame f, bf_time deadline)
{
	return r->t->ops->bus->send(r->t, &f, deadline, &r->err);
}

static enum bf_rc hear(struct rig *r, struct bf_frame *ret, bf_time deadline)
{
	return r->t->ops->bus->recv(r->t, ret, deadline, &r->err);
}

static void a_classic_frame_is_16_bytes_with_flags_in_its_identifier(void **state)
{
	struct rig *r = rig_new(false);
	struct can_frame k;

	(void)state;
	assert_int_equal(say(r,
			     (struct bf_frame){ .id = 0x18DAF101,
						.flags = BF_FRAME_EXT,
						.len = 3,
						.data = { 2, 0x10, 2 } },
			     10),
			 BF_OK);
	assert_int_equal(read(r->peer, &k, sizeof(k)), 16);
	assert_int_equal(k.can_id, 0x18DAF101u | CAN_EFF_FLAG);
	assert_int_equal(k.len, 3);
	assert_int_equal(k.data[1], 0x10);
	assert_int_equal(r->t->stats.tx_frames, 1);
	assert_int_equal(r->t->stats.tx_bytes, 3);
	rig_free(r);
}

static void an_fd_frame_is_72_bytes_and_asks_for_the_data_rate(void **state)
{
	struct rig *r = rig_new(true);
	struct canfd_frame k;

	(void)state;
	assert_int_equal(say(r,
			     (struct bf_frame){ .id = 0x7E0,
						.flags = BF_FRAME_FD | BF_FRAME_BRS,
						.len = 64,
						.data = { [63] = 9 } },
			     10),
			 BF_OK);
	assert_int_equal(read(r->peer, &k, sizeof(k)), 72);
	assert_int_equal(k.flags, CANFD_BRS);
	assert_int_equal(k.data[63], 9);
	rig_free(r);
}

static void frames_that_cannot_exist_are_not_sent(void **state)
{
	struct rig *r = rig_new(true);
	struct rig *classic = rig_new(false);
	uint8_t sink[CANFD_MTU];

	(void)state;
	assert_int_equal(say(r, (struct bf_frame){ .id = 0x800, .len = 1 }, 10), BF_E_INTERNAL);
	assert_int_equal(say(r, (struct bf_frame){ .id = 1, .len = 9 }, 10), BF_E_INTERNAL);
	assert_int_equal(say(r, (struct bf_frame){ .id = 1, .flags = BF_FRAME_FD, .len = 13 }, 10),
			 BF_E_INTERNAL);
	assert_int_equal(
		say(classic, (struct bf_frame){ .id = 1, .flags = BF_FRAME_FD, .len = 12 }, 10),
		BF_E_UNSUPPORTED);
	assert_int_equal(read(r->peer, sink, sizeof(sink)), -1);
	rig_free(r);
	rig_free(classic);
}

static void a_frame_that_comes_in_keeps_its_flags_and_gets_a_time(void **state)
{
	struct rig *r = rig_new(true);
	struct canfd_frame k = {
		.can_id = 0x18DA01F1 | CAN_EFF_FLAG, .len = 12, .flags = CANFD_BRS, .data = { 0xAA }
	};
	struct bf_frame f;

	(void)state;
	assert_true(bf_clock_until(r->clock, BF_MS(3)));
	assert_int_equal(write(r->peer, &k, sizeof(k)), sizeof(k));
	peer_says(r, 0x123 | CAN_RTR_FLAG, "", 0);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x18DA01F1);
	assert_int_equal(f.flags, BF_FRAME_EXT | BF_FRAME_FD | BF_FRAME_BRS);
	assert_int_equal(f.len, 12);
	assert_int_equal(f.data[0], 0xAA);
	assert_int_equal(f.at, BF_MS(3));
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.flags, BF_FRAME_RTR);
	assert_int_equal(r->t->stats.rx_bytes, 12);
	rig_free(r);
}

static void damaged_kernel_messages_are_counted_and_skipped(void **state)
{
	struct rig *r = rig_new(true);
	struct can_frame too_long = { .can_id = 1, .len = 9 };
	struct bf_frame f;

	(void)state;
	assert_int_equal(write(r->peer, "short", 5), 5);
	assert_int_equal(write(r->peer, &too_long, sizeof(too_long)), sizeof(too_long));
	peer_says(r, 0x7E8, "ok", 2);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x7E8);
	assert_int_equal(r->t->stats.line_errors, 2);
	rig_free(r);
}

static void a_filter_also_holds_back_what_was_queued_before_it(void **state)
{
	struct rig *r = rig_new(false);
	const struct bf_filter filters[] = { { 0x7E8, 0x7F8, false }, { 0x100, 0x1FFFFFFF, true } };
	struct bf_frame f;

	(void)state;
	peer_says(r, 0x123, "x", 1);
	peer_says(r, 0x100, "x", 1); /* same number, but 11 bits */
	peer_says(r, 0x7EA, "a", 1);
	peer_says(r, 0x100 | CAN_EFF_FLAG, "b", 1);
	assert_int_equal(r->t->ops->bus->filter(r->t, filters, 2, &r->err), BF_OK);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x7EA);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.flags, BF_FRAME_EXT);
	peer_says(r, 0x123, "x", 1);
	assert_int_equal(r->t->ops->bus->filter(r->t, NULL, 0, &r->err), BF_OK);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x123);
	assert_int_equal(r->t->ops->bus->filter(r->t, filters, 17, &r->err), BF_E_INTERNAL);
	rig_free(r);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	assert_int_equal(hear(r, &f, BF_MS(50)), BF_E_TIMEOUT);
	assert_int_equal(bf_now(r->clock), BF_MS(50));
	assert_int_equal(r->t->stats.waited_us, BF_MS(50));
	peer_says(r, 0x7E8, "x", 1);
	assert_int_equal(hear(r, &f, 0), BF_OK); /* in the past: looks once */
	rig_free(r);
}

static void foreign_traffic_does_not_carry_past_the_deadline(void **state)
{
	struct rig *r = rig_new(false);
	const struct bf_filter filter = { 0x7E8, 0x7FF, false };
	struct bf_frame f;

	(void)state;
	assert_int_equal(r->t->ops->bus->filter(r->t, &filter, 1, &r->err), BF_OK);
	for (int i = 0; i < 20; i++)
		peer_says(r, 0x300, "noise", 5);
	peer_says(r, 0x7E8, "x", 1);
	assert_int_equal(hear(r, &f, 0), BF_E_TIMEOUT);
	assert_int_equal(hear(r, &f, 1), BF_OK);
	rig_free(r);
}

static void the_user_can_stop_a_wait(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	bf_vclock_cancel_at(r->clock, BF_MS(20));
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_E_INTERRUPTED);
	assert_int_equal(bf_now(r->clock), BF_MS(20));
	rig_free(r);
}

static void fill_queue(struct rig *r)
{
	struct can_frame k = { .can_id = 1 };

	while (send(r->peer, &k, sizeof(k), MSG_DONTWAIT) > 0)
		;
	/* The peer's own queue is full now; ours is filled through the driver. */
	while (say(r, (struct bf_frame){ .id = 1, .len = 1 }, bf_now(r->clock)) == BF_OK)
		;
}

static void a_full_queue_is_waited_for_and_counted(void **state)
{
	struct rig *r = rig_new(false);

	(void)state;
	fill_queue(r);
	r->t->stats.queue_full = 0;
	r->read_at = bf_now(r->clock) + BF_MS(7);
	r->to_read = 1000;
	assert_int_equal(say(r, (struct bf_frame){ .id = 2, .len = 1 }, BF_SEC(1)), BF_OK);
	assert_int_equal(bf_now(r->clock), BF_MS(7));
	assert_int_equal(r->t->stats.queue_full, 1);
	rig_free(r);
}

static void a_queue_that_stays_full_is_a_timeout_with_causes(void **state)
{
	struct rig *r = rig_new(false);

	(void)state;
	fill_queue(r);
	assert_int_equal(say(r, (struct bf_frame){ .id = 0x7E0, .len = 1 }, BF_MS(100)),
			 BF_E_TIMEOUT);
	assert_int_equal(bf_now(r->clock), BF_MS(100));
	assert_non_null(strstr(r->err.cause, "0x7E0"));
	assert_int_equal(r->err.n_likely, 2);
	rig_free(r);
}

static void a_queue_stuck_on_a_passive_controller_means_that_nobody_acknowledges(void **state)
{
	struct rig *r = rig_new(false);

	(void)state;
	fill_queue(r);
	fake_can.info.state = BF_BUS_PASSIVE;
	assert_int_equal(say(r, (struct bf_frame){ .id = 0x7E0, .len = 1 }, BF_MS(100)), BF_E_LINK);
	assert_non_null(strstr(r->err.cause, "no acknowledgement"));
	fake_can.info.state = BF_BUS_OFF;
	assert_int_equal(say(r, (struct bf_frame){ .id = 0x7E0, .len = 1 }, BF_MS(200)), BF_E_LINK);
	assert_non_null(strstr(r->err.cause, "bus-off"));
	rig_free(r);
}

static void error_frames_are_counted_and_never_returned(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	peer_errs(r, CAN_ERR_LOSTARB, 0, 0);
	peer_errs(r, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_WARNING, 0);
	peer_errs(r, CAN_ERR_ACK, 0, 0); /* one missing acknowledgement is noise */
	peer_says(r, 0x7E8, "x", 1);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x7E8);
	assert_int_equal(r->t->stats.line_errors, 3);
	rig_free(r);
}

static void bus_off_is_told_at_once_and_the_controller_restarted(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	peer_errs(r, CAN_ERR_BUSOFF, 0, 0);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_E_LINK);
	assert_int_equal(bf_now(r->clock), 0);
	assert_non_null(strstr(r->err.cause, "bus-off"));
	assert_non_null(strstr(r->err.likely[0], "500000 bit/s"));
	assert_non_null(strstr(r->err.todo, "was restarted"));
	assert_int_equal(fake_can.restarted, 1);
	/* Until it is back, silence is still blamed on it. */
	assert_int_equal(hear(r, &f, BF_MS(10)), BF_E_LINK);
	peer_errs(r, CAN_ERR_RESTARTED, 0, 0);
	assert_int_equal(hear(r, &f, BF_MS(20)), BF_E_TIMEOUT);
	rig_free(r);
}

static void bus_off_without_permission_names_the_command(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	fake_can.permitted = false;
	peer_errs(r, CAN_ERR_BUSOFF, 0, 0);
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_E_LINK);
	assert_non_null(strstr(r->err.next, "ip link set can0 down"));
	rig_free(r);
}

static void missing_acknowledgement_that_lasts_ends_the_wait(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	peer_errs(r, CAN_ERR_ACK, 0, 0);
	assert_int_equal(hear(r, &f, BF_MS(1)), BF_E_LINK);
	assert_true(bf_clock_until(r->clock, BF_MS(150)));
	peer_errs(r, CAN_ERR_ACK, 0, 0);
	assert_int_equal(hear(r, &f, BF_SEC(10)), BF_E_LINK);
	assert_int_equal(bf_now(r->clock), BF_MS(150));
	assert_non_null(strstr(r->err.cause, "no acknowledgement from any node"));
	assert_non_null(strstr(r->err.likely[3], "60 ohm"));
	rig_free(r);
}

static void an_interface_that_went_down_is_gone_and_works_again_when_it_is_back(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	fake_can.info.up = false;
	assert_int_equal(hear(r, &f, BF_MS(10)), BF_E_GONE);
	assert_non_null(strstr(r->err.cause, "went down"));
	assert_string_equal(r->err.next, "sudo ip link set can0 up");
	fake_can.info.up = true;
	peer_says(r, 0x7E8, "x", 1);
	assert_int_equal(hear(r, &f, BF_MS(20)), BF_OK);
	rig_free(r);
}

static void an_adapter_that_was_unplugged_is_gone(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_frame f;

	(void)state;
	close(r->peer);
	r->peer = -1;
	fake_can.present = false;
	assert_int_equal(hear(r, &f, BF_SEC(1)), BF_E_GONE);
	assert_non_null(strstr(r->err.cause, "disappeared"));
	assert_int_equal(say(r, (struct bf_frame){ .id = 1 }, BF_SEC(1)), BF_E_GONE);
	rig_free(r);
}

static void the_report_joins_the_kernel_and_the_error_frames(void **state)
{
	struct rig *r = rig_new(false);
	struct bf_bus_report rep;
	uint8_t counters[8] = { [6] = 130, [7] = 4 };
	struct bf_frame f;

	(void)state;
	fake_can.info.state = BF_BUS_UNKNOWN;
	peer_says(r, CAN_ERR_FLAG | CAN_ERR_CRTL | CAN_ERR_CNT,
		  ((uint8_t[8]){ [1] = CAN_ERR_CRTL_TX_PASSIVE, [6] = 130, [7] = 4 }), 8);
	assert_int_equal(hear(r, &f, BF_MS(1)), BF_E_LINK);
	r->t->ops->bus->report(r->t, &rep);
	assert_int_equal(rep.state, BF_BUS_PASSIVE);
	assert_int_equal(rep.bitrate, 500000);
	assert_int_equal(rep.tx_errors, counters[6]);
	assert_int_equal(rep.rx_errors, counters[7]);
	assert_int_equal(rep.txqueuelen, 10);
	assert_true(rep.may_set_bitrate);
	rig_free(r);
}

static void setting_fd_rates_lets_fd_frames_out(void **state)
{
	struct rig *r = rig_new(false);
	const struct bf_frame fd = { .id = 1, .flags = BF_FRAME_FD, .len = 64 };

	(void)state;
	assert_int_equal(say(r, fd, 10), BF_E_UNSUPPORTED);
	assert_int_equal(r->t->ops->bus->set_bitrate(r->t, 500000, 2000000, &r->err), BF_OK);
	assert_int_equal(say(r, fd, 10), BF_OK);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_classic_frame_is_16_bytes_with_flags_in_its_identifier),
		cmocka_unit_test(an_fd_frame_is_72_bytes_and_asks_for_the_data_rate),
		cmocka_unit_test(frames_that_cannot_exist_are_not_sent),
		cmocka_unit_test(a_frame_that_comes_in_keeps_its_flags_and_gets_a_time),
		cmocka_unit_test(damaged_kernel_messages_are_counted_and_skipped),
		cmocka_unit_test(a_filter_also_holds_back_what_was_queued_before_it),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(foreign_traffic_does_not_carry_past_the_deadline),
		cmocka_unit_test(the_user_can_stop_a_wait),
		cmocka_unit_test(a_full_queue_is_waited_for_and_counted),
		cmocka_unit_test(a_queue_that_stays_full_is_a_timeout_with_causes),
		cmocka_unit_test(
			a_queue_stuck_on_a_passive_controller_means_that_nobody_acknowledges),
		cmocka_unit_test(error_frames_are_counted_and_never_returned),
		cmocka_unit_test(bus_off_is_told_at_once_and_the_controller_restarted),
		cmocka_unit_test(bus_off_without_permission_names_the_command),
		cmocka_unit_test(missing_acknowledgement_that_lasts_ends_the_wait),
		cmocka_unit_test(
			an_interface_that_went_down_is_gone_and_works_again_when_it_is_back),
		cmocka_unit_test(an_adapter_that_was_unplugged_is_gone),
		cmocka_unit_test(the_report_joins_the_kernel_and_the_error_frames),
		cmocka_unit_test(setting_fd_rates_lets_fd_frames_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
