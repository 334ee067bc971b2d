/* SPDX-License-Identifier: MIT */
/*
 * What the RS485 driver wants of a serial device. Two backends give it: libserialport for ports that it
 * knows, and our own on termios2 for those that it refuses (ptys have no node in sysfs).
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "bmsflash/transport.h"
#include "who.h"

struct bf_tty;

struct bf_tty_ops {
	void (*close)(struct bf_tty *tty);
	/* Raw mode, no flow control. */
	enum bf_rc (*set_line)(struct bf_tty *tty, const struct bf_line *line, struct bf_err *err);
	/* As read(2) and write(2) on a descriptor that does not block; 0: nothing now. */
	ssize_t (*read)(struct bf_tty *tty, uint8_t *p, size_t cap);
	ssize_t (*write)(struct bf_tty *tty, const uint8_t *p, size_t len);
};

struct bf_tty { /* a backend's instance embeds this first */
	const struct bf_tty_ops *ops;
	int fd;
	bool claimed;
	char path[PATH_MAX]; /* without links */
};

/* Opening either way gives an errno, 0 when it is open. ENOTTY: no serial device, or not one that this
 * backend takes. */
int bf_tty_open_port(const char *path, struct bf_tty **ret);
int bf_tty_open_raw(const char *path, struct bf_tty **ret);

/* The rate that the kernel's driver really set, 0: unknown. */
uint32_t bf_tty_real_baud(int fd);
/* Of a line with parity: bytes that fail it are dropped. */
bool bf_tty_check_parity(int fd);
bool bf_tty_is_pty(const char *path);
/* Calls found() for each serial port that libserialport enumerates. */
void bf_tty_list(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx);
void bf_tty_diagnose(const struct bf_diag *diag, const char *address);
/* " /dev/ttyUSB0, /dev/ttyACM0" into dst, "" when there is none. */
void bf_tty_names(char *dst, size_t cap);

/* ---- finding it again (rs485_where.c) ---- */

/* The USB device behind a port. */
struct bf_tty_where {
	char port[64];     /* "1-2.4": the socket that it is plugged into */
	char interface[8]; /* which of the device's ports */
	char serial[128];  /* empty: has none */
};
/* root stands before /sys and /dev: "" but in tests. False: no USB device. */
bool bf_tty_where(const char *root, const char *path, struct bf_tty_where *ret);
/* The path of the port that this device has now. False: it is not there, or cannot be told from another. */
bool bf_tty_find(const char *root, const struct bf_tty_where *want, char *path, size_t cap);

/* ---- who else uses it (rs485_hold.c) ---- */

/* Services that open serial ports by themselves. */
struct bf_tty_service {
	const char *command, *check, *mend, *harm;
	bool kept_off; /* by the udev rules of bmsflash */
};
extern const struct bf_tty_service bf_tty_services[2];

/* The process that wrote the UUCP lock file of a device, while it lives. */
bool bf_tty_lock_file(const char *folder, const char *path, struct bf_who *ret);
/* Refuses a device that somebody else uses, then claims it: flock and TIOCEXCL. */
enum bf_rc bf_tty_claim(struct bf_tty *tty, const char *name, struct bf_err *err);
void bf_tty_release(struct bf_tty *tty);
/* Before opening: a living UUCP lock file. */
enum bf_rc bf_tty_check_lock_file(const char *path, const char *name, struct bf_err *err);
/* Says why a device could not be opened. */
enum bf_rc bf_tty_explain_open(const char *path, const char *name, int os_errno,
			       struct bf_err *err);

/* ---- the wire behind it (rs485_wire.c) ---- */

/* Asks the driver for the least latency; the timer of FTDI adapters in ms, -1 where there is none. */
bool bf_tty_low_latency(const struct bf_tty *tty, int *ret_timer_ms);
/* The command that sets the timer of a port ("ttyUSB0", or its path) to 1 ms. Returns dst. */
char *bf_tty_latency_command(char *dst, size_t cap, const char *port);
bool bf_tty_has_modem_lines(int fd);
bool bf_tty_is_acm(int fd);
/* Makes the direction switch as asked; BF_RS485_AUTO changes nothing. */
enum bf_rc bf_tty_direction(const struct bf_tty *tty, const struct bf_line *line,
			    enum bf_rs485_mode *ret, struct bf_err *err);
void bf_tty_rts(int fd, bool on);
/* Bits of enum bf_modem_line. False with errno. */
bool bf_tty_set_modem(int fd, unsigned mask, unsigned on);
bool bf_tty_break(int fd, bool on);
/* Sum of framing, parity and overrun errors since the device was opened by anybody; false: unknown. */
bool bf_tty_errors(int fd, uint64_t *ret_errors, uint64_t *ret_lost);
/* Bytes that have not left the host yet, -1 with errno; empty tells about the shift register too. */
int bf_tty_queued(int fd);
bool bf_tty_shifter_empty(int fd);
