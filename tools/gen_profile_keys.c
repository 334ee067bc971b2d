/* SPDX-License-Identifier: MIT */
/*
 * Writes parts of the documentation of profiles from the table of keys:
 * the template with its line @KEYS@ replaced by all keys.
 *   gen_profile_keys man TEMPLATE   scdoc
 *   gen_profile_keys ini TEMPLATE   INI: the plain sections with their defaults
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/profile.h"

/* scdoc takes '*', '_' and '\' for its own. */
static void escaped(const char *text)
{
	for (; *text; text++) {
		if (strchr("*_\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

static const char *heading(const char *section)
{
	static const char *const named[] = { "region",    "region NAME",  "step",
					     "step NAME", "periodic",     "periodic NAME",
					     "quantity",  "quantity NAME" };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i += 2) {
		if (strcmp(section, named[i]) == 0)
			return named[i + 1];
	}
	return section;
}

static void man_keys(void)
{
	struct bf_profile_key k;
	const char *section = "";

	for (size_t i = 0; bf_profile_key(i, &k); i++) {
		if (strcmp(section, k.section) != 0)
			printf("%s## [%s]\n\n", i ? "\n" : "", heading(k.section));
		section = k.section;
		printf("*%s*\n\t", k.key);
		putchar(toupper((unsigned char)k.help[0]));
		escaped(k.help + 1);
		printf(".\n\tTakes ");
		escaped(k.allowed);
		printf("; default: ");
		escaped(*k.def ? k.def : "empty");
		printf(".\n\n");
	}
}

/* A comment, broken where a line would get too long to read. */
static void comment(const char *text)
{
	size_t at = 1;

	putchar(';');
	while (*text) {
		size_t n = strcspn(text, " ");

		if (at + 1 + n > 108) {
			fputs("\n;", stdout);
			at = 1;
		}
		putchar(' ');
		fwrite(text, 1, n, stdout);
		at += 1 + n;
		text += n + (text[n] == ' ');
	}
	putchar('\n');
}

static void ini_keys(void)
{
	struct bf_profile_key k;
	const char *section = "";

	for (size_t i = 0; bf_profile_key(i, &k); i++) {
		char text[768];

		if (strcmp(heading(k.section), k.section) != 0)
			continue;
		if (strcmp(section, k.section) != 0)
			printf("\n[%s]\n", k.section);
		section = k.section;
		snprintf(text, sizeof(text), "%s (%s)", k.help, k.allowed);
		comment(text);
		printf("%s =%s%s\n", k.key, *k.def ? " " : "", k.def);
	}
}

static int fill(const char *path, void (*keys)(void))
{
	FILE *f = fopen(path, "re");
	char line[1024];

	if (!f) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (strcmp(line, "@KEYS@\n") == 0)
			keys();
		else
			fputs(line, stdout);
	}
	return fclose(f) != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		return fill(argv[2], man_keys);
	if (argc == 3 && strcmp(argv[1], "ini") == 0)
		return fill(argv[2], ini_keys);
	fputs("usage: gen_profile_keys man|ini TEMPLATE\n", stderr);
	return 2;
}
