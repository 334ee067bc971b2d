/* SPDX-License-Identifier: MIT */
/* A USB device in memory. */
#include "fake_priv.h"

#include <string.h>

#define IN \
	0x80 /* direction bit of bmRequestType and of an endpoint address (USB 2.0, 9.3, 9.6.6) */

void fake_say_bulk(struct fake *f, uint8_t endpoint, const uint8_t *p, size_t len, bf_time after)
{
	fake_push(f, (struct fake_item){ .endpoint = endpoint }, p, len, bf_in(f->t.clock, after));
}

static void say(struct fake *f, const char *what, bf_time after)
{
	BF_AUTO_MEM char *s = fake_squeeze(what);
	char *colon = strchr(s, ':');
	BF_AUTO_MEM uint8_t *p = fake_grow(NULL, strlen(s) + 1, 1);

	if (!*s)
		return;
	if (strncmp(s, "EP", 2) != 0 || !colon)
		abort(); /* a mistake in the test's own text */
	fake_say_bulk(f, (uint8_t)strtoul(s + 2, NULL, 16), p, fake_unhex(colon + 1, p, strlen(s)),
		      after);
}

static char *with_hex(const char *head, const uint8_t *p, size_t len)
{
	size_t n = strlen(head);
	char *s = fake_grow(NULL, n + 2 * len + 1, 1);

	memcpy(s, head, n + 1);
	for (size_t i = 0; i < len; i++)
		snprintf(s + n + 2 * i, 3, "%02X", p[i]);
	return s;
}

static char *control_text(const struct bf_usb_setup *setup, const uint8_t *data, size_t len)
{
	char head[32];

	if (setup->request_type & IN) {
		snprintf(head, sizeof(head), "%02X%02X%04X%04X<%04zX", setup->request_type,
			 setup->request, setup->value, setup->index, len);
		return with_hex(head, NULL, 0);
	}
	snprintf(head, sizeof(head), "%02X%02X%04X%04X:", setup->request_type, setup->request,
		 setup->value, setup->index);
	return with_hex(head, data, len);
}

static enum bf_rc stall(struct fake *f, const char *text, struct bf_err *err)
{
	return bf_fail_dev(err, BF_E_NAK, 0, "stall", "'%s' stalled the request %s", f->t.name,
			   text);
}

static enum bf_rc by_rule(struct fake *f, const struct fake_rule *r, const char *text,
			  const struct bf_usb_setup *setup, uint8_t *data, size_t len,
			  size_t *ret_len, struct bf_err *err)
{
	BF_AUTO_MEM uint8_t *answer = fake_grow(NULL, strlen(r->answer) + 1, 1);
	size_t n;

	if (strcmp(r->answer, "stall") == 0)
		return stall(f, text, err);
	if (strcmp(r->answer, "gone") == 0) {
		fake_gone_at(f, bf_now(f->t.clock));
		return fake_wait(f, 0, 0, "answering", err);
	}
	if (!(setup->request_type & IN)) {
		*ret_len = len;
		return BF_OK;
	}
	n = fake_unhex(r->answer, answer, strlen(r->answer) + 1);
	*ret_len = n < len ? n : len;
	memcpy(data, answer, *ret_len);
	return BF_OK;
}

static enum bf_rc usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err)
{
	struct fake *f = fake_of(t);
	BF_AUTO_MEM char *text = control_text(setup, data, len);
	const struct fake_rule *r;
	bf_time after = 0;
	size_t moved = 0;
	enum bf_rc rc;

	if (fake_wait(f, f->blocked_until, deadline, "starting a control transfer", err))
		return err->rc;
	fake_hear(f, text);
	r = fake_match(f, text, NULL);
	if (r && strcmp(r->answer, "timeout") == 0)
		return fake_wait(f, BF_NEVER, deadline, "waiting for a control transfer", err);
	if (r && r->after &&
	    fake_wait(f, bf_in(t->clock, r->after), deadline, "waiting for a control transfer",
		      err))
		return err->rc;
	if (r)
		rc = by_rule(f, r, text, setup, data, len, &moved, err);
	else if (f->usb_fn)
		rc = f->usb_fn(f, f->ctx, setup, data, len, &moved, &after, err);
	else
		rc = stall(f, text, err);
	if (!rc && after)
		rc = fake_wait(f, bf_in(t->clock, after), deadline,
			       "waiting for a control transfer", err);
	if (rc)
		return rc;
	t->stats.tx_frames++;
	*(setup->request_type & IN ? &t->stats.rx_bytes : &t->stats.tx_bytes) += moved;
	*ret_len = moved;
	return BF_OK;
}

static struct fake_item *first_of(struct fake *f, uint8_t endpoint)
{
	for (size_t i = 0; i < f->n_queue; i++) {
		if (f->queue[i].endpoint == endpoint)
			return &f->queue[i];
	}
	return NULL;
}

static enum bf_rc bulk_in(struct fake *f, uint8_t endpoint, uint8_t *data, size_t len,
			  size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct fake_item *item = first_of(f, endpoint);

	if (fake_wait(f, item ? item->at : BF_NEVER, deadline, "waiting for a bulk transfer", err))
		return err->rc;
	*ret_len = item->len < len ? item->len : len;
	if (*ret_len)
		memcpy(data, item->bytes, *ret_len);
	f->t.stats.rx_frames++;
	f->t.stats.rx_bytes += *ret_len;
	fake_pop(f, (size_t)(item - f->queue));
	return BF_OK;
}

static enum bf_rc usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);
	BF_AUTO_MEM char *text = NULL;
	const struct fake_rule *r;
	char head[16];

	if (endpoint & IN)
		return bulk_in(f, endpoint, data, len, ret_len, deadline, err);
	if (fake_wait(f, f->blocked_until, deadline, "sending a bulk transfer", err))
		return err->rc;
	snprintf(head, sizeof(head), "EP%02X:", endpoint);
	text = with_hex(head, data, len);
	fake_hear(f, text);
	t->stats.tx_frames++;
	t->stats.tx_bytes += len;
	r = fake_match(f, text, NULL);
	if (r)
		say(f, r->answer, r->after);
	else if (f->bulk_fn)
		f->bulk_fn(f, f->bulk_ctx, endpoint, data, len);
	*ret_len = len;
	return BF_OK;
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	struct fake *f = fake_of(t);

	if (fake_wait(f, 0, BF_NEVER, "claiming", err))
		return err->rc;
	f->claimed = interface;
	f->alt = alt;
	return BF_OK;
}

static enum bf_rc usb_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);

	if (fake_wait(f, 0, deadline, "reading a string", err))
		return err->rc;
	if (index >= f->n_strings || !f->strings[index])
		return stall(f, "for a string", err);
	snprintf(dst, cap, "%s", f->strings[index]);
	return BF_OK;
}

static enum bf_rc usb_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct fake *f = fake_of(t);

	if (fake_wait(f, 0, BF_NEVER, "looking at the device", err))
		return err->rc;
	*ret = f->device;
	return BF_OK;
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);

	if (fake_wait(f, 0, deadline, "resetting", err))
		return err->rc;
	f->resets++;
	f->claimed = -1;
	if (f->reset_fn)
		f->reset_fn(f, f->reset_ctx);
	return BF_OK;
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct fake *f = fake_of(t);

	f->left = false;
	if (fake_wait(f, f->back_at, deadline, "waiting for the device to come back", err)) {
		f->left = true;
		return err->rc;
	}
	f->device = f->next_device;
	f->claimed = -1;
	t->stats.reopened++;
	return BF_OK;
}

static const struct bf_usb_ops usb_ops = {
	.control = usb_control,
	.bulk = usb_bulk,
	.claim = usb_claim,
	.string = usb_string,
	.device = usb_device,
	.reset = usb_reset,
	.reopen = usb_reopen,
};

static const struct bf_transport_ops ops = {
	.name = "fake-usb",
	.wire = BF_WIRE_USB,
	.usb = &usb_ops,
	.close = fake_close,
};

struct fake *fake_usb_new(struct bf_clock *clock)
{
	struct fake *f = fake_new(clock, &ops, "fake-usb");

	f->say = say;
	return f;
}

void fake_usb_handle(struct fake *f, fake_usb_fn *fn, void *ctx)
{
	f->usb_fn = fn;
	f->ctx = ctx;
}

void fake_usb_handle_reset(struct fake *f, fake_reset_fn *fn, void *ctx)
{
	f->reset_fn = fn;
	f->reset_ctx = ctx;
}

void fake_usb_handle_bulk(struct fake *f, fake_bulk_fn *fn, void *ctx)
{
	f->bulk_fn = fn;
	f->bulk_ctx = ctx;
}

void fake_usb_set_device(struct fake *f, const struct bf_usb_device *device)
{
	f->device = *device;
	f->next_device = *device;
}

void fake_usb_set_strings(struct fake *f, const char *const *strings, size_t n_strings)
{
	f->strings = strings;
	f->n_strings = n_strings;
}

void fake_usb_leave(struct fake *f, const struct bf_usb_device *device, bf_time back_after)
{
	f->left = true;
	f->back_at = bf_in(f->t.clock, back_after);
	if (device)
		f->next_device = *device;
}

unsigned fake_usb_resets(const struct fake *f)
{
	return f->resets;
}

int fake_usb_claimed(const struct fake *f, uint8_t *ret_alt)
{
	*ret_alt = f->alt;
	return f->claimed;
}
