/* SPDX-License-Identifier: MIT */
#include "sim/serve.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/canbits.h"
#include "sim/node.h"

#define RETRY_US BF_MS(1) /* when the interface's queue is full */

struct can {
	struct bf_bus_node node;
	const struct bf_serve *serve;
	int fd;
	bool stuck; /* a frame waits for room in the queue */
	struct bf_frame waiting;
	bf_time retry_at;
};

static bool write_frame(struct can *c, const struct bf_frame *f)
{
	struct canfd_frame out = { .can_id = f->id, .len = f->len };
	bool fd = f->flags & BF_FRAME_FD;

	if (f->flags & BF_FRAME_EXT)
		out.can_id |= CAN_EFF_FLAG;
	if (f->flags & BF_FRAME_BRS)
		out.flags |= CANFD_BRS;
	memcpy(out.data, f->data, f->len);
	/* Anything but a full queue loses the frame; the tester will notice. */
	return write(c->fd, &out, fd ? CANFD_MTU : CAN_MTU) >= 0 ||
	       (errno != ENOBUFS && errno != EAGAIN);
}

static bf_time to_bus(struct bf_bus_node *n, const struct bf_frame *f, bf_time now)
{
	struct can *c = BF_CONTAINER_OF(n, struct can, node);
	uint32_t rate = n->rate;

	if (!c->stuck && !write_frame(c, f)) {
		c->stuck = true;
		c->waiting = *f;
		c->retry_at = now + RETRY_US;
	}
	return now + bf_can_time(f, rate, 4 * rate);
}

static void retry(struct can *c, bf_time now)
{
	c->stuck = !write_frame(c, &c->waiting);
	c->retry_at = now + RETRY_US;
}

static void take_frame(struct can *c, bf_time now)
{
	struct canfd_frame in = { 0 };
	struct bf_frame f = { .at = now };
	ssize_t n = read(c->fd, &in, sizeof(in));

	if ((n != CAN_MTU && n != CANFD_MTU) || in.len > BF_CAN_MAX_DATA ||
	    (in.can_id & CAN_ERR_FLAG))
		return;
	f.id = in.can_id & (in.can_id & CAN_EFF_FLAG ? CAN_EFF_MASK : CAN_SFF_MASK);
	f.len = in.len;
	if (in.can_id & CAN_EFF_FLAG)
		f.flags |= BF_FRAME_EXT;
	if (in.can_id & CAN_RTR_FLAG)
		f.flags |= BF_FRAME_RTR;
	if (n == CANFD_MTU)
		f.flags |= BF_FRAME_FD | (in.flags & CANFD_BRS ? BF_FRAME_BRS : 0);
	memcpy(f.data, in.data, in.len);
	bf_bus_node_frame(&c->node, &f, now);
}

static enum bf_rc open_socket(struct can *c, const char *ifname, struct bf_err *err)
{
	struct sockaddr_can addr = { .can_family = AF_CAN };
	int on = 1, room = 4 << 20;

	addr.can_ifindex = (int)if_nametoindex(ifname);
	if (!addr.can_ifindex)
		return bf_fail_os(err, BF_E_IFACE, errno, "there is no interface '%s'", ifname);
	c->fd = socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
	if (c->fd < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot open a CAN socket");
	/* A virtual bus keeps no pace: a whole message of 585 frames may come at once. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	/* Refused where the interface is classic only: then there are no FD frames to take. */
	(void)setsockopt(c->fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot use '%s'", ifname);
	return BF_OK;
}

static bf_time run(struct can *c, bf_time now)
{
	if (c->stuck && c->retry_at <= now)
		retry(c, now);
	if (c->stuck)
		return c->retry_at;
	if (bf_bus_node_next(&c->node) <= now)
		bf_bus_node_run(&c->node, now);
	return c->stuck ? c->retry_at : bf_bus_node_next(&c->node);
}

static enum bf_rc serve(struct can *c, struct bf_err *err)
{
	struct bf_clock *clock = c->serve->clock;

	for (;;) {
		struct pollfd fd = { .fd = c->fd, .events = POLLIN };
		bf_time until = run(c, bf_now(clock));

		switch (bf_clock_wait(clock, &fd, !c->stuck, until)) {
		case BF_WAIT_CANCELLED:
			return bf_fail(err, BF_E_INTERRUPTED, "stopped");
		case BF_WAIT_READY:
			if (fd.revents & POLLERR)
				return bf_fail(err, BF_E_GONE, "the interface went away");
			take_frame(c, bf_now(clock));
			break;
		case BF_WAIT_DEADLINE:
			break;
		}
	}
}

enum bf_rc bf_sim_serve_can(const struct bf_serve *s, const char *ifname, struct bf_err *err)
{
	struct can c = { .serve = s, .fd = -1 };
	uint32_t rate = bf_pack_opts(s->pack)->rate;
	enum bf_rc rc = open_socket(&c, ifname, err);

	if (!rc) {
		bf_bus_node_init(&c.node, s->pack, rate ? rate : 500000);
		c.node.port.set_rate = NULL;
		c.node.send = to_bus;
		s->ready(s->ctx, ifname);
		rc = serve(&c, err);
		bf_bus_node_done(&c.node);
	}
	if (c.fd >= 0)
		close(c.fd);
	return rc;
}
