/* SPDX-License-Identifier: MIT */
/* Folders by the XDG base directory rules; the only file that reads the environment for paths. */
#include "cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static char *text(const char *fmt, ...) BF_PRINTF(1, 2);

static char *text(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

/* $VARIABLE when it is an absolute path (the rules say to ignore others), else $HOME/fallback. */
static char *xdg(const char *variable, const char *fallback)
{
	const char *v = getenv(variable);
	const char *home = getenv("HOME");

	if (v && v[0] == '/')
		return text("%s/bmsflash", v);
	return text("%s/%s/bmsflash", home && home[0] == '/' ? home : "/", fallback);
}

static char *runtime_folder(void)
{
	const char *v = getenv("XDG_RUNTIME_DIR");

	/* Locks between users need a place that all of them see. */
	if (access("/run/lock", W_OK | X_OK) == 0)
		return text("/run/lock");
	if (v && v[0] == '/')
		return text("%s/bmsflash", v);
	return text("/tmp/bmsflash-%u", (unsigned)getuid());
}

void bf_folders_find(struct bf_folders *ret)
{
	BF_AUTO_MEM char *config = xdg("XDG_CONFIG_HOME", ".config");

	memset(ret, 0, sizeof(*ret));
	ret->keys[0] = text("%s/keys", config);
	ret->keys[1] = text("/etc/bmsflash/keys");
	ret->profiles[0] = text("%s/profiles", config);
	ret->profiles[1] = text("/etc/bmsflash/profiles");
	ret->profiles[2] = text("%s/profiles", BF_DATADIR);
	ret->data = xdg("XDG_STATE_HOME", ".local/state");
	ret->runtime = runtime_folder();
}

void bf_folders_done(struct bf_folders *folders)
{
	for (size_t i = 0; folders->keys[i]; i++)
		free(folders->keys[i]);
	for (size_t i = 0; folders->profiles[i]; i++)
		free(folders->profiles[i]);
	free(folders->data);
	free(folders->runtime);
}
