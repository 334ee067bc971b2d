/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>

#define HELP_COLUMN 30
#define HELP_WIDTH  79
#define NARROW      60 /* two columns need more */

/* Less on a narrow terminal. */
static size_t help_width(FILE *to)
{
	struct winsize size = { 0 };

	if (ioctl(fileno(to), TIOCGWINSZ, &size) < 0 || size.ws_col < 20 ||
	    size.ws_col > HELP_WIDTH)
		return HELP_WIDTH;
	return size.ws_col - 1u;
}

/* A text broken at blanks, the first line from column at on, the others behind an indent. */
static void paragraph(FILE *to, size_t at, size_t indent, const char *text)
{
	size_t width = help_width(to);

	for (bool first = true; *text; first = false) {
		size_t word = strcspn(text, " ");

		if (!first && at + 1 + word > width) {
			fprintf(to, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			at += (size_t)fprintf(to, " ");
		}
		at += (size_t)fprintf(to, "%.*s", (int)word, text);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', to);
}

/* Behind a left column, or below it. */
static void two_columns(FILE *to, const char *left, const char *text)
{
	bool narrow = help_width(to) < NARROW;
	size_t column = narrow ? 6 : HELP_COLUMN + 1;
	size_t at = (size_t)fprintf(to, "  %-*s ", narrow ? 0 : HELP_COLUMN - 2,
				    left + (narrow ? strspn(left, " ") : 0));

	if (at > column) {
		fprintf(to, "\n%*s", (int)column, "");
		at = column;
	}
	paragraph(to, at, column, text);
}

/* The wires of this build, by the names of their drivers. */
static bool has_wire(const char *name)
{
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if (strcmp((*d)->name, name) == 0)
			return true;
	}
	return false;
}

/* Options that one kind of wire gives their meaning; the virtual pack has all of them. */
static const struct {
	const char *option, *wire;
} of_a_wire[] = { { "baud", "rs485" }, { "bitrate", "can" }, { "alt", "usb" } };

static bool has_meaning(const struct bf_opt *opt)
{
	for (size_t i = 0; i < BF_COUNT(of_a_wire); i++) {
		if (strcmp(of_a_wire[i].option, opt->name) == 0)
			return has_wire(of_a_wire[i].wire) || has_wire("sim");
	}
	return true;
}

/* What --if takes is what was built in. */
static const struct {
	const char *wire, *address;
} addresses[] = {
	{ "rs485", "ttyUSB0, /dev/..." },
	{ "can", "can0" },
	{ "usb", "usb[:VID:PID[:SERIAL]]" },
	{ "sim", "sim" },
};

static const char *interfaces(char *dst, size_t cap)
{
	size_t n = (size_t)snprintf(dst, cap, "interface:");
	const char *comma = "";

	for (size_t i = 0; i < BF_COUNT(addresses) && n < cap; i++) {
		if (!has_wire(addresses[i].wire))
			continue;
		n += (size_t)snprintf(dst + n, cap - n, "%s %s", comma, addresses[i].address);
		comma = ",";
	}
	if (!comma[0])
		snprintf(dst, cap, "interface; none is built into this program");
	return dst;
}

static void option_line(FILE *to, const struct bf_opt *opt)
{
	char left[64], wires[96];
	size_t n;

	if (opt->brief)
		snprintf(left, sizeof(left), "-%c, --%s", opt->brief, opt->name);
	else
		snprintf(left, sizeof(left), "    --%s", opt->name);
	if (opt->metavar) {
		n = strlen(left);
		snprintf(left + n, sizeof(left) - n, " %s", opt->metavar);
	}
	two_columns(to, left,
		    strcmp(opt->name, "if") == 0 ? interfaces(wires, sizeof(wires)) : opt->help);
}

/* Which pack and what for; how the line is used; what is said; the rest comes last. */
static const struct {
	const char *title;
	const char *names[16];
} groups[] = {
	{ "Pack",
	  { "if", "node", "protocol", "profile", "alt", "expect-serial", "wait", "rescue", "scan",
	    "list", "doctor" } },
	{ "Files and keys",
	  { "key", "auth-key", "addr", "sig", "from", "fallback", "output", "backup-dir", "keep",
	    "record", "trace" } },
	{ "Safety", { "allow", "dry-run", "yes", "timeout" } },
	{ "Line", { "baud", "bitrate" } },
	{ "Many packs", { "max-failures", "report", "on-result", "big" } },
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
			    group_of(&options[i]) != g || !has_meaning(&options[i]))
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

/* Two are shown: the first of which the wire is built in. */
static const struct {
	enum bf_job_kind job;
	const char *wire; /* NULL: needs none */
	const char *command;
} examples[] = {
	{ BF_JOB_PROBE, NULL, "bmsflash probe" },
	{ BF_JOB_PROBE, "can", "bmsflash probe --if can0" },
	{ BF_JOB_PROBE, "rs485", "bmsflash probe --if ttyUSB0" },
	{ BF_JOB_PROBE, "usb", "bmsflash probe --if usb" },
	{ BF_JOB_PROBE, "sim", "bmsflash probe --if sim" },
	{ BF_JOB_BACKUP, "can", "bmsflash backup --if can0" },
	{ BF_JOB_BACKUP, "rs485", "bmsflash backup --if ttyUSB0 -o pack-0042.tar" },
	{ BF_JOB_BACKUP, "usb", "bmsflash backup --if usb -o pack-0042.tar" },
	{ BF_JOB_BACKUP, "sim", "bmsflash backup --if sim" },
	{ BF_JOB_BACKUP, "sim", "bmsflash backup --if sim -o pack-0042.tar" },
	{ BF_JOB_BACKUP, "can", "bmsflash backup --if can0 -o pack-0042.tar" },
	{ BF_JOB_BACKUP, "rs485", "bmsflash backup --if ttyUSB0" },
	{ BF_JOB_BACKUP, "usb", "bmsflash backup --if usb" },
	{ BF_JOB_VERIFY, NULL, "bmsflash verify fw.bin" },
	{ BF_JOB_VERIFY, "can", "bmsflash verify --if can0 fw.bin" },
	{ BF_JOB_VERIFY, NULL, "bmsflash verify --key vendor.pub fw.bin" },
	{ BF_JOB_FLASH, "rs485", "bmsflash flash --if ttyUSB0 fw.bin" },
	{ BF_JOB_FLASH, "can", "bmsflash flash --if can0 --dry-run fw.bin" },
	{ BF_JOB_FLASH, "usb", "bmsflash flash --if usb fw.bin" },
	{ BF_JOB_FLASH, "sim", "bmsflash flash --if sim fw.bin" },
	{ BF_JOB_FLASH, "sim", "bmsflash flash --if sim --dry-run fw.bin" },
	{ BF_JOB_FLASH, "rs485", "bmsflash flash --if ttyUSB0 --dry-run fw.bin" },
	{ BF_JOB_FLASH, "can", "bmsflash flash --if can0 fw.bin" },
	{ BF_JOB_FLASH, "usb", "bmsflash flash --if usb --dry-run fw.bin" },
	{ BF_JOB_ROLLBACK, "can", "bmsflash rollback --if can0" },
	{ BF_JOB_ROLLBACK, "can", "bmsflash rollback --if can0 --from pack-0042.tar" },
	{ BF_JOB_ROLLBACK, "rs485", "bmsflash rollback --if ttyUSB0" },
	{ BF_JOB_ROLLBACK, "usb", "bmsflash rollback --if usb --from pack-0042.tar" },
	{ BF_JOB_ROLLBACK, "rs485", "bmsflash rollback --if ttyUSB0 --from pack-0042.tar" },
	{ BF_JOB_ROLLBACK, "usb", "bmsflash rollback --if usb" },
	{ BF_JOB_ROLLBACK, "sim", "bmsflash rollback --if sim" },
	{ BF_JOB_ROLLBACK, "sim", "bmsflash rollback --if sim --from pack-0042.tar" },
};

static void examples_of(FILE *to, enum bf_job_kind job)
{
	unsigned shown = 0;

	for (size_t i = 0; i < BF_COUNT(examples) && shown < 2; i++) {
		if (examples[i].job != job || (examples[i].wire && !has_wire(examples[i].wire)))
			continue;
		if (!shown)
			fputs("\nExamples:\n", to);
		fprintf(to, "  %s\n", examples[i].command);
		shown++;
	}
}

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
	fputc('\n', to);
	paragraph(to, 0, 0, "Safety checks that --allow can pass, one at a time:");
	for (int i = 0; i < BF_ALLOW_COUNT; i++) {
		const struct bf_allow_info *info = bf_allow_info((enum bf_allow)i);

		two_columns(to, info->name, info->help);
	}
}

void bf_help_command(FILE *to, const struct bf_command *command)
{
	bool allow = false;
	char help[256];

	fprintf(to, "Usage: bmsflash %s %s [OPTION]...\n\n", command->name, command->args);
	snprintf(help, sizeof(help), "%s.", command->help);
	paragraph(to, 0, 0, help);
	examples_of(to, command->job);
	options_of(to, command, &allow);
	if (allow)
		allow_names(to);
	exit_codes(to);
}

/* A command stays whole. */
static void hint(FILE *to, const char *what, const char *command)
{
	bool narrow = help_width(to) < NARROW;

	fprintf(to, narrow ? "%s\n  %s\n" : "%-24s  %s\n", what, command);
}

void bf_help_program(FILE *to)
{
	size_t n;
	const struct bf_command *commands = bf_spec_commands(&n);

	fputs("Usage: bmsflash COMMAND [OPTION]...\n\n", to);
	paragraph(to, 0, 0,
		  "Updates the firmware of battery packs over RS485, CAN and USB: signed images, a "
		  "backup first, verified by the pack.");
	fputs("\nCommands:\n", to);
	for (size_t i = 0; i < n; i++)
		two_columns(to, commands[i].name, commands[i].help);
	fputc('\n', to);
	if (has_wire("sim"))
		hint(to, "Try it without hardware:", "bmsflash probe --if sim");
	hint(to, "Options of a command:", "bmsflash help COMMAND");
	hint(to, "Everything:", "man bmsflash");
}
