/* SPDX-License-Identifier: MIT */
/*
 * How well separation times are kept in real time: messages by ISO-TP to a bus that takes each frame at once
 * and asks for a gap. Prints for each gap: asked, frames, then how late they were in microseconds: half of
 * them, 99 in 100, the worst. Never early, or the exit status is 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bmsflash/link.h"

#define MESSAGE  4095u
#define FRAMES   585u /* consecutive ones of a message */
#define MESSAGES 4u

struct bus {
	struct bf_transport t;
	uint8_t st_min;
	bool asked; /* a first frame was seen: flow control is due */
	bf_time before;
	bf_time late[MESSAGES * FRAMES];
	size_t n;
	bf_time gap;
};

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *f, bf_time deadline,
			   struct bf_err *err)
{
	struct bus *b = BF_CONTAINER_OF(t, struct bus, t);
	bf_time now = bf_now(t->clock);

	(void)deadline, (void)err;
	if (f->data[0] >> 4 == 1)
		b->asked = true;
	else if (b->before)
		b->late[b->n++] = now - b->before - b->gap;
	b->before = b->asked ? 0 : now;
	return BF_OK;
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct bus *b = BF_CONTAINER_OF(t, struct bus, t);

	(void)deadline, (void)err;
	if (!b->asked)
		return BF_E_TIMEOUT;
	b->asked = false;
	*ret = (struct bf_frame){ .id = 0x7E8, .len = 3, .data = { 0x30, 0, b->st_min } };
	return BF_OK;
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	(void)t, (void)filters, (void)n, (void)err;
	return BF_OK;
}

/* A bit rate that is not known: no time is allowed for the frame itself. */
static void bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	(void)t;
	*ret = (struct bf_bus_report){ 0 };
}

static const struct bf_bus_ops bus_ops = {
	.send = bus_send, .recv = bus_recv, .filter = bus_filter, .report = bus_report
};
static const struct bf_transport_ops transport_ops = { .name = "null",
						       .wire = BF_WIRE_BUS,
						       .bus = &bus_ops };

static int by_size(const void *a, const void *b)
{
	bf_time x = *(const bf_time *)a, y = *(const bf_time *)b;

	return (x > y) - (x < y);
}

static int measure(uint8_t st_min, bf_time gap)
{
	const struct bf_isotp_opts opts = { .tx_id = 0x7E0, .rx_id = 0x7E8, .pad = 0xCC };
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	BF_AUTO(bf_link) *link = NULL;
	static const uint8_t message[MESSAGE];
	struct bus *b = calloc(1, sizeof(*b));
	struct bf_err err;
	int early;

	if (!b)
		abort();
	bf_err_init(&err);
	b->t = (struct bf_transport){ .ops = &transport_ops, .clock = clock };
	b->st_min = st_min;
	b->gap = gap;
	if (bf_isotp_open(&b->t, &opts, &link, &err))
		abort();
	for (unsigned i = 0; i < MESSAGES; i++) {
		b->before = 0;
		if (link->ops->send(link, message, MESSAGE, bf_in(clock, BF_SEC(1)), &err))
			abort();
	}
	qsort(b->late, b->n, sizeof(b->late[0]), by_size);
	printf("%lld %zu %lld %lld %lld\n", (long long)gap, b->n, (long long)b->late[b->n / 2],
	       (long long)b->late[b->n * 99 / 100], (long long)b->late[b->n - 1]);
	early = b->late[0] < 0;
	free(b);
	return early;
}

int main(void)
{
	static const struct {
		uint8_t st_min;
		bf_time us;
	} rows[] = { { 0xF1, 100 }, { 0xF5, 500 }, { 0x01, 1000 }, { 0x05, 5000 } };
	int early = 0;

	for (size_t i = 0; i < BF_COUNT(rows); i++)
		early |= measure(rows[i].st_min, rows[i].us);
	return early;
}
