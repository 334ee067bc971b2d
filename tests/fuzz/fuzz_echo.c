/* SPDX-License-Identifier: MIT */
/*
 * The echo remover against any dialogue. The input is a list of steps: one octet says what happens (low
 * three bits) and how long it is (the rest), the octets after it are the bytes.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/rs485_echo.h"

enum step { SENT, HEARD, HEARD_OWN, EXPIRE, DISCARD, TAKE };

struct run {
	struct bf_echo echo;
	uint8_t last[32]; /* what was sent last */
	size_t last_len;
	size_t in, out;
	bool sent_any;
};

static void feed(struct run *r, const uint8_t *p, size_t len)
{
	r->in += len;
	bf_echo_feed(&r->echo, p, len);
}

static void take(struct run *r)
{
	uint8_t buf[64];
	size_t n = bf_echo_take(&r->echo, buf, sizeof(buf));

	r->out += n;
	/* Nobody invents bytes. */
	FUZZ_CHECK(r->out <= r->in);
	FUZZ_CHECK(r->sent_any || r->echo.removed == 0);
}

static void one_step(struct run *r, unsigned what, const uint8_t *p, size_t len)
{
	switch (what) {
	case SENT:
		bf_echo_sent(&r->echo, p, len);
		r->sent_any = true;
		r->last_len = len;
		if (len)
			memcpy(r->last, p, len);
		break;
	case HEARD:
		feed(r, p, len);
		break;
	case HEARD_OWN:
		feed(r, r->last, r->last_len);
		break;
	case EXPIRE:
		bf_echo_expire(&r->echo);
		break;
	case DISCARD:
		r->out += r->echo.out_len - r->echo.out_pos;
		bf_echo_discard(&r->echo);
		break;
	default:
		take(r);
	}
	FUZZ_CHECK(r->echo.pos <= r->echo.n_sent);
	FUZZ_CHECK(r->echo.out_pos <= r->echo.out_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { 0 };

	while (size) {
		unsigned what = data[0] & 7u;
		size_t len = data[0] >> 3;

		data++;
		size--;
		if (what > HEARD || len > size)
			len = 0;
		one_step(&r, what, data, len);
		data += len;
		size -= len;
	}
	bf_echo_done(&r.echo);
	return 0;
}
