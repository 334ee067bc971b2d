/* SPDX-License-Identifier: MIT */
/* The ROM loader on a serial line: bytes as AN3155 has them, and what is done when some of them get lost. */
#include "../unit.h"

#include <stdio.h>

#include "family/stm32/stm32_priv.h"
#include "../backup_of.h"
#include "stm32_peer.h"

static enum bf_rc recognise(struct stm32_peer *p, struct bf_err *err)
{
	bf_err_init(err);
	return p->proto->ops->recognise(p->proto, bf_in(p->clock, BF_MS(600)), err);
}

static struct stm32_peer *ready(void)
{
	struct stm32_peer *p = stm32_peer_new();

	stm32_peer_open(p);
	return p;
}

static void connected(struct stm32_peer *p)
{
	struct bf_err err;

	bf_err_init(&err);
	if (recognise(p, &err) || p->proto->ops->connect(p->proto, BF_ENTRY_WRITE, &err))
		fail_msg("%s", err.cause);
}

static struct bf_region flash_of(struct stm32_peer *p)
{
	struct bf_ident id;
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	return id.regions[0];
}

static enum bf_rc erase(struct stm32_peer *p, uint32_t at, uint32_t size, struct bf_err *err)
{
	struct bf_region flash = flash_of(p);

	bf_err_init(err);
	return p->proto->ops->loader->erase(p->proto, &flash, PEER_BASE + at, size, err);
}

static enum bf_rc write(struct stm32_peer *p, uint32_t at, const uint8_t *data, size_t len,
			struct bf_err *err)
{
	const struct bf_loader_ops *l = p->proto->ops->loader;
	struct bf_target target = { .addr = PEER_BASE + at, .len = len };
	struct bf_flow flow;
	size_t next = 0;

	bf_err_init(err);
	if (l->begin(p->proto, &target, &flow, err))
		return err->rc;
	while (next < len) {
		struct bf_block block = { .offset = next, .data = data + next };

		block.len = len - next < flow.block_max ? len - next : flow.block_max;
		if (l->block_start(p->proto, &block, err) || l->block_finish(p->proto, &next, err))
			return err->rc;
	}
	return BF_OK;
}

/* ---- synchronisation ---- */

static void a_fresh_loader_answers_the_first_byte_at_even_parity(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	assert_int_equal(recognise(p, &err), BF_OK);
	assert_string_equal(fake_heard(p->fake), "7F\n00FF\n");
	assert_int_equal(fake_stream_line(p->fake)->parity, BF_PARITY_EVEN);
	assert_int_equal(fake_stream_line(p->fake)->data_bits, 8);
	stm32_peer_free(p);
}

static void a_loader_that_is_synchronised_is_silent_and_then_refuses(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	p->state = AT_COMMAND;
	assert_int_equal(recognise(p, &err), BF_OK);
	assert_string_equal(fake_heard(p->fake), "7F\n7F\n00FF\n");
	stm32_peer_free(p);
}

static void zeros_before_the_first_acknowledge_are_passed_over(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	p->zeros = 3;
	assert_int_equal(recognise(p, &err), BF_OK);
	stm32_peer_free(p);
}

static void a_ping_asks_the_shortest_question_that_the_loader_lists(void **state)
{
	static const uint16_t pid[] = { 0x410, 0 };
	static const char *const question[] = { "02FD\n", "00FF\n" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(pid); i++) {
		struct stm32_peer *p = ready();
		struct bf_err err;

		p->pid = pid[i];
		assert_int_equal(recognise(p, &err), BF_OK);
		fake_forget(p->fake);
		assert_int_equal(p->proto->ops->ping(p->proto, &err), BF_OK);
		assert_string_equal(fake_heard(p->fake), question[i]);
		p->lose_own = p->said + 1;
		p->lose_own_n = 1;
		assert_int_not_equal(p->proto->ops->ping(p->proto, &err), BF_OK);
		assert_int_equal(p->proto->ops->ping(p->proto, &err), BF_OK);
		stm32_peer_free(p);
	}
}

static unsigned reports;

static void counted_report(struct bf_transport *t, struct bf_line_report *ret)
{
	reports++;
	*ret = (struct bf_line_report){ .real_baud = 115200 };
	(void)t;
}

/* Each is system calls, and they come between two blocks, when nobody sends. */
static void the_rate_of_the_line_is_not_asked_for_with_each_block(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_transport *t = fake_transport(p->fake);
	const struct bf_transport_ops *ops = t->ops;
	struct bf_transport_ops counted = *ops;
	struct bf_stream_ops stream = *ops->stream;
	struct bf_region flash;
	uint8_t got[4096];
	struct bf_err err;

	(void)state;
	connected(p);
	flash = flash_of(p);
	stream.report = counted_report;
	counted.stream = &stream;
	t->ops = &counted;
	reports = 0;
	bf_err_init(&err);
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE, got, sizeof(got), &err),
		BF_OK);
	assert_true(p->reads >= sizeof(got) / BF_STM32_BLOCK);
	assert_int_equal(reports, 0);
	t->ops = ops;
	stm32_peer_free(p);
}

static void a_slow_line_has_its_time(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_line slow = { .baud = 1200, .data_bits = 8, .stop_bits = 1 };
	struct bf_region flash;
	uint8_t got[256];
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(bf_line_set(fake_transport(p->fake), &slow, &err), BF_OK);
	p->byte_us = BF_SEC(1) * 11 / 1200;
	assert_int_equal(recognise(p, &err), BF_OK);
	connected(p);
	flash = flash_of(p);
	p->reads = 0;
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE, got, sizeof(got), &err),
		BF_OK);
	assert_int_equal(p->reads, 1);
	stm32_peer_free(p);
}

static void what_answers_something_else_is_no_loader(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct stm32_peer p = { .clock = clock, .fake = peer };
	struct bf_err err;

	(void)state;
	bf_profile_default(&p.profile);
	bf_retry_default(&p.retry);
	stm32_peer_open(&p);
	assert_int_equal(recognise(&p, &err), BF_E_NODEV);
	fake_on(peer, "7F", "01 83 02 C0 F1", BF_MS(2)); /* a Modbus exception */
	assert_int_equal(recognise(&p, &err), BF_E_NODEV);
	bf_proto_close(p.proto);
}

static void a_loader_that_a_dead_program_left_in_a_command_is_brought_back(void **state)
{
	static const uint8_t left[][8] = {
		{ 0x43, 0xBC },       { 0x44, 0xBB },
		{ 0x31, 0xCE },       { 0x31, 0xCE, 0x08, 0x00, 0x00, 0x00, 0x08 },
		{ 0x11, 0xEE, 0x08 }, { 0x21 }
	};
	static const size_t n[] = { 2, 2, 2, 7, 3, 1 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(left); i++) {
		struct stm32_peer *p = ready();
		struct bf_err err;
		const struct bf_stream_ops *s = fake_transport(p->fake)->ops->stream;

		p->state = AT_COMMAND;
		p->wide = left[i][0] == 0x44;
		bf_err_init(&err);
		s->write(fake_transport(p->fake), left[i], n[i], BF_NEVER, &err);
		bf_clock_until(p->clock, bf_in(p->clock, BF_MS(50)));
		/* An extended erase may wait for more pages than anybody sends. */
		if (recognise(p, &err) && left[i][0] != 0x44)
			fail_msg("state %zu: %s", i, err.cause);
		assert_int_equal(p->erasures + p->mass + p->writes + p->went, 0);
		stm32_peer_free(p);
	}
}

/* ---- who it is ---- */

static void the_chip_is_found_by_its_identifier(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_ident id;
	struct bf_err err;

	(void)state;
	connected(p);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	assert_non_null(strstr(id.model, "STM32F10x medium density"));
	assert_string_equal(id.loader, "ROM loader 2.2 (UART), chip 0x410");
	assert_true(id.is_anybodys);
	assert_true(id.in_bootloader);
	assert_int_equal(id.regions[0].addr, PEER_BASE);
	assert_int_equal(id.regions[0].size, PEER_FLASH);
	assert_int_equal(id.regions[0].sectors[0].size, 1024);
	assert_int_equal(id.regions[0].sectors[0].count, 128);
	assert_string_equal(id.regions[1].name, "option-bytes");
	assert_int_equal(id.regions[1].access, BF_ACCESS_READ);
	assert_false(id.no_write[0]);
	for (size_t i = 0; i < id.n_regions; i++)
		assert_true(id.regions[i].size > 0);
	stm32_peer_free(p);
}

static void a_clone_without_identifier_is_not_erased_before_somebody_says_its_pages(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	struct bf_ident id;
	struct bf_err err;

	(void)state;
	p->pid = 0;
	stm32_peer_open(p);
	connected(p);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	assert_string_equal(id.model, "unknown chip");
	assert_non_null(strstr(id.no_write, "unknown chip"));
	assert_int_equal(id.caps & (BF_CAP_ERASE | BF_CAP_ANY_ORDER), 0);
	p->proto = bf_proto_close(p->proto);
	s->page = 1024;
	s->flash_size = PEER_FLASH;
	stm32_peer_open(p);
	connected(p);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	assert_false(id.no_write[0]);
	assert_int_equal(id.regions[0].size, PEER_FLASH);
	assert_null(strstr(fake_heard(p->fake), "02FD"));
	stm32_peer_free(p);
}

static void a_chip_of_another_family_is_refused_by_name(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	struct bf_proto_env env = { .transport = fake_transport(p->fake),
				    .profile = &p->profile,
				    .retry = &p->retry,
				    .node = -1 };
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	snprintf(s->chip, sizeof(s->chip), "CH32V203");
	assert_int_equal(bf_proto_stm32_ops.open(&env, &p->proto, &err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(err.cause, "wchisp"));
	stm32_peer_free(p);
}

/* G47x: an option bit decides; where it cannot be read the profile does, or nothing is erased. */
static void sectors_that_hang_on_an_option_bit_are_asked_for(void **state)
{
	static const struct {
		enum bf_stm32_banks banks;
		uint32_t size; /* of a sector; 0: not known */
	} rows[] = { { BF_STM32_BANKS_AUTO, 0 },
		     { BF_STM32_BANKS_ONE, 4096 },
		     { BF_STM32_BANKS_TWO, 2048 } };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct stm32_peer *p = stm32_peer_new();
		struct bf_stm32_profile *set = bf_profile_family_mut(&p->profile, "stm32");
		struct bf_ident id;
		struct bf_err err;

		p->pid = 0x469;
		p->wide = true;
		set->banks = rows[i].banks;
		stm32_peer_open(p);
		connected(p);
		bf_err_init(&err);
		assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
		if (rows[i].size)
			assert_int_equal(id.regions[0].sectors[0].size, rows[i].size);
		else
			assert_non_null(strstr(id.no_write, "dbank"));
		assert_int_equal(!!(id.regions[0].access & BF_ACCESS_ERASE), rows[i].size != 0);
		stm32_peer_free(p);
	}
}

static void keep_text(void *ctx, enum bf_log_level level, const char *text)
{
	if (level == BF_LOG_WARN)
		snprintf(ctx, 256, "%s", text);
}

/* F07x: whether there is firmware is looked at when power comes. */
static void flash_that_was_empty_asks_for_a_power_cycle(void **state)
{
	(void)state;
	for (int empty = 0; empty < 3; empty++) {
		struct stm32_peer *p = stm32_peer_new();
		char text[256] = "";
		const struct bf_log log = { keep_text, text, BF_LOG_WARN };
		struct bf_err err;

		/* An F10x, which was empty, too, does not look. */
		p->pid = empty == 2 ? 0x410 : 0x448;
		p->wide = empty != 2;
		if (empty)
			memset(p->flash, 0xFF, 2048);
		stm32_peer_open(p);
		p->proto->env.log = &log;
		connected(p);
		bf_err_init(&err);
		assert_int_equal(p->proto->ops->loader->restart(p->proto, &err), BF_OK);
		assert_int_equal(strstr(text, "switch the pack off and on") != NULL, empty == 1);
		stm32_peer_free(p);
	}
}

static void readout_protection_is_seen_and_never_cleared_unasked(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_ident id;
	struct bf_err err;

	(void)state;
	p->rdp = true;
	stm32_peer_open(p);
	connected(p);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	assert_non_null(strstr(id.no_write, "readout protection"));
	assert_int_equal(id.regions[0].access, 0);
	assert_int_equal(erase(p, 0, 1024, &err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(err.cause, "readout protection"));
	assert_int_equal(p->cleared, 0);
	stm32_peer_free(p);
}

static void readout_protection_is_cleared_where_that_is_allowed(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_ident id;
	struct bf_err err;

	(void)state;
	p->rdp = true;
	stm32_peer_open(p);
	p->proto->env.unprotect = true;
	connected(p);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->identify(p->proto, &id, &err), BF_OK);
	assert_int_equal(id.regions[0].access, BF_ACCESS_WRITE | BF_ACCESS_ERASE);
	assert_int_equal(p->cleared, 0);
	assert_int_equal(erase(p, 0, 1024, &err), BF_OK);
	assert_int_equal(p->cleared, 1);
	stm32_peer_free(p);
}

/* ---- reading ---- */

static void a_read_has_the_bytes_of_the_manual(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_region flash;
	struct bf_err err;
	uint8_t got[256];

	(void)state;
	connected(p);
	flash = flash_of(p);
	fake_forget(p->fake);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x1234 - 0x34,
						     got, sizeof(got), &err),
			 BF_OK);
	assert_string_equal(fake_heard(p->fake), "11EE\n080012001A\nFF00\n");
	assert_memory_equal(got, p->flash + 0x1200, sizeof(got));
	/* What was read is known. */
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x1200, got, 16, &err),
		BF_OK);
	assert_string_equal(fake_heard(p->fake), "11EE\n080012001A\nFF00\n");
	stm32_peer_free(p);
}

static void reading_survives_each_lost_byte(void **state)
{
	(void)state;
	for (long k = 0; k < 300; k++) {
		struct stm32_peer *p = ready();
		struct bf_region flash;
		struct bf_err err;
		uint8_t got[512];

		connected(p);
		flash = flash_of(p);
		if (k % 2)
			p->lose_host = p->heard + k / 2 % 18;
		else
			p->lose_own = p->said + k * 2;
		bf_err_init(&err);
		if (p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x2000, got,
						sizeof(got), &err))
			fail_msg("byte %ld: %s", k, err.cause);
		assert_memory_equal(got, p->flash + 0x2000, sizeof(got));
		assert_int_equal(p->erasures + p->mass + p->writes + p->went, 0);
		stm32_peer_free(p);
	}
}

/* Its first byte shows it the rate, and only 7F shows the right one. */
static void a_loader_that_lost_its_power_hears_the_byte_of_synchronisation_first(void **state)
{
	uint8_t got[512];

	(void)state;
	for (long k = 0; k < 12; k++) {
		struct stm32_peer *p = ready();
		struct bf_region flash;
		struct bf_err err;

		connected(p);
		flash = flash_of(p);
		bf_err_init(&err);
		/* Gone in the middle of a block, and back for the next question. */
		p->said_at_reset = p->said + k;
		assert_int_equal(p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x2000,
							     got, sizeof(got), &err),
				 BF_OK);
		assert_memory_equal(got, p->flash + 0x2000, sizeof(got));
		assert_int_equal(p->resets, 1);
		assert_int_equal(p->erasures + p->mass + p->writes + p->went, 0);
		stm32_peer_free(p);
	}
}

/* To a loader that was reset and took another rate any two bytes might be a command, readout protection among them. */
static void a_loader_that_answers_in_garbage_is_left_alone(void **state)
{
	struct stm32_peer *p = ready();
	uint8_t data[256] = { 1, 2, 3 };
	struct bf_err err;

	(void)state;
	connected(p);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	p->garbles = true;
	p->said_at_reset = p->said + 2;
	assert_int_not_equal(write(p, 0x2000, data, sizeof(data), &err), BF_OK);
	assert_int_equal(p->resets, 1);
	assert_in_range(p->garbled, 6, 24);
	stm32_peer_free(p);
}

/* What has no check value has shifted where a byte came too many. */
static void a_block_with_a_byte_too_many_is_read_again(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_region flash;
	struct bf_err err;
	uint8_t got[256];

	(void)state;
	connected(p);
	flash = flash_of(p);
	bf_err_init(&err);
	p->double_own = p->said + 40;
	assert_int_equal(p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x2000, got,
						     sizeof(got), &err),
			 BF_OK);
	assert_memory_equal(got, p->flash + 0x2000, sizeof(got));
	assert_int_equal(p->proto->env.retry->repeats[BF_RETRY_IDEMPOTENT], 1);
	stm32_peer_free(p);
}

/* With the highest bit of each set no two of them are one, whatever gets lost between them. */
static void what_leads_back_to_the_command_state_is_no_command(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_region flash;
	struct bf_err err;
	const char *heard;
	uint8_t got[256];

	(void)state;
	connected(p);
	flash = flash_of(p);
	bf_err_init(&err);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	fake_forget(p->fake);
	p->state = AT_DATA; /* a block that lost its length */
	p->n = 0;
	p->len = 255;
	p->lose_own = p->said;
	(void)p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x2000, got, sizeof(got),
					  &err);
	heard = fake_heard(p->fake);
	for (const char *line = strchr(heard, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		if (line[3] == '\n') /* one byte alone */
			assert_true(line[1] >= '8' || strncmp(line + 1, "7F", 2) == 0);
	}
	assert_int_equal(p->mass + p->went + p->cleared, 0);
	stm32_peer_free(p);
}

/* ---- erasing ---- */

static void pages_are_erased_in_one_list(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	connected(p);
	flash_of(p);
	fake_forget(p->fake);
	assert_int_equal(erase(p, 0x2000, 4096, &err), BF_OK);
	assert_non_null(strstr(fake_heard(p->fake), "43BC\n0308090A0B03\n"));
	assert_int_equal(p->erasures, 1);
	stm32_peer_free(p);
}

static void the_extended_command_has_pages_of_two_bytes(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_err err;

	(void)state;
	p->wide = true;
	stm32_peer_open(p);
	connected(p);
	flash_of(p);
	fake_forget(p->fake);
	assert_int_equal(erase(p, 0x2000, 2048, &err), BF_OK);
	assert_non_null(strstr(fake_heard(p->fake), "44BB\n00010008000900\n"));
	stm32_peer_free(p);
}

static void protected_pages_are_told_before_anything_is_written(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	static uint8_t all[PEER_FLASH];
	struct bf_region flash;
	struct bf_err err;

	(void)state;
	p->keep_to = 4096;
	stm32_peer_open(p);
	connected(p);
	flash = flash_of(p);
	bf_err_init(&err);
	/* All of it was read before, for a backup. */
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE, all, PEER_FLASH, &err),
		BF_OK);
	assert_int_equal(erase(p, 0, 8192, &err), BF_E_LINK);
	assert_non_null(strstr(err.cause, "Other pages"));
	memcpy(p->flash, all, PEER_FLASH);
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE, all, PEER_FLASH, &err),
		BF_OK);
	assert_int_equal(erase(p, 0, 4096, &err), BF_E_NAK);
	assert_non_null(strstr(err.likely[0], "write-protected"));
	stm32_peer_free(p);
}

static void a_wrong_page_table_shows_at_the_neighbour(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_region flash;
	struct bf_err err;
	uint8_t got[16];

	(void)state;
	p->page = 2048; /* and the table says 1024: page 8 is at 0x4000 */
	stm32_peer_open(p);
	connected(p);
	flash = flash_of(p);
	bf_err_init(&err);
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 0x2000, got, 16, &err),
		BF_OK);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_E_LINK);
	stm32_peer_free(p);
}

/* What was read before is compared with what is there after. */
static void the_neighbours_of_an_erased_page_are_looked_at(void **state)
{
	static uint8_t all[PEER_FLASH];

	(void)state;
	for (unsigned pages = 1; pages <= 2; pages++) {
		struct stm32_peer *p = stm32_peer_new();
		struct bf_region flash;
		struct bf_err err;

		stm32_peer_open(p);
		connected(p);
		flash = flash_of(p);
		bf_err_init(&err);
		assert_int_equal(p->proto->ops->loader->read(p->proto, &flash, PEER_BASE, all,
							     PEER_FLASH, &err),
				 BF_OK);
		if (pages == 2) /* behind our back */
			p->flash[0x2000 + 1024] ^= 0xFF;
		assert_int_equal(erase(p, 0x2000, 1024, &err), pages == 1 ? BF_OK : BF_E_LINK);
		if (pages == 2)
			assert_non_null(strstr(err.cause, "also changed 0x08002400"));
		stm32_peer_free(p);
	}
}

/* The heart of it: whichever byte gets lost, in either direction, nothing but the list is ever erased. */
static void no_lost_byte_erases_another_page(void **state)
{
	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		for (long k = 0; k < 2 * 60; k++) {
			struct stm32_peer *p = stm32_peer_new();
			struct bf_err err;
			unsigned others = 0;

			p->wide = wide;
			stm32_peer_open(p);
			connected(p);
			flash_of(p);
			if (k % 2)
				p->lose_host = p->heard + k / 2;
			else
				p->lose_own = p->said + k / 2;
			if (erase(p, 0x2000, 8192, &err))
				fail_msg("byte %ld: %s", k, err.cause);
			for (size_t i = 0; i < sizeof(p->pages); i++)
				others += p->pages[i] && (i < 8 || i >= 16);
			assert_int_equal(others, 0);
			assert_int_equal(p->mass, 0);
			stm32_peer_free(p);
		}
	}
}

static void mass_erase_is_for_a_profile_that_names_it(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	struct bf_region flash;
	struct bf_err err;

	(void)state;
	s->erase = BF_STM32_ERASE_MASS;
	stm32_peer_open(p);
	connected(p);
	flash = flash_of(p);
	assert_int_equal(flash.sectors[0].size, PEER_FLASH);
	assert_int_equal(erase(p, 0, PEER_FLASH, &err), BF_OK);
	assert_int_equal(p->mass, 1);
	stm32_peer_free(p);
}

static void a_mass_erase_that_is_refused_has_erased_nothing(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	struct bf_err err;

	(void)state;
	s->erase = BF_STM32_ERASE_MASS;
	stm32_peer_open(p);
	connected(p);
	(void)flash_of(p);
	p->rdp = true; /* behind our back */
	assert_int_equal(erase(p, 0, PEER_FLASH, &err), BF_E_LINK);
	assert_non_null(strstr(err.cause, "ERASE"));
	assert_int_equal(p->mass, 0);
	stm32_peer_free(p);
}

/* After three blank pages in a row most others are taken for blank, and blank flash after an erase says nothing; once
 * something was seen it does. */
static void of_a_blank_chip_few_pages_are_read(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_region flash;
	uint8_t want[1024];
	struct bf_err err;
	unsigned before;

	(void)state;
	memset(p->flash, 0xFF, sizeof(p->flash));
	memset(want, 0x5A, sizeof(want));
	stm32_peer_open(p);
	connected(p);
	flash = flash_of(p);
	bf_err_init(&err);
	before = p->reads;
	for (uint32_t i = 8; i < 20; i++) {
		bool holds = true;

		assert_int_equal(p->proto->ops->loader->holds(p->proto, &flash,
							      PEER_BASE + i * 1024, want,
							      sizeof(want), &holds, &err),
				 BF_OK);
		assert_false(holds);
	}
	assert_int_equal(p->reads - before, 3);
	assert_int_equal(erase(p, 8 * 1024, 4 * 1024, &err), BF_OK);
	assert_int_equal(p->reads - before, 3);
	p->flash[8 * 1024 + 5] = 0;
	assert_int_equal(
		p->proto->ops->loader->read(p->proto, &flash, PEER_BASE + 8 * 1024, want, 16, &err),
		BF_OK);
	before = p->reads;
	assert_int_equal(erase(p, 8 * 1024, 4 * 1024, &err), BF_OK);
	assert_in_range(p->reads - before, 2, 4);
	stm32_peer_free(p);
}

/* ---- writing ---- */

static void a_write_has_the_bytes_of_the_manual(void **state)
{
	static const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 0x80 };
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	connected(p);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	fake_forget(p->fake);
	assert_int_equal(write(p, 0x2000, data, sizeof(data), &err), BF_OK);
	assert_string_equal(fake_heard(p->fake), "31CE\n0800200028\n0701020304050607808"
						 "7\n");
	assert_memory_equal(p->flash + 0x2000, data, sizeof(data));
	stm32_peer_free(p);
}

static void a_last_block_is_filled_up_and_a_blank_one_is_not_sent(void **state)
{
	uint8_t data[256 + 256 + 5];
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	memset(data, 0x5A, sizeof(data));
	memset(data + 256, 0xFF, 256);
	connected(p);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	assert_int_equal(write(p, 0x2000, data, sizeof(data), &err), BF_OK);
	assert_int_equal(p->writes, 2);
	assert_memory_equal(p->flash + 0x2000, data, sizeof(data));
	assert_int_equal(p->flash[0x2000 + sizeof(data)], 0xFF);
	stm32_peer_free(p);
}

static void a_unit_is_written_once_where_the_image_begins_in_one(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	uint8_t data[700];
	struct bf_err err;

	(void)state;
	s->write_unit = 8;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 3);
	stm32_peer_open(p);
	connected(p);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	fake_forget(p->fake);
	assert_int_equal(write(p, 0x2004, data, sizeof(data), &err), BF_OK);
	assert_memory_equal(p->flash + 0x2004, data, sizeof(data));
	/* Blocks begin at 0x2000, 0x2100, 0x2200. */
	assert_non_null(strstr(fake_heard(p->fake), "0800200028\n"));
	assert_non_null(strstr(fake_heard(p->fake), "0800210029\n"));
	assert_non_null(strstr(fake_heard(p->fake), "080022002A\n"));
	stm32_peer_free(p);
}

static void writing_survives_each_lost_byte(void **state)
{
	uint8_t data[512];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 + 1);
	for (long k = 0; k < 2 * 280; k++) {
		struct stm32_peer *p = ready();
		struct bf_err err;
		unsigned others = 0;

		connected(p);
		assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
		if (k % 2)
			p->lose_host = p->heard + k / 2;
		else
			p->lose_own = p->said + k / 2 % 6;
		/* Where the flash holds neither the old nor the new, the engine erases the page again. */
		if (write(p, 0x2000, data, sizeof(data), &err)) {
			assert_true(bf_stm32_lost(err.rc) || err.rc == BF_E_NAK);
			assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
			assert_int_equal(write(p, 0x2000, data, sizeof(data), &err), BF_OK);
		}
		assert_memory_equal(p->flash + 0x2000, data, sizeof(data));
		for (size_t i = 0; i < sizeof(p->pages); i++)
			others += p->pages[i] && i != 8;
		assert_int_equal(others + p->mass + p->went, 0);
		assert_int_equal(p->flash[0x1FFF], (uint8_t)(0x1FFF * 7 + 0x1F));
		stm32_peer_free(p);
	}
}

/* The loader takes what leads it back to its commands for the block, and for as long a one as 7F says: its end may lie
 * behind the image's last page. The check byte must be wrong whatever of it comes damaged on such a line. */
static void a_lost_block_is_not_made_up_for_though_more_comes_damaged(void **state)
{
	static uint8_t wanted[PEER_FLASH];
	uint8_t *data = wanted + 0x2300;

	(void)state;
	for (size_t i = 0; i < 256; i++)
		data[i] = (uint8_t)(i * 11 + 1);
	for (long k = 0; k < 250; k++) {
		struct stm32_peer *p = ready();
		struct bf_err err;

		connected(p);
		assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
		p->wanted = wanted;
		p->lose_host = p->heard + 7;
		p->lose_host_n = 258;
		p->bad_host = p->lose_host + 260;
		p->luck.state = (uint64_t)k;
		(void)write(p, 0x2300, data, 256, &err);
		assert_int_equal(p->strange, 0);
		stm32_peer_free(p);
	}
}

/* On a line that loses some blocks are short, but for the end of a sector: the loader may take a byte of data for the
 * length, and what it then writes must not reach into the next one. */
static void the_last_block_of_a_sector_is_whole(void **state)
{
	struct stm32_peer *p = ready();
	uint8_t data[1024];
	struct bf_err err;

	(void)state;
	memset(data, 0x5A, sizeof(data));
	connected(p);
	assert_int_equal(erase(p, 0x2000, 1024, &err), BF_OK);
	p->lose_host = p->heard + 7;
	fake_forget(p->fake);
	assert_int_equal(write(p, 0x2000, data, sizeof(data), &err), BF_OK);
	assert_memory_equal(p->flash + 0x2000, data, sizeof(data));
	assert_non_null(strstr(fake_heard(p->fake), "\n08002080A8\n7F5A"));
	assert_non_null(strstr(fake_heard(p->fake), "\n08002280AA\n"));
	assert_non_null(strstr(fake_heard(p->fake), "\n080023002B\nFF5A"));
	assert_null(strstr(fake_heard(p->fake), "\n08002380"));
	stm32_peer_free(p);
}

/* ---- checksums ---- */

static void the_checksum_unit_is_that_of_the_chip(void **state)
{
	static const uint8_t zero[4] = { 0 };

	(void)state;
	assert_int_equal(bf_stm32_crc(UINT32_MAX, zero, sizeof(zero)), 0xC704DD7B);
}

static void unchanged_pages_are_found_by_either_form_of_the_checksum(void **state)
{
	(void)state;
	for (int form = 0; form < 3; form++) {
		struct stm32_peer *p = stm32_peer_new();
		struct bf_region flash;
		struct bf_err err;
		unsigned reads;
		bool holds;
		uint8_t want[1024];

		p->sums = form == 0;
		p->short_sums = form == 1;
		stm32_peer_open(p);
		connected(p);
		flash = flash_of(p);
		bf_err_init(&err);
		memcpy(want, p->flash + 0x2000, sizeof(want));
		assert_int_equal(p->proto->ops->loader->holds(p->proto, &flash, PEER_BASE + 0x2000,
							      want, sizeof(want), &holds, &err),
				 BF_OK);
		assert_true(holds);
		reads = p->reads;
		want[1000] ^= 1;
		assert_int_equal(p->proto->ops->loader->holds(p->proto, &flash, PEER_BASE + 0x2000,
							      want, sizeof(want), &holds, &err),
				 BF_OK);
		assert_false(holds);
		assert_int_equal(p->reads, reads); /* by checksum, or from what was read before */
		stm32_peer_free(p);
	}
}

/* ---- starting ---- */

static void go_starts_the_flash_and_nothing_is_asked_afterwards(void **state)
{
	struct stm32_peer *p = ready();
	struct bf_err err;

	(void)state;
	connected(p);
	flash_of(p);
	fake_forget(p->fake);
	bf_err_init(&err);
	assert_int_equal(p->proto->ops->loader->restart(p->proto, &err), BF_OK);
	assert_int_equal(p->went_to, PEER_BASE);
	assert_int_equal(p->proto->ops->await(p->proto, bf_in(p->clock, BF_SEC(5)), &err),
			 BF_E_UNSUPPORTED);
	assert_non_null(strstr(err.cause, "started the firmware"));
	assert_string_equal(fake_heard(p->fake), "21DE\n0800000008\n");
	stm32_peer_free(p);
}

/* ---- a maker's own loader with the same commands ---- */

static void a_loader_may_be_greeted_by_text_and_list_no_commands(void **state)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	BF_AUTO(fake) *peer = fake_stream_new(clock);
	struct stm32_peer p = { .clock = clock, .fake = peer };
	struct bf_stm32_profile *s;
	uint8_t data[128];
	struct bf_err err;

	(void)state;
	bf_profile_default(&p.profile);
	bf_retry_default(&p.retry);
	s = bf_profile_family_mut(&p.profile, "stm32");
	s->sync = BF_STM32_SYNC_TEXT;
	snprintf(s->sync_answer, sizeof(s->sync_answer), "BL V");
	snprintf(s->commands, sizeof(s->commands), "3121");
	s->parity = 'N';
	s->page = s->block = 128;
	s->flash_base = s->start = PEER_BASE + 0x5000;
	s->flash_size = 0x15800;
	memset(data, 0xAB, sizeof(data));
	fake_on(peer, "57 48 4F 3F 0D", "49 20 61 6D 20 42 4C 20 56 30 30 31 0D 0A", BF_MS(2));
	fake_on(peer, "31 CE", "79", BF_MS(1));
	fake_on(peer, "08 00 50 00 58", "79", BF_MS(1));
	fake_on(peer, "7F ABABABAB*", "79", BF_MS(1));
	fake_on(peer, "21 DE", "79", BF_MS(1));
	stm32_peer_open(&p);
	connected(&p);
	assert_int_equal(fake_stream_line(peer)->parity, BF_PARITY_NONE);
	assert_int_equal(write(&p, 0x5000, data, sizeof(data), &err), BF_OK);
	assert_null(strstr(fake_heard(peer), "00FF"));
	assert_int_equal(p.proto->ops->loader->restart(p.proto, &err), BF_OK);
	bf_proto_close(p.proto);
}

static enum bf_rc check(struct stm32_peer *p, const struct bf_image *image, struct bf_err *err)
{
	const struct bf_segment *segs;
	struct bf_target target = { .image = image, .addr = PEER_BASE + 0x2000 };

	(void)bf_image_segments(image, &segs);
	target.segment = &segs[0];
	target.len = segs[0].len;
	bf_err_init(err);
	return p->proto->ops->loader->check(p->proto, &target, err);
}

static void what_was_written_is_checked_by_the_checksum_unit(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_image *image;
	struct bf_err err;
	uint8_t want[2048];

	(void)state;
	p->sums = true;
	stm32_peer_open(p);
	connected(p);
	flash_of(p);
	memset(want, 0x5A, sizeof(want));
	memcpy(p->flash + 0x2000, want, sizeof(want));
	image = made_image(want, sizeof(want), PEER_BASE + 0x2000);
	assert_int_equal(check(p, image, &err), BF_OK);
	assert_int_equal(p->proto->checked, BF_CHECKED_MEMORY);
	assert_int_equal(p->writes, 0);
	p->flash[0x2000 + 1500] ^= 1;
	assert_int_equal(check(p, image, &err), BF_E_MISMATCH);
	assert_int_equal(p->proto->checked, 0);
	bf_image_free(image);
	stm32_peer_free(p);
}

static void a_profile_without_a_checksum_reads_instead(void **state)
{
	struct stm32_peer *p = stm32_peer_new();
	struct bf_stm32_profile *s = bf_profile_family_mut(&p->profile, "stm32");
	struct bf_region flash;
	struct bf_err err;
	bool holds = false;
	uint8_t want[1024];

	(void)state;
	p->sums = true;
	s->checksum = BF_STM32_SUM_NONE;
	stm32_peer_open(p);
	connected(p);
	flash = flash_of(p);
	fake_forget(p->fake);
	bf_err_init(&err);
	memcpy(want, p->flash + 0x2000, sizeof(want));
	assert_int_equal(p->proto->ops->loader->holds(p->proto, &flash, PEER_BASE + 0x2000, want,
						      sizeof(want), &holds, &err),
			 BF_OK);
	assert_true(holds);
	assert_null(strstr(fake_heard(p->fake), "A15E"));
	stm32_peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_loader_answers_the_first_byte_at_even_parity),
		cmocka_unit_test(a_loader_that_is_synchronised_is_silent_and_then_refuses),
		cmocka_unit_test(zeros_before_the_first_acknowledge_are_passed_over),
		cmocka_unit_test(a_ping_asks_the_shortest_question_that_the_loader_lists),
		cmocka_unit_test(the_rate_of_the_line_is_not_asked_for_with_each_block),
		cmocka_unit_test(a_slow_line_has_its_time),
		cmocka_unit_test(what_answers_something_else_is_no_loader),
		cmocka_unit_test(a_loader_that_a_dead_program_left_in_a_command_is_brought_back),
		cmocka_unit_test(the_chip_is_found_by_its_identifier),
		cmocka_unit_test(
			a_clone_without_identifier_is_not_erased_before_somebody_says_its_pages),
		cmocka_unit_test(a_chip_of_another_family_is_refused_by_name),
		cmocka_unit_test(sectors_that_hang_on_an_option_bit_are_asked_for),
		cmocka_unit_test(flash_that_was_empty_asks_for_a_power_cycle),
		cmocka_unit_test(readout_protection_is_seen_and_never_cleared_unasked),
		cmocka_unit_test(readout_protection_is_cleared_where_that_is_allowed),
		cmocka_unit_test(a_read_has_the_bytes_of_the_manual),
		cmocka_unit_test(reading_survives_each_lost_byte),
		cmocka_unit_test(
			a_loader_that_lost_its_power_hears_the_byte_of_synchronisation_first),
		cmocka_unit_test(a_loader_that_answers_in_garbage_is_left_alone),
		cmocka_unit_test(a_block_with_a_byte_too_many_is_read_again),
		cmocka_unit_test(what_leads_back_to_the_command_state_is_no_command),
		cmocka_unit_test(pages_are_erased_in_one_list),
		cmocka_unit_test(the_extended_command_has_pages_of_two_bytes),
		cmocka_unit_test(protected_pages_are_told_before_anything_is_written),
		cmocka_unit_test(a_wrong_page_table_shows_at_the_neighbour),
		cmocka_unit_test(the_neighbours_of_an_erased_page_are_looked_at),
		cmocka_unit_test(no_lost_byte_erases_another_page),
		cmocka_unit_test(mass_erase_is_for_a_profile_that_names_it),
		cmocka_unit_test(a_mass_erase_that_is_refused_has_erased_nothing),
		cmocka_unit_test(of_a_blank_chip_few_pages_are_read),
		cmocka_unit_test(a_write_has_the_bytes_of_the_manual),
		cmocka_unit_test(a_last_block_is_filled_up_and_a_blank_one_is_not_sent),
		cmocka_unit_test(a_unit_is_written_once_where_the_image_begins_in_one),
		cmocka_unit_test(writing_survives_each_lost_byte),
		cmocka_unit_test(a_lost_block_is_not_made_up_for_though_more_comes_damaged),
		cmocka_unit_test(the_last_block_of_a_sector_is_whole),
		cmocka_unit_test(the_checksum_unit_is_that_of_the_chip),
		cmocka_unit_test(unchanged_pages_are_found_by_either_form_of_the_checksum),
		cmocka_unit_test(go_starts_the_flash_and_nothing_is_asked_afterwards),
		cmocka_unit_test(a_loader_may_be_greeted_by_text_and_list_no_commands),
		cmocka_unit_test(what_was_written_is_checked_by_the_checksum_unit),
		cmocka_unit_test(a_profile_without_a_checksum_reads_instead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
