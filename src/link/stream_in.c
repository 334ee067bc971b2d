/* SPDX-License-Identifier: MIT */
#include "link/stream_in.h"

enum bf_rc bf_stream_in_byte(struct bf_stream_in *in, struct bf_transport *t, uint8_t *ret,
			     bf_time deadline, struct bf_err *err)
{
	if (in->at == in->n) {
		size_t n = 0;
		enum bf_rc rc =
			t->ops->stream->read(t, in->buf, sizeof(in->buf), &n, deadline, err);

		if (rc)
			return rc;
		in->at = 0;
		in->n = n;
		in->last = bf_now(t->clock);
	}
	*ret = in->buf[in->at++];
	return BF_OK;
}

void bf_stream_in_discard(struct bf_stream_in *in, struct bf_transport *t)
{
	in->at = in->n = 0;
	t->ops->stream->discard(t);
}

/* Ten bits a byte; a parity or second stop bit is within what a clock may be off. */
bf_time bf_stream_duration(struct bf_link *l, size_t bytes)
{
	struct bf_line_report report;

	l->transport->ops->stream->report(l->transport, &report);
	return report.real_baud ? (bf_time)(bytes * 10 * 1000000 / report.real_baud) : 0;
}

enum bf_rc bf_stream_no_message(const struct bf_link *l, unsigned node, uint64_t damaged,
				struct bf_err *err)
{
	if (!damaged)
		return bf_fail(err, BF_E_TIMEOUT, "no answer from node %02X on '%s'", node,
			       l->transport->name);
	bf_fail(err, BF_E_LINK, "%llu damaged frames and no whole one from node %02X on '%s'",
		(unsigned long long)damaged, node, l->transport->name);
	bf_likely(err, "another baud rate or parity than the pack's");
	bf_likely(err, "noise: termination or bias resistors missing, A and B swapped, cable too "
		       "long for this rate");
	bf_likely(err, "another device talks on the same line");
	return err->rc;
}
