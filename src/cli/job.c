/* SPDX-License-Identifier: MIT */
/* What a command line asks for, as a job. */
#include <string.h>

#include "spec.h"

void bf_opts_job(const struct bf_opts *o, struct bf_claim_opts *claim, struct bf_job *ret)
{
	*claim = (struct bf_claim_opts){ .has_addr = o->addr >= 0,
					 .addr = o->addr >= 0 ? (uint32_t)o->addr : 0,
					 .sig_path = o->sig };
	*ret = (struct bf_job){
		.kind = o->command,
		.iface = o->iface,
		.protocol = o->protocol,
		.profile = o->profile,
		.node = (int)o->node,
		.alt = o->alt,
		.images = o->images,
		.claim_opts = claim,
		.keys = o->keys,
		.auth_key = o->auth_key,
		.archive_out = o->output,
		.restore_from = o->from,
		.record = o->record,
		.trace = o->trace,
		.expect_serial = o->expect_serial,
		.baud = (uint32_t)o->baud,
		.bitrate = (uint32_t)o->bitrate,
		.dbitrate = (uint32_t)o->dbitrate,
		.timeout = o->timeout,
		.wait = o->wait,
		.dry_run = o->dry_run,
		.rescue = o->rescue,
		.doctor = o->doctor,
		.tool_version = BF_VERSION,
	};
	memcpy(ret->allow, o->allow, sizeof(ret->allow));
}
