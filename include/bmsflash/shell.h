/* SPDX-License-Identifier: MIT */
/* Commands for people to type: words quoted as a POSIX shell takes them. */
#pragma once

#include "bmsflash/bytes.h"
#include "bmsflash/err.h"

/*
 * Appends one word of a command line, with a blank in front unless out is empty. Plain words stay as they are, others
 * get single quotes; a word with control characters, invalid UTF-8 or marks that turn the direction of text becomes
 * $'...' with octal escapes, so that the terminal shows it as it is and the shell reads the same bytes back.
 */
void bf_shell_word(struct bf_out *out, const char *word);

/* The same into a buffer, terminated; NULL where it does not fit: a word that is cut short is another word. */
const char *bf_shell_quote(char *dst, size_t cap, const char *word);

/*
 * Sets the next command of an error to these words (ended by NULL), each quoted. The note (may be NULL) follows behind
 * " # ". Too long: the note is left out; still too long: the record keeps what it has, for half a command is another one.
 */
void bf_next_argv(struct bf_err *err, const char *note, const char *const *argv);
