/* SPDX-License-Identifier: MIT */
/* Values from text, strictly: the whole word, in range, or not at all. */
#include "profile/keys.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DIGITS     "0123456789"
#define HEX_DIGITS "0123456789abcdefABCDEF"
#define WORD       "abcdefghijklmnopqrstuvwxyz0123456789-"

static bool only(const char *text, const char *set)
{
	return *text && text[strspn(text, set)] == '\0';
}

static bool number(const struct bf_key_row *row, const char *text, uint64_t *ret)
{
	bool hex = strncmp(text, "0x", 2) == 0;
	unsigned long long v;

	if (!only(hex ? text + 2 : text, hex ? HEX_DIGITS : DIGITS))
		return false;
	errno = 0;
	v = strtoull(text, NULL, hex ? 16 : 10);
	if (errno || v > UINT32_MAX || (double)v < row->min || (double)v > row->max)
		return false;
	*ret = v;
	return true;
}

static void store(const struct bf_key_row *row, void *at, uint64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	if (row->size == sizeof(u8))
		memcpy(at, &u8, sizeof(u8));
	else if (row->size == sizeof(u16))
		memcpy(at, &u16, sizeof(u16));
	else if (row->size == sizeof(u32))
		memcpy(at, &u32, sizeof(u32));
	else
		abort(); /* a row for a member of another size: the tests set every key */
}

static bool set_number(const struct bf_key_row *row, void *at, const char *text)
{
	uint64_t v;

	if ((row->kind == BF_VALUE_PAD && strcmp(text, "none") == 0) ||
	    (row->kind == BF_VALUE_AUTO && strcmp(text, "auto") == 0)) {
		store(row, at, (uint64_t)-1);
		return true;
	}
	if (!number(row, text, &v))
		return false;
	store(row, at, v);
	return true;
}

static bool set_real(const struct bf_key_row *row, void *at, const char *text)
{
	char *end;
	double v;

	if (!only(text, DIGITS "+-.eE")) /* no "inf", no hexadecimal floats */
		return false;
	v = strtod(text, &end);
	if (*end || !isfinite(v) || v < row->min || v > row->max)
		return false;
	memcpy(at, &v, sizeof(v));
	return true;
}

static bool set_text(const struct bf_key_row *row, void *at, const char *text)
{
	if (strlen(text) >= row->size)
		return false;
	if (row->kind == BF_VALUE_WORD && *text && !only(text, WORD))
		return false;
	memset(at, 0, row->size);
	memcpy(at, text, strlen(text));
	return true;
}

static bool set_template(const struct bf_key_row *row, void *at, const char *text)
{
	const char *fault =
		row->kind == BF_VALUE_TEMPLATE ? bf_template_fault(text) : bf_pattern_fault(text);

	if (row->kind == BF_VALUE_HEX && (strchr(text, '.') || strcmp(text, "none") == 0))
		fault = strcmp(text, "none") == 0 ? NULL : "no '..' here";
	return !fault && set_text(row, at, text);
}

static bool set_bool(void *at, const char *text)
{
	bool v = strcmp(text, "yes") == 0;

	if (!v && strcmp(text, "no") != 0)
		return false;
	memcpy(at, &v, sizeof(v));
	return true;
}

static const struct bf_choice *choice(const struct bf_key_row *row, const char *text)
{
	for (const struct bf_choice *c = row->choices; c->name; c++) {
		if (strcmp(c->name, text) == 0)
			return c;
	}
	return NULL;
}

static bool set_choice(const struct bf_key_row *row, void *at, const char *text)
{
	const struct bf_choice *c = choice(row, text);

	if (c)
		store(row, at, (uint64_t)c->value);
	return c != NULL;
}

/* The next word of a list separated by commas; false when it is empty or too long. */
static bool next_word(const char **text, char *dst, size_t cap)
{
	const char *from = *text + strspn(*text, " \t");
	size_t len = strcspn(from, ",");
	const char *after = from + len;

	while (len && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	if (len == 0 || len >= cap)
		return false;
	memcpy(dst, from, len);
	dst[len] = '\0';
	*text = *after ? after + 1 : NULL;
	return true;
}

static bool set_flags(const struct bf_key_row *row, void *at, const char *text)
{
	unsigned flags = 0;
	char word[16];

	for (const char *p = strcmp(text, "none") == 0 ? NULL : text; p;) {
		const struct bf_choice *c;

		if (!next_word(&p, word, sizeof(word)))
			return false;
		c = choice(row, word);
		if (!c)
			return false;
		flags |= (unsigned)c->value;
	}
	store(row, at, flags);
	return true;
}

static bool set_rates(const struct bf_key_row *row, void *at, const char *text)
{
	uint32_t rates[BF_PROFILE_RATES] = { 0 };
	size_t n = 0;
	char word[16];
	uint64_t v;

	for (const char *p = text; p; rates[n++] = (uint32_t)v) {
		if (n == BF_PROFILE_RATES - 1) /* the list always ends with 0 */
			return false;
		if (!next_word(&p, word, sizeof(word)) || !number(row, word, &v))
			return false;
		if (n && v >= rates[n - 1])
			return false;
	}
	memcpy(at, rates, sizeof(rates));
	return true;
}

static bool set_codes(const struct bf_key_row *row, void *at, const char *text)
{
	struct bf_codes codes = { 0 };
	char word[16];
	uint64_t v;

	for (const char *p = strcmp(text, "none") == 0 ? NULL : text; p;
	     codes.code[codes.n++] = (uint8_t)v) {
		if (codes.n == BF_PROFILE_CODES)
			return false;
		if (!next_word(&p, word, sizeof(word)) || !number(row, word, &v))
			return false;
	}
	memcpy(at, &codes, sizeof(codes));
	return true;
}

/* Each at most once. */
static bool set_order(const struct bf_key_row *row, void *at, const char *text)
{
	struct bf_codes codes = { 0 };
	char word[16];

	for (const char *p = text; p;) {
		const struct bf_choice *c;

		if (codes.n == BF_PROFILE_CODES || !next_word(&p, word, sizeof(word)))
			return false;
		c = choice(row, word);
		if (!c || memchr(codes.code, c->value, codes.n))
			return false;
		codes.code[codes.n++] = (uint8_t)c->value;
	}
	memcpy(at, &codes, sizeof(codes));
	return true;
}

bool bf_key_set(const struct bf_key_row *row, void *base, const char *text)
{
	void *at = (char *)base + row->offset;

	switch (row->kind) {
	case BF_VALUE_TEXT:
	case BF_VALUE_PATH:
	case BF_VALUE_WORD:
		return set_text(row, at, text);
	case BF_VALUE_NUMBER:
	case BF_VALUE_PAD:
	case BF_VALUE_AUTO:
		return set_number(row, at, text);
	case BF_VALUE_CODES:
		return set_codes(row, at, text);
	case BF_VALUE_REAL:
		return set_real(row, at, text);
	case BF_VALUE_TEMPLATE:
	case BF_VALUE_PATTERN:
	case BF_VALUE_HEX:
		return set_template(row, at, text);
	case BF_VALUE_BOOL:
		return set_bool(at, text);
	case BF_VALUE_CHOICE:
		return set_choice(row, at, text);
	case BF_VALUE_ORDER:
		return set_order(row, at, text);
	case BF_VALUE_FLAGS:
		return set_flags(row, at, text);
	case BF_VALUE_RATES:
		return set_rates(row, at, text);
	}
	return false;
}

/* "auto, iso14230 or hdlc" */
static void list_choices(const struct bf_choice *c, char *dst, size_t cap)
{
	dst[0] = '\0';
	for (size_t at = 0; c->name && at < cap; c++) {
		const char *between = at == 0 ? "" : c[1].name ? ", " : " or ";

		at += (size_t)snprintf(dst + at, cap - at, "%s%s", between, c->name);
	}
}

static void range(const struct bf_key_row *row, char *dst, size_t cap)
{
	bool hex = strncmp(row->def, "0x", 2) == 0 || row->kind == BF_VALUE_AUTO ||
		   row->kind == BF_VALUE_CODES;

	if (row->kind == BF_VALUE_REAL)
		snprintf(dst, cap, "%.7g to %.7g", row->min, row->max);
	else if (hex)
		snprintf(dst, cap, "0x%X to 0x%X", (unsigned)row->min, (unsigned)row->max);
	else
		snprintf(dst, cap, "%u to %u", (unsigned)row->min, (unsigned)row->max);
}

void bf_key_allowed(const struct bf_key_row *row, char *dst, size_t cap)
{
	char part[96] = "";

	if (row->choices)
		list_choices(row->choices, part, sizeof(part));
	else
		range(row, part, sizeof(part));
	switch (row->kind) {
	case BF_VALUE_TEXT:
		snprintf(dst, cap, "text of up to %zu bytes", row->size - 1);
		return;
	case BF_VALUE_PATH:
		snprintf(dst, cap, "a file name of up to %zu bytes", row->size - 1);
		return;
	case BF_VALUE_WORD:
		snprintf(dst, cap, "up to %zu lower-case letters, digits and '-'", row->size - 1);
		return;
	case BF_VALUE_TEMPLATE:
		snprintf(dst, cap, "a template, see TEMPLATES");
		return;
	case BF_VALUE_PATTERN:
		snprintf(dst, cap, "bytes in hex, .. for any byte");
		return;
	case BF_VALUE_HEX:
		snprintf(dst, cap, "bytes in hex");
		return;
	case BF_VALUE_BOOL:
		snprintf(dst, cap, "yes or no");
		return;
	case BF_VALUE_PAD:
		snprintf(dst, cap, "%s, or none", part);
		return;
	case BF_VALUE_AUTO:
		snprintf(dst, cap, "%s, or auto", part);
		return;
	case BF_VALUE_CODES:
		snprintf(dst, cap, "up to %d numbers of %s, separated by commas, or none",
			 BF_PROFILE_CODES, part);
		return;
	case BF_VALUE_ORDER:
		snprintf(dst, cap, "some of %s, separated by commas, first what is tried first",
			 part);
		return;
	case BF_VALUE_FLAGS:
		snprintf(dst, cap, "any of %s, separated by commas, or none", part);
		return;
	case BF_VALUE_RATES:
		snprintf(dst, cap, "up to %d rates of %s, separated by commas, fastest first",
			 BF_PROFILE_RATES - 1, part);
		return;
	case BF_VALUE_NUMBER:
	case BF_VALUE_REAL:
	case BF_VALUE_CHOICE:
		snprintf(dst, cap, "%s", part);
		return;
	}
}
