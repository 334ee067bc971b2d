/* SPDX-License-Identifier: MIT */
/* The driver on a pty: everything that needs no real UART. The master end plays the pack. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/transport.h"
#include "transport/rs485_tty.h"

extern const struct bf_driver bf_driver_rs485;

struct rig {
	struct bf_clock *clock;
	int master;
	char path[64];
	struct bf_transport *t;
	struct bf_err err;
};

static enum bf_rc open_with(struct rig *g, const struct bf_line *line, struct bf_transport **ret)
{
	struct bf_open_env env = { .clock = g->clock, .line = *line };

	bf_err_init(&g->err);
	return bf_driver_rs485.open(&env, g->path, ret, &g->err);
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct bf_line line = { 0 };

	if (!g)
		return -1;
	g->clock = bf_clock_real_new(-1);
	g->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (g->master < 0 || grantpt(g->master) || unlockpt(g->master) ||
	    ptsname_r(g->master, g->path, sizeof(g->path)))
		return -1;
	*state = g;
	return open_with(g, &line, &g->t) ? -1 : 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	bf_transport_close(g->t);
	if (g->master >= 0)
		close(g->master);
	bf_clock_free(g->clock);
	free(g);
	return 0;
}

static void pack_says(struct rig *g, const char *text)
{
	assert_int_equal(write(g->master, text, strlen(text)), strlen(text));
}

static enum bf_rc say(struct rig *g, const char *text)
{
	return g->t->ops->stream->write(g->t, (const uint8_t *)text, strlen(text),
					bf_in(g->clock, BF_SEC(2)), &g->err);
}

static enum bf_rc hear(struct rig *g, bf_time wait, char *dst, size_t cap)
{
	size_t n = 0;
	enum bf_rc rc = g->t->ops->stream->read(g->t, (uint8_t *)dst, cap - 1, &n,
						bf_in(g->clock, wait), &g->err);

	dst[n] = '\0';
	return rc;
}

static void assert_hears(struct rig *g, const char *want)
{
	char got[256];
	size_t n = 0;

	while (n < strlen(want)) {
		assert_int_equal(hear(g, BF_SEC(2), got + n, sizeof(got) - n), BF_OK);
		n += strlen(got + n);
	}
	assert_string_equal(got, want);
}

static void bytes_pass_both_ways_unchanged(void **state)
{
	static const uint8_t all[] = { 0x00, 0x03, 0x04, 0x0A, 0x0D, 0x11, 0x13, 0x1A, 0x7F, 0xFF };
	struct rig *g = *state;
	uint8_t got[16];
	size_t n = 0;

	assert_int_equal(g->t->ops->stream->write(g->t, all, sizeof(all), BF_NEVER, &g->err),
			 BF_OK);
	assert_int_equal(g->t->ops->stream->drain(g->t, bf_in(g->clock, BF_SEC(1)), &g->err),
			 BF_OK);
	assert_int_equal(read(g->master, got, sizeof(got)), sizeof(all));
	assert_memory_equal(got, all, sizeof(all));
	assert_int_equal(write(g->master, "\x11", 1), 1);
	assert_int_equal(write(g->master, all, sizeof(all)), sizeof(all));
	while (n < sizeof(all) + 1) {
		size_t more;

		assert_int_equal(g->t->ops->stream->read(g->t, got + n, sizeof(got) - n, &more,
							 bf_in(g->clock, BF_SEC(2)), &g->err),
				 BF_OK);
		n += more;
	}
	assert_memory_equal(got + 1, all, sizeof(all));
	assert_int_equal(g->t->stats.tx_bytes, sizeof(all));
	assert_int_equal(g->t->stats.rx_bytes, sizeof(all) + 1);
}

static void an_echoing_adapter_is_recognised_and_its_echo_removed(void **state)
{
	struct rig *g = *state;
	struct bf_line_report report;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(say(g, "request"), BF_OK);
		pack_says(g, "request");
		pack_says(g, "answer");
		assert_hears(g, "answer");
	}
	g->t->ops->stream->report(g->t, &report);
	assert_true(report.echo);
	assert_int_equal(g->t->stats.echo_bytes, 3 * 7);
	assert_int_equal(g->t->stats.echo_damaged, 0);
}

static void a_damaged_echo_is_a_line_error_with_its_causes(void **state)
{
	struct rig *g = *state;
	char got[32];

	say(g, "request");
	pack_says(g, "requestanswer");
	assert_hears(g, "answer");
	say(g, "request");
	pack_says(g, "reQuest");
	assert_int_equal(hear(g, BF_SEC(1), got, sizeof(got)), BF_E_LINK);
	assert_true(g->err.n_likely > 0);
	assert_int_equal(g->t->stats.echo_damaged, 1);
	assert_int_equal(g->t->stats.line_errors, 1);
}

static void a_line_without_echo_gives_the_reply_at_once(void **state)
{
	struct rig *g = *state;
	struct bf_line_report report;

	say(g, "request");
	pack_says(g, "answer");
	assert_hears(g, "answer");
	g->t->ops->stream->report(g->t, &report);
	assert_false(report.echo);
	assert_int_equal(g->t->stats.echo_bytes, 0);
}

static void the_peer_that_goes_away_is_reported_as_gone(void **state)
{
	struct rig *g = *state;
	char got[32];

	pack_says(g, "last words");
	close(g->master);
	g->master = -1;
	for (int i = 0; i < 2 && hear(g, BF_SEC(1), got, sizeof(got)) == BF_OK; i++)
		;
	assert_int_equal(g->err.rc, BF_E_GONE);
	assert_non_null(strstr(g->err.cause, g->path));
	assert_int_equal(say(g, "hello"), BF_E_GONE);
}

static void a_held_port_names_its_holder(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { 0 };
	struct bf_transport *second = NULL;
	char pid[32];

	assert_int_equal(open_with(g, &line, &second), BF_E_BUSY);
	snprintf(pid, sizeof(pid), "pid %d", getpid());
	assert_non_null(strstr(g->err.cause, pid));
	assert_non_null(strstr(g->err.cause, "test_rs485"));
	assert_non_null(strstr(g->err.next, "kill"));
}

static void closing_lets_the_next_one_in(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { 0 };

	g->t = bf_transport_close(g->t);
	assert_int_equal(open_with(g, &line, &g->t), BF_OK);
}

static void closing_takes_the_mark_of_exclusive_use_away(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { 0 };
	int exclusive = -1;
	int other;

	g->t = bf_transport_close(g->t);
	other = open(g->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(open_with(g, &line, &g->t), BF_OK);
	assert_int_equal(ioctl(other, TIOCGEXCL, &exclusive), 0);
	assert_int_equal(exclusive, 1);
	g->t = bf_transport_close(g->t);
	assert_int_equal(ioctl(other, TIOCGEXCL, &exclusive), 0);
	assert_int_equal(exclusive, 0);
	close(other);
}

static void any_rate_is_taken_and_the_real_one_reported(void **state)
{
	static const uint32_t rates[] = { 300, 115200, 250000, 921600, 1234567, 3000000 };
	struct rig *g = *state;
	struct bf_line_report report;

	for (size_t i = 0; i < BF_COUNT(rates); i++) {
		struct bf_line line = { .baud = rates[i],
					.parity = BF_PARITY_EVEN,
					.stop_bits = 2 };

		assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_OK);
		g->t->ops->stream->report(g->t, &report);
		assert_int_equal(report.real_baud, rates[i]);
	}
}

static void a_pty_has_no_direction_and_no_modem_lines_and_that_is_well(void **state)
{
	struct rig *g = *state;
	struct bf_line rts = { .rs485 = BF_RS485_RTS };
	struct bf_line_report report;

	g->t->ops->stream->report(g->t, &report);
	assert_int_equal(report.real_baud, 115200);
	assert_int_equal(report.rs485, BF_RS485_ADAPTER);
	assert_int_equal(report.latency_timer_ms, -1);
	assert_false(report.modem_lines);
	assert_int_equal(g->t->ops->stream->set_line(g->t, &rts, &g->err), BF_E_IFACE);
	assert_non_null(strstr(g->err.cause, "RTS"));
}

static void a_pty_says_that_it_has_no_modem_lines_and_no_break(void **state)
{
	struct rig *g = *state;

	assert_int_equal(bf_stream_set_modem(g->t, BF_MODEM_RTS, 0, &g->err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(g->err.cause, "has no modem lines"));
	assert_int_equal(bf_stream_send_break(g->t, BF_MS(1), &g->err), BF_E_UNSUPPORTED);
	assert_true(g->err.cause[0]);
}

/* A pack that restarts with its own port: the old one ends, a link leads to a new one. */
static void a_port_that_came_back_behind_its_link_is_opened_again(void **state)
{
	struct rig *g = *state;
	char link[] = "/tmp/bmsflash-link.XXXXXX", path[64];
	struct bf_line line = { .baud = 57600 };
	struct bf_transport *t;
	int second;

	bf_transport_close(g->t);
	g->t = NULL;
	assert_int_equal(close(mkstemp(link)), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(g->path, link), 0);
	snprintf(g->path, sizeof(g->path), "%s", link);
	assert_int_equal(open_with(g, &line, &g->t), BF_OK);
	t = g->t;

	close(g->master);
	unlink(link);
	assert_int_equal(say(g, "lost"), BF_E_GONE);
	assert_int_equal(bf_transport_reopen(t, bf_in(g->clock, BF_MS(20)), &g->err), BF_E_TIMEOUT);
	assert_true(g->err.n_likely > 0);
	assert_int_equal(say(g, "lost"), BF_E_GONE);
	assert_int_equal(t->ops->stream->set_line(t, &line, &g->err), BF_E_GONE);

	second = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	assert_true(second >= 0 && grantpt(second) == 0 && unlockpt(second) == 0);
	assert_int_equal(ptsname_r(second, path, sizeof(path)), 0);
	assert_int_equal(symlink(path, link), 0);
	g->master = second;
	assert_int_equal(bf_transport_reopen(t, bf_in(g->clock, BF_SEC(5)), &g->err), BF_OK);
	unlink(link);
	assert_int_equal(t->stats.reopened, 1);
	assert_int_equal(say(g, "request"), BF_OK);
	pack_says(g, "answer");
	assert_hears(g, "answer");
	{
		struct bf_line_report report;

		t->ops->stream->report(t, &report);
		assert_int_equal(report.real_baud, 57600);
	}
}

static void a_port_behind_a_path_of_any_length_is_opened(void **state)
{
	struct rig *g = *state;
	char folder[] = "/tmp/bmsflash-long.XXXXXX", path[1024];
	struct bf_open_env env = { .clock = g->clock };
	struct bf_transport *t;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%0230d", folder, 7);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%0230d", 8);
	bf_transport_close(g->t);
	g->t = NULL;
	assert_int_equal(symlink(g->path, path), 0);
	assert_int_equal(bf_driver_rs485.open(&env, path, &t, &g->err), BF_OK);
	assert_string_equal(t->name, path);
	bf_transport_close(t);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(folder);
}

static void a_path_that_no_system_takes_is_refused_as_too_long(void **state)
{
	struct rig *g = *state;
	BF_AUTO_MEM char *path = malloc(PATH_MAX + 10);
	struct bf_open_env env = { .clock = g->clock };
	struct bf_transport *t;

	assert_non_null(path);
	memset(path, '/', PATH_MAX + 9);
	path[PATH_MAX + 9] = '\0';
	assert_int_equal(bf_driver_rs485.open(&env, path, &t, &g->err), BF_E_IFACE);
	assert_int_equal(g->err.os, ENAMETOOLONG);
}

static void the_format_of_an_open_line_can_be_changed(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { .baud = 9600, .data_bits = 7, .parity = BF_PARITY_EVEN };

	assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_OK);
	line.data_bits = 9;
	assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_E_USAGE);
	line = (struct bf_line){ .baud = 19200 };
	assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_OK);
}

static void three_stop_bits_are_refused(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { .stop_bits = 3 };

	assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_E_USAGE);
}

static void a_full_line_is_waited_for_until_the_deadline(void **state)
{
	struct rig *g = *state;
	static uint8_t much[1 << 20];
	bf_time begin = bf_now(g->clock);

	assert_int_equal(g->t->ops->stream->write(g->t, much, sizeof(much),
						  bf_in(g->clock, BF_MS(30)), &g->err),
			 BF_E_TIMEOUT);
	assert_true(bf_now(g->clock) - begin >= BF_MS(30));
	assert_true(g->t->stats.queue_full > 0);
}

static void guard_time_keeps_silence_after_foreign_bytes(void **state)
{
	struct rig *g = *state;
	struct bf_line line = { .guard_us = 20000 };
	bf_time heard;

	assert_int_equal(g->t->ops->stream->set_line(g->t, &line, &g->err), BF_OK);
	pack_says(g, "x");
	assert_hears(g, "x");
	heard = bf_now(g->clock);
	assert_int_equal(say(g, "y"), BF_OK);
	assert_true(bf_now(g->clock) - heard >= BF_MS(15));
}

static void what_was_said_before_is_discarded(void **state)
{
	struct rig *g = *state;
	char got[32];

	pack_says(g, "stale");
	assert_hears(g, "stale");
	pack_says(g, "stale");
	g->t->ops->stream->discard(g->t);
	assert_int_equal(hear(g, BF_MS(1), got, sizeof(got)), BF_E_TIMEOUT);
}

static void addresses_are_paths_and_names_of_serial_devices(void **state)
{
	static const char *const yes[] = { "/dev/ttyUSB0",
					   "ttyUSB0",
					   "ttyACM1",
					   "/dev/pts/3",
					   "/dev/serial/by-path/pci-0:1:1.0",
					   "./link",
					   "rfcomm0" };
	static const char *const no[] = { "can0",      "usb", "usb:1209:0001",
					  "usb@1-2.3", "sim", "sim:state=/tmp/x",
					  "" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(yes); i++)
		assert_true(bf_driver_rs485.match(yes[i]));
	for (size_t i = 0; i < BF_COUNT(no); i++)
		assert_false(bf_driver_rs485.match(no[i]));
}

static void what_cannot_be_opened_says_why(void **state)
{
	static const struct {
		const char *address, *says;
	} rows[] = {
		{ "ttyNONE7", "there is no serial port 'ttyNONE7'" },
		{ "/dev/serial/by-id/nothing", "there is no serial port" },
		{ "/etc/passwd", "is no serial port" },
		{ "/dev/null", "is no serial port" },
	};
	struct bf_clock *clock = bf_clock_real_new(-1);
	struct bf_open_env env = { .clock = clock };
	struct bf_transport *t;
	struct bf_err err;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		assert_int_equal(bf_driver_rs485.open(&env, rows[i].address, &t, &err), BF_E_IFACE);
		assert_non_null(strstr(err.cause, rows[i].says));
		assert_true(err.next[0]);
	}
	bf_clock_free(clock);
}

static void permission_refused_prints_the_group_that_helps(void **state)
{
	char path[] = "/tmp/bmsflash-tty-XXXXXX";
	int fd = mkstemp(path);
	struct bf_err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(bf_tty_explain_open(path, "ttyUSB0", EACCES, &err), BF_E_IFACE);
	assert_non_null(strstr(err.cause, "you may not use 'ttyUSB0' yet (mode 0600, group '"));
	assert_non_null(strstr(err.todo, "udev"));
	if (fchown(fd, (uid_t)-1, 20) == 0) { /* dialout in Debian; needs root */
		assert_int_equal(fchmod(fd, 0660), 0);
		bf_tty_explain_open(path, "ttyUSB0", EACCES, &err);
		assert_non_null(strstr(err.next, "sudo usermod -aG "));
	}
	close(fd);
	unlink(path);
}

static void a_lock_file_counts_while_its_writer_lives(void **state)
{
	char folder[] = "/tmp/bmsflash-lock-XXXXXX";
	char file[128];
	struct bf_who holder;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/LCK..ttyUSB0", folder);
	assert_false(bf_tty_lock_file(folder, "/dev/ttyUSB0", &holder));
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "%10d\n", getpid());
	fclose(f);
	assert_true(bf_tty_lock_file(folder, "/dev/ttyUSB0", &holder));
	assert_int_equal(holder.pid, getpid());
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "%10d\n", 0x7FFFFFF0); /* above any pid_max */
	fclose(f);
	assert_false(bf_tty_lock_file(folder, "/dev/ttyUSB0", &holder));
	unlink(file);
	rmdir(folder);
}

static void ignore(void *ctx, const struct bf_candidate *c)
{
	(void)ctx;
	assert_true(c->address[0]);
	assert_true(c->usable || c->why[0]);
}

static void the_list_of_ports_is_well_formed(void **state)
{
	(void)state;
	bf_driver_rs485.list(ignore, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bytes_pass_both_ways_unchanged),
		T(an_echoing_adapter_is_recognised_and_its_echo_removed),
		T(a_damaged_echo_is_a_line_error_with_its_causes),
		T(a_line_without_echo_gives_the_reply_at_once),
		T(the_peer_that_goes_away_is_reported_as_gone),
		T(a_held_port_names_its_holder),
		T(closing_lets_the_next_one_in),
		T(closing_takes_the_mark_of_exclusive_use_away),
		T(any_rate_is_taken_and_the_real_one_reported),
		T(a_pty_has_no_direction_and_no_modem_lines_and_that_is_well),
		T(a_pty_says_that_it_has_no_modem_lines_and_no_break),
		T(a_port_that_came_back_behind_its_link_is_opened_again),
		T(a_port_behind_a_path_of_any_length_is_opened),
		T(a_path_that_no_system_takes_is_refused_as_too_long),
		T(the_format_of_an_open_line_can_be_changed),
		T(three_stop_bits_are_refused),
		T(a_full_line_is_waited_for_until_the_deadline),
		T(guard_time_keeps_silence_after_foreign_bytes),
		T(what_was_said_before_is_discarded),
		cmocka_unit_test(addresses_are_paths_and_names_of_serial_devices),
		cmocka_unit_test(what_cannot_be_opened_says_why),
		cmocka_unit_test(permission_refused_prints_the_group_that_helps),
		cmocka_unit_test(a_lock_file_counts_while_its_writer_lives),
		cmocka_unit_test(the_list_of_ports_is_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
