/* SPDX-License-Identifier: MIT */
#include "bmsflash/link.h"

struct bf_link *bf_link_close(struct bf_link *l)
{
	if (l)
		l->ops->close(l);
	return NULL;
}
