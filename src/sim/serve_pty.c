/* SPDX-License-Identifier: MIT */
#include "sim/serve.h"

#include <asm/ioctls.h> /* not every C library names TCGETS2 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sim/node.h"

struct pty {
	struct bf_stream_node node;
	const struct bf_serve *serve;
	int master, slave; /* the slave stays open: a tester that closes does not hang us up */
	bool any_rate;
	char path[64];
	const char *link; /* made by us, NULL: none */
};

static void to_tester(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct pty *y = BF_CONTAINER_OF(n, struct pty, node);

	(void)now;
	/* A tester that does not read loses bytes, as on a wire. */
	if (write(y->master, p, len) < 0)
		return;
}

static enum bf_rc set_raw(struct pty *y, uint32_t rate, struct bf_err *err)
{
	struct termios2 tio;

	if (ioctl(y->slave, TCGETS2, &tio) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot read the mode of '%s'", y->path);
	tio.c_iflag = 0;
	tio.c_oflag = 0;
	tio.c_lflag = 0;
	tio.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
	tio.c_ispeed = tio.c_ospeed = rate;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	if (ioctl(y->slave, TCSETS2, &tio) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot set '%s' to raw mode", y->path);
	return BF_OK;
}

static enum bf_rc open_pair(struct pty *y, struct bf_err *err)
{
	y->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (y->master < 0 || grantpt(y->master) || unlockpt(y->master) ||
	    ptsname_r(y->master, y->path, sizeof(y->path)))
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot make a pty");
	y->slave = open(y->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (y->slave < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot open '%s'", y->path);
	return BF_OK;
}

/* Beside it first, then renamed: whoever looks never finds the link half-way. */
static enum bf_rc make_link(struct pty *y, const char *link, struct bf_err *err)
{
	char tmp[512];

	if (!link)
		return BF_OK;
	if (snprintf(tmp, sizeof(tmp), "%s.%d", link, (int)getpid()) >= (int)sizeof(tmp))
		return bf_fail(err, BF_E_USAGE, "'%s' is too long", link);
	if (symlink(y->path, tmp) < 0)
		return bf_fail_os(err, BF_E_USAGE, errno, "cannot make the link '%s'", link);
	if (rename(tmp, link) < 0) {
		int os = errno;

		unlink(tmp);
		return bf_fail_os(err, BF_E_USAGE, os, "cannot make the link '%s'", link);
	}
	y->link = link;
	return BF_OK;
}

static void close_pair(struct pty *y)
{
	if (y->link)
		unlink(y->link);
	if (y->slave >= 0)
		close(y->slave);
	if (y->master >= 0)
		close(y->master);
}

/* The rate that the tester has set; a pty carries it, though it has no use for it. */
static void look_at_rate(struct pty *y)
{
	struct termios2 tio;

	if (ioctl(y->master, TCGETS2, &tio) < 0)
		return;
	y->node.line.tester_rate = y->any_rate ? y->node.line.pack_rate : tio.c_ospeed;
	if (!y->node.line.tester_rate)
		y->node.line.tester_rate = y->node.line.pack_rate;
}

static void take_bytes(struct pty *y, bf_time now)
{
	uint8_t buf[4096];
	ssize_t n = read(y->master, buf, sizeof(buf));

	if (n <= 0)
		return;
	look_at_rate(y);
	bf_uart_from_tester(&y->node.line, buf, (size_t)n, now);
}

static enum bf_rc serve(struct pty *y, struct bf_err *err)
{
	struct bf_clock *clock = y->serve->clock;

	for (;;) {
		struct pollfd fd = { .fd = y->master, .events = POLLIN };
		bf_time now = bf_now(clock);

		while (bf_stream_node_next(&y->node) <= now)
			bf_stream_node_run(&y->node, bf_stream_node_next(&y->node));
		/* What is on the line keeps its rate: more is taken when it has passed. */
		switch (bf_clock_wait(clock, &fd, y->node.line.to_pack.len == 0,
				      bf_stream_node_next(&y->node))) {
		case BF_WAIT_CANCELLED:
			return bf_fail(err, BF_E_INTERRUPTED, "stopped");
		case BF_WAIT_READY:
			take_bytes(y, bf_now(clock));
			break;
		case BF_WAIT_DEADLINE:
			break;
		}
	}
}

enum bf_rc bf_sim_serve_pty(const struct bf_serve *s, const char *link, bool any_rate,
			    struct bf_err *err)
{
	uint32_t rate = bf_pack_opts(s->pack)->rate;
	struct pty *y = calloc(1, sizeof(*y));
	enum bf_rc rc;

	if (!y)
		abort();
	rate = rate ? rate : 115200;
	bf_stream_node_init(&y->node, s->pack, rate);
	y->node.heard = y->node.echo = to_tester;
	y->node.line.any_frames = true;
	y->serve = s;
	y->any_rate = any_rate;
	y->master = y->slave = -1;
	rc = open_pair(y, err);
	if (!rc)
		rc = set_raw(y, rate, err);
	if (!rc)
		rc = make_link(y, link, err);
	if (!rc) {
		s->ready(s->ctx, y->path);
		rc = serve(y, err);
	}
	close_pair(y);
	bf_stream_node_done(&y->node);
	free(y);
	return rc;
}
