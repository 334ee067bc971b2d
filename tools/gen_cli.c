/* SPDX-License-Identifier: MIT */
/*
 * Writes what is made from the tables of the command line: parts of the manual page, the completions of
 * three shells, and a description as JSON for other tools. Runs at build time.
 *   gen_cli man-commands|man-options|man-allow|man-exit|man-sim|bash|zsh|fish|json
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/json.h"
#include "cli.h"
#include "sim/options.h"

/* ---- manual page parts (scdoc) ---- */

/* scdoc reads _ and * as markup and \ as an escape. */
static void scd_text(const char *s)
{
	for (; *s; s++) {
		if (strchr("_*\\", *s))
			putchar('\\');
		putchar(*s);
	}
}

static void man_commands(void)
{
	size_t n;
	const struct bf_command *rows = bf_spec_commands(&n);

	for (size_t i = 0; i < n; i++) {
		printf("*%s* ", rows[i].name);
		scd_text(rows[i].args);
		printf("\n\t");
		scd_text(rows[i].help);
		printf("\n\n");
	}
}

static void commands_of(const struct bf_opt *opt)
{
	size_t n, shown = 0;
	const struct bf_command *rows = bf_spec_commands(&n);

	if (opt->commands == BF_CMD_ALL)
		return;
	printf(" (");
	for (size_t i = 0; i < n; i++) {
		if (opt->commands & BF_CMD(rows[i].job))
			printf("%s%s", shown++ ? ", " : "", rows[i].name);
	}
	putchar(')');
}

static void man_options(void)
{
	size_t n;
	const struct bf_opt *rows = bf_spec_options(&n);

	for (size_t i = 0; i < n; i++) {
		if (rows[i].brief)
			printf("*-%c*, ", rows[i].brief);
		printf("*--%s*", rows[i].name);
		if (rows[i].metavar)
			printf(" _%s_", rows[i].metavar);
		printf("\n\t");
		scd_text(rows[i].help);
		commands_of(&rows[i]);
		printf("\n\n");
	}
}

static void man_allow(void)
{
	for (int i = 0; i < BF_ALLOW_COUNT; i++) {
		const struct bf_allow_info *info = bf_allow_info((enum bf_allow)i);

		printf("*%s*\n\t", info->name);
		scd_text(info->help);
		printf("\n\n");
	}
}

static void man_exit(void)
{
	printf("[[ *Code*\n:[ *Name*\n:[ *Meaning*\n");
	for (int rc = 0; rc < BF_RC_COUNT; rc++) {
		const struct bf_rc_info *info = bf_rc_info((enum bf_rc)rc);

		/* Codes that share an exit status share the row of the one that bears its name. */
		if (strcmp(info->name, info->exit_name) != 0)
			continue;
		printf("|  %d\n:  %s\n:  ", info->exit_status, info->exit_name);
		scd_text(info->meaning);
		putchar('\n');
	}
	putchar('\n');
}

static void man_sim(void)
{
	const struct bf_sim_key *k;

	for (size_t i = 0; (k = bf_sim_key(i)); i++) {
		printf("*%s=*_%s_\n\t", k->key, k->values);
		scd_text(k->help);
		printf("\n\n");
	}
}

/* ---- completions ---- */

static void choice_words(const struct bf_opt *opt)
{
	if (opt->kind == BF_OPT_ALLOW) {
		for (int i = 0; i < BF_ALLOW_COUNT; i++)
			printf("%s%s", i ? " " : "", bf_allow_info((enum bf_allow)i)->name);
		return;
	}
	for (size_t i = 0; opt->choices && opt->choices[i]; i++)
		printf("%s%s", i ? " " : "", opt->choices[i]);
}

static void bash_value(const struct bf_opt *opt)
{
	switch (opt->complete) {
	case BF_COMPLETE_FILE:
	case BF_COMPLETE_PROFILE:
		printf("_bmsflash_files");
		return;
	case BF_COMPLETE_IFACE:
		printf("_bmsflash_words \"$(_bmsflash_ifaces)\"");
		return;
	case BF_COMPLETE_CHOICES:
		printf("_bmsflash_words \"");
		choice_words(opt);
		putchar('"');
		return;
	case BF_COMPLETE_NONE:
		printf("COMPREPLY=()");
		return;
	}
}

static void bash_values(void)
{
	size_t n;
	const struct bf_opt *rows = bf_spec_options(&n);

	printf("_bmsflash_value() {\n\tcase \"$1\" in\n");
	for (size_t i = 0; i < n; i++) {
		if (!rows[i].metavar)
			continue;
		printf("\t--%s", rows[i].name);
		if (rows[i].brief)
			printf(" | -%c", rows[i].brief);
		printf(") ");
		bash_value(&rows[i]);
		printf(" ;;\n");
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n");
}

static void bash_options(void)
{
	size_t n_cmd, n;
	const struct bf_command *cmd = bf_spec_commands(&n_cmd);
	const struct bf_opt *opt = bf_spec_options(&n);

	printf("_bmsflash_options() {\n\tcase \"$1\" in\n");
	for (size_t c = 0; c < n_cmd; c++) {
		printf("\t%s) echo \"", cmd[c].name);
		for (size_t i = 0; i < n; i++) {
			if (!(opt[i].commands & BF_CMD(cmd[c].job)))
				continue;
			printf("--%s ", opt[i].name);
			if (opt[i].brief)
				printf("-%c ", opt[i].brief);
		}
		printf("\" ;;\n");
	}
	printf("\t*) echo \"--help -h --version -V\" ;;\n\tesac\n}\n");
}

static void bash(void)
{
	size_t n;
	const struct bf_command *rows = bf_spec_commands(&n);

	printf("_bmsflash_commands=\"");
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? " " : "", rows[i].name);
	printf("\"\n");
	bash_options();
	bash_values();
}

static void zsh_quoted(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			printf("'\\''");
		else if (strchr("[]:\\", *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static void zsh_action(const struct bf_opt *opt)
{
	switch (opt->complete) {
	case BF_COMPLETE_FILE:
	case BF_COMPLETE_PROFILE:
		printf("_files");
		return;
	case BF_COMPLETE_IFACE:
		printf("_bmsflash_ifaces");
		return;
	case BF_COMPLETE_CHOICES:
		putchar('(');
		choice_words(opt);
		putchar(')');
		return;
	case BF_COMPLETE_NONE:
		return;
	}
}

static void zsh_option(const struct bf_opt *opt, const char *form, const char *joint)
{
	bool many = opt->kind == BF_OPT_LIST || opt->kind == BF_OPT_COUNTED ||
		    opt->kind == BF_OPT_ALLOW;

	printf("\t\t'%s%s%s[", many ? "*" : "", form, opt->metavar ? joint : "");
	zsh_quoted(opt->help);
	putchar(']');
	if (opt->metavar) {
		putchar(':');
		zsh_quoted(opt->metavar);
		putchar(':');
		zsh_action(opt);
	}
	printf("'\n");
}

static void zsh_options_of(const struct bf_command *cmd)
{
	size_t n;
	const struct bf_opt *opt = bf_spec_options(&n);

	printf("\t%s) _bmsflash_args=(\n", cmd->name);
	for (size_t i = 0; i < n; i++) {
		char form[48];

		if (!(opt[i].commands & BF_CMD(cmd->job)))
			continue;
		snprintf(form, sizeof(form), "--%s", opt[i].name);
		zsh_option(&opt[i], form, "=");
		snprintf(form, sizeof(form), "-%c", opt[i].brief);
		if (opt[i].brief)
			zsh_option(&opt[i], form, "+");
	}
	printf("\t\t%s\n\t) ;;\n", cmd->takes_images ? "'*:image:_files'" : "");
}

static void zsh(void)
{
	size_t n;
	const struct bf_command *cmd = bf_spec_commands(&n);

	printf("_bmsflash_commands=(\n");
	for (size_t c = 0; c < n; c++) {
		printf("\t'%s:", cmd[c].name);
		zsh_quoted(cmd[c].help);
		printf("'\n");
	}
	printf(")\n\n_bmsflash_options() {\n\tcase $1 in\n");
	for (size_t c = 0; c < n; c++)
		zsh_options_of(&cmd[c]);
	printf("\tesac\n}\n");
}

static void fish_quoted(const char *s)
{
	putchar('\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('\'');
}

static void fish_value(const struct bf_opt *opt)
{
	switch (opt->complete) {
	case BF_COMPLETE_FILE:
	case BF_COMPLETE_PROFILE:
		printf(" -r -F");
		return;
	case BF_COMPLETE_IFACE:
		printf(" -x -a '(__bmsflash_ifaces)'");
		return;
	case BF_COMPLETE_CHOICES:
		printf(" -x -a '");
		choice_words(opt);
		putchar('\'');
		return;
	case BF_COMPLETE_NONE:
		if (opt->metavar)
			printf(" -x");
		return;
	}
}

static void fish_option(const struct bf_command *cmd, const struct bf_opt *opt)
{
	printf("complete -c bmsflash -n '__bmsflash_using %s' -l %s", cmd->name, opt->name);
	if (opt->brief)
		printf(" -s %c", opt->brief);
	fish_value(opt);
	printf(" -d ");
	fish_quoted(opt->help);
	putchar('\n');
}

static void fish(void)
{
	size_t n_cmd, n;
	const struct bf_command *cmd = bf_spec_commands(&n_cmd);
	const struct bf_opt *opt = bf_spec_options(&n);

	for (size_t c = 0; c < n_cmd; c++) {
		printf("complete -c bmsflash -n __bmsflash_needs_command -f -a %s -d ",
		       cmd[c].name);
		fish_quoted(cmd[c].help);
		putchar('\n');
	}
	for (size_t c = 0; c < n_cmd; c++) {
		printf("complete -c bmsflash -n '__bmsflash_using %s' %s\n", cmd[c].name,
		       cmd[c].takes_images ? "-F" : "-f");
		for (size_t i = 0; i < n; i++) {
			if (opt[i].commands & BF_CMD(cmd[c].job))
				fish_option(&cmd[c], &opt[i]);
		}
	}
}

/* ---- JSON ---- */

static struct bf_json *json_option(const struct bf_opt *opt)
{
	struct bf_json *j = bf_json_object();
	struct bf_json *list = bf_json_array();
	char brief[2] = { opt->brief, '\0' };
	size_t n;
	const struct bf_command *cmd = bf_spec_commands(&n);

	bf_json_set_str(j, "name", opt->name);
	bf_json_set_str(j, "brief", opt->brief ? brief : NULL);
	bf_json_set_str(j, "metavar", opt->metavar);
	bf_json_set_str(j, "help", opt->help);
	for (size_t i = 0; i < n; i++) {
		if (opt->commands & BF_CMD(cmd[i].job))
			bf_json_add_str(list, cmd[i].name);
	}
	bf_json_set(j, "commands", list);
	list = bf_json_array();
	for (int i = 0; opt->kind == BF_OPT_ALLOW && i < BF_ALLOW_COUNT; i++)
		bf_json_add_str(list, bf_allow_info((enum bf_allow)i)->name);
	for (size_t i = 0; opt->choices && opt->choices[i]; i++)
		bf_json_add_str(list, opt->choices[i]);
	bf_json_set(j, "choices", list);
	return j;
}

/* Names that the papers have to tell, for the test that looks. */
static void json_names(struct bf_json *j)
{
	struct bf_json *events = bf_json_array(), *exits = bf_json_array(),
		       *allow = bf_json_array(), *sim = bf_json_array();

	for (int i = 0; i < BF_EV_KIND_COUNT; i++)
		bf_json_add_str(events, bf_event_name((enum bf_event_kind)i));
	for (int i = 0; i < BF_RC_COUNT; i++)
		bf_json_add_str(exits, bf_rc_info((enum bf_rc)i)->exit_name);
	for (int i = 0; i < BF_ALLOW_COUNT; i++)
		bf_json_add_str(allow, bf_allow_info((enum bf_allow)i)->name);
	for (size_t i = 0; bf_sim_key(i); i++)
		bf_json_add_str(sim, bf_sim_key(i)->key);
	bf_json_set(j, "events", events);
	bf_json_set(j, "exits", exits);
	bf_json_set(j, "allow", allow);
	bf_json_set(j, "sim", sim);
}

static void json(void)
{
	BF_AUTO(bf_json) *j = bf_json_object();
	BF_AUTO_MEM char *line = NULL;
	struct bf_json *list = bf_json_array();
	size_t n;
	const struct bf_opt *opt = bf_spec_options(&n);
	const struct bf_command *cmd;

	for (size_t i = 0; i < n; i++)
		bf_json_add(list, json_option(&opt[i]));
	bf_json_set(j, "options", list);
	list = bf_json_array();
	cmd = bf_spec_commands(&n);
	for (size_t i = 0; i < n; i++)
		bf_json_add_str(list, cmd[i].name);
	bf_json_set(j, "commands", list);
	json_names(j);
	line = bf_json_line(j);
	puts(line);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(void);
	} modes[] = {
		{ "man-commands", man_commands },
		{ "man-options", man_options },
		{ "man-allow", man_allow },
		{ "man-exit", man_exit },
		{ "man-sim", man_sim },
		{ "bash", bash },
		{ "zsh", zsh },
		{ "fish", fish },
		{ "json", json },
	};

	for (size_t i = 0; argc == 2 && i < BF_COUNT(modes); i++) {
		if (strcmp(argv[1], modes[i].name) == 0) {
			modes[i].write();
			return fflush(stdout) ? 1 : 0;
		}
	}
	fprintf(stderr, "gen_cli: one argument, a mode\n");
	return 2;
}
