/* SPDX-License-Identifier: MIT */
/*
 * A whole session with a hostile USB device: descriptors, strings and every answer come from the input, or are
 * those of an honest device. Whatever it does, nothing is erased but what was named, nothing is erased as a whole,
 * read protection is never removed, and the session ends.
 */
#include <stdlib.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "family/dfu/dfu_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };

#define REQUESTS_MAX  200000u
#define ALTS_MAX      4
#define SECTORS_MAX   3u
#define IMAGE         5000u
#define UPLOAD_BLOCKS 40 /* of a stream that ends */

struct device {
	struct bf_transport t;
	struct bf_cur in;
	uint8_t config[160];
	size_t config_len;
	bool raw_config, loader, tolerant;
	uint8_t n_alts, attributes, protocol;
	uint16_t transfer, version;
	uint16_t vid, pid;
	uint8_t state, status;
	bool claimed, left;
	unsigned requests;
	bool erasing; /* a range was named */
	uint32_t from, to;
	bool writing;
};

static struct device *device_of(struct bf_transport *t)
{
	return BF_CONTAINER_OF(t, struct device, t);
}

/* 0 when the input is at its end: the device is honest from there on. */
static uint8_t next(struct device *d)
{
	return bf_cur_left(&d->in) ? bf_cur_u8(&d->in) : 0;
}

static void build_config(struct device *d)
{
	struct bf_out o = bf_out(d->config, sizeof(d->config));

	bf_out_bytes(&o, (const uint8_t[]){ 9, 2, 0, 0, 1, 1, 0, 0x80, 50 }, 9);
	for (uint8_t i = 0; i < (d->loader ? d->n_alts : 1); i++) {
		const uint8_t raw[] = {
			9, 4, 0, i, 0, 0xFE, 1, d->loader ? d->protocol : 1, (uint8_t)(i + 1)
		};

		bf_out_bytes(&o, raw, sizeof(raw));
	}
	bf_out_u8(&o, 9);
	bf_out_u8(&o, 0x21);
	bf_out_u8(&o, d->attributes);
	bf_out_le16(&o, 100);
	bf_out_le16(&o, d->transfer);
	bf_out_le16(&o, d->version);
	d->config_len = o.len;
}

static void come(struct device *d, bool loader)
{
	d->loader = loader;
	d->left = d->claimed = false;
	d->state = loader ? BF_DFU_IDLE : BF_DFU_APP_IDLE;
	if (!d->raw_config)
		build_config(d);
}

static enum bf_rc gone(struct device *d, struct bf_err *err)
{
	d->left = true;
	return bf_fail(err, BF_E_GONE, "gone");
}

static enum bf_rc timeout(struct device *d, bf_time deadline, struct bf_err *err)
{
	if (!bf_clock_until(d->t.clock, deadline))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped");
	return bf_fail(err, BF_E_TIMEOUT, "no answer");
}

static enum bf_rc stall(struct bf_err *err)
{
	return bf_fail_dev(err, BF_E_NAK, 0, "stall", "stall");
}

/* ---- what must never be asked for ---- */

static void judge_command(const struct device *d, const uint8_t *p, size_t len)
{
	uint32_t addr = len == 5 ? bf_get_le32(p + 1) : 0;

	if (len != 5 || (p[0] != 0x21 && p[0] != 0x41))
		abort(); /* as a whole, or the protection */
	if (p[0] == 0x41 && (!d->erasing || addr < d->from || addr >= d->to))
		abort();
}

static void judge(const struct device *d, const struct bf_usb_setup *s, const uint8_t *p,
		  size_t len)
{
	if (!d->claimed && s->request_type != 0x80)
		abort();
	/* An application is asked to give way and nothing else. */
	if (!d->loader && !d->raw_config && s->request_type != 0x80 && s->request != DETACH)
		abort();
	if (s->request == DNLOAD && s->request_type == 0x21 && len && s->value == 0 && d->erasing)
		judge_command(d, p, len);
	if (s->request == DNLOAD && s->request_type == 0x21 && len && s->value > 1 && !d->writing)
		abort();
}

/* ---- an honest device ---- */

static void honest_status(struct device *d, uint8_t raw[6])
{
	memset(raw, 0, 6);
	switch (d->state) {
	case BF_DFU_DNLOAD_SYNC:
		d->state = BF_DFU_DNBUSY;
		break;
	case BF_DFU_DNBUSY:
		d->state = BF_DFU_DNLOAD_IDLE;
		break;
	case BF_DFU_MANIFEST_SYNC:
		d->state = BF_DFU_MANIFEST;
		break;
	case BF_DFU_MANIFEST:
		d->state = d->tolerant ? BF_DFU_IDLE : BF_DFU_MANIFEST_WAIT_RESET;
		break;
	default:
		break;
	}
	raw[0] = d->state == BF_DFU_ERROR ? d->status : 0;
	raw[1] = 3;
	raw[4] = d->state;
}

static enum bf_rc honest(struct device *d, const struct bf_usb_setup *s, uint8_t *data, size_t len,
			 size_t *ret_len, struct bf_err *err)
{
	uint8_t raw[6];

	*ret_len = len;
	switch (s->request) {
	case DETACH:
		come(d, true);
		return BF_OK;
	case DNLOAD:
		d->state = len ? BF_DFU_DNLOAD_SYNC : BF_DFU_MANIFEST_SYNC;
		return BF_OK;
	case UPLOAD:
		*ret_len = s->value == UPLOAD_BLOCKS ? len / 2 : len;
		d->state = *ret_len < len ? BF_DFU_IDLE : BF_DFU_UPLOAD_IDLE;
		for (size_t i = 0; i < len; i++)
			data[i] = d->erasing || d->writing ? 0xFF : (uint8_t)(i * 7 + s->value);
		return BF_OK;
	case GETSTATUS:
		honest_status(d, raw);
		*ret_len = len < 6 ? len : 6;
		memcpy(data, raw, *ret_len);
		return BF_OK;
	case GETSTATE:
		data[0] = d->state;
		return BF_OK;
	default: /* CLRSTATUS, ABORT */
		d->state = BF_DFU_IDLE;
		return s->request <= ABORT ? BF_OK : stall(err);
	}
}

/* ---- and the input's ---- */

static enum bf_rc u_control(struct bf_transport *t, const struct bf_usb_setup *s, uint8_t *data,
			    size_t len, size_t *ret_len, bf_time deadline, struct bf_err *err)
{
	struct device *d = device_of(t);
	uint8_t how;

	if (++d->requests > REQUESTS_MAX)
		abort();
	if (d->left)
		return bf_fail(err, BF_E_GONE, "gone");
	judge(d, s, data, len);
	how = next(d);
	if (how >= 250)
		return gone(d, err);
	if (how >= 240)
		return timeout(d, deadline, err);
	if (how >= 220)
		return stall(err);
	if (how >= 160 && (s->request_type & 0x80)) {
		*ret_len = how & 1 ? len : next(d) % (len + 1);
		for (size_t i = 0; i < *ret_len; i++)
			data[i] = next(d);
		return BF_OK;
	}
	if (s->request_type == 0x80)
		return stall(err);
	return honest(d, s, data, len, ret_len, err);
}

static enum bf_rc u_claim(struct bf_transport *t, uint8_t interface, uint8_t alt,
			  struct bf_err *err)
{
	struct device *d = device_of(t);

	(void)interface, (void)alt;
	if (d->left)
		return bf_fail(err, BF_E_GONE, "gone");
	if (next(d) >= 250)
		return bf_fail(err, BF_E_BUSY, "claimed by others");
	d->claimed = true;
	return BF_OK;
}

static enum bf_rc u_string(struct bf_transport *t, uint8_t index, char *dst, size_t cap,
			   bf_time deadline, struct bf_err *err)
{
	static const char *const maps[] = {
		"@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
		"@Option Bytes  /0x1FFFC000/01*016 e",
		"@Flash/0x08000000/04*002Ka,28*002Kg/0x90000000/02*064Kg",
		"MCUboot image",
	};
	struct device *d = device_of(t);
	uint8_t how = next(d);
	size_t n = 0;

	(void)index, (void)deadline;
	if (d->left || how >= 252)
		return gone(d, err);
	if (how >= 240)
		return stall(err);
	if (how < 160) {
		const char *map = maps[how % BF_COUNT(maps)];

		n = strlen(map) < cap ? strlen(map) : cap - 1;
		memcpy(dst, map, n);
	}
	for (; how >= 160 && n + 1 < cap && n < 100; n++) {
		dst[n] = (char)next(d);
		if (!dst[n])
			break;
	}
	dst[n] = '\0';
	return BF_OK;
}

static enum bf_rc u_device(struct bf_transport *t, struct bf_usb_device *ret, struct bf_err *err)
{
	struct device *d = device_of(t);

	if (d->left)
		return bf_fail(err, BF_E_GONE, "gone");
	*ret = (struct bf_usb_device){ .vid = d->vid,
				       .pid = (uint16_t)(d->pid + d->loader),
				       .bcd_device = 0x0150,
				       .serial = "3CBJ",
				       .config = d->config,
				       .config_len = d->config_len };
	return BF_OK;
}

static enum bf_rc u_reset(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct device *d = device_of(t);
	uint8_t how = next(d);

	(void)deadline;
	if (d->left)
		return bf_fail(err, BF_E_GONE, "gone");
	d->claimed = false;
	if (how >= 128)
		d->left = true;
	else if (how >= 64)
		come(d, how & 1);
	return how >= 250 ? bf_fail(err, BF_E_LINK, "reset") : BF_OK;
}

static enum bf_rc u_reopen(struct bf_transport *t, bf_time deadline, struct bf_err *err)
{
	struct device *d = device_of(t);
	uint8_t how = next(d);

	if (how >= 240 || !bf_clock_until(t->clock, bf_in(t->clock, BF_MS(300))))
		return timeout(d, deadline, err);
	come(d, d->left ? how & 1 : d->loader);
	return BF_OK;
}

static const struct bf_usb_ops usb_ops = {
	.control = u_control,
	.claim = u_claim,
	.string = u_string,
	.device = u_device,
	.reset = u_reset,
	.reopen = u_reopen,
};
static const struct bf_transport_ops transport_ops = {
	.name = "fuzz",
	.wire = BF_WIRE_USB,
	.usb = &usb_ops,
};

/* ---- the session ---- */

struct session {
	struct device *d;
	struct bf_proto *p;
	struct bf_ident id;
	struct bf_err err;
};

/* A failure says what failed. */
static bool ok(struct session *s, enum bf_rc rc)
{
	bool fine = rc == BF_OK;

	if (!fine && !s->err.cause[0])
		abort();
	bf_err_init(&s->err);
	return fine;
}

static bool identify(struct session *s)
{
	if (!ok(s, s->p->ops->identify(s->p, &s->id, &s->err)))
		return false;
	if (s->id.n_regions > BF_MAX_REGIONS)
		abort();
	for (size_t i = 0; i < s->id.n_regions; i++) {
		const struct bf_region *r = &s->id.regions[i];

		if (r->n_runs > BF_REGION_RUNS || (r->size && r->size - 1 > UINT32_MAX - r->addr))
			abort();
	}
	return true;
}

static void read_all(struct session *s)
{
	uint8_t buf[3000];

	for (size_t i = 0; i < s->id.n_regions; i++) {
		const struct bf_region *r = &s->id.regions[i];
		uint32_t size = r->size;

		if (!size && !ok(s, s->p->ops->loader->extent(s->p, r, &size, &s->err)))
			continue;
		if (size > sizeof(buf))
			size = sizeof(buf);
		(void)ok(s, s->p->ops->loader->read(s->p, r, r->addr, buf, size, &s->err));
	}
}

static bool erase_some(struct session *s, const struct bf_region *r)
{
	const struct bf_sector_run *run = &r->sectors[0];
	uint32_t n = run->count < SECTORS_MAX ? run->count : SECTORS_MAX;
	bool done;

	if (!r->n_runs)
		return true;
	s->d->erasing = true;
	s->d->from = run->addr;
	s->d->to = run->addr + n * run->size;
	done = ok(s, s->p->ops->loader->erase(s->p, r, run->addr, n * run->size, &s->err));
	s->d->erasing = false;
	return done;
}

static void write_some(struct session *s, const struct bf_region *r)
{
	static const uint8_t image[IMAGE];
	uint32_t room = r->n_runs ? r->sectors[0].size : IMAGE;
	const struct bf_target target = { .addr = r->addr,
					  .len = room < IMAGE ? room : IMAGE,
					  .alt = r->alt };
	struct bf_flow flow;
	size_t at = 0;
	bool fine;

	s->d->writing = true;
	fine = ok(s, s->p->ops->loader->begin(s->p, &target, &flow, &s->err));
	while (fine && at < target.len) {
		struct bf_block block = { .offset = at, .data = image + at };

		block.len = target.len - at < flow.block_max ? target.len - at : flow.block_max;
		fine = ok(s, s->p->ops->loader->block_start(s->p, &block, &s->err)) &&
		       ok(s, s->p->ops->loader->block_finish(s->p, &at, &s->err));
	}
	if (!fine || !ok(s, s->p->ops->loader->finish(s->p, &s->err)))
		s->p->ops->loader->abandon(s->p);
	s->d->writing = false;
}

static void flash(struct session *s)
{
	for (size_t i = 0; i < s->id.n_regions; i++) {
		const struct bf_region *r = &s->id.regions[i];

		if (r->kind != BF_REGION_APP || !(r->access & BF_ACCESS_WRITE))
			continue;
		if (erase_some(s, r))
			write_some(s, r);
		return;
	}
}

static void hold(struct session *s)
{
	const struct bf_proto_ops *ops = s->p->ops;
	struct bf_clock *clock = s->d->t.clock;

	if (!ok(s, ops->recognise(s->p, BF_NEVER, &s->err)) || !identify(s))
		return;
	if (ok(s, ops->connect(s->p, BF_ENTRY_READ, &s->err)) && identify(s))
		read_all(s);
	if (ok(s, ops->connect(s->p, BF_ENTRY_WRITE, &s->err)) && identify(s))
		flash(s);
	if (ok(s, ops->loader->restart(s->p, &s->err)))
		(void)ok(s, ops->await(s->p, bf_in(clock, BF_SEC(30)), &s->err));
	(void)identify(s);
	ops->leave(s->p);
}

static void open_device(struct device *d)
{
	static const uint16_t numbers[][2] = {
		{ 0x1209, 1 }, { 0x0483, 0xDF10 }, { 0x28E9, 0x0188 }, { 0x1FC9, 0x000B }
	};
	static const uint16_t sizes[] = { 1024, 2048, 64, 0, 0xFFFF, 8, 4096, 128 };
	static const uint16_t versions[] = { 0x0110, 0x011A, 0x0100, 0xFF01 };
	uint8_t a = next(d), b = next(d), c = next(d);

	d->loader = a & 1;
	d->raw_config = a >= 240;
	d->n_alts = (uint8_t)(1 + (a >> 1) % ALTS_MAX);
	d->protocol = a & 64 ? 0 : 2;
	d->attributes = b % 16 ? b % 16 : 3;
	d->tolerant = d->attributes & 4;
	d->transfer = sizes[c % BF_COUNT(sizes)];
	d->version = versions[(c >> 3) % BF_COUNT(versions)];
	d->vid = numbers[(c >> 5) % BF_COUNT(numbers)][0];
	d->pid = numbers[(c >> 5) % BF_COUNT(numbers)][1];
	while (d->raw_config && d->config_len < sizeof(d->config) && bf_cur_left(&d->in))
		d->config[d->config_len++] = next(d);
	come(d, d->loader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device d = { .t = { .ops = &transport_ops, .name = "fuzz" },
			    .in = bf_cur(data, size) };
	struct session s = { .d = &d };
	struct bf_profile profile;
	struct bf_retry retry;
	struct bf_proto_env env = {
		.transport = &d.t, .profile = &profile, .retry = &retry, .node = -1
	};

	d.t.clock = bf_vclock_new();
	bf_err_init(&s.err);
	bf_profile_default(&profile);
	bf_retry_default(&retry);
	open_device(&d);
	if (bf_proto_dfu_ops.open(&env, &s.p, &s.err))
		abort();
	hold(&s);
	bf_proto_close(s.p);
	bf_clock_free(d.t.clock);
	return 0;
}
