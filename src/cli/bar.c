/* SPDX-License-Identifier: MIT */
/* The live line and its figures: pure text, so that each width can be tested. */
#include <string.h>
#include <sys/ioctl.h>

#include "screen.h"

#define WIDTH_DEFAULT 80
#define WIDTH_LEAST   20

unsigned bf_terminal_width(const struct bf_out_text *o)
{
	struct winsize size = { 0 };

	if (o->width)
		return o->width;
	if (ioctl(fileno(o->notes), TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return WIDTH_DEFAULT;
	return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST : size.ws_col;
}

size_t bf_text_columns(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

static size_t put_cells(char *dst, size_t cap, const char *cell, size_t times)
{
	size_t len = strlen(cell), n = 0;

	while (times-- && n + len < cap) {
		memcpy(dst + n, cell, len);
		n += len;
	}
	dst[n] = '\0';
	return n;
}

/* Cells between the brackets. */
static size_t bar_cells(unsigned width)
{
	if (width < 60)
		return 10;
	return width < 120 ? 31 : 60;
}

void bf_bar(char *dst, size_t cap, unsigned width, bool utf8, const char *label, double percent,
	    const char *const *tails)
{
	size_t cells = bar_cells(width), n, head;
	size_t full = (size_t)(percent / 100 * (double)cells);

	if (full > cells)
		full = cells;
	n = (size_t)snprintf(dst, cap, width < 60 ? "%s %s" : "%-10s %s", label, utf8 ? "" : "[");
	if (utf8) {
		n += put_cells(dst + n, cap - n, "\u2588", full);
		n += put_cells(dst + n, cap - n, "\u2591", cells - full);
	} else {
		n += put_cells(dst + n, cap - n, "#", full);
		if (full < cells) {
			n += put_cells(dst + n, cap - n, ">", 1);
			n += put_cells(dst + n, cap - n, ".", cells - full - 1);
		}
		n += put_cells(dst + n, cap - n, "]", 1);
	}
	n += (size_t)snprintf(dst + n, cap - n, width < 60 ? "%3.0f %%" : " %3.0f %%", percent);
	head = bf_text_columns(dst);
	for (; *tails; tails++) {
		if (head + 2 + bf_text_columns(*tails) < width) {
			snprintf(dst + n, cap - n, width < 60 ? " %s" : "  %s", *tails);
			return;
		}
	}
}

char *bf_text_kb(char *dst, size_t cap, uint64_t bytes)
{
	if (bytes < 1000)
		snprintf(dst, cap, "%u bytes", (unsigned)bytes);
	else if (bytes < 10000)
		snprintf(dst, cap, "%.1f kB", (double)bytes / 1e3);
	else if (bytes < 10000000)
		snprintf(dst, cap, "%.0f kB", (double)bytes / 1e3);
	else
		snprintf(dst, cap, "%.1f MB", (double)bytes / 1e6);
	return dst;
}

char *bf_text_seconds(char *dst, size_t cap, double s)
{
	if (s < 9.95)
		snprintf(dst, cap, s < 1 ? "%.1f s" : "%.0f s", s);
	else if (s < 119.5)
		snprintf(dst, cap, "%.0f s", s);
	else
		snprintf(dst, cap, "%d min %02d s", (int)(s / 60), (int)s % 60);
	return dst;
}

const char *bf_text_home(const struct bf_out_text *o, const char *path, char *dst, size_t cap)
{
	size_t n = o->home ? strlen(o->home) : 0;

	if (n < 2 || strncmp(path, o->home, n) != 0 || path[n] != '/')
		return path;
	snprintf(dst, cap, "~%s", path + n);
	return dst;
}
