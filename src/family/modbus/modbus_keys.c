/* SPDX-License-Identifier: MIT */
#include "family/modbus/modbus_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/keys.h"

#define BYTES_MAX 64 /* of one value */

static const struct bf_choice tables[] = {
	{ "holding", BF_MODBUS_HOLDING },
	{ "input", BF_MODBUS_INPUT },
	{ NULL },
};

static const struct bf_choice functions[] = {
	{ "6", 6 },
	{ "16", 16 },
	{ NULL },
};

static const struct bf_choice formats[] = {
	{ "text", BF_MODBUS_TEXT }, { "bcd", BF_MODBUS_BCD },       { "binary", BF_MODBUS_BINARY },
	{ "u16", BF_MODBUS_U16 },   { "number", BF_MODBUS_NUMBER }, { NULL },
};

/* ---- values as they are written ---- */

static bool word_next(const char **text, const char *between, char *dst, size_t cap)
{
	const char *from = *text + strspn(*text, between);
	size_t n = strcspn(from, between);

	*text = from + n;
	if (!n || n >= cap)
		return false;
	memcpy(dst, from, n);
	dst[n] = '\0';
	return true;
}

static bool number_of(const char *word, unsigned long max, unsigned long *ret)
{
	char *end;

	if (word[0] < '0' || word[0] > '9')
		return false;
	*ret = strtoul(word, &end, word[1] == 'x' ? 16 : 10);
	return !*end && *ret <= max;
}

bool bf_modbus_value_parse(const char *text, struct bf_modbus_value *ret)
{
	char reg[16], format[16], bytes[16];
	unsigned long first, n = 2;
	const struct bf_choice *f = formats;

	if (!word_next(&text, " \t", reg, sizeof(reg)) || !number_of(reg, 0xFFFF, &first) ||
	    !word_next(&text, " \t", format, sizeof(format)))
		return false;
	while (f->name && strcmp(f->name, format) != 0)
		f++;
	if (!f->name)
		return false;
	if (word_next(&text, " \t", bytes, sizeof(bytes)) && !number_of(bytes, BYTES_MAX, &n))
		return false;
	if (text[strspn(text, " \t")] || !n || (f->value == BF_MODBUS_U16 && n != 2) ||
	    (f->value == BF_MODBUS_NUMBER && n > 8))
		return false;
	*ret = (struct bf_modbus_value){ .reg = (uint16_t)first,
					 .format = (enum bf_modbus_format)f->value,
					 .bytes = (uint8_t)n };
	return true;
}

bool bf_modbus_list_parse(const char *text, uint16_t ret[BF_MODBUS_VALUES_MAX], size_t *ret_n)
{
	char word[16];
	unsigned long v;

	*ret_n = 0;
	while (text[strspn(text, ", \t")]) {
		if (*ret_n == BF_MODBUS_VALUES_MAX ||
		    !word_next(&text, ", \t", word, sizeof(word)) || !number_of(word, 0xFFFF, &v))
			return false;
		ret[(*ret_n)++] = (uint16_t)v;
	}
	return *ret_n > 0;
}

/* ---- checks ---- */

static enum bf_rc check_values(const struct bf_modbus_profile *s, const char *profile_name,
			       struct bf_err *err)
{
	const struct {
		const char *key, *text;
		bool version;
	} rows[] = {
		{ "model", s->model, false },       { "version", s->version, true },
		{ "hardware", s->hardware, false }, { "serial", s->serial, false },
		{ "alarms", s->alarms, false },     { "manufacturer", s->manufacturer, false },
	};
	struct bf_modbus_value v;

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		if (!rows[i].text[0])
			continue;
		if (!bf_modbus_value_parse(rows[i].text, &v))
			return bf_fail(
				err, BF_E_USAGE,
				"profile '%s': '%s' in [modbus] is a register, a format "
				"(text, bcd, binary, u16, number) and a number of bytes, as in "
				"0x1400 text 16",
				profile_name, rows[i].key);
		if (!rows[i].version && (v.format == BF_MODBUS_BINARY || v.format == BF_MODBUS_U16))
			return bf_fail(err, BF_E_USAGE,
				       "profile '%s': '%s' in [modbus] has a format of versions",
				       profile_name, rows[i].key);
	}
	if (s->alarms[0] && bf_modbus_value_parse(s->alarms, &v) &&
	    (v.format != BF_MODBUS_NUMBER || v.bytes > 4))
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': alarms in [modbus] are a number of up to 4 bytes",
			       profile_name);
	return BF_OK;
}

static enum bf_rc check(const void *settings, const struct bf_profile *profile,
			const char *profile_name, struct bf_err *err)
{
	const struct bf_modbus_profile *s = settings;
	uint16_t values[BF_MODBUS_VALUES_MAX];
	size_t n;

	(void)profile;
	if (check_values(s, profile_name, err))
		return err->rc;
	if (!bf_modbus_list_parse(s->enter_values, values, &n))
		return bf_fail(
			err, BF_E_USAGE,
			"profile '%s': enter-values in [modbus] are 1 to %d numbers of 16 bits, "
			"separated by commas",
			profile_name, BF_MODBUS_VALUES_MAX);
	if (s->enter_function == 6 && n != 1)
		return bf_fail(err, BF_E_USAGE,
			       "profile '%s': function 6 in [modbus] writes one value",
			       profile_name);
	return BF_OK;
}

/* What it writes into the pack without being asked is told. */
static bool note(const void *settings, const struct bf_profile *profile, size_t i, char *dst,
		 size_t cap)
{
	const struct bf_modbus_profile *s = settings;

	if (i || s->enter_register < 0 || strcmp(profile->application, "modbus") != 0)
		return false;
	snprintf(dst, cap,
		 "the profile '%s' enters the bootloader by writing %s to register 0x%04X",
		 profile->name, s->enter_values, (unsigned)s->enter_register);
	return true;
}

#define MODBUS(member) BF_SCOPE_FAMILY, BF_IN(bf_modbus_profile, member)
#define NUM            BF_VALUE_NUMBER
#define VALUE(key, member, help)                                                   \
	{                                                                          \
		"modbus", key, BF_VALUE_TEXT, MODBUS(member), 0, 0, "", NULL, help \
	}

/* clang-format off */
static const struct bf_key_row rows[] = {
	{ "modbus", "node", NUM, MODBUS(node), 1, 247, "1", NULL,
	  "address of the pack as a Modbus server" },
	{ "modbus", "table", BF_VALUE_CHOICE, MODBUS(table), 0, 0, "input", tables,
	  "registers that are read: function 3 (holding) or 4 (input)" },
	{ "modbus", "timeout-ms", NUM, MODBUS(timeout_ms), 10, 60000, "500", NULL,
	  "how long an answer is waited for" },
	{ "modbus", "low-first", BF_VALUE_BOOL, MODBUS(low_first), 0, 0, "no", NULL,
	  "numbers of two registers come with their low half first" },
	{ "modbus", "turnaround-ms", NUM, MODBUS(turnaround_ms), 0, 5000, "0", NULL,
	  "silence before each request; 0: 3.5 characters" },
	{ "modbus", "turnaround-max-ms", NUM, MODBUS(turnaround_max_ms), 0, 5000, "0", NULL,
	  "that silence is doubled after each request that was not answered, up to this; 0: not" },
	{ "modbus", "attempts", NUM, MODBUS(attempts), 1, 20, "2", NULL,
	  "how often a register is asked for, in all" },
	VALUE("model", model, "the model's name: register, format, bytes, as in 0x1400 text 16; see MODBUS"),
	VALUE("version", version, "version of the firmware that runs, in the same form"),
	VALUE("version-prefix", version_prefix, "text before the version that is not part of it"),
	VALUE("hardware", hardware, "hardware version"),
	VALUE("serial", serial, "serial number"),
	VALUE("manufacturer", manufacturer, "who made it"),
	VALUE("alarms", alarms, "alarm bits, as in 0x12A0 number 4"),
	{ "modbus", "alarms-mask", NUM, MODBUS(alarms_mask), 0, 0xFFFFFFFF, "0xFFFFFFFF", NULL,
	  "alarms that keep the pack from being asked into its bootloader" },
	{ "modbus", "ask", BF_VALUE_PAD, MODBUS(ask), 0, 0xFFFF, "none", NULL,
	  "register that is read to see whether the pack is there; none: the first of model, version, serial" },
	{ "modbus", "enter-register", BF_VALUE_PAD, MODBUS(enter_register), 0, 0xFFFF, "none", NULL,
	  "register that is written to enter the bootloader" },
	{ "modbus", "enter-function", BF_VALUE_CHOICE, MODBUS(enter_function), 0, 0, "16", functions,
	  "function that writes it: one register (6) or several (16)" },
	{ "modbus", "enter-values", BF_VALUE_TEXT, MODBUS(enter_values), 0, 0, "0", NULL,
	  "what is written, separated by commas" },
	{ "modbus", "enter-answer", BF_VALUE_BOOL, MODBUS(enter_answer), 0, 0, "yes", NULL,
	  "the pack answers that; no: it goes without a word" },
	{ "modbus", "enter-quiet-ms", NUM, MODBUS(enter_quiet_ms), 0, 10000, "0", NULL,
	  "silence before it, after the last answer of the pack" },
};
/* clang-format on */

const struct bf_profile_section bf_section_modbus = {
	.name = "modbus",
	.size = sizeof(struct bf_modbus_profile),
	.rows = rows,
	.n_rows = BF_COUNT(rows),
	.check = check,
	.note = note,
};
