/* SPDX-License-Identifier: MIT */
/* UDS (ISO 14229-1) as bmsflash-uds(7) lays it out: the form that the engine reads. */
#include "uds.h"

#include "lz4_block.h"

static enum bf_rc uds_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err);

static void uds_close(struct bf_proto *p)
{
	struct uds *u = uds_of(p);

	bf_link_close(u->functional);
	bf_link_close(u->link);
	bf_packer_free(u->packer);
	free(u);
}

static const struct bf_app_ops uds_app = {
	.self_test = bf_uds_self_test,
	.balance = bf_uds_balance,
	.measure = bf_uds_measure,
	.to_loader = bf_uds_to_loader,
};

static const struct bf_loader_ops uds_loader = {
	.erase = bf_uds_erase,
	.begin = bf_uds_begin,
	.block_start = bf_uds_block_start,
	.block_finish = bf_uds_block_finish,
	.finish = bf_uds_end,
	.abandon = bf_uds_abandon,
	.block_class = BF_RETRY_COUNTED,
	.read = bf_uds_read,
	.hash = bf_uds_hash,
	.hash_units = bf_uds_hash_units,
	.check = bf_uds_check,
	.restart = bf_uds_restart,
};

static const struct bf_boot_ops uds_boot = {
	.state = bf_uds_state,
	.activate = bf_uds_activate,
	.confirm = bf_uds_confirm,
	.revert = bf_uds_revert,
};

const struct bf_proto_ops bf_proto_uds_ops = {
	.name = "uds",
	.summary = "UDS (ISO 14229) over ISO-TP, ISO 14230 or HDLC",
	.wires = BF_WIRE_STREAM | BF_WIRE_BUS,
	.probe_rank = 20,
	.app = &uds_app,
	.loader = &uds_loader,
	.boot = &uds_boot,
	.open = uds_open,
	.close = uds_close,
	.recognise = bf_uds_recognise,
	.connect = bf_uds_connect,
	.identify = bf_uds_identify,
	.authenticate = bf_uds_authenticate,
	.set_rate = bf_uds_set_rate,
	.default_rate = bf_uds_default_rate,
	.ping = bf_uds_ping,
	.keepalive = bf_uds_keepalive,
	.await = bf_uds_await,
	.leave = bf_uds_leave,
	.explain = bf_uds_explain,
	.refusals = bf_uds_refusals,
};

static enum bf_rc uds_open(const struct bf_proto_env *env, struct bf_proto **ret,
			   struct bf_err *err)
{
	struct uds *u;

	if (!(env->transport->ops->wire & bf_proto_uds_ops.wires))
		return bf_fail(err, BF_E_UNSUPPORTED, "UDS runs on CAN and RS485, not on '%s'",
			       env->transport->name);
	if (bf_uds_check_node(env, err))
		return err->rc;
	u = calloc(1, sizeof(*u));
	if (!u)
		abort();
	u->proto.ops = &bf_proto_uds_ops;
	u->proto.env = *env;
	u->session = 0x01;
	u->safe_len = UDS_MSG_MAX;
	u->p2 = BF_MS(uds_keys(u)->p2_ms);
	u->p2_star = BF_MS(uds_keys(u)->p2_star_ms);
	bf_uds_note_rate(u);
	*ret = &u->proto;
	return BF_OK;
}
