/* SPDX-License-Identifier: MIT */
/* A USB bus on virtual time: devices come and go, transfers end as the test says. */
#pragma once

#include "../unit.h"

#include "transport/usb_priv.h"

#define FAKE_USB_SCENES 6

struct fake_scene { /* what is on the bus from a moment on */
	bf_time from;
	size_t n;
	struct bf_usb_seen seen[4];
};

struct fake_answer { /* how the next transfer ends */
	bf_time after;
	enum bf_usb_end end;
	size_t moved;
	uint8_t data[64];
	bool ends_on_cancel_as_done; /* it was carried out just before it was taken back */
	bool never;                  /* does not even end when cancelled */
};

struct fake_usb {
	struct bf_usb_host host;
	struct bf_vsource source;
	struct bf_clock *clock;
	struct fake_scene scenes[FAKE_USB_SCENES];
	size_t n_scenes;
	bf_time denied_until;
	enum bf_usb_end claim_end, reset_end;
	uint8_t claimed[2];
	struct fake_answer answers[4];
	size_t n_answers, answered;
	struct bf_usb_job *job;
	const struct fake_answer *current;
	bf_time job_at;
	uint8_t sent[128]; /* the last submitted bytes */
	size_t sent_len;
	uint8_t endpoint;
	struct bf_usb_seen opened;
	unsigned opens, shuts, leaked;
	bool *freed;
};

/* Freed by its transport; *freed tells. */
struct fake_usb *fake_usb_new(struct bf_clock *vclock, bool *freed);
