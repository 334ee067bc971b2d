/* SPDX-License-Identifier: MIT */
/*
 * Plain USB DFU, which takes a stream, and DfuSe, which is memory by address. Which one it is the bootloader
 * says; the rest of bmsflash sees only capabilities.
 */
#include "family/dfu/dfu_priv.h"

static enum bf_rc dfu_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err)
{
	struct bf_dfu *d;

	if (env->transport->ops->wire != BF_WIRE_USB)
		return bf_fail(err, BF_E_UNSUPPORTED, "DFU needs a USB device, '%s' is none",
			       env->transport->name);
	d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	d->base.ops = &bf_proto_dfu_ops;
	d->base.env = *env;
	d->alt = -1;
	d->stream.alt = -1;
	*ret = &d->base;
	return BF_OK;
}

static void dfu_close(struct bf_proto *p)
{
	struct bf_dfu *d = bf_dfu_of(p);

	bf_dfu_stream_drop(d);
	free(d);
}

static bool fits(uint16_t want_vid, uint16_t want_pid, const struct bf_usb_device *device)
{
	return (!want_vid || want_vid == device->vid) && (!want_pid || want_pid == device->pid);
}

/* A boot loader may have numbers of its own; where the profile tells one of them, the other is as of the
 * application. */
static bool is_meant(const struct bf_profile *p, const struct bf_usb_device *device)
{
	bool loader = p->usb_loader_vid || p->usb_loader_pid;

	return fits(p->usb_vid, p->usb_pid, device) ||
	       (loader && fits(p->usb_loader_vid ? p->usb_loader_vid : p->usb_vid,
			       p->usb_loader_pid ? p->usb_loader_pid : p->usb_pid, device));
}

/* The descriptors that the host has read already answer; nothing is sent to the application. */
static enum bf_rc dfu_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	const struct bf_profile *profile = p->env.profile;
	struct bf_dfu *d = bf_dfu_of(p);

	(void)deadline;
	if (bf_dfu_scan(d, err))
		return err->rc;
	if (d->desc.mode == BF_DFU_ABSENT) {
		d->scanned = false;
		return bf_fail(err, BF_E_NODEV, "'%s' (%04x:%04x) has no DFU interface",
			       p->env.transport->name, d->device.vid, d->device.pid);
	}
	if (!is_meant(profile, &d->device)) {
		d->scanned = false;
		return bf_fail(err, BF_E_NODEV, "'%s' is %04x:%04x, profile '%s' is for %04x:%04x",
			       p->env.transport->name, d->device.vid, d->device.pid, profile->name,
			       profile->usb_vid, profile->usb_pid);
	}
	return BF_OK;
}

static enum bf_rc dfu_ping(struct bf_proto *p, struct bf_err *err)
{
	struct bf_dfu *d = bf_dfu_of(p);
	struct bf_usb_device now;
	uint8_t state;

	/* Between two blocks even GETSTATE ends the download of some. */
	if (bf_dfu_is_at(d, BF_DFU_AT_LOADER) && !d->write.open && !d->ended)
		return bf_dfu_getstate(d, BF_DFU_AT_LOADER, &state, err);
	return bf_dfu_usb(d)->device(p->env.transport, &now, err);
}

static const struct bf_loader_ops dfu_loader = {
	.erase = bf_dfu_erase,
	.begin = bf_dfu_begin,
	.block_start = bf_dfu_block_start,
	.block_finish = bf_dfu_block_finish,
	.finish = bf_dfu_finish,
	.abandon = bf_dfu_abandon,
	/* Of both: DfuSe repeats lost blocks by itself, DFU 1.1 must not. */
	.block_class = BF_RETRY_APPEND_ONLY,
	.read = bf_dfu_read,
	.extent = bf_dfu_extent,
	.restart = bf_dfu_restart,
};

const struct bf_proto_ops bf_proto_dfu_ops = {
	.name = "dfu",
	.summary = "USB DFU 1.1 and DfuSe",
	.wires = BF_WIRE_USB,
	.probe_rank = 10,
	.app = &bf_no_app,
	.loader = &dfu_loader,
	.boot = &bf_no_boot,
	.open = dfu_open,
	.close = dfu_close,
	.recognise = dfu_recognise,
	.connect = bf_dfu_connect,
	.identify = bf_dfu_identify,
	.ping = dfu_ping,
	.await = bf_dfu_await,
	.leave = bf_dfu_leave,
	.refusals = bf_dfu_refusals,
};
