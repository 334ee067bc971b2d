/* SPDX-License-Identifier: MIT */
/*
 * isotp_echo INTERFACE BLOCK-SIZE STMIN [fd]: sends back every message over our ISO-TP as it came, until a signal
 * ends it. BLOCK-SIZE and the raw STMIN are what our flow control asks of the other side. For programs of
 * others, which know nothing of bmsflash: see case_can_utils_isotp in cases-others.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmsflash/clock.h"
#include "bmsflash/link.h"
#include "bmsflash/transport.h"

static enum bf_rc echo(struct bf_link *link, struct bf_clock *clock, struct bf_err *err)
{
	uint8_t msg[4095];
	enum bf_rc rc;
	size_t n;

	for (;;) {
		bf_err_init(err);
		rc = link->ops->recv(link, msg, sizeof(msg), &n, bf_in(clock, BF_SEC(60)), err);
		/* isotpsend listens as long as its socket is open, and would answer besides isotprecv. */
		bf_clock_until(clock, bf_in(clock, BF_MS(100)));
		if (!rc)
			rc = link->ops->send(link, msg, n, bf_in(clock, BF_SEC(10)), err);
		if (rc && rc != BF_E_TIMEOUT)
			return rc;
	}
}

int main(int argc, char **argv)
{
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(-1);
	BF_AUTO(bf_transport) *t = NULL;
	BF_AUTO(bf_link) *link = NULL;
	struct bf_open_env env = { .clock = clock };
	struct bf_isotp_opts opts = { .tx_id = 0x7E8, .rx_id = 0x7E0, .pad = 0xCC };
	struct bf_err err;

	bf_err_init(&err);
	if (argc < 4)
		return 2;
	opts.block_size = (uint8_t)strtoul(argv[2], NULL, 0);
	opts.st_min = (uint8_t)strtoul(argv[3], NULL, 0);
	opts.fd = opts.brs = argc > 4;
	if (!bf_transport_open(&env, argv[1], &t, &err) && !bf_isotp_open(t, &opts, &link, &err)) {
		puts("ready");
		fflush(stdout);
		echo(link, clock, &err);
	}
	puts(err.cause);
	return 1;
}
