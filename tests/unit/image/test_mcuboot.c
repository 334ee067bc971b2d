/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <dirent.h>

#include "bmsflash/bytes.h"
#include "bmsflash/json.h"

struct fixture {
	struct bf_keyring *ring;
	uint8_t *good; /* app-1.5.0.signed.bin */
	size_t len;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->ring = ring_of("mcuboot/release.pub.pem");
	f->good = data_file("mcuboot/app-1.5.0.signed.bin", &f->len);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bf_keyring_free(f->ring);
	free(f->good);
	free(f);
	return 0;
}

/* ---- the files that imgtool made, and damaged copies of them ---- */

static enum bf_rc verify_file(const char *name, const struct bf_keyring *ring,
			      struct bf_image **ret, struct bf_err *err)
{
	const struct bf_claim_opts opts = { 0 };
	struct bf_claim *claim = NULL;
	char path[512], rel[256];
	enum bf_rc rc;

	snprintf(rel, sizeof(rel), "mcuboot/%s", name);
	rc = bf_claim_load(data_path(rel, path), &opts, &claim, err);
	return rc ? rc : bf_image_verify(claim, ring, ret, err);
}

static void check_one(const struct fixture *f, const char *name, const struct bf_json *want)
{
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err = { 0 };
	enum bf_rc rc = verify_file(name, f->ring, &image, &err);
	const char *version = bf_json_str(want, "version");
	int64_t counter = bf_json_int(want, "security_counter", -1);
	const struct bf_meta *m;
	char text[BF_VERSION_TEXT];

	if (strcmp(bf_rc_info(rc)->exit_name, bf_json_str(want, "expect")) != 0)
		fail_msg("%s: %s (%s), expected %s", name, bf_rc_info(rc)->exit_name, err.cause,
			 bf_json_str(want, "expect"));
	if (rc) {
		assert_true(strlen(err.cause) > 20);
		assert_non_null(strstr(err.cause, name));
		return;
	}
	m = bf_image_meta(image);
	assert_true(m->mcuboot && m->has_version);
	assert_string_equal(bf_version_text(&m->version, text), version);
	assert_int_equal(m->has_counter, counter >= 0);
	if (counter >= 0)
		assert_int_equal(m->counter, counter);
	assert_string_equal(bf_image_key_name(image), "release.pub.pem");
}

static int is_image(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".bin") == 0;
}

static void every_vector_gets_its_verdict(void **state)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	BF_AUTO(bf_json) *expect = NULL;
	struct dirent **found = NULL;
	struct bf_err err;
	char path[512];
	size_t len;
	int n;

	text = data_file("mcuboot/expect.json", &len);
	assert_int_equal(bf_json_parse((const char *)text, len, &expect, &err), BF_OK);
	n = scandir(data_path("mcuboot", path), &found, is_image, alphasort);
	assert_int_equal(n, 33); /* as many as expect.json has */
	for (int i = 0; i < n; i++) {
		const struct bf_json *want = bf_json_get(expect, found[i]->d_name);

		if (!want)
			fail_msg("expect.json says nothing about %s", found[i]->d_name);
		check_one(*state, found[i]->d_name, want);
		free(found[i]);
	}
	free(found);
}

static void identifiers_and_dependency_are_read(void **state)
{
	const struct fixture *f = *state;
	BF_AUTO(bf_image) *image = NULL;
	uint8_t vid[16], cid[16];
	const struct bf_meta *m;
	struct bf_err err;

	assert_int_equal(verify_file("app-1.5.0.custom-tlv.bin", f->ring, &image, &err), BF_OK);
	m = bf_image_meta(image);
	bf_uuid_vendor("bms.example", vid);
	bf_uuid_class(vid, "BMS-16S-R3", cid);
	assert_true(m->has_vid && m->has_cid);
	assert_memory_equal(m->vid, vid, 16);
	assert_memory_equal(m->cid, cid, 16);
	assert_int_equal(m->n_deps, 1);
	assert_int_equal(m->deps[0].image, 1);
	assert_int_equal(m->deps[0].min.minor, 2);
	assert_int_equal(m->deps[0].min.revision, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_gets_its_verdict),
		cmocka_unit_test(identifiers_and_dependency_are_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
