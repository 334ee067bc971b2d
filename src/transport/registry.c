/* SPDX-License-Identifier: MIT */
/* The table of drivers, from the list that the build wrote, and the way from an address to a wire. */
#include "bmsflash/transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fault.h"

#define BF_DRIVER(name) extern const struct bf_driver bf_driver_##name;
#include "drivers.def"
#undef BF_DRIVER

#define BF_DRIVER(name) &bf_driver_##name,
static const struct bf_driver *const drivers[] = {
#include "drivers.def"
	NULL,
};
#undef BF_DRIVER

#define FAULT_PREFIX "fault:"

#define APPEAR_POLL BF_MS(100)
#define SETTLE \
	BF_SEC(3) /* for udev to hand it over, and for somebody to bring a CAN interface up */

const struct bf_driver *const *bf_drivers(void)
{
	return drivers;
}

struct bf_transport *bf_transport_close(struct bf_transport *t)
{
	if (t)
		t->ops->close(t);
	return NULL;
}

enum bf_rc bf_transport_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	const struct bf_transport_ops *ops = t->ops;

	if (ops->stream && ops->stream->reopen)
		return ops->stream->reopen(t, deadline, err);
	if (ops->usb && ops->usb->reopen)
		return ops->usb->reopen(t, deadline, err);
	return bf_fail(err, BF_E_UNSUPPORTED, "'%s' cannot be opened again while it is in use",
		       t->name);
}

enum bf_rc bf_stream_set_modem(struct bf_transport *t, unsigned mask, unsigned on,
			       struct bf_err *err)
{
	if (t->ops->stream && t->ops->stream->set_modem)
		return t->ops->stream->set_modem(t, mask, on, err);
	return bf_fail(err, BF_E_UNSUPPORTED, "'%s' has no modem lines (RTS, DTR)", t->name);
}

enum bf_rc bf_stream_send_break(struct bf_transport *t, bf_time duration, struct bf_err *err)
{
	if (t->ops->stream && t->ops->stream->send_break)
		return t->ops->stream->send_break(t, duration, err);
	return bf_fail(err, BF_E_UNSUPPORTED, "'%s' cannot send a break", t->name);
}

/* COM3, com12 */
static bool is_windows_name(const char *address)
{
	return strncasecmp(address, "com", 3) == 0 && address[3] &&
	       strspn(address + 3, "0123456789") == strlen(address + 3);
}

enum bf_rc bf_address_unknown(const char *address, struct bf_err *err)
{
	if (!drivers[0])
		return bf_fail(err, BF_E_UNSUPPORTED, "this bmsflash was built without any wire");
	if (is_windows_name(address))
		bf_fail(err, BF_E_IFACE, "'%s' is a Windows name of a serial port", address);
	else
		bf_fail(err, BF_E_IFACE, "'%s' is no interface that bmsflash knows", address);
	bf_likely(err, "the name is misspelt, or the interface is not plugged in");
	for (size_t i = 0; drivers[i]; i++)
		bf_likely(err, "wanted is %s", drivers[i]->address_help);
	bf_next(err, "bmsflash probe # lists the interfaces of this computer");
	return err->rc;
}

static const struct bf_driver *driver_for(const char *address)
{
	for (size_t i = 0; drivers[i]; i++) {
		if (drivers[i]->match(address))
			return drivers[i];
	}
	return NULL;
}

static bool is_absent(const struct bf_err *err)
{
	return err->rc == BF_E_IFACE &&
	       (err->os == ENOENT || err->os == ENODEV || err->os == ENXIO);
}

/* A moment after it appeared it may not be ours yet, nor up. */
static bool is_settling(const struct bf_err *err)
{
	return err->rc == BF_E_IFACE &&
	       (err->os == EACCES || err->os == EPERM || err->os == ENETDOWN || err->os == EIO);
}

static enum bf_rc not_appeared(const struct bf_open_env *env, struct bf_err *err)
{
	if (is_absent(err))
		err->rc = BF_E_NODEV; /* as a USB device that does not come */
	return bf_while(err, "waiting %.0f s for it to appear", (double)env->wait / 1e6);
}

/* When it is given up: what is absent when the wait is over, what has appeared also when it does not settle. */
static bf_time given_up_at(const struct bf_open_env *env, const struct bf_err *err, bf_time until,
			   bf_time *settled)
{
	if (is_absent(err))
		*settled = BF_NEVER;
	else if (*settled == BF_NEVER)
		*settled = bf_in(env->clock, SETTLE);
	return *settled < until ? *settled : until;
}

/* What is there and cannot be opened is said at once; only what is absent is waited for. */
static enum bf_rc open_when_there(const struct bf_open_env *env, const struct bf_driver *driver,
				  const char *address, struct bf_transport **ret,
				  struct bf_err *err)
{
	enum bf_rc rc = driver->open(env, address, ret, err);
	bf_time until, settled = BF_NEVER;

	if (!rc || !env->wait || !is_absent(err))
		return rc;
	until = bf_in(env->clock, env->wait);
	while (rc && (is_absent(err) || is_settling(err))) {
		if (bf_now(env->clock) >= given_up_at(env, err, until, &settled))
			return not_appeared(env, err);
		if (env->alive)
			env->alive(env->alive_ctx, err->cause);
		if (!bf_clock_until(env->clock, bf_in(env->clock, APPEAR_POLL)))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped while waiting for '%s'",
				       address);
		bf_err_init(err);
		rc = driver->open(env, address, ret, err);
	}
	return rc;
}

/* A rate that the user names is set or refused. */
static enum bf_rc check_rates(const struct bf_open_env *env, const struct bf_transport *t,
			      struct bf_err *err)
{
	bool baud = env->baud_asked && t->ops->wire != BF_WIRE_STREAM;
	bool bitrate = env->bitrate && t->ops->wire != BF_WIRE_BUS;

	if (!baud && !bitrate)
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "%s has no meaning on '%s', which is %s",
		baud ? "--baud" : "--bitrate", t->name,
		t->ops->wire == BF_WIRE_BUS      ? "a CAN bus: its rate is set with --bitrate"
		: t->ops->wire == BF_WIRE_STREAM ? "a serial line: its rate is set with --baud"
						 : "a USB device");
	return err->rc;
}

static enum bf_rc open_plain(const struct bf_open_env *env, const char *address,
			     struct bf_transport **ret, struct bf_err *err)
{
	const struct bf_driver *driver = driver_for(address);

	if (!driver)
		return bf_address_unknown(address, err);
	if (open_when_there(env, driver, address, ret, err))
		return err->rc;
	if (check_rates(env, *ret, err))
		*ret = bf_transport_close(*ret);
	return *ret ? BF_OK : err->rc;
}

#if BF_WITH_FAULT
static enum bf_rc open_faulty(const struct bf_open_env *env, const char *rest,
			      struct bf_transport **ret, struct bf_err *err)
{
	size_t len = bf_fault_spec_len(rest);
	BF_AUTO_MEM char *spec = strndup(rest, len);
	struct bf_fault_spec parsed;
	struct bf_transport *inner;

	if (!spec)
		abort();
	/* The specification is looked at first: a mistake in it must not touch the wire. */
	if (bf_fault_parse(spec, &parsed, err))
		return err->rc;
	if (rest[len] == '\0')
		return bf_fail(err, BF_E_USAGE,
			       "'" FAULT_PREFIX "%s' names no interface; the form is "
			       "'" FAULT_PREFIX "drop=1%%:can0'",
			       rest);
	if (bf_transport_open(env, rest + len + 1, &inner, err))
		return err->rc;
	return bf_fault_wrap(inner, spec, ret, err);
}
#endif

enum bf_rc bf_transport_open(const struct bf_open_env *env, const char *address,
			     struct bf_transport **ret, struct bf_err *err)
{
#if BF_WITH_FAULT
	if (strncmp(address, FAULT_PREFIX, strlen(FAULT_PREFIX)) == 0)
		return open_faulty(env, address + strlen(FAULT_PREFIX), ret, err);
#endif
	return open_plain(env, address, ret, err);
}

const char *bf_address_bare(const char *address)
{
	while (BF_WITH_FAULT && strncmp(address, FAULT_PREFIX, strlen(FAULT_PREFIX)) == 0) {
		address += strlen(FAULT_PREFIX);
		address += bf_fault_spec_len(address);
		address += *address == ':';
	}
	return address;
}

bool bf_address_is_virtual(const char *address)
{
	const struct bf_driver *driver = driver_for(bf_address_bare(address));

	return driver && driver->is_virtual;
}
