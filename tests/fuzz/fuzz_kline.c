/* SPDX-License-Identifier: MIT */
/* Any bytes, with a gap now and then; a whole message behind them must be found. */
#include "fuzz.h"

#include <string.h>

#include "link/kline_codec.h"

static unsigned drain(struct bf_kline_rx *rx)
{
	enum bf_deframed ev;
	unsigned messages = 0;

	while ((ev = bf_kline_next(rx)) != BF_DEFRAME_MORE) {
		messages += ev == BF_DEFRAME_MESSAGE;
		FUZZ_CHECK(ev != BF_DEFRAME_MESSAGE || rx->msg_len > 0);
	}
	FUZZ_CHECK(rx->n < sizeof(rx->buf));
	return messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_kline_rx rx = { .me = 0xF1, .peer = 0x11 };
	uint8_t frame[BF_KLINE_MAX_FRAME];
	unsigned messages = 0;
	size_t n;

	for (size_t i = 0; i < size; i++) {
		bf_kline_put(&rx, data[i]);
		drain(&rx);
		if (data[i] == 0xA5)
			bf_kline_gap(&rx);
	}
	while (rx.n) {
		bf_kline_gap(&rx);
		drain(&rx);
	}
	n = bf_kline_encode(frame, 0xF1, 0x11, (const uint8_t *)"\x7E\x00", 2);
	for (size_t i = 0; i < n; i++) {
		bf_kline_put(&rx, frame[i]);
		messages += drain(&rx);
	}
	FUZZ_CHECK(messages == 1 && rx.msg_len == 2);
	return 0;
}
