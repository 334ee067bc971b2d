/* SPDX-License-Identifier: MIT */
/* Templates of requests, and patterns of answers: bytes in hex and a few words. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bmsflash/bytes.h"
#include "bmsflash/profile.h"

#define TESTER "BMSFLSH"

enum word {
	WORD_ADDR,
	WORD_SIZE,
	WORD_BLOCK,
	WORD_CRC32,
	WORD_CRC16,
	WORD_SUM,
	WORD_DATE,
	WORD_SERIAL
};

static const struct {
	const char *name;
	unsigned width, most; /* bytes; most 0: no width can be given */
} words[] = {
	[WORD_ADDR] = { "addr", 4, 4 },   [WORD_SIZE] = { "size", 4, 4 },
	[WORD_BLOCK] = { "block", 1, 4 }, [WORD_CRC32] = { "crc32", 4, 0 },
	[WORD_CRC16] = { "crc16", 2, 4 }, [WORD_SUM] = { "sum", 4, 4 },
	[WORD_DATE] = { "date", 0, 0 },   [WORD_SERIAL] = { "serial", 16, 32 },
};

struct part { /* of a template: a byte, or a word */
	bool is_word;
	uint8_t byte;
	enum word word;
	unsigned width;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool read_width(enum word word, const char *form, size_t len, unsigned *ret)
{
	unsigned n = 0;

	*ret = words[word].width;
	if (word == WORD_DATE) {
		bool known =
			len == 4 && (memcmp(form, "bcd3", 4) == 0 || memcmp(form, "bcd4", 4) == 0);

		*ret = known ? (unsigned)form[3] - '0' : 0;
		return known;
	}
	if (len == 0)
		return true;
	for (size_t i = 0; i < len && i < 3; i++) {
		if (form[i] < '0' || form[i] > '9')
			return false;
		n = 10 * n + (unsigned)(form[i] - '0');
	}
	*ret = n;
	return n >= 1 && n <= words[word].most && len < 3;
}

static const char *read_word(const char **text, struct part *ret)
{
	const char *name = *text + 1, *end = strchr(name, '}');
	size_t len = end ? (size_t)(end - name) : 0, name_len;
	const char *colon = end ? memchr(name, ':', len) : NULL;

	if (!end)
		return "a '{' without '}'";
	name_len = colon ? (size_t)(colon - name) : len;
	*text = end + 1;
	for (size_t i = 0; i < BF_COUNT(words); i++) {
		if (strlen(words[i].name) != name_len || memcmp(words[i].name, name, name_len) != 0)
			continue;
		ret->is_word = true;
		ret->word = (enum word)i;
		if (read_width(ret->word, colon ? colon + 1 : end, colon ? len - name_len - 1 : 0,
			       &ret->width))
			return NULL;
		return "a form that the word in braces does not have";
	}
	return "an unknown word in braces";
}

/* The next part; *text is NULL behind the last one. Returns what is wrong, or NULL. */
static const char *next_part(const char **text, struct part *ret)
{
	const char *p = *text;
	int high, low;

	while (is_blank(*p))
		p++;
	*ret = (struct part){ .is_word = false };
	*text = *p ? p : NULL;
	if (!*p)
		return NULL;
	if (*p == '{')
		return read_word(text, ret);
	high = bf_hex_digit(p[0]);
	low = p[0] ? bf_hex_digit(p[1]) : -1;
	if (high < 0 || low < 0)
		return "neither bytes of two hex digits nor a word in braces";
	ret->byte = (uint8_t)(high << 4 | low);
	*text = p + 2;
	return NULL;
}

const char *bf_template_fault(const char *text)
{
	const char *fault = NULL;

	while (text && !fault) {
		struct part part;

		fault = next_part(&text, &part);
	}
	return fault;
}

static void put_number(struct bf_out *o, uint32_t v, unsigned width, bool little)
{
	for (unsigned i = 0; i < width; i++)
		bf_out_u8(o, (uint8_t)(v >> 8 * (little ? i : width - 1 - i)));
}

static uint8_t bcd(int n)
{
	return (uint8_t)(n / 10 % 10 << 4 | n % 10);
}

static void put_date(struct bf_out *o, int64_t wall_us, unsigned width)
{
	time_t t = (time_t)(wall_us / 1000000);
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	if (width == 4)
		bf_out_u8(o, bcd(19 + tm.tm_year / 100));
	bf_out_u8(o, bcd(tm.tm_year % 100));
	bf_out_u8(o, bcd(tm.tm_mon + 1));
	bf_out_u8(o, bcd(tm.tm_mday));
}

static void put_serial(struct bf_out *o, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		bf_out_u8(o, i < strlen(TESTER) ? (uint8_t)TESTER[i] : ' ');
}

static void put_word(const struct part *part, const struct bf_template_values *v, struct bf_out *o)
{
	switch (part->word) {
	case WORD_ADDR:
		put_number(o, v->addr, part->width, v->little);
		break;
	case WORD_SIZE:
		put_number(o, v->size, part->width, v->little);
		break;
	case WORD_BLOCK:
		put_number(o, v->block, part->width, v->little);
		break;
	case WORD_CRC32:
		put_number(o, v->crc32, 4, v->little);
		break;
	case WORD_CRC16:
		put_number(o, v->crc16, part->width, v->little);
		break;
	case WORD_SUM:
		put_number(o, v->sum, part->width, v->little);
		break;
	case WORD_DATE:
		put_date(o, v->wall_us, part->width);
		break;
	case WORD_SERIAL:
		put_serial(o, part->width);
		break;
	}
}

static bool is_sum(const struct part *part)
{
	return part->is_word &&
	       (part->word == WORD_CRC32 || part->word == WORD_CRC16 || part->word == WORD_SUM);
}

static const char *put_parts(const char *text, const struct bf_template_values *v, bool to_sum,
			     struct bf_out *ret)
{
	while (text) {
		const char *here = text;
		struct part part;

		if (next_part(&text, &part) || !text)
			return NULL;
		if (to_sum && is_sum(&part))
			return here;
		if (part.is_word)
			put_word(&part, v, ret);
		else
			bf_out_u8(ret, part.byte);
	}
	return NULL;
}

void bf_template_put(const char *text, const struct bf_template_values *v, struct bf_out *ret)
{
	(void)put_parts(text, v, false, ret);
}

const char *bf_template_put_to_sum(const char *text, const struct bf_template_values *v,
				   struct bf_out *ret)
{
	return put_parts(text, v, true, ret);
}

/* ---- patterns ---- */

static const char *next_byte(const char **text, int *ret)
{
	const char *p = *text;
	int high, low;

	while (is_blank(*p))
		p++;
	*text = *p ? p + 2 : NULL;
	*ret = -1;
	if (!*p || (p[0] == '.' && p[1] == '.'))
		return NULL;
	high = bf_hex_digit(p[0]);
	low = bf_hex_digit(p[1]);
	if (high < 0 || low < 0)
		return "neither bytes of two hex digits nor '..'";
	*ret = high << 4 | low;
	return NULL;
}

const char *bf_pattern_fault(const char *text)
{
	const char *fault = NULL;

	while (text && !fault) {
		int byte;

		fault = next_byte(&text, &byte);
	}
	return fault;
}

bool bf_pattern_fits(const char *text, const uint8_t *p, size_t len)
{
	for (size_t i = 0;; i++) {
		int byte;

		if (next_byte(&text, &byte) || !text)
			return true;
		if (i == len || (byte >= 0 && p[i] != byte))
			return false;
	}
}
