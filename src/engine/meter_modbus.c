/* SPDX-License-Identifier: MIT */
/*
 * Telemetry in Modbus RTU registers. libmodbus builds requests and judges answers, but never sees the
 * port: it writes to and reads from one end of a socket pair, and the bytes travel on our own wire.
 *
 *	libmodbus --request--> pair --> stream->write      (exclusive port, direction switch, trace)
 *	libmodbus <--answer--- pair <-- stream->read       (own echo removed, deadline on our clock)
 *
 * libmodbus waits in select() and on its own time; here it is only called when the whole answer lies ready
 * for it, so that it has nothing to wait for (1 ms at most, when an answer is cut short).
 */
#include "engine/meter.h"

#include <errno.h>
#include <modbus.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bmsflash/bytes.h"

#define ATTEMPTS  2
#define REGISTERS 125 /* in one request (MODBUS Application Protocol 1.1b3, 6.3 and 6.4) */
#define HEAD      3   /* node, function, count of bytes */
#define TAIL      2   /* CRC */
#define EXCEPTION 5   /* node, function | 80, code, CRC */

struct modbus_meter {
	struct bf_meter meter;
	const struct bf_profile *profile;
	modbus_t *ctx;
};

/* One request for registers and what came back. */
struct exchange {
	struct modbus_meter *m;
	struct bf_transport *wire;
	uint16_t first, n;
	uint8_t request[16], answer[HEAD + 2 * REGISTERS + TAIL];
	size_t request_len, answer_len;
	bool refused; /* the pack has no such register */
	uint16_t values[REGISTERS];
};

static uint8_t function_of(const struct modbus_meter *m)
{
	return m->profile->modbus_table == BF_MODBUS_HOLDING ? MODBUS_FC_READ_HOLDING_REGISTERS
							     : MODBUS_FC_READ_INPUT_REGISTERS;
}

/* 3.5 characters of 11 bits, 1.75 ms from 19200 Bd on (MODBUS over Serial Line 1.02, 2.5.1.1). */
static bf_time gap(struct bf_transport *wire)
{
	struct bf_line_report r = { 0 };

	wire->ops->stream->report(wire, &r);
	if (r.real_baud >= 19200 || !r.real_baud)
		return BF_US(1750);
	return (bf_time)(38500000 / r.real_baud) + 1;
}

/* Between the ends of a pair: [0] is libmodbus's port, [1] is ours. */
static enum bf_rc open_pair(struct exchange *x, int pair[2], struct bf_err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return bf_fail_os(err, BF_E_INTERNAL, errno, "cannot make a pair of sockets");
	modbus_set_socket(x->m->ctx, pair[0]);
	return BF_OK;
}

static enum bf_rc build(struct exchange *x, int pair[2], struct bf_err *err)
{
	const uint8_t raw[] = { x->m->profile->modbus_node, function_of(x->m),
				(uint8_t)(x->first >> 8),   (uint8_t)x->first,
				(uint8_t)(x->n >> 8),       (uint8_t)x->n };
	ssize_t n = -1;

	if (modbus_send_raw_request(x->m->ctx, raw, sizeof(raw)) > 0)
		n = read(pair[1], x->request, sizeof(x->request));
	if (n <= 0)
		return bf_fail(err, BF_E_INTERNAL, "libmodbus made no request");
	x->request_len = (size_t)n;
	return BF_OK;
}

static size_t expected(const struct exchange *x)
{
	if (x->answer_len >= 2 && x->answer[1] & 0x80)
		return EXCEPTION;
	return HEAD + 2u * x->n + TAIL;
}

static enum bf_rc travel(struct exchange *x, struct bf_err *err)
{
	const struct bf_stream_ops *s = x->wire->ops->stream;
	bf_time deadline = bf_in(x->wire->clock, BF_MS(x->m->profile->modbus_timeout_ms));
	size_t got;

	if (!bf_clock_until(x->wire->clock, bf_in(x->wire->clock, gap(x->wire))))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	s->discard(x->wire);
	if (s->write(x->wire, x->request, x->request_len, deadline, err))
		return err->rc;
	for (x->answer_len = 0; x->answer_len < expected(x); x->answer_len += got) {
		if (s->read(x->wire, x->answer + x->answer_len, expected(x) - x->answer_len, &got,
			    deadline, err))
			return err->rc;
	}
	return BF_OK;
}

/* The codes of libmodbus's errno that stand for the exceptions that a server answers with. */
static bool is_exception(int e)
{
	return e > MODBUS_ENOBASE && e < MODBUS_ENOBASE + MODBUS_EXCEPTION_MAX;
}

static enum bf_rc judge_failed(struct exchange *x, int e, struct bf_err *err)
{
	if (e == EMBXILADD) {
		x->refused = true;
		return BF_OK;
	}
	if (is_exception(e))
		return bf_fail_dev(err, BF_E_NAK, (unsigned)(e - MODBUS_ENOBASE),
				   modbus_strerror(e), "Modbus node %u refused to tell register %u",
				   x->m->profile->modbus_node, x->first);
	return bf_fail(err, BF_E_LINK, "damaged answer of Modbus node %u for register %u: %s",
		       x->m->profile->modbus_node, x->first, modbus_strerror(e));
}

/* Hands the answer to libmodbus as if it came now: node, function, length, CRC and exceptions are its
 * business. It sends its request once more, into the pair. */
static enum bf_rc judge(struct exchange *x, int pair[2], struct bf_err *err)
{
	int n;

	if (write(pair[1], x->answer, x->answer_len) != (ssize_t)x->answer_len)
		return bf_fail(err, BF_E_INTERNAL, "libmodbus takes no answer");
	if (function_of(x->m) == MODBUS_FC_READ_HOLDING_REGISTERS)
		n = modbus_read_registers(x->m->ctx, x->first, x->n, x->values);
	else
		n = modbus_read_input_registers(x->m->ctx, x->first, x->n, x->values);
	return n == x->n ? BF_OK : judge_failed(x, errno, err);
}

/* A new pair each time: nothing of a failed exchange can be left in it. */
static enum bf_rc once(struct exchange *x, struct bf_err *err)
{
	int pair[2];
	enum bf_rc rc = open_pair(x, pair, err);

	if (rc)
		return rc;
	rc = build(x, pair, err);
	rc = rc ? rc : travel(x, err);
	rc = rc ? rc : judge(x, pair, err);
	modbus_set_socket(x->m->ctx, -1);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

static enum bf_rc failed(const struct exchange *x, struct bf_err *err)
{
	if (err->rc == BF_E_TIMEOUT)
		bf_fail(err, BF_E_TIMEOUT,
			"Modbus node %u did not answer for register %u within %u ms",
			x->m->profile->modbus_node, x->first, x->m->profile->modbus_timeout_ms);
	if (err->rc == BF_E_TIMEOUT || err->rc == BF_E_LINK) {
		bf_likely(err, "the pack has another Modbus address: 'node' in [modbus]");
		bf_likely(err,
			  "the pack speaks Modbus at another rate or parity: [rs485] holds for "
			  "both");
	}
	return bf_while(err, "reading Modbus registers %u to %u", x->first, x->first + x->n - 1u);
}

static enum bf_rc exchange(struct exchange *x, struct bf_err *err)
{
	for (unsigned i = 1;; i++) {
		enum bf_rc rc = once(x, err);

		if (!rc)
			return BF_OK;
		if ((rc != BF_E_TIMEOUT && rc != BF_E_LINK) || i == ATTEMPTS)
			return failed(x, err);
	}
}

/* Registers as bytes, in the order in which identifiers carry numbers: the profile's offset, width and
 * sign mean the same for both. */
static void lay_out(const struct exchange *x, const struct bf_quantity_map *q, uint8_t *dst)
{
	bool swap = q->width == 4 && x->m->profile->modbus_low_first;
	size_t head = q->offset / 2u;

	for (size_t i = 0; i < x->n; i++) {
		size_t from = swap && i >= head ? head + ((i - head) ^ 1u) : i;

		dst[2 * i] = (uint8_t)(x->values[from] >> 8);
		dst[2 * i + 1] = (uint8_t)x->values[from];
	}
}

static enum bf_rc modbus_read_one(struct modbus_meter *m, struct bf_transport *wire,
				  const struct bf_quantity_map *q, struct bf_measure *ret,
				  struct bf_err *err)
{
	uint8_t record[2 * REGISTERS];
	struct exchange x = {
		.m = m,
		.wire = wire,
		.first = (uint16_t)q->modbus_register,
		.n = (uint16_t)((q->offset + q->count * q->width) / 2),
	};

	if (exchange(&x, err))
		return err->rc;
	if (x.refused)
		return BF_OK;
	lay_out(&x, q, record);
	bf_measure_put(ret, q, record, 2u * x.n);
	return BF_OK;
}

static enum bf_rc meter_read(struct bf_meter *meter, struct bf_transport *wire,
			     struct bf_proto *proto, struct bf_measure *ret, struct bf_err *err)
{
	struct modbus_meter *m = BF_CONTAINER_OF(meter, struct modbus_meter, meter);
	struct bf_measure measure = { 0 };

	(void)proto;
	for (size_t i = 0; i < m->profile->n_quantities; i++) {
		const struct bf_quantity_map *q = &m->profile->quantities[i];

		if (q->modbus_register >= 0 && modbus_read_one(m, wire, q, &measure, err))
			return err->rc;
	}
	*ret = measure;
	return BF_OK;
}

static void meter_close(struct bf_meter *meter)
{
	struct modbus_meter *m = BF_CONTAINER_OF(meter, struct modbus_meter, meter);

	modbus_free(m->ctx);
	free(m);
}

/* The name and the settings of the port are never used: libmodbus opens nothing. */
static enum bf_rc meter_open(const struct bf_profile *profile, struct bf_transport **wire,
			     struct bf_meter **ret, struct bf_err *err)
{
	struct modbus_meter *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->meter.ops = &bf_meter_modbus;
	m->profile = profile;
	m->ctx = modbus_new_rtu("unused", 9600, 'N', 8, 1);
	if (!m->ctx || modbus_set_slave(m->ctx, profile->modbus_node) < 0) {
		meter_close(&m->meter);
		*wire = bf_transport_close(*wire);
		return bf_fail(err, BF_E_INTERNAL, "libmodbus does not take node %u",
			       profile->modbus_node);
	}
	modbus_set_response_timeout(m->ctx, 0, 1000);
	modbus_set_byte_timeout(m->ctx, 0, 1000);
	*ret = &m->meter;
	return BF_OK;
}

const struct bf_meter_ops bf_meter_modbus = {
	.wires = BF_WIRE_STREAM,
	.by_application = true,
	.open = meter_open,
	.read = meter_read,
	.close = meter_close,
};
