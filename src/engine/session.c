/* SPDX-License-Identifier: MIT */
/* The session with the pack: who answers, what it says of itself, entered for reading or writing. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bmsflash/auth.h"
#include "bmsflash/bytes.h"

#include "source/source.h"
#include "phases.h"

/* ==== erase units ==== */
/*
 * Erase units. Nobody else divides an address by a unit: flash has sectors of several sizes, and a unit
 * is what contains the byte.
 */

bool bf_sector_at(const struct bf_region *r, uint32_t addr, uint32_t *ret_start, uint32_t *ret_size)
{
	uint32_t in = addr - r->addr, unit = r->erase_unit;

	if (addr < r->addr || in >= r->size)
		return false;
	for (unsigned i = 0; i < r->n_runs; i++) {
		const struct bf_sector_run *s = &r->sectors[i];

		if (addr < s->addr || !s->size || (addr - s->addr) / s->size >= s->count)
			continue;
		*ret_start = addr - (addr - s->addr) % s->size;
		*ret_size = s->size;
		return true;
	}
	if (r->n_runs || !unit)
		return false;
	*ret_start = r->addr + in / unit * unit;
	*ret_size =
		r->size - (*ret_start - r->addr) < unit ? r->size - (*ret_start - r->addr) : unit;
	return true;
}

/* 0: not known */
static uint32_t sector_largest(const struct bf_region *r)
{
	uint32_t largest = r->n_runs ? 0 : r->erase_unit;

	for (unsigned i = 0; i < r->n_runs; i++)
		largest = r->sectors[i].size > largest ? r->sectors[i].size : largest;
	return largest < r->size ? largest : r->size;
}

/* A server that tells nothing of its memory takes what it is given: its place is the image's own range. */
void bf_region_make(struct bf_run *run, uint32_t addr, size_t len)
{
	struct bf_region *r;

	if (run->session.ident.n_regions || len > BF_REGION_MAX || len - 1 > UINT32_MAX - addr)
		return;
	r = &run->session.ident.regions[run->session.ident.n_regions++];
	*r = (struct bf_region){ .kind = BF_REGION_APP,
				 .addr = addr,
				 .size = (uint32_t)len,
				 .access = BF_ACCESS_ERASE | BF_ACCESS_WRITE };
	snprintf(r->name, sizeof(r->name), "not told");
}

enum bf_rc bf_region_measure(struct bf_run *run, size_t i, struct bf_err *err)
{
	struct bf_region *r = &run->session.ident.regions[i];

	return run->session.proto->ops->loader->extent(run->session.proto, r, &r->size, err);
}

void bf_region_unreadable(struct bf_run *run, size_t i)
{
	run->session.ident.regions[i].access &= ~(unsigned)BF_ACCESS_READ;
}

/* Memory is taken by what a pack says: what no pack has is not offered for it. */
void bf_regions_limit(struct bf_run *run, struct bf_ident *ident)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		struct bf_region *r = &ident->regions[i];

		if (sector_largest(r) > BF_SECTOR_MAX) {
			bf_say(run, BF_EV_WARNING,
			       "Region '%s' has erase units of %u bytes, more than the %u that "
			       "bmsflash handles: it is not written.",
			       r->name, sector_largest(r), BF_SECTOR_MAX);
			r->access &= BF_ACCESS_READ;
			r->erase_unit = 0;
			r->n_runs = 0;
		}
		if (r->size > BF_REGION_MAX) {
			bf_say(run, BF_EV_WARNING,
			       "Region '%s' has %u bytes, more than the %u that bmsflash handles: "
			       "it "
			       "is neither read nor written.",
			       r->name, r->size, BF_REGION_MAX);
			r->access = 0;
		}
	}
}

/* ==== serial numbers ==== */
/*
 * Whose backup is it? A serial number identifies a pack only where it is one: production lines flash packs before
 * it is programmed, and many bootloaders ship one number for all.
 */

#define SERIAL_MAX 64

/* Letters and digits alone: separators do not make a placeholder a serial number. */
static size_t significant(const char *serial, char dst[SERIAL_MAX])
{
	size_t n = 0;

	for (; *serial && n + 1 < SERIAL_MAX; serial++) {
		if (isalnum((unsigned char)*serial))
			dst[n++] = (char)toupper((unsigned char)*serial);
	}
	dst[n] = '\0';
	return n;
}

static bool is_one_character(const char *s, size_t n)
{
	return strspn(s, (char[]){ s[0], '\0' }) == n;
}

/* Part of "0123456789ABCDEF...", also with the zero behind the nine. */
static bool is_counting(const char *s, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		bool follows = s[i] == s[i - 1] + 1 || (s[i - 1] == '9' && s[i] == '0') ||
			       (s[i - 1] == '9' && s[i] == 'A') || (s[i - 1] == 'F' && s[i] == '0');

		if (!follows)
			return false;
	}
	return n > 2;
}

/* "1", "0001": what a counter says before anybody counted. */
static bool is_first_number(const char *s)
{
	s += strspn(s, "0");
	return strcmp(s, "1") == 0;
}

static bool is_placeholder_word(const char *s)
{
	static const char *const words[] = { "DEFAULT", "SERIAL", "SERIALNUMBER", "NONE", "NA",
					     "UNKNOWN", "TOBEFILLEDBYOEM", "TEST",
					     /* ROM loaders of ST that cannot read the chip's own */
					     "FFFFFFFEFFFF" };

	for (size_t i = 0; i < BF_COUNT(words); i++) {
		if (strcmp(words[i], s) == 0)
			return true;
	}
	return false;
}

bool bf_serial_identifies(const char *serial)
{
	char s[SERIAL_MAX];
	size_t n = significant(serial, s);

	/* As long as its field: the rest may have been cut off. */
	if (strlen(serial) + 1 >= sizeof(((struct bf_ident *)0)->serial))
		return false;
	return n && !is_one_character(s, n) && !is_counting(s, n) && !is_first_number(s) &&
	       !is_placeholder_word(s);
}

static bool is_serial(const char *told, const char *now)
{
	return told && bf_serial_identifies(told) && strcmp(told, now) == 0;
}

/* A bootloader in ROM tells the chip's number, not the pack's: an archive that was made through it has both. */
enum bf_same_pack bf_backup_is_of(const struct bf_run *run, const struct bf_backup *b)
{
	const struct bf_json *id = bf_backup_identity(b);
	const char *serial = bf_json_str(id, "serial"), *class_hex = bf_json_str(id, "class");
	const char *loader = bf_json_str(id, "loader_serial"), *now = run->session.ident.serial;
	bool in_loader = run->session.ident.in_bootloader;
	char text[33];

	if (class_hex && run->session.ident.has_cid &&
	    strcasecmp(class_hex, bf_hex(text, sizeof(text), run->session.ident.cid, 16)) != 0)
		return BF_PACK_OTHER;
	if (is_serial(serial, now) || (in_loader && is_serial(loader, now)))
		return BF_PACK_SAME;
	if (!serial || !bf_serial_identifies(serial) || !bf_serial_identifies(now))
		return BF_PACK_UNKNOWN;
	/* One of the two was told by a bootloader: they need not be alike. */
	return in_loader || (loader && strcmp(loader, serial) == 0) ? BF_PACK_UNKNOWN
								    : BF_PACK_OTHER;
}

/* ==== opened and closed ==== */

void bf_session_begin(struct bf_run *run)
{
	bf_retry_default(&run->session.retry);
	run->session.node = run->job->node;
}

void bf_session_address(struct bf_run *run, int node)
{
	run->session.node = node;
}

/* A step by hand. Where nobody is there to press Enter, --wait says that somebody will do it all the same. */
static enum bf_rc ask_user(void *ctx, const char *sentence, struct bf_err *err)
{
	struct bf_run *run = ctx;
	const struct bf_job *job = run->job;

	if (job->ask) {
		if (job->ask(job->ask_ctx, sentence))
			return BF_OK;
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	}
	bf_say(run, BF_EV_NOTICE, "at the pack: %s", sentence);
	if (!job->wait && !job->rescue) {
		bf_fail(err, BF_E_USAGE, "somebody at the pack is needed for this: %s", sentence);
		bf_do(err, "run it in a terminal, or give the time for it: --wait 60s");
		return err->rc;
	}
	return bf_fail(err, BF_E_UNSUPPORTED, "waiting for somebody at the pack: %s", sentence);
}

/* Not for a look: a pack that was only to be looked at stays in its firmware. */
static bool may_enter(const struct bf_job *job)
{
	return !job->dry_run && (job->kind == BF_JOB_FLASH || job->kind == BF_JOB_ROLLBACK ||
				 job->kind == BF_JOB_BACKUP);
}

enum bf_rc bf_session_open(struct bf_run *run, const struct bf_proto_ops *ops, bf_time hurry,
			   bf_time patience, struct bf_err *err)
{
	const struct bf_proto_env env = {
		.transport = run->wire.transport,
		.profile = &run->given.profile,
		.log = run->log,
		.retry = &run->session.retry,
		.auth = run->session.auth,
		.driver = run->given.driver,
		.unprotect = run->job->allow[BF_ALLOW_READOUT_UNPROTECT],
		.node = run->session.node,
		.alt = run->job->alt,
		.hurry = hurry,
		.alive = bf_alive,
		.alive_ctx = run,
		.ask_user = ask_user,
		.ask_ctx = run,
		.may_enter = may_enter(run->job),
		.rescue = run->job->rescue,
		.entry = &run->session.entry,
	};
	enum bf_rc rc = ops->open(&env, &run->session.proto, err);

	if (rc)
		return bf_while(err, "opening the protocol '%s'", ops->name);
	rc = ops->recognise ? ops->recognise(run->session.proto, bf_in(run->clock, patience), err)
			    : BF_OK;
	if (rc)
		run->session.proto = bf_proto_close(run->session.proto);
	return rc;
}

void bf_session_close(struct bf_run *run)
{
	run->session.proto = bf_proto_close(run->session.proto);
}

void bf_session_done(struct bf_run *run)
{
	bf_auth_free(run->session.auth);
}

void bf_session_parted(struct bf_run *run)
{
	run->session.parted = true;
	run->session.authenticated = false;
}

void bf_session_restarted(struct bf_run *run)
{
	run->session.authenticated = false;
}

void bf_session_repeated(struct bf_run *run, enum bf_retry_class rclass)
{
	run->session.retry.repeats[rclass]++;
}

void bf_session_now(struct bf_run *run, const struct bf_ident *now)
{
	run->session.now = *now;
}

bool bf_can_read(const struct bf_run *run)
{
	return bf_run_can(run, BF_CAP_READ) && run->session.proto->ops->loader->read;
}

bool bf_can_compare(const struct bf_run *run)
{
	return bf_run_can(run, BF_CAP_COMPARE) && run->session.proto->ops->loader->holds;
}

bool bf_can_hash_units(const struct bf_run *run)
{
	return bf_run_can(run, BF_CAP_HASH) && run->session.proto->ops->loader->hash_units;
}

/* ==== who answers, what it runs, what it can do ==== */

static const struct bf_slot *slot_with(const struct bf_ident *ident, bool active,
				       unsigned *ret_slot)
{
	for (unsigned i = 0; i < ident->n_slots; i++) {
		if (!!(ident->slots[i].flags & BF_SLOT_ACTIVE) == active) {
			if (ret_slot)
				*ret_slot = i;
			return &ident->slots[i];
		}
	}
	return NULL;
}

const struct bf_slot *bf_slot_active(const struct bf_ident *ident, unsigned *ret_slot)
{
	return slot_with(ident, true, ret_slot);
}

const struct bf_slot *bf_slot_other(const struct bf_ident *ident, unsigned *ret_slot)
{
	return slot_with(ident, false, ret_slot);
}

/* The slot that takes new firmware: the one that does not run. Where none runs, a boot loader that swaps
 * takes it in the second; where there is but one, it is that. */
const struct bf_slot *bf_slot_target(const struct bf_ident *ident, unsigned *ret_slot)
{
	unsigned slot = ident->n_slots > 1 ? 1 : 0;

	if (!ident->n_slots)
		return NULL;
	if (bf_slot_active(ident, NULL) && ident->n_slots > 1)
		return bf_slot_other(ident, ret_slot);
	*ret_slot = slot;
	return &ident->slots[slot];
}

const struct bf_region *bf_region_of_slot(const struct bf_ident *ident, unsigned slot)
{
	for (size_t i = 0; i < ident->n_regions; i++) {
		const struct bf_region *r = &ident->regions[i];

		if (r->kind == BF_REGION_SLOT && r->slot == slot)
			return r;
	}
	return NULL;
}

const char *bf_ident_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT])
{
	if (ident->has_version)
		return bf_version_text(&ident->version, dst);
	if (!ident->version_text[0])
		return NULL;
	snprintf(dst, BF_VERSION_TEXT, "%s", ident->version_text);
	return dst;
}

static bool same_but_build(const struct bf_version *a, const struct bf_version *b)
{
	struct bf_version x = *a, y = *b;

	x.build = y.build = 0;
	return bf_version_cmp(&x, &y) == 0;
}

/* A version without its build number proves the build when nothing else can have these numbers: the old firmware
 * has others, or the one bank was seen to hold the image. */
bool bf_version_proves(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_ident *old = &run->session.ident;
	bool seen = run->model.verified && bf_model_one_place(&run->model);

	if (!run->wanted.has_version || !ident->has_version)
		return false;
	if (!ident->version_short || !run->wanted.version.build)
		return bf_version_cmp(&run->wanted.version, &ident->version) == 0;
	return same_but_build(&run->wanted.version, &ident->version) &&
	       (seen || (old->has_version && !same_but_build(&old->version, &ident->version)));
}

static bool same_version_as_before(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_ident *old = &run->session.ident;

	if (ident->has_version && old->has_version)
		return bf_version_cmp(&ident->version, &old->version) == 0;
	return ident->version_text[0] && strcmp(ident->version_text, old->version_text) == 0;
}

/* Digest where both sides tell one, else version. What can be compared with neither the new nor the old firmware
 * is not known to be either. */
static enum bf_match match(const struct bf_run *run, const struct bf_ident *ident)
{
	const struct bf_slot *active = bf_slot_active(ident, NULL);
	bool tells_digest = active && active->digest_len;

	if (tells_digest && run->wanted.digest_len)
		return bf_wanted_in(run, active) ? BF_MATCH_YES : BF_MATCH_NO;
	/* Written over itself: only what was verified in the only place can be running. */
	if (bf_version_proves(run, ident))
		return BF_MATCH_YES;
	if (tells_digest ||
	    (ident->has_version && run->wanted.has_version && !ident->version_short))
		return BF_MATCH_NO;
	return same_version_as_before(run, ident) ? BF_MATCH_NO : BF_MATCH_UNTOLD;
}

/* After a restart another node may be quicker to answer: nothing may be asked of that one. A boot loader
 * and its application need not tell the same number. */
static bool is_another(const struct bf_run *run, const struct bf_ident *now)
{
	return run->session.ident.serial[0] && now->serial[0] &&
	       !run->session.ident.in_bootloader && !now->in_bootloader &&
	       strcmp(run->session.ident.serial, now->serial) != 0;
}

/* ---- several images ---- */

static void select_part(struct bf_run *run, unsigned part)
{
	if (bf_parts(run) > 1 && run->session.proto && run->session.proto->ops->boot->select)
		run->session.proto->ops->boot->select(run->session.proto, part, bf_parts(run));
}

void bf_session_part(struct bf_run *run, unsigned part)
{
	struct bf_session *s = &run->session;
	unsigned from = run->wanted.part;

	if (part != from) {
		s->aside[from] = s->ident;
		s->now_aside[from] = s->now;
		s->ident = s->aside[part];
		s->now = s->now_aside[part];
		bf_wanted_part(run, part);
	}
	select_part(run, part);
}

const struct bf_ident *bf_now_of(const struct bf_run *run, unsigned part)
{
	return part == run->wanted.part ? &run->session.now : &run->session.now_aside[part];
}

/* What ran before this run shows nothing of it. */
static bool ran_before(const struct bf_run *run)
{
	return bf_wanted_in(run, bf_slot_active(&run->session.ident, NULL));
}

/* New and old beside each other are neither. */
struct matches {
	unsigned n;
	enum bf_match all;
};

static void add_match(struct matches *m, enum bf_match one)
{
	m->all = m->n++ && m->all != one ? BF_MATCH_UNTOLD : one;
}

static enum bf_rc ask_part(struct bf_run *run, struct matches *ret, struct bf_err *err)
{
	struct bf_ident now = { 0 };
	enum bf_match one;

	if (run->session.proto->ops->identify(run->session.proto, &now, err))
		return bf_while(err, "asking the pack who it is");
	if (is_another(run, &now))
		return bf_fail(err, BF_E_NODEV,
			       "another pack answers now: serial number '%s', before it was '%s'",
			       now.serial, run->session.ident.serial);
	run->session.now = now;
	one = match(run, &now);
	if (bf_parts(run) == 1 || one != BF_MATCH_YES || !ran_before(run))
		add_match(ret, one);
	return BF_OK;
}

static enum bf_rc one_image_only(const struct bf_run *run, struct bf_err *err)
{
	bf_fail(err, BF_E_INCOMPATIBLE,
		"%u images were given; a pack that speaks '%s' takes one in a run.", bf_parts(run),
		run->session.proto->ops->name);
	bf_do(err, "name the one that this pack is to run");
	return err->rc;
}

enum bf_rc bf_run_ask(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;
	struct matches matches = { .all = BF_MATCH_YES };
	unsigned was = run->wanted.part;
	enum bf_rc rc = BF_OK;

	if (bf_parts(run) > 1 && !ops->boot->select)
		return one_image_only(run, err);
	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_LOOK, err))
		return bf_while(err, "opening a dialogue with the pack");
	run->session.parted = false;
	for (unsigned i = 0; !rc && i < bf_parts(run); i++) {
		bf_session_part(run, i);
		rc = ask_part(run, &matches, err);
	}
	bf_session_part(run, was);
	if (rc)
		return rc;
	bf_model_heard(&run->model, &run->session.now, matches.all);
	return BF_OK;
}

/* What was told now is what was before this run; a rollback takes all images that are updated together. */
static enum bf_rc take_idents(struct bf_run *run, struct bf_err *err)
{
	bool together = run->job->kind == BF_JOB_ROLLBACK && !run->job->restore_from &&
			run->session.now.together > bf_parts(run) &&
			run->session.proto->ops->boot->select;

	if (together) {
		bf_wanted_parts(run, run->session.now.together);
		if (bf_run_ask(run, err))
			return err->rc;
	}
	for (unsigned i = bf_parts(run); i-- > 0;) {
		bf_session_part(run, i);
		run->session.ident = run->session.now;
		if (run->session.ident.in_bootloader)
			memcpy(run->session.ident.loader_serial, run->session.ident.serial,
			       sizeof(run->session.ident.serial));
		bf_regions_limit(run, &run->session.ident);
	}
	return BF_OK;
}

enum bf_rc bf_ph_identify(struct bf_run *run, struct bf_err *err)
{
	const char *want = run->job->expect_serial;

	if (bf_run_ask(run, err))
		return err->rc;
	if (take_idents(run, err))
		return err->rc;
	bf_model_found(&run->model, &run->session.ident, run->job->rescue);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_DEVICE, .ident = &run->session.ident });
	if (want && strcmp(want, run->session.ident.serial) != 0) {
		bf_fail(err, BF_E_INCOMPATIBLE,
			"the pack's serial number is '%s', expected was '%s'",
			run->session.ident.serial, want);
		bf_likely(err, "another pack is connected than the one whose label was read");
		bf_do(err,
		      "compare the label; if '%s' is the one that is meant: "
		      "--expect-serial '%s'",
		      run->session.ident.serial, run->session.ident.serial);
		return err->rc;
	}
	return BF_OK;
}

/* Without a second bank the memory may be told, or opened, only in the boot loader; who the pack is was told
 * before. */
static enum bf_rc learn(struct bf_run *run, struct bf_err *err)
{
	struct bf_ident in_loader = { 0 };

	if (run->session.ident.n_regions && bf_run_can(run, BF_CAP_DUAL_BANK) &&
	    !run->session.ident.caps_later)
		return BF_OK;
	if (run->session.proto->ops->identify(run->session.proto, &in_loader, err))
		return bf_while(err, "asking the boot loader for its memory");
	/* Each of the two has its own description: what the application said of the memory and of what can be
	 * done ends here. */
	memcpy(run->session.ident.regions, in_loader.regions, sizeof(in_loader.regions));
	run->session.ident.n_regions = in_loader.n_regions;
	bf_regions_limit(run, &run->session.ident);
	run->session.ident.block_max = in_loader.block_max;
	run->session.ident.in_flight = in_loader.in_flight;
	run->session.ident.caps = in_loader.caps;
	run->session.loader_told = true;
	if (in_loader.in_bootloader)
		memcpy(run->session.ident.loader_serial, in_loader.serial,
		       sizeof(in_loader.serial));
	bf_model_learned(&run->model, &in_loader);
	return BF_OK;
}

enum bf_rc bf_run_ready(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;

	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_READ, err))
		return err->rc;
	return learn(run, err);
}

/* ==== entering ==== */

#define ENTRIES 2 /* more, into a loader that was left again before it had told its memory */

enum bf_rc bf_auth_choose(struct bf_run *run, struct bf_err *err)
{
	const char *program = bf_profile_seed_program(&run->given.profile);
	enum bf_rc rc = BF_OK;

	if (run->job->auth_key)
		rc = bf_auth_ed25519_new(run->job->auth_key, &run->session.auth, err);
	else if (program)
		/* The program lives in real time, whatever the pack does. */
		rc = bf_auth_program_new(
			program, bf_clock_is_virtual(run->time.outer) ? NULL : run->time.outer,
			&run->session.auth, err);
	return rc ? bf_while(err, "preparing the answer to the pack's challenge") : BF_OK;
}

static enum bf_rc refused(struct bf_run *run, struct bf_err *err)
{
	if (err->rc != BF_E_AUTH)
		return err->rc;
	if (!run->session.auth) {
		bf_likely(err, "the pack wants a technician's key and none was given");
	} else if (!err->n_likely) {
		bf_likely(err, "the key does not belong to this pack family");
		bf_likely(err, "too many wrong keys before: the pack waits before the next try");
	}
	return err->rc;
}

bool bf_writes_beside(const struct bf_run *run)
{
	return run->session.ident.n_regions && bf_model_old_is_safe(&run->model);
}

enum bf_rc bf_run_enter(struct bf_run *run, struct bf_err *err)
{
	const struct bf_proto_ops *ops = run->session.proto->ops;

	/* Before the call: a pack that does not write beside its firmware leaves it for its loader. */
	if (!bf_writes_beside(run) && !run->session.ident.in_bootloader)
		bf_model_stops_app(&run->model);
	if (ops->connect && ops->connect(run->session.proto, BF_ENTRY_WRITE, err))
		return bf_while(err, "entering the bootloader");
	if (bf_run_can(run, BF_CAP_AUTH) && ops->authenticate) {
		bf_trace_mute(run->wire.transport, true);
		if (ops->authenticate(run->session.proto, err)) {
			bf_trace_mute(run->wire.transport, false);
			return refused(run, err);
		}
		bf_trace_mute(run->wire.transport, false);
	}
	run->session.authenticated = true;
	bf_model_entered(&run->model);
	return BF_OK;
}

/* A pack that lost its power meanwhile runs its firmware again, and has told that firmware's memory. One that
 * writes beside its only firmware says the same twice. */
enum bf_rc bf_ph_enter(struct bf_run *run, struct bf_err *err)
{
	for (unsigned i = 0;; i++) {
		uint64_t reopened = run->session.retry.reopened;

		bool stopped;

		if (bf_run_enter(run, err))
			return err->rc;
		stopped = run->model.entered == BF_ENTERED_BY_US;
		if (learn(run, err))
			return err->rc;
		if (!stopped || i == ENTRIES)
			return BF_OK;
		if (run->model.talking != BF_TALKING_APP && run->session.retry.reopened == reopened)
			return BF_OK;
	}
}
