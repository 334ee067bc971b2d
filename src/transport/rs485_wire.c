/* SPDX-License-Identifier: MIT */
/* What is behind the serial device: direction switch, latency, modem lines, error counters. */
#include "rs485_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ACM_MAJOR 166 /* ttyACM, in the kernel's list of devices */

bool bf_tty_has_modem_lines(int fd)
{
	int lines;

	return ioctl(fd, TIOCMGET, &lines) == 0;
}

/* A port of the device's own USB, not a line: its two directions are two endpoints. An adapter with wires behind it may
 * be one, too, and then has two of them, as UARTs do. */
bool bf_tty_is_acm(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == ACM_MAJOR;
}

void bf_tty_rts(int fd, bool on)
{
	int rts = TIOCM_RTS;

	(void)ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &rts);
}

static bool set_lines(int fd, unsigned long request, unsigned which)
{
	int lines = (which & BF_MODEM_RTS ? TIOCM_RTS : 0) | (which & BF_MODEM_DTR ? TIOCM_DTR : 0);

	return !lines || ioctl(fd, request, &lines) == 0;
}

bool bf_tty_set_modem(int fd, unsigned mask, unsigned on)
{
	return set_lines(fd, TIOCMBIS, mask & on) && set_lines(fd, TIOCMBIC, mask & ~on);
}

bool bf_tty_break(int fd, bool on)
{
	return ioctl(fd, on ? TIOCSBRK : TIOCCBRK) == 0;
}

/* Linux Documentation/driver-api/serial/serial-rs485.rst. A board whose port is for RS485 says so in its device
 * tree (linux,rs485-enabled-at-boot-time). */
static bool kernel_does_it_already(int fd)
{
	struct serial_rs485 rs485;

	return ioctl(fd, TIOCGRS485, &rs485) == 0 && (rs485.flags & SER_RS485_ENABLED);
}

static bool kernel_direction(int fd, bool active_low)
{
	struct serial_rs485 rs485;

	if (ioctl(fd, TIOCGRS485, &rs485) < 0)
		return false;
	rs485.flags |= SER_RS485_ENABLED;
	rs485.flags &= ~(uint32_t)(SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND |
				   SER_RS485_RX_DURING_TX);
	rs485.flags |= active_low ? SER_RS485_RTS_AFTER_SEND : SER_RS485_RTS_ON_SEND;
	rs485.delay_rts_before_send = 0;
	rs485.delay_rts_after_send = 0;
	return ioctl(fd, TIOCSRS485, &rs485) == 0;
}

static enum bf_rc no_direction(const struct bf_tty *tty, const char *what, struct bf_err *err)
{
	bf_fail(err, BF_E_IFACE, "'%s' cannot switch the RS485 direction by %s", tty->path, what);
	bf_likely(err, "the adapter switches by itself, as most USB adapters do");
	bf_do(err,
	      "leave the direction to the adapter: direction = auto in [rs485] of the profile");
	return BF_E_IFACE;
}

/*
 * By itself nothing is switched on that the port was not set up for: a USB adapter with its own direction switch
 * would wait for each message to drain, one whose RTS leads elsewhere would drive that, and a kernel driver that
 * knows the ioctl knows it for the RS232 ports, too.
 */
enum bf_rc bf_tty_direction(const struct bf_tty *tty, const struct bf_line *line,
			    enum bf_rs485_mode *ret, struct bf_err *err)
{
	switch (line->rs485) {
	case BF_RS485_AUTO:
		*ret = kernel_does_it_already(tty->fd) ? BF_RS485_KERNEL : BF_RS485_ADAPTER;
		return BF_OK;
	case BF_RS485_KERNEL:
		if (!kernel_direction(tty->fd, line->rts_active_low))
			return no_direction(tty, "the kernel (TIOCSRS485)", err);
		break;
	case BF_RS485_RTS:
		if (!bf_tty_has_modem_lines(tty->fd))
			return no_direction(tty, "its RTS line", err);
		bf_tty_rts(tty->fd, line->rts_active_low); /* listening */
		break;
	case BF_RS485_ADAPTER:
		break;
	}
	*ret = line->rs485;
	return BF_OK;
}

static int read_number(const char *path)
{
	BF_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	return (int)strtol(text, NULL, 10);
}

/* The FTDI driver sets its timer to 1 ms when it is asked for low latency (ftdi_sio.c). */
char *bf_tty_latency_command(char *dst, size_t cap, const char *port)
{
	const char *slash = strrchr(port, '/');

	snprintf(dst, cap, "echo 1 | sudo tee /sys/bus/usb-serial/devices/%s/latency_timer",
		 slash ? slash + 1 : port);
	return dst;
}

bool bf_tty_low_latency(const struct bf_tty *tty, int *ret_timer_ms)
{
	const char *name = strrchr(tty->path, '/');
	char knob[PATH_MAX];
	struct serial_struct serial;
	bool asked = false;

	if (ioctl(tty->fd, TIOCGSERIAL, &serial) == 0) {
		serial.flags = (int)((unsigned)serial.flags | ASYNC_LOW_LATENCY);
		asked = ioctl(tty->fd, TIOCSSERIAL, &serial) == 0;
	}
	snprintf(knob, sizeof(knob), "/sys/bus/usb-serial/devices/%s/latency_timer",
		 name ? name + 1 : "");
	*ret_timer_ms = read_number(knob);
	return *ret_timer_ms < 0 ? asked : *ret_timer_ms <= 1;
}

bool bf_tty_errors(int fd, uint64_t *ret_errors, uint64_t *ret_lost)
{
	struct serial_icounter_struct c;

	if (ioctl(fd, TIOCGICOUNT, &c) < 0)
		return false;
	*ret_lost = (uint64_t)c.overrun + (uint64_t)c.buf_overrun;
	*ret_errors = (uint64_t)c.frame + (uint64_t)c.parity + *ret_lost;
	return true;
}

int bf_tty_queued(int fd)
{
	int n;

	return ioctl(fd, TIOCOUTQ, &n) == 0 ? n : -1;
}

bool bf_tty_shifter_empty(int fd)
{
	unsigned lsr;

	return ioctl(fd, TIOCSERGETLSR, &lsr) < 0 || (lsr & TIOCSER_TEMT);
}
