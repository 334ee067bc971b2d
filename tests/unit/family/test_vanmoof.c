/* SPDX-License-Identifier: MIT */
/* The shadow bank of a VanMoof battery, against a pack that is written here: it counts bytes and erases pages. */
#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/family.h"
#include "fake.h"

#define TRAP 20480
#define ROOM 0x15800

extern const struct bf_proto_ops bf_proto_vanmoof_ops;

struct pack {
	struct fake *line;
	uint8_t shadow[ROOM];
	uint32_t count; /* bytes since it was told to begin */
	unsigned met;   /* times that the count was that of a bootloader */
	unsigned begins, chunks, installs;
	unsigned lose_at; /* the answer to chunk number N gets lost ... */
	unsigned miss_at; /* chunk number N gets lost itself */
	uint16_t check;
	uint16_t version; /* 0: 1.17 */
};

struct bench {
	struct bf_clock *clock;
	struct pack pack;
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
};

static void say(struct pack *k, uint8_t *p, size_t len)
{
	uint16_t crc = bf_crc16(BF_CRC16_MODBUS, p, len);

	bf_put_le16(p + len, crc);
	fake_say_bytes(k->line, p, len + 2, BF_MS(5));
}

static uint16_t reg_of(const struct pack *k, unsigned reg)
{
	switch (reg) {
	case 0:
		return 0x0100;
	case 0x0A:
		return 0x0101;
	case 0x0B:
		return k->version ? k->version : 0x0117;
	case 0x2C:
		return 0x0007;
	case 0x81:
		return k->check;
	default:
		return reg >= 0x0C && reg <= 0x12 ? 0x4131 : 0;
	}
}

static void take_chunk(struct pack *k, const uint8_t *p, size_t len)
{
	uint32_t at = bf_get_be32(p + 7);
	size_t n = len - 11;

	k->chunks++;
	if (k->miss_at && k->chunks == k->miss_at)
		return;
	assert_true(n > 0 && n % 4 == 0 && n <= 32 && at + n <= ROOM);
	if (at % 128 == 0)
		memset(k->shadow + at, 0, 128);
	for (size_t i = 0; i < n; i++)
		k->shadow[at + i] |= p[11 + i]; /* written twice without an erasure: spoilt */
	k->count += (uint32_t)n;
	k->met += k->count == TRAP;
	if (!(k->lose_at && k->chunks == k->lose_at)) {
		uint8_t a[16];

		memcpy(a, p, 6);
		say(k, a, 6);
	}
}

static void take(struct pack *k, const uint8_t *p, size_t len)
{
	unsigned reg = bf_get_be16(p + 2);
	uint8_t a[300];

	if (p[1] == 16) {
		assert_int_equal(reg, 0x82);
		take_chunk(k, p, len);
		return;
	}
	if (p[1] == 6) {
		if (reg == 0x95) {
			k->count = 0;
			k->begins++;
		} else {
			assert_int_equal(reg, 0x80);
			assert_int_not_equal(k->count, TRAP);
			k->installs++;
		}
		memcpy(a, p, 6);
		say(k, a, 6);
		return;
	}
	a[0] = p[0];
	a[1] = p[1];
	a[2] = (uint8_t)(2 * bf_get_be16(p + 4));
	for (unsigned i = 0; i < bf_get_be16(p + 4); i++)
		bf_put_be16(a + 3 + (size_t)2 * i, reg_of(k, reg + i));
	say(k, a, 3U + a[2]);
}

static size_t hear(struct fake *line, void *ctx, const uint8_t *p, size_t len)
{
	struct pack *k = ctx;
	size_t need = len < 8 ? 8 : p[1] == 16 ? 9U + p[6] : 8;

	(void)line;
	if (len < need)
		return 0;
	assert_int_equal(p[0], 0xAA);
	assert_int_equal(bf_get_le16(p + need - 2), bf_crc16(BF_CRC16_MODBUS, p, need - 2));
	take(k, p, need - 2);
	return need;
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_proto_env env;

	assert_non_null(b);
	b->clock = bf_vclock_new();
	bf_err_init(&b->err);
	bf_profile_default(&b->profile);
	bf_retry_default(&b->retry);
	b->pack.line = fake_stream_new(b->clock);
	fake_stream_handle(b->pack.line, hear, &b->pack);
	env = (struct bf_proto_env){ .transport = fake_transport(b->pack.line),
				     .profile = &b->profile,
				     .retry = &b->retry,
				     .node = -1 };
	assert_int_equal(bf_proto_vanmoof_ops.open(&env, &b->proto, &b->err), BF_OK);
	return b;
}

static void bench_free(struct bench *b)
{
	bf_proto_close(b->proto);
	fake_free(b->pack.line);
	bf_clock_free(b->clock);
	free(b);
}

static uint8_t *make(size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
	return p;
}

static enum bf_rc send_once(struct bench *b, const uint8_t *image, size_t len)
{
	const struct bf_segment seg = { .data = image, .len = len };
	const struct bf_target target = { .segment = &seg, .len = len };
	const struct bf_loader_ops *ops = b->proto->ops->loader;
	struct bf_flow flow = { 0 };
	size_t next = 0;
	enum bf_rc rc = ops->begin(b->proto, &target, &flow, &b->err);

	for (size_t at = 0; !rc && at < len; at = next) {
		struct bf_block block = { .offset = at,
					  .data = image + at,
					  .len = len - at < flow.block_max ? len - at
									   : flow.block_max };

		rc = ops->block_start(b->proto, &block, &b->err);
		if (!rc)
			rc = ops->block_finish(b->proto, &next, &b->err);
	}
	if (!rc)
		rc = ops->finish(b->proto, &b->err);
	if (rc)
		ops->abandon(b->proto);
	return rc;
}

static void a_pack_says_who_it_is(void **state)
{
	struct bench *b = bench_new();
	struct bf_ident id = { 0 };

	(void)state;
	assert_int_equal(b->proto->ops->recognise(b->proto, bf_in(b->clock, BF_SEC(1)), &b->err),
			 BF_OK);
	assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	assert_string_equal(id.model, "VM13-147");
	assert_string_equal(id.serial, "A1A1A1A1A1A1A1");
	assert_string_equal(id.version_text, "1.17");
	assert_true(id.has_version && id.version_short && id.version.minor == 17);
	assert_true(id.caps & BF_CAP_DUAL_BANK);
	bench_free(b);
}

static void a_version_that_is_not_decimal_is_unreadable(void **state)
{
	static const uint16_t versions[] = { 0x011A, 0x01A1, 0x0A11, 0xA111, 0x9999 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(versions); i++) {
		struct bench *b = bench_new();
		struct bf_ident id = { 0 };
		bool readable = i + 1 == BF_COUNT(versions);

		b->pack.version = versions[i];
		assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
		assert_int_equal(id.has_version, readable);
		assert_int_equal(id.version_unreadable, !readable);
		bench_free(b);
	}
}

/* Of every length that passes the number, or ends near it. */
static void the_count_of_a_bootloader_is_never_met(void **state)
{
	static const size_t lens[] = { 4096,     TRAP - 64, TRAP - 32,     TRAP - 16, TRAP - 12,
				       TRAP - 8, TRAP - 4,  TRAP + 4,      TRAP + 16, TRAP + 128,
				       2 * TRAP, ROOM,      TRAP + 31 * 4, 128 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(lens); i++) {
		struct bench *b = bench_new();
		uint8_t *image = make(lens[i]);

		if (send_once(b, image, lens[i]))
			fail_msg("%zu bytes: %s", lens[i], b->err.cause);
		assert_int_equal(b->pack.met, 0);
		assert_memory_equal(b->pack.shadow, image, lens[i]);
		free(image);
		bench_free(b);
	}
}

static void an_image_of_a_bootloaders_size_is_refused(void **state)
{
	struct bench *b = bench_new();
	uint8_t *image = make(TRAP);

	(void)state;
	assert_int_equal(send_once(b, image, TRAP), BF_E_IMAGE);
	assert_int_equal(b->pack.chunks, 0);
	free(image);
	bench_free(b);
}

/* Whether the chunk or its answer was lost: the page goes again from its start, and is not spoilt. */
static void what_was_lost_goes_again_from_the_start_of_its_page(void **state)
{
	(void)state;
	for (unsigned at = 2; at < 12; at++) {
		for (unsigned how = 0; how < 2; how++) {
			struct bench *b = bench_new();
			uint8_t *image = make(4096);

			if (how)
				b->pack.lose_at = at;
			else
				b->pack.miss_at = at;
			assert_int_equal(send_once(b, image, 4096), BF_OK);
			assert_memory_equal(b->pack.shadow, image, 4096);
			assert_int_equal(b->retry.repeats[BF_RETRY_COUNTED], 1);
			free(image);
			bench_free(b);
		}
	}
}

/* A repeat, anywhere, of an image whose bytes and repeats may add up to the number. */
static void no_repeat_brings_the_count_to_that_of_a_bootloader(void **state)
{
	(void)state;
	for (size_t len = TRAP - 160; len < TRAP; len += 36) {
		for (unsigned at = 2; at < 660; at += 197) {
			struct bench *b = bench_new();
			uint8_t *image = make(len);
			enum bf_rc rc;

			b->pack.lose_at = at;
			rc = send_once(b, image, len);
			assert_true(!rc || rc == BF_E_RESTART);
			if (rc) /* and once more, from the start */
				assert_int_equal(send_once(b, image, len), BF_OK);
			assert_memory_equal(b->pack.shadow, image, len);
			assert_int_equal(b->pack.met, 0);
			free(image);
			bench_free(b);
		}
	}
}

static void a_transfer_that_is_given_up_sets_the_count_back(void **state)
{
	struct bench *b = bench_new();
	uint8_t *image = make(4096);

	(void)state;
	assert_int_equal(send_once(b, image, 4096), BF_OK);
	b->proto->ops->loader->abandon(b->proto);
	assert_int_equal(b->pack.count, 0);
	assert_int_equal(b->pack.begins, 2);
	free(image);
	bench_free(b);
}

static void the_packs_own_check_decides(void **state)
{
	struct bench *b = bench_new();
	uint8_t *image = make(4096);

	(void)state;
	assert_int_equal(send_once(b, image, 4096), BF_OK);
	assert_int_equal(b->proto->ops->loader->check(b->proto, NULL, &b->err), BF_OK);
	assert_int_equal(b->proto->checked, BF_CHECKED_IMAGE);
	b->pack.check = 1;
	assert_int_equal(b->proto->ops->loader->check(b->proto, NULL, &b->err), BF_E_NAK);
	assert_int_equal(b->proto->checked, 0);
	b->pack.check = 0;
	assert_int_equal(b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(b->pack.installs, 1);
	assert_int_equal(b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(30)), &b->err),
			 BF_OK);
	free(image);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_says_who_it_is),
		cmocka_unit_test(a_version_that_is_not_decimal_is_unreadable),
		cmocka_unit_test(the_count_of_a_bootloader_is_never_met),
		cmocka_unit_test(an_image_of_a_bootloaders_size_is_refused),
		cmocka_unit_test(what_was_lost_goes_again_from_the_start_of_its_page),
		cmocka_unit_test(no_repeat_brings_the_count_to_that_of_a_bootloader),
		cmocka_unit_test(a_transfer_that_is_given_up_sets_the_count_back),
		cmocka_unit_test(the_packs_own_check_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
