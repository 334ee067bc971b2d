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

#include "bmsflash/file.h"
#include "wrap.h"

#define USB_IN 0x80 /* USB 2.0, 9.3: direction bit */

struct trace {
	struct bf_wrap w;
	FILE *file;
	bool muted;
};

static struct trace *trace_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct trace, w.t);
}

/* ---- lines ---- */

static void put_stamp(struct trace *tr, bf_time at)
{
	int64_t wall = bf_wall(tr->w.t.clock) - (bf_now(tr->w.t.clock) - at);

	fprintf(tr->file, "(%010lld.%06lld) %s ", (long long)(wall / 1000000),
		(long long)(wall % 1000000), tr->w.t.name);
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
	put_stamp(tr, bf_now(tr->w.t.clock));
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
	put_stamp(tr, bf_now(tr->w.t.clock));
	va_start(ap, fmt);
	vfprintf(tr->file, fmt, ap);
	va_end(ap);
	fputc('\n', tr->file);
}

/* A failure is worth a line. */
static void note_failure(struct bf_wrap *w, const char *doing, enum bf_rc rc)
{
	if (rc)
		put_note(trace_of(&w->t), "%s: %s", doing, bf_rc_info(rc)->name);
}

/* ---- stream ---- */

static enum bf_rc stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
			       bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_bytes(tr, ">", p, len);
	return bf_wrap_after(&tr->w, "write",
			     tr->w.inner->ops->stream->write(tr->w.inner, p, len, deadline, err));
}

static enum bf_rc stream_read(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			      bf_time deadline, struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	size_t len;
	enum bf_rc rc = tr->w.inner->ops->stream->read(tr->w.inner, p, cap, &len, deadline, err);

	if (!rc) {
		put_bytes(tr, "<", p, len);
		*ret_len = len;
	}
	return bf_wrap_after(&tr->w, "read", rc);
}

static void stream_discard(struct bf_transport *t)
{
	struct trace *tr = trace_of(t);

	put_note(tr, "discard");
	tr->w.inner->ops->stream->discard(tr->w.inner);
}

static enum bf_rc stream_set_line(struct bf_transport *t, const struct bf_line *line,
				  struct bf_err *err)
{
	static const char parity[] = {
		[BF_PARITY_NONE] = 'N', [BF_PARITY_EVEN] = 'E', [BF_PARITY_ODD] = 'O'
	};

	put_note(trace_of(t), "line %u %u%c%u", line->baud, line->data_bits ? line->data_bits : 8,
		 parity[line->parity], line->stop_bits ? line->stop_bits : 1);
	return bf_wrap_set_line(t, line, err);
}

static enum bf_rc stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
				   struct bf_err *err)
{
	put_note(trace_of(t), "modem%s%s",
		 !(mask & BF_MODEM_RTS) ? ""
		 : on & BF_MODEM_RTS    ? " RTS on"
					: " RTS off",
		 !(mask & BF_MODEM_DTR) ? ""
		 : on & BF_MODEM_DTR    ? " DTR on"
					: " DTR off");
	return bf_wrap_set_modem(t, mask, on, err);
}

static enum bf_rc stream_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	put_note(trace_of(t), "break %lld us", (long long)duration);
	return bf_wrap_send_break(t, duration, err);
}

static enum bf_rc stream_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	put_note(trace_of(t), "reopen");
	return bf_wrap_stream_reopen(t, deadline, err);
}

/* ---- bus ---- */

static enum bf_rc bus_send(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err)
{
	struct trace *tr = trace_of(t);

	put_frame(tr, frame, bf_now(t->clock), 'T');
	return bf_wrap_after(&tr->w, "send",
			     tr->w.inner->ops->bus->send(tr->w.inner, frame, deadline, err));
}

static enum bf_rc bus_recv(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err)
{
	struct trace *tr = trace_of(t);
	enum bf_rc rc = tr->w.inner->ops->bus->recv(tr->w.inner, ret, deadline, err);

	if (!rc)
		put_frame(tr, ret, ret->at, 'R');
	return bf_wrap_after(&tr->w, "recv", rc);
}

static enum bf_rc bus_set_bitrate(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err)
{
	put_note(trace_of(t), "bitrate %u,%u", bitrate, dbitrate);
	return bf_wrap_set_bitrate(t, bitrate, dbitrate, err);
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
	rc = tr->w.inner->ops->usb->control(tr->w.inner, setup, data, len, &moved, deadline, err);
	if (!rc) {
		if (in)
			put_bytes(tr, head, data, moved);
		*ret_len = moved;
	}
	return bf_wrap_after(&tr->w, head, rc);
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
	rc = tr->w.inner->ops->usb->bulk(tr->w.inner, endpoint, data, len, &moved, deadline, err);
	if (!rc) {
		if (in)
			put_bytes(tr, head, data, moved);
		*ret_len = moved;
	}
	return bf_wrap_after(&tr->w, head, rc);
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	put_note(trace_of(t), "claim interface %u, setting %u", interface, alt);
	return bf_wrap_claim(t, interface, alt, err);
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	put_note(trace_of(t), "reset");
	return bf_wrap_reset(t, deadline, err);
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	put_note(trace_of(t), "reopen");
	return bf_wrap_reopen(t, deadline, err);
}

/* ---- wrapping ---- */

static void trace_close(struct bf_transport *t)
{
	struct trace *tr = trace_of(t);
	bool failed = ferror(tr->file);

	if (fclose(tr->file) != 0 || failed)
		bf_log(t->log, BF_LOG_WARN, "the trace of '%s' is not complete: %s", t->name,
		       strerror(errno));
	bf_transport_close(tr->w.inner);
	free(tr);
}

static const struct bf_wrap_ops trace_ops = {
	.stream = {
		.write = stream_write,
		.read = stream_read,
		.discard = stream_discard,
		.set_line = stream_set_line,
		.set_modem = stream_set_modem,
		.send_break = stream_send_break,
		.reopen = stream_reopen,
	},
	.bus = { .send = bus_send, .recv = bus_recv, .set_bitrate = bus_set_bitrate },
	.usb = {
		.control = usb_control,
		.bulk = usb_bulk,
		.claim = usb_claim,
		.reset = usb_reset,
		.reopen = usb_reopen,
	},
	.close = trace_close,
	.after = note_failure,
};

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

	if (!file) {
		int os = errno;

		bf_fail_os(err, BF_E_USAGE, os, "cannot write the trace '%s'", path);
		bf_advise_path(err, os, path);
		return err->rc;
	}
	tr = calloc(1, sizeof(*tr));
	if (!tr)
		abort();
	tr->file = file;
	bf_wrap_init(&tr->w, bf_steal(&inner), &trace_ops);
	fprintf(file, "# bmsflash %s trace of %s\n", BF_VERSION, tr->w.t.name);
	*ret = &tr->w.t;
	return BF_OK;
}

void bf_trace_mute(struct bf_transport *t, bool mute)
{
	if (t->ops->close == trace_close)
		trace_of(t)->muted = mute;
}
