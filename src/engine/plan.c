/* SPDX-License-Identifier: MIT */
/* The write plan: what must be where, what the pack holds already, and what is written last. */
#include <stdlib.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"

#include "phases.h"
#include "preflight.h"

/* ==== the list ==== */

static void add_item(struct bf_todo *todo, const struct bf_item *item)
{
	if (todo->n == todo->cap) {
		todo->cap = todo->cap ? 2 * todo->cap : 8;
		todo->items = realloc(todo->items, todo->cap * sizeof(*todo->items));
		if (!todo->items)
			abort();
	}
	todo->items[todo->n++] = *item;
}

void bf_todo_done(struct bf_todo *todo)
{
	for (size_t i = 0; i < todo->n_joined; i++)
		free(todo->joined[i]);
	free(todo->joined);
	free(todo->segments);
	free(todo->items);
	*todo = (struct bf_todo){ 0 };
}

void bf_plan_part(struct bf_run *run, unsigned part)
{
	struct bf_todo now = run->todo;

	if (part == run->wanted.part)
		return;
	run->todo = run->aside[part];
	run->aside[part] = (struct bf_todo){ 0 };
	run->aside[run->wanted.part] = now;
}

void bf_plan_drop(struct bf_run *run)
{
	bf_todo_done(&run->todo);
	for (unsigned i = 0; i < BF_PARTS_MAX; i++)
		bf_todo_done(&run->aside[i]);
}

bool bf_plan_was_there(const struct bf_run *run)
{
	bool all = run->todo.already_confirmed;

	for (unsigned i = 0; i < bf_parts(run); i++) {
		if (i != run->wanted.part)
			all = all && run->aside[i].already_confirmed;
	}
	return all;
}

const uint8_t *bf_todo_join(struct bf_todo *todo, const struct bf_segment *segs, size_t n,
			    size_t *ret_len)
{
	size_t len = (size_t)(segs[n - 1].addr - segs[0].addr) + segs[n - 1].len;
	uint8_t *bytes = malloc(len);

	todo->joined = realloc(todo->joined, (todo->n_joined + 1) * sizeof(*todo->joined));
	if (!bytes || !todo->joined)
		abort();
	todo->joined[todo->n_joined++] = bytes;
	memset(bytes, 0xFF, len);
	for (size_t i = 0; i < n; i++)
		memcpy(bytes + (segs[i].addr - segs[0].addr), segs[i].data, segs[i].len);
	*ret_len = len;
	return bytes;
}

/* ==== a device with addresses ==== */
/*
 * The plan for a device with addresses. Each segment has its place, and each place its erase units, which
 * are the pack's own sectors: nothing outside those that hold a byte of the image is ever erased.
 *
 * A bootloader is known to take erases and downloads at any sector, or it is not. If it is, a unit that holds
 * what it should is left alone, by the hash that the pack makes of it or, after an interrupted run, by reading
 * it back, and one bank gets what makes it start last. If not, everything goes in one ascending pass with one
 * erase: many bootloaders refuse anything else, when the first part is erased already.
 */

#define NEAR   1024u /* bytes: a smaller gap costs more to skip than to write again */
#define HASHES 64u   /* units asked for at once */
#define UNITS  (1u << 20)
#define ERASED 0xFF

#define VECTORS        8u /* bytes: initial stack pointer and reset handler */
#define MCUBOOT_MAGIC  0x96F3B83Du
#define MCUBOOT_HEADER 32u /* bytes, at least; its length is at offset 8, little-endian */

struct unit {
	uint32_t start, size;
	bool differs;
};

struct segment_plan {
	struct bf_run *run;
	const struct bf_segment *seg;
	const struct bf_region *region;
	uint32_t addr; /* of the segment's first byte in the device */
	struct unit *units;
	size_t n;
	bool exact; /* the size of erase units is not known: one "unit", the segment itself */
};

static uint32_t unit_end(const struct unit *u)
{
	return u->start + u->size;
}

/* The part of the segment that lies in unit i: offsets in the segment. */
static void unit_span(const struct segment_plan *p, size_t i, size_t *ret_from, size_t *ret_to)
{
	uint64_t start = p->units[i].start, end = start + p->units[i].size;
	uint64_t seg_end = (uint64_t)p->addr + p->seg->len;

	*ret_from = start > p->addr ? (size_t)(start - p->addr) : 0;
	*ret_to = (size_t)((end < seg_end ? end : seg_end) - p->addr);
}

static void hash_erased(struct bf_sha256_ctx *ctx, size_t n)
{
	uint8_t erased[256];

	memset(erased, ERASED, sizeof(erased));
	for (size_t part; n; n -= part) {
		part = n < sizeof(erased) ? n : sizeof(erased);
		bf_sha256_update(ctx, erased, part);
	}
}

/* The hash of unit i once it is erased and written. */
static void expect(const struct segment_plan *p, size_t i, uint8_t ret[BF_SHA256_LEN])
{
	struct bf_sha256_ctx ctx;
	size_t from, to, before;

	unit_span(p, i, &from, &to);
	before = from ? 0 : p->addr - p->units[i].start;
	bf_sha256_init(&ctx);
	hash_erased(&ctx, before);
	bf_sha256_update(&ctx, p->seg->data + from, to - from);
	hash_erased(&ctx, p->units[i].size - before - (to - from));
	bf_sha256_final(&ctx, ret);
}

/* How many units of one size follow each other from i on, at most `most`. */
static size_t alike(const struct segment_plan *p, size_t i, size_t most)
{
	size_t n = 1;

	while (n < most && i + n < p->n && p->units[i + n].size == p->units[i].size)
		n++;
	return n;
}

static enum bf_rc compare_hashes(struct segment_plan *p, struct bf_err *err)
{
	uint8_t got[HASHES][8], want[BF_SHA256_LEN];
	size_t n;

	for (size_t i = 0; i < p->n; i += n) {
		const struct unit *u = &p->units[i];
		enum bf_rc rc;

		n = alike(p, i, HASHES);
		bf_alive(p->run, "comparing with what the pack holds");
		rc = bf_hash_units(p->run, u->start, (uint32_t)n * u->size, u->size, got, n, err);
		if (rc == BF_E_UNSUPPORTED || rc == BF_E_NAK) {
			bf_say(p->run, BF_EV_NOTICE,
			       "the pack does not hash its memory: the whole image is written");
			return BF_OK;
		}
		if (rc)
			return rc;
		for (size_t k = 0; k < n; k++) {
			expect(p, i + k, want);
			p->units[i + k].differs = memcmp(want, got[k], 8) != 0;
		}
	}
	return BF_OK;
}

static uint8_t erased_byte(const struct segment_plan *p)
{
	return p->region->erases_to_zero ? 0x00 : ERASED;
}

static bool is_erased(const struct segment_plan *p, const uint8_t *bytes, size_t n)
{
	return bf_trailing(bytes, n, erased_byte(p)) == n;
}

static bool holds_already(const struct segment_plan *p, size_t i, const uint8_t *got)
{
	size_t from, to, before;

	unit_span(p, i, &from, &to);
	before = from ? 0 : p->addr - p->units[i].start;
	return is_erased(p, got, before) &&
	       memcmp(got + before, p->seg->data + from, to - from) == 0 &&
	       is_erased(p, got + before + (to - from), p->units[i].size - before - (to - from));
}

static enum bf_rc compare_contents(struct segment_plan *p, struct bf_err *err)
{
	size_t step = bf_read_step(p->run), n, most = p->exact ? p->seg->len : BF_SECTOR_MAX;
	BF_AUTO_MEM uint8_t *got = malloc(step > most ? step : most);

	if (!got)
		return bf_fail(err, BF_E_INTERNAL, "no memory to read the pack's");
	for (size_t i = 0; i < p->n; i += n) {
		const struct unit *u = &p->units[i];
		size_t at_once = step / u->size ? step / u->size : 1;

		n = alike(p, i, at_once);
		if (bf_read_range(p->run, p->region, u->start, got, n * u->size, err))
			return err->rc;
		for (size_t k = 0; k < n; k++)
			p->units[i + k].differs = !holds_already(p, i + k, got + k * u->size);
	}
	return BF_OK;
}

/* Each unit, as it is once it is erased and written: does the pack hold that? */
static enum bf_rc compare_units(struct segment_plan *p, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *want = malloc(BF_SECTOR_MAX);

	if (!want)
		abort();
	for (size_t i = 0; i < p->n; i++) {
		struct unit *u = &p->units[i];
		size_t from, to;
		bool holds;

		bf_alive(p->run, "comparing with what the pack holds");
		unit_span(p, i, &from, &to);
		memset(want, erased_byte(p), u->size);
		memcpy(want + (from ? 0 : p->addr - u->start), p->seg->data + from, to - from);
		if (bf_holds(p->run, p->region, u->start, want, u->size, &holds, err))
			return err->rc;
		u->differs = !holds;
	}
	return BF_OK;
}

/* Reading takes as long as writing: only where a part of the image is likely to be there. */
static bool may_be_there(const struct bf_run *run)
{
	return run->journal.resumed || run->todo.compares || run->wanted.own;
}

static enum bf_rc compare(struct segment_plan *p, struct bf_err *err)
{
	enum bf_rc rc = BF_OK;

	if (p->run->job->dry_run)
		return BF_OK;
	/* Contents alone do not start such a pack: the end of its download, or its check, was missing. */
	if (!bf_run_can(p->run, BF_CAP_ANY_ORDER) && !p->run->model.found_app)
		return BF_OK;
	if (bf_can_compare(p->run) && !p->exact && p->region->access & BF_ACCESS_READ)
		rc = compare_units(p, err);
	else if (bf_can_hash_units(p->run) && !p->exact)
		rc = compare_hashes(p, err);
	else if (bf_can_read(p->run) && p->region->access & BF_ACCESS_READ && may_be_there(p->run))
		rc = compare_contents(p, err);
	/* What lies in the first unit before the image is not known: it goes with it. */
	if (!rc && p->n && p->units[0].start < p->addr)
		p->units[0].differs = true;
	return rc;
}

/* ---- units ---- */

static enum bf_rc too_many(const struct segment_plan *p, struct bf_err *err)
{
	return bf_fail(
		err, BF_E_UNSUPPORTED,
		"The erase units of region '%s' are too small: the %zu bytes of the image lie in "
		"more than %u of them.",
		p->region->name, p->seg->len, UNITS);
}

static enum bf_rc no_sector(const struct segment_plan *p, uint32_t addr, struct bf_err *err)
{
	return bf_fail(err, BF_E_INCOMPATIBLE,
		       "The image has bytes at 0x%08x, where region '%s' has no erase unit.", addr,
		       p->region->name);
}

static enum bf_rc list_units(struct segment_plan *p, struct bf_err *err)
{
	uint64_t at = p->addr, end = at + p->seg->len;
	size_t cap = 0;

	while (at < end) {
		struct unit u = { .differs = true };

		if (!bf_sector_at(p->region, (uint32_t)at, &u.start, &u.size)) {
			if (p->region->n_runs || p->region->erase_unit)
				return no_sector(p, (uint32_t)at, err);
			p->exact = true;
			u.start = p->addr;
			u.size = (uint32_t)p->seg->len;
			p->n = 0;
		}
		if (p->n == UNITS)
			return too_many(p, err);
		if (p->n == cap) {
			cap = cap ? 2 * cap : 64;
			p->units = realloc(p->units, cap * sizeof(*p->units));
			if (!p->units)
				abort();
		}
		p->units[p->n++] = u;
		at = (uint64_t)u.start + u.size;
	}
	return BF_OK;
}

/* ---- items ---- */

/* One bank is erased by the host: its first unit has to go before anything else is written. */
static bool erases_ahead(const struct segment_plan *p, size_t from)
{
	return bf_run_can(p->run, BF_CAP_ERASE_AHEAD | BF_CAP_DUAL_BANK) && !p->region->n_runs &&
	       !p->exact && (p->addr + from - p->units[0].start) % p->units[0].size == 0;
}

static struct bf_item item_of(const struct segment_plan *p, size_t first, size_t last)
{
	size_t from, to, unused;
	bool ahead, erase;

	unit_span(p, first, &from, &unused);
	unit_span(p, last, &unused, &to);
	ahead = erases_ahead(p, from);
	erase = bf_run_can(p->run, BF_CAP_ERASE) && !ahead;
	return (struct bf_item){
		.target = {
			.image = p->run->wanted.image,
			.segment = p->seg,
			.addr = p->addr + (uint32_t)from,
			.from = from,
			.len = to - from,
			.slot = p->region->slot,
			.alt = p->region->alt,
		},
		.region = p->region,
		.erase_addr = p->units[first].start,
		.erase_size = erase ? unit_end(&p->units[last]) - p->units[first].start : 0,
		.erases_ahead = ahead,
		.one_pass = !bf_run_can(p->run, BF_CAP_ANY_ORDER),
	};
}

/* What is blank once it is erased: not sent, where the host can have it erased. */
static bool is_blank(const struct segment_plan *p, size_t i)
{
	size_t from, to;

	if (!bf_run_can(p->run, BF_CAP_ERASE | BF_CAP_ANY_ORDER) || p->units[i].size < NEAR)
		return false;
	unit_span(p, i, &from, &to);
	return is_erased(p, p->seg->data + from, to - from);
}

static void add_blank(struct segment_plan *p, size_t first, size_t last)
{
	struct bf_item item = item_of(p, first, last);

	item.target.len = 0;
	item.erases_ahead = false;
	item.erase_size = unit_end(&p->units[last]) - p->units[first].start;
	add_item(&p->run->todo, &item);
}

static void add_data(struct segment_plan *p, size_t first, size_t last)
{
	struct bf_item item = item_of(p, first, last);

	add_item(&p->run->todo, &item);
	p->run->todo.skipped -= item.target.len;
}

/* The last unit of the run of units that begins at i: all to be written, or all to be blank. */
static size_t run_end(const struct segment_plan *p, size_t i, bool blank)
{
	size_t last = i;

	for (size_t k = i + 1; k < p->n; k++) {
		const struct unit *u = &p->units[k];
		bool more = u->differs && is_blank(p, k) == blank;

		if (more && (!blank || last + 1 == k))
			last = k;
		else if (u->differs || blank || unit_end(u) - unit_end(&p->units[last]) >= NEAR)
			break;
	}
	return last;
}

static void add_items(struct segment_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		bool blank;
		size_t last;

		if (!p->units[i].differs)
			continue;
		/* The first unit is what makes the image start: it is always sent. */
		blank = i > 0 && is_blank(p, i);
		last = run_end(p, i, blank);
		if (blank)
			add_blank(p, i, last);
		else
			add_data(p, i, last);
		i = last;
	}
}

/* ---- what makes the image start, last ---- */

static void insert_second(struct bf_todo *todo, const struct bf_item *item)
{
	add_item(todo, item);
	memmove(&todo->items[2], &todo->items[1], (todo->n - 2) * sizeof(*item));
	todo->items[1] = *item;
}

/* Cuts the first item behind so many bytes; *ret is the second part. */
static struct bf_item cut_first(struct bf_todo *todo, uint32_t len)
{
	struct bf_item *first = &todo->items[0], second = *first;

	first->target.len = len;
	second.target.from += len;
	second.target.addr += len;
	second.target.len -= len;
	return second;
}

/* The bytes that make the firmware start, in whole write units: up to the first two words of the vector
 * table, which lies behind the header that an MCUboot image has. */
static uint32_t start_len(const struct bf_item *head)
{
	const struct bf_segment *seg = head->target.segment;
	const uint8_t *p = seg->data + head->target.from;
	uint32_t unit = head->region->write_unit > VECTORS ? head->region->write_unit : VECTORS;
	uint32_t n = VECTORS;

	if (seg->len - head->target.from >= MCUBOOT_HEADER && bf_get_le32(p) == MCUBOOT_MAGIC)
		n += bf_get_le16(p + 8);
	return (n + unit - 1) / unit * unit;
}

/* What starts a single bank that nobody checks, is gone first and back last: the first unit, and of that the
 * first bytes. */
static void split_head(struct bf_run *run, const struct unit *first)
{
	struct bf_todo *todo = &run->todo;
	const struct bf_item *head = &todo->items[0];
	uint32_t cut = unit_end(first) - head->target.addr, start = start_len(head);
	struct bf_item second;

	todo->head_last = true;
	if (head->target.len > cut) {
		second = cut_first(todo, cut);
		if (second.erase_size) {
			todo->items[0].erase_size = first->size;
			second.erase_addr += first->size;
			second.erase_size -= first->size;
		}
		insert_second(todo, &second);
	}
	/* A pack that erases each unit as its first byte comes would take the rest away again. */
	if (!todo->items[0].erase_size || todo->items[0].target.len <= start ||
	    bf_run_can(run, BF_CAP_ERASE_AHEAD))
		return;
	second = cut_first(todo, start);
	second.rest = true;
	todo->items[0].parted = true;
	insert_second(todo, &second);
}

/* ---- segments that share an erase unit ---- */

/* Written apart, the second would be erased with the first, or the first with the second. */
static bool share_unit(const struct bf_place *a, const struct bf_segment *sa,
		       const struct bf_place *b)
{
	uint32_t start, size;

	return a->region == b->region && b->addr > a->addr &&
	       bf_sector_at(a->region, (uint32_t)(a->addr + (sa->len - 1)), &start, &size) &&
	       b->addr - start < size;
}

static void join_segments(struct bf_todo *todo, const struct bf_segment *segs,
			  const struct bf_place *places, size_t n)
{
	todo->segments = calloc(n, sizeof(*todo->segments));
	if (!todo->segments)
		abort();
	for (size_t i = 0, last; i < n; i = last + 1) {
		struct bf_segment *to = &todo->segments[todo->n_segments++];

		for (last = i;
		     last + 1 < n && share_unit(&places[last], &segs[last], &places[last + 1]);)
			last++;
		*to = segs[i];
		if (last > i)
			to->data = bf_todo_join(todo, &segs[i], last - i + 1, &to->len);
	}
}

/* ---- all of it ---- */

static enum bf_rc place_all(struct bf_run *run, struct segment_plan **ret, size_t *ret_n,
			    struct bf_err *err)
{
	const struct bf_segment *segs;
	size_t n = bf_image_segments(run->wanted.image, &segs), at = 0;
	BF_AUTO_MEM struct bf_place *places = calloc(n ? n : 1, sizeof(*places));

	if (!places)
		abort();
	if (!n)
		return bf_fail(err, BF_E_IMAGE, "The image holds no bytes.");
	if (bf_place_segments(run, segs, n, places, err))
		return err->rc;
	join_segments(&run->todo, segs, places, n);
	*ret_n = run->todo.n_segments;
	*ret = calloc(*ret_n, sizeof(**ret));
	if (!*ret)
		abort();
	for (size_t i = 0; i < *ret_n; i++) {
		const struct bf_segment *seg = &run->todo.segments[i];

		while (segs[at].addr != seg->addr || segs[at].alt != seg->alt)
			at++;
		(*ret)[i] = (struct segment_plan){
			.run = run, .seg = seg, .region = places[at].region, .addr = places[at].addr
		};
	}
	return BF_OK;
}

/* Nothing is asked of the pack before every segment has its place. */
static enum bf_rc look(struct segment_plan *plans, size_t n, bool *any, struct bf_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (list_units(&plans[i], err))
			return err->rc;
	}
	for (size_t i = 0; i < n; i++) {
		if (compare(&plans[i], err))
			return err->rc;
		for (size_t k = 0; k < plans[i].n; k++)
			*any = *any || plans[i].units[k].differs;
	}
	return BF_OK;
}

static void write_all(struct segment_plan *plans, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < plans[i].n; k++)
			plans[i].units[k].differs = true;
	}
}

/* The unit that makes the firmware start. An archive may hold all of a chip's flash, with a bootloader before the
 * firmware: what did not change of it is not touched. NULL: it begins nowhere here. */
static struct unit *head_of(struct segment_plan *p)
{
	size_t i = 0;

	while (p->run->wanted.own && i < p->n && !p->units[i].differs)
		i++;
	return i < p->n ? &p->units[i] : NULL;
}

static enum bf_rc plan_all(struct segment_plan *plans, size_t n, struct bf_err *err)
{
	struct bf_run *run = plans[0].run;
	bool head_last = bf_run_can(run, BF_CAP_ANY_ORDER) && !bf_run_can(run, BF_CAP_DUAL_BANK);
	struct unit *head;
	bool any = false;

	if (look(plans, n, &any, err))
		return err->rc;
	head = head_of(&plans[0]);
	/* What checks the pack afterwards looks where this was put. */
	run->todo.whole.addr = plans[0].addr;
	run->todo.whole.slot = plans[0].region->slot;
	run->todo.whole.alt = plans[0].region->alt;
	run->todo.skipped = run->todo.bytes;
	if (any && !bf_run_can(run, BF_CAP_ANY_ORDER))
		write_all(plans, n);
	else if (any && head_last && head)
		head->differs = true;
	for (size_t i = 0; i < n; i++)
		add_items(&plans[i]);
	if (head_last && run->todo.n && head)
		split_head(run, head);
	return BF_OK;
}

enum bf_rc bf_todo_memory(struct bf_run *run, struct bf_err *err)
{
	struct segment_plan *plans = NULL;
	size_t n = 0;
	enum bf_rc rc = place_all(run, &plans, &n, err);

	if (!rc) {
		run->todo.bytes = 0;
		for (size_t i = 0; i < n; i++)
			run->todo.bytes += plans[i].seg->len;
		rc = plan_all(plans, n, err);
	}
	for (size_t i = 0; i < n; i++)
		free(plans[i].units);
	free(plans);
	return rc;
}

/* ==== the phase ==== */

bool bf_when_writing(const struct bf_run *run)
{
	return run->todo.n > 0;
}

/* Firmware that is there already may do to the configuration what it likes when it is started. */
bool bf_when_backing_up(const struct bf_run *run)
{
	return bf_when_writing(run) || bf_when_starting(run);
}

bool bf_when_second_due(const struct bf_run *run)
{
	return run->conditions.second_due && (run->job->restore_from || bf_when_backing_up(run));
}

bool bf_when_verifying(const struct bf_run *run)
{
	return !run->todo.already_running;
}

bool bf_when_starting(const struct bf_run *run)
{
	return !run->todo.already_running;
}

bool bf_when_confirming(const struct bf_run *run)
{
	return !run->todo.already_confirmed;
}

static bool is_confirmed(const struct bf_run *run, const struct bf_slot *active)
{
	return !(active->flags & BF_SLOT_TRIAL) || !bf_run_can(run, BF_CAP_CONFIRM);
}

/* A pack that runs the image and will go on doing so need not be fit for a change, nor allow one. */
bool bf_when_changing(const struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);

	if (run->journal.proven_later)
		return false;
	return !bf_wanted_in(run, active) || run->session.ident.in_bootloader ||
	       !is_confirmed(run, active);
}

/* A list of slots shows the digest that stands in the image, and nothing of the bytes behind it, which an interrupted
 * run may not have written. A slot that is marked was complete when it was. */
static bool may_be_cut_short(const struct bf_run *run, const struct bf_slot *slot)
{
	return run->journal.resumed && !run->journal.claimed.started &&
	       !(slot->flags & BF_SLOT_PENDING) && !bf_run_can(run, BF_CAP_HASH) &&
	       !bf_run_can(run, BF_CAP_READ);
}

/* What the bank states tell: nothing needs to move when the image is in a slot already. */
static void look_at_slots(struct bf_run *run)
{
	const struct bf_slot *active = bf_slot_active(&run->session.ident, NULL);
	const struct bf_slot *other = bf_slot_other(&run->session.ident, NULL);
	struct bf_todo *todo = &run->todo;

	/* On the way back the bank states are those of before: what is there is compared. */
	if (run->model.went_back)
		return;
	if (run->journal.proven_later) {
		/* It may still be on its test boot: what follows is the end of that run. */
		todo->already_running = true;
		bf_model_runs_already(&run->model, false, run->journal.verified_before);
		return;
	}
	if (bf_wanted_in(run, active) && !run->session.ident.in_bootloader) {
		todo->already_running = true;
		todo->already_confirmed = is_confirmed(run, active);
		/* Where it is not confirmed an interrupted run started it: what follows is that run's end. */
		bf_model_runs_already(&run->model, todo->already_confirmed, BF_VERIFIED_DIGEST);
		return;
	}
	todo->already_written = bf_wanted_in(run, other) && (other->flags & BF_SLOT_BOOTABLE) &&
				!may_be_cut_short(run, other);
}

/* A device without addresses takes one stream, and puts it in place once. */
static enum bf_rc add_stream(struct bf_run *run, struct bf_err *err)
{
	const struct bf_segment *segs;
	size_t n = bf_image_segments(run->wanted.image, &segs);
	struct bf_todo *todo = &run->todo;
	const struct bf_region *home;
	struct bf_segment *all;
	unsigned slot = 0;

	if (bf_stream_check(run, err) || bf_place_stream(run, &segs[0], &home, err))
		return err->rc;
	all = todo->segments = calloc(1, sizeof(*todo->segments));
	if (!all)
		abort();
	todo->n_segments = 1;
	*all = segs[0];
	if (n > 1)
		all->data = bf_todo_join(todo, segs, n, &all->len);
	(void)bf_slot_target(&run->session.ident, &slot);
	todo->bytes = all->len;
	todo->whole.segment = all;
	todo->whole.len = all->len;
	todo->whole.alt = home ? home->alt : all->alt;
	add_item(todo, &(struct bf_item){ .target = {
						  .image = run->wanted.image,
						  .segment = all,
						  .addr = all->addr,
						  .len = all->len,
						  .slot = slot,
						  .alt = todo->whole.alt,
					  } });
	return BF_OK;
}

static void set_whole(struct bf_run *run)
{
	const struct bf_segment *segments;
	const struct bf_region *region = NULL;
	unsigned slot = 0;

	(void)bf_image_segments(run->wanted.image, &segments);
	if (bf_slot_target(&run->session.ident, &slot))
		region = bf_region_of_slot(&run->session.ident, slot);
	run->todo.whole = (struct bf_target){
		.image = run->wanted.image,
		.segment = &segments[0],
		.addr = region ? region->addr : segments[0].addr,
		.len = segments[0].len,
		.slot = slot,
		.alt = segments[0].alt,
	};
}

static void show(struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);
	char from[BF_VERSION_TEXT], to[BF_VERSION_TEXT];
	struct bf_todo *todo = &run->todo;
	uint32_t block = run->session.ident.block_max ? run->session.ident.block_max : 1024;
	struct bf_plan plan = {
		.part = run->wanted.part,
		.from_version = bf_ident_version(&run->session.ident, from),
		.to_version =
			run->wanted.has_version ? bf_version_text(&run->wanted.version, to) : NULL,
		.bytes = todo->bytes,
		.skip_bytes = todo->skipped,
		.blocks = (unsigned)((todo->bytes - todo->skipped + block - 1) / block),
		.segments = (unsigned)todo->n,
		.anew = bf_run_can(run, BF_CAP_SINK),
		.rescue = run->given.profile.rescue,
		.trial = bf_run_can(run, BF_CAP_TRIAL) && !todo->already_running,
		.confirm = bf_run_can(run, BF_CAP_CONFIRM) && !todo->already_confirmed,
		.backup = todo->n && bf_run_can(run, BF_CAP_READ) && !run->job->restore_from &&
			  !run->job->allow[BF_ALLOW_NO_BACKUP],
		.counter_will_rise = bf_run_can(run, BF_CAP_COUNTER) && meta->has_counter &&
				     meta->counter > run->session.ident.counter,
		.counter_from = run->session.ident.counter,
		.counter_to = meta->counter,
		.has_slot = run->session.ident.n_slots > 0,
		.slot = todo->whole.slot,
		.rate = run->wire.rate,
		.one_place = bf_model_one_place(&run->model),
		.wipes_all = run->session.ident.wipes,
	};

	bf_emit(run, (struct bf_event){ .kind = BF_EV_PLAN, .plan = &plan });
	if (plan.bytes == plan.skip_bytes)
		return;
	if (run->given.profile.warning[0])
		bf_say(run, BF_EV_WARNING, "%s", run->given.profile.warning);
	if (plan.one_place && run->given.profile.rescue[0])
		bf_say(run, BF_EV_WARNING, "The way back for a pack that was cut off: %s.",
		       run->given.profile.rescue);
}

/* A dry run asks for nothing that disturbs the pack: neither its bootloader nor its memory. */
static bool plans_dry(struct bf_run *run)
{
	bool place = bf_run_can(run, BF_CAP_SINK) ||
		     (run->session.ident.n_regions && !bf_place_is_sought(run));

	bf_say(run, BF_EV_NOTICE, "Not checked in a dry run: %s.",
	       place ? "which parts of the image the pack holds already"
		     : "where in the pack the image goes, and what is there");
	return place;
}

static enum bf_rc list_items(struct bf_run *run, struct bf_err *err)
{
	struct bf_todo *todo = &run->todo;

	todo->bytes = bf_image_size(run->wanted.image);
	if (todo->already_running || todo->already_written) {
		todo->skipped = todo->bytes;
	} else if (bf_run_can(run, BF_CAP_SINK)) {
		if (add_stream(run, err))
			return bf_while(err, "planning one stream");
	} else if (bf_todo_memory(run, err)) {
		return bf_while(err, "comparing the image with what the pack holds");
	}
	if (!todo->n && !todo->already_running)
		todo->already_written = true;
	return BF_OK;
}

enum bf_rc bf_ph_plan(struct bf_run *run, struct bf_err *err)
{
	if (run->job->dry_run && !plans_dry(run))
		return BF_OK;
	if (run->wanted.usb_later && !run->job->dry_run && bf_check_usb(run, err))
		return err->rc;
	set_whole(run);
	look_at_slots(run);
	if (list_items(run, err))
		return err->rc;
	bf_sum_skipped(run,
		       run->todo.skipped + (run->wanted.part ? run->told.sum.bytes_skipped : 0));
	show(run);
	return BF_OK;
}

enum bf_rc bf_plan_again(struct bf_run *run, struct bf_err *err)
{
	bf_todo_done(&run->todo);
	run->todo.compares = true;
	return bf_ph_plan(run, err);
}

#define ASK_GAP BF_MS(200)

bool bf_when_asking(const struct bf_run *run)
{
	return run->job->agree && bf_when_changing(run);
}

/* The user decides while the session is kept alive. */
enum bf_rc bf_ph_agree(struct bf_run *run, struct bf_err *err)
{
	enum bf_answer answer;

	while ((answer = run->job->agree(run->job->agree_ctx)) == BF_ANSWER_PENDING) {
		if (bf_run_pause(run, ASK_GAP, err))
			return err->rc;
	}
	if (answer == BF_ANSWER_YES)
		return BF_OK;
	return bf_fail(err, BF_E_INTERRUPTED, "not agreed to");
}
