/* SPDX-License-Identifier: MIT */
/* A bootloader that takes an image by XMODEM, as a JK unit does; the receiver is written here. */
#include "../unit.h"

#include "bmsflash/family.h"
#include "family/xmodem/xmodem_profile.h"
#include "fake.h"

extern const struct bf_proto_ops bf_proto_xmodem_ops;

#define BANNER "\r\nSTM32F103xC BOOTLOADER (Version 2.0.4)\r\n"

struct bench {
	struct bf_clock *clock;
	struct fake *line;
	struct bf_profile profile;
	struct bf_xmodem_profile *set;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;
	uint8_t got[4096];
	size_t n;
	bool ended;
};

static void say(struct bench *b, const char *text, bf_time after)
{
	fake_say_bytes(b->line, (const uint8_t *)text, strlen(text), after);
}

static size_t hear(struct fake *line, void *ctx, const uint8_t *p, size_t len)
{
	struct bench *b = ctx;

	(void)line;
	if (p[0] == 0x04 && !b->ended) {
		b->ended = true;
		say(b, "\x06\r\n->Tran-End\r\n\r\n->Jump to app...\r\n", BF_MS(1));
	}
	if (p[0] != 0x01)
		return 1;
	if (len < 132)
		return 0;
	memcpy(b->got + b->n, p + 3, 128);
	b->n += 128;
	say(b, "\x06", BF_MS(1));
	return 132;
}

static struct bench *bench_new(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_proto_env env;

	assert_non_null(b);
	b->clock = bf_vclock_new();
	bf_err_init(&b->err);
	bf_profile_default(&b->profile);
	b->set = bf_profile_family_mut(&b->profile, "xmodem");
	b->set->end = BF_XMODEM_END_GLUED;
	b->set->check = BF_XMODEM_SUM;
	b->set->ready = BF_XMODEM_READY_NAK;
	b->set->pad = 0xFF;
	b->set->max_size = 1024;
	strcpy(b->set->banner, "BOOTLOADER (Version 2.0.");
	strcpy(b->set->done, "->Tran-End");
	strcpy(b->set->leave, "04");
	bf_retry_default(&b->retry);
	b->line = fake_stream_new(b->clock);
	fake_stream_handle(b->line, hear, b);
	env = (struct bf_proto_env){ .transport = fake_transport(b->line),
				     .profile = &b->profile,
				     .retry = &b->retry,
				     .node = -1 };
	assert_int_equal(bf_proto_xmodem_ops.open(&env, &b->proto, &b->err), BF_OK);
	return b;
}

static void bench_free(struct bench *b)
{
	bf_proto_close(b->proto);
	fake_free(b->line);
	bf_clock_free(b->clock);
	free(b);
}

static enum bf_rc recognise(struct bench *b)
{
	return b->proto->ops->recognise(b->proto, bf_in(b->clock, BF_MS(600)), &b->err);
}

static enum bf_rc send_all(struct bench *b, const uint8_t *image, size_t len)
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
	return rc ? rc : ops->finish(b->proto, &b->err);
}

static void it_is_recognised_by_listening_alone(void **state)
{
	struct bench *b = bench_new();
	struct bf_ident id = { 0 };

	(void)state;
	assert_int_equal(recognise(b), BF_E_NODEV);
	assert_string_equal(fake_heard(b->line), "");
	say(b, BANNER, BF_MS(200));
	say(b, "\x15", BF_MS(900));
	bf_err_init(&b->err);
	assert_int_equal(recognise(b), BF_OK);
	assert_int_equal(b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	assert_string_equal(id.loader, "STM32F103xC BOOTLOADER (Version 2.0.4)");
	assert_true(id.in_bootloader && id.is_anybodys);
	assert_int_equal(id.caps, BF_CAP_SINK);
	assert_int_equal(id.regions[0].size, 1024);
	assert_string_equal(fake_heard(b->line), "");
	bench_free(b);
}

static void an_image_is_taken_and_the_end_is_heard(void **state)
{
	struct bench *b = bench_new();
	uint8_t image[700];

	(void)state;
	memset(image, 0xA5, sizeof(image));
	say(b, BANNER "\x15", BF_MS(100));
	assert_int_equal(b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_OK);
	if (send_all(b, image, sizeof(image)))
		fail_msg("%s", b->err.cause);
	assert_int_equal(b->n, 768);
	assert_memory_equal(b->got, image, sizeof(image));
	assert_int_equal(b->got[700], 0xFF);
	/* it starts the firmware by itself: nothing more is sent, and nothing is heard */
	fake_forget(b->line);
	assert_int_equal(b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(5)), &b->err),
			 BF_E_TIMEOUT);
	assert_string_equal(fake_heard(b->line), "");
	bench_free(b);
}

/* Heard again after a transfer, or before any: the firmware was not started. */
static void a_loader_that_is_heard_has_started_nothing(void **state)
{
	struct bench *b = bench_new();
	struct bf_xmodem_profile *s = bf_profile_family_mut(&b->profile, "xmodem");
	uint8_t image[700];

	(void)state;
	s->leave[0] = '\0';
	memset(image, 0xA5, sizeof(image));
	for (unsigned i = 0; i < 2; i++) {
		say(b, BANNER "\x15", BF_MS(100));
		assert_int_equal(recognise(b), BF_OK);
		assert_int_equal(b->proto->ops->loader->restart(b->proto, &b->err),
				 BF_E_UNSUPPORTED);
		bf_err_init(&b->err);
		if (!i && send_all(b, image, sizeof(image)))
			fail_msg("%s", b->err.cause);
	}
	bench_free(b);
}

static void an_image_that_is_too_large_is_refused_before_a_byte(void **state)
{
	struct bench *b = bench_new();
	uint8_t image[1025] = { 0 };

	(void)state;
	say(b, "\x15", BF_MS(100));
	assert_int_equal(recognise(b), BF_OK);
	assert_int_equal(send_all(b, image, sizeof(image)), BF_E_IMAGE);
	assert_string_equal(fake_heard(b->line), "");
	bench_free(b);
}

static void another_generation_of_bootloader_is_refused(void **state)
{
	struct bench *b = bench_new();

	(void)state;
	say(b, "\r\nSTM32F103xC8 bootloader (Version 1.0.3)\r\n\x15", BF_MS(100));
	assert_int_equal(b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err),
			 BF_E_UNSUPPORTED);
	assert_non_null(strstr(b->err.cause, "Version 1.0.3"));
	/* nothing was written to it, so that its firmware can be started */
	b->proto->ops->leave(b->proto);
	assert_string_equal(fake_heard(b->line), "04\n");
	bench_free(b);
}

static void one_that_is_not_heard_in_time_is_not_there(void **state)
{
	struct bench *b = bench_new();
	bf_time began = bf_now(b->clock);

	(void)state;
	assert_int_equal(b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_NODEV);
	assert_true(bf_now(b->clock) - began >= BF_SEC(60));
	assert_true(bf_now(b->clock) - began < BF_SEC(62));
	/* It gives nothing to read: nothing is waited for. */
	began = bf_now(b->clock);
	assert_int_equal(b->proto->ops->connect(b->proto, BF_ENTRY_READ, &b->err), BF_OK);
	assert_int_equal(bf_now(b->clock), began);
	assert_false(b->proto->ops->loader_caps & BF_CAP_READ);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_recognised_by_listening_alone),
		cmocka_unit_test(an_image_is_taken_and_the_end_is_heard),
		cmocka_unit_test(a_loader_that_is_heard_has_started_nothing),
		cmocka_unit_test(an_image_that_is_too_large_is_refused_before_a_byte),
		cmocka_unit_test(another_generation_of_bootloader_is_refused),
		cmocka_unit_test(one_that_is_not_heard_in_time_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
