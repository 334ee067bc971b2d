/* SPDX-License-Identifier: MIT */
/* The services of servers that are not ours, by the rows of uds_model.c. */
#include "sim/uds/uds_model.h"

#include <string.h>

#include "bmsflash/crc.h"

#define STATUS_FAILED   1
#define STATUS_NOT_YET  0x30
#define MODEL_SEED_MOST 16u

static bool in_app(const struct bf_server *u)
{
	return bf_pack_running(u->pack) != NULL;
}

static bool has_quirk(const struct bf_server *u, unsigned quirk)
{
	return bf_pack_opts(u->pack)->quirks & quirk;
}

static bool is_in(const struct bf_server *u, uint8_t sessions)
{
	return sessions & 1u << u->session;
}

static bool lacks_service(const struct bf_server *u, uint8_t sid)
{
	bool reads = sid == 0x35 || (sid == 0x23 && u->plain->id == BF_SIM_STANDARD);

	if (reads && !has_quirk(u, BF_QUIRK_CANREAD))
		return true;
	return sid == 0x27 && !bf_pack_opts(u->pack)->auth && !u->plain->seed_len;
}

enum bf_nrc bf_plain_may(const struct bf_server *u, uint8_t sid)
{
	if (u->plain->wants_start && !u->plain_state.started && sid != 0x81)
		return NRC_SILENCE;
	if (lacks_service(u, sid))
		return NRC_SERVICE_NOT_SUPPORTED;
	for (const struct bf_plain_service *s = u->plain->services; s->sid; s++) {
		uint8_t sessions = in_app(u) ? s->app : s->loader;

		if (s->sid != sid)
			continue;
		if (!sessions)
			return NRC_SERVICE_NOT_SUPPORTED;
		return is_in(u, sessions) ? NRC_NONE : NRC_SERVICE_NOT_IN_SESSION;
	}
	return NRC_SERVICE_NOT_SUPPORTED;
}

/* ---- sessions and the lock ---- */

void bf_plain_forget(struct bf_server *u)
{
	u->plain_state = (struct bf_plain_state){ 0 };
}

static bool may_change(const struct bf_server *u, uint8_t to)
{
	const struct bf_plain_model *m = u->plain;
	bool jumps = (m->jumps || has_quirk(u, BF_QUIRK_JUMP)) && !has_quirk(u, BF_QUIRK_NOJUMP);

	if (m->no_return && u->session == BF_SERVER_PROGRAMMING && to == BF_SERVER_EXTENDED)
		return false;
	return to != BF_SERVER_PROGRAMMING || u->session != BF_SERVER_DEFAULT || jumps ||
	       !in_app(u);
}

static bool wants_precondition(const struct bf_server *u)
{
	for (const struct bf_plain_routine *r = u->plain->routines; r->rid; r++)
		if (r->act == BF_PLAIN_PRECONDITION)
			return !u->plain_state.asked_precondition;
	return false;
}

enum bf_nrc bf_plain_session_control(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)c;
	if (sub < BF_SERVER_DEFAULT || sub > BF_SERVER_EXTENDED)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	if (!may_change(u, sub))
		return NRC_SUB_FUNCTION_NOT_IN_SESSION;
	if (sub != BF_SERVER_PROGRAMMING || !in_app(u))
		return bf_server_enter(u, sub);
	if (wants_precondition(u))
		return NRC_CONDITIONS_NOT_CORRECT;
	if (!u->plain->silent)
		return bf_server_restart_for_programming(u);
	bf_pack_restart_to_loader(u->pack, u->now);
	u->starts_programming = true;
	return NRC_SILENCE;
}

/* As tests/data/auth/seed-to-key has it; real ones are their makers' secrets. */
static uint8_t key_byte(uint8_t seed, uint8_t level)
{
	return (uint8_t)((seed ^ 0xA5) + level);
}

bool bf_plain_is_locked(const struct bf_server *u)
{
	uint8_t locked = in_app(u) ? u->plain->unlocks_app : u->plain->unlocks_loader;

	return u->plain->seed_len && is_in(u, locked) && !u->unlocked;
}

static enum bf_nrc take_key(struct bf_server *u, struct bf_cur *c)
{
	const uint8_t *key = bf_cur_bytes(c, u->plain->seed_len);
	bool right = true;

	if (!key || bf_cur_left(c))
		return NRC_INCORRECT_LENGTH;
	if (!u->seed_out)
		return NRC_REQUEST_SEQUENCE_ERROR;
	u->seed_out = false;
	for (size_t i = 0; i < u->plain->seed_len; i++)
		right = right && key[i] == key_byte(u->seed[i], u->plain->level);
	u->unlocked = right;
	return right ? NRC_NONE : NRC_INVALID_KEY;
}

enum bf_nrc bf_plain_security(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	const struct bf_plain_model *m = u->plain;

	if (!m->seed_len)
		return bf_server_security(u, sub, c);
	if (sub == m->level + 1)
		return take_key(u, c);
	if (sub != m->level)
		return NRC_SUB_FUNCTION_NOT_SUPPORTED;
	for (size_t i = 0; i < m->seed_len; i++)
		u->seed[i] = u->unlocked ? 0 : (uint8_t)(1 + bf_rng_below(&u->rng, 255));
	u->seed_out = !u->unlocked;
	bf_out_bytes(&u->out, u->seed, m->seed_len);
	return NRC_NONE;
}

enum bf_nrc bf_plain_communication(const struct bf_server *u, struct bf_cur *c)
{
	uint8_t wanted = u->plain->communication;

	return u->sid == 0x28 && wanted && bf_cur_u8(c) != wanted ? NRC_REQUEST_OUT_OF_RANGE
								  : NRC_NONE;
}

/* ISO 14230-2, 5.2.4: key bytes EF 8F, all header forms and no timing but the normal one. */
enum bf_nrc bf_plain_start_communication(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)sub;
	(void)c;
	u->plain_state.started = true;
	bf_out_u8(&u->out, 0xEF);
	bf_out_u8(&u->out, 0x8F);
	return NRC_NONE;
}

/* ---- identifiers ---- */

static void out_text(struct bf_server *u, const char *text)
{
	bf_out_bytes(&u->out, text, strlen(text));
}

static uint8_t bcd(unsigned v)
{
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

static void put_version(struct bf_server *u, const struct bf_mimage *m)
{
	char text[32];

	switch (u->plain->version) {
	case BF_PLAIN_PREFIX:
		out_text(u, "SW");
		out_text(u, bf_mimage_version(m, text));
		return;
	case BF_PLAIN_TEXT:
		out_text(u, bf_mimage_version(m, text));
		return;
	case BF_PLAIN_BCD:
		bf_out_u8(&u->out, bcd(m->major));
		bf_out_u8(&u->out, bcd(m->minor));
		bf_out_u8(&u->out, bcd(m->revision));
		return;
	}
}

static bool put_value(struct bf_server *u, enum bf_plain_value value)
{
	const struct bf_mimage *m = bf_pack_running(u->pack);
	struct bf_pack_ids ids;

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
			put_version(u, m);
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
	uint8_t wanted = u->plain->fingerprint_len;
	uint16_t did = bf_cur_be16(c);
	size_t len = bf_cur_left(c), keep;

	(void)sub;
	if (!u->plain->fingerprint || did != u->plain->fingerprint)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (!len || (wanted && len != wanted))
		return NRC_INCORRECT_LENGTH;
	keep = len < sizeof(kept->fingerprint) ? len : sizeof(kept->fingerprint);
	memset(kept->fingerprint, 0, sizeof(kept->fingerprint));
	memcpy(kept->fingerprint, bf_cur_bytes(c, len), keep);
	u->plain_state.has_fingerprint = true;
	bf_out_be16(&u->out, did);
	return NRC_NONE;
}

/* ---- option records ---- */

struct fields {
	uint32_t addr, size, block;
	bool wrong; /* a number that is another one than the pack's */
};

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static bool is_field(const char *form)
{
	return *form >= 'A' && *form <= 'Z';
}

static uint32_t number(const struct bf_server *u, struct bf_cur *c, size_t len)
{
	const uint8_t *p;
	uint32_t v = 0;

	if (!u->plain->little_endian)
		return (uint32_t)bf_cur_be(c, len);
	p = bf_cur_bytes(c, len);
	for (size_t i = 0; p && i < len; i++)
		v |= (uint32_t)p[i] << 8 * i;
	return v;
}

static void take_field(const struct bf_server *u, struct bf_cur *c, const char *form,
		       struct fields *f)
{
	const struct bf_plain_state *s = &u->plain_state;
	uint32_t v = number(u, c, (size_t)(form[1] - '0'));

	switch (form[0]) {
	case 'A':
		f->addr = v;
		break;
	case 'S':
		f->size = v;
		break;
	case 'B':
		f->block = v;
		break;
	case 'C':
		f->wrong = f->wrong || v != bf_crc_end(&bf_crc32_ieee, s->crc32);
		break;
	case 'R':
		f->wrong = f->wrong || v != s->crc16;
		break;
	case 'M':
		f->wrong = f->wrong || v != s->sum;
		break;
	}
}

static bool take_fields(const struct bf_server *u, struct bf_cur *c, const char *form,
			struct fields *f)
{
	for (; *form; form += form[2] ? 3 : 2) {
		if (is_field(form))
			take_field(u, c, form, f);
		else if (bf_cur_u8(c) != (digit(form[0]) << 4 | digit(form[1])))
			return false;
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

/* ---- memory ---- */

static bool in_any_order(const struct bf_server *u)
{
	return has_quirk(u, BF_QUIRK_ANYORDER);
}

/* From the model's addresses to the pack's; false outside its application. */
static bool to_pack(const struct bf_server *u, uint32_t addr, uint32_t size, uint32_t *ret)
{
	const struct bf_plain_model *m = u->plain;

	*ret = addr - m->base + bf_pack_slot_addr(0);
	return size && addr >= m->base && size <= m->size && addr - m->base <= m->size - size;
}

static bool in_ram(const struct bf_server *u, uint32_t addr, uint32_t size)
{
	const struct bf_plain_model *m = u->plain;

	return m->ram && size && addr >= m->ram && size <= m->ram_size &&
	       addr - m->ram <= m->ram_size - size;
}

static bool waits_for_driver(const struct bf_server *u)
{
	return u->plain->ram && !u->plain_state.runs_driver;
}

/* The mark that lets the application start goes before anything else. */
static enum bf_nrc erase_pages(struct bf_server *u, uint32_t addr, uint32_t size)
{
	uint32_t end = (addr + size + BF_FLASH_PAGE - 1) / BF_FLASH_PAGE * BF_FLASH_PAGE;
	uint32_t first = addr / BF_FLASH_PAGE * BF_FLASH_PAGE;
	enum bf_pack_work work = bf_pack_mark_valid(u->pack, false, u->now, &u->done);

	u->plain_state.checked = false;
	if (work == BF_PACK_DONE)
		work = bf_pack_erase(u->pack, first, end - first, u->now, &u->done);
	return bf_server_worked(work);
}

/* ---- routines ---- */

/* By address and size, by block number, or without either all of it. */
static enum bf_nrc erase(struct bf_server *u, const char *form, const struct fields *f,
			 uint8_t *ret_status)
{
	struct bf_plain_state *s = &u->plain_state;
	const struct bf_plain_model *m = u->plain;
	bool by_address = strchr(form, 'A');
	uint32_t addr = by_address ? f->addr : m->base, size = by_address ? f->size : m->size, at;
	enum bf_nrc nrc;

	if (s->polls) {
		*ret_status = --s->polls ? STATUS_NOT_YET : 0;
		return NRC_NONE;
	}
	if (waits_for_driver(u) || (m->fingerprint_first && !s->has_fingerprint))
		return NRC_REQUEST_SEQUENCE_ERROR;
	if (!to_pack(u, addr, size, &at) || (addr != m->base && !in_any_order(u)) ||
	    (strchr(form, 'B') && f->block != m->block_number))
		return NRC_REQUEST_OUT_OF_RANGE;
	u->transfer.direction = TRANSFER_NONE;
	s->next_addr = addr;
	s->has_fingerprint = false;
	nrc = erase_pages(u, at, size);
	s->polls = m->erase_polls;
	*ret_status = s->polls ? STATUS_NOT_YET : 0;
	return nrc;
}

static enum bf_nrc failed_check(const struct bf_server *u)
{
	return bf_pack_opts(u->pack)->checker == BF_SIM_CHECK_12 ? NRC_SUB_FUNCTION_NOT_SUPPORTED
								 : NRC_NONE;
}

static bool has_check(const struct bf_server *u)
{
	for (const struct bf_plain_routine *r = u->plain->routines; r->rid; r++)
		if (r->act == BF_PLAIN_CHECK)
			return true;
	return false;
}

/* Where a checksum was asked for before, it has to have been right; else the image is looked at. */
static enum bf_nrc check_image(struct bf_server *u, uint8_t *ret_status)
{
	bool good = bf_pack_image_good(u->pack) && (!has_check(u) || u->plain_state.checked);

	u->done = bf_pack_idle_at(u->pack, u->now) + bf_pack_check_us(u->pack, 0, 0);
	*ret_status = good ? 0 : STATUS_FAILED;
	if (!good)
		return failed_check(u);
	return bf_server_worked(bf_pack_mark_valid(u->pack, true, u->now, &u->done));
}

static enum bf_nrc check_download(struct bf_server *u, const struct fields *f, uint8_t *ret_status)
{
	struct bf_plain_state *s = &u->plain_state;
	bool good = s->moved && !f->wrong;

	u->done = bf_pack_idle_at(u->pack, u->now);
	*ret_status = good ? 0 : STATUS_FAILED;
	if (s->to_ram)
		s->runs_driver = good && s->has_driver;
	else
		s->checked = good;
	return good ? NRC_NONE : failed_check(u);
}

static enum bf_nrc start_driver(struct bf_server *u, const struct fields *f)
{
	if (!u->plain_state.has_driver)
		return NRC_REQUEST_SEQUENCE_ERROR;
	if (f->addr - u->plain->ram >= u->plain->ram_size)
		return NRC_REQUEST_OUT_OF_RANGE;
	u->plain_state.runs_driver = true;
	return NRC_NONE;
}

static const struct bf_plain_routine *find_routine(const struct bf_server *u, uint16_t rid)
{
	const struct bf_sim_opts *o = bf_pack_opts(u->pack);

	for (const struct bf_plain_routine *r = u->plain->routines; r->rid; r++) {
		if (r->rid != rid || !is_in(u, in_app(u) ? r->app : r->loader))
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
		return erase(u, r->option, f, ret_status);
	case BF_PLAIN_CHECK:
		return check_download(u, f, ret_status);
	case BF_PLAIN_DEPENDENCIES:
		return check_image(u, ret_status);
	case BF_PLAIN_COMPARE:
		*ret_status = bf_pack_image_good(u->pack) ? 0 : STATUS_FAILED;
		u->done = u->now + bf_pack_check_us(u->pack, 0, 0);
		return NRC_NONE;
	case BF_PLAIN_PRECONDITION:
		u->plain_state.asked_precondition = true;
		return NRC_NONE;
	case BF_PLAIN_START:
		return start_driver(u, f);
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
	if (!take_fields(u, c, r->option, &f))
		return NRC_REQUEST_OUT_OF_RANGE;
	bf_out_be16(&u->out, rid);
	nrc = run_routine(u, r, &f, &status);
	return nrc ? nrc : bf_server_put_status(u, status, r->status);
}

/* ---- download and upload ---- */

static bool take_place(const struct bf_server *u, struct bf_cur *c, uint32_t *ret_addr,
		       uint32_t *ret_size)
{
	const struct bf_plain_model *m = u->plain;
	uint8_t format = bf_cur_u8(c);
	unsigned sizes = format >> 4, addrs = format & 15;

	if (m->format ? format != m->format : sizes < 1 || sizes > 4 || addrs < 1 || addrs > 4)
		return false;
	*ret_addr = number(u, c, addrs);
	*ret_size = number(u, c, sizes);
	if (m->block_number) {
		bool mine = *ret_addr == m->block_number;

		*ret_addr = m->base;
		return mine && !c->failed && !bf_cur_left(c);
	}
	/* What is left out of an address is what all of them begin with. */
	if (addrs < 4)
		*ret_addr |= m->base & ~((1u << 8 * addrs) - 1);
	return !c->failed && !bf_cur_left(c);
}

static void begin_sums(struct bf_server *u, bool to_ram)
{
	struct bf_plain_state *s = &u->plain_state;

	s->to_ram = to_ram;
	s->crc32 = bf_crc_start(&bf_crc32_ieee);
	s->crc16 = 0xFFFF;
	s->sum = s->moved = 0;
}

static enum bf_nrc begin_flash(struct bf_server *u, uint32_t addr, uint32_t size)
{
	struct bf_plain_state *s = &u->plain_state;
	uint32_t at;
	enum bf_nrc nrc;

	if (!to_pack(u, addr, size, &at) || at % BF_FLASH_WORD)
		return NRC_REQUEST_OUT_OF_RANGE;
	if (waits_for_driver(u))
		return NRC_CONDITIONS_NOT_CORRECT;
	if (!in_any_order(u) && addr != u->plain->base && (!s->next_addr || addr < s->next_addr))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (bf_pack_opts(u->pack)->eraser == BF_SIM_ERASE_DOWNLOAD) {
		nrc = erase_pages(u, at, size);
		if (nrc)
			return nrc;
	}
	s->next_addr = addr + size;
	begin_sums(u, false);
	return bf_server_begin(u, TRANSFER_DOWN, at, size, u->plain->block);
}

enum bf_nrc bf_plain_download(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool right = bf_cur_u8(c) == u->plain->data_format;
	uint32_t addr, size;

	(void)sub;
	if (!right || !take_place(u, c, &addr, &size))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (!in_ram(u, addr, size))
		return begin_flash(u, addr, size);
	u->plain_state.has_driver = u->plain_state.runs_driver = false;
	begin_sums(u, true);
	return bf_server_begin(u, TRANSFER_DOWN, addr, size, u->plain->block);
}

enum bf_nrc bf_plain_upload(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	bool plain = bf_cur_u8(c) == 0;
	uint32_t addr, size, at;

	(void)sub;
	if (!take_place(u, c, &addr, &size) || !plain || !to_pack(u, addr, size, &at))
		return NRC_REQUEST_OUT_OF_RANGE;
	return bf_server_begin(u, TRANSFER_UP, at, size, u->plain->block);
}

enum bf_nrc bf_plain_read_memory(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	uint32_t addr, size, at;

	(void)sub;
	if (!take_place(u, c, &addr, &size) || !to_pack(u, addr, size, &at))
		return NRC_REQUEST_OUT_OF_RANGE;
	if (size > u->plain->block - 1u || size > u->longest - 1)
		return NRC_REQUEST_OUT_OF_RANGE;
	bf_out_bytes(&u->out, bf_pack_view(u->pack, at, size), size);
	return NRC_NONE;
}

/* CRC-16, CCITT: polynomial 1021, initial value FFFF. */
static uint16_t crc16(uint16_t crc, uint8_t b)
{
	crc ^= (uint16_t)(b << 8);
	for (unsigned i = 0; i < 8; i++)
		crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
	return crc;
}

bool bf_plain_take_block(struct bf_server *u, const uint8_t *p, size_t len)
{
	struct bf_plain_state *s = &u->plain_state;

	s->crc32 = bf_crc_feed(&bf_crc32_ieee, s->crc32, p, len);
	for (size_t i = 0; i < len; i++) {
		s->crc16 = crc16(s->crc16, p[i]);
		s->sum += p[i];
	}
	s->moved += (uint32_t)len;
	return s->to_ram;
}

enum bf_nrc bf_plain_after_exit(struct bf_server *u)
{
	struct bf_plain_state *s = &u->plain_state;
	bool unchecked =
		bf_pack_opts(u->pack)->checker == BF_SIM_CHECK_NONE || u->plain->checks_nothing;

	if (u->plain->exit_crc)
		bf_out_be16(&u->out, s->crc16);
	s->has_driver = s->has_driver || s->to_ram;
	if (s->to_ram || !unchecked)
		return NRC_NONE;
	return bf_server_worked(bf_pack_mark_valid(u->pack, true, u->now, &u->done));
}

enum bf_nrc bf_plain_clear_dtc(struct bf_server *u, uint8_t sub, struct bf_cur *c)
{
	(void)u;
	(void)sub;
	bf_cur_bytes(c, bf_cur_left(c));
	return NRC_NONE;
}
