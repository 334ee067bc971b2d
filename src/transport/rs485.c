/* SPDX-License-Identifier: MIT */
/*
 * RS485 and other serial lines. Opening a port (who may, who else does) and speaking on it are apart:
 * rs485_hold.c and the backends do the former. Nothing here blocks outside bf_clock_wait.
 */
#include "bmsflash/transport.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rs485_echo.h"
#include "rs485_tty.h"

/* Longest way of an own byte through an adapter and back: FTDI's timer at its default of 16 ms, USB
 * frames, a busy host. */
#define ECHO_GRACE BF_MS(100)
/* Rates within this share of the one asked for work: a UART tolerates about 5 % over ten bits, half of
 * it at each end. */
#define BAUD_TOLERANCE_PERCENT 3
#define DRAIN_STEP             BF_US(200)
#define QUEUE_STEP             BF_MS(1)
#define DEFAULT_BAUD           115200
#define DISCARD_MAX            ((size_t)256 << 10)
/* A new port is there before udev has given it to its group, and services that try every new port let go
 * of it after a moment. */
#define APPEAR_POLL BF_MS(100)
#define SETTLE      BF_SEC(3)

static_assert(BF_ADDRESS_MAX >= PATH_MAX, "a path fits into a name");

struct rs485 {
	struct bf_transport t;
	struct bf_tty *tty; /* NULL: gone, and not opened again yet */
	bool usb;           /* `where` says which device the port belongs to */
	struct bf_tty_where where;
	unsigned modem_mask, modem_on; /* as set by our user */
	struct bf_line line;
	enum bf_rs485_mode direction;
	struct bf_echo echo;
	bool pty;
	bool low_latency;
	int latency_timer_ms;
	bool counts_errors;
	uint64_t errors, lost;    /* as the kernel counted them last */
	uint64_t own_line_errors; /* damaged echo */
	bf_time tx_end;           /* when the last bit will have left the wire */
	bf_time last_heard;       /* foreign bytes */
	bool emptied;             /* the last read got all that the driver had */
};

static struct rs485 *rs485_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct rs485, t);
}

/* ---- waiting and failing ---- */

static enum bf_rc gone(struct rs485 *r, const char *what, int os_errno, struct bf_err *err)
{
	bf_fail_os(err, BF_E_GONE, os_errno, "'%s' disappeared while %s", r->t.name, what);
	bf_likely(err, "the adapter was unplugged, or lost its power");
	bf_likely(err, "the adapter reset itself: weak USB port or hub, or a short on the bus");
	bf_do(err, "plug the adapter in again and repeat the command");
	return BF_E_GONE;
}

static enum bf_rc check_there(struct rs485 *r, const char *what, struct bf_err *err)
{
	return r->tty ? BF_OK : gone(r, what, ENODEV, err);
}

static enum bf_rc io_failed(struct rs485 *r, const char *what, struct bf_err *err)
{
	int e = errno;

	if (e == EIO || e == ENODEV || e == ENXIO || e == EBADF)
		return gone(r, what, e, err);
	return bf_fail_os(err, BF_E_LINK, e, "'%s' failed while %s", r->t.name, what);
}

/* *ret_hup: the other end is gone; what was received before may still be read. */
static enum bf_rc wait_for(struct rs485 *r, short events, bool *ret_hup, const char *what,
			   bf_time deadline, struct bf_err *err)
{
	struct pollfd fd = { .fd = r->tty->fd, .events = events };
	bf_time begin = bf_now(r->t.clock);
	enum bf_wait w = bf_clock_wait(r->t.clock, &fd, 1, deadline);

	r->t.stats.waited_us += bf_now(r->t.clock) - begin;
	switch (w) {
	case BF_WAIT_READY:
		*ret_hup = fd.revents & (POLLHUP | POLLERR | POLLNVAL);
		return BF_OK;
	case BF_WAIT_CANCELLED:
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while %s '%s'", what, r->t.name);
	case BF_WAIT_DEADLINE:
		break;
	}
	return bf_fail(err, BF_E_TIMEOUT, "'%s': the time was up while %s", r->t.name, what);
}

static enum bf_rc pause_until(struct rs485 *r, bf_time at, bf_time deadline, struct bf_err *err)
{
	if (!bf_clock_until(r->t.clock, at < deadline ? at : deadline))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while writing to '%s'", r->t.name);
	if (at > deadline)
		return bf_fail(err, BF_E_TIMEOUT, "'%s': the time was up while writing", r->t.name);
	return BF_OK;
}

/* ---- counters ---- */

static void count_errors(struct rs485 *r)
{
	uint64_t errors, lost;

	if (r->tty && r->counts_errors && bf_tty_errors(r->tty->fd, &errors, &lost)) {
		r->own_line_errors += errors - r->errors;
		r->t.stats.rx_dropped += lost - r->lost;
		r->errors = errors;
		r->lost = lost;
	}
	r->t.stats.echo_bytes = r->echo.removed;
	r->t.stats.echo_damaged = r->echo.damaged;
	r->t.stats.line_errors = r->own_line_errors + r->echo.damaged;
}

static bf_time wire_time(const struct rs485 *r, size_t len)
{
	uint64_t bits = 1u + r->line.data_bits + (r->line.parity != BF_PARITY_NONE ? 1u : 0u) +
			r->line.stop_bits;

	/* A pty has no wire: what was written is at its other end. */
	if (r->pty)
		return 0;
	return (bf_time)(len * bits * 1000000 / r->line.baud) + 1;
}

/* ---- read ---- */

static enum bf_rc collision(struct rs485 *r, struct bf_err *err)
{
	bf_fail(err, BF_E_LINK, "'%s': own bytes came back damaged", r->t.name);
	bf_likely(err,
		  "two devices speak at the same time: same address twice, or a second master");
	bf_likely(err, "A and B swapped, missing termination or bias resistors");
	bf_likely(err, "noise on a long or unshielded cable: try a lower rate with --baud");
	return BF_E_LINK;
}

/* One read without waiting; *ret_n: received, own bytes included. */
static enum bf_rc absorb(struct rs485 *r, size_t *ret_n, struct bf_err *err)
{
	size_t foreign = r->echo.out_len - r->echo.out_pos;
	uint8_t buf[4096];
	ssize_t n = r->tty->ops->read(r->tty, buf, sizeof(buf));
	bool clean;

	if (n < 0)
		return io_failed(r, "reading from", err);
	r->emptied = (size_t)n < sizeof(buf);
	*ret_n = (size_t)n;
	if (n == 0)
		return BF_OK;
	clean = bf_echo_feed(&r->echo, buf, (size_t)n);
	count_errors(r);
	if (r->echo.out_len - r->echo.out_pos > foreign)
		r->last_heard = bf_now(r->t.clock);
	return clean ? BF_OK : collision(r, err);
}

static bool echo_is_over(struct rs485 *r)
{
	return r->echo.n_sent && bf_now(r->t.clock) >= r->tx_end + ECHO_GRACE;
}

static bool take(struct rs485 *r, uint8_t *p, size_t cap, size_t *ret_len)
{
	size_t n = bf_echo_take(&r->echo, p, cap);

	if (!n)
		return false;
	r->t.stats.rx_bytes += n;
	*ret_len = n;
	return true;
}

static enum bf_rc rs485_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			     bf_time deadline, struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	bool hup = false;
	size_t n;

	if (check_there(r, "reading from", err))
		return err->rc;
	for (;;) {
		if (take(r, p, cap, ret_len))
			return BF_OK;
		/* What has come since the driver was emptied ends the wait at once: no read is needed to see it. */
		if (!r->emptied) {
			if (absorb(r, &n, err))
				return err->rc;
			if (n)
				continue;
			if (hup)
				return gone(r, "reading from", EIO, err);
		}
		if (wait_for(r, POLLIN, &hup, "waiting for bytes from", deadline, err) == BF_OK) {
			r->emptied = false;
			continue;
		}
		if (err->rc != BF_E_TIMEOUT || !echo_is_over(r))
			return err->rc;
		/* What looked like the beginning of an echo was somebody else's short answer. */
		bf_echo_expire(&r->echo);
		count_errors(r);
		return take(r, p, cap, ret_len) ? BF_OK : err->rc;
	}
}

static void rs485_discard(struct bf_transport *t)
{
	struct rs485 *r = rs485_of(t);
	struct bf_err ignored;
	size_t n = r->tty ? 1 : 0, dropped = 0;

	/* More than any driver's buffer holds is somebody who does not stop speaking. */
	while (n && dropped < DISCARD_MAX &&
	       (absorb(r, &n, &ignored) == BF_OK || ignored.rc == BF_E_LINK)) {
		bf_echo_discard(&r->echo);
		dropped += n;
	}
	if (echo_is_over(r))
		bf_echo_expire(&r->echo);
	bf_echo_discard(&r->echo);
}

/* ---- write ---- */

/* When to look again whether all has left. The driver's count says "not yet" and no more: cdc_acm counts whole
 * buffers of 10 KiB, which would be a second at 115200 baud. How long it takes is known from what was written. */
static bf_time next_look(const struct rs485 *r, bf_time now, int queued)
{
	bf_time step = queued > 0 ? QUEUE_STEP : DRAIN_STEP;

	return r->tx_end > now + step ? r->tx_end : now + step;
}

static enum bf_rc rs485_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	bf_time now, next;
	int queued;

	if (check_there(r, "draining", err))
		return err->rc;
	for (;;) {
		queued = bf_tty_queued(r->tty->fd);
		if (queued < 0 && (errno == EIO || errno == ENODEV))
			return io_failed(r, "draining", err);
		now = bf_now(t->clock);
		if (queued <= 0 && now >= r->tx_end && bf_tty_shifter_empty(r->tty->fd))
			return BF_OK;
		if (now >= deadline)
			return bf_fail(err, BF_E_TIMEOUT,
				       "'%s' has not sent its last bytes in time", t->name);
		next = next_look(r, now, queued);
		if (pause_until(r, next < deadline ? next : deadline, deadline, err))
			return err->rc;
	}
}

static enum bf_rc write_all(struct rs485 *r, const uint8_t *p, size_t len, bf_time deadline,
			    struct bf_err *err)
{
	bool hup = false;
	bf_time now;
	ssize_t n;

	while (len) {
		n = r->tty->ops->write(r->tty, p, len);
		if (n < 0)
			return io_failed(r, "writing to", err);
		if (n == 0) {
			if (hup)
				return gone(r, "writing to", EIO, err);
			r->t.stats.queue_full++;
			if (wait_for(r, POLLOUT, &hup, "writing to", deadline, err))
				return err->rc;
			continue;
		}
		now = bf_now(r->t.clock);
		r->tx_end = (r->tx_end > now ? r->tx_end : now) + wire_time(r, (size_t)n);
		bf_echo_sent(&r->echo, p, (size_t)n);
		r->t.stats.tx_bytes += (uint64_t)n;
		p += n;
		len -= (size_t)n;
	}
	return BF_OK;
}

static enum bf_rc rs485_write(struct bf_transport *t, const uint8_t *p, size_t len,
			      bf_time deadline, struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	enum bf_rc rc;

	if (check_there(r, "writing to", err))
		return err->rc;
	if (r->line.guard_us && r->last_heard &&
	    pause_until(r, r->last_heard + r->line.guard_us, deadline, err))
		return err->rc;
	if (echo_is_over(r))
		bf_echo_expire(&r->echo);
	if (r->direction != BF_RS485_RTS)
		return write_all(r, p, len, deadline, err);
	bf_tty_rts(r->tty->fd, !r->line.rts_active_low);
	rc = write_all(r, p, len, deadline, err);
	if (!rc)
		rc = rs485_drain(t, deadline, err);
	bf_tty_rts(r->tty->fd, r->line.rts_active_low);
	return rc;
}

/* ---- line settings ---- */

static enum bf_rc check_rate(struct rs485 *r, const struct bf_line *line, struct bf_err *err)
{
	uint32_t real = bf_tty_real_baud(r->tty->fd);
	uint32_t off = real > line->baud ? real - line->baud : line->baud - real;

	if (!real || (uint64_t)off * 100 <= (uint64_t)line->baud * BAUD_TOLERANCE_PERCENT)
		return BF_OK;
	bf_fail(err, BF_E_IFACE, "'%s' cannot do %u baud: it would run at %u", r->t.name,
		line->baud, real);
	bf_do(err, "take another rate with --baud");
	return BF_E_IFACE;
}

static enum bf_rc rs485_set_line(struct bf_transport *t, const struct bf_line *line,
				 struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	struct bf_line want = *line;
	enum bf_rs485_mode direction;

	if (check_there(r, "setting the line of", err))
		return err->rc;
	if (!want.baud)
		want.baud = DEFAULT_BAUD;
	if (!want.stop_bits)
		want.stop_bits = 1;
	if (!want.data_bits)
		want.data_bits = 8;
	if (want.stop_bits > 2)
		return bf_fail(err, BF_E_USAGE, "%u stop bits, but a line has 1 or 2",
			       want.stop_bits);
	if (want.data_bits < 5 || want.data_bits > 8)
		return bf_fail(err, BF_E_USAGE, "%u data bits, but a line has 5 to 8",
			       want.data_bits);
	if (r->tty->ops->set_line(r->tty, &want, err) || check_rate(r, &want, err) ||
	    bf_tty_direction(r->tty, &want, &direction, err))
		return err->rc;
	r->line = want;
	r->direction = direction;
	return BF_OK;
}

static void rs485_report(struct bf_transport *t, struct bf_line_report *ret)
{
	struct rs485 *r = rs485_of(t);
	uint32_t real = r->tty ? bf_tty_real_baud(r->tty->fd) : 0;

	*ret = (struct bf_line_report){
		.real_baud = real ? real : r->line.baud,
		.rs485 = r->direction,
		.low_latency = r->low_latency,
		.latency_timer_ms = r->latency_timer_ms,
		.echo = r->echo.own_heard || r->echo.mode == BF_ECHO_PRESENT,
		.modem_lines = r->tty && bf_tty_has_modem_lines(r->tty->fd),
		.full_duplex = r->tty && bf_tty_is_acm(r->tty->fd),
	};
	if (r->tty && r->latency_timer_ms > 1)
		bf_tty_latency_command(ret->latency_command, sizeof(ret->latency_command),
				       r->tty->path);
	count_errors(r);
}

/* ---- modem lines and break ---- */

static enum bf_rc no_lines(struct rs485 *r, const char *what, struct bf_err *err)
{
	bf_fail(err, BF_E_UNSUPPORTED, "'%s' has no %s", r->t.name, what);
	if (r->pty)
		bf_likely(err, "it is a pty, which carries bytes only");
	return BF_E_UNSUPPORTED;
}

static enum bf_rc rs485_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
				  struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);

	if (check_there(r, "setting the modem lines of", err))
		return err->rc;
	if (!bf_tty_has_modem_lines(r->tty->fd))
		return no_lines(r, "modem lines (RTS, DTR)", err);
	if ((mask & BF_MODEM_RTS) && r->direction != BF_RS485_ADAPTER)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "RTS of '%s' switches the RS485 direction and cannot be set",
			       t->name);
	if (!bf_tty_set_modem(r->tty->fd, mask, on))
		return io_failed(r, "setting the modem lines of", err);
	r->modem_mask |= mask;
	r->modem_on = (r->modem_on & ~mask) | (on & mask);
	return BF_OK;
}

static enum bf_rc rs485_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	bool whole;

	if (check_there(r, "sending a break to", err) ||
	    rs485_drain(t, bf_in(t->clock, BF_SEC(1)), err))
		return err->rc;
	if (r->pty || !bf_tty_break(r->tty->fd, true))
		return r->pty || errno == ENOTTY || errno == EINVAL
			       ? no_lines(r, "way to send a break", err)
			       : io_failed(r, "sending a break to", err);
	whole = bf_clock_until(t->clock, bf_in(t->clock, duration));
	if (!bf_tty_break(r->tty->fd, false))
		return io_failed(r, "ending a break on", err);
	return whole ? BF_OK
		     : bf_fail(err, BF_E_INTERRUPTED, "stopped while sending a break to '%s'",
			       t->name);
}

/* ---- open and close ---- */

static void let_go(struct rs485 *r)
{
	if (!r->tty)
		return;
	bf_tty_release(r->tty);
	r->tty->ops->close(r->tty);
	r->tty = NULL;
}

static void rs485_close(struct bf_transport *t)
{
	struct rs485 *r = rs485_of(t);

	let_go(r);
	bf_echo_done(&r->echo);
	free(r);
}

/* The name that the user gave, as a path. */
static enum bf_rc full_path(const char *address, char full[PATH_MAX], struct bf_err *err)
{
	if (snprintf(full, PATH_MAX, "%s%s", strchr(address, '/') ? "" : "/dev/", address) >=
	    PATH_MAX)
		return bf_tty_explain_open(address, address, ENAMETOOLONG, err);
	return BF_OK;
}

/* The device's own path: "ttyUSB0" and links in /dev/serial/by-id lead to the same. */
static enum bf_rc resolve(const char *address, char path[PATH_MAX], struct bf_err *err)
{
	char full[PATH_MAX];
	struct stat st;

	if (full_path(address, full, err))
		return err->rc;
	if (!realpath(full, path))
		return bf_tty_explain_open(full, address, errno, err);
	if (stat(path, &st) < 0)
		return bf_tty_explain_open(path, address, errno, err);
	if (!S_ISCHR(st.st_mode))
		return bf_tty_explain_open(path, address, ENOTTY, err);
	return bf_tty_check_lock_file(path, address, err);
}

/* The same port again: a link is the user's word for it, and what the kernel named is known by its USB device. */
static enum bf_rc resolve_again(struct rs485 *r, char path[PATH_MAX], struct bf_err *err)
{
	char full[PATH_MAX];

	if (full_path(r->t.name, full, err))
		return err->rc;
	if (!r->usb || (realpath(full, path) && strcmp(full, path) != 0))
		return resolve(r->t.name, path, err);
	if (!bf_tty_find("", &r->where, path, PATH_MAX))
		return bf_tty_explain_open(full, r->t.name, ENOENT, err);
	return bf_tty_check_lock_file(path, r->t.name, err);
}

static enum bf_rc open_tty(const char *path, const char *address, struct bf_tty **ret,
			   struct bf_err *err)
{
	int e = bf_tty_is_pty(path) ? ENOTTY : bf_tty_open_port(path, ret);

	if (e == ENOTTY)
		e = bf_tty_open_raw(path, ret);
	return e ? bf_tty_explain_open(path, address, e, err) : BF_OK;
}

static void ask_low_latency(struct rs485 *r)
{
	r->low_latency = bf_tty_low_latency(r->tty, &r->latency_timer_ms);
}

static void warn_of_services(const struct rs485 *r)
{
	struct bf_who who;

	for (size_t i = 0; !r->pty && i < BF_COUNT(bf_tty_services); i++) {
		if (bf_who_runs("", bf_tty_services[i].command, &who))
			bf_log(r->t.log, BF_LOG_INFO,
			       "'%s' is running (pid %d): %s; bmsflash probe --doctor tells more",
			       who.command, who.pid, bf_tty_services[i].harm);
	}
}

/* Takes the device at this path, with these settings. On failure nothing is held. */
static enum bf_rc take_port(struct rs485 *r, const char *path, const struct bf_line *line,
			    struct bf_err *err)
{
	if (open_tty(path, r->t.name, &r->tty, err))
		return err->rc;
	r->pty = bf_tty_is_pty(path);
	if (bf_tty_claim(r->tty, r->t.name, err) || rs485_set_line(&r->t, line, err)) {
		let_go(r);
		return err->rc;
	}
	ask_low_latency(r);
	r->counts_errors = bf_tty_errors(r->tty->fd, &r->errors, &r->lost);
	r->tx_end = r->last_heard = 0;
	bf_echo_reset(&r->echo);
	rs485_discard(&r->t); /* what was said before we listened is nobody's answer */
	return BF_OK;
}

static enum bf_rc try_again(struct rs485 *r, struct bf_err *err)
{
	struct bf_line line = r->line;
	char path[PATH_MAX];

	bf_err_init(err);
	if (resolve_again(r, path, err) || take_port(r, path, &line, err))
		return err->rc;
	if (r->modem_mask)
		(void)bf_tty_set_modem(r->tty->fd, r->modem_mask, r->modem_on);
	r->t.stats.reopened++;
	bf_log(r->t.log, BF_LOG_INFO, "'%s' is back: %s", r->t.name, path);
	return BF_OK;
}

/* Not there, or there and already broken off again. */
static bool is_absent(const struct bf_err *err)
{
	static const int absent[] = { ENOENT, ENODEV, ENXIO, ENOTDIR, EIO };

	for (size_t i = 0; i < BF_COUNT(absent); i++) {
		if (err->os == absent[i])
			return true;
	}
	return err->rc == BF_E_GONE;
}

static void not_back(struct rs485 *r, struct bf_err *err)
{
	bf_fail_os(err, BF_E_TIMEOUT, err->os, "'%s' disappeared and did not come back", r->t.name);
	bf_likely(err, "the adapter, or the pack that feeds it, has lost its power");
	bf_likely(err, "it came back in another USB socket or under another name");
	bf_next(err, "bmsflash probe");
}

static enum bf_rc rs485_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct rs485 *r = rs485_of(t);
	bf_time settled = BF_NEVER, now, next;

	let_go(r);
	while (try_again(r, err)) {
		now = bf_now(t->clock);
		if (is_absent(err))
			settled = BF_NEVER;
		else if (settled == BF_NEVER)
			settled = bf_in(t->clock, SETTLE);
		if (now >= settled)
			break;
		if (now >= deadline) {
			if (is_absent(err))
				not_back(r, err);
			break;
		}
		next = bf_in(t->clock, APPEAR_POLL);
		if (!bf_clock_until(t->clock, next < deadline ? next : deadline))
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped while waiting for '%s' to come back", t->name);
	}
	return r->tty ? BF_OK : err->rc;
}

static const struct bf_stream_ops stream_ops = {
	.write = rs485_write,
	.read = rs485_read,
	.drain = rs485_drain,
	.discard = rs485_discard,
	.set_line = rs485_set_line,
	.report = rs485_report,
	.set_modem = rs485_set_modem,
	.send_break = rs485_send_break,
	.reopen = rs485_reopen,
};

static const struct bf_transport_ops rs485_ops = {
	.name = "rs485",
	.wire = BF_WIRE_STREAM,
	.stream = &stream_ops,
	.close = rs485_close,
};

static enum bf_rc rs485_open(const struct bf_open_env *env, const char *address,
			     struct bf_transport **ret, struct bf_err *err)
{
	BF_AUTO(bf_transport) *owner = NULL;
	struct rs485 *r;
	char path[PATH_MAX];

	if (resolve(address, path, err))
		return bf_while(err, "opening '%s'", address);
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->t.ops = &rs485_ops;
	r->t.clock = env->clock;
	r->t.log = env->log;
	r->usb = bf_tty_where("", path, &r->where);
	snprintf(r->t.name, sizeof(r->t.name), "%s", address);
	owner = &r->t;
	if (take_port(r, path, &env->line, err))
		return bf_while(err, "opening '%s'", address);
	warn_of_services(r);
	*ret = bf_steal(&owner);
	return BF_OK;
}

/* A path, or the bare name of a serial device; "sim:state=/tmp/x" is neither. */
static bool rs485_match(const char *address)
{
	const char *slash = strchr(address, '/');
	const char *colon = strchr(address, ':');

	if (slash)
		return !colon || colon > slash;
	return strncmp(address, "tty", 3) == 0 || strncmp(address, "rfcomm", 6) == 0;
}

const struct bf_driver bf_driver_rs485 = {
	.name = "rs485",
	.summary = "RS485 and serial ports, ptys",
	.address_help = "/dev/ttyUSB0, ttyUSB0, /dev/serial/by-id/... (serial port)",
	.match = rs485_match,
	.open = rs485_open,
	.list = bf_tty_list,
	.diagnose = bf_tty_diagnose,
};
