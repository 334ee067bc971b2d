/* SPDX-License-Identifier: MIT */
/* What is connected, for those who did not name an interface. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "screen.h"

struct seen {
	char first[BF_ADDRESS_MAX];
	char names[256];
	size_t usable;
};

/* A port of the board itself is there on every computer, with or without a pack. */
bool bf_contact_is_adapter(const char *address)
{
	return !bf_address_is_virtual(address) && strncmp(address, "/dev/ttyS", 9) != 0;
}

static void take(void *ctx, const struct bf_candidate *c)
{
	struct seen *s = ctx;
	size_t n = strlen(s->names);

	if (!c->usable || !bf_contact_is_adapter(c->address))
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

/* ---- what was named is not there ---- */

static bool is_firmware(const char *name)
{
	static const char *const ends[] = { ".bin", ".hex", ".srec", ".s19", ".elf", ".dfu" };
	const char *end = strrchr(name, '.');

	for (size_t i = 0; end && i < BF_COUNT(ends); i++) {
		if (strcasecmp(end, ends[i]) == 0)
			return true;
	}
	return false;
}

/* "app-1.5.0.signed.bin, app.hex": the first by name. */
static bool firmware_in(const char *folder, char *dst, size_t cap)
{
	struct dirent **names;
	int n = scandir(folder, &names, NULL, alphasort);
	unsigned shown = 0;
	size_t at = 0;

	dst[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (is_firmware(names[i]->d_name) && shown++ < 3 && at < cap)
			at += (size_t)snprintf(dst + at, cap - at, "%s%.60s", at ? ", " : "",
					       names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return shown > 0;
}

static void advise_file(const struct bf_opts *o, struct bf_err *err)
{
	char folder[PATH_MAX], full[PATH_MAX], found[256];
	const char *slash;

	if (err->os != ENOENT || !o->images || !o->images[0] || access(o->images[0], F_OK) == 0)
		return;
	slash = strrchr(o->images[0], '/');
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - o->images[0] + 1) : 1,
		 slash ? o->images[0] : ".");
	if (!realpath(folder, full))
		return;
	snprintf(err->cause, sizeof(err->cause), "there is no file %.100s in %.200s",
		 slash ? slash + 1 : o->images[0], full);
	if (firmware_in(full, found, sizeof(found)))
		bf_do(err, "firmware files here: %s", found);
	bf_next_argv(err, NULL, (const char *const[]){ "ls", "-l", full, NULL });
}

static void advise_port(const struct bf_opts *o, struct bf_err *err)
{
	struct bf_opts other = *o;
	struct seen s;

	if (strncmp(err->next, "bmsflash probe #", 16) != 0)
		return;
	look(&s);
	if (!s.usable)
		return;
	bf_do(err, "ports on this computer: %s", s.names);
	other.iface = s.first;
	bf_command_like(&other, BF_JOB_PROBE, NULL, NULL, err);
}

void bf_contact_advise(const struct bf_opts *o, struct bf_err *err)
{
	if (err->rc == BF_E_IMAGE)
		advise_file(o, err);
	else if (err->rc == BF_E_IFACE)
		advise_port(o, err);
}

static int is_key(const struct dirent *e)
{
	const char *end = strrchr(e->d_name, '.');

	return end && (strcmp(end, ".pem") == 0 || strcmp(end, ".pub") == 0);
}

bool bf_contact_has_key(const struct bf_folders *folders)
{
	bool found = false;

	for (size_t i = 0; !found && folders->keys[i]; i++) {
		struct dirent **names;
		int n = scandir(folders->keys[i], &names, is_key, NULL);

		for (int k = 0; k < n; k++)
			free(names[k]);
		if (n >= 0)
			free(names);
		found = n > 0;
	}
	return found;
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
