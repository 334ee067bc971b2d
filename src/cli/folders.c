/* SPDX-License-Identifier: MIT */
/* Folders by the XDG base directory rules; the only file that reads the environment for paths. */
#include "cli.h"

#include <pwd.h>
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

/* $HOME, else what the system knows of the user; NULL: there is none. */
static const char *home_folder(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home && home[0] == '/')
		return home;
	pw = getpwuid(getuid());
	return pw && pw->pw_dir && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

/* $VARIABLE when it is an absolute path (the rules say to ignore others), else $HOME/fallback. */
static char *xdg(const char *variable, const char *fallback)
{
	const char *v = getenv(variable), *home = home_folder();

	if (v && v[0] == '/')
		return text("%s/bmsflash", v);
	return home ? text("%s/%s/bmsflash", home, fallback) : NULL;
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

enum bf_rc bf_folders_find(struct bf_folders *ret, struct bf_err *err)
{
	BF_AUTO_MEM char *config = xdg("XDG_CONFIG_HOME", ".config");
	size_t keys = 0, profiles = 0;

	memset(ret, 0, sizeof(*ret));
	ret->runtime = runtime_folder();
	ret->data = xdg("XDG_STATE_HOME", ".local/state");
	if (config) {
		ret->config = text("%s/config.ini", config);
		ret->keys[keys++] = text("%s/keys", config);
		ret->profiles[profiles++] = text("%s/profiles", config);
	}
	ret->keys[keys] = text("/etc/bmsflash/keys");
	ret->profiles[profiles++] = text("/etc/bmsflash/profiles");
	ret->profiles[profiles] = text("%s/profiles", BF_DATADIR);
	if (ret->data)
		return BF_OK;
	bf_fail(err, BF_E_USAGE,
		"HOME is not set and the user has no home folder: no place for "
		"backups; set XDG_STATE_HOME to an absolute path");
	return err->rc;
}

void bf_folders_done(struct bf_folders *folders)
{
	for (size_t i = 0; folders->keys[i]; i++)
		free(folders->keys[i]);
	for (size_t i = 0; folders->profiles[i]; i++)
		free(folders->profiles[i]);
	free(folders->data);
	free(folders->runtime);
	free(folders->config);
}
