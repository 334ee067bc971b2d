/* SPDX-License-Identifier: MIT */
/*
 * What a failure leaves unsaid: likely causes, from what the line's own figures show first and from
 * experience after that, and always a next command. What the place of the failure said stays first.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/shell.h"
#include "run.h"

/* ---- the next command, with the options that this run was given ---- */

static void add_option(struct bf_out *out, const char *name, const char *value)
{
	if (!value)
		return;
	bf_shell_word(out, name);
	bf_shell_word(out, value);
}

/* What was allowed is allowed again: without it the command would be refused. */
static void add_allowed(struct bf_out *out, const struct bf_job *job)
{
	char list[256] = "";
	size_t n = 0;

	for (int i = 0; i < BF_ALLOW_COUNT && n < sizeof(list); i++) {
		if (job->allow[i])
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? "," : "",
					      bf_allow_info((enum bf_allow)i)->name);
	}
	add_option(out, "--allow", n ? list : NULL);
}

static void add_place(struct bf_out *out, const struct bf_claim_opts *claim)
{
	char addr[16];

	if (!claim)
		return;
	snprintf(addr, sizeof(addr), "0x%08x", (unsigned)claim->addr);
	add_option(out, "--addr", claim->has_addr ? addr : NULL);
	add_option(out, "--sig", claim->sig_path);
}

static void add_what_is_written(struct bf_out *out, const struct bf_job *job, enum bf_job_kind kind)
{
	for (size_t i = 0; job->keys && job->keys[i]; i++)
		add_option(out, "--key", job->keys[i]);
	add_option(out, "--auth-key", job->auth_key);
	add_allowed(out, job);
	if (kind != BF_JOB_FLASH)
		return;
	add_place(out, job->claim_opts);
	if (job->rescue)
		bf_shell_word(out, "--rescue");
	if (job->images && job->images[0])
		bf_shell_word(out, job->images[0]);
}

static void add_rates(struct bf_out *out, const struct bf_job *job)
{
	char text[32];

	snprintf(text, sizeof(text), "%u", job->baud);
	add_option(out, "--baud", job->baud ? text : NULL);
	if (job->dbitrate)
		snprintf(text, sizeof(text), "%u,%u", job->bitrate, job->dbitrate);
	else
		snprintf(text, sizeof(text), "%u", job->bitrate);
	add_option(out, "--bitrate", job->bitrate ? text : NULL);
}

static void command_of(const struct bf_job *job, enum bf_job_kind kind, const char *from,
		       struct bf_err *err)
{
	char text[sizeof(err->next)], node[16];
	struct bf_out out = bf_out(text, sizeof(text) - 1);

	bf_shell_word(&out, "bmsflash");
	bf_shell_word(&out, bf_job_name(kind));
	add_option(&out, "--if", job->iface ? job->iface : "IFACE");
	add_option(&out, "--from", from);
	add_option(&out, "--protocol", job->protocol);
	add_option(&out, "--profile", job->profile);
	snprintf(node, sizeof(node), "0x%x", (unsigned)job->node);
	add_option(&out, "--node", job->node >= 0 ? node : NULL);
	add_option(&out, "--alt", job->alt);
	add_rates(&out, job);
	if (kind == BF_JOB_FLASH || kind == BF_JOB_ROLLBACK)
		add_what_is_written(&out, job, kind);
	/* A command that is cut short would be another command. */
	if (out.failed)
		out.len = (size_t)snprintf(text, sizeof(text), "bmsflash probe");
	text[out.len] = '\0';
	bf_next(err, "%s", text);
}

void bf_next_command(const struct bf_run *run, enum bf_job_kind kind, const char *from,
		     struct bf_err *err)
{
	command_of(run->job, kind, from, err);
}

void bf_next_allowing(const struct bf_run *run, unsigned allows, struct bf_err *err)
{
	struct bf_job job = *run->job;

	for (unsigned i = 0; i < BF_ALLOW_COUNT; i++)
		job.allow[i] = job.allow[i] || (allows & 1u << i);
	command_of(&job, job.kind, job.restore_from, err);
}

/* ---- what the line's figures show ---- */

static void advise_bus(const struct bf_run *run, struct bf_err *err)
{
	struct bf_bus_report r = { 0 };
	const char *name = run->transport->name;

	run->transport->ops->bus->report(run->transport, &r);
	if (r.state == BF_BUS_OFF)
		bf_likely(err,
			  "'%s' is bus-off: CAN-H and CAN-L shorted or swapped, a terminator "
			  "missing (60 ohm between them), or the wrong bit rate",
			  name);
	else if (r.state == BF_BUS_STOPPED)
		bf_likely(err, "'%s' is down: sudo ip link set %s up", name, name);
	else if (r.tx_errors > r.rx_errors)
		bf_likely(err,
			  "%u transmit errors stand against %u on receive: nobody "
			  "acknowledges; is the pack on this bus, at %u bit/s?",
			  r.tx_errors, r.rx_errors, r.bitrate);
	else if (r.rx_errors)
		bf_likely(err,
			  "%u receive errors stand: another bit rate is on the bus, or noise; "
			  "check termination and shield",
			  r.rx_errors);
	else if (run->transport->stats.rx_frames == run->wire_first.rx_frames)
		bf_likely(err, "not one frame was heard: power of the pack, wiring, identifiers");
}

static void advise_stream(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_wire_stats *s = &run->transport->stats;
	struct bf_line_report r = { .latency_timer_ms = -1 };

	run->transport->ops->stream->report(run->transport, &r);
	if (s->rx_bytes == run->wire_first.rx_bytes)
		bf_likely(err,
			  "not one byte was heard: power of the pack, A and B swapped, or "
			  "another rate than %u baud",
			  r.real_baud);
	if (s->line_errors)
		bf_likely(err,
			  "%llu bytes came damaged: wrong rate or parity, noise, or a long "
			  "cable without termination (120 ohm)",
			  (unsigned long long)s->line_errors);
	if (s->echo_damaged)
		bf_likely(err,
			  "own bytes came back changed %llu times: another master talks on "
			  "this line",
			  (unsigned long long)s->echo_damaged);
	if (r.latency_timer_ms > 1)
		bf_likely(err,
			  "the adapter waits %d ms before it hands bytes over; to shorten that: "
			  "%s",
			  r.latency_timer_ms, r.latency_command);
}

/* The line was raised by agreement, and that was too much for it. */
static void advise_rate(const struct bf_run *run, struct bf_err *err)
{
	bool stream = run->transport->ops->wire == BF_WIRE_STREAM;

	if (!run->moving || !run->first_rate || run->rate <= run->first_rate)
		return;
	bf_likely(err,
		  "the line was raised from %u to %u bit/s; a long cable or missing termination "
		  "carries the lower rate: %s %u",
		  run->first_rate, run->rate, stream ? "--baud" : "--bitrate", run->first_rate);
}

static void advise_line(const struct bf_run *run, struct bf_err *err)
{
	uint64_t lost = run->retry.timeouts, damaged = run->retry.damaged;

	if (lost + damaged && !run->fell_silent)
		bf_likely(err,
			  "%llu answer%s lost and %llu came damaged on the way: cable, "
			  "connector or termination",
			  (unsigned long long)lost, lost == 1 ? " was" : "s were",
			  (unsigned long long)damaged);
	if (!run->transport)
		return;
	advise_rate(run, err);
	switch (run->transport->ops->wire) {
	case BF_WIRE_BUS:
		advise_bus(run, err);
		return;
	case BF_WIRE_STREAM:
		advise_stream(run, err);
		return;
	case BF_WIRE_USB:
		bf_likely(err, "the cable, a hub between, or the pack restarted by itself");
		return;
	}
}

/* ---- by kind of failure ---- */

static void same_again(struct bf_run *run, struct bf_err *err)
{
	bf_next_command(run, run->job->kind, run->job->restore_from, err);
}

static void look(struct bf_run *run, struct bf_err *err)
{
	bf_next_command(run, BF_JOB_PROBE, NULL, err);
}

static void take_key(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_next(err, "get the image signed by a trusted key, or name the key: --key FILE");
}

static void take_image(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_next(err, "bmsflash verify FILE tells what a file is; take the one made for this pack");
}

static void make_room(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_next(err, "make room (df -h), or name another place");
}

static void report_defect(struct bf_run *run, struct bf_err *err)
{
	(void)run;
	bf_next(err, "run it again with -vv --trace FILE and report both");
}

static const struct {
	const char *likely; /* when nothing better is known */
	void (*next)(struct bf_run *run, struct bf_err *err);
	bool line; /* the line's figures say more */
} rows[BF_RC_COUNT] = {
	[BF_E_INTERNAL] = { NULL, report_defect, false },
	[BF_E_NODEV] = { "the pack is off or asleep", look, true },
	[BF_E_TIMEOUT] = { "the pack was busy, restarted, or lost its power", same_again, true },
	[BF_E_LINK] = { "noise, a bad contact or a wrong rate", same_again, true },
	[BF_E_RESTART] = { "the pack gave up the transfer", same_again, true },
	[BF_E_GONE] = { "the adapter was unplugged or lost its power", same_again, false },
	[BF_E_IFACE] = { NULL, look, false },
	[BF_E_BUSY] = { "another program uses it", same_again, false },
	[BF_E_IMAGE] = { NULL, take_image, false },
	[BF_E_FILE] = { "the folder does not exist, is not yours, or the disk is full", make_room,
			false },
	[BF_E_SIGNATURE] = { "the pack and this computer do not trust the same keys", take_key,
			     false },
	[BF_E_INCOMPATIBLE] = { "the image is for another pack", take_image, false },
	[BF_E_ROLLBACK] = { "the pack was updated since this image was made", take_image, false },
	[BF_E_AUTH] = { "the wrong key, or one that this pack does not know", look, false },
	[BF_E_NAK] = { "the pack is in a state that does not permit it", look, false },
	[BF_E_UNSUPPORTED] = { "the pack's boot loader was built without it", look, false },
	[BF_E_MISMATCH] = { "messages damaged on the way, worn flash or a weak supply", same_again,
			    true },
};

/* By what was really seen: the pack said no, or the data stopped getting through. The third of them, the
 * restart loop, is named where the pack's own word about its restarts is at hand (prove.c). */
static enum bf_pattern pattern_of(const struct bf_run *run, const struct bf_err *err)
{
	if (err->rc == BF_E_AUTH && run->proto)
		return BF_PATTERN_AUTH;
	if (run->moving && rows[err->rc].line && run->transport)
		return BF_PATTERN_TRANSFER;
	return BF_PATTERN_NONE;
}

void bf_advise(struct bf_run *run, struct bf_err *err)
{
	if ((unsigned)err->rc >= BF_RC_COUNT)
		return;
	if (!err->pattern)
		err->pattern = pattern_of(run, err);
	if (rows[err->rc].line)
		advise_line(run, err);
	if (rows[err->rc].likely && !err->n_likely)
		bf_likely(err, "%s", rows[err->rc].likely);
	if (rows[err->rc].next && !err->next[0])
		rows[err->rc].next(run, err);
}
