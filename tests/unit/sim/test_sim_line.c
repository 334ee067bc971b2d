/* SPDX-License-Identifier: MIT */
/* The pack on RS485: framings, line times, what goes wrong on a line. */
#include "tester.h"

#include "bmsflash/rng.h"
#include "framing.h"

struct line {
	struct bf_transport *t;
	uint8_t rx[9000];
	size_t len;
};

static void line_open(struct line *l, const char *address, uint32_t baud)
{
	struct bf_open_env env = { .line = { .baud = baud } };
	struct bf_err err;

	memset(l, 0, sizeof(*l));
	bf_err_init(&err);
	if (bf_driver_sim.open(&env, address, &l->t, &err))
		fail_msg("%s", err.cause);
}

static void line_close(struct line *l)
{
	l->t->ops->close(l->t);
}

static void put(struct line *l, const uint8_t *p, size_t len)
{
	struct bf_err err;

	l->len = 0;
	l->t->ops->stream->discard(l->t);
	assert_int_equal(
		l->t->ops->stream->write(l->t, p, len, bf_in(l->t->clock, BF_SEC(5)), &err), BF_OK);
	assert_int_equal(l->t->ops->stream->drain(l->t, bf_in(l->t->clock, BF_SEC(5)), &err),
			 BF_OK);
}

/* Everything that comes until the line has been silent for so long. */
static size_t hear(struct line *l, bf_time silence)
{
	struct bf_err err;
	size_t n;

	bf_err_init(&err);
	while (l->t->ops->stream->read(l->t, l->rx + l->len, sizeof(l->rx) - l->len, &n,
				       bf_in(l->t->clock, silence), &err) == BF_OK)
		l->len += n;
	return l->len;
}

static void put_iso(struct line *l, const uint8_t *msg, size_t len)
{
	uint8_t f[300] = { 0x80, 0x11, 0xF1 };
	size_t head = 3;
	uint8_t sum = 0;

	if (len < 64)
		f[0] = (uint8_t)(0x80 | len);
	else
		f[head++] = (uint8_t)len;
	memcpy(f + head, msg, len);
	for (size_t i = 0; i < head + len; i++)
		sum = (uint8_t)(sum + f[i]);
	f[head + len] = sum;
	put(l, f, head + len + 1);
}

static void put_hdlc(struct line *l, const uint8_t *msg, size_t len, uint8_t spoil)
{
	uint8_t plain[600] = { 0x11, 0x03, 0xF1 };
	uint8_t f[1300] = { 0x7E };
	size_t n = 1;

	memcpy(plain + 3, msg, len);
	bf_put_le32(plain + 3 + len, bf_crc(&bf_crc32_ieee, plain, 3 + len) ^ spoil);
	for (size_t i = 0; i < len + 7; i++) {
		bool escape = plain[i] == 0x7E || plain[i] == 0x7D;

		if (escape)
			f[n++] = 0x7D;
		f[n++] = escape ? plain[i] ^ 0x20 : plain[i];
	}
	f[n++] = 0x7E;
	put(l, f, n);
}

static void expect_hex(struct line *l, const char *want)
{
	char got[2 * 200 + 1];

	hear(l, BF_MS(50));
	assert_in_range(l->len, 0, 200);
	assert_string_equal(bf_hex(got, sizeof(got), l->rx, l->len), want);
}

static const uint8_t present[] = { 0x3E, 0x00 };
static const uint8_t version[] = { 0x22, 0xF1, 0x89 };
static const uint8_t extended[] = { 0x10, 0x03 };

static void iso_14230_requests_get_iso_14230_answers(void **state)
{
	static const uint8_t cells[] = { 0x22, 0xFD, 0x14, 0xFD, 0x03 };
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485", 0);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	put_iso(&l, version, 3);
	expect_hex(&l, "88f11162f189312e332e3056");
	put_iso(&l, cells, 5); /* 163 bytes: the length in its own byte */
	hear(&l, BF_MS(50));
	assert_memory_equal(l.rx, "\x80\xf1\x11\xa3\x62\xfd\x14", 7);
	assert_int_equal(l.len, 4 + 163 + 1);
	line_close(&l);
}

static void hdlc_requests_get_hdlc_answers(void **state)
{
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485", 0);
	put_hdlc(&l, version, 3, 0);
	hear(&l, BF_MS(50));
	assert_memory_equal(l.rx,
			    "\x7e\xf1\x03\x11\x62\xf1\x89"
			    "1.3.0",
			    12);
	assert_int_equal(l.len, 1 + 3 + 8 + 4 + 1);
	put_iso(&l, present, 2); /* and the other framing at once */
	expect_hex(&l, "82f1117e0002");
	put_hdlc(&l, present, 2, 0);
	hear(&l, BF_MS(50));
	assert_memory_equal(l.rx, "\x7e\xf1\x03\x11\x7e", 4);
	line_close(&l);
}

static void damaged_and_foreign_frames_are_not_answered(void **state)
{
	uint8_t f[] = { 0x82, 0x11, 0xF1, 0x3E, 0x00, 0xC3 };
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485", 0);
	put(&l, f, sizeof(f));
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	f[1] = 0x12; /* somebody else, with a good checksum */
	put(&l, f, sizeof(f));
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	put_hdlc(&l, present, 2, 1);
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	put_hdlc(&l, present, 2, 0);
	assert_int_not_equal(hear(&l, BF_MS(100)), 0);
	put(&l, f, 3); /* half a frame; a silence ends it */
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	line_close(&l);
}

static void bytes_take_their_time(void **state)
{
	struct line l;
	bf_time began;

	(void)state;
	line_open(&l, "sim:link=rs485,rate=9600,turnaround=5000", 0);
	began = bf_now(l.t->clock);
	put_iso(&l, present, 2); /* 6 bytes: 6.25 ms */
	assert_in_range(bf_now(l.t->clock) - began, 6250, 6300);
	hear(&l, BF_MS(1));
	assert_int_equal(l.len, 0);
	while (hear(&l, BF_MS(8)) < 6)
		;
	assert_in_range(bf_now(l.t->clock) - began, 6250 + 5000 + 6250, 6250 + 5000 + 15000);
	line_close(&l);
}

static void another_rate_hears_nothing_that_makes_sense(void **state)
{
	struct line l;
	struct bf_line line = { .baud = 115200, .stop_bits = 1 };
	struct bf_err err;

	(void)state;
	line_open(&l, "sim:link=rs485", 57600);
	put_iso(&l, present, 2);
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	assert_int_equal(l.t->ops->stream->set_line(l.t, &line, &err), BF_OK);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	line.parity = BF_PARITY_EVEN;
	assert_int_equal(l.t->ops->stream->set_line(l.t, &line, &err), BF_OK);
	put_iso(&l, present, 2);
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	line_close(&l);
}

static void the_rate_changes_on_request_and_goes_back_with_a_restart(void **state)
{
	static const uint8_t ask[] = { 0x87, 0x02, 0x0F, 0x42, 0x40 }; /* 1000000 */
	static const uint8_t go[] = { 0x87, 0x83 };
	static const uint8_t reset[] = { 0x11, 0x01 };
	struct bf_line line = { .baud = 1000000 };
	struct line l;
	struct bf_err err;

	(void)state;
	line_open(&l, "sim:link=rs485", 0);
	put_iso(&l, extended, 2);
	hear(&l, BF_MS(50));
	put_iso(&l, ask, sizeof(ask));
	expect_hex(&l, "82f111c7024d");
	put_iso(&l, go, 2);
	assert_int_equal(hear(&l, BF_MS(20)), 0);
	assert_int_equal(l.t->ops->stream->set_line(l.t, &line, &err), BF_OK);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	put_iso(&l, reset, 2);
	expect_hex(&l, "82f1115101d6");
	bf_clock_until(l.t->clock, bf_in(l.t->clock, BF_SEC(1)));
	put_iso(&l, present, 2);
	assert_int_equal(hear(&l, BF_MS(100)), 0);
	line.baud = 115200;
	assert_int_equal(l.t->ops->stream->set_line(l.t, &line, &err), BF_OK);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	line_close(&l);
}

static void an_echo_is_counted_and_kept_from_the_reader(void **state)
{
	struct bf_line_report report;
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485,echo=1", 0);
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	assert_int_equal(l.t->stats.echo_bytes, 6);
	l.t->ops->stream->report(l.t, &report);
	assert_true(report.echo);
	line_close(&l);
}

/* The checksum's and the length's reach: 255 bytes and no more. */
static void blocks_fit_the_framing_that_asked(void **state)
{
	static const uint8_t program[] = { 0x10, 0x02 };
	static const uint8_t up[] = { 0x35, 0, 0x44, 0x08, 0x01, 0, 0, 0, 0, 0x40, 0 };
	static const uint8_t next[] = { 0x36, 1 };
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485,rate=1000000", 0);
	put_iso(&l, extended, 2);
	hear(&l, BF_MS(50));
	put_iso(&l, program, 2);
	hear(&l, BF_MS(50));
	put_iso(&l, up, sizeof(up));
	expect_hex(&l, "84f111752000ff1a");
	put_iso(&l, next, 2);
	hear(&l, BF_MS(50));
	assert_int_equal(l.len, 4 + 255 + 1);
	put_hdlc(&l, up, sizeof(up), 0);
	hear(&l, BF_MS(50));
	assert_memory_equal(l.rx + 4, "\x75\x20\x0f\xff", 4);
	put_hdlc(&l, next, 2, 0);
	hear(&l, BF_MS(50));
	assert_in_range(l.len, 4095 + 9, 8200);
	line_close(&l);
}

static void modem(struct line *l, unsigned on)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(l->t->ops->stream->set_modem(l->t, BF_MODEM_RTS | BF_MODEM_DTR, on, &err),
			 BF_OK);
	bf_clock_until(l->t->clock, bf_in(l->t->clock, BF_SEC(2)));
}

static void a_board_may_have_reset_and_boot_pin_behind_the_modem_lines(void **state)
{
	struct bf_pack *pack;
	struct line l;

	(void)state;
	line_open(&l, "sim:link=rs485,lines=cross", 0);
	pack = bf_sim_pack(l.t);
	modem(&l, BF_MODEM_RTS);
	assert_int_equal(bf_pack_mode(pack), BF_PACK_OFF);
	modem(&l, BF_MODEM_DTR);
	assert_int_equal(bf_pack_mode(pack), BF_PACK_LOADER);
	modem(&l, BF_MODEM_RTS);
	modem(&l, 0);
	assert_int_equal(bf_pack_mode(pack), BF_PACK_APP);
	line_close(&l);
}

static void a_line_of_the_packs_own_parity_is_heard(void **state)
{
	struct bf_line even = { .baud = 115200, .parity = BF_PARITY_EVEN };
	struct bf_err err;
	struct line l;

	(void)state;
	bf_err_init(&err);
	line_open(&l, "sim:link=rs485,parity=even", 0);
	put_iso(&l, present, 2);
	hear(&l, BF_MS(50));
	assert_int_equal(l.len, 0);
	assert_int_equal(l.t->ops->stream->set_line(l.t, &even, &err), BF_OK);
	bf_clock_until(l.t->clock, bf_in(l.t->clock, BF_SEC(1)));
	put_iso(&l, present, 2);
	expect_hex(&l, "82f1117e0002");
	line_close(&l);
}

struct spy {
	struct bf_framing_port port;
	unsigned heard;
};

static void spy_message(struct bf_framing_port *port, const uint8_t *msg, size_t len,
			bool functional, size_t longest, bf_time now)
{
	(void)msg;
	(void)functional;
	(void)now;
	assert_true(len >= 1 && len <= longest);
	BF_CONTAINER_OF(port, struct spy, port)->heard++;
}

static void any_bytes_in_any_order_are_survived(void **state)
{
	struct spy spy = { .port = { spy_message } };
	struct bf_framing *f = malloc(sizeof(*f));
	struct bf_rng rng = { 99 };
	uint8_t buf[64];

	(void)state;
	bf_framing_init(f, &spy.port);
	for (bf_time t = 0; t < BF_SEC(20); t += BF_MS(1)) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)(bf_rng_below(&rng, 4) ? bf_rng_next(&rng) : 0x7E);
		bf_framing_feed(f, buf, bf_rng_below(&rng, sizeof(buf)), t, t);
	}
	memset(buf, 0x55, sizeof(buf)); /* longer than any frame */
	bf_framing_feed(f, (const uint8_t *)"\x7e", 1, BF_SEC(30), BF_SEC(30));
	for (int i = 0; i < 200; i++)
		bf_framing_feed(f, buf, sizeof(buf), BF_SEC(30), BF_SEC(30));
	assert_true(f->overrun);
	assert_true(f->damaged > 100);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iso_14230_requests_get_iso_14230_answers),
		cmocka_unit_test(hdlc_requests_get_hdlc_answers),
		cmocka_unit_test(damaged_and_foreign_frames_are_not_answered),
		cmocka_unit_test(bytes_take_their_time),
		cmocka_unit_test(another_rate_hears_nothing_that_makes_sense),
		cmocka_unit_test(the_rate_changes_on_request_and_goes_back_with_a_restart),
		cmocka_unit_test(an_echo_is_counted_and_kept_from_the_reader),
		cmocka_unit_test(blocks_fit_the_framing_that_asked),
		cmocka_unit_test(a_board_may_have_reset_and_boot_pin_behind_the_modem_lines),
		cmocka_unit_test(a_line_of_the_packs_own_parity_is_heard),
		cmocka_unit_test(any_bytes_in_any_order_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
