/* SPDX-License-Identifier: MIT */
#include "diag.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/text.h"
#include "who.h"

const char bf_diag_rules[] = BF_RULES;

const char *bf_diag_install_rules(const struct bf_diag *diag)
{
	if (!bf_diag_exists(diag, "%s", bf_diag_rules))
		return NULL;
	return "sudo cp " BF_RULES " /etc/udev/rules.d/ && sudo udevadm control --reload && "
	       "sudo udevadm trigger";
}

void bf_find(const struct bf_diag *diag, enum bf_severity severity, const char *check,
	     const char *subject, const char *mend, const char *fmt, ...)
{
	struct bf_diag_finding f = { .severity = severity, .check = check };
	va_list ap;

	bf_text_escape(f.subject, sizeof(f.subject), subject);
	bf_text_escape(f.mend, sizeof(f.mend), mend ? mend : "");
	va_start(ap, fmt);
	bf_text_vformat(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	diag->found(diag->ctx, &f);
}

/* ---- files below the root ---- */

static void below(const struct bf_diag *diag, char path[BF_DIAG_PATH], const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void below(const struct bf_diag *diag, char path[BF_DIAG_PATH], const char *fmt, va_list ap)
{
	int n = snprintf(path, BF_DIAG_PATH, "%s", diag->root);

	if (n < 0 || n >= BF_DIAG_PATH)
		path[0] = '\0';

	if (n >= 0 && n < BF_DIAG_PATH)
		vsnprintf(path + n, (size_t)(BF_DIAG_PATH - n), fmt, ap);
}

static bool first_line(const char *path, char *dst, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok;

	dst[0] = '\0';
	if (!f)
		return false;
	ok = fgets(dst, (int)cap, f) != NULL;
	fclose(f);
	dst[strcspn(dst, "\n")] = '\0';
	return ok;
}

bool bf_diag_line(const struct bf_diag *diag, char *dst, size_t cap, const char *fmt, ...)
{
	char path[BF_DIAG_PATH];
	va_list ap;

	va_start(ap, fmt);
	below(diag, path, fmt, ap);
	va_end(ap);
	return first_line(path, dst, cap);
}

bool bf_diag_number(const struct bf_diag *diag, long *ret, const char *fmt, ...)
{
	char path[BF_DIAG_PATH], text[32], *end;
	va_list ap;

	va_start(ap, fmt);
	below(diag, path, fmt, ap);
	va_end(ap);
	if (!first_line(path, text, sizeof(text)))
		return false;
	errno = 0;
	*ret = strtol(text, &end, 0);
	return !errno && end != text && !*end;
}

bool bf_diag_exists(const struct bf_diag *diag, const char *fmt, ...)
{
	char path[BF_DIAG_PATH];
	va_list ap;

	va_start(ap, fmt);
	below(diag, path, fmt, ap);
	va_end(ap);
	return access(path, F_OK) == 0;
}

bool bf_diag_mentions(const struct bf_diag *diag, const char *path, const char *words)
{
	char full[BF_DIAG_PATH], line[1024];
	bool found = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", diag->root, path);
	f = fopen(full, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, words) != NULL;
	fclose(f);
	return found;
}

size_t bf_diag_each(const struct bf_diag *diag, const char *folder,
		    void (*fn)(void *ctx, const char *name), void *ctx)
{
	char full[BF_DIAG_PATH];
	struct dirent **names;
	size_t seen = 0;
	int n;

	snprintf(full, sizeof(full), "%s%s", diag->root, folder);
	n = scandir(full, &names, NULL, versionsort);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			fn(ctx, names[i]->d_name);
			seen++;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return seen;
}

/* ---- who has it open ---- */

bool bf_diag_holder(const struct bf_diag *diag, const char *node, const char *subject)
{
	struct bf_who h;
	char mend[64];

	if (!bf_who_has(diag->root, node, BF_WHO_OTHERS, &h)) {
		bf_find(diag, BF_SEVERITY_OK, "holder", subject, NULL,
			"no other program of yours has it open");
		return true;
	}
	snprintf(mend, sizeof(mend), "kill %d", h.pid);
	bf_find(diag, BF_SEVERITY_PROBLEM, "holder", subject, mend, "'%s' (pid %d) has it open",
		h.command, h.pid);
	return false;
}

/* ---- permissions ---- */

static bool may_use(const struct bf_diag *diag, const char *path, const struct stat *st)
{
	/* Below another root there is no user: what everybody may. */
	if (*diag->root)
		return (st->st_mode & 0006) == 0006;
	return access(path, R_OK | W_OK) == 0;
}

bool bf_diag_permission(const struct bf_diag *diag, const char *node, const char *subject,
			const char *mend_without_group)
{
	char path[BF_DIAG_PATH], group[64], mend[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", diag->root, node);
	if (stat(path, &st)) {
		bf_find(diag, BF_SEVERITY_PROBLEM, "permission", subject, NULL,
			"there is no device node '%s'", node);
		return false;
	}
	if (may_use(diag, path, &st)) {
		bf_find(diag, BF_SEVERITY_OK, "permission", subject, NULL,
			"you may read and write it");
		return true;
	}
	bf_who_group(st.st_gid, group, sizeof(group));
	if (st.st_gid == 0 || (st.st_mode & 0060) != 0060) {
		bf_find(diag, BF_SEVERITY_PROBLEM, "permission", subject, mend_without_group,
			"no permission (mode %04o, group '%s'): no udev rule gives it to you",
			st.st_mode & 07777, group);
		return false;
	}
	snprintf(mend, sizeof(mend), "sudo usermod -aG %s \"$USER\" # then log out and in again",
		 group);
	bf_find(diag, BF_SEVERITY_PROBLEM, "permission", subject, mend,
		"no permission: you are not in its group '%s', or were added after you logged in",
		group);
	return false;
}

bool bf_diag_has_rules(const struct bf_diag *diag)
{
	static const char *const folders[] = { "/etc/udev/rules.d", "/run/udev/rules.d",
					       "/usr/local/lib/udev/rules.d",
					       "/usr/lib/udev/rules.d", "/lib/udev/rules.d" };

	for (size_t i = 0; i < BF_COUNT(folders); i++) {
		if (bf_diag_exists(diag, "%s/60-bmsflash.rules", folders[i]))
			return true;
	}
	return false;
}
