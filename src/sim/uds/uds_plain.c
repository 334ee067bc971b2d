/* SPDX-License-Identifier: MIT */
/* The services of servers that are not ours, by the rows of uds_model.c. */
#include "sim/uds/uds_model.h"

#include <string.h>

#include "bmsflash/crc.h"

static bool in_app(const struct bf_server *u)
{
	return bf_pack_running(u->pack) != NULL;
}

static bool has_quirk(const struct bf_server *u, unsigned quirk)
{
	return bf_pack_opts(u->pack)->quirks & quirk;
}

enum bf_nrc bf_plain_may(const struct bf_server *u, uint8_t sid)
{
	bool reads = sid == 0x23 || sid == 0x35;

	if (reads && !has_quirk(u, BF_QUIRK_CANREAD))
		return NRC_SERVICE_NOT_SUPPORTED;
	if (sid == 0x27 && !bf_pack_opts(u->pack)->auth)
		return NRC_SERVICE_NOT_SUPPORTED;
	for (const struct bf_plain_service *s = u->plain->services; s->sid; s++) {
		uint8_t sessions = in_app(u) ? s->app : s->loader;

		if (s->sid != sid)
			continue;
		if (!sessions)
			return NRC_SERVICE_NOT_SUPPORTED;
		return sessions & 1u << u->session ? NRC_NONE : NRC_SERVICE_NOT_IN_SESSION;
	}
	return NRC_SERVICE_NOT_SUPPORTED;
}

/* ---- sessions ---- */

static bool may_change(const struct bf_server *u, uint8_t to)
{
	bool jumps =
		(u->plain->jumps || has_quirk(u, BF_QUIRK_JUMP)) && !has_quirk(u, BF_QUIRK_NOJUMP);

	return to != BF_SERVER_PROGRAMMING || u->session != BF_SERVER_DEFAULT || jumps;
}

enum bf_nrc bf_plain_session_control(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)c;
	if (sub < BF_SERVER_DEFAULT || sub > BF_SERVER_EXTENDED)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (!may_change(u, sub))
		return NRC_SUB_FUNCTION_NOT_IN_SESSION;
	if (sub == BF_SERVER_PROGRAMMING && in_app(u))
		return bf_server_restart_for_programming(u);
	return bf_server_enter(u, sub);
}

/* ---- identifiers ---- */

static void out_text(struct bf_server *u, const char *text)
{
	bf_out_bytes(&u->out, text, strlen(text));
}

static bool put_value(struct bf_server *u, enum bf_plain_value value)
{
	const struct bf_mimage *m = bf_pack_running(u->pack);
	struct bf_pack_ids ids;
	char text[32];

	bf_pack_ids(u->pack, &ids);
	switch (value) {
	case BF_PLAIN_BOOT_ID:
		out_text(u, u->plain->boot_id);
		return true;
	case BF_PLAIN_SESSION:
		bf_out_u8(&u->out, (uint8_t)u->session);
		return true;
	case BF_PLAIN_PART:
		out_text(u, ids.model);
		return true;
	case BF_PLAIN_VERSION:
		if (m)
			out_text(u, bf_mimage_version(m, text));
		return m;
	case BF_PLAIN_SUPPLIER:
		out_text(u, ids.manufacturer);
		return true;
	case BF_PLAIN_SERIAL:
		return bf_server_put_serial(u, &u->out);
	case BF_PLAIN_HARDWARE:
		out_text(u, ids.hw_rev);
		return true;
	case BF_PLAIN_FINGERPRINT:
		bf_out_bytes(&u->out, bf_pack_kept(u->pack)->fingerprint,
			     sizeof(bf_pack_kept(u->pack)->fingerprint));
		return true;
	}
	return false;
}

/* False: not known here; nothing was put. */
bool bf_plain_put_did(struct bf_server *u, uint16_t did)
{
	size_t before = u->out.len;

	for (const struct bf_plain_did *d = u->plain->dids; d->did; d++) {
		if (d->did != did || !(in_app(u) ? d->app : d->loader))
			continue;
		bf_out_be16(&u->out, did);
		if (put_value(u, d->value))
			return true;
		u->out.len = before;
	}
	return false;
}

enum bf_nrc bf_plain_write_data(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	struct bf_pack_kept *kept = bf_pack_kept(u->pack);
	uint16_t did = bf_cur_be16(c);
	size_t len = bf_cur_left(c);

	(void)sub;
	if (!u->plain->fingerprint || did != u->plain->fingerprint)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (!len || len > sizeof(kept->fingerprint))
		return NRC_INCORRECT_LENGTH;
	memset(kept->fingerprint, 0, sizeof(kept->fingerprint));
	memcpy(kept->fingerprint, bf_cur_bytes(c, len), len);
	bf_out_be16(&u->out, did);
	return NRC_NONE;
}

/* ---- option records ---- */

struct fields {
	uint32_t addr, size, crc, block;
};

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool is_field(const char *form)
{
	return *form >= 'A' && *form <= 'Z';
}

static bool take_fields(struct bf_cur *c, const char *form, struct fields *f)
{
	for (; *form; form += form[2] ? 3 : 2) {
		uint32_t v;

		if (!is_field(form)) {
			if (bf_cur_u8(c) != (digit(form[0]) << 4 | digit(form[1])))
				return false;
			continue;
		}
		v = (uint32_t)bf_cur_be(c, (size_t)(form[1] - '0'));
		*(form[0] == 'A'   ? &f->addr
		  : form[0] == 'S' ? &f->size
		  : form[0] == 'C' ? &f->crc
				   : &f->block) = v;
	}
	return !c->failed && !bf_cur_left(c);
}

static size_t form_length(const char *form)
{
	size_t n = 0;

	for (; *form; form += form[2] ? 3 : 2)
		n += is_field(form) ? (size_t)(form[1] - '0') : 1;
	return n;
}

/* ---- routines ---- */

static bool in_any_order(const struct bf_server *u)
{
	return has_quirk(u, BF_QUIRK_ANYORDER);
}

/* The mark that lets the application start goes before anything else. */
static enum bf_nrc erase_pages(struct bf_server *u, uint32_t addr, uint32_t size)
{
	uint32_t end = (addr + size + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;
	uint32_t first = addr / BF_FLASH_PAGE * BF_FLASH_PAGE;
	enum bf_pack_work work = bf_pack_mark_valid(u->pack, false, u->now, &u->done);

	if (work == BF_PACK_DONE)
		work = bf_pack_erase(u->pack, first, end - first, u->now, &u->done);
	return bf_server_worked(work);
}

static enum bf_nrc erase(struct bf_server *u, const struct fields *f)
{
	if (!f->size || !bf_pack_allows(u->pack, f->addr, f->size, BF_PACK_ERASE) ||
	    (f->addr != bf_pack_slot_addr(0) && !in_any_order(u)))
		return NRC_REQUEST_OUT_OF_RANGE;
	u->transfer.direction = TRANSFER_NONE;
	u->next_addr = f->addr;
	return erase_pages(u, f->addr, f->size);
}

static enum bf_nrc failed_check(const struct bf_server *u)
{
	return bf_pack_opts(u->pack)->checker == BF_SIM_CHECK_12 ? NRC_SUB_FUNCTION_NOT_SUPPORTED
								 : NRC_NONE;
}

static enum bf_nrc check_image(struct bf_server *u, uint8_t *ret_status)
{
	bool good = bf_pack_image_good(u->pack);

	u->done = bf_pack_idle_at(u->pack, u->now) + bf_pack_check_us(u->pack, 0, 0);
	*ret_status = !good;
	if (!good)
		return failed_check(u);
	return bf_server_worked(bf_pack_mark_valid(u->pack, true, u->now, &u->done));
}

static const struct bf_plain_routine *find_routine(const struct bf_server *u, uint16_t rid)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);

	for (const struct bf_plain_routine *r = u->plain->routines; r->rid; r++) {
		if (r->rid != rid || !((in_app(u) ? r->app : r->loader) & 1u << u->session))
			continue;
		if (r->act == BF_PLAIN_ERASE && o->eraser == BF_SIM_ERASE_DOWNLOAD)
			return NULL;
		if (r->act == BF_PLAIN_DEPENDENCIES && o->checker == BF_SIM_CHECK_NONE)
			return NULL;
		return r;
	}
	return NULL;
}

static enum bf_nrc run_routine(struct bf_server *u, const struct bf_plain_routine *r,
			       const struct fields *f, uint8_t *ret_status)
{
	*ret_status = 0;
	switch (r->act) {
	case BF_PLAIN_ERASE:
		return erase(u, f);
	case BF_PLAIN_DEPENDENCIES:
		return check_image(u, ret_status);
	case BF_PLAIN_NOTHING:
		break;
	}
	return NRC_NONE;
}

enum bf_nrc bf_plain_routine_control(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	uint16_t rid = bf_cur_be16(c);
	const struct bf_plain_routine *r = find_routine(u, rid);
	struct fields f = { 0 };
	uint8_t status;
	enum bf_nrc nrc;

	if (sub != 1)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (!r)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (r->guarded && !bf_server_may_write(u))
		return NRC_SECURITY_ACCESS_DENIED;
	if (bf_cur_left(c) != form_length(r->option))
		return NRC_INCORRECT_LENGTH;
	if (!take_fields(c, r->option, &f))
		return NRC_REQUEST_OUT_OF_RANGE;
	bf_out_be16(&u->out, rid);
	nrc = run_routine(u, r, &f, &status);
	return nrc ? nrc : bf_server_put_status(u, status);
}

/* ---- download and upload ---- */

static bool take_place(const struct bf_server *u, struct bf_cur *c, uint32_t *ret_addr,
		       uint32_t *ret_size)
{
	uint8_t format = bf_cur_u8(c);
	int sizes = format >> 4, addrs = format & 15;

	if (u->plain->format ? format != u->plain->format
			     : sizes < 1 || sizes > 4 || addrs < 1 || addrs > 4)
		return false;
	/* What is left out of an address is what all of them begin with. */
	*ret_addr = (uint32_t)bf_cur_be(c, (size_t)addrs);
	if (addrs < 4)
		*ret_addr |= BF_FLASH_BASE;
	*ret_size = (uint32_t)bf_cur_be(c, (size_t)sizes);
	return !c->failed && !bf_cur_left(c);
}

enum bf_nrc bf_plain_download(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool plain = bf_cur_u8(c) == 0, erases;
	uint32_t addr, size;
	enum bf_nrc nrc = NRC_NONE;

	(void)sub;
	if (!take_place(u, c, &addr, &size) || !plain || !size ||
	    !bf_pack_allows(u->pack, addr, size, BF_PACK_WRITE) || addr % BF_FLASH_WORD)
		return NRC_REQUEST_OUT_OF_RANGE;
	erases = bf_pack_opts(u->pack)->eraser == BF_SIM_ERASE_DOWNLOAD;
	if (!in_any_order(u) && addr != bf_pack_slot_addr(0) &&
	    (!u->next_addr || addr < u->next_addr))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (erases)
		nrc = erase_pages(u, addr, size);
	if (nrc)
		return nrc;
	u->next_addr = addr + size;
	return bf_server_begin(u, TRANSFER_DOWN, addr, size, u->plain->block);
}

enum bf_nrc bf_plain_upload(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool plain = bf_cur_u8(c) == 0;
	uint32_t addr, size;

	(void)sub;
	if (!take_place(u, c, &addr, &size) || !plain || !size ||
	    !bf_pack_allows(u->pack, addr, size, BF_PACK_READ))
		return NRC_REQUEST_OUT_OF_RANGE;
	return bf_server_begin(u, TRANSFER_UP, addr, size, u->plain->block);
}

/* Where nothing is checked, the end of a download is what lets firmware start. */
enum bf_nrc bf_plain_after_exit(struct bf_server *u)
{
	if (bf_pack_opts(u->pack)->checker != BF_SIM_CHECK_NONE)
		return NRC_NONE;
	return bf_server_worked(bf_pack_mark_valid(u->pack, true, u->now, &u->done));
}

enum bf_nrc bf_plain_clear_dtc(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)u;
	(void)sub;
	bf_cur_be(c, 3);
	return NRC_NONE;
}
