/* SPDX-License-Identifier: MIT */
/* What a command line asks for, as a job. */
#include <string.h>

#include "bmsflash/shell.h"
#include "screen.h"

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
		.backup_folder = o->backup_dir,
		.restore_from = o->from,
		.fallback = o->fallback,
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
		.scan = o->scan,
		.tool_version = BF_VERSION,
	};
	memcpy(ret->allow, o->allow, sizeof(ret->allow));
}

static void add(struct bf_out *out, const char *name, const char *value)
{
	if (!value)
		return;
	bf_shell_word(out, name);
	bf_shell_word(out, value);
}

static void add_number(struct bf_out *out, const char *name, bool hex, int64_t n)
{
	char text[32];

	if (n < 0)
		return;
	if (hex)
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)n);
	else
		snprintf(text, sizeof(text), "%lld", (long long)n);
	add(out, name, text);
}

void bf_command_like(const struct bf_opts *o, enum bf_job_kind job, const char *const *words,
		     const char *note, struct bf_err *err)
{
	char text[sizeof(err->next)];
	struct bf_out out = bf_out(text, sizeof(text) - 1);

	bf_shell_word(&out, "bmsflash");
	bf_shell_word(&out, bf_job_name(job));
	if (o) {
		add(&out, "--if", o->iface);
		add(&out, "--protocol", o->protocol);
		add(&out, "--profile", o->profile);
		add_number(&out, "--node", true, o->node);
		add(&out, "--alt", o->alt);
		add_number(&out, "--baud", false, o->baud ? o->baud : -1);
		add_number(&out, "--bitrate", false, o->bitrate ? o->bitrate : -1);
	}
	for (; words && *words; words++)
		bf_shell_word(&out, *words);
	if (note) {
		bf_out_bytes(&out, " # ", 3);
		bf_out_bytes(&out, note, strlen(note));
	}
	if (out.failed)
		return;
	text[out.len] = '\0';
	memcpy(err->next, text, out.len + 1);
}
