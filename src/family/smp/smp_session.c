/* SPDX-License-Identifier: MIT */
/* Finding a device, restarting it and waiting for it to come back. */
#include "smp.h"

#include <string.h>

#define RESET_DELAY BF_MS(250) /* from its answer until it restarts */
#define POLL_PACE   BF_MS(100)
#define POLL_WAIT   BF_MS(300)
#define FIND_WAIT   BF_MS(200)
#define RAW_IDLE    BF_MS(600) /* a device drops a packet that stays unfinished so long */

static void close_link(struct smp *s)
{
	s->link = bf_link_close(s->link);
}

static enum bf_rc open_link(struct smp *s, bool raw, struct bf_err *err)
{
	const struct bf_smp_serial_opts opts = { .raw = raw, .max_msg = SMP_PACKET_MAX };

	close_link(s);
	s->raw = raw;
	return bf_smp_serial_open(s->proto.env.transport, &opts, &s->link, err);
}

static bool only_silence(enum bf_rc rc)
{
	return rc == BF_E_TIMEOUT || rc == BF_E_LINK;
}

/* Any answer proves a device, a refusal as well: small builds know little else than the list. */
static enum bf_rc ask_there(struct smp *s, bf_time patience, struct bf_err *err)
{
	const struct smp_ask ask = {
		.op = SMP_READ,
		.group = SMP_GROUP_OS,
		.id = SMP_OS_PARAMS,
		.rclass = BF_RETRY_IDEMPOTENT,
		.tries = 1,
		.patience = patience,
		.what = "say whether it is there",
	};
	enum bf_rc rc = bf_smp_ask(s, &ask, NULL, err);

	if (rc && err->dev_refused)
		bf_err_init(err);
	return rc && err->rc ? rc : BF_OK;
}

static enum bf_rc seek(struct smp *s, bf_time deadline, struct bf_err *err)
{
	bf_time hurry = s->proto.env.hurry;
	enum bf_rc rc = ask_there(s, hurry ? hurry : FIND_WAIT, err);

	/* The first question may be lost in what a device says when its port is opened. */
	if (only_silence(rc) && !hurry && bf_now(smp_clock(s)) < deadline)
		rc = ask_there(s, FIND_WAIT, err);
	return rc;
}

/* Text first. Packets as they are take text for a long packet, which they drop after a silence. */
static enum bf_rc find(struct smp *s, bf_time deadline, struct bf_err *err)
{
	enum bf_smp_framing wanted = s->settings->framing;
	enum bf_rc rc = BF_E_TIMEOUT;
	bool raw_too = wanted == BF_SMP_FRAMING_AUTO && deadline != BF_NEVER &&
		       deadline - bf_now(smp_clock(s)) > 2 * FIND_WAIT && !s->proto.env.hurry;

	if (wanted != BF_SMP_FRAMING_RAW) {
		rc = open_link(s, false, err);
		if (!rc)
			rc = seek(s, deadline, err);
	}
	if (only_silence(rc) && raw_too &&
	    !bf_clock_until(smp_clock(s), bf_in(smp_clock(s), RAW_IDLE)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while looking for a pack");
	if (wanted == BF_SMP_FRAMING_RAW || (only_silence(rc) && raw_too)) {
		bf_err_init(err);
		rc = open_link(s, true, err);
		if (!rc)
			rc = seek(s, bf_in(smp_clock(s), FIND_WAIT), err);
	}
	return rc;
}

static enum bf_rc nobody(struct smp *s, struct bf_err *err)
{
	close_link(s);
	bf_fail(err, BF_E_NODEV, "No SMP server answered on '%s'.", s->proto.env.transport->name);
	bf_likely(err, "the pack is asleep or has no power, or its bootloader waits for a button "
		       "or a window after power-on");
	bf_likely(err, "another baud rate than the profile's");
	return err->rc;
}

enum bf_rc bf_smp_need_link(struct smp *s, struct bf_err *err)
{
	if (s->link)
		return BF_OK;
	return open_link(s, s->settings->framing == BF_SMP_FRAMING_RAW || s->raw, err);
}

enum bf_rc bf_smp_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	enum bf_rc rc = find(s, deadline, err);

	return only_silence(rc) ? nobody(s, err) : rc;
}

/* There are no sessions; what is open of an upload stays so, and goes on where the device says. */
enum bf_rc bf_smp_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct smp *s = smp_of(p);

	(void)entry;
	if (bf_smp_need_link(s, err))
		return err->rc;
	return s->strays ? bf_smp_ping(p, err) : BF_OK;
}

enum bf_rc bf_smp_ping(struct bf_proto *p, struct bf_err *err)
{
	struct smp *s = smp_of(p);

	return ask_there(s, BF_MS(s->settings->answer_ms), err);
}

/* The answer may be lost with the restart; whether it went is for await to see. */
enum bf_rc bf_smp_restart(struct bf_proto *p, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	uint8_t buf[1];
	struct bf_out body = bf_out(buf, sizeof(buf));
	const struct smp_ask ask = {
		.op = SMP_WRITE,
		.group = SMP_GROUP_OS,
		.id = SMP_OS_RESET,
		.body = &body,
		.rclass = BF_RETRY_DESTRUCTIVE,
		.what = "restart",
	};
	enum bf_rc rc;

	bf_smp_put_map(&body, 0);
	rc = bf_smp_ask(s, &ask, NULL, err);
	if (rc && !only_silence(rc) && rc != BF_E_GONE)
		return rc;
	s->restarted_at = bf_now(smp_clock(s));
	s->restarts++;
	s->upload = (struct smp_upload){ .window = 0 };
	s->talks = BF_TALKS_UNKNOWN;
	s->strays = true;
	return rc;
}

/*
 * A bootloader with a window stays in recovery when it hears a request in it, so that nothing is asked at once. How
 * long its window is nobody knows: each restart that ended in recovery waits longer.
 */
static bf_time quiet_until(const struct smp *s)
{
	bf_time quiet = BF_MS(s->settings->boot_wait_ms);

	if (!s->restarts)
		return 0;
	for (unsigned i = 1; i < s->restarts && i < 4; i++)
		quiet *= 3;
	return s->restarted_at + RESET_DELAY + quiet;
}

static enum bf_rc wait_for(struct smp *s, bf_time until, struct bf_err *err)
{
	if (bf_now(smp_clock(s)) < until && !bf_clock_until(smp_clock(s), until))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped while the pack was restarting");
	return BF_OK;
}

enum bf_rc bf_smp_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct smp *s = smp_of(p);
	uint64_t reopened = s->proto.env.transport->stats.reopened;
	enum bf_rc rc = bf_smp_need_link(s, err);
	bf_time quiet;

	/* A port that was gone shows when the device that it belongs to began. */
	if (s->restarts && reopened != s->reopened)
		s->restarted_at = bf_now(smp_clock(s)) - RESET_DELAY;
	s->reopened = reopened;
	quiet = quiet_until(s);
	if (rc || wait_for(s, quiet < deadline ? quiet : deadline, err))
		return err->rc;
	s->link->ops->flush(s->link);
	for (;;) {
		rc = ask_there(s, POLL_WAIT, err);
		if (!only_silence(rc))
			return rc;
		if (bf_now(smp_clock(s)) >= deadline)
			break;
		bf_smp_alive(s, "restart");
		if (wait_for(s, bf_in(smp_clock(s), POLL_PACE), err))
			return err->rc;
	}
	bf_fail(err, BF_E_NODEV, "The pack did not answer again after its restart.");
	bf_likely(err, "its firmware does not speak SMP, or not on this line");
	if (s->tested)
		bf_likely(err, "it is on its test boot: unless its firmware confirms itself, the "
			       "pack reverts "
			       "when it is switched off and on");
	bf_likely(err, "it needs longer: restart-ms in [pack] of the profile");
	return err->rc;
}
