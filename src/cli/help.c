/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>

#define HELP_COLUMN 30

static void option_line(FILE *to, const struct bf_opt *opt)
{
	char left[64];
	size_t n;

	if (opt->brief)
		snprintf(left, sizeof(left), "-%c, --%s", opt->brief, opt->name);
	else
		snprintf(left, sizeof(left), "    --%s", opt->name);
	if (opt->metavar) {
		n = strlen(left);
		snprintf(left + n, sizeof(left) - n, " %s", opt->metavar);
	}
	fprintf(to, "  %-*s %s\n", HELP_COLUMN - 2, left, opt->help);
}

static void allow_names(FILE *to)
{
	fputs("\nSafety checks that --allow can pass, one at a time:\n", to);
	for (int i = 0; i < BF_ALLOW_COUNT; i++) {
		const struct bf_allow_info *info = bf_allow_info((enum bf_allow)i);

		fprintf(to, "  %-*s %s\n", HELP_COLUMN - 2, info->name, info->help);
	}
}

void bf_help_command(FILE *to, const struct bf_command *command)
{
	size_t n;
	const struct bf_opt *options = bf_spec_options(&n);
	bool allow = false;

	fprintf(to, "Usage: bmsflash %s %s [OPTION]...\n\n%s.\n\nOptions:\n", command->name,
		command->args, command->help);
	for (size_t i = 0; i < n; i++) {
		if (!(options[i].commands & BF_CMD(command->job)))
			continue;
		option_line(to, &options[i]);
		allow |= options[i].kind == BF_OPT_ALLOW;
	}
	if (allow)
		allow_names(to);
}

void bf_help_program(FILE *to)
{
	size_t n;
	const struct bf_command *commands = bf_spec_commands(&n);

	fputs("Usage: bmsflash COMMAND [OPTION]...\n\n"
	      "Takes signed firmware into smart battery packs over RS485, CAN and USB, and proves "
	      "that it runs.\n\nCommands:\n",
	      to);
	for (size_t i = 0; i < n; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].args);
		fprintf(to, "  %-*s %s\n", HELP_COLUMN + 4, left, commands[i].help);
	}
	fputs("\nTry it on the built-in virtual pack: bmsflash probe --if sim\n"
	      "Options of a command: bmsflash COMMAND --help; everything: man bmsflash\n",
	      to);
}
