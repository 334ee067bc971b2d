/* SPDX-License-Identifier: MIT */
/* Which device an address means, and which one a device has become. */
#include "usb_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bmsflash/bytes.h"

/* ---- addresses ---- */

/* One to four hex digits up to `end`. */
static bool hex16(const char *p, const char *end, uint16_t *ret)
{
	unsigned v = 0;

	if (p == end || end - p > 4)
		return false;
	for (; p < end; p++) {
		int digit = bf_hex_digit(*p);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*ret = (uint16_t)v;
	return true;
}

/* "VID:PID" or "VID:PID:SERIAL" */
static bool parse_id(const char *p, struct bf_usb_want *want)
{
	const char *colon = strchr(p, ':');
	const char *end;

	if (!colon || !hex16(p, colon, &want->vid))
		return false;
	end = strchrnul(colon + 1, ':');
	if (!hex16(colon + 1, end, &want->pid))
		return false;
	want->by = BF_USB_BY_ID;
	if (!*end)
		return true;
	if (!end[1] || strlen(end + 1) >= sizeof(want->serial))
		return false;
	snprintf(want->serial, sizeof(want->serial), "%s", end + 1);
	return true;
}

static const char *number(const char *p)
{
	const char *start = p;

	while (*p >= '0' && *p <= '9')
		p++;
	return p == start || p - start > 3 ? NULL : p;
}

/* "BUS-PORT[.PORT...]" */
static bool parse_path(const char *p, struct bf_usb_want *want)
{
	const char *at = number(p);

	if (!at || *at != '-' || strlen(p) >= sizeof(want->path))
		return false;
	do {
		at = number(at + 1);
	} while (at && *at == '.');
	if (!at || *at)
		return false;
	want->by = BF_USB_BY_PATH;
	snprintf(want->path, sizeof(want->path), "%s", p);
	return true;
}

bool bf_usb_parse(const char *address, struct bf_usb_want *ret)
{
	struct bf_usb_want want = { .by = BF_USB_BY_DFU };
	bool ok = false;

	if (!strcmp(address, "usb"))
		ok = true;
	else if (!strncmp(address, "usb:", 4))
		ok = parse_id(address + 4, &want);
	else if (!strncmp(address, "usb@", 4))
		ok = parse_path(address + 4, &want);
	if (ok)
		*ret = want;
	return ok;
}

/* ---- choosing ---- */

static bool fits(const struct bf_usb_want *want, const struct bf_usb_seen *s)
{
	switch (want->by) {
	case BF_USB_BY_DFU:
		return s->dfu != BF_USB_NO_DFU;
	case BF_USB_BY_ID:
		return s->vid == want->vid && s->pid == want->pid &&
		       (!want->serial[0] || !strcasecmp(s->serial, want->serial));
	case BF_USB_BY_PATH:
		return !strcmp(s->path, want->path);
	}
	return false;
}

char *bf_usb_describe(char *dst, size_t cap, const struct bf_usb_seen *s)
{
	size_t n;

	snprintf(dst, cap, "%04x:%04x", s->vid, s->pid);
	n = strlen(dst);
	if (s->product[0])
		snprintf(dst + n, cap - n, " %s", s->product);
	n = strlen(dst);
	if (s->serial[0])
		snprintf(dst + n, cap - n, ", serial %s", s->serial);
	return dst;
}

static void want_text(const struct bf_usb_want *want, char *dst, size_t cap)
{
	switch (want->by) {
	case BF_USB_BY_DFU:
		snprintf(dst, cap, "with a DFU interface");
		break;
	case BF_USB_BY_ID:
		snprintf(dst, cap, "%04x:%04x%s%s", want->vid, want->pid,
			 want->serial[0] ? " with serial " : "", want->serial);
		break;
	case BF_USB_BY_PATH:
		snprintf(dst, cap, "on port %s", want->path);
		break;
	}
}

static enum bf_rc none_fits(const struct bf_usb_want *want, const struct bf_usb_seen *seen,
			    size_t n, struct bf_err *err)
{
	char text[128], device[128];

	want_text(want, text, sizeof(text));
	bf_fail(err, BF_E_IFACE, "there is no USB device %s (%zu device%s on the bus)", text, n,
		n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		if (want->by == BF_USB_BY_ID && seen[i].vid == want->vid)
			bf_likely(err, "it is usb@%s, which is %s now", seen[i].path,
				  bf_usb_describe(device, sizeof(device), &seen[i]));
	}
	bf_likely(err, "the pack is off, or its USB port is asleep");
	bf_likely(err, "the cable carries power only, or is not in all the way");
	if (want->by == BF_USB_BY_DFU)
		bf_likely(err, "the pack's loader is not running: set its boot pin or hold its "
			       "button while plugging in");
	bf_next(err, "lsusb -t # shows what is there");
	return err->rc;
}

static enum bf_rc several_fit(const struct bf_usb_want *want, const struct bf_usb_seen *seen,
			      size_t n, size_t fit, size_t first, struct bf_err *err)
{
	char text[128], device[128];

	want_text(want, text, sizeof(text));
	bf_fail(err, BF_E_IFACE, "%zu USB devices %s:", fit, text);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(err->cause);

		if (fits(want, &seen[i]))
			snprintf(err->cause + used, sizeof(err->cause) - used, "%s usb@%s (%s)",
				 i == first ? "" : ",", seen[i].path,
				 bf_usb_describe(device, sizeof(device), &seen[i]));
	}
	bf_do(err, "name the one that is meant by its port: --if usb@%s", seen[first].path);
	return err->rc;
}

/* Many stacks ship one serial number for all devices: it names one only where no other has it. */
static size_t with_serial(const struct bf_usb_seen *old, const struct bf_usb_seen *seen, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += seen[i].vid == old->vid && !strcasecmp(seen[i].serial, old->serial);
	return found;
}

/* A bootloader has other product numbers than its application: which of the two is meant nobody can tell. */
static enum bf_rc serial_is_shared(const struct bf_usb_seen *one, const struct bf_usb_seen *seen,
				   size_t n, struct bf_err *err)
{
	char device[128];

	bf_fail(err, BF_E_IFACE, "%zu USB devices of vendor %04x have the serial number '%s':",
		with_serial(one, seen, n), one->vid, one->serial);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(err->cause);

		if (seen[i].vid == one->vid && !strcasecmp(seen[i].serial, one->serial))
			snprintf(err->cause + used, sizeof(err->cause) - used, " usb@%s (%s)",
				 seen[i].path, bf_usb_describe(device, sizeof(device), &seen[i]));
	}
	bf_do(err, "name the one that is meant by its port: --if usb@%s", one->path);
	return err->rc;
}

enum bf_rc bf_usb_pick(const struct bf_usb_want *want, const struct bf_usb_seen *seen, size_t n,
		       size_t *ret, struct bf_err *err)
{
	size_t fit = 0, first = 0;

	for (size_t i = n; i-- > 0;) {
		if (!fits(want, &seen[i]))
			continue;
		fit++;
		first = i;
	}
	if (!fit)
		return none_fits(want, seen, n, err);
	if (fit > 1)
		return several_fit(want, seen, n, fit, first, err);
	if (want->by == BF_USB_BY_ID && want->serial[0] && with_serial(&seen[first], seen, n) > 1)
		return serial_is_shared(&seen[first], seen, n, err);
	*ret = first;
	return BF_OK;
}

/* ---- after a restart ---- */

static bool same_enumeration(const struct bf_usb_seen *a, const struct bf_usb_seen *b)
{
	/* The kernel counts addresses up, so that a device that came back has another one; its
	 * identifiers tell too when the count has gone round. */
	return a->bus == b->bus && a->address == b->address && !strcmp(a->path, b->path) &&
	       a->vid == b->vid && a->pid == b->pid;
}

bool bf_usb_stays(const struct bf_usb_seen *old, const struct bf_usb_seen *seen, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (same_enumeration(old, &seen[i]))
			return true;
	}
	return false;
}

size_t bf_usb_heir(const struct bf_usb_seen *old, const struct bf_usb_seen *before, size_t n_before,
		   const struct bf_usb_seen *seen, size_t n, bool moved)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(old->path, seen[i].path) && !same_enumeration(old, &seen[i]))
			return i;
	}
	/* In another port it is only known by its serial number. */
	if (!moved || !old->serial[0] || with_serial(old, before, n_before) > 1 ||
	    with_serial(old, seen, n) != 1)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (old->vid == seen[i].vid && !strcasecmp(old->serial, seen[i].serial) &&
		    !bf_usb_stays(&seen[i], before, n_before))
			return i;
	}
	return n;
}
