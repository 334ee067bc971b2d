/* SPDX-License-Identifier: MIT */
/* The protocol of the pack in memory: each operation counts, takes its time and may fail by script. */
#include "pack_priv.h"

#include <stdio.h>

/* ---- operations ---- */

static const char *const op_names[] = {
	"recognise", "connect",   "identify", "authenticate", "set_rate", "ping",  "keepalive",
	"erase",     "begin",     "start",    "finish_block", "finish",   "read",  "hash_units",
	"hash",      "check",     "state",    "activate",     "restart",  "await", "confirm",
	"revert",    "self_test", "balance",  "measure",
};
_Static_assert(BF_COUNT(op_names) <= 32, "a counter for each operation");

static struct pack *of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct pack, proto);
}

static size_t op_index(const char *op)
{
	for (size_t i = 0; i < BF_COUNT(op_names); i++) {
		if (strcmp(op_names[i], op) == 0)
			return i;
	}
	fail_msg("no operation '%s'", op);
	return 0;
}

unsigned pack_calls(const struct pack *pack, const char *op)
{
	return pack->calls[op_index(op)];
}

static enum bf_rc spend(struct pack *pack, bf_time cost, struct bf_err *err)
{
	if (!bf_clock_until(pack->clock, bf_in(pack->clock, cost)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	return BF_OK;
}

/* Each operation counts, takes a millisecond, and may be the one at which something happens. *ret_lost:
 * it takes effect, but its answer is lost. */
static enum bf_rc enter(struct pack *pack, const char *op, bool *ret_lost, struct bf_err *err)
{
	size_t which = op_index(op);

	*ret_lost = false;
	pack->ops++;
	pack->calls[which]++;
	if (pack->at_op)
		pack->at_op(pack, op);
	if (pack->cancel_at && pack->ops == pack->cancel_at)
		pack->clock->cancelled = true;
	if (pack->die_at && pack->ops >= pack->die_at)
		pack->dead = true;
	if (pack->dead || pack->silent) {
		(void)spend(pack, BF_MS(50), err);
		return bf_fail(err, BF_E_TIMEOUT, "the pack does not answer");
	}
	for (size_t i = 0; i < BF_COUNT(pack->faults); i++) {
		struct pack_fault *f = &pack->faults[i];

		if (!f->op || strcmp(f->op, op) != 0 || pack->calls[which] != f->nth)
			continue;
		if (f->forgot) {
			pack->session = pack->unlocked = false;
			bf_fail_dev(err, BF_E_NAK, 0x7F, "serviceNotSupportedInActiveSession",
				    "scripted loss of the session at '%s'", op);
			err->dev_forgot = true;
			return err->rc;
		}
		if (!f->after)
			return bf_fail(err, f->rc, "scripted failure of '%s'", op);
		*ret_lost = true;
	}
	return spend(pack, BF_MS(1), err);
}

#define ENTER(op)                                         \
	struct pack *pack = of(p);                        \
	bool lost;                                        \
	enum bf_rc entered = enter(pack, op, &lost, err); \
                                                          \
	if (entered)                                      \
	return entered

static enum bf_rc answer(bool lost, struct bf_err *err)
{
	return lost ? bf_fail(err, BF_E_TIMEOUT, "the answer was lost") : BF_OK;
}

/* ---- the protocol ---- */

static enum bf_rc p_recognise(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	ENTER("recognise");
	(void)deadline;
	return answer(lost, err);
}

static enum bf_rc p_connect(struct bf_proto *p, enum bf_entry entry, struct bf_err *err)
{
	ENTER("connect");
	pack->session = entry == BF_ENTRY_WRITE;
	return answer(lost, err);
}

static void fill_slots(struct pack *pack, struct bf_ident *id)
{
	id->n_slots = 2;
	for (unsigned i = 0; i < 2; i++) {
		const struct pack_known *k = pack_in_slot(pack, i);
		struct bf_slot *s = &id->slots[i];
		bool active = pack->flash->active == i;

		*s = (struct bf_slot){ .flags = active ? BF_SLOT_ACTIVE : 0 };
		if (!active && pack->flash->pending)
			s->flags |= BF_SLOT_PENDING;
		if (active)
			s->flags |= pack->flash->trial ? BF_SLOT_TRIAL : BF_SLOT_CONFIRMED;
		if (!k)
			continue;
		s->flags |= BF_SLOT_BOOTABLE;
		s->has_version = true;
		s->version = k->version;
		s->counter = k->counter;
		s->digest_len = k->digest_len;
		memcpy(s->digest, k->digest, k->digest_len);
	}
}

static void add_region(struct bf_ident *id, const char *name, enum bf_region_kind kind,
		       unsigned slot, uint32_t addr, uint32_t size)
{
	struct bf_region *r = &id->regions[id->n_regions++];

	*r = (struct bf_region){ .kind = kind,
				 .slot = slot,
				 .addr = addr,
				 .size = size,
				 .erase_unit = PACK_UNIT,
				 .write_unit = 8,
				 .access = BF_ACCESS_READ | BF_ACCESS_ERASE | BF_ACCESS_WRITE };
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static void fill_regions(struct pack *pack, struct bf_ident *id)
{
	if (pack->kind == PACK_SINGLE) {
		add_region(id, "app", pack->bare_slot ? BF_REGION_SLOT : BF_REGION_APP, 0, 0,
			   PACK_SLOT);
	} else if (pack->kind == PACK_DUAL) {
		add_region(id, "slot0", BF_REGION_SLOT, 0, PACK_SLOT0, PACK_SLOT);
		add_region(id, "slot1", BF_REGION_SLOT, 1, PACK_SLOT1, PACK_SLOT);
		add_region(id, "calibration", BF_REGION_CALIBRATION, 0, PACK_CAL, PACK_UNIT);
	}
}

static enum bf_rc p_identify(struct bf_proto *p, struct bf_ident *ret, struct bf_err *err)
{
	ENTER("identify");
	const struct pack_known *k = pack_in_slot(pack, pack->flash->active);
	struct bf_ident id = {
		.protocol = "fake",
		.model = "BMS-16S-R3",
		.serial = "SN-0042",
		.has_vid = true,
		.has_cid = true,
		.in_bootloader = pack->flash->in_loader || !k,
		.talks = pack->flash->in_loader || !k ? BF_TALKS_LOADER : BF_TALKS_APPLICATION,
		.counter = pack->flash->counter,
		.in_flight = pack->window,
		.block_max = 1000,
		.caps = pack->caps,
		.boot_count = pack->flash->boots,
		.reset_reason = pack->flash->reason,
		.rates = { pack->high_rate },
	};

	if (pack->serial)
		snprintf(id.serial, sizeof(id.serial), "%s", pack->serial);
	if (pack->another_answers && pack_calls(pack, "restart"))
		strcpy(id.serial, "SN-0099");
	bf_uuid_vendor("bms.example", id.vid);
	bf_uuid_class(id.vid, "BMS-16S-R3", id.cid);
	if (k && !id.in_bootloader && !pack->no_version) {
		id.has_version = true;
		id.version = k->version;
	}
	if (pack_two_banks(pack) && !pack->no_version)
		fill_slots(pack, &id);
	fill_regions(pack, &id);
	*ret = id;
	p->caps = id.caps;
	return answer(lost, err);
}

static enum bf_rc p_state(struct bf_proto *p, struct bf_ident *update, struct bf_err *err)
{
	ENTER("state");
	fill_slots(pack, update);
	update->counter = pack->flash->counter;
	return answer(lost, err);
}

static enum bf_rc p_authenticate(struct bf_proto *p, struct bf_err *err)
{
	ENTER("authenticate");
	if (pack->refuses_key)
		return bf_fail_dev(err, BF_E_AUTH, 0x35, "invalidKey", "the key was refused");
	pack->unlocked = true;
	return answer(lost, err);
}

static enum bf_rc p_set_rate(struct bf_proto *p, uint32_t rate, struct bf_err *err)
{
	ENTER("set_rate");
	pack->rate = rate;
	return answer(lost, err);
}

static void p_default_rate(struct bf_proto *p)
{
	of(p)->rate = 115200;
}

static enum bf_rc p_ping(struct bf_proto *p, struct bf_err *err)
{
	ENTER("ping");
	if (pack->drops_at_high_rate && pack->rate > 115200 && pack->ops % 3 == 0)
		return bf_fail(err, BF_E_TIMEOUT, "lost on a bad line");
	return answer(lost, err);
}

static enum bf_rc p_keepalive(struct bf_proto *p, struct bf_err *err)
{
	ENTER("keepalive");
	return answer(lost, err);
}

static enum bf_rc locked(struct pack *pack, struct bf_err *err)
{
	if (pack->session && (pack->unlocked || !(pack->caps & BF_CAP_AUTH)))
		return BF_OK;
	return bf_fail_dev(err, BF_E_NAK, 0x33, "securityAccessDenied", "the pack is locked");
}

static enum bf_rc p_erase(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			  uint32_t size, struct bf_err *err)
{
	ENTER("erase");
	assert_non_null(region);
	if (locked(pack, err))
		return err->rc;
	if (addr % PACK_UNIT || size % PACK_UNIT || addr + size > PACK_FLASH)
		return bf_fail(err, BF_E_NAK, "erase of %x at %x", size, addr);
	if (addr == PACK_CAL && pack->cal_fixed)
		return bf_fail(err, BF_E_NAK, "no erasing of %x", addr);
	if (pack_two_banks(pack) && addr != PACK_CAL)
		assert_true(addr >= pack_bank_addr(pack, pack->flash->active ^ 1) &&
			    addr + size <=
				    pack_bank_addr(pack, pack->flash->active ^ 1) + PACK_SLOT);
	memset(pack->flash->bytes + addr, 0xFF, size);
	return answer(lost, err);
}

static enum bf_rc p_begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			  struct bf_err *err)
{
	ENTER("begin");
	if (locked(pack, err))
		return err->rc;
	assert_true(target->len > 0);
	pack->target = target->addr;
	pack->opened = true;
	pack->n_queued = 0;
	if (pack->kind == PACK_SINK || pack->kind == PACK_STEERED) {
		pack->target = pack_bank_addr(pack, pack->flash->active ^ 1);
		if (pack->kind == PACK_SINK || pack->sink_len != target->len) {
			memset(pack->flash->bytes + pack->target, 0xFF, PACK_SLOT);
			pack->received = 0;
			pack->sink_len = target->len;
		}
	} else {
		pack->received = 0;
	}
	*ret = (struct bf_flow){ .block_max = 1000, .next = pack->received };
	return answer(lost, err);
}

static enum bf_rc p_block_start(struct bf_proto *p, const struct bf_block *block,
				struct bf_err *err)
{
	ENTER("start");
	uint8_t *at = pack->flash->bytes + pack->target + block->offset;

	if (!pack->opened)
		return bf_fail_dev(err, BF_E_RESTART, 0x24, "requestSequenceError",
				   "no transfer is open");
	if (pack->n_queued >= pack->window)
		return bf_fail(err, BF_E_NAK, "more than %u blocks are out", pack->window);
	if (pack->kind == PACK_STEERED && block->offset != pack->received)
		block = NULL; /* out of place: not written, the answer says what is wanted */
	for (size_t i = 0; block && i < block->len; i++) {
		if (at[i] != 0xFF && at[i] != block->data[i])
			return bf_fail(err, BF_E_NAK, "byte %zx is not erased",
				       pack->target + block->offset + i);
		at[i] = block->data[i];
	}
	if (block)
		pack->received = block->offset + block->len;
	pack->queued_end[pack->n_queued++] = pack->received;
	if (pack->n_queued > pack->in_flight_seen)
		pack->in_flight_seen = pack->n_queued;
	return answer(lost, err);
}

static enum bf_rc p_block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	ENTER("finish_block");
	assert_true(pack->n_queued > 0);
	*ret_next = pack->queued_end[0];
	memmove(pack->queued_end, pack->queued_end + 1, --pack->n_queued * sizeof(size_t));
	return answer(lost, err);
}

static enum bf_rc p_finish(struct bf_proto *p, struct bf_err *err)
{
	ENTER("finish");
	pack->opened = false;
	return answer(lost, err);
}

static void p_abandon(struct bf_proto *p)
{
	of(p)->opened = false;
	of(p)->n_queued = 0;
}

static enum bf_rc p_read(struct bf_proto *p, const struct bf_region *region, uint32_t addr,
			 uint8_t *buf, size_t len, struct bf_err *err)
{
	ENTER("read");
	assert_true(addr >= region->addr && addr + len <= region->addr + region->size);
	memcpy(buf, pack->flash->bytes + addr, len);
	pack->bytes_read += len;
	return answer(lost, err);
}

static enum bf_rc p_hash(struct bf_proto *p, uint32_t addr, uint32_t size,
			 uint8_t ret[BF_SHA256_LEN], struct bf_err *err)
{
	ENTER("hash");
	bf_sha256(ret, pack->flash->bytes + addr, size);
	return answer(lost, err);
}

static enum bf_rc p_hash_units(struct bf_proto *p, uint32_t addr, uint32_t size, uint32_t unit,
			       uint8_t (*ret)[8], size_t n, struct bf_err *err)
{
	ENTER("hash_units");
	assert_int_equal(size, unit * n);
	for (size_t i = 0; i < n; i++) {
		uint8_t sha[BF_SHA256_LEN];

		bf_sha256(sha, pack->flash->bytes + addr + i * unit, unit);
		memcpy(ret[i], sha, 8);
	}
	return answer(lost, err);
}

static enum bf_rc p_check(struct bf_proto *p, const struct bf_target *target, struct bf_err *err)
{
	ENTER("check");
	(void)target;
	if (!pack_in_slot(pack, pack_two_banks(pack) ? pack->flash->active ^ 1 : 0))
		return bf_fail_dev(err, BF_E_MISMATCH, 1, "damaged", "the image is damaged");
	return answer(lost, err);
}

static enum bf_rc p_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err)
{
	ENTER("activate");
	if (locked(pack, err))
		return err->rc;
	assert_int_equal(how == BF_ACTIVATE_TRIAL, pack_two_banks(pack));
	if (pack_two_banks(pack)) {
		if (!pack_in_slot(pack, pack->flash->active ^ 1))
			return bf_fail(err, BF_E_NAK, "no bootable image there");
		pack->flash->pending = true;
	}
	return answer(lost, err);
}

static enum bf_rc p_restart(struct bf_proto *p, struct bf_err *err)
{
	ENTER("restart");
	pack_boot(pack, 2);
	return answer(lost, err);
}

static enum bf_rc p_await(struct bf_proto *p, bf_time deadline, struct bf_err *err)
{
	ENTER("await");
	if (pack->never_returns) {
		(void)bf_clock_until(pack->clock, deadline);
		return bf_fail(err, BF_E_TIMEOUT, "the pack does not come back");
	}
	if (spend(pack, BF_SEC(2), err))
		return err->rc;
	return answer(lost, err);
}

static enum bf_rc p_confirm(struct bf_proto *p, struct bf_err *err)
{
	ENTER("confirm");
	const struct pack_known *k = pack_in_slot(pack, pack->flash->active);

	if (locked(pack, err))
		return err->rc;
	pack->flash->trial = false;
	if (k && k->counter > pack->flash->counter)
		pack->flash->counter = k->counter;
	return answer(lost, err);
}

static enum bf_rc p_revert(struct bf_proto *p, struct bf_err *err)
{
	ENTER("revert");
	const struct pack_known *k = pack_in_slot(pack, pack->flash->active ^ 1);

	if (locked(pack, err))
		return err->rc;
	if (!k || k->counter < pack->flash->counter)
		return bf_fail_dev(err, BF_E_NAK, 1, "none", "none that may start");
	if (pack->flash->trial)
		return answer(lost, err); /* an unconfirmed image goes at the restart anyway */
	pack->flash->pending = true;
	return answer(lost, err);
}

static enum bf_rc p_self_test(struct bf_proto *p, struct bf_self_test *ret, struct bf_err *err)
{
	ENTER("self_test");
	ret->passed = !pack->self_test_fails;
	strcpy(ret->detail, ret->passed ? "" : "contactor weld check");
	return answer(lost, err);
}

static enum bf_rc p_balance(struct bf_proto *p, bool *ret_ok, struct bf_err *err)
{
	ENTER("balance");
	*ret_ok = !pack->balance_fails;
	return answer(lost, err);
}

static enum bf_rc p_measure(struct bf_proto *p, struct bf_measure *ret, struct bf_err *err)
{
	ENTER("measure");
	*ret = pack->flash->trial ? pack->after : pack->measure;
	if (pack->drifts)
		ret->cell_v[3] += 0.02 * pack_calls(pack, "measure");
	return answer(lost, err);
}

static enum bf_rc p_open(const struct bf_proto_env *env, struct bf_proto **ret, struct bf_err *err);

static void p_close(struct bf_proto *p)
{
	(void)p;
}

static const struct bf_refusal refusals[] = { { 0 } };

static const struct bf_app_ops common_app = { .measure = p_measure }, whole_app = {
	.measure = p_measure, .self_test = p_self_test, .balance = p_balance
};

#define COMMON_LOADER                                                                   \
	.begin = p_begin, .block_start = p_block_start, .block_finish = p_block_finish, \
	.finish = p_finish, .abandon = p_abandon, .restart = p_restart

static const struct bf_loader_ops memory_loader = { COMMON_LOADER,
						    .erase = p_erase,
						    .read = p_read,
						    .hash = p_hash,
						    .hash_units = p_hash_units,
						    .check = p_check,
						    .block_class = BF_RETRY_COUNTED },
				  single_loader = { COMMON_LOADER, .erase = p_erase, .read = p_read,
						    .hash_units = p_hash_units,
						    .block_class = BF_RETRY_IDEMPOTENT },
				  sink_loader = { COMMON_LOADER,
						  .block_class = BF_RETRY_APPEND_ONLY },
				  steered_loader = { COMMON_LOADER,
						     .block_class = BF_RETRY_STEERED };

static const struct bf_boot_ops slots_boot = { .state = p_state,
					       .activate = p_activate,
					       .confirm = p_confirm,
					       .revert = p_revert },
				single_boot = { .activate = p_activate };

#define COMMON_OPS                                                                                \
	.name = "fake", .summary = "a pack in memory", .wires = BF_WIRE_STREAM, .open = p_open,   \
	.close = p_close, .recognise = p_recognise, .connect = p_connect, .identify = p_identify, \
	.authenticate = p_authenticate, .set_rate = p_set_rate, .default_rate = p_default_rate,   \
	.ping = p_ping, .keepalive = p_keepalive, .await = p_await, .refusals = refusals

const struct bf_proto_ops pack_memory_ops = { COMMON_OPS, .app = &whole_app,
					      .loader = &memory_loader, .boot = &slots_boot };
static const struct bf_proto_ops single_ops = { COMMON_OPS, .app = &common_app,
						.loader = &single_loader, .boot = &single_boot };
static const struct bf_proto_ops sink_ops = { COMMON_OPS, .app = &common_app,
					      .loader = &sink_loader, .boot = &bf_no_boot };
static const struct bf_proto_ops steered_ops = { COMMON_OPS, .app = &common_app,
						 .loader = &steered_loader, .boot = &slots_boot };

static const struct {
	const struct bf_proto_ops *ops;
	unsigned caps;
} kinds[] = {
	[PACK_DUAL] = { &pack_memory_ops, BF_CAP_READ | BF_CAP_HASH | BF_CAP_ERASE | BF_CAP_TRIAL |
						  BF_CAP_CONFIRM | BF_CAP_REVERT | BF_CAP_COUNTER |
						  BF_CAP_MEASURE | BF_CAP_AUTH | BF_CAP_SELF_TEST |
						  BF_CAP_BALANCE | BF_CAP_RATES | BF_CAP_CHECK |
						  BF_CAP_DUAL_BANK | BF_CAP_MCUBOOT |
						  BF_CAP_RESUME | BF_CAP_ANY_ORDER },
	[PACK_SINGLE] = { &single_ops, BF_CAP_READ | BF_CAP_ERASE | BF_CAP_ANY_ORDER },
	[PACK_SINK] = { &sink_ops, BF_CAP_SINK },
	[PACK_STEERED] = { &steered_ops, BF_CAP_SINK | BF_CAP_TRIAL | BF_CAP_CONFIRM |
						 BF_CAP_REVERT | BF_CAP_DUAL_BANK | BF_CAP_MCUBOOT |
						 BF_CAP_RESUME },
};

static enum bf_rc p_open(const struct bf_proto_env *env, struct bf_proto **ret, struct bf_err *err)
{
	struct pack *pack = pack_behind_the_door;

	(void)err;
	pack->proto.ops = kinds[pack->kind].ops;
	pack->proto.env = *env;
	*ret = &pack->proto;
	return BF_OK;
}

unsigned pack_caps(enum pack_kind kind)
{
	return kinds[kind].caps;
}
