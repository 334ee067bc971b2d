/* SPDX-License-Identifier: MIT */
/* --expect-serial -: labels as a scanner types them, one a line; white space around them does not count. */
#include <string.h>

#include "cli.h"

#define LABEL_MAX 128

static bool read_one(FILE *from, char dst[LABEL_MAX])
{
	char line[LABEL_MAX];

	while (fgets(line, sizeof(line), from)) {
		size_t first = strspn(line, " \t\r\n"), n = strlen(line);

		while (n > first && strchr(" \t\r\n", line[n - 1]))
			n--;
		if (n == first)
			continue;
		memcpy(dst, line + first, n - first);
		dst[n - first] = '\0';
		return true;
	}
	return false;
}

static enum bf_rc seen_before(char *const *labels, size_t n, struct bf_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(labels[i], labels[n]) == 0)
			return bf_fail(err, BF_E_USAGE, "label '%s' was read twice", labels[n]);
	}
	return BF_OK;
}

enum bf_rc bf_labels_read(FILE *from, size_t n, char ***ret, struct bf_err *err)
{
	char **labels = calloc(n + 1, sizeof(*labels)), one[LABEL_MAX];

	if (!labels)
		abort();
	*ret = labels;
	for (size_t i = 0; i < n; i++) {
		if (!read_one(from, one))
			return bf_fail(err, BF_E_USAGE,
				       "standard input has %zu label%s for %zu pack%s", i,
				       i == 1 ? "" : "s", n, n == 1 ? "" : "s");
		labels[i] = strdup(one);
		if (!labels[i])
			abort();
		if (seen_before(labels, i, err))
			return err->rc;
	}
	return BF_OK;
}

void bf_labels_free(char **labels)
{
	for (size_t i = 0; labels && labels[i]; i++)
		free(labels[i]);
	free(labels);
}
