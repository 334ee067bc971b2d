/* SPDX-License-Identifier: MIT */
/*
 * Packs whose firmware speaks Modbus RTU: who they are, what they measure, and the register that sends them into their
 * bootloader. All of it is told by the profile; the bootloader is another family's.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/text.h"
#include "family/modbus/modbus_registers.h"

struct modbus {
	struct bf_proto base;
};

static struct modbus *modbus_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct modbus, base);
}

static const struct bf_modbus_profile *settings_of(const struct bf_proto *p)
{
	return bf_profile_family(p->env.profile, "modbus");
}

static struct bf_modbus server_of(const struct bf_proto *p)
{
	return bf_modbus_of(p->env.transport, p->env.profile, p->env.node);
}

static enum bf_rc modbus_open(const struct bf_proto_env *env, struct bf_proto **ret,
			      struct bf_err *err)
{
	struct modbus *m;

	if (!env->transport->ops->stream)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "Modbus RTU needs a serial line, '%s' is none",
			       env->transport->name);
	if (env->node == 0 || env->node > 247) {
		bf_fail(err, BF_E_USAGE, "%d is no address of a Modbus server", env->node);
		bf_do(err, "give an address from 1 to 247");
		return err->rc;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	m->base.ops = &bf_proto_modbus_ops;
	m->base.env = *env;
	*ret = &m->base;
	return BF_OK;
}

static void modbus_close(struct bf_proto *p)
{
	free(modbus_of(p));
}

/* ---- is it there ---- */

/* The register of the harmless question, -1: the profile has none. */
static int32_t question_of(const struct bf_modbus_profile *s)
{
	const char *const rows[] = { s->model, s->version, s->serial };
	struct bf_modbus_value v;

	if (s->ask >= 0)
		return s->ask;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (bf_modbus_value_parse(rows[i], &v))
			return v.reg;
	}
	return -1;
}

/* An exception is an answer, too. */
static enum bf_rc ask_once(struct bf_proto *p, const struct bf_modbus *m, uint16_t reg,
			   struct bf_err *err)
{
	uint16_t value;
	enum bf_rc rc = bf_modbus_read(m, bf_modbus_table_of(p->env.profile), reg, 1, &value, err);

	if (rc != BF_E_NAK)
		return rc;
	bf_err_init(err);
	return BF_OK;
}

static enum bf_rc modbus_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct bf_clock *clock = p->env.transport->clock;
	int32_t reg = question_of(settings_of(p));
	struct bf_modbus m = server_of(p);
	bf_time left = deadline - bf_now(clock);
	enum bf_rc rc;

	if (reg < 0)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the profile '%s' names no Modbus register that could be asked for",
			       p->env.profile->name);
	if (p->env.hurry)
		m = (struct bf_modbus){
			.wire = m.wire, .node = m.node, .timeout = p->env.hurry, .attempts = 1
		};
	else if (m.timeout * m.attempts > left)
		m.timeout = left / (m.attempts ? m.attempts : 1) + 1;
	rc = ask_once(p, &m, (uint16_t)reg, err);
	if (rc == BF_E_TIMEOUT || rc == BF_E_LINK)
		return bf_fail(err, BF_E_NODEV, "Modbus node %u does not answer on '%s'", m.node,
			       p->env.transport->name);
	return rc;
}

static enum bf_rc modbus_ping(struct bf_proto *p, struct bf_err *err)
{
	const struct bf_modbus m = server_of(p);
	int32_t reg = question_of(settings_of(p));

	return reg < 0 ? BF_OK : ask_once(p, &m, (uint16_t)reg, err);
}

/* ---- who it is ---- */

/* Text ends at its first NUL and has no blanks around it. */
static void text_of(const uint8_t *p, size_t len, char *dst, size_t cap)
{
	const uint8_t *end = memchr(p, 0, len);
	char word[64];
	size_t n = end ? (size_t)(end - p) : len;

	while (n && (p[n - 1] == ' ' || p[n - 1] == 0xFF))
		n--;
	while (n && *p == ' ') {
		p++;
		n--;
	}
	memcpy(word, p, n);
	bf_text_escape_n(dst, cap, word, n);
}

static uint64_t number_of(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static bool is_blank(const uint8_t *p, size_t len)
{
	bool zero = true, ones = true;

	for (size_t i = 0; i < len; i++) {
		zero = zero && p[i] == 0;
		ones = ones && p[i] == 0xFF;
	}
	return zero || ones;
}

static enum bf_rc read_value(struct bf_proto *p, const char *where, struct bf_modbus_value *v,
			     uint8_t bytes[64], size_t *ret_len, struct bf_err *err)
{
	const struct bf_modbus m = server_of(p);

	*ret_len = 0;
	if (!bf_modbus_value_parse(where, v))
		return BF_OK;
	return bf_modbus_value_read(&m, p->env.profile, v, bytes, ret_len, err);
}

static enum bf_rc read_text(struct bf_proto *p, const char *where, char *dst, size_t cap,
			    struct bf_err *err)
{
	struct bf_modbus_value v;
	uint8_t bytes[64];
	size_t len;

	if (read_value(p, where, &v, bytes, &len, err))
		return err->rc;
	if (!len || (v.format != BF_MODBUS_TEXT && is_blank(bytes, len)))
		return BF_OK;
	if (v.format == BF_MODBUS_NUMBER)
		snprintf(dst, cap, "%llu", (unsigned long long)number_of(bytes, len));
	else if (v.format == BF_MODBUS_BCD)
		bf_hex(dst, cap, bytes, len);
	else
		text_of(bytes, len, dst, cap);
	return BF_OK;
}

/* Numbers become the text that people know: "15.41". False: they are none. */
static bool version_in_words(const struct bf_modbus_value *v, const uint8_t *p, size_t len,
			     char *dst, size_t cap)
{
	size_t at = 0;

	if (v->format == BF_MODBUS_TEXT) {
		text_of(p, len, dst, cap);
		return dst[0] != '\0';
	}
	if (is_blank(p, len))
		return false;
	if (v->format == BF_MODBUS_NUMBER) {
		snprintf(dst, cap, "%llu", (unsigned long long)number_of(p, len));
		return true;
	}
	for (size_t i = 0; i < len && at < cap; i++) {
		unsigned part = p[i];

		if (v->format == BF_MODBUS_BCD) {
			if (part >> 4 > 9 || (part & 15) > 9)
				return false;
			part = 10 * (part >> 4) + (part & 15);
		}
		at += (size_t)snprintf(dst + at, cap - at, "%s%u", i ? "." : "", part);
	}
	return true;
}

/* "15.41" and "7" are versions as well: what is not told is 0. */
static bool parse_version(const char *text, struct bf_version *ret)
{
	char whole[48];
	size_t dots = 0;

	for (const char *c = text; *c; c++)
		dots += *c == '.';
	if (dots > 2 || strchr(text, '+'))
		return bf_version_parse(text, ret);
	snprintf(whole, sizeof(whole), "%s%s", text, dots == 2 ? "" : dots == 1 ? ".0" : ".0.0");
	return bf_version_parse(whole, ret);
}

static enum bf_rc read_version(struct bf_proto *p, struct bf_ident *id, struct bf_err *err)
{
	const struct bf_modbus_profile *s = settings_of(p);
	size_t prefix = strlen(s->version_prefix);
	struct bf_modbus_value v;
	uint8_t bytes[64];
	const char *text = id->version_text;
	size_t len;

	if (read_value(p, s->version, &v, bytes, &len, err))
		return err->rc;
	if (!len || !version_in_words(&v, bytes, len, id->version_text, sizeof(id->version_text)))
		return BF_OK;
	if (strncmp(text, s->version_prefix, prefix) == 0)
		id->has_version = parse_version(text + prefix, &id->version);
	id->version_unreadable = !id->has_version;
	return BF_OK;
}

static bool measures(const struct bf_profile *profile)
{
	for (size_t i = 0; i < profile->n_quantities; i++) {
		if (profile->quantities[i].modbus_register >= 0)
			return true;
	}
	return false;
}

static enum bf_rc modbus_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	const struct bf_modbus_profile *s = settings_of(p);
	struct bf_ident id = { .talks = BF_TALKS_APPLICATION, .in_flight = 1 };
	const struct {
		const char *where;
		char *dst;
		size_t cap;
	} rows[] = {
		{ s->model, id.model, sizeof(id.model) },
		{ s->hardware, id.hw_rev, sizeof(id.hw_rev) },
		{ s->serial, id.serial, sizeof(id.serial) },
		{ s->manufacturer, id.manufacturer, sizeof(id.manufacturer) },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (read_text(p, rows[i].where, rows[i].dst, rows[i].cap, err))
			return bf_while(err, "asking the pack who it is");
	}
	if (read_version(p, &id, err))
		return bf_while(err, "asking the pack what it runs");
	snprintf(id.protocol, sizeof(id.protocol), "modbus");
	snprintf(id.no_write, sizeof(id.no_write),
		 "its firmware speaks Modbus, and the profile names no 'loader'");
	id.caps = measures(p->env.profile) ? BF_CAP_MEASURE : 0;
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}

static enum bf_rc modbus_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err)
{
	const struct bf_modbus m = server_of(p);

	return bf_modbus_measure(&m, p->env.profile, ret, err);
}

/* ---- into its bootloader ---- */

static enum bf_rc check_alarms(struct bf_proto *p, struct bf_err *err)
{
	const struct bf_modbus_profile *s = settings_of(p);
	struct bf_modbus_value v;
	uint8_t bytes[64];
	size_t len;
	uint32_t alarms;

	if (read_value(p, s->alarms, &v, bytes, &len, err))
		return bf_while(err, "reading the pack's alarms");
	alarms = (uint32_t)number_of(bytes, len) & s->alarms_mask;
	if (!alarms)
		return BF_OK;
	bf_fail(err, BF_E_PREFLIGHT, "the pack reports alarms (0x%08X in register 0x%04X)", alarms,
		v.reg);
	bf_do(err, "clear the alarms first: the pack's manual says what the bits mean");
	return err->rc;
}

/* Nothing tells an application that is deaf from one that goes without a word: it is seen alive before. */
static enum bf_rc modbus_to_loader(struct bf_proto *p, struct bf_err *err)
{
	const struct bf_modbus_profile *s = settings_of(p);
	struct bf_clock *clock = p->env.transport->clock;
	struct bf_modbus m = server_of(p);
	uint16_t values[BF_MODBUS_VALUES_MAX];
	size_t n;

	if (s->enter_register < 0 || !bf_modbus_list_parse(s->enter_values, values, &n))
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the profile '%s' names no register that enters the bootloader",
			       p->env.profile->name);
	if (check_alarms(p, err) || modbus_ping(p, err))
		return err->rc;
	if (!bf_clock_until(clock, bf_in(clock, BF_MS(s->enter_quiet_ms))))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	m.no_answer = !s->enter_answer;
	if (s->enter_function == BF_MODBUS_WRITE_ONE
		    ? bf_modbus_write_one(&m, (uint16_t)s->enter_register, values[0], err)
		    : bf_modbus_write(&m, (uint16_t)s->enter_register, values, (uint16_t)n, err))
		return bf_while(err, "asking the pack into its bootloader");
	return BF_OK;
}

/* ---- what a flash sends ---- */

static void explain_value(const char *where, const char *what, unsigned function,
			  bf_explain_fn *line, void *ctx)
{
	struct bf_modbus_value v;
	char text[32];

	if (!bf_modbus_value_parse(where, &v))
		return;
	snprintf(text, sizeof(text), "%02X %02X %02X 00 %02X", function, v.reg >> 8, v.reg & 0xFF,
		 (v.bytes + 1U) / 2);
	line(ctx, text, what);
}

static void modbus_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	const struct bf_modbus_profile *s = bf_profile_family(profile, "modbus");
	const struct {
		const char *where, *what;
	} rows[] = {
		{ s->model, "model" },
		{ s->hardware, "hardware version" },
		{ s->serial, "serial number" },
		{ s->manufacturer, "manufacturer" },
		{ s->version, "version that runs, before and after" },
		{ s->alarms, "alarms, before it is asked into its bootloader" },
	};
	uint16_t values[BF_MODBUS_VALUES_MAX];
	char text[96];
	size_t n, at;

	for (size_t i = 0; i < BF_COUNT(rows); i++)
		explain_value(rows[i].where, rows[i].what, bf_modbus_table_of(profile), line, ctx);
	if (s->enter_register < 0 || !bf_modbus_list_parse(s->enter_values, values, &n))
		return;
	at = (size_t)snprintf(text, sizeof(text), "%02X %02X %02X", s->enter_function,
			      (unsigned)s->enter_register >> 8, (unsigned)s->enter_register & 0xFF);
	if (s->enter_function == BF_MODBUS_WRITE_MANY)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " 00 %02zX %02zX", n, 2 * n);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %02X %02X", values[i] >> 8,
				       values[i] & 0xFF);
	line(ctx, text,
	     s->enter_answer ? "into the bootloader" : "into the bootloader; not answered");
}

/* ---- the form ---- */

static const struct bf_refusal refusals[] = {
	{ 1, "ILLEGAL FUNCTION", "the pack does not have this function",
	  "correct 'table' or 'enter-function' in [modbus] of the profile" },
	{ 2, "ILLEGAL DATA ADDRESS", "the pack has no such register",
	  "correct the register in [modbus] of the profile" },
	{ 3, "ILLEGAL DATA VALUE", "the pack does not take this value",
	  "correct 'enter-values' in [modbus] of the profile" },
	{ 4, "SERVER DEVICE FAILURE", "the pack could not do it", "switch the pack off and on" },
	{ 5, "ACKNOWLEDGE", "the pack needs more time for it", "try again" },
	{ 6, "SERVER DEVICE BUSY", "the pack is busy", "try again" },
	{ 0 },
};

static const struct bf_app_ops modbus_app = {
	.measure = modbus_measure,
	.to_loader = modbus_to_loader,
};

const struct bf_proto_ops bf_proto_modbus_ops = {
	.name = "modbus",
	.summary = "Modbus RTU of a pack's firmware, with the registers of a profile",
	.wires = BF_WIRE_STREAM,
	.probe_rank = 60,
	.probe_risk = "which register to read only a profile can say",
	.app = &modbus_app,
	.loader = &bf_no_loader,
	.boot = &bf_no_boot,
	.open = modbus_open,
	.close = modbus_close,
	.recognise = modbus_recognise,
	.identify = modbus_identify,
	.ping = modbus_ping,
	.explain = modbus_explain,
	.refusals = refusals,
};
