/* SPDX-License-Identifier: MIT */
/*
 * The XMODEM sender against a hostile receiver, on virtual time. First byte: options; then what the receiver does:
 * pauses and bytes. Whatever it does, a call ends within its limit.
 */
#include "bmsflash/xmodem.h"
#include "fuzz.h"
#include "fuzz_link.h"

#define WHOLE BF_SEC(60)
#define SLACK BF_SEC(30) /* one block and its quiet line, one end */

static struct bf_xmodem_opts opts_of(uint8_t how)
{
	return (struct bf_xmodem_opts){
		.block = how & 1 ? 1024 : 128,
		.check = BF_XMODEM_AUTO,
		.ready = BF_XMODEM_READY_ANY,
		.end = how & 2 ? BF_XMODEM_END_GLUED : BF_XMODEM_END_STANDARD,
		.eots = 3,
		.echo = how & 4,
		.cancels = how & 8 ? 1 : 2,
		.may_cancel = how & 16,
		.sends = 4,
		.block_wait = BF_SEC(2),
		.end_wait = BF_SEC(2),
		.whole = WHOLE,
		.done = how & 32 ? "->Tran-End" : "",
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t block[BF_XMODEM_BLOCK_MAX] = { 0x18, 0x06, 0x15 };
	struct bf_xmodem_opts opts;
	struct fuzz_peer p;
	struct bf_xmodem x;
	struct bf_err err;
	enum bf_rc rc = BF_OK;
	bf_time began;

	if (size < 3)
		return 0;
	opts = opts_of(data[0]);
	fuzz_stream(&p, data + 1, size - 1);
	bf_err_init(&err);
	bf_xmodem_init(&x, &opts, &p.t);
	began = bf_now(p.clock);
	(void)bf_xmodem_listen(&x, bf_in(p.clock, BF_SEC(1)), &err);
	FUZZ_CHECK(bf_now(p.clock) - began <= BF_SEC(4));
	FUZZ_CHECK(x.text_len < sizeof(x.text) && !x.text[x.text_len]);
	bf_xmodem_begin(&x);
	began = bf_now(p.clock);
	for (unsigned i = 0; !rc && i < 300; i++) {
		rc = bf_xmodem_send(&x, block, opts.block, i == 299, &err);
		if (!rc)
			rc = bf_xmodem_answer(&x, &err);
		FUZZ_CHECK(!rc || rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_NAK ||
			   rc == BF_E_GONE);
	}
	if (!rc)
		(void)bf_xmodem_finish(&x, &err);
	FUZZ_CHECK(bf_now(p.clock) - began <= WHOLE + SLACK);
	bf_xmodem_cancel(&x);
	fuzz_end(&p);
	return 0;
}
