/* SPDX-License-Identifier: MIT */
/*
 * What the engine makes of the capabilities by which bootloaders differ in moving data: blocks in flight, the
 * device choosing the offset, blocks of a few bytes, several round trips a block, no answers at all. The
 * bootloader here is none of those that are built in; its times are virtual and exact.
 */
#include "../unit/unit.h"

#include "bmsflash/rng.h"
#include "engine/run.h"

#define IMAGE_MAX  65536u
#define WINDOW_MAX 16u
#define UNIT       1024u

enum answers {
	EACH,   /* one for each block */
	SHARED, /* one for as many as the window holds */
	NONE    /* the stream is answered when it ends */
};

/* How the device wants it. */
struct manner {
	size_t len; /* of the image */
	uint32_t block_max;
	unsigned window;
	uint32_t byte_rate; /* of the wire, a second */
	bf_time turnaround; /* from the last byte of a request to its answer */
	unsigned rounds;    /* before a block's data: requests that are answered first */
	enum answers answers;
	enum bf_retry_class rclass;
	size_t begins_at;    /* it has so much already */
	size_t loses, wants; /* the block at `loses` gets lost once: asked for from `wants` on */
	size_t knows, knows_until; /* after the block at `knows`: it has all up to `knows_until` */
	size_t forgets;            /* at the block there the transfer is gone, once */
	/* Compressed blocks, a device with two buffers and flash that takes its time. */
	size_t packed_max; /* bytes of a block on the wire; 0: blocks are plain */
	bool keeps_pace;
	bf_time byte_ns, unit_us; /* of its flash: a byte, an erase unit */
};

struct out {
	size_t end;
	bf_time due;
};

struct device {
	struct bf_proto proto;
	struct bf_proto_ops ops;
	struct bf_loader_ops loader;
	struct bf_transport wire;
	struct manner m;
	struct bf_run run;
	struct bf_job job;
	struct bf_item item;
	struct bf_region region;
	bf_time flash_done;
	double busy; /* bytes that the wire carries until the block before is written */
	struct bf_segment segment;
	uint8_t image[IMAGE_MAX], flash[IMAGE_MAX];
	size_t has; /* bytes in place */
	struct out out[WINDOW_MAX];
	unsigned n_out, most_out, blocks, begun, asked_wire;
	bool lost, forgot;
	struct bf_events events;
	unsigned told, told_idle; /* progress; with nothing out */
};

static struct device *of(struct bf_proto *p)
{
	return BF_CONTAINER_OF(p, struct device, proto);
}

static void spend(struct device *d, bf_time us)
{
	assert_true(bf_clock_until(d->run.clock, bf_in(d->run.clock, us)));
}

static enum bf_rc begin(struct bf_proto *p, const struct bf_target *target, struct bf_flow *ret,
			struct bf_err *err)
{
	struct device *d = of(p);

	(void)err;
	d->begun++;
	d->n_out = 0;
	if (d->m.rclass != BF_RETRY_STEERED)
		d->has = target->from;
	else
		assert_int_equal(target->from, 0); /* it knows where it stands */
	*ret = (struct bf_flow){ .block_max = d->m.block_max, .next = d->has - target->from };
	return BF_OK;
}

/* The block at an offset, as the device gets it; true when it is written. */
static bool take(struct device *d, const struct bf_block *block, size_t at)
{
	if (d->m.loses && at == d->m.loses && !d->lost) {
		d->lost = true;
		d->has = d->m.wants;
		return false;
	}
	if (at != d->has)
		return false; /* what follows a lost block is of no use */
	memcpy(d->flash + at, block->data, block->len);
	d->has = at + block->len;
	if (d->m.knows && at == d->m.knows)
		d->has = d->m.knows_until;
	return true;
}

/* Parts of the image pack well, others hardly. */
static size_t packed(size_t at, size_t len)
{
	return at / 8192 % 2 ? len * 3 / 4 : len * 2 / 5;
}

static size_t units_begun(size_t from, size_t len)
{
	return (from + len + UNIT - 1) / UNIT - (from + UNIT - 1) / UNIT;
}

/* Takes as much of the block as fits; due when the buffer before this one is free. */
static void start_packed(struct device *d, const struct bf_block *block)
{
	size_t most = d->m.packed_max, len = block->len, wire, units;
	bf_time due;

	if (d->m.keeps_pace && d->busy > 0 && d->busy < (double)most)
		most = d->busy > (double)most / 3 ? (size_t)d->busy : most / 3;
	while (packed(block->offset, len) > most)
		len -= 8;
	wire = packed(block->offset, len);
	units = units_begun(block->offset, len);
	spend(d, (bf_time)wire * 1000000 / d->m.byte_rate);
	memcpy(d->flash + block->offset, block->data, len);
	d->has = block->offset + len;
	d->proto.saved += (int64_t)len - (int64_t)wire;
	due = bf_in(d->run.clock, d->m.turnaround);
	due = d->flash_done > due ? d->flash_done : due;
	d->flash_done = due + (bf_time)len * d->m.byte_ns / 1000 + (bf_time)units * d->m.unit_us;
	d->busy = block->pace.byte * (double)len + block->pace.unit * (double)units;
	d->out[d->n_out++] = (struct out){ d->has, due };
}

static enum bf_rc block_start(struct bf_proto *p, const struct bf_block *block, struct bf_err *err)
{
	struct device *d = of(p);
	size_t at = block->offset + (d->m.rclass == BF_RETRY_STEERED ? 0 : d->item.target.from);

	assert_true(block->len > 0 && block->len <= d->m.block_max);
	assert_true(d->n_out < d->m.window);
	d->blocks++;
	if (d->m.packed_max) {
		start_packed(d, block);
		return BF_OK;
	}
	for (unsigned i = 0; i < d->m.rounds; i++)
		spend(d, d->m.turnaround);
	spend(d, (bf_time)block->len * 1000000 / d->m.byte_rate);
	if (d->m.forgets && at == d->m.forgets && !d->forgot) {
		d->forgot = true;
		return bf_fail(err, BF_E_RESTART, "no transfer is open");
	}
	(void)take(d, block, at);
	d->out[d->n_out++] = (struct out){ d->has, bf_in(d->run.clock, d->m.turnaround) };
	if (d->n_out > d->most_out)
		d->most_out = d->n_out;
	return BF_OK;
}

static enum bf_rc block_finish(struct bf_proto *p, size_t *ret_next, struct bf_err *err)
{
	struct device *d = of(p);
	struct out first = d->out[0];

	(void)err;
	assert_true(d->n_out > 0);
	switch (d->m.answers) {
	case EACH:
		assert_true(bf_clock_until(d->run.clock, first.due));
		break;
	case SHARED: /* the answer to the last that is out tells of all */
		first = d->out[d->n_out - 1];
		if (d->has > d->out[0].end || d->n_out == d->m.window || d->has == d->m.len)
			assert_true(bf_clock_until(d->run.clock, first.due));
		break;
	case NONE:
		break;
	}
	memmove(d->out, d->out + 1, --d->n_out * sizeof(d->out[0]));
	*ret_next = first.end;
	return BF_OK;
}

static enum bf_rc finish(struct bf_proto *p, struct bf_err *err)
{
	(void)err;
	spend(of(p), of(p)->m.turnaround);
	return BF_OK;
}

static void report(struct bf_transport *t, struct bf_bus_report *ret)
{
	BF_CONTAINER_OF(t, struct device, wire)->asked_wire++;
	*ret = (struct bf_bus_report){ .bitrate = 500000 };
}

static const struct bf_bus_ops bus_ops = { .report = report };
static const struct bf_transport_ops wire_ops = { .name = "none",
						  .wire = BF_WIRE_BUS,
						  .bus = &bus_ops };

static void hear(void *ctx, const struct bf_event *ev)
{
	struct device *d = ctx;

	if (ev->kind != BF_EV_PROGRESS)
		return;
	d->told++;
	d->told_idle += !d->n_out;
}

/* Moves an image to a device that wants it so; what it took. */
static bf_time move(struct device **ret, const struct manner *m)
{
	struct device *d = calloc(1, sizeof(*d));
	struct bf_rng rng = { 1 };
	struct bf_err err;
	bf_time took;

	assert_non_null(d);
	d->m = *m;
	d->has = m->begins_at;
	for (size_t i = 0; i < m->len; i++)
		d->image[i] = (uint8_t)bf_rng_next(&rng);
	memcpy(d->flash, d->image, m->begins_at);
	if (m->knows)
		memcpy(d->flash + m->knows, d->image + m->knows, m->knows_until - m->knows);
	d->loader = (struct bf_loader_ops){ .begin = begin,
					    .block_start = block_start,
					    .block_finish = block_finish,
					    .finish = finish,
					    .block_class = m->rclass };
	d->ops = (struct bf_proto_ops){ .app = &bf_no_app,
					.loader = &d->loader,
					.boot = &bf_no_boot };
	d->proto.ops = &d->ops;
	d->wire.ops = &wire_ops;
	d->region.erase_unit = UNIT;
	d->region.size = (uint32_t)m->len;
	d->item.region = &d->region;
	d->item.erases_ahead = m->unit_us > 0;
	d->segment = (struct bf_segment){ .data = d->image, .len = m->len };
	d->item.target = (struct bf_target){ .segment = &d->segment, .len = m->len };
	d->run = (struct bf_run){ .job = &d->job,
				  .session.proto = &d->proto,
				  .wire.transport = &d->wire };
	d->run.clock = d->run.time.outer = d->wire.clock = bf_vclock_new();
	d->run.time.deadline = BF_NEVER;
	d->events = (struct bf_events){ .fn = hear, .ctx = d };
	d->run.events = &d->events;
	d->run.session.ident.in_flight = m->window;
	d->run.todo.bytes = m->len;
	bf_err_init(&err);
	if (bf_item_move(&d->run, &d->item, 0, d->m.len, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(d->has, m->len);
	assert_memory_equal(d->flash, d->image, m->len);
	took = bf_now(d->run.clock);
	*ret = d;
	return took;
}

static void done(struct device *d)
{
	bf_clock_free(d->run.clock);
	free(d);
}

static bf_time wire_time(const struct manner *m)
{
	return (bf_time)m->len * 1000000 / m->byte_rate;
}

/* ---- blocks in flight ---- */

static void a_window_hides_the_turnaround(void **state)
{
	struct manner m = { .len = 65536,
			    .block_max = 256,
			    .window = 1,
			    .byte_rate = 100000,
			    .turnaround = BF_MS(4) };
	struct device *d;
	bf_time one, four;

	(void)state;
	one = move(&d, &m);
	assert_int_equal(d->most_out, 1);
	done(d);
	m.window = 4;
	four = move(&d, &m);
	assert_int_equal(d->most_out, 4);
	assert_int_equal(d->blocks, 256);
	done(d);
	assert_int_equal(one, 256 * (2560 + BF_MS(4)) + BF_MS(4));
	/* what is left: the answer to the last block, and to the end */
	assert_int_equal(four, wire_time(&m) + 2 * BF_MS(4));
}

static void a_window_too_small_for_the_line_is_kept_full(void **state)
{
	const struct manner m = { .len = 65536,
				  .block_max = 1024,
				  .window = 2,
				  .byte_rate = 1000000,
				  .turnaround = BF_MS(10) };
	struct device *d;
	bf_time took;

	(void)state;
	took = move(&d, &m);
	assert_int_equal(d->most_out, 2);
	/* two blocks for each turnaround and one block's time on the wire */
	assert_in_range(took, 32 * (BF_MS(10) + 1024), 33 * (BF_MS(10) + 1024) + BF_MS(10));
	done(d);
}

static void one_answer_may_stand_for_the_whole_window(void **state)
{
	const struct manner m = { .len = 65536,
				  .block_max = 256,
				  .window = 8,
				  .byte_rate = 100000,
				  .turnaround = BF_MS(4),
				  .answers = SHARED };
	struct device *d;
	bf_time took;

	(void)state;
	took = move(&d, &m);
	assert_int_equal(d->blocks, 256);
	assert_int_equal(d->run.told.sum.bytes_sent, 65536);
	/* a turnaround for each eight blocks */
	assert_in_range(took, wire_time(&m) + 32 * BF_MS(4), wire_time(&m) + 34 * BF_MS(4));
	done(d);
}

static void a_stream_without_answers_never_waits(void **state)
{
	const struct manner m = { .len = 65536,
				  .block_max = 64,
				  .window = 1,
				  .byte_rate = 100000,
				  .turnaround = BF_MS(4),
				  .answers = NONE,
				  .rclass = BF_RETRY_APPEND_ONLY };
	struct device *d;
	bf_time took;

	(void)state;
	took = move(&d, &m);
	assert_int_equal(took, wire_time(&m) + BF_MS(4));
	done(d);
}

/* ---- offsets that the device chooses ---- */

static const struct manner steered = { .len = 32768,
				       .block_max = 512,
				       .window = 4,
				       .byte_rate = 100000,
				       .turnaround = BF_MS(2),
				       .rclass = BF_RETRY_STEERED };

static void a_device_that_has_half_is_sent_the_other_half(void **state)
{
	struct manner m = steered;
	struct device *d;

	(void)state;
	m.begins_at = 16384;
	(void)move(&d, &m);
	assert_int_equal(d->blocks, 32);
	assert_int_equal(d->run.told.sum.bytes_sent, 16384);
	done(d);
}

static void a_lost_block_is_sent_again_from_where_the_device_wants_it(void **state)
{
	struct manner m = steered;
	struct device *d;

	(void)state;
	m.loses = m.wants = 8192;
	(void)move(&d, &m);
	assert_true(d->lost);
	/* the lost one and the three that were out behind it */
	assert_int_equal(d->blocks, 64 + 4);
	assert_int_equal(d->begun, 1);
	assert_int_equal(d->run.told.sum.bytes_sent, 32768);
	done(d);
}

static void a_device_may_ask_for_what_it_had_confirmed(void **state)
{
	struct manner m = steered;
	struct device *d;

	(void)state;
	m.loses = 8192;
	m.wants = 4096; /* as after its own restart: the flash page is gone */
	(void)move(&d, &m);
	assert_int_equal(d->begun, 1);
	assert_in_range(d->blocks, 64 + 8, 64 + 8 + 4);
	done(d);
}

static void what_the_device_has_further_on_is_not_sent(void **state)
{
	struct manner m = steered;
	struct device *d;

	(void)state;
	m.window = 1;
	m.knows = 8192;
	m.knows_until = 24576;
	(void)move(&d, &m);
	assert_int_equal(d->blocks, 16 + 1 + 16);
	done(d);
}

static void a_transfer_that_was_forgotten_goes_on_from_the_device_s_own_offset(void **state)
{
	struct manner m = steered;
	struct device *d;

	(void)state;
	m.forgets = 16384;
	(void)move(&d, &m);
	assert_int_equal(d->begun, 2);
	assert_in_range(d->blocks, 64 + 1, 64 + 1 + 4);
	done(d);
}

/* ---- blocks of a few bytes, blocks of several round trips ---- */

/* XCP on CAN: seven bytes a request. Nothing may cost by the block but the wire. */
static void blocks_of_seven_bytes_cost_their_round_trips_and_nothing_else(void **state)
{
	const struct manner m = { .len = 65536,
				  .block_max = 7,
				  .window = 1,
				  .byte_rate = 50000,
				  .turnaround = 200,
				  .rclass = BF_RETRY_IDEMPOTENT };
	unsigned blocks = (65536 + 6) / 7;
	struct device *d;
	bf_time took;

	(void)state;
	took = move(&d, &m);
	assert_int_equal(d->blocks, blocks);
	assert_in_range(took, blocks * 340, (blocks + 1) * 340 + 200);
	/* Asking an interface for its state is a system call and more: as often as progress is told. */
	assert_true(d->asked_wire <= took / BF_MS(100) + 2);
	done(d);
}

/* ROM loaders: command, address, data, each acknowledged. */
static void a_block_of_three_round_trips_takes_three(void **state)
{
	struct manner m = { .len = 65536,
			    .block_max = 256,
			    .window = 1,
			    .byte_rate = 11520,
			    .turnaround = BF_MS(1),
			    .rounds = 2,
			    .rclass = BF_RETRY_IDEMPOTENT };
	struct device *d;
	bf_time took;

	(void)state;
	took = move(&d, &m);
	assert_int_equal(d->blocks, 256);
	assert_in_range(took, wire_time(&m) + (256 * 3 + 1) * BF_MS(1) - 256,
			wire_time(&m) + (256 * 3 + 1) * BF_MS(1));
	done(d);
}

/* A slow terminal or disk must not keep the wire waiting. */
static void progress_is_told_while_a_block_is_out(void **state)
{
	const struct manner m = { .len = 65536,
				  .block_max = 1024,
				  .window = 1,
				  .byte_rate = 11520,
				  .turnaround = BF_MS(1) };
	struct device *d;

	(void)state;
	(void)move(&d, &m);
	assert_true(d->told > 30);
	assert_int_equal(d->told_idle, 1); /* the last of it */
	done(d);
}

/* ---- blocks that are as long on the wire as the one before is in flash ---- */

/* 65536 bytes are 37675 on the wire, 3.77 s; flash takes 3.8 s; part by part it is now one, now the other. */
static const struct manner two_buffers = { .len = 65536,
					   .block_max = 4096,
					   .window = 1,
					   .byte_rate = 10000,
					   .turnaround = BF_MS(1),
					   .rclass = BF_RETRY_COUNTED,
					   .packed_max = 1024,
					   .byte_ns = 38000,
					   .unit_us = BF_MS(20) };

static void blocks_cut_to_the_pace_of_the_flash_save_time(void **state)
{
	struct manner m = two_buffers;
	struct device *d;
	bf_time whole, paced;

	(void)state;
	whole = move(&d, &m);
	done(d);
	m.keeps_pace = true;
	paced = move(&d, &m);
	done(d);
	assert_true(paced < whole * 97 / 100);
}

static void no_pace_is_told_where_the_flash_is_much_faster(void **state)
{
	struct manner m = two_buffers;
	struct device *d;

	(void)state;
	m.byte_ns = 10000;
	m.unit_us = BF_MS(1);
	(void)move(&d, &m);
	assert_true(d->busy == 0);
	done(d);
}

static void no_pace_is_told_where_the_flash_is_much_slower(void **state)
{
	struct manner m = two_buffers;
	struct device *d;

	(void)state;
	m.byte_ns = 200000;
	(void)move(&d, &m);
	assert_true(d->busy == 0);
	done(d);
}

/* 5 ms a unit and 4 us a byte on a wire of 10 us a byte: 0.4 and 500 bytes of wire. */
static void units_and_bytes_are_told_apart(void **state)
{
	struct bf_pacer p = { 0 };
	struct bf_pace pace;

	(void)state;
	bf_pace_note(&p, 10000, 1500, 1, 1000);
	for (unsigned i = 0; i < 20; i++) {
		size_t before = i ? 1400 + 100 * ((i - 1) % 3) : 1500;
		unsigned units = i ? 1 + (i - 1) % 2 : 1;

		bf_pace_note(&p, (bf_time)(before * 4 + units * 5000 + 100), 1400 + 100 * (i % 3),
			     1 + i % 2, 1000);
	}
	pace = bf_pace_now(&p);
	assert_true(pace.byte > 0.35 && pace.byte < 0.45);
	assert_true(pace.unit > 450 && pace.unit < 550);
}

static void what_cannot_be_measured_teaches_nothing(void **state)
{
	struct bf_pacer p = { 0 };

	(void)state;
	bf_pace_note(&p, 0, 6000, 1, 4000);
	bf_pace_note(&p, BF_MS(1), 6000, 1, 0);
	assert_true(bf_pace_now(&p).byte == 0);
	assert_int_equal(p.wire, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_hides_the_turnaround),
		cmocka_unit_test(a_window_too_small_for_the_line_is_kept_full),
		cmocka_unit_test(one_answer_may_stand_for_the_whole_window),
		cmocka_unit_test(a_stream_without_answers_never_waits),
		cmocka_unit_test(a_device_that_has_half_is_sent_the_other_half),
		cmocka_unit_test(a_lost_block_is_sent_again_from_where_the_device_wants_it),
		cmocka_unit_test(a_device_may_ask_for_what_it_had_confirmed),
		cmocka_unit_test(what_the_device_has_further_on_is_not_sent),
		cmocka_unit_test(
			a_transfer_that_was_forgotten_goes_on_from_the_device_s_own_offset),
		cmocka_unit_test(blocks_of_seven_bytes_cost_their_round_trips_and_nothing_else),
		cmocka_unit_test(a_block_of_three_round_trips_takes_three),
		cmocka_unit_test(progress_is_told_while_a_block_is_out),
		cmocka_unit_test(blocks_cut_to_the_pace_of_the_flash_save_time),
		cmocka_unit_test(no_pace_is_told_where_the_flash_is_much_faster),
		cmocka_unit_test(no_pace_is_told_where_the_flash_is_much_slower),
		cmocka_unit_test(units_and_bytes_are_told_apart),
		cmocka_unit_test(what_cannot_be_measured_teaches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
