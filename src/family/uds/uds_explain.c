/* SPDX-License-Identifier: MIT */
/* What a flash with this profile sends, in order: for a reader who has the bootloader's specification beside it. */
#include "uds.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct telling {
	const struct bf_profile *pf;
	const struct bf_uds_profile *keys;
	bf_explain_fn *line;
	void *ctx;
	bool loader; /* from here on to the bootloader's own identifiers */
};

static BF_PRINTF(3, 4) void tell(struct telling *t, const char *what, const char *fmt, ...)
{
	char request[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(request, sizeof(request), fmt, ap);
	va_end(ap);
	t->line(t->ctx, request, what);
}

static BF_PRINTF(2, 3) void head(struct telling *t, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->line(t->ctx, NULL, text);
}

static const char *to_all(const struct telling *t, unsigned functional)
{
	return t->keys->functional & functional ? ", to all nodes" : "";
}

static void tell_session(struct telling *t, uint8_t session)
{
	const struct bf_uds_profile *keys = t->keys;
	bool extended = session == keys->session_extended;
	char what[80];

	snprintf(what, sizeof(what), "%s session%s",
		 session == keys->session_programming ? "programming"
		 : extended                           ? "extended"
						      : "other",
		 extended ? to_all(t, BF_FUNCTIONAL_SESSION) : "");
	tell(t, what, "10 %02X", session);
}

static void tell_steps(struct telling *t, enum bf_step_when when)
{
	static const char *const to[] = { "", ", to all nodes", ", no answer awaited" };

	for (size_t i = 0; i < t->pf->n_steps; i++) {
		const struct bf_step *s = &t->pf->steps[i];
		char what[160];

		if (s->when != when)
			continue;
		snprintf(what, sizeof(what), "step '%s'%s%s%s%s", s->name, to[s->to],
			 s->expect[0] ? ", expects " : "", s->expect,
			 s->optional ? ", optional" : "");
		tell(t, what, "%s", s->send);
	}
}

static void tell_lock(struct telling *t, uint8_t level)
{
	const struct bf_uds_profile *keys = t->keys;
	unsigned first = level == BF_AUTO_U8 ? 1 : level;

	if (keys->auth_service == BF_AUTH_BY_AUTHENTICATION) {
		tell(t, "challenge", "29 05 ...");
		tell(t, "proof of ownership", "29 06 ...");
		return;
	}
	if (!level)
		return;
	tell(t, level == BF_AUTO_U8 ? "seed, where the pack has the service" : "seed", "27 %02X %s",
	     first, keys->security_data);
	tell(t,
	     keys->auth == BF_AUTH_PROGRAM ? "key, from the program"
					   : "key, signed by the technician's key",
	     "27 %02X <key>", first + 1);
}

static void tell_identify(struct telling *t)
{
	const struct bf_profile *pf = t->pf;
	const struct bf_uds_profile *keys = t->keys;
	const struct {
		uint16_t did;
		const char *what;
	} rows[] = {
		{ keys->did_ids, "vendor and class" },
		{ pf->n_regions ? 0 : keys->did_map, "memory map" },
		{ keys->did_transfer, "ways of transfer" },
		{ keys->did_boot_id, "boot software" },
		{ keys->did_hw_version, "hardware version" },
		{ keys->did_serial, "serial number" },
		{ keys->did_part, "part number" },
		{ keys->did_manufacturer, "manufacturer" },
		{ keys->did_app_version, "version that runs" },
		{ keys->loader_by == BF_LOADER_BY_ID ? keys->loader_did : 0,
		  "whether the bootloader answers" },
		{ keys->did_session, "active session" },
		{ keys->did_counter, "security counter" },
		{ keys->did_restart, "last restart" },
		{ keys->did_app_digest, "digest of what runs" },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (rows[i].did)
			tell(t, rows[i].what, "22 %02X %02X", rows[i].did >> 8, rows[i].did & 0xFF);
	}
	for (size_t i = 0; i < pf->n_quantities; i++) {
		if (pf->quantities[i].did && pf->telemetry == BF_TELEMETRY_APPLICATION)
			tell(t, "condition", "22 %02X %02X", pf->quantities[i].did >> 8,
			     pf->quantities[i].did & 0xFF);
	}
}

static void tell_enter(struct telling *t)
{
	const struct bf_profile *pf = t->pf;
	const struct bf_uds_profile *keys = t->keys;
	uint8_t last =
		keys->enter.n ? keys->enter.code[keys->enter.n - 1] : keys->session_programming;

	if (!keys->enter.n)
		tell_session(t, keys->session_extended);
	for (size_t i = 0; i + 1 < keys->enter.n; i++)
		tell_session(t, keys->enter.code[i]);
	if (keys->dtc_setting)
		tell(t,
		     keys->functional & BF_FUNCTIONAL_DTC ? "faults are not recorded, to all nodes"
							  : "faults are not recorded",
		     "85 02");
	if (keys->communication)
		tell(t,
		     keys->functional & BF_FUNCTIONAL_MESSAGES ? "no normal messages, to all nodes"
							       : "no normal messages",
		     "28 03 %02X", keys->communication);
	if (keys->security_extended)
		tell_lock(t, keys->security_level);
	tell_steps(t, BF_STEP_BEFORE_PROGRAMMING);
	tell_session(t, last);
	if (pf->loader_tx) {
		head(t, "from here to %03X, answers from %03X", pf->loader_tx, pf->loader_rx);
		tell_session(t, last);
	}
	tell_lock(t, keys->security_extended ? keys->second_level : keys->security_level);
	tell_steps(t, BF_STEP_UNLOCKED);
}

static void tell_driver(struct telling *t)
{
	const struct bf_driver_file *d = &t->pf->driver;

	if (!d->file[0])
		return;
	head(t, "the flash driver '%s'", d->file);
	tell(t, "download", "34 %02X %02X {addr} {size}", t->keys->data_format,
	     t->keys->address_format);
	tell(t, "blocks", "36 01 ...");
	tell(t, "end", "37");
	if (d->check[0])
		tell(t, "its check", "%s", d->check);
	if (d->start[0])
		tell(t, "its start", "%s", d->start);
}

static void tell_routine(struct telling *t, uint16_t rid, uint16_t ours, const char *option,
			 const char *what)
{
	char text[120];

	if (!rid)
		return;
	snprintf(text, sizeof(text), "%s%s", what,
		 rid != BF_AUTO_U16 ? ""
		 : ours == 0xFF01   ? ", where the pack has it"
				    : ", on a pack of bmsflash-uds(7)");
	rid = rid == BF_AUTO_U16 ? ours : rid;
	tell(t, text, "31 01 %02X %02X%s%s", rid >> 8, rid & 0xFF, option[0] ? " " : "", option);
}

static void tell_segment(struct telling *t)
{
	const struct bf_uds_profile *keys = t->keys;
	unsigned addr = keys->address_format & 0x0F, size = keys->address_format >> 4;

	head(t, "for each segment of the image");
	if (keys->did_fingerprint)
		tell(t, keys->fingerprint_block ? "fingerprint" : "fingerprint, once",
		     "2E %02X %02X %s", keys->did_fingerprint >> 8, keys->did_fingerprint & 0xFF,
		     keys->fingerprint_format);
	tell_routine(t, keys->rid_erase, 0xFF00, keys->erase_option, "erase");
	tell_steps(t, BF_STEP_BEFORE_BLOCK);
	if (keys->download_option[0])
		tell(t, "download", "34 %02X %s", keys->data_format, keys->download_option);
	else if (keys->address_value == BF_ADDRESS_VALUE_BLOCK)
		tell(t, "download", "34 %02X %02X {block:%u} {size:%u}", keys->data_format,
		     keys->address_format, addr, size);
	else
		tell(t, "download", "34 %02X %02X {addr:%u} {size:%u}", keys->data_format,
		     keys->address_format, addr, size);
	tell(t, "blocks; 3E 80 every 2 s between them", "36 01 %s%s...%s%s", keys->block_head,
	     keys->block_head[0] ? " " : "", keys->block_tail[0] ? " " : "", keys->block_tail);
	tell(t, "end", "37 %s", keys->exit_option);
	tell_steps(t, BF_STEP_AFTER_BLOCK);
	if (keys->check_when == BF_CHECK_WHEN_BLOCK)
		tell_routine(t, keys->rid_check_memory, 0x0202, keys->check_option,
			     "check of this segment");
}

static void tell_end(struct telling *t)
{
	const struct bf_uds_profile *keys = t->keys;

	head(t, "after the last segment");
	tell_steps(t, BF_STEP_AFTER_WRITE);
	if (keys->check_when == BF_CHECK_WHEN_END)
		tell_routine(t, keys->rid_check_memory, 0x0202, keys->check_option,
			     "check of each segment");
	tell_routine(t, keys->rid_check_deps, 0xFF01, "", "check of the image");
	tell_routine(t, keys->rid_activate, 0xF0B1, "01", "start the other bank");
	if (strcmp(keys->reset, "none") == 0)
		head(t, "the pack restarts by itself");
	else
		tell(t, keys->reset_suppress ? "restart, no answer awaited" : "restart", "%s",
		     keys->reset);
	head(t, "after the restart");
	if (keys->check_when == BF_CHECK_WHEN_RESTART)
		tell_routine(t, keys->rid_check_memory, 0x0202, keys->check_option,
			     "check of each segment");
	tell_steps(t, BF_STEP_AFTER_RESTART);
	tell(t, "who answers, and which version, as above", "22 ...");
	tell_routine(t, keys->rid_self_test, 0xF0B5, "", "the pack's self-test");
	tell_routine(t, keys->rid_balance, 0xF0B6, "", "check of the balancing switches");
	tell_routine(t, keys->rid_confirm, 0xF0B2, "", "confirm");
	tell(t, "default session", "10 01");
}

void bf_uds_explain(const struct bf_profile *pf, bf_explain_fn *line, void *ctx)
{
	const struct bf_uds_profile *keys = bf_profile_family(pf, "uds");
	struct telling t = { .pf = pf, .keys = keys, .line = line, .ctx = ctx };

	head(&t,
	     "on CAN: to %03X, answers from %03X, to all nodes %03X; on a serial line: node %02X",
	     pf->can_tx, pf->can_rx, pf->can_func, pf->node);
	for (size_t i = 0; i < pf->n_periodics; i++)
		tell(&t, "a frame of its own, by the clock", "%03X#%s every %u ms",
		     pf->periodics[i].id, pf->periodics[i].data, pf->periodics[i].period_ms);
	head(&t, "looking and identifying");
	if (pf->kline_init == BF_KLINE_INIT_FAST)
		head(&t, "25 ms low, 25 ms high");
	if (pf->start_communication)
		tell(&t, "start communication (iso14230)", "81");
	tell(&t, "is anybody there", "3E 00");
	if (!keys->enter.n || memchr(keys->enter.code, keys->session_extended, keys->enter.n))
		tell_session(&t, keys->session_extended);
	tell_identify(&t);
	head(&t, "entering");
	tell_enter(&t);
	tell_driver(&t);
	tell_segment(&t);
	tell_end(&t);
}
