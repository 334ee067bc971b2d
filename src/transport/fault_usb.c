/* SPDX-License-Identifier: MIT */
/* Faults on a USB device's transfers. */
#include "fault.h"

/* A message that the wire swallowed: nothing comes until the deadline. */
static enum bf_rc lost(struct bf_fault *f, bf_time deadline, struct bf_err *err)
{
	if (deadline != BF_NEVER)
		return bf_fault_wait(f, BF_NEVER, deadline, err);
	return bf_fail(err, BF_E_TIMEOUT, "nothing came from '%s'", f->w.t.name);
}

/* The common part of both transfers; BF_OK: the transfer takes place, *len may have shrunk. */
static enum bf_rc spoil_transfer(struct bf_fault *f, size_t *len, bf_time deadline,
				 struct bf_err *err)
{
	struct bf_fate fate;

	if (bf_fault_check_cut(&f->w, err))
		return err->rc;
	fate = bf_fault_draw(f);
	if (fate.trunc)
		*len = bf_fault_shortened(f, *len);
	if (fate.delay && bf_fault_wait(f, bf_in(f->w.t.clock, fate.delay), deadline, err))
		return err->rc;
	if (fate.drop)
		return lost(f, deadline, err);
	if (!fate.flip)
		return BF_OK;
	f->line_errors++;
	bf_wrap_after(&f->w, "transfer", BF_OK);
	return bf_fail(err, BF_E_LINK, "a transfer with '%s' was damaged", f->w.t.name);
}

enum bf_rc bf_fault_usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
				uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
				struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (spoil_transfer(f, &len, deadline, err))
		return err->rc;
	return bf_wrap_after(&f->w, "control",
			     f->w.inner->ops->usb->control(f->w.inner, setup, data, len, ret_len,
							   deadline, err));
}

enum bf_rc bf_fault_usb_bulk(struct bf_transport *t, uint8_t endpoint, uint8_t *data, size_t len,
			     size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct bf_fault *f = bf_fault_of(t);

	if (spoil_transfer(f, &len, deadline, err))
		return err->rc;
	return bf_wrap_after(&f->w, "bulk",
			     f->w.inner->ops->usb->bulk(f->w.inner, endpoint, data, len, ret_len,
							deadline, err));
}
