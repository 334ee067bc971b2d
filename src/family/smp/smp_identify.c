/* SPDX-License-Identifier: MIT */
/* Who answers, what its MCUboot does with the slots, how large they are. */
#include "smp.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/image.h"

#define TRAILER_DEFAULT \
	8192u /* two sectors of 4 KiB: the trailer's own, and the one that swap-move needs */

/* ---- asking ---- */

/* From here on with the newer header, where it comes back. */
static enum bf_rc ask_params(struct smp *s, struct bf_err *err)
{
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_OS,
		.id = SMP_OS_PARAMS,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "tell its buffers",
	};
	const struct smp_item *top, *size, *count;

	s->buf_size = 0;
	s->buf_count = 1;
	s->version = 1;
	if (bf_smp_try(s, &ask, &top, err)) {
		s->version =
			0; /* an old device may not know the header: nothing is lost by asking again */
		bf_err_init(err);
		if (bf_smp_try(s, &ask, &top, err))
			return err->rc;
	}
	if (!top)
		return BF_OK;
	s->version = s->answer_version ? 1 : 0;
	size = bf_smp_get(&s->doc, top, "buf_size", SMP_NUMBER);
	count = bf_smp_get(&s->doc, top, "buf_count", SMP_NUMBER);
	if (size && size->number <= UINT16_MAX)
		s->buf_size = (uint32_t)size->number;
	if (count && count->number)
		s->buf_count = count->number > SMP_WINDOW ? SMP_WINDOW : (unsigned)count->number;
	return BF_OK;
}

static void copy_text(const struct smp_item *text, char *dst, size_t cap)
{
	if (text)
		bf_text_escape_n(dst, cap, (const char *)text->p, text->len);
}

/* OS information: the name of the board ("i"). */
static enum bf_rc ask_board(struct smp *s, bool *ret_knows, struct bf_err *err)
{
	uint8_t buf[16];
	struct bf_out body = bf_out(buf, sizeof(buf));
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_OS,
		.id = SMP_OS_INFO,
		.body = &body,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "tell its board",
	};
	const struct smp_item *top;

	bf_smp_put_map(&body, 1);
	bf_smp_put_string(&body, "format", "i");
	s->board[0] = '\0';
	if (bf_smp_try(s, &ask, &top, err))
		return err->rc;
	*ret_knows = top != NULL;
	if (top)
		copy_text(bf_smp_get(&s->doc, top, "output", SMP_TEXT), s->board, sizeof(s->board));
	return BF_OK;
}

static enum bf_rc ask_boot(struct smp *s, const char *query, const struct smp_item **ret,
			   struct bf_err *err)
{
	uint8_t buf[16];
	struct bf_out body = bf_out(buf, sizeof(buf));
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_OS,
		.id = SMP_OS_BOOT,
		.body = &body,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "tell its bootloader",
	};

	bf_smp_put_map(&body, query ? 1 : 0);
	if (query)
		bf_smp_put_string(&body, "query", query);
	return bf_smp_try(s, &ask, ret, err);
}

static enum bf_rc ask_bootloader(struct smp *s, bool *ret_knows, struct bf_err *err)
{
	const struct smp_item *top, *mode;

	s->bootloader[0] = '\0';
	s->mode = s->settings->mode;
	if (ask_boot(s, NULL, &top, err))
		return err->rc;
	*ret_knows = *ret_knows || top;
	if (!top)
		return BF_OK;
	copy_text(bf_smp_get(&s->doc, top, "bootloader", SMP_TEXT), s->bootloader,
		  sizeof(s->bootloader));
	if (strcmp(s->bootloader, "MCUboot") != 0)
		return BF_OK;
	if (ask_boot(s, "mode", &top, err) || !top)
		return err->rc;
	mode = bf_smp_get(&s->doc, top, "mode", SMP_NUMBER);
	if (mode && mode->number < BF_SMP_MODE_UNKNOWN && s->mode == BF_SMP_MODE_UNKNOWN)
		s->mode = (enum bf_smp_mode)mode->number;
	return BF_OK;
}

static void take_slot(struct smp *s, const struct smp_item *map)
{
	const struct smp_item *slot = bf_smp_get(&s->doc, map, "slot", SMP_NUMBER);
	const struct smp_item *size = bf_smp_get(&s->doc, map, "size", SMP_NUMBER);
	const struct smp_item *id = bf_smp_get(&s->doc, map, "upload_image_id", SMP_NUMBER);
	struct smp_slot *to;

	if (!slot || slot->number > 1 || !size || size->number > BF_REGION_MAX)
		return;
	to = &s->places[s->image].slots[slot->number];
	*to = (struct smp_slot){ .known = true, .size = (uint32_t)size->number };
	to->has_upload_id = id && id->number < 256;
	to->upload_id = to->has_upload_id ? (uint32_t)id->number : 0;
}

static enum bf_rc ask_slots(struct smp *s, struct bf_err *err)
{
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_IMAGE,
		.id = SMP_IMAGE_SLOTS,
		.rclass = BF_RETRY_IDEMPOTENT,
		.what = "tell its slots",
	};
	struct smp_place *place = &s->places[s->image];
	const struct smp_item *top, *images;

	*place = (struct smp_place){ .told = bf_smp_entry(s, 0) || bf_smp_entry(s, 1) };
	if (bf_smp_try(s, &ask, &top, err) || !top)
		return err->rc;
	images = bf_smp_get(&s->doc, top, "images", SMP_LIST);
	for (const struct smp_item *i = images ? bf_smp_each(&s->doc, images, NULL) : NULL; i;
	     i = bf_smp_each(&s->doc, images, i)) {
		const struct smp_item *number = bf_smp_get(&s->doc, i, "image", SMP_NUMBER);
		const struct smp_item *slots = bf_smp_get(&s->doc, i, "slots", SMP_LIST);
		const struct smp_item *most = bf_smp_get(&s->doc, i, "max_image_size", SMP_NUMBER);

		if (!slots || (number ? number->number : 0) != s->image)
			continue;
		place->told = true;
		if (most && most->number <= BF_REGION_MAX)
			place->max_image = (uint32_t)most->number;
		for (const struct smp_item *j = bf_smp_each(&s->doc, slots, NULL); j;
		     j = bf_smp_each(&s->doc, slots, j))
			take_slot(s, j);
	}
	return BF_OK;
}

/* Serial recovery knows neither the board nor the bootloader that it is, has one buffer, and leaves out what is
 * false. */
static void tell_apart(struct smp *s, bool knows)
{
	switch (s->settings->answers) {
	case BF_SMP_ANSWERS_APPLICATION:
		s->talks = BF_TALKS_APPLICATION;
		return;
	case BF_SMP_ANSWERS_RECOVERY:
		s->talks = BF_TALKS_LOADER;
		return;
	case BF_SMP_ANSWERS_AUTO:
		break;
	}
	s->talks =
		knows || s->list.full || s->buf_count > 1 ? BF_TALKS_APPLICATION : BF_TALKS_LOADER;
}

static enum bf_rc ask_all(struct smp *s, struct bf_err *err)
{
	bool knows = false;

	if (bf_smp_read_list(s, err) || ask_params(s, err) || ask_board(s, &knows, err) ||
	    ask_bootloader(s, &knows, err) || ask_slots(s, err))
		return err->rc;
	tell_apart(s, knows);
	if (s->talks == BF_TALKS_APPLICATION)
		s->restarts = 0;
	return BF_OK;
}

/* ---- what follows from it ---- */

bool bf_smp_swaps(const struct smp *s)
{
	return s->mode == BF_SMP_MODE_SWAP_SCRATCH || s->mode == BF_SMP_MODE_SWAP_MOVE ||
	       s->mode == BF_SMP_MODE_SWAP_OFFSET;
}

static bool one_slot_mode(const struct smp *s)
{
	return s->mode == BF_SMP_MODE_SINGLE || s->mode == BF_SMP_MODE_SINGLE_RAM_LOAD ||
	       s->mode == BF_SMP_MODE_FIRMWARE_LOADER;
}

/* Without direct upload recovery writes the first slot, whatever slot info says of number 0. */
static bool uploads_directly(const struct smp *s)
{
	const struct smp_slot *slots = smp_place(s)->slots;

	return s->settings->direct_upload || slots[0].has_upload_id ||
	       (slots[1].has_upload_id && slots[1].upload_id > s->image);
}

bool bf_smp_two_slots(const struct smp *s)
{
	if (one_slot_mode(s))
		return false;
	return s->talks == BF_TALKS_APPLICATION || uploads_directly(s);
}

static void fill_slot(const struct smp *s, unsigned slot, struct bf_slot *ret)
{
	const struct smp_entry *e = bf_smp_entry(s, slot);

	*ret = (struct bf_slot){ 0 };
	if (!e)
		return;
	ret->flags = e->flags;
	ret->has_version = e->has_version;
	ret->version = e->version;
	ret->digest_len = e->digest_len;
	memcpy(ret->digest, e->digest, e->digest_len);
}

static bool any_active(const struct bf_ident *ident)
{
	for (size_t i = 0; i < ident->n_slots; i++) {
		if (ident->slots[i].flags & BF_SLOT_ACTIVE)
			return true;
	}
	return false;
}

void bf_smp_fill_slots(const struct smp *s, struct bf_ident *ret)
{
	bool two = bf_smp_two_slots(s);
	const struct bf_slot *active = NULL;

	ret->n_slots = two ? 2 : 1;
	for (unsigned i = 0; i < ret->n_slots; i++)
		fill_slot(s, i, &ret->slots[i]);
	/* While an image waits for its test boot recovery calls none active; what starts is in the first slot. */
	if (two && !any_active(ret) && ret->slots[0].digest_len)
		ret->slots[0].flags |= BF_SLOT_ACTIVE;
	/* Nothing runs beside a recovery that writes the only place. */
	if (!two && s->talks == BF_TALKS_LOADER)
		ret->slots[0].flags &= ~(unsigned)(BF_SLOT_ACTIVE | BF_SLOT_TRIAL);
	for (size_t i = 0; i < ret->n_slots && !active; i++) {
		if (ret->slots[i].flags & BF_SLOT_ACTIVE)
			active = &ret->slots[i];
	}
	if (!active && s->talks == BF_TALKS_LOADER)
		active = &ret->slots[0];
	ret->has_version = active && active->has_version;
	if (ret->has_version)
		ret->version = active->version;
}

static uint32_t room_in(const struct smp *s, unsigned slot)
{
	const struct bf_profile *pf = s->proto.env.profile;
	uint32_t size = s->settings->slot_size, trailer = s->settings->trailer;
	uint32_t most = smp_place(s)->max_image;

	if (!size)
		size = smp_place(s)->slots[slot].size;
	for (size_t i = 0; i < pf->n_regions && !size; i++) {
		if (pf->regions[i].kind == BF_REGION_SLOT && pf->regions[i].slot == slot)
			size = pf->regions[i].size;
	}
	trailer = trailer ? trailer : TRAILER_DEFAULT;
	size = size > trailer ? size - trailer : 0;
	/* What the bootloader can start is less than what an upload is taken for. */
	if (!s->settings->slot_size && !s->settings->trailer && most)
		return size && most > size + trailer ? size : most;
	return size;
}

static void fill_regions(const struct smp *s, struct bf_ident *ret)
{
	ret->n_regions = 0;
	for (unsigned slot = 0; slot < ret->n_slots; slot++) {
		bool runs = ret->slots[slot].flags & BF_SLOT_ACTIVE;
		uint32_t room = room_in(s, slot);
		struct bf_region *r;

		if (!room)
			continue;
		r = &ret->regions[ret->n_regions++];
		*r = (struct bf_region){
			.kind = BF_REGION_SLOT,
			.slot = slot,
			.size = room,
			.access = runs && bf_smp_two_slots(s) ? 0 : BF_ACCESS_WRITE,
		};
		snprintf(r->name, sizeof(r->name), "slot%u", slot);
	}
}

static unsigned caps_of(const struct smp *s)
{
	unsigned caps = BF_CAP_SINK | BF_CAP_CHECK | BF_CAP_MCUBOOT;

	if (!bf_smp_two_slots(s))
		return caps;
	caps |= BF_CAP_DUAL_BANK;
	/* Not known: marked for a test boot and confirmed, which does no harm where there is none, and nothing is
	 * promised. */
	if (bf_smp_swaps(s) || s->mode == BF_SMP_MODE_UNKNOWN)
		caps |= BF_CAP_TRIAL;
	if ((caps & BF_CAP_TRIAL) && s->talks == BF_TALKS_APPLICATION)
		caps |= BF_CAP_CONFIRM | BF_CAP_TEST_FIRST;
	return caps | (bf_smp_swaps(s) ? BF_CAP_REVERT : BF_CAP_ONE_WAY);
}

static const char *mode_text(enum bf_smp_mode mode)
{
	static const char *const texts[] = {
		[BF_SMP_MODE_SINGLE] = "one slot",
		[BF_SMP_MODE_SWAP_SCRATCH] = "swap using scratch",
		[BF_SMP_MODE_OVERWRITE] = "overwrite only",
		[BF_SMP_MODE_SWAP_MOVE] = "swap using move",
		[BF_SMP_MODE_XIP] = "direct execution",
		[BF_SMP_MODE_XIP_REVERT] = "direct execution, revert",
		[BF_SMP_MODE_RAM_LOAD] = "RAM load",
		[BF_SMP_MODE_FIRMWARE_LOADER] = "firmware loader",
		[BF_SMP_MODE_SINGLE_RAM_LOAD] = "one slot, RAM load",
		[BF_SMP_MODE_SWAP_OFFSET] = "swap using offset",
		[BF_SMP_MODE_UNKNOWN] = "mode not told",
	};

	return texts[mode];
}

static void fill_hardware(const struct smp *s, struct bf_ident *ret)
{
	const struct bf_smp_profile *st = s->settings;
	const char *board = st->board[0] ? st->board : s->board;
	const char *class_name = st->class_name[0] ? st->class_name : board;

	snprintf(ret->model, sizeof(ret->model), "%s", board[0] ? board : st->class_name);
	ret->names_board = ret->model[0];
	snprintf(ret->manufacturer, sizeof(ret->manufacturer), "%.47s", st->vendor);
	if (!st->vendor[0])
		return;
	ret->has_vid = true;
	bf_uuid_vendor(st->vendor, ret->vid);
	ret->has_cid = class_name[0];
	if (ret->has_cid)
		bf_uuid_class(ret->vid, class_name, ret->cid);
}

static void fill_loader(const struct smp *s, struct bf_ident *ret)
{
	if (s->talks == BF_TALKS_LOADER)
		snprintf(ret->loader, sizeof(ret->loader), "MCUboot serial recovery");
	else
		snprintf(ret->loader, sizeof(ret->loader), "%.20s, %.24s",
			 s->bootloader[0] ? s->bootloader : "MCUboot", mode_text(s->mode));
}

static enum bf_rc no_such_image(const struct smp *s, struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE, "The pack has no image with number %u.", s->image);
	bf_likely(err, "it is a pack with fewer images than files were given for");
	bf_do(err, "name the files that this pack has images for, in the order of their numbers");
	return err->rc;
}

enum bf_rc bf_smp_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct smp *s = smp_of(p);

	if (ask_all(s, err))
		return err->rc;
	if (s->together > 1 && !smp_place(s)->told)
		return no_such_image(s, err);
	snprintf(ret->protocol, sizeof(ret->protocol), "smp");
	ret->talks = s->talks;
	ret->in_bootloader = s->talks == BF_TALKS_LOADER;
	fill_loader(s, ret);
	fill_hardware(s, ret);
	bf_smp_fill_slots(s, ret);
	fill_regions(s, ret);
	if (!ret->in_bootloader && one_slot_mode(s))
		snprintf(ret->no_write, sizeof(ret->no_write),
			 "its only slot is the one that runs: it is updated in serial recovery");
	ret->block_max = bf_smp_chunk_max(s);
	ret->in_flight = bf_smp_window(s);
	ret->together = s->settings->together;
	ret->caps = p->caps = caps_of(s);
	return BF_OK;
}
