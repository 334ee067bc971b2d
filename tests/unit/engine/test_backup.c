/* SPDX-License-Identifier: MIT */
/* Backup, restore, rollback, verify, probe. */
#include "pack.h"

#include <stdio.h>
#include <unistd.h>

#include "bmsflash/file.h"

static char *tar_list(const char *path, char *dst, size_t cap)
{
	char command[700];
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command), "tar -tf '%s'", path);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(dst, 1, cap - 1, f);
	dst[n] = '\0';
	assert_int_equal(pclose(f), 0);
	return dst;
}

static void backup_is_a_tar_that_tar_lists_with_the_manifest_first(void **state)
{
	struct bench b;
	char names[512];

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.kind = BF_JOB_BACKUP;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_string_equal(tar_list(b.file, names, sizeof(names)),
			    "manifest.json\nmanifest.seal\nregions/slot0.bin\nregions/slot1.bin\n"
			    "regions/calibration.bin\n");
	assert_int_equal(b.events[BF_EV_REGION], 3);
	bench_done(&b);
}

static void backup_reads_only_the_image_of_a_slot(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.kind = BF_JOB_BACKUP;
	bench_run(&b);
	assert_int_equal(bf_archive_read(&a, b.file, &err), BF_OK);
	assert_int_equal(bf_archive_find(&a, "regions/slot0.bin")->len, 42920);
	assert_memory_equal(bf_archive_find(&a, "regions/slot0.bin")->data, b.pack.known[0].bytes,
			    42920);
	bf_archive_done(&a);
	bench_done(&b);
}

static void what_is_blank_by_its_hash_is_not_read(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;
	size_t with_hash;

	(void)state;
	bf_err_init(&err);
	for (unsigned hashes = 0; hashes < 2; hashes++) {
		bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", NULL);
		b.pack.caps |= hashes ? BF_CAP_HASH : 0;
		b.job.kind = BF_JOB_BACKUP;
		bench_run(&b);
		assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
		with_hash = b.pack.bytes_read;
		assert_int_equal(with_hash, hashes ? 11 * PACK_UNIT : PACK_SLOT);
		assert_int_equal(bf_archive_read(&a, b.file, &err), BF_OK);
		assert_int_equal(bf_archive_find(&a, "regions/app.bin")->len, 42920);
		assert_memory_equal(bf_archive_find(&a, "regions/app.bin")->data,
				    b.pack.known[0].bytes, 42920);
		bf_archive_done(&a);
		a = (struct bf_archive){ 0 };
		bench_done(&b);
	}
}

static void blank_units_between_others_are_in_the_archive(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", NULL);
	b.pack.caps |= BF_CAP_HASH;
	b.job.kind = BF_JOB_BACKUP;
	memset(b.flash.bytes + 5 * PACK_UNIT, 0xFF, PACK_UNIT);
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(bf_archive_read(&a, b.file, &err), BF_OK);
	assert_true(bf_archive_find(&a, "regions/app.bin")->len > 6 * PACK_UNIT);
	assert_memory_equal(bf_archive_find(&a, "regions/app.bin")->data, b.flash.bytes,
			    bf_archive_find(&a, "regions/app.bin")->len);
	bf_archive_done(&a);
	bench_done(&b);
}

static void what_a_profile_can_read_is_told(void **state)
{
	static const char *const access[] = { "write", "read, write" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(access); i++) {
		struct bench b;
		char path[128], text[200];
		struct bf_err err;
		bool noticed;

		bf_err_init(&err);
		bench_init(&b, PACK_SINGLE, NULL, NULL);
		snprintf(path, sizeof(path), "%s/p.ini", b.folder);
		snprintf(text, sizeof(text),
			 "[region app]\naddress = 0x1000\nsize = 0x1000\naccess = %s\n", access[i]);
		assert_int_equal(bf_file_create(path, text, strlen(text), &err), BF_OK);
		b.images[0] = path;
		b.job.kind = BF_JOB_VERIFY;
		b.job.iface = NULL;
		bench_run(&b);
		noticed = strstr(b.notices, "no region can be read") != NULL;
		if (noticed != (i == 0))
			fail_msg("%s: %s; %s", access[i], b.notices, b.out.err.cause);
		bench_done(&b);
	}
}

static void two_backups_of_one_pack_are_the_same_bytes(void **state)
{
	static const uint8_t key[BF_MAC_KEY_LEN] = { 42 };
	struct bench b[2];
	uint8_t *bytes[2];
	size_t len[2];
	char path[600];
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	for (size_t i = 0; i < 2; i++) {
		bench_init(&b[i], PACK_DUAL, "app-1.3.0.signed.bin", NULL);
		b[i].job.kind = BF_JOB_BACKUP;
		snprintf(path, sizeof(path), "%s/archive.key", b[i].folder);
		assert_int_equal(bf_file_create(path, key, sizeof(key), &err), 0);
		bench_run(&b[i]);
		assert_int_equal(bf_file_read(b[i].file, 1 << 24, &bytes[i], &len[i], &err), 0);
	}
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(bytes[0], bytes[1], len[0]);
	for (size_t i = 0; i < 2; i++) {
		free(bytes[i]);
		bench_done(&b[i]);
	}
}

static void backup_of_a_pack_that_cannot_be_read_is_unsupported(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINK, "app-1.3.0.signed.bin", NULL);
	b.job.kind = BF_JOB_BACKUP;
	bench_run(&b);
	assert_ended(&b, BF_E_UNSUPPORTED, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

/* A flashed pack with the backup of what it ran before; confirmed at the old counter. */
static void flashed(struct bench *b, enum pack_kind kind)
{
	bench_init(b, kind, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	bench_run(b);
	assert_ended(b, BF_OK, BF_STATE_NEW_PROVEN);
	b->flash.counter = 3;
	b->job.kind = BF_JOB_ROLLBACK;
}

static char *keep(const struct bench *b, char dst[512])
{
	memcpy(dst, b->file, 512);
	return dst;
}

static void restore_puts_the_saved_firmware_back(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	memset(b.flash.bytes + PACK_SLOT0, 0, 64); /* no shortcut by revert */
	b.job.restore_from = keep(&b, path);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_string_equal(b.out.sentence,
			    "Old firmware 1.3.0 is again running, proven by the pack.");
	assert_int_equal(b.flash.active, 0);
	bench_done(&b);
}

static void restore_needs_no_key_for_the_pack_it_came_from(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_SINGLE);
	b.job.keys = NULL;
	b.job.restore_from = keep(&b, path);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_ptr_equal(pack_in_slot(&b.pack, 0), &b.pack.known[0]);
	bench_done(&b);
}

static void restore_obeys_the_security_counter(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	b.flash.counter = 5;
	b.job.restore_from = keep(&b, path);
	bench_again(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD);
	bench_done(&b);
}

static void damage(const char *path, long at)
{
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	fputc('!', f);
	fclose(f);
}

static void damaged_backup_is_refused_before_the_interface_is_opened(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	damage(path, 20000);
	bench_again(&b);
	assert_ended(&b, BF_E_MISMATCH, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	bench_done(&b);
}

/* Takes members out of the archive, with their rows in the manifest: what somebody else would make. */
static void only_firmware(const char *path)
{
	struct bf_archive a = { 0 }, slim = { 0 };
	struct bf_err err;
	char *cut;

	bf_err_init(&err);
	assert_int_equal(bf_archive_read(&a, path, &err), BF_OK);
	cut = strstr((char *)a.members[0].data, ",{\"name\":");
	assert_non_null(cut);
	strcpy(cut, "]}\n");
	bf_archive_add(&slim, "manifest.json", a.members[0].data,
		       strlen((char *)a.members[0].data));
	a.members[0].data = NULL;
	for (size_t i = 1; i < a.n; i++) {
		if (strcmp(a.members[i].name, "regions/slot0.bin") != 0)
			continue;
		bf_archive_add(&slim, a.members[i].name, a.members[i].data, a.members[i].len);
		a.members[i].data = NULL;
	}
	unlink(path);
	assert_int_equal(bf_archive_write(&slim, path, 0, &err), BF_OK);
	bf_archive_done(&slim);
	bf_archive_done(&a);
}

static void forget_the_key(const struct bench *b)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/archive.key", b->folder);
	assert_int_equal(unlink(path), 0);
}

static void archive_of_somebody_else_is_refused_before_the_interface_is_opened(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	forget_the_key(&b);
	bench_again(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_string_equal(b.failed_check, "archive-origin");
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	assert_non_null(strstr(b.out.err.next, "--allow foreign-archive"));
	bench_done(&b);
}

static void archive_of_somebody_else_is_restored_by_leave(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_SINGLE);
	b.job.keys = NULL;
	b.job.restore_from = keep(&b, path);
	b.job.allow[BF_ALLOW_FOREIGN_ARCHIVE] = true;
	b.job.allow[BF_ALLOW_NO_HARDWARE] = b.job.allow[BF_ALLOW_DOWNGRADE] = true;
	forget_the_key(&b);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	/* What the pack held before is saved first. */
	assert_non_null(strstr(b.file, ".tar"));
	assert_string_not_equal(b.file, path);
	bench_done(&b);
}

static void leave_for_a_foreign_archive_waives_no_other_check(void **state)
{
	struct bench b;
	char path[512], record[600];
	struct bf_err err;
	uint8_t *text;
	size_t len;

	(void)state;
	bf_err_init(&err);
	flashed(&b, PACK_SINGLE);
	snprintf(record, sizeof(record), "%s/record", b.folder);
	b.job.record = record;
	b.job.keys = NULL;
	b.job.restore_from = keep(&b, path);
	b.job.allow[BF_ALLOW_FOREIGN_ARCHIVE] = true;
	forget_the_key(&b);
	bench_again(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "hardware");
	assert_string_equal(b.allowed_check, "archive-origin");
	b.job.allow[BF_ALLOW_NO_HARDWARE] = true;
	bench_again(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD);
	assert_string_equal(b.failed_check, "version");
	assert_int_equal(bf_file_read(record, 1 << 20, &text, &len, &err), BF_OK);
	assert_non_null(strstr((char *)text, "\"key\":\"unsigned\""));
	free(text);
	bench_done(&b);
}

static void manifest_that_was_changed_breaks_the_seal(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;
	char *serial, path[512];

	(void)state;
	bf_err_init(&err);
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	assert_int_equal(bf_archive_read(&a, path, &err), BF_OK);
	serial = strstr((char *)a.members[0].data, "SN-0042");
	assert_non_null(serial);
	serial[6] = '3';
	unlink(path);
	assert_int_equal(bf_archive_write(&a, path, 0, &err), BF_OK);
	bf_archive_done(&a);
	bench_again(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void firmware_that_a_trusted_key_signed_needs_no_seal(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	only_firmware(path);
	bench_again(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD); /* as any signed image of a lower version */
	b.job.allow[BF_ALLOW_DOWNGRADE] = true;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	bench_done(&b);
}

static void unsigned_firmware_of_somebody_else_is_refused(void **state)
{
	struct bench b;
	char path[512];

	(void)state;
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	b.job.keys = NULL;
	only_firmware(path);
	bench_again(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_INTERFACE], 0);
	bench_done(&b);
}

static void backup_of_another_pack_is_refused(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;
	char *serial, path[512];

	(void)state;
	bf_err_init(&err);
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	assert_int_equal(bf_archive_read(&a, path, &err), BF_OK);
	serial = strstr((char *)a.members[0].data, "SN-0042");
	assert_non_null(serial);
	serial[6] = '3';
	unlink(path);
	assert_int_equal(bf_archive_write(&a, path, 0, &err), BF_OK);
	bf_archive_done(&a);
	b.job.allow[BF_ALLOW_FOREIGN_ARCHIVE] = true;
	bench_again(&b);
	assert_ended(&b, BF_E_INCOMPATIBLE, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.cause, "SN-0043"));
	assert_int_equal(pack_calls(&b.pack, "erase"), 0);
	bench_done(&b);
}

static void tar_of_something_else_is_no_backup(void **state)
{
	struct bench b;
	struct bf_archive a = { 0 };
	struct bf_err err;
	char path[512];

	(void)state;
	bf_err_init(&err);
	flashed(&b, PACK_DUAL);
	b.job.restore_from = keep(&b, path);
	bf_archive_add(&a, "holiday.jpg", malloc(10), 10);
	memset(a.members[0].data, 0, 10);
	unlink(path);
	assert_int_equal(bf_archive_write(&a, path, 0, &err), BF_OK);
	bf_archive_done(&a);
	bench_again(&b);
	assert_ended(&b, BF_E_IMAGE, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void rollback_reverts_and_proves_the_previous_version(void **state)
{
	struct bench b;

	(void)state;
	flashed(&b, PACK_DUAL);
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_OLD);
	assert_int_equal(b.flash.active, 0);
	assert_false(b.flash.trial);
	assert_int_equal(pack_calls(&b.pack, "begin"), 0);
	bench_done(&b);
}

static void rollback_that_the_counter_forbids_is_foretold(void **state)
{
	struct bench b;

	(void)state;
	flashed(&b, PACK_DUAL);
	b.flash.counter = 5;
	bench_again(&b);
	assert_ended(&b, BF_E_ROLLBACK, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.cause, "1.3.0 can never run on this pack again"));
	assert_int_equal(pack_calls(&b.pack, "revert"), 0);
	bench_done(&b);
}

static void rollback_without_a_previous_firmware_is_unsupported(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", NULL);
	b.job.kind = BF_JOB_ROLLBACK;
	bench_run(&b);
	assert_ended(&b, BF_E_UNSUPPORTED, BF_STATE_OLD);
	assert_non_null(strstr(b.out.err.todo, "--from"));
	bench_done(&b);
}

static void verify_offline_looks_at_every_file(void **state)
{
	struct bench b;
	char second[256];

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.kind = BF_JOB_VERIFY;
	b.job.iface = NULL;
	b.images[1] = data_path(second, "app-1.4.0.signed.bin");
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_IMAGE], 2);
	b.images[0] = data_path(second, "bad-signature-bit.bin");
	b.images[1] = b.image_path;
	bench_again(&b);
	assert_ended(&b, BF_E_SIGNATURE, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_IMAGE], 1);
	bench_done(&b);
}

static void verify_against_the_pack_tells_same_from_different(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	b.job.kind = BF_JOB_VERIFY;
	bench_run(&b);
	assert_ended(&b, BF_E_MISMATCH, BF_STATE_UNTOUCHED);
	data_path(b.image_path, "app-1.3.0.signed.bin");
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void verify_reads_back_where_the_pack_tells_no_digest(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, PACK_SINGLE, "app-1.3.0.signed.bin", "app-1.3.0.signed.bin");
	b.job.kind = BF_JOB_VERIFY;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	b.flash.bytes[30000] ^= 1;
	bench_again(&b);
	assert_ended(&b, BF_E_MISMATCH, BF_STATE_UNTOUCHED);
	bench_done(&b);
}

static void probe_changes_nothing_and_shows_identity_and_conditions(void **state)
{
	struct bench b;
	static struct pack_flash before;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", NULL);
	before = b.flash;
	b.job.kind = BF_JOB_PROBE;
	bench_run(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_memory_equal(&before, &b.flash, sizeof(before));
	assert_int_equal(b.events[BF_EV_DEVICE], 1);
	assert_int_equal(b.events[BF_EV_MEASURE], 1);
	b.job.iface = NULL;
	bench_again(&b);
	assert_ended(&b, BF_OK, BF_STATE_UNTOUCHED);
	assert_int_equal(b.events[BF_EV_CANDIDATE], 1);
	bench_done(&b);
}

static void record_chains_and_shows_a_changed_line(void **state)
{
	struct bench b;
	struct bf_err err;
	char path[128];
	size_t lines = 0;

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	snprintf(path, sizeof(path), "%s/record.jsonl", b.folder);
	b.job.record = path;
	b.pack.measure.soc = 10;
	bench_run(&b);
	b.job.allow[BF_ALLOW_LOW_SOC] = true;
	bench_again(&b);
	bench_again(&b);
	assert_int_equal(bf_record_check(path, &lines, &err), BF_OK);
	assert_int_equal(lines, 3);
	damage(path, 40);
	assert_int_equal(bf_record_check(path, &lines, &err), BF_E_MISMATCH);
	bench_done(&b);
}

static void record_names_overrides_and_result(void **state)
{
	struct bench b;
	struct bf_err err;
	char path[128];
	uint8_t *text;
	size_t len;

	(void)state;
	bf_err_init(&err);
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
	snprintf(path, sizeof(path), "%s/record.jsonl", b.folder);
	b.job.record = path;
	b.pack.measure.soc = 10;
	b.job.allow[BF_ALLOW_LOW_SOC] = b.job.allow[BF_ALLOW_HOT] = true;
	bench_run(&b);
	assert_int_equal(bf_file_read(path, 1 << 20, &text, &len, &err), BF_OK);
	assert_non_null(strstr((char *)text, "\"overrides\":[\"low-soc\"]"));
	assert_non_null(strstr((char *)text, "\"result\":\"ok\""));
	assert_non_null(strstr((char *)text, "\"serial\":\"SN-0042\""));
	assert_non_null(strstr((char *)text, "\"user\":\"technician\""));
	free(text);
	bench_done(&b);
}

static void a_byte_goes_bad(struct pack *pack, const char *op)
{
	if (strcmp(op, "hash") == 0)
		pack->flash->bytes[PACK_SLOT1 + 30000] ^= 1;
}

static void the_digest_of_memory_shows_what_was_not_written_well(void **state)
{
	(void)state;
	for (int bad = 0; bad < 2; bad++) {
		struct bench b;

		bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", "app-1.5.0.signed.bin");
		b.pack.caps &= ~(unsigned)BF_CAP_CHECK;
		b.pack.caps |= BF_CAP_HASH;
		b.pack.at_op = bad ? a_byte_goes_bad : NULL;
		bench_run(&b);
		assert_true(pack_calls(&b.pack, "hash") > 0);
		if (bad)
			assert_ended(&b, BF_E_MISMATCH, BF_STATE_OLD);
		else
			assert_ended(&b, BF_OK, BF_STATE_NEW_PROVEN);
		bench_done(&b);
	}
}

static void the_first_profile_that_is_broken_is_the_cause(void **state)
{
	static const char *const texts[] = { "[pack]\nname = good\n", "[pack]\nfirst = 1\n",
					     "[pack]\nsecond = 2\n" };
	char paths[BF_COUNT(texts)][96];
	const char *files[BF_COUNT(texts) + 1] = { 0 };
	struct bench b;

	(void)state;
	bench_init(&b, PACK_DUAL, "app-1.3.0.signed.bin", NULL);
	for (size_t i = 0; i < BF_COUNT(texts); i++) {
		FILE *f;

		snprintf(paths[i], sizeof(paths[i]), "%s/%zu.ini", b.folder, i);
		f = fopen(paths[i], "w");
		assert_non_null(f);
		fputs(texts[i], f);
		fclose(f);
		files[i] = paths[i];
	}
	b.job.kind = BF_JOB_VERIFY;
	b.job.iface = NULL;
	b.job.images = files;
	bench_run(&b);
	assert_ended(&b, BF_E_IMAGE, BF_STATE_UNTOUCHED);
	assert_non_null(strstr(b.out.err.cause, "first"));
	assert_non_null(strstr(b.notices, "second"));
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backup_is_a_tar_that_tar_lists_with_the_manifest_first),
		cmocka_unit_test(backup_reads_only_the_image_of_a_slot),
		cmocka_unit_test(what_is_blank_by_its_hash_is_not_read),
		cmocka_unit_test(blank_units_between_others_are_in_the_archive),
		cmocka_unit_test(what_a_profile_can_read_is_told),
		cmocka_unit_test(two_backups_of_one_pack_are_the_same_bytes),
		cmocka_unit_test(backup_of_a_pack_that_cannot_be_read_is_unsupported),
		cmocka_unit_test(restore_puts_the_saved_firmware_back),
		cmocka_unit_test(restore_needs_no_key_for_the_pack_it_came_from),
		cmocka_unit_test(restore_obeys_the_security_counter),
		cmocka_unit_test(
			archive_of_somebody_else_is_refused_before_the_interface_is_opened),
		cmocka_unit_test(archive_of_somebody_else_is_restored_by_leave),
		cmocka_unit_test(leave_for_a_foreign_archive_waives_no_other_check),
		cmocka_unit_test(manifest_that_was_changed_breaks_the_seal),
		cmocka_unit_test(firmware_that_a_trusted_key_signed_needs_no_seal),
		cmocka_unit_test(unsigned_firmware_of_somebody_else_is_refused),
		cmocka_unit_test(damaged_backup_is_refused_before_the_interface_is_opened),
		cmocka_unit_test(backup_of_another_pack_is_refused),
		cmocka_unit_test(tar_of_something_else_is_no_backup),
		cmocka_unit_test(rollback_reverts_and_proves_the_previous_version),
		cmocka_unit_test(rollback_that_the_counter_forbids_is_foretold),
		cmocka_unit_test(rollback_without_a_previous_firmware_is_unsupported),
		cmocka_unit_test(verify_offline_looks_at_every_file),
		cmocka_unit_test(verify_against_the_pack_tells_same_from_different),
		cmocka_unit_test(verify_reads_back_where_the_pack_tells_no_digest),
		cmocka_unit_test(probe_changes_nothing_and_shows_identity_and_conditions),
		cmocka_unit_test(record_chains_and_shows_a_changed_line),
		cmocka_unit_test(record_names_overrides_and_result),
		cmocka_unit_test(the_digest_of_memory_shows_what_was_not_written_well),
		cmocka_unit_test(the_first_profile_that_is_broken_is_the_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
