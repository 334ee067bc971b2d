/* SPDX-License-Identifier: MIT */
/*
 * The recorder of traffic. A bus is written in candump's log format, so that canplayer replays it and
 * every CAN tool reads it; the other wires in lines of the same make:
 *
 *	# bmsflash 0.1.0 trace of can0
 *	(1767225600.000150) can0 7E0#021003 T
 *	(1767225600.002150) can0 7E8#065003003201F4 R
 *	(1767225600.000150) /dev/ttyUSB0 > 8010F1023E00C1
 *	(1767225600.003150) /dev/ttyUSB0 < 80F110017EC0
 *	(1767225600.000150) usb@1-2 21010002 0000 > AABB	control OUT: type request value, index
 *	(1767225600.000350) usb@1-2 A1030000 0000 < 000100000200
 *	(1767225600.000350) usb@1-2 EP81 < 0011
 *
 * Lines that begin with '#' tell what is no traffic: settings, failures. Times are the wall clock's.
 * A trace shows what this computer handed to the wire and took from it; with muted secrets each byte
 * is written as "**", so that lengths stay.
 */
#include "bmsflash/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wrap.h"

#define USB_IN 0x80 /* USB 2.0, 9.3: direction bit */

struct trace {
	struct bf_transport t;
	struct bf_transport *inner; /* owned */
	struct bf_transport_ops ops;
	struct bf_stream_ops stream;
	struct bf_bus_ops bus;
	struct bf_usb_ops usb;
	FILE *file;
	bool muted;
};

static struct trace *trace_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct trace, t);
}

/* ---- lines ---- */

static void put_stamp(struct trace *tr, bf_time at)
{
	int64_t wall = bf_wall(tr->t.clock) - (bf_now(tr->t.clock) - at);

	fprintf(tr->file, "(%010lld.%06lld) %s ", (long long)(wall / 1000000),
		(long long)(wall % 1000000), tr->t.name);
}

static void put_hex(struct trace *tr, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (tr->muted)
			fputs("**", tr->file);
		else
			fprintf(tr->file, "%02X", p[i]);
	}
}

static void put_bytes(struct trace *tr, const char *head, const uint8_t *p, size_t len)
{
	put_stamp(tr, bf_now(tr->t.clock));
	fprintf(tr->file, "%s ", head);
	put_hex(tr, p, len);
	fputc('\n', tr->file);
}

static void put_frame(struct trace *tr, const struct bf_frame *frame, bf_time at, char direction)
{
	put_stamp(tr, at);
	fprintf(tr->file, frame->flags & BF_FRAME_EXT ? "%08X#" : "%03X#", frame->id);
	if (frame->flags & BF_FRAME_FD)
		fprintf(tr->file, "#%c", frame->flags & BF_FRAME_BRS ? '1' : '0');
	if (frame->flags & BF_FRAME_RTR)
		fputc('R', tr->file);
	put_hex(tr, frame->data, frame->len);
	fprintf(tr->file, " %c\n", direction);
}

static void BF_PRINTF(2, 3) put_note(struct trace *tr, const char *fmt, ...)
{
	va_list ap;

	fputs("# ", tr->file);
	put_stamp(tr, bf_now(tr->t.clock));
	va_start(ap, fmt);
	vfprintf(tr->file, fmt, ap);
	va_end(ap);
	fputc('\n', tr->file);
}

/* After each call: the counters are the wire's; a failure is worth a line. */
static enum bf_rc finish(struct trace *tr, const char *doing, enum bf_rc rc)
{
	tr->t.stats = tr->inner->stats;
	if (rc)
		put_note(tr, "%s: %s", doing, bf_rc_info(rc)->name);
	return rc;
}

/* ---- stream ---- */

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_bytes(tr, ">", p, len);
	return finish(tr, "write", tr->inner->ops->stream->write(tr->inner, p, len, deadline, err));
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	size_t len;
	enum bf_rc rc = tr->inner->ops->stream->read(tr->inner, p, cap, &len, deadline, err);

	if (!rc) {
		put_bytes(tr, "<", p, len);
		*ret_len = len;
	}
	return finish(tr, "read", rc);
}

static enum bf_rc stream_drain(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	return finish(tr, "drain", tr->inner->ops->stream->drain(tr->inner, deadline, err));
}

static void stream_discard(struct bf_transport *t)
{
	struct trace *tr = trace_of(t);

	put_note(tr, "discard");
	tr->inner->ops->stream->discard(tr->inner);
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	static const char parity[] = {
		[BF_PARITY_NONE] = 'N', [BF_PARITY_EVEN] = 'E', [BF_PARITY_ODD] = 'O'
	};
	struct trace *tr = trace_of(t);

	put_note(tr, "line %u 8%c%u", line->baud, parity[line->parity], line->stop_bits);
	return finish(tr, "line", tr->inner->ops->stream->set_line(tr->inner, line, err));
}

static void stream_report(struct bf_transport *t, struct bf_line_report *ret)
{
	struct trace *tr = trace_of(t);

	tr->inner->ops->stream->report(tr->inner, ret);
	finish(tr, "report", BF_OK);
}

/* ---- bus ---- */

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_frame(tr, frame, bf_now(t->clock), 'T');
	return finish(tr, "send", tr->inner->ops->bus->send(tr->inner, frame, deadline, err));
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	enum bf_rc rc = tr->inner->ops->bus->recv(tr->inner, ret, deadline, err);

	if (!rc)
		put_frame(tr, ret, ret->at, 'R');
	return finish(tr, "recv", rc);
}

static enum bf_rc bus_filter(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	return finish(tr, "filter", tr->inner->ops->bus->filter(tr->inner, filters, n, err));
}

static enum bf_rc bus_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_note(tr, "bitrate %u,%u", bitrate, dbitrate);
	return finish(tr, "bitrate",
		      tr->inner->ops->bus->set_bitrate(tr->inner, bitrate, dbitrate, err));
}

static void bus_report(struct bf_transport *t, struct bf_bus_report *ret)
{
	struct trace *tr = trace_of(t);

	tr->inner->ops->bus->report(tr->inner, ret);
	finish(tr, "report", BF_OK);
}

/* ---- usb ---- */

static enum bf_rc usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	bool in = setup->request_type & USB_IN;
	size_t moved = 0;
	char head[32];
	enum bf_rc rc;

	snprintf(head, sizeof(head), "%02X%02X%04X %04X %c", setup->request_type, setup->request,
		 setup->value, setup->index, in ? '<' : '>');
	if (!in)
		put_bytes(tr, head, data, len);
	rc = tr->inner->ops->usb->control(tr->inner, setup, data, len, &moved, deadline, err);
	if (!rc) {
		if (in)
			put_bytes(tr, head, data, moved);
		*ret_len = moved;
	}
	return finish(tr, head, rc);
}

static enum bf_rc usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	bool in = endpoint & USB_IN;
	size_t moved = 0;
	char head[16];
	enum bf_rc rc;

	snprintf(head, sizeof(head), "EP%02X %c", endpoint, in ? '<' : '>');
	if (!in)
		put_bytes(tr, head, data, len);
	rc = tr->inner->ops->usb->bulk(tr->inner, endpoint, data, len, &moved, deadline, err);
	if (!rc) {
		if (in)
			put_bytes(tr, head, data, moved);
		*ret_len = moved;
	}
	return finish(tr, head, rc);
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_note(tr, "claim interface %u, setting %u", interface, alt);
	return finish(tr, "claim", tr->inner->ops->usb->claim(tr->inner, interface, alt, err));
}

static enum bf_rc usb_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	return finish(tr, "string",
		      tr->inner->ops->usb->string(tr->inner, index, dst, cap, deadline, err));
}

static enum bf_rc usb_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	return finish(tr, "device", tr->inner->ops->usb->device(tr->inner, ret, err));
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_note(tr, "reset");
	return finish(tr, "reset", tr->inner->ops->usb->reset(tr->inner, deadline, err));
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	enum bf_rc rc;

	put_note(tr, "reopen");
	rc = tr->inner->ops->usb->reopen(tr->inner, deadline, err);
	return finish(tr, "reopen", rc);
}

/* ---- wrapping ---- */

static void trace_close(struct bf_transport *t)
{
	struct trace *tr = trace_of(t);
	bool failed = ferror(tr->file);

	if (fclose(tr->file) != 0 || failed)
		bf_log(t->log, BF_LOG_WARN, "the trace of '%s' is not complete: %s", t->name,
		       strerror(errno));
	bf_transport_close(tr->inner);
	free(tr);
}

static void wrap_ops(struct trace *tr)
{
	const struct bf_transport_ops *in = tr->inner->ops;

	tr->ops = (struct bf_transport_ops){
		.name = in->name,
		.wire = in->wire,
		.stream = in->stream ? &tr->stream : NULL,
		.bus = in->bus ? &tr->bus : NULL,
		.usb = in->usb ? &tr->usb : NULL,
		.close = trace_close,
	};
	if (in->stream)
		tr->stream = (struct bf_stream_ops){
			.write = BF_KEEP(in->stream, write, stream_write),
			.read = BF_KEEP(in->stream, read, stream_read),
			.drain = BF_KEEP(in->stream, drain, stream_drain),
			.discard = BF_KEEP(in->stream, discard, stream_discard),
			.set_line = BF_KEEP(in->stream, set_line, stream_set_line),
			.report = BF_KEEP(in->stream, report, stream_report),
		};
	if (in->bus)
		tr->bus = (struct bf_bus_ops){
			.send = BF_KEEP(in->bus, send, bus_send),
			.recv = BF_KEEP(in->bus, recv, bus_recv),
			.filter = BF_KEEP(in->bus, filter, bus_filter),
			.set_bitrate = BF_KEEP(in->bus, set_bitrate, bus_set_bitrate),
			.report = BF_KEEP(in->bus, report, bus_report),
		};
	if (in->usb)
		tr->usb = (struct bf_usb_ops){
			.control = BF_KEEP(in->usb, control, usb_control),
			.bulk = BF_KEEP(in->usb, bulk, usb_bulk),
			.claim = BF_KEEP(in->usb, claim, usb_claim),
			.string = BF_KEEP(in->usb, string, usb_string),
			.device = BF_KEEP(in->usb, device, usb_device),
			.reset = BF_KEEP(in->usb, reset, usb_reset),
			.reopen = BF_KEEP(in->usb, reopen, usb_reopen),
		};
}

static FILE *open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	FILE *file;
	int e;

	if (fd < 0)
		return NULL;
	file = fdopen(fd, "w");
	if (!file) {
		e = errno;
		close(fd);
		errno = e;
	}
	return file;
}

enum bf_rc bf_trace_wrap(struct bf_transport *take, const char *path, struct bf_transport **ret,
			 struct bf_err *err)
{
	BF_AUTO(bf_transport) *inner = take;
	FILE *file = open_file(path);
	struct trace *tr;

	if (!file)
		return bf_fail_os(err, BF_E_USAGE, errno, "cannot write the trace '%s'", path);
	tr = calloc(1, sizeof(*tr));
	if (!tr)
		abort();
	tr->file = file;
	tr->inner = bf_steal(&inner);
	wrap_ops(tr);
	tr->t.ops = &tr->ops;
	tr->t.clock = tr->inner->clock;
	tr->t.log = tr->inner->log;
	tr->t.stats = tr->inner->stats;
	memcpy(tr->t.name, tr->inner->name, sizeof(tr->t.name));
	fprintf(file, "# bmsflash %s trace of %s\n", BF_VERSION, tr->t.name);
	*ret = &tr->t;
	return BF_OK;
}

void bf_trace_mute(struct bf_transport *t, bool mute)
{
	if (t->ops->close == trace_close)
		trace_of(t)->muted = mute;
}
