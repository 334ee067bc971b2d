/* SPDX-License-Identifier: MIT */
/*
 * ISO-TP against a hostile peer, on virtual time. The input is what the peer does: pauses and frames. Whatever it
 * does, a call ends within the longest time of a message after its deadline.
 */
#include "fuzz.h"
#include "fuzz_link.h"

#define LONGEST  BF_SEC(30)
#define DEADLINE BF_SEC(1)
#define SLACK    BF_SEC(3) /* N_As of a flow control, N_Bs */

/* [pause / 10 ms] [length] [bytes]: a frame of the peer. */
static void peer(struct fuzz_peer *p, struct bf_frame *ret, bf_time *ret_pause)
{
	uint8_t pause = bf_cur_u8(&p->script);
	uint8_t len = bf_cur_u8(&p->script) % 9;
	const uint8_t *bytes;

	if (len > bf_cur_left(&p->script))
		len = (uint8_t)bf_cur_left(&p->script);
	bytes = bf_cur_bytes(&p->script, len);
	*ret = (struct bf_frame){ .id = 0x7E8, .len = len };
	for (uint8_t i = 0; bytes && i < len; i++)
		ret->data[i] = bytes[i];
	*ret_pause = BF_MS(10) * pause + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bf_isotp_opts opts = {
		.tx_id = 0x7E0, .rx_id = 0x7E8, .pad = 0xCC, .max_msg = 4095
	};
	struct fuzz_peer p;
	struct bf_link *l;
	struct bf_err err;
	static uint8_t buf[4095];
	bf_time begin;
	size_t len;

	if (size < 2)
		return 0;
	fuzz_bus(&p, data, size, peer);
	FUZZ_CHECK(bf_isotp_open(&p.t, &opts, &l, &err) == BF_OK);
	for (int i = 0; i < 3; i++) {
		begin = fuzz_call(&p);
		(void)l->ops->send(l, buf, (size_t)data[0] * 16 + 1, bf_in(p.clock, DEADLINE),
				   &err);
		FUZZ_CHECK(bf_now(p.clock) - begin <= LONGEST + SLACK);
		begin = fuzz_call(&p);
		if (l->ops->recv(l, buf, sizeof(buf), &len, bf_in(p.clock, DEADLINE), &err) ==
		    BF_OK)
			FUZZ_CHECK(len > 0 && len <= sizeof(buf));
		FUZZ_CHECK(bf_now(p.clock) - begin <= DEADLINE + LONGEST + SLACK);
		begin = fuzz_call(&p);
		l->ops->flush(l);
		FUZZ_CHECK(bf_now(p.clock) - begin <= SLACK);
		FUZZ_CHECK(bf_link_longest(l, 4095, BF_SEC(2)) >= 1);
	}
	bf_link_close(l);
	fuzz_end(&p);
	return 0;
}
