/* SPDX-License-Identifier: MIT */
/* A host for the tests of the pack as a USB device: plugs it in and asks by control transfers. */
#pragma once

#include "../unit.h"

#include "bmsflash/bytes.h"
#include "bmsflash/transport.h"
#include "builtin.h"
#include "pack.h"
#include "sim/usb/usb_wire.h"

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };
enum {
	APP_IDLE,
	APP_DETACH,
	IDLE,
	DNLOAD_SYNC,
	DNBUSY,
	DNLOAD_IDLE,
	MANIFEST_SYNC,
	MANIFEST,
	WAIT_RESET,
	UPLOAD_IDLE,
	ERROR
};

#define ERR_WRITE    0x03
#define ERR_VERIFY   0x07
#define ERR_ADDRESS  0x08
#define ERR_NOTDONE  0x09
#define ERR_FIRMWARE 0x0a
#define ERR_VENDOR   0x0b
#define ERR_UNKNOWN  0x0e
#define ERR_STALLED  0x0f
#define ERR_FILE     0x02

#define APP_RAW 0x08010200u

struct status {
	unsigned code, state, string;
	bf_time poll;
};

/* The wire alone: the sim layer does not lean on the drivers' archive. */
static inline void unplug(struct bf_transport **t)
{
	(*t)->ops->close(*t);
}
#define PLUGGED __attribute__((cleanup(unplug))) struct bf_transport

static inline struct bf_transport *plug(const char *keys)
{
	struct bf_open_env env = { 0 };
	struct bf_sim_opts opts;
	struct bf_transport *t = NULL;
	struct bf_pack *pack = NULL;
	struct bf_err err;

	bf_err_init(&err);
	bf_sim_opts_default(&opts);
	opts.protocol = BF_SIM_DFU;
	opts.link = BF_SIM_USB;
	assert_int_equal(bf_sim_opts_parse(keys, &opts, &err), BF_OK);
	assert_int_equal(bf_pack_new(&opts, &pack, &err), BF_OK);
	assert_int_equal(bf_sim_usb_open(pack, bf_vclock_new(), &env, &t, &err), BF_OK);
	return t;
}

/* Bytes moved, or minus an enum bf_rc. */
static inline int control(struct bf_transport *t, bool in, uint8_t request, uint16_t value,
			  void *data, size_t len)
{
	struct bf_usb_setup setup = { in ? 0xa1 : 0x21, request, value, 0 };
	struct bf_err err;
	enum bf_rc rc;
	size_t n = 0;

	bf_err_init(&err);
	rc = t->ops->usb->control(t, &setup, data, len, &n, bf_in(t->clock, BF_SEC(1)), &err);
	return rc ? -(int)rc : (int)n;
}

static inline struct status status(struct bf_transport *t)
{
	uint8_t p[6];

	assert_int_equal(control(t, true, GETSTATUS, 0, p, sizeof(p)), 6);
	return (struct status){ p[0], p[4], p[5], BF_MS(p[1] | p[2] << 8 | p[3] << 16) };
}

static inline unsigned state(struct bf_transport *t)
{
	uint8_t s;

	assert_int_equal(control(t, true, GETSTATE, 0, &s, 1), 1);
	return s;
}

static inline struct bf_usb_device device(struct bf_transport *t)
{
	struct bf_usb_device d;
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->device(t, &d, &err), BF_OK);
	return d;
}

static inline void reset(struct bf_transport *t)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->reset(t, bf_in(t->clock, BF_SEC(1)), &err), BF_OK);
}

static inline void reopen(struct bf_transport *t)
{
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(t->ops->usb->reopen(t, bf_in(t->clock, BF_SEC(30)), &err), BF_OK);
}

static inline void to_dfu_mode(struct bf_transport *t)
{
	assert_int_equal(control(t, false, DETACH, 1000, NULL, 0), 0);
	reopen(t);
}

/* Waits as long as the device says; returns where it ends. */
static inline struct status settle(struct bf_transport *t)
{
	struct status s = status(t);

	while (s.state == DNBUSY) {
		assert_true(bf_clock_until(t->clock, bf_in(t->clock, s.poll)));
		s = status(t);
	}
	return s;
}

static inline struct status put(struct bf_transport *t, uint16_t block, const void *p, size_t len)
{
	uint8_t buf[2048];

	memcpy(buf, p, len);
	assert_int_equal(control(t, false, DNLOAD, block, buf, len), len);
	return settle(t);
}

static inline const struct bf_builtin *builtin(const char *version)
{
	for (const struct bf_builtin *b = bf_builtins; b->version; b++)
		if (!strcmp(b->version, version))
			return b;
	fail_msg("no firmware %s", version);
	return NULL;
}

static inline void put_image(struct bf_transport *t, const uint8_t *p, size_t len, size_t xfer)
{
	uint16_t block = 0;

	for (size_t at = 0; at < len; at += xfer) {
		struct status s = put(t, block++, p + at, len - at < xfer ? len - at : xfer);

		assert_int_equal(s.code, 0);
		assert_int_equal(s.state, DNLOAD_IDLE);
	}
}

static inline struct status manifest(struct bf_transport *t)
{
	struct status s;

	assert_int_equal(control(t, false, DNLOAD, 0, NULL, 0), 0);
	s = status(t);
	assert_true(bf_clock_until(t->clock, bf_in(t->clock, s.poll)));
	return s;
}
