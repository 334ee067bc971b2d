/* SPDX-License-Identifier: MIT */
/* Our ISO-TP on real interfaces, with the kernel's own at the other end: two Kvaser cards on one bus, and
 * vcan for CAN FD. The kernel's was written by others from the same standard. */
#include "kernel.h"

#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/isotp.h>

#include "bmsflash/link.h"

#define TESTER_ID 0x7E0
#define PACK_ID   0x7E8

struct end {
	struct bf_clock *clock;
	struct bf_transport *t;
};

static int set_up(void **arg)
{
	struct end *p = calloc(1, sizeof(*p));

	shell("ip link set can0 down; ip link set can1 down;"
	      "ip link set can0 up type can bitrate 500000; ip link set can1 up type can bitrate "
	      "500000");
	p->clock = bf_clock_real_new(-1);
	p->t = open_wire(p->clock, "can0");
	*arg = p;
	return 0;
}

static int tear_down(void **arg)
{
	struct end *p = *arg;

	bf_transport_close(p->t);
	bf_clock_free(p->clock);
	free(p);
	return 0;
}

static bf_time soon(struct end *p)
{
	return bf_in(p->clock, BF_SEC(3));
}

static void open_vcan(struct end *p)
{
	if (!if_nametoindex("vcan0"))
		shell("modprobe vcan && ip link add vcan0 type vcan && ip link set vcan0 mtu 72 "
		      "up");
	bf_transport_close(p->t);
	p->t = open_wire(p->clock, "vcan0");
}

/* The kernel as the pack. */
static int kernel_isotp(const char *name, bool fd, const struct can_isotp_fc_options *flow)
{
	struct sockaddr_can addr = { .can_family = AF_CAN };
	struct can_isotp_options opts = { .flags = CAN_ISOTP_TX_PADDING, .txpad_content = 0xCC };
	struct can_isotp_ll_options ll = { .mtu = CANFD_MTU, .tx_dl = 64, .tx_flags = CANFD_BRS };
	struct timeval patience = { .tv_sec = 5 };
	int s = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP);

	assert_true(s >= 0);
	setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &opts, sizeof(opts));
	setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, flow, sizeof(*flow));
	if (fd)
		setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	addr.can_ifindex = (int)if_nametoindex(name);
	addr.can_addr.tp.rx_id = TESTER_ID;
	addr.can_addr.tp.tx_id = PACK_ID;
	assert_int_equal(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return s;
}

static void fill(uint8_t *msg, size_t len)
{
	for (size_t i = 0; i < len; i++)
		msg[i] = (uint8_t)(i * 7 + len);
}

/* One message each way over ends that are open. */
static void exchange(struct end *p, struct bf_link *link, int kernel, size_t len)
{
	uint8_t msg[4095], got[4095];
	struct bf_err err;
	size_t n = 0;

	fill(msg, len);
	OK(link->ops->send(link, msg, len, soon(p), &err));
	assert_int_equal(read(kernel, got, sizeof(got)), len);
	assert_memory_equal(got, msg, len);

	assert_int_equal(write(kernel, msg, len), len);
	memset(got, 0, sizeof(got));
	OK(link->ops->recv(link, got, sizeof(got), &n, soon(p), &err));
	assert_int_equal(n, len);
	assert_memory_equal(got, msg, len);
}

/* `flow` is what the kernel asks of us: block size and STmin, as they stand in its flow control. */
static void converse(struct end *p, const char *name, const struct bf_isotp_opts *opts,
		     const struct can_isotp_fc_options *flow, const size_t *len, size_t n)
{
	BF_AUTO(bf_link) *link = NULL;
	BF_AUTO_FD int kernel = kernel_isotp(name, opts->fd, flow);
	struct bf_err err;

	OK(bf_isotp_open(p->t, opts, &link, &err));
	for (size_t i = 0; i < n; i++)
		exchange(p, link, kernel, len[i]);
}

static const struct can_isotp_fc_options unlimited;

/* A single frame carries 7 bytes (FD: 62), a first frame 6 (FD: 62), a consecutive one 7 (FD: 63); the sequence
 * number wraps after 15 of those; 12 bits of length end at 4095. Each with a byte less and a byte more. */
static const size_t classic[] = { 1,  2,  6,  7,  8,  12,  13,  14,  15,  19,  20,  21,   27,
				  62, 63, 64, 97, 98, 110, 111, 112, 117, 118, 119, 4094, 4095 };
static const size_t fd[] = { 1,   7,   8,    11,   12,   13,   17,   18,  19,  47,
			     48,  49,  61,   62,   63,   64,   124,  125, 126, 187,
			     188, 189, 1006, 1007, 1008, 1070, 4094, 4095 };

static void isotp_talks_to_the_kernel_at_every_boundary(void **arg)
{
	const struct bf_isotp_opts opts = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC };
	const struct bf_isotp_opts bare = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = -1 };

	converse(*arg, "can1", &opts, &unlimited, classic, BF_COUNT(classic));
	converse(*arg, "can1", &bare, &unlimited, classic, BF_COUNT(classic));
}

static void isotp_on_can_fd_talks_to_the_kernel_at_every_boundary(void **arg)
{
	const struct bf_isotp_opts opts = {
		.tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC, .fd = true, .brs = true
	};

	open_vcan(*arg);
	converse(*arg, "vcan0", &opts, &unlimited, fd, BF_COUNT(fd));
}

static const uint8_t block_sizes[] = { 1, 2, 3, 8, 15, 16, 17, 255 };
/* Raw STmin: none, 1 and 5 ms, 100 and 900 us; 0x80 is reserved and means the longest, too long for here. */
static const uint8_t gaps[] = { 0x00, 0x01, 0x05, 0xF1, 0xF9 };
static const size_t some[] = { 8, 20, 21, 118, 119, 130 };

static void the_kernel_obeys_our_block_size_and_gap(void **arg)
{
	struct bf_isotp_opts opts = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC };

	for (size_t i = 0; i < BF_COUNT(block_sizes); i++) {
		opts.block_size = block_sizes[i];
		opts.st_min = gaps[i % BF_COUNT(gaps)];
		converse(*arg, "can1", &opts, &unlimited, some, BF_COUNT(some));
	}
}

static void we_obey_the_kernel_s_block_size_and_gap(void **arg)
{
	const struct bf_isotp_opts opts = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC };

	for (size_t i = 0; i < BF_COUNT(block_sizes); i++) {
		const struct can_isotp_fc_options flow = { .bs = block_sizes[i],
							   .stmin = gaps[i % BF_COUNT(gaps)] };

		converse(*arg, "can1", &opts, &flow, some, BF_COUNT(some));
	}
}

/* 130 bytes are a first frame and 18 others: 18 gaps before the last of them. */
static void we_leave_the_gap_that_the_kernel_asks_for(void **arg)
{
	const struct bf_isotp_opts opts = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC };
	const struct can_isotp_fc_options flow = { .stmin = 20 };
	struct end *p = *arg;
	BF_AUTO(bf_link) *link = NULL;
	BF_AUTO_FD int kernel = kernel_isotp("can1", false, &flow);
	uint8_t msg[130], got[130];
	bf_time began = bf_now(p->clock);
	struct bf_err err;

	fill(msg, sizeof(msg));
	OK(bf_isotp_open(p->t, &opts, &link, &err));
	OK(link->ops->send(link, msg, sizeof(msg), soon(p), &err));
	assert_int_equal(read(kernel, got, sizeof(got)), sizeof(got));
	assert_true(bf_now(p->clock) - began >= 17 * BF_MS(20));
	assert_memory_equal(got, msg, sizeof(got));
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(isotp_talks_to_the_kernel_at_every_boundary),
		ROW(isotp_on_can_fd_talks_to_the_kernel_at_every_boundary),
		ROW(the_kernel_obeys_our_block_size_and_gap),
		ROW(we_obey_the_kernel_s_block_size_and_gap),
		ROW(we_leave_the_gap_that_the_kernel_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
