/* SPDX-License-Identifier: MIT */
#include "smp_cbor.h"

#include <string.h>

#include <cbor.h>

/* ---- one item, as the library decodes it ---- */

enum token {
	TOKEN_VALUE,
	TOKEN_DEFINITE, /* a map or list of `count` entries */
	TOKEN_OPEN,     /* ... or a string in parts, until the break */
	TOKEN_BREAK,
	TOKEN_TAG,
};

struct token_of {
	enum token token;
	struct smp_item item;
	size_t count;
};

static void set(void *ctx, enum smp_kind kind, uint64_t number)
{
	struct token_of *t = ctx;

	t->token = TOKEN_VALUE;
	t->item = (struct smp_item){ .kind = kind, .number = number };
}

static void on_u8(void *ctx, uint8_t v)
{
	set(ctx, SMP_NUMBER, v);
}

static void on_u16(void *ctx, uint16_t v)
{
	set(ctx, SMP_NUMBER, v);
}

static void on_u32(void *ctx, uint32_t v)
{
	set(ctx, SMP_NUMBER, v);
}

static void on_u64(void *ctx, uint64_t v)
{
	set(ctx, SMP_NUMBER, v);
}

/* Nothing in SMP that we ask for is negative. */
static void on_n8(void *ctx, uint8_t v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void on_n16(void *ctx, uint16_t v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void on_n32(void *ctx, uint32_t v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void on_n64(void *ctx, uint64_t v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void set_string(void *ctx, enum smp_kind kind, cbor_data p, size_t len)
{
	struct token_of *t = ctx;

	set(ctx, kind, 0);
	t->item.p = p;
	t->item.len = len;
}

static void on_bytes(void *ctx, cbor_data p, size_t len)
{
	set_string(ctx, SMP_BYTES, p, len);
}

static void on_text(void *ctx, cbor_data p, size_t len)
{
	set_string(ctx, SMP_TEXT, p, len);
}

static void set_container(void *ctx, enum smp_kind kind, enum token token, size_t count)
{
	struct token_of *t = ctx;

	set(ctx, kind, 0);
	t->token = token;
	t->count = count;
}

static void on_list(void *ctx, size_t n)
{
	set_container(ctx, SMP_LIST, TOKEN_DEFINITE, n);
}

static void on_map(void *ctx, size_t n)
{
	set_container(ctx, SMP_MAP, TOKEN_DEFINITE, n);
}

static void on_open_list(void *ctx)
{
	set_container(ctx, SMP_LIST, TOKEN_OPEN, 0);
}

static void on_open_map(void *ctx)
{
	set_container(ctx, SMP_MAP, TOKEN_OPEN, 0);
}

static void on_open_string(void *ctx)
{
	set_container(ctx, SMP_OTHER, TOKEN_OPEN, 0);
}

static void on_tag(void *ctx, uint64_t tag)
{
	(void)tag;
	set_container(ctx, SMP_OTHER, TOKEN_TAG, 0);
}

static void on_float(void *ctx, float v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void on_double(void *ctx, double v)
{
	(void)v;
	set(ctx, SMP_OTHER, 0);
}

static void on_nothing(void *ctx)
{
	set(ctx, SMP_OTHER, 0);
}

static void on_bool(void *ctx, bool v)
{
	set(ctx, SMP_BOOL, v);
}

static void on_break(void *ctx)
{
	set_container(ctx, SMP_OTHER, TOKEN_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_u8,
	.uint16 = on_u16,
	.uint32 = on_u32,
	.uint64 = on_u64,
	.negint8 = on_n8,
	.negint16 = on_n16,
	.negint32 = on_n32,
	.negint64 = on_n64,
	.byte_string_start = on_open_string,
	.byte_string = on_bytes,
	.string = on_text,
	.string_start = on_open_string,
	.indef_array_start = on_open_list,
	.array_start = on_list,
	.indef_map_start = on_open_map,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_nothing,
	.null = on_nothing,
	.boolean = on_bool,
	.indef_break = on_break,
};

/* ---- all of them ---- */

struct level {
	size_t item; /* index of the map or list */
	bool open;
	size_t left; /* entries to come, keys of maps included, where it is not open */
	bool has_key;
	struct smp_item key;
};

struct parser {
	struct smp_doc *doc;
	struct level levels[SMP_DEPTH];
	unsigned depth;
	bool tagged, done;
};

/* A map or list that has all its entries is one entry of what it is in. */
static void end_entry(struct parser *ps)
{
	while (ps->depth) {
		struct level *l = &ps->levels[ps->depth - 1];

		if (!l->open && l->left)
			l->left--;
		if (l->open || l->left)
			return;
		ps->doc->items[l->item].after = ps->doc->n;
		ps->depth--;
	}
	ps->done = true;
}

static bool push(struct parser *ps, const struct token_of *t)
{
	bool map = t->item.kind == SMP_MAP;

	if (ps->depth == SMP_DEPTH || t->count > SMP_ITEMS)
		return false;
	if (t->token == TOKEN_DEFINITE && !t->count) {
		ps->doc->items[ps->doc->n - 1].after = ps->doc->n;
		end_entry(ps);
		return true;
	}
	ps->levels[ps->depth++] = (struct level){
		.item = ps->doc->n - 1,
		.open = t->token == TOKEN_OPEN,
		.left = map ? 2 * t->count : t->count,
	};
	return true;
}

static bool close_open(struct parser *ps)
{
	struct level *l = ps->depth ? &ps->levels[ps->depth - 1] : NULL;

	if (!l || !l->open || l->has_key || ps->tagged)
		return false;
	ps->doc->items[l->item].after = ps->doc->n;
	ps->depth--;
	end_entry(ps);
	return true;
}

/* A key is no item of its own: it goes with its value. */
static bool take_key(struct parser *ps, const struct token_of *t)
{
	struct level *l = ps->depth ? &ps->levels[ps->depth - 1] : NULL;

	if (!l || ps->doc->items[l->item].kind != SMP_MAP || l->has_key)
		return false;
	l->has_key = true;
	l->key = t->item;
	if (!l->open)
		l->left--;
	return true;
}

static bool take(struct parser *ps, const struct token_of *t)
{
	struct level *l = ps->depth ? &ps->levels[ps->depth - 1] : NULL;
	struct smp_item *item;

	if (t->token == TOKEN_BREAK)
		return close_open(ps);
	if (t->token == TOKEN_TAG) {
		ps->tagged = true;
		return true;
	}
	ps->tagged = false;
	/* Keys that are no plain strings or numbers: nobody has these. */
	if (l && ps->doc->items[l->item].kind == SMP_MAP && !l->has_key && t->token != TOKEN_VALUE)
		return false;
	if (take_key(ps, t))
		return true;
	if (ps->doc->n == SMP_ITEMS)
		return false;
	item = &ps->doc->items[ps->doc->n++];
	*item = t->item;
	item->after = ps->doc->n;
	if (l && l->has_key && l->key.kind == SMP_TEXT) {
		item->key = l->key.p;
		item->key_len = l->key.len;
	}
	if (l)
		l->has_key = false;
	if (t->token != TOKEN_VALUE)
		return push(ps, t);
	end_entry(ps);
	return true;
}

bool bf_smp_parse(const uint8_t *p, size_t len, struct smp_doc *ret)
{
	struct parser ps = { .doc = ret };
	size_t at = 0;

	ret->n = 0;
	if (!len) {
		ret->items[ret->n++] = (struct smp_item){ .kind = SMP_MAP, .after = 1 };
		return true;
	}
	while (!ps.done) {
		struct token_of t = { 0 };
		struct cbor_decoder_result r = cbor_stream_decode(p + at, len - at, &callbacks, &t);

		if (r.status != CBOR_DECODER_FINISHED || !r.read || !take(&ps, &t))
			return false;
		at += r.read;
	}
	return true;
}

bool bf_smp_is_key(const struct smp_item *item, const char *key)
{
	size_t n = strlen(key);

	return item->key && item->key_len == n && memcmp(item->key, key, n) == 0;
}

const struct smp_item *bf_smp_each(const struct smp_doc *doc, const struct smp_item *in,
				   const struct smp_item *at)
{
	size_t first = (size_t)(in - doc->items) + 1;
	size_t next = at ? at->after : first;

	return next < in->after ? &doc->items[next] : NULL;
}

const struct smp_item *bf_smp_get(const struct smp_doc *doc, const struct smp_item *map,
				  const char *key, enum smp_kind kind)
{
	if (map->kind != SMP_MAP)
		return NULL;
	for (const struct smp_item *i = bf_smp_each(doc, map, NULL); i;
	     i = bf_smp_each(doc, map, i)) {
		if (bf_smp_is_key(i, key))
			return i->kind == kind ? i : NULL;
	}
	return NULL;
}

/* ---- writing ---- */

#define HEAD 9 /* bytes at most */

void bf_smp_put_map(struct bf_out *o, size_t pairs)
{
	uint8_t head[HEAD];

	bf_out_bytes(o, head, cbor_encode_map_start(pairs, head, sizeof(head)));
}

void bf_smp_put_text(struct bf_out *o, const char *text)
{
	uint8_t head[HEAD];
	size_t n = strlen(text);

	bf_out_bytes(o, head, cbor_encode_string_start(n, head, sizeof(head)));
	bf_out_bytes(o, text, n);
}

void bf_smp_put_number(struct bf_out *o, const char *key, uint64_t value)
{
	uint8_t head[HEAD];

	bf_smp_put_text(o, key);
	bf_out_bytes(o, head, cbor_encode_uint(value, head, sizeof(head)));
}

void bf_smp_put_bool(struct bf_out *o, const char *key, bool value)
{
	uint8_t head[HEAD];

	bf_smp_put_text(o, key);
	bf_out_bytes(o, head, cbor_encode_bool(value, head, sizeof(head)));
}

void bf_smp_put_string(struct bf_out *o, const char *key, const char *value)
{
	bf_smp_put_text(o, key);
	bf_smp_put_text(o, value);
}

void bf_smp_put_bytes(struct bf_out *o, const char *key, const uint8_t *p, size_t len)
{
	uint8_t head[HEAD];

	bf_smp_put_text(o, key);
	bf_out_bytes(o, head, cbor_encode_bytestring_start(len, head, sizeof(head)));
	bf_out_bytes(o, p, len);
}
