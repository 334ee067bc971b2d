/* SPDX-License-Identifier: MIT */
/* One request and its answer: sequence numbers, time-outs, repeats by class, both forms of a refusal. */
#include "smp.h"

#include <stdio.h>
#include <string.h>

#define BUSY_PACE  BF_MS(100)
#define BUSY_LIMIT BF_SEC(10)
#define SEND_LIMIT BF_SEC(10) /* a queue that does not empty */

#define VERSION_AT 3 /* bit of the first byte of a header */

void bf_smp_alive(struct smp *s, const char *what)
{
	const struct bf_proto_env *env = &s->proto.env;
	char text[96];

	if (!env->alive)
		return;
	snprintf(text, sizeof(text), "waiting for the pack to %s", what);
	env->alive(env->alive_ctx, text);
}

bool bf_smp_is_refusal(const struct bf_err *err, unsigned code)
{
	return err->dev_refused && err->dev_code == code;
}

/* ---- sending ---- */

enum bf_rc bf_smp_send(struct smp *s, const struct smp_ask *ask, uint8_t seq, struct bf_err *err)
{
	size_t len = ask->body ? ask->body->len : 0;
	struct bf_out o = bf_out(s->tx, sizeof(s->tx));

	if (ask->body && ask->body->failed)
		return bf_fail(err, BF_E_INTERNAL, "the request to %s does not fit its buffer",
			       ask->what);
	bf_out_u8(&o, (uint8_t)((unsigned)ask->op | (unsigned)s->version << VERSION_AT));
	bf_out_u8(&o, 0);
	bf_out_be16(&o, (uint16_t)len);
	bf_out_be16(&o, (uint16_t)ask->group);
	bf_out_u8(&o, seq);
	bf_out_u8(&o, (uint8_t)ask->id);
	if (len)
		bf_out_bytes(&o, ask->body->p, len);
	if (o.failed)
		return bf_fail(err, BF_E_INTERNAL, "a request of %zu bytes", len);
	return s->link->ops->send(
		s->link, s->tx, o.len,
		bf_in(smp_clock(s), SEND_LIMIT + bf_link_duration(s->link, o.len)), err);
}

/* ---- receiving ---- */

static enum bf_rc rc_of(unsigned code)
{
	switch (code) {
	case SMP_RC_UNSUPPORTED:
	case SMP_RC_TOO_OLD:
	case SMP_RC_TOO_NEW:
		return BF_E_UNSUPPORTED;
	case SMP_RC_DENIED:
		return BF_E_AUTH;
	case SMP_CODE(SMP_GROUP_IMAGE, SMP_IMAGE_RC_NEWER_RUNS):
		return BF_E_ROLLBACK;
	case SMP_CODE(SMP_GROUP_IMAGE, SMP_IMAGE_RC_TOO_LARGE):
		return BF_E_IMAGE;
	}
	return BF_E_NAK;
}

/* 0: no refusal. A number that no table has stays what it is, as far as it fits. */
static unsigned code_in(const struct smp_doc *doc)
{
	const struct smp_item *top = &doc->items[0];
	const struct smp_item *rc = bf_smp_get(doc, top, "rc", SMP_NUMBER);
	const struct smp_item *e = bf_smp_get(doc, top, "err", SMP_MAP);
	uint64_t group = 0, n;

	if (e) {
		const struct smp_item *g = bf_smp_get(doc, e, "group", SMP_NUMBER);

		group = g ? g->number : 0;
		rc = bf_smp_get(doc, e, "rc", SMP_NUMBER);
	}
	n = rc ? rc->number : 0;
	if (!n)
		return 0;
	n = n > 0xFFFF ? 0xFFFF : n;
	if (!e)
		return (unsigned)n;
	return SMP_CODE((unsigned)(group > 0x7FFE ? 0x7FFE : group), (unsigned)n);
}

static void code_text(unsigned code, char *dst, size_t cap)
{
	if (code >> 16)
		snprintf(dst, cap, "group %u rc %u", (code >> 16) - 1, code & 0xFFFF);
	else
		snprintf(dst, cap, "rc %u", code);
}

enum bf_rc bf_smp_refused(struct smp *s, const char *what, struct bf_err *err)
{
	unsigned code = code_in(&s->doc);
	const struct bf_refusal *row = bf_smp_refusals;
	char text[40];

	if (!code)
		return BF_OK;
	while (row->name && row->code != code)
		row++;
	code_text(code, text, sizeof(text));
	bf_fail_dev(err, rc_of(code), code, row->name ? row->name : "unknown",
		    "The pack refused to %s: %s (%s%s%s).", what,
		    row->name ? row->text : "with a code that no table has", text,
		    row->name ? ", " : "", row->name ? row->name : "");
	if (row->name && row->next[0])
		bf_do(err, "%s", row->next);
	return err->rc;
}

/* An answer to what was asked, whichever of the requests of this kind. */
static bool answers(struct smp *s, const struct smp_ask *ask, size_t len)
{
	return len >= SMP_HEADER && (s->rx[0] & 7) == ask->op + 1u &&
	       bf_get_be16(s->rx + 4) == ask->group && s->rx[7] == ask->id;
}

enum bf_rc bf_smp_collect(struct smp *s, const struct smp_ask *ask, uint8_t *ret_seq,
			  bf_time deadline, struct bf_err *err)
{
	for (;;) {
		size_t len, body;
		enum bf_rc rc =
			s->link->ops->recv(s->link, s->rx, sizeof(s->rx), &len, deadline, err);

		if (rc)
			return rc;
		if (!answers(s, ask, len)) {
			bf_log(s->proto.env.log, BF_LOG_DEBUG,
			       "smp: dropped an answer to an earlier request");
			continue;
		}
		body = bf_get_be16(s->rx + 2);
		if (body > len - SMP_HEADER || !bf_smp_parse(s->rx + SMP_HEADER, body, &s->doc) ||
		    s->doc.items[0].kind != SMP_MAP)
			return bf_fail(err, BF_E_LINK,
				       "The answer to the request to %s is malformed (%zu bytes).",
				       ask->what, len);
		s->answer_version = s->rx[0] >> VERSION_AT & 3;
		*ret_seq = s->rx[6];
		return BF_OK;
	}
}

static enum bf_rc collect_this(struct smp *s, const struct smp_ask *ask, uint8_t seq,
			       bf_time deadline, struct bf_err *err)
{
	uint8_t got;
	enum bf_rc rc;

	do
		rc = bf_smp_collect(s, ask, &got, deadline, err);
	while (!rc && got != seq);
	return rc ? rc : bf_smp_refused(s, ask->what, err);
}

/* ---- asking ---- */

static bool may_repeat(struct smp *s, const struct smp_ask *ask, unsigned attempt, enum bf_rc rc)
{
	struct bf_retry *retry = s->proto.env.retry;

	if (rc != BF_E_TIMEOUT && rc != BF_E_LINK)
		return false;
	s->strays = true;
	if (ask->tries && attempt >= ask->tries) {
		retry->timeouts += rc == BF_E_TIMEOUT;
		retry->damaged += rc == BF_E_LINK;
		return false;
	}
	return bf_retry_again(retry, smp_clock(s), ask->rclass, attempt, rc);
}

/* The device has done nothing: every class may be asked again. */
static bool wait_busy(struct smp *s, const struct smp_ask *ask, const struct bf_err *err,
		      bf_time limit)
{
	if (!bf_smp_is_refusal(err, SMP_RC_BUSY) || bf_now(smp_clock(s)) >= limit)
		return false;
	s->proto.env.retry->busy++;
	bf_smp_alive(s, ask->what);
	return bf_clock_until(smp_clock(s), bf_in(smp_clock(s), BUSY_PACE));
}

/* A repeat has the number of the first: a late answer to that one is one to this. */
enum bf_rc bf_smp_ask(struct smp *s, const struct smp_ask *ask, const struct smp_item **ret,
		      struct bf_err *err)
{
	bf_time patience = ask->patience ? ask->patience : BF_MS(s->settings->answer_ms);
	struct bf_retry *retry = s->proto.env.retry;
	bf_time busy_limit, began;
	unsigned attempt = 1;
	enum bf_rc rc = bf_smp_need_link(s, err);
	uint8_t seq;

	if (rc)
		return rc;
	seq = s->seq++;
	busy_limit = bf_in(smp_clock(s), BUSY_LIMIT);
	retry->requests[ask->rclass]++;
	if (s->strays)
		s->link->ops->flush(s->link);
	s->strays = false;
	for (;;) {
		began = bf_now(smp_clock(s));
		rc = bf_smp_send(s, ask, seq, err);
		if (!rc)
			rc = collect_this(s, ask, seq,
					  bf_in(smp_clock(s),
						patience + bf_link_duration(s->link, SMP_HEADER)),
					  err);
		if (!rc) {
			if (ret)
				*ret = &s->doc.items[0];
			return BF_OK;
		}
		if (wait_busy(s, ask, err, busy_limit)) {
			seq = s->seq++;
			continue;
		}
		if (!may_repeat(s, ask, attempt++, rc))
			break;
		retry->lost_us += bf_now(smp_clock(s)) - began;
	}
	if (smp_clock(s)->cancelled && !smp_clock(s)->held && rc != BF_E_INTERRUPTED)
		bf_fail(err, BF_E_INTERRUPTED, "stopped before the pack answered");
	return bf_while(err, "asking the pack to %s", ask->what);
}

/* Silence means "not there" only from a device that answers what it does have. */
static bool is_there(struct smp *s)
{
	struct bf_err quiet;

	for (unsigned i = 0; i < 2; i++) {
		bf_err_init(&quiet);
		if (!bf_smp_ping(&s->proto, &quiet))
			return true;
	}
	return false;
}

enum bf_rc bf_smp_try(struct smp *s, const struct smp_ask *ask, const struct smp_item **ret,
		      struct bf_err *err)
{
	enum bf_rc rc = bf_smp_ask(s, ask, ret, err);

	if (!rc)
		return BF_OK;
	if (ret)
		*ret = NULL;
	if (!err->dev_refused && !(rc == BF_E_TIMEOUT && is_there(s)))
		return rc;
	bf_log(s->proto.env.log, BF_LOG_DEBUG, "smp: the pack does not %s: %s", ask->what,
	       err->cause);
	bf_err_init(err);
	return BF_OK;
}
