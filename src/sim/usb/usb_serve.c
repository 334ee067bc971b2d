/* SPDX-License-Identifier: MIT */
/* Sockets and the kernel's virtual host controller around the USB/IP protocol. */
#include "sim/usb/usb_serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/dfu/dfu_device.h"
#include "sim/usb/usb_serial.h"
#include "sim/usb/usbip.h"

#define VHCI      "/sys/devices/platform/vhci_hcd.0/"
#define VHCI_PORT 0 /* always the same, so that the device comes back where it was */
#define RETRY_US  BF_MS(20)
#define GIVE_UP   250 /* attempts: 5 s */

struct server {
	struct bf_gadget gadget;
	struct bf_clock *clock;
	struct bf_usbip usbip;
	bool vhci;
	int listener, conn; /* -1: none */
	unsigned failed;    /* attempts to plug in, in a row */
	bf_time retry_at;
};

static bool is_present(const struct server *s)
{
	return s->gadget.ops->present(s->gadget.dev);
}

static void hang_up(struct server *s)
{
	if (s->conn >= 0)
		close(s->conn);
	s->conn = -1;
}

/* The socket's buffer holds many answers; a client that lets it fill up has stopped reading. */
static bool send_all(void *ctx, const uint8_t *p, size_t len)
{
	struct server *s = ctx;

	return send(s->conn, p, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void connected(struct server *s, int take_fd)
{
	s->conn = take_fd;
	bf_usbip_init(&s->usbip, s->gadget, s->vhci);
	s->usbip.send = send_all;
	s->usbip.ctx = s;
}

/* ---- the kernel's own controller ---- */

/* "port socket device speed"; the kernel takes its own reference of the socket. */
static int tell_vhci(int fd)
{
	BF_AUTO_FD int attach = open(VHCI "attach", O_WRONLY | O_CLOEXEC);
	char line[64];
	int n;

	if (attach < 0)
		return errno;
	n = snprintf(line, sizeof(line), "%d %d %u %d", VHCI_PORT, fd, BF_USBIP_DEVID,
		     BF_USBIP_SPEED);
	return write(attach, line, (size_t)n) == n ? 0 : errno;
}

static enum bf_rc plug_in(struct server *s, struct bf_err *err)
{
	int pair[2], os;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return bf_fail_os(err, BF_E_IFACE, errno, "no socket for the USB device");
	os = tell_vhci(pair[1]);
	close(pair[1]);
	if (!os) {
		s->failed = 0;
		connected(s, pair[0]);
		return BF_OK;
	}
	close(pair[0]);
	/* After an unplug the port is free again only when the kernel has cleaned up. */
	if ((os == EBUSY || os == EINVAL) && ++s->failed < GIVE_UP) {
		s->retry_at = bf_in(s->clock, RETRY_US);
		return BF_OK;
	}
	bf_fail_os(err, BF_E_IFACE, os,
		   "plugging into the virtual USB controller '" VHCI "attach'");
	bf_next(err, "sudo modprobe vhci_hcd");
	return BF_E_IFACE;
}

/* ---- TCP ---- */

static enum bf_rc listen_on(struct server *s, const char *where, struct bf_err *err)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const int one = 1;
	char *end;
	unsigned long port = strtoul(where, &end, 10);

	if (end == where || *end || port < 1 || port > 65535)
		return bf_fail(err, BF_E_USAGE,
			       "USB is served on 'vhci' or a TCP port (1 to 65535), not '%s'",
			       where);
	addr.sin_port = htons((uint16_t)port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 ||
	    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(s->listener, (const struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(s->listener, 1))
		return bf_fail_os(err, BF_E_IFACE, errno, "listening on TCP port %lu", port);
	return BF_OK;
}

static void accept_one(struct server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (s->conn >= 0) /* one host at a time, as with a cable */
		close(fd);
	else
		connected(s, fd);
}

/* ---- the loop ---- */

static void hear(struct server *s)
{
	uint8_t buf[4096];
	ssize_t n = recv(s->conn, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !bf_usbip_push(&s->usbip, buf, (size_t)n, bf_now(s->clock)))
		hang_up(s);
}

/* The plug follows the device: out when it leaves the bus, in when it shows up. */
static enum bf_rc follow_device(struct server *s, unsigned *plugged, struct bf_err *err)
{
	unsigned now = is_present(s) ? s->gadget.ops->enumeration(s->gadget.dev) : 0;

	if (*plugged && *plugged != now) {
		hang_up(s);
		*plugged = 0;
	}
	*plugged = now;
	if (!s->vhci || !now || s->conn >= 0 || bf_now(s->clock) < s->retry_at)
		return BF_OK;
	return plug_in(s, err);
}

static bf_time wake_at(const struct server *s)
{
	bf_time at = s->gadget.ops->next(s->gadget.dev);

	if (s->vhci && s->conn < 0 && s->retry_at < at && is_present(s))
		return s->retry_at;
	return at;
}

static enum bf_rc serve(struct server *s, const struct bf_serve *how, struct bf_err *err)
{
	unsigned plugged = 0;
	bool told = false;

	for (;;) {
		struct pollfd fds[2] = { { s->conn, POLLIN, 0 }, { s->listener, POLLIN, 0 } };
		enum bf_rc rc;

		s->gadget.ops->run(s->gadget.dev, bf_now(s->clock));
		if (s->conn >= 0 && !bf_usbip_settle(&s->usbip, bf_now(s->clock)))
			hang_up(s);
		rc = follow_device(s, &plugged, err);
		if (rc)
			return rc;
		if (!told && plugged && (s->conn >= 0 || s->listener >= 0)) {
			how->ready(how->ctx, "ready");
			told = true;
		}
		fds[0].fd = s->conn;
		if (bf_clock_wait(s->clock, fds, BF_COUNT(fds), wake_at(s)) == BF_WAIT_CANCELLED)
			return bf_fail(err, BF_E_INTERRUPTED, "serving a USB device was stopped");
		if (fds[0].revents)
			hear(s);
		if (fds[1].revents)
			accept_one(s);
	}
}

enum bf_rc bf_sim_serve_usb(const struct bf_serve *how, const char *where, struct bf_err *err)
{
	struct server s = { .clock = how->clock, .listener = -1, .conn = -1 };
	struct bf_usb_serial *serial = NULL;
	struct bf_dfu_device *dfu = NULL;
	bf_time now = bf_now(how->clock);
	enum bf_rc rc = BF_OK;

	s.vhci = strcmp(where, "vhci") == 0;
	if (!s.vhci)
		rc = listen_on(&s, where, err);
	if (bf_pack_mode(how->pack) == BF_PACK_OFF && bf_pack_next(how->pack) == BF_NEVER)
		bf_pack_power(how->pack, true, now);
	if (bf_pack_opts(how->pack)->link == BF_SIM_RS485) {
		serial = bf_usb_serial_new(how->pack, how->heard, how->ctx, now);
		s.gadget = bf_usb_serial_gadget(serial);
	} else {
		dfu = bf_dfu_device_new(how->pack, now);
		s.gadget = bf_dfu_gadget(dfu);
	}
	if (!rc)
		rc = serve(&s, how, err);
	hang_up(&s);
	if (s.listener >= 0)
		close(s.listener);
	bf_usb_serial_free(serial);
	bf_dfu_device_free(dfu);
	return rc;
}
