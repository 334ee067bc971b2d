/* SPDX-License-Identifier: MIT */
/* The user's terminal: what it understands, its echo while a live line stands on it, and questions. */
#pragma once

#include <stdbool.h>
#include <termios.h>

#include "bmsflash/session.h"

struct bf_terminal {
	struct termios before;
	bool changed; /* its echo is off */
	char line[16];
	size_t n;
};

/* Understands carriage return, erasing and colours. */
bool bf_terminal_is(int fd);
bool bf_terminal_utf8(void);
/* Standard input and standard error are terminals: somebody can be asked. */
bool bf_terminal_asks(void);
/* Nothing that is typed is shown until restored; input is kept. */
void bf_terminal_quiet(struct bf_terminal *t);
void bf_terminal_restore(struct bf_terminal *t);
void bf_terminal_ask(struct bf_terminal *t, const char *question);
enum bf_answer bf_terminal_answer(struct bf_terminal *t, bool wait);
