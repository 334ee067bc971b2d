/* SPDX-License-Identifier: MIT */
#include "sim/usb/usb_serial.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "sim/wiring.h"

enum { GET_STATUS = 0, SET_ADDRESS = 5, GET_DESCRIPTOR = 6, GET_CONFIGURATION = 8 };
enum { CLEAR_FEATURE = 1, SET_CONFIGURATION = 9, GET_INTERFACE = 10, SET_INTERFACE = 11 };
enum { DESC_DEVICE = 1, DESC_CONFIG = 2, DESC_STRING = 3 };
enum { STR_LANG, STR_MAKER, STR_PRODUCT, STR_SERIAL, STR_COUNT };

/* PSTN 1.2, table 13 */
enum { SET_LINE_CODING = 0x20, GET_LINE_CODING, SET_CONTROL_LINE_STATE, SEND_BREAK };

#define CLASS_OUT    0x21
#define CLASS_IN     0xa1
#define CODING_SIZE  7
#define BREAK_ON     0xffff
#define EP_NOTIFY    1
#define EP_DATA      2
#define ENUMERATE_US BF_MS(300)
#define RX_SIZE      65536u
#define TX_SIZE      65536u
#define DESC_MAX     255
#define VID          0x1209
#define PID_APP      0x0004 /* for tests; belongs to nobody */
#define PID_LOADER   0x0005

struct fifo {
	uint8_t *buf;
	size_t cap, head, len;
};

struct bf_usb_serial {
	struct bf_pack *pack;
	struct bf_stream_node node;
	void (*tell)(void *ctx, const char *what);
	void *ctx;
	uint8_t coding[CODING_SIZE];
	uint8_t rx_buf[RX_SIZE], tx_buf[TX_SIZE];
	struct fifo rx, tx; /* for the host, for the line */
	uint8_t config;
	bool present, is_loader;
	unsigned enumeration, starts;
	bf_time up_at;    /* comes back then */
	bf_time break_at; /* began then; BF_NEVER: none */
};

/* ---- bytes ---- */

static size_t fifo_put(struct fifo *f, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && f->len < f->cap)
		f->buf[(f->head + f->len++) % f->cap] = p[n++];
	return n;
}

static size_t fifo_get(struct fifo *f, uint8_t *dst, size_t cap)
{
	size_t n = 0;

	while (n < cap && f->len) {
		dst[n++] = f->buf[f->head];
		f->head = (f->head + 1) % f->cap;
		f->len--;
	}
	return n;
}

static void to_host(struct bf_stream_node *n, const uint8_t *p, size_t len, bf_time now)
{
	struct bf_usb_serial *s = BF_CONTAINER_OF(n, struct bf_usb_serial, node);

	(void)now;
	/* A host that does not read loses bytes, as with any adapter. */
	if (s->present)
		fifo_put(&s->rx, p, len);
}

/* What waits goes to the line as fast as it takes it. */
static void feed_line(struct bf_usb_serial *s, bf_time now)
{
	uint8_t buf[256];

	while (s->tx.len && BF_LANE_SIZE - s->node.line.to_pack.len >= sizeof(buf))
		bf_uart_from_tester(&s->node.line, buf, fifo_get(&s->tx, buf, sizeof(buf)), now);
}

/* ---- settings ---- */

static void tell(struct bf_usb_serial *s, const char *fmt, ...) BF_PRINTF(2, 3);

static void tell(struct bf_usb_serial *s, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	if (!s->tell)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->tell(s->ctx, text);
}

/* dwDTERate 4, bCharFormat 1, bParityType 1, bDataBits 1 */
static void set_coding(struct bf_usb_serial *s, const uint8_t *p)
{
	static const char parities[] = "NOEMS";
	static const char *const stops[] = { "1", "1.5", "2" };
	static const uint8_t parity[] = { BF_PARITY_NONE, BF_PARITY_ODD, BF_PARITY_EVEN };
	uint32_t rate = bf_get_le32(p);

	memcpy(s->coding, p, CODING_SIZE);
	if (rate)
		s->node.line.tester_rate = rate;
	/* A second stop bit is idle time to whoever hears it. */
	s->node.line.tester_bits_differ = p[6] != 8 || p[5] >= BF_COUNT(parity);
	if (p[5] < BF_COUNT(parity))
		s->node.line.tester_parity = parity[p[5]];
	tell(s, "line %u %u%c%s", (unsigned)rate, p[6], p[5] < 5 ? parities[p[5]] : '?',
	     p[4] < 3 ? stops[p[4]] : "?");
}

static void set_modem(struct bf_usb_serial *s, unsigned value, bf_time now)
{
	unsigned on = (value & 1 ? BF_MODEM_DTR : 0u) | (value & 2 ? BF_MODEM_RTS : 0u);

	tell(s, "DTR %u RTS %u", value & 1, value >> 1 & 1);
	s->node.modem_on = on;
	if (!(value & 1)) /* nobody has the port open */
		s->rx.len = 0;
	if (s->node.modem)
		s->node.modem(&s->node, on, now);
}

static void set_break(struct bf_usb_serial *s, unsigned ms, bf_time now)
{
	bf_time lasted = BF_MS(ms);

	if (ms == BREAK_ON) {
		s->break_at = now;
		return;
	}
	if (!ms) {
		if (s->break_at == BF_NEVER)
			return;
		lasted = now - s->break_at;
	}
	s->break_at = BF_NEVER;
	tell(s, "break %llu ms", (unsigned long long)(lasted / 1000));
	if (s->node.line_break)
		s->node.line_break(&s->node, lasted, now);
}

static int class_request(struct bf_usb_serial *s, const uint8_t setup[8], uint8_t *data,
			 bf_time now)
{
	unsigned value = bf_get_le16(setup + 2), len = bf_get_le16(setup + 6);
	bool in = setup[0] == CLASS_IN;

	if (setup[1] == SET_LINE_CODING && !in && len == CODING_SIZE) {
		set_coding(s, data);
		return CODING_SIZE;
	}
	if (setup[1] == GET_LINE_CODING && in) {
		len = len < CODING_SIZE ? len : CODING_SIZE;
		memcpy(data, s->coding, len);
		return (int)len;
	}
	if (setup[1] == SET_CONTROL_LINE_STATE && !in) {
		set_modem(s, value, now);
		return 0;
	}
	if (setup[1] == SEND_BREAK && !in) {
		set_break(s, value, now);
		return 0;
	}
	return BF_USB_STALL;
}

/* ---- descriptors ---- */

static const uint8_t config_bytes[] = {
	9,
	DESC_CONFIG,
	67,
	0,
	2,
	1,
	0,
	0xc0,
	50, /* two interfaces, powered by itself */
	9,
	4,
	0,
	0,
	1,
	0x02,
	0x02,
	0x00,
	0, /* communication, abstract control */
	5,
	0x24,
	0x00,
	0x20,
	0x01, /* header: CDC 1.20 */
	5,
	0x24,
	0x01,
	0x00,
	1, /* call management: none */
	4,
	0x24,
	0x02,
	0x06, /* line coding and state, break */
	5,
	0x24,
	0x06,
	0,
	1, /* union of both */
	7,
	5,
	0x80 | EP_NOTIFY,
	3,
	8,
	0,
	16, /* interrupt */
	9,
	4,
	1,
	0,
	2,
	0x0a,
	0,
	0,
	0, /* data */
	7,
	5,
	EP_DATA,
	2,
	64,
	0,
	0,
	7,
	5,
	0x80 | EP_DATA,
	2,
	64,
	0,
	0, /* bulk */
};
static_assert(sizeof(config_bytes) == 67, "wTotalLength");

static bool as_another(const struct bf_usb_serial *s)
{
	return s->is_loader && bf_pack_opts(s->pack)->replug == BF_SIM_REPLUG_OTHER;
}

static void device_descriptor(const struct bf_usb_serial *s, struct bf_out *out)
{
	bf_out_bytes(out, "\x12\x01\x00\x02\x02\x00\x00\x40",
		     8); /* USB 2.0, communication device */
	bf_out_le16(out, VID);
	bf_out_le16(out, as_another(s) ? PID_LOADER : PID_APP);
	bf_out_le16(out, 0x0100);
	bf_out_u8(out, STR_MAKER);
	bf_out_u8(out, STR_PRODUCT);
	bf_out_u8(out, STR_SERIAL);
	bf_out_u8(out, 1); /* configurations */
}

static void string_descriptor(const struct bf_usb_serial *s, unsigned index, struct bf_out *out)
{
	struct bf_pack_ids ids;
	char text[110] = "";

	bf_pack_ids(s->pack, &ids);
	if (index == STR_MAKER)
		snprintf(text, sizeof(text), "%.100s", ids.manufacturer);
	else if (index == STR_PRODUCT)
		snprintf(text, sizeof(text), "%.80s %s", ids.model,
			 as_another(s) ? "bootloader" : "serial port");
	else if (index == STR_SERIAL)
		snprintf(text, sizeof(text), "%.80s%s", ids.serial, as_another(s) ? "-BL" : "");
	bf_out_u8(out, index ? (uint8_t)(2 + 2 * strlen(text)) : 4);
	bf_out_u8(out, DESC_STRING);
	if (!index)
		bf_out_le16(out, 0x0409);
	for (const char *p = text; *p; p++)
		bf_out_le16(out, (uint8_t)*p);
}

static int get_descriptor(const struct bf_usb_serial *s, const uint8_t setup[8], uint8_t *data)
{
	uint8_t buf[DESC_MAX];
	struct bf_out out = bf_out(buf, sizeof(buf));
	size_t len = bf_get_le16(setup + 6);

	if (setup[3] == DESC_DEVICE)
		device_descriptor(s, &out);
	else if (setup[3] == DESC_CONFIG && setup[2] == 0)
		bf_out_bytes(&out, config_bytes, sizeof(config_bytes));
	else if (setup[3] == DESC_STRING && setup[2] < STR_COUNT)
		string_descriptor(s, setup[2], &out);
	if (out.failed || !out.len)
		return BF_USB_STALL;
	if (len > out.len)
		len = out.len;
	memcpy(data, buf, len);
	return (int)len;
}

static int standard_request(struct bf_usb_serial *s, const uint8_t setup[8], uint8_t *data)
{
	bool in = setup[0] & 0x80;
	size_t len = bf_get_le16(setup + 6);

	if (in && setup[1] == GET_DESCRIPTOR)
		return get_descriptor(s, setup, data);
	if (in && (setup[1] == GET_STATUS || setup[1] == GET_CONFIGURATION ||
		   setup[1] == GET_INTERFACE)) {
		size_t n = setup[1] == GET_STATUS ? 2 : 1;

		n = len < n ? len : n;
		memset(data, 0, n);
		if (n)
			data[0] = setup[1] == GET_INTERFACE ? 0
				  : setup[1] == GET_STATUS  ? 1
							    : s->config;
		return (int)n;
	}
	if (in)
		return BF_USB_STALL;
	if (setup[1] == SET_CONFIGURATION)
		s->config = setup[2];
	else if (setup[1] != SET_ADDRESS && setup[1] != CLEAR_FEATURE && setup[1] != SET_INTERFACE)
		return BF_USB_STALL;
	return 0;
}

/* ---- as a gadget ---- */

static bool is_up(const struct bf_usb_serial *s)
{
	return bf_pack_mode(s->pack) >= BF_PACK_LOADER;
}

/* Nobody drives the lines of a port that is not there. */
static void let_go(struct bf_usb_serial *s, bf_time now)
{
	s->node.modem_on = 0;
	if (s->node.modem)
		s->node.modem(&s->node, 0, now);
}

/* Not its own chip: on the bus as long as the pack's controller runs. */
static void follow_pack(struct bf_usb_serial *s, bf_time now)
{
	bool follows = bf_pack_opts(s->pack)->replug != BF_SIM_REPLUG_NEVER;

	if (follows && (!is_up(s) || s->starts != bf_pack_starts(s->pack))) {
		if (s->present)
			let_go(s, now);
		s->present = false;
		s->up_at = BF_NEVER;
		s->starts = bf_pack_starts(s->pack);
		s->rx.len = s->tx.len = 0;
	}
	if (!s->present && s->up_at == BF_NEVER && (!follows || is_up(s)))
		s->up_at = now + ENUMERATE_US;
	if (s->up_at > now)
		return;
	s->up_at = BF_NEVER;
	s->present = true;
	s->config = 0;
	s->is_loader = bf_pack_mode(s->pack) == BF_PACK_LOADER;
	s->enumeration++;
}

static bool serial_present(const void *dev)
{
	return ((const struct bf_usb_serial *)dev)->present;
}

static unsigned serial_enumeration(const void *dev)
{
	return ((const struct bf_usb_serial *)dev)->enumeration;
}

static void serial_run(void *dev, bf_time now)
{
	struct bf_usb_serial *s = dev;

	while (bf_stream_node_next(&s->node) <= now)
		bf_stream_node_run(&s->node, bf_stream_node_next(&s->node));
	feed_line(s, now);
	follow_pack(s, now);
}

static int serial_control(void *dev, const uint8_t setup[8], uint8_t *data, bf_time now)
{
	struct bf_usb_serial *s = dev;
	int n;

	serial_run(s, now);
	if (!s->present)
		return BF_USB_GONE;
	n = setup[0] == CLASS_OUT || setup[0] == CLASS_IN ? class_request(s, setup, data, now)
							  : standard_request(s, setup, data);
	serial_run(s, now);
	return n;
}

static void serial_bus_reset(void *dev, bf_time now)
{
	struct bf_usb_serial *s = dev;

	(void)now;
	s->config = 0;
	s->rx.len = s->tx.len = 0;
}

static int serial_out(void *dev, unsigned endpoint, const uint8_t *p, size_t len, bf_time now)
{
	struct bf_usb_serial *s = dev;

	if (endpoint != EP_DATA)
		return BF_USB_STALL;
	fifo_put(&s->tx, p, len); /* what does not fit is lost: more than a host has under way */
	feed_line(s, now);
	return (int)len;
}

static size_t serial_unsent(const void *dev, unsigned endpoint)
{
	const struct bf_usb_serial *s = dev;

	return endpoint == EP_DATA ? s->tx.len + s->node.line.to_pack.len : 0;
}

static int serial_in(void *dev, unsigned endpoint, uint8_t *dst, size_t cap, bf_time now)
{
	struct bf_usb_serial *s = dev;

	(void)now;
	if (endpoint == EP_NOTIFY)
		return 0; /* nothing is ever notified */
	return endpoint == EP_DATA ? (int)fifo_get(&s->rx, dst, cap) : BF_USB_STALL;
}

static bf_time serial_next(const void *dev)
{
	const struct bf_usb_serial *s = dev;
	bf_time at = bf_stream_node_next(&s->node);

	return s->up_at < at ? s->up_at : at;
}

struct bf_gadget bf_usb_serial_gadget(struct bf_usb_serial *s)
{
	static const uint8_t interfaces[] = { 0x02, 0x02, 0x00, 0x0a, 0x00, 0x00 };
	static const struct bf_gadget_ops ops = {
		.interfaces = interfaces,
		.n_interfaces = 2,
		.present = serial_present,
		.enumeration = serial_enumeration,
		.control = serial_control,
		.bus_reset = serial_bus_reset,
		.out = serial_out,
		.unsent = serial_unsent,
		.in = serial_in,
		.next = serial_next,
		.run = serial_run,
	};

	return (struct bf_gadget){ &ops, s };
}

struct bf_usb_serial *bf_usb_serial_new(struct bf_pack *pack,
					void (*heard)(void *ctx, const char *what), void *ctx,
					bf_time now)
{
	struct bf_usb_serial *s = calloc(1, sizeof(*s));
	uint32_t rate = bf_pack_opts(pack)->rate ? bf_pack_opts(pack)->rate : 115200;

	if (!s)
		abort();
	s->pack = pack;
	s->tell = heard;
	s->ctx = ctx;
	s->rx = (struct fifo){ .buf = s->rx_buf, .cap = RX_SIZE };
	s->tx = (struct fifo){ .buf = s->tx_buf, .cap = TX_SIZE };
	s->up_at = s->break_at = BF_NEVER;
	s->starts = bf_pack_starts(pack);
	bf_put_le32(s->coding, 9600); /* as adapters begin; the host sets it before it sends */
	s->coding[6] = 8;
	bf_stream_node_init(&s->node, pack, rate);
	s->node.heard = s->node.echo = to_host;
	/* The pack's own chip: there is no wire between them. */
	if (bf_pack_opts(pack)->replug != BF_SIM_REPLUG_NEVER)
		s->node.line.full_duplex = true;
	bf_wiring_init(&s->node);
	follow_pack(s, now);
	return s;
}

struct bf_usb_serial *bf_usb_serial_free(struct bf_usb_serial *s)
{
	if (!s)
		return NULL;
	bf_stream_node_done(&s->node);
	free(s);
	return NULL;
}
