/* SPDX-License-Identifier: MIT */
/*
 * The framings of serial lines against a hostile peer, on virtual time. First byte: 0 HDLC, 1 ISO 14230; then what
 * the peer does: pauses and bytes. Whatever it does, a call ends a bounded time after its deadline.
 */
#include "fuzz.h"
#include "fuzz_link.h"

#define LONGEST  BF_SEC(6)
#define DEADLINE BF_SEC(1)
#define SLACK    BF_SEC(1)

static struct bf_link *open_link(struct fuzz_peer *p, bool iso)
{
	const struct bf_kline_opts k = { .target = 0x11, .source = 0xF1 };
	const struct bf_hdlc_opts h = { .target = 0x11, .source = 0xF1 };
	struct bf_link *l = NULL;
	struct bf_err err;
	enum bf_rc rc =
		iso ? bf_kline_open(&p->t, &k, &l, &err) : bf_hdlc_open(&p->t, &h, &l, &err);

	FUZZ_CHECK(rc == BF_OK);
	return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_peer p;
	struct bf_link *l;
	struct bf_err err;
	static uint8_t buf[4095];
	bf_time begin;
	size_t len;

	if (size < 3)
		return 0;
	fuzz_stream(&p, data + 1, size - 1);
	l = open_link(&p, data[0] & 1);
	for (int i = 0; i < 3; i++) {
		(void)l->ops->send(l, buf, 20, bf_in(p.clock, DEADLINE), &err);
		begin = bf_now(p.clock);
		if (l->ops->recv(l, buf, sizeof(buf), &len, bf_in(p.clock, DEADLINE), &err) ==
		    BF_OK)
			FUZZ_CHECK(len > 0 && len <= l->max_msg);
		FUZZ_CHECK(bf_now(p.clock) - begin <= DEADLINE + LONGEST + SLACK);
		l->ops->flush(l);
	}
	bf_link_close(l);
	fuzz_end(&p);
	return 0;
}
