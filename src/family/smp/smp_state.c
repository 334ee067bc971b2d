/* SPDX-License-Identifier: MIT */
/*
 * The list of images, and boot control. An upload that was acknowledged means nothing: MCUboot lists an image only
 * when its signature, its counter and its size are right, so the list is what an image is looked for in.
 */
#include "smp.h"

#include <stdio.h>
#include <string.h>

/* ---- reading the list ---- */

/* "1.4.0", and with a build "2.1.0.42"; imgtool writes "2.1.0+42". */
static bool parse_version(const struct smp_item *text, struct bf_version *ret)
{
	char buf[BF_VERSION_TEXT];
	unsigned dots = 0;

	if (!text || text->len >= sizeof(buf))
		return false;
	memcpy(buf, text->p, text->len);
	buf[text->len] = '\0';
	for (char *c = buf; *c; c++) {
		if (*c == '.' && ++dots == 3)
			*c = '+';
	}
	return bf_version_parse(buf, ret);
}

static unsigned number_of(const struct smp *s, const struct smp_item *map, const char *key)
{
	const struct smp_item *n = bf_smp_get(&s->doc, map, key, SMP_NUMBER);

	return n && n->number < 256 ? (unsigned)n->number : 0;
}

static unsigned flags_of(const struct smp *s, const struct smp_item *map, bool *ret_false)
{
	static const struct {
		const char *key;
		unsigned flag;
	} rows[] = {
		{ "bootable", BF_SLOT_BOOTABLE },
		{ "pending", BF_SLOT_PENDING },
		{ "confirmed", BF_SLOT_CONFIRMED },
		{ "active", BF_SLOT_ACTIVE },
		{ "permanent", 0 },
	};
	unsigned flags = 0;

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct smp_item *b = bf_smp_get(&s->doc, map, rows[i].key, SMP_BOOL);

		if (b && b->number)
			flags |= rows[i].flag;
		else if (b)
			*ret_false = true;
	}
	if ((flags & BF_SLOT_ACTIVE) && !(flags & BF_SLOT_CONFIRMED))
		flags |= BF_SLOT_TRIAL;
	return flags;
}

static void take_entry(struct smp *s, const struct smp_item *map)
{
	struct smp_list *list = &s->list;
	const struct smp_item *hash = bf_smp_get(&s->doc, map, "hash", SMP_BYTES);
	struct smp_entry *e;

	if (map->kind != SMP_MAP || list->n == SMP_ENTRIES)
		return;
	e = &list->entries[list->n++];
	*e = (struct smp_entry){
		.image = number_of(s, map, "image"),
		.slot = number_of(s, map, "slot"),
		.flags = flags_of(s, map, &list->full),
	};
	e->has_version = parse_version(bf_smp_get(&s->doc, map, "version", SMP_TEXT), &e->version);
	if (hash && hash->len <= sizeof(e->digest)) {
		e->digest_len = hash->len;
		memcpy(e->digest, hash->p, hash->len);
	}
}

/* Setting the state is answered with the list, too. */
static enum bf_rc take_list(struct smp *s, const struct smp_item *top, struct bf_err *err)
{
	const struct smp_item *images = bf_smp_get(&s->doc, top, "images", SMP_LIST);

	if (!images)
		return bf_fail(err, BF_E_LINK, "The pack's answer holds no list of images.");
	s->list = (struct smp_list){ 0 };
	for (const struct smp_item *i = bf_smp_each(&s->doc, images, NULL); i;
	     i = bf_smp_each(&s->doc, images, i))
		take_entry(s, i);
	if (bf_smp_get(&s->doc, top, "splitStatus", SMP_NUMBER))
		s->list.full = true;
	return BF_OK;
}

enum bf_rc bf_smp_read_list(struct smp *s, struct bf_err *err)
{
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_IMAGE,
		.id = SMP_IMAGE_STATE,
		.rclass = BF_RETRY_IDEMPOTENT,
		.patience = BF_MS(s->settings->list_ms),
		.what = "list its images",
	};
	const struct smp_item *top;

	return bf_smp_ask(s, &ask, &top, err) ? err->rc : take_list(s, top, err);
}

const struct smp_entry *bf_smp_entry(const struct smp *s, unsigned slot)
{
	for (size_t i = 0; i < s->list.n; i++) {
		const struct smp_entry *e = &s->list.entries[i];

		if (e->image == s->image && e->slot == slot)
			return e;
	}
	return NULL;
}

static bool holds(const struct smp_entry *e, const uint8_t *digest, size_t len)
{
	return e && len && e->digest_len == len && memcmp(e->digest, digest, len) == 0;
}

/* Of the image that is updated. */
static const struct smp_entry *find_digest(const struct smp *s, const uint8_t *digest, size_t len)
{
	for (size_t i = 0; i < s->list.n; i++) {
		const struct smp_entry *e = &s->list.entries[i];

		if (e->image == s->image && holds(e, digest, len))
			return e;
	}
	return NULL;
}

static const struct smp_entry *entry_with(const struct smp *s, unsigned image, unsigned flags)
{
	for (size_t i = 0; i < s->list.n; i++) {
		const struct smp_entry *e = &s->list.entries[i];

		if (e->image == image && (e->flags & flags) == flags)
			return e;
	}
	return NULL;
}

/* ---- dependencies ---- */

/* What the other image runs now, or will at the next restart. */
static const struct smp_entry *of_other(const struct smp *s, unsigned image)
{
	const struct smp_entry *e = entry_with(s, image, BF_SLOT_PENDING);

	if (!e)
		e = entry_with(s, image, BF_SLOT_ACTIVE);
	for (size_t i = 0; !e && i < s->list.n; i++) {
		if (s->list.entries[i].image == image && s->list.entries[i].slot == 0)
			e = &s->list.entries[i];
	}
	return e;
}

/* MCUboot would not start it, and in one slot there would be nothing else to start. */
enum bf_rc bf_smp_need(struct smp *s, const struct bf_image *image, struct bf_err *err)
{
	const struct bf_meta *meta = image ? bf_image_meta(image) : NULL;

	for (size_t i = 0; meta && i < meta->n_deps; i++) {
		const struct bf_dependency *d = &meta->deps[i];
		const struct smp_entry *e = of_other(s, d->image);
		char want[BF_VERSION_TEXT], have[BF_VERSION_TEXT] = "not in its list";

		/* What is written in the same run was compared before it began. */
		if (d->image == s->image || d->image < s->together)
			continue;
		if (e && e->has_version && bf_version_cmp(&e->version, &d->min) >= 0)
			continue;
		if (e && e->has_version)
			bf_version_text(&e->version, have);
		bf_fail(err, BF_E_INCOMPATIBLE,
			"The image depends on image %u of the pack in version %s or higher; "
			"there it is %s.",
			d->image, bf_version_text(&d->min, want), have);
		bf_likely(err,
			  "the other image has to be updated first (a profile with image = %u in "
			  "[smp]), or in the same run",
			  d->image);
		bf_do(err, "name the files of both images, in the order of their numbers: they are "
			   "written together");
		return err->rc;
	}
	return BF_OK;
}

/* ---- the pack's own check ---- */

static void want(struct smp *s, const uint8_t *digest, size_t len)
{
	struct smp_hash *w = &s->wanted[s->image];

	w->len = len <= sizeof(w->p) ? len : 0;
	memcpy(w->p, digest, w->len);
}

static enum bf_rc not_listed(struct smp *s, struct bf_err *err)
{
	bf_fail(err, BF_E_NAK,
		"The pack took the image and does not list it: its bootloader does not accept it.");
	bf_likely(err, "the image is signed with a key that this bootloader does not trust");
	bf_likely(err, "its security counter is below the pack's: such an image is never listed");
	bf_likely(err, "it is larger than the bootloader can start, or made for another slot");
	(void)s;
	return err->rc;
}

enum bf_rc bf_smp_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	const struct bf_meta *meta = bf_image_meta(target->image);

	if (!meta->mcuboot)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "only MCUboot images have a hash to look for");
	if (bf_smp_read_list(s, err) || bf_smp_need(s, target->image, err))
		return err->rc;
	want(s, meta->digest, meta->digest_len);
	if (!find_digest(s, meta->digest, meta->digest_len))
		return not_listed(s, err);
	p->checked |= BF_CHECKED_IMAGE;
	return BF_OK;
}

enum bf_rc bf_smp_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err)
{
	struct smp *s = smp_of(p);

	if (bf_smp_read_list(s, err))
		return err->rc;
	bf_smp_fill_slots(s, update);
	return BF_OK;
}

/* ---- setting the state ---- */

static enum bf_rc set_state(struct smp *s, const uint8_t *digest, size_t len, bool confirm,
			    const char *what, struct bf_err *err)
{
	uint8_t buf[128];
	struct bf_out body = bf_out(buf, sizeof(buf));
	const struct smp_ask ask = {
		.op = SMP_WRITE,
		.group = SMP_GROUP_IMAGE,
		.id = SMP_IMAGE_STATE,
		.body = &body,
		.rclass = BF_RETRY_DESTRUCTIVE,
		.patience = BF_MS(s->settings->list_ms),
		.what = what,
	};
	const struct smp_item *top;

	bf_smp_put_map(&body, len ? 2 : 1);
	if (len)
		bf_smp_put_bytes(&body, "hash", digest, len);
	bf_smp_put_bool(&body, "confirm", confirm);
	if (bf_smp_ask(s, &ask, &top, err)) {
		/* A mark that was refused is not there, for whatever reason. */
		if (err->dev_refused && err->rc == BF_E_UNSUPPORTED)
			err->rc = BF_E_NAK;
		return err->rc;
	}
	/* Some say no more than that it is done. */
	return bf_smp_get(&s->doc, top, "images", SMP_LIST) ? take_list(s, top, err)
							    : bf_smp_read_list(s, err);
}

/* The first image with this hash is marked, whichever slot it is in. */
static enum bf_rc only_once(const struct smp *s, const struct smp_entry *e, struct bf_err *err)
{
	for (size_t i = 0; i < s->list.n; i++) {
		const struct smp_entry *other = &s->list.entries[i];

		if (other == e || !holds(other, e->digest, e->digest_len) ||
		    other->image == e->image)
			continue;
		return bf_fail(
			err, BF_E_INCOMPATIBLE,
			"The pack holds the same image as number %u and as number %u; by its "
			"hash it cannot be said which of them is to start.",
			other->image, e->image);
	}
	return BF_OK;
}

static enum bf_rc mark(struct smp *s, const struct smp_entry *e, bool permanent, struct bf_err *err)
{
	uint8_t digest[64];
	size_t len = e->digest_len;
	unsigned slot = e->slot;

	if (only_once(s, e, err))
		return err->rc;
	memcpy(digest, e->digest, len);
	if (set_state(s, digest, len, permanent,
		      permanent ? "start the image for good" : "start the image for a test boot",
		      err)) {
		if (bf_smp_is_refusal(err, SMP_RC_UNSUPPORTED) && s->talks == BF_TALKS_LOADER)
			bf_likely(err,
				  "this recovery was built without setting the state of an "
				  "image: the application has to mark it, or the image has to be "
				  "padded and confirmed when it is signed");
		return err->rc;
	}
	e = bf_smp_entry(s, slot);
	if (holds(e, digest, len) && (e->flags & (BF_SLOT_PENDING | BF_SLOT_ACTIVE)))
		return BF_OK;
	bf_fail(err, BF_E_NAK, "The pack took the mark of the image and does not show it.");
	return err->rc;
}

/* Where nobody has looked for it in this run: the other slot's. */
static const struct smp_entry *to_start(const struct smp *s)
{
	const struct smp_hash *want = &s->wanted[s->image];

	if (want->len)
		return find_digest(s, want->p, want->len);
	for (unsigned slot = 0; slot < 2; slot++) {
		const struct smp_entry *e = bf_smp_entry(s, slot);

		if (e && !(e->flags & BF_SLOT_ACTIVE) && (e->flags & BF_SLOT_BOOTABLE))
			return e;
	}
	return NULL;
}

enum bf_rc bf_smp_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	const struct smp_entry *e;

	if (bf_smp_read_list(s, err))
		return err->rc;
	e = to_start(s);
	if (!e)
		return not_listed(s, err);
	/* Marked by a run that was interrupted; marked again it would be refused. */
	if (e->flags & (BF_SLOT_PENDING | BF_SLOT_ACTIVE))
		return BF_OK;
	/* Without a choice at the start the higher version starts; these know no mark. */
	if (s->mode == BF_SMP_MODE_XIP || s->mode == BF_SMP_MODE_RAM_LOAD)
		return BF_OK;
	if (mark(s, e, how == BF_ACTIVATE_PERMANENT, err))
		return err->rc;
	s->tested = how == BF_ACTIVATE_TRIAL && s->talks == BF_TALKS_LOADER;
	return BF_OK;
}

/* In recovery a confirmation makes the image of the other slot permanent: it is not asked. */
enum bf_rc bf_smp_confirm(struct bf_proto *p, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	const struct smp_hash *want = &s->wanted[s->image];
	const struct smp_entry *e;

	if (s->talks == BF_TALKS_LOADER) {
		bf_fail(err, BF_E_UNSUPPORTED,
			"MCUboot's serial recovery cannot confirm the firmware that runs.");
		bf_likely(err, "the firmware confirms itself, or by SMP once it runs: start it and "
			       "run the same command again before the next restart, or the pack "
			       "reverts");
		return err->rc;
	}
	if (bf_smp_read_list(s, err))
		return err->rc;
	e = entry_with(s, s->image, BF_SLOT_ACTIVE);
	if (!e)
		return bf_fail(err, BF_E_NAK, "The pack lists no active image to confirm.");
	if (want->len && !holds(e, want->p, want->len))
		return bf_fail(err, BF_E_MISMATCH,
			       "Another image runs than the one that was to be confirmed.");
	if (e->flags & BF_SLOT_CONFIRMED)
		return BF_OK;
	/* Without a hash the running image is meant, which is that of number 0. */
	if (s->image == 0)
		return set_state(s, NULL, 0, true, "confirm the running image", err);
	return set_state(s, e->digest, e->digest_len, true, "confirm the running image", err);
}

/* What is on its test boot goes at the next restart; else the other image is marked for one. */
enum bf_rc bf_smp_revert(struct bf_proto *p, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	const struct smp_entry *active, *old = NULL;

	if (bf_smp_read_list(s, err))
		return err->rc;
	active = entry_with(s, s->image, BF_SLOT_ACTIVE);
	if (active && (active->flags & BF_SLOT_TRIAL))
		return BF_OK;
	for (unsigned slot = 0; slot < 2 && !old; slot++) {
		const struct smp_entry *e = bf_smp_entry(s, slot);

		if (e && e != active && (e->flags & BF_SLOT_BOOTABLE))
			old = e;
	}
	if (!old) {
		bf_fail(err, BF_E_UNSUPPORTED, "The pack lists no other image that could start.");
		bf_likely(err,
			  "its security counter is below the pack's since the new firmware was "
			  "confirmed: MCUboot never starts it again");
		return err->rc;
	}
	want(s, old->digest, old->digest_len);
	return old->flags & BF_SLOT_PENDING ? BF_OK : mark(s, old, false, err);
}
