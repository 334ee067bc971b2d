/* SPDX-License-Identifier: MIT */
/* What bmsflash/transport.h promises, tried on every wire that can run here. */
#include "../unit/unit.h"

#include <stdio.h>

#include "wires.h"

#define BULK_IN  0x81
#define BULK_OUT 0x01

/* Real time only has to be not early and not absurd; virtual time is exact. */
#define LATE BF_SEC(2)

/* ---- one message, whatever the wire ---- */

static enum bf_rc send_message(struct wire *w, const uint8_t m[WIRE_MESSAGE], struct bf_err *err)
{
	const struct bf_transport_ops *ops = w->t->ops;
	struct bf_frame frame = { .id = 0x7E0, .len = WIRE_MESSAGE };
	bf_time deadline = bf_in(w->clock, BF_SEC(1));
	uint8_t copy[WIRE_MESSAGE];
	size_t n;

	memcpy(copy, m, WIRE_MESSAGE);
	memcpy(frame.data, m, WIRE_MESSAGE);
	switch (ops->wire) {
	case BF_WIRE_STREAM:
		return ops->stream->write(w->t, m, WIRE_MESSAGE, deadline, err);
	case BF_WIRE_BUS:
		return ops->bus->send(w->t, &frame, deadline, err);
	case BF_WIRE_USB:
		return ops->usb->bulk(w->t, BULK_OUT, copy, WIRE_MESSAGE, &n, deadline, err);
	}
	return BF_E_INTERNAL;
}

static enum bf_rc recv_stream(struct wire *w, uint8_t m[WIRE_MESSAGE], bf_time deadline,
			      struct bf_err *err)
{
	size_t at = 0, n;

	while (at < WIRE_MESSAGE) {
		if (w->t->ops->stream->read(w->t, m + at, WIRE_MESSAGE - at, &n, deadline, err))
			return err->rc;
		assert_true(n >= 1 && n <= WIRE_MESSAGE - at);
		at += n;
	}
	return BF_OK;
}

static enum bf_rc recv_message(struct wire *w, uint8_t m[WIRE_MESSAGE], bf_time deadline,
			       struct bf_err *err)
{
	const struct bf_transport_ops *ops = w->t->ops;
	struct bf_frame frame;
	size_t n = WIRE_MESSAGE;
	enum bf_rc rc = BF_E_INTERNAL;

	switch (ops->wire) {
	case BF_WIRE_STREAM:
		return recv_stream(w, m, deadline, err);
	case BF_WIRE_BUS:
		rc = ops->bus->recv(w->t, &frame, deadline, err);
		if (!rc)
			memcpy(m, frame.data, WIRE_MESSAGE);
		break;
	case BF_WIRE_USB:
		rc = ops->usb->bulk(w->t, BULK_IN, m, WIRE_MESSAGE, &n, deadline, err);
		break;
	}
	assert_int_equal(n, WIRE_MESSAGE);
	return rc;
}

static void assert_fails(struct wire *w, bf_time wait, enum bf_rc want)
{
	uint8_t m[WIRE_MESSAGE];
	struct bf_err err;

	bf_err_init(&err);
	assert_int_equal(recv_message(w, m, bf_in(w->clock, wait), &err), want);
	assert_int_equal(err.rc, want);
	assert_true(err.cause[0]);
}

/* ---- promises ---- */

static void is_exactly_one_kind_of_wire_and_has_a_name(struct wire *w)
{
	const struct bf_transport_ops *ops = w->t->ops;

	assert_int_equal(!!ops->stream + !!ops->bus + !!ops->usb, 1);
	assert_int_equal(ops->wire == BF_WIRE_STREAM, ops->stream != NULL);
	assert_int_equal(ops->wire == BF_WIRE_BUS, ops->bus != NULL);
	assert_int_equal(ops->wire == BF_WIRE_USB, ops->usb != NULL);
	assert_true(w->t->name[0]);
	assert_non_null(w->t->clock);
}

static void keeps_the_deadline(struct wire *w)
{
	bf_time begin = bf_now(w->clock);
	bf_time took;

	assert_fails(w, BF_MS(5), BF_E_TIMEOUT);
	took = bf_now(w->clock) - begin;
	if (bf_clock_is_virtual(w->clock))
		assert_int_equal(took, BF_MS(5));
	assert_true(took >= BF_MS(5) && took < LATE);
	assert_true(w->t->stats.waited_us >= BF_MS(4));
}

static void polls_once_when_the_deadline_is_past(struct wire *w)
{
	bf_time begin = bf_now(w->clock);

	assert_fails(w, -1, BF_E_TIMEOUT);
	assert_true(bf_now(w->clock) - begin < LATE);
}

static void stops_when_the_user_cancels(struct wire *w)
{
	bf_time begin = bf_now(w->clock);

	wire_cancel(w);
	assert_fails(w, BF_SEC(60), BF_E_INTERRUPTED);
	assert_true(bf_now(w->clock) - begin < LATE);
}

static void does_not_stop_while_cancellation_is_held(struct wire *w)
{
	bf_clock_hold(w->clock);
	wire_cancel(w);
	assert_fails(w, BF_MS(5), BF_E_TIMEOUT);
	bf_clock_release(w->clock);
	assert_fails(w, BF_MS(5), BF_E_INTERRUPTED);
}

static void delivers_in_order(struct wire *w)
{
	struct bf_err err;

	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t m[WIRE_MESSAGE] = { 'm', i, (uint8_t)~i, i };

		w->row->peer_says(w, m);
	}
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t want[WIRE_MESSAGE] = { 'm', i, (uint8_t)~i, i };
		uint8_t got[WIRE_MESSAGE];

		assert_int_equal(recv_message(w, got, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
		assert_memory_equal(got, want, WIRE_MESSAGE);
	}
	assert_fails(w, BF_MS(1), BF_E_TIMEOUT);
}

static void counts_what_passes(struct wire *w)
{
	const uint8_t m[WIRE_MESSAGE] = { 1, 2, 3, 4 };
	const uint8_t reply[WIRE_MESSAGE] = { 5, 6, 7, 8 };
	uint8_t got[WIRE_MESSAGE];
	struct bf_err err;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(send_message(w, m, &err), BF_OK);
		w->row->peer_says(w, reply);
		assert_int_equal(recv_message(w, got, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
	}
	assert_int_equal(w->t->stats.tx_bytes, 3 * WIRE_MESSAGE);
	assert_int_equal(w->t->stats.rx_bytes, 3 * WIRE_MESSAGE);
	if (w->t->ops->wire != BF_WIRE_STREAM) {
		assert_int_equal(w->t->stats.tx_frames, 3);
		assert_int_equal(w->t->stats.rx_frames, 3);
	}
	assert_int_equal(w->t->stats.line_errors, 0);
}

static void says_gone_when_the_peer_has_left_and_keeps_saying_so(struct wire *w)
{
	const uint8_t m[WIRE_MESSAGE] = { 0 };
	struct bf_err err;

	w->row->peer_leaves(w);
	assert_fails(w, BF_SEC(1), BF_E_GONE);
	assert_fails(w, BF_SEC(1), BF_E_GONE);
	bf_err_init(&err);
	assert_int_equal(send_message(w, m, &err), BF_E_GONE);
	assert_true(err.cause[0]);
}

static void discards_what_was_received_and_nothing_later(struct wire *w)
{
	const uint8_t stale[WIRE_MESSAGE] = { 's', 't', 'a', 'l' };
	const uint8_t fresh[WIRE_MESSAGE] = { 'n', 'e', 'w', '!' };
	uint8_t got[WIRE_MESSAGE];
	struct bf_err err;

	if (w->t->ops->wire != BF_WIRE_STREAM)
		return;
	w->row->peer_says(w, stale);
	assert_int_equal(recv_message(w, got, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
	w->row->peer_says(w, stale);
	w->t->ops->stream->discard(w->t);
	w->row->peer_says(w, fresh);
	assert_int_equal(recv_message(w, got, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
	assert_memory_equal(got, fresh, WIRE_MESSAGE);
}

static void speaks_again_after_it_was_opened_again(struct wire *w)
{
	const uint8_t stale[WIRE_MESSAGE] = { 's', 't', 'a', 'l' };
	const uint8_t asked[WIRE_MESSAGE] = { 'a', 's', 'k', '?' };
	const uint8_t fresh[WIRE_MESSAGE] = { 'n', 'e', 'w', '!' };
	uint8_t got[WIRE_MESSAGE];
	struct bf_err err;

	if (w->t->ops->wire != BF_WIRE_STREAM)
		return;
	w->row->peer_says(w, stale);
	assert_int_equal(bf_transport_reopen(w->t, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
	assert_int_equal(w->t->stats.reopened, 1);
	assert_int_equal(send_message(w, asked, &err), BF_OK);
	w->row->peer_says(w, fresh);
	assert_int_equal(recv_message(w, got, bf_in(w->clock, BF_SEC(1)), &err), BF_OK);
	assert_memory_equal(got, fresh, WIRE_MESSAGE);
}

static void stays_gone_until_it_could_be_opened_again(struct wire *w)
{
	bf_time begin;
	struct bf_err err;

	if (w->t->ops->wire != BF_WIRE_STREAM)
		return;
	w->row->peer_leaves(w);
	assert_fails(w, BF_SEC(1), BF_E_GONE);
	begin = bf_now(w->clock);
	assert_int_equal(bf_transport_reopen(w->t, bf_in(w->clock, BF_MS(5)), &err), BF_E_TIMEOUT);
	assert_true(bf_now(w->clock) - begin >= BF_MS(5));
	assert_fails(w, BF_SEC(1), BF_E_GONE);
	wire_cancel(w);
	assert_int_equal(bf_transport_reopen(w->t, bf_in(w->clock, BF_SEC(60)), &err),
			 BF_E_INTERRUPTED);
}

static void has_modem_lines_or_says_that_it_has_none(struct wire *w)
{
	struct bf_line_report report;
	enum bf_rc want = BF_E_UNSUPPORTED;
	struct bf_err err;

	if (w->t->ops->wire == BF_WIRE_STREAM) {
		w->t->ops->stream->report(w->t, &report);
		want = report.modem_lines ? BF_OK : BF_E_UNSUPPORTED;
	}
	bf_err_init(&err);
	assert_int_equal(bf_stream_set_modem(w->t, BF_MODEM_DTR, 0, &err), want);
	assert_int_equal(bf_stream_send_break(w->t, BF_MS(1), &err), want);
	assert_int_equal(!!err.cause[0], want != BF_OK);
}

static void releases_all_on_close(struct wire *w)
{
	w->t = bf_transport_close(w->t);
	assert_true(w->row->released(w));
}

enum need { NEED_SPEECH = 1, NEED_LEAVING = 2, NEED_RELEASED = 4 };

static const struct promise {
	const char *name;
	void (*try)(struct wire *w);
	unsigned needs;
} promises[] = {
#define P(f, needs)          \
	{                    \
#f, f, needs \
	}
	P(is_exactly_one_kind_of_wire_and_has_a_name, 0),
	P(keeps_the_deadline, 0),
	P(polls_once_when_the_deadline_is_past, 0),
	P(stops_when_the_user_cancels, 0),
	P(does_not_stop_while_cancellation_is_held, 0),
	P(delivers_in_order, NEED_SPEECH),
	P(counts_what_passes, NEED_SPEECH),
	P(says_gone_when_the_peer_has_left_and_keeps_saying_so, NEED_LEAVING),
	P(discards_what_was_received_and_nothing_later, NEED_SPEECH),
	P(speaks_again_after_it_was_opened_again, NEED_SPEECH),
	P(stays_gone_until_it_could_be_opened_again, NEED_LEAVING),
	P(has_modem_lines_or_says_that_it_has_none, 0),
	P(releases_all_on_close, NEED_RELEASED),
};

struct trial {
	const struct promise *promise;
	const struct wire_row *row;
	char name[128];
};

static struct wire blank(const struct wire_row *row)
{
	return (struct wire){ .row = row, .peer_fd = -1, .cancel_fds = { -1, -1 } };
}

static void try_promise(void **state)
{
	const struct trial *trial = *state;
	struct wire w = blank(trial->row);

	assert_true(trial->row->make(&w));
	trial->promise->try(&w);
	bf_transport_close(w.t);
	trial->row->clean(&w);
}

static bool is_here(const struct wire_row *row)
{
	struct wire w = blank(row);
	bool made = row->make(&w);

	bf_transport_close(w.t);
	row->clean(&w);
	if (!made)
		printf("# not on this machine or not built in: %s\n", row->name);
	return made;
}

static bool can_try(const struct promise *p, const struct wire_row *row)
{
	return (!(p->needs & NEED_SPEECH) || row->peer_says) &&
	       (!(p->needs & NEED_LEAVING) || row->peer_leaves) &&
	       (!(p->needs & NEED_RELEASED) || row->released);
}

int main(void)
{
	struct trial *trials = calloc(n_wire_rows * BF_COUNT(promises), sizeof(*trials));
	struct CMUnitTest *tests = calloc(n_wire_rows * BF_COUNT(promises), sizeof(*tests));
	size_t n = 0;
	int failed;

	if (!trials || !tests)
		abort();
	for (size_t r = 0; r < n_wire_rows; r++) {
		if (!is_here(&wire_rows[r]))
			continue;
		for (size_t p = 0; p < BF_COUNT(promises); p++) {
			if (!can_try(&promises[p], &wire_rows[r]))
				continue;
			trials[n] = (struct trial){ &promises[p], &wire_rows[r], "" };
			snprintf(trials[n].name, sizeof(trials[n].name), "%s %s", wire_rows[r].name,
				 promises[p].name);
			tests[n] = (struct CMUnitTest){ .name = trials[n].name,
							.test_func = try_promise,
							.initial_state = &trials[n] };
			n++;
		}
	}
	failed = _cmocka_run_group_tests("transport", tests, n, NULL, NULL);
	free(tests);
	free(trials);
	return failed;
}
