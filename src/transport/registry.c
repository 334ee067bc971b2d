/* SPDX-License-Identifier: MIT */
/* The table of drivers, from the list that the build wrote. */
#include "bmsflash/transport.h"

#define BF_DRIVER(name) extern const struct bf_driver bf_driver_##name;
#include "drivers.def"
#undef BF_DRIVER

#define BF_DRIVER(name) &bf_driver_##name,
static const struct bf_driver *const drivers[] = {
#include "drivers.def"
	NULL,
};
#undef BF_DRIVER

const struct bf_driver *const *bf_drivers(void)
{
	return drivers;
}

struct bf_transport *bf_transport_close(struct bf_transport *t)
{
	if (t)
		t->ops->close(t);
	return NULL;
}
