/* SPDX-License-Identifier: MIT */
/* ST's ROM loader as a bootloader: the last way into a pack whose firmware is gone. It knows nothing of firmware. */
#include "family/stm32/stm32_priv.h"

#include <stdio.h>
#include <string.h>

#include "bmsflash/bytes.h"

#define CODE_NACK BF_STM32_NACK

const char *bf_stm32_command_name(uint8_t command)
{
	static const struct {
		uint8_t code;
		const char *name;
	} names[] = {
		{ BF_STM32_GET, "GET" },
		{ BF_STM32_GVR, "GET VERSION" },
		{ BF_STM32_GID, "GET ID" },
		{ BF_STM32_SPEED, "SPEED" },
		{ BF_STM32_READ, "READ MEMORY" },
		{ BF_STM32_GO, "GO" },
		{ BF_STM32_WRITE, "WRITE MEMORY" },
		{ BF_STM32_ERASE, "ERASE" },
		{ BF_STM32_EXT_ERASE, "EXTENDED ERASE" },
		{ BF_STM32_READOUT_UNPROTECT, "READOUT UNPROTECT" },
		{ BF_STM32_CHECKSUM, "GET CHECKSUM" },
		{ BF_STM32_SYNC, "the synchronisation" },
		{ 0x79, "the synchronisation" },
	};

	for (size_t i = 0; i < BF_COUNT(names); i++) {
		if (names[i].code == command)
			return names[i].name;
	}
	return "a command";
}

bool bf_stm32_has(const struct bf_stm32 *d, uint8_t command)
{
	for (size_t i = 0; i < d->got.n; i++) {
		if (d->got.codes[i] == command)
			return true;
	}
	return false;
}

static bool is_for_memory(uint8_t command)
{
	return command == BF_STM32_READ || command == BF_STM32_WRITE || command == BF_STM32_ERASE ||
	       command == BF_STM32_EXT_ERASE || command == BF_STM32_CHECKSUM ||
	       command == BF_STM32_GO;
}

static enum bf_rc fail_protected(const char *name, struct bf_err *err)
{
	bf_fail_dev(err, BF_E_NAK, CODE_NACK, "NACK",
		    "the bootloader refused %s: readout protection is active", name);
	bf_likely(err, "the maker set readout protection (RDP): the flash can be neither read nor "
		       "written");
	bf_likely(err, "clearing it erases the whole flash, with everything that is in no file: "
		       "--allow readout-unprotect");
	return err->rc;
}

/* A command that is listed is refused as such for readout protection (bf_stm32_learn finds that out), or because
 * it arrived damaged. */
enum bf_rc bf_stm32_refused(struct bf_stm32 *d, uint8_t command, enum bf_stm32_stage stage,
			    uint32_t addr, struct bf_err *err)
{
	const char *name = bf_stm32_command_name(command);

	if (d->protected && is_for_memory(command))
		return fail_protected(name, err);
	if (stage == BF_STM32_AT_COMMAND && is_for_memory(command) && bf_stm32_has(d, command)) {
		d->refused_commands++;
		if (!d->protected)
			return bf_fail(err, BF_E_LINK, "the bootloader did not understand %s",
				       name);
	}
	switch (stage) {
	case BF_STM32_AT_COMMAND:
		return bf_fail_dev(err, BF_E_NAK, CODE_NACK, "NACK", "the bootloader refused %s",
				   name);
	case BF_STM32_AT_ADDRESS:
		return bf_fail_dev(err, BF_E_NAK, CODE_NACK, "NACK",
				   "the bootloader refused address 0x%08X for %s", addr, name);
	case BF_STM32_AT_DATA:
		break;
	}
	return bf_fail_dev(err, BF_E_NAK, CODE_NACK, "NACK",
			   "the bootloader refused the data of %s at 0x%08X", name, addr);
}

enum bf_rc bf_stm32_recover(struct bf_stm32 *d, enum bf_rc rc, struct bf_err *err)
{
	struct bf_err why = *err;

	if (!bf_stm32_lost(rc))
		return rc;
	bf_err_init(&why);
	if (d->link->resync(d, &why)) {
		d->synced = false;
		*err = why;
		return err->rc;
	}
	return rc;
}

/* ---- life ---- */

/* A joined pack's line was set for it; the parity of a maker's own loader is still its own. */
static enum bf_rc take_line(struct bf_stm32 *d, struct bf_err *err)
{
	struct bf_transport *t = d->base.env.transport;
	struct bf_profile own = *d->base.env.profile;
	struct bf_line_report r = { 0 };
	struct bf_line line;

	if (!t->ops->stream || (d->base.env.joined && d->set->parity == 'E'))
		return BF_OK;
	t->ops->stream->report(t, &r);
	bf_role_lay(&own,
		    &(struct bf_role_line){ .parity = d->set->parity, .stop_bits = 1, .node = -1 });
	line = bf_line_of_profile(&own, r.real_baud ? r.real_baud : own.baud);
	line.data_bits = 8;
	return bf_line_set(t, &line, err);
}

static enum bf_rc stm32_open(const struct bf_proto_env *env, struct bf_proto **ret,
			     struct bf_err *err)
{
	const struct bf_stm32_profile *set = bf_profile_family(env->profile, "stm32");
	const char *foreign = bf_stm32_foreign(set->chip);
	struct bf_stm32 *d;

	if (env->transport->ops->wire == BF_WIRE_USB)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "over USB ST's ROM loader speaks DFU: --protocol dfu");
	if (foreign)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s': %s.", set->chip, foreign);
	if (set->chip[0] && !bf_stm32_chip_by_key(set->chip)) {
		bf_fail(err, BF_E_USAGE, "There is no chip '%s' in the table.", set->chip);
		bf_do(err, "take a chip from the list in bmsflash-stm32(7), or set page and "
			   "flash-size in [stm32]");
		return err->rc;
	}
	if (env->node >= 0 && env->transport->ops->wire == BF_WIRE_BUS)
		return bf_fail(err, BF_E_USAGE,
			       "--node has no meaning for a ROM loader: it has no address");
	d = calloc(1, sizeof(*d));
	if (!d)
		abort();
	d->base.ops = &bf_proto_stm32_ops;
	d->base.env = *env;
	d->set = set;
	d->link = env->transport->ops->wire == BF_WIRE_BUS ? &bf_stm32_can : &bf_stm32_uart;
	d->erased = 0xFF;
	*ret = &d->base;
	return BF_OK;
}

static void stm32_close(struct bf_proto *p)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	bf_stm32_forget_all(d);
	free(d->memory);
	free(d->seen);
	free(d);
}

/* What the profile lists is what the loader has; a loader without GET has nothing else to ask. */
static enum bf_rc ask_commands(struct bf_stm32 *d, struct bf_err *err)
{
	size_t n;

	if (d->has_got)
		return BF_OK;
	if (!d->set->commands[0]) {
		if (d->link->get(d, &d->got, err))
			return err->rc;
	} else if (bf_unhex(d->set->commands, d->got.codes, sizeof(d->got.codes), &n)) {
		d->got.n = n;
	}
	d->has_got = true;
	return BF_OK;
}

/* A lost byte is asked for again; another answer than a loader's is none. */
static enum bf_rc ask_who(struct bf_stm32 *d, bool once, bf_time deadline, struct bf_err *err)
{
	enum bf_rc rc;

	for (unsigned i = 0; i < 3; i++) {
		bf_err_init(err);
		rc = d->link->sync(d, once, deadline, err);
		if (rc)
			return rc;
		rc = ask_commands(d, err);
		if (!rc) {
			d->synced = true;
			return BF_OK;
		}
		if (!bf_stm32_lost(rc) || d->link->resync(d, err))
			break;
	}
	return bf_stm32_lost(err->rc) || err->rc == BF_E_NAK
		       ? bf_fail(err, BF_E_NODEV, "what answers on '%s' is no ROM loader",
				 d->base.env.transport->name)
		       : err->rc;
}

static enum bf_rc stm32_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	bool once = p->env.hurry > 0;

	if (take_line(d, err))
		return bf_while(err, "setting the line for a ROM loader");
	d->synced = d->has_got = false;
	d->gone = p->left = false;
	return ask_who(d, once, once ? bf_stm32_in(d, p->env.hurry) : deadline, err);
}

#define CONNECT BF_SEC(3)

static enum bf_rc stm32_ping(struct bf_proto *p, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	struct bf_stm32_get unused;
	uint8_t id[16];
	size_t n;
	enum bf_rc rc;

	if (d->set->commands[0])
		return BF_OK;
	/* The shorter of two questions. */
	if (bf_stm32_has(d, BF_STM32_GID))
		rc = d->link->get_id(d, id, sizeof(id), &n, err);
	else
		rc = d->link->get(d, &unused, err);
	return bf_stm32_recover(d, rc, err);
}

/* A loader that was reset meanwhile has forgotten nothing: it has no session. What was read of its memory is read
 * again all the same. */
static enum bf_rc stm32_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	struct bf_err why;

	if (d->gone)
		return bf_fail(err, BF_E_NODEV,
			       "the ROM loader started the firmware and answers no more");
	bf_err_init(&why);
	if (!d->synced || stm32_ping(p, &why)) {
		bf_stm32_forget_all(d);
		if (take_line(d, err) || ask_who(d, false, bf_stm32_in(d, CONNECT), err))
			return err->rc;
	}
	if (entry == BF_ENTRY_LOOK)
		return BF_OK;
	return bf_stm32_learn(d, err);
}

static uint32_t start_address(const struct bf_stm32 *d)
{
	return d->set->start ? d->set->start : d->has_flash ? d->flash_base : UINT32_C(0x08000000);
}

static enum bf_rc stm32_restart(struct bf_proto *p, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	enum bf_rc rc;

	if (d->set->restart == BF_STM32_RESTART_NONE)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "this pack starts its firmware by a reset or a power cycle only");
	if (!bf_stm32_has(d, BF_STM32_GO))
		return bf_fail(err, BF_E_UNSUPPORTED, "this bootloader has no GO");
	rc = d->link->go(d, start_address(d), err);
	/* The chip may be gone before its acknowledge is. */
	if (rc && !bf_stm32_lost(rc))
		return bf_while(err, "starting the firmware at 0x%08X", start_address(d));
	d->restarts = rc == BF_OK;
	d->gone = p->left = true;
	d->synced = false;
	bf_stm32_forget_all(d);
	if (d->chip && d->chip->traps & BF_STM32_EMPTY_CHECK && d->found_empty)
		bf_log(p->env.log, BF_LOG_WARN,
		       "the flash was empty: this chip looks at that only when power comes; if the "
		       "firmware does not start, switch the pack off and on");
	return rc ? rc : BF_OK;
}

/* Nothing is asked of firmware that was just started: a byte for a loader may mean anything to it. */
static enum bf_rc stm32_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	if (!d->gone)
		return ask_who(d, false, deadline, err);
	bf_fail(err, BF_E_UNSUPPORTED,
		d->restarts
			? "the ROM loader started the firmware; a ROM loader cannot tell what runs"
			: "the ROM loader was asked to start the firmware and did not answer");
	bf_likely(err, "with BOOT0 still held, the next power cycle leads into the ROM loader "
		       "again: let it go first");
	return err->rc;
}

static enum bf_rc stm32_set_rate(struct bf_proto *p, uint32_t rate, struct bf_err *err)
{
	struct bf_stm32 *d = bf_stm32_of(p);

	if (!d->link->set_rate)
		return bf_fail(err, BF_E_UNSUPPORTED,
			       "the ROM loader keeps the rate of its first byte: reset it and use "
			       "another --baud");
	return d->link->set_rate(d, rate, err);
}

static void stm32_default_rate(struct bf_proto *p)
{
	struct bf_stm32 *d = bf_stm32_of(p);
	struct bf_transport *t = p->env.transport;
	struct bf_err none;

	bf_err_init(&none);
	if (!t->ops->bus || !t->ops->bus->set_bitrate || !d->can.first_rate ||
	    d->can.rate == d->can.first_rate)
		return;
	if (!t->ops->bus->set_bitrate(t, d->can.first_rate, 0, &none))
		d->can.rate = d->can.first_rate;
}

/* ---- what a flash sends ---- */

static void stm32_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	const struct bf_stm32_profile *s = bf_profile_family(profile, "stm32");

	line(ctx, NULL, "ROM loader of an STM32 or a clone (AN3155; AN3154 on CAN)");
	if (s->sync == BF_STM32_SYNC_TEXT)
		line(ctx, s->sync_text, "greeting by text");
	else
		line(ctx, "7F", "synchronisation (CAN: an empty frame 079)");
	if (!s->commands[0])
		line(ctx, "00 FF", "GET: the commands that the loader has");
	line(ctx, "02 FD", "GET ID: which chip it is, where GET lists it");
	line(ctx, "11 EE ...", "READ MEMORY: identifier words, backup, read-back");
	line(ctx, "44 BB / 43 BC ...",
	     s->erase == BF_STM32_ERASE_PAGES
		     ? "erase of the pages that differ, in lists"
		     : "erase of a bank or of all of the flash, as the profile says");
	line(ctx, "31 CE ...", "WRITE MEMORY, a block at a time");
	line(ctx, "A1 5E ...", "GET CHECKSUM, where GET lists it");
	if (s->restart == BF_STM32_RESTART_GO)
		line(ctx, "21 DE ...", "GO: starts the firmware");
}

static const struct bf_refusal refusals[] = {
	{ BF_STM32_NACK, "NACK", "the loader refused the command, the address or the data",
	  "look at which of them the message names" },
	{ 0, NULL, NULL, NULL },
};

static const struct bf_loader_ops stm32_loader = {
	.erase = bf_stm32_erase,
	.begin = bf_stm32_begin,
	.block_start = bf_stm32_block_start,
	.block_finish = bf_stm32_block_finish,
	.abandon = bf_stm32_abandon,
	.block_class = BF_RETRY_IDEMPOTENT,
	.read = bf_stm32_read,
	.holds = bf_stm32_holds,
	.check = bf_stm32_check,
	.restart = stm32_restart,
};

static const char *stm32_device(size_t i)
{
	const struct bf_stm32_chip *chip = bf_stm32_chip_at(i);

	return chip ? chip->name : NULL;
}

static const struct bf_role_line even = { .parity = 'E', .node = -1 };

const struct bf_proto_ops bf_proto_stm32_ops = {
	.name = "stm32",
	.summary = "ROM loader of STM32 and its clones (AN3155, AN3154)",
	.device = stm32_device,
	.wires = BF_WIRE_STREAM | BF_WIRE_BUS,
	.probe_rank = 90,
	.probe_risk = "a byte at another format, or a frame of the highest priority, may disturb "
		      "other devices on the line",
	.line = &even,
	.goes_first = true,
	.loader_caps = BF_CAP_READ | BF_CAP_ERASE | BF_CAP_ANY_ORDER | BF_CAP_RESUME,
	.app = &bf_no_app,
	.loader = &stm32_loader,
	.boot = &bf_no_boot,
	.open = stm32_open,
	.close = stm32_close,
	.recognise = stm32_recognise,
	.connect = stm32_connect,
	.identify = bf_stm32_identify,
	.set_rate = stm32_set_rate,
	.default_rate = stm32_default_rate,
	.ping = stm32_ping,
	.await = stm32_await,
	.explain = stm32_explain,
	.refusals = refusals,
};
