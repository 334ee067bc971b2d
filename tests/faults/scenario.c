/* SPDX-License-Identifier: MIT */
#include "scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/rng.h"

static const struct wire {
	const char *name, *pack, *profile;
	bool no_hardware, two_banks, confirms;
	unsigned messages; /* of an undisturbed run, about: of the wire, and requests heard */
	unsigned requests;
	unsigned ops; /* flash operations */
} wires[] = {
	{ "uds-can", "link=can", NULL, false, true, true, 20000, 340, 12000 },
	{ "uds-canfd", "link=canfd", "[can]\nfd = yes\nbit-rate-switch = yes\n", false, true, true,
	  4000, 340, 12000 },
	{ "uds-hdlc", "link=rs485", "[rs485]\nframing = hdlc\n", false, true, true, 1600, 400,
	  12000 },
	{ "uds-iso14230", "link=rs485", "[rs485]\nframing = iso14230\n", false, true, true, 3000,
	  800, 12000 },
	{ "uds-one-bank", "link=can,quirk=singlebank", NULL, false, false, false, 20000, 340,
	  12000 },
	{ "dfu", "link=usb,protocol=dfu", NULL, true, true, false, 200, 200, 12000 },
	{ "dfuse", "link=usb,protocol=dfuse",
	  "[region app]\nkind = app\naddress = 0x08010000\nsize = 0x10000\nerase-unit = 0x800\n",
	  true, false, false, 400, 400, 12000 },
};

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

static void draw_line_faults(struct bf_rng *r, const struct wire *w, struct scenario *s)
{
	static const char *const shares[] = { "drop", "flip", "dup", "trunc" };
	char *dst = s->fault;
	size_t cap = sizeof(s->fault);

	add(dst, cap, "seed=%u", bf_rng_below(r, 1000000));
	for (size_t i = 0; i < BF_COUNT(shares); i++) {
		unsigned n = share(r);

		/* A short USB transfer is the end of a message, not damage: the CRC sees to that. */
		if (one_in(r, 3) && !(strstr(w->pack, "usb") && i == 3))
			add(dst, cap, "%s=%u.%02u%%", shares[i], n / 100, n % 100);
	}
	if (one_in(r, 4)) {
		unsigned n = share(r), ms = 1 + bf_rng_below(r, 200);

		add(dst, cap, "delay=%u.%02u%%:%ums", n / 100, n % 100, ms);
	}
	if (one_in(r, 5))
		add(dst, cap, "cut=%u", 1 + bf_rng_below(r, w->messages + w->messages / 4));
}

static void draw_cut(struct bf_rng *r, const struct wire *w, struct scenario *s)
{
	bool by_message = one_in(r, 2);
	unsigned n = by_message ? w->requests : w->ops;

	add(s->cut, sizeof(s->cut), "%s=%u", by_message ? "cutmsg" : "cutop",
	    1 + bf_rng_below(r, n));
	if (!one_in(r, 3))
		add(s->cut, sizeof(s->cut), "repower=%u", 50 + bf_rng_below(r, 8000));
}

static void draw_pack(struct bf_rng *r, const struct wire *w, struct scenario *s)
{
	static const char *const habits[] = { "nrc24", "nohash", "noread", "slow", "busy" };

	add(s->pack, sizeof(s->pack), "%s,seed=%u", w->pack, bf_rng_below(r, 1000000));
	if (strstr(w->pack, "usb"))
		return;
	/* Without a backup one bank has no way back: that needs a permission and is another story. */
	if (one_in(r, 6))
		add(s->pack, sizeof(s->pack), "quirk=%s",
		    habits[bf_rng_below(r, w->two_banks ? 5 : 2)]);
	if (one_in(r, 6))
		add(s->pack, sizeof(s->pack), "auth=1");
	if (strstr(w->pack, "rs485") && one_in(r, 4))
		add(s->pack, sizeof(s->pack), "echo=1");
	s->hopeless = w->confirms && one_in(r, 20);
	s->crashes = w->confirms && !s->hopeless && one_in(r, 20);
	if (s->hopeless)
		add(s->pack, sizeof(s->pack), "selftest=fail");
	if (s->crashes)
		add(s->pack, sizeof(s->pack), "crash=trial");
}

_Static_assert(BF_COUNT(wires) == SCENARIO_WIRES, "a row of the tally for each wire");

const char *scenario_wire(unsigned row)
{
	return wires[row].name;
}

const char *scenario_task(enum task task)
{
	static const char *const names[] = { "flash", "flash --rescue", "rollback",
					     "rollback --from" };

	return names[task];
}

/* Mostly the flash; what makes no sense on this wire is a flash, too. */
static void draw_task(struct bf_rng *r, const struct wire *w, struct scenario *s)
{
	bool odd = s->other_key || s->hopeless || s->crashes || strstr(s->pack, "noread");

	if (odd || !one_in(r, 4))
		return;
	s->task = (enum task)(1 + bf_rng_below(r, TASK_COUNT - 1));
	if (s->task == TASK_REVERT && !w->confirms)
		s->task = TASK_RESTORE;
	if (s->task == TASK_REVERT)
		add(s->pack, sizeof(s->pack), "slot1=1.4.0");
	if (s->task == TASK_RESCUE)
		add(s->pack, sizeof(s->pack), "version=none,poweron=%u", 1 + bf_rng_below(r, 8000));
}

void scenario_draw(uint64_t seed, struct scenario *ret)
{
	struct bf_rng r = { seed * 2654435761u + 1 };
	const struct wire *w = &wires[bf_rng_below(&r, BF_COUNT(wires))];

	*ret = (struct scenario){
		.seed = seed,
		.wire_row = (unsigned)(w - wires),
		.wire = w->name,
		.profile = w->profile,
		.image = "mcuboot/app-1.5.0.signed.bin",
		.no_hardware = w->no_hardware,
		.two_banks = w->two_banks,
		.confirms = w->confirms,
	};
	if (one_in(&r, 20) && w->confirms) {
		ret->image = "mcuboot/app-1.5.0.otherkey.bin";
		ret->other_key = true;
	}
	draw_pack(&r, w, ret);
	if (!one_in(&r, 5))
		draw_line_faults(&r, w, ret);
	if (one_in(&r, 3))
		draw_cut(&r, w, ret);
	draw_task(&r, w, ret);
}
