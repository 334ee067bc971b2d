/* SPDX-License-Identifier: MIT */
/* JSON values, by jansson; the only door to that library. Opaque: struct bf_json. */
#pragma once

#include <stdbool.h>

#include "bmsflash/base.h"
#include "bmsflash/err.h"

struct bf_json;

struct bf_json *bf_json_object(void);
struct bf_json *bf_json_array(void);
struct bf_json *bf_json_free(struct bf_json *json); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_json, bf_json_free)

/* Members keep the order in which they were set. Text that is not UTF-8 has its bad bytes replaced.
 * A text of NULL becomes null. */
void bf_json_set_str(struct bf_json *object, const char *key, const char *value);
void bf_json_set_int(struct bf_json *object, const char *key, int64_t value);
void bf_json_set_real(struct bf_json *object, const char *key, double value);
void bf_json_set_bool(struct bf_json *object, const char *key, bool value);
void bf_json_set_null(struct bf_json *object, const char *key);
void bf_json_set_hex(struct bf_json *object, const char *key, const void *p, size_t len);
void bf_json_set(struct bf_json *object, const char *key, struct bf_json *take_value);
void bf_json_add(struct bf_json *array, struct bf_json *take_value);
void bf_json_add_str(struct bf_json *array, const char *value);
void bf_json_add_real(struct bf_json *array, double value);

/* One line without a trailing newline; the caller frees. Reals carry at most 6 significant digits. */
char *bf_json_line(const struct bf_json *json);

/* Parses one whole document; BF_E_IMAGE with line and column on failure. */
enum bf_rc bf_json_parse(const char *text, size_t len, struct bf_json **ret, struct bf_err *err);

/* Readers: the default when the member is absent or of another type. Strings are borrowed. */
const char *bf_json_str(const struct bf_json *object, const char *key); /* or NULL */
int64_t bf_json_int(const struct bf_json *object, const char *key, int64_t def);
double bf_json_real(const struct bf_json *object, const char *key, double def);
bool bf_json_bool(const struct bf_json *object, const char *key, bool def);
const struct bf_json *bf_json_get(const struct bf_json *object, const char *key); /* borrowed */
size_t bf_json_len(const struct bf_json *array);
const struct bf_json *bf_json_at(const struct bf_json *array, size_t i); /* borrowed */
