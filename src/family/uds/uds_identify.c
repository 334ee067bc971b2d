/* SPDX-License-Identifier: MIT */
/* Who the pack is, what its banks hold, what it measures. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

/* First, because what the other identifiers and the routines mean depends on it. */
static enum bf_rc read_ids(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	struct bf_cur c;
	const uint8_t *vid, *cid;
	enum bf_rc rc = bf_uds_try_did(u, uds_keys(u)->did_ids, &c, NULL, err);

	if (rc)
		return rc;
	id->has_vid = id->has_cid = bf_cur_left(&c) == sizeof(id->vid) + sizeof(id->cid);
	if (!id->has_vid)
		return BF_OK;
	vid = bf_cur_bytes(&c, sizeof(id->vid));
	cid = bf_cur_bytes(&c, sizeof(id->cid));
	memcpy(id->vid, vid, sizeof(id->vid));
	memcpy(id->cid, cid, sizeof(id->cid));
	u->ours = u->ours || uds_keys(u)->did_ids == UDS_DID_IDS;
	return BF_OK;
}

static enum bf_rc read_texts(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	const struct {
		uint16_t did;
		char *dst;
		size_t cap;
	} rows[] = {
		{ keys->did_boot_id, id->loader, sizeof(id->loader) },
		{ keys->did_hw_version, id->hw_rev, sizeof(id->hw_rev) },
		{ keys->did_serial, id->serial, sizeof(id->serial) },
		{ keys->did_part, id->model, sizeof(id->model) },
		{ keys->did_manufacturer, id->manufacturer, sizeof(id->manufacturer) },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_cur c;
		enum bf_rc rc = bf_uds_try_did(u, rows[i].did, &c, NULL, err);

		if (rc)
			return rc;
		bf_uds_read_text(&c, rows[i].dst, rows[i].cap);
	}
	return BF_OK;
}

/* Blank flash, zeros and spaces are nobody's version. */
static bool is_blank(const struct bf_cur *c)
{
	for (size_t i = c->pos; i < c->len; i++) {
		if (c->p[i] != 0x00 && c->p[i] != 0xFF && c->p[i] != ' ')
			return false;
	}
	return true;
}

static bool is_zero(const struct bf_version *v)
{
	return !v->major && !v->minor && !v->revision && !v->build;
}

/* In the profile's form; a prefix is no part of it. */
static void take_version(const struct bf_uds_profile *keys, struct bf_cur *c, struct bf_ident *id)
{
	size_t prefix = strlen(keys->version_prefix);
	char text[BF_VERSION_TEXT];

	if (keys->version_format != BF_VERSION_FORMAT_TEXT) {
		id->has_version = bf_uds_read_version(keys->version_format, c, &id->version);
		if (id->has_version)
			snprintf(id->version_text, sizeof(id->version_text), "%s",
				 bf_version_text(&id->version, text));
		return;
	}
	bf_uds_read_text(c, id->version_text, sizeof(id->version_text));
	if (strncmp(id->version_text, keys->version_prefix, prefix) == 0)
		id->has_version = bf_version_parse(id->version_text + prefix, &id->version);
}

/* What the profile says that the bootloader is known by. */
static enum bf_rc is_loader(struct uds *u, bool version_told, bool *ret, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	enum uds_knows knows = UDS_NOT_ASKED;
	struct bf_cur c;
	enum bf_rc rc = BF_OK;

	switch (keys->loader_by) {
	case BF_LOADER_BY_SESSION:
		rc = bf_uds_try_did(u, keys->did_session, &c, &knows, err);
		*ret = bf_cur_left(&c) == 1 && bf_cur_u8(&c) == keys->session_programming;
		break;
	case BF_LOADER_BY_ID:
		rc = bf_uds_try_did(u, keys->loader_did, &c, &knows, err);
		*ret = knows == UDS_KNOWS &&
		       bf_pattern_fits(keys->loader_value, c.p + c.pos, bf_cur_left(&c));
		break;
	case BF_LOADER_BY_SILENCE:
	case BF_LOADER_BY_AUTO:
		*ret = !version_told;
		break;
	}
	return rc;
}

/* Who answers. A version alone is what an application tells, and a bootloader may tell it for one; a session
 * for programming that nobody opened is a bootloader's. Whatever else there is proves neither. */
static enum bf_rc guess_who(struct uds *u, struct bf_ident *id, bool told, bool blank,
			    struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	enum uds_knows knows = UDS_NOT_ASKED;
	struct bf_cur session;
	enum bf_rc rc;

	if (id->has_version && !(is_zero(&id->version) && !u->ours))
		id->talks = BF_TALKS_APPLICATION;
	/* An application that told its version does not stop to tell it. */
	if (!told && u->app_told)
		id->talks = BF_TALKS_LOADER;
	u->app_told = u->app_told || id->talks == BF_TALKS_APPLICATION;
	/* bmsflash-uds(7): empty when no application runs */
	if (told && blank && u->ours)
		id->talks = BF_TALKS_LOADER;
	if (u->ours)
		return BF_OK;
	rc = bf_uds_try_did(u, keys->did_session, &session, &knows, err);
	if (rc)
		return rc;
	u->session_did = keys->did_session ? knows : UDS_REFUSES;
	if (bf_cur_left(&session) == 1 && bf_cur_u8(&session) == keys->session_programming &&
	    u->session != keys->session_programming)
		id->talks = BF_TALKS_LOADER;
	return BF_OK;
}

static enum bf_rc read_version(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_uds_profile *keys = uds_keys(u);
	enum uds_knows knows = UDS_NOT_ASKED;
	bool told, blank, loader = false;
	struct bf_cur c;
	enum bf_rc rc = bf_uds_try_did(u, keys->did_app_version, &c, &knows, err);

	if (rc)
		return rc;
	told = knows == UDS_KNOWS;
	blank = is_blank(&c);
	/* a version of zeros is one where it comes as numbers */
	if (!blank || (keys->version_format != BF_VERSION_FORMAT_TEXT && bf_cur_left(&c)))
		take_version(keys, &c, id);
	id->version_unreadable = told && !blank && !id->has_version;
	if (keys->loader_by == BF_LOADER_BY_AUTO) {
		rc = guess_who(u, id, told, blank, err);
	} else {
		rc = is_loader(u, told, &loader, err);
		id->talks = loader                                    ? BF_TALKS_LOADER
			    : keys->loader_by == BF_LOADER_BY_SESSION ? BF_TALKS_UNKNOWN
								      : BF_TALKS_APPLICATION;
		/* After power-on a bootloader is in the default session, too. */
		if (!rc && !loader && keys->loader_by == BF_LOADER_BY_SESSION)
			rc = guess_who(u, id, told, blank, err);
	}
	if (u->at_loader && pf->loader_tx)
		id->talks = BF_TALKS_LOADER;
	return rc;
}

static enum bf_rc read_numbers(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	struct bf_cur c;
	enum bf_rc rc = bf_uds_try_did(u, keys->did_counter, &c, NULL, err);

	if (rc)
		return rc;
	id->counter_unreadable = c.p && bf_cur_left(&c) != 4;
	if (bf_cur_left(&c) == 4) {
		id->counter = bf_cur_be32(&c);
		id->caps |= BF_CAP_COUNTER;
	}
	rc = bf_uds_try_did(u, keys->did_restart, &c, NULL, err);
	if (rc)
		return rc;
	if (bf_cur_left(&c) == 3 && c.p[c.pos] >= 1 && c.p[c.pos] <= 4) {
		id->reset_reason = bf_cur_u8(&c);
		id->boot_count = bf_cur_be16(&c);
	}
	return BF_OK;
}

/* The profile's regions win over what the pack tells. */
static enum bf_rc read_map(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_uds_profile *keys = uds_keys(u);
	struct bf_cur c;
	enum bf_rc rc;

	if (pf->n_regions) {
		memcpy(id->regions, pf->regions, sizeof(pf->regions));
		id->n_regions = pf->n_regions;
		return BF_OK;
	}
	rc = bf_uds_try_did(u, keys->did_map, &c, NULL, err);
	if (rc || !c.p)
		return rc;
	if (!bf_uds_read_map(&c, id->regions, BF_MAX_REGIONS, &id->n_regions)) {
		id->n_regions = 0;
		bf_log(u->proto.env.log, BF_LOG_WARN,
		       "uds: the pack's memory map (data identifier %04X) is malformed: it is not "
		       "used",
		       keys->did_map);
		return BF_OK;
	}
	u->ours = u->ours || keys->did_map == UDS_DID_MAP;
	id->caps |= BF_CAP_ANY_ORDER;
	return BF_OK;
}

enum bf_rc bf_uds_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	struct bf_slot slots[BF_MAX_SLOTS] = { 0 };
	struct bf_cur c;
	size_t n;
	enum bf_rc rc = bf_uds_run_routine(u, UDS_R_STATE, NULL, BF_RETRY_IDEMPOTENT,
					   "tell the state of its banks", &c, err);

	if (rc)
		return rc;
	if (bf_cur_u8(&c) != 0 || !bf_uds_read_banks(&c, slots, BF_MAX_SLOTS, &n))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the pack's answer about the state of its banks is not understood");
	memcpy(update->slots, slots, sizeof(slots));
	update->n_slots = n;
	return BF_OK;
}

/* The digest of the image that runs, where the banks did not tell. */
static enum bf_rc read_digest(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	for (size_t i = 0; i < id->n_slots; i++) {
		struct bf_slot *s = &id->slots[i];
		struct bf_cur c;
		enum bf_rc rc;

		if (!(s->flags & BF_SLOT_ACTIVE) || s->digest_len)
			continue;
		rc = bf_uds_try_did(u, uds_keys(u)->did_app_digest, &c, NULL, err);
		if (rc)
			return rc;
		if (bf_cur_left(&c) == 32 || bf_cur_left(&c) == 64) {
			s->digest_len = bf_cur_left(&c);
			memcpy(s->digest, bf_cur_bytes(&c, s->digest_len), s->digest_len);
		}
	}
	return BF_OK;
}

static enum bf_rc read_slots(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	struct bf_cur c;
	enum bf_rc rc = bf_uds_rid(u, UDS_R_STATE) ? bf_uds_state(&u->proto, id, err) : BF_OK;

	if (rc && !err->dev_refused && rc != BF_E_UNSUPPORTED)
		return rc;
	if (id->n_slots)
		return read_digest(u, id, err);
	/* No banks: one slot stands for what runs, so that its digest can be compared. */
	rc = bf_uds_try_did(u, keys->did_app_digest, &c, NULL, err);
	if (rc || (bf_cur_left(&c) != 32 && bf_cur_left(&c) != 64))
		return rc;
	id->n_slots = 1;
	id->slots[0] = (struct bf_slot){ .flags = BF_SLOT_ACTIVE | BF_SLOT_CONFIRMED,
					 .has_version = id->has_version,
					 .version = id->version };
	return read_digest(u, id, err);
}

/* Asked for a few bytes of a region that may be read: a server without hashes says so. Asked only where the
 * routine is declared. */
static bool has_hash(struct uds *u, const struct bf_ident *id)
{
	for (size_t i = 0; i < id->n_regions; i++) {
		if (id->regions[i].access & BF_ACCESS_READ)
			return bf_uds_has_hash(u, id->regions[i].addr, id->regions[i].size);
	}
	return bf_uds_rid(u, UDS_R_HASH);
}

/* Quantities of the built-in profile are a guess: one of them must answer. */
static bool same_quantities(const struct bf_profile *a, const struct bf_profile *b)
{
	if (a->n_quantities != b->n_quantities)
		return false;
	for (size_t i = 0; i < a->n_quantities; i++) {
		const struct bf_quantity_map *x = &a->quantities[i], *y = &b->quantities[i];

		if (x->kind != y->kind || x->did != y->did || x->offset != y->offset ||
		    x->modbus_register != y->modbus_register || x->width != y->width ||
		    x->count != y->count || x->is_signed != y->is_signed)
			return false;
	}
	return true;
}

static bool has_measures(struct uds *u)
{
	const struct bf_profile *pf = uds_profile(u);
	struct bf_profile def;
	struct bf_err quiet;
	struct bf_cur c;

	bf_profile_default(&def);
	if (u->ours || !pf->n_quantities || !same_quantities(pf, &def))
		return pf->n_quantities;
	for (size_t i = 0; i < pf->n_quantities; i++) {
		bf_err_init(&quiet);
		if (!bf_uds_try_did(u, pf->quantities[i].did, &c, NULL, &quiet) && c.p)
			return true;
	}
	return false;
}

/* From what the server told, or what the profile names: never from what other servers have. */
static unsigned caps_of(struct uds *u, const struct bf_ident *id)
{
	const struct bf_uds_profile *keys = uds_keys(u);
	bool two = id->n_slots >= 2;
	const struct {
		bool there;
		unsigned caps;
	} rows[] = {
		{ bf_uds_rid(u, UDS_R_ERASE), BF_CAP_ERASE },
		{ has_hash(u, id), BF_CAP_HASH | BF_CAP_RESUME },
		{ bf_uds_rid(u, UDS_R_CHECK_DEPS) || bf_uds_rid(u, UDS_R_CHECK_MEMORY),
		  BF_CAP_CHECK },
		{ two, BF_CAP_DUAL_BANK },
		{ two && bf_uds_rid(u, UDS_R_ACTIVATE), BF_CAP_TRIAL },
		{ two && bf_uds_rid(u, UDS_R_CONFIRM), BF_CAP_CONFIRM },
		{ two && bf_uds_rid(u, UDS_R_REVERT), BF_CAP_REVERT },
		{ has_measures(u), BF_CAP_MEASURE },
		{ bf_uds_is_locked(keys), BF_CAP_AUTH },
		{ bf_uds_rid(u, UDS_R_SELF_TEST), BF_CAP_SELF_TEST },
		{ bf_uds_rid(u, UDS_R_BALANCE), BF_CAP_BALANCE },
		{ id->rates[0], BF_CAP_RATES },
		{ keys->any_order, BF_CAP_ANY_ORDER },
	};
	unsigned caps = id->caps;

	for (size_t i = 0; i < BF_COUNT(rows); i++)
		caps |= rows[i].there ? rows[i].caps : 0;
	for (size_t i = 0; i < id->n_regions; i++) {
		caps |= id->regions[i].access & BF_ACCESS_READ ? BF_CAP_READ : 0;
		caps |= id->regions[i].kind == BF_REGION_SLOT ? BF_CAP_MCUBOOT : 0;
	}
	return caps;
}

/* The built-in ladder is for servers of bmsflash-uds(7); others change their rate where a profile says to what. */
static void fill_rates(const struct uds *u, struct bf_ident *id)
{
	struct bf_transport *t = u->proto.env.transport;
	const struct bf_profile *pf = uds_profile(u);
	struct bf_bus_report report = { 0 };
	struct bf_profile def;
	bool bus = t->ops->wire == BF_WIRE_BUS;

	bf_profile_default(&def);
	if (!u->ours && memcmp(bus ? pf->can_rates : pf->serial_rates,
			       bus ? def.can_rates : def.serial_rates, sizeof(def.can_rates)) == 0)
		return;
	if (t->ops->wire == BF_WIRE_STREAM) {
		memcpy(id->rates, pf->serial_rates, sizeof(id->rates));
		return;
	}
	t->ops->bus->report(t, &report);
	if (report.may_set_bitrate)
		memcpy(id->rates, pf->can_rates, sizeof(id->rates));
}

enum bf_rc bf_uds_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	static enum bf_rc (*const steps[])(struct uds *, struct bf_ident *, struct bf_err *) = {
		read_ids,     read_map,   bf_uds_read_transfer_ways, read_texts, read_version,
		read_numbers, read_slots,
	};
	struct uds *u = uds_of(p);
	struct bf_ident id = { .protocol = "uds", .in_flight = 1 };

	for (size_t i = 0; i < BF_COUNT(steps); i++) {
		if (steps[i](u, &id, err))
			return bf_while(err, "identifying the pack");
	}
	u->talks = id.talks;
	id.in_bootloader = id.talks == BF_TALKS_LOADER;
	fill_rates(u, &id);
	u->write_unit = 0;
	for (size_t i = 0; i < id.n_regions; i++) {
		if (id.regions[i].write_unit > u->write_unit)
			u->write_unit = id.regions[i].write_unit;
	}
	id.block_max = u->block_max > 2 ? u->block_max - 2 : 0;
	id.caps = caps_of(u, &id);
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}

enum bf_rc bf_uds_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	const struct bf_profile *pf = uds_profile(u);
	struct bf_measure m = { 0 };
	struct bf_cur c = bf_cur(NULL, 0);

	for (size_t i = 0; i < pf->n_quantities; i++) {
		const struct bf_quantity_map *q = &pf->quantities[i];

		/* Neighbours in the profile that share a record share the request. */
		if (i == 0 || q->did != pf->quantities[i - 1].did) {
			if (bf_uds_try_did(u, q->did, &c, NULL, err))
				return bf_while(err, "measuring");
		}
		if (c.p)
			bf_measure_put(&m, q, c.p + c.pos, bf_cur_left(&c));
	}
	*ret = m;
	return BF_OK;
}
