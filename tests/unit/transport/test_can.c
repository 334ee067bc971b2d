/* SPDX-License-Identifier: MIT */
/* Finding, judging and setting up interfaces; what the kernel says about them. */
#include "bmsflash/wire.h"
#include "fake_can.h"

#include <net/if_arp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/can/netlink.h>
#include <linux/rtnetlink.h>

/* ---- a sysfs with interfaces in it ---- */

struct tree {
	char root[64];
};

static void put_file(const char *root, const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_dir(const char *root, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void add_interface(const char *root, const char *name, const char *type)
{
	char path[128];

	snprintf(path, sizeof(path), "/class/net/%s", name);
	put_dir(root, path);
	snprintf(path, sizeof(path), "/class/net/%s/type", name);
	put_file(root, path, type);
}

static int tree_up(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	fake_can_reset();
	snprintf(t->root, sizeof(t->root), "/tmp/bmsflash-test-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	put_dir(t->root, "/class");
	put_dir(t->root, "/class/net");
	add_interface(t->root, "can0", "280\n");
	add_interface(t->root, "pack", "280\n");
	add_interface(t->root, "eth0", "1\n");
	add_interface(t->root, "can5", "1\n"); /* an ethernet card with a misleading name */
	*state = t;
	return 0;
}

static int tree_down(void **state)
{
	static const char *const names[] = { "can0", "pack", "eth0", "can5" };
	struct tree *t = *state;
	char path[256];

	for (size_t i = 0; i < BF_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/class/net/%s/type", t->root, names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/class/net/%s", t->root, names[i]);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/class/net", t->root);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/class", t->root);
	rmdir(path);
	rmdir(t->root);
	free(t);
	return 0;
}

static void an_address_is_ours_by_its_link_type_or_by_a_usual_name(void **state)
{
	static const struct {
		const char *address;
		bool ours;
	} rows[] = {
		{ "can0", true },
		{ "pack", true },
		{ "eth0", false },
		{ "can5", false },
		{ "can3", true },
		{ "vcan0", true },
		{ "slcan12", true },
		{ "vxcan1", true },
		{ "candle", false },
		{ "ttyUSB0", false },
		{ "", false },
		{ "../net/can0", false },
		{ "can0123456789012345", false },
		{ "sim", false },
		{ "..", false },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < BF_COUNT(rows); i++)
		assert_int_equal(bf_can_match(t->root, rows[i].address), rows[i].ours);
}

static void keep(void *ctx, const struct bf_candidate *c)
{
	*(struct bf_candidate *)ctx = *c;
}

static void the_list_tells_what_to_type_for_an_interface_that_is_down(void **state)
{
	struct tree *t = *state;
	struct bf_candidate c = { 0 };

	bf_can_list(t->root, &fake_can_link, keep, &c);
	assert_string_equal(c.address, "can0");
	assert_string_equal(c.what, "SocketCAN interface, 500000 bit/s");
	assert_true(c.usable);
	fake_can.info.up = false;
	fake_can.info.bitrate = 0;
	bf_can_list(t->root, &fake_can_link, keep, &c);
	assert_false(c.usable);
	assert_string_equal(c.why, "down; sudo ip link set can0 up type can bitrate 500000");
}

/* ---- preparing ---- */

static enum bf_rc prepare(const char *name, uint32_t bitrate, uint32_t dbitrate, struct bf_err *err)
{
	struct bf_open_env env = { .bitrate = bitrate, .dbitrate = dbitrate };
	struct bf_can_info info;

	return bf_can_prepare(&fake_can_link, &env, name, &info, err);
}

static void an_absent_interface_is_explained_by_its_kind(void **state)
{
	struct bf_err err;

	(void)state;
	assert_int_equal(prepare("can1", 0, 0, &err), BF_E_IFACE);
	assert_non_null(strstr(err.likely[0], "not plugged in"));
	assert_int_equal(prepare("vcan0", 0, 0, &err), BF_E_IFACE);
	assert_non_null(strstr(err.next, "ip link add dev vcan0 type vcan"));
	assert_int_equal(prepare("slcan0", 0, 0, &err), BF_E_IFACE);
	assert_non_null(strstr(err.next, "slcand"));
}

static void an_interface_that_is_down_comes_with_its_command(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.info.up = false;
	assert_int_equal(prepare("can0", 0, 0, &err), BF_E_IFACE);
	assert_string_equal(err.next, "sudo ip link set can0 up");
	fake_can.info.bitrate = 0;
	assert_int_equal(prepare("can0", 0, 0, &err), BF_E_IFACE);
	assert_string_equal(err.next, "sudo ip link set can0 up type can bitrate 500000");
}

static void another_kind_of_interface_is_refused(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.info.is_can = false;
	assert_int_equal(prepare("can0", 0, 0, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "not a CAN interface"));
}

static void a_rate_that_is_already_set_needs_no_privilege(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.permitted = false;
	assert_int_equal(prepare("can0", 500000, 0, &err), BF_OK);
	assert_int_equal(fake_can.applied, 0);
}

static void a_rate_that_may_not_be_set_comes_with_the_exact_command(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.permitted = false;
	assert_int_equal(prepare("can0", 250000, 0, &err), BF_E_IFACE);
	assert_string_equal(err.next, "sudo ip link set can0 down && sudo ip link set can0 up "
				      "type can bitrate 250000");
	fake_can.info.up = false;
	assert_int_equal(prepare("can0", 500000, 2000000, &err), BF_E_IFACE);
	assert_string_equal(err.next, "sudo ip link set can0 up type can bitrate 500000 dbitrate "
				      "2000000 fd on");
}

static void a_permitted_rate_is_set_and_the_interface_comes_up(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.info.up = false;
	assert_int_equal(prepare("can0", 250000, 0, &err), BF_OK);
	assert_int_equal(fake_can.applied, 1);
	fake_can.refuses_rate = true;
	assert_int_equal(prepare("can0", 123456, 0, &err), BF_E_IFACE);
}

static void a_virtual_bus_takes_any_rate_and_a_serial_adapter_none(void **state)
{
	struct bf_err err;

	(void)state;
	fake_can.info.timed = false;
	fake_can.info.bitrate = 0;
	snprintf(fake_can.info.kind, sizeof(fake_can.info.kind), "vcan");
	assert_int_equal(prepare("can0", 250000, 0, &err), BF_OK);
	snprintf(fake_can.info.kind, sizeof(fake_can.info.kind), "slcan");
	assert_int_equal(prepare("can0", 250000, 0, &err), BF_E_IFACE);
	assert_non_null(strstr(err.likely[0], "slcand"));
	assert_int_equal(fake_can.applied, 0);
}

/* ---- netlink ---- */

struct msg {
	size_t len;
	uint8_t p[512];
};

static size_t attr(struct msg *m, uint16_t type, const void *p, size_t n)
{
	uint16_t head[2] = { (uint16_t)(4 + n), type };
	size_t at = m->len;

	memcpy(m->p + at, head, 4);
	memcpy(m->p + at + 4, p, n);
	m->len += (4 + n + 3) & ~(size_t)3;
	return at;
}

static void end_nest(struct msg *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->p + at, &len, 2);
}

static void end_msg(struct msg *m)
{
	uint32_t len = (uint32_t)m->len;

	memcpy(m->p, &len, 4);
}

static void start_msg(struct msg *m, unsigned flags)
{
	struct nlmsghdr nh = { .nlmsg_type = RTM_NEWLINK };
	struct ifinfomsg ifi = { .ifi_type = ARPHRD_CAN, .ifi_index = 5, .ifi_flags = flags };

	memset(m, 0, sizeof(*m));
	memcpy(m->p, &nh, sizeof(nh));
	memcpy(m->p + sizeof(nh), &ifi, sizeof(ifi));
	m->len = sizeof(nh) + sizeof(ifi);
}

static struct msg can_fd_message(void)
{
	const struct can_bittiming timing = { .bitrate = 500000 }, data = { .bitrate = 2000000 };
	const struct can_berr_counter errors = { .txerr = 128, .rxerr = 3 };
	const uint32_t mtu = 72, queue = 10, passive = CAN_STATE_ERROR_PASSIVE, restart = 100;
	const uint64_t stats[4] = { 777 }; /* received packets come first */
	struct msg m;
	size_t info, nest;

	start_msg(&m, 1 /* IFF_UP */);
	attr(&m, IFLA_MTU, &mtu, 4);
	attr(&m, IFLA_TXQLEN, &queue, 4);
	attr(&m, IFLA_STATS64, stats, sizeof(stats));
	info = attr(&m, IFLA_LINKINFO, "", 0);
	attr(&m, IFLA_INFO_KIND, "can", 4);
	nest = attr(&m, IFLA_INFO_DATA | 0x8000, "", 0);
	attr(&m, IFLA_CAN_BITTIMING, &timing, sizeof(timing));
	attr(&m, IFLA_CAN_BITTIMING_CONST, "", 0);
	attr(&m, IFLA_CAN_STATE, &passive, 4);
	attr(&m, IFLA_CAN_RESTART_MS, &restart, 4);
	attr(&m, IFLA_CAN_BERR_COUNTER, &errors, sizeof(errors));
	attr(&m, IFLA_CAN_DATA_BITTIMING, &data, sizeof(data));
	end_nest(&m, nest);
	end_nest(&m, info);
	end_msg(&m);
	return m;
}

static void the_kernels_answer_is_read_whole(void **state)
{
	struct msg m = can_fd_message();
	struct bf_can_info i;

	(void)state;
	assert_true(bf_can_info_parse(m.p, m.len, &i));
	assert_true(i.is_can && i.up && i.timed);
	assert_int_equal(i.index, 5);
	assert_string_equal(i.kind, "can");
	assert_int_equal(i.mtu, 72);
	assert_int_equal(i.txqueuelen, 10);
	assert_int_equal(i.rx_packets, 777);
	assert_int_equal(i.state, BF_BUS_PASSIVE);
	assert_int_equal(i.bitrate, 500000);
	assert_int_equal(i.dbitrate, 2000000);
	assert_int_equal(i.restart_ms, 100);
	assert_int_equal(i.tx_errors, 128);
	assert_int_equal(i.rx_errors, 3);
}

static void a_cut_or_damaged_answer_is_never_read_outside(void **state)
{
	struct msg m = can_fd_message();
	struct bf_can_info i;

	(void)state;
	for (size_t n = 0; n < m.len; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* the sanitizer watches its end */

		memcpy(copy, m.p, n);
		assert_false(bf_can_info_parse(copy, n, &i));
		free(copy);
	}
	for (size_t at = 32; at < m.len; at++) {
		for (unsigned v = 0; v < 256; v += 51) {
			uint8_t *copy = malloc(m.len);

			memcpy(copy, m.p, m.len);
			copy[at] = (uint8_t)v;
			(void)bf_can_info_parse(copy, m.len, &i);
			free(copy);
		}
	}
}

static void an_interface_that_is_down_is_stopped_whatever_the_driver_says(void **state)
{
	struct bf_can_info i;
	struct msg m;

	(void)state;
	start_msg(&m, 0);
	end_msg(&m);
	assert_true(bf_can_info_parse(m.p, m.len, &i));
	assert_int_equal(i.state, BF_BUS_STOPPED);
	assert_false(i.timed);
}

static void the_running_kernel_answers_for_its_loopback(void **state)
{
	struct bf_can_info i;

	(void)state;
	assert_false(bf_can_query("bmsflash-none", &i));
	if (!bf_can_query("lo", &i))
		return; /* a sandbox without netlink */
	assert_false(i.is_can);
	assert_int_equal(i.index, 1);
	assert_true(i.mtu > 0);
}

static void every_bus_state_has_a_name(void **state)
{
	(void)state;
	for (int s = BF_BUS_UNKNOWN; s <= BF_BUS_STOPPED; s++)
		assert_true(bf_bus_state_text((enum bf_bus_state)s)[0]);
}

#define ON_TREE(f) cmocka_unit_test_setup_teardown(f, tree_up, tree_down)

static int reset(void **state)
{
	(void)state;
	fake_can_reset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TREE(an_address_is_ours_by_its_link_type_or_by_a_usual_name),
		ON_TREE(the_list_tells_what_to_type_for_an_interface_that_is_down),
		cmocka_unit_test_setup(an_absent_interface_is_explained_by_its_kind, reset),
		cmocka_unit_test_setup(an_interface_that_is_down_comes_with_its_command, reset),
		cmocka_unit_test_setup(another_kind_of_interface_is_refused, reset),
		cmocka_unit_test_setup(a_rate_that_is_already_set_needs_no_privilege, reset),
		cmocka_unit_test_setup(a_rate_that_may_not_be_set_comes_with_the_exact_command,
				       reset),
		cmocka_unit_test_setup(a_permitted_rate_is_set_and_the_interface_comes_up, reset),
		cmocka_unit_test_setup(a_virtual_bus_takes_any_rate_and_a_serial_adapter_none,
				       reset),
		cmocka_unit_test(the_kernels_answer_is_read_whole),
		cmocka_unit_test(a_cut_or_damaged_answer_is_never_read_outside),
		cmocka_unit_test(an_interface_that_is_down_is_stopped_whatever_the_driver_says),
		cmocka_unit_test(the_running_kernel_answers_for_its_loopback),
		cmocka_unit_test(every_bus_state_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
