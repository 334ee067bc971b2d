/* SPDX-License-Identifier: MIT */
/* Lines of hex digits, as Intel HEX and S-record files have them. */
#pragma once

#include "image/image_priv.h"

/* The longest record of either format: Intel HEX, 255 bytes of data and 5 around them. */
#define BF_REC_MAX 260

struct bf_textrec {
	const char *path;
	const uint8_t *p; /* the whole file */
	size_t len, pos;
	size_t line;         /* of the record below, from 1 */
	const uint8_t *text; /* the record's line without white space at its end */
	size_t text_len;
	uint8_t bytes[BF_REC_MAX]; /* its hex digits behind the first `skip` characters */
	size_t n;
	size_t skip;
	size_t indent; /* white space in front of the record */
	size_t before,
		behind; /* lines of other text that were passed over: in front of the first record, behind the end */
	size_t end_line; /* of the end record, 0: not met yet */
};

/* Moves to the next line that is not blank; false at the end of the file. A UTF-8 mark and indentation are passed over. */
bool bf_textrec_next(struct bf_textrec *rec);
/* ':' or 'S' when the line looks like a record of Intel HEX or S-record, right or wrong; '\0' for other text. */
char bf_textrec_kind(const struct bf_textrec *rec);
/* Only characters that a text has. */
bool bf_textrec_printable(const struct bf_textrec *rec);
/*
 * Whether the line is text around the records rather than one of them: comments in front of the first, and padding or
 * remarks behind the end record. A record behind the end is a second part and an error: *ret_rc.
 */
bool bf_textrec_around(struct bf_textrec *rec, bool begun, enum bf_rc *ret_rc, struct bf_err *err);
/* What was passed over, for people; leaves note alone when there is nothing to say. */
void bf_textrec_note(const struct bf_textrec *rec, char *note, size_t cap);
/* Decodes the line's digits behind the first skip characters into bytes. */
enum bf_rc bf_textrec_decode(struct bf_textrec *rec, size_t skip, struct bf_err *err);
/* Column (from 1) of the first digit of byte i. */
size_t bf_textrec_column(const struct bf_textrec *rec, size_t i);
