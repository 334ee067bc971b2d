/* SPDX-License-Identifier: MIT */
/* Where in the pack an image goes, and what is refused before anything is changed. */
#include "../backup_of.h"

#include <stdio.h>

#include "bmsflash/file.h"
#include "engine/run.h"

#define BASE  0x08000000u
#define UNIT  2048u
#define FLASH (128u * UNIT)
#define HOME  0x08010000u

struct place {
	struct bf_proto_ops ops;
	struct bf_loader_ops loader;
	struct bf_proto proto;
	struct bf_run run;
	struct bf_job job;
	struct bf_claim_opts opts;
	struct bf_events events;
	struct bf_transport_ops wire_ops;
	struct bf_transport wire;
	struct bf_place at;
	struct bf_err err;
};

static uint8_t flash[FLASH];

static enum bf_rc read_flash(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			     uint8_t *buf, size_t len, struct bf_err *err)
{
	(void)p, (void)region, (void)err;
	memcpy(buf, flash + (addr - BASE), len);
	return BF_OK;
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	(void)ctx, (void)ev;
}

static struct bf_region *add_region(struct place *p, enum bf_region_kind kind, unsigned alt,
				    uint32_t addr, uint32_t size)
{
	struct bf_region *r = &p->run.session.ident.regions[p->run.session.ident.n_regions++];

	*r = (struct bf_region){ .name = "Internal Flash",
				 .kind = kind,
				 .alt = alt,
				 .addr = addr,
				 .size = size,
				 .erase_unit = UNIT,
				 .access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE };
	return r;
}

static void load(struct place *p, const uint8_t *file, size_t len)
{
	struct bf_keyring *ring = bf_keyring_new();
	struct bf_claim *claim = NULL;
	char path[256];
	enum bf_rc rc;

	snprintf(path, sizeof(path), "%s/mcuboot/release.pub.pem", getenv("BF_TEST_DATA"));
	rc = bf_keyring_add(ring, path, &p->err);
	if (!rc)
		rc = bf_claim_parse(file, len, "image", NULL, 0, &p->opts, &claim, &p->err);
	if (!rc)
		rc = bf_image_verify(claim, ring, &p->run.wanted.image, &p->err);
	if (rc)
		fail_msg("%s", p->err.cause);
	bf_keyring_free(ring);
}

static uint8_t *signed_image(size_t *ret_len)
{
	struct bf_err err;
	uint8_t *file;
	char path[256];

	bf_err_init(&err);
	snprintf(path, sizeof(path), "%s/mcuboot/app-1.5.0.signed.bin", getenv("BF_TEST_DATA"));
	assert_int_equal(bf_file_read(path, 1 << 20, &file, ret_len, &err), BF_OK);
	return file;
}

/* The same image as Intel HEX at an address: a container that nobody has signed. */
static char *as_hex(const uint8_t *file, size_t len, uint32_t addr)
{
	char *text = malloc(len * 4 + 1024), *p = text;

	assert_non_null(text);
	for (size_t i = 0; i < len; i += 16) {
		uint32_t at = addr + (uint32_t)i, high = at >> 16;
		size_t n = len - i < 16 ? len - i : 16;
		unsigned sum = (unsigned)n + (at >> 8 & 0xFF) + (at & 0xFF);

		if (i == 0 || (at & 0xFFFF) < 16)
			p += sprintf(p, ":02000004%04X%02X\n", high,
				     (0u - (6 + (high >> 8) + (high & 0xFF))) & 0xFF);
		p += sprintf(p, ":%02X%04X00", (unsigned)n, at & 0xFFFF);
		for (size_t k = 0; k < n; k++) {
			p += sprintf(p, "%02X", file[i + k]);
			sum += file[i + k];
		}
		p += sprintf(p, "%02X\n", (0u - sum) & 0xFF);
	}
	sprintf(p, ":00000001FF\n");
	return text;
}

static void init(struct place *p)
{
	memset(p, 0, sizeof(*p));
	memset(flash, 0xFF, sizeof(flash));
	bf_err_init(&p->err);
	p->loader.read = read_flash;
	p->ops.app = &bf_no_app;
	p->ops.loader = &p->loader;
	p->ops.boot = &bf_no_boot;
	p->proto.ops = &p->ops;
	p->wire_ops.wire = BF_WIRE_USB;
	p->wire.ops = &p->wire_ops;
	p->events = (struct bf_events){ on_event, NULL };
	p->job.claim_opts = &p->opts;
	p->run = (struct bf_run){ .job = &p->job,
				  .session.proto = &p->proto,
				  .wire.transport = &p->wire,
				  .events = &p->events,
				  .clock = bf_vclock_new(),
				  .time.deadline = BF_NEVER };
	p->run.time.outer = p->wire.clock = p->run.clock;
	p->run.session.ident.caps = BF_CAP_READ | BF_CAP_ERASE | BF_CAP_ANY_ORDER;
}

static void load_signed(struct place *p)
{
	size_t len;
	uint8_t *file = signed_image(&len);

	load(p, file, len);
	free(file);
}

static void load_hex(struct place *p, uint32_t addr)
{
	size_t len;
	uint8_t *file = signed_image(&len);
	char *text = as_hex(file, len, addr);

	load(p, (const uint8_t *)text, strlen(text));
	free(text);
	free(file);
}

static void put_header(uint32_t addr)
{
	size_t len;
	uint8_t *file = signed_image(&len);

	memcpy(flash + (addr - BASE), file, 64);
	free(file);
}

static enum bf_rc find(struct place *p)
{
	const struct bf_segment *segs;
	size_t n = bf_image_segments(p->run.wanted.image, &segs);

	assert_int_equal(n, 1);
	return bf_place_segments(&p->run, segs, n, &p->at, &p->err);
}

static void done(struct place *p)
{
	bf_image_free(p->run.wanted.image);
	bf_clock_free(p->run.clock);
}

static void expect_at(struct place *p, uint32_t addr)
{
	if (find(p))
		fail_msg("%s", p->err.cause);
	assert_int_equal(p->at.addr, addr);
	done(p);
}

static void expect_refused(struct place *p, enum bf_rc rc, const char *part)
{
	assert_int_equal(find(p), rc);
	if (!strstr(p->err.cause, part) && !strstr(p->err.todo, part))
		fail_msg("no '%s' in '%s', '%s'", part, p->err.cause, p->err.todo);
	done(p);
}

/* ---- an MCUboot image ---- */

static void an_image_that_names_no_place_goes_where_the_only_header_lies(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	put_header(HOME);
	load_signed(&p);
	expect_at(&p, HOME);
}

static void without_any_header_or_with_two_it_has_no_place(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	load_signed(&p);
	expect_refused(&p, BF_E_INCOMPATIBLE, "--addr");
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	put_header(HOME);
	put_header(HOME + 0x8000);
	load_signed(&p);
	expect_refused(&p, BF_E_INCOMPATIBLE, "0x08018000");
}

static void a_header_inside_an_erase_unit_is_no_place(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	put_header(HOME + 256);
	load_signed(&p);
	expect_refused(&p, BF_E_INCOMPATIBLE, "no erase unit begins");
}

static void memory_that_cannot_be_read_needs_an_address(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	p.run.session.ident.caps = BF_CAP_ERASE;
	load_signed(&p);
	expect_refused(&p, BF_E_INCOMPATIBLE, "cannot be read");
}

static void an_address_that_is_given_is_the_start_of_an_erase_unit(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	p.opts = (struct bf_claim_opts){ .has_addr = true, .addr = HOME };
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	load_signed(&p);
	expect_at(&p, HOME);
	init(&p);
	p.opts = (struct bf_claim_opts){ .has_addr = true, .addr = HOME + 512 };
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	load_signed(&p);
	expect_refused(&p, BF_E_INCOMPATIBLE, "--addr 0x08010000");
}

static void a_pack_that_tells_no_memory_takes_the_image_where_the_user_says(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	p.opts = (struct bf_claim_opts){ .has_addr = true, .addr = HOME };
	p.run.session.ident.caps = BF_CAP_ERASE;
	load_signed(&p);
	expect_at(&p, HOME);
}

static void a_slot_that_is_told_is_the_place_and_another_address_is_refused(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_SLOT, 0, BASE, FLASH / 2)->slot = 0;
	add_region(&p, BF_REGION_SLOT, 0, BASE + FLASH / 2, FLASH / 2)->slot = 1;
	p.run.session.ident.n_slots = 2;
	p.run.session.ident.slots[0].flags = BF_SLOT_ACTIVE;
	load_signed(&p);
	expect_at(&p, BASE + FLASH / 2);
	init(&p);
	p.opts = (struct bf_claim_opts){ .has_addr = true, .addr = HOME };
	add_region(&p, BF_REGION_SLOT, 0, BASE, FLASH)->slot = 0;
	p.run.session.ident.n_slots = 1;
	load_signed(&p);
	expect_refused(&p, BF_E_USAGE, "leave out --addr");
}

static void the_address_of_an_unsigned_container_only_refuses(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	put_header(HOME);
	load_hex(&p, HOME);
	expect_at(&p, HOME);
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	put_header(HOME);
	load_hex(&p, HOME + UNIT);
	expect_refused(&p, BF_E_INCOMPATIBLE, "0x08010800");
	/* It proves no place either. */
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	load_hex(&p, HOME);
	expect_refused(&p, BF_E_INCOMPATIBLE, "does not say where it goes");
}

static void a_file_made_for_one_slot_may_go_into_the_other(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_SLOT, 0, BASE, FLASH / 2)->slot = 0;
	add_region(&p, BF_REGION_SLOT, 0, BASE + FLASH / 2, FLASH / 2)->slot = 1;
	p.run.session.ident.n_slots = 2;
	p.run.session.ident.slots[0].flags = BF_SLOT_ACTIVE;
	load_hex(&p, BASE);
	expect_at(&p, BASE + FLASH / 2);
}

static void a_place_that_was_found_before_holds_when_the_header_is_erased(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	p.run.wanted.has_place = true;
	p.run.wanted.place_addr = HOME;
	load_signed(&p);
	expect_at(&p, HOME);
}

/* ---- alternate settings ---- */

static void from_backup(struct place *p, uint32_t addr)
{
	p->run.wanted.image = made_image(flash, 1000, addr);
}

static void an_image_without_alternate_setting_goes_by_its_address(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_OTHER, 0, 0x1FFF7800, 40)->access = BF_ACCESS_READ;
	add_region(&p, BF_REGION_APP, 1, BASE, FLASH);
	from_backup(&p, HOME);
	assert_int_equal(find(&p), BF_OK);
	assert_int_equal(p.at.region->alt, 1);
	done(&p);
}

static void an_address_in_two_alternate_settings_is_asked_for(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	add_region(&p, BF_REGION_APP, 1, BASE, FLASH);
	from_backup(&p, HOME);
	expect_refused(&p, BF_E_INCOMPATIBLE, "--alt 1");
}

static void an_address_outside_of_all_memory_is_refused(void **state)
{
	struct place p;

	(void)state;
	init(&p);
	add_region(&p, BF_REGION_APP, 0, BASE, FLASH);
	from_backup(&p, 0x20000000);
	expect_refused(&p, BF_E_INCOMPATIBLE, "no memory");
	init(&p);
	add_region(&p, BF_REGION_BOOT, 0, BASE, FLASH);
	from_backup(&p, HOME);
	expect_refused(&p, BF_E_INCOMPATIBLE, "may not write");
}

/* ---- a stream ---- */

static const uint8_t ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };

static void segments_of_a_stream_are_joined_over_small_gaps_alone(void **state)
{
	struct bf_segment segs[] = { { .addr = 0x100, .data = ones, .len = 8 },
				     { .addr = 0x10A, .data = ones, .len = 8 },
				     { .addr = 0x112 + 4095, .data = ones, .len = 4 } };
	struct bf_todo todo = { 0 };
	const uint8_t *all;
	uint32_t gap;
	size_t len;

	(void)state;
	assert_true(bf_stream_span(segs, 3, &len, &gap));
	assert_int_equal(len, 18 + 4095 + 4);
	all = bf_todo_join(&todo, segs, 3, &len);
	assert_int_equal(all[7], 1);
	assert_int_equal(all[8], 0xFF);
	assert_int_equal(all[9], 0xFF);
	assert_int_equal(all[10], 1);
	assert_int_equal(all[18 + 4094], 0xFF);
	assert_int_equal(all[18 + 4095], 1);
	bf_todo_done(&todo);
	segs[2].addr++;
	assert_false(bf_stream_span(segs, 3, &len, &gap));
	assert_int_equal(gap, 4096);
}

static void a_stream_of_a_64_megabyte_span_is_not_made_up_of_gaps(void **state)
{
	static struct bf_segment segs[20000];
	uint32_t gap;
	size_t len;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(segs); i++)
		segs[i] = (struct bf_segment){ .addr = (uint32_t)i * 4000, .data = ones, .len = 1 };
	assert_false(bf_stream_span(segs, BF_COUNT(segs), &len, &gap));
}

static void a_stream_may_be_64_mebibytes_long_and_no_more(void **state)
{
	struct bf_segment segs[] = { { .addr = 0, .data = ones, .len = BF_REGION_MAX },
				     { .addr = BF_REGION_MAX, .data = ones, .len = 8 } };
	uint32_t gap;
	size_t len;

	(void)state;
	assert_true(bf_stream_span(segs, 2, &len, &gap));
	assert_int_equal(len, BF_REGION_MAX + 8);
	segs[0].len = BF_REGION_MAX + 4;
	segs[1].addr = BF_REGION_MAX + 4;
	assert_false(bf_stream_span(segs, 2, &len, &gap));
}

static void a_run_that_sent_nothing_saved_nothing_either(void **state)
{
	struct bf_summary s = { 0 };

	(void)state;
	assert_true(bf_sum_on_wire(&s) == 1);
	s.bytes_sent = 100;
	s.bytes_saved = 25;
	assert_true(bf_sum_on_wire(&s) == 0.75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_that_names_no_place_goes_where_the_only_header_lies),
		cmocka_unit_test(without_any_header_or_with_two_it_has_no_place),
		cmocka_unit_test(a_header_inside_an_erase_unit_is_no_place),
		cmocka_unit_test(memory_that_cannot_be_read_needs_an_address),
		cmocka_unit_test(an_address_that_is_given_is_the_start_of_an_erase_unit),
		cmocka_unit_test(a_pack_that_tells_no_memory_takes_the_image_where_the_user_says),
		cmocka_unit_test(a_slot_that_is_told_is_the_place_and_another_address_is_refused),
		cmocka_unit_test(the_address_of_an_unsigned_container_only_refuses),
		cmocka_unit_test(a_file_made_for_one_slot_may_go_into_the_other),
		cmocka_unit_test(a_place_that_was_found_before_holds_when_the_header_is_erased),
		cmocka_unit_test(an_image_without_alternate_setting_goes_by_its_address),
		cmocka_unit_test(an_address_in_two_alternate_settings_is_asked_for),
		cmocka_unit_test(an_address_outside_of_all_memory_is_refused),
		cmocka_unit_test(segments_of_a_stream_are_joined_over_small_gaps_alone),
		cmocka_unit_test(a_stream_of_a_64_megabyte_span_is_not_made_up_of_gaps),
		cmocka_unit_test(a_stream_may_be_64_mebibytes_long_and_no_more),
		cmocka_unit_test(a_run_that_sent_nothing_saved_nothing_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
