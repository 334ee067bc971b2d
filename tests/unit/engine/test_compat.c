/* SPDX-License-Identifier: MIT */
/* What proves that an image fits a pack, and what a pack that cannot be compared needs. */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/file.h"
#include "engine/phases.h"
#include "engine/preflight.h"
#include "engine/session.h"

struct seen {
	char checks[2048]; /* "name=verdict " */
	unsigned notices;
};

struct fit {
	struct bf_proto_ops ops;
	struct bf_loader_ops loader;
	struct bf_proto proto;
	struct bf_run run;
	struct bf_job job;
	struct bf_events events;
	struct bf_transport_ops wire_ops;
	struct bf_usb_ops usb_ops;
	struct bf_transport wire;
	struct seen seen;
	struct bf_err err;
};

static struct bf_usb_device usb_device; /* what is plugged in now */

static enum bf_rc tell_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	(void)t, (void)err;
	*ret = usb_device;
	return BF_OK;
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct seen *s = ctx;
	size_t at = strlen(s->checks);

	if (ev->kind == BF_EV_CHECK)
		snprintf(s->checks + at, sizeof(s->checks) - at, "%s=%s ", ev->check->name,
			 bf_verdict_name(ev->check->verdict));
	s->notices += ev->kind == BF_EV_NOTICE;
}

static void init(struct fit *f, bool usb)
{
	memset(f, 0, sizeof(*f));
	bf_err_init(&f->err);
	usb_device = (struct bf_usb_device){ .vid = 0x0483, .pid = 0x5740 };
	f->ops.app = &bf_no_app;
	f->ops.loader = &f->loader;
	f->ops.boot = &bf_no_boot;
	f->proto.ops = &f->ops;
	f->usb_ops.device = tell_device;
	f->wire_ops.wire = usb ? BF_WIRE_USB : BF_WIRE_BUS;
	f->wire_ops.usb = usb ? &f->usb_ops : NULL;
	f->wire.ops = &f->wire_ops;
	f->events = (struct bf_events){ on_event, &f->seen };
	f->run = (struct bf_run){ .job = &f->job,
				  .session.proto = &f->proto,
				  .wire.transport = &f->wire,
				  .events = &f->events,
				  .clock = bf_vclock_new() };
	f->run.session.ident.caps = BF_CAP_READ | BF_CAP_ERASE;
	f->run.session.ident.has_version = true;
	f->run.session.ident.version = (struct bf_version){ .major = 1, .minor = 3 };
}

static void load(struct fit *f, const char *name, const char *key)
{
	struct bf_claim_opts opts = { .has_addr = strstr(name, "firmware/app-1.5.0.bin") != NULL,
				      .addr = 0x08010000 };
	struct bf_keyring *ring = bf_keyring_new();
	struct bf_claim *claim = NULL;
	char path[256];
	enum bf_rc rc;

	snprintf(path, sizeof(path), "%s/%s", getenv("BF_TEST_DATA"), key);
	rc = bf_keyring_add(ring, path, &f->err);
	snprintf(path, sizeof(path), "%s/%s", getenv("BF_TEST_DATA"), name);
	if (!rc)
		rc = bf_claim_load(path, &opts, &claim, &f->err);
	if (!rc)
		rc = bf_image_verify(claim, ring, &f->run.wanted.image, &f->err);
	if (rc)
		fail_msg("%s", f->err.cause);
	bf_keyring_free(ring);
	bf_run_target(&f->run);
}

static void load_mcuboot(struct fit *f)
{
	load(f, "mcuboot/app-1.5.0.signed.bin", "mcuboot/release.pub.pem");
}

/* hw=BMS-16S-R3 in the signed comment. */
static void load_raw(struct fit *f)
{
	load(f, "firmware/app-1.5.0.bin", "minisign/release.pub");
}

static void done(struct fit *f)
{
	bf_image_free(f->run.wanted.image);
	bf_clock_free(f->run.clock);
}

static void expect(struct fit *f, enum bf_rc rc, enum bf_rc want, const char *check)
{
	if (rc != want || !strstr(f->seen.checks, check))
		fail_msg("%s '%s', checks %s", bf_rc_info(rc)->name, f->err.cause, f->seen.checks);
	done(f);
}

/* ---- hardware ---- */

static void usb_numbers_in_place_of_a_revision_are_no_hardware_name(void **state)
{
	struct fit f;

	(void)state;
	init(&f, true);
	strcpy(f.run.session.ident.hw_rev, "1209:0001");
	load_raw(&f);
	f.job.allow[BF_ALLOW_NO_HARDWARE] = true;
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_OK, "hardware=allowed");
}

static void a_revision_alone_is_no_hardware_name(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	strcpy(f.run.session.ident.hw_rev, "BMS-16S-R3");
	load_raw(&f);
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_E_INCOMPATIBLE, "hardware=fail");
	init(&f, false);
	strcpy(f.run.session.ident.model, "BMS-16S-R3");
	load_raw(&f);
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_OK, "hardware=pass");
}

static void the_product_text_of_a_rom_loader_is_not_the_packs(void **state)
{
	struct fit f;

	(void)state;
	init(&f, true);
	strcpy(f.run.session.ident.model, "STM32  BOOTLOADER");
	f.run.session.ident.is_anybodys = f.run.session.ident.in_bootloader = true;
	load_raw(&f);
	f.job.allow[BF_ALLOW_NO_HARDWARE] = f.job.allow[BF_ALLOW_SINGLE_BANK] = true;
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_OK, "hardware=allowed");
}

static void numbers_that_any_rom_loader_shows_are_known(void **state)
{
	(void)state;
	assert_true(bf_usb_is_anybodys(0x0483, 0xDF11));
	assert_true(bf_usb_is_anybodys(0x28E9, 0x0189));
	assert_false(bf_usb_is_anybodys(0x1209, 0x0001));
}

/* The signed image with a DFU suffix behind it, which nobody has signed. */
static void load_with_suffix(struct fit *f, uint16_t vid, uint16_t pid)
{
	struct bf_keyring *ring = bf_keyring_new();
	const struct bf_claim_opts opts = { 0 };
	struct bf_claim *claim = NULL;
	uint8_t *file, *with, *end;
	char path[256];
	size_t len;

	snprintf(path, sizeof(path), "%s/mcuboot/release.pub.pem", getenv("BF_TEST_DATA"));
	assert_int_equal(bf_keyring_add(ring, path, &f->err), BF_OK);
	snprintf(path, sizeof(path), "%s/mcuboot/app-1.5.0.signed.bin", getenv("BF_TEST_DATA"));
	assert_int_equal(bf_file_read(path, 1 << 20, &file, &len, &f->err), BF_OK);
	with = malloc(len + 16);
	assert_non_null(with);
	memcpy(with, file, len);
	end = with + len;
	bf_put_le16(end, 0xFFFF);
	bf_put_le16(end + 2, pid);
	bf_put_le16(end + 4, vid);
	bf_put_le16(end + 6, 0x0100);
	memcpy(end + 8, "UFD\x10", 4);
	bf_put_le32(end + 12, bf_crc(&bf_crc32_dfu, with, len + 12));
	if (bf_claim_parse(with, len + 16, "image.dfu", NULL, 0, &opts, &claim, &f->err) ||
	    bf_image_verify(claim, ring, &f->run.wanted.image, &f->err))
		fail_msg("%s", f->err.cause);
	free(with);
	free(file);
	bf_keyring_free(ring);
}

static void numbers_of_a_file_fit_the_application_or_its_bootloader(void **state)
{
	struct fit f;

	(void)state;
	init(&f, true);
	load_with_suffix(&f, 0x0483, 0xDF11);
	assert_int_equal(bf_check_usb(&f.run, &f.err), BF_OK);
	assert_true(f.run.wanted.usb_later); /* asked again in the bootloader */
	usb_device.pid = 0xDF11;
	f.run.session.now.in_bootloader = true;
	expect(&f, bf_check_usb(&f.run, &f.err), BF_OK, "usb-id=unknown usb-id=pass");
	init(&f, true);
	load_with_suffix(&f, 0x0483, 0xDF11);
	assert_int_equal(bf_check_usb(&f.run, &f.err), BF_OK);
	usb_device.pid = 0x1234;
	f.run.session.now.in_bootloader = true;
	expect(&f, bf_check_usb(&f.run, &f.err), BF_E_INCOMPATIBLE, "usb-id=fail");
	/* The profile names the bootloader's. */
	init(&f, true);
	load_with_suffix(&f, 0x0483, 0xDF11);
	f.run.given.profile.usb_vid = 0x0483;
	f.run.given.profile.usb_loader_pid = 0xDF11;
	expect(&f, bf_check_usb(&f.run, &f.err), BF_OK, "usb-id=pass");
}

/* ---- a bootloader that answers ---- */

static void a_loader_that_answers_does_not_waive_the_way_back(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	f.run.session.ident.caps = BF_CAP_ERASE;
	f.run.session.ident.in_bootloader = true;
	bf_model_found(&f.run.model, &f.run.session.ident, false);
	strcpy(f.run.session.ident.model, "BMS-16S-R3");
	load_raw(&f);
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_E_UNSUPPORTED, "way-back=fail");
}

static void a_slot_that_cannot_start_proves_that_nothing_is_lost(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	f.run.session.ident.caps = BF_CAP_ERASE;
	f.run.session.ident.in_bootloader = true;
	f.run.session.ident.n_slots = 1;
	bf_model_found(&f.run.model, &f.run.session.ident, false);
	strcpy(f.run.session.ident.model, "BMS-16S-R3");
	load_raw(&f);
	expect(&f, bf_ph_compatible(&f.run, &f.err), BF_OK, "way-back=pass");
	init(&f, false);
	f.run.session.ident.in_bootloader = true;
	f.run.session.ident.n_slots = 1;
	f.run.session.ident.slots[0].flags = BF_SLOT_BOOTABLE;
	bf_model_found(&f.run.model, &f.run.session.ident, false);
	assert_true(bf_app_may_be_lost(&f.run));
	done(&f);
}

static void a_device_that_takes_no_downloads_is_left_running(void **state)
{
	struct fit f;

	(void)state;
	init(&f, true);
	f.run.session.ident.n_regions = 1;
	f.run.session.ident.regions[0] =
		(struct bf_region){ .kind = BF_REGION_APP, .access = BF_ACCESS_READ };
	load_raw(&f);
	assert_int_equal(bf_ph_compatible(&f.run, &f.err), BF_E_UNSUPPORTED);
	assert_non_null(strstr(f.err.cause, "does not take downloads"));
	done(&f);
}

/* ---- version and counter ---- */

static void a_version_that_cannot_be_compared_needs_leave_to_downgrade(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	f.run.session.ident.has_version = false;
	strcpy(f.run.session.ident.version_text, "V9.9");
	load_raw(&f);
	expect(&f, bf_ph_antirollback(&f.run, &f.err), BF_E_ROLLBACK, "version=fail");
	init(&f, false);
	f.run.session.ident.has_version = false;
	strcpy(f.run.session.ident.version_text, "9.9.9-rc1");
	f.job.allow[BF_ALLOW_DOWNGRADE] = true;
	load_raw(&f);
	expect(&f, bf_ph_antirollback(&f.run, &f.err), BF_OK, "version=allowed");
}

static void a_version_that_is_never_told_is_unknown_with_a_note(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	f.run.session.ident.has_version = false;
	load_raw(&f);
	assert_int_equal(bf_ph_antirollback(&f.run, &f.err), BF_OK);
	assert_true(f.seen.notices > 0);
	expect(&f, BF_OK, BF_OK, "version=unknown");
}

static void a_counter_that_cannot_be_read_needs_leave_to_downgrade(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	f.run.session.ident.counter_unreadable = true;
	load_mcuboot(&f);
	expect(&f, bf_ph_antirollback(&f.run, &f.err), BF_E_ROLLBACK, "security-counter=fail");
	init(&f, false);
	f.run.session.ident.counter_unreadable = true;
	f.job.allow[BF_ALLOW_DOWNGRADE] = true;
	load_mcuboot(&f);
	expect(&f, bf_ph_antirollback(&f.run, &f.err), BF_OK, "security-counter=allowed");
}

static void a_counter_that_is_never_told_is_unknown_with_a_note(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	load_mcuboot(&f);
	assert_int_equal(bf_ph_antirollback(&f.run, &f.err), BF_OK);
	assert_int_equal(f.seen.notices, 1);
	expect(&f, BF_OK, BF_OK, "security-counter=unknown");
}

static void a_counter_that_neither_end_has_is_not_spoken_of(void **state)
{
	struct fit f;

	(void)state;
	init(&f, false);
	load_mcuboot(&f);
	((struct bf_meta *)(uintptr_t)bf_image_meta(f.run.wanted.image))->has_counter = false;
	assert_int_equal(bf_ph_antirollback(&f.run, &f.err), BF_OK);
	assert_int_equal(f.seen.notices, 0);
	expect(&f, BF_OK, BF_OK, "");
}

/* The place for new firmware, by what is said to run. */
static void the_slot_that_does_not_run_takes_the_image(void **state)
{
	static const struct {
		unsigned n, flags[2], slot;
	} rows[] = {
		{ 1, { BF_SLOT_ACTIVE }, 0 },
		{ 1, { 0 }, 0 },
		{ 2, { BF_SLOT_ACTIVE, 0 }, 1 },
		{ 2, { 0, BF_SLOT_ACTIVE }, 0 },
		{ 2, { 0, 0 }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_ident id = { .n_slots = rows[i].n };
		unsigned slot = 9;

		id.slots[0].flags = rows[i].flags[0];
		id.slots[1].flags = rows[i].flags[1];
		assert_ptr_equal(bf_slot_target(&id, &slot), &id.slots[rows[i].slot]);
		assert_int_equal(slot, rows[i].slot);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slot_that_does_not_run_takes_the_image),
		cmocka_unit_test(usb_numbers_in_place_of_a_revision_are_no_hardware_name),
		cmocka_unit_test(a_revision_alone_is_no_hardware_name),
		cmocka_unit_test(the_product_text_of_a_rom_loader_is_not_the_packs),
		cmocka_unit_test(numbers_that_any_rom_loader_shows_are_known),
		cmocka_unit_test(numbers_of_a_file_fit_the_application_or_its_bootloader),
		cmocka_unit_test(a_loader_that_answers_does_not_waive_the_way_back),
		cmocka_unit_test(a_slot_that_cannot_start_proves_that_nothing_is_lost),
		cmocka_unit_test(a_device_that_takes_no_downloads_is_left_running),
		cmocka_unit_test(a_version_that_cannot_be_compared_needs_leave_to_downgrade),
		cmocka_unit_test(a_version_that_is_never_told_is_unknown_with_a_note),
		cmocka_unit_test(a_counter_that_cannot_be_read_needs_leave_to_downgrade),
		cmocka_unit_test(a_counter_that_is_never_told_is_unknown_with_a_note),
		cmocka_unit_test(a_counter_that_neither_end_has_is_not_spoken_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
