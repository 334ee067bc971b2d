/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/auth.h"
#include "bmsflash/bytes.h"

/* RFC 8032 section 7.1, test 1: the secret key, as hex and as openssl writes it in PKCS#8. */
#define SECRET_HEX "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define SECRET_PEM                                                           \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
	"-----END PRIVATE KEY-----\n"

static int enter_folder(void **state)
{
	char dir[] = "/tmp/bf-seedkey-XXXXXX";

	*state = mkdtemp(dir) ? strdup(dir) : NULL;
	return *state && chdir(*state) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", (char *)*state);
	free(*state);
	return chdir("/") || system(cmd);
}

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static void check_signature(const char *path)
{
	static const uint8_t seed[32] = { 1, 2, 3, [31] = 0xFF };
	static const char head[] = "bmsflash-uds-27\0\001\005SN-42";
	BF_AUTO(bf_auth) *auth = NULL;
	uint8_t secret[32], pk[32], sig[64];
	uint8_t msg[sizeof(head) - 1 + sizeof(seed)];
	size_t len = 0;
	struct bf_err err;

	assert_int_equal(bf_auth_ed25519_new(path, &auth, &err), BF_OK);
	strcpy(auth->serial, "SN-42");
	assert_int_equal(auth->respond(auth, 1, seed, sizeof(seed), sig, sizeof(sig), &len, &err),
			 BF_OK);
	assert_int_equal(len, 64);
	memcpy(msg, head, sizeof(head) - 1);
	memcpy(msg + sizeof(head) - 1, seed, sizeof(seed));
	assert_true(bf_unhex(SECRET_HEX, secret, sizeof(secret), &len));
	bf_ed25519_public(pk, secret);
	assert_true(bf_ed25519_verify(sig, msg, sizeof(msg), pk));
}

static void a_pem_key_signs_the_message_of_the_manual(void **state)
{
	(void)state;
	put("k.pem", SECRET_PEM, 0600);
	check_signature("k.pem");
}

/* The highest bit of each digit of what stands before the secret. */
static void every_byte_before_the_secret_counts(void **state)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct bf_err err;

	(void)state;
	for (size_t i = 0; i < 21; i++) {
		char pem[] = SECRET_PEM, *at = strchr(pem, '\n') + 1 + i;
		struct bf_auth *auth = NULL;

		*at = digits[(size_t)(strchr(digits, *at) - digits) ^ 32];
		put("k.pem", pem, 0600);
		if (bf_auth_ed25519_new("k.pem", &auth, &err) == BF_OK)
			fail_msg("with another digit %zu it is a key", i);
	}
}

static void a_hex_key_signs_the_same(void **state)
{
	(void)state;
	put("k.hex", SECRET_HEX "\n", 0600);
	check_signature("k.hex");
}

static void a_key_of_another_kind_is_named(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "an encrypted private key" },
		{ "-----BEGIN PUBLIC KEY-----\n", "the public half" },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----\n", "OpenSSH" },
		{ "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged" },
		{ "", "not a key file" },
		{ "9d61", "not a key file" },
		{ SECRET_HEX "00", "not a key file" },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_auth *auth = NULL;
		struct bf_err err;

		put("k", rows[i].text, 0600);
		assert_int_equal(bf_auth_ed25519_new("k", &auth, &err), BF_E_AUTH);
		assert_null(auth);
		assert_non_null(strstr(err.cause, rows[i].said));
	}
}

static void a_missing_key_file_is_an_authentication_failure(void **state)
{
	struct bf_auth *auth = NULL;
	struct bf_err err;

	(void)state;
	assert_int_equal(bf_auth_ed25519_new("nowhere.pem", &auth, &err), BF_E_AUTH);
	assert_int_equal(err.rc, BF_E_AUTH);
	assert_non_null(strstr(err.cause, "nowhere.pem"));
}

/* Of a file in the folder of the test. */
static const char *whole(const char *name)
{
	static char path[PATH_MAX];

	assert_non_null(realpath(name, path));
	return path;
}

static enum bf_rc ask(const char *script, uint8_t *key, size_t cap, size_t *ret_len,
		      struct bf_err *err)
{
	static const uint8_t seed[] = { 0xCA, 0xFE };
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	BF_AUTO(bf_auth) *auth = NULL;

	put("prog", script, 0700);
	assert_int_equal(bf_auth_program_new(whole("prog"), clock, &auth, err), BF_OK);
	return auth->respond(auth, 3, seed, sizeof(seed), key, cap, ret_len, err);
}

static void a_program_gets_level_and_seed_and_gives_the_key(void **state)
{
	uint8_t key[16];
	size_t len = 0;
	struct bf_err err;

	(void)state;
	assert_int_equal(ask("#!/bin/sh\nread l s\n[ \"$l $s\" = '3 cafe' ] && echo 0102aB\n", key,
			     sizeof(key), &len, &err),
			 BF_OK);
	assert_int_equal(len, 3);
	assert_memory_equal(key, "\x01\x02\xab", 3);
}

static void a_failing_program_is_quoted(void **state)
{
	uint8_t key[16];
	size_t len;
	struct bf_err err;

	(void)state;
	assert_int_equal(ask("#!/bin/sh\necho 'no such level' >&2; echo 00; exit 7\n", key,
			     sizeof(key), &len, &err),
			 BF_E_AUTH);
	assert_non_null(strstr(err.cause, "exit status 7"));
	assert_non_null(strstr(err.likely[0], "no such level"));
}

static void a_program_that_writes_no_hex_gives_no_key(void **state)
{
	static const char *const scripts[] = {
		"#!/bin/sh\necho key=01\n",
		"#!/bin/sh\n",
		"#!/bin/sh\necho 012\n",
		"#!/bin/sh\nhead -c 5000 /dev/zero | tr '\\0' 0\n",
		"#!/bin/sh\nexec <&-; sleep 0; echo 000102030405060708090a0b0c0d0e0f10\n",
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(scripts); i++) {
		uint8_t key[16];
		size_t len;
		struct bf_err err;

		assert_int_equal(ask(scripts[i], key, sizeof(key), &len, &err), BF_E_AUTH);
		assert_non_null(strstr(err.cause, "no key"));
	}
}

static void a_program_that_never_ends_is_killed_at_the_limit(void **state)
{
	static const uint8_t seed[] = { 1 };
	BF_AUTO(bf_clock) *clock = bf_vclock_new(); /* its ten seconds pass at once */
	BF_AUTO(bf_auth) *auth = NULL;
	uint8_t key[16];
	size_t len;
	struct bf_err err;

	(void)state;
	put("prog", "#!/bin/sh\nexec cat >/dev/null\nwhile :; do :; done\n", 0700);
	assert_int_equal(bf_auth_program_new(whole("prog"), clock, &auth, &err), BF_OK);
	assert_int_equal(auth->respond(auth, 1, seed, 1, key, sizeof(key), &len, &err), BF_E_AUTH);
	assert_non_null(strstr(err.cause, "10 s"));
}

static void a_program_is_never_looked_for_where_the_user_stands(void **state)
{
	struct bf_auth *auth = NULL;
	struct bf_err err;

	(void)state;
	put("prog", "#!/bin/sh\necho 00\n", 0700);
	assert_int_equal(bf_auth_program_new("./prog", NULL, &auth, &err), BF_E_AUTH);
	assert_int_equal(bf_auth_program_new("prog", NULL, &auth, &err), BF_E_AUTH);
	assert_non_null(strstr(err.cause, "absolute"));
}

static void a_program_sees_nothing_of_our_environment(void **state)
{
	uint8_t key[16];
	size_t len = 0;
	struct bf_err err;

	(void)state;
	setenv("BMSFLASH_SECRET", "x", 1);
	assert_int_equal(ask("#!/bin/sh\n[ -z \"$BMSFLASH_SECRET$HOME\" ] && echo 01\n", key,
			     sizeof(key), &len, &err),
			 BF_OK);
	unsetenv("BMSFLASH_SECRET");
}

/* A pipe that the program opened and its child holds tells when the last of them is gone. */
static void what_a_program_leaves_running_ends_with_it(void **state)
{
	uint8_t key[16];
	size_t len = 0;
	struct bf_err err;
	struct pollfd held = { .events = POLLIN };

	(void)state;
	assert_int_equal(mkfifo("held", 0600), 0);
	held.fd = open("held", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(ask("#!/bin/sh\nexec 3>held\nsleep 1000 >/dev/null 2>&1 &\necho 01\n", key,
			     sizeof(key), &len, &err),
			 BF_OK);
	assert_int_equal(poll(&held, 1, 60000), 1);
	assert_true(held.revents & POLLHUP);
	close(held.fd);
}

static void a_program_that_cannot_run_is_named_at_once(void **state)
{
	struct bf_auth *auth = NULL;
	struct bf_err err;

	(void)state;
	put("plain", "x", 0600);
	assert_int_equal(bf_auth_program_new("/nowhere/nothing", NULL, &auth, &err), BF_E_AUTH);
	assert_non_null(strstr(err.cause, "/nowhere/nothing"));
}

static void freeing_nothing_is_allowed(void **state)
{
	(void)state;
	assert_null(bf_auth_free(NULL));
}

static unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void nothing_of_a_program_is_left_behind(void **state)
{
	static const char *const programs[] = { "#!/bin/sh\necho 01\n", "#!/bin/sh\nexit 3\n",
						"#!/bin/sh\necho no >&2\necho zz\n" };
	unsigned before;
	uint8_t key[16];
	size_t len = 0;
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	(void)ask(programs[0], key, sizeof(key), &len, &err);
	before = open_files();
	for (size_t i = 0; i < BF_COUNT(programs); i++) {
		bf_err_init(&err);
		(void)ask(programs[i], key, sizeof(key), &len, &err);
		assert_int_equal(open_files(), before);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pem_key_signs_the_message_of_the_manual),
		cmocka_unit_test(every_byte_before_the_secret_counts),
		cmocka_unit_test(a_hex_key_signs_the_same),
		cmocka_unit_test(a_key_of_another_kind_is_named),
		cmocka_unit_test(a_missing_key_file_is_an_authentication_failure),
		cmocka_unit_test(a_program_gets_level_and_seed_and_gives_the_key),
		cmocka_unit_test(a_failing_program_is_quoted),
		cmocka_unit_test(a_program_that_writes_no_hex_gives_no_key),
		cmocka_unit_test(a_program_that_never_ends_is_killed_at_the_limit),
		cmocka_unit_test(a_program_that_cannot_run_is_named_at_once),
		cmocka_unit_test(a_program_is_never_looked_for_where_the_user_stands),
		cmocka_unit_test(a_program_sees_nothing_of_our_environment),
		cmocka_unit_test(what_a_program_leaves_running_ends_with_it),
		cmocka_unit_test(freeing_nothing_is_allowed),
		cmocka_unit_test(nothing_of_a_program_is_left_behind),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
