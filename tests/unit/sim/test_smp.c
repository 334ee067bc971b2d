/* SPDX-License-Identifier: MIT */
/* The SMP devices: their traps, one by one, and what a start makes of what was uploaded. */
#include "smp_host.h"

#define RECOVERY "sim:model=recovery,flash=instant,entry=always"
#define APP      "sim:model=app,flash=instant"

#define HASH_13 digest_of("app-1.3.0.signed.bin")
#define HASH_14 digest_of("app-1.4.0.signed.bin")
#define HASH_15 digest_of("app-1.5.0.signed.bin")

/* What the TLV 10 of an image holds, in hex. */
static const char *digest_of(const char *file)
{
	static char hex[4][65];
	static unsigned turn;
	size_t len, at;
	uint8_t *p = smp_file(file, &len);
	char *dst = hex[turn++ % 4];

	at = bf_get_le16(p + 8) + bf_get_le32(p + 12) + bf_get_le16(p + 10) + 4u;
	while (bf_get_le16(p + at) != 0x10)
		at += 4u + bf_get_le16(p + at + 2);
	bf_hex(dst, 65, p + at + 4, 32);
	free(p);
	return dst;
}

/* "1.3.0 active confirmed, 1.4.0 pending": what the list says, in its own order. */
static const char *listed(struct smp_host *h)
{
	static const char *const flags[] = { "active", "confirmed", "pending", "permanent" };
	static char text[512];
	const uint8_t *p, *end;
	size_t n = 0;

	smp_list(h);
	p = h->packet + 8;
	end = h->packet + h->packet_len;
	text[0] = '\0';
	/* Every entry has "slot" once; what belongs to it lies between its map's ends. */
	for (p = memmem(p, (size_t)(end - p), "\x9f", 1); p && p < end; p++) {
		const uint8_t *stop;
		const uint8_t *version;

		if (*p != 0xBF)
			continue;
		for (stop = p + 1; stop < end && *stop != 0xFF; stop++)
			if (*stop == 0x58) /* the digest may hold an FF */
				stop += 1 + stop[1];
		version = memmem(p, (size_t)(stop - p),
				 "\x67"
				 "version",
				 8);
		assert_non_null(version);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? ", " : "",
				      version[8] & 31, (const char *)version + 9);
		for (size_t i = 0; i < BF_COUNT(flags); i++) {
			char on[16];

			snprintf(on, sizeof(on), "%s\xf5", flags[i]);
			if (memmem(p, (size_t)(stop - p), on, strlen(on)))
				n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", flags[i]);
		}
		p = stop;
	}
	return text;
}

/* ---- what comes in ---- */

static void a_packet_of_three_bytes_less_than_a_buffer_is_the_longest(void **state)
{
	static const char *const models[] = { RECOVERY ",bufsize=300", APP ",bufsize=300" };
	uint8_t body[400];
	struct smp_host h;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(models); i++) {
		smp_open(&h, models[i]);
		for (size_t len = 296; len <= 298; len++) {
			struct bf_out o = bf_out(body, sizeof(body));

			bf_out_bytes(&o, "\xA1\x61x\x59", 4);
			bf_out_be16(&o, (uint16_t)(len - 8 - 6));
			memset(body + o.len, 0, len);
			assert_int_equal(smp_ask(&h, 0, 0, 6, body, len - 8, BF_MS(500)),
					 len <= 297);
			smp_wait(&h, BF_MS(500));
		}
		smp_close(&h);
	}
}

static void raw_packets_come_back_to_back_and_silence_ends_what_is_none(void **state)
{
	static const uint8_t two[] = { 0, 0, 0, 0, 0, 0, 7, 6, 0, 0, 0, 0, 0, 0, 8, 6 };
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",framing=raw,duplex=full");
	smp_put(&h, two, sizeof(two));
	smp_hear(&h, 0, BF_MS(300));
	smp_find(&h);
	assert_int_equal(h.answers, 2);
	h.rx_len = 0;
	smp_put(&h, "garbage", 7);
	smp_put(&h, two, sizeof(two));
	assert_int_equal(smp_hear(&h, 0, BF_MS(300)), 0);
	smp_put(&h, two, 8);
	assert_true(smp_hear(&h, 0, BF_MS(300)) > 8);
	smp_close(&h);
}

static void what_is_not_exactly_a_frame_gets_no_answer(void **state)
{
	static const uint8_t list[8] = { 0, 0, 0, 0, 0, 1, 7, 0 };
	struct smp_host h;
	char wire[300], changed[320];
	size_t len = smp_frame(wire, list, sizeof(list), 93, "\n");

	(void)state;
	smp_open(&h, RECOVERY);
	smp_put(&h, wire, len);
	assert_true(smp_hear(&h, 0, BF_MS(500)) > 10);
	h.rx_len = 0;
	for (unsigned spoil = 0; spoil < 6; spoil++) {
		size_t n = len;

		memcpy(changed, wire, len);
		switch (spoil) {
		case 0: /* CR LF */
			n = smp_frame(changed, list, sizeof(list), 93, "\r\n");
			break;
		case 1:                                               /* CRC */
			changed[12] = changed[12] == 'B' ? 'C' : 'B'; /* sequence number */
			break;
		case 2: /* junk before the marker */
			changed[0] = '>';
			memcpy(changed + 1, wire, len);
			n = len + 1;
			break;
		case 3: /* too short for its length */
			n = len - 5;
			changed[n++] = '\n';
			break;
		case 4: /* too long for its length */
			n = len - 1;
			memcpy(changed + n, "AAAA\n", 5);
			n += 5;
			break;
		default: /* a line that goes on without one that began */
			changed[0] = 0x04;
			changed[1] = 0x14;
			break;
		}
		smp_put(&h, changed, n);
		assert_int_equal(smp_hear(&h, 0, BF_MS(500)), 0);
	}
	smp_put(&h, wire, len);
	assert_true(smp_hear(&h, 0, BF_MS(500)) > 10);
	smp_close(&h);
}

static void lines_of_more_than_127_characters_get_no_answer(void **state)
{
	uint8_t packet[300];
	uint8_t body[200] = { 0xA1, 0x61, 'd', 0x78, 150 };
	struct smp_host h;
	char wire[600];
	size_t len;

	(void)state;
	memset(body + 5, 'x', 150);
	smp_open(&h, RECOVERY);
	len = smp_packet(&h, packet, 2, 0, 0, body, 155);
	smp_put(&h, wire, smp_frame(wire, packet, len, 96, "\n"));
	assert_int_equal(smp_hear(&h, 0, BF_MS(500)), 0);
	smp_put(&h, wire, smp_frame(wire, packet, len, 93, "\n"));
	assert_true(smp_hear(&h, 0, BF_MS(500)) > 150);
	smp_close(&h);
}

static void the_firmware_finds_a_marker_behind_other_text(void **state)
{
	static const uint8_t list[8] = { 0, 0, 0, 0, 0, 1, 7, 0 };
	struct smp_host h;
	char wire[300] = "uart:~$ ";
	size_t len = 8 + smp_frame(wire + 8, list, sizeof(list), 93, "\n");

	(void)state;
	smp_open(&h, APP);
	smp_put(&h, wire, len);
	assert_true(smp_hear(&h, 0, BF_MS(500)) > 10);
	smp_close(&h);
}

static void serial_recovery_keeps_eight_lines_while_it_erases(void **state)
{
	static const uint8_t params[8] = { 0, 0, 0, 0, 0, 0, 7, 6 };
	struct smp_host h;
	uint8_t body[64], packet[80];
	char wire[300];

	(void)state;
	smp_open(&h, "sim:model=recovery,version=none,duplex=full");
	smp_send(
		&h, packet,
		smp_packet(&h, packet, 2, 1, 1, body, smp_chunk(body, body, 8, 0, 1000, -1, NULL)));
	for (int i = 0; i < 13; i++)
		smp_put(&h, wire, smp_frame(wire, params, sizeof(params), 93, "\n"));
	smp_hear(&h, 0, BF_SEC(10));
	smp_find(&h);
	assert_int_equal(h.answers, 1 + 8);
	smp_close(&h);
}

static void the_firmware_keeps_as_many_requests_as_it_has_buffers(void **state)
{
	struct smp_host h;
	uint8_t packet[80];
	char wire[600];
	size_t n = 0;

	(void)state;
	smp_open(&h, APP ",buffers=3,turnaround=20000,duplex=full");
	for (int i = 0; i < 5; i++)
		n += smp_frame(wire + n, packet, smp_packet(&h, packet, 0, 0, 6, NULL, 0), 93,
			       "\n");
	smp_put(&h, wire, n);
	smp_hear(&h, 0, BF_MS(500));
	smp_find(&h);
	assert_int_equal(h.answers, 3);
	smp_close(&h);
}

static void log_text_stands_between_frames_and_before_markers(void **state)
{
	struct smp_host h;
	unsigned lines = 0, glued = 0, between = 0;

	(void)state;
	smp_open(&h, APP ",smp=noise,slot1=1.4.0");
	for (unsigned i = 0; i < 12; i++) {
		const uint8_t *at;

		smp_list(&h);
		assert_int_equal(h.answers, 1);
		at = memmem(h.rx, h.rx_len, "\x06\x09", 2);
		lines += at > h.rx && at[-1] == '\n';
		glued += at > h.rx && at[-1] == ' ';
		between += memmem(at, h.rx_len - (size_t)(at - h.rx), "<wrn>", 5) != NULL;
	}
	assert_int_equal(lines, 3);
	assert_int_equal(glued, 3);
	assert_int_equal(between, 3);
	smp_restart(&h);
	smp_hear(&h, 0, BF_MS(100));
	assert_non_null(memmem(h.rx, h.rx_len, "Booting Zephyr", 14));
	smp_close(&h);
}

/* ---- answers ---- */

static void both_forms_of_errors_are_spoken(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP);
	smp_says(&h, 2, 1, 0, "a167636f6e6669726df4", "bf62726303ff");
	smp_says(&h, 0, 0, 9, "", "bf62726308ff");
	h.version = 1;
	smp_says(&h, 2, 1, 0, "a167636f6e6669726df4", "bf63657272bf6567726f7570016272631818ffff");
	smp_says(&h, 0, 0, 9, "", "bf62726308ff");
	smp_close(&h);
	smp_open(&h, RECOVERY);
	h.version = 1;
	smp_says(&h, 2, 1, 0, "a16468617368420102", "bf62726303ff");
	assert_int_equal(h.packet[0], 0x0B);
	smp_close(&h);
}

static void a_small_build_knows_list_upload_and_reset_alone(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY ",smp=small");
	smp_says(&h, 2, 0, 0, "a161646161", "bf62726308ff");
	smp_says(&h, 0, 0, 6, "", "bf62726308ff");
	smp_says(&h, 0, 1, 6, "", "bf62726308ff");
	smp_says(&h, 2, 1, 0, "a167636f6e6669726df5", "bf62726308ff");
	assert_string_equal(listed(&h), "1.3.0 active confirmed");
	smp_upload(&h, "app-1.4.0.signed.bin", -1, NULL);
	assert_string_equal(listed(&h), "1.4.0 active confirmed");
	smp_close(&h);
}

static void written_slot_information_is_answered_twice(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY);
	assert_true(smp_ask(&h, 2, 1, 6, (const uint8_t *)"\xA0", 1, BF_MS(500)));
	assert_int_equal(h.answers, 2);
	assert_int_equal(smp_number(&h, "max_image_size"), 0x7D800);
	smp_close(&h);
}

static void the_bootloader_s_mode_is_told_or_unknown(void **state)
{
	static const struct {
		const char *keys, *answer;
	} rows[] = {
		{ ",swap=single", "bf646d6f646500ff" },    { ",swap=scratch", "bf646d6f646501ff" },
		{ ",swap=overwrite", "bf646d6f646502ff" }, { "", "bf646d6f646503ff" },
		{ ",swap=xip", "bf646d6f646504ff" },       { ",swap=ram", "bf646d6f646506ff" },
		{ ",swap=offset", "bf646d6f646508ff" },    { ",swap=unknown", "bf646d6f646520ff" },
		{ ",smp=noboot", "bf62726308ff" },
	};
	struct smp_host h;
	char address[128];

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		snprintf(address, sizeof(address), APP "%s", rows[i].keys);
		smp_open(&h, address);
		smp_says(&h, 0, 0, 8, "a1657175657279646d6f6465", rows[i].answer);
		smp_close(&h);
	}
}

static void the_board_is_named_by_os_information(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",class=BMS-8S-R1");
	assert_true(smp_ask(&h, 0, 0, 7,
			    (const uint8_t *)"\xA1\x66"
					     "format\x62sn",
			    11, BF_SEC(1)));
	assert_true(smp_has(&h, "Zephyr BX16-000001"));
	assert_true(smp_ask(&h, 0, 0, 7,
			    (const uint8_t *)"\xA1\x66"
					     "format\x61i",
			    10, BF_SEC(1)));
	assert_true(smp_has(&h, "\x69"
				"BMS-8S-R1"));
	smp_close(&h);
}

/* ---- uploads ---- */

static void the_slot_is_erased_inside_the_first_answer(void **state)
{
	struct smp_host h;
	uint8_t p[64] = { 0 };
	bf_time began;

	(void)state;
	smp_open(&h, "sim:model=recovery,version=none");
	began = bf_now(h.t->clock);
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), 64);
	assert_true(bf_now(h.t->clock) - began > BF_SEC(5));
	began = bf_now(h.t->clock);
	assert_int_equal(smp_give(&h, p, 64, 64, 0, -1, NULL), 128);
	assert_true(bf_now(h.t->clock) - began < BF_MS(100));
	began = bf_now(h.t->clock);
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), 64); /* again, and again whole */
	assert_true(bf_now(h.t->clock) - began > BF_SEC(5));
	smp_close(&h);
	smp_open(&h, "sim:model=recovery,version=none,erase=ahead");
	began = bf_now(h.t->clock);
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), 64);
	assert_true(bf_now(h.t->clock) - began < BF_MS(100));
	smp_close(&h);
}

static void a_wrong_offset_is_answered_with_the_one_that_is_wanted(void **state)
{
	struct smp_host h;
	uint8_t p[64] = { 0 };

	(void)state;
	smp_open(&h, RECOVERY);
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), 64);
	assert_int_equal(smp_give(&h, p, 64, 128, 0, -1, NULL), 64);
	assert_int_equal(smp_give(&h, p, 64, 8, 0, -1, NULL), 64);
	smp_restart(&h);
	assert_int_equal(smp_give(&h, p, 64, 64, 0, -1, NULL), 0);
	assert_int_equal(smp_give(&h, p, 64, 0, 0, -1, NULL), -2 - 3);
	assert_int_equal(smp_give(&h, p, 64, 0, 0x80001, -1, NULL), -2 - 3);
	smp_close(&h);
}

static void bytes_that_fill_no_double_word_are_dropped_but_at_the_end(void **state)
{
	struct smp_host h;
	uint8_t p[512] = { 0 };

	(void)state;
	smp_open(&h, RECOVERY);
	assert_int_equal(smp_give(&h, p, 510, 0, 515, -1, NULL), 504);
	assert_int_equal(smp_give(&h, p, 7, 504, 0, -1, NULL), 504);
	assert_int_equal(smp_give(&h, p, 11, 504, 0, -1, NULL), 515);
	smp_close(&h);
	smp_open(&h, APP);
	bf_put_le32(p, 0x96F3B83D);
	assert_int_equal(smp_give(&h, p, 510, 0, 515, -1, NULL), 510);
	assert_int_equal(smp_give(&h, p, 5, 510, 0, -1, NULL), 515);
	smp_close(&h);
}

static void an_older_counter_uploads_and_is_never_listed(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY ",version=1.4.0,counter=9,smp=direct");
	assert_string_equal(listed(&h), "");
	smp_upload(&h, "app-1.5.0.signed.bin", 2, NULL);
	assert_string_equal(listed(&h), "");
	smp_close(&h);
}

static void a_file_that_fits_the_slot_alone_is_never_listed(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY ",image1=none,smp=direct");
	assert_true(smp_ask(&h, 0, 1, 6, NULL, 0, BF_SEC(1)));
	assert_int_equal(smp_number(&h, "size"), 0x80000);
	assert_int_equal(smp_number(&h, "max_image_size"), 0x80000 - 0x2000 - 0x800);
	smp_close(&h);
}

static void progressive_erase_takes_the_mark_of_a_padded_image_away(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY ",smp=direct,erase=ahead,rate=1000000");
	smp_upload(&h, "app-1.5.0.padded-test.bin", 2, NULL);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.5.0");
	smp_close(&h);
	smp_open(&h, RECOVERY ",smp=direct,rate=1000000");
	smp_upload(&h, "app-1.5.0.padded-test.bin", 2, NULL);
	assert_string_equal(listed(&h), "1.3.0 confirmed, 1.5.0 pending");
	smp_close(&h);
}

static void image_numbers_name_slots_with_direct_upload_alone(void **state)
{
	struct smp_host h;
	uint8_t p[64] = { 0 };

	(void)state;
	smp_open(&h, RECOVERY ",smp=direct");
	smp_upload(&h, "app-1.4.0.signed.bin", 2, NULL);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.4.0");
	smp_upload(&h, "app-1.5.0.signed.bin", 1, NULL);
	assert_string_equal(listed(&h), "1.5.0 active confirmed, 1.4.0");
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, 3, NULL), -2 - 3);
	smp_close(&h);
	smp_open(&h, RECOVERY);
	assert_true(smp_ask(&h, 0, 1, 6, NULL, 0, BF_SEC(1)));
	assert_int_equal(smp_number(&h, "upload_image_id"), 0); /* of slot 1, it says */
	smp_upload(&h, "app-1.4.0.signed.bin", 0, NULL);
	assert_string_equal(listed(&h), "1.4.0 active confirmed");
	smp_close(&h);
}

static void the_firmware_goes_on_with_an_upload_that_broke_off(void **state)
{
	struct smp_host h;
	size_t len;
	uint8_t *p = smp_file("app-1.5.0.signed.bin", &len);
	uint8_t sha[32], other[32] = { 1 };

	(void)state;
	bf_sha256(sha, p, len);
	smp_open(&h, APP);
	assert_int_equal(smp_give(&h, p, 500, 0, (uint32_t)len, -1, sha), 500);
	assert_int_equal(smp_give(&h, p + 500, 500, 500, 0, -1, NULL), 1000);
	assert_int_equal(smp_give(&h, p, 500, 0, (uint32_t)len, -1, sha), 1000);
	assert_int_equal(smp_give(&h, p, 500, 0, (uint32_t)len, -1, other), 500);
	smp_close(&h);
	smp_open(&h, APP ",smp=nosha");
	assert_int_equal(smp_give(&h, p, 500, 0, (uint32_t)len, -1, sha), 500);
	assert_int_equal(smp_give(&h, p, 500, 0, (uint32_t)len, -1, sha), 500);
	smp_upload(&h, "app-1.5.0.signed.bin", -1, sha);
	assert_true(smp_has(&h, "match\xf5"));
	smp_upload(&h, "app-1.4.0.signed.bin", -1, other);
	assert_true(smp_has(&h, "match\xf4"));
	smp_close(&h);
	free(p);
}

static void the_firmware_refuses_a_slot_that_is_pending(void **state)
{
	struct smp_host h;
	uint8_t p[64] = { 0x3D, 0xB8, 0xF3, 0x96 };

	(void)state;
	smp_open(&h, APP ",slot1=1.4.0,pending=test");
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.4.0 pending");
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), -2 - 6);
	h.version = 1;
	assert_int_equal(smp_give(&h, p, 64, 0, 1000, -1, NULL), -2 - 9);
	smp_says(&h, 2, 1, 5, "a0", "bf63657272bf6567726f75700162726309ffff");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active, 1.3.0 confirmed");
	smp_close(&h);
	smp_open(&h, APP ",slot1=1.4.0");
	smp_says(&h, 2, 1, 5, "a0", "bfff");
	assert_string_equal(listed(&h), "1.3.0 active confirmed");
	smp_close(&h);
}

/* ---- starts ---- */

static void a_test_boot_is_confirmed_or_reverts(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP);
	smp_upload(&h, "app-1.4.0.signed.bin", -1, NULL);
	smp_mark(&h, HASH_14, false);
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active, 1.3.0 confirmed");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.4.0");
	smp_mark(&h, HASH_14, false);
	smp_restart(&h);
	smp_mark(&h, NULL, true);
	assert_string_equal(listed(&h), "1.4.0 active confirmed, 1.3.0");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active confirmed, 1.3.0");
	smp_close(&h);
}

static void the_firmware_lists_what_the_bootloader_then_refuses(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP);
	smp_upload(&h, "bad-signature-bit.bin", -1, NULL);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.5.0");
	smp_mark(&h, HASH_15, false);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.5.0 pending");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.3.0 active confirmed");
	smp_close(&h);
}

static void confirm_in_serial_recovery_makes_the_other_image_permanent(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, RECOVERY ",slot1=1.4.0");
	smp_mark(&h, NULL, true);
	assert_string_equal(listed(&h), "1.3.0 confirmed, 1.4.0 pending permanent");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active confirmed"); /* 1.3.0 has an older counter */
	smp_close(&h);
	/* ... even by the hash of what runs, and with nothing there. */
	smp_open(&h, RECOVERY);
	smp_mark(&h, HASH_13, false);
	assert_string_equal(listed(&h), "1.3.0 confirmed");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.3.0 active confirmed");
	smp_close(&h);
}

static void serial_recovery_is_left_by_a_reset_and_entered_as_asked(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, "sim:model=recovery,flash=instant");
	assert_string_equal(listed(&h), "1.3.0 active confirmed");
	smp_restart(&h);
	assert_false(smp_ask(&h, 0, 1, 0, NULL, 0, BF_SEC(1)));
	smp_close(&h);
	smp_open(&h, "sim:model=recovery,flash=instant,version=none,entry=never");
	smp_upload(&h, "app-1.4.0.signed.bin", 0, NULL);
	smp_restart(&h);
	assert_int_equal(bf_pack_mode(bf_sim_pack(h.t)), BF_PACK_APP);
	smp_close(&h);
	smp_open(&h, "sim:model=both,flash=instant");
	assert_true(smp_ask(&h, 0, 0, 7, NULL, 0, BF_SEC(1)) && smp_has(&h, "Zephyr"));
	assert_true(smp_ask(&h, 2, 0, 5,
			    (const uint8_t *)"\xA1\x69"
					     "boot_mode\x01",
			    12, BF_SEC(1)));
	smp_wait(&h, BF_SEC(3));
	assert_true(smp_ask(&h, 0, 0, 7, NULL, 0, BF_SEC(1)));
	assert_int_equal(smp_number(&h, "rc"), 8);
	smp_restart(&h);
	assert_true(smp_ask(&h, 0, 0, 7, NULL, 0, BF_SEC(1)) && smp_has(&h, "Zephyr"));
	smp_close(&h);
}

static void a_reset_may_swallow_its_answer(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",quirk=quietreset");
	assert_false(smp_ask(&h, 2, 0, 5, (const uint8_t *)"\xA0", 1, BF_MS(500)));
	smp_wait(&h, BF_SEC(3));
	assert_int_equal(bf_pack_starts(bf_sim_pack(h.t)), 2);
	smp_close(&h);
}

static void overwriting_has_no_way_back(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",swap=overwrite");
	smp_upload(&h, "app-1.4.0.signed.bin", -1, NULL);
	smp_mark(&h, HASH_14, false);
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active confirmed");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active confirmed");
	smp_close(&h);
}

static void the_higher_version_runs_where_it_is(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",swap=xip");
	smp_upload(&h, "app-1.4.0.signed.bin", -1, NULL);
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 1.4.0 pending permanent");
	smp_says(&h, 2, 1, 0, "a167636f6e6669726df5", "bf62726308ff");
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.3.0, 1.4.0 active confirmed");
	smp_upload(&h, "app-1.5.0.signed.bin", -1, NULL);
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.5.0 active confirmed, 1.4.0");
	smp_close(&h);
}

static void two_images_are_swapped_in_one_start(void **state)
{
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",image1=1.3.0,version=1.4.0");
	smp_upload(&h, "app-1.5.0.signed.bin", 0, NULL);
	smp_upload(&h, "app-1.5.0.pure.bin", 1, NULL);
	smp_mark(&h, HASH_15, false);
	assert_string_equal(listed(&h), "1.4.0 active confirmed, 1.5.0 pending, "
					"1.3.0 active confirmed, 1.5.0");
	smp_upload(&h, "app-1.4.0.signed.bin", 1, NULL);
	/* The first hash that matches is image 0's. */
	smp_mark(&h, HASH_14, false);
	assert_int_equal(smp_number(&h, "rc"), 1);
	smp_close(&h);
	smp_open(&h, APP ",image1=1.3.0");
	smp_upload(&h, "app-1.4.0.signed.bin", 0, NULL);
	smp_upload(&h, "app-1.5.0.signed.bin", 1, NULL);
	smp_mark(&h, HASH_15, false);
	smp_mark(&h, HASH_14, false);
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active, 1.3.0 confirmed, "
					"1.5.0 active, 1.3.0 confirmed");
	smp_mark(&h, NULL, true);
	smp_restart(&h);
	assert_string_equal(listed(&h), "1.4.0 active confirmed, 1.3.0, "
					"1.3.0 active confirmed, 1.5.0");
	smp_close(&h);
}

/* ---- images made here, by a key that the pack is told to trust ---- */

static const uint8_t seed[32] = { 7 };

#define TRUST_LEN 80

static const char *trusting(char dst[TRUST_LEN + 256], const char *keys)
{
	uint8_t pk[32];
	char hex[65];

	bf_ed25519_public(pk, seed);
	snprintf(dst, TRUST_LEN + 256, "%s,trust=%s", keys, bf_hex(hex, sizeof(hex), pk, 32));
	return dst;
}

/* `size` bytes of code, version 2.minor.0; needs: the lowest minor version of the other image, -1: none. */
static size_t make_image(uint8_t *p, size_t size, uint8_t minor, unsigned other, int needs)
{
	static const uint8_t spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
					0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	struct bf_out o = bf_out(p, 0x80000);
	size_t prot = 4 + 8 + (needs >= 0 ? 16u : 0);
	uint8_t key[44], keyhash[32], digest[32], sig[64];
	size_t covered;

	bf_out_le32(&o, 0x96F3B83D);
	bf_out_le32(&o, 0);
	bf_out_le16(&o, 32);
	bf_out_le16(&o, (uint16_t)prot);
	bf_out_le32(&o, (uint32_t)size);
	bf_out_le32(&o, 0);
	bf_out_u8(&o, 2);
	bf_out_u8(&o, minor);
	bf_out_le16(&o, 0);
	bf_out_le32(&o, 0);
	bf_out_le32(&o, 0);
	for (size_t i = 0; i < size; i++)
		bf_out_u8(&o, (uint8_t)(i * 7 + minor));
	bf_out_le16(&o, 0x6908);
	bf_out_le16(&o, (uint16_t)prot);
	bf_out_le16(&o, 0x50);
	bf_out_le16(&o, 4);
	bf_out_le32(&o, 9); /* security counter */
	if (needs >= 0) {
		bf_out_le16(&o, 0x40);
		bf_out_le16(&o, 12);
		bf_out_le32(&o, other);
		bf_out_u8(&o, 2);
		bf_out_u8(&o, (uint8_t)needs);
		bf_out_le16(&o, 0);
		bf_out_le32(&o, 0);
	}
	covered = o.len;
	memcpy(key, spki, sizeof(spki));
	bf_ed25519_public(key + 12, seed);
	bf_sha256(keyhash, key, sizeof(key));
	bf_sha256(digest, p, covered);
	bf_ed25519_sign(sig, digest, sizeof(digest), seed);
	bf_out_le16(&o, 0x6907);
	bf_out_le16(&o, 4 + 36 + 36 + 68);
	bf_out_le16(&o, 0x10);
	bf_out_le16(&o, 32);
	bf_out_bytes(&o, digest, 32);
	bf_out_le16(&o, 0x01);
	bf_out_le16(&o, 32);
	bf_out_bytes(&o, keyhash, 32);
	bf_out_le16(&o, 0x24);
	bf_out_le16(&o, 64);
	bf_out_bytes(&o, sig, 64);
	assert_false(o.failed);
	return o.len;
}

static void give_all(struct smp_host *h, const uint8_t *p, size_t len, int image)
{
	for (size_t at = 0; at < len;) {
		size_t n = len - at < 992 ? len - at : 992;

		assert_int_equal(
			smp_give(h, p + at, n, (uint32_t)at, (uint32_t)len, at ? -1 : image, NULL),
			at + n);
		at += n;
	}
}

static void mark_image(struct smp_host *h, const uint8_t *p)
{
	char hex[65];
	uint8_t digest[32];

	bf_sha256(digest, p, 32u + bf_get_le32(p + 12) + bf_get_le16(p + 10));
	smp_mark(h, bf_hex(hex, sizeof(hex), digest, 32), false);
}

static void a_file_that_fits_the_slot_and_no_more_is_taken_and_never_started(void **state)
{
	char keys[TRUST_LEN + 256];
	uint8_t *p = malloc(0x80000);
	struct smp_host h;
	size_t len;

	(void)state;
	for (int fits = 0; fits < 2; fits++) {
		smp_open(&h, trusting(keys, RECOVERY ",smp=direct,rate=3000000,bufsize=2048"));
		len = make_image(p, 0x7D800 - 32 - 12 - 4 - 140 + (fits ? 0 : 8), 1, 0, -1);
		assert_int_equal(len, 0x7D800 + (fits ? 0 : 8));
		give_all(&h, p, len, 2);
		assert_string_equal(listed(&h), fits ? "1.3.0 active confirmed, 2.1.0"
						     : "1.3.0 active confirmed");
		smp_close(&h);
	}
	free(p);
}

static void images_that_need_each_other_are_installed_together_or_not_at_all(void **state)
{
	static const char *const both = "2.2.0 active, 1.3.0 confirmed, "
					"2.2.0 active, 1.3.0 confirmed";
	char keys[TRUST_LEN + 256];
	uint8_t *a = malloc(0x80000), *b = malloc(0x80000);
	size_t a_len = make_image(a, 5000, 2, 1, 2), b_len = make_image(b, 6000, 2, 0, 2);
	struct smp_host h;

	(void)state;
	smp_open(&h, trusting(keys, APP ",image1=1.3.0,bufsize=2048"));
	give_all(&h, a, a_len, 0);
	give_all(&h, b, b_len, 1);
	mark_image(&h, a);
	smp_restart(&h); /* one of them alone: refused */
	assert_string_equal(listed(&h), "1.3.0 active confirmed, 2.2.0, "
					"1.3.0 active confirmed, 2.2.0");
	mark_image(&h, a);
	mark_image(&h, b);
	smp_restart(&h);
	assert_string_equal(listed(&h), both);
	smp_close(&h);
	free(a);
	free(b);
}

/* ---- power, and what else is on the line ---- */

static void power_that_goes_anywhere_leaves_firmware_that_starts(void **state)
{
	char address[128];

	(void)state;
	for (unsigned op = 1; op < 40000; op += 997) {
		struct smp_host h;
		uint8_t body[1024];
		size_t len;
		uint8_t *p = smp_file("app-1.4.0.signed.bin", &len);
		struct bf_pack *pack;

		snprintf(address, sizeof(address), APP ",cutop=%u,repower=100", op);
		smp_open(&h, address);
		pack = bf_sim_pack(h.t);
		for (size_t at = 0; at < len; at += 504) {
			size_t n = len - at < 504 ? len - at : 504;

			if (!smp_ask(&h, 2, 1, 1, body,
				     smp_chunk(body, p + at, n, (uint32_t)at, (uint32_t)len, -1,
					       NULL),
				     BF_SEC(2)))
				break;
		}
		smp_wait(&h, BF_SEC(2));
		if (bf_pack_starts(pack) == 1) {
			smp_mark(&h, HASH_14, false);
			smp_restart(&h);
		}
		smp_wait(&h, BF_SEC(30));
		assert_int_equal(bf_pack_mode(pack), BF_PACK_APP);
		assert_int_equal(bf_pack_running(pack)->minor, bf_pack_on_trial(pack) ? 4 : 3);
		smp_close(&h);
		free(p);
	}
}

static void the_firmware_answers_modbus_beside_smp(void **state)
{
	static const uint8_t ask[] = { 1, 3, 0, 64, 0, 3, 0x04, 0x1F };
	static const uint8_t beyond[] = { 1, 4, 0, 90, 0, 9, 0x10, 0x1F };
	struct smp_host h;

	(void)state;
	smp_open(&h, APP ",app=modbus");
	for (int i = 0; i < 2; i++) {
		smp_list(&h);
		smp_wait(&h, BF_MS(10));
		h.rx_len = 0;
		smp_put(&h, ask, sizeof(ask));
		assert_int_equal(smp_hear(&h, 0, BF_MS(50)), 5 + 6);
		assert_memory_equal(h.rx, "\x01\x03\x06\0\x01\0\x03\0\0", 9);
		h.rx_len = 0;
		smp_put(&h, beyond, sizeof(beyond));
		assert_int_equal(smp_hear(&h, 0, BF_MS(50)), 5);
		assert_memory_equal(h.rx, "\x01\x84\x02", 3);
		smp_wait(&h, BF_MS(10));
	}
	smp_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_of_three_bytes_less_than_a_buffer_is_the_longest),
		cmocka_unit_test(raw_packets_come_back_to_back_and_silence_ends_what_is_none),
		cmocka_unit_test(what_is_not_exactly_a_frame_gets_no_answer),
		cmocka_unit_test(lines_of_more_than_127_characters_get_no_answer),
		cmocka_unit_test(the_firmware_finds_a_marker_behind_other_text),
		cmocka_unit_test(serial_recovery_keeps_eight_lines_while_it_erases),
		cmocka_unit_test(the_firmware_keeps_as_many_requests_as_it_has_buffers),
		cmocka_unit_test(log_text_stands_between_frames_and_before_markers),
		cmocka_unit_test(both_forms_of_errors_are_spoken),
		cmocka_unit_test(a_small_build_knows_list_upload_and_reset_alone),
		cmocka_unit_test(written_slot_information_is_answered_twice),
		cmocka_unit_test(the_bootloader_s_mode_is_told_or_unknown),
		cmocka_unit_test(the_board_is_named_by_os_information),
		cmocka_unit_test(the_slot_is_erased_inside_the_first_answer),
		cmocka_unit_test(a_wrong_offset_is_answered_with_the_one_that_is_wanted),
		cmocka_unit_test(bytes_that_fill_no_double_word_are_dropped_but_at_the_end),
		cmocka_unit_test(an_older_counter_uploads_and_is_never_listed),
		cmocka_unit_test(a_file_that_fits_the_slot_alone_is_never_listed),
		cmocka_unit_test(progressive_erase_takes_the_mark_of_a_padded_image_away),
		cmocka_unit_test(image_numbers_name_slots_with_direct_upload_alone),
		cmocka_unit_test(the_firmware_goes_on_with_an_upload_that_broke_off),
		cmocka_unit_test(the_firmware_refuses_a_slot_that_is_pending),
		cmocka_unit_test(a_test_boot_is_confirmed_or_reverts),
		cmocka_unit_test(the_firmware_lists_what_the_bootloader_then_refuses),
		cmocka_unit_test(confirm_in_serial_recovery_makes_the_other_image_permanent),
		cmocka_unit_test(serial_recovery_is_left_by_a_reset_and_entered_as_asked),
		cmocka_unit_test(a_reset_may_swallow_its_answer),
		cmocka_unit_test(overwriting_has_no_way_back),
		cmocka_unit_test(the_higher_version_runs_where_it_is),
		cmocka_unit_test(two_images_are_swapped_in_one_start),
		cmocka_unit_test(a_file_that_fits_the_slot_and_no_more_is_taken_and_never_started),
		cmocka_unit_test(images_that_need_each_other_are_installed_together_or_not_at_all),
		cmocka_unit_test(power_that_goes_anywhere_leaves_firmware_that_starts),
		cmocka_unit_test(the_firmware_answers_modbus_beside_smp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
