/* SPDX-License-Identifier: MIT */
#include "tester.h"

#include "bmsflash/file.h"

static void a_pack_says_who_it_is(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "22f189", "62f189312e332e30");
	tester_expect(&s, "22f187", "62f187424d532d3136532d5233");
	tester_expect(&s, "22fd02", "62fd0200000003");
	tester_expect(&s, "22fd01",
		      "62fd01116413514ffd5754ab6b356b38e1885e9541a2b5510250809a71d0be35ec35c0");
	tester_expect(&s, "22f186fd04", "62f18601fd04010001");
	tester_expect(&s, "22fd03", "62fd0305.");
	tester_close(&s);
}

static void sessions_are_entered_in_order_and_fall_back(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1002", "7f107e");
	tester_expect(&s, "1004", "7f1012");
	tester_expect(&s, "100300", "7f1013");
	tester_expect(&s, "340044080900000000a7a8", "7f347f");
	tester_expect(&s, "3101f0b0", "7f317f");
	tester_program(&s);
	tester_expect(&s, "22f186", "62f18602");
	tester_wait(&s, BF_MS(4900));
	tester_expect(&s, "22f186", "62f18602");
	tester_wait(&s, BF_MS(5100));
	tester_expect(&s, "22f186", "62f18601");
	tester_close(&s);
}

static void tester_present_keeps_a_session_without_an_answer(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1003", "50.");
	for (int i = 0; i < 4; i++) {
		assert_false(tester_ask(&s, "3e80"));
		tester_wait(&s, BF_SEC(3));
	}
	tester_expect(&s, "22f186", "62f18603");
	tester_expect(&s, "3e00", "7e00");
	tester_expect(&s, "3e01", "7f3e12");
	tester_close(&s);
}

static void requests_that_are_wrong_are_refused_by_the_book(void **state)
{
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{ "ba", "7fba11" },
		{ "22f1", "7f2213" },
		{ "22f18900", "7f2213" },
		{ "221234", "7f2231" },
		{ "221234f186", "62f18602" }, /* what is not known is left out */
		{ "2ef189312e30", "7f2e31" },
		{ "2ef15a2611", "7f2e13" },
		{ "3102ff01", "7f3112" },
		{ "3101abcd", "7f3131" },
		{ "3101ff0144", "7f3113" },
		{ "3101ff00330809000000000800", "7f3131" },
		{ "3101ff00440809000000000801", "7f3131" },
		{ "3101ff00440801000000000800", "7f3131" }, /* what runs */
		{ "3101ff00440800000000000800", "7f3131" }, /* the loader */
		{ "3101ff00440810f80000001000", "7f3131" }, /* across a border */
		{ "3101f0b103", "7f3131" },
		{ "340044080900000000", "7f3413" },
		{ "3420440809000000000100", "7f3431" },
		{ "3400330809000000000100", "7f3431" },
		{ "3400440809000400000100", "7f3431" },
		{ "3400440809000000000000", "7f3431" },
		{ "3400440809000000080001", "7f3431" },
		{ "3601aa", "7f3624" },
		{ "37", "7f3724" },
		{ "2703", "7f2712" },
		{ "27020000", "7f2713" },
		{ "8783", "7f8724" },
		{ "870101", "7f8731" }, /* a UART's rate on CAN */
		{ "8704", "7f8712" },
		{ "1102", "7f1112" },
		{ "23440809000000001000", "7f2314" },
	};
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_program(&s);
	for (size_t i = 0; i < BF_COUNT(rows); i++)
		tester_expect(&s, rows[i].request, rows[i].answer);
	tester_close(&s);
}

static void asked_by_everybody_it_keeps_what_it_cannot_do_to_itself(void **state)
{
	struct tester s;
	struct bf_frame f = { .id = 0x7DF, .len = 8, .data = { 1, 0xBA } };
	struct bf_err err;

	(void)state;
	tester_open(&s, "sim");
	assert_int_equal(s.t->ops->bus->send(s.t, &f, BF_SEC(1), &err), BF_OK);
	assert_false(tester_frame(&s, &f, BF_MS(100)));
	f = (struct bf_frame){ .id = 0x7DF, .len = 8, .data = { 2, 0x3E, 0 } };
	assert_int_equal(s.t->ops->bus->send(s.t, &f, BF_SEC(1), &err), BF_OK);
	assert_true(tester_frame(&s, &f, BF_MS(100)));
	assert_int_equal(f.id, 0x7E8);
	tester_close(&s);
}

/* The raw key is the end of the PKCS #8 structure in the file (RFC 8410). */
static void technician(uint8_t seed[32])
{
	BF_AUTO_MEM uint8_t *pem = NULL;
	const char *text;
	struct bf_err err;
	uint8_t der[64];
	size_t len, n;

	bf_err_init(&err);
	assert_int_equal(bf_file_read(TEST_DATA "/auth/technician.pem", 1000, &pem, &len, &err),
			 BF_OK);
	text = memchr(pem, '\n', len);
	assert_non_null(text);
	n = strcspn(text, "=-");
	assert_true(bf_base64_decode(text, n, der, sizeof(der), &len));
	assert_int_equal(len, 48);
	memcpy(seed, der + 16, 32);
}

/* Signs the seed in s.msg as the technician would; the private key is the test's. */
static void send_key(struct tester *s, bool right)
{
	uint8_t seed[32];
	uint8_t msg[15 + 1 + 2 + 11 + 32] = "bmsflash-uds-27";
	uint8_t key[2 + 64] = { 0x27, 2 };

	technician(seed);
	msg[16] = 1;
	msg[17] = 11;
	memcpy(msg + 18, "BX16-000001", 11);
	memcpy(msg + 29, s->msg + 2, 32);
	bf_ed25519_sign(key + 2, msg, sizeof(msg), seed);
	key[10] ^= !right;
	assert_true(tester_ask_n(s, key, sizeof(key)));
}

static void the_right_key_opens_the_lock(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:auth=1");
	tester_program(&s);
	tester_expect(&s, "3101ff00440809000000000800", "7f3133");
	tester_expect(&s, "3400440809000000000100", "7f3433");
	tester_expect(&s, "2701", "6701.");
	assert_int_equal(s.len, 34);
	send_key(&s, true);
	assert_memory_equal(s.msg, "\x67\x02", 2);
	tester_expect(&s, "3101ff00440809000000000800", "7101ff0000");
	tester_expect(&s, "2701",
		      "67010000000000000000000000000000000000000000000000000000000000000000");
	send_key(&s, true);
	assert_memory_equal(s.msg, "\x7f\x27\x24", 3);
	tester_close(&s);
}

static void three_wrong_keys_lock_the_pack_also_over_a_restart(void **state)
{
	static const uint8_t want[] = { 0x35, 0x35, 0x36 };
	struct tester s;

	(void)state;
	tester_open(&s, "sim:auth=1");
	tester_expect(&s, "1003", "50.");
	for (int i = 0; i < 3; i++) {
		tester_expect(&s, "2701", "6701.");
		send_key(&s, false);
		assert_int_equal(s.msg[2], want[i]);
	}
	tester_expect(&s, "2701", "7f2737");
	tester_expect(&s, "1101", "5101");
	tester_wait(&s, BF_SEC(1));
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "2701", "7f2737");
	tester_wait(&s, BF_SEC(10));
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "2701", "6701.");
	send_key(&s, true);
	assert_int_equal(s.msg[0], 0x67);
	tester_close(&s);
}

static void without_a_lock_the_seed_is_zero(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "2701",
		      "67010000000000000000000000000000000000000000000000000000000000000000");
	tester_close(&s);
}

static void measurements_are_those_of_a_healthy_pack(void **state)
{
	struct tester s;
	uint32_t sum = 0;

	(void)state;
	tester_open(&s, "sim:soc=80,temp=-5,current=-2.5");
	tester_expect(&s, "22fd14", "62fd14.");
	assert_int_equal(s.len, 3 + 32);
	for (size_t i = 0; i < 16; i++) {
		uint16_t mv = bf_get_be16(s.msg + 3 + 2 * i);

		assert_in_range(mv, 3325, 3339);
		sum += mv;
	}
	tester_expect(&s, "22fd10", "62fd10.");
	assert_in_range(bf_get_be32(s.msg + 3), sum - 40, sum + 40);
	tester_expect(&s, "22fd11", "62fd11fffff63c");
	tester_expect(&s, "22fd12", "62fd120320");
	tester_expect(&s, "22fd13", "62fd13ff.");
	assert_int_equal(s.len, 3 + 8);
	tester_expect(&s, "22fd15", "62fd1500000000");
	tester_close(&s);
}

static void the_fingerprint_is_kept(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "2ef15a26112200000000000001", "7f2e7f");
	tester_expect(&s, "1002", "50.");
	tester_expect(&s, "2ef15a26112200000000000001", "6ef15a");
	tester_expect(&s, "1101", "5101");
	tester_wait(&s, BF_SEC(1));
	tester_expect(&s, "22f15afd04", "62f15a26112200000000000001fd04020002");
	tester_close(&s);
}

static void set_rate(struct tester *s, uint32_t rate)
{
	struct bf_err err;

	assert_int_equal(s->t->ops->bus->set_bitrate(s->t, rate, 0, &err), BF_OK);
}

static void a_new_rate_needs_a_request_to_stay(void **state)
{
	struct tester s;

	(void)state;
	tester_open(&s, "sim:rate=250000");
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "870113", "c701");
	assert_false(tester_ask(&s, "8783"));
	set_rate(&s, 1000000);
	tester_expect(&s, "3e00", "7e00");
	tester_wait(&s, BF_SEC(1));
	tester_expect(&s, "3e00", "7e00");
	/* S3 runs out: the default rate again */
	tester_wait(&s, BF_SEC(6));
	assert_false(tester_ask(&s, "3e00"));
	set_rate(&s, 250000);
	tester_expect(&s, "22f186", "62f18601");
	/* nobody comes at the new rate: back after half a second */
	tester_expect(&s, "1003", "50.");
	tester_expect(&s, "870207a120", "c702");
	assert_false(tester_ask(&s, "8783"));
	tester_wait(&s, BF_MS(600));
	tester_expect(&s, "22f186", "62f18603");
	tester_close(&s);
}

static void a_busy_pack_says_so_now_and_then(void **state)
{
	struct tester s;
	int busy = 0;

	(void)state;
	tester_open(&s, "sim:quirk=busy,seed=4");
	for (int i = 0; i < 100; i++) {
		assert_true(tester_ask(&s, "22f186"));
		busy += s.len == 3 && s.msg[0] == 0x7F && s.msg[2] == 0x21;
	}
	assert_in_range(busy, 4, 30);
	tester_close(&s);
}

static void an_unknown_key_says_where_the_known_ones_are(void **state)
{
	struct bf_open_env env = { 0 };
	struct bf_transport *t;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(bf_driver_sim.open(&env, "sim:colour=red", &t, &err), BF_E_USAGE);
	assert_non_null(strstr(err.cause, "'colour'"));
	assert_non_null(strstr(err.next, "--help"));
	bf_err_init(&err);
	assert_int_equal(bf_driver_sim.open(&env, "sim:soc=120", &t, &err), BF_E_USAGE);
	assert_int_equal(bf_driver_sim.open(&env, "sim:version=9.9.9", &t, &err), BF_E_USAGE);
	assert_false(bf_driver_sim.match("simple"));
	assert_false(bf_driver_sim.match("can0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_says_who_it_is),
		cmocka_unit_test(sessions_are_entered_in_order_and_fall_back),
		cmocka_unit_test(tester_present_keeps_a_session_without_an_answer),
		cmocka_unit_test(requests_that_are_wrong_are_refused_by_the_book),
		cmocka_unit_test(asked_by_everybody_it_keeps_what_it_cannot_do_to_itself),
		cmocka_unit_test(the_right_key_opens_the_lock),
		cmocka_unit_test(three_wrong_keys_lock_the_pack_also_over_a_restart),
		cmocka_unit_test(without_a_lock_the_seed_is_zero),
		cmocka_unit_test(measurements_are_those_of_a_healthy_pack),
		cmocka_unit_test(the_fingerprint_is_kept),
		cmocka_unit_test(a_new_rate_needs_a_request_to_stay),
		cmocka_unit_test(a_busy_pack_says_so_now_and_then),
		cmocka_unit_test(an_unknown_key_says_where_the_known_ones_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
