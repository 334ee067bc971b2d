/* SPDX-License-Identifier: MIT */
/* The table of families, from the list that the build wrote. */
#include "bmsflash/family.h"

#include <string.h>

#define BF_FAMILY(name) extern const struct bf_proto_ops bf_proto_##name##_ops;
#include "families.def"
#undef BF_FAMILY

#define BF_FAMILY(name) &bf_proto_##name##_ops,
static const struct bf_proto_ops *const protos[] = {
#include "families.def"
	NULL,
};
#undef BF_FAMILY

const struct bf_proto_ops *const *bf_protos(void)
{
	return protos;
}

const struct bf_proto_ops *bf_proto_by_name(const char *name)
{
	for (size_t i = 0; protos[i]; i++) {
		if (strcmp(protos[i]->name, name) == 0)
			return protos[i];
	}
	return NULL;
}

const struct bf_refusal *bf_refusal_find(const struct bf_proto_ops *ops, unsigned code)
{
	for (const struct bf_refusal *r = ops->refusals; r && r->name; r++) {
		if (r->code == code)
			return r;
	}
	return NULL;
}

struct bf_proto *bf_proto_close(struct bf_proto *p)
{
	if (p)
		p->ops->close(p);
	return NULL;
}

const struct bf_app_ops bf_no_app = { 0 };
const struct bf_loader_ops bf_no_loader = { 0 };
const struct bf_boot_ops bf_no_boot = { 0 };
