/* SPDX-License-Identifier: MIT */
/*
 * The CAN driver on a real kernel: can0 and can1 on one bus, and vcan. Only where BF_BENCH_CAN is
 * set, as root: it takes interfaces down. tests/vm/run gives such a machine.
 */
#include "../unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/transport.h"

struct bench {
	struct bf_clock *clock;
	struct bf_transport *a, *b;
	struct bf_err err;
};

static void sh(const char *command)
{
	if (system(command))
		fail_msg("'%s' failed", command);
}

static struct bf_transport *must_open(struct bench *s, const char *name, uint32_t bitrate)
{
	struct bf_open_env env = { .clock = s->clock, .bitrate = bitrate };
	struct bf_transport *t = NULL;

	if (bf_transport_open(&env, name, &t, &s->err))
		fail_msg("%s: %s", name, s->err.cause);
	return t;
}

static int can_up(void **state)
{
	struct bench *s = calloc(1, sizeof(*s));

	*state = s;
	s->clock = bf_clock_real_new(-1);
	s->a = must_open(s, "can0", 500000);
	s->b = must_open(s, "can1", 500000);
	return 0;
}

static int vcan_up(void **state)
{
	struct bench *s = calloc(1, sizeof(*s));

	*state = s;
	s->clock = bf_clock_real_new(-1);
	sh("modprobe vcan; ip link add vcan9 type vcan && ip link set vcan9 mtu 72 up");
	s->a = must_open(s, "vcan9", 0);
	s->b = must_open(s, "vcan9", 0);
	return 0;
}

static int down(void **state)
{
	struct bench *s = *state;

	bf_transport_close(s->a);
	bf_transport_close(s->b);
	bf_clock_free(s->clock);
	(void)!system("ip link del vcan9 2>/dev/null");
	free(s);
	return 0;
}

static void must_send(struct bench *s, struct bf_transport *t, struct bf_frame f)
{
	if (t->ops->bus->send(t, &f, bf_in(s->clock, BF_SEC(5)), &s->err))
		fail_msg("send: %s", s->err.cause);
}

static enum bf_rc hear(struct bench *s, struct bf_transport *t, struct bf_frame *ret, bf_time us)
{
	return t->ops->bus->recv(t, ret, bf_in(s->clock, us), &s->err);
}

static void opening_set_the_bit_rate(void **state)
{
	struct bench *s = *state;
	struct bf_bus_report r;

	s->a->ops->bus->report(s->a, &r);
	assert_int_equal(r.bitrate, 500000);
	assert_int_equal(r.dbitrate, 0);
	assert_int_equal(r.state, BF_BUS_ACTIVE);
	assert_int_equal(r.txqueuelen, 10);
	assert_true(r.may_set_bitrate);
	assert_false(r.fd);
}

static void a_frame_crosses_the_bus_with_its_time(void **state)
{
	struct bench *s = *state;
	bf_time before = bf_now(s->clock);
	struct bf_frame f;

	must_send(s, s->a, (struct bf_frame){ .id = 0x7E0, .len = 3, .data = "\x02\x3e\x00" });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x7E0);
	assert_int_equal(f.len, 3);
	assert_in_range(f.at, before, bf_now(s->clock));
	/* Own frames are not heard. */
	assert_int_equal(hear(s, s->a, &f, BF_MS(50)), BF_E_TIMEOUT);
}

/* Twenty times what the interface's queue takes. */
static void a_long_burst_arrives_whole_and_in_order(void **state)
{
	struct bench *s = *state;
	struct bf_frame f;

	for (unsigned i = 0; i < 200; i++)
		must_send(s, s->a, (struct bf_frame){ .id = i, .len = 8 });
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
		assert_int_equal(f.id, i);
	}
	print_message("# queue pushed back %llu times\n",
		      (unsigned long long)s->a->stats.queue_full);
	assert_int_equal(s->b->stats.rx_dropped, 0);
}

static void a_filter_holds_back_the_rest(void **state)
{
	struct bench *s = *state;
	const struct bf_filter only = { .id = 0x18DAF101, .mask = 0x1FFFFFFF, .ext = true };
	struct bf_frame f;

	assert_int_equal(s->b->ops->bus->filter(s->b, &only, 1, &s->err), BF_OK);
	must_send(s, s->a, (struct bf_frame){ .id = 0x101, .len = 1 });
	must_send(s, s->a, (struct bf_frame){ .id = 0x18DAF101, .flags = BF_FRAME_EXT, .len = 1 });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x18DAF101);
	assert_int_equal(f.flags, BF_FRAME_EXT);
}

static void an_interface_that_goes_down_is_told_and_used_again(void **state)
{
	struct bench *s = *state;
	struct bf_frame f;

	sh("ip link set can1 down");
	assert_int_equal(hear(s, s->b, &f, BF_SEC(2)), BF_E_GONE);
	assert_non_null(strstr(s->err.next, "ip link set can1 up"));
	assert_int_equal(hear(s, s->b, &f, BF_MS(20)), BF_E_GONE); /* still so */
	f = (struct bf_frame){ .id = 1, .len = 1 };
	assert_int_equal(s->b->ops->bus->send(s->b, &f, bf_in(s->clock, BF_SEC(1)), &s->err),
			 BF_E_GONE);
	sh("ip link set can1 up");
	must_send(s, s->a, (struct bf_frame){ .id = 0x123, .len = 1 });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.id, 0x123);
}

static void the_bit_rate_changes_under_open_sockets(void **state)
{
	struct bench *s = *state;
	struct bf_bus_report r;
	struct bf_frame f;

	assert_int_equal(s->a->ops->bus->set_bitrate(s->a, 250000, 0, &s->err), BF_OK);
	assert_int_equal(s->b->ops->bus->set_bitrate(s->b, 250000, 0, &s->err), BF_OK);
	s->a->ops->bus->report(s->a, &r);
	assert_int_equal(r.bitrate, 250000);
	must_send(s, s->a, (struct bf_frame){ .id = 0x321, .len = 1 });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
}

static void an_impossible_rate_leaves_the_interface_working(void **state)
{
	struct bench *s = *state;
	struct bf_frame f;

	assert_int_equal(s->a->ops->bus->set_bitrate(s->a, 7000000, 0, &s->err), BF_E_IFACE);
	print_message("# %s\n", s->err.cause);
	assert_int_equal(s->a->ops->bus->set_bitrate(s->a, 500000, 2000000, &s->err), BF_E_IFACE);
	print_message("# %s\n", s->err.cause);
	must_send(s, s->a, (struct bf_frame){ .id = 0x322, .len = 1 });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
}

static void without_privilege_the_command_is_named(void **state)
{
	struct bench *s = *state;
	struct bf_bus_report r;
	int status;
	pid_t child = fork();

	if (!child) {
		enum bf_rc rc;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		s->a->ops->bus->report(s->a, &r);
		rc = s->a->ops->bus->set_bitrate(s->a, 125000, 0, &s->err);
		_exit(rc == BF_E_IFACE && !r.may_set_bitrate &&
				      strstr(s->err.next, "can0 up type can bitrate 125000")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void fd_frames_cross_a_virtual_bus(void **state)
{
	struct bench *s = *state;
	struct bf_frame f;

	must_send(s, s->a,
		  (struct bf_frame){ .id = 0x7E0,
				     .flags = BF_FRAME_FD | BF_FRAME_BRS,
				     .len = 64,
				     .data = { [63] = 5 } });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(f.len, 64);
	assert_int_equal(f.data[63], 5);
	assert_int_equal(f.flags, BF_FRAME_FD | BF_FRAME_BRS);
}

static void an_adapter_that_is_unplugged_and_plugged_in_again_is_bound_again(void **state)
{
	struct bench *s = *state;
	struct bf_frame f;

	sh("ip link del vcan9");
	assert_int_equal(hear(s, s->b, &f, BF_SEC(2)), BF_E_GONE);
	assert_int_equal(hear(s, s->b, &f, BF_SEC(2)), BF_E_GONE);
	sh("ip link add vcan9 type vcan && ip link set vcan9 mtu 72 up");
	f = (struct bf_frame){ .id = 1, .len = 1 };
	assert_int_equal(hear(s, s->b, &f, 0), BF_E_TIMEOUT);
	bf_transport_close(s->a);
	s->a = must_open(s, "vcan9", 0);
	must_send(s, s->a, (struct bf_frame){ .id = 0x55, .len = 1 });
	assert_int_equal(hear(s, s->b, &f, BF_SEC(1)), BF_OK);
	assert_int_equal(s->b->stats.reopened, 1);
}

/* A shaper in the place of a slow wire: 250 frames of 16 bytes a second, 10 of them queued. */
static bool slow_down(void)
{
	if (!system("modprobe sch_tbf && tc qdisc replace dev vcan9 root tbf rate 32kbit burst 16 "
		    "limit 160"))
		return true;
	print_message("# no shaper here (sch_tbf, tc)\n");
	return false;
}

static void must_hear_all(struct bench *s, struct bf_transport *t, unsigned n)
{
	struct bf_frame f;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(hear(s, t, &f, BF_SEC(2)), BF_OK);
		assert_int_equal(f.id, i);
	}
}

static void a_queue_slower_than_the_sender_loses_nothing(void **state)
{
	struct bench *s = *state;

	if (!slow_down())
		return;
	for (unsigned i = 0; i < 100; i++)
		must_send(s, s->a, (struct bf_frame){ .id = i, .len = 8 });
	must_hear_all(s, s->b, 100);
	assert_true(s->a->stats.queue_full > 0);
}

/* Each socket keeps its share in bounds, both together do not fit: ENOBUFS. */
static void two_senders_that_overfill_the_queue_both_get_through(void **state)
{
	struct bench *s = *state;

	if (!slow_down())
		return;
	for (unsigned i = 0; i < 100; i++) {
		must_send(s, s->a, (struct bf_frame){ .id = i, .len = 8 });
		must_send(s, s->b, (struct bf_frame){ .id = i, .len = 8 });
	}
	must_hear_all(s, s->a, 100);
	must_hear_all(s, s->b, 100);
	assert_true(s->a->stats.queue_full + s->b->stats.queue_full > 0);
}

#define ON_CAN(f)  cmocka_unit_test_setup_teardown(f, can_up, down)
#define ON_VCAN(f) cmocka_unit_test_setup_teardown(f, vcan_up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CAN(opening_set_the_bit_rate),
		ON_CAN(a_frame_crosses_the_bus_with_its_time),
		ON_CAN(a_long_burst_arrives_whole_and_in_order),
		ON_CAN(a_filter_holds_back_the_rest),
		ON_CAN(an_interface_that_goes_down_is_told_and_used_again),
		ON_CAN(the_bit_rate_changes_under_open_sockets),
		ON_CAN(an_impossible_rate_leaves_the_interface_working),
		ON_CAN(without_privilege_the_command_is_named),
		ON_VCAN(fd_frames_cross_a_virtual_bus),
		ON_VCAN(an_adapter_that_is_unplugged_and_plugged_in_again_is_bound_again),
		ON_VCAN(a_queue_slower_than_the_sender_loses_nothing),
		ON_VCAN(two_senders_that_overfill_the_queue_both_get_through),
	};

	if (!getenv("BF_BENCH_CAN")) {
		puts("1..0 # SKIP takes CAN interfaces down: only where BF_BENCH_CAN is set");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
