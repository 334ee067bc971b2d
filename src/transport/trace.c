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
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "bmsflash/text.h"
#include "wrap.h"

#define USB_IN 0x80 /* USB 2.0, 9.3: direction bit */

#define HEAD        "# bmsflash "
#define LINE_BUFFER 65536
#define FIFO_POLL   BF_MS(100)
#define FIFO_WAIT   BF_SEC(60)

struct trace {
	struct bf_wrap w;
	FILE *file; /* gathers a line, or a buffer of them, for put_out() */
	int fd;
	int os; /* why the file is not complete; 0: it is */
	bool muted;
	char *name; /* of the wire, harmless */
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
		(long long)(wall % 1000000), tr->name);
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

/* Takes lines to the file or the pipe. Nothing here waits: what a full pipe does not take is lost, and the trace
 * says so. */
static ssize_t put_out(void *ctx, const char *p, size_t n)
{
	struct trace *tr = ctx;
	size_t at = 0;

	while (at < n) {
		ssize_t done = write(tr->fd, p + at, n - at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			tr->os = errno;
			break;
		}
		at += (size_t)done;
	}
	return (ssize_t)n;
}

static void trace_close(struct bf_transport *t)
{
	struct trace *tr = trace_of(t);

	fclose(tr->file);
	if (close(tr->fd) < 0 && !tr->os)
		tr->os = errno;
	if (tr->os)
		bf_log(t->log, BF_LOG_WARN, "the trace of '%s' is not complete: %s", t->name,
		       tr->os == EAGAIN ? "its reader was too slow" : strerror(tr->os));
	bf_transport_close(tr->w.inner);
	free(tr->name);
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

/* A descriptor that the user's shell has opened, as >(command) names it. */
static bool is_descriptor(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

static bool is_sink(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
	       (minor(st->st_rdev) == 3 || minor(st->st_rdev) == 7); /* null, full */
}

/* Only a trace of an earlier run, or an empty file, is written over. */
static bool may_be_replaced(const char *path, const struct stat *st)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	char head[sizeof(HEAD) - 1];

	return st->st_uid == geteuid() && st->st_nlink == 1 &&
	       (!st->st_size || (fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
				 memcmp(head, HEAD, sizeof(head)) == 0));
}

static enum bf_rc not_a_place(const char *path, struct bf_err *err)
{
	bf_fail(err, BF_E_USAGE, "cannot write the trace '%s': it is there and is no trace", path);
	bf_likely(err, "traces go to a new file, over an earlier trace of yours, or into a named "
		       "pipe; links are not followed");
	return err->rc;
}

static enum bf_rc unwritable(const char *path, struct bf_err *err)
{
	int os = errno;

	if (os == ELOOP)
		return not_a_place(path, err);
	bf_fail_os(err, BF_E_USAGE, os, "cannot write the trace '%s'", path);
	bf_advise_path(err, os, path);
	return err->rc;
}

/* A pipe can be opened once somebody reads it. */
static enum bf_rc open_pipe(struct bf_clock *clock, const char *path, int flags, int *ret_fd,
			    struct bf_err *err)
{
	bf_time deadline = bf_in(clock, FIFO_WAIT);

	for (;;) {
		*ret_fd = open(path, flags);
		if (*ret_fd >= 0)
			return BF_OK;
		if (errno != ENXIO)
			return unwritable(path, err);
		if (bf_now(clock) >= deadline) {
			bf_fail(err, BF_E_USAGE, "nobody reads the named pipe '%s'", path);
			bf_likely(err, "the program that is to show the trace is not running yet");
			return err->rc;
		}
		if (!bf_clock_until(clock, bf_in(clock, FIFO_POLL)))
			return bf_fail(err, BF_E_INTERRUPTED,
				       "stopped while waiting for somebody to read '%s'", path);
	}
}

static enum bf_rc open_trace(struct bf_clock *clock, const char *path, int *ret_fd,
			     struct bf_err *err)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
		    (is_descriptor(path) ? 0 : O_NOFOLLOW);
	struct stat st;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	*ret_fd = fd;
	if (fd >= 0)
		return BF_OK;
	if (errno != EEXIST)
		return unwritable(path, err);
	if (open_pipe(clock, path, flags, &fd, err))
		return err->rc;
	*ret_fd = fd;
	if (fstat(fd, &st) == 0) {
		if (S_ISFIFO(st.st_mode) || is_sink(&st))
			return BF_OK;
		if (S_ISREG(st.st_mode) && may_be_replaced(path, &st) && fchmod(fd, 0600) == 0 &&
		    ftruncate(fd, 0) == 0)
			return BF_OK;
	}
	close(fd);
	return not_a_place(path, err);
}

/* Lines go to a pipe as they come: somebody watches. */
static FILE *line_gatherer(struct trace *tr)
{
	static const cookie_io_functions_t io = { .write = put_out };
	FILE *file = fopencookie(tr, "w", io);
	struct stat st;

	if (!file)
		abort();
	setvbuf(file, NULL, fstat(tr->fd, &st) == 0 && S_ISFIFO(st.st_mode) ? _IOLBF : _IOFBF,
		LINE_BUFFER);
	return file;
}

enum bf_rc bf_trace_wrap(struct bf_transport *take, const char *path, struct bf_transport **ret,
			 struct bf_err *err)
{
	BF_AUTO(bf_transport) *inner = take;
	size_t cap = 6 * strlen(take->name) + 1;
	struct trace *tr;
	int fd;

	if (open_trace(take->clock, path, &fd, err))
		return err->rc;
	tr = calloc(1, sizeof(*tr));
	if (!tr || !(tr->name = malloc(cap)))
		abort();
	bf_text_escape(tr->name, cap, take->name);
	tr->fd = fd;
	tr->file = line_gatherer(tr);
	bf_wrap_init(&tr->w, bf_steal(&inner), &trace_ops);
	fprintf(tr->file, HEAD "%s trace of %s\n", BF_VERSION, tr->name);
	*ret = &tr->w.t;
	return BF_OK;
}

void bf_trace_mute(struct bf_transport *t, bool mute)
{
	if (t->ops->close == trace_close)
		trace_of(t)->muted = mute;
}
