/* SPDX-License-Identifier: MIT */
/*
 * A serial device through termios2 alone (ioctl_tty(2)): any rate as a number, no sysfs node needed.
 * <asm/termbits.h> and <termios.h> define the same names, so this file takes only the former.
 */
#include "rs485_tty.h"

#include <asm/ioctls.h> /* not every C library names TCGETS2 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Majors of Unix98 pty slaves (Documentation/admin-guide/devices.txt). */
#define PTY_MAJOR_FIRST 136
#define PTY_MAJOR_LAST  143

bool bf_tty_is_pty(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) >= PTY_MAJOR_FIRST && major(st.st_rdev) <= PTY_MAJOR_LAST;
}

uint32_t bf_tty_real_baud(int fd)
{
	struct termios2 tio;

	return ioctl(fd, TCGETS2, &tio) == 0 ? tio.c_ospeed : 0;
}

static void make_raw(struct termios2 *tio, const struct bf_line *line)
{
	static const tcflag_t bits[] = { [5] = CS5, [6] = CS6, [7] = CS7, [8] = CS8 };

	tio->c_iflag = IGNBRK;
	tio->c_oflag = 0;
	tio->c_lflag = 0;
	tio->c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT | CSIZE | PARENB | PARODD | CMSPAR |
				    CSTOPB | CRTSCTS);
	tio->c_cflag |= bits[line->data_bits] | CLOCAL | CREAD | BOTHER | BOTHER << IBSHIFT;
	if (line->stop_bits == 2)
		tio->c_cflag |= CSTOPB;
	switch (line->parity) {
	case BF_PARITY_ODD:
		tio->c_cflag |= PARENB | PARODD;
		tio->c_iflag |= INPCK | IGNPAR;
		break;
	case BF_PARITY_EVEN:
		tio->c_cflag |= PARENB;
		tio->c_iflag |= INPCK | IGNPAR;
		break;
	case BF_PARITY_NONE:
		break;
	}
	tio->c_ispeed = line->baud;
	tio->c_ospeed = line->baud;
	tio->c_cc[VMIN] = 0;
	tio->c_cc[VTIME] = 0;
}

/* A byte with the wrong parity is left out, so that what misses one shows: else it would be read as it came. */
bool bf_tty_check_parity(int fd)
{
	struct termios2 tio;

	if (ioctl(fd, TCGETS2, &tio) < 0)
		return false;
	tio.c_iflag |= INPCK | IGNPAR;
	tio.c_iflag &= ~(tcflag_t)PARMRK;
	return ioctl(fd, TCSETS2, &tio) == 0;
}

static enum bf_rc raw_set_line(struct bf_tty *tty, const struct bf_line *line, struct bf_err *err)
{
	struct termios2 tio;

	if (ioctl(tty->fd, TCGETS2, &tio) < 0)
		return bf_fail_os(err, errno == EIO ? BF_E_GONE : BF_E_IFACE, errno,
				  "cannot read the line settings of '%s'", tty->path);
	make_raw(&tio, line);
	if (ioctl(tty->fd, TCSETS2, &tio) < 0)
		return bf_fail_os(err, errno == EIO ? BF_E_GONE : BF_E_IFACE, errno,
				  "cannot set '%s' to %u baud", tty->path, line->baud);
	return BF_OK;
}

static ssize_t raw_read(struct bf_tty *tty, uint8_t *p, size_t cap)
{
	ssize_t n = read(tty->fd, p, cap);

	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static ssize_t raw_write(struct bf_tty *tty, const uint8_t *p, size_t len)
{
	ssize_t n = write(tty->fd, p, len);

	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void raw_close(struct bf_tty *tty)
{
	close(tty->fd);
	free(tty);
}

static const struct bf_tty_ops raw_ops = {
	.close = raw_close,
	.set_line = raw_set_line,
	.read = raw_read,
	.write = raw_write,
};

int bf_tty_open_raw(const char *path, struct bf_tty **ret)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct bf_tty *tty;

	if (fd < 0)
		return errno;
	if (!isatty(fd)) {
		close(fd);
		return ENOTTY;
	}
	tty = calloc(1, sizeof(*tty));
	if (!tty)
		abort();
	tty->ops = &raw_ops;
	tty->fd = fd;
	snprintf(tty->path, sizeof(tty->path), "%s", path);
	*ret = tty;
	return 0;
}
