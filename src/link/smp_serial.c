/* SPDX-License-Identifier: MIT */
/* SMP packets on a byte stream: console lines, or raw. */
#include "bmsflash/link.h"

#include <string.h>

#include "bmsflash/bytes.h"
#include "link/smp_serial_codec.h"
#include "link/stream_in.h"

#define DEFAULT_MAX_MSG 4096u
#define MAX_MSG         65535u
/* A pack that writes log text beside its answers may be in the middle of a line: on one pair of wires a request would
 * meet it. */
#define TEXT_GAP  BF_MS(5)
#define TEXT_MOST BF_MS(250)

struct smp_serial {
	struct bf_link link;
	bool raw;
	struct bf_smp_console console;
	struct bf_smp_raw packets;
	struct bf_stream_in in;
	bool chatty; /* log text was heard */
	uint8_t *rx, *tx;
};

static struct smp_serial *serial_of(struct bf_link *l)
{
	return BF_CONTAINER_OF(l, struct smp_serial, link);
}

static bool begun(const struct smp_serial *s)
{
	return s->raw ? s->packets.n > 0 : s->console.n || s->console.in_frame;
}

static bool drop(struct smp_serial *s)
{
	bool had = begun(s);

	s->packets.n = 0;
	bf_smp_console_drop(&s->console);
	return had;
}

/* True when the byte ended a packet. */
static bool take(struct smp_serial *s, uint8_t byte)
{
	if (!s->raw && !s->console.in_frame && byte >= ' ')
		s->chatty = true;
	switch (s->raw ? bf_smp_raw_put(&s->packets, byte)
		       : bf_smp_console_put(&s->console, byte)) {
	case BF_DEFRAME_MESSAGE:
		s->link.stats.rx_msgs++;
		return true;
	case BF_DEFRAME_DAMAGED:
		s->link.stats.damaged++;
		break;
	case BF_DEFRAME_MORE:
	case BF_DEFRAME_FOREIGN:
		break;
	}
	return false;
}

static void let_it_finish(struct smp_serial *s)
{
	struct bf_clock *clock = s->link.transport->clock;
	bf_time most = bf_in(clock, TEXT_MOST);
	struct bf_err quiet;
	uint8_t byte;

	bf_err_init(&quiet);
	while (bf_now(clock) < most &&
	       !bf_stream_in_byte(&s->in, s->link.transport, &byte, bf_in(clock, TEXT_GAP), &quiet))
		(void)take(s, byte);
}

static enum bf_rc serial_send(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			      struct bf_err *err)
{
	struct smp_serial *s = serial_of(l);
	struct bf_smp_expected *e = &s->packets.expected;
	enum bf_rc rc;

	if (len < BF_SMP_HEADER || len > l->max_msg)
		return bf_fail(err, BF_E_INTERNAL,
			       "SMP packet of %zu bytes, possible are %u to %zu", len,
			       BF_SMP_HEADER, l->max_msg);
	if (s->chatty)
		let_it_finish(s);
	*e = (struct bf_smp_expected){ true, msg[0] & 7, msg[7], bf_get_be16(msg + 4) };
	if (s->raw) {
		rc = l->transport->ops->stream->write(l->transport, msg, len, deadline, err);
	} else {
		size_t n = bf_smp_console_encode(s->tx, msg, len);

		rc = l->transport->ops->stream->write(l->transport, s->tx, n, deadline, err);
	}
	if (!rc)
		l->stats.tx_msgs++;
	return rc;
}

static enum bf_rc no_packet(struct smp_serial *s, uint64_t damaged, struct bf_err *err)
{
	const struct bf_link *l = &s->link;

	if (!damaged)
		return bf_fail(err, BF_E_TIMEOUT, "no answer on '%s'", l->transport->name);
	bf_fail(err, BF_E_LINK, "%llu damaged SMP packets and no valid one on '%s'",
		(unsigned long long)damaged, l->transport->name);
	bf_likely(err, "noise on the line, or another baud rate or parity than the pack's");
	bf_likely(err, "log text of the pack in the middle of its answers");
	return err->rc;
}

/* A packet that has begun may outlast the deadline, as long as it goes on coming. */
static bf_time wait_until(const struct smp_serial *s, bf_time deadline)
{
	bf_time gap = s->in.last + BF_STREAM_ADAPTER_GAP;

	if (!begun(s))
		return deadline;
	return s->raw || gap > deadline ? gap : deadline;
}

static enum bf_rc serial_recv(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct smp_serial *s = serial_of(l);
	uint64_t damaged = l->stats.damaged;
	const uint8_t *packet = s->raw ? s->rx : s->rx + 2;
	uint8_t byte;

	for (;;) {
		bf_time now = bf_now(l->transport->clock), until = wait_until(s, deadline);
		enum bf_rc rc;

		if (deadline < BF_NEVER - BF_STREAM_LONGEST && now > deadline + BF_STREAM_LONGEST)
			return no_packet(s, 1, err);
		rc = bf_stream_in_byte(&s->in, l->transport, &byte, until, err);
		if (rc == BF_E_TIMEOUT) {
			l->stats.damaged += drop(s);
			if (bf_now(l->transport->clock) >= deadline)
				return no_packet(s, l->stats.damaged - damaged, err);
		} else if (rc) {
			return rc;
		} else if (take(s, byte)) {
			break;
		}
	}
	*ret_len = s->raw ? s->packets.packet_len : s->console.packet_len;
	if (*ret_len > cap)
		return bf_fail(err, BF_E_INTERNAL, "SMP packet of %zu bytes, room for %zu",
			       *ret_len, cap);
	memcpy(buf, packet, *ret_len);
	return BF_OK;
}

static void serial_flush(struct bf_link *l)
{
	struct smp_serial *s = serial_of(l);

	bf_stream_in_discard(&s->in, l->transport);
	drop(s);
}

static bf_time serial_duration(struct bf_link *l, size_t len)
{
	return bf_stream_duration(l, serial_of(l)->raw ? len : bf_smp_console_size(len));
}

static void serial_close(struct bf_link *l)
{
	struct smp_serial *s = serial_of(l);

	free(s->rx);
	free(s->tx);
	free(s);
}

static const struct bf_link_ops serial_ops = {
	.name = "smp",
	.send = serial_send,
	.recv = serial_recv,
	.flush = serial_flush,
	.duration = serial_duration,
	.close = serial_close,
};

enum bf_rc bf_smp_serial_open(struct bf_transport *stream, const struct bf_smp_serial_opts *opts,
			      struct bf_link **ret, struct bf_err *err)
{
	struct smp_serial *s;
	size_t max_msg = opts->max_msg ? opts->max_msg : DEFAULT_MAX_MSG;

	if (!stream->ops->stream)
		return bf_fail(err, BF_E_INTERNAL, "'%s' is not a serial line", stream->name);
	if (max_msg < BF_SMP_HEADER || max_msg > MAX_MSG)
		return bf_fail(err, BF_E_INTERNAL, "SMP packets of %zu bytes", max_msg);
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->link.ops = &serial_ops;
	s->link.transport = stream;
	s->link.max_msg = max_msg;
	s->raw = opts->raw;
	s->rx = malloc(max_msg + BF_SMP_AROUND);
	s->tx = malloc(bf_smp_console_size(max_msg));
	if (!s->rx || !s->tx)
		abort();
	s->console = (struct bf_smp_console){ .buf = s->rx, .cap = max_msg + BF_SMP_AROUND };
	s->packets = (struct bf_smp_raw){ .buf = s->rx, .cap = max_msg };
	*ret = &s->link;
	return BF_OK;
}
