/* SPDX-License-Identifier: MIT */
/* Defaults for options: from the environment, else from the user's config.ini. Never --allow, never --addr. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "cli.h"

#define CONFIG_MAX 65536

struct setting {
	const char *name;     /* in the file */
	const char *variable; /* NULL: the file alone */
	size_t slot;          /* of a char * in struct bf_defaults */
};

#define AT(member) offsetof(struct bf_defaults, member)
static const struct setting settings[] = {
	{ "if", "BMSFLASH_IF", AT(iface) },
	{ "key", "BMSFLASH_KEY", AT(key) },
	{ "profile", "BMSFLASH_PROFILE", AT(profile) },
	{ "color", NULL, AT(color) },
	{ "progress", NULL, AT(progress) },
};

static char **slot_of(struct bf_defaults *d, const struct setting *s)
{
	return (char **)(void *)((char *)d + s->slot);
}

static char *trimmed(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static enum bf_rc take_line(struct bf_defaults *d, const char *path, unsigned number, char *line,
			    struct bf_err *err)
{
	char *equals = strchr(line, '='), *name = trimmed(line);

	if (!*name || *name == '#' || *name == ';')
		return BF_OK;
	if (equals) {
		*equals = '\0';
		name = trimmed(name);
		for (size_t i = 0; i < BF_COUNT(settings); i++) {
			char **slot = slot_of(d, &settings[i]);

			if (strcmp(settings[i].name, name) != 0)
				continue;
			free(*slot);
			*slot = strdup(trimmed(equals + 1));
			if (!*slot)
				abort();
			return BF_OK;
		}
	}
	bf_fail(err, BF_E_USAGE, "'%s', line %u: unknown setting '%s'", path, number, name);
	bf_do(err, "correct that line; the settings are if, key, profile, color and progress");
	return err->rc;
}

static enum bf_rc read_file(struct bf_defaults *d, const char *path, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *text = NULL;
	BF_AUTO_MEM char *copy = NULL;
	char *at, *line;
	size_t len;

	if (access(path, F_OK) < 0)
		return BF_OK;
	/* It may name a trusted key. */
	if (bf_file_read_guarded(path, CONFIG_MAX, BF_GUARD_TRUSTED, &text, &len, err)) {
		err->rc = BF_E_USAGE;
		return bf_while(err, "reading the settings in '%s'", path);
	}
	at = copy = strndup((const char *)text, len);
	if (!copy)
		abort();
	for (unsigned number = 1; (line = strsep(&at, "\n")); number++) {
		if (take_line(d, path, number, line, err))
			return err->rc;
	}
	return BF_OK;
}

enum bf_rc bf_defaults_find(const char *config, struct bf_defaults *ret, struct bf_err *err)
{
	*ret = (struct bf_defaults){ 0 };
	if (config && read_file(ret, config, err))
		return err->rc;
	ret->iface_of_file = ret->iface != NULL;
	for (size_t i = 0; i < BF_COUNT(settings); i++) {
		const char *v = settings[i].variable ? getenv(settings[i].variable) : NULL;
		char **slot = slot_of(ret, &settings[i]);

		if (!v || !*v)
			continue;
		free(*slot);
		*slot = strdup(v);
		if (!*slot)
			abort();
		if (settings[i].slot == AT(iface))
			ret->iface_of_file = false;
	}
	return BF_OK;
}

void bf_defaults_done(struct bf_defaults *d)
{
	for (size_t i = 0; i < BF_COUNT(settings); i++)
		free(*slot_of(d, &settings[i]));
	*d = (struct bf_defaults){ 0 };
}
