/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>

#define HELP_COLUMN 30
#define HELP_WIDTH  79

/* A text broken at blanks, behind a left column. */
static void two_columns(FILE *to, const char *left, const char *text)
{
	size_t at = (size_t)fprintf(to, "  %-*s ", HELP_COLUMN - 2, left);

	if (at > HELP_COLUMN + 1) {
		fprintf(to, "\n%*s", HELP_COLUMN + 1, "");
		at = HELP_COLUMN + 1;
	}
	for (bool first = true; *text; first = false) {
		size_t word = strcspn(text, " ");

		if (!first && at + 1 + word > HELP_WIDTH) {
			fprintf(to, "\n%*s", HELP_COLUMN + 1, "");
			at = HELP_COLUMN + 1;
		} else if (!first) {
			at += (size_t)fprintf(to, " ");
		}
		at += (size_t)fprintf(to, "%.*s", (int)word, text);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', to);
}

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
	two_columns(to, left, opt->help);
}

/* Which pack and what for; how the line is used; what is said; the rest comes last. */
static const struct {
	const char *title;
	const char *names[16];
} groups[] = {
	{ "Pack",
	  { "if", "node", "protocol", "profile", "alt", "expect-serial", "wait", "rescue" } },
	{ "Files and keys",
	  { "key", "auth-key", "addr", "sig", "from", "output", "record", "trace" } },
	{ "Safety", { "allow", "dry-run", "yes", "timeout" } },
	{ "Line", { "baud", "bitrate" } },
	{ "Screen", { "verbose", "quiet", "json", "progress", "color", "help", "version" } },
};

static size_t group_of(const struct bf_opt *opt)
{
	for (size_t g = 0; g < BF_COUNT(groups); g++) {
		for (size_t i = 0; i < BF_COUNT(groups[g].names) && groups[g].names[i]; i++) {
			if (strcmp(groups[g].names[i], opt->name) == 0)
				return g;
		}
	}
	return BF_COUNT(groups);
}

static void options_of(FILE *to, const struct bf_command *command, bool *ret_allow)
{
	size_t n;
	const struct bf_opt *options = bf_spec_options(&n);

	for (size_t g = 0; g <= BF_COUNT(groups); g++) {
		bool titled = false;

		for (size_t i = 0; i < n; i++) {
			if (!(options[i].commands & BF_CMD(command->job)) ||
			    group_of(&options[i]) != g)
				continue;
			if (!titled)
				fprintf(to, "\n%s:\n",
					g < BF_COUNT(groups) ? groups[g].title : "Other");
			titled = true;
			option_line(to, &options[i]);
			*ret_allow |= options[i].kind == BF_OPT_ALLOW;
		}
	}
}

static const char *const examples[][2] = {
	[BF_JOB_PROBE] = { "bmsflash probe", "bmsflash probe --if can0" },
	[BF_JOB_BACKUP] = { "bmsflash backup --if can0",
			    "bmsflash backup --if ttyUSB0 -o pack-0042.tar" },
	[BF_JOB_VERIFY] = { "bmsflash verify fw.bin", "bmsflash verify --if can0 fw.bin" },
	[BF_JOB_FLASH] = { "bmsflash flash --if ttyUSB0 fw.bin",
			   "bmsflash flash --if can0 --dry-run fw.bin" },
	[BF_JOB_ROLLBACK] = { "bmsflash rollback --if can0",
			      "bmsflash rollback --if can0 --from pack-0042.tar" },
};

static void exit_codes(FILE *to)
{
	int last = -1;

	fputs("\nExit status:\n", to);
	for (int rc = 0; rc < BF_RC_COUNT; rc++) {
		const struct bf_rc_info *info = bf_rc_info((enum bf_rc)rc);
		char left[48];

		if (info->exit_status == last || strcmp(info->name, info->exit_name) != 0)
			continue;
		last = info->exit_status;
		snprintf(left, sizeof(left), "%3d  %s", info->exit_status, info->exit_name);
		two_columns(to, left, info->meaning);
	}
}

static void allow_names(FILE *to)
{
	fputs("\nSafety checks that --allow can pass, one at a time:\n", to);
	for (int i = 0; i < BF_ALLOW_COUNT; i++) {
		const struct bf_allow_info *info = bf_allow_info((enum bf_allow)i);

		two_columns(to, info->name, info->help);
	}
}

void bf_help_command(FILE *to, const struct bf_command *command)
{
	bool allow = false;

	fprintf(to, "Usage: bmsflash %s %s [OPTION]...\n\n%s.\n", command->name, command->args,
		command->help);
	fprintf(to, "\nExamples:\n  %s\n  %s\n", examples[command->job][0],
		examples[command->job][1]);
	options_of(to, command, &allow);
	if (allow)
		allow_names(to);
	exit_codes(to);
}

void bf_help_program(FILE *to)
{
	size_t n;
	const struct bf_command *commands = bf_spec_commands(&n);

	fputs("Usage: bmsflash COMMAND [OPTION]...\n\n"
	      "Updates the firmware of battery packs over RS485, CAN and USB: signed images, a\n"
	      "backup first, verified by the pack.\n\nCommands:\n",
	      to);
	for (size_t i = 0; i < n; i++)
		two_columns(to, commands[i].name, commands[i].help);
	fputs("\nTry it without hardware:  bmsflash probe --if sim\n"
	      "Options of a command:     bmsflash help COMMAND; everything: man bmsflash\n",
	      to);
}
