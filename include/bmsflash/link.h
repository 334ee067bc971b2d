/* SPDX-License-Identifier: MIT */
/*
 * Links turn a wire into "send a message, receive a message before a deadline". The codecs below
 * src/link are pure: no clock, no I/O; a link joins a codec to a transport.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/transport.h"

struct bf_link;

struct bf_link_ops {
	const char *name; /* "isotp", "iso14230", "hdlc" */
	/* Returns when the whole message has been handed to the wire, or when a whole message came while ours
	 * was being sent: that ends the sending, and recv gives it as the answer. */
	enum bf_rc (*send)(struct bf_link *l, const uint8_t *msg, size_t len, bf_time deadline,
			   struct bf_err *err);
	/* One whole message addressed to us. Damaged ones are counted and skipped. BF_E_TIMEOUT when
	 * none has begun by the deadline; one that has begun is given its own time-outs, but never more
	 * than the longest time of a message (bf_isotp_opts.longest) after the deadline. */
	enum bf_rc (*recv)(struct bf_link *l, uint8_t *buf, size_t cap, size_t *ret_len,
			   bf_time deadline, struct bf_err *err);
	/* Drops whatever was received so far. */
	void (*flush)(struct bf_link *l);
	/* How long sending a message of so many bytes takes, as far as known; see bf_link_duration. */
	bf_time (*duration)(struct bf_link *l, size_t len);
	void (*close)(struct bf_link *l); /* does not close the transport */
};

struct bf_link_stats {
	uint64_t tx_msgs, rx_msgs;
	uint64_t damaged; /* bad checksum, wrong sequence, abandoned half-way */
	uint64_t foreign; /* well-formed, for somebody else */
	uint32_t gap_asked_us, gap_worst_error_us; /* separation time asked for, worst deviation */
};

/* What the receiver of our messages asked for last (ISO-TP flow control). */
struct bf_link_pace {
	bool known;         /* a message of more than one frame was sent */
	uint32_t st_min_us; /* pause between frames */
	uint8_t block_size; /* frames until it wants to be asked again; 0: all */
	bf_time flow_us; /* longest that it took to say "continue" since the link was opened, "wait"
				included */
};

struct bf_link {
	const struct bf_link_ops *ops;
	struct bf_transport *transport; /* borrowed */
	size_t max_msg;                 /* largest message either way */
	struct bf_link_stats stats;
	struct bf_link_pace pace;
};

/* From the rate of the wire and what the receiver asked for. Before it has asked for anything the estimate is
 * without pauses: send a short message of more than one frame first. 0: nothing known (virtual bus). */
bf_time bf_link_duration(struct bf_link *l, size_t len);
/* The longest message of at most `most` bytes that is sent within this time; at least 1. */
size_t bf_link_longest(struct bf_link *l, size_t most, bf_time within);

struct bf_link *bf_link_close(struct bf_link *l); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_link, bf_link_close)

/* ISO 15765-2. */
struct bf_isotp_opts {
	uint32_t tx_id, rx_id;
	bool ext; /* 29-bit identifiers */
	bool fd, brs;
	uint8_t tx_dl;      /* FD: largest frame we send, 8..64; 0: 8 classic, 64 FD */
	int pad;            /* padding byte, -1: none (FD pads to the next valid length anyway) */
	uint8_t block_size; /* what we ask of the sender: BS and STmin of our flow control */
	uint8_t st_min;     /* raw ISO-TP encoding */
	bf_time n_bs, n_cr; /* time-outs: until a flow control, between the peer's frames; 0: 1 s */
	bf_time longest;    /* one message in all, either way, whatever the peer does; 0: 30 s */
	size_t max_msg;     /* 0: 4095; larger uses the 32-bit length form */
	bool has_address;   /* extended and mixed addressing: a byte before each frame's own ... */
	uint8_t tx_address, rx_address; /* ... in our frames, and in those that are for us */
	bool st_min_fixed;              /* tx_st_min is kept, whatever the receiver asks for */
	uint8_t tx_st_min;
};
enum bf_rc bf_isotp_open(struct bf_transport *bus, const struct bf_isotp_opts *opts,
			 struct bf_link **ret, struct bf_err *err);

/* ISO 14230-2 framing on a stream, physical addressing; at most 255 data bytes. */
struct bf_kline_opts {
	uint8_t target, source; /* node and tester address */
	bf_time p1, p3, p4;     /* largest gap in a reply, gap before our request, gap between our
				     bytes; 0: 20 ms, none, none (RS485 needs no slow bytes) */
};
enum bf_rc bf_kline_open(struct bf_transport *stream, const struct bf_kline_opts *opts,
			 struct bf_link **ret, struct bf_err *err);

/* RFC 1662 octet-stuffed HDLC with FCS-32: address = target, control = 03 (UI), then one octet with the
 * source, then the message (bmsflash-uds(7)). */
struct bf_hdlc_opts {
	uint8_t target, source;
	size_t max_msg; /* 0: 4095 */
};
enum bf_rc bf_hdlc_open(struct bf_transport *stream, const struct bf_hdlc_opts *opts,
			struct bf_link **ret, struct bf_err *err);

/* SMP packets on a serial line, as lines of text with a CRC or as they are (raw). A message is a whole packet, header
 * included. Log text and noise between packets are skipped. */
struct bf_smp_serial_opts {
	bool raw;
	size_t max_msg; /* 0: 4096; packets have up to 65535 bytes */
};
enum bf_rc bf_smp_serial_open(struct bf_transport *stream, const struct bf_smp_serial_opts *opts,
			      struct bf_link **ret, struct bf_err *err);
