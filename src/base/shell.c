/* SPDX-License-Identifier: MIT */
#include "bmsflash/shell.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/text.h"

static const char plain_bytes[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";

static bool all_shown(const char *s)
{
	while (*s) {
		size_t n = bf_text_shown(s, strlen(s));

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
		size_t n = bf_text_shown(s, strlen(s));
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
