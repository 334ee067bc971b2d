/* SPDX-License-Identifier: MIT */
#include "bmsflash/modbus.h"

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"

#define EXCEPTION     0x80
#define EXCEPTION_LEN 5   /* node, function | 80, code, CRC */
#define WRITTEN_LEN   8   /* node, function, register, value or count, CRC */
#define FRAME_MAX     256 /* 4.1 */
#define BITS          11  /* of a character on the line, whatever its format */

struct exchange {
	const struct bf_modbus *m;
	unsigned repeat; /* 0: the first attempt */
	uint8_t request[FRAME_MAX], answer[FRAME_MAX];
	size_t request_len, answer_len, expected;
};

const char *bf_modbus_exception(unsigned code)
{
	static const char *const names[] = {
		/* 7 */
		[1] = "ILLEGAL FUNCTION",
		[2] = "ILLEGAL DATA ADDRESS",
		[3] = "ILLEGAL DATA VALUE",
		[4] = "SERVER DEVICE FAILURE",
		[5] = "ACKNOWLEDGE",
		[6] = "SERVER DEVICE BUSY",
		[8] = "MEMORY PARITY ERROR",
		[10] = "GATEWAY PATH UNAVAILABLE",
		[11] = "GATEWAY TARGET DEVICE FAILED TO RESPOND",
	};

	return code < BF_COUNT(names) ? names[code] : NULL;
}

static uint16_t crc_of(const uint8_t *p, size_t len)
{
	return (uint16_t)bf_crc(&bf_crc16_modbus, p, len);
}

/* 3.5 characters, 1.75 ms from 19200 Bd on (2.5.1.1). */
static bf_time gap(const struct bf_modbus *m, unsigned repeat)
{
	struct bf_line_report r = { 0 };

	if (m->gap && repeat && m->gap_max > m->gap)
		return repeat < 16 && m->gap << repeat < m->gap_max ? m->gap << repeat : m->gap_max;
	if (m->gap)
		return m->gap;
	m->wire->ops->stream->report(m->wire, &r);
	if (r.real_baud >= 19200 || !r.real_baud)
		return BF_US(1750);
	return (bf_time)(3500000 * BITS / r.real_baud) + 1;
}

static void begin(struct exchange *x, const struct bf_modbus *m, enum bf_modbus_function function,
		  uint16_t first, uint16_t second)
{
	*x = (struct exchange){ .m = m, .request_len = 6 };
	x->request[0] = m->node;
	x->request[1] = (uint8_t)function;
	bf_put_be16(x->request + 2, first);
	bf_put_be16(x->request + 4, second);
}

/* Whatever begins like the answer to this request has its length; an exception is shorter. */
static size_t wanted(const struct exchange *x)
{
	return x->answer_len >= 2 && x->answer[1] & EXCEPTION ? EXCEPTION_LEN : x->expected;
}

static enum bf_rc send(const struct exchange *x, struct bf_err *err)
{
	struct bf_transport *wire = x->m->wire;
	const struct bf_stream_ops *s = wire->ops->stream;

	if (!bf_clock_until(wire->clock, bf_in(wire->clock, gap(x->m, x->repeat))))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	s->discard(wire);
	return s->write(wire, x->request, x->request_len, bf_in(wire->clock, x->m->timeout), err);
}

static enum bf_rc travel(struct exchange *x, struct bf_err *err)
{
	struct bf_transport *wire = x->m->wire;
	const struct bf_stream_ops *s = wire->ops->stream;
	bf_time deadline;
	size_t got;

	if (send(x, err))
		return err->rc;
	deadline = bf_in(wire->clock, x->m->timeout);
	for (x->answer_len = 0; x->answer_len < wanted(x); x->answer_len += got) {
		if (s->read(wire, x->answer + x->answer_len, wanted(x) - x->answer_len, &got,
			    deadline, err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc damaged(const struct exchange *x, const char *why, struct bf_err *err)
{
	return bf_fail(err, BF_E_LINK, "damaged answer of Modbus node %u for register %u: %s",
		       x->m->node, (unsigned)(x->request[2] << 8 | x->request[3]), why);
}

static enum bf_rc refused(const struct exchange *x, struct bf_err *err)
{
	unsigned code = x->answer[2];
	const char *name = bf_modbus_exception(code);

	return bf_fail_dev(err, BF_E_NAK, code, name ? name : "unknown exception",
			   "Modbus node %u refused to %s register %u", x->m->node,
			   x->request[1] < BF_MODBUS_WRITE_ONE ? "tell" : "write",
			   (unsigned)(x->request[2] << 8 | x->request[3]));
}

static enum bf_rc judge(const struct exchange *x, struct bf_err *err)
{
	const uint8_t *a = x->answer;
	size_t len = x->answer_len;

	if (crc_of(a, len - 2) != (a[len - 2] | a[len - 1] << 8))
		return damaged(x, "wrong checksum", err);
	if (a[0] != x->m->node)
		return damaged(x, "from another node", err);
	if (a[1] == (x->request[1] | EXCEPTION))
		return refused(x, err);
	if (a[1] != x->request[1])
		return damaged(x, "to another request", err);
	return BF_OK;
}

static enum bf_rc once(struct exchange *x, struct bf_err *err)
{
	uint16_t crc = crc_of(x->request, x->request_len);

	bf_put_le16(x->request + x->request_len, crc);
	x->request_len += 2;
	if (travel(x, err) == BF_E_TIMEOUT)
		bf_fail(err, BF_E_TIMEOUT,
			"Modbus node %u did not answer for register %u within %u ms", x->m->node,
			(unsigned)(x->request[2] << 8 | x->request[3]),
			(unsigned)(x->m->timeout / BF_MS(1)));
	x->request_len -= 2;
	return err->rc ? err->rc : judge(x, err);
}

enum bf_rc bf_modbus_read(const struct bf_modbus *m, enum bf_modbus_function table, uint16_t first,
			  uint16_t n, uint16_t *ret, struct bf_err *err)
{
	struct exchange x;
	enum bf_rc rc = BF_E_TIMEOUT;

	if (!n || n > BF_MODBUS_READ_MAX)
		return bf_fail(err, BF_E_INTERNAL, "%u registers in one Modbus request", n);
	begin(&x, m, table, first, n);
	x.expected = 3u + 2u * n + 2;
	for (unsigned i = 0;
	     (rc == BF_E_TIMEOUT || rc == BF_E_LINK) && i < (m->attempts ? m->attempts : 1); i++) {
		bf_err_init(err);
		x.repeat = i;
		rc = once(&x, err);
		if (!rc && x.answer[2] != 2 * n)
			rc = damaged(&x, "another number of registers", err);
	}
	for (size_t i = 0; !rc && i < n; i++)
		ret[i] = (uint16_t)(x.answer[3 + 2 * i] << 8 | x.answer[4 + 2 * i]);
	return rc;
}

/* Whoever takes it may speak something else from then on: nothing is read. */
static enum bf_rc send_alone(struct exchange *x, struct bf_err *err)
{
	struct bf_transport *wire = x->m->wire;

	bf_put_le16(x->request + x->request_len, crc_of(x->request, x->request_len));
	x->request_len += 2;
	if (send(x, err))
		return err->rc;
	return wire->ops->stream->drain(wire, bf_in(wire->clock, x->m->timeout), err);
}

/* The answer repeats register and value, or register and count. */
static enum bf_rc write_out(struct exchange *x, struct bf_err *err)
{
	x->expected = WRITTEN_LEN;
	bf_err_init(err);
	if (x->m->no_answer)
		return send_alone(x, err);
	if (once(x, err))
		return err->rc;
	for (size_t i = 2; i < 6; i++) {
		if (x->answer[i] != x->request[i])
			return damaged(x, "to another request", err);
	}
	return BF_OK;
}

enum bf_rc bf_modbus_write_one(const struct bf_modbus *m, uint16_t reg, uint16_t value,
			       struct bf_err *err)
{
	struct exchange x;

	begin(&x, m, BF_MODBUS_WRITE_ONE, reg, value);
	return write_out(&x, err);
}

enum bf_rc bf_modbus_write(const struct bf_modbus *m, uint16_t first, const uint16_t *values,
			   uint16_t n, struct bf_err *err)
{
	struct exchange x;

	if (!n || n > BF_MODBUS_WRITE_MAX)
		return bf_fail(err, BF_E_INTERNAL, "%u registers in one Modbus request", n);
	begin(&x, m, BF_MODBUS_WRITE_MANY, first, n);
	x.request[x.request_len++] = (uint8_t)(2 * n);
	for (size_t i = 0; i < n; i++, x.request_len += 2)
		bf_put_be16(x.request + x.request_len, values[i]);
	return write_out(&x, err);
}
