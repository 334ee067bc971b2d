/* SPDX-License-Identifier: MIT */
/* What is connected, for those who did not name an interface. */
#include <string.h>

#include "screen.h"

struct seen {
	char first[BF_ADDRESS_MAX];
	char names[256];
	size_t usable;
};

/* A port of the board itself is there on every computer, with or without a pack. */
static bool is_adapter(const struct bf_candidate *c)
{
	return !bf_address_is_virtual(c->address) && strncmp(c->address, "/dev/ttyS", 9) != 0;
}

static void take(void *ctx, const struct bf_candidate *c)
{
	struct seen *s = ctx;
	size_t n = strlen(s->names);

	if (!c->usable || !is_adapter(c))
		return;
	if (!s->usable++)
		snprintf(s->first, sizeof(s->first), "%s", c->address);
	snprintf(s->names + n, sizeof(s->names) - n, "%s%.60s", n ? ", " : "", c->address);
}

static void look(struct seen *s)
{
	*s = (struct seen){ .usable = 0 };
	for (const struct bf_driver *const *d = bf_drivers(); *d; d++) {
		if ((*d)->list)
			(*d)->list(take, s);
	}
}

bool bf_contact_only(char *dst, size_t cap)
{
	struct seen s;

	look(&s);
	if (s.usable != 1)
		return false;
	snprintf(dst, cap, "%s", s.first);
	return true;
}

void bf_contact_name(int argc, const char *const *argv, struct bf_err *err)
{
	struct seen s;
	char text[sizeof(err->next)];
	struct bf_out out = bf_out(text, sizeof(text) - 1);

	look(&s);
	if (!s.usable) {
		bf_do(err, "connect an adapter; what is there now, and why it cannot be used:");
		bf_next(err, "bmsflash probe");
		return;
	}
	bf_do(err, "connected now: %s", s.names);
	bf_shell_word(&out, "bmsflash");
	for (int i = 0; i < argc; i++) {
		bf_shell_word(&out, argv[i]);
		if (i == 0) {
			bf_shell_word(&out, "--if");
			bf_shell_word(&out, s.first);
		}
	}
	if (out.failed)
		return;
	text[out.len] = '\0';
	bf_next(err, "%s", text);
}

void bf_contact_show(FILE *to)
{
	struct seen s;
	char text[64];

	look(&s);
	fprintf(to, "\nConnected  %s\n", s.usable ? s.names : "no adapter that can be used");
	if (s.usable)
		fprintf(to, "Next       bmsflash probe --if %s\n",
			bf_shell_quote(text, sizeof(text), s.first) ? text : s.first);
	else
		fputs("Next       bmsflash probe --if sim # a practice pack, no hardware needed\n",
		      to);
}
