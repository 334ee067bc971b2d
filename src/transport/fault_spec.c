/* SPDX-License-Identifier: MIT */
/* "seed=7,drop=1%,delay=2%:5ms,cut=120" */
#include "fault.h"

#include <ctype.h>
#include <string.h>

#define PPM_PER_PERCENT 10000u
#define MAX_NUMBER      UINT64_C(1000000000000)

/* One specification while it is read. */
struct reader {
	const char *spec;
	const char *p;
	struct bf_err *err;
};

static enum bf_rc wrong(const struct reader *r, const char *want)
{
	bf_fail(r->err, BF_E_USAGE, "fault '%s': expected %s at character %zu", r->spec, want,
		(size_t)(r->p - r->spec) + 1);
	bf_do(r->err, "the form is seed=7,drop=1%%,flip=0.5%%,delay=2%%:5ms,dup=1%%,trunc=1%%,"
		      "cut=120,unplug=40:2s");
	return BF_E_USAGE;
}

static enum bf_rc read_number(struct reader *r, uint64_t *ret)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)*r->p))
		return wrong(r, "a number");
	for (; isdigit((unsigned char)*r->p); r->p++) {
		n = n * 10 + (uint64_t)(*r->p - '0');
		if (n > MAX_NUMBER)
			return wrong(r, "a smaller number");
	}
	*ret = n;
	return BF_OK;
}

/* "0.5%": at most four decimals, 0..100 */
static enum bf_rc read_share(struct reader *r, uint32_t *ret)
{
	uint32_t unit = PPM_PER_PERCENT;
	uint64_t percent;
	uint64_t ppm;

	if (read_number(r, &percent))
		return r->err->rc;
	if (percent > 100)
		return wrong(r, "a share of at most 100%");
	ppm = percent * PPM_PER_PERCENT;
	if (*r->p == '.') {
		for (r->p++; isdigit((unsigned char)*r->p) && unit > 1; r->p++) {
			unit /= 10;
			ppm += (uint64_t)(*r->p - '0') * unit;
		}
	}
	if (*r->p != '%')
		return wrong(r, "'%' after the share");
	if (ppm > 100 * PPM_PER_PERCENT)
		return wrong(r, "a share of at most 100%");
	r->p++;
	*ret = (uint32_t)ppm;
	return BF_OK;
}

static enum bf_rc read_duration(struct reader *r, bf_time *ret)
{
	static const struct {
		const char *unit;
		bf_time us;
	} units[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 } };
	uint64_t n;

	if (read_number(r, &n))
		return r->err->rc;
	if (n > 3600 * UINT64_C(1000000))
		return wrong(r, "a time of at most one hour");
	for (size_t i = 0; i < BF_COUNT(units); i++) {
		size_t len = strlen(units[i].unit);

		if (strncmp(r->p, units[i].unit, len) == 0) {
			r->p += len;
			*ret = (bf_time)n * units[i].us;
			return BF_OK;
		}
	}
	return wrong(r, "a unit: us, ms or s");
}

static enum bf_rc read_delay(struct reader *r, struct bf_fault_spec *spec)
{
	if (read_share(r, &spec->delay))
		return r->err->rc;
	if (*r->p != ':')
		return wrong(r, "':' and the time of the delay, as in 2%:5ms,");
	r->p++;
	return read_duration(r, &spec->delay_us);
}

static enum bf_rc read_unplug(struct reader *r, struct bf_fault_spec *spec)
{
	if (read_number(r, &spec->unplug))
		return r->err->rc;
	if (*r->p != ':')
		return wrong(r, "':' and the time until it is back, as in 40:2s,");
	r->p++;
	return read_duration(r, &spec->unplug_us);
}

static bool take_key(struct reader *r, const char *key)
{
	size_t len = strlen(key);

	if (strncmp(r->p, key, len) != 0 || r->p[len] != '=')
		return false;
	r->p += len + 1;
	return true;
}

static enum bf_rc read_item(struct reader *r, struct bf_fault_spec *spec)
{
	const struct {
		const char *key;
		uint32_t *share;
	} shares[] = {
		{ "drop", &spec->drop },
		{ "flip", &spec->flip },
		{ "dup", &spec->dup },
		{ "trunc", &spec->trunc },
	};

	for (size_t i = 0; i < BF_COUNT(shares); i++) {
		if (take_key(r, shares[i].key))
			return read_share(r, shares[i].share);
	}
	if (take_key(r, "seed"))
		return read_number(r, &spec->seed);
	if (take_key(r, "cut"))
		return read_number(r, &spec->cut);
	if (take_key(r, "delay"))
		return read_delay(r, spec);
	if (take_key(r, "unplug"))
		return read_unplug(r, spec);
	return wrong(r, "one of seed=, drop=, flip=, delay=, dup=, trunc=, cut=, unplug=");
}

enum bf_rc bf_fault_parse(const char *spec, struct bf_fault_spec *ret, struct bf_err *err)
{
	struct reader r = { .spec = spec, .p = spec, .err = err };
	struct bf_fault_spec parsed = { .seed = 1 };

	for (;;) {
		if (read_item(&r, &parsed))
			return err->rc;
		if (*r.p == '\0')
			break;
		if (*r.p != ',')
			return wrong(&r, "',' or the end");
		r.p++;
	}
	*ret = parsed;
	return BF_OK;
}

size_t bf_fault_spec_len(const char *text)
{
	const char *item = text;
	const char *p;

	for (p = text; *p; p++) {
		if (*p == ',')
			item = p + 1;
		if (*p != ':')
			continue;
		/* A ':' inside a specification stands before the time of a delay or of an unplugging. */
		if ((strncmp(item, "delay=", 6) != 0 && strncmp(item, "unplug=", 7) != 0) ||
		    !isdigit((unsigned char)p[1]))
			break;
		item = p;
	}
	return (size_t)(p - text);
}
