/* SPDX-License-Identifier: MIT */
#include "bmsflash/link.h"

struct bf_link *bf_link_close(struct bf_link *l)
{
	if (l)
		l->ops->close(l);
	return NULL;
}

bf_time bf_link_duration(struct bf_link *l, size_t len)
{
	return l->ops->duration ? l->ops->duration(l, len) : 0;
}

/* Duration grows with length, so the answer is found by halving. */
size_t bf_link_longest(struct bf_link *l, size_t most, bf_time within)
{
	size_t fits = 1, too_long = most + 1;

	if (most <= 1)
		return 1;
	while (too_long - fits > 1) {
		size_t middle = fits + (too_long - fits) / 2;

		if (bf_link_duration(l, middle) <= within)
			fits = middle;
		else
			too_long = middle;
	}
	return fits;
}
