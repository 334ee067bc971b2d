/* SPDX-License-Identifier: MIT */
/* argv and the tables make the options. Strict: whole words, ranges, no abbreviations. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct parser {
	int argc;
	const char *const *argv;
	int at;
	bool have_command;
	unsigned seen[64]; /* per option row: how often */
	size_t n_images;
	struct bf_opts *opts;
	struct bf_err *err;
};

/* Edit distance, for "did you mean". Words longer than the table are far from everything. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 24 };
	size_t la = strlen(a), lb = strlen(b);
	size_t row[MAX + 1];

	if (la > MAX || lb > MAX)
		return MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t keep = diagonal + (a[i - 1] != b[j - 1]);
			size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = keep < edit ? keep : edit;
		}
	}
	return row[lb];
}

struct nearest {
	const char *name;
	size_t d;
};

static void consider(struct nearest *n, const char *word, const char *name)
{
	size_t d = distance(word, name);

	if (d < n->d)
		*n = (struct nearest){ name, d };
}

static enum bf_rc bad(struct parser *p, const char *fmt, ...) BF_PRINTF(2, 3);

static enum bf_rc bad(struct parser *p, const char *fmt, ...)
{
	char text[BF_ERR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	bf_fail(p->err, BF_E_USAGE, "%s", text);
	if (p->have_command)
		bf_next(p->err, "bmsflash %s --help", bf_spec_command(p->opts->command)->name);
	else
		bf_next(p->err, "bmsflash --help");
	return BF_E_USAGE;
}

static void *slot_of(struct parser *p, const struct bf_opt *opt)
{
	return (char *)p->opts + opt->slot;
}

static bool number(const char *text, int64_t *ret, const char **ret_rest)
{
	char *end = NULL;
	unsigned long long v;
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, hex ? 16 : 10);
	if (errno || v > INT64_MAX || end == text)
		return false;
	*ret = (int64_t)v;
	*ret_rest = end;
	return true;
}

struct suffix {
	const char *text;
	int64_t factor;
};

/* A number and one of the suffixes; the first row is for none. */
static bool scaled(const char *text, size_t len, const struct suffix *rows, size_t n, int64_t *ret)
{
	char word[32];
	const char *rest = NULL;
	int64_t v;

	if (len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	if (!number(word, &v, &rest))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rest, rows[i].text) == 0)
			return !__builtin_mul_overflow(v, rows[i].factor, ret);
	}
	return false;
}

static const struct suffix plain[] = { { "", 1 } };
static const struct suffix rate_units[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 } };
static const struct suffix time_units[] = {
	{ "", 1000000 }, { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 },
};

static bool in_range(const struct bf_opt *opt, int64_t v)
{
	return v >= opt->min && v <= opt->max;
}

static enum bf_rc take_number(struct parser *p, const struct bf_opt *opt, const char *value)
{
	const struct suffix *rows = plain;
	size_t n = BF_COUNT(plain);
	int64_t v;

	if (opt->kind == BF_OPT_RATE) {
		rows = rate_units;
		n = BF_COUNT(rate_units);
	} else if (opt->kind == BF_OPT_DURATION) {
		rows = time_units;
		n = BF_COUNT(time_units);
	}
	if (!scaled(value, strlen(value), rows, n, &v)) {
		return bad(p, "--%s takes %s, not '%s'", opt->name,
			   opt->kind == BF_OPT_DURATION ? "a duration such as 500ms, 90s or 5m"
							: "a number",
			   value);
	}
	if (!in_range(opt, v)) {
		int64_t unit = opt->kind == BF_OPT_DURATION ? 1000000 : 1;

		return bad(p, "--%s %s is outside %lld to %lld%s", opt->name, value,
			   (long long)(opt->min / unit), (long long)(opt->max / unit),
			   unit > 1 ? " s" : "");
	}
	memcpy(slot_of(p, opt), &v, sizeof(v));
	return BF_OK;
}

static enum bf_rc take_rates(struct parser *p, const struct bf_opt *opt, const char *value)
{
	const char *comma = strchr(value, ',');
	size_t first = comma ? (size_t)(comma - value) : strlen(value);
	int64_t v[2] = { 0, 0 };

	if (!scaled(value, first, rate_units, BF_COUNT(rate_units), &v[0]) ||
	    (comma &&
	     !scaled(comma + 1, strlen(comma + 1), rate_units, BF_COUNT(rate_units), &v[1])))
		return bad(p, "--%s takes one or two rates such as 500k or 500k,2M, not '%s'",
			   opt->name, value);
	if (!in_range(opt, v[0]) || (comma && !in_range(opt, v[1])))
		return bad(p, "--%s %s is outside %lld to %lld bit/s", opt->name, value,
			   (long long)opt->min, (long long)opt->max);
	memcpy(slot_of(p, opt), v, sizeof(v));
	return BF_OK;
}

static enum bf_rc take_choice(struct parser *p, const struct bf_opt *opt, const char *value)
{
	char list[160] = "";

	for (const char *const *c = opt->choices; *c; c++) {
		if (strcmp(*c, value) == 0) {
			memcpy(slot_of(p, opt), &value, sizeof(value));
			return BF_OK;
		}
		strncat(list, c == opt->choices ? "" : ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, *c, sizeof(list) - strlen(list) - 1);
	}
	return bad(p, "--%s knows no '%s'; it can be %s", opt->name, value, list);
}

static enum bf_rc take_allow(struct parser *p, const struct bf_opt *opt, const char *value)
{
	bool *allow = slot_of(p, opt);

	for (const char *at = value;;) {
		size_t len = strcspn(at, ",");
		struct nearest near = { NULL, SIZE_MAX };
		enum bf_allow which;
		char name[40];

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		if (!bf_allow_find(name, &which)) {
			for (int i = 0; i < BF_ALLOW_COUNT; i++)
				consider(&near, name, bf_allow_info((enum bf_allow)i)->name);
			if (near.d <= 2)
				return bad(p, "--allow knows no check '%s'; did you mean '%s'?",
					   name, near.name);
			return bad(p, "--allow knows no check '%s'; the help lists their names",
				   name);
		}
		allow[which] = true;
		if (at[len] == '\0')
			return BF_OK;
		at += len + 1;
	}
}

static enum bf_rc take_list(struct parser *p, const struct bf_opt *opt, const char *value)
{
	const char **list = slot_of(p, opt);
	size_t n = 0;

	while (list[n])
		n++;
	if (n == BF_MAX_KEYS)
		return bad(p, "--%s can be given at most %d times", opt->name, BF_MAX_KEYS);
	list[n] = value;
	return BF_OK;
}

static enum bf_rc add_nodes(struct parser *p, const struct bf_opt *opt, const char *word,
			    struct bf_nodes *nodes)
{
	const char *rest = NULL;
	int64_t first, last;

	if (!number(word, &first, &rest))
		return bad(p, "--%s takes addresses such as 17, 0x11 or 1-16,20, not '%s'",
			   opt->name, word);
	last = first;
	if (*rest == '-' && !number(rest + 1, &last, &rest))
		rest = "-";
	if (*rest || last < first || !in_range(opt, first) || !in_range(opt, last))
		return bad(p, "--%s '%s' is no address or range of addresses", opt->name, word);
	for (int64_t v = first; v <= last; v++) {
		for (size_t i = 0; i < nodes->n; i++) {
			if (nodes->v[i] == v)
				return bad(p, "--%s has %lld twice", opt->name, (long long)v);
		}
		if (nodes->n == BF_MAX_NODES)
			return bad(p, "--%s takes at most %d addresses", opt->name, BF_MAX_NODES);
		nodes->v[nodes->n++] = v;
	}
	return BF_OK;
}

static enum bf_rc take_nodes(struct parser *p, const struct bf_opt *opt, const char *value)
{
	struct bf_nodes *nodes = slot_of(p, opt);
	enum bf_rc rc = BF_OK;

	for (const char *at = value;;) {
		size_t len = strcspn(at, ",");
		char word[40];

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		rc = add_nodes(p, opt, len < sizeof(word) ? word : value, nodes);
		if (rc || !at[len])
			break;
		at += len + 1;
	}
	if (!rc)
		p->opts->node = nodes->v[0];
	return rc;
}

static enum bf_rc take_value(struct parser *p, const struct bf_opt *opt, const char *value)
{
	switch (opt->kind) {
	case BF_OPT_FLAG:
		*(bool *)slot_of(p, opt) = true;
		return BF_OK;
	case BF_OPT_COUNTED:
		++*(int64_t *)slot_of(p, opt);
		return BF_OK;
	case BF_OPT_TEXT:
		if (!*value)
			return bad(p, "--%s takes %s, not an empty word", opt->name, opt->metavar);
		memcpy(slot_of(p, opt), &value, sizeof(value));
		return BF_OK;
	case BF_OPT_LIST:
		if (!*value)
			return bad(p, "--%s takes %s, not an empty word", opt->name, opt->metavar);
		return take_list(p, opt, value);
	case BF_OPT_NODES:
		return take_nodes(p, opt, value);
	case BF_OPT_NUMBER:
	case BF_OPT_RATE:
	case BF_OPT_DURATION:
		return take_number(p, opt, value);
	case BF_OPT_RATES:
		return take_rates(p, opt, value);
	case BF_OPT_CHOICE:
		return take_choice(p, opt, value);
	case BF_OPT_ALLOW:
		return take_allow(p, opt, value);
	}
	return bf_fail(p->err, BF_E_INTERNAL, "option '%s' has no kind", opt->name);
}

static bool repeatable(const struct bf_opt *opt)
{
	return opt->kind == BF_OPT_LIST || opt->kind == BF_OPT_COUNTED ||
	       opt->kind == BF_OPT_ALLOW || opt->kind == BF_OPT_FLAG;
}

/* An option was recognised; value is what followed '=', or NULL. */
static enum bf_rc take_option(struct parser *p, const struct bf_opt *opt, const char *value)
{
	size_t n;
	size_t row = (size_t)(opt - bf_spec_options(&n));

	if (!opt->metavar && value)
		return bad(p, "--%s takes no value", opt->name);
	if (opt->metavar && !value) {
		if (p->at >= p->argc)
			return bad(p, "--%s needs a value: %s", opt->name, opt->metavar);
		value = p->argv[p->at++];
	}
	if (p->seen[row]++ && !repeatable(opt))
		return bad(p, "--%s was given twice", opt->name);
	return take_value(p, opt, value);
}

static enum bf_rc long_option(struct parser *p, const char *word)
{
	size_t n, len = strcspn(word, "=");
	const struct bf_opt *rows = bf_spec_options(&n);
	struct nearest near = { NULL, SIZE_MAX };
	char name[40];

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return take_option(p, &rows[i], word[len] ? word + len + 1 : NULL);
		consider(&near, name, rows[i].name);
	}
	if (strcmp(name, "force") == 0)
		return bad(p, "there is no --force; --allow NAME passes one named safety check");
	if (near.d <= 2)
		return bad(p, "unknown option '--%s'; did you mean '--%s'?", name, near.name);
	return bad(p, "unknown option '--%s'", name);
}

static enum bf_rc brief_options(struct parser *p, const char *word)
{
	size_t n;
	const struct bf_opt *rows = bf_spec_options(&n);

	while (*word) {
		const struct bf_opt *opt = NULL;
		const char *value = NULL;

		for (size_t i = 0; i < n; i++) {
			if (rows[i].brief == *word)
				opt = &rows[i];
		}
		if (!opt)
			return bad(p, "unknown option '-%c'", *word);
		word++;
		if (opt->metavar && *word) {
			value = word;
			word += strlen(word);
		}
		if (take_option(p, opt, value))
			return p->err->rc;
	}
	return BF_OK;
}

static enum bf_rc command_word(struct parser *p, const char *word)
{
	size_t n;
	const struct bf_command *rows = bf_spec_commands(&n);
	struct nearest near = { NULL, SIZE_MAX };

	if (strcmp(word, "help") == 0) {
		p->opts->help = true;
		return BF_OK;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, word) == 0) {
			p->opts->command = rows[i].job;
			p->have_command = true;
			return BF_OK;
		}
		consider(&near, word, rows[i].name);
	}
	if (near.d <= 2)
		return bad(p, "unknown command '%s'; did you mean '%s'?", word, near.name);
	return bad(p,
		   "unknown command '%s'; the commands are probe, backup, verify, flash and "
		   "rollback",
		   word);
}

static enum bf_rc words(struct parser *p)
{
	bool only_files = false;

	while (p->at < p->argc) {
		const char *word = p->argv[p->at++];
		enum bf_rc rc = BF_OK;

		if (!only_files && strcmp(word, "--") == 0)
			only_files = true;
		else if (!only_files && word[0] == '-' && word[1] == '-')
			rc = long_option(p, word + 2);
		else if (!only_files && word[0] == '-' && word[1])
			rc = brief_options(p, word + 1);
		else if (!p->have_command)
			rc = command_word(p, word);
		else
			p->opts->images[p->n_images++] = word;
		if (rc)
			return rc;
	}
	return BF_OK;
}

static enum bf_rc check_options_fit(struct parser *p)
{
	size_t n;
	const struct bf_opt *rows = bf_spec_options(&n);
	const struct bf_command *cmd = bf_spec_command(p->opts->command);

	for (size_t i = 0; i < n; i++) {
		if (p->seen[i] && !(rows[i].commands & BF_CMD(cmd->job)))
			return bad(p, "--%s has no meaning for '%s'", rows[i].name, cmd->name);
	}
	return BF_OK;
}

static enum bf_rc check_words_fit(struct parser *p)
{
	const struct bf_command *cmd = bf_spec_command(p->opts->command);

	if (p->n_images && !cmd->takes_images)
		return bad(p, "'%s' takes no file, but '%s' was given", cmd->name,
			   p->opts->images[0]);
	if (cmd->job == BF_JOB_VERIFY && !p->n_images && !p->opts->iface && p->opts->record)
		return BF_OK; /* the record itself is checked */
	if (p->n_images < cmd->min_images)
		return bad(p, "'%s' needs an image file: bmsflash %s %s", cmd->name, cmd->name,
			   cmd->args);
	if (p->n_images > cmd->max_images)
		return bad(p, "'%s' takes at most %zu images, but '%s' was given too", cmd->name,
			   (size_t)cmd->max_images, p->opts->images[cmd->max_images]);
	if (p->opts->scan && !p->opts->iface) {
		bad(p, "--scan needs --if: which line is to be asked");
		p->opts->lacks_iface = true;
		return BF_E_USAGE;
	}
	if (p->opts->list && p->opts->iface)
		return bad(p, "--list looks at files, not at a pack: it goes without --if");
	if (p->opts->list || (p->opts->keep && !p->opts->iface))
		return BF_OK;
	if (cmd->needs_iface && !p->opts->iface) {
		bad(p, "which port is the pack on? '%s' needs --if", cmd->name);
		bf_next(p->err, "bmsflash probe");
		p->opts->lacks_iface = true;
		return BF_E_USAGE;
	}
	return BF_OK;
}

static void fill_in(const struct bf_defaults *d, struct bf_opts *o)
{
	bool writes = o->command == BF_JOB_FLASH || o->command == BF_JOB_ROLLBACK;

	/* Files are checked offline unless --if asks for the pack. */
	if (!o->iface && !o->doctor && !o->list && o->command != BF_JOB_VERIFY &&
	    !(writes && d->iface_of_file))
		o->iface = o->ifaces[0] = d->iface;
	if (!o->keys[0] && o->command != BF_JOB_PROBE && o->command != BF_JOB_BACKUP)
		o->keys[0] = d->key;
	if (!o->profile)
		o->profile = d->profile;
	if (!o->color)
		o->color = d->color;
	if (d->progress && strcmp(o->progress, "auto") == 0)
		o->progress = d->progress;
}

enum bf_rc bf_parse(int argc, const char *const *argv, struct bf_opts *ret, struct bf_err *err)
{
	return bf_parse_with(argc, argv, NULL, ret, err);
}

enum bf_rc bf_parse_with(int argc, const char *const *argv, const struct bf_defaults *defaults,
			 struct bf_opts *ret, struct bf_err *err)
{
	struct bf_opts opts = { .node = -1, .addr = -1, .progress = "auto" };
	struct parser p = { .argc = argc, .argv = argv, .opts = &opts, .err = err };
	enum bf_rc rc;

	opts.images = calloc((size_t)argc + 1, sizeof(*opts.images));
	if (!opts.images)
		abort();
	opts.bare = argc == 0;
	opts.help = opts.bare;
	rc = words(&p);
	opts.have_command = p.have_command;
	opts.iface = opts.ifaces[0];
	if (!rc && defaults && p.have_command)
		fill_in(defaults, &opts);
	if (!rc && !opts.help && !opts.version) {
		if (!p.have_command)
			rc = bad(&p, "which command? probe, backup, verify, flash or rollback");
		else
			rc = check_options_fit(&p);
		if (!rc)
			rc = check_words_fit(&p);
	}
	if (rc) {
		ret->lacks_iface = opts.lacks_iface;
		bf_opts_done(&opts);
		return rc;
	}
	opts.have_command = p.have_command;
	*ret = opts;
	return BF_OK;
}

void bf_opts_done(struct bf_opts *opts)
{
	free(opts->images);
	opts->images = NULL;
}

bool bf_parse_wants_json(int argc, const char *const *argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}
