/* SPDX-License-Identifier: MIT */
#include "bmsflash/json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

/* struct bf_json is never defined: a bf_json pointer is a json_t pointer in disguise. */
static json_t *in(struct bf_json *j)
{
	return (json_t *)(void *)j;
}

static const json_t *in_const(const struct bf_json *j)
{
	return (const json_t *)(const void *)j;
}

static struct bf_json *out(json_t *j)
{
	if (!j)
		abort();
	return (struct bf_json *)(void *)j;
}

struct bf_json *bf_json_object(void)
{
	return out(json_object());
}

struct bf_json *bf_json_array(void)
{
	return out(json_array());
}

struct bf_json *bf_json_free(struct bf_json *json)
{
	json_decref(in(json));
	return NULL;
}

/* Length of a well-formed UTF-8 character at p, 0 when there is none. jansson is the judge. */
static size_t utf8_len(const char *p)
{
	for (size_t n = 1; n <= 4 && memchr(p, 0, n) == NULL; n++) {
		json_t *probe = json_stringn(p, n);

		if (probe) {
			json_decref(probe);
			return n;
		}
	}
	return 0;
}

static json_t *text_value(const char *value)
{
	json_t *s = json_string(value);
	BF_AUTO_MEM char *clean = NULL;
	size_t at = 0;

	if (s)
		return s;
	clean = calloc(1, strlen(value) + 1);
	if (!clean)
		abort();
	while (*value) {
		size_t n = utf8_len(value);

		if (n == 0) {
			clean[at++] = '?';
			value++;
		}
		memcpy(clean + at, value, n);
		at += n;
		value += n;
	}
	return json_string(clean);
}

void bf_json_set_str(struct bf_json *object, const char *key, const char *value)
{
	json_object_set_new(in(object), key, value ? text_value(value) : json_null());
}

void bf_json_set_int(struct bf_json *object, const char *key, int64_t value)
{
	json_object_set_new(in(object), key, json_integer(value));
}

void bf_json_set_real(struct bf_json *object, const char *key, double value)
{
	json_t *real = json_real(value); /* NULL for infinities, which JSON has not */

	json_object_set_new(in(object), key, real ? real : json_null());
}

void bf_json_set_bool(struct bf_json *object, const char *key, bool value)
{
	json_object_set_new(in(object), key, json_boolean(value));
}

void bf_json_set_null(struct bf_json *object, const char *key)
{
	json_object_set_new(in(object), key, json_null());
}

void bf_json_set_hex(struct bf_json *object, const char *key, const void *p, size_t len)
{
	BF_AUTO_MEM char *text = malloc(2 * len + 1);

	if (!text)
		abort();
	bf_json_set_str(object, key, bf_hex(text, 2 * len + 1, p, len));
}

void bf_json_set(struct bf_json *object, const char *key, struct bf_json *take_value)
{
	json_object_set_new(in(object), key, in(take_value));
}

void bf_json_add(struct bf_json *array, struct bf_json *take_value)
{
	json_array_append_new(in(array), in(take_value));
}

void bf_json_add_str(struct bf_json *array, const char *value)
{
	json_array_append_new(in(array), text_value(value));
}

void bf_json_add_real(struct bf_json *array, double value)
{
	json_t *real = json_real(value);

	json_array_append_new(in(array), real ? real : json_null());
}

char *bf_json_line(const struct bf_json *json)
{
	char *text =
		json_dumps(in_const(json), JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

	if (!text)
		abort();
	return text;
}

enum bf_rc bf_json_parse(const char *text, size_t len, struct bf_json **ret, struct bf_err *err)
{
	json_error_t why;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!j)
		return bf_fail(err, BF_E_IMAGE, "not valid JSON at line %d, column %d: %s",
			       why.line, why.column, why.text);
	*ret = out(j);
	return BF_OK;
}

const char *bf_json_str(const struct bf_json *object, const char *key)
{
	return json_string_value(json_object_get(in_const(object), key));
}

int64_t bf_json_int(const struct bf_json *object, const char *key, int64_t def)
{
	const json_t *v = json_object_get(in_const(object), key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : def;
}

double bf_json_real(const struct bf_json *object, const char *key, double def)
{
	const json_t *v = json_object_get(in_const(object), key);

	return json_is_number(v) ? json_number_value(v) : def;
}

bool bf_json_bool(const struct bf_json *object, const char *key, bool def)
{
	const json_t *v = json_object_get(in_const(object), key);

	return json_is_boolean(v) ? json_is_true(v) : def;
}

const struct bf_json *bf_json_get(const struct bf_json *object, const char *key)
{
	return (const struct bf_json *)(const void *)json_object_get(in_const(object), key);
}

size_t bf_json_len(const struct bf_json *array)
{
	return json_array_size(in_const(array));
}

const struct bf_json *bf_json_at(const struct bf_json *array, size_t i)
{
	return (const struct bf_json *)(const void *)json_array_get(in_const(array), i);
}
