/* SPDX-License-Identifier: MIT */
/*
 * Wires. A transport is one open wire of one of three kinds: a byte stream (RS485, pty), a frame bus
 * (CAN, CAN FD) or a USB device. Nobody above compares a driver's name: what a wire can do is its
 * ops, and a member that is NULL is a thing that it cannot do.
 *
 * Every call that may block takes an absolute deadline on t->clock and returns
 *   BF_E_TIMEOUT      the deadline came first,
 *   BF_E_INTERRUPTED  the clock was cancelled,
 *   BF_E_GONE         the interface disappeared (unplugged, went down): see bf_transport_reopen,
 *   BF_E_LINK         the wire works badly, with the named cause in err,
 * and fills err for each. Drivers fill t->stats. Nothing here prints or sleeps.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "bmsflash/err.h"
#include "bmsflash/log.h"

#define BF_ADDRESS_MAX 4096 /* with its end: as long as a path can be */

enum bf_wire { BF_WIRE_STREAM = 1, BF_WIRE_BUS = 2, BF_WIRE_USB = 4 };

struct bf_transport;

/* Counted by the driver since it was opened; shown in summaries. */
struct bf_wire_stats {
	uint64_t tx_bytes, rx_bytes;   /* payload bytes handed over and received */
	uint64_t tx_frames, rx_frames; /* bus: frames; usb: transfers */
	uint64_t echo_bytes;           /* own bytes heard back and removed */
	uint64_t echo_damaged;         /* echo that did not match: collision or noise */
	uint64_t line_errors;          /* framing, parity, overrun, CAN error frames */
	uint64_t queue_full;           /* times the transmit queue pushed back */
	uint64_t rx_dropped;           /* received but lost (overflow) */
	uint64_t reopened;             /* times the interface came back */
	bf_time waited_us;             /* time spent waiting for the wire to take or give data */
};

/* ---- byte stream ---- */

enum bf_parity { BF_PARITY_NONE, BF_PARITY_EVEN, BF_PARITY_ODD };
enum bf_rs485_mode {
	BF_RS485_AUTO, /* as the port is set up: the kernel where it does so already, else the adapter */
	BF_RS485_KERNEL,  /* TIOCSRS485 */
	BF_RS485_RTS,     /* RTS toggled by us */
	BF_RS485_ADAPTER, /* the adapter switches by itself (or there is nothing to switch) */
};

struct bf_line {
	uint32_t baud; /* 0: the driver's default, 115200 */
	enum bf_parity parity;
	unsigned data_bits; /* 5..8; 0: 8 */
	unsigned stop_bits; /* 1 or 2; 0: 1 */
	enum bf_rs485_mode rs485;
	bool rts_active_low;
	/* Silence kept before our own bytes after hearing the last foreign one. */
	uint32_t guard_us;
};

/* What the driver really did with the line settings. */
struct bf_line_report {
	uint32_t real_baud;
	enum bf_rs485_mode rs485;
	bool low_latency;          /* the adapter's latency timer is at its smallest */
	int latency_timer_ms;      /* FTDI timer, -1 where there is none */
	char latency_command[128]; /* sets it to 1 ms; empty: nothing to set */
	bool echo;                 /* own bytes are heard back (known after the first exchange) */
	bool modem_lines;          /* false on a pty */
	bool full_duplex;          /* known to carry both directions at once (USB) */
};

/* Lines of a serial port that this computer drives. */
enum bf_modem_line { BF_MODEM_RTS = 1, BF_MODEM_DTR = 2 };

struct bf_stream_ops {
	/* Sends all bytes and returns when the driver has accepted them. A driver that hears its own
	 * bytes removes them from what read returns, by exact match. */
	enum bf_rc (*write)(struct bf_transport *t, const uint8_t *p, size_t len, bf_time deadline,
			    struct bf_err *err);
	/* At least one and at most cap bytes, as soon as there are any. */
	enum bf_rc (*read)(struct bf_transport *t, uint8_t *p, size_t cap, size_t *ret_len,
			   bf_time deadline, struct bf_err *err);
	/* Returns when the last bit has left the wire. */
	enum bf_rc (*drain)(struct bf_transport *t, bf_time deadline, struct bf_err *err);
	/* Drops what was received and not read. */
	void (*discard)(struct bf_transport *t);
	/* Changes rate and format of the open line; the application and the bootloader of a pack may each
	 * want their own. Drain first: bytes that are still queued may go out in the new format. BF_E_GONE,
	 * BF_E_USAGE (no such format) or BF_E_IFACE (the port cannot do it: the old settings stay). */
	enum bf_rc (*set_line)(struct bf_transport *t, const struct bf_line *line,
			       struct bf_err *err);
	void (*report)(struct bf_transport *t, struct bf_line_report *ret);
	/* Sets the lines in `mask` (bits of enum bf_modem_line) to `on`, leaves the others. BF_E_UNSUPPORTED:
	 * this port has none (a pty), or RTS switches the RS485 direction. */
	enum bf_rc (*set_modem)(struct bf_transport *t, unsigned mask, unsigned on,
				struct bf_err *err);
	/* Holds the line at space for so long; returns when it is idle again. BF_E_UNSUPPORTED as above. */
	enum bf_rc (*send_break)(struct bf_transport *t, bf_time duration, struct bf_err *err);
	/* See bf_transport_reopen. */
	enum bf_rc (*reopen)(struct bf_transport *t, bf_time deadline, struct bf_err *err);
};

/* ---- frame bus ---- */

#define BF_CAN_MAX_DATA 64

enum bf_frame_flag {
	BF_FRAME_EXT = 1, /* 29-bit identifier */
	BF_FRAME_FD = 2,
	BF_FRAME_BRS = 4, /* FD: data phase at the data rate */
	BF_FRAME_RTR = 8,
};

struct bf_frame {
	uint32_t id;
	uint8_t flags;
	uint8_t len; /* 0..8, FD: 0..8, 12, 16, 20, 24, 32, 48, 64 */
	uint8_t data[BF_CAN_MAX_DATA];
	bf_time at; /* on receive: when it was heard, on the transport's clock */
};

struct bf_filter { /* passes frames with (id & mask) == (filter.id & mask) and the same EXT */
	uint32_t id, mask;
	bool ext;
};

enum bf_bus_state {
	BF_BUS_UNKNOWN,
	BF_BUS_ACTIVE,
	BF_BUS_WARNING,
	BF_BUS_PASSIVE,
	BF_BUS_OFF,
	BF_BUS_STOPPED, /* interface down */
};

struct bf_bus_report {
	enum bf_bus_state state;
	uint32_t bitrate, dbitrate; /* 0: unknown (vcan) */
	unsigned tx_errors, rx_errors;
	bool fd;             /* the interface takes CAN FD frames now */
	unsigned txqueuelen; /* 0: unknown */
	bool may_set_bitrate;
	uint64_t heard; /* frames from anybody, passed by filters or not; counts on, 0: unknown */
};

struct bf_bus_ops {
	/* Queues one frame. A full queue is waited for by poll until the deadline, never slept on, and
	 * counted in stats.queue_full. */
	enum bf_rc (*send)(struct bf_transport *t, const struct bf_frame *frame, bf_time deadline,
			   struct bf_err *err);
	/* The next data frame that passes the filters; own frames and error frames are not returned,
	 * errors are counted and, when fatal (bus-off, no acknowledgement), reported as BF_E_LINK. */
	enum bf_rc (*recv)(struct bf_transport *t, struct bf_frame *ret, bf_time deadline,
			   struct bf_err *err);
	/* n == 0: everything. At most 16 filters. */
	enum bf_rc (*filter)(struct bf_transport *t, const struct bf_filter *filters, size_t n,
			     struct bf_err *err);
	/* dbitrate 0: classic. BF_E_IFACE when not permitted, with the command that would do it. */
	enum bf_rc (*set_bitrate)(struct bf_transport *t, uint32_t bitrate, uint32_t dbitrate,
				  struct bf_err *err);
	void (*report)(struct bf_transport *t, struct bf_bus_report *ret);
};

/* ---- usb ---- */

struct bf_usb_setup {
	uint8_t request_type; /* bmRequestType */
	uint8_t request;      /* bRequest */
	uint16_t value, index;
};

#define BF_USB_TEXT 384 /* with its end: the longest string descriptor, as UTF-8 */

struct bf_usb_device {
	uint16_t vid, pid, bcd_device;
	char serial[BF_USB_TEXT], product[BF_USB_TEXT], manufacturer[BF_USB_TEXT];
	uint8_t bus, address;
	char port_path[32];    /* "1-2.4", the form of usb@BUS-PORT */
	const uint8_t *config; /* raw active configuration descriptor, owned by the transport */
	size_t config_len;
};

struct bf_usb_ops {
	/* One control transfer; direction by bit 7 of request_type. *ret_len: bytes moved.
	 * A stall is BF_E_NAK with dev_name "stall". */
	enum bf_rc (*control)(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err);
	/* One bulk transfer; direction by bit 7 of endpoint. */
	enum bf_rc (*bulk)(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err);
	enum bf_rc (*claim)(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err);
	/* A string descriptor as UTF-8. */
	enum bf_rc (*string)(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err);
	/* Fresh view of the device as it is now. */
	enum bf_rc (*device)(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err);
	/* USB bus reset; the device may come back as another one. */
	enum bf_rc (*reset)(struct bf_transport *t, bf_time deadline, struct bf_err *err);
	/* Waits for the device to go (if it is still there) and to come back on the same port path or
	 * with the same serial, possibly with another PID and address, and opens it. See
	 * bf_transport_reopen. */
	enum bf_rc (*reopen)(struct bf_transport *t, bf_time deadline, struct bf_err *err);
};

/* ---- the open wire ---- */

struct bf_transport_ops {
	const char *name;
	enum bf_wire wire;
	const struct bf_stream_ops *stream; /* exactly one of the three is not NULL */
	const struct bf_bus_ops *bus;
	const struct bf_usb_ops *usb;
	void (*close)(struct bf_transport *t); /* releases all, the clock excepted */
};

struct bf_transport { /* a driver's instance embeds this first */
	const struct bf_transport_ops *ops;
	struct bf_clock *clock; /* the clock that this wire lives on; borrowed from the opener, but
				     a virtual wire brings its own and frees it on close */
	const struct bf_log *log; /* may be NULL */
	char name
		[BF_ADDRESS_MAX]; /* as the user would name it: "can0", "/dev/ttyUSB0", "usb@1-2" */
	struct bf_wire_stats stats;
};

struct bf_transport *bf_transport_close(struct bf_transport *t); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_transport, bf_transport_close)

/*
 * Interfaces vanish and come back: a pack with its own USB port, an adapter that the pack feeds, a hub that
 * resets. A wire that disappeared answers every call with BF_E_GONE until this function has succeeded; the
 * transport itself stays valid, with its clock, name, counters and all that borrowed it (links, wrappers).
 *
 * A stream is looked for by the name that the user gave: a link (/dev/serial/by-id, a udev rule) is followed
 * again; a name that the kernel made (ttyACM0) is only a hint, so a USB adapter is recognised by its port on
 * the hub or by its USB serial number, whatever the name is now. A port of that name that belongs to another
 * device is not touched. The rate, the format and the modem lines are set as they were set last; what was
 * received and not read is dropped.
 *
 * May be called on a wire that is still there: a stream is then closed and opened at once, a USB device
 * is waited for until it leaves.
 *
 *   BF_OK             it is back and open
 *   BF_E_TIMEOUT      not back by the deadline; still gone, may be called again
 *   BF_E_INTERRUPTED  the clock was cancelled; still gone
 *   BF_E_BUSY, BF_E_IFACE  it is back and cannot be opened (held, denied, cannot do the rate); still gone
 *   BF_E_UNSUPPORTED  this kind of wire cannot be opened again
 */
enum bf_rc bf_transport_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err);
/* Of a stream, with BF_E_UNSUPPORTED and a cause where the wire has nothing of the kind. */
enum bf_rc bf_stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
			       struct bf_err *err);
enum bf_rc bf_stream_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err);

/* ---- drivers ---- */

struct bf_open_env {
	struct bf_clock *clock;   /* the real clock; borrowed for the life of the transport */
	const struct bf_log *log; /* may be NULL */
	struct bf_line line;      /* first settings of a serial line; baud 0: 115200 8N1 */
	bool baud_asked; /* the user named line.baud: a wire that has none refuses (BF_E_USAGE) */
	uint32_t bitrate,
		dbitrate; /* CAN: set these when not 0; 0: leave the interface as it is. Other wires
				       refuse them */
	/* An interface that is not there yet may take so long to appear; 0: it must be there. When it
	 * does not come: BF_E_NODEV. */
	bf_time wait;
	void (*alive)(void *ctx, const char *what); /* meanwhile; may be NULL */
	void *alive_ctx;
};

/* One thing that could be given to --if. */
struct bf_candidate {
	char address[BF_ADDRESS_MAX];
	char what[160]; /* "FTDI FT232R, serial A5069RR4" */
	bool usable;    /* false: `why` tells (down, denied, busy) */
	char why[256];
};

/* ---- diagnosis: what stands in the way on this machine ---- */

enum bf_severity {
	BF_SEVERITY_OK,      /* looked at, and as it should be */
	BF_SEVERITY_NOTE,    /* worth knowing */
	BF_SEVERITY_WARNING, /* works, but slower or less surely than it could */
	BF_SEVERITY_PROBLEM, /* keeps this interface from working */
	BF_SEVERITY_COUNT
};

struct bf_diag_finding {
	enum bf_severity severity;
	const char *check; /* "latency-timer": the same word for the same thing, for scripts */
	char subject
		[BF_ADDRESS_MAX]; /* what was looked at: "can0", "/dev/ttyUSB0", "this computer" */
	char text[256];           /* what was found */
	char mend[BF_ADDRESS_MAX +
		  256]; /* the command that mends it; empty: nothing to mend, or nothing to type */
};

struct bf_diag {
	const char *root; /* before /sys, /proc, /dev, /etc: "" but in tests */
	void (*found)(void *ctx, const struct bf_diag_finding *f);
	void *ctx;
};

/* Reports one finding; mend may be NULL. */
void bf_find(const struct bf_diag *diag, enum bf_severity severity, const char *check,
	     const char *subject, const char *mend, const char *fmt, ...) BF_PRINTF(6, 7);

struct bf_driver {
	const char *name;         /* "rs485" */
	const char *summary;      /* one line, no full stop */
	const char *address_help; /* what an address looks like */
	bool is_virtual;          /* each opening is a world of its own, on its own virtual clock */
	/* True when this driver takes the address. Drivers are asked in the order of the table. */
	bool (*match)(const char *address);
	enum bf_rc (*open)(const struct bf_open_env *env, const char *address,
			   struct bf_transport **ret, struct bf_err *err);
	/* Calls found() for each candidate on this machine; sends nothing on any wire. May be NULL. */
	void (*list)(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx);
	/* Reports what it sees of one address, or (NULL) of all interfaces of its kind; opens nothing
	 * and sends nothing. May be NULL. */
	void (*diagnose)(const struct bf_diag *diag, const char *address);
};

/* The drivers that were built in, in the order in which they are asked; ends with NULL. */
const struct bf_driver *const *bf_drivers(void);

/*
 * Opens a wire by its address. "fault:key=value,...:ADDRESS" wraps it in the fault injector. On
 * failure err names what is wrong and the command that mends it (BF_E_IFACE, BF_E_BUSY).
 */
enum bf_rc bf_transport_open(const struct bf_open_env *env, const char *address,
			     struct bf_transport **ret, struct bf_err *err);

/* The address behind "fault:...:", however many of them; address itself where there is none. */
const char *bf_address_bare(const char *address);
/* The failure for an address that no driver takes: BF_E_IFACE and what addresses look like. */
enum bf_rc bf_address_unknown(const char *address, struct bf_err *err);
/* Would this address open a wire on virtual time? Looks at the words alone. */
bool bf_address_is_virtual(const char *address);

/* Wraps an open wire so that all traffic is written to the file: candump log format for a bus,
 * time-stamped hex for the rest. Consumes `take` whatever happens. */
enum bf_rc bf_trace_wrap(struct bf_transport *take, const char *path, struct bf_transport **ret,
			 struct bf_err *err);
/* Between mute and unmute payload bytes are written as "**": secrets do not reach the file. Takes
 * any transport; does nothing when it is not a trace. */
void bf_trace_mute(struct bf_transport *t, bool mute);

/*
 * Lets somebody else hear the frames of a bus that pass these filters, as they go by to whoever reads
 * them; they are kept flowing whatever filters are set later. heard() may be called from within recv.
 * Consumes `take` whatever happens.
 */
struct bf_tap {
	struct bf_filter filters[4];
	size_t n_filters;
	void (*heard)(void *ctx, const struct bf_frame *frame);
	void *ctx;
};
enum bf_rc bf_tap_wrap(struct bf_transport *take, const struct bf_tap *tap,
		       struct bf_transport **ret, struct bf_err *err);

/* "seed=7,drop=1%,flip=0.5%,delay=2%:5ms,dup=1%,cut=120,unplug=40:2s": each share is per read/write or
 * frame; cut=N disconnects after N messages for good, unplug=N:TIME until it is opened again so long after.
 * Consumes `take` whatever happens. */
enum bf_rc bf_fault_wrap(struct bf_transport *take, const char *spec, struct bf_transport **ret,
			 struct bf_err *err);
