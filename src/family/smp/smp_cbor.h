/* SPDX-License-Identifier: MIT */
/*
 * The CBOR of SMP (RFC 8949): one map a packet. An answer is read into a flat list of items, bounded in number and
 * depth; strings stay where they are in the packet. libcbor decodes one item at a time and allocates nothing.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"
#include "bmsflash/bytes.h"

#define SMP_ITEMS 192u /* eight images with all their flags, and room */
#define SMP_DEPTH 8u

enum smp_kind { SMP_NUMBER, SMP_BYTES, SMP_TEXT, SMP_BOOL, SMP_LIST, SMP_MAP, SMP_OTHER };

struct smp_item {
	enum smp_kind kind;
	uint64_t number;  /* SMP_NUMBER, SMP_BOOL */
	const uint8_t *p; /* SMP_BYTES, SMP_TEXT */
	size_t len;
	const uint8_t *key; /* in a map: its key, where that is text */
	size_t key_len;
	size_t after; /* index of the first item that is not in this one */
};

struct smp_doc {
	struct smp_item items[SMP_ITEMS]; /* in order; those of a map or list follow it */
	size_t n;
};

/* True when p begins with one whole item, which then is ret->items[0]. No bytes: an empty map. */
bool bf_smp_parse(const uint8_t *p, size_t len, struct smp_doc *ret);
/* The member of a map with this key and of this kind, or NULL. */
const struct smp_item *bf_smp_get(const struct smp_doc *doc, const struct smp_item *map,
				  const char *key, enum smp_kind kind);
/* What is in a map or list, one after the other: at == NULL begins; NULL: no more. */
const struct smp_item *bf_smp_each(const struct smp_doc *doc, const struct smp_item *in,
				   const struct smp_item *at);
bool bf_smp_is_key(const struct smp_item *item, const char *key);

void bf_smp_put_map(struct bf_out *o, size_t pairs);
void bf_smp_put_text(struct bf_out *o, const char *text);
void bf_smp_put_number(struct bf_out *o, const char *key, uint64_t value);
void bf_smp_put_bool(struct bf_out *o, const char *key, bool value);
void bf_smp_put_string(struct bf_out *o, const char *key, const char *value);
void bf_smp_put_bytes(struct bf_out *o, const char *key, const uint8_t *p, size_t len);
