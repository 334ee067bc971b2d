/* SPDX-License-Identifier: MIT */
/*
 * A whole session with a device whose answers' bodies are the input, on virtual time. Nothing that it says may break the
 * client's memory or keep it for ever.
 */
#include "fuzz.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/family.h"
#include "link/smp_serial_codec.h"
#include "smp/smp.h"
#include "wire.h"

#define HEARD_MAX 300 /* requests; the rest is silence */
#define LONGEST   BF_SEC(3 * 3600)
#define BODY_MAX  400u

struct device {
	struct wire *w;
	const uint8_t *p;
	size_t left;
	unsigned heard;
	struct bf_smp_console in;
	uint8_t rx[20000];
};

static uint8_t take(struct device *d)
{
	if (!d->left)
		return 0;
	d->left--;
	return *d->p++;
}

/* One record of the input is one answer: any body, an offset, or none; now and then with another number. */
static void answer(struct device *d, const uint8_t *request)
{
	uint8_t packet[SMP_HEADER + BODY_MAX], wire[2 * (SMP_HEADER + BODY_MAX)], kind = take(d);
	struct bf_out o = bf_out(packet + SMP_HEADER, BODY_MAX);
	size_t n;

	if (kind % 8 == 7)
		return;
	if (kind % 8 < 3) {
		bf_smp_put_map(&o, 1);
		bf_smp_put_number(&o, kind & 0x10 ? "rc" : "off",
				  (uint64_t)take(d) << (kind >> 5) * 8 | take(d));
	} else {
		n = take(d) + (kind & 0x10 ? 128u : 0u);
		n = n < d->left ? n : d->left;
		n = n < BODY_MAX ? n : BODY_MAX;
		bf_out_bytes(&o, d->p, n);
		d->p += n;
		d->left -= n;
	}
	memcpy(packet, request, SMP_HEADER);
	packet[0] = (uint8_t)(packet[0] + 1);
	packet[6] = (uint8_t)(packet[6] + (kind & 0x08 ? take(d) : 0));
	bf_put_be16(packet + 2, (uint16_t)o.len);
	wire_put_bytes(d->w, BF_MS(1), wire,
		       bf_smp_console_encode(wire, packet, SMP_HEADER + o.len));
}

static void heard(struct wire *w, const uint8_t *p, size_t len)
{
	struct device *d = w->peer;

	for (size_t i = 0; i < len; i++) {
		if (bf_smp_console_put(&d->in, p[i]) == BF_DEFRAME_MESSAGE &&
		    d->heard++ < HEARD_MAX)
			answer(d, d->rx + 2);
	}
}

static void upload(struct smp *s, const struct bf_target *target, struct bf_err *err)
{
	struct bf_flow flow = { 0 };
	size_t at = 0;

	if (bf_smp_begin(&s->proto, target, &flow, err))
		return;
	FUZZ_CHECK(flow.block_max && flow.next <= target->len);
	at = flow.next;
	for (unsigned i = 0; i < 100 && at < target->len; i++) {
		size_t left = target->len - at;
		struct bf_block block = { .offset = at,
					  .data = target->segment->data + at,
					  .len = left < flow.block_max ? left : flow.block_max };

		if (bf_smp_block_start(&s->proto, &block, err) ||
		    bf_smp_block_finish(&s->proto, &at, err))
			return;
		FUZZ_CHECK(at <= target->len);
	}
	(void)bf_smp_finish(&s->proto, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct device d;
	static struct bf_profile profile;
	static const uint8_t bytes[3000] = { 1, 2, 3 };
	const struct bf_segment segment = { .data = bytes, .len = sizeof(bytes) };
	BF_AUTO(wire) *w = wire_new(BF_WIRE_STREAM);
	BF_AUTO(bf_proto) *p = NULL;
	struct bf_retry retry;
	struct bf_err err;
	struct bf_ident id = { 0 };
	struct bf_proto_env env = {
		.transport = &w->t, .profile = &profile, .retry = &retry, .node = -1
	};
	struct smp *s;

	d = (struct device){ .w = w, .p = data, .left = size };
	d.in = (struct bf_smp_console){ .buf = d.rx, .cap = sizeof(d.rx) };
	w->heard_bytes = heard;
	w->peer = &d;
	bf_profile_default(&profile);
	bf_retry_default(&retry);
	bf_err_init(&err);
	FUZZ_CHECK(!bf_proto_smp_ops.open(&env, &p, &err));
	s = smp_of(p);
	(void)bf_smp_recognise(p, bf_in(w->t.clock, BF_MS(600)), &err);
	if (!bf_smp_identify(p, &id, &err)) {
		const struct bf_target target = { .segment = &segment, .len = sizeof(bytes) };

		FUZZ_CHECK(id.n_slots <= 2 && id.n_regions <= 2 && id.block_max);
		upload(s, &target, &err);
		(void)bf_smp_activate(p, BF_ACTIVATE_TRIAL, &err);
		(void)bf_smp_restart(p, &err);
		(void)bf_smp_await(p, bf_in(w->t.clock, BF_SEC(30)), &err);
		(void)bf_smp_confirm(p, &err);
		(void)bf_smp_revert(p, &err);
		/* A second image of the same run, and the first again. */
		p->ops->boot->select(p, 1, 2);
		if (!bf_smp_identify(p, &id, &err)) {
			upload(s, &target, &err);
			(void)bf_smp_activate(p, BF_ACTIVATE_TRIAL, &err);
		}
		p->ops->boot->select(p, 0, 2);
		(void)bf_smp_activate(p, BF_ACTIVATE_TRIAL, &err);
		(void)bf_smp_confirm(p, &err);
	}
	FUZZ_CHECK(bf_now(w->t.clock) < LONGEST);
	return 0;
}
