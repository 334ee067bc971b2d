/* SPDX-License-Identifier: MIT */
/* The user's terminal: what it understands, its echo while a live line stands on it, and questions. */
#include "terminal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

bool bf_terminal_is(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool bf_terminal_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < BF_COUNT(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

bool bf_terminal_asks(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* A background job that changes the terminal would be stopped. */
static bool in_front(void)
{
	return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void bf_terminal_quiet(struct bf_terminal *t)
{
	struct termios now;

	if (t->changed || !isatty(STDIN_FILENO) || !in_front() ||
	    tcgetattr(STDIN_FILENO, &t->before) < 0)
		return;
	now = t->before;
	now.c_lflag &= ~(tcflag_t)ECHO;
	t->changed = tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

void bf_terminal_restore(struct bf_terminal *t)
{
	if (t->changed && in_front())
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
	t->changed = false;
}

/* What was typed before the question is no answer to it. */
void bf_terminal_ask(struct bf_terminal *t, const char *question)
{
	bf_terminal_restore(t);
	(void)tcflush(STDIN_FILENO, TCIFLUSH);
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	t->n = 0;
}

enum bf_answer bf_terminal_answer(struct bf_terminal *t, bool wait)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char c;

	while (poll(&fd, 1, wait ? -1 : 0) > 0) {
		if (read(STDIN_FILENO, &c, 1) <= 0)
			return BF_ANSWER_NO;
		if (c != '\n') {
			if (t->n + 1 < sizeof(t->line))
				t->line[t->n++] = c;
			continue;
		}
		t->line[t->n] = '\0';
		return strcasecmp(t->line, "y") == 0 || strcasecmp(t->line, "yes") == 0
			       ? BF_ANSWER_YES
			       : BF_ANSWER_NO;
	}
	return BF_ANSWER_PENDING;
}
