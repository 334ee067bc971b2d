/* SPDX-License-Identifier: MIT */
/*
 * Inside the SocketCAN driver. Opening an interface (can.c), speaking on a descriptor (can_raw.c),
 * understanding error frames (can_error.c), asking the kernel about the controller (can_netlink.c)
 * and changing it (can_setup.c) are apart, so that all but the last works without a CAN kernel.
 */
#pragma once

#include "bmsflash/transport.h"

struct can_frame; /* linux/can.h */
struct canfd_frame;

/* ---- the interface as the kernel describes it ---- */

struct bf_can_info {
	unsigned index;
	bool is_can; /* ARPHRD_CAN */
	bool up;
	char kind[16]; /* "can", "vcan", "vxcan", "slcan"; empty when the kernel does not say */
	bool timed;    /* has bit timing that can be set: a real controller */
	unsigned mtu;  /* 16: classic; 72 and more: CAN FD too */
	unsigned txqueuelen;
	enum bf_bus_state state;
	uint32_t bitrate, dbitrate;
	uint32_t restart_ms; /* 0: no restart by itself after bus-off */
	unsigned tx_errors, rx_errors;
	uint64_t rx_packets; /* since it came up, whoever listened */
};

/* What the driver asks of the machine; another one stands in for it in the tests. */
struct bf_can_link_ops {
	/* false: no such interface */
	bool (*query)(const char *name, struct bf_can_info *ret);
	bool (*permitted)(void); /* may change interfaces: CAP_NET_ADMIN */
	/* Down, set, up again. dbitrate 0: classic. */
	enum bf_rc (*apply)(const char *name, const struct bf_can_info *now, uint32_t bitrate,
			    uint32_t dbitrate, struct bf_err *err);
	bool (*restart)(const char *name); /* after bus-off */
};
extern const struct bf_can_link_ops bf_can_link_kernel;

bool bf_can_query(const char *name, struct bf_can_info *ret);
/* One RTM_NEWLINK message, header included. False: damaged or something else. */
bool bf_can_info_parse(const void *msg, size_t len, struct bf_can_info *ret);
/* Sets the bit rate, and the data bit rate (0: classic), of an interface that is down. 0 or an errno. */
int bf_can_set_rates(const struct bf_can_info *now, uint32_t bitrate, uint32_t dbitrate);

/*
 * Brings the interface to these rates if it is not there yet: no privilege is needed for what is
 * already so. Refusals name the command that does it by hand.
 */
enum bf_rc bf_can_rates(const struct bf_can_link_ops *link, const char *name, uint32_t bitrate,
			uint32_t dbitrate, struct bf_err *err);
/* "sudo ip link set can0 up type can bitrate 500000" into dst; returns dst. */
char *bf_can_up_command(char *dst, size_t cap, const char *name, bool up, uint32_t bitrate,
			uint32_t dbitrate);
void bf_can_next_up(struct bf_err *err, const char *name, const struct bf_can_info *info);

/* ---- error frames ---- */

enum bf_can_event {
	BF_CAN_NOTED,   /* counted, no reason to stop */
	BF_CAN_NO_ACK,  /* nobody acknowledges, for longer than a disturbance lasts */
	BF_CAN_BUS_OFF, /* the controller took itself off the bus */
	BF_CAN_RESTARTED,
};

/* What error frames have told since a good frame was last heard. */
struct bf_can_health {
	enum bf_bus_state state;
	bool counted; /* the two counters below come from the controller */
	unsigned tx_errors, rx_errors;
	/* Without bus error reporting this is all that a frame which nobody acknowledges leaves. */
	bool tx_passive;
	unsigned no_ack, damaged, lost_arbitration, tx_timeouts;
	bf_time no_ack_since, no_ack_last;
	uint8_t protocol; /* last CAN_ERR_PROT_* kind */
	uint8_t wire;     /* last transceiver fault, 0: none */
};

enum bf_can_event bf_can_health_note(struct bf_can_health *h, const struct can_frame *frame,
				     bf_time now);
void bf_can_health_heard(struct bf_can_health *h); /* a good data frame came in */
/* Fills err (BF_E_LINK) when the line is to blame for silence; BF_OK and err untouched when not. */
enum bf_rc bf_can_health_explain(const struct bf_can_health *h, const char *name, uint32_t bitrate,
				 bf_time now, struct bf_err *err);
/* One error frame in words, for the log; returns dst. */
char *bf_can_error_text(char *dst, size_t cap, const struct can_frame *frame);

/* ---- the open wire ---- */

/*
 * Speaks on a descriptor that carries struct can_frame / canfd_frame, one a message, not blocking.
 * Consumes the descriptor. `fd`: CAN FD frames may be sent. `link` is borrowed for good.
 */
struct bf_transport *bf_can_raw_new(int take_fd, bool fd, const char *name,
				    const struct bf_open_env *env,
				    const struct bf_can_link_ops *link);
/* A raw CAN socket with our options, bound to the interface; -1 and errno on failure. */
int bf_can_socket(unsigned index, bool fd);
int bf_can_bind(int fd, unsigned index); /* 0 or -1 and errno */

/* ---- frames as the kernel has them ---- */

bool bf_can_length(size_t len, bool fd); /* a frame can have this length */
/* Returns the size of the message: CAN_MTU or CANFD_MTU. The frame was checked. */
size_t bf_can_encode(const struct bf_frame *f, struct canfd_frame *ret);
/* False: not a frame. Leaves ret->at 0. */
bool bf_can_decode(const struct canfd_frame *k, size_t size, struct bf_frame *ret);

/* Through at least one of n filters; no filter passes everything. */
bool bf_can_passes(const struct bf_filter *filters, size_t n, const struct bf_frame *f);

/* ---- addresses ---- */

/* `sysfs` is "/sys" but in tests. */
bool bf_can_match(const char *sysfs, const char *address);
void bf_can_list(const char *sysfs, const struct bf_can_link_ops *link,
		 void (*found)(void *ctx, const struct bf_candidate *c), void *ctx);
void bf_can_diagnose(const struct bf_diag *diag, const struct bf_can_link_ops *link,
		     const char *address);
/* Checks the interface, sets the rates that env asks for, and looks again. */
enum bf_rc bf_can_prepare(const struct bf_can_link_ops *link, const struct bf_open_env *env,
			  const char *name, struct bf_can_info *ret, struct bf_err *err);
