/* SPDX-License-Identifier: MIT */
/* As much of CBOR (RFC 8949) as SMP needs. Maps and arrays are written without their lengths, as zcbor does. */
#pragma once

#include <stdbool.h>

#include "bmsflash/bytes.h"

void bf_cbor_map(struct bf_out *o);
void bf_cbor_array(struct bf_out *o);
void bf_cbor_end(struct bf_out *o); /* of a map or an array */
void bf_cbor_text(struct bf_out *o, const char *text);
void bf_cbor_text_n(struct bf_out *o, const uint8_t *p, size_t len);
void bf_cbor_bytes(struct bf_out *o, const uint8_t *p, size_t len);
void bf_cbor_int(struct bf_out *o, int64_t v);
void bf_cbor_bool(struct bf_out *o, bool v);

enum bf_cbor_kind {
	BF_CBOR_NONE, /* the key is not there */
	BF_CBOR_UINT,
	BF_CBOR_BYTES,
	BF_CBOR_TEXT,
	BF_CBOR_BOOL,
	BF_CBOR_OTHER,
};

struct bf_cbor_value {
	enum bf_cbor_kind kind;
	uint64_t n;       /* UINT, BOOL */
	const uint8_t *p; /* BYTES, TEXT: borrowed */
	size_t len;
};

/* The value of a key in a map of text keys. False: this is no such map. */
bool bf_cbor_find(const uint8_t *map, size_t len, const char *key, struct bf_cbor_value *ret);
