/* SPDX-License-Identifier: MIT */
/* Frames in any order: each is a length byte and as many bytes. */
#include "fuzz.h"

#include "bmsflash/bytes.h"
#include "link/isotp_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bf_cur c = bf_cur(data, size);
	uint8_t buf[300];
	struct bf_isotp_rx rx = { .buf = buf, .cap = sizeof(buf) };

	rx.block_size = bf_cur_u8(&c);
	while (bf_cur_left(&c)) {
		size_t len = bf_cur_u8(&c) % 65;
		struct bf_isotp_pdu pdu;
		const uint8_t *frame;
		bool abandoned;

		len = len < bf_cur_left(&c) ? len : bf_cur_left(&c);
		frame = bf_cur_bytes(&c, len);
		bf_isotp_decode(frame, len, &pdu);
		FUZZ_CHECK(pdu.len <= len);
		FUZZ_CHECK(pdu.len == 0 || pdu.data + pdu.len <= frame + len);
		if (bf_isotp_feed(&rx, &pdu, &abandoned) == BF_ISOTP_DONE)
			FUZZ_CHECK(rx.total > 0 && rx.total <= rx.cap && !rx.active);
		FUZZ_CHECK(!rx.active || rx.got < rx.total);
	}
	return 0;
}
