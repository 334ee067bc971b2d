/* SPDX-License-Identifier: MIT */
/* SMP (mcumgr), as MCUboot's serial recovery and Zephyr's image management have it: the form that the engine reads. */
#include "smp.h"

#include <stdio.h>

static enum bf_rc smp_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err);

static void smp_close(struct bf_proto *p)
{
	struct smp *s = smp_of(p);

	bf_link_close(s->link);
	free(s);
}

static void smp_explain(const struct bf_profile *profile, bf_explain_fn *line, void *ctx)
{
	const struct bf_smp_profile *st = bf_profile_family(profile, "smp");
	char upload[96];

	snprintf(upload, sizeof(upload), "2 1/1 {data, off, len, sha, image: %u}", st->image);
	line(ctx, NULL, "SMP requests (operation group/command {map})");
	line(ctx, "0 1/0, 0/6, 0/7, 0/8, 1/6", "images, buffers, board, bootloader, slots");
	line(ctx, upload, "uploads the image");
	line(ctx, "0 1/0", "looks for its hash in the list");
	line(ctx, "2 1/0 {hash, confirm: false}", "marks it for a test boot");
	line(ctx, "2 0/5 {}", "restarts");
	line(ctx, "2 1/0 {confirm: true}", "confirms the image that runs");
}

static const struct bf_app_ops smp_app = { 0 };

static const struct bf_loader_ops smp_loader = {
	.begin = bf_smp_begin,
	.block_start = bf_smp_block_start,
	.block_finish = bf_smp_block_finish,
	.finish = bf_smp_finish,
	.abandon = bf_smp_abandon,
	.block_class = BF_RETRY_STEERED,
	.check = bf_smp_check,
	.restart = bf_smp_restart,
};

/* What is open of an upload belongs to the image before. */
static void smp_select(struct bf_proto *p, unsigned number, unsigned n)
{
	struct smp *s = smp_of(p);

	if (number != s->image)
		s->upload = (struct smp_upload){ .window = s->upload.window };
	s->image = number < SMP_IMAGES ? number : 0;
	s->together = n;
}

static const struct bf_boot_ops smp_boot = {
	.select = smp_select,
	.state = bf_smp_state,
	.activate = bf_smp_activate,
	.confirm = bf_smp_confirm,
	.revert = bf_smp_revert,
};

const struct bf_proto_ops bf_proto_smp_ops = {
	.name = "smp",
	.summary = "SMP (mcumgr): MCUboot's serial recovery, and Zephyr applications",
	.wires = BF_WIRE_STREAM,
	.probe_rank = 40,
	.probe_risk = "lines of text, which a console or a menu could take for commands",
	.app = &smp_app,
	.loader = &smp_loader,
	.boot = &smp_boot,
	.open = smp_open,
	.close = smp_close,
	.recognise = bf_smp_recognise,
	.connect = bf_smp_connect,
	.identify = bf_smp_identify,
	.ping = bf_smp_ping,
	.await = bf_smp_await,
	.explain = smp_explain,
	.refusals = bf_smp_refusals,
};

static enum bf_rc smp_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err)
{
	struct smp *s;

	if (!(env->transport->ops->wire & bf_proto_smp_ops.wires))
		return bf_fail(err, BF_E_UNSUPPORTED, "SMP runs on serial lines, not on '%s'",
			       env->transport->name);
	if (env->node >= 0) {
		bf_fail(err, BF_E_USAGE, "--node has no meaning with SMP, which has no addresses.");
		bf_do(err, "leave out --node");
		return err->rc;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->proto.ops = &bf_proto_smp_ops;
	s->proto.env = *env;
	s->settings = bf_profile_family(env->profile, "smp");
	s->image = s->settings->image;
	s->mode = BF_SMP_MODE_UNKNOWN;
	s->buf_count = 1;
	*ret = &s->proto;
	return BF_OK;
}
