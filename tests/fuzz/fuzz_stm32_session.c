/* SPDX-License-Identifier: MIT */
/*
 * A whole session with a hostile ROM loader on a serial line: every byte that it answers comes from the input, or is
 * an acknowledge. Whatever it does, readout protection is not cleared, nothing is erased as a whole, no page is named
 * that was not asked for in a list that is right, and the session ends.
 */
#include <stdlib.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "family/stm32/stm32_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX 400000u
#define BASE      UINT32_C(0x08000000)
#define FROM      0x2000u /* what is erased and written */
#define SIZE      0x1000u

struct peer {
	struct bf_transport t;
	struct bf_cur in;
	struct bf_line line;
	unsigned calls;
	uint8_t last[2];
};

static struct peer *peer_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct peer, t);
}

static void judge(const struct peer *p, const uint8_t *sent, size_t n)
{
	if (n == 2 && sent[0] == BF_STM32_READOUT_UNPROTECT && sent[1] == 0x6D)
		abort();
	if (p->last[0] == BF_STM32_ERASE && p->last[1] == 0xBC) {
		uint8_t x = 0;

		if (n == 2 && sent[0] == 0xFF && sent[1] == 0x00)
			abort(); /* the whole flash */
		for (size_t i = 0; i < n; i++)
			x ^= sent[i];
		for (size_t i = 1; n == sent[0] + 3u && !x && i + 1 < n; i++) {
			if (sent[i] < FROM / 1024 || sent[i] >= (FROM + SIZE) / 1024)
				abort();
		}
	}
}

static enum bf_rc p_write(struct bf_transport *t, const uint8_t *sent, size_t n, bf_time deadline,
			  struct bf_err *err)
{
	struct peer *p = peer_of(t);

	(void)deadline, (void)err;
	if (++p->calls > CALLS_MAX)
		abort();
	judge(p, sent, n);
	memcpy(p->last, sent, n < 2 ? n : 2);
	return BF_OK;
}

static enum bf_rc p_read(struct bf_transport *t, uint8_t *buf, size_t cap, size_t *ret_len,
			 bf_time deadline, struct bf_err *err)
{
	struct peer *p = peer_of(t);
	uint8_t how;

	if (++p->calls > CALLS_MAX)
		abort();
	how = bf_cur_left(&p->in) ? bf_cur_u8(&p->in) : 0xFE;
	if (how >= 0xFA) { /* silence */
		if (!bf_clock_until(t->clock, deadline))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped");
		return bf_fail(err, BF_E_TIMEOUT, "no answer");
	}
	if (how == 0xF9)
		return bf_fail(err, BF_E_GONE, "gone");
	*ret_len = 0;
	for (size_t i = 0; i < cap && i <= how % 4u; i++, (*ret_len)++)
		buf[i] = how < 0x80 ? BF_STM32_ACK : bf_cur_left(&p->in) ? bf_cur_u8(&p->in) : 0xFF;
	return BF_OK;
}

static enum bf_rc p_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	(void)t, (void)deadline, (void)err;
	return BF_OK;
}

static void p_discard(struct bf_transport *t)
{
	(void)t;
}

static enum bf_rc p_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	(void)err;
	peer_of(t)->line = *line;
	return BF_OK;
}

static void p_report(struct bf_transport *t, struct bf_line_report *ret)
{
	(void)t;
	*ret = (struct bf_line_report){ .real_baud = 115200, .latency_timer_ms = -1 };
}

static const struct bf_stream_ops stream = {
	.write = p_write,
	.read = p_read,
	.drain = p_drain,
	.discard = p_discard,
	.set_line = p_set_line,
	.report = p_report,
};
static const struct bf_transport_ops ops = { .name = "peer",
					     .wire = BF_WIRE_STREAM,
					     .stream = &stream };

static void write_all(struct bf_proto *proto, struct bf_err *err)
{
	static uint8_t data[SIZE];
	struct bf_target target = { .addr = BASE + FROM, .len = SIZE };
	const struct bf_loader_ops *l = proto->ops->loader;
	struct bf_flow flow;
	size_t at = 0;

	if (l->begin(proto, &target, &flow, err))
		return;
	for (unsigned i = 0; i < 64 && at < SIZE; i++) {
		struct bf_block block = { .offset = at, .data = data + at, .len = SIZE - at };

		if (block.len > flow.block_max)
			block.len = flow.block_max;
		if (l->block_start(proto, &block, err) || l->block_finish(proto, &at, err))
			break;
	}
	l->abandon(proto);
}

static void session(struct bf_proto *proto)
{
	struct bf_ident id;
	struct bf_err err;
	uint8_t got[600];
	bool holds;

	bf_err_init(&err);
	if (proto->ops->recognise(proto, bf_in(proto->env.transport->clock, BF_SEC(1)), &err) ||
	    proto->ops->connect(proto, BF_ENTRY_WRITE, &err) ||
	    proto->ops->identify(proto, &id, &err) || !id.n_regions)
		return;
	bf_err_init(&err);
	(void)proto->ops->loader->read(proto, &id.regions[0], BASE + FROM, got, sizeof(got), &err);
	bf_err_init(&err);
	(void)proto->ops->loader->holds(proto, &id.regions[0], BASE + FROM, got, 512, &holds, &err);
	bf_err_init(&err);
	(void)proto->ops->loader->erase(proto, &id.regions[0], BASE + FROM, SIZE, &err);
	bf_err_init(&err);
	write_all(proto, &err);
	bf_err_init(&err);
	(void)proto->ops->loader->restart(proto, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO(bf_clock) *clock = bf_vclock_new();
	struct peer p = { .t = { .ops = &ops, .clock = clock }, .in = bf_cur(data, size) };
	static struct bf_profile profile;
	struct bf_stm32_profile *set;
	struct bf_retry retry;
	struct bf_proto *proto;
	struct bf_err err;

	bf_profile_default(&profile);
	set = bf_profile_family_mut(&profile, "stm32");
	strcpy(set->chip, "f103");
	if (size % 2)
		strcpy(set->commands, "00021121314392A1");
	bf_retry_default(&retry);
	bf_err_init(&err);
	strcpy(p.t.name, "peer");
	if (!bf_proto_stm32_ops.open(
		    &(struct bf_proto_env){
			    .transport = &p.t, .profile = &profile, .retry = &retry, .node = -1 },
		    &proto, &err)) {
		session(proto);
		bf_proto_close(proto);
	}
	return 0;
}
