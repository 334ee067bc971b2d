/* SPDX-License-Identifier: MIT */
#include "truth.h"

#include <stdio.h>
#include <string.h>

#include "sim/dfu/dfu_device.h"
#include "sim/pack.h"
#include "sim/pack_priv.h"
#include "sim/stm32/rom.h"

#define FIRMWARE_MAX 0x10000u   /* what the profiles of one-bank devices draw */
#define SETTLE       BF_SEC(30) /* longer than any start, swap or watchdog of the model */

/* Stands before the wire's own table, to be there when it is closed. */
struct spy {
	struct bf_transport_ops ops; /* first */
	const struct bf_transport_ops *own;
	struct bf_pack *pack;
	struct bf_bus_ops bus;
	struct bf_stream_ops stream;
	struct bf_usb_ops usb;
	struct truth *at_close;
	struct truth_guard *guard;
	struct bf_pack_watch watch;
};

static const struct spy *spy_of(const struct bf_transport *t)
{
	return (const struct spy *)(const void *)t->ops;
}

static bool lies_at(struct bf_pack *pack, uint32_t addr, const struct truth_image *im)
{
	const uint8_t *p = bf_pack_view(pack, addr, im->len);

	return p && memcmp(p, im->p, im->len) == 0;
}

/* What lies where firmware starts, byte for byte. */
static bool is_known(struct bf_pack *pack, const struct truth_guard *g)
{
	const struct bf_mimage *m = bf_pack_image(pack, 0);

	for (size_t i = 0; g->unit && i < g->n_images; i++) {
		if (lies_at(pack, unit_place(g->unit, 0), &g->images[i]))
			return true;
	}
	if (g->unit)
		return false;
	if (!g->n_images)
		return m->present && m->sound;
	for (size_t i = 0; i < g->n_images; i++) {
		if (lies_at(pack, bf_pack_slot_addr(0), &g->images[i]))
			return true;
	}
	return false;
}

static void on_start(void *ctx, struct bf_pack *pack)
{
	struct truth_guard *g = ctx;

	g->starts++;
	if (is_known(pack, g) || g->wrong[0])
		return;
	snprintf(g->wrong, sizeof(g->wrong),
		 "start %u, after flash operation %llu: the image is not whole", g->starts,
		 (unsigned long long)bf_pack_ops(pack));
}

static bool is_written(struct bf_pack *pack, const struct truth_guard *g)
{
	const struct truth_image *im = &g->wanted;

	if (!im->p)
		return false;
	for (unsigned i = 0; g->unit && unit_place(g->unit, i); i++) {
		if (lies_at(pack, unit_place(g->unit, i), im))
			return true;
	}
	for (unsigned slot = 0; !g->unit && slot < bf_pack_slot_count(pack); slot++) {
		if (lies_at(pack, bf_pack_slot_addr(slot), im))
			return true;
	}
	return false;
}

static void on_request(void *ctx, struct bf_pack *pack, const uint8_t *msg, size_t len)
{
	const struct truth_guard *g = ctx;

	(void)pack;
	if (g->hooks && g->hooks->heard)
		g->hooks->heard(g->hooks->ctx, msg, len);
}

static void look(struct bf_pack *pack, const struct truth_guard *guard, struct truth *ret)
{
	bool raw = bf_pack_runs_raw(pack);
	const struct bf_mimage *runs = raw ? bf_pack_image(pack, 0) : bf_pack_running(pack);
	enum bf_pack_mode mode = bf_pack_mode(pack);

	*ret = (struct truth){
		.ops = bf_pack_ops(pack),
		.messages = pack->messages,
		.replies = pack->replies,
		.known = mode != BF_PACK_STARTING,
		.powered = mode != BF_PACK_OFF,
		.app = raw || (mode == BF_PACK_APP && runs),
		.intact = is_known(pack, guard),
		.written = is_written(pack, guard),
	};
	if (!ret->app)
		return;
	ret->sound = runs->present && runs->sound && !runs->other_hw;
	ret->confirmed = !bf_pack_on_trial(pack);
	bf_mimage_version(runs, ret->version);
}

static void tell_send(struct bf_transport *t)
{
	const struct truth_hooks *h = spy_of(t)->guard->hooks;

	if (h && h->sends)
		h->sends(h->ctx, t);
}

static enum bf_rc spy_bus_send(struct bf_transport *t, const struct bf_frame *frame,
			       bf_time deadline, struct bf_err *err)
{
	tell_send(t);
	return spy_of(t)->own->bus->send(t, frame, deadline, err);
}

static enum bf_rc spy_stream_write(struct bf_transport *t, const uint8_t *p, size_t len,
				   bf_time deadline, struct bf_err *err)
{
	tell_send(t);
	return spy_of(t)->own->stream->write(t, p, len, deadline, err);
}

static enum bf_rc spy_usb_control(struct bf_transport *t, const struct bf_usb_setup *setup,
				  uint8_t *data, size_t len, size_t *ret_len, bf_time deadline,
				  struct bf_err *err)
{
	tell_send(t);
	return spy_of(t)->own->usb->control(t, setup, data, len, ret_len, deadline, err);
}

/* The ROM of a chip guards nothing: what it was told outside the sectors of an image is a mistake of ours. */
static void look_beside_rom(const struct bf_pack *pack, struct truth_guard *g)
{
	size_t len = g->wanted.len;
	uint32_t at;

	for (size_t i = 0; i < g->n_images; i++)
		len = g->images[i].len > len ? g->images[i].len : len;
	at = bf_rom_outside(pack, BF_ADDR_SLOT0, len ? len : FIRMWARE_MAX);
	if (at)
		snprintf(g->wrong, sizeof(g->wrong),
			 "%08x was erased or written, outside the sectors of the image",
			 (unsigned)at);
}

/* A device of others says where its firmware is; what lies beside it is nobody's to erase. */
static void look_beside(const struct bf_pack *pack, struct truth_guard *g)
{
	enum bf_sim_model model = bf_pack_opts(pack)->model;
	bool two_slots =
		model == BF_SIM_ZEPHYR || model == BF_SIM_ZEPHYR_NEXT || model == BF_SIM_MCUBOOT;
	uint32_t at;

	if (!g->wrong[0] && bf_pack_opts(pack)->protocol == BF_SIM_STM32)
		look_beside_rom(pack, g);
	if (!bf_sim_model_is_dfu(model) || g->wrong[0])
		return;
	at = bf_dfu_device_outside(pack, BF_ADDR_SLOT0,
				   two_slots ? 2 * BF_PACK_SLOT_SIZE : FIRMWARE_MAX);
	if (at)
		snprintf(g->wrong, sizeof(g->wrong),
			 "%08x was erased or written, outside the sectors of the firmware",
			 (unsigned)at);
}

static void spy_close(struct bf_transport *t)
{
	const struct spy *spy = spy_of(t);
	const struct truth_hooks *h = spy->guard->hooks;

	look(spy->pack, spy->guard, spy->at_close);
	look_beside(spy->pack, spy->guard);
	spy->at_close->at = bf_now(t->clock);
	t->ops = spy->own;
	free((void *)(uintptr_t)spy);
	if (h && h->closing)
		h->closing(h->ctx);
	bf_transport_close(t);
	if (h && h->closed)
		h->closed(h->ctx);
}

static void spy_stand_before(struct spy *spy)
{
	if (spy->own->bus) {
		spy->bus = *spy->own->bus;
		spy->bus.send = spy_bus_send;
		spy->ops.bus = &spy->bus;
	}
	if (spy->own->stream) {
		spy->stream = *spy->own->stream;
		spy->stream.write = spy_stream_write;
		spy->ops.stream = &spy->stream;
	}
	if (spy->own->usb) {
		spy->usb = *spy->own->usb;
		spy->usb.control = spy_usb_control;
		spy->ops.usb = &spy->usb;
	}
}

enum bf_rc truth_open(const struct bf_open_env *env, const char *address, struct truth *at_close,
		      struct truth_guard *guard, struct bf_transport **ret, struct bf_err *err)
{
	enum bf_rc rc = bf_transport_open(env, address, ret, err);
	struct spy *spy;

	if (rc)
		return rc;
	spy = calloc(1, sizeof(*spy));
	if (!spy)
		abort();
	spy->own = (*ret)->ops;
	spy->ops = *spy->own;
	spy->ops.close = spy_close;
	spy->guard = guard;
	spy_stand_before(spy);
	spy->pack = bf_sim_pack(*ret);
	spy->at_close = at_close;
	spy->watch = (struct bf_pack_watch){ on_start, on_request, guard };
	/* It was on before anybody looked. */
	if (bf_pack_mode(spy->pack) == BF_PACK_APP || bf_pack_runs_raw(spy->pack))
		on_start(guard, spy->pack);
	bf_pack_set_watch(spy->pack, &spy->watch);
	if (guard->hooks && guard->hooks->opened)
		guard->hooks->opened(guard->hooks->ctx, spy->pack);
	(*ret)->ops = &spy->ops;
	return BF_OK;
}

static void settle(struct bf_pack *pack)
{
	bf_time now;

	while ((now = bf_pack_next(pack)) <= SETTLE)
		bf_pack_run(pack, now);
}

/* A USB device goes on where the pack's own loader ends. */
static void settle_usb(struct bf_pack *pack)
{
	BF_AUTO(bf_dfu_device) *dev = bf_dfu_device_new(pack, 0);
	bf_time now;

	while ((now = bf_dfu_device_next(dev)) <= SETTLE)
		bf_dfu_device_run(dev, now);
}

enum bf_rc truth_after_power(const char *options, struct truth_guard *guard, struct truth *ret,
			     struct bf_err *err)
{
	const struct bf_pack_watch watch = { on_start, NULL, guard };
	BF_AUTO(bf_pack) *pack = NULL;
	struct bf_sim_opts opts;
	enum bf_rc rc;

	bf_sim_opts_default(&opts);
	rc = bf_sim_opts_parse(options, &opts, err);
	if (rc)
		return rc;
	opts.cut_op = opts.cut_after = opts.cut_msg = opts.cut_reply = 0;
	opts.boot0 = BF_SIM_BOOT0_LOW; /* nobody holds the pin any more */
	rc = bf_pack_new(&opts, &pack, err);
	if (rc)
		return rc;
	bf_pack_set_watch(pack, &watch);
	bf_pack_power(pack, true, 0);
	if (opts.link == BF_SIM_USB)
		settle_usb(pack);
	else
		settle(pack);
	look(pack, guard, ret);
	return BF_OK;
}
