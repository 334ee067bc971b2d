/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "bmsflash/image.h"

static int order(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

int bf_version_cmp(const struct bf_version *a, const struct bf_version *b)
{
	int by = order(a->major, b->major);

	if (by == 0)
		by = order(a->minor, b->minor);
	if (by == 0)
		by = order(a->revision, b->revision);
	if (by == 0)
		by = order(a->build, b->build);
	return by;
}

/* A decimal number without sign or leading zeros, up to max; moves *text behind it. */
static bool number(const char **text, uint32_t max, uint32_t *ret)
{
	const char *p = *text;
	uint64_t v = 0;

	if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return false;
	}
	*text = p;
	*ret = (uint32_t)v;
	return true;
}

bool bf_version_parse(const char *text, struct bf_version *ret)
{
	uint32_t major, minor, revision, build = 0;

	if (!number(&text, UINT8_MAX, &major) || *text++ != '.')
		return false;
	if (!number(&text, UINT8_MAX, &minor) || *text++ != '.')
		return false;
	if (!number(&text, UINT16_MAX, &revision))
		return false;
	if (*text == '+') {
		text++;
		if (!number(&text, UINT32_MAX, &build))
			return false;
	}
	if (*text != '\0')
		return false;
	*ret = (struct bf_version){ (uint8_t)major, (uint8_t)minor, (uint16_t)revision, build };
	return true;
}

char *bf_version_text(const struct bf_version *v, char dst[BF_VERSION_TEXT])
{
	int n = snprintf(dst, BF_VERSION_TEXT, "%u.%u.%u", v->major, v->minor, v->revision);

	if (v->build)
		snprintf(dst + n, (size_t)(BF_VERSION_TEXT - n), "+%u", v->build);
	return dst;
}
