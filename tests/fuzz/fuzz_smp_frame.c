/* SPDX-License-Identifier: MIT */
/* Any bytes in both framings; a packet behind them must be found; any packet must survive being framed. */
#include "fuzz.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "link/smp_serial_codec.h"

#define PACKET_MAX 600u

static unsigned feed(struct bf_smp_console *rx, const uint8_t *p, size_t n)
{
	unsigned messages = 0;

	while (n--) {
		if (bf_smp_console_put(rx, *p++) == BF_DEFRAME_MESSAGE) {
			FUZZ_CHECK(rx->packet_len >= BF_SMP_HEADER);
			FUZZ_CHECK(rx->packet_len + BF_SMP_AROUND <= rx->cap);
			messages++;
		}
		FUZZ_CHECK(rx->n <= rx->cap);
	}
	return messages;
}

static void raw(const uint8_t *data, size_t size)
{
	uint8_t buf[PACKET_MAX];
	struct bf_smp_raw rx = { .buf = buf, .cap = sizeof(buf) };

	if (size > 3)
		rx.expected = (struct bf_smp_expected){
			.known = data[0] & 1, .op = data[1] & 2, .id = data[2], .group = data[3]
		};
	for (size_t i = 0; i < size; i++) {
		if (bf_smp_raw_put(&rx, data[i]) == BF_DEFRAME_MESSAGE)
			FUZZ_CHECK(rx.packet_len >= BF_SMP_HEADER && rx.packet_len <= rx.cap);
		FUZZ_CHECK(rx.n < rx.cap);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buf[PACKET_MAX + BF_SMP_AROUND], wire[2 * PACKET_MAX], packet[PACKET_MAX] = { 0 };
	struct bf_smp_console rx = { .buf = buf, .cap = sizeof(buf) };
	size_t len = size < PACKET_MAX ? size : PACKET_MAX, n;

	raw(data, size);
	feed(&rx, data, size);
	memcpy(packet, data, len);
	len = len < BF_SMP_HEADER ? BF_SMP_HEADER : len;
	n = bf_smp_console_encode(wire, packet, len);
	FUZZ_CHECK(n == bf_smp_console_size(len) && n <= sizeof(wire));
	FUZZ_CHECK(feed(&rx, wire, n) >= 1);
	FUZZ_CHECK(rx.packet_len == len && memcmp(buf + 2, packet, len) == 0);
	return 0;
}
