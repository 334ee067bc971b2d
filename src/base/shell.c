/* SPDX-License-Identifier: MIT */
#include "bmsflash/shell.h"

#include <stdio.h>
#include <string.h>

static const char plain_bytes[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";

/* Length of the UTF-8 sequence at p, 0 where there is none; *ret is its number. Over-long forms and surrogates are none. */
static size_t utf8_at(const uint8_t *p, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xE0) == 0xC0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : 4;
	uint32_t v = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));

	if (n == 4 && (p[0] & 0xF8) != 0xF0)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3F);
	}
	if (v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF))
		return 0;
	*ret = v;
	return n;
}

/* Length of a character that a terminal shows as it is; 0: to be escaped. */
static size_t shown_at(const char *s)
{
	uint32_t c = 0;
	size_t n = utf8_at((const uint8_t *)s, &c);
	bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xFEFF || c == 0x061C;
	bool layout = (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
		      (c >= 0x2060 && c <= 0x206F);

	return control || layout ? 0 : n;
}

static bool all_shown(const char *s)
{
	while (*s) {
		size_t n = shown_at(s);

		if (!n)
			return false;
		s += n;
	}
	return true;
}

static void quote_plainly(struct bf_out *out, const char *s)
{
	bf_out_u8(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			bf_out_bytes(out, "'\\''", 4);
		else
			bf_out_u8(out, (uint8_t)*s);
	}
	bf_out_u8(out, '\'');
}

static void quote_escaped(struct bf_out *out, const char *s)
{
	bf_out_bytes(out, "$'", 2);
	while (*s) {
		size_t n = shown_at(s);
		char octal[8];

		if (!n || *s == '\'' || *s == '\\') {
			snprintf(octal, sizeof(octal), "\\%03o", (unsigned)(uint8_t)*s);
			bf_out_bytes(out, octal, 4);
			n = 1;
		} else {
			bf_out_bytes(out, s, n);
		}
		s += n;
	}
	bf_out_u8(out, '\'');
}

void bf_shell_word(struct bf_out *out, const char *word)
{
	if (out->len)
		bf_out_u8(out, ' ');
	if (*word && strspn(word, plain_bytes) == strlen(word))
		bf_out_bytes(out, word, strlen(word));
	else if (all_shown(word))
		quote_plainly(out, word);
	else
		quote_escaped(out, word);
}

const char *bf_shell_quote(char *dst, size_t cap, const char *word)
{
	struct bf_out out = bf_out(dst, cap);

	bf_shell_word(&out, word);
	bf_out_u8(&out, 0);
	return out.failed ? NULL : dst;
}

void bf_next_argv(struct bf_err *err, const char *note, const char *const *argv)
{
	char text[sizeof(err->next)];
	struct bf_out out = bf_out(text, sizeof(text) - 1);
	size_t n;

	for (; *argv; argv++)
		bf_shell_word(&out, *argv);
	if (out.failed)
		return;
	n = out.len;
	if (note) {
		bf_out_bytes(&out, " # ", 3);
		bf_out_bytes(&out, note, strlen(note));
	}
	text[out.failed ? n : out.len] = '\0';
	memcpy(err->next, text, strlen(text) + 1);
}
