/* SPDX-License-Identifier: MIT */
#include "bmsflash/profile.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "profile/keys.h"

/* A place in the file where a key stood: more of them than sections of one kind can be. */
#define INSTANCES_MAX 24
_Static_assert(BF_PROFILE_REGIONS <= INSTANCES_MAX && BF_PROFILE_QUANTITIES <= INSTANCES_MAX,
	       "an instance for each section");

struct parser {
	const char *name; /* of the file, for messages */
	const char *at, *end;
	unsigned line; /* number of the line that the reader handed out last */
	struct bf_profile work;
	unsigned seen[BF_KEY_ROWS_MAX][INSTANCES_MAX]; /* line where a key was given, 0: not yet */
	struct bf_err *err;
	bool failed;
};

/* ---- the default ---- */

static const struct bf_quantity_map default_quantities[] = {
	/* kind, DID, register, offset, width, signed, count, scale */
	{ BF_Q_PACK_VOLTAGE, 0xFD10, -1, 0, 4, false, 1, 0.001 },
	{ BF_Q_CURRENT, 0xFD11, -1, 0, 4, true, 1, 0.001 },
	{ BF_Q_SOC, 0xFD12, -1, 0, 2, false, 1, 0.1 },
	{ BF_Q_TEMPERATURE, 0xFD13, -1, 0, 2, true, 0, 0.1 },
	{ BF_Q_CELL_VOLTAGE, 0xFD14, -1, 0, 2, false, 0, 0.001 },
	{ BF_Q_BALANCING, 0xFD15, -1, 0, 4, false, 1, 1 },
};

static void lay_defaults(enum bf_scope scope, void *base)
{
	const struct bf_profile_section *family;
	const struct bf_key_row *row;

	for (size_t i = 0; (row = bf_key_row(i, &family)); i++) {
		if (row->scope == scope && !bf_key_set(row, base, row->def))
			abort(); /* a row whose default it does not take: a test sees to that */
	}
}

static void lay_families(struct bf_profile *profile)
{
	for (const struct bf_profile_section *const *s = bf_profile_sections; *s; s++) {
		void *settings = bf_key_settings(profile, *s);

		for (size_t i = 0; i < (*s)->n_rows; i++) {
			const struct bf_key_row *row = &(*s)->rows[i];

			if (row->scope == BF_SCOPE_FAMILY && !bf_key_set(row, settings, row->def))
				abort();
		}
	}
}

void bf_profile_default(struct bf_profile *ret)
{
	memset(ret, 0, sizeof(*ret));
	lay_defaults(BF_SCOPE_PROFILE, ret);
	lay_families(ret);
	memcpy(ret->quantities, default_quantities, sizeof(default_quantities));
	ret->n_quantities = BF_COUNT(default_quantities);
}

/* ---- one key ---- */

#define SEE_MAN "man bmsflash-profile # lists all keys"

/* Keeps the first failure; returns what inih takes for one. */
static BF_PRINTF(2, 3) int fail(struct parser *p, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	if (p->failed)
		return 0;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	bf_fail(p->err, BF_E_USAGE, "profile '%s', line %u: %s", p->name, p->line, what);
	bf_do(p->err, "correct that line");
	bf_next(p->err, SEE_MAN);
	return 0;
}

static struct bf_region *region_of(struct parser *p, const char *name)
{
	struct bf_profile *w = &p->work;
	struct bf_region *r;

	for (size_t i = 0; i < w->n_regions; i++) {
		if (strcmp(w->regions[i].name, name) == 0)
			return &w->regions[i];
	}
	if (*name == '\0' || strlen(name) >= sizeof(r->name)) {
		fail(p, "a region needs a name of 1 to %zu bytes, as in [region app]",
		     sizeof(r->name) - 1);
		return NULL;
	}
	if (w->n_regions == BF_PROFILE_REGIONS) {
		fail(p, "region '%s' is one more than the %d that can be", name,
		     BF_PROFILE_REGIONS);
		return NULL;
	}
	r = &w->regions[w->n_regions++];
	memset(r, 0, sizeof(*r));
	lay_defaults(BF_SCOPE_REGION, r);
	r->size = 0; /* not a size that a file can give: shows that it gave none */
	memcpy(r->name, name, strlen(name));
	return r;
}

static struct bf_step *step_of(struct parser *p, const char *name)
{
	struct bf_profile *w = &p->work;
	struct bf_step *s;

	for (size_t i = 0; i < w->n_steps; i++) {
		if (strcmp(w->steps[i].name, name) == 0)
			return &w->steps[i];
	}
	if (*name == '\0' || strlen(name) >= sizeof(s->name) || w->n_steps == BF_PROFILE_STEPS) {
		fail(p,
		     "a step needs a name of 1 to %zu bytes, as in [step precheck], and there can "
		     "be %d",
		     sizeof(s->name) - 1, BF_PROFILE_STEPS);
		return NULL;
	}
	s = &w->steps[w->n_steps++];
	memset(s, 0, sizeof(*s));
	lay_defaults(BF_SCOPE_STEP, s);
	memcpy(s->name, name, strlen(name));
	return s;
}

static struct bf_periodic *periodic_of(struct parser *p, const char *name)
{
	struct bf_profile *w = &p->work;
	struct bf_periodic *c;

	for (size_t i = 0; i < w->n_periodics; i++) {
		if (strcmp(w->periodics[i].name, name) == 0)
			return &w->periodics[i];
	}
	if (*name == '\0' || strlen(name) >= sizeof(c->name) ||
	    w->n_periodics == BF_PROFILE_PERIODICS) {
		fail(p,
		     "a periodic frame needs a name of 1 to %zu bytes, as in [periodic nm], and "
		     "there can be "
		     "%d",
		     sizeof(c->name) - 1, BF_PROFILE_PERIODICS);
		return NULL;
	}
	c = &w->periodics[w->n_periodics++];
	memset(c, 0, sizeof(*c));
	lay_defaults(BF_SCOPE_PERIODIC, c);
	memcpy(c->name, name, strlen(name));
	return c;
}

static struct bf_quantity_map *quantity_add(struct parser *p, enum bf_quantity_kind kind)
{
	struct bf_profile *w = &p->work;
	struct bf_quantity_map *q;

	if (w->n_quantities == BF_PROFILE_QUANTITIES) {
		fail(p, "more than the %d quantities that can be", BF_PROFILE_QUANTITIES);
		return NULL;
	}
	q = &w->quantities[w->n_quantities++];
	memset(q, 0, sizeof(*q));
	lay_defaults(BF_SCOPE_QUANTITY, q);
	q->kind = kind;
	return q;
}

static const struct bf_choice *quantity_kind(const char *name, size_t len)
{
	for (const struct bf_choice *c = bf_quantity_kinds; c->name; c++) {
		if (strlen(c->name) == len && memcmp(c->name, name, len) == 0)
			return c;
	}
	return NULL;
}

/* NAME is a kind, "cell-voltage", or a kind with a number when its elements are spread over several
 * identifiers: "cell-voltage 2". The numbers follow each other. */
static struct bf_quantity_map *quantity_of(struct parser *p, const char *name)
{
	size_t len = strcspn(name, " ");
	const struct bf_choice *c = quantity_kind(name, len);
	unsigned want = 1, met = 0;

	if (c && name[len]) {
		want = name[len + 1] >= '2' && name[len + 1] <= '9' ? (unsigned)name[len + 1] - '0'
								    : 0;
		if (want == 0 || name[len + 2])
			c = NULL;
	}
	if (!c) {
		fail(p,
		     "unknown quantity '%s' (allowed: pack-voltage, current, soc, cell-voltage, "
		     "temperature or balancing, and a number from 2 to 9 for a further part)",
		     name);
		return NULL;
	}
	for (size_t i = 0; i < p->work.n_quantities; i++) {
		struct bf_quantity_map *q = &p->work.quantities[i];

		if (q->kind == (enum bf_quantity_kind)c->value && ++met == want)
			return q;
	}
	if (met + 1 == want)
		return quantity_add(p, (enum bf_quantity_kind)c->value);
	fail(p, "quantity '%s' comes before part %u of it", name, met + 1);
	return NULL;
}

/* "region app" -> "region" and "app". */
static const char *split_section(const char *section, char *kind, size_t cap)
{
	static const char *const named[] = { "region", "quantity", "step", "periodic" };

	snprintf(kind, cap, "%s", section);
	for (size_t i = 0; i < BF_COUNT(named); i++) {
		size_t n = strlen(named[i]);

		if (strncmp(section, named[i], n) == 0 && (section[n] == ' ' || !section[n])) {
			kind[n] = '\0';
			return section + n + strspn(section + n, " ");
		}
	}
	return "";
}

/* The struct that the row's offset counts in, and which of its kind it is; NULL: failed. */
static void *base_of(struct parser *p, enum bf_scope scope, const struct bf_profile_section *family,
		     const char *name, size_t *ret_instance)
{
	struct bf_region *r;
	struct bf_quantity_map *q;
	struct bf_step *s;
	struct bf_periodic *c;

	switch (scope) {
	case BF_SCOPE_PROFILE:
		*ret_instance = 0;
		return &p->work;
	case BF_SCOPE_FAMILY:
		*ret_instance = 0;
		return bf_key_settings(&p->work, family);
	case BF_SCOPE_REGION:
		r = region_of(p, name);
		if (r)
			*ret_instance = (size_t)(r - p->work.regions);
		return r;
	case BF_SCOPE_QUANTITY:
		q = quantity_of(p, name);
		if (q)
			*ret_instance = (size_t)(q - p->work.quantities);
		return q;
	case BF_SCOPE_STEP:
		s = step_of(p, name);
		if (s)
			*ret_instance = (size_t)(s - p->work.steps);
		return s;
	case BF_SCOPE_PERIODIC:
		c = periodic_of(p, name);
		if (c)
			*ret_instance = (size_t)(c - p->work.periodics);
		return c;
	}
	return NULL;
}

static int unknown_key(struct parser *p, const char *section, const char *key)
{
	if (*section == '\0')
		return fail(p, "key '%s' stands before any [section]", key);
	if (!bf_key_section_known(section))
		return fail(p, "unknown section [%s]", section);
	return fail(p, "unknown key '%s' in section [%s]", key, section);
}

/* inih's handler: nonzero goes on. It is called further after a failure; the first one counts. */
static int on_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct parser *p = ctx;
	char kind[64], allowed[160];
	const char *name = split_section(section, kind, sizeof(kind));
	const struct bf_profile_section *family;
	size_t number, instance = 0;
	const struct bf_key_row *row = bf_key_find(kind, key, &number, &family);
	unsigned *seen;
	void *base;

	if (p->failed)
		return 0;
	if (!row)
		return unknown_key(p, kind, key);
	base = base_of(p, row->scope, family, name, &instance);
	if (!base)
		return 0;
	seen = &p->seen[number][instance];
	if (*seen)
		return fail(p, "key '%s' in [%s] was given on line %u", key, section, *seen);
	*seen = p->line;
	if (bf_key_set(row, base, value))
		return 1;
	bf_key_allowed(row, allowed, sizeof(allowed));
	return fail(p, "'%.60s' is not a value for '%s' in [%s] (allowed: %s)", value, key, section,
		    allowed);
}

/* ---- what one key cannot tell ---- */

static bool region_ends_wrong(const struct bf_region *r)
{
	return r->size == 0 || r->size - 1 > UINT32_MAX - r->addr;
}

static bool regions_overlap(const struct bf_region *a, const struct bf_region *b)
{
	return a->alt == b->alt && a->addr <= b->addr + (b->size - 1) &&
	       b->addr <= a->addr + (a->size - 1);
}

static enum bf_rc check_regions(const struct parser *p)
{
	const struct bf_region *r = p->work.regions;

	for (size_t i = 0; i < p->work.n_regions; i++) {
		if (region_ends_wrong(&r[i]))
			return bf_fail(p->err, BF_E_USAGE,
				       "profile '%s': region '%s' at 0x%08X has %s", p->name,
				       r[i].name, r[i].addr,
				       r[i].size ? "an end beyond 0xFFFFFFFF" : "no size");
		for (size_t j = 0; j < i; j++) {
			if (regions_overlap(&r[i], &r[j]))
				return bf_fail(p->err, BF_E_USAGE,
					       "profile '%s': regions '%s' and '%s' overlap",
					       p->name, r[j].name, r[i].name);
		}
	}
	return BF_OK;
}

static enum bf_rc check_can(const struct parser *p)
{
	const struct bf_profile *w = &p->work;

	if (w->can_tx == w->can_rx)
		return bf_fail(p->err, BF_E_USAGE,
			       "profile '%s': request-id and response-id in [can] are both 0x%X",
			       p->name, w->can_tx);
	if (!w->can_ext &&
	    (w->can_tx | w->can_rx | w->can_func | w->loader_tx | w->loader_rx) > 0x7FF)
		return bf_fail(
			p->err, BF_E_USAGE,
			"profile '%s': an identifier in [can] is above 0x7FF, but 'extended' "
			"is no",
			p->name);
	if (w->can_brs && !w->can_fd)
		return bf_fail(p->err, BF_E_USAGE,
			       "profile '%s': 'bit-rate-switch' in [can] needs 'fd = yes'",
			       p->name);
	return BF_OK;
}

static enum bf_rc check_pairs(const struct parser *p)
{
	const struct bf_limits *l = &p->work.limits;
	const struct {
		double low, high;
		const char *names;
	} pairs[] = {
		{ l->soc_min, l->soc_max, "soc-min and soc-max in [limits]" },
		{ l->temp_above, l->temp_below, "temp-above and temp-below in [limits]" },
		{ l->self_temp_min, l->self_temp_max, "temp-min and temp-max in [self-test]" },
	};

	for (size_t i = 0; i < BF_COUNT(pairs); i++) {
		if (pairs[i].low < pairs[i].high)
			continue;
		bf_fail(p->err, BF_E_USAGE, "profile '%s': %s leave nothing between %g and %g",
			p->name, pairs[i].names, pairs[i].low, pairs[i].high);
		bf_likely(p->err, "the profile gives one of them, and the other keeps its default");
		bf_do(p->err, "give both");
		bf_next(p->err, "man bmsflash-profile # lists the defaults");
		return p->err->rc;
	}
	return BF_OK;
}

/* A register has 16 bits, a request at most 125 of them (MODBUS Application Protocol 1.1b3, 6.3). */
static enum bf_rc check_registers(const struct parser *p)
{
	for (size_t i = 0; i < p->work.n_quantities; i++) {
		const struct bf_quantity_map *q = &p->work.quantities[i];
		unsigned bytes = q->offset + (unsigned)q->count * q->width;
		bool within = q->width == 1 || (q->offset % 2 == 0 && q->width % 2 == 0);

		if (q->modbus_register < 0)
			continue;
		if (q->count && within && bytes <= 250)
			continue;
		return bf_fail(
			p->err, BF_E_USAGE,
			"profile '%s': [quantity %s] at register %d needs a width of 1, 2 or 4, "
			"an even offset where it is 2 or 4, and a count, 125 registers at most",
			p->name, bf_quantity_kinds[q->kind].name, (int)q->modbus_register);
	}
	return BF_OK;
}

/* What a template becomes, in bytes; the messages of the classic frames of periodic and wake frames are short. */
static size_t bytes_of(const char *text)
{
	static const struct bf_template_values none = { .little = false };
	uint8_t bytes[256];
	struct bf_out o = bf_out(bytes, sizeof(bytes));

	bf_template_put(text, &none, &o);
	return o.failed ? sizeof(bytes) : o.len;
}

/* Services that would make a step a way around what bmsflash does itself, under its own checks. */
static bool is_ours_alone(uint8_t sid)
{
	return sid == 0x34 || sid == 0x35 || sid == 0x36 || sid == 0x37 || sid == 0x38 ||
	       sid == 0x3D || sid == 0x27 || sid == 0x29;
}

static enum bf_rc check_steps(const struct parser *p)
{
	static const struct bf_template_values none = { .little = false };

	for (size_t i = 0; i < p->work.n_steps; i++) {
		const struct bf_step *s = &p->work.steps[i];
		uint8_t first[256] = { 0 };
		struct bf_out o = bf_out(first, sizeof(first));

		bf_template_put(s->send, &none, &o);
		if (o.len == 0 || o.failed)
			return bf_fail(p->err, BF_E_USAGE, "profile '%s': [step %s] sends nothing",
				       p->name, s->name);
		if (is_ours_alone(first[0]))
			return bf_fail(p->err, BF_E_USAGE,
				       "profile '%s': [step %s] sends service %02X, which only "
				       "bmsflash itself "
				       "may send",
				       p->name, s->name, first[0]);
		if (s->poll == BF_POLL_RESULTS && (first[0] != 0x31 || o.len < 4))
			return bf_fail(p->err, BF_E_USAGE,
				       "profile '%s': [step %s] polls for results of what is no "
				       "routine (31 01)",
				       p->name, s->name);
	}
	return BF_OK;
}

static enum bf_rc check_frames(const struct parser *p)
{
	const struct bf_profile *w = &p->work;

	for (size_t i = 0; i < w->n_periodics; i++) {
		size_t n = bytes_of(w->periodics[i].data);

		if (!w->periodics[i].id || n > 8 || (!w->can_ext && w->periodics[i].id > 0x7FF))
			return bf_fail(p->err, BF_E_USAGE,
				       "profile '%s': [periodic %s] needs an identifier and up to "
				       "8 bytes of data",
				       p->name, w->periodics[i].name);
	}
	if (w->wake.frame[0] &&
	    (bytes_of(w->wake.frame) > 8 || (!w->can_ext && w->wake.id > 0x7FF)))
		return bf_fail(p->err, BF_E_USAGE,
			       "profile '%s': the frame in [wake] has at most 8 bytes, and an "
			       "identifier of the "
			       "form of the others",
			       p->name);
	if (!w->loader_tx != !w->loader_rx)
		return bf_fail(p->err, BF_E_USAGE,
			       "profile '%s': loader-request-id and loader-response-id in [can] "
			       "need each other",
			       p->name);
	return BF_OK;
}

static enum bf_rc check_whole(const struct parser *p)
{
	const struct bf_profile *w = &p->work;

	if (w->node == w->tester)
		return bf_fail(p->err, BF_E_USAGE,
			       "profile '%s': node and tester in [rs485] are both 0x%02X", p->name,
			       w->node);
	if (bf_entry_check(w, p->name, p->err) || check_can(p) || check_pairs(p) ||
	    check_registers(p) || check_steps(p) || check_frames(p))
		return p->err->rc;
	for (const struct bf_profile_section *const *s = bf_profile_sections; *s; s++) {
		if ((*s)->check &&
		    (*s)->check(bf_profile_family(w, (*s)->name), w, p->name, p->err))
			return p->err->rc;
	}
	return check_regions(p);
}

/* Neither identifier nor register: did = 0 takes a quantity of the default away. */
static void drop_untold(struct bf_profile *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n_quantities; i++) {
		if (w->quantities[i].did || w->quantities[i].modbus_register >= 0)
			w->quantities[kept++] = w->quantities[i];
	}
	memset(&w->quantities[kept], 0, (BF_PROFILE_QUANTITIES - kept) * sizeof(w->quantities[0]));
	w->n_quantities = kept;
}

/* ---- whole texts ---- */

/* inih's reader, as fgets. It counts the lines, and takes leading white space away: an indented line
 * would go on with the value of the key before it. */
static char *next_line(char *dst, int cap, void *ctx)
{
	struct parser *p = ctx;
	const char *from = p->at, *nl;
	size_t len;

	if (p->failed || p->at == p->end)
		return NULL;
	p->line++;
	nl = memchr(from, '\n', (size_t)(p->end - from));
	p->at = nl ? nl + 1 : p->end;
	while (from < p->at && (*from == ' ' || *from == '\t'))
		from++;
	len = (size_t)(p->at - from);
	if (len >= (size_t)cap || memchr(from, '\0', len)) {
		fail(p, "the line %s", len >= (size_t)cap ? "is too long" : "holds a NUL byte");
		return NULL;
	}
	memcpy(dst, from, len);
	dst[len] = '\0';
	return dst;
}

static enum bf_rc parse(struct parser *p)
{
	int bad = ini_parse_stream(next_line, p, on_key, p);

	if (p->failed)
		return p->err->rc;
	if (bad) {
		bf_fail(p->err, BF_E_USAGE,
			"profile '%s', line %d: neither a [section] nor 'key = value'", p->name,
			bad);
		bf_do(p->err, "correct that line");
		bf_next(p->err, SEE_MAN);
		return p->err->rc;
	}
	drop_untold(&p->work);
	return check_whole(p);
}

enum bf_rc bf_profile_parse(const char *text, size_t len, const char *name,
			    struct bf_profile *profile, struct bf_err *err)
{
	BF_AUTO_MEM struct parser *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->name = name;
	p->at = text;
	p->end = text + len;
	p->work = *profile;
	p->err = err;
	if (parse(p))
		return err->rc;
	*profile = p->work;
	return BF_OK;
}

/* ---- what a user should hear ---- */

struct note {
	size_t left; /* notes before the one that is wanted */
	char *dst;
	size_t cap;
	bool found;
};

static BF_PRINTF(2, 3) void note(struct note *n, const char *fmt, ...)
{
	va_list ap;

	if (n->found || n->left--)
		return;
	n->found = true;
	va_start(ap, fmt);
	vsnprintf(n->dst, n->cap, fmt, ap);
	va_end(ap);
}

static void note_limits(struct note *n, const struct bf_profile *p, const struct bf_profile *def)
{
	const struct bf_limits *l = &p->limits, *d = &def->limits;
	const struct {
		double is, was;
		bool lower_is_wider;
		const char *key, *unit;
	} rows[] = {
		{ l->soc_min, d->soc_min, true, "soc-min", "%" },
		{ l->soc_max, d->soc_max, false, "soc-max", "%" },
		{ l->temp_above, d->temp_above, true, "temp-above", "degrees C" },
		{ l->temp_below, d->temp_below, false, "temp-below", "degrees C" },
		{ l->current_max, d->current_max, false, "current-max", "A" },
		{ l->cell_spread_max, d->cell_spread_max, false, "cell-spread-max", "V" },
		{ l->steady_pack, d->steady_pack, false, "steady-pack", "V" },
		{ l->steady_cell, d->steady_cell, false, "steady-cell", "V" },
		{ l->self_cell_percent, d->self_cell_percent, false, "cell-percent", "%" },
		{ l->self_temp_min, d->self_temp_min, true, "temp-min", "degrees C" },
		{ l->self_temp_max, d->self_temp_max, false, "temp-max", "degrees C" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		bool wider = rows[i].lower_is_wider ? rows[i].is < rows[i].was
						    : rows[i].is > rows[i].was;

		if (wider)
			note(n, "the profile '%s' widens %s to %g %s (built-in: %g)", p->name,
			     rows[i].key, rows[i].is, rows[i].unit, rows[i].was);
	}
}

bool bf_profile_note(const struct bf_profile *profile, size_t i, char *dst, size_t cap)
{
	struct note n = { .left = i, .dst = dst, .cap = cap };
	struct bf_profile def;

	bf_profile_default(&def);
	note_limits(&n, profile, &def);
	if (profile->telemetry == BF_TELEMETRY_NONE)
		note(&n, "the profile '%s' reads no conditions of the pack", profile->name);
	for (size_t k = 0; k < profile->n_steps; k++)
		note(&n, "the profile '%s' sends %s (step %s)", profile->name,
		     profile->steps[k].send, profile->steps[k].name);
	for (const struct bf_profile_section *const *s = bf_profile_sections; *s; s++) {
		const void *settings = bf_profile_family(profile, (*s)->name);
		char text[256];

		for (size_t k = 0;
		     (*s)->note && (*s)->note(settings, profile, k, text, sizeof(text)); k++)
			note(&n, "%s", text);
	}
	return n.found;
}
