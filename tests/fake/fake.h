/* SPDX-License-Identifier: MIT */
/*
 * Peers in memory: a byte stream, a frame bus and a USB device that answer by a script, on any clock
 * (on a virtual one the microseconds are exact). How to use:
 *
 *	BF_AUTO(bf_clock) *clock = bf_vclock_new();
 *	BF_AUTO(fake) *peer = fake_bus_new(clock);            // declare it before what borrows it
 *	fake_on(peer, "7E0#023E00*", "7E8#027E00", BF_MS(2)); // whenever X is seen, Y after 2 ms
 *	fake_once(peer, "7E0#0322F186*", "", 0);              // the first time: silence
 *	... use fake_transport(peer) ...
 *	assert_string_equal(fake_heard(peer), "7E0#023E00\n"); // all that the client sent
 *
 * Patterns and answers are text; blanks are ignored. In patterns `?` stands for one hex digit and a
 * trailing `*` for whatever follows.
 *	stream   "80 10 F1 02 3E 00 C1"   matched against the bytes not yet consumed, from the front
 *	bus      "7E0#0210 03", "18DA10F1#...", FD "7E0##1..." (candump's form). Several frames in an
 *	         answer are divided by ";".
 *	usb      OUT "21 01 0002 0000: AABB", IN "A1 03 0000 0000 <0006" (type request value index,
 *	         then the data or the length asked for); bulk OUT "EP01: AABB". A control answer is the
 *	         data of an IN request, or the word "stall", "timeout" or "gone".
 *	         fake_say(peer, "EP81: 0011", 0) fills a bulk IN endpoint.
 * Rules made by fake_once come first and are used up; then those of fake_on, in their order; then
 * the handler, for peers that need code. Handlers answer through fake_say and its kin. What nobody
 * answers is silence (control requests: stall).
 */
#pragma once

#include "bmsflash/transport.h"

struct fake;

struct fake *fake_stream_new(struct bf_clock *clock);
struct fake *fake_bus_new(struct bf_clock *clock);
struct fake *fake_usb_new(struct bf_clock *clock);
/* Frees all, whether the transport was closed or not. Takes NULL, returns NULL. */
struct fake *fake_free(struct fake *f);
BF_DEFINE_CLEANUP(fake, fake_free)

/* Closing it only marks the fake as closed, so that the test can still look at what was heard. */
struct bf_transport *fake_transport(struct fake *f);
bool fake_closed(const struct fake *f);

void fake_on(struct fake *f, const char *see, const char *answer, bf_time after);
void fake_once(struct fake *f, const char *see, const char *answer, bf_time after);
/* Once-rules that were not used: a script that was played to its end has none. */
size_t fake_unused(const struct fake *f);

/* The peer speaks `after` microseconds from now, but never before what it said earlier. */
void fake_say(struct fake *f, const char *what, bf_time after);
void fake_say_bytes(struct fake *f, const uint8_t *p, size_t len, bf_time after); /* stream */
void fake_say_frame(struct fake *f, const struct bf_frame *frame, bf_time after); /* bus */
void fake_say_bulk(struct fake *f, uint8_t endpoint, const uint8_t *p, size_t len, bf_time after);

/* Everything that the client sent: stream: hex, one write a line; bus and usb: one frame or transfer
 * a line in the forms above, without blanks. Valid until the next call. */
const char *fake_heard(struct fake *f);
void fake_forget(struct fake *f); /* empties fake_heard */

/* From then on every call ends with BF_E_GONE. BF_NEVER: stays. */
void fake_gone_at(struct fake *f, bf_time at);
/* The wire takes nothing before this time (full queue). */
void fake_blocked_until(struct fake *f, bf_time at);

/* ---- stream ---- */

/* Time of one byte on the wire, both ways; 0 (default): everything arrives at once. */
void fake_stream_pace(struct fake *f, bf_time byte_us);
/* Called with what was written and not consumed; returns how much it consumes (0: wait for more). */
typedef size_t fake_stream_fn(struct fake *f, void *ctx, const uint8_t *p, size_t len);
void fake_stream_handle(struct fake *f, fake_stream_fn *fn, void *ctx);
const struct bf_line *fake_stream_line(const struct fake *f); /* as set last */
/* After fake_gone_at it can be opened again from this time on; BF_NEVER (default): never. Modem lines,
 * breaks and reopening are heard as "RTS=1 DTR=0", "break 250000" and "reopen". */
void fake_stream_back_at(struct fake *f, bf_time at);
void fake_stream_no_modem(struct fake *f);        /* as a pty */
unsigned fake_stream_modem(const struct fake *f); /* lines that are on; at first all */

/* ---- bus ---- */

typedef void fake_bus_fn(struct fake *f, void *ctx, const struct bf_frame *frame);
void fake_bus_handle(struct fake *f, fake_bus_fn *fn, void *ctx);
void fake_bus_set_report(struct fake *f, const struct bf_bus_report *report);

/* ---- usb ---- */

/* Answers one control request as bf_usb_ops.control does; *ret_after: how long it takes. */
typedef enum bf_rc fake_usb_fn(struct fake *f, void *ctx, const struct bf_usb_setup *setup,
			       uint8_t *data, size_t len, size_t *ret_len, bf_time *ret_after,
			       struct bf_err *err);
void fake_usb_handle(struct fake *f, fake_usb_fn *fn, void *ctx);
/* Called after each bus reset. */
typedef void fake_reset_fn(struct fake *f, void *ctx);
void fake_usb_handle_reset(struct fake *f, fake_reset_fn *fn, void *ctx);
/* Called with each bulk OUT transfer that no rule answers. */
typedef void fake_bulk_fn(struct fake *f, void *ctx, uint8_t endpoint, const uint8_t *p,
			  size_t len);
void fake_usb_handle_bulk(struct fake *f, fake_bulk_fn *fn, void *ctx);
/* What the device shows; the configuration is borrowed. String n of n_strings answers index n. */
void fake_usb_set_device(struct fake *f, const struct bf_usb_device *device);
void fake_usb_set_strings(struct fake *f, const char *const *strings, size_t n_strings);
/* The device leaves now; reopen finds it as `device` (NULL: unchanged) after that time. */
void fake_usb_leave(struct fake *f, const struct bf_usb_device *device, bf_time back_after);
unsigned fake_usb_resets(const struct fake *f);
int fake_usb_claimed(const struct fake *f, uint8_t *ret_alt); /* interface, -1: none */

/* ---- text forms ---- */

/* "7E0#0210", "7E0##1AABB": false when it is none. */
bool fake_frame_parse(const char *text, struct bf_frame *ret);
#define FAKE_FRAME_TEXT (8 + 3 + 2 * BF_CAN_MAX_DATA + 1)
char *fake_frame_text(const struct bf_frame *frame, char dst[FAKE_FRAME_TEXT]);
