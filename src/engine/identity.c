/* SPDX-License-Identifier: MIT */
/*
 * Whose backup is it? A serial number identifies a pack only where it is one: production lines flash packs before
 * it is programmed, and many bootloaders ship one number for all.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "run.h"

#define SERIAL_MAX 64

/* Letters and digits alone: separators do not make a placeholder a serial number. */
static size_t significant(const char *serial, char dst[SERIAL_MAX])
{
	size_t n = 0;

	for (; *serial && n + 1 < SERIAL_MAX; serial++) {
		if (isalnum((unsigned char)*serial))
			dst[n++] = (char)toupper((unsigned char)*serial);
	}
	dst[n] = '\0';
	return n;
}

static bool is_one_character(const char *s, size_t n)
{
	return strspn(s, (char[]){ s[0], '\0' }) == n;
}

/* Part of "0123456789ABCDEF...", also with the zero behind the nine. */
static bool is_counting(const char *s, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		bool follows = s[i] == s[i - 1] + 1 || (s[i - 1] == '9' && s[i] == '0') ||
			       (s[i - 1] == '9' && s[i] == 'A') || (s[i - 1] == 'F' && s[i] == '0');

		if (!follows)
			return false;
	}
	return n > 2;
}

/* "1", "0001": what a counter says before anybody counted. */
static bool is_first_number(const char *s)
{
	s += strspn(s, "0");
	return strcmp(s, "1") == 0;
}

static bool is_placeholder_word(const char *s)
{
	static const char *const words[] = { "DEFAULT", "SERIAL",  "SERIALNUMBER",    "NONE",
					     "NA",      "UNKNOWN", "TOBEFILLEDBYOEM", "TEST" };

	for (size_t i = 0; i < BF_COUNT(words); i++) {
		if (strcmp(words[i], s) == 0)
			return true;
	}
	return false;
}

bool bf_serial_identifies(const char *serial)
{
	char s[SERIAL_MAX];
	size_t n = significant(serial, s);

	/* As long as its field: the rest may have been cut off. */
	if (strlen(serial) + 1 >= sizeof(((struct bf_ident *)0)->serial))
		return false;
	return n && !is_one_character(s, n) && !is_counting(s, n) && !is_first_number(s) &&
	       !is_placeholder_word(s);
}

enum bf_same_pack bf_backup_is_of(const struct bf_run *run, const struct bf_backup *b)
{
	const struct bf_json *id = bf_backup_identity(b);
	const char *serial = bf_json_str(id, "serial"), *class_hex = bf_json_str(id, "class");
	char text[33];

	if (class_hex && run->ident.has_cid &&
	    strcasecmp(class_hex, bf_hex(text, sizeof(text), run->ident.cid, 16)) != 0)
		return BF_PACK_OTHER;
	if (!serial || !bf_serial_identifies(serial) || !bf_serial_identifies(run->ident.serial))
		return BF_PACK_UNKNOWN;
	if (strcmp(serial, run->ident.serial) == 0)
		return BF_PACK_SAME;
	/* A loader in ROM tells the chip's number, not the pack's. */
	return run->ident.in_bootloader ? BF_PACK_UNKNOWN : BF_PACK_OTHER;
}
