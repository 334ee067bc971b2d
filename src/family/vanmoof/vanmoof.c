/* SPDX-License-Identifier: MIT */
/*
 * VanMoof S3/X3 battery: the running firmware takes its successor into a shadow bank by Modbus registers, and the
 * bootloader installs it at the next start, once its checksum holds.
 *
 * The pack counts the bytes that it was sent since it was told to begin, repeats included. Exactly 20,480 of them are
 * taken for a new bootloader, which is written over the old one. So the count is kept here as the pack keeps it, and
 * never meets that number, not even in passing: the first bytes go twice, which takes the count off the multiples of a
 * chunk.
 *
 * A chunk that was sent twice spoils its page, which is erased when its first byte comes: what gets lost goes again from
 * the start of its page.
 */
#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"
#include "bmsflash/family.h"
#include "bmsflash/modbus.h"
#include "family/vanmoof/vanmoof_profile.h"

#define REG_STATE    0x00 /* 0100: the firmware runs */
#define REG_HARDWARE 0x0A
#define REG_SOFTWARE 0x0B /* major and minor in BCD */
#define REG_SERIAL   0x0C
#define REG_LOADER   0x2C
#define REG_INSTALL  0x80 /* 0: restart into the bootloader, which installs */
#define REG_CHECK    0x81
#define REG_CHUNK    0x82 /* offset (4, big-endian), then the bytes */
#define REG_BEGIN    0x95 /* 0: count of bytes to 0; output and charging go off */

#define RUNNING       0x0100
#define SERIAL_REGS   7
#define CHUNK         32
#define DECOY         16 /* bytes that go twice */
#define DECOY_OTHER   8  /* ... where the whole would end in the number that must not be met */
#define PAGE          128
#define ROOM          0x15800
#define AS_BOOTLOADER 20480
#define ATTEMPTS      3
#define POLL          BF_SEC(2)
#define BEFORE_RESET  BF_MS(50)

enum check_result { CHECK_GOOD, CHECK_WRONG, CHECK_NOTHING };

struct vanmoof {
	struct bf_proto base;
	const struct bf_vanmoof_profile *set;
	size_t len, next, out;
	uint8_t page[PAGE];
	uint32_t
		received; /* by the pack, as it counts; what may or may not have arrived counts as well */
	bool unsure; /* ... and so the pack's own count is not known */
	bool begun;
	bool restarted;
};

extern const struct bf_proto_ops bf_proto_vanmoof_ops;

static struct vanmoof *vanmoof_of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct vanmoof, base);
}

static struct bf_modbus modbus_of(const struct vanmoof *v, unsigned attempts)
{
	return (struct bf_modbus){ .wire = v->base.env.transport,
				   .node = v->base.env.node > 0 ? (uint8_t)v->base.env.node
								: v->set->node,
				   .timeout = BF_MS(v->set->answer_ms),
				   .attempts = attempts };
}

static enum bf_rc read_regs(struct vanmoof *v, uint16_t first, uint16_t n, uint16_t *ret,
			    struct bf_err *err)
{
	struct bf_modbus m = modbus_of(v, ATTEMPTS);

	v->base.env.retry->requests[BF_RETRY_IDEMPOTENT]++;
	return bf_modbus_read(&m, BF_MODBUS_READ_HOLDING, first, n, ret, err);
}

static enum bf_rc vanmoof_open(const struct bf_proto_env *env, struct bf_proto **ret,
			       struct bf_err *err)
{
	struct vanmoof *v;

	if (env->transport->ops->wire != BF_WIRE_STREAM)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "a VanMoof battery needs a serial line, '%s' is none",
			       env->transport->name);
	v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	v->base.ops = &bf_proto_vanmoof_ops;
	v->base.env = *env;
	v->set = bf_profile_family(env->profile, "vanmoof");
	*ret = &v->base;
	return BF_OK;
}

static void vanmoof_close(struct bf_proto *p)
{
	free(vanmoof_of(p));
}

/* ---- who it is ---- */

static enum bf_rc running(struct vanmoof *v, bf_time timeout, struct bf_err *err)
{
	struct bf_modbus m = modbus_of(v, 1);
	uint16_t state = 0;

	m.timeout = timeout;
	if (bf_modbus_read(&m, BF_MODBUS_READ_HOLDING, REG_STATE, 1, &state, err))
		return err->rc;
	if (state != RUNNING)
		return bf_fail(err, BF_E_NODEV,
			       "Modbus node %u tells %04X in register 0: no VanMoof battery that "
			       "runs its firmware (%04X)",
			       m.node, state, RUNNING);
	return BF_OK;
}

static enum bf_rc vanmoof_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	bf_time left = deadline - bf_now(p->env.transport->clock);
	enum bf_rc rc = running(v, left > BF_MS(20) ? left : BF_MS(20), err);

	if (rc == BF_E_TIMEOUT || rc == BF_E_LINK || rc == BF_E_NAK)
		err->rc = rc = BF_E_NODEV;
	return rc;
}

static uint8_t of_bcd(unsigned byte)
{
	return (uint8_t)(10 * (byte >> 4 & 15) + (byte & 15));
}

static bool is_bcd(uint16_t v)
{
	for (unsigned i = 0; i < 16; i += 4) {
		if ((v >> i & 15) > 9)
			return false;
	}
	return true;
}

static void tell_serial(const uint16_t *regs, char *dst, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < 2 * (size_t)SERIAL_REGS && n + 1 < cap; i++) {
		char c = (char)(i % 2 ? regs[i / 2] & 0xFF : regs[i / 2] >> 8);

		if (c > 0x20 && c < 0x7F)
			dst[n++] = c;
	}
	dst[n] = '\0';
}

static enum bf_rc vanmoof_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	struct bf_ident id = { .in_flight = 1, .talks = BF_TALKS_APPLICATION, .n_regions = 1 };
	uint16_t regs[2 + SERIAL_REGS], loader;

	if (read_regs(v, REG_HARDWARE, BF_COUNT(regs), regs, err) ||
	    read_regs(v, REG_LOADER, 1, &loader, err))
		return bf_while(err, "asking the pack who it is");
	snprintf(id.protocol, sizeof(id.protocol), "vanmoof");
	snprintf(id.manufacturer, sizeof(id.manufacturer), "DynaPack");
	snprintf(id.model, sizeof(id.model), "%s", BF_VANMOOF_MODEL);
	snprintf(id.hw_rev, sizeof(id.hw_rev), "%04X", regs[0]);
	snprintf(id.loader, sizeof(id.loader), "VanMoof %04X", loader);
	tell_serial(regs + 2, id.serial, sizeof(id.serial));
	snprintf(id.version_text, sizeof(id.version_text), "%x.%02x", regs[1] >> 8,
		 (unsigned)regs[1] & 0xFF);
	id.has_version = is_bcd(regs[1]);
	id.version_unreadable = !id.has_version;
	id.version_short = true; /* the last number of the three is not told */
	id.version = (struct bf_version){ .major = of_bcd(regs[1] >> 8), .minor = of_bcd(regs[1]) };
	id.caps = BF_CAP_SINK | BF_CAP_DUAL_BANK | BF_CAP_CHECK;
	id.block_max = PAGE;
	id.regions[0] = (struct bf_region){
		.kind = BF_REGION_APP, .name = "shadow", .size = ROOM, .access = BF_ACCESS_WRITE
	};
	p->caps = id.caps;
	*ret = id;
	return BF_OK;
}

/* ---- the transfer ---- */

/* Told twice it does no more than once. */
static enum bf_rc begin_count(struct vanmoof *v, struct bf_err *err)
{
	struct bf_modbus m = modbus_of(v, 1);
	enum bf_rc rc = BF_E_TIMEOUT;

	for (unsigned i = 1; i <= ATTEMPTS && (rc == BF_E_TIMEOUT || rc == BF_E_LINK); i++) {
		bf_err_init(err);
		rc = bf_modbus_write_one(&m, REG_BEGIN, 0, err);
	}
	if (rc)
		return bf_while(err, "telling the pack to begin");
	v->received = 0;
	v->unsure = false;
	return BF_OK;
}

/* One request with bytes of the image. An answer that was lost leaves both counts possible. */
static enum bf_rc send_chunk(struct vanmoof *v, size_t offset, const uint8_t *p, size_t len,
			     struct bf_err *err)
{
	struct bf_modbus m = modbus_of(v, 1);
	uint16_t regs[2 + CHUNK / 2] = { (uint16_t)(offset >> 16), (uint16_t)offset };

	for (size_t i = 0; i < len; i += 2)
		regs[2 + i / 2] = bf_get_be16(p + i);
	v->received += (uint32_t)len;
	if (bf_modbus_write(&m, REG_CHUNK, regs, (uint16_t)(2 + len / 2), err)) {
		v->unsure = true;
		return err->rc;
	}
	return BF_OK;
}

/* Could the pack's count be, or become with so many more bytes, the one that it takes for a bootloader? Where an answer
 * was lost every count below ours is possible. */
static bool near_trap(const struct vanmoof *v, size_t more)
{
	uint32_t most = v->received + (uint32_t)more;

	return v->unsure ? most >= AS_BOOTLOADER && v->len < AS_BOOTLOADER : most == AS_BOOTLOADER;
}

static enum bf_rc vanmoof_begin(struct bf_proto *p, const struct bf_target *target,
				struct bf_flow *ret, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	const uint8_t *data = target->segment->data + target->from;
	size_t decoy = target->len + DECOY == AS_BOOTLOADER ? DECOY_OTHER : DECOY;

	if (target->from != 0 || target->len < PAGE || target->len % 4 || target->len > ROOM)
		return bf_fail(err, BF_E_IMAGE,
			       "a VanMoof battery takes %d to %d bytes in words of 4, not %zu",
			       PAGE, ROOM, target->len);
	if (target->len == AS_BOOTLOADER)
		return bf_fail(err, BF_E_IMAGE,
			       "the pack takes an image of %d bytes for a bootloader and would "
			       "write over its own",
			       AS_BOOTLOADER);
	if (begin_count(v, err))
		return err->rc;
	v->len = target->len;
	v->next = v->out = 0;
	v->begun = true;
	v->restarted = false;
	p->env.retry->requests[BF_RETRY_APPEND_ONLY]++;
	if (send_chunk(v, 0, data, decoy, err))
		return bf_while(err, "sending the first bytes");
	*ret = (struct bf_flow){ .block_max = PAGE };
	return BF_OK;
}

static enum bf_rc vanmoof_block_start(struct bf_proto *p, const struct bf_block *block,
				      struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);

	if (!v->begun || v->out || block->offset != v->next || !block->len || block->len > PAGE ||
	    block->len % 4 || block->len > v->len - block->offset)
		return bf_fail(err, BF_E_INTERNAL, "a page of %zu bytes at offset %zu, of %zu",
			       block->len, block->offset, v->len);
	memcpy(v->page, block->data, block->len);
	v->out = block->len;
	return BF_OK;
}

static enum bf_rc trapped(const struct vanmoof *v, struct bf_err *err)
{
	return bf_fail(err, BF_E_RESTART,
		       "the pack's count of bytes could come to %d, which it takes for a "
		       "bootloader: the transfer begins anew (%u bytes were sent)",
		       AS_BOOTLOADER, v->received);
}

static enum bf_rc send_page(struct vanmoof *v, struct bf_err *err)
{
	for (size_t at = 0; at < v->out; at += CHUNK) {
		size_t n = v->out - at < CHUNK ? v->out - at : CHUNK;

		if (near_trap(v, n))
			return trapped(v, err);
		if (send_chunk(v, v->next + at, v->page + at, n, err))
			return err->rc;
	}
	return BF_OK;
}

static enum bf_rc vanmoof_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	struct bf_retry *retry = p->env.retry;
	enum bf_rc rc = BF_E_TIMEOUT;

	if (!v->out)
		return bf_fail(err, BF_E_INTERNAL, "no page is out");
	retry->requests[BF_RETRY_COUNTED]++;
	for (unsigned i = 0; i < v->set->repeats; i++) {
		bf_err_init(err);
		rc = send_page(v, err);
		if (rc != BF_E_TIMEOUT && rc != BF_E_LINK)
			break;
		retry->timeouts += rc == BF_E_TIMEOUT;
		retry->damaged += rc == BF_E_LINK;
		retry->repeats[BF_RETRY_COUNTED] += i + 1 < v->set->repeats;
	}
	if (!rc)
		v->next += v->out;
	v->out = 0;
	if (rc)
		return bf_while(err, "writing a page at offset %zu", v->next);
	*ret_next = v->next;
	return BF_OK;
}

static enum bf_rc vanmoof_finish(struct bf_proto *p, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);

	if (v->next != v->len)
		return bf_fail(err, BF_E_INTERNAL, "ending at byte %zu of %zu", v->next, v->len);
	return near_trap(v, 0) ? trapped(v, err) : BF_OK;
}

/* The count of a transfer that was given up could be the wrong one. */
static void vanmoof_abandon(struct bf_proto *p)
{
	struct vanmoof *v = vanmoof_of(p);
	struct bf_err quiet;

	v->out = 0;
	if (!v->begun)
		return;
	bf_err_init(&quiet);
	(void)begin_count(v, &quiet);
}

static enum bf_rc vanmoof_check(struct bf_proto *p, const struct bf_target *target,
				struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	uint16_t value;
	unsigned code;

	(void)target;
	p->checked = 0;
	if (read_regs(v, REG_CHECK, 1, &value, err))
		return bf_while(err, "asking for the checksum of the shadow bank");
	code = value & 0xFFU;
	if (code == CHECK_GOOD) {
		p->checked = BF_CHECKED_IMAGE;
		return BF_OK;
	}
	return bf_fail_dev(err, BF_E_NAK, code,
			   code == CHECK_WRONG     ? "checksum wrong"
			   : code == CHECK_NOTHING ? "nothing there"
						   : "unknown",
			   "the pack does not accept what is in its shadow bank");
}

/* ---- starting it ---- */

static enum bf_rc vanmoof_restart(struct bf_proto *p, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	struct bf_modbus m = modbus_of(v, 1);

	/* No restart while the count may be the one of a bootloader. */
	if (v->begun && (v->next != v->len || near_trap(v, 0)) && begin_count(v, err))
		return err->rc;
	if (!bf_clock_until(p->env.transport->clock, bf_in(p->env.transport->clock, BEFORE_RESET)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	v->restarted = true;
	v->begun = false;
	return bf_modbus_write_one(&m, REG_INSTALL, 0, err);
}

static enum bf_rc vanmoof_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct vanmoof *v = vanmoof_of(p);
	struct bf_clock *clock = p->env.transport->clock;
	bf_time longest = bf_in(clock, BF_SEC(v->set->restart_s));
	enum bf_rc rc;

	if (v->restarted && deadline < longest)
		deadline = longest;
	/* The old firmware still answers for a moment after it was told. */
	if (v->restarted && !bf_clock_until(clock, bf_in(clock, POLL)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	for (;;) {
		bf_err_init(err);
		rc = running(v, BF_MS(v->set->answer_ms), err);
		if (!rc) {
			v->restarted = false;
			return BF_OK;
		}
		if ((rc != BF_E_TIMEOUT && rc != BF_E_LINK && rc != BF_E_NODEV && rc != BF_E_NAK) ||
		    bf_now(clock) >= deadline)
			break;
		if (p->env.alive)
			p->env.alive(p->env.alive_ctx, "waiting for the pack to install it");
		if (!bf_clock_until(clock, bf_in(clock, POLL)))
			return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	}
	if (rc == BF_E_NODEV)
		err->rc = BF_E_TIMEOUT;
	return err->rc;
}

static enum bf_rc vanmoof_ping(struct bf_proto *p, struct bf_err *err)
{
	uint16_t state;

	return read_regs(vanmoof_of(p), REG_STATE, 1, &state, err);
}

static void vanmoof_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	(void)profile;
	line(ctx, NULL, "The shadow bank, by Modbus registers");
	line(ctx, "06 0095 0000", "begin; output and charging go off");
	line(ctx, "10 0082 ...", "each chunk of 32 bytes with its offset");
	line(ctx, "03 0081 0001", "is its checksum right?");
	line(ctx, "06 0080 0000", "restart, and install");
}

static const struct bf_refusal refusals[] = {
	{ 1, "ILLEGAL FUNCTION", "the pack does not know this request", "run bmsflash probe" },
	{ 2, "ILLEGAL DATA ADDRESS", "the pack has no such register", "run bmsflash probe" },
	{ 0 },
};

static const struct bf_loader_ops vanmoof_loader = {
	.begin = vanmoof_begin,
	.block_start = vanmoof_block_start,
	.block_finish = vanmoof_block_finish,
	.finish = vanmoof_finish,
	.abandon = vanmoof_abandon,
	.block_class = BF_RETRY_APPEND_ONLY,
	.check = vanmoof_check,
	.restart = vanmoof_restart,
};

const struct bf_proto_ops bf_proto_vanmoof_ops = {
	.name = "vanmoof",
	.summary = "VanMoof S3/X3 batteries, by Modbus registers",
	.wires = BF_WIRE_STREAM,
	.probe_rank = 30,
	.probe_risk = "a Modbus request, which another pack may take for something else",
	.loader_caps = BF_CAP_SINK | BF_CAP_DUAL_BANK | BF_CAP_CHECK,
	.app = &bf_no_app,
	.loader = &vanmoof_loader,
	.boot = &bf_no_boot,
	.open = vanmoof_open,
	.close = vanmoof_close,
	.recognise = vanmoof_recognise,
	.identify = vanmoof_identify,
	.ping = vanmoof_ping,
	.await = vanmoof_await,
	.explain = vanmoof_explain,
	.refusals = refusals,
};
