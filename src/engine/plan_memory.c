/* SPDX-License-Identifier: MIT */
/*
 * The plan for a device with addresses: each segment in its region, erase unit by erase unit. A unit that
 * already holds what it should is left alone, by the hash that the pack makes of it or, after an
 * interrupted run, by reading it back.
 */
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "run.h"

#define NEAR         1024u /* bytes: a smaller gap costs more to skip than to write again */
#define HASHES       64u   /* units asked for at once */
#define DEFAULT_UNIT 4096u
#define ERASED       0xFF

#define VECTORS        8u /* bytes: initial stack pointer and reset handler */
#define MCUBOOT_MAGIC  0x96F3B83Du
#define MCUBOOT_HEADER 32u /* bytes, at least; its length is at offset 8, little-endian */

struct segment_plan {
	struct bf_run *run;
	const struct bf_segment *seg, *all;
	size_t n_all;
	const struct bf_region *region;
	uint32_t addr; /* of the segment's first byte in the device */
	uint32_t unit; /* erase unit */
	uint32_t base; /* address of the first unit */
	size_t n;      /* units */
	bool *differs;
};

static uint32_t unit_start(const struct segment_plan *p, size_t i)
{
	return p->base + (uint32_t)i * p->unit;
}

/* The part of the segment that lies in unit i: offsets in the segment. */
static void unit_span(const struct segment_plan *p, size_t i, size_t *ret_from, size_t *ret_to)
{
	uint64_t start = unit_start(p, i), end = start + p->unit;
	uint64_t seg_end = (uint64_t)p->addr + p->seg->len;

	*ret_from = start > p->addr ? (size_t)(start - p->addr) : 0;
	*ret_to = (size_t)((end < seg_end ? end : seg_end) - p->addr);
}

/* Another segment's bytes in this unit cannot be told from old ones: such a unit is always written. */
static bool is_shared(const struct segment_plan *p, size_t i)
{
	int64_t moved = (int64_t)p->addr - p->seg->addr;
	int64_t start = unit_start(p, i), end = start + p->unit;

	if (start < p->addr)
		return true;
	for (size_t s = 0; s < p->n_all; s++) {
		int64_t from = p->all[s].addr + moved, to = from + (int64_t)p->all[s].len;

		if (&p->all[s] != p->seg && p->all[s].alt == p->seg->alt && from < end &&
		    to > start)
			return true;
	}
	return false;
}

static void expect(const struct segment_plan *p, size_t i, uint8_t *buf)
{
	size_t from, to;

	unit_span(p, i, &from, &to);
	memset(buf, ERASED, p->unit);
	memcpy(buf, p->seg->data + from, to - from);
}

static enum bf_rc compare_hashes(struct segment_plan *p, uint8_t *buf, struct bf_err *err)
{
	uint8_t got[HASHES][8], want[BF_SHA256_LEN];

	for (size_t i = 0; i < p->n; i += HASHES) {
		size_t n = p->n - i < HASHES ? p->n - i : HASHES;
		enum bf_rc rc;

		bf_alive(p->run, "comparing with what the pack holds");
		rc = bf_hash_units(p->run, unit_start(p, i), (uint32_t)n * p->unit, p->unit, got, n,
				   err);
		if (rc == BF_E_UNSUPPORTED || rc == BF_E_NAK) {
			bf_say(p->run, BF_EV_NOTICE,
			       "the pack does not hash its memory: the whole image is written");
			return BF_OK;
		}
		if (rc)
			return rc;
		for (size_t k = 0; k < n; k++) {
			expect(p, i + k, buf);
			bf_sha256(want, buf, p->unit);
			p->differs[i + k] = memcmp(want, got[k], 8) != 0;
		}
	}
	return BF_OK;
}

static enum bf_rc compare_contents(struct segment_plan *p, uint8_t *buf, struct bf_err *err)
{
	size_t step = bf_read_step(p->run) / p->unit;
	size_t at_once = step ? step : 1;
	BF_AUTO_MEM uint8_t *got = malloc(at_once * p->unit);

	if (!got)
		abort();
	for (size_t i = 0; i < p->n; i += at_once) {
		size_t n = p->n - i < at_once ? p->n - i : at_once;
		enum bf_rc rc =
			bf_read_range(p->run, p->region, unit_start(p, i), got, n * p->unit, err);

		if (rc)
			return rc;
		for (size_t k = 0; k < n; k++) {
			expect(p, i + k, buf);
			p->differs[i + k] = memcmp(buf, got + k * p->unit, p->unit) != 0;
		}
	}
	return BF_OK;
}

static enum bf_rc compare(struct segment_plan *p, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *buf = malloc(p->unit);
	const struct bf_proto_ops *ops = p->run->proto->ops;
	enum bf_rc rc = BF_OK;

	if (!buf)
		abort();
	for (size_t i = 0; i < p->n; i++)
		p->differs[i] = true;
	if (bf_run_can(p->run, BF_CAP_HASH) && ops->hash_units)
		rc = compare_hashes(p, buf, err);
	else if (bf_run_can(p->run, BF_CAP_READ) && ops->read && p->run->resumed)
		rc = compare_contents(p, buf, err);
	for (size_t i = 0; !rc && i < p->n; i++) {
		if (is_shared(p, i))
			p->differs[i] = true;
	}
	return rc;
}

/* One bank is erased by the host: its first unit has to go before anything else is written. */
static bool erases_ahead(const struct segment_plan *p, size_t from)
{
	return bf_run_can(p->run, BF_CAP_ERASE_AHEAD | BF_CAP_DUAL_BANK) &&
	       (p->addr + from - p->base) % p->unit == 0;
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
			.image = p->run->image,
			.segment = p->seg,
			.addr = p->addr + (uint32_t)from,
			.from = from,
			.len = to - from,
			.slot = p->region->slot,
			.alt = p->region->alt,
		},
		.region = p->region,
		.erase_addr = unit_start(p, first),
		.erase_size = erase ? (uint32_t)(last - first + 1) * p->unit : 0,
		.erases_ahead = ahead,
	};
}

/* What is blank once it is erased: not sent, where the host can have it erased. */
static bool is_blank(const struct segment_plan *p, size_t i)
{
	size_t from, to;

	if (!bf_run_can(p->run, BF_CAP_ERASE) || p->unit < NEAR)
		return false;
	unit_span(p, i, &from, &to);
	return p->seg->data[from] == ERASED &&
	       memcmp(p->seg->data + from, p->seg->data + from + 1, to - from - 1) == 0;
}

static void add_blank(struct segment_plan *p, size_t first, size_t last)
{
	struct bf_item item = item_of(p, first, last);

	item.target.len = 0;
	item.erases_ahead = false;
	item.erase_size = (uint32_t)(last - first + 1) * p->unit;
	bf_todo_add(&p->run->todo, &item);
}

static void add_data(struct segment_plan *p, size_t first, size_t last)
{
	struct bf_item item = item_of(p, first, last);

	bf_todo_add(&p->run->todo, &item);
	p->run->todo.skipped -= item.target.len;
}

/* The last unit of the run of units that begins at i: all to be written, or all to be blank. */
static size_t run_end(const struct segment_plan *p, size_t i, bool blank)
{
	size_t last = i;

	for (size_t k = i + 1; k < p->n; k++) {
		bool more = p->differs[k] && is_blank(p, k) == blank;

		if (more && (!blank || last + 1 == k))
			last = k;
		else if (p->differs[k] || blank || (k - last) * p->unit >= NEAR)
			break;
	}
	return last;
}

static void add_items(struct segment_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		bool blank;
		size_t last;

		if (!p->differs[i])
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

static bool may_write(const struct bf_region *r)
{
	return (r->access & BF_ACCESS_WRITE) &&
	       (r->kind == BF_REGION_SLOT || r->kind == BF_REGION_APP);
}

/* The only region that firmware may be written to, where the profile drew the map or the pack knows what an
 * image is: what a ROM loader says of its flash as a whole is no place for an image that names none. */
static const struct bf_region *only_home(const struct bf_run *run)
{
	const struct bf_region *home = NULL;

	if (!run->profile.n_regions && !run->ident.n_slots)
		return NULL;
	for (size_t i = 0; i < run->ident.n_regions; i++) {
		if (!may_write(&run->ident.regions[i]))
			continue;
		if (home)
			return NULL;
		home = &run->ident.regions[i];
	}
	return home;
}

static const struct bf_region *region_at(const struct bf_ident *ident, const struct bf_segment *seg)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *r = &ident->regions[i];

		if (seg->addr >= r->addr && seg->addr - r->addr < r->size && r->alt == seg->alt)
			return r;
	}
	return NULL;
}

/* An image for a slot goes where that slot is; an MCUboot image names no address; all else goes where it
 * says. */
static const struct bf_region *region_for(const struct bf_run *run, const struct bf_segment *seg,
					  uint32_t first_addr, uint32_t *ret_addr)
{
	const struct bf_ident *ident = &run->ident;
	const struct bf_region *r = NULL;
	unsigned slot;

	if (bf_slot_target(ident, &slot))
		r = bf_region_of_slot(ident, slot);
	if (!r && bf_image_meta(run->image)->mcuboot && !region_at(ident, seg))
		r = only_home(run);
	if (r) {
		*ret_addr = r->addr + (seg->addr - first_addr);
		return r;
	}
	*ret_addr = seg->addr;
	return region_at(ident, seg);
}

static enum bf_rc place(struct segment_plan *p, struct bf_err *err)
{
	uint64_t end;

	p->region = region_for(p->run, p->seg, p->all[0].addr, &p->addr);
	if (!p->region) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the image has %zu bytes at address %08x, where the pack has no memory "
			"that it told of",
			p->seg->len, p->seg->addr);
		bf_likely(err, "the image names no address, and the pack does not tell where its "
			       "firmware lies");
		bf_next(err, "name a profile that has the pack's regions: --profile NAME");
		return err->rc;
	}
	if (!may_write(p->region)) {
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "the image has %zu bytes at address %08x, in region '%s', which "
			       "firmware may not write",
			       p->seg->len, p->addr, p->region->name);
	}
	end = (uint64_t)p->region->addr + p->region->size;
	if (p->seg->len > end - p->addr) {
		return bf_fail(err, BF_E_IMAGE,
			       "the image has %zu bytes at address %08x, region '%s' has room for "
			       "%llu",
			       p->seg->len, p->addr, p->region->name,
			       (unsigned long long)(end - p->addr));
	}
	p->unit = p->region->erase_unit ? p->region->erase_unit : DEFAULT_UNIT;
	if (p->unit > p->region->size)
		p->unit = p->region->size;
	p->base = p->region->addr + (p->addr - p->region->addr) / p->unit * p->unit;
	p->n = ((size_t)(p->addr - p->base) + p->seg->len + p->unit - 1) / p->unit;
	return BF_OK;
}

static void insert_second(struct bf_todo *todo, const struct bf_item *item)
{
	bf_todo_add(todo, item);
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
	uint32_t unit = head->region->write_unit > VECTORS ? head->region->write_unit : VECTORS;
	uint32_t n = VECTORS;

	if (seg->len >= MCUBOOT_HEADER && bf_get_le32(seg->data) == MCUBOOT_MAGIC)
		n += bf_get_le16(seg->data + 8);
	return (n + unit - 1) / unit * unit;
}

/* What starts a single bank that nobody checks, is gone first and back last: the first unit, and of that the
 * first bytes. */
static void split_head(struct bf_run *run, uint32_t unit)
{
	struct bf_todo *todo = &run->todo;
	const struct bf_item *head = &todo->items[0];
	uint32_t cut = unit - (head->target.addr - head->erase_addr), start = start_len(head);
	struct bf_item second;

	todo->head_last = true;
	if (head->target.len > cut) {
		second = cut_first(todo, cut);
		if (second.erase_size) {
			todo->items[0].erase_size = unit;
			second.erase_addr += unit;
			second.erase_size -= unit;
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

static enum bf_rc plan_segment(struct segment_plan *p, bool *any, struct bf_err *err)
{
	p->differs = calloc(p->n ? p->n : 1, sizeof(*p->differs));
	if (!p->differs)
		abort();
	if (compare(p, err))
		return err->rc;
	for (size_t k = 0; k < p->n; k++)
		*any = *any || p->differs[k];
	return BF_OK;
}

/* Nothing is asked of the pack before every segment has its place. */
static enum bf_rc look(struct segment_plan *plans, size_t n, bool *any, struct bf_err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (place(&plans[i], err))
			return err->rc;
	}
	for (size_t i = 0; i < n; i++) {
		if (plan_segment(&plans[i], any, err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc plan_all(struct segment_plan *plans, size_t n, struct bf_err *err)
{
	struct bf_run *run = plans[0].run;
	bool single = !bf_run_can(run, BF_CAP_DUAL_BANK), any = false;

	if (look(plans, n, &any, err))
		return err->rc;
	/* What checks the pack afterwards looks where this was put. */
	run->todo.whole.addr = plans[0].addr;
	run->todo.whole.slot = plans[0].region->slot;
	run->todo.skipped = run->todo.bytes;
	if (single && any && plans[0].n)
		plans[0].differs[0] = true;
	for (size_t i = 0; i < n; i++)
		add_items(&plans[i]);
	if (single && run->todo.n)
		split_head(run, plans[0].unit);
	return BF_OK;
}

enum bf_rc bf_todo_memory(struct bf_run *run, struct bf_err *err)
{
	const struct bf_segment *segments;
	size_t n = bf_image_segments(run->image, &segments);
	BF_AUTO_MEM struct segment_plan *plans = calloc(n ? n : 1, sizeof(*plans));
	enum bf_rc rc;

	if (!plans)
		abort();
	if (!n)
		return bf_fail(err, BF_E_IMAGE, "the image holds no bytes");
	for (size_t i = 0; i < n; i++) {
		plans[i] = (struct segment_plan){
			.run = run, .seg = &segments[i], .all = segments, .n_all = n
		};
	}
	rc = plan_all(plans, n, err);
	for (size_t i = 0; i < n; i++)
		free(plans[i].differs);
	return rc;
}
