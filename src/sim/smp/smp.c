/* SPDX-License-Identifier: MIT */
/* Requests in, answers out, and what the two servers keep while they work. */
#include "sim/smp/smp.h"

#include <stdio.h>
#include <string.h>

#include "sim/modbus.h"
#include "sim/smp/smp_priv.h"

#define RESET_US BF_MS(250) /* both wait so long before they restart */
#define RAW_GAP  BF_MS(100) /* raw: a silence that ends what was under way */

/* ---- who speaks ---- */

static bool speaks(const struct bf_smp *s)
{
	return bf_sim_opts_smp(s->opts, s->firmware);
}

static void forget(struct bf_smp *s)
{
	s->line_len = s->in.len = 0;
	s->line_lost = s->in.open = false;
	s->n_lines = s->n_queued = 0;
	s->busy = s->leaving = false;
	s->reply_at = BF_NEVER;
	s->upload = (struct bf_smp_upload){ 0 };
}

static void set_buffers(struct bf_smp *s)
{
	s->buffer_size = s->opts->smp_buffer_size ? s->opts->smp_buffer_size : 1024;
	s->buffers = s->opts->smp_buffers ? s->opts->smp_buffers : s->firmware ? 4 : 1;
	/* Of the buffer length and CRC take four bytes; real ones lend one of them. */
	s->in.limit = s->buffer_size + !s->opts->smp_raw;
}

static void say(struct bf_smp *s, const char *text, bf_time now)
{
	s->port->send(s->port, (const uint8_t *)text, strlen(text), now);
}

/* Another start: whoever speaks now knows nothing of what was before. */
static void follow_pack(struct bf_smp *s, bf_time now)
{
	enum bf_pack_mode mode = bf_pack_mode(s->pack);
	unsigned starts = bf_pack_starts(s->pack);

	if (mode == s->mode && starts == s->starts)
		return;
	s->mode = mode;
	s->starts = starts;
	s->firmware = mode == BF_PACK_APP;
	forget(s);
	set_buffers(s);
	if (mode < BF_PACK_LOADER || !(s->opts->smp & BF_SMP_NOISE))
		return;
	say(s,
	    s->firmware ? "*** Booting Zephyr OS build v3.4.99 ***\r\n"
			: "*** Booting MCUboot v2.1.0 ***\r\nI: Enter the serial recovery mode\r\n",
	    now);
}

/* ---- the answer ---- */

bool bf_smp_member(const struct bf_smp *s, const char *key, struct bf_cbor_value *ret)
{
	return bf_cbor_find(s->body, s->body_len, key, ret);
}

void bf_smp_put_int(struct bf_smp *s, const char *key, int64_t v)
{
	bf_cbor_text(&s->out, key);
	bf_cbor_int(&s->out, v);
}

static void begin_answer(struct bf_smp *s, unsigned which)
{
	s->out = bf_out(s->reply[which] + SMP_HEADER, sizeof(s->reply[0]) - SMP_HEADER);
	bf_cbor_map(&s->out);
}

/* What version 0 has for an error of a group. */
static int plain_rc(int error)
{
	static const struct {
		uint8_t group, from;
		enum smp_rc to;
	} rows[] = {
		{ SMP_GROUP_OS, SMP_OS_INVALID_FORMAT, SMP_EINVAL },
		{ SMP_GROUP_OS, SMP_OS_NO_ANSWER, SMP_ENOENT },
		{ SMP_GROUP_IMAGE, SMP_IMG_NO_FREE_SLOT, SMP_EBADSTATE },
		{ SMP_GROUP_IMAGE, SMP_IMG_NOT_NEWER, SMP_EBADSTATE },
		{ SMP_GROUP_IMAGE, SMP_IMG_PENDING, SMP_EBADSTATE },
		{ SMP_GROUP_IMAGE, SMP_IMG_INVALID_SLOT, SMP_EINVAL },
		{ SMP_GROUP_IMAGE, SMP_IMG_INVALID_LENGTH, SMP_EINVAL },
		{ SMP_GROUP_IMAGE, SMP_IMG_INVALID_HEADER, SMP_EINVAL },
		{ SMP_GROUP_IMAGE, SMP_IMG_INVALID_HASH, SMP_EINVAL },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++)
		if (rows[i].group == error >> 12 && rows[i].from == (error & 0xFF))
			return rows[i].to;
	return SMP_EUNKNOWN;
}

static void put_error(struct bf_smp *s, int error, unsigned which)
{
	begin_answer(s, which);
	if (!(error & SMP_GROUPED)) {
		bf_smp_put_int(s, "rc", error);
	} else if (s->version) {
		bf_cbor_text(&s->out, "err");
		bf_cbor_map(&s->out);
		bf_smp_put_int(s, "group", error >> 12);
		bf_smp_put_int(s, "rc", error & 0xFF);
		bf_cbor_end(&s->out);
	} else {
		bf_smp_put_int(s, "rc", plain_rc(error));
	}
}

static void end_answer(struct bf_smp *s, int rc, unsigned which)
{
	uint8_t *h = s->reply[which];

	if (rc != SMP_DONE)
		put_error(s, rc, which);
	bf_cbor_end(&s->out);
	if (s->out.failed) {
		put_error(s, SMP_EMSGSIZE, which);
		bf_cbor_end(&s->out);
	}
	h[0] = (uint8_t)(s->version << 3 | (s->op + 1));
	h[1] = 0;
	bf_put_be16(h + 2, (uint16_t)s->out.len);
	bf_put_be16(h + 4, s->group);
	h[6] = s->sequence;
	h[7] = s->command;
	s->reply_len[which] = SMP_HEADER + s->out.len;
}

void bf_smp_answer_twice(struct bf_smp *s, int first)
{
	end_answer(s, first, 1);
	begin_answer(s, 0);
}

/* Console text of others: a line of its own, a line without an end before the marker, or text between two lines. */
static const char *noise(struct bf_smp *s, char dst[96], unsigned kind, bf_time now)
{
	static const char *const texts[] = {
		"",
		" <inf> bms: cell 7 3305 mV, balancing off\r\n",
		" uart:~$ ",
		" <wrn> adc: late answer\r\n",
	};
	unsigned ms = (unsigned)(now / 1000 % 3600000);

	if (!(s->opts->smp & BF_SMP_NOISE) || s->answers % 4 != kind)
		return NULL;
	snprintf(dst, 96, "[00:%02u:%02u.%03u]%s", ms / 60000, ms / 1000 % 60, ms % 1000,
		 texts[kind]);
	return dst;
}

static void send_packet(struct bf_smp *s, const uint8_t *p, size_t len, bf_time now)
{
	uint8_t wire[2 * BF_SMP_BUFFER];
	struct bf_out o = bf_out(wire, sizeof(wire));
	char text[96];

	if (s->opts->smp_raw) {
		s->port->send(s->port, p, len, now);
		return;
	}
	s->answers++;
	for (unsigned kind = 1; kind <= 2; kind++) {
		const char *before = noise(s, text, kind, now);

		if (before)
			bf_out_bytes(&o, before, strlen(before));
	}
	bf_smp_frames(&o, p, len, s->firmware ? BF_SMP_FRAME_ZEPHYR : BF_SMP_FRAME_RAW,
		      noise(s, text, 3, now));
	s->port->send(s->port, wire, o.len, now);
}

static void restart(struct bf_smp *s, bf_time now)
{
	s->leaving = true;
	if (s->then == SMP_THEN_RECOVERY)
		bf_pack_restart_to_loader(s->pack, now + RESET_US);
	else
		bf_pack_restart(s->pack, BF_PACK_BY_REQUEST, now + RESET_US);
}

static void take_up_next(struct bf_smp *s, bf_time now);

static void answer(struct bf_smp *s, bf_time now)
{
	bool quiet = s->then != SMP_THEN_NOTHING && s->opts->quirks & BF_QUIRK_QUIETRESET;

	s->reply_at = BF_NEVER;
	s->busy = false;
	if (!bf_pack_reply(s->pack, now))
		return;
	if (s->reply_len[1])
		send_packet(s, s->reply[1], s->reply_len[1], now);
	if (!quiet)
		send_packet(s, s->reply[0], s->reply_len[0], now);
	if (s->then != SMP_THEN_NOTHING)
		restart(s, now);
	else
		take_up_next(s, now);
}

/* ---- the request ---- */

enum { IN_RECOVERY = 1, IN_FIRMWARE = 2, IN_BOTH = 3 };
enum { ON_READ = 1, ON_WRITE = 2, ON_ANY = 3 };

static const struct row {
	uint16_t group;
	uint8_t command, where, on;
	unsigned absent; /* in builds with one of these bits of enum bf_sim_smp */
	smp_command *run;
} commands[] = {
	{ SMP_GROUP_OS, 0, IN_BOTH, ON_ANY, BF_SMP_SMALL, bf_smp_echo },
	{ SMP_GROUP_OS, 1, IN_RECOVERY, ON_ANY, 0, bf_smp_echo_control },
	{ SMP_GROUP_OS, 5, IN_RECOVERY, ON_ANY, 0, bf_smp_reset },
	{ SMP_GROUP_OS, 5, IN_FIRMWARE, ON_WRITE, 0, bf_smp_reset },
	{ SMP_GROUP_OS, 6, IN_RECOVERY, ON_ANY, BF_SMP_SMALL | BF_SMP_NOPARAMS, bf_smp_params },
	{ SMP_GROUP_OS, 6, IN_FIRMWARE, ON_READ, BF_SMP_SMALL | BF_SMP_NOPARAMS, bf_smp_params },
	{ SMP_GROUP_OS, 7, IN_FIRMWARE, ON_READ, BF_SMP_SMALL | BF_SMP_NOINFO, bf_smp_os_info },
	{ SMP_GROUP_OS, 8, IN_FIRMWARE, ON_READ, BF_SMP_SMALL | BF_SMP_NOBOOT, bf_smp_boot_info },
	{ SMP_GROUP_IMAGE, 0, IN_BOTH, ON_READ, 0, bf_smp_state_read },
	{ SMP_GROUP_IMAGE, 0, IN_BOTH, ON_WRITE, BF_SMP_SMALL | BF_SMP_NOCONFIRM,
	  bf_smp_state_write },
	{ SMP_GROUP_IMAGE, 1, IN_RECOVERY, ON_ANY, 0, bf_smp_upload_chunk },
	{ SMP_GROUP_IMAGE, 1, IN_FIRMWARE, ON_WRITE, 0, bf_smp_upload_chunk },
	{ SMP_GROUP_IMAGE, 5, IN_FIRMWARE, ON_WRITE, 0, bf_smp_erase },
	{ SMP_GROUP_IMAGE, 6, IN_BOTH, ON_READ, BF_SMP_SMALL | BF_SMP_NOSLOTS, bf_smp_slot_info },
	{ SMP_GROUP_IMAGE, 6, IN_RECOVERY, ON_WRITE, BF_SMP_SMALL | BF_SMP_NOSLOTS,
	  bf_smp_slot_info_written },
};

static int run_command(struct bf_smp *s)
{
	unsigned where = s->firmware ? IN_FIRMWARE : IN_RECOVERY;
	unsigned on = s->op == SMP_READ ? ON_READ : ON_WRITE;

	for (size_t i = 0; i < BF_COUNT(commands); i++) {
		const struct row *r = &commands[i];

		if (r->group == s->group && r->command == s->command && r->where & where &&
		    r->on & on)
			return r->absent & s->opts->smp ? SMP_ENOTSUP : r->run(s);
	}
	return SMP_ENOTSUP;
}

static bool read_header(struct bf_smp *s, const uint8_t *p, size_t len)
{
	s->op = p[0] & 7;
	s->version = p[0] >> 3 & 3;
	s->body_len = bf_get_be16(p + 2);
	s->group = bf_get_be16(p + 4);
	s->sequence = p[6];
	s->command = p[7];
	s->body = p + SMP_HEADER;
	return (s->op == SMP_READ || s->op == SMP_WRITE) && s->body_len == len - SMP_HEADER &&
	       s->version <= 1;
}

static void request(struct bf_smp *s, const uint8_t *p, size_t len, bf_time now)
{
	int rc;

	if (len < SMP_HEADER || !read_header(s, p, len) || !bf_pack_message(s->pack, now))
		return;
	bf_pack_heard(s->pack, p, len);
	s->now = now;
	s->done = bf_pack_idle_at(s->pack, now);
	s->then = SMP_THEN_NOTHING;
	s->reply_len[0] = s->reply_len[1] = 0;
	begin_answer(s, 0);
	rc = run_command(s);
	if (rc == SMP_SILENT)
		return;
	end_answer(s, rc, 0);
	s->busy = true;
	s->reply_at = s->done + s->opts->turnaround_us;
}

/* ---- bytes that come in ---- */

/* The firmware's driver puts requests together while another is worked on. */
static void packet(struct bf_smp *s, const uint8_t *p, size_t len, bf_time now)
{
	if (!s->busy && !s->leaving) {
		request(s, p, len, now);
		return;
	}
	if (!s->firmware || s->leaving || s->n_queued + 1 >= s->buffers || len > s->buffer_size)
		return;
	memcpy(s->queue + s->n_queued * s->buffer_size, p, len);
	s->queue_len[s->n_queued++] = len;
}

static void take_line(struct bf_smp *s, const uint8_t *p, size_t len, bf_time now)
{
	size_t n = bf_smp_line(&s->in, p, len);

	if (n)
		packet(s, s->in.buf + 2, n, now);
}

static void take_up_next(struct bf_smp *s, bf_time now)
{
	while (!s->busy && !s->leaving && s->n_queued) {
		uint8_t p[BF_SMP_BUFFER];
		size_t len = s->queue_len[0];

		memcpy(p, s->queue, len);
		s->n_queued--;
		memmove(s->queue, s->queue + s->buffer_size, s->n_queued * s->buffer_size);
		memmove(s->queue_len, s->queue_len + 1, s->n_queued * sizeof(s->queue_len[0]));
		request(s, p, len, now);
	}
	while (!s->busy && !s->leaving && s->n_lines) {
		uint8_t line[BF_SMP_LINE];
		size_t len = s->lines[0].len;

		memcpy(line, s->lines[0].p, len);
		s->n_lines--;
		memmove(s->lines, s->lines + 1, s->n_lines * sizeof(s->lines[0]));
		take_line(s, line, len, now);
	}
}

/* While it works serial recovery keeps some lines and loses the rest. */
static void end_line(struct bf_smp *s, bf_time now)
{
	size_t len = s->line_len;
	bool lost = s->line_lost;

	s->line_len = 0;
	s->line_lost = false;
	if (lost || !len)
		return;
	if (s->firmware || (!s->busy && !s->leaving)) {
		take_line(s, s->line, len, now);
		return;
	}
	if (s->n_lines == SMP_LINES)
		return;
	memcpy(s->lines[s->n_lines].p, s->line, len);
	s->lines[s->n_lines++].len = len;
}

static void console_byte(struct bf_smp *s, uint8_t b, bf_time now)
{
	if (b == '\n') {
		end_line(s, now);
		return;
	}
	/* The firmware's driver looks for the marker, the bootloader's wants it first in the line. */
	if (s->firmware && s->line_len == 0 && b != 0x06 && b != 0x04)
		return;
	if (s->firmware && s->line_len == 1 && b != (s->line[0] == 0x06 ? 0x09 : 0x14)) {
		s->line_len = 0;
		return;
	}
	if (s->line_len < sizeof(s->line))
		s->line[s->line_len++] = b;
	else
		s->line_lost = true;
}

/* Packets back to back: nothing but silence ends what is not one. */
static void raw_byte(struct bf_smp *s, uint8_t b, bf_time now)
{
	struct bf_smp_in *in = &s->in;
	size_t whole;

	if (in->len < in->limit && in->len < sizeof(in->buf) - 2)
		in->buf[2 + in->len++] = b;
	else
		return;
	whole = in->len < SMP_HEADER ? SMP_HEADER : SMP_HEADER + (size_t)bf_get_be16(in->buf + 4);
	if (in->len < SMP_HEADER || in->len < whole)
		return;
	in->len = 0;
	packet(s, in->buf + 2, whole, now);
}

static void smp_bytes(void *server, const uint8_t *p, size_t len, bf_time began, bf_time now)
{
	struct bf_smp *s = server;

	follow_pack(s, now);
	if (s->modbus && s->firmware)
		bf_modbus_unit_bytes(s->modbus, p, len, began, now);
	if (!speaks(s))
		return;
	if (s->opts->smp_raw && began - s->heard_at > RAW_GAP)
		s->in.len = 0;
	s->heard_at = now;
	for (size_t i = 0; i < len; i++) {
		if (s->opts->smp_raw)
			raw_byte(s, p[i], now);
		else
			console_byte(s, p[i], now);
	}
}

/* ---- as a server of a line ---- */

static bf_time smp_next(const void *server)
{
	const struct bf_smp *s = server;
	bf_time at = bf_pack_next(s->pack);

	if (s->modbus && bf_modbus_unit_next(s->modbus) < at)
		at = bf_modbus_unit_next(s->modbus);
	return s->reply_at < at ? s->reply_at : at;
}

static void smp_run(void *server, bf_time now)
{
	struct bf_smp *s = server;

	bf_pack_run(s->pack, now);
	follow_pack(s, now);
	if (s->modbus)
		bf_modbus_unit_run(s->modbus, now);
	if (s->reply_at <= now)
		answer(s, now);
}

static void *smp_open(struct bf_pack *pack, struct bf_bytes_port *port)
{
	struct bf_smp *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->pack = pack;
	s->port = port;
	s->opts = bf_pack_opts(pack);
	s->mode = bf_pack_mode(pack);
	s->starts = bf_pack_starts(pack);
	s->firmware = s->mode == BF_PACK_APP;
	set_buffers(s);
	s->queue = malloc(16 * s->buffer_size);
	if (!s->queue)
		abort();
	forget(s);
	if (bf_sim_opts_app(s->opts) == BF_SIM_APP_MODBUS)
		s->modbus = bf_modbus_unit_new(&bf_modbus_pack_map, pack, pack, port);
	return s;
}

static void smp_close(void *server)
{
	struct bf_smp *s = server;

	bf_modbus_unit_free(s->modbus);
	free(s->queue);
	free(s);
}

const struct bf_bytes_ops bf_smp_bytes = {
	.open = smp_open,
	.close = smp_close,
	.bytes = smp_bytes,
	.next = smp_next,
	.run = smp_run,
};
