/* SPDX-License-Identifier: MIT */
/* Flash with sectors of several sizes: what is erased, byte by byte, on the maps of real chips. */
#include "../backup_of.h"

#include "engine/run.h"
#include "family/dfu/dfu_map.h"

#define FLASH_MAX (2u << 20)

/* As the ROM loaders of these families show them (AN2606; one alternate setting each). */
static const char *const maps[] = {
	"@Internal Flash  /0x08000000/64*0001Kg",                  /* F0, F1 small */
	"@Internal Flash  /0x08000000/256*0002Kg",                 /* F1 large, F3, L4, G0 */
	"@Internal Flash  /0x08010000/04*016Kg,01*064Kg,03*128Kg", /* as an F2 */
	"@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", /* F2, F405, F407 */
	/* F42x */
	("@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg,"
	 "04*016Kg,01*064Kg,07*128Kg"),
	"@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg", /* F7 */
	"@Internal Flash  /0x08000000/04*016Kg,01*064Kg,01*128Kg", /* F401xC */
	"@Internal Flash  /0x08000000/08*128Kg",                   /* H7 */
	"@Internal Flash  /0x08000000/128*0008Kg",                 /* H5 */
	"@Internal Flash  /0x08000000/512*128Bg",                  /* L0 */
	"@Flash/0x08000000/3*1Kg,5*2Kg,3*1Kg",
};

struct chip {
	struct bf_dfu_map map;
	uint8_t *flash, *before;
	uint32_t base, size;
	unsigned erases;
};

static struct chip *chip; /* bf_proto_ops carries no context beside the protocol */

struct bench {
	struct bf_proto_ops ops;
	struct bf_loader_ops loader;
	struct bf_proto proto;
	struct bf_run run;
	struct bf_job job;
	struct bf_events events;
	uint8_t *data;
};

static enum bf_rc erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			uint32_t size, struct bf_err *err)
{
	uint32_t end = addr + size;
	struct bf_dfu_sectors s;

	(void)p, (void)region, (void)err;
	for (uint32_t at = addr; at < end; at = s.addr + s.size) {
		assert_true(bf_dfu_map_sector(&chip->map, at, &s));
		assert_true(s.addr >= addr && s.addr + s.size <= end); /* whole sectors */
		memset(chip->flash + (s.addr - chip->base), 0xFF, s.size);
		chip->erases++;
	}
	return BF_OK;
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	(void)ctx, (void)ev;
}

static void write_items(const struct bf_todo *todo)
{
	for (size_t i = 0; i < todo->n; i++) {
		const struct bf_target *t = &todo->items[i].target;

		for (size_t k = 0; k < t->len; k++) {
			uint8_t *at = chip->flash + (t->addr - chip->base) + k;

			assert_int_equal(*at, 0xFF);
			*at = t->segment->data[t->from + k];
		}
	}
}

static bool in_image_sector(uint32_t at, uint32_t addr, size_t len)
{
	struct bf_dfu_sectors s;

	assert_true(bf_dfu_map_sector(&chip->map, at, &s));
	return s.addr < addr + len && addr < s.addr + s.size;
}

static void compare(uint32_t addr, const uint8_t *data, size_t len)
{
	for (uint32_t at = chip->base; at < chip->base + chip->size; at++) {
		uint8_t holds = chip->flash[at - chip->base];

		if (at >= addr && at - addr < len)
			assert_int_equal(holds, data[at - addr]);
		else if (!in_image_sector(at, addr, len))
			assert_int_equal(holds, chip->before[at - chip->base]);
	}
}

static void flash_at(uint32_t addr, size_t len, unsigned caps)
{
	struct bench b = { .events = { on_event, NULL } };
	struct bf_err err;

	bf_err_init(&err);
	b.data = malloc(len);
	assert_non_null(b.data);
	for (size_t i = 0; i < len; i++)
		b.data[i] = (uint8_t)(i * 7 + 1);
	b.loader.erase = erase;
	b.ops.app = &bf_no_app;
	b.ops.loader = &b.loader;
	b.ops.boot = &bf_no_boot;
	b.proto.ops = &b.ops;
	b.run = (struct bf_run){ .job = &b.job, .session.proto = &b.proto, .events = &b.events };
	b.run.clock = b.run.time.outer = bf_vclock_new();
	b.run.time.deadline = BF_NEVER;
	b.run.session.ident.caps = caps;
	b.run.session.ident.n_regions =
		bf_dfu_map_regions(&chip->map, 0, b.run.session.ident.regions, 4);
	b.run.wanted.image = made_image(b.data, len, addr);
	memcpy(chip->flash, chip->before, chip->size);
	b.run.todo.bytes = len;
	if (bf_todo_memory(&b.run, &err) || bf_erase_all(&b.run, &err))
		fail_msg("%s", err.cause);
	write_items(&b.run.todo);
	compare(addr, b.data, len);
	bf_todo_done(&b.run.todo);
	bf_image_free(b.run.wanted.image);
	bf_clock_free(b.run.clock);
	free(b.data);
}

static void chip_init(struct chip *c, const char *text)
{
	*c = (struct chip){ .flash = malloc(FLASH_MAX), .before = malloc(FLASH_MAX) };
	assert_true(bf_dfu_map_parse(text, &c->map));
	c->base = c->map.runs[0].addr;
	for (size_t i = 0; i < c->map.n_runs; i++)
		c->size += c->map.runs[i].size * c->map.runs[i].count;
	assert_true(c->size <= FLASH_MAX && c->flash && c->before);
	for (size_t i = 0; i < c->size; i++)
		c->before[i] = (uint8_t)(i * 31 + 5);
	chip = c;
}

static void chip_done(struct chip *c)
{
	free(c->flash);
	free(c->before);
}

static void nothing_outside_the_images_own_sectors_is_ever_erased(void **state)
{
	static const unsigned caps[] = { BF_CAP_ERASE | BF_CAP_ANY_ORDER, BF_CAP_ERASE };

	(void)state;
	for (size_t m = 0; m < BF_COUNT(maps); m++) {
		struct chip c;

		chip_init(&c, maps[m]);
		for (size_t k = 0; k < BF_COUNT(caps); k++) {
			flash_at(c.base, 100, caps[k]);
			flash_at(c.base, c.size / 3, caps[k]);
			flash_at(c.base + c.size / 2, c.size / 4 + 8, caps[k]);
			flash_at(c.base + c.size - 1000, 1000, caps[k]);
			flash_at(c.base + c.map.runs[0].size, c.map.runs[0].size + 1, caps[k]);
		}
		chip_done(&c);
	}
}

/* The bootloader below and the settings above an image on a chip that begins with small sectors. */
static void neighbours_of_an_image_on_mixed_sectors_keep_their_bytes(void **state)
{
	struct chip c;

	(void)state;
	chip_init(&c, maps[2]);
	flash_at(0x08018000, 20000, BF_CAP_ERASE | BF_CAP_ANY_ORDER);
	assert_int_equal(c.erases, 2);
	chip_done(&c);
	chip_init(&c, maps[3]);
	flash_at(0x08000000, 42000, BF_CAP_ERASE | BF_CAP_ANY_ORDER);
	assert_int_equal(c.erases, 3);
	chip_done(&c);
}

static enum bf_rc read_chip(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			    uint8_t *buf, size_t len, struct bf_err *err)
{
	(void)p, (void)region, (void)err;
	memcpy(buf, chip->flash + (addr - chip->base), len);
	return BF_OK;
}

/* A ROM's map is of all the flash, the pack's own bootloader and settings among it. */
static void restoring_all_of_a_chip_touches_only_what_has_changed(void **state)
{
	struct bench b = { .events = { on_event, NULL } };
	struct bf_err err;
	struct chip c;

	(void)state;
	bf_err_init(&err);
	chip_init(&c, maps[3]);
	memcpy(chip->flash, chip->before, chip->size);
	memset(chip->flash + 0x10000, 0x55, 42000); /* the firmware that goes */
	b.loader.erase = erase;
	b.loader.read = read_chip;
	b.ops.app = &bf_no_app;
	b.ops.loader = &b.loader;
	b.ops.boot = &bf_no_boot;
	b.proto.ops = &b.ops;
	b.run = (struct bf_run){ .job = &b.job, .session.proto = &b.proto, .events = &b.events };
	b.run.wanted.own = b.run.wanted.has_place = true;
	b.run.wire.transport =
		&(struct bf_transport){ .ops = &(struct bf_transport_ops){ .wire = BF_WIRE_USB } };
	b.run.clock = b.run.time.outer = bf_vclock_new();
	b.run.time.deadline = BF_NEVER;
	b.run.session.ident.caps = BF_CAP_ERASE | BF_CAP_READ | BF_CAP_ANY_ORDER;
	b.run.session.ident.n_regions =
		bf_dfu_map_regions(&c.map, 0, b.run.session.ident.regions, 4);
	b.run.wanted.image = made_image(c.before, c.size, c.base);
	if (bf_todo_memory(&b.run, &err) || bf_erase_all(&b.run, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c.erases, 1);
	assert_true(b.run.todo.head_last);
	assert_int_equal(b.run.todo.items[0].target.addr, 0x08010000);
	assert_true(b.run.todo.items[0].target.len <= 16); /* its first bytes go last */
	write_items(&b.run.todo);
	assert_memory_equal(c.flash, c.before, c.size);
	bf_todo_done(&b.run.todo);
	bf_image_free(b.run.wanted.image);
	bf_clock_free(b.run.clock);
	chip_done(&c);
}

static struct bf_region told(uint32_t size, uint32_t unit)
{
	return (struct bf_region){ .name = "app",
				   .kind = BF_REGION_APP,
				   .addr = 0x08000000,
				   .size = size,
				   .erase_unit = unit,
				   .access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE };
}

static void sizes_that_no_pack_has_are_not_offered(void **state)
{
	struct bf_events events = { on_event, NULL };
	struct bf_run run = { .events = &events, .clock = bf_vclock_new() };
	struct bf_ident id = { .n_regions = 3 };

	(void)state;
	id.regions[0] = told(0xE0000000u, 0xD0000000u); /* an erase unit of 3.5 GB */
	id.regions[1] = told(1u << 20, 1u << 20);
	id.regions[2] = told(65u << 20, 4096);
	bf_regions_limit(&run, &id);
	assert_int_equal(id.regions[0].access, 0);
	assert_int_equal(id.regions[1].access, BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE);
	assert_int_equal(id.regions[1].erase_unit, 1u << 20);
	assert_int_equal(id.regions[2].access, 0);
	bf_clock_free(run.clock);
}

static void a_unit_at_the_end_of_a_region_ends_with_it(void **state)
{
	struct bf_region r = told(10000, 4096);
	uint32_t start, size;

	(void)state;
	assert_true(bf_sector_at(&r, 0x08000000 + 9999, &start, &size));
	assert_int_equal(start, 0x08002000);
	assert_int_equal(size, 10000 - 8192);
	assert_false(bf_sector_at(&r, 0x08000000 + 10000, &start, &size));
	assert_false(bf_sector_at(&r, 0x07FFFFFF, &start, &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_outside_the_images_own_sectors_is_ever_erased),
		cmocka_unit_test(neighbours_of_an_image_on_mixed_sectors_keep_their_bytes),
		cmocka_unit_test(restoring_all_of_a_chip_touches_only_what_has_changed),
		cmocka_unit_test(sizes_that_no_pack_has_are_not_offered),
		cmocka_unit_test(a_unit_at_the_end_of_a_region_ends_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
