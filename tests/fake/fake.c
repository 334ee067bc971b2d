/* SPDX-License-Identifier: MIT */
#include "fake_priv.h"

#include <ctype.h>
#include <string.h>

#include "bmsflash/bytes.h"

void *fake_grow(void *array, size_t n, size_t size)
{
	void *p = reallocarray(array, n, size);

	if (!p)
		abort();
	return p;
}

struct fake *fake_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct fake, t);
}

void fake_close(struct bf_transport *t)
{
	fake_of(t)->closed = true;
}

struct fake *fake_new(struct bf_clock *clock, const struct bf_transport_ops *ops, const char *name)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->t.ops = ops;
	f->t.clock = clock;
	snprintf(f->t.name, sizeof(f->t.name), "%s", name);
	f->gone_at = BF_NEVER;
	f->claimed = -1;
	fake_forget(f);
	return f;
}

struct fake *fake_free(struct fake *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n_rules; i++) {
		free(f->rules[i].see);
		free(f->rules[i].answer);
	}
	for (size_t i = 0; i < f->n_queue; i++)
		free(f->queue[i].bytes);
	free(f->rules);
	free(f->queue);
	free(f->heard);
	free(f->pending);
	free(f);
	return NULL;
}

struct bf_transport *fake_transport(struct fake *f)
{
	return &f->t;
}

bool fake_closed(const struct fake *f)
{
	return f->closed;
}

/* ---- script ---- */

char *fake_squeeze(const char *text)
{
	char *s = strdup(text);
	size_t n = 0;

	if (!s)
		abort();
	for (const char *p = text; *p; p++) {
		if (!isspace((unsigned char)*p))
			s[n++] = (char)toupper((unsigned char)*p);
	}
	s[n] = '\0';
	return s;
}

static void add_rule(struct fake *f, const char *see, const char *answer, bf_time after, bool once)
{
	f->rules = fake_grow(f->rules, f->n_rules + 1, sizeof(*f->rules));
	f->rules[f->n_rules++] = (struct fake_rule){
		.see = fake_squeeze(see),
		.answer = strdup(answer),
		.after = after,
		.once = once,
	};
}

void fake_on(struct fake *f, const char *see, const char *answer, bf_time after)
{
	add_rule(f, see, answer, after, false);
}

void fake_once(struct fake *f, const char *see, const char *answer, bf_time after)
{
	add_rule(f, see, answer, after, true);
}

size_t fake_unused(const struct fake *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_rules; i++)
		n += f->rules[i].once && !f->rules[i].used;
	return n;
}

static bool rule_matches(const char *see, const char *text, size_t *prefix)
{
	size_t i;

	for (i = 0; see[i]; i++) {
		if (see[i] == '*' && see[i + 1] == '\0') {
			i = strlen(text);
			break;
		}
		if (text[i] == '\0' ||
		    (see[i] != text[i] && !(see[i] == '?' && isxdigit((unsigned char)text[i]))))
			return false;
	}
	if (prefix) {
		*prefix = i;
		return true;
	}
	return text[i] == '\0';
}

const struct fake_rule *fake_match(struct fake *f, const char *text, size_t *prefix)
{
	for (int once = 1; once >= 0; once--) {
		for (size_t i = 0; i < f->n_rules; i++) {
			struct fake_rule *r = &f->rules[i];

			if (r->once != once || r->used || !rule_matches(r->see, text, prefix))
				continue;
			r->used = r->once;
			return r;
		}
	}
	return NULL;
}

void fake_say(struct fake *f, const char *what, bf_time after)
{
	f->say(f, what, after);
}

size_t fake_unhex(const char *text, uint8_t *dst, size_t cap)
{
	BF_AUTO_MEM char *s = fake_squeeze(text);
	size_t len;

	if (!bf_unhex(s, dst, cap, &len))
		abort(); /* a mistake in the test's own text */
	return len;
}

/* ---- record ---- */

void fake_hear(struct fake *f, const char *line)
{
	size_t n = strlen(line), need = f->heard_len + n + 2;

	/* By doubling: with a sanitizer each new size is a copy. */
	if (need > f->heard_cap) {
		f->heard_cap = need > 2 * f->heard_cap ? need : 2 * f->heard_cap;
		f->heard = fake_grow(f->heard, f->heard_cap, 1);
	}
	memcpy(f->heard + f->heard_len, line, n);
	f->heard_len += n;
	f->heard[f->heard_len++] = '\n';
	f->heard[f->heard_len] = '\0';
}

const char *fake_heard(struct fake *f)
{
	return f->heard;
}

void fake_forget(struct fake *f)
{
	if (!f->heard)
		f->heard = fake_grow(NULL, f->heard_cap = 256, 1);
	f->heard[0] = '\0';
	f->heard_len = 0;
}

/* ---- queue and time ---- */

void fake_push(struct fake *f, struct fake_item item, const uint8_t *p, size_t len, bf_time at)
{
	if (f->n_queue && f->queue[f->n_queue - 1].at > at)
		at = f->queue[f->n_queue - 1].at;
	item.at = at;
	item.pos = 0;
	item.len = len;
	item.bytes = NULL;
	if (len) {
		item.bytes = fake_grow(NULL, len, 1);
		memcpy(item.bytes, p, len);
	}
	f->queue = fake_grow(f->queue, f->n_queue + 1, sizeof(*f->queue));
	f->queue[f->n_queue++] = item;
}

void fake_pop(struct fake *f, size_t i)
{
	free(f->queue[i].bytes);
	f->n_queue--;
	memmove(&f->queue[i], &f->queue[i + 1], (f->n_queue - i) * sizeof(*f->queue));
}

void fake_gone_at(struct fake *f, bf_time at)
{
	f->gone_at = at;
}

void fake_blocked_until(struct fake *f, bf_time at)
{
	f->blocked_until = at;
}

static bf_time earliest(bf_time a, bf_time b)
{
	return a < b ? a : b;
}

enum bf_rc fake_wait(struct fake *f, bf_time at, bf_time deadline, const char *what,
		     struct bf_err *err)
{
	struct bf_clock *clock = f->t.clock;
	bf_time begin = bf_now(clock);
	bf_time end = earliest(at, earliest(deadline, f->gone_at));

	while (bf_now(clock) < end) {
		enum bf_wait w = bf_clock_wait(clock, NULL, 0, end);

		if (w == BF_WAIT_CANCELLED)
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while %s", what);
		if (w == BF_WAIT_DEADLINE && end == BF_NEVER)
			break;
	}
	f->t.stats.waited_us += bf_now(clock) - begin;
	if (bf_now(clock) >= f->gone_at || f->left)
		return bf_fail(err, BF_E_GONE, "'%s' disappeared while %s", f->t.name, what);
	if (bf_now(clock) >= at)
		return BF_OK;
	if (clock->cancelled && !clock->held)
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while %s", what);
	return bf_fail(err, BF_E_TIMEOUT, "nothing came on '%s' while %s", f->t.name, what);
}
