/* SPDX-License-Identifier: MIT */
/*
 * The driver on real ports through libserialport: BF_TTY_A and BF_TTY_B name two that are wired to each
 * other, BF_TTY_USB one that the shell commands BF_TTY_PLUG and BF_TTY_UNPLUG bring and take away
 * (rs485_on_kernel makes both on the bench of tests/vm). Without them there is nothing to test.
 */
#include "../unit.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/transport.h"
#include "transport/rs485_tty.h"

struct pair {
	struct bf_clock *clock;
	struct bf_transport *a, *b;
	struct bf_err err;
};

static enum bf_rc open_end(struct pair *p, const char *variable, struct bf_transport **ret)
{
	struct bf_open_env env = { .clock = p->clock };

	bf_err_init(&p->err);
	return bf_transport_open(&env, getenv(variable), ret, &p->err);
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		return -1;
	p->clock = bf_clock_real_new(-1);
	*state = p;
	if (open_end(p, "BF_TTY_A", &p->a) || open_end(p, "BF_TTY_B", &p->b)) {
		fprintf(stderr, "%s\n", p->err.cause);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	bf_transport_close(p->a);
	bf_transport_close(p->b);
	bf_clock_free(p->clock);
	free(p);
	return 0;
}

static void set_both(struct pair *p, const struct bf_line *line)
{
	assert_int_equal(p->a->ops->stream->set_line(p->a, line, &p->err), BF_OK);
	assert_int_equal(p->b->ops->stream->set_line(p->b, line, &p->err), BF_OK);
}

/* The two directions differ: a reply that repeats the request cannot be told from an echo. */
static void carry(struct pair *p, struct bf_transport *from, struct bf_transport *to)
{
	const uint8_t salt = from == p->a ? 0x5A : 0xA5;
	uint8_t out[256], in[256];
	size_t at = 0, n;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i ^ salt);
	assert_int_equal(from->ops->stream->write(from, out, sizeof(out),
						  bf_in(p->clock, BF_SEC(5)), &p->err),
			 BF_OK);
	assert_int_equal(from->ops->stream->drain(from, bf_in(p->clock, BF_SEC(5)), &p->err),
			 BF_OK);
	while (at < sizeof(in)) {
		if (to->ops->stream->read(to, in + at, sizeof(in) - at, &n,
					  bf_in(p->clock, BF_SEC(5)), &p->err))
			fail_msg("%zu of %zu bytes, %llu line errors, %llu lost: %s", at,
				 sizeof(in), (unsigned long long)to->stats.line_errors,
				 (unsigned long long)to->stats.rx_dropped, p->err.cause);
		at += n;
	}
	assert_memory_equal(in, out, sizeof(out));
}

static void every_byte_value_passes_both_ways_at_every_setting(void **state)
{
	static const struct bf_line lines[] = {
		{ .baud = 115200 },
		{ .baud = 57600, .parity = BF_PARITY_EVEN },
		{ .baud = 38400, .parity = BF_PARITY_ODD, .stop_bits = 2 },
		{ .baud = 115200, .rs485 = BF_RS485_ADAPTER },
		{ .baud = 115200, .rs485 = BF_RS485_RTS },
		{ .baud = 115200, .rs485 = BF_RS485_RTS, .rts_active_low = true },
	};
	struct pair *p = *state;

	for (size_t i = 0; i < BF_COUNT(lines); i++) {
		set_both(p, &lines[i]);
		carry(p, p->a, p->b);
		carry(p, p->b, p->a);
	}
}

static void draining_takes_the_time_of_the_wire(void **state)
{
	const struct bf_line slow = { .baud = 9600 };
	struct pair *p = *state;
	bf_time begin = bf_now(p->clock);

	set_both(p, &slow);
	carry(p, p->a, p->b);
	/* 256 bytes of 10 bits at 9600 baud: 267 ms */
	assert_true(bf_now(p->clock) - begin >= BF_MS(260));
}

static void the_report_tells_what_the_port_really_does(void **state)
{
	struct pair *p = *state;
	struct bf_line_report report;

	p->a->ops->stream->report(p->a, &report);
	assert_int_equal(report.real_baud, 115200);
	assert_true(report.modem_lines);
	/* Nobody set this port up for RS485, and nothing asked for it. */
	assert_int_equal(report.rs485, BF_RS485_ADAPTER);
	assert_false(report.echo);
}

static void a_rate_that_the_port_cannot_do_is_refused_with_the_real_one(void **state)
{
	const struct bf_line fast = { .baud = 3000000 };
	struct pair *p = *state;
	struct bf_line_report report;
	enum bf_rc rc = p->a->ops->stream->set_line(p->a, &fast, &p->err);

	p->a->ops->stream->report(p->a, &report);
	if (rc == BF_OK) {
		assert_int_equal(report.real_baud, 3000000);
		return;
	}
	assert_int_equal(rc, BF_E_IFACE);
	assert_non_null(strstr(p->err.cause, "3000000"));
}

static void a_second_opener_learns_who_has_it(void **state)
{
	struct pair *p = *state;
	struct bf_transport *again;
	char pid[32];

	assert_int_equal(open_end(p, "BF_TTY_A", &again), BF_E_BUSY);
	snprintf(pid, sizeof(pid), "pid %d", getpid());
	assert_non_null(strstr(p->err.cause, pid));
	p->a = bf_transport_close(p->a);
	assert_int_equal(open_end(p, "BF_TTY_A", &p->a), BF_OK);
	carry(p, p->a, p->b);
}

/* libserialport itself claims nothing; our claim makes its sp_open fail with the kernel's EBUSY. Root may open what is
 * claimed: a child without that right, in the group of the port, asks. */
static void libserialport_reports_a_claimed_port_as_ebusy(void **state)
{
	const char *path = getenv("BF_TTY_A");
	struct bf_tty *tty;
	struct stat st;
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	child = fork();
	if (!child) {
		if (setgroups(0, NULL) || setgid(st.st_gid) || setuid(65534))
			_exit(255);
		_exit(bf_tty_open_port(path, &tty));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), EBUSY);
}

static void note(void *ctx, const struct bf_candidate *c)
{
	bool *seen = ctx;

	if (strcmp(c->address, getenv("BF_TTY_A")) == 0) {
		*seen = true;
		assert_true(c->what[0]);
		assert_false(c->usable);
		assert_non_null(strstr(c->why, "in use by"));
	}
}

static void the_list_shows_the_port_and_that_it_is_held(void **state)
{
	bool seen = false;

	(void)state;
	bf_tty_list(note, &seen);
	assert_true(seen);
}

static void an_unplugged_adapter_is_gone(void **state)
{
	struct bf_clock *clock = bf_clock_real_new(-1);
	struct bf_open_env env = { .clock = clock };
	struct bf_line_report report;
	struct bf_transport *t;
	struct bf_err err;
	uint8_t b = 0;
	size_t n;

	(void)state;
	bf_err_init(&err);
	if (bf_transport_open(&env, getenv("BF_TTY_USB"), &t, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(t->ops->stream->read(t, &b, 1, &n, bf_in(clock, BF_MS(1)), &err),
			 BF_E_TIMEOUT);
	assert_int_equal(system(getenv("BF_TTY_UNPLUG")), 0);
	assert_int_equal(t->ops->stream->read(t, &b, 1, &n, bf_in(clock, BF_SEC(5)), &err),
			 BF_E_GONE);
	assert_non_null(strstr(err.cause, "disappeared while reading"));
	assert_true(err.n_likely > 0 && (err.next[0] || err.todo[0]));
	assert_int_equal(t->ops->stream->write(t, &b, 1, bf_in(clock, BF_SEC(1)), &err), BF_E_GONE);
	t->ops->stream->report(t, &report);
	bf_transport_close(t);
	assert_int_equal(bf_transport_open(&env, getenv("BF_TTY_USB"), &t, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "there is no serial port"));
	bf_clock_free(clock);
}

/* cdc_acm counts what is queued in whole buffers: 12 bytes at 9600 baud take 13 ms, a buffer takes 10 s. */
static void draining_an_adapter_that_counts_buffers_takes_the_time_of_the_bytes(void **state)
{
	struct bf_clock *clock = bf_clock_real_new(-1);
	struct bf_open_env env = { .clock = clock, .line = { .baud = 9600 } };
	static const uint8_t bytes[12];
	struct bf_transport *t;
	struct bf_err err;
	bf_time begin;

	(void)state;
	bf_err_init(&err);
	if (bf_transport_open(&env, getenv("BF_TTY_USB"), &t, &err))
		fail_msg("%s", err.cause);
	for (int i = 0; i < 10; i++) {
		begin = bf_now(clock);
		assert_int_equal(t->ops->stream->write(t, bytes, sizeof(bytes),
						       bf_in(clock, BF_SEC(20)), &err),
				 BF_OK);
		assert_int_equal(t->ops->stream->drain(t, bf_in(clock, BF_SEC(20)), &err), BF_OK);
		assert_in_range(bf_now(clock) - begin, BF_MS(12), BF_SEC(2));
	}
	bf_transport_close(t);
	bf_clock_free(clock);
}

/* A port that vanished reads as silent: that it hung up is told by poll alone. Whatever is done to it is EIO. */
static void libserialport_reports_a_vanished_port(void **state)
{
	const struct bf_line line = { .baud = 57600, .stop_bits = 1 };
	struct pollfd pfd = { .events = POLLIN };
	struct bf_tty *tty;
	struct bf_err err;
	uint8_t b = 0;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(bf_tty_open_port(getenv("BF_TTY_USB"), &tty), 0);
	assert_int_equal(tty->ops->read(tty, &b, 1), 0);
	assert_int_equal(system(getenv("BF_TTY_UNPLUG")), 0);
	pfd.fd = tty->fd;
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_true(pfd.revents & POLLHUP);
	assert_int_equal(tty->ops->read(tty, &b, 1), 0);
	assert_int_equal(tty->ops->write(tty, &b, 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(tty->ops->set_line(tty, &line, &err), BF_E_GONE);
	tty->ops->close(tty);
	assert_int_equal(bf_tty_open_port(getenv("BF_TTY_USB"), &tty), ENOTTY);
}

static int plug_in(void **state)
{
	(void)state;
	(void)!system(getenv("BF_TTY_PLUG")); /* fails where it is plugged in */
	for (int i = 0; i < 100; i++) {
		if (access(getenv("BF_TTY_USB"), R_OK | W_OK) == 0)
			return 0;
		usleep(100000);
	}
	return -1;
}

#define PLUGGED(f) cmocka_unit_test_setup(f, plug_in)

static int run_unplug(void)
{
	const struct CMUnitTest tests[] = {
		PLUGGED(draining_an_adapter_that_counts_buffers_takes_the_time_of_the_bytes),
		PLUGGED(libserialport_reports_a_vanished_port),
		PLUGGED(an_unplugged_adapter_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_byte_value_passes_both_ways_at_every_setting),
		T(draining_takes_the_time_of_the_wire),
		T(the_report_tells_what_the_port_really_does),
		T(a_rate_that_the_port_cannot_do_is_refused_with_the_real_one),
		T(a_second_opener_learns_who_has_it),
		T(libserialport_reports_a_claimed_port_as_ebusy),
		T(the_list_shows_the_port_and_that_it_is_held),
	};

	if (getenv("BF_TTY_USB") && getenv("BF_TTY_UNPLUG") && getenv("BF_TTY_PLUG"))
		return run_unplug();
	if (!getenv("BF_TTY_A") || !getenv("BF_TTY_B")) {
		printf("1..0 # SKIP BF_TTY_A and BF_TTY_B name no wired pair of ports\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
