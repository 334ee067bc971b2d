/* SPDX-License-Identifier: MIT */
/* Archives: what opens, and which of its bytes may be written. */
#include "../backup_of.h"
#include "made.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/file.h"

static uint8_t bytes[64] = { 1, 2, 3 };

static char *place(char dst[64])
{
	strcpy(dst, "/tmp/bf-backup-XXXXXX");
	assert_non_null(mkdtemp(dst));
	return dst;
}

static void leave(const char *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	assert_int_equal(system(command), 0);
}

/* Written as a file and opened again. folder: sealed with a key in there; NULL: not sealed. */
static enum bf_rc reopen(const struct made_row *rows, size_t n, const char *folder,
			 struct bf_backup **ret, struct bf_err *err)
{
	struct bf_archive a = { 0 };
	char where[64], path[128];
	enum bf_rc rc;

	place(where);
	snprintf(path, sizeof(path), "%s/p.tar", where);
	made_archive(&a, "SN-0042", rows, n);
	if (folder)
		assert_int_equal(bf_seal_add(folder, &a, err), BF_OK);
	assert_int_equal(bf_archive_write(&a, path, 0, err), BF_OK);
	bf_archive_done(&a);
	rc = bf_backup_open(path, folder, ret, err);
	leave(where);
	return rc;
}

static void a_region_goes_back_to_the_address_and_setting_in_its_manifest(void **state)
{
	const struct made_row row = {
		"config", "config", NULL, bytes, 64, 0x1000, 2, false, false
	};
	BF_AUTO(bf_backup) *b = made_backup(&row, 1);
	BF_AUTO(bf_image) *image = NULL;
	const struct bf_segment *seg;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err), BF_OK);
	assert_int_equal(bf_image_segments(image, &seg), 1);
	assert_int_equal(seg->addr, 0x1000);
	assert_int_equal(seg->alt, 2);
	assert_int_equal(seg->len, 64);
	assert_memory_equal(seg->data, bytes, 64);
	assert_false(bf_image_meta(image)->mcuboot);
	assert_string_equal(bf_image_path(image), "p.tar:config");
	assert_string_equal(bf_image_key_name(image), "backup of this pack");
}

/* With what lies behind its image: that, too, was in the pack. */
static void a_slot_of_this_pack_comes_back_whole_and_knows_its_image(void **state)
{
	struct made m = { 0 };
	const struct made_row row = { "slot0", "slot", NULL, m.bytes, sizeof(m.bytes),
				      0x8000,  0,      true, false };
	BF_AUTO(bf_backup) *b = NULL;
	BF_AUTO(bf_image) *image = NULL;
	const struct bf_segment *seg;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	make(&m);
	memset(m.bytes + m.len, 0xFF, sizeof(m.bytes) - m.len);
	b = made_backup(&row, 1);
	assert_int_equal(bf_image_from_backup(b, bf_backup_firmware(b), NULL, &image, &err), BF_OK);
	assert_true(bf_image_meta(image)->mcuboot);
	assert_int_equal(bf_image_meta(image)->version.minor, 5);
	assert_int_equal(bf_image_segments(image, &seg), 1);
	assert_int_equal(seg->addr, 0x8000);
	assert_int_equal(seg->len, sizeof(m.bytes));
}

static void a_damaged_region_is_refused(void **state)
{
	const struct made_row row = { "app", "app", NULL, bytes, 64, 0, 0, true, true };
	struct bf_backup *b = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(reopen(&row, 1, NULL, &b, &err), BF_E_MISMATCH);
	assert_non_null(strstr(err.cause, "region 'app' in the backup"));
}

static void bytes_without_seal_and_signature_become_no_image(void **state)
{
	const struct made_row row = { "app", "app", NULL, bytes, 64, 0, 0, true, false };
	BF_AUTO(bf_backup) *b = NULL;
	struct bf_image *image = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(reopen(&row, 1, NULL, &b, &err), BF_OK);
	assert_false(bf_backup_trusted(b));
	assert_int_equal(bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err),
			 BF_E_SIGNATURE);
	assert_null(image);
}

static void a_sealed_archive_is_trusted_where_its_key_is(void **state)
{
	const struct made_row row = { "app", "app", NULL, bytes, 64, 0, 0, true, false };
	BF_AUTO(bf_backup) *b = NULL;
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err;
	char folder[64];

	(void)state;
	bf_err_init(&err);
	place(folder);
	assert_int_equal(reopen(&row, 1, folder, &b, &err), BF_OK);
	assert_true(bf_backup_trusted(b));
	assert_int_equal(bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err), BF_OK);
	leave(folder);
}

static void what_the_user_accepts_is_unsigned_and_proves_no_hardware(void **state)
{
	struct made m = { .prot = { { 0x50, NULL, 4 } } };
	struct made_row row = { "app", "app", NULL, m.bytes, 0, 0, 0, true, false };
	BF_AUTO(bf_backup) *b = NULL;
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	make(&m);
	row.len = m.len;
	assert_int_equal(reopen(&row, 1, NULL, &b, &err), BF_OK);
	bf_backup_accept(b);
	assert_int_equal(bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err), BF_OK);
	assert_string_equal(bf_image_key_name(image), "unsigned");
	assert_true(bf_image_meta(image)->has_version); /* its digest is right */
	assert_false(bf_image_meta(image)->has_counter);
	assert_false(bf_image_meta(image)->has_vid || bf_image_meta(image)->has_cid);
}

static void a_digest_that_is_not_of_the_bytes_is_not_believed(void **state)
{
	struct made m = { 0 };
	struct made_row row = { "app", "app", NULL, m.bytes, 0, 0, 0, true, false };
	BF_AUTO(bf_backup) *b = NULL;
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	make(&m);
	m.bytes[64] ^= 1;
	row.len = m.len;
	assert_int_equal(reopen(&row, 1, NULL, &b, &err), BF_OK);
	bf_backup_accept(b);
	assert_int_equal(bf_image_from_backup(b, bf_backup_row(b, 0), NULL, &image, &err), BF_OK);
	assert_false(bf_image_meta(image)->mcuboot);
	assert_false(bf_image_meta(image)->has_version);
}

static void configuration_is_never_firmware(void **state)
{
	const struct made_row row = { "cfg", "config", NULL, bytes, 64, 0, 0, true, false };
	struct bf_backup *b = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(reopen(&row, 1, NULL, &b, &err), BF_E_IMAGE);
}

static void a_member_has_one_row(void **state)
{
	const struct made_row rows[] = {
		{ "a", "config", "regions/x.bin", bytes, 64, 0, 0, false, false },
		{ "b", "config", "regions/x.bin", bytes, 64, 0, 0, false, false },
	};
	struct bf_backup *b = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	assert_int_equal(reopen(rows, 2, NULL, &b, &err), BF_E_IMAGE);
}

static void a_sparse_member_is_refused(void **state)
{
	struct bf_archive a = { 0 };
	struct bf_err err;
	char folder[64], path[96], command[400];

	(void)state;
	bf_err_init(&err);
	place(folder);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%u.tar", folder, i);
		snprintf(command, sizeof(command),
			 "cd %s && truncate -s 8M a && printf x >>a && tar --format=%s -S -cf %s a",
			 folder, i ? "pax" : "gnu", path);
		assert_int_equal(system(command), 0);
		assert_int_equal(bf_archive_read(&a, path, &err), BF_E_IMAGE);
		assert_int_equal(a.n, 0);
	}
	leave(folder);
}

static void no_archive_replaces_a_file(void **state)
{
	struct bf_archive a = { 0 };
	struct bf_err err;
	struct stat st;
	char folder[64], path[96];

	(void)state;
	bf_err_init(&err);
	place(folder);
	snprintf(path, sizeof(path), "%s/p.tar", folder);
	bf_archive_add(&a, "x", calloc(1, 1), 1);
	assert_int_equal(bf_file_replace(path, "mine", 4, &err), BF_OK);
	assert_int_equal(bf_archive_write(&a, path, 0, &err), BF_E_FILE);
	assert_int_equal(err.os, EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4);
	bf_archive_done(&a);
	leave(folder);
}

static void an_archive_of_more_members_than_a_backup_has_is_refused(void **state)
{
	char folder[64], path[128], command[512];
	struct bf_backup *b = NULL;
	struct bf_err err;

	(void)state;
	place(folder);
	snprintf(path, sizeof(path), "%s/p.tar", folder);
	snprintf(command, sizeof(command),
		 "cd %s && for i in $(seq 200); do echo x >m$i; done && tar --format=ustar -cf %s "
		 "m*",
		 folder, path);
	assert_int_equal(system(command), 0);
	bf_err_init(&err);
	assert_int_equal(bf_backup_open(path, NULL, &b, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "is not a backup of this program"));
	leave(folder);
}

static void an_empty_region_is_a_member_too(void **state)
{
	const struct made_row row = { "config", "config", NULL, bytes, 0, 0x1000, 0, false, false };
	struct bf_backup *b = NULL;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	if (reopen(&row, 1, NULL, &b, &err))
		fail_msg("%s", err.cause);
	bf_backup_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_region_goes_back_to_the_address_and_setting_in_its_manifest),
		cmocka_unit_test(a_slot_of_this_pack_comes_back_whole_and_knows_its_image),
		cmocka_unit_test(a_damaged_region_is_refused),
		cmocka_unit_test(bytes_without_seal_and_signature_become_no_image),
		cmocka_unit_test(a_sealed_archive_is_trusted_where_its_key_is),
		cmocka_unit_test(what_the_user_accepts_is_unsigned_and_proves_no_hardware),
		cmocka_unit_test(a_digest_that_is_not_of_the_bytes_is_not_believed),
		cmocka_unit_test(configuration_is_never_firmware),
		cmocka_unit_test(a_member_has_one_row),
		cmocka_unit_test(a_sparse_member_is_refused),
		cmocka_unit_test(no_archive_replaces_a_file),
		cmocka_unit_test(an_archive_of_more_members_than_a_backup_has_is_refused),
		cmocka_unit_test(an_empty_region_is_a_member_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
