/* SPDX-License-Identifier: MIT */
/*
 * The tables of keys, and values to and from text. No file, no inih: the man page's generator uses it. What a family
 * alone reads is a table of its own in its folder, NAME_keys.c, which knows this header and its own struct.
 */
#pragma once

#include "bmsflash/profile.h"

enum bf_value_kind {
	BF_VALUE_TEXT,   /* up to the member's size */
	BF_VALUE_PATH,   /* a file; without a leading slash its place is that of the profile */
	BF_VALUE_WORD,   /* text of lower-case letters, digits and '-' */
	BF_VALUE_NUMBER, /* whole, decimal or 0x hexadecimal */
	BF_VALUE_PAD,    /* a number, or "none" for -1 */
	BF_VALUE_AUTO,   /* a number, or "auto" for all bits set */
	BF_VALUE_CODES,  /* numbers separated by commas, into struct bf_codes */
	BF_VALUE_REAL,
	BF_VALUE_BOOL,     /* "yes" or "no" */
	BF_VALUE_CHOICE,   /* one of `choices` */
	BF_VALUE_ORDER,    /* some of `choices`, separated by commas, into struct bf_codes */
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
	BF_SCOPE_PERIODIC,
	BF_SCOPE_FAMILY /* the settings of the family whose table the row is in */
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

/* Offset and size of a member, as a row has them. */
#define BF_IN(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* The keys of one family, and where they go: a struct of its own, copied by value with the profile. */
struct bf_profile_section {
	const char *name; /* of the family */
	size_t size;      /* of its struct */
	const struct bf_key_row *rows;
	size_t n_rows;
	/* What one key cannot tell; `profile_name` is for messages. May be NULL. */
	enum bf_rc (*check)(const void *settings, const struct bf_profile *profile,
			    const char *profile_name, struct bf_err *err);
	/* As bf_profile_note, for these keys. May be NULL. */
	bool (*note)(const void *settings, const struct bf_profile *profile, size_t i, char *dst,
		     size_t cap);
	/* As bf_profile_seed_program and bf_profile_shows_firmware. May be NULL. */
	const char *(*seed_program)(const void *settings);
	bool (*shows_firmware)(const void *settings);
};

/* Of all families, those that are switched off included; ends with NULL. */
extern const struct bf_profile_section *const bf_profile_sections[];

/* Upper bound of the number of rows, for arrays that run beside the tables. */
#define BF_KEY_ROWS_MAX 512

extern const struct bf_choice bf_quantity_kinds[];

/* Row number i of all tables, the general one first, or NULL. *ret_section: of the family, NULL: general. */
const struct bf_key_row *bf_key_row(size_t i, const struct bf_profile_section **ret_section);
/* The row of a key, or NULL; *ret_i its number. */
const struct bf_key_row *bf_key_find(const char *section, const char *key, size_t *ret_i,
				     const struct bf_profile_section **ret_section);
/* Where the family's struct is in a profile. */
void *bf_key_settings(struct bf_profile *profile, const struct bf_profile_section *section);
bool bf_key_section_known(const char *section);
/* The keys of joined packs: [entry], [application], [loader]. */
enum bf_rc bf_entry_check(const struct bf_profile *profile, const char *profile_name,
			  struct bf_err *err);
/* What the row takes, in words: "0 to 255". */
void bf_key_allowed(const struct bf_key_row *row, char *dst, size_t cap);
/* Puts the value into the struct at base; false, and nothing changed, when the row does not take it. */
bool bf_key_set(const struct bf_key_row *row, void *base, const char *text);
