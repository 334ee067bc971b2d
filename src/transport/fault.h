/* SPDX-License-Identifier: MIT */
/* The specification of the fault injector, and what the files of its wrapper share. */
#pragma once

#include "bmsflash/rng.h"
#include "bmsflash/transport.h"
#include "wrap.h"

/* Shares are in parts per million of messages. */
struct bf_fault_spec {
	uint64_t seed;
	uint32_t drop, flip, delay, dup, trunc;
	bf_time delay_us;
	uint64_t cut;      /* messages until the wire is cut, 0: never */
	uint64_t unplug;   /* messages until the interface vanishes, 0: never */
	bf_time unplug_us; /* so long after that it can be opened again */
};

/* How many characters of the text belong to the specification: up to the ':' before an address. */
size_t bf_fault_spec_len(const char *text) BF_NONNULL;
/* BF_E_USAGE names the place of the mistake. */
enum bf_rc bf_fault_parse(const char *spec, struct bf_fault_spec *ret, struct bf_err *err);

#define BF_FAULT_HELD_MAX 4096

/* What happens to one message. */
struct bf_fate {
	bool drop, flip, dup, trunc;
	bf_time delay;
};

/* Received and not handed on yet: because of a delay, a repetition or a small buffer. */
struct bf_fault_held {
	bool full;
	bool again; /* to be delivered once more */
	bf_time ready_at;
	struct bf_frame frame;
	size_t len, pos;
	uint8_t bytes[BF_FAULT_HELD_MAX];
};

struct bf_fault {
	struct bf_wrap w;
	struct bf_fault_spec spec;
	struct bf_rng rng;
	uint64_t messages;
	uint64_t line_errors; /* made by us */
	bool parity;          /* of a serial line */
	bool unplugged, was_unplugged;
	bf_time back_at; /* while unplugged */
	struct bf_fault_held held;
};

struct bf_fault *bf_fault_of(struct bf_transport *t);
struct bf_fate bf_fault_draw(struct bf_fault *f);
/* BF_E_GONE while the wire is cut or unplugged. */
enum bf_rc bf_fault_check_cut(struct bf_wrap *w, struct bf_err *err);
enum bf_rc bf_fault_wait(struct bf_fault *f, bf_time at, bf_time deadline, struct bf_err *err);
size_t bf_fault_shortened(struct bf_fault *f, size_t len);
enum bf_rc bf_fault_usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
				uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
				struct bf_err *err);
enum bf_rc bf_fault_usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			     size_t *ret_len, bf_time deadline, struct bf_err *err);
