/* SPDX-License-Identifier: MIT */
/*
 * Where in the pack each segment of an image goes. A place is an alternate setting and an address.
 *
 * An image with addresses goes there. An MCUboot image names no place: the slot or the only firmware region
 * that pack or profile name; else --addr; else where readable memory holds exactly one MCUboot header at the
 * start of an erase unit. A file around an MCUboot image is not signed: its address and its alternate setting
 * may contradict a place and so refuse it, but they never choose one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define HEADER    32u   /* bytes of an MCUboot header */
#define LOOKS_MAX 4096u /* erase units that are looked at for a header */

static bool may_write(const struct bf_region *r)
{
	return (r->access & BF_ACCESS_WRITE) &&
	       (r->kind == BF_REGION_SLOT || r->kind == BF_REGION_APP);
}

/* Only DfuSe files name alternate settings; around an MCUboot image that is not signed. */
static bool names_alt(const struct bf_run *run)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	return meta->format == BF_FORMAT_DFUSE && !meta->mcuboot;
}

static bool fits_alt(const struct bf_run *run, const struct bf_segment *seg,
		     const struct bf_region *r)
{
	return !names_alt(run) || r->alt == seg->alt;
}

static bool holds(const struct bf_region *r, uint32_t addr)
{
	return addr >= r->addr && addr - r->addr < r->size;
}

const struct bf_region *bf_place_region(const struct bf_run *run, const struct bf_segment *seg,
					uint32_t addr)
{
	const struct bf_ident *ident = &run->session.ident;
	const struct bf_region *readable = NULL;

	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *r = &ident->regions[i];

		if (!holds(r, addr) || !fits_alt(run, seg, r))
			continue;
		if (may_write(r))
			return r;
		if (!readable)
			readable = r;
	}
	return readable;
}

/* The only region that firmware may be written to, where the profile drew the map or the pack knows what an
 * image is: what a ROM loader says of its flash as a whole is no place for an image that names none. */
static const struct bf_region *only_home(const struct bf_run *run)
{
	const struct bf_region *home = NULL;

	if (!run->given.profile.n_regions && !run->session.ident.n_slots)
		return NULL;
	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		if (!may_write(&run->session.ident.regions[i]))
			continue;
		if (home)
			return NULL;
		home = &run->session.ident.regions[i];
	}
	return home;
}

static const struct bf_region *slot_region(const struct bf_run *run)
{
	unsigned slot;

	return bf_slot_target(&run->session.ident, &slot)
		       ? bf_region_of_slot(&run->session.ident, slot)
		       : NULL;
}

const struct bf_region *bf_place_named(const struct bf_run *run)
{
	const struct bf_region *r = slot_region(run);

	if (!r && bf_image_meta(run->wanted.image)->mcuboot &&
	    !(run->wanted.own && run->wanted.has_place))
		r = only_home(run);
	return r;
}

/* ---- an MCUboot image ---- */

static bool given_addr(const struct bf_run *run, uint32_t *ret)
{
	const struct bf_claim_opts *opts = run->job->claim_opts;

	/* It is said of the file, not of the archive that is written back. */
	if (!opts || !opts->has_addr || run->wanted.own)
		return false;
	*ret = opts->addr;
	return true;
}

static bool is_region_start(const struct bf_run *run, uint32_t addr)
{
	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (r->addr == addr && may_write(r))
			return true;
	}
	return false;
}

/* Made for one slot it may go into the other; anything else contradicts. */
static bool container_agrees(const struct bf_run *run, const struct bf_meta *meta,
			     const struct bf_place *place)
{
	bool same_alt = !meta->container_has_alt || meta->container_alt == place->region->alt;
	bool same_addr = !meta->container_has_addr || meta->container_addr == place->addr;

	if (place->region->kind == BF_REGION_SLOT)
		same_addr = same_addr || is_region_start(run, meta->container_addr);
	return same_alt && same_addr;
}

static enum bf_rc check_container(const struct bf_run *run, const struct bf_place *place,
				  struct bf_err *err)
{
	const struct bf_meta *meta = bf_image_meta(run->wanted.image);

	if (run->wanted.own || container_agrees(run, meta, place))
		return BF_OK;
	bf_fail(err, BF_E_INCOMPATIBLE,
		"The file puts the MCUboot image at 0x%08x (alternate setting %u), this pack's "
		"place "
		"for it is 0x%08x in region '%s' (alternate setting %u).",
		meta->container_addr, meta->container_alt, place->addr, place->region->name,
		place->region->alt);
	bf_likely(err, "the file was made for another pack");
	bf_likely(err, "its addresses were changed: they are not signed");
	bf_do(err, "take the signed image itself (imgtool's binary output)");
	return err->rc;
}

bool bf_place_is_sought(const struct bf_run *run)
{
	uint32_t addr;

	return bf_image_meta(run->wanted.image)->mcuboot && !bf_place_named(run) &&
	       !given_addr(run, &addr) && !run->wanted.has_place;
}

struct finder {
	struct bf_run *run;
	const struct bf_segment *seg;
	unsigned looks, found;
	struct bf_place place;
	uint32_t second;
};

static enum bf_rc look_at(struct finder *f, const struct bf_region *r, uint32_t addr,
			  struct bf_err *err)
{
	uint8_t head[HEADER];

	bf_alive(f->run, "looking for the place of the image");
	if (bf_read_range(f->run, r, addr, head, sizeof(head), err))
		return bf_while(err, "looking for an MCUboot header");
	if (!bf_mcuboot_extent(head, sizeof(head), NULL))
		return BF_OK;
	if (f->found++)
		f->second = addr;
	else
		f->place = (struct bf_place){ .region = r, .addr = addr };
	return BF_OK;
}

static enum bf_rc look_in(struct finder *f, const struct bf_region *r, struct bf_err *err)
{
	uint32_t at = r->addr, start, size;

	while (holds(r, at) && bf_sector_at(r, at, &start, &size)) {
		if (++f->looks > LOOKS_MAX)
			return BF_OK;
		if (start + size - at >= HEADER && look_at(f, r, at, err))
			return err->rc;
		at = start + size;
		if (at <= start) /* the end of the address space */
			break;
	}
	return BF_OK;
}

/* Where the only memory begins that can be written; NULL: there is none, or more. A place to think of, not one to
 * write to unasked. */
static const struct bf_region *only_memory(const struct bf_run *run)
{
	const struct bf_region *only = NULL;

	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (!may_write(r))
			continue;
		if (only)
			return NULL;
		only = r;
	}
	return only;
}

static enum bf_rc no_place(const struct bf_run *run, const char *why, struct bf_err *err)
{
	const struct bf_region *only = only_memory(run);

	bf_fail(err, BF_E_INCOMPATIBLE,
		"An MCUboot image does not say where it goes, and this pack does not either: %s.",
		why);
	bf_likely(err, "the pack's profile, which names the place, was not given");
	if (only)
		bf_do(err,
		      "name the profile (--profile NAME), or where the firmware begins: --addr "
		      "0x%08X is the start of all memory that can be written, a bootloader's too",
		      only->addr);
	else
		bf_do(err, "name the profile (--profile NAME), or the address: --addr ADDR");
	return err->rc;
}

static enum bf_rc find_header(struct bf_run *run, const struct bf_segment *seg,
			      struct bf_place *ret, struct bf_err *err)
{
	struct finder f = { .run = run, .seg = seg };
	char why[128];
	bool any = false;

	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (!may_write(r) || !(r->access & BF_ACCESS_READ) || !fits_alt(run, seg, r) ||
		    !bf_can_read(run))
			continue;
		any = true;
		if (look_in(&f, r, err))
			return err->rc;
	}
	if (!any)
		return no_place(run, "its memory cannot be read", err);
	if (f.looks > LOOKS_MAX)
		return no_place(run, "its memory has too many erase units to look at each", err);
	if (!f.found)
		return no_place(run, "no erase unit begins with an MCUboot header", err);
	if (f.found > 1) {
		snprintf(why, sizeof(why), "%u MCUboot images lie in it, at 0x%08x, 0x%08x%s",
			 f.found, f.place.addr, f.second, f.found > 2 ? " ..." : "");
		return no_place(run, why, err);
	}
	*ret = f.place;
	return BF_OK;
}

/* ---- by address ---- */

static enum bf_rc ambiguous(const struct bf_region *a, const struct bf_region *b, uint32_t addr,
			    struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE,
		"Address 0x%08x is in two alternate settings: %u ('%s') and %u ('%s').", addr,
		a->alt, a->name, b->alt, b->name);
	bf_do(err, "choose one: --alt %u or --alt %u", a->alt, b->alt);
	return err->rc;
}

static enum bf_rc by_address(struct bf_run *run, const struct bf_segment *seg, uint32_t addr,
			     struct bf_place *ret, struct bf_err *err)
{
	const struct bf_region *r = bf_place_region(run, seg, addr);

	for (size_t i = 0; r && i < run->session.ident.n_regions; i++) {
		const struct bf_region *other = &run->session.ident.regions[i];

		if (other != r && other->alt != r->alt && holds(other, addr) && may_write(other) &&
		    may_write(r) && fits_alt(run, seg, other))
			return ambiguous(r, other, addr, err);
	}
	*ret = (struct bf_place){ .region = r, .addr = addr };
	return BF_OK;
}

/* One stretch for all segments, so that each finds its place in it. */
static void make_up(struct bf_run *run, const struct bf_segment *segs, size_t n, uint32_t addr)
{
	const struct bf_segment *last = &segs[n - 1];

	if (!run->session.ident.n_regions)
		bf_region_make(run, addr, (size_t)(last->addr - segs[0].addr) + last->len);
}

static enum bf_rc starts_unit(const struct bf_place *place, struct bf_err *err)
{
	uint32_t start, size;

	if (!place->region || !bf_sector_at(place->region, place->addr, &start, &size) ||
	    start == place->addr)
		return BF_OK;
	bf_fail(err, BF_E_INCOMPATIBLE,
		"--addr 0x%08x is inside an erase unit of the pack, which begins at 0x%08x.",
		place->addr, start);
	bf_do(err, "give the start of an erase unit: --addr 0x%08x", start);
	return err->rc;
}

/* Found or told before; the header may be erased by now. */
static const struct bf_region *known_region(const struct bf_run *run)
{
	const struct bf_region *any = NULL;

	for (size_t i = 0; i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (!holds(r, run->wanted.place_addr) || !may_write(r))
			continue;
		if (r->alt == run->wanted.place_alt)
			return r;
		any = any ? any : r;
	}
	return any;
}

static enum bf_rc place_mcuboot(struct bf_run *run, const struct bf_segment *seg,
				struct bf_place *ret, struct bf_err *err)
{
	uint32_t addr;

	if (!given_addr(run, &addr) && run->wanted.has_place && known_region(run)) {
		*ret = (struct bf_place){ known_region(run), run->wanted.place_addr };
		return BF_OK;
	}
	if (!given_addr(run, &addr))
		return find_header(run, seg, ret, err);
	make_up(run, seg, 1, addr);
	return by_address(run, seg, addr, ret, err) ? err->rc : starts_unit(ret, err);
}

/* An option that chooses a place is obeyed or refused. */
static enum bf_rc contradicts(const struct bf_run *run, const struct bf_region *named,
			      struct bf_err *err)
{
	uint32_t addr;

	if (!bf_image_meta(run->wanted.image)->mcuboot || !given_addr(run, &addr) ||
	    addr == named->addr)
		return BF_OK;
	bf_fail(err, BF_E_USAGE,
		"--addr 0x%08x is not the place of the image in this pack: that is 0x%08x, region "
		"'%s'.",
		addr, named->addr, named->name);
	bf_do(err, "leave out --addr");
	return err->rc;
}

static enum bf_rc nowhere(const struct bf_segment *seg, uint32_t addr, struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE,
		"The image has %zu bytes at 0x%08x, where the pack reports no memory.", seg->len,
		addr);
	bf_likely(err, "the image was linked for another pack");
	bf_likely(err, "the pack does not report all of its memory, and no profile does");
	bf_do(err, "name a profile that has the pack's regions: --profile NAME");
	return err->rc;
}

static enum bf_rc check_place(const struct bf_segment *seg, const struct bf_place *place,
			      struct bf_err *err)
{
	const struct bf_region *r = place->region;
	uint64_t end;

	if (!r)
		return nowhere(seg, place->addr, err);
	if (!may_write(r))
		return bf_fail(err, BF_E_INCOMPATIBLE,
			       "The image has %zu bytes at 0x%08x, in region '%s', which firmware "
			       "may not write.",
			       seg->len, place->addr, r->name);
	end = (uint64_t)r->addr + r->size;
	if (seg->len > end - place->addr)
		return bf_fail(err, BF_E_IMAGE,
			       "The image has %zu bytes at 0x%08x, region '%s' has room for %llu.",
			       seg->len, place->addr, r->name,
			       (unsigned long long)(end - place->addr));
	return BF_OK;
}

static enum bf_rc place_one(struct bf_run *run, const struct bf_segment *seg, struct bf_place *ret,
			    struct bf_err *err)
{
	bool mcuboot = bf_image_meta(run->wanted.image)->mcuboot;

	return mcuboot ? place_mcuboot(run, seg, ret, err)
		       : by_address(run, seg, seg->addr, ret, err);
}

enum bf_rc bf_place_segments(struct bf_run *run, const struct bf_segment *segs, size_t n,
			     struct bf_place *ret, struct bf_err *err)
{
	const struct bf_region *named = bf_place_named(run);
	bool mcuboot = bf_image_meta(run->wanted.image)->mcuboot;

	if (named && contradicts(run, named, err))
		return err->rc;
	if (!named && !mcuboot)
		make_up(run, segs, n, segs[0].addr);
	for (size_t i = 0; i < n; i++) {
		struct bf_place *p = &ret[i];

		*p = (struct bf_place){ .region = named };
		if (named)
			p->addr = named->addr + (segs[i].addr - segs[0].addr);
		else if (place_one(run, &segs[i], p, err))
			return err->rc;
		if (check_place(&segs[i], p, err) || (mcuboot && check_container(run, p, err)))
			return err->rc;
	}
	if (mcuboot)
		bf_wanted_place(run, true, ret[0].addr, ret[0].region->alt);
	return BF_OK;
}

/* ---- a stream: a device without addresses ---- */

bool bf_stream_span(const struct bf_segment *segs, size_t n, size_t *ret_len, uint32_t *ret_gap)
{
	uint64_t end = (uint64_t)segs[0].addr + segs[0].len;

	*ret_gap = 0;
	for (size_t i = 1; i < n; i++) {
		uint64_t gap = segs[i].addr - end;

		if (segs[i].alt != segs[0].alt || gap >= BF_STREAM_GAP ||
		    segs[i].addr - segs[0].addr > BF_REGION_MAX) {
			*ret_gap = gap > UINT32_MAX ? UINT32_MAX : (uint32_t)gap;
			return false;
		}
		end = (uint64_t)segs[i].addr + segs[i].len;
	}
	*ret_len = (size_t)(end - segs[0].addr);
	return true;
}

/* Where a stream goes: what a DfuSe file names, else the only alternate setting for firmware. */
enum bf_rc bf_place_stream(struct bf_run *run, const struct bf_segment *seg,
			   const struct bf_region **ret, struct bf_err *err)
{
	const struct bf_region *home = slot_region(run);

	for (size_t i = 0; !home && i < run->session.ident.n_regions; i++) {
		const struct bf_region *r = &run->session.ident.regions[i];

		if (may_write(r) && fits_alt(run, seg, r))
			home = r;
	}
	*ret = home;
	if (home || !names_alt(run) || !run->session.ident.n_regions)
		return BF_OK;
	return bf_fail(err, BF_E_INCOMPATIBLE,
		       "The file is for alternate setting %u, which this device does not have.",
		       seg->alt);
}

enum bf_rc bf_stream_check(struct bf_run *run, struct bf_err *err)
{
	const struct bf_segment *segs;
	const struct bf_region *r = NULL;
	size_t n = bf_image_segments(run->wanted.image, &segs), len = 0;
	uint32_t gap;

	if (!n)
		return bf_fail(err, BF_E_IMAGE, "The image holds no bytes.");
	if (!bf_stream_span(segs, n, &len, &gap)) {
		bf_fail(err, BF_E_IMAGE,
			"This device takes one stream without addresses; the image has %zu parts, "
			"with a gap of %u bytes between two of them (at most %u can be filled).",
			n, gap, BF_STREAM_GAP - 1);
		bf_do(err, "take the image in one part: a binary file (objcopy -O binary)");
		return err->rc;
	}
	if (bf_place_stream(run, &segs[0], &r, err))
		return err->rc;
	/* A size that was found by reading is what is there now, not how much there is room for. */
	if (r && run->given.profile.n_regions && r->size && len > r->size)
		return bf_fail(err, BF_E_IMAGE, "The image has %zu bytes, '%s' has room for %u.",
			       len, r->name, r->size);
	return BF_OK;
}
