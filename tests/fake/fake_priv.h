/* SPDX-License-Identifier: MIT */
/* What the three fakes share: the script, the queue of what the peer says, the record. */
#pragma once

#include <stdio.h>

#include "fake.h"

struct fake_rule {
	char *see;
	char *answer;
	bf_time after;
	bool once, used;
};

/* Something that the peer says: bytes (stream, bulk endpoint) or a frame. */
struct fake_item {
	bf_time at;
	uint8_t endpoint;
	struct bf_frame frame;
	uint8_t *bytes;
	size_t len, pos;
};

struct fake {
	struct bf_transport t;
	bool closed;
	bf_time gone_at, blocked_until, busy_until;
	struct fake_rule *rules;
	size_t n_rules;
	struct fake_item *queue;
	size_t n_queue;
	char *heard;
	size_t heard_len, heard_cap;
	void (*say)(struct fake *f, const char *what, bf_time after);

	/* stream */
	bf_time byte_us;
	uint8_t *pending; /* written and not consumed by rule or handler */
	size_t n_pending;
	struct bf_line line;
	fake_stream_fn *stream_fn;
	unsigned modem;
	bool no_modem;

	/* bus */
	struct bf_filter filters[16];
	size_t n_filters;
	struct bf_bus_report bus_report;
	fake_bus_fn *bus_fn;

	/* usb */
	struct bf_usb_device device, next_device;
	const char *const *strings;
	size_t n_strings;
	bf_time back_at;
	bool left;
	unsigned resets;
	int claimed;
	uint8_t alt;
	fake_usb_fn *usb_fn;
	fake_reset_fn *reset_fn;
	void *reset_ctx;
	fake_bulk_fn *bulk_fn;
	void *bulk_ctx;

	void *ctx;
};

void *fake_grow(void *array, size_t n, size_t size);
struct fake *fake_new(struct bf_clock *clock, const struct bf_transport_ops *ops, const char *name);
void fake_close(struct bf_transport *t);
struct fake *fake_of(struct bf_transport *t);
void fake_hear(struct fake *f, const char *line);
/* The rule that answers the text (a once-rule is used up), NULL if none. When prefix is not NULL a rule
 * may match the beginning only; *prefix is how many characters it took. */
const struct fake_rule *fake_match(struct fake *f, const char *text, size_t *prefix);
/* Copies without blanks, in upper case; freed by the caller. */
char *fake_squeeze(const char *text);
/* Appends to the queue, not before what is queued already; takes the bytes' copy. */
void fake_push(struct fake *f, struct fake_item item, const uint8_t *p, size_t len, bf_time at);
void fake_pop(struct fake *f, size_t i);
/* Waits for `at` or the deadline or the end of the peer; BF_OK: it is `at` now. */
enum bf_rc fake_wait(struct fake *f, bf_time at, bf_time deadline, const char *what,
		     struct bf_err *err);
size_t fake_unhex(const char *text, uint8_t *dst, size_t cap);
