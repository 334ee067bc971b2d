/* SPDX-License-Identifier: MIT */
/* The table of keys, and values to and from text. No file, no inih: the man page's generator uses it. */
#pragma once

#include "bmsflash/profile.h"

enum bf_value_kind {
	BF_VALUE_TEXT,   /* up to the member's size */
	BF_VALUE_WORD,   /* text of lower-case letters, digits and '-' */
	BF_VALUE_NUMBER, /* whole, decimal or 0x hexadecimal */
	BF_VALUE_PAD,    /* a number, or "none" for -1 */
	BF_VALUE_AUTO,   /* a number, or "auto" for all bits set */
	BF_VALUE_CODES,  /* numbers separated by commas, into struct bf_codes */
	BF_VALUE_REAL,
	BF_VALUE_BOOL,     /* "yes" or "no" */
	BF_VALUE_CHOICE,   /* one of `choices` */
	BF_VALUE_FLAGS,    /* any of `choices`, separated by commas, or "none" */
	BF_VALUE_TEMPLATE, /* bytes in hex with placeholders, or empty */
	BF_VALUE_PATTERN,  /* bytes in hex, ".." for any, or empty */
	BF_VALUE_HEX,      /* bytes in hex, or empty; "none" stays as it is */
	BF_VALUE_RATES,    /* numbers separated by commas, fastest first */
};

struct bf_choice { /* ends with name NULL */
	const char *name;
	int value;
};

/* Which struct the offset counts in. */
enum bf_scope {
	BF_SCOPE_PROFILE,
	BF_SCOPE_REGION,
	BF_SCOPE_QUANTITY,
	BF_SCOPE_STEP,
	BF_SCOPE_PERIODIC
};

struct bf_key_row {
	const char *section, *key;
	enum bf_value_kind kind;
	enum bf_scope scope;
	size_t offset, size;
	double min, max;
	const char *def; /* as text: what is laid down first */
	const struct bf_choice *choices;
	const char *help;
};

/* Upper bound of the number of rows, for arrays that run beside the table. */
#define BF_KEY_ROWS_MAX 192

extern const struct bf_key_row bf_key_rows[];
extern const size_t bf_key_rows_n;
extern const struct bf_choice bf_quantity_kinds[];

/* The row of a key, or NULL. */
const struct bf_key_row *bf_key_find(const char *section, const char *key);
bool bf_key_section_known(const char *section);
/* What the row takes, in words: "0 to 255". */
void bf_key_allowed(const struct bf_key_row *row, char *dst, size_t cap);
/* Puts the value into the struct at base; false, and nothing changed, when the row does not take it. */
bool bf_key_set(const struct bf_key_row *row, void *base, const char *text);
