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
};

/* Moves to the next line that is not blank; false at the end of the file. */
bool bf_textrec_next(struct bf_textrec *rec);
/* Decodes the line's digits behind the first skip characters into bytes. */
enum bf_rc bf_textrec_decode(struct bf_textrec *rec, size_t skip, struct bf_err *err);
/* Column (from 1) of the first digit of byte i. */
size_t bf_textrec_column(const struct bf_textrec *rec, size_t i);
