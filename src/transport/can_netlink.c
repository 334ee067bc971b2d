/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of a CAN interface, asked in one rtnetlink request that needs no privilege,
 * and the one change that libsocketcan 0.0.12 cannot make: the data bit rate of CAN FD. By hand,
 * because that library also prints to standard error when an attribute is missing or refused, and
 * does not hand on the kernel's errno.
 *
 *	RTM_NEWLINK: nlmsghdr, ifinfomsg, then attributes (length 2, type 2, value, padded to 4):
 *	  IFLA_MTU, IFLA_TXQLEN, IFLA_STATS64, IFLA_LINKINFO { IFLA_INFO_KIND, IFLA_INFO_DATA { IFLA_CAN_* } }
 * Numbers are in the host's byte order.
 */
#include "can_priv.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/can.h>
#include <linux/can/netlink.h>
#include <linux/rtnetlink.h>

#define ANSWER_MAX    16384
#define ATTR_SIZE     4      /* struct rtattr */
#define NLA_TYPE_BITS 0x3fff /* the rest of the type field are flags */

/* ---- reading ---- */

struct attrs {
	const uint8_t *p;
	size_t left;
};

struct attr {
	uint16_t type;
	const uint8_t *p;
	size_t len;
};

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static bool next_attr(struct attrs *a, struct attr *ret)
{
	uint16_t head[2];
	size_t step;

	if (a->left < ATTR_SIZE)
		return false;
	memcpy(head, a->p, sizeof(head));
	if (head[0] < ATTR_SIZE || head[0] > a->left)
		return false;
	*ret = (struct attr){ .type = (uint16_t)(head[1] & NLA_TYPE_BITS),
			      .p = a->p + ATTR_SIZE,
			      .len = head[0] - (size_t)ATTR_SIZE };
	step = padded(head[0]);
	if (step > a->left)
		step = a->left;
	a->p += step;
	a->left -= step;
	return true;
}

/* The first n bytes of a value into a struct; what an older kernel does not send stays 0. */
static void take(const struct attr *a, void *dst, size_t n)
{
	memcpy(dst, a->p, a->len < n ? a->len : n);
}

static uint32_t take_u32(const struct attr *a)
{
	uint32_t v = 0;

	take(a, &v, sizeof(v));
	return v;
}

static enum bf_bus_state state_of(uint32_t can_state)
{
	static const enum bf_bus_state states[] = {
		[CAN_STATE_ERROR_ACTIVE] = BF_BUS_ACTIVE,
		[CAN_STATE_ERROR_WARNING] = BF_BUS_WARNING,
		[CAN_STATE_ERROR_PASSIVE] = BF_BUS_PASSIVE,
		[CAN_STATE_BUS_OFF] = BF_BUS_OFF,
		[CAN_STATE_STOPPED] = BF_BUS_STOPPED,
		[CAN_STATE_SLEEPING] = BF_BUS_STOPPED,
	};

	return can_state < BF_COUNT(states) ? states[can_state] : BF_BUS_UNKNOWN;
}

static void read_controller(struct attrs attrs, struct bf_can_info *info)
{
	struct can_bittiming timing = { 0 };
	struct can_bittiming data_timing = { 0 };
	struct can_berr_counter errors = { 0 };
	struct attr a;

	while (next_attr(&attrs, &a)) {
		if (a.type == IFLA_CAN_BITTIMING)
			take(&a, &timing, sizeof(timing));
		else if (a.type == IFLA_CAN_DATA_BITTIMING)
			take(&a, &data_timing, sizeof(data_timing));
		else if (a.type == IFLA_CAN_BERR_COUNTER)
			take(&a, &errors, sizeof(errors));
		else if (a.type == IFLA_CAN_STATE)
			info->state = state_of(take_u32(&a));
		else if (a.type == IFLA_CAN_RESTART_MS)
			info->restart_ms = take_u32(&a);
		/* A driver offers its range of timings, or a list of rates when it is fixed. */
		if (a.type == IFLA_CAN_BITTIMING_CONST || a.type == IFLA_CAN_BITRATE_CONST)
			info->timed = true;
	}
	info->bitrate = timing.bitrate;
	info->dbitrate = info->mtu >= CANFD_MTU ? data_timing.bitrate : 0;
	info->tx_errors = errors.txerr;
	info->rx_errors = errors.rxerr;
}

static void read_linkinfo(struct attrs attrs, struct bf_can_info *info)
{
	struct attrs data = { 0 };
	struct attr a;

	while (next_attr(&attrs, &a)) {
		if (a.type == IFLA_INFO_KIND)
			take(&a, info->kind, sizeof(info->kind) - 1);
		else if (a.type == IFLA_INFO_DATA)
			data = (struct attrs){ a.p, a.len };
	}
	if (data.p)
		read_controller(data, info);
}

bool bf_can_info_parse(const void *msg, size_t len, struct bf_can_info *ret)
{
	const size_t head = NLMSG_LENGTH(sizeof(struct ifinfomsg));
	struct bf_can_info info = { .state = BF_BUS_UNKNOWN };
	struct nlmsghdr nh;
	struct ifinfomsg ifi;
	struct attrs attrs, linkinfo = { 0 };
	struct attr a;

	if (len < head)
		return false;
	memcpy(&nh, msg, sizeof(nh));
	memcpy(&ifi, (const uint8_t *)msg + NLMSG_HDRLEN, sizeof(ifi));
	if (nh.nlmsg_type != RTM_NEWLINK || nh.nlmsg_len < head || nh.nlmsg_len > len)
		return false;
	info.index = (unsigned)ifi.ifi_index;
	info.is_can = ifi.ifi_type == ARPHRD_CAN;
	info.up = ifi.ifi_flags & IFF_UP;
	attrs = (struct attrs){ (const uint8_t *)msg + head, nh.nlmsg_len - head };
	while (next_attr(&attrs, &a)) {
		if (a.type == IFLA_MTU)
			info.mtu = take_u32(&a);
		else if (a.type == IFLA_TXQLEN)
			info.txqueuelen = take_u32(&a);
		else if (a.type == IFLA_STATS64) /* struct rtnl_link_stats64 begins with it */
			take(&a, &info.rx_packets, sizeof(info.rx_packets));
		else if (a.type == IFLA_LINKINFO)
			linkinfo = (struct attrs){ a.p, a.len };
	}
	if (linkinfo.p)
		read_linkinfo(linkinfo, &info);
	if (!info.up)
		info.state = BF_BUS_STOPPED;
	*ret = info;
	return true;
}

/* ---- talking ---- */

struct request {
	size_t len;
	uint8_t p[256];
};

static void put(struct request *r, const void *p, size_t n)
{
	memcpy(r->p + r->len, p, n); /* all requests are built here and are shorter */
	r->len += padded(n);
}

static void put_attr(struct request *r, uint16_t type, const void *p, size_t n)
{
	uint16_t head[2] = { (uint16_t)(ATTR_SIZE + n), type };

	put(r, head, sizeof(head));
	put(r, p, n);
}

static size_t open_nest(struct request *r, uint16_t type)
{
	size_t at = r->len;

	put_attr(r, type, "", 0);
	return at;
}

static void close_nest(struct request *r, size_t at)
{
	uint16_t len = (uint16_t)(r->len - at);

	memcpy(r->p + at, &len, sizeof(len));
}

static void start(struct request *r, uint16_t type, uint16_t flags, unsigned index)
{
	struct nlmsghdr nh = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	struct ifinfomsg ifi = { .ifi_index = (int)index };

	memset(r, 0, sizeof(*r));
	put(r, &nh, sizeof(nh));
	put(r, &ifi, sizeof(ifi));
}

/* The kernel answers within the send call, so that the receive never has to wait. */
static ssize_t ask(struct request *r, void *answer, size_t cap)
{
	BF_AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	uint32_t len = (uint32_t)r->len;

	if (fd < 0)
		return -1;
	memcpy(r->p, &len, sizeof(len));
	if (send(fd, r->p, r->len, 0) < 0)
		return -1;
	return recv(fd, answer, cap, MSG_DONTWAIT);
}

bool bf_can_query(const char *name, struct bf_can_info *ret)
{
	unsigned index = if_nametoindex(name);
	uint8_t answer[ANSWER_MAX];
	struct request r;
	ssize_t got;

	if (!index)
		return false;
	start(&r, RTM_GETLINK, 0, index);
	got = ask(&r, answer, sizeof(answer));
	return got > 0 && bf_can_info_parse(answer, (size_t)got, ret);
}

/* The reply to a change: 0 or an errno. */
static int acknowledged(const uint8_t *answer, ssize_t got)
{
	struct nlmsgerr result;

	if (got < 0)
		return errno;
	if ((size_t)got < NLMSG_LENGTH(sizeof(result)))
		return EPROTO;
	memcpy(&result, answer + NLMSG_HDRLEN, sizeof(result));
	return -result.error;
}

int bf_can_set_rates(const struct bf_can_info *now, uint32_t bitrate, uint32_t dbitrate)
{
	const struct can_bittiming timing = { .bitrate = bitrate };
	const struct can_bittiming data_timing = { .bitrate = dbitrate };
	const struct can_ctrlmode mode = { .mask = CAN_CTRLMODE_FD,
					   .flags = dbitrate ? CAN_CTRLMODE_FD : 0 };
	uint8_t answer[ANSWER_MAX];
	struct request r;
	size_t info, data;

	start(&r, RTM_NEWLINK, NLM_F_ACK, now->index);
	info = open_nest(&r, IFLA_LINKINFO);
	put_attr(&r, IFLA_INFO_KIND, "can", 3);
	data = open_nest(&r, IFLA_INFO_DATA);
	put_attr(&r, IFLA_CAN_BITTIMING, &timing, sizeof(timing));
	if (dbitrate)
		put_attr(&r, IFLA_CAN_DATA_BITTIMING, &data_timing, sizeof(data_timing));
	/* A controller without FD refuses to be told about it at all. */
	if (dbitrate || now->mtu >= CANFD_MTU)
		put_attr(&r, IFLA_CAN_CTRLMODE, &mode, sizeof(mode));
	close_nest(&r, data);
	close_nest(&r, info);
	return acknowledged(answer, ask(&r, answer, sizeof(answer)));
}
