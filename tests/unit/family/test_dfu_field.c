/* SPDX-License-Identifier: MIT */
/* Devices as they ship: what they say of themselves is wrong, and what they do is not in the standard. */
#include "dfu_bench.h"

#include "family/dfu/dfu_habit.h"

#include <stdio.h>

enum { S_IDLE = 2, S_WAIT_RESET = 8, S_ERROR = 10 };

static bf_time since(struct bench *b, bf_time start)
{
	return bf_now(b->clock) - start;
}

static void restart_and_wait(struct bench *b)
{
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	wanted(b, b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(30)), &b->err), BF_OK);
}

/* ---- what the device is ---- */

static void what_the_application_says_does_not_count_in_the_bootloader(void **state)
{
	BENCH(true, false);
	struct bf_ident id;

	(void)state;
	b->peer.app_version = 0x0110;
	peer_show(&b->peer);
	id = identify(b);
	assert_true(id.caps_later);
	assert_int_equal(id.caps & (BF_CAP_SINK | BF_CAP_ERASE), 0);
	assert_int_equal(id.n_regions, 0);
	connect_for(b, BF_ENTRY_WRITE);
	id = identify(b);
	assert_false(id.caps_later);
	assert_int_equal(id.caps, BF_CAP_READ | BF_CAP_ERASE | BF_CAP_RESUME | BF_CAP_ANY_ORDER);
	assert_int_equal(id.n_regions, 2);
}

static void a_memory_map_makes_dfuse_whatever_the_version_says(void **state)
{
	(void)state;
	for (unsigned without = 0; without < 2; without++) {
		BENCH(true, true);

		b->peer.loader_version = 0x0110;
		b->peer.short_functional = without;
		peer_show(&b->peer);
		assert_true(identify(b).caps & BF_CAP_ERASE);
	}
}

static void a_version_number_without_a_map_is_plain_dfu(void **state)
{
	BENCH(false, true);
	uint8_t data[3000];

	(void)state;
	b->peer.loader_version = 0x011A;
	peer_show(&b->peer);
	pattern(data, sizeof(data));
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(identify(b).caps, BF_CAP_SINK | BF_CAP_READ);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void interface_protocol_0_with_a_map_is_dfu_mode(void **state)
{
	BENCH(true, true);

	(void)state;
	b->peer.loader_protocol = 0;
	peer_show(&b->peer);
	assert_true(identify(b).in_bootloader);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_detaches, 0);
}

static void interface_protocol_0_is_asked_for_its_state(void **state)
{
	(void)state;
	for (unsigned loader = 0; loader < 2; loader++) {
		BENCH(false, loader);
		uint8_t data[10] = { 0 };

		b->peer.loader_protocol = 0;
		peer_show(&b->peer);
		connect_for(b, BF_ENTRY_WRITE);
		assert_true(identify(b).in_bootloader);
		assert_int_equal(b->peer.n_detaches, !loader);
		wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	}
}

static void a_profile_draws_the_memory_that_a_dfuse_bootloader_does_not_show(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "Flash", "Option" };
	uint8_t data[3000];

	(void)state;
	pattern(data, sizeof(data));
	fake_usb_set_strings(b->peer.usb, strings, 3);
	b->profile.n_regions = 1;
	b->profile.regions[0] = (struct bf_region){
		.name = "app",
		.kind = BF_REGION_APP,
		.addr = PEER_BASE,
		.size = 0x10000,
		.erase_unit = 0x4000,
		.access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE,
	};
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
	assert_int_equal(b->peer.erased[0], PEER_BASE);
}

static void a_missing_functional_descriptor_is_asked_for(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.no_functional = true;
	b->peer.transfer = 256;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(identify(b).block_max, 256);
}

static void a_block_is_not_shorter_than_a_packet(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.transfer = 8;
	peer_show(&b->peer);
	assert_int_equal(identify(b).block_max, 64);
}

static void another_protocol_behind_the_same_interface_is_named(void **state)
{
	BENCH(false, true);
	struct bf_ident id;

	(void)state;
	b->peer.loader_version = 0xFF01;
	peer_show(&b->peer);
	wanted(b, b->proto->ops->identify(b->proto, &id, &b->err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(b->err.cause, "FLIP"));
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_READ, &b->err), BF_E_UNSUPPORTED);
}

/* What no sign on the wire tells, and whose neighbours in number have no such habit. */
static void what_nothing_on_the_wire_tells_is_known_by_number(void **state)
{
	static const struct {
		uint16_t vid, pid, bcd;
		unsigned habits;
	} rows[] = {
		{ 0x0483, 0xDF11, 0x2200, BF_DFU_HABIT_DFUSE | BF_DFU_HABIT_STUCK_ERASE },
		{ 0x0483, 0xDF10, 0x2200, 0 },
		{ 0x1EAF, 0x0003, 0x0200, BF_DFU_HABIT_PLAIN },
		{ 0x1EAF, 0x0003, 0x0201, 0 },
		{ 0x1FC9, 0x000C, 0x0100, BF_DFU_HABIT_LOADER },
		{ 0x1FC9, 0x000D, 0x0100, 0 },
		{ 0x03EB, 0x2FE0, 0x0000, BF_DFU_HABIT_FLIP },
		{ 0x03EB, 0x2FFF, 0x0000, BF_DFU_HABIT_FLIP },
		{ 0x03EB, 0x2FDF, 0x0000, 0 },
		{ 0x28E9, 0x0189, 0x1000, BF_DFU_HABIT_GD_PAGES },
		{ 0x28E9, 0x018A, 0x1000, 0 },
		{ 0x1457, 0x5118, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x1D50, 0x5117, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x1D50, 0x5126, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x1D50, 0x5127, 0x0000, 0 },
		{ 0x16C0, 0x0762, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x16C0, 0x0763, 0x0000, 0 },
		{ 0x16C0, 0x076B, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x16C0, 0x076C, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x0908, 0x02C4, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x0908, 0x02C5, 0x0000, BF_DFU_HABIT_POLL },
		{ 0x0908, 0x02C5, 0x0001, 0 },
		{ 0x0763, 0x2806, 0x0100, BF_DFU_HABIT_POLL },
		{ 0x1BCF, 0x0B1D, 0x0100, BF_DFU_HABIT_POLL },
		{ 0x1209, 0x0002, 0x0100, 0 },
	};
	static const struct bf_dfu_profile nothing,
		plain = { .form = BF_DFU_FORM_DFU, .ignore_poll = true };
	struct bf_usb_device st = { .vid = 0x0483, .pid = 0xDF11 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_usb_device device = { .vid = rows[i].vid,
						.pid = rows[i].pid,
						.bcd_device = rows[i].bcd };

		if (bf_dfu_habits(&device, &nothing) != rows[i].habits)
			fail_msg("%04x:%04x release %04x", rows[i].vid, rows[i].pid, rows[i].bcd);
	}
	/* The profile goes before the table. */
	assert_int_equal(bf_dfu_habits(&st, &plain),
			 BF_DFU_HABIT_PLAIN | BF_DFU_HABIT_POLL | BF_DFU_HABIT_STUCK_ERASE);
}

static void an_lpc_in_dfu_mode_is_known_by_number_and_gets_no_detach(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.loader_protocol = 1;
	peer_show(&b->peer);
	assert_false(identify(b).in_bootloader);
	b->peer.device.vid = 0x1FC9;
	b->peer.device.pid = 0x000C;
	fake_usb_set_device(b->peer.usb, &b->peer.device);
	b->proto->env.transport->stats.reopened++;
	assert_true(identify(b).in_bootloader);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_detaches, 0);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
}

/* ---- refused before, or brought back ---- */

static void without_downloads_the_application_is_not_stopped(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes = 2;
	peer_show(&b->peer);
	assert_true(identify(b).no_write[0]);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_UNSUPPORTED);
	assert_int_equal(b->peer.n_detaches, 0);
}

static void a_refusal_in_the_bootloader_brings_the_application_back(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.n_alts = 2; /* and nothing tells which of them it is */
	b->peer.reset_leaves = true;
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_INCOMPATIBLE);
	assert_true(b->peer.loader);
	b->proto->ops->leave(b->proto);
	assert_false(b->peer.loader);
}

static void a_map_of_which_nothing_is_understood_is_refused_and_the_application_back(void **state)
{
	BENCH(true, false);
	static const char *const strings[] = { "", "@Internal Flash", "@Option Bytes" };

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	settings_of(b)->form = BF_DFU_FORM_DFUSE;
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_UNSUPPORTED);
	b->proto->ops->leave(b->proto);
	assert_false(b->peer.loader);
}

static void a_run_stopped_on_its_way_into_the_bootloader_brings_the_application_back(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes |= BF_DFU_WILL_DETACH;
	b->peer.reset_leaves = true;
	peer_show(&b->peer);
	bf_vclock_cancel_at(b->clock, BF_MS(100));
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_INTERRUPTED);
	b->proto->ops->leave(b->proto);
	assert_false(b->peer.loader);
}

/* ---- where bytes go ---- */

static void come_back_as(struct bench *b, bool loader)
{
	peer_repower(&b->peer, loader);
	wanted(b, bf_transport_reopen(b->proto->env.transport, bf_in(b->clock, BF_SEC(5)), &b->err),
	       BF_OK);
}

/* What it says of the firmware that it did not start. */
static void a_bootloader_that_came_back_is_asked_for_its_verdict(void **state)
{
	BENCH(false, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	come_back_as(b, true);
	b->peer.state = S_ERROR;
	b->peer.status = 0x0A; /* errFIRMWARE */
	wanted(b, b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(5)), &b->err), BF_OK);
	assert_int_equal(bf_dfu_of(b->proto)->verdict, 0x0A);
}

static void after_its_power_came_back_a_device_is_looked_at_anew(void **state)
{
	BENCH(true, false);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_detaches, 1);
	come_back_as(b, false);
	assert_false(identify(b).in_bootloader);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_detaches, 2);
	assert_true(identify(b).in_bootloader);
	/* The bootloader again, by a boot pin: claimed before it is asked. */
	come_back_as(b, true);
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.n_detaches, 2);
	assert_int_equal(b->peer.unclaimed, 0);
	assert_int_equal(b->peer.strays, 0);
}

static void a_device_that_came_back_while_it_was_waited_for_is_not_waited_for(void **state)
{
	BENCH(true, false);
	bf_time start;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	come_back_as(b, true);
	start = bf_now(b->clock);
	wanted(b, b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(30)), &b->err), BF_OK);
	assert_true(since(b, start) < BF_SEC(1));
	assert_true(identify(b).in_bootloader);
}

/* ---- whom a class request is for ---- */

/* Each of them means the bootloader. None is sent. */
static void assert_no_request_is_sent(struct bench *b)
{
	struct bf_dfu *d = bf_dfu_of(b->proto);
	size_t n;
	struct bf_dfu_status st;
	uint8_t raw[64] = { 0 };
	uint8_t state;

	fake_forget(b->peer.usb);
	wanted(b, bf_dfu_getstatus(d, &st, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_getstatus_once(d, &st, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_getstate(d, BF_DFU_AT_LOADER, &state, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_clear(d, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_detach(d, BF_DFU_AT_LOADER, 1000, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_dnload(d, 2, raw, sizeof(raw), "writing", &b->err), BF_E_GONE);
	wanted(b, bf_dfu_upload(d, 2, raw, sizeof(raw), &n, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_settle(d, &b->err), BF_E_GONE);
	wanted(b, bf_dfu_done(d, BF_SEC(1), "writing", &b->err), BF_E_GONE);
	d->aborts = true;
	wanted(b, bf_dfu_abort(d, &b->err), BF_E_GONE);
	assert_string_equal(fake_heard(b->peer.usb), "");
	assert_int_equal(b->peer.strays, 0);
	assert_int_equal(b->peer.unclaimed, 0);
}

static void an_application_gets_no_request_of_the_bootloader(void **state)
{
	BENCH(true, true);
	struct bf_dfu *d = bf_dfu_of(b->proto);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	b->peer.reset_leaves = true;
	wanted(b, bf_dfu_reset_and_see(d, &b->err), BF_OK);
	assert_int_equal(d->desc.mode, BF_DFU_RUNTIME);
	assert_no_request_is_sent(b);
	/* Nor with its own interface claimed. */
	d->alt = 0;
	assert_no_request_is_sent(b);
	d->alt = -1;
	wanted(b, bf_dfu_select(d, 0, &b->err), BF_E_GONE);
}

static void a_bootloader_gets_no_request_before_its_interface_is_claimed(void **state)
{
	BENCH(true, true);
	struct bf_dfu *d = bf_dfu_of(b->proto);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	d->alt = -1;
	assert_no_request_is_sent(b);
}

static void a_device_that_was_opened_anew_gets_no_request_before_it_is_looked_at(void **state)
{
	BENCH(true, true);

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	come_back_as(b, false);
	assert_no_request_is_sent(b);
	connect_for(b, BF_ENTRY_WRITE);
	come_back_as(b, true);
	assert_no_request_is_sent(b);
}

/* A download whose end was not said is not finished. */
static void a_download_is_not_ended_in_another_device(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };
	struct bf_flow flow;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, 0, sizeof(data), &flow), BF_OK);
	wanted(b, blocks(b, data, sizeof(data), sizeof(data)), BF_OK);
	come_back_as(b, true);
	wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_E_GONE);
	assert_null(bf_dfu_of(b->proto)->manifested);
	assert_int_equal(b->peer.n_manifests, 0);
}

static void what_was_not_erased_is_not_written(void **state)
{
	BENCH(true, true);
	struct bf_flow flow;

	(void)state;
	bf_dfu_of(b->proto)->erased.n = 0;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE, 5000, &flow), BF_OK); /* reads blank */
	b->proto->ops->loader->abandon(b->proto);
	b->peer.mem[4999] = 0x12;
	wanted(b, begin(b, PEER_BASE, 5000, &flow), BF_E_INTERNAL);
	assert_int_equal(b->peer.n_blocks, 0);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, begin(b, PEER_BASE, 5000, &flow), BF_OK);
	/* Only what was erased: the next sector is another. */
	b->peer.mem[0x4000] = 0x12;
	wanted(b, begin(b, PEER_BASE + 0x3000, 0x1001, &flow), BF_E_INTERNAL);
}

static void an_unread_device_is_written_only_where_it_was_erased(void **state)
{
	BENCH(true, true);
	struct bf_flow flow;

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	bf_dfu_of(b->proto)->erased.n = 0;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, PEER_BASE, 16, &flow), BF_E_INTERNAL);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, begin(b, PEER_BASE, 16, &flow), BF_OK);
}

/* The map as the bootloader shows it, and the chip that it is on. */
static const struct {
	const char *map;
	struct peer_run runs[7];
} chips[] = {
	{ "@Internal Flash  /0x08000000/064*0001Kg", { { 0x08000000, 1 << 10, 64 } } }, /* F0 */
	{ "@Internal Flash  /0x08000000/128*0002Kg",
	  { { 0x08000000, 2 << 10, 128 } } }, /* F3, L4 */
	{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
	  { { 0x08000000, 16 << 10, 4 },
	    { 0x08010000, 64 << 10, 1 },
	    { 0x08020000, 128 << 10, 7 } } },
	{ "@Internal Flash  /0x08010000/04*016Kg,01*064Kg,03*128Kg",
	  { { 0x08010000, 16 << 10, 4 },
	    { 0x08020000, 64 << 10, 1 },
	    { 0x08030000, 128 << 10, 3 } } },
	/* F42x, two banks in both spellings */
	{ "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg",
	  { { 0x08000000, 16 << 10, 4 },
	    { 0x08010000, 64 << 10, 1 },
	    { 0x08020000, 128 << 10, 7 },
	    { 0x08100000, 16 << 10, 4 },
	    { 0x08110000, 64 << 10, 1 },
	    { 0x08120000, 128 << 10, 7 } } },
	{ "@Internal Flash  "
	  "/0x08000000/04*016Kg,01*064Kg,07*128Kg/0x08100000/04*016Kg,01*064Kg,07*128Kg",
	  { { 0x08000000, 16 << 10, 4 },
	    { 0x08010000, 64 << 10, 1 },
	    { 0x08020000, 128 << 10, 7 },
	    { 0x08100000, 16 << 10, 4 },
	    { 0x08110000, 64 << 10, 1 },
	    { 0x08120000, 128 << 10, 7 } } },
	{ "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg", /* F7 */
	  { { 0x08000000, 32 << 10, 4 },
	    { 0x08020000, 128 << 10, 1 },
	    { 0x08040000, 256 << 10, 3 } } },
	{ "@Internal Flash  /0x08000000/16*128Kg", { { 0x08000000, 128 << 10, 16 } } },  /* H7 */
	{ "@Internal Flash  /0x08000000/128*0008Kg", { { 0x08000000, 8 << 10, 128 } } }, /* H5 */
	{ "@Internal Flash  /0x08000000/512*128Bg", { { 0x08000000, 128, 512 } } },      /* L0 */
};

static uint32_t sector_start(const struct peer_run *runs, size_t n, uint32_t at, uint32_t *ret_end)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t in = at - runs[i].addr;

		if (at < runs[i].addr || in >= runs[i].size * runs[i].count)
			continue;
		*ret_end = at - in % runs[i].size + runs[i].size;
		return at - in % runs[i].size;
	}
	fail_msg("no sector at %08x", at);
	return 0;
}

static void flash_at(struct bench *b, uint32_t addr, size_t len)
{
	struct peer *p = &b->peer;
	uint8_t *data = malloc(len), *before = malloc(p->size);
	uint32_t first, last, end;

	assert_true(data && before);
	memcpy(before, p->mem, p->size);
	pattern(data, len);
	first = sector_start(p->runs, p->n_runs, addr, &end);
	last = sector_start(p->runs, p->n_runs, addr + (uint32_t)len - 1, &end);
	if (addr != first)
		wanted(b, erase(b, addr, end - addr), BF_E_INCOMPATIBLE);
	if (last + 1 != end)
		wanted(b, erase(b, first, end - first - 1), BF_E_INCOMPATIBLE);
	assert_memory_equal(p->mem, before, p->size);
	wanted(b, erase(b, first, end - first), BF_OK);
	wanted(b, download(b, addr, data, len), BF_OK);
	assert_memory_equal(p->mem + (addr - p->base), data, len);
	/* All but the image's own sectors is as it was. */
	assert_memory_equal(p->mem, before, first - p->base);
	assert_memory_equal(p->mem + (end - p->base), before + (end - p->base),
			    p->size - (end - p->base));
	free(data);
	free(before);
}

static void nothing_beside_the_named_sectors_is_erased_on_any_st_family(void **state)
{
	(void)state;
	for (size_t i = 0; i < BF_COUNT(chips); i++) {
		BENCH(true, true);
		const char *strings[] = { "", chips[i].map, "@Option Bytes  /0x1FFFC000/01*016 e" };
		const struct peer_run *runs = chips[i].runs;
		uint32_t base = runs[0].addr, size;
		size_t n = 0;

		while (n < BF_COUNT(chips[i].runs) && runs[n].count)
			n++;
		fake_usb_set_strings(b->peer.usb, strings, 3);
		peer_chip(&b->peer, base, runs, n);
		size = (uint32_t)b->peer.size;
		b->peer.busy_each = 0;
		bf_dfu_of(b->proto)->erased.n = 0;
		connect_for(b, BF_ENTRY_WRITE);
		flash_at(b, base, 100);
		flash_at(b, base + size / 2, 5000);
		flash_at(b, base + size - 1000, 1000);
		flash_at(b, base + runs[0].size, runs[0].size + 1);
		flash_at(b, base + runs[0].size * runs[0].count - 8, 8);
	}
}

static void another_map_after_a_bus_reset_is_not_erased_by(void **state)
{
	static const char *const maps[] = { "@Internal Flash  /0x08000000/04*016Kg,01*064Kg",
					    "@Internal Flash  /0x08000000/02*064Kg",
					    "@Serial Flash  /0x90000000/02*064Kg",
					    "@Internal Flash  /0x08000000/04*016Ka,01*064Kg",
					    "Firmware" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(maps); i++) {
		BENCH(true, true);
		const char *strings[] = { "", maps[i], "@Option Bytes  /0x1FFFC000/01*016 e" };

		memset(b->peer.mem, 0x5A, b->peer.size);
		b->peer.strings_after_reset = strings;
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, erase(b, PEER_BASE, 0x8000), i == 0 ? BF_OK : BF_E_LINK);
		assert_int_equal(b->peer.n_erases, i == 0 ? 2 : 1);
		assert_int_equal(b->peer.mem[0x4000], i == 0 ? 0xFF : 0x5A);
		assert_int_equal(b->peer.mem[0x8000], 0x5A);
	}
}

static void another_alternate_setting_at_the_same_address_is_another_place(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "@Internal Flash  /0x08000000/08*016Kg",
					       "@Serial Flash  /0x08000000/08*016Kg" };
	const struct bf_region second = { .alt = 1 };
	const struct bf_target target = { .addr = PEER_BASE, .len = 16, .alt = 1 };
	struct bf_flow flow;
	uint8_t alt, got[16];

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	bf_dfu_of(b->proto)->erased.n = 0;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	/* What was erased in one is not erased in the other. */
	wanted(b, b->proto->ops->loader->begin(b->proto, &target, &flow, &b->err), BF_E_INTERNAL);
	wanted(b, b->proto->ops->loader->erase(b->proto, &second, PEER_BASE, 0x4000, &b->err),
	       BF_OK);
	(void)fake_usb_claimed(b->peer.usb, &alt);
	assert_int_equal(alt, 1);
	wanted(b, begin(b, PEER_BASE, 16, &flow), BF_OK);
	wanted(b, b->proto->ops->loader->begin(b->proto, &target, &flow, &b->err), BF_OK);
	(void)fake_usb_claimed(b->peer.usb, &alt);
	assert_int_equal(alt, 1);
	b->proto->ops->loader->abandon(b->proto);
	bf_dfu_of(b->proto)->desc.attributes = 3;
	wanted(b, begin(b, PEER_BASE, 16, &flow), BF_OK);
	b->proto->ops->loader->abandon(b->proto);
	wanted(b, b->proto->ops->loader->read(b->proto, &second, PEER_BASE, got, 16, &b->err),
	       BF_OK);
	(void)fake_usb_claimed(b->peer.usb, &alt);
	assert_int_equal(alt, 1);
}

static void an_image_is_put_in_place_once(void **state)
{
	BENCH(false, true);
	const struct bf_target target = { .image = (const struct bf_image *)b, .len = 10 };
	uint8_t data[10] = { 0 };
	struct bf_flow flow;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, b->proto->ops->loader->begin(b->proto, &target, &flow, &b->err), BF_OK);
	wanted(b, blocks(b, data, 10, 10), BF_OK);
	wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_OK);
	wanted(b, b->proto->ops->loader->begin(b->proto, &target, &flow, &b->err), BF_E_INTERNAL);
	assert_int_equal(b->peer.n_manifests, 1);
}

/* ---- alternate settings ---- */

static void the_named_alternate_setting_takes_the_firmware(void **state)
{
	static const char *const names[] = { "Settings", "settings", "1" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(names); i++) {
		BENCH(false, true);
		uint8_t data[3000], alt;

		pattern(data, sizeof(data));
		b->peer.n_alts = 2;
		b->peer.dead_alts = 1;
		peer_show(&b->peer);
		b->proto->env.alt = names[i];
		connect_for(b, BF_ENTRY_WRITE);
		assert_int_equal(identify(b).regions[0].kind, BF_REGION_OTHER);
		assert_int_equal(identify(b).regions[1].kind, BF_REGION_APP);
		wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
		(void)fake_usb_claimed(b->peer.usb, &alt);
		assert_int_equal(alt, 1);
	}
}

static void a_setting_is_named_by_its_whole_number(void **state)
{
	static const struct {
		const char *name;
		int index;
	} rows[] = {
		{ "0", 0 },     { "255", 1 }, { "256", -1 },        { "1", -1 },
		{ "255x", -1 }, { "", -1 },   { "4294967551", -1 },
	};
	BENCH(false, true);
	struct bf_dfu *d = bf_dfu_of(b->proto);

	(void)state;
	b->peer.n_alts = 2;
	peer_show(&b->peer);
	(void)identify(b);
	d->desc.alts[1].setting = 255;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		b->proto->env.alt = rows[i].name;
		assert_int_equal(bf_dfu_alt_chosen(d), rows[i].index);
	}
}

static void of_several_alternate_settings_none_is_guessed(void **state)
{
	BENCH(false, true);

	(void)state;
	b->peer.n_alts = 2;
	peer_show(&b->peer);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_INCOMPATIBLE);
	assert_non_null(strstr(b->err.cause, "--alt"));
	assert_non_null(strstr(b->err.likely[0], "0 'Firmware', 1 'Settings'"));
	b->proto->env.alt = "bank";
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_INCOMPATIBLE);
	assert_non_null(strstr(b->err.cause, "'bank'"));
}

static void a_refused_alternate_setting_is_told_with_the_others(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };
	bool named = false;

	(void)state;
	b->peer.n_alts = 2;
	b->peer.dead_alts = 1;
	peer_show(&b->peer);
	snprintf(settings_of(b)->alt, sizeof(settings_of(b)->alt), "0");
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
	for (unsigned i = 0; i < b->err.n_likely; i++)
		named = named || strstr(b->err.likely[i], "1 'Settings'");
	assert_true(named);
}

static void one_memory_of_several_can_be_named(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "@Internal Flash  /0x08000000/08*016Kg",
					       "@Serial Flash  /0x90000000/08*016Kg" };
	struct bf_ident id;

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	b->proto->env.alt = "Serial Flash";
	id = identify(b);
	assert_int_equal(id.regions[0].kind, BF_REGION_OTHER);
	assert_int_equal(id.regions[0].access & BF_ACCESS_WRITE, 0);
	assert_int_equal(id.regions[1].kind, BF_REGION_APP);
}

/* ---- arithmetic that is proven ---- */

static void a_device_that_counts_in_another_size_gets_an_address_for_each_block(void **state)
{
	static const uint32_t sizes[] = { 4096, 1024 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(sizes); i++) {
		BENCH(true, true);
		struct bf_ident id = identify(b);
		uint8_t data[5 * 2048], got[5 * 2048];

		pattern(data, sizeof(data));
		pattern(b->peer.mem, b->peer.size);
		b->peer.block_size = sizes[i];
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b,
		       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got,
						   sizeof(got), &b->err),
		       BF_OK);
		assert_memory_equal(got, b->peer.mem, sizeof(got));
		wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
		wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
		assert_memory_equal(b->peer.mem, data, sizeof(data));
	}
}

static void without_a_backup_the_counting_is_proven_before_the_first_erasure(void **state)
{
	BENCH(true, true);
	uint8_t data[5 * 2048];
	unsigned points;

	(void)state;
	pattern(data, sizeof(data));
	pattern(b->peer.mem, b->peer.size);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	assert_int_equal(bf_dfu_of(b->proto)->counting, BF_DFU_COUNTING_SOUND);
	points = b->peer.n_points;
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.n_points, points + 1);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void blank_flash_proves_no_counting(void **state)
{
	BENCH(true, true);
	uint8_t data[3 * 2048];

	(void)state;
	pattern(data, sizeof(data));
	b->peer.block_size = 4096;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
}

static void pages_smaller_than_the_map_says_are_found_out(void **state)
{
	BENCH(true, true);
	uint8_t data[0x8000];

	(void)state;
	pattern(data, sizeof(data));
	pattern(b->peer.mem, b->peer.size);
	b->peer.real_page = 0x1000;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x8000), BF_OK);
	wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
	assert_memory_equal(b->peer.mem, data, sizeof(data));
	assert_int_not_equal(b->peer.mem[0x8000], 0xFF);
}

static void the_pages_of_a_gigadevice_are_known_by_its_serial_number(void **state)
{
	struct bf_dfu_map m;

	(void)state;
	assert_true(bf_dfu_map_parse("@Internal Flash  /0x08000000/512*002Kg", &m));
	bf_dfu_gd_pages("3CBJ", &m);
	assert_int_equal(m.runs[0].size, 1024);
	assert_int_equal(m.runs[0].count, 128);
	bf_dfu_gd_pages("3C4J", &m);
	assert_int_equal(m.runs[0].count, 16);
	assert_true(bf_dfu_map_parse("@Internal Flash  /0x08000000/512*002Kg", &m));
	bf_dfu_gd_pages("\u4333\u4A38", &m); /* 8-bit text in a place for 16-bit text: 3C8J */
	assert_int_equal(m.runs[0].count, 64);
	assert_true(bf_dfu_map_parse("@Internal Flash  /0x08000000/064*002Kg", &m));
	bf_dfu_gd_pages("\xE3\x8D\x83", &m);
	assert_int_equal(m.runs[0].size, 1024);
	assert_int_equal(m.runs[0].count, 128);
}

/* ---- out of DFU mode ---- */

static void a_device_that_only_detach_starts_is_started_by_it(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.detach_leaves = true;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	restart_and_wait(b);
	assert_false(identify(b).in_bootloader);
	assert_true(bf_now(b->clock) < BF_SEC(5));
}

static void a_device_that_stays_is_given_up_after_some_seconds(void **state)
{
	(void)state;
	for (unsigned dfuse = 0; dfuse < 2; dfuse++) {
		BENCH(dfuse, true);
		uint8_t data[10] = { 0 };
		bf_time start;

		b->peer.stays = true;
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, download(b, PEER_BASE, data, sizeof(data)), BF_OK);
		start = bf_now(b->clock);
		restart_and_wait(b);
		assert_true(identify(b).in_bootloader);
		assert_string_equal(identify(b).bad_firmware, "");
		assert_true(since(b, start) < BF_SEC(7));
		/* And not once more. */
		start = bf_now(b->clock);
		restart_and_wait(b);
		assert_true(since(b, start) < BF_MS(100));
		connect_for(b, BF_ENTRY_READ); /* it still answers */
	}
}

static void a_bootloader_that_has_left_the_bus_tells_nothing_any_more(void **state)
{
	(void)state;
	for (unsigned dfuse = 0; dfuse < 2; dfuse++) {
		BENCH(dfuse, true);
		struct bf_ident id;

		connect_for(b, BF_ENTRY_WRITE);
		b->peer.reset_leaves = true;
		wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
		fake_usb_leave(b->peer.usb, NULL, BF_NEVER);
		wanted(b, b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(30)), &b->err),
		       BF_E_TIMEOUT);
		wanted(b, b->proto->ops->identify(b->proto, &id, &b->err), BF_E_TIMEOUT);
	}
}

static void a_bus_reset_starts_a_dfuse_device_that_does_not_leave(void **state)
{
	BENCH(true, true);

	(void)state;
	b->peer.stays = true;
	b->peer.reset_leaves = true;
	connect_for(b, BF_ENTRY_WRITE);
	restart_and_wait(b);
	assert_false(b->peer.loader);
	assert_true(bf_now(b->clock) < BF_SEC(4));
}

static void a_bootloader_that_comes_up_again_may_say_why(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	b->peer.loader = true;
	b->peer.state = S_ERROR;
	b->peer.status = 0x0A;
	peer_show(&b->peer);
	fake_usb_leave(b->peer.usb, &b->peer.device, BF_MS(300));
	wanted(b, b->proto->ops->await(b->proto, bf_in(b->clock, BF_SEC(9)), &b->err), BF_OK);
	assert_true(identify(b).in_bootloader);
	assert_non_null(strstr(identify(b).bad_firmware, "errFIRMWARE"));
}

static void a_device_that_manifests_for_ever_is_reset(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.attributes = 1;
	b->peer.manifests_for_ever = true;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	restart_and_wait(b);
	assert_false(b->peer.loader);
	assert_true(bf_now(b->clock) < BF_SEC(3));
	assert_int_equal(fake_usb_resets(b->peer.usb), 1);
}

static void a_device_that_falls_silent_after_the_end_is_reset_and_not_written_again(void **state)
{
	(void)state;
	for (unsigned tolerant = 0; tolerant <= BF_DFU_TOLERANT; tolerant += BF_DFU_TOLERANT) {
		BENCH(false, true);
		uint8_t data[10] = { 0 };

		b->peer.attributes = (uint8_t)(1 | tolerant);
		b->peer.silent_in_manifest = true;
		peer_show(&b->peer);
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
		restart_and_wait(b);
		assert_false(b->peer.loader);
		assert_int_equal(b->peer.n_manifests, 1);
		assert_true(bf_now(b->clock) < BF_SEC(4));
	}
}

static void a_device_that_leaves_with_the_empty_block_has_restarted(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };
	struct bf_flow flow;

	(void)state;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, begin(b, 0, sizeof(data), &flow), BF_OK);
	wanted(b, blocks(b, data, sizeof(data), 10), BF_OK);
	fake_once(b->peer.usb, "2101 0001 0000:", "gone", 0);
	wanted(b, b->proto->ops->loader->finish(b->proto, &b->err), BF_OK);
	wanted(b, b->proto->ops->loader->restart(b->proto, &b->err), BF_OK);
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
}

static void nothing_is_asked_of_the_application_after_the_restart(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.attributes = 1;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_int_equal(b->peer.state, S_WAIT_RESET);
	restart_and_wait(b);
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 1);
	assert_int_equal(b->peer.strays, 0);
}

/* ---- into DFU mode ---- */

static void a_stalled_detach_is_no_verdict(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.detach = PEER_STALLS_LEAVES;
	connect_for(b, BF_ENTRY_WRITE);
	assert_true(b->peer.loader);
	assert_int_equal(fake_usb_resets(b->peer.usb), 0);
}

static void detach_leaves_time_for_the_bus_reset(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.detach_ms = 0;
	b->peer.detach = PEER_BY_RESET;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_true(b->peer.loader);
}

static void a_device_that_says_it_leaves_and_does_not_is_reset(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes |= BF_DFU_WILL_DETACH;
	b->peer.detach = PEER_DEAF;
	peer_show(&b->peer);
	connect_for(b, BF_ENTRY_WRITE);
	assert_true(b->peer.loader);
	assert_true(bf_now(b->clock) < BF_SEC(7));
}

static void an_application_that_does_not_go_is_told_once(void **state)
{
	BENCH(false, false);

	(void)state;
	b->peer.attributes |= BF_DFU_WILL_DETACH;
	b->peer.detach = PEER_NEVER;
	peer_show(&b->peer);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_E_NAK);
	assert_int_equal(b->peer.n_detaches, 1);
	assert_true(bf_now(b->clock) < BF_SEC(8));
	b->proto->ops->leave(b->proto);
	assert_int_equal(fake_usb_resets(b->peer.usb), 1); /* it runs: nobody resets it again */
}

/* ---- reading and asking ---- */

static void an_upload_without_an_end_is_no_backup(void **state)
{
	BENCH(false, true);
	struct bf_ident id = identify(b);
	uint32_t size;

	(void)state;
	b->peer.upload_endless = true;
	connect_for(b, BF_ENTRY_WRITE);
	assert_null(strstr(fake_heard(b->peer.usb), "A102"));
	wanted(b, b->proto->ops->loader->extent(b->proto, &id.regions[0], &size, &b->err),
	       BF_E_UNSUPPORTED);
	wanted(b, b->proto->ops->connect(b->proto, BF_ENTRY_WRITE, &b->err), BF_OK);
}

static void a_stalled_status_means_busy_while_flash_is_erased(void **state)
{
	static const bf_time times[] = { BF_MS(400), BF_MS(1500), BF_MS(4500) };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(times); i++) {
		BENCH(true, true);

		b->peer.stall_after_erase = times[i];
		b->peer.busy_each = 2;
		connect_for(b, BF_ENTRY_WRITE);
		wanted(b, erase(b, PEER_BASE, 0x4000), BF_OK);
		assert_int_equal(b->peer.n_erases, 1);
		assert_int_equal(b->peer.n_clears, 0);
	}
}

static void an_error_that_answers_nothing_but_clrstatus_is_cleared(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.only_clear = true;
	b->peer.state = S_ERROR;
	b->peer.status = 0x0A;
	connect_for(b, BF_ENTRY_WRITE);
	assert_int_equal(b->peer.state, S_IDLE);
	b->peer.fail_at = b->peer.n_blocks + 1;
	b->peer.fail_status = 0x06;
	wanted(b, download(b, 0, data, sizeof(data)), BF_E_NAK);
	assert_true(b->err.dev_refused);
	assert_int_equal(b->peer.state, S_IDLE);
}

static void a_bootloader_that_is_busy_without_end_and_without_a_time_is_given_up(void **state)
{
	BENCH(true, true);

	(void)state;
	b->peer.poll_ms = 0;
	b->peer.stuck_erase = true;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_E_TIMEOUT);
	assert_true(bf_now(b->clock) < BF_SEC(16));
}

static void an_erasure_that_never_ends_on_an_st_rom_is_looked_at(void **state)
{
	BENCH(true, true);
	static const struct peer_run runs[] = { { 0x08000000, 128 << 10, 16 } };
	static const char *const strings[] = { "", "@Internal Flash  /0x08000000/16*128Kg", "" };

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	peer_chip(&b->peer, 0x08000000, runs, 1);
	b->peer.device.vid = 0x0483;
	fake_usb_set_device(b->peer.usb, &b->peer.device);
	b->peer.stuck_erase = true;
	b->peer.poll_ms = 100;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, erase(b, 0x08100000, 128 << 10), BF_OK);
	assert_true(bf_now(b->clock) < BF_SEC(12));
	assert_int_equal(b->peer.n_erases, 1);
}

static void read_protection_is_named_and_the_application_started(void **state)
{
	BENCH(true, false);
	struct bf_ident id;
	uint8_t got[16];

	(void)state;
	b->peer.read_protected = true;
	connect_for(b, BF_ENTRY_WRITE);
	id = identify(b);
	wanted(b,
	       b->proto->ops->loader->read(b->proto, &id.regions[0], PEER_BASE, got, 16, &b->err),
	       BF_E_NAK);
	wanted(b, erase(b, PEER_BASE, 0x4000), BF_E_NAK);
	assert_string_equal(b->err.dev_name, "errVENDOR");
	assert_non_null(strstr(b->err.likely[0], "read protection"));
	/* The pointer is refused, too: the empty block alone is what starts the application. */
	b->proto->ops->leave(b->proto);
	assert_false(b->peer.loader);
}

static void poll_times_that_mean_nothing_are_not_waited_for(void **state)
{
	BENCH(false, true);
	uint8_t data[10] = { 0 };

	(void)state;
	b->peer.poll_ms = 60000;
	settings_of(b)->ignore_poll = true;
	connect_for(b, BF_ENTRY_WRITE);
	wanted(b, download(b, 0, data, sizeof(data)), BF_OK);
	assert_true(bf_now(b->clock) < BF_MS(100));
}

static void option_bytes_in_front_do_not_hide_the_flash(void **state)
{
	BENCH(true, true);
	static const char *const strings[] = { "", "@Option Bytes  /0x1FFFC000/01*016 e",
					       "@Internal Flash  /0x08000000/04*016Kg,01*064K" };
	const struct bf_region flash = { .alt = 1 };
	struct bf_ident id;

	(void)state;
	fake_usb_set_strings(b->peer.usb, strings, 3);
	connect_for(b, BF_ENTRY_WRITE);
	id = identify(b);
	assert_int_equal(id.regions[0].kind, BF_REGION_OTHER);
	assert_int_equal(id.regions[1].kind, BF_REGION_APP);
	assert_int_equal(id.regions[1].alt, 1);
	assert_int_equal(id.regions[1].size, 64 << 10); /* the cut run is not used */
	wanted(b, b->proto->ops->loader->erase(b->proto, &flash, PEER_BASE, 0x4000, &b->err),
	       BF_OK);
	restart_and_wait(b);
	assert_int_equal(b->peer.pointer, PEER_BASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_application_says_does_not_count_in_the_bootloader),
		cmocka_unit_test(a_memory_map_makes_dfuse_whatever_the_version_says),
		cmocka_unit_test(a_version_number_without_a_map_is_plain_dfu),
		cmocka_unit_test(interface_protocol_0_with_a_map_is_dfu_mode),
		cmocka_unit_test(interface_protocol_0_is_asked_for_its_state),
		cmocka_unit_test(a_profile_draws_the_memory_that_a_dfuse_bootloader_does_not_show),
		cmocka_unit_test(a_missing_functional_descriptor_is_asked_for),
		cmocka_unit_test(a_block_is_not_shorter_than_a_packet),
		cmocka_unit_test(another_protocol_behind_the_same_interface_is_named),
		cmocka_unit_test(what_nothing_on_the_wire_tells_is_known_by_number),
		cmocka_unit_test(an_lpc_in_dfu_mode_is_known_by_number_and_gets_no_detach),
		cmocka_unit_test(without_downloads_the_application_is_not_stopped),
		cmocka_unit_test(a_refusal_in_the_bootloader_brings_the_application_back),
		cmocka_unit_test(
			a_map_of_which_nothing_is_understood_is_refused_and_the_application_back),
		cmocka_unit_test(
			a_run_stopped_on_its_way_into_the_bootloader_brings_the_application_back),
		cmocka_unit_test(a_bootloader_that_came_back_is_asked_for_its_verdict),
		cmocka_unit_test(after_its_power_came_back_a_device_is_looked_at_anew),
		cmocka_unit_test(a_device_that_came_back_while_it_was_waited_for_is_not_waited_for),
		cmocka_unit_test(an_application_gets_no_request_of_the_bootloader),
		cmocka_unit_test(a_bootloader_gets_no_request_before_its_interface_is_claimed),
		cmocka_unit_test(
			a_device_that_was_opened_anew_gets_no_request_before_it_is_looked_at),
		cmocka_unit_test(a_download_is_not_ended_in_another_device),
		cmocka_unit_test(what_was_not_erased_is_not_written),
		cmocka_unit_test(an_unread_device_is_written_only_where_it_was_erased),
		cmocka_unit_test(nothing_beside_the_named_sectors_is_erased_on_any_st_family),
		cmocka_unit_test(another_map_after_a_bus_reset_is_not_erased_by),
		cmocka_unit_test(another_alternate_setting_at_the_same_address_is_another_place),
		cmocka_unit_test(an_image_is_put_in_place_once),
		cmocka_unit_test(the_named_alternate_setting_takes_the_firmware),
		cmocka_unit_test(a_setting_is_named_by_its_whole_number),
		cmocka_unit_test(of_several_alternate_settings_none_is_guessed),
		cmocka_unit_test(a_refused_alternate_setting_is_told_with_the_others),
		cmocka_unit_test(one_memory_of_several_can_be_named),
		cmocka_unit_test(
			a_device_that_counts_in_another_size_gets_an_address_for_each_block),
		cmocka_unit_test(without_a_backup_the_counting_is_proven_before_the_first_erasure),
		cmocka_unit_test(blank_flash_proves_no_counting),
		cmocka_unit_test(pages_smaller_than_the_map_says_are_found_out),
		cmocka_unit_test(the_pages_of_a_gigadevice_are_known_by_its_serial_number),
		cmocka_unit_test(a_device_that_only_detach_starts_is_started_by_it),
		cmocka_unit_test(a_device_that_stays_is_given_up_after_some_seconds),
		cmocka_unit_test(a_bootloader_that_has_left_the_bus_tells_nothing_any_more),
		cmocka_unit_test(a_bus_reset_starts_a_dfuse_device_that_does_not_leave),
		cmocka_unit_test(a_bootloader_that_comes_up_again_may_say_why),
		cmocka_unit_test(a_device_that_manifests_for_ever_is_reset),
		cmocka_unit_test(
			a_device_that_falls_silent_after_the_end_is_reset_and_not_written_again),
		cmocka_unit_test(a_device_that_leaves_with_the_empty_block_has_restarted),
		cmocka_unit_test(nothing_is_asked_of_the_application_after_the_restart),
		cmocka_unit_test(a_stalled_detach_is_no_verdict),
		cmocka_unit_test(detach_leaves_time_for_the_bus_reset),
		cmocka_unit_test(a_device_that_says_it_leaves_and_does_not_is_reset),
		cmocka_unit_test(an_application_that_does_not_go_is_told_once),
		cmocka_unit_test(an_upload_without_an_end_is_no_backup),
		cmocka_unit_test(a_stalled_status_means_busy_while_flash_is_erased),
		cmocka_unit_test(an_error_that_answers_nothing_but_clrstatus_is_cleared),
		cmocka_unit_test(
			a_bootloader_that_is_busy_without_end_and_without_a_time_is_given_up),
		cmocka_unit_test(an_erasure_that_never_ends_on_an_st_rom_is_looked_at),
		cmocka_unit_test(read_protection_is_named_and_the_application_started),
		cmocka_unit_test(poll_times_that_mean_nothing_are_not_waited_for),
		cmocka_unit_test(option_bytes_in_front_do_not_hide_the_flash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
