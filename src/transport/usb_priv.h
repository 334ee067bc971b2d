/* SPDX-License-Identifier: MIT */
/*
 * Inside the USB driver. What is on the bus is read from sysfs (usb_scan.c): it is the kernel's own
 * view, always fresh, needs no permission and sends nothing. Which device is meant, and which one is
 * the same device after a restart, are pure choices (usb_pick.c). libusb (usb_libusb.c) carries the
 * transfers of one open device behind struct bf_usb_host, so that usb.c runs without hardware.
 */
#pragma once

#include "bmsflash/transport.h"

#define BF_USB_SEEN_MAX   128
#define BF_USB_CONFIG_MAX 4096

/* ---- what is on the bus ---- */

enum bf_usb_dfu {
	BF_USB_NO_DFU,
	BF_USB_DFU_RUNTIME, /* the application: can be asked to change to its loader */
	BF_USB_DFU_MODE,    /* the loader */
};

struct bf_usb_seen {
	uint16_t vid, pid, bcd_device;
	uint8_t bus, address;
	char path[32]; /* "1-2.4": bus and ports; the name in sysfs and after "usb@" */
	char serial[BF_USB_TEXT], product[BF_USB_TEXT], manufacturer[BF_USB_TEXT];
	enum bf_usb_dfu dfu;
	bool bare; /* not configured (yet): the kernel shows a new device before its interfaces */
};

/* Devices other than root hubs, in the order of their paths; returns how many. */
size_t bf_usb_scan(const char *sysfs, struct bf_usb_seen *ret, size_t cap);
/* The raw active configuration descriptor; returns its length, 0 when there is none. */
size_t bf_usb_read_config(const char *sysfs, const char *path, uint8_t *dst, size_t cap);
/* /dev/bus/usb/BBB/DDD; returns dst */
char *bf_usb_node(char *dst, size_t cap, uint8_t bus, uint8_t address);

/* ---- descriptors ---- */

/* Whether a raw configuration descriptor has a DFU interface (USB DFU 1.1, tables 4.1 and 4.4). */
enum bf_usb_dfu bf_usb_dfu_of(const uint8_t *config, size_t len);
/* The configuration with this value out of sysfs "descriptors": device descriptor, then all
 * configurations. NULL when it is not there. */
const uint8_t *bf_usb_find_config(const uint8_t *all, size_t len, uint8_t value, size_t *ret_len);
/* A string descriptor (UTF-16LE, USB 2.0, 9.6.7) as UTF-8; what is no character becomes U+FFFD.
 * False: not a string descriptor. A text that is too long is cut between characters. */
bool bf_usb_utf8(const uint8_t *descriptor, size_t len, char *dst, size_t cap);

/* ---- addresses and choices ---- */

enum bf_usb_by { BF_USB_BY_DFU, BF_USB_BY_ID, BF_USB_BY_PATH };

struct bf_usb_want {
	enum bf_usb_by by;
	uint16_t vid, pid;
	char serial[BF_USB_TEXT]; /* with BF_USB_BY_ID; empty: any */
	char path[32];
};

bool bf_usb_parse(const char *address, struct bf_usb_want *ret);
/* The one device that is meant; nothing and several fail with what there is. */
enum bf_rc bf_usb_pick(const struct bf_usb_want *want, const struct bf_usb_seen *seen, size_t n,
		       size_t *ret, struct bf_err *err);
/* The device that `old` has become: on the same port, else (moved: its own port had its time) with the same
 * vendor and serial number, new on the bus, and the only one that has them or had them. n when it is not
 * there. */
size_t bf_usb_heir(const struct bf_usb_seen *old, const struct bf_usb_seen *before, size_t n_before,
		   const struct bf_usb_seen *seen, size_t n, bool moved);
/* old itself is still on the bus */
bool bf_usb_stays(const struct bf_usb_seen *old, const struct bf_usb_seen *seen, size_t n);
char *bf_usb_describe(char *dst, size_t cap, const struct bf_usb_seen *seen);

/* ---- one open device ---- */

enum bf_usb_end { /* how a request ended */
		  BF_USB_DONE,
		  BF_USB_STALL,
		  BF_USB_GONE,
		  BF_USB_CANCELLED,
		  BF_USB_OVERFLOW,
		  BF_USB_DAMAGED, /* no answer to a packet, or a wrong check sum, three times */
		  BF_USB_DENIED,
		  BF_USB_BUSY,
		  BF_USB_ABSENT, /* no such interface or setting */
		  BF_USB_FAILED,
};

struct bf_usb_job {    /* one transfer that is under way; the host's own structs begin with it */
	uint8_t *data; /* its own copy: the caller's may go before a transfer ends */
	size_t len;
	size_t moved; /* control: without the setup bytes */
	bool done;
	enum bf_usb_end end;
};

struct bf_usb_host;

struct bf_usb_host_ops {
	size_t (*scan)(struct bf_usb_host *h, struct bf_usb_seen *ret, size_t cap);
	size_t (*config)(struct bf_usb_host *h, const char *path, uint8_t *dst, size_t cap);
	/* One device at a time; open closes the one before. */
	enum bf_usb_end (*open)(struct bf_usb_host *h, const struct bf_usb_seen *which);
	void (*shut)(struct bf_usb_host *h);
	/* These two are short requests to the kernel that exist in no other form. */
	enum bf_usb_end (*claim)(struct bf_usb_host *h, uint8_t interface, uint8_t alt);
	enum bf_usb_end (*reset)(struct bf_usb_host *h);
	/* Starts a transfer of len bytes of data. Endpoint 0: data begins with the 8 bytes of setup. */
	enum bf_usb_end (*submit)(struct bf_usb_host *h, uint8_t endpoint, const uint8_t *data,
				  size_t len, struct bf_usb_job **ret);
	void (*cancel)(struct bf_usb_host *h, struct bf_usb_job *job); /* it ends a little later */
	/* Frees it; one that is not done yet is freed when it ends. */
	void (*release)(struct bf_usb_host *h, struct bf_usb_job *job);
	/* What to wait for, and how long at most (BF_NEVER: no limit of its own). */
	size_t (*pollfds)(struct bf_usb_host *h, struct pollfd *fds, size_t cap, bf_time *ret_us);
	void (*pump)(struct bf_usb_host *h); /* ends what has ended; does not block */
	void (*free)(struct bf_usb_host *h);
};

struct bf_usb_host {
	const struct bf_usb_host_ops *ops;
};

void bf_usb_diagnose(const struct bf_diag *diag, const char *address);

enum bf_rc bf_usb_host_new(struct bf_usb_host **ret, struct bf_err *err);

/* Opens the device at an address through this host, which is consumed whatever happens. */
enum bf_rc bf_usb_open(struct bf_usb_host *take, const struct bf_open_env *env, const char *address,
		       struct bf_transport **ret, struct bf_err *err);

/* One request, to be named where it fails; without setup it is a bulk transfer. */
struct bf_usb_request {
	const struct bf_usb_setup *setup;
	uint8_t endpoint;
};

const char *bf_usb_request_name(char dst[64], const struct bf_usb_request *r);
/* How an end reads to a technician. `what`: "control request 0x03". */
enum bf_rc bf_usb_fail(struct bf_err *err, enum bf_usb_end end, const struct bf_usb_seen *seen,
		       const char *what);
