/* SPDX-License-Identifier: MIT */
/*
 * Writes parts of the documentation of profiles from the table of keys:
 *   gen_profile_keys man TEMPLATE   the template with its line @KEYS@ replaced by all keys (scdoc)
 *   gen_profile_keys ini            all keys of the plain sections with their defaults (INI)
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

static int man_page(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[1024];

	if (!f) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (strcmp(line, "@KEYS@\n") == 0)
			man_keys();
		else
			fputs(line, stdout);
	}
	return fclose(f) != 0;
}

static int ini(void)
{
	struct bf_profile_key k;
	const char *section = "";

	for (size_t i = 0; bf_profile_key(i, &k); i++) {
		if (strcmp(heading(k.section), k.section) != 0)
			continue;
		if (strcmp(section, k.section) != 0)
			printf("\n[%s]\n", k.section);
		section = k.section;
		printf("; %s (%s)\n%s = %s\n", k.help, k.allowed, k.key, k.def);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		return man_page(argv[2]);
	if (argc == 2 && strcmp(argv[1], "ini") == 0)
		return ini();
	fputs("usage: gen_profile_keys man TEMPLATE | ini\n", stderr);
	return 2;
}
