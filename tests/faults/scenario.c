/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/rng.h"

static void add(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void add(char *dst, size_t cap, const char *fmt, ...)
{
	size_t at = strlen(dst);
	va_list ap;

	if (at)
		snprintf(dst + at, cap - at, ",");
	at = strlen(dst);
	va_start(ap, fmt);
	vsnprintf(dst + at, cap - at, fmt, ap);
	va_end(ap);
}

static bool one_in(struct bf_rng *r, uint32_t n)
{
	return bf_rng_below(r, n) == 0;
}

/* In hundredths of a percent: mostly little, now and then 3 %. */
static unsigned share(struct bf_rng *r)
{
	static const unsigned most[] = { 10, 50, 100, 300 };

	return 1 + bf_rng_below(r, most[bf_rng_below(r, 4)]);
}

static void draw_line_faults(struct bf_rng *r, const struct model *m, struct scenario *s)
{
	static const char *const shares[] = { "drop", "flip", "dup", "trunc" };
	char *dst = s->fault;
	size_t cap = sizeof(s->fault);

	add(dst, cap, "seed=%u", bf_rng_below(r, 1000000));
	for (size_t i = 0; i < BF_COUNT(shares); i++) {
		unsigned n = share(r);

		/* A short USB transfer is the end of a message, not damage: the CRC sees to that. */
		if (one_in(r, 3) && !(strstr(m->pack, "usb") && i == 3) &&
		    !(m->no_doubles && (i == 2 || (i == 3 && strstr(m->pack, "link=can")))))
			add(dst, cap, "%s=%u.%02u%%", shares[i], n / 100, n % 100);
	}
	if (one_in(r, 4)) {
		unsigned n = share(r), ms = 1 + bf_rng_below(r, 200);

		add(dst, cap, "delay=%u.%02u%%:%ums", n / 100, n % 100, ms);
	}
	if (one_in(r, 5))
		add(dst, cap, "cut=%u", 1 + bf_rng_below(r, m->messages + m->messages / 4));
}

static void draw_cut(struct bf_rng *r, const struct model *m, struct scenario *s)
{
	bool by_message = one_in(r, 2);
	unsigned n = by_message ? m->requests : m->ops;

	add(s->cut, sizeof(s->cut), "%s=%u", by_message ? "cutmsg" : "cutop",
	    1 + bf_rng_below(r, n));
	if (!one_in(r, 3))
		add(s->cut, sizeof(s->cut), "repower=%u", 50 + bf_rng_below(r, 8000));
}

static void draw_habit(struct bf_rng *r, const struct model *m, struct scenario *s)
{
	const char *at = m->habits;
	uint32_t n = 1;

	for (const char *p = at; *p; p++)
		n += *p == ' ';
	for (n = bf_rng_below(r, n); n; n--)
		at = strchr(at, ' ') + 1;
	add(s->pack, sizeof(s->pack), "quirk=%.*s", (int)strcspn(at, " "), at);
}

static void draw_pack(struct bf_rng *r, const struct model *m, struct scenario *s)
{
	add(s->pack, sizeof(s->pack), "%s,seed=%u", m->pack, bf_rng_below(r, 1000000));
	if (strstr(m->pack, "usb"))
		return;
	if (m->habits && one_in(r, 6))
		draw_habit(r, m, s);
	if (one_in(r, 6) && !m->maker)
		add(s->pack, sizeof(s->pack), "auth=1");
	if (strstr(m->pack, "rs485") && one_in(r, 4))
		add(s->pack, sizeof(s->pack), "echo=1");
	s->hopeless = m->confirms && one_in(r, 20) && !m->no_self_test;
	s->crashes = m->confirms && !s->hopeless && one_in(r, 20);
	if (s->hopeless)
		add(s->pack, sizeof(s->pack), "selftest=fail");
	if (s->crashes)
		add(s->pack, sizeof(s->pack), "crash=trial");
}

const char *scenario_task(enum task task)
{
	static const char *const names[] = { "flash", "flash --rescue", "rollback",
					     "rollback --from" };

	return names[task];
}

/* Mostly the flash; what makes no sense on this wire is a flash, too. */
static void draw_task(struct bf_rng *r, const struct model *m, struct scenario *s)
{
	bool odd = s->other_key || s->hopeless || s->crashes || strstr(s->pack, "noread");

	if (odd || !one_in(r, 4))
		return;
	s->task = (enum task)(1 + bf_rng_below(r, TASK_COUNT - 1));
	if (s->task == TASK_REVERT && !m->confirms)
		s->task = TASK_RESTORE;
	if (s->task == TASK_RESTORE && m->no_archive)
		s->task = TASK_FLASH;
	if (s->task == TASK_RESCUE && m->no_rescue)
		s->task = TASK_FLASH;
	if (s->task == TASK_REVERT)
		add(s->pack, sizeof(s->pack), "slot1=1.4.0");
	if (s->task == TASK_RESCUE)
		add(s->pack, sizeof(s->pack), "version=none,poweron=%u", 1 + bf_rng_below(r, 8000));
}

/* Bad lines are drawn for those that have figures. */
static const struct model *draw_model(struct bf_rng *r, const char *name)
{
	const struct model *m, *all[MODELS_MAX];
	size_t at = 0, n = 0;

	while ((m = model_next(name, &at))) {
		if (m->messages)
			all[n++] = m;
	}
	return n ? all[bf_rng_below(r, (uint32_t)n)] : NULL;
}

void scenario_draw(uint64_t seed, const char *name, struct scenario *ret)
{
	struct bf_rng r = { seed * 2654435761u + 1 };
	const struct model *m = draw_model(&r, name);

	*ret = (struct scenario){
		.seed = seed,
		.model = m,
		.image = "mcuboot/app-1.5.0.signed.bin",
	};
	if (!m)
		return;
	if (one_in(&r, 20) && m->confirms) {
		ret->image = "mcuboot/app-1.5.0.otherkey.bin";
		ret->other_key = true;
	}
	draw_pack(&r, m, ret);
	if (!one_in(&r, 5))
		draw_line_faults(&r, m, ret);
	if (one_in(&r, 3))
		draw_cut(&r, m, ret);
	draw_task(&r, m, ret);
}
