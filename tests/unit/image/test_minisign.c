/* SPDX-License-Identifier: MIT */
/* Signatures that the minisign program made (tests/data), and one-byte changes of all they cover. */
#include "made.h"

#include "image/image_priv.h"

#define BASE 0x08010200

static const char *const firmware[] = {
	"app-1.4.0.bin", "app-1.4.0.elf", "app-1.4.0.hex",  "app-1.4.0.srec", "app-1.5.0.bin",
	"app-1.5.0.elf", "app-1.5.0.hex", "app-1.5.0.srec", "gw-2.0.0.bin",   "gw-2.1.0.bin",
};

struct pair { /* a file and its signature, to be changed */
	uint8_t *file, *sig;
	size_t len, sig_len;
	struct bf_keyring *ring;
};

static void pair_load(struct pair *p, const char *file, const char *sig)
{
	p->file = data_file(file, &p->len);
	p->sig = data_file(sig, &p->sig_len);
	p->ring = ring_of("minisign/release.pub");
}

static void pair_done(struct pair *p)
{
	free(p->file);
	free(p->sig);
	bf_keyring_free(p->ring);
}

static enum bf_rc pair_verify(const struct pair *p, struct bf_image **ret, struct bf_err *err)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = BASE };
	struct bf_claim *claim = NULL;
	enum bf_rc rc =
		bf_claim_parse(p->file, p->len, "app.bin", p->sig, p->sig_len, &opts, &claim, err);

	return rc ? rc : bf_image_verify(claim, p->ring, ret, err);
}

static void pair_refused(const struct pair *p, enum bf_rc want, const char *words)
{
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };
	enum bf_rc rc = pair_verify(p, &image, &err);

	if (rc != want)
		fail_msg("rc %d, wanted %d: %s", (int)rc, (int)want, err.cause);
	assert_null(image);
	if (!strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
}

static void load_and_verify(const char *name, const char *sig, const struct bf_keyring *ring)
{
	const bool raw = strstr(name, ".bin");
	struct bf_claim_opts opts = { .has_addr = raw, .addr = BASE, .sig_path = sig };
	BF_AUTO(bf_image) *image = NULL;
	struct bf_claim *claim = NULL;
	const struct bf_meta *m;
	struct bf_err err = { 0 };
	char rel[128], path[512], version[BF_VERSION_TEXT];

	snprintf(rel, sizeof(rel), "firmware/%s", name);
	if (bf_claim_load(data_path(rel, path), &opts, &claim, &err) ||
	    bf_image_verify(claim, ring, &image, &err))
		fail_msg("%s: %s", name, err.cause);
	m = bf_image_meta(image);
	assert_true(m->has_version && m->has_counter && m->has_hw);
	assert_string_equal(m->hw, "BMS-16S-R3");
	bf_version_text(&m->version, version);
	assert_true(strncmp(strchr(name, '-') + 1, version, 5) == 0);
	assert_int_equal(m->counter, name[0] == 'g' ? 5 + m->version.minor + 2 : m->version.minor);
	assert_string_equal(bf_image_key_name(image), "release.pub");
}

static void every_file_verifies_in_both_forms(void **state)
{
	BF_AUTO(bf_keyring) *ring = ring_of("minisign/release.pub");

	(void)state;
	for (size_t i = 0; i < BF_COUNT(firmware); i++) {
		char rel[128], path[512];

		load_and_verify(firmware[i], NULL, ring);
		snprintf(rel, sizeof(rel), "minisign/%s.legacy.minisig", firmware[i]);
		load_and_verify(firmware[i], data_path(rel, path), ring);
	}
}

static void the_two_forms_are_told_apart(void **state)
{
	struct bf_minisig sig;
	struct bf_err err;
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	assert_int_equal(bf_minisig_parse((char *)p.sig, p.sig_len, "s", &sig, &err), BF_OK);
	assert_true(sig.prehashed);
	pair_done(&p);
	pair_load(&p, "firmware/app-1.5.0.bin", "minisign/app-1.5.0.bin.legacy.minisig");
	assert_int_equal(bf_minisig_parse((char *)p.sig, p.sig_len, "s", &sig, &err), BF_OK);
	assert_false(sig.prehashed);
	pair_done(&p);
}

static void every_changed_byte_of_the_signature_file_is_a_bad_signature(void **state)
{
	struct pair p;
	size_t first_line;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	p.len = 4096; /* verdicts come from the signature file alone, so a short file will do */
	pair_refused(&p, BF_E_SIGNATURE, "is not what key release.pub signed");
	pair_done(&p);
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	first_line = (size_t)((uint8_t *)memchr(p.sig, '\n', p.sig_len) - p.sig);
	for (size_t i = first_line; i < p.sig_len; i++) {
		p.sig[i] ^= 1;
		pair_refused(&p, BF_E_SIGNATURE, "");
		p.sig[i] ^= 1;
	}
	pair_done(&p);
}

static void changes_of_file_and_comment_name_what_was_changed(void **state)
{
	static const char *const sigs[] = { "firmware/app-1.5.0.bin.minisig",
					    "minisign/app-1.5.0.bin.legacy.minisig" };
	struct pair p;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(sigs); i++) {
		pair_load(&p, "firmware/app-1.5.0.bin", sigs[i]);
		for (size_t at = 0; at < p.len; at += p.len / 7) {
			p.file[at] ^= 0x80;
			pair_refused(&p, BF_E_SIGNATURE, "is not what key release.pub signed");
			p.file[at] ^= 0x80;
		}
		*(char *)memmem(p.sig, p.sig_len, "1.5.0", 5) = '9';
		pair_refused(&p, BF_E_SIGNATURE, "trusted comment was changed");
		pair_done(&p);
	}
}

static void changed_text_formats_never_pass(void **state)
{
	static const char *const names[] = { "app-1.5.0.hex", "app-1.5.0.srec", "app-1.5.0.elf" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(names); i++) {
		const struct bf_claim_opts opts = { 0 };
		char rel[128], sig[160];
		struct pair p;

		snprintf(rel, sizeof(rel), "firmware/%s", names[i]);
		snprintf(sig, sizeof(sig), "%s.minisig", rel);
		pair_load(&p, rel, sig);
		for (size_t at = 0; at < p.len; at += p.len / 23) {
			struct bf_claim *claim = NULL;
			struct bf_image *image = NULL;
			struct bf_err err = { 0 };
			enum bf_rc rc;

			p.file[at] ^= 1;
			rc = bf_claim_parse(p.file, p.len, names[i], p.sig, p.sig_len, &opts,
					    &claim, &err);
			if (!rc)
				rc = bf_image_verify(claim, p.ring, &image, &err);
			assert_true(rc == BF_E_IMAGE || rc == BF_E_SIGNATURE);
			p.file[at] ^= 1;
		}
		pair_done(&p);
	}
}

static void the_untrusted_comment_is_never_used(void **state)
{
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err = { 0 };
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	memcpy(p.sig + strlen("untrusted comment: "), "version=9.9.9 ", 14);
	assert_int_equal(pair_verify(&p, &image, &err), BF_OK);
	assert_int_equal(bf_image_meta(image)->version.major, 1);
	pair_done(&p);
}

static void another_key_is_named_beside_the_trusted_ones(void **state)
{
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "minisign/app-1.5.0.bin.otherkey.minisig");
	pair_refused(&p, BF_E_SIGNATURE,
		     "55002BFC664800EA, which this computer does not trust; trusted: release.pub "
		     "(B60DA8CC0C3352BA)");
	pair_done(&p);
}

static void a_pem_key_does_not_vouch_for_minisign(void **state)
{
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	bf_keyring_free(p.ring);
	p.ring = ring_of("mcuboot/release.pub.pem");
	pair_refused(&p, BF_E_SIGNATURE, "trusted: none of this kind");
	pair_done(&p);
}

/* A PEM key has no identifier; a signature that gives none must not find it by that. */
static void a_signature_without_identifier_finds_no_key(void **state)
{
	BF_AUTO(bf_keyring) *ring = made_ring();
	const struct bf_claim_opts opts = { .has_addr = true };
	static const uint8_t file[] = "firmware";
	uint8_t raw[75] = "Ed", global[66] = { 0 };
	char sig[128], global_sig[128], text[512];
	struct bf_claim *claim = NULL;
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };

	(void)state;
	bf_ed25519_sign(raw + 10, file, 8, (const uint8_t *)MADE_SEED);
	bf_ed25519_sign(global, raw + 10, 64, (const uint8_t *)MADE_SEED);
	made_base64(sig, raw, 75)[99] = '=';
	made_base64(global_sig, global, 66)[86] = '=';
	global_sig[87] = '=';
	snprintf(text, sizeof(text), "untrusted comment: \n%s\ntrusted comment: \n%s\n", sig,
		 global_sig);
	assert_int_equal(bf_claim_parse(file, 8, "a.bin", (uint8_t *)text, strlen(text), &opts,
					&claim, &err),
			 BF_OK);
	assert_int_equal(bf_image_verify(claim, ring, &image, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(
		err.cause, "minisign key 0000000000000000, which this computer does not trust"));
}

static void a_default_comment_says_nothing_about_the_firmware(void **state)
{
	BF_AUTO(bf_image) *image = NULL;
	struct bf_err err = { 0 };
	const struct bf_meta *m;
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "minisign/app-1.5.0.bin.plain.minisig");
	assert_int_equal(pair_verify(&p, &image, &err), BF_OK);
	m = bf_image_meta(image);
	assert_false(m->has_version || m->has_counter || m->has_hw);
	pair_done(&p);
}

static void signed_nonsense_in_the_comment_is_malformed(void **state)
{
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "minisign/app-1.5.0.bin.twice.minisig");
	pair_refused(&p, BF_E_IMAGE, "trusted comment has 'version=' twice");
	pair_done(&p);
	pair_load(&p, "firmware/app-1.5.0.bin", "minisign/app-1.5.0.bin.badversion.minisig");
	pair_refused(&p, BF_E_IMAGE, "'version=one' must be like 1.5.0");
	pair_done(&p);
}

static enum bf_rc comment(const char *text, struct bf_meta *meta, struct bf_err *err)
{
	const struct bf_minisig sig = { .comment = text, .comment_len = strlen(text) };

	return bf_minisig_comment(&sig, "s", meta, err);
}

static void comment_words_are_strict(void **state)
{
	static const char *const bad[] = { "version=",
					   "version=1.5",
					   "security-counter=",
					   "security-counter=-1",
					   "security-counter=0x10",
					   "security-counter=4294967296",
					   "hw=",
					   "hw=12345678901234567890123456789012345678901234567890",
					   "hw=A hw=A",
					   "hw=\xC3\xA4",
					   "a security-counter=1 b security-counter=1" };
	struct bf_meta meta = { 0 };
	struct bf_err err;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(bad); i++)
		if (comment(bad[i], &meta, &err) != BF_E_IMAGE)
			fail_msg("taken: %s", bad[i]);
	assert_false(meta.has_version || meta.has_counter || meta.has_hw);
	assert_int_equal(comment("  x version=1.2.3+4\tsecurity-counter=4294967295 hw=A Version=9 "
				 "myhw=B ",
				 &meta, &err),
			 BF_OK);
	assert_int_equal(meta.version.build, 4);
	assert_int_equal(meta.counter, UINT32_MAX);
	assert_string_equal(meta.hw, "A");
}

/* Made with the test key: base64 of `head`, identifier "12345678" and a signature of these bytes, and its comment's. */
static void made_minisig(char dst[512], const char *head, const uint8_t *p, size_t n,
			 const char *words)
{
	uint8_t raw[75] = { 0 }, global[66] = { 0 }, both[256];
	char sig[128], global_sig[128];

	memcpy(raw, head, 2);
	memcpy(raw + 2, "12345678", 8);
	bf_ed25519_sign(raw + 10, p, n, (const uint8_t *)MADE_SEED);
	memcpy(both, raw + 10, 64);
	memcpy(both + 64, words, strlen(words));
	bf_ed25519_sign(global, both, 64 + strlen(words), (const uint8_t *)MADE_SEED);
	made_base64(sig, raw, 75)[99] = '=';
	made_base64(global_sig, global, 66)[86] = '=';
	global_sig[87] = '=';
	snprintf(dst, 512, "untrusted comment: x\n%s\ntrusted comment: %s\n%s\n", sig, words,
		 global_sig);
}

static enum bf_rc made_pair(const uint8_t *p, size_t n, const char *sig, struct bf_image **ret,
			    struct bf_err *err)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = BASE };
	BF_AUTO(bf_keyring) *ring = made_minisign_ring();
	struct bf_claim *claim = NULL;
	enum bf_rc rc = bf_claim_parse(p, n, "a.bin", (const uint8_t *)sig, strlen(sig), &opts,
				       &claim, err);

	return rc ? rc : bf_image_verify(claim, ring, ret, err);
}

/* "ED" signs the hash of a file: with "Ed" in its place the same signature would fit the hash as a file. */
static void the_signature_of_a_hash_is_no_signature_of_a_file(void **state)
{
	static const uint8_t firmware_bytes[] = "firmware that was signed";
	BF_AUTO(bf_image) *image = NULL;
	struct bf_image *none = NULL;
	struct bf_err err = { 0 };
	uint8_t hash[65] = { 0 };
	char sig[512];

	(void)state;
	bf_blake2b512(hash, firmware_bytes, sizeof(firmware_bytes));
	made_minisig(sig, "ED", hash, 64, "version=1.5.0");
	assert_int_equal(made_pair(firmware_bytes, sizeof(firmware_bytes), sig, &image, &err),
			 BF_OK);
	assert_false(bf_image_meta(image)->legacy);
	made_minisig(sig, "Ed", hash, 64, "version=1.5.0");
	assert_int_equal(made_pair(hash, 64, sig, &none, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "another file's hash"));
	bf_image_free(image);
	image = NULL;
	made_minisig(sig, "Ed", hash, 65, "version=1.5.0");
	assert_int_equal(made_pair(hash, 65, sig, &image, &err), BF_OK);
	assert_true(bf_image_meta(image)->legacy);
}

static void words_in_a_file_name_say_nothing_about_the_firmware(void **state)
{
	static const char *const made_up[] = {
		"timestamp:1795745720\tfile:fw version=9.9.9 hw=X .bin\thashed",
		"timestamp:1795745720\tfile:fw version=9.9.9 .bin",
		"timestamp:17 file:fw version=9.9.9 .bin\tprehashed"
	};
	static const char *const meant[] = { "timestamp:17 version=1.5.0",
					     "version=1.5.0 file:app.bin",
					     "version=1.5.0 timestamp:17 file:x" };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(made_up); i++) {
		struct bf_meta meta = { 0 };
		struct bf_err err;

		assert_int_equal(comment(made_up[i], &meta, &err), BF_OK);
		assert_false(meta.has_version || meta.has_hw);
	}
	for (size_t i = 0; i < BF_COUNT(meant); i++) {
		struct bf_meta meta = { 0 };
		struct bf_err err;

		assert_int_equal(comment(meant[i], &meta, &err), BF_OK);
		assert_true(meta.has_version);
	}
}

static void what_editors_add_around_a_signature_does_no_harm(void **state)
{
	static const char *const tails[] = { "\n", "\r\n\r\n", " \t\n", "" };
	struct bf_minisig sig;
	struct bf_err err = { 0 };
	char text[512], with[600];

	(void)state;
	made_minisig(text, "ED", (const uint8_t *)"x", 1, "version=1.5.0");
	for (size_t i = 0; i < BF_COUNT(tails); i++) {
		snprintf(with, sizeof(with), "\xEF\xBB\xBF%s%s", text, tails[i]);
		if (bf_minisig_parse(with, strlen(with), "s", &sig, &err))
			fail_msg("%s", err.cause);
		assert_int_equal(sig.comment_len, strlen("version=1.5.0"));
	}
	snprintf(with, sizeof(with), "%s\nmore", text);
	assert_int_equal(bf_minisig_parse(with, strlen(with), "s", &sig, &err), BF_E_SIGNATURE);
}

static void a_signature_that_cannot_be_read_does_not_blame_the_keys(void **state)
{
	struct bf_minisig sig;
	struct bf_err err = { 0 };

	(void)state;
	assert_int_equal(bf_minisig_parse("nonsense", 8, "a b.minisig", &sig, &err),
			 BF_E_SIGNATURE);
	assert_int_equal(err.n_likely, 1);
	assert_null(strstr(err.likely[0], "trust"));
	assert_non_null(strstr(err.next, "cat -A 'a b.minisig' # "));
}

static void the_command_that_signs_survives_any_name(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true };
	BF_AUTO(bf_keyring) *ring = made_minisign_ring();
	struct bf_claim *claim = NULL;
	struct bf_image *image = NULL;
	struct bf_err err = { 0 };

	(void)state;
	assert_int_equal(bf_claim_parse((const uint8_t *)"\1\2", 2, "fw;touch PWNED;.bin", NULL, 0,
					&opts, &claim, &err),
			 BF_OK);
	assert_int_equal(bf_image_verify(claim, ring, &image, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.next, "minisign -Sm 'fw;touch PWNED;.bin' -t 'version="));
}

static void no_signature_says_where_it_should_be(void **state)
{
	struct pair p;

	(void)state;
	pair_load(&p, "firmware/app-1.5.0.bin", "firmware/app-1.5.0.bin.minisig");
	free(p.sig);
	p.sig = NULL;
	pair_refused(&p, BF_E_SIGNATURE, "there is no 'app.bin.minisig'");
	pair_done(&p);
}

static void malformed_signature_files_are_named_by_line(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "line 1" },
		{ "untrusted comment: x\n", "line 2" },
		{ "untrusted comment: x\nAAAA\n", "found 4 characters" },
	};
	struct bf_minisig sig;
	struct bf_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		assert_int_equal(
			bf_minisig_parse(rows[i].text, strlen(rows[i].text), "s", &sig, &err),
			BF_E_SIGNATURE);
		assert_non_null(strstr(err.cause, rows[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_verifies_in_both_forms),
		cmocka_unit_test(the_two_forms_are_told_apart),
		cmocka_unit_test(every_changed_byte_of_the_signature_file_is_a_bad_signature),
		cmocka_unit_test(changes_of_file_and_comment_name_what_was_changed),
		cmocka_unit_test(changed_text_formats_never_pass),
		cmocka_unit_test(the_untrusted_comment_is_never_used),
		cmocka_unit_test(another_key_is_named_beside_the_trusted_ones),
		cmocka_unit_test(a_pem_key_does_not_vouch_for_minisign),
		cmocka_unit_test(a_signature_without_identifier_finds_no_key),
		cmocka_unit_test(a_default_comment_says_nothing_about_the_firmware),
		cmocka_unit_test(signed_nonsense_in_the_comment_is_malformed),
		cmocka_unit_test(comment_words_are_strict),
		cmocka_unit_test(the_signature_of_a_hash_is_no_signature_of_a_file),
		cmocka_unit_test(words_in_a_file_name_say_nothing_about_the_firmware),
		cmocka_unit_test(what_editors_add_around_a_signature_does_no_harm),
		cmocka_unit_test(a_signature_that_cannot_be_read_does_not_blame_the_keys),
		cmocka_unit_test(the_command_that_signs_survives_any_name),
		cmocka_unit_test(no_signature_says_where_it_should_be),
		cmocka_unit_test(malformed_signature_files_are_named_by_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
