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
static int kernel_isotp(const char *name, bool fd)
{
	struct sockaddr_can addr = { .can_family = AF_CAN };
	struct can_isotp_options opts = { .flags = CAN_ISOTP_TX_PADDING, .txpad_content = 0xCC };
	struct can_isotp_ll_options ll = { .mtu = CANFD_MTU, .tx_dl = 64, .tx_flags = CANFD_BRS };
	struct timeval patience = { .tv_sec = 5 };
	int s = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP);

	assert_true(s >= 0);
	setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &opts, sizeof(opts));
	if (fd)
		setsockopt(s, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	addr.can_ifindex = (int)if_nametoindex(name);
	addr.can_addr.tp.rx_id = TESTER_ID;
	addr.can_addr.tp.tx_id = PACK_ID;
	assert_int_equal(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return s;
}

static void exchange(struct end *p, const char *name, const struct bf_isotp_opts *opts, size_t len)
{
	BF_AUTO(bf_link) *link = NULL;
	BF_AUTO_FD int kernel = kernel_isotp(name, opts->fd);
	uint8_t msg[4095], got[4095];
	struct bf_err err;
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		msg[i] = (uint8_t)(i * 7 + len);
	OK(bf_isotp_open(p->t, opts, &link, &err));
	OK(link->ops->send(link, msg, len, soon(p), &err));
	assert_int_equal(read(kernel, got, sizeof(got)), len);
	assert_memory_equal(got, msg, len);

	assert_int_equal(write(kernel, msg, len), len);
	memset(got, 0, sizeof(got));
	OK(link->ops->recv(link, got, sizeof(got), &n, soon(p), &err));
	assert_int_equal(n, len);
	assert_memory_equal(got, msg, len);
}

static const size_t lengths[] = { 1, 7, 8, 62, 63, 64, 100, 4095 };

static void isotp_talks_to_the_kernel(void **arg)
{
	const struct bf_isotp_opts opts = { .tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC };
	struct end *p = *arg;

	for (size_t i = 0; i < BF_COUNT(lengths); i++)
		exchange(p, "can1", &opts, lengths[i]);
}

static void iso_tp_obeys_block_size_and_gap(void **arg)
{
	const struct bf_isotp_opts opts = {
		.tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC, .block_size = 8, .st_min = 1
	};
	struct end *p = *arg;

	exchange(p, "can1", &opts, 500);
}

static void iso_tp_on_can_fd_talks_to_the_kernel(void **arg)
{
	const struct bf_isotp_opts opts = {
		.tx_id = TESTER_ID, .rx_id = PACK_ID, .pad = 0xCC, .fd = true, .brs = true
	};
	struct end *p = *arg;

	open_vcan(p);
	for (size_t i = 0; i < BF_COUNT(lengths); i++)
		exchange(p, "vcan0", &opts, lengths[i]);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(isotp_talks_to_the_kernel),
		ROW(iso_tp_obeys_block_size_and_gap),
		ROW(iso_tp_on_can_fd_talks_to_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
