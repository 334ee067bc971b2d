/* SPDX-License-Identifier: MIT */
/*
 * Text from outside (device strings, file names, names of processes, answers) on its way to a terminal or a
 * log. Control characters (C0, DEL, C1), marks that change the direction of writing, line separators and
 * bytes that are not UTF-8 become visible escapes: \n, \t, \x1b, \u202e. All else, the backslash included,
 * stays, so that escaping twice changes nothing.
 *
 * Error records and log lines are escaped where they are filled; a printer of other text uses these.
 */
#pragma once

#include <stdarg.h>

#include "bmsflash/base.h"

/* Length of the character at the beginning of n bytes when a terminal shows it as it is; 0: to be escaped. */
size_t bf_text_shown(const char *p, size_t n);

/* Copies src, cut at a whole character or escape where it does not fit. Returns dst. */
char *bf_text_escape(char *dst, size_t cap, const char *src);
/* The same from the first n bytes of src; a NUL among them is escaped, too. */
char *bf_text_escape_n(char *dst, size_t cap, const char *src, size_t n);
/* The same for text that is formatted first. */
char *bf_text_format(char *dst, size_t cap, const char *fmt, ...) BF_PRINTF(3, 4);
char *bf_text_vformat(char *dst, size_t cap, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
