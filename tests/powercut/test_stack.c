/* SPDX-License-Identifier: MIT */
/* The jobs over every wire that the virtual pack has. */
#include "stack.h"

#include <stdio.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "bmsflash/file.h"

static void flash_over(const char *options)
{
	struct stack s;

	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, options);
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	printf("# %s: %.2f s, erase %.2f transfer %.2f pack %.2f backup %.2f restart %.2f retries "
	       "%.2f, %.0f B/s, share %.2f, %u bit/s\n",
	       options, (double)s.summary.total / 1e6, (double)s.summary.erase / 1e6,
	       (double)s.summary.transfer / 1e6, (double)s.summary.wait_pack / 1e6,
	       (double)s.summary.backup / 1e6, (double)s.summary.restart / 1e6,
	       (double)s.summary.retries / 1e6, s.summary.rate, s.summary.wire_share,
	       s.summary.line_rate);
	stack_done(&s);
}

static void can(void **state)
{
	(void)state;
	flash_over("link=can");
}

static void can_fd(void **state)
{
	(void)state;
	flash_over("link=canfd");
}

static void rs485(void **state)
{
	(void)state;
	flash_over("link=rs485");
}

static void rs485_with_echo(void **state)
{
	(void)state;
	flash_over("link=rs485,echo=1");
}

static void can_with_security_access(void **state)
{
	(void)state;
	flash_over("link=can,auth=1");
}

static void can_without_hashes(void **state)
{
	(void)state;
	flash_over("link=can,quirk=nohash");
}

static void server_that_drops_the_transfer(void **state)
{
	(void)state;
	flash_over("link=can,quirk=nrc24");
}

static void failed_self_test_ends_restored(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "selftest=fail");
	assert_stack_ended(&s, BF_E_RESTORED, BF_STATE_OLD);
	stack_done(&s);
}

static void crashing_firmware_ends_restored(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "crash=trial");
	assert_stack_ended(&s, BF_E_RESTORED, BF_STATE_OLD);
	assert_non_null(strstr(s.out.err.likely[0], "restart loop"));
	stack_done(&s);
}

/* A third of a megabyte takes a quarter of a minute to swap, there and back. */
static void large_images_are_waited_for(void **state)
{
	static const char *const images[] = { "mcuboot/gw-2.0.0.signed.bin",
					      "mcuboot/gw-2.1.0.signed.bin" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(images); i++) {
		struct stack s;

		stack_init(&s, images[i]);
		stack_run(&s, "link=can");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		assert_true(s.summary.restart > BF_SEC(10));
		stack_done(&s);
	}
}

static void large_image_that_crashes_is_waited_for_on_its_way_back(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/gw-2.0.0.signed.bin");
	stack_run(&s, "link=can,crash=trial");
	assert_stack_ended(&s, BF_E_RESTORED, BF_STATE_OLD);
	assert_non_null(strstr(s.out.err.likely[0], "restart loop"));
	stack_done(&s);
}

/* At the agreed rate, with a session and a key: all three are gone with the power. */
static void pack_that_restarts_while_it_is_read_is_named(void **state)
{
	static const unsigned cuts[] = { 48, 60, 64, 70 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(cuts); i++) {
		struct stack s;
		char options[64];

		stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
		snprintf(options, sizeof(options), "link=can,cutmsg=%u,repower=500", cuts[i]);
		stack_run(&s, options);
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		assert_non_null(strstr(s.notices, "the pack has lost the session"));
		assert_int_equal(s.summary.line_rate, 1000000);
		stack_done(&s);
	}
}

/* It runs its firmware again, and has told that firmware's memory instead of the loader's. */
static void pack_with_one_bank_that_restarts_on_its_way_into_the_loader_is_sent_there_again(
	void **state)
{
	(void)state;
	for (unsigned msg = 28; msg < 48; msg++) {
		struct stack s;
		char options[80];

		stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
		snprintf(options, sizeof(options),
			 "link=can,quirk=singlebank,cutmsg=%u,repower=185", msg);
		stack_run(&s, options);
		if (s.out.state != BF_STATE_NEW_PROVEN)
			fail_msg("%s: %s: %s", options, bf_state_name(s.out.state),
				 s.out.err.cause);
		stack_done(&s);
	}
}

static void rollback_after_a_flash_is_foretold_as_impossible(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	s.job.kind = BF_JOB_ROLLBACK;
	stack_run(&s, "");
	assert_stack_ended(&s, BF_E_ROLLBACK, BF_STATE_OLD);
	stack_done(&s);
}

static void backup_then_verify(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.3.0.signed.bin");
	s.job.kind = BF_JOB_BACKUP;
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
	s.job.kind = BF_JOB_VERIFY;
	stack_run(&s, "");
	assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
	stack_done(&s);
}

/* Somebody changed a setting in the pack's memory. */
static void spoil(const struct stack *s, const char *what)
{
	BF_AUTO_MEM uint8_t *bytes = NULL;
	struct bf_err err;
	uint8_t *at;
	size_t len;

	bf_err_init(&err);
	assert_int_equal(bf_file_read(s->state, 1 << 24, &bytes, &len, &err), BF_OK);
	at = memmem(bytes, len, what, strlen(what));
	assert_non_null(at);
	memset(at, '#', strlen(what));
	bf_put_le32(bytes + len - 4, bf_crc(&bf_crc32_ieee, bytes, len - 4));
	assert_int_equal(bf_file_replace(s->state, bytes, len, &err), BF_OK);
}

static bool pack_holds(const struct stack *s, const char *what)
{
	BF_AUTO_MEM uint8_t *bytes = NULL;
	struct bf_err err;
	size_t len;

	bf_err_init(&err);
	assert_int_equal(bf_file_read(s->state, 1 << 24, &bytes, &len, &err), BF_OK);
	return memmem(bytes, len, what, strlen(what)) != NULL;
}

static void rollback_from_a_backup_restores_the_configuration(void **state)
{
	static const char *const packs[] = { "link=can", "link=rs485",
					     "link=can,quirk=singlebank" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(packs); i++) {
		struct stack s;
		char archive[512], cut[96];

		stack_init(&s, "mcuboot/app-1.3.0.signed.bin");
		s.job.kind = BF_JOB_BACKUP;
		stack_run(&s, packs[i]);
		assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
		snprintf(archive, sizeof(archive), "%s", s.file);
		spoil(&s, "over_voltage_mv=3650");
		s.job.kind = BF_JOB_ROLLBACK;
		s.job.restore_from = archive;
		/* The first try loses the pack's power in the middle of the page. */
		snprintf(cut, sizeof(cut), "%s,cutop=6", packs[i]);
		stack_run(&s, cut);
		assert_int_not_equal(s.out.rc, BF_OK);
		stack_run(&s, packs[i]);
		assert_stack_ended(&s, BF_OK, BF_STATE_OLD);
		assert_true(pack_holds(&s, "over_voltage_mv=3650"));
		assert_false(pack_holds(&s, "####"));
		stack_done(&s);
	}
}

static void single_bank_is_backed_up_and_written(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "link=can,quirk=singlebank");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_not_equal(s.file[0], 0);
	stack_done(&s);
}

static void dead_pack_is_brought_back(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "version=none");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
}

/* One frame in a hundred is lost: blocks of 586 frames never pass whole, so they are cut down. */
static void lossy_line_gets_there_in_small_blocks(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.prefix = "fault:seed=7,drop=1%:";
	stack_run(&s, "link=can");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_true(s.summary.retries > 0);
	stack_done(&s);
}

static void lossy_and_noisy_rs485(void **state)
{
	static const unsigned seeds[] = { 3, 4, 6, 7 };
	struct stack s;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(seeds); i++) {
		char prefix[64];

		stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
		snprintf(prefix, sizeof(prefix), "fault:seed=%u,flip=1%%,drop=1%%:", seeds[i]);
		s.prefix = prefix;
		stack_run(&s, "link=rs485");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		stack_done(&s);
	}
}

/* ---- USB: the same phases, by capability ---- */

static void dfu_needs_its_permissions(void **state)
{
	struct stack s;

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	stack_run(&s, "link=usb,protocol=dfu");
	assert_stack_ended(&s, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	s.job.allow[BF_ALLOW_NO_HARDWARE] = true;
	stack_run(&s, "link=usb,protocol=dfu");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
}

static const char *write_profile(const struct stack *s, char path[128], const char *addr,
				 const char *size)
{
	FILE *f;

	snprintf(path, 128, "%s/dfuse.ini", s->folder);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "[region app]\nkind = app\naddress = %s\nsize = %s\nerase-unit = 0x800\n", addr,
		size);
	fclose(f);
	return path;
}

static void an_mcuboot_image_goes_where_the_old_one_lies_or_the_profile_says(void **state)
{
	struct stack s;
	char path[128];

	(void)state;
	stack_init(&s, "mcuboot/app-1.5.0.signed.bin");
	s.job.allow[BF_ALLOW_NO_HARDWARE] = true;
	stack_run(&s, "link=usb,protocol=dfuse");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	s.job.profile = write_profile(&s, path, "0x08010000", "0x10000");
	stack_run(&s, "link=usb,protocol=dfuse");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	assert_int_not_equal(s.file[0], 0); /* one bank: the backup came first */
	/* It was moved there from address 0, and is read back where it is. */
	assert_null(strstr(s.notices, "cannot show what it holds"));
	assert_true(s.summary.verify > 0);
	stack_done(&s);
}

/* 0x80 bytes of calibration at 08060000, code at 08010200, and nothing between the two. */
static void files_with_addresses_go_where_they_say(void **state)
{
	static const char *const files[] = { "firmware/app-1.5.0.hex", "firmware/app-1.5.0.elf",
					     "firmware/app-1.5.0.srec" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(files); i++) {
		struct stack s;

		stack_init(&s, files[i]);
		stack_trust(&s, "minisign/release.pub");
		stack_run(&s, "link=usb,protocol=dfuse");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		assert_true(s.summary.verify > 0);
		stack_run(&s, "link=usb,protocol=dfuse");
		assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
		stack_done(&s);
	}
}

static void raw_file_goes_to_the_address_that_was_given(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08010000 };
	struct stack s;

	(void)state;
	stack_init(&s, "firmware/app-1.5.0.bin");
	stack_trust(&s, "minisign/release.pub");
	s.job.claim_opts = &opts;
	stack_run(&s, "link=usb,protocol=dfuse");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	stack_done(&s);
}

/* What lies in the hole of a file is not the file's business: it is the same before and after. */
static void holes_of_a_file_are_kept(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08040000 };
	struct stack s;
	size_t before, after;
	uint8_t *old, *now;

	(void)state;
	stack_init(&s, "firmware/app-1.4.0.bin");
	stack_trust(&s, "minisign/release.pub");
	s.job.claim_opts = &opts;
	/* Other bytes where the hole is: they do not start, so the old firmware runs on. */
	stack_run(&s, "link=usb,protocol=dfuse");
	old = stack_largest(&s, &before);
	s.job.claim_opts = NULL;
	stack_image(&s, "firmware/app-1.5.0.hex");
	s.job.kind = BF_JOB_FLASH;
	stack_run(&s, "link=usb,protocol=dfuse");
	assert_stack_ended(&s, BF_OK, BF_STATE_NEW_PROVEN);
	now = stack_largest(&s, &after);
	assert_true(before > 0x3a000 && before < 0x50000);
	assert_true(after > 0x50000);
	assert_memory_equal(old + 0x30000, now + 0x30000, before - 0x30000);
	assert_memory_not_equal(old, now, 0xa000);
	free(old);
	free(now);
	stack_done(&s);
}

static void usb_backup_needs_no_profile(void **state)
{
	static const char *const wires[] = { "link=usb,protocol=dfuse", "link=usb,protocol=dfu" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(wires); i++) {
		struct stack s;

		stack_init(&s, "mcuboot/app-1.3.0.signed.bin");
		s.job.kind = BF_JOB_BACKUP;
		stack_run(&s, wires[i]);
		assert_stack_ended(&s, BF_OK, BF_STATE_UNTOUCHED);
		assert_true(s.saved >= 42000);
		stack_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(can),
		cmocka_unit_test(can_fd),
		cmocka_unit_test(rs485),
		cmocka_unit_test(rs485_with_echo),
		cmocka_unit_test(can_with_security_access),
		cmocka_unit_test(can_without_hashes),
		cmocka_unit_test(server_that_drops_the_transfer),
		cmocka_unit_test(failed_self_test_ends_restored),
		cmocka_unit_test(crashing_firmware_ends_restored),
		cmocka_unit_test(large_images_are_waited_for),
		cmocka_unit_test(large_image_that_crashes_is_waited_for_on_its_way_back),
		cmocka_unit_test(pack_that_restarts_while_it_is_read_is_named),
		cmocka_unit_test(
			pack_with_one_bank_that_restarts_on_its_way_into_the_loader_is_sent_there_again),
		cmocka_unit_test(rollback_after_a_flash_is_foretold_as_impossible),
		cmocka_unit_test(backup_then_verify),
		cmocka_unit_test(rollback_from_a_backup_restores_the_configuration),
		cmocka_unit_test(single_bank_is_backed_up_and_written),
		cmocka_unit_test(dead_pack_is_brought_back),
		cmocka_unit_test(lossy_line_gets_there_in_small_blocks),
		cmocka_unit_test(lossy_and_noisy_rs485),
		cmocka_unit_test(dfu_needs_its_permissions),
		cmocka_unit_test(an_mcuboot_image_goes_where_the_old_one_lies_or_the_profile_says),
		cmocka_unit_test(files_with_addresses_go_where_they_say),
		cmocka_unit_test(raw_file_goes_to_the_address_that_was_given),
		cmocka_unit_test(holes_of_a_file_are_kept),
		cmocka_unit_test(usb_backup_needs_no_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
