/* SPDX-License-Identifier: MIT */
/* Any bytes; a whole frame behind them must be found; any message must survive being framed. */
#include "fuzz.h"

#include <string.h>

#include "link/hdlc_codec.h"

static unsigned feed(struct bf_hdlc_rx *rx, const uint8_t *p, size_t n)
{
	unsigned messages = 0;

	while (n--) {
		if (bf_hdlc_put(rx, *p++) == BF_DEFRAME_MESSAGE) {
			FUZZ_CHECK(rx->msg_len > 0 && rx->msg_len + BF_HDLC_OVERHEAD <= rx->cap);
			messages++;
		}
		FUZZ_CHECK(rx->n <= rx->cap);
	}
	return messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[256 + BF_HDLC_OVERHEAD];
	uint8_t wire[BF_HDLC_WIRE_MAX(256)];
	struct bf_hdlc_rx rx = { .me = 0xF1, .peer = 0x11, .buf = buf, .cap = sizeof(buf) };
	size_t len = size < 256 ? size : 256;

	feed(&rx, data, size);
	bf_hdlc_gap(&rx);
	if (len == 0)
		return 0;
	FUZZ_CHECK(feed(&rx, wire, bf_hdlc_encode(wire, 0xF1, 0x11, data, len)) == 1);
	FUZZ_CHECK(rx.msg_len == len && memcmp(buf + BF_HDLC_MSG_AT, data, len) == 0);
	return 0;
}
