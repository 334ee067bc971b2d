/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/text.h"
#include "cli.h"

/* ---- the scale ---- */

#define S_PREPARE 3.0
#define S_RESTART 16.0
#define S_TEST    4.0
#define S_CONFIRM 1.0

/* Payload bytes per second that a line of this many bit/s carries, framing and answers included. */
static double payload(uint32_t rate)
{
	return rate ? (double)rate / 14 : 50e3;
}

#define ERASED 90e3 /* bytes of flash per second */

static void weigh(struct bf_facts *f)
{
	double bytes = (double)(f->plan.bytes - f->plan.skip_bytes), line = payload(f->plan.rate);
	bool changes = f->plan.bytes > f->plan.skip_bytes;

	f->share[BF_ACT_PREPARE] = S_PREPARE;
	f->share[BF_ACT_BACKUP] = f->plan.backup ? 1 + (double)f->plan.bytes / line : 0;
	f->share[BF_ACT_WRITE] = changes ? bytes / line + bytes / ERASED : 0;
	f->share[BF_ACT_VERIFY] = 0.5;
	f->share[BF_ACT_RESTART] = S_RESTART;
	f->share[BF_ACT_TEST] = f->plan.confirm ? S_TEST : 0;
	f->share[BF_ACT_CONFIRM] = S_CONFIRM;
}

static void weigh_unplanned(struct bf_facts *f)
{
	static const double usual[BF_ACT_COUNT] = {
		[BF_ACT_PREPARE] = S_PREPARE, [BF_ACT_BACKUP] = 0,          [BF_ACT_WRITE] = 0,
		[BF_ACT_VERIFY] = 0,          [BF_ACT_RESTART] = S_RESTART, [BF_ACT_TEST] = S_TEST,
		[BF_ACT_CONFIRM] = S_CONFIRM,
	};

	memcpy(f->share, usual, sizeof(usual));
	if (f->job == BF_JOB_BACKUP)
		f->share[BF_ACT_BACKUP] = 20;
	if (f->job == BF_JOB_BACKUP || f->job == BF_JOB_PROBE || f->job == BF_JOB_VERIFY)
		f->share[BF_ACT_RESTART] = f->share[BF_ACT_TEST] = f->share[BF_ACT_CONFIRM] = 0;
	if (f->job == BF_JOB_VERIFY)
		f->share[BF_ACT_VERIFY] = 10;
}

static double seconds_since(const struct bf_facts *f, int64_t then)
{
	return (double)(f->now_us - then) / 1e6;
}

/* What is done of the present activity, 0 to 1. */
static double part(const struct bf_facts *f)
{
	double waited = seconds_since(f, f->activity_us[f->activity]), due;

	switch (f->activity) {
	case BF_ACT_BACKUP:
	case BF_ACT_WRITE:
	case BF_ACT_VERIFY:
		return f->total ? (double)f->done / (double)f->total : 0;
	case BF_ACT_TEST:
		return f->tests < 7 ? f->tests / 7.0 : 1;
	case BF_ACT_PREPARE:
	case BF_ACT_RESTART:
	case BF_ACT_CONFIRM:
	case BF_ACT_COUNT:
		break;
	}
	/* Nobody tells how far a restart is: never quite done before it is. */
	due = f->share[f->activity];
	return due > 0 ? waited / (waited + due / 2) : 0;
}

static void measure_progress(struct bf_facts *f)
{
	double all = 0, done = 0, percent;

	for (int i = 0; i < BF_ACT_COUNT; i++) {
		all += f->share[i];
		done += i < (int)f->activity ? f->share[i] : 0;
	}
	done += part(f) * f->share[f->activity];
	percent = all > 0 ? 100 * done / all : 0;
	if (percent > f->percent)
		f->percent = percent < 100 ? percent : 100;
}

double bf_facts_left(const struct bf_facts *f)
{
	double left = 0;

	if (!f->has_plan)
		return -1;
	for (int i = (int)f->activity + 1; i < BF_ACT_COUNT; i++)
		left += f->share[i];
	if (f->eta >= 0)
		return left + (double)f->eta / 1e6;
	return left + (1 - part(f)) * f->share[f->activity];
}

/* ---- texts ---- */

const char *bf_facts_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT])
{
	if (ident->has_version)
		return bf_version_text(&ident->version, dst);
	if (!ident->version_text[0])
		return NULL;
	snprintf(dst, BF_VERSION_TEXT, "%s", ident->version_text);
	return dst;
}

const char *bf_facts_name(const struct bf_facts *f)
{
	if (f->first.serial[0])
		return f->first.serial;
	return f->first.model[0] ? f->first.model : "the pack";
}

/* ---- events ---- */

/* One more that is written in the same run. */
static void add_image(struct bf_facts *f, const struct bf_event *ev)
{
	size_t n = strlen(f->image_version);
	char text[BF_VERSION_TEXT];

	if (ev->image.meta->has_version)
		snprintf(f->image_version + n, sizeof(f->image_version) - n, "%s%s",
			 n ? " and " : "", bf_version_text(&ev->image.meta->version, text));
	f->image_size += ev->image.size;
}

static void take_image(struct bf_facts *f, const struct bf_event *ev)
{
	const struct bf_meta *m = ev->image.meta;
	const char *base = strrchr(ev->image.path, '/');

	if (f->has_image && f->job == BF_JOB_FLASH) {
		if (!f->has_pack) /* later ones are read to go back to */
			add_image(f, ev);
		return;
	}
	f->has_image = true;
	snprintf(f->image, sizeof(f->image), "%s", base ? base + 1 : ev->image.path);
	snprintf(f->image_key, sizeof(f->image_key), "%s", ev->image.key);
	f->image_key[strcspn(f->image_key, ".")] = '\0';
	snprintf(f->image_key_id, sizeof(f->image_key_id), "%s",
		 ev->image.key_id ? ev->image.key_id : "");
	f->image_version[0] = '\0';
	if (m->has_version)
		bf_version_text(&m->version, f->image_version);
	bf_hex(f->image_digest, sizeof(f->image_digest), m->digest, m->digest_len);
	f->image_size = ev->image.size;
	f->has_vid = m->has_vid;
	memcpy(f->vid, m->vid, sizeof(f->vid));
	f->has_cid = m->has_cid;
	memcpy(f->cid, m->cid, sizeof(f->cid));
	snprintf(f->image_hw, sizeof(f->image_hw), "%s", m->has_hw ? m->hw : "");
}

static void take_device(struct bf_facts *f, const struct bf_event *ev)
{
	if (!f->has_pack)
		f->first = *ev->ident;
	f->last = *ev->ident;
	f->has_pack = true;
}

static void take_check(struct bf_facts *f, const struct bf_check *c)
{
	if ((strcmp(c->name, "class") == 0 || strcmp(c->name, "hardware") == 0) &&
	    c->verdict == BF_VERDICT_PASS)
		f->fits = true;
	if (c->verdict == BF_VERDICT_FAIL && f->n_failed < BF_FACT_CHECKS)
		f->failed[f->n_failed++] = *c;
}

static void take_self_test(struct bf_facts *f, const struct bf_check *c)
{
	bool good = c->verdict == BF_VERDICT_PASS;

	if (strcmp(c->name, "configuration") == 0) {
		f->configuration = good;
	} else if (c->verdict != BF_VERDICT_UNKNOWN) {
		f->tests++;
		f->tests_passed += good;
	}
	if (c->verdict == BF_VERDICT_FAIL && f->n_failed < BF_FACT_CHECKS)
		f->failed[f->n_failed++] = *c;
}

static void take_plan(struct bf_facts *f, const struct bf_plan *plan)
{
	struct bf_plan before = f->plan;

	f->plan = *plan;
	if (plan->part) { /* as one transfer; versions and slot are those of the first image */
		before.bytes += plan->bytes;
		before.skip_bytes += plan->skip_bytes;
		f->plan = before;
		weigh(f);
		return;
	}
	snprintf(f->from, sizeof(f->from), "%s", plan->from_version ? plan->from_version : "");
	snprintf(f->to, sizeof(f->to), "%s", plan->to_version ? plan->to_version : "");
	f->plan.from_version = f->from;
	f->plan.to_version = f->to;
	f->has_plan = true;
	f->one_place = plan->one_place;
	snprintf(f->rescue, sizeof(f->rescue), "%s", plan->rescue ? plan->rescue : "");
	f->plan.rescue = f->rescue;
	weigh(f);
}

static void take_phase(struct bf_facts *f, const struct bf_event *ev)
{
	snprintf(f->phase, sizeof(f->phase), "%s", ev->phase.name);
	f->phase_us = f->moved_us = ev->wall_us;
	f->limit = ev->phase.limit;
	f->waiting[0] = '\0';
	f->repeats = 0;
	if (ev->phase.activity == f->activity && f->activity_us[f->activity])
		return;
	f->activity = ev->phase.activity;
	f->activity_us[f->activity] = ev->wall_us;
	f->done = f->total = 0;
	f->eta = -1;
	f->paused = false;
	f->writing_seen |= f->activity == BF_ACT_WRITE;
}

static void take_progress(struct bf_facts *f, const struct bf_event *ev)
{
	f->done = ev->progress->done;
	f->total = ev->progress->total;
	f->rate = ev->progress->rate;
	f->eta = ev->progress->eta;
	f->moved_us = ev->wall_us;
	f->repeats = 0;
	f->paused = false;
}

static void take_candidate(struct bf_facts *f, const struct bf_candidate *c)
{
	if (bf_address_is_virtual(c->address))
		return;
	f->candidates++;
	if (c->usable && bf_contact_is_adapter(c->address) && !f->usable++)
		snprintf(f->only, sizeof(f->only), "%s", c->address);
}

static void take_alive(struct bf_facts *f, const struct bf_event *ev)
{
	snprintf(f->waiting, sizeof(f->waiting), "%s", ev->alive.text);
	f->paused = ev->alive.paused != NULL;
	if (f->paused)
		f->pause = *ev->alive.paused;
}

static void take_interface(struct bf_facts *f, const struct bf_event *ev)
{
	snprintf(f->iface, sizeof(f->iface), "%s", ev->iface.name);
	snprintf(f->line, sizeof(f->line), "%s", ev->iface.detail ? ev->iface.detail : "");
}

static void take_file(struct bf_facts *f, const struct bf_event *ev)
{
	if (strcmp(ev->file.what, "backup") == 0)
		snprintf(f->backup, sizeof(f->backup), "%s", ev->file.path);
}

void bf_facts_warn(struct bf_facts *f, const char *text)
{
	if (f->warnings < BF_FACT_WARNINGS)
		bf_text_escape(f->warning[f->warnings], sizeof(f->warning[0]), text);
	f->warnings++;
}

static void take_start(struct bf_facts *f, const struct bf_event *ev)
{
	*f = (struct bf_facts){ .job = ev->job, .began_us = ev->wall_us, .eta = -1 };
	f->activity_us[BF_ACT_PREPARE] = ev->wall_us;
	weigh_unplanned(f);
}

void bf_facts_take(struct bf_facts *f, const struct bf_event *ev)
{
	if (ev->kind == BF_EV_START)
		take_start(f, ev);
	f->now_us = ev->wall_us;
	switch ((int)ev->kind) {
	case BF_EV_IMAGE:
		take_image(f, ev);
		break;
	case BF_EV_INTERFACE:
		take_interface(f, ev);
		break;
	case BF_EV_CANDIDATE:
		take_candidate(f, ev->candidate);
		break;
	case BF_EV_DEVICE:
		take_device(f, ev);
		break;
	case BF_EV_MEASURE:
		f->measure = *ev->measure;
		f->has_measure = true;
		break;
	case BF_EV_CHECK:
		take_check(f, ev->check);
		break;
	case BF_EV_SELF_TEST:
		take_self_test(f, ev->check);
		break;
	case BF_EV_PLAN:
		take_plan(f, ev->plan);
		break;
	case BF_EV_PHASE:
		take_phase(f, ev);
		break;
	case BF_EV_PROGRESS:
		take_progress(f, ev);
		break;
	case BF_EV_ALIVE:
		take_alive(f, ev);
		break;
	case BF_EV_RETRY:
		f->repeats++;
		f->try = ev->retry.next;
		f->tries = ev->retry.most;
		break;
	case BF_EV_FILE:
		take_file(f, ev);
		break;
	case BF_EV_WARNING:
		bf_facts_warn(f, ev->text);
		break;
	case BF_EV_SUMMARY:
		f->summary = *ev->summary;
		f->has_summary = true;
		break;
	default:
		break;
	}
	measure_progress(f);
}
