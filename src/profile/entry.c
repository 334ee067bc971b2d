/* SPDX-License-Identifier: MIT */
/* Ways into a bootloader as a profile writes them down: patterns of lines, text with bytes in it. */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "profile/keys.h"

#define DIGITS   "0123456789"
#define NAME     "abcdefghijklmnopqrstuvwxyz0123456789-"
#define TIME_MAX BF_SEC(60) /* of one wait or break */

/* ---- patterns ---- */

/* "name=value", up to the next blank; false at the end of the text. */
static bool pair_next(const char **text, char *name, size_t name_cap, char *value, size_t value_cap,
		      const char **ret_fault)
{
	const char *p = *text + strspn(*text, " \t");
	size_t n = strcspn(p, "= \t"), v;

	*ret_fault = NULL;
	if (!*p)
		return false;
	v = p[n] == '=' ? strcspn(p + n + 1, " \t") : 0;
	if (!v || !n || n >= name_cap || v >= value_cap || strspn(p, NAME) < n) {
		*ret_fault = "each step is a name, '=' and a value, as in dtr=1 wait=100ms";
		return false;
	}
	memcpy(name, p, n);
	name[n] = '\0';
	memcpy(value, p + n + 1, v);
	value[v] = '\0';
	*text = p + n + 1 + v;
	return true;
}

static bool time_of(const char *text, bf_time *ret)
{
	static const struct {
		const char *unit;
		bf_time us;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };
	size_t digits = strspn(text, DIGITS);

	if (!digits || digits > 8)
		return false;
	for (size_t i = 0; i < BF_COUNT(units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		*ret = (bf_time)strtoul(text, NULL, 10) * units[i].us;
		return *ret <= TIME_MAX;
	}
	return false;
}

bool bf_pin_next(const char **text, struct bf_pin_step *ret, const char **ret_fault)
{
	char value[16];

	*ret = (struct bf_pin_step){ .what = BF_PIN_SET };
	if (!pair_next(text, ret->name, sizeof(ret->name), value, sizeof(value), ret_fault))
		return false;
	if (strcmp(ret->name, "wait") == 0)
		ret->what = BF_PIN_WAIT;
	else if (strcmp(ret->name, "break") == 0)
		ret->what = BF_PIN_BREAK;
	if (ret->what != BF_PIN_SET) {
		if (time_of(value, &ret->time))
			return true;
		*ret_fault = "a time is a number with us, ms or s, and at most 60s";
		return false;
	}
	ret->on = value[0] == '1';
	if (strcmp(value, "0") == 0 || strcmp(value, "1") == 0)
		return true;
	*ret_fault = "a line is set to 0 or 1";
	return false;
}

bool bf_pin_name_next(const char **text, char name[16], char line[32], const char **ret_fault)
{
	return pair_next(text, name, 16, line, 32, ret_fault);
}

/* ---- text with bytes in it ---- */

static bool escape(const char **text, uint8_t *ret)
{
	static const char from[] = "rnt\\", to[] = "\r\n\t\\";
	const char *at = **text ? strchr(from, **text) : NULL;
	char hex[3] = "";
	size_t len;

	if (at) {
		*ret = (uint8_t)to[at - from];
		(*text)++;
		return true;
	}
	if (**text != 'x' || !(*text)[1] || !(*text)[2])
		return false;
	memcpy(hex, *text + 1, 2);
	*text += 3;
	return bf_unhex(hex, ret, 1, &len) && len == 1;
}

bool bf_escaped(const char *text, uint8_t *dst, size_t cap, size_t *ret_len)
{
	size_t n = 0;

	while (*text) {
		uint8_t byte = (uint8_t)*text++;

		if (n == cap || (byte == '\\' && !escape(&text, &byte)))
			return false;
		dst[n++] = byte;
	}
	*ret_len = n;
	return true;
}

/* ---- checks ---- */

static bool is_named(const char *name, const char *lines)
{
	char known[16], line[32];
	const char *fault;

	for (const char *p = lines; bf_pin_name_next(&p, known, line, &fault);) {
		if (strcmp(name, known) == 0)
			return true;
	}
	return false;
}

/* NULL, or what is wrong with the pattern. `lines`: the names that there are. */
static const char *pattern_fault(const char *text, const char *lines, bool breaks)
{
	struct bf_pin_step step;
	const char *fault;

	while (bf_pin_next(&text, &step, &fault)) {
		if (step.what == BF_PIN_SET && !is_named(step.name, lines))
			return breaks ? "the lines of a serial port are rts and dtr"
				      : "it sets a line that gpio-lines does not name";
		if (step.what == BF_PIN_BREAK && !breaks)
			return "only a serial port has a break";
	}
	return fault;
}

static bool has(const struct bf_entry_plan *e, enum bf_entry_how how)
{
	return memchr(e->how.code, (int)how, e->how.n) != NULL;
}

static enum bf_rc check_patterns(const struct bf_profile *w, const char *profile_name,
				 struct bf_err *err)
{
	const struct bf_entry_plan *e = &w->entry;
	const struct {
		const char *key, *text;
		bool serial;
	} rows[] = {
		{ "lines", e->lines, true },
		{ "lines-leave", e->lines_leave, true },
		{ "gpio", e->gpio, false },
		{ "gpio-leave", e->gpio_leave, false },
	};
	char name[16], line[32];
	const char *fault, *p = e->gpio_lines;

	while (bf_pin_name_next(&p, name, line, &fault))
		;
	if (fault)
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': gpio-lines in [entry] is a list such as boot=17 "
			       "reset=27",
			       profile_name);
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		fault = pattern_fault(rows[i].text, rows[i].serial ? "rts=0 dtr=0" : e->gpio_lines,
				      rows[i].serial);
		if (fault)
			return bf_fail(err, BF_E_USAGE, "profile '%s': '%s' in [entry]: %s",
				       profile_name, rows[i].key, fault);
	}
	return BF_OK;
}

static enum bf_rc check_ways(const struct bf_profile *w, const char *profile_name,
			     struct bf_err *err)
{
	const struct bf_entry_plan *e = &w->entry;
	const struct {
		enum bf_entry_how how;
		const char *name, *text;
	} rows[] = {
		{ BF_ENTER_LINES, "lines", e->lines },
		{ BF_ENTER_GPIO, "gpio", e->gpio },
		{ BF_ENTER_HAND, "hand", e->hand },
		{ BF_ENTER_TEXT, "text", e->text },
	};
	bool joined = w->application[0] || w->loader[0];
	uint8_t bytes[96];
	size_t len;

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (!has(e, rows[i].how) || rows[i].text[0])
			continue;
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': 'how = %s' in [entry] needs the key of that name",
			       profile_name, rows[i].name);
	}
	if (!bf_escaped(e->text, bytes, sizeof(bytes), &len) ||
	    !bf_escaped(e->ready, bytes, sizeof(bytes), &len))
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': text and ready in [entry] have a '\\' that is none of "
			"\\r \\n \\t \\\\ \\xHH",
			profile_name);
	if (joined && !w->loader[0])
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': 'application' in [pack] needs 'loader'",
			       profile_name);
	if (joined && w->protocol[0])
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': 'protocol' in [pack] is for packs of one family, "
			       "'application' and 'loader' are for packs of two",
			       profile_name);
	return BF_OK;
}

static enum bf_rc check_role(const char *section, const struct bf_role_line *line,
			     const char *profile_name, struct bf_err *err)
{
	if (line->data_bits && line->data_bits < 5)
		return bf_fail(err, BF_E_USAGE, "profile '%s': data-bits in [%s] is 5 to 8, or 0",
			       profile_name, section);
	if (line->baud && line->baud < 300)
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': baud in [%s] is 300 to 12000000, or 0", profile_name,
			       section);
	if (!line->can_tx != !line->can_rx)
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': request-id and response-id in [%s] need each other",
			       profile_name, section);
	return BF_OK;
}

enum bf_rc bf_entry_check(const struct bf_profile *profile, const char *profile_name,
			  struct bf_err *err)
{
	if (check_patterns(profile, profile_name, err) || check_ways(profile, profile_name, err) ||
	    check_role("application", &profile->app_line, profile_name, err))
		return err->rc;
	return check_role("loader", &profile->loader_line, profile_name, err);
}
