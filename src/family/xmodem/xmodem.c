/* SPDX-License-Identifier: MIT */
/*
 * Bootloaders that take an image by XMODEM. Most of them check nothing but the blocks, erase as the blocks come, and
 * start what they have: everything that an image is judged by was done before. They are recognised by listening alone:
 * a question could be taken for data.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/family.h"
#include "bmsflash/text.h"
#include "family/xmodem/xmodem_profile.h"

#define SLICE      BF_MS(500) /* of listening, between two signs of life */
#define WHOLE_BASE BF_SEC(300)
#define WHOLE_EACH BF_SEC(2)
#define WRITE_WAIT BF_SEC(5)

struct xmodem {
	struct bf_proto base;
	const struct bf_xmodem_profile *set;
	struct bf_xmodem x;
	bool awake;       /* it asked for data, and nothing was sent since */
	bool menu;        /* its text was heard, and it waits for `start` */
	bool begun;       /* a block went out: what was in flash before is lost */
	bool ended;       /* the transfer is complete: it starts the firmware */
	bool stalled;     /* the last transfer was not completed */
	size_t len, next; /* of the transfer */
	size_t out;       /* bytes in the block that is out */
};

extern const struct bf_proto_ops bf_proto_xmodem_ops;

static struct xmodem *xmodem_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct xmodem, base);
}

static struct bf_clock *clock_of(const struct xmodem *m)
{
	return m->base.env.transport->clock;
}

static bf_time whole_of(const struct bf_xmodem_profile *set, size_t len)
{
	bf_time each = (bf_time)((len + set->block - 1) / set->block) * WHOLE_EACH;

	if (set->whole_s)
		return BF_SEC(set->whole_s);
	return each > WHOLE_BASE ? each : WHOLE_BASE;
}

static struct bf_xmodem_opts opts_of(const struct xmodem *m)
{
	const struct bf_xmodem_profile *s = m->set;

	return (struct bf_xmodem_opts){ .block = s->block,
					.check = s->check,
					.ready = s->ready,
					.end = s->end,
					.eots = s->eots,
					.pad = s->pad,
					.echo = s->echo,
					.cancels = s->cancels,
					.may_cancel = s->may_cancel,
					.sends = s->sends,
					.block_wait = BF_MS(s->block_ms),
					.end_wait = BF_MS(s->end_ms),
					.done = s->done,
					.log = m->base.env.log };
}

static enum bf_rc xmodem_open(const struct bf_proto_env *env, struct bf_proto **ret,
			      struct bf_err *err)
{
	struct xmodem *m;
	struct bf_xmodem_opts opts;

	if (env->transport->ops->wire != BF_WIRE_STREAM)
		return bf_fail(err, BF_E_UNSUPPORTED, "XMODEM needs a serial line, '%s' is none",
			       env->transport->name);
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->base.ops = &bf_proto_xmodem_ops;
	m->base.env = *env;
	m->set = bf_profile_family(env->profile, "xmodem");
	opts = opts_of(m);
	bf_xmodem_init(&m->x, &opts, env->transport);
	*ret = &m->base;
	return BF_OK;
}

static void xmodem_close(struct bf_proto *p)
{
	free(xmodem_of(p));
}

/* ---- listening ---- */

static bool knows_banner(const struct xmodem *m)
{
	return m->set->banner[0] && strstr(m->x.text, m->set->banner);
}

static void alive(const struct xmodem *m, const char *what)
{
	if (m->base.env.alive)
		m->base.env.alive(m->base.env.alive_ctx, what);
}

/* BF_E_NODEV: neither its text nor its ready byte was heard by the deadline. */
static enum bf_rc listen_for(struct xmodem *m, bf_time deadline, struct bf_err *err)
{
	struct bf_clock *clock = clock_of(m);
	struct bf_err quiet;

	m->awake = m->menu = false;
	do {
		bf_time slice = bf_in(clock, SLICE);
		enum bf_rc rc;

		bf_err_init(&quiet);
		rc = bf_xmodem_listen(&m->x, slice < deadline ? slice : deadline, &quiet);
		if (!rc) {
			m->awake = true;
			m->ended = false;
			return BF_OK;
		}
		if (rc != BF_E_NODEV) {
			*err = quiet;
			return bf_while(err, "listening for the bootloader");
		}
		if (knows_banner(m) && m->set->start[0]) {
			m->menu = true;
			return BF_OK;
		}
		alive(m, "listening for the bootloader");
	} while (bf_now(clock) < deadline);
	*err = quiet;
	return err->rc;
}

static enum bf_rc send_hex(struct xmodem *m, const char *hex, struct bf_err *err)
{
	uint8_t bytes[32];
	size_t n = 0;

	if (!bf_unhex(hex, bytes, sizeof(bytes), &n))
		return bf_fail(err, BF_E_INTERNAL, "no bytes in hex: '%s'", hex);
	m->awake = m->menu = false;
	return m->base.env.transport->ops->stream->write(m->base.env.transport, bytes, n,
							 bf_in(clock_of(m), WRITE_WAIT), err);
}

static enum bf_rc xmodem_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);
	bf_time enough = bf_in(clock_of(m), BF_MS(m->set->listen_ms));

	if (m->awake)
		return BF_OK;
	return listen_for(m, deadline > enough ? deadline : enough, err);
}

/* ---- the bootloader's own words ---- */

/* The line with the expected text, else the last one with letters in it. */
static void loader_name(const struct xmodem *m, char *dst, size_t cap)
{
	const char *at = m->x.text, *best = "";
	size_t best_len = 0;

	while (*at) {
		size_t n = strcspn(at, "\r\n");
		char line[BF_XMODEM_TEXT];

		snprintf(line, sizeof(line), "%.*s", (int)n, at);
		if (n > 2) {
			best = at;
			best_len = n;
		}
		if (n > 2 && m->set->banner[0] && strstr(line, m->set->banner))
			break;
		at += n + (at[n] != '\0');
	}
	if (best_len)
		bf_text_escape_n(dst, cap, best, best_len);
	else
		snprintf(dst, cap, "XMODEM");
}

/* A complete line that is not of the bootloader which the profile is for. */
static enum bf_rc check_banner(const struct xmodem *m, struct bf_err *err)
{
	char name[48];

	if (!m->set->banner[0] || knows_banner(m) || !strpbrk(m->x.text, "\r\n"))
		return BF_OK;
	loader_name(m, name, sizeof(name));
	if (strcmp(name, "XMODEM") == 0 || !strpbrk(m->x.text, "rRlL"))
		return BF_OK;
	bf_fail(err, BF_E_UNSUPPORTED,
		"the bootloader calls itself '%s'; the profile '%s' is for one with '%s'", name,
		m->base.env.profile->name, m->set->banner);
	bf_likely(err, "another generation of the pack, whose bootloader is not known to take this "
		       "transfer");
	return err->rc;
}

static enum bf_rc xmodem_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);

	/* It gives nothing to read. */
	if (entry != BF_ENTRY_WRITE)
		return BF_OK;
	if (!m->awake && !m->menu &&
	    listen_for(m, bf_in(clock_of(m), BF_MS(m->set->ready_ms)), err))
		return err->rc;
	return check_banner(m, err);
}

static enum bf_rc xmodem_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);
	struct bf_ident id = { .in_flight = 1, .is_anybodys = true };
	struct bf_region *r = &id.regions[id.n_regions++];

	if (!m->awake && !m->menu &&
	    listen_for(m, bf_in(clock_of(m), BF_MS(m->set->listen_ms)), err)) {
		if (err->rc == BF_E_NODEV)
			err->rc = BF_E_TIMEOUT;
		return bf_while(err, "looking whether the bootloader still waits");
	}
	snprintf(id.protocol, sizeof(id.protocol), "xmodem");
	loader_name(m, id.loader, sizeof(id.loader));
	id.talks = BF_TALKS_LOADER;
	id.in_bootloader = true;
	id.caps = BF_CAP_SINK;
	id.block_max = m->set->block;
	*r = (struct bf_region){ .kind = BF_REGION_APP,
				 .size = m->set->max_size,
				 .access = BF_ACCESS_WRITE };
	snprintf(r->name, sizeof(r->name), "firmware");
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}

/* ---- the transfer ---- */

/* A bootloader that was left in the middle of a transfer asks for the block that it misses, as it asks for the first
 * one: only one that was told to give up, or that says its text again, is known to begin anew. */
static enum bf_rc ask_for_start(struct xmodem *m, struct bf_err *err)
{
	if (m->stalled)
		bf_xmodem_cancel(&m->x);
	if (m->stalled)
		m->awake = false;
	if (m->menu || (m->awake && m->set->start[0])) {
		if (send_hex(m, m->set->start, err))
			return bf_while(err, "asking the bootloader for the transfer");
	}
	if (m->awake)
		return BF_OK;
	if (listen_for(m, bf_in(clock_of(m), BF_MS(m->set->ready_ms)), err))
		return bf_while(err, "waiting until the bootloader asks for data");
	return check_banner(m, err);
}

static enum bf_rc xmodem_begin(struct bf_proto *p, const struct bf_target *target,
			       struct bf_flow *ret, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);

	if (target->from != 0 || !target->len)
		return bf_fail(err, BF_E_INTERNAL, "an XMODEM transfer from byte %zu, of %zu",
			       target->from, target->len);
	if (m->set->max_size && target->len > m->set->max_size)
		return bf_fail(err, BF_E_IMAGE,
			       "the image has %zu bytes, the bootloader's room is %u, and it "
			       "would not stop there",
			       target->len, m->set->max_size);
	if (ask_for_start(m, err))
		return err->rc;
	m->len = target->len;
	m->next = m->out = 0;
	m->x.opts.whole = whole_of(m->set, target->len);
	bf_xmodem_begin(&m->x);
	*ret = (struct bf_flow){ .block_max = m->set->block };
	return BF_OK;
}

static void count(struct xmodem *m, uint64_t repeats, uint64_t unasked)
{
	struct bf_retry *retry = m->base.env.retry;

	retry->repeats[BF_RETRY_APPEND_ONLY] += m->x.repeats - repeats;
	retry->timeouts += m->x.unasked - unasked;
	retry->damaged += m->x.repeats - repeats - (m->x.unasked - unasked);
}

static enum bf_rc xmodem_block_start(struct bf_proto *p, const struct bf_block *block,
				     struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);
	bool last = block->offset + block->len == m->len;

	if (m->out || block->offset != m->next || !block->len || block->len > m->set->block ||
	    (!last && block->len != m->set->block))
		return bf_fail(err, BF_E_INTERNAL, "a block of %zu bytes at offset %zu, of %zu",
			       block->len, block->offset, m->len);
	m->awake = m->menu = false;
	m->begun = m->stalled = true;
	p->env.retry->requests[BF_RETRY_APPEND_ONLY]++;
	if (bf_xmodem_send(&m->x, block->data, block->len, last, err))
		return err->rc;
	m->out = block->len;
	return BF_OK;
}

static enum bf_rc xmodem_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);
	uint64_t repeats = m->x.repeats, unasked = m->x.unasked;
	enum bf_rc rc = bf_xmodem_answer(&m->x, err);

	count(m, repeats, unasked);
	if (rc) {
		m->out = 0;
		return rc;
	}
	m->next += m->out;
	m->out = 0;
	*ret_next = m->next;
	return BF_OK;
}

static enum bf_rc xmodem_finish(struct bf_proto *p, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);

	if (m->next != m->len)
		return bf_fail(err, BF_E_INTERNAL, "ending at byte %zu of %zu", m->next, m->len);
	if (bf_xmodem_finish(&m->x, err))
		return err->rc;
	m->ended = true;
	m->stalled = false;
	if (m->set->done[0] && !m->x.done)
		bf_log(p->env.log, BF_LOG_WARN,
		       "the bootloader did not say '%s' at the end of the transfer", m->set->done);
	return BF_OK;
}

static void xmodem_abandon(struct bf_proto *p)
{
	struct xmodem *m = xmodem_of(p);

	m->out = 0;
}

/* ---- starting the firmware ---- */

static enum bf_rc xmodem_restart(struct bf_proto *p, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);

	if (m->ended)
		return BF_OK;
	if (!m->begun && m->set->leave[0])
		return send_hex(m, m->set->leave, err);
	bf_fail(err, BF_E_UNSUPPORTED, "this bootloader starts the firmware only after a transfer");
	bf_likely(err, "a power cycle starts it, where it is complete");
	return err->rc;
}

/* It alone is heard, never the firmware: silence may be either. */
static enum bf_rc xmodem_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct xmodem *m = xmodem_of(p);
	bf_time enough = bf_in(clock_of(m), BF_MS(m->set->listen_ms));

	if (listen_for(m, enough < deadline ? enough : deadline, err) == BF_E_NODEV) {
		bf_fail(err, BF_E_TIMEOUT,
			"the bootloader is not heard any more; the firmware does not speak XMODEM");
		bf_likely(err, "the firmware runs: it was started when the transfer ended");
	}
	return err->rc;
}

static void xmodem_leave(struct bf_proto *p)
{
	struct xmodem *m = xmodem_of(p);
	struct bf_err quiet;

	if (!m->awake || m->begun || !m->set->leave[0])
		return;
	bf_err_init(&quiet);
	(void)send_hex(m, m->set->leave, &quiet);
}

static void xmodem_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	const struct bf_xmodem_profile *s = bf_profile_family(profile, "xmodem");
	char what[160];

	line(ctx, NULL, "The bootloader, by XMODEM");
	if (s->banner[0]) {
		snprintf(what, sizeof(what), "(listen) its text, with '%s'", s->banner);
		line(ctx, "-", what);
	}
	if (s->start[0])
		line(ctx, s->start, "ask for the transfer");
	line(ctx, "-",
	     s->ready == BF_XMODEM_READY_C     ? "(listen) C: it asks for data"
	     : s->ready == BF_XMODEM_READY_NAK ? "(listen) NAK: it asks for data"
					       : "(listen) NAK or C: it asks for data");
	line(ctx, s->block == 128 ? "01 nn ~nn ..." : "02 nn ~nn ...",
	     s->check == BF_XMODEM_SUM ? "each block, with its sum" : "each block, with its check");
	line(ctx, "04",
	     s->end == BF_XMODEM_END_GLUED ? "the end, in the write of the last block" : "the end");
}

static const struct bf_refusal refusals[] = {
	{ BF_XMODEM_CAN, "CAN", "the bootloader cancelled the transfer",
	  "see that nothing else talks on the line, then run the same command again" },
	{ 0 },
};

static const struct bf_loader_ops xmodem_loader = {
	.begin = xmodem_begin,
	.block_start = xmodem_block_start,
	.block_finish = xmodem_block_finish,
	.finish = xmodem_finish,
	.abandon = xmodem_abandon,
	.block_class = BF_RETRY_APPEND_ONLY,
	.restart = xmodem_restart,
};

const struct bf_proto_ops bf_proto_xmodem_ops = {
	.name = "xmodem",
	.summary = "XMODEM bootloaders on serial lines (JK and others)",
	.wires = BF_WIRE_STREAM,
	.probe_rank = 0,
	.probe_risk = "it is only listened for, and some are heard every few seconds",
	.listens = true,
	.loader_caps = BF_CAP_SINK,
	.app = &bf_no_app,
	.loader = &xmodem_loader,
	.boot = &bf_no_boot,
	.open = xmodem_open,
	.close = xmodem_close,
	.recognise = xmodem_recognise,
	.connect = xmodem_connect,
	.identify = xmodem_identify,
	.await = xmodem_await,
	.leave = xmodem_leave,
	.explain = xmodem_explain,
	.refusals = refusals,
};
