/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "fake.h"

static char trace_path[] = "/tmp/bmsflash-trace-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(trace_path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(trace_path);
}

static struct bf_transport *wrap(struct fake *peer)
{
	struct bf_transport *t;
	struct bf_err err;

	assert_int_equal(bf_trace_wrap(fake_transport(peer), trace_path, &t, &err), BF_OK);
	return t;
}

/* Closes the trace and compares what it wrote. */
static void assert_trace(struct bf_transport *t, const char *want)
{
	BF_AUTO_MEM uint8_t *got = NULL;
	struct bf_err err;
	size_t len;

	bf_transport_close(t);
	assert_int_equal(bf_file_read(trace_path, 65536, &got, &len, &err), BF_OK);
	assert_string_equal((const char *)got, want);
}

static void a_bus_is_written_as_candump_writes_it(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct bf_transport *t = wrap(peer);
	struct bf_frame f = { .id = 0x7E0, .len = 3, .data = { 2, 0x10, 3 } };
	struct bf_frame fd = { .id = 0x18DA10F1,
			       .flags = BF_FRAME_EXT | BF_FRAME_FD | BF_FRAME_BRS,
			       .len = 2,
			       .data = { 1, 2 } };
	struct bf_err err;

	(void)state;
	fake_on(peer, "7E0#*", "7E8#065003", 1500);
	t->ops->bus->send(t, &f, BF_NEVER, &err);
	t->ops->bus->recv(t, &f, BF_NEVER, &err);
	t->ops->bus->send(t, &fd, BF_NEVER, &err);
	assert_int_equal(t->ops->bus->recv(t, &f, 2000, &err), BF_E_TIMEOUT);
	assert_trace(t, "# bmsflash " BF_VERSION " trace of fake-bus\n"
			"(1767225600.000000) fake-bus 7E0#021003 T\n"
			"(1767225600.001500) fake-bus 7E8#065003 R\n"
			"(1767225600.001500) fake-bus 18DA10F1##10102 T\n"
			"# (1767225600.002000) fake-bus recv: timeout\n");
}

static void a_stream_is_written_as_stamped_hex_with_direction(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *t = wrap(peer);
	struct bf_line line = { .baud = 460800, .parity = BF_PARITY_EVEN, .stop_bits = 1 };
	struct bf_err err;
	uint8_t buf[8];
	size_t n;

	(void)state;
	fake_on(peer, "01 02", "0A 0B", 3);
	t->ops->stream->write(t, (const uint8_t *)"\1\2", 2, BF_NEVER, &err);
	t->ops->stream->read(t, buf, 8, &n, BF_NEVER, &err);
	t->ops->stream->set_line(t, &line, &err);
	assert_int_equal(fake_stream_line(peer)->baud, 460800);
	assert_int_equal(t->stats.rx_bytes, 2);
	assert_trace(t, "# bmsflash " BF_VERSION " trace of fake-stream\n"
			"(1767225600.000000) fake-stream > 0102\n"
			"(1767225600.000003) fake-stream < 0A0B\n"
			"# (1767225600.000003) fake-stream line 460800 8E1\n");
}

static void usb_transfers_are_written_with_their_setup(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_usb_new(clock);
	struct bf_transport *t = wrap(peer);
	const struct bf_usb_setup get = { .request_type = 0xA1, .request = 3 };
	const struct bf_usb_setup put = { .request_type = 0x21, .request = 1, .value = 2 };
	struct bf_err err;
	uint8_t buf[6] = { 0xAA, 0xBB };
	size_t n;

	(void)state;
	fake_on(peer, "21 01 0002 0000:AABB", "", 0);
	fake_once(peer, "A1 03 0000 0000 <0006", "00 01", 0);
	fake_say(peer, "EP81: 11", 0);
	t->ops->usb->control(t, &put, buf, 2, &n, BF_NEVER, &err);
	t->ops->usb->control(t, &get, buf, 6, &n, BF_NEVER, &err);
	assert_int_equal(t->ops->usb->control(t, &get, buf, 6, &n, BF_NEVER, &err), BF_E_NAK);
	t->ops->usb->bulk(t, 0x01, buf, 1, &n, BF_NEVER, &err);
	t->ops->usb->bulk(t, 0x81, buf, 6, &n, BF_NEVER, &err);
	assert_trace(t, "# bmsflash " BF_VERSION " trace of fake-usb\n"
			"(1767225600.000000) fake-usb 21010002 0000 > AABB\n"
			"(1767225600.000000) fake-usb A1030000 0000 < 0001\n"
			"# (1767225600.000000) fake-usb A1030000 0000 <: refused\n"
			"(1767225600.000000) fake-usb EP01 > 00\n"
			"(1767225600.000000) fake-usb EP81 < 11\n");
}

static void muted_bytes_do_not_reach_the_file(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *t = wrap(peer);
	struct bf_err err;

	(void)state;
	bf_trace_mute(fake_transport(peer), true); /* no trace: nothing happens */
	bf_trace_mute(t, true);
	t->ops->stream->write(t, (const uint8_t *)"\x5A\x5A", 2, BF_NEVER, &err);
	bf_trace_mute(t, false);
	t->ops->stream->write(t, (const uint8_t *)"\1", 1, BF_NEVER, &err);
	assert_trace(t, "# bmsflash " BF_VERSION " trace of fake-stream\n"
			"(1767225600.000000) fake-stream > ****\n"
			"(1767225600.000000) fake-stream > 01\n");
}

static void a_new_trace_is_for_its_owner_alone(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct stat st;

	(void)state;
	unlink(trace_path);
	bf_transport_close(wrap(peer));
	assert_true(fake_closed(peer));
	assert_int_equal(stat(trace_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_trace_that_cannot_be_written_closes_the_wire(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct bf_transport *t;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_trace_wrap(fake_transport(peer), "/nowhere/x.log", &t, &err),
			 BF_E_USAGE);
	assert_non_null(strstr(err.cause, "/nowhere/x.log"));
	assert_true(fake_closed(peer));
}

/* A folder of its own with one name in it. */
static void in_folder(char folder[64], char path[128])
{
	snprintf(folder, 64, "/tmp/bmsflash-trace.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, 128, "%s/t", folder);
}

static enum bf_rc try_trace(struct bf_clock *clock, const char *path, struct bf_err *err)
{
	BF_AUTO(fake) *peer = fake_bus_new(clock);
	struct bf_transport *t;
	enum bf_rc rc = bf_trace_wrap(fake_transport(peer), path, &t, err);

	if (!rc)
		bf_transport_close(t);
	return rc;
}

static void put_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void what_is_no_trace_is_not_written_over(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	char folder[64], path[128], link[160];
	BF_AUTO_MEM uint8_t *got = NULL;
	struct bf_err err;
	size_t len;

	(void)state;
	in_folder(folder, path);
	snprintf(link, sizeof(link), "%s/link", folder);
	put_text(path, "precious");
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(try_trace(clock, path, &err), BF_E_USAGE);
	assert_int_equal(try_trace(clock, link, &err), BF_E_USAGE);
	assert_int_equal(try_trace(clock, folder, &err), BF_E_USAGE);
	assert_int_equal(bf_file_read(path, 100, &got, &len, &err), BF_OK);
	assert_string_equal((const char *)got, "precious");
	unlink(link);
	unlink(path);
	rmdir(folder);
}

static void a_link_is_not_followed_to_a_file_that_is_not_there(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	char folder[64], path[128], link[160];
	struct bf_err err;

	(void)state;
	in_folder(folder, path);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(try_trace(clock, link, &err), BF_E_USAGE);
	assert_int_equal(access(path, F_OK), -1);
	unlink(link);
	rmdir(folder);
}

static void an_earlier_trace_is_written_over_and_becomes_private(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	char folder[64], path[128];
	struct bf_err err;
	struct stat st;

	(void)state;
	in_folder(folder, path);
	put_text(path, "# bmsflash 0.0.1 trace of can0\nand a long rest of it that must go away\n");
	chmod(path, 0644);
	assert_int_equal(try_trace(clock, path, &err), BF_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, strlen("# bmsflash " BF_VERSION " trace of fake-bus\n"));
	unlink(path);
	rmdir(folder);
}

static void a_pipe_that_nobody_reads_is_given_up(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	char folder[64], path[128];
	struct bf_err err;

	(void)state;
	in_folder(folder, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try_trace(clock, path, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "nobody reads"));
	bf_vclock_cancel_at(clock, bf_now(clock) + BF_SEC(2));
	assert_int_equal(try_trace(clock, path, &err), BF_E_INTERRUPTED);
	unlink(path);
	rmdir(folder);
}

static void a_pipe_whose_reader_is_slow_loses_lines_and_never_waits(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	char folder[64], path[128], head[16] = "";
	struct bf_transport *t;
	struct bf_err err;
	int reader;

	(void)state;
	in_folder(folder, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	assert_int_equal(bf_trace_wrap(fake_transport(peer), path, &t, &err), BF_OK);
	assert_int_equal(read(reader, head, 10), 10); /* at once, not at the end */
	assert_string_equal(head, "# bmsflash");
	for (int i = 0; i < 5000; i++)
		assert_int_equal(
			t->ops->stream->write(t, (const uint8_t *)"0123456789", 10, BF_NEVER, &err),
			BF_OK);
	bf_transport_close(t);
	close(reader);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bus_is_written_as_candump_writes_it),
		cmocka_unit_test(a_stream_is_written_as_stamped_hex_with_direction),
		cmocka_unit_test(usb_transfers_are_written_with_their_setup),
		cmocka_unit_test(muted_bytes_do_not_reach_the_file),
		cmocka_unit_test(a_new_trace_is_for_its_owner_alone),
		cmocka_unit_test(a_trace_that_cannot_be_written_closes_the_wire),
		cmocka_unit_test(what_is_no_trace_is_not_written_over),
		cmocka_unit_test(a_link_is_not_followed_to_a_file_that_is_not_there),
		cmocka_unit_test(an_earlier_trace_is_written_over_and_becomes_private),
		cmocka_unit_test(a_pipe_that_nobody_reads_is_given_up),
		cmocka_unit_test(a_pipe_whose_reader_is_slow_loses_lines_and_never_waits),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
