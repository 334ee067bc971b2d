/* SPDX-License-Identifier: MIT */
/* The DfuSe form: memory by address. */
#include "dfu_bench.h"

enum { S_IDLE = 2, S_UPLOAD_IDLE = 9 };

static uint8_t *at(struct bench *b, uint32_t addr)
{
	return b->peer.mem + (addr - PEER_BASE);
}

static unsigned count(struct bench *b, const char *needle)
{
	unsigned n = 0;

	for (const char *p = fake_heard(b->peer.usb); (p = strstr(p, needle)); p++)
		n++;
	return n;
}

/* ---- what it is ---- */

static void the_memory_map_becomes_regions(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);

	(void)state;
	assert_int_equal(id.caps, BF_CAP_READ | BF_CAP_ERASE | BF_CAP_RESUME | BF_CAP_ANY_ORDER);
	assert_int_equal(id.n_regions, 2);
	assert_string_equal(id.regions[0].name, "Internal Flash");
	assert_int_equal(id.regions[0].addr, PEER_BASE);
	assert_int_equal(id.regions[0].size, 128 << 10);
	assert_int_equal(id.regions[0].erase_unit, 64 << 10);
	assert_int_equal(id.regions[0].access, BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE);
	assert_string_equal(id.regions[1].name, "Option Bytes");
	assert_int_equal(id.regions[1].access, BF_ACCESS_READ);
	assert_int_equal(id.regions[1].alt, 1);
	assert_string_equal(id.loader, "DfuSe 1.1a, release 22.00");
	assert_string_equal(fake_heard(b->peer.usb), "");
}

static void regions_of_the_profile_come_first(void **state)
{
	BENCH(true, true);
	struct bf_ident id;

	(void)state;
	b->profile.n_regions = 1;
	b->profile.regions[0] = (struct bf_region){
		.name = "app",
		.kind = BF_REGION_APP,
		.addr = PEER_BASE + 0x8000,
		.size = 0x10000,
		.access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE,
	};
	id = identify(b);
	assert_int_equal(id.n_regions, 1);
	assert_string_equal(id.regions[0].name, "app");
	/* The large sector reaches beyond the region: it is not the region's to erase. */
	assert_int_equal(id.regions[0].n_runs, 1);
	assert_int_equal(id.regions[0].sectors[0].count, 2);
	assert_int_equal(id.regions[0].erase_unit, 16 << 10);
}

static void a_device_that_cannot_upload_offers_no_reading(void **state)
{
	BENCH(true, true);
	struct bf_ident id;

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	id = identify(b);
	assert_int_equal(id.caps, BF_CAP_ERASE | BF_CAP_ANY_ORDER);
	assert_int_equal(id.regions[0].access, BF_ACCESS_ERASE | BF_ACCESS_WRITE);
	assert_int_equal(id.regions[1].access, 0);
}

static void a_map_that_is_not_understood_offers_no_memory(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "@Internal Flash  /0x08000000/04*016Xg", "" };

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	settings_of(b)->form = BF_DFU_FORM_DFUSE;
	assert_int_equal(identify(b).n_regions, 0);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_UNSUPPORTED);
	wanted(b, erase(b, PEER_BASE, 16 << 10), BF_E_INCOMPATIBLE);
}

/* ---- erasing ---- */

static void erasing_goes_sector_by_sector(void **state)
{
	BENCH(true, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	b->peer.busy_each = 2;
	b->peer.poll_ms = 400;
	wanted(b, erase(b, PEER_BASE + 0xC000, 0x14000), BF_OK);
	assert_int_equal(b->peer.n_erases, 2);
	assert_int_equal(b->peer.erased[0], PEER_BASE + 0xC000);
	assert_int_equal(b->peer.erased[1], PEER_BASE + 0x10000);
	assert_int_equal(b->peer.impatient, 0);
	assert_int_equal(count(b, "210100000000:4100C00008\n"), 1);
}

static void parts_of_sectors_are_not_erased(void **state)
{
	BENCH(true, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4001), BF_E_INCOMPATIBLE);
	wanted(b, erase(b, PEER_BASE + 4, 0x4000 - 4), BF_E_INCOMPATIBLE);
	assert_int_equal(b->peer.n_erases, 0);
}

static void memory_that_is_not_there_is_not_touched(void **state)
{
	BENCH(true, true);
	struct bf_flow flow;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	fake_forget(b->peer.usb);
	wanted(b, erase(b, 0x08020000, 0x20000), BF_E_INCOMPATIBLE);
	assert_non_null(strstr(b->err.cause, "0x08020000"));
	wanted(b, begin(b, 0x0801FFFF, 2, &flow), BF_E_INCOMPATIBLE);
	/* Option bytes may be written by the map, but never erased: not a place for firmware. */
	wanted(b, erase(b, 0x1FFFC000, 16), BF_E_INCOMPATIBLE);
	assert_string_equal(fake_heard(b->peer.usb), "");
}

static void a_sector_that_cannot_be_erased_is_named(void **state)
{
	BENCH(true, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	fake_once(b->peer.usb, "2101 0000 0000: 41*", "", 0);
	fake_once(b->peer.usb, "A103*", "04 000000 0A 00", 0);
	bf_dfu_of(b->proto)->desc.attributes &= (uint8_t)~BF_DFU_CAN_UPLOAD;
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_E_NAK);
	assert_string_equal(b->err.dev_name, "errERASE");
	assert_non_null(strstr(b->err.trail[0], "0x08000000"));
	assert_int_equal(b->peer.state, S_IDLE);
}

/* ---- writing ---- */

static void whole_blocks_follow_one_pointer_once_the_counting_is_proven(void **state)
{
	BENCH(true, true);
	uint8_t data[3 * 2048];

	(void)state;
	bf_dfu_of(b->proto)->counting = BF_DFU_COUNTING_SOUND;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, PEER_BASE + 0x4000, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_points, 1);
	assert_int_equal(count(b, "21010002"), 1);
	assert_int_equal(count(b, "21010004"), 1);
	assert_memory_equal(at(b, PEER_BASE + 0x4000), data, sizeof(data));
	assert_false(b->peer.left);
}

static void a_short_block_gets_its_own_pointer(void **state)
{
	BENCH(true, true);
	uint8_t data[2 * 2048 + 5];

	(void)state;
	bf_dfu_of(b->proto)->counting = BF_DFU_COUNTING_SOUND;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_points, 2);
	assert_int_equal(b->peer.pointer, PEER_BASE + 4096);
	assert_memory_equal(at(b, PEER_BASE), data, sizeof(data));
}

static void small_blocks_are_put_where_they_belong(void **state)
{
	BENCH(true, true);
	uint8_t data[1000];
	struct bf_flow flow;

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE + 64, sizeof(data), &flow), BF_OK);
	assert_int_equal(flow.block_max, 2048);
	wanted(b, blocks(b, data, sizeof(data), 256), BF_OK);
	assert_memory_equal(at(b, PEER_BASE + 64), data, sizeof(data));
}

static void a_whole_block_after_a_short_one_is_put_where_it_belongs(void **state)
{
	BENCH(true, true);
	uint8_t data[100 + 2048];
	struct bf_flow flow;
	size_t next;

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE, sizeof(data), &flow), BF_OK);
	wanted(b, blocks(b, data, 100, 100), BF_OK);
	wanted(b,
	       b->proto->ops->loader->block_start(
		       b->proto, &(struct bf_block){ 100, data + 100, 2048 }, &b->err),
	       BF_OK);
	wanted(b, b->proto->ops->loader->block_finish(b->proto, &next, &b->err), BF_OK);
	assert_memory_equal(at(b, PEER_BASE), data, sizeof(data));
}

static void the_pointer_is_set_again_before_block_numbers_run_out(void **state)
{
	BENCH(true, true);
	uint8_t data[3 * 2048];
	struct bf_flow flow;

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE, sizeof(data), &flow), BF_OK);
	wanted(b, blocks(b, data, 2048, 2048), BF_OK);
	bf_dfu_of(b->proto)->write.block = 0x10000;
	wanted(b,
	       b->proto->ops->loader->block_start(
		       b->proto, &(struct bf_block){ 2048, data + 2048, 2048 }, &b->err),
	       BF_OK);
	assert_int_equal(b->peer.pointer, PEER_BASE + 2048);
	assert_memory_equal(at(b, PEER_BASE), data, 4096);
}

static void a_device_with_blocks_larger_than_a_page_gets_pointers(void **state)
{
	BENCH(true, true);
	uint8_t data[3 * 4096];

	(void)state;
	b->peer.transfer = 8192;
	peer_show(&b->peer);
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_points, 3);
	assert_memory_equal(at(b, PEER_BASE), data, sizeof(data));
}

static void a_lost_block_is_sent_again(void **state)
{
	BENCH(true, true);
	uint8_t data[2 * 2048];

	(void)state;
	bf_dfu_of(b->proto)->counting = BF_DFU_COUNTING_SOUND;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	fake_once(b->peer.usb, "2101 0003*", "timeout", 0);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_int_equal(b->retry.repeats[BF_RETRY_IDEMPOTENT], 1);
	assert_memory_equal(at(b, PEER_BASE), data, sizeof(data));
}

static void a_wire_that_stays_dead_is_given_up(void **state)
{
	BENCH(true, true);
	uint8_t data[2048] = { 0 };

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	fake_on(b->peer.usb, "2101 0002*", "timeout", 0);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_E_LINK);
	assert_non_null(strstr(b->err.cause, "dfuDNLOAD-IDLE"));
	assert_int_equal(b->retry.timeouts, 5);
}

static void a_stalled_block_is_explained_by_its_status(void **state)
{
	BENCH(true, true);
	uint8_t data[2048] = { 0 };

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	fake_once(b->peer.usb, "2101 0002*", "stall", 0);
	fake_once(b->peer.usb, "A103*", "00 070000 04 00", 0);
	fake_once(b->peer.usb, "A103*", "00 000000 05 00", 0);
	fake_once(b->peer.usb, "A103*", "08 000000 0A 00", 0);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_E_NAK);
	assert_string_equal(b->err.dev_name, "errADDRESS");
	assert_int_equal(b->peer.state, S_IDLE);
}

static void blocks_outside_the_transfer_are_our_own_mistake(void **state)
{
	BENCH(true, true);
	uint8_t data[16] = { 0 };
	struct bf_flow flow;
	const struct bf_block beyond = { 10, data, 7 };
	size_t next;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE, 16, &flow), BF_OK);
	wanted(b, b->proto->ops->loader->block_start(b->proto, &beyond, &b->err), BF_E_INTERNAL);
	wanted(b, b->proto->ops->loader->block_finish(b->proto, &next, &b->err), BF_E_INTERNAL);
	wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_E_INTERNAL);
}

/* ---- reading ---- */

static void reading_follows_one_pointer_across_calls(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t got[6 * 2048];

	(void)state;
	pattern(b->peer.mem, b->peer.size);
	connect_for(b, BF_ENTRY_READ);
	for (uint32_t i = 0; i < 3; i++)
		wanted(b,
		       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE + i * 4096,
						   got + i * 4096, 4096, &b->err),
		       BF_OK);
	assert_memory_equal(got, b->peer.mem, sizeof(got));
	/* The second block is read again by its address: from then on the counting is believed. */
	assert_int_equal(b->peer.n_points, 2);
	assert_int_equal(b->peer.state, S_UPLOAD_IDLE);
}

static void headers_of_sectors_are_read_without_a_pointer_for_each(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t got[32];

	(void)state;
	pattern(b->peer.mem, b->peer.size);
	connect_for(b, BF_ENTRY_READ);
	for (uint32_t at = 0; at < 20 * 2048; at += 2048) {
		wanted(b,
		       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE + at, got,
						   sizeof(got), &b->err),
		       BF_OK);
		assert_memory_equal(got, b->peer.mem + at, sizeof(got));
	}
	assert_int_equal(b->peer.n_points, 2);
	/* What was read before an erasure is not believed after. */
	wanted(b, erase(b, PEER_BASE, 0x10000), BF_OK);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE + 19 * 2048, got,
					   sizeof(got), &b->err),
	       BF_OK);
	assert_int_equal(got[0], 0xFF);
}

static void reading_elsewhere_or_by_less_sets_the_pointer(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t got[5000];

	(void)state;
	pattern(b->peer.mem, b->peer.size);
	connect_for(b, BF_ENTRY_READ);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE + 3, got, 5000,
					   &b->err),
	       BF_OK);
	assert_memory_equal(got, b->peer.mem + 3, 5000);
	/* The second block is proven by its address, the rest comes out of a whole third one. */
	assert_int_equal(b->peer.n_points, 2);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE + 77, got, 7,
					   &b->err),
	       BF_OK);
	assert_memory_equal(got, b->peer.mem + 77, 7);
}

static void a_lost_upload_is_asked_for_again_by_address(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t got[8192];

	(void)state;
	pattern(b->peer.mem, b->peer.size);
	connect_for(b, BF_ENTRY_READ);
	fake_once(b->peer.usb, "A102 0003*", "timeout", 0);
	fake_once(b->peer.usb, "A102 0004*", "00", 0); /* too short */
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got, 8192, &b->err),
	       BF_OK);
	assert_memory_equal(got, b->peer.mem, 8192);
}

static void read_protection_is_explained(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t got[16];

	(void)state;
	b->peer.upload_stalls = true;
	connect_for(b, BF_ENTRY_READ);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got, 16, &b->err),
	       BF_E_NAK);
	assert_string_equal(b->err.dev_name, "errVENDOR");
	assert_non_null(strstr(b->err.cause, "read protected"));
	assert_non_null(strstr(b->err.todo, "does not remove the protection"));
	assert_int_equal(b->peer.state, S_IDLE);
}

static void writing_after_reading_leaves_the_upload_first(void **state)
{
	BENCH(true, true);
	struct bf_ident id = identify(b);
	uint8_t data[2048], got[2048];

	(void)state;
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got, 2048, &b->err),
	       0);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got, 2048, &b->err),
	       0);
	assert_memory_equal(got, data, sizeof(data));
	data[7] ^= 0xFF;
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

/* ---- leaving ---- */

static void starting_points_at_the_flash_and_sends_an_empty_block(void **state)
{
	BENCH(true, true);
	uint8_t data[4] = { 0 };

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, PEER_BASE + 0x10000, data, sizeof(data)), BF_OK);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(b->peer.pointer, PEER_BASE);
	assert_false(b->peer.loader);
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
}

static void a_loader_in_flash_starts_what_lies_behind_it(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "@Flash  /0x08000000/4*4Ka,28*4Kg", "" };

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(b->peer.pointer, PEER_BASE + 0x4000);
}

static void the_lowest_flash_is_the_start_in_whatever_order_it_is_shown(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = {
		"", "@Flash  /0x08010000/4*4Kg/0x08004000/4*4Kg/0x0800A000/4*4Kg", ""
	};

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(b->peer.pointer, PEER_BASE + 0x4000);
}

static void an_application_without_dfu_counts_as_returned(void **state)
{
	BENCH(true, true);
	struct bf_usb_device app;
	struct bf_ident id;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	app = b->peer.device;
	app.config_len = 9;
	app.bcd_device = 0x0160;
	fake_usb_leave(b->peer.usb, &app, BF_SEC(1));
	wanted(b, b->proto->ops->await(b->proto, BF_SEC(5), &b->err), BF_OK);
	id = identify(b);
	assert_false(id.in_bootloader);
	assert_string_equal(id.version_text, "1.6.0");
	assert_int_equal(id.caps, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_memory_map_becomes_regions),
		cmocka_unit_test(regions_of_the_profile_come_first),
		cmocka_unit_test(a_device_that_cannot_upload_offers_no_reading),
		cmocka_unit_test(a_map_that_is_not_understood_offers_no_memory),
		cmocka_unit_test(erasing_goes_sector_by_sector),
		cmocka_unit_test(parts_of_sectors_are_not_erased),
		cmocka_unit_test(memory_that_is_not_there_is_not_touched),
		cmocka_unit_test(a_sector_that_cannot_be_erased_is_named),
		cmocka_unit_test(whole_blocks_follow_one_pointer_once_the_counting_is_proven),
		cmocka_unit_test(a_short_block_gets_its_own_pointer),
		cmocka_unit_test(small_blocks_are_put_where_they_belong),
		cmocka_unit_test(a_whole_block_after_a_short_one_is_put_where_it_belongs),
		cmocka_unit_test(the_pointer_is_set_again_before_block_numbers_run_out),
		cmocka_unit_test(a_device_with_blocks_larger_than_a_page_gets_pointers),
		cmocka_unit_test(a_lost_block_is_sent_again),
		cmocka_unit_test(a_wire_that_stays_dead_is_given_up),
		cmocka_unit_test(a_stalled_block_is_explained_by_its_status),
		cmocka_unit_test(blocks_outside_the_transfer_are_our_own_mistake),
		cmocka_unit_test(reading_follows_one_pointer_across_calls),
		cmocka_unit_test(headers_of_sectors_are_read_without_a_pointer_for_each),
		cmocka_unit_test(reading_elsewhere_or_by_less_sets_the_pointer),
		cmocka_unit_test(a_lost_upload_is_asked_for_again_by_address),
		cmocka_unit_test(read_protection_is_explained),
		cmocka_unit_test(writing_after_reading_leaves_the_upload_first),
		cmocka_unit_test(starting_points_at_the_flash_and_sends_an_empty_block),
		cmocka_unit_test(a_loader_in_flash_starts_what_lies_behind_it),
		cmocka_unit_test(the_lowest_flash_is_the_start_in_whatever_order_it_is_shown),
		cmocka_unit_test(an_application_without_dfu_counts_as_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
