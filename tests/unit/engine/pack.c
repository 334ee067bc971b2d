/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "bmsflash/file.h"

static const char *const op_names[] = {
	"recognise", "connect",   "identify", "authenticate", "set_rate", "ping",  "keepalive",
	"erase",     "begin",     "start",    "finish_piece", "finish",   "read",  "hash_units",
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

/* ---- what the processor knows ---- */

static uint32_t bank_addr(const struct pack *pack, unsigned slot)
{
	if (pack->kind == PACK_SINGLE || pack->kind == PACK_SINK)
		return 0;
	return slot ? PACK_SLOT1 : PACK_SLOT0;
}

const struct pack_known *pack_in_slot(const struct pack *pack, unsigned slot)
{
	const uint8_t *at = pack->flash->bytes + bank_addr(pack, slot);

	for (size_t i = 0; i < pack->n_known; i++) {
		if (memcmp(at, pack->known[i].bytes, pack->known[i].len) == 0)
			return &pack->known[i];
	}
	return NULL;
}

void pack_learn(struct pack *pack, const char *name)
{
	struct pack_known *k = &pack->known[pack->n_known];
	struct bf_claim *claim = NULL;
	const struct bf_claim_opts opts = { 0 };
	uint8_t *bytes;
	struct bf_err err;
	char path[256];

	bf_err_init(&err);
	assert_true(pack->n_known < PACK_KNOWN);
	assert_int_equal(bf_file_read(data_path(path, name), 1 << 20, &bytes, &k->len, &err), 0);
	k->bytes = bytes;
	assert_int_equal(bf_claim_parse(bytes, k->len, name, NULL, 0, &opts, &claim, &err), 0);
	k->version = bf_claim_meta(claim)->version;
	k->counter = bf_claim_meta(claim)->counter;
	k->digest_len = bf_claim_meta(claim)->digest_len;
	memcpy(k->digest, bf_claim_meta(claim)->digest, k->digest_len);
	bf_claim_free(claim);
	pack->n_known++;
}

void pack_load(struct pack *pack, unsigned slot, const char *name)
{
	uint8_t *at = pack->flash->bytes + bank_addr(pack, slot);
	struct bf_err err;
	char path[256];
	uint8_t *bytes;
	size_t len;

	bf_err_init(&err);
	memset(at, 0xFF, PACK_SLOT);
	assert_int_equal(bf_file_read(data_path(path, name), 1 << 20, &bytes, &len, &err), 0);
	assert_true(len <= PACK_SLOT);
	memcpy(at, bytes, len);
	free(bytes);
}

/* ---- the boot loader ---- */

static bool two_banks(const struct pack *pack)
{
	return pack->kind == PACK_DUAL || pack->kind == PACK_STEERED;
}

static void boot(struct pack *pack, unsigned reason)
{
	struct pack_flash *f = pack->flash;

	pack->session = pack->unlocked = pack->opened = false;
	pack->rate = 115200;
	f->boots++;
	f->reason = reason;
	if (two_banks(pack)) {
		if (f->pending) {
			f->pending = false;
			f->active ^= 1;
			f->trial = true;
			if (pack->new_crashes) { /* watchdog, and back */
				f->active ^= 1;
				f->trial = false;
				f->boots += 3;
				f->reason = 3;
			}
		} else if (f->trial) {
			f->active ^= 1;
			f->trial = false;
		}
	}
	if ((pack->wipes && f->trial) ||
	    (pack->wipes_always && pack_in_slot(pack, f->active) == &pack->known[1]))
		memset(f->bytes + PACK_CAL, 0xFF, PACK_UNIT);
	f->in_loader = !pack_in_slot(pack, f->active) || (!two_banks(pack) && pack->new_crashes &&
							  pack_in_slot(pack, 0) != &pack->known[0]);
}

void pack_power_up(struct pack *pack)
{
	pack->dead = false;
	pack->die_at = pack->cancel_at = 0;
	pack->ops = 0;
	pack->received = 0;
	memset(pack->calls, 0, sizeof(pack->calls));
	memset(pack->faults, 0, sizeof(pack->faults));
	boot(pack, 1);
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
		add_region(id, "app", BF_REGION_APP, 0, 0, PACK_SLOT);
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
		.counter = pack->flash->counter,
		.in_flight = pack->window,
		.piece_max = 1000,
		.caps = pack->caps,
		.boot_count = pack->flash->boots,
		.reset_reason = pack->flash->reason,
		.rates = { pack->high_rate },
	};

	if (pack->another_answers && pack_calls(pack, "restart"))
		strcpy(id.serial, "SN-0099");
	bf_uuid_vendor("bms.example", id.vid);
	bf_uuid_class(id.vid, "BMS-16S-R3", id.cid);
	if (k && !id.in_bootloader && !pack->no_version) {
		id.has_version = true;
		id.version = k->version;
	}
	if (two_banks(pack) && !pack->no_version)
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

static enum bf_rc p_erase(struct bf_proto *p, uint32_t addr, uint32_t size, struct bf_err *err)
{
	ENTER("erase");
	if (locked(pack, err))
		return err->rc;
	if (addr % PACK_UNIT || size % PACK_UNIT || addr + size > PACK_FLASH)
		return bf_fail(err, BF_E_NAK, "erase of %x at %x", size, addr);
	if (addr == PACK_CAL && pack->cal_fixed)
		return bf_fail(err, BF_E_NAK, "no erasing of %x", addr);
	if (two_banks(pack) && addr != PACK_CAL)
		assert_true(addr >= bank_addr(pack, pack->flash->active ^ 1) &&
			    addr + size <= bank_addr(pack, pack->flash->active ^ 1) + PACK_SLOT);
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
		pack->target = bank_addr(pack, pack->flash->active ^ 1);
		if (pack->kind == PACK_SINK || pack->sink_len != target->len) {
			memset(pack->flash->bytes + pack->target, 0xFF, PACK_SLOT);
			pack->received = 0;
			pack->sink_len = target->len;
		}
	} else {
		pack->received = 0;
	}
	*ret = (struct bf_flow){ .piece_max = 1000, .next = pack->received };
	return answer(lost, err);
}

static enum bf_rc p_piece_start(struct bf_proto *p, const struct bf_piece *piece,
				struct bf_err *err)
{
	ENTER("start");
	uint8_t *at = pack->flash->bytes + pack->target + piece->offset;

	if (!pack->opened)
		return bf_fail_dev(err, BF_E_RESTART, 0x24, "requestSequenceError",
				   "no transfer is open");
	if (pack->n_queued >= pack->window)
		return bf_fail(err, BF_E_NAK, "more than %u pieces are out", pack->window);
	if (pack->kind == PACK_STEERED && piece->offset != pack->received)
		piece = NULL; /* out of place: not written, the answer says what is wanted */
	for (size_t i = 0; piece && i < piece->len; i++) {
		if (at[i] != 0xFF && at[i] != piece->data[i])
			return bf_fail(err, BF_E_NAK, "byte %zx is not erased",
				       pack->target + piece->offset + i);
		at[i] = piece->data[i];
	}
	if (piece)
		pack->received = piece->offset + piece->len;
	pack->queued_end[pack->n_queued++] = pack->received;
	if (pack->n_queued > pack->in_flight_seen)
		pack->in_flight_seen = pack->n_queued;
	return answer(lost, err);
}

static enum bf_rc p_piece_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	ENTER("finish_piece");
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
	if (!pack_in_slot(pack, two_banks(pack) ? pack->flash->active ^ 1 : 0))
		return bf_fail_dev(err, BF_E_MISMATCH, 1, "damaged", "the image is damaged");
	return answer(lost, err);
}

static enum bf_rc p_activate(struct bf_proto *p, enum bf_activate how, struct bf_err *err)
{
	ENTER("activate");
	if (locked(pack, err))
		return err->rc;
	assert_int_equal(how == BF_ACTIVATE_TRIAL, two_banks(pack));
	if (two_banks(pack)) {
		if (!pack_in_slot(pack, pack->flash->active ^ 1))
			return bf_fail(err, BF_E_NAK, "no bootable image there");
		pack->flash->pending = true;
	}
	return answer(lost, err);
}

static enum bf_rc p_restart(struct bf_proto *p, struct bf_err *err)
{
	ENTER("restart");
	boot(pack, 2);
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

#define COMMON_OPS                                                                                \
	.name = "fake", .summary = "a pack in memory", .wires = BF_WIRE_STREAM, .open = p_open,   \
	.close = p_close, .recognise = p_recognise, .connect = p_connect, .identify = p_identify, \
	.authenticate = p_authenticate, .set_rate = p_set_rate, .default_rate = p_default_rate,   \
	.ping = p_ping, .keepalive = p_keepalive, .begin = p_begin, .piece_start = p_piece_start, \
	.piece_finish = p_piece_finish, .finish = p_finish, .abandon = p_abandon,                 \
	.restart = p_restart, .await = p_await, .measure = p_measure, .refusals = refusals

static const struct bf_proto_ops memory_ops = {
	COMMON_OPS,
	.erase = p_erase,
	.read = p_read,
	.hash = p_hash,
	.hash_units = p_hash_units,
	.check = p_check,
	.state = p_state,
	.activate = p_activate,
	.confirm = p_confirm,
	.revert = p_revert,
	.self_test = p_self_test,
	.balance = p_balance,
	.piece_class = BF_RETRY_COUNTED,
};
static const struct bf_proto_ops single_ops = {
	COMMON_OPS,
	.erase = p_erase,
	.read = p_read,
	.hash_units = p_hash_units,
	.activate = p_activate,
	.piece_class = BF_RETRY_IDEMPOTENT,
};
static const struct bf_proto_ops sink_ops = {
	COMMON_OPS,
	.piece_class = BF_RETRY_APPEND_ONLY,
};
static const struct bf_proto_ops steered_ops = {
	COMMON_OPS,           .state = p_state,   .activate = p_activate,
	.confirm = p_confirm, .revert = p_revert, .piece_class = BF_RETRY_STEERED,
};

static const struct {
	const struct bf_proto_ops *ops;
	unsigned caps;
} kinds[] = {
	[PACK_DUAL] = { &memory_ops, BF_CAP_READ | BF_CAP_HASH | BF_CAP_ERASE | BF_CAP_TRIAL |
					     BF_CAP_CONFIRM | BF_CAP_REVERT | BF_CAP_COUNTER |
					     BF_CAP_MEASURE | BF_CAP_AUTH | BF_CAP_SELF_TEST |
					     BF_CAP_BALANCE | BF_CAP_RATES | BF_CAP_CHECK |
					     BF_CAP_DUAL_BANK | BF_CAP_MCUBOOT | BF_CAP_RESUME },
	[PACK_SINGLE] = { &single_ops, BF_CAP_READ | BF_CAP_ERASE },
	[PACK_SINK] = { &sink_ops, BF_CAP_SINK },
	[PACK_STEERED] = { &steered_ops, BF_CAP_SINK | BF_CAP_STEERED | BF_CAP_TRIAL |
						 BF_CAP_CONFIRM | BF_CAP_REVERT | BF_CAP_DUAL_BANK |
						 BF_CAP_MCUBOOT | BF_CAP_RESUME },
};

/* The one pack that the doors below lead to: bf_ports carries no context. */
static struct pack *behind_the_door;

static enum bf_rc p_open(const struct bf_proto_env *env, struct bf_proto **ret, struct bf_err *err)
{
	struct pack *pack = behind_the_door;

	(void)err;
	pack->proto.ops = kinds[pack->kind].ops;
	pack->proto.env = *env;
	*ret = &pack->proto;
	return BF_OK;
}

/* ---- the wire: it only has settings ---- */

static enum bf_rc t_set_line(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	(void)t, (void)line, (void)err;
	return BF_OK;
}

static void t_report(struct bf_transport *t, struct bf_line_report *ret)
{
	(void)t;
	*ret = (struct bf_line_report){ .real_baud = 115200, .latency_timer_ms = -1 };
}

static void t_close(struct bf_transport *t)
{
	(void)t;
}

static const struct bf_stream_ops stream_ops = { .set_line = t_set_line, .report = t_report };
static const struct bf_transport_ops wire_ops = {
	.name = "fake", .wire = BF_WIRE_STREAM, .stream = &stream_ops, .close = t_close
};

static enum bf_rc door_open(const struct bf_open_env *env, const char *address,
			    struct bf_transport **ret, struct bf_err *err)
{
	struct pack *pack = behind_the_door;

	if (strcmp(address, "absent") == 0)
		return bf_fail(err, BF_E_IFACE, "there is no interface '%s'", address);
	pack->transport.ops = &wire_ops;
	pack->transport.clock = env->clock;
	snprintf(pack->transport.name, sizeof(pack->transport.name), "%s", address);
	*ret = &pack->transport;
	return BF_OK;
}

static void list_one(void (*found)(void *ctx, const struct bf_candidate *c), void *ctx)
{
	const struct bf_candidate c = { .address = "fake0", .what = "a pack", .usable = true };

	found(ctx, &c);
}

static bool match_shared(const char *address)
{
	return strncmp(address, "own-world", 9) == 0;
}

static const struct bf_driver fake_driver = {
	.name = "fake", .list = list_one, .is_virtual = true, .match = match_shared
};

static const struct bf_driver *const *door_drivers(void)
{
	static const struct bf_driver *const rows[] = { &fake_driver, NULL };

	return rows;
}

static const struct bf_proto_ops *const *door_protos(void)
{
	static const struct bf_proto_ops *const rows[] = { &memory_ops, NULL };

	return rows;
}

/* ---- life ---- */

static void set_healthy(struct bf_measure *m)
{
	*m = (struct bf_measure){ .has_pack = true,
				  .has_current = true,
				  .has_soc = true,
				  .pack_v = 52.8,
				  .current_a = 0.1,
				  .soc = 55,
				  .n_cells = 16,
				  .n_temps = 4 };
	for (size_t i = 0; i < m->n_cells; i++)
		m->cell_v[i] = 3.3;
	for (size_t i = 0; i < m->n_temps; i++)
		m->temp_c[i] = 25;
}

void pack_init(struct pack *pack, enum pack_kind kind, struct pack_flash *flash)
{
	memset(pack, 0, sizeof(*pack));
	memset(flash, 0, sizeof(*flash));
	memset(flash->bytes, 0xFF, sizeof(flash->bytes));
	memset(flash->bytes + PACK_CAL, 0x5A, 256);
	pack->kind = kind;
	pack->caps = kinds[kind].caps;
	pack->flash = flash;
	pack->window = 1;
	pack->high_rate = 460800;
	pack->rate = 115200;
	flash->counter = 3;
	set_healthy(&pack->measure);
	set_healthy(&pack->after);
}

void pack_done(struct pack *pack)
{
	for (size_t i = 0; i < pack->n_known; i++)
		free((uint8_t *)(uintptr_t)pack->known[i].bytes);
}

const char *data_path(char dst[256], const char *name)
{
	snprintf(dst, 256, "%s/mcuboot/%s", getenv("BF_TEST_DATA"), name);
	return dst;
}

/* ---- bench ---- */

static void note_check(struct bench *b, const struct bf_check *check)
{
	if (check->verdict == BF_VERDICT_FAIL)
		snprintf(b->failed_check, sizeof(b->failed_check), "%s", check->name);
	if (check->verdict == BF_VERDICT_ALLOWED)
		snprintf(b->allowed_check, sizeof(b->allowed_check), "%s", check->name);
}

static void note_text(struct bench *b, const char *text)
{
	size_t at = strlen(b->notices);

	snprintf(b->last_notice, sizeof(b->last_notice), "%s", text);
	snprintf(b->notices + at, sizeof(b->notices) - at, "%s\n", text);
}

static void on_event(void *ctx, const struct bf_event *ev)
{
	struct bench *b = ctx;

	b->events[ev->kind]++;
	if (ev->kind == BF_EV_CHECK || ev->kind == BF_EV_SELF_TEST)
		note_check(b, ev->check);
	else if (ev->kind == BF_EV_NOTICE || ev->kind == BF_EV_WARNING || ev->kind == BF_EV_RETRY)
		note_text(b, ev->text);
	else if (ev->kind == BF_EV_FILE)
		snprintf(b->file, sizeof(b->file), "%s", ev->file.path);
	else if (ev->kind == BF_EV_PLAN)
		b->plan = *ev->plan;
	else if (ev->kind == BF_EV_SUMMARY)
		b->summary = *ev->summary;
	else if (ev->kind == BF_EV_PROGRESS) {
		if (ev->progress->percent < b->percent - 0.001)
			b->went_back_in_percent = true;
		b->percent = ev->progress->percent;
	}
}

void bench_init(struct bench *b, enum pack_kind kind, const char *running, const char *image)
{
	memset(b, 0, sizeof(*b));
	/* In memory where there is such a place: hundreds of runs each bring files to the disk. */
	snprintf(b->folder, sizeof(b->folder), "%s/bf-engine-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(b->folder));
	b->clock = bf_vclock_new();
	pack_init(&b->pack, kind, &b->flash);
	b->pack.clock = b->clock;
	if (running) {
		pack_learn(&b->pack, running);
		pack_load(&b->pack, 0, running);
	}
	b->flash.in_loader = !running;
	if (image) {
		if (!running || strcmp(running, image) != 0)
			pack_learn(&b->pack, image);
		b->images[0] = data_path(b->image_path, image);
	}
	b->keys[0] = data_path(b->key_path, "release.pub.pem");
	b->job = (struct bf_job){
		.kind = BF_JOB_FLASH,
		.iface = "fake0",
		.node = -1,
		.images = b->images,
		.keys = b->keys,
		.data_folder = b->folder,
		.tool_version = "test",
		.user = "technician",
	};
}

void bench_run(struct bench *b)
{
	static const struct bf_ports doors = { door_open, door_drivers, door_protos };
	const struct bf_events events = { on_event, b };

	behind_the_door = &b->pack;
	bf_engine_run(&b->job, &doors, b->clock, NULL, &events, &b->out);
}

void bench_again(struct bench *b)
{
	pack_power_up(&b->pack);
	b->clock->cancelled = false;
	b->percent = 0;
	memset(b->events, 0, sizeof(b->events));
	b->notices[0] = b->failed_check[0] = b->allowed_check[0] = b->file[0] = '\0';
	bench_run(b);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void bench_done(struct bench *b)
{
	pack_done(&b->pack);
	bf_clock_free(b->clock);
	assert_int_equal(nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void assert_ended(const struct bench *b, enum bf_rc rc, enum bf_state state)
{
	if (b->out.rc != rc || b->out.state != state)
		fail_msg("ended %s/%s '%s' cause '%s' trail '%s' notices:\n%s",
			 bf_rc_info(b->out.rc)->name, bf_state_name(b->out.state), b->out.sentence,
			 b->out.err.cause, b->out.err.n_trail ? b->out.err.trail[0] : "",
			 b->notices);
}
