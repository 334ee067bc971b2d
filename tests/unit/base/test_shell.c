/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include <stdio.h>

#include "bmsflash/shell.h"

static const char *quoted(const char *word)
{
	static char text[256];

	assert_non_null(bf_shell_quote(text, sizeof(text), word));
	return text;
}

static void plain_words_stay_as_they_are(void **state)
{
	(void)state;
	assert_string_equal(quoted("/dev/serial/by-id/a_b-1.2:3"), "/dev/serial/by-id/a_b-1.2:3");
	assert_string_equal(quoted("sim:soc=55,temp=25"), "sim:soc=55,temp=25");
	assert_string_equal(quoted(""), "''");
	assert_string_equal(quoted("new fw;rm -rf x.bin"), "'new fw;rm -rf x.bin'");
	assert_string_equal(quoted("it's"), "'it'\\''s'");
	assert_string_equal(quoted("größe.bin"), "'größe.bin'");
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
	(void)state;
	assert_string_equal(quoted("a\033[2Jb\n'\\"), "$'a\\033[2Jb\\012\\047\\134'");
	assert_string_equal(quoted("\xC2\x9B"
				   "31m"),
			    "$'\\302\\23331m'");
	assert_string_equal(quoted("\xE2\x80\xAE"
				   "nib"),
			    "$'\\342\\200\\256nib'");
	assert_string_equal(quoted("\xFF"
				   "ok"),
			    "$'\\377ok'");
	assert_string_equal(quoted("\xC0\x80"), "$'\\300\\200'");
	assert_string_equal(quoted("cut\xE2\x80"), "$'cut\\342\\200'");
}

static void the_shell_reads_back_every_byte(void **state)
{
	char want[3 * 255], got[sizeof(want) + 1], script[16384] = "bash -s <<'END'\n";
	size_t at = strlen(script), n;
	FILE *shell;

	(void)state;
	for (int c = 1; c < 256; c++) {
		char word[] = { 'x', (char)c, 'x', '\0' };

		memcpy(want + 3 * (c - 1), word, 3);
		at += (size_t)snprintf(script + at, sizeof(script) - at, "printf %%s %s\n",
				       quoted(word));
	}
	snprintf(script + at, sizeof(script) - at, "END\n");
	shell = popen(script, "r");
	assert_non_null(shell);
	n = fread(got, 1, sizeof(got), shell);
	pclose(shell);
	assert_int_equal(n, sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
}

static void a_command_that_does_not_fit_is_not_cut_short(void **state)
{
	char big[sizeof(((struct bf_err *)0)->next) + 100], small[8];
	struct bf_err err;

	(void)state;
	bf_err_init(&err);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	bf_next_argv(&err, NULL, (const char *const[]){ "ls", big, NULL });
	assert_string_equal(err.next, "");
	bf_next_argv(&err, big, (const char *const[]){ "ls", "-l", "a b", NULL });
	assert_string_equal(err.next, "ls -l 'a b'");
	bf_next_argv(&err, "shows it", (const char *const[]){ "ls", "a;b", NULL });
	assert_string_equal(err.next, "ls 'a;b' # shows it");
	assert_null(bf_shell_quote(small, sizeof(small), "12 34 56"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_words_stay_as_they_are),
		cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
		cmocka_unit_test(the_shell_reads_back_every_byte),
		cmocka_unit_test(a_command_that_does_not_fit_is_not_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
