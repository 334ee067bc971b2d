/* SPDX-License-Identifier: MIT */
/* What a maker's bootloader wants beside the requests of the standard: steps of the profile, and a flash driver. */
#include "uds.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/crc.h"

#define BUSY_PACE BF_MS(250)

void bf_uds_fill(const struct uds *u, const char *template, const struct bf_template_values *v,
		 struct bf_out *ret)
{
	struct bf_template_values values = v ? *v : (struct bf_template_values){ 0 };

	values.wall_us = bf_wall(uds_clock(u));
	values.little = uds_keys(u)->little;
	bf_template_put(template, &values, ret);
}

static uint32_t block_of(const struct uds *u, uint32_t addr)
{
	const struct bf_profile *pf = uds_profile(u);

	for (size_t i = 0; i < pf->n_regions; i++) {
		const struct bf_region *r = &pf->regions[i];

		if (addr >= r->addr && addr - r->addr < r->size)
			return r->block;
	}
	return 0;
}

void bf_uds_note_segment(struct uds *u, uint32_t addr, const uint8_t *data, size_t len,
			 struct bf_template_values *ret)
{
	*ret = (struct bf_template_values){ .addr = addr,
					    .size = (uint32_t)len,
					    .block = block_of(u, addr) };
	if (!data)
		return;
	ret->crc32 = bf_crc(&bf_crc32_ieee, data, len);
	ret->crc16 = bf_crc16(uds_keys(u)->crc16, data, len);
	for (size_t i = 0; i < len; i++)
		ret->sum += data[i];
}

/* Bytes of a request that its answer repeats. */
static size_t repeated(const uint8_t *req, size_t len)
{
	size_t n = 0;

	switch (req[0]) {
	case UDS_ROUTINE:
		n = 3;
		break;
	case UDS_READ_DID:
	case UDS_WRITE_DID:
	case 0x2F: /* inputOutputControlByIdentifier */
		n = 2;
		break;
	case UDS_SESSION:
	case UDS_RESET:
	case UDS_COMM_CONTROL:
	case UDS_TESTER_PRESENT:
	case UDS_DTC_SETTING:
	case UDS_LINK_CONTROL:
		n = 1;
		break;
	}
	return n < len ? n : len - 1;
}

/* A sub-function whose positive answer is suppressed. */
static bool wants_no_answer(const uint8_t *req, size_t len)
{
	return len > 1 && (req[1] & UDS_SUPPRESS) && repeated(req, len) == 1;
}

struct sending { /* one step, as bytes */
	const struct bf_step *step;
	uint8_t bytes[128];
	size_t len;
	struct uds_ask ask;
	char what[64];
};

static enum bf_rc unexpected(struct uds *u, const struct bf_step *step, struct bf_err *err)
{
	char hex[3 * 24 + 1];
	size_t n = u->rx_len < 24 ? u->rx_len : 24;

	bf_hex(hex, sizeof(hex), u->rx, n);
	bf_fail(err, BF_E_NAK, "the pack answered step '%s' of the profile with %s, expected is %s",
		step->name, hex, step->expect);
	bf_likely(err, "the pack's conditions do not permit it now");
	bf_likely(err, "the profile '%s' is for another pack", uds_profile(u)->name);
	return err->rc;
}

/* Asks until the answer is no longer one that says "busy". */
static enum bf_rc ask_until_done(struct uds *u, struct sending *s, enum uds_knows *ret,
				 struct bf_err *err)
{
	bf_time until = bf_in(uds_clock(u), s->ask.limit);
	enum bf_rc rc;

	for (;;) {
		rc = s->step->optional ? bf_uds_try(u, &s->ask, NULL, ret, err)
				       : bf_uds_ask(u, &s->ask, NULL, err);
		if (rc || *ret != UDS_KNOWS || !s->step->busy[0] ||
		    !bf_pattern_fits(s->step->busy, u->rx, u->rx_len))
			return rc;
		if (bf_now(uds_clock(u)) >= until)
			return bf_fail(err, BF_E_TIMEOUT,
				       "the pack did not finish step '%s' of the profile",
				       s->step->name);
		bf_uds_alive(u, s->ask.what);
		if (s->step->poll == BF_POLL_RESULTS) {
			s->bytes[1] = 0x03;
			s->ask.head_len = 4;
		}
		if (!bf_clock_until(uds_clock(u), bf_in(uds_clock(u), BUSY_PACE)))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while the pack was busy");
	}
}

static enum bf_rc run_step(struct uds *u, const struct bf_step *step,
			   const struct bf_template_values *v, struct bf_err *err)
{
	struct sending s = { .step = step };
	struct bf_out o = bf_out(s.bytes, sizeof(s.bytes));
	enum uds_knows knows = UDS_KNOWS;
	bool functional = step->to == BF_STEP_FUNCTIONAL;
	enum bf_rc rc;

	bf_uds_fill(u, step->send, v, &o);
	if (o.failed || !o.len)
		return bf_fail(err, BF_E_USAGE, "step '%s' of the profile is longer than %zu bytes",
			       step->name, sizeof(s.bytes));
	snprintf(s.what, sizeof(s.what), "do step '%s' of the profile", step->name);
	s.ask = (struct uds_ask){
		.head = s.bytes,
		.head_len = o.len,
		.match = repeated(s.bytes, o.len),
		.functional = functional ? UDS_FUNCTIONAL : 0,
		.rclass = BF_RETRY_DESTRUCTIVE,
		.limit = BF_SEC(step->limit_s ? step->limit_s : uds_keys(u)->limit_s),
		.what = s.what,
	};
	if (step->to == BF_STEP_SILENT || wants_no_answer(s.bytes, o.len)) {
		rc = bf_uds_need_link(u, err);
		return rc ? rc : bf_uds_send(u, &s.ask, err);
	}
	rc = ask_until_done(u, &s, &knows, err);
	if (rc || knows != UDS_KNOWS || (functional && !u->rx_len))
		return rc;
	if (functional || bf_pattern_fits(step->expect, u->rx, u->rx_len))
		return BF_OK;
	return step->optional ? BF_OK : unexpected(u, step, err);
}

enum bf_rc bf_uds_steps(struct uds *u, enum bf_step_when when, const struct bf_template_values *v,
			struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);

	if (u->loading_driver)
		return BF_OK;
	for (size_t i = 0; i < pf->n_steps; i++) {
		if (pf->steps[i].when != when)
			continue;
		if (run_step(u, &pf->steps[i], v, err))
			return bf_while(err, "doing step '%s' of the profile '%s'",
					pf->steps[i].name, pf->name);
	}
	return BF_OK;
}

/* ---- the flash driver ---- */

static enum bf_rc download(struct uds *u, const struct bf_segment *seg, uint32_t addr,
			   struct bf_err *err)
{
	const struct bf_target target = {
		.image = u->proto.env.driver, .segment = seg, .addr = addr, .len = seg->len
	};
	struct bf_flow flow;
	size_t at = 0;
	enum bf_rc rc = bf_uds_begin(&u->proto, &target, &flow, err);

	while (!rc && at < seg->len) {
		size_t left = seg->len - at;
		const struct bf_block block = { .offset = at,
						.data = seg->data + at,
						.len = left < flow.block_max ? left
									     : flow.block_max };

		bf_uds_alive(u, "take the flash driver");
		rc = bf_uds_block_start(&u->proto, &block, err);
		if (!rc)
			rc = bf_uds_block_finish(&u->proto, &at, err);
	}
	return rc ? rc : bf_uds_end(&u->proto, err);
}

static enum bf_rc after_driver(struct uds *u, const char *request, const char *name,
			       const struct bf_template_values *v, struct bf_err *err)
{
	struct bf_step step = { .name = "driver", .limit_s = uds_keys(u)->limit_check_s };
	uint8_t status;
	struct bf_cur c;
	enum bf_rc rc;

	if (!request[0])
		return BF_OK;
	snprintf(step.send, sizeof(step.send), "%s", request);
	rc = run_step(u, &step, v, err);
	if (rc)
		return bf_while(err, "%s the flash driver", name);
	c = bf_cur(u->rx, u->rx_len);
	bf_cur_seek(&c, 4);
	if (u->rx_len && u->rx[0] == (UDS_ROUTINE | UDS_POSITIVE) &&
	    !bf_uds_good_status(u, &c, &status))
		return bf_fail_dev(err, BF_E_NAK, status, "routine status",
				   "the pack refused the flash driver (status %02X)", status);
	return BF_OK;
}

/* Into RAM, before anything of the image: without erasing, steps or checks of segments. */
enum bf_rc bf_uds_load_driver(struct uds *u, struct bf_err *err)
{
	const struct bf_profile *pf = uds_profile(u);
	const struct bf_segment *segments;
	struct bf_template_values v = { 0 };
	size_t n;
	enum bf_rc rc = BF_OK;

	if (!pf->driver.file[0] || u->driver_loaded)
		return BF_OK;
	if (!u->proto.env.driver && u->reading)
		return BF_OK;
	if (!u->proto.env.driver)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the flash driver '%s' of the profile was not loaded",
			       pf->driver.file);
	n = bf_image_segments(u->proto.env.driver, &segments);
	u->loading_driver = true;
	for (size_t i = 0; i < n && !rc; i++)
		rc = download(u, &segments[i], segments[i].addr, err);
	u->loading_driver = false;
	if (rc)
		return bf_while(err, "loading the flash driver '%s'", pf->driver.file);
	bf_uds_note_segment(u, segments[0].addr, segments[0].data, segments[0].len, &v);
	rc = after_driver(u, pf->driver.check, "checking", &v, err);
	if (!rc)
		rc = after_driver(u, pf->driver.start, "starting", &v, err);
	u->driver_loaded = !rc;
	return rc;
}
