/* SPDX-License-Identifier: MIT */
/* Faults on a USB device's transfers. */
#include "fault.h"

#include "wrap.h"

/* A message that the wire swallowed: nothing comes until the deadline. */
static enum bf_rc lost(struct bf_fault *f, bf_time deadline, struct bf_err *err)
{
	if (deadline != BF_NEVER)
		return bf_fault_wait(f, BF_NEVER, deadline, err);
	return bf_fail(err, BF_E_TIMEOUT, "nothing came from '%s'", f->t.name);
}

/* The common part of both transfers; BF_OK: the transfer takes place, *len may have shrunk. */
static enum bf_rc spoil_transfer(struct bf_fault *f, size_t *len, bf_time deadline,
				 struct bf_err *err)
{
	struct bf_fate fate;

	if (bf_fault_check_cut(f, err))
		return err->rc;
	fate = bf_fault_draw(f);
	if (fate.trunc)
		*len = bf_fault_shortened(f, *len);
	if (fate.delay && bf_fault_wait(f, bf_in(f->t.clock, fate.delay), deadline, err))
		return err->rc;
	if (fate.drop)
		return lost(f, deadline, err);
	if (!fate.flip)
		return BF_OK;
	f->line_errors++;
	bf_fault_finish(f, BF_OK);
	return bf_fail(err, BF_E_LINK, "a transfer with '%s' was damaged", f->t.name);
}

static enum bf_rc usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
			      uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
			      struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (spoil_transfer(f, &len, deadline, err))
		return err->rc;
	return bf_fault_finish(
		f, f->inner->ops->usb->control(f->inner, setup, data, len, ret_len, deadline, err));
}

static enum bf_rc usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			   size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (spoil_transfer(f, &len, deadline, err))
		return err->rc;
	return bf_fault_finish(
		f, f->inner->ops->usb->bulk(f->inner, endpoint, data, len, ret_len, deadline, err));
}

static enum bf_rc usb_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			    struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (bf_fault_check_cut(f, err))
		return err->rc;
	return f->inner->ops->usb->claim(f->inner, interface, alt, err);
}

static enum bf_rc usb_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			     bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (bf_fault_check_cut(f, err))
		return err->rc;
	return f->inner->ops->usb->string(f->inner, index, dst, cap, deadline, err);
}

static enum bf_rc usb_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (bf_fault_check_cut(f, err))
		return err->rc;
	return f->inner->ops->usb->device(f->inner, ret, err);
}

static enum bf_rc usb_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (bf_fault_check_cut(f, err))
		return err->rc;
	return bf_fault_finish(f, f->inner->ops->usb->reset(f->inner, deadline, err));
}

static enum bf_rc usb_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (bf_fault_check_cut(f, err))
		return err->rc;
	return bf_fault_finish(f, f->inner->ops->usb->reopen(f->inner, deadline, err));
}

void bf_fault_wrap_usb(struct bf_fault *f)
{
	const struct bf_transport_ops *in = f->inner->ops;

	f->usb = (struct bf_usb_ops){
		.control = BF_KEEP(in->usb, control, usb_control),
		.bulk = BF_KEEP(in->usb, bulk, usb_bulk),
		.claim = BF_KEEP(in->usb, claim, usb_claim),
		.string = BF_KEEP(in->usb, string, usb_string),
		.device = BF_KEEP(in->usb, device, usb_device),
		.reset = BF_KEEP(in->usb, reset, usb_reset),
		.reopen = BF_KEEP(in->usb, reopen, usb_reopen),
	};
}
