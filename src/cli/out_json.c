/* SPDX-License-Identifier: MIT */
/* Events and the outcome as NDJSON; the schema is bmsflash-json(5). One function fills each event. */
#include "screen.h"

#include <assert.h>

#include "backups.h"
#include "bmsflash/json.h"

#define SCHEMA_VERSION 2

static void bits(struct bf_json *object, const char *key, unsigned set,
		 const char *(*name)(unsigned bit))
{
	struct bf_json *list = bf_json_array();

	for (unsigned bit = 0; name(bit); bit++) {
		if (set & 1u << bit)
			bf_json_add_str(list, name(bit));
	}
	bf_json_set(object, key, list);
}

static void reals(struct bf_json *object, const char *key, const double *values, size_t n)
{
	struct bf_json *list = bf_json_array();

	for (size_t i = 0; i < n; i++)
		bf_json_add_real(list, values[i]);
	bf_json_set(object, key, list);
}

static void version(struct bf_json *object, const char *key, bool has, const struct bf_version *v)
{
	char text[BF_VERSION_TEXT];

	bf_json_set_str(object, key, has ? bf_version_text(v, text) : NULL);
}

static void text_or_null(struct bf_json *object, const char *key, const char *text)
{
	bf_json_set_str(object, key, text && *text ? text : NULL);
}

static void put_start(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "command", bf_job_name(ev->job));
	bf_json_set_str(j, "tool_version", BF_VERSION);
}

static void put_image(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_meta *m = ev->image.meta;

	bf_json_set_str(j, "path", ev->image.path);
	bf_json_set_str(j, "format", bf_format_name(m->format));
	bf_json_set_int(j, "size", (int64_t)ev->image.size);
	version(j, "version", m->has_version, &m->version);
	if (m->has_counter)
		bf_json_set_int(j, "security_counter", m->counter);
	else
		bf_json_set_null(j, "security_counter");
	if (m->has_vid)
		bf_json_set_hex(j, "vendor_id", m->vid, sizeof(m->vid));
	if (m->has_cid)
		bf_json_set_hex(j, "class_id", m->cid, sizeof(m->cid));
	if (m->has_hw)
		bf_json_set_str(j, "hardware", m->hw);
	bf_json_set_hex(j, "digest", m->digest, m->digest_len);
	bf_json_set_str(j, "key", ev->image.key);
	if (ev->image.key_id)
		bf_json_set_str(j, "key_id", ev->image.key_id);
	if (m->legacy)
		bf_json_set_bool(j, "legacy", true);
}

static void put_interface(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "name", ev->iface.name);
	bf_json_set_str(j, "driver", ev->iface.driver);
	text_or_null(j, "detail", ev->iface.detail);
}

static void put_candidate(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "address", ev->candidate->address);
	bf_json_set_str(j, "what", ev->candidate->what);
	bf_json_set_bool(j, "usable", ev->candidate->usable);
	text_or_null(j, "why", ev->candidate->why);
}

static void put_text(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "text", ev->text);
}

static void put_retry(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "text", ev->retry.text);
	if (!ev->retry.next)
		return;
	bf_json_set_int(j, "try", ev->retry.next);
	bf_json_set_int(j, "of", ev->retry.most);
}

static struct bf_json *slot_object(const struct bf_slot *slot)
{
	struct bf_json *j = bf_json_object();

	version(j, "version", slot->has_version, &slot->version);
	bf_json_set_int(j, "security_counter", slot->counter);
	bits(j, "flags", slot->flags, bf_slot_flag_name);
	bf_json_set_hex(j, "digest", slot->digest, slot->digest_len);
	return j;
}

static struct bf_json *region_object(const struct bf_region *region)
{
	struct bf_json *j = bf_json_object();

	bf_json_set_str(j, "name", region->name);
	bf_json_set_str(j, "kind", bf_region_kind_name(region->kind));
	bf_json_set_int(j, "address", region->addr);
	bf_json_set_int(j, "size", region->size);
	bf_json_set_bool(j, "readable", region->access & BF_ACCESS_READ);
	bf_json_set_bool(j, "writable", region->access & BF_ACCESS_WRITE);
	return j;
}

static void put_device(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_ident *id = ev->ident;
	struct bf_json *list;

	bf_json_set_str(j, "protocol", id->protocol);
	text_or_null(j, "loader", id->loader);
	text_or_null(j, "manufacturer", id->manufacturer);
	text_or_null(j, "model", id->model);
	text_or_null(j, "serial", id->serial);
	text_or_null(j, "hardware", id->hw_rev);
	if (id->bus_id[0])
		bf_json_set_str(j, "bus_id", id->bus_id);
	if (id->has_vid)
		bf_json_set_hex(j, "vendor_id", id->vid, sizeof(id->vid));
	if (id->has_cid)
		bf_json_set_hex(j, "class_id", id->cid, sizeof(id->cid));
	bf_json_set_bool(j, "in_bootloader", id->in_bootloader);
	version(j, "version", id->has_version, &id->version);
	if (id->caps & BF_CAP_COUNTER)
		bf_json_set_int(j, "security_counter", id->counter);
	bits(j, "capabilities", id->caps, bf_cap_name);
	list = bf_json_array();
	for (size_t i = 0; i < id->n_slots; i++)
		bf_json_add(list, slot_object(&id->slots[i]));
	bf_json_set(j, "slots", list);
	list = bf_json_array();
	for (size_t i = 0; i < id->n_regions; i++)
		bf_json_add(list, region_object(&id->regions[i]));
	bf_json_set(j, "regions", list);
}

static void put_measure(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_measure *m = ev->measure;

	if (m->has_pack)
		bf_json_set_real(j, "pack_voltage_v", m->pack_v);
	if (m->has_current)
		bf_json_set_real(j, "current_a", m->current_a);
	if (m->has_soc)
		bf_json_set_real(j, "state_of_charge_percent", m->soc);
	reals(j, "cell_voltages_v", m->cell_v, m->n_cells);
	reals(j, "temperatures_c", m->temp_c, m->n_temps);
	if (m->has_balancing)
		bf_json_set_int(j, "balancing", m->balancing);
	if (m->has_limits) {
		bf_json_set_real(j, "charge_voltage_limit_v", m->charge_v_max);
		bf_json_set_real(j, "charge_current_limit_a", m->charge_a_max);
		bf_json_set_real(j, "discharge_current_limit_a", m->discharge_a_max);
	}
}

static void put_check(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_check *c = ev->check;

	bf_json_set_str(j, "name", c->name);
	bf_json_set_str(j, "verdict", bf_verdict_name(c->verdict));
	text_or_null(j, "got", c->got);
	text_or_null(j, "limit", c->limit);
	if (c->allow >= 0)
		bf_json_set_str(j, "allow", bf_allow_info((enum bf_allow)c->allow)->name);
}

static void put_plan(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_plan *p = ev->plan;

	text_or_null(j, "from_version", p->from_version);
	text_or_null(j, "to_version", p->to_version);
	bf_json_set_int(j, "bytes", (int64_t)p->bytes);
	bf_json_set_int(j, "skip_bytes", (int64_t)p->skip_bytes);
	bf_json_set_int(j, "segments", p->segments);
	bf_json_set_bool(j, "trial", p->trial);
	bf_json_set_bool(j, "confirm", p->confirm);
	bf_json_set_bool(j, "backup", p->backup);
	bf_json_set_int(j, "slot", p->slot);
	bf_json_set_bool(j, "counter_will_rise", p->counter_will_rise);
	bf_json_set_bool(j, "one_place", p->one_place);
	bf_json_set_bool(j, "wipes_all", p->wipes_all);
	if (p->counter_will_rise) {
		bf_json_set_int(j, "security_counter_from", p->counter_from);
		bf_json_set_int(j, "security_counter_to", p->counter_to);
	}
}

static void put_phase(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "name", ev->phase.name);
	bf_json_set_int(j, "index", ev->phase.index);
	bf_json_set_int(j, "count", ev->phase.count);
	bf_json_set_str(j, "activity", bf_activity_name(ev->phase.activity));
	if (ev->phase.limit)
		bf_json_set_real(j, "limit_s", (double)ev->phase.limit / 1e6);
}

static void put_progress(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_progress *p = ev->progress;

	bf_json_set_str(j, "phase", p->phase);
	bf_json_set_real(j, "percent", p->percent);
	bf_json_set_int(j, "done", (int64_t)p->done);
	bf_json_set_int(j, "total", (int64_t)p->total);
	bf_json_set_real(j, "bytes_per_s", p->rate);
	if (p->wire_share >= 0)
		bf_json_set_real(j, "wire_share", p->wire_share);
	if (p->eta >= 0)
		bf_json_set_real(j, "eta_s", (double)p->eta / 1e6);
}

static void put_alive(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_check *c = ev->alive.paused;

	bf_json_set_str(j, "text", ev->alive.text);
	if (!c)
		return;
	bf_json_set_str(j, "paused_for", c->name);
	bf_json_set_str(j, "got", c->got);
	bf_json_set_str(j, "limit", c->limit);
}

static void put_file(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "what", ev->file.what);
	bf_json_set_str(j, "path", ev->file.path);
}

static void put_known(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "kind", ev->known.kind);
	bf_json_set_str(j, "name", ev->known.name);
	text_or_null(j, "summary", ev->known.summary);
}

static void put_region(struct bf_json *j, const struct bf_event *ev)
{
	bf_json_set_str(j, "name", ev->region.name);
	bf_json_set_int(j, "address", ev->region.addr);
	bf_json_set_int(j, "size", (int64_t)ev->region.size);
	bf_json_set_str(j, "result", ev->region.result);
}

static void seconds(struct bf_json *j, const char *key, bf_time us)
{
	bf_json_set_real(j, key, (double)us / 1e6);
}

static struct bf_json *wire_object(const struct bf_wire_stats *w)
{
	struct bf_json *j = bf_json_object();

	bf_json_set_int(j, "tx_bytes", (int64_t)w->tx_bytes);
	bf_json_set_int(j, "rx_bytes", (int64_t)w->rx_bytes);
	bf_json_set_int(j, "tx_frames", (int64_t)w->tx_frames);
	bf_json_set_int(j, "rx_frames", (int64_t)w->rx_frames);
	bf_json_set_int(j, "echo_bytes", (int64_t)w->echo_bytes);
	bf_json_set_int(j, "echo_damaged", (int64_t)w->echo_damaged);
	bf_json_set_int(j, "line_errors", (int64_t)w->line_errors);
	bf_json_set_int(j, "queue_full", (int64_t)w->queue_full);
	bf_json_set_int(j, "rx_dropped", (int64_t)w->rx_dropped);
	bf_json_set_int(j, "reopened", (int64_t)w->reopened);
	return j;
}

static struct bf_json *retry_object(const struct bf_retry *r)
{
	struct bf_json *j = bf_json_object();
	uint64_t requests = 0, repeats = 0;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++) {
		requests += r->requests[i];
		repeats += r->repeats[i];
	}
	bf_json_set_int(j, "requests", (int64_t)requests);
	bf_json_set_int(j, "repeats", (int64_t)repeats);
	bf_json_set_int(j, "timeouts", (int64_t)r->timeouts);
	bf_json_set_int(j, "damaged", (int64_t)r->damaged);
	bf_json_set_int(j, "busy", (int64_t)r->busy);
	bf_json_set_int(j, "pending", (int64_t)r->pending);
	return j;
}

static struct bf_json *line_object(const struct bf_line_figures *f)
{
	struct bf_json *j = bf_json_object();

	if (f->sent) {
		bf_json_set_int(j, "tests", f->sent);
		bf_json_set_int(j, "lost", f->lost);
		seconds(j, "answer_best_s", f->best);
		seconds(j, "answer_mean_s", f->mean);
		seconds(j, "answer_worst_s", f->worst);
	}
	bf_json_set_int(j, "rate_steps", f->rate_steps);
	if (f->stream)
		bf_json_set_bool(j, "echo", f->echo);
	if (f->latency_timer_ms >= 0)
		bf_json_set_int(j, "latency_timer_ms", f->latency_timer_ms);
	if (f->bus_state) {
		bf_json_set_str(j, "bus_state", f->bus_state);
		bf_json_set_int(j, "tx_errors", f->tx_errors);
		bf_json_set_int(j, "rx_errors", f->rx_errors);
	}
	return j;
}

static void put_summary(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_summary *s = ev->summary;

	seconds(j, "total_s", s->total);
	seconds(j, "erase_s", s->erase);
	seconds(j, "transfer_s", s->transfer);
	seconds(j, "wait_pack_s", s->wait_pack);
	seconds(j, "wait_adapter_s", s->wait_adapter);
	seconds(j, "retries_s", s->retries);
	seconds(j, "backup_s", s->backup);
	seconds(j, "verify_s", s->verify);
	seconds(j, "restart_s", s->restart);
	seconds(j, "paused_s", s->paused);
	bf_json_set_int(j, "bytes_sent", (int64_t)s->bytes_sent);
	bf_json_set_int(j, "bytes_skipped", (int64_t)s->bytes_skipped);
	bf_json_set_int(j, "bytes_saved", s->bytes_saved);
	bf_json_set_int(j, "regions_restored", s->regions_restored);
	bf_json_set_real(j, "bytes_per_s", s->rate);
	if (s->wire_share >= 0)
		bf_json_set_real(j, "wire_share", s->wire_share);
	bf_json_set_int(j, "line_rate", s->line_rate);
	bf_json_set_bool(j, "virtual_time", s->virtual_time);
	bf_json_set(j, "line", line_object(&s->line));
	bf_json_set(j, "wire", wire_object(&s->wire));
	bf_json_set(j, "retry", retry_object(&s->retry));
}

static void put_finding(struct bf_json *j, const struct bf_event *ev)
{
	const struct bf_diag_finding *f = ev->finding;

	bf_json_set_str(j, "severity", bf_severity_name(f->severity));
	bf_json_set_str(j, "check", f->check);
	bf_json_set_str(j, "subject", f->subject);
	bf_json_set_str(j, "text", f->text);
	text_or_null(j, "mend", f->mend);
}

typedef void put_fn(struct bf_json *j, const struct bf_event *ev);

static put_fn *const put_rows[] = {
	[BF_EV_START] = put_start,         [BF_EV_IMAGE] = put_image,
	[BF_EV_INTERFACE] = put_interface, [BF_EV_CANDIDATE] = put_candidate,
	[BF_EV_TRIED] = put_text,          [BF_EV_DEVICE] = put_device,
	[BF_EV_MEASURE] = put_measure,     [BF_EV_CHECK] = put_check,
	[BF_EV_PLAN] = put_plan,           [BF_EV_PHASE] = put_phase,
	[BF_EV_PROGRESS] = put_progress,   [BF_EV_ALIVE] = put_alive,
	[BF_EV_NOTICE] = put_text,         [BF_EV_WARNING] = put_text,
	[BF_EV_RETRY] = put_retry,         [BF_EV_FILE] = put_file,
	[BF_EV_REGION] = put_region,       [BF_EV_SELF_TEST] = put_check,
	[BF_EV_SUMMARY] = put_summary,     [BF_EV_FINDING] = put_finding,
	[BF_EV_REQUEST] = put_text,        [BF_EV_KNOWN] = put_known,
};
static_assert(BF_COUNT(put_rows) == BF_EV_KIND_COUNT, "every event can be written");

static struct bf_json *head(const char *event, const struct bf_whose *w, int64_t wall_us)
{
	struct bf_json *j = bf_json_object();
	char stamp[40];

	bf_json_set_int(j, "v", SCHEMA_VERSION);
	bf_json_set_str(j, "t", bf_text_stamp(stamp, sizeof(stamp), wall_us));
	bf_json_set_str(j, "event", event);
	if (w->run[0])
		bf_json_set_str(j, "run", w->run);
	if (w->iface)
		bf_json_set_str(j, "interface", w->iface);
	if (w->has_node)
		bf_json_set_int(j, "node", w->node);
	return j;
}

static void emit(struct bf_out_json *out, const struct bf_json *j)
{
	BF_AUTO_MEM char *line = bf_json_line(j);

	fprintf(out->to, "%s\n", line);
	fflush(out->to);
}

void bf_out_json_event(void *ctx, const struct bf_event *ev)
{
	struct bf_out_json *out = ctx;
	BF_AUTO(bf_json) *j = head(bf_event_name(ev->kind), &out->whose, ev->wall_us);

	bf_facts_take(&out->facts, ev);
	put_rows[ev->kind](j, ev);
	if (ev->kind == BF_EV_PROGRESS)
		bf_json_set_real(j, "percent", out->facts.percent);
	out->last_us = ev->wall_us;
	emit(out, j);
}

void bf_out_json_kept(struct bf_out_json *out, const struct bf_kept *k, int64_t wall_us)
{
	BF_AUTO(bf_json) *j = head(bf_event_name(BF_EV_FILE), &out->whose, wall_us);

	bf_json_set_str(j, "what", k->removed ? "removed" : "backup");
	bf_json_set_str(j, "path", k->path);
	text_or_null(j, "serial", k->serial);
	text_or_null(j, "model", k->model);
	text_or_null(j, "version", k->version);
	text_or_null(j, "time", k->time);
	bf_json_set_int(j, "size", (int64_t)k->size);
	bf_json_set_bool(j, "sound", k->sound);
	bf_json_set_bool(j, "sealed", k->sealed);
	bf_json_set_bool(j, "needed", k->needed);
	emit(out, j);
}

static void strings(struct bf_json *object, const char *key, const char *first, size_t stride,
		    size_t n)
{
	struct bf_json *list = bf_json_array();

	for (size_t i = 0; i < n; i++)
		bf_json_add_str(list, first + i * stride);
	bf_json_set(object, key, list);
}

static struct bf_json *error_object(const struct bf_err *err)
{
	struct bf_json *j = bf_json_object();

	bf_json_set_str(j, "code", bf_rc_info(err->rc)->name);
	if (err->pattern)
		bf_json_set_str(j, "pattern", bf_pattern_info(err->pattern)->name);
	bf_json_set_str(j, "cause", err->cause);
	strings(j, "trail", err->trail[0], sizeof(err->trail[0]), err->n_trail);
	strings(j, "likely", err->likely[0], sizeof(err->likely[0]), err->n_likely);
	text_or_null(j, "do", err->todo);
	text_or_null(j, "next", err->next);
	if (err->os)
		bf_json_set_int(j, "errno", err->os);
	if (err->dev_refused) {
		bf_json_set_int(j, "device_code", err->dev_code);
		bf_json_set_str(j, "device_code_name", err->dev_name);
	}
	return j;
}

/* Enough to file the result away without the events before it. */
static void put_facts(struct bf_json *j, const struct bf_outcome *outcome, const struct bf_facts *f,
		      int64_t wall_us)
{
	char text[640], v[BF_VERSION_TEXT];

	bf_json_set_str(j, "word", bf_verdict_word(outcome, f));
	bf_verdict_text(outcome, f, text, sizeof(text));
	text_or_null(j, "text", text);
	if (f->has_pack) {
		text_or_null(j, "serial", f->first.serial);
		text_or_null(j, "from_version", bf_facts_version(&f->first, v));
		text_or_null(j, "version", bf_facts_version(&f->last, v));
	}
	if (f->has_image) {
		bf_json_set_str(j, "image_digest", f->image_digest);
		text_or_null(j, "image_version", f->image_version);
		bf_json_set_str(j, "key", f->image_key);
		text_or_null(j, "key_id", f->image_key_id);
	}
	text_or_null(j, "backup", f->backup);
	if (f->has_summary)
		bf_json_set_real(j, "seconds", (double)f->summary.total / 1e6);
	else if (f->began_us && wall_us >= f->began_us)
		bf_json_set_real(j, "seconds", (double)(wall_us - f->began_us) / 1e6);
	text_or_null(j, "record_digest", outcome->record_digest);
	strings(j, "warnings", f->warning[0], sizeof(f->warning[0]),
		f->warnings < BF_FACT_WARNINGS ? f->warnings : BF_FACT_WARNINGS);
}

struct bf_json *bf_result_json(const struct bf_whose *whose, const struct bf_facts *facts,
			       const struct bf_outcome *outcome, int64_t wall_us)
{
	struct bf_json *j = head("result", whose, wall_us);
	const struct bf_rc_info *info = bf_rc_info(outcome->rc);

	bf_json_set_str(j, "exit", info->exit_name);
	bf_json_set_int(j, "status", info->exit_status);
	bf_json_set_str(j, "state", bf_state_name(outcome->state));
	text_or_null(j, "sentence", outcome->sentence);
	put_facts(j, outcome, facts, wall_us);
	if (outcome->rc)
		bf_json_set(j, "error", error_object(&outcome->err));
	return j;
}

void bf_out_json_outcome(struct bf_out_json *out, const struct bf_outcome *outcome, int64_t wall_us)
{
	BF_AUTO(bf_json) *j = bf_result_json(&out->whose, &out->facts, outcome, wall_us);

	emit(out, j);
}

void bf_out_json_log(void *ctx, enum bf_log_level level, const char *line)
{
	/* Debug lines are for people: they go to standard error and leave NDJSON alone. */
	(void)ctx;
	(void)level;
	fprintf(stderr, "debug: %s\n", line);
}
