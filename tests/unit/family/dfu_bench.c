/* SPDX-License-Identifier: MIT */
#include "dfu_bench.h"

extern const struct bf_proto_ops bf_proto_dfu_ops;

static void on_alive(void *ctx, const char *what)
{
	struct bench *b = ctx;

	assert_non_null(what);
	b->alive++;
}

void was_erased(struct bench *b)
{
	struct bf_dfu *d = bf_dfu_of(b->proto);

	d->erased.list[0] = (struct bf_dfu_range){ 0, b->peer.base, b->peer.base + b->peer.size };
	d->erased.n = 1;
}

struct bench *bench_new(bool dfuse, bool loader)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct bf_proto_env env;

	assert_non_null(b);
	b->clock = bf_vclock_new();
	bf_err_init(&b->err);
	bf_profile_default(&b->profile);
	bf_retry_default(&b->retry);
	peer_init(&b->peer, b->clock, dfuse, loader);
	env = (struct bf_proto_env){
		.transport = fake_transport(b->peer.usb),
		.profile = &b->profile,
		.retry = &b->retry,
		.node = -1,
		.alive = on_alive,
		.alive_ctx = b,
	};
	assert_int_equal(bf_proto_dfu_ops.open(&env, &b->proto, &b->err), BF_OK);
	was_erased(b);
	return b;
}

void bench_free(struct bench *b)
{
	assert_int_equal(b->peer.unclaimed, 0);
	assert_int_equal(b->peer.strays, 0);
	assert_int_equal(b->clock->held, 0); /* whoever holds a cancellation back lets it go */
	bf_proto_close(b->proto);
	peer_done(&b->peer);
	bf_clock_free(b->clock);
	free(b);
}

void wanted(struct bench *b, enum bf_rc rc, enum bf_rc want)
{
	if (rc != want)
		fail_msg("%s instead of %s: %s", bf_rc_info(rc)->name, bf_rc_info(want)->name,
			 rc ? b->err.cause : "");
}

void connect_for(struct bench *b, enum bf_entry entry)
{
	wanted(b, b->proto->ops->connect(b->proto, entry, &b->err), BF_OK);
}

struct bf_ident identify(struct bench *b)
{
	struct bf_ident id;

	wanted(b, b->proto->ops->identify(b->proto, &id, &b->err), BF_OK);
	return id;
}

enum bf_rc erase(struct bench *b, uint32_t addr, uint32_t size)
{
	const struct bf_region region = { .alt = 0 };

	return b->proto->ops->loader->erase(b->proto, &region, addr, size, &b->err);
}

enum bf_rc begin(struct bench *b, uint32_t addr, size_t len, struct bf_flow *ret)
{
	const struct bf_target target = { .addr = addr, .len = len };

	return b->proto->ops->loader->begin(b->proto, &target, ret, &b->err);
}

enum bf_rc blocks(struct bench *b, const uint8_t *data, size_t len, size_t block)
{
	const struct bf_proto_ops *ops = b->proto->ops;
	size_t next = 0;

	while (next < len) {
		struct bf_block p = { .offset = next, .data = data + next };
		enum bf_rc rc;

		p.len = len - next < block ? len - next : block;
		rc = ops->loader->block_start(b->proto, &p, &b->err);
		if (!rc)
			rc = ops->loader->block_finish(b->proto, &next, &b->err);
		if (rc)
			return rc;
		assert_int_equal(next, p.offset + p.len);
	}
	return BF_OK;
}

enum bf_rc download(struct bench *b, uint32_t addr, const uint8_t *data, size_t len)
{
	struct bf_flow flow;
	enum bf_rc rc = begin(b, addr, len, &flow);

	if (!rc)
		rc = blocks(b, data, len, flow.block_max);
	return rc ? rc : b->proto->ops->loader->finish(b->proto, &b->err);
}

void pattern(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + i / 251);
}
