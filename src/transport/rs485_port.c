/* SPDX-License-Identifier: MIT */
/* A serial device through libserialport, and the list of those that there are. */
#include "rs485_tty.h"

#include <errno.h>
#include <libserialport.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct port {
	struct bf_tty tty;
	struct sp_port *sp;
};

static struct port *port_of(struct bf_tty *tty)
{
	return BF_CONTAINER_OF(tty, struct port, tty);
}

/* The errno behind a failed call; SP_ERR_FAIL alone has one. */
static int os_errno_of(enum sp_return rc)
{
	int e;

	switch (rc) {
	case SP_ERR_FAIL:
		e = sp_last_error_code();
		return e ? e : EIO;
	case SP_ERR_ARG:
	case SP_ERR_SUPP:
		return ENOTTY;
	case SP_ERR_MEM:
	case SP_OK:
		break;
	}
	return ENOMEM;
}

static enum bf_rc configure(struct sp_port *sp, struct sp_port_config *config,
			    const struct bf_line *line)
{
	static const enum sp_parity parity[] = {
		[BF_PARITY_NONE] = SP_PARITY_NONE,
		[BF_PARITY_EVEN] = SP_PARITY_EVEN,
		[BF_PARITY_ODD] = SP_PARITY_ODD,
	};

	sp_set_config_baudrate(config, (int)line->baud);
	sp_set_config_bits(config, (int)line->data_bits);
	sp_set_config_parity(config, parity[line->parity]);
	sp_set_config_stopbits(config, (int)line->stop_bits);
	sp_set_config_flowcontrol(config, SP_FLOWCONTROL_NONE);
	return sp_set_config(sp, config) == SP_OK ? BF_OK : BF_E_IFACE;
}

static enum bf_rc port_set_line(struct bf_tty *tty, const struct bf_line *line, struct bf_err *err)
{
	struct sp_port_config *config;
	enum bf_rc rc;
	int e;

	if (sp_new_config(&config) != SP_OK)
		return bf_fail(err, BF_E_INTERNAL, "no memory for the line settings");
	rc = configure(port_of(tty)->sp, config, line);
	e = sp_last_error_code();
	sp_free_config(config);
	if (!rc && line->parity != BF_PARITY_NONE && !bf_tty_check_parity(tty->fd)) {
		rc = BF_E_IFACE;
		e = errno;
	}
	if (rc)
		return bf_fail_os(err, e == EIO || e == ENODEV ? BF_E_GONE : rc, e ? e : EINVAL,
				  "cannot set '%s' to %u baud", tty->path, line->baud);
	return BF_OK;
}

static ssize_t as_count(enum sp_return rc)
{
	if ((int)rc >= 0)
		return (ssize_t)rc;
	errno = os_errno_of(rc);
	return -1;
}

static ssize_t port_read(struct bf_tty *tty, uint8_t *p, size_t cap)
{
	return as_count(sp_nonblocking_read(port_of(tty)->sp, p, cap));
}

static ssize_t port_write(struct bf_tty *tty, const uint8_t *p, size_t len)
{
	return as_count(sp_nonblocking_write(port_of(tty)->sp, p, len));
}

static void port_close(struct bf_tty *tty)
{
	struct port *port = port_of(tty);

	sp_close(port->sp);
	sp_free_port(port->sp);
	free(port);
}

static const struct bf_tty_ops port_ops = {
	.close = port_close,
	.set_line = port_set_line,
	.read = port_read,
	.write = port_write,
};

int bf_tty_open_port(const char *path, struct bf_tty **ret)
{
	struct sp_port *sp;
	struct port *port;
	enum sp_return rc = sp_get_port_by_name(path, &sp);
	int fd = -1;
	int e;

	if (rc != SP_OK)
		return os_errno_of(rc);
	rc = sp_open(sp, SP_MODE_READ_WRITE);
	if (rc == SP_OK)
		rc = sp_get_port_handle(sp, &fd);
	if (rc != SP_OK) {
		e = os_errno_of(rc);
		sp_free_port(sp);
		return e;
	}
	port = calloc(1, sizeof(*port));
	if (!port)
		abort();
	port->tty.ops = &port_ops;
	port->tty.fd = fd;
	port->sp = sp;
	snprintf(port->tty.path, sizeof(port->tty.path), "%s", path);
	*ret = &port->tty;
	return 0;
}

/* ---- list ---- */

static void describe(struct sp_port *sp, char *dst, size_t cap)
{
	const char *text = sp_get_port_description(sp);
	const char *serial = NULL;
	int vid = 0, pid = 0;

	const char *name = strrchr(sp_get_port_name(sp), '/');

	/* A port of the board itself is described by its own name. */
	if (text && name && strcmp(text, name + 1) == 0)
		text = NULL;
	snprintf(dst, cap, "%s", text ? text : "serial port");
	if (sp_get_port_transport(sp) != SP_TRANSPORT_USB)
		return;
	serial = sp_get_port_usb_serial(sp);
	if (sp_get_port_usb_vid_pid(sp, &vid, &pid) == SP_OK) {
		size_t n = strlen(dst);

		snprintf(dst + n, cap - n, " (USB %04x:%04x%s%s)", (unsigned)vid, (unsigned)pid,
			 serial ? ", serial " : "", serial ? serial : "");
	}
}

static void judge(const char *path, struct bf_candidate *c)
{
	struct bf_who holder;
	struct bf_err err;

	if (access(path, R_OK | W_OK) < 0) {
		bf_err_init(&err);
		bf_tty_explain_open(path, path, errno, &err);
		snprintf(c->why, sizeof(c->why), "%s", err.cause);
		return;
	}
	if (bf_who_has("", path, BF_WHO_ANYBODY, &holder)) {
		snprintf(c->why, sizeof(c->why), "in use by '%s' (pid %d)", holder.command,
			 holder.pid);
		return;
	}
	c->usable = true;
}

void bf_tty_list(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	struct sp_port **ports;

	if (sp_list_ports(&ports) != SP_OK)
		return;
	for (size_t i = 0; ports[i]; i++) {
		struct bf_candidate c = { 0 };

		snprintf(c.address, sizeof(c.address), "%s", sp_get_port_name(ports[i]));
		describe(ports[i], c.what, sizeof(c.what));
		judge(c.address, &c);
		found(ctx, &c);
	}
	sp_free_port_list(ports);
}

void bf_tty_names(char *dst, size_t cap)
{
	struct sp_port **ports;
	size_t n = 0;

	dst[0] = '\0';
	if (sp_list_ports(&ports) != SP_OK)
		return;
	for (size_t i = 0; ports[i] && n < cap; i++)
		n += (size_t)snprintf(dst + n, cap - n, "%s%s", i ? ", " : "",
				      sp_get_port_name(ports[i]));
	sp_free_port_list(ports);
}
