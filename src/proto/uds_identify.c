/* SPDX-License-Identifier: MIT */
/* Who the pack is, what its banks hold, what it measures. */
#include "uds.h"

#include <string.h>

#define DID_MANUFACTURER 0xF18A /* fixed by ISO 14229-1 */
#define DID_RESTART      0xFD04 /* bmsflash-uds(7) */

/* A record that the pack does not have leaves the cursor empty; only the line's failures count. */
static enum bf_rc optional(struct uds *u, uint16_t did, struct bf_cur *ret, struct bf_err *err)
{
	enum bf_rc rc;

	*ret = bf_cur(NULL, 0);
	if (!did)
		return BF_OK;
	rc = bf_uds_read_did(u, did, ret, err);
	if (rc && err->dev_refused) {
		bf_log(u->proto.env.log, BF_LOG_DEBUG, "uds: no data identifier %04X (7F 22 %02X)",
		       did, err->dev_code);
		return BF_OK;
	}
	return rc;
}

static enum bf_rc read_texts(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct {
		uint16_t did;
		char *dst;
		size_t cap;
	} rows[] = {
		{ pf->did_boot_id, id->loader, sizeof(id->loader) },
		{ pf->did_app_version, id->version_text, sizeof(id->version_text) },
		{ pf->did_hw_version, id->hw_rev, sizeof(id->hw_rev) },
		{ pf->did_serial, id->serial, sizeof(id->serial) },
		{ pf->did_part, id->model, sizeof(id->model) },
		{ DID_MANUFACTURER, id->manufacturer, sizeof(id->manufacturer) },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct bf_cur c;
		enum bf_rc rc = optional(u, rows[i].did, &c, err);

		if (rc)
			return rc;
		/* The version is empty, but there, when no application runs. */
		if (rows[i].dst == id->version_text && c.p)
			id->in_bootloader = bf_cur_left(&c) == 0;
		bf_uds_read_text(&c, rows[i].dst, rows[i].cap);
	}
	id->has_version = bf_version_parse(id->version_text, &id->version);
	return BF_OK;
}

static enum bf_rc read_numbers(struct uds *u, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	struct bf_cur c;
	const uint8_t *vid, *cid;
	enum bf_rc rc = optional(u, pf->did_ids, &c, err);

	if (rc)
		return rc;
	vid = bf_cur_bytes(&c, sizeof(id->vid));
	cid = bf_cur_bytes(&c, sizeof(id->cid));
	id->has_vid = id->has_cid = vid && cid;
	if (id->has_vid) {
		memcpy(id->vid, vid, sizeof(id->vid));
		memcpy(id->cid, cid, sizeof(id->cid));
	}
	rc = optional(u, pf->did_counter, &c, err);
	if (rc)
		return rc;
	if (bf_cur_left(&c) == 4) {
		id->counter = bf_cur_be32(&c);
		id->caps |= BF_CAP_COUNTER;
	}
	rc = optional(u, DID_RESTART, &c, err);
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
	struct bf_cur c;
	enum bf_rc rc;

	if (pf->n_regions) {
		memcpy(id->regions, pf->regions, sizeof(pf->regions));
		id->n_regions = pf->n_regions;
		return BF_OK;
	}
	rc = optional(u, pf->did_map, &c, err);
	if (rc || !c.p)
		return rc;
	if (!bf_uds_read_map(&c, id->regions, BF_MAX_REGIONS, &id->n_regions))
		return bf_fail(err, BF_E_LINK,
			       "the pack's memory map (data identifier %04X) is malformed",
			       pf->did_map);
	return BF_OK;
}

enum bf_rc bf_uds_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err)
{
	struct uds *u = uds_of(p);
	struct bf_slot slots[BF_MAX_SLOTS] = { 0 };
	struct bf_cur c;
	size_t n;
	enum bf_rc rc = bf_uds_run_routine(u, uds_profile(u)->rid_state, NULL, BF_RETRY_IDEMPOTENT,
					   "tell the state of its banks", &c, err);

	if (rc)
		return rc;
	if (bf_cur_u8(&c) != 0 || !bf_uds_read_banks(&c, slots, BF_MAX_SLOTS, &n))
		return bf_fail(err, BF_E_LINK, "the pack's answer about its banks is malformed");
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
		rc = optional(u, uds_profile(u)->did_app_digest, &c, err);
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
	const struct bf_profile *pf = uds_profile(u);
	struct bf_cur c;
	enum bf_rc rc = pf->rid_state ? bf_uds_state(&u->proto, id, err) : BF_OK;

	if (rc && !err->dev_refused)
		return rc;
	if (id->n_slots)
		return read_digest(u, id, err);
	/* No banks: one slot stands for what runs, so that its digest can be compared. */
	rc = optional(u, pf->did_app_digest, &c, err);
	if (rc || (bf_cur_left(&c) != 32 && bf_cur_left(&c) != 64))
		return rc;
	id->n_slots = 1;
	id->slots[0] = (struct bf_slot){ .flags = BF_SLOT_ACTIVE | BF_SLOT_CONFIRMED,
					 .has_version = id->has_version,
					 .version = id->version };
	return read_digest(u, id, err);
}

/* Asked for a few bytes of a region that may be read: a server without hashes says so. */
static bool has_hash(struct uds *u, const struct bf_ident *id)
{
	for (size_t i = 0; i < id->n_regions; i++) {
		if (id->regions[i].access & BF_ACCESS_READ)
			return bf_uds_has_hash(u, id->regions[i].addr);
	}
	return uds_profile(u)->rid_hash;
}

static unsigned caps_of(struct uds *u, const struct bf_ident *id)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct {
		bool there;
		unsigned caps;
	} rows[] = {
		{ pf->rid_erase, BF_CAP_ERASE },
		{ has_hash(u, id), BF_CAP_HASH | BF_CAP_RESUME },
		{ pf->rid_check_deps || pf->rid_check_memory, BF_CAP_CHECK },
		{ id->n_slots >= 2, BF_CAP_DUAL_BANK },
		{ id->n_slots >= 2 && pf->rid_activate, BF_CAP_TRIAL },
		{ id->n_slots >= 2 && pf->rid_confirm, BF_CAP_CONFIRM },
		{ id->n_slots >= 2 && pf->rid_revert, BF_CAP_REVERT },
		{ pf->n_quantities, BF_CAP_MEASURE },
		{ bf_uds_is_locked(pf), BF_CAP_AUTH },
		{ pf->rid_self_test, BF_CAP_SELF_TEST },
		{ pf->rid_balance, BF_CAP_BALANCE },
		{ id->rates[0], BF_CAP_RATES },
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

static void fill_rates(const struct uds *u, struct bf_ident *id)
{
	struct bf_transport *t = u->proto.env.transport;
	const struct bf_profile *pf = uds_profile(u);
	struct bf_bus_report report = { 0 };

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
		read_texts, read_numbers, read_map, read_slots, bf_uds_read_transfer_ways
	};
	struct uds *u = uds_of(p);
	struct bf_ident id = { .protocol = "uds", .in_flight = 1 };

	for (size_t i = 0; i < BF_COUNT(steps); i++) {
		if (steps[i](u, &id, err))
			return bf_while(err, "identifying the pack");
	}
	fill_rates(u, &id);
	u->write_unit = 0;
	for (size_t i = 0; i < id.n_regions; i++) {
		if (id.regions[i].write_unit > u->write_unit)
			u->write_unit = id.regions[i].write_unit;
	}
	id.piece_max = u->block_max > 2 ? u->block_max - 2 : 0;
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
			if (optional(u, q->did, &c, err))
				return bf_while(err, "measuring");
		}
		if (c.p)
			bf_measure_put(&m, q, c.p + c.pos, bf_cur_left(&c));
	}
	*ret = m;
	return BF_OK;
}
