/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <sys/stat.h>
#include <unistd.h>

#include "image/image_priv.h"

#define PEM(body) "-----BEGIN PUBLIC KEY-----\n" body "\n-----END PUBLIC KEY-----\n"
#define GOOD      "MCowBQYDK2VwAyEAtGyv1jrT+uaZgXNznH6hYh5lRQded60bFgoKbNbKKA0="

static void key_refused(const char *text, const char *words)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	if (bf_keyring_add_text(ring, text, strlen(text), "k.pem", &err) != BF_E_SIGNATURE)
		fail_msg("taken: %s", text);
	if (!strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
	assert_int_equal(bf_keyring_count(ring), 0);
}

static void both_kinds_of_key_are_told_apart_by_content(void **state)
{
	BF_AUTO(bf_keyring) *pem = ring_of("mcuboot/release.pub.pem");
	BF_AUTO(bf_keyring) *minisign = ring_of("minisign/release.pub");

	(void)state;
	assert_int_equal(pem->keys[0].kind, BF_KEY_PEM);
	assert_string_equal(pem->keys[0].name, "release.pub.pem");
	assert_int_equal(pem->keys[0].sha256[0], 0xBA); /* the key hash in the signed vectors */
	assert_int_equal(minisign->keys[0].kind, BF_KEY_MINISIGN);
}

static void other_keys_are_refused_by_name(void **state)
{
	(void)state;
	key_refused(PEM("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAAAA"), "elliptic-curve (ECDSA) key");
	key_refused(PEM("MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAA=="), "an RSA key");
	key_refused(PEM("MCowBQYDK2VuAyEAtGyv1jrT+uaZgXNznH6hYh5lRQded60bFgoKbNbKKA0="), "X25519");
	key_refused(PEM("AAAA"), "another kind of key");
}

static void secret_keys_are_refused_with_a_warning(void **state)
{
	(void)state;
	key_refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "secret key");
	key_refused("untrusted comment: minisign encrypted secret key\nAAAA\n", "secret key");
}

static void damaged_keys_are_refused(void **state)
{
	(void)state;
	key_refused("", "neither a PEM public key nor");
	key_refused("hello", "neither a PEM public key nor");
	key_refused("-----BEGIN PUBLIC KEY-----\n" GOOD "\n", "is cut short");
	key_refused(PEM("****"), "is not base64");
	key_refused(PEM("MCowBQYDK2VwAyEAtGyv1jrT+uaZgXNznH6hYh5lRQded60bFgoKbNbKKA=="),
		    "another kind");
	key_refused(PEM(GOOD) PEM(GOOD), "more than one public key");
	key_refused("-----BEGIN CERTIFICATE-----\n", "no public key in PEM form");
	key_refused("untrusted comment: x", "second line is not a minisign public key");
	key_refused("untrusted comment: x\nRWQAAAA=\n", "second line is not a minisign public key");
}

static void key_taken(const char *text)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	if (bf_keyring_add_text(ring, text, strlen(text), "k.pem", &err))
		fail_msg("%s: %s", text, err.cause);
	assert_int_equal(bf_keyring_count(ring), 1);
}

#define MINI "RWRgIpkIFnGd/0Afdz4X+e1eLe7lffjIhukrRJY7e1Z4T2o0uGEyD4MS"

static void what_editors_and_people_add_around_a_key_does_no_harm(void **state)
{
	(void)state;
	key_taken("\xEF\xBB\xBF" PEM(GOOD));
	key_taken("# release key of the year\n" PEM(GOOD) "comment\n\n");
	key_taken("-----BEGIN PUBLIC KEY-----\r\n" GOOD "\r\n-----END PUBLIC KEY-----\r\n\r\n");
	key_taken("\xEF\xBB\xBF"
		  "untrusted comment: minisign public key\n" MINI "\n");
	key_taken("untrusted comment: minisign public key\r\n" MINI "\r\n\r\n");
	key_taken(MINI "\n");
	key_taken(MINI);
}

static void a_key_that_cannot_be_read_does_not_blame_trust(void **state)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	(void)state;
	assert_int_equal(bf_keyring_add_text(ring, "hello", 5, "my key.pub", &err), BF_E_SIGNATURE);
	assert_int_equal(err.n_likely, 1);
	assert_null(strstr(err.likely[0], "trust"));
	assert_non_null(strstr(err.next, "cat -A 'my key.pub' # "));
}

static void a_key_given_twice_counts_once(void **state)
{
	BF_AUTO(bf_keyring) *ring = ring_of("mcuboot/release.pub.pem");
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(bf_keyring_add(ring, data_path("mcuboot/release.pub.pem", path), &err),
			 BF_OK);
	assert_int_equal(bf_keyring_count(ring), 1);
}

static void put(const char *folder, const char *name, const char *text)
{
	struct bf_err err = { 0 };
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(bf_file_replace(path, text, strlen(text), &err), BF_OK);
}

static void clear(const char *folder, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static void a_folder_gives_its_key_files_and_no_others(void **state)
{
	char folder[] = "/tmp/bmsflash-keys-XXXXXX";
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	put(folder, "b.pem", PEM(GOOD));
	put(folder, "README", "no key");
	put(folder, ".hidden.pem", "no key");
	assert_int_equal(bf_keyring_add(ring, folder, &err), BF_OK);
	assert_int_equal(bf_keyring_count(ring), 1);
	put(folder, "a.pub", "not a key either");
	assert_int_equal(bf_keyring_add(ring, folder, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "a.pub"));
	clear(folder, "b.pem");
	clear(folder, "a.pub");
	clear(folder, "README");
	clear(folder, ".hidden.pem");
	assert_int_equal(rmdir(folder), 0);
}

static void keys_and_folders_that_others_can_write_are_refused(void **state)
{
	char folder[] = "/tmp/bmsflash-keys-XXXXXX", path[64], next[96];
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/k.pem", folder);
	put(folder, "k.pem", PEM(GOOD));
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(bf_keyring_add(ring, path, &err), BF_E_SIGNATURE);
	snprintf(next, sizeof(next), "chmod go-w %s", path);
	assert_string_equal(err.next, next);
	assert_int_equal(bf_keyring_add(ring, folder, &err), BF_E_SIGNATURE);
	assert_string_equal(err.next, next);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_int_equal(bf_keyring_add(ring, folder, &err), BF_E_SIGNATURE);
	snprintf(next, sizeof(next), "chmod go-w %s", folder);
	assert_string_equal(err.next, next);
	assert_int_equal(bf_keyring_count(ring), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(bf_keyring_add(ring, folder, &err), BF_OK);
	clear(folder, "k.pem");
	assert_int_equal(rmdir(folder), 0);
}

static void missing_and_oversized_files_are_refused(void **state)
{
	BF_AUTO(bf_keyring) *ring = bf_keyring_new();
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(bf_keyring_add(ring, "/nowhere/k.pem", &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "/nowhere/k.pem"));
	assert_int_equal(bf_keyring_add(ring, data_path("firmware/gw-2.0.0.bin", path), &err),
			 BF_E_SIGNATURE);
}

static void a_long_list_of_keys_is_cut_with_dots(void **state)
{
	BF_AUTO(bf_keyring) *ring = ring_of("mcuboot");
	char text[60], full[200];
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(bf_keyring_count(ring), 2);
	assert_int_equal(bf_keyring_add(ring, data_path("minisign", path), &err), BF_OK);
	assert_int_equal(bf_keyring_count(ring), 4);
	bf_keyring_text(ring, BF_KEY_PEM, full, sizeof(full));
	assert_non_null(strstr(full, "other.pub.pem ("));
	assert_non_null(strstr(full, ", release.pub.pem (ba9d7879eb954cd5)"));
	bf_keyring_text(ring, BF_KEY_PEM, text, sizeof(text));
	assert_string_equal(text + strlen(text) - 5, ", ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_of_key_are_told_apart_by_content),
		cmocka_unit_test(other_keys_are_refused_by_name),
		cmocka_unit_test(secret_keys_are_refused_with_a_warning),
		cmocka_unit_test(damaged_keys_are_refused),
		cmocka_unit_test(what_editors_and_people_add_around_a_key_does_no_harm),
		cmocka_unit_test(a_key_that_cannot_be_read_does_not_blame_trust),
		cmocka_unit_test(keys_and_folders_that_others_can_write_are_refused),
		cmocka_unit_test(a_key_given_twice_counts_once),
		cmocka_unit_test(a_folder_gives_its_key_files_and_no_others),
		cmocka_unit_test(missing_and_oversized_files_are_refused),
		cmocka_unit_test(a_long_list_of_keys_is_cut_with_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
